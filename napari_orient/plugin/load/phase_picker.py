"""Which crystal is each phase number of a text file? A line each: a name, a .cif, or a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_orient.crystal.phases import PHASES, get_phase
from napari_orient.data.vendors.tables import LAUE
from napari_orient.data.vendors.text_maps import TextPhase, TextTable, text_phase
from napari_orient.files import UnreadableFile
from napari_orient.plugin.terms import cif_words

MOST = 12  # phases; more of them come from a column that is none
ARROW = 28  # px: napari's theme paints it over the text
OPEN, CIF, CELL, NOT_INDEXED = "?", "cif", "cell", "none"


class _Line:
    """The widgets of one phase number."""

    def __init__(self, number: int, points: int, changed: Any, ask_cif: Any) -> None:
        self.number = number
        self.phase: TextPhase | None = None
        self.label = QLabel(f"Phase {number}, {points} points")
        self.box = QComboBox()
        self.box.setToolTip("Which crystal this phase number is")
        self.box.addItem("choose a crystal", OPEN)
        for name in PHASES:
            self.box.addItem(name, name)
        self.box.addItem("from a .cif file", CIF)
        self.box.addItem("Laue group and cell", CELL)
        self.box.addItem("not indexed", NOT_INDEXED)
        self.group = QComboBox()
        self.group.addItems(LAUE)
        self.group.setCurrentText("m-3m")
        self.group.setToolTip("Laue group of the crystal")
        self.box.setMinimumWidth(self.box.sizeHint().width() + ARROW)
        self.cell = QLineEdit()
        self.cell.setPlaceholderText("a b c α β γ")
        self.cell.setMinimumWidth(190)
        self.cell.setToolTip("a b c in Å, α β γ in degrees; e1 ∥ a, e3 ∥ c*")
        # not asked at once: the arrow keys pass through all entries
        self.browse = QPushButton("Choose …")
        self.browse.setToolTip("Choose the .cif file of this crystal")
        self.browse.setAutoDefault(False)
        self.browse.clicked.connect(lambda *_: ask_cif(self))
        self.said = QLabel()
        # as wide as there is room; the tooltip has all of it
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.said.setEnabled(False)
        self.box.activated.connect(lambda _: changed(self))
        self.group.activated.connect(lambda _: changed(self))
        self.cell.textEdited.connect(lambda _: changed(self))

        self.row = QWidget()
        layout = QHBoxLayout(self.row)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.box, self.group, self.cell, self.browse):
            layout.addWidget(widget)
        layout.addWidget(self.said, 1)


class PhasePicker(QWidget):
    """Asks for the crystal of each phase number."""

    changed = Signal()

    def __init__(self, known: tuple[TextPhase, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known = {phase.number: phase for phase in known}
        self._lines: list[_Line] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self._too_many = QLabel()
        self._too_many.setWordWrap(True)

    @property
    def lines(self) -> list[_Line]:
        """The lines, in the order of the numbers."""
        return self._lines

    @property
    def chosen(self) -> tuple[TextPhase, ...]:
        """The crystals that were chosen."""
        return tuple(line.phase for line in self._lines if line.phase is not None)

    @property
    def not_indexed(self) -> tuple[int, ...]:
        """Numbers that the user said mean no answer."""
        return tuple(x.number for x in self._lines if x.box.currentData() == NOT_INDEXED)

    def show_numbers(
        self, table: TextTable, columns: tuple[str, ...], not_indexed: tuple[int, ...]
    ) -> None:
        """Show a line for each phase number of the file."""
        counts = _count(table, columns, not_indexed)
        if [line.number for line in self._lines] == list(counts) and counts:
            return
        while self._grid.count():
            widget = self._grid.takeAt(0).widget()
            widget.hide()
            if widget is not self._too_many:
                widget.deleteLater()
        self._lines = []
        if len(counts) > MOST:
            self._too_many.setText(
                f"The phase column holds {len(counts)} different numbers: it is another property."
            )
            self._grid.addWidget(self._too_many, 0, 0, 1, 2)
            self._too_many.show()
            return
        for row, (number, points) in enumerate(counts.items()):
            line = _Line(number, points, self._on_line, self._ask_cif)
            self._lines.append(line)
            self._grid.addWidget(line.label, row, 0)
            self._grid.addWidget(line.row, row, 1)
            if number in self._known:
                self._restore(line, self._known[number])
            self._show_fields(line)

    def _restore(self, line: _Line, phase: TextPhase) -> None:
        place = line.box.findData(phase.name)
        line.phase = phase
        if place < 0:
            line.box.insertItem(1, phase.name, CIF)
            place = 1
        line.box.setCurrentIndex(place)
        line.said.setText(_in_words(phase))

    def _on_line(self, line: _Line) -> None:
        kind = line.box.currentData()
        try:
            if kind == CELL:
                line.phase = _from_cell(line)
            elif kind in (OPEN, NOT_INDEXED, CIF):
                line.phase = None
            else:
                line.phase = text_phase(line.number, get_phase(kind))
            words = _in_words(line.phase) if line.phase is not None else ""
        except ValueError as error:
            line.phase, words = None, str(error)
        self._tell(line, words)

    def _tell(self, line: _Line, words: str) -> None:
        line.said.setText(words)
        line.said.setToolTip(words)
        self._show_fields(line)
        self.changed.emit()

    def _show_fields(self, line: _Line) -> None:
        kind = line.box.currentData()
        for widget in (line.group, line.cell):
            widget.setVisible(kind == CELL)
        line.browse.setVisible(kind == CIF)

    def _ask_cif(self, line: _Line) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Crystal of this phase", "", "CIF (*.cif)")
        if not path:
            return
        try:
            line.phase = text_phase(line.number, get_phase(Path(path)))
            self._tell(line, f"{line.phase.name}: {_in_words(line.phase)}")
        except UnreadableFile as error:
            line.phase = None
            self._tell(line, cif_words(error))


def _count(
    table: TextTable, columns: tuple[str, ...], not_indexed: tuple[int, ...]
) -> dict[int, int]:
    """Return the points of each phase number; all points are 1 without a phase column."""
    if "phase" not in columns:
        return {1: len(table.values)}
    column = table.values[:, columns.index("phase")]
    numbers, counts = np.unique(np.rint(column[np.isfinite(column)]), return_counts=True)
    pairs = zip(numbers.tolist(), counts.tolist(), strict=True)
    return {int(n): c for n, c in pairs if int(n) not in not_indexed}


def _from_cell(line: _Line) -> TextPhase:
    """Read the cell that was typed.

    Raises
    ------
    ValueError
        In words for the user.
    """
    try:
        numbers = [float(word) for word in line.cell.text().replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or min(numbers) <= 0 or max(numbers[3:]) >= 180:
        raise ValueError("as in 3.5 3.5 3.5 90 90 90")
    group = line.group.currentText()
    a, b, c, alpha, beta, gamma = numbers
    return TextPhase(
        number=line.number, name=f"phase {line.number}", point_group=group,
        lattice=(a, b, c, alpha, beta, gamma),
    )  # fmt: skip


def _in_words(phase: TextPhase) -> str:
    a, b, c, *_ = phase.lattice
    lengths = f"a = {a:.4g} Å" if a == b == c else f"a = {a:.4g}, c = {c:.4g} Å"
    return f"{phase.point_group}, {lengths if a == b else f'{a:.4g} × {b:.4g} × {c:.4g} Å'}"
