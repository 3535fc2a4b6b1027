"""Do orientations of points at a distance belong together as in the reference? Rows of curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.validation.permutation import shuffles, tensors
from napari_orient.reconstruction.representative.curves import (
    half_length,
    mean_curve,
    patch_residuals,
    window_map,
)
from napari_orient.reconstruction.representative.resampling import drawn_again, interval
from napari_orient.reconstruction.representative.rows import Row, by_percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.reconstruction.representative.config import RepresentConfig
    from napari_orient.reconstruction.representative.curves import Curves, Lags

_SHARED = 199  # shuffles for the share of the window that chance alone gives


@dataclass(frozen=True, eq=False)
class CurvePair:
    """A curve of both sides, as it is drawn.

    Attributes
    ----------
    name
        "two-point correlation" or "variogram".
    distances
        (n,) in the unit.
    values
        (2, n) of reference and result.
    bands
        (2, 2, n) the lower and upper end of 95 % of each, where patches are drawn again.
    """

    name: str
    distances: NDArray[np.float64]
    values: NDArray[np.float64]
    bands: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ErrorMaps:
    """Variograms over the window, and how far the result is off.

    Attributes
    ----------
    lags
        (n, 2) half of the window, in points.
    reference, result
        (n, K) of each harmonic.
    within
        The limit of the relative error.
    share
        Of all lags and harmonics, how many are within the limit.
    chance
        The same, median and 95 % of what equal materials of this size have.
    """

    lags: NDArray[np.int64]
    reference: NDArray[np.float64]
    result: NDArray[np.float64]
    within: float
    share: float
    chance: tuple[float, float, float]

    @property
    def error(self) -> NDArray[np.float64]:
        """|result - reference| / reference (n, K)."""
        return np.asarray(relative_error(self.reference, self.result))


def relative_error(reference: NDArray[np.float64], result: NDArray[np.float64]) -> Any:
    """Return |result - reference| / reference; 0 where both are nothing."""
    apart = np.abs(result - reference)
    return apart / np.where(reference > 0, reference, np.where(apart > 0, np.nan, 1))


def curve_rows(
    a: Curves, b: Curves, lags: Lags, step: float, unit: str, config: RepresentConfig
) -> tuple[list[Row], tuple[CurvePair, ...], ErrorMaps]:
    """Compare the curves of two sides."""
    names = [np.arange(len(one.count)) for one in (a, b)]
    dealt = shuffles(names[0], names[1], config.draws, config.seed)
    times = [drawn_again(own, config.draws, config.seed + n) for n, own in enumerate(names)]
    distances = lags.distances * step
    rows, pairs = [], []
    for name, column, words in (
        ("two-point correlation", "two_point", "like orientations reach"),
        ("variogram", "variogram", "orientations change over distances"),
    ):
        sums = [getattr(one, column) for one in (a, b)]
        counts = [one.count for one in (a, b)]
        p = _tested(sums, counts, dealt)
        values = np.stack([mean_curve(*one) for one in zip(sums, counts, strict=True)])
        again = [mean_curve(*one) for one in zip(sums, counts, times, strict=True)]
        bands = np.stack([np.percentile(one, (2.5, 97.5), axis=0) for one in again])
        lengths = [float(half_length(distances, v)) for v in values]
        spread = [half_length(distances, one) for one in again]
        more, less = ("farther", "less far") if column == "two_point" else ("longer", "shorter")
        said = by_percent(
            words,
            (lengths[0], lengths[1]),
            more,
            less,
            f"{name} of another height, at the same length",
        )
        known = [one if np.isfinite(one) else None for one in lengths]
        rows.append(
            Row(name, "distance at which half is gone", unit, known[0], known[1],
                interval(spread[1] - spread[0]), "largest difference of the curves, relative",
                float(np.nanmax(_difference(values))), said, p)
        )  # fmt: skip
        pairs.append(CurvePair(name, distances, values, bands))
    maps = _error_maps(a, b, lags, dealt, config.within)
    rows.append(_share_row(maps))
    return rows, tuple(pairs), maps


def _difference(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(values[1] - values[0]) / np.ptp(values[0]))


def _tested(sums: list[Any], counts: list[Any], dealt: NDArray[np.bool_]) -> float:
    """Chance of curves as far apart: each lag in units of its spread between patches."""
    residuals = patch_residuals((sums[0], sums[1]), (counts[0], counts[1]))
    scale = np.concatenate(residuals).std(axis=0)
    kept = scale > 1e-9 * max(float(scale.max()), 1e-300)
    x, y = (one[:, kept, None] / scale[kept, None] for one in residuals)
    return tensors(x, y, dealt)[1]


def _error_maps(
    a: Curves, b: Curves, lags: Lags, dealt: NDArray[np.bool_], within: float
) -> ErrorMaps:
    first, second = window_map(a), window_map(b)
    share = float(np.mean(relative_error(first, second) <= within))
    window, count = (
        np.concatenate([getattr(one, name) for one in (a, b)])
        for name in ("window", "window_count")
    )
    some = dealt[1 : _SHARED + 1]
    shares = []
    for who in some:
        one, other = (
            np.tensordot(w, window, 1) / np.maximum(w @ count, 1)[:, None]
            for w in (who.astype(float), (~who).astype(float))
        )
        shares.append(float(np.mean(relative_error(one, other) <= within)))
    low, middle, high = np.percentile(shares, (2.5, 50, 97.5))
    return ErrorMaps(
        lags.window, first, second, within, share, (float(middle), float(low), float(high))
    )


def _share_row(maps: ErrorMaps) -> Row:
    middle, low, high = (100 * v for v in maps.chance)
    words = (
        f"for information: equal materials of this size have {middle:.0f} % ({low:.0f} to "
        f"{high:.0f} %)"
    )
    measure = f"share of the window of {_width(maps)} points within {100 * maps.within:g} %"
    return Row("variogram error", measure, "%", None, 100 * maps.share, None, "", None, words)


def _width(maps: ErrorMaps) -> int:
    return 2 * int(np.abs(maps.lags).max()) + 1
