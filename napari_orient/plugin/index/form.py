"""Which settings has the run? The whole configuration as controls, in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.plugin.index.phases import PhaseList
from napari_orient.plugin.index.rows import DeviceRow, KnownRow, NumberRow, TickRow
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_orient.data.scan import Calibration, Quantity

CAMERA = {  # field of the configuration -> that of the calibration
    "voltage_kv": "voltage",
    "pixel_size": "pixel_size",
    "precession_deg": "precession",
    "convergence_mrad": "convergence",
}
OPEN = ("min_g", "max_g", "min_q", "threads")  # that the matcher finds by itself
WORDS = {"file": "from the file", "default": "assumed"}
FOUND = "automatic"


class IndexForm(QObject):
    """The configuration of a run on two pages; emits ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.phases = PhaseList()
        self.rows: dict[str, Any] = {
            "voltage_kv": KnownRow("voltage_kv", " kV", 1, 10),
            "pixel_size": KnownRow("pixel_size", " 1/Å", 6, 1e-4),
            "precession_deg": KnownRow("precession_deg", "°", 2, 0.1),
            "convergence_mrad": KnownRow("convergence_mrad", " mrad", 2, 0.1),
            "thickness_nm": NumberRow("thickness_nm", " nm", 1, 5),
            "spacing_deg": NumberRow("spacing_deg", "°", 2, 0.25),
            "min_g": KnownRow("min_g", " 1/Å", 3, 0.01),
            "max_g": KnownRow("max_g", " 1/Å", 3, 0.05),
            "power": NumberRow("power", "", 2, 0.05),
            "levelling": NumberRow("levelling", "", 2, 0.05),
            "refine": TickRow("refine"),
            "candidates": NumberRow("candidates", "", 0, 1),
            "min_q": KnownRow("min_q", " %", 1, 1),
            "apart_deg": NumberRow("apart_deg", "°", 1, 1),
            "device": DeviceRow(),
            "memory_mb": NumberRow("memory_mb", " MB", 0, 100),
            "threads": KnownRow("threads", "", 0, 1),
        }
        self.phases.changed.connect(self.changed)
        for row in self.rows.values():
            row.changed.connect(self.changed)
        self.more = QToolButton()
        self.more.setText("More settings")
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setToolTip("What rarely needs a change")
        self.advanced = self._grid(
            ("Power", "power"), ("Levelling", "levelling"), ("Refine", "refine"),
            ("Candidates", "candidates"),
            ("Least Q", "min_q"), ("R beyond", "apart_deg"), ("Device", "device"),
            ("Memory", "memory_mb"), ("Threads", "threads"),
        )  # fmt: skip
        self.more.toggled.connect(self._fold)
        self._fold(False)
        self.camera_page = _page(
            self.phases,
            self._grid(
                ("Voltage", "voltage_kv"), ("Pixel", "pixel_size"),
                ("Precession", "precession_deg"), ("Convergence", "convergence_mrad"),
            ),
        )  # fmt: skip
        self.library_page = _page(
            self._grid(
                ("Thickness", "thickness_nm"), ("Spacing", "spacing_deg"), ("From g", "min_g"),
                ("To g", "max_g"),
            ),
            self.more,
            self.advanced,
        )  # fmt: skip
        self.set_config(IndexConfig())

    def _grid(self, *lines: tuple[str, str]) -> QWidget:
        made = QWidget()
        grid = QGridLayout(made)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        width = made.fontMetrics().horizontalAdvance("Convergence ")
        for place, (title, name) in enumerate(lines):
            label = QLabel(title)
            label.setMinimumWidth(width)
            label.setBuddy(self.rows[name].box)
            label.setToolTip(self.rows[name].box.toolTip())
            grid.addWidget(label, place, 0)
            grid.addWidget(self.rows[name], place, 1)
        grid.setColumnStretch(1, 1)
        return made

    def _fold(self, on: bool) -> None:
        self.advanced.setVisible(on)
        self.more.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)

    @property
    def config(self) -> IndexConfig:
        """What the controls say; what nobody typed is None.

        Raises
        ------
        ConfigError
            If a value is out of range, in words for the user.
        """
        values = {name: row.value() for name, row in self.rows.items()}
        return IndexConfig.checked({"phases": self.phases.names, **values}, "settings")

    def set_config(self, config: IndexConfig) -> None:
        """Show a configuration."""
        self.blockSignals(True)
        for name, row in self.rows.items():
            row.set_value(getattr(config, name))
        self.phases.set_names(config.phases)
        self.blockSignals(False)
        self.changed.emit()

    def forget_camera(self, names: Iterable[str] = CAMERA) -> None:
        """Forget what was typed about the microscope of another scan."""
        for name in names:
            self.rows[name].set_value(None)

    def show_camera(self, known: Calibration | None) -> None:
        """Show what a scan knows about its microscope."""
        for name, of_scan in CAMERA.items():
            quantity = getattr(known, of_scan, None) if known is not None else None
            self.rows[name].show_known(*_words(quantity))
        for name in OPEN:
            self.rows[name].show_known(None, FOUND)

    def show_used(self, used: IndexConfig) -> None:
        """Show what a matcher found for the values that nobody typed and the scan does not know."""
        for name in (*CAMERA, *OPEN):
            row, value = self.rows[name], getattr(used, name)
            if value is not None and not row.is_known:
                row.show_known(value, FOUND, "Found by the matching")


def _page(*parts: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(4, 4, 4, 4)
    layout.setSpacing(4)
    for part in parts:
        layout.addWidget(part)
    layout.addStretch(1)
    return page


def _words(quantity: Quantity | None) -> tuple[float | None, str, str]:
    if quantity is None:
        return None, "", ""
    source = WORDS.get(quantity.source, quantity.source)
    return quantity.number, source, in_terms(quantity.note or quantity)
