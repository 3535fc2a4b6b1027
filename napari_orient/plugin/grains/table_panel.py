"""Which grains are meant? Rows to be clicked, sorted, filtered, copied and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QItemSelection, QItemSelectionModel, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QShortcut,
    QSizePolicy,
    QSpinBox,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.grains.table import GrainModel
from napari_orient.plugin.load.prepare_panel import button

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains

LINES = 8  # rows that are seen at least


class TablePanel(QWidget):
    """The table of grains.

    ``chosen(ids)`` tells the grains that the user selected, ``filtered()`` that others are listed,
    ``save_asked()`` that the table is to be written.
    """

    chosen = Signal(object)
    filtered = Signal()
    save_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = GrainModel()
        self._quiet = False
        self._last: list[int] = []  # ids that are selected
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setWordWrap(False)
        self.view.verticalHeader().hide()
        line = self.fontMetrics().lineSpacing() + 5
        self.view.verticalHeader().setDefaultSectionSize(line)
        self.view.setMinimumHeight(LINES * line)
        self.view.setToolTip(
            "Click a row to see the grain on the map; Shift and Ctrl for several. Click a head to "
            "sort."
        )
        self.counted = QCheckBox("Only counted")
        self.counted.setToolTip(
            "List the grains of the statistics alone: not those that the edge of the map cuts"
        )
        self.smallest = QSpinBox()
        self.smallest.setRange(0, 10**9)
        self.smallest.setKeyboardTracking(False)
        self.smallest.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.smallest.setSuffix(" points")
        self.smallest.setSpecialValueText("any size")
        self.smallest.setFixedWidth(self.fontMetrics().horizontalAdvance("100000 points") + 16)
        self.smallest.setToolTip("List grains of so many points and more")
        self.said = QLabel()
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        top, below = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.counted)
        top.addWidget(QLabel("from"))
        top.addWidget(self.smallest)
        top.addWidget(self.said, 1)
        below.addWidget(
            button("Copy", "Copy the selected rows, or all that are listed (Ctrl+C)", self.copy)
        )
        below.addWidget(
            button("Save CSV …", "Save all grains with all digits", self.save_asked.emit)
        )
        below.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.view, 1)
        layout.addLayout(below)

    def _connect(self) -> None:
        self.counted.toggled.connect(self._filter)
        self.smallest.valueChanged.connect(self._filter)
        self.view.selectionModel().selectionChanged.connect(self._on_selected)
        self.model.modelReset.connect(self._select_again)
        shortcut = QShortcut(QKeySequence.StandardKey.Copy, self.view)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self.copy)

    # --- what is listed ----------------------------------------------------------------------

    def show_grains(self, grains: Grains | None) -> None:
        """List these grains; nothing is selected then."""
        self._last = []
        self.view.setSortingEnabled(False)
        self.model.set_grains(grains)
        self.view.horizontalHeader().setSortIndicator(0, Qt.SortOrder.AscendingOrder)
        self.view.setSortingEnabled(True)
        self._filter()
        self.view.resizeColumnsToContents()

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which grains (n,) the filters let through."""
        grains = self.model.grains
        if grains is None:
            return np.zeros(0, np.bool_)
        keep = grains.table["size"] >= self.smallest.value()
        return np.asarray(keep & grains.counted if self.counted.isChecked() else keep)

    def _filter(self, *_: Any) -> None:
        grains = self.model.grains
        keep = self.kept
        self.model.keep(keep)
        count, total = int(keep.sum()), len(keep)
        said = f"{count} of {total}" if count < total else f"{total} grain{'s' * (total != 1)}"
        self.said.setText(said if grains is not None else "")
        self.filtered.emit()

    # --- what is selected --------------------------------------------------------------------

    @property
    def selected(self) -> list[int]:
        """Ids of the grains whose rows are selected."""
        rows = self.view.selectionModel().selectedRows()
        return self.model.ids(sorted(index.row() for index in rows))

    def select(self, ids: Sequence[int]) -> None:
        """Select the rows of these grains and show the last one; nobody is told."""
        self._last = list(ids)
        self._select_again()
        rows = self.model.rows_of(ids)
        if rows:
            index = self.model.index(rows[-1], 0)
            self._quiet = True
            # where the keys go on from; the columns stay where they are
            self.view.selectionModel().setCurrentIndex(
                index, QItemSelectionModel.SelectionFlag.NoUpdate
            )
            across = self.view.horizontalScrollBar().value()
            self.view.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
            self.view.horizontalScrollBar().setValue(across)
            self._quiet = False

    def _select_again(self) -> None:
        """Select the rows of the same grains, wherever they are now."""
        selection = QItemSelection()
        last = max(0, self.model.columnCount() - 1)
        for row in self.model.rows_of(self._last):
            selection.select(self.model.index(row, 0), self.model.index(row, last))
        self._quiet = True
        self.view.selectionModel().select(
            selection, QItemSelectionModel.SelectionFlag.ClearAndSelect
        )
        self._quiet = False

    def _on_selected(self, *_: Any) -> None:
        if not self._quiet:
            self._last = self.selected
            self.chosen.emit(self._last)

    # --- out ---------------------------------------------------------------------------------

    def copy(self) -> None:
        """Put the selected rows on the clipboard, or all that are listed."""
        rows = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        QApplication.clipboard().setText(self.model.text(rows or None))
