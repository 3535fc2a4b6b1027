"""Which colour has which boundary, and how much is there of it? Ticks with colour and share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

from napari_orient.plugin.grains.picture_layers import class_colour

if TYPE_CHECKING:
    from napari_orient.analysis.boundary_map import BoundaryMap


class ClassKey(QWidget):
    """The classes of a map's boundaries; emits ``changed()`` when one is shown or hidden."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ticks: dict[int, QCheckBox] = {}
        self._parts: list[QWidget] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(1)
        self._grid.setColumnStretch(0, 1)

    @property
    def seen(self) -> set[int]:
        """Numbers of the classes that are ticked."""
        return {number for number, tick in self.ticks.items() if tick.isChecked()}

    def show_boundaries(self, boundaries: BoundaryMap | None) -> None:
        """List the classes of these boundaries; those hidden before stay hidden."""
        hidden = {tick.text() for tick in self.ticks.values() if not tick.isChecked()}
        for part in self._parts:
            self._grid.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._parts, self.ticks = [], {}
        if boundaries is None:
            return
        extents = boundaries.extents()
        whole = float(extents.sum()) or 1.0
        for number, name in boundaries.listed().items():
            tick = QCheckBox(name)
            tick.setIcon(_swatch(class_colour(number)))
            tick.setChecked(name not in hidden)
            tick.setToolTip("Show these boundaries")
            tick.toggled.connect(lambda _: self.changed.emit())
            share = QLabel(f"{100 * extents[number] / whole:.1f} %")
            extent = QLabel(f"{extents[number]:.4g} {boundaries.extent_unit}")
            extent.setToolTip("Counted along the sides of the points")
            self.ticks[number] = tick
            row = self._grid.rowCount()
            for column, part in enumerate((tick, share, extent)):
                self._grid.addWidget(part, row, column)
                self._parts.append(part)


def _swatch(colour: Any) -> QIcon:
    picture = QPixmap(22, 10)
    picture.fill(QColor("#d0d0d0"))  # a rim, so that black is seen on a dark ground
    painter = QPainter(picture)
    painter.fillRect(1, 1, picture.width() - 2, picture.height() - 2, QColor(colour))
    painter.end()
    return QIcon(picture)
