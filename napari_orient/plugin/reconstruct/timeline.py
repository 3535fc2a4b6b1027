"""How did the field come about? A slider over its snapshots, for after the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_orient.plugin.calibrate.fields import words

if TYPE_CHECKING:
    from napari_orient.plugin.reconstruct.snapshots import Snapshots

RESULT = "The result."


class Timeline(QWidget):
    """Emits ``moved(number)`` of a snapshot, or -1 for the result."""

    moved = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._snapshots: Snapshots | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "How the field came about: left the noise at the start, right the result. What passed "
            "is only a picture; the map in the layer is the result"
        )
        self.said = words()
        label = QLabel("Replay")
        label.setBuddy(self.slider)
        label.setToolTip(self.slider.toolTip())
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.slider, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.said)
        self.slider.valueChanged.connect(self._on_moved)
        self.hide()

    def show_run(self, snapshots: Snapshots | None) -> None:
        """Offer the snapshots of a run, or none."""
        self._snapshots = snapshots
        count = len(snapshots) if snapshots is not None else 0
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, count)
            self.slider.setValue(count)
        self.said.setText(RESULT)
        self.setVisible(count > 0)

    def end(self) -> None:
        """Go to the result."""
        self.slider.setValue(self.slider.maximum())

    def _on_moved(self, number: int) -> None:
        snapshots = self._snapshots
        if snapshots is None or number >= len(snapshots):
            self.said.setText(RESULT)
            self.moved.emit(-1)
            return
        one = snapshots[number]
        grid = " × ".join(map(str, one.shape[:-1]))
        said = f"{number + 1} of {len(snapshots)}: {grid} points"
        if one.trace is not None:
            said += f", evaluation {one.trace.evaluations}, loss {one.trace.loss:.2e}"
        self.said.setText(f"{said}. A picture of what passed: the map is the result.")
        self.moved.emit(number)
