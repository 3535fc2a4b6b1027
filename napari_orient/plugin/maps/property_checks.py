"""Which properties of a map are layers? A check box for each, that makes, shows and hides it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QSizePolicy, QWidget

from napari_orient.plugin.maps import layers as map_layers

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

COLUMNS = 3


class PropertyChecks(QWidget):
    """The properties of one map; emits ``changed()`` after a layer was shown or hidden."""

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._map: OrientationMap | None = None
        self.checks: dict[str, QCheckBox] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)

    def show_map(self, orientations: OrientationMap | None) -> None:
        """List the properties of a map."""
        self._map = orientations
        for check in self.checks.values():
            self._grid.removeWidget(check)
            check.hide()
            check.deleteLater()
        self.checks = {}
        names = map_layers.property_names(orientations) if orientations is not None else []
        for number, name in enumerate(names):
            check = QCheckBox(name)
            check.setToolTip(f"Show {name} as a layer of its own")
            check.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            check.toggled.connect(partial(self._on_toggled, name))
            self._grid.addWidget(check, number // COLUMNS, number % COLUMNS)
            self.checks[name] = check

    def refresh(self) -> None:
        """Check what is visible as a layer."""
        if self._map is None:
            return
        for name, check in self.checks.items():
            layer = map_layers.property_layer(self._viewer, self._map, name)
            with QSignalBlocker(check):
                check.setChecked(layer is not None and layer.visible)

    def _on_toggled(self, name: str, on: bool) -> None:
        if self._map is None:
            return
        if on:
            map_layers.show_property(self._viewer, self._map, name)
        elif (layer := map_layers.property_layer(self._viewer, self._map, name)) is not None:
            layer.visible = False
        self.changed.emit()
