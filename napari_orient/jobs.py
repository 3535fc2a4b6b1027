"""How does slow work report, stop and return? A generator yields events and returns its result.

A *job* is a generator that yields :class:`Progress` and :class:`Partial` events and returns its
result. Whoever watches drives it: :func:`run` in a library, a loop in the command line, a worker
in the window. ``close()`` on the generator cancels it; its ``finally`` frees what it holds. Where
a job runs is a wrapper that is itself a job: :func:`in_process` and :func:`on_dask`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a job is: ``step`` of ``total`` (0 = unknown), and what it is doing."""

    step: int
    total: int
    text: str = ""

    @property
    def fraction(self) -> float | None:
        """Share done, 0 to 1, or None when the total is unknown."""
        return min(1.0, self.step / self.total) if self.total > 0 else None


@dataclass(frozen=True)
class Partial:
    """An unfinished result. ``value`` is a copy, never an array the job still writes to.

    ``done`` marks, where it has a meaning, the elements that are already final.
    """

    name: str
    value: Any
    done: Any = None


Event = Progress | Partial
Job = Generator[Event, None, Result]


class JobFailed(Exception):
    """A job failed where its own exception cannot travel (another process, a Qt worker)."""


class Every:
    """Throttle of a producer: :meth:`due` is True at most once every ``seconds``."""

    def __init__(self, seconds: float = 0.3, first: float | None = None) -> None:
        self.seconds = seconds
        self._next = time.perf_counter() + (seconds if first is None else first)

    def due(self) -> bool:
        """Return True, and start the next interval, if the interval is over."""
        now = time.perf_counter()
        if now < self._next:
            return False
        self._next = now + self.seconds
        return True


def run(job: Job[Result], watch: Callable[[Event], None] | None = None) -> Result:
    """Drive ``job`` to its end and return its result; ``watch`` sees each event.

    The job is closed whatever happens, so an exception in ``watch`` (or Ctrl-C) cancels it.
    """
    try:
        while True:
            event = next(job)
            if watch is not None:
                watch(event)
    except StopIteration as stop:
        return cast("Result", stop.value)
    finally:
        job.close()


class TimeLeft:
    """Estimate of the seconds a job still needs, from its :class:`Progress` events.

    The pace is that of the last ``window`` seconds, so that a slow start (a compiler, a cold disk)
    is forgotten.
    """

    def __init__(self, window: float = 10.0) -> None:
        self.window = window
        self._seen: deque[tuple[float, float]] = deque()

    def seconds(self, progress: Progress) -> float | None:
        """Take an event; return the seconds left, or None before there is a pace."""
        fraction = progress.fraction
        if fraction is None:
            return None
        now = time.perf_counter()
        self._seen.append((now, fraction))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self.window:
            self._seen.popleft()
        start, before = self._seen[0]
        if now - start < 0.5 or fraction - before < 0.005:
            return None
        return (now - start) * (1 - fraction) / (fraction - before)


def _drive(function: Callable[..., Job[Any]], args: tuple[Any, ...], send: Any, stop: Any) -> None:
    """Run a job at the far end: send its events, obey ``stop``, send how it ended."""
    job = function(*args)
    try:
        while not stop.is_set():
            send(("event", next(job)))
        send(("stopped", None))
    except StopIteration as end:
        send(("result", end.value))
    except Exception as error:  # its class may not exist at the other end: its words always do
        send(("error", f"{type(error).__name__}: {error}"))
    finally:
        job.close()


def _receive(receive: Callable[[], tuple[str, Any] | None]) -> Job[Any]:
    """Turn messages of :func:`_drive` into events and a result; None means nothing came yet."""
    while True:
        message = receive()
        if message is None:
            continue
        kind, value = message
        if kind == "event":
            yield value
        elif kind == "result":
            return value
        else:
            raise JobFailed(value or "the job was stopped")


def in_process(function: Callable[..., Job[Result]], *args: Any) -> Job[Result]:
    """Run ``function(*args)``, a job, in a spawned child process, behind the same face.

    ``function`` and ``args`` must be importable and picklable (the pipe is the one place where
    Python's object transport is used; nothing is stored). Closing this job stops the child.

    Raises
    ------
    JobFailed
        With the child's words, when the job raised there or the child died.
    """
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(function, args, sender, stop), daemon=True)
    child.start()
    sender.close()

    def receive() -> tuple[str, Any] | None:
        try:
            return receiver.recv() if receiver.poll(0.1) else None
        except EOFError:
            child.join(5)
            raise JobFailed(f"the child process died (exit code {child.exitcode})") from None

    try:
        return cast("Result", (yield from _receive(receive)))
    finally:
        stop.set()
        # a job only stops between two events: drain, so that it can never block on a full pipe
        deadline = time.monotonic() + 5
        while child.is_alive() and time.monotonic() < deadline:
            try:
                if receiver.poll(0.05):
                    receiver.recv()
            except (EOFError, OSError):
                break
        child.join(1)
        if child.is_alive():
            child.terminate()
            child.join(5)
        receiver.close()


def _child(
    function: Callable[..., Job[Any]], args: tuple[Any, ...], sender: Any, stop: Any
) -> None:
    _drive(function, args, sender.send, stop)
    sender.close()


def on_dask(client: Any, function: Callable[..., Job[Result]], *args: Any) -> Job[Result]:
    """Run ``function(*args)``, a job, on one worker of a dask cluster, behind the same face.

    Parameters
    ----------
    client : distributed.Client
        The cluster. Events travel through a ``distributed.Queue``; closing this job sets a
        ``distributed.Event`` which the far end obeys between two events.

    Raises
    ------
    JobFailed
        With the worker's words, when the job raised there or the worker was lost.
    """
    import uuid

    import distributed

    name = f"napari-orient-{uuid.uuid4().hex}"
    queue = distributed.Queue(name, client=client)
    stop = distributed.Event(f"{name}-stop", client=client)
    future = client.submit(_on_worker, name, function, args, pure=False)

    def receive() -> tuple[str, Any] | None:
        try:
            return cast("tuple[str, Any]", queue.get(timeout="500ms"))
        except TimeoutError:
            if future.status in ("error", "lost", "cancelled") and queue.qsize() == 0:
                raise JobFailed(f"the dask worker failed ({future.status})") from None
            return None

    try:
        return cast("Result", (yield from _receive(receive)))
    finally:
        stop.set()
        future.release()
        queue.close()


def _on_worker(name: str, function: Callable[..., Job[Any]], args: tuple[Any, ...]) -> None:
    import distributed

    queue = distributed.Queue(name)
    stop = distributed.Event(f"{name}-stop")
    _drive(function, args, queue.put, stop)
