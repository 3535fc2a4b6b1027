"""What are the fields behind a field of orientations? Harmonics of each phase, and where it is.

A point has the channels (..., 4) of a quaternion; where phases lie beside each other, (..., 4 + P):
squares of the last P, over their sum, are the shares of the phases at the point (Eq. 1 of the
reconstruction paper, relaxed). Neither quaternion nor shares need a length. The fields are the
shares, and the harmonics of each phase times its share: what lies in another phase is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.maps import OrientationMap

_INDICATOR = 2.0  # fields of 0 and 2: as strong as harmonics, whose mean square is 1


@dataclass(frozen=True, eq=False)
class FieldFunctions:
    """Functions of channels (..., 4) or (..., 4 + P) -> (..., K).

    Attributes
    ----------
    each
        For each phase its harmonics: unit quaternions (..., 4) -> (..., K).
    indicators
        Whether the shares of the phases are fields, too.
    """

    each: tuple[Callable[[Tensor], Tensor], ...]
    indicators: bool = True

    def __call__(self, channels: Tensor) -> Tensor:
        """Evaluate all of them, one after the other."""
        quaternions = torch.nn.functional.normalize(channels[..., :4], dim=-1, eps=0.0)
        if len(self.each) == 1:
            return self.each[0](quaternions)
        share = phase_shares(channels)
        parts = [f(quaternions) * share[..., n, None] for n, f in enumerate(self.each)]
        if self.indicators:  # of two, one says it all
            parts.append(_INDICATOR * (share[..., :1] if len(self.each) == 2 else share))
        return torch.cat(parts, dim=-1)


def field_functions(
    phases: Sequence[Phase], degrees: Sequence[Sequence[int]], *, indicators: bool = True
) -> FieldFunctions:
    """Return the fields by these degrees of each phase."""
    from napari_orient.crystal.harmonics import harmonics

    each = (
        harmonics(p.point_group, own) if own else _nothing
        for p, own in zip(phases, degrees, strict=True)
    )
    return FieldFunctions(tuple(each), indicators)


def _nothing(quaternions: Tensor) -> Tensor:
    return quaternions[..., :0]


def phase_shares(channels: Tensor) -> Tensor:
    """Shares (..., P) of channels (..., 4 + P)."""
    square = channels[..., 4:] ** 2
    return square / square.sum(-1, keepdim=True)


def channels_of(orientations: OrientationMap) -> Tensor:
    """Channels of a map whose phases are numbered from 0; those of not indexed points are free."""
    q = torch.as_tensor(orientations.quaternions)
    count = len(orientations.phases)
    if count == 1:
        return q
    number = torch.as_tensor(np.maximum(orientations.phase_id, 0).astype(np.int64))
    return torch.cat([q, torch.nn.functional.one_hot(number, count).to(q.dtype)], dim=-1)


def quaternions_of(channels: Tensor) -> NDArray[np.float64]:
    """Unit quaternions (..., 4) of channels as numpy, scalar part >= 0."""
    q = channels[..., :4].detach().double().cpu().numpy()
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.asarray(np.where(q[..., :1] < 0, -q, q))


def phases_of(channels: Tensor) -> NDArray[np.int32]:
    """Number (...) of the phase that has most of each point."""
    if channels.shape[-1] == 4:
        return np.zeros(channels.shape[:-1], np.int32)
    return np.asarray(phase_shares(channels).argmax(-1).cpu().numpy(), np.int32)
