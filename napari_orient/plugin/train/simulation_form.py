"""Which patterns are simulated? Phase, microscope and specimen, as ranges to draw from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.history import get_open_history, update_open_history
from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_orient.crystal.phases import PHASES, get_phase
from napari_orient.files import UnreadableFile
from napari_orient.learning.config import SimulationConfig
from napari_orient.plugin.calibrate.phase import facts
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.terms import cif_words
from napari_orient.plugin.train.lines import Folded, Lines, page
from napari_orient.plugin.train.rows import NumberRow, OpenRow, RangeRow, Row, tip
from napari_orient.plugin.train.samples_view import SamplesView

if TYPE_CHECKING:
    from napari_orient.data.scan import Calibration, Quantity, Scan

CIF = "from a .cif file …"
AROUND = {"precession_deg": ("precession", 0.15), "convergence_mrad": ("convergence", 0.2)}
"""Ranges that a calibration gives -> its field, and the share by which they are wider."""
Config = SimulationConfig


class SimulationForm(QObject):
    """The page of simulated patterns; emits ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.phase = _PhaseRow()
        self.voltage = OpenRow(Config, "voltage_kv", " kV", 1, 10, none="not known")
        self.ranges: dict[str, RangeRow] = {
            "thickness_nm": RangeRow(Config, "thickness_nm", " nm", 1, 5),
            "precession_deg": RangeRow(Config, "precession_deg", "°", 2, 0.1),
            "convergence_mrad": RangeRow(Config, "convergence_mrad", " mrad", 2, 0.1),
            "power": RangeRow(Config, "power", "", 2, 0.05),
            "dose": RangeRow(Config, "dose", " e", 0, 1e4),
            "spot_share": RangeRow(Config, "spot_share", "", 3, 0.01),
            "background_share": RangeRow(Config, "background_share", "", 3, 0.05),
            "background_width": RangeRow(Config, "background_width", " 1/Å", 2, 0.05),
            "blur_px": RangeRow(Config, "blur_px", " px", 2, 0.1),
        }
        self.numbers = {
            "shift_px": NumberRow(Config, "shift_px", " px", 2, 0.1),
            "scale": NumberRow(Config, "scale", "", 3, 0.005),
            "overlap": NumberRow(Config, "overlap", "", 2, 0.05),
            "validation": NumberRow(Config, "validation"),
        }
        self.said = Said("#e06c5c")
        self.as_scan = button(
            "Microscope of the scan",
            "Take precession and convergence of the open scan, with some room about them",
            self._on_as_scan,
        )
        rows = {**self.ranges, **self.numbers}
        main = Lines(
            ("Phase", self.phase), ("Voltage", self.voltage),
            ("Thickness", rows["thickness_nm"]), ("Precession", rows["precession_deg"]),
            ("Convergence", rows["convergence_mrad"]),
        )  # fmt: skip
        more = Lines(
            ("Power", rows["power"]), ("Dose", rows["dose"]), ("Spots", rows["spot_share"]),
            ("Background", rows["background_share"]), ("  its width", rows["background_width"]),
            ("Blur", rows["blur_px"]), ("Shift", rows["shift_px"]), ("Scale", rows["scale"]),
            ("Overlap", rows["overlap"]), ("Validation", rows["validation"]),
        )  # fmt: skip
        self.view = SamplesView()
        self.page = page(main, self.as_scan, self.said, Folded(more), self.view)
        self._known: Calibration | None = None
        self.phase.chosen.connect(self.said.clear)
        self.phase.failed.connect(self.said.setText)
        for row in (self.phase, self.voltage, *rows.values()):
            row.changed.connect(self._on_changed)
        self.show_scan(None)

    @property
    def values(self) -> dict[str, Any]:
        """What the page says, as a configuration takes it."""
        rows = {**self.ranges, **self.numbers}
        values = {name: row.value() for name, row in rows.items()}
        return {"phase": self.phase.value(), "voltage_kv": self.voltage.shown, **values}

    def set_config(self, config: SimulationConfig) -> None:
        """Show a configuration."""
        self.phase.set_value(config.phase)
        self.voltage.set_value(config.voltage_kv)
        for name, row in {**self.ranges, **self.numbers}.items():
            row.set_value(getattr(config, name))

    def show_scan(self, scan: Scan | None) -> None:
        """Offer what a scan knows: its phase, its voltage, its microscope."""
        self._known = known = scan.calibration if scan is not None else None
        voltage = known.voltage if known is not None else None
        default = SimulationConfig.model_fields["voltage_kv"].default
        if voltage is None:
            self.voltage.show_known(default, "assumed")
        else:
            self.voltage.show_known(voltage.number, "of the scan")
        self.phase.offer(scan.phase if scan is not None else None)
        self.as_scan.setEnabled(any(self._measured(name) is not None for name in AROUND))

    def _measured(self, name: str) -> Quantity | None:
        found: Quantity | None = getattr(self._known, AROUND[name][0], None)
        return found

    def refusal(self) -> str:
        """Return why nothing can be simulated; "" if it can."""
        return self.said.text()

    def _on_as_scan(self) -> None:
        for name, (_, room) in AROUND.items():
            if (known := self._measured(name)) is not None:
                low, high = (known.number * (1 + side * room) for side in (-1, 1))
                self.ranges[name].set_value((low, high))
        self._on_changed()

    def _on_changed(self) -> None:
        self.changed.emit()


class _PhaseRow(Row):
    """The crystal: of the scan, of the catalogue, or of a .cif file."""

    failed = Signal(str)
    chosen = Signal()

    def __init__(self) -> None:
        self.box = QComboBox()
        self.box.setToolTip(tip(Config, "phase"))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(8)
        super().__init__(self.box)
        self._touched = False
        self.box.addItems([*PHASES, CIF])
        self.set_value(Config.model_fields["phase"].default)
        self.box.activated.connect(self._on_chosen)

    def value(self) -> str:
        """Return the name, or the path of the file."""
        return str(self.box.currentData() or self.box.currentText())

    def set_value(self, name: str) -> None:
        """Choose a phase; a .cif file is read."""
        if self.box.findText(name) < 0 and self.box.findData(name) < 0:
            try:
                phase = get_phase(name)
            except (UnreadableFile, ValueError) as error:
                self.failed.emit(cif_words(error))
                return
            self.box.insertItem(0, phase.name or name, name)
        place = max(self.box.findText(name), self.box.findData(name))
        with QSignalBlocker(self.box):
            self.box.setCurrentIndex(place)
        self._before = place
        self.box.setToolTip(f"{tip(Config, 'phase')}. {facts(get_phase(name))}")

    def offer(self, scan_phase: str | None) -> None:
        """Take the phase that a scan names, until the user chooses one."""
        known = {name.lower(): name for name in PHASES}
        own = known.get((scan_phase or "").strip().lower())
        if own is not None and not self._touched:
            self.set_value(own)

    def _on_chosen(self, place: int) -> None:
        self._touched = True
        name = str(self.box.itemData(place) or self.box.itemText(place))
        if name == CIF:
            self.box.setCurrentIndex(self._before)
            name, _ = QFileDialog.getOpenFileName(
                self, "Crystal structure", get_open_history()[0], "Crystal structure (*.cif)"
            )
            if not name:
                return
            update_open_history(name)
        self.chosen.emit()
        self.set_value(name)
        self.changed.emit()
