"""What do the colours of grains, and of their boundaries, mean in print? Keys, bars and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.colors import ColourScheme
from napari_orient.crystal.figure_keys import FINE, ColourBar, Key
from napari_orient.crystal.legends import Label, Legend, colour_legend
from napari_orient.plugin.layers import KEY, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GRAINS, CLASSES = "grains", "boundary classes"
ROW, SWATCH, FEWEST = 24, (34, 14), 5  # px of a line and of its colour; lines of the least key


def grain_keys(layer: Any) -> list[Key]:
    """Return the keys of a layer of grains or boundary classes; none of other layers."""
    if kind_of(layer) == CLASSES:
        return [Key(swatches(_classes(layer)), "Share of the boundary")]
    by = _colours(layer).get("by", "")
    orientations = layer.metadata.get("map")
    if orientations is None:
        return []
    present = np.unique(orientations.phase_id[orientations.indexed]).tolist()
    phases = [orientations.phases[n] for n in present]
    if by == "phase":
        named = [
            (p.name or f"phase {n}", p.color_rgb) for n, p in zip(present, phases, strict=True)
        ]
        return [Key(swatches(named), "Phase")]
    scheme = grain_scheme(layer)
    return (
        []
        if scheme is None
        else [
            Key(
                colour_legend(p.point_group, scheme, FINE, None),
                f"{p.name}, {by}" if p.name else by,
            )
            for p in phases
            if p.point_group is not None
        ]
    )


def grain_scheme(layer: Any) -> ColourScheme | None:
    """Return the colours of grains that are coloured by their orientation, else None."""
    by = _colours(layer).get("by", "")
    return ColourScheme(direction=by.removeprefix("IPF-")) if by.startswith("IPF-") else None


def grain_bar(layer: Any) -> ColourBar | None:
    """Return the colour bar of grains that are coloured by a number, else None."""
    from napari.utils.colormaps import ensure_colormap

    colours = _colours(layer)
    if "limits" not in colours:
        return None
    low, high = (float(v) for v in colours["limits"])
    ramp = ensure_colormap(colours["colormap"]).map(np.linspace(0, 1, 256, dtype=np.float32))
    return ColourBar(np.asarray(ramp, float), (low, high), colours["words"])


def grain_words(layer: Any) -> str:
    """Say what counts as a grain, and what its colour means; nothing for other layers."""
    if kind_of(layer) == CLASSES:
        return f"{layer.name}: shares are counted along the sides of the points"
    colours = _colours(layer)
    if not colours:
        return ""
    settings = layer.metadata[KEY]["config"]["settings"]
    by = "" if colours["by"] == "random" else "by "
    words = "" if colours["by"] == "none" else f", coloured {by}{colours['words']}"
    return f"{layer.name}: {settings['threshold']:g}°, {settings['smallest']} points or more{words}"


def swatches(named: Sequence[tuple[str, Any]]) -> Legend:
    """Return a key of colours (r, g, b, 0 to 1), each with its name on the right."""
    image = np.zeros((ROW * max(FEWEST, len(named)), SWATCH[0], 4), np.uint8)
    labels = []
    for number, (name, colour) in enumerate(named):
        middle = ROW * number + ROW // 2
        rows = slice(middle - SWATCH[1] // 2, middle + SWATCH[1] // 2)
        image[rows] = (*np.rint(255 * np.asarray(colour[:3], float)).astype(int), 255)
        labels.append(Label(name, middle, SWATCH[0] - 1, "right"))
    return Legend(image, tuple(labels))


def _colours(layer: Any) -> dict[str, Any]:
    if kind_of(layer) != GRAINS:
        return {}
    return (layer.metadata[KEY].get("config") or {}).get("colours") or {}


def _classes(layer: Any) -> list[tuple[str, NDArray[np.float64]]]:
    """Return the classes that are drawn, with their share, and their colours."""
    from napari.utils.colormaps.standardize_color import transform_color

    config = layer.metadata[KEY]["config"]
    laws = len(config["classes"]) > 3  # beside low angle, high angle and between phases
    made = []
    for number, (name, colour) in enumerate(config["classes"].items(), 1):
        shown = np.asarray(layer.colormap.color_dict.get(number, (0, 0, 0, 0)))
        wanted = transform_color(colour)[0]
        if config["shares"][name] > 0 and np.allclose(shown, wanted, atol=1e-3):
            other = "other " if laws and name.startswith("high-angle") else ""
            made.append((f"{other}{name}: {config['shares'][name]:.1%}", wanted))
    return made
