"""Which orientations make a texture? Those of one phase, finite, with a weight above zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.maps import OrientationMap


def usable(
    quaternions: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return finite unit quaternions (n, 4) and their weights (n,) > 0.

    Raises
    ------
    ValueError
        As in :func:`compute_odf`.
    """
    q = np.asarray(quaternions, np.float64)
    if q.ndim < 1 or q.shape[-1] != 4:
        raise ValueError(f"quaternions: (..., 4) expected, not {q.shape}")
    w = np.asarray(np.ones(q.shape[:-1]) if weights is None else weights, np.float64)
    if w.shape != q.shape[:-1]:
        raise ValueError(f"weights: shape {q.shape[:-1]} expected, not {w.shape}")
    q, w = q.reshape(-1, 4), w.reshape(-1)
    size = np.linalg.norm(q, axis=1)
    good = np.isfinite(size) & (size > 0)
    if not good.any():
        raise ValueError("no orientations: nothing is indexed, or all of it was left out")
    if not np.isfinite(w[good]).all() or (w[good] < 0).any():
        raise ValueError("weights of orientations must be finite and not negative")
    good &= w > 0
    if not good.any():
        raise ValueError("the weights of all orientations are zero")
    return q[good] / size[good, None], w[good]


def one_phase(
    orientations: OrientationMap, number: int | None = None
) -> tuple[NDArray[np.float64], Phase]:
    """Return the quaternions (n, 4) of the indexed points of one phase, and the phase.

    Raises
    ------
    ValueError
        If none is indexed, or there are several phases and no number was given.
    """
    indexed = orientations.indexed
    present = [int(n) for n in np.unique(orientations.phase_id[indexed])]
    if not present:
        raise ValueError("nothing is indexed: there is no texture")
    if number is None and len(present) > 1:
        names = ", ".join(f"{n} {orientations.phases[n].name}" for n in present)
        raise ValueError(f"the map has several phases, choose one: {names}")
    number = present[0] if number is None else number
    if number not in present:
        raise ValueError(f"no point is indexed as phase {number}")
    there = indexed & (orientations.phase_id == number)
    return orientations.quaternions[there], orientations.phases[number]
