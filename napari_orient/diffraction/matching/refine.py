"""Which orientation fits best near a candidate, finer than the library's spacing?

Local search over three small rotations of the crystal, two tilts and one about the beam. The score
is the normalised correlation of the prepared pattern with one peak for each simulated spot:

    T(x) = sum_s w_s k(x - x_s),  w_s = (b + A I_s^gamma)^power - b^power,
    score = <T, P> / (|T| |P|)

b is the background where the spot lies, A the counts of the strongest reflection: a weak spot on a
strong background is proportional, a strong one levelled, as in a prepared pattern. A is such that T
is as large as P. gamma is 1 in a thin crystal and near 0.5 in a thick one, where dynamical
scattering makes intensities go with |F| (Blackman, Proc. R. Soc. A 173 (1939) 68).

k is one spot in a prepared pattern P. What a wrong orientation leaves over are other spots, with
the spectrum |K|^2 of one, and some white noise: <T, P> is the sum over frequencies of T* P, each
divided by |K|^2 + noise, which is the least-squares product for such residuals. It sharpens the
spots, and takes no interest in what is smooth (background, amorphous rings).

Patterns are filtered once and read where the spots are; |T|^2 is a sum over pairs of spots, so that
those which overlap count for what they share, and a spot at the edge of the detector, or of the
lengths that count, for the part that is seen. A predicted spot that is missing adds to |T| alone,
an observed one that is not predicted to |P| alone: both cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

from napari_orient.crystal.rotations import laue_operators, multiply
from napari_orient.data.scan import electron_wavelength
from napari_orient.diffraction.matching.pseudo import pseudo_operators
from napari_orient.diffraction.simulate import excite, lab_to_crystal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.diffraction.matching.polar import PolarGrid, Prepared
    from napari_orient.diffraction.simulate import Reflections

_LEAST_SEEN = 0.02  # of the square of a spot: with less it is left out
_NOISE = 0.1  # of the largest |K|^2; 0.03 to 0.3 decide alike
_REACH = 4.0  # radii of a disk: spots farther apart do not overlap
_TABLE = 1024  # steps of the overlap over the square of the distance
_AMPLITUDES = 4  # steps towards A
_GRID = 3  # steps of a quarter of the spacing to each side, where all tilts are looked at
_SHRINK = 0.4  # of the step, where no neighbour is better
_LAST = 0.06  # the search ends when the step is below this share of the spacing

_Beam = tuple[float, float, float, float, float]
# g, relative, beam, gamma
_Model = tuple["NDArray[np.float64]", "NDArray[np.float64]", _Beam, float]
# frame of the grid, pixel, smallest and largest length, sigma of a spot, reach squared, table,
# exponent
_View = tuple[
    "NDArray[np.float64]", float, float, float, float, float, "NDArray[np.float64]", float
]
# reflections nearby and their intensities, spots: xy, intensity, reflection, weight; starts, matrix
_Scratch = tuple[Any, Any, Any, Any, Any, Any, Any, Any]


@dataclass(frozen=True, eq=False)
class SpotModel:
    """What the refinement needs of one phase: reflections, optics, and what it is taken for.

    Attributes
    ----------
    g, relative
        Reflections: vectors (m, 3) in crystal axes, 1/angstrom, and |F|^2 of the strongest = 1.
    beam
        Radius of the Ewald sphere, pi x thickness (angstrom), precession (radians), reach and
        least intensity, as in :func:`napari_orient.diffraction.simulate.spots`.
    levelling
        gamma, exponent on the simulated intensities.
    axes, layers
        Zone axes (z, 3), unit vectors in crystal axes, and the distance (z,) from the zero layer
        to the next one that diffracts, 1/angstrom.
    pseudo
        (p, 4) operators of :func:`napari_orient.diffraction.matching.pseudo.pseudo_operators`.
    group
        (s, 4) proper rotations of the Laue class.
    """

    g: NDArray[np.float64]
    relative: NDArray[np.float64]
    beam: tuple[float, float, float, float, float]
    levelling: float
    axes: NDArray[np.float64]
    layers: NDArray[np.float64]
    pseudo: NDArray[np.float64]
    group: NDArray[np.float64]


class Refined(NamedTuple):
    """Candidates after refinement.

    Attributes
    ----------
    quaternions, score, phase_id
        (n, k, 4), (n, k) and (n, k); -inf and -1 where there is none.
    """

    quaternions: NDArray[np.float64]
    score: NDArray[np.float32]
    phase_id: NDArray[np.int32]


def spot_model(
    phase: Phase,
    source: Reflections,
    *,
    voltage_kv: float,
    thickness_nm: float,
    precession_deg: float,
    levelling: float = 0.5,
    max_excitation: float = 0.02,
    min_intensity: float = 1e-4,
) -> SpotModel:
    """Gather what the refinement needs of one phase.

    Parameters
    ----------
    phase
        With atoms and point group.
    source
        Its reflections to the largest length on the detector.
    voltage_kv, thickness_nm, precession_deg, max_excitation, min_intensity
        As in :func:`napari_orient.diffraction.simulate.spots`.
    levelling
        gamma, exponent on the simulated intensities.
    """
    beam = (
        1 / electron_wavelength(voltage_kv),
        math.pi * 10 * thickness_nm,
        math.radians(precession_deg),
        max_excitation,
        min_intensity,
    )
    axes, layers = _zone_axes(source.g, phase.structure.lattice.base)
    relative = source.intensity / source.intensity.max()
    pseudo, group = pseudo_operators(phase).operators, laue_operators(phase.point_group)
    return SpotModel(source.g, relative, beam, levelling, axes, layers, pseudo, group)


def refine(
    prepared: Prepared,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    quaternions: ArrayLike,
    phase_id: ArrayLike,
    positions: ArrayLike | None = None,
    *,
    spacing_deg: float = 1.0,
    thorough: bool = False,
) -> Refined:
    """Move candidates to the best orientation nearby.

    Parameters
    ----------
    prepared
        From :func:`napari_orient.diffraction.matching.polar.prepare`.
    grid
        The grid they were prepared with: which pixel is where, which lengths count, how wide a
        spot is.
    models
        One for each phase.
    quaternions, phase_id
        Candidates (n, k, 4), lab2crystal in the frame of the scan, and (n, k) their phases;
        negative: none.
    positions
        (n, 2) scan positions (y, x) in steps, for the descan; None takes the centre.
    spacing_deg
        Of the library they come from: they are moved by no more than 1.5 times that about each of
        the three axes.
    thorough
        Look at all tilts nearby first: in a thick foil the score has many maxima. Twice the time.

    Returns
    -------
    Refined
        In the same order. The score is -inf where there is no candidate.
    """
    ready = filtered(prepared, grid, positions)
    return climb(
        ready, grid, models, quaternions, phase_id, spacing_deg=spacing_deg, thorough=thorough
    )


class Filtered(NamedTuple):
    """Patterns as the search reads them.

    Attributes
    ----------
    images, norms
        (n, ky, kx) and |P| (n,).
    centres
        Beams (n, 2) in px.
    background
        (n, rings, 2) counts b, and b^power.
    brightest
        (n,) counts of the brightest spot over its background: the first guess of A.
    """

    images: NDArray[np.float32]
    norms: NDArray[np.float64]
    centres: NDArray[np.float64]
    background: NDArray[np.float64]
    brightest: NDArray[np.float64]

    def some(self, rows: NDArray[np.intp]) -> Filtered:
        """Return those of some patterns."""
        return Filtered(
            self.images[rows], self.norms[rows], self.centres[rows], self.background[rows],
            self.brightest[rows],
        )  # fmt: skip


def filtered(prepared: Prepared, grid: PolarGrid, positions: ArrayLike | None = None) -> Filtered:
    """Filter prepared patterns, once for all their candidates."""
    images, norms = _matched(prepared.images, grid)
    levels = prepared.levels.astype(np.float64)
    background = np.stack([levels ** (1 / grid.power), levels], axis=-1)
    top = prepared.images.max(axis=(1, 2)) + levels.mean(axis=1)
    brightest = top ** (1 / grid.power) - background[..., 0].mean(axis=1)
    return Filtered(
        images, norms, grid.centres(len(images), positions), background, np.maximum(brightest, 0),
    )  # fmt: skip


def climb(
    ready: Filtered,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    quaternions: ArrayLike,
    phase_id: ArrayLike,
    *,
    spacing_deg: float = 1.0,
    thorough: bool = False,
    move: bool = True,
) -> Refined:
    """Do what :func:`refine` does with filtered patterns; without ``move`` only score."""
    start = np.ascontiguousarray(quaternions, np.float64)
    number = np.ascontiguousarray(phase_id, np.int32)
    score, angles = np.full(number.shape, -np.inf, np.float32), np.zeros((*number.shape, 3))
    matrices = lab_to_crystal(np.where((number >= 0)[..., None], start, 1.0).reshape(-1, 4))
    matrices = matrices.reshape(*number.shape, 3, 3)
    view, spacing = _view(grid), math.radians(spacing_deg)
    last = _LAST * spacing if move else math.inf
    steps = (spacing / (4 if thorough else 2), last, 1.5 * spacing)
    around = _GRID if thorough and move else 0
    for index, one in enumerate(models):
        model = (one.g, one.relative, one.beam, one.levelling)
        wanted = number == index
        _refine_all(*ready, matrices, wanted, model, view, steps, around, angles, score)
    return Refined(multiply(start, _conjugate_of(angles)), score, number)


def likeness(
    ready: Filtered,
    grid: PolarGrid,
    model: SpotModel,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Correlation (n,) of the simulated patterns of two orientations (n, 4) each."""
    parts = (model.g, model.relative, model.beam, model.levelling)
    matrices = np.stack([lab_to_crystal(first), lab_to_crystal(second)], axis=1)
    found = np.empty(len(first))
    _compare(*ready, matrices, parts, _view(grid), found)
    return found


def _view(grid: PolarGrid) -> _View:
    pixel, by = 1 / math.sqrt(abs(float(np.linalg.det(grid.frame)))), _filter(grid)
    return grid.frame, pixel, grid.g[0], grid.g[-1], by.sigma, by.reach**2, by.table, grid.power


class _Filter(NamedTuple):
    """What a pattern is compared with; see the head of this module."""

    shape: tuple[int, int]  # of the padded patterns
    spectrum: NDArray[np.float32]  # K / (|K|^2 + noise), as rfft2 gives it
    weight: NDArray[np.float32]  # 1 / (|K|^2 + noise), doubled where rfft2 leaves out a half
    table: NDArray[np.float64]  # overlap of two spots over the square of their distance
    reach: float  # farther apart they do not overlap, 1/angstrom
    sigma: float  # of the gaussian most like the peak, 1/angstrom


@lru_cache(maxsize=8)
def _filter(grid: PolarGrid) -> _Filter:
    pixel = 1 / math.sqrt(abs(float(np.linalg.det(grid.frame))))
    reach = math.ceil(_REACH * grid.radius)
    ky, kx = (next_fast_len(n + reach, real=True) for n in grid.shape)
    rows, columns = np.fft.fftfreq(ky) * ky, np.fft.fftfreq(kx) * kx
    distance = np.hypot(rows[:, None], columns)
    spot = np.fft.rfft2(overlap(distance / grid.radius) ** grid.power)
    power = np.abs(spot) ** 2
    weight = 1 / (power + _NOISE * power.max())
    fine = np.fft.irfft2(power * weight, (ky, kx))
    norm = fine[0, 0]
    squares = (np.arange(_TABLE + 1) / _TABLE) * reach**2
    table = np.interp(np.sqrt(squares), np.arange(reach + 1), fine[0, : reach + 1] / norm)
    doubled = np.full(spot.shape[1], 2.0)
    doubled[0] = 1
    if kx % 2 == 0:
        doubled[-1] = 1
    half = float(np.interp(-math.exp(-0.5), -table, np.sqrt(squares)))
    return _Filter(
        (ky, kx),
        (spot.real * weight / norm).astype(np.float32),
        (weight * doubled / (norm * ky * kx)).astype(np.float32),
        table,
        reach * pixel,
        half * pixel / math.sqrt(2),
    )


def _matched(
    prepared: NDArray[np.float32], grid: PolarGrid
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the patterns filtered (n, ky, kx), and |P| (n,), in units of one spot."""
    by = _filter(grid)
    spectrum = rfft2(prepared, by.shape)
    norms = np.einsum("nyx,yx->n", np.abs(spectrum) ** 2, by.weight, dtype=np.float64)
    spectrum *= by.spectrum
    smooth = irfft2(spectrum, by.shape, overwrite_x=True)
    ky, kx = grid.shape
    return np.ascontiguousarray(smooth[:, :ky, :kx]), np.sqrt(norms)


def _conjugate_of(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quaternions (..., 4) that undo rotations by vectors (..., 3), radians."""
    half = np.linalg.norm(angles, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), -np.sinc(half / np.pi) * angles / 2], axis=-1)


def _zone_axes(
    g: NDArray[np.float64], direct: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of the zone axes up to indices of 3, and the distance to the next layer."""
    grid = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[len(grid) // 2 + 1 :]  # one of each pair uvw, -u-v-w; without 000
    grid = grid[np.gcd.reduce(grid, axis=1) == 1]
    axes = grid @ direct
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    height = np.abs(axes @ g.T)
    return axes, np.where(height > 1e-6, height, np.inf).min(axis=1)


def overlap(distance: ArrayLike) -> NDArray[np.float64]:
    """Share of two disks of radius 1 that is common, at a distance of their centres."""
    x = np.clip(np.asarray(distance, np.float64) / 2, 0, 1)
    shared: NDArray[np.float64] = 2 / np.pi * (np.arccos(x) - x * np.sqrt(1 - x * x))
    return shared


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _level(intensity: NDArray[np.float32], gamma: float) -> None:
    for i in range(len(intensity)):
        v = np.float64(intensity[i])
        intensity[i] = math.sqrt(v) if gamma == 0.5 else v**gamma  # the root is ten times as fast


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _place(
    image: NDArray[np.float32],
    centre: NDArray[np.float64],
    background: NDArray[np.float64],
    view: _View,
    n: int,
    xy: NDArray[np.float32],
    intensity: NDArray[np.float32],
    amplitude: float,
    weight: NDArray[np.float64],
) -> tuple[int, float]:
    """Move the spots that count to the front; return their number and the sum of T P."""
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
def _square_norm(
    view: _View, m: int, xy: NDArray[np.float32], weight: NDArray[np.float64]
) -> float:
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
def _value(
    image: NDArray[np.float32],
    centre: NDArray[np.float64],
    background: NDArray[np.float64],
    amplitude: float,
    start: NDArray[np.float64],
    angles: NDArray[np.float64],
    near: int,
    model: _Model,
    view: _View,
    scratch: _Scratch,
) -> float:
    """Score, not yet divided by |P|, of the crystal rotated by ``angles`` from the start."""
    _g, _relative, beam, gamma = model
    g, relative, xy, intensity, reflection, weight, starts, moved = scratch
    _turned(start, angles, moved)
    excite(moved, g[:near], relative[:near], beam, starts, xy, intensity, reflection)
    _level(intensity[: starts[1]], gamma)
    m, total = _place(image, centre, background, view, starts[1], xy, intensity, amplitude, weight)
    norm = _square_norm(view, m, xy, weight)
    return float(total / math.sqrt(norm)) if norm > 0 else -math.inf


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _amplitude(
    image: NDArray[np.float32],
    centre: NDArray[np.float64],
    background: NDArray[np.float64],
    amplitude: float,
    matrix: NDArray[np.float64],
    model: _Model,
    view: _View,
    scratch: _Scratch,
) -> float:
    """Counts of the strongest reflection for which <T, P> = <T, T>, from a first guess."""
    g, relative, beam, gamma = model
    _g, _relative, xy, intensity, reflection, weight, starts, moved = scratch
    moved[0] = matrix
    excite(moved, g, relative, beam, starts, xy, intensity, reflection)
    _level(intensity[: starts[1]], gamma)
    n = starts[1]
    for _ in range(_AMPLITUDES):
        n, total = _place(image, centre, background, view, n, xy, intensity, amplitude, weight)
        norm = _square_norm(view, n, xy, weight)
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
def _nearby(matrix: NDArray[np.float64], model: _Model, travel: float, scratch: _Scratch) -> int:
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
def _climb(
    image: NDArray[np.float32],
    centre: NDArray[np.float64],
    background: NDArray[np.float64],
    brightest: float,
    start: NDArray[np.float64],
    model: _Model,
    view: _View,
    scratch: _Scratch,
    steps: tuple[float, float, float],
    around: int,
    best: NDArray[np.float64],
) -> float:
    """Find the best small rotation ``best`` (3,); return its score, not yet divided by |P|.

    First all tilts up to ``around`` steps away. Then, along one axis after the other, both
    neighbours are looked at; a better one is taken, else the
    vertex of the parabola through the three, if it is better. Where no neighbour was better on any
    axis the step shrinks.
    """
    step, last, farthest = steps
    a = _amplitude(image, centre, background, brightest, start, model, view, scratch)
    near = _nearby(start, model, 2 * farthest, scratch)
    trial = np.zeros(3)
    best[:] = 0
    top = -math.inf
    for i in range(-around, around + 1):
        for j in range(-around, around + 1):
            trial[0], trial[1] = i * step, j * step
            value = _value(image, centre, background, a, start, trial, near, model, view, scratch)
            if value > top:
                best[:] = trial
                top = value
    trial[:] = best
    side = np.empty(2)
    while step >= last:
        moved = False
        for axis in range(3):
            for j in range(2):
                trial[axis] = best[axis] + (2 * j - 1) * step
                side[j] = _value(
                    image, centre, background, a, start, trial, near, model, view, scratch
                )
                if abs(trial[axis]) > farthest:
                    side[j] = -math.inf
            if max(side[0], side[1]) > top:
                better = 1 if side[1] > side[0] else 0
                best[axis] += (2 * better - 1) * step
                top = side[better]
                moved = True
            else:
                bend = side[0] + side[1] - 2 * top
                shift = (side[0] - side[1]) / (2 * bend) if -math.inf < bend < 0 else 0.0
                trial[axis] = best[axis] + step * shift
                value = _value(
                    image, centre, background, a, start, trial, near, model, view, scratch
                )
                if value > top:
                    best[axis], top = trial[axis], value
            trial[axis] = best[axis]
        if not moved:
            step *= _SHRINK
    return float(top)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _scratch(size: int) -> _Scratch:
    """Room for what is simulated of ``size`` reflections."""
    return (
        np.empty((size, 3)), np.empty(size), np.empty((size, 2), np.float32),
        np.empty(size, np.float32), np.empty(size, np.int32), np.empty(size),
        np.zeros(2, np.int64), np.empty((1, 3, 3)),
    )  # fmt: skip


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _refine_all(
    images: NDArray[np.float32],
    norms: NDArray[np.float64],
    centres: NDArray[np.float64],
    background: NDArray[np.float64],
    brightest: NDArray[np.float64],
    matrices: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    model: _Model,
    view: _View,
    steps: tuple[float, float, float],
    around: int,
    angles: NDArray[np.float64],
    score: NDArray[np.float32],
) -> None:
    """Fill ``angles`` (n, k, 3) and ``score`` (n, k) where candidates are wanted."""
    scratch = _scratch(len(model[0]))
    for i in range(len(images)):
        for k in range(wanted.shape[1]):
            if wanted[i, k] and norms[i] > 0:
                top = _climb(
                    images[i], centres[i], background[i], brightest[i],
                    matrices[i, k], model, view, scratch, steps, around, angles[i, k],
                )  # fmt: skip
                score[i, k] = top / norms[i]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _compare(
    images: NDArray[np.float32],
    _norms: NDArray[np.float64],
    centres: NDArray[np.float64],
    background: NDArray[np.float64],
    brightest: NDArray[np.float64],
    matrices: NDArray[np.float64],
    model: _Model,
    view: _View,
    found: NDArray[np.float64],
) -> None:
    """Fill ``found`` (n,) with sum T U / (|T| |U|) for pairs of matrices (n, 2, 3, 3)."""
    g, relative, beam, gamma = model
    reach, table = view[5], view[6]
    scale = (len(table) - 1) / reach
    size = len(g)
    xy, weight = np.empty((2, size, 2), np.float32), np.empty((2, size))
    scratch = _scratch(size)
    intensity, reflection = np.empty(size, np.float32), np.empty(size, np.int32)
    starts, number, norm = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2)
    for i in range(len(images)):
        a = brightest[i]
        for k in range(2):
            one = matrices[i, k : k + 1]
            a = _amplitude(images[i], centres[i], background[i], a, one[0], model, view, scratch)
            excite(one, g, relative, beam, starts, xy[k], intensity, reflection)
            _level(intensity[: starts[1]], gamma)
            number[k], _total = _place(
                images[i],
                centres[i],
                background[i],
                view,
                starts[1],
                xy[k],
                intensity,
                a,
                weight[k],
            )
            norm[k] = _square_norm(view, number[k], xy[k], weight[k])
        total = 0.0
        for m in range(number[0]):
            for n in range(number[1]):
                dx, dy = xy[0, m, 0] - xy[1, n, 0], xy[0, m, 1] - xy[1, n, 1]
                square = np.float64(dx * dx + dy * dy)
                if square < reach:
                    total += weight[0, m] * weight[1, n] * table[int(square * scale)]
        scaled = norm[0] * norm[1]
        found[i] = total / math.sqrt(scaled) if scaled > 0 else 0.0
