"""Could two samples of grains be of one material? Tests that shuffle grains between them.

If they are, it does not matter which grain is in which sample: the distance of the two is one of
those that shuffling gives (permutation test; Good, Permutation, Parametric and Bootstrap Tests of
Hypotheses, 2005, section 3.2). Not points are dealt out, for those of a grain say nothing new, and
not single grains, for neighbours are alike, but patches of some neighbours.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

DRAWS = 999
_MANY = 3000  # grains that the test of textures takes: its memory grows as their square
_CELLS = 2**24  # shuffles times grains that are measured at once


def shuffles(
    a: NDArray[np.integer[Any]], b: NDArray[np.integer[Any]], draws: int, seed: int
) -> NDArray[np.bool_]:
    """Deal whole blocks out again, as many to each sample as it has.

    Parameters
    ----------
    a, b
        (n,) and (m,) number of the block of each member.

    Returns
    -------
    first
        (draws + 1, n + m) who is in the first sample; row 0 is as it was.
    """
    random = np.random.default_rng(seed)
    one, other = (np.unique(block, return_inverse=True) for block in (a, b))
    n, m = len(one[0]), len(other[0])
    first = np.arange(n + m) < n
    rest = random.permuted(np.broadcast_to(first, (draws, n + m)), axis=1)
    return np.concatenate([first[None], rest])[:, np.concatenate([one[1], n + other[1]])]


def chance(distances: NDArray[np.float64]) -> float:
    """Share of shuffles, the true one with them, that are at least as far apart (row 0)."""
    return float(np.mean(distances >= distances[0] * (1 - 1e-9)))


def least_chance(a: NDArray[np.integer[Any]], b: NDArray[np.integer[Any]]) -> float:
    """Smallest p value that shuffling blocks (n,) and (m,) can give: few blocks, few ways to deal.

    Of two samples of as many blocks each, every way has a mirror image of the same distance.
    """
    n, m = len(np.unique(a)), len(np.unique(b))
    return (1 + (n == m)) / comb(n + m, n)


def _distances(
    first: NDArray[np.bool_], measure: Callable[[NDArray[np.bool_]], Draws]
) -> NDArray[np.float64]:
    """Distance (draws,) of each shuffle, some at a time: 1e5 grains would fill the memory."""
    some = max(1, _CELLS // max(1, first.shape[1]))
    return np.concatenate([measure(first[i : i + some]) for i in range(0, len(first), some)])


def wasserstein(
    a: NDArray[np.float64], b: NDArray[np.float64], first: NDArray[np.bool_]
) -> tuple[float, float]:
    """Distance of two distributions (n,) and (m,) in their own unit, and its p value.

    The area between the two cumulative distributions: by how much values have to be moved.
    """
    values = np.concatenate([a, b])
    order = np.argsort(values)
    gaps = np.diff(values[order])

    def measure(who: NDArray[np.bool_]) -> Draws:
        one = np.cumsum(who[:, order], axis=1)
        count, behind = one[:, -1:], np.arange(1, len(values) + 1)
        share = one / count - (behind - one) / (len(values) - count)
        return np.asarray(np.abs(share[:, :-1]) @ gaps)

    distances = _distances(first, measure)
    return float(distances[0]), chance(distances)


def tensors(
    a: NDArray[np.float64], b: NDArray[np.float64], first: NDArray[np.bool_]
) -> tuple[float, float]:
    """Distance (Frobenius norm) of the means of (n, k, k) and (m, k, k), and its p value."""
    values = np.concatenate([a, b]).reshape(len(a) + len(b), -1)

    def measure(who: NDArray[np.bool_]) -> Draws:
        count = who.sum(axis=1, keepdims=True)
        apart = who @ values / count - ~who @ values / (len(values) - count)
        return np.asarray(np.linalg.norm(apart, axis=1))

    distances = _distances(first, measure)
    return float(distances[0]), chance(distances)


def histograms(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    first: NDArray[np.bool_],
    width: float,
) -> tuple[float, float]:
    """Distance of two distributions that are sums of the rows (n, bins) and (m, bins); p value.

    As :func:`wasserstein`, in the unit of ``width``, the width of a bin.
    """
    rows = np.concatenate([a, b])

    def measure(who: NDArray[np.bool_]) -> Draws:
        one, other = (np.cumsum(_shares(some @ rows), axis=1) for some in (who, ~who))
        return np.asarray(width * np.abs(one - other).sum(axis=1))

    distances = _distances(first, measure)
    return float(distances[0]), chance(distances)


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300))


def textures(
    a: tuple[Draws, Draws],
    b: tuple[Draws, Draws],
    first: NDArray[np.bool_],
    group: Any,
    halfwidth: float,
) -> float:
    """Return the p value of the distance between two textures.

    Parameters
    ----------
    a, b
        Orientations (n, 4) and weights (n,) of the grains of each.
    halfwidth
        Of the kernel, in degrees. The distance is that of the kernel mean embeddings (Gretton et
        al., J. Machine Learning Research 13 (2012) 723, eq. 5), of the same form as the L2
        distance of two ODFs.
    """
    q, w = (np.concatenate(parts) for parts in zip(a, b, strict=True))
    if len(q) > _MANY:  # a part of both, the same in each shuffle
        some = np.random.default_rng(0).choice(len(q), _MANY, replace=False)
        q, w, first = q[some], w[some], first[:, some]
    kernel = kernel_matrix(q, group, halfwidth)
    one = first * w
    other = w - one
    apart = one / one.sum(1, keepdims=True) - other / other.sum(1, keepdims=True)
    return chance(np.einsum("ij,ij->i", apart @ kernel, apart))


def kernel_matrix(q: Draws, group: Any, halfwidth: float) -> Draws:
    """Value (n, n) of the kernel between all orientations (n, 4), averaged over symmetry."""
    from napari_orient.analysis.texture.kernel import Kernel
    from napari_orient.crystal.rotations import laue_operators, multiply

    kernel, operators = Kernel(halfwidth), laue_operators(group)
    made = np.zeros((len(q), len(q)))
    for one in operators:
        # the scalar part of s a b^-1, the cosine of half the angle, is a dot product
        made += np.abs(multiply(one, q) @ q.T) ** (2 * kernel.power)
    return np.asarray(made * kernel.height / len(operators))


def interval(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    block_a: NDArray[np.integer[Any]],
    block_b: NDArray[np.integer[Any]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % interval of mean(b) / mean(a), by drawing whole blocks again (bootstrap)."""
    random = np.random.default_rng(seed)
    ratios = _means(b, block_b, draws, random) / _means(a, block_a, draws, random)
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(low), float(high)


def _means(
    values: NDArray[np.float64],
    block: NDArray[np.integer[Any]],
    draws: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Means (draws,) of the members of blocks that are drawn with replacement."""
    place = np.unique(block, return_inverse=True)[1]
    sums, sizes = np.bincount(place, values), np.bincount(place)
    drawn = random.integers(len(sizes), size=(draws, len(sizes)))
    return np.asarray(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))


def holm(chances: list[float | None]) -> list[float | None]:
    """Correct p values for their number (Holm, Scand. J. Statist. 6 (1979) 65); None stay."""
    known = sorted((p, i) for i, p in enumerate(chances) if p is not None)
    corrected: list[float | None] = [None] * len(chances)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[i] = largest
    return corrected
