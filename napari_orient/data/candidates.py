"""Which other solutions were found at each point of a map? The best few of a search, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Candidates:
    """The k best solutions of each point, the best first.

    They are what the search found, also where the map's own point is "not indexed".

    Attributes
    ----------
    quaternions
        (y, x, k, 4) float32, scalar first, lab2crystal, in the map frame; the identity where there
        are fewer.
    score
        (y, x, k) float32, larger is better; -inf where there are fewer.
    phase_id
        (y, x, k) int32, a number of the map's phases; -1 where there are fewer.

    Raises
    ------
    ValueError
        If the shapes do not belong together.
    """

    quaternions: NDArray[np.floating[Any]]
    score: NDArray[np.floating[Any]]
    phase_id: NDArray[np.integer[Any]]

    def __post_init__(self) -> None:
        dtypes = (np.float32, np.float32, np.int32)
        for name, array, dtype in zip(_NAMES, self.arrays, dtypes, strict=True):
            object.__setattr__(self, name, np.asarray(array, dtype))
        shape = self.score.shape
        if self.quaternions.shape != (*shape, 4) or self.phase_id.shape != shape or len(shape) < 2:
            raise ValueError(
                f"candidates: quaternions {self.quaternions.shape}, score {shape} and phase_id "
                f"{self.phase_id.shape} do not belong together"
            )

    @classmethod
    def empty(cls, shape: tuple[int, ...], count: int) -> Candidates:
        """Return candidates of a map of ``shape``, ``count`` a point, none of them found yet."""
        quaternions = np.zeros((*shape, count, 4), np.float32)
        quaternions[..., 0] = 1
        score = np.full((*shape, count), -np.inf, np.float32)
        return cls(quaternions, score, np.full((*shape, count), -1, np.int32))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the map, (y, x)."""
        return self.score.shape[:-1]

    @property
    def count(self) -> int:
        """Solutions of each point, k."""
        return int(self.score.shape[-1])

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Quaternions, score and phase_id."""
        return self.quaternions, self.score, self.phase_id

    def moved(self, move: Callable[[NDArray[Any]], NDArray[Any]]) -> Candidates:
        """Return the candidates of a part of the map, or of a turned grid.

        ``move`` takes an array whose first axes are the map's to the new grid, as a slice does.
        """
        return Candidates(*(move(array) for array in self.arrays))


_NAMES = ("quaternions", "score", "phase_id")


def write_candidates(group: Any, candidates: Candidates, **packed: Any) -> None:
    """Write candidates into an empty HDF5 group; ``packed`` are h5py's options of a data set."""
    for name in _NAMES:
        group.create_dataset(name, data=getattr(candidates, name), **packed)


def read_candidates(group: Any) -> Candidates:
    """Read what :func:`write_candidates` wrote."""
    return Candidates(*(group[name][()] for name in _NAMES))
