"""A small scan of gold, a network that has seen it, and the folder of one that knows nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import from_axis_angle, multiply, random_orientations
from napari_orient.diffraction.polycrystal import PolycrystalConfig, simulate_scan
from napari_orient.jobs import run
from napari_orient.learning.card import write_card
from napari_orient.learning.config import (
    InputConfig,
    NetworkConfig,
    SimulationConfig,
    TrainConfig,
)
from napari_orient.learning.folder import Model, save_model
from napari_orient.learning.heads import Head, Prediction
from napari_orient.learning.networks.registry import build_network
from napari_orient.learning.patterns import network_images

if TYPE_CHECKING:
    from pathlib import Path

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan

SEEN = InputConfig(size=32, pixel_size=0.08)
SCORES = {
    "test": {
        "n": 96, "median_deg": 4.25, "within_5deg": 0.62, "median_deg_modulo_beam": 2.5,
        "within_5deg_modulo_beam": 0.81,
    }
}  # fmt: skip


def gold_scan() -> tuple[Scan, OrientationMap]:
    """Return 6 x 8 patterns of gold, a fifth of them vacuum, and the truth."""
    config = PolycrystalConfig(
        shape=(6, 8), grains=7, boundary_px=0.0, phases=("Au",), vacuum_share=0.2, seed=3,
        pattern_shape=(96, 96), pixel_size=0.027, spot_share=0.05,
    )  # fmt: skip
    return run(simulate_scan(config))


class Knowing(Model):
    """Has seen the scan: the truth, 2 degrees off, is its second answer; waits for ``go``."""

    def know(self, scan: Scan, truth: OrientationMap) -> Knowing:
        patterns = scan.read(slice(None)).reshape(-1, *scan.pattern_shape)
        table = network_images(patterns, self.config.input, scan.calibration)
        q = truth.quaternions.reshape(-1, 4)
        near = multiply(q, from_axis_angle(np.array([1.0, 2.0, 0.5]), 2.0))
        wrong = random_orientations(len(q), seed=1)
        known = {
            "table": table.reshape(len(q), -1),
            "said": np.stack([wrong, near], axis=1),
            "spread": np.linspace(1, 5, len(q)),
            "go": threading.Event(),
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)
        self.go.set()
        return self

    def predict(self, images: Any) -> Prediction:
        self.go.wait(30)
        flat = images.reshape(len(images), -1)
        rows = ((flat[:, None] - self.table[None]) ** 2).sum(-1).argmin(1)
        odds = np.tile([0.7, 0.3], (len(rows), 1))
        spread = np.stack([self.spread[rows], np.full(len(rows), 1.5)], axis=1)
        return Prediction(self.said[rows], odds, spread)


def gold_model(kind: type[Model] = Model, folder: Path | None = None, **facts: Any) -> Model:
    """Return an untrained network for gold."""
    network = NetworkConfig(name="cnn", hypotheses=2)
    config = TrainConfig(
        network=network, input=SEEN, simulation=SimulationConfig(phase="Au"), device="cpu"
    )
    phase = get_phase("Au")
    head = Head(network, phase)
    torch.manual_seed(0)
    built = build_network("cnn", network, head.outputs, SEEN.size, imagenet=False)
    return kind(built.eval(), head, config, phase, SCORES, {"voltage_kv": 300.0, **facts}, folder)


def gold_folder(folder: Path, **facts: Any) -> Path:
    """Write the folder of an untrained network for gold."""
    model = gold_model(**facts)
    save_model(model, folder, write_card(model, "nothing yet", []))
    return folder
