"""A network's answers over a scan, and their check against the patterns."""

import dataclasses

import numpy as np
import pytest
import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    beam_operator,
    from_axis_angle,
    misorientation_angle,
    multiply,
    random_orientations,
)
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction.polycrystal import PolycrystalConfig, simulate_scan
from napari_orient.jobs import Partial, run
from napari_orient.learning.config import (
    InputConfig,
    NetworkConfig,
    SimulationConfig,
    TrainConfig,
)
from napari_orient.learning.folder import Model
from napari_orient.learning.heads import Head, Prediction
from napari_orient.learning.nearby import lattice
from napari_orient.learning.patterns import network_images
from napari_orient.learning.predict import PredictConfig, build_predictor, predict_scan

SEEN = InputConfig(size=32, pixel_size=0.08)


@pytest.fixture(scope="module")
def world():
    config = PolycrystalConfig(
        shape=(6, 8), grains=7, boundary_px=0.0, phases=("Au",), vacuum_share=0.2, seed=3,
        pattern_shape=(96, 96), pixel_size=0.027, spot_share=0.05,
    )  # fmt: skip
    return run(simulate_scan(config))


class Knowing(Model):
    """Has seen the scan: the truth is its second answer, 2 degrees off."""

    def know(self, scan, truth):
        patterns = scan.read(slice(None)).reshape(-1, *scan.pattern_shape)
        table = network_images(patterns, self.config.input, scan.calibration)
        q = truth.quaternions.reshape(-1, 4)
        near = multiply(q, from_axis_angle(np.array([1.0, 2.0, 0.5]), 2.0))
        wrong = random_orientations(len(q), seed=1)
        object.__setattr__(self, "table", table.reshape(len(q), -1))
        object.__setattr__(self, "said", np.stack([wrong, near], axis=1))
        return self

    def predict(self, images):
        flat = images.reshape(len(images), -1)
        rows = ((flat[:, None] - self.table[None]) ** 2).sum(-1).argmin(1)
        odds = np.tile([0.7, 0.3], (len(rows), 1))
        return Prediction(self.said[rows], odds, np.tile([3.0, 1.5], (len(rows), 1)))


def model(kind=Model, seen=SEEN, **facts):
    config = TrainConfig(
        network=NetworkConfig(name="cnn", hypotheses=2), input=seen,
        simulation=SimulationConfig(phase="Au") if seen.pixel_size else None,
        scan=None if seen.pixel_size else {"scan": "a", "labels": "b"},
    )  # fmt: skip
    phase = get_phase("Au")
    head = Head(config.network, phase)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(seen.size**2, head.outputs))
    return kind(network, head, config, phase, {}, {"voltage_kv": 300.0, **facts})


def errors(found, truth):
    return misorientation_angle(found.quaternions, truth.quaternions, get_phase("Au").point_group)


def test_the_answer_is_taken_or_refined(world):
    scan, truth = world
    knowing = model(Knowing).know(scan, truth)
    there = truth.indexed
    made = {
        answer: run(predict_scan(scan, knowing, PredictConfig(answer=answer)))
        for answer in ("network", "refine")
    }
    assert np.median(errors(made["network"], truth)[there]) > 10
    refined = misorientation_angle(
        made["refine"].quaternions, truth.quaternions, get_phase("Au").point_group, modulo_beam=True
    )[there]
    assert np.median(refined) < 0.4
    for found in made.values():
        assert not found.indexed[~there].any()  # vacuum
        np.testing.assert_allclose(found.properties["probability"], 70, atol=1e-4)
        np.testing.assert_allclose(found.properties["spread"], 3, atol=1e-6)
        assert found.provenance["task"] == "predict"
        assert found.provenance["model"] == knowing.about()
        assert found.done.all()
    q = [np.median(made[a].properties["Q"][there]) for a in ("network", "refine")]
    assert q[0] < q[1]  # how well it fits is measured, not claimed


def test_more_answers_than_are_kept_do_no_harm(world):
    scan, truth = world
    knowing = model(Knowing).know(scan, truth)
    for answer in ("network", "refine"):
        found = run(predict_scan(scan, knowing, PredictConfig(answer=answer, candidates=1)))
        assert found.candidates.quaternions.shape[-2] == 1


def test_rows_stream_and_a_region_is_kept_to(world):
    scan, truth = world
    region = np.zeros(scan.scan_shape, bool)
    region[1:3, 2:5] = True
    events = []
    found = run(predict_scan(scan, model(Knowing).know(scan, truth), region=region), events.append)
    np.testing.assert_array_equal(found.done, region)
    assert any(isinstance(event, Partial) for event in events)
    with pytest.raises(ValueError, match="empty"):
        run(predict_scan(scan, model(), region=np.zeros(scan.scan_shape, bool)))


def test_an_untrained_network_is_not_believed(world):
    scan, _truth = world
    torch.manual_seed(0)
    found = run(predict_scan(scan, model(), PredictConfig(answer="network")))
    assert found.indexed.mean() < 0.4


def quantity(value, unit):
    return Quantity(value=value, unit=unit, source="typed")


def calibration(**changes):
    known = {
        "pixel_size": quantity((0.027, 0.027), "1/angstrom"),
        "centre": quantity((48.0, 48.0), "px"),
        "voltage": quantity(300.0, "kV"),
    }
    return Calibration(**{**known, **changes})


def test_scans_that_do_not_fit_are_refused_with_the_cure():
    def build(known, **options):
        return build_predictor(model(**options), known, (96, 96), PredictConfig())

    with pytest.raises(ValueError, match=r"300 kV.*200 kV.*train a model"):
        build(calibration(voltage=quantity(200.0, "kV")))
    with pytest.raises(ValueError, match="pixel size"):
        build(calibration(pixel_size=None))
    with pytest.raises(ValueError, match=r"the detector shows \d+ % of that"):
        build(calibration(pixel_size=quantity((0.01, 0.01), "1/angstrom")))
    with pytest.raises(ValueError, match="voltage"):
        build(calibration(voltage=None))
    assert build(calibration()).remarks


def test_a_model_of_whole_patterns_needs_no_calibration_but_says_what_that_costs():
    whole = InputConfig(size=32)
    made = build_predictor(
        model(seen=whole), Calibration(), (96, 96), PredictConfig(answer="refine")
    )
    assert "not checked against the patterns" in made.remarks[0]
    assert made.config.answer == "network"
    found = made.match(np.random.default_rng(0).poisson(5, (3, 96, 96)))
    assert found.indexed.all()
    assert np.isnan(found.q).all()
    assert not made.match(np.zeros((2, 96, 96))).indexed.any()  # constant patterns
    with pytest.raises(ValueError, match="camera length"):
        build_predictor(
            model(seen=whole, pixel_size=0.05), calibration(), (96, 96), PredictConfig()
        )


def test_no_pattern_and_bad_ones(world):
    scan, _ = world
    made = build_predictor(model(), scan.calibration, scan.pattern_shape, PredictConfig())
    patterns = np.full((3, *scan.pattern_shape), np.nan)
    patterns[1] = 0
    patterns[2] = np.inf
    found = made.match(patterns)
    assert not found.indexed.any()
    assert len(made.match(patterns[:0]).q) == 0


def test_half_a_turn_that_a_network_cannot_tell_is_decided_by_the_pattern(world):
    scan, truth = world
    knowing = model(Knowing).know(scan, truth)
    object.__setattr__(knowing, "said", multiply(knowing.said, beam_operator()))
    found = run(predict_scan(scan, knowing))
    there = truth.indexed & (found.properties["ambiguous"] == 0)
    assert there.sum() > 10
    assert (errors(found, truth)[there] < 1).mean() > 0.7  # one grain of seven may stay wrong


def test_it_is_computed_where_the_settings_say(monkeypatch):
    from napari_orient.learning import predict

    read = model()
    known = calibration()
    made = build_predictor(read, known, (96, 96), PredictConfig(device="cpu"))
    assert made.model is read
    # no card is needed to see that a copy is moved: "meta" has no numbers
    monkeypatch.setattr(predict, "pick_device", lambda asked: "meta" if asked == "cuda" else "cpu")
    made = build_predictor(read, known, (96, 96), PredictConfig(device="cuda"))
    assert {p.device.type for p in made.model.network.parameters()} == {"meta"}
    assert {p.device.type for p in read.network.parameters()} == {"cpu"}


def test_a_device_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="take device 'auto' or 'cpu'"):
        build_predictor(model(), calibration(), (96, 96), PredictConfig(device="cuda"))


def test_half_a_turn_is_tried_where_the_network_has_not_learned_it(world):
    """A crystal that leans: its half turn, refined, is far from the right orientation."""
    scan, truth = world
    knowing = model(Knowing).know(scan, truth)
    q = truth.quaternions.reshape(-1, 4)
    near = multiply(multiply(q, from_axis_angle(np.array([1.0, 2.0, 0.5]), 1.5)), beam_operator())
    object.__setattr__(knowing, "said", np.stack([near, near], axis=1))
    beam = dataclasses.replace(
        knowing, config=knowing.config.model_copy(update={"modulo": ("beam",)})
    )
    object.__setattr__(beam, "table", knowing.table)
    object.__setattr__(beam, "said", knowing.said)
    there = truth.indexed
    right = [
        (errors(run(predict_scan(scan, one)), truth)[there] < 1).mean() for one in (knowing, beam)
    ]
    assert right[0] < right[1] - 0.1, right
    assert right[1] > 0.8


def test_the_grid_around_an_answer_holds_its_reach():
    around = lattice(2.0, 3.0)
    angle = np.degrees(2 * np.arccos(np.clip(around[:, 0], -1, 1)))
    assert len(around) == 27
    assert angle[0] == 0
    assert angle.max() <= 3.0 + 1e-6
    rng = np.random.default_rng(0)
    inside = from_axis_angle(rng.normal(size=(500, 3)), rng.uniform(0, 2.5, 500))
    away = 2 * np.degrees(np.arccos(np.clip(np.abs(inside @ around.T).max(1), 0, 1)))
    assert away.max() < 1.2  # nowhere farther from one of them
