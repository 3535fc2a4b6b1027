"""Which points hang together? Connected parts of a grid, also across periodic borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.boundaries import neighbour_angles, sides
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


def ways(periodic: tuple[bool, ...]) -> Iterator[tuple[int, bool]]:
    """Yield (axis, across) of all pairs of neighbours that a grid has."""
    for axis, wraps in enumerate(periodic):
        yield axis, False
        if wraps:
            yield axis, True


def connected_parts(
    orientations: OrientationMap, threshold: float, *, modulo_beam: bool = False
) -> Job[NDArray[np.int32]]:
    """Number the parts whose neighbours differ by no more than ``threshold`` degrees.

    Across a border, where the map is periodic there.

    Yields
    ------
    Progress
        In directions.

    Returns
    -------
    labels
        (y, x) or (z, y, x), from 1 in the order of their first points; 0 where not indexed.
    """
    index = np.arange(orientations.phase_id.size, dtype=np.int32).reshape(orientations.shape)
    links = []
    steps = list(ways(orientations.periodic))
    for step, (axis, across) in enumerate(steps):
        yield Progress(step, len(steps) + 1, "Comparing neighbours")
        angles = neighbour_angles(orientations, axis, across=across, modulo_beam=modulo_beam)
        joined = angles <= threshold
        a, b = sides(axis, across=across)
        links.append(np.stack([index[a][joined], index[b][joined]]))
    yield Progress(len(steps), len(steps) + 1, "Joining points to grains")
    found = components(np.concatenate(links, axis=1), index.size).reshape(index.shape)
    return numbered(found, orientations.indexed)


def components(links: NDArray[np.integer[Any]], count: int) -> NDArray[np.int32]:
    """Component (count,) of each node of a graph with links (2, m)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    values = np.ones(links.shape[1], np.bool_)
    graph = coo_array((values, (links[0], links[1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)


def numbered(labels: NDArray[np.integer[Any]], where: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number labels >= 0 anew from 1, in the order of their first points; 0 elsewhere."""
    kept = labels[where]
    made = np.zeros(labels.shape, np.int32)
    if not len(kept):
        return made
    first = np.full(int(kept.max()) + 1, len(kept))
    np.minimum.at(first, kept, np.arange(len(kept)))
    order = np.argsort(first, kind="stable")
    number = np.empty_like(order)
    number[order] = np.arange(1, len(order) + 1)
    made[where] = number[kept]
    return made


def unwrapped(
    labels: NDArray[np.int32], periodic: tuple[bool, ...]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Lay the pieces of grains that a periodic border cuts next to each other.

    Parameters
    ----------
    labels
        Grains from 1; 0 = none.

    Returns
    -------
    pieces
        Same shape: a number from 1 for each piece that hangs together without the borders.
    shift
        (pieces + 1, axes): by how many boxes each piece is to be moved; the first one of a grain
        stays.
    endless
        (grains + 1,) bool: grains that reach round the whole box, which have no centre.
    """
    from skimage.measure import label

    count, axes = int(labels.max(initial=0)), labels.ndim
    pieces = np.asarray(label(labels, background=0, connectivity=1), np.int32)
    shift = np.zeros((int(pieces.max(initial=0)) + 1, axes), np.int32)
    endless = np.zeros(count + 1, bool)
    near: dict[int, list[tuple[int, int, int]]] = {}
    grain_of = np.zeros(len(shift), np.int32)
    for axis in np.flatnonzero(periodic):
        last, first = (side for side in sides(int(axis), across=True))
        meet = (labels[last] == labels[first]) & (labels[last] > 0)
        pairs = np.stack([pieces[last][meet], pieces[first][meet]], axis=-1)
        grain_of[pairs] = labels[last][meet][:, None]
        for a, b in np.unique(pairs, axis=0).tolist():
            near.setdefault(a, []).append((b, int(axis), 1))
            near.setdefault(b, []).append((a, int(axis), -1))
    placed: set[int] = set()
    for start in near:
        if start not in placed:
            _lay(start, near, shift, placed, endless, grain_of)
    return pieces, shift, endless


def _lay(
    start: int,
    near: dict[int, list[tuple[int, int, int]]],
    shift: NDArray[np.int32],
    placed: set[int],
    endless: NDArray[np.bool_],
    grain_of: NDArray[np.int32],
) -> None:
    """Place all pieces of one grain, going from piece to piece."""
    placed.add(start)
    todo = [start]
    while todo:
        one = todo.pop()
        for other, axis, sign in near[one]:
            place = shift[one].copy()
            place[axis] += sign
            if other not in placed:
                shift[other] = place
                placed.add(other)
                todo.append(other)
            elif (shift[other] != place).any():  # the way round the box ends somewhere else
                endless[grain_of[one]] = True
