"""How is one setting of the configuration typed? Its bounds and words come from the model."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)

from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.plugin.calibrate.fields import number
from napari_orient.plugin.terms import in_terms

NOT_KNOWN = "not known"


def bounds(name: str, free: float = 1e6) -> tuple[float, float]:
    """Return the smallest and the largest value of a field; those that are open lie just inside."""
    low, high = 0.0, free
    for limit in IndexConfig.model_fields[name].metadata:
        low = getattr(limit, "ge", getattr(limit, "gt", low))
        high = getattr(limit, "le", getattr(limit, "lt", high))
    return float(low), float(high)


def tip(name: str) -> str:
    """Return the words of a field as a tooltip."""
    said = in_terms(IndexConfig.model_fields[name].description or name)
    return said[:1].upper() + said[1:]


def is_open(name: str) -> bool:
    """Say whether the lower bound itself is no value of the field."""
    return any(getattr(m, "gt", None) is not None for m in IndexConfig.model_fields[name].metadata)


class Said(QLabel):
    """Words that take no room while there are none."""

    def __init__(self, colour: str = "") -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if colour:
            self.setStyleSheet(f"color: {colour}")
        self.hide()

    def setText(self, text: str) -> None:
        """Show words; none hide the label."""
        super().setText(text)
        self.setVisible(bool(text))

    def clear(self) -> None:
        """Say nothing."""
        self.setText("")


class NumberRow(QWidget):
    """A number that always has a value; emits ``changed()``."""

    changed = Signal()

    def __init__(self, name: str, unit: str = "", decimals: int = 2, step: float = 1.0) -> None:
        super().__init__()
        low, high = bounds(name)
        if decimals:
            low += 10.0**-decimals if is_open(name) else 0.0
            self.box: Any = number(tip(name), low, high, decimals, step)
        else:
            self.box = QSpinBox()
            self.box.setRange(int(low), int(high))
            self.box.setSingleStep(int(step))
            self.box.setKeyboardTracking(False)
            self.box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
            self.box.setToolTip(tip(name))
            self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.box.setSuffix(unit)
        self.box.valueChanged.connect(lambda _: self.changed.emit())
        _in_a_row(self, self.box)

    def value(self) -> Any:
        """Return the number."""
        return self.box.value()

    def set_value(self, value: Any) -> None:
        """Show a number."""
        with QSignalBlocker(self.box):
            self.box.setValue(value)


class KnownRow(QWidget):
    """A number that is taken from elsewhere unless the user types one; emits ``changed()``.

    What is shown without a typed number is told by :meth:`show_known`, with where it comes from.
    """

    changed = Signal()

    def __init__(self, name: str, unit: str = "", decimals: int = 2, step: float = 1.0) -> None:
        super().__init__()
        low, high = bounds(name)
        self._least = low + (10.0**-decimals if is_open(name) else 0.0)
        # the number below the least stands for "none"
        self.box: QDoubleSpinBox = number(
            tip(name), self._least - 10.0**-decimals, high, decimals, step
        )
        self.box.setSuffix(unit)
        self.box.setSpecialValueText(NOT_KNOWN)
        # the longest is seen whole, whatever stands beside it
        self.box.setMinimumWidth(self.box.fontMetrics().horizontalAdvance("0.000000 1/Å") + 20)
        self.source = QLabel()
        self.source.setEnabled(False)
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reset = QToolButton()
        self.reset.setText("↺")
        self.reset.setAutoRaise(True)
        self.reset.setToolTip("Forget what was typed")
        self.reset.clicked.connect(self._on_reset)
        self._typed: float | None = None
        self._known: tuple[float | None, str, str] = (None, "", "")
        self.box.valueChanged.connect(self._on_typed)
        _in_a_row(self, self.box, self.source, self.reset)
        self._show()

    def value(self) -> float | None:
        """Return what was typed, or None."""
        return self._typed

    def set_value(self, value: float | None) -> None:
        """Show a typed number; None takes the one from elsewhere."""
        self._typed = value
        self._show()

    def show_known(self, value: float | None, source: str, note: str = "") -> None:
        """Show what holds if nothing is typed, and where it comes from."""
        self._known = (value, source, note)
        self._show()

    @property
    def is_known(self) -> bool:
        """True if a value from elsewhere is shown or would be."""
        return self._known[0] is not None

    def _show(self) -> None:
        known, source, note = self._known
        shown = known if self._typed is None else self._typed
        with QSignalBlocker(self.box):
            self.box.setSpecialValueText(source if shown is None and source else NOT_KNOWN)
            self.box.setValue(self.box.minimum() if shown is None else shown)
        said = "typed here" if self._typed is not None else source if known is not None else ""
        self.source.setText(said)
        self.source.setToolTip(note if self._typed is None else "")
        self.reset.setEnabled(self._typed is not None)

    def _on_typed(self, value: float) -> None:
        self._typed = value if value >= self._least - 1e-12 else None
        self._show()
        self.changed.emit()

    def _on_reset(self, *_: Any) -> None:
        self.set_value(None)
        self.changed.emit()


class TickRow(QWidget):
    """Yes or no; emits ``changed()``."""

    changed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.box = QCheckBox(tip(name))
        self.box.toggled.connect(lambda _: self.changed.emit())
        _in_a_row(self, self.box)

    def value(self) -> bool:
        """Return whether it is ticked."""
        return bool(self.box.isChecked())

    def set_value(self, value: bool) -> None:
        """Tick it or not."""
        with QSignalBlocker(self.box):
            self.box.setChecked(value)


class DeviceRow(QWidget):
    """Where it is computed; a graphics card that is not there cannot be chosen."""

    changed = Signal()

    def __init__(self, name: str = "device") -> None:
        super().__init__()
        self.box = QComboBox()
        self.box.setToolTip(tip(name))
        self.said = QLabel()
        self.said.setEnabled(False)
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.box.currentIndexChanged.connect(lambda _: self.changed.emit())
        _in_a_row(self, self.box, self.said)
        self._list(None)

    def showEvent(self, event: Any) -> None:
        """Look for a graphics card when the row is first seen, not when the window opens."""
        import torch

        self._list(torch.cuda.get_device_name(0) if torch.cuda.is_available() else "")
        super().showEvent(event)

    def _list(self, card: str | None) -> None:
        chosen = self.box.currentData() or "auto"
        with QSignalBlocker(self.box):
            self.box.clear()
            for name, text in (("auto", "automatic"), ("cpu", "CPU"), ("cuda", "GPU (CUDA)")):
                self.box.addItem(text, name)
            self.box.model().item(2).setEnabled(card != "")
            self.box.setCurrentIndex(self.box.findData(chosen))
        self.said.setText({None: "", "": "no GPU here"}.get(card, card))

    def value(self) -> str:
        """Return "auto", "cpu" or "cuda"."""
        return str(self.box.currentData())

    def set_value(self, value: str) -> None:
        """Choose a device."""
        with QSignalBlocker(self.box):
            self.box.setCurrentIndex(self.box.findData(value))


def _in_a_row(owner: QWidget, *widgets: QWidget) -> None:
    row = QHBoxLayout(owner)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    for number_of, widget in enumerate(widgets):
        row.addWidget(widget, 1 if number_of < 2 else 0)
