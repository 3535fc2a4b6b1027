"""Does the dialog about frames propose what is right, refuse what is not, and open what is chosen?

Driven by mouse and keyboard, in a real window.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import QApplication
from stacks import write_tvips

from napari_orient.data.arrangement import Arrangement
from napari_orient.data.formats import open_scan, open_stack
from napari_orient.data.scan import Scan
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.load import arrange
from napari_orient.plugin.load.arrange import ArrangeDialog, ArrangePanel
from napari_orient.plugin.scan_layers import replace_scan, undo_last
from napari_orient.plugin.sessions import get_session

pytestmark = pytest.mark.gui

MADE = Arrangement(rows=20, columns=24, start=7, snake="second", hysteresis=2)


def grains(shape, seed=0):
    """Patterns (y, x, 16, 16) of a few grains: neighbours are alike."""
    random = np.random.default_rng(seed)
    points = random.random((14, 2)) * shape
    pixels = np.indices(shape).reshape(2, -1).T
    grain = np.square(pixels[:, None] - points).sum(axis=2).argmin(axis=1)
    levels = np.kron(random.integers(20, 400, (14, 4, 4)), np.ones((4, 4)))
    return random.poisson(levels[grain]).reshape(*shape, 16, 16).astype(np.uint16)


@pytest.fixture
def recording(tmp_path):
    """A snake scan after 7 dark frames, in two .tvips files whose headers mark nothing."""
    data = grains((20, 24 + 2))
    frames = np.zeros((MADE.stop, 16, 16), np.uint16)
    for line in range(MADE.lines):
        first = MADE.start + line * MADE.period
        columns = np.arange(MADE.length)
        if MADE.is_backwards(line):  # the beam lags by the hysteresis
            columns = MADE.length - 1 - columns + MADE.hysteresis
        frames[first : first + MADE.length] = data[line, columns]
    path = tmp_path / "snake_000.tvips"
    write_tvips(path, frames[:, None], max_file_size=150_000)
    from rsciio.tvips import _api as tvips

    parts = sorted(tmp_path.glob("*.tvips"))
    assert len(parts) > 1
    for part in parts:
        record = np.dtype([*tvips.TVIPS_RECORDER_FRAME_HEADER, ("data", "<u2", (16, 16))])
        head = np.dtype(tvips.TVIPS_RECORDER_GENERAL_HEADER).itemsize
        mapped = np.memmap(part, record, "r+", head if part == path else 0)
        mapped["rotidx"] = 0
        mapped.flush()
    return path, data[:, 2:24]


def answer(act):
    """Have ``act(dialog)`` done when the dialog is open and has its proposals."""
    seen = []

    def look():
        open_ones = [w for w in QApplication.topLevelWidgets() if isinstance(w, ArrangeDialog)]
        ready = [w for w in open_ones if w.isVisible() and w.form.list.count()]
        if ready:
            seen.append(ready[0])
            act(ready[0])
        else:
            QTimer.singleShot(20, look)

    QTimer.singleShot(20, look)
    return seen


def test_the_likeliest_arrangement_is_offered_and_enter_opens(viewer, drop, idle, qtbot, recording):
    path, data = recording
    said = {}

    def enter(dialog):
        said["offered"] = dialog.form.arrangement()
        said["words"] = dialog.form.said.text()
        said["list"] = [dialog.form.list.item(i).text() for i in range(dialog.form.list.count())]
        image = dialog.form.picture.image
        said["size"] = (image.height(), image.width())
        qtbot.keyClick(dialog, Qt.Key.Key_Return)

    answer(enter)
    drop(path)
    idle()
    assert said["offered"] == MADE
    assert said["size"] == (20, 22)
    assert said["list"][0].startswith("likely: 20 × 24, from 7, snake, hysteresis 2")
    assert said["words"].startswith("20 × 24 = 480 of 487 frames; 7 left out at the start")
    scan = viewer.layers[0].metadata["scan"]
    assert np.array_equal(scan.read(slice(None)), data)


def test_escape_opens_nothing(viewer, drop, idle, qtbot, recording, notes):
    seen = answer(lambda dialog: qtbot.keyClick(dialog, Qt.Key.Key_Escape))
    drop(recording[0])
    idle()
    assert seen
    assert len(viewer.layers) == 0
    assert notes == []


def test_what_is_impossible_is_refused_in_words(viewer, drop, idle, qtbot, recording):
    said = []

    def type_too_much(dialog):
        form = dialog.form
        form.rows.selectAll()
        qtbot.keyClicks(form.rows, "21")
        said.append((form.said.text(), dialog.open.isEnabled(), form.picture.image))
        qtbot.keyClick(form.rows, Qt.Key.Key_Return)
        said.append(dialog.isVisible())
        qtbot.mouseClick(form.fill, Qt.MouseButton.LeftButton)
        said.append((form.rows.value(), dialog.open.isEnabled()))
        form.snake.setCurrentIndex(0)
        said.append((form.hysteresis.isEnabled(), form.arrangement()))
        qtbot.mouseClick(dialog.open, Qt.MouseButton.LeftButton)

    answer(type_too_much)
    drop(recording[0])
    idle()
    words, enabled, image = said[0]
    assert words == (
        "<b>Not possible:</b> 21 × 24 = 504 frames from frame 7 on need 511 frames, there are 487."
    )
    assert not enabled
    assert image is None
    assert said[1:] == [True, (20, True), (False, Arrangement(rows=20, columns=24, start=7))]
    assert viewer.layers[0].data.shape == (20, 24)


def test_a_proposal_is_taken_by_the_mouse(viewer, drop, idle, qtbot, recording):
    taken = []

    def click_second(dialog):
        view = dialog.form.list
        where = view.visualItemRect(view.item(1)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(where))
        taken.append((dialog.form.arrangement(), dialog.form.reasons.text()))
        qtbot.mouseClick(dialog.open, Qt.MouseButton.LeftButton)

    answer(click_second)
    drop(recording[0])
    idle()
    made, reasons = taken[0]
    assert made != MADE
    assert reasons.endswith(".")
    assert viewer.layers[0].data.shape == made.shape


def test_own_numbers_are_kept_and_a_proposal_is_taken_again(viewer, drop, idle, qtbot, recording):
    said = {}

    def edit(dialog):
        form = dialog.form
        room = form.said.heightForWidth(form.said.width()), form.said.height()
        form.columns.setFocus()
        form.columns.selectAll()
        qtbot.keyClicks(form.columns, "22")  # passes 2, where a hysteresis of 2 does not fit
        said["typed"] = form.arrangement()
        said["marked"] = (form.list.currentRow(), form.reasons.text())
        view = form.list
        where = view.visualItemRect(view.item(0)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(where))
        said["again"] = form.arrangement()
        said["room"] = room
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)

    answer(edit)
    drop(recording[0])
    idle()
    assert said["typed"] == Arrangement(rows=20, columns=22, start=7, snake="second", hysteresis=2)
    assert said["marked"] == (-1, "")
    assert said["again"] == MADE
    needed, given = said["room"]
    assert given >= needed  # all its lines are seen


def test_an_open_scan_is_rearranged_and_comes_back(viewer, idle, qtbot, tmp_path):
    data = grains((20, 24))
    np.save(tmp_path / "wrong.npy", data.reshape(24, 20, 16, 16))
    viewer.open(tmp_path / "wrong.npy", plugin="napari-orient")
    idle()
    session = get_session(viewer)
    panel = ArrangePanel()
    qtbot.addWidget(panel)
    panel.asked.connect(lambda old, new: replace_scan(viewer, session, old, new))
    panel.show_scan(session.scan)
    panel.show()
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.form.list.count() > 0)
    idle()
    assert panel.form.arrangement() == Arrangement(rows=20, columns=24)
    qtbot.mouseClick(panel.apply, Qt.MouseButton.LeftButton)
    idle()
    assert session.scan.shape == data.shape
    assert np.array_equal(session.scan.pattern(3, 7), data[3, 7])
    (layer,) = viewer.layers
    assert kind_of(layer) == "navigator"
    np.testing.assert_allclose(layer.data, data.sum(axis=(2, 3)), rtol=1e-6)
    panel.show_scan(session.scan)  # another scan now: nothing is remembered
    assert not panel.form.isVisible()
    assert undo_last(viewer, session)
    idle()
    assert session.scan.shape == (24, 20, 16, 16)
    assert layer.data.shape == (24, 20)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": ""}, "comes from no file"),
        ({"source": "/far/away/gone.npy"}, "gone.npy does not exist"),
        ({"history": ("rows 0 to 9",)}, "has been prepared (rows 0 to 9)"),
    ],
)
def test_why_there_are_only_the_frames_of_the_scan(viewer, idle, qtbot, changes, words):
    data = grains((12, 10))
    panel = ArrangePanel()
    qtbot.addWidget(panel)
    panel.show_scan(Scan(data, name="cut").replaced(**{"source": "x.npy", **changes}))
    panel.show()
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.form.list.count() > 0)
    idle()
    assert panel.source.isVisible()
    assert words in panel.source.text()
    assert panel.form.arrangement() == Arrangement(rows=12, columns=10)


def test_frames_are_opened_beside_the_window_and_for_one_scan_only(
    viewer, idle, qtbot, tmp_path, monkeypatch
):
    np.save(tmp_path / "slow.npy", grains((12, 10)))
    scan = open_scan(tmp_path / "slow.npy")
    go_on, threads = threading.Event(), []

    def slow(source):
        threads.append(threading.current_thread())
        go_on.wait(10)
        return open_stack(source)

    monkeypatch.setattr(arrange, "open_stack", slow)
    panel = ArrangePanel()
    qtbot.addWidget(panel)
    panel.show_scan(scan)
    panel.show()
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(threads))
    assert panel.bar.isVisible()  # the window lives on
    panel.show_scan(Scan(grains((4, 5)), name="another"))
    go_on.set()
    idle()
    assert threads[0] is not threading.main_thread()
    assert not panel.form.isVisible()
    assert panel.begin.isEnabled()
