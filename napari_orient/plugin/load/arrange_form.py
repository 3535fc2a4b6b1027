"""How are the frames of a file arranged? Numbers, with a live picture and proposals beside.

The picture is made of the sum of each frame, which a job makes once; it then proposes arrangements.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.arrangement import Arrangement
from napari_orient.data.arrangement_guess import Guess, factor_pairs, guess_arrangement, look
from napari_orient.jobs import Job, Progress
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.pattern.image import to_bytes
from napari_orient.plugin.worker import JobBar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_orient.jobs import Partial

SNAKES = {
    "none": "all lines run forwards",
    "second": "lines 2, 4, 6 … run back",
    "first": "lines 1, 3, 5 … run back",
}
FAST = {"x": "along rows (x)", "y": "along columns (y)"}
PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class _Answer:
    sums: Any
    guesses: list[Guess]


def look_and_guess(frames: Any, span: tuple[int, int]) -> Job[_Answer]:
    """Look at all frames and propose arrangements: a job."""
    seen = yield from look(frames)
    yield Progress(0, 0, "comparing lines")
    return _Answer(seen.sums, guess_arrangement(seen, span))


class Picture(QWidget):
    """Shows a grey picture as large as fits, square pixels."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self.setMinimumSize(180, 180)
        self.setToolTip("How much each position scatters, arranged as the numbers say")

    def sizeHint(self) -> QSize:
        """Prefer a square."""
        return QSize(320, 320)

    def show_image(self, image: Any) -> None:
        """Show an array (y, x); None empties the picture."""
        if image is None:
            self._image = None
        else:
            grey = np.ascontiguousarray(to_bytes(image, "linear", PERCENTILES))
            height, width = grey.shape
            kind = QImage.Format.Format_Grayscale8
            # Qt does not keep the bytes: `grey` must live until they are copied
            self._image = QImage(grey.data, width, height, width, kind).copy()
        self.update()

    @property
    def image(self) -> QImage | None:
        """The picture, one pixel for each position; None where there is none."""
        return self._image

    def paintEvent(self, event: Any) -> None:
        """Paint the picture in the middle: Qt calls."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(20, 20, 20))
        if self._image is not None:
            size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            corner = ((self.width() - size.width()) // 2, (self.height() - size.height()) // 2)
            painter.drawImage(QRect(*corner, size.width(), size.height()), self._image)
        painter.end()


class ArrangeForm(QWidget):
    """Edits an arrangement of so many frames, beside its picture and proposals."""

    changed = Signal()
    """The arrangement is another one, or became impossible."""

    def __init__(self, wide: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._frames, self._sums = 0, np.zeros(0, np.float32)
        self._guesses: list[Guess] = []
        self._touched = False
        self._wish = 0  # hysteresis as it was asked for: while a number is typed, less may fit
        self._build_fields()
        self.picture = Picture()
        self.said = _lines(4)
        self.list = QListWidget()
        self.list.setToolTip("Proposals, the likeliest first; a click takes the numbers over")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setMinimumHeight(84)
        self.list.currentRowChanged.connect(self._take)
        self.reasons = _lines(3)
        self.bar = JobBar()
        side = QVBoxLayout()
        side.addLayout(self._grid)
        side.addWidget(self.said)
        side.addWidget(QLabel("Proposals:"))
        side.addWidget(self.list, 1)
        side.addWidget(self.reasons)
        side.addWidget(self.bar)
        across = QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom
        layout = QBoxLayout(across, self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture, 1)
        layout.addLayout(side)
        if wide:
            self.list.setMinimumWidth(330)

    def _build_fields(self) -> None:
        tips = {name: f.description or "" for name, f in Arrangement.model_fields.items()}
        self.rows, self.columns, self.start = QSpinBox(), QSpinBox(), QSpinBox()
        self.flyback, self.hysteresis = QSpinBox(), QSpinBox()
        self.snake, self.fast = QComboBox(), QComboBox()
        for box, words in ((self.snake, SNAKES), (self.fast, FAST)):
            for key, text in words.items():
                box.addItem(text, key)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        self.fill = button(
            "Fill", "As many lines as the frames suffice for", lambda: self._fill_lines()
        )
        self.hysteresis.valueChanged.connect(self._on_hysteresis)
        self._grid = QGridLayout()
        fields = (
            ("Rows", "rows"), ("Columns", "columns"), ("Start frame", "start"),
            ("Flyback", "flyback"), ("Snake", "snake"), ("Hysteresis", "hysteresis"),
            ("Beam runs", "fast"),
        )  # fmt: skip
        for row, (label, name) in enumerate(fields):
            field = getattr(self, name)
            said = QLabel(label)
            said.setBuddy(field)
            text = tips[name][:1].upper() + tips[name][1:]
            said.setToolTip(text)
            field.setToolTip(text)
            wide = 1 if name == "rows" else 2
            self._grid.addWidget(said, row, 0)
            self._grid.addWidget(field, row, 1, 1, wide)
            if isinstance(field, QSpinBox):
                field.valueChanged.connect(self._edited)
            else:
                field.currentIndexChanged.connect(self._edited)
        self._grid.addWidget(self.fill, 0, 2)
        self._grid.setColumnStretch(1, 1)

    # --- what is arranged ------------------------------------------------------------------------

    def set_stack(self, frames: Any, span: tuple[int, int] = (0, 0)) -> None:
        """Offer all arrangements of these frames (frames, ky, kx), and look at them in a job."""
        self.stop()
        self._frames, self._touched = len(frames), False
        self._sums = np.zeros(self._frames, np.float32)
        self._guesses = []
        self.list.clear()
        self.reasons.clear()
        with self._silent():
            for spin in (self.rows, self.columns):
                spin.setRange(1, self._frames)
            for spin in (self.start, self.flyback):
                spin.setRange(0, self._frames - 1)
        first, number = span if span[1] > 1 else (0, self._frames)
        rows, columns = factor_pairs(number)[0]
        self._write(Arrangement(rows=rows, columns=columns, start=first))
        self.bar.run(
            look_and_guess(frames, span), text="Looking at the frames",
            on_partial=self._on_partial, on_result=self._on_answer,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop looking at the frames, and forget those that were seen."""
        self.bar.cancel()

    def arrangement(self) -> Arrangement | None:
        """Return what the fields say, None if the frames cannot be arranged so."""
        made = self._read()
        return made if made.problem(self._frames) is None else None

    def _read(self) -> Arrangement:
        snake = self.snake.currentData()
        return Arrangement(
            rows=self.rows.value(),
            columns=self.columns.value(),
            start=self.start.value(),
            flyback=self.flyback.value(),
            snake=snake,
            hysteresis=self.hysteresis.value() if snake != "none" else 0,
            fast=self.fast.currentData(),
        )

    def _write(self, made: Arrangement) -> None:
        with self._silent():
            for name in ("rows", "columns", "start", "flyback"):
                getattr(self, name).setValue(getattr(made, name))
            for name in ("snake", "fast"):
                box = getattr(self, name)
                box.setCurrentIndex(box.findData(getattr(made, name)))
            self.hysteresis.setRange(1 - made.length, made.length - 1)
            self.hysteresis.setValue(made.hysteresis)
        self._wish = made.hysteresis
        self._show()

    @contextmanager
    def _silent(self) -> Iterator[None]:
        """Change fields as if the user had not: they tell nothing."""
        fields = [getattr(self, name) for name in Arrangement.model_fields]
        for field in fields:
            field.blockSignals(True)
        try:
            yield
        finally:
            for field in fields:
                field.blockSignals(False)

    def _on_hysteresis(self, value: int) -> None:
        self._wish = value

    def _edited(self, *_: Any) -> None:
        self._touched = True
        self._no_proposal()
        along_x = self.fast.currentData() == "x"
        length = (self.columns if along_x else self.rows).value()
        with self._silent():
            self.hysteresis.setRange(1 - length, length - 1)
            self.hysteresis.setValue(self._wish)
        self._show()

    def _no_proposal(self) -> None:
        """Mark no proposal: the numbers are the user's own. A click on any takes it again."""
        self.list.blockSignals(True)
        self.list.setCurrentRow(-1)
        self.list.blockSignals(False)
        self.reasons.clear()

    def _fill_lines(self) -> None:
        made = self._read()
        lines = max(1, (self._frames - made.start + made.flyback) // made.period)
        (self.rows if made.fast == "x" else self.columns).setValue(lines)

    def _show(self) -> None:
        made = self._read()
        self.hysteresis.setEnabled(made.snake != "none")
        problem = made.problem(self._frames)
        if problem:
            self.said.setText(f"<b>Not possible:</b> {_typeset(problem)}.")
            self.picture.show_image(None)
        else:
            self.said.setText(in_words(made, self._frames))
            self.picture.show_image(self._sums[made.frames()])
        self.changed.emit()

    # --- looking ---------------------------------------------------------------------------------

    def _on_partial(self, event: Partial) -> None:
        mean = event.value[event.done].mean()
        self._sums = np.where(event.done, event.value, mean)
        self._show()

    def _on_answer(self, answer: _Answer) -> None:
        self._sums, self._guesses = answer.sums, answer.guesses
        self.list.blockSignals(True)
        for guess in self._guesses:
            item = QListWidgetItem(_headline(guess, self._guesses[0].confidence))
            item.setToolTip("\n".join(guess.reasons))
            self.list.addItem(item)
        self.list.blockSignals(False)
        if self._touched:  # what the user has typed stays
            self._show()
        else:
            self.list.setCurrentRow(0)

    def _take(self, row: int) -> None:
        if 0 <= row < len(self._guesses):
            guess = self._guesses[row]
            self._write(guess.arrangement)
            self.reasons.setText(_typeset("; ".join(guess.reasons)) + ".")


def _lines(number: int) -> QLabel:
    """Return a label with room for some lines: beside a list, Qt gives it no more than one."""
    label = QLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setMinimumHeight(number * label.fontMetrics().lineSpacing())
    return label


def in_words(made: Arrangement, frames: int) -> str:
    """Say which frames a possible arrangement uses, and which are left over."""
    used = made.rows * made.columns
    left = frames - made.stop
    between = made.stop - made.start - used
    parts = [f"{made.rows} × {made.columns} = {used} of {frames} frames"]
    parts += [f"{made.start} left out at the start"] * bool(made.start)
    parts += [f"{between} of flyback"] * bool(between)
    parts += [f"{left} left over at the end"] * bool(left)
    if made.hysteresis:
        parts.append(f"the scan is {made.shape[0]} × {made.shape[1]}, without the shifted edge")
    return "; ".join(parts)


def _headline(guess: Guess, best: float) -> str:
    made, words = guess.arrangement, "only by number"
    if guess.confidence >= 0.35:
        words = "likely" if guess.confidence >= max(0.55, best) else "perhaps"
    parts = [f"{made.rows} × {made.columns}"]
    parts += [f"from {made.start}"] * bool(made.start)
    parts += [f"flyback {made.flyback}"] * bool(made.flyback)
    parts += ["snake"] * (made.snake != "none")
    parts += [f"hysteresis {made.hysteresis}"] * bool(made.hysteresis)
    return f"{words}: {', '.join(parts)}"


def _typeset(text: str) -> str:
    return text.replace(" x ", " × ")
