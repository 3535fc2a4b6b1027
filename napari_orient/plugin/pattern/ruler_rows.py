"""What does the ruler say? Its numbers and candidates as rows of text; no Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from napari_orient.diffraction.camera.measure import Length
from napari_orient.diffraction.camera.ruler import (
    angle_between,
    hkl_candidates,
    plane_angle_candidates,
)
from napari_orient.diffraction.overlay import indices

UNCALIBRATED = (
    "The pixel size is unknown, so lengths are in pixels: type it under Load > Calibration, or "
    "measure it in Calibrate."
)
FARTHEST = 4.0  # 1/angstrom: beyond, nearly every length fits some reflection
MOST = 40  # rows: who has more candidates wants narrower tolerances
MEASURED = ("", "px", "d Å", "g Å⁻¹", "mrad", "az. °")
MEASURED_TIPS = (
    "1, 2: from the direct beam to a point; 2−1: from the first point to the second",
    "Length on the detector",
    "Spacing of the planes, 1/g; ellipse undone",
    "Length of the reciprocal vector, without 2π",
    "Scattering angle; needs the voltage",
    "Direction from kx (right) towards ky (down); ellipse undone",
)
SINGLE = ("hkl", "d Å", "Δd %", "mult.", "I %")
SINGLE_TIPS = (
    "Planes whose spacing fits",
    "Spacing of these planes",
    "Measured minus expected spacing",
    "Equivalent reflections",
    "|F|², relative to the strongest reflection",
)
PAIR = ("hkl 1", "hkl 2", "Δ₁ %", "Δ₂ %", "∠ °", "Δ∠ °", "zone")
PAIR_TIPS = (
    "Reflection at point 1",
    "Reflection at point 2",
    "Measured minus expected spacing, point 1",
    "Measured minus expected spacing, point 2",
    "Expected angle between the two",
    "Measured minus expected angle",
    "Zone axis [uvw] of the pair: vector 1 × vector 2",
)


class Question(NamedTuple):
    """Which reflections fit? Phase (or name), one or two vectors, tolerances (share, degrees)."""

    phase: Any
    vectors: tuple[tuple[float, float], ...]
    tolerance: float
    angle_tolerance: float


def measured_rows(lengths: Sequence[Length]) -> list[tuple[str, ...]]:
    """Return rows for :data:`MEASURED`."""
    return [
        (
            one.name,
            f"{one.pixels:.1f}",
            _number(one.d, 3),
            _number(one.g, 4),
            _number(one.mrad, 2),
            f"{one.azimuth:.1f}",
        )
        for one in lengths
    ]


def angle_words(lengths: Sequence[Length]) -> str:
    """Return the angle between two points, seen from the beam, in words; "" without one."""
    if len(lengths) < 2:
        return ""
    one, two = lengths[:2]
    if one.vector is not None and two.vector is not None:
        if min(one.pixels, two.pixels) == 0:
            return ""
        return f"Angle 1–2: {angle_between(one.vector, two.vector):.2f}°"
    return f"On the detector: {abs((two.azimuth - one.azimuth + 180) % 360 - 180):.2f}°"


def point_words(lengths: Sequence[Length]) -> tuple[str, ...]:
    """Return the short text beside each point."""
    return tuple(
        f"{one.name}  {one.d:.3f} Å" if one.d is not None else f"{one.name}  {one.pixels:.1f} px"
        for one in lengths[:2]
    )


def candidate_rows(question: Question) -> list[tuple[str, ...]]:
    """Return rows for :data:`SINGLE` (one vector) or :data:`PAIR` (two).

    Raises
    ------
    ValueError
        If the phase is unknown or has no atoms, or a vector is too short or too long.
    """
    from napari_orient.crystal.phases import get_phase

    size = [math.hypot(*vector) for vector in question.vectors]
    if not min(size) > 0:
        raise ValueError("a point lies on the direct beam: drag it to a spot")
    if max(size) > FARTHEST:
        raise ValueError(f"a point lies beyond {FARTHEST:g} 1/Å, where every length fits")
    phase = get_phase(question.phase) if isinstance(question.phase, str) else question.phase
    if len(size) == 1:
        return _single_rows(phase, 1 / size[0], question.tolerance)
    return _pair_rows(phase, question, 1 / size[0], 1 / size[1])


def _single_rows(phase: Any, d: float, tolerance: float) -> list[tuple[str, ...]]:
    return [
        (
            indices(one.hkl),
            f"{one.d:.3f}",
            _signed(100 * one.error),
            str(one.multiplicity),
            f"{100 * one.intensity:.2g}",
        )
        for one in hkl_candidates(phase, d, tolerance)[:MOST]
    ]


def _pair_rows(phase: Any, question: Question, *d: float) -> list[tuple[str, ...]]:
    found = plane_angle_candidates(
        phase,
        *question.vectors,
        tolerance=question.tolerance,
        angle_tolerance=question.angle_tolerance,
    )
    angle = angle_between(*question.vectors)
    to_g = np.linalg.inv(phase.structure.lattice.base).T
    rows = []
    for pair in found[:MOST]:
        off = [
            100 * (measured * float(np.linalg.norm(hkl @ to_g)) - 1)
            for measured, hkl in zip(d, (pair.first, pair.second), strict=True)
        ]
        zone = f"[{indices(pair.zone)}]" if any(pair.zone) else "–"
        rows.append(
            (
                indices(pair.first),
                indices(pair.second),
                *(_signed(percent) for percent in off),
                f"{pair.angle:.1f}",
                _signed(angle - pair.angle),
                zone,
            )
        )
    return rows


def _signed(value: float) -> str:
    """Return a number with its sign and one digit, and no minus before a zero."""
    return f"{round(value, 1) + 0.0:+.1f}"


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"
