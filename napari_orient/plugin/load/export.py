"""How is a map handed to other programs from the window? A dialog that says what will be lost.

The map's own axes are the default of every format. The file is read back and compared before it is
in its place; the dialog stays open with the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.utils.history import get_save_history, update_save_history
from qtpy.QtCore import Qt
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
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.export.rows import TEXT_FORMATS
from napari_orient.data.export.write import (
    FORMATS,
    SUFFIXES,
    ExportReport,
    export_map,
    what_is_lost,
)
from napari_orient.data.maps import OrientationMap
from napari_orient.data.vendors.open import FRAMES
from napari_orient.data.vendors.reframe import has_hexagonal
from napari_orient.plugin.paths import file_name
from napari_orient.plugin.questions import window
from napari_orient.plugin.worker import JobBar

MEANT_FOR = {
    "ang": "EDAX OIM, MTEX, orix, DREAM3D",
    "astar": "ASTAR MapViewer, MTEX, orix",
    "ctf": "Oxford Channel 5, ATEX, MTEX, orix",
    "orix": "orix and kikuchipy, in Python",
    "h5": "this program: holds everything, volumes too",
}


@dataclass(frozen=True)
class Choice:
    """What the dialog's fields say."""

    format: str
    frame: str
    crystal_axes: str
    section: int | None


class ExportDialog(QDialog):
    """Exports one map or volume."""

    def __init__(self, orientations: OrientationMap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export map")
        self._map = orientations
        self._confirmed = ""  # a file that the user agreed to replace
        self.report: ExportReport | None = None
        self._build_fields()
        self.said = _words()
        self.result_text = _words()
        self.bar = JobBar()
        self.bar.running.connect(self._on_running)
        self.bar.failed.connect(self._on_failed)
        layout = QVBoxLayout(self)
        layout.addLayout(self._form())
        for widget in (self.said, self.bar, self.result_text):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self._build_buttons())
        self.resize(620, 460)
        self._on_format()

    # --- building --------------------------------------------------------------------------------

    def _build_fields(self) -> None:
        self.format = _list(
            {
                key: name if "." in name else f"{name} ({SUFFIXES[key][0]})"
                for key, name in FORMATS.items()
            },
            "The kind of file, by the program that it is meant for",
        )
        words = {name: said.partition(": ")[2] for name, (_, said) in FRAMES.items()}
        own = words.pop("as is")
        self.frame = _list(
            {"map": f"{own} (the map's own)",
             "vendor": "as in the file that the map came from",
             **words},
            "Where the axes of the Euler angles point on the map. The map's own fit its x and y "
            "columns; a vendor's are for programs that expect them. The file says which it is.",
        )  # fmt: skip
        self.crystal = _list(
            {"a": "x ∥ a (EDAX, orix)", "a*": "x ∥ a* (Oxford, Bruker)"},
            "The crystal's x axis for hexagonal and trigonal lattices, 30° apart about c",
        )
        self.section = QSpinBox()
        self.section.setRange(0, self._map.shape[0] - 1 if len(self._map.shape) == 3 else 0)
        self.section.setToolTip("The section of the volume that is exported, counted from 0")
        self.mtex = QCheckBox("Write a script that loads it in MTEX")
        self.mtex.setToolTip(
            "A MATLAB script beside the file, with the crystals, their axes and the frame. "
            "It could not be tested here: check one known point."
        )
        if self._map.candidates is not None or self._map.provenance:
            self.format.setCurrentIndex(self.format.findData("h5"))  # the one that keeps them
        self.path = QLineEdit(str(self._propose()))
        self.path.setToolTip("The new file")
        for box in (self.format, self.frame, self.crystal):
            box.activated.connect(self._on_changed)
        self.format.currentIndexChanged.connect(self._on_format)
        self.frame.activated.connect(self._on_frame)
        self.section.valueChanged.connect(self._on_changed)

    def _form(self) -> QFormLayout:
        browse = QPushButton("Browse …")
        browse.setToolTip("Choose a folder and a name")
        browse.setAutoDefault(False)
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(browse)
        self.meant = QLabel()
        self.meant.setEnabled(False)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Format", self.format)
        form.addRow("", self.meant)
        form.addRow("Euler axes", self.frame)
        form.addRow("Crystal axes", self.crystal)
        form.addRow("Section", self.section)
        form.addRow("", self.mtex)
        form.addRow("File", row)
        for field, shown in (
            (self.crystal, has_hexagonal(self._map)), (self.section, len(self._map.shape) == 3),
        ):  # fmt: skip
            field.setVisible(shown)
            form.labelForField(field).setVisible(shown)
        return form

    def _build_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.export = buttons.addButton("Export", QDialogButtonBox.ButtonRole.ActionRole)
        self.export.setDefault(True)
        self.export.setToolTip("Write the file, read it back and compare it with the map")
        self.export.clicked.connect(self._export)
        self.close_button = buttons.button(QDialogButtonBox.StandardButton.Close)
        self.close_button.setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        return buttons

    def _propose(self) -> Path:
        stem = Path(self._map.source.partition("::")[0]).stem or "map"
        name = file_name(f"{stem}-exported{SUFFIXES[self.format.currentData()][0]}")
        return Path(get_save_history()[0]) / name

    # --- choices ---------------------------------------------------------------------------------

    @property
    def choice(self) -> Choice:
        """What is chosen."""
        format_ = self.format.currentData()
        volume = len(self._map.shape) == 3 and format_ != "h5"
        return Choice(
            format_,
            self.frame.currentData() if format_ != "h5" else "map",
            self.crystal.currentData() if format_ != "h5" and has_hexagonal(self._map) else "a",
            self.section.value() if volume else None,
        )

    def _on_format(self, _: int = 0) -> None:
        format_ = self.format.currentData()
        self.meant.setText(f"for {MEANT_FOR[format_]}")
        ours = format_ == "h5"
        for field in (self.frame, self.crystal, self.section):
            field.setEnabled(not ours)
        self.mtex.setEnabled(format_ in TEXT_FORMATS)
        path = Path(self.path.text())
        if path.suffix.lower() not in SUFFIXES[format_]:
            known = {s for suffixes in SUFFIXES.values() for s in suffixes}
            stem = path.stem if path.suffix.lower() in known else path.name
            self.path.setText(str(path.with_name(stem + SUFFIXES[format_][0])))
        self._on_changed()

    def _on_frame(self, _: int = 0) -> None:
        """Take the vendor's crystal axes with the vendor's frame; the map's with the map's."""
        name = self.frame.currentData()
        if name in ("vendor", "map"):
            axes = self._map.crystal_axes if name == "vendor" else "a"
            self.crystal.setCurrentIndex(self.crystal.findData(axes))
            self._on_changed()

    def _on_changed(self, *_: Any) -> None:
        self.result_text.clear()
        choice = self.choice
        try:  # no angles are computed for this: quick enough to wait for
            notes, lost = what_is_lost(
                self._map, choice.format, frame=choice.frame, section=choice.section,
                crystal_axes=choice.crystal_axes,
            )  # fmt: skip
        except ValueError as error:
            text = str(error)
            self.said.setText(f"<b>It cannot be exported so:</b> {text}.")
            self.export.setEnabled(False)
            return
        parts = [_listed("Not in the file", lost)] if lost else ["Nothing is lost."]
        parts += [_listed("Written otherwise", notes)] if notes else []
        self.said.setText("".join(parts))
        self.export.setEnabled(not self.bar.is_running)

    # --- exporting -------------------------------------------------------------------------------

    def _browse(self) -> None:
        format_ = self.format.currentData()
        pattern = " ".join(f"*{suffix}" for suffix in SUFFIXES[format_])
        path, _ = QFileDialog.getSaveFileName(
            self, "Export map", self.path.text(), f"{FORMATS[format_]} ({pattern})"
        )
        if path:
            if Path(path).suffix.lower() not in SUFFIXES[format_]:
                path += SUFFIXES[format_][0]
            else:
                self._confirmed = path
            self.path.setText(path)

    def _may_replace(self, path: Path) -> bool:
        if not path.exists() or str(path) == self._confirmed:
            return True
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        text = f"{path.name} is there already. Replace it?"
        return bool(QMessageBox.question(self, "Export map", text, yes | no, no) == yes)

    def _export(self) -> None:
        path, choice = Path(self.path.text().strip()), self.choice
        if not self._may_replace(path):
            return
        update_save_history(str(path))
        self.result_text.clear()
        self.bar.run(
            export_map(
                self._map, path, choice.format, frame=choice.frame, section=choice.section,
                crystal_axes=choice.crystal_axes, mtex=self.mtex.isChecked() and
                self.mtex.isEnabled(),
            ),
            text=f"Exporting {path.name}",
            on_result=self._show_report,
        )  # fmt: skip

    def _show_report(self, report: ExportReport) -> None:
        self.report = report
        self._confirmed = report.path  # once more, with other choices
        turned = f"{report.largest:.2g}°" if report.largest > 1e-6 else "0°"
        script = f" MTEX script: {Path(report.script).name}." if report.script else ""
        self.result_text.setText(
            f"<b>{Path(report.path).name} is written.</b> Read back by "
            f"{' and '.join(report.checked_by)}: {report.points} points, {report.indexed} indexed, "
            f"turned by at most {turned}. {report.axes}.{script}"
        )

    def _on_failed(self, error: Exception) -> None:
        self.result_text.setText(f"<b>Nothing was written.</b> {error}")

    def _on_running(self, running: bool) -> None:
        for widget in (
            self.export, self.format, self.frame, self.crystal, self.section, self.mtex, self.path
        ):  # fmt: skip
            widget.setEnabled(not running)
        if not running:
            self.frame.setEnabled(self.format.currentData() != "h5")
            self.crystal.setEnabled(self.format.currentData() != "h5")
            self.section.setEnabled(self.format.currentData() != "h5")
            self.mtex.setEnabled(self.format.currentData() in TEXT_FORMATS)

    def done(self, result: int) -> None:
        """End: a running export is stopped and leaves nothing behind; Qt calls."""
        self.bar.cancel()
        super().done(result)


def show_export(orientations: OrientationMap) -> None:
    """Show the dialog for a map over the open window, and wait until it is closed."""
    dialog = ExportDialog(orientations, window())
    try:
        dialog.exec()
    finally:
        dialog.deleteLater()


def _list(words: dict[str, str], tooltip: str) -> QComboBox:
    made = QComboBox()
    made.setToolTip(tooltip)
    for name, text in words.items():
        made.addItem(text, name)
    return made


def _words() -> QLabel:
    made = QLabel()
    made.setWordWrap(True)
    made.setTextFormat(Qt.TextFormat.RichText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def _listed(title: str, lines: list[str]) -> str:
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<b>{title}</b><ul style='margin-top:2px; margin-left:-20px'>{items}</ul>"
