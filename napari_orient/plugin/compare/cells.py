"""How does the crystal lie here? Unit cells as wire frames, seen along the beam.

The view is that of the pattern and of the map: x right, y down, the beam into the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_orient.crystal.rotations import conjugate, rotate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.plugin.compare.point import Crystal

AXES = ("#ff6b6b", "#51cf66", "#4dabf7")  # a, b, c
SIZE = 140  # px, least height
FAR, NEAR = 0.3, 1.0  # opacity of the farthest and the nearest edge
CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)
EDGES = tuple(
    (start, end)
    for start in range(8)
    for end in range(start + 1, 8)
    if np.abs(CORNERS[start] - CORNERS[end]).sum() == 1
)


def cell_corners(phase: Phase, quaternion: ArrayLike) -> NDArray[np.float64]:
    """Return the corners (8, 3) of a unit cell as components x, y, z in the frame of the map.

    The middle of the cell is at the origin and the farthest corner at distance 1; the first corner
    is the cell's origin, and corners 4, 2, 1 are the ends of a, b, c.

    Parameters
    ----------
    phase
        Its lattice has e1 || a, e3 || c*.
    quaternion
        (4,), lab2crystal; its inverse takes crystal components to those of the map.
    """
    crystal = (CORNERS - 0.5) @ np.asarray(phase.structure.lattice.base, np.float64)
    lab = rotate(conjugate(np.asarray(quaternion, np.float64)), crystal)
    return np.asarray(lab / np.linalg.norm(lab, axis=1).max())


class CellsView(QWidget):
    """Crystals side by side, and words between the first two."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.crystals: tuple[Crystal, ...] = ()
        self.between = ""
        self.setMinimumSize(1, SIZE)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Unit cells as they lie in the map: x to the right, y down, the beam into the page. "
            "Strong lines are near you, faint ones far."
        )

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(300, SIZE + 3 * self.fontMetrics().lineSpacing())

    def show_crystals(self, crystals: Any, between: str = "") -> None:
        """Draw these crystals, none of them for an empty view."""
        self.crystals, self.between = tuple(crystals), between
        self.update()

    def places(self) -> list[QRectF]:
        """Return the squares in which the crystals are drawn."""
        line = self.fontMetrics().lineSpacing()
        width = self.width() / max(len(self.crystals), 1)
        side = min(width, self.height() - 2.5 * line)
        return [
            QRectF((n + 0.5) * width - side / 2, line, side, side)
            for n in range(len(self.crystals))
        ]

    def paintEvent(self, event: Any) -> None:
        """Draw: Qt calls."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = self.fontMetrics().lineSpacing()
        for crystal, place in zip(self.crystals, self.places(), strict=True):
            painter.setPen(QColor(crystal.colour))
            head = QRectF(place.center().x() - 200, 0, 400, line)
            painter.drawText(head, int(Qt.AlignmentFlag.AlignCenter), crystal.name)
            self._paint_cell(painter, crystal, place)
        painter.setPen(self.palette().windowText().color())
        below = QRectF(0, self.height() - 1.3 * line, self.width(), 1.3 * line)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignCenter), self.between)

    def _paint_cell(self, painter: QPainter, crystal: Crystal, place: QRectF) -> None:
        corners = cell_corners(crystal.phase, crystal.quaternion)
        size = 0.38 * place.width()

        def at(corner: Any) -> QPointF:
            return place.center() + QPointF(size * corner[0], size * corner[1])

        ink = self.palette().windowText().color()
        # far edges first: near ones are drawn over them
        for start, end in sorted(EDGES, key=lambda edge: -corners[list(edge), 2].mean()):
            axis = {4: 0, 2: 1, 1: 2}.get(end) if start == 0 else None
            colour = QColor(ink if axis is None else AXES[axis])
            near = 0.5 - 0.5 * float(corners[[start, end], 2].mean())  # z points away from us
            colour.setAlphaF(FAR + (NEAR - FAR) * min(1.0, max(0.0, near)))
            painter.setPen(QPen(colour, (1.0 if axis is None else 2.0) + near))
            painter.drawLine(at(corners[start]), at(corners[end]))
        for end, name, colour in zip((4, 2, 1), "abc", AXES, strict=True):
            beyond = corners[end] + 0.22 * (corners[end] - corners[0])
            painter.setPen(QColor(colour))
            room = QRectF(-10, -10, 20, 20).translated(at(beyond))
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), name)
