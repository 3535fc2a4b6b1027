"""What is found in the pattern under the cursor? The frame that Index and Predict fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.live import Live

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_orient.data.scan import Scan
    from napari_orient.session import Session


class PatternView(QWidget):
    """Words, a table of answers, a line that sums up, and spots on the Pattern dock's pattern.

    Parameters
    ----------
    session
        Of the viewer.
    look
        Answers a question, in a thread.
    overlay
        Name of the spots in the session.
    heads, tip
        Of the table.
    """

    def __init__(
        self,
        session: Session,
        look: Callable[[Any], Any],
        overlay: str,
        heads: Sequence[str],
        tip: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._overlay = session, overlay
        self._scan: Scan | None = None
        self._at: tuple[int, int] | None = None
        self._prepared: Any = None
        self._active = False
        self.answer: Any = None
        self._live = Live(look, self, name=f"orient-{overlay}")
        self._live.answered.connect(self._on_answer)
        self._live.failed.connect(self._on_failed)
        self.told, self.sure, self.summary = words(), words(), Said()
        self.summary.setWordWrap(False)
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._summary, self._sums_up = "", True
        self.table = _table(heads, tip)
        self.table.currentCellChanged.connect(self._on_row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        for widget in (self.told, self.sure, self.table):
            layout.addWidget(widget)
        layout.addStretch(1)
        at_end(self, session.draw, overlay, None)

    def set_active(self, on: bool) -> None:
        """Look and draw, or rest."""
        self._active = on
        self._ask()

    def set_prepared(self, prepared: Any) -> None:
        """Look with another matcher or network; None shows nothing."""
        self._prepared = prepared
        self._ask()

    def look_at(self, scan: Scan | None, at: tuple[int, int] | None) -> None:
        """Look at the pattern of a position; without one, at that in the middle of the scan."""
        if scan is not None:
            rows, columns = scan.scan_shape
            if at is None or not (0 <= at[0] < rows and 0 <= at[1] < columns):
                at = (rows // 2, columns // 2)
        if scan is self._scan and at == self._at and self.answer is not None:
            return
        self._scan, self._at = scan, at
        self.answer = None  # the answer for another place must not be drawn again here
        self._session.draw(self._overlay, None)  # spots of another place would mislead
        self._ask()

    @property
    def at(self) -> tuple[int, int] | None:
        """Position that is looked at."""
        return self._at

    def rest(self) -> None:
        """Show nothing, and forget what was asked."""
        self._live.forget()
        self.answer = None
        self._summary = ""
        for words_of in (self.told, self.sure, self.summary):
            words_of.clear()
        self.table.setRowCount(0)
        self._session.draw(self._overlay, None)

    def sum_up(self, on: bool) -> None:
        """Show the line that all tabs share, or not."""
        self._sums_up = on
        self.summary.setText(self._summary if on else "")

    def _say(self, at: tuple[int, int], text: str, tip: str) -> None:
        """Fill that line; where the dock is narrow its end is cut."""
        self._summary = f"y {at[0]}, x {at[1]}: {text}"
        self.summary.setText(self._summary if self._sums_up else "")
        self.summary.setToolTip(tip)

    def _ask(self, answer: Any = None, row: int = 0) -> None:
        """Ask for an answer, or for a row of one to be drawn."""
        raise NotImplementedError

    def _on_answer(self, question: Any, answer: Any) -> None:
        raise NotImplementedError

    def _on_failed(self, question: Any, error: Exception) -> None:
        raise NotImplementedError

    def _on_row(self, row: int, *_: int) -> None:
        raise NotImplementedError


def _table(heads: Sequence[str], tip: str) -> QTableWidget:
    table = QTableWidget(0, len(heads))
    table.setHorizontalHeaderLabels(list(heads))
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setToolTip(tip)
    header = table.horizontalHeader()
    for column in range(len(heads)):
        mode = (
            QHeaderView.ResizeMode.Stretch
            if column == 1
            else QHeaderView.ResizeMode.ResizeToContents
        )
        header.setSectionResizeMode(column, mode)
    table.setFixedHeight(22 * 6 + 8)
    return table
