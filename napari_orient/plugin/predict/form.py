"""How is a prediction made? Its settings as controls; what the scan knows is not asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from napari_orient.learning.predict import PredictConfig
from napari_orient.plugin.index.rows import DeviceRow, KnownRow, NumberRow

if TYPE_CHECKING:
    from napari_orient.data.scan import Calibration

CAMERA = {"voltage_kv": "voltage", "pixel_size": "pixel_size"}
ANSWERS = {
    "refine": (
        "Best answer, refined",
        "The network's probable answers are moved to the best orientations nearby, and the one "
        "that fits the pattern best is taken: as sharp as template matching, and says where half a "
        "turn about the beam cannot be told",
    ),
    "network": (
        "Most probable answer",
        "What the network itself believes most, as it is: fastest, and what its own probability "
        "and spread refer to",
    ),
}
FOUND = "automatic"


class PredictForm(QWidget):
    """The configuration of a prediction; emits ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.answer = QComboBox()
        self.answer.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for number, (name, (text, tip)) in enumerate(ANSWERS.items()):
            self.answer.addItem(text, name)
            self.answer.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.rows: dict[str, Any] = {
            "voltage_kv": KnownRow("voltage_kv", " kV", 1, 10),
            "pixel_size": KnownRow("pixel_size", " 1/Å", 6, 1e-4),
            "thickness_nm": NumberRow("thickness_nm", " nm", 1, 5),
            "levelling": NumberRow("levelling", "", 2, 0.05),
            "candidates": NumberRow("candidates", "", 0, 1),
            "min_q": KnownRow("min_q", " %", 1, 1),
            "device": DeviceRow(),
            "memory_mb": NumberRow("memory_mb", " MB", 0, 100),
            "threads": KnownRow("threads", "", 0, 1),
        }
        self._labels: dict[str, QLabel] = {}
        self.more = QToolButton()
        self.more.setText("More settings")
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setToolTip("What rarely needs a change")
        self._arrange()
        self.more.toggled.connect(self._fold)
        self._fold(False)
        self.set_config(PredictConfig())
        self._on_answer()
        self.answer.currentIndexChanged.connect(self._on_answer)
        self.answer.currentIndexChanged.connect(lambda _: self.changed.emit())
        for row in self.rows.values():
            row.changed.connect(self.changed)
        self.show_camera(None)

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        label = QLabel("Answer")
        label.setMinimumWidth(self.fontMetrics().horizontalAdvance("Convergence "))
        label.setBuddy(self.answer)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.answer, 0, 1)
        for title, name in (("Voltage", "voltage_kv"), ("Pixel", "pixel_size")):
            self._add(grid, title, name)
        grid.addWidget(self.more, grid.rowCount(), 0, 1, 2)
        for title, name in (
            ("Thickness", "thickness_nm"), ("Levelling", "levelling"),
            ("Candidates", "candidates"), ("Least Q", "min_q"), ("Device", "device"),
            ("Memory", "memory_mb"), ("Threads", "threads"),
        ):  # fmt: skip
            self._add(grid, title, name)

    def _add(self, grid: QGridLayout, title: str, name: str) -> None:
        row, place = self.rows[name], grid.rowCount()
        label = self._labels[name] = QLabel(title)
        label.setBuddy(row.box)
        label.setToolTip(row.box.toolTip())
        grid.addWidget(label, place, 0)
        grid.addWidget(row, place, 1)

    def _fold(self, on: bool) -> None:
        for name in self.rows:
            if name not in CAMERA:
                self._show_row(name, on)
        self.more.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)

    def _show_row(self, name: str, on: bool) -> None:
        for widget in (self.rows[name], self._labels[name]):
            widget.setVisible(on)

    def _on_answer(self, *_: Any) -> None:
        self.answer.setToolTip(ANSWERS[self.answer.currentData()][1])

    @property
    def config(self) -> PredictConfig:
        """What the controls say; what nobody typed is None.

        Raises
        ------
        ConfigError
            If a value is out of range, in words for the user.
        """
        values = {name: row.value() for name, row in self.rows.items()}
        return PredictConfig.checked({"answer": self.answer.currentData(), **values}, "settings")

    def set_config(self, config: PredictConfig) -> None:
        """Show a configuration."""
        for name, row in self.rows.items():
            row.set_value(getattr(config, name))
            if name in CAMERA and row.value() is not None:  # it counts, so it is seen
                self._show_row(name, True)
        with QSignalBlocker(self.answer):
            self.answer.setCurrentIndex(self.answer.findData(config.answer))
        self._on_answer()
        self.changed.emit()

    def show_camera(self, known: Calibration | None) -> None:
        """Ask for voltage and pixel size only where a scan does not know them."""
        for name, of_scan in CAMERA.items():
            row = self.rows[name]
            there = known is not None and getattr(known, of_scan) is not None
            if there:
                row.set_value(None)  # what was typed was for another scan
            self._show_row(name, known is not None and not there)
        for name in ("min_q", "threads"):
            self.rows[name].show_known(None, FOUND)
