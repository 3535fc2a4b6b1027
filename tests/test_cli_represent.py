"""The verb represent: rows as JSON, a page, errors in one line."""

from __future__ import annotations

import json

import pytest

from napari_orient.cli import main
from napari_orient.data.maps import save_map
from napari_orient.jobs import run
from napari_orient.samples import polycrystal_map


@pytest.fixture
def files(tmp_path):
    for seed in range(2):
        run(save_map(polycrystal_map((80, 80), 140, seed=seed), tmp_path / f"{seed}.h5"))
    return [str(tmp_path / f"{seed}.h5") for seed in range(2)]


def test_verdict_and_rows_as_json(files, tmp_path, capsys):
    out = tmp_path / "page.csv"
    config = tmp_path / "settings.yaml"
    config.write_text("draws: 299\ngrains:\n  smallest: 12\n")
    options = ["--config", str(config), "--threshold", "4", "--out", str(out), "--json"]
    assert main(["represent", *files, *options]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["kind"] == "representative"
    assert said["representative"] is True
    assert said["settings"]["draws"] == 299
    assert said["settings"]["grains"]["smallest"] == 12
    assert said["settings"]["grains"]["threshold"] == 4
    assert {"name", "reference", "result", "difference", "interval", "p", "p_corrected",
            "verdict"} <= said["rows"][0].keys()  # fmt: skip
    assert said["out"] == [str(out)]
    assert out.exists()


def test_words_without_json(files, capsys):
    assert main(["represent", *files, "--draws", "199"]) == 0
    said = capsys.readouterr().out
    assert "verdict " in said
    assert "grain size " in said
    assert "cannot be told from the reference" in said


def test_errors_are_one_line(files, tmp_path, capsys):
    assert main(["represent", *files, "--out", str(tmp_path / "page.doc")]) == 1
    assert ".html" in capsys.readouterr().err
    assert main(["represent", *files, "--draws", "9"]) == 1
    assert "draws" in capsys.readouterr().err
    assert main(["represent", *files, "--section", "side.h5"]) == 1
    assert "MAP=RIGHT,DOWN" in capsys.readouterr().err
