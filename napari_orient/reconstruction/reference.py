"""What is known of the material: the fields of reference maps, at the points of the new grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.jobs import Progress
from napari_orient.reconstruction.estimates import (
    Piece,
    Target,
    estimate,
    pooled_pieces,
    sublattices,
)
from napari_orient.reconstruction.regrid import regridded

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from orix.crystal_map import Phase
    from torch import Tensor

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

_NM = {"um": 1000.0, "nm": 1.0}


@dataclass(frozen=True, eq=False)
class Reference:
    """A map as the reconstruction sees it.

    Attributes
    ----------
    orientations
        The map, one phase, at the step of the new field.
    phase
        Its crystal.
    diameter
        Area-weighted mean diameter of its grains, in points.
    notes
        What was done to the map, in sentences.
    """

    orientations: OrientationMap
    phase: Phase
    diameter: float
    notes: tuple[str, ...] = ()

    def piece(self, harmonics: Callable[[Any], Any]) -> Piece:
        """Return its fields by these functions of quaternions (..., 4) -> (..., K)."""
        known = self.orientations.indexed
        values = harmonics(torch.as_tensor(self.orientations.quaternions)).movedim(-1, 0)
        mask = torch.as_tensor(known)
        fields = torch.where(mask, values, torch.zeros_like(values))
        return Piece(fields, mask, all(self.orientations.periodic))

    def means(self, *functions: Callable[[Any], Any] | None) -> Tensor:
        """Means of functions of quaternions over the points that are known, one after the other."""
        q = torch.as_tensor(self.orientations.quaternions[self.orientations.indexed])
        return torch.cat([f(q).mean(0) for f in functions if f is not None])


def prepare(orientations: OrientationMap, step: float | None = None) -> Job[Reference]:
    """Take a map as the reference: its most frequent phase, at the step of the new field.

    Raises
    ------
    ValueError
        If it is a volume, has no indexed points or no grain boundaries, or its phase no symmetry.
    """
    if len(orientations.shape) != 2:
        raise ValueError("The reference is a volume: give a section of it, a map (y, x).")
    good = orientations.indexed & np.isfinite(orientations.quaternions).all(axis=-1)
    if not good.any():
        raise ValueError("Nothing of the reference is indexed.")
    counts = np.bincount(orientations.phase_id[good])
    number, notes = int(counts.argmax()), []
    if (counts > 0).sum() > 1:
        share = 1 - counts[number] / counts.sum()
        notes.append(f"Other phases, {100 * share:.1f} % of the points, are left out.")
    good &= orientations.phase_id == number
    phase = orientations.phases[number]
    q = np.where(good[..., None], orientations.quaternions, (1.0, 0.0, 0.0, 0.0))
    flat = replace(
        orientations, quaternions=q, phase_id=np.where(good, 0, -1), phases={0: phase},
        properties={}, candidates=None, done=np.ones(orientations.shape, bool),
    )  # fmt: skip
    flat, said = yield from regridded(flat, step)
    yield Progress(0, 0, "Measuring the grains of the reference")
    grains = yield from find_grains(flat, GrainConfig(edge_grains=True, smallest=5))
    diameter = grains.summary()["area_weighted_diameter"]
    if diameter is None or len(grains) < 2:
        raise ValueError(
            "The reference has no two grains: there are no statistics to reconstruct from. "
            "Take a larger map, or one with more boundaries."
        )
    return Reference(flat, phase, diameter / flat.step[0], (*notes, *said))


def scale_targets(
    piece: Piece, spacing: int, scales: int, window: int, lags: NDArray[np.int64]
) -> list[Target]:
    """Targets of a grid of a spacing: of its points, and of means of 2 x 2, 4 x 4 ... of them."""
    pieces = sublattices(piece, spacing)
    found = []
    for scale in range(scales):
        if scale:
            pieces = [part for one in pieces for part in pooled_pieces(one)]
        found.append(estimate(pieces, window, lags))
    return found


def in_unit(value: float, unit: str, other: str) -> float:
    """Return a length in another unit."""
    return value * _NM[unit] / _NM[other]
