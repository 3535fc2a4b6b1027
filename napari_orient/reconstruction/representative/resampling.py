"""How sure is a number? Patches are drawn again, with replacement (bootstrap)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]


def drawn_again(block: NDArray[np.integer[Any]], draws: int, seed: int) -> Draws:
    """How often (draws, n) each member is there when as many blocks as there are are drawn."""
    names, place = np.unique(block, return_inverse=True)
    count = len(names)
    if not count:
        return np.zeros((draws, 0))
    drawn = np.random.default_rng(seed).integers(count, size=(draws, count))
    times = np.stack([np.bincount(row, minlength=count) for row in drawn])
    return np.asarray(times[:, place], np.float64)


def weighted_mean(values: Draws, weights: Draws, times: Draws) -> Draws:
    """Mean (draws, ...) of values (n, ...) by weights (n,) and times (draws, n)."""
    flat = values.reshape(len(values), -1)
    total = (times @ weights)[:, None]
    made = (times * weights) @ flat / np.where(total > 0, total, np.nan)
    return np.asarray(made.reshape(len(times), *values.shape[1:]))


def interval(draws: Draws) -> tuple[float, float] | None:
    """95 % of draws (n,); None where most are no numbers."""
    good = draws[np.isfinite(draws)]
    if len(good) < 0.5 * len(draws) or not len(good):
        return None
    low, high = np.percentile(good, (2.5, 97.5))
    return float(low), float(high)


def texture_indices(kernel: Draws, weights: Draws, block: Any, times: Draws) -> Draws:
    """Texture index (draws,) without what chance adds: of pairs of two different patches alone.

    The mean of f^2 is that of the kernel over all pairs of orientations; those of one orientation
    with itself, and of one patch, make n random grains a texture of index 1 + (t - 1) / n.

    Parameters
    ----------
    kernel
        (n, n) values of the kernel between orientations.
    weights, block
        (n,) of each, and its patch.
    times
        (draws, n) how often each is there.
    """
    place = np.unique(block, return_inverse=True)[1].reshape(-1)
    count = int(place.max()) + 1
    member = np.zeros((len(place), count))
    member[np.arange(len(place)), place] = weights
    sums, sizes = member.T @ kernel @ member, member.sum(axis=0)
    pairs = np.outer(sizes, sizes)
    np.fill_diagonal(sums, 0)
    np.fill_diagonal(pairs, 0)
    first = np.unique(place, return_index=True)[1]
    chosen = times[:, first]
    above, below = (np.einsum("ij,ij->i", chosen @ m, chosen) for m in (sums, pairs))
    return np.asarray(above / np.where(below > 0, below, np.nan))
