"""The verb grains: its stable keys, its options, its files, and its refusals."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from napari_orient.cli import main
from napari_orient.data.maps import load_map, save_map
from napari_orient.jobs import run
from napari_orient.samples import polycrystal_map

KEYS = {"n_grains", "mean_diameter", "area_weighted_diameter", "unit"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    flat = polycrystal_map((50, 60), 30, step=0.5, seed=1)
    flat.properties["CI"] = np.where(np.arange(60) < 30, 0.9, 0.05) * np.ones((50, 1))
    volume = polycrystal_map((16, 18, 20), 12, seed=1, step=2.0, unit="nm", periodic=True)
    other = polycrystal_map((100, 120), 60, step=0.5, seed=9)
    return {
        name: str(run(save_map(one, folder / f"{name}.h5")))
        for name, one in (("flat", flat), ("volume", volume), ("other", other))
    }


def answer(capsys, *arguments):
    code = main(["grains", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else None, err


def test_a_map_and_a_volume(files, capsys):
    code, facts, _ = answer(capsys, files["flat"], "--threshold", 5)
    assert code == 0
    assert set(facts) >= KEYS
    assert facts["unit"] == "um"
    assert facts["n_counted"] + facts["n_edge"] == facts["n_grains"]
    code, facts, _ = answer(capsys, files["volume"], "--smallest", 1)
    seen = len(np.unique(load_map(files["volume"]).properties["grain"]))
    assert facts["n_grains"] == seen
    assert facts["n_edge"] == 0
    size = 16 * 18 * 20 * 8 / seen
    assert facts["volume_weighted_diameter"] > facts["mean_diameter"] > 0
    assert facts["mean_diameter"] < 2 * np.cbrt(0.75 * size / np.pi) * 1.05
    code, facts, _ = answer(capsys, files["volume"], "--section", 3)
    assert "area_weighted_diameter" in facts


def test_options_and_a_file_of_settings(files, capsys, tmp_path):
    (tmp_path / "s.yaml").write_text("smallest: 60\nedge_grains: true\n")
    _, facts, _ = answer(capsys, files["flat"], "--config", tmp_path / "s.yaml")
    assert facts["settings"]["smallest"] == 60
    assert facts["n_counted"] == facts["n_grains"]
    _, more, _ = answer(
        capsys, files["flat"], "--config", tmp_path / "s.yaml", "--smallest", 1,
        "--least", "CI=0.1", "--merge-twins", "sigma 3",
    )  # fmt: skip
    assert more["settings"]["smallest"] == 1
    assert more["settings"]["merge_twins"] == ["sigma 3"]
    assert more["share_in_grains"] == pytest.approx(0.5)


def test_tables_and_maps(files, capsys, tmp_path):
    _, facts, _ = answer(capsys, files["flat"], "--out", tmp_path / "grains.csv")
    with (tmp_path / "grains.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == facts["n_grains"]
    diameters = [float(r["diameter (µm)"]) for r in rows if r["counted"] == "1"]
    assert np.mean(diameters) == pytest.approx(facts["mean_diameter"], rel=1e-6)
    assert {r["phase"] for r in rows} == {load_map(files["flat"]).phases[0].name}
    answer(capsys, files["flat"], "--out", tmp_path / "grains.h5")
    made = load_map(tmp_path / "grains.h5")
    assert made.properties["grain"].max() == facts["n_grains"]
    assert np.nanmax(made.properties["GROD"]) < 1e-3
    assert made.provenance["grains"]["threshold"] == 5.0
    assert {"KAM", "CI"} <= set(made.properties)


def test_against_a_reference(files, capsys):
    _, facts, _ = answer(capsys, files["other"], "--reference", files["other"])
    assert facts["validation"]["verdict"].startswith("The two cannot be told apart")
    rows = {row["name"]: row for row in facts["validation"]["rows"]}
    assert rows["grain size"]["apart"] == 0
    assert rows["texture"]["p"] == 1
    code, _, err = answer(capsys, files["other"], "--reference", files["volume"])
    assert code == 1
    assert "take sections of the volume" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--threshold", "-1"], "threshold"),
        (["--least", "CI"], "NAME=VALUE"),
        (["--least", "Q=3"], "no property 'Q'"),
        (["--merge-twins", "sigma 4"], "sigma 4"),
        (["--out", "grains.txt"], ".csv or .h5"),
        (["--out", "nowhere/grains.csv"], "folder that does not exist"),
        (["--section", "99"], ""),
    ],
)
def test_refusals_in_one_line(files, capsys, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    file = files["volume"] if options[0] == "--section" else files["flat"]
    code, _, err = answer(capsys, file, *options)
    assert code == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith("napari-orient: ")
    assert words in last
    assert "Traceback" not in err


def test_nothing_indexed(capsys, tmp_path):
    made = polycrystal_map((8, 8), 3)
    empty = replace(made, phase_id=np.full((8, 8), -1))
    path = run(save_map(empty, tmp_path / "empty.h5"))
    code, facts, _ = answer(capsys, path, "--out", tmp_path / "none.csv")
    assert code == 0
    assert facts["n_grains"] == 0
    assert facts["mean_diameter"] is None
    assert "nothing is indexed" in facts["notes"][0]
    assert len((tmp_path / "none.csv").read_text().splitlines()) == 1
