"""How does a list to choose from look? No wider than its room, and its choice stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox

if TYPE_CHECKING:
    from collections.abc import Sequence


def choice_box(tip: str, offered: Sequence[str] = (), *, letters: int = 8) -> QComboBox:
    """Return a list of words; so many letters are seen at least, whatever it offers."""
    box = QComboBox()
    box.addItems(list(offered))
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)
    return box


def fill(box: QComboBox, words: Sequence[str]) -> None:
    """Offer these words; the choice stays where it can."""
    before = box.currentText()
    with QSignalBlocker(box):
        box.clear()
        box.addItems(list(words))
        box.setCurrentIndex(max(0, box.findText(before)))
