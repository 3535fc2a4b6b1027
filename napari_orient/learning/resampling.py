"""How are counts brought from one grid of pixels to another, thousands of patterns a second?

Each pixel of the new grid takes the counts of the area it covers, by weights that are worked out
once for a geometry: the exact areas that parallelograms share with square pixels. Where new pixels
are smaller than old ones, they are taken as large as those, which interpolates.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUANTUM = 8  # of a network pixel: to an eighth of it the drift of the beam is rounded ...
_FINEST = 12  # ... but not finer than to a twelfth of a detector pixel
_REACH = 8  # px: drifts are provided for in steps of so many
_LEAST = 1e-5  # share of a network pixel that counts


class Geometry(NamedTuple):
    """Where the network's pixels lie on the detector.

    Attributes
    ----------
    matrix
        (2, 2) as four numbers: pixels of the network, from its middle, to pixels of the detector.
    centre
        (ky, kx) on the detector of the middle of the network's grid.
    shape
        (ky, kx) of a pattern.
    size
        Pixels of the network along each side.
    sums
        Counts are added up (else averaged).
    """

    matrix: tuple[float, float, float, float]
    centre: tuple[float, float]
    shape: tuple[int, int]
    size: int
    sums: bool

    @property
    def area(self) -> float:
        """Of a network pixel on the detector, in its pixels."""
        a, b, c, d = self.matrix
        return abs(a * d - b * c)


class _Weights(NamedTuple):
    """Network pixel p is the sum of weight * canvas[place], over first[p] to first[p + 1]."""

    first: NDArray[np.int64]
    place: NDArray[np.uint32]
    weight: NDArray[np.float32]


def gather(
    stack: NDArray[Any], geometry: Geometry, centres: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Bring patterns to another grid.

    Parameters
    ----------
    stack
        (n, ky, kx), as :func:`napari_orient.diffraction.kernels.plain` gives it. NaN, infinite and
        negative numbers count as 0, and so does what is off the detector.
    geometry
        Of one pattern.
    centres
        (n, 2) centres (ky, kx) that stand for the geometry's; rounded, so that weights are few.

    Returns
    -------
    numpy.ndarray
        (n, size, size) float32; constant patterns are 0.
    """
    images = np.empty((len(stack), geometry.size**2), np.float32)
    if centres is None:
        every = np.arange(len(stack))
        _gather(stack, every, *_weights(geometry, 0), np.zeros_like(every), 0, images)
    else:
        _gather_drifting(stack, geometry, centres, images)
    return images.reshape(-1, geometry.size, geometry.size)


def total_weights(geometry: Geometry) -> NDArray[np.float64]:
    """Sum of the weights (size, size) of each pixel: what a detector full of ones gives."""
    weights = _weights(geometry, 0)
    totals = np.concatenate([[0.0], np.cumsum(weights.weight, dtype=np.float64)])
    return np.diff(totals[weights.first]).reshape(geometry.size, geometry.size)


def _gather_drifting(
    stack: NDArray[Any],
    geometry: Geometry,
    centres: NDArray[np.float64],
    images: NDArray[np.float32],
) -> None:
    """Fill images (n, pixels) whose centres (n, 2) differ: whole pixels are a mere shift."""
    parts = min(_FINEST, max(1, math.ceil(_QUANTUM / math.sqrt(geometry.area))))
    base = np.floor(geometry.centre).astype(np.int64)
    whole, part = np.divmod(np.rint(centres * parts).astype(np.int64), parts)
    shifts = np.clip(whole - base, -max(geometry.shape), max(geometry.shape))
    reach = math.ceil(np.abs(shifts).max(initial=0) / _REACH) * _REACH
    width = geometry.shape[1] + 4 * reach
    for one in np.unique(part, axis=0):
        own = np.flatnonzero((part == one).all(axis=1))
        y, x = (base + one / parts).tolist()
        weights = _weights(geometry._replace(centre=(y, x)), reach)
        _gather(stack, own, *weights, shifts[own] @ np.array([width, 1]), reach, images)


@lru_cache(maxsize=_FINEST**2 + 16)  # about 1 MB each
def _weights(geometry: Geometry, reach: int) -> _Weights:
    """Work out which pixels of the canvas, and how much of them, each network pixel takes.

    The canvas is the detector with a margin of twice ``reach``: weights reach ``reach`` beyond the
    detector, and may be shifted as much again.
    """
    steps = np.array(geometry.matrix).reshape(2, 2)
    left, sizes, right = np.linalg.svd(steps)
    cell = left @ np.diag(np.maximum(sizes, 1)) @ right  # never below a detector pixel: interpolate
    scale = (geometry.area if geometry.sums else 1.0) / abs(np.linalg.det(cell))
    first, place, weight = _overlaps(
        steps, cell, np.array(geometry.centre), geometry.size, *geometry.shape, reach, scale
    )
    return _Weights(first, place, weight)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _overlaps(
    steps: NDArray[np.float64],
    cell: NDArray[np.float64],
    centre: NDArray[np.float64],
    size: int,
    rows: int,
    columns: int,
    reach: int,
    scale: float,
) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]:
    """Lay parallelograms over square pixels; ``scale`` times the common areas are the weights."""
    half_y = 0.5 * (abs(cell[0, 0]) + abs(cell[0, 1]))
    half_x = 0.5 * (abs(cell[1, 0]) + abs(cell[1, 1]))
    whole = abs(cell[0, 0] * cell[1, 1] - cell[0, 1] * cell[1, 0])
    back = np.linalg.inv(cell)
    half_v = 0.5 * (abs(back[0, 0]) + abs(back[0, 1]))  # of a detector pixel, seen from the cell
    half_u = 0.5 * (abs(back[1, 0]) + abs(back[1, 1]))
    most = (int(2 * half_y) + 3) * (int(2 * half_x) + 3)
    first = np.zeros(size * size + 1, np.int64)
    place = np.empty(most * size * size, np.uint32)
    weight = np.empty(most * size * size, np.float32)
    corners, spare = np.empty((12, 2)), np.empty((12, 2))
    width, least = columns + 4 * reach, _LEAST * whole
    found = 0
    for p in range(size * size):
        v, u = p // size - 0.5 * (size - 1), p % size - 0.5 * (size - 1)
        y = centre[0] + steps[0, 0] * v + steps[0, 1] * u
        x = centre[1] + steps[1, 0] * v + steps[1, 1] * u
        low_y, high_y = math.ceil(y - half_y - 0.5), math.floor(y + half_y + 0.5)
        low_x, high_x = math.ceil(x - half_x - 0.5), math.floor(x + half_x + 0.5)
        for r in range(max(low_y, -reach), min(high_y, rows - 1 + reach) + 1):
            for c in range(max(low_x, -reach), min(high_x, columns - 1 + reach) + 1):
                away_v = abs(back[0, 0] * (r - y) + back[0, 1] * (c - x))
                away_u = abs(back[1, 0] * (r - y) + back[1, 1] * (c - x))
                if away_v >= 0.5 + half_v or away_u >= 0.5 + half_u:
                    continue
                area = 1.0
                if away_v > 0.5 - half_v or away_u > 0.5 - half_u:
                    area = _common_area(y - r, x - c, cell, corners, spare)
                if area > least:
                    place[found] = (r + 2 * reach) * width + c + 2 * reach
                    weight[found] = area * scale
                    found += 1
        first[p + 1] = found
    return first, place[:found].copy(), weight[:found].copy()


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _common_area(
    y: float,
    x: float,
    cell: NDArray[np.float64],
    corners: NDArray[np.float64],
    spare: NDArray[np.float64],
) -> float:
    """Area that a parallelogram about (y, x) shares with the unit square about (0, 0)."""
    for k in range(4):
        v, u = (0.5 if k in (1, 2) else -0.5), (0.5 if k > 1 else -0.5)
        corners[k, 0] = y + cell[0, 0] * v + cell[0, 1] * u
        corners[k, 1] = x + cell[1, 0] * v + cell[1, 1] * u
    count = 4
    for side in range(4):  # cut along the four sides of the square, one after the other
        axis, sign = side // 2, 1.0 - 2 * (side % 2)
        kept = 0
        for k in range(count):
            j = k + 1 if k + 1 < count else 0
            here, there = 0.5 - sign * corners[k, axis], 0.5 - sign * corners[j, axis]
            if here >= 0:
                spare[kept, 0], spare[kept, 1] = corners[k, 0], corners[k, 1]
                kept += 1
            if here * there < 0:
                t = here / (here - there)
                spare[kept, 0] = corners[k, 0] + t * (corners[j, 0] - corners[k, 0])
                spare[kept, 1] = corners[k, 1] + t * (corners[j, 1] - corners[k, 1])
                kept += 1
        corners, spare, count = spare, corners, kept
    twice = 0.0
    for k in range(count):
        j = k + 1 if k + 1 < count else 0
        twice += corners[k, 0] * corners[j, 1] - corners[k, 1] * corners[j, 0]
    return 0.5 * abs(twice)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _gather(
    patterns: NDArray[Any],
    own: NDArray[np.int64],
    first: NDArray[np.int64],
    place: NDArray[np.uint32],
    weight: NDArray[np.float32],
    shifts: NDArray[np.int64],
    reach: int,
    images: NDArray[np.float32],
) -> None:
    """Fill ``images[own]`` (n, pixels); ``shifts`` are places on the canvas."""
    rows, columns = patterns.shape[1:]
    margin = 2 * reach
    canvas = np.zeros((rows + 2 * margin, columns + 2 * margin), np.float32)
    flat, nothing = canvas.reshape(-1), np.float32(0)
    for n in range(len(own)):
        image = images[own[n]]
        for r in range(rows):
            source, target = patterns[own[n], r], canvas[r + margin]
            for c in range(columns):
                count = np.float32(source[c])
                target[c + margin] = count if 0 < count < np.inf else nothing  # not NaN either
        if _is_constant(canvas, margin):  # the edge of the detector would be seen
            image[:] = 0
            continue
        shift = np.uint64(shifts[n])  # unsigned: numba need not look for negative indices
        for p in range(len(image)):
            total = nothing
            for e in range(np.uint64(first[p]), np.uint64(first[p + 1])):
                total += weight[e] * flat[place[e] + shift]
            image[p] = total


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _is_constant(canvas: NDArray[np.float32], margin: int) -> bool:
    """Say whether all is one number inside the margin."""
    rows, columns = canvas.shape
    for r in range(margin, rows - margin):
        for c in range(margin, columns - margin):
            if canvas[r, c] != canvas[margin, margin]:
                return False
    return True
