"""Which part of the map is the reference? A shapes layer to draw on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_orient.plugin.layers import kind_of, map_grid, record
from napari_orient.plugin.sessions import follow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap

REGION = "reconstruct region"  # kind of its layer


class MapRegion(QObject):
    """What is drawn on a map; emits ``changed()``."""

    changed = Signal()

    def __init__(self, viewer: Any, owner: QWidget) -> None:
        super().__init__(owner)
        self._viewer, self._owner = viewer, owner
        self._timer = QTimer(self)  # while a shape is dragged it changes at every step
        self._timer.setSingleShot(True)
        self._timer.setInterval(120)
        self._timer.timeout.connect(self.changed)
        follow(owner, viewer.layers.events.removed, self._on_removed)

    def layer(self) -> Any:
        """Return the layer that is drawn on, or None."""
        return next((x for x in self._viewer.layers if kind_of(x) == REGION), None)

    def draw(self, orientations: OrientationMap) -> None:
        """Let the user draw a rectangle on the map; other shapes with the layer's own tools."""
        layer = self.layer()
        if layer is not None and not np.allclose(layer.scale[-2:], orientations.step[-2:]):
            self._viewer.layers.remove(layer)  # of another map
            layer = None
        if layer is None:
            layer = self._viewer.add_shapes(
                name="Region to reconstruct from",
                metadata=record(REGION, source=orientations.source),
                edge_color="#ffd60a",
                face_color="#ffd60a20",
                edge_width=max(orientations.shape) / 150,
                **map_grid(orientations),
            )
            follow(self._owner, layer.events.data, self._on_shapes)
        self._viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"

    def mask(self, orientations: OrientationMap) -> NDArray[np.bool_] | None:
        """Return the drawn points (y, x) of a map, None where none is drawn on it."""
        layer = self.layer()
        if layer is None or not layer.nshapes or len(orientations.shape) != 2:
            return None
        drawn = np.asarray(layer.to_masks(mask_shape=orientations.shape).any(axis=0))
        return drawn if drawn.any() else None

    def _on_shapes(self, event: Any = None) -> None:
        self._timer.start()

    def _on_removed(self, event: Any) -> None:
        if kind_of(event.value) == REGION:
            self._timer.start()
