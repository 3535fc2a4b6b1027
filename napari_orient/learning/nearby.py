"""From where is a network's answer refined? From the best of a grid of orientations around it.

The score of template matching has a narrow peak: from an answer that is two degrees off a climb may
end on a ridge beside it, and the right answer loses against a wrong one that was found well.

Half a turn about the beam is tried from the answer itself, where the network has not learned to
tell it: refined wrongly, a crystal leans to the other side, and its half turn is far from the
right orientation.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.crystal.rotations import beam_operator, from_axis_angle, multiply
from napari_orient.diffraction.matching.refine import climb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.diffraction.matching.polar import PolarGrid
    from napari_orient.diffraction.matching.refine import Filtered, SpotModel
    from napari_orient.learning.heads import Prediction

_ANSWERS = 4  # of a network are looked at,
_LEAST = 0.03  # where they are this probable, as a share of the first one
_STEP_DEG, _REACH_DEG = 3.0, 5.0  # of the grid
_KEPT = 2  # starts around each answer


def starts(
    said: Prediction, ready: Filtered, grid: PolarGrid, model: SpotModel, *, beam: bool
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Find where to refine the answers of a network from.

    Parameters
    ----------
    said
        Of n patterns.
    ready, grid, model
        The patterns as they are compared, and with what.
    beam
        Half a turn about the beam is no other answer to the network.

    Returns
    -------
    quaternions, number
        (n, k, 4), and (n, k) int32: 0, or -1 where there is no such start.
    """
    q, odds = said.quaternions[:, :_ANSWERS], said.probability[:, :_ANSWERS]
    there = odds >= np.maximum(_LEAST * odds[:, :1], 1e-9)
    if beam:
        q = np.concatenate([q, multiply(q, beam_operator())], axis=1)
        there = np.tile(there, 2)
    every, score = _around(q, there, lattice(_STEP_DEG, _REACH_DEG), ready, grid, model)
    order = np.argsort(-score, axis=-1)[..., :_KEPT]
    best = np.take_along_axis(every, order[..., None], axis=2).reshape(
        len(q), q.shape[1] * _KEPT, 4
    )
    return best, np.repeat(np.where(there, 0, -1).astype(np.int32), _KEPT, axis=1)


def best_nearby(
    quaternions: NDArray[np.float64], ready: Filtered, grid: PolarGrid, model: SpotModel
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Find the best of a grid around orientations (n, 4), then of a finer one around that.

    Returns it (n, 4), and its score (n,).
    """
    there, row, q = np.ones((len(quaternions), 1), bool), np.arange(len(quaternions)), quaternions
    for around in (lattice(_STEP_DEG, _REACH_DEG), lattice(_STEP_DEG / 3, _STEP_DEG / 2)):
        every, score = _around(q[:, None], there, around, ready, grid, model)
        best = score[:, 0].argmax(axis=1)
        q = every[row, 0, best]
    return q, score[row, 0, best]


def _around(
    q: NDArray[np.float64],
    there: NDArray[np.bool_],
    around: NDArray[np.float64],
    ready: Filtered,
    grid: PolarGrid,
    model: SpotModel,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Orientations (n, a, l, 4): a grid (l, 4) around (n, a, 4); and their scores (n, a, l)."""
    every = multiply(q[:, :, None], around)
    tried = np.repeat(np.where(there, 0, -1).astype(np.int32), len(around), axis=1)
    flat = every.reshape(*tried.shape, 4)
    score = climb(ready, grid, (model,), flat, tried, move=False).score
    return every, score.reshape(every.shape[:-1])


@cache
def lattice(step_deg: float, reach_deg: float) -> NDArray[np.float64]:
    """Rotations (l, 4) by up to ``reach_deg``, the smallest first: body-centred in axis * angle."""
    most = int(np.ceil(reach_deg / step_deg)) + 1
    corners = np.stack(np.meshgrid(*[np.arange(-most, most + 1.0)] * 3), -1).reshape(-1, 3)
    vectors = step_deg * np.concatenate([corners, corners + 0.5])
    angle = np.linalg.norm(vectors, axis=1)
    order = np.argsort(angle, kind="stable")
    order = order[angle[order] <= reach_deg + 1e-9]
    vectors, angle = vectors[order], angle[order]
    vectors[0] = (0.0, 0.0, 1.0)  # no turn needs an axis all the same
    found: NDArray[np.float64] = from_axis_angle(vectors, angle)
    return found
