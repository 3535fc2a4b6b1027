"""How is a diffraction pattern drawn, and how are detectors moved on it? Without a session.

Scene coordinates are pattern pixels, x = kx and y = ky, pixel centres at integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QTextOption, QTransform
from qtpy.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QMenu, QWidget

from napari_orient.diffraction.detectors import VirtualDetector
from napari_orient.diffraction.overlay import Overlay
from napari_orient.plugin.pattern import handles, paint
from napari_orient.plugin.pattern.image import Scaling, to_bytes
from napari_orient.plugin.pattern.overlay import paint_overlay

Key = Qt.Key
REACH = 7  # screen px around an edge or a handle that still grab it
ARROWS = {Key.Key_Up: (-1, 0), Key.Key_Down: (1, 0), Key.Key_Left: (0, -1), Key.Key_Right: (0, 1)}
SIZES = {Key.Key_Plus: 1, Key.Key_Equal: 1, Key.Key_Minus: -1, Key.Key_Underscore: -1}
COMMANDS = {Key.Key_Delete: "remove", Key.Key_Backspace: "remove", Key.Key_F: "fit"}


class PatternView(QGraphicsView):
    """One pattern with virtual detectors on top.

    Drag a detector to move it, its edge or handle to resize it. Keys: arrows move (Shift 10 px,
    Ctrl or Alt 0.1 px), + and - resize, Delete removes, F fits. Wheel zooms, middle button or
    space and drag pan, a double click adds a disk.
    """

    hovered = Signal(object)
    """(ky, kx) under the mouse, or None when it left the pattern."""
    detectorChanged = Signal(int, object)
    """(index, VirtualDetector) after a drag step or a key."""
    grabbed = Signal()
    """A drag begins: what follows is one step to undo."""
    activeChanged = Signal(int)
    diskWanted = Signal(float, float, bool)
    """(ky, kx, whether as a part of the active detector)."""
    removeWanted = Signal(int)
    undoWanted = Signal(bool)
    """True for redo."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setScene(QGraphicsScene(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setBackgroundBrush(QColor(12, 12, 14))
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(200, 180)
        self._pattern: NDArray[Any] | None = None
        self._image = QImage()
        self._message = ""
        self._caption = ""
        self._colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        self._scaling: Scaling = "log"
        self._percentiles = (0.0, 100.0)
        self._detectors: tuple[VirtualDetector, ...] = ()
        self._active = 0
        self._centre: tuple[float, float] | None = None
        self._overlays: tuple[Overlay, ...] = ()
        self.decorations: list[Callable[[QPainter], None]] = []  # on top, in viewport pixels
        self._per_pixel, self._unit = 1.0, "px"
        self._fitted = True
        self._drag: tuple[int, handles.Grip, handles.Point, VirtualDetector] | None = None
        self._pan: QPoint | None = None
        self._space = False

    def sizeHint(self) -> QSize:
        """Prefer a square as wide as a dock."""
        return QSize(360, 360)

    # --- values -----------------------------------------------------------------------------

    def pattern(self) -> NDArray[Any] | None:
        """Return the pattern shown."""
        return self._pattern

    def setPattern(self, pattern: NDArray[Any] | None, message: str = "") -> None:
        """Show a pattern (ky, kx), or with None a message on the empty view."""
        old = None if self._pattern is None else self._pattern.shape
        self._pattern, self._message = pattern, message
        self._make_image()
        if pattern is not None and pattern.shape != old:
            height, width = pattern.shape
            self.setSceneRect(-width, -height, 3 * width, 3 * height)  # room to pan
            self.fit()

    def setCaption(self, caption: str) -> None:
        """Write a line into the upper left corner."""
        self._caption = caption
        self.viewport().update()

    def setScaling(self, scaling: Scaling) -> None:
        """Choose linear, sqrt or log."""
        self._scaling = scaling
        self._make_image()

    def setPercentiles(self, low: float, high: float) -> None:
        """Choose the percentiles of the pattern that become black and white."""
        self._percentiles = (low, high)
        self._make_image()

    def setColours(self, colours: NDArray[np.uint8]) -> None:
        """Choose the colours (256, 3) of the grey values."""
        self._colours = colours
        self._make_image()

    def detectors(self) -> tuple[VirtualDetector, ...]:
        """Return the detectors as drawn."""
        return self._detectors

    def setDetectors(self, detectors: tuple[VirtualDetector, ...], active: int = 0) -> None:
        """Draw these detectors, the active one with handles."""
        self._detectors, self._active = detectors, active
        if self._drag is not None and self._drag[0] >= len(detectors):
            self._drag = None
        self.viewport().update()

    def setCentre(self, centre: tuple[float, float] | None) -> None:
        """Draw the crosshair at (ky, kx)."""
        self._centre = centre
        self.viewport().update()

    def setOverlays(self, overlays: Iterable[Overlay]) -> None:
        """Draw rings, spots and labels over the pattern; labels of the first have priority."""
        self._overlays = tuple(overlays)
        self.viewport().update()

    def isPanning(self) -> bool:
        """Say whether the mouse moves the pattern, or would at the next press."""
        return self._space or self._pan is not None

    def setScale(self, per_pixel: float, unit: str) -> None:
        """Label the scale bar: so many ``unit`` in one pixel."""
        self._per_pixel, self._unit = per_pixel, unit
        self.viewport().update()

    def fit(self) -> None:
        """Show the whole pattern."""
        self._fitted = True
        if self._pattern is not None:
            height, width = self._pattern.shape
            self.fitInView(QRectF(-0.5, -0.5, width, height), Qt.AspectRatioMode.KeepAspectRatio)

    def at(self, position: QPoint) -> tuple[float, float]:
        """Return the pattern coordinates (ky, kx) of a viewport position."""
        inverse, _ = self.viewportTransform().inverted()
        point = inverse.map(QPointF(position))
        return point.y(), point.x()

    def position(self, ky: float, kx: float) -> QPoint:
        """Return the viewport position of pattern coordinates."""
        return self.mapFromScene(QPointF(kx, ky))

    # --- drawing ----------------------------------------------------------------------------

    def _make_image(self) -> None:
        self._image = QImage()
        if self._pattern is not None:
            grey = to_bytes(self._pattern, self._scaling, self._percentiles)
            rgbx = np.full((*grey.shape, 4), 255, dtype=np.uint8)
            rgbx[..., :3] = self._colours[grey]
            height, width = grey.shape
            image = QImage(rgbx.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
            self._image = image.convertToFormat(QImage.Format.Format_RGB32)  # owns its pixels
        self.viewport().update()

    def drawBackground(self, painter: QPainter, rect: QRectF) -> None:
        """Draw the pattern."""
        super().drawBackground(painter, rect)
        if not self._image.isNull():
            shrunk = self.transform().m11() < 1  # nearest neighbour would lose whole spots
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shrunk)
            size = self._image.size()
            painter.drawImage(QRectF(-0.5, -0.5, size.width(), size.height()), self._image)

    def drawForeground(self, painter: QPainter, rect: QRectF) -> None:
        """Draw crosshair, detectors and scale bar, in screen pixels."""
        painter.save()
        painter.setWorldTransform(QTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._pattern is None:
            painter.setPen(QColor(190, 190, 190))
            area = QRectF(self.viewport().rect()).adjusted(16, 16, -16, -16)
            painter.drawText(area, self._message, QTextOption(Qt.AlignmentFlag.AlignCenter))
        else:
            self._draw_all(painter)
        painter.restore()

    def _draw_all(self, painter: QPainter) -> None:
        to_screen, area = self.viewportTransform(), QRectF(self.viewport().rect())
        zoom = self.transform().m11()
        drawn = min(area.width(), self._image.width() * zoom)
        bar = paint.bar_length(zoom / self._per_pixel, drawn, self._unit)
        if self._overlays:
            metrics = painter.fontMetrics()
            taken = [
                paint.caption_box(metrics, self._caption),
                paint.scale_bar_box(metrics, area, *bar),
            ]
            for overlay in self._overlays:
                paint_overlay(painter, overlay, to_screen, area, taken)
        paint.centre(painter, to_screen, self._centre)
        front = self._active if 0 <= self._active < len(self._detectors) else None
        for index in sorted(range(len(self._detectors)), key=lambda index: index == front):
            detector = self._detectors[index]
            paint.detector(painter, to_screen, detector, qcolour(detector.colour), index == front)
        for decoration in self.decorations:
            decoration(painter)
        paint.scale_bar(painter, area, *bar)
        paint.caption(painter, self._caption)

    # --- mouse ------------------------------------------------------------------------------

    def _find(self, position: QPoint) -> tuple[int, handles.Grip] | None:
        reach = REACH / self.transform().m11()
        return handles.find_any(self._detectors, self._active, self.at(position), reach)

    def mousePressEvent(self, event: Any) -> None:
        """Grab a detector, or start to pan."""
        position = event.pos()
        left = event.button() == Qt.MouseButton.LeftButton
        if event.button() == Qt.MouseButton.MiddleButton or (left and self._space):
            self._pan = position
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif left and (found := self._find(position)) is not None:
            index, grip = found
            self._drag = (index, grip, self.at(position), self._detectors[index])
            self.grabbed.emit()
            if index != self._active:
                self._active = index
                self.activeChanged.emit(index)
        event.accept()

    def mouseMoveEvent(self, event: Any) -> None:
        """Drag a detector, pan, or tell what is under the mouse."""
        position = event.pos()
        if self._pan is not None:
            self._scroll(position - self._pan)
            self._pan = position
            return
        at = self.at(position)
        self.hovered.emit(at if self._is_inside(at) else None)
        if self._drag is not None:
            index, grip, start, base = self._drag
            alone = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            changed = handles.drag(base, grip, start, at, all_shapes=not alone)
            self._change(index, changed)
        else:
            self._show_grip(self._find(position))

    def mouseReleaseEvent(self, event: Any) -> None:
        """Let go."""
        self._drag = self._pan = None
        self._show_grip(self._find(event.pos()))

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Add a disk where there is no detector yet."""
        at = self.at(event.pos())
        if event.button() == Qt.MouseButton.LeftButton and self._is_inside(at):
            if self._find(event.pos()) is None:
                self.diskWanted.emit(*at, False)

    def leaveEvent(self, event: Any) -> None:
        """Tell that nothing is under the mouse."""
        self.hovered.emit(None)
        super().leaveEvent(event)

    def wheelEvent(self, event: Any) -> None:
        """Zoom around the mouse."""
        factor = 1.2 ** (event.angleDelta().y() / 120)
        zoom = self.transform().m11() * factor
        if self._pattern is not None and 0.1 < zoom < 80:
            self._fitted = False
            here = event.position().toPoint()
            ky, kx = self.at(here)
            self.scale(factor, factor)
            now_ky, now_kx = self.at(here)
            self.translate(now_kx - kx, now_ky - ky)
        event.accept()

    def contextMenuEvent(self, event: Any) -> None:
        """Offer what can be done here."""
        if self._pattern is not None:
            self.menu(event.pos()).exec_(event.globalPos())

    def menu(self, position: QPoint) -> QMenu:
        """Return the context menu of a viewport position."""
        ky, kx = self.at(position)
        found = self._find(position)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        offers: list[tuple[str, bool, Callable[[], None]]] = [
            ("New disk detector here", True, lambda: self.diskWanted.emit(ky, kx, False)),
            (
                "Add a disk to the active detector here",
                bool(self._detectors),
                lambda: self.diskWanted.emit(ky, kx, True),
            ),
            ("Remove this shape", found is not None, lambda: self._remove_shape(found)),
            ("Fit the pattern (F)", True, self.fit),
        ]
        for text, enabled, call in offers:
            action = menu.addAction(text)
            action.setEnabled(enabled)
            action.triggered.connect(lambda *_, call=call: call())
        return menu

    def _remove_shape(self, found: tuple[int, handles.Grip] | None) -> None:
        if found is None:
            return
        index, grip = found
        shapes = list(self._detectors[index].shapes)
        del shapes[grip.shape]
        if shapes:
            self._change(index, self._detectors[index].with_shapes(*shapes))
        else:
            self.removeWanted.emit(index)

    def _is_inside(self, at: tuple[float, float]) -> bool:
        if self._pattern is None:
            return False
        return all(-0.5 <= v < n - 0.5 for v, n in zip(at, self._pattern.shape, strict=True))

    def _scroll(self, by: QPoint) -> None:
        self._fitted = False
        for bar, step in (
            (self.horizontalScrollBar(), by.x()),
            (self.verticalScrollBar(), by.y()),
        ):
            bar.setValue(bar.value() - step)

    def _show_grip(self, found: tuple[int, handles.Grip] | None) -> None:
        shape = Qt.CursorShape.CrossCursor
        if self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif found is not None:
            inside = found[1].part == "inside"
            shape = Qt.CursorShape.SizeAllCursor if inside else Qt.CursorShape.PointingHandCursor
        self.viewport().setCursor(shape)

    def _change(self, index: int, detector: VirtualDetector) -> None:
        if detector == self._detectors[index]:
            return
        detectors = list(self._detectors)
        detectors[index] = detector
        self._detectors = tuple(detectors)
        self.viewport().update()
        self.detectorChanged.emit(index, detector)

    # --- keys -------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Keep the keys of this view from the window's shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride and self._knows(event):
            event.accept()
            return True
        return super().event(event)

    def _knows(self, event: Any) -> bool:
        key = event.key()
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in ARROWS:
            return True
        if control:
            return key == Key.Key_Z
        return key in SIZES or key in COMMANDS or key == Key.Key_Space

    def keyPressEvent(self, event: Any) -> None:
        """Move, resize, remove, fit, undo."""
        if not self._knows(event):
            super().keyPressEvent(event)
            return
        key, active = event.key(), self._active
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        has_detector = 0 <= active < len(self._detectors)
        if key == Key.Key_Z:
            self.undoWanted.emit(shift)
        elif key == Key.Key_Space:
            self._space = True
            self._show_grip(None)
        elif COMMANDS.get(key) == "fit":
            self.fit()
        elif has_detector and key in COMMANDS:
            self.removeWanted.emit(active)
        elif has_detector and key in ARROWS:
            step = self._step(event)
            dy, dx = ARROWS[key]
            self._change(active, self._detectors[active].moved(step * dy, step * dx))
        elif has_detector and key in SIZES:
            self._change(active, handles.grow(self._detectors[active], SIZES[key]))

    def keyReleaseEvent(self, event: Any) -> None:
        """End panning with space."""
        if event.key() == Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._show_grip(None)
        super().keyReleaseEvent(event)

    def _step(self, event: Any) -> float:
        fine = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
        if event.modifiers() & fine:
            return 0.1
        return 10.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0

    def resizeEvent(self, event: Any) -> None:
        """Keep a fitted pattern fitted."""
        super().resizeEvent(event)
        if self._fitted:
            self.fit()


def qcolour(colour: str | tuple[float, float, float] | None) -> QColor:
    """Return a detector's colour for Qt; a detector without one is drawn in yellow."""
    if colour is None:
        return QColor("#ffd60a")
    if isinstance(colour, str):
        return QColor(colour)
    return QColor.fromRgbF(*colour)
