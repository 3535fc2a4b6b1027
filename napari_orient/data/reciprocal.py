"""Where in reciprocal space is a pattern pixel, and which way does it point in the scan?

The one place that turns pixels into 1/angstrom and back: readout, overlays and indexing use it.
Steps: minus the centre (of that scan position, where the descan is known), times the pixel size,
ellipse undone; then, for :func:`pattern_to_scan`, flip and rotation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.scan import electron_wavelength

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.data.scan import Calibration, Quantity

Vectors = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
ScanPosition = tuple["ArrayLike", "ArrayLike"]


def stretch(ellipse: Quantity | None, inverse: bool = False) -> NDArray[np.float64]:
    """Matrix (2, 2) on (ky, kx) that stretches a circle as the patterns are, or undoes it.

    Of determinant 1: sqrt(ratio) along the angle (from kx towards ky), 1 / sqrt(ratio) across.
    """
    if ellipse is None:
        return np.eye(2)
    ratio, angle = ellipse.pair[0], math.radians(ellipse.pair[1])
    along, across = math.sqrt(ratio), 1 / math.sqrt(ratio)
    if inverse:
        along, across = across, along
    axis = np.array([math.sin(angle), math.cos(angle)])  # (ky, kx)
    return across * np.eye(2) + (along - across) * np.outer(axis, axis)


def to_reciprocal(
    calibration: Calibration, ky: ArrayLike, kx: ArrayLike, *, at: ScanPosition | None = None
) -> Vectors:
    """Turn pattern pixels into reciprocal vectors on the pattern's axes, ellipse undone.

    Parameters
    ----------
    calibration
        With centre and pixel size.
    ky, kx
        Pixels, of any (common) shape.
    at
        Scan position (y, x) in steps of the patterns, for the descan; None takes the centre.

    Returns
    -------
    (gy, gx) in 1/angstrom, gy along ky and gx along kx.

    Raises
    ------
    ValueError
        If the centre or the pixel size is unknown.
    """
    size, (cy, cx) = _pixel_size(calibration), _centre(calibration, at)
    dy = (np.asarray(ky, np.float64) - cy) * size[0]
    dx = (np.asarray(kx, np.float64) - cx) * size[1]
    return _times(stretch(calibration.ellipse, inverse=True), dy, dx)


def to_pattern(
    calibration: Calibration, gy: ArrayLike, gx: ArrayLike, *, at: ScanPosition | None = None
) -> Vectors:
    """Turn reciprocal vectors on the pattern's axes, in 1/angstrom, into pixels (ky, kx).

    The inverse of :func:`to_reciprocal`, with the same parameters and errors.
    """
    size, (cy, cx) = _pixel_size(calibration), _centre(calibration, at)
    gy, gx = np.asarray(gy, np.float64), np.asarray(gx, np.float64)
    dy, dx = _times(stretch(calibration.ellipse), gy, gx)
    return dy / size[0] + cy, dx / size[1] + cx


def pattern_to_scan(calibration: Calibration, gy: ArrayLike, gx: ArrayLike) -> Vectors:
    """Turn vectors on the pattern's axes to the scan's: (y, x) components, x right, y down.

    First kx is reversed, if the pattern is mirrored; then the vector is turned by ``rotation``, x
    towards y (clockwise on the screen). Simulated spots are in the scan's axes.
    """
    turn = _turn(calibration)
    return _times(turn, np.asarray(gy, np.float64), np.asarray(gx, np.float64))


def scan_to_pattern(calibration: Calibration, y: ArrayLike, x: ArrayLike) -> Vectors:
    """Turn vectors on the scan's axes (y, x) to the pattern's: the inverse of the above."""
    turn = _turn(calibration).T  # orthogonal
    return _times(turn, np.asarray(y, np.float64), np.asarray(x, np.float64))


def _turn(calibration: Calibration) -> NDArray[np.float64]:
    angle = math.radians(calibration.rotation.number)
    c, s = math.cos(angle), math.sin(angle)
    sign = -1.0 if calibration.flip.number else 1.0
    return np.array([[c, s * sign], [-s, c * sign]])


def _times(matrix: NDArray[np.float64], y: NDArray[Any], x: NDArray[Any]) -> Vectors:
    return matrix[0, 0] * y + matrix[0, 1] * x, matrix[1, 0] * y + matrix[1, 1] * x


def _pixel_size(calibration: Calibration) -> tuple[float, float]:
    if calibration.pixel_size is None:
        raise ValueError("not calibrated: the pattern pixel size is unknown")
    return calibration.pixel_size.pair


def _centre(calibration: Calibration, at: ScanPosition | None) -> tuple[Any, Any]:
    if calibration.centre is None:
        raise ValueError("not calibrated: the beam centre is unknown")
    return calibration.centre.pair if at is None else calibration.centre_at(*at)


def camera_length(pixel_size: float, voltage: float, detector_pixel: float) -> float:
    """Return the camera length in mm.

    Parameters
    ----------
    pixel_size
        1/angstrom.
    voltage
        kV.
    detector_pixel
        Size of a pixel on the detector (after binning) in micrometres. Where it is unknown, any
        number gives a camera length that only compares scans of one detector.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Small angles: L = detector pixel / (wavelength x pixel size).
    """
    if min(pixel_size, voltage, detector_pixel) <= 0:
        raise ValueError("pixel size, voltage and detector pixel must be positive")
    return detector_pixel * 1e-3 / (electron_wavelength(voltage) * pixel_size)


def pixel_size_of(length: float, voltage: float, detector_pixel: float) -> float:
    """Return the pixel size in 1/angstrom of a camera length in mm: the inverse of the above."""
    return camera_length(length, voltage, detector_pixel)  # symmetric in the two
