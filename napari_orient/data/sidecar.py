"""How does a calibration outlive the scan it was measured on? As a small YAML file beside it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from napari_orient.config import Config, ConfigError
from napari_orient.data.prepare import binned_calibration
from napari_orient.data.scan import Calibration
from napari_orient.files import UnreadableFile, check_file, replace_atomically, split_inside

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_orient.data.scan import Quantity, Scan

FORMAT = "napari-orient calibration"
VERSION = 1
SUFFIX = ".calibration.yaml"
REUSED = (
    "centre", "pixel_size", "ellipse", "voltage", "camera_length", "precession", "convergence",
    "rotation", "flip",
)  # fmt: skip
"""What the next scan of the day takes over unless asked for more: not its step, not the descan."""


UNITS = {
    "step": "nm", "pixel_size": "1/angstrom", "centre": "px", "voltage": "kV",
    "camera_length": "mm", "precession": "deg", "convergence": "mrad", "rotation": "deg",
}  # fmt: skip
"""The units of a calibration: a file that was edited by hand may hold others."""


@dataclass(frozen=True)
class Sidecar:
    """A calibration and what it was measured on.

    ``pattern_shape`` is (ky, kx) in px, ``scan_shape`` (y, x); None where no scan was named.
    """

    calibration: Calibration
    scan: str = ""
    date: str = ""
    pattern_shape: tuple[int, int] | None = None
    scan_shape: tuple[int, int] | None = None
    history: tuple[str, ...] = ()
    path: Path = Path()


class _File(Config):
    """The file as it is written; its keys are read by people too."""

    format: str
    version: int = VERSION
    measured_on: str = ""
    date: str = ""
    pattern_shape: tuple[int, int] | None = None
    scan_shape: tuple[int, int] | None = None
    history: tuple[str, ...] = ()
    calibration: Calibration


def sidecar_of(scan_path: str | Path) -> Path:
    """Return where the calibration of a scan file is kept: ``scan.calibration.yaml`` beside it."""
    path, _ = split_inside(scan_path)
    return path.with_name(path.stem + SUFFIX)


def save_calibration(
    calibration: Calibration, path: str | Path, *, scan: Scan | None = None
) -> Path:
    """Write a calibration as YAML, replacing the file in one step.

    Parameters
    ----------
    calibration
        What to write, with units, sources and notes.
    path
        The file, as :func:`sidecar_of` names it.
    scan
        The scan it was measured on: its name, shapes and history are noted.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    path = Path(path)
    known = _File(
        format=FORMAT,
        measured_on=(scan.source or scan.name) if scan else "",
        date=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        pattern_shape=scan.pattern_shape if scan else None,
        scan_shape=scan.scan_shape if scan else None,
        history=scan.history if scan else (),
        calibration=calibration,
    )
    values = known.model_dump(mode="json")
    values["calibration"] = {k: v for k, v in values["calibration"].items() if v is not None}
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None)
    try:
        with replace_atomically(path) as temporary:
            temporary.write_text(_HEADER + text, encoding="utf-8")
    except OSError as error:
        cure = "Check free space, permission and that the drive is connected."
        raise UnreadableFile(path, f"cannot be written ({error.strerror})", cure) from error
    return path


_HEADER = (
    "# Pairs are (y, x) or (ky, kx): rows first. An ellipse is (long over short axis, degrees).\n"
)


def load_calibration(path: str | Path) -> Sidecar:
    """Read a calibration file.

    Raises
    ------
    UnreadableFile
        If it is missing, truncated, no YAML, not one of ours, newer, or has values out of range
        or in another unit.
    """
    path = check_file(path)
    cure = "Choose a file that Calibrate > Save wrote, or save the calibration again."
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())[:120]
        raise UnreadableFile(path, f"is no YAML text ({said})", cure) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise UnreadableFile(path, "is not a calibration of this program", cure)
    if isinstance(values.get("version"), int) and values["version"] > VERSION:
        newer = "Update with: pip install -U napari-orient."
        raise UnreadableFile(path, "was written by a newer napari-orient", newer)
    try:
        known = _File.checked(values, where="it")
    except ConfigError as error:
        raise UnreadableFile(path, f"has values that do not fit ({error})", cure) from error
    _check_units(path, known.calibration)
    return Sidecar(
        known.calibration,
        scan=known.measured_on,
        date=known.date,
        pattern_shape=known.pattern_shape,
        scan_shape=known.scan_shape,
        history=known.history,
        path=path,
    )


def _check_units(path: Path, calibration: Calibration) -> None:
    """Refuse a number in another unit; without one it counts as ours."""
    for name, unit in UNITS.items():
        quantity = getattr(calibration, name)
        if quantity is not None and quantity.unit not in ("", unit):
            problem = f"has the {name} in {quantity.unit}, not in {unit}"
            raise UnreadableFile(path, problem, f"Convert the number, and write: unit: {unit}")


def apply_calibration(scan: Scan, loaded: Sidecar, fields: Collection[str] = REUSED) -> Scan:
    """Return the scan with the named fields of a loaded calibration.

    Fields that the file does not know stay as they are. Patterns with n x n times fewer, or more,
    pixels count as binned: centre and pixel size are re-referenced.

    Raises
    ------
    ValueError
        If the pattern shapes do not differ by a whole binning factor, a field does not exist, or
        the descan is asked for and the scan has another shape.
    """
    unknown = set(fields) - set(Calibration.model_fields)
    if unknown:
        raise ValueError(f"a calibration has no {', '.join(sorted(unknown))}")
    if "descan" in fields and loaded.scan_shape not in (None, scan.scan_shape):
        raise ValueError(
            f"the descan was measured on a scan of {loaded.scan_shape}, this one is "
            f"{scan.scan_shape}: track the beam on this scan"
        )
    factor = _factor(loaded.pattern_shape, scan.pattern_shape)
    known = binned_calibration(loaded.calibration, factor) if factor != 1 else loaded.calibration
    words = f"from {loaded.path.name or 'a saved calibration'}"
    words += f" of {loaded.date[:10]}" if loaded.date else ""
    if factor != 1:
        old, new = (" x ".join(map(str, s)) for s in (loaded.pattern_shape, scan.pattern_shape))  # type: ignore[arg-type]
        words += f", from {old} to {new} px as binned"
    changes = {}
    for name in fields:
        value = getattr(known, name)
        if value is not None and not (name in ("rotation", "flip") and value.source == "default"):
            changes[name] = _noted(value, words)
    return scan.replaced(calibration=scan.calibration.set(**changes))


def _noted(value: Quantity, words: str) -> Quantity:
    note = f"{value.note}; {words}" if value.note else words
    return value.model_copy(update={"note": note})


def _factor(old: tuple[int, int] | None, new: tuple[int, int]) -> float:
    """How many pixels of the old patterns are one of the new ones, along an axis."""
    if old is None or old == new:
        return 1.0
    for factor in range(2, max(*old, *new) + 1):
        if (old[0] // factor, old[1] // factor) == new:
            return float(factor)
        if (new[0] // factor, new[1] // factor) == old:
            return 1.0 / factor
    raise ValueError(
        f"the calibration was measured on patterns of {old[0]} x {old[1]} px, these have "
        f"{new[0]} x {new[1]}: not the same detector, or cropped. Measure again"
    )
