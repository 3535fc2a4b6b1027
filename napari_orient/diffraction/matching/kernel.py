"""How well does one orientation fit one pattern? The compiled part of the score.

Spots, their weights and their counts, as :mod:`napari_orient.diffraction.matching.refine` says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from napari_orient.diffraction.simulate import excite

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SEEN = 0.02  # of the square of a spot: with less it is left out
_AMPLITUDES = 4  # steps towards A

Beam = tuple[float, float, float, float, float]
# image, beam (ky, kx) in px, background (rings, 2): counts and levelled
Pattern = tuple["NDArray[np.float32]", "NDArray[np.float64]", "NDArray[np.float64]"]
# g, relative, beam, gamma
Model = tuple["NDArray[np.float64]", "NDArray[np.float64]", Beam, float]
# frame of the grid, pixel, smallest and largest length, sigma of a spot, reach squared, table,
# exponent
View = tuple["NDArray[np.float64]", float, float, float, float, float, "NDArray[np.float64]", float]
# reflections nearby and their intensities, spots: xy, intensity, reflection, weight; starts, matrix
Scratch = tuple[Any, Any, Any, Any, Any, Any, Any, Any]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def simulate(matrix: NDArray[np.float64], near: int, model: Model, scratch: Scratch) -> int:
    """Write the spots of one orientation, (1, 3, 3), intensities levelled; return their number."""
    _g, _relative, beam, gamma = model
    g, relative, xy, intensity, reflection, _weight, starts, _moved = scratch
    excite(matrix, g[:near], relative[:near], beam, starts, xy, intensity, reflection)
    for i in range(starts[1]):
        v = np.float64(intensity[i])
        intensity[i] = math.sqrt(v) if gamma == 0.5 else v**gamma  # the root is ten times as fast
    return int(starts[1])


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def place(
    pattern: Pattern,
    view: View,
    n: int,
    xy: NDArray[np.float32],
    intensity: NDArray[np.float32],
    amplitude: float,
    weight: NDArray[np.float64],
) -> tuple[int, float]:
    """Move the spots that count to the front; return their number and the sum of T P."""
    image, centre, background = pattern
    matrix, pixel, low, high, sigma, _reach, _table, power = view
    rows, columns = image.shape
    per_ring = (len(background) - 1) / (high - low)
    m, total = 0, 0.0
    for i in range(n):
        x, y = np.float64(xy[i, 0]), np.float64(xy[i, 1])
        r = matrix[0, 0] * y + matrix[0, 1] * x + centre[0]
        c = matrix[1, 0] * y + matrix[1, 1] * x + centre[1]
        if r < 0 or c < 0 or r > rows - 1 or c > columns - 1:
            continue
        g = math.sqrt(x * x + y * y)
        seen = _seen((g - low) / sigma) * _seen((high - g) / sigma)
        seen *= _seen((min(r, rows - 1 - r) + 0.5) * pixel / sigma)
        seen *= _seen((min(c, columns - 1 - c) + 0.5) * pixel / sigma)
        if seen < _LEAST_SEEN:
            continue
        t = min(max((g - low) * per_ring, 0.0), len(background) - 1.0)
        k = min(int(t), len(background) - 2)
        base = background[k, 0] + (t - k) * (background[k + 1, 0] - background[k, 0])
        level = background[k, 1] + (t - k) * (background[k + 1, 1] - background[k, 1])
        value = (base + amplitude * intensity[i]) ** power - level
        total += value * _read(image, r, c)
        xy[m, 0], xy[m, 1], weight[m] = xy[i, 0], xy[i, 1], value * math.sqrt(seen)
        intensity[m] = intensity[i]
        m += 1
    return m, total


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _read(image: NDArray[np.float32], r: float, c: float) -> float:
    """Interpolate with the parabolas through 3 x 3 pixels.

    Linear interpolation is lower between pixels than at them: it turns patterns by tenths of a
    degree, until their spots lie on pixels.
    """
    i = min(max(int(r + 0.5), 1), image.shape[0] - 2)
    j = min(max(int(c + 0.5), 1), image.shape[1] - 2)
    y, x = r - i, c - j
    left, right = 0.5 * x * (x - 1), 0.5 * x * (x + 1)
    total = 0.0
    for d in range(-1, 2):
        weight = 1 - y * y if d == 0 else 0.5 * y * (y + d)
        row = image[i + d]
        total += weight * (left * row[j - 1] + (1 - x * x) * row[j] + right * row[j + 1])
    return total


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _seen(distance: float) -> float:
    """Share of the square of a gaussian that lies on this side of an edge, in sigmas from it."""
    if distance > 2:
        return 1.0
    return 0.5 * (1 + math.erf(distance)) if distance > -2 else 0.0


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def square_norm(view: View, m: int, xy: NDArray[np.float32], weight: NDArray[np.float64]) -> float:
    """Return |T|^2 of m spots, which may overlap."""
    reach, table = view[5], view[6]
    scale = (len(table) - 1) / reach
    norm = 0.0
    for i in range(m):
        norm += weight[i] ** 2
        for j in range(i):
            dx, dy = xy[i, 0] - xy[j, 0], xy[i, 1] - xy[j, 1]
            square = np.float64(dx * dx + dy * dy)
            if square < reach:
                norm += 2 * weight[i] * weight[j] * table[int(square * scale)]
    return norm


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def score_of(
    pattern: Pattern,
    amplitude: float,
    start: NDArray[np.float64],
    angles: NDArray[np.float64],
    near: int,
    model: Model,
    view: View,
    scratch: Scratch,
) -> float:
    """Score, not yet divided by |P|, of the crystal rotated by ``angles`` from the start."""
    _g, _relative, xy, intensity, _reflection, weight, _starts, moved = scratch
    _turned(start, angles, moved)
    n = simulate(moved, near, model, scratch)
    m, total = place(pattern, view, n, xy, intensity, amplitude, weight)
    norm = square_norm(view, m, xy, weight)
    return float(total / math.sqrt(norm)) if norm > 0 else -math.inf


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fit_amplitude(
    pattern: Pattern,
    amplitude: float,
    matrix: NDArray[np.float64],
    near: int,
    model: Model,
    view: View,
    scratch: Scratch,
) -> float:
    """Counts of the strongest reflection for which <T, P> = <T, T>, from a first guess."""
    _g, _relative, xy, intensity, _reflection, weight, _starts, moved = scratch
    moved[0] = matrix
    n = simulate(moved, near, model, scratch)
    for _ in range(_AMPLITUDES):
        n, total = place(pattern, view, n, xy, intensity, amplitude, weight)
        norm = square_norm(view, n, xy, weight)
        if not (total > 0 and norm > 0):
            break
        amplitude *= min(max(total / norm, 0.3), 3.0) ** (1 / view[7])
    return amplitude


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _turned(
    matrix: NDArray[np.float64], angles: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Lab-to-crystal matrix after a small rotation of the crystal by a vector in lab axes."""
    a, b, c = angles
    angle = math.sqrt(a * a + b * b + c * c)
    s = math.sin(angle) / angle if angle > 0 else 1.0
    v = (1 - math.cos(angle)) / (angle * angle) if angle > 0 else 0.5
    t = math.cos(angle)
    for i in range(3):
        x, y, z = matrix[i]
        dot = a * x + b * y + c * z
        out[0, i, 0] = t * x + s * (b * z - c * y) + v * dot * a
        out[0, i, 1] = t * y + s * (c * x - a * z) + v * dot * b
        out[0, i, 2] = t * z + s * (a * y - b * x) + v * dot * c


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def nearby(matrix: NDArray[np.float64], model: Model, travel: float, scratch: Scratch) -> int:
    """Copy the reflections that can be excited within ``travel`` radians; return their number."""
    g, relative, beam, _gamma = model
    near_g, near_relative = scratch[0], scratch[1]
    n = 0
    for j in range(len(g)):
        z = matrix[0, 2] * g[j, 0] + matrix[1, 2] * g[j, 1] + matrix[2, 2] * g[j, 2]
        square = g[j, 0] ** 2 + g[j, 1] ** 2 + g[j, 2] ** 2
        s = square / (2 * beam[0]) - z
        if abs(s) < beam[3] + math.sqrt(square) * (beam[2] + travel) + 1e-3:
            near_g[n] = g[j]
            near_relative[n] = relative[j]
            n += 1
    return n


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def scratch_for(size: int) -> Scratch:
    """Room for what is simulated of ``size`` reflections."""
    return (
        np.empty((size, 3)), np.empty(size), np.empty((size, 2), np.float32),
        np.empty(size, np.float32), np.empty(size, np.int32), np.empty(size),
        np.zeros(2, np.int64), np.empty((1, 3, 3)),
    )  # fmt: skip
