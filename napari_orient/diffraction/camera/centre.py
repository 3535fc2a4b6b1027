"""Where does the direct beam hit the detector? Found in one pattern, to a fraction of a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["auto", "disk", "mass", "friedel"]
_LEAST = 0.01  # px; no estimate is better than the shape of a real beam allows


class Centre(NamedTuple):
    """A beam centre in pixels (pixel centres at integers), its standard error, how it was found."""

    ky: float
    kx: float
    sigma: float
    method: Method = "auto"


def find_centre(pattern: NDArray[Any], *, method: Method = "auto") -> Centre:
    """Find the direct beam in a pattern (ky, kx).

    Parameters
    ----------
    pattern
        Counts; NaN pixels are ignored.
    method
        "disk": centroid of the beam's disk. "mass": centre of mass above the background.
        "friedel": the point about which the pattern is symmetric, which needs no visible beam
        (beam stop, saturation). "auto": the disk next to the point of symmetry, or that point
        itself where there is no disk.

    Raises
    ------
    ValueError
        If the pattern is not two-dimensional, or uniform: there is nothing to find.
    """
    image = _clean(pattern)
    if method == "mass":
        return _mass(image)
    symmetry = _symmetry(image)
    if method == "friedel":
        return _friedel(symmetry)
    place, share = _brightest(image, symmetry)
    if method == "auto" and share < 0.5:
        return _friedel(symmetry)
    return disk_centre(image, place, beam_radius(image, place))


def _clean(pattern: NDArray[Any]) -> NDArray[np.float64]:
    image = np.asarray(pattern, dtype=np.float64)
    if image.ndim != 2 or min(image.shape) < 8:
        raise ValueError(f"a pattern of at least 8 x 8 px is needed, not shape {image.shape}")
    finite = np.isfinite(image)
    if not finite.any() or np.ptp(image[finite]) == 0:
        raise ValueError("the pattern is uniform: there is no beam to find")
    return np.where(finite, image, np.median(image[finite]))


def _mass(image: NDArray[np.float64]) -> Centre:
    """Centre of mass of what exceeds the background, as the smoothed pattern shows it."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(image, 1.5)
    level = float(np.median(smooth))
    noise = max(1.4826 * float(np.median(np.abs(smooth - level))), 1e-12)
    over = np.where(smooth > level + 6 * noise, np.maximum(image - level, 0), 0.0)
    if not over.any():
        raise ValueError("nothing in the pattern exceeds the background")
    return _centroid(over, np.maximum(image, noise**2), "mass")


def _centroid(
    weights: NDArray[np.float64], variance: NDArray[np.float64], method: Method
) -> Centre:
    rows, columns = np.ogrid[: weights.shape[0], : weights.shape[1]]
    total = weights.sum()
    ky, kx = float((weights * rows).sum() / total), float((weights * columns).sum() / total)
    used = weights > 0
    square = ((rows - ky) ** 2 + (columns - kx) ** 2) / 2
    sigma = math.sqrt(float((variance * square)[used].sum())) / float(total)
    return Centre(ky, kx, max(sigma, _LEAST), method)


def _symmetry(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """How symmetric the pattern is about each half pixel: element (i, j) is the point (i, j) / 2.

    The convolution of the pattern with itself. Counts are levelled and freed of the background
    first, so that all pairs of spots count, not the strongest alone. A lattice is symmetric about
    each of its points: those far from the middle of the pattern count less.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2
    from scipy.ndimage import binary_dilation, gaussian_filter

    smooth = gaussian_filter(image, 1.0)
    level = np.sqrt(np.maximum(smooth - smooth.min(), 0))
    # a beam stop's edges have a symmetry of their own; sparse counts (median 0) show no stop
    seen = ~binary_dilation(smooth < 0.1 * np.median(smooth), iterations=4) * 1.0
    wide = min(image.shape) / 24
    around = gaussian_filter(level * seen, wide) / np.maximum(gaussian_filter(seen, wide), 1e-9)
    level = (level - around) * seen
    shape = [2 * n - 1 for n in image.shape]
    size = [next_fast_len(n) for n in shape]
    full = irfft2(rfft2(level, size) ** 2, size)[: shape[0], : shape[1]]
    middle = [np.exp(-0.5 * ((np.arange(n) - n / 2) / (0.2 * n)) ** 2) for n in shape]
    return np.asarray(full * middle[0][:, None] * middle[1])


def _friedel(symmetry: NDArray[np.float64]) -> Centre:
    """Return the most symmetric point, from a paraboloid about the peak."""
    peak = np.unravel_index(int(symmetry.argmax()), symmetry.shape)
    i, j = (min(max(int(p), 2), n - 3) for p, n in zip(peak, symmetry.shape, strict=True))
    box = symmetry[i - 2 : i + 3, j - 2 : j + 3]
    v, u = (a.ravel() for a in np.mgrid[-2:3, -2:3])
    terms = np.stack([np.ones(25), v, u, v * v, v * u, u * u], axis=1)
    _, b, c, d, e, f = np.linalg.lstsq(terms, box.ravel(), rcond=None)[0]
    try:
        dy, dx = np.linalg.solve(np.array([[2 * d, e], [e, 2 * f]]), [-b, -c])
    except np.linalg.LinAlgError:
        dy = dx = 0.0
    dy, dx = (float(np.clip(v, -1.5, 1.5)) for v in (dy, dx))
    noise = 1.4826 * float(np.median(np.abs(symmetry - np.median(symmetry))))
    bend = max(-2 * float(min(d, f, key=abs)), 1e-12)
    # a slope of noise / 2 px moves a peak of that curvature by noise / (2 bend); half in the image
    sigma = min(noise / (4 * bend), 10.0)
    return Centre((i + dy) / 2, (j + dx) / 2, max(sigma, _LEAST), "friedel")


def _brightest(
    image: NDArray[np.float64], symmetry: NDArray[np.float64]
) -> tuple[tuple[int, int], float]:
    """Bright spot about which the pattern is most symmetric, and its share of the best symmetry.

    Several spots may be brighter than the beam; a lattice is symmetric about all of its points,
    but most about the beam.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter
    from skimage.feature import peak_local_max

    smooth = gaussian_filter(image, 1.5)
    peaks = peak_local_max(smooth, min_distance=3, num_peaks=12, exclude_border=False)
    if not len(peaks):
        return (0, 0), 0.0
    near = maximum_filter(symmetry, size=7)  # the spot is found to a pixel, two here
    shares = near[2 * peaks[:, 0], 2 * peaks[:, 1]] / symmetry.max()
    heights = smooth[peaks[:, 0], peaks[:, 1]] - np.median(smooth)
    score = np.maximum(shares, 0) * (np.maximum(heights, 0) / heights.max()) ** 0.15
    best = int(score.argmax())
    return (int(peaks[best, 0]), int(peaks[best, 1])), float(shares[best])


def beam_radius(image: NDArray[np.float64], place: tuple[float, float]) -> float:
    """Radius in px at which a disk about ``place`` has fallen to half its height."""
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    away = np.hypot(rows - place[0], columns - place[1])
    most = min(image.shape) // 4
    inside = away < most + 0.5
    ring = np.rint(away[inside]).astype(int)
    number = np.bincount(ring, minlength=most + 1)[: most + 1]
    mean = np.bincount(ring, image[inside], minlength=most + 1)[: most + 1] / np.maximum(number, 1)
    top, floor = float(mean[:2].max()), float(np.median(mean))
    below = np.flatnonzero(mean < (top + floor) / 2)
    below = below[below > 0]
    if not len(below):
        return float(most)
    k = int(below[0])
    drop = mean[k - 1] - mean[k]
    part = (mean[k - 1] - (top + floor) / 2) / drop if drop > 0 else 0.5
    return max(0.7, k - 1 + float(np.clip(part, 0, 1)))


def disk_centre(
    image: NDArray[np.float64], place: tuple[float, float], radius: float, rounds: int = 12
) -> Centre:
    """Centroid of the disk near ``place``, above the background plane around it.

    Counts are cut at a quarter and three quarters of the disk's height: neither structure in the
    disk nor its halo pull.
    """
    ky, kx = float(place[0]), float(place[1])
    centre = Centre(ky, kx, radius, "disk")
    for _ in range(rounds):
        corner, box = _window(image, (ky, kx), 1.4 * radius + 5)
        rows, columns = np.ogrid[: box.shape[0], : box.shape[1]]
        away = np.hypot(rows + corner[0] - ky, columns + corner[1] - kx)
        base = _plane(box, (away > 1.4 * radius + 2) & (away <= 1.4 * radius + 5))
        over = box - base
        top = float(np.median(over[away <= max(0.6 * radius, 1.0)]))
        if top <= 0:
            break
        weights = np.clip(over / top - 0.25, 0, 0.5) * (away <= 1.4 * radius + 2)
        if not weights.any():
            break
        found = _centroid(weights * top, np.maximum(box, 1.0), "disk")
        moved = math.hypot(found.ky + corner[0] - ky, found.kx + corner[1] - kx)
        ky, kx = found.ky + corner[0], found.kx + corner[1]
        centre = Centre(ky, kx, found.sigma, "disk")
        if moved < 1e-3:
            break
    return centre


def _window(
    image: NDArray[np.float64], place: tuple[float, float], reach: float
) -> tuple[tuple[int, int], NDArray[np.float64]]:
    spans = [
        (max(0, math.floor(p - reach)), min(n, math.ceil(p + reach) + 1))
        for p, n in zip(place, image.shape, strict=True)
    ]
    corner = (min(spans[0][0], image.shape[0] - 1), min(spans[1][0], image.shape[1] - 1))
    return corner, image[corner[0] : max(spans[0][1], 1), corner[1] : max(spans[1][1], 1)]


def _plane(box: NDArray[np.float64], around: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Plane through the pixels around the disk; spots among them are cut off at the median."""
    if around.sum() < 8:
        return np.full(box.shape, float(box.min()))
    rows, columns = np.nonzero(around)
    values = box[around]
    level = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - level)))
    good = np.abs(values - level) <= 3 * max(spread, 1e-9)
    terms = np.stack([np.ones(len(rows)), rows, columns], axis=1)[good]
    a, b, c = np.linalg.lstsq(terms, values[good], rcond=None)[0]
    y, x = np.ogrid[: box.shape[0], : box.shape[1]]
    return np.asarray(a + b * y + c * x)
