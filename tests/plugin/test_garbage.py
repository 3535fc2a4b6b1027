"""Does a closed widget die in the window's thread, also while others work?"""

from __future__ import annotations

import gc
import threading

import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from qtpy.QtWidgets import QWidget  # noqa: E402

from napari_orient.jobs import Progress  # noqa: E402
from napari_orient.plugin.garbage import at_end  # noqa: E402
from napari_orient.plugin.live import Live  # noqa: E402
from napari_orient.plugin.worker import start_job  # noqa: E402


class Mortal(QWidget):
    """Notes in which thread it is taken apart."""

    def __init__(self, died):
        super().__init__()
        self.itself, self.died = self, died

    def __del__(self):
        self.died.append(threading.current_thread() is threading.main_thread())


def churn(*_):
    """Allocate so much that Python collects all generations, several times."""
    kept = []
    for _ in range(400_000):
        kept.append([kept])
    return len(kept)


def churning():
    yield Progress(0, 1)
    churn()
    yield Progress(1, 1)


@pytest.fixture(autouse=True)
def collects_afterwards(qtbot):
    yield
    qtbot.waitUntil(gc.isenabled, timeout=5000)


@pytest.mark.parametrize("how", ["job", "live"])
def test_widgets_die_in_the_windows_thread(qtbot, how):
    died, over = [], []
    gc.collect()
    for _ in range(20):
        Mortal(died)
    assert not died
    if how == "job":
        start_job(churning(), finished=lambda: over.append(True))
    else:
        owner = QWidget()
        qtbot.addWidget(owner)
        live = Live(churn, owner)
        live.answered.connect(lambda *_: over.append(True))
        live.request(None)
    assert not gc.isenabled()
    qtbot.waitUntil(lambda: bool(over), timeout=30_000)
    qtbot.waitUntil(gc.isenabled, timeout=5000)
    gc.collect()
    assert died == [True] * 20


def test_a_closed_or_forgetful_live_lets_go(qtbot):
    owner, wait = QWidget(), threading.Event()
    qtbot.addWidget(owner)
    live = Live(lambda _: wait.wait(5), owner)
    for _ in range(3):
        live.request(None)
    live.forget()
    live.request(None)
    wait.set()
    live.close()
    live.request(None)
    qtbot.waitUntil(gc.isenabled, timeout=5000)


def test_the_end_is_heard_though_the_python_half_was_collected(qtbot):
    heard = []
    parent = QWidget()
    child = QWidget(parent)
    child.itself, parent.child = child, child
    at_end(child, heard.append, "ended")
    parent.deleteLater()
    del parent, child
    gc.collect()  # what is connected to a collected widget would be taken apart here
    qtbot.waitUntil(lambda: heard == ["ended"], timeout=5000)
