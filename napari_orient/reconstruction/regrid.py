"""A map on points of another size: what most of each new point is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


def regridded(
    orientations: OrientationMap, step: float | None
) -> Job[tuple[OrientationMap, list[str]]]:
    """Return a map (y, x) on square points of another step, and what was done, in sentences.

    Larger points take the grain that most of them is of (or none, where most is not indexed), and
    its orientation at one of its points there: means would be crystals that are not in the map.
    Smaller ones take the nearest old point.

    Parameters
    ----------
    step
        In the unit of the map; None = its smaller one.

    Yields
    ------
    Progress
        While grains are found.

    Raises
    ------
    ValueError
        If the map is smaller than one of the new points.
    """
    old = np.array(orientations.step)
    new = float(step or old.min())
    if np.allclose(old, new, rtol=1e-6):
        return orientations, []
    shape = np.floor(np.array(orientations.shape) * old / new + 1e-9).astype(int)
    unit = orientations.unit.replace("um", "µm")
    if (shape < 1).any():
        raise ValueError(f"The map is smaller than one point of {new:.4g} {unit}.")
    if new <= old.min():
        place, how = _nearest(orientations.shape, shape, old, new), "the nearest"
    else:
        config = GrainConfig(smallest=1, edge_grains=True)
        labels = (yield from find_grains(orientations, config)).labels
        place, how = _majority(labels, shape, old, new), "what most of each is"
    made = replace(
        orientations,
        quaternions=orientations.quaternions.reshape(-1, 4)[place],
        phase_id=orientations.phase_id.ravel()[place],
        done=orientations.done.ravel()[place],
        step=(new, new),
        properties={},
        candidates=None,
        periodic=(False, False),
    )
    words = " x ".join(f"{s:.4g}" for s in old)
    return made, [f"The map's points of {words} {unit} become points of {new:.4g} {unit}: {how}."]


def _nearest(
    shape: tuple[int, ...], new_shape: Any, old: NDArray[np.float64], new: float
) -> NDArray[np.int64]:
    """Flat index (rows, columns) of the old point in which the middle of each new one lies."""
    rows, columns = (
        np.minimum(((np.arange(n) + 0.5) * new / s).astype(np.int64), m - 1)
        for n, s, m in zip(new_shape, old, shape, strict=True)
    )
    return np.asarray(rows[:, None] * shape[1] + columns)


def _majority(
    labels: NDArray[np.int32], new_shape: Any, old: NDArray[np.float64], new: float
) -> NDArray[np.int64]:
    """Flat index (rows, columns) of an old point of the grain that has most of each new point."""
    rows, columns = (
        ((np.arange(n) + 0.5) * s / new).astype(np.int64)
        for n, s in zip(labels.shape, old, strict=True)
    )
    inside = (rows[:, None] < new_shape[0]) & (columns < new_shape[1])
    cell = (rows[:, None] * new_shape[1] + columns)[inside]
    many = int(labels.max(initial=0)) + 1
    code, first, counts = np.unique(
        cell * many + labels[inside], return_index=True, return_counts=True
    )
    order = np.lexsort((-counts, code // many))
    lead = order[np.flatnonzero(np.diff(code[order] // many, prepend=-1))]
    return np.flatnonzero(inside)[first[lead]].reshape(tuple(new_shape))
