"""Where are the diffraction rings of a phase, and what do they say about the camera?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.pattern_fit import PatternFit
    from napari_orient.jobs import Job


@dataclass(frozen=True)
class Ring:
    """A powder ring: radius ``g`` in 1/angstrom, spacing ``d`` in angstrom.

    ``hkl`` is one of its ``multiplicity`` reflections; ``others`` names further families that fall
    together with it. ``intensity`` is kinematical (sum of |F|^2 over the reflections, divided by g
    for the length of the ring), relative to the strongest ring.
    """

    g: float
    d: float
    hkl: tuple[int, int, int]
    multiplicity: int
    intensity: float
    others: tuple[tuple[int, int, int], ...] = ()


def expected_rings(phase: Phase, g_max: float = 1.5, *, merge: float = 0.004) -> list[Ring]:
    """List the powder rings of a phase from the inside out.

    Parameters
    ----------
    phase
        With atoms.
    g_max
        Largest radius, 1/angstrom.
    merge
        Rings closer than this share of their radius count as one, at their weighted mean.

    Raises
    ------
    ValueError
        If the phase has no atoms or no reflection within ``g_max``.
    """
    raise NotImplementedError


def radial_profile(
    pattern: NDArray[Any], calibration: Calibration
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean counts over rings, (radius in px, mean), in steps of a pixel; ellipse undone.

    The radius is the geometric mean radius of the calibration: radius x pixel size = g. NaN pixels
    do not count; a radius without pixels is NaN.

    Raises
    ------
    ValueError
        If the centre is unknown.
    """
    raise NotImplementedError


def fit_rings(
    pattern: NDArray[Any],
    phase: Phase | Sequence[Ring],
    start: Calibration,
    *,
    fit: Collection[str] = ("centre", "pixel_size", "ellipse"),
) -> Job[PatternFit]:
    """Fit centre, pixel size and ellipse to the rings of a known phase; a job.

    Parameters
    ----------
    pattern
        (ky, kx) counts, best a sum of many patterns; NaN pixels are ignored.
    phase
        The phase, or its rings.
    start
        First guess: the centre within about 5 px (or none), pixel size within 10 % (or None: the
        ratios of the radii decide).
    fit
        What to fit of "centre", "pixel_size", "ellipse"; the rest stays as in ``start``.

    Raises
    ------
    NoRingsFound
        If the pattern has no rings, or none that fit the phase.
    """
    yield from ()
    raise NotImplementedError
