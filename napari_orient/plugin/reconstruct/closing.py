"""What if the window is closed while a run goes on? The user is asked, and told what is kept."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

ASKED = (
    "A reconstruction is running. Its state is kept in {}: after the next start, Resume … in the "
    "Reconstruct dock goes on with it."
)


class CloseGuard(QObject):
    """Holds the window open until the user has answered.

    Parameters
    ----------
    main
        The window of Qt.
    owner
        The dock.
    where
        Returns the folder of the run that is going on, or "".
    """

    def __init__(self, main: Any, owner: QWidget, where: Callable[[], str]) -> None:
        super().__init__(owner)
        self._main, self._where = weakref.ref(main), where  # a closed window is nobody's
        self._agreed = False
        self.question: QMessageBox | None = None
        main.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look at what the window is told: Qt calls."""
        if event.type() != QEvent.Type.Close or self._agreed or not self._where():
            return False
        main = self._main()
        # whoever closes the viewer by a script has closed what it shows already
        if main is None or not main._qt_viewer.isVisible():
            return False
        event.ignore()
        if self.question is None:
            self._ask(main)
        return True

    def _ask(self, main: Any) -> None:
        """Ask without waiting: the run, and its picture, go on meanwhile."""
        box = self.question = QMessageBox(main)
        box.setWindowTitle("Reconstruct")
        box.setText(ASKED.format(self._where()))
        leave = box.addButton("Close, and keep the state", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton("Go on", QMessageBox.ButtonRole.RejectRole))
        quits = bool(getattr(main, "_quit_app", False))

        def answered(_: int) -> None:
            chosen, self.question = box.clickedButton(), None
            box.deleteLater()
            if chosen is leave:
                self._agreed = True
                if (window := self._main()) is not None:
                    window.close(quit_app=quits)

        box.finished.connect(answered)
        box.open()
