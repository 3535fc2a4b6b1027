"""Does a network know where it is wrong? How sure it is, beside how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.analysis.curves import binned
from napari_orient.learning.evaluate import WITHIN_DEG

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Reliability(NamedTuple):
    """What is stated and what is so, one row a bin of about equal counts; shares from 0 to 1.

    Attributes
    ----------
    stated
        (n,) mean of the probabilities that are stated.
    right
        (n,) share of the answers that are right.
    n
        (n,) points in the bin.
    """

    stated: NDArray[np.float64]
    right: NDArray[np.float64]
    n: NDArray[np.int64]

    @property
    def gap(self) -> float:
        """Mean distance between what is stated and what is so, over all points; NaN without any.

        The expected calibration error of Guo et al., ICML 2017, with bins of equal counts.
        """
        if not len(self.n):
            return float("nan")
        return float(np.average(np.abs(self.stated - self.right), weights=self.n))


def reliability(
    probability: NDArray[Any], error: NDArray[Any], bins: int = 10, within: float = WITHIN_DEG
) -> Reliability:
    """Compare how sure a network is with how often it is right, in bins of similar probability.

    Parameters
    ----------
    probability
        Of any shape, 0 to 1.
    error
        Of the same shape, in degrees. Points where either is not finite are left out.
    bins
        At most so many; equal probabilities stay together.
    within
        Answers that are off by less are right, in degrees.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    found = binned(error, probability, bins)
    there = np.isfinite(error) & np.isfinite(probability)
    x = np.asarray(probability[there], np.float64)
    right = np.asarray(error[there] < within, np.float64)
    where = np.searchsorted(found.edges[1:-1], x, side="right")
    stated, share = (
        np.bincount(where, weights=values, minlength=len(found.n)) / np.maximum(found.n, 1)
        for values in (x, right)
    )
    return Reliability(stated, share, found.n)


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
