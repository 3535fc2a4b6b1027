"""How is a desk kept? One HDF5 file ``name.orient``: its state, with scans and maps or places.

Layout, version 1: the attributes ``format``, ``version``, ``program`` and ``saved`` (ISO 8601); the
dataset ``desk``, JSON text of the state (:mod:`~napari_orient.data.desk.trees`), and references;
``arrays/N``; ``scans/N`` as in our scan files and ``maps/N`` as in our map files, where they are
embedded. What a file gives back exactly is stored as a reference: absolute and relative path, the
dataset, a fingerprint, and what was done since it was opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient import __version__
from napari_orient.data.desk.parts import (
    SUFFIX,
    must_embed,
    read_map,
    read_scan,
    write_maps,
    write_scans,
)
from napari_orient.data.desk.places import find, has_changed
from napari_orient.data.desk.trees import Packer, unpack
from napari_orient.data.images import cannot_write
from napari_orient.data.maps import OrientationMap
from napari_orient.data.save import filters
from napari_orient.data.scan import Scan
from napari_orient.files import UnreadableFile, check_file, open_h5, replace_atomically
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_orient.jobs import Job

FORMAT = "napari-orient desk"
VERSION = 1
KINDS: dict[str, type] = {"scan": Scan, "map": OrientationMap}
NEWER = "Update with: pip install -U napari-orient"


@dataclass(frozen=True)
class Saved:
    """What was written: where, how large, and remarks about what could not be kept as it was."""

    path: Path
    nbytes: int
    notes: tuple[str, ...] = ()


@dataclass
class Desk:
    """A desk as it comes back.

    ``state`` is the tree that was saved, with None in the place of what is missing; ``missing``
    names the files that were not found, by their old paths.
    """

    state: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    saved: str = ""


# --- writing -------------------------------------------------------------------------------------


def save_desk(state: dict[str, Any], path: str | Path, *, embed: bool = False) -> Job[Saved]:
    """Write the state of a desk; a job. A file under ``path`` is replaced in one step at the end.

    Parameters
    ----------
    state
        A tree (:mod:`napari_orient.data.desk.trees`) in which scans and maps may stand anywhere.
    path
        ``name.orient``.
    embed
        Put all scans and maps into the file. Without it they are referred to where their file
        gives them back exactly; others, and maps below 50 MB, are embedded all the same.

    Raises
    ------
    UnreadableFile
        If it cannot be written, or a scan cannot be read on.
    """
    import h5py

    path = Path(path)
    packer, notes = Packer(KINDS), []
    tree = packer.pack(state)
    notes += [f"not kept: {words.lstrip('.')}" for words in packer.odd]
    yield Progress(0, 0, "looking at the files")
    try:
        with replace_atomically(path) as temporary:
            with h5py.File(temporary, "w") as file:
                file.attrs.update({"format": FORMAT, "version": VERSION, "program": __version__})
                file.attrs["saved"] = datetime.now().astimezone().isoformat(timespec="seconds")
                _write_arrays(file.create_group("arrays"), packer.objects["array"])
                maps = yield from write_maps(file, path, packer.objects["map"], embed, notes)
                scans = yield from write_scans(file, path, packer.objects["scan"], embed, notes)
                text = json.dumps({"state": tree, "scans": scans, "maps": maps})
                file.create_dataset("desk", data=text, dtype=h5py.string_dtype())
    except OSError as error:
        raise cannot_write(path, error) from error
    return Saved(path, path.stat().st_size, tuple(notes))


def _write_arrays(group: Any, arrays: list[Any]) -> None:
    for number, array in enumerate(arrays):
        packed = filters("gzip") if array.size > 64 else {}
        group.create_dataset(str(number), data=array, **packed)


# --- reading -------------------------------------------------------------------------------------


def open_desk(path: str | Path, moved: Mapping[str, str] | None = None) -> Job[Desk]:
    """Read a desk; a job. Files that are not found are named, and the rest comes back.

    Parameters
    ----------
    path
        ``name.orient``.
    moved
        Old path -> new place of files that the user has pointed to.

    Raises
    ------
    UnreadableFile
        If it is no session, is damaged, or comes from a newer version.
    """
    path = Path(path)
    yield Progress(0, 0, "reading the session")
    with _open(path) as file:
        try:
            text = json.loads(file["desk"][()])
            desk = Desk({}, saved=str(file.attrs.get("saved", "")))
            maps = yield from _read_all(read_map, file, path, text["maps"], moved, desk)
            scans = yield from _read_all(read_scan, file, path, text["scans"], moved, desk)
            kept = {"map": maps, "scan": scans}

            def fetch(name: str, number: int) -> Any:
                return file[f"arrays/{number}"][()] if name == "array" else kept[name][number]

            desk.state = unpack(text["state"], fetch)
        except (KeyError, ValueError, TypeError, IndexError, OSError, RuntimeError) as error:
            problem = f"is a damaged session ({type(error).__name__}: {error})"
            raise UnreadableFile(path, problem, "Copy it again, or take an older one.") from error
    return desk


def missing_files(path: str | Path, moved: Mapping[str, str] | None = None) -> list[str]:
    """Return the old paths of the files that a session refers to and that are not found.

    Raises
    ------
    UnreadableFile
        As :func:`open_desk`.
    """
    path = Path(path)
    with _open(path) as file:
        try:
            text = json.loads(file["desk"][()])
            places = [place for place in (*text["maps"], *text["scans"]) if place is not None]
            lost = [p["absolute"] for p in places if find(p, path, dict(moved or {})) is None]
        except (KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
            problem = f"is a damaged session ({type(error).__name__}: {error})"
            raise UnreadableFile(path, problem, "Copy it again, or take an older one.") from error
    return list(dict.fromkeys(lost))


def _open(path: Path) -> Any:
    import h5py

    check_file(path)
    if path.is_dir() or not h5py.is_hdf5(path):
        problem = "is no session of napari-orient, whatever its name says"
        raise UnreadableFile(path, problem, "Choose a file that Save session has written.")
    file = open_h5(path)
    try:
        if file.attrs.get("format") != FORMAT:
            problem = "is no session of napari-orient"
            raise UnreadableFile(path, problem, "If it is a scan or a map, drop it on the window.")
        if int(file.attrs["version"]) > VERSION:
            program = file.attrs.get("program", "version")
            problem = f"was written by a newer napari-orient ({program})"
            raise UnreadableFile(path, problem, NEWER + ".")
    except BaseException:
        file.close()
        raise
    return file


def _read_all(
    read: Callable[..., Any], file: Any, path: Path, places: list[Any], moved: Any, desk: Desk
) -> Job[list[Any]]:
    """Read scans or maps; one that cannot be read leaves None and a remark, the others stay."""
    found: list[Any] = []
    for number, place in enumerate(places):
        thing = None
        try:
            if place is None:
                thing = read(file, path, number, None, None)
            else:
                yield Progress(0, 0, f"opening {Path(place['absolute']).name}")
                there = find(place, path, dict(moved or {}))
                if there is None:
                    desk.missing.append(place["absolute"])
                else:
                    if has_changed(place, there):
                        desk.notes.append(f"{there} has changed since the session was saved")
                    thing = read(file, path, number, place, there)
        except UnreadableFile as error:
            desk.notes.append(str(error))
        found.append(thing)
    return found


__all__ = ["SUFFIX", "Desk", "Saved", "missing_files", "must_embed", "open_desk", "save_desk"]
