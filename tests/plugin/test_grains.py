"""The Grains & texture dock in a real window, driven by mouse and keys; and the numbers behind."""

from __future__ import annotations

import csv
import dataclasses
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from map_examples import show, small_map
from numpy.testing import assert_allclose, assert_array_equal

from napari_orient.plugin.layers import KEY, kind_of

pytestmark = pytest.mark.gui

SHAPE = (32, 40)
GAP = 2.0  # s: drawing the layers for the first time on a core that others use takes one
__all__ = ["small_map"]


@pytest.fixture(scope="module")
def truth():
    """Grains of one orientation each; the map has a step of 0.5 um and a property CI."""
    from napari_orient.samples import polycrystal_map

    made = polycrystal_map(SHAPE, 30, "Ni", seed=5, step=0.5, unit="um")
    confidence = np.full(SHAPE, 0.5)
    confidence[:3] = 0.05
    return dataclasses.replace(made, properties={**made.properties, "CI": confidence})


@pytest.fixture(scope="module")
def grains(truth):
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.jobs import run

    return run(find_grains(truth))


@pytest.fixture
def viewer(viewer, monkeypatch):
    """A small window: it is drawn in software, and there are many of them.

    napari collects garbage at each layer that goes, which takes longer than what is tested here.
    """
    from napari._vispy import canvas

    monkeypatch.setattr(canvas, "gc", SimpleNamespace(collect=lambda: 0))
    viewer.window._qt_window.resize(1000, 660)
    return viewer


@pytest.fixture
def dock(viewer, open_dock, qtbot):
    widget = open_dock("Grains & texture")
    qtbot.waitUntil(widget.isVisible)
    return widget


@pytest.fixture
def found(viewer, dock, truth, qtbot):
    """The dock after Find grains was pressed for the map ``truth``."""
    show(viewer, truth, "nickel")
    press_find(dock, qtbot)
    return dock


def click(qtbot, widget):
    from qtpy.QtCore import Qt

    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def tick(qtbot, widget):
    """Click a check box where it is ticked; it may be wider than its words."""
    from qtpy.QtCore import QPoint, Qt

    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(8, widget.height() // 2))


def press_find(dock, qtbot):
    before = dock.found
    click(qtbot, dock.find_button)
    qtbot.waitUntil(lambda: dock.found is not None and dock.found is not before, timeout=20_000)
    settled(dock, qtbot)


def settled(dock, qtbot):
    """Wait until threads have answered everything, and the answers are shown."""
    qtbot.waitUntil(
        lambda: dock._colours.is_idle and dock._marks.is_idle and not dock.bar.is_running,
        timeout=10_000,
    )
    qtbot.wait(20)


def layer_of(viewer, kind):
    found = [layer for layer in viewer.layers if kind_of(layer) == kind]
    assert len(found) == 1, [layer.name for layer in viewer.layers]
    return found[0]


def click_map(viewer, qtbot, at, *, also=False):
    """Click a point (y, x) of the grains with the mouse, or with Ctrl."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    qtbot.wait(50)
    canvas = viewer.window._qt_viewer.canvas
    world = np.array(layer_of(viewer, "grains").data_to_world(at)[-2:])
    middle = np.array([canvas.native.height(), canvas.native.width()]) / 2
    camera = viewer.scene.camera
    y, x = middle + (world - np.array(camera.center[-2:])) * camera.zoom
    point = QPoint(round(x), round(y))
    keys = Qt.KeyboardModifier.ControlModifier if also else Qt.KeyboardModifier.NoModifier
    QTest.mouseMove(canvas.native, point + QPoint(2, 1))
    qtbot.wait(20)
    QTest.mouseMove(canvas.native, point)
    QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, keys, point)
    qtbot.wait(20)


def click_row(dock, qtbot, row, *, also=False):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    view = dock.table.view
    keys = Qt.KeyboardModifier.ControlModifier if also else Qt.KeyboardModifier.NoModifier
    place = view.visualRect(dock.table.model.index(row, 1)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, keys, place)
    settled(dock, qtbot)


def choose(box, text):
    """Choose an entry of a list as the user does."""
    box.setCurrentText(text)
    assert box.currentText() == text
    box.activated.emit(box.currentIndex())


def drawn(panel, qtbot):
    qtbot.waitUntil(lambda: panel.drawing is not None and panel.picture.pixmap() is not None)
    return panel.drawing


# --- finding -------------------------------------------------------------------------------------


def test_grains_become_labels_with_their_table_and_lines(viewer, found, truth, grains, qtbot):
    layer = layer_of(viewer, "grains")
    assert_array_equal(layer.data, grains.labels)
    there, number = layer.data > 0, truth.properties["grain"]
    large = np.flatnonzero(np.bincount(number.ravel()) >= 10)
    assert_array_equal(there, np.isin(number, large))
    assert len(grains) == len(large)
    assert len(np.unique(np.stack([layer.data[there], number[there]]), axis=1).T) == len(large)
    assert_allclose(layer.scale, (0.5, 0.5))
    assert str(layer.units[0]) == "micrometer"
    assert not layer.editable
    assert layer.metadata["map"] is truth
    assert layer.metadata[KEY]["config"]["settings"]["threshold"] == 5.0
    assert_array_equal(layer.features["index"], grains.table["id"])
    assert_allclose(layer.features["Diameter (µm)"], grains.table["diameter"])
    where = layer.data_to_world((12, 16))
    assert f"Id: {grains.labels[12, 16]}" in layer.get_status(where, world=True)["value"]
    _statistics_say_what_they_are_over(found, grains)
    _lines_lie_between_points_of_two_grains(viewer, found, grains, qtbot)


def _statistics_say_what_they_are_over(found, grains):
    said = found.statistics.text()
    edge = int(grains.table["edge"].sum())
    assert f"{len(grains)} grains, {len(grains) - edge} counted" in said
    mean = grains.table["diameter"][grains.counted].mean()
    assert f"Mean diameter {mean:.3g}" in said
    assert "µm" in said
    assert f"{edge} of {len(grains)} grains are cut by the edge" in said
    assert not found.settings.isVisible()  # folded, for the table


def _lines_lie_between_points_of_two_grains(viewer, found, grains, qtbot):
    lines = layer_of(viewer, "grain boundaries")
    assert_allclose(lines.scale, (0.25, 0.25))
    labels = grains.labels
    assert_array_equal(lines.data[1::2, ::2], labels[1:] != labels[:-1])
    assert_array_equal(lines.data[::2, 1::2], labels[:, 1:] != labels[:, :-1])
    assert not lines.data[::2, ::2].any()
    tick(qtbot, found.colour.boundaries)
    assert not lines.visible


def test_settings_change_the_result_and_are_kept_in_files(
    viewer, found, truth, small_map, tmp_path, qtbot
):
    before = len(found.grains)
    click(qtbot, found.fold)
    found.form.smallest.setValue(60)
    assert "settings have changed" in found.said.text()
    press_find(found, qtbot)
    assert 0 < len(found.grains) < before
    assert found.grains.table["size"].min() >= 60
    assert not found.said.text()
    path = tmp_path / "grains.yaml"
    found.files.store_to(str(path))
    found.form.smallest.setValue(3)
    found.files.load_from(str(path))
    assert found.form.smallest.value() == 60
    assert len([x for x in viewer.layers if kind_of(x) == "grains"]) == 1
    _lines_stay_over_pictures_of_their_map_alone(viewer, truth, small_map)


def test_confidence_is_proposed_not_taken(found, truth, qtbot):
    from napari_orient.analysis.grains.config import GrainConfig

    assert found.grains.config == GrainConfig()
    click(qtbot, found.fold)
    proposed = found.form.limits.propose
    assert proposed.isVisible()
    assert proposed.text() == "CI ≥ 0.1"
    assert "9.4%" in proposed.toolTip()  # 3 of 32 rows
    click(qtbot, proposed)
    assert found.form.config.least == {"CI": 0.1}
    press_find(found, qtbot)
    assert not found.grains.labels[:3].any()
    click(qtbot, found.fold)
    click(qtbot, found.form.limits.rows[0].away)
    assert found.form.config.least == {}
    _a_law_of_another_crystal_is_refused_in_words(found, qtbot)


def test_twins_of_the_crystal_are_offered(viewer, dock, qtbot):
    from napari_orient.crystal.phases import get_phase
    from napari_orient.crystal.rotations import from_axis_angle
    from napari_orient.data.maps import OrientationMap

    q = np.tile([1.0, 0, 0, 0], (12, 18, 1))
    q[:, 6:12] = from_axis_angle(np.array([1.0, 1, 1]) / np.sqrt(3), 60.0)
    show(viewer, OrientationMap(q, {0: get_phase("Ni")}), "twin")
    press_find(dock, qtbot)
    assert len(dock.grains) == 3
    click(qtbot, dock.fold)
    actions = dock.form.laws.menu().actions()
    assert [action.data() for action in actions] == ["sigma 3"]
    assert "60.0°" in actions[0].text()
    actions[0].trigger()
    assert dock.form.twins.text() == "sigma 3"
    press_find(dock, qtbot)
    assert len(dock.grains) == 1
    assert list(dock.grains.table["parts"]) == [3]


def _a_law_of_another_crystal_is_refused_in_words(found, qtbot):
    found.form.twins.setText("{10-12}")
    found.form.twins.editingFinished.emit()
    click(qtbot, found.find_button)
    qtbot.waitUntil(lambda: "{10-12}" in found.said.text() and not found.bar.is_running)
    assert found.grains is not None  # those before


def test_nothing_indexed_and_a_single_grain_are_said(viewer, dock, truth, qtbot):
    empty = dataclasses.replace(truth, phase_id=np.full(SHAPE, -1))
    show(viewer, empty, "empty")
    press_find(dock, qtbot)
    assert "No grains" in dock.statistics.text()
    assert dock.table.model.rowCount() == 0
    dock.tabs.setCurrentIndex(2)
    qtbot.waitUntil(lambda: "no grains" in dock.plots.figure.said.text().lower())
    dock.tabs.setCurrentIndex(3)
    assert "Nothing is indexed" in dock.texture.figure.said.text()
    _plots_of_a_single_grain_say_why_they_are_empty(viewer, dock, truth, qtbot)


# --- which grain ---------------------------------------------------------------------------------


def _a_drag_selects_nothing(viewer, found, qtbot):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    canvas = viewer.window._qt_viewer.canvas.native
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(canvas, start + QPoint(8 * step, 0))
        qtbot.wait(15)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(40, 0))
    qtbot.wait(20)
    assert found.table.selected == []


def test_a_click_on_the_map_selects_the_row_and_a_drag_does_not(viewer, found, grains, qtbot):
    _a_drag_selects_nothing(viewer, found, qtbot)
    click_map(viewer, qtbot, (12, 16))
    settled(found, qtbot)
    first = int(grains.labels[12, 16])
    assert found.table.selected == [first]
    row = found.table.model.rows_of([first])[0]
    seen = found.table.view.visualRect(found.table.model.index(row, 0))
    assert found.table.view.viewport().rect().intersects(seen)
    outline = layer_of(viewer, "chosen grains")
    assert_array_equal(outline.data, grains.labels == first)
    second = int(grains.labels[3, 3])
    click_map(viewer, qtbot, (3, 3), also=True)
    settled(found, qtbot)
    assert sorted(found.table.selected) == sorted([first, second])
    assert_array_equal(outline.data, np.isin(grains.labels, [first, second]))
    click_map(viewer, qtbot, (12, 16))
    settled(found, qtbot)
    assert found.table.selected == [first]


def test_a_click_on_a_row_shows_the_grain(viewer, found, grains, qtbot):
    viewer.scene.camera.zoom *= 6
    click_row(found, qtbot, 4)
    assert found.table.selected == [5]
    assert_array_equal(layer_of(viewer, "chosen grains").data, grains.labels == 5)
    y, x = viewer.scene.camera.center[-2:]
    assert grains.labels[round(y / 0.5), round(x / 0.5)] == 5
    assert_allclose([y, x], [grains.table["y"][4], grains.table["x"][4]], atol=0.5)
    click_row(found, qtbot, 1, also=True)
    assert sorted(found.table.selected) == [2, 5]
    y, x = viewer.scene.camera.center[-2:]
    assert grains.labels[round(y / 0.5), round(x / 0.5)] == 2
    assert viewer.layers.selection.active is layer_of(viewer, "grains")


def test_the_table_sorts_filters_and_copies(viewer, found, grains, tmp_path, qtbot):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    click_row(found, qtbot, 2)
    chosen = found.table.selected
    model, header = found.table.model, found.table.view.horizontalHeader()
    column = next(i for i, c in enumerate(model.columns) if c.name == "diameter")
    assert model.headerData(column, Qt.Orientation.Horizontal) == "Diameter (µm)"
    for _ in range(2):  # up, then down
        at = header.sectionViewportPosition(column) + header.sectionSize(column) // 2
        pos = header.rect().center()
        pos.setX(at)
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=pos)
    order = np.argsort(-grains.table["diameter"], kind="stable")
    assert_array_equal(model.rows, order)
    assert found.table.selected == chosen
    tick(qtbot, found.table.counted)
    assert model.rowCount() == int(grains.counted.sum())
    assert_array_equal(model.rows, [i for i in order if grains.counted[i]])
    found.table.smallest.setValue(60)
    keep = grains.counted & (grains.table["size"] >= 60)
    assert model.rowCount() == int(keep.sum())
    settled(found, qtbot)
    colours = layer_of(viewer, "grains").colormap.map(np.arange(1, len(grains) + 1))
    assert_array_equal(colours[:, 3] == 1, keep)  # the others are pale
    found.table.view.clearSelection()
    found.table.copy()
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[0] == "Id"
    assert [int(line.split("\t")[0]) - 1 for line in lines[1:]] == list(model.rows)
    path = tmp_path / "grains.csv"
    found.save(str(path))
    qtbot.waitUntil(lambda: path.exists() and not found.save_bar.is_running)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert_allclose([float(row["diameter (µm)"]) for row in rows], grains.table["diameter"])


def test_ten_thousand_rows_are_no_matter(qapp, grains):
    from napari_orient.plugin.grains.table import GrainModel

    count = 10_000
    table = {name: np.resize(values, count) for name, values in grains.table.items()}
    table["id"] = np.arange(1, count + 1)
    many = dataclasses.replace(
        grains, table=table, means=np.resize(grains.means, (count, 4)),
        counted=np.ones(count, bool),
    )  # fmt: skip
    model = GrainModel()
    model.set_grains(many)
    start = time.perf_counter()
    for column in range(model.columnCount()):
        model.sort(column)
        assert model.rowCount() == count
    assert time.perf_counter() - start < 2.0
    diameter = next(i for i, c in enumerate(model.columns) if c.name == "diameter")
    model.sort(diameter)
    assert (np.diff(table["diameter"][model.rows]) >= 0).all()


# --- colours -------------------------------------------------------------------------------------


def test_colours_follow_a_column(viewer, found, grains, qtbot):
    from napari.utils.colormaps import ensure_colormap

    choose(found.colour.box, "Diameter (µm)")
    settled(found, qtbot)
    layer = layer_of(viewer, "grains")
    low, high = found.colour.limits
    share = np.clip((grains.table["diameter"] - low) / (high - low), 0, 1)
    exact = ensure_colormap("viridis").map(share.astype(np.float32))
    assert_allclose(layer.colormap.map(grains.table["id"]), exact, atol=0.02)
    assert layer.metadata[KEY]["config"]["colours"]["by"] == "diameter"
    assert found.colour.scale.isVisible()
    found.colour.high.setValue(low + (high - low) / 2)
    settled(found, qtbot)
    half = np.clip(2 * share, 0, 1).astype(np.float32)
    assert_allclose(
        layer.colormap.map(grains.table["id"]), ensure_colormap("viridis").map(half), atol=0.03
    )
    choose(found.colour.box, "at random")
    assert not found.colour.scale.isVisible()


def test_colours_of_the_mean_orientation_are_those_of_the_map(viewer, found, truth, qtbot):
    from napari_orient.crystal.colors import ipf_image

    choose(found.colour.box, "IPF-Z of the mean")
    settled(found, qtbot)
    layer = layer_of(viewer, "grains")
    exact = ipf_image(truth, "Z")[..., :3] / 255
    there = layer.data > 0
    assert_allclose(layer.colormap.map(layer.data)[there, :3], exact[there], atol=0.01)
    _what_lies_below_is_seen_where_it_should(viewer, found, qtbot)


def _what_lies_below_is_seen_where_it_should(viewer, found, qtbot):
    picture = viewer.layers["nickel IPF-Z"]
    assert not picture.visible  # it would shine through where there is no grain
    choose(found.colour.box, "boundaries only")
    settled(found, qtbot)
    assert picture.visible
    assert not layer_of(viewer, "grains").colormap.map(np.array([1, 2]))[:, 3].any()


# --- maps ----------------------------------------------------------------------------------------


def show_map(dock, qtbot, kind):
    choose(dock.maps.box, kind)
    click(qtbot, dock.maps.show_button)
    qtbot.waitUntil(lambda: not dock.maps.bar.is_running and bool(dock.maps.said.text()))
    qtbot.wait(20)


def test_maps_of_numbers(viewer, found, grains, truth, qtbot):
    from napari_orient.analysis.slip import schmid_map, slip_family

    found.tabs.setCurrentIndex(1)
    found.maps.order.setValue(2)
    show_map(found, qtbot, "KAM")
    layer = layer_of(viewer, "grain map")
    assert layer.name == "nickel KAM, order 2 (°)"
    assert layer.colorbar.visible
    assert_allclose(layer.data, 0, atol=1e-4)
    show_map(found, qtbot, "Schmid factor")
    assert not layer.visible
    layer = viewer.layers["nickel Schmid factor {111}<1-10> ∥ X"]
    exact, _ = schmid_map(truth, {0: slip_family("{111}<1-10>", truth.phases[0])}, "x")
    assert_allclose(layer.data, exact, atol=1e-6)
    assert layer.contrast_limits == [0.0, 0.5]
    show_map(found, qtbot, "GROD")
    assert_allclose(viewer.layers["nickel GROD (°)"].data[grains.labels > 0], 0, atol=1e-4)
    count = len(viewer.layers)
    show_map(found, qtbot, "GROD")
    assert len(viewer.layers) == count
    choose(found.maps.load, "other")
    found.maps.vector.setText("0 0 0")
    show_map(found, qtbot, "Schmid factor")
    assert "no direction" in found.maps.said.text()


def test_boundaries_have_a_legend_with_shares(viewer, found, grains, truth, tmp_path, qtbot):
    found.tabs.setCurrentIndex(1)
    show_map(found, qtbot, "Boundary classes")
    layer = layer_of(viewer, "boundary classes")
    key = found.maps.key
    assert [tick.text() for tick in key.ticks.values()] == [
        "low-angle, 2–15°", "other high-angle, > 15°", "sigma 3", "sigma 5", "sigma 9",
    ]  # fmt: skip
    shares = layer.metadata[KEY]["config"]["shares"]
    assert sum(shares.values()) == pytest.approx(1)
    between = 0
    for labels in (grains.labels, grains.labels.T):  # those of points without a grain do not count
        both = (labels[1:] > 0) & (labels[:-1] > 0)
        between += int((both & (labels[1:] != labels[:-1])).sum())
    assert found.maps.found.boundaries.extents().sum() == pytest.approx(0.5 * between)
    found.maps.save(str(tmp_path / "classes.csv"))
    lines = (tmp_path / "classes.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))[1:]
    assert [row[0] for row in rows] == [tick.text() for tick in key.ticks.values()]
    saved = [float(row[2]) for row in rows]
    assert saved == pytest.approx([v for name, v in shares.items() if name != "between phases"])
    assert not layer_of(viewer, "grain boundaries").visible  # they would hide the colours
    high = next(n for n, tick in key.ticks.items() if "high" in tick.text())
    black = layer.colormap.map(np.array([high]))[0]
    tick(qtbot, key.ticks[high])
    assert not np.allclose(layer.colormap.map(np.array([high]))[0], black)
    assert_allclose(layer.colormap.map(np.array([0]))[0], 1)  # white between the lines
    tick(qtbot, found.maps.ground)
    assert layer.colormap.map(np.array([0]))[0, 3] == 0
    assert viewer.layers["nickel IPF-Z"].visible


# --- plots and texture ---------------------------------------------------------------------------


def test_plots_are_drawn_and_saved(found, grains, tmp_path, qtbot):
    from napari_orient.analysis.distributions import size_distribution

    found.tabs.setCurrentIndex(2)
    drawing = drawn(found.plots.figure, qtbot)
    exact = size_distribution(grains)
    assert drawing.distribution.facts == exact.facts
    assert_array_equal(drawing.distribution.columns["number"], exact.columns["number"])
    for ending in ("svg", "csv"):
        found.plots.figure.save(str(tmp_path / f"size.{ending}"))
        assert (tmp_path / f"size.{ending}").stat().st_size > 100
    assert "nickel" in (tmp_path / "size.csv").read_text(encoding="utf-8")
    choose(found.plots.weight, "by area")
    assert drawn(found.plots.figure, qtbot).weighted
    names = [found.plots.box.itemText(i) for i in range(found.plots.box.count())]
    for name in names[1:]:
        choose(found.plots.box, name)
        assert drawn(found.plots.figure, qtbot).distribution is not drawing.distribution
    assert not found.plots.weight.isVisible()  # traces are weighted by length
    assert not found.plots.figure.said.text()


def test_texture_of_points_and_of_grains(found, grains, truth, tmp_path, qtbot):
    from napari_orient.analysis.texture.odf import compute_odf
    from napari_orient.jobs import run

    found.tabs.setCurrentIndex(3)
    texture = found.texture
    drawing = drawn(texture.figure, qtbot)
    exact = run(compute_odf(truth.quaternions[truth.indexed], truth.phases[0], halfwidth=10))
    assert drawing.odf.texture_index == pytest.approx(exact.texture_index)
    assert f"Texture index {exact.texture_index:.2f}" in texture.about.text()
    assert drawing.sheet.poles == ("{001}", "{011}", "{111}")
    choose(texture.weight, "each grain once")
    texture.halfwidth.setValue(25)
    once = drawn(texture.figure, qtbot)
    exact = run(compute_odf(grains.means, truth.phases[0], halfwidth=25))
    assert once.odf.texture_index == pytest.approx(exact.texture_index)
    assert once.odf.count == len(grains)
    texture.figure.save(str(tmp_path / "poles.csv"))
    assert "{111} (mrd)" in (tmp_path / "poles.csv").read_text(encoding="utf-8")
    for kind in ("Inverse pole figures", "ODF sections"):
        choose(texture.box, kind)
        assert drawn(texture.figure, qtbot).odf is once.odf  # it is not computed again
    texture.angles.setText("0 400")
    texture.angles.editingFinished.emit()
    qtbot.waitUntil(lambda: "0 to 360 degrees" in texture.figure.said.text())


def test_indices_are_split():
    from napari_orient.plugin.grains.texture_panel import split_indices

    found = split_indices("{111} <110>; 200, (1 0 -1 0)")
    assert found == ("{111}", "<110>", "{200}", "(1 0 -1 0)")


def test_indices_are_typed_and_components_have_their_shares(found, truth, tmp_path, qtbot):
    found.tabs.setCurrentIndex(3)
    texture = found.texture
    texture.indices.selectAll()
    qtbot.keyClicks(texture.indices, "{113} <110>")
    texture.indices.editingFinished.emit()
    assert drawn(texture.figure, qtbot).sheet.poles == ("{113}", "<110>")
    texture.indices.setText("{10-10}")
    texture.indices.editingFinished.emit()
    qtbot.waitUntil(lambda: "hexagonal" in texture.figure.said.text())
    assert not texture.figure.save_button.isEnabled()
    _components_have_their_shares(found, truth, tmp_path, qtbot)


def _components_have_their_shares(found, truth, tmp_path, qtbot):
    from napari_orient.analysis.texture.components import component_shares

    found.tabs.setCurrentIndex(3)
    choose(found.texture.box, "Components")
    table = found.texture.table
    exact = component_shares(truth.quaternions[truth.indexed], truth.phases[0])
    qtbot.waitUntil(lambda: len(table.shares) == len(exact))
    assert [share.fraction for share in table.shares] == [share.fraction for share in exact]
    assert table.table.item(0, 2).text() == f"{100 * exact[0].fraction:.1f}"
    table.save(str(tmp_path / "components.csv"))
    rows = (tmp_path / "components.csv").read_text(encoding="utf-8").splitlines()
    assert float(rows[2].split(",")[2]) == exact[0].fraction


# --- what comes and goes -------------------------------------------------------------------------


def test_grains_of_each_map_are_kept(viewer, found, truth, qtbot):
    first = found.grains
    other = dataclasses.replace(truth, quaternions=truth.quaternions[::-1].copy(), source="other")
    show(viewer, other, "other")
    row = next(i for i, one in enumerate(found.picker.maps) if one is other)
    found.picker.setCurrentIndex(row + 1)
    found.picker.activated.emit(row + 1)
    assert found.grains is None
    assert not found.table.isVisible()
    press_find(found, qtbot)
    assert len([x for x in viewer.layers if kind_of(x) == "grains"]) == 2
    found.picker.choose(truth)
    assert found.grains is first
    viewer.layers.clear()
    assert found.grains is None
    assert not found.find_button.isEnabled()
    assert "Open a map" in found.said.text()


def test_layers_that_go_and_maps_that_are_replaced(viewer, found, truth, qtbot):
    grains = found.grains
    found.choose([3])
    settled(found, qtbot)
    viewer.layers.remove(layer_of(viewer, "grains"))
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)  # its lines and outline go along
    assert found.grains is grains
    choose(found.colour.box, "GOS (°)")
    settled(found, qtbot)
    assert_array_equal(layer_of(viewer, "grains").data, grains.labels)
    picture = viewer.layers["nickel IPF-Z"]
    again = dataclasses.replace(truth)
    viewer.layers.remove(layer_of(viewer, "grains"))
    picture.metadata = {**picture.metadata, "map": again}
    assert found.picker.chosen is again
    assert found.grains is None
    press_find(found, qtbot)
    assert layer_of(viewer, "grains").metadata["map"] is again


def test_a_session_brings_the_grains_back(viewer, found, tmp_path, qtbot):
    from napari_orient.data.desk.file import open_desk, save_desk
    from napari_orient.jobs import run
    from napari_orient.plugin.desk.session import clear_desk, keep_desk, lay_out

    choose(found.colour.box, "Diameter (µm)")
    settled(found, qtbot)
    before = layer_of(viewer, "grains")
    state, notes = keep_desk(viewer)
    assert not notes
    path = run(save_desk(state, tmp_path / "desk.h5", embed=True)).path
    clear_desk(viewer)
    assert lay_out(viewer, run(open_desk(path))) == []
    layer = layer_of(viewer, "grains")
    ids = np.asarray(before.features["index"])
    assert_allclose(layer.colormap.map(ids), before.colormap.map(ids), atol=1e-6)
    assert_array_equal(layer.data, before.data)
    dock = viewer.window.dock_widgets["Grains & texture (napari-orient)"]
    assert dock.picker.chosen is layer.metadata["map"]
    press_find(dock, qtbot)
    assert layer_of(viewer, "grains") is layer
    layer_of(viewer, "grain boundaries")


def test_a_map_closed_meanwhile_leaves_nothing(viewer, dock, truth, qtbot, idle):
    layer = show(viewer, truth, "nickel")
    click(qtbot, dock.find_button)
    viewer.layers.remove(layer)
    idle()
    qtbot.wait(20)
    assert dock.grains is None
    assert not len(viewer.layers)


def test_a_closed_dock_ends(viewer, found, qtbot, idle):
    names = {"orient-grain-colours", "orient-grain-marks"}
    assert names <= {thread.name for thread in threading.enumerate()}
    viewer.window.remove_dock_widget(found)
    qtbot.waitUntil(lambda: not names & {thread.name for thread in threading.enumerate()})
    viewer.layers.clear()  # nobody listens any more


def test_nothing_is_cut_off_at_the_least_width(found, qtbot):
    inner, frame = found._scroll.widget(), found._scroll
    room = found.minimumWidth() - frame.verticalScrollBar().sizeHint().width()
    click(qtbot, found.fold)
    choose(found.colour.box, "Diameter (µm)")
    found.tabs.setCurrentIndex(1)
    show_map(found, qtbot, "Boundary classes")
    for page in range(found.tabs.count()):
        found.tabs.setCurrentIndex(page)
        qtbot.wait(20)
        assert inner.minimumSizeHint().width() <= room


def test_the_window_lives_while_grains_are_found(viewer, dock, truth, monkeypatch, qtbot):
    from qtpy.QtCore import QTimer

    from napari_orient.analysis.grains import find

    threads, quick = set(), find.connected_parts

    def slowly(*args, **settings):
        threads.add(threading.current_thread())
        time.sleep(1.0)
        return (yield from quick(*args, **settings))

    monkeypatch.setattr(find, "connected_parts", slowly)
    show(viewer, truth, "nickel")
    qtbot.wait(300)
    beats = []
    timer = QTimer()
    timer.setInterval(2)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start()
    press_find(dock, qtbot)
    timer.stop()
    assert threads
    assert threading.main_thread() not in threads
    assert np.diff(beats).max() < GAP


# --- phases and volumes --------------------------------------------------------------------------


def test_two_phases(viewer, dock, small_map, qtbot):
    assert dock.parent().windowTitle() == "Grains && texture"  # Qt shows one &
    show(viewer, small_map, "two")
    dock.form.smallest.setValue(1)
    press_find(dock, qtbot)
    names = {dock.table.model.columns[i].name for i in range(dock.table.model.columnCount())}
    assert "phase" in names
    choose(dock.colour.box, "phase")
    settled(dock, qtbot)
    table = dock.grains.table
    colours = layer_of(viewer, "grains").colormap.map(table["id"])[:, :3]
    exact = [small_map.phases[int(n)].color_rgb for n in table["phase"]]
    assert_allclose(colours, exact, atol=0.01)
    dock.tabs.setCurrentIndex(3)
    assert dock.texture.phase.isVisible()
    choose(dock.texture.phase, dock.texture.phase.itemText(1))
    assert dock.texture.indices.text() in ("{0001} {10-10} {11-20}", "{001} {011} {111}")


def test_volumes(viewer, dock, qtbot):
    from napari_orient.crystal.phases import get_phase
    from napari_orient.crystal.quaternions import random_orientations
    from napari_orient.data.maps import OrientationMap

    places = np.indices((8, 10, 12))
    blocks = places[0] // 4 * 4 + places[1] // 5 * 2 + places[2] // 6
    volume = OrientationMap(
        random_orientations(8, 3)[blocks], {0: get_phase("Ni")}, step=(0.5, 0.5, 0.5), unit="um"
    )
    show(viewer, volume, "blocks")
    dock.form.edge.setChecked(True)
    press_find(dock, qtbot)
    assert_array_equal(np.sort(dock.grains.table["size"]), [120] * 8)
    diameter = 2 * np.cbrt(0.75 * 120 * 0.125 / np.pi)
    assert f"Mean diameter {diameter:.3g}" in dock.statistics.text()
    assert "by volume" in dock.statistics.text()
    lines = layer_of(viewer, "grain boundaries")
    assert lines.data.shape == (8, 19, 23)
    row = dock.table.model.rows_of([8])[0]
    click_row(dock, qtbot, row)
    section = int(viewer.dims.current_step[0])
    assert (dock.grains.labels[section] == 8).any()
    dock.tabs.setCurrentIndex(2)
    assert drawn(dock.plots.figure, qtbot).distribution.measure == "equivalent sphere diameter"
    assert dock.plots.box.findText("Trace directions") < 0
    dock.tabs.setCurrentIndex(1)
    show_map(dock, qtbot, "Boundary classes")
    assert layer_of(viewer, "boundary classes").data.shape == (8, 19, 23)


# --- comparing, and figures ----------------------------------------------------------------------


def test_two_materials_are_compared(viewer, dock, truth, tmp_path, qtbot):
    from qtpy.QtWidgets import QApplication

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.jobs import run
    from napari_orient.samples import polycrystal_map

    fine = polycrystal_map((80, 80), 120, "Ni", seed=1, step=0.5)
    coarse = polycrystal_map((80, 100), 55, "Ni", seed=2, step=0.5)
    for one, name in ((fine, "fine"), (coarse, "coarse")):
        show(viewer, one, name)
    page = dock.compare
    dock.picker.choose(fine)
    dock.tabs.setCurrentWidget(page)
    page.picker.choose(fine)
    assert not page.compare_button.isEnabled()
    page.picker.choose(coarse)
    click(qtbot, page.compare_button)
    qtbot.waitUntil(lambda: page.found is not None, timeout=20_000)
    middle = dataclasses.replace(
        coarse, quaternions=coarse.quaternions[:, 10:90], phase_id=coarse.phase_id[:, 10:90],
        done=coarse.done[:, 10:90], properties={},
    )  # fmt: skip
    both = [run(find_grains(one, GrainConfig())) for one in (fine, middle)]
    mean = [one.table["diameter"][one.counted].mean() for one in both]
    cells = [page.table.item(0, column).text() for column in range(7)]
    assert cells[:4] == ["Grain size", "differs", f"{mean[0]:.3g}", f"{mean[1]:.3g}"]
    low, high = (float(part) for part in cells[4].split(" to "))
    assert low < mean[1] / mean[0] < high
    assert "differ in grain size" in page.said.text()
    assert "The other map is cropped to 40 x 40" in page.said.text()
    page.save(str(tmp_path / "both.csv"))
    lines = (tmp_path / "both.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["# reference: fine", "# other: coarse"]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert float(rows[0]["other"]) == pytest.approx(mean[1])
    assert [row["verdict"] for row in rows[:2]] == ["differs", "not told apart"]
    page.copy()
    copied = QApplication.clipboard().text().splitlines()
    assert copied[-len(rows)].split("\t")[0] == "grain size"
    viewer.layers.remove("coarse IPF-Z")
    assert page.found is None
    assert page.table.rowCount() == 0
    _what_cannot_be_compared_is_said(viewer, dock, truth, qtbot)


def _what_cannot_be_compared_is_said(viewer, dock, truth, qtbot):
    from napari_orient.samples import polycrystal_map

    show(viewer, truth, "nickel")
    few = polycrystal_map((20, 20), 6, "Ni", seed=1, step=0.5)
    show(viewer, few, "few")
    dock.picker.choose(truth)
    dock.tabs.setCurrentWidget(dock.compare)
    dock.compare.picker.choose(few)
    click(qtbot, dock.compare.compare_button)
    qtbot.waitUntil(lambda: bool(dock.compare.said.text()), timeout=10_000)
    assert "fewer than 10" in dock.compare.said.text()
    assert "The reference is cropped" in dock.compare.said.text()  # why it has so few
    assert not dock.compare.save_button.isEnabled()


def test_boundary_classes_are_those_of_a_report(viewer, dock, truth, qtbot):
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.analysis.report import examine
    from napari_orient.crystal.quaternions import random_orientations
    from napari_orient.jobs import run

    quaternions = truth.quaternions.copy()
    quaternions[5:30:6, 5:38:6] = random_orientations(30, 9).reshape(5, 6, 4)  # noise
    noisy = dataclasses.replace(truth, quaternions=quaternions)
    show(viewer, noisy, "noisy")
    dock.tabs.setCurrentIndex(1)
    show_map(dock, qtbot, "Boundary classes")
    every = dock.maps.found.boundaries.extents().sum()
    assert "that are indexed" in dock.maps.said.text()
    press_find(dock, qtbot)
    dock.tabs.setCurrentIndex(1)
    before = dock.maps.found
    click(qtbot, dock.maps.show_button)
    qtbot.waitUntil(lambda: dock.maps.found is not before, timeout=10_000)
    exact = run(examine(run(find_grains(noisy)))).boundaries
    assert_allclose(dock.maps.found.boundaries.extents(), exact.extents())
    assert every - exact.extents().sum() > 0.5 * 100  # four sides of each of thirty points, or so
    assert "that are in grains" in dock.maps.said.text()


def test_a_figure_has_the_key_of_grains(viewer, found, grains, qtbot):
    from napari_orient.crystal.figure import draw
    from napari_orient.plugin.figure.view import picture_of_view

    found.colour.box.setCurrentText("Diameter (µm)")
    settled(found, qtbot)
    picture, _ = picture_of_view(viewer)
    (bar,) = picture.bars
    assert bar.label == "Diameter (µm)"
    assert bar.limits == pytest.approx(found.colour.limits)
    layer, last = layer_of(viewer, "grains"), int(np.argmax(grains.table["diameter"])) + 1
    assert_allclose(bar.colours[-1], layer.colormap.map(np.array([last]))[0], atol=0.01)
    assert any("10 points or more, coloured by Diameter" in note for note in picture.notes)
    found.colour.box.setCurrentText("IPF-X of the mean")
    settled(found, qtbot)
    picture, _ = picture_of_view(viewer)
    assert not picture.bars
    assert [key.title for key in picture.keys] == ["Ni, IPF-X"]
    assert any("along x, to the right" in note for note in picture.notes)
    found.tabs.setCurrentIndex(1)
    show_map(found, qtbot, "Boundary classes")
    classes = layer_of(viewer, "boundary classes").metadata[KEY]["config"]
    picture, _ = picture_of_view(viewer)
    (key,) = picture.keys
    expected = [f"{share:.1%}" for share in classes["shares"].values() if share]
    assert [label.text.rpartition(": ")[2] for label in key.legend.labels] == expected
    label = next(label for label in key.legend.labels if label.text.startswith("other high"))
    assert key.legend.image[round(label.row), 0].tolist() == [0x20, 0x20, 0x20, 255]
    high = next(n for n, tick in found.maps.key.ticks.items() if "high" in tick.text())
    tick(qtbot, found.maps.key.ticks[high])  # what is hidden has no key
    (key,) = picture_of_view(viewer)[0].keys
    assert len(key.legend.labels) == len(expected) - 1
    draw(picture)


def _lines_stay_over_pictures_of_their_map_alone(viewer, truth, small_map):
    lines = layer_of(viewer, "grain boundaries")
    show(viewer, truth, "again")
    assert lines.visible
    show(viewer, small_map, "another grid")
    assert not lines.visible


def _plots_of_a_single_grain_say_why_they_are_empty(viewer, dock, truth, qtbot):
    one = np.broadcast_to(truth.quaternions[0, 0], (*SHAPE, 4)).copy()
    single = dataclasses.replace(truth, quaternions=one)
    show(viewer, single, "single")
    dock.picker.choose(single)
    press_find(dock, qtbot)
    dock.tabs.setCurrentIndex(2)
    panel = dock.plots.figure
    for kind, words in (("Grain size", "No grain counts"), ("Trace directions", "no boundaries")):
        choose(dock.plots.box, kind)
        qtbot.waitUntil(lambda words=words: words.lower() in panel.said.text().lower())
        assert not panel.save_button.isEnabled()
