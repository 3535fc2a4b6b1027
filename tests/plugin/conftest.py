"""Fixtures that drive real windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_orient.data.scan import Calibration, Quantity, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pytest_configure(config: pytest.Config) -> None:
    # napari says on PyQt5, at each start, that Qt6 could do more
    config.addinivalue_line("filterwarnings", "ignore:System theme detection:UserWarning")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_ORIENT_CACHE", str(tmp_path_factory.getbasetemp() / "samples"))


@pytest.fixture
def scan() -> Scan:
    """A scan in memory, 6 x 8 positions, 32 x 24 px: a direct beam and one spot in some columns."""
    random = np.random.default_rng(1)
    data = random.integers(0, 4, (6, 8, 32, 24)).astype(np.uint16)
    data[:, :, 15:18, 11:14] += 200
    data[:, 4:, 5:8, 18:21] += 100
    calibration = Calibration(
        step=Quantity(value=(2.0, 2.0), unit="nm", source="file"),
        pixel_size=Quantity(value=0.05, unit="1/angstrom", source="file"),
        centre=Quantity(value=(16.0, 12.0), unit="px", source="measured"),
        voltage=Quantity(value=200.0, unit="kV", source="file"),
    )
    return Scan(data, calibration, name="small")


@pytest.fixture
def scan_file(scan: Scan, tmp_path: Path) -> Path:
    """The same scan as our HDF5 file."""
    from napari_orient.data.hdf5 import save_scan
    from napari_orient.jobs import run

    return Path(run(save_scan(scan, tmp_path / "small.h5")))


@pytest.fixture
def viewer(make_napari_viewer: Any, qtbot: Any) -> Iterator[Any]:
    """A real window, shown; afterwards no thread is left working."""
    from napari.settings import get_settings

    viewer = make_napari_viewer(show=True)
    # napari's image reader lists these too, so napari asks at the first drop; remembered here
    get_settings().plugins.extension2reader = dict.fromkeys(("*.h5", "*.npy"), "napari-orient")
    viewer.window._qt_window.resize(1400, 900)
    yield viewer
    viewer.layers.clear()
    wait_for_threads(qtbot)


def wait_for_threads(qtbot: Any) -> None:
    """Wait until no job runs and its last answers have arrived."""
    from qtpy.QtCore import QThreadPool
    from superqt.utils import WorkerBase

    qtbot.waitUntil(
        lambda: not WorkerBase._worker_set and not QThreadPool.globalInstance().activeThreadCount(),
        timeout=60_000,
    )


@pytest.fixture
def idle(qtbot: Any) -> Callable[[], None]:
    """Wait until no job runs."""
    return lambda: wait_for_threads(qtbot)


@pytest.fixture
def notes() -> Iterator[list[str]]:
    """The texts of napari's notifications, as they come."""
    from napari.utils.notifications import notification_manager

    said: list[str] = []

    def note(notification: Any) -> None:
        said.append(str(notification.message))

    notification_manager.notification_ready.connect(note)
    yield said
    notification_manager.notification_ready.disconnect(note)


@pytest.fixture
def open_dock(viewer: Any) -> Callable[[str], Any]:
    """Open a dock through the manifest, by its name in the Plugins menu."""

    def opened(name: str) -> Any:
        return viewer.window.add_plugin_dock_widget("napari-orient", name)[1]

    return opened


@pytest.fixture
def opened(viewer: Any, open_dock: Any, qtbot: Any, idle: Any) -> Callable[[Scan], Any]:
    """Open a scan and the Calibrate dock; return the dock once it has a pattern."""

    from napari_orient.plugin.scan_layers import describe_scan_layer

    def opener(scan: Scan) -> Any:
        data, settings, _ = describe_scan_layer(scan)
        viewer.add_image(data, **settings)
        dock = open_dock("Calibrate")
        qtbot.waitUntil(lambda: dock.bench.pattern is not None)
        idle()
        return dock

    return opener


@pytest.fixture
def drop(viewer: Any) -> Callable[..., None]:
    """Drop files on the window, as the desktop does: with a Qt drop event full of URLs."""

    def dropped(*paths: Any) -> None:
        from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
        from qtpy.QtGui import QDragEnterEvent, QDropEvent
        from qtpy.QtWidgets import QApplication

        target = viewer.window._qt_viewer
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        middle = QPointF(target.rect().center())
        how = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton)
        keys = Qt.KeyboardModifier.NoModifier
        enter = QDragEnterEvent(middle.toPoint(), *how, keys)
        QApplication.sendEvent(target, enter)
        assert enter.isAccepted()
        QApplication.sendEvent(target, QDropEvent(middle, *how, keys))

    return dropped
