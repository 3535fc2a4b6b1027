"""Do the spots fit while the settings move? The match under the cursor, in words and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QTableWidgetItem, QWidget

from napari_orient.plugin.index.look import (
    Answer,
    Question,
    look,
    numbers,
    percent,
    short,
    verdict,
)
from napari_orient.plugin.index.pattern_view import PatternView
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.session import Session

OVERLAY = "index"  # its name in the session
HEADS = ("Q %", "(hkl)[uvw]", "from best", "phase")
TIP = "The best solutions of this pattern; a click draws the spots of one"


class Preview(PatternView):
    """The solutions of one pattern; draws the chosen one on the Pattern dock's pattern."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, look, OVERLAY, HEADS, TIP, parent)
        self._config: IndexConfig | None = None

    def set_config(self, config: IndexConfig | None) -> None:
        """Draw with other settings at once; the matcher for them may come later."""
        self._config = config
        if self.answer is not None and self._at is not None:
            self._ask(self.answer.match, max(0, self.table.currentRow()))

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
            self._say(question.at, short(answer.match), self._tip(answer))
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
        self._say(question.at, f"{said}, {named}", self._tip(answer))

    @staticmethod
    def _tip(answer: Answer) -> str:
        return f"{numbers(answer.match)}<br>{verdict(answer.match)}"

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
