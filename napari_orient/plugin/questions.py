"""What must be asked before a file can be opened? The dataset, a download; how questions look.

How frames are arranged is asked in :mod:`napari_orient.plugin.load.arrange`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QMessageBox,
    QPushButton,
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


class Question(QDialog):
    """The frame of a question about a file: what is asked, the answers, Open and Cancel."""

    def __init__(self, title: str, text: str, body: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        said = QLabel(text)
        said.setWordWrap(True)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.open = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.open.setText("Open")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(said)
        layout.addWidget(body, 1)
        layout.addWidget(self.buttons)
        for other in body.findChildren(QPushButton):
            other.setAutoDefault(False)  # Enter opens, wherever the cursor is
        self.open.setDefault(True)


class DatasetPicker(Question):
    """Asks which dataset of an HDF5 file is the scan."""

    HEADERS = ("Dataset", "Shape", "Numbers", "Chunks", "Size", "Note")

    def __init__(
        self, name: str, candidates: Sequence[Candidate], parent: QWidget | None = None
    ) -> None:
        self.table = QTableWidget(len(candidates), len(self.HEADERS))
        text = f"<b>{name}</b> holds {len(candidates)} datasets with four axes (y, x, ky, kx)."
        super().__init__("Which dataset is the scan?", text, self.table, parent)
        self._candidates = list(candidates)
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
