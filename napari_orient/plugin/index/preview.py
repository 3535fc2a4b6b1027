"""Do the spots fit while the settings move? The match under the cursor, in words and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.index.look import (
    Answer,
    Prepared,
    Question,
    look,
    numbers,
    percent,
    short,
    verdict,
)
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.live import Live
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.session import Session

OVERLAY = "index"  # its name in the session
HEADS = ("Q %", "(hkl)[uvw]", "from best", "phase")


class Preview(QWidget):
    """The solutions of one pattern; draws the chosen one on the Pattern dock's pattern."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._scan: Scan | None = None
        self._at: tuple[int, int] | None = None
        self._prepared: Prepared | None = None
        self._config: IndexConfig | None = None
        self._active = False
        self.answer: Answer | None = None
        self._live = Live(look, self, name="orient-index")
        self._live.answered.connect(self._on_answer)
        self._live.failed.connect(self._on_failed)
        self.told, self.sure, self.summary = words(), words(), Said()
        self.summary.setWordWrap(False)
        self._summary, self._sums_up = "", True
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.table = _table()
        self.table.currentCellChanged.connect(self._on_row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        for widget in (self.told, self.sure, self.table):
            layout.addWidget(widget)
        layout.addStretch(1)
        at_end(self, session.draw, OVERLAY, None)

    # --- what is asked --------------------------------------------------------------------------

    def set_active(self, on: bool) -> None:
        """Match and draw, or rest."""
        self._active = on
        self._ask()

    def set_matcher(self, prepared: Prepared | None) -> None:
        """Match with another matcher; None shows nothing."""
        self._prepared = prepared
        self._ask()

    def set_config(self, config: IndexConfig | None) -> None:
        """Draw with other settings at once; the matcher for them may come later."""
        self._config = config
        if self.answer is not None and self._at is not None:
            self._ask(self.answer.match, max(0, self.table.currentRow()))

    def look_at(self, scan: Scan | None, at: tuple[int, int] | None) -> None:
        """Match the pattern of a position; without one, that in the middle of the scan."""
        if scan is not None:
            rows, columns = scan.scan_shape
            if at is None or not (0 <= at[0] < rows and 0 <= at[1] < columns):
                at = (rows // 2, columns // 2)
        if scan is self._scan and at == self._at and self.answer is not None:
            return
        self._scan, self._at = scan, at
        self.answer = None  # the match of another place must not be drawn again here
        self._session.draw(OVERLAY, None)  # spots of another place would mislead
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
        self._session.draw(OVERLAY, None)

    def _ask(self, match: Any = None, rank: int = 0) -> None:
        if not (self._active and self._scan and self._at and self._prepared and self._config):
            self.rest()
            return
        self._live.request(
            Question(self._scan, self._at, self._prepared, self._config, rank, match)
        )

    # --- what is answered -----------------------------------------------------------------------

    def _on_answer(self, question: Question, answer: Answer) -> None:
        if question.scan is not self._scan or question.at != self._at:
            return
        self.answer = answer
        if question.match is None:
            self._fill(answer)
        self._tell(question, answer)
        self._session.draw(OVERLAY, answer.overlay)

    def _on_failed(self, question: Question, error: Exception) -> None:
        self.rest()
        self.told.setText(f"This pattern cannot be matched: {in_terms(error)}")

    def _tell(self, question: Question, answer: Answer) -> None:
        y, x = question.at
        place = f"Scan y {y}, x {x}: "
        if not answer.solutions:
            self.told.setText(place + "nothing fits.")
            self.sure.setText(verdict(answer.match))
            self._sum_up(question, answer, short(answer.match))
            return
        rank = min(question.rank, len(answer.solutions) - 1)
        shown = answer.solutions[rank]
        first, tilt, second = shown.euler
        drawn = f", candidate {rank + 1}, Q {percent(100 * shown.score)}" if rank else ""
        self.told.setText(
            f"{place}<b>{shown.phase}</b>{drawn}<br>"
            f"φ1 Φ φ2 {first:.1f}° {tilt:.1f}° {second:.1f}°, "
            f"{shown.indices} ({shown.off[0]:.0f}°, {shown.off[1]:.0f}° off)"
        )
        best = "Best candidate: " if rank else ""
        self.sure.setText(f"{best}{numbers(answer.match)}<br>{verdict(answer.match)}")
        q, r = percent(answer.match.q[0]), percent(answer.match.r[0])
        several = len({found.phase for found in answer.solutions}) > 1
        said = f"{short(answer.match)}, Q {q}, R {r}"
        if rank:  # its indices beside the numbers of the best one would mislead
            said = f"candidate {rank + 1} is drawn, Q {percent(100 * shown.score)}"
        named = f"{shown.phase + ' ' if several else ''}{shown.indices}"
        self._sum_up(question, answer, f"{said}, {named}")

    def _sum_up(self, question: Question, answer: Answer, text: str) -> None:
        """Say it in the line that all tabs share; where the dock is narrow its end is cut."""
        y, x = question.at
        self._summary = f"y {y}, x {x}: {text}"
        self.summary.setText(self._summary if self._sums_up else "")
        self.summary.setToolTip(f"{numbers(answer.match)}<br>{verdict(answer.match)}")

    def sum_up(self, on: bool) -> None:
        """Show the line that sums the match up, or not."""
        self._sums_up = on
        self.summary.setText(self._summary if on else "")

    def _fill(self, answer: Answer) -> None:
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(answer.solutions))
            for row, found in enumerate(answer.solutions):
                away = "other phase" if found.away is None else f"{found.away:.1f}°"
                if found.beam_twin:
                    away = "≈ 180° about beam"
                texts = (f"{100 * found.score:.1f}", found.indices, away, found.phase)
                for column, text in enumerate(texts):
                    item = QTableWidgetItem(text)
                    item.setToolTip("φ1 Φ φ2 {:.1f}° {:.1f}° {:.1f}°".format(*found.euler))
                    self.table.setItem(row, column, item)
            phases = {found.phase for found in answer.solutions}
            self.table.setColumnHidden(3, len(phases) < 2)
            self.table.setCurrentCell(0, 0)

    def _on_row(self, row: int, *_: int) -> None:
        """Draw the solution that was clicked."""
        if row >= 0 and self.answer is not None:
            self._ask(self.answer.match, row)


def _table() -> QTableWidget:
    table = QTableWidget(0, len(HEADS))
    table.setHorizontalHeaderLabels(list(HEADS))
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setToolTip("The best solutions of this pattern; a click draws the spots of one")
    header = table.horizontalHeader()
    for column in range(len(HEADS)):
        mode = (
            QHeaderView.ResizeMode.Stretch
            if column == 1
            else QHeaderView.ResizeMode.ResizeToContents
        )
        header.setSectionResizeMode(column, mode)
    table.setFixedHeight(22 * 6 + 8)
    return table
