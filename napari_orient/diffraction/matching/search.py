"""Which templates look most like a pattern? All of them compared, at all angles in the plane.

Per ring, turning is a shift: its correlation is a product of angular spectra. With P a pattern's
and T a template's, the correlation at angle phi is

    C(phi) = sum over rings and m > 0 of 2 Re(P_m conj(T_m) exp(i m phi)),

and that with the mirrored template has T_m in the place of conj(T_m). With P = a + ib, T = c + id
both are made of the sums over rings of ac, bc, ad, bd, real matrix products for each m:

    U = sum of 2 (ac cos(m phi) - bc sin(m phi)),  V = sum of 2 (bd cos(m phi) + ad sin(m phi)),

C = U + V, and U - V for the mirror image. The way back from modes to angles is a matrix product
too. The best of all are scored again in float32, their angles go below the step of the grid.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
import torch

from napari_orient.diffraction.matching.directions import behind, turned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_orient.diffraction.matching.library import Library
    from napari_orient.diffraction.matching.polar import PolarGrid

_PATTERNS = 64  # searched at once
_CELLS = {"cpu": 8192, "cuda": 2**21}  # patterns x templates of a block: buffers stay in the cache
_POOL = 24  # templates of each phase that are scored again
_COPIES = 3  # of their spectra at a time: themselves, and times the pattern's and its conjugate
_SLACK = 0.01  # a template this much below a neighbour may still be the best of the two
_APART = 2.5  # spacings between two candidates
_AWAY = 15.0  # degrees in the plane between the best angle of a template and its second


class Candidates(NamedTuple):
    """The best k solutions of n patterns, best first.

    Attributes
    ----------
    quaternions
        (n, k, 4) float64, lab2crystal in the frame of the scan; NaN where there are fewer.
    score
        (n, k) float32 normalised correlation on the rings, -1 to 1; -inf where there are fewer.
    phase_id
        (n, k) int32, index into the libraries; -1 where there are fewer.
    """

    quaternions: NDArray[np.float64]
    score: NDArray[np.float32]
    phase_id: NDArray[np.int32]


def search(
    values: NDArray[np.float32],
    libraries: Sequence[Library],
    k: int = 5,
    *,
    spacing_deg: float = 1.0,
    memory_mb: int = 1000,
) -> Candidates:
    """Compare patterns with all templates of all phases.

    Parameters
    ----------
    values
        (n, n_g, n_phi) patterns on the rings of the libraries' grid, from
        :func:`napari_orient.diffraction.matching.polar.unroll`.
    libraries
        One for each phase, of one grid and on one device.
    k
        Candidates of each pattern. They are distinct: more than 2.5 spacings apart after symmetry.
    spacing_deg
        Of the libraries.
    memory_mb
        Bound of the working memory, beside the libraries.

    Raises
    ------
    ValueError
        If there is no library, or the patterns lie on other rings.
    """
    if not libraries:
        raise ValueError("no phase to search for")
    grid = libraries[0].grid
    if values.shape[1:] != (len(grid.g), grid.n_phi):
        raise ValueError("the patterns were unrolled on other rings than the library's")
    if not len(values):
        return Candidates(
            np.empty((0, k, 4)), np.empty((0, k), np.float32), np.empty((0, k), np.int32)
        )
    parts = [
        _search_block(
            values[first : first + _PATTERNS], libraries, k, _APART * spacing_deg, memory_mb
        )
        for first in range(0, len(values), _PATTERNS)
    ]
    return Candidates(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _search_block(
    values: NDArray[np.float32],
    libraries: Sequence[Library],
    k: int,
    apart_deg: float,
    memory_mb: int,
) -> Candidates:
    patterns = _spectra(values, libraries[0])
    found = [_search_phase(patterns, library, k, apart_deg, memory_mb) for library in libraries]
    quaternions = np.concatenate([q for q, _ in found], axis=1)
    score = np.concatenate([s for _, s in found], axis=1)
    phase_id = np.repeat(np.arange(len(libraries), dtype=np.int32), k)[None].repeat(len(score), 0)
    best = np.argsort(-score, axis=1, kind="stable")[:, :k]
    score = np.take_along_axis(score, best, 1)
    phase_id = np.where(np.isfinite(score), np.take_along_axis(phase_id, best, 1), -1)
    return Candidates(
        np.take_along_axis(quaternions, best[..., None], 1), score, phase_id.astype(np.int32)
    )


def _spectra(values: NDArray[np.float32], library: Library) -> Tensor:
    """Angular spectra (n, n_g, M, 2) of patterns on rings, of norm 1 (0 for empty patterns)."""
    grid = library.grid
    turn = np.outer(grid.phi, np.arange(1, grid.modes + 1))
    transform = np.stack([np.cos(turn), -np.sin(turn)], -1).reshape(grid.n_phi, -1)
    device = library.rows.device
    found = torch.from_numpy(values).to(device) @ torch.from_numpy(transform).float().to(device)
    norm = math.sqrt(2) * found.flatten(1).norm(dim=1).clamp_min(1e-20)
    found /= norm[:, None, None]
    return found.reshape(*found.shape[:2], grid.modes, 2)


def _search_phase(
    patterns: Tensor, library: Library, k: int, apart_deg: float, memory_mb: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return quaternions (n, k, 4) and scores (n, k) of one phase."""
    coarse = _best_over_angles(patterns, library, memory_mb)
    pool = _peaks(coarse, library.neighbours)
    angle, score = _scored_again(patterns, library, pool, memory_mb)
    template = (pool % len(library)).cpu().numpy()
    mirrored = (pool >= len(library)).cpu().numpy()
    # the mirror image turned by phi is the crystal behind, turned by phi
    base = library.quaternions[template]
    base = np.where(mirrored[..., None], behind(base), base)
    quaternions = turned(base[:, :, None], angle).reshape(len(base), -1, 4)
    heights = score.reshape(len(base), -1)
    found: tuple[NDArray[np.float64], NDArray[np.float32]] = _distinct(
        quaternions, heights, library.operators, k, math.radians(apart_deg)
    )
    return found


def _best_over_angles(patterns: Tensor, library: Library, memory_mb: int) -> Tensor:
    """Largest correlation (2 T, n) over all angles with each template, then each mirror image."""
    n, total, dtype = len(patterns), len(library), library.real.dtype
    grid = library.grid
    sides = patterns.permute(2, 3, 0, 1).reshape(grid.modes, 2 * n, len(grid.g)).to(dtype)
    to_u, to_v = _to_angles(grid, patterns.device, dtype)
    cell = (4 * grid.modes + 4 * grid.n_phi) * sides.element_size()
    cells = min(_CELLS[patterns.device.type], memory_mb * 2**20 // cell)
    step = max(16, cells // n)
    best = torch.empty((2, n, total), device=patterns.device)
    for first in range(0, total, step):
        own = slice(first, first + step)
        u = to_u @ torch.bmm(sides, library.real[..., own]).view(2 * grid.modes, -1)
        v = to_v @ torch.bmm(sides, library.imag[..., own]).view(2 * grid.modes, -1)
        shape, gain = (grid.n_phi, n, -1), library.gain[..., own].contiguous()
        best[..., own] = _highest(u.view(shape), v.view(shape), gain)
    return best.permute(0, 2, 1).reshape(2 * total, n)


def _highest(u: Tensor, v: Tensor, gain: Tensor) -> Tensor:
    """Largest (2, n, t) over angles of u + v and u - v (n_phi, n, t), times the gain."""
    if u.is_cuda:
        return _highest_in_torch(u, v, gain)
    found = torch.full((2, *u.shape[1:]), -torch.inf)
    bits, shift = (torch.int16, 16) if u.dtype == torch.bfloat16 else (torch.int32, 0)
    _highest_on_cpu(u.view(bits).numpy(), v.view(bits).numpy(), shift, gain.numpy(), found.numpy())
    return found


def _highest_in_torch(u: Tensor, v: Tensor, gain: Tensor) -> Tensor:
    both = ((u + v) * gain[0][:, None], (u - v) * gain[1][:, None])
    return torch.stack([side.amax(0) for side in both]).float()


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _highest_on_cpu(
    u: NDArray[Any], v: NDArray[Any], shift: int, gain: NDArray[np.float32],
    found: NDArray[np.float32],
) -> None:  # fmt: skip
    """Do it in one pass: ten times as fast as torch. Numbers come as the first bits of float32."""
    up = np.int32(shift)
    for i in range(u.shape[1]):
        plus, minus = found[0, i], found[1, i]
        for angle in range(u.shape[0]):
            us, vs, ahead, image = u[angle, i], v[angle, i], gain[0, angle], gain[1, angle]
            for t in range(u.shape[2]):
                a = np.int32(np.int32(us[t]) << up).view(np.float32)
                b = np.int32(np.int32(vs[t]) << up).view(np.float32)
                p, m = (a + b) * ahead[t], (a - b) * image[t]
                plus[t] = p if p > plus[t] else plus[t]
                minus[t] = m if m > minus[t] else minus[t]


def _peaks(coarse: Tensor, neighbours: Tensor) -> Tensor:
    """Templates (n, p) that are the best of their neighbourhood, from scores (2 T, n)."""
    around = coarse[neighbours[:, 0]]
    for column in neighbours.T[1:]:
        torch.maximum(around, coarse[column], out=around)
    peaks = torch.where(coarse >= around - _SLACK, coarse, coarse - 2)
    return peaks.topk(min(_POOL, len(coarse)), dim=0).indices.T


def _to_angles(grid: PolarGrid, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Matrices (n_phi, 2 M) that take products with a and b, for each m, to U and to V."""
    turn = np.outer(grid.phi, np.arange(1, grid.modes + 1))
    cos, sin = 2 * np.cos(turn), 2 * np.sin(turn)
    u = np.stack([cos, -sin], -1).reshape(grid.n_phi, -1)
    v = np.stack([sin, cos], -1).reshape(grid.n_phi, -1)
    return tuple(torch.from_numpy(w).to(device, dtype) for w in (u, v))  # type: ignore[return-value]


def _scored_again(
    patterns: Tensor, library: Library, pool: Tensor, memory_mb: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Two best angles (n, p, 2) in radians with the templates of the pool (n, p), and scores."""
    grid = library.grid
    size = _COPIES * 8 * pool.shape[1] * len(grid.g) * grid.modes  # bytes of one pattern
    step = max(1, memory_mb * 2**20 // size)
    parts = [
        _best_angles(_curves(patterns[own], library, pool[own]))
        for own in (slice(first, first + step) for first in range(0, len(pool), step))
    ]
    angle, score = (np.concatenate(part) for part in zip(*parts, strict=True))
    return angle, score


def _curves(patterns: Tensor, library: Library, pool: Tensor) -> Tensor:
    """Correlation (n, p, n_phi) with the templates of the pool at all angles, in float32."""
    grid, template, mirrored = library.grid, pool % len(library), pool >= len(library)
    rows = torch.view_as_complex(library.rows)[template]
    p = torch.view_as_complex(patterns.contiguous())[:, None]
    ahead, image = (torch.view_as_real((side * rows).sum(2)) for side in (p.conj(), p))
    # the sum of P conj(T), and for a mirrored template that of P T
    ahead[..., 1] *= -1
    modes = torch.where(mirrored[..., None, None], image, ahead)
    to_angles, _ = _to_angles(grid, patterns.device, torch.float32)
    return (modes.flatten(2) @ to_angles.T) * library.gain[mirrored.long(), :, template]


def _best_angles(curves: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Two best angles (n, p, 2) in radians on each curve (n, p, n_phi), and their heights."""
    n_phi = curves.shape[-1]
    step = 2 * math.pi / n_phi
    away = math.ceil(math.radians(_AWAY) / step)
    first = curves.argmax(-1, keepdim=True)
    distance = (torch.arange(n_phi, device=curves.device) - first) % n_phi
    far = (distance >= away) & (distance <= n_phi - away)
    peak = (curves >= curves.roll(1, -1)) & (curves >= curves.roll(-1, -1)) & far
    others = torch.where(peak, curves, -torch.inf)
    index = torch.cat([first, others.argmax(-1, keepdim=True)], -1)
    shift, height = _parabola(curves, index)
    height[..., 1].masked_fill_(~peak.any(-1), -torch.inf)
    return ((index + shift) * step).double().cpu().numpy(), height.cpu().numpy()


def _parabola(curves: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Where between samples (-0.5 to 0.5), and how high, the parabola through three of them is."""
    n = curves.shape[-1]
    left, middle, right = (curves.gather(-1, (index + d) % n) for d in (-1, 0, 1))
    bend = (2 * middle - left - right).clamp_min(1e-12)
    shift = ((right - left) / (2 * bend)).clamp(-0.5, 0.5)
    return shift, middle + 0.25 * (right - left) * shift


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _distinct(
    quaternions: NDArray[np.float64],
    score: NDArray[np.float32],
    operators: NDArray[np.float64],
    k: int,
    apart: float,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Take the best, then each next that is farther than ``apart`` from all taken, up to k."""
    n = len(quaternions)
    taken = np.full((n, k, 4), np.nan)
    heights = np.full((n, k), -np.inf, np.float32)
    images = np.empty((k, len(operators), 4))
    least = math.cos(apart / 2)
    for i in range(n):
        count = 0
        for j in np.argsort(-score[i]):
            if count == k or score[i, j] == -np.inf:
                break
            q = quaternions[i, j]
            near = False
            for t in range(count):
                for s in range(len(operators)):
                    image = images[t, s]
                    dot = image[0] * q[0] + image[1] * q[1] + image[2] * q[2] + image[3] * q[3]
                    near = near or abs(dot) > least
            if near:
                continue
            for s in range(len(operators)):
                w, x, y, z = operators[s]
                images[count, s, 0] = w * q[0] - x * q[1] - y * q[2] - z * q[3]
                images[count, s, 1] = w * q[1] + x * q[0] + y * q[3] - z * q[2]
                images[count, s, 2] = w * q[2] - x * q[3] + y * q[0] + z * q[1]
                images[count, s, 3] = w * q[3] + x * q[2] - y * q[1] + z * q[0]
            taken[i, count] = q
            heights[i, count] = score[i, j]
            count += 1
    return taken, heights
