"""Which of the open scans is meant? A list that survives renamed, deleted and replaced layers."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.sessions import follow, scan_of

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.data.scan import Scan
    from napari_orient.session import Session


class ScanPicker(QComboBox):
    """The open scans by the names of their layers; ``chosen`` is the scan that its layer shows.

    A scan that was calibrated or cropped takes the place of the one before in its layer, and here.
    The first one that is opened is chosen.
    """

    changed = Signal()

    def __init__(self, viewer: Any, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer, self.session = viewer, session
        self.chosen: Scan | None = None
        self._layer: weakref.ref[Layer] | None = None
        self._layers: list[weakref.ref[Layer]] = []
        self._watched: weakref.WeakSet[Layer] = weakref.WeakSet()
        self.setToolTip("The scan whose patterns are learned")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        for emitter in (viewer.layers.events.inserted, viewer.layers.events.removed):
            follow(self, emitter, self.refresh)
        follow(self, session.events.scan, self.refresh)  # also when it is replaced in its layer
        self.activated.connect(self._on_activated)
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """List the scans again and keep the choice, where its layer is still there."""
        layers = self._navigators()
        for layer in layers:
            if layer not in self._watched:
                self._watched.add(layer)
                for emitter in (layer.events.name, layer.events.metadata):
                    follow(self, emitter, self.refresh)
        self._layers = [weakref.ref(layer) for layer in layers]
        before = self._layer() if self._layer is not None else None
        kept = before if before in layers else None
        if kept is None:
            kept = next((x for x in layers if scan_of(x) is self.session.scan), None)
        with QSignalBlocker(self):
            self.clear()
            self.addItems([layer.name for layer in layers] or ["no scan is open"])
            self.setCurrentIndex(layers.index(kept) if kept is not None else 0)
        self._take(kept)

    def choose(self, scan: Scan) -> None:
        """Choose an open scan."""
        for number, layer in enumerate(self._navigators()):
            if scan_of(layer) is scan:
                with QSignalBlocker(self):
                    self.setCurrentIndex(number)
                self._take(layer)

    def scans(self) -> list[Scan]:
        """Return the scans of the list."""
        return [scan for layer in self._navigators() if (scan := scan_of(layer)) is not None]

    def _navigators(self) -> list[Layer]:
        """Return a layer of each scan, the navigator where there is one."""
        found: list[Layer] = []
        for layer in sorted(self.viewer.layers, key=lambda x: kind_of(x) != "navigator"):
            scan = scan_of(layer)
            if scan is not None and not any(scan_of(other) is scan for other in found):
                found.append(layer)
        return found

    def _take(self, layer: Layer | None) -> None:
        self._layer = weakref.ref(layer) if layer is not None else None
        before, self.chosen = self.chosen, scan_of(layer)
        if self.chosen is not before:
            self.changed.emit()

    def _on_activated(self, number: int) -> None:
        if number < len(self._layers) and (layer := self._layers[number]()) is not None:
            self._take(layer)
