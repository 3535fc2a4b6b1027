"""How is a map shown? As one picture recoloured in place, and its properties as layers.

Each of these layers carries the map in its metadata, so the mouse finds it under any of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_orient.crystal.colors import ColourScheme, colour_image
from napari_orient.plugin.layers import KEY, kind_of, map_grid, record
from napari_orient.plugin.scan_layers import describe_map_layer

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap

PHASE = "phase"
COLORMAPS = {
    "iq": "gray", "bc": "gray", "bs": "gray", "bands": "gray", "image": "gray",
    "error": "inferno", "mad": "inferno", "fit": "inferno", "pattern_fit": "inferno",
}  # fmt: skip
DISCRETE = ("grain", "grain_id", "grains")


def map_layers(viewer: Any, orientations: OrientationMap | None, kind: str = "ipf") -> list[Layer]:
    """Return the layers of a kind that show a map, topmost first."""
    return [
        layer
        for layer in reversed(viewer.layers)
        if kind_of(layer) == kind and layer.metadata.get("map") is orientations
    ]


def open_maps(viewer: Any) -> list[OrientationMap]:
    """Return the maps that layers carry, in the order of the layers."""
    maps: list[OrientationMap] = []
    for layer in viewer.layers:
        found = layer.metadata.get("map")
        if found is not None and not any(found is m for m in maps):
            maps.append(found)
    return maps


def scheme_of(layer: Layer) -> ColourScheme:
    """Return the colour scheme in which a layer shows its map."""
    return ColourScheme.checked(layer.metadata[KEY].get("config") or {}, layer.name)


def name_of(viewer: Any, orientations: OrientationMap) -> str:
    """Return what the user calls a map: the name of its picture without the scheme's."""
    for layer in map_layers(viewer, orientations):
        return "".join(_around(layer.name, scheme_of(layer).name) or layer.name)
    for layer in map_layers(viewer, orientations, "property"):
        shown = layer.metadata[KEY]["config"]["property"]
        return "".join(_around(layer.name, shown) or layer.name)
    return Path(orientations.source).stem or "Map"


def _around(name: str, shown: str) -> tuple[str, str] | None:
    """Split "steel IPF-Z [1]" into ("steel", " [1]"), None where it does not end with ``shown``.

    The number is napari's: it tells layers of one name apart.
    """
    found = re.fullmatch(rf"(.+) {re.escape(shown)}( \[\d+\])?", name, re.DOTALL)
    return (found[1], found[2] or "") if found else None


def show_scheme(
    viewer: Any, orientations: OrientationMap, scheme: ColourScheme, image: Any = None
) -> Layer:
    """Recolour the picture of a map in place; make it if it was deleted.

    The layer stays the same one: its opacity, place and selection are the user's. Its name follows
    the scheme unless the user took the scheme out of the name. ``image``, where it is given, is the
    picture already made elsewhere.
    """
    layers = map_layers(viewer, orientations)
    if not layers:
        data, settings, _ = describe_map_layer(orientations, name_of(viewer, orientations), scheme)
        return viewer.add_image(data, **settings)
    layer, before = layers[0], scheme_of(layers[0])
    if before != scheme:
        layer.data = colour_image(orientations, scheme) if image is None else image
        note = {**layer.metadata[KEY], "config": scheme.model_dump(mode="json")}
        layer.metadata[KEY] = note
        parts = _around(layer.name, before.name)
        if parts is not None:
            layer.name = f"{parts[0]} {scheme.name}{parts[1]}"
    return layer


def show_direction(viewer: Any, orientations: OrientationMap, direction: Any) -> Layer:
    """Recolour the picture of a map by another sample direction; all else of its scheme stays."""
    layers = map_layers(viewer, orientations)
    before = scheme_of(layers[0]) if layers else ColourScheme()
    scheme = before.model_copy(update={"direction": direction})
    return show_scheme(viewer, orientations, scheme)


def property_names(orientations: OrientationMap) -> list[str]:
    """Return what can be shown of a map beside its orientations; the phase comes first."""
    return [PHASE, *(name for name in orientations.properties if name != PHASE)]


def numbers_of(orientations: OrientationMap) -> list[str]:
    """Return the properties that can scale the brightness: numbers, no labels."""
    return [
        name
        for name, values in orientations.properties.items()
        if np.issubdtype(values.dtype, np.number) and name.lower() not in (*DISCRETE, PHASE)
    ]


def property_layer(viewer: Any, orientations: OrientationMap, name: str) -> Layer | None:
    """Return the layer that shows a property of a map, or None."""
    for layer in map_layers(viewer, orientations, "property"):
        if layer.metadata[KEY]["config"]["property"] == name:
            return layer
    return None


def show_property(viewer: Any, orientations: OrientationMap, name: str) -> Layer:
    """Show a property of a map as a layer on the map's grid, made at the first call."""
    layer = property_layer(viewer, orientations, name)
    if layer is not None:
        layer.visible = True
        return layer
    note = record("property", config={"property": name}, source=orientations.source)
    settings = {
        "name": f"{name_of(viewer, orientations)} {name}",
        "metadata": {"map": orientations, **note},
        **map_grid(orientations),
    }
    data = property_data(orientations, name)
    if np.issubdtype(data.dtype, np.integer):
        if name == PHASE:
            settings["colormap"] = phase_colours(orientations)
        layer = viewer.add_labels(data, opacity=1, **settings)
        layer.editable = False
        return layer
    layer = viewer.add_image(
        data,
        colormap=COLORMAPS.get(name.lower(), "viridis"),
        contrast_limits=contrast(orientations, name),
        interpolation2d="nearest",
        **settings,
    )
    layer.colorbar.visible = True  # the canvas says what the colours mean
    return layer


def property_data(orientations: OrientationMap, name: str) -> NDArray[Any]:
    """Return what a layer shows of a property (y, x): whole numbers for labels, else float32."""
    if name == PHASE:  # 0 where not indexed, else number + 1
        shown = np.where(orientations.indexed, orientations.phase_id + 1, 0)
        return shown.astype(np.int32)
    values = np.asarray(orientations.properties[name])
    if name.lower() in DISCRETE and np.issubdtype(values.dtype, np.integer):
        # napari's label 0 is transparent; ours may be a grain
        return values + max(0, 1 - int(values.min()))
    return values.astype(np.float32)


def contrast(orientations: OrientationMap, name: str) -> tuple[float, float]:
    """Return limits between which nearly all indexed points lie.

    Points that are not indexed, and -1 for "undefined" (in CI and R), do not count.
    """
    values = np.asarray(orientations.properties[name], np.float64)
    good = orientations.indexed & np.isfinite(values)
    if name.upper() in ("CI", "R"):
        good &= values >= 0
    if not good.any():
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values[good], (0.5, 99.5)))
    return (low, high) if high > low else (low, low + max(1.0, abs(low)) * 1e-3)


def phase_colours(orientations: OrientationMap) -> DirectLabelColormap:
    """Return the colours of the phase numbers + 1; 0, not indexed, is transparent."""
    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for number, phase in orientations.phases.items():
        colours[number + 1] = (*phase.color_rgb, 1.0)
    return DirectLabelColormap(color_dict=colours)
