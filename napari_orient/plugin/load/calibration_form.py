"""How is a calibration seen and corrected? One line a value, with where the value comes from."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QLineEdit, QWidget

from napari_orient.data.scan import Calibration, Descan, Quantity, electron_wavelength
from napari_orient.plugin.terms import in_terms


@dataclass(frozen=True)
class Line:
    """One line of the form: which value, its words, and what may be typed."""

    name: str
    label: str
    unit: str
    pair: bool = False
    low: float = 0.0
    high: float = math.inf
    zero: bool = False  # 0 may be typed though it is not above ``low``


LINES = (
    Line("step", "Scan step", "nm", pair=True),
    Line("pixel_size", "Pattern pixel", "1/Å", pair=True),
    Line("centre", "Direct beam", "px", pair=True, low=-math.inf),
    Line("voltage", "Voltage", "kV", high=5000.0),
    Line("camera_length", "Camera length", "mm"),
    Line("precession", "Precession", "deg", high=10.0, zero=True),
    Line("convergence", "Convergence", "mrad", high=100.0, zero=True),
    Line("rotation", "Rotation", "deg", low=-math.inf),
)
# shown only: nobody types these, the Calibrate dock measures them
MEASURED = (("ellipse", "Ellipse", ""), ("descan", "Descan", ""))
STORED_UNITS = {"1/Å": "1/angstrom"}
SOURCES = {
    "file": "file",
    "measured": "measured",
    "typed": "typed",
    "simulated": "simulated",
    "default": "default",
}


def parse(text: str, line: Line) -> float | tuple[float, float] | None:
    """Read what was typed: one number, or two (y, x) with "x", ", " or a blank between.

    Returns
    -------
    value
        None for an empty text: not known.

    Raises
    ------
    ValueError
        In words for the user.
    """
    parts = [part for part in re.split(r"\s*[x×;]\s*|,\s+|\s+", text.strip()) if part]
    if not parts:
        return None
    if len(parts) > 2 or (len(parts) == 2 and not line.pair):
        count = "one number, or two (y × x)" if line.pair else "one number"
        raise ValueError(f"{line.label}: {count} expected, not '{text}'")
    try:
        numbers = [float(part.replace(",", ".")) for part in parts]
    except ValueError:
        raise ValueError(
            f"{line.label}: '{text}' is not a number; type it in {line.unit}, without the unit"
        ) from None
    known = [n for n in numbers if not (line.zero and n == 0)]
    if not all(math.isfinite(n) and line.low < n < line.high for n in known):
        limit = f"above {line.low:g}" if not line.zero else f"of at least {line.low:g}"
        limit += f" and below {line.high:g}" if line.high < 1e9 else ""
        raise ValueError(f"{line.label}: a number {limit} expected, in {line.unit}, not '{text}'")
    return numbers[0] if len(numbers) == 1 or numbers[0] == numbers[1] else (numbers[0], numbers[1])


def written(quantity: Quantity | None) -> str:
    """Return a value as it is typed: "1.5", or "1.5 × 2" where y and x differ."""
    if quantity is None:
        return ""
    y, x = quantity.pair
    return f"{y:.6g}" if y == x else f"{y:.6g} × {x:.6g}"


def measured_words(value: Quantity | Descan | None) -> str:
    """Return an ellipse as "1.0123 at 30.0°", a descan as its slopes along the two scan axes."""
    if value is None:
        return "not known"
    if isinstance(value, Descan):
        along = [1000 * math.hypot(value.ky[i], value.kx[i]) for i in (0, 1)]
        return f"{along[0]:.3g}, {along[1]:.3g} px per 1000 rows, columns"
    return f"{value.pair[0]:.4f} at {value.pair[1]:.1f}°"


class CalibrationForm(QWidget):
    """The calibration of the active scan; emits ``typed(name, quantity or None)``."""

    typed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._calibration = Calibration()
        self._edits: dict[str, QLineEdit] = {}
        self._sources: dict[str, QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(4, 4, 4, 4)
        grid.setColumnStretch(1, 1)
        for row, line in enumerate(LINES):
            edit = QLineEdit()
            edit.setObjectName(line.name)
            edit.setPlaceholderText("not known")
            edit.setMinimumWidth(80)
            said = in_terms(Calibration.model_fields[line.name].description or "")
            two = " One number, or two: y × x." if line.pair else ""
            edit.setToolTip(f"{said[:1].upper()}{said[1:]}.{two} Empty = not known.")
            edit.editingFinished.connect(lambda line=line: self._on_edited(line))
            self._add(grid, row, line.name, line.label, edit, line.unit)
            self._edits[line.name] = edit
        self.flip = QCheckBox("mirrored")
        self.flip.setObjectName("flip")
        self.flip.setToolTip("Pattern mirrored (kx reversed) against the scan")
        self.flip.clicked.connect(self._on_flipped)
        self._add(grid, len(LINES), "flip", "Pattern", self.flip, "")
        self._measured: dict[str, QLabel] = {}
        for row, (name, label, unit) in enumerate(MEASURED, len(LINES) + 1):
            shown = QLabel()
            shown.setObjectName(name)
            shown.setMinimumWidth(80)
            said = in_terms(Calibration.model_fields[name].description or "")
            shown.setToolTip(f"{said[:1].upper()}{said[1:]}. Measured by the Calibrate dock.")
            self._add(grid, row, name, label, shown, unit)
            self._measured[name] = shown
        self._wavelength = QLabel()
        self._wavelength.setToolTip("Relativistic electron wavelength at this voltage")
        grid.addWidget(self._wavelength, len(LINES) + 1 + len(MEASURED), 1, 1, 3)

    def _add(
        self, grid: QGridLayout, row: int, name: str, label: str, field: QWidget, unit: str
    ) -> None:
        title, source = QLabel(label), QLabel()
        title.setBuddy(field)
        source.setObjectName(f"{name} source")
        source.setEnabled(False)  # quieter than the values, in every theme
        grid.addWidget(title, row, 0)
        grid.addWidget(field, row, 1)
        grid.addWidget(QLabel(unit), row, 2)
        grid.addWidget(source, row, 3, Qt.AlignmentFlag.AlignLeft)
        self._sources[name] = source

    def show_calibration(self, calibration: Calibration) -> None:
        """Show these values."""
        self._calibration = calibration
        for line in LINES:
            self._edits[line.name].setText(written(getattr(calibration, line.name)))
        self.flip.setChecked(bool(calibration.flip.number))
        for name, shown in self._measured.items():
            shown.setText(measured_words(getattr(calibration, name)))
        for name, label in self._sources.items():
            quantity: Quantity | Descan | None = getattr(calibration, name)
            label.setText(SOURCES[quantity.source] if quantity else "")
            label.setToolTip(
                in_terms(quantity.note) if quantity else "Neither in the file nor typed"
            )
        voltage = calibration.voltage
        self._wavelength.setVisible(voltage is not None)
        if voltage is not None:
            self._wavelength.setText(f"λ = {electron_wavelength(voltage.number):.5f} Å")

    def _on_edited(self, line: Line) -> None:
        edit = self._edits[line.name]
        before: Quantity | None = getattr(self._calibration, line.name)
        text = edit.text().strip()
        if text == written(before):
            return
        try:
            value = parse(text, line)
        except ValueError as error:
            edit.setText(written(before))
            show_warning(str(error))
            return
        if value is None and line.name == "rotation":
            value = 0.0
        unit = STORED_UNITS.get(line.unit, line.unit)
        self.typed.emit(
            line.name, None if value is None else Quantity(value=value, unit=unit, source="typed")
        )

    def _on_flipped(self, on: bool) -> None:
        self.typed.emit("flip", Quantity(value=float(on), source="typed"))
