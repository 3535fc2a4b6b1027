"""What has been measured with a ruler on a pattern? Reflections that fit a spacing or an angle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.diffraction.camera.rings import expected_rings, tidiness
from napari_orient.diffraction.simulate import reflections

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from orix.crystal_map import Phase

Hkl = tuple[int, int, int]


class Candidate(NamedTuple):
    """A family of reflections with a spacing near the measured one.

    ``error`` is (measured - expected) / expected spacing; ``intensity`` is |F|^2 relative to the
    strongest reflection. Families of equal spacing share ``multiplicity`` and ``intensity``.
    """

    hkl: Hkl
    d: float
    multiplicity: int
    intensity: float
    error: float


class PairCandidate(NamedTuple):
    """Two reflections with matching lengths and angle, and their zone axis [uvw].

    ``angle`` is the expected angle in degrees; ``error`` the misfit, 1 at the tolerances' edge.
    """

    first: Hkl
    second: Hkl
    zone: Hkl
    angle: float
    error: float


def angle_between(first: ArrayLike, second: ArrayLike) -> float:
    """Return the angle between two vectors, 0 to 180 degrees.

    Raises
    ------
    ValueError
        If a vector has no length.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not lengths > 0:
        raise ValueError("a vector without length has no direction")
    return math.degrees(math.acos(min(1.0, max(-1.0, float(a @ b) / lengths))))


def hkl_candidates(phase: Phase, d: float, tolerance: float = 0.03) -> list[Candidate]:
    """List the families of reflections with a spacing near ``d``, the nearest first.

    Parameters
    ----------
    phase
        With atoms.
    d
        Spacing in angstrom.
    tolerance
        Relative.

    Raises
    ------
    ValueError
        If the spacing is not positive or the phase has no atoms.
    """
    if not d > 0:
        raise ValueError("a spacing must be positive")
    low, high = 1 / (d * (1 + tolerance)), 1 / (d * (1 - tolerance))
    rings = expected_rings(phase, max(1.2, 1.05 * high), merge=1e-6)
    strengths = [ring.intensity * ring.g / ring.multiplicity for ring in rings]
    found = []
    for ring, strength in zip(rings, strengths, strict=True):
        if low <= ring.g <= high:
            error = (d - ring.d) / ring.d
            share = strength / max(strengths)
            for hkl in (ring.hkl, *ring.others):
                found.append(Candidate(hkl, ring.d, ring.multiplicity, share, error))
    return sorted(found, key=lambda c: abs(c.error))


def plane_angle_candidates(
    phase: Phase,
    first: ArrayLike,
    second: ArrayLike,
    *,
    tolerance: float = 0.03,
    angle_tolerance: float = 2.0,
) -> list[PairCandidate]:
    """List pairs of reflections that fit two measured vectors, the best first, one per zone family.

    Parameters
    ----------
    phase
        With atoms.
    first, second
        Vectors (gy, gx) in 1/angstrom, of :func:`napari_orient.data.reciprocal.to_reciprocal`.
    tolerance
        Of the lengths, relative.
    angle_tolerance
        Degrees.

    Raises
    ------
    ValueError
        If a vector has no length or the phase has no atoms.
    """
    measured = angle_between(first, second)
    a, b = (float(np.linalg.norm(np.asarray(v, np.float64))) for v in (first, second))
    source = reflections(phase, max(1.0, max(a, b) * (1 + tolerance)))
    length = np.linalg.norm(source.g, axis=1)
    ones = np.flatnonzero(np.abs(length / a - 1) <= tolerance)
    twos = np.flatnonzero(np.abs(length / b - 1) <= tolerance)
    if not len(ones) or not len(twos):
        return []
    cosine = source.g[ones] @ source.g[twos].T / np.outer(length[ones], length[twos])
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    found: dict[tuple[float, ...], PairCandidate] = {}
    for i, j in np.argwhere(np.abs(angle - measured) <= angle_tolerance):
        one, two = ones[i], twos[j]
        off = (
            (length[one] / a - 1) / tolerance,
            (length[two] / b - 1) / tolerance,
            (angle[i, j] - measured) / angle_tolerance,
        )
        h, k = (_indices(source.hkl[n]) for n in (one, two))
        pair = PairCandidate(h, k, zone_axis(h, k), float(angle[i, j]), math.hypot(*off) / 3**0.5)
        # equivalent pairs have equal lengths, angle and zone: the tidiest stands for them
        key = (
            *(round(float(v), 5) for v in (length[one], length[two], angle[i, j])),
            *_family(pair.zone),
        )
        if key not in found or _order(pair) > _order(found[key]):
            found[key] = pair
    return sorted(found.values(), key=lambda pair: pair.error)


def zone_axis(first: Hkl, second: Hkl) -> Hkl:
    """Return the direction [uvw] on both planes, without common factor; (0, 0, 0) if parallel."""
    zone = np.cross(first, second)
    return _indices(zone // max(1, int(np.gcd.reduce(zone))))


def _indices(values: ArrayLike) -> Hkl:
    h, k, m = (int(v) for v in np.asarray(values))
    return h, k, m


def _family(zone: Hkl) -> tuple[int, ...]:
    """Zones apart by order and sign of indices alone mostly are one family."""
    return tuple(sorted(abs(i) for i in zone))


def _order(pair: PairCandidate) -> tuple[int, ...]:
    return (*tidiness(pair.zone), *tidiness(pair.first), *tidiness(pair.second))
