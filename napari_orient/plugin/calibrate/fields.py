"""How are the numbers of the draft moved? Spin boxes that the overlay follows."""

from __future__ import annotations

import math

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from napari_orient.data.scan import Calibration, Quantity
from napari_orient.plugin.calibrate.bench import Bench


class DraftForm(QWidget):
    """Centre, pixel size, ellipse, rotation and flip of the draft."""

    edited = Signal()

    def __init__(self, bench: Bench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bench = bench
        self._filling = False
        steps = "Up and down move by {0}, Page Up and Down by ten times as much."
        self.ky = number(
            "Direct beam along ky (down), px. " + steps.format("0.1 px"), -1e5, 1e5, 2, 0.1
        )
        self.kx = number(
            "Direct beam along kx (right), px. " + steps.format("0.1 px"), -1e5, 1e5, 2, 0.1
        )
        self.size = number(
            "Reciprocal pixel size, 1/Å; larger makes the rings smaller. "
            + steps.format("0.2 per cent"), 0, 10, 6, 1e-5,
        )  # fmt: skip
        self.size.setSpecialValueText("not known")
        self.size.setSuffix(" 1/Å")
        self.ratio = number(
            "Ellipticity: long over short axis of the rings; 1 is round", 1, 2, 4, 0.001
        )
        self.angle = number("Direction of the long axis, from kx towards ky", -180, 180, 1, 1)
        self.rotation = number(
            "From the scan's x to the pattern's kx (reversed, if mirrored), x towards y: "
            "clockwise on the screen", -180, 180, 2, 0.5,
        )  # fmt: skip
        self.ky.setPrefix("ky ")
        self.kx.setPrefix("kx ")
        for box in (self.angle, self.rotation):
            box.setSuffix("°")
            box.setWrapping(True)
        self.flip = QCheckBox("mirrored")
        self.flip.setToolTip("Pattern mirrored (kx reversed) against the scan")
        self._arrange()
        for box in (self.ky, self.kx):
            box.valueChanged.connect(self._on_centre)
        self.size.valueChanged.connect(self._on_size)
        for box in (self.ratio, self.angle):
            box.valueChanged.connect(self._on_ellipse)
        self.rotation.valueChanged.connect(self._on_rotation)
        self.flip.clicked.connect(self._on_flip)
        bench.draftChanged.connect(self.fill)

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        rows = (
            ("Beam", self.ky, self.kx), ("Pixel", self.size, None),
            ("Ellipse", self.ratio, self.angle), ("Rotation", self.rotation, self.flip),
        )  # fmt: skip
        for row, (text, first, second) in enumerate(rows):
            label = QLabel(text)
            label.setBuddy(first)
            grid.addWidget(label, row, 0)
            grid.addWidget(first, row, 1, 1, 1 if second is not None else 2)
            if second is not None:
                grid.addWidget(second, row, 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)

    def fill(self) -> None:
        """Show the draft."""
        known = self._bench.draft
        self._filling = True
        if known.centre is not None:
            self.ky.setValue(known.centre.pair[0])
            self.kx.setValue(known.centre.pair[1])
        self.size.setValue(mean_size(known))
        self.size.setSingleStep(max(1e-6, 0.002 * mean_size(known)))
        ratio, angle = known.ellipse.pair if known.ellipse else (1.0, 0.0)
        self.ratio.setValue(ratio)
        self.angle.setValue(angle)
        self.rotation.setValue(known.rotation.number)
        self.flip.setChecked(bool(known.flip.number))
        self._filling = False

    def _on_centre(self) -> None:
        if not self._filling:
            value = (self.ky.value(), self.kx.value())
            self._bench.change(centre=typed(value, "px"))

    def _on_size(self, value: float) -> None:
        if self._filling:
            return
        if value <= 0:
            self._bench.change(pixel_size=None)
            return
        old = self._bench.draft.pixel_size
        # pixels that are not square stay as they are in shape
        factor = value / mean_size(self._bench.draft) if old is not None else 1.0
        oblong = old is not None and isinstance(old.value, tuple)
        pair = (old.pair[0] * factor, old.pair[1] * factor) if oblong else value  # type: ignore[union-attr]
        self._bench.change(pixel_size=typed(pair, "1/angstrom"))

    def _on_ellipse(self) -> None:
        if not self._filling:
            value = (self.ratio.value(), self.angle.value())
            self._bench.change(ellipse=typed(value, "ratio, deg"))

    def _on_rotation(self, value: float) -> None:
        if not self._filling:
            self._bench.change(rotation=typed(value, "deg"))

    def _on_flip(self, on: bool) -> None:
        self._bench.change(flip=typed(float(on), ""))


def typed(value: float | tuple[float, float], unit: str, note: str = "") -> Quantity:
    """Return a value that the user typed."""
    return Quantity(value=value, unit=unit, source="typed", note=note)


def mean_size(known: Calibration) -> float:
    """Return the geometric mean of the pixel size in 1/angstrom; 0 if unknown."""
    return math.sqrt(math.prod(known.pixel_size.pair)) if known.pixel_size else 0.0


def number(tip: str, low: float, high: float, decimals: int, step: float) -> QDoubleSpinBox:
    """Return a spin box whose value counts with Enter, arrows and wheel, not while it is typed."""
    box = QDoubleSpinBox()
    box.setDecimals(decimals)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)  # arrow keys and wheel step
    box.setToolTip(tip)
    box.setMinimumWidth(60)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def words(text: str = "") -> QLabel:
    """Return a label that wraps and never widens its dock."""
    from qtpy.QtCore import Qt

    label = QLabel(text)
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
