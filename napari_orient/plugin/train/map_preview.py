"""What does the network make of the scan already? Its map beside the labels, after a validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.train.learn import coloured, look, stride
from napari_orient.plugin.worker import JobBar, refusable

if TYPE_CHECKING:
    from pathlib import Path

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan

HEIGHT = 150  # px


class MapPreview(QWidget):
    """Labels and prediction in the colours of IPF-Z."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.found: OrientationMap | None = None
        self.bar = JobBar()
        self.said = Said()
        self.captions = [QLabel("Labels, IPF-Z"), QLabel("Network")]
        self.pictures = [_Map(), _Map()]
        row = QHBoxLayout()
        self._sides = []
        for caption, picture in zip(self.captions, self.pictures, strict=True):
            side = QWidget()
            column = QVBoxLayout(side)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(1)
            column.addWidget(caption)
            column.addWidget(picture)
            row.addWidget(side)
            self._sides.append(side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        for widget in (self.said, self.bar):
            layout.addWidget(widget)
        self._waiting: tuple[Path, Scan, OrientationMap | None, int] | None = None
        self.bar.failed.connect(lambda error: self.said.setText(in_terms(error)))
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._waiting = None
        self.bar.cancel()
        self.found = None
        self.said.clear()
        for side in self._sides:
            side.hide()

    def show_model(
        self, folder: Path, scan: Scan, labels: OrientationMap | None, number: int
    ) -> None:
        """Predict the scan with the model of a round; the newest one waits for the one before."""
        self._waiting = (folder, scan, labels, number)
        if not self.bar.is_running:
            self._next()

    def _next(self) -> None:
        if self._waiting is None:
            return
        (folder, scan, labels, number), self._waiting = self._waiting, None
        self.bar.run(
            refusable(look(folder, scan)),
            text="A look at the map",
            on_result=lambda answer: self._on_map(labels, number, *answer),
            on_end=self._next,
        )

    def _on_map(self, labels: OrientationMap | None, number: int, found: Any, refusal: str) -> None:
        if refusal:
            self.said.setText(f"No map of the scan: {in_terms(refusal)}")
            return
        self.found = found
        share = 100 * found.indexed[found.done].mean() if found.done.any() else 0
        self.said.setText(
            f"{share:.0f} % are recognised; where nothing is drawn the answer does not fit "
            "the pattern."
        )
        step = stride(found.shape)
        self.captions[1].setText(f"Network, round {number}")
        self.pictures[1].show_rgba(coloured(found, step))
        self._sides[1].show()
        self._sides[0].setVisible(labels is not None)
        if labels is not None:
            self.pictures[0].show_rgba(coloured(labels, step))


class _Map(QLabel):
    """A small map, as large as there is room; points stay squares."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._image: QImage | None = None

    def show_rgba(self, rgba: np.ndarray) -> None:
        rows, columns = rgba.shape[:2]
        self._image = QImage(
            rgba.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888
        ).copy()
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._image is not None:
            fitted = self._image.scaled(
                max(self.width(), 32), HEIGHT, Qt.AspectRatioMode.KeepAspectRatio
            )
            self.setPixmap(QPixmap.fromImage(fitted))
