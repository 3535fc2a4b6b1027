"""How is an orientation map of any vendor opened? One function for all formats.

A vendor's Euler angles refer to axes that the file does not name. Each format has a default, and
``open_map(path, frame=..., crystal_axes=...)`` replaces it. What was assumed is in ``frame_note``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_orient.data.maps import FORMAT, OrientationMap, load_map
from napari_orient.data.vendors.ang_ctf import read_ang, read_ctf
from napari_orient.data.vendors.axes_line import OWN_HEADER, read_axes
from napari_orient.data.vendors.oxford import read_crc
from napari_orient.data.vendors.tables import (
    CRYSTAL_AXES,
    FRAMES,
    FrameName,
    Table,
    assemble,
    check_choices,
    fail,
    in_frame,
)
from napari_orient.data.vendors.text_maps import SUFFIXES as TEXT_SUFFIXES
from napari_orient.data.vendors.text_maps import ColumnChoice, is_field, read_text_map, sniff_text
from napari_orient.data.vendors.vendors_h5 import find_maps, open_vendor_h5
from napari_orient.files import UnreadableFile, check_file, open_h5, split_inside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIXES = (".ang", ".ctf", ".crc", ".cpr", ".h5", ".hdf5", ".h5oina", ".h5ebsd", ".oh5")
_BY_NAME = frozenset(SUFFIXES) - {".h5", ".hdf5"}  # nobody else's suffixes


def sniff_map(path: str | Path) -> bool:
    """Say quickly whether :func:`open_map` is meant for this file; never raises.

    A file named .ang, .ctf, .crc ... is ours by its name, so that a damaged one gets a clear
    message; an HDF5 file with a common name is ours if a map is in it.
    """
    path, inner = split_inside(path)
    try:
        if path.suffix.lower() in _BY_NAME and inner is None:
            return path.is_file()
        if path.suffix.lower() in (*TEXT_SUFFIXES, ".npy"):  # everybody's: only if it says so
            return inner is None and path.is_file() and sniff_text(path)
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            return False
        import h5py

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
    columns: ColumnChoice | None = None,
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
    columns
        What the columns of a text file (.csv, .txt, .tsv, .dat) mean, and its phases.

    Returns
    -------
    orientation_map
        In the map frame; points that are not indexed have phase -1 and the identity. (y, x), or
        (z, y, x) for several sections in an .h5ebsd file.

    Raises
    ------
    UnreadableFile
        Naming the file, the problem and the cure. :class:`UnknownColumns`, one of these, if a
        text file leaves open what its columns or phases are.
    ValueError
        For an unknown ``frame`` or ``crystal_axes``, or ``columns`` that do not fit the file.
    """
    check_choices(frame, crystal_axes)
    path, inner = split_inside(path)
    path = check_file(path)
    suffix, known = path.suffix.lower(), (*SUFFIXES, *TEXT_SUFFIXES)
    field = suffix == ".npy" and path.is_file() and is_field(path)
    if (suffix not in known and not field) or path.is_dir():
        fail(path, "is no orientation map that can be read here", f"Known: {', '.join(known)}.")
    if suffix in TEXT_SUFFIXES or field:
        return assemble(read_text_map(path, columns), frame, crystal_axes)
    if columns is not None:
        raise ValueError(f"columns are named for {', '.join(TEXT_SUFFIXES)} only")
    try:
        return _open(path, inner, frame, crystal_axes)
    except UnreadableFile:
        raise
    except Exception as error:  # whatever a damaged file leads to, its name is said
        words = " ".join(str(error).split()) or "no reason given"
        fail(
            path, f"cannot be read as an orientation map ({type(error).__name__}: {words})",
            "Copy it again from its source, or export it again.",
        )  # fmt: skip


def _open(
    path: Path, inner: str | None, frame: FrameName | Sequence[float], crystal_axes: str
) -> OrientationMap:
    readers = {".ang": read_ang, ".ctf": read_ctf, ".crc": read_crc, ".cpr": read_crc}
    suffix = path.suffix.lower()
    if suffix in readers:
        return _assemble_text(readers[suffix](path), frame, crystal_axes)
    with open_h5(path) as file:
        ours, orix = file.attrs.get("format") == FORMAT, "crystal_map" in file
    if ours and inner is None:
        return load_map(path)
    if orix and inner is None:
        return _open_orix(path, frame, crystal_axes)
    return open_vendor_h5(path, inner, frame, crystal_axes)


def _assemble_text(
    table: Table, frame: FrameName | Sequence[float], crystal_axes: str
) -> OrientationMap:
    """Assemble a map; a file of ours may name axes that have no name but four numbers."""
    axes = read_axes(table.frame)
    if axes is None or frame != "default":
        return assemble(table, frame, crystal_axes)
    made = assemble(table, axes.frame, crystal_axes)
    if crystal_axes == "default":
        made.frame_note = made.frame_note.replace("Chosen by the user", table.verified)
    return made


def _open_orix(path: Path, frame: str | Sequence[float], crystal_axes: str) -> OrientationMap:
    from orix.io.plugins import orix_hdf5

    try:
        opened = OrientationMap.from_orix(orix_hdf5.file_reader(str(path)), source=str(path))
    except Exception as error:
        fail(path, f"holds a damaged orix map ({error})", "Save it again with orix.")
    with open_h5(path) as file:
        axes = read_axes(str(file.attrs.get(OWN_HEADER, "")))
    if axes is None:
        return in_frame(opened, path, "Assumed, since orix stores no frame", frame, crystal_axes)
    if frame == "default" and crystal_axes == "default":
        made = in_frame(opened, path, "", axes.frame, axes.crystal_axes)
        made.frame_note = f"{axes.words}. As its writer says."
        return made
    chosen = axes.frame if frame == "default" else frame
    kind = axes.crystal_axes if crystal_axes == "default" else crystal_axes
    return in_frame(opened, path, "", chosen, kind)


__all__ = [
    "CRYSTAL_AXES",
    "FRAMES",
    "OWN_HEADER",
    "SUFFIXES",
    "TEXT_SUFFIXES",
    "ColumnChoice",
    "FrameName",
    "open_map",
    "sniff_map",
]
