"""How is a ruler laid on a pattern? Points set by the mouse, snapped to spots, and their drawing.

The tool watches the events of a pattern view; while it is off it only knows the key R, and the
mouse does to detectors what it always does.
"""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtCore import QEvent, QObject, QPointF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QApplication

from napari_orient.diffraction.camera.snap import nearest_spot
from napari_orient.plugin.pattern.overlay import HALO, label_path
from napari_orient.plugin.pattern.view import PatternView

Point = tuple[float, float]
Key = Qt.Key
COLOUR = QColor("#ffe14d")
GRAB = 9  # screen px around a point that grab it
REACH = 22  # screen px within which a spot attracts a point
CLEARING = (Key.Key_Delete, Key.Key_Backspace)


class RulerTool(QObject):
    """Mouse and keys of the ruler on one pattern view.

    Press and drag: a point, which snaps to the nearest spot unless Alt is held. The second press
    sets a second point, the third starts anew; a point that is pressed can be dragged. Delete
    clears; Escape clears, or ends the ruler if there is nothing to clear.
    """

    pointsChanged = Signal(object)
    """The points ((ky, kx), ...) after the user set, moved or cleared them."""
    switchWanted = Signal(bool)
    """The key R, or Escape: on or off."""

    def __init__(self, view: PatternView) -> None:
        super().__init__(view)
        self.view = view
        self.on = False
        self.snaps = True
        self._points: tuple[Point, ...] = ()
        self._beam: Point | None = None
        self._texts: tuple[str, ...] = ()
        self._held: int | None = None
        view.installEventFilter(self)
        view.viewport().installEventFilter(self)
        view.decorations.append(self._paint)

    # --- values -----------------------------------------------------------------------------

    def setOn(self, on: bool) -> None:
        """Take the mouse, or leave it to the detectors; the points stay."""
        self.on, self._held = on, None
        self.view.viewport().setCursor(Qt.CursorShape.CrossCursor)
        self.view.viewport().update()

    def points(self) -> tuple[Point, ...]:
        """Return the points as drawn."""
        return self._points

    def setValue(
        self, points: tuple[Point, ...], beam: Point | None, texts: tuple[str, ...] = ()
    ) -> None:
        """Draw these points, each with its text, and lines to them from the direct beam."""
        self._points, self._beam, self._texts = points, beam, texts
        if self._held is not None and self._held >= len(points):
            self._held = None
        self.view.viewport().update()

    # --- events -----------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what belongs to the ruler: Qt calls."""
        kind = event.type()
        if watched is self.view:
            if kind == QEvent.Type.ShortcutOverride and self._knows(event):
                event.accept()
                return True
            return kind == QEvent.Type.KeyPress and self._knows(event) and self._on_key(event)
        if not self.on or self.view.pattern() is None or self.view.isPanning():
            return False
        if kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            return self._on_press(event)
        if kind == QEvent.Type.MouseMove:
            return self._on_move(event)
        if kind == QEvent.Type.MouseButtonRelease and self._held is not None:
            self._held = None
            return True
        return False

    def _knows(self, event: Any) -> bool:
        if event.modifiers() & ~(
            Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier
        ):
            return False
        key = event.key()
        return key == Key.Key_R or (self.on and (key == Key.Key_Escape or key in CLEARING))

    def _on_key(self, event: Any) -> bool:
        if event.key() == Key.Key_R:
            self.switchWanted.emit(not self.on)
        elif self._points:
            self._tell(())
        elif event.key() == Key.Key_Escape:
            self.switchWanted.emit(False)
        return True

    def _on_press(self, event: Any) -> bool:
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        self._held = self._find(event.pos())
        if self._held is None:
            kept = self._points if len(self._points) < 2 else ()
            self._held = len(kept)
            self._points = (*kept, self.view.at(event.pos()))
            self._set(event)
        return True

    def _on_move(self, event: Any) -> bool:
        at = self.view.at(event.pos())
        self.view.hovered.emit(at)
        if self._held is not None:
            self._set(event)
            return True
        near = self._find(event.pos()) is not None
        shape = Qt.CursorShape.SizeAllCursor if near else Qt.CursorShape.CrossCursor
        self.view.viewport().setCursor(shape)
        return True

    def _find(self, position: Any) -> int | None:
        """Return the point under the mouse."""
        for index, point in enumerate(self._points):
            away = self.view.position(*point) - position
            if math.hypot(away.x(), away.y()) <= GRAB:
                return index
        return None

    def _set(self, event: Any) -> None:
        """Move the held point to the mouse, or to the spot there."""
        at = self.view.at(event.pos())
        free = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if self.snaps and not free:
            reach = min(max(REACH / self.view.transform().m11(), 2.5), 12.0)
            at = nearest_spot(self.view.pattern(), at, reach) or at
        points = list(self._points)
        points[self._held] = at
        self._tell(tuple(points))

    def _tell(self, points: tuple[Point, ...]) -> None:
        self._points = points
        if not points:
            self._held = None
        self.view.viewport().update()
        self.pointsChanged.emit(points)

    # --- drawing ----------------------------------------------------------------------------

    def _paint(self, painter: QPainter) -> None:
        """Draw lines from the beam, rings around the points and their texts."""
        if not self.on or self._beam is None:
            return
        to_screen = self.view.viewportTransform()
        beam, *ends = (to_screen.map(QPointF(x, y)) for y, x in (self._beam, *self._points))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for width, colour in ((3.5, HALO), (1.5, COLOUR)):
            painter.setPen(QPen(colour, width))
            for end in ends:
                painter.drawLine(beam, end)
                painter.drawEllipse(end, 5.0, 5.0)
        for end, text in zip(ends, self._texts, strict=False):
            self._paint_text(painter, end, text, aside=end - beam)

    def _paint_text(self, painter: QPainter, at: QPointF, text: str, aside: QPointF) -> None:
        """Write beside a point, on the side away from the line, inside the view."""
        path, width, height = label_path(text, QApplication.font().family(), 10.0)
        port = self.view.viewport()
        left = at.x() + 9 if aside.x() >= 0 else at.x() - 9 - width
        base = at.y() + (height + 3 if aside.y() > 0 else -5)
        left = min(max(left, 2.0), port.width() - width - 2.0)
        base = min(max(base, height), port.height() - 4.0)
        placed = path.translated(QPointF(left, base))
        painter.strokePath(placed, QPen(HALO, 3.5))
        painter.fillPath(placed, COLOUR)
