"""Is the best orientation to be believed? How sure it is, and what else it may be.

Noise correlates with the best of a million templates too: a score counts from where such a best
would end, which follows from how many independent values a pattern has. A difference of scores
counts if it is larger than what the part of the pattern that is not explained makes of it.

Another crystal is not noise: its spots lie on some orientation of any phase well enough. What
remains of it, bright spots where none may be, is looked at in
:mod:`napari_orient.diffraction.matching.foreign`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.diffraction.matching.foreign import explained
from napari_orient.diffraction.matching.likeness import likeness
from napari_orient.diffraction.matching.match import BEAM, CRYSTAL, Match
from napari_orient.diffraction.matching.overlap import separate
from napari_orient.diffraction.matching.resolve import apart, resolve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.diffraction.matching.overlap import Search
    from napari_orient.diffraction.matching.polar import PolarGrid, Prepared
    from napari_orient.diffraction.matching.refine import Filtered, Refined, SpotModel

_TRIALS = 1e6  # orientations that a search tells apart
_VALUES = 1.4  # independent values in the area of a disk of a prepared pattern: measured on vacuum
_SIGMAS = 3.0  # a smaller difference of scores is within the noise
_LEAST = 0.002  # of the score: smaller differences are those of where two climbs ended


def match_patterns(
    prepared: Prepared,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    quaternions: ArrayLike,
    phase_id: ArrayLike,
    positions: ArrayLike | None = None,
    *,
    search: Search | None = None,
    keep: int = 5,
    spacing_deg: float = 1.0,
    apart_deg: float = 8.0,
    min_q: float | None = None,
    move: bool = True,
) -> Match:
    """Refine the candidates of patterns and judge them.

    Parameters
    ----------
    prepared
        From :func:`napari_orient.diffraction.matching.polar.prepare`.
    grid
        The grid they were prepared with.
    models
        One for each phase.
    quaternions, phase_id
        Candidates (n, k, 4) of the search and (n, k) their phases; -1: none.
    positions
        (n, 2) scan positions (y, x) in steps, for the descan; None takes the centre.
    search
        Finds candidates where two crystals may overlap, once one is taken out; None does not look
        for a second one.
    keep
        Solutions given back.
    spacing_deg
        Of the library.
    apart_deg
        R compares with the best solution farther off, or of another phase.
    min_q
        Lower Q is not indexed, nor is an empty pattern; None takes :func:`lowest_q`.
    move
        False: candidates stay on the library's orientations.
    """
    found = resolve(
        prepared, grid, models, quaternions, phase_id, positions, spacing_deg=spacing_deg, move=move
    )
    alone, share = found.best, np.ones(len(found.best.score))
    if search is not None:
        found, share = separate(
            found, prepared, grid, models, search, positions, spacing_deg=spacing_deg, move=move
        )
    ready = found.patterns
    best = found.best
    q, n = best.score[:, 0], len(best.score)
    beam, beam_close = _margin(ready, grid, models, best, found.beam)
    crystal, crystal_close = _margin(ready, grid, models, best, found.crystal)
    threshold = lowest_q(grid) if min_q is None else min_q
    score = np.full((n, keep), -np.inf, np.float32)
    phases, kept = np.full((n, keep), -1, np.int32), np.full((n, keep, 4), np.nan)
    k = min(keep, best.score.shape[1])
    score[:, :k], phases[:, :k], kept[:, :k] = (
        best.score[:, :k], best.phase_id[:, :k], best.quaternions[:, :k],
    )  # fmt: skip
    believed = np.where(np.isfinite(q), q, 0).astype(np.float32)
    first = kept[:, 0], phases[:, 0]
    foreign = explained(prepared.images, grid, models, *first, positions).foreign
    if (foreign & (share < 1)).any():  # of two, the one that fits best alone may explain more
        first = alone.quaternions[:, 0], alone.phase_id[:, 0]
        other = explained(prepared.images, grid, models, *first, positions).foreign
        foreign &= other | (share == 1)
    return Match(
        kept, score, phases, 100 * believed, _reliability(best, models, apart_deg), beam, crystal,
        (BEAM * beam_close + CRYSTAL * crystal_close).astype(np.uint8),
        (100 * share).astype(np.float32),
        (100 * believed >= threshold) & np.isfinite(q) & ~foreign,
    )  # fmt: skip


def lowest_q(grid: PolarGrid) -> float:
    """Q that the best of a million templates reaches on a pattern without spots, in percent.

    The correlation of one template with noise has the variance 1 / n, n independent values; the
    largest of m normal numbers is near sqrt(2 ln m).
    """
    return float(100 * min(1.0, math.sqrt(2 * math.log(_TRIALS) / _values(grid))))


def _values(grid: PolarGrid) -> float:
    """Independent values of a pattern."""
    area = math.pi * (grid.g[-1] ** 2 - grid.g[0] ** 2) * abs(float(np.linalg.det(grid.frame)))
    pixels = min(area, float(np.prod(grid.shape)))
    return float(_VALUES * pixels / (math.pi * grid.radius**2))


def _reliability(
    best: Refined, models: tuple[SpotModel, ...], apart_deg: float
) -> NDArray[np.float32]:
    """R (n,) in percent; where all that was found is close, the last of it stands for the next."""
    score, phase_id = best.score, best.phase_id
    far = (phase_id >= 0) & (phase_id != phase_id[:, :1])
    for index, model in enumerate(models):
        row, column = np.nonzero((phase_id == index) & (phase_id[:, :1] == index))
        angle = apart(best.quaternions[row, column], best.quaternions[row, 0], model.group)
        far[row, column] = angle > apart_deg
    second = np.where(far, score, -np.inf).max(axis=1)
    last = np.where(phase_id >= 0, score, np.inf).min(axis=1)
    second = np.where(np.isfinite(second), second, last)
    valid = (score[:, 0] > 0) & np.isfinite(second)
    ratio = np.divide(second, score[:, 0], out=np.ones(len(score), np.float32), where=valid)
    reliability: NDArray[np.float32] = (100 * np.clip(1 - ratio, 0, 1)).astype(np.float32)
    return reliability


def _margin(
    ready: Filtered,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    best: Refined,
    partners: Refined,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Percent (n,) by which the best partner is worse, and whether that is within the noise.

    What the best solution leaves unexplained, 1 - s^2 of the pattern's square, is taken for noise
    of n independent values. It changes the difference of two scores by
    sqrt((1 - s^2) / n) |T - U|, T and U the two simulated patterns at norm 1.
    """
    margin = np.full(len(best.score), 100.0, np.float32)
    close = np.zeros(len(best.score), np.bool_)
    if not partners.score.shape[1]:
        return margin, close
    column = partners.score.argmax(axis=1)
    for index, model in enumerate(models):
        rows = np.flatnonzero(
            (best.phase_id[:, 0] == index)
            & (best.score[:, 0] > 0)
            & np.isfinite(partners.score[np.arange(len(column)), column])
        )
        top = best.score[rows, 0].astype(np.float64)
        second = partners.score[rows, column[rows]]
        both = [best.quaternions[rows, 0], partners.quaternions[rows, column[rows]]]
        alike = likeness(ready.some(rows), grid, model, np.stack(both, axis=1))[:, 0, 1]
        apart_by = np.sqrt(np.maximum(2 - 2 * alike, 0))
        noise = np.sqrt(np.maximum(1 - top**2, 0) / _values(grid)) * apart_by
        margin[rows] = 100 * np.clip((top - second) / top, 0, 1)
        close[rows] = top - second <= np.maximum(_SIGMAS * noise, _LEAST * top)
    return margin, close
