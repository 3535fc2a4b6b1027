"""Which scans and maps are open, and which is the active one? The list of the Load dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.questions import times
from napari_orient.plugin.scan_layers import bring_forward

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.session import Session


def carried(layer: Layer | None) -> tuple[Scan | None, OrientationMap | None]:
    """Return the (scan, map) of a layer."""
    if layer is None:
        return None, None
    return layer.metadata.get("scan"), layer.metadata.get("map")


def active_layer(viewer: Any, session: Session) -> Layer | None:
    """Return the active layer if it is a scan's or a map's, else one of the session's."""
    ours = [x for x in viewer.layers if kind_of(x) in ("navigator", "ipf")]
    active = viewer.layers.selection.active
    if any(layer is active for layer in ours):
        return active
    for thing in (session.scan, session.orientation_map):
        for layer in ours:
            if thing is not None and any(x is thing for x in carried(layer)):
                return layer
    return ours[-1] if ours else None


class OpenList(QListWidget):
    """The scans and maps of a viewer, topmost first; a click makes one the active one."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setToolTip("Scans and maps in this window; a click makes one the active one")
        self.setMaximumHeight(84)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.itemClicked.connect(self._on_chosen)

    def fill(self, active: Layer | None) -> None:
        """List what is open now, with ``active`` marked."""
        self.clear()
        for layer in reversed(self._viewer.layers):
            if kind_of(layer) not in ("navigator", "ipf"):
                continue
            scan, orientations = carried(layer)
            what = scan if scan is not None else orientations
            kind = "scan" if scan is not None else "map"
            item = QListWidgetItem(f"{layer.name}   {kind}, {times(what.shape if what else ())}")
            item.setData(Qt.ItemDataRole.UserRole, layer.name)
            item.setToolTip(item.text())
            self.addItem(item)
            if layer is active:
                self.setCurrentItem(item)

    def _on_chosen(self, item: QListWidgetItem) -> None:
        name = item.data(Qt.ItemDataRole.UserRole)
        if name in self._viewer.layers:
            layer = self._viewer.layers[name]
            self._viewer.layers.selection.active = layer
            bring_forward(self._viewer, layer)
