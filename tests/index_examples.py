"""A small scan of gold in known orientations, and a matcher that knows them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.crystal.rotations import beam_operator, multiply
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.diffraction.matching.match import BEAM, Match
from napari_orient.diffraction.simulate import pattern_images, reflections, spots
from napari_orient.jobs import Progress
from napari_orient.plugin.index.look import with_typed
from napari_orient.samples import polycrystal_map

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.diffraction.matching.config import IndexConfig

VACUUM = (0, 0)  # a position without a crystal


def gold_grains(shape: tuple[int, int] = (12, 14)) -> tuple[Scan, OrientationMap]:
    """Return patterns of four gold grains and their map; one position is vacuum."""
    truth = polycrystal_map(shape, 4, "Au", seed=3, step=2.0, unit="nm")
    drawn = spots(
        reflections(truth.phases[0], 1.5), truth.quaternions.reshape(-1, 4), 200.0,
        thickness_nm=20.0, precession_deg=0.5, max_excitation=0.03,
    )  # fmt: skip
    images = pattern_images(
        drawn, (96, 96), 0.03, centre=(48.0, 48.0), radius=0.05, spot_counts=8000.0, power=1.0,
        direct_counts=20_000.0, background_counts=2000.0, noise_seed=1,
    )  # fmt: skip
    data = images.reshape(*shape, 96, 96)
    ky, kx = np.ogrid[:96, :96]
    data[VACUUM] = np.where(np.hypot(ky - 48, kx - 48) < 2, 200, 0)
    known = {
        "step": Quantity(value=(2.0, 2.0), unit="nm", source="file"),
        "pixel_size": Quantity(value=0.03, unit="1/angstrom", source="measured"),
        "centre": Quantity(value=(48.0, 48.0), unit="px", source="measured"),
        "voltage": Quantity(value=200.0, unit="kV", source="file"),
        "precession": Quantity(value=0.5, unit="deg", source="file"),
        "convergence": Quantity(value=1.25, unit="mrad", source="file"),
    }
    return Scan(data, Calibration(**known), name="gold", phase="Au"), truth


class Library:
    """Says how large it is."""

    nbytes = 1_500_000

    def __len__(self) -> int:
        return 300


@dataclass(frozen=True)
class Settled:
    """Holds the settings as a matcher has them."""

    config: IndexConfig


@dataclass(frozen=True)
class Knowing:
    """Answers with the truth as soon as ``go`` is set, to see a run from outside."""

    remarks = ()
    libraries = (Library(),)

    asked: IndexConfig
    settings: Settled
    calibration: Calibration
    pattern_shape: tuple[int, int]
    truth: OrientationMap
    go: threading.Event

    @property
    def config(self) -> IndexConfig:
        return self.settings.config

    @property
    def phases(self):
        return (self.truth.phases[0],)

    @property
    def exploratory(self) -> str:
        return "" if self.asked.pixel_size is None else "the pixel size is typed"

    def match(self, patterns, positions=None) -> Match:
        """Return the truth, and the crystal turned about the beam."""
        self.go.wait(30)
        y, x = np.asarray(positions).T
        q = self.truth.quaternions[y, x]
        n = len(q)

        def all_of(value):
            return np.full(n, value, np.float32)

        return Match(
            quaternions=np.stack([q, multiply(q, beam_operator())], 1),
            score=np.tile(np.float32([0.8, 0.79]), (n, 1)),
            phase_id=np.zeros((n, 2), np.int32),
            q=all_of(80),
            r=all_of(40),
            beam_margin=all_of(1.25),
            crystal_margin=all_of(100),
            share=all_of(100),
            ambiguous=np.full(n, BEAM, np.uint8),
            indexed=(y != VACUUM[0]) | (x != VACUUM[1]),
        )


def knowing(truth: OrientationMap):
    """Return a stand-in for ``build_matcher``, and the event that lets its matchers go on."""
    go = threading.Event()
    go.set()

    def build(calibration, pattern_shape, config, *, sample=None):
        yield Progress(0, 2, "knowing")
        if calibration.voltage is None and config.voltage_kv is None:
            raise ValueError("the acceleration voltage is unknown")
        settled = Settled(config.model_copy(update={"min_g": 0.1, "max_g": 1.4, "threads": 1}))
        known = with_typed(calibration, config)
        return Knowing(config, settled, known, pattern_shape, truth, go)

    return build, go
