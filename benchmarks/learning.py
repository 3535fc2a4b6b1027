"""The tables of "STEM diffraction pattern analysis with deep learning", with ours beside them.

    python benchmarks/learning.py [--size N] [--grains N] [--minutes M] [--networks cnn ...]
        [--split grains random] [--schedule step] [--out FOLDER]

A polycrystal of LiNiO2 is simulated (that of matching_linio2.yaml) and indexed by template matching
with the defaults: these are the labels, with their errors, as in the paper; the truth is the judge.
Each network learns by the paper's recipe (three normalised Euler angles, Huber's loss, Adam, stop
at R2 > 0.95 of the validation), for so many minutes at most, and predicts the whole scan.
R2, MSE and MAE are to the labels, in the ranges of the Laue class; misorientations to the truth.
*Spread* is the median misorientation of a grain's pixels to the mean of the grain.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient.crystal.rotations import mean_orientation, misorientation_angle
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.index import index_scan
from napari_orient.diffraction.polycrystal import PolycrystalConfig, simulate_scan
from napari_orient.jobs import Partial, Progress, run
from napari_orient.learning.config import InputConfig, NetworkConfig, ScanDataConfig, TrainConfig
from napari_orient.learning.evaluate import accuracy
from napari_orient.learning.from_scan import labelled_patterns
from napari_orient.learning.heads import Prediction, joined
from napari_orient.learning.networks.registry import NETWORKS
from napari_orient.learning.predict import PredictConfig, predict_scan
from napari_orient.learning.train import train

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan

PAPER = {  # epochs, R2 of validation, test and all patterns with Q >= 20
    "cnn": (100, 0.95, 0.94, 0.92),
    "densenet121": (70, 0.96, 0.95, 0.92),
    "densenet121-pretrained": (60, 0.96, 0.95, 0.91),
    "swin-t-pretrained-model": (60, 0.96, 0.95, 0.92),
    "swin-t-pretrained-images": (70, 0.95, 0.95, 0.91),
    "swin-t-modified-fc": (80, 0.95, 0.94, 0.91),
    "swin-t-custom-fc": (510, 0.95, 0.94, 0.91),
}
_EVERY = 20.0  # seconds between two lines of progress


def watch(event: Any) -> None:
    if isinstance(event, Partial) and event.name == "history":
        last = event.value[-1]
        print(f"    {last['round']}: R2 {last['r2']:.3f}, {last['seconds']:.0f} s", file=sys.stderr)
    elif isinstance(event, Progress) and time.perf_counter() - watch.last > _EVERY:  # type: ignore[attr-defined]
        watch.last = time.perf_counter()  # type: ignore[attr-defined]
        print(f"  {event.text}", file=sys.stderr, flush=True)


watch.last = 0.0  # type: ignore[attr-defined]


def judged(found: NDArray[np.float64], truth: OrientationMap) -> str:
    """Misorientation to the truth, and the spread within grains, as cells of the table."""
    group, grain = truth.phases[0].point_group, truth.properties["grain"]
    strict = misorientation_angle(found, truth.quaternions, group)
    beam = misorientation_angle(found, truth.quaternions, group, modulo_beam=True)
    mean = mean_orientation(found, group, labels=grain)
    spread = np.median(misorientation_angle(found, mean[grain], group))
    near = 100 * (beam < 5).mean()
    return f"{np.median(strict):.2f} | {np.median(beam):.2f} | {near:.0f} | {spread:.2f}"


def taught(
    name: str, split: str, scan: Scan, labels: OrientationMap, truth: OrientationMap, options: Any
) -> str:
    """Train one network, and return its row."""
    variant = NETWORKS[name]
    config = TrainConfig(
        network=NetworkConfig(name=name, head=options.head),
        input=InputConfig(size=variant.size),
        scan=ScanDataConfig(scan="scan", labels="labels", split=split),
        schedule=options.schedule,
        epochs=options.epochs,
        time_limit_s=60 * options.minutes,
        validate_every=options.validate_every,
    )
    folder = options.out / f"{name}-{split}-{options.head}-{options.schedule or 'own'}"
    history: list[dict[str, Any]] = []

    def note(event: Any) -> None:
        watch(event)
        if isinstance(event, Partial) and event.name == "history":
            history[:] = event.value

    patterns = run(labelled_patterns(config, scan, labels), note)
    model = run(train(config, folder, patterns=patterns, resume=True), note)
    start = time.perf_counter()
    found = run(predict_scan(scan, model, PredictConfig(answer="network")), watch)
    rate = found.indexed.size / (time.perf_counter() - start)
    said = found.candidates.quaternions[..., 0, :]  # also where it is not indexed
    parts = np.array_split(patterns.images, 32)
    every = joined([model.predict(part.astype(np.float32)) for part in parts])
    whole = accuracy(patterns.quaternions, every, model.phase)
    scores, last = model.scores, history[-1] if history else {"round": 0, "seconds": 0.0}
    paper = PAPER.get(name)
    beside = " / ".join(map(str, paper)) if paper else "-"
    return (
        f"| {variant.label} | {split} | {beside} | {last['round']} | {last['seconds'] / 60:.1f} "
        f"| {scores['validation']['r2']:.3f} | {scores['test']['r2']:.3f} | {whole.r2:.3f} "
        f"| {whole.mse:.0f} | {whole.mae:.1f} | {judged(said, truth)} | {rate:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=200, help="of the scan, positions")
    parser.add_argument("--grains", type=int, default=220)
    parser.add_argument("--networks", nargs="+", default=["cnn"], choices=list(NETWORKS))
    parser.add_argument("--split", nargs="+", default=["random", "grains"])
    parser.add_argument("--head", default="euler", choices=("euler", "rotation", "mixture"))
    parser.add_argument("--schedule", choices=("constant", "epoch", "step", "cosine"))
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--validate-every", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=30.0, help="for each network")
    parser.add_argument("--out", type=Path, default=Path("learning_benchmark"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    experiment = PolycrystalConfig.from_yaml(Path(__file__).with_name("matching_linio2.yaml"))
    shape = (options.size, options.size)
    experiment = experiment.model_copy(update={"shape": shape, "grains": options.grains})
    scan, truth = run(simulate_scan(experiment, options.out / "scan.npy"), watch)
    start = time.perf_counter()
    labels = run(index_scan(scan, IndexConfig(phases=experiment.phases)), watch)
    rate = labels.indexed.size / (time.perf_counter() - start)
    print(
        f"{scan.name}: {scan.shape}, {options.grains} grains; {torch.get_num_threads()} threads, "
        f"{os.cpu_count()} cores\n\n"
        "| network | split | paper: epochs / R2 val / test / all | epochs | minutes | R2 val "
        "| R2 test | R2 all | MSE | MAE | median to truth, deg | modulo beam | within 5 deg, % "
        "| spread, deg | patterns/s |\n|" + "---|" * 15
    )
    q = labels.candidates.quaternions[..., 0, :]
    one = np.ones((q[..., 0].size, 1))
    own = accuracy(
        truth.quaternions.reshape(-1, 4), Prediction(q.reshape(-1, 1, 4), one, one), truth.phases[0]
    )  # to the truth: what no network that learns the truth from these labels is above
    print(
        f"| template matching (the labels), to the truth | | | | | | | {own.r2:.3f} "
        f"| {own.mse:.0f} | {own.mae:.1f} | {judged(q, truth)} | {rate:.0f} |"
    )
    for name in options.networks:
        for split in options.split:
            print(taught(name, split, scan, labels, truth, options), flush=True)


if __name__ == "__main__":
    main()
