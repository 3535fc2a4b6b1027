"""Which model predicts? A list of those that are known, what the chosen one is, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.history import get_open_history, update_open_history
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.predict.models import card, facts, shipped

if TYPE_CHECKING:
    from napari_orient.learning.folder import Model

FOLDER = "Open the folder of a model …"
NONE_YET = "Choose a model: the folder that a training has made."
SHIPPED = " (comes with the program)"


class ModelPicker(QWidget):
    """The models that are known; emits ``chosen(folder)`` when the user wants one."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder: str | None = None  # of the one that is chosen
        self._model: Model | None = None
        self._known: list[str] = [str(path) for path in shipped()]
        self._own = set(self._known)
        self.box = QComboBox()
        self.box.setToolTip("A model that comes with the program, or the folder of a training")
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(16)
        self.box.activated.connect(self._on_activated)
        self.card = button(
            "Card …", "Data, split, scores and licence of this model", self.show_card
        )
        self.facts = words(NONE_YET)
        self.dialog: QDialog | None = None
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.box, 1)
        row.addWidget(self.card)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.facts)
        self._list()
        self.show_model(None)

    def choose(self, folder: str | None) -> None:
        """Choose a model by its folder; one that is not in the list is added."""
        self.folder = folder
        if folder is not None and folder not in self._known:
            self._known.append(folder)
        self._list()

    def show_model(self, model: Model | None, instead: str = NONE_YET) -> None:
        """Say what the model that was read is."""
        self._model = model
        self.facts.setText(instead if model is None else facts(model))
        self.facts.setVisible(bool(self.facts.text()))
        self.card.setEnabled(model is not None)

    def _list(self) -> None:
        with QSignalBlocker(self.box):
            self.box.clear()
            self.box.addItem("choose a model", None)
            for folder in self._known:
                name = Path(folder).name + (SHIPPED if folder in self._own else "")
                self.box.addItem(name, folder)
                self.box.setItemData(self.box.count() - 1, folder, Qt.ItemDataRole.ToolTipRole)
            self.box.addItem(FOLDER, FOLDER)
            place = self.box.findData(self.folder) if self.folder is not None else 0
            self.box.setCurrentIndex(max(0, place))

    def _on_activated(self, place: int) -> None:
        folder = self.box.itemData(place)
        self._list()  # the old choice stays where the new one fails
        if folder == FOLDER:
            folder = self.ask()
        if folder:
            self.chosen.emit(folder)

    def ask(self) -> str:
        """Ask for a folder, from the one of the last file on."""
        folder: str = QFileDialog.getExistingDirectory(
            self, "Folder of a model", get_open_history()[0]
        )
        if folder:
            update_open_history(folder)
        return folder

    def show_card(self) -> None:
        """Show the whole card in a window of its own."""
        if self._model is None:
            return
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = _card_dialog(self, self._model)
        self.dialog.show()


def _card_dialog(parent: QWidget, model: Any) -> QDialog:
    dialog = QDialog(parent)
    dialog.setWindowTitle(f"Model {model.name}")
    text = QTextBrowser()
    text.setMarkdown(card(model))
    text.setOpenExternalLinks(True)
    close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    close.rejected.connect(dialog.close)
    layout = QVBoxLayout(dialog)
    layout.addWidget(text)
    layout.addWidget(close)
    dialog.resize(620, 560)
    return dialog
