"""How is an orientation map in a vendor's HDF5 file read? By what is in it, not by its name.

Known layouts: EDAX OIM (.h5, .oh5), Oxford .h5oina, Bruker Esprit, EMsoft dot products, and
.h5ebsd, which holds the sections of a volume. A file may hold several maps: the first one is
opened, and the note says so; ``file.h5::/Scan_2`` names another.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.maps import IDENTITY, OrientationMap
from napari_orient.data.vendors.tables import (
    EDAX_NOTE,
    LAUE,
    Table,
    assemble,
    fail,
    in_frame,
    make_phase,
    to_square,
)
from napari_orient.files import UnreadableFile, open_h5

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray
    from orix.crystal_map import Phase


_AGAIN = "Export it again, or as .ang or .ctf."
_DEPTH = 3  # groups above .../EBSD/Data
_MOST = 200  # groups in one group that are looked into: a scan may have one per frame
_FAR = -1e5  # EDAX writes the position -1111111 where a point is invalid

# The four settings of EDAX's "Coordinate System/ID", as the drawings in these files show them.
_EDAX_SETTINGS = {1: "x down, y right", 2: "x up, y left", 3: "x left, y down", 4: "y up"}
_EDAX_NAMES = {
    "Phi1": "phi1", "Phi": "Phi", "Phi2": "phi2", "X Position": "x", "Y Position": "y",
    "Phase": "phase", "PhaseData": "phase", "Confidence Index": "CI", "Image Quality": "IQ",
    "Fit": "fit", "SEM Signal": "SEM",
}  # fmt: skip
_OXFORD_NAMES = {
    "Phase": "phase", "X": "x", "Y": "y", "Bands": "bands", "Error": "error", "Band Contrast": "BC",
    "Band Slope": "BS", "Mean Angular Deviation": "MAD", "Euler1": "phi1", "Euler2": "Phi",
    "Euler3": "phi2",
}  # fmt: skip
_BRUKER_NAMES = {"phi1": "phi1", "PHI": "Phi", "phi2": "phi2", "Phase": "phase"}


# --- what is in a file ---------------------------------------------------------------------------


def find_maps(file: h5py.File) -> dict[str, str]:
    """List the maps of vendors in an HDF5 file, in order: path of the group -> its layout.

    Layouts: "edax", "oxford", "bruker", "emsoft"; "h5ebsd" for a whole file of sections.
    """
    import h5py

    if "Index" in file and "Stacking Order" in file:
        return {"/": "h5ebsd"}
    found: dict[str, str] = {}

    def look(group: h5py.Group, depth: int) -> None:
        layout = _layout_of(group)
        if layout:
            found[group.name] = layout
            return
        for name in islice(group, _MOST) if depth else ():
            if isinstance(group.get(name, getlink=True), h5py.HardLink):
                inner = group[name]
                if isinstance(inner, h5py.Group):
                    look(inner, depth - 1)

    look(file["/"], _DEPTH)
    return found


def _layout_of(group: h5py.Group) -> str:
    data = group.get("EBSD/Data")
    if data is None or not hasattr(data, "keys"):
        return ""
    if "DictionaryEulerAngles" in data or "RefinedEulerAngles" in data:
        return "emsoft"
    if "Euler" in data and "Phase" in data:
        return "oxford"
    if {"Phi1", "Phi", "Phi2"} <= set(data):
        return "edax"
    return "bruker" if {"phi1", "PHI", "phi2"} <= set(data) else ""


def open_vendor_h5(
    path: Path, inner: str | None, frame: str | Sequence[float], crystal_axes: str
) -> OrientationMap:
    """Open a map (y, x), or a volume (z, y, x), of a vendor's HDF5 file.

    Parameters
    ----------
    path
        The file.
    inner
        Path of the map's group in the file; None = the first one.
    frame, crystal_axes
        As for :func:`napari_orient.data.vendors.open.open_map`.

    Raises
    ------
    UnreadableFile
        If no map is in it, the named one is not there, or it is damaged.
    """
    with open_h5(path) as file:
        maps = find_maps(file)
        name = next(iter(maps), "") if inner is None else "/" + inner.strip("/")
        if name not in maps:
            listed = f"; it has {', '.join(maps)}" if maps else ""
            what = "orientation map" if inner is None else f"orientation map {inner}"
            fail(path, f"holds no {what}{listed}", "Open it as a scan, or export it as .ang.")
        try:
            made = _open(path, file, name, maps[name], frame, crystal_axes)
        except UnreadableFile:
            raise
        except (KeyError, IndexError, ValueError, TypeError, OSError, MemoryError) as error:
            fail(path, f"holds a damaged map {name} ({error})", _AGAIN)
    if inner is None and len(maps) > 1:
        others = ", ".join(f"{path.name}::{other}" for other in list(maps)[1:])
        made.frame_note += f" The first of {len(maps)} maps in the file; the others: {others}."
    return made


def _open(
    path: Path, file: h5py.File, name: str, layout: str, frame: Any, crystal_axes: str
) -> OrientationMap:

    if layout == "h5ebsd":
        return _stack(path, file, frame, crystal_axes)
    if layout == "emsoft":
        return _open_emsoft(path, file[name], frame, crystal_axes)
    readers = {"edax": _read_edax, "oxford": _read_oxford, "bruker": _read_bruker}
    return assemble(readers[layout](path, file[name]), frame, crystal_axes)


# --- values --------------------------------------------------------------------------------------


def _value(group: h5py.Group, name: str) -> Any:
    """Return a number, a text or a row of numbers of a header; None where it is not there."""
    if name not in group:
        return None
    value = np.asarray(group[name][()]).ravel()
    if value.size > 1:
        return value
    one = value[0] if value.size else None
    return one.decode("latin-1").strip() if isinstance(one, bytes) else one


def _columns(data: h5py.Group, names: dict[str, str], size: int) -> dict[str, NDArray[Any]]:
    """Return all columns of a table, with our names where we have one; patterns are left out."""
    found = {}
    for name, dataset in data.items():
        if getattr(dataset, "size", 0) == size and dataset.dtype.kind in "fiu":
            found[names.get(name, name)] = np.asarray(dataset[()], np.float64).ravel()
    return found


def _grid_positions(shape: tuple[int, int], step: tuple[float, float]) -> dict[str, NDArray[Any]]:
    rows, columns = np.indices(shape).reshape(2, -1)
    return {"x": columns * step[1], "y": rows * step[0]}


def _check_grid(path: Path, shape: tuple[int, int], step: tuple[float, float]) -> None:
    if min(*shape, *step) <= 0:
        fail(path, f"gives a grid of size {shape}, step {step}", _AGAIN)


# --- EDAX ----------------------------------------------------------------------------------------


def _read_edax(path: Path, scan: h5py.Group) -> Table:

    data, header = scan["EBSD/Data"], scan["EBSD/Header"]
    columns = _columns(data, _EDAX_NAMES, data["Phi1"].size)
    shape = (int(_value(header, "nRows") or 0), int(_value(header, "nColumns") or 0))
    step = (float(_value(header, "Step Y") or 0), float(_value(header, "Step X") or 0))
    _check_grid(path, shape, step)
    phases = {
        int(number): _edax_phase(path, int(number), header[f"Phase/{number}"])
        for number in sorted(header["Phase"], key=int)
    }
    indexed = columns.get("CI", np.zeros(data["Phi1"].size)) != -1
    indexed &= columns.pop("Valid", np.zeros(len(indexed))) == 0
    lost = columns["x"] < _FAR
    if lost.any() and len(lost) == shape[0] * shape[1]:
        for name, positions in _grid_positions(shape, step).items():
            columns[name] = np.where(lost, positions, columns[name])
    if len(phases) == 1:
        columns["phase"] = np.full(len(indexed), float(min(phases)))
    table = Table(path, columns, phases, step, shape, indexed=indexed)
    setting = _value(header, "Coordinate System/ID")
    table.frame, table.verified = "x down, y right", EDAX_NOTE
    if setting in _EDAX_SETTINGS:
        table.frame = _EDAX_SETTINGS[int(setting)]
        table.verified = f"Setting {setting} of EDAX, as the file says; not verified for this file"
    alignment = str(_value(header, "Cartesian Alignment") or "")
    table.crystal_axes = "a*" if "a* || x" in alignment else "a"
    return to_square(table) if "hex" in str(_value(header, "Grid Type")).lower() else table


def _edax_phase(path: Path, number: int, group: h5py.Group) -> Phase:

    names = ("a", "b", "c", "alpha", "beta", "gamma")
    cell = _value(group, "LatticeConstants")
    if cell is None:
        cell = [_value(group, f"Lattice Constant {name}") for name in names]
    bracket = re.search(r"\[([^\]]+)\]", str(_value(group, "Point Group")))
    symmetry = _value(group, "Symmetry")
    symbol = str(symmetry) if symmetry is not None else bracket[1] if bracket else "1"
    name = _value(group, "MaterialName") or _value(group, "Formula") or f"phase {number}"
    return make_phase(path, str(name), [float(v) for v in cell], symbol, None)


# --- Oxford --------------------------------------------------------------------------------------


def _read_oxford(path: Path, scan: h5py.Group) -> Table:
    from napari_orient.data.vendors.oxford import turned_note

    data, header = scan["EBSD/Data"], scan["EBSD/Header"]
    columns = _columns(data, _OXFORD_NAMES, data["Phase"].size)
    columns |= dict(zip(("phi1", "Phi", "phi2"), np.asarray(data["Euler"], float).T, strict=True))
    shape = (int(_value(header, "Y Cells") or 0), int(_value(header, "X Cells") or 0))
    step = (float(_value(header, "Y Step") or 0), float(_value(header, "X Step") or 0))
    _check_grid(path, shape, step)
    if len(columns["phase"]) == shape[0] * shape[1]:
        columns |= _grid_positions(shape, step)  # the written ones are rounded
    if "MAD" in columns:
        columns["MAD"] = np.degrees(columns["MAD"])  # as in .ctf
    group = header["Phases"]
    phases = {int(n): _oxford_phase(path, group[n]) for n in sorted(group, key=int)}
    table = Table(path, columns, phases, step, shape, indexed=columns["phase"] > 0)
    table.frame, table.crystal_axes = "y up", "a*"
    table.verified = "Oxford's convention, as for .ctf; not verified for this file"
    specimen = _value(header, "Specimen Orientation Euler")
    table.verified += turned_note(np.degrees(specimen)) if specimen is not None else ""
    return table


def _oxford_phase(path: Path, group: h5py.Group) -> Phase:

    lengths, angles = _value(group, "Lattice Dimensions"), _value(group, "Lattice Angles")
    cell = [*(float(v) for v in lengths), *(float(v) for v in np.degrees(angles))]
    cell = [round(v, 5) for v in cell]  # 90 degrees, through single-precision radians
    laue = LAUE[int(_value(group, "Laue Group") or 1) - 1]
    space = int(_value(group, "Space Group") or 0) or None
    return make_phase(path, str(_value(group, "Phase Name")), cell, laue, space)


# --- Bruker --------------------------------------------------------------------------------------


def _read_bruker(path: Path, scan: h5py.Group) -> Table:

    data, header = scan["EBSD/Data"], scan["EBSD/Header"]
    if "hex" in str(_value(header, "Grid Type")).lower():
        fail(path, "is on a hexagonal grid of Bruker, which is not read here", _AGAIN)
    columns = _columns(data, _BRUKER_NAMES, data["phi1"].size)
    columns |= {name: np.radians(columns[name]) for name in ("phi1", "Phi", "phi2")}
    step = (
        float(_value(header, "YSTEP") or _value(header, "XSTEP") or 0),
        float(_value(header, "XSTEP") or 0),
    )
    shape = (int(_value(header, "NROWS") or 0), int(_value(header, "NCOLS") or 0))
    rows, places = _bruker_indices(scan)
    if rows is not None and places is not None:
        columns |= {"y": (rows - rows.min()) * step[0], "x": (places - places.min()) * step[1]}
        shape = (int(np.ptp(rows)) + 1, int(np.ptp(places)) + 1)
    else:
        columns |= _grid_positions(shape, step)
    _check_grid(path, shape, step)
    group = header["Phases"]
    phases = {int(n): _bruker_phase(path, group[n]) for n in sorted(group, key=int)}
    table = Table(path, columns, phases, step, shape, indexed=columns["phase"] > 0)
    table.crystal_axes = "a*"
    table.verified = "Bruker's axes; not verified"
    if _value(header, "Coordinate Systems/ID") == 5:
        table.frame = "x left, y down"
    return table


def _bruker_indices(scan: h5py.Group) -> tuple[Any, Any]:
    """Row and column of each point, which Esprit writes beside the map; None where it does not."""
    for place in ("EBSD/SEM", "SEM"):
        for y, x in (("IY", "IX"), ("SEM IY", "SEM IX")):
            if place in scan and y in scan[place] and x in scan[place]:
                return scan[place][y][()].ravel(), scan[place][x][()].ravel()
    return None, None


def _bruker_phase(path: Path, group: h5py.Group) -> Phase:

    cell = [round(float(v), 5) for v in _value(group, "LatticeConstants")]
    return make_phase(path, str(_value(group, "Name")), cell, None, int(_value(group, "IT") or 1))


# --- EMsoft --------------------------------------------------------------------------------------


def _open_emsoft(path: Path, scan: h5py.Group, frame: Any, crystal_axes: str) -> OrientationMap:
    """Open a dot product file through orix; refined orientations where they are there."""
    from orix.io.plugins import emsoft_h5ebsd

    refined = "RefinedEulerAngles" in scan["EBSD/Data"]
    read = emsoft_h5ebsd.file_reader(str(path), refined=refined)
    for name in list(read.prop):
        values = np.asarray(dict.__getitem__(read.prop, name))
        dict.__setitem__(read.prop, name, values[:, 0] if values.ndim > 1 else values)
    opened = OrientationMap.from_orix(read, source=str(path))
    refinement = "refined orientations" if refined else "best matches, not refined"
    return in_frame(opened, path, f"EMsoft, {refinement}; not verified", frame, crystal_axes)


# --- sections of a volume ------------------------------------------------------------------------


def _stack(path: Path, file: h5py.File, frame: Any, crystal_axes: str) -> OrientationMap:
    """Pile up the sections of an .h5ebsd file, the one with the lowest number first."""
    numbers = sorted(int(name) for name in file if name.isdigit())
    if not numbers:
        fail(path, "holds no sections", _AGAIN)
    hkl = "HKL" in str(_value(file, "Manufacturer"))
    read = _read_hkl_section if hkl else _read_tsl_section
    made = [assemble(read(path, file[str(n)]), frame, crystal_axes) for n in numbers]
    first = made[0]
    if len(made) == 1:
        return first
    if any({n: p.name for n, p in one.phases.items()} !=
           {n: p.name for n, p in first.phases.items()} for one in made):  # fmt: skip
        fail(path, "has other phases in some sections than in the first", _AGAIN)
    height, width = (max(one.shape[axis] for one in made) for axis in (0, 1))

    def pile(arrays: list[NDArray[Any]], empty: Any) -> NDArray[Any]:
        shape = (len(arrays), height, width, *arrays[0].shape[2:])
        full: NDArray[Any] = np.empty(shape, arrays[0].dtype)
        full[...] = empty
        for layer, array in zip(full, arrays, strict=True):
            top, left = (height - array.shape[0]) // 2, (width - array.shape[1]) // 2
            layer[top : top + array.shape[0], left : left + array.shape[1]] = array
        return full

    shared = [name for name in first.properties if all(name in one.properties for one in made)]
    gap = float(_value(file, "Z Resolution") or 0)
    if gap <= 0 or not all(np.allclose(one.step, first.step, rtol=1e-3) for one in made):
        fail(path, "has sections of different step, or no distance between them", _AGAIN)
    order = file["Stacking Order"].attrs.get("Name", b"not named")
    order = order.decode() if isinstance(order, bytes) else order
    return replace(
        first,
        quaternions=pile([one.quaternions for one in made], IDENTITY),
        phase_id=pile([one.phase_id for one in made], -1),
        properties={
            name: pile([one.properties[name] for one in made], -1.0 if name == "CI" else 0.0)
            for name in shared
        },
        done=pile([one.done for one in made], False),
        step=(gap, *first.step),
        origin=(0.0, *first.origin),
        periodic=(),
        frame_note=f"{first.frame_note} Sections {numbers[0]} to {numbers[-1]}, numbers growing "
        f"into the material; the file's stacking order ({order}) is not applied, nor are shifts.",
    )


def _read_tsl_section(path: Path, section: h5py.Group) -> Table:

    data, header = section["Data"], section["Header"]
    columns = _columns(data, _EDAX_NAMES, data["Phi1"].size)
    columns.setdefault("phase", np.zeros(data["Phi1"].size))
    phases = {
        int(number): _edax_phase(path, int(number), group)
        for number, group in sorted(header["Phases"].items(), key=lambda item: int(item[0]))
    }
    indexed = columns.get("CI", np.zeros(data["Phi1"].size)) != -1
    if len(phases) == 1:
        columns["phase"] = np.full(len(indexed), float(min(phases)))
    shape = (int(_value(header, "NROWS") or 0), int(_value(header, "NCOLS_ODD") or 0))
    step = (float(_value(header, "YSTEP") or 0), float(_value(header, "XSTEP") or 0))
    _check_grid(path, shape, step)
    table = Table(path, columns, phases, step, shape, indexed=indexed)
    table.frame, table.verified = "x down, y right", EDAX_NOTE
    return to_square(table) if "hex" in str(_value(header, "GRID")).lower() else table


def _read_hkl_section(path: Path, section: h5py.Group) -> Table:

    data, header = section["Data"], section["Header"]
    columns = _columns(data, _OXFORD_NAMES, data["Phase"].size)
    if "EulerAngles" in data:
        columns |= dict(zip(("phi1", "Phi", "phi2"), data["EulerAngles"][()].T, strict=True))
    columns |= {name: np.radians(columns[name]) for name in ("phi1", "Phi", "phi2")}
    shape = (int(_value(header, "YCells") or 0), int(_value(header, "XCells") or 0))
    step = (float(_value(header, "YStep") or 0), float(_value(header, "XStep") or 0))
    _check_grid(path, shape, step)
    phases = {}
    for number, group in header["Phases"].items():
        cell = [round(float(v), 5) for v in _value(group, "LatticeConstants")]
        name = str(_value(group, "PhaseName") or _value(group, "Name") or f"phase {number}")
        laue = LAUE[int(_value(group, "LaueGroup") or 1) - 1]
        space = int(_value(group, "SpaceGroup") or 0) or None
        phases[int(number)] = make_phase(path, name, cell, laue, space)
    table = Table(path, columns, phases, step, shape, indexed=columns["phase"] > 0)
    table.frame, table.crystal_axes = "y up", "a*"
    table.verified = "Oxford's convention, as for .ctf; not verified for this file"
    return table
