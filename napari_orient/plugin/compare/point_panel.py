"""What is known about one point? The table, the unit cells and the candidates of a click."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.cells import CellsView
from napari_orient.plugin.compare.point import (
    Alternative,
    Crystal,
    Index,
    alike,
    alternatives,
    crystals_at,
    errors_at,
    rotation_words,
    side_by_side,
    table_at,
)
from napari_orient.plugin.maps.readout import Place, position_words

if TYPE_CHECKING:
    from napari_orient.analysis.errors import Comparison

HINT = "Point at the map to read both orientations; click to see the crystals and their spots."
NO_CANDIDATES = "The map keeps no candidates: those of Index do."
COLUMNS = ("rank", "score", "to reference", "modulo beam", "relation")


class PointPanel(QWidget):
    """Text that follows the mouse, and the crystals of the point that was clicked."""

    chosen = Signal(object)
    """The crystal of the candidate that was clicked, or None."""

    def __init__(self, worst: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.comparison: Comparison | None = None
        self.index: Index | None = None
        """The point that was clicked."""
        self._alternatives: list[Alternative] = []
        self.place, self.table, self.errors = words(HINT), words(), words()
        for label in (self.table, self.errors):
            label.setTextFormat(Qt.TextFormat.RichText)
        self.place.setMinimumHeight(self.fontMetrics().lineSpacing())
        self.cells = CellsView()
        self.candidates = QTableWidget(0, len(COLUMNS))
        self.candidates.setHorizontalHeaderLabels(COLUMNS)
        self.candidates.verticalHeader().hide()
        self.candidates.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.candidates.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.candidates.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.candidates.setToolTip(
            "The best solutions of the search at the point that was clicked; click one to see it"
        )
        header = self.candidates.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        line = self.fontMetrics().lineSpacing() + 5
        self.candidates.verticalHeader().setDefaultSectionSize(line)
        self.candidates.setMinimumHeight(4 * line)
        self.candidates.itemSelectionChanged.connect(self._on_candidate)
        self.note, self.spots = words(), words()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        # the crystals before the long table: they are seen where the dock is low
        for widget in (worst, self.place, self.errors, self.cells, self.spots):
            layout.addWidget(widget)
        layout.addWidget(self.candidates, 1)
        layout.addWidget(self.note)
        layout.addWidget(self.table)
        layout.addStretch(0)

    def set_comparison(self, comparison: Comparison | None) -> None:
        """Forget the points of other maps."""
        self.comparison = comparison
        self.pin(None)
        self.tell(None)

    def tell(self, index: Index | None) -> None:
        """Tell about the point under the mouse, or else about the one that was clicked."""
        index = index if index is not None else self.index
        if self.comparison is None or index is None:
            self.place.setText(HINT)
            self.table.clear()
            self.errors.clear()
            return
        self.place.setText(position_words(Place(None, self.comparison.other, index)))
        self.table.setText(table_at(self.comparison, index, ("reference", "map")))
        self.errors.setText(errors_at(self.comparison, index))

    def pin(self, index: Index | None) -> None:
        """Show the crystals and the candidates of a point, until another one is clicked."""
        self.index = index
        self._alternatives = []
        if self.comparison is None or index is None:
            self.cells.show_crystals(())
        else:
            self.cells.show_crystals(*side_by_side(self.comparison, index))
            self._alternatives = alternatives(self.comparison, index)
            self.tell(index)
        self._fill()

    def candidate(self) -> Crystal | None:
        """Return the crystal of the candidate that is chosen, or None."""
        row = self.candidates.currentRow() if self.candidates.selectedItems() else -1
        return self._alternatives[row].crystal if row >= 0 else None

    def _fill(self) -> None:
        with QSignalBlocker(self.candidates):
            self.candidates.clearSelection()
            self.candidates.setRowCount(len(self._alternatives))
            for row, one in enumerate(self._alternatives):
                texts = (str(one.rank), f"{one.score:.4f}", _degrees(one.angle),
                         _degrees(one.angle_modulo_beam), one.relation)  # fmt: skip
                for column, text in enumerate(texts):
                    self.candidates.setItem(row, column, QTableWidgetItem(text))
        self.candidates.setVisible(bool(self._alternatives))
        unknown = self.comparison is not None and self.comparison.other.candidates is None
        self.note.setText(NO_CANDIDATES if unknown and self.index is not None else "")
        self.note.setVisible(bool(self.note.text()))

    def _on_candidate(self) -> None:
        """Show the chosen candidate beside the reference."""
        if self.comparison is None or self.index is None:
            return
        crystal = self.candidate()
        found = crystals_at(self.comparison, self.index)
        if crystal is None or "reference" not in found:
            self.cells.show_crystals(*side_by_side(self.comparison, self.index))
        else:
            self._show_candidate(found["reference"], crystal)
        self.chosen.emit(crystal)

    def _show_candidate(self, reference: Crystal, crystal: Crystal) -> None:
        row = self._alternatives[self.candidates.currentRow()]
        if math.isnan(row.angle):  # another crystal: no rotation leads there
            self.cells.show_crystals((reference, crystal))
        else:
            self.cells.show_crystals(
                (reference, alike(crystal, reference)), rotation_words(reference, crystal)
            )


def _degrees(angle: float) -> str:
    return "–" if math.isnan(angle) else f"{angle:.2f}°"
