"""Which curve is looked at? Drawn in a thread, so that a slider never waits for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_orient.files import UnreadableFile
from napari_orient.plugin.compare.plots import (
    Curves,
    Plot,
    curves_of,
    plots_of,
    rendered,
    save_plot,
)
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import ask_where

if TYPE_CHECKING:
    from napari_orient.analysis.errors import Comparison
    from napari_orient.plugin.compare.fields import ErrorField

PAUSE = 150  # ms between two plots while a slider is dragged, at least
REST = 2.0  # times what the last plot took: matplotlib keeps Python from the window meanwhile
KINDS = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf);;Numbers (*.csv)"


@dataclass(frozen=True, eq=False)
class _Wish:
    """A plot that is asked for, and how it is to be drawn."""

    comparison: Comparison
    mask: Any
    plot: Plot
    field: ErrorField
    style: dict[str, Any]


class PlotPanel(QWidget):
    """One of the plots, and where it is saved."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.curves: Curves | None = None
        self.about = ""
        self._plots: list[Plot] = []
        self._comparison: Comparison | None = None
        self._mask: Any = None
        self._field: ErrorField | None = None
        self._active = False
        self._live = Live(_draw, self, name="orient-compare-plot")
        self._live.answered.connect(self._show)
        self._live.failed.connect(lambda _, error: self.picture.setText(f"No plot: {error}"))
        self._pause = QTimer(self)  # matplotlib would keep the window from following a slider
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE)
        self._pause.timeout.connect(self._ask_thread)
        self.box = QComboBox()
        self.box.setToolTip("What is drawn; the errors are those of the field that is shown")
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.activated.connect(self.refresh)
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.picture.setMinimumSize(QSize(180, 200))
        top = QHBoxLayout()
        top.addWidget(self.box, 1)
        top.addWidget(
            button("Save...", "Save this plot as PNG, SVG or PDF, or its numbers as CSV", self.ask)
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.picture, 1)

    def show_errors(self, comparison: Comparison, mask: Any, field: ErrorField, about: str) -> None:
        """Draw these errors over the points (y, x) of ``mask``."""
        if comparison is not self._comparison:
            self._offer(comparison)
        self._mask, self._field, self.about = mask, field, about
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Draw again soon."""
        if not self._pause.isActive():
            self._pause.start()

    def set_active(self, on: bool) -> None:
        """Draw, or wait until the dock is in front again."""
        self._active = on
        self.refresh()

    def _ask_thread(self) -> None:
        """Ask for the plot, where it can be seen."""
        if self._comparison is None or self._field is None:
            return
        if not (self._active and self.isVisible()):
            return
        style = {
            "ink": self.palette().windowText().color().name(),
            "width": max(self.picture.width(), 180) * self.devicePixelRatioF(),
            "height": max(self.picture.height(), 160) * self.devicePixelRatioF(),
            "dpi": 96 * self.devicePixelRatioF(),
        }
        plot = self._plots[self.box.currentIndex()]
        self._live.request(_Wish(self._comparison, self._mask, plot, self._field, style))

    def _offer(self, comparison: Comparison) -> None:
        before = self.box.currentText()
        self._comparison, self._plots = comparison, plots_of(comparison)
        with QSignalBlocker(self.box):
            self.box.clear()
            self.box.addItems([plot.words for plot in self._plots])
            self.box.setCurrentIndex(max(0, self.box.findText(before)))

    def _show(self, wish: _Wish, answer: tuple[Curves, Any, float]) -> None:
        if wish.comparison is not self._comparison:
            return
        self.curves, rgba, seconds = answer
        self._pause.setInterval(max(PAUSE, round(1000 * REST * seconds)))
        height, width = rgba.shape[:2]
        image = QImage(rgba.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        image.setDevicePixelRatio(self.devicePixelRatioF())
        self.picture.setPixmap(QPixmap.fromImage(image))

    def ask(self) -> None:
        """Ask where, and save the plot."""
        if self.curves is None:
            return
        path = ask_where(self, "comparison.png", KINDS, "Save the plot")
        if path:
            self.save(path)

    def save(self, path: str) -> None:
        """Write the plot that is shown."""
        try:
            save_plot(self.curves, path, self.about)
        except (UnreadableFile, ValueError) as error:  # ValueError: matplotlib knows no such suffix
            show_error(str(error))

    def resizeEvent(self, event: Any) -> None:
        """Use the room: Qt calls."""
        super().resizeEvent(event)
        self.refresh()

    def showEvent(self, event: Any) -> None:
        """Draw what changed while nobody looked: Qt calls."""
        super().showEvent(event)
        self.refresh()


def _draw(wish: _Wish) -> tuple[Curves, Any, float]:
    """Return a plot in numbers, as a picture, and the seconds that it took."""
    start = time.perf_counter()
    curves = curves_of(wish.comparison, wish.mask, wish.plot, wish.field)
    picture = rendered(curves, **wish.style)
    return curves, picture, time.perf_counter() - start
