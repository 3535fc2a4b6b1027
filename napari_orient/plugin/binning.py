"""Would binning help? What it costs and gains is said before, timed in a thread; then it is done.

:class:`BinPanel` is for the Load dock, :class:`BinningAdvice` for scans too large for live images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.history import get_save_history, update_save_history
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.scan import Scan
from napari_orient.plugin.live import Live
from napari_orient.plugin.prepare_panel import button
from napari_orient.plugin.worker import JobBar

FACTORS = (2, 4, 8)
TARGET = 128  # px: detectors and indexing lose little at this pattern size


def sensible_factor(scan: Scan) -> int:
    """Return the binning that brings the patterns to about 128 px, at least 2."""
    return max(2, min(scan.pattern_shape) // TARGET)


class BinningAdvice(QWidget):
    """Says what a binned copy of the scan costs and gains, and makes it; hidden where needless."""

    made = Signal(object, object)
    """(scan, its binned copy)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scan: Scan | None = None
        self._live = Live(_cost, self, name="orient-binned-cost")
        self._live.answered.connect(self._on_cost)
        self._live.failed.connect(self._on_failed)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.button = QPushButton("Make a binned copy …")
        self.button.setToolTip(
            "Write it to a file once, then work on the copy (Load > Undo goes back)"
        )
        self.button.clicked.connect(self._on_clicked)
        self.bar = JobBar(self)
        self.bar.running.connect(self.button.setDisabled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.text, self.button, self.bar):
            layout.addWidget(widget)
        self.hide()

    def advise(self, scan: Scan | None) -> None:
        """Show what binning ``scan`` would do, or with None nothing."""
        if scan is self._scan:
            return
        self._live.forget()
        self.bar.cancel()
        self._scan = scan
        too_small = scan is not None and min(scan.pattern_shape) < 2
        self.setVisible(scan is not None and not too_small)
        if scan is not None and not too_small:
            self.text.setText("Estimating what a binned copy would cost …")
            self._live.request((scan, sensible_factor(scan)))

    def _on_cost(self, request: Any, text: str) -> None:
        self.text.setText(text)

    def _on_failed(self, request: Any, error: Exception) -> None:
        self.text.setText(f"What a binned copy would cost could not be measured: {error}")

    def _on_clicked(self) -> None:
        scan = self._scan
        if scan is None:
            return
        factor = sensible_factor(scan)
        stem = Path(scan.source.partition("::")[0]).stem or scan.name
        start = Path(get_save_history()[0]) / f"{stem}-binned-{factor}x{factor}.h5"
        path, _ = QFileDialog.getSaveFileName(self, "Binned copy", str(start), "HDF5 (*.h5)")
        if path:
            update_save_history(path)
            self.write(path)

    def write(self, path: str | Path) -> None:
        """Write the binned copy to ``path`` (a job with progress), then emit :attr:`made`."""
        from napari_orient.data.prepare import binned_copy

        scan = self._scan
        if scan is None:
            return
        self.bar.run(
            binned_copy(scan, sensible_factor(scan), path),
            text=f"Binning into {Path(path).name}",
            on_result=lambda copy: self.made.emit(scan, copy),
        )


class BinPanel(QWidget):
    """Chooses a binning of the patterns; emits ``asked(factor, copy to disk)``."""

    asked = Signal(int, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scan: Scan | None = None
        self._live = Live(_cost, self, name="orient-binned-cost")
        self._live.answered.connect(self._on_cost)
        self._live.failed.connect(self._on_failed)
        self.factor = QComboBox()
        self.factor.setToolTip("Sum blocks of this many pattern pixels in each direction")
        for factor in FACTORS:
            self.factor.addItem(f"{factor} × {factor}", factor)
        self.factor.currentIndexChanged.connect(self._say)
        self._said = QLabel()
        self._said.setWordWrap(True)
        self.now = button(
            "Bin on the fly", "Bin when patterns are read; nothing is written", self._ask_now
        )
        self.copy = button(
            "Bin into a file …", "Write a binned working copy once; then everything is faster",
            self._ask_copy,
        )  # fmt: skip
        top = QHBoxLayout()
        top.addWidget(QLabel("Sum pixels"))
        top.addWidget(self.factor, 1)
        row = QHBoxLayout()
        row.addWidget(self.now)
        row.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self._said)
        layout.addLayout(row)
        layout.addStretch(1)

    def show_scan(self, scan: Scan | None) -> None:
        """Offer the factors that leave a pattern of at least 8 pixels."""
        if scan is self._scan:
            return
        self._scan = scan
        self._live.forget()
        if scan is None:
            return
        model: Any = self.factor.model()
        for index, factor in enumerate(FACTORS):
            model.item(index).setEnabled(min(scan.pattern_shape) // factor >= 8)
        self._say()

    def showEvent(self, event: Any) -> None:
        """Estimate when the panel is first seen, not for every scan that is opened."""
        super().showEvent(event)
        self._say()

    def _say(self, *_: Any) -> None:
        """State what binning would cost and gain, before anything is done; timed in a thread."""
        if self._scan is None or not self.isVisible():
            return
        asked = self._scan, self.factor.currentData()
        possible = min(self._scan.pattern_shape) // asked[1] >= 8
        self.now.setEnabled(possible)
        self.copy.setEnabled(possible)
        self._said.setText("Estimating …" if possible else "These patterns are too small.")
        if not possible:
            return
        self._live.request(asked)

    def _on_cost(self, asked: Any, text: str) -> None:
        if asked == (self._scan, self.factor.currentData()):
            self._said.setText(text)

    def _on_failed(self, asked: Any, error: Exception) -> None:
        self._said.setText(f"No estimate: {error}")

    def _ask_now(self) -> None:
        self.asked.emit(self.factor.currentData(), False)

    def _ask_copy(self) -> None:
        self.asked.emit(self.factor.currentData(), True)


def _cost(request: tuple[Scan, int]) -> str:
    from napari_orient.data.prepare import binned_cost

    return str(binned_cost(*request)).replace(" x ", " × ")
