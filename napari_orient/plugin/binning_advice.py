"""Would a binned copy help? What it costs and gains, for a scan that is too large to be live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.history import get_save_history, update_save_history
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_orient.data.scan import Scan
from napari_orient.plugin.live import Live
from napari_orient.plugin.worker import JobBar

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


def _cost(request: tuple[Scan, int]) -> str:
    from napari_orient.data.prepare import binned_cost

    return str(binned_cost(*request))
