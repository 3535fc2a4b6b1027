"""Which crystals may be in the scan? A list that grows: by name, from the scan, from .cif files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.history import get_open_history, update_open_history
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from napari_orient.crystal.phases import PHASES, get_phase
from napari_orient.files import UnreadableFile
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.calibrate.phase import facts
from napari_orient.plugin.terms import cif_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_orient.data.maps import OrientationMap

CIF = "from a .cif file …"
NONE_YET = "Choose the phase: which crystals may be in this scan?"
NO_ATOMS = "A map knows its lattice, not its atoms: open the .cif file of this crystal"


class PhaseList(QWidget):
    """The phases that are looked for; emits ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.phases: dict[str, Any] = {}  # by what the configuration says: a name, or a path
        self._touched = False
        self.box = QComboBox()
        self.box.setToolTip("Add a phase: of the scan, of open maps, of the catalogue, or a .cif")
        self.box.activated.connect(self._on_chosen)
        self.said = words(NONE_YET)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._lines)
        layout.addWidget(self.said)
        layout.addWidget(self.box)
        self.offer(None, ())

    @property
    def names(self) -> tuple[str, ...]:
        """Names and .cif paths, as a configuration takes them."""
        return tuple(self.phases)

    def offer(self, scan_phase: str | None, maps: Iterable[OrientationMap]) -> None:
        """List what can be added; the phase that the scan names is taken until the user chooses."""
        known = {name.lower(): name for name in PHASES}
        own = known.get((scan_phase or "").strip().lower())
        found = [phase.name for m in maps for phase in m.phases.values() if phase.name]
        first = ([own] if own else []) + found
        self.box.clear()
        self.box.addItem("Add a phase …", None)
        for name in dict.fromkeys([*first, *PHASES, CIF]):
            self.box.addItem(name, known.get(name.lower(), name if name == CIF else None))
            if self.box.itemData(self.box.count() - 1) is None:
                place = self.box.count() - 1
                self.box.setItemData(place, NO_ATOMS, Qt.ItemDataRole.ToolTipRole)
                self.box.model().item(place).setEnabled(False)
        if not self._touched:
            self.set_names((own,) if own else ())

    def set_names(self, names: Iterable[str]) -> None:
        """Look for these phases."""
        before, self.phases = self.names, {}
        self.said.clear()
        for name in names:
            self._read(name)
        self._show()
        if self.names != before:
            self.changed.emit()

    def add(self, name: str) -> None:
        """Look for one phase more: a name of the catalogue, or the path of a .cif file."""
        self._touched = True
        self.set_names((*self.names, name))

    def remove(self, name: str) -> None:
        """Look no longer for a phase."""
        self._touched = True
        self.set_names(n for n in self.names if n != name)

    def _read(self, name: str) -> None:
        try:
            self.phases[name] = get_phase(name)
        except (UnreadableFile, ValueError) as error:
            self.said.setText(cif_words(error))

    def _show(self) -> None:
        while self._lines.count():
            line = self._lines.takeAt(0).widget()
            line.hide()
            line.deleteLater()
        for name, phase in self.phases.items():
            self._lines.addWidget(self._line(name, phase))
        if not self.phases and not self.said.text():
            self.said.setText(NONE_YET)
        self.said.setVisible(bool(self.said.text()))

    def _line(self, name: str, phase: Any) -> QWidget:
        line = QWidget()
        text = words(f"<b>{phase.name or name}</b> · {facts(phase)}")
        text.setToolTip(name)
        remove = QToolButton()
        remove.setText("✕")
        remove.setAutoRaise(True)
        remove.setToolTip(f"Do not look for {phase.name or name}")
        remove.clicked.connect(partial(self.remove, name))
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(text, 1)
        row.addWidget(remove)
        return line

    def _on_chosen(self, place: int) -> None:
        name = self.box.itemData(place)
        self.box.setCurrentIndex(0)
        if name == CIF:
            name, _ = QFileDialog.getOpenFileName(
                self, "Crystal structure", get_open_history()[0], "Crystal structure (*.cif)"
            )
            if name:
                update_open_history(name)
        if name:
            self.add(name)
