"""How does a view follow the mouse without waiting? The newest request wins, stale answers drop.

:class:`Live` answers requests one at a time in a thread of its own; of the requests that came
meanwhile only the newest is worked on. :func:`newest` does the same for jobs: it restarts a pass
over a file whenever :class:`Wish` holds something newer.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_orient.jobs import Job, Partial
from napari_orient.plugin.garbage import at_end, hold, let_go


@dataclass(frozen=True)
class _Request:
    """What is asked for, frozen, and its number."""

    value: Any
    generation: int


class _Relay(QObject):
    """Carries answers from the thread into the thread that made this object."""

    came = Signal(object, object, object)


class _Thread:
    """The thread's side: it knows no widget, so it keeps none alive."""

    def __init__(self, work: Callable[[Any], Any], relay: _Relay, name: str) -> None:
        self.work = work
        self.relay = relay
        self.ready = threading.Condition()
        self.pending: _Request | None = None
        self.closed = False
        self.thread = threading.Thread(target=self.loop, name=name, daemon=True)

    def loop(self) -> None:
        while (request := self.next()) is not None:
            answer, error = None, None
            try:
                answer = self.work(request.value)
            except Exception as caught:  # every failure is shown by who asked, in the GUI thread
                error = caught
            if not self.closed:
                self.relay.came.emit(request, answer, error)
            # waiting must not keep what was asked for: a scan, or its working copy
            del request, answer, error
            let_go()

    def next(self) -> _Request | None:
        with self.ready:
            self.ready.wait_for(lambda: self.closed or self.pending is not None)
            request, self.pending = self.pending, None
            return None if self.closed else request

    def ask(self, request: _Request) -> None:
        with self.ready:
            if self.closed:
                return
            if self.pending is None:
                hold()
            self.pending = request
            self.ready.notify()

    def forget(self) -> None:
        with self.ready:
            if self.pending is not None:
                let_go()
            self.pending = None

    def stop(self, wait: float = 2.0) -> None:
        self.forget()
        with self.ready:
            self.closed = True
            self.ready.notify()
        if self.thread.is_alive() and self.thread is not threading.current_thread():
            self.thread.join(wait)


class Live(QObject):
    """One thread that works on the newest request.

    Parameters
    ----------
    work
        Called in the thread with the request's value; must not touch Qt.
    owner
        The widget this serves: when it is destroyed, the thread ends.
    name
        Name of the thread, for whoever looks at a list of threads.

    Notes
    -----
    Answers arrive in the order of the requests, also those that were overtaken while they were
    worked on (a drag would otherwise show nothing until the mouse rests). :meth:`forget` makes all
    requests so far stale, such as when the scan was replaced.
    """

    answered = Signal(object, object)
    """(request, result), in the GUI thread."""
    failed = Signal(object, object)
    """(request, exception), in the GUI thread."""

    def __init__(self, work: Callable[[Any], Any], owner: QObject, name: str = "live") -> None:
        super().__init__()
        self._generation = 0
        self._stale = 0
        self._relay = _Relay()
        self._relay.came.connect(self._on_came)
        self._side = _Thread(work, self._relay, name)
        self._stop = weakref.finalize(self, self._side.stop)
        at_end(owner, self._stop)

    @property
    def is_idle(self) -> bool:
        """True if every request was answered, dropped or overtaken."""
        return self._generation == self._stale

    def request(self, value: Any) -> int:
        """Ask for ``value``, overtaking what still waits; return the request's number."""
        if not self._side.thread.is_alive() and not self._side.closed:
            self._side.thread.start()
        self._generation += 1
        self._side.ask(_Request(value, self._generation))
        return self._generation

    def forget(self) -> None:
        """Drop the waiting request, and the answer of the one that is being worked on."""
        self._side.forget()
        self._stale = self._generation

    def close(self) -> None:
        """End the thread; answers still on their way are dropped."""
        self.forget()
        self._stop()

    def _on_came(self, request: _Request, answer: Any, error: Exception | None) -> None:
        if request.generation <= self._stale:
            return
        self._stale = request.generation
        if error is not None:
            self.failed.emit(request.value, error)
        else:
            self.answered.emit(request.value, answer)


class Wish:
    """The newest thing wanted from a job that is already running; a thread-safe box for one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value: Any = None

    def put(self, value: Any) -> None:
        """Want ``value`` instead of whatever was wanted before."""
        with self._lock:
            self._value = value

    def take(self) -> Any:
        """Return what is wanted and empty the box; None if it is empty."""
        with self._lock:
            value, self._value = self._value, None
        return value

    @property
    def waits(self) -> bool:
        """True if something is wanted that nobody took."""
        return self._value is not None


def newest(wish: Wish, make_job: Callable[[Any], Job[Any]]) -> Job[Any]:
    """Drive the job of the newest wish, again whenever a newer one comes; the last result counts.

    A job gives way after its first :class:`Partial`, not before: whoever drags sees pictures even
    if the mouse is faster than the disk. Values of partials come out as ``(wish, value)``, and so
    does the result.
    """
    answer = None
    while (value := wish.take()) is not None:
        job = make_job(value)
        shown = False
        try:
            while not (shown and wish.waits):
                event = next(job)
                if isinstance(event, Partial):
                    shown = True
                    event = Partial(event.name, (value, event.value), event.done)
                yield event
        except StopIteration as end:
            answer = (value, end.value)
            if wish.waits:
                yield Partial("done", answer)
        finally:
            job.close()
    return answer
