"""How does a calibration outlive the scan it was measured on? As a small YAML file beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_orient.data.scan import Calibration, Scan

SUFFIX = ".calibration.yaml"
REUSED = ("centre", "pixel_size", "ellipse", "voltage", "camera_length", "rotation", "flip")
"""What the next scan of the day takes over unless asked for more: not its step, not the descan."""


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


def sidecar_of(scan_path: str | Path) -> Path:
    """Return where the calibration of a scan file is kept: ``scan.calibration.yaml`` beside it."""
    raise NotImplementedError


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
    raise NotImplementedError


def load_calibration(path: str | Path) -> Sidecar:
    """Read a calibration file.

    Raises
    ------
    UnreadableFile
        If it is missing, truncated, no YAML, not one of ours, or has values out of range.
    """
    raise NotImplementedError


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
    raise NotImplementedError
