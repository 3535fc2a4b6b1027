"""Do the samples open from the File menu, and is nothing downloaded unasked?"""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.plugin import samples
from napari_orient.plugin.layers import kind_of

pytestmark = pytest.mark.gui


def test_the_small_scan_comes_with_its_orientations(viewer, idle):
    layers = viewer.open_sample("napari-orient", "scan-small")
    idle()
    assert sorted(kind_of(layer) for layer in layers) == ["ipf", "navigator"]
    scan = next(layer.metadata["scan"] for layer in layers if kind_of(layer) == "navigator")
    assert scan.shape == (64, 64, 128, 128)
    assert scan.calibration.pixel_size.source == "simulated"
    ipf, navigator = sorted(layers, key=kind_of)
    assert navigator.visible
    assert not ipf.visible
    np.testing.assert_allclose(ipf.extent.world, navigator.extent.world)


def test_the_polycrystal(viewer):
    (layer,) = viewer.open_sample("napari-orient", "polycrystal")
    assert kind_of(layer) == "ipf"
    assert layer.data.shape[2] == 4
    assert (layer.data[..., 3] == 255).all()


def test_the_real_map_is_only_downloaded_with_consent(viewer, monkeypatch):
    asked, downloads = [], []

    def real_ebsd_map(allow_download=False):
        downloads.append(allow_download)
        raise ConnectionError("not on this computer")

    monkeypatch.setattr("napari_orient.samples.real_ebsd_map", real_ebsd_map)
    monkeypatch.setattr(samples, "consent", lambda title, text: asked.append(text))
    with pytest.raises(Exception, match="not downloaded, as you wish"):
        samples.ebsd()
    assert len(asked) == 1
    assert "1 MB" in asked[0]
    assert downloads == [False]


def test_offline_the_sample_says_so(viewer, monkeypatch):
    def real_ebsd_map(allow_download=False):
        raise ConnectionError("cannot be downloaded: check the internet connection")

    monkeypatch.setattr("napari_orient.samples.real_ebsd_map", real_ebsd_map)
    monkeypatch.setattr(samples, "consent", lambda title, text: True)
    with pytest.raises(ConnectionError, match="check the internet connection"):
        samples.ebsd()


def test_without_a_window_nobody_consents():
    from napari_orient.plugin.questions import consent

    assert consent("title", "text") is False


def test_a_long_job_is_waited_for_while_the_window_lives(viewer, qtbot):
    import time

    from qtpy.QtCore import QTimer

    from napari_orient.jobs import Progress
    from napari_orient.plugin.worker import wait_for

    gaps, last = [], [time.perf_counter()]

    def tick():
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(5)

    def job():
        for step in range(10):
            yield Progress(step, 10, "working")
            time.sleep(0.1)
        return "done"

    assert wait_for(job(), "Testing") == "done"
    timer.stop()
    assert len(gaps) > 50
    assert np.median(gaps) < 0.05


def test_waiting_can_be_cancelled(viewer, qtbot):
    import time

    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QProgressDialog, QPushButton

    from napari_orient.jobs import Progress
    from napari_orient.plugin.worker import Stopped, wait_for

    closed = []

    def job():
        try:
            while True:
                yield Progress(0, 0, "for ever")
                time.sleep(0.01)
        finally:
            closed.append(True)

    def cancel():
        dialogs = [w for w in QApplication.allWidgets() if isinstance(w, QProgressDialog)]
        visible = [w for w in dialogs if w.isVisible()]
        if visible:
            visible[0].findChild(QPushButton).click()
        else:
            QTimer.singleShot(50, cancel)

    QTimer.singleShot(50, cancel)
    with pytest.raises(Stopped, match="Testing"):
        wait_for(job(), "Testing")
    assert closed == [True]


def test_errors_of_a_job_come_through_once(viewer, notes):
    from napari_orient.jobs import Progress
    from napari_orient.plugin.worker import wait_for

    def job():
        yield Progress(0, 0)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        wait_for(job(), "Testing")
    assert notes == []
