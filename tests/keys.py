"""What a user does with the keyboard, for tests that drive windows."""

from __future__ import annotations


def choose_data(box, data) -> None:
    """Choose the entry of a list that stands for ``data``, by keys, as a user does."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    box.setFocus()
    box.setCurrentIndex(0)
    while box.currentData() != data:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() > before
    box.activated.emit(box.currentIndex())
