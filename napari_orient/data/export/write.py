"""How is a map handed to other programs? Written, read back, compared, and only then in its place.

Every format says in which axes its Euler angles are; without a choice these are the map's own: x
right, y down, z into the page, crystal x || a. What a format cannot hold is said in the report.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_orient.data.export.check import compare, compare_with_orix, text_tolerance
from napari_orient.data.export.mtex import mtex_script, script_path
from napari_orient.data.export.rows import TEXT_FORMATS, lay_out, turned_to, without_a_place
from napari_orient.data.export.text import write_text
from napari_orient.data.maps import IDENTITY, OrientationMap, load_map, save_map, save_orix
from napari_orient.data.sections import section_of
from napari_orient.data.vendors.axes_line import OWN_HEADER, FileAxes, choose_axes
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Job, Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.export.rows import Rows

Format = Literal["ang", "astar", "ctf", "orix", "h5"]
FORMATS: dict[str, str] = {
    "ang": "EDAX TSL .ang",
    "astar": "ASTAR .ang",
    "ctf": "Oxford .ctf",
    "orix": "orix HDF5",
    "h5": "HDF5 of napari-orient",
}
"""Formats to export to, and their names."""
SUFFIXES: dict[str, tuple[str, ...]] = {
    "ang": (".ang",), "astar": (".ang",), "ctf": (".ctf",), "orix": (".h5", ".hdf5"),
    "h5": (".h5", ".hdf5"),
}  # fmt: skip
_DECKS = ("damask", "dream3d", "abaqus", "vti")


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how it compared with the map when it was read back.

    Attributes
    ----------
    path, script
        The file, and the MTEX script beside it or None.
    axes
        What its Euler angles refer to, in words.
    points, indexed
        Number of points in the file, and of indexed ones.
    largest
        Largest misorientation between file and map, in degrees; ``limit`` is what was allowed.
    checked_by
        Who read the file back.
    notes, lost
        What was written under another name or rounded; what the format cannot hold.
    """

    path: str
    format: str
    axes: str
    points: int
    indexed: int
    largest: float
    limit: float
    checked_by: tuple[str, ...]
    notes: tuple[str, ...]
    lost: tuple[str, ...]
    script: str | None = None

    def summary(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return {"kind": "export", **{k: _plain(v) for k, v in asdict(self).items()}}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def check_format(format_: str, *, mtex: bool = False) -> None:
    """Raise ValueError unless a map can be exported to this format."""
    listed = ", ".join(FORMATS)
    if format_ in _DECKS:
        raise ValueError(f"{format_!r} is for volumes (export_deck); for maps there are {listed}")
    if format_ not in FORMATS:
        raise ValueError(f"no export format is called {format_!r}; there are {listed}")
    if mtex and format_ not in TEXT_FORMATS:
        raise ValueError(f"an MTEX script goes with {', '.join(TEXT_FORMATS)}, not {format_!r}")


def what_is_lost(
    orientations: OrientationMap,
    format_: str,
    *,
    frame: str | Sequence[float] = "map",
    crystal_axes: str = "default",
    section: int | None = None,
) -> tuple[list[str], list[str]]:
    """Say before an export what is renamed or rounded, and what is lost: the report's two lists.

    Raises
    ------
    ValueError
        For an unknown choice, or a volume without a section.
    """
    check_format(format_)
    axes = choose_axes(orientations, frame, crystal_axes)
    if format_ == "h5":
        return [], []
    flat, said = _take_section(orientations, section)
    if format_ == "orix":
        return [], [*said, *_lost_in_orix(flat)]
    rows = lay_out(flat, TEXT_FORMATS[format_], axes, angles=False)
    return rows.notes, [*said, *rows.lost]


def export_map(
    orientations: OrientationMap,
    path: str | Path,
    format_: str,
    *,
    frame: str | Sequence[float] = "map",
    crystal_axes: str = "default",
    section: int | None = None,
    mtex: bool = False,
    overwrite: bool = True,
) -> Job[ExportReport]:
    """Write a map for other programs; the file appears when it was read back and is right.

    Parameters
    ----------
    orientations
        The map; of a volume one section, or all of it in "h5".
    path
        Where to; its suffix must be that of the format.
    format_
        A key of :data:`FORMATS`.
    frame
        What the file's Euler angles refer to: "map" (x right, y down, z into the page), "vendor"
        (as in the file that the map came from), a name of ``FRAMES``, or a unit quaternion from
        the file's Euler axes to the map's. "h5" is always in the map frame.
    crystal_axes
        The crystal x axis on hexagonal lattices, "a" or "a*"; "default": "a", or the vendor's.
    section
        Which section of a volume, from 0.
    mtex
        Write a script beside it that loads it in MTEX.
    overwrite
        Replace a file that is there.

    Raises
    ------
    ValueError
        For an unknown format, frame or section, or a phase without a point group.
    UnreadableFile
        If the file cannot be written, or what was read back is not the map: then nothing is left.
    """
    check_format(format_, mtex=mtex)
    axes = choose_axes(orientations, frame, crystal_axes)
    if format_ == "h5" and (axes.name, axes.crystal_axes) != ("as is", "a"):
        raise ValueError("our HDF5 is always in the map frame; leave the axes at their default")
    path = _check_path(Path(path), format_, orientations, overwrite)
    try:
        if format_ == "h5":
            return (yield from _export_h5(orientations, path, section))
        flat, said = _take_section(orientations, section)
        if format_ == "orix":
            return (yield from _export_orix(flat, path, axes, said))
        rows = lay_out(flat, TEXT_FORMATS[format_], axes)
        return (yield from _export_text(rows, path, said, mtex))
    except OSError as error:
        cure = "Choose another folder, or make room there."
        raise UnreadableFile(
            path, f"cannot be written ({error.strerror or error})", cure
        ) from error


def _check_path(path: Path, format_: str, m: OrientationMap, overwrite: bool) -> Path:
    known = SUFFIXES[format_]
    if path.suffix.lower() not in known:
        raise UnreadableFile(
            path, f"is not named as {FORMATS[format_]}", f"Let the name end in {known[0]}."
        )
    if not path.parent.is_dir():
        raise UnreadableFile(path, "lies in a folder that does not exist", "Make the folder first.")
    source = Path(m.source.partition("::")[0])
    if path.exists() and m.source and source.exists() and path.samefile(source):
        raise UnreadableFile(path, "is the file that the map came from", "Choose another name.")
    if path.exists() and not overwrite:
        raise UnreadableFile(path, "is there already", "Choose another name, or allow overwriting.")
    return path


def _take_section(m: OrientationMap, section: int | None) -> tuple[OrientationMap, list[str]]:
    """Return a map (y, x) and what is left behind of a volume."""
    if len(m.shape) == 2:
        if section not in (None, 0):
            raise ValueError("a map has no sections: leave the section out")
        return m, []
    if section is None or not 0 <= section < m.shape[0]:
        last = m.shape[0] - 1
        raise ValueError(f"this format holds one section: choose one from 0 to {last}, or h5")
    flat = section_of(m, section)
    z = section * m.step[0] + m.origin[0]
    return flat, [f"the volume: only section {section} of {m.shape[0]}, at z = {z:g} {m.unit}"]


def _export_text(rows: Rows, path: Path, said: list[str], mtex: bool) -> Job[ExportReport]:
    from napari_orient.data.vendors.open import open_map

    name, limit = rows.format.name, text_tolerance(rows.format)
    with replace_atomically(path) as temporary:
        yield from write_text(rows, temporary)
        yield Progress(0, 0, "Reading it back")
        largest = compare(path, rows.expected, open_map(temporary), limit, rows.decimals)
        yield Progress(0, 0, "Reading it with orix")
        checked, remark = compare_with_orix(path, temporary, rows, limit)
    script = None
    if mtex:
        script = script_path(path)
        with replace_atomically(script) as temporary:
            temporary.write_text(mtex_script(rows, path.name), encoding="ascii", newline="\n")
    notes = (*rows.notes, *remark)
    return ExportReport(
        str(path), name, rows.axes.words, rows.phase.size, int((rows.phase > 0).sum()), largest,
        limit, ("napari-orient", *checked), notes, (*said, *rows.lost),
        str(script) if script else None,
    )  # fmt: skip


def _export_h5(m: OrientationMap, path: Path, section: int | None) -> Job[ExportReport]:
    said: list[str] = []
    if section is not None:
        m, said = _take_section(m, section)
    with replace_atomically(path) as temporary:
        yield from save_map(m, temporary)
        yield Progress(0, 0, "Reading it back")
        largest = compare(path, m, load_map(temporary), 1e-6, {})
    axes = choose_axes(m, "map", "a")
    return ExportReport(
        str(path), "h5", axes.words, int(np.prod(m.shape)), int(m.indexed.sum()), largest, 1e-6,
        ("napari-orient",), (), tuple(said),
    )  # fmt: skip


def _export_orix(
    m: OrientationMap, path: Path, axes: FileAxes, said: list[str]
) -> Job[ExportReport]:
    """Write orix's HDF5; it has no place for axes, so they stand in an attribute of the file."""
    import h5py

    from napari_orient.data.vendors.open import open_map

    if m.indexed.size == 1:
        raise ValueError("orix cannot read a map of a single point: choose another format")
    yield Progress(0, 0, "Writing")
    turned = replace(m, quaternions=turned_to(m, axes))
    expected = replace(
        m, done=np.ones(m.shape, bool), phase_id=np.where(m.indexed, m.phase_id, -1),
        quaternions=np.where(m.indexed[..., None], m.quaternions, IDENTITY),
    )  # fmt: skip
    made = io.BytesIO()
    save_orix(turned, made)
    with h5py.File(made, "a") as file:
        file.attrs[OWN_HEADER] = axes.line
    with replace_atomically(path) as temporary:
        temporary.write_bytes(made.getbuffer())
        yield Progress(0, 0, "Reading it back")
        largest = compare(path, expected, open_map(temporary), 1e-6, {})
    return ExportReport(
        str(path), "orix", axes.words, m.indexed.size, int(m.indexed.sum()), largest, 1e-6,
        ("napari-orient", "orix"), (), (*said, *_lost_in_orix(m)),
    )  # fmt: skip


def _lost_in_orix(m: OrientationMap) -> list[str]:
    lost = without_a_place(m)
    if not m.done.all():
        lost.append(f"{(~m.done).sum()} points that are not done are written as not indexed")
    if any(m.periodic):
        lost.append("that opposite edges match (periodic)")
    return (
        [*lost, "what the axes of the original file were"]
        if tuple(m.frame) != (1, 0, 0, 0)
        else lost
    )
