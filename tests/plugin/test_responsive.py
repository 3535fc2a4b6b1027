"""Is the window alive while scans are opened and prepared? Nothing is read in its thread."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_orient.data import prepare
from napari_orient.data.scan import Scan
from napari_orient.plugin import scan_layers
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.sessions import get_session

pytestmark = pytest.mark.gui
LOOK = 1.0  # s that a first look takes here
GAP = 0.8  # s: drawing in software on a busy machine takes some of it, a look in this thread all


class Slow:
    """An array on a slow drive."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.nbytes = array.nbytes
        self.threads = set()

    def __getitem__(self, key):
        self.threads.add(threading.current_thread())
        time.sleep(0.05)
        return self.array[key]


@pytest.fixture
def longest_gap(qtbot):
    """Return a function that gives the longest time between two beats of the window, in s."""
    beats = []
    timer = QTimer()
    timer.setInterval(2)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start()
    qtbot.wait(20)

    def gap():
        qtbot.wait(20)
        return float(np.diff(beats).max())

    yield gap
    timer.stop()


@pytest.fixture
def slow(viewer, scan, open_dock, qtbot, idle):
    """A window with a Load dock and a slow scan, its picture complete."""
    scan = Scan(Slow(scan.data), scan.calibration, name="slow")
    dock = open_dock("Load")
    get_session(viewer)
    data, settings, _ = scan_layers.describe_scan_layer(scan, np.zeros(scan.scan_shape, "f4"))
    viewer.add_image(data, **settings)
    idle()
    return scan, dock


@pytest.mark.parametrize("how", ["crop", "bin", "undo"])
def test_preparing_a_scan_reads_nothing_in_the_windows_thread(viewer, slow, how, longest_gap, idle):
    scan, dock = slow
    exact = scan.data.array.sum(axis=(2, 3))
    if how == "bin":
        dock._bin(2, False)
    else:
        dock._crop(slice(1, 5), slice(0, 4))
    if how == "undo":
        dock._undo()
    assert (get_session(viewer).scan is scan) == (how == "undo")
    idle()
    layer = next(x for x in viewer.layers if kind_of(x) == "navigator")
    np.testing.assert_allclose(layer.data, exact[1:5, 0:4] if how == "crop" else exact)
    assert threading.main_thread() not in scan.data.threads


def test_opening_a_scan_reads_nothing_in_the_windows_thread(
    viewer, scan_file, monkeypatch, longest_gap, idle
):
    threads = set()
    quick = prepare.quick_navigator

    def slowly(*args, **settings):
        threads.add(threading.current_thread())
        time.sleep(LOOK)
        return quick(*args, **settings)

    monkeypatch.setattr(prepare, "quick_navigator", slowly)
    viewer.open(scan_file, plugin="napari-orient")
    assert get_session(viewer).scan.name == "small"
    assert threads
    assert threading.main_thread() not in threads
    assert longest_gap() < GAP
    idle()


def test_a_calibration_typed_meanwhile_does_not_stop_the_navigator(viewer, scan, open_dock, idle):
    scan = Scan(Slow(scan.data), scan.calibration, name="slow")
    open_dock("Load")
    session = get_session(viewer)
    empty = np.zeros(scan.scan_shape, "f4")
    layer = viewer.add_image(empty, **scan_layers.describe_scan_layer(scan, empty)[1])
    scan_layers.replace_scan(viewer, session, scan, scan.replaced(name="calibrated"), undo=False)
    idle()
    np.testing.assert_allclose(layer.data, scan.data.array.sum(axis=(2, 3)))


def test_a_result_whose_scan_has_gone_is_kept(viewer, scan, idle):
    session = get_session(viewer)
    layer = viewer.add_image(**_shown(scan))
    viewer.layers.remove(layer)
    copy = scan.replaced(data=scan.data[:, :, ::2, ::2])
    scan_layers.replace_scan(viewer, session, scan, copy)
    assert session.scan is copy
    assert [x.metadata["scan"] for x in viewer.layers] == [copy]
    idle()
    assert viewer.layers[0].data == pytest.approx(copy.data.sum(axis=(2, 3)))


def test_another_scan_stays_the_active_one(viewer, scan, idle):
    session = get_session(viewer)
    other = scan.replaced(name="other")
    for one in (scan, other):
        viewer.add_image(**_shown(one))
    scan_layers.replace_scan(viewer, session, scan, scan.replaced(data=scan.data[:, :, ::2]))
    assert session.scan is other
    idle()


def test_a_calibration_while_a_rectangle_is_drawn(viewer, scan, open_dock, idle):
    dock = open_dock("Load")
    viewer.add_image(**_shown(scan))
    dock.crop._draw()
    now = get_session(viewer).scan
    step = scan.calibration.step.model_copy(update={"value": 5.0})
    changed = now.replaced(calibration=now.calibration.set(step=step))
    scan_layers.replace_scan(viewer, get_session(viewer), now, changed, undo=False)
    assert tuple(viewer.layers["crop"].scale) == (5.0, 5.0)
    idle()


def _shown(scan):
    data, settings, _ = scan_layers.describe_scan_layer(scan)
    return {"data": data, **settings}
