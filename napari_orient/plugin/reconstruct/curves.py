"""The loss, drawn while it falls: each descriptor, over all grids.

Qt draws it at once. A figure by Matplotlib would take a third of a second of Python twice a second,
in which the window hardly moves.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.reconstruct.course import Course, in_numbers, list_of_fields, parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.plugin.reconstruct.course import Point

COLOURS = {
    "two-point": "#4dabf7", "three-point": "#ff922b", "variation": "#51cf66", "texture": "#b197fc",
}  # fmt: skip
"""Descriptor -> colour; on wider windows its lines have gaps."""
OTHER = "#868e96"
LINES = (
    Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine
)  # fmt: skip
WAITS = "The curve of the loss begins in a moment."
LEFT, RIGHT, BELOW, GAP = 44, 16, 36, 6  # px around the plot
DECADES = 9  # at most, below the highest value


class Curve:
    """A line of the plot: its name, its values over evaluations, and how it is drawn."""

    def __init__(self, name: str, points: list[tuple[int, float]], ink: QColor) -> None:
        kind, _, scale = name.partition(" x")
        wide = int(scale).bit_length() - 1 if scale.isdigit() else 0
        self.name = name.replace(" x", " ×")
        self.points = points
        colour = ink if kind == "sum" else QColor(COLOURS.get(kind, OTHER))
        self.pen = QPen(colour, 2.0 if kind == "sum" else 1.2, LINES[min(wide, 3)])


def curves_of(points: Sequence[Point], ink: QColor) -> list[Curve]:
    """Return the sum, and each descriptor: values that a logarithm takes."""
    names = dict.fromkeys(n for p in points for n in p.trace.parts)
    found = [Curve("sum", [(p.at, p.trace.loss) for p in points if p.trace.loss > 0], ink)]
    for name in names:
        values = [(p.at, p.trace.parts.get(name, 0.0)) for p in points]
        found.append(Curve(name, [(x, y) for x, y in values if y > 0], ink))
    return [curve for curve in found if curve.points]


class LossPlot(QWidget):
    """Loss over evaluations; the loss is logarithmic."""

    def __init__(self) -> None:
        super().__init__()
        self.points: Sequence[Point] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(QSize(180, 260))
        self.setToolTip(
            "Weighted loss of each descriptor, and their sum; dotted: a finer grid begins"
        )

    def show_points(self, points: Sequence[Point]) -> None:
        """Draw these."""
        self.points = points
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw: Qt calls."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPixelSize(11)
        painter.setFont(font)
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        curves = curves_of(self.points, ink)
        if not curves:
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), WAITS)
        else:
            top = self._legend(painter, curves, ink)
            room = QRectF(LEFT, top, self.width() - LEFT - RIGHT, self.height() - top - BELOW)
            self._plot(painter, curves, room, ink)
        painter.end()

    def _legend(self, painter: QPainter, curves: list[Curve], ink: QColor) -> float:
        """Name the lines above the plot; return where the plot may begin."""
        measure = painter.fontMetrics()
        x, y, high = float(LEFT), float(GAP), measure.height()
        for curve in curves:
            wide = 22 + measure.horizontalAdvance(curve.name) + 12
            if x + wide > self.width() and x > LEFT:
                x, y = float(LEFT), y + high
            painter.setPen(curve.pen)
            painter.drawLine(QPointF(x, y + high / 2), QPointF(x + 18, y + high / 2))
            painter.setPen(ink)
            painter.drawText(QPointF(x + 22, y + measure.ascent()), curve.name)
            x += wide
        return y + high + GAP

    def _plot(self, painter: QPainter, curves: list[Curve], room: QRectF, ink: QColor) -> None:
        values = [math.log10(y) for curve in curves for _, y in curve.points]
        high = math.ceil(max(values) + 1e-9)
        low = max(math.floor(min(values)), high - DECADES)
        last = max(1, max(x for curve in curves for x, _ in curve.points))

        def place(x: float, y: float) -> QPointF:
            up = (math.log10(y) - low) / (high - low) * room.height()
            return QPointF(room.left() + x / last * room.width(), room.bottom() - up)

        self._axes(painter, room, (low, high), last, ink)
        faint = QColor(ink)
        faint.setAlphaF(0.45)
        painter.setPen(QPen(faint, 1, Qt.PenStyle.DotLine))
        for before, after in pairwise(self.points):
            if after.trace.grid != before.trace.grid:
                x = place(before.at, 10.0**low).x()
                painter.drawLine(QPointF(x, room.top()), QPointF(x, room.bottom()))
        painter.setClipRect(room.adjusted(-1, -1, 1, 1))
        for curve in reversed(curves):  # the sum above the others
            painter.setPen(curve.pen)
            painter.drawPolyline(QPolygonF([place(x, y) for x, y in curve.points]))
        painter.setClipping(False)

    def _axes(
        self, painter: QPainter, room: QRectF, span: tuple[int, int], last: int, ink: QColor
    ) -> None:
        low, high = span
        measure = painter.fontMetrics()
        painter.setPen(ink)
        painter.drawLine(room.bottomLeft(), room.topLeft())
        painter.drawLine(room.bottomLeft(), room.bottomRight())
        every = max(1, math.ceil((high - low) * measure.height() / room.height()))
        for power in range(low, high + 1, every):
            y = room.bottom() - (power - low) / (high - low) * room.height()
            painter.drawLine(QPointF(room.left() - 4, y), QPointF(room.left(), y))
            where = QRectF(0, y - 10, room.left() - 6, 20)
            aligned = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(where, int(aligned), f"1e{power}")
        step = _round_step(last / 5)
        for x in range(0, last + 1, step):
            at = room.left() + x / last * room.width()
            painter.drawLine(QPointF(at, room.bottom()), QPointF(at, room.bottom() + 4))
            where = QRectF(at - 30, room.bottom() + 4, 60, measure.height())
            painter.drawText(where, int(Qt.AlignmentFlag.AlignHCenter), str(x))
        below = QRectF(room.left(), room.bottom() + 4 + measure.height(), room.width(), 16)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter), "Evaluations")


def _round_step(least: float) -> int:
    """Return 1, 2 or 5 times a power of ten that is no smaller."""
    power = 10 ** max(0, math.floor(math.log10(max(least, 1))))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= least)


class LossCurve(QWidget):
    """The course of a run as a picture and in numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.course = Course()
        self._new = False
        self.plot = LossPlot()
        self.numbers, self.fields = Said(), Said()
        self.fields.setToolTip("Fields from other random starts; the best one becomes the result")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.plot, self.numbers, self.fields):
            layout.addWidget(widget)

    def begin(self, seed: int) -> None:
        """Wait for another run."""
        self.course = Course(seed)
        self.numbers.clear()
        self.fields.clear()
        self.plot.show_points(())

    def add(self, trace: Any) -> None:
        """Take up a further point, to be shown."""
        self.course.add(trace)
        self._new = True

    def refresh(self) -> None:
        """Show what has come."""
        if self._new:
            self._new = False
            self.numbers.setText(in_numbers(self.course))
            self.numbers.setToolTip(parts_of(self.course))
            self.fields.setText(list_of_fields(self.course))
            self.plot.show_points(self.course.points)
