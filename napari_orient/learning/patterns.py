"""What does a network see of a pattern? Counts on a square grid of its own, levelled to [0, 1].

With ``InputConfig.pixel_size`` all patterns are brought to one geometry, that of the scan: the
beam at ((size - 1) / 2, (size - 1) / 2), x right, y down; rotation, mirror, ellipse and drift of
the beam are undone. It is that of :func:`napari_orient.diffraction.patterns.draw_patterns` with
``matrix`` = identity / ``pixel_size``: what is learned from simulation holds for every detector.
Each network pixel takes the counts of the area it covers; none falls between samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_orient.diffraction.kernels import plain
from napari_orient.diffraction.patterns import detector_matrix
from napari_orient.learning.resampling import Geometry, gather, total_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from napari_orient.data.scan import Calibration
    from napari_orient.learning.config import InputConfig


def network_images(
    patterns: ArrayLike,
    input: InputConfig,
    calibration: Calibration | None = None,
    positions: ArrayLike | None = None,
) -> NDArray[np.float32]:
    """Bring patterns to the network's grid, then log(1 + counts), then each to [0, 1].

    Parameters
    ----------
    patterns
        (n, ky, kx) counts of any real type; NaN, infinite and negative ones count as 0.
    input
        Size and pixel size; see :func:`resample`.
    calibration
        Of the patterns; needed with a pixel size alone.
    positions
        (n, 2) scan positions (y, x) in steps, for the descan; None takes the centre.

    Returns
    -------
    numpy.ndarray
        (n, size, size) float32; a constant pattern is 0 everywhere.

    Raises
    ------
    ValueError
        As :func:`resample`.
    """
    counts = torch.from_numpy(resample(patterns, input, calibration, positions))
    images: NDArray[np.float32] = _scaled(counts).numpy()
    return images


def scale_images(counts: Tensor) -> Tensor:
    """Return log(1 + counts), each image (n, y, x) linearly to [0, 1]; a constant one becomes 0.

    Counts that are NaN, infinite or negative count as 0.
    """
    finite = torch.nan_to_num(counts, nan=0.0, posinf=0.0, neginf=0.0)
    return _scaled(finite.clamp_(min=0))


def _scaled(counts: Tensor) -> Tensor:
    """As above, in place, of counts that are finite and not negative."""
    if not len(counts):
        return counts
    levels = counts.log1p_()
    low, high = levels.amin((1, 2), keepdim=True), levels.amax((1, 2), keepdim=True)
    span = high - low
    return levels.sub_(low).mul_(torch.where(span > 0, 1 / span, 0))


def resample(
    patterns: ArrayLike,
    input: InputConfig,
    calibration: Calibration | None = None,
    positions: ArrayLike | None = None,
) -> NDArray[np.float32]:
    """Bring patterns to the network's grid, as counts.

    Parameters
    ----------
    patterns, input, calibration, positions
        As in :func:`network_images`. Without a pixel size the whole pattern fills the grid as it
        was recorded, and counts are averaged. With one they are counts of a network pixel: a spot
        keeps its counts, as on a detector with such pixels. What is off the detector is 0.

    Returns
    -------
    numpy.ndarray
        (n, size, size) float32, finite, not negative; a constant pattern is 0 everywhere.

    Raises
    ------
    ValueError
        If the patterns have no three axes, positions are not (n, 2), or the pixel size or the
        centre of the patterns is needed and unknown.
    """
    stack = plain(np.asarray(patterns))
    if stack.ndim != 3 or 0 in stack.shape[1:]:
        raise ValueError(f"patterns (n, ky, kx) are needed, not an array of {stack.shape}")
    geometry = input_geometry((stack.shape[1], stack.shape[2]), input, calibration)
    if positions is None or input.pixel_size is None or not (calibration and calibration.descan):
        return gather(stack, geometry)
    where = np.asarray(positions, np.float64)
    if where.shape != (len(stack), 2):
        raise ValueError(f"{len(stack)} scan positions (y, x) are needed, not {where.shape}")
    return gather(stack, geometry, np.stack(calibration.centre_at(*where.T), axis=-1))


def input_geometry(
    shape: tuple[int, int], input: InputConfig, calibration: Calibration | None = None
) -> Geometry:
    """Find where the network's pixels lie on a detector of ``shape`` (ky, kx), drift left aside.

    Raises
    ------
    ValueError
        If the pixel size or the centre of the patterns is needed and unknown.
    """
    if input.pixel_size is None:
        ky, kx = shape
        steps = (ky / input.size, 0.0, 0.0, kx / input.size)
        return Geometry(steps, ((ky - 1) / 2, (kx - 1) / 2), shape, input.size, sums=False)
    if calibration is None or calibration.pixel_size is None or calibration.centre is None:
        raise ValueError(
            "The network sees patterns of one scale, and these have none: calibrate the pixel "
            "size and the centre of the scan first."
        )
    a, b, c, d = (detector_matrix(calibration) * input.pixel_size).ravel().tolist()
    return Geometry((a, b, c, d), calibration.centre.pair, shape, input.size, sums=True)


def seen_share(geometry: Geometry) -> NDArray[np.float32]:
    """Share (size, size) of each network pixel that lies on the detector, 0 to 1."""
    share = total_weights(geometry) / (geometry.area if geometry.sums else 1.0)
    return np.clip(share, 0, 1).astype(np.float32)
