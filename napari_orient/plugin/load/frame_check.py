"""Which axes do the map's own twins, or another map, speak for? A dialog beside the Load dock.

It ranks, and applies nothing by itself: "Use this" hands the chosen row on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFont
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_orient.analysis.frames import check_frame
from napari_orient.analysis.reference import compare_frames, verdict
from napari_orient.analysis.twins import laws_for
from napari_orient.data.sections import section_of
from napari_orient.data.vendors.reframe import has_hexagonal
from napari_orient.plugin.load.frame_words import (
    ABOUT,
    AS_IT_IS,
    REFERENCE_HEADERS,
    REFERENCE_TIPS,
    TWIN_HEADERS,
    TWIN_TIPS,
    Row,
    reference_rows,
    shape_words,
    turn_words,
    twin_rows,
)
from napari_orient.plugin.maps.layers import name_of, open_maps
from napari_orient.plugin.sessions import get_session
from napari_orient.plugin.worker import JobBar

if TYPE_CHECKING:
    from napari_orient.analysis.turns import Turn
    from napari_orient.data.maps import OrientationMap

# what was measured of a map's conventions, for its note when one of them is chosen
_measured: WeakKeyDictionary[OrientationMap, dict[tuple[str, str, Turn], str]] = WeakKeyDictionary()


def measured_of(
    orientations: OrientationMap, frame: str, crystal_axes: str, turn: Turn = AS_IT_IS
) -> str:
    """Return what the last check of a map measured of a convention, or ""."""
    return _measured.get(orientations, {}).get((frame, crystal_axes, turn), "")


class FrameCheckDialog(QDialog):
    """Ranks the axes that a map's file may mean; emits ``chosen(frame, crystal axes, Turn)``."""

    chosen = Signal(str, str, object)

    def __init__(
        self, viewer: Any, orientations: OrientationMap, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.viewer, self._map = viewer, orientations
        self.rows: list[Row] = []
        self.setWindowTitle(f"Axes of {name_of(viewer, orientations)}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._build()
        self.resize(860, 580)
        self.start()

    # --- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        about = QLabel(ABOUT)
        self.law = self._laws()
        self.reference = self._references()
        form = QFormLayout()
        form.addRow("&Twins", self.law)
        form.addRow("&Reference", self.reference)
        self.verdict = QLabel()
        self.verdict.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.why_not = QLabel()
        self.shapes = QLabel()
        scan = get_session(self.viewer).scan
        if scan is not None:
            self.shapes.setText(shape_words(self._map.shape, scan.shape))
        self.shapes.setVisible(bool(self.shapes.text()))
        for label in (about, self.shapes, self.verdict, self.why_not):
            label.setWordWrap(True)
        self.table = _table()
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.bar = JobBar(self)
        self.bar.failed.connect(lambda error: self._show([], str(error)))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.use = self.buttons.addButton("&Use this", QDialogButtonBox.ButtonRole.ApplyRole)
        self.use.setToolTip("Read the map with the axes of the chosen row")
        self.use.clicked.connect(self._on_use)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(about)
        layout.addLayout(form)
        layout.addWidget(self.shapes)
        layout.addWidget(self.verdict)
        layout.addWidget(self.table, 1)
        for widget in (self.why_not, self.bar, self.buttons):
            layout.addWidget(widget)

    def _laws(self) -> QComboBox:
        """List the twin laws of all phases, those of the commonest phase first."""
        combo = QComboBox()
        combo.setToolTip("Which twins are looked for: the plane K1 and the misorientation")
        points = {n: int((self._map.phase_id == n).sum()) for n in self._map.phases}
        for number in sorted(points, key=lambda n: -points[n]):
            phase = self._map.phases[number]
            for law in laws_for(phase):
                combo.addItem(f"{phase.name} {law.name}", {number: law})
        if not combo.count():
            combo.addItem("no twin law is known for these phases", {})
            combo.setEnabled(False)
        combo.activated.connect(self._on_law)
        return combo

    def _references(self) -> QComboBox:
        combo = QComboBox()
        combo.setToolTip(
            "Another open map of the same place and step, whose axes are right: conventions, flips "
            "and shifts are then ranked by the misorientation to it"
        )
        combo.addItem("none: by the twins alone", None)
        for other in open_maps(self.viewer):
            if other is not self._map:
                combo.addItem(name_of(self.viewer, other), other)
        combo.setEnabled(combo.count() > 1)
        combo.activated.connect(self.start)
        return combo

    # --- checking --------------------------------------------------------------------------------

    def _on_law(self, _: int) -> None:
        self.reference.setCurrentIndex(0)
        self.start()

    def start(self, _: int = 0) -> None:
        """Check with what is chosen."""
        other = self.reference.currentData()
        self._show([], "Checking …")
        if other is None:
            job = check_frame(self._map, self.law.currentData() or {})
            self.bar.run(job, text="Looking for twins", on_result=self._show_twins)
            return
        name, shown = self.reference.currentText(), self._section()
        job = compare_frames(section_of(self._map, shown), section_of(other, shown))

        def show(matches: Any) -> None:
            rows = reference_rows(matches, self._map, name)
            self._show(rows, verdict(matches), (REFERENCE_HEADERS, REFERENCE_TIPS))

        self.bar.run(job, text=f"Comparing with {name}", on_result=show)

    def _section(self) -> int:
        """Return the section of a volume that the window shows."""
        return int(self.viewer.dims.current_step[0]) if len(self._map.shape) == 3 else 0

    def _show_twins(self, check: Any) -> None:
        said = f"{check.twins}: {check.verdict}" if check.twins else check.verdict
        self._show(twin_rows(check, self._map), said)

    def _show(
        self,
        rows: list[Row],
        said: str,
        headers: tuple[tuple[str, ...], tuple[str, ...]] = (TWIN_HEADERS, TWIN_TIPS),
    ) -> None:
        self.rows = rows
        self.verdict.setText(f"<b>{said}</b>")
        _fill(self.table, rows, *headers, crystal=has_hexagonal(self._map))
        known = {
            (r.frame, r.crystal_axes, r.turn): r.measured for r in reversed(rows) if not r.obstacle
        }
        if known:
            _measured.setdefault(self._map, {}).update(known)
        self._on_selected()

    # --- choosing --------------------------------------------------------------------------------

    def _selected(self) -> Row | None:
        found = self.table.selectionModel().selectedRows()
        return self.rows[found[0].row()] if found and self.rows else None

    def _on_selected(self) -> None:
        row = self._selected()
        said = "" if row is None else row.obstacle
        if row is not None and row.current:
            said = "The map is read with these axes now."
        self.why_not.setText(said or ("" if row is None else turn_words(row.turn)))
        self.use.setEnabled(row is not None and not said)

    def _on_use(self) -> None:
        row = self._selected()
        if row is not None:
            self.chosen.emit(row.frame, row.crystal_axes, row.turn)
            self.accept()

    def done(self, result: int) -> None:
        """Stop the work when the dialog closes: Qt calls."""
        self.bar.cancel()
        super().done(result)


def _table() -> QTableWidget:
    table = QTableWidget()
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.verticalHeader().hide()
    return table


def _fill(
    table: QTableWidget,
    rows: list[Row],
    headers: tuple[str, ...],
    tips: tuple[str, ...],
    *,
    crystal: bool,
) -> None:
    """Write rows; the numbers of a group stand once, beside all of its conventions."""
    table.clearSpans()
    table.clear()
    table.setRowCount(len(rows))
    table.setColumnCount(len(headers))
    table.setHorizontalHeaderLabels(headers)
    for column, tip in enumerate(tips):
        table.horizontalHeaderItem(column).setToolTip(tip)
    for number, row in enumerate(rows):
        for column, words in enumerate(row.cells):
            item = QTableWidgetItem(words)
            if row.current:
                bold = QFont(item.font())
                bold.setBold(True)
                item.setFont(bold)
                item.setToolTip("The map is read with these axes now")
            table.setItem(number, column, item)
    if crystal or not rows:
        table.showColumn(1)
    else:
        table.hideColumn(1)
    _join_groups(table, rows)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setStretchLastSection(True)


def _join_groups(table: QTableWidget, rows: list[Row]) -> None:
    start = 0
    while start < len(rows):
        same = [row for row in rows[start:] if row.group == rows[start].group]
        if len(same) > 1:
            for column in range(2, table.columnCount()):
                if len({row.cells[column] for row in same}) == 1:
                    table.setSpan(start, column, len(same), 1)
        start += len(same)
