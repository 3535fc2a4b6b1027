"""From a continuous field to grains: each of one orientation, with clean boundaries.

A reconstruction leaves interiors uneven and boundaries some points wide. So its points are parted
into grains, neighbours that are most alike merged until sections have the size of the reference,
boundaries straightened by a Potts model (each point takes the orientation of one of the grains
around it; iterated conditional modes, Besag, J. R. Statist. Soc. B 48 (1986) 259), and in the end
whole grains turned to where the descriptors are those of the material again, and misorientations
of boundaries too (:mod:`.boundaries`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.contacts import contact_extents
from napari_orient.analysis.grains.find import find_grains
from napari_orient.jobs import Progress
from napari_orient.reconstruction.functions import FieldFunctions, channels_of, quaternions_of
from napari_orient.reconstruction.merging import (
    band_diameters,
    cut_where,
    merge_tree,
    section_diameter,
    size_quantiles,
)
from napari_orient.reconstruction.minimise import minimise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.boundaries import Boundaries
    from napari_orient.reconstruction.objective import Value

_ROUNDS = 20
_FINE = 3.0  # degrees that part the first grains
_POWERS = (1.0, 0.5, 0.25, 0.0)  # of sizes in merging: nearly alike, to very different
_BOUNDARIES = 0.3  # weight of the squared distance of misorientations, in radians^2


def consolidate(
    field: OrientationMap,
    diameter: float | Sequence[float] | None = None,
    objective: Callable[[Tensor], Value] | None = None,
    boundaries: Sequence[Boundaries | None] = (),
    sizes: NDArray[np.float64] | None = None,
    *,
    axes: Sequence[int] = (0, 1, 2),
    stop: Callable[[], bool] = bool,
    smallest: int = 3,
    smoothing: float = 1.0,
    evaluations: int = 100,
) -> Job[OrientationMap]:
    """Make grains of a reconstructed field.

    Parameters
    ----------
    field
        (y, x) or (z, y, x), phases numbered from 0.
    diameter
        Area-weighted mean diameter of the grains on sections of the material, in points; without
        it neighbours that differ by less than 5 degrees are merged. Several: of bands of rows.
    objective
        The loss of fields (..., 4), or (..., 4 + P): grains are turned until it is low again.
    boundaries
        Of each phase: misorientations that grains are turned to have, too.
    sizes
        (100,) quantiles of the diameters on sections, in points: how unlike sizes are to be.
    axes
        Of a volume: those across which sections are looked at.
    stop
        Asked before each step of turning grains: whether to keep them as they are.
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

    each = tuple(default_harmonics(phase.point_group) for phase in field.phases.values())
    values = FieldFunctions(each)(channels_of(field)).float().numpy()
    threshold = _FINE if diameter is not None else 5.0
    config = GrainConfig(threshold=threshold, smallest=smallest, small="merge", edge_grains=True)
    grains = yield from find_grains(field, config)
    if not len(grains):
        raise ValueError("The field has no grains: let the reconstruction run for longer.")
    labels = yield from _straightened(grains.labels, values, smoothing, field.periodic)
    if diameter is not None:
        yield Progress(0, 0, "Merging grains that are alike")
        tried = []
        for power in (1.0,) if sizes is None else _POWERS:
            made = _merged(values, labels, field.periodic, np.atleast_1d(diameter), power, axes)
            made = yield from _straightened(made, values, smoothing, field.periodic)
            tried.append(made)
        labels = min(tried, key=lambda one: _unlike(one, sizes, axes))
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)
    means, phases = _means(field, labels)
    if objective is not None:
        faces = _faces(labels, phases, field.periodic, boundaries)
        shares = _shares(phases, len(field.phases))
        means = yield from _turned(means, shares, labels, objective, faces, evaluations, stop)
    return replace(
        field, quaternions=means[labels], phase_id=phases[labels],
        properties={**field.properties, "grain": labels + 1},
        provenance={**field.provenance, "consolidated": {"grains": len(means)}},
    )  # fmt: skip


def _merged(
    values: NDArray[np.float32],
    labels: NDArray[np.int32],
    periodic: tuple[bool, ...],
    diameters: NDArray[np.float64],
    power: float,
    axes: Sequence[int],
) -> NDArray[np.int32]:
    """Merge neighbours, the most alike first, until their sections have these diameters."""
    if len(diameters) == 1:
        merges = merge_tree(values, labels, periodic, power=power)
        return cut_where(
            labels, merges, lambda now: section_diameter(now, axes), float(diameters[0])
        )
    band = np.arange(len(labels)) * len(diameters) // len(labels)
    weights = np.broadcast_to(1 / diameters[band, None] ** 2, labels.shape)
    merges = merge_tree(values, labels, periodic, weights, power)

    def size(now: NDArray[np.int32]) -> float:
        return float((band_diameters(now, len(diameters)) / diameters).mean())

    return cut_where(labels, merges, size, 1.0)


def _unlike(
    labels: NDArray[np.int32], sizes: NDArray[np.float64] | None, axes: Sequence[int]
) -> float:
    """Wasserstein's distance of the sizes of grains on sections from those wanted, in points."""
    return 0.0 if sizes is None else float(np.abs(size_quantiles(labels, axes) - sizes).mean())


def _means(
    field: OrientationMap, labels: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Mean orientations (n, 4) of grains, of the phase (n,) that most of their points are of."""
    from napari_orient.crystal.rotations import mean_orientation

    flat, number = labels.ravel(), field.phase_id.ravel()
    count, many = int(labels.max()) + 1, len(field.phases)
    points = np.bincount(flat * many + number, minlength=count * many).reshape(count, many)
    phases = points.argmax(axis=1).astype(np.int32)
    means = np.zeros((count, 4))
    for n, phase in field.phases.items():
        own = np.flatnonzero((number == n) & (phases[flat] == n))
        names, place = np.unique(flat[own], return_inverse=True)
        q = field.quaternions.reshape(-1, 4)[own]
        if len(names):
            means[names] = mean_orientation(q, phase.point_group, labels=place)
    return means, phases


def _faces(
    labels: NDArray[np.int32],
    phases: NDArray[np.int32],
    periodic: tuple[bool, ...],
    boundaries: Sequence[Boundaries | None],
) -> list[tuple[Boundaries, Tensor, Tensor]]:
    """For each phase with a target the pairs (m, 2) of its grains that touch, and how far."""
    pairs, extent = contact_extents(labels, (1.0,) * labels.ndim, periodic)
    made = []
    for phase, wanted in enumerate(boundaries):
        own = (phases[pairs] == phase).all(axis=1)
        if wanted is not None and own.any():
            size = torch.as_tensor(extent[own], dtype=torch.float32)
            made.append((wanted, torch.as_tensor(pairs[own].astype(np.int64)), size))
    return made


def _shares(phases: NDArray[np.int32], count: int) -> Tensor:
    """Channels (n, P) of grains that say which of so many phases each is of; (n, 0) for one."""
    if count == 1:
        return torch.zeros((len(phases), 0))
    # not all phases need have a grain
    return torch.nn.functional.one_hot(torch.as_tensor(phases.astype(np.int64)), count).float()


def _turned(
    means: NDArray[np.float64],
    fixed: Tensor,
    labels: NDArray[np.int32],
    objective: Callable[[Tensor], Value],
    faces: list[tuple[Boundaries, Tensor, Tensor]],
    evaluations: int,
    stop: Callable[[], bool],
) -> Job[NDArray[np.float64]]:
    """Turn whole grains (n, 4) until descriptors and boundaries of the field are right."""
    place = torch.as_tensor(labels.astype(np.int64))
    start = torch.as_tensor(means, dtype=torch.float32)

    def value(x: Tensor) -> Value:
        found = objective(torch.cat([x, fixed], dim=1)[place])
        pull = found.gradient[..., :4].reshape(-1, 4)
        total = torch.zeros_like(x).index_add_(0, place.flatten(), pull)
        loss, free = found.loss, x.detach().clone().requires_grad_()
        for wanted, pairs, extent in faces:
            apart = _BOUNDARIES * wanted.distance(free[pairs[:, 0]], free[pairs[:, 1]], extent)
            apart.backward()  # type: ignore[no-untyped-call]
            loss += float(apart.detach())
        if free.grad is not None:
            total += free.grad
        return found._replace(loss=loss, gradient=total)

    best = start
    for step in minimise(value, start, "L-BFGS"):
        best = step.point
        words = f"Turning grains: loss {step.value.loss:.2e}"
        yield Progress(min(step.evaluations, evaluations), evaluations, words)
        if step.evaluations >= evaluations or stop():
            break
    return quaternions_of(best)


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
        price = smoothing * typical
        if _round(labels, values, centres, price, periodic, step) < 1e-4 * labels.size:
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
    step: int,
) -> int:
    """Let the points of each half of a chessboard choose among their neighbours' grains."""
    sides = [(axis, d) for axis in range(labels.ndim) for d in (-1, 1)]
    # of equal choices the first is taken: always the same would draw grains out along one axis
    sides = sides[step % len(sides) :] + sides[: step % len(sides)]
    parity = np.indices(labels.shape).sum(0) % 2
    changed = 0
    for half in (0, 1):
        near = np.stack([_neighbour(labels, axis, d, periodic) for axis, d in sides])
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
