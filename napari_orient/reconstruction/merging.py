"""Which neighbouring grains are one? Those that differ least, until sizes are right."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.grains.contacts import contact_extents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_SMALLEST = 3  # points of a grain that counts


def merge_tree(
    values: NDArray[np.float32],
    labels: NDArray[np.int32],
    periodic: tuple[bool, ...],
    weights: NDArray[np.float64] | None = None,
    power: float = 1.0,
) -> NDArray[np.int32]:
    """Merge neighbours, the most alike first, until one grain is left.

    Alike by Ward's criterion (J. Amer. Statist. Assoc. 58 (1963) 236): the rise of the squared
    distances of all points to the mean of their grain, n m / (n + m) |a - b|^2. It favours small
    grains, and leaves grains of nearly one size; (n m / (n + m))^power with a smaller power leaves
    more of different sizes.

    Parameters
    ----------
    values
        (..., K) harmonics of each point.
    labels
        (...) grains from 1 to n.
    weights
        (...) of points; smaller ones where grains are to be larger.

    Returns
    -------
    merges
        (m, 2): the first grain takes up the second, in this order.
    """
    count = int(labels.max()) + 1
    each = np.ones(labels.size) if weights is None else weights.ravel()
    size = np.bincount(labels.ravel(), each, count)
    flat = values.reshape(-1, values.shape[-1])
    sums = np.stack([np.bincount(labels.ravel(), each * c, count) for c in flat.T], axis=-1)
    pairs, _ = contact_extents(labels, (1.0,) * labels.ndim, periodic)
    near: list[set[int]] = [set() for _ in range(count)]
    for a, b in pairs.tolist():
        near[a].add(b)
        near[b].add(a)
    version = [0] * count

    def rise(a: int, b: int) -> float:
        apart = sums[a] / size[a] - sums[b] / size[b]
        return float((size[a] * size[b] / (size[a] + size[b])) ** power * (apart @ apart))

    heap = [(rise(a, b), a, b, 0, 0) for a, b in pairs.tolist()]
    heapq.heapify(heap)
    merges = []
    while heap:
        _, a, b, of_a, of_b = heapq.heappop(heap)
        if version[a] != of_a or version[b] != of_b:
            continue
        if size[a] < size[b]:
            a, b = b, a
        merges.append((a, b))
        size[a] += size[b]
        sums[a] += sums[b]
        version[a] += 1
        version[b] = -1  # gone
        near[a] = (near[a] | near[b]) - {a, b}
        for c in near[a]:
            near[c].discard(b)
            near[c].add(a)
            heapq.heappush(heap, (rise(a, c), a, c, version[a], version[c]))
    return np.array(merges, np.int32).reshape(-1, 2)


def cut_tree(
    labels: NDArray[np.int32], merges: NDArray[np.int32], number: int
) -> NDArray[np.int32]:
    """Return the labels after so many of the merges, numbered anew from 1."""
    to = np.arange(int(labels.max()) + 1)
    for a, b in merges[:number][::-1].tolist():  # the last first: a is then where it ends up
        to[b] = to[a]
    kept = np.unique(to[labels])
    new = np.zeros(len(to), np.int32)
    new[kept] = np.arange(1, len(kept) + 1)
    return new[to][labels]


def cut_where(
    labels: NDArray[np.int32],
    merges: NDArray[np.int32],
    measure: Callable[[NDArray[np.int32]], float],
    target: float,
) -> NDArray[np.int32]:
    """Return the labels after as many merges as bring a measure, which they raise, to a target."""
    low, high = 0, len(merges)
    while high - low > max(1, len(merges) // 200):
        middle = (low + high) // 2
        if measure(cut_tree(labels, merges, middle)) < target:
            low = middle
        else:
            high = middle
    return cut_tree(labels, merges, low)


def section_diameter(labels: NDArray[np.int32], axes: Sequence[int] = (0, 1, 2)) -> float:
    """Area-weighted mean diameter, in points, of what grains show on sections (or on a map)."""
    return float(
        np.mean(np.concatenate([_diameters(one).ravel() for one in _sections(labels, axes)]))
    )


def size_quantiles(
    labels: NDArray[np.int32], axes: Sequence[int] = (0, 1, 2)
) -> NDArray[np.float64]:
    """Diameters (100,) of grains on sections, in points, at even levels of their number."""
    from skimage.measure import label

    sizes = [
        np.bincount(label(one, background=0, connectivity=1).ravel())[1:]
        for one in _sections(labels, axes)
    ]
    every = np.concatenate(sizes)
    seen = every[every >= _SMALLEST]
    return np.asarray(np.quantile(2 * np.sqrt(seen / np.pi), np.linspace(0.005, 0.995, 100)))


def _sections(labels: NDArray[np.int32], axes: Sequence[int]) -> list[NDArray[np.int32]]:
    """Four across each of the axes, or the map itself."""
    if labels.ndim == 2:
        return [labels]
    return [np.take(labels, n * labels.shape[axis] // 4, axis) for axis in axes for n in range(4)]


def band_diameters(labels: NDArray[np.int32], bands: int) -> NDArray[np.float64]:
    """Area-weighted mean diameters, in points, in bands of rows of a map."""
    edges = [round(n * len(labels) / bands) for n in range(1, bands)]
    return np.array([float(part.mean()) for part in np.split(_diameters(labels), edges)])


def _diameters(section: NDArray[np.int32]) -> NDArray[np.float64]:
    """Diameter of the grain of each point, by what the section shows of it."""
    from skimage.measure import label

    parts = label(section, background=0, connectivity=1)
    return np.asarray(2 * np.sqrt(np.bincount(parts.ravel()) / np.pi)[parts])
