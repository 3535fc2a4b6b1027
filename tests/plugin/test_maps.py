"""The Orientation map dock in a real window: directions, keys, property layers, deleted layers."""

from __future__ import annotations

import numpy as np
import pytest
from map_examples import show, small_map
from numpy.testing import assert_allclose, assert_array_equal

pytestmark = pytest.mark.gui
__all__ = ["small_map"]  # a fixture


def click(qtbot, widget):
    from qtpy.QtCore import QPoint, Qt

    # near the left edge: there a check box has its box
    at = QPoint(8, widget.height() // 2)
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at)


@pytest.fixture
def dock(open_dock, qtbot):
    widget = open_dock("Orientation map")
    qtbot.waitUntil(widget.isVisible)
    return widget


def test_without_a_map_the_dock_says_what_to_do(dock):
    assert dock.empty.isVisible()
    assert "drop a file" in dock.empty.text()
    assert not dock.picker.isVisible()


def test_clicks_recolour_the_same_layer(viewer, dock, small_map, qtbot):
    from napari_orient.crystal.colors import ipf_image

    layer = show(viewer, small_map)
    layer.opacity, layer.visible = 0.4, True
    assert dock.buttons["Z"].isChecked()
    for direction in "XYZ":
        click(qtbot, dock.buttons[direction])
        assert_array_equal(layer.data, ipf_image(small_map, direction))
        assert layer.name == f"small IPF-{direction}"
        assert f"IPF-{direction}" in dock.caption.text()
        assert layer.metadata["napari_orient"]["config"]["direction"] == direction
    assert list(viewer.layers) == [layer]
    assert layer.opacity == 0.4
    assert not np.array_equal(ipf_image(small_map, "X"), ipf_image(small_map, "Z"))


def test_a_large_map_is_coloured_in_a_thread(viewer, dock, qtbot):
    """The click returns at once; the newest direction is the one that stays."""
    import time

    from napari_orient.crystal.colors import ipf_image
    from napari_orient.crystal.phases import get_phase
    from napari_orient.data.maps import OrientationMap

    quaternions = np.random.default_rng(4).normal(size=(400, 500, 4))
    quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
    large = OrientationMap(quaternions, {0: get_phase("Ni")})
    layer = show(viewer, large, "large")
    start = time.perf_counter()
    for direction in "XYZX":
        dock.set_direction(direction)
    assert time.perf_counter() - start < 0.05
    qtbot.waitUntil(lambda: layer.name == "large IPF-X", timeout=5000)
    assert_array_equal(layer.data, ipf_image(large, "X"))
    assert dock.buttons["X"].isChecked()


def test_points_not_indexed_are_transparent(viewer, dock, small_map, qtbot):
    layer = show(viewer, small_map)
    click(qtbot, dock.buttons["Y"])
    alpha = layer.data[..., 3]
    assert_array_equal(alpha == 0, ~small_map.indexed)
    assert_array_equal(np.unique(alpha), (0, 255))


def test_keys_choose_the_direction_while_the_dock_has_focus(viewer, dock, small_map, qtbot):
    from qtpy.QtCore import Qt

    layer = show(viewer, small_map)
    dock.window().activateWindow()
    dock.setFocus()
    qtbot.waitUntil(dock.hasFocus)
    qtbot.keyClick(dock, Qt.Key.Key_X)
    qtbot.waitUntil(lambda: layer.name == "small IPF-X")
    assert dock.buttons["X"].isChecked()


def test_a_renamed_layer_keeps_its_name_and_stays_the_map(viewer, dock, small_map, qtbot):
    layer = show(viewer, small_map)
    layer.name = "my alloy"
    assert dock.picker.currentText() == "my alloy"
    click(qtbot, dock.buttons["X"])
    assert layer.name == "my alloy"
    assert len(viewer.layers) == 1
    layer.name = "my alloy IPF-X"
    click(qtbot, dock.buttons["Y"])
    assert layer.name == "my alloy IPF-Y"


def test_maps_of_one_name_are_told_apart(viewer, dock, small_map, qtbot):
    import dataclasses

    show(viewer, small_map)
    second = show(viewer, dataclasses.replace(small_map))
    assert second.name == "small IPF-Z [1]"  # the number is napari's
    assert dock.picker.currentText() == "small [1]"
    click(qtbot, dock.buttons["X"])
    assert second.name == "small IPF-X [1]"
    assert [dock.picker.itemText(i) for i in range(2)] == ["small", "small [1]"]


def test_one_key_for_each_phase_that_occurs(viewer, dock, small_map):
    show(viewer, small_map)
    assert [key.phase.name for key in dock.map_keys.phases] == ["Ni", "Ti"]
    small_map.phase_id[small_map.phase_id == 1] = -1
    viewer.layers.clear()
    show(viewer, small_map)
    assert [key.phase.name for key in dock.map_keys.phases] == ["Ni"]


def test_opacity_works_both_ways(viewer, dock, small_map):
    layer = show(viewer, small_map)
    dock.opacity.setValue(30)
    assert layer.opacity == pytest.approx(0.3)
    layer.opacity = 0.75
    assert dock.opacity.value() == 75
    assert dock.percent.text() == "75 %"


def test_properties_become_layers_on_the_same_grid(viewer, dock, small_map, qtbot):
    ipf = show(viewer, small_map)
    click(qtbot, dock.checks["CI"])
    layer = viewer.layers["small CI"]
    assert_allclose(layer.data, small_map.properties["CI"], rtol=1e-6)
    assert_allclose(layer.scale, ipf.scale)
    assert layer.units == ipf.units
    assert layer.metadata["napari_orient"]["kind"] == "property"
    low, high = layer.contrast_limits
    assert 0 < low < high < 0.9  # -1 of points that are not indexed does not count
    click(qtbot, dock.checks["CI"])
    assert not layer.visible
    layer.visible = True
    assert dock.checks["CI"].isChecked()
    viewer.layers.remove(layer)
    assert not dock.checks["CI"].isChecked()
    assert dock.buttons["Z"].isEnabled()


def test_phase_layer_has_the_colours_of_the_keys(viewer, dock, small_map, qtbot):
    show(viewer, small_map)
    click(qtbot, dock.checks["phase"])
    layer = viewer.layers["small phase"]
    drawn = layer.colormap.map(layer.data)
    for number, phase in small_map.phases.items():
        assert_allclose(drawn[small_map.phase_id == number][:, :3] - phase.color_rgb, 0, atol=0.01)
    assert_allclose(drawn[small_map.phase_id < 0][:, 3], 0)
    click(qtbot, dock.checks["grain"])
    assert viewer.layers["small grain"].data.min() == 1  # label 0 would be invisible


def test_a_deleted_layer_comes_back_with_a_direction(viewer, dock, small_map, qtbot):
    from napari_orient.crystal.colors import ipf_image

    layer = show(viewer, small_map)
    click(qtbot, dock.checks["CI"])
    viewer.layers.remove(layer)
    assert not dock.opacity.isEnabled()
    assert "deleted" in dock.caption.text()
    click(qtbot, dock.buttons["X"])
    assert_array_equal(viewer.layers["small IPF-X"].data, ipf_image(small_map, "X"))
    assert dock.opacity.isEnabled()
    viewer.layers.clear()
    assert dock.empty.isVisible()
    assert dock.session.orientation_map is None


def test_picker_goes_between_maps(viewer, dock, small_map, qtbot):
    import dataclasses

    show(viewer, small_map, "first")
    second = dataclasses.replace(small_map)
    show(viewer, second, "second")
    assert dock.picker.currentText() == "second"
    assert [dock.picker.itemText(i) for i in range(2)] == ["first", "second"]
    dock.picker.setCurrentIndex(0)
    dock.picker.activated.emit(0)
    assert dock.session.orientation_map is small_map
    click(qtbot, dock.buttons["X"])
    assert {layer.name for layer in viewer.layers} == {"first IPF-X", "second IPF-Z"}


def test_a_closed_dock_is_not_called(viewer, dock, small_map, qtbot):
    layer = show(viewer, small_map)
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
        dock.deleteLater()
    layer.opacity = 0.2
    layer.name = "renamed"
    viewer.layers.clear()
    show(viewer, small_map)


def test_marker_lies_on_the_colour_of_the_point(viewer, dock, small_map, qtbot):
    """The key pixel under the marker has the colour that the map has at the mouse."""
    layer = show(viewer, small_map)
    for direction in "XZ":
        click(qtbot, dock.buttons[direction])
        for at, number in (((1, 1), 0), ((1, 4), 1)):
            viewer.cursor.position = tuple(0.5 * i for i in at)
            view, other = dock.map_keys.phases[number].key, dock.map_keys.phases[1 - number].key
            assert not other.markers
            picture = view.grab().toImage()
            (view_marker,) = view.markers
            view.mark(None)
            picture = view.grab().toImage()
            ratio = picture.devicePixelRatio()
            colour = picture.pixelColor((view_marker * ratio).toPoint())
            assert_allclose(colour.getRgb()[:3], layer.data[at][:3], atol=12)


def test_labels_have_bars_and_stay_inside(viewer, qtbot):
    from functools import partial

    from napari_orient.crystal.colors import ColourScheme
    from napari_orient.crystal.legends import colour_legend
    from napari_orient.plugin.maps.legend import KeyView, _parts

    assert _parts("[2-1-10]") == [
        ("[", False), ("2", False), ("1", True), ("1", True), ("0", False), ("]", False),
    ]  # fmt: skip
    cases = [("tsl", g) for g in ("m-3m", "6/mmm", "-3m", "-1", "mmm")]
    for key, group in (*cases, ("narrow", "m-3m"), ("euler", "6/mmm")):
        view = KeyView(partial(colour_legend, group, ColourScheme(key=key)))
        qtbot.addWidget(view)
        for width in (view.minimumSizeHint().width(), 400):
            view.resize(width, view.heightForWidth(width))
            rect = view.key_rect()
            assert rect.left() >= 0
            assert rect.right() <= width
            assert rect.width() > 40
            assert not view.grab().isNull()


def test_a_key_that_jumps_says_so(qtbot):
    from napari_orient.crystal.phases import get_phase
    from napari_orient.plugin.maps.legend import PhaseKey

    trigonal, cubic = PhaseKey(get_phase("LiNiO2")), PhaseKey(get_phase("Ni"))
    for key in (trigonal, cubic):
        qtbot.addWidget(key)
    assert "jumps" in trigonal.note.text()
    assert not cubic.note.text()


def test_key_is_saved_as_a_picture(qtbot, tmp_path):
    from qtpy.QtGui import QImage

    from napari_orient.crystal.phases import get_phase
    from napari_orient.plugin.maps.legend import PhaseKey

    key = PhaseKey(get_phase("Ni"))
    qtbot.addWidget(key)
    key.save(tmp_path / "key.png")
    image = QImage(str(tmp_path / "key.png"))
    assert image.width() > 600
    assert image.hasAlphaChannel()


@pytest.mark.parametrize(
    ("file", "shape", "unit", "step"),
    [
        ("mg_twins/twins.ctf", (137, 167), "micrometer", 0.3),
        ("ti64/Ti64-200x200.ang", (200, 200), "micrometer", 0.4999),
        ("astar_acom/ACOM.ang", (15, 15), "nanometer", 2.0),
    ],
)
def test_real_maps(viewer, dock, shared_data, qtbot, file, shape, unit, step):
    from napari_orient.crystal.colors import ipf_image

    viewer.open(shared_data / file, plugin="napari-orient")
    (layer,) = viewer.layers
    assert layer.data.shape == (*shape, 4)
    assert [str(u) for u in layer.units] == [unit, unit]
    assert_allclose(layer.scale, step, rtol=1e-3)
    click(qtbot, dock.buttons["X"])
    assert_array_equal(layer.data, ipf_image(dock.session.orientation_map, "X"))
    names = list(dock.checks)
    for name in names:
        click(qtbot, dock.checks[name])
    assert len(viewer.layers) == 1 + len(names)
    assert f"{shape[0]} × {shape[1]} points" in dock.facts.text()


@pytest.mark.parametrize("width", [460, 430, 330, 280])
def test_nothing_is_cut_off_in_a_narrow_dock(viewer, small_map, open_dock, width, qtbot):
    """The dock does not scroll sideways; Index gives a map six properties with long names."""
    from dataclasses import replace

    from qtpy.QtCore import Qt

    names = ("Q", "R", "beam margin", "crystal margin", "share", "ambiguous")
    zeros = np.zeros(small_map.shape)
    show(viewer, replace(small_map, properties=dict.fromkeys(names, zeros)))
    dock = open_dock("Orientation map")
    qtbot.waitUntil(dock.isVisible)
    frame = dock.parent()
    viewer.window._qt_window.resizeDocks([frame], [width], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: abs(dock.width() - max(width, dock.minimumWidth())) <= 2)
    qtbot.waitUntil(lambda: dock.content.width() <= dock._scroll.viewport().width())
    for widget in (dock.percent, dock.here, *dock.checks.values()):
        right = widget.mapTo(dock, widget.rect().topRight()).x()
        assert right <= dock._scroll.viewport().width()
