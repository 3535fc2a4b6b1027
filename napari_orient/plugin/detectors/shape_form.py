"""How is a detector's shape typed in? Number fields for one shape, in pixels, with 1/Å beside."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QWidget

from napari_orient.diffraction.detectors import Annulus, Disk, Rectangle, Shape

FIELDS = {
    "disk": ("Radius, px", ""),
    "annulus": ("Inner, px", "Outer, px"),
    "rectangle": ("Height, px", "Width, px"),
}


class ShapeForm(QWidget):
    """Edits one shape: centre, and radius, radii or size."""

    changed = Signal(object)
    """The new shape, when the user changed a number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape: Shape | None = None
        self._per_pixel: tuple[float, float] | None = None
        self._beam = (0.0, 0.0)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._labels = [QLabel(text) for text in ("ky, px", "kx, px", "", "")]
        self._boxes = [_box() for _ in range(4)]
        self._beside = [QLabel() for _ in range(4)]
        for row, parts in enumerate(zip(self._labels, self._boxes, self._beside, strict=True)):
            for column, widget in enumerate(parts):
                layout.addWidget(widget, row // 2, 3 * (row % 2) + column)
        for column in (2, 5):
            layout.setColumnStretch(column, 1)
        tips = ("row", "column")
        for box, tip in zip(self._boxes, tips, strict=False):
            box.setRange(-9999, 9999)
            box.setToolTip(f"Centre of the shape ({tip} of the pattern), in pixels")
        for box in self._boxes:
            box.valueChanged.connect(self._on_edited)
        self.setValue(None)

    @property
    def boxes(self) -> list[QDoubleSpinBox]:
        """The fields: ky, kx, and one or two sizes."""
        return self._boxes

    def setCalibration(
        self, per_pixel: tuple[float, float] | None, beam: tuple[float, float]
    ) -> None:
        """Set the size of a pixel (ky, kx) in 1/Å, None if unknown, and the beam centre."""
        self._per_pixel, self._beam = per_pixel, beam
        self._write_beside()

    def value(self) -> Shape | None:
        """Return the shape."""
        return self._shape

    def setValue(self, shape: Shape | None) -> None:
        """Show a shape; None empties the form."""
        self._shape = shape
        self.setEnabled(shape is not None)
        names = FIELDS[shape.kind if shape else "disk"]
        numbers = (0.0, 0.0, 0.0, 0.0) if shape is None else (*shape.centre, *_sizes(shape))
        for label, name in zip(self._labels[2:], names, strict=True):
            label.setText(name)
        for widget in (self._labels[3], self._boxes[3], self._beside[3]):
            widget.setVisible(bool(names[1]))
        for box, number in zip(self._boxes, numbers, strict=True):
            box.blockSignals(True)
            box.setValue(number)
            box.blockSignals(False)
        self._write_beside()

    def _write_beside(self) -> None:
        shape, size = self._shape, self._per_pixel
        if shape is None or size is None:
            for label in self._beside:
                label.clear()
            return
        centre = [(c - b) * s for c, b, s in zip(shape.centre, self._beam, size, strict=True)]
        along = size if isinstance(shape, Rectangle) else (size[1], size[1])
        lengths = [n * s for n, s in zip(_sizes(shape), along, strict=True)]
        for label, number in zip(self._beside, (*centre, *lengths), strict=True):
            label.setText(f"= {number:.3f} Å⁻¹")

    def _on_edited(self) -> None:
        if self._shape is None:
            return
        ky, kx, first, second = (box.value() for box in self._boxes)
        shape = self._shape.moved_to(ky, kx)
        if isinstance(shape, Disk):
            shape = shape.resized(first)
        elif isinstance(shape, Annulus):
            # the field that was edited pushes the other one
            if first != round(shape.inner, 2):
                shape = shape.resized(inner=first)
            else:
                shape = shape.resized(outer=second)
        else:
            shape = shape.resized((first, second))
        self.setValue(shape)
        self.changed.emit(shape)


def _sizes(shape: Shape) -> tuple[float, float]:
    if isinstance(shape, Disk):
        return shape.radius, 0.0
    return (shape.inner, shape.outer) if isinstance(shape, Annulus) else shape.size


def _box() -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(2)
    box.setRange(0, 9999)
    box.setSingleStep(1)
    # the arrow keys step; buttons would take the place of the numbers
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setMinimumWidth(64)
    box.setKeyboardTracking(False)
    box.setToolTip("Size of the shape, in pixels")
    return box
