"""How do settings stand in a page? Titles in a column, and under a button what is rarely needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_orient.plugin.train.rows import Row

WIDEST = "Learning rate "  # of the titles: columns of all pages are aligned


class Lines(QWidget):
    """Rows under each other with their titles; each line can be hidden."""

    def __init__(self, *lines: tuple[str, Row]) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        self._labels: dict[Row, QLabel] = {}
        for place, (title, row) in enumerate(lines):
            label = self._labels[row] = QLabel(title)
            label.setMinimumWidth(self.fontMetrics().horizontalAdvance(WIDEST))
            box = getattr(row, "box", getattr(row, "low", None))
            if box is not None:
                label.setToolTip(box.toolTip())
                label.setBuddy(box)
            grid.addWidget(label, place, 0)
            grid.addWidget(row, place, 1)
        grid.setColumnStretch(1, 1)

    def show_line(self, row: Row, on: bool) -> None:
        """Show a line or take it away."""
        row.setVisible(on)
        self._labels[row].setVisible(on)


class Folded(QWidget):
    """What rarely needs a change, under a button that unfolds it."""

    def __init__(self, content: QWidget, text: str = "More settings") -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setText(text)
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setToolTip("What rarely needs a change")
        self.content = content
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.button.toggled.connect(self._fold)
        self._fold(False)

    def _fold(self, on: bool) -> None:
        self.content.setVisible(on)
        self.button.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)


def page(*parts: QWidget, last: QWidget | None = None) -> QWidget:
    """Return a page of parts under each other; the last one takes the room that is left."""
    made = QWidget()
    layout = QVBoxLayout(made)
    layout.setContentsMargins(4, 4, 4, 4)
    layout.setSpacing(4)
    for part in parts:
        layout.addWidget(part)
    if last is None:
        layout.addStretch(1)
    else:
        layout.addWidget(last, 1)
    return made
