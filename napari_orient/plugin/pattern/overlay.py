"""How are rings, spots and their indices drawn over a pattern? Readable on bright and on dark."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
    QTransform,
)
from qtpy.QtWidgets import QApplication

from napari_orient.diffraction.overlay import Overlay

POINTS = 9.0  # size of the indices
HALO = QColor(0, 0, 0, 170)
GAP = 2.0  # px between a circle and its indices, and between two texts
MOST = 400  # labels that are tried: more could never be read


def paint_overlay(
    painter: QPainter,
    overlay: Overlay,
    to_screen: QTransform,
    area: QRectF,
    taken: list[QRectF] | None = None,
) -> list[str]:
    """Draw an overlay and return the labels that found room, inside ``area``, outside ``taken``.

    The room of the labels is added to ``taken``: those of the next overlay keep clear of it.

    ``to_screen`` turns pattern pixels (x = kx, y = ky) into those of the painter.
    """
    curves = [to_screen.map(_polygon(curve)) for curve in overlay.curves]
    zoom = to_screen.m11()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    # Qt draws many curves one by one, and lines of 1 px, ten times as fast as one long path
    for colour, width in ((HALO, 2.6), (QColor(overlay.colour), 1.0)):
        painter.setPen(QPen(colour, width))
        for number, curve in enumerate(curves):
            if overlay.opacities:
                painter.setOpacity(overlay.opacities[number])
            closed = curve.first() == curve.last()
            painter.drawPolygon(curve) if closed else painter.drawPolyline(curve)
        painter.setOpacity(1.0)
        for (ky, kx), size in zip(overlay.spots.tolist(), overlay.sizes.tolist(), strict=True):
            painter.drawEllipse(to_screen.map(QPointF(kx, ky)), size * zoom, size * zoom)
    reach = 0.7 * zoom * float(overlay.sizes.max(initial=0.0)) + GAP
    return _paint_labels(painter, overlay, to_screen, area, reach, [] if taken is None else taken)


def _polygon(curve: NDArray[np.float64]) -> QPolygonF:
    return QPolygonF([QPointF(kx, ky) for ky, kx in curve.tolist()])


def _paint_labels(
    painter: QPainter,
    overlay: Overlay,
    to_screen: QTransform,
    area: QRectF,
    reach: float,
    taken: list[QRectF],
) -> list[str]:
    """Write labels right above their places, the first ones first, none over another."""
    family, colour = QApplication.font().family(), QColor(overlay.colour).lighter(125)
    written = []
    for text, ky, kx in overlay.labels[:MOST]:
        path, width, height = label_path(text, family, POINTS)
        corner = to_screen.map(QPointF(kx, ky)) + QPointF(reach, -reach)
        box = QRectF(corner.x(), corner.y() - height, width, height)
        if not area.contains(box) or any(box.intersects(other) for other in taken):
            continue
        taken.append(box.adjusted(-GAP, -GAP, GAP, GAP))
        written.append(text)
        placed = path.translated(corner)
        painter.strokePath(placed, QPen(HALO, 3.0))
        painter.fillPath(placed, colour)
    return written


@lru_cache(maxsize=2000)
def label_path(
    text: str, family: str, points: float, bold: bool = True
) -> tuple[QPainterPath, float, float]:
    """Return a text on a base line that starts at (0, 0), its width and height in px.

    Minus signs of indices become bars.
    """
    font = QFont(family)
    font.setPointSizeF(points)
    font.setBold(bold)
    metrics = QFontMetricsF(font)
    path, x = QPainterPath(), 0.0
    path.setFillRule(Qt.FillRule.WindingFill)
    top = -metrics.capHeight() - 2.5
    for part, barred in index_parts(text):
        wide = metrics.horizontalAdvance(part)
        path.addText(QPointF(x, 0), font, part)
        if barred:
            path.addRect(QRectF(x + 1, top, wide - 1.5, 1.2))
        x += wide
    return path, x, -top + 2


def index_parts(text: str) -> list[tuple[str, bool]]:
    """Split "1-10", "1 -1 12" or "[1-10]" into parts, each with or without a bar.

    Other texts stay whole.
    """
    if text.startswith("[") and text.endswith("]"):
        return [("[", False), *index_parts(text[1:-1]), ("]", False)]
    if re.fullmatch(r"(-?\d){3,4}", text):
        found = re.findall(r"-?\d", text)
    elif re.fullmatch(r"-?\d+( -?\d+){2,3}", text):
        found = re.findall(r"-?\d+| ", text)
    else:
        return [(text, False)]
    return [(part.lstrip("-"), part.startswith("-")) for part in found]
