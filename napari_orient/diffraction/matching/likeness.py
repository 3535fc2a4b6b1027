"""How do simulated patterns compare: which are alike, how bright are they, what is left over?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from napari_orient.diffraction.matching.kernel import (
    fit_amplitude,
    nearby,
    place,
    scratch_for,
    simulate,
    square_norm,
)
from napari_orient.diffraction.matching.polar import Prepared
from napari_orient.diffraction.matching.refine import matrices_of, parts_of, view_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.diffraction.matching.kernel import Model, View
    from napari_orient.diffraction.matching.polar import PolarGrid
    from napari_orient.diffraction.matching.refine import Filtered, SpotModel

_AMPLITUDES = 8  # steps towards A
_AROUND = 1.3  # radii that are erased of a spot


def likeness(
    ready: Filtered, grid: PolarGrid, model: SpotModel, quaternions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlation (n, k, k) of the simulated patterns of orientations (n, k, 4)."""
    found = np.empty((*quaternions.shape[:2], quaternions.shape[1]))
    _compare(*ready, matrices_of(quaternions), parts_of(model), view_of(grid), found)
    return found


def amplitudes(
    ready: Filtered,
    grid: PolarGrid,
    model: SpotModel,
    quaternions: NDArray[np.float64],
    parts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Counts A (n, k) of the strongest reflection for which |T(A)| is ``parts`` (n, k) of |P|."""
    found, norms = np.empty(parts.shape), parts * ready.norms[:, None]
    _measure(*ready, matrices_of(quaternions), norms, parts_of(model), view_of(grid), found)
    return found


def without_spots(
    prepared: Prepared,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    quaternions: NDArray[np.float64],
    phase_id: NDArray[np.int32],
    positions: ArrayLike | None = None,
) -> Prepared:
    """Take the spots of one orientation (n, 4) out of each pattern: no more than background."""
    images, centres = prepared.images.copy(), grid.centres(len(prepared.images), positions)
    for index, model in enumerate(models):
        rows = np.flatnonzero(phase_id == index)
        matrices = matrices_of(quaternions[rows, None])[:, 0]
        _erase(images, rows, centres, matrices, parts_of(model), grid.frame, grid.radius)
    return Prepared(images, prepared.levels)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _compare(
    images: NDArray[np.float32],
    _norms: NDArray[np.float64],
    centres: NDArray[np.float64],
    background: NDArray[np.float64],
    brightest: NDArray[np.float64],
    matrices: NDArray[np.float64],
    model: Model,
    view: View,
    found: NDArray[np.float64],
) -> None:
    """Fill ``found`` (n, k, k) with sum T U / (|T| |U|) for all pairs of matrices (n, k, 3, 3)."""
    size, many = len(model[0]), matrices.shape[1]
    scratch = scratch_for(size)
    xy, weight = np.empty((many, size, 2), np.float32), np.empty((many, size))
    number, norm = np.zeros(many, np.int64), np.zeros(many)
    for i in range(len(images)):
        pattern = (images[i], centres[i], background[i])
        for k in range(many):
            one = matrices[i, k : k + 1]
            near = nearby(one[0], model, 0.0, scratch)
            a = fit_amplitude(pattern, brightest[i], one[0], near, model, view, scratch)
            n = simulate(one, near, model, scratch)
            xy[k, :n] = scratch[2][:n]
            number[k], _total = place(pattern, view, n, xy[k], scratch[3], a, weight[k])
            norm[k] = square_norm(view, number[k], xy[k], weight[k])
            found[i, k, k] = 1
            for j in range(k):
                m, n = number[j], number[k]
                common = _common(view, xy[j, :m], weight[j], xy[k, :n], weight[k])
                both = norm[j] * norm[k]
                found[i, j, k] = found[i, k, j] = common / math.sqrt(both) if both > 0 else 0.0


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _common(
    view: View,
    xy: NDArray[np.float32],
    weight: NDArray[np.float64],
    other_xy: NDArray[np.float32],
    other_weight: NDArray[np.float64],
) -> float:
    """Return the sum of T U."""
    reach, table = view[5], view[6]
    scale = (len(table) - 1) / reach
    total = 0.0
    for m in range(len(xy)):
        for n in range(len(other_xy)):
            dx, dy = xy[m, 0] - other_xy[n, 0], xy[m, 1] - other_xy[n, 1]
            square = np.float64(dx * dx + dy * dy)
            if square < reach:
                total += weight[m] * other_weight[n] * table[int(square * scale)]
    return total


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _measure(
    images: NDArray[np.float32],
    _norms: NDArray[np.float64],
    centres: NDArray[np.float64],
    background: NDArray[np.float64],
    brightest: NDArray[np.float64],
    matrices: NDArray[np.float64],
    wanted: NDArray[np.float64],
    model: Model,
    view: View,
    found: NDArray[np.float64],
) -> None:
    """Fill ``found`` (n, k) with the A of matrices (n, k, 3, 3) for which |T| is as wanted."""
    scratch = scratch_for(len(model[0]))
    xy, intensity, weight = scratch[2], scratch[3], scratch[5]
    for i in range(len(images)):
        pattern = (images[i], centres[i], background[i])
        for k in range(matrices.shape[1]):
            one, a = matrices[i, k : k + 1], brightest[i]
            n = simulate(one, nearby(one[0], model, 0.0, scratch), model, scratch)
            for _ in range(_AMPLITUDES):
                n, _total = place(pattern, view, n, xy, intensity, a, weight)
                norm = square_norm(view, n, xy, weight)
                if not norm > 0:
                    break
                a *= min(max(wanted[i, k] / math.sqrt(norm), 0.2), 5.0) ** (1 / view[7])
            found[i, k] = a


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _erase(
    images: NDArray[np.float32],
    rows: NDArray[np.intp],
    centres: NDArray[np.float64],
    matrices: NDArray[np.float64],
    model: Model,
    frame: NDArray[np.float64],
    radius: float,
) -> None:
    """Lower the pixels around the spots of matrices (m, 3, 3) to the background, in some images."""
    scratch = scratch_for(len(model[0]))
    xy, reach = scratch[2], _AROUND * radius
    height, width = images.shape[1:]
    for k in range(len(rows)):
        image, centre = images[rows[k]], centres[rows[k]]
        n = simulate(matrices[k : k + 1], nearby(matrices[k], model, 0.0, scratch), model, scratch)
        for i in range(n):
            x, y = np.float64(xy[i, 0]), np.float64(xy[i, 1])
            r = frame[0, 0] * y + frame[0, 1] * x + centre[0]
            c = frame[1, 0] * y + frame[1, 1] * x + centre[1]
            for row in range(max(int(r - reach), 0), min(int(r + reach) + 2, height)):
                for column in range(max(int(c - reach), 0), min(int(c + reach) + 2, width)):
                    if (row - r) ** 2 + (column - c) ** 2 < reach * reach:
                        image[row, column] = min(image[row, column], np.float32(0))
