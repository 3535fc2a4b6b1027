"""Roughly which pixel size and ellipse bring the rings of a phase onto a pattern?

The centre is that of symmetry. In the logarithm of the radius another pixel size is a mere shift of
the radial profile: all sizes, or those near a first guess, are tried with a few ellipses.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.scan import Quantity
from napari_orient.diffraction.camera.centre import beam_radius, find_centre
from napari_orient.diffraction.camera.pattern_fit import Camera, NoRingsFound
from napari_orient.diffraction.camera.rings import Ring, radii_of, ring_means

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration

CURE = "Sum more patterns, mask what is not a ring, or check phase and first guess."
_GRID = 0.004  # step of ln radius


def search(
    image: NDArray[np.float64], rings: Sequence[Ring], start: Calibration, fit: Collection[str]
) -> Camera:
    """Find a first camera: the best agreement of the radial profile with the rings of the phase.

    Raises
    ------
    NoRingsFound
        If nothing agrees.
    """
    middle = find_centre(image, method="auto")
    free = "centre" in fit or start.centre is None
    place = (middle.ky, middle.kx) if free else start.centre.pair  # type: ignore[union-attr]
    known = Camera.of(start.set(centre=Quantity(value=place)))
    least = 1.5 * beam_radius(image, place) + 2 if middle.method == "disk" else 4.0
    reach = 0.13 if start.pixel_size is not None else None
    if "pixel_size" not in fit and start.pixel_size is not None:
        reach = 0.004
    best, score = known, -1.0
    for e1, e2 in _ellipses("ellipse" in fit):
        camera = replace(known, e1=known.e1 + e1, e2=known.e2 + e2)
        size, fits = _match_profile(image, rings, camera, least, reach)
        if fits > score:
            best, score = replace(camera, size=size), fits
    if score < 0.4:
        raise NoRingsFound(f"no rings of this phase found (agreement {max(score, 0):.2f}). {CURE}")
    return best


def _ellipses(free: bool) -> list[tuple[float, float]]:
    """Ellipses to try, up to a ratio of 1.06 beside the first guess."""
    found = [(0.0, 0.0)]
    for half, number in ((0.012, 6), (0.024, 10)) if free else ():
        angles = np.arange(number) * 2 * math.pi / number
        found += [(half * math.cos(a), half * math.sin(a)) for a in angles]
    return found


def _match_profile(
    image: NDArray[np.float64],
    rings: Sequence[Ring],
    camera: Camera,
    least: float,
    reach: float | None,
) -> tuple[float, float]:
    """Pixel size with which the rings fit the profile best, and the correlation there.

    ``reach`` is how far, relatively, the size may be from the camera's; None: anything.
    """
    from scipy.ndimage import gaussian_filter1d

    mean = ring_means(image, radii_of(image.shape, camera))
    most = 0.96 * min(image.shape) / 2
    grid = np.arange(math.log(least), math.log(most), _GRID)
    radii = np.flatnonzero(np.isfinite(mean))
    level = np.interp(np.exp(grid), radii, np.sqrt(np.maximum(mean[radii], 0)))
    wide = 0.10 / _GRID
    level -= gaussian_filter1d(level, wide)
    spread = 1.4826 * np.median(np.abs(level - np.median(level)))
    level = np.clip(level, -4 * spread, 8 * spread)
    sizes = _sizes(camera.size, reach, rings, most)
    g = np.array([ring.g for ring in rings])
    heights = np.sqrt([ring.intensity for ring in rings])
    fine = np.arange(math.log(g[0]) - 6, math.log(g[-1]) + 1, _GRID)
    curve: NDArray[np.float64] = sum(
        h * np.exp(-0.5 * ((fine - math.log(c)) / 0.012) ** 2)
        for c, h in zip(g, heights, strict=True)
    )
    template = curve - gaussian_filter1d(curve, wide)
    best, score = camera.size, -1.0
    for size in sizes:
        inside = (g > size * least) & (g < size * most)
        if inside.sum() < 3:
            continue
        model = np.interp(grid + math.log(size), fine, template)
        fits = float(np.corrcoef(level, model)[0, 1])
        if fits > score:
            best, score = float(size), fits
    return best, score


def _sizes(
    size: float, reach: float | None, rings: Sequence[Ring], most: float
) -> NDArray[np.float64]:
    if reach is None:  # the first ring anywhere between a twentieth and two thirds of the pattern
        low, high = rings[0].g / (0.67 * most), rings[0].g / (0.05 * most)
    else:
        low, high = size * (1 - reach), size * (1 + reach)
    sizes: NDArray[np.float64] = np.exp(np.arange(math.log(low), math.log(high), _GRID))
    return sizes
