"""What counts as a grain? The whole configuration as controls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.plugin.calibrate.fields import number
from napari_orient.plugin.grains.limits import LimitList

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

LEAVE, JOIN = "leave out", "join a neighbour"
SMALL = {LEAVE: "leave out", JOIN: "merge"}


class GrainForm(QWidget):
    """The settings of the segmentation; emits ``changed()``."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.threshold: QDoubleSpinBox = number(_tip("threshold"), 0.1, 89.9, 1, 0.5)
        self.threshold.setSuffix("°")
        self.smallest = _points(_tip("smallest"), 1)
        self.small = QComboBox()
        self.small.addItems([LEAVE, JOIN])
        self.small.setToolTip(
            "What becomes of smaller ones: they are no grains, or part of the neighbour with which "
            "they share most boundary"
        )
        self.fill = _points(_tip("fill"), 0)
        self.fill.setSpecialValueText("no")
        self.twins = QLineEdit()
        self.twins.setPlaceholderText("none; choose from the list, or type 60 [111]")
        self.twins.setToolTip(
            "Twins that are one grain with their parent, separated by semicolons: sigma 3; "
            "{10-12}; 86.3 [11-20] (angle and axis)"
        )
        self.laws = QToolButton()
        self.laws.setText("Twins")
        self.laws.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.laws.setToolTip("The usual twins of the crystals of this map")
        self.laws.setMinimumWidth(self.fontMetrics().horizontalAdvance("Twins") + 26)
        self._menu = QMenu(self.laws)
        self.laws.setMenu(self._menu)
        self.limits = LimitList()
        self.beam = QCheckBox("Half turns about the beam do not split grains")
        self.beam.setToolTip(
            "In patterns of zone axes, a crystal and the one turned by 180° about the beam look "
            "alike"
        )
        self.edge = QCheckBox("Count grains at the edge")
        self.edge.setToolTip(
            "Statistics are over whole grains; with this, also those that the edge of the map cuts"
        )
        self._arrange()
        self._connect()
        self.set_config(GrainConfig())

    def _arrange(self) -> None:
        grid = QGridLayout()
        grid.setVerticalSpacing(3)
        cells = (
            ("Threshold", self.threshold, 0, 0), ("Smallest", self.smallest, 0, 2),
            ("Smaller ones", self.small, 1, 0), ("Fill gaps", self.fill, 1, 2),
        )  # fmt: skip
        for text, widget, row, column in cells:
            grid.addWidget(_label(text, widget), row, column)
            grid.addWidget(widget, row, column + 1)
        twins = QHBoxLayout()
        twins.addWidget(self.twins, 1)
        twins.addWidget(self.laws)
        grid.addWidget(_label("Merge twins", self.twins), 2, 0)
        grid.addLayout(twins, 2, 1, 1, 3)
        grid.addWidget(QLabel("Points with"), 3, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.limits, 3, 1, 1, 3)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(grid)
        layout.addWidget(self.beam)
        layout.addWidget(self.edge)

    def _connect(self) -> None:
        for box in (self.threshold, self.smallest, self.fill):
            box.valueChanged.connect(self._tell)
        self.small.currentIndexChanged.connect(self._tell)
        for tick in (self.beam, self.edge):
            tick.toggled.connect(self._tell)
        self.twins.editingFinished.connect(self._tell)
        self.limits.changed.connect(self._tell)
        self._menu.aboutToShow.connect(self._tick_laws)

    def _tell(self, *_: Any) -> None:
        self.changed.emit()

    # --- the map -----------------------------------------------------------------------------

    def set_map(self, orientations: OrientationMap | None) -> None:
        """Offer the twins and the properties of a map."""
        self.limits.set_map(orientations)
        self._menu.clear()
        for name, words in laws_of(orientations).items():
            action = self._menu.addAction(words)
            action.setCheckable(True)
            action.setData(name)
            action.triggered.connect(lambda on, name=name: self._merge(name, on))
        self.laws.setEnabled(not self._menu.isEmpty())

    def _tick_laws(self) -> None:
        typed = self._typed()
        for action in self._menu.actions():
            action.setChecked(action.data() in typed)

    def _typed(self) -> list[str]:
        return [law.strip() for law in self.twins.text().split(";") if law.strip()]

    def _merge(self, name: str, on: bool) -> None:
        typed = [law for law in self._typed() if law != name]
        self.twins.setText("; ".join([*typed, name] if on else typed))
        self.changed.emit()

    # --- settings ----------------------------------------------------------------------------

    @property
    def config(self) -> GrainConfig:
        """What the controls say.

        Raises
        ------
        ConfigError
            If a value is out of range.
        """
        return GrainConfig.checked(
            {
                "threshold": self.threshold.value(),
                "smallest": self.smallest.value(),
                "small": SMALL[self.small.currentText()],
                "fill": self.fill.value(),
                "merge_twins": tuple(self._typed()),
                "modulo_beam": self.beam.isChecked(),
                "least": self.limits.values,
                "edge_grains": self.edge.isChecked(),
            },
            "settings",
        )

    def set_config(self, config: GrainConfig) -> None:
        """Show a configuration."""
        with QSignalBlocker(self):
            self.threshold.setValue(config.threshold)
            self.smallest.setValue(config.smallest)
            self.small.setCurrentText(JOIN if config.small == "merge" else LEAVE)
            self.fill.setValue(config.fill)
            self.twins.setText("; ".join(config.merge_twins))
            self.beam.setChecked(config.modulo_beam)
            self.edge.setChecked(config.edge_grains)
            self.limits.set_values(config.least)
        self.changed.emit()


def laws_of(orientations: OrientationMap | None) -> dict[str, str]:
    """Return the usual twins of the crystals of a map: name -> words with angle and crystal."""
    from napari_orient.analysis.boundary_classes import twin
    from napari_orient.analysis.twins import laws_for

    found: dict[str, str] = {}
    for phase in orientations.phases.values() if orientations is not None else ():
        for law in laws_for(phase):
            name = twin(law, phase).name
            found.setdefault(name, f"{name}, {law.angle(phase):.1f}° ({phase.name})")
    return found


def _tip(name: str) -> str:
    said = GrainConfig.model_fields[name].description or name
    said = re.sub(r"\s+", " ", said)
    return said[:1].upper() + said[1:]


def _points(tip: str, least: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, 10**6)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setSuffix(" points")
    box.setToolTip(tip)
    return box


def _label(text: str, widget: QWidget) -> QLabel:
    label = QLabel(text)
    label.setBuddy(widget)
    label.setToolTip(widget.toolTip())
    return label
