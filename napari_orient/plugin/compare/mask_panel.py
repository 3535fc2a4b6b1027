"""Which points count? Sliders and check boxes; whoever drags sees the points go at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_orient.analysis.scores import defined, low_is_good, quality_names
from napari_orient.plugin.compare.selection import (
    Selection,
    Side,
    Threshold,
    qualities,
    tested_points,
)
from napari_orient.plugin.layers import kind_of, map_grid, record
from napari_orient.plugin.sessions import follow

if TYPE_CHECKING:
    from napari_orient.analysis.errors import Comparison

REGION = "compare region"  # kind of its layer
TICKS = 500
NO_LIMIT = "no limit"
SIDES: dict[Side, str] = {"other": "map", "reference": "reference"}
FARTHEST = 20.0  # px from a boundary


class LimitRow(QWidget):
    """A property of one of the maps, a slider for its limit, and the limit as a number."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._comparison: Comparison | None = None
        self._range = (0.0, 1.0)
        self.box = QComboBox()
        self.box.setToolTip("A quality measure of one of the two maps, by the map's own name")
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(9)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, TICKS)
        self.slider.setToolTip("Points on the wrong side of this limit do not count")
        self.number = QDoubleSpinBox()
        self.number.setKeyboardTracking(False)
        self.number.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.number.setFixedWidth(self.fontMetrics().horizontalAdvance(">= 00000.00") + 8)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 2)
        layout.addWidget(self.slider, 3)
        layout.addWidget(self.number)
        self.box.activated.connect(self._on_property)
        self.slider.valueChanged.connect(self._on_slider)
        self.number.valueChanged.connect(self._on_number)

    def offer(self, comparison: Comparison, first: tuple[Side, str] | None) -> None:
        """Offer the properties of these maps; keep the one that was chosen, where it is there."""
        before = self.box.currentData()
        self._comparison = comparison
        with QSignalBlocker(self.box):
            self.box.clear()
            self.box.addItem(NO_LIMIT, None)
            for side, words in SIDES.items():
                for name in qualities(getattr(comparison, side)):
                    self.box.addItem(f"{name} ({words})", (side, name))
            found = [self.box.itemData(row) for row in range(self.box.count())]
            wanted = before if before is not None and before in found else first
            self.box.setCurrentIndex(found.index(wanted) if wanted in found else 0)
        self._on_property()

    def threshold(self) -> Threshold | None:
        """Return the limit; None while it leaves all points in."""
        chosen = self.box.currentData()
        if chosen is None or self.number.value() == self.lenient():
            return None
        return Threshold(*chosen, self.number.value())

    def lenient(self) -> float:
        """Return the end of the range at which every point passes, also those without a value."""
        return self._range[1 if self._is_upper() else 0]

    def _is_upper(self) -> bool:
        chosen = self.box.currentData()
        return chosen is not None and low_is_good(chosen[1])

    def _on_property(self, *_: Any) -> None:
        chosen = self.box.currentData()
        for widget in (self.slider, self.number):
            widget.setEnabled(chosen is not None)
        if chosen is not None and self._comparison is not None:
            orientations = getattr(self._comparison, chosen[0])
            values = np.asarray(orientations.properties[chosen[1]], np.float64)
            values = values[defined(orientations, chosen[1])]
            low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
            digits = max(0, min(6, 3 - int(np.floor(np.log10(max(high - low, 1e-6))))))
            # rounded outwards: at the ends of the slider the extreme points are in, or out
            self._range = (
                float(np.floor(low * 10**digits) / 10**digits),
                float(np.ceil(high * 10**digits) / 10**digits),
            )
            self.number.setDecimals(digits)
        with QSignalBlocker(self.number):
            self.number.setRange(*self._range)
            self.number.setSpecialValueText("" if self._is_upper() else "all")
            self.number.setPrefix("≤ " if self._is_upper() else "≥ ")
            self.number.setValue(self.lenient())
        with QSignalBlocker(self.slider):
            self.slider.setInvertedAppearance(self._is_upper())
            self.slider.setValue(0)
        self.changed.emit()

    def _on_slider(self, tick: int) -> None:
        low, high = self._range
        share = tick / TICKS
        with QSignalBlocker(self.number):
            value = high - share * (high - low) if self._is_upper() else low + share * (high - low)
            self.number.setValue(value)
        self.changed.emit()

    def _on_number(self, value: float) -> None:
        low, high = self._range
        share = (value - low) / max(high - low, 1e-30)
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(TICKS * (1 - share if self._is_upper() else share)))
        self.changed.emit()


class MaskPanel(QWidget):
    """All conditions on the points that count; ``changed`` at each step of a slider."""

    changed = Signal()

    def __init__(self, viewer: Any, session: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer, self.session = viewer, session
        self.comparison: Comparison | None = None
        self.limits = (LimitRow(), LimitRow())
        self.boundary = QDoubleSpinBox()
        self.boundary.setRange(0, FARTHEST)
        self.boundary.setSingleStep(0.5)
        self.boundary.setDecimals(1)
        self.boundary.setSuffix(" px")
        self.boundary.setSpecialValueText("all")
        self.boundary_slider = QSlider(Qt.Orientation.Horizontal)
        self.boundary_slider.setRange(0, int(2 * FARTHEST))
        self.in_region = QCheckBox("Region")
        self.in_region.setToolTip("Only points inside the region that is drawn on the map")
        self.draw = QPushButton("Draw")
        self.draw.setToolTip("Draw a rectangle (or, with the layer's tools, any shape) on the map")
        self.only_test = QCheckBox("Test points")
        self.kept = QLabel()
        self._timer = QTimer(self)  # a shape that is dragged changes at every step of the mouse
        self._timer.setSingleShot(True)
        self._timer.setInterval(60)
        self._timer.timeout.connect(self._on_drawn)
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for row in self.limits:
            layout.addWidget(row)
        middle, last = QGridLayout(), QHBoxLayout()
        tip = "Points nearer to a grain boundary of the reference do not count: patterns mix there"
        words = QLabel("Boundary at least")
        for column, widget in enumerate((words, self.boundary_slider, self.boundary)):
            widget.setToolTip(tip)
            middle.addWidget(widget, 0, column)
        middle.setColumnStretch(1, 1)
        for widget in (self.in_region, self.draw, self.only_test):
            last.addWidget(widget)
        last.addStretch(1)
        last.addWidget(self.kept)
        layout.addLayout(middle)
        layout.addLayout(last)

    def _connect(self) -> None:
        for row in self.limits:
            row.changed.connect(self.changed)
        self.boundary.valueChanged.connect(self._on_boundary)
        self.boundary_slider.valueChanged.connect(lambda tick: self.boundary.setValue(tick / 2))
        self.draw.clicked.connect(self.draw_region)
        for box in (self.in_region, self.only_test):
            box.toggled.connect(lambda *_: self.changed.emit())
        follow(self, self.session.events.region, self._on_region)
        follow(self, self.viewer.layers.events.removed, self._on_region)

    def set_comparison(self, comparison: Comparison) -> None:
        """Offer what these two maps have."""
        self.comparison = comparison
        first = self._first_choices(comparison)
        with QSignalBlocker(self):
            for row, choice in zip(self.limits, first, strict=True):
                row.offer(comparison, choice)
            known = tested_points(comparison) is not None
            self.only_test.setEnabled(known)
            self.only_test.setChecked(self.only_test.isChecked() and known)
            self.only_test.setToolTip(
                "Only points that a network was tested on"
                if known
                else "None of the maps says which points a network was tested on "
                "(a property named split, 2 where tested)"
            )

    def _first_choices(self, comparison: Comparison) -> list[tuple[Side, str] | None]:
        """Return what the two rows show at first: the qualities that the maps are known for."""
        named = {side: quality_names(getattr(comparison, side)) for side in SIDES}
        return [
            next(((side, names[row]) for side, names in named.items() if names[row]), None)
            for row in range(len(self.limits))
        ]

    def selection(self) -> Selection:
        """Return the conditions as they stand; frozen, so a thread may work on them."""
        limits = (row.threshold() for row in self.limits)
        return Selection(
            thresholds=tuple(limit for limit in limits if limit is not None),
            boundary=self.boundary.value(),
            region=self.region() if self.in_region.isChecked() else None,
            only_test=self.only_test.isChecked(),
        )

    def region(self) -> Any:
        """Return the drawn region (y, x) where it fits the maps: ours, or that of the scan."""
        if self.comparison is None:
            return None
        shape = self.comparison.valid.shape
        layer = self._layer()
        if layer is not None and layer.nshapes and len(shape) == 2:
            drawn = np.asarray(layer.to_masks(mask_shape=shape).any(axis=0))
            return drawn if drawn.any() else None  # a shape that has only begun hides nothing
        region = self.session.region
        return region if region is not None and region.shape == shape else None

    def draw_region(self) -> None:
        """Let the user draw a rectangle on the map."""
        if self.comparison is None:
            return
        layer = self._layer()
        if layer is None:
            shape = self.comparison.valid.shape
            layer = self.viewer.add_shapes(
                name="Region to compare",
                ndim=len(shape),
                metadata=record(REGION, source=self.comparison.other.source),
                edge_color="#ffd60a",
                face_color="#ffd60a20",
                edge_width=max(shape) / 150,
                **map_grid(self.comparison.other),
            )
            follow(self, layer.events.data, self._on_shapes)
        self.viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"

    def show_kept(self, kept: int, comparable: int) -> None:
        """Say how many of the points that can be compared count."""
        share = f"{100 * kept / comparable:.1f} %" if comparable else "0 %"
        points = f"{kept:,}".replace(",", "\u202f")
        self.kept.setText(f"kept {share}, {points} points")

    def _layer(self) -> Any:
        return next((x for x in self.viewer.layers if kind_of(x) == REGION), None)

    def _on_boundary(self, pixels: float) -> None:
        with QSignalBlocker(self.boundary_slider):
            self.boundary_slider.setValue(round(2 * pixels))
        self.changed.emit()

    def _on_shapes(self, event: Any = None) -> None:
        self._timer.start()

    def _on_drawn(self) -> None:
        """Use a region as soon as there is one."""
        if self.region() is not None and not self.in_region.isChecked():
            self.in_region.setChecked(True)  # which says that the mask changed
        else:
            self.changed.emit()

    def _on_region(self, event: Any = None) -> None:
        if self.in_region.isChecked():
            self.changed.emit()
