"""How do grains lie on the canvas? As labels, with their boundaries, and an outline of the chosen.

The three layers of a map belong together by a number in their notes, so that they are found again
whatever the user calls them, also after a session was opened.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_orient.plugin.grains.columns import columns_of, head_of
from napari_orient.plugin.layers import KEY, kind_of, map_grid, record
from napari_orient.plugin.maps.layers import map_layers, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap

GRAINS, LINES, CHOSEN = "grains", "grain boundaries", "chosen grains"
NUMBERS, CLASSES = "grain map", "boundary classes"
PICTURES = ("navigator", "ipf", "property", "virtual", "error", GRAINS, NUMBERS, CLASSES)
LINE, MARK = "#101010", "#ffffff"
MOST, WIDE = 2**26, 700  # points in all, and along a side, of a map whose lines are doubled
_CLEAR = (0.0, 0.0, 0.0, 0.0)


def grains_layer(viewer: Any, orientations: OrientationMap | None) -> Layer | None:
    """Return the layer that shows the grains of a map, or None."""
    for layer in reversed(viewer.layers):
        if kind_of(layer) == GRAINS and layer.metadata.get("map") is orientations:
            return layer
    return None


def layer_beside(viewer: Any, layer: Layer | None, kind: str) -> Layer | None:
    """Return the boundaries, or the outline, that belong to a layer of grains, or None."""
    if layer is None:
        return None
    number = layer.metadata[KEY].get("number")
    for other in reversed(viewer.layers):
        note = other.metadata.get(KEY, {})
        if note.get("kind") == kind and note.get("number") == number:
            return other
    return None


def show_grains(
    viewer: Any, grains: Grains, colours: DirectLabelColormap, coloured_by: dict[str, Any]
) -> Layer:
    """Show grains as labels on the grid of their map, in place of earlier ones of that map.

    ``coloured_by`` says in the layer's note what the colours mean.
    """
    orientations = grains.orientations
    config = {"settings": grains.config.model_dump(mode="json"), "colours": coloured_by}
    note = record(GRAINS, config=config, source=orientations.source)
    layer = grains_layer(viewer, orientations)
    if layer is None:
        note[KEY]["number"] = uuid.uuid4().hex
        layer = viewer.add_labels(
            grains.labels.copy(),
            name=f"{name_of(viewer, orientations)} grains",
            metadata={"map": orientations, **note},
            features=features_of(grains),
            colormap=colours,
            opacity=1,
            **map_grid(orientations),
        )
        layer.editable = False
        return layer
    layer.metadata[KEY] = {**layer.metadata[KEY], **note[KEY]}
    layer.data = grains.labels.copy()
    layer.features = features_of(grains)
    layer.colormap = colours
    return layer


def recolour(layer: Layer, colours: DirectLabelColormap, coloured_by: dict[str, Any]) -> None:
    """Give the same grains other colours."""
    note = layer.metadata[KEY]
    layer.metadata[KEY] = {**note, "config": {**note["config"], "colours": coloured_by}}
    layer.colormap = colours


def features_of(grains: Grains) -> Any:
    """Return the table as napari wants it: "index" has the label of each row."""
    import pandas as pd

    columns: dict[str, Any] = {"index": grains.table["id"]}
    for column in columns_of(grains):
        values = grains.table[column.name]
        if column.name == "phase":
            values = np.array([grains.orientations.phases[int(n)].name for n in values], object)
        columns[head_of(grains, column)] = values
    columns["Counted"] = grains.counted
    return pd.DataFrame(columns)


# --- boundaries ----------------------------------------------------------------------------------


def edge_picture(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the lines between grains, thin on the doubled grid.

    Of large maps it is on the grid itself, where lines are as wide as a point: thinner ones would
    drop out on the screen.
    """
    doubled = max(labels.shape[-2:]) <= WIDE and labels.size <= MOST
    return doubled_edges(labels) if doubled else _thick_edges(labels)


def doubled_edges(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return lines between grains (2 y - 1, 2 x - 1): 1, else 0; of a volume in each section."""
    *sections, rows, columns = labels.shape
    drawn = np.zeros((*sections, 2 * rows - 1, 2 * columns - 1), np.uint8)
    drawn[..., 1::2, ::2] = labels[..., 1:, :] != labels[..., :-1, :]
    drawn[..., ::2, 1::2] = labels[..., 1:] != labels[..., :-1]
    beside = drawn[..., 1::2, :-2:2] | drawn[..., 1::2, 2::2]
    across = drawn[..., :-2:2, 1::2] | drawn[..., 2::2, 1::2]
    drawn[..., 1::2, 1::2] = beside | across  # where lines meet
    return drawn


def _thick_edges(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    drawn = np.zeros(labels.shape, np.uint8)
    drawn[..., :-1, :] = labels[..., 1:, :] != labels[..., :-1, :]
    drawn[..., :-1] |= labels[..., 1:] != labels[..., :-1]
    return drawn


def _line_grid(orientations: OrientationMap, lines: NDArray[np.uint8]) -> dict[str, Any]:
    grid = map_grid(orientations)
    return grid if lines.shape == orientations.shape else doubled_grid(orientations)


def doubled_grid(orientations: OrientationMap) -> dict[str, Any]:
    """Return the place of a picture on the doubled grid; sections of a volume stay as they are."""
    grid = map_grid(orientations)
    *above, y, x = grid["scale"]
    return {**grid, "scale": (*above, y / 2, x / 2)}


def show_lines(viewer: Any, layer: Layer, lines: NDArray[np.uint8]) -> Layer:
    """Show the boundaries of a layer of grains, in place of earlier ones."""
    shown = layer_beside(viewer, layer, LINES)
    if shown is not None:
        shown.data = lines
        return shown
    active = viewer.layers.selection.active
    shown = viewer.add_labels(
        lines,
        name=f"{layer.name} boundaries".replace("grains boundaries", "grain boundaries"),
        metadata=_note(LINES, layer),
        colormap=DirectLabelColormap(color_dict={None: _CLEAR, 0: _CLEAR, 1: LINE}),
        opacity=0.9,
        **_line_grid(layer.metadata["map"], lines),
    )
    shown.editable = False
    viewer.layers.selection.active = active
    return shown


def _note(kind: str, layer: Layer) -> dict[str, Any]:
    """Note of a layer beside one of grains. It has no map: its points are not the map's."""
    note = record(kind, source=layer.metadata[KEY]["source"])
    note[KEY]["number"] = layer.metadata[KEY].get("number")
    return note


# --- the chosen ones -----------------------------------------------------------------------------


def mark_of(request: tuple[Grains, Sequence[int]]) -> NDArray[np.uint8]:
    """Return 1 at the points of these grains, else 0, in the shape of the labels."""
    grains, ids = request
    wanted = np.zeros(len(grains) + 1, np.uint8)
    wanted[[i for i in ids if 0 < i < len(wanted)]] = 1
    return wanted[grains.labels]


def show_mark(viewer: Any, layer: Layer, mask: NDArray[np.uint8]) -> None:
    """Outline the points of a mask; what is selected in the layer list stays selected."""
    shown = layer_beside(viewer, layer, CHOSEN)
    if shown is not None:
        shown.data = mask
        return
    if not mask.any():
        return
    active = viewer.layers.selection.active
    shown = viewer.add_labels(
        mask,
        name="Selected grains",
        metadata=_note(CHOSEN, layer),
        colormap=DirectLabelColormap(color_dict={None: _CLEAR, 0: _CLEAR, 1: MARK}),
        opacity=1,
        **map_grid(layer.metadata["map"]),
    )
    shown.contour = 1
    shown.editable = False
    viewer.layers.selection.active = active


def bring_out(viewer: Any, layer: Layer, ground: OrientationMap | None = None) -> None:
    """Hide the other pictures: they shine through where this one has no value, with their bars.

    The colours of the map ``ground`` are seen below it.
    """
    layer.visible = True
    for other in viewer.layers:
        if other is not layer and kind_of(other) in PICTURES:
            other.visible = False
    for below in map_layers(viewer, ground)[:1] if ground is not None else ():
        below.visible = True


def remove_orphans(viewer: Any) -> None:
    """Take boundaries and outlines off whose layer of grains has gone."""
    known = {x.metadata[KEY].get("number") for x in viewer.layers if kind_of(x) == GRAINS}
    for layer in list(viewer.layers):
        if kind_of(layer) in (LINES, CHOSEN) and layer.metadata[KEY].get("number") not in known:
            viewer.layers.remove(layer)
