"""What is left when a layer, a dock or a scan goes? Nothing that costs memory or acts."""

from __future__ import annotations

import gc
import weakref

import pytest

from napari_orient.diffraction.detectors import Disk, VirtualDetector
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.scan_layers import describe_scan_layer, replace_scan
from napari_orient.plugin.sessions import get_session

pytestmark = pytest.mark.gui
DOCKS = ("Load", "Pattern", "Virtual detectors", "Orientation map")


def show(viewer, scan):
    data, meta, _ = describe_scan_layer(scan)
    return viewer.add_image(data, **meta)


def disk(ky, name="d"):
    return VirtualDetector(name=name, shapes=(Disk(centre=(ky, 12.0), radius=3),))


def images(viewer):
    return [layer for layer in viewer.layers if kind_of(layer) == "virtual"]


@pytest.fixture
def furnished(viewer, scan, open_dock, qtbot, idle):
    """All docks, a copy of the scan that nobody else holds, and a detector with its image."""
    docks = {name: open_dock(name) for name in DOCKS}
    show(viewer, scan.replaced(data=scan.data.copy()))
    session = get_session(viewer)
    session.detectors = (disk(16.0),)
    session.cursor = (2, 2)
    images_of = docks["Virtual detectors"].images
    qtbot.waitUntil(lambda: images_of.imager.ready and bool(images(viewer)), timeout=20_000)
    session.detectors = (disk(14.0),)
    qtbot.wait(300)
    idle()
    return docks


def test_a_deleted_layer_frees_the_scan_and_its_working_copy(viewer, furnished, qtbot):
    session = get_session(viewer)
    scan = weakref.ref(session.scan)
    data = weakref.ref(session.scan.data)
    copy = weakref.ref(furnished["Virtual detectors"].images.imager._copy)
    viewer.layers.remove(next(x for x in viewer.layers if kind_of(x) == "navigator"))
    assert session.scan is None
    qtbot.wait(300)
    assert copy() is None  # the large one, without waiting for a garbage collector
    gc.collect()
    assert scan() is None
    assert data() is None


def test_a_replaced_scan_frees_the_working_copy(viewer, furnished, qtbot):
    session = get_session(viewer)
    old = session.scan
    copy = weakref.ref(furnished["Virtual detectors"].images.imager._copy)
    replace_scan(viewer, session, old, old.replaced(data=old.data[:, :, ::2, ::2]))
    qtbot.wait(300)
    assert copy() is None


def test_a_closed_dock_is_not_called_and_frees_its_copy(viewer, furnished, qtbot):
    session = get_session(viewer)
    dock = furnished.pop("Virtual detectors")
    copy, gone = weakref.ref(dock.images.imager._copy), []
    dock.destroyed.connect(lambda *_: gone.append(True))
    viewer.window.remove_dock_widget(dock)
    qtbot.wait(300)
    before = images(viewer)[0].data.copy()
    session.detectors = (disk(6.0),)
    qtbot.wait(300)
    assert gone
    assert (images(viewer)[0].data == before).all()
    assert copy() is None


def test_a_reopened_dock_shows_the_present_state(viewer, furnished, open_dock, qtbot, idle):
    session = get_session(viewer)
    for dock in furnished.values():
        viewer.window.remove_dock_widget(dock)
    qtbot.wait(100)
    session.detectors = (disk(6.0), disk(20.0, "e"))
    session.active_detector = 1
    session.cursor = (4, 5)
    docks = {name: open_dock(name) for name in DOCKS}
    detectors = docks["Virtual detectors"]
    assert detectors.table.rowCount() == 2
    assert detectors.form.value() == session.detectors[1].shapes[0]
    assert docks["Pattern"].view.detectors() == session.detectors
    qtbot.waitUntil(lambda: len(images(viewer)) == 2, timeout=20_000)
    qtbot.waitUntil(lambda: docks["Pattern"].view.pattern() is not None)
    assert (docks["Pattern"].view.pattern() == session.scan.pattern(4, 5)).all()
    idle()
