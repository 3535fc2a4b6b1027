"""How does the orientation change inside grains? Maps with a number at each point."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.grains.means import angles_to_means
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


def grain_reference_deviation(grains: Grains) -> NDArray[np.float64]:
    """Angle of each point to the mean of its grain in degrees: GROD.

    NaN where there is no grain, and at points that are of another piece than the mean: of a small
    grain that was merged, or a twin.
    """
    return angles_to_means(
        grains.trusted,
        np.where(grains.core, grains.labels, 0),
        grains.means,
        grains.table["phase"],
        modulo_beam=grains.config.modulo_beam,
    )


def kernel_average_misorientation(
    orientations: OrientationMap,
    order: int = 1,
    largest: float = 5.0,
    *,
    modulo_beam: bool = False,
) -> Job[NDArray[np.float64]]:
    """Mean misorientation of each point with those around it in degrees: KAM.

    Parameters
    ----------
    order
        Neighbours up to so many steps along the grid's lines (1: the 4 of a map, the 6 of a
        volume; 2: 12 and 24).
    largest
        Misorientations above so many degrees are of another grain and left out.

    Yields
    ------
    Progress
        In neighbours.

    Returns
    -------
    kam
        (y, x) or (z, y, x); NaN where not indexed, or no neighbour is of the same grain.

    Raises
    ------
    ValueError
        If the order is not positive.
    """
    if order < 1:
        raise ValueError(f"the order of KAM is 1 or more, not {order}")
    total, count = (np.zeros(orientations.phase_id.size) for _ in range(2))
    ahead = _offsets(order, len(orientations.shape))
    for n, offset in enumerate(ahead):
        yield Progress(n, len(ahead), "Comparing neighbours")
        here, there = _pairs(orientations, offset)
        angles = _angles(orientations, here, there, modulo_beam)
        with np.errstate(invalid="ignore"):
            near = angles <= largest
        for side in (here, there):
            total[side[near]] += angles[near]  # no point is twice on one side
            count[side[near]] += 1
    kam = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return kam.reshape(orientations.shape)


def _offsets(order: int, axes: int) -> list[tuple[int, ...]]:
    """Half of the steps to all points up to ``order`` away along the grid's lines."""
    near = range(-order, order + 1)
    return [d for d in product(near, repeat=axes) if d > (0,) * axes and sum(map(abs, d)) <= order]


def _pairs(
    orientations: OrientationMap, offset: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices (m,) of indexed points of one phase and those an offset further."""
    shape = orientations.shape
    index = np.arange(orientations.phase_id.size).reshape(shape)
    there = np.roll(index, [-d for d in offset], axis=range(len(shape)))
    inside = np.ones(shape, bool)
    for axis, (d, wraps) in enumerate(zip(offset, orientations.periodic, strict=True)):
        place = np.arange(shape[axis]) + d
        good = (place >= 0) & (place < shape[axis]) | (wraps and shape[axis] > abs(d))
        inside &= good.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    phase = np.where(orientations.indexed, orientations.phase_id, -1).ravel()
    a, b = index[inside], there[inside]
    same = (phase[a] >= 0) & (phase[a] == phase[b])
    return a[same], b[same]


def _angles(
    orientations: OrientationMap,
    here: NDArray[np.int64],
    there: NDArray[np.int64],
    modulo_beam: bool,
) -> NDArray[np.float64]:
    from napari_orient.crystal.rotations import misorientation_angle

    q = orientations.quaternions.reshape(-1, 4)
    phase_id = orientations.phase_id.ravel()[here]
    angles = np.full(len(here), np.nan)
    for number, phase in orientations.phases.items():
        own = phase_id == number
        if own.any():
            angles[own] = misorientation_angle(
                q[here[own]], q[there[own]], phase.point_group, modulo_beam=modulo_beam
            )
    return angles
