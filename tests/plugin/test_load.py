"""The Load dock in a real window: facts, calibration, crop, bin, repair, undo, save."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QLabel

from napari_orient.crystal.colors import ipf_image
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.data.vendors.open import open_map
from napari_orient.plugin.layers import kind_of, record
from napari_orient.plugin.load.calibration_form import LINES, parse
from napari_orient.plugin.maps.layers import show_direction
from napari_orient.plugin.scan_layers import (
    bring_forward,
    describe_scan_layer,
    limits,
    merged,
)
from napari_orient.plugin.sessions import get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer, open_dock):
    return open_dock("Load")


@pytest.fixture
def layer(viewer, dock, idle, scan):
    """The navigator of the small scan, in a window with the Load dock."""
    data, meta, _ = describe_scan_layer(scan)
    layer = viewer.add_image(data, **meta)
    idle()
    return layer


def type_into(dock, name, text):
    edit = dock.calibration._edits[name]
    edit.setFocus()
    edit.selectAll()
    QTest.keyClick(edit, Qt.Key.Key_Delete)
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def source(dock, name):
    return dock.calibration.findChild(QLabel, f"{name} source").text()


def test_an_empty_window_says_what_to_do(dock):
    assert "Drop a file" in dock.facts.text()
    assert not dock.tabs.isVisible()


def test_every_control_has_a_tooltip(dock, layer):
    from qtpy.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSpinBox

    controls = [
        w for kind in (QAbstractButton, QComboBox, QSpinBox) for w in dock.findChildren(kind)
    ]
    edits = dock.findChildren(QLineEdit)
    controls += [w for w in edits if w.objectName() in Calibration.model_fields]
    of_qt = ("qt_", "ScrollLeft", "ScrollRight")
    ours = [w for w in controls if not w.objectName().startswith(of_qt)]
    assert len(ours) > 15
    bare = [f"{type(w).__name__} {w.objectName()}" for w in ours if not w.toolTip()]
    assert bare == []


def test_nothing_is_cut_off(viewer, dock, layer, qtbot):
    qtbot.wait(50)
    scroll = dock._scroll
    assert scroll.viewport().width() >= scroll.widget().minimumSizeHint().width()
    assert viewer.window._qt_window.width() <= 1400


def test_facts_of_a_scan(dock, layer):
    text = dock.facts.text()
    assert "6 × 8 positions" in text
    assert "32 × 24 px, uint16" in text
    assert "73.7 kB in memory" in text
    assert dock.list.count() == 1


def test_provenance_is_shown(dock, layer):
    said = {name: source(dock, name) for name in ("step", "centre", "camera_length", "rotation")}
    assert said == {
        "step": "file", "centre": "measured", "camera_length": "", "rotation": "default",
    }  # fmt: skip
    assert dock.calibration._edits["camera_length"].text() == ""
    assert dock.calibration._edits["camera_length"].placeholderText() == "not known"


def test_a_typed_step_reaches_the_session_and_the_scale(viewer, dock, layer):
    seen = []
    get_session(viewer).events.scan.connect(seen.append)
    virtual = viewer.add_image(
        np.zeros((6, 8)), scale=layer.scale, units=layer.units,
        metadata={"napari_orient": {"kind": "virtual"}},
    )  # fmt: skip
    viewer.layers.selection.active = layer
    type_into(dock, "step", "1.5 x 3")
    assert seen[-1].calibration.step == Quantity(value=(1.5, 3.0), unit="nm", source="typed")
    assert tuple(layer.scale) == (1.5, 3.0)
    assert tuple(virtual.scale) == (1.5, 3.0)
    assert source(dock, "step") == "typed"
    assert layer.metadata["scan"] is get_session(viewer).scan


def test_a_drawn_region_follows_a_typed_step(viewer, dock, layer, scan):
    region = viewer.add_shapes(
        [[[0, 0], [2, 3]]], scale=layer.scale, units=layer.units,
        metadata=record("region", source=scan.source),
    )  # fmt: skip
    viewer.layers.selection.active = layer
    type_into(dock, "step", "1.5")
    assert tuple(region.scale) == (1.5, 1.5)
    assert layer.metadata["scan"].calibration.step.number == 1.5
    bring_forward(viewer, layer)
    assert region.visible


def test_an_emptied_value_is_not_known(viewer, dock, layer):
    type_into(dock, "step", "")
    assert get_session(viewer).scan.calibration.step is None
    assert tuple(layer.scale) == (1.0, 1.0)
    assert [str(unit) for unit in layer.units] == ["pixel", "pixel"]


def test_a_wrong_value_is_refused_in_words(viewer, dock, layer, notes):
    type_into(dock, "voltage", "fast")
    type_into(dock, "voltage", "-5")
    assert get_session(viewer).scan.calibration.voltage.number == 200
    assert dock.calibration._edits["voltage"].text() == "200"
    assert ["'fast' is not a number" in notes[-2], "above 0" in notes[-1]] == [True, True]


def test_a_mirrored_pattern(viewer, dock, layer):
    dock.calibration.flip.click()
    assert get_session(viewer).scan.calibration.flip == Quantity(value=1.0, source="typed")


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2.0), ("2,5", 2.5), ("1.5 x 2", (1.5, 2.0)), ("1 × 1", 1.0), ("3 4", (3.0, 4.0)),
     ("1, 2", (1.0, 2.0)), ("  ", None)],
)  # fmt: skip
def test_ways_to_type_a_number(text, value):
    assert parse(text, LINES[0]) == value


def test_no_precession_is_not_an_unknown_one(viewer, dock, layer, notes):
    type_into(dock, "precession", "0")
    known = get_session(viewer).scan.calibration.precession
    assert known == Quantity(value=0.0, unit="deg", source="typed")
    type_into(dock, "convergence", "-1")
    assert "of at least 0 and below 100" in notes[-1]
    assert get_session(viewer).scan.calibration.convergence is None


@pytest.mark.parametrize("text", ["0", "1 2 3", "nan", "inf", "one"])
def test_what_is_no_scan_step(text):
    with pytest.raises(ValueError, match="Scan step"):
        parse(text, LINES[0])


def test_crop_by_numbers_and_undo(viewer, dock, layer, idle, scan):
    dock.tabs.setCurrentWidget(dock.crop)
    dock.crop.set_box((slice(1, 4), slice(2, 7)))
    QTest.mouseClick(dock.crop.crop, Qt.MouseButton.LeftButton)
    idle()
    session = get_session(viewer)
    np.testing.assert_array_equal(session.scan.read(), scan.data[1:4, 2:7])
    assert layer in viewer.layers
    assert layer.data.shape == (3, 5)
    assert layer.metadata["scan"] is session.scan
    QTest.mouseClick(dock.undo, Qt.MouseButton.LeftButton)
    idle()
    assert session.scan is scan
    assert layer.data.shape == (6, 8)
    assert not dock.undo.isEnabled()


def test_a_cropped_scan_and_its_region_stay_in_place(viewer, dock, layer, idle, scan):
    region = viewer.add_shapes(
        [[[2, 3], [4, 6]]], scale=layer.scale, units=layer.units,
        metadata=record("region", source=scan.source),
    )  # fmt: skip
    viewer.layers.selection.active = layer
    where, step = region.extent.world, np.array(scan.calibration.step.pair)
    dock._crop(slice(1, 5), slice(2, 7))
    idle()
    assert get_session(viewer).scan.origin == (1, 2)
    np.testing.assert_allclose(layer.translate, np.array([1, 2]) * step)
    np.testing.assert_allclose(region.data[0][0], [1, 1])
    np.testing.assert_allclose(region.extent.world, where)
    type_into(dock, "step", "4")
    np.testing.assert_allclose(layer.translate, [4, 8])
    dock._undo()
    idle()
    np.testing.assert_allclose(layer.translate, 0)
    np.testing.assert_allclose(region.data[0][0], [2, 3])


def test_crop_to_a_drawn_rectangle(viewer, dock, layer, idle, scan):
    QTest.mouseClick(dock.crop.draw, Qt.MouseButton.LeftButton)
    shapes = viewer.layers.selection.active
    assert kind_of(shapes) == "crop"
    assert str(shapes.mode) == "add_rectangle"
    shapes.add_rectangles(np.array([[0.6, 1.6], [0.6, 5.4], [3.4, 5.4], [3.4, 1.6]]))
    assert dock.crop.box == (slice(1, 4), slice(2, 6))
    dock.crop.crop.click()
    idle()
    assert get_session(viewer).scan.shape[:2] == (3, 4)
    assert shapes not in viewer.layers


def test_the_whole_or_nothing_cannot_be_cropped(dock, layer):
    assert not dock.crop.crop.isEnabled()
    dock.crop._spins["y0"].setValue(4)
    dock.crop._spins["y1"].setValue(2)
    assert not dock.crop.crop.isEnabled()
    assert "Nothing is left" in dock.crop._said.text()


def test_bin_on_the_fly(viewer, dock, layer, idle, scan):
    dock.tabs.setCurrentWidget(dock.bin)
    dock.bin.now.click()
    idle()
    binned = get_session(viewer).scan
    assert binned.pattern_shape == (16, 12)
    assert binned.read().sum() == scan.data.sum()
    assert binned.calibration.pixel_size.number == pytest.approx(0.1)
    assert "binned" in dock.facts.text()


def test_the_cost_of_a_copy_is_told_before(dock, layer, qtbot):
    dock.tabs.setCurrentWidget(dock.bin)
    qtbot.waitUntil(lambda: "on disk" in dock.bin._said.text(), timeout=10_000)
    assert "16 × 12 px" in dock.bin._said.text()


def test_bin_into_a_file(viewer, dock, layer, idle, tmp_path, monkeypatch):
    path = tmp_path / "binned.h5"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    dock.tabs.setCurrentWidget(dock.bin)
    dock.bin.copy.click()
    assert not dock.save.isEnabled()  # one job at a time
    idle()
    assert dock.save.isEnabled()
    scan = get_session(viewer).scan
    assert scan.source.startswith(str(path))
    assert scan.pattern_shape == (16, 12)


def test_hot_pixels_are_removed(viewer, dock, idle, scan):
    scan.data[:, :, 20, 6] = 5000
    data, meta, _ = describe_scan_layer(scan)
    viewer.add_image(data, **meta)
    idle()
    dock.repair.click()
    idle()
    repaired = get_session(viewer).scan
    assert repaired.read()[:, :, 20, 6].max() < 10
    assert "hot pixels" in repaired.history[-1]


def test_without_hot_pixels_nothing_changes(viewer, dock, layer, idle, notes, scan):
    dock.repair.click()
    idle()
    assert get_session(viewer).scan is scan
    assert any("No hot pixels" in said for said in notes)


def test_save_as(viewer, dock, layer, idle, tmp_path, monkeypatch, notes, scan):
    from napari_orient.data.formats import open_scan

    path = tmp_path / "saved.zspy"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    dock.save.click()
    idle()
    np.testing.assert_array_equal(open_scan(path).read(), scan.data)
    assert any("Saved saved.zspy" in said for said in notes)


def test_saving_where_nobody_may_write(dock, layer, idle, notes, tmp_path):
    dock.save_to(str(tmp_path / "nowhere" / "saved.h5"))
    idle()
    assert any("saved.h5" in said for said in notes)
    assert dock.save.isEnabled()


def test_open_file_remembers_the_folder(viewer, dock, idle, scan_file, monkeypatch):
    from napari.utils.history import get_open_history

    folders = []

    def choose(_parent, _title, folder, _kinds):
        folders.append(folder)
        return [str(scan_file)], ""

    monkeypatch.setattr(QFileDialog, "getOpenFileNames", choose)
    QTest.mouseClick(dock.open.file, Qt.MouseButton.LeftButton)
    idle()
    assert viewer.layers[0].metadata["scan"].shape == (6, 8, 32, 24)
    assert get_open_history()[0] == str(scan_file.parent)


def test_two_scans_and_a_map_one_click_apart(viewer, dock, layer, idle, scan):
    from napari_orient.plugin.scan_layers import describe_map_layer
    from napari_orient.samples import polycrystal_map

    second = Scan(scan.data[:3], name="second")
    for data, meta, _ in (
        describe_scan_layer(second), describe_map_layer(polycrystal_map((9, 9), 4), "grains"),
    ):  # fmt: skip
        viewer.add_image(data, **meta)
    idle()
    assert dock.list.count() == 3
    assert "Titanium" not in dock.facts.text()
    assert "Indexed" in dock.facts.text()
    assert not dock.tabs.isVisible()
    item = next(dock.list.item(i) for i in range(3) if dock.list.item(i).text().startswith("small"))
    place = dock.list.visualItemRect(item).center()
    QTest.mouseClick(dock.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
    assert get_session(viewer).scan is scan
    assert viewer.layers.selection.active is layer
    assert [x.visible for x in viewer.layers] == [True, False, False]


def test_a_scale_bar_without_a_unit_is_explained(viewer, dock, layer, idle, notes, scan):
    data, meta, _ = describe_scan_layer(Scan(scan.data, name="raw.mib"))
    raw = viewer.add_image(data, **meta)
    idle()
    assert any(said.startswith("raw.mib: no step is known") for said in notes)
    viewer.layers.selection.active = raw
    type_into(dock, "step", "2")
    assert viewer.layers.extent.units is not None


def test_a_map_is_saved_from_the_dock(viewer, dock, tmp_path, idle):
    from napari_orient.data.maps import load_map

    (layer,) = viewer.open_sample("napari-orient", "polycrystal")
    dock.save_to(str(tmp_path / "map.h5"))
    idle()
    assert load_map(tmp_path / "map.h5").shape == layer.data.shape[:2]


def test_other_axes_of_a_file_are_chosen(viewer, dock, shared_data, idle):
    path = shared_data / "mg_twins" / "twins.ctf"
    (layer,) = viewer.open(str(path), plugin="napari-orient")
    idle()
    before = layer.metadata["map"]
    show_direction(viewer, before, "X")  # all these axes share z: IPF-Z cannot tell them apart
    picture = layer.data
    assert (dock.frame.frame.currentData(), dock.frame.crystal.currentData()) == ("y up", "a*")
    dock.frame.frame.setFocus()
    QTest.keyClick(dock.frame.frame, Qt.Key.Key_Down)
    idle()
    changed = layer.metadata["map"]
    assert changed is get_session(viewer).orientation_map is not before
    wanted = open_map(path, "x down, y right")
    np.testing.assert_allclose(changed.quaternions, wanted.quaternions, atol=1e-12)
    np.testing.assert_array_equal(layer.data, ipf_image(changed, "X"))
    assert (layer.data != picture).any()
    assert "Chosen by the user" in dock.facts.text()
    assert dock.frame.isEnabled()


def test_the_users_contrast_is_kept(viewer, dock, idle, scan):
    data, meta, _ = describe_scan_layer(scan)
    layer = viewer.add_image(data, **meta)
    layer.contrast_limits = (10.0, 20.0)
    idle()
    np.testing.assert_allclose(layer.data, scan.data.sum(axis=(2, 3)))
    assert layer.contrast_limits == [10.0, 20.0]


def test_an_untouched_contrast_follows(layer):
    assert tuple(layer.contrast_limits) == pytest.approx(limits(layer.data))


def test_a_navigator_half_done_is_even():
    quick, exact = np.array([1.0, 2.0, 4.0]), np.array([30.0, 60.0, 0.0], np.float32)
    done = np.array([True, True, False])
    np.testing.assert_allclose(merged(exact, done, quick), [30, 60, 120])


def test_a_removed_layer_ends_its_navigator_and_the_scan(viewer, dock, layer):
    viewer.layers.remove(layer)
    assert get_session(viewer).scan is None
    assert "Nothing is open" in dock.facts.text()


def test_a_closed_dock_is_not_called_any_more(viewer, dock, layer, idle, scan):
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    QTest.qWait(20)
    get_session(viewer).scan = scan.replaced(name="other")
    viewer.layers.clear()
