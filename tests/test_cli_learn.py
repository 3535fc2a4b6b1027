"""Training and prediction on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from predict_examples import gold_folder, gold_scan

from napari_orient.cli import main
from napari_orient.data.hdf5 import save_scan
from napari_orient.data.maps import load_map
from napari_orient.diffraction.polycrystal import PolycrystalConfig, simulate_scan
from napari_orient.jobs import run

CONFIG = """
network: {name: cnn, head: mixture, hypotheses: 2}
input: {size: 16, pixel_size: 0.14}
simulation: {phase: Au, validation: 8}
batch: 8
epochs: EPOCHS
epoch_patterns: 16
validate_every: 1
precision: float32
"""


def answer(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(CONFIG.replace("EPOCHS", "2"))
    return path


@pytest.fixture
def scan_file(tmp_path):
    scan, _ = run(
        simulate_scan(
            PolycrystalConfig(
                shape=(3, 4), grains=2, phases=("Au",), pattern_shape=(64, 64), pixel_size=0.04
            )
        )
    )
    run(save_scan(scan, tmp_path / "scan.h5"))
    return tmp_path / "scan.h5"


def test_train_then_info_then_predict(config, scan_file, tmp_path, capsys):
    model = tmp_path / "model"
    code, out, err = answer(capsys, "train", config, "--out", model, "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["kind"], facts["network"], facts["phase"]) == ("model", "cnn", "Au")
    assert (facts["rounds"], facts["steps"], facts["finished"]) == (2, 4, True)
    assert set(facts["scores"]) == {"validation", "test"}
    assert "round 2: loss" in err
    code, out, _ = answer(capsys, "info", model, "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["kind"], facts["learned_from"]) == ("model", {"voltage_kv": 300.0})
    code, out, _ = answer(
        capsys, "predict", scan_file, "--model", model, "--out", tmp_path / "map.h5", "--json"
    )
    assert code == 0
    facts = json.loads(out)
    assert (facts["n"], facts["shape"], facts["model"]) == (12, [3, 4], "model")
    found = load_map(tmp_path / "map.h5")
    assert {"Q", "probability", "spread", "share"} <= set(found.properties)
    code, *_ = answer(
        capsys, "predict", scan_file, "--model", model, "--answer", "network",
        "--region", "0:2,1:3", "--out", tmp_path / "map.ang",
    )  # fmt: skip
    assert code == 0
    assert (tmp_path / "map.ang").stat().st_size > 0


def test_a_training_is_resumed_not_overwritten(config, tmp_path, capsys):
    assert answer(capsys, "train", config, "--out", tmp_path / "m")[0] == 0
    code, _, err = answer(capsys, "train", config, "--out", tmp_path / "m")
    assert code == 1
    assert "resume it, or take another folder" in err
    config.write_text(CONFIG.replace("EPOCHS", "3"))
    code, out, _ = answer(capsys, "train", config, "--out", tmp_path / "m", "--resume", "--json")
    assert (code, json.loads(out)["rounds"]) == (0, 3)


def test_errors_are_one_line(config, scan_file, tmp_path, capsys):
    for arguments in (
        ("train", tmp_path / "none.yaml", "--out", tmp_path / "m"),
        ("predict", scan_file, "--model", tmp_path / "m.pt", "--out", tmp_path / "a.h5"),
        ("predict", scan_file, "--model", tmp_path, "--out", tmp_path / "a.h5"),
    ):
        code, out, err = answer(capsys, *arguments)
        assert (code, out) == (1, "")
        assert len(err.strip().splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_kill_in_the_middle_loses_one_validation_at_most(config, tmp_path):
    config.write_text(CONFIG.replace("EPOCHS", "100000"))
    model = tmp_path / "m"
    command = [sys.executable, "-m", "napari_orient.cli", "train", str(config), "--out", str(model)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--json"], stderr=subprocess.PIPE, env=environment
    ) as training:
        for line in training.stderr:
            if line.startswith(b"round 3"):
                break
        training.send_signal(signal.SIGKILL)
    config.write_text(CONFIG.replace("EPOCHS", "100000") + "time_limit_s: 1000\n")
    with subprocess.Popen(
        [*command, "--json", "--resume"], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        env=environment,
    ) as resumed:  # fmt: skip
        for line in resumed.stderr:
            if line.startswith(b"round"):
                break
        assert int(line.split()[1].rstrip(b":")) >= 4  # the next one after what was validated
        time.sleep(0.5)
        resumed.send_signal(signal.SIGINT)
        out, _ = resumed.communicate(timeout=120)
    assert resumed.returncode == 130
    facts = json.loads(out)
    assert not facts["finished"]
    assert np.isfinite(facts["scores"]["validation"]["median_deg"])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_killed_prediction_is_gone_on_with(tmp_path, capsys, monkeypatch):
    from napari_orient.diffraction.matching import index

    scan, _ = gold_scan()
    run(save_scan(scan, tmp_path / "scan.h5"))
    gold_folder(tmp_path / "model")
    arguments = ["predict", str(tmp_path / "scan.h5"), "--model", str(tmp_path / "model")]
    code = f"""
import sys, time
import napari_orient.cli.unfinished as unfinished
import napari_orient.diffraction.matching.index as index
from napari_orient.cli import main
from napari_orient.learning.folder import Model
def slow(model, images):
    time.sleep(0.2)
    return predict(model, images)
predict, Model.predict = Model.predict, slow
index._BATCH, index._SHOWN, unfinished.INTERVAL = 4, 0.05, 0.1
sys.exit(main({arguments!r} + ["--out", {str(tmp_path / "map.ang")!r}]))
"""
    part = tmp_path / "map.ang.part.h5"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, env=environment
    ) as killed:
        deadline = time.monotonic() + 120
        while not part.exists():
            assert killed.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        killed.kill()
    done = int(load_map(part).done.sum())
    assert 0 < done < 48
    monkeypatch.setattr(index, "_BATCH", 4)
    asked, out = [*arguments, "--json"], tmp_path / "map.h5"
    part.rename(tmp_path / "map.h5.part.h5")
    gold_folder(tmp_path / "another", voltage_kv=310.0)
    changed = [tmp_path / "another" if a == str(tmp_path / "model") else a for a in asked]
    code, _, err = answer(capsys, *changed, "--out", out, "--resume")
    assert code == 1
    assert "made otherwise (model (name), model (facts))" in err.splitlines()[-1]
    code, said, err = answer(capsys, *asked, "--out", out, "--resume")
    assert (code, json.loads(said)["n"]) == (0, 48)
    assert f"{done} positions are finished" in err
    assert not (tmp_path / "map.h5.part.h5").exists()
    assert answer(capsys, *asked, "--out", tmp_path / "whole.h5")[0] == 0
    found, whole = load_map(out), load_map(tmp_path / "whole.h5")
    np.testing.assert_array_equal(found.phase_id, whole.phase_id)
    np.testing.assert_array_equal(found.quaternions, whole.quaternions)
    for name, array in whole.properties.items():
        np.testing.assert_array_equal(found.properties[name], array)


def test_settings_of_a_prediction_come_from_a_file(config, scan_file, tmp_path, capsys):
    gold_folder(tmp_path / "model")
    (tmp_path / "p.yaml").write_text("voltage_kv: 200\nmin_q: 12\ndevice: cpu\n")
    code, *_ = answer(
        capsys, "predict", scan_file, "--model", tmp_path / "model", "--config",
        tmp_path / "p.yaml", "--voltage", 310, "--out", tmp_path / "m.h5",
    )  # fmt: skip
    assert code == 0
    made = load_map(tmp_path / "m.h5").provenance["config"]
    assert (made["voltage_kv"], made["min_q"], made["device"]) == (310, 12, "cpu")
