"""How is a scan or a map saved from the layer list? As our HDF5, or as .zspy for HyperSpy.

The layer shows only a picture; what is saved is the scan or the map that it carries. A plain image
is refused with a word about napari's own formats.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_orient.files import UnreadableFile
from napari_orient.plugin.worker import wait_for


def write(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save the scan of a layer as .h5 or .zspy, or its map as HDF5 that orix reads too.

    Raises
    ------
    UnreadableFile
        If the layer carries neither, or the file cannot be written.
    """
    from napari_orient.data.hdf5 import save_scan
    from napari_orient.data.maps import save_map

    carried = meta.get("metadata", {})
    text = f"Saving {Path(path).name}"
    if carried.get("scan") is not None:
        return [str(wait_for(save_scan(carried["scan"], path), text))]
    if carried.get("map") is None:
        raise _carries_nothing(path, meta, "scan and no map")
    if Path(path).suffix.lower() not in (".h5", ".hdf5"):
        raise _carries_nothing(path, meta, "scan")
    return [str(wait_for(save_map(carried["map"], path), text))]


def _carries_nothing(path: str, meta: dict[str, Any], kind: str) -> UnreadableFile:
    name = meta.get("name", "this layer")
    return UnreadableFile(
        path,
        f"was not written: the layer '{name}' carries no {kind}",
        "Save it as .tif with napari's own writer, or choose the layer that a file was opened as.",
    )
