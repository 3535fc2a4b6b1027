"""What is compared, in what unit, how sure is it, and what does it mean in plain words?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.validation.compare import FEWEST, LEVEL
from napari_orient.analysis.validation.permutation import (
    histograms,
    kernel_matrix,
    shuffles,
    tensors,
    textures,
    wasserstein,
)
from napari_orient.analysis.validation.samples import BIN
from napari_orient.reconstruction.representative.resampling import (
    drawn_again,
    interval,
    texture_indices,
    weighted_mean,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.analysis.validation.samples import Sample
    from napari_orient.reconstruction.representative.config import RepresentConfig

    Pair = tuple[float | None, float | None]

ALIKE = "cannot be told from the reference"
_SIZES = 60  # bins of diameters
_MANY = 1000  # orientations whose pairs are looked at


@dataclass(frozen=True)
class Row:
    """One property of the reference and of the result.

    Attributes
    ----------
    name
        "grain size", "texture" ...
    measure
        What the numbers are, in words.
    unit
        Of them: "µm", "°", "mrd" or "".
    reference, result
        None where there is no such number.
    interval
        95 % of result - reference, where patches of grains are drawn again; None without one.
    distance, apart
        Between the two, in words with its unit; None where the difference says it.
    words
        What it means where the two differ, or in rows that are no test.
    p
        Chance of a distance so large between two samples of one material; None where the row only
        tells, and is not tested.
    p_corrected
        The same for all rows together (Holm).
    """

    name: str
    measure: str
    unit: str
    reference: float | None
    result: float | None
    interval: tuple[float, float] | None
    distance: str
    apart: float | None
    words: str
    p: float | None = None
    p_corrected: float | None = None

    @property
    def difference(self) -> float | None:
        """Result - reference."""
        if self.reference is None or self.result is None:
            return None
        return self.result - self.reference

    @property
    def differs(self) -> bool | None:
        """Whether the two are different beyond chance (5 %, all rows together); None: no test."""
        return None if self.p_corrected is None else self.p_corrected < LEVEL

    @property
    def verdict(self) -> str:
        """In plain words."""
        if self.differs is None:
            return self.words
        return f"differs: {self.words}" if self.differs else ALIKE


def percent(reference: float, result: float) -> float:
    """Return by how many percent the result is larger."""
    return 100 * (result - reference) / reference if reference else np.nan


def by_percent(what: str, pair: tuple[float, float], more: str, less: str, spread: str) -> str:
    """Say "grains 12 % larger"; where means are alike, ``spread``."""
    change = percent(*pair)
    if not np.isfinite(change) or abs(change) < 1:
        return spread
    return f"{what} {abs(change):.0f} % {more if change > 0 else less}"


def shape_rows(a: Sample, b: Sample, unit: str, config: RepresentConfig) -> list[Row]:
    """Rows of sizes and shapes; without a test where too few grains are whole."""
    few = min(len(a.diameter), len(b.diameter))
    if few < FEWEST:
        return [
            Row("grain size", "mean diameter of sections", unit, _mean(a.diameter),
                _mean(b.diameter), None, "", None, f"too few whole grains ({few}) to tell"),
        ]  # fmt: skip
    dealt = shuffles(a.block, b.block, config.draws, config.seed)
    times = [drawn_again(one.block, config.draws, config.seed + n) for n, one in enumerate((a, b))]
    rows = []
    for name, measure, own in (
        ("grain size", "mean diameter of sections", unit),
        ("aspect ratio", "mean", ""),
    ):
        x, y = ((s.diameter if own else s.aspect_ratio) for s in (a, b))
        apart, p = wasserstein(x, y, dealt)
        again = [weighted_mean(v, np.ones(len(v)), t) for v, t in zip((x, y), times, strict=True)]
        pair = (float(x.mean()), float(y.mean()))
        words = by_percent(
            "grains", pair, "larger", "smaller", "sizes of grains are spread otherwise"
        )
        if not own:
            words = f"mean aspect ratio {pair[1]:.2f} instead of {pair[0]:.2f}"
        spread = interval((again[1] - again[0]).ravel())
        rows.append(Row(name, measure, own, *pair, spread, "Wasserstein distance", apart, words, p))
    rows.insert(1, _weighted_row(a, b, unit, dealt, times))
    rows.append(_elongation_row(a, b, dealt, times))
    return rows


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _weighted_row(a: Sample, b: Sample, unit: str, dealt: Any, times: list[Any]) -> Row:
    """Sizes as points see them: what hardly depends on the smallest grains."""
    diameters = [s.diameter for s in (a, b)]
    areas = [d**2 for d in diameters]
    top = float(max(d.max() for d in diameters)) * (1 + 1e-9)
    rows = [
        area[:, None] * (np.minimum(d / top * _SIZES, _SIZES - 1).astype(int)[:, None] ==
                         np.arange(_SIZES))
        for d, area in zip(diameters, areas, strict=True)
    ]  # fmt: skip
    apart, p = histograms(rows[0], rows[1], dealt, top / _SIZES)
    means = [float(np.average(d, weights=w)) for d, w in zip(diameters, areas, strict=True)]
    again = [weighted_mean(d, w, t) for d, w, t in zip(diameters, areas, times, strict=True)]
    otherwise = "sizes of grains by area are spread otherwise"
    words = by_percent("grains by area", (means[0], means[1]), "larger", "smaller", otherwise)
    return Row("grain size by area", "area-weighted mean diameter of sections", unit, means[0],
               means[1], interval((again[1] - again[0]).ravel()), "Wasserstein distance", apart,
               words, p)  # fmt: skip


def _elongation_row(a: Sample, b: Sample, dealt: Any, times: list[Any]) -> Row:
    apart, p = tensors(a.elongation, b.elongation, dealt)
    means = [s.elongation.mean(axis=0) for s in (a, b)]
    again = [
        np.linalg.norm(weighted_mean(s.elongation, np.ones(len(s.diameter)), t), axis=(1, 2))
        for s, t in zip((a, b), times, strict=True)
    ]
    strength = [float(np.linalg.norm(m)) for m in means]
    words = f"long axes {_along(means[1])} on sections, reference {_along(means[0])}"
    return Row("elongation", "common direction of long axes, 0 = none", "", strength[0],
               strength[1], interval(again[1] - again[0]), "distance of the mean tensors", apart,
               words, p)  # fmt: skip


def _along(tensor: NDArray[np.float64]) -> str:
    """Say where long axes point: in degrees from x (right) towards y (down)."""
    strength = float(np.linalg.norm(tensor))
    down, right = np.linalg.eigh(tensor)[1][:, -1]
    return f"at {np.degrees(np.arctan2(down, right)) % 180:.0f}° (strength {strength:.2f})"


def boundary_row(a: Sample, b: Sample, config: RepresentConfig) -> Row:
    """Row of the misorientations across boundaries."""
    name, measure = "boundary misorientation", "mean over the boundary"
    totals = [s.boundaries.sum() for s in (a, b)]
    if not min(totals):
        return Row(name, measure, "°", None, None, None, "", None, "no boundaries to tell")
    dealt = shuffles(a.block_of_all, b.block_of_all, config.draws, config.seed)
    apart, p = histograms(a.boundaries, b.boundaries, dealt, BIN)
    angles = BIN * (np.arange(a.boundaries.shape[1]) + 0.5)
    means, again = [], []
    for n, one in enumerate((a, b)):
        means.append(float(np.average(angles, weights=one.boundaries.sum(axis=0))))
        times = drawn_again(one.block_of_all, config.draws, config.seed + n)
        rows = times @ one.boundaries
        again.append(rows @ angles / np.maximum(rows.sum(axis=1), 1e-300))
    change = means[1] - means[0]
    words = f"angles of boundaries {abs(change):.1f}° {'larger' if change > 0 else 'smaller'}"
    if abs(change) < 0.5:
        words = "angles of boundaries are distributed otherwise, with the same mean"
    return Row(name, measure, "°", means[0], means[1], interval(again[1] - again[0]),
               "Wasserstein distance, °", apart, words, p)  # fmt: skip


def texture_rows(a: Sample, b: Sample, odfs: tuple[Odf, Odf], config: RepresentConfig) -> list[Row]:
    """Row of the test of textures, and their indices."""
    from napari_orient.analysis.texture.distances import odf_distance

    group, halfwidth = odfs[0].group, config.halfwidth
    dealt = shuffles(a.block_of_all, b.block_of_all, config.draws, config.seed)
    weights = [s.weights / s.weights.sum() * len(np.unique(s.block_of_all)) for s in (a, b)]
    p = textures((a.means, weights[0]), (b.means, weights[1]), dealt, group, halfwidth)
    apart, relative = odf_distance(*odfs)
    found, again = [], []
    for n, (one, w) in enumerate(zip((a, b), weights, strict=True)):
        some = _some(len(one.means))
        kernel, block = kernel_matrix(one.means[some], group, halfwidth), one.block_of_all[some]
        times = drawn_again(block, config.draws, config.seed + n)
        every = np.concatenate([np.ones((1, len(block))), times])
        values = texture_indices(kernel, w[some], block, every)
        values = np.maximum(values, 1.0)  # nothing is more random: below is noise
        found.append(float(values[0]) if np.isfinite(values[0]) else None)
        again.append(values[1:])
    words = f"another texture, {relative:.2f} of its strength apart"
    index = "for information: 1 = random; what the number of grains adds is taken off"
    return [
        Row("texture", f"orientation distribution, halfwidth {halfwidth:g}°", "mrd", None, None,
            None, "L2 distance of the ODFs, mrd", apart, words, p),
        Row("texture index", f"mean squared ODF, halfwidth {halfwidth:g}°", "", found[0], found[1],
            interval(again[1] - again[0]), "", None, index),
    ]  # fmt: skip


def _some(count: int) -> NDArray[np.int64]:
    if count <= _MANY:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _MANY, replace=False))
