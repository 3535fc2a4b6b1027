"""Which number has which colour? A bar with its limits and unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 24.0  # px at either end, for the numbers


class ColourBar(QWidget):
    """A bar of colours with numbers below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._limits = (0.0, 1.0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_ramp(self, colours: NDArray[Any], limits: tuple[float, float]) -> None:
        """Show colours (n, 4), 0 to 1, from the lower to the upper limit."""
        pixels = np.ascontiguousarray((255 * np.asarray(colours)[None]).round().astype(np.uint8))
        width = pixels.shape[1]
        self._image = QImage(
            pixels.tobytes(), width, 1, 4 * width, QImage.Format.Format_RGBA8888
        ).copy()
        self._limits = limits
        self.update()

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(200, 14 + self.fontMetrics().lineSpacing() + 6)

    def minimumSizeHint(self) -> QSize:
        """Smallest legible size: Qt asks."""
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: Any) -> None:
        """Draw: Qt calls."""
        if self._image is None:
            return
        painter = QPainter(self)
        bar = QRectF(MARGIN, 2, self.width() - 2 * MARGIN, 12)
        painter.drawImage(bar, self._image)
        painter.setPen(self.palette().windowText().color())
        painter.drawRect(bar)
        low, high = self._limits
        for tick in ticks(low, high):
            x = bar.left() + bar.width() * (tick - low) / (high - low)
            painter.drawLine(round(x), round(bar.bottom()), round(x), round(bar.bottom()) + 3)
            where = QRectF(x - 40, bar.bottom() + 4, 80, self.fontMetrics().lineSpacing())
            painter.drawText(where, int(Qt.AlignmentFlag.AlignHCenter), f"{tick:.6g}")


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers between two limits."""
    if not high > low:
        return []
    raw = (high - low) / (most - 1)
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(n for n in (1, 2, 2.5, 5, 10) if n * power >= raw * (1 - 1e-9))
    first = np.ceil(low / step - 1e-9)
    return [float(step * n) for n in np.arange(first, high / step + 1e-9)]
