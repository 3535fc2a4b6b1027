"""What has been measured with a ruler on a pattern? Reflections that fit a spacing or an angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from orix.crystal_map import Phase

Hkl = tuple[int, int, int]


class Candidate(NamedTuple):
    """A family of reflections with a spacing near the measured one.

    ``error`` is (measured - expected) / expected spacing; ``intensity`` is |F|^2 relative to the
    strongest reflection.
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
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError
