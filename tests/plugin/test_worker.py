"""Do jobs live well beside a real window?"""

from __future__ import annotations

import faulthandler
import threading
import time

import pytest
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QPushButton, QVBoxLayout

from napari_orient.jobs import Partial, Progress
from napari_orient.plugin.sessions import Dock
from napari_orient.plugin.worker import JobBar, start_job, words_for

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer):
    """A dock with a button that its bar's job disables, in a live window."""
    widget = Dock(viewer)
    widget.bar = JobBar(can_pause=True)
    widget.go = QPushButton("Go")
    widget.bar.running.connect(lambda on: widget.go.setEnabled(not on))
    layout = QVBoxLayout(widget)
    layout.addWidget(widget.go)
    layout.addWidget(widget.bar)
    viewer.window.add_dock_widget(widget, name="test")
    return widget


def endless(log, name="job"):
    """Count until closed; say in which thread it was closed."""
    try:
        for step in range(100_000):
            yield Progress(step, 0, name)
            log.append((name, step))
            time.sleep(0.005)
    finally:
        log.append((name, "closed", threading.get_ident()))


def test_a_runtime_error_is_told_and_enables_the_button_again(dock, qtbot, notes, idle):
    def job():
        yield Progress(0, 2, "about to fail")
        raise RuntimeError("CUDA out of memory")

    failed = []
    dock.bar.failed.connect(failed.append)
    dock.bar.run(job())
    assert not dock.go.isEnabled()
    assert dock.bar.isVisible()
    qtbot.waitUntil(dock.go.isEnabled, timeout=5000)
    assert not dock.bar.isVisible()
    assert "CUDA out of memory" in str(failed[0])
    assert any("CUDA out of memory" in said for said in notes)
    idle()


def test_any_other_error_too(dock, qtbot, notes):
    def job():
        yield Progress(0, 0)
        raise OSError("the drive has gone")

    dock.bar.run(job())
    qtbot.waitUntil(dock.go.isEnabled, timeout=5000)
    assert any("the drive has gone" in said for said in notes)


def test_cancel_closes_the_generator_at_once_in_its_own_thread(dock, qtbot):
    log = []
    worker = dock.bar.run(endless(log))
    qtbot.waitUntil(lambda: len(log) > 3, timeout=5000)
    started = time.perf_counter()
    dock.bar._cancel.click()
    qtbot.waitUntil(dock.go.isEnabled, timeout=5000)
    assert time.perf_counter() - started < 0.5
    assert log[-1][:2] == ("job", "closed")
    assert log[-1][2] != threading.get_ident()
    assert worker.job.gi_frame is None  # closed, not merely abandoned


def test_a_newer_job_replaces_the_older(dock, qtbot):
    log, results = [], []

    def quick():
        yield Progress(1, 1)
        return "new"

    dock.bar.run(endless(log, "old"), on_result=results.append)
    qtbot.waitUntil(lambda: len(log) > 3, timeout=5000)
    dock.bar.run(quick(), on_result=results.append)
    qtbot.waitUntil(lambda: results == ["new"] and log[-1][1] == "closed", timeout=5000)
    assert dock.go.isEnabled()


def test_pause_holds_the_job_and_resume_goes_on(dock, qtbot):
    log = []
    dock.bar.run(endless(log))
    qtbot.waitUntil(lambda: len(log) > 3, timeout=5000)
    dock.bar._pause.click()
    qtbot.wait(100)
    before = len(log)
    qtbot.wait(200)
    assert len(log) == before
    dock.bar._pause.click()
    qtbot.waitUntil(lambda: len(log) > before + 3, timeout=5000)
    dock.bar.cancel()


def test_a_paused_job_can_be_cancelled(dock, qtbot):
    log = []
    dock.bar.run(endless(log))
    qtbot.waitUntil(lambda: len(log) > 3, timeout=5000)
    dock.bar._pause.click()
    qtbot.wait(50)
    dock.bar._cancel.click()
    qtbot.waitUntil(dock.go.isEnabled, timeout=5000)
    assert log[-1][1] == "closed"


def test_partial_results_and_the_result_arrive_in_the_gui_thread(dock, qtbot):
    seen = []

    def job():
        yield Partial("image", 1)
        yield Progress(1, 2)
        return 2

    def note(value):
        seen.append((value, threading.get_ident()))

    dock.bar.run(job(), on_partial=lambda part: note(part.value), on_result=note)
    here = threading.get_ident()
    qtbot.waitUntil(lambda: seen == [(1, here), (2, here)], timeout=5000)


def test_a_closed_window_ends_its_job(dock, viewer, qtbot):
    log = []
    dock.bar.run(endless(log))
    qtbot.waitUntil(lambda: len(log) > 3, timeout=5000)
    dock.bar.cancel()
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: log[-1][1] == "closed", timeout=5000)


def test_jobs_leave_qt_room_to_convert_images(viewer, qtbot, idle):
    """Qt does that in the pool of the jobs, and waits for it with Python's lock in its hand."""
    from qtpy.QtCore import QThreadPool

    def busy():
        end = time.monotonic() + 20
        while time.monotonic() < end:
            yield Progress(0, 0)
            sum(range(1000))

    started = QThreadPool.globalInstance().maxThreadCount() + 4
    workers = [start_job(busy()) for _ in range(started)]
    qtbot.wait(300)
    image = QImage(2000, 2000, QImage.Format.Format_RGB16)
    image.fill(1)
    faulthandler.dump_traceback_later(30, exit=True)  # a standstill ends the run, and says where
    assert not image.convertToFormat(QImage.Format.Format_RGBA64).isNull()
    faulthandler.cancel_dump_traceback_later()
    for worker in workers:
        worker.quit()
    idle()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.2, "about 1 s left"), (100, "about 2 min left"), (7200, "about 2.0 h left")],
)
def test_time_left_in_words(seconds, words):
    assert words_for(seconds) == words
