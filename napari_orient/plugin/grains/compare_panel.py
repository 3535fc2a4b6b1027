"""Could two maps be of one material? Their grains compared, property by property, with tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.pickers import MapPicker
from napari_orient.plugin.compare.table_out import TableOut
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import name_of, open_maps
from napari_orient.plugin.paths import file_name
from napari_orient.plugin.worker import JobBar, refusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.analysis.validation.compare import Row, Validation
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

HEADS = ("Property", "Verdict", "Reference", "Other", "Ratio, 95 %", "Distance", "p")
TIPS = (
    "What is compared", "differs: p is below 5 %", "The map at the top of the dock",
    "The map chosen on this page", "Interval for other / reference, where grains are drawn again",
    "Between the two",
    "Chance of so large a distance within one material, corrected for all tests (Holm)",
)  # fmt: skip
ABOUT = (
    "Could both maps be of one material? Grains are found with the settings above, over equal "
    "fields of view; sizes, shapes, boundaries and texture are tested."
)
SAME = "Choose another map than the one at the top."
COLUMNS = (
    "property", "measure", "reference", "other", "ratio from", "ratio to", "distance measure",
    "distance", "p", "p corrected", "verdict",
)  # fmt: skip
NONE = "–"
VERDICTS = {True: "differs", False: "not told apart", None: "not tested"}


class ComparePanel(TableOut):
    """The grains of the dock's map beside those of another one."""

    title = "Save the comparison"

    def __init__(self, viewer: Any, config: Callable[[], GrainConfig | None]) -> None:
        super().__init__()
        self.viewer = viewer
        self._config = config
        self._map: OrientationMap | None = None
        self._grains: Grains | None = None
        self._names = ("", "")
        self.found: Validation | None = None
        self.picker = MapPicker(viewer, "The map, or the volume, that is compared")
        self.compare_button = button("Compare", "Compare the grains of both maps", self.compare)
        self.bar, self.said, self.about = JobBar(), words(), words(ABOUT)
        self.table = QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels(HEADS)
        for column, tip in enumerate(TIPS):
            self.table.horizontalHeaderItem(column).setToolTip(tip)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.verticalHeader().hide()
        self._arrange()
        self.picker.changed.connect(self._on_map)
        self.bar.running.connect(lambda _: self._offer())
        self._on_map()

    def _arrange(self) -> None:
        top, below = QHBoxLayout(), QHBoxLayout()
        top.addWidget(QLabel("With"))
        top.addWidget(self.picker, 1)
        top.addWidget(self.compare_button)
        below.addWidget(self.copy_button)
        below.addWidget(self.save_button)
        below.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(top)
        for widget in (self.about, self.bar, self.said):
            layout.addWidget(widget)
        layout.addWidget(self.table, 1)
        layout.addLayout(below)

    # --- what it is of -----------------------------------------------------------------------

    def set_map(self, orientations: OrientationMap | None) -> None:
        """Compare this map, the reference."""
        if orientations is not self._map:
            self._map = orientations
            self._on_map()

    def set_grains(self, grains: Grains | None) -> None:
        """Take these grains of the map where they are what is wanted."""
        self._grains = grains

    def _on_map(self) -> None:
        self._show(None)
        self._offer()

    def _offer(self) -> None:
        other = self.picker.chosen
        same = other is not None and other is self._map
        self.about.setText(SAME if same else ABOUT)
        ready = self._map is not None and other is not None and not same
        self.compare_button.setEnabled(ready and not self.bar.is_running)

    # --- comparing ---------------------------------------------------------------------------

    def compare(self) -> None:
        """Find the grains of both maps, and compare them."""
        pair, config = (self._map, self.picker.chosen), self._config()
        if pair[0] is None or pair[1] is None or pair[0] is pair[1] or config is None:
            return
        self._show(None)

        def done(answer: tuple[Validation | None, str]) -> None:
            if pair[0] is self._map and pair[1] is self.picker.chosen:  # not others meanwhile
                self._show(*answer)

        job = refusable(_validate(pair[0], pair[1], config, self._grains))
        self.bar.run(job, text="Comparing grains", on_result=done)

    def _show(self, found: Validation | None, refusal: str = "") -> None:
        self.found = found
        rows = found.rows if found is not None else ()
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            tips = (row.measure, TIPS[1], row.measure, row.measure, TIPS[4], row.distance, TIPS[6])
            for column, (text, tip) in enumerate(zip(cells(row), tips, strict=True)):
                item = QTableWidgetItem(text)
                side = "AlignLeft" if column < 2 else "AlignRight"
                item.setTextAlignment(
                    int(getattr(Qt.AlignmentFlag, side) | Qt.AlignmentFlag.AlignVCenter)
                )
                item.setToolTip(tip)
                self.table.setItem(number, column, item)
        self.table.resizeColumnsToContents()
        said = refusal
        if found is not None:
            known = {id(one): name_of(self.viewer, one) for one in open_maps(self.viewer)}
            one, other = (known.get(id(x), "") for x in (self._map, self.picker.chosen))
            self._names = (one, other)
            self.file_name = f"{file_name(' and '.join(self._names))}.csv"
            notes = " ".join(found.notes)
            said = f"{found.verdict}\nReference: {one}. Other: {other}. {notes}".strip()
        self.said.setText(said)
        self.said.setVisible(bool(said))
        self.about.setVisible(not said)
        for out in (self.copy_button, self.save_button):
            out.setEnabled(found is not None)

    # --- out ---------------------------------------------------------------------------------

    def about_lines(self) -> tuple[str, ...]:
        """Return what was compared, and what follows."""
        if self.found is None:
            return ()
        names = (f"reference: {self._names[0]}", f"other: {self._names[1]}")
        return (*names, self.found.verdict, *self.found.notes)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return one row for each property, heads first."""
        rows: list[tuple[Any, ...]] = [COLUMNS]
        for row in self.found.rows if self.found is not None else ():
            low, high = row.ratio or (None, None)
            rows.append(
                (row.name, row.measure, row.reference, row.other, low, high, row.distance,
                 row.apart, row.p, row.p_corrected, VERDICTS[row.differs])
            )  # fmt: skip
        return rows


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as it is read."""
    ratio = f"{row.ratio[0]:.2f} to {row.ratio[1]:.2f}" if row.ratio is not None else NONE
    return (
        row.name[:1].upper() + row.name[1:], VERDICTS[row.differs], _number(row.reference),
        _number(row.other), ratio, _number(row.apart), _chance(row.p_corrected),
    )  # fmt: skip


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3g}"


def _chance(p: float | None) -> str:
    return NONE if p is None else f"{p:.3f}"


def _validate(
    reference: OrientationMap, other: OrientationMap, config: GrainConfig, known: Grains | None
) -> Job[Validation]:
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.analysis.validation.compare import compare_materials
    from napari_orient.analysis.validation.views import equal_views

    one, two, said = equal_views(reference, other)
    if known is None or known.orientations is not one or known.config != config:
        known = yield from find_grains(one, config)
    grains = yield from find_grains(two, config)
    try:
        found = yield from compare_materials(known, grains)
    except ValueError as error:  # too few grains, perhaps of what is left after cropping
        raise ValueError(" ".join((str(error), *said))) from error
    return replace(found, notes=(*said, *found.notes))
