"""How do the things on a pattern look? Crosshair, detectors, scale bar and caption, painted.

Painters are in viewport pixels; ``to_screen`` turns pattern pixels (x = kx, y = ky) into them.
"""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPainterPath, QPen, QTextOption, QTransform

from napari_orient.diffraction.detectors import Annulus, Disk, Shape, VirtualDetector
from napari_orient.plugin.pattern import handles
from napari_orient.plugin.pattern.image import nice_length

SHADE = QColor(0, 0, 0, 150)


def caption_box(metrics: QFontMetrics, text: str) -> QRectF:
    """Return where :func:`caption` writes."""
    return QRectF(8, 8, metrics.horizontalAdvance(text) + 12, metrics.height() + 4)


def caption(painter: QPainter, text: str) -> None:
    """Write a line into the upper left corner."""
    if not text:
        return
    metrics = painter.fontMetrics()
    _shade(painter, caption_box(metrics, text))
    painter.setPen(QColor(255, 255, 255))
    painter.drawText(QPointF(14, 10 + metrics.ascent()), text)


def centre(painter: QPainter, to_screen: QTransform, at: tuple[float, float] | None) -> None:
    """Draw a crosshair, open in the middle, at (ky, kx)."""
    if at is None:
        return
    ky, kx = at
    middle = to_screen.map(QPointF(kx, ky))
    for width, colour in ((3, SHADE), (1, QColor(255, 255, 255, 200))):
        painter.setPen(QPen(colour, width))
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            way = QPointF(dx, dy)
            painter.drawLine(middle + 3 * way, middle + 9 * way)


def detector(
    painter: QPainter, to_screen: QTransform, drawn: VirtualDetector, colour: QColor, active: bool
) -> None:
    """Draw the shapes of a detector, with handles if it is the active one."""
    path = QPainterPath()
    for shape in drawn.shapes:
        path.addPath(to_screen.map(outline(shape)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 4 if active else 3))
    painter.drawPath(path)
    painter.setPen(QPen(colour, 2 if active else 1.2))
    painter.drawPath(path)
    if not active:
        return
    painter.setPen(QPen(QColor(0, 0, 0), 1))
    painter.setBrush(colour.lighter(130))
    for shape in drawn.shapes:
        for (ky, kx), _ in handles.handles(shape):
            painter.drawEllipse(to_screen.map(QPointF(kx, ky)), 3.5, 3.5)


def scale_bar_box(metrics: QFontMetrics, area: QRectF, bar: float, text: str) -> QRectF:
    """Return where :func:`scale_bar` draws a bar of so many screen px."""
    width = max(bar, metrics.horizontalAdvance(text)) + 16
    height = metrics.height() + 14
    return QRectF(8, area.height() - height - 8, width, height)


def bar_length(zoom: float, drawn: float, unit: str) -> tuple[float, str]:
    """Return the length in screen px and the text of a bar: ``zoom`` px a unit, ``drawn`` seen."""
    length = nice_length(0.35 * drawn / zoom)
    return length * zoom, f"{length:g} {unit}"


def scale_bar(painter: QPainter, area: QRectF, bar: float, text: str) -> None:
    """Draw a bar of so many screen px into the lower left corner."""
    box = scale_bar_box(painter.fontMetrics(), area, bar, text)
    _shade(painter, box)
    painter.setBrush(QColor(255, 255, 255))
    painter.drawRect(QRectF(box.center().x() - bar / 2, box.bottom() - 8, bar, 3))
    painter.setPen(QColor(255, 255, 255))
    option = QTextOption(Qt.AlignmentFlag.AlignHCenter)
    option.setWrapMode(QTextOption.WrapMode.NoWrap)
    painter.drawText(box.adjusted(-8, 2, 8, 0), text, option)


def _shade(painter: QPainter, box: QRectF) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(SHADE)
    painter.drawRoundedRect(box, 3, 3)


def outline(shape: Shape) -> QPainterPath:
    """Return the outline of a shape, in pattern pixels."""
    path = QPainterPath()
    ky, kx = shape.centre
    if isinstance(shape, Disk):
        path.addEllipse(QPointF(kx, ky), shape.radius, shape.radius)
    elif isinstance(shape, Annulus):
        path.addEllipse(QPointF(kx, ky), shape.outer, shape.outer)
        path.addEllipse(QPointF(kx, ky), shape.inner, shape.inner)
    else:
        height, width = shape.size
        path.addRect(QRectF(kx - width / 2, ky - height / 2, width, height))
    return path
