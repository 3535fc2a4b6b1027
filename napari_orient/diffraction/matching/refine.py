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
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.fft import next_fast_len

from napari_orient.crystal.rotations import laue_operators, multiply
from napari_orient.data.scan import electron_wavelength
from napari_orient.diffraction.matching.climbing import climb_all
from napari_orient.diffraction.matching.pseudo import pseudo_operators
from napari_orient.diffraction.simulate import lab_to_crystal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.diffraction.matching.kernel import Model, View
    from napari_orient.diffraction.matching.polar import PolarGrid, Prepared
    from napari_orient.diffraction.simulate import Reflections

_NOISE = 0.1  # of the largest |K|^2; 0.03 to 0.3 decide alike
_REACH = 4.0  # radii of a disk: spots farther apart do not overlap
_TABLE = 1024  # steps of the overlap over the square of the distance
_GRID = 3  # steps of a quarter of the spacing to each side, where all tilts are looked at
_TOGETHER = 8  # patterns that are filtered at once: they fit the cache
_LAST = 0.06  # the search ends when the step is below this share of the spacing


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
    matrices = matrices_of(np.where((number >= 0)[..., None], start, 1.0))
    view, spacing = view_of(grid), math.radians(spacing_deg)
    last = _LAST * spacing if move else math.inf
    steps = (spacing / (4 if thorough else 2), last, 1.5 * spacing)
    around = _GRID if thorough and move else 0
    for index, one in enumerate(models):
        wanted = number == index
        climb_all(*ready, matrices, wanted, parts_of(one), view, steps, around, angles, score)
    return Refined(multiply(start, _conjugate_of(angles)), score, number)


def parts_of(model: SpotModel) -> Model:
    """Return what the compiled part needs of a phase."""
    return model.g, model.relative, model.beam, model.levelling


def matrices_of(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lab-to-crystal matrices (n, k, 3, 3) of (n, k, 4)."""
    return lab_to_crystal(quaternions.reshape(-1, 4)).reshape(*quaternions.shape[:2], 3, 3)


def view_of(grid: PolarGrid) -> View:
    """Return what the compiled part needs of the grid."""
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
    ky, kx = grid.shape
    images, norms = np.empty(prepared.shape, np.float32), np.empty(len(prepared))
    weight, filters = torch.from_numpy(by.weight), torch.from_numpy(by.spectrum)
    for i in range(0, len(prepared), _TOGETHER):
        spectrum = torch.fft.rfft2(torch.from_numpy(prepared[i : i + _TOGETHER]), by.shape)
        squares = torch.view_as_real(spectrum).square().sum(-1)
        norms[i : i + _TOGETHER] = (squares * weight).sum((1, 2), dtype=torch.float64).sqrt()
        smooth = torch.fft.irfft2(spectrum.mul_(filters), by.shape)
        images[i : i + _TOGETHER] = smooth[:, :ky, :kx]
    return images, norms


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
