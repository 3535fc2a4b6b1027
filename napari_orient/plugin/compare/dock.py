"""How far can this map be trusted? The Compare dock: errors between two maps, pixel by pixel."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFormLayout

from napari_orient.plugin.compare.pickers import MapPicker
from napari_orient.plugin.sessions import Dock


class CompareDock(Dock):
    """The Compare dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.reference = MapPicker(self.viewer, "The map that is taken as the truth")
        self.other = MapPicker(self.viewer, "The map whose errors are asked for")
        form = QFormLayout(self)
        form.addRow("Reference", self.reference)
        form.addRow("Map", self.other)
