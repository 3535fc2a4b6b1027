"""What became of each random start? A list of the fields and their losses, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from napari_orient.plugin.load.prepare_panel import button

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.plugin.reconstruct.engine import Done


class SeedList(QWidget):
    """Emits ``chosen(number)`` of a field, or -1 where it is let go; ``taken(number)``."""

    chosen = Signal(int)
    taken = Signal(int)

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
        self.take = button(
            "Take this one", "Make the chosen field the result, beside the one there is; grains "
            "are made of it where the settings ask for them", self._on_take,
        )  # fmt: skip
        head = QHBoxLayout()
        head.addWidget(QLabel("Seeds"), 1)
        head.addWidget(self.take)
        layout.addLayout(head)
        layout.addWidget(self.list)
        self.list.itemClicked.connect(self._on_clicked)
        self._shown = -1
        self._seeds: list[int] = []
        self._result: int | None = None
        self.hide()

    def show_fields(self, done: Sequence[Done], result: int | None = None) -> None:
        """List fields; one alone needs no list. ``result`` is the seed of the result."""
        self._seeds, self._result = [one.seed for one in done], result
        self._shown = -1
        self._offer()
        with QSignalBlocker(self.list):
            self.list.clear()
            best = min(done, key=lambda one: one.paper_loss, default=None)
            for one in done:
                words = f"seed {one.seed}: loss {one.paper_loss:.2e}"
                notes = (", the best", one is best), (", the result", one.seed == result)
                self.list.addItem(words + "".join(note for note, on in notes if on))
        rows = max(1, min(6, len(done)))
        self.list.setFixedHeight(rows * max(18, self.list.sizeHintForRow(0)) + 6)
        self.setVisible(len(done) > 1)

    def forget(self) -> None:
        """Choose none, without saying so."""
        self._shown = -1
        self.list.clearSelection()
        self._offer()

    def _offer(self) -> None:
        other = self._shown >= 0 and self._seeds[self._shown] != self._result
        self.take.setEnabled(other)

    def _on_take(self) -> None:
        self.taken.emit(self._shown)

    def _on_clicked(self, item: Any) -> None:
        number = self.list.row(item)
        if number == self._shown:
            self.forget()
        else:
            self._shown = number
            self._offer()
        self.chosen.emit(self._shown)
