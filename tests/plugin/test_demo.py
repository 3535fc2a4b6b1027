"""What the demo shows by itself: the predicted map of its scan, its errors, and a volume."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from predict_examples import Knowing, gold_model, gold_scan  # noqa: E402

from napari_orient.plugin import demo, guide  # noqa: E402
from napari_orient.plugin.compare.fields import error_layer  # noqa: E402
from napari_orient.plugin.guide import MOST, Guide, middle  # noqa: E402
from napari_orient.plugin.layers import kind_of  # noqa: E402
from napari_orient.plugin.predict import dock as dock_module  # noqa: E402
from napari_orient.plugin.predict import models  # noqa: E402
from napari_orient.plugin.predict import picker as picker_module  # noqa: E402
from napari_orient.plugin.reconstruct import run_panel  # noqa: E402
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer  # noqa: E402
from napari_orient.reconstruction.config import ReconstructConfig  # noqa: E402
from napari_orient.samples import polycrystal_map  # noqa: E402


@pytest.fixture(scope="module")
def gold():
    return gold_scan()


@pytest.fixture
def ships(monkeypatch):
    """Let other models come with the program."""
    monkeypatch.setattr(dock_module, "SETTLED", 20)  # ms
    monkeypatch.setattr(guide, "LOOKS", 20)
    monkeypatch.setattr(guide, "LINGER", 0.0)

    def shipped(*folders):
        for module in (guide, dock_module, picker_module):
            monkeypatch.setattr(module, "shipped", lambda: list(folders))

    shipped()
    return shipped


@pytest.fixture
def knowing(gold, ships, monkeypatch, tmp_path):
    """The model that comes with the program has seen the scan."""
    model = gold_model(Knowing, tmp_path / "seer").know(*gold)
    monkeypatch.setattr(models, "load_model", lambda folder, device="cpu": model)
    ships(tmp_path / "seer")
    yield model
    model.go.set()


@pytest.fixture
def predict(viewer, gold, ships, open_dock):
    """The Predict dock behind another tab, beside the scan and its exact map."""
    scan, truth = gold
    for data, settings, _ in (describe_scan_layer(scan), describe_map_layer(truth, "exact")):
        viewer.add_image(data, **settings)
    dock = open_dock("Predict")
    viewer.window.add_plugin_dock_widget("napari-orient", "Desk", tabify=True)[0].raise_()
    return dock


def words(viewer):
    shown = viewer.canvas.overlays.text
    return shown.text if shown.visible else ""


def start(viewer, predict, knowing, qtbot):
    """Start the demo; the network answers no more until ``knowing.go.set()``."""
    predict.parent().raise_()
    qtbot.waitUntil(lambda: predict.prepared is not None, timeout=180_000)  # code is compiled
    knowing.go.clear()
    started = Guide(viewer, predict)
    qtbot.waitUntil(lambda: predict.bar.is_running, timeout=10_000)
    return started


def ended(started, qtbot):
    qtbot.waitUntil(lambda: not started.isActive(), timeout=180_000)


def test_the_scan_is_predicted_and_its_errors_are_shown(viewer, predict, knowing, gold, qtbot):
    scan, truth = gold
    started = start(viewer, predict, knowing, qtbot)
    assert "The network seer reads this scan" in words(viewer)
    exact = next(layer for layer in viewer.layers if layer.metadata.get("map") is truth)
    assert predict.in_front
    assert not exact.visible  # the map that grows is seen, not this one through it
    assert predict.bar.is_running
    knowing.go.set()
    ended(started, qtbot)
    found = predict.panel.result
    assert found.done.all()
    np.testing.assert_array_equal(found.indexed, truth.indexed)
    assert [kind_of(layer) for layer in viewer.layers].count("ipf") == 2
    errors = error_layer(viewer)
    assert errors.visible
    assert [layer for layer in viewer.layers if layer.visible] == [errors]
    np.testing.assert_array_equal(np.isfinite(errors.data), truth.indexed)
    assert errors.name == f"Misorientation (°): {scan.name}, seer against exact"
    for colour in ("blue, none", "yellow, 10° or more", "black, no answer"):
        assert colour in words(viewer)
    errors.visible = False
    assert words(viewer) == ""


def test_of_a_large_scan_the_middle_is_predicted(viewer, predict, knowing, qtbot, monkeypatch):
    monkeypatch.setattr(guide, "MOST", 4)
    zoom = viewer.scene.camera.zoom
    started = Guide(viewer, predict)
    ended(started, qtbot)
    assert not predict.in_front  # but Compare is
    found = predict.panel.result
    wanted = np.zeros((6, 8), bool)
    wanted[1:5, 2:6] = True
    np.testing.assert_array_equal(found.done, wanted)
    assert np.isfinite(error_layer(viewer).data[~wanted]).sum() == 0
    assert predict.session.region is None  # the user's own
    assert predict.panel.where.currentIndex() == 0
    assert viewer.scene.camera.zoom > zoom


def test_the_middle_of_scans_that_are_narrow():
    assert middle((200, 60)).sum() == MOST * 60
    assert middle((200, 60))[60:140].all()


def test_a_missing_model_is_said_on_the_canvas(viewer, predict, qtbot):
    started = Guide(viewer, predict)
    ended(started, qtbot)
    assert "No trained model comes with this copy" in words(viewer)
    assert predict.in_front
    assert error_layer(viewer) is None


def test_a_model_that_cannot_read_the_scan_is_said(viewer, predict, ships, tmp_path, qtbot):
    (tmp_path / "empty").mkdir()
    ships(tmp_path / "empty")
    started = Guide(viewer, predict)
    ended(started, qtbot)
    assert "the Predict dock says why" in words(viewer)
    assert "model.safetensors is missing" in predict.told.text()


def test_a_prediction_that_is_stopped_ends_the_demo(viewer, predict, knowing, qtbot):
    started = start(viewer, predict, knowing, qtbot)
    predict.bar.cancel()
    knowing.go.set()
    ended(started, qtbot)
    assert words(viewer).startswith("Stopped")
    assert error_layer(viewer) is None


def test_a_closed_dock_ends_the_demo(viewer, predict, knowing, qtbot, idle):
    started = start(viewer, predict, knowing, qtbot)
    gone = []
    started.destroyed.connect(lambda: gone.append(1))
    viewer.window.remove_dock_widget(predict)
    knowing.go.set()
    qtbot.waitUntil(lambda: bool(gone), timeout=10_000)
    idle()


def test_a_volume_grows_from_the_map_with_most_points(viewer, monkeypatch, tmp_path, qtbot):
    monkeypatch.setenv("NAPARI_ORIENT_DATA", str(tmp_path))
    monkeypatch.setattr(run_panel, "ASIDE", False)
    short = {"size": (12, 12, 12), "window": 5, "evaluations": 4, "consolidate": False}
    monkeypatch.setattr(guide, "VOLUME", ReconstructConfig(**short, levels=1, scales=1, threads=1))
    monkeypatch.setattr(guide, "WIDE", 2.5)
    large, small = (polycrystal_map((n, n), n * n // 16, "Ni", seed=1) for n in (64, 40))
    for one, name in ((large, "large"), (small, "small")):
        data, settings, _ = describe_map_layer(one, name)
        viewer.add_image(data, **settings)
    for awaited in guide.reconstructing(viewer):
        qtbot.waitUntil(awaited, timeout=60_000)
    dock = viewer.window.dock_widgets["Reconstruct (napari-orient)"]
    result = dock.panel.result
    assert dock.reference.map is large
    assert result.shape == (12, 12, 12)
    assert result.step == (2.0,) * 3  # grains are two points wide
    assert [x for x in viewer.layers if x.visible] == [dock.growing.layer]
    assert words(viewer).startswith("Done")


def test_the_demo_has_a_tab_for_predict():
    assert "Predict" in demo.DOCKS
