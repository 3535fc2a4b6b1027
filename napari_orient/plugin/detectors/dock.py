"""Which virtual images are made? The dock that lists the detectors and shows each one's image."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QShortcut,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.scan import Scan
from napari_orient.diffraction.detectors import Shape, VirtualDetector
from napari_orient.diffraction.virtual import DEFAULT_BUDGET
from napari_orient.plugin.detectors import edits as detector_edits
from napari_orient.plugin.detectors.live_images import LiveImages
from napari_orient.plugin.detectors.shape_form import ShapeForm
from napari_orient.plugin.detectors.table import SIGNALS, DetectorTable, signal_name
from napari_orient.plugin.load.binning import BinningAdvice
from napari_orient.plugin.pattern import handles, readout
from napari_orient.plugin.pattern.view import qcolour
from napari_orient.plugin.scan_layers import replace_scan
from napari_orient.plugin.sessions import Dock, follow

EMPTY = "Open a scan: drop a file on the window, or File > Open Sample > Orient."
NO_DETECTOR = "Add a detector above, or double-click in the Pattern dock."
KINDS = {
    "Bright field": "A disk on the direct beam",
    "Dark field": "A ring around the direct beam",
    "Disk": "A disk; drag it onto a reflection in the Pattern dock",
    "Rectangle": "A rectangle, such as for a row of reflections",
}


class DetectorsDock(Dock):
    """The Virtual detectors dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._scan: Scan | None = None
        self.history = detector_edits.DetectorHistory(self.session, self)
        self.images = LiveImages(self.viewer, self.session, self)
        self.advice = BinningAdvice(self)
        self._build()
        self._arrange()
        self._connect()
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.images.start()
        self._on_scan(self.session.scan)

    # --- building ---------------------------------------------------------------------------

    def _build(self) -> None:
        self.add_buttons = {}
        for kind, tip in KINDS.items():
            self.add_buttons[kind] = _button(kind, f"Add a detector: {tip.lower()}")
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.table = DetectorTable()
        self.colour = _button(
            "Colour …", "Colour of the outline, and of the image in the RGB layer"
        )
        self.more = _button(
            "Add disk to it", "One more disk in this detector: their union is summed"
        )
        self.remove = _button(
            "Remove", "Remove the detector and its image (duplicate the layer to keep the image)"
        )
        self.signal = QComboBox()
        self.signal.addItems(list(SIGNALS))
        self.signal.setToolTip("What is computed from the counts under the detector")
        self.part = QComboBox()
        self.part.setToolTip("Which of the detector's shapes the numbers below belong to")
        self.form = ShapeForm()
        self.rgb = QCheckBox("RGB layer of all")
        self.rgb.setToolTip(
            "One layer of all images in their detectors' colours, with the contrast of their layers"
        )
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.budget = QDoubleSpinBox()
        self.budget.setRange(0.0, 64.0)
        self.budget.setSingleStep(0.5)
        self.budget.setDecimals(1)
        self.budget.setSuffix(" GB")
        self.budget.setValue(DEFAULT_BUDGET / 1e9)
        self.budget.setToolTip("Most memory that the working copy for live detectors may take")
        self.full = _button(
            "Full precision", "Read the whole scan for images that are only a preview"
        )
        self.full.hide()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(_row(*self.add_buttons.values()))
        layout.addWidget(self.hint)
        layout.addWidget(self.table)
        layout.addLayout(_row(QLabel("Signal"), self.signal, self.colour, self.remove))
        layout.addLayout(_row(QLabel("Shape"), self.part, self.more))
        layout.addWidget(self.form)
        layout.addLayout(_row(self.rgb, QLabel("Memory"), self.budget))
        layout.addWidget(self.state)
        for widget in (self.images.prepare_bar, self.images.pass_bar, self.full, self.advice):
            layout.addWidget(widget)
        layout.addStretch()
        for box in (self.signal, self.part, self.rgb):
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def _connect(self) -> None:
        follow(self, self.session.events.scan, self._on_scan)
        follow(self, self.session.events.detectors, self._on_detectors)
        follow(self, self.session.events.active_detector, self._on_active)
        for layer in self.viewer.layers:
            self._watch(layer)
        follow(self, self.viewer.layers.events.inserted, self._on_layers)
        follow(self, self.viewer.layers.events.removed, self._on_layers)
        for kind, button in self.add_buttons.items():
            button.clicked.connect(lambda *_, kind=kind: self.add(kind))
        self.table.chosen.connect(self._on_row_chosen)
        self.table.ticked.connect(self._on_ticked)
        self.table.renamed.connect(self._on_renamed)
        self.colour.clicked.connect(self._on_colour)
        self.more.clicked.connect(self._on_more)
        self.remove.clicked.connect(self._on_remove)
        self.signal.currentTextChanged.connect(self._on_signal)
        self.part.currentIndexChanged.connect(self._show_form)
        self.form.changed.connect(self._on_form_changed)
        self.rgb.toggled.connect(self.images.set_rgb)
        self.budget.editingFinished.connect(self._on_budget)
        self.full.clicked.connect(self.images.pass_again)
        self.images.explained.connect(self._on_explained)
        self.images.completed.connect(self._on_completed)
        self.images.pass_bar.running.connect(self._on_running)
        self.advice.made.connect(self._on_binned)
        for keys, call in (
            (QKeySequence.StandardKey.Undo, self.history.undo),
            (QKeySequence.StandardKey.Redo, self.history.redo),
            (QKeySequence(Qt.Key.Key_Delete), self._on_remove),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(call)

    # --- session ----------------------------------------------------------------------------

    def _on_scan(self, scan: Scan | None) -> None:
        old, self._scan = self._scan, scan
        for widget in (*self.add_buttons.values(), self.rgb, self.budget):
            widget.setEnabled(scan is not None)
        if scan is not None:
            size = readout.per_pixel(scan.calibration, "1/Å")
            self.form.setCalibration(size, scan.calibration.centre.pair)
            if old is not None and old is not scan:
                moved = detector_edits.after_binning(self.session.detectors, old, scan)
                if moved is not None:
                    self.session.detectors = moved
        self._on_detectors(self.session.detectors)
        self._advise()

    def _advise(self) -> None:
        imager = self.images.imager
        too_large = imager is not None and not imager.affordable
        # passes come and go with each step of a drag: the dock must not jump
        policy = self.images.pass_bar.sizePolicy()
        policy.setRetainSizeWhenHidden(too_large)
        self.images.pass_bar.setSizePolicy(policy)
        self.advice.advise(self.session.scan if too_large else None)

    def _on_detectors(self, detectors: tuple[VirtualDetector, ...]) -> None:
        self._fill_table()
        self._show_active()

    def _on_active(self, *_: Any) -> None:
        if (detector := self._active()) is not None:
            self.images.bring_up(detector.name)
        self._fill_table()
        self._show_active()

    def _active(self) -> VirtualDetector | None:
        detectors, index = self.session.detectors, self.session.active_detector
        return detectors[index] if 0 <= index < len(detectors) else None

    def _replace(self, detector: VirtualDetector) -> None:
        self.session.replace_detector(self.session.active_detector, detector)

    # --- the table --------------------------------------------------------------------------

    def _fill_table(self, *_: Any) -> None:
        detectors = self.session.detectors
        layers = [self.images.layer_of(detector.name) for detector in detectors]
        shown = [layer is None or layer.visible for layer in layers]
        self.table.setValue(detectors, shown, self.session.active_detector)

    def _on_row_chosen(self, row: int) -> None:
        self.session.active_detector = row

    def _on_ticked(self, row: int, shown: bool) -> None:
        layer = self.images.layer_of(self.session.detectors[row].name)
        if layer is not None:
            layer.visible = shown

    def _on_renamed(self, row: int, wanted: str) -> None:
        detector = self.session.detectors[row]
        if wanted in ("", detector.name):
            self._fill_table()
            return
        others = [d.name for d in self.session.detectors if d is not detector]
        name = detector_edits.free_name(wanted, others)
        self.images.rename(detector.name, name)
        self.session.replace_detector(row, detector.model_copy(update={"name": name}))

    def _on_layers(self, event: Any) -> None:
        """Let ticks follow images that come and go."""
        if event.type == "inserted":
            self._watch(event.value)
        self._fill_table()

    def _watch(self, layer: Any) -> None:
        """Let the tick follow the eye in the layer list."""
        layer.events.visible.disconnect(self._fill_table)
        follow(self, layer.events.visible, self._fill_table)

    # --- the active detector ----------------------------------------------------------------

    def _show_active(self) -> None:
        detector = self._active()
        for widget in (self.colour, self.more, self.remove, self.signal):
            widget.setEnabled(detector is not None)
        self.hint.setText(EMPTY if self.session.scan is None else NO_DETECTOR)
        self.hint.setVisible(self.session.scan is None or detector is None)
        names = [] if detector is None else _shape_names(detector)
        if [self.part.itemText(i) for i in range(self.part.count())] != names:
            chosen = self.part.currentIndex()
            self.part.blockSignals(True)
            self.part.clear()
            self.part.addItems(names)
            self.part.setCurrentIndex(max(0, min(chosen, len(names) - 1)))
            self.part.blockSignals(False)
        self.part.setEnabled(len(names) > 1)
        if detector is not None:
            self.signal.blockSignals(True)
            self.signal.setCurrentText(signal_name(detector.signal))
            self.signal.blockSignals(False)
        self._show_form()

    def _show_form(self, *_: Any) -> None:
        detector, part = self._active(), self.part.currentIndex()
        has_part = detector is not None and 0 <= part < len(detector.shapes)
        shape = detector.shapes[part] if has_part else None
        if shape != self.form.value() or not self.form.isEnabled():
            self.form.setValue(shape)

    def _on_form_changed(self, shape: Shape) -> None:
        detector, part = self._active(), self.part.currentIndex()
        if detector is None or part >= len(detector.shapes):
            return
        shapes = list(detector.shapes)
        shapes[part] = shape
        self._replace(detector.with_shapes(*shapes))

    def _on_signal(self, text: str) -> None:
        detector = self._active()
        if detector is not None:
            self._replace(detector.model_copy(update={"signal": SIGNALS[text]}))

    def add(self, kind: str) -> None:
        """Add a detector of one of the ``KINDS`` with sizes that suit the scan."""
        if self.session.scan is not None:
            detector_edits.add(self.session, detector_edits.make(self.session.scan, kind))

    def _on_more(self) -> None:
        detector = self._active()
        if detector is None:
            return
        last = detector.shapes[-1] if detector.shapes else None
        at = self.session.scan.calibration.centre.pair if last is None else last.centre
        aside = 0.0 if last is None else 2.5 * handles.reach_of(last)
        detector_edits.add_disk(self.session, (at[0], at[1] + aside), to_active=True)
        self.part.setCurrentIndex(self.part.count() - 1)

    def _on_remove(self) -> None:
        detector_edits.remove(self.session, self.session.active_detector)

    def _on_colour(self) -> None:
        detector = self._active()
        if detector is None:
            return
        colour = QColorDialog.getColor(qcolour(detector.colour), self, "Colour of the detector")
        if colour.isValid():
            self._replace(detector.model_copy(update={"colour": colour.name()}))

    # --- how images are made ----------------------------------------------------------------

    def _on_explained(self, text: str) -> None:
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def _on_completed(self, complete: bool) -> None:
        self.full.setVisible(not complete and not self.images.pass_bar.is_running)

    def _on_running(self, running: bool) -> None:
        if running:
            self.full.hide()

    def _on_budget(self) -> None:
        self.images.set_budget(int(self.budget.value() * 1e9))
        self._advise()

    def _on_binned(self, old: Scan, copy: Scan) -> None:
        replace_scan(self.viewer, self.session, old, copy)


def _shape_names(detector: VirtualDetector) -> list[str]:
    return [f"{number}: {shape.kind}" for number, shape in enumerate(detector.shapes, 1)]


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return row
