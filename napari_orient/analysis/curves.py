"""How are errors distributed, and on what do they depend? Numbers to be drawn as curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Histogram(NamedTuple):
    """Counts (n,) between edges (n + 1,)."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


class Cumulative(NamedTuple):
    """Share (n,), 0 to 1, of the values that are at most ``values`` (n,), at the last of equals."""

    values: NDArray[np.float64]
    share: NDArray[np.float64]


class Binned(NamedTuple):
    """Errors of points with a similar value of something else, one row a bin.

    Attributes
    ----------
    at
        (n,) median of that value in the bin.
    edges
        (n + 1,) of the bins: a bin has its lower edge, the last one both.
    median, lower, upper
        (n,) median and quartiles of the errors.
    n
        (n,) points in the bin.
    """

    at: NDArray[np.float64]
    edges: NDArray[np.float64]
    median: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    n: NDArray[np.int64]


def histogram(errors: NDArray[Any], width: float | None = None) -> Histogram:
    """Count errors in bins from zero; NaN are left out.

    Parameters
    ----------
    errors
        Any shape, 0 or above.
    width
        Of a bin, in the unit of the errors; without it 1, 2 or 5 times a power of ten that makes
        20 to 50 bins.
    """
    values = _finite(errors)
    largest = float(values.max(initial=0.0))
    width = width or _round_step(largest / 20)
    count = max(int(np.ceil(largest / width)), 1)
    counts, edges = np.histogram(values, bins=count, range=(0.0, count * width))
    return Histogram(edges, counts)


def _round_step(step: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that is not above ``step``; 1 for zero."""
    if step <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(step))
    return float(max(power * one for one in (1, 2, 5) if power * one <= step * (1 + 1e-9)))


def cumulative(errors: NDArray[Any], most: int = 1000) -> Cumulative:
    """Rise of the share of points below an error, at no more than ``most`` places; NaN left out."""
    values = np.sort(_finite(errors))
    if not len(values):
        return Cumulative(np.zeros(0), np.zeros(0))
    rank = np.unique(np.linspace(1, len(values), min(most, len(values))).round().astype(int))
    return Cumulative(values[rank - 1], rank / len(values))


def binned(errors: NDArray[Any], against: NDArray[Any], bins: int = 20) -> Binned:
    """Sum up errors in bins of something else: Q, R, the distance to a boundary.

    Bins hold equal numbers of points as far as equal values, which stay together, allow; so each
    median is equally sure. Points where either is not finite are left out.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if np.shape(errors) != np.shape(against):
        raise ValueError(f"shapes differ: {np.shape(errors)} and {np.shape(against)}")
    there = np.isfinite(errors) & np.isfinite(against)
    order = np.argsort(against[there], kind="stable")
    values = np.asarray(errors[there], np.float64)[order]
    x = np.asarray(against[there], np.float64)[order]
    if not len(x):
        none = np.zeros(0)
        return Binned(none, none, none, none, none, np.zeros(0, np.int64))
    starts = _cuts(x, bins)
    stops = np.append(starts[1:], len(x))
    parts = [slice(i, j) for i, j in zip(starts, stops, strict=True)]
    lower, median, upper = np.array([np.quantile(values[p], (0.25, 0.5, 0.75)) for p in parts]).T
    at = np.array([np.median(x[p]) for p in parts])
    edges = np.append(x[starts], x[-1])
    return Binned(at, edges, median, lower, upper, stops - starts)


def _cuts(x: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return where bins of sorted values begin: near equal shares, between values that differ."""
    places = np.append(np.flatnonzero(np.diff(x, prepend=-np.inf)), len(x))
    shares = np.arange(1, bins) * len(x) / bins
    after = np.searchsorted(places, shares)
    before, behind = places[after - 1], places[after]
    cuts = np.where(shares - before <= behind - shares, before, behind)
    return np.unique(np.append(cuts[cuts < len(x)], 0))


def random_errors(
    group: Any, *, modulo_beam: bool = False, n: int = 50_000, seed: int = 0
) -> NDArray[np.float64]:
    """Misorientations (n,) in degrees of pairs of random crystals: what guessing would score.

    For m-3m the distribution of Mackenzie (Biometrika 45 (1958) 229), of mean 40.74 degrees.

    Parameters
    ----------
    group
        Point group, by name or as orix has it.
    modulo_beam
        As in :func:`napari_orient.crystal.rotations.misorientation`.
    """
    from napari_orient.crystal.rotations import misorientation_angle, random_orientations

    q = random_orientations(2 * n, seed)
    return misorientation_angle(q[:n], q[n:], group, modulo_beam=modulo_beam)


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values[np.isfinite(values)], np.float64)
