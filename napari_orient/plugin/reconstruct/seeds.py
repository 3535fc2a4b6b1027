"""What became of each random start? A list of the fields and their losses, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QAbstractItemView, QLabel, QListWidget, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.plugin.reconstruct.engine import Done


class SeedList(QWidget):
    """Emits ``chosen(number)`` of a field, or -1 where it is let go."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.list = QListWidget()
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setToolTip(
            "Fields from different random starts, before grains are made of them: click one to "
            "look at it, once more for the result. The map in the layer is the result"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Seeds"))
        layout.addWidget(self.list)
        self.list.itemClicked.connect(self._on_clicked)
        self._shown = -1
        self.hide()

    def show_fields(self, done: Sequence[Done]) -> None:
        """List fields; one alone needs no list."""
        self._shown = -1
        with QSignalBlocker(self.list):
            self.list.clear()
            best = min(done, key=lambda one: one.paper_loss, default=None)
            for one in done:
                words = f"seed {one.seed}: loss {one.paper_loss:.2e}"
                self.list.addItem(words + (", the best: the result" if one is best else ""))
        rows = max(1, min(6, len(done)))
        self.list.setFixedHeight(rows * max(18, self.list.sizeHintForRow(0)) + 6)
        self.setVisible(len(done) > 1)

    def forget(self) -> None:
        """Choose none, without saying so."""
        self._shown = -1
        self.list.clearSelection()

    def _on_clicked(self, item: Any) -> None:
        number = self.list.row(item)
        if number == self._shown:
            self.forget()
        else:
            self._shown = number
        self.chosen.emit(self._shown)
