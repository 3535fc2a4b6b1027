"""Which phase do rings and spots belong to? One of the list, or of a .cif file, with its facts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from napari.utils.history import get_open_history, update_open_history
from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from napari_orient.crystal.phases import get_phase
from napari_orient.files import UnreadableFile
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.pattern.phase_choice import PhaseChoice
from napari_orient.plugin.terms import cif_words

NO_PHASE = "Choose the phase of the rings or spots first, or open its .cif file."


class PhaseRow(QWidget):
    """A list of phases that starts with none, unless scan or map name one."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = PhaseChoice()
        self.cif = button(".cif …", "Read the phase from a .cif file", self._ask)
        self.facts = words()
        self._files: list[Any] = []
        self._picked = False
        row = QHBoxLayout()
        row.addWidget(self.box, 1)
        row.addWidget(self.cif)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.facts)
        self.box.activated.connect(self._on_picked)
        self.offer(None, None)

    def offer(self, scan_phase: str | None, orientations: Any) -> None:
        """List the phases of a scan, of a map (or None), of opened files and of the catalogue."""
        kept = self.box.currentText() if self._picked else ""
        self.box.setPhases(scan_phase, () if orientations is None else (orientations,))
        for phase in self._files:
            self.box.insertItem(0, phase.name, phase)
        self.box.insertItem(0, "choose a phase", None)
        named = orientations is not None or bool(scan_phase and self.box.findText(scan_phase) > 0)
        place = self.box.findText(kept) if kept else -1
        self.box.setCurrentIndex(place if place >= 0 else int(named) * (1 + len(self._files)))
        self._tell()

    def phase(self) -> Any:
        """Return the phase, of orix.

        Raises
        ------
        ValueError
            If none is chosen.
        """
        value = self.box.currentData()
        if value is None:
            raise ValueError(NO_PHASE)
        return _named(value) if isinstance(value, str) else value

    def pick(self, name: str) -> None:
        """Choose a phase by its name."""
        self.box.setCurrentIndex(self.box.findText(name))
        self._on_picked()

    def open_cif(self, path: str) -> None:
        """Read a .cif file and choose its phase."""
        try:
            phase = get_phase(path)
        except UnreadableFile as error:
            show_error(cif_words(error))
            return
        self._files.insert(0, phase)
        self.box.insertItem(1, phase.name, phase)
        self.box.setCurrentIndex(1)
        self._on_picked()

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Crystal structure", get_open_history()[0], "Crystal structure (*.cif)"
        )
        if path:
            update_open_history(path)
            self.open_cif(path)

    def _on_picked(self, *_: Any) -> None:
        self._picked = True
        self._tell()

    def _tell(self) -> None:
        self.facts.setText(facts(self.phase()) if self.box.currentData() is not None else "")
        self.facts.setVisible(bool(self.facts.text()))
        self.changed.emit()


@lru_cache(maxsize=32)
def _named(name: str) -> Any:
    return get_phase(name)


def facts(phase: Any) -> str:
    """Return space group and lattice in a line."""
    cell = phase.structure.lattice
    group = phase.space_group.short_name if phase.space_group is not None else ""
    group = group or (phase.point_group.name if phase.point_group is not None else "")
    if group.startswith("H"):  # hexagonal axes, as diffpy names them
        group = "R" + group[1:]
    lengths = [f"a {cell.a:.4g}"]
    lengths += [f"b {cell.b:.4g}"] if abs(cell.b - cell.a) > 1e-4 else []
    lengths += [f"c {cell.c:.4g}"] if abs(cell.c - cell.a) > 1e-4 else []
    angles = [
        f"{sign} {value:.4g}°"
        for sign, value in (("α", cell.alpha), ("β", cell.beta), ("γ", cell.gamma))
        if abs(value - 90) > 1e-3
    ]
    return " · ".join(x for x in (group, ", ".join(lengths) + " Å", ", ".join(angles)) if x)
