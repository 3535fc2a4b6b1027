from __future__ import annotations

import gc
import threading
import time

import pytest

from napari_orient.jobs import Partial, Progress, run

pytest.importorskip("qtpy")
pytestmark = pytest.mark.gui

from qtpy.QtWidgets import QWidget  # noqa: E402

from napari_orient.plugin.live import Live, Wish, newest  # noqa: E402
from napari_orient.plugin.sessions import follow  # noqa: E402


@pytest.fixture
def owner(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def threads_named(name):
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_only_the_newest_waiting_request_is_worked_on(qtbot, owner):
    gate, worked, answers = threading.Event(), [], []

    def work(value):
        gate.wait(5)
        worked.append(value)
        return value * 10

    live = Live(work, owner)
    live.answered.connect(lambda value, result: answers.append((value, result)))
    live.request(0)
    qtbot.wait(50)  # the thread takes it and waits at the gate
    for value in (1, 2, 3):
        live.request(value)
    gate.set()
    qtbot.waitUntil(lambda: live.is_idle)
    assert worked == [0, 3]
    assert answers == [(0, 0), (3, 30)]
    live.close()


def test_answers_arrive_in_the_gui_thread_and_errors_too(qtbot, owner):
    seen = []

    def work(value):
        if value < 0:
            raise RuntimeError("no such pattern")
        return threading.get_ident()

    live = Live(work, owner)
    live.answered.connect(lambda value, result: seen.append((threading.get_ident(), result)))
    live.failed.connect(lambda value, error: seen.append((threading.get_ident(), str(error))))
    live.request(1)
    qtbot.waitUntil(lambda: len(seen) == 1)
    live.request(-1)
    qtbot.waitUntil(lambda: len(seen) == 2)
    here = threading.get_ident()
    assert seen[0][0] == here
    assert seen[0][1] != here
    assert seen[1] == (here, "no such pattern")
    live.request(1)  # an error does not end the thread
    qtbot.waitUntil(lambda: len(seen) == 3)
    live.close()


def test_forgotten_answers_are_dropped(qtbot, owner):
    gate, answers = threading.Event(), []
    live = Live(lambda value: gate.wait(5) and value, owner)
    live.answered.connect(lambda value, result: answers.append(value))
    live.request("old scan")
    qtbot.wait(30)
    live.forget()
    live.request("new scan")
    gate.set()
    qtbot.waitUntil(lambda: live.is_idle)
    qtbot.wait(30)
    assert answers == ["new scan"]
    live.close()


def test_thread_ends_with_its_owner_or_when_nobody_holds_it(qtbot):
    owner = QWidget()
    live = Live(lambda value: value, owner, name="live-test-owner")
    live.request(1)
    qtbot.waitUntil(lambda: live.is_idle)
    assert threads_named("live-test-owner")
    owner.deleteLater()
    qtbot.waitUntil(lambda: not threads_named("live-test-owner"))
    live.request(2)  # harmless

    owner = QWidget()
    qtbot.addWidget(owner)

    def ask_and_drop():
        live = Live(lambda value: value, owner, name="live-test-dropped")
        with qtbot.waitSignal(live.answered):
            live.request(1)

    ask_and_drop()
    gc.collect()
    qtbot.waitUntil(lambda: not threads_named("live-test-dropped"))


def passes(value):
    """A pass over a file: three partial images, then the image."""
    for step in range(3):
        yield Progress(step, 3)
        yield Partial("image", f"{value}{step}")
        time.sleep(0.001)
    return f"{value} complete"


def test_newest_gives_way_after_one_partial():
    wish, seen = Wish(), []
    wish.put("a")
    job = newest(wish, passes)
    for event in job:
        if isinstance(event, Partial):
            seen.append(event.value)
            if event.value == ("a", "a0"):
                wish.put("b")
                wish.put("c")
    assert seen == [("a", "a0"), ("c", "c0"), ("c", "c1"), ("c", "c2")]
    wish.put("d")
    assert run(newest(wish, passes)) == ("d", "d complete")
    assert run(newest(wish, passes)) is None


def test_newest_closes_the_pass_when_cancelled():
    closed = []

    def forever(value):
        try:
            while True:
                yield Progress(0, 0)
        finally:
            closed.append(value)

    wish = Wish()
    wish.put("a")
    job = newest(wish, forever)
    next(job)
    job.close()
    assert closed == ["a"]


def test_follow_ends_with_the_widget(qtbot):
    from psygnal import SignalInstance

    class Dock(QWidget):
        calls = 0

        def on_event(self, value):
            self.calls += 1

    signal = SignalInstance((int,))
    dock = Dock()
    follow(dock, signal, dock.on_event)
    signal.emit(1)
    dock.deleteLater()
    with qtbot.waitSignal(dock.destroyed):
        pass
    signal.emit(2)
    assert dock.calls == 1
