"""A matcher that only reads what stands in the patterns, for tests of what is done with answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_orient.crystal.phases import get_phase
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.match import BEAM, Match

CONFIG = IndexConfig(phases=("Ni", "LiNiO2"), candidates=3, threads=1)


def numbered_scan(shape=(7, 9), pattern=(16, 12), **changes):
    """A scan whose pattern pixel (0, 0) is the number of its position, 1 ... n."""
    data = np.zeros((*shape, *pattern), np.uint16)
    data[:, :, 0, 0] = 1 + np.arange(np.prod(shape)).reshape(shape)
    known = Calibration(step=Quantity(value=(2.0, 3.0), unit="nm", source="typed"))
    return Scan(data, **{"calibration": known, "name": "numbered", **changes})


def quaternion_of(number):
    """A unit quaternion (..., 4) for each number."""
    angle = 0.01 * np.asarray(number, float)
    zero = np.zeros_like(angle)
    return np.stack([np.cos(angle), zero, zero, np.sin(angle)], axis=-1)


@dataclass
class ReadingMatcher:
    """Answers with the number in the pattern's corner; number 5 is not indexed, 7 is LiNiO2."""

    asked: IndexConfig = CONFIG
    config: IndexConfig = CONFIG
    pattern_shape: tuple[int, int] = (16, 12)
    exploratory: str = "only an example"
    remarks: tuple[str, ...] = ("said",)
    calibration: Calibration = field(default_factory=Calibration)
    fail_at: int = 0
    seen: list = field(default_factory=list)

    @property
    def phases(self):
        return tuple(get_phase(name) for name in self.config.phases)

    def match(self, patterns, positions=None):
        number = patterns[:, 0, 0].astype(int)
        self.seen += [tuple(p) for p in np.asarray(positions).tolist()]
        if self.fail_at in number and self.fail_at:
            raise KeyboardInterrupt
        n, k = len(number), self.config.candidates
        quaternions = quaternion_of(number[:, None] + np.arange(k) * 100)
        score = np.tile(np.linspace(0.9, 0.5, k), (n, 1)).astype(np.float32)
        phase = np.where(number[:, None] == 7, 1, 0) + np.zeros((n, k), np.int32)
        return Match(
            quaternions, score, phase, q=number.astype(np.float32), r=np.full(n, 4, np.float32),
            beam_margin=np.full(n, 1, np.float32), crystal_margin=np.full(n, 100, np.float32),
            share=np.full(n, 100, np.float32),
            ambiguous=np.full(n, BEAM, np.uint8), indexed=number != 5,
        )  # fmt: skip
