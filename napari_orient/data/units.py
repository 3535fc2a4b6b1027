"""How do a vendor's numbers become ours? Only where the unit is stated and the meaning is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_orient.data.scan import Calibration, Quantity, electron_wavelength

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# written without spaces, brackets and in lower case; see _plain
_NANOMETRES = {
    "nm": 1.0, "nanometer": 1.0, "nanometers": 1.0,
    "um": 1e3, "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "mm": 1e6, "m": 1e9,
    "a": 0.1, "å": 0.1, "ang": 0.1, "angstrom": 0.1, "angstroms": 0.1, "pm": 1e-3,
}  # fmt: skip
_UNCALIBRATED = ("", "px", "pixel", "pixels", "1", "none", "<undefined>", "undefined")
_MILLIRADIANS = {"mrad": 1.0, "mrads": 1.0, "milliradian": 1.0, "rad": 1e3, "urad": 1e-3}


def _plain(unit: Any) -> str:
    text = unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit or "")
    for old, new in (("µ", "u"), ("μ", "u"), ("Å", "å"), ("⁻¹", "^-1"), ("**", "^"), ("_", "")):
        text = text.replace(old, new)
    return "".join(c for c in text if c not in " []{}()$").lower()


def nanometres(unit: Any) -> float | None:
    """Nanometres in one ``unit`` of length; None for pixels and anything unknown."""
    return _NANOMETRES.get(_plain(unit))


def inverse_angstroms(unit: Any, voltage: float | None = None) -> float | None:
    """1/angstrom in one ``unit`` of a pattern's axis; None for pixels and anything unknown.

    Angles (mrad) need the ``voltage`` in kV: k = angle / wavelength, which is the small-angle form.
    """
    text = _plain(unit)
    if text in _MILLIRADIANS:
        if not voltage:
            return None
        return _MILLIRADIANS[text] * 1e-3 / electron_wavelength(voltage)
    if text.startswith("1/"):
        length = _NANOMETRES.get(text[2:])
    elif text.endswith(("^-1", "-1")):
        length = _NANOMETRES.get(text.removesuffix("-1").removesuffix("^"))
    else:
        length = None
    return 0.1 / length if length else None


def known(value: Any) -> float | None:
    """``value`` as a positive finite number, else None: zero means "not set" in most headers."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def kilovolts(value: Any) -> float | None:
    """Acceleration voltage in kV of a number that may be in V; no microscope reaches 5000 kV."""
    number = known(value)
    return number / 1e3 if number is not None and number > 5000 else number


def stated(value: float | tuple[float, float], unit: str, note: str = "") -> Quantity:
    """Return a quantity that the file states."""
    if isinstance(value, tuple) and math.isclose(*value, rel_tol=1e-6):
        value = value[0]
    return Quantity(value=value, unit=unit, source="file", note=note)


def from_axes(
    axes: Sequence[Mapping[str, Any]],
    *,
    voltage: float | None = None,
    camera_length: float | None = None,
) -> tuple[Calibration, tuple[str, ...]]:
    """Turn four axes (y, x, ky, kx) with scale, offset, units into a calibration and notes.

    Parameters
    ----------
    axes
        One mapping an axis, with "scale", "units", "offset" and "size" where known.
    voltage
        In kV, or None.
    camera_length
        In mm, or None.

    Returns
    -------
    The calibration (unknown values are None) and remarks about what was not understood.
    """
    notes: list[str] = []
    found: dict[str, Quantity | None] = {}
    if voltage:
        found["voltage"] = stated(voltage, "kV")
    if camera_length:
        found["camera_length"] = stated(camera_length, "mm", "nominal")
    lengths = [_scaled(axis, nanometres(axis.get("units"))) for axis in axes[:2]]
    if lengths[0] and lengths[1]:
        found["step"] = stated((lengths[0], lengths[1]), "nm")
    recips = [_scaled(a, inverse_angstroms(a.get("units"), voltage)) for a in axes[2:4]]
    if recips[0] and recips[1]:
        unit = str(axes[2].get("units"))
        note = "" if inverse_angstroms(unit) else f"from {unit} at {voltage:g} kV"
        found["pixel_size"] = stated((recips[0], recips[1]), "1/angstrom", note)
        found["centre"] = _centre(axes[2:4])
    elif _plain(axes[2].get("units")) not in _UNCALIBRATED:
        scale, said = known(axes[2].get("scale")), axes[2].get("units")
        if scale and scale != 1:
            notes.append(
                f"the file gives {scale:.5g} {said} per pattern pixel, "
                "which is not a reciprocal length: the pixel size stays unknown"
            )
    return Calibration().set(**found), tuple(notes)


def _scaled(axis: Mapping[str, Any], factor: float | None) -> float | None:
    scale = axis.get("scale")
    number = known(abs(scale)) if isinstance(scale, (int, float)) or scale is not None else None
    return number * factor if number and factor else None


def _centre(axes: Sequence[Mapping[str, Any]]) -> Quantity | None:
    """Pixel at which both pattern axes are zero, if it lies inside and is not the corner."""
    zero = tuple(-float(a.get("offset") or 0) / float(a["scale"]) for a in axes)
    inside = all(0 < z < float(a.get("size", math.inf)) for z, a in zip(zero, axes, strict=True))
    return stated((zero[0], zero[1]), "px", "zero of the axes") if inside else None
