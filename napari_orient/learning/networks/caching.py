"""Which layers suit the caches and the bfloat16 of a processor? As torch's, but faster."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_PIXELS = 4 * 128 * 128  # of patterns whose first maps fit the cache of a core


def in_parts(maps: nn.Module, images: Tensor) -> Tensor:
    """Compute the large maps of images (n, ..., y, x) for a few of them at a time.

    Those of all leave the cache of a core, and memory is ten times as slow. Gradients need all of
    them anyway.
    """
    few = max(1, _PIXELS // (images.shape[-1] * images.shape[-2]))
    if torch.is_grad_enabled() or images.device.type != "cpu" or len(images) <= few:
        found: Tensor = maps(images)
        return found
    return torch.cat([maps(images[i : i + few]) for i in range(0, len(images), few)])


class Pool(nn.Module):
    """The largest of each 2x2 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to half the size."""
        if torch.is_grad_enabled():
            return F.max_pool2d(x, 2)
        # torch notes the places of the largest for gradients, which takes five times as long
        height, width = (side // 2 * 2 for side in x.shape[2:])
        x = torch.maximum(x[:, :, 0:height:2], x[:, :, 1:height:2])
        return torch.maximum(x[..., 0:width:2], x[..., 1:width:2])


class Rectifier(nn.Module):
    """ReLU in place, for prediction.

    The sign of a bfloat16 is that of its bits read as an integer, and integers are compared ten
    times as fast. A negative NaN becomes 0, unlike torch's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """To the same shape."""
        if x.dtype != torch.bfloat16:
            return F.relu(x, inplace=True)
        return x.view(torch.int16).clamp_(min=0).view(torch.bfloat16)
