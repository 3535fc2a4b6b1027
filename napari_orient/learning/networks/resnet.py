"""What does a small residual network for patterns look like?

Residual blocks after He et al., CVPR (2016) 770, with the map flattened at the end instead of
averaged: where a spot lies says how the crystal is turned.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

STEM, WIDTHS = 24, (48, 96, 192)
GRID = 4  # the last map is brought to 4x4, whatever the size of the patterns


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.bn2(self.conv2(x))
        return F.relu(x + shortcut, inplace=True)


class SmallResNet(nn.Module):
    """Three stages of two residual blocks, then two fully connected layers on a 4x4 map.

    1.8 million parameters, on maps of a quarter of the size and less: a laptop can train it.

    Parameters
    ----------
    outputs
        Numbers for each pattern.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, STEM, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = nn.Conv2d(STEM, WIDTHS[0], 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(WIDTHS[0])
        blocks, inputs = [], WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            blocks += [BasicBlock(inputs, width, 2 if stage else 1), BasicBlock(width, width, 1)]
            inputs = width
        self.layers = nn.Sequential(*blocks)
        self.squeeze = nn.Conv2d(inputs, 64, 1)
        self.fc1 = nn.Linear(64 * GRID * GRID, 256)
        self.fc2 = nn.Linear(256, outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Patterns (n, 1, size, size), sizes from 16, to (n, outputs)."""
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = F.relu(self.squeeze(self.layers(x)), inplace=True)
        if x.shape[-1] != GRID:
            x = F.adaptive_avg_pool2d(x, GRID)
        x = F.relu(self.fc1(x.flatten(1)), inplace=True)
        out: Tensor = self.fc2(x)
        return out
