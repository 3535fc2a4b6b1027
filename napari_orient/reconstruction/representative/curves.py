"""How do orientations of points at a distance belong together? Two-point curves and variograms.

Of the harmonics z of the orientations (those that tell all apart), with r the lag of two points:

    S(r) = mean of sum_a z_a(x) z_a(x + r)         two-point correlation (Eq. 19)
    gamma_a(r) = 1/2 mean of |z_a(x) - z_a(x + r)|  variogram of order 1 (Eq. 20)

of the reconstruction paper. Means are over those pairs of which both points are known, without a
bias by edges and holes. They are kept as sums over patches, which chance can deal out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.jobs import Progress
from napari_orient.reconstruction.representative.sides import Side, grain_points, numbered
from napari_orient.reconstruction.windows import window_lags

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.representative.planes import Plane

    Sums = NDArray[np.float64]

_DIRECTIONS = np.array([(0, 1), (1, 1), (1, 0), (1, -1)])  # down, right
_DISTANCES = 20  # at most


@dataclass(frozen=True)
class Lags:
    """Which neighbours are looked at, in points.

    Attributes
    ----------
    window
        (n, 2) half of a square window.
    rays
        (directions, distances, 2) along x, y and the diagonals; (0, 0) first.
    distances
        (distances,) mean length of each over the directions.
    """

    window: NDArray[np.int64]
    rays: NDArray[np.int64]
    distances: NDArray[np.float64]


def choose_lags(window: int, reach: float, shape: tuple[int, int]) -> Lags:
    """Choose the lags of a window, and of curves that reach so many points; both within a view."""
    window = min(window, 2 * ((min(shape) - 1) // 2) - 1)
    far = max(1.0, min(reach, min(shape) / 2))
    steps = np.unique(np.rint(np.linspace(0, far, _DISTANCES)))
    length = np.hypot(*_DIRECTIONS.T)
    rays = np.rint(steps[None, :, None] * (_DIRECTIONS / length[:, None])[:, None])
    distances = np.hypot(rays[..., 0], rays[..., 1]).mean(axis=0)  # diagonals lie on points, too
    return Lags(window_lags(max(window, 3)), rays.astype(np.int64), distances)


@dataclass(frozen=True, eq=False)
class Curves:
    """Sums over the pairs that begin in each of P patches, and their numbers.

    Attributes
    ----------
    window, window_count
        (P, lags, K) of |z - z'| / 2, (P, lags).
    variogram, two_point, count
        (P, directions, distances) of the sum over K of |z - z'| / 2, of z z', and their number.
    """

    window: Sums
    window_count: Sums
    variogram: Sums
    two_point: Sums
    count: Sums


def measure_curves(side: Side, lags: Lags, patch: float, harmonics: Any) -> Job[Curves]:
    """Measure the curves of a side.

    Parameters
    ----------
    side
        Views, with the number of the phase in each.
    lags
        Which neighbours.
    patch
        Side of a patch, in points.
    harmonics
        Function of quaternions (..., 4) -> (..., K).

    Yields
    ------
    Progress
        In views.
    """
    cells, parts = [], []
    for n in range(len(side.planes)):
        yield Progress(n, len(side.planes), "Measuring correlations")
        own, sums = _of_plane(side, n, lags, patch, harmonics)
        cells.append(own)
        parts.append(sums)
    number = numbered(np.concatenate(cells))
    made = []
    for column in zip(*parts, strict=True):
        values = np.concatenate(column)
        total = np.zeros((int(number.max()) + 1, *values.shape[1:]))
        np.add.at(total, number, values)
        made.append(total)
    known = made[-1].sum(axis=(1, 2)) > 0
    return Curves(*(total[known] for total in made))


def _of_plane(
    side: Side, n: int, lags: Lags, patch: float, harmonics: Any
) -> tuple[NDArray[np.int64], list[Sums]]:
    """Cells (P, 4) of a view and the sums over each, in the order of :class:`Curves`."""
    plane = side.planes[n]
    known = plane.map.indexed & (plane.map.phase_id == side.numbers[n])
    values = np.moveaxis(np.asarray(harmonics(plane.map.quaternions)), -1, 0)
    z = np.where(known, values, 0).astype(np.float32)
    cells, order = _cells(plane, side.grains[n], patch)
    window, counts = [], []
    for lag in lags.window.tolist():
        apart, _, both = _pairs(z, known, *lag)
        window.append(_summed(apart, order).T / 2)
        counts.append(_summed(both, order))
    rays = []
    for lag in lags.rays.reshape(-1, 2).tolist():
        apart, product, both = _pairs(z, known, *lag)
        rays.append([_summed(a, order) for a in (apart.sum(axis=0) / 2, product, both)])
    shape = (len(cells), *lags.rays.shape[:2])
    curves = [np.stack(one, axis=-1).reshape(shape) for one in zip(*rays, strict=True)]
    return cells, [np.stack(window, axis=1), np.stack(counts, axis=1), *curves]


def _cells(
    plane: Plane, grains: Grains, patch: float
) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cells (P, 4) of a view, its points in their order, and where in it each cell begins.

    A point is in the patch of its grain: parts of one grain in two patches would make these alike,
    which chance does not.
    """
    places = np.indices(plane.map.shape, dtype=np.float64)
    points = np.moveaxis(places, 0, -1).reshape(-1, 2)
    own = plane.cells(points, patch)
    if len(grains):
        label = grains.labels.ravel()
        of_grains = plane.cells(grain_points(grains), patch)
        own = np.where(label[:, None] > 0, of_grains[label - 1], own)
    cells, place = np.unique(own, axis=0, return_inverse=True)
    place = place.reshape(-1)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(cells)))
    return cells, (order, starts)


def _pairs(
    z: NDArray[np.float32], known: NDArray[np.bool_], down: int, right: int
) -> tuple[Any, Any, Any]:
    """|z - z'| (K, rows, columns), sum of z z' and whether both are known, at x; 0 elsewhere."""
    rows, columns = known.shape
    of = (slice(0, rows - down), slice(max(0, -right), columns - max(0, right)))
    to = (slice(down, rows), slice(max(0, right), columns + min(0, right)))
    both = np.zeros(known.shape, np.float32)
    both[of] = known[of] & known[to]
    apart = np.zeros_like(z)
    product = np.zeros(known.shape, np.float32)
    here, there = z[(slice(None), *of)], z[(slice(None), *to)]
    np.abs(here - there, out=apart[(slice(None), *of)])
    apart *= both
    product[of] = np.einsum("kyx,kyx->yx", here, there)
    return apart, product * both, both


def _summed(array: NDArray[np.float32], order: tuple[Any, Any]) -> Sums:
    """Sums (..., P) over the cells of a view."""
    flat = array.reshape(*array.shape[:-2], -1)[..., order[0]]
    return np.asarray(np.add.reduceat(flat, order[1], axis=-1, dtype=np.float64))


# --- what they come to ---------------------------------------------------------------------------


def mean_curve(sums: Sums, count: Sums, times: Sums | None = None) -> Sums:
    """Mean (distances,) over directions and patches; (draws, distances) for times (draws, P)."""
    total, number = sums.sum(axis=1), count.sum(axis=1)
    if times is None:
        return np.asarray(total.sum(axis=0) / np.maximum(number.sum(axis=0), 1))
    return np.asarray((times @ total) / np.maximum(times @ number, 1))


def window_map(curves: Curves, times: Sums | None = None) -> Sums:
    """Variograms (lags, K) of all patches, or (draws, lags, K) for times (draws, P)."""
    chosen = np.ones((1, len(curves.window))) if times is None else times
    flat = curves.window.reshape(len(curves.window), -1)
    shape = (len(chosen), *curves.window.shape[1:])
    count = np.maximum(chosen @ curves.window_count, 1)[..., None]
    made = (chosen @ flat).reshape(shape) / count
    return np.asarray(made[0] if times is None else made)


def patch_residuals(sums: tuple[Sums, Sums], counts: tuple[Sums, Sums]) -> tuple[Sums, Sums]:
    """What each patch of two sides adds to the difference of their curves.

    With R the curve of both together, (s - R n) over the mean n of the side: its mean over the
    patches of a side is R of the side - R, whatever number of pairs a patch has.

    Returns
    -------
    residuals
        (P, n) and (Q, n), n of directions and distances.
    """
    flat = [[one.reshape(len(one), -1) for one in both] for both in (sums, counts)]
    total, number = (sum(one.sum(axis=0) for one in both) for both in flat)
    ratio = total / np.maximum(number, 1)
    made = [(s - ratio * n) / np.maximum(n.mean(axis=0), 1e-9) for s, n in zip(*flat, strict=True)]
    return made[0], made[1]


def half_length(distances: Sums, curve: Sums) -> Sums:
    """Distance (...) at which a curve (..., distances) has gone half of its way to its end.

    The end is the mean of its last quarter.
    """
    curve = np.asarray(curve)
    tail = curve[..., -max(1, len(distances) // 4) :].mean(axis=-1, keepdims=True)
    way = (curve - curve[..., :1]) / np.where(tail == curve[..., :1], np.nan, tail - curve[..., :1])
    past = np.argmax(way >= 0.5, axis=-1)
    past = np.maximum(past, 1)[..., None]
    high, low = (np.take_along_axis(way, place, -1)[..., 0] for place in (past, past - 1))
    share = (0.5 - low) / np.where(high == low, np.nan, high - low)
    begin, end = distances[past[..., 0] - 1], distances[past[..., 0]]
    return np.asarray(begin + share * (end - begin))
