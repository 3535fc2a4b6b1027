"""Where do the keys of a map stand? One for each phase that occurs, and one of the brightness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QWidget

from napari_orient.crystal.colors import UNDEFINED
from napari_orient.plugin.maps.legend import BrightnessKey, PhaseKey

if TYPE_CHECKING:
    from napari_orient.crystal.colors import ColourScheme, Resolved
    from napari_orient.data.maps import OrientationMap


class MapKeys(QWidget):
    """The keys of one map in a grid; emits ``key_wanted("continuous")`` where that is offered."""

    key_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._map: OrientationMap | None = None
        self.phases: list[PhaseKey] = []
        self.brightness: BrightnessKey | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._wide = False

    def show_keys(
        self, orientations: OrientationMap | None, scheme: ColourScheme, resolved: Resolved
    ) -> None:
        """Draw the keys of a map's colours."""
        self._clear()
        self._map = orientations
        if orientations is None:
            return
        present = set(orientations.phase_id[orientations.indexed].tolist())
        for number, phase in orientations.phases.items():
            if number in present:
                key = PhaseKey(phase, scheme, resolved.references.get(number))
                key.note.linkActivated.connect(self.key_wanted)
                self.phases.append(key)
        if scheme.weight is not None and resolved.limits is not None:
            self.brightness = BrightnessKey(scheme.weight, resolved.limits)
        self.place(self._wide)

    def place(self, wide: bool) -> None:
        """Put the keys in a column beside the controls, or two and two above them."""
        self._wide = wide
        across = 1 if len(self.phases) < 2 or wide else 2
        for number, key in enumerate(self.phases):
            self._grid.addWidget(key, number // across, number % across)
        if self.brightness is not None:
            self._grid.addWidget(self.brightness, len(self.phases), 0, 1, across)

    def mark(self, index: tuple[int, ...] | None) -> None:
        """Mark a point of the map in the key of its phase, or with None nothing."""
        phase = quaternion = value = None
        m = self._map
        if index is not None and m is not None and m.indexed[index]:
            phase = m.phases[int(m.phase_id[index])]
            quaternion = m.quaternions[index]
            value = self._value(m, index)
        for key in self.phases:
            key.set_orientation(quaternion if key.phase is phase else None)
        if self.brightness is not None:
            self.brightness.set_value(value)

    def _value(self, m: OrientationMap, index: tuple[int, ...]) -> float | None:
        """Value that scales the brightness of a point; None where it is undefined."""
        if self.brightness is None:
            return None
        value = float(m.properties[self.brightness.name][index])
        return None if self.brightness.name.upper() in UNDEFINED and value < 0 else value

    def _clear(self) -> None:
        old: list[Any] = [*self.phases, self.brightness]
        self.phases, self.brightness = [], None
        for key in old:
            if key is not None:
                self._grid.removeWidget(key)
                key.hide()
                key.deleteLater()
