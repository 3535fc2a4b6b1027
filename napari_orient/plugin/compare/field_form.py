"""Which error is shown, and between which limits of colour?"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.fields import FIELDS, ErrorField, error_layer
from napari_orient.plugin.sessions import follow

if TYPE_CHECKING:
    from napari.layers import Layer


class FieldForm(QWidget):
    """The error that the layer shows, what it means, and the limits of its colours."""

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self._layer: weakref.ref[Layer] | None = None
        self.box = QComboBox()
        self.box.addItems(list(FIELDS))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(9)
        self.box.setToolTip("The error that is shown on the canvas, in the plots and by Next")
        self.low, self.high = _limit("Shown black"), _limit("Shown brightest")
        self.definition = words()
        row = QHBoxLayout()
        for widget in (self.box, QLabel("from"), self.low, QLabel("to"), self.high):
            row.addWidget(widget, 1 if widget is self.box else 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self.definition)
        self.box.currentIndexChanged.connect(self._on_field)
        for box in (self.low, self.high):
            box.valueChanged.connect(self._on_limits)
        self._on_field()

    @property
    def field(self) -> ErrorField:
        """The error that is chosen."""
        return FIELDS[self.box.currentText()]

    def watch(self, layer: Layer) -> None:
        """Keep the limits equal to those of the layer, whoever changes them."""
        if self._layer is None or self._layer() is not layer:
            self._layer = weakref.ref(layer)
            follow(self, layer.events.contrast_limits, self._show_limits)
        self._show_limits()

    def _on_field(self, *_: Any) -> None:
        self.definition.setText(self.field.definition[:1].upper() + self.field.definition[1:] + ".")
        for box in (self.low, self.high):
            with QSignalBlocker(box):
                box.setSuffix(self.field.unit)
                box.setRange(0, 360 if self.field.unit else 1)
                box.setDecimals(1 if self.field.unit else 3)
                box.setSingleStep(1 if self.field.unit else 0.05)
        with QSignalBlocker(self.low), QSignalBlocker(self.high):
            self.low.setValue(0)
            self.high.setValue(self.field.highest)
        self.changed.emit()

    def _show_limits(self, *_: Any) -> None:
        layer = self._layer() if self._layer is not None else None
        if layer is None:
            return
        for box, value in zip((self.low, self.high), layer.contrast_limits, strict=True):
            with QSignalBlocker(box):
                box.setValue(float(value))

    def _on_limits(self, *_: Any) -> None:
        layer = error_layer(self.viewer)
        low, high = self.low.value(), self.high.value()
        if layer is not None and low < high:
            layer.contrast_limits = (low, high)


def _limit(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setToolTip(tip)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setFixedWidth(box.fontMetrics().horizontalAdvance("000.000°") + 10)
    return box
