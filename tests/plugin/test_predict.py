"""The Predict dock, driven by mouse and keys: a model, its fit, the run, and what it is worth."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from calibrate_examples import click  # noqa: E402
from predict_examples import Knowing, gold_folder, gold_model, gold_scan  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QFileDialog  # noqa: E402

from napari_orient.crystal.rotations import misorientation_angle  # noqa: E402
from napari_orient.data.scan import Calibration, Quantity, Scan  # noqa: E402
from napari_orient.diffraction.matching import index as index_module  # noqa: E402
from napari_orient.learning.predict import PredictConfig  # noqa: E402
from napari_orient.plugin.layers import KEY, kind_of  # noqa: E402
from napari_orient.plugin.predict import dock as dock_module  # noqa: E402
from napari_orient.plugin.predict import models, preview  # noqa: E402
from napari_orient.plugin.predict import picker as picker_module  # noqa: E402
from napari_orient.plugin.predict.form import ANSWERS  # noqa: E402
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer  # noqa: E402
from napari_orient.plugin.sessions import get_session  # noqa: E402


@pytest.fixture(scope="module")
def gold():
    return gold_scan()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return gold_folder(tmp_path_factory.mktemp("models") / "gold")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(dock_module, "SETTLED", 20)  # ms: nobody types here
    monkeypatch.setattr(dock_module, "shipped", list)
    monkeypatch.setattr(picker_module, "shipped", list)


@pytest.fixture
def knowing(gold, monkeypatch, tmp_path):
    """The model of every folder has seen the scan."""
    model = gold_model(Knowing, tmp_path / "seer").know(*gold)
    monkeypatch.setattr(models, "load_model", lambda folder: model)
    monkeypatch.setattr(index_module, "_BATCH", 8)  # a row at a time
    yield model
    model.go.set()


@pytest.fixture
def show(viewer):
    def shown(scan):
        data, settings, _ = describe_scan_layer(scan)
        viewer.add_image(data, **settings)

    return shown


@pytest.fixture
def dock(gold, knowing, show, viewer, open_dock, qtbot):
    show(gold[0])
    open_dock("Pattern")
    made = open_dock("Predict")
    qtbot.waitUntil(lambda: made.in_front)
    made.form.rows["threads"].set_value(1)
    made.open_model(str(knowing.folder))
    qtbot.waitUntil(lambda: made.preview.answer is not None, timeout=60_000)
    return made


def maps_of(viewer):
    return [layer for layer in viewer.layers if kind_of(layer) == "ipf"]


def run_to_end(dock, qtbot):
    click(dock.start_button)
    qtbot.waitUntil(lambda: dock.panel.result is not None, timeout=30_000)
    qtbot.waitUntil(lambda: not dock.bar.is_running)
    return dock.panel.result


def show_truth(viewer, truth):
    data, settings, _ = describe_map_layer(truth, "truth")
    return viewer.add_image(data, **settings)


# --- the model ----------------------------------------------------------------------------------


def test_an_empty_window_says_what_to_do(open_dock):
    dock = open_dock("Predict")
    assert "Open a scan first" in dock.told.text()
    assert "Choose a model" in dock.picker.facts.text()
    assert not dock.start_button.isEnabled()
    assert not dock.picker.card.isEnabled()


def test_a_folder_is_chosen_and_says_what_it_is(open_dock, folder, qtbot, monkeypatch):
    dock = open_dock("Predict")
    asked = []

    def ask(parent, title, start):
        asked.append(start)
        return str(folder)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", ask)
    box = dock.picker.box
    box.setCurrentIndex(box.count() - 1)
    box.activated.emit(box.currentIndex())
    qtbot.waitUntil(lambda: dock.picker.card.isEnabled(), timeout=20_000)
    assert box.currentText() == "gold"
    assert dock.session.model == str(folder)
    said = dock.picker.facts.text()
    for part in (
        "<b>Au</b>", "CNN", "32\u00a0×\u00a032 pixels to 1.3\u00a01/Å", "300 kV",
        "Learned from simulated patterns", "Not validated on experimental patterns",
        "median error 4.2°, 62 % within 5°", "2.5°, 81 %",
    ):  # fmt: skip
        assert part in said, part
    click(dock.picker.card)
    text = dock.picker.dialog.findChild(picker_module.QTextBrowser).toPlainText()
    assert "Licence" in text
    assert "nothing yet" in text
    dock.picker.dialog.close()
    dock.picker.ask()
    assert asked[1] == str(folder.parent)  # remembered


def test_what_is_no_model_is_refused_and_the_old_one_stays(open_dock, folder, qtbot, tmp_path):
    dock = open_dock("Predict")
    dock.session.model = str(folder)  # a training has ended
    qtbot.waitUntil(lambda: dock.picker.card.isEnabled(), timeout=20_000)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "net.pt").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    gold_folder(broken)
    (broken / "model.safetensors").write_bytes(b"no tensors")
    for name, words in (
        ("net.pt", ("net.pt", "pickle", "safetensors")),
        ("old", ("net.pt", "pickle", "train it here")),
        ("empty", ("empty", "model.safetensors is missing", "Choose the folder of a training")),
        ("broken", ("model.safetensors", "no readable safetensors file", "Copy it again")),
    ):
        dock.told.clear()
        dock.open_model(str(tmp_path / name))
        qtbot.waitUntil(lambda: bool(dock.told.text()), timeout=10_000)
        for word in words:
            assert word in dock.told.text()
        assert dock.picker.box.currentText() == "gold"
        assert dock.session.model == str(folder)


def test_a_model_of_a_training_is_taken_over_also_when_it_is_trained_anew(
    open_dock, viewer, folder, qtbot
):
    get_session(viewer).model = str(folder)
    dock = open_dock("Predict")
    qtbot.waitUntil(lambda: dock._model is not None, timeout=20_000)
    before = dock._model
    dock.session.model = None
    assert dock._model is before
    dock.session.model = str(folder)
    qtbot.waitUntil(lambda: dock._model is not before, timeout=20_000)


# --- the fit ------------------------------------------------------------------------------------


def changed(scan, **changes):
    known = scan.calibration.model_copy(update=changes)
    return Scan(scan.data, Calibration(**dict(known)), name="other", phase=scan.phase)


def quantity(value, unit):
    return Quantity(value=value, unit=unit, source="typed")


def test_a_scan_that_does_not_fit_is_told_before_a_run(dock, gold, show, qtbot):
    scan, _ = gold
    assert dock.fit.text().startswith(f"Fits {scan.name}.")
    assert dock.start_button.isEnabled()
    for changes, words in (
        ({"voltage": quantity(200.0, "kV")}, ("300 kV", "200 kV", "train a model")),
        (
            {"pixel_size": quantity((0.01, 0.01), "1/angstrom")},
            ("the detector shows", "pixel size", "train a model"),
        ),
        ({"pixel_size": None}, ("pixel size is unknown", "beside Pixel, under Model")),
    ):
        show(changed(scan, **changes))
        qtbot.waitUntil(lambda: bool(dock.told.text()), timeout=20_000)
        for word in words:
            assert word in dock.told.text()
        assert dock.fit.text() == ""
        assert not dock.start_button.isEnabled()
    show(changed(scan, centre=None))
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=20_000)
    assert "Exploratory" in dock.doubts.text()


def test_what_the_scan_does_not_know_is_asked_for(dock, gold, show, qtbot):
    rows = dock.form.rows
    assert not rows["voltage_kv"].isVisible()
    assert not rows["pixel_size"].isVisible()
    show(changed(gold[0], voltage=None))
    qtbot.waitUntil(lambda: "voltage is unknown" in dock.told.text(), timeout=20_000)
    assert "beside Voltage, under Model" in dock.told.text()
    assert rows["voltage_kv"].isVisible()
    assert not rows["pixel_size"].isVisible()
    box = rows["voltage_kv"].box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "300")
    QTest.keyClick(box, Qt.Key.Key_Return)
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=20_000)
    assert dock.config.voltage_kv == 300


def test_another_phase_is_doubted(dock, gold, show, qtbot):
    scan, _ = gold
    assert dock.doubts.text() == ""
    show(Scan(scan.data, scan.calibration, name="iron", phase="Fe"))
    assert "names its phase Fe" in dock.doubts.text()
    assert "knows Au alone" in dock.doubts.text()


def test_settings_have_words_and_bounds(dock):
    form = dock.form
    assert set(form.rows) == set(PredictConfig.model_fields) - {"answer"}
    for name in ANSWERS:
        form.answer.setCurrentIndex(form.answer.findData(name))
        assert dock.config.answer == name
        assert form.answer.toolTip() == ANSWERS[name][1]
    wanted = PredictConfig(
        answer="network", thickness_nm=12, levelling=0.4, candidates=3, min_q=20, memory_mb=500,
        threads=2, device="cpu",
    )  # fmt: skip
    form.set_config(wanted)
    assert form.config == wanted
    assert not form.rows["thickness_nm"].isVisible()
    click(form.more)
    assert form.rows["thickness_nm"].isVisible()


def test_settings_go_through_a_file(dock, tmp_path):
    wanted = PredictConfig(answer="network", thickness_nm=12, voltage_kv=200, min_q=20, threads=2)
    dock.form.set_config(wanted)
    dock.files.store_to(str(tmp_path / "predict.yaml"))
    assert PredictConfig.from_yaml(tmp_path / "predict.yaml") == wanted
    dock.form.set_config(PredictConfig())
    dock.files.load_from(str(tmp_path / "predict.yaml"))
    assert dock.config == wanted
    assert dock.form.rows["voltage_kv"].isVisible()  # the scan knows another one, which is not used
    (tmp_path / "bad.yaml").write_text("answers: network\n")
    dock.files.load_from(str(tmp_path / "bad.yaml"))
    assert "bad.yaml" in dock.told.text()
    assert dock.config == wanted


# --- the pattern under the cursor ---------------------------------------------------------------


def test_the_pattern_has_the_answers_in_words_and_drawn(dock, gold, qtbot):
    scan, truth = gold
    at = tuple(int(i) for i in np.argwhere(truth.indexed)[10])
    dock.session.shown = at
    qtbot.waitUntil(lambda: f"Scan y {at[0]}, x {at[1]}" in dock.preview.told.text(), timeout=5000)
    spread = dock._model.spread.reshape(scan.scan_shape)[at]
    said = dock.preview.sure.text()
    assert f"The network: 70 % sure, off by {spread:.1f}° on average by its own account; Q" in said
    answer = dock.preview.answer
    group = truth.phases[0].point_group
    off = misorientation_angle(
        answer.lines[0].quaternion, truth.quaternions[at], group, modulo_beam=True
    )
    assert off < 1
    assert [line.name[:4] for line in answer.lines] == ["map", "70 %", "30 %"]
    assert answer.lines[1].q < answer.lines[2].q < answer.lines[0].q
    drawn = dock.session.overlays[preview.OVERLAY]
    assert len(drawn.spots) > 2
    assert len(drawn.curves) == 1  # what the network looks at
    width = np.ptp(drawn.curves[0][:, 1])
    assert width == pytest.approx(32 * 0.08 / 0.027)
    dock.tabs.setCurrentIndex(1)
    table = dock.preview.table
    assert table.rowCount() == 3
    place = table.visualItemRect(table.item(1, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: dock.session.overlays[preview.OVERLAY] is not drawn, timeout=5000)
    assert "the answer “70 %" in dock.preview.told.text()
    vacuum = tuple(int(i) for i in np.argwhere(~truth.indexed)[0])
    dock.session.shown = vacuum
    qtbot.waitUntil(lambda: "Not indexed" in dock.preview.sure.text(), timeout=5000)
    dock.tabs.setCurrentIndex(0)
    assert "not indexed" in dock.preview.summary.text()


def test_the_spots_leave_with_the_dock(dock, viewer, qtbot):
    session = dock.session
    assert preview.OVERLAY in session.overlays
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: preview.OVERLAY not in session.overlays)


# --- the run ------------------------------------------------------------------------------------


def test_a_map_fills_in_and_says_who_made_it(dock, gold, viewer, knowing, qtbot, tmp_path):
    scan, truth = gold
    assert "48 positions take" in dock.panel.before.text()
    found = run_to_end(dock, qtbot)
    (layer,) = maps_of(viewer)
    assert layer.name == f"{scan.name}, seer IPF-Z"
    assert layer.metadata["map"] is found is dock.session.orientation_map
    note = layer.metadata[KEY]["provenance"]
    assert note["task"] == "predict"
    assert note["model"]["name"] == "seer"
    assert note["model"]["phase"] == "Au"
    assert note["config"]["answer"] == "refine"
    assert found.done.all()
    there = truth.indexed & found.indexed
    group = truth.phases[0].point_group
    off = misorientation_angle(
        found.quaternions[there], truth.quaternions[there], group, modulo_beam=True
    )
    assert np.median(off) < 0.5
    assert not found.indexed[~truth.indexed].any()
    assert {"Q", "probability", "spread"} <= set(found.properties)
    run_to_end(dock, qtbot)
    qtbot.waitUntil(lambda: len(maps_of(viewer)) == 2)


def test_a_run_is_paused_stopped_and_kept_or_thrown_away(dock, viewer, knowing, qtbot, idle):
    passed = []
    hold = knowing.go

    class Gate:
        """Lets three batches through."""

        def wait(self, seconds):
            passed.append(1)
            if len(passed) > 3:
                hold.wait(seconds)

        def set(self):
            hold.set()

    object.__setattr__(knowing, "go", Gate())
    hold.clear()
    click(dock.start_button)
    qtbot.waitUntil(lambda: dock.panel.fraction_done > 0, timeout=10_000)
    assert 0 < dock.panel.fraction_done < 1
    assert len(maps_of(viewer)) == 1
    click(dock.bar._pause)
    assert dock.bar._pause.text() == "Resume"
    click(dock.bar._pause)
    click(dock.bar._keep)
    hold.set()
    qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=10_000)
    kept = dock.panel.result
    assert 0 < kept.done.mean() <= 1
    assert kept.provenance["model"]["name"] == "seer"
    idle()
    hold.clear()
    passed.clear()
    click(dock.start_button)
    qtbot.waitUntil(lambda: len(maps_of(viewer)) == 2, timeout=10_000)
    click(dock.bar._cancel)
    hold.set()
    qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=10_000)
    assert len(maps_of(viewer)) == 1
    assert dock.panel.result is kept


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory as Linux counts it")
def test_runs_that_are_stopped_leave_a_map_and_no_memory(
    dock, gold, viewer, show, qtbot, monkeypatch
):
    scan, _ = gold
    monkeypatch.setattr(index_module, "_BATCH", 64)
    data = np.tile(scan.data, (11, 8, 1, 1))[:64, :64]  # 75 MB
    show(Scan(data, scan.calibration, name="large", phase=scan.phase))
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=20_000)

    def stopped(button):
        click(dock.start_button)
        qtbot.waitUntil(lambda: dock.panel.fraction_done > 0.05, timeout=60_000)
        click(button)
        qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=30_000)
        gc.collect()

    stopped(dock.bar._keep)  # the first one also loads and compiles
    kept = dock.panel.result
    assert 0 < kept.done.mean() < 1
    assert np.isfinite(kept.properties["Q"][kept.indexed]).all()
    np.testing.assert_allclose(np.linalg.norm(kept.quaternions, axis=-1), 1, atol=1e-6)
    assert (maps_of(viewer)[0].data[~kept.done][:, 3] == 0).all()  # transparent
    layers, seen = len(viewer.layers), [memory_mb()]
    for _ in range(3):
        stopped(dock.bar._cancel)
        seen.append(memory_mb())
        assert len(viewer.layers) == layers
        assert dock.panel.result is kept
    assert seen[-1] - seen[0] < 60  # of 400 MB that a run may take, and 75 of a copy of the scan


def memory_mb():
    """Return what this process holds, without what the C library keeps for the next one."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # each new thread has an arena, up to 16
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_region_is_kept_to(dock, gold, qtbot):
    region = np.zeros(gold[0].scan_shape, bool)
    region[1:3, 2:6] = True
    dock.panel.where.setCurrentIndex(1)
    assert "predict the whole scan" in dock.panel.before.text()
    dock.session.region = region
    assert "8 positions" in dock.panel.before.text()
    found = run_to_end(dock, qtbot)
    np.testing.assert_array_equal(found.done, region)


# --- what it is worth ---------------------------------------------------------------------------


def test_certainty_is_judged_by_labels_and_compare_opens_on_the_pair(
    dock, gold, viewer, open_dock, qtbot
):
    _, truth = gold
    assert not dock.panel.compare.isEnabled()
    found = run_to_end(dock, qtbot)
    click(dock.panel.compare)
    assert "No map of this scan" in dock.panel.said.text()
    show_truth(viewer, truth)
    assert dock.trust.labels.chosen is truth
    assert dock.panel.said.text() == ""
    dock.tabs.setCurrentIndex(2)
    qtbot.waitUntil(lambda: dock.trust.trust is not None, timeout=20_000)
    made = dock.trust.trust
    both = found.indexed & truth.indexed
    assert made.strict.n.sum() == both.sum()
    np.testing.assert_allclose(
        np.average(made.strict.stated, weights=made.strict.n),
        found.properties["probability"][both].mean() / 100,
        rtol=1e-5,
    )
    assert "By its own account right in" in dock.trust.said.text()
    assert "was refined" in dock.trust.said.text()
    assert dock.trust.picture.isVisible()
    click(dock.trust.layer)
    layer = viewer.layers[-1]
    assert layer.metadata[KEY]["config"] == {"property": "probability"}
    click(dock.panel.compare)
    compare = open_dock("Compare")
    qtbot.waitUntil(lambda: compare.comparison is not None, timeout=20_000)
    assert compare.comparison.reference is truth
    assert compare.comparison.other is found
    assert compare.in_front


def test_a_predicted_map_from_a_file_is_judged_too(dock, gold, viewer, qtbot):
    _, truth = gold
    found = run_to_end(dock, qtbot)
    viewer.layers.remove(maps_of(viewer)[0])
    assert dock.trust.predicted is None
    assert not dock.panel.compare.isEnabled()
    again = dataclasses.replace(found)
    data, settings, _ = describe_map_layer(again, "again")
    viewer.add_image(data, **settings)
    assert dock.trust.predicted is again
    show_truth(viewer, truth)
    assert dock.trust.predicted is again
    assert dock.trust.labels.chosen is truth
