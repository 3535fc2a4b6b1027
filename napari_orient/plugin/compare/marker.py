"""Which point is meant? A square around it on the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.plugin.layers import kind_of, map_grid, record

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

KIND = "compared point"


def move_marker(viewer: Any, orientations: OrientationMap, index: tuple[int, ...]) -> None:
    """Mark a point of a map; what is selected in the layer list stays selected."""
    layer = next((x for x in viewer.layers if kind_of(x) == KIND), None)
    if layer is not None:
        layer.data = np.array([index], float)
        return
    active = viewer.layers.selection.active
    viewer.add_points(
        np.array([index], float),
        name="Compared point",
        metadata=record(KIND, source=orientations.source),
        symbol="square",
        size=max(3.0, max(orientations.shape) / 40),
        face_color="transparent",
        border_color="#51ff6b",
        border_width=0.12,
        **map_grid(orientations),
    )
    viewer.layers.selection.active = active


def remove_marker(viewer: Any) -> None:
    """Take the mark off: other maps have other points."""
    for layer in [x for x in viewer.layers if kind_of(x) == KIND]:
        viewer.layers.remove(layer)
