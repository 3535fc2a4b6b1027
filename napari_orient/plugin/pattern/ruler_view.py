"""How do the ruler's button, points and tables hang together with the session?"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QPushButton, QWidget

from napari_orient.data.scan import Scan
from napari_orient.diffraction.camera.measure import beam, lengths
from napari_orient.plugin.pattern.ruler import RulerTool
from napari_orient.plugin.pattern.ruler_panel import RulerPanel
from napari_orient.plugin.pattern.ruler_rows import point_words
from napari_orient.plugin.pattern.view import PatternView
from napari_orient.plugin.sessions import follow
from napari_orient.plugin.view import scrolling
from napari_orient.session import Session

TIP = (
    "Measure on the pattern (R): press on a spot for its spacing, on a second one for the angle "
    "and the reflections that fit.\nPoints snap to spots (not with Alt) and can be dragged; Delete "
    "clears, Escape ends."
)
LEAST = 115  # px, height of the tables where the window is small: they scroll then


class PatternRuler(QObject):
    """The ruler of a Pattern dock; ``session.ruler`` holds its points."""

    def __init__(self, view: PatternView, viewer: Any, session: Session, dock: QWidget) -> None:
        super().__init__(dock)
        self.viewer = viewer
        self.session = session
        self._at: tuple[int, int] | None = None
        self._shape: tuple[int, int] | None = None
        self.tool = RulerTool(view)
        self.panel = RulerPanel()
        self.frame = scrolling(self.panel)
        self.frame.setMinimumHeight(LEAST)
        self.panel.heightChanged.connect(self._on_height)
        self.frame.hide()
        self.button = QPushButton("Ruler")
        self.button.setCheckable(True)
        self.button.setToolTip(TIP)
        self.button.toggled.connect(self._on_toggled)
        self.tool.switchWanted.connect(self.button.setChecked)
        self.tool.pointsChanged.connect(self._on_points)
        self.panel.snap.toggled.connect(self._on_snap)
        for emitter in (session.events.orientation_map, viewer.layers.events.removed):
            follow(dock, emitter, self._list_phases)
        follow(dock, session.events.ruler, self._on_ruler)
        self._on_ruler(session.ruler)

    def setScan(self, scan: Scan | None) -> None:
        """Measure with the calibration of this scan; points on patterns of another size go."""
        shape = None if scan is None else scan.pattern_shape
        self._at = None
        if shape != self._shape and self._shape is not None:
            self.session.ruler = ()
        self._shape = shape
        self.button.setEnabled(scan is not None)
        if scan is None:
            self.button.setChecked(False)
        self._list_phases()
        self._measure()

    def setPosition(self, at: tuple[int, int] | None) -> None:
        """Measure from the beam at this scan position, where the beam drifts; None for a mean."""
        if at != self._at:
            self._at = at
            self._measure()

    def _on_height(self, height: int) -> None:
        self.frame.setMaximumHeight(max(height, LEAST))  # the rest is the pattern's

    def _on_toggled(self, on: bool) -> None:
        self.tool.setOn(on)
        self.frame.setVisible(on)
        self._list_phases()
        self._measure()

    def _on_points(self, points: tuple[tuple[float, float], ...]) -> None:
        self.session.ruler = points

    def _on_ruler(self, points: tuple[tuple[float, float], ...]) -> None:
        if points and self.session.scan is not None and not self.button.isChecked():
            self.button.setChecked(True)  # set by someone else, a desk that was restored
        else:
            self._measure()

    def _on_snap(self, on: bool) -> None:
        self.tool.snaps = on

    def _list_phases(self, *_: Any) -> None:
        scan = self.session.scan
        maps = [layer.metadata.get("map") for layer in self.viewer.layers]
        maps = [self.session.orientation_map, *maps]
        known = {id(found): found for found in maps if found is not None}
        self.panel.phases.setPhases(scan.phase if scan else None, known.values())

    def _measure(self) -> None:
        scan, points = self.session.scan, self.session.ruler[:2]
        if scan is None or not self.button.isChecked():
            return
        found = lengths(points, scan.calibration, at=self._at)
        self.tool.setValue(points, beam(scan.calibration, self._at), point_words(found))
        self.panel.setLengths(found)
