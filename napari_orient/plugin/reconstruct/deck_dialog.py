"""How is a volume handed to a solver from the window? A dialog that stays open with the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.history import get_save_history, update_save_history
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.paths import file_name
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.worker import JobBar, refusable
from napari_orient.reconstruction.decks.abaqus import UNITS
from napari_orient.reconstruction.decks.write import DECKS, SUFFIXES, export_deck

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.reconstruction.decks.write import DeckReport

TIPS = {
    "damask": "A folder with geom.vti, material.yaml and load.yaml: it runs as it is",
    "dream3d": "A .dream3d file with its .xdmf, for DREAM.3D and ParaView",
    "abaqus": "An .inp of C3D8 elements, a section and an *ORIENTATION for each grain",
    "vti": "All orientations and properties of each voxel, for ParaView",
}
CURES = {
    "reconstruct it with --consolidate, or export it per voxel (--per voxel)": (
        "tick Make grains under Expert settings and reconstruct again, or choose For each voxel"
    ),
    "reconstruct it with --consolidate": (
        "tick Make grains under Expert settings and reconstruct again"
    ),
    "--per voxel": "For each voxel",
    "--geometry-only": "Geometry alone",
    "--lattice": "Lattice",
    "--metal": "Constants of",
}
"""Options of the command line -> labels of this dialog, replaced in this order."""


class DeckDialog(QDialog):
    """Exports one volume."""

    def __init__(self, volume: OrientationMap, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export deck")
        self._volume, self._name = volume, name
        self._confirmed = ""  # a place whose files the user agreed to replace
        self.report: DeckReport | None = None
        self._build()
        self.bar, self.said = JobBar(), words()
        self.bar.running.connect(lambda on: self.export.setEnabled(not on))
        self.bar.failed.connect(self._on_failed)
        layout = QVBoxLayout(self)
        layout.addLayout(self._form())
        for widget in (self.bar, self.said):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self._buttons())
        self.resize(600, 340)
        self._on_format()

    def _build(self) -> None:
        self.format = _list(DECKS, "The program that is to read it")
        self.per = _list(
            {"grain": "For each grain, its mean", "voxel": "For each voxel, its own"},
            "How many orientations there are",
        )
        if "grain" not in self._volume.properties:
            self.per.setCurrentIndex(1)
        self.units = _list(
            {key: unit.words for key, unit in UNITS.items()}, "Units of lengths and stresses"
        )
        self.lattice = _list(
            {"": "by the space group", **{n: n for n in ("cF", "cI", "hP", "tI")}},
            "DAMASK's lattice, for a phase without space group",
        )
        self.metal = QLineEdit()
        self.metal.setPlaceholderText("the phase's own")
        self.metal.setToolTip(
            "Whose elastic and plastic constants to take: Al, Cu, Ni, Fe, Mg, Ti, Au or Si"
        )
        self.geometry = QCheckBox("Geometry alone")
        self.geometry.setToolTip("Write geom.vti without materials, for trigonal crystals")
        self.path = QLineEdit()
        self.path.setToolTip("The new folder, or file")
        self.format.currentIndexChanged.connect(self._on_format)

    def _form(self) -> QFormLayout:
        browse = QPushButton("Browse …")
        browse.setToolTip("Choose where it is to lie")
        browse.setAutoDefault(False)
        browse.clicked.connect(lambda *_: self._browse())
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(browse)
        self.meant = QLabel()
        self.meant.setEnabled(False)
        self._lines = form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Format", self.format)
        form.addRow("", self.meant)
        form.addRow("Orientations", self.per)
        form.addRow("Units", self.units)
        form.addRow("Lattice", self.lattice)
        form.addRow("Constants of", self.metal)
        form.addRow("", self.geometry)
        form.addRow("Where", row)
        return form

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.export = buttons.addButton("Export", QDialogButtonBox.ButtonRole.ActionRole)
        self.export.setDefault(True)
        self.export.setToolTip("Write it, read it back and compare it with the volume")
        self.export.clicked.connect(lambda *_: self._export())
        buttons.rejected.connect(self.reject)
        return buttons

    def _on_format(self, *_: Any) -> None:
        key = self.format.currentData()
        self.meant.setText(TIPS[key])
        for widget, shown in (
            (self.per, key in ("damask", "dream3d")), (self.units, key == "abaqus"),
            (self.lattice, key == "damask"), (self.metal, key == "damask"),
            (self.geometry, key == "damask"),
        ):  # fmt: skip
            widget.setVisible(shown)
            if (label := self._lines.labelForField(widget)) is not None:
                label.setVisible(shown)
        before = Path(self.path.text() or Path(get_save_history()[0]) / file_name(self._name))
        stem = before.stem if before.suffix in SUFFIXES.values() else before.name
        self.path.setText(str(before.with_name(stem + SUFFIXES[key])))
        self.said.clear()

    def _browse(self) -> None:
        key = self.format.currentData()
        if key == "damask":
            parent = str(Path(self.path.text()).parent)
            path = QFileDialog.getExistingDirectory(self, "Folder of the deck", parent)
        else:
            path, _ = QFileDialog.getSaveFileName(
                self, "Export deck", self.path.text(), f"{DECKS[key]} (*{SUFFIXES[key]})"
            )
            if path and Path(path).suffix != SUFFIXES[key]:
                path += SUFFIXES[key]
            else:
                self._confirmed = path
        if path:
            self.path.setText(path)

    def _may_replace(self, path: Path) -> bool:
        there = any(path.iterdir()) if path.is_dir() else path.exists()
        if not there or str(path) == self._confirmed:
            return True
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        text = f"{path.name} is there already. Replace the files of a deck in it?"
        return bool(QMessageBox.question(self, "Export deck", text, yes | no, no) == yes)

    def _export(self) -> None:
        path, key = Path(self.path.text().strip()), self.format.currentData()
        if not self._may_replace(path):
            return
        update_save_history(str(path))
        self.said.clear()
        per = {"vti": None, "abaqus": "grain"}.get(key, self.per.currentData())
        job = export_deck(
            self._volume, path, key, per=per, units=self.units.currentData(),
            lattice=self.lattice.currentData() or None, metal=self.metal.text().strip() or None,
            geometry_only=self.geometry.isChecked(),
        )  # fmt: skip
        self.bar.run(
            refusable(job), text=f"Exporting {path.name}",
            on_result=lambda answer: self._on_result(*answer),
        )  # fmt: skip

    def _on_result(self, report: DeckReport | None, refusal: str) -> None:
        if report is None:
            self._refuse(refusal)
            return
        self.report = report
        self._confirmed = report.path
        names = ", ".join(Path(name).name for name in report.files)
        notes = "".join(f"<li>{note}</li>" for note in report.notes)
        grains = f"{report.grains} grains, " if report.grains else ""
        self.said.setText(
            f"<b>{Path(report.path).name} is written</b> ({names}) and read back by "
            f"{report.checked_by}: {grains}{report.voxels} voxels, rotations right to "
            f"{report.largest:.1e}. Lengths in {report.unit}.<ul>{notes}</ul>"
        )

    def _on_failed(self, error: Exception) -> None:
        self._refuse(str(error))

    def _refuse(self, text: str) -> None:
        for theirs, ours in CURES.items():
            text = text.replace(theirs, ours)
        self.said.setText(f"<b>Nothing was written.</b> {in_terms(text)}")

    def done(self, result: int) -> None:
        """End; a running export is stopped and leaves nothing behind: Qt calls."""
        self.bar.cancel()
        super().done(result)


def _list(entries: dict[str, str], tooltip: str) -> QComboBox:
    made = QComboBox()
    made.setToolTip(tooltip)
    for key, text in entries.items():
        made.addItem(text, key)
    return made
