"""How large shall the field be? A map or a volume, its points, and its edges in micrometres."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.reconstruct.words import length_words
from napari_orient.plugin.train.rows import OpenRow
from napari_orient.reconstruction.config import ReconstructConfig

LARGEST = 4096
FIRST = {2: (128, 128), 3: (48, 48, 48)}


class SizeForm(QWidget):
    """Emits ``changed()`` when the user changes something."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.solid = QRadioButton("Map (2D)"), QRadioButton("Volume (3D)")
        self.flat.setToolTip("A section (y, x)")
        self.solid.setToolTip("A volume (z, y, x), whose sections all look like the map")
        self._group = QButtonGroup(self)
        self.boxes = {axis: _box(axis) for axis in "zyx"}
        self.equal = QCheckBox("equal")
        self.equal.setToolTip("All edges have the same number of points")
        self.step = OpenRow(ReconstructConfig, "step", "", 4, 0.1, none="as the map")
        self.edges = QLabel()
        self.edges.setToolTip("Edges of the field")
        self._known: tuple[float, str] | None = None
        self._arrange()
        self.set_size(FIRST[2])
        self.equal.setChecked(True)
        self._group.idToggled.connect(self._on_kind)
        for axis, box in self.boxes.items():
            box.valueChanged.connect(lambda value, axis=axis: self._on_points(axis, value))
        self.equal.toggled.connect(self._on_equal)
        self.step.changed.connect(self._on_step)

    def _arrange(self) -> None:
        kind, points = QHBoxLayout(), QHBoxLayout()
        for place, radio in enumerate((self.flat, self.solid)):
            self._group.addButton(radio, place)
            kind.addWidget(radio)
        kind.addStretch(1)
        for box in self.boxes.values():
            points.addWidget(box, 1)
        points.addWidget(self.equal)
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        for row, (title, tip) in enumerate((("Points", "Points along each edge"), ("Step", ""))):
            label = QLabel(title)
            label.setToolTip(tip or self.step.box.toolTip())
            grid.addWidget(label, row, 0)
        grid.addLayout(points, 0, 1)
        grid.addWidget(self.step, 1, 1)
        grid.addWidget(self.edges, 2, 1)
        grid.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(kind)
        layout.addLayout(grid)

    @property
    def dimensions(self) -> int:
        """2 for a map, 3 for a volume."""
        return 3 if self.solid.isChecked() else 2

    @property
    def size(self) -> tuple[int, ...]:
        """Points (y, x) or (z, y, x)."""
        return tuple(self.boxes[axis].value() for axis in "zyx"[-self.dimensions :])

    def set_size(self, size: tuple[int, ...]) -> None:
        """Show a size of two or three numbers."""
        with QSignalBlocker(self._group):
            (self.solid if len(size) == 3 else self.flat).setChecked(True)
        for axis, points in zip("zyx"[-len(size) :], size, strict=True):
            with QSignalBlocker(self.boxes[axis]):
                self.boxes[axis].setValue(points)
        with QSignalBlocker(self.equal):
            self.equal.setChecked(len(set(size)) == 1)
        self._show()

    def show_map(self, step: float | None, unit: str) -> None:
        """Show what step the map has, or that there is none."""
        self._known = None if step is None else (step, unit)
        self.step.box.setSuffix(f" {unit.replace('um', 'µm')}" if step is not None else "")
        self.step.show_known(step, "the map's" if step is not None else "")
        self._show()

    def _show(self) -> None:
        self.boxes["z"].setVisible(self.dimensions == 3)
        step = self.step.shown
        known = self._known is not None and step is not None
        self.edges.setText(
            "= " + length_words(self.size, step, self._known[1])  # type: ignore[index,arg-type]
            if known
            else ""
        )
        self.edges.setVisible(known)

    def _on_kind(self, place: int, on: bool) -> None:
        if on:
            self.set_size(FIRST[2 + place])
            self.changed.emit()

    def _on_points(self, axis: str, value: int) -> None:
        if self.equal.isChecked():
            for box in self.boxes.values():
                with QSignalBlocker(box):
                    box.setValue(value)
        self._show()
        self.changed.emit()

    def _on_equal(self, on: bool) -> None:
        if on and len(set(self.size)) > 1:
            self._on_points("x", self.boxes["x"].value())

    def _on_step(self) -> None:
        self._show()
        self.changed.emit()


def _box(axis: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(4, LARGEST)
    box.setSingleStep(8)
    box.setKeyboardTracking(False)
    box.setPrefix(f"{axis} ")
    box.setToolTip(
        f"Points along {axis}; numbers that 2, 4, 8 divide allow grids from coarse to fine"
    )
    return box
