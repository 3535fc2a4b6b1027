"""How is a setting of the training typed? Bounds and words come from the configuration's models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import number
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from napari_orient.config import Config

Model = type["Config"]
FREE = 1e9  # largest number where the model names none


def bounds(model: Model, name: str, decimals: int) -> tuple[float, float]:
    """Return the smallest and the largest value of a field; those that are open lie just inside."""
    low, high, step = 0.0, FREE, 10.0**-decimals
    for limit in model.model_fields[name].metadata:
        low = getattr(limit, "ge", getattr(limit, "gt", low))
        high = getattr(limit, "le", getattr(limit, "lt", high))
        low += step if getattr(limit, "gt", None) is not None else 0
        high -= step if getattr(limit, "lt", None) is not None else 0
    return float(low), float(high)


def tip(model: Model, name: str) -> str:
    """Return the words of a field as a tooltip."""
    said = in_terms(model.model_fields[name].description or name)
    return said[:1].upper() + said[1:]


class Row(QWidget):
    """One setting; emits ``changed()`` when the user changes it."""

    changed = Signal()

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in widgets:
            row.addWidget(widget, 0 if isinstance(widget, QToolButton) else 1)

    def _emit(self, *_: Any) -> None:
        self.changed.emit()


class NumberRow(Row):
    """A number that always has a value."""

    def __init__(
        self, model: Model, name: str, unit: str = "", decimals: int = 0, step: float = 1.0
    ) -> None:
        self.box = number(tip(model, name), *bounds(model, name, decimals), decimals, step)
        self.box.setSuffix(unit)
        self.box.setValue(model.model_fields[name].default)
        super().__init__(self.box)
        self._whole = decimals == 0
        self.box.valueChanged.connect(self._emit)

    def value(self) -> float:
        """Return the number."""
        value = self.box.value()
        return round(value) if self._whole else value

    def set_value(self, value: float) -> None:
        """Show a number."""
        with QSignalBlocker(self.box):
            self.box.setValue(value)


class OpenRow(Row):
    """A number that the user may leave open; what then holds is shown, with where it comes from."""

    def __init__(
        self,
        model: Model,
        name: str,
        unit: str = "",
        decimals: int = 0,
        step: float = 1.0,
        *,
        none: str = "never",
        factor: float = 1.0,
    ) -> None:
        low, high = bounds(model, name, decimals)
        one = 10.0**-decimals
        self._least = max(low, one)
        # the number below the least stands for "none"
        self.box = number(tip(model, name), self._least - one, high, decimals, step)
        self.box.setSuffix(unit)
        self.source = QLabel()
        self.source.setEnabled(False)
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reset = QToolButton()
        self.reset.setText("↺")
        self.reset.setAutoRaise(True)
        self.reset.setToolTip("Forget what was typed")
        super().__init__(self.box, self.source, self.reset)
        self._none, self._factor, self._whole = none, factor, decimals == 0 and factor == 1
        self._typed: float | None = None
        self._known: tuple[float | None, str] = (None, "")
        self.reset.clicked.connect(self._on_reset)
        self.box.valueChanged.connect(self._on_typed)
        self._show()

    def value(self) -> float | None:
        """Return what was typed, in the unit of the model, or None."""
        if self._typed is None:
            return None
        return round(self._typed) if self._whole else self._typed * self._factor

    @property
    def shown(self) -> float | None:
        """What holds: the typed number, or the one from elsewhere."""
        return self.value() if self._typed is not None else self._known[0]

    def set_value(self, value: float | None) -> None:
        """Show a typed number; None takes what comes from elsewhere."""
        self._typed = None if value is None else value / self._factor
        self._show()

    def show_known(self, value: float | None, source: str) -> None:
        """Show what holds if nothing is typed, and where it comes from."""
        self._known = (value, source)
        self._show()

    def _show(self) -> None:
        known, source = self._known
        shown = known if self._typed is None else self._typed
        with QSignalBlocker(self.box):
            self.box.setSpecialValueText(self._none)
            self.box.setValue(self.box.minimum() if shown is None else shown)
        said = "typed here" if self._typed is not None else source
        self.source.setText(said)
        self.source.setToolTip(said)
        self.source.setVisible(bool(said))
        self.reset.setEnabled(self._typed is not None)

    def _on_typed(self, value: float) -> None:
        self._typed = value if value >= self._least - 1e-12 else None
        self._show()
        self.changed.emit()

    def _on_reset(self, *_: Any) -> None:
        self.set_value(None)
        self.changed.emit()


class RangeRow(Row):
    """From and to; the one that is moved takes the other along."""

    def __init__(
        self, model: Model, name: str, unit: str = "", decimals: int = 1, step: float = 1.0
    ) -> None:
        said, limits = tip(model, name), bounds(model, name, decimals)
        self.low = number(f"{said}: from", *limits, decimals, step)
        self.high = number(f"{said}: to", *limits, decimals, step)
        self.high.setSuffix(unit)
        self.high.setPrefix("– ")
        super().__init__(self.low, self.high)
        self.set_value(model.model_fields[name].default)
        self.low.valueChanged.connect(lambda value: self._on_moved(self.high, max, value))
        self.high.valueChanged.connect(lambda value: self._on_moved(self.low, min, value))

    def value(self) -> tuple[float, float]:
        """Return the smaller and the larger number."""
        return self.low.value(), self.high.value()

    def set_value(self, value: tuple[float, float]) -> None:
        """Show a range."""
        for box, one in zip((self.low, self.high), value, strict=True):
            with QSignalBlocker(box):
                box.setValue(one)

    def _on_moved(self, other: Any, side: Any, value: float) -> None:
        with QSignalBlocker(other):
            other.setValue(side(other.value(), value))
        self.changed.emit()


class ChoiceRow(Row):
    """One of the values of a field, with words for each."""

    def __init__(self, model: Model, name: str, words: dict[Any, str]) -> None:
        self.box = QComboBox()
        self.box.setToolTip(tip(model, name))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(8)
        for value, text in words.items():
            self.box.addItem(text, value)
        super().__init__(self.box)
        self.set_value(model.model_fields[name].default)
        self.box.currentIndexChanged.connect(self._emit)

    def value(self) -> Any:
        """Return what is chosen."""
        return self.box.currentData()

    def set_value(self, value: Any) -> None:
        """Choose."""
        with QSignalBlocker(self.box):
            self.box.setCurrentIndex(max(0, self.box.findData(value)))

    def say(self, value: Any, text: str) -> None:
        """Say a value in other words."""
        self.box.setItemText(self.box.findData(value), text)


class TickRow(Row):
    """Yes or no."""

    def __init__(self, text: str, said: str) -> None:
        self.box = QCheckBox(text)
        self.box.setToolTip(said)
        super().__init__(self.box)
        self.box.toggled.connect(self._emit)

    def value(self) -> bool:
        """Return whether it is ticked."""
        return bool(self.box.isChecked())

    def set_value(self, value: bool) -> None:
        """Tick it or not."""
        with QSignalBlocker(self.box):
            self.box.setChecked(value)
