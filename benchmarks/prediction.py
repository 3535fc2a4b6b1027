"""How fast is prediction, from a file to a map, how soon, and in how much memory?

    python benchmarks/prediction.py --out FOLDER [--model FOLDER ...] [--networks NAME ...]
        [--size N] [--positions N] [--quick]

A scan of LiNiO2 (that of matching_linio2.yaml) is simulated once, saved as HDF5, compressed, and
opened again as a user would. Each network predicts it in a process of its own, the file not in the
system's cache; template matching indexes the same positions. The CNN takes the whole scan, the
others --positions of it (whole rows). Networks are those of --networks with weights drawn at
random, which are as fast as trained ones, and the trained ones of --model; the first of these, or
the shipped one, also runs with its answers refined.

*first map*: seconds to the first partial map, and in brackets those before, for opening file and
model. *processor*: what all cores together spent, so that a busy machine does not decide.
*memory*: growth of what the process holds after the model is loaded, anonymous and with mapped
files, at its peak.
*bfloat16*: misorientation of its answers to those in float32; with trained weights also the median
error to the truth, modulo the beam, of both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import misorientation_angle
from napari_orient.data.formats import open_scan
from napari_orient.data.save import save_scan
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.index import index_scan
from napari_orient.diffraction.matching.settings import available_cores
from napari_orient.diffraction.polycrystal import PolycrystalConfig, simulate_scan
from napari_orient.jobs import Partial, run
from napari_orient.learning.config import InputConfig, NetworkConfig, ScanDataConfig, TrainConfig
from napari_orient.learning.folder import Model, load_model, save_model
from napari_orient.learning.heads import Head
from napari_orient.learning.networks.registry import NETWORKS, build_network
from napari_orient.learning.patterns import network_images
from napari_orient.learning.precision import pick_precision
from napari_orient.learning.predict import PredictConfig, build_predictor, predict_scan

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan

PHASE = "LiNiO2"
SHIPPED = Path(__file__).parents[1] / "resources" / "models" / "linio2"
ASKED = {"cnn": 400, "densenet121": 90, "swin-t-modified-fc": 90}  # patterns/s on two cores
COMPARED = 1024  # patterns in bfloat16 and in float32
TIMED = 256  # patterns by which the share of each step is timed


def made_scan(folder: Path, size: int) -> Path:
    """Simulate the scan and its truth, unless they are there."""
    path = folder / f"scan_{size}.h5"
    if path.exists():
        return path
    experiment = PolycrystalConfig.from_yaml(Path(__file__).with_name("matching_linio2.yaml"))
    experiment = experiment.model_copy(update={"shape": (size, size), "grains": 220})
    raw = folder / "scan.npy"
    scan, truth = run(simulate_scan(experiment, raw))
    np.save(path.with_suffix(".truth.npy"), truth.quaternions)
    run(save_scan(scan, path))
    del scan
    raw.unlink()
    return path


def random_model(name: str, folder: Path) -> Path:
    """Save a network with weights drawn at random as a model folder."""
    kind = NETWORKS[name]
    seen = InputConfig(size=kind.size, pixel_size=None if kind.size == 128 else 0.04)
    source = ScanDataConfig(scan="none", labels="none")
    config = TrainConfig(network=NetworkConfig(name=name), input=seen, scan=source)
    torch.manual_seed(0)
    head = Head(config.network, get_phase(PHASE))
    network = build_network(name, config.network, head.outputs, seen.size)
    path = folder / "models" / name
    save_model(Model(network, head, config, get_phase(PHASE), {}, {}), path, "random weights")
    return path


class Memory(threading.Thread):
    """Watches what this process holds, in MB: anonymous, and all that is resident."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.peak = self.now()

    @staticmethod
    def now() -> tuple[float, float]:
        """Return both."""
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return float("nan"), float("nan")
        kb = dict(line.split(":", 1) for line in lines)
        return int(kb["RssAnon"].split()[0]) / 1024, int(kb["VmRSS"].split()[0]) / 1024

    def run(self) -> None:
        """Look a hundred times a second."""
        while True:
            self.look()
            time.sleep(0.01)

    def look(self) -> None:
        """Keep the largest."""
        now = self.now()
        self.peak = max(self.peak[0], now[0]), max(self.peak[1], now[1])

    @property
    def growth(self) -> tuple[float, float]:
        """Above what was held at first."""
        self.look()
        return self.peak[0] - self.before[0], self.peak[1] - self.before[1]


def forget(path: Path) -> None:
    """Have the system drop a file from its cache."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(task: dict[str, Any]) -> dict[str, Any]:
    """Do one row of the table, in this process."""
    path, positions = Path(task["scan"]), task["positions"]
    forget(path)
    start = time.perf_counter()
    model = load_model(task["model"]) if task["model"] else None
    memory = Memory()
    memory.start()
    scan = open_scan(path)
    region = np.zeros(scan.scan_shape, np.bool_)
    region[: max(1, positions // scan.scan_shape[1])] = True
    first: list[float] = []

    def note(event: Any) -> None:
        if isinstance(event, Partial) and not first:
            first.append(time.perf_counter() - opened)

    opened, busy = time.perf_counter(), time.process_time()
    if model is None:
        found = run(index_scan(scan, IndexConfig(phases=(PHASE,)), region=region), note)
        seconds = found.provenance["seconds"]  # without its library
    else:
        config = PredictConfig(answer=task["answer"])
        found = run(predict_scan(scan, model, config, region=region), note)
        seconds = time.perf_counter() - opened
    busy = time.process_time() - busy
    anonymous, resident = memory.growth
    row = {
        "n": int(region.sum()), "rate": region.sum() / seconds, "first": first[0],
        "opening": opened - start, "processor": 1e3 * busy / region.sum(),
        "anonymous": anonymous, "resident": resident,
    }  # fmt: skip
    if model is not None and task["answer"] == "network":
        row["steps"] = steps(scan, model)
        row["precision"] = precision(scan, model, path, task)
        row["computes"] = pick_precision(model.config.precision, "cpu")
    return row


def sample(scan: Scan, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Patterns (n, ky, kx) from all over the scan and their positions (n, 2)."""
    rows = np.unique(np.linspace(0, scan.scan_shape[0] - 1, max(1, most // scan.scan_shape[1])))
    rows = rows.astype(int)
    patterns = np.concatenate([scan.read(slice(y, y + 1))[0] for y in rows])
    y, x = np.meshgrid(rows, np.arange(scan.scan_shape[1]), indexing="ij")
    return patterns, np.stack([y.ravel(), x.ravel()], -1)


def steps(scan: Scan, model: Model) -> dict[str, float]:
    """Microseconds of one core for each pattern: image, network, and the checks of its answers."""
    torch.set_num_threads(1)
    patterns, positions = sample(scan, TIMED)
    config = PredictConfig(answer="network")
    predictor = build_predictor(
        model, scan.calibration, scan.pattern_shape, config, patterns[:32]
    )  # fmt: skip
    batches = [slice(i, i + 64) for i in range(0, len(patterns) // 64 * 64, 64)]
    seen = [
        network_images(patterns[b], model.config.input, predictor.calibration, positions[b])
        for b in batches
    ]

    def timed(step: Any) -> float:
        best = np.inf
        for _ in range(2):
            start = time.process_time()
            for k, b in enumerate(batches):
                step(k, b)
            best = min(best, time.process_time() - start)
        return 1e6 * best / (64 * len(batches))

    whole = timed(lambda k, b: predictor.match(patterns[b], positions[b]))
    network = timed(lambda k, b: model.predict(seen[k]))
    image = timed(
        lambda k, b: network_images(
            patterns[b], model.config.input, predictor.calibration, positions[b]
        )
    )
    start = time.process_time()
    rows = min(32, scan.scan_shape[0])
    scan.read(slice(0, rows))
    reading = 1e6 * (time.process_time() - start) / (rows * scan.scan_shape[1])
    return {
        "read": reading, "image": image, "network": network, "check": whole - network - image,
    }  # fmt: skip


def precision(scan: Scan, model: Model, path: Path, task: dict[str, Any]) -> dict[str, float]:
    """How far answers in bfloat16 are from those in float32, and both from the truth, degrees."""
    torch.set_num_threads(available_cores())
    patterns, positions = sample(scan, min(COMPARED, task["positions"]))
    images = network_images(patterns, model.config.input, scan.calibration, positions)
    group, said = model.phase.point_group, {}
    for kind in ("float32", "bfloat16"):
        config = model.config.model_copy(update={"precision": kind})
        said[kind] = replace(model, config=config).predict(images).quaternions[:, 0]
    apart = misorientation_angle(said["bfloat16"], said["float32"], group)
    found = {"median": float(np.median(apart)), "99 %": float(np.quantile(apart, 0.99))}
    if task["trained"]:
        truth = np.load(path.with_suffix(".truth.npy"))[tuple(positions.T)]
        for kind, q in said.items():
            error = misorientation_angle(q, truth, group, modulo_beam=True)
            found[kind] = float(np.median(error))
    return found


def in_process(task: dict[str, Any]) -> dict[str, Any]:
    """Measure one row in a process of its own."""
    command = [sys.executable, __file__, "--out", task["out"], "--row", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{task['name']} failed:\n{done.stderr[-3000:]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def printed(task: dict[str, Any], row: dict[str, Any]) -> None:
    asked = ASKED.get(task["name"], "") if task["answer"] == "network" else ""
    print(
        f"| {task['label']} | {row['n']} | {row['rate']:.0f} | {asked} | {row['processor']:.2f} "
        f"| {row['first']:.1f} ({row['opening']:.1f}) "
        f"| {row['anonymous']:.0f} / {row['resident']:.0f} |",
        flush=True,
    )


def tasks(options: argparse.Namespace, scan: Path) -> list[dict[str, Any]]:
    """The rows of the table."""
    whole = options.size**2
    some = min(options.positions, whole)
    common = {"out": str(options.out), "scan": str(scan)}
    found: list[dict[str, Any]] = [
        {
            "name": name, "label": f"{NETWORKS[name].label}, random weights", "answer": "network",
            "model": str(random_model(name, options.out)), "trained": False,
            "positions": whole if name == "cnn" and not options.quick else some,
        }
        for name in options.networks
    ]  # fmt: skip
    trained = options.model or ([SHIPPED] if SHIPPED.is_dir() else [])
    for path in trained:
        name = load_model(path).config.network.name
        for answer in ("network", "refine")[: 2 if path == trained[0] else 1]:
            label = f"{path.name} ({NETWORKS[name].label}), trained"
            found.append({
                "name": name, "label": label + (", refined" if answer == "refine" else ""),
                "answer": answer, "model": str(path), "trained": True, "positions": some,
            })  # fmt: skip
    found.append({
        "name": "matcher", "label": "template matching, 1 degree", "answer": "",
        "model": "", "trained": False, "positions": some,
    })  # fmt: skip
    return [common | task for task in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the scan and models")
    parser.add_argument("--model", type=Path, nargs="+", help="folders of trained models")
    parser.add_argument(
        "--networks", nargs="*", choices=list(NETWORKS),
        default=["cnn", "densenet121", "swin-t-modified-fc", "polar", "compact"],
    )  # fmt: skip
    parser.add_argument("--size", type=int, default=200, help="of the scan, positions")
    parser.add_argument("--positions", type=int, default=6400, help="that most rows predict")
    parser.add_argument("--quick", action="store_true", help="the CNN, too, takes only these")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measured(json.loads(options.row)), default=float))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    scan = made_scan(options.out, options.size)
    print(
        f"{options.size} x {options.size} positions, 128 x 128 px, HDF5 of "
        f"{scan.stat().st_size / 2**20:.0f} MB; {available_cores()} cores\n\n"
        "| | positions | patterns/s | asked | processor, ms a pattern | first map, s "
        "| memory, MB |\n"
        "|" + "---|" * 7
    )
    rows = []
    for task in tasks(options, scan):
        row = in_process(task)
        printed(task, row)
        rows.append((task, row))
    print(
        "\nMicroseconds of one core for each pattern, and bfloat16 beside float32 (degrees):\n\n"
        "| | computes in | reading | image | network | checks | bfloat16 to float32: median, 99 % "
        "| to the truth: float32, bfloat16 |\n|" + "---|" * 8
    )
    for task, row in rows:
        if "steps" in row:
            s, p = row["steps"], row["precision"]
            truth = f"{p['float32']:.3f}, {p['bfloat16']:.3f}" if "float32" in p else "-"
            print(
                f"| {task['label']} | {row['computes']} | {s['read']:.0f} | {s['image']:.0f} "
                f"| {s['network']:.0f} | {s['check']:.0f} | {p['median']:.3f}, {p['99 %']:.2f} "
                f"| {truth} |"
            )


if __name__ == "__main__":
    main()
