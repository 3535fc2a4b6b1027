"""What does the pattern of a crystal in a given orientation look like? Kinematical spots, images.

Three steps: :func:`reflections` of a phase, :func:`spots` of many orientations, and
:func:`pattern_images` on a detector. Frame: x right, y down, z into the page; an orientation is
orix's lab2crystal, what diffsims takes as ``calculate_diffraction2d(rotation=)``; a spot at (x, y)
is painted at column = centre + x / pixel size, row = centre + y / pixel size. As in diffsims the
Ewald sphere has its centre on +z: with z into the page the beam comes out of it, to the viewer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numba
import numpy as np

from napari_orient.data.scan import electron_wavelength

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

Profile = Literal["disk", "gaussian"]


@dataclass(frozen=True)
class Reflections:
    """Reciprocal lattice points of a phase that diffract, without (000).

    Attributes
    ----------
    hkl
        Miller indices (n, 3).
    g
        Vectors (n, 3) in 1/angstrom in the crystal's cartesian axes (e1 || a, e3 || c*).
    intensity
        |F|^2 (n,) in angstrom^2, F of one unit cell with electron scattering factors.
    """

    hkl: NDArray[np.int32]
    g: NDArray[np.float64]
    intensity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hkl)


def reflections(
    phase: Phase,
    max_g: float = 1.5,
    *,
    min_intensity: float = 1e-6,
    debye_waller: Mapping[str, float] | None = None,
) -> Reflections:
    """Find the reflections of ``phase`` up to ``max_g``.

    Parameters
    ----------
    phase
        With all atoms of the unit cell, as :func:`napari_orient.crystal.phases.get_phase` gives it.
    max_g
        Largest length of a reciprocal vector, 1/angstrom.
    min_intensity
        Reflections weaker than this share of the strongest are forbidden ones, and left out.
        Where the strongest is weaker than this share of F(000)^2, it is forbidden itself.
    debye_waller
        B factors in angstrom^2 by element.

    Raises
    ------
    ValueError
        If the phase has no atoms, or no reflection that is not forbidden lies within ``max_g``.

    Notes
    -----
    Scattering factors of Lobato and van Dyck, Acta Cryst. A 70 (2014) 636, through diffsims. The
    indices are listed here: on oblique cells orix and diffsims stop at the highest (h00), (0k0) and
    miss, for example, (-240) of LiNiO2 at 1.39 1/angstrom when asked for 1.5.
    """
    from diffsims.utils.sim_utils import get_kinematical_intensities

    if not len(phase.structure):
        raise ValueError(f"the phase {phase.name!r} has no atoms: read it from a .cif file")
    base = phase.structure.lattice.base
    # |h| = |g . a| <= |g| |a|
    highest = np.floor(max_g * np.linalg.norm(base, axis=1) + 1e-9).astype(int)
    axes = [np.arange(-n, n + 1) for n in highest]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    g = hkl @ np.linalg.inv(base).T
    length = np.linalg.norm(g, axis=1)
    keep = (length <= max_g) & (length > 0)
    hkl, g, length = hkl[keep], g[keep], length[keep]
    # (000) goes along: beside it, forbidden ones show that they are, even if there are no others
    intensity = get_kinematical_intensities(
        phase.structure,
        np.concatenate([np.zeros((1, 3), int), hkl]),
        np.concatenate([[0.0], length]),
        debye_waller_factors=dict(debye_waller or {}),
    )
    whole, intensity = intensity[0], intensity[1:]
    strongest = intensity.max(initial=0.0)
    if not strongest > min_intensity * whole:
        raise ValueError(f"{phase.name} has no reflection within {max_g} 1/angstrom")
    allowed = intensity > min_intensity * strongest
    return Reflections(hkl[allowed].astype(np.int32), g[allowed], intensity[allowed])


@dataclass(frozen=True)
class Spots:
    """Spots of N patterns, one after the other; pattern i owns ``starts[i]:starts[i + 1]``.

    Attributes
    ----------
    starts
        (N + 1,) borders between patterns.
    xy
        (M, 2) positions in 1/angstrom, x right, y down.
    intensity
        (M,) relative to the strongest reflection of the phase, fully excited.
    reflection
        (M,) index into ``hkl``.
    hkl
        Miller indices of all reflections of the phase.
    """

    starts: NDArray[np.int64]
    xy: NDArray[np.float32]
    intensity: NDArray[np.float32]
    reflection: NDArray[np.int32]
    hkl: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def pattern(
        self, index: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """Return positions (m, 2), intensities (m,) and hkl (m, 3) of one pattern."""
        own = slice(self.starts[index], self.starts[index + 1])
        return self.xy[own], self.intensity[own], self.hkl[self.reflection[own]]


def spots(
    source: Reflections,
    quaternions: ArrayLike,
    voltage_kv: float = 300.0,
    *,
    thickness_nm: float = 20.0,
    precession_deg: float = 0.0,
    max_excitation: float = 0.02,
    min_intensity: float = 1e-4,
) -> Spots:
    """Find the spots of crystals in many orientations.

    Parameters
    ----------
    source
        From :func:`reflections`.
    quaternions
        (N, 4) or (4,), scalar first, orix's lab2crystal.
    voltage_kv
        Acceleration voltage: the radius of the Ewald sphere.
    thickness_nm
        Foil thickness; the rocking curve is a Lorentzian 1 / (1 + (pi s t)^2).
    precession_deg
        Precession angle; the Lorentzian is averaged over the revolution of the beam.
    max_excitation
        Largest |s| in 1/angstrom (at the closest approach, with precession).
    min_intensity
        Weaker spots (relative) are left out.

    Raises
    ------
    ValueError
        If an angle, length or voltage is out of range, or quaternions do not have four components.

    Notes
    -----
    Palatinus et al., Acta Cryst. B 75 (2019) 512, equations 6 and 10, with the mean of the
    Lorentzian over the revolution normalised to 1 at s = 0 without precession.
    """
    if not (voltage_kv > 0 and thickness_nm > 0 and max_excitation > 0 and precession_deg >= 0):
        raise ValueError("voltage, thickness and excitation must be positive, precession >= 0")
    rotations = np.atleast_2d(np.asarray(quaternions, dtype=np.float64))
    if rotations.ndim != 2 or rotations.shape[1] != 4:
        raise ValueError(f"quaternions must have shape (N, 4), not {rotations.shape}")
    relative = source.intensity / source.intensity.max()
    beam = (
        1 / electron_wavelength(voltage_kv),
        math.pi * 10 * thickness_nm,
        math.radians(precession_deg),
        max_excitation,
        min_intensity,
    )
    matrices = lab_to_crystal(rotations)
    starts = np.zeros(len(rotations) + 1, dtype=np.int64)
    xy = np.zeros((0, 2), np.float32)
    intensity = np.zeros(0, np.float32)
    reflection = np.zeros(0, np.int32)
    excite(matrices, source.g, relative, beam, starts, xy, intensity, reflection)
    total = int(starts[-1])
    xy, intensity = np.zeros((total, 2), np.float32), np.zeros(total, np.float32)
    reflection = np.zeros(total, np.int32)
    excite(matrices, source.g, relative, beam, starts, xy, intensity, reflection)
    return Spots(starts, xy, intensity, reflection, source.hkl)


def lab_to_crystal(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (N, 3, 3) of quaternions (N, 4): crystal vector = matrix @ lab vector.

    Raises
    ------
    ValueError
        If a quaternion is zero, or not finite.
    """
    norm = np.linalg.norm(quaternions, axis=1, keepdims=True)
    if not (np.isfinite(norm).all() and (norm > 0).all()):
        raise ValueError("quaternions must be finite and not zero")
    a, b, c, d = (quaternions / norm).T
    rows = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a - b * b + c * c - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a - b * b - c * c + d * d],
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(rows), -1, 0))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def excite(
    matrices: NDArray[np.float64],
    g: NDArray[np.float64],
    relative: NDArray[np.float64],
    beam: tuple[float, float, float, float, float],
    starts: NDArray[np.int64],
    xy: NDArray[np.float32],
    intensity: NDArray[np.float32],
    reflection: NDArray[np.int32],
) -> None:
    """Count the spots of each pattern into ``starts``; write them too, where there is room.

    :func:`spots` for compiled code. ``matrices`` (N, 3, 3) from :func:`lab_to_crystal`; ``g``
    (R, 3) and ``relative`` (R,) of the reflections; ``beam``: the radius of the Ewald sphere
    (1/angstrom), pi times the thickness (angstrom), precession (radians), largest |s| (1/angstrom)
    and least intensity. ``starts`` (N + 1,) begins with 0. ``xy`` (M, 2), ``intensity`` and
    ``reflection`` (M,) must hold all spots, or none.
    """
    radius, sigma, tilt, reach, least = beam
    write = len(intensity) > 0
    n = 0
    for i in range(len(matrices)):
        m = matrices[i]
        for j in range(len(g)):
            z = m[0, 2] * g[j, 0] + m[1, 2] * g[j, 1] + m[2, 2] * g[j, 2]
            square = g[j, 0] ** 2 + g[j, 1] ** 2 + g[j, 2] ** 2 - z * z  # x^2 + y^2
            sweep = math.sqrt(max(square, 0.0)) * tilt
            # distance to the Ewald sphere along the beam; the sphere curves towards +z
            s = radius - math.sqrt(max(radius * radius - square, 0.0)) - z
            if abs(s) > reach + sweep:
                continue
            u = sigma * sigma * (sweep * sweep - s * s) + 1
            w = math.sqrt(u * u + 4 * sigma * sigma * s * s)
            value = relative[j] * math.sqrt((u + w) / 2) / w
            if value < least:
                continue
            if write:
                xy[n, 0] = m[0, 0] * g[j, 0] + m[1, 0] * g[j, 1] + m[2, 0] * g[j, 2]
                xy[n, 1] = m[0, 1] * g[j, 0] + m[1, 1] * g[j, 1] + m[2, 1] * g[j, 2]
                intensity[n] = value
                reflection[n] = j
            n += 1
        starts[i + 1] = n


def pattern_images(
    drawn: Spots,
    shape: tuple[int, int] = (128, 128),
    pixel_size: float = 0.02,
    *,
    centre: tuple[float, float] | None = None,
    radius: float = 0.08,
    profile: Profile = "disk",
    spot_counts: float = 1.0,
    direct_counts: float = 0.0,
    background_counts: float = 0.0,
    background_width: float = 0.35,
    power: float = 1.0,
    noise_seed: int | None = None,
    first: int = 0,
    dtype: Any = np.float32,
) -> NDArray[Any]:
    """Draw patterns on a detector.

    Parameters
    ----------
    drawn
        From :func:`spots`.
    shape
        (ky, kx) pixels of a pattern.
    pixel_size
        1/angstrom.
    centre
        (ky, kx) of the direct beam in pixels, integers are pixel centres; default N/2.
    radius
        Of a disk (convergence half angle / wavelength), or the sigma of a gaussian, 1/angstrom.
    spot_counts
        Electrons in a spot of relative intensity 1.
    direct_counts, background_counts
        Electrons in the direct beam and in the whole diffuse background.
    background_width
        Width of the background, a Lorentzian to the power 3/2 around the beam, 1/angstrom.
    power
        Exponent on the relative intensities: below 1 it imitates the levelling of dynamical
        scattering.
    noise_seed
        Draw Poisson noise with this seed; None gives the expected counts.
    first
        Number of the first pattern in a longer series: noise depends on seed and number alone,
        not on how the series was cut.
    dtype
        Integers are clipped at their maximum, like a saturated camera.

    Returns
    -------
    numpy.ndarray
        (N, ky, kx) counts.

    Raises
    ------
    ValueError
        If a size is not positive, or counts are negative.
    """
    if min(shape) < 1 or not (pixel_size > 0 and radius > 0 and background_width > 0):
        raise ValueError("shape, pixel size, radius and background width must be positive")
    if min(spot_counts, direct_counts, background_counts) < 0:
        raise ValueError("counts cannot be negative")
    middle = centre or (shape[0] / 2, shape[1] / 2)
    static = background_counts * _background(shape, middle, background_width / pixel_size)
    size = radius / pixel_size
    soft = profile == "gaussian"
    _stamp(static, middle[0], middle[1], size, soft, direct_counts)
    places = drawn.xy[:, ::-1].astype(np.float64) / pixel_size + np.array(middle)
    counts = spot_counts * drawn.intensity.astype(np.float64) ** power
    images = np.empty((len(drawn), *shape), dtype=dtype)
    top = float(np.iinfo(images.dtype).max) if images.dtype.kind in "ui" else np.inf
    noisy = noise_seed is not None
    seed = np.uint64((noise_seed or 0) & 0xFFFFFFFFFFFFFFFF)
    _draw(images, static, drawn.starts, places, counts, size, soft, top, noisy, seed, first)
    return images


def _background(
    shape: tuple[int, int], middle: tuple[float, float], width: float
) -> NDArray[np.float64]:
    """Diffuse scattering (ky, kx) with sum 1."""
    ky, kx = np.ogrid[: shape[0], : shape[1]]
    square = (ky - middle[0]) ** 2 + (kx - middle[1]) ** 2
    image: NDArray[np.float64] = (1 + square / width**2) ** -1.5
    image /= image.sum()
    return image


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _stamp(
    image: NDArray[np.float64], row: float, column: float, size: float, soft: bool, counts: float
) -> None:
    """Add a disk with soft edges, or a gaussian, of ``counts`` in total (outside is lost)."""
    reach = 4 * size if soft else size + 1
    low_r, high_r = math.ceil(row - reach), math.floor(row + reach)
    low_c, high_c = math.ceil(column - reach), math.floor(column + reach)
    norm = 0.0
    for add in (False, True):
        for r in range(low_r, high_r + 1):
            for c in range(low_c, high_c + 1):
                square = (r - row) ** 2 + (c - column) ** 2
                if soft:
                    value = math.exp(-square / (2 * size * size))
                else:
                    value = min(max(size + 0.5 - math.sqrt(square), 0.0), 1.0)
                if not add:
                    norm += value
                elif 0 <= r < image.shape[0] and 0 <= c < image.shape[1]:
                    image[r, c] += counts * value / norm
        if norm == 0.0:  # smaller than a pixel and between pixels
            return


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _draw(
    images: NDArray[Any],
    static: NDArray[np.float64],
    starts: NDArray[np.int64],
    places: NDArray[np.float64],
    counts: NDArray[np.float64],
    size: float,
    soft: bool,
    top: float,
    noisy: bool,
    seed: np.uint64,
    first: int,
) -> None:
    image = np.empty_like(static)
    none = np.exp(-static)  # Poisson's chance of no electron; exp is the dear part
    for i in range(len(images)):
        image[:] = static
        for n in range(starts[i], starts[i + 1]):
            _stamp(image, places[n, 0], places[n, 1], size, soft, counts[n])
        state = _mix(seed ^ _mix(np.uint64(first + i + 1)))
        for r in range(image.shape[0]):
            for c in range(image.shape[1]):
                value = image[r, c]
                if noisy:
                    chance = none[r, c] if value == static[r, c] else math.exp(-value)
                    state, value = _poisson(state, value, chance)
                images[i, r, c] = min(value, top)


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _mix(state: np.uint64) -> np.uint64:
    """One step of splitmix64 (Steele, Lea and Flood, 2014)."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _poisson(state: np.uint64, mean: float, chance: float) -> tuple[np.uint64, float]:
    """Return the next state and a Poisson number; ``chance`` is exp(-mean).

    By inversion; above 60 a rounded normal number, whose skew would not be seen.
    """
    state = state + np.uint64(0x9E3779B97F4A7C15)
    uniform = (np.float64(_mix(state) >> np.uint64(11)) + 0.5) * 2.0**-53
    if mean > 60.0:
        state = state + np.uint64(0x9E3779B97F4A7C15)
        angle = np.float64(_mix(state) >> np.uint64(11)) * 2.0**-53 * 2 * math.pi
        normal = math.sqrt(-2 * math.log(uniform)) * math.cos(angle)
        return state, max(0.0, np.floor(mean + math.sqrt(mean) * normal + 0.5))
    number = 0.0
    while uniform > chance and number < 200.0:
        uniform -= chance
        number += 1.0
        chance *= mean / number
    return state, number
