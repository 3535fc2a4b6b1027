"""What does a reader say while it reads? Its warnings and log lines, collected for notes.

Warnings and loggers belong to the whole process, files are opened in several threads: the listener
is put in place once, and every thread keeps what was said in itself.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGER = "rsciio"


class _Listener(logging.Handler):
    """Listens while at least one thread collects; what other threads say passes through."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._guard = threading.Lock()
        self._notes: dict[int, list[str]] = {}
        self._before = contextlib.ExitStack()
        self._show: Any = None

    def start(self, notes: list[str]) -> None:
        with self._guard:
            if not self._notes:
                self._listen()
            self._notes[threading.get_ident()] = notes

    def stop(self) -> None:
        with self._guard:
            del self._notes[threading.get_ident()]
            if not self._notes:
                self._before.close()

    def _listen(self) -> None:
        self._before.enter_context(warnings.catch_warnings())
        self._show = warnings.showwarning
        warnings.showwarning = self._on_warning  # type: ignore[assignment]
        warnings.simplefilter("always")
        logger = logging.getLogger(_LOGGER)
        self._before.callback(setattr, logger, "handlers", logger.handlers)
        self._before.callback(setattr, logger, "propagate", logger.propagate)
        logger.handlers, logger.propagate = [self], False

    def _on_warning(self, message: Any, category: type[Warning], *where: Any) -> None:
        notes = self._notes.get(threading.get_ident())
        if notes is None:
            self._show(message, category, *where)
        elif issubclass(category, UserWarning):  # others (deprecation, resources) are technical
            notes.append(str(message))

    def emit(self, record: logging.LogRecord) -> None:
        """Take one log line."""
        notes = self._notes.get(record.thread or 0)
        if notes is not None:
            notes.append(record.getMessage())


_listener = _Listener()


@contextlib.contextmanager
def remarks(notes: list[str]) -> Iterator[None]:
    """Append to ``notes`` what readers warn or log in this thread; nothing is shown elsewhere.

    Not to be nested within one thread.
    """
    _listener.start(notes)
    try:
        yield
    finally:
        _listener.stop()
