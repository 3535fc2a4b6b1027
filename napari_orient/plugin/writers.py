"""How is a scan or a map saved from the layer list? As our HDF5, or as .zspy for HyperSpy.

The layer shows only a picture; what is saved is the scan or the map that it carries. A plain image
is refused with a word about napari's own formats.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient.files import UnreadableFile
from napari_orient.jobs import Job, Progress
from napari_orient.plugin.worker import wait_for

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap


def write_scan(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save the scan of a layer as .h5 or .zspy; a map's layer as a map.

    Raises
    ------
    UnreadableFile
        If the layer carries no scan, or the file cannot be written.
    """
    from napari_orient.data.hdf5 import save_scan

    carried = meta.get("metadata", {})
    if carried.get("scan") is None:
        # napari asks the first writer of a suffix, whatever the layer is
        if carried.get("map") is not None and Path(path).suffix.lower() in (".h5", ".hdf5"):
            return write_map(path, data, meta)
        raise _carries_nothing(path, meta, "scan")
    return [str(wait_for(save_scan(carried["scan"], path), f"Saving {Path(path).name}"))]


def write_map(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save the orientation map of a layer as HDF5, readable by orix too.

    Raises
    ------
    UnreadableFile
        If the layer carries no map, or the file cannot be written.
    """
    carried = meta.get("metadata", {})
    if carried.get("map") is None:
        if carried.get("scan") is not None:
            return write_scan(path, data, meta)
        raise _carries_nothing(path, meta, "map")
    return [str(wait_for(saved_map(carried["map"], path), f"Saving {Path(path).name}"))]


def saved_map(orientations: OrientationMap, path: str | Path) -> Job[Path]:
    """Save a map as a job, for a large one takes seconds; return where it is.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    from napari_orient.data.maps import save_map

    yield Progress(0, 0)
    try:
        save_map(orientations, path)
    except OSError as error:
        raise UnreadableFile(
            path, f"cannot be written ({error.strerror or error})", "Choose another folder."
        ) from error
    return Path(path)


def _carries_nothing(path: str, meta: dict[str, Any], kind: str) -> UnreadableFile:
    name = meta.get("name", "this layer")
    return UnreadableFile(
        path,
        f"was not written: the layer '{name}' carries no {kind}",
        "Save it as .tif with napari's own writer, or choose the layer that a file was opened as.",
    )
