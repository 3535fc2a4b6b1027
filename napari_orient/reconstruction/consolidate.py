"""From a continuous field to grains: each of one orientation, with clean boundaries.

A reconstruction leaves interiors uneven and boundaries some points wide. A Potts model in which
each point takes the orientation of one of the grains around it: the energy is the distance of its
harmonics to the grain's, and a price for each neighbour of another grain (Potts 1952; minimised by
iterated conditional modes, Besag 1986). The price is that of the boundary that the field itself
has, so that grains neither grow nor vanish on average.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

_ROUNDS = 20
_WIDENING = 1.5  # thresholds that are tried, from the smallest on


def consolidate(
    field: OrientationMap,
    *,
    threshold: float = 5.0,
    smallest: int = 5,
    smoothing: float = 1.0,
) -> Job[OrientationMap]:
    """Make grains of a reconstructed field.

    Parameters
    ----------
    field
        (y, x) or (z, y, x), periodic.
    threshold
        Degrees between neighbours that part the first grains.
    smallest
        Points of the smallest grain; others are taken up by their neighbours.
    smoothing
        Price of boundary: 0 keeps the first grains as they are.

    Yields
    ------
    Progress
        In rounds.

    Returns
    -------
    grains
        The same grid, one orientation each, with the property "grain".
    """
    from napari_orient.crystal.harmonics import default_harmonics

    config = GrainConfig(threshold=threshold, smallest=smallest, small="merge", edge_grains=True)
    phase = field.phases[0]
    functions = default_harmonics(phase.point_group)
    values = np.asarray(functions(field.quaternions), np.float32)
    grains = yield from find_grains(field, config)
    if not len(grains):
        return field
    labels = grains.labels.copy()
    for step in range(_ROUNDS):
        yield Progress(step, _ROUNDS, "Straightening boundaries")
        centres = _centres(values, labels)
        price = smoothing * _price(values, labels, centres)
        changed = _round(labels, values, centres, price, field.periodic)
        if changed < 1e-4 * labels.size:
            break
    return _painted(field, labels, grains)


def _centres(values: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Mean harmonics (n + 1, K) of each label."""
    count = int(labels.max()) + 1
    size = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    flat = values.reshape(-1, values.shape[-1])
    sums = [np.bincount(labels.ravel(), column, count) / size for column in flat.T]
    return np.stack(sums, axis=-1).astype(np.float32)


def _price(
    values: NDArray[np.float32], labels: NDArray[np.int32], centres: NDArray[np.float32]
) -> float:
    """Typical squared distance of a point to its grain: what noise is worth."""
    apart = ((values - centres[labels]) ** 2).sum(-1)
    return float(np.median(apart))


def _round(
    labels: NDArray[np.int32],
    values: NDArray[np.float32],
    centres: NDArray[np.float32],
    price: float,
    periodic: tuple[bool, ...],
) -> int:
    """Let each point of each half of a chessboard choose among its neighbours' grains."""
    parity = np.indices(labels.shape).sum(0) % 2
    changed = 0
    for half in (0, 1):
        near = np.stack([_neighbour(labels, axis, d, periodic) for axis in range(labels.ndim)
                         for d in (-1, 1)])  # fmt: skip
        choices = np.concatenate([labels[None], near])
        costs = np.stack(
            [
                ((values - centres[choice]) ** 2).sum(-1)
                + price * (near != choice).sum(0).astype(np.float32)
                for choice in choices
            ]
        )
        best = np.take_along_axis(choices, costs.argmin(0)[None], 0)[0]
        move = (parity == half) & (best != labels)
        changed += int(move.sum())
        labels[move] = best[move]
    return changed


def _neighbour(
    labels: NDArray[np.int32], axis: int, step: int, periodic: tuple[bool, ...]
) -> NDArray[np.int32]:
    """Label one step along an axis; its own at an edge that does not repeat."""
    moved = np.roll(labels, -step, axis)
    if not periodic[axis]:
        edge = [slice(None)] * labels.ndim
        edge[axis] = slice(-1, None) if step > 0 else slice(0, 1)
        moved[tuple(edge)] = labels[tuple(edge)]
    return moved


def _painted(field: OrientationMap, labels: NDArray[np.int32], grains: Grains) -> OrientationMap:
    """Give each grain one orientation: the mean of its points."""
    from napari_orient.crystal.rotations import mean_orientation

    group = field.phases[0].point_group
    means = mean_orientation(
        field.quaternions.reshape(-1, 4), group, labels=labels.ravel().astype(np.int64)
    )
    return replace(
        field,
        quaternions=means[labels],
        properties={**field.properties, "grain": labels},
        provenance={**field.provenance, "consolidated": {"grains": len(np.unique(labels))}},
    )
