"""Which parts are one grain after all? Twins, small parts, and points between the grains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.grains.contacts import contact_extents, largest_neighbours
from napari_orient.analysis.grains.parts import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 100  # a small part joins one that joins another ...


def merge_pairs(labels: NDArray[np.int32], pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """Make one grain of all parts that are linked.

    Parameters
    ----------
    labels
        Parts from 1 to n; 0 = none.
    pairs
        (m, 2) parts that belong together.

    Returns
    -------
    merged
        Same shape, grains from 1.
    """
    count = int(labels.max(initial=0)) + 1
    found = components(pairs.T, count)
    # parts are numbered by their first points: so are the grains that they make
    _, first, back = np.unique(found, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    grain_of = rank[back].astype(np.int32)  # part 0 is first, and alone
    return grain_of[labels]


def drop_small(labels: NDArray[np.int32], smallest: int) -> NDArray[np.int32]:
    """Set parts of fewer points to 0, and number the others anew."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= smallest
    keep[0] = False
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return number[labels]


def merge_small(
    labels: NDArray[np.int32],
    smallest: int,
    step: tuple[float, ...],
    periodic: tuple[bool, ...],
) -> NDArray[np.int32]:
    """Give parts of fewer points to the larger neighbour that they have most boundary with.

    Those without such a neighbour stay. Numbers follow the parts that remain.
    """
    count = int(labels.max(initial=0)) + 1
    sizes = np.bincount(labels.ravel(), minlength=count)
    pairs, extent = contact_extents(labels, step, periodic)
    real = pairs[:, 0] > 0
    pairs, extent = pairs[real], extent[real]
    grain_of = np.arange(count)
    for _ in range(_ROUNDS):
        to = np.arange(count)
        a, b = largest_neighbours(pairs, extent, sizes)
        small = sizes[a] < smallest
        to[a[small]] = b[small]
        while (to[to] != to).any():  # to the end of each chain; sizes grow along it
            to = to[to]
        if (to == np.arange(count)).all():
            break
        grain_of = to[grain_of]
        sizes = np.bincount(to, sizes, count).astype(np.int64)
        pairs, extent = _joined(to[pairs], extent, count)
    kept = np.unique(grain_of[1:])
    number = np.zeros(count, np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    return number[grain_of][labels]


def _joined(
    pairs: NDArray[np.int64], extent: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Add up the contacts of parts that became one."""
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    code, place = np.unique(low * count + high, return_inverse=True)
    total = np.bincount(place, extent, len(code))
    made = np.stack(np.divmod(code, count), axis=-1)
    apart = made[:, 0] != made[:, 1]
    return made[apart].astype(np.int32), total[apart]


def fill_gaps(
    labels: NDArray[np.int32], distance: int, step: tuple[float, ...], periodic: tuple[bool, ...]
) -> NDArray[np.int32]:
    """Give points without a grain to the nearest one, up to so many (smallest) steps away."""
    from scipy.ndimage import distance_transform_edt

    if not (labels == 0).any() or not labels.any():
        return labels
    room = [
        (min(distance, n), min(distance, n)) if wraps else (0, 0)
        for n, wraps in zip(labels.shape, periodic, strict=True)
    ]
    padded = np.pad(labels, room, mode="wrap")
    far, nearest = distance_transform_edt(
        padded == 0, sampling=np.array(step) / min(step), return_indices=True
    )
    filled = np.where(far <= distance, padded[tuple(nearest)], padded)
    inside = tuple(slice(a, a + n) for (a, _), n in zip(room, labels.shape, strict=True))
    return np.ascontiguousarray(filled[inside])
