"""Where are the spots of a pattern? Their positions, to a fraction of a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.data.pages import release
from napari_orient.diffraction.camera.centre import disk_centre
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Job


class FoundSpots(NamedTuple):
    """Spots of a pattern, strongest first: positions (n, 2) (ky, kx) in px, intensities (n,)."""

    positions: NDArray[np.float64]
    intensities: NDArray[np.float64]


def find_spots(
    pattern: NDArray[Any],
    *,
    radius: float | None = None,
    threshold: float = 6.0,
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

    Raises
    ------
    ValueError
        If the pattern is not two-dimensional or has no finite pixel.
    """
    image = np.asarray(pattern, dtype=np.float64)
    finite = np.isfinite(image)
    if image.ndim != 2 or not finite.any():
        raise ValueError(f"a pattern (ky, kx) with counts is needed, not shape {image.shape}")
    image = np.where(finite, image, np.median(image[finite]))
    places, radius = _peaks(image, radius, threshold, most)
    found = [disk_centre(image, (p[0], p[1]), radius, rounds=6) for p in places]
    kept = [
        (c.ky, c.kx, p[2])
        for c, p in zip(found, places, strict=True)
        if math.hypot(c.ky - p[0], c.kx - p[1]) < radius + 1
    ]
    table = np.array(kept).reshape(-1, 3)
    return FoundSpots(table[:, :2], table[:, 2])


def scan_spots(scan: Scan, patterns: int = 60, most: int = 12) -> Job[NDArray[np.float64]]:
    """Find the strongest spots of patterns spread over a scan; a job.

    Many grains together tell more than one, and than their mean, in which spots run together: give
    the positions to :func:`~napari_orient.diffraction.camera.spot_fit.fit_spots`. With a known
    descan they are counted as if the beam were on the centre.

    Parameters
    ----------
    scan
        The scan.
    patterns
        How many patterns are looked at.
    most
        Spots that are taken of each.

    Returns
    -------
    (n, 2) positions (ky, kx) in px.
    """
    rows, columns = scan.scan_shape
    number = min(patterns, rows * columns)
    # steps of the golden ratio: spread evenly over columns too, whatever the shape
    flat = np.unique((np.arange(number) * 0.6180339887 % 1 * rows * columns).astype(int))
    found = []
    for done, index in enumerate(flat.tolist()):
        yield Progress(done, len(flat), "finding spots")
        y, x = divmod(index, columns)
        positions = find_spots(scan.pattern(y, x), most=most).positions
        drift = np.array(scan.calibration.descan.drift(y, x)) if scan.calibration.descan else 0.0
        found.append(positions - drift)
    release(scan.data)
    return np.concatenate(found)


def _peaks(
    image: NDArray[np.float64], radius: float | None, threshold: float, most: int
) -> tuple[list[tuple[float, float, float]], float]:
    """Peaks (ky, kx, height) above the background, strongest first, and the radius of a spot."""
    from scipy.ndimage import gaussian_filter
    from skimage.feature import peak_local_max

    if radius is None:
        first, _ = _peaks(image, 2.0, 2 * threshold, 25)
        sizes = [_spot_radius(image, (p[0], p[1])) for p in first]
        radius = max(1.0, float(np.median(sizes))) if sizes else 2.0
    smooth = gaussian_filter(image, max(0.7, 0.5 * radius))
    floor = _background(smooth, radius)
    over = smooth - floor
    spread = 1.4826 * float(np.median(np.abs(over - np.median(over))))
    # counts scatter more where there is more background
    noise = spread * np.sqrt(np.maximum(floor, 0.1) / max(float(np.median(floor)), 0.1))
    shown = over / np.maximum(noise, max(spread, 1e-12))
    reach = max(2, round(radius))
    peaks = peak_local_max(shown, min_distance=reach, threshold_abs=threshold)
    heights = over[peaks[:, 0], peaks[:, 1]]
    order = np.argsort(-heights)[:most]
    found = np.column_stack([peaks[order], heights[order]]).astype(np.float64)
    return [(row[0], row[1], row[2]) for row in found.tolist()], radius


def _background(smooth: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Median of the surroundings, four spots wide, found on a coarser grid."""
    from scipy.ndimage import map_coordinates, median_filter

    coarse = max(2, round(radius))
    grid = median_filter(smooth[::coarse, ::coarse], size=2 * math.ceil(4 * radius / coarse) + 1)
    where = np.mgrid[: smooth.shape[0], : smooth.shape[1]] / coarse
    return np.asarray(map_coordinates(grid, where, order=1, mode="nearest"))


def _spot_radius(image: NDArray[np.float64], place: tuple[float, float]) -> float:
    """Radius in px of the disk that has the area of a spot above half its height."""
    from scipy.ndimage import label

    row, column = (round(p) for p in place)
    reach = 12
    low = (max(0, row - reach), max(0, column - reach))
    box = image[low[0] : row + reach + 1, low[1] : column + reach + 1]
    floor, top = float(np.median(box)), float(image[row, column])
    parts, _ = label(box > (floor + top) / 2)
    part = parts[row - low[0], column - low[1]]
    return math.sqrt(max(1, int((parts == part).sum())) / math.pi) if part else 1.0
