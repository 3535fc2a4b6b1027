"""The verb reconstruct: its stable keys, Ctrl-C, --resume, and its refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_orient.cli import main
from napari_orient.data.maps import load_map, save_map
from napari_orient.jobs import run
from napari_orient.reconstruction.checkpoint import load_state
from napari_orient.samples import polycrystal_map

KEYS = {"loss", "paper_loss", "evaluations", "seconds", "total_seconds", "peak_mb"}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps") / "ni.h5"
    return str(run(save_map(polycrystal_map((48, 48), 60, seed=1), path)))


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "small.yaml"
    path.write_text("size: [24, 24]\nwindow: 7\nevaluations: 15\nlevels: 1\nscales: 1\n")
    return str(path)


def answer(capsys, *arguments):
    code = main(["reconstruct", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else None, err


def test_a_map_and_its_keys(reference, settings, capsys, tmp_path):
    out = tmp_path / "field.h5"
    code, facts, _ = answer(capsys, reference, "--config", settings, "--out", out)
    assert code == 0
    assert set(facts) >= KEYS
    assert facts["evaluations"] >= 15
    field = load_map(out)
    assert field.shape == (24, 24)
    assert field.periodic == (True, True)
    assert field.provenance["loss"] == pytest.approx(facts["loss"])
    assert not (tmp_path / "field.part.h5").exists()


def test_a_volume_with_grains(reference, settings, capsys, tmp_path):
    out = tmp_path / "volume.h5"
    code, facts, _ = answer(
        capsys, reference, "--config", settings, "--size", 12, 12, 12, "--seed", 3,
        "--evaluations", 6, "--consolidate", "--out", out,
    )  # fmt: skip
    assert code == 0
    field = load_map(out)
    assert field.shape == (12, 12, 12)
    assert facts["seed"] == 3
    assert len(np.unique(field.properties["grain"])) == facts["consolidated"]["grains"]


def test_sections_of_a_sample(reference, settings, capsys, tmp_path):
    sides = [f"--section={reference}={axes}" for axes in ("x,z", "y,z")]
    size = ["--size", 10, 10, 10, "--evaluations", 3, "--out", tmp_path / "v.h5"]
    code, _, _ = answer(capsys, reference, "--config", settings, *size, *sides)
    assert code == 0
    for wrong, words in (
        (sides[:1], "no section across x"),
        ([sides[0], sides[0]], "two sections are across y"),
        ([f"--section={reference}"], "MAP=RIGHT,DOWN"),
        ([f"--section={reference}=x,q"], "no axis of the sample"),
    ):
        code, _, err = answer(capsys, reference, "--config", settings, *size, *wrong)
        assert code == 1
        assert words in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "field.txt"], ".h5"),
        (["--out", "nowhere/field.h5"], "folder that does not exist"),
        (["--out", "f.h5", "--size", "4", "4"], "smaller than the window"),
        (["--out", "f.h5", "--method", "Newton"], "method"),
        (["--out", "f.h5", "--resume"], "f.part.h5"),
        (["--out", "f.h5", "--size", "24"], "size"),
    ],
)
def test_refusals_in_one_line(reference, settings, capsys, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = answer(capsys, reference, "--config", settings, *options)
    assert code == 1
    assert words in err.strip().splitlines()[-1]
    assert "Traceback" not in err


def test_ctrl_c_keeps_what_there_is_and_a_killed_run_is_resumed(reference, settings, tmp_path):
    command = [
        sys.executable, "-m", "napari_orient.cli", "reconstruct", reference, "--config", settings,
        "--evaluations", "100000", "--out", str(tmp_path / "field.h5"), "--json",
    ]  # fmt: skip

    def started():
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        for line in process.stderr:
            if "loss" in line:
                break
        return process

    process = started()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["stopped"]
    assert load_map(tmp_path / "field.h5").shape == (24, 24)
    command[command.index("--config") + 1] = str(_endless(settings, tmp_path))
    process = started()
    deadline = time.monotonic() + 60
    while not (tmp_path / "field.part.h5").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
        if process.poll() is not None:
            break
    process.kill()
    process.communicate()
    before = load_state(tmp_path / "field.part.h5").evaluations[-1]
    assert before > 0
    again = subprocess.run(
        [*command, "--resume", "--time-limit", "1"], capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["evaluations"] > before


def _endless(settings, folder):
    path = folder / "endless.yaml"
    text = Path(settings).read_text().replace("[24, 24]", "[48, 48]")
    path.write_text(text + "plateau: 0\n")
    return path
