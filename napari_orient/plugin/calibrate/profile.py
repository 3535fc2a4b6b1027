"""Do the rings lie under the peaks? The radial profile of a pattern, with the rings of a phase."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

RINGS = QColor("#40e0ff")
HEIGHT = 120  # px


class ProfileView(QWidget):
    """Mean counts over radius, logarithmic, as a line; rings as ticks with their indices."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Mean counts (logarithmic) over the radius, with the ellipse undone; ticks: the rings "
            "of the phase. They fit where a tick stands under each peak."
        )
        self._profile: Any = None
        self._size = 0.0
        self._rings: tuple[Any, ...] = ()

    def show_profile(self, profile: Any, size: float, rings: Any) -> None:
        """Show ``profile`` (one value a px), the pixel size in 1/angstrom (0: unknown), rings."""
        self._profile, self._size, self._rings = profile, size, tuple(rings)
        self.update()

    def ticks(self) -> list[float]:
        """Return the radii of the rings in px."""
        return [ring.g / self._size for ring in self._rings] if self._size > 0 else []

    def paintEvent(self, event: Any) -> None:
        """Draw: Qt calls."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        line = painter.fontMetrics().lineSpacing()
        area = QRectF(4, line + 2, self.width() - 8, self.height() - 2 * line - 10)
        painter.setPen(ink)
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        if self._profile is None or np.isfinite(self._profile).sum() < 4:
            painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), "no pattern yet")
            return
        last = len(self._profile) - 1
        self._paint_ticks(painter, area, last)
        painter.setPen(QPen(ink, 1.3))
        painter.drawPolyline(_line(self._profile, area))
        unit = f"{last * self._size:.2f} 1/Å" if self._size > 0 else f"{last} px"
        below = QRectF(4, area.bottom() + 4, self.width() - 8, line)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft), "0")
        painter.drawText(below, int(Qt.AlignmentFlag.AlignRight), unit)

    def _paint_ticks(self, painter: QPainter, area: QRectF, last: int) -> None:
        """Draw a tick a ring, as strong as the ring; indices where there is room."""
        free = -1e9
        for ring, radius in zip(self._rings, self.ticks(), strict=False):
            if radius > last:
                break
            colour = QColor(RINGS)
            colour.setAlphaF(0.35 + 0.65 * float(ring.intensity) ** 0.5)
            painter.setPen(QPen(colour, 1.2))
            x = area.left() + area.width() * radius / last
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom() + 4))
            text = "".join(map(str, ring.hkl))
            width = painter.fontMetrics().horizontalAdvance(text)
            if x - width / 2 > free + 3 and x + width / 2 < self.width():
                painter.drawText(QPointF(x - width / 2, area.top() - 3), text)
                free = x + width / 2


def _line(profile: Any, area: QRectF) -> QPolygonF:
    """Return the profile as a line in an area, logarithmic, without its lowest noise."""
    values = np.asarray(profile, np.float64)
    seen = np.flatnonzero(np.isfinite(values))
    counts = values[seen] - values[seen].min()
    high = np.log1p(counts / max(float(np.median(counts)), 1e-9))
    high /= max(float(high[min(3, len(high) - 1) :].max()), 1e-9)  # the beam itself may stick out
    x = area.left() + area.width() * seen / (len(values) - 1)
    y = area.bottom() - area.height() * np.minimum(high, 1.0)
    return QPolygonF([QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)])
