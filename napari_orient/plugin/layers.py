"""How does a result become a napari layer that explains itself, and where in it is the mouse?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import napari_orient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan

KEY = "napari_orient"


def record(kind: str, *, config: Any = None, source: str = "") -> dict[str, Any]:
    """Return the note that every result layer carries: what it is and where it comes from."""
    if hasattr(config, "model_dump"):
        config = config.model_dump(mode="json")
    version = napari_orient.__version__
    return {KEY: {"kind": kind, "config": config, "source": source, "version": version}}


def kind_of(layer: Layer | None) -> str | None:
    """Return what a layer of ours is ("navigator", "virtual", "ipf", ...), or None."""
    return layer.metadata.get(KEY, {}).get("kind") if layer is not None else None


def scan_grid(scan: Scan) -> dict[str, Any]:
    """Return scale, units and place of layers on the grid of ``scan``; pixels if uncalibrated.

    A cropped scan stays where it was, over the map of the whole.
    """
    step, (y, x) = scan.calibration.step, scan.origin
    if step is None:
        dy, dx, unit = 1.0, 1.0, "pixel"
    else:
        (dy, dx), unit = step.pair, "nm"
    return {"scale": (dy, dx), "units": (unit, unit), "translate": (y * dy, x * dx)}


def map_grid(orientations: OrientationMap) -> dict[str, Any]:
    """Return scale, units and names of the axes of layers on the grid of a map."""
    unit = {"um": "um", "nm": "nm", "px": "pixel"}.get(orientations.unit, "pixel")
    scale = tuple(float(s) for s in orientations.step)
    return {"scale": scale, "units": (unit,) * len(scale), "axis_labels": orientations.axes}


def index_at(viewer: Any, layer: Layer, position: Sequence[float]) -> tuple[int, ...]:
    """Return the index of the layer's element at a position of the viewer's world.

    Where layers have different units (a scan in nm, a map in um) napari's world has the smallest
    one, and ``layer.world_to_data`` does not know that.
    """
    here = [float(p) for p in position]
    world = viewer.layers.extent.units
    if world and len(world) == len(here):
        own = (*world[: len(world) - len(layer.units)], *layer.units)[-len(here) :]
        here = [
            p if w == o else float((p * w).to(o).magnitude)
            for p, w, o in zip(here, world, own, strict=True)
        ]
    return tuple(int(i) for i in np.round(layer.world_to_data(here)))


def show_image(
    viewer: Any, name: str, data: Any, *, metadata: dict[str, Any], **settings: Any
) -> Layer:
    """Show ``data`` as the image layer that carries this record, made if it is not there yet.

    A layer is found again by its kind and the name it was made with, so the user may rename it,
    move it or change its colours; a new picture only replaces its data, and where its shape is
    another one (a cropped scan) its scale and place. If it was deleted, a new layer is made.
    """
    made_as = metadata[KEY]["made_as"] = name
    for layer in viewer.layers:
        note = layer.metadata.get(KEY, {})
        if note.get("kind") != metadata[KEY]["kind"] or note.get("made_as") != made_as:
            continue
        moved = layer.data.shape != data.shape
        layer.data = data
        layer.metadata = {**layer.metadata, **metadata}
        for name_of in ("scale", "units", "translate") if moved else ():
            if name_of in settings:
                setattr(layer, name_of, settings[name_of])
        return layer
    return viewer.add_image(data, name=name, metadata=metadata, **settings)
