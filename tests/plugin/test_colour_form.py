"""The colour controls of the Orientation map dock, driven by mouse and keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from map_examples import show, small_map
from numpy.testing import assert_allclose, assert_array_equal

from napari_orient.crystal.colors import ColourScheme, colour_image

pytestmark = pytest.mark.gui
__all__ = ["small_map"]  # a fixture


@pytest.fixture
def dock(open_dock, qtbot):
    widget = open_dock("Orientation map")
    qtbot.waitUntil(widget.isVisible)
    return widget


def choose(qtbot, combo, data):
    """Choose an entry with the arrow keys, as a user does."""
    from qtpy.QtCore import Qt

    combo.setFocus()
    steps = combo.findData(data) - combo.currentIndex()
    for _ in range(abs(steps)):
        qtbot.keyClick(combo, Qt.Key.Key_Down if steps > 0 else Qt.Key.Key_Up)
        combo.activated.emit(combo.currentIndex())
    assert combo.currentData() == data


def type_direction(qtbot, dock, text):
    from qtpy.QtCore import Qt

    field = dock.colours.oblique
    field.clear()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def click(qtbot, widget):
    from qtpy.QtCore import Qt

    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def config(layer):
    return layer.metadata["napari_orient"]["config"]


@pytest.mark.parametrize(
    ("key", "name"),
    [("continuous", "IPF-Z"), ("narrow", "Deviation"), ("euler", "Euler")],
)
def test_each_key_colours_the_same_layer(viewer, dock, small_map, qtbot, key, name):
    layer = show(viewer, small_map)
    choose(qtbot, dock.colours.key, key)
    scheme = ColourScheme(key=key)
    assert_array_equal(layer.data, colour_image(small_map, scheme))
    assert layer.name == f"small {name}"
    assert config(layer) == scheme.model_dump(mode="json")
    assert f"<b>{name}</b>" in dock.caption.text()
    assert list(viewer.layers) == [layer]
    assert dock.colours.buttons["X"].isVisible() == (key == "continuous")
    assert dock.colours.range.isVisible() == (key == "narrow")
    assert dock.map_keys.phases[0].scheme == scheme


def test_an_oblique_direction_is_typed(viewer, dock, small_map, qtbot):
    layer = show(viewer, small_map)
    type_direction(qtbot, dock, "1, 1 0")
    assert_array_equal(layer.data, colour_image(small_map, ColourScheme(direction=(1, 1, 0))))
    assert layer.name == "small IPF-[1 1 0]"
    assert not any(button.isChecked() for button in dock.colours.buttons.values())
    for wrong in ("0 0 0", "1 2", "up"):
        type_direction(qtbot, dock, wrong)
        assert dock.colours.wrong.isVisible()
        assert layer.name == "small IPF-[1 1 0]"
    click(qtbot, dock.colours.buttons["Y"])
    assert layer.name == "small IPF-Y"
    assert not dock.colours.wrong.isVisible()
    assert dock.colours.oblique.text() == ""
    assert dock.colours.buttons["Y"].isChecked()


def test_brightness_by_a_property(viewer, dock, small_map, qtbot):
    layer = show(viewer, small_map)
    combo = dock.colours.weight
    assert [combo.itemData(i) for i in range(combo.count())] == [None, "CI"]  # grains are labels
    choose(qtbot, combo, "CI")
    assert_array_equal(layer.data, colour_image(small_map, ColourScheme(weight="CI")))
    assert layer.name == "small IPF-Z × CI"
    bar = dock.map_keys.brightness
    qtbot.waitUntil(lambda: bar.key.width() > 100)
    viewer.cursor.position = (0.5, 0.5)
    assert not bar.key.grab().isNull()
    (marker,) = bar.key.markers
    rect = bar.key.key_rect()
    part = (marker.x() - rect.left()) / rect.width()
    plain = colour_image(small_map)[1, 1, :3].max()
    assert part == pytest.approx(layer.data[1, 1, :3].max() / plain, abs=0.02)
    choose(qtbot, combo, None)
    assert layer.name == "small IPF-Z"
    assert dock.map_keys.brightness is None


def click_at(viewer, layer, row, column):
    """Click a point of the map with the mouse, in the canvas."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    canvas = viewer.window._qt_viewer.canvas.native
    camera = viewer.scene.camera
    middle = np.array([canvas.height(), canvas.width()]) / 2
    away = np.array(layer.data_to_world((row, column))) - np.array(camera.center)[-2:]
    y, x = (int(p) for p in np.round(middle + away * camera.zoom))
    QTest.mouseMove(canvas, QPoint(x + 3, y + 3))
    QTest.mouseMove(canvas, QPoint(x, y))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(x, y))


def test_a_reference_is_picked_from_the_map(viewer, dock, small_map, qtbot):
    layer = show(viewer, small_map)
    choose(qtbot, dock.colours.key, "narrow")
    assert dock.colours.mean.isChecked()
    before = len(viewer.mouse_drag_callbacks)
    click(qtbot, dock.colours.pick)
    assert "Click a point" in dock.here.text()
    click_at(viewer, layer, 0, 0)
    assert "not indexed" in dock.here.text()
    click_at(viewer, layer, 1, 2)
    assert not dock.colours.pick.isChecked()
    assert len(viewer.mouse_drag_callbacks) == before
    assert_allclose(config(layer)["reference"], small_map.quaternions[1, 2])
    assert layer.data[1, 2].tolist() == [153, 153, 153, 255]  # the grey of the reference
    assert layer.data[1, 0].tolist() == [0, 0, 0, 255]
    assert not dock.colours.mean.isChecked()
    click(qtbot, dock.colours.mean)
    assert config(layer)["reference"] is None


def test_escape_gives_up_picking(viewer, dock, small_map, qtbot):
    from qtpy.QtCore import Qt

    show(viewer, small_map)
    choose(qtbot, dock.colours.key, "narrow")
    dock.window().activateWindow()
    click(qtbot, dock.colours.pick)
    dock.setFocus()
    qtbot.waitUntil(dock.hasFocus)
    qtbot.keyClick(dock, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not dock.colours.pick.isChecked())
    assert dock._on_click not in viewer.mouse_drag_callbacks


def test_the_range_follows_the_slider_and_says_when_all_is_black(viewer, dock, small_map, qtbot):
    from qtpy.QtCore import Qt

    layer = show(viewer, small_map)
    choose(qtbot, dock.colours.key, "narrow")
    qtbot.keyClick(dock.colours.range, Qt.Key.Key_Right)
    assert config(layer)["range_deg"] == 7.0
    assert dock.colours.degrees.text() == "7°"
    assert "black: beyond 7°" in dock.map_keys.phases[0].note.text()
    dock.colours.set_reference((0.0, 1.0, 0.3, 0.1))
    assert "Only 0 %" in dock.caption.text()
    assert "pick a point" in dock.caption.text()


def test_markers_lie_on_the_colours_of_the_point(viewer, dock, small_map, qtbot):
    """In each key the pixels under the markers tell the colour that the map has at the mouse."""
    layer = show(viewer, small_map)
    at = (1, 4)
    for key in ("continuous", "euler"):
        choose(qtbot, dock.colours.key, key)
        qtbot.wait(50)
        viewer.cursor.position = (0.0, 0.0)
        viewer.cursor.position = tuple(0.5 * i for i in at)
        view = dock.map_keys.phases[1].key
        markers = view.markers
        assert len(markers) == (3 if key == "euler" else 1)
        assert not dock.map_keys.phases[0].key.markers
        view.mark(None)
        picture = view.grab().toImage()
        ratio = picture.devicePixelRatio()
        shown = [picture.pixelColor((m * ratio).toPoint()).getRgb()[:3] for m in markers]
        assert_allclose(np.max(shown, axis=0), layer.data[at][:3], atol=14)


def test_the_note_on_jumps_leads_to_the_continuous_key(viewer, dock, qtbot):
    from napari_orient.samples import polycrystal_map

    layer = show(viewer, polycrystal_map((12, 12), 3, "LiNiO2"), "oxide")
    note = dock.map_keys.phases[0].note
    assert "jumps" in note.text()
    note.linkActivated.emit("continuous")
    assert config(layer)["key"] == "continuous"
    assert dock.colours.key.currentData() == "continuous"
    assert not dock.map_keys.phases[0].note.isVisible()


def test_a_large_map_gets_the_newest_scheme_from_a_thread(viewer, dock, qtbot):
    import time

    from napari_orient.crystal.phases import get_phase
    from napari_orient.crystal.rotations import random_orientations
    from napari_orient.data.maps import OrientationMap

    quaternions = random_orientations(400 * 500, 4).reshape(400, 500, 4)
    large = OrientationMap(quaternions, {0: get_phase("Ni")})
    layer = show(viewer, large, "large")
    start = time.perf_counter()
    dock.colours.set_key("euler")
    dock.colours.set_key("narrow")
    dock.colours.set_key("continuous")
    dock.colours.set_direction("X")
    assert time.perf_counter() - start < 0.1
    qtbot.waitUntil(lambda: layer.name == "large IPF-X", timeout=5000)
    scheme = ColourScheme(key="continuous", direction="X")
    assert_array_equal(layer.data, colour_image(large, scheme))
    assert dock.map_keys.phases[0].scheme == scheme


def test_the_controls_follow_the_layer_of_another_map(viewer, dock, small_map, qtbot):
    import dataclasses

    from napari_orient.plugin.maps.layers import show_scheme

    show(viewer, small_map, "first")
    second = dataclasses.replace(small_map)
    show(viewer, second, "second")
    show_scheme(viewer, second, ColourScheme(key="euler", weight="CI"))
    dock.picker.activated.emit(0)
    assert dock.colours.key.currentData() == "tsl"
    dock.picker.activated.emit(1)
    assert dock.colours.key.currentData() == "euler"
    assert dock.colours.weight.currentData() == "CI"
    assert dock.map_keys.brightness is not None


def test_nothing_is_wider_than_a_narrow_dock(viewer, dock, small_map, qtbot):
    show(viewer, small_map)
    for key in ("tsl", "continuous", "narrow", "euler"):
        choose(qtbot, dock.colours.key, key)
        choose(qtbot, dock.colours.weight, "CI")
        assert dock.content.minimumSizeHint().width() <= 280
