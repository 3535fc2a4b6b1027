"""Would binning help? What it costs and gains is said before, timed in a thread; then it is done.

:class:`BinPanel` is for the Load dock, :class:`BinningAdvice` for scans too large for live images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.scan import Scan
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.paths import ask_where, stem_of
from napari_orient.plugin.worker import JobBar

FACTORS = (2, 4, 8)
TARGET = 128  # px: detectors and indexing lose little at this pattern size


def sensible_factor(scan: Scan) -> int:
    """Return the binning that brings the patterns to about 128 px, at least 2."""
    return max(2, min(scan.pattern_shape) // TARGET)


class CostLabel(QLabel):
    """Says what binning would cost and gain, timed in a thread."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self._asked: tuple[Scan, int] | None = None
        self._live = Live(_cost, self, name="orient-binned-cost")
        self._live.answered.connect(lambda asked, text: self._show(asked, text))
        self._live.failed.connect(lambda asked, error: self._show(asked, f"No estimate: {error}"))

    def ask(self, scan: Scan, factor: int) -> None:
        """Estimate anew; what was asked before is not answered any more."""
        self._asked = (scan, factor)
        self.setText("Estimating what a binned copy would cost …")
        self._live.request(self._asked)

    def forget(self, text: str = "") -> None:
        """Stop estimating and say something else."""
        self._asked = None
        self._live.forget()
        self.setText(text)

    def _show(self, asked: tuple[Scan, int], text: str) -> None:
        if asked == self._asked:
            self.setText(text)


class BinningAdvice(QWidget):
    """Says what a binned copy of the scan costs and gains, and makes it; hidden where needless."""

    made = Signal(object, object)
    """(scan, its binned copy)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scan: Scan | None = None
        self.text = CostLabel()
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
        self.text.forget()
        self.bar.cancel()
        self._scan = scan
        too_small = scan is not None and min(scan.pattern_shape) < 2
        self.setVisible(scan is not None and not too_small)
        if scan is not None and not too_small:
            self.text.ask(scan, sensible_factor(scan))

    def _on_clicked(self) -> None:
        scan = self._scan
        if scan is None:
            return
        factor = sensible_factor(scan)
        name = f"{stem_of(scan)}-binned-{factor}x{factor}.h5"
        if path := ask_where(self, name, "HDF5 (*.h5)", "Binned copy"):
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
        self.factor = QComboBox()
        self.factor.setToolTip("Sum blocks of this many pattern pixels in each direction")
        for factor in FACTORS:
            self.factor.addItem(f"{factor} × {factor}", factor)
        self.factor.currentIndexChanged.connect(self._say)
        self._said = CostLabel()
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
        self._said.forget()
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
        factor = self.factor.currentData()
        possible = min(self._scan.pattern_shape) // factor >= 8
        self.now.setEnabled(possible)
        self.copy.setEnabled(possible)
        if possible:
            self._said.ask(self._scan, factor)
        else:
            self._said.forget("These patterns are too small.")

    def _ask_now(self) -> None:
        self.asked.emit(self.factor.currentData(), False)

    def _ask_copy(self) -> None:
        self.asked.emit(self.factor.currentData(), True)


def _cost(request: tuple[Scan, int]) -> str:
    from napari_orient.data.prepare import binned_cost

    return str(binned_cost(*request)).replace(" x ", " × ")
