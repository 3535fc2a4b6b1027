"""How do maps of numbers and boundary classes lie on the canvas?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_orient.analysis.boundary_classes import FIRST_LAW, HIGH_ANGLE, LOW_ANGLE, PHASE_BOUNDARY
from napari_orient.plugin.grains.layers import CLASSES, NUMBERS, doubled_grid
from napari_orient.plugin.layers import KEY, kind_of, map_grid, record
from napari_orient.plugin.maps.layers import name_of

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.data.maps import OrientationMap
    from napari_orient.plugin.grains.pixel_maps import Classes, Picture

GROUND = "#ffffff"
COLOURS = {LOW_ANGLE: "#b8b8b8", HIGH_ANGLE: "#202020", PHASE_BOUNDARY: "#a0612a"}
LAWS = ("#e03131", "#2f9e44", "#1971c2", "#f08c00", "#9c36b5", "#0c8599", "#e64980", "#66a80f")


def class_colour(number: int) -> str:
    """Return the colour of a class of boundaries by its number."""
    return COLOURS.get(number) or LAWS[(number - FIRST_LAW) % len(LAWS)]


def show_picture(viewer: Any, picture: Picture) -> Layer:
    """Show a map of numbers, in place of an earlier one of that name; it says its unit."""
    orientations = picture.orientations
    unit = f" ({picture.unit})" if picture.unit else ""
    name = f"{name_of(viewer, orientations)} {picture.name}{unit}"
    config = {"name": picture.name, "unit": picture.unit or "1", **picture.settings}
    note = record(NUMBERS, config=config, source=orientations.source)
    note[KEY]["made_as"] = name
    for layer in viewer.layers:
        same = layer.metadata.get("map") is orientations and kind_of(layer) == NUMBERS
        if same and layer.metadata[KEY].get("made_as") == name:
            layer.data = picture.values
            layer.metadata[KEY] = note[KEY]
            _limit(layer, picture.limits)
            layer.visible = True
            return layer
    layer = viewer.add_image(
        picture.values,
        name=name,
        metadata={"map": orientations, **note},
        colormap="viridis",
        contrast_limits=picture.limits,
        interpolation2d="nearest",
        **map_grid(orientations),
    )
    _limit(layer, picture.limits)
    layer.colorbar.visible = True  # the canvas says what the colours mean
    return layer


def _limit(layer: Layer, limits: tuple[float, float]) -> None:
    high = float(np.nanmax(layer.data)) if np.isfinite(layer.data).any() else 1.0
    layer.contrast_limits_range = (0.0, max(high, limits[1]))
    layer.contrast_limits = limits


def classes_layer(viewer: Any, orientations: OrientationMap | None) -> Layer | None:
    """Return the layer that shows the boundary classes of a map, or None."""
    for layer in reversed(viewer.layers):
        if kind_of(layer) == CLASSES and layer.metadata[KEY].get("of") == token(orientations):
            return layer
    return None


def token(orientations: OrientationMap | None) -> str:
    """Return what a note knows a map by, in this window: a layer on another grid has no map."""
    return f"{id(orientations):x}"


def show_classes(viewer: Any, found: Classes, seen: set[int], *, ground: bool) -> Layer:
    """Show the boundaries of a map in the colours of their classes.

    ``seen`` are the classes that are drawn, ``ground`` says whether there is white between.
    """
    orientations = found.orientations
    names = list(found.boundaries.names)
    colours = class_colours(len(names), seen, ground=ground)
    key = {names[n]: class_colour(n) for n in range(1, len(names))}
    config = {"classes": key, "shares": found.boundaries.shares()}
    note = record(CLASSES, config=config, source=orientations.source)
    note[KEY]["of"] = token(orientations)
    layer = classes_layer(viewer, orientations)
    if layer is not None:
        layer.data, layer.colormap = found.lines, colours
        layer.metadata[KEY] = note[KEY]
        layer.visible = True
        return layer
    layer = viewer.add_labels(
        found.lines,
        name=f"{name_of(viewer, orientations)} boundary classes",
        metadata=note,
        colormap=colours,
        opacity=1,
        **doubled_grid(orientations),
    )
    layer.editable = False
    return layer


def class_colours(count: int, seen: set[int], *, ground: bool) -> DirectLabelColormap:
    """Return the colours of the classes 0 (between the lines) to count - 1."""
    below = GROUND if ground else (0.0, 0.0, 0.0, 0.0)
    colours: dict[int | None, Any] = {None: below, 0: below}
    for number in range(1, count):
        colours[number] = class_colour(number) if number in seen else below
    return DirectLabelColormap(color_dict=colours)
