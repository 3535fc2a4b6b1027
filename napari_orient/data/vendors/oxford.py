"""How is a Channel 5 project read? The .cpr says what it is, the .crc beside it has the points.

A .crc is a row of bytes per point: the phase (1 byte, 0 = not indexed), then the fields that the
.cpr lists by number. All numbers are little-endian, angles in radians.
"""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.vendors.tables import LAUE, Table, fail, make_phase
from napari_orient.files import check_file

if TYPE_CHECKING:
    from pathlib import Path

    from orix.crystal_map import Phase

SUFFIXES = (".crc", ".cpr")
_FIELDS = {
    1: ("x", "<f4"), 2: ("y", "<f4"), 3: ("phi1", "<f4"), 4: ("Phi", "<f4"), 5: ("phi2", "<f4"),
    6: ("MAD", "<f4"), 7: ("BC", "u1"), 8: ("BS", "u1"), 9: ("field 9", "u1"),
    10: ("bands", "u1"), 11: ("error", "u1"), 12: ("reliability", "<f4"),
}  # fmt: skip
_EXPORT = "Export the project again, or as .ctf."


def read_crc(path: Path) -> Table:
    """Read a Channel 5 project, named by either of its two files.

    Parameters
    ----------
    path
        The .crc or the .cpr; the other one must be beside it.

    Returns
    -------
    table
        A row per point, nothing turned yet.

    Raises
    ------
    UnreadableFile
        Naming the file, the problem and the cure.
    """
    points, project = _both(path)
    header = _read_project(project)
    shape, step, count = _grid(project, header)
    layout = _layout(project, header)
    size = points.stat().st_size
    if size != count * layout.itemsize:
        fail(
            points, f"has {size} bytes where {project.name} promises {count} points of "
            f"{layout.itemsize} bytes", "Copy both files again: one is cut short, or they are not "
            "a pair.",
        )  # fmt: skip
    rows = np.fromfile(points, layout)
    columns: dict[str, Any] = {
        name: np.asarray(rows[name], np.float64)
        for name in layout.names or ()
        if name != "reliability" or rows[name].any()
    }
    if shape:
        place_y, place_x = np.indices(shape).reshape(2, -1)
        columns |= {"x": place_x * step[1], "y": place_y * step[0]}
    table = Table(path, columns, _phases(project, header), indexed=columns["phase"] > 0)
    table.shape, table.step = shape, step
    table.frame, table.crystal_axes = "y up", "a*"
    mtex = "MTEX" in header.get("General", "Description", fallback="")
    table.verified = (
        "Oxford's convention, but exported from MTEX, which may have turned it; not verified"
        if mtex
        else "Oxford's convention, as for .ctf; not verified for this file"
    )
    table.verified += turned_note(
        [_number(project, header, "AcquisitionSurface", f"Euler{i}") for i in (1, 2, 3)]
    )
    return table


def turned_note(euler: Any) -> str:
    """Say that the file has a specimen orientation (degrees), which is left as it is; or ""."""
    if not np.any(np.abs(euler) > 1e-6):
        return ""
    words = ", ".join(f"{angle:g}" for angle in euler)
    return f"; the specimen's own orientation ({words}) degrees is not applied"


def _both(path: Path) -> tuple[Path, Path]:
    """Return the .crc and the .cpr of a project, whatever the case of their suffixes."""
    found = {}
    for suffix in SUFFIXES:
        if path.suffix.lower() == suffix:
            found[suffix] = path
            continue
        beside = [path.with_suffix(suffix), path.with_suffix(suffix.upper())]
        there = next((other for other in beside if other.is_file()), None)
        if there is None:
            fail(
                path, f"has no {beside[0].name} beside it, and neither is enough",
                "Copy both files into one folder.",
            )  # fmt: skip
        found[suffix] = check_file(there)
    return found[".crc"], found[".cpr"]


def _read_project(path: Path) -> configparser.ConfigParser:
    text = path.read_bytes().decode("latin-1")
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        parser.clear()
    for section in ("Job", "Fields", "Phases"):
        if not parser.has_section(section):
            fail(path, f"is no Channel 5 project: it has no [{section}]", _EXPORT)
    return parser


def _number(path: Path, header: configparser.ConfigParser, section: str, name: str) -> float:
    """Return a number of the .cpr; 0 where it is not given."""
    value = header.get(section, name, fallback="") or "0"
    try:
        return float(value.replace(",", "."))  # some computers write decimal commas
    except ValueError:
        fail(path, f"says {name}={value!r} in [{section}], which is no number", _EXPORT)


def _grid(
    path: Path, header: configparser.ConfigParser
) -> tuple[tuple[int, int] | None, tuple[float, float], int]:
    """Shape (None where points carry their position), step and number of points."""
    names = ("yCells", "xCells", "GridDistY", "GridDistX", "GridDist", "NoOfPoints")
    high, wide, dy, dx, same, count = (_number(path, header, "Job", n) for n in names)
    step = (dy or same, dx or same)
    if min(step) <= 0 or not np.isfinite(step).all():
        fail(path, f"gives a grid of step {step}", _EXPORT)
    if high > 0 and wide > 0:
        return (int(high), int(wide)), step, int(high) * int(wide)
    numbers = {header.get("Fields", name) for name in header.options("Fields") if name != "count"}
    if not {"1", "2"} <= numbers or count <= 0:
        fail(path, "is no map: it gives no grid (xCells, yCells)", _EXPORT)
    return None, step, int(count)


def _layout(path: Path, header: configparser.ConfigParser) -> np.dtype[Any]:
    fields: list[tuple[str, str]] = [("phase", "u1")]
    for i in range(int(_number(path, header, "Fields", "Count"))):
        number = int(_number(path, header, "Fields", f"Field{i + 1}"))
        fields.append(_FIELDS.get(number, (f"field {number}", "<f4")))
    names = [name for name, _ in fields]
    if len(set(names)) < len(names) or not {"phi1", "Phi", "phi2"} <= set(names):
        fail(path, "lists no Euler angles in [Fields], or a field twice", _EXPORT)
    return np.dtype(fields)


def _phases(path: Path, header: configparser.ConfigParser) -> dict[int, Phase]:

    phases: dict[int, Phase] = {}
    for number in range(1, int(_number(path, header, "Phases", "Count")) + 1):
        section = f"Phase{number}"
        if not header.has_section(section):
            fail(path, f"describes no [{section}]", _EXPORT)
        cell = [
            _number(path, header, section, name)
            for name in ("a", "b", "c", "alpha", "beta", "gamma")
        ]
        space, laue = (int(_number(path, header, section, n)) for n in ("SpaceGroup", "LaueGroup"))
        if not space and not 1 <= laue <= len(LAUE):
            fail(path, f"gives [{section}] no symmetry", _EXPORT)
        name = header.get(section, "StructureName", fallback="") or f"phase {number}"
        group = LAUE[laue - 1] if laue else None
        phases[number] = make_phase(path, name, cell, group, space or None)
    if not phases:
        fail(path, "describes no phase", _EXPORT)
    return phases
