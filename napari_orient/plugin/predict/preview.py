"""Does the network see what is there? Its answers to the pattern under the cursor, drawn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QSizePolicy, QTableWidgetItem, QVBoxLayout, QWidget

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.index.preview import _table
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.live import Live
from napari_orient.plugin.predict.look import Answer, Question, certainty, look, short, verdict
from napari_orient.plugin.predict.models import predict_terms

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan
    from napari_orient.plugin.predict.look import Line, Prepared
    from napari_orient.session import Session

OVERLAY = "predict"  # its name in the session
HEADS = ("network", "(hkl)[uvw]", "from map", "Q %")
TIP = (
    "First what the map gets, then each answer of the network as it is, with its probability and "
    "how far off it is on average by its own account; a click draws the spots of one"
)


class Preview(QWidget):
    """The answers to one pattern; draws the chosen one on the Pattern dock's pattern."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._scan: Scan | None = None
        self._at: tuple[int, int] | None = None
        self._prepared: Prepared | None = None
        self._active = False
        self.answer: Answer | None = None
        self._live = Live(look, self, name="orient-predict")
        self._live.answered.connect(self._on_answer)
        self._live.failed.connect(self._on_failed)
        self.told, self.sure, self.summary = words(), words(), Said()
        self.summary.setWordWrap(False)
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._summary, self._sums_up = "", True
        self.table = _table()
        self.table.setHorizontalHeaderLabels(list(HEADS))
        self.table.setToolTip(TIP)
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
        """Read and draw, or rest."""
        self._active = on
        self._ask()

    def set_prepared(self, prepared: Prepared | None) -> None:
        """Read with another network or other settings; None shows nothing."""
        self._prepared = prepared
        self._ask()

    def look_at(self, scan: Scan | None, at: tuple[int, int] | None) -> None:
        """Read the pattern of a position; without one, that in the middle of the scan."""
        if scan is not None:
            rows, columns = scan.scan_shape
            if at is None or not (0 <= at[0] < rows and 0 <= at[1] < columns):
                at = (rows // 2, columns // 2)
        if scan is self._scan and at == self._at and self.answer is not None:
            return
        self._scan, self._at = scan, at
        self.answer = None
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
        self._summary = f"y {y}, x {x}: {short(answer)}"
        self.summary.setText(self._summary if self._sums_up else "")
        self.summary.setToolTip(self.sure.text())

    def sum_up(self, on: bool) -> None:
        """Show the line that sums the answer up, or not."""
        self._sums_up = on
        self.summary.setText(self._summary if on else "")

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
