"""How do scans and maps go into a session, and come back? As references, or whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.desk import replay
from napari_orient.data.desk.places import address_of
from napari_orient.data.layouts import VERSION as SCAN_VERSION
from napari_orient.data.layouts import own_attributes
from napari_orient.data.maps import OrientationMap, fill_group, read_group
from napari_orient.data.save import default_chunks, filters, native_type, write_patterns
from napari_orient.data.scan import Calibration, Scan
from napari_orient.files import UnreadableFile, split_inside
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.candidates import Candidates
    from napari_orient.jobs import Job

SUFFIX = ".orient"
SMALL_MAP = 50_000_000  # bytes; smaller maps are embedded

# --- writing -------------------------------------------------------------------------------------


def write_maps(
    file: Any, path: Path, maps: list[OrientationMap], embed: bool, notes: list[str]
) -> Job[list[Any]]:
    """Write maps into ``maps/N`` of an open session; return a reference, or None, for each.

    ``path`` is where the session will be; ``notes`` takes remarks.
    """
    places: list[Any] = []
    for number, orientations in enumerate(maps):
        yield Progress(0, 0, f"map {number + 1} of {len(maps)}")
        reference = None
        if not embed and size_of(orientations) > SMALL_MAP:
            reference = _map_reference(orientations, path)
            if reference is None:
                words = "cannot be opened again as it is, so it is in the session"
                notes.append(f"{_short(orientations.source) or 'a map'} {words}")
        if reference is None:
            fill_group(file.create_group(f"maps/{number}"), orientations)
        places.append(reference)
    return places


def _map_reference(orientations: OrientationMap, path: Path) -> dict[str, Any] | None:
    """Return where a map is and in which frame it is read, if that gives the same map again."""
    from napari_orient.data.vendors.open import open_map

    file, inside = split_inside(orientations.source)
    if not orientations.source or not file.exists():
        return None
    ways: list[Any] = [("default", "default"), (orientations.frame, orientations.crystal_axes)]
    for frame, axes in ways:
        try:
            again = open_map(orientations.source, frame, axes)
        except (UnreadableFile, ValueError):
            continue
        if _same_map(again, orientations):
            how = {"frame": frame, "crystal_axes": axes, "note": orientations.frame_note}
            return {**address_of(file, path), "inside": inside, **how}
    return None


def _same_map(one: OrientationMap, other: OrientationMap) -> bool:
    facts = ("shape", "step", "unit", "origin", "periodic")
    return (
        all(getattr(one, name) == getattr(other, name) for name in facts)
        and _described(one.phases) == _described(other.phases)
        and np.array_equal(one.phase_id, other.phase_id)
        and np.array_equal(one.done, other.done)
        and one.properties.keys() == other.properties.keys()
        and all(_same_values(a, other.properties[name]) for name, a in one.properties.items())
        and bool(np.allclose(one.quaternions, other.quaternions, atol=1e-9))
        and one.provenance == other.provenance
        and _same_candidates(one.candidates, other.candidates)
    )


def _same_candidates(one: Candidates | None, other: Candidates | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(np.array_equal(a, b) for a, b in zip(one.arrays, other.arrays, strict=True))


def _described(phases: dict[int, Phase]) -> dict[int, Any]:
    return {
        n: (p.name, p.structure.lattice.abcABG(), p.point_group and p.point_group.name)
        for n, p in phases.items()
    }


def _same_values(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f")


def write_scans(
    file: Any, path: Path, scans: list[Scan], embed: bool, notes: list[str]
) -> Job[list[Any]]:
    """Write scans into ``scans/N`` of an open session; return a reference, or None, for each.

    Raises
    ------
    UnreadableFile
        If a scan cannot be read on.
    """
    places: list[Any] = []
    for number, scan in enumerate(scans):
        yield Progress(0, 0, f"{scan.name}: is its file enough?")
        reference = None if embed else _scan_reference(scan, path, notes)
        if reference is None:
            group = file.create_group(f"scans/{number}")
            group.attrs["version"] = SCAN_VERSION
            group.attrs.update(own_attributes(scan))
            chunks = default_chunks(scan.shape, scan.dtype)
            target = group.create_dataset(
                "data", scan.shape, native_type(scan), chunks=chunks, **filters("gzip")
            )
            yield from write_patterns(scan, target, chunks)
        places.append(reference)
    return places


def _scan_reference(scan: Scan, path: Path, notes: list[str]) -> dict[str, Any] | None:
    """Return where a scan is and how to make it again, or None (with a remark) if it must go in."""
    try:
        if _is_session(scan.source):
            raise replay.CannotReplay("it is stored in a session")
        place, how = replay.recipe(scan)
        address = address_of(place, path)
    except (replay.CannotReplay, OSError) as error:
        notes.append(f"{scan.name} is in the session: {error}")
        return None
    facts = {
        "name": scan.name, "phase": scan.phase, "history": list(scan.history),
        "origin": list(scan.origin), "notes": list(scan.notes),
        "calibration": scan.calibration.model_dump(mode="json"),
    }  # fmt: skip
    return {**address, "how": how, "facts": facts}


def must_embed(scan: Scan) -> bool:
    """Say, without opening anything, whether a scan is in no file of its own."""
    file, _ = split_inside(scan.source)
    return not scan.source or _is_session(scan.source) or not file.exists()


def _is_session(source: str) -> bool:
    return split_inside(source)[0].suffix.lower() == SUFFIX


def _short(source: str) -> str:
    file, inside = split_inside(source)
    return f"{file.name}::{inside}" if inside else file.name


def size_of(orientations: OrientationMap) -> int:
    """Return the size of a map in memory, in bytes."""
    size = orientations.quaternions.nbytes + orientations.phase_id.nbytes
    others = [*orientations.properties.values()]
    if orientations.candidates is not None:
        others += orientations.candidates.arrays
    return int(size) + sum(int(array.nbytes) for array in others)


# --- reading ---------------------------------------------------------------------------------


def read_map(file: Any, path: Path, number: int, place: Any, there: Any) -> OrientationMap:
    """Read map N of an open session, or by its reference ``place`` from the file ``there``."""
    from napari_orient.data.vendors.open import open_map

    if place is None:
        return read_group(file[f"maps/{number}"])
    name = f"{there}::{place['inside']}" if place["inside"] else str(there)
    made = open_map(name, place["frame"], place["crystal_axes"])
    made.frame_note = place["note"]
    return made


def read_scan(file: Any, path: Path, number: int, place: Any, there: Any) -> Scan:
    """Open scan N of the session ``path``, or by its reference ``place`` the file ``there``."""
    from napari_orient.data.hdf5 import open_dataset

    if place is None:
        return open_dataset(path, f"/scans/{number}/data")
    scan, facts = replay.open_again(there, place["how"]), place["facts"]
    return scan.replaced(
        calibration=Calibration.checked(facts["calibration"], where=str(path)),
        name=facts["name"],
        phase=facts["phase"],
        history=tuple(facts["history"]),
        origin=tuple(facts["origin"]),
        notes=tuple(facts["notes"]),
    )
