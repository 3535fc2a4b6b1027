"""Where are the spots of a pattern, and what do they say about the camera?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.pattern_fit import PatternFit
    from napari_orient.jobs import Job


class FoundSpots(NamedTuple):
    """Spots of a pattern, strongest first: positions (n, 2) (ky, kx) in px, intensities (n,)."""

    positions: NDArray[np.float64]
    intensities: NDArray[np.float64]


def find_spots(
    pattern: NDArray[Any],
    *,
    radius: float | None = None,
    threshold: float = 5.0,
    most: int = 300,
) -> FoundSpots:
    """Find spots, to a fraction of a pixel; the direct beam is one of them.

    Parameters
    ----------
    pattern
        (ky, kx) counts; NaN pixels are ignored.
    radius
        Of a spot, in px; None estimates it.
    threshold
        Least height above the background, in standard deviations of the noise there.
    most
        How many spots are kept at most.
    """
    raise NotImplementedError


def fit_spots(
    pattern: NDArray[Any] | None,
    phase: Phase,
    start: Calibration,
    *,
    positions: ArrayLike | None = None,
    fit: Collection[str] = ("centre", "pixel_size", "ellipse"),
) -> Job[PatternFit]:
    """Fit centre, pixel size and ellipse to the spots of a known phase; a job.

    Parameters
    ----------
    pattern
        (ky, kx) counts: one crystal, or the mean or maximum of many; None if ``positions`` are
        given.
    phase
        The phase.
    start
        First guess, as in :func:`napari_orient.diffraction.rings.fit_rings`.
    positions
        (n, 2) spots (ky, kx) in px, instead of those that :func:`find_spots` finds.
    fit
        What to fit of "centre", "pixel_size", "ellipse".

    Raises
    ------
    NoRingsFound
        If the spots do not fit the phase.
    """
    yield from ()
    raise NotImplementedError
