"""Which of the open maps is meant? A list that survives renamed, deleted and replaced layers."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_orient.plugin.maps.layers import map_layers, name_of, open_maps
from napari_orient.plugin.sessions import follow

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.data.maps import OrientationMap


class MapPicker(QComboBox):
    """The open maps by the names of their layers; ``chosen`` stays the same map while it is open.

    Where the layer of the chosen map carries another map (indexed again, read again), that one is
    chosen.
    """

    changed = Signal()

    def __init__(self, viewer: Any, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.maps: list[OrientationMap] = []
        self.chosen: OrientationMap | None = None
        self._layer: weakref.ref[Layer] | None = None
        self._watched: weakref.WeakSet[Layer] = weakref.WeakSet()
        self.setToolTip(tip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        for emitter in (viewer.layers.events.inserted, viewer.layers.events.removed):
            follow(self, emitter, self.refresh)
        self.activated.connect(self._on_activated)
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """List the maps again and keep the choice; a map that was closed is nobody's choice."""
        self.maps = open_maps(self.viewer)
        for layer in self.viewer.layers:
            if "map" in layer.metadata and layer not in self._watched:
                self._watched.add(layer)
                for emitter in (layer.events.name, layer.events.metadata):
                    follow(self, emitter, self.refresh)
        kept = self.chosen if self._is_open(self.chosen) else self._successor()
        with QSignalBlocker(self):
            self.clear()
            self.addItem("choose a map")
            self.addItems([name_of(self.viewer, one) for one in self.maps])
        self.choose(kept)

    def choose(self, orientations: OrientationMap | None) -> None:
        """Choose a map that is open, or none."""
        number = next((i for i, one in enumerate(self.maps) if one is orientations), -1)
        with QSignalBlocker(self):
            self.setCurrentIndex(number + 1)
        before, self.chosen = self.chosen, self.maps[number] if number >= 0 else None
        if self.chosen is not None:
            layers = map_layers(self.viewer, self.chosen)
            self._layer = weakref.ref(layers[0]) if layers else None
        if self.chosen is not before:
            self.changed.emit()

    def _is_open(self, orientations: OrientationMap | None) -> bool:
        return any(one is orientations for one in self.maps)

    def _successor(self) -> OrientationMap | None:
        """Return what the layer of the chosen map shows now, where it still is there."""
        layer = self._layer() if self._layer is not None else None
        if self.chosen is None or layer is None or layer not in self.viewer.layers:
            return None
        found: OrientationMap | None = layer.metadata.get("map")
        return found

    def _on_activated(self, number: int) -> None:
        self.choose(self.maps[number - 1] if number > 0 else None)
