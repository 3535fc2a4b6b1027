"""How often may the window be repainted while a run goes on? As often as leaves it free.

Each repaint of a label costs one of the canvas, too, which Qt draws anew with the whole window. So
all that a run has to show is shown at once, at beats; after each, the time that the window was held
is measured, and it is left alone for many times that.
"""

from __future__ import annotations

import time

from qtpy.QtCore import QObject, QTimer, Signal

LEAST = 0.25  # s between two beats
SHARE = 0.1  # of the time that the window may be held by what is shown
TICK = 10  # ms
QUIET = 3  # ticks in time, after which all is drawn
LONGEST = 1.0, 5.0  # s that are measured, and that are left free, at most: others hold it as well


class Pulse(QObject):
    """Emits ``beat()`` soon after it was asked for, but not too often.

    Attributes
    ----------
    cost
        Seconds for which the window was held by the last beat.
    """

    beat = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.cost = 0.0
        self._wanted = self._measures = False
        self._begun = self._last = self._free = 0.0
        self._quiet = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go)
        self._ticks = QTimer(self)
        self._ticks.setInterval(TICK)
        self._ticks.timeout.connect(self._on_tick)

    @property
    def is_idle(self) -> bool:
        """True if nothing waits for a beat."""
        return not self._wanted

    def request(self) -> None:
        """Ask for a beat."""
        self._wanted = True
        if not self._measures and not self._timer.isActive():
            self._timer.start(max(0, int(1000 * (self._free - time.perf_counter()))))

    def hurry(self) -> None:
        """Ask for a beat at once: the user waits for it."""
        self._wanted = True
        self._timer.start(0)

    def _go(self) -> None:
        if not self._wanted:
            return
        self._wanted, self._measures = False, True
        self._begun = self._last = time.perf_counter()
        self.cost, self._quiet = 0.0, 0
        self.beat.emit()
        self._ticks.start()

    def _on_tick(self) -> None:
        """Add up by how much ticks come late, until they are in time again."""
        now = time.perf_counter()
        late = now - self._last - TICK / 1000
        self._last = now
        self.cost += max(0.0, late)
        self._quiet = self._quiet + 1 if late < TICK / 1000 else 0
        if self._quiet < QUIET and now < self._begun + LONGEST[0]:
            return
        self._ticks.stop()
        self._measures = False
        self._free = now + min(LONGEST[1], max(LEAST, self.cost * (1 - SHARE) / SHARE))
        if self._wanted:
            self.request()
