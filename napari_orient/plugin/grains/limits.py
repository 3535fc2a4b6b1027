"""Which points count? Least values of the map's properties, as rows that are added and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_orient.plugin.calibrate.fields import number
from napari_orient.plugin.grains.choice import choice_box
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import numbers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_orient.data.maps import OrientationMap

USUAL = {"CI": 0.1}
"""Property -> least value that is proposed; EDAX: below, an answer is a guess."""


class LimitRow(QWidget):
    """One property and its least value."""

    changed = Signal()
    removed = Signal()

    def __init__(self, names: list[str], name: str, least: float) -> None:
        super().__init__()
        offered = names if name in names else [*names, name]
        self.box = choice_box("Property of the map", offered, letters=6)
        self.box.setCurrentText(name)
        self.least = number("Points with less do not count", -1e9, 1e9, 3, 0.05)
        self.least.setValue(least)
        self.away = QToolButton()
        self.away.setText("✕")
        self.away.setAutoRaise(True)
        self.away.setToolTip("Let all points count again, whatever this property is")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget, stretch in ((self.box, 1), (QLabel("≥"), 0), (self.least, 1), (self.away, 0)):
            row.addWidget(widget, stretch)
        self.box.currentTextChanged.connect(lambda _: self.changed.emit())
        self.least.valueChanged.connect(lambda _: self.changed.emit())
        self.away.clicked.connect(self.removed)


class LimitList(QWidget):
    """The limits on a map's properties; emits ``changed()``."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._map: OrientationMap | None = None
        self.rows: list[LimitRow] = []
        self._layout = QVBoxLayout()
        self._layout.setSpacing(2)
        self.add = button(
            "Add a limit", "Leave out points with a low value of a property", self._on_add
        )
        self.propose = button("", "", self._on_propose)
        self.share = QLabel()  # what the proposal would do
        self.share.setEnabled(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.propose)
        buttons.addWidget(self.share)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self._layout)
        layout.addLayout(buttons)
        self._say()

    def set_map(self, orientations: OrientationMap | None) -> None:
        """Offer the properties of a map; limits on those that it lacks go."""
        kept = {name: least for name, least in self.values.items() if name in _names(orientations)}
        self._map = orientations
        self.set_values(kept)

    @property
    def values(self) -> dict[str, float]:
        """Property -> least value."""
        return {row.box.currentText(): row.least.value() for row in self.rows}

    def set_values(self, least: Mapping[str, float]) -> None:
        """Show these limits in place of all others."""
        for row in self.rows:
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        for name, value in least.items():
            self._append(name, value)
        self._say()

    def _append(self, name: str, least: float) -> None:
        row = LimitRow(_names(self._map), name, least)
        row.changed.connect(self._on_changed)
        row.removed.connect(lambda: self._remove(row))
        self.rows.append(row)
        self._layout.addWidget(row)

    def _remove(self, row: LimitRow) -> None:
        if row in self.rows:
            self.set_values({n: v for n, v in self.values.items() if n != row.box.currentText()})
            self.changed.emit()

    def _on_changed(self) -> None:
        self._say()
        self.changed.emit()

    def _on_add(self) -> None:
        free = [name for name in _names(self._map) if name not in self.values]
        if free:
            self._append(free[0], _start(self._map, free[0]))
            self._on_changed()

    def _on_propose(self) -> None:
        name = self._proposed()
        if name:
            self._append(name, USUAL[name])
            self._on_changed()

    def _proposed(self) -> str:
        there = (n for n in USUAL if n in _names(self._map) and n not in self.values)
        return next(there, "")

    def _say(self) -> None:
        name = self._proposed()
        self.propose.setVisible(bool(name))
        self.share.setVisible(bool(name))
        if name:
            self.propose.setText(f"{name} ≥ {USUAL[name]:g}")
            share = _share_below(self._map, name, USUAL[name])
            self.share.setText(f"would leave out {share:.1%}")
            self.propose.setToolTip(
                f"{share:.1%} of the indexed points have {name} below {USUAL[name]:g}; EDAX takes "
                "such answers for guesses. They count unless you press this."
            )
        self.add.setEnabled(any(n not in self.values for n in _names(self._map)))


def _names(orientations: OrientationMap | None) -> list[str]:
    return numbers_of(orientations) if orientations is not None else []


def _start(orientations: OrientationMap | None, name: str) -> float:
    """Return the value below which one in twenty points lies, or the usual one."""
    if name in USUAL or orientations is None:
        return USUAL.get(name, 0.0)
    values = np.asarray(orientations.properties[name], np.float64)[orientations.indexed]
    values = values[np.isfinite(values)]
    return float(f"{np.percentile(values, 5):.2g}") if values.size else 0.0


def _share_below(orientations: OrientationMap | None, name: str, least: float) -> float:
    if orientations is None or not orientations.indexed.any():
        return 0.0
    return float((orientations.properties[name][orientations.indexed] < least).mean())
