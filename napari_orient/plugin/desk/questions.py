"""Where are the files of a session now? A list of the missing ones that the user can point to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.desk.file import missing_files
from napari_orient.plugin.questions import ask, window


class MissingFiles(QDialog):
    """Lists the missing files of a session; ``chosen`` is old path -> new place."""

    def __init__(self, path: Path, lost: list[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Where are these files now?")
        self.path = path
        self.chosen: dict[str, str] = {}
        said = QLabel(
            f"<b>{path.name}</b> refers to files that are not where they were. Point to one: the "
            "others are looked for in its folder. The rest of the desk opens without them; their "
            "layers are then pictures only."
        )
        said.setWordWrap(True)
        self.list = QListWidget()
        self.list.setToolTip("Missing files; a double click asks where one is")
        self.list.itemDoubleClicked.connect(lambda *_: self.point())
        for name in lost:
            item = QListWidgetItem(name)
            item.setToolTip(name)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.where = QPushButton("Where is it …")
        self.where.setToolTip("Choose the file that is marked in the list, at its new place")
        self.where.clicked.connect(lambda *_: self.point())
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (said, self.list, self.where, self.buttons):
            layout.addWidget(widget)
        self.resize(620, 320)
        self._say()

    def _lost(self) -> list[str]:
        return missing_files(self.path, self.chosen)

    def _say(self) -> None:
        lost = self._lost()
        for row in range(self.list.count()):
            item = self.list.item(row)
            name = item.toolTip()
            item.setText(name if name in lost else f"✓  {name}")
        text = "Open" if not lost else "Open without them" if len(lost) > 1 else "Open without it"
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(text)

    def point(self) -> None:
        """Ask where the marked file is."""
        old = self.list.currentItem().toolTip()
        folder = Path(next(reversed(self.chosen.values()), str(self.path))).parent
        name = Path(old).name
        new, _ = QFileDialog.getOpenFileName(
            self, f"Where is {name}?", str(folder / name), f"{name} ({name});;All files (*)"
        )
        if new:
            self.take(old, new)

    def take(self, old: str, new: str) -> None:
        """Note the new place of a file, and mark the next that is still missing."""
        self.chosen[old] = new
        self._say()
        lost = self._lost()
        rows = [r for r in range(self.list.count()) if self.list.item(r).toolTip() in lost]
        if rows:
            self.list.setCurrentRow(rows[0])


def ask_for_files(path: Path, lost: list[str]) -> dict[str, Any] | None:
    """Ask where missing files are: old path -> new place; None if the user gives up."""
    chosen: dict[str, Any] | None = ask(MissingFiles(path, lost, window()))
    return chosen
