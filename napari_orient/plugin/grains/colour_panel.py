"""What do the colours of the grains mean? A choice, its limits, and the bar that tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.grains.bar import ColourBar
from napari_orient.plugin.grains.choice import choice_box
from napari_orient.plugin.grains.colours import CYCLIC, Choice, choices_of, limits_of, ramp

if TYPE_CHECKING:
    from napari_orient.analysis.grains.grains import Grains


class ColourPanel(QWidget):
    """What the grains are coloured by; emits ``changed()``, and ``lines(bool)``."""

    changed = Signal()
    lines = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._grains: Grains | None = None
        self._choices: list[Choice] = []
        self.box = choice_box("Colour of the grains", letters=12)
        self.low, self.high = _limit("Lower end of the colours"), _limit("Upper end of the colours")
        self.boundaries = QCheckBox("Boundaries")
        self.boundaries.setChecked(True)
        self.boundaries.setToolTip("Draw the boundaries of the grains as lines")
        self.bar = ColourBar()
        self.scale = QWidget()
        row, scale = QHBoxLayout(), QHBoxLayout(self.scale)
        scale.setContentsMargins(0, 0, 0, 0)
        scale.addWidget(self.low)
        scale.addWidget(self.bar, 1)
        scale.addWidget(self.high)
        row.addWidget(QLabel("Colour"))
        row.addWidget(self.box, 1)
        row.addWidget(self.boundaries)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.scale)
        self.box.currentIndexChanged.connect(self._on_choice)
        for box in (self.low, self.high):
            box.valueChanged.connect(self._on_limits)
        self.boundaries.toggled.connect(self.lines)

    def show_grains(self, grains: Grains) -> None:
        """Offer what these grains can be coloured by; the choice stays where it can."""
        before = self.choice.key if self._choices else ""
        self._grains, self._choices = grains, choices_of(grains)
        with QSignalBlocker(self.box):
            self.box.clear()
            self.box.addItems([choice.words for choice in self._choices])
            keys = [choice.key for choice in self._choices]
            self.box.setCurrentIndex(keys.index(before) if before in keys else 0)
        self._on_choice()

    @property
    def choice(self) -> Choice:
        """What is chosen."""
        return self._choices[max(0, self.box.currentIndex())]

    @property
    def limits(self) -> tuple[float, float]:
        """The numbers at the ends of the bar."""
        return self.low.value(), self.high.value()

    def _on_choice(self, *_: Any) -> None:
        if self._grains is None:
            return
        choice = self.choice
        self.box.setToolTip(f"Colour of the grains. {choice.tip}.")
        for box in (self.low, self.high):
            box.setEnabled(choice.key not in CYCLIC)
        self.scale.setVisible(choice.is_number)
        if choice.is_number:
            low, high = limits_of(self._grains, choice.key)
            for box, value in ((self.low, low), (self.high, high)):
                with QSignalBlocker(box):
                    box.setDecimals(_decimals(high - low))
                    box.setSingleStep((high - low) / 20)
                    box.setValue(value)
        self._on_limits()

    def _on_limits(self, *_: Any) -> None:
        if self._grains is None:
            return
        if self.choice.is_number:
            low, high = self.limits
            if not low < high:
                return
            self.bar.show_ramp(ramp(self.choice), (low, high))
            self.bar.setToolTip(f"{self.choice.words}: {self.choice.tip}")
        self.changed.emit()


def _decimals(span: float) -> int:
    """Digits with which a hundredth of the range can be typed."""
    return next(n for n in range(10) if span >= 10.0 ** (2 - n) or n == 9)


def _limit(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(-1e12, 1e12)
    box.setToolTip(tip)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setFixedWidth(box.fontMetrics().horizontalAdvance("00000.00") + 8)
    return box
