"""What must a reader know of a figure? Keys, colour bars and sentences of the layers shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_orient.crystal.colors import ColourScheme, resolve
from napari_orient.crystal.figure_keys import FINE, ColourBar, Key
from napari_orient.crystal.legends import brightness_legend, colour_legend
from napari_orient.diffraction.detectors import Annulus, Disk, Shape, VirtualDetector
from napari_orient.plugin.figure.grain_keys import (
    grain_bar,
    grain_keys,
    grain_scheme,
    grain_words,
)
from napari_orient.plugin.layers import KEY, kind_of

FRAME = "x right, y down, z into the page"
ALONG = {"X": "x, to the right", "Y": "y, downwards", "Z": "z, into the page"}
SIGNALS = {
    "sum": "sum of counts", "mean": "mean of counts", "std": "standard deviation of counts",
    "com_y": "centre of mass, y, in px", "com_x": "centre of mass, x, in px",
    "com_magnitude": "shift of the centre of mass, in px",
    "com_direction": "direction of the centre of mass, in degrees",
}  # fmt: skip
FULL = 0.995  # opacity that shows nothing of what lies below
MIXING = ("additive", "minimum", "multiplicative")


def _scheme(layer: Any) -> ColourScheme:
    return ColourScheme.checked(layer.metadata[KEY].get("config") or {}, layer.name)


def _maps(layers: list[Any]) -> list[tuple[Any, Any]]:
    """Return (map, scheme) of the layers that show orientations, the topmost first."""
    return [
        (layer.metadata["map"], _scheme(layer))
        for layer in reversed(layers)
        if kind_of(layer) == "ipf" and layer.metadata.get("map") is not None
    ]


def keys_of(layers: list[Any]) -> tuple[Key, ...]:
    """Return the colour keys of all phases that occur, and what scales the brightness."""
    keys = []
    for orientations, scheme in _maps(layers):
        found = resolve(orientations, scheme)
        present = set(orientations.phase_id[orientations.indexed].tolist())
        for number, phase in orientations.phases.items():
            if number in present and phase.point_group is not None:
                legend = colour_legend(
                    phase.point_group, scheme, FINE, found.references.get(number)
                )
                name = ", ".join(part for part in (phase.name, scheme.name) if part)
                keys.append(Key(legend, name))
        if scheme.weight and found.limits:
            keys.append(Key(brightness_legend(scheme.weight, found.limits, FINE)))
    for layer in reversed(layers):
        keys += grain_keys(layer)
    return tuple(keys)


def bars_of(layers: list[Any]) -> tuple[ColourBar, ...]:
    """Return colour bars of pictures of numbers; virtual images are told in words."""
    bars = []
    for layer in layers:
        if (bar := grain_bar(layer)) is not None:
            bars.append(bar)
        if getattr(layer, "rgb", True) or kind_of(layer) in ("virtual", "navigator"):
            continue
        low, high = (float(v) for v in layer.contrast_limits)
        ramp = np.linspace(0, 1, 256, dtype=np.float32) ** layer.gamma
        name = layer.name
        if kind_of(layer) == "property":
            name = str(layer.metadata[KEY]["config"]["property"])
        bars.append(ColourBar(np.asarray(layer.colormap.map(ramp), float), (low, high), name))
    return tuple(bars)


def words_of(layers: list[Any]) -> tuple[str, ...]:
    """Return sentences: what each layer shows, and in which frame."""
    said: list[str] = []
    for orientations, scheme in _maps(layers):
        said.append(_about(scheme))
        jumps = [key.legend.note for key in keys_of(layers) if key.legend.note]
        said += [note.replace("\n", " ").rstrip(".") + "." for note in dict.fromkeys(jumps)]
        said.append(f"Map frame: {FRAME}. {orientations.frame_note}")
    said += [
        f"{_scheme(layer).name} is mixed with what lies below it (opacity {layer.opacity:.0%}): "
        "colours differ from the key's"
        for layer in reversed(layers)
        if kind_of(layer) == "ipf" and (layer.opacity < FULL or layer.blending in MIXING)
    ]
    for layer in reversed(layers):
        said.append(caption(layer) or grain_words(layer))
        if (of_means := grain_scheme(layer)) is not None:
            said += [_about(of_means), f"Map frame: {FRAME}"]
    return tuple(dict.fromkeys(_sentence(words) for words in said if words))


def _sentence(words: str) -> str:
    words = words.strip()
    words = words[:1].upper() + words[1:]
    return words if words.endswith(".") else words + "."


def _about(scheme: ColourScheme) -> str:
    if scheme.key in ("tsl", "continuous"):
        direction = scheme.direction
        where = ALONG.get(direction) if isinstance(direction, str) else str(list(direction))
        key = "TSL key" if scheme.key == "tsl" else "continuous key"
        return f"{scheme.name}: crystal direction along {where} ({key})"
    return {"narrow": "Deviation from the reference orientation", "euler": "Euler angles"}[
        scheme.key
    ]


def caption(layer: Any) -> str:
    """Say in a sentence what a picture of counts shows; nothing for other layers."""
    kind = kind_of(layer)
    if kind == "navigator":
        return f"{layer.name}: sum of all counts of each pattern"
    if kind != "virtual":
        return ""
    config = layer.metadata[KEY].get("config") or {}
    return f"{layer.name}: {detector_words(VirtualDetector.model_validate(config))}"


def detector_words(detector: VirtualDetector) -> str:
    """Say what a detector measures, and where."""
    parts = [_shape_words(shape) for shape in detector.shapes[:3]]
    more = f" and {len(detector.shapes) - 3} more" if len(detector.shapes) > 3 else ""
    return f"{SIGNALS[detector.signal]}, {', '.join(parts)}{more}"


def _shape_words(shape: Shape) -> str:
    at = f"at (ky, kx) = ({shape.centre[0]:.1f}, {shape.centre[1]:.1f}) px"
    if isinstance(shape, Disk):
        return f"disk of radius {shape.radius:.3g} px {at}"
    if isinstance(shape, Annulus):
        return f"ring of {shape.inner:.3g} to {shape.outer:.3g} px {at}"
    return f"rectangle of {shape.size[0]:.3g} × {shape.size[1]:.3g} px {at}"
