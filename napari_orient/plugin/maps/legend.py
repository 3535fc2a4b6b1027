"""Which colour means what? The key of a phase, and of brightness, drawn sharp at any size."""

from __future__ import annotations

import re
from functools import partial
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

from napari_orient.crystal.colors import JUMP_NOTE, ColourScheme
from napari_orient.crystal.legend_figure import legend_figure
from napari_orient.crystal.legends import brightness_legend, colour_legend
from napari_orient.files import replace_atomically
from napari_orient.plugin.paths import file_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from orix.crystal_map import Phase

    from napari_orient.crystal.legends import Label, Legend, Place

    Locate = Callable[[Legend], list[Place]]

LARGEST = 190  # points, the longer side of a key: larger ones only push other controls away
GAP = 3.0


class KeyView(QWidget):
    """A colour key with its words and markers. ``make(size)`` draws it at a size in pixels."""

    def __init__(self, make: Callable[[int], Legend], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make = make
        self._legend: Legend = make(64)
        self._image: QImage | None = None
        self._locate: Locate | None = None
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        rows, columns = self._legend.image.shape[:2]
        self._aspect = rows / columns

    # --- size -------------------------------------------------------------------------------

    def _margins(self) -> tuple[float, float, float]:
        """Room for labels: on either side of the key, above it and below it."""
        metrics = QFontMetricsF(self.font())
        across = max(_overhang(label, self._legend, metrics) for label in self._legend.labels)
        line = metrics.height() + 2 * GAP
        sides = {label.side for label in self._legend.labels}
        beside = metrics.height() / 2 if sides & {"left", "right"} else GAP
        above, below = (line if side in sides else beside for side in ("above", "below"))
        return across, above, below

    def _key_width(self, width: float) -> float:
        largest = LARGEST / max(1.0, self._aspect)
        return max(40.0, min(width - 2 * self._margins()[0], largest))

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(260, self.heightForWidth(260))

    def minimumSizeHint(self) -> QSize:
        """Smallest legible size: Qt asks."""
        width = int(2 * self._margins()[0] + 70)
        return QSize(width, self.heightForWidth(width))

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows the width: Qt asks."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height for a width: Qt asks."""
        _, above, below = self._margins()
        return int(self._key_width(width) * self._aspect + above + below) + 1

    def key_rect(self) -> QRectF:
        """Return where the key itself is drawn, without labels."""
        _, above, below = self._margins()
        room = self.height() - above - below
        width = min(self._key_width(self.width()), max(20.0, room / self._aspect))
        height = width * self._aspect
        top = above + max(0.0, (room - height) / 2)
        return QRectF((self.width() - width) / 2, top, width, height)

    # --- markers ----------------------------------------------------------------------------

    def mark(self, locate: Locate | None) -> None:
        """Mark what ``locate`` finds in the legend, or with None nothing."""
        if locate is None and self._locate is None:
            return
        self._locate = locate
        self.update()

    @property
    def markers(self) -> list[QPointF]:
        """Where the marked places lie in this widget."""
        if self._locate is None:
            return []
        rect = self.key_rect()
        return [self._at(rect, *place) for place in self._locate(self._legend)]

    def _at(self, rect: QRectF, row: float, column: float) -> QPointF:
        rows, columns = self._legend.image.shape[:2]
        across, down = (column + 0.5) / columns, (row + 0.5) / rows
        return QPointF(rect.left() + across * rect.width(), rect.top() + down * rect.height())

    # --- painting ---------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        """Paint the key in the pixels of the screen, its labels and the markers."""
        rect = self.key_rect()
        size = round(max(rect.width(), rect.height()) * self.devicePixelRatioF())
        if self._image is None or max(self._legend.image.shape[:2]) != size:
            self._legend = self._make(size)
            self._image = _to_qimage(self._legend.image)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(rect, self._image)
        self._paint_labels(painter, rect)
        for marker in self.markers:
            for colour, width in ((Qt.GlobalColor.white, 4.0), (Qt.GlobalColor.black, 2.0)):
                painter.setPen(QPen(QColor(colour), width))
                painter.drawEllipse(marker, 5.0, 5.0)
        painter.end()

    def _paint_labels(self, painter: QPainter, rect: QRectF) -> None:
        """Write each label on its side of its place, inside the widget."""
        metrics = QFontMetricsF(self.font())
        painter.setPen(QPen(self.palette().windowText().color(), 1.2))
        for label in self._legend.labels:
            at, width = self._at(rect, label.row, label.column), _width(label.text, metrics)
            left = {"left": at.x() - width - GAP, "right": at.x() + GAP}.get(
                label.side, at.x() - width / 2
            )
            base = {
                "above": at.y() - metrics.descent() - GAP,
                "below": at.y() + metrics.ascent() + GAP,
            }.get(label.side, at.y() + (metrics.ascent() - metrics.descent()) / 2)
            left = min(max(left, 1.0), self.width() - width - 1.0)
            _paint_indices(painter, QPointF(left, base), label.text, metrics)


def _overhang(label: Label, legend: Legend, metrics: QFontMetricsF) -> float:
    """Return how far a label stands out of a small key, left or right."""
    width, columns = _width(label.text, metrics), legend.image.shape[1]
    inward = {"left": label.column, "right": columns - 1 - label.column}.get(
        label.side, min(label.column, columns - 1 - label.column)
    )
    need = width + 2 * GAP if label.side in ("left", "right") else width / 2 + GAP
    return max(GAP, need - inward)


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

    def __init__(
        self,
        phase: Phase,
        scheme: ColourScheme | None = None,
        reference: Any = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.phase, self.scheme = phase, scheme or ColourScheme()
        self._reference = reference
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self._head())
        self.key: KeyView | None = None
        note = "Without a point group there is no colour key: its points are grey."
        if phase.point_group is not None:
            self.key = KeyView(self._legend, self)
            self.key.setToolTip(
                "What the colours mean. The rings mark the point under the mouse. "
                "Right click: save the key."
            )
            action = QAction("Save this key as a picture …", self.key)
            action.triggered.connect(self._on_save)
            self.key.addAction(action)
            self.key.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            layout.addWidget(self.key)
            note = self._legend(32).note
        words = note[:1].upper() + note[1:].replace("\n", " ")
        if note == JUMP_NOTE:
            words += '. <a style="color: #5a9bd5" href="continuous">Use the continuous key</a>'
        self.note = QLabel(words)
        self.note.setWordWrap(True)
        self.note.setVisible(bool(note))
        layout.addWidget(self.note)
        layout.addStretch(1)

    def _head(self) -> QHBoxLayout:
        phase = self.phase
        swatch = QLabel()
        swatch.setFixedSize(14, 14)
        colour = QColor.fromRgbF(*phase.color_rgb)
        swatch.setStyleSheet(f"background-color: {colour.name()}")
        swatch.setToolTip("Colour of this phase in the phase layer")
        name = QLabel(f"{phase.name or 'unnamed phase'} · {words_for_group(phase.point_group)}")
        name.setObjectName("phase")
        name.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(swatch)
        head.addWidget(name, 1)
        return head

    def _legend(self, size: int) -> Legend:
        return colour_legend(self.phase.point_group, self.scheme, size, self._reference)

    def _on_save(self) -> None:
        name = f"{self.phase.name or 'phase'}-colour-key.png"
        start = str(Path(get_save_history()[0]) / file_name(name))
        path, _ = QFileDialog.getSaveFileName(self, "Colour key", start, "PNG (*.png)")
        if path:
            update_save_history(path)
            self.save(path)

    def save(self, path: str | Path) -> None:
        """Write the key with its labels as a picture for a figure, on a transparent ground."""
        title = ", ".join(word for word in (self.phase.name, self.scheme.name) if word)
        figure = legend_figure(self._legend(600), title)
        with replace_atomically(path) as temporary:
            _to_qimage(figure).save(str(temporary), "PNG")

    def set_orientation(self, quaternion: Any) -> None:
        """Mark one orientation, or with None nothing."""
        if self.key is not None:
            self.key.mark(None if quaternion is None else lambda key: key.locate(quaternion))


class BrightnessKey(QWidget):
    """What the brightness of the colours means: the property's values between black and full."""

    def __init__(
        self, name: str, limits: tuple[float, float], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.name = name
        self.key = KeyView(partial(brightness_legend, name, limits), self)
        self.key.setToolTip(
            f"{name} scales the brightness of the colours, from its 1st to its 99th percentile; "
            "points where it is undefined are black. The ring marks the point under the mouse."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel(f"Brightness: {name}"))
        layout.addWidget(self.key)
        layout.addStretch(1)

    def set_value(self, value: float | None) -> None:
        """Mark a value, or with None nothing."""
        self.key.mark(None if value is None else lambda key: key.place_of(value))


def words_for_group(group: Any) -> str:
    """Return "432 (Laue m-3m)" for a point group of orix."""
    if group is None:
        return "no point group"
    return group.name if group.name == group.laue.name else f"{group.name} (Laue {group.laue.name})"
