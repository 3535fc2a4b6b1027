"""How is a job waited for where napari wants the answer at once (writers, samples)?

The job runs in a thread; a dialog with progress and Cancel keeps other clicks out, while the window
goes on being painted.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtWidgets import QProgressDialog

from napari_orient.jobs import Job, Progress, TimeLeft, run
from napari_orient.plugin.questions import window
from napari_orient.plugin.worker import start_job, words_for


class Stopped(Exception):
    """The user stopped a job that napari was waiting for."""


def wait_for(job: Job[Any], text: str) -> Any:
    """Run ``job`` and return its result; without a window, simply here.

    Raises
    ------
    Stopped
        If the user pressed Cancel. What the job itself raises comes through.
    """
    parent = window()
    if parent is None:
        return run(job)
    dialog = QProgressDialog(text, "Cancel", 0, 0, parent)
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
    worker = start_job(_caught(job), yielded=show, returned=answer.append, finished=loop.quit)
    dialog.canceled.connect(worker.quit)
    loop.exec()
    dialog.close()
    dialog.deleteLater()
    if not answer:
        raise Stopped(f"{text}: stopped by you")
    how, what = answer.pop()
    if how != "error":
        return what
    try:
        raise what
    finally:  # an error that its own frame holds would keep the window alive
        del what


def _caught(job: Job[Any]) -> Job[tuple[str, Any]]:
    """Return an error instead of raising it: the caller raises it, and it is told once."""
    try:
        return "result", (yield from job)
    except Exception as error:
        return "error", error
