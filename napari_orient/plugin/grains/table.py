"""Which grains are listed, and in which order? The rows of the table, sorted by numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_orient.plugin.grains.columns import Column, columns_of, digits_of, head_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains

_NOWHERE = QModelIndex()


class GrainModel(QAbstractTableModel):
    """Rows of grains; only what is seen is written out, so ten thousand are no matter."""

    def __init__(self) -> None:
        super().__init__()
        self.grains: Grains | None = None
        self.columns: list[Column] = []
        self._digits: list[int] = []
        self.rows: NDArray[np.int64] = np.zeros(0, np.int64)  # places in the table, as listed
        self._keep: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._by: tuple[str, bool] = ("id", False)  # name, downwards

    def set_grains(self, grains: Grains | None) -> None:
        """List all of these grains, or none."""
        self.beginResetModel()
        self.grains = grains
        self.columns = columns_of(grains) if grains is not None else []
        self._digits = (
            [digits_of(grains, column) for column in self.columns] if grains is not None else []
        )
        count = len(grains) if grains is not None else 0
        self._keep = np.ones(count, np.bool_)
        self._order()
        self.endResetModel()

    def keep(self, keep: NDArray[np.bool_]) -> None:
        """List these grains (n,) alone."""
        self.beginResetModel()
        self._keep = keep
        self._order()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows by a column: Qt calls when a head is clicked."""
        if 0 <= column < len(self.columns):
            self.beginResetModel()
            self._by = (self.columns[column].name, order == Qt.SortOrder.DescendingOrder)
            self._order()
            self.endResetModel()

    def _order(self) -> None:
        """Sort what is kept; equal grains stay in the order of their numbers."""
        there = np.flatnonzero(self._keep)
        name, downwards = self._by
        if self.grains is not None and name in self.grains.table:
            values = np.asarray(self.grains.table[name])[there].astype(np.float64)
            there = there[np.argsort(-values if downwards else values, kind="stable")]
        self.rows = there

    # --- what Qt asks ------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return how many rows there are."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or self.grains is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            row = self.rows[index.row() : index.row() + 1]
            column = index.column()
            return texts_of(self.grains, self.columns[column], row, self._digits[column])[0]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return what a head shows, and its tooltip."""
        if orientation != Qt.Orientation.Horizontal or self.grains is None:
            return None
        if section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return head_of(self.grains, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{column.tip}. Click to sort."
        return None

    # --- ids ---------------------------------------------------------------------------------

    def ids(self, rows: Sequence[int]) -> list[int]:
        """Return the ids of the grains in these rows."""
        return [int(self.rows[row]) + 1 for row in rows if row < len(self.rows)]

    def rows_of(self, ids: Sequence[int]) -> list[int]:
        """Return the rows of grains by their ids; those that are not listed are left out."""
        place = np.full(len(self._keep) + 1, -1)
        place[self.rows + 1] = np.arange(len(self.rows))
        return [int(place[i]) for i in ids if 0 < i < len(place) and place[i] >= 0]

    def text(self, rows: Sequence[int] | None = None) -> str:
        """Return heads and rows, separated by tabs; all rows without any given."""
        if self.grains is None:
            return ""
        where = self.rows if rows is None else self.rows[np.asarray(rows, np.int64)]
        heads = [head_of(self.grains, column) for column in self.columns]
        cells = [
            texts_of(self.grains, column, where, digits)
            for column, digits in zip(self.columns, self._digits, strict=True)
        ]
        lines = [heads, *(list(line) for line in zip(*cells, strict=True))]
        return "\n".join("\t".join(line) for line in lines) + "\n"
