"""How is a scan cropped and repaired from the window? By numbers, or by a drawn rectangle.

The panels ask; the Load dock does: it replaces the scan in its layer and keeps the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_orient.jobs import Job, Progress
from napari_orient.plugin.layers import KEY, kind_of, record, scan_grid
from napari_orient.plugin.questions import in_words

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan

Box = tuple[slice, slice]


def button(text: str, tooltip: str, clicked: Callable[..., Any]) -> QPushButton:
    """Return a push button with its tooltip, connected."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.clicked.connect(lambda *_: clicked())
    return made


class CropPanel(QWidget):
    """Chooses a rectangle of the scan, by numbers or drawn; emits ``asked(y slice, x slice)``."""

    asked = Signal(object, object)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._scan: Scan | None = None
        self._spins = {name: QSpinBox() for name in ("y0", "y1", "x0", "x1")}
        grid = QGridLayout(self)
        for row, (axis, word) in enumerate((("y", "Rows"), ("x", "Columns"))):
            first, last = self._spins[f"{axis}0"], self._spins[f"{axis}1"]
            first.setToolTip(f"First of the {word.lower()} that stay, counted from 0")
            last.setToolTip(f"Last of the {word.lower()} that stay")
            for column, widget in enumerate((QLabel(word), first, QLabel("to"), last)):
                grid.addWidget(widget, row, column)
        for spin in self._spins.values():
            spin.valueChanged.connect(self._say)
        self._said = QLabel()
        grid.addWidget(self._said, 2, 0, 1, 4)
        self.draw = button(
            "Draw rectangle", "Draw a rectangle on the image; the numbers follow it", self._draw
        )
        self.crop = button("Crop", "Keep these positions only; the file is not changed", self._ask)
        row_of_buttons = QHBoxLayout()
        row_of_buttons.addWidget(self.draw)
        row_of_buttons.addWidget(self.crop)
        grid.addLayout(row_of_buttons, 3, 0, 1, 4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        grid.setRowStretch(4, 1)

    def show_scan(self, scan: Scan | None) -> None:
        """Offer the whole scan."""
        self._scan = scan
        if scan is not None:
            self.set_box((slice(0, scan.shape[0]), slice(0, scan.shape[1])))

    def set_box(self, box: Box) -> None:
        """Write a rectangle into the numbers, cut to the scan."""
        if self._scan is None:
            return
        for axis, part, size in zip("yx", box, self._scan.scan_shape, strict=True):
            low = min(max(0, part.start), size - 1)
            high = min(max(low + 1, part.stop), size)
            for name, value in ((f"{axis}0", low), (f"{axis}1", high - 1)):
                self._spins[name].setRange(0, size - 1)
                self._spins[name].setValue(value)

    @property
    def box(self) -> Box:
        """(rows, columns) as slices."""
        value = {name: spin.value() for name, spin in self._spins.items()}
        return slice(value["y0"], value["y1"] + 1), slice(value["x0"], value["x1"] + 1)

    def _say(self) -> None:
        if self._scan is None:
            return
        rows, columns = self.box
        height, width = rows.stop - rows.start, columns.stop - columns.start
        valid = height > 0 and width > 0
        whole = (height, width) == self._scan.scan_shape
        self.crop.setEnabled(valid and not whole)
        ky, kx = self._scan.pattern_shape
        nbytes = height * width * ky * kx * self._scan.dtype.itemsize
        size = f"{height} × {width} positions, {in_words(nbytes)}"
        self._said.setText(size if valid else "Nothing is left: the last lies before the first")

    def _ask(self) -> None:
        self.asked.emit(*self.box)

    def _draw(self) -> None:
        """Give the user a shapes layer that draws rectangles, on the grid of the scan."""
        if self._scan is None:
            return
        layer = self._shapes()
        if layer is None:
            layer = self._viewer.add_shapes(
                name="crop",
                metadata=record("crop", source=self._scan.source),
                face_color=[1, 1, 0, 0.1],
                edge_color="yellow",
                edge_width=max(self._scan.scan_shape) / 150,
                **scan_grid(self._scan),
            )
            layer.events.set_data.connect(self._follow)
        self._viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"
        show_info("Drag a rectangle over the image, then press Crop.")

    def _shapes(self) -> Any:
        layers = (x for x in self._viewer.layers if kind_of(x) == "crop" and KEY in x.metadata)
        return next(layers, None)

    def _follow(self, event: Any) -> None:
        """Take over the rectangle drawn last."""
        layer = self._shapes()
        if layer is None or len(layer.data) == 0:
            return
        corners = np.asarray(layer.data[-1])[:, -2:]
        low, high = corners.min(axis=0), corners.max(axis=0)
        # a pixel n reaches from n - 1/2 to n + 1/2
        rows, columns = (
            slice(int(np.floor(a + 0.5)), int(np.ceil(b + 0.5)))
            for a, b in zip(low, high, strict=True)
        )
        self.set_box((rows, columns))

    def forget_drawing(self) -> None:
        """Remove the drawn rectangle, after the crop."""
        layer = self._shapes()
        if layer is not None:
            self._viewer.layers.remove(layer)


def find_and_replace_hot_pixels(scan: Scan) -> Job[Scan | None]:
    """Look for hot pixels; return the repaired scan, or None if there are none."""
    from napari_orient.data.prepare import hot_pixels, without_hot_pixels

    yield Progress(0, 0, "reading some patterns")
    mask = hot_pixels(scan)
    return without_hot_pixels(scan, mask) if mask.any() else None
