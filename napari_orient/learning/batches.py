"""Where do the patterns of a training come from? A scan with labels, or a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from napari_orient.learning.simulated import PatternSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from orix.crystal_map import Phase
    from torch import Tensor

    from napari_orient.learning.config import TrainConfig

_PARTS = {"train": 0, "validation": 1, "test": 2}
_AT_ONCE = 256


class Patterns(Protocol):
    """Patterns of a training, in three parts."""

    phase: Phase
    about: str
    facts: dict[str, float]

    def steps(self, batch: int) -> int:
        """Batches in a round."""

    def round(self, number: int, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (n, size, size) and orientations (n, 4) of one round; it may be repeated."""

    def held_out(self, part: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Images and orientations of "validation" or "test"; always the same."""


class Simulated:
    """Patterns that are simulated anew in each round."""

    def __init__(self, config: TrainConfig, device: str) -> None:
        assert config.simulation is not None
        self.source = PatternSource(config.simulation, config.input, device)
        self.phase, self.config = self.source.phase, config
        self.facts = {"voltage_kv": config.simulation.voltage_kv}
        self.about = (
            f"simulated patterns of {self.phase.name}, exact labels; not validated on experimental "
            "patterns"
        )

    def steps(self, batch: int) -> int:
        """Batches in a round."""
        return max(1, self.config.epoch_patterns // batch)

    def round(self, number: int, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of one round, the same for the same number."""
        random = self._random("train", number)
        for _ in range(self.steps(batch)):
            yield self.source.draw(batch, random)

    def held_out(self, part: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Patterns of no round."""
        assert self.config.simulation is not None
        random = self._random(part, 0)
        left, parts = self.config.simulation.validation, []
        while left:
            parts.append(self.source.draw(min(left, _AT_ONCE), random))
            left -= len(parts[-1][0])
        images, quaternions = (torch.cat(values).cpu() for values in zip(*parts, strict=True))
        return images.numpy(), quaternions.double().numpy()

    def _random(self, part: str, number: int) -> torch.Generator:
        # torch takes but the last 32 bits of a seed: they have to be mixed before
        mixed = np.random.SeedSequence((self.config.seed, _PARTS[part], number))
        return torch.Generator().manual_seed(int(mixed.generate_state(1)[0]))


class Labelled:
    """Patterns that are kept in memory, as float16, with a label each and a part."""

    def __init__(
        self,
        images: NDArray[np.float16],
        quaternions: NDArray[np.float64],
        part: NDArray[np.int8],
        phase: Phase,
        about: str,
        seed: int = 0,
        facts: dict[str, float] | None = None,
    ) -> None:
        self.images, self.quaternions, self.part = images, quaternions, part
        self.phase, self.about, self.seed, self.facts = phase, about, seed, facts or {}
        self._train = np.flatnonzero(part == 0)
        if not len(self._train):
            raise ValueError("no pattern is left for the training")

    def steps(self, batch: int) -> int:
        """Batches in a round; the last one may be smaller."""
        return -(-len(self._train) // batch)

    def round(self, number: int, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all training patterns in an order of the round's own."""
        order = np.random.default_rng((self.seed, number)).permutation(self._train)
        for start in range(0, len(order), batch):
            rows = np.sort(order[start : start + batch])
            images = torch.from_numpy(self.images[rows].astype(np.float32))
            yield images, torch.from_numpy(self.quaternions[rows])

    def held_out(self, part: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Patterns of a part; there may be none."""
        rows = np.flatnonzero(self.part == _PARTS[part])
        return self.images[rows].astype(np.float32), self.quaternions[rows]
