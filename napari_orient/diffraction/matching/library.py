"""What would each direction look like? Templates of a phase, as angular spectra on the rings.

A template turned in the plane by phi has the same spectrum times exp(-i m phi), its mirror image
the conjugate one. So a template is kept once, at in-plane angle 0, by the Fourier coefficients of
its rings, which follow from its spots directly: no pattern is drawn.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient.crystal.rotations import laue_operators, rotate
from napari_orient.diffraction.matching.directions import beam_directions, orientations_along
from napari_orient.diffraction.simulate import reflections, spots
from napari_orient.jobs import Every, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase
    from torch import Tensor

    from napari_orient.diffraction.matching.polar import PolarGrid
    from napari_orient.diffraction.simulate import Spots
    from napari_orient.jobs import Job

_BATCH = 256  # templates simulated at once
_CELL = 6**-0.5  # root mean square distance of a square's points from its middle, in its sides
_LEAST_SEEN = 0.2  # share of a template's power: less is no reason to raise its score further
_BEYOND = 2.0  # sigmas: spots so far outside the rings still touch them


@dataclass(frozen=True, eq=False)
class Library:
    """Templates of a phase; each stands for the pattern behind it (its mirror image) too.

    Attributes
    ----------
    phase
        With atoms and point group.
    grid
        Rings and modes of the spectra.
    quaternions
        (T, 4) float64, lab2crystal at in-plane angle 0.
    real, imag
        (M, n_g, T) spectra, in the number type of the search (bfloat16 where that is faster).
    rows
        (T, n_g, M, 2) the same spectra in float32, real and imaginary part last.
    operators
        (s, 4) proper rotations of the Laue class.
    neighbours
        (2 T, 8) templates (the second T are the mirrored ones) of the nearest directions.
    gain
        (2, n_phi, T) float32, one over the norm of what the detector sees of a turned template, and
        of its mirror image.
    """

    phase: Phase
    grid: PolarGrid
    quaternions: NDArray[np.float64]
    real: Tensor
    imag: Tensor
    rows: Tensor
    operators: NDArray[np.float64]
    neighbours: Tensor
    gain: Tensor

    def __len__(self) -> int:
        return len(self.quaternions)

    @property
    def nbytes(self) -> int:
        """Memory of the spectra in bytes."""
        return sum(
            t.numel() * t.element_size() for t in (self.real, self.imag, self.rows, self.gain)
        )


def pick_device(name: str) -> torch.device:
    """Return the device called "auto" (CUDA where there is one), "cpu" or "cuda".

    Raises
    ------
    ValueError
        If CUDA is asked for and missing.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is available: choose the device auto or cpu")
    return torch.device(name)


@cache
def search_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where it multiplies matrices at least twice as fast as float32.

    Measured, once: the matrix units of a graphics card, or AMX in a processor, are not told by any
    common name. Candidates are scored again in float32 whatever is returned.
    """
    if device.type == "cuda":
        return torch.bfloat16

    def fastest(dtype: torch.dtype) -> float:
        a = torch.ones(384, 384, dtype=dtype, device=device)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            torch.mm(a, a)
            times.append(time.perf_counter() - start)
        return min(times)

    return torch.bfloat16 if 2 * fastest(torch.bfloat16) < fastest(torch.float32) else torch.float32


def build_library(
    phase: Phase,
    grid: PolarGrid,
    *,
    voltage_kv: float,
    spacing_deg: float = 1.0,
    thickness_nm: float = 30.0,
    precession_deg: float = 0.0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> Job[Library]:
    """Simulate the templates of ``phase``.

    Parameters
    ----------
    phase
        With atoms and point group.
    grid
        From :func:`napari_orient.diffraction.matching.polar.polar_grid`; its power is applied.
    voltage_kv, thickness_nm, precession_deg
        As in :func:`napari_orient.diffraction.simulate.spots`.
    spacing_deg
        Between neighbouring beam directions.
    device
        Where the spectra are kept and searched.
    dtype
        Of the search; None takes :func:`search_dtype`.

    Yields
    ------
    Progress
        In templates.

    Raises
    ------
    ValueError
        If the phase has no atoms, no symmetry, or no reflection on the rings.

    Notes
    -----
    A template stands for all directions of its cell, so the cell's size is added to the precession
    (in squares). On 512 simulated patterns of LiNiO2 (15 nm, 0.6 degrees) this lifts the share
    whose best candidate is within 5 degrees from 68 to 73 % at a spacing of 2 degrees, from 51 to
    60 % at 3, and changes nothing at 1.
    """
    device = torch.device(device)
    source = reflections(phase, float(grid.g[-1]) + _BEYOND * grid.sigma)
    length = np.linalg.norm(source.g, axis=1)
    if not (length >= grid.g[0] - _BEYOND * grid.sigma).any():
        raise ValueError(
            f"{phase.name} has no reflection between {grid.g[0]:.3g} and {grid.g[-1]:.3g} "
            "1/angstrom, the lengths that count"
        )
    quaternions = orientations_along(beam_directions(phase.point_group, spacing_deg))
    total, show = len(quaternions), Every()
    rows = torch.empty((total, len(grid.g), grid.modes, 2), device=device)
    dtype = dtype or search_dtype(device)
    size = rows.numel() * (1 + dtype.itemsize / 4) + 2 * grid.n_phi * total  # numbers of 4 bytes
    text = f"simulating {total} templates of {phase.name} ({size / 2**18:.0f} MB)"
    yield Progress(0, total, text)
    for first in range(0, total, _BATCH):
        own = slice(first, first + _BATCH)
        found = spots(
            source,
            quaternions[own],
            voltage_kv,
            thickness_nm=thickness_nm,
            precession_deg=math.hypot(precession_deg, _CELL * spacing_deg),
        )
        rows[own] = spectra(found, grid).to(device)
        if show.due():
            yield Progress(first, total, text)
    operators = laue_operators(phase.point_group)
    real, imag = (rows[..., part].permute(2, 1, 0).to(dtype).contiguous() for part in (0, 1))
    return Library(
        phase=phase,
        grid=grid,
        quaternions=quaternions,
        real=real,
        imag=imag,
        rows=rows,
        operators=operators,
        neighbours=torch.from_numpy(_neighbours(quaternions, operators)).to(device),
        gain=_gain(rows, grid),
    )


def _neighbours(
    quaternions: NDArray[np.float64], operators: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Find the nearest templates on the sphere, equivalents and mirrored ones among them."""
    from scipy.spatial import cKDTree

    ahead = rotate(quaternions, np.array([0.0, 0.0, 1.0]))
    directions = np.concatenate([ahead, -ahead])
    images = rotate(operators[:, None], directions[None]).reshape(-1, 3)
    nearest = cKDTree(images).query(directions, k=9)[1] % len(directions)
    return np.asarray(nearest[:, 1:], np.int64)


def _gain(rows: Tensor, grid: PolarGrid) -> Tensor:
    """Find one over the norm (2, n_phi, T) of the seen part of turned templates, means taken off.

    With t on a ring and s = 1 where it is seen: the sum of s t^2 less (sum of s t)^2 / sum of s, as
    correlations of s with t^2 and with t; rings that are seen as a whole need none.
    """
    found = torch.ones((2, grid.n_phi, len(rows)), device=rows.device)
    if grid.seen.all():
        return found
    cut = torch.from_numpy(~grid.seen.all(1)).to(rows.device)
    whole = 2 * rows[:, ~cut].square().sum((1, 2, 3))
    seen = torch.from_numpy(grid.seen).to(rows)[cut]
    window, count = torch.fft.rfft(seen), seen.sum(1).clamp_min(1)
    for first in range(0, len(rows), _BATCH):
        own = slice(first, first + _BATCH)
        spectrum = torch.view_as_complex(rows[own][:, cut]) * grid.n_phi
        for side, values in enumerate((spectrum, spectrum.conj())):
            padded = torch.nn.functional.pad(values, (1, grid.n_phi // 2 - grid.modes))
            ring = torch.fft.irfft(padded, grid.n_phi)
            squares = torch.fft.rfft(ring**2).conj() * window
            power = torch.fft.irfft(squares.sum(1), grid.n_phi)
            mean = torch.fft.irfft(torch.fft.rfft(ring).conj() * window, grid.n_phi)
            power -= (mean**2 / count[:, None]).sum(1)
            share = whole[own, None] + power / grid.n_phi
            found[side, :, own] = share.clamp_min(_LEAST_SEEN).rsqrt().T
    return found


def spectra(found: Spots, grid: PolarGrid) -> Tensor:
    """Angular spectra (n, n_g, M, 2) of patterns of gaussian spots, of norm 1 (0 without spots).

    On ring g a spot at (g_s, phi_s) is exp(-(g - g_s)^2 / 2 sigma^2) times a gaussian of width
    sigma / g_s in the angle, whose coefficients are exp(-i m phi_s - (m sigma / g_s)^2 / 2) times
    sigma / g_s. Mode m counts for m and -m, mode 0 (the ring's mean) is left out, sqrt(g) weighs
    the rings as in :func:`napari_orient.diffraction.matching.polar.unroll`. Amplitudes are
    intensities to the grid's power.
    """
    g, phi, amplitude = _padded(found, grid)
    rings = torch.from_numpy(grid.g).float()
    m = torch.arange(1, grid.modes + 1, dtype=torch.float32)
    width = (grid.sigma / g)[..., None]
    radial = torch.exp(-((rings - g[..., None]) ** 2) / (2 * grid.sigma**2))
    strength = amplitude[..., None] * width * torch.exp(-((m * width) ** 2) / 2)
    turn = m * phi[..., None]
    angular = torch.stack([strength * turn.cos(), -strength * turn.sin()], -1).flatten(2)
    found_rows = (radial.transpose(1, 2) @ angular) * rings.sqrt()[:, None]
    norm = math.sqrt(2) * found_rows.flatten(1).norm(dim=1).clamp_min(1e-20)
    found_rows /= norm[:, None, None]
    return found_rows.reshape(*found_rows.shape[:2], grid.modes, 2)


def _padded(found: Spots, grid: PolarGrid) -> tuple[Tensor, Tensor, Tensor]:
    """Length, angle and amplitude (n, most spots) of spots on the rings; amplitude 0 pads."""
    beyond = _BEYOND * grid.sigma
    g = np.hypot(*found.xy.T)
    keep = (g > max(float(grid.g[0]) - beyond, 1e-6)) & (g < float(grid.g[-1]) + beyond)
    owner = np.repeat(np.arange(len(found)), np.diff(found.starts))[keep]
    count = np.bincount(owner, minlength=len(found))
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    xy, intensity = found.xy[keep], found.intensity[keep]

    def table(values: NDArray[Any], empty: float) -> Tensor:
        padded = np.full((len(found), max(1, int(count.max(initial=0)))), empty, np.float32)
        padded[owner, place] = values
        return torch.from_numpy(padded)

    return (
        table(g[keep], 1.0),
        table(np.arctan2(xy[:, 1], xy[:, 0]), 0.0),
        table(intensity**grid.power, 0.0),
    )
