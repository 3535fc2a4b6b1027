"""Which spot of a pattern is meant by a place near it? The spot's centre, to a part of a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTH = 1.2  # px, sigma: single hot pixels and counting noise are no spots
CLEAR = 5.0  # height of a spot above its background, in standard deviations of the noise


def nearest_spot(
    pattern: NDArray[Any], at: tuple[float, float], reach: float = 8.0
) -> tuple[float, float] | None:
    """Find the centre of the spot nearest to a place, or None where there is none.

    Parameters
    ----------
    pattern
        (ky, kx) counts; NaN counts as background.
    at
        (ky, kx) in pixels.
    reach
        Largest distance of the spot's maximum, px; spots wider than about twice that are not found.

    Returns
    -------
    (ky, kx) in pixels: the centre of mass of what is connected with the maximum and higher than
    half of it above the background. Of several maxima within reach the nearest one counts, except
    ripples below a third of the highest.
    """
    wide = math.ceil(3 * reach)
    row, column = (round(v) for v in at)
    top, left = max(0, row - wide), max(0, column - wide)
    window = np.asarray(pattern[top : row + wide + 1, left : column + wide + 1], np.float64)
    if min(window.shape, default=0) < 3:
        return None
    dark = float(np.nanpercentile(window, 25)) if np.isfinite(window).any() else 0.0
    window = np.where(np.isfinite(window), window, dark)
    smooth = ndimage.gaussian_filter(window, SMOOTH, mode="nearest")
    background = float(np.percentile(smooth, 25))
    here = (at[0] - top, at[1] - left)
    peak = _peak(smooth - background, here, reach, _least(window, smooth))
    if peak is None:
        return None
    half = (smooth[peak] + background) / 2
    labels, _ = ndimage.label(smooth > half)
    weights = np.where(labels == labels[peak], smooth - half, 0.0)
    ky, kx = ndimage.center_of_mass(weights)
    return float(ky) + top, float(kx) + left


def _least(window: NDArray[np.float64], smooth: NDArray[np.float64]) -> float:
    """Least height of a spot: clear of the noise that is left after smoothing."""
    rough = np.abs(window - smooth)
    noise = 1.4826 * float(np.median(rough)) / (2 * math.sqrt(math.pi) * SMOOTH)
    return max(CLEAR * noise, 1e-9 * float(np.abs(smooth).max()), 1e-12)


def _peak(
    height: NDArray[np.float64], here: tuple[float, float], reach: float, least: float
) -> tuple[int, int] | None:
    """Return the maximum of a window that is meant, not on its border; or None."""
    highest = ndimage.maximum_filter(height, size=5, mode="nearest") == height
    highest[[0, -1]] = highest[:, [0, -1]] = False
    places = np.argwhere(highest & (height > least))
    away = np.linalg.norm(places - np.array(here), axis=1)
    places, away = places[away <= reach], away[away <= reach]
    if not len(places):
        return None
    heights = height[tuple(places.T)]
    clear = heights > heights.max() / 3
    row, column = places[clear][int(away[clear].argmin())]
    return int(row), int(column)
