"""The verb grains: its stable keys, its options, its files, and its refusals."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_orient.analysis.mackenzie import random_misorientation
from napari_orient.cli import main
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import misorientation_angle
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


def test_a_section_is_taken_of_what_is_a_volume(files, capsys):
    code, _, err = answer(capsys, files["flat"], "--section", 0)
    assert code == 1
    assert "a map has no sections" in err.splitlines()[-1]
    volume = polycrystal_map((3, 60, 60), 60, seed=2, step=0.5)
    path = Path(files["flat"]).with_name("thick.h5")
    run(save_map(volume, path))
    choices = ("--section", 1, "--smallest", 1, "--edge-grains")
    for pair in ((path, "--reference", files["other"]), (files["other"], "--reference", path)):
        _, facts, _ = answer(capsys, *pair, *choices)
        assert facts["validation"]["kind"] == "validation"


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
        (["--section", "99"], "the volume has no section 99"),
        (["--halfwidth", "1"], "from 3 to 60 degrees"),
        (["--figures", "nowhere/figures"], "Make that folder first"),
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


def table(path):
    """Columns of a .csv with comments, as numbers where they are."""
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {name: [row[name] for row in rows] for name in rows[0]}


def shares_of(path, name):
    return np.array([float(v) for v in table(path)[name] if v])


FLAT = {
    "grain_size_by_number.png", "grain_size_by_area.png", "grain_size.csv",
    "aspect_ratio_by_number.png", "aspect_ratio_by_area.png", "aspect_ratio.csv",
    *(f"{name}.{ending}" for ending in ("png", "csv") for name in (
        "misorientation", "pole_figures", "inverse_pole_figures", "odf_sections",
        "boundary_classes", "trace_directions")),
    "components.csv",
}  # fmt: skip


def test_texture_and_boundaries_are_measured(files, capsys):
    _, facts, _ = answer(capsys, files["flat"], "--smallest", 1)
    made = load_map(files["flat"])
    q, group = made.quaternions, made.phases[0].point_group
    grain = made.properties["grain"]
    angles = []  # one by one, as many as there are faces: all steps are equal
    for a, b in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        here = grain[a] != grain[b]
        angles += list(misorientation_angle(q[a][here], q[b][here], group))
    angles = np.array(angles)
    assert facts["mean_misorientation_deg"] == pytest.approx(angles.mean(), abs=1e-6)
    assert facts["mean_misorientation_random_deg"] == random_misorientation(group).mean
    shares = facts["boundary_shares"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["low-angle"] == pytest.approx(np.mean(angles < 15), abs=0.02)
    _, sharper, _ = answer(capsys, files["flat"], "--smallest", 1, "--halfwidth", 6)
    assert sharper["texture_index"] > facts["texture_index"] > 1
    assert (facts["halfwidth_deg"], sharper["halfwidth_deg"]) == (10, 6)


def test_figures_and_their_numbers(files, capsys, tmp_path):
    _, facts, _ = answer(capsys, files["flat"], "--figures", tmp_path / "f")
    assert {path.name for path in (tmp_path / "f").iterdir()} == FLAT
    assert {str(tmp_path / "f" / name) for name in FLAT} == set(facts["figures"])
    folder = tmp_path / "f"
    assert (folder / "pole_figures.png").read_bytes().startswith(b"\x89PNG")
    assert shares_of(folder / "grain_size.csv", "number").sum() == facts["n_counted"]
    for name in ("number share", "area share"):
        assert shares_of(folder / "grain_size.csv", name).sum() == pytest.approx(1)
    shares = dict(zip(*[table(folder / "boundary_classes.csv")[k] for k in ("class", "share")],
                      strict=True))  # fmt: skip
    assert float(shares["sigma 3"]) == pytest.approx(facts["boundary_shares"]["sigma 3"])
    densities = shares_of(folder / "odf_sections.csv", "mrd")
    assert densities.max() > 1 > densities.min()
    assert "Goss" in table(folder / "components.csv")["component"]


@pytest.fixture
def undrawn(monkeypatch):
    """Files are made, and nothing in them: which ones, and what is said, is the question."""
    from napari_orient.analysis import grain_plots
    from napari_orient.analysis.texture import page

    monkeypatch.setattr(grain_plots, "draw", lambda *_, **__: None)
    for module, name in ((grain_plots, "save_figure"), (page, "save_sheet")):
        monkeypatch.setattr(module, name, lambda _, path: Path(path).touch())


@pytest.mark.usefixtures("undrawn")
def test_figures_of_a_volume_and_of_two_phases(capsys, tmp_path):
    made = polycrystal_map((8, 9, 10), 4, seed=1)
    two = np.where(made.properties["grain"] % 2, 0, 1)
    two[0, 0, 0] = 2
    phases = {0: get_phase("Ni"), 1: get_phase("Ti"), 2: get_phase("LiNiO2")}
    path = run(save_map(replace(made, phases=phases, phase_id=two), tmp_path / "two.h5"))
    _, facts, _ = answer(
        capsys, path, "--figures", tmp_path / "f", "--figure-format", "svg", "--edge-grains"
    )
    names = {path.name for path in (tmp_path / "f").iterdir()}
    assert {"Ni_grain_size_by_volume.svg", "Ti_pole_figures.svg", "phases.csv"} <= names
    assert not any("trace" in name or name.startswith("LiNiO2") for name in names)
    assert set(facts["texture_indices"]) == {"Ni", "Ti"}
    assert facts["boundary_shares"]["between phases"] > 0
    said = " ".join(facts["notes"])
    assert "no directions of traces" in said
    assert "LiNiO2 has points but no grain" in said


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("case", ["one grain", "nothing indexed", "a row", "NaN"])
def test_what_cannot_be_drawn_is_said(capsys, tmp_path, case):
    made = polycrystal_map(
        (60, 1) if case == "a row" else (12, 12), 1 if case == "one grain" else 6
    )
    if case == "nothing indexed":
        made = replace(made, phase_id=np.full(made.shape, -1))
    if case == "NaN":
        made.quaternions[:] = np.nan
    path = run(save_map(made, tmp_path / "map.h5"))
    code, facts, _ = answer(capsys, path, "--figures", tmp_path / "f")
    assert code == 0
    said = " ".join(facts["notes"])
    if case in ("nothing indexed", "NaN"):
        assert facts["figures"] == []
        assert facts["texture_index"] is None
        assert "nothing is drawn" in said
    else:
        assert "No boundary is long enough" in said
        assert (tmp_path / "f" / "pole_figures.png").exists()
    assert ("No two grains" in said) == (case == "one grain")


def test_a_file_is_no_folder(files, capsys):
    code, _, err = answer(capsys, files["flat"], "--figures", files["flat"])
    assert code == 1
    assert "Name a folder" in err.splitlines()[-1]
