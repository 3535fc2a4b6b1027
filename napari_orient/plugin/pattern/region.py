"""Which part of the scan is meant? A shapes layer to draw on, turned into the session's mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_orient.plugin.layers import kind_of, record, scan_grid
from napari_orient.plugin.sessions import follow
from napari_orient.session import Session

EMPTY = "No position of the scan lies in the drawn region: draw it again, on the scan."


class ScanRegion(QWidget):
    """Keeps ``session.region`` equal to what is drawn; an invisible part of a dock."""

    begun = Signal()
    """There is a region, where there was none."""
    ended = Signal()
    """The layer was removed."""
    missed = Signal()
    """No position of the scan lies in what was drawn: there is no region."""

    def __init__(self, viewer: Any, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()
        self.viewer = viewer
        self.session = session
        # while a shape is dragged it changes at every step of the mouse
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(120)
        self._timer.timeout.connect(self._on_drawn)
        follow(self, viewer.layers.events.removed, self._on_layer_removed)

    def layer(self) -> Any:
        """Return the layer that is drawn on, or None."""
        return next((x for x in self.viewer.layers if kind_of(x) == "region"), None)

    def draw(self) -> None:
        """Let the user draw a rectangle on the scan; other shapes with the layer's own tools."""
        scan = self.session.scan
        if scan is None:
            return
        layer = self.layer()
        if layer is None:
            layer = self.viewer.add_shapes(
                name="Scan region",
                metadata=record("region", source=scan.source),
                edge_color="#ffd60a",
                face_color="#ffd60a20",
                edge_width=max(scan.scan_shape) / 150,
                **scan_grid(scan),
            )
        # connected again only if nobody listens yet
        layer.events.data.disconnect(self._on_shapes)
        follow(self, layer.events.data, self._on_shapes)
        self.viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"

    def _on_shapes(self, event: Any = None) -> None:
        self._timer.start()

    def _on_drawn(self) -> None:
        """Take what was drawn, but say that it is no region where no position lies in it.

        Nothing is kept of it: no region means the whole scan to those who read the session.
        """
        self.take()
        layer, scan = self.layer(), self.session.scan
        if self.session.region is not None or scan is None or layer is None or not layer.nshapes:
            return
        if layer._is_creating or layer._is_moving:  # napari has no public name for these
            self._timer.start()
            return
        layer.data = []
        show_warning(EMPTY)
        self.missed.emit()

    def take(self) -> None:
        """Turn the drawn shapes into the session's mask (y, x)."""
        scan, layer, old = self.session.scan, self.layer(), self.session.region
        mask = None
        if scan is not None and layer is not None and layer.nshapes:
            mask = layer.to_masks(mask_shape=scan.scan_shape).any(axis=0)
            mask = mask if mask.any() else None
        if mask is None or old is None or not np.array_equal(mask, old):
            self.session.region = mask
        if old is None and mask is not None:
            self.begun.emit()

    def _on_layer_removed(self, event: Any) -> None:
        if kind_of(event.value) == "region":
            self.session.region = None
            self.ended.emit()
