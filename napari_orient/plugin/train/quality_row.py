"""From which quality on is a label trusted? A slider, and its limit as a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from napari_orient.analysis.scores import defined, low_is_good
from napari_orient.plugin.calibrate.fields import number
from napari_orient.plugin.train.lines import WIDEST

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

TICKS = 200


class QualityRow(QWidget):
    """A limit on a property of the map that says how good a point is; 0 lets all pass."""

    changed = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._most = 1.0
        self._low_is_good = False
        self.label = QLabel(title)
        self.label.setMinimumWidth(self.fontMetrics().horizontalAdvance(WIDEST))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, TICKS)
        self.box = number("", 0, 1, 2, 1)
        self.box.setSpecialValueText("all")
        self.box.setFixedWidth(self.fontMetrics().horizontalAdvance("≥ 00000.00") + 12)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.label, self.slider, self.box):
            layout.addWidget(widget, 1 if widget is self.slider else 0)
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self._on_number)
        self.offer(None, None)

    def offer(self, orientations: OrientationMap | None, name: str | None) -> None:
        """Take the range of a property of a map; the limit stays where it lies inside."""
        before = self.value()
        values = np.zeros(0)
        if orientations is not None and name is not None:
            values = np.asarray(orientations.properties[name], np.float64)
            values = values[defined(orientations, name) & np.isfinite(values)]
        self._most = float(values.max()) if values.size and values.max() > 0 else 1.0
        self._low_is_good = name is not None and low_is_good(name)
        digits = max(0, min(6, 3 - int(np.floor(np.log10(self._most)))))
        for widget in (self.slider, self.box):
            widget.setEnabled(bool(values.size))
        side = "most" if self._low_is_good else "least"
        self.label.setText(name or self._title)
        said = f"The {side} {name} of a label that is learned" if name else "The map has none"
        for widget in (self, self.slider, self.box):
            widget.setToolTip(said)
        with QSignalBlocker(self.box):
            self.box.setDecimals(digits)
            self.box.setRange(0, max(self._most, before))
            self.box.setSingleStep(10.0 ** (1 - digits))
            self.box.setPrefix("≤ " if self._low_is_good else "≥ ")
            self.box.setValue(before if values.size else 0)
        self._follow()

    def value(self) -> float:
        """Return the limit; 0 lets all pass."""
        return float(self.box.value())

    def set_value(self, value: float) -> None:
        """Set the limit."""
        with QSignalBlocker(self.box):
            self.box.setMaximum(max(self._most, value))
            self.box.setValue(value)
        self._follow()

    def _on_slider(self, tick: int) -> None:
        share = tick / TICKS
        if self._low_is_good:
            share = 1 - share if tick else 0  # the last tick leaves none, the first one all
        with QSignalBlocker(self.box):
            self.box.setValue(share * self._most)
        self.changed.emit()

    def _on_number(self, *_: Any) -> None:
        self._follow()
        self.changed.emit()

    def _follow(self) -> None:
        share = self.box.value() / self._most
        if self._low_is_good and share:
            share = 1 - share
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(share * TICKS))
