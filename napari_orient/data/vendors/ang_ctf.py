"""How are the text formats of maps read? .ang of EDAX, ASTAR, EMsoft and orix; .ctf of Oxford."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.vendors.axes_line import OWN_HEADER, read_axes
from napari_orient.data.vendors.tables import (
    EDAX_NOTE,
    LAUE,
    NOT_TRUSTED,
    Table,
    fail,
    make_phase,
    to_square,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

_ANG_POSITIONS = ["phi1", "Phi", "phi2", "x", "y"]
_ANG_COLUMNS = {
    "tsl": [*_ANG_POSITIONS, "IQ", "CI", "phase", "SEM", "fit"],
    "astar": [*_ANG_POSITIONS, "Q", "R", "phase", NOT_TRUSTED],
    "emsoft": [*_ANG_POSITIONS, "IQ", "DP", "phase"],
}
_ANG_COUNTS = {"tsl": range(8, 15), "astar": range(8, 10), "emsoft": range(8, 9)}
_CTF_COLUMNS = ["phase", "x", "y", "bands", "error", "phi1", "Phi", "phi2", "MAD", "BC", "BS"]


def _read_text(path: Path) -> str:
    text = path.read_bytes().decode("latin-1")
    if "\x00" in text[:4096]:
        fail(path, "is not a text file, whatever its name says", "Rename it, or export it again.")
    return text


def _numbers(path: Path, lines: list[str], allowed: range) -> NDArray[np.float64]:
    """Table of numbers, checked for its width; the message names the first bad line."""
    if not lines:
        fail(path, "has a header but no points", "Export it again: the transfer did not finish.")
    try:
        table = np.loadtxt(lines, ndmin=2, comments=None)
    except ValueError:
        width = len(lines[0].split())
        bad = next((i for i, line in enumerate(lines) if not _is_row(line, width)), 0)
        fail(
            path, f"has a damaged row {bad + 1} of {len(lines)} ({lines[bad].strip()[:40]!r})",
            "Copy or export it again: it is cut short or was edited.",
        )  # fmt: skip
    if table.shape[1] not in allowed:
        fail(
            path,
            f"has {table.shape[1]} columns where {allowed.start} to {allowed.stop - 1} are known",
            "Export it again in the standard format of the vendor.",
        )
    return np.asarray(table, np.float64)


def _is_row(line: str, width: int) -> bool:
    parts = line.split()
    try:
        return len([float(part) for part in parts]) == width
    except ValueError:
        return False


def read_ang(path: Path) -> Table:
    """Read an .ang file (EDAX TSL, ASTAR, EMsoft, orix), a row per point, nothing turned yet.

    ASTAR's reliability, a fraction, becomes a percentage; -1 stays -1. A hexagonal grid becomes a
    square one.

    Raises
    ------
    UnreadableFile
        Naming the file, the problem and the cure.
    """
    lines = _read_text(path).splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() and line[0] != "#"), len(lines))
    header, body = lines[:start], [line for line in lines[start:] if line.strip()]
    text = "\n".join(header)
    if not re.search(r"LatticeConstants|MaterialName|GRID|x-star", text):
        fail(path, "has no .ang header, whatever its name says", "Rename it, or export it again.")
    vendor = "astar" if "ACOM" in text else "emsoft" if "EMsoft" in text else "tsl"
    values = _numbers(path, body, range(8, 100) if _named(text) else _ANG_COUNTS[vendor])
    names = _named(text) or list(_ANG_COLUMNS[vendor])
    names += [f"extra {i + 1}" for i in range(len(names), values.shape[1])]
    columns = {name: values[:, i] for i, name in enumerate(names[: values.shape[1]])}
    table = Table(path, columns, _ang_phases(path, header), indexed=np.ones(len(values), bool))
    if vendor == "astar":
        table.unit = "nm"
        columns["R"] = np.where(columns["R"] < 0, -1.0, 100 * columns["R"])
        if OWN_HEADER in text:  # ours say what is not indexed; ASTAR gives every point an answer
            table.indexed = columns["phase"] > 0
    elif "CI" in columns:
        table.indexed = columns["CI"] != -1
    if _take_own_axes(table, text):
        pass
    elif "Column names: phi1" in text:  # orix's: no vendor's axes
        table.verified = "As its writer says"
    elif vendor == "tsl":
        table.frame, table.verified = "x down, y right", EDAX_NOTE
    table.step, table.shape = _ang_grid(text)
    return to_square(table) if re.search(r"GRID:\s*HexGrid", text) else table


def _named(header: str) -> list[str]:
    """Column names where the header lists them (orix, recent EDAX), under our names."""
    found = re.search(r"(?:Column names|COLUMN_HEADERS):\s*(.+)", header)
    if not found:
        return []
    ours = {"PHI": "Phi", "Phase index": "phase", "phase_id": "phase", "Fit": "fit", "iq": "IQ"}
    ours |= {"image_quality": "IQ", "confidence_index": "CI", "detector_signal": "SEM", "ci": "CI"}
    ours |= {"pattern_fit": "fit"}
    names = [name.strip() for name in found[1].split(",")]
    names = [ours.get(name, name) for name in names]
    needed = {*_ANG_POSITIONS, "phase"}
    return names if needed <= set(names) else []


def _ang_grid(header: str) -> tuple[tuple[float, float] | None, tuple[int, int] | None]:
    found = {
        key: float(value)
        for key, value in re.findall(r"#\s*(XSTEP|YSTEP|NCOLS_ODD|NROWS):\s*([\d.eE+-]+)", header)
    }
    step = (found.get("YSTEP", 0.0), found.get("XSTEP", 0.0))
    shape = (int(found.get("NROWS", 0)), int(found.get("NCOLS_ODD", 0)))
    return (step if min(step) > 0 else None), (shape if min(shape) > 0 else None)


def _ang_phases(path: Path, header: list[str]) -> dict[int, Phase]:
    """Phases of the header, by number; ASTAR writes none, so that they count from 1."""
    phases: dict[int, Phase] = {}
    number, name, symmetry = 0, "", ""
    for line in header:
        words = line.lstrip("# \t").split()
        key = words[0] if words else ""
        if key == "Phase" and len(words) == 2 and words[1].isdigit():
            number = int(words[1])
        elif key == "MaterialName":
            name = " ".join(words[1:])
        elif key == "Symmetry" and len(words) > 1:
            symmetry = words[1]
        elif key == "LatticeConstants":
            try:
                lattice = [float(w) for w in words[1:7]]
            except ValueError:
                lattice = []
            number = number if number and number not in phases else len(phases) + 1
            phases[number] = make_phase(path, name or f"phase {number}", lattice, symmetry, None)
    if not phases:
        fail(path, "describes no phase in its header", "Export it again with its phases.")
    return phases


def read_ctf(path: Path) -> Table:
    """Read a .ctf file (Oxford's Channel Text File), a row per point, nothing turned yet.

    Raises
    ------
    UnreadableFile
        Naming the file, the problem and the cure.
    """
    lines = _read_text(path).splitlines()
    if not lines or not lines[0].startswith("Channel Text File"):
        fail(path, "has no .ctf header, whatever its name says", "Rename it, or export it again.")
    start = next((i for i, line in enumerate(lines) if line.startswith("Phase\t")), None)
    if start is None:
        fail(path, "is cut short: it has no table", "Copy or export it again.")
    header, body = lines[:start], [ln for ln in lines[start + 1 :] if ln.strip()]
    if body and "," in body[0]:  # written on a computer with decimal commas
        body = [line.replace(",", ".") for line in body]
    values = _numbers(path, body, range(11, 12))
    columns = {name: values[:, i] for i, name in enumerate(_CTF_COLUMNS)}
    for name in ("phi1", "Phi", "phi2"):
        columns[name] = np.radians(columns[name])
    table = Table(path, columns, _ctf_phases(path, header), indexed=columns["phase"] > 0)
    facts = {w[0]: w[1].replace(",", ".") for w in (ln.split("\t") for ln in header) if len(w) > 1}
    try:
        table.shape = (int(facts["YCells"]), int(facts["XCells"]))
        table.step = (float(facts["YStep"]), float(facts["XStep"]))
    except (KeyError, ValueError):
        fail(path, "gives no grid (XCells, YCells, XStep, YStep)", "Export it as a grid.")
    if not (min(*table.shape, *table.step) > 0 and np.isfinite(table.step).all()):
        fail(path, f"gives a grid of size {table.shape}, step {table.step}", "Export it again.")
    text = "\n".join(header)
    if _take_own_axes(table, text):
        return table
    table.frame, table.crystal_axes = "y up", "a*"
    other = next((n for n in ("ACOM", "EMsoft", "mtex") if n in text), "")
    table.verified = f"Oxford's convention; not verified for {other}" if other else (
        "Oxford's convention, measured on twin traces in magnesium, which leave half a turn about "
        "the beam open; not verified for this file"
    )  # fmt: skip
    return table


def _take_own_axes(table: Table, header: str) -> bool:
    """Take the axes from the header of a file of ours; False if it is somebody else's."""
    axes = read_axes(header)
    if axes is None:
        return False
    table.verified = "As its writer says"
    table.crystal_axes = axes.crystal_axes
    table.frame = axes.name or axes.line  # a frame without a name: vendors.py reads the line again
    return True


def _ctf_phases(path: Path, header: list[str]) -> dict[int, Phase]:
    first = next((i for i, line in enumerate(header) if line.startswith("Phases")), None)
    phases: dict[int, Phase] = {}
    if first is not None:
        try:
            count = int(header[first].split("\t")[1])
            for number, line in enumerate(header[first + 1 : first + 1 + count], start=1):
                parts = line.split("\t")
                cell = [float(v.replace(",", ".")) for v in ";".join(parts[:2]).split(";")]
                space_group = int(parts[4]) if len(parts) > 4 and parts[4].strip() else 0
                phases[number] = make_phase(
                    path, parts[2], cell, LAUE[int(parts[3]) - 1], space_group or None
                )
        except (ValueError, IndexError):
            fail(path, "has a damaged list of phases", "Copy or export it again.")
    if not phases:
        fail(path, "describes no phase in its header", "Export it again with its phases.")
    return phases
