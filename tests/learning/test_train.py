"""The loop that trains, its checkpoints, and the folder of a model."""

import json
import threading
import time

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import misorientation_angle, random_orientations
from napari_orient.files import UnreadableFile
from napari_orient.jobs import Partial, Progress, run
from napari_orient.learning.batches import Labelled, Simulated
from napari_orient.learning.config import (
    InputConfig,
    NetworkConfig,
    SimulationConfig,
    TrainConfig,
)
from napari_orient.learning.folder import load_model
from napari_orient.learning.train import CHECKPOINT, train

SIZE = 16


def config(head="euler", **changes):
    settings = {
        "network": NetworkConfig(name="cnn", head=head, hypotheses=2),
        "input": InputConfig(size=SIZE, pixel_size=0.1),
        "simulation": SimulationConfig(phase="Au", validation=16),
        "batch": 16,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "epochs": 4,
        "epoch_patterns": 32,
        "validate_every": 2,
        "target_r2": None,
        "precision": "float32",
    }
    return TrainConfig(**{**settings, **changes})


def labelled(n=96, seed=0):
    """Patterns that tell their orientation: six bright bars."""
    q = random_orientations(n, seed)
    images = np.zeros((n, SIZE, SIZE), np.float16)
    images[:, :4, :] = (q[:, :, None] + 1) / 2
    part = np.repeat([0, 1, 2], [n - n // 3, n // 6, n // 3 - n // 6]).astype(np.int8)
    return Labelled(
        images, q, part, get_phase("Au"), "made up patterns", facts={"voltage_kv": 300.0}
    )


def weights(folder):
    return {n: v.clone() for n, v in load_model(folder).network.state_dict().items()}


@pytest.mark.parametrize("head", ["euler", "rotation", "mixture"])
def test_a_network_learns_and_is_kept(tmp_path, head):
    events = []
    settings = config(head, epochs=12, validate_every=6)
    made = run(train(settings, tmp_path / "m", patterns=labelled()), events.append)
    history = [e.value for e in events if isinstance(e, Partial)][-1]
    assert [record["round"] for record in history] == [6, 12]
    assert history[1]["train_loss"] < history[0]["train_loss"]
    assert any("of 12" in e.text or e.step for e in events if isinstance(e, Progress))
    again = load_model(tmp_path / "m")
    images = labelled().images[:8].astype(np.float32)
    for a, b in zip(made.predict(images), again.predict(images), strict=True):
        np.testing.assert_array_equal(a, b)
    assert set(again.scores) == {"validation", "test"}
    assert again.scores["test"]["n"] == 16
    assert again.facts == {"voltage_kv": 300.0}
    assert again.phase.name == "Au"
    card = (tmp_path / "m" / "card.md").read_text()
    assert "made up patterns" in card
    assert "## Scores, test" in card


def test_simulated_patterns_are_new_each_round_and_the_same_again(tmp_path):
    one, two = (run(train(config(), tmp_path / n)) for n in "ab")
    for name, value in one.network.state_dict().items():
        torch.testing.assert_close(value, two.network.state_dict()[name], rtol=0, atol=0)
    other = run(train(config(seed=1), tmp_path / "c"))
    assert (
        not torch.equal(
            other.network.state_dict()["fc1.weight"], one.network.state_dict()["fc1.weight"]
        )
        if "fc1.weight" in other.network.state_dict()
        else True
    )
    assert "Not validated on experimental patterns" in (tmp_path / "a" / "card.md").read_text()


def test_no_two_parts_and_no_two_rounds_have_a_pattern_in_common():
    source = Simulated(config(), "cpu")
    sets = [source.held_out(part)[1] for part in ("validation", "test")]
    sets += [next(iter(source.round(number, 16)))[1].double().numpy() for number in range(3)]
    sets.append(Simulated(config(seed=1), "cpu").held_out("validation")[1])
    every = np.concatenate(sets)
    assert len(np.unique(every.round(6), axis=0)) == len(every)
    np.testing.assert_array_equal(source.held_out("test")[1], sets[1])


def test_a_training_that_is_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    whole = run(train(config(), tmp_path / "whole"))
    job = train(config(), tmp_path / "cut")
    for event in job:
        if isinstance(event, Partial) and event.name == "history":
            break  # the first validation is finished
    job.close()
    assert load_model(tmp_path / "cut").scores["validation"]["n"] == 16  # already a valid model
    with pytest.raises(ValueError, match="holds a training: resume it"):
        run(train(config(), tmp_path / "cut"))
    resumed = run(train(config(), tmp_path / "cut", resume=True))
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(value, resumed.network.state_dict()[name], rtol=0, atol=0)


def test_the_loss_is_told_between_validations(tmp_path, monkeypatch):
    from napari_orient.learning import train as module

    monkeypatch.setattr(module, "_TOLD", 0.0)
    events = []
    run(train(config(), tmp_path / "m"), events.append)
    told = [e.value for e in events if isinstance(e, Partial) and e.name == "loss"]
    assert [rounds for rounds, _ in told] == [0.5, 1, 1.5, 2, 2.5, 3, 3.5]  # two steps a round
    history = next(e.value for e in events[::-1] if isinstance(e, Partial) and e.name == "history")
    assert np.mean([loss for _, loss in told[:4]]) == pytest.approx(history[0]["train_loss"])


def test_stop_and_keep(tmp_path):
    stop = threading.Event()
    job = train(config(epochs=1000, epoch_patterns=512), tmp_path / "m", stop=stop)
    for event in job:
        if isinstance(event, Progress) and "round" in event.text:
            stop.set()
            break
    model = run(job)
    assert model.scores["validation"]["n"] == 16
    assert (tmp_path / "m" / CHECKPOINT).exists()


def test_a_pause_does_not_count_as_time_of_the_training(tmp_path):
    job = train(config(epochs=100_000, time_limit_s=1.5), tmp_path / "m", patterns=labelled())
    paused, history = 0.0, []
    for event in job:
        if isinstance(event, Partial) and event.name == "history":
            history = event.value
        elif isinstance(event, Progress) and paused < 2.0 and "round" in event.text:
            time.sleep(1.0)
            paused += 1.0
    assert paused == 2.0
    assert 1.4 < history[-1]["seconds"] < 3.0


def test_rules_that_end_a_training(tmp_path):
    def rounds(name, **changes):
        events = []
        run(train(config(**changes), tmp_path / name, patterns=labelled()), events.append)
        told = [e.value for e in events if isinstance(e, Partial) and e.name == "history"]
        return told[-1][-1]["round"]

    assert rounds("a") == 4
    assert rounds("b", epochs=50, target_r2=-1000.0) == 2
    assert rounds("c", epochs=50, learning_rate=1e-12, patience=2) <= 8
    assert rounds("d", epochs=100_000, time_limit_s=1.0) < 100_000


@pytest.mark.parametrize("schedule", ["constant", "epoch", "step", "cosine"])
def test_rate_of_learning(tmp_path, schedule):
    events = []
    settings = config(schedule=schedule, validate_every=1, epochs=3)
    run(train(settings, tmp_path / "m", patterns=labelled()), events.append)
    history = [e.value for e in events if isinstance(e, Partial)][-1]
    rates = [record["learning_rate"] for record in history]
    steps = np.array([record["step"] for record in history])
    expected = {
        "constant": np.full(3, 1e-3),
        "epoch": 1e-3 * 0.995 ** ((np.arange(1, 4) + 1) / 500),
        "step": 1e-3 * 0.995 ** ((steps + 1) / 500),
        "cosine": 1e-3 * (steps + 1) / 200 * (0.5 + 0.5 * np.cos(np.pi * np.arange(1, 4) / 3)),
    }[schedule]
    np.testing.assert_allclose(rates, expected, rtol=1e-6, atol=2e-7)


def test_damaged_and_foreign_files_are_named(tmp_path):
    run(train(config(), tmp_path / "m"))
    good = (tmp_path / "m" / CHECKPOINT).read_bytes()
    (tmp_path / "m" / CHECKPOINT).write_bytes(good[: len(good) // 2])
    with pytest.raises(UnreadableFile, match="checkpoint"):
        run(train(config(), tmp_path / "m", resume=True))
    assert load_model(tmp_path / "m")  # what was finished is kept
    (tmp_path / "m" / CHECKPOINT).write_bytes(good)
    with pytest.raises(ValueError, match=r"other settings \(seed"):
        run(train(config(seed=5), tmp_path / "m", resume=True))
    (tmp_path / "m" / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UnreadableFile, match="no readable safetensors"):
        load_model(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(UnreadableFile, match="is missing"):
        load_model(tmp_path / "m")
    with pytest.raises(UnreadableFile, match="pickle"):
        load_model(tmp_path / "whole_model.pt")


def test_data_that_do_not_suffice(tmp_path):
    data = labelled()
    data.part[:] = 0
    with pytest.raises(ValueError, match="validation"):
        run(train(config(), tmp_path / "m", patterns=data))
    with pytest.raises(ValueError, match="no network 'resnext'"):
        run(train(config(network=NetworkConfig(name="resnext")), tmp_path / "n"))


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SafetensorError("I/O error: No space left")]
)
def test_a_full_disk_keeps_the_last_model(tmp_path, monkeypatch, error):
    import safetensors.torch

    job = train(config(epochs=6), tmp_path / "m")
    before = None
    for event in job:
        if isinstance(event, Partial) and event.name == "history":
            before = weights(tmp_path / "m")
            break

    def full(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(UnreadableFile, match=r"m cannot be written.*No space.*Make room.*resume"):
        run(job)
    for name, value in weights(tmp_path / "m").items():
        torch.testing.assert_close(value, before[name])
    assert not list((tmp_path / "m").glob(".*"))


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    data = labelled()
    data.images[:] = np.inf
    with pytest.raises(ValueError, match="the loss is no number"):
        run(train(config(), tmp_path / "m", patterns=data))


def test_the_history_is_plain_json(tmp_path):
    events = []
    run(train(config(), tmp_path / "m"), events.append)
    history = [e.value for e in events if isinstance(e, Partial)][-1]
    assert json.loads(json.dumps(history)) == history


def test_prediction_is_right_where_the_answer_is_known(tmp_path):
    data = labelled(120)
    made = run(
        train(config("rotation", epochs=60, validate_every=20), tmp_path / "m", patterns=data)
    )
    rows = np.flatnonzero(data.part == 0)
    found = made.predict(data.images[rows].astype(np.float32))
    away = misorientation_angle(
        found.quaternions[:, 0], data.quaternions[rows], made.phase.point_group
    )
    assert np.median(away) < 30
