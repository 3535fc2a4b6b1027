"""The Train dock, driven by mouse and keys: settings, what is learned from, the run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

import torch  # noqa: E402
from calibrate_examples import click  # noqa: E402
from index_examples import gold_grains  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402

from napari_orient.data.scan import Scan  # noqa: E402
from napari_orient.learning.config import SimulationConfig, TrainConfig  # noqa: E402
from napari_orient.learning.folder import load_model  # noqa: E402
from napari_orient.learning.networks.registry import NETWORKS  # noqa: E402
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer  # noqa: E402
from napari_orient.plugin.train import learn as learn_module  # noqa: E402

SIZE = 16


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def gold():
    scan, truth = gold_grains()
    y, x = np.mgrid[:12, :14]
    truth.properties["Q"] = (y * 2.0).astype(np.float32)
    truth.properties["R"] = (x * 3.0).astype(np.float32)
    return scan, truth


@pytest.fixture
def dock(viewer, open_dock, gold, qtbot, tmp_path):
    """The dock beside a scan with its map; what it trains is small."""
    scan, truth = gold
    data, settings, _ = describe_scan_layer(scan)
    viewer.add_image(data, **settings)
    data, settings, _ = describe_map_layer(truth, "gold, exact")
    viewer.add_image(data, **settings)
    dock = open_dock("Train")
    qtbot.waitUntil(dock.isVisible)
    dock.look.setChecked(False)
    dock.form.network.size.set_value(SIZE)
    dock.form.network.hypotheses.set_value(2)
    rows = dock.form.recipe.rows
    rows["batch"].set_value(16)
    rows["epochs"].set_value(4)
    rows["validate_every"].set_value(2)
    rows["precision"].set_value("float32")
    dock.form.labels.split.set_value("random")
    dock.form._on_changed()
    dock.panel.choose(str(tmp_path / "model"))
    return dock


def type_into(box, text):
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


def simulate(dock, **changes):
    """Learn from few simulated patterns of gold."""
    click(dock.form.simulated)
    values = {**dock.form.simulation.values, "phase": "Au", "validation": 16, **changes}
    dock.form.simulation.set_config(SimulationConfig(**values))
    dock.form.recipe.rows["epoch_patterns"].set_value(32)
    dock.form._on_changed()


def ended(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.bar.is_running, timeout=30_000)


# --- settings -----------------------------------------------------------------------------------


def test_an_empty_window_says_what_to_do(open_dock):
    dock = open_dock("Train")
    assert "Open a scan first" in dock.told.text()
    click(dock.panel.start_button)
    assert not dock.bar.is_running
    assert "Open a scan first" in dock.panel.said.text()


def test_every_network_can_be_chosen_and_brings_its_recipe(dock):
    network, rows = dock.form.network, dock.form.recipe.rows
    labels = [network.name.box.itemText(i) for i in range(network.name.box.count())]
    assert labels == [kind.label for kind in NETWORKS.values()]
    assert dock.form.config.network.head == "mixture"
    rows["batch"].set_value(None)
    for name, kind in NETWORKS.items():
        network.name.box.setCurrentIndex(network.name.box.findData(name))
        assert rows["batch"].box.value() == kind.batch
        assert rows["learning_rate"].box.value() == pytest.approx(kind.learning_rate)
        assert dock.form.config.batch is None  # nobody typed it
        assert network.missing.text().startswith("This network starts") == kind.pretrained
    network.name.box.setCurrentIndex(network.name.box.findData("swin-t-pretrained-model"))
    assert "swin_t-704ceda3.pth" in dock.told.text()
    click(dock.panel.start_button)
    assert not dock.bar.is_running


def test_settings_go_through_a_file(dock, tmp_path):
    simulate(dock, thickness_nm=(12.0, 34.5), overlap=0.25)
    dock.form.network.beam.set_value(True)
    type_into(dock.form.recipe.rows["time_limit_s"].box, "1.5")
    dock.form.recipe.rows["patience"].set_value(7)
    before = dock.form.config
    assert before.time_limit_s == 90
    assert before.modulo == ("beam",)
    path = tmp_path / "train.yaml"
    dock.files.store_to(str(path))
    assert TrainConfig.from_yaml(path) == before
    click(dock.form.from_scan)
    dock.form.recipe.rows["patience"].set_value(None)
    dock.files.load_from(str(path))
    assert dock.form.config == before
    path.write_text("batch: 0")
    dock.files.load_from(str(path))
    assert "train.yaml" in dock.told.text()
    assert dock.form.config == before


# --- what is learned from -----------------------------------------------------------------------


def test_limits_leave_fewer_labels_and_say_so(dock, gold, qtbot):
    labels = dock.form.labels
    assert labels.map is gold[1]
    dock.tabs.setCurrentIndex(1)
    assert labels.kept.text().startswith("<b>100 %</b>")
    type_into(labels.q.box, "12")  # rows 6 to 11
    assert labels.kept.text().startswith("<b>50 %</b> kept: 84 of 168")
    assert dock.form.config.scan.min_q == 12
    labels.r.slider.setValue(labels.r.slider.maximum())  # the last column
    assert "6 of 168" in labels.kept.text()
    labels.r.slider.setValue(0)
    qtbot.waitUntil(lambda: labels.answer is not None, timeout=10_000)
    assert sum(labels.answer.counts) == 84
    assert "fill" in labels.covered.text()
    assert labels.answer.picture.shape[2] == 4
    assert "remembered" in labels.leaks.text()  # the split is at random
    labels.split.box.setCurrentIndex(labels.split.box.findData("grains"))
    assert labels.leaks.text() == ""
    labels.q.set_value(24)
    labels._on_limits()
    assert "No pattern is left" in dock.told.text()
    click(dock.panel.start_button)
    assert not dock.bar.is_running


def test_a_map_of_another_grid_and_closed_layers(dock, viewer, gold):
    from napari_orient.samples import polycrystal_map

    labels = dock.form.labels
    viewer.layers[1].name = "labels"
    assert "labels" in labels.maps.currentText()
    viewer.layers[0].name = "my scan"
    assert labels.scans.currentText() == "my scan"
    other = polycrystal_map((5, 6), 3, "Au", seed=1)
    data, settings, _ = describe_map_layer(other, "other")
    viewer.add_image(data, **settings)
    assert labels.map is gold[1]
    labels.maps.choose(other)
    assert "5 x 6 points, the scan 12 x 14" in dock.told.text()
    viewer.layers.remove(viewer.layers[0])
    assert labels.scan is None
    assert "Open a scan first" in dock.told.text()


def test_limits_of_astar_are_offered_for_its_maps(dock, viewer, gold):
    labels = dock.form.labels
    dock.tabs.setCurrentIndex(1)
    assert not labels.astar.isVisible()
    theirs = replace(gold[1], source="/data/particle.ang")
    data, settings, _ = describe_map_layer(theirs, "of ASTAR")
    viewer.add_image(data, **settings)
    labels.maps.choose(theirs)
    assert labels.astar.isVisible()
    click(labels.astar)
    assert (dock.form.config.scan.min_q, dock.form.config.scan.min_r) == (20, 15)
    assert dock.form.config.scan.labels == "/data/particle.ang"


def test_simulated_patterns_are_shown_beside_those_of_the_scan(dock, gold, qtbot):
    dock.tabs.setCurrentIndex(1)
    simulate(dock)
    view = dock.form.simulation.view
    qtbot.waitUntil(lambda: view.samples is not None, timeout=20_000)
    assert view.samples.simulated.shape == (9, SIZE, SIZE)
    assert view.samples.measured.shape == (3, SIZE, SIZE)
    config = dock.form.config
    assert config.simulation.voltage_kv == 200  # of the scan
    assert config.input.pixel_size == pytest.approx(0.03 * 96 / SIZE)
    before = view.samples
    click(view.again)
    qtbot.waitUntil(lambda: view.samples is not before, timeout=20_000)
    assert not np.array_equal(view.samples.simulated, before.simulated)
    np.testing.assert_array_equal(view.samples.measured, before.measured)
    click(dock.form.simulation.as_scan)
    low, high = dock.form.config.simulation.convergence_mrad
    assert low == pytest.approx(1.0)
    assert high == pytest.approx(1.5)


def test_without_a_scale_nothing_is_simulated(dock, viewer, gold):
    simulate(dock)
    viewer.layers.clear()
    assert "type the pixel" in dock.told.text()
    type_into(dock.form.network.pixel.box, "0.1")
    assert dock.told.text() == ""
    assert dock.form.config.input.pixel_size == pytest.approx(0.1)


# --- the run ------------------------------------------------------------------------------------


def test_a_network_is_trained_from_a_scan_and_handed_on(dock, qtbot, gold, tmp_path):
    dock.look.setChecked(True)
    click(dock.panel.start_button)
    assert dock.bar.is_running
    assert dock.tabs.currentIndex() == 3
    ended(dock, qtbot)
    assert dock.panel.said.text() == ""
    assert [record["round"] for record in dock.curves.history] == [2, 4]
    assert "Round 4" in dock.curves.numbers.text()
    qtbot.waitUntil(lambda: not dock.preview.bar.is_running, timeout=30_000)
    assert dock.preview.found.shape == (12, 14)
    assert "<b>Finished</b>" in dock.panel.done.text()
    model = load_model(tmp_path / "model")
    assert model.phase.name == "Au"
    assert model.scores["test"]["n"] > 0
    assert not dock.curves.picture.pixmap().isNull()
    click(dock.panel.use)
    assert dock.session.model == str(tmp_path / "model")
    # the same folder goes on, with more rounds
    assert dock.panel.resume_button.isVisible()
    click(dock.panel.resume_button)
    assert not dock.bar.is_running
    assert "has had 4 rounds" in dock.panel.said.text()
    dock.form.recipe.rows["epochs"].set_value(6)
    click(dock.panel.resume_button)
    ended(dock, qtbot)
    assert [record["round"] for record in dock.curves.history] == [2, 4, 6]
    # and no other training overwrites it
    click(dock.panel.new)
    assert dock.panel.folder != tmp_path / "model"
    assert dock.panel.start_button.isVisible()


def test_the_loss_moves_between_validations(dock, qtbot, monkeypatch):
    from napari_orient.learning import train
    from napari_orient.plugin.train import curves

    monkeypatch.setattr(train, "_TOLD", 0.1)
    monkeypatch.setattr(curves, "MOST", 6)
    simulate(dock)
    rows = dock.form.recipe.rows
    rows["epochs"].set_value(100_000)
    rows["validate_every"].set_value(100_000)
    dock.form._on_changed()
    click(dock.panel.start_button)
    view = dock.curves
    qtbot.waitUntil(
        lambda: bool(view.losses) and view.losses[-1][0] > 3 and len(view.losses) > 3,
        timeout=30_000,
    )
    assert len(view.losses) <= 6
    rounds = [done for done, _ in view.losses]
    assert rounds == sorted(rounds)
    assert not view.history
    qtbot.waitUntil(lambda: view.picture.pixmap() is not None, timeout=10_000)
    click(dock.bar._keep)
    ended(dock, qtbot)
    qtbot.waitUntil(lambda: len(view.history) == 1)
    dock.panel.choose(dock.panel.line.text())  # the curves of a training that is opened
    assert view.losses == []


def test_stop_and_keep_pause_and_cancel(dock, qtbot, tmp_path):
    simulate(dock)
    rows = dock.form.recipe.rows
    rows["epochs"].set_value(100_000)
    rows["validate_every"].set_value(3)
    dock.form._on_changed()
    click(dock.panel.start_button)
    qtbot.waitUntil(lambda: len(dock.curves.history) > 0, timeout=20_000)
    click(dock.bar._pause)
    qtbot.wait(300)
    seen = len(dock.curves.history)
    qtbot.wait(300)
    assert len(dock.curves.history) == seen
    click(dock.bar._keep)  # also of a training that is held
    ended(dock, qtbot)
    assert "<b>Finished</b>" in dock.panel.done.text()
    assert load_model(tmp_path / "model").scores["test"]["n"] == 16

    dock.panel.choose(str(tmp_path / "second"))
    click(dock.panel.start_button)
    qtbot.waitUntil(lambda: len(dock.curves.history) > 0, timeout=20_000)
    click(dock.bar._cancel)
    ended(dock, qtbot)
    assert "can be resumed" in dock.panel.done.text()
    assert load_model(tmp_path / "second").scores["validation"]["n"] == 16
    assert torch.get_num_threads() == 1  # as it was


def test_a_folder_with_a_training_shows_its_settings(dock, qtbot, tmp_path):
    simulate(dock)
    click(dock.panel.start_button)
    ended(dock, qtbot)
    before = dock.form.config
    click(dock.form.from_scan)
    dock.form.recipe.rows["batch"].set_value(3)
    dock.panel.choose(str(tmp_path / "elsewhere"))
    assert dock.panel.start_button.isVisible()
    dock.panel.choose(str(tmp_path / "model"))
    assert dock.form.config.simulation == before.simulation
    assert dock.form.config.batch == 16
    assert len(dock.curves.history) == 2
    assert "4 of 4 rounds" in dock.panel.holds.text()
    assert dock.panel.resume_button.isVisible()
    # a damaged one is said, and others' files are left alone
    (tmp_path / "model" / "checkpoint.safetensors").write_bytes(b"nothing")
    dock.panel.choose(str(tmp_path / "model"))
    assert "checkpoint.safetensors is damaged" in dock.panel.holds.text()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years")
    dock.panel.choose(str(tmp_path / "other"))
    click(dock.panel.start_button)
    assert "holds other files" in dock.panel.said.text()
    assert not dock.bar.is_running


def test_what_goes_wrong_is_said_and_what_was_found_is_kept(dock, qtbot, tmp_path, monkeypatch):
    import safetensors.torch

    simulate(dock)
    dock.form.recipe.rows["epochs"].set_value(100_000)
    click(dock.panel.start_button)
    qtbot.waitUntil(lambda: len(dock.curves.history) > 0, timeout=20_000)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    ended(dock, qtbot)
    assert "No space left on device" in dock.panel.said.text()
    assert str(tmp_path / "model") in dock.panel.said.text()
    assert dock.panel.resume_button.isVisible()
    assert load_model(tmp_path / "model").scores["validation"]["n"] == 16


def test_constant_patterns_are_refused_in_words(dock, viewer, gold, qtbot):
    scan = gold[0]
    flat = Scan(np.ones_like(scan.data), scan.calibration, name="flat", phase="Au")
    data, settings, _ = describe_scan_layer(flat)
    viewer.add_image(data, **settings)
    dock.form.labels.scans.choose(flat)
    click(dock.panel.start_button)
    ended(dock, qtbot)
    assert "constant" in dock.panel.said.text()
    assert dock.panel.start_button.isVisible()


def test_a_training_that_is_stopped_while_it_reads_begins_not_at_all(gold, tmp_path):
    import threading

    from napari_orient.jobs import run

    config = TrainConfig(
        scan={"scan": "gold", "labels": "exact"}, input={"size": SIZE}, network={"name": "cnn"}
    )
    stop = threading.Event()
    stop.set()
    order = learn_module.Order(config, tmp_path / "m", False, stop, *gold)
    assert run(learn_module.learn(order)) is None
    assert not (tmp_path / "m").exists()


def test_a_dock_that_is_closed_ends_its_training(dock, viewer, qtbot, idle, tmp_path):
    simulate(dock)
    dock.form.recipe.rows["epochs"].set_value(100_000)
    click(dock.panel.start_button)
    qtbot.waitUntil(lambda: len(dock.curves.history) > 0, timeout=20_000)
    viewer.window.remove_dock_widget(dock)
    idle()
    assert load_model(tmp_path / "model").scores["validation"]["n"] == 16
