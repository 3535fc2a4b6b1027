"""Does a network know how wrong it is? What it says of its own error beside the error it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.analysis.curves import binned

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Reliability(NamedTuple):
    """What is stated and what is so, one row a bin of about equal counts, in degrees.

    Attributes
    ----------
    stated
        (n,) mean of the errors that are stated.
    mean
        (n,) mean of the errors that are made.
    median, lower, upper
        (n,) their median and quartiles.
    n
        (n,) points in the bin.
    """

    stated: NDArray[np.float64]
    mean: NDArray[np.float64]
    median: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    n: NDArray[np.int64]

    @property
    def gap(self) -> float:
        """Mean distance between what is stated and what is so, over all points; NaN without any."""
        if not len(self.n):
            return float("nan")
        return float(np.average(np.abs(self.stated - self.mean), weights=self.n))


def reliability(spread: NDArray[Any], error: NDArray[Any], bins: int = 10) -> Reliability:
    """Compare stated errors with real ones, in bins of points with a similar statement.

    Parameters
    ----------
    spread
        Of any shape: how many degrees each answer is off on average, by the network's own account.
    error
        Of the same shape: how many it is off. Points where either is not finite are left out.
    bins
        At most so many; equal statements stay together.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    found = binned(error, spread, bins)
    there = np.isfinite(error) & np.isfinite(spread)
    x = np.asarray(spread[there], np.float64)
    y = np.asarray(error[there], np.float64)
    where = np.searchsorted(found.edges[1:-1], x, side="right")
    stated, mean = (
        np.bincount(where, weights=values, minlength=len(found.n)) / np.maximum(found.n, 1)
        for values in (x, y)
    )
    return Reliability(stated, mean, found.median, found.lower, found.upper, found.n)


def rank_correlation(number: NDArray[Any], error: NDArray[Any]) -> float:
    """How well a number tells large errors from small ones: Spearman's rank correlation.

    1: it grows with the error at each point, -1: it falls, 0: it tells nothing. NaN where either
    is the same everywhere. Points where either is not finite are left out.
    """
    from scipy.stats import rankdata

    there = np.isfinite(error) & np.isfinite(number)
    if there.sum() < 2:
        return float("nan")
    ranks = np.stack([rankdata(number[there]), rankdata(error[there])])
    if (np.ptp(ranks, axis=1) == 0).any():
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])
