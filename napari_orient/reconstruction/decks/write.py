"""How is a volume handed to a solver? Written aside, read back, compared, then put in its place."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from napari_orient.data.images import cannot_write
from napari_orient.files import UnreadableFile
from napari_orient.reconstruction.decks.abaqus import UNITS, abaqus_notes, write_abaqus
from napari_orient.reconstruction.decks.abaqus_read import read_abaqus
from napari_orient.reconstruction.decks.damask import plan, read_damask, write_damask
from napari_orient.reconstruction.decks.dream3d import read_dream3d, write_dream3d
from napari_orient.reconstruction.decks.fields import orientation_fields, read_fields, write_fields
from napari_orient.reconstruction.decks.volume import (
    CRYSTAL,
    FRAME,
    METRES,
    check_volume,
    deck_volume,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.decks.volume import DeckVolume, Found, Per

DECKS: dict[str, str] = {
    "damask": "DAMASK 3 (a folder)",
    "dream3d": "DREAM.3D 8 .dream3d with .xdmf",
    "abaqus": "Abaqus .inp",
    "vti": "VTK .vti",
}
"""Formats of volumes, and their names."""
SUFFIXES = {"damask": "", "dream3d": ".dream3d", "abaqus": ".inp", "vti": ".vti"}
LIMIT = 1e-6  # by which an element of a rotation matrix may differ when it is read back


@dataclass(frozen=True)
class DeckReport:
    """What was written, and how it compared with the volume when it was read back.

    Attributes
    ----------
    path, files
        The folder or file asked for, and all files that were written.
    per
        What a material is: "grain" or "voxel".
    grains, voxels
        Number of materials (of grains in "vti", 0 where it has none) and of voxels.
    largest
        Largest difference of a component of a rotation matrix; ``limit`` is what was allowed.
    largest_deg
        The largest turn that this is, in degrees.
    spread_deg
        Largest turn of a voxel from the orientation that the deck gives it.
    frame, crystal_axes, unit
        What axes and lengths in the files mean, in words.
    checked_by
        Who read the files back.
    notes
        What the user should know before a run.
    """

    path: str
    format: str
    files: tuple[str, ...]
    per: str
    grains: int
    voxels: int
    largest: float
    limit: float
    largest_deg: float
    spread_deg: float
    frame: str
    crystal_axes: str
    unit: str
    checked_by: str
    notes: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"kind": "export", **plain}


def export_deck(
    volume: OrientationMap,
    path: str | Path,
    format_: str,
    *,
    per: Per | None = None,
    units: str = "mm",
    lattice: str | None = None,
    metal: str | None = None,
    geometry_only: bool = False,
    overwrite: bool = True,
) -> Job[DeckReport]:
    """Write a volume for a solver; files appear when they were read back and are right.

    Parameters
    ----------
    volume
        (z, y, x), of one phase, without gaps; with the property "grain" for ``per`` "grain".
    path
        A folder for "damask", else a file whose suffix is that of the format.
    format_
        A key of :data:`DECKS`.
    per
        One orientation for each "grain" (default), or for each "voxel". "vti" is per voxel.
    units
        Of Abaqus: a key of :data:`UNITS`.
    lattice, metal
        Of DAMASK: the lattice (cF, cI, hP, tI) of a phase without space group, and whose constants
        to take (Al, Cu ...) where the name of the phase does not say it.
    geometry_only
        Of DAMASK: write geom.vti alone.
    overwrite
        Replace files that are there.

    Raises
    ------
    ValueError
        For an unknown choice, or a volume that is no deck; see :func:`deck_volume`.
    UnreadableFile
        If the files cannot be written, or what was read back is not the volume.
    """
    check_deck(format_)
    check_volume(volume)
    path = _check_path(Path(path), format_, volume, overwrite)
    try:
        if format_ == "vti":
            if per == "grain":
                raise ValueError("a .vti holds each voxel's own orientation: leave out per grain")
            return (yield from _export_fields(volume, path))
        deck = deck_volume(volume, per or "grain")
        if format_ == "damask":
            options = (lattice, metal, geometry_only)
            return (yield from _export_damask(deck, path, *options))
        if format_ == "abaqus":
            return (yield from _export_abaqus(deck, path, units))
        return (yield from _export_dream3d(deck, path))
    except OSError as error:
        raise cannot_write(path, error) from error


def check_deck(format_: str) -> None:
    """Raise ValueError unless a volume can be exported to this format."""
    if format_ not in DECKS:
        raise ValueError(f"no deck is called {format_!r}; there are {', '.join(DECKS)}")


def _check_path(path: Path, format_: str, volume: OrientationMap, overwrite: bool) -> Path:
    suffix = SUFFIXES[format_]
    if suffix and path.suffix.lower() != suffix:
        raise UnreadableFile(
            path, f"is not named as {DECKS[format_]}", f"Let the name end in {suffix}."
        )
    if not path.parent.is_dir():
        raise UnreadableFile(path, "lies in a folder that does not exist", "Make the folder first.")
    if not suffix and path.exists() and not path.is_dir():
        raise UnreadableFile(path, "is a file, and DAMASK's deck is a folder", "Choose another.")
    if suffix and path.is_dir():
        raise UnreadableFile(path, "is a folder", "Choose another name.")
    if path.exists() and not overwrite:
        raise UnreadableFile(path, "is there already", "Choose another name, or allow overwriting.")
    return path


@contextmanager
def _aside(parent: Path) -> Iterator[Path]:
    """Give a new folder beside the place where files shall be; it is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix=".deck-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, names: tuple[str, ...], target: Path) -> tuple[str, ...]:
    """Put checked files in their place, each in one step."""
    target.mkdir(exist_ok=True)
    for name in names:
        os.replace(folder / name, target / name)
    return tuple(str(target / name) for name in names)


def _export_damask(
    deck: DeckVolume, path: Path, lattice: str | None, metal: str | None, geometry_only: bool
) -> Job[DeckReport]:
    entry = None if geometry_only else plan(deck, lattice, metal)
    notes = ("the geometry alone: orientations are not in it",) if entry is None else entry.notes
    with _aside(path.parent) as folder:
        names = yield from write_damask(deck, folder, entry)
        found = yield from read_damask(folder)
        numbers = _compare(path, deck, found)
        files = _move(folder, names, path)
    if path.joinpath("material.yaml").exists() and geometry_only:
        notes += ("a material.yaml of an earlier export is still in the folder",)
    return _report(deck, path, "damask", files, numbers, "m", found.reader, notes)


def _export_abaqus(deck: DeckVolume, path: Path, units: str) -> Job[DeckReport]:
    with _aside(path.parent) as folder:
        names = yield from write_abaqus(deck, folder, path.name, units)
        found = yield from read_abaqus(folder / path.name, deck.cells, UNITS[units].length)
        numbers = _compare(path, deck, found)
        files = _move(folder, names, path.parent)
    words, notes = UNITS[units].words, abaqus_notes(deck)
    return _report(deck, path, "abaqus", files, numbers, words, found.reader, notes)


def _export_dream3d(deck: DeckVolume, path: Path) -> Job[DeckReport]:
    with _aside(path.parent) as folder:
        names = yield from write_dream3d(deck, folder, path.name)
        found = yield from read_dream3d(folder, path.name)
        numbers = _compare(path, deck, found)
        files = _move(folder, names, path.parent)
    notes = ("grain 0 and phase 0 of the file stand for none; grains count from 1",)
    return _report(deck, path, "dream3d", files, numbers, "um", found.reader, notes)


def _export_fields(volume: OrientationMap, path: Path) -> Job[DeckReport]:
    """Write the .vti, which need be neither of one phase nor without gaps."""
    with _aside(path.parent) as folder:
        names = yield from write_fields(volume, folder, path.name)
        arrays, spacing, reader = yield from read_fields(folder, path.name, volume.unit)
        for name, wanted in orientation_fields(volume).items():
            if not np.array_equal(arrays[name], wanted, equal_nan=True):
                _differ(path, f"has another {name} than the volume")
        step = tuple(s * METRES[volume.unit] for s in volume.step[::-1])
        if not np.allclose(spacing, step, rtol=1e-9):
            _differ(path, f"has voxels of {spacing} m instead of {step} m")
        files = _move(folder, names, path.parent)
    labels = volume.properties.get("grain")
    grains = 0 if labels is None else len(np.unique(labels))
    missing = int((~volume.indexed).sum())
    notes = (f"{missing} voxels are not indexed: phase -1",) if missing else ()
    return DeckReport(
        str(path), "vti", files, "voxel", grains, int(np.prod(volume.shape)), 0.0, LIMIT, 0.0, 0.0,
        FRAME, CRYSTAL, volume.unit, reader, notes,
    )  # fmt: skip


def _compare(path: Path, deck: DeckVolume, found: Found) -> tuple[float, float]:
    """Compare what was read back; return the largest difference of matrices, and turn in degrees.

    Raises
    ------
    UnreadableFile
        Naming what differs.
    """
    ids, spacing, matrices, _ = found
    if ids.shape != deck.ids.shape:
        _differ(path, f"has {ids.shape} voxels instead of {deck.ids.shape}")
    wrong = int((ids != deck.ids).sum())
    if wrong:
        _differ(path, f"has another grain at {wrong} of {ids.size} voxels")
    if not np.allclose(spacing, deck.spacing, rtol=1e-6, atol=0):
        _differ(path, f"has voxels of {spacing} m instead of {deck.spacing} m")
    if matrices is None:
        return 0.0, 0.0
    wanted = deck.matrices
    if matrices.shape != wanted.shape:
        _differ(path, f"has {len(matrices)} orientations instead of {len(wanted)}")
    largest = float(np.abs(matrices - wanted).max())
    if not largest <= LIMIT:
        _differ(path, f"has orientations that are off by {largest:.1e}")
    chord = np.linalg.norm(matrices - wanted, axis=(1, 2)) / np.sqrt(8)
    return largest, float(np.degrees(2 * np.arcsin(chord.max())))


def _differ(path: Path, problem: str) -> NoReturn:
    raise UnreadableFile(path, f"{problem} when it is read back", "Please report this as a bug.")


def _report(
    deck: DeckVolume,
    path: Path,
    format_: str,
    files: tuple[str, ...],
    numbers: tuple[float, float],
    unit: str,
    reader: str,
    notes: tuple[str, ...],
) -> DeckReport:
    largest, turn = numbers
    if deck.spread > 0:
        said = (
            f"orientations within grains, by up to {deck.spread:.2g} degrees, are not in the deck"
        )
        notes = (*notes, said)
    return DeckReport(
        str(path), format_, files, deck.per, len(deck.grains), deck.ids.size, largest, LIMIT, turn,
        deck.spread, FRAME, CRYSTAL, unit, reader, notes,
    )  # fmt: skip
