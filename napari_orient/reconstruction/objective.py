"""How far is a field from the material? The loss of all its slices, and its gradient.

loss = sum over descriptors of w_d mean((D - D_ref)^2), averaged over slices and axes (Eqs. 3, 5 and
23). Beside it the loss as the reconstruction paper's program has it, ``paper_loss``: the mean over
all numbers of (w D - w D_ref)^2 of the finest scale, by which weights are squared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from napari_orient.reconstruction.descriptors import band_rows, mean_variation, pooled, two_point
from napari_orient.reconstruction.variogram import three_point_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.reconstruction.config import Weights
    from napari_orient.reconstruction.estimates import Target

_ROOM = 2**26  # bytes of cross spectra worked on at once


class Value(NamedTuple):
    """Loss, its gradient (same shape as the quaternions), and what it is made of."""

    loss: float
    gradient: Tensor
    parts: dict[str, float]
    paper_loss: float


@dataclass(eq=False)
class Objective:
    """The loss of a field (..., 4) of quaternions, (y, x) or (z, y, x); with phases (..., 4 + P).

    Attributes
    ----------
    functions, texture
        Of the channels of points: fields that are correlated, and those of which only the means
        count.
    targets
        For each axis of slices (one for a map), or for each band of rows, the targets of each
        scale, the finest first; nothing where it is not known.
    means
        (bands, K) targets of the means of ``functions`` and ``texture``, one after the other.
    lags, window, weights, threads
        As in the config.
    fast
        Gradients of the three-point variogram by products in bfloat16, where that is fast.
    evaluations
        How often it was asked.
    """

    functions: Callable[[Tensor], Tensor]
    texture: Callable[[Tensor], Tensor] | None
    targets: Sequence[Sequence[Target]]
    means: Tensor
    lags: NDArray[np.int64]
    window: int
    weights: Weights
    threads: int = 1
    fast: bool = True
    evaluations: int = 0

    def __call__(self, field: Tensor) -> Value:
        """Evaluate loss and gradient of a field of quaternions of any length."""
        self.evaluations += 1
        free = field.detach().to(self.means.device).requires_grad_()
        fields = self.functions(free).movedim(-1, 0)
        parts: dict[str, float] = {}
        seen = fields.detach()
        pull = torch.zeros_like(seen)
        for number, targets in enumerate(self.targets):
            if targets:  # of some axis nothing may be known
                self._add_part(seen, number, targets, pull, parts)
        texture = self._texture_loss(free, fields)
        parts["texture"] = float(texture.detach())
        torch.autograd.backward([fields, texture], [pull, torch.ones_like(texture)])
        loss = sum(parts.values())
        assert free.grad is not None
        return Value(loss, free.grad.to(field.device), parts, self._paper_loss(parts))

    def _add_part(
        self,
        fields: Tensor,
        number: int,
        targets: Sequence[Target],
        pull: Tensor,
        parts: dict[str, float],
    ) -> None:
        """Add the loss of the slices across one axis, or of one band, and its gradient."""
        bands = len(self.means)
        axis, band = (number, None) if bands == 1 else (0, (number, bands))
        slices = _slices(fields, axis)
        own = _slices(pull, axis)
        count = slices.shape[0]
        pairs = fields.shape[0] * (fields.shape[0] + 1) // 2
        room = max(1, _ROOM // (8 * pairs * slices[0, 0].numel()))
        for start in range(0, count, room):
            some = slices[start : start + room].contiguous().requires_grad_()
            share = some.shape[0] / count / sum(map(bool, self.targets))
            total = some.new_zeros(())
            level = some
            for scale, target in enumerate(targets):
                if scale:
                    level = pooled(level)
                for name, value in self._losses(level, target, scale, band).items():
                    key = name if not scale else f"{name} x{2**scale}"
                    parts[key] = parts.get(key, 0.0) + share * float(value.detach())
                    total = total + share * value
            if not total.requires_grad:
                continue  # all of these weights are 0
            total.backward()  # type: ignore[no-untyped-call]
            assert some.grad is not None
            own[start : start + room] += some.grad

    def _losses(
        self, fields: Tensor, target: Target, scale: int, band: tuple[int, int] | None
    ) -> dict[str, Tensor]:
        """Weighted loss of each descriptor of slices (slices, K, rows, columns)."""
        weights, made = self.weights, {}
        rows, far = fields.shape[-2], self.window // 2
        if weights.two_point:
            base = band_rows(rows, band, far, far)
            apart = two_point(fields, self.window, base) - target.two_point
            made["two-point"] = weights.two_point * (apart**2).mean()
        if weights.three_point:
            base = band_rows(rows, band, int(-self.lags[:, 0].min()), far)
            made["three-point"] = weights.three_point * three_point_loss(
                fields, target.three_point, self.lags,
                threads=self.threads, fast=self.fast, base=base,
            )  # fmt: skip
        if weights.variation and not scale:  # of means it only says how they were taken
            base = band_rows(rows, band, 0, 1)
            apart = mean_variation(fields, base) - target.variation
            made["variation"] = weights.variation * (apart**2).mean()
        return made

    def _texture_loss(self, channels: Tensor, fields: Tensor) -> Tensor:
        every = [fields.movedim(0, -1)]
        if self.texture is not None:
            every.append(self.texture(channels))
        bands = len(self.means)
        means = [
            torch.cat([part.flatten(0, -2).mean(0) for part in parts])
            for parts in zip(
                *(one.tensor_split(_edges(len(one), bands)) for one in every), strict=True
            )
        ]
        return self.weights.texture * ((torch.stack(means) - self.means) ** 2).mean()

    def _paper_loss(self, parts: dict[str, float]) -> float:
        """Mean over all numbers of (w D - w D_ref)^2, from the parts w mean((D - D_ref)^2)."""
        target, weights = self.targets[0][0], self.weights
        numbers = {
            "two-point": (target.two_point.numel(), weights.two_point),
            "three-point": (target.three_point.numel(), weights.three_point),
            "variation": (target.variation.numel(), weights.variation),
        }
        total = sum(n * w * parts.get(name, 0.0) for name, (n, w) in numbers.items())
        return float(total / sum(n for n, w in numbers.values() if w) if total else 0.0)


def _edges(rows: int, bands: int) -> tuple[int, ...]:
    """Rows at which the second and further bands begin."""
    return tuple(round(n * rows / bands) for n in range(1, bands))


def _slices(fields: Tensor, axis: int) -> Tensor:
    """View (slices, K, rows, columns) of fields (K, y, x) or (K, z, y, x) across an axis."""
    if fields.ndim == 3:
        return fields[None]
    return fields.movedim(1 + axis, 0)
