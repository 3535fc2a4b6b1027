"""The model that comes with the program."""

import numpy as np

from napari_orient.crystal.phases import resource
from napari_orient.crystal.rotations import misorientation_angle
from napari_orient.jobs import run
from napari_orient.learning.folder import load_model
from napari_orient.learning.predict import PredictConfig, predict_scan
from napari_orient.samples import sped_scan

FOLDER = resource("models") / "linio2"


def test_it_is_small_and_says_what_it_is():
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    assert size < 20e6
    model = load_model(FOLDER)
    assert model.phase.name == "LiNiO2"
    assert model.facts == {"voltage_kv": 300.0}
    card = (FOLDER / "card.md").read_text()
    assert "Not validated on experimental patterns" in card
    assert f"{model.scores['test']['median_deg_modulo_beam']:.4g}" in card


def test_it_reads_the_sample():
    scan, truth = run(sped_scan("small"))
    region = np.zeros(scan.scan_shape, bool)
    region[::5, ::5] = True
    model = load_model(FOLDER)
    group = truth.phases[0].point_group
    share = {}
    for answer in ("network", "refine"):
        found = run(predict_scan(scan, model, PredictConfig(answer=answer), region=region))
        q = found.candidates.quaternions[region][:, 0]
        away = misorientation_angle(q, truth.quaternions[region], group, modulo_beam=True)
        share[answer] = (away < 5).mean()
    assert share["network"] > 0.5
    assert share["refine"] > 0.75
