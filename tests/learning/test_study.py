"""A grid of trainings."""

import csv

import pytest
from matplotlib.image import imread

from napari_orient.config import ConfigError
from napari_orient.jobs import Partial, Progress, run
from napari_orient.learning import study as module
from napari_orient.learning.study import StudyConfig, combinations, run_study
from napari_orient.learning.study_plot import plot_study

BASE = {
    "network": {"name": "cnn", "head": "euler"},
    "input": {"size": 16, "pixel_size": 0.1},
    "simulation": {"phase": "Au", "validation": 8},
    "epochs": 2, "epoch_patterns": 16, "validate_every": 1, "target_r2": None,
    "precision": "float32",
}  # fmt: skip
GRID = {"batch": [8, 16], "network.kernel_size": [3, 5]}


def test_all_combinations_are_made_and_checked():
    made = list(combinations(StudyConfig(base=BASE, grid=GRID)))
    assert [(c.batch, c.network.kernel_size) for _, c in made] == [(8, 3), (8, 5), (16, 3), (16, 5)]
    assert made[1][0] == {"batch": 8, "network.kernel_size": 5}
    with pytest.raises(ConfigError, match="kernel"):
        list(combinations(StudyConfig(base=BASE, grid={"network.kernel": [3]})))
    with pytest.raises(ConfigError, match="batch -1"):
        list(combinations(StudyConfig(base=BASE, grid={"batch": [-1]})))
    with pytest.raises(ConfigError, match="no values"):
        list(combinations(StudyConfig(base=BASE, grid={"batch": []})))
    with pytest.raises(ConfigError, match="no setting"):
        list(combinations(StudyConfig(base=BASE, grid={"epochs.a": [1]})))


def test_a_study_fills_a_table_and_goes_on_where_it_was(tmp_path, monkeypatch):
    study = StudyConfig(base=BASE, grid=GRID)
    job = run_study(study, tmp_path)
    seen = []
    for event in job:
        seen.append(event)
        if isinstance(event, Partial) and len(event.value) == 2:
            break
    job.close()
    assert any(
        "training 2 of 4 (batch 8, kernel_size 5)" in e.text
        for e in seen
        if isinstance(e, Progress)
    )
    trained = []
    real = module.train
    monkeypatch.setattr(module, "train", lambda c, *a, **k: trained.append(c) or real(c, *a, **k))
    table = run(run_study(study, tmp_path))
    assert [c.batch for c in trained] == [16, 16]  # the first two are not trained again
    assert [row["network.kernel_size"] for row in table] == [3, 5, 3, 5]
    assert all(row["rounds"] == 2 and "test r2" in row for row in table)
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [float(row["validation mse"]) for row in rows] == [
        row["validation mse"] for row in table
    ]


def study_of(head="euler"):
    base = {**BASE, "network": {"name": "cnn", "head": head}}
    return StudyConfig(base=base, grid={**GRID, "schedule": ["constant", "step", "cosine", None]})


def test_the_plot_has_a_panel_for_each_setting(tmp_path):
    table = [
        {**values, "validation r2": 0.1 * number, "validation median_deg": 40 - 2.0 * number}
        for number, (values, _) in enumerate(combinations(study_of()))
    ]
    table[3] = {name: table[3][name] for name in study_of().grid} | {"error": "no"}
    plot_study(study_of(), table, tmp_path)
    text = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    for words in ("batch", "kernel size", "schedule", "R² (validation)", "15 trainings, 1 failed"):
        assert f"<!-- {words} -->" in text
    image = imread(tmp_path / "plot.png")
    assert image.shape[0] > 400
    assert image.shape[1] > 1400
    assert image[..., :3].std() > 0.02
    plot_study(study_of("mixture"), table, tmp_path)
    assert "Median error (°, validation)" in (tmp_path / "plot.svg").read_text(encoding="utf-8")
    (tmp_path / "plot.png").unlink()
    table[2]["validation r2"] = float("nan")  # no best one
    plot_study(study_of(), table, tmp_path)
    assert "<!-- 14 trainings, 2 failed -->" in (tmp_path / "plot.svg").read_text(encoding="utf-8")
    (tmp_path / "plot.png").unlink()
    plot_study(study_of(), [{"batch": 8, "error": "no"}], tmp_path)
    assert not (tmp_path / "plot.png").exists()


def test_one_that_fails_does_not_end_the_study(tmp_path):
    study = StudyConfig(base=BASE, grid={"network.name": ["densenet121-pretrained", "cnn"]})
    table = run(run_study(study, tmp_path))
    assert "ImageNet" in table[0]["error"]
    assert "test r2" in table[1]
    assert {path.name for path in tmp_path.glob("plot.*")} == {"plot.png", "plot.svg"}
