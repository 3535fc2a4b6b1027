"""The verb compare: its stable keys, its filters, its files, and its refusals."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from error_examples import BEAM, matrices, quaternions, small_turns

from napari_orient.analysis.errors import compare_maps
from napari_orient.cli import main
from napari_orient.data.maps import load_map, save_map
from napari_orient.jobs import run
from napari_orient.samples import polycrystal_map

KEYS = {
    "median_deg", "mean_deg", "fraction_below_2deg", "fraction_below_5deg", "r2", "mse", "mae", "n",
}  # fmt: skip


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two maps of LiNiO2, the second turned by half a turn in its last columns, and their files."""
    folder = tmp_path_factory.mktemp("maps")
    first = polycrystal_map((12, 10), grains=6, phase="LiNiO2", unit="nm")
    rng = np.random.default_rng(0)
    g = matrices(first.quaternions) @ small_turns(rng, 1, 12, 10)
    g[:, 7:] = g[:, 7:] @ BEAM
    properties = {
        "Q": rng.uniform(0, 100, (12, 10)), "R": rng.uniform(0, 50, (12, 10)),
        "split": rng.integers(0, 3, (12, 10)),
    }  # fmt: skip
    second = replace(first, quaternions=quaternions(g), properties=properties)
    paths = [run(save_map(m, folder / n)) for m, n in ((first, "a.h5"), (second, "b.h5"))]
    return first, second, *paths


def answer(capsys, *arguments):
    code = main(["compare", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else None, err


def test_keys_and_numbers(two, capsys):
    first, second, a, b = two
    code, facts, _ = answer(capsys, a, b)
    assert code == 0
    assert facts.keys() >= KEYS
    comparison = run(compare_maps(first, second))
    assert facts["n"] == 120
    assert facts["median_deg"] == pytest.approx(np.median(comparison.angle), abs=1e-9)
    assert facts["mae"] == pytest.approx(comparison.euler_raw.mean(), abs=1e-8)
    assert facts["fraction_below_5deg"] == pytest.approx(0.7, abs=0.15)
    assert facts["fraction_below_5deg_modulo_beam"] == 1
    assert len(facts["r2_per_angle"]) == 3
    assert facts["phase_agreement"] == 1
    assert facts["notes"] == []


def test_in_words(two, capsys):
    assert main(["compare", str(two[2]), str(two[3])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["n", "120"] for line in lines)


def test_filters_add_up(two, capsys, tmp_path):
    _, second, a, b = two
    q, r, split = (second.properties[name] for name in ("Q", "R", "split"))
    _, facts, _ = answer(capsys, a, b, "--min-q", "20", "--min-r", "15")
    assert facts["n"] == ((q >= 20) & (r >= 15)).sum()
    assert facts["fraction_kept"] == facts["n"] / 120
    assert facts["notes"] == ["Filtered by Q and R of map B."]
    half = np.arange(120).reshape(12, 10) < 60
    np.save(tmp_path / "half.npy", half)
    _, facts, _ = answer(
        capsys, a, b, "--min-q", "20", "--mask", tmp_path / "half.npy", "--split", "test"
    )
    assert facts["n"] == ((q >= 20) & half & (split == 2)).sum()
    assert facts["notes"] == ["Filtered by Q of map B."]


def test_nothing_left(two, capsys):
    code, facts, _ = answer(capsys, two[2], two[3], "--min-q", "101")
    assert code == 0
    assert (facts["n"], facts["median_deg"], facts["r2"]) == (0, None, None)
    assert "No point passes the mask." in facts["notes"]


def test_errors_of_each_point_as_a_table(two, capsys, tmp_path):
    first, second, a, b = two
    _, facts, _ = answer(capsys, a, b, "--out", tmp_path / "errors.csv")
    assert facts["out"] == str(tmp_path / "errors.csv")
    with open(tmp_path / "errors.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120
    comparison = run(compare_maps(first, second))
    for row in rows[::17]:
        place = int(row["y"]), int(row["x"])
        assert float(row["misorientation"]) == pytest.approx(comparison.angle[place])
        assert float(row["Phi_error"]) == pytest.approx(comparison.euler_raw[place][1])
        assert float(row["boundary_distance"]) == pytest.approx(comparison.boundary_distance[place])


def test_errors_of_each_point_as_a_map(two, capsys, tmp_path):
    first, second, a, b = two
    answer(capsys, a, b, "--out", tmp_path / "errors.h5")
    made = load_map(tmp_path / "errors.h5")
    comparison = run(compare_maps(first, second))
    np.testing.assert_allclose(made.properties["misorientation"], comparison.angle)
    np.testing.assert_allclose(made.properties["in-plane"], comparison.in_plane)
    np.testing.assert_array_equal(made.properties["Q"], second.properties["Q"])
    np.testing.assert_array_equal(made.quaternions, second.quaternions)


def test_refusals(two, capsys, tmp_path):
    first, _, a, b = two
    small = run(save_map(polycrystal_map((5, 5), phase="LiNiO2", unit="nm"), tmp_path / "s.h5"))
    nickel = run(save_map(polycrystal_map((12, 10), unit="nm"), tmp_path / "n.h5"))
    turned = run(save_map(replace(first, frame=(0.0, 1.0, 0.0, 0.0)), tmp_path / "t.h5"))
    for arguments, words in (
        ((a, small), "The sizes differ: 12 x 10 and 5 x 5"),
        ((a, nickel), "no crystal in common: LiNiO2 (-3m"),
        ((a, b, "--out", tmp_path / "x.txt"), "neither as a table nor as a map"),
        ((a, b, "--min-q", "1", "--quality-of", "a"), "has none of Q, IQ, BC"),
        ((a, a, "--split", "test"), 'no property "split"'),
        ((a, b, "--columns", "x,y"), "--columns is for text files"),
        ((a, tmp_path / "gone.h5"), "gone.h5"),
        ((a, turned, "--axes", "vendor"), "refer to different axes"),
    ):
        code, _, err = answer(capsys, *arguments)
        assert code == 1
        assert words in err
        assert len([line for line in err.splitlines() if "napari-orient:" in line]) == 1


def test_a_text_file_beside_a_map(two, capsys, tmp_path):
    first, _, a, _ = two
    y, x = np.indices(first.shape).reshape(2, -1)
    table = np.column_stack([x, y, first.quaternions.reshape(-1, 4)])
    np.savetxt(tmp_path / "t.csv", table, "%.12g", ",", header="x,y,q0,q1,q2,q3", comments="")
    code, facts, _ = answer(capsys, a, tmp_path / "t.csv", "--phase", "LiNiO2", "--unit", "nm")
    assert code == 0
    assert facts["n"] == 120
    assert facts["mean_deg"] < 1e-8
