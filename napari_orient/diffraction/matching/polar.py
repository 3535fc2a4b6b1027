"""How is a pattern made comparable with a simulated one? Background off, levelled, in rings.

:func:`prepare` averages the counts over a disk as large as the spots, levels them (a power below 1
keeps weak spots in sight), and takes off what lies on the whole ring. :func:`unroll` reads the
result on rings and angles *in the frame of the scan*: rotation, mirror, ellipse and drift of the
beam are undone there, so that all that follows knows of no detector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
import torch

from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.diffraction.kernels import plain

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.data.scan import Calibration

_LEAST_RADIUS = 1.5  # px: spots smaller than this are averaged over so much
_FAINTEST_MODE = 0.1  # angular modes in which a spot on the outer ring is weaker are left out
_MOST_MODES = 120
_RING_STEP = 0.75  # between rings, in sigmas of a spot
_BACKGROUND_STEP = 1.5  # between rings of the background, in px
_BACKGROUND_ANGLES = 72
_BACKGROUND_SHARE = 0.4  # of a ring's values that lie below its background: spots are above
_FLOOR = 0.25  # of the mean count: what lies far below is not levelled but left proportional


@dataclass(frozen=True, eq=False)
class PolarGrid:
    """Rings and angles of the scan's frame, and where they lie on the detector.

    Attributes
    ----------
    calibration, shape
        Of the patterns (ky, kx).
    g
        (n_g,) radii of the rings, 1/angstrom, evenly spaced.
    n_phi
        Angles on a ring, from x towards y.
    modes
        Angular modes 1 to this one are compared.
    sigma
        Width of a spot in a prepared pattern (the best gaussian), 1/angstrom.
    radius
        Of the disk over which counts are averaged, in px.
    power
        Exponent on the counts.
    frame
        (2, 2) takes (y, x) in 1/angstrom in the scan's frame to (ky, kx) in px from the beam.
    seen
        (n_g, n_phi) bool, False off the detector (with the beam at the calibration's centre).
    """

    calibration: Calibration
    shape: tuple[int, int]
    g: NDArray[np.float64]
    n_phi: int
    modes: int
    sigma: float
    radius: float
    power: float
    frame: NDArray[np.float64]
    seen: NDArray[np.bool_]

    def centres(self, n: int, positions: ArrayLike | None = None) -> NDArray[np.float64]:
        """Direct beam (n, 2), (ky, kx) in px, at scan positions (n, 2); without, the centre."""
        if positions is None:
            centre = self.calibration.centre
            assert centre is not None  # polar_grid has checked it
            return np.tile(np.array(centre.pair, np.float64), (n, 1))
        y, x = np.asarray(positions, np.float64).reshape(-1, 2).T
        return np.stack(self.calibration.centre_at(y, x), axis=1).astype(np.float64)

    @property
    def phi(self) -> NDArray[np.float64]:
        """Angles (n_phi,) in radians, from x towards y."""
        return 2 * math.pi * np.arange(self.n_phi) / self.n_phi


def polar_grid(
    calibration: Calibration,
    shape: tuple[int, int],
    *,
    radius: float,
    min_g: float,
    max_g: float,
    power: float = 0.4,
) -> PolarGrid:
    """Lay rings and angles over patterns.

    Parameters
    ----------
    calibration
        With centre and pixel size; rotation, flip, ellipse and descan are used.
    shape
        Of a pattern (ky, kx).
    radius
        Of the spots (convergence semi-angle / wavelength), 1/angstrom; 0 for points.
    min_g, max_g
        Smallest and largest length that counts, 1/angstrom. Rings may leave the detector: its
        corners tell crystals apart that its middle does not. On 512 simulated patterns of LiNiO2
        (128 x 128 px of 0.02 1/angstrom) the search alone finds 73 % within 5 degrees with whole
        rings (up to 1.24) and 87 % with the corners (up to 1.7).
    power
        Exponent on the counts.

    Raises
    ------
    ValueError
        If centre or pixel size is unknown, or a number is out of range.
    """
    if not (radius >= 0 and 0 <= min_g < max_g and 0 < power <= 1):
        raise ValueError(
            f"radius {radius} >= 0, 0 <= min g {min_g} < max g {max_g}, 0 < power {power} <= 1"
        )
    origin = np.array(to_pattern(calibration, 0.0, 0.0))
    columns = [scan_to_pattern(calibration, *axis) for axis in ((1.0, 0.0), (0.0, 1.0))]
    frame = np.stack([np.array(to_pattern(calibration, *c)) - origin for c in columns], axis=1)
    pixel = 1 / math.sqrt(abs(np.linalg.det(frame)))
    average = max(radius / pixel, _LEAST_RADIUS)
    sigma = _spot_width(max(radius / pixel, 0.5), average, power) * pixel
    modes = math.ceil(math.sqrt(-2 * math.log(_FAINTEST_MODE)) * max_g / sigma)
    modes = min(max(modes, 8), _MOST_MODES)
    g = np.linspace(min_g, max_g, max(2, math.ceil((max_g - min_g) / (_RING_STEP * sigma)) + 1))
    n_phi = 8 * math.ceil(2.5 * modes / 8)
    places = _places(frame, g, n_phi) + origin
    return PolarGrid(
        calibration=calibration,
        shape=(int(shape[0]), int(shape[1])),
        g=g,
        n_phi=n_phi,
        modes=modes,
        sigma=sigma,
        radius=average,
        power=power,
        frame=frame,
        seen=np.asarray(((places >= 0) & (places <= np.array(shape) - 1.0)).all(-1)),
    )


def _spot_width(spot: float, average: float, power: float) -> float:
    """Sigma of the gaussian most like a disk of radius ``spot``, averaged over another, levelled.

    The overlap of two disks is their convolution; most like = largest normalised correlation.
    """
    scale = 12 / max(spot, average)
    y, x = np.indices((64, 64)) - 32.0
    distance = np.hypot(y, x)
    disks = [np.fft.rfft2(distance <= scale * r) for r in (spot, average)]
    overlap = np.fft.fftshift(np.fft.irfft2(disks[0] * disks[1]))
    profile = np.maximum(overlap / overlap.max(), 0.0) ** power
    profile[overlap < 0.5] = 0.0  # pixels: what the transforms leave of zero
    sigmas = np.linspace(2.0, 20.0, 91)
    gaussians = np.exp(-(distance.ravel() ** 2) / (2 * sigmas[:, None] ** 2))
    likeness = gaussians @ profile.ravel() / np.linalg.norm(gaussians, axis=1)
    return float(sigmas[likeness.argmax()]) / scale


class Prepared(NamedTuple):
    """Patterns that can be compared with simulated ones.

    Attributes
    ----------
    images
        (n, ky, kx) float32 P; 0 where g is not between the first and the last ring.
    levels
        (n, rings) float32 (B + c)^power on :func:`background_rings`.
    """

    images: NDArray[np.float32]
    levels: NDArray[np.float32]


def background_rings(grid: PolarGrid) -> NDArray[np.float64]:
    """Radii (rings,) on which the background is measured, evenly spaced, 1/angstrom."""
    pixel = 1 / math.sqrt(abs(np.linalg.det(grid.frame)))
    count = math.ceil((grid.g[-1] - grid.g[0]) / (_BACKGROUND_STEP * pixel)) + 1
    return np.linspace(grid.g[0], grid.g[-1], max(2, count))


def prepare(patterns: ArrayLike, grid: PolarGrid, positions: ArrayLike | None = None) -> Prepared:
    """Average, level, and take the background off.

    With D the mean count over the disk, c a share of the mean of D, and B the background of the
    ring: P = (D + c)^power - (B + c)^power. Far above B this is the levelled spot; within the noise
    of B it stays proportional, so that the noise of the background is not blown up.

    Parameters
    ----------
    patterns
        (n, ky, kx) counts of any real type; a pixel that is negative, infinite or NaN adds nothing.
    grid
        From :func:`polar_grid`.
    positions
        (n, 2) scan positions (y, x) in steps, for the descan; None takes the centre.

    Raises
    ------
    ValueError
        If the patterns do not have the grid's shape.
    """
    stack = plain(np.asarray(patterns))
    if stack.ndim != 3 or stack.shape[1:] != grid.shape:
        raise ValueError(f"patterns of {grid.shape} are needed, not an array of {stack.shape}")
    centres = grid.centres(len(stack), positions)
    means = np.empty(stack.shape, np.float32)
    radius = grid.radius + 1e-6  # a whole number less a rounding error is that number
    reach = int(radius)
    widths = np.sqrt(radius**2 - np.arange(-reach, reach + 1.0) ** 2).astype(np.int64)
    _average(stack, widths, means)
    levelled = torch.from_numpy(means)
    floor = _FLOOR * levelled.flatten(1) @ torch.from_numpy(_region(grid))
    levelled += floor[:, None, None]
    levelled.pow_(grid.power)
    radii = background_rings(grid)
    places = _places(grid.frame, radii, _BACKGROUND_ANGLES)
    levels = np.zeros((len(stack), len(radii)), np.float32)
    to_scan = np.linalg.inv(grid.frame)
    _flatten(means, centres, to_scan, radii, places, _BACKGROUND_SHARE, levels)
    return Prepared(means, levels)


def _region(grid: PolarGrid) -> NDArray[np.float32]:
    """Weights (ky * kx,) of the mean over the pixels that count, drift left aside."""
    ky, kx = np.indices(grid.shape).reshape(2, -1) - grid.centres(1)[0][:, None]
    g = np.hypot(*(np.linalg.inv(grid.frame) @ np.stack([ky, kx])))
    region = (g >= grid.g[0]) & (g <= grid.g[-1])
    weights: NDArray[np.float32] = (region / max(int(region.sum()), 1)).astype(np.float32)
    return weights


def _places(frame: NDArray[np.float64], g: NDArray[np.float64], angles: int) -> NDArray[np.float64]:
    """Pixels from the beam (n_g, angles, 2), (ky, kx), of points on rings."""
    phi = 2 * math.pi * np.arange(angles) / angles
    vectors = g[:, None, None] * np.stack([np.sin(phi), np.cos(phi)], axis=-1)
    return np.ascontiguousarray(vectors @ frame.T)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _average(patterns: NDArray[Any], widths: NDArray[np.int64], means: NDArray[np.float32]) -> None:
    """Mean over a disk of rows ``2 * widths + 1`` long, over its pixels on the detector."""
    n, rows, columns = patterns.shape
    reach = len(widths) // 2
    sums = np.zeros((rows, columns + 1))  # running sums along rows
    total, area = np.empty(columns), np.empty(columns)
    low = np.empty((len(widths), columns), np.int64)
    high = np.empty((len(widths), columns), np.int64)
    for d in range(len(widths)):
        for x in range(columns):
            low[d, x] = max(x - widths[d], 0)
            high[d, x] = min(x + widths[d] + 1, columns)
    for i in range(n):
        for y in range(rows):
            running = 0.0
            for x in range(columns):
                value = float(patterns[i, y, x])
                if 0 < value < np.inf:  # not NaN either
                    running += value
                sums[y, x + 1] = running
        for y in range(rows):
            total[:] = 0.0
            area[:] = 0.0
            for d in range(max(-reach, -y), min(reach, rows - 1 - y) + 1):
                row = sums[y + d]
                left, right = low[d + reach], high[d + reach]
                for x in range(columns):
                    total[x] += row[right[x]] - row[left[x]]
                    area[x] += right[x] - left[x]
            for x in range(columns):
                means[i, y, x] = total[x] / area[x]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _flatten(
    images: NDArray[np.float32],
    centres: NDArray[np.float64],
    to_scan: NDArray[np.float64],
    radii: NDArray[np.float64],
    places: NDArray[np.float64],
    share: float,
    levels: NDArray[np.float32],
) -> None:
    """Take a quantile of its ring off each pixel, in place; pixels outside the rings become 0."""
    n, rows, columns = images.shape
    values = np.empty(places.shape[1], np.float32)
    per_ring = (len(radii) - 1) / (radii[-1] - radii[0])
    for i in range(n):
        cy, cx = centres[i]
        level = levels[i]
        for ring in range(len(radii)):
            count = 0
            for p in range(places.shape[1]):
                y = math.floor(cy + places[ring, p, 0] + 0.5)
                x = math.floor(cx + places[ring, p, 1] + 0.5)
                if 0 <= y < rows and 0 <= x < columns:
                    values[count] = images[i, y, x]
                    count += 1
            if count >= 4:
                level[ring] = np.sort(values[:count])[int(share * (count - 1) + 0.5)]
            elif ring > 0:
                level[ring] = level[ring - 1]
        for y in range(rows):
            for x in range(columns):
                gy = to_scan[0, 0] * (y - cy) + to_scan[0, 1] * (x - cx)
                gx = to_scan[1, 0] * (y - cy) + to_scan[1, 1] * (x - cx)
                t = (math.sqrt(gy * gy + gx * gx) - radii[0]) * per_ring
                if t < 0 or t > len(radii) - 1:
                    images[i, y, x] = 0.0
                else:
                    k = min(int(t), len(radii) - 2)
                    images[i, y, x] -= level[k] + (t - k) * (level[k + 1] - level[k])


def unroll(
    prepared: Prepared, grid: PolarGrid, positions: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Read prepared patterns on the rings of ``grid``.

    Parameters
    ----------
    prepared
        From :func:`prepare`.
    grid
        The same.
    positions
        (n, 2) scan positions (y, x) in steps, for the descan.

    Returns
    -------
    numpy.ndarray
        (n, n_g, n_phi) float32, times sqrt(g): a plain sum of products over rings and angles is
        then the sum over the plane. Zero mean on every ring; 0 off the detector.
    """
    places = _places(grid.frame, grid.g, grid.n_phi)
    images = prepared.images
    values = np.zeros((len(images), *places.shape[:2]), np.float32)
    _sample(images, grid.centres(len(images), positions), places, np.sqrt(grid.g), values)
    return values


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sample(
    images: NDArray[np.float32],
    centres: NDArray[np.float64],
    places: NDArray[np.float64],
    weights: NDArray[np.float64],
    values: NDArray[np.float32],
) -> None:
    """Interpolate images bilinearly on rings; take the mean of what is seen of each ring off."""
    n, rows, columns = images.shape
    seen = np.empty(places.shape[1], np.bool_)
    for i in range(n):
        for ring in range(places.shape[0]):
            total, count = 0.0, 0
            for p in range(places.shape[1]):
                y, x = centres[i, 0] + places[ring, p, 0], centres[i, 1] + places[ring, p, 1]
                seen[p] = 0 <= y <= rows - 1 and 0 <= x <= columns - 1
                if seen[p]:
                    r, c = min(int(y), rows - 2), min(int(x), columns - 2)
                    v, u = y - r, x - c
                    upper = (1 - u) * images[i, r, c] + u * images[i, r, c + 1]
                    lower = (1 - u) * images[i, r + 1, c] + u * images[i, r + 1, c + 1]
                    values[i, ring, p] = (1 - v) * upper + v * lower
                    total += values[i, ring, p]
                    count += 1
            for p in range(places.shape[1]):
                if seen[p]:
                    values[i, ring, p] = weights[ring] * (values[i, ring, p] - total / count)
