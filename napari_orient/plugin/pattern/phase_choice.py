"""Which crystal is meant? A list of the phases at hand: the scan's, of open maps, the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_orient.crystal.phases import PHASES
from napari_orient.data.maps import OrientationMap

TIP = "The crystal: of the scan, of the maps that are open, and of the catalogue"


class PhaseChoice(QComboBox):
    """Phases by name; :meth:`value` is an orix phase of a map or a name of the catalogue."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(TIP)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(7)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._touched = False
        self.activated.connect(self._on_activated)
        self.setPhases(None, ())

    def setPhases(self, scan_phase: str | None, maps: Iterable[OrientationMap]) -> None:
        """List the phase of a scan first, then those of maps, then the catalogue.

        A choice of the user stays, as long as a phase of its name is there.
        """
        before = self.currentText()
        self.blockSignals(True)
        self.clear()
        for name, phase, origin in _offers(scan_phase, maps):
            self.addItem(name, phase)
            self.setItemData(self.count() - 1, origin, Qt.ItemDataRole.ToolTipRole)
        kept = self.findText(before) if self._touched else -1
        self.setCurrentIndex(max(kept, 0))
        self.blockSignals(False)
        if self.currentText() != before:
            self.currentIndexChanged.emit(self.currentIndex())

    def value(self) -> Any:
        """Return the chosen phase: of orix, or the name of one."""
        return self.currentData()

    def _on_activated(self, *_: Any) -> None:
        self._touched = True


def _offers(scan_phase: str | None, maps: Iterable[OrientationMap]) -> list[tuple[str, Any, str]]:
    """Return (name, phase or name, where it comes from), each name once."""
    known = {name.lower(): name for name in PHASES}
    found: dict[str, tuple[str, Any, str]] = {}
    name = known.get((scan_phase or "").strip().lower())
    if name is not None:
        found[name.lower()] = (name, name, "Phase of the scan")
    for orientations in maps:
        for phase in orientations.phases.values():
            key = phase.name.lower()
            # a map from a text file knows cell and symmetry, but no atoms
            if key not in found and (len(phase.structure) or key not in known):
                found[key] = (phase.name or "no name", phase, "Phase of a map")
    for name in PHASES:
        found.setdefault(name.lower(), (name, name, "From the catalogue"))
    return list(found.values())
