"""What diffracts here? The dock with the pattern under the mouse, or of a region of the scan."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import ensure_colormap
from napari.utils.notifications import show_error
from qtpy.QtCore import Qt
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.regions import region_pattern
from napari_orient.data.scan import Scan
from napari_orient.diffraction.camera.measure import beam
from napari_orient.diffraction.detectors import VirtualDetector
from napari_orient.jobs import Partial
from napari_orient.plugin.detectors import edits as detector_edits
from napari_orient.plugin.live import Live
from napari_orient.plugin.pattern import readout
from napari_orient.plugin.pattern.region import ScanRegion
from napari_orient.plugin.pattern.ruler_view import PatternRuler
from napari_orient.plugin.pattern.view import PatternView
from napari_orient.plugin.sessions import Dock, follow, follow_clicks
from napari_orient.plugin.worker import JobBar

EMPTY = "Open a scan: drop a file on the window,\nor File > Open Sample > Orient"
SOURCES = {
    "At the cursor": "cursor",
    "Mean of the region": "mean",
    "Maximum of the region": "max",
}
Across, Down = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
LEAST = 280  # px, width of the dock
NARROW = 400  # px: below, controls take two lines
COLORMAPS = ("inferno", "gray", "viridis", "magma", "turbo", "gray_r")


class PatternDock(Dock):
    """The Pattern dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._shown: tuple[int, int] | None = None
        self._error = ""
        self._late = False  # is a pattern to be read, once the dock is seen?
        self._missed: tuple[int, int] | None = None
        self.history = detector_edits.DetectorHistory(self.session, self)
        self._live = Live(_read_pattern, self, name="orient-pattern")
        self._live.answered.connect(self._on_pattern)
        self._live.failed.connect(self._on_failed)
        self.region = ScanRegion(self.viewer, self.session, self)
        self.region.begun.connect(self._on_region_begun)
        self.region.ended.connect(self._on_region_ended)
        self.region.missed.connect(self._on_region_ended)
        self._build()
        self._connect()
        self._on_scan(self.session.scan)

    # --- building ---------------------------------------------------------------------------

    def _build(self) -> None:
        self.view = PatternView(self)
        self.view.setToolTip(
            "Drag a detector to move it, its edge to resize it; arrows move by 1 px (Shift 10, "
            "Ctrl 0.1), + and - resize, Delete removes, Ctrl+Z undoes.\n"
            "Double click or right click: new disk. Wheel: zoom; middle button or Space and drag: "
            "pan; F: fit. Alt and drag: one shape of several."
        )
        self.view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.source = _combo(SOURCES, "Which pattern is shown; without a region, of the whole scan")
        self.follows = QCheckBox("Follow mouse")
        self.follows.setChecked(True)
        self.follows.setToolTip(
            "On: the pattern under the mouse. Off: it stays, a click on the scan chooses another"
        )
        self.draw = QPushButton("Draw region")
        self.draw.setToolTip("Draw a rectangle (or, with the layer's tools, any shape) on the scan")
        self.scaling = _combo(("log", "sqrt", "linear"), "How counts become brightness")
        self.colours = _combo(COLORMAPS, "Colours of the pattern")
        self.unit = _combo(readout.UNITS, "Unit of the readout and of the scale bar")
        self.low = _percent(0.0, "Contrast: percentile of the counts that is shown black")
        self.high = _percent(99.9, "Contrast: percentile of the counts that is shown brightest")
        self.place = QLabel()
        self.place.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.place.setMinimumWidth(1)  # a long line must not widen the dock
        self.place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.place.setFixedHeight(2 * self.place.fontMetrics().lineSpacing() + 4)
        self.jobs = JobBar(self)
        self.ruler = PatternRuler(self.view, self.viewer, self.session, self)
        self._arrange()

    def _arrange(self) -> None:
        top = _lines((self.source, self.follows), (self.draw, self.ruler.button))
        settings = _lines((self.scaling, self.colours, self.unit), (self.low, self.high))
        self._lines = (top, settings)
        self.setMinimumWidth(LEAST)  # with lines in two; unbroken they would ask for more
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.place)
        layout.addWidget(self.ruler.frame, 1)
        layout.addLayout(settings)
        layout.addWidget(self.jobs)

    def resizeEvent(self, event: Any) -> None:
        """Break lines of controls in two where the dock is narrow: Qt calls."""
        narrow = self.width() < NARROW
        for line in self._lines:
            line.setDirection(Down if narrow else Across)
        super().resizeEvent(event)

    def _connect(self) -> None:
        events = self.session.events
        follow(self, events.scan, self._on_scan)
        follow(self, events.cursor, self._on_cursor)
        follow(self, events.shown, self._on_wanted)
        follow(self, events.region, self._on_region)
        follow(self, events.detectors, self._show_detectors)
        follow(self, events.active_detector, self._show_detectors)
        follow(self, events.overlays, self._show_overlays)
        self._show_overlays(self.session.overlays)
        follow_clicks(self, self.viewer, self._on_canvas_clicked)
        self.source.currentIndexChanged.connect(self.refresh)
        self.draw.clicked.connect(self.draw_region)
        self.scaling.currentTextChanged.connect(self.view.setScaling)
        self.colours.currentTextChanged.connect(self._on_colours)
        self.unit.currentTextChanged.connect(self._on_unit)
        for box in (self.low, self.high):
            box.valueChanged.connect(self._on_contrast)
        self.view.hovered.connect(self._on_hovered)
        self.view.grabbed.connect(self.history.mark)
        self.view.detectorChanged.connect(self._on_detector_changed)
        self.view.activeChanged.connect(self._on_active_changed)
        self.view.diskWanted.connect(self._on_disk_wanted)
        self.view.removeWanted.connect(self._on_remove_wanted)
        self.view.undoWanted.connect(self._on_undo_wanted)
        self._on_colours(self.colours.currentText())
        self._on_contrast()
        self.unit.setCurrentText("1/Å")

    # --- the session ------------------------------------------------------------------------

    def _on_scan(self, scan: Scan | None) -> None:
        self._live.forget()
        self.jobs.cancel()
        self._error = ""
        for widget in (self.source, self.follows, self.draw, self.unit):
            widget.setEnabled(scan is not None)
        self.ruler.setScan(scan)
        if scan is None:
            self._shown = None
            self.view.setPattern(None, EMPTY)
            self.place.clear()
            self.view.setCaption("")
            return
        self._place_beam(None)
        self._offer_units(scan)
        self._show_detectors()
        self._fit_region(scan)
        self.refresh()

    def _place_beam(self, at: tuple[int, int] | None) -> None:
        """Show the direct beam where it is at a scan position, or without one on the mean."""
        self.view.setCentre(beam(self.session.scan.calibration, at))
        self.ruler.setPosition(at)

    def _offer_units(self, scan: Scan) -> None:
        """Grey out the units that the calibration does not give, and say why."""
        wanted = self.unit.currentText()
        for row, unit in enumerate(readout.UNITS):
            known = readout.per_pixel(scan.calibration, unit) is not None
            item = self.unit.model().item(row)
            item.setEnabled(known)
            item.setToolTip("" if known else readout.MISSING[unit])
        if readout.per_pixel(scan.calibration, wanted) is None:
            self.unit.setCurrentText("px")
        self._on_unit(self.unit.currentText())

    def _fit_region(self, scan: Scan) -> None:
        """Forget a region that was drawn on a scan of another shape."""
        if self.session.region is not None and self.session.region.shape != scan.scan_shape:
            self.region.take()

    def _on_cursor(self, cursor: tuple[int, int] | None) -> None:
        if self.follows.isChecked() and self._mode() == "cursor":
            self._ask(cursor)

    def attend(self, on: bool) -> None:
        """Show what was asked for meanwhile: behind another dock patterns are not read."""
        if on and self._late:
            self._ask(self._missed) if self._mode() == "cursor" else self.refresh()

    def _on_wanted(self, position: tuple[int, int] | None) -> None:
        if position not in (None, self._shown) and self._mode() == "cursor":
            self._ask(position)

    def _on_canvas_clicked(self) -> None:
        if self._mode() == "cursor":
            self._ask(self.session.cursor)

    def _on_region(self, region: Any) -> None:
        if self._mode() != "cursor":
            self.refresh()

    def _show_overlays(self, overlays: dict[str, Any]) -> None:
        self.view.setOverlays(overlays.values())

    def _show_detectors(self, *_: Any) -> None:
        self.view.setDetectors(self.session.detectors, self.session.active_detector)

    def _mode(self) -> str:
        return SOURCES[self.source.currentText()]

    # --- the pattern ------------------------------------------------------------------------

    def refresh(self, *_: Any) -> None:
        """Show the pattern that the controls ask for."""
        scan, mode = self.session.scan, self._mode()
        if scan is None:
            return
        self.follows.setEnabled(mode == "cursor")
        if mode == "cursor":
            self.jobs.cancel()
            self._ask(self._shown or self.session.cursor)
            return
        self._late = not self.in_front
        if self._late:
            return
        self._live.forget()
        self._place_beam(None)
        region = self.session.region
        where = "the whole scan" if region is None else f"{int(region.sum())} positions"
        self.view.setCaption(f"{self.source.currentText().split()[0]} of {where}")
        self.jobs.run(
            region_pattern(scan, region, mode),
            text="Pattern of the region",
            on_partial=self._on_region_pattern,
            on_result=self._on_region_pattern,
        )

    def _ask(self, position: tuple[int, int] | None) -> None:
        scan = self.session.scan
        self._late, self._missed = not self.in_front, position
        if scan is None or self._late:
            return
        if position is None or not all(
            0 <= p < n for p, n in zip(position, scan.scan_shape, strict=True)
        ):
            position = (scan.scan_shape[0] // 2, scan.scan_shape[1] // 2)
        self._live.request((scan, position))

    def _on_pattern(self, request: tuple[Scan, tuple[int, int]], pattern: Any) -> None:
        scan, self._shown = request
        if scan is not self.session.scan or self._mode() != "cursor":
            return
        self._error = ""
        self.view.setPattern(pattern)
        self._place_beam(self._shown)
        self.session.shown = self._shown
        y, x = self._shown
        text = f"Scan y {y}, x {x}"
        if scan.calibration.step is not None:
            dy, dx = scan.calibration.step.pair
            text += f"  =  {y * dy:.4g}, {x * dx:.4g} nm"
        self.view.setCaption(text)
        self._on_hovered(self._hover())

    def _on_region_pattern(self, found: Any) -> None:
        self.view.setPattern(found.value if isinstance(found, Partial) else found)

    def _on_failed(self, request: Any, error: Exception) -> None:
        self.view.setPattern(None, f"This pattern cannot be read:\n{error}")
        if str(error) != self._error:  # once, not at every step of the mouse
            self._error = str(error)
            name = request[0].source or request[0].name
            show_error(f"{name}: a pattern cannot be read ({error}); open the file again")

    def draw_region(self) -> None:
        """Let the user draw on the scan; the pattern becomes that of the region."""
        self.region.draw()

    def _on_region_begun(self) -> None:
        if self._mode() == "cursor":
            self.source.setCurrentText("Mean of the region")

    def _on_region_ended(self) -> None:
        self.source.setCurrentText("At the cursor")

    # --- display ----------------------------------------------------------------------------

    def _on_colours(self, name: str) -> None:
        colours = ensure_colormap(name).map(np.linspace(0, 1, 256, dtype=np.float32))
        self.view.setColours(np.round(255 * colours[:, :3]).astype(np.uint8))

    def _on_contrast(self, *_: Any) -> None:
        low, high = self.low.value(), self.high.value()
        self.view.setPercentiles(min(low, high), max(low, high))

    def _on_unit(self, unit: str) -> None:
        if self.session.scan is not None:
            self.view.setScale(*readout.bar_unit(self.session.scan.calibration, unit))
        self._on_hovered(self._hover())

    def _hover(self) -> tuple[float, float] | None:
        here = self.view.viewport().mapFromGlobal(self.cursor().pos())
        return self.view.at(here) if self.view.viewport().rect().contains(here) else None

    def _on_hovered(self, at: tuple[float, float] | None) -> None:
        scan, pattern = self.session.scan, self.view.pattern()
        if scan is None or pattern is None:
            return
        row, column = (-1, -1) if at is None else (round(at[0]), round(at[1]))
        if not (0 <= row < pattern.shape[0] and 0 <= column < pattern.shape[1]):
            self.place.setText("Point at the pattern to read it")
            return
        where = readout.place(scan.calibration, at, self.unit.currentText())
        self.place.setText(f"ky {row}, kx {column}: {pattern[row, column]:.6g}\n{where}")

    # --- the view ---------------------------------------------------------------------------

    def _on_detector_changed(self, index: int, detector: VirtualDetector) -> None:
        if index < len(self.session.detectors):
            self.session.replace_detector(index, detector)

    def _on_active_changed(self, index: int) -> None:
        self.session.active_detector = index

    def _on_disk_wanted(self, ky: float, kx: float, to_active: bool) -> None:
        detector_edits.add_disk(self.session, (ky, kx), to_active)

    def _on_remove_wanted(self, index: int) -> None:
        detector_edits.remove(self.session, index)

    def _on_undo_wanted(self, redo: bool) -> None:
        self.history.redo() if redo else self.history.undo()


def _read_pattern(request: tuple[Scan, tuple[int, int]]) -> Any:
    scan, (y, x) = request
    return scan.pattern(y, x)


def _lines(*groups: tuple[QWidget, ...]) -> QBoxLayout:
    """Return groups of controls side by side; they can be set one below the other."""
    whole = QBoxLayout(Across)
    whole.setSpacing(4)
    for group in groups:
        part = QHBoxLayout()
        part.setSpacing(4)
        for widget in group:
            part.addWidget(widget)
        whole.addLayout(part)
    return whole


def _combo(items: Any, tip: str) -> QComboBox:
    box = QComboBox()
    box.addItems(list(items))
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    box.setMinimumWidth(56)  # a narrow dock comes before long words
    return box


def _percent(value: float, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0, 100)
    box.setDecimals(1)
    box.setSingleStep(0.1)
    box.setSuffix("%")
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)  # arrow keys and wheel step
    box.setMinimumWidth(46)
    box.setValue(value)
    box.setToolTip(tip)
    return box
