"""How is a layer kept and made again? By what napari itself says about it, and our own note.

Pictures are kept as they are, so that they are there at once, also where the scan that they came
from is missing; the note tells the docks what they are, so that they go on living.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

from napari_orient.plugin.layers import KEY
from napari_orient.plugin.questions import in_words
from napari_orient.plugin.scan_layers import EARLIER

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 1_000_000_000  # bytes of one layer
SMALL = 50_000_000  # bytes; smaller pictures are copied, for they may change while they are written
_DERIVED = ("metadata", "properties", "property_choices", "feature_defaults")


def keep_layer(layer: Layer) -> tuple[dict[str, Any] | None, str]:
    """Return what makes a layer again, as a tree, or None and why it is left out."""
    data, state, kind = layer.as_layer_data_tuple()
    arrays = data if isinstance(data, list | tuple) else [data]
    if state.get("multiscale") or not all(isinstance(a, np.ndarray) for a in arrays):
        path = layer.source.path
        where = f"open {path} again" if path else "save it by itself"
        return None, f"the layer '{layer.name}' is read piece by piece: {where}"
    size = sum(a.nbytes for a in arrays)
    if size > MOST:
        return None, f"the layer '{layer.name}' is too large ({in_words(size)}): save it by itself"
    if size < SMALL:
        data = copy.deepcopy(data)
    state = {name: value for name, value in state.items() if name not in _DERIVED}
    state["units"] = [str(unit) for unit in state["units"]]
    if "features" in state:
        frame = state["features"]
        state["features"] = {str(name): frame[name].to_numpy() for name in frame.columns}
    if kind == "labels":
        state["colormap"] = _keep_label_colours(layer.colormap)
    kept = {"data": data, "state": state, "kind": kind, "metadata": _keep_metadata(layer)}
    if hasattr(layer, "contrast_limits_range"):
        kept["contrast_limits_range"] = tuple(float(v) for v in layer.contrast_limits_range)
        kept["colorbar"] = bool(layer.colorbar.visible)
    return kept, ""


def _keep_metadata(layer: Layer) -> dict[str, Any]:
    """Copy the notes: docks change them in place; earlier scans (for Undo) are not kept."""
    return {
        name: copy.deepcopy(value) if name == KEY else value
        for name, value in layer.metadata.items()
        if name != EARLIER
    }


def _keep_label_colours(colours: Any) -> dict[str, Any]:
    if isinstance(colours, DirectLabelColormap):
        return {"direct": dict(colours.color_dict)}
    return {"cyclic": {"colors": np.asarray(colours.colors), "seed": float(colours.seed)}}


def _label_colours(kept: Mapping[str, Any]) -> Any:
    if "direct" in kept:
        return DirectLabelColormap(color_dict=kept["direct"])
    return CyclicLabelColormap(**kept["cyclic"])


def make_layer(kept: Mapping[str, Any], sources: Mapping[str, str]) -> tuple[Layer, dict[str, Any]]:
    """Make a layer again; return it and its whole metadata.

    The layer has its scan and its map already, but not our note: what greets a new layer of ours
    (fit the view, sum the scan) must not happen to one that comes back.

    Parameters
    ----------
    kept
        From :func:`keep_layer`.
    sources
        Old source of a scan -> where it is read from now.
    """
    state = dict(kept["state"])
    metadata = {name: value for name, value in kept["metadata"].items() if value is not None}
    note = dict(metadata.pop(KEY, {}))
    if note:
        if set(metadata) != set(kept["metadata"]) - {KEY}:  # its file is missing: just a picture
            note["kind"] = f"lost {note.get('kind')}"
        note["source"] = sources.get(note.get("source", ""), note.get("source", ""))
    if kept["kind"] == "labels":
        state["colormap"] = _label_colours(state["colormap"])
    layer = Layer.create(kept["data"], {**state, "metadata": metadata}, kept["kind"])
    if "contrast_limits_range" in kept:
        layer.contrast_limits_range = kept["contrast_limits_range"]
        layer.contrast_limits = state["contrast_limits"]
        layer.colorbar.visible = kept["colorbar"]
    return layer, {**metadata, KEY: note} if note else metadata
