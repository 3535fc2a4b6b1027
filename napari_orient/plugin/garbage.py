"""How do widgets die without taking the process along? In the window's thread, and heard once.

Python collects cycles of dead objects in whichever thread happens to allocate. Where a closed
dialog or dock is among them, its Qt half would be destroyed in a worker, and that ends the process.
So while a thread of ours works, nothing is collected but by a timer of the window's thread, by the
same thresholds; afterwards everything is as before.

What is connected to a widget's ``destroyed`` belongs to its Python half. That half may be collected
while the Qt half still waits for its end; Qt then calls what is left of a function, or nothing. So
:func:`at_end` keeps both until they are through.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer

EVERY = 100  # ms
_lock = threading.Lock()
_working = 0
_enabled = True  # whether Python collected by itself before
_timer: list[QTimer] = []
_ends: dict[int, tuple[QObject, Callable[..., None]]] = {}


def hold() -> None:
    """Collect in the window's thread alone, which calls this before one of ours begins to work."""
    global _working, _enabled
    if not _timer:
        _timer.append(QTimer(QCoreApplication.instance()))
        _timer[0].timeout.connect(_tick)
    with _lock:
        _working += 1
    if not _timer[0].isActive():  # a drag asks often: it must not put the timer off
        _enabled = gc.isenabled()
        gc.disable()
        _timer[0].start(EVERY)


def let_go() -> None:
    """Say, in any thread, that a thread of ours has done its work."""
    global _working
    with _lock:
        _working -= 1


def _tick() -> None:
    """Collect as Python would have; when nobody works any more, let it do so itself again."""
    counts, limits = gc.get_count(), gc.get_threshold()
    due = [n for n in range(3) if limits[n] and counts[n] > limits[n]]
    if due and due[0] == 0:
        # an older generation is due only together with all younger ones, as in Python
        oldest = max(n for n in due if set(range(n + 1)) <= set(due))
        gc.collect(oldest)
    with _lock:
        if _working:
            return
        _timer[0].stop()
        if _enabled:
            gc.enable()


def at_end(owner: QObject, callback: Callable[..., Any], *args: Any) -> None:
    """Call ``callback(*args)`` when the Qt half of ``owner`` is destroyed.

    Until then the Python half is kept: ``owner`` must have a parent, or be deleted by someone.
    """

    def ended(*_: Any) -> None:
        callback(*args)
        # not before the children have ended, too: that happens after this
        QTimer.singleShot(0, lambda: _ends.pop(id(ended), None))

    _ends[id(ended)] = (owner, ended)
    owner.destroyed.connect(ended)
