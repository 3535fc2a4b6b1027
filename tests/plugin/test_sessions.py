"""One session a viewer, fed by the window's own events."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from napari_orient.data.scan import Scan
from napari_orient.plugin import sessions
from napari_orient.plugin.layers import KEY
from napari_orient.plugin.scan_layers import describe_scan_layer
from napari_orient.plugin.sessions import SETTLED, get_session, scan_of
from napari_orient.plugin.view import fit_all, shows_all

pytestmark = pytest.mark.gui


def show(viewer, scan):
    data, meta, _ = describe_scan_layer(scan)
    return viewer.add_image(data, **meta)


def test_a_viewer_and_its_proxy_have_one_session(viewer):
    from napari.utils._proxies import PublicOnlyProxy

    assert get_session(PublicOnlyProxy(viewer)) is get_session(viewer)


def test_two_viewers_have_two_sessions(viewer, make_napari_viewer):
    other = make_napari_viewer()
    assert get_session(other) is not get_session(viewer)


def test_a_layer_that_was_there_before_is_adopted(viewer, scan, idle):
    layer = show(viewer, scan)
    assert get_session(viewer).scan is scan
    assert scan_of(layer) is scan
    idle()


def test_the_active_layer_decides(viewer, scan, idle):
    session = get_session(viewer)
    first, second = show(viewer, scan), show(viewer, scan.replaced(name="second"))
    assert session.scan.name == "second"
    viewer.layers.selection.active = first
    assert session.scan is scan
    viewer.layers.remove(first)
    assert session.scan is scan_of(second)
    viewer.layers.remove(second)
    assert session.scan is None
    idle()


def test_a_plain_layer_changes_nothing(viewer, scan, idle):
    session = get_session(viewer)
    show(viewer, scan)
    viewer.add_points([[0, 0]])
    assert session.scan is scan
    idle()


def test_the_mouse_over_the_scan_is_the_cursor(viewer, scan, idle):
    session = get_session(viewer)
    show(viewer, scan)

    class Event:
        position = (6.1, 9.9)  # nm, at a step of 2 nm

    for callback in viewer.mouse_move_callbacks:
        callback(viewer, Event)
    assert session.cursor == (3, 5)
    Event.position = (-40.0, 2.0)
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, Event)
    assert session.cursor == (3, 5)  # outside, the last one stays
    idle()


def test_the_cursor_is_right_beside_a_layer_in_a_smaller_unit(viewer, scan, idle):
    session = get_session(viewer)
    layer = show(viewer, scan)
    layer.units = ("um", "um")  # 2 um a step, in a world of nm
    viewer.add_image(np.zeros((9, 9)), scale=(100.0, 100.0), units=("nm", "nm"))
    assert str(viewer.layers.extent.units[0]) == "nanometer"

    class Event:
        position = (6100.0, 9900.0)

    for callback in viewer.mouse_move_callbacks:
        callback(viewer, Event)
    assert session.cursor == (3, 5)
    idle()


def test_a_dock_that_opens_leaves_the_picture_whole(viewer, scan, open_dock, qtbot, idle):
    viewer.window.show()
    viewer.window.resize(900, 500)
    layer = show(viewer, scan)
    qtbot.wait(SETTLED)
    fit_all(viewer)  # the canvas may have got its size after the picture
    assert shows_all(viewer)
    before = viewer.canvas.size
    open_dock("Load")
    qtbot.waitUntil(lambda: viewer.canvas.size != before, timeout=20_000)
    qtbot.waitUntil(lambda: shows_all(viewer), timeout=20_000)
    viewer.scene.camera.zoom *= 5  # the user looks at something
    zoom = viewer.scene.camera.zoom
    assert not shows_all(viewer)
    open_dock("Virtual detectors")
    qtbot.wait(2 * SETTLED)
    assert viewer.scene.camera.zoom == zoom
    assert layer.visible


def test_a_deleted_scan_makes_room_for_the_other(viewer, scan, qtbot, idle):
    get_session(viewer)
    first, large = show(viewer, scan), show(viewer, Scan(np.zeros((40, 90, 4, 4), np.uint8)))
    assert not first.visible
    viewer.layers.remove(large)
    assert get_session(viewer).scan is scan
    assert first.visible
    assert shows_all(viewer)


def test_the_exact_navigator_arrives_by_itself(viewer, scan, idle):
    get_session(viewer)
    layer = show(viewer, scan)
    idle()
    assert layer.data == pytest.approx(scan.data.sum(axis=(2, 3)))
    assert layer.metadata[KEY]["config"] == {"complete": True}


def test_a_session_goes_with_its_viewer(scan):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    session = get_session(viewer)
    assert session in sessions._sessions.values()
    number, seen = len(sessions._sessions), weakref.ref(viewer)
    del viewer
    gc.collect()
    assert seen() is None
    assert len(sessions._sessions) < number
