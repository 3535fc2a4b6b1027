"""Does the network see what is there? Its answers to the pattern under the cursor, drawn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QTableWidgetItem, QWidget

from napari_orient.plugin.index.pattern_view import PatternView
from napari_orient.plugin.predict.look import Answer, Question, certainty, look, short, verdict
from napari_orient.plugin.predict.models import predict_terms

if TYPE_CHECKING:
    from napari_orient.plugin.predict.look import Line
    from napari_orient.session import Session

OVERLAY = "predict"  # its name in the session
HEADS = ("network", "(hkl)[uvw]", "from map", "Q %")
TIP = (
    "First what the map gets, then each answer of the network as it is, with its probability and "
    "how far off it is on average by its own account; a click draws the spots of one"
)


class Preview(PatternView):
    """The answers to one pattern; draws the chosen one on the Pattern dock's pattern."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, look, OVERLAY, HEADS, TIP, parent)

    def _ask(self, answer: Answer | None = None, row: int = 0) -> None:
        if not (self._active and self._scan and self._at and self._prepared):
            self.rest()
            return
        self._live.request(Question(self._scan, self._at, self._prepared, row, answer))

    # --- what is answered -----------------------------------------------------------------------

    def _on_answer(self, question: Question, answer: Answer) -> None:
        if question.scan is not self._scan or question.at != self._at:
            return
        self.answer = answer
        if question.answer is None:
            self._fill(answer.lines)
        self._tell(question, answer)
        self._session.draw(OVERLAY, answer.overlay)

    def _on_failed(self, question: Question, error: Exception) -> None:
        self.rest()
        self.told.setText(f"This pattern cannot be read: {predict_terms(error)}")

    def _tell(self, question: Question, answer: Answer) -> None:
        y, x = question.at
        predictor = question.prepared.predictor
        judged = verdict(answer, predictor.config, predictor.model.phase.name)
        said = certainty(answer)
        if answer.lines:
            shown = answer.lines[min(question.row, len(answer.lines) - 1)]
            drawn = f", the answer “{shown.name}” is drawn" if question.row else ""
            angles = "{:.1f}° {:.1f}° {:.1f}°".format(*shown.euler)
            self.told.setText(f"Scan y {y}, x {x}: {shown.indices}{drawn}<br>φ1 Φ φ2 {angles}")
        else:
            self.told.setText(f"Scan y {y}, x {x}: nothing is seen.")
        whole = f"{said[:1].upper()}{said[1:]}"
        self.sure.setText("<br>".join(part for part in (whole, judged) if part))
        self._say(question.at, short(answer), self.sure.text())

    def _fill(self, lines: tuple[Line, ...]) -> None:
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(lines))
            for row, line in enumerate(lines):
                for column, text in enumerate(_cells(line)):
                    item = QTableWidgetItem(text)
                    item.setToolTip("φ1 Φ φ2 {:.1f}° {:.1f}° {:.1f}°".format(*line.euler))
                    self.table.setItem(row, column, item)
            self.table.setCurrentCell(0, 0)

    def _on_row(self, row: int, *_: int) -> None:
        """Draw the answer that was clicked."""
        if row >= 0 and self.answer is not None:
            self._ask(self.answer, row)


def _cells(line: Line) -> tuple[str, ...]:
    away = "" if line.away is None else f"{line.away:.1f}°"
    if line.beam_twin:
        away = "≈ 180° about beam"
    q = f"{line.q:.0f}" if np.isfinite(line.q) else "—"
    return line.name, line.indices, away, q
