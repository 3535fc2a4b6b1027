"""Where to look next? From one bad place of the map to the next, by button or key."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QShortcut,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.compare.fields import ErrorField
from napari_orient.plugin.compare.worst import Place, worst_areas, worst_points
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.load.prepare_panel import button

AREAS, POINTS = "wrong areas above", "worst points"
NEXT, BEFORE = "N", "Shift-N"


class WorstBar(QWidget):
    """Goes from place to place, the worst first; ``went(index)`` says where."""

    went = Signal(object)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._errors: Any = None
        self._field: ErrorField | None = None
        self._places: list[Place] | None = None
        self._number = -1
        self.box = QComboBox()
        self.box.addItems([AREAS, POINTS])
        self.box.setToolTip("What Next goes to, among the points that count")
        self.threshold = QDoubleSpinBox()
        self.threshold.setKeyboardTracking(False)
        self.threshold.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.threshold.setToolTip("An area is where neighbours all have a larger error")
        self.back = button("◀", f"The place before ({BEFORE})", lambda: self.step(-1))
        self.next = button("Next ▶", f"The next place ({NEXT})", lambda: self.step(1))
        self.back.setFixedWidth(28)
        self.said = QLabel()
        row = QHBoxLayout()
        for widget in (self.box, self.threshold):
            row.addWidget(widget)
        row.addStretch(1)
        for widget in (self.back, self.next):
            row.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.said)
        self.box.currentTextChanged.connect(self._on_box)
        self.threshold.valueChanged.connect(self._forget)
        self._bind(viewer)

    def _bind(self, viewer: Any) -> None:
        """Bind the keys: on the canvas they are napari's to give, in the dock Qt's."""
        for key, by in ((NEXT, 1), (BEFORE, -1)):
            viewer.bind_key(key, _stepper(self, by), overwrite=True)
            at_end(self, partial(viewer.bind_key, key, None, overwrite=True))

    def add_shortcuts(self, dock: QWidget) -> None:
        """Let the keys work while the dock has the focus."""
        for key, by in ((NEXT, 1), (BEFORE.replace("-", "+"), -1)):
            shortcut = QShortcut(QKeySequence(key), dock)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(_stepper(self, by))

    def set_errors(self, errors: Any, field: ErrorField) -> None:
        """Look for places in these errors (y, x); NaN do not count."""
        self._errors = errors
        if field is not self._field:
            self._field = field
            with QSignalBlocker(self.threshold):
                self.threshold.setSuffix(field.unit)
                self.threshold.setRange(0, 180 if field.unit else 1)
                self.threshold.setDecimals(1 if field.unit else 3)
                self.threshold.setValue(5.0 if field.unit else field.highest / 10)
        self._forget()

    def step(self, by: int) -> None:
        """Go to the next place (1) or the one before (-1); after the last comes the first."""
        if self._errors is None or self._field is None:
            return
        if self._places is None:
            self._places = self._find()
        if not self._places:
            self.said.setText("No such place among the points that count.")
            return
        self._number = (self._number + by) % len(self._places) if self._number >= 0 else 0
        place, unit = self._places[self._number], self._field.unit
        what = f"{place.points} points up to " if place.points > 1 else ""
        self.said.setText(
            f"{self._number + 1} of {len(self._places)}: {what}{place.error:.4g}{unit}"
        )
        self.went.emit(place.index)

    def _find(self) -> list[Place]:
        if self.box.currentText() == POINTS:
            return worst_points(self._errors)
        return worst_areas(self._errors, self.threshold.value())

    def _on_box(self, text: str) -> None:
        self.threshold.setVisible(text == AREAS)
        self._forget()

    def _forget(self, *_: Any) -> None:
        self._places, self._number = None, -1
        self.said.clear()


def _stepper(bar: WorstBar, by: int) -> Any:
    """Return a function of anything that steps, and does not keep the bar alive."""
    reference = weakref.ref(bar)

    def step(*_: Any) -> None:
        if (there := reference()) is not None:
            there.step(by)

    return step
