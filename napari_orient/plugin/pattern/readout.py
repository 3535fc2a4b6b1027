"""Where in reciprocal space is a pattern pixel? Its place in each unit that the calibration allows.

Lengths are measured from the calibrated beam centre, the ellipse undone (in 1/angstrom, not in
pixels). Angles use the small-angle form, scattering angle = wavelength x k, as pixel sizes in mrad
do.
"""

from __future__ import annotations

import math

from napari_orient.data.reciprocal import to_reciprocal
from napari_orient.data.scan import Calibration, electron_wavelength

UNITS = ("px", "1/Å", "1/nm", "mrad", "d (Å)")
MISSING = {
    "px": "the beam centre is unknown",
    "1/Å": "not calibrated: the pattern pixel size is unknown",
    "1/nm": "not calibrated: the pattern pixel size is unknown",
    "mrad": "not calibrated: the pattern pixel size or the voltage is unknown",
    "d (Å)": "not calibrated: the pattern pixel size is unknown",
}


def per_pixel(calibration: Calibration, unit: str) -> tuple[float, float] | None:
    """Return the size of a pixel (ky, kx) in ``unit`` (not for d), None where it is unknown."""
    if unit == "px":
        return 1.0, 1.0
    size, voltage = calibration.pixel_size, calibration.voltage
    if size is None or (unit == "mrad" and voltage is None):
        return None
    factor = {"1/Å": 1.0, "d (Å)": 1.0, "1/nm": 10.0}.get(unit)
    if factor is None:
        factor = 1e3 * electron_wavelength(voltage.number)
    return size.pair[0] * factor, size.pair[1] * factor


def place(calibration: Calibration, at: tuple[float, float], unit: str) -> str:
    """Return in words where ``at`` (ky, kx, in pixels) is, measured from the beam centre."""
    size = per_pixel(calibration, unit)
    if size is None or calibration.centre is None:
        return MISSING[unit]
    if unit == "px":
        ky, kx = (a - c for a, c in zip(at, calibration.centre.pair, strict=True))
    else:
        factor = size[0] / calibration.pixel_size.pair[0]
        ky, kx = (float(g) * factor for g in to_reciprocal(calibration, *at))
    length = math.hypot(ky, kx)
    if unit == "d (Å)":
        return f"d = {1 / length:.3f} Å" if length > 1e-6 else "d = ∞"
    digits = {"px": 1, "1/Å": 3, "1/nm": 2, "mrad": 2}[unit]
    symbol = {"px": "px", "1/Å": "Å⁻¹", "1/nm": "nm⁻¹", "mrad": "mrad"}[unit]
    name = "θ" if unit == "mrad" else "k"
    said = (f"{name}y {ky:.{digits}f}", f"{name}x {kx:.{digits}f}", f"|{name}| {length:.{digits}f}")
    return "  ".join(said) + f" {symbol}"


def bar_unit(calibration: Calibration, unit: str) -> tuple[float, str]:
    """Return (size of a pixel, unit) for a scale bar: the wanted unit where it is known."""
    wanted = "1/Å" if unit.startswith("d") else unit
    symbols: dict[str, str] = {"1/Å": "Å⁻¹", "1/nm": "nm⁻¹", "mrad": "mrad"}
    size = per_pixel(calibration, wanted)
    if size is None or wanted == "px":
        return 1.0, "px"
    return size[1], symbols[wanted]
