"""What is reconstructed from? The pickers of maps, of a drawn part, and of sections' axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.compare.pickers import MapPicker
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.reconstruct.references import AXES, Wanted
from napari_orient.plugin.reconstruct.region import MapRegion

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

WHOLE, REGION = "the whole map", "the drawn region"
EMPTY = "Open a map with File > Open, or index a scan; then choose it above."
VOLUME = "This is a volume: choose a map (y, x), a section of the material."
NO_REGION = "Draw a region on the map, or take the whole map."
NAMES = ("x", "-x", "y", "-y", "z", "-z")


class ReferenceForm(QWidget):
    """Emits ``changed()`` when something else is to be reconstructed from."""

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.pickers = [
            MapPicker(viewer, "The map whose statistics the field is to have"),
            MapPicker(viewer, "A second section of the sample"),
            MapPicker(viewer, "A third section of the sample"),
        ]
        self.picker = self.pickers[0]
        self.region = MapRegion(viewer, self)
        self.where = QComboBox()
        self.where.addItems([WHOLE, REGION])
        self.where.setToolTip("Which part of the map counts")
        self.where.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.draw = button(
            "Draw region", "Draw a rectangle (or, with the layer's tools, any shape) on the map",
            self._on_draw,
        )  # fmt: skip
        self.three = QCheckBox("Three sections of the sample")
        self.three.setToolTip(
            "For a volume whose grains differ from side to side: a map across each of its axes. "
            "With one map alone, grains are taken to be the same from all sides"
        )
        self.axes = [tuple(_axis_box(name, side) for side, name in enumerate(a)) for a in AXES]
        self._arrange()
        self._solid = True
        self.set_solid(False)
        for picker in self.pickers:
            picker.changed.connect(self.changed)
        self.where.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.region.changed.connect(self._on_region)
        self.three.toggled.connect(self._on_three)
        for box in (box for pair in self.axes for box in pair):
            box.currentIndexChanged.connect(lambda _: self.changed.emit())

    def _arrange(self) -> None:
        places = QHBoxLayout()
        places.addWidget(self.where, 1)
        places.addWidget(self.draw)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        for row, (picker, boxes) in enumerate(zip(self.pickers, self.axes, strict=True)):
            for column, widget in enumerate((picker, *boxes)):
                grid.addWidget(widget, row, column)
        grid.setColumnStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addLayout(places)
        layout.addWidget(self.three)

    @property
    def map(self) -> OrientationMap | None:
        """The (first) map."""
        return self.picker.chosen

    def set_solid(self, on: bool) -> None:
        """Offer three sections, for a volume."""
        if on == self._solid:
            return
        self._solid = on
        self.three.setVisible(on)
        self._on_three()

    def wanted(self) -> Wanted:
        """Return what is chosen.

        Raises
        ------
        ValueError
            If something is missing, in words for the user.
        """
        chosen = self.map
        if chosen is None:
            raise ValueError(EMPTY)
        if len(chosen.shape) != 2:
            raise ValueError(VOLUME)
        mask = None
        if self.where.currentText() == REGION:
            mask = self.region.mask(chosen)
            if mask is None:
                raise ValueError(NO_REGION)
        if not self._three:
            return Wanted((chosen,), mask)
        others = tuple(picker.chosen for picker in self.pickers[1:])
        if None in others:
            raise ValueError("Choose the two other sections, or untick Three sections.")
        axes = tuple((a.currentData(), b.currentData()) for a, b in self.axes)
        return Wanted((chosen, *others), mask, axes)  # type: ignore[arg-type]

    @property
    def _three(self) -> bool:
        return self._solid and bool(self.three.isChecked())

    def choose_first(self, current: OrientationMap | None) -> None:
        """Choose the map of the session, or the only one, where none is chosen."""
        maps = [one for one in self.picker.maps if len(one.shape) == 2]
        if self.picker.chosen is None and maps:
            known = any(one is current for one in maps)
            if known or len(maps) == 1:
                self.picker.choose(current if known else maps[0])

    def _on_three(self, *_: Any) -> None:
        for row, (picker, boxes) in enumerate(zip(self.pickers, self.axes, strict=True)):
            picker.setVisible(self._three or not row)
            for box in boxes:
                box.setVisible(self._three)
        self.changed.emit()

    def _on_draw(self) -> None:
        if self.map is not None and len(self.map.shape) == 2:
            self.region.draw(self.map)

    def _on_region(self) -> None:
        """Take a region as soon as there is one."""
        chosen = self.map
        there = chosen is not None and self.region.mask(chosen) is not None
        if there and self.where.currentText() == WHOLE:
            self.where.setCurrentText(REGION)  # which says that it changed
        elif not there and self.region.layer() is None:
            self.where.setCurrentText(WHOLE)
        else:
            self.changed.emit()


def _axis_box(name: str, side: int) -> QComboBox:
    box = QComboBox()
    for axis in NAMES:
        box.addItem(f"{'→↓'[side]} {axis}", axis)
    box.setCurrentIndex(box.findData(name))
    words = ("to the right", "down")[side]
    box.setToolTip(f"The sample's axis along which this section runs {words}")
    return box
