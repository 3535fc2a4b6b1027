"""Which colours shall the map have? Key, sample direction, range and brightness, as controls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QShortcut,
    QSizePolicy,
    QSlider,
    QWidget,
)

from napari_orient.config import ConfigError
from napari_orient.crystal.colors import ColourScheme

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYS = {
    "tsl": ("IPF, TSL key", "Inverse pole figure: the crystal direction along a sample direction"),
    "continuous": (
        "IPF, continuous key",
        "Inverse pole figure whose colours never jump between equivalent directions",
    ),
    "narrow": (
        "Deviation from a reference",
        "Small rotations away from a mean or reference orientation: for deformed crystals",
    ),
    "euler": ("Euler angles", "φ1 red, Φ green, φ2 blue; as in older maps, jumps included"),
}
DIRECTIONS = {
    "X": "x, to the right of the map",
    "Y": "y, down the map",
    "Z": "z, into the page",
}
RANGES = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 62.8)  # degrees
ASK_THREE = "Three numbers, not all zero: 1 1 0"


class ColourForm(QWidget):
    """The colour scheme of one map; emits ``changed(ColourScheme)`` and ``picking(bool)``."""

    changed = Signal(object)
    picking = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scheme = ColourScheme()
        self.key = _combo("What the colours mean", 8)
        for number, (name, (words, tip)) in enumerate(KEYS.items()):
            self.key.addItem(words, name)
            self.key.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.weight = _combo("Let a property of the map scale the brightness of the colours", 6)
        self.wrong = QLabel(ASK_THREE)
        self.wrong.setStyleSheet("color: #e06c5c")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        self._direction, self._range, self._whence = (
            QLabel("Along"),
            QLabel("Range"),
            QLabel("From"),
        )
        rows = (
            (self._direction, self._direction_row()),
            (None, self.wrong),
            (self._range, self._range_row()),
            (self._whence, self._reference_row()),
            (QLabel("Brightness"), self.weight),
        )
        grid.addWidget(self.key, 0, 0, 1, 2)
        for row, (label, content) in enumerate(rows, 1):
            if label is not None:
                grid.addWidget(label, row, 0)
            grid.addWidget(content, row, 1)
        self.key.activated.connect(lambda _: self._change(key=self.key.currentData()))
        self.weight.activated.connect(lambda _: self._change(weight=self.weight.currentData()))
        self.show_scheme(self._scheme, ())

    # --- building ---------------------------------------------------------------------------

    def _direction_row(self) -> QWidget:
        self.buttons: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        self.oblique = QLineEdit()
        self.oblique.setPlaceholderText("x y z")
        self.oblique.setToolTip(
            "An oblique sample direction: its components along x (right), y (down) and z (into the "
            "page) of the map, as in 1 1 0. Enter applies it."
        )
        self.oblique.setMinimumWidth(8 * self.fontMetrics().averageCharWidth())
        self.oblique.returnPressed.connect(self._on_oblique)
        for name, where in DIRECTIONS.items():
            button = QPushButton(name)
            button.setCheckable(True)
            button.setMinimumWidth(26)
            button.setToolTip(f"Colour = crystal direction along {where} (key {name})")
            button.clicked.connect(partial(self.set_direction, name))
            self._group.addButton(button)
            self.buttons[name] = button
        self._directions = _row(*self.buttons.values(), self.oblique)
        self._directions.layout().setStretch(len(DIRECTIONS), 2)
        return self._directions

    def _range_row(self) -> QWidget:
        self.range = QSlider(Qt.Orientation.Horizontal)
        self.range.setRange(0, len(RANGES) - 1)
        self.range.setPageStep(1)
        self.range.setToolTip("Deviation at which the colours end; what lies beyond is black")
        self.range.valueChanged.connect(lambda i: self._change(range_deg=RANGES[i]))
        self.degrees = QLabel()
        self.degrees.setMinimumWidth(self.fontMetrics().horizontalAdvance("62.8°") + 6)
        self._ranges = _row(self.range, self.degrees)
        return self._ranges

    def _reference_row(self) -> QWidget:
        self.mean, self.pick = QPushButton("Mean"), QPushButton("Pick …")
        self.mean.setCheckable(True)
        self.mean.setToolTip("Deviation from the mean orientation of each phase")
        self.mean.clicked.connect(lambda: self._change(reference=None))
        self.pick.setCheckable(True)
        self.pick.setToolTip("Click a point of the map: its orientation is the reference (Esc: no)")
        self.pick.toggled.connect(self.picking)
        self._references = _row(self.mean, self.pick)
        return self._references

    def add_shortcuts(self, owner: QWidget) -> None:
        """Let the keys X, Y, Z choose the direction while ``owner`` has the focus."""
        for name in DIRECTIONS:
            shortcut = QShortcut(QKeySequence(name), owner)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self.set_direction, name))
        stop = QShortcut(QKeySequence("Escape"), owner)
        stop.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        stop.activated.connect(partial(self.pick.setChecked, False))

    # --- the scheme -------------------------------------------------------------------------

    @property
    def scheme(self) -> ColourScheme:
        """What the controls show."""
        return self._scheme

    def show_scheme(self, scheme: ColourScheme, properties: Iterable[str]) -> None:
        """Set the controls, and list the properties that can scale the brightness."""
        self._scheme = scheme
        is_ipf, is_narrow = scheme.key in ("tsl", "continuous"), scheme.key == "narrow"
        self.key.setCurrentIndex(self.key.findData(scheme.key))
        for widget in (self._direction, self._directions):
            widget.setVisible(is_ipf)
        for widget in (self._range, self._ranges, self._whence, self._references):
            widget.setVisible(is_narrow)
        self._show_direction(scheme.direction)
        with QSignalBlocker(self.range):
            nearest = min(range(len(RANGES)), key=lambda i: abs(RANGES[i] - scheme.range_deg))
            self.range.setValue(nearest)
        self.degrees.setText(f"{scheme.range_deg:.3g}°")
        self.mean.setChecked(scheme.reference is None)
        self.weight.clear()
        self.weight.addItem("uniform", None)
        for name in properties:
            self.weight.addItem(f"by {name}", name)
        self.weight.setCurrentIndex(max(0, self.weight.findData(scheme.weight)))

    def _show_direction(self, direction: Any) -> None:
        self.wrong.hide()
        self._group.setExclusive(False)  # none is checked beside an oblique direction
        for name, button in self.buttons.items():
            button.setChecked(name == direction)
        self._group.setExclusive(True)
        text = "" if isinstance(direction, str) else " ".join(f"{c:.4g}" for c in direction)
        if not self.oblique.hasFocus() or text:
            self.oblique.setText(text)

    def set_direction(self, direction: Any, *_: Any) -> None:
        """Choose the sample direction: "X", "Y", "Z" or three numbers."""
        if self._scheme.key not in ("tsl", "continuous"):
            return
        self.oblique.clear()
        self._change(direction=direction)

    def set_key(self, key: str, *_: Any) -> None:
        """Choose the key."""
        self._change(key=key)

    def set_reference(self, quaternion: Any) -> None:
        """Let the deviation count from this orientation."""
        self._change(reference=tuple(float(c) for c in quaternion))

    def _on_oblique(self) -> None:
        try:
            numbers = [float(word) for word in self.oblique.text().replace(",", " ").split()]
            self._change(direction=numbers)
        except (ValueError, ConfigError):
            self.wrong.show()

    def _change(self, **values: Any) -> None:
        scheme = ColourScheme.checked({**self._scheme.model_dump(), **values}, "colours")
        if scheme == self._scheme:
            self._show_direction(scheme.direction)
            self.mean.setChecked(scheme.reference is None)
            return
        self.changed.emit(scheme)


def words_for_scheme(scheme: ColourScheme) -> str:
    """Return what the colours mean, in one line of rich text."""
    return _words(scheme) + (f"; brighter where {scheme.weight} is higher" if scheme.weight else "")


def _words(scheme: ColourScheme) -> str:
    name = f"<b>{scheme.name}</b>: "
    if scheme.key == "euler":
        return name + "Euler angles φ1, Φ, φ2 as red, green and blue"
    if scheme.key == "narrow":
        whence = "the mean orientation of each phase" if scheme.reference is None else "a point"
        return name + f"turned away from {whence}, up to {scheme.range_deg:.3g}°"
    if isinstance(scheme.direction, str):
        return name + f"crystal direction along {DIRECTIONS[scheme.direction]}"
    return name + "crystal direction along this direction of the map (x right, y down, z in)"


def _combo(tooltip: str, length: int) -> QComboBox:
    made = QComboBox()
    made.setToolTip(tooltip)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(length)
    return made


def _row(*widgets: QWidget) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        widget.setSizePolicy(QSizePolicy.Policy.Ignored, widget.sizePolicy().verticalPolicy())
        row.addWidget(widget, 1)
    return made
