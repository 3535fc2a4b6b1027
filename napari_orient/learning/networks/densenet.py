"""What does DenseNet-121 look like for patterns?

Huang et al., CVPR (2017) 2261. Names of parameters are torchvision's, so that published weights
fit; the first convolution sees one channel.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_orient.learning.networks.caching import in_parts

BLOCKS = (6, 12, 24, 16)
GROWTH = 32
BOTTLENECK = 4
STEM = 64
_LARGE = 8  # first layers and blocks whose maps do not fit the cache


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1 convolution, norm, ReLU, 3x3 convolution: 32 more channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        middle = BOTTLENECK * GROWTH
        self.norm1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, middle, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(middle)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(middle, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, 32, h, w)."""
        x = self.conv1(self.relu1(self.norm1(x)))
        out: Tensor = self.conv2(self.relu2(self.norm2(x)))
        return out


class DenseBlock(nn.Module):
    """Layers, each of which sees the maps of all before it."""

    def __init__(self, layers: int, inputs: int) -> None:
        super().__init__()
        for i in range(layers):
            self.add_module(f"denselayer{i + 1}", DenseLayer(inputs + i * GROWTH))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, inputs + 32 * layers, h, w)."""
        for layer in self.children():
            x = torch.cat([x, layer(x)], 1)
        return x


class Transition(nn.Sequential):
    """Half the channels, half the size."""

    def __init__(self, inputs: int) -> None:
        super().__init__(
            OrderedDict(
                norm=nn.BatchNorm2d(inputs),
                relu=nn.ReLU(inplace=True),
                conv=nn.Conv2d(inputs, inputs // 2, 1, bias=False),
                pool=nn.AvgPool2d(2),
            )
        )


class DenseNet(nn.Module):
    """DenseNet-121: four dense blocks of 6, 12, 24 and 16 layers, and one fully connected layer.

    Parameters
    ----------
    outputs
        Numbers for each pattern.
    channels
        Of the input; 3 for photographs.
    """

    def __init__(self, outputs: int, channels: int = 1) -> None:
        super().__init__()
        features: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(channels, STEM, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(STEM),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
        )
        width = STEM
        for i, layers in enumerate(BLOCKS, 1):
            features[f"denseblock{i}"] = DenseBlock(layers, width)
            width += layers * GROWTH
            if i < len(BLOCKS):
                features[f"transition{i}"] = Transition(width)
                width //= 2
        features["norm5"] = nn.BatchNorm2d(width)
        self.features = nn.Sequential(features)
        self.classifier = nn.Linear(width, outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Patterns (n, channels, size, size), sizes from 32, to (n, outputs)."""
        x = in_parts(self.features[:_LARGE], images)
        x = F.relu(self.features[_LARGE:](x), inplace=True)
        out: Tensor = self.classifier(x.mean((2, 3)))
        return out
