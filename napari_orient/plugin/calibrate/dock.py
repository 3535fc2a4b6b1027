"""Are the numbers of the scan right? The Calibrate dock: beam, camera, rotation, and their file.

Everything changes a draft that is drawn on the pattern at once. Apply makes it the calibration of
the scan, Undo brings back the one before.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.regions import region_pattern
from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
from napari_orient.jobs import Partial
from napari_orient.plugin.calibrate import overlay as overlays
from napari_orient.plugin.calibrate.bench import NO_SCAN, Bench
from napari_orient.plugin.calibrate.centre import CentrePanel
from napari_orient.plugin.calibrate.fields import DraftForm, words
from napari_orient.plugin.calibrate.rings import RingsPanel
from napari_orient.plugin.calibrate.rotation import RotationPanel
from napari_orient.plugin.calibrate.sidecar import SidecarOffer, SidecarPanel
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.calibration_form import measured_words
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.scan_layers import undo_last
from napari_orient.plugin.sessions import Dock, follow, follow_clicks
from napari_orient.plugin.view import scrolling
from napari_orient.plugin.worker import JobBar

SOURCES = {
    "At a click on the scan": "click",
    "Mean of the region": "mean",
    "Maximum of the region": "max",
}
OVERLAY = "calibrate"  # its name in the session
DRAWN = 25  # ms between two overlays while a number is moved


class CalibrateDock(Dock):
    """The Calibrate dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.bar, self.reading = JobBar(), JobBar()
        self.bench = Bench(self.viewer, self.session, self.bar, self)
        self._chosen = False  # has the user said what is drawn?
        self._clicked: tuple[int, int] | None = None
        self._late = False  # is a pattern to be read, once the dock is seen?
        self._live = Live(_read_pattern, self, name="orient-calibrate")
        self._live.answered.connect(self._on_pattern)
        self._live.failed.connect(self._on_failed)
        self._build()
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(DRAWN)
        self._redraw.timeout.connect(self._draw)
        self._connect()
        self._on_scan(self.session.scan)

    # --- building ----------------------------------------------------------------------------

    def _build(self) -> None:
        self.source = QComboBox()
        self.source.addItems(list(SOURCES))
        self.source.setToolTip(
            "Which pattern is measured: the one of the last click on the scan, or the mean or "
            "maximum over the region drawn on the scan (without a region: the whole scan)"
        )
        self.shown = QComboBox()
        self.shown.addItems(list(overlays.CHOICES))
        self.shown.setCurrentText(overlays.NOTHING)  # as on the first tab
        self.shown.setToolTip("What is drawn on the pattern of the Pattern dock, from the draft")
        self.told = words()
        self.form = DraftForm(self.bench)
        self.centre = CentrePanel(self.bench)
        self.rings = RingsPanel(self.bench)
        self.rotation = RotationPanel(self.bench)
        self.sidecar = SidecarPanel(self.bench)
        self.offer = SidecarOffer(self.bench, self.sidecar)
        self.tabs = QTabWidget()
        self.tabs.setUsesScrollButtons(True)
        for widget, name in (
            (self.centre, "Centre"), (self.rings, "Rings"),
            (self.rotation, "Rotation"), (self.sidecar, "File"),
        ):  # fmt: skip
            self.tabs.addTab(widget, name)
        self.changes = words()
        self.apply = button(
            "Apply", "Make the changes the calibration of the scan (Ctrl+Return)", self.bench.apply
        )
        self.apply.setShortcut("Ctrl+Return")
        self.discard = button("Discard", "Forget the changes", self.bench.discard)
        self.undo = button("Undo", "Bring back the scan before the last change", self._undo)
        self._arrange()

    def _arrange(self) -> None:
        top, last = QGridLayout(), QHBoxLayout()
        for row, (text, box) in enumerate((("Pattern", self.source), ("Drawn", self.shown))):
            label = QLabel(text)
            label.setBuddy(box)
            top.addWidget(label, row, 0)
            top.addWidget(box, row, 1)
        top.setColumnStretch(1, 1)
        for widget in (self.apply, self.discard, self.undo):
            last.addWidget(widget)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.offer)
        layout.addLayout(top)
        for widget in (self.reading, self.told, self.form, self.tabs):
            layout.addWidget(widget)
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolling(inner), 1)
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        foot.addWidget(self.bar)
        foot.addWidget(self.changes)
        foot.addLayout(last)
        outer.addLayout(foot)
        self.setMinimumHeight(340)  # else the pattern above would leave a slit

    def _connect(self) -> None:
        events = self.session.events
        follow(self, events.scan, self._on_scan)
        follow(self, events.region, self._on_region)
        follow(self, events.orientation_map, self._on_map)
        self.source.currentIndexChanged.connect(self.refresh)
        self.shown.currentIndexChanged.connect(self._ask_drawing)
        self.shown.activated.connect(self._on_chosen)
        self.tabs.currentChanged.connect(self._on_tab)
        self.rings.phases.changed.connect(self._ask_drawing)
        self.rings.reach.valueChanged.connect(self._ask_drawing)
        for signal in (self.bench.draftChanged, self.bench.patternChanged):
            signal.connect(self._ask_drawing)
        self.bench.draftChanged.connect(self._show_changes)
        follow_clicks(self, self.viewer, self._on_canvas_clicked)
        at_end(self, self.session.draw, OVERLAY, None)

    def sizeHint(self) -> QSize:
        """Return the room that is wanted beside other docks: Qt calls."""
        return QSize(340, 680)

    def _on_canvas_clicked(self) -> None:
        self._clicked = self.session.cursor
        if self._mode() == "click":
            self._read_clicked()

    def attend(self, on: bool) -> None:
        """Draw, and read what was asked for meanwhile, or leave the pattern to docks in front."""
        if on and self._late:
            self._read_clicked() if self._mode() == "click" else self.refresh()
        self._ask_drawing()

    def _read_clicked(self) -> None:
        self._late = not self.in_front
        if not self._late:
            self._ask(self._clicked)

    # --- the session -------------------------------------------------------------------------

    def _on_scan(self, scan: Scan | None) -> None:
        before = self.bench.scan
        self._live.forget()
        self.bench.set_scan(scan)
        for widget in (self.source, self.shown, self.form, self.tabs):
            widget.setEnabled(scan is not None)
        if before is None or scan is None or scan.phase != before.phase:
            self._on_map()
        self._show_changes()
        if scan is None:
            self.reading.cancel()
            self.told.setText(NO_SCAN)
        elif self.bench.pattern is None:
            self.refresh()

    def _on_map(self, orientations: Any = None) -> None:
        scan = self.session.scan
        self.rings.phases.offer(scan.phase if scan else None, self.session.orientation_map)
        self._ask_drawing()

    def _on_region(self, region: Any) -> None:
        if self._mode() != "click":
            self.refresh()

    def _on_tab(self, index: int) -> None:
        """Draw what belongs to a tab, unless the user has chosen what is drawn."""
        drawn = {self.rings: overlays.RINGS, self.rotation: overlays.AXES}
        if not self._chosen and self.tabs.widget(index) is not self.sidecar:
            self.shown.setCurrentText(drawn.get(self.tabs.widget(index), overlays.NOTHING))

    def _on_chosen(self, *_: Any) -> None:
        self._chosen = True

    # --- the pattern -------------------------------------------------------------------------

    def _mode(self) -> str:
        return SOURCES[self.source.currentText()]

    def refresh(self, *_: Any) -> None:
        """Read the pattern that is asked for."""
        scan, mode = self.session.scan, self._mode()
        self.reading.cancel()
        if scan is None:
            return
        if mode == "click":
            self._clicked = self.session.cursor
            self._read_clicked()
            return
        self._live.forget()
        self._late = not self.in_front
        if self._late:
            return
        region = self.session.region
        if region is not None and region.shape != scan.scan_shape:
            region = None
        where = "the whole scan" if region is None else f"{int(region.sum())} positions"
        self.told.setText(f"{self.source.currentText().split()[0]} of {where}")
        self.reading.run(
            region_pattern(scan, region, mode),  # type: ignore[arg-type]
            text="Reading patterns",
            on_partial=self._on_region_pattern,
            on_result=self._on_region_pattern,
        )

    def _on_region_pattern(self, found: Any) -> None:
        self.bench.set_pattern(found.value if isinstance(found, Partial) else found, None)

    def _ask(self, position: tuple[int, int] | None) -> None:
        scan = self.session.scan
        if scan is None:
            return
        rows, columns = scan.scan_shape
        if position is None or not (0 <= position[0] < rows and 0 <= position[1] < columns):
            position = (rows // 2, columns // 2)
        self._live.request((scan, position))

    def _on_pattern(self, request: Any, pattern: Any) -> None:
        scan, at = request
        if self.session.scan is not None and scan.data is self.session.scan.data:
            self.told.setText(f"Scan y {at[0]}, x {at[1]}")
            self.bench.set_pattern(pattern, at)

    def _on_failed(self, request: Any, error: Exception) -> None:
        self.told.setText(f"This pattern cannot be read ({error}); open the file again.")

    # --- the overlay -------------------------------------------------------------------------

    def _ask_drawing(self, *_: Any) -> None:
        self._redraw.start()

    def _draw(self) -> None:
        """Draw the draft on the pattern; what cannot be drawn says why."""
        overlay, problem = None, ""
        try:
            overlay = self._overlay()
        except ValueError as error:
            problem = str(error)
        self.shown.setToolTip(problem or "What is drawn on the pattern, from the draft")
        self._say(problem)
        self.session.draw(OVERLAY, overlay)

    def _say(self, problem: str) -> None:
        base = self.told.text().split("\n")[0]
        self.told.setText(f"{base}\n{problem}" if problem else base)

    def _overlay(self) -> Any:
        scan, shown = self.bench.scan, self.shown.currentText()
        if scan is None or not self.in_front or shown == overlays.NOTHING:
            return None
        here, shape = self.bench.here(), scan.pattern_shape
        if shown == overlays.AXES:
            return overlays.scan_axes(here, shape)
        if shown == overlays.SPOTS:
            drawn = overlays.expected_spots(
                self.session.orientation_map, self.bench.at, scan.scan_shape, here, shape
            )
            return overlays.scan_axes(here, shape, drawn)
        if here.pixel_size is None:
            raise ValueError(
                "The pixel size is unknown: choose a phase and fit rings, or type it below."
            )
        return overlays.rings(self.rings.rings(), here, shape)

    # --- the draft ---------------------------------------------------------------------------

    def _show_changes(self) -> None:
        scan = self.bench.scan
        lines = [] if scan is None else differences(scan.calibration, self.bench.draft)
        self.changes.setText("\n".join(lines))
        self.changes.setVisible(bool(lines))
        self.apply.setEnabled(bool(lines))
        self.discard.setEnabled(bool(lines))
        self.undo.setEnabled(scan is not None)

    def _undo(self) -> None:
        from napari.utils.notifications import show_info

        if not undo_last(self.viewer, self.session):
            show_info("There is nothing to undo on this scan.")


NAMES = {
    "centre": "Beam", "pixel_size": "Pixel", "ellipse": "Ellipse", "descan": "Descan",
    "camera_length": "Camera length", "rotation": "Rotation", "flip": "Mirrored",
}  # fmt: skip


UNITS = {"1/angstrom": " 1/Å", "deg": "°"}


def differences(old: Calibration, new: Calibration) -> list[str]:
    """Return a line for each value that two calibrations do not share: before → after."""
    lines = []
    for name, title in NAMES.items():
        before, after = getattr(old, name), getattr(new, name)
        old_words, new_words = (_short(value, name) for value in (before, after))
        if old_words != new_words:
            lines.append(f"{title}: {old_words} → {new_words}")
        elif before != after:  # a default that was confirmed, say
            lines.append(f"{title}: {new_words}, now {after.source}")
    return lines


def _short(value: Quantity | Descan | None, name: str) -> str:
    """Return a value in a few characters, an equal pair as one number."""
    if value is None:
        return "unknown"
    if name == "flip":
        return "yes" if value.number else "no"
    if isinstance(value, Descan):
        return measured_words(value)
    if value.unit == "ratio, deg" or (isinstance(value.value, tuple) and not value.unit):
        return measured_words(value)
    first, second = (f"{part:.5g}" for part in value.pair)
    text = first if first == second else f"{first}, {second}"
    unit = UNITS.get(value.unit, f" {value.unit}")
    return f"{text}{unit}".rstrip()


def _read_pattern(request: tuple[Scan, tuple[int, int]]) -> Any:
    scan, (y, x) = request
    return scan.pattern(y, x)
