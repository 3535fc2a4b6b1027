"""Which reflections light up, in many orientations at once? Kinematical spots in torch, batched.

The same physics, frame and units as ``simulate.spots`` (one pattern after the other, compiled, in
double precision), on any device and without a loop. Voltage and limits are one for all; thickness,
precession and Debye-Waller factor may be one number or a tensor (N,) with one for each pattern,
which is what training asks for. Float64 quaternions give the same spots to 1e-6, float32 ones to
1e-4 of the strongest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_orient.data.scan import electron_wavelength

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.diffraction.simulate import Reflections

_CHUNK = 2**21  # elements of a dense table, orientations x reflections, at once


@dataclass(frozen=True, eq=False)
class SpotBatch:
    """Spots of ``size`` patterns, one after the other, all on one device.

    Attributes
    ----------
    pattern
        (M,) int64, the pattern of each spot, never falling.
    xy
        (M, 2) in 1/angstrom in the frame of the scan, x right, y down.
    intensity
        (M,) relative to the strongest reflection of the phase, fully excited.
    reflection
        (M,) int64, index into the reflections they were made from.
    size
        Number of patterns, those without a spot included.
    """

    pattern: Tensor
    xy: Tensor
    intensity: Tensor
    reflection: Tensor
    size: int

    def levelled(self, power: float | Tensor) -> SpotBatch:
        """Raise intensities to ``power``: below 1 it imitates dynamical scattering's levelling."""
        values = self.intensity ** of_pattern(power, self.pattern, self.intensity)
        return SpotBatch(self.pattern, self.xy, values, self.reflection, self.size)

    def totals(self) -> Tensor:
        """Sum of the intensities of each pattern (size,)."""
        sums = self.intensity.new_zeros(self.size)
        return sums.index_add_(0, self.pattern, self.intensity)


def batched_spots(
    source: Reflections,
    quaternions: Tensor,
    voltage_kv: float = 300.0,
    *,
    thickness_nm: float | Tensor = 20.0,
    precession_deg: float | Tensor = 0.0,
    debye_waller: float | Tensor = 0.0,
    max_excitation: float = 0.02,
    min_intensity: float = 1e-4,
) -> SpotBatch:
    """Find the spots of crystals in many orientations: ``simulate.spots``, batched.

    Parameters
    ----------
    source
        Reflections of the phase.
    quaternions
        (N, 4), scalar first, lab2crystal; their type and device are those of the result.
    voltage_kv
        Acceleration voltage.
    thickness_nm, precession_deg
        As in ``simulate.spots``, one for all or (N,).
    debye_waller
        A further B factor of all atoms in angstrom^2, one for all or (N,): intensities are
        multiplied by exp(-B g^2 / 2).
    max_excitation, min_intensity
        As in ``simulate.spots``.

    Raises
    ------
    ValueError
        If the quaternions have not shape (N, 4), or a number is out of range.

    Notes
    -----
    Palatinus et al., Acta Cryst. B 75 (2019) 512, equations 6 and 10, as in ``simulate.spots``.
    """
    if quaternions.ndim != 2 or quaternions.shape[1] != 4:
        raise ValueError(f"quaternions must have shape (N, 4), not {tuple(quaternions.shape)}")
    if not (voltage_kv > 0 and max_excitation > 0 and least(thickness_nm) > 0):
        raise ValueError("voltage, thickness and excitation must be positive")
    if least(precession_deg) < 0 or least(debye_waller) < 0:
        raise ValueError("precession and Debye-Waller factor cannot be negative")
    of, device = quaternions.dtype, quaternions.device
    g = torch.as_tensor(source.g, dtype=of, device=device)
    relative = torch.as_tensor(source.intensity / source.intensity.max(), dtype=of, device=device)
    step = max(1, _CHUNK // max(1, len(g)))
    parts = []
    for start in range(0, len(quaternions), step):
        own = slice(start, start + step)
        beam = tuple(_cut(value, own) for value in (thickness_nm, precession_deg, debye_waller))
        limits = (1 / electron_wavelength(voltage_kv), max_excitation, min_intensity)
        parts.append(_excite(quaternions[own], g, relative, beam, limits))
    return join_patterns(parts) if parts else _no_spots(g)


def _no_spots(like: Tensor) -> SpotBatch:
    none = torch.zeros(0, dtype=torch.int64, device=like.device)
    return SpotBatch(none, like.new_zeros(0, 2), like.new_zeros(0), none, 0)


def _excite(
    quaternions: Tensor,
    g: Tensor,
    relative: Tensor,
    beam: tuple[float | Tensor, ...],
    limits: tuple[float, float, float],
) -> SpotBatch:
    """Spots of one chunk; only pairs near the Ewald sphere are looked at closely."""
    from napari_orient.crystal.rotations import to_matrix

    radius, reach, weakest = limits
    matrices = to_matrix(quaternions)  # crystal = matrix @ lab
    z = matrices[:, :, 2] @ g.T
    square = (g * g).sum(1) - z * z  # x^2 + y^2
    square.clamp_(min=0)
    tilt = torch.deg2rad(like_spots(beam[1], z)).reshape(-1, 1)
    # distance to the Ewald sphere along the beam, in a form that keeps all digits of float32
    s = square / (radius + (radius * radius - square).clamp_(min=0).sqrt()) - z
    near = s.abs() <= reach + square.sqrt() * tilt
    pattern, reflection = near.nonzero(as_tuple=True)
    s, sweep = s[near], square[near].sqrt() * of_pattern(tilt, pattern, z)
    sigma = math.pi * 10 * of_pattern(beam[0], pattern, z)
    value = relative[reflection] * _rocking(s, sweep, sigma)
    length = (g * g).sum(1)[reflection]
    value = value * torch.exp(-0.5 * of_pattern(beam[2], pattern, z) * length)
    kept = value >= weakest
    pattern, reflection = pattern[kept], reflection[kept]
    xy = (matrices[pattern, :, :2] * g[reflection][:, :, None]).sum(1)
    return SpotBatch(pattern, xy, value[kept], reflection, len(quaternions))


def _rocking(s: Tensor, sweep: Tensor, sigma: Tensor) -> Tensor:
    """Mean of 1 / (1 + (sigma s')^2) while s' swings by +-sweep about s."""
    u = sigma * sigma * (sweep * sweep - s * s) + 1
    w = torch.hypot(u, 2 * sigma * s)
    # (u + w) / 2 cancels where u < 0; there it is (sigma s)^2 over (w - u) / 2
    root = torch.where(u > 0, (u + w) / 2, 2 * (sigma * s) ** 2 / (w - u).clamp(min=1e-30))
    return root.sqrt() / w


def join_patterns(batches: Sequence[SpotBatch]) -> SpotBatch:
    """Put batches one after the other: the patterns of the second follow those of the first."""
    starts = np.cumsum([0, *(batch.size for batch in batches)]).tolist()
    return SpotBatch(
        torch.cat([batch.pattern + n for batch, n in zip(batches, starts, strict=False)]),
        torch.cat([batch.xy for batch in batches]),
        torch.cat([batch.intensity for batch in batches]),
        torch.cat([batch.reflection for batch in batches]),
        starts[-1],
    )


def mix_patterns(spots: SpotBatch, pattern: Tensor, weight: Tensor, size: int) -> SpotBatch:
    """Lay several crystals over each other, as at an inclined boundary.

    Parameters
    ----------
    spots
        A batch of crystals; level its intensities first.
    pattern
        (spots.size,) int64, the pattern that each crystal contributes to; crystals of several
        phases are joined before.
    weight
        (spots.size,) its share.
    size
        Number of patterns made.
    """
    intensity = spots.intensity * weight.to(spots.intensity)[spots.pattern]
    target = pattern[spots.pattern]
    order = torch.argsort(target, stable=True)
    return SpotBatch(
        target[order], spots.xy[order], intensity[order], spots.reflection[order], size
    )


def like_spots(value: float | Tensor, like: Tensor) -> Tensor:
    """Return a number, or one for each pattern, in the type and on the device of ``like``."""
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def of_pattern(value: float | Tensor, pattern: Tensor, like: Tensor) -> Tensor:
    """One number for each spot (M,): its pattern's; or () where one holds for all."""
    value = like_spots(value, like)
    return value.flatten()[pattern] if value.numel() > 1 else value.reshape(())


def least(value: float | Tensor) -> float:
    """Return the smallest of the patterns' numbers, or the one for all."""
    return float(value.min()) if isinstance(value, Tensor) else float(value)


def _cut(value: float | Tensor, own: slice) -> float | Tensor:
    return value[own] if isinstance(value, Tensor) and value.numel() > 1 else value
