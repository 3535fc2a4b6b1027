"""What do the columns of a text file mean? A dialog with the first rows, and what follows from it.

It shows what the names and the numbers say; the user corrects it and says which crystals the phase
numbers are. :attr:`ColumnPicker.chosen` opens the file.
"""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.vendors.open import FRAMES
from napari_orient.data.vendors.text_maps import (
    ROLES,
    ColumnChoice,
    TextTable,
    angle_unit_of,
    describe_choice,
    not_indexed_numbers,
)
from napari_orient.plugin.load.phase_picker import ARROW, PhasePicker
from napari_orient.plugin.view import scrolling

PREVIEW = 20  # rows
LEFT_OUT, PROPERTY = "", "property"
_WORDS = {
    "x": "x (right)", "y": "y (down)", "phi1": "φ₁", "Phi": "Φ", "phi2": "φ₂",
    "q0": "q₀ (scalar)", "q1": "q₁ (x)", "q2": "q₂ (y)", "q3": "q₃ (z)", "phase": "phase",
}  # fmt: skip


class ColumnPicker(QDialog):
    """Asks what the columns of a text file are.

    Parameters
    ----------
    table
        The file's rows.
    guess
        What is shown at first.
    """

    def __init__(
        self, table: TextTable, guess: ColumnChoice, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("What is in the columns?")
        self._table = table
        self._not_indexed = guess.not_indexed
        rows, columns = table.values.shape
        said = QLabel(
            f"<b>{table.path.name}</b> has {rows} rows of {columns} columns. Choose what each one "
            "is, and which crystals the phases are."
        )
        said.setWordWrap(True)
        self._build_table(guess)
        self._build_form(guess)
        self.phases = PhasePicker(guess.phases)
        self.phases.changed.connect(self._on_changed)
        self.check = QLabel()
        self.check.setWordWrap(True)
        self.check.setMinimumHeight(2 * self.check.fontMetrics().lineSpacing())
        layout = QVBoxLayout(self)
        layout.addWidget(said)
        layout.addWidget(self.preview, 1)
        layout.addLayout(self._form)
        self._scroll = scrolling(self.phases)
        layout.addWidget(self._scroll)
        layout.addWidget(self.check)
        layout.addWidget(self._build_buttons())
        self.resize(940, 660)
        self._on_columns()

    # --- building --------------------------------------------------------------------------------

    def _build_table(self, guess: ColumnChoice) -> None:
        values, names = self._table.values[:PREVIEW], self._table.names
        self.preview = QTableWidget(len(values) + 1, len(names))
        self.preview.setHorizontalHeaderLabels(list(names))
        self.preview.setVerticalHeaderLabels(
            ["is", *(str(line) for line in self._table.lines[:PREVIEW])]
        )
        self.preview.verticalHeader().setToolTip("Lines of the file")
        self.preview.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.preview.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.roles: list[QComboBox] = []
        for column, role in enumerate(guess.columns):
            box = self._role_box(names[column], role)
            self.preview.setCellWidget(0, column, box)
            self.roles.append(box)
            for row, value in enumerate(values[:, column], start=1):
                item = QTableWidgetItem("" if value != value else f"{value:.7g}")
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.preview.setItem(row, column, item)
        self.preview.resizeColumnsToContents()
        for column, box in enumerate(self.roles):
            width = max(self.preview.columnWidth(column), box.sizeHint().width() + ARROW)
            self.preview.setColumnWidth(column, width)
        self.preview.setRowHeight(0, self.roles[0].sizeHint().height() + 4)

    def _role_box(self, name: str, role: str) -> QComboBox:
        box = QComboBox()
        box.setToolTip(f"What the column {name!r} is")
        box.addItem("left out", LEFT_OUT)
        for key in ROLES:
            box.addItem(_WORDS[key], key)
        box.addItem("property", PROPERTY)
        known = role in ROLES or role == LEFT_OUT
        box.setCurrentIndex(box.findData(role if known else PROPERTY))
        box.activated.connect(self._on_columns)
        return box

    def _build_form(self, guess: ColumnChoice) -> None:
        self.angle_unit = self._list(
            {"degrees": "degrees", "radians": "radians"}, guess.angle_unit,
            "Unit of the Euler angles; guessed from their range",
        )  # fmt: skip
        self.unit = self._list({"um": "µm", "nm": "nm"}, guess.unit, "Unit of x and y")
        self.quaternions = self._list(
            {"lab2crystal": "from map to crystal (orix)", "crystal2lab": "from crystal to map"},
            guess.quaternions,
            "What a quaternion turns: DAMASK and MTEX write the second kind. A wrong choice gives "
            "each crystal the inverse orientation.",
        )
        self.frame = self._list(
            {name: words.partition(": ")[2] for name, (_, words) in FRAMES.items()}, guess.frame,
            "Where the axes of the Euler angles point on the map; the file does not say it",
        )  # fmt: skip
        self.crystal = self._list(
            {"a": "x ∥ a (EDAX, orix)", "a*": "x ∥ a* (Oxford, Bruker)"}, guess.crystal_axes,
            "The crystal's x axis for hexagonal and trigonal lattices, 30° apart about c",
        )  # fmt: skip
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for label, field in (
            ("Angles in", self.angle_unit), ("Quaternions turn", self.quaternions),
            ("x and y in", self.unit), ("Euler axes", self.frame), ("Crystal axes", self.crystal),
        ):  # fmt: skip
            self._form.addRow(label, field)

    def _list(self, words: dict[str, str], chosen: str, tooltip: str) -> QComboBox:
        made = QComboBox()
        made.setToolTip(tooltip)
        for name, text in words.items():
            made.addItem(text, name)
        made.setCurrentIndex(made.findData(chosen))
        made.activated.connect(self._on_changed)
        return made

    def _build_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.open = buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.open.setText("Open")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    # --- choices ---------------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[str, ...]:
        """What each column is, as in :class:`ColumnChoice`."""
        made = []
        for name, box in zip(self._table.names, self.roles, strict=True):
            role = box.currentData()
            # a property may not take the name of a role: "x" would be a position
            own = f"{name} (property)" if name in ROLES else name
            made.append(own if role == PROPERTY else role)
        return tuple(made)

    @property
    def chosen(self) -> ColumnChoice:
        """All that was chosen."""
        return ColumnChoice(
            columns=self.columns,
            angle_unit=self.angle_unit.currentData(),
            unit=self.unit.currentData(),
            phases=self.phases.chosen,
            not_indexed=tuple(sorted({*self._not_indexed, *self.phases.not_indexed})),
            frame=self.frame.currentData(),
            crystal_axes=self.crystal.currentData(),
            quaternions=self.quaternions.currentData(),
        )

    def _on_columns(self, *_: object) -> None:
        """Guess anew what depends on the columns."""
        columns = self.columns
        if {"phi1", "Phi", "phi2"} <= set(columns):
            unit = angle_unit_of(self._table, columns)
            self.angle_unit.setCurrentIndex(self.angle_unit.findData(unit))
        self._not_indexed = not_indexed_numbers(self._table, columns)
        euler, quaternion = "phi1" in columns, "q0" in columns
        for field, shown in ((self.angle_unit, euler), (self.quaternions, quaternion)):
            field.setVisible(shown)
            self._form.labelForField(field).setVisible(shown)
        self.phases.show_numbers(self._table, columns, self._not_indexed)
        self.phases.layout().activate()
        self._scroll.setFixedHeight(min(170, self.phases.sizeHint().height() + 8))
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        words, complete = describe_choice(self._table, self.chosen)
        words = words.replace(" um", " µm").replace(" x ", " × ")
        self.check.setText(f"{words[:1].upper()}{words[1:]}.")
        self.open.setEnabled(complete)
