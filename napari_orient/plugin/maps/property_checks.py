"""Which properties of a map are layers? A check box for each, that makes, shows and hides it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, QSize, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QSizePolicy, QWidget

from napari_orient.plugin.maps import layers as map_layers

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

MOST = 3  # columns


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
        for name in names:
            check = QCheckBox(name)
            check.setToolTip(f"Show {name} as a layer of its own")
            check.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            check.toggled.connect(partial(self._on_toggled, name))
            self.checks[name] = check
        self._place()

    def _place(self) -> None:
        """Use as many columns as the width has room for."""
        columns = max(1, min(MOST, self.width() // (self._widest() + self._grid.spacing())))
        for number, check in enumerate(self.checks.values()):
            self._grid.addWidget(check, number // columns, number % columns)

    def _widest(self) -> int:
        return max((check.sizeHint().width() for check in self.checks.values()), default=40)

    def minimumSizeHint(self) -> QSize:
        """Return the room for one column, in the height of those that there are: Qt asks."""
        return QSize(self._widest(), super().minimumSizeHint().height())

    def resizeEvent(self, event: Any) -> None:
        """Use the width: Qt calls."""
        super().resizeEvent(event)
        self._place()

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
