"""How is a picture that a thread draws shown in a dock?"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy


class Picture(QLabel):
    """A picture made for the room it has; emits ``resized()`` when it has another one."""

    resized = Signal()

    def __init__(self, height: int) -> None:
        super().__init__()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(QSize(180, height))

    @property
    def room(self) -> dict[str, Any]:
        """Colour of the ink, and the room in device pixels."""
        ratio = self.devicePixelRatioF()
        return {
            "ink": self.palette().windowText().color().name(),
            "width": max(self.width(), 180) * ratio,
            "height": max(self.height(), self.minimumHeight()) * ratio,
            "dpi": 96 * ratio,
        }

    def show_rgba(self, rgba: Any) -> None:
        """Show (rows, columns, 4) uint8; None shows nothing."""
        if rgba is None:
            self.clear()
            return
        height, width = rgba.shape[:2]
        image = QImage(rgba.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        image.setDevicePixelRatio(self.devicePixelRatioF())
        self.setPixmap(QPixmap.fromImage(image))

    def resizeEvent(self, event: Any) -> None:
        """Say that there is another room: Qt calls."""
        super().resizeEvent(event)
        self.resized.emit()
