"""Which detectors are there? A table with their ticks, colours, names, shapes and signals."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_orient.diffraction.detectors import VirtualDetector
from napari_orient.plugin.pattern.view import qcolour

SIGNALS = {
    "Sum of counts": "sum",
    "Mean count": "mean",
    "Standard deviation": "std",
    "Centre of mass: shift": "com_magnitude",
    "Centre of mass: direction": "com_direction",
    "Centre of mass: along ky": "com_y",
    "Centre of mass: along kx": "com_x",
}


class DetectorTable(QTableWidget):
    """Shows detectors, one a row; the user ticks, renames and chooses."""

    chosen = Signal(int)
    ticked = Signal(int, bool)
    renamed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 3, parent)
        self._filling = False
        self.setHorizontalHeaderLabels(["Detector", "Shape", "Image"])
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setToolTip("Tick: show the image. Double click a name to change it")
        self.setMinimumHeight(84)
        self.setMaximumHeight(160)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._on_item_changed)
        self.currentCellChanged.connect(self._on_cell_chosen)

    def setValue(
        self, detectors: Sequence[VirtualDetector], shown: Sequence[bool], active: int
    ) -> None:
        """Show detectors, which of them have a visible image, and the active one."""
        self._filling = True
        if self.rowCount() != len(detectors):
            self.setRowCount(len(detectors))
        for row, (detector, tick) in enumerate(zip(detectors, shown, strict=True)):
            self._set(row, 0, detector.name)
            self._set_mark(self.item(row, 0), qcolour(detector.colour), tick)
            self._set(row, 1, words(detector))
            self._set(row, 2, signal_name(detector.signal))
        if self.currentRow() != active:
            self.setCurrentCell(active, 0)
        self._filling = False

    def _set(self, row: int, column: int, text: str) -> None:
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
            if column == 0:
                flags |= Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable
            item.setFlags(flags)
            self.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)

    @staticmethod
    def _set_mark(item: QTableWidgetItem, colour: QColor, tick: bool) -> None:
        state = Qt.CheckState.Checked if tick else Qt.CheckState.Unchecked
        if item.checkState() != state:
            item.setCheckState(state)
        if item.data(Qt.ItemDataRole.UserRole) != colour.name():
            swatch = QPixmap(12, 12)
            swatch.fill(colour)
            item.setData(Qt.ItemDataRole.DecorationRole, swatch)
            item.setData(Qt.ItemDataRole.UserRole, colour.name())

    def _on_item_changed(self, item: QTableWidgetItem) -> None:
        if self._filling or item.column() != 0:
            return
        # both are read first: who hears of the one fills the table again
        row, tick, name = item.row(), item.checkState() == Qt.CheckState.Checked, item.text()
        self.ticked.emit(row, tick)
        self.renamed.emit(row, name.strip())

    def _on_cell_chosen(self, row: int, *_: int) -> None:
        if not self._filling and row >= 0:
            self.chosen.emit(row)


def words(detector: VirtualDetector) -> str:
    """Return the shapes in words: "disk r 5", "3 shapes"."""
    if len(detector.shapes) != 1:
        return f"{len(detector.shapes)} shapes"
    shape = detector.shapes[0]
    sizes = {
        "disk": lambda s: f"disk r {_size(s.radius)}",
        "annulus": lambda s: f"ring {_size(s.inner)}–{_size(s.outer)}",
        "rectangle": lambda s: f"box {_size(s.size[0])} × {_size(s.size[1])}",
    }
    return sizes[shape.kind](shape)


def _size(pixels: float) -> str:
    """Return a size to a tenth of a pixel: more digits would widen the dock during a drag."""
    return f"{round(pixels, 1):g}"


def signal_name(signal: str) -> str:
    """Return how a signal is called in the window."""
    return next(name for name, value in SIGNALS.items() if value == signal)
