"""How does a job run beside a living window? One worker class, one bar, and a dialog that waits.

A dock runs its jobs in a :class:`JobBar`. Where napari wants the answer at once (readers, writers,
samples) :func:`wait_for` keeps other clicks out while the window goes on being painted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEventLoop, Qt, QThread, QThreadPool, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QProgressDialog,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_orient.jobs import Job, JobFailed, Partial, Progress, TimeLeft, run
from napari_orient.plugin.garbage import at_end, hold, let_go
from napari_orient.plugin.questions import window


def _drive(job: Job[Any]) -> Job[Any]:
    return (yield from job)


def _pool() -> QThreadPool:
    """Return Qt's pool, with room for jobs that are just ending, too."""
    pool = QThreadPool.globalInstance()
    pool.setMaxThreadCount(max(pool.maxThreadCount(), QThread.idealThreadCount() + 4))
    return pool


class JobWorker(GeneratorWorker):
    """A worker thread that drives one job and closes it, whatever happens, in that thread.

    superqt's worker takes a RuntimeError for a deleted worker and falls silent; torch's errors
    *are* RuntimeErrors. Here they come out as :class:`JobFailed` through ``errored``.

    Qt converts larger images in the same pool of threads, and the window's thread waits for that
    with Python's lock (the GIL) in its hand. Were all threads of the pool taken by jobs, which need
    the lock, the window would stand still for ever; so a job leaves its place to others.
    """

    def __init__(self, func: Callable[..., Any], job: Job[Any]) -> None:
        super().__init__(func, job)
        self.job = job

    def start(self) -> None:
        """Start in a thread beyond those of Qt's pool."""
        _pool().releaseThread()
        hold()
        super().start()

    def work(self) -> Any:
        """Drive the job; called by Qt in the worker thread."""
        try:
            result = super().work()
        finally:
            self.job.close()
        if isinstance(result, RuntimeError):
            raise JobFailed(f"{type(result).__name__}: {result}") from result
        return result


def start_job(job: Job[Any], **callbacks: Callable[..., None]) -> JobWorker:
    """Start ``job`` in a thread; ``callbacks`` are the worker's signals by name.

    ``yielded(event)``, ``returned(result)``, ``errored(exception)``, ``aborted()`` and
    ``finished()``, the last one always and in the end, are called in the GUI thread. Errors also
    appear as a napari notification. The callbacks are forgotten in the end: Qt may keep the worker,
    but not the scan or the window that they know.
    """

    def call(name: str, *args: Any) -> None:
        if name in callbacks:
            callbacks[name](*args)

    def errored(error: Exception) -> None:
        # napari's own relay is not connected (Qt stops the chain of constructors before it)
        notification_manager.receive_error(type(error), error, error.__traceback__)
        call("errored", error)

    def finished() -> None:
        _pool().reserveThread()
        let_go()
        try:
            call("finished")
        finally:
            callbacks.clear()

    connect = {name: partial(call, name) for name in callbacks}
    connect |= {"errored": errored, "finished": finished}
    return create_worker(_drive, job, _worker_class=JobWorker, _connect=connect)


def words_for(seconds: float | None) -> str:
    """Return "about 2 min left" for a number of seconds."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"


class _Fate:
    """What outlives the Qt half of a bar: a late answer must not touch that half."""

    gone = False
    worker: JobWorker | None = None

    def end(self) -> None:
        self.gone = True
        if self.worker is not None:
            self.worker.quit()


class JobBar(QWidget):
    """A bar that runs one job at a time: what it does, how far, how long still, pause, cancel.

    A new job cancels the one before; late answers of a cancelled job are dropped.
    """

    running = Signal(bool)
    failed = Signal(object)

    def __init__(
        self, parent: QWidget | None = None, *, can_pause: bool = False, can_keep: bool = False
    ) -> None:
        super().__init__(parent)
        self._fate = _Fate()
        self.keeps = False  # was the job stopped in order to keep what it has?
        at_end(self, self._fate.end)
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(True)
        self._pause = QPushButton("Pause")
        self._pause.setToolTip("Hold the work where it is; nothing is lost")
        self._pause.setVisible(can_pause)
        self._cancel = QPushButton("Cancel")
        self._cancel.setToolTip("Stop this work; what is finished stays")
        self._keep = QPushButton("Stop and keep")
        self._keep.setToolTip("Stop here; what is finished becomes the result")
        self._keep.setVisible(can_keep)
        if can_keep:
            self._cancel.setToolTip("Stop this work and throw away what it has")
        self._keep.clicked.connect(self._on_keep)
        self._pause.clicked.connect(self._on_pause)
        self._cancel.clicked.connect(self.cancel)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self._bar, self._pause, self._keep, self._cancel):
            row.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._label)
        layout.addLayout(row)
        self.hide()

    @property
    def is_running(self) -> bool:
        """True while a job of this bar runs."""
        return self._fate.worker is not None

    def run(
        self,
        job: Job[Any],
        *,
        text: str = "",
        on_result: Callable[[Any], None] | None = None,
        on_partial: Callable[[Partial], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> JobWorker:
        """Start ``job``; ``on_end`` is called however it ends, unless a newer job replaced it."""
        self.cancel()
        self.keeps = False
        time_left = TimeLeft()
        fate = self._fate
        self._label.setText(text)
        self._bar.setRange(0, 0)
        self._pause.setText("Pause")
        self.show()

        def is_current() -> bool:
            return not fate.gone and fate.worker is worker

        def yielded(event: Progress | Partial) -> None:
            if not is_current():
                return
            if isinstance(event, Progress):
                self._show_progress(event, text, time_left.seconds(event))
            elif on_partial is not None:
                on_partial(event)

        def returned(result: Any) -> None:
            if is_current() and on_result is not None:
                on_result(result)

        def errored(error: Exception) -> None:
            if is_current():
                self.failed.emit(error)

        def finished() -> None:
            if is_current():
                fate.worker = None
                self.hide()
                self.running.emit(False)
                if on_end is not None:
                    on_end()

        # connected before it starts; the callbacks run in this thread, when `worker` is set
        fate.worker = worker = start_job(
            job, yielded=yielded, returned=returned, errored=errored, finished=finished
        )
        self.running.emit(True)
        return worker

    def cancel(self) -> None:
        """Ask the running job, if any, to stop at its next event."""
        if self._fate.worker is not None:
            self._fate.worker.quit()
            self._label.setText("Stopping ...")

    def _on_keep(self) -> None:
        self.keeps = True
        self.cancel()

    def _on_pause(self) -> None:
        worker = self._fate.worker
        if worker is not None:
            self._pause.setText("Pause" if worker.is_paused else "Resume")
            worker.toggle_pause()

    def _show_progress(self, progress: Progress, text: str, seconds: float | None) -> None:
        said = " · ".join(part for part in (text, progress.text, words_for(seconds)) if part)
        self._label.setText(said)
        if progress.total > 0:
            self._bar.setRange(0, progress.total)
            self._bar.setValue(min(progress.step, progress.total))


class Stopped(Exception):
    """The user stopped a job that napari was waiting for."""


def wait_for(job: Job[Any], text: str) -> Any:
    """Run ``job`` and return its result; without a window, simply here.

    Raises
    ------
    Stopped
        If the user pressed Cancel. What the job itself raises comes through.
    """
    if window() is None:
        return run(job)
    how, what = _answer(_caught(job), text)
    if how == "stopped":
        raise Stopped(f"{text}: stopped by you")
    if how != "error":
        return what
    # this frame, which the error holds, must not know the window: an error that is kept, in a log,
    # would keep it alive; nor the error, which would be a circle
    try:
        raise what
    finally:
        del what


def _answer(job: Job[tuple[str, Any]], text: str) -> tuple[str, Any]:
    """Run a job beside a dialog; return what it returned, or that it was stopped."""
    dialog = QProgressDialog(text, "Cancel", 0, 0, window())
    dialog.setWindowTitle("Orient")
    dialog.setWindowModality(Qt.WindowModality.WindowModal)
    dialog.setMinimumDuration(400)
    dialog.setAutoClose(False)
    dialog.setAutoReset(False)
    answer: list[tuple[str, Any]] = []
    time_left = TimeLeft()

    def show(event: Any) -> None:
        if isinstance(event, Progress):
            said = " · ".join(x for x in (event.text, words_for(time_left.seconds(event))) if x)
            dialog.setLabelText(f"{text}\n{said}")
            if event.total > 0:
                dialog.setMaximum(event.total)
                dialog.setValue(min(event.step, event.total))

    loop = QEventLoop()
    worker = start_job(job, yielded=show, returned=answer.append, finished=loop.quit)
    dialog.canceled.connect(worker.quit)
    loop.exec()
    dialog.close()
    dialog.deleteLater()
    return answer.pop() if answer else ("stopped", None)


def refusable(job: Job[Any]) -> Job[tuple[Any, str]]:
    """Return the result of a job and no words, or None and why it refuses: its ValueError."""
    try:
        return (yield from job), ""
    except ValueError as error:
        words = str(error)
        return None, words[:1].upper() + words[1:]


def _caught(job: Job[Any]) -> Job[tuple[str, Any]]:
    """Return an error instead of raising it: the caller raises it, and it is told once."""
    try:
        return "result", (yield from job)
    except Exception as error:
        return "error", error
