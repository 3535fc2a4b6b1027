"""Which sections show one grain of a volume? All of them are in the patch of that grain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.grains.find import find_grains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

_LARGEST = 0.2  # of the volume: what is larger hangs together by chance, and is no one patch


@dataclass(frozen=True, eq=False)
class Bodies:
    """The grains of a volume.

    Attributes
    ----------
    labels
        (z, y, x), 0 = none.
    middles
        (n + 1, 3) z, y, x of each in the unit, that of 0 not used; NaN where it has no one place.
    step
        (dz, dy, dx).
    """

    labels: NDArray[np.int32]
    middles: NDArray[np.float64]
    step: tuple[float, ...]

    def places(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Middles (n, 3) of the grains at points (n, 3) in the unit; the point where there is none.

        Points are the middles of the squares of a grid whose first corner is 0.
        """
        index = np.floor(points / self.step).astype(np.int64)
        index = np.clip(index, 0, np.array(self.labels.shape) - 1)
        found = self.middles[self.labels[tuple(index.T)]]
        return np.where(np.isfinite(found), found, points)


def find_bodies(volume: OrientationMap, config: GrainConfig) -> Job[Bodies]:
    """Find the grains of a volume, across its borders where it repeats."""
    settings = config.model_copy(update={"least": {}, "merge_twins": (), "smallest": 1})
    grains = yield from find_grains(volume, settings)
    middles = np.full((len(grains) + 1, 3), np.nan)
    if len(grains):
        middles[1:] = np.stack([grains.table[name] for name in "zyx"], axis=-1) - volume.origin
        share = grains.table["size"] / max(float(np.prod(volume.shape)), 1.0)
        middles[1:][share > _LARGEST] = np.nan
    return Bodies(grains.labels, middles, volume.step)
