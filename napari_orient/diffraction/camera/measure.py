"""How long are the vectors of a ruler, in which direction? Ellipse and descan undone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.data.reciprocal import ScanPosition, to_reciprocal
from napari_orient.data.scan import electron_wavelength

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.scan import Calibration

Point = tuple[float, float]


class Length(NamedTuple):
    """One vector of the ruler; what the calibration does not give is None.

    ``vector`` is (gy, gx) in 1/angstrom on the pattern's axes, ``g`` its length, ``d`` = 1/g in
    angstrom, ``mrad`` the scattering angle (small angles: wavelength x g), ``azimuth`` in degrees
    from kx towards ky (clockwise on the screen). ``pixels`` is the length on the detector.
    """

    name: str
    pixels: float
    azimuth: float
    vector: Point | None = None
    g: float | None = None
    d: float | None = None
    mrad: float | None = None


def lengths(
    points: Sequence[Point], calibration: Calibration, *, at: ScanPosition | None = None
) -> list[Length]:
    """Measure from the direct beam to each point, and from the first point to the second.

    Parameters
    ----------
    points
        (ky, kx) in px, at most two.
    calibration
        Without a pixel size only pixels and azimuths are given.
    at
        Scan position (y, x) in steps, for the descan.

    Raises
    ------
    ValueError
        If the centre is unknown.
    """
    ky, kx = beam(calibration, at)
    ends = [("1", (ky, kx), points[0])] if points else []
    if len(points) > 1:
        ends += [("2", (ky, kx), points[1]), ("2−1", points[0], points[1])]
    return [_length(name, start, end, calibration, at) for name, start, end in ends]


def beam(calibration: Calibration, at: ScanPosition | None = None) -> Point:
    """Return the direct beam (ky, kx) in px.

    Raises
    ------
    ValueError
        If the centre is unknown.
    """
    if calibration.centre is None:
        raise ValueError("not calibrated: the beam centre is unknown")
    ky, kx = calibration.centre.pair if at is None else calibration.centre_at(*at)
    return float(ky), float(kx)


def _length(
    name: str, start: Point, end: Point, calibration: Calibration, at: ScanPosition | None
) -> Length:
    dy, dx = end[0] - start[0], end[1] - start[1]
    pixels = math.hypot(dy, dx)
    if calibration.pixel_size is None:
        return Length(name, pixels, math.degrees(math.atan2(dy, dx)))
    ky, kx = np.array([start, end]).T
    gy, gx = (float(g[1] - g[0]) for g in to_reciprocal(calibration, ky, kx, at=at))
    g = math.hypot(gy, gx)
    voltage = calibration.voltage
    return Length(
        name,
        pixels,
        math.degrees(math.atan2(gy, gx)),
        (gy, gx),
        g,
        1 / g if g > 0 else math.inf,
        1e3 * electron_wavelength(voltage.number) * g if voltage else None,
    )
