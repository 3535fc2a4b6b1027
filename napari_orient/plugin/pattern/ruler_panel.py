"""What has the ruler measured, and which reflections fit? The tables below the pattern."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import (
    QAction,
    QCheckBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.diffraction.camera.measure import Length
from napari_orient.plugin.live import Live
from napari_orient.plugin.pattern import ruler_rows as rows
from napari_orient.plugin.pattern.index_cells import IndexCells
from napari_orient.plugin.pattern.phase_choice import PhaseChoice

HELP = "Press on a spot, and on a second one: d, angle and the reflections that fit."
ROW = 19  # px, height of a row
SHOWN = 5  # candidates seen without scrolling


class RulerPanel(QWidget):
    """The ruler's numbers, a phase, and the reflections of it that fit within tolerances."""

    heightChanged = Signal(int)
    """The height, in px, that shows everything."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lengths: tuple[Length, ...] = ()
        self._asked: rows.Question | None = None
        self._live = Live(rows.candidate_rows, self, name="orient-ruler")
        self._live.answered.connect(self._on_rows)
        self._live.failed.connect(self._on_failed)
        self._build()
        self.setLengths(())

    def _build(self) -> None:
        self.measured = _table(rows.MEASURED, rows.MEASURED_TIPS)
        self.measured.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.candidates = _table(rows.PAIR, rows.PAIR_TIPS)
        self.angle = _words()
        self.note = _words()
        self.phases = PhaseChoice()
        self.phases.setMinimumWidth(70)
        self.phases.currentIndexChanged.connect(self.refresh)
        self.tolerance = _tolerance(3.0, " %", 20.0, "Tolerance of the spacings")
        self.angle_tolerance = _tolerance(2.0, "°", 20.0, "Tolerance of the angle")
        for box in (self.tolerance, self.angle_tolerance):
            box.valueChanged.connect(self.refresh)
        self.snap = QCheckBox("Snap")
        self.snap.setChecked(True)
        self.snap.setToolTip(
            "Points jump to the centre of the nearest spot; hold Alt to set freely"
        )
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy numbers and candidates as a table (tabs between columns)")
        self.copy.clicked.connect(self.copy_all)
        choices = QHBoxLayout()
        for widget in (self.phases, self.tolerance, self.angle_tolerance):
            choices.addWidget(widget)
        line = QHBoxLayout()
        line.addWidget(self.angle, 1)
        line.addWidget(self.snap)
        line.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.measured)
        layout.addLayout(line)
        layout.addLayout(choices)
        layout.addWidget(self.candidates)
        layout.addWidget(self.note)

    def event(self, event: QEvent) -> bool:
        """Tell when rows came or went: Qt calls."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self.heightChanged.emit(self.sizeHint().height())
        return done

    # --- values -----------------------------------------------------------------------------

    def setLengths(self, lengths: Sequence[Length]) -> None:
        """Show what was measured, and look for the reflections that fit."""
        self._lengths = tuple(lengths)
        _fill(self.measured, rows.measured_rows(lengths))
        _fit_height(self.measured, max(1, len(lengths)))
        self.angle.setText(rows.angle_words(lengths) or ("" if lengths else HELP))
        self.copy.setEnabled(bool(lengths))
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Ask again which reflections fit."""
        vectors = tuple(one.vector for one in self._lengths[:2])
        self.candidates.setVisible(bool(vectors) and None not in vectors)
        self._live.forget()
        if not vectors or None in vectors:
            self._asked = None
            self._say(rows.UNCALIBRATED if vectors else "")
            return
        self._asked = rows.Question(
            self.phases.value(), vectors, self.tolerance.value() / 100, self.angle_tolerance.value()
        )
        self._live.request(self._asked)

    def _on_rows(self, question: rows.Question, found: list[tuple[str, ...]]) -> None:
        pair = len(question.vectors) == 2
        head = (rows.PAIR, rows.PAIR_TIPS) if pair else (rows.SINGLE, rows.SINGLE_TIPS)
        _set_header(self.candidates, *head)
        _fill(self.candidates, found)
        _fit_height(self.candidates, min(max(len(found), 1), SHOWN))
        self.candidates.setVisible(True)
        said = "" if found else "No reflection of this phase fits: widen the tolerances"
        if len(found) == rows.MOST:
            said = f"The best {rows.MOST} are shown: narrow the tolerances"
        self._say(said)

    def _on_failed(self, question: rows.Question, error: Exception) -> None:
        _fill(self.candidates, [])
        said = str(error)
        self._say(said[:1].upper() + said[1:])

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    # --- copying ----------------------------------------------------------------------------

    def copy_all(self) -> None:
        """Copy both tables and the angle."""
        parts = [as_text(self.measured), self.angle.text()]
        if self.candidates.rowCount():
            parts += [self.phases.currentText(), as_text(self.candidates)]
        QGuiApplication.clipboard().setText("\n".join(part for part in parts if part))


def as_text(table: QTableWidget, only: Sequence[int] | None = None) -> str:
    """Return a table, or some of its rows, with tabs between columns."""
    columns = range(table.columnCount())
    lines = ["\t".join(table.horizontalHeaderItem(c).text() for c in columns)]
    for row in range(table.rowCount()) if only is None else only:
        lines.append("\t".join(table.item(row, c).text() for c in columns))
    return "\n".join(lines)


def _table(header: tuple[str, ...], tips: tuple[str, ...]) -> QTableWidget:
    table = QTableWidget(0, len(header))
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW)
    table.verticalHeader().setMinimumSectionSize(ROW)
    table.horizontalHeader().setMinimumSectionSize(20)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setWordWrap(False)
    table.setItemDelegate(IndexCells(table))
    font = table.font()
    font.setPointSizeF(8.5)
    table.setFont(font)
    table.horizontalHeader().setFont(font)
    _set_header(table, header, tips)
    _fit_height(table, SHOWN)
    copy = QAction("Copy", table)
    copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
    copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
    copy.triggered.connect(lambda *_: _copy_selected(table))
    table.addAction(copy)
    table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
    return table


def _copy_selected(table: QTableWidget) -> None:
    chosen = sorted({index.row() for index in table.selectedIndexes()})
    QGuiApplication.clipboard().setText(as_text(table, chosen or None))


def _set_header(table: QTableWidget, header: tuple[str, ...], tips: tuple[str, ...]) -> None:
    if table.columnCount() == len(header) and table.horizontalHeaderItem(0) is not None:
        if table.horizontalHeaderItem(0).text() == header[0]:
            return
    table.setRowCount(0)
    table.setColumnCount(len(header))
    for column, (name, tip) in enumerate(zip(header, tips, strict=True)):
        item = QTableWidgetItem(name)
        item.setToolTip(tip)
        table.setHorizontalHeaderItem(column, item)
        exact = name.startswith(("hkl", "zone"))  # indices must not be cut off
        mode = QHeaderView.ResizeMode
        table.horizontalHeader().setSectionResizeMode(
            column, mode.ResizeToContents if exact else mode.Stretch
        )


def _fill(table: QTableWidget, texts: Sequence[tuple[str, ...]]) -> None:
    table.setRowCount(len(texts))
    for row, cells in enumerate(texts):
        for column, text in enumerate(cells):
            item = table.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                item.setTextAlignment(int(Qt.AlignmentFlag.AlignCenter))
                table.setItem(row, column, item)
            item.setText(text)


def _fit_height(table: QTableWidget, count: int) -> None:
    """Make room for so many rows; their real height is the style's choice."""
    table.ensurePolished()
    row = table.verticalHeader().sectionSize(0) if table.rowCount() else ROW
    header = table.horizontalHeader().sizeHint().height()
    table.setFixedHeight(header + count * row + 2 * table.frameWidth() + 1)


def _words() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _tolerance(value: float, unit: str, most: float, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0.1, most)
    box.setDecimals(1)
    box.setSingleStep(0.5)
    box.setPrefix("±")
    box.setSuffix(unit)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setMinimumWidth(58)
    box.setValue(value)
    box.setToolTip(tip)
    return box
