"""The Index dock, driven by mouse and keys: settings, the match under the mouse, the run."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from calibrate_examples import click  # noqa: E402
from index_examples import VACUUM, Knowing, gold_grains, knowing  # noqa: E402
from qtpy.QtCore import QPoint, Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402

from napari_orient.crystal.rotations import misorientation_angle  # noqa: E402
from napari_orient.data.scan import Quantity, Scan  # noqa: E402
from napari_orient.diffraction.matching import index as index_module  # noqa: E402
from napari_orient.diffraction.matching import matcher as matcher_module  # noqa: E402
from napari_orient.diffraction.matching.config import IndexConfig  # noqa: E402
from napari_orient.plugin.index import dock as dock_module  # noqa: E402
from napari_orient.plugin.index import preview, run_panel  # noqa: E402
from napari_orient.plugin.index.run_panel import NO_REGION, REGION  # noqa: E402
from napari_orient.plugin.layers import kind_of  # noqa: E402
from napari_orient.plugin.scan_layers import describe_scan_layer  # noqa: E402


@pytest.fixture(scope="module")
def gold():
    return gold_grains()


@pytest.fixture
def matcher(gold, monkeypatch):
    """Matchers know the truth; the event holds them."""
    build, go = knowing(gold[1])
    monkeypatch.setattr(matcher_module, "build_matcher", build)
    monkeypatch.setattr(index_module, "build_matcher", build)
    monkeypatch.setattr(index_module, "_BATCH", 14)  # a row at a time
    yield go
    go.set()


@pytest.fixture
def index(viewer, open_dock, qtbot, monkeypatch):
    """Open a scan with the Pattern and Index docks."""

    monkeypatch.setattr(dock_module, "SETTLED", 20)  # ms: nobody types here

    def opener(scan):
        data, settings, _ = describe_scan_layer(scan)
        viewer.add_image(data, **settings)
        open_dock("Pattern")
        dock = open_dock("Index")
        qtbot.waitUntil(dock.isVisible)
        return dock

    return opener


@pytest.fixture
def dock(index, gold, matcher, qtbot):
    dock = index(gold[0])
    qtbot.waitUntil(lambda: dock.preview.answer is not None, timeout=20_000)
    return dock


def maps_of(viewer):
    return [layer for layer in viewer.layers if kind_of(layer) == "ipf"]


def type_into(box, text):
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


def pixel_of(viewer, at):
    """Return the canvas and the place in it where a scan position is drawn."""
    canvas = viewer.window._qt_viewer.canvas.native
    world = np.array(viewer.layers[0].data_to_world(at)[-2:])
    away = (world - np.array(viewer.scene.camera.center[-2:])) * viewer.scene.camera.zoom
    y, x = np.array([canvas.height(), canvas.width()]) / 2 + away
    return canvas, QPoint(round(x), round(y))


def click_scan(viewer, qtbot, at):
    viewer.reset_view()
    qtbot.wait(50)
    canvas, point = pixel_of(viewer, at)
    QTest.mouseMove(canvas, point + QPoint(2, 2))
    QTest.mouseMove(canvas, point)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=point)


def run_to_end(dock, qtbot):
    click(dock.start_button)
    qtbot.waitUntil(lambda: dock.panel.result is not None, timeout=20_000)
    qtbot.waitUntil(lambda: not dock.bar.is_running)
    return dock.panel.result


# --- settings -----------------------------------------------------------------------------------


def test_an_empty_window_says_what_to_do(open_dock):
    dock = open_dock("Index")
    assert "Open a scan first" in dock.told.text()
    assert not dock.start_button.isEnabled()


def test_every_setting_has_a_control_and_says_where_it_comes_from(dock):
    rows, fields = dock.form.rows, IndexConfig.model_fields
    assert set(rows) == set(fields) - {"phases"}
    for name, row in rows.items():
        said = fields[name].description
        said = said.replace("1/angstrom", "1/Å")
        assert said[1:] in row.box.toolTip() or said[1:] in row.box.text()
    assert dock.form.phases.names == ("Au",)
    assert rows["voltage_kv"].box.value() == 200
    assert rows["voltage_kv"].source.text() == "from the file"
    assert rows["pixel_size"].source.text() == "measured"
    assert rows["precession_deg"].box.value() == 0.5
    assert rows["max_g"].box.value() == pytest.approx(1.4)  # of the matcher
    assert dock.config == IndexConfig(phases=("Au",))  # nothing is typed
    type_into(rows["voltage_kv"].box, "120")
    assert dock.config.voltage_kv == 120
    assert rows["voltage_kv"].source.text() == "typed here"
    click(rows["voltage_kv"].reset)
    assert dock.config.voltage_kv is None
    assert rows["voltage_kv"].box.value() == 200


def test_settings_go_through_a_file_and_phases_through_a_list(dock, tmp_path):
    wanted = IndexConfig(
        phases=("Au", "Ni"), voltage_kv=80, thickness_nm=12, spacing_deg=2.5, min_g=0.2, power=0.3,
        refine=False, candidates=3, min_q=20, apart_deg=10, device="cpu", memory_mb=500,
    )  # fmt: skip
    dock.form.set_config(wanted)
    assert dock.config == wanted
    path = tmp_path / "index.yaml"
    dock.files.store_to(str(path))
    dock.form.set_config(IndexConfig())
    assert dock.config == IndexConfig()
    dock.files.load_from(str(path))
    assert dock.config == wanted
    path.write_text("spacing_deg: 90")
    dock.files.load_from(str(path))
    assert "spacing_deg" in dock.told.text()
    assert dock.config == wanted
    phases = dock.form.phases
    phases.box.setCurrentIndex(phases.box.findText("Si"))
    phases.box.activated.emit(phases.box.currentIndex())
    assert phases.names == ("Au", "Ni", "Si")
    phases.add(str(tmp_path / "missing.cif"))
    assert phases.names == ("Au", "Ni", "Si")
    assert "missing.cif does not exist" in phases.said.text()
    phases.remove("Au")
    assert dock.config.phases == ("Ni", "Si")


def test_what_is_typed_about_the_microscope_belongs_to_its_scan(index, gold, viewer, idle):
    scan = gold[0]
    dock = index(scan)
    rows = dock.form.rows

    def type_both():
        type_into(rows["voltage_kv"].box, "120")
        type_into(rows["pixel_size"].box, "0.031")

    def typed():
        return dock.config.voltage_kv, dock.config.pixel_size

    type_both()
    known = Quantity(value=30.0, unit="deg", source="measured")
    dock.session.scan = scan.replaced(calibration=scan.calibration.set(rotation=known))
    assert typed() == (120, 0.031)  # calibrated
    dock.session.scan = scan.replaced(data=scan.data[:4])
    assert typed() == (120, 0.031)  # cropped
    dock.session.scan = scan.replaced(data=scan.data[:, :, ::2, ::2])
    assert typed() == (120, None)  # binned: another pixel
    type_both()
    dock.session.scan = scan.replaced(name="another", source="another.blo")
    assert typed() == (None, None)
    assert rows["voltage_kv"].box.value() == 200
    assert rows["voltage_kv"].source.text() == "from the file"
    type_both()
    dock.session.scan = None
    assert typed() == (None, None)
    rows["voltage_kv"].box.setValue(120)  # before a scan is open: by a file of settings, say
    rows["pixel_size"].box.setValue(0.031)
    dock.session.scan = scan
    assert typed() == (120, 0.031)
    idle()


def test_what_is_missing_is_said_by_the_labels_of_the_form(index, gold, qtbot, tmp_path):
    scan = gold[0]
    dock = index(scan.replaced(calibration=scan.calibration.set(voltage=None)))
    qtbot.waitUntil(lambda: "voltage is unknown" in dock.told.text(), timeout=20_000)
    assert "type it beside Voltage" in dock.told.text()
    assert "voltage_kv" not in dock.told.text()
    dock.session.scan = scan.replaced(calibration=scan.calibration.set(pixel_size=None))
    qtbot.waitUntil(lambda: "not calibrated" in dock.told.text(), timeout=20_000)
    assert "in 1/Å beside Pixel" in dock.told.text()
    assert "pixel_size" not in dock.told.text()
    tips = [row.box.toolTip() for row in dock.form.rows.values()]
    tips += [row.source.toolTip() for name, row in dock.form.rows.items() if hasattr(row, "source")]
    assert not any("angstrom" in tip for tip in tips)
    bad = tmp_path / "bad.cif"
    bad.write_text("this is no crystal")
    dock.form.phases.add(str(bad))
    assert dock.form.phases.said.text().startswith("bad.cif is not a CIF file that can be read.")


def test_a_region_beside_the_scan_indexes_nothing(dock, viewer, qtbot, notes):
    click(dock.panel.draw)
    layer = next(x for x in viewer.layers if kind_of(x) == "region")
    layer.add_rectangles(np.array([[-30.0, -30.0], [-20.0, -20.0]]))
    qtbot.waitUntil(lambda: any("No position" in said for said in notes))
    assert dock.panel.where.currentText() == REGION  # not the whole scan
    click(dock.start_button)
    assert dock.panel.said.text() == NO_REGION
    assert not dock.bar.is_running


def test_a_library_is_kept_where_the_settings_do_not_touch_it(dock, qtbot):
    before = dock._prepared
    type_into(dock.form.rows["min_q"].box, "90")
    type_into(dock.form.rows["candidates"].box, "3")
    after = dock._prepared
    assert (after.config.min_q, after.matcher.config.candidates) == (90, 3)
    assert (after.matcher.libraries, after.rate) == (before.matcher.libraries, before.rate)
    assert "168 positions" in dock.panel.before.text()
    assert not dock._wait.isActive()
    type_into(dock.form.rows["spacing_deg"].box, "2")
    assert dock._wait.isActive()
    assert dock.panel.before.text() == ""
    qtbot.waitUntil(lambda: dock._prepared.config.spacing_deg == 2, timeout=5000)


# --- the pattern under the mouse ----------------------------------------------------------------


def test_a_click_on_the_scan_is_matched_and_drawn(dock, viewer, gold, matcher, qtbot):
    click_scan(viewer, qtbot, (9, 3))
    qtbot.waitUntil(lambda: "Scan y 9, x 3" in dock.preview.told.text(), timeout=5000)
    truth = gold[1].quaternions[9, 3]
    first = dock.preview.answer
    np.testing.assert_array_equal(first.match.quaternions[0, 0], truth)
    drawn = dock.session.overlays[preview.OVERLAY]
    assert len(drawn.spots) > 4
    pattern = gold[0].data[9, 3].astype(float)
    ky, kx = np.rint(drawn.spots[:4]).astype(int).T  # the strongest
    assert (pattern[ky, kx] > 20 * np.median(pattern)).all()
    said = dock.preview.sure.text()
    assert "180° about the beam cannot be told" in said
    assert "Q 80.0 %, R 40.0 %; margin about the beam 1.2 %, of the crystal —" in said
    assert "168 positions" in dock.panel.before.text()
    assert "300 templates, 1.5 MB" in dock.panel.before.text()
    # a click on a candidate draws its spots: the centre is at (48, 48), the partner's lie opposite
    dock.tabs.setCurrentIndex(2)
    table = dock.preview.table
    assert table.item(1, 2).text() == "≈ 180° about beam"
    place = table.visualItemRect(table.item(1, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: dock.session.overlays[preview.OVERLAY] is not drawn)
    turned = dock.session.overlays[preview.OVERLAY].spots
    assert np.abs(turned[0] + drawn.spots - 96).max(axis=1).min() < 0.01
    # its indices do not stand beside the numbers of the best one
    assert "candidate 2, Q 79.0 %" in dock.preview.told.text()
    assert dock.preview.sure.text().startswith("Best candidate: Q 80.0 %")
    dock.tabs.setCurrentIndex(0)
    assert "candidate 2 is drawn, Q 79.0 %" in dock.preview.summary.text()
    # the thickness moves the spots at once: no matcher answers meanwhile
    before = dock.preview.answer
    matcher.clear()
    type_into(dock.form.rows["thickness_nm"].box, "90")
    qtbot.waitUntil(lambda: dock.preview.answer is not before, timeout=3000)
    assert dock.preview.answer.match is first.match
    assert len(dock.preview.answer.overlay.spots) != len(before.overlay.spots)
    matcher.set()
    # the spots leave with the dock
    session = dock.session
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: preview.OVERLAY not in session.overlays)


def test_another_scan_of_the_same_camera_is_matched_anew(dock, viewer, gold, qtbot):
    """Also where the same position is looked at, and the library need not be built again."""
    scan, truth = gold
    before = dock._prepared
    seen = dock.preview.answer.match.quaternions[0, 0]
    np.testing.assert_array_equal(seen, truth.quaternions[6, 7])
    part = Scan(scan.data[4:, 6:], scan.calibration, name="part", phase="Au")
    data, settings, _ = describe_scan_layer(part)
    dock.session.shown = (6, 7)
    qtbot.waitUntil(lambda: dock.preview.answer is not None)
    answers = []
    dock.preview._live.answered.connect(lambda question, answer: answers.append(question))
    viewer.add_image(data, **settings)
    qtbot.waitUntil(lambda: dock.session.scan.name == "part")
    qtbot.waitUntil(lambda: bool(answers), timeout=5000)
    assert dock._prepared is before
    assert answers[0].scan.name == "part"
    assert answers[0].match is None  # not the one of the other scan


def test_behind_another_dock_nothing_is_matched_or_drawn(dock, viewer, qtbot, idle):
    """Compare draws its reference in the same blue: both would lie on one pattern."""
    frame, other = viewer.window.add_plugin_dock_widget("napari-orient", "Compare", tabify=True)
    viewer.window._qt_window.tabifyDockWidget(dock.parent(), frame)
    frame.raise_()
    qtbot.waitUntil(lambda: other.in_front and not dock.in_front)
    assert dock.isVisible()  # as Qt sees it
    assert preview.OVERLAY not in dock.session.overlays
    asked = []
    dock.preview._live.answered.connect(lambda question, answer: asked.append(question.at))
    dock.session.shown = (9, 3)
    type_into(dock.form.rows["thickness_nm"].box, "90")
    type_into(dock.form.rows["spacing_deg"].box, "2")
    assert not dock._wait.isActive()
    qtbot.wait(100)
    idle()
    assert not asked
    assert preview.OVERLAY not in dock.session.overlays
    dock.parent().raise_()
    qtbot.waitUntil(lambda: dock.preview.answer is not None, timeout=5000)
    assert asked[-1] == (9, 3)
    assert preview.OVERLAY in dock.session.overlays


# --- the run ------------------------------------------------------------------------------------


def test_the_map_becomes_the_sessions_and_a_second_run_leaves_it(dock, viewer, gold, qtbot):
    truth = gold[1]
    result = run_to_end(dock, qtbot)
    (layer,) = maps_of(viewer)
    assert dock.session.orientation_map is result
    assert layer.metadata["map"] is result
    assert layer.name == "gold, indexed IPF-Z"
    assert layer.metadata["napari_orient"]["provenance"]["config"]["phases"] == ["Au"]
    inside = np.ones(truth.shape, bool)
    inside[VACUUM] = False
    np.testing.assert_array_equal(result.indexed, inside)
    np.testing.assert_array_equal(result.quaternions[inside], truth.quaternions[inside])
    np.testing.assert_array_equal(layer.data[..., 3] == 255, inside)
    np.testing.assert_allclose(layer.scale, (2, 2))
    assert {"Q", "R", "beam margin"} <= set(result.properties)
    assert dock.panel.save.isEnabled()
    dock.panel.result = None
    # what cannot be trusted says so on its layer
    type_into(dock.form.rows["pixel_size"].box, "0.031")
    qtbot.waitUntil(lambda: "the pixel size is typed" in dock.exploratory.text(), timeout=5000)
    assert dock.exploratory.isVisible()
    second = run_to_end(dock, qtbot)
    assert [layer.metadata["map"] for layer in maps_of(viewer)] == [result, second]
    doubtful = maps_of(viewer)[1]
    assert doubtful.name == "gold, exploratory IPF-Z"
    note = doubtful.metadata["napari_orient"]["provenance"]
    assert note["exploratory"] == "the pixel size is typed"


def hold_in_the_middle(dock, matcher, monkeypatch, qtbot):
    """Start a run whose matcher waits after six rows, until they are shown."""
    match, calls = Knowing.match, []

    def counted(self, patterns, positions=None):
        calls.append(len(patterns))
        if len(calls) == 7:
            matcher.clear()
        return match(self, patterns, positions)

    class Always:
        def __init__(self, *_):
            pass

        def due(self):
            return True

    monkeypatch.setattr(Knowing, "match", counted)
    for module in (index_module, run_panel):
        monkeypatch.setattr(module, "Every", Always)
    click(dock.start_button)
    shown = lambda: dock.panel._growing.map is not None  # noqa: E731
    qtbot.waitUntil(shown, timeout=5000)
    qtbot.waitUntil(lambda: dock.panel._growing.map.done.sum() == 6 * 14, timeout=5000)
    monkeypatch.setattr(Knowing, "match", match)


def test_rows_appear_while_it_runs_and_are_kept(dock, viewer, matcher, monkeypatch, qtbot, gold):
    hold_in_the_middle(dock, matcher, monkeypatch, qtbot)
    (layer,) = maps_of(viewer)
    assert not dock.panel.before.isVisible()  # the bar knows better
    assert (layer.data[1:6, :, 3] == 255).all()
    assert (layer.data[6:, :, 3] == 0).all()
    click(dock.bar._keep)
    matcher.set()
    qtbot.waitUntil(lambda: dock.panel.result is not None, timeout=5000)
    result = dock.panel.result
    assert result.done.sum() in (6 * 14, 7 * 14)
    assert dock.session.orientation_map is result
    np.testing.assert_array_equal(result.quaternions[1:6], gold[1].quaternions[1:6])
    assert maps_of(viewer)[0].metadata["map"] is result


def test_a_run_is_stopped_and_saved_after_its_scan_was_closed(
    dock, viewer, matcher, monkeypatch, qtbot
):
    hold_in_the_middle(dock, matcher, monkeypatch, qtbot)
    viewer.layers.remove(viewer.layers[0])
    qtbot.waitUntil(lambda: "Open a scan first" in dock.told.text())
    assert not dock.start_button.isEnabled()
    click(dock.bar._keep)
    matcher.set()
    qtbot.waitUntil(lambda: dock.panel.result is not None, timeout=5000)
    assert dock.panel.result.done.sum() in (6 * 14, 7 * 14)
    assert maps_of(viewer)[0].metadata["map"] is dock.panel.result
    assert dock.panel.save.isEnabled()


def test_cancel_takes_the_map_away(dock, viewer, matcher, monkeypatch, qtbot, idle):
    hold_in_the_middle(dock, matcher, monkeypatch, qtbot)
    click(dock.bar._cancel)
    matcher.set()
    idle()
    assert maps_of(viewer) == []
    assert dock.panel.result is None
    assert dock.session.orientation_map is None
    assert dock.start_button.isVisible()


def test_a_pause_holds_it_and_colours_chosen_meanwhile_stay(
    dock, viewer, matcher, monkeypatch, qtbot
):
    from napari_orient.crystal.colors import ipf_image
    from napari_orient.plugin.maps.layers import show_direction

    hold_in_the_middle(dock, matcher, monkeypatch, qtbot)
    show_direction(viewer, dock.session.orientation_map, "X")
    click(dock.bar._pause)
    matcher.set()
    qtbot.wait(300)
    assert dock.panel._growing.map.done.sum() < 12 * 14
    click(dock.bar._pause)
    qtbot.waitUntil(lambda: dock.panel.result is not None, timeout=5000)
    assert dock.panel.result.done.all()
    (layer,) = maps_of(viewer)
    np.testing.assert_array_equal(layer.data, ipf_image(dock.panel.result, "X"))


def test_a_map_whose_layer_was_deleted_comes_back(dock, viewer, matcher, monkeypatch, qtbot):
    hold_in_the_middle(dock, matcher, monkeypatch, qtbot)
    viewer.layers.remove(maps_of(viewer)[0])
    matcher.set()
    qtbot.waitUntil(lambda: dock.panel.result is not None, timeout=5000)
    assert maps_of(viewer)[0].metadata["map"] is dock.panel.result


def test_a_region_is_indexed_alone(dock, viewer, qtbot):
    dock.panel.where.setCurrentText(REGION)
    assert dock.panel.before.text() == NO_REGION
    click(dock.start_button)
    assert dock.panel.said.text() == NO_REGION
    click(dock.panel.draw)
    viewer.reset_view()
    qtbot.wait(50)
    canvas, start = pixel_of(viewer, (3, 2))
    _, end = pixel_of(viewer, (6, 7))
    QTest.mouseMove(canvas, start)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(canvas, (start + end) / 2)
    QTest.mouseMove(canvas, end)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    qtbot.waitUntil(lambda: dock.session.region is not None, timeout=3000)
    region = dock.session.region
    assert f"{int(region.sum())} positions" in dock.panel.before.text()
    result = run_to_end(dock, qtbot)
    np.testing.assert_array_equal(result.done, region)
    (layer,) = maps_of(viewer)
    np.testing.assert_array_equal(layer.data[..., 3] == 255, region)
    dock.session.region = np.ones((3, 3), bool)
    click(dock.start_button)
    assert "another shape" in dock.panel.said.text()


# --- what cannot be -----------------------------------------------------------------------------


def test_no_voltage_is_said_and_typed(index, gold, matcher, qtbot):
    known = gold[0].calibration.set(voltage=None)
    dock = index(gold[0].replaced(calibration=known))
    qtbot.waitUntil(lambda: "voltage is unknown" in dock.told.text(), timeout=5000)
    assert dock.form.rows["voltage_kv"].box.text() == "not known"
    assert preview.OVERLAY not in dock.session.overlays
    click(dock.start_button)
    qtbot.waitUntil(lambda: "voltage is unknown" in dock.panel.said.text(), timeout=5000)
    assert not dock.told.isVisible()  # once is enough
    type_into(dock.form.rows["voltage_kv"].box, "200")
    assert not dock.panel.said.isVisible()
    qtbot.waitUntil(lambda: dock.preview.answer is not None, timeout=5000)
    assert not dock.told.isVisible()


def test_a_map_of_nothing_is_explained(dock, matcher, monkeypatch, qtbot):
    match = Knowing.match

    def little(self, patterns, positions=None):
        found = match(self, patterns, positions)
        found.indexed[:] = np.asarray(positions)[:, 0] == 5
        return found

    run_to_end(dock, qtbot)
    assert not dock.panel.said.isVisible()
    monkeypatch.setattr(Knowing, "match", little)
    dock.panel.result = None
    run_to_end(dock, qtbot)
    assert "Only 14 of 168 positions are indexed" in dock.panel.said.text()


def test_no_phase_is_said(index, gold, matcher):
    dock = index(gold[0].replaced(phase=None))
    assert "Choose the phase" in dock.form.phases.said.text()
    click(dock.start_button)
    assert "Choose the phase first" in dock.told.text()


def test_a_file_that_fails_midway_keeps_what_was_found(index, gold, matcher, qtbot, idle):
    class Torn:
        """Rows from 8 on cannot be read."""

        def __init__(self, array):
            self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, 4

        def __getitem__(self, key):
            if isinstance(key[0], slice) and key[0].stop > 8 and key[0].start is not None:
                raise OSError("the drive is gone")
            return self.array[key]

    dock = index(gold[0])
    qtbot.waitUntil(lambda: dock.preview.answer is not None, timeout=20_000)
    torn = Scan(Torn(gold[0].data), gold[0].calibration, name="torn", phase="Au")
    dock.panel.run(torn, dock.config, dock._prepared)
    idle()
    assert "the drive is gone" in dock.panel.said.text()
    assert dock.panel.result.done.any()
    assert not dock.panel.result.done[8:].any()


# --- the real matcher ---------------------------------------------------------------------------


def test_gold_is_indexed_by_mouse(index, gold, viewer, qtbot):
    scan, truth = gold
    dock = index(scan)
    type_into(dock.form.rows["spacing_deg"].box, "2")
    type_into(dock.form.rows["thickness_nm"].box, "20")
    qtbot.waitUntil(lambda: dock.preview.answer is not None, timeout=60_000)
    dock.session.shown = VACUUM
    qtbot.waitUntil(lambda: "not indexed" in dock.preview.summary.text(), timeout=20_000)
    assert dock.preview.table.rowCount() == 0
    assert preview.OVERLAY not in dock.session.overlays
    result = run_to_end(dock, qtbot)
    found = result.indexed
    assert not found[VACUUM]
    assert found.mean() > 0.95
    away = misorientation_angle(
        result.quaternions[found], truth.quaternions[found], truth.phases[0].point_group,
        modulo_beam=True,
    )  # fmt: skip
    assert np.median(away) < 1.0
    assert (away < 5).mean() > 0.85
