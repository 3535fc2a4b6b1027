"""What network knows beforehand that a pattern may be turned? One that looks at it from all sides.

A crystal turned about the beam turns its pattern, and an ordinary network has to learn that anew
for each angle. This one resamples the pattern to polar coordinates, where a turn is a shift, and
uses only layers that shift their output with their input: what is learned from one pattern holds
for all that are turned. At each of ``VIEWS`` angles it says which orientation the crystal has as
seen from there, and how likely that is; turned back to the scan these are the rotations of a
mixture (:mod:`napari_orient.learning.heads`). What it says turns exactly with the pattern; the
head's step to orthonormal axes, which takes one axis first, only nearly.

The layers are circular convolutions as long as the circle (spots of one pattern stand anywhere on
it), computed as products of Fourier coefficients: cf. Worrall et al., Harmonic Networks, CVPR 2017;
Cohen and Welling, Group Equivariant Convolutional Networks, ICML 2016.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

VIEWS = 32
_ORDERS = 32  # of the turns that are kept: details of 180 / 32 degrees
_LARGEST = 128  # pixels; 64 hold as many turns as it keeps
_WIDTH = 128
_BLOCKS = 4


def _waves(orders: int, sides: int) -> Tensor:
    """Matrix (2 * orders, sides) from values around a circle to Fourier coefficients.

    Real and imaginary part of each order; orthonormal but for the orders that are left out.
    """
    phase = torch.arange(orders)[:, None] * torch.arange(sides) * (2 * math.pi / sides)
    return torch.stack([phase.cos(), -phase.sin()], 1).flatten(0, 1) / math.sqrt(sides)


def rings(size: int, orders: int) -> tuple[Tensor, int]:
    """Matrix (pixels, orders * 2 * radii) from images to Fourier coefficients on their rings.

    Real and imaginary part of the orders 0 ... orders - 1 on circles about the middle of the image,
    one pixel apart; linear between pixels, 8 samples for each period of the highest order.
    """
    middle = (size - 1) / 2
    radius = torch.arange(1.0, middle)
    sides = 8 * orders
    angle = torch.arange(sides) * (2 * math.pi / sides)
    wave = _waves(orders, sides).T
    x, y = middle + radius * angle.cos()[:, None], middle + radius * angle.sin()[:, None]
    left, top = x.floor(), y.floor()
    ring = torch.arange(len(radius))
    matrix = torch.zeros(size * size * len(radius), 2 * orders)
    for dx in (0, 1):
        for dy in (0, 1):
            weight = (1 - (x - left - dx).abs()) * (1 - (y - top - dy).abs())
            pixel = ((top + dy).clamp(max=size - 1) * size + (left + dx).clamp(max=size - 1)).long()
            add = weight[..., None] * wave[:, None]
            matrix.index_add_(0, (pixel * len(radius) + ring).flatten(), add.flatten(0, 1))
    matrix = matrix.view(size * size, len(radius), -1).transpose(1, 2)
    return matrix.flatten(1).contiguous(), len(radius)


class Circular(nn.Module):
    """A convolution as long as the circle, from coefficients to angles.

    (orders, 2, n, inputs), real and imaginary, to (angles, n, outputs).
    """

    real_back: Tensor
    imaginary_back: Tensor

    def __init__(self, inputs: int, outputs: int, orders: int) -> None:
        super().__init__()
        angles = 2 * orders
        k = torch.arange(orders)
        phase = 2 * math.pi * torch.arange(angles)[:, None] * k / angles
        twice = torch.where(k == 0, 1.0, 2.0) / math.sqrt(angles)
        cos, sin = phase.cos() * twice, phase.sin() * twice
        # (a + ib) (c + id): a and b lie one after the other, c and d in two kernels
        self.register_buffer("real_back", torch.stack([cos, -sin], 2).flatten(1), persistent=False)
        self.register_buffer(
            "imaginary_back", torch.stack([-sin, -cos], 2).flatten(1), persistent=False
        )
        self.real = nn.Parameter(torch.randn(orders, inputs, outputs) / math.sqrt(2 * inputs))
        self.imaginary = nn.Parameter(torch.randn(orders, inputs, outputs) / math.sqrt(2 * inputs))

    def forward(self, waves: Tensor) -> Tensor:
        """Convolve."""
        orders, _, n, inputs = waves.shape
        waves = waves.reshape(orders, 2 * n, inputs)
        real, imaginary = torch.bmm(waves, self.real), torch.bmm(waves, self.imaginary)
        x = self.real_back @ real.view(2 * orders, -1)
        x = x + self.imaginary_back @ imaginary.view(2 * orders, -1)
        return x.view(2 * orders, n, -1)


class Norm(nn.BatchNorm1d):
    """Norm over all patterns and angles, channels last."""

    def forward(self, x: Tensor) -> Tensor:
        """(angles, n, channels)."""
        return super().forward(x.flatten(0, 1)).view(x.shape)


class Polar(nn.Module):
    """Patterns of ``size`` pixels to 8 numbers for each of ``VIEWS`` rotations of a mixture.

    Raises
    ------
    ValueError
        If the outputs are not those of such a mixture, or the patterns are too large.
    """

    rings: Tensor
    forth: Tensor
    turn: Tensor

    def __init__(
        self,
        outputs: int,
        size: int,
        width: int = _WIDTH,
        blocks: int = _BLOCKS,
        orders: int = _ORDERS,
    ) -> None:
        super().__init__()
        if outputs != 8 * VIEWS:
            raise ValueError(
                f"polar answers with a mixture of {VIEWS} rotations: set head to 'mixture' and "
                f"hypotheses to {VIEWS}"
            )
        if size > _LARGEST:
            raise ValueError(
                f"polar looks at {size} x {size} pixels, and would need gigabytes: set input.size "
                f"to 64 ({_LARGEST} at most)"
            )
        self.orders = orders
        matrix, self.radii = rings(size, orders)
        self.register_buffer("rings", matrix, persistent=False)
        self.register_buffer("forth", _waves(orders, 2 * orders), persistent=False)
        self.enter = Circular(self.radii, width, orders)
        self.enter_norm = Norm(width)
        self.blocks = nn.ModuleList(Circular(width, width, orders) for _ in range(blocks))
        self.norms = nn.ModuleList(Norm(width) for _ in range(blocks))
        self.wide = nn.Linear(width, 4 * width)
        self.leave = nn.Linear(4 * width, 8)
        angle = torch.arange(VIEWS) * (2 * math.pi / VIEWS)
        cos, sin = angle.cos(), angle.sin()
        turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        self.register_buffer("turn", turn, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Patterns (n, 1, size, size) to (n, outputs)."""
        n = len(images)
        waves = (images.flatten(1) @ self.rings).view(n, self.orders, 2, self.radii)
        x = torch.relu(self.enter_norm(self.enter(waves.permute(1, 2, 0, 3))))
        for block, norm in zip(self.blocks, self.norms, strict=True):
            waves = (self.forth @ x.flatten(1)).view(self.orders, 2, n, -1)
            x = x + torch.relu(norm(block(waves)))
        x = x[:: len(x) // VIEWS]
        parts = self.leave(torch.relu(self.wide(x))).float()  # (views, n, 8)
        # lab axes as seen from each view, (x, y), turned to those of the scan
        axes = parts[..., :6].unflatten(-1, (2, 3))
        axes = torch.einsum("vab,vnbc->nvac", self.turn, axes).flatten(2)
        return torch.cat([axes, parts[..., 6:].transpose(0, 1)], -1).flatten(1)
