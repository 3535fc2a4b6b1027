"""From a continuous field to grains: each of one orientation, with clean boundaries.

A reconstruction leaves interiors uneven and boundaries some points wide. So its points are parted
into grains, neighbours that are most alike merged until sections have the size of the reference,
boundaries straightened by a Potts model (each point takes the orientation of one of the grains
around it; iterated conditional modes, Besag, J. R. Statist. Soc. B 48 (1986) 259), and in the end
the orientations of whole grains moved to where the descriptors are those of the material again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.jobs import Progress
from napari_orient.reconstruction.merging import cut_where, merge_tree, section_diameter
from napari_orient.reconstruction.minimise import as_numbers, minimise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.objective import Value

_ROUNDS = 20
_FINE = 3.0  # degrees that part the first grains


def consolidate(
    field: OrientationMap,
    diameter: float | None = None,
    objective: Callable[[Tensor], Value] | None = None,
    *,
    smallest: int = 3,
    smoothing: float = 1.0,
    evaluations: int = 60,
) -> Job[OrientationMap]:
    """Make grains of a reconstructed field.

    Parameters
    ----------
    field
        (y, x) or (z, y, x), of one phase.
    diameter
        Area-weighted mean diameter of the grains on sections of the material, in points; without
        it neighbours that differ by less than 5 degrees are merged.
    objective
        The loss of fields (..., 4): grains are turned until it is low again.
    smallest
        Points of the smallest grain; others are taken up by their neighbours.
    smoothing
        Price of a face between grains, over the typical squared distance of a point to its grain.
    evaluations
        Of the objective, at most.

    Yields
    ------
    Progress
        In steps.

    Returns
    -------
    grains
        The same grid, one orientation each, with the property "grain".
    """
    from napari_orient.crystal.harmonics import default_harmonics

    group = field.phases[0].point_group
    values = np.asarray(default_harmonics(group)(field.quaternions), np.float32)
    threshold = _FINE if diameter is not None else 5.0
    config = GrainConfig(threshold=threshold, smallest=smallest, small="merge", edge_grains=True)
    grains = yield from find_grains(field, config)
    if not len(grains):
        return field
    labels = yield from _straightened(grains.labels, values, smoothing, field.periodic)
    if diameter is not None:
        yield Progress(0, 0, "Merging grains that are alike")
        merges = merge_tree(values, labels, field.periodic)
        labels = cut_where(labels, merges, section_diameter, diameter)
        labels = yield from _straightened(labels, values, smoothing, field.periodic)
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)
    means = _means(field, labels)
    if objective is not None:
        means = yield from _turned(means, labels, objective, evaluations)
    return replace(
        field, quaternions=means[labels], properties={**field.properties, "grain": labels + 1},
        provenance={**field.provenance, "consolidated": {"grains": len(means)}},
    )  # fmt: skip


def _means(field: OrientationMap, labels: NDArray[np.int32]) -> NDArray[np.float64]:
    from napari_orient.crystal.rotations import mean_orientation

    q, group = field.quaternions.reshape(-1, 4), field.phases[0].point_group
    return np.asarray(mean_orientation(q, group, labels=labels.ravel().astype(np.int64)))


def _turned(
    means: NDArray[np.float64],
    labels: NDArray[np.int32],
    objective: Callable[[Tensor], Value],
    evaluations: int,
) -> Job[NDArray[np.float64]]:
    """Turn whole grains (n, 4) until the descriptors of the field are right."""
    place = torch.as_tensor(labels.astype(np.int64))

    def value(x: Tensor) -> Value:
        found = objective(x[place])
        pull = torch.zeros_like(x).index_add_(0, place.flatten(), found.gradient.reshape(-1, 4))
        return found._replace(gradient=pull)

    start = torch.as_tensor(means, dtype=torch.float32)
    best = start
    for step in minimise(value, start, "L-BFGS"):
        best = step.point
        words = f"Turning grains: loss {step.value.loss:.2e}"
        yield Progress(min(step.evaluations, evaluations), evaluations, words)
        if step.evaluations >= evaluations:
            break
    return as_numbers(best)


def _straightened(
    labels: NDArray[np.int32],
    values: NDArray[np.float32],
    smoothing: float,
    periodic: tuple[bool, ...],
) -> Job[NDArray[np.int32]]:
    """Let points change to a grain beside them until boundaries are short and points at home."""
    labels = labels.copy()
    for step in range(_ROUNDS):
        yield Progress(step, _ROUNDS, "Straightening boundaries")
        centres = _centres(values, labels)
        typical = float(np.median(((values - centres[labels]) ** 2).sum(-1)))
        if _round(labels, values, centres, smoothing * typical, periodic) < 1e-4 * labels.size:
            break
    return labels


def _centres(values: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Mean harmonics (n + 1, K) of each label."""
    count = int(labels.max()) + 1
    size = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    flat = values.reshape(-1, values.shape[-1])
    sums = [np.bincount(labels.ravel(), column, count) / size for column in flat.T]
    return np.stack(sums, axis=-1).astype(np.float32)


def _round(
    labels: NDArray[np.int32],
    values: NDArray[np.float32],
    centres: NDArray[np.float32],
    price: float,
    periodic: tuple[bool, ...],
) -> int:
    """Let the points of each half of a chessboard choose among their neighbours' grains."""
    parity = np.indices(labels.shape).sum(0) % 2
    changed = 0
    for half in (0, 1):
        near = np.stack(
            [_neighbour(labels, axis, d, periodic) for axis in range(labels.ndim) for d in (-1, 1)]
        )
        best, lowest = labels.copy(), np.full(labels.shape, np.inf, np.float32)
        for choice in (labels, *near):
            cost = ((values - centres[choice]) ** 2).sum(-1)
            cost += price * (near != choice).sum(0).astype(np.float32)
            better = cost < lowest
            best[better], lowest[better] = choice[better], cost[better]
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
        edge: list[slice] = [slice(None)] * labels.ndim
        edge[axis] = slice(-1, None) if step > 0 else slice(0, 1)
        moved[tuple(edge)] = labels[tuple(edge)]
    return moved
