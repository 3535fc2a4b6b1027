"""What is known of the material: the fields of reference maps, at the points of the new grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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
from napari_orient.reconstruction.functions import channels_of
from napari_orient.reconstruction.regrid import regridded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase
    from torch import Tensor

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.functions import FieldFunctions

_NEAR = 1.5  # points: the ring of neighbours
_SAID = 0.001  # share of the points that are filled
_LEAST_PHASE = 0.01  # share of the indexed points: fewer are taken for misindexed


@dataclass(frozen=True, eq=False)
class Reference:
    """A map as the reconstruction sees it.

    Attributes
    ----------
    orientations
        The map, phases numbered from 0, at the step of the new field.
    diameter
        Area-weighted mean diameter of its grains, in points.
    diameters
        The same for each band of rows.
    grains
        Of the map, those at its edge too.
    elongation
        How much longer grains are along their common direction than across it, and the angle of
        that from x towards y in degrees.
    notes
        What was done to the map, in sentences.
    """

    orientations: OrientationMap
    diameter: float
    diameters: tuple[float, ...]
    grains: Grains
    elongation: tuple[float, float]
    notes: tuple[str, ...] = ()

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Its crystals."""
        return tuple(self.orientations.phases.values())

    def piece(self, functions: FieldFunctions, band: int = 0) -> Piece:
        """Return its fields, of which those in one band of rows count."""
        values = functions(channels_of(self.orientations)).movedim(-1, 0)
        mask = torch.as_tensor(self.orientations.indexed)
        fields = torch.where(mask, values, torch.zeros_like(values))
        if len(self.diameters) == 1:
            return Piece(fields, mask, all(self.orientations.periodic))
        counted = torch.zeros_like(mask)
        counted[self._rows(band)] = True
        # a field of bands is open above and below, whatever the map is
        return Piece(fields, mask, False, counted)

    def _rows(self, band: int) -> slice:
        rows, bands = self.orientations.shape[0], len(self.diameters)
        return slice(round(band * rows / bands), round((band + 1) * rows / bands))

    def means(self, *functions: FieldFunctions, band: int = 0) -> Tensor:
        """Means of functions over the points of a band that are known, one after the other."""
        rows = self._rows(band)
        known = torch.as_tensor(self.orientations.indexed[rows])
        points = channels_of(self.orientations)[rows][known]
        return torch.cat([f(points).mean(0) for f in functions])


def prepare(
    orientations: OrientationMap,
    step: float | None = None,
    *,
    every_phase: bool = False,
    bands: int = 1,
) -> Job[Reference]:
    """Take a map as the reference: its most frequent phase, at the step of the new field.

    Parameters
    ----------
    every_phase
        Take all phases with 1 % or more of the indexed points.
    bands
        Of rows, which differ.

    Raises
    ------
    ValueError
        If it is a volume, has no indexed points (or a band has none), no grain boundaries, or its
        phase no symmetry.
    """
    if len(orientations.shape) != 2:
        raise ValueError("The reference is a volume: give a section of it, a map (y, x).")
    good = orientations.indexed & np.isfinite(orientations.quaternions).all(axis=-1)
    if not good.any():
        raise ValueError("Nothing of the reference is indexed.")
    counts = np.bincount(orientations.phase_id[good])
    share, notes = counts / counts.sum(), []
    kept = np.flatnonzero(share >= _LEAST_PHASE) if every_phase else share.argmax()[None]
    left = 1 - share[kept].sum()
    if left > 0:
        more = "" if every_phase else "; take all phases to keep them"
        notes.append(f"Other phases, {100 * left:.1f} % of the points, are left out{more}.")
    good &= np.isin(orientations.phase_id, kept)
    number = np.searchsorted(kept, orientations.phase_id)
    q = np.where(good[..., None], orientations.quaternions, (1.0, 0.0, 0.0, 0.0))
    flat = replace(
        orientations, quaternions=q, phase_id=np.where(good, number, -1),
        phases={n: orientations.phases[int(k)] for n, k in enumerate(kept)},
        properties={}, candidates=None, done=np.ones(orientations.shape, bool),
    )  # fmt: skip
    flat, closed = close_gaps(flat)
    notes += closed
    flat, said = yield from regridded(flat, step)
    yield Progress(0, 0, "Measuring the grains of the reference")
    grains = yield from find_grains(flat, GrainConfig(edge_grains=True, smallest=5))
    diameter = grains.summary()["area_weighted_diameter"]
    if diameter is None or len(grains) < 2:
        raise ValueError(
            "The reference has no two grains: there are no statistics to reconstruct from. "
            "Take a larger map, or one with more boundaries."
        )
    own = np.array([np.nan, *grains.table["diameter"]])[grains.labels] / flat.step[0]
    means = tuple(float(np.nanmean(part)) for part in _bands(own, bands))
    return Reference(
        flat, diameter / flat.step[0], means, grains, _elongation(grains), (*notes, *said)
    )


def close_gaps(flat: OrientationMap) -> tuple[OrientationMap, list[str]]:
    """Give points beside indexed ones their orientation; return the map, and what was done.

    What is not indexed lies along boundaries mostly: statistics of what is known alone would have
    less boundary than the material. Wider gaps keep what is more than a point away.
    """
    from scipy.ndimage import distance_transform_edt

    bad = ~flat.indexed
    if not bad.any():
        return flat, []
    apart, place = distance_transform_edt(bad, return_indices=True)
    near = bad & (apart < _NEAR)
    nearest = tuple(index[near] for index in place)
    q, number = flat.quaternions.copy(), flat.phase_id.copy()
    q[near], number[near] = q[nearest], number[nearest]
    share, said = float(near.mean()), []
    if share > _SAID:
        said = [
            f"Gaps along boundaries, {100 * share:.1f} % of the points, are taken as the crystal "
            "beside them: without them boundaries would be missed."
        ]
    return replace(flat, quaternions=q, phase_id=number), said


def _elongation(grains: Grains) -> tuple[float, float]:
    """Ratio and angle of the mean ellipse of grains, each by its area.

    Of an ellipse of aspect ratio r along the angle t, (r^2 - 1) / (r^2 + 1) exp(2 i t) is the
    anisotropy of its second moments; means over grains that point anywhere are nothing.
    """
    table = grains.table
    good = np.isfinite(table["aspect_ratio"]) & np.isfinite(table["axis"])
    if not good.any():
        return 1.0, 0.0
    square = table["aspect_ratio"][good] ** 2
    size = table[grains.size_column][good]
    turn = np.exp(2j * np.radians(table["axis"][good]))
    mean = (size * (square - 1) / (square + 1) * turn).sum() / size.sum()
    strength = min(abs(mean), 1 - 1e-9)
    ratio = float(np.sqrt((1 + strength) / (1 - strength)))
    return ratio, float(np.degrees(np.angle(mean)) / 2 % 180)


def _bands(points: NDArray[np.float64], bands: int) -> list[NDArray[np.float64]]:
    """Rows of each band.

    Raises
    ------
    ValueError
        If one has no grain.
    """
    edges = [round(n * len(points) / bands) for n in range(1, bands)]
    parts = np.split(points, edges)
    if not all(np.isfinite(part).any() for part in parts):
        raise ValueError(f"One of {bands} bands of the reference has no grain: take fewer bands.")
    return parts


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
