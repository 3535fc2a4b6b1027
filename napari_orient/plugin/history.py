"""How does Ctrl+Z bring a detector back to where it was? Earlier states of the session's detectors.

A drag makes hundreds of changes; changes that follow each other at once count as one.
"""

from __future__ import annotations

import math
import time

from qtpy.QtWidgets import QWidget

from napari_orient.diffraction.detectors import VirtualDetector
from napari_orient.plugin.sessions import follow
from napari_orient.session import Session

Detectors = tuple[VirtualDetector, ...]
PAUSE = 0.6  # s without a change that end one undo step
DEPTH = 100


class DetectorHistory(QWidget):
    """Undo and redo of the detectors of a session, as long as its parent dock lives."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()
        self._session = session
        self._now: Detectors = session.detectors
        self._before: list[Detectors] = []
        self._after: list[Detectors] = []
        self._last_change = -math.inf
        self._restoring = False
        follow(self, session.events.detectors, self._on_detectors)

    def _on_detectors(self, detectors: Detectors) -> None:
        moment = time.monotonic()
        grown = len(detectors) != len(self._now)
        if not self._restoring and (grown or moment - self._last_change > PAUSE):
            self._before = [*self._before, self._now][-DEPTH:]
            self._after = []
        if not self._restoring:
            self._last_change = -math.inf if grown else moment
        self._now = detectors

    def mark(self) -> None:
        """Let the next change be a step of its own, however soon it comes."""
        self._last_change = -math.inf

    def undo(self) -> bool:
        """Go one step back; False if there is none."""
        return self._go(self._before, self._after)

    def redo(self) -> bool:
        """Take the last undo back; False if there is none."""
        return self._go(self._after, self._before)

    def _go(self, source: list[Detectors], target: list[Detectors]) -> bool:
        if not source:
            return False
        target.append(self._now)
        self._restoring = True
        try:
            self._session.detectors = source.pop()
        finally:
            self._restoring = False
        self._last_change = -math.inf
        return True
