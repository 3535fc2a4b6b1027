"""How is an orientation map of a vendor read? With its axes turned to ours, and said so in words.

A vendor's Euler angles refer to axes that the file does not name. Each format has a default, and
``open_map(path, frame=..., crystal_axes=...)`` replaces it. What was assumed is in ``frame_note``.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from napari_orient.data.hexgrid import HEX_NOTE, resample_hexagonal
from napari_orient.data.maps import (
    FORMAT,
    IDENTITY,
    CrystalAxes,
    OrientationMap,
    a_star_to_a,
    from_vendor,
    is_hexagonal,
    load_map,
    multiply,
)
from napari_orient.files import UnreadableFile, check_file, open_h5

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

FrameName = Literal["default", "as is", "y up", "x down, y right", "x up, y left", "x left, y down"]

_HALF = float(np.sqrt(0.5))
FRAMES: dict[str, tuple[tuple[float, float, float, float], str]] = {
    "as is": (IDENTITY, "Euler axes are the map's: x right, y down, z into the page"),
    "y up": ((0.0, 1.0, 0.0, 0.0), "Euler axes: x right, y up, z out of the page"),
    "x down, y right": (
        (0.0, _HALF, _HALF, 0.0), "Euler axes: x down, y right, z out of the page"
    ),
    "x up, y left": ((0.0, _HALF, -_HALF, 0.0), "Euler axes: x up, y left, z out of the page"),
    "x left, y down": ((0.0, 0.0, 1.0, 0.0), "Euler axes: x left, y down, z out of the page"),
}  # fmt: skip
"""Conventions to choose from: quaternion from the Euler axes to the map's, and its description."""

CRYSTAL_AXES: dict[str, str] = {
    "a": "x || a on hexagonal lattices, as EDAX and orix have it",
    "a*": "x || a* on hexagonal lattices, as Oxford has it",
}

SUFFIXES = (".ang", ".ctf", ".crc", ".cpr", ".h5", ".hdf5", ".h5oina", ".h5ebsd", ".oh5")
_BY_NAME = frozenset(SUFFIXES) - {".h5", ".hdf5"}  # nobody else's suffixes
OWN_HEADER = "napari-orient"  # in a text header: written by us, in the map frame

_LAUE = ("-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m")
_NOT_TRUSTED = "column 9"  # of ASTAR: its meaning differs between versions
_ANG_POSITIONS = ["phi1", "Phi", "phi2", "x", "y"]
_ANG_COLUMNS = {
    "tsl": [*_ANG_POSITIONS, "IQ", "CI", "phase", "SEM", "fit"],
    "astar": [*_ANG_POSITIONS, "Q", "R", "phase", _NOT_TRUSTED],
    "emsoft": [*_ANG_POSITIONS, "IQ", "DP", "phase"],
}
_ANG_COUNTS = {"tsl": range(8, 15), "astar": range(8, 10), "emsoft": range(8, 9)}
_CTF_COLUMNS = ["phase", "x", "y", "bands", "error", "phi1", "Phi", "phi2", "MAD", "BC", "BS"]
_MISSING_SHARE = 0.01
# Length of sigma-3 twins within 10 degrees of their trace: 100 % and 88 % in two EDAX nickel maps,
# 0 % and 16 % with the Euler axes as they are, 0 % with any other choice but the opposite of this
# one: a trace cannot tell half a turn about the beam.
_EDAX_NOTE = (
    "EDAX's convention, measured on twin traces in nickel, which leave half a turn about the beam "
    "open; not verified for this file"
)


@dataclass
class _Table:
    """A vendor's file as read: a row per point, angles in radians, nothing turned yet."""

    path: Path
    columns: dict[str, NDArray[Any]]
    phases: dict[int, Phase]
    step: tuple[float, float] | None = None  # (dy, dx) of the header
    shape: tuple[int, int] | None = None
    unit: str = "um"
    frame: str = "as is"
    crystal_axes: CrystalAxes = "a"
    verified: str = "Not verified"
    indexed: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    remark: str = ""  # a sentence for the note, whatever the user chose


def sniff_map(path: str | Path) -> bool:
    """Say quickly whether :func:`open_map` is meant for this file; never raises.

    A file named .ang, .ctf, .crc ... is ours by its name, so that a damaged one gets a clear
    message; an HDF5 file with a common name is ours if a map is in it.
    """
    path, inner = _split_inner(path)
    try:
        if path.suffix.lower() in _BY_NAME and inner is None:
            return path.is_file()
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            return False
        import h5py

        from napari_orient.data.vendors_h5 import find_maps

        if not h5py.is_hdf5(path):
            return False
        with h5py.File(path, "r") as file:
            if inner is not None:
                return "/" + inner.strip("/") in find_maps(file)
            known = file.attrs.get("format") == FORMAT or "crystal_map" in file
            return known or bool(find_maps(file))
    except Exception:
        return False


def open_map(
    path: str | Path,
    frame: FrameName | Sequence[float] = "default",
    crystal_axes: Literal["default", "a", "a*"] = "default",
) -> OrientationMap:
    """Open an orientation map of any format in docs/formats.md.

    Parameters
    ----------
    path
        The file. ``file.h5::/Scan_2`` names one of several maps in a vendor's HDF5 file.
    frame
        What the vendor's Euler axes are: a name of :data:`FRAMES`, or the unit quaternion from
        them to the map frame. "default": "y up" for Oxford, "x down, y right" for EDAX where the
        file names no setting, else "as is". Our own HDF5 files know their frame.
    crystal_axes
        The vendor's crystal x axis on hexagonal lattices. "default": "a*" for Oxford and Bruker,
        else "a".

    Returns
    -------
    orientation_map
        In the map frame; points that are not indexed have phase -1 and the identity. (y, x), or
        (z, y, x) for several sections in an .h5ebsd file.

    Raises
    ------
    UnreadableFile
        Naming the file, the problem and the cure.
    ValueError
        For an unknown ``frame`` or ``crystal_axes``.
    """
    from napari_orient.data.oxford import read_crc
    from napari_orient.data.vendors_h5 import open_vendor_h5

    path, inner = _split_inner(path)
    path = check_file(path)
    readers = {".ang": _read_ang, ".ctf": _read_ctf, ".crc": read_crc, ".cpr": read_crc}
    suffix = path.suffix.lower()
    if suffix in readers:
        return _assemble(readers[suffix](path), frame, crystal_axes)
    if suffix not in SUFFIXES or path.is_dir():
        _fail(path, "is no orientation map that can be read here", f"Known: {', '.join(SUFFIXES)}.")
    with open_h5(path) as file:
        ours, orix = file.attrs.get("format") == FORMAT, "crystal_map" in file
    if ours and inner is None:
        return load_map(path)
    if orix and inner is None:
        return _open_orix(path, frame, crystal_axes)
    return open_vendor_h5(path, inner, frame, crystal_axes)


def _split_inner(path: str | Path) -> tuple[Path, str | None]:
    """Split ``file.h5::/Scan_2`` into the file and the name inside, None where not named."""
    name, mark, inner = str(path).rpartition("::")
    return (Path(name), inner) if mark else (Path(path), None)


def _fail(path: Path, problem: str, cure: str) -> NoReturn:
    raise UnreadableFile(path, problem, cure)


# --- from a table to a map -----------------------------------------------------------------------


def _choose_frame(
    table: _Table, frame: str | Sequence[float], crystal_axes: str
) -> tuple[tuple[float, float, float, float], CrystalAxes, str]:
    """Quaternion, crystal axes and note: the format's own unless the user said otherwise."""
    if crystal_axes not in ("default", *CRYSTAL_AXES):
        raise ValueError(f"crystal axes {crystal_axes!r}: choose one of {list(CRYSTAL_AXES)}")
    axes: CrystalAxes = table.crystal_axes
    if crystal_axes != "default":
        axes = "a*" if crystal_axes == "a*" else "a"
    if isinstance(frame, str):
        if frame not in ("default", *FRAMES):
            raise ValueError(f"frame {frame!r}: choose one of {list(FRAMES)}")
        quaternion, words = FRAMES[table.frame if frame == "default" else frame]
    else:
        a, b, c, d = np.asarray(frame, np.float64) / np.linalg.norm(frame)
        quaternion, words = (float(a), float(b), float(c), float(d)), "Euler axes: turned as given"
    hexagonal = any(is_hexagonal(phase) for phase in table.phases.values())
    words += f"; crystal {CRYSTAL_AXES[axes]}" if hexagonal else ""
    chosen = frame != "default" or crystal_axes != "default"
    words += f". {'Chosen by the user' if chosen else table.verified}."
    return quaternion, axes, words + (f" {table.remark}." if table.remark else "")


def _assemble(table: _Table, frame: str | Sequence[float], crystal_axes: str) -> OrientationMap:
    from orix.quaternion import Rotation

    quaternion, axes, note = _choose_frame(table, frame, crystal_axes)
    columns, phase_id = table.columns, _phase_numbers(table)
    angles = np.stack([columns[name] for name in ("phi1", "Phi", "phi2")], axis=-1)
    _check_angles(table.path, angles[phase_id >= 0])
    angles[phase_id < 0] = 0.0
    orientations = from_vendor(np.asarray(Rotation.from_euler(angles).data), quaternion)
    if axes == "a*":
        hexagonal = [n for n, phase in table.phases.items() if is_hexagonal(phase)]
        there = np.isin(phase_id, hexagonal)
        orientations[there] = multiply(a_star_to_a(), orientations[there])
    orientations[phase_id < 0] = IDENTITY
    place, shape, step, origin = _place_points(table)

    def fill(values: NDArray[Any], empty: Any) -> NDArray[Any]:
        full = np.full((shape[0] * shape[1], *values.shape[1:]), empty, values.dtype)
        full[place] = values
        return full.reshape(*shape, *values.shape[1:])

    skip = {"phi1", "Phi", "phi2", "x", "y", "phase", _NOT_TRUSTED}
    return OrientationMap(
        quaternions=fill(orientations, IDENTITY),
        phases=table.phases,
        phase_id=fill(phase_id, -1),
        properties={n: fill(v, _empty(n)) for n, v in columns.items() if n not in skip},
        step=step,
        unit=table.unit,
        frame=quaternion,
        frame_note=note,
        crystal_axes=axes,
        done=fill(np.ones(len(phase_id), bool), False),
        source=str(table.path),
        origin=origin,
    )


def _empty(name: str) -> float:
    return -1.0 if name in ("R", "CI") else 0.0  # what the vendors write for "no answer"


def _phase_numbers(table: _Table) -> NDArray[np.int32]:
    """Phase of each row, -1 where not indexed; a single phase may be written as 0 or 1."""
    column = table.columns["phase"]
    if not np.all(np.isfinite(column)):
        _fail(table.path, "has phase numbers that are no numbers", "Export it again.")
    numbers: NDArray[np.int32] = np.rint(column).astype(np.int32)
    if len(table.phases) == 1 and table.path.suffix.lower() == ".ang":
        numbers[(numbers == 0) | (numbers == 1)] = min(table.phases)
    numbers[~table.indexed | (numbers <= 0) & ~np.isin(numbers, list(table.phases))] = -1
    unknown = set(np.unique(numbers).tolist()) - {-1, *table.phases}
    if unknown:
        _fail(
            table.path,
            f"uses phase {sorted(unknown)}, which its header does not describe",
            "Export it again with all phases.",
        )
    return numbers


def _check_angles(path: Path, angles: NDArray[np.float64]) -> None:
    bad = int(np.sum(~np.isfinite(angles).all(axis=-1)))
    if bad:
        _fail(
            path, f"has {bad} indexed points without Euler angles (NaN)",
            "Export it again, or mark these points as not indexed.",
        )  # fmt: skip
    if angles.size and np.abs(angles).max() > 4.1 * np.pi:
        _fail(
            path, "has Euler angles beyond two turns", "Export it with angles in radians for .ang, "
            "degrees for .ctf.",
        )  # fmt: skip


def _place_points(
    table: _Table,
) -> tuple[NDArray[np.int64], tuple[int, int], tuple[float, float], tuple[float, float]]:
    """Where each row belongs (flat index), shape, step, origin; the order of rows is free."""
    x, y = table.columns["x"], table.columns["y"]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        _fail(table.path, "has points without a position (NaN)", "Export it again.")
    dx, dy = _measure_step(x), _measure_step(y)
    dy, dx = table.step or (dy or dx or 1.0, dx or dy or 1.0)
    origin = (float(y.min()), float(x.min()))
    rows, columns = (y - origin[0]) / dy, (x - origin[1]) / dx
    off = max(np.abs(rows - np.rint(rows)).max(), np.abs(columns - np.rint(columns)).max())
    shape = table.shape or (round(float(rows.max())) + 1, round(float(columns.max())) + 1)
    size = shape[0] * shape[1]
    if (
        off > 0.25
        or round(float(rows.max())) >= shape[0]
        or round(float(columns.max())) >= shape[1]
    ):
        _fail(
            table.path, f"has points that lie on no {shape[0]} x {shape[1]} grid of its step "
            f"({dy:g}, {dx:g})", "Export it on a square grid.",
        )  # fmt: skip
    place = np.rint(rows).astype(np.int64) * shape[1] + np.rint(columns).astype(np.int64)
    if len(np.unique(place)) < len(place):
        _fail(table.path, "has two rows for one point", "Export one map per file.")
    if size - len(place) > max(1.0, _MISSING_SHARE * size):
        _fail(
            table.path, f"is cut short: {len(place)} of {size} points", "Copy or export it again."
        )
    return place, shape, (dy, dx), origin


def _measure_step(values: NDArray[np.float64]) -> float:
    """Distance of grid lines: the mean, since few digits spoil single gaps, unless lines lack."""
    lines = np.unique(values.round(6))
    if len(lines) < 2:
        return 0.0
    gaps = np.diff(lines)
    typical = float(np.median(gaps))
    return float(gaps.mean()) if gaps.max() < 1.5 * typical else typical


# --- text files ----------------------------------------------------------------------------------


def _read_text(path: Path) -> str:
    text = path.read_bytes().decode("latin-1")
    if "\x00" in text[:4096]:
        _fail(path, "is not a text file, whatever its name says", "Rename it, or export it again.")
    return text


def _numbers(path: Path, lines: list[str], allowed: range) -> NDArray[np.float64]:
    """Table of numbers, checked for its width; the message names the first bad line."""
    if not lines:
        _fail(path, "has a header but no points", "Export it again: the transfer did not finish.")
    try:
        table = np.loadtxt(lines, ndmin=2, comments=None)
    except ValueError:
        width = len(lines[0].split())
        bad = next((i for i, line in enumerate(lines) if not _is_row(line, width)), 0)
        _fail(
            path, f"has a damaged row {bad + 1} of {len(lines)} ({lines[bad].strip()[:40]!r})",
            "Copy or export it again: it is cut short or was edited.",
        )  # fmt: skip
    if table.shape[1] not in allowed:
        _fail(
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


def _make_phase(
    path: Path, name: str, lattice: Sequence[float], group: str | None, space_group: int | None
) -> Phase:
    """Build a phase from a header; a symmetry unknown to orix is the file's error."""
    from diffpy.structure import Lattice, Structure
    from orix.crystal_map import Phase

    try:
        structure = Structure(title=name, lattice=Lattice(*lattice))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # orix may prefer the space group's own point group
            return Phase(
                name=name,
                space_group=space_group,
                point_group=None if space_group else group,
                structure=structure,
            )
    except Exception as error:
        _fail(path, f"describes the phase {name!r} wrongly ({error})", "Export it again.")


def _read_ang(path: Path) -> _Table:
    lines = _read_text(path).splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() and line[0] != "#"), len(lines))
    header, body = lines[:start], [line for line in lines[start:] if line.strip()]
    text = "\n".join(header)
    if not re.search(r"LatticeConstants|MaterialName|GRID|x-star", text):
        _fail(path, "has no .ang header, whatever its name says", "Rename it, or export it again.")
    vendor = "astar" if "ACOM" in text else "emsoft" if "EMsoft" in text else "tsl"
    values = _numbers(path, body, range(8, 100) if _named(text) else _ANG_COUNTS[vendor])
    names = _named(text) or list(_ANG_COLUMNS[vendor])
    names += [f"extra {i + 1}" for i in range(len(names), values.shape[1])]
    columns = {name: values[:, i] for i, name in enumerate(names[: values.shape[1]])}
    table = _Table(path, columns, _ang_phases(path, header), indexed=np.ones(len(values), bool))
    if vendor == "astar":
        table.unit = "nm"
        columns["R"] = np.where(columns["R"] < 0, -1.0, 100 * columns["R"])
    elif "CI" in columns:
        table.indexed = columns["CI"] != -1
    if OWN_HEADER in text or "Column names: phi1" in text:  # ours and orix's: no vendor's axes
        table.verified = "As its writer says"
    elif vendor == "tsl":
        table.frame, table.verified = "x down, y right", _EDAX_NOTE
    table.step, table.shape = _ang_grid(text)
    return _to_square(table) if re.search(r"GRID:\s*HexGrid", text) else table


def _to_square(table: _Table) -> _Table:
    """Resample a table on a hexagonal grid to a square one, and say so."""
    if not table.step:
        _fail(table.path, "gives no step of its hexagonal grid", "Export it again.")
    if not all(np.isfinite(table.columns[name]).all() for name in ("x", "y")):
        _fail(table.path, "has points without a position (NaN)", "Export it again.")
    place, x, y, pitch = resample_hexagonal(table.columns, table.step[1])
    columns = {name: values[place] for name, values in table.columns.items()} | {"x": x, "y": y}
    return replace(
        table, columns=columns, indexed=table.indexed[place], step=(pitch, pitch), shape=None,
        remark=HEX_NOTE,
    )  # fmt: skip


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
            phases[number] = _make_phase(path, name or f"phase {number}", lattice, symmetry, None)
    if not phases:
        _fail(path, "describes no phase in its header", "Export it again with its phases.")
    return phases


def _read_ctf(path: Path) -> _Table:
    lines = _read_text(path).splitlines()
    if not lines or not lines[0].startswith("Channel Text File"):
        _fail(path, "has no .ctf header, whatever its name says", "Rename it, or export it again.")
    start = next((i for i, line in enumerate(lines) if line.startswith("Phase\t")), None)
    if start is None:
        _fail(path, "is cut short: it has no table", "Copy or export it again.")
    header, body = lines[:start], [ln for ln in lines[start + 1 :] if ln.strip()]
    if body and "," in body[0]:  # written on a computer with decimal commas
        body = [line.replace(",", ".") for line in body]
    values = _numbers(path, body, range(11, 12))
    columns = {name: values[:, i] for i, name in enumerate(_CTF_COLUMNS)}
    for name in ("phi1", "Phi", "phi2"):
        columns[name] = np.radians(columns[name])
    table = _Table(path, columns, _ctf_phases(path, header), indexed=columns["phase"] > 0)
    facts = {w[0]: w[1].replace(",", ".") for w in (ln.split("\t") for ln in header) if len(w) > 1}
    try:
        table.shape = (int(facts["YCells"]), int(facts["XCells"]))
        table.step = (float(facts["YStep"]), float(facts["XStep"]))
    except (KeyError, ValueError):
        _fail(path, "gives no grid (XCells, YCells, XStep, YStep)", "Export it as a grid.")
    if min(*table.shape, *table.step) <= 0:
        _fail(path, f"gives a grid of size {table.shape}, step {table.step}", "Export it again.")
    text = "\n".join(header)
    if OWN_HEADER in text:
        table.verified = "As its writer says"
        return table
    table.frame, table.crystal_axes = "y up", "a*"
    other = next((n for n in ("ACOM", "EMsoft", "mtex") if n in text), "")
    table.verified = f"Oxford's convention; not verified for {other}" if other else (
        "Oxford's convention, measured on twin traces in magnesium, which leave half a turn about "
        "the beam open; not verified for this file"
    )  # fmt: skip
    return table


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
                phases[number] = _make_phase(
                    path, parts[2], cell, _LAUE[int(parts[3]) - 1], space_group or None
                )
        except (ValueError, IndexError):
            _fail(path, "has a damaged list of phases", "Copy or export it again.")
    if not phases:
        _fail(path, "describes no phase in its header", "Export it again with its phases.")
    return phases


def _open_orix(path: Path, frame: str | Sequence[float], crystal_axes: str) -> OrientationMap:
    from orix.io.plugins import orix_hdf5

    try:
        opened = OrientationMap.from_orix(orix_hdf5.file_reader(str(path)), source=str(path))
    except Exception as error:
        _fail(path, f"holds a damaged orix map ({error})", "Save it again with orix.")
    return _in_frame(opened, path, "Assumed, since orix stores no frame", frame, crystal_axes)


def _in_frame(
    opened: OrientationMap,
    path: Path,
    verified: str,
    frame: str | Sequence[float],
    crystal_axes: str,
) -> OrientationMap:
    """Turn a map that a library has read from its vendor's axes to ours."""
    table = _Table(path, {}, opened.phases, verified=verified)
    opened.frame, opened.crystal_axes, opened.frame_note = _choose_frame(table, frame, crystal_axes)
    opened.quaternions = from_vendor(opened.quaternions, opened.frame)
    if opened.crystal_axes == "a*":
        hexagonal = [n for n, phase in opened.phases.items() if is_hexagonal(phase)]
        there = np.isin(opened.phase_id, hexagonal)
        opened.quaternions[there] = multiply(a_star_to_a(), opened.quaternions[there])
    return opened
