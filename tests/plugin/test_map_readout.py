"""The status bar over a map: known points, layers above it, and what is left alone."""

from __future__ import annotations

import time

import numpy as np
import pytest
from map_examples import euler_quaternion, show, small_map

pytestmark = pytest.mark.gui
__all__ = ["small_map"]  # a fixture


@pytest.fixture
def told(viewer, qtbot):
    """Move the real mouse over a map point; return what the status bar then says."""
    from qtpy.QtCore import QPoint, QThread
    from qtpy.QtTest import QTest

    from napari_orient.plugin.sessions import get_session

    get_session(viewer)
    thread = viewer.window._qt_window.status_thread
    QThread.start(thread)  # napari's fixture switches off its own start()

    def tell(layer, at, words):
        canvas = viewer.window._qt_viewer.canvas
        viewer.reset_view()
        qtbot.wait(50)
        world = layer.data_to_world(at)[-2:]
        middle = np.array([canvas.native.height(), canvas.native.width()]) / 2
        pixel = (
            middle
            + (np.array(world) - np.array(viewer.scene.camera.center[-2:]))
            * viewer.scene.camera.zoom
        )
        point = QPoint(round(pixel[1]), round(pixel[0]))
        QTest.mouseMove(canvas.native, point + QPoint(3, 3))
        qtbot.wait(20)
        QTest.mouseMove(canvas.native, point)
        qtbot.waitUntil(lambda: words in str(viewer.status), timeout=5000)
        return str(viewer.status)

    yield tell
    thread.terminate()
    thread.wait()


def test_a_known_point(viewer, small_map, told):
    layer = show(viewer, small_map)
    text = told(layer, (1, 2), "col 2, row 1")
    assert "x 1.00 µm, y 0.50 µm (col 2, row 1)" in text
    assert "Ni" in text
    assert "φ1 Φ φ2 0.0° 0.0° 0.0°" in text
    assert "(001)[100] (0°, 0° off)" in text
    assert f"CI {small_map.properties['CI'][1, 2]:.4g}" in text
    assert "grain 8" in text


def test_the_window_shows_it(viewer, small_map, told):
    layer = show(viewer, small_map)
    text = told(layer, (2, 4), "Ti")
    assert viewer.window._qt_window.statusBar()._status.text() == text
    assert "φ1 Φ φ2 10.0° 70.0° 20.0°" in text


def test_a_point_not_indexed(viewer, small_map, told):
    text = told(show(viewer, small_map), (0, 0), "col 0, row 0")
    assert "not indexed" in text
    assert "φ1" not in text


def test_layers_above_a_map_tell_their_value_too(viewer, small_map, told):
    show(viewer, small_map)
    image = np.full((4, 6), 41.0)
    above = viewer.add_image(image, name="Dark field", scale=(0.5, 0.5), units=("um", "um"))
    text = told(above, (1, 1), "col 1, row 1")
    assert "φ1 Φ φ2 30.0° 40.0° 50.0°" in text
    assert "Dark field: 41" in text


def test_with_nothing_selected(viewer, small_map, told):
    layer = show(viewer, small_map)
    viewer.layers.selection.clear()
    assert "Ni" in told(layer, (1, 1), "col 1, row 1")


def test_beside_and_without_visible_maps_napari_speaks(viewer, small_map):
    from napari_orient.plugin.maps.readout import locate
    from napari_orient.plugin.sessions import get_session

    get_session(viewer)
    layer = show(viewer, small_map)
    viewer.cursor.position = (0.5, 0.5)
    assert locate(viewer).index == (1, 1)
    viewer.cursor.position = (0.5, 30)
    assert locate(viewer) is None
    viewer.cursor.position = (0.5, 0.5)
    layer.visible = False
    assert locate(viewer) is None
    layer.visible = True
    viewer.status = "words of another tool"
    assert viewer.status == "words of another tool"


def test_layers_with_other_units(viewer, small_map):
    """A scan in nm makes napari's world nm: the map in µm is found all the same."""
    from napari_orient.plugin.maps.readout import locate

    show(viewer, small_map)
    viewer.add_image(np.zeros((20, 30)), scale=(100, 100), units=("nm", "nm"))
    viewer.cursor.position = (1000.0, 1500.0)
    assert locate(viewer).index == (2, 3)


def test_volumes_are_read_too():
    from napari_orient.crystal.phases import get_phase
    from napari_orient.data.maps import OrientationMap
    from napari_orient.plugin.maps.readout import Place, position_words

    quaternions = np.tile(euler_quaternion(0, 0, 0), (2, 3, 4, 1))
    volume = OrientationMap(quaternions, {0: get_phase("Ni")}, step=(2, 0.5, 0.25), unit="nm")
    words = position_words(Place(None, volume, (1, 2, 3)))
    assert words == "x 0.75 nm, y 1.00 nm, z 2.0 nm (col 3, row 2, slice 1)"


def test_a_move_costs_little(viewer, small_map):
    """Below 5 ms: the readout and the dock of a map, warm."""
    from napari_orient.plugin.maps.readout import facts_at, locate

    show(viewer, small_map)
    viewer.cursor.position = (0.5, 0.5)
    facts_at(locate(viewer))
    best = min(_seconds(lambda: facts_at(locate(viewer))) for _ in range(20))
    assert best < 5e-3


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_what_index_says_of_a_point_is_short_and_in_words(viewer, small_map, told):
    numbers = {
        "Q": 72.5, "R": 31.0, "beam margin": 0.4, "crystal margin": 12.0, "share": 100.0,
        "ambiguous": 0,
    }  # fmt: skip
    small_map.properties = {name: np.full((4, 6), value) for name, value in numbers.items()}
    small_map.properties["ambiguous"] = np.zeros((4, 6), np.uint8)
    small_map.properties["ambiguous"][1, 2:] = 1, 2, 3, 0
    small_map.properties["share"][1, 5] = 64.0
    small_map.properties["crystal margin"][2, 1] = 100.0  # no pseudo-symmetry
    layer = show(viewer, small_map)
    margins = "margin beam 0.4, crystal 12.0"
    assert f"Q 72.5  R 31.0  {margins}" in told(layer, (1, 1), "col 1, row 1")
    for column, words in ((2, "beam"), (3, "crystal"), (4, "beam, crystal")):
        text = told(layer, (1, column), f"col {column}, row 1")
        assert f"Q 72.5  R 31.0  ambiguous: {words}  {margins}" in text
    assert f"R 31.0  share 64  {margins}" in told(layer, (1, 5), "col 5, row 1")
    assert "margin beam 0.4\u2003" in told(layer, (2, 1), "col 1, row 2")


def test_what_was_not_looked_for_is_not_said():
    from napari_orient.plugin.maps.readout import number_words

    nan = float("nan")
    of_a_network = {
        "Q": 61.4, "R": nan, "beam margin": nan, "crystal margin": nan, "share": 100.0,
        "ambiguous": 0, "probability": 73.0,
    }  # fmt: skip
    assert number_words(of_a_network) == ["Q 61.4", "probability 73"]
