"""What must be asked before a file can be opened? The dataset, the scan's shape, a download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.hdf5 import Candidate


def window() -> QWidget | None:
    """Return the window in which questions can be asked, or None when there is none."""
    if QApplication.instance() is None:
        return None
    from napari import current_viewer

    viewer = current_viewer()
    # napari has no public name for the window as a parent of dialogs
    return viewer.window._qt_window if viewer is not None else None


def in_words(nbytes: float) -> str:
    """Return a size in bytes as "21.0 GB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "bytes" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} TB"


def times(shape: Sequence[int]) -> str:
    """Return a shape as "200 × 200 × 128 × 128"."""
    return " × ".join(str(n) for n in shape)


class DatasetPicker(QDialog):
    """Asks which dataset of an HDF5 file is the scan."""

    HEADERS = ("Dataset", "Shape", "Numbers", "Chunks", "Size", "Note")

    def __init__(
        self, name: str, candidates: Sequence[Candidate], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which dataset is the scan?")
        self._candidates = list(candidates)
        said = QLabel(
            f"<b>{name}</b> holds {len(candidates)} datasets with four axes (y, x, ky, kx)."
        )
        said.setWordWrap(True)
        self.table = QTableWidget(len(candidates), len(self.HEADERS))
        self.table.setHorizontalHeaderLabels(self.HEADERS)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setToolTip("Choose a dataset; a double click opens it")
        self.table.verticalHeader().hide()
        for row, candidate in enumerate(candidates):
            for column, text in enumerate(self._words(candidate)):
                self.table.setItem(row, column, QTableWidgetItem(text))
        self.table.resizeColumnsToContents()
        self.table.horizontalHeader().setSectionResizeMode(
            len(self.HEADERS) - 1, QHeaderView.ResizeMode.Stretch
        )
        self.table.selectRow(0)
        self.table.doubleClicked.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.addWidget(said)
        layout.addWidget(self.table)
        layout.addWidget(_buttons(self, "Open"))
        self.resize(760, 260)

    @staticmethod
    def _words(candidate: Candidate) -> tuple[str, ...]:
        chunks = times(candidate.chunks) if candidate.chunks else "in one piece"
        return (
            candidate.path,
            times(candidate.shape),
            str(candidate.dtype),
            chunks,
            in_words(candidate.nbytes),
            candidate.note or "",
        )

    @property
    def chosen(self) -> str:
        """Path of the chosen dataset inside the file."""
        return str(self._candidates[max(0, self.table.currentRow())].path)


class ScanShapePicker(QDialog):
    """Asks how many rows and columns a file has that only counts its frames."""

    def __init__(self, name: str, frames: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("How is the scan arranged?")
        said = QLabel(
            f"<b>{name}</b> counts {frames} patterns and does not say how they are arranged. "
            "Rows × columns of the scan:"
        )
        said.setWordWrap(True)
        self.list = QListWidget()
        self.list.setToolTip("All ways to arrange the patterns; nearly square ones first")
        for rows, columns in arrangements(frames):
            item = QListWidgetItem(f"{rows} × {columns}")
            item.setData(Qt.ItemDataRole.UserRole, (rows, columns))
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.list.itemDoubleClicked.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.addWidget(said)
        layout.addWidget(self.list)
        layout.addWidget(_buttons(self, "Open"))
        self.resize(360, 300)

    @property
    def chosen(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.list.currentItem().data(Qt.ItemDataRole.UserRole)
        return int(rows), int(columns)


def arrangements(frames: int) -> list[tuple[int, int]]:
    """Return all (rows, columns) with rows x columns = frames, nearly square ones first."""
    small = [n for n in range(1, int(frames**0.5) + 1) if frames % n == 0]
    pairs = {pair for n in small for pair in ((n, frames // n), (frames // n, n))}
    return sorted(pairs, key=lambda pair: (max(pair) / min(pair), pair))


def ask(dialog: Any) -> Any:
    """Show a picker and return what was chosen, or None when the user cancels."""
    try:
        return dialog.chosen if dialog.exec() == QDialog.DialogCode.Accepted else None
    finally:
        dialog.deleteLater()


def consent(title: str, text: str) -> bool:
    """Ask a yes-or-no question; without a window nobody can say yes."""
    parent = window()
    if parent is None:
        return False
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    return bool(QMessageBox.question(parent, title, text, yes | no, no) == yes)


def _buttons(dialog: QDialog, text: str) -> QDialogButtonBox:
    buttons = QDialogButtonBox(
        QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
    )
    buttons.button(QDialogButtonBox.StandardButton.Ok).setText(text)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons
