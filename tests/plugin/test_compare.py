"""The Compare dock in a real window, driven by mouse and keys; and the numbers behind it."""

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
import pytest
from compare_examples import perturbed
from map_examples import show
from numpy.testing import assert_allclose, assert_array_equal

pytestmark = pytest.mark.gui

SHAPE = (20, 28)


@pytest.fixture(scope="module")
def truth():
    from napari_orient.samples import polycrystal_map

    return polycrystal_map(SHAPE, 6, "LiNiO2", seed=12, step=5.0, unit="nm")


@pytest.fixture(scope="module")
def found(truth):
    return perturbed(truth)


@pytest.fixture
def dock(viewer, open_dock, qtbot):
    widget = open_dock("Compare")
    qtbot.waitUntil(widget.isVisible)
    return widget


def click(qtbot, widget):
    from qtpy.QtCore import Qt

    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def choose(picker, orientations):
    """Choose a map as the user does: by its row."""
    row = next(i for i, one in enumerate(picker.maps) if one is orientations)
    picker.setCurrentIndex(row + 1)
    picker.activated.emit(row + 1)


@pytest.fixture(scope="module")
def comparison(truth, found):
    from napari_orient.analysis.errors import compare_maps
    from napari_orient.jobs import run

    return run(compare_maps(truth, found))


@pytest.fixture
def compared(viewer, dock, truth, found, comparison, qtbot):
    """The dock with both maps compared; returns what its comparison should be."""
    show(viewer, truth, "truth")
    show(viewer, found, "found")
    choose(dock.reference, truth)
    choose(dock.other, found)
    click(qtbot, dock.run)
    qtbot.waitUntil(lambda: dock.seen is not None and len(dock.numbers.columns) == 3)
    return comparison


def layer_of(viewer):
    from napari_orient.plugin.compare.fields import error_layer

    return error_layer(viewer)


def settled(dock, qtbot):
    """Wait until threads have answered everything, and the answers are shown."""
    qtbot.waitUntil(lambda: dock._view.is_idle and dock._sums.is_idle, timeout=10_000)
    qtbot.wait(20)


def on_canvas(viewer, qtbot, at):
    """Return the canvas and the place on it of a point of the maps."""
    from qtpy.QtCore import QPoint

    qtbot.wait(50)
    canvas = viewer.window._qt_viewer.canvas
    world = np.array(layer_of(viewer).data_to_world(at)[-2:])
    middle = np.array([canvas.native.height(), canvas.native.width()]) / 2
    camera = viewer.scene.camera
    y, x = middle + (world - np.array(camera.center[-2:])) * camera.zoom
    return canvas.native, QPoint(round(x), round(y))


def click_map(viewer, qtbot, at):
    """Click a point of the map with the mouse."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    canvas, point = on_canvas(viewer, qtbot, at)
    QTest.mouseMove(canvas, point + QPoint(2, 1))
    qtbot.wait(20)
    QTest.mouseMove(canvas, point)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=point)
    qtbot.wait(20)


def drag_slider(qtbot, slider, share):
    """Drag the handle of a slider from where it is to a share of its length, in steps."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QStyle, QStyleOptionSlider

    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    handle = slider.style().subControlRect(
        QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, slider
    )
    start = handle.center()
    end = QPoint(round(share * slider.width()), start.y())
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=start)
    for step in np.linspace(0, 1, 6)[1:]:
        QTest.mouseMove(slider, start + (end - start) * float(step))
        qtbot.wait(15)
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=end)


# --- which maps ----------------------------------------------------------------------------------


def test_pickers_survive_renamed_deleted_and_replaced_layers(viewer, dock, truth, found, qtbot):
    assert not dock.run.isEnabled()
    assert "Choose two maps" in dock.said.text()
    first, second = show(viewer, truth, "truth"), show(viewer, found, "found")
    choose(dock.reference, found)
    choose(dock.other, truth)
    click(qtbot, dock.swap)
    assert dock.reference.chosen is truth
    assert dock.other.chosen is found
    assert dock.run.isEnabled()
    first.name = "my truth IPF-Z"
    assert dock.reference.currentText() == "my truth"
    again = dataclasses.replace(found)
    second.metadata = {**second.metadata, "map": again}
    assert dock.other.chosen is again
    viewer.layers.remove(first)
    assert dock.reference.chosen is None
    assert dock.other.chosen is again
    assert not dock.run.isEnabled()
    choose(dock.reference, again)
    assert "the same" in dock.said.text()
    assert not dock.run.isEnabled()


def test_maps_that_do_not_fit_are_refused_in_words(viewer, dock, truth, qtbot):
    from napari_orient.samples import polycrystal_map

    show(viewer, truth, "truth")
    choose(dock.reference, truth)
    cases = {"9": ((10, 9), "LiNiO2"), "m-3m": (SHAPE, "Ni"), "6/mmm": (SHAPE, "Mg")}
    for word, (shape, phase) in cases.items():
        other = polycrystal_map(shape, 4, phase, step=5.0, unit="nm")
        show(viewer, other, "other")
        choose(dock.other, other)
        click(qtbot, dock.run)
        qtbot.waitUntil(lambda word=word: not dock.bar.is_running and word in dock.said.text())
        assert dock.comparison is None
        assert not dock.result.isVisible()
        assert dock.run.isEnabled()


def test_the_result_of_other_maps_than_the_chosen_ones_is_named(viewer, dock, compared, qtbot):
    coarse = dataclasses.replace(compared.reference, step=(9.0, 9.0))
    assert not dock.said.isVisible()
    show(viewer, coarse, "coarse")
    choose(dock.other, coarse)
    assert dock.said.text() == "Press Compare. Below, still: found against truth."
    click(qtbot, dock.run)
    qtbot.waitUntil(lambda: "steps differ" in dock.said.text())
    assert dock.said.text().endswith("Below, still: found against truth.")


def test_nothing_is_cut_off_at_the_least_width(dock, compared):
    inner, frame = dock._scroll.widget(), dock._scroll
    room = dock.minimumWidth() - frame.verticalScrollBar().sizeHint().width()
    dock.masks.show_kept(40_000, 40_000)  # as long as it gets in a scan of 200 x 200
    assert inner.minimumSizeHint().width() <= room


def test_the_result_goes_with_the_layers(viewer, dock, compared, truth, qtbot):
    shown = dock.comparison
    dock.pin((3, 4))
    viewer.layers.remove(viewer.layers["found IPF-Z"])
    assert dock.comparison is shown  # one of the two is there
    viewer.layers.clear()
    assert dock.comparison is None
    assert not dock.result.isVisible()
    assert "Choose two maps" in dock.said.text()
    dock.masks.boundary.setValue(3.0)
    dock.fields.changed.emit()
    settled(dock, qtbot)
    assert len(viewer.layers) == 0
    # a comparison that ends after its maps were closed
    dock._on_compared((shown, ""))
    assert dock.comparison is None


# --- the layer -----------------------------------------------------------------------------------


def test_every_field_is_shown_as_it_was_computed(viewer, dock, compared, found, qtbot):
    from napari_orient.plugin.compare.fields import FIELDS

    arrays = {
        "Misorientation": compared.angle,
        "Misorientation modulo beam": compared.angle_modulo_beam,
        "Tilt": compared.tilt,
        "In plane": compared.in_plane,
        "|Δφ1| raw": compared.euler_raw[..., 0],
        "|ΔΦ| raw": compared.euler_raw[..., 1],
        "|Δφ2| raw": compared.euler_raw[..., 2],
        "|Δφ1| nearest": compared.euler_nearest[..., 0],
        "|ΔΦ| nearest": compared.euler_nearest[..., 1],
        "|Δφ2| nearest": compared.euler_nearest[..., 2],
        "Normalised MAE": compared.mae,
        "Phases differ": np.where(compared.valid, 0.0, np.nan),
    }
    assert list(arrays) == list(FIELDS)
    layer = layer_of(viewer)
    for name, values in arrays.items():
        dock.fields.box.setCurrentText(name)
        qtbot.waitUntil(lambda name=name: layer_of(viewer).metadata["napari_orient"]["config"]
                        ["field"] == name)  # fmt: skip
        assert layer_of(viewer) is layer
        assert_allclose(layer.data, values, rtol=1e-6)
        assert layer.contrast_limits[1] == pytest.approx(FIELDS[name].highest)
        assert layer.name.startswith(name)
        assert layer.name.endswith("found against truth")
    assert np.isnan(layer.data[0]).all()  # the row that is not indexed: transparent
    assert layer.colormap.nan_color[3] == 0
    assert layer.colorbar.visible

    _explains_itself(viewer, dock, found)


def _explains_itself(viewer, dock, found):
    import napari_orient

    layer = layer_of(viewer)
    note = layer.metadata["napari_orient"]
    assert note["kind"] == "error"
    assert note["version"] == napari_orient.__version__
    assert note["source"] == "somewhere/found.h5"
    config = note["config"]
    assert (config["reference"], config["map"], config["unit"]) == ("truth", "found", "1")
    assert config["left out"] == "all points"
    assert "different crystals" in config["definition"]
    assert_allclose(layer.scale, (5, 5))
    assert layer.metadata["map"] is found
    dock.fields.high.setValue(0.3)
    assert layer.contrast_limits == pytest.approx([0, 0.3])
    layer.contrast_limits = (0.1, 0.7)
    assert (dock.fields.low.value(), dock.fields.high.value()) == (0.1, 0.7)


# --- which points count --------------------------------------------------------------------------


def test_a_dragged_slider_leaves_points_out_at_once(viewer, dock, compared, found, qtbot):
    from napari_orient.analysis.scores import score

    row = dock.masks.limits[0]
    assert row.box.currentText() == "Q (map)"
    drag_slider(qtbot, row.slider, 0.6)
    settled(dock, qtbot)
    limit = row.number.value()
    assert 70 < limit < 90
    passes = found.properties["Q"] >= limit
    assert_array_equal(np.isfinite(layer_of(viewer).data), passes & compared.valid)
    expected = score(compared, passes & found.indexed)
    assert dock.numbers.columns["filtered"] == expected
    assert 0 < expected.n < dock.numbers.columns["all"].n
    share = 100 * expected.n / compared.valid.sum()
    assert f"kept {share:.1f} %" in dock.masks.kept.text()
    assert (
        f"Q >= {limit:.4g} (other)"
        in layer_of(viewer).metadata["napari_orient"]["config"]["left out"]
    )
    drag_slider(qtbot, row.slider, 0.0)
    settled(dock, qtbot)
    assert_array_equal(np.isfinite(layer_of(viewer).data), compared.valid)
    _boundary_and_test_points(viewer, dock, compared, found, qtbot)
    _nothing_left_is_said(viewer, dock, qtbot)


def _nothing_left_is_said(viewer, dock, qtbot):
    dock.masks.limits[0].number.setValue(dock.masks.limits[0]._range[1])  # above every Q
    dock.masks.limits[1].number.setValue(dock.masks.limits[1]._range[1])
    dock.masks.boundary.setValue(20)
    settled(dock, qtbot)
    assert "kept 0.0 %" in dock.masks.kept.text()
    assert "No point passes" in dock.numbers.note.text()
    column = [dock.numbers.table.item(row, 1).text() for row in (0, 1, 4)]
    assert column == ["0", "0.0 %", "–"]
    dock.worst.step(1)
    assert "No such place" in dock.worst.said.text()
    for index in range(dock.plots.box.count()):
        dock.tabs.setCurrentIndex(1)
        dock.plots.box.setCurrentIndex(index)
        dock.plots.refresh()
        qtbot.waitUntil(lambda: dock.plots._live.is_idle, timeout=10_000)
    assert not dock.plots.picture.text()


def _boundary_and_test_points(viewer, dock, compared, found, qtbot):
    dock.masks.boundary.setValue(1.5)
    settled(dock, qtbot)
    far = ~(compared.boundary_distance < 1.5)
    assert_array_equal(np.isfinite(layer_of(viewer).data), far & compared.valid)
    dock.masks.only_test.setChecked(True)
    settled(dock, qtbot)
    test = found.properties["split"] == 2
    assert_array_equal(np.isfinite(layer_of(viewer).data), far & test & compared.valid)
    assert dock.numbers.columns["test"].n == int((test & compared.valid).sum())
    dock.masks.only_test.setChecked(False)


def test_a_region_is_drawn_on_the_map(viewer, dock, compared, qtbot):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    click(qtbot, dock.masks.draw)
    canvas, start = on_canvas(viewer, qtbot, (4.5, 5.5))
    _, end = on_canvas(viewer, qtbot, (10.5, 15.5))
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for step in np.linspace(0, 1, 6)[1:]:
        QTest.mouseMove(canvas, start + (end - start) * float(step))
        qtbot.wait(20)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    qtbot.waitUntil(dock.masks.in_region.isChecked)
    expected = np.zeros(SHAPE, bool)
    expected[5:11, 6:16] = True
    # the mouse is exact to about a pixel of the map
    qtbot.waitUntil(lambda: (np.isfinite(layer_of(viewer).data) != expected).sum() <= 16)
    seen = np.isfinite(layer_of(viewer).data)
    assert seen[6:10, 7:15].all()
    assert not seen[13:].any()
    assert dock.point.index is None  # to draw is not to choose a point


# --- numbers and plots ---------------------------------------------------------------------------


def test_numbers_and_plots_are_copied_and_saved(viewer, dock, compared, found, qtbot, tmp_path):
    from qtpy.QtWidgets import QApplication

    from napari_orient.analysis.scores import score

    expected = score(compared)
    dock.numbers.copy()
    rows = {
        row[0]: row[1:]
        for row in csv.reader(io.StringIO(QApplication.clipboard().text()), delimiter="\t")
    }
    assert rows["score"] == ["all", "filtered", "test"]
    assert float(rows["median_deg"][0]) == expected.median_deg
    assert float(rows["mae_per_angle 2"][0]) == expected.mae_per_angle[2]
    path = tmp_path / "numbers.csv"
    dock.numbers.save(str(path))
    saved = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert saved[0] == ["# found against truth; all points"]
    dock.numbers.about = "one, two"  # no cell, which would be quoted
    assert dock.numbers.text(",").startswith("# one, two\n")
    assert float({row[0]: row[1] for row in saved[1:]}["r2"]) == expected.r2
    _plots_are_drawn_live_and_saved(dock, compared, found, qtbot, tmp_path)


def _plots_are_drawn_live_and_saved(dock, compared, found, qtbot, tmp_path):
    from qtpy.QtGui import QImage

    dock.tabs.setCurrentWidget(dock.plots)
    names = [dock.plots.box.itemText(i) for i in range(dock.plots.box.count())]
    assert names == [
        "Histogram", "Cumulative curve", "Error against distance to the boundary (px)",
        "Error against Q (map)", "Error against R (map)", "Error against grain (reference)",
    ][: len(names)]  # fmt: skip
    qtbot.waitUntil(lambda: dock.plots.curves is not None, timeout=10_000)
    assert dock.plots.curves.columns["kept"].sum() == compared.valid.sum()
    dock.masks.only_test.setChecked(True)
    test = compared.valid & (found.properties["split"] == 2)
    qtbot.waitUntil(lambda: dock.plots.curves.columns["kept"].sum() == test.sum(), timeout=10_000)
    dock.plots.box.setCurrentIndex(1)
    dock.plots.box.activated.emit(1)
    qtbot.waitUntil(lambda: "strict, kept: error" in dock.plots.curves.columns, timeout=10_000)
    columns = dock.plots.curves.columns
    assert_allclose(columns["strict, kept: error"], np.sort(compared.angle[test]))
    assert columns["modulo beam, kept: share"][-1] == 1
    assert not dock.plots.picture.pixmap().isNull()
    for suffix in ("png", "svg", "csv"):
        dock.plots.save(str(tmp_path / f"curve.{suffix}"))
    assert QImage(str(tmp_path / "curve.png")).width() > 1000
    assert "Misorientation" in (tmp_path / "curve.svg").read_text()
    lines = list(csv.reader((tmp_path / "curve.csv").read_text(encoding="utf-8").splitlines()))
    assert len(lines) - 2 >= test.sum()
    assert float(lines[2][0]) == np.sort(compared.angle[test])[0]


def test_the_table_agrees_with_plain_numpy(viewer, dock, compared, truth, found, qtbot):
    """Must hold to 1e-9: what is copied from the dock, all points and those above a limit of Q."""
    from error_examples import brute_force, matrices

    limit = 75.0
    dock.masks.limits[0].number.setValue(limit)
    settled(dock, qtbot)
    keep = found.phase_id >= 0
    g, h = (matrices(m.quaternions[keep]) for m in (truth, found))
    errors = brute_force(g, h, "-3m")
    columns = {
        "all": np.ones(keep.sum(), bool),
        "filtered": found.properties["Q"][keep] >= limit,
        "test": found.properties["split"][keep] == 2,
    }
    rows = csv.reader(io.StringIO(dock.numbers.text("\t")), delimiter="\t")
    table = {row[0]: row[1:] for row in rows}
    assert table["score"] == list(columns)
    for column, mask in enumerate(columns.values()):
        for name, expected in _plain_scores(g[mask], errors, mask).items():
            value = float(table[name][column])
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def _plain_scores(g, errors, mask):
    from error_examples import euler

    truth = euler(g)
    angle, beam, tilt, in_plane, raw, nearest = (
        errors[name][mask]
        for name in (
            "angle", "angle_modulo_beam", "tilt", "in_plane", "euler_raw", "euler_nearest"
        )
    )  # fmt: skip
    each = {f"mae_per_angle {i}": raw[:, i].mean() for i in range(3)}
    for i in range(3):
        spread = ((truth[:, i] - truth[:, i].mean()) ** 2).sum()
        each[f"r2_per_angle {i}"] = 1 - (raw[:, i] ** 2).sum() / spread
    return {
        "n": mask.sum(), "fraction_kept": mask.mean(),
        "median_deg": np.median(angle), "mean_deg": angle.mean(),
        "fraction_below_2deg": (angle < 2).mean(), "fraction_below_5deg": (angle < 5).mean(),
        "median_deg_modulo_beam": np.median(beam), "mean_deg_modulo_beam": beam.mean(),
        "fraction_below_2deg_modulo_beam": (beam < 2).mean(),
        "fraction_below_5deg_modulo_beam": (beam < 5).mean(),
        "median_tilt_deg": np.median(tilt), "median_in_plane_deg": np.median(in_plane),
        "r2": 1 - (raw**2).sum() / ((truth - truth.mean()) ** 2).sum(),
        "mse": (raw**2).mean(), "mae": raw.mean(), "mae_nearest": nearest.mean(),
        "normalised_mae": (raw / (360, 180, 360)).mean(), **each,
    }  # fmt: skip


def test_error_against_q_follows_the_noise(comparison, found):
    """The errors of the example are (100 - Q) / 50 degrees, outside the two wrong grains."""
    from napari_orient.plugin.compare.fields import FIELDS
    from napari_orient.plugin.compare.plots import Plot, curves_of

    mask = ~np.isin(found.properties["R"], [5.0]) & (comparison.angle < 2)
    columns = curves_of(comparison, mask, Plot("Q", "other"), FIELDS["Misorientation"]).columns
    assert_allclose(columns["median"], (100 - columns["at"]) / 50, atol=0.02)
    assert columns["n"].sum() == (mask & comparison.valid).sum()


# --- a point -------------------------------------------------------------------------------------


@pytest.fixture
def scan_of_maps(viewer):
    """A calibrated scan on the grid of the maps."""
    from napari_orient.data.scan import Calibration, Quantity, Scan
    from napari_orient.plugin.scan_layers import describe_scan_layer

    def known(value, unit):
        return Quantity(value=value, unit=unit, source="simulated")

    calibration = Calibration(
        step=known((5.0, 5.0), "nm"), pixel_size=known((0.05, 0.05), "1/angstrom"),
        centre=known((32.0, 32.0), "px"), voltage=known(300.0, "kV"),
        rotation=known(0.0, "deg"), flip=known(0.0, ""),
    )  # fmt: skip
    data = np.random.default_rng(0).integers(0, 9, (*SHAPE, 64, 64)).astype(np.uint8)
    scan = Scan(data, calibration, name="scan")
    image, settings, _ = describe_scan_layer(scan)
    viewer.add_image(image, **settings)
    return scan


def test_a_click_shows_crystals_spots_and_pattern(
    viewer, scan_of_maps, open_dock, dock, compared, truth, found, idle, qtbot
):
    from napari_orient.diffraction.overlay import spot_overlay

    pattern = open_dock("Pattern")
    idle()
    at = (7, 19)
    click_map(viewer, qtbot, at)
    assert dock.point.index == at
    assert dock.point.isVisible()
    assert dock.session.shown == at
    names = {"compare: reference", "compare: other"}
    qtbot.waitUntil(lambda: names <= set(dock.session.overlays))
    qtbot.waitUntil(lambda: pattern._shown == at and dock.spots._live.is_idle)
    for name, m in (("reference", truth), ("other", found)):
        drawn = dock.session.overlays[f"compare: {name}"]
        expected = spot_overlay(
            m.phases[0], m.quaternions[at], scan_of_maps.calibration, at=at, shape=(64, 64),
            min_intensity=1e-4,
        )  # fmt: skip
        assert_allclose(drawn.spots, expected.spots)
    colours = {dock.session.overlays[name].colour for name in names}
    assert len(colours) == 2
    assert [c.name for c in dock.point.cells.crystals] == ["reference", "map"]
    assert f"{compared.angle[at]:.2f}° about [" in dock.point.cells.between
    assert "phase" in dock.point.table.text()
    marker = next(x for x in viewer.layers if x.name == "Compared point")
    assert_array_equal(marker.data, [at])
    dock.parent().hide()
    assert not names & set(dock.session.overlays)
    dock.parent().show()
    qtbot.waitUntil(lambda: names <= set(dock.session.overlays))
    session = dock.session
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
    assert not session.overlays
    session.shown = (1, 1)
    viewer.cursor.position = (5.0, 5.0)
    viewer.status = "x  ·  y"
    layer_of(viewer).contrast_limits = (0, 2)
    assert not session.overlays


def test_spots_are_those_of_the_foil_that_was_indexed(
    viewer, scan_of_maps, dock, truth, found, qtbot
):
    """The thickness is that of the run, and so is what the scan itself does not know."""
    from napari_orient.data.scan import Quantity
    from napari_orient.diffraction.overlay import spot_overlay
    from napari_orient.plugin.compare.spots import RADII

    settings = {"thickness_nm": 60.0, "voltage_kv": 120.0, "pixel_size": 0.04}
    indexed = dataclasses.replace(found, provenance={"task": "index", "config": settings})
    known = scan_of_maps.calibration.set(voltage=None)
    dock.session.scan = scan_of_maps.replaced(calibration=known)
    for name, m in (("truth", truth), ("indexed", indexed)):
        show(viewer, m, name)
    choose(dock.reference, truth)
    choose(dock.other, indexed)
    click(qtbot, dock.run)
    qtbot.waitUntil(lambda: dock.seen is not None)
    at = (7, 19)
    dock.pin(at)
    dock.point.candidates.selectRow(1)
    qtbot.waitUntil(lambda: "compare: candidate" in dock.session.overlays)
    drawn = dock.session.overlays
    orientations = {
        "reference": truth.quaternions[at],  # the truth says no thickness: it is one foil
        "other": found.quaternions[at],
        "candidate": found.candidates.quaternions[(*at, 1)],
    }
    beam = known.set(voltage=Quantity(value=120.0, unit="kV", source="typed"))
    for name, quaternion in orientations.items():
        expected, thin = (
            spot_overlay(
                truth.phases[0], quaternion, beam, at=at, shape=(64, 64), min_intensity=1e-4,
                thickness_nm=nm, radius=RADII[name],
            )
            for nm in (60.0, 20.0)
        )  # fmt: skip
        assert_allclose(drawn[f"compare: {name}"].spots, expected.spots)
        assert_allclose(drawn[f"compare: {name}"].sizes, expected.sizes)
        assert not np.array_equal(thin.sizes, expected.sizes)


def test_settings_of_a_map_are_read_with_care(truth):
    from napari_orient.plugin.compare.point import settings_of

    for said in ({}, {"config": None}, {"config": "30 nm"}, {"config": {"thickness_nm": "thick"}}):
        assert settings_of(dataclasses.replace(truth, provenance=said)) == {}
    said = {"config": {"thickness_nm": 30, "voltage_kv": None, "phases": ["Au"]}}
    assert settings_of(dataclasses.replace(truth, provenance=said)) == {"thickness_nm": 30.0}


def test_candidates_are_listed_and_drawn(viewer, scan_of_maps, dock, compared, found, qtbot):
    """Of the example's candidates the second is the first, half a turn about the beam from it."""
    grain = compared.reference.properties["grain"]
    at = tuple(int(i) for i in np.argwhere((grain > 1) & compared.valid)[5])
    click_map(viewer, qtbot, at)
    table = dock.point.candidates
    assert table.rowCount() == 3
    texts = [[table.item(r, c).text() for c in range(5)] for r in range(3)]
    assert [row[0] for row in texts] == ["1", "2", "3"]
    assert texts[0][4] == "the reference"
    assert texts[0][2] == f"{compared.angle[at]:.2f}°"
    assert texts[1][3] == texts[0][3]
    assert texts[1][4] == "half a turn about the beam"
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    dock.point.candidates.scrollToTop()
    place = table.visualItemRect(table.item(1, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: "compare: candidate" in dock.session.overlays)
    assert [c.name for c in dock.point.cells.crystals] == ["reference", "candidate 2"]
    click_map(viewer, qtbot, (at[0] - 1 if at[0] > 1 else at[0] + 1, at[1]))
    qtbot.waitUntil(lambda: "compare: candidate" not in dock.session.overlays)
    click_map(viewer, qtbot, (0, 3))  # not indexed in one of the maps
    assert dock.point.index == (0, 3)
    assert [c.name for c in dock.point.cells.crystals] == ["reference"]
    assert "Not comparable" in dock.point.errors.text()
    qtbot.waitUntil(lambda: set(dock.session.overlays) == {"compare: reference"})


def test_hover_tells_both_maps_and_all_errors(viewer, dock, compared, truth, found, qtbot):
    click_map(viewer, qtbot, (5, 5))
    assert dock.point.index == (5, 5)
    assert "no scan" in dock.point.spots.text()
    assert not dock.session.overlays
    assert len(dock.point.cells.crystals) == 2
    dock.tabs.setCurrentIndex(2)
    at = (9, 12)
    viewer.cursor.position = tuple(5.0 * i for i in at)
    text = dock.point.table.text() + dock.point.errors.text()
    for m in (truth, found):
        for angle in m.describe(*at)["euler"]:
            assert f"{angle:.1f}°" in text
    assert f"{compared.angle[at]:.2f}°" in text
    assert f"{compared.euler_raw[at][1]:.2f}°" in text
    assert f"{compared.boundary_distance[at]:.1f} px" in text
    assert f"{found.properties['Q'][at]:.4g}" in text
    viewer.status = "x 60.00 nm  ·  LiNiO2"  # as the readout of maps says it
    assert viewer.status.startswith(f"Δ {compared.angle[at]:.2f}°")
    assert viewer.status.endswith("x 60.00 nm  ·  LiNiO2")
    viewer.status = "words of another tool"
    assert viewer.status == "words of another tool"
    _next_goes_to_the_wrong_grains(viewer, dock, compared, truth, qtbot)


def _next_goes_to_the_wrong_grains(viewer, dock, compared, truth, qtbot):
    """By a click and by keys: the two grains that were turned, the larger first."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    grain = truth.properties["grain"]
    sizes = {n: int(((grain == n) & compared.valid).sum()) for n in (0, 1)}
    order = sorted(sizes, key=lambda n: -sizes[n])
    dock.tabs.setCurrentIndex(2)
    click(qtbot, dock.worst.next)
    assert grain[dock.point.index] == order[0]
    assert f"1 of 2: {sizes[order[0]]} points" in dock.worst.said.text()
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.keyClick(canvas, Qt.Key.Key_N)
    assert grain[dock.point.index] == order[1]
    QTest.keyClick(canvas, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert grain[dock.point.index] == order[0]
    dock.worst.box.setCurrentText("worst points")
    dock.worst.step(1)
    assert compared.angle[dock.point.index] == np.nanmax(compared.angle)


# --- without a window ----------------------------------------------------------------------------


def test_unit_cells_lie_as_the_map_says(truth):
    """Edges in known orientations: phi1 turns a from x towards y, which is down."""
    from napari_orient.crystal.phases import get_phase
    from napari_orient.crystal.rotations import from_euler
    from napari_orient.plugin.compare.cells import cell_corners

    def axes(phase, *euler):
        corners = cell_corners(phase, from_euler(np.array(euler, float)))
        assert_allclose(corners.mean(axis=0), 0, atol=1e-12)
        assert np.linalg.norm(corners, axis=1).max() == pytest.approx(1)
        edges = corners[[4, 2, 1]] - corners[0]
        return edges / np.linalg.norm(edges, axis=1, keepdims=True)

    nickel = get_phase("Ni")
    assert_allclose(axes(nickel, 0, 0, 0), np.eye(3), atol=1e-12)
    # phi1 = 90: a is where y was, downwards in the window
    assert_allclose(axes(nickel, 90, 0, 0), [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], atol=1e-12)
    # Phi = 90 about x: b, along y before, points along the beam, into the page
    assert_allclose(axes(nickel, 0, 90, 0), [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-12)
    a, b, c = axes(get_phase("LiNiO2"), 0, 0, 0)
    assert_allclose(a, (1, 0, 0), atol=1e-12)
    assert_allclose(b, (-0.5, np.sqrt(0.75), 0), atol=1e-12)
    assert_allclose(c, (0, 0, 1), atol=1e-12)


def test_equal_crystals_look_equal(comparison):
    """The second cell is drawn as the equivalent that is nearest to the first."""
    from napari_orient.plugin.compare.cells import cell_corners
    from napari_orient.plugin.compare.point import side_by_side

    grain = comparison.reference.properties["grain"]
    at = tuple(int(i) for i in np.argwhere((grain > 1) & comparison.valid)[0])
    (first, second), words = side_by_side(comparison, at)
    corners = [cell_corners(c.phase, c.quaternion) for c in (first, second)]
    assert np.abs(corners[0] - corners[1]).max() < 2 * np.sin(np.radians(0.5))
    assert words.startswith(f"{comparison.angle[at]:.2f}°")


@pytest.mark.parametrize(
    ("phase", "axis", "degrees", "words"),
    [
        ("LiNiO2", (0, 0, 1), 20, "20.00° about [0001]"),
        ("Ni", (1, 1, 1), 50, "50.00° about [111]"),
        ("Ni", (1, 1, 0), 0.001, "0.00°"),
    ],
)
def test_the_rotation_between_crystals_in_words(phase, axis, degrees, words):
    from napari_orient.crystal.phases import get_phase
    from napari_orient.crystal.rotations import from_axis_angle, multiply, random_orientations
    from napari_orient.plugin.compare.point import Crystal, rotation_words

    q = random_orientations(1, seed=2)[0]
    turned = multiply(from_axis_angle(np.array(axis, float), float(degrees)), q)
    first, second = (Crystal("", "", get_phase(phase), one) for one in (q, turned))
    assert rotation_words(first, second) == words


def test_worst_places():
    from napari_orient.plugin.compare.worst import worst_areas, worst_points

    errors = np.full((6, 8), 1.0)
    errors[1, 1] = np.nan
    errors[3:6, 4:7] = 9.0
    errors[0, 7] = 30.0
    points = worst_points(errors, most=3)
    assert points[0] == ((0, 7), 1, 30.0)
    assert {p.error for p in points[1:]} == {9.0}
    first, second = worst_areas(errors, 5.0)
    assert first == ((4, 5), 9, 9.0)
    assert second == ((0, 7), 1, 30.0)
    assert worst_areas(errors, 50.0) == []
    assert worst_points(np.full((2, 2), np.nan)) == []
    ring = np.zeros((5, 5))
    ring[1:4, 1:4] = 8
    ring[2, 2] = 0
    (area,) = worst_areas(ring, 5.0)
    assert ring[area.index] == 8  # the middle of a ring is not in it


def test_undefined_values_pass_no_limit(truth):
    from napari_orient.analysis.errors import compare_maps
    from napari_orient.jobs import run
    from napari_orient.plugin.compare.selection import Selection, Threshold

    reliability = np.full(SHAPE, 30.0)
    reliability[0, 0] = -1
    misfit = np.full(SHAPE, 0.5)
    misfit[1] = 2.0
    other = dataclasses.replace(truth, properties={"R": reliability, "MAD": misfit})
    comparison = run(compare_maps(truth, other))
    mask = Selection((Threshold("other", "R", -5.0),)).mask(comparison)
    assert not mask[0, 0]
    assert mask.sum() == mask.size - 1
    mask = Selection((Threshold("other", "MAD", 1.0),)).mask(comparison)
    assert_array_equal(mask, misfit <= 1)
    assert Selection().mask(comparison).all()
    assert Selection().words == "all points"


def test_rounding_errors_do_not_fill_a_histogram(truth):
    from napari_orient.analysis.errors import compare_maps
    from napari_orient.jobs import run
    from napari_orient.plugin.compare.fields import FIELDS
    from napari_orient.plugin.compare.plots import HISTOGRAM, Plot, curves_of, draw

    copy = dataclasses.replace(truth, quaternions=-truth.quaternions)
    same = run(compare_maps(truth, copy))
    noisy = dataclasses.replace(same, angle=np.full(SHAPE, 3e-15))
    everywhere = np.ones(SHAPE, bool)
    for one in (same, noisy):
        curves = curves_of(one, everywhere, Plot(HISTOGRAM), FIELDS["Misorientation"])
        edges = curves.columns["edges"]
        assert_allclose((edges[0], edges[-1], edges[1]), (0, 1, 0.05))
        for name in ("all", "kept"):
            assert_array_equal(curves.columns[name], [np.prod(SHAPE), *19 * [0]])
        figure = draw(curves, ink="black", width=400, height=300, dpi=96)
        assert_allclose(figure.axes[0].get_xlim(), (0, 1))
    # larger ones keep their own range
    wide = dataclasses.replace(same, angle=np.linspace(0, 37, np.prod(SHAPE)).reshape(SHAPE))
    edges = curves_of(wide, everywhere, Plot(HISTOGRAM), FIELDS["Misorientation"]).columns["edges"]
    assert_allclose((edges[-1], edges[1]), (37, 1))
