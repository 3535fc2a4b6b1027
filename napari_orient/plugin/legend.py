"""Which colour means which crystal direction? The key of a phase, drawn sharp at any size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.history import get_save_history, update_save_history
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen
from qtpy.QtWidgets import (
    QAction,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_orient.crystal.colors import (
    JUMP_NOTE,
    direction_along,
    ipf_legend,
    ipf_legend_figure,
)
from napari_orient.files import replace_atomically

if TYPE_CHECKING:
    from orix.crystal_map import Phase

    from napari_orient.crystal.colors import Legend

LARGEST = 190  # points, the longer side of a key: larger ones only push other controls away
GAP = 3.0


class KeyView(QWidget):
    """The colour key of a point group with the indices of its corners, and a marker."""

    def __init__(self, point_group: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.point_group = point_group
        self._legend: Legend = ipf_legend(point_group, 64)
        self._image: QImage | None = None
        self._direction: Any = None
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        rows, columns = self._legend.image.shape[:2]
        self._aspect = rows / columns

    # --- size -------------------------------------------------------------------------------

    def _margins(self) -> tuple[float, float]:
        """Room for labels: beside the key, and above or below it."""
        metrics = QFontMetricsF(self.font())
        widest = max(_width(text, metrics) for text, _, _ in self._legend.labels)
        beside = any(_is_aside(self._legend, r, c) for _, r, c in self._legend.labels)
        return widest + 2 * GAP if beside else widest / 2 + GAP, metrics.height() + 2 * GAP

    def _key_width(self, width: float) -> float:
        across, _ = self._margins()
        largest = LARGEST / max(1.0, self._aspect)
        return max(40.0, min(width - 2 * across, largest))

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(260, self.heightForWidth(260))

    def minimumSizeHint(self) -> QSize:
        """Smallest legible size: Qt asks."""
        across, _ = self._margins()
        width = int(2 * across + 70)
        return QSize(width, self.heightForWidth(width))

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows the width: Qt asks."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height for a width: Qt asks."""
        return int(self._key_width(width) * self._aspect + 2 * self._margins()[1]) + 1

    def key_rect(self) -> QRectF:
        """Return where the key itself is drawn, without labels."""
        width = self._key_width(self.width())
        _, above = self._margins()
        width = min(width, max(20.0, (self.height() - 2 * above) / self._aspect))
        height = width * self._aspect
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    # --- marker -----------------------------------------------------------------------------

    def set_direction(self, direction: Any) -> None:
        """Mark a crystal direction (3,), or with None no one."""
        if direction is None and self._direction is None:
            return
        self._direction = direction
        self.update()

    @property
    def marker(self) -> QPointF | None:
        """Where the marked direction lies in this widget."""
        if self._direction is None:
            return None
        rect = self.key_rect()
        row, column = self._legend.pixel_of(self._direction)
        rows, columns = self._legend.image.shape[:2]
        across, down = (column + 0.5) / columns, (row + 0.5) / rows
        return QPointF(rect.left() + across * rect.width(), rect.top() + down * rect.height())

    # --- painting ---------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        """Paint the key in the pixels of the screen, its labels and the marker."""
        rect = self.key_rect()
        ratio = self.devicePixelRatioF()
        size = round(max(rect.width(), rect.height()) * ratio)
        if self._image is None or max(self._legend.image.shape[:2]) != size:
            self._legend = ipf_legend(self.point_group, size)
            self._image = _to_qimage(self._legend.image)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(rect, self._image)
        self._paint_labels(painter, rect)
        if (marker := self.marker) is not None:
            for colour, width in ((Qt.GlobalColor.white, 4.0), (Qt.GlobalColor.black, 2.0)):
                painter.setPen(QPen(QColor(colour), width))
                painter.drawEllipse(marker, 5.0, 5.0)
        painter.end()

    def _paint_labels(self, painter: QPainter, rect: QRectF) -> None:
        """Write the indices outward from the middle of the key, inside the widget."""
        metrics = QFontMetricsF(self.font())
        painter.setPen(QPen(self.palette().windowText().color(), 1.2))
        rows, columns = self._legend.image.shape[:2]
        for text, row, column in self._legend.labels:
            width = _width(text, metrics)
            x = rect.left() + (column + 0.5) / columns * rect.width()
            y = rect.top() + (row + 0.5) / rows * rect.height()
            if _is_aside(self._legend, row, column):
                left = x + GAP if column > columns / 2 else x - width - GAP
                base = y + (metrics.ascent() - metrics.descent()) / 2
            else:
                left = x - width / 2
                under = row / rows >= 0.4
                base = y + metrics.ascent() + GAP if under else y - metrics.descent() - GAP
            left = min(max(left, 1.0), self.width() - width - 1.0)
            _paint_indices(painter, QPointF(left, base), text, metrics)


def _is_aside(legend: Legend, row: float, column: float) -> bool:
    """Say whether a label belongs beside its corner, not above or below."""
    rows, columns = legend.image.shape[:2]
    return abs(column / columns - 0.5) > 2 * abs(row / rows - 0.5) + 0.1


def _parts(text: str) -> list[tuple[str, bool]]:
    """Split "[1-10]" into characters, each with or without a bar above."""
    if not text.startswith("["):
        return [(text, False)]
    found = re.findall(r"-?\d|[^\d-]", text)
    return [(part.lstrip("-"), part.startswith("-")) for part in found]


def _width(text: str, metrics: QFontMetricsF) -> float:
    return sum(metrics.horizontalAdvance(part) for part, _ in _parts(text))


def _paint_indices(painter: QPainter, at: QPointF, text: str, metrics: QFontMetricsF) -> None:
    """Write indices with bars above instead of minus signs."""
    x, top = at.x(), at.y() - metrics.capHeight() - 2.5
    for part, barred in _parts(text):
        wide = metrics.horizontalAdvance(part)
        painter.drawText(QPointF(x, at.y()), part)
        if barred:
            painter.drawLine(QPointF(x + 2, top), QPointF(x + wide - 1.5, top))
        x += wide


def _to_qimage(image: Any) -> QImage:
    rows, columns = image.shape[:2]
    data = np.ascontiguousarray(image)
    made = QImage(data.data, columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    return made.copy()  # the copy owns its bytes


class PhaseKey(QWidget):
    """One phase: its swatch, name and point group, its colour key and what to know about it."""

    def __init__(self, phase: Phase, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.phase = phase
        swatch = QLabel()
        swatch.setFixedSize(14, 14)
        palette = swatch.palette()
        palette.setColor(swatch.backgroundRole(), QColor.fromRgbF(*phase.color_rgb))
        swatch.setPalette(palette)
        swatch.setAutoFillBackground(True)
        swatch.setStyleSheet(f"background-color: {QColor.fromRgbF(*phase.color_rgb).name()}")
        swatch.setToolTip("Colour of this phase in the phase layer")
        group = phase.point_group
        name = QLabel(f"{phase.name or 'unnamed phase'} · {words_for_group(group)}")
        name.setObjectName("phase")
        name.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(swatch)
        head.addWidget(name, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        self.key: KeyView | None = None
        if group is None:
            note = "Without a point group there is no colour key: its points are grey."
        else:
            self.key = KeyView(group, self)
            self.key.setToolTip(
                "Crystal direction along the sample direction, and its colour. The ring marks the "
                "point under the mouse. Right click: save the key."
            )
            action = QAction("Save this key as a picture …", self.key)
            action.triggered.connect(self._on_save)
            self.key.addAction(action)
            self.key.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            layout.addWidget(self.key)
            note = "" if ipf_legend(group, 32).continuous else JUMP_NOTE.replace("\n", " ")
        self.note = QLabel(note[:1].upper() + note[1:])
        self.note.setWordWrap(True)
        self.note.setVisible(bool(note))
        layout.addWidget(self.note)
        layout.addStretch(1)

    def _on_save(self) -> None:
        name = f"{self.phase.name or 'phase'}-colour-key.png"
        start = str(Path(get_save_history()[0]) / name)
        path, _ = QFileDialog.getSaveFileName(self, "Colour key", start, "PNG (*.png)")
        if path:
            update_save_history(path)
            self.save(path)

    def save(self, path: str | Path) -> None:
        """Write the key with its labels as a picture for a figure, on a transparent ground."""
        figure = ipf_legend_figure(self.phase.point_group, 600, self.phase.name)
        with replace_atomically(path) as temporary:
            _to_qimage(figure).save(str(temporary), "PNG")

    def set_orientation(self, quaternion: Any, direction: str) -> None:
        """Mark the direction of one orientation, or with None nothing."""
        if self.key is not None:
            self.key.set_direction(
                None if quaternion is None else direction_along(quaternion, direction)
            )


def words_for_group(group: Any) -> str:
    """Return "432 (Laue m-3m)" for a point group of orix."""
    if group is None:
        return "no point group"
    return group.name if group.name == group.laue.name else f"{group.name} (Laue {group.laue.name})"
