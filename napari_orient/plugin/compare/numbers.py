"""How good is the map in numbers? A table of scores, to be copied or saved."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.table_out import TableOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_orient.analysis.scores import Scores

_BEAM = "where a crystal and the one turned by 180 degrees about the beam are one"
_RAW = "Appendix B of the paper, over the raw Euler angles, "


def _each(words: str, name: str, kind: str) -> list[tuple[str, str, str, str]]:
    """Return a row for each Euler angle; the name ends with the number of the angle."""
    return [
        (f"{words} of {angle}", f"{name} {number}", kind, f"{_RAW}by itself")
        for number, angle in enumerate(("φ1", "Φ", "φ2"))
    ]


# words, number of Scores, format, what it means
ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("points", "n", "d", "Points that count: comparable, and in the selection"),
    ("share of all", "fraction_kept", "%", "Of the points that can be compared"),
    ("coverage", "coverage", "%", "Of the points that the reference indexes: those of the map"),
    ("phases agree", "phase_agreement", "%", "Of the points that both maps index"),
    ("median", "median_deg", "°", "Misorientation over the symmetry of the crystal"),
    ("mean", "mean_deg", "°", "Misorientation over the symmetry of the crystal"),
    ("below 2°", "fraction_below_2deg", "%", "Misorientation over the symmetry of the crystal"),
    ("below 5°", "fraction_below_5deg", "%", "Misorientation over the symmetry of the crystal"),
    ("median, modulo beam", "median_deg_modulo_beam", "°", f"Misorientation, {_BEAM}"),
    ("mean, modulo beam", "mean_deg_modulo_beam", "°", f"Misorientation, {_BEAM}"),
    (
        "below 2°, modulo beam",
        "fraction_below_2deg_modulo_beam",
        "%",
        f"Misorientation, {_BEAM}",
    ),
    (
        "below 5°, modulo beam",
        "fraction_below_5deg_modulo_beam",
        "%",
        f"Misorientation, {_BEAM}",
    ),
    ("median tilt", "median_tilt_deg", "°", "Angle between the zone axes along the beam"),
    ("median in plane", "median_in_plane_deg", "°", "Rotation about the beam that remains"),
    ("R²", "r2", "1", f"{_RAW}pooled with one mean"),
    *_each("R²", "r2_per_angle", "1"),
    ("MSE", "mse", "°²", f"{_RAW}pooled"),
    ("MAE", "mae", "°", f"{_RAW}pooled"),
    *_each("MAE", "mae_per_angle", "°"),
    (
        "MAE, nearest",
        "mae_nearest",
        "°",
        "Over the symmetrically nearest representative of the orientation",
    ),
    ("normalised MAE", "normalised_mae", "1", "Mean of the map of Fig. 10, 0 to 1"),
)


def number_of(scores: Scores, name: str) -> Any:
    """Return a score by its name, or "mae_per_angle 0" by name and number of the angle."""
    name, _, number = name.partition(" ")
    value = getattr(scores, name)
    return value[int(number)] if number else value


def written(value: Any, kind: str) -> str:
    """Return a number as the table shows it; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if kind == "d":
        return f"{value:,}".replace(",", "\u202f")
    if kind == "%":
        return f"{100 * value:.1f} %"
    digits = {"°": 2, "°²": 1}.get(kind, 4)
    return f"{value:.{digits}f}" + (f" {kind}" if kind == "°²" else kind if kind == "°" else "")


class NumbersPanel(TableOut):
    """Scores in columns: all points, those that count, the test points."""

    file_name, title = "comparison.csv", "Save the numbers"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns: dict[str, Scores] = {}
        self.about = ""
        self.table = QTableWidget(len(ROWS), 0)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setVerticalHeaderLabels([row[0] for row in ROWS])
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        line = self.fontMetrics().lineSpacing() + 5
        self.table.verticalHeader().setDefaultSectionSize(line)
        self.table.setMinimumHeight(8 * line)
        for number, row in enumerate(ROWS):
            self.table.verticalHeaderItem(number).setToolTip(row[3])
        self.note: QLabel = words()
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy_button)
        buttons.addWidget(self.save_button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.note)
        layout.addLayout(buttons)

    def show_scores(self, columns: Mapping[str, Scores], about: str) -> None:
        """Show these columns; ``about`` says which maps and which points, in what is saved."""
        self.columns, self.about = dict(columns), about
        if self.table.columnCount() != len(columns):
            self.table.setColumnCount(len(columns))
        self.table.setHorizontalHeaderLabels(list(columns))
        for column, scores in enumerate(columns.values()):
            for row, (_, name, kind, tip) in enumerate(ROWS):
                self._write(row, column, written(number_of(scores, name), kind), tip)
        notes = dict.fromkeys(f"{name}: {s.note}" for name, s in columns.items() if s.note)
        self.note.setText("\n".join(notes))
        self.note.setVisible(bool(notes))

    def _write(self, row: int, column: int, text: str, tip: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
            item.setToolTip(tip)
            self.table.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)

    def about_lines(self) -> tuple[str, ...]:
        """Return which maps and which points the numbers are of."""
        return (self.about,)

    def rows(self) -> list[list[str]]:
        """Return one row for each number, heads first."""
        rows = [["score", *self.columns]]
        for _, name, _, _ in ROWS:
            values = (number_of(scores, name) for scores in self.columns.values())
            rows.append([name, *map(repr, values)])
        return rows
