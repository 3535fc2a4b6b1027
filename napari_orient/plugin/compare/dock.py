"""How far can this map be trusted? The Compare dock: errors between two maps, point by point.

Two maps are compared once, in a job. What follows the sliders (the layer, the numbers, the plot) is
worked out in threads, the newest wish first, so that nothing waits for anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error as notify
from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QGridLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from napari_orient.analysis.errors import compare_maps
from napari_orient.analysis.scores import Scores, score
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.field_form import FieldForm
from napari_orient.plugin.compare.fields import ErrorField, error_layer, picture, show_error
from napari_orient.plugin.compare.marker import move_marker, remove_marker
from napari_orient.plugin.compare.mask_panel import MaskPanel
from napari_orient.plugin.compare.numbers import NumbersPanel
from napari_orient.plugin.compare.pickers import MapPicker
from napari_orient.plugin.compare.plot_panel import PlotPanel
from napari_orient.plugin.compare.point import crystals_at, short_errors
from napari_orient.plugin.compare.point_panel import PointPanel
from napari_orient.plugin.compare.selection import Selection, tested_points
from napari_orient.plugin.compare.spots import SpotDrawer, take_off
from napari_orient.plugin.compare.worst_bar import WorstBar
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.layers import index_at, kind_of
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import map_layers, name_of, open_maps
from napari_orient.plugin.sessions import Dock, follow, follow_clicks
from napari_orient.plugin.view import fill_scrolling, scrolling, shows_all
from napari_orient.plugin.worker import JobBar, refusable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.errors import Comparison
    from napari_orient.plugin.compare.point import Index

EMPTY = (
    "Choose two maps of one grid: the reference, which is believed, and the map whose errors are "
    "asked for. Open them with File > Open, or index the scan."
)
SAME = "Reference and map are the same: choose another one."
LEAST = 480  # px high: below it the pattern above would take all the room
WIDTH = 460  # px: in a narrower one the buttons would be cut off, as it does not scroll sideways
PAGE = 350  # px high: a page is seen as a whole where the dock is low and scrolls
PICTURES = ("navigator", "ipf", "property", "virtual")  # kinds of layers
ALL, FILTERED, TEST = "all", "filtered", "test"


@dataclass(frozen=True, eq=False)
class _Look:
    """What is to be shown: errors of a kind, and the points that count."""

    comparison: Comparison
    field: ErrorField
    selection: Selection


@dataclass(frozen=True, eq=False)
class _Seen:
    """The points (y, x) that count, the picture, and how many of the comparable points count."""

    mask: NDArray[np.bool_]
    image: NDArray[np.float32]
    kept: int
    comparable: int


class CompareDock(Dock):
    """The Compare dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.comparison: Comparison | None = None
        self.seen: _Seen | None = None
        self._fixed: dict[str, Scores] = {}
        self._view = Live(_look, self, name="orient-compare")
        self._view.answered.connect(self._show_look)
        self._view.failed.connect(lambda _, error: notify(f"No error map: {error}"))
        self._sums = Live(_sum_up, self, name="orient-compare-scores")
        self._sums.answered.connect(self._show_scores)
        self._sums.failed.connect(lambda _, error: notify(f"No scores: {error}"))
        self._build()
        self._connect()
        at_end(self, take_off, self.session)
        self._offer()

    # --- building ----------------------------------------------------------------------------

    def _build(self) -> None:
        self.reference = MapPicker(self.viewer, "The map that is believed")
        self.other = MapPicker(self.viewer, "The map whose errors are asked for")
        self.run = button("Compare", "Compare the two maps, point by point", self.compare)
        self.swap = button("Swap", "Let the two maps change their parts", self._swap)
        self.bar, self.said = JobBar(), words(EMPTY)
        self.fields = FieldForm(self.viewer)
        self.masks = MaskPanel(self.viewer, self.session)
        self.worst = WorstBar(self.viewer)
        self.worst.add_shortcuts(self)
        self.numbers, self.plots = NumbersPanel(), PlotPanel()
        self.point = PointPanel(self.worst)
        self.spots = SpotDrawer(self.session, self)
        self.tabs = QTabWidget()
        self._point_page = scrolling(self.point)  # long; the other pages need not be
        for name, panel in (
            ("Numbers", self.numbers), ("Plots", self.plots), ("Point", self._point_page)
        ):  # fmt: skip
            self.tabs.addTab(panel, name)
        self.tabs.setMinimumHeight(PAGE)
        self._arrange()

    def _arrange(self) -> None:
        form = QGridLayout()
        form.addWidget(QLabel("Reference"), 0, 0)
        form.addWidget(self.reference, 0, 1)
        form.addWidget(self.swap, 0, 2)
        form.addWidget(QLabel("Map"), 1, 0)
        form.addWidget(self.other, 1, 1)
        form.addWidget(self.run, 1, 2)
        form.setColumnStretch(1, 1)
        self.result = QWidget()
        below = QVBoxLayout(self.result)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(6)
        for widget in (self.fields, self.masks):
            below.addWidget(widget)
        below.addWidget(self.tabs, 1)
        self.result.hide()
        inside = QVBoxLayout()
        inside.addLayout(form)
        inside.addWidget(self.bar)
        inside.addWidget(self.said)
        inside.addWidget(self.result, 1)
        self._scroll = fill_scrolling(self, inside, 6)
        self.setMinimumSize(WIDTH, LEAST)

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(WIDTH, 800)

    def _connect(self) -> None:
        for picker in (self.reference, self.other):
            picker.changed.connect(self._offer)
        self.fields.changed.connect(self.look)
        self.masks.changed.connect(self.look)
        self.worst.went.connect(self.go_to)
        self.point.chosen.connect(lambda _: self._draw_spots())
        self.spots.refused.connect(self._say_spots)
        self.tabs.tabBarClicked.connect(self._scroll_to_page)
        follow(self, self.viewer.cursor.events.position, self._on_cursor)
        follow(self, self.viewer.events.status, self._on_status, position="last")
        follow_clicks(self, self.viewer, self._on_clicked)
        follow(self, self.session.events.shown, self._draw_spots)
        follow(self, self.session.events.scan, self._draw_spots)
        follow(self, self.viewer.layers.events.removed, self._on_removed)

    # --- two maps ----------------------------------------------------------------------------

    def _offer(self) -> None:
        """Say what is missing before two maps can be compared."""
        first, second = self.reference.chosen, self.other.chosen
        ready = first is not None and second is not None and first is not second
        self.run.setEnabled(ready)
        self.swap.setEnabled(first is not None or second is not None)
        shown = self.comparison
        if ready and shown is not None and (shown.reference, shown.other) == (first, second):
            self.said.setText(" ".join(shown.notes))
        elif ready:
            self.said.setText("Press Compare." + self._still())
        else:
            same = first is not None and first is second
            self.said.setText((SAME if same else EMPTY) + self._still())
        self.said.setVisible(bool(self.said.text()))

    def _still(self) -> str:
        """Say which maps the numbers below belong to, where the chosen ones are others."""
        return f" Below, still: {self._names()}." if self.comparison is not None else ""

    def _swap(self) -> None:
        first, second = self.reference.chosen, self.other.chosen
        self.reference.choose(second)
        self.other.choose(first)

    def compare(self) -> None:
        """Compare the two maps that are chosen."""
        first, second = self.reference.chosen, self.other.chosen
        if first is None or second is None or first is second:
            return
        job = refusable(compare_maps(first, second))
        self.bar.run(job, text="Comparing", on_result=self._on_compared)

    def _on_compared(self, answer: tuple[Comparison | None, str]) -> None:
        comparison, refusal = answer
        if comparison is None:
            self.said.setText(refusal + self._still())
            self.said.show()
            return
        if not self._is_open(comparison):  # closed meanwhile
            return
        self.comparison, self.seen, self._fixed = comparison, None, {}
        self._offer()
        self.masks.set_comparison(comparison)
        self.point.set_comparison(comparison)
        remove_marker(self.viewer)
        self.result.show()
        self.look()
        self._draw_spots()

    def _on_removed(self, event: Any) -> None:
        """Forget the result when no layer shows one of its maps: nothing is left to judge."""
        if self.comparison is not None and not self._is_open(self.comparison):
            self._forget()

    def _is_open(self, comparison: Comparison) -> bool:
        maps = (comparison.reference, comparison.other)
        return any(one is shown for one in maps for shown in open_maps(self.viewer))

    def _forget(self) -> None:
        self._view.forget()
        self._sums.forget()
        self.comparison, self.seen, self._fixed = None, None, {}
        self.result.hide()
        # not while napari removes layers one after the other
        QTimer.singleShot(0, partial(remove_marker, self.viewer))
        self._draw_spots()
        self._offer()

    def _names(self) -> str:
        """Return "map against reference", by the names of the layers."""
        comparison = self.comparison
        if comparison is None:
            return ""
        first, second = (name_of(self.viewer, m) for m in (comparison.reference, comparison.other))
        return f"{second} against {first}"

    # --- what is shown -----------------------------------------------------------------------

    def look(self) -> None:
        """Show the chosen error over the points that count."""
        if self.comparison is not None:
            look = _Look(self.comparison, self.fields.field, self.masks.selection())
            self._view.request(look)

    def _show_look(self, look: _Look, seen: _Seen) -> None:
        if look.comparison is not self.comparison:
            return
        self.seen = seen
        selected = look.selection.words
        before = error_layer(self.viewer)
        layer = show_error(self.viewer, look.comparison, look.field, seen.image, selected)
        if layer is not before:
            self._uncover(layer)
        self.fields.watch(layer)
        self.masks.show_kept(seen.kept, seen.comparable)
        self.worst.set_errors(seen.image, look.field)
        about = f"{self._names()}; {selected}"
        self.plots.show_errors(look.comparison, seen.mask, look.field, about)
        self._sums.request((look.comparison, seen.mask, self._fixed, about))

    def _uncover(self, layer: Any) -> None:
        """Hide the other pictures at first: they would shine through where points are left out."""
        for other in self.viewer.layers:
            if other is not layer and kind_of(other) in PICTURES:
                other.visible = False

    def _show_scores(self, request: Any, columns: dict[str, Scores]) -> None:
        comparison, _, _, about = request
        if comparison is self.comparison:
            self._fixed = {name: s for name, s in columns.items() if name != FILTERED}
            self.numbers.show_scores(columns, about)

    # --- one point ---------------------------------------------------------------------------

    def index_under_mouse(self) -> Index | None:
        """Return the point of the compared maps under the mouse, or None."""
        if self.comparison is None or not self.in_front:
            return None
        layers = [
            error_layer(self.viewer),
            *map_layers(self.viewer, self.comparison.other),
            *map_layers(self.viewer, self.comparison.reference),
        ]
        shape = self.comparison.valid.shape
        for layer in layers:
            if layer is not None:
                index = index_at(self.viewer, layer, self.viewer.cursor.position)[-len(shape) :]
                inside = all(0 <= i < n for i, n in zip(index, shape, strict=True))
                return index if inside else None
        return None

    def _on_cursor(self, event: Any = None) -> None:
        if self.comparison is not None and self.in_front and self.point.isVisible():
            self.point.tell(self.index_under_mouse())

    def _on_status(self, event: Any) -> None:
        """Add the errors to what the status bar says about the map under the mouse."""
        said, index = event.value, self.index_under_mouse()
        if index is None or not isinstance(said, str) or "  ·  " not in said:
            return
        errors = short_errors(self.comparison, index)
        if not said.startswith(errors):
            self.viewer.status = f"{errors}  ·  {said}"

    def _on_clicked(self) -> None:
        active = self.viewer.layers.selection.active
        if active is not None and str(active.mode) not in ("pan_zoom", "select"):
            return  # the user draws
        if (index := self.index_under_mouse()) is not None:
            self.pin(index)

    def _scroll_to_page(self, *_: Any) -> None:
        self._scroll.ensureWidgetVisible(self.tabs, 0, 0)

    def go_to(self, index: Index) -> None:
        """Show a point, in the middle of the canvas where the view is zoomed in."""
        self.pin(index)
        layer = error_layer(self.viewer)
        if layer is None:
            return
        above = len(index) - 2  # of a volume: its slice
        self.viewer.dims.set_point(range(above), layer.data_to_world(index)[:above])
        if shows_all(self.viewer):
            return
        centre = np.array(self.viewer.scene.camera.center, float)
        centre[-2:] = layer.data_to_world(index)[-2:]
        self.viewer.scene.camera.center = tuple(centre)

    def pin(self, index: Index) -> None:
        """Show the crystals and the spots of a point."""
        if self.comparison is None:
            return
        self.point.pin(index)
        self.tabs.setCurrentWidget(self._point_page)
        self._scroll_to_page()
        move_marker(self.viewer, self.comparison.other, index)
        if self._scan_fits():
            self.session.shown = (index[0], index[1])
        self._draw_spots()

    # --- spots on the pattern ----------------------------------------------------------------

    def _scan_fits(self) -> bool:
        scan, comparison = self.session.scan, self.comparison
        return scan is not None and comparison is not None and scan.scan_shape == comparison.shape

    def _draw_spots(self, *_: Any) -> None:
        """Draw the spots of both maps on the pattern that is shown."""
        comparison, scan = self.comparison, self.session.scan
        at = self.session.shown if self.session.shown is not None else self.point.index
        if comparison is None or not self.in_front:
            self.spots.clear()
        elif scan is None or not self._scan_fits():
            self.spots.clear()
            self._say_spots("No spots: no scan on the grid of these maps is open.")
        elif at is not None and all(0 <= i < n for i, n in zip(at, scan.scan_shape, strict=True)):
            crystals = crystals_at(comparison, at)
            candidate = self.point.candidate()
            if candidate is not None and at == self.point.index:
                crystals["candidate"] = candidate
            self.spots.draw(scan, (at[0], at[1]), crystals)

    def _say_spots(self, said: str) -> None:
        self.point.spots.setText(said)
        self.point.spots.setVisible(bool(said))

    def attend(self, on: bool) -> None:
        """Draw spots and plot, or leave the pattern to the docks in front."""
        self._draw_spots()
        self.plots.set_active(on)


def _look(look: _Look) -> _Seen:
    mask, valid = look.selection.mask(look.comparison), look.comparison.valid
    image = picture(look.comparison, look.field, mask)
    return _Seen(mask, image, int((mask & valid).sum()), int(valid.sum()))


def _sum_up(request: Any) -> dict[str, Scores]:
    """Return the scores in columns; those of all and of the test points are known after once."""
    comparison, mask, fixed, _ = request
    columns = {ALL: fixed.get(ALL) or score(comparison), FILTERED: score(comparison, mask)}
    test = tested_points(comparison)
    if test is not None:
        columns[TEST] = fixed.get(TEST) or score(comparison, test)
    return columns
