"""Two crystals in one pattern: which are they, and which has the larger share?

Where grains overlap, or the beam sits on a boundary, a pattern P is the sum of two. What looks most
like it alone may be neither, or the crystal with the fewer and brighter spots. Such patterns have
bright spots that the best solution does not explain: it is taken out of them, what is left is
searched again, and of all candidates that pair is chosen that explains most,

    P ~ c1 T1 + c2 T2

by least squares. T is levelled: the counts A of the strongest reflection of each crystal are those
for which T(A) is as large as c T. They go with the electrons that met a crystal, so that its share
is A1 / (A1 + A2). Pairs are of one phase, as counts of two phases are not comparable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.diffraction.matching.foreign import explained
from napari_orient.diffraction.matching.likeness import amplitudes, likeness, without_spots
from napari_orient.diffraction.matching.polar import Prepared
from napari_orient.diffraction.matching.refine import Refined, climb
from napari_orient.diffraction.matching.resolve import distinct, joined, resolve, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from napari_orient.diffraction.matching.polar import PolarGrid
    from napari_orient.diffraction.matching.refine import Filtered, SpotModel
    from napari_orient.diffraction.matching.resolve import Resolved
    from napari_orient.diffraction.matching.search import Candidates

    Search = Callable[[Prepared, NDArray[np.float64] | None], Candidates]

_EXPLAINED = 0.85  # of the strength of observed spots; one crystal nearly always explains more
_FEWEST = 3  # spots
_ALIKE = 0.8  # correlation of two simulated patterns above which they are not two crystals
_MOST = 10  # candidates of a pattern that are paired
# A pair explains more than the best alone does: by this share of |P|^2, and of what was left over.
# Where a model is wrong (thick crystals, saturated spots) a second orientation helps a little too,
# by a tenth of what is left; a crystal that is really there takes a quarter to a half of it.
_GAIN, _OF_REST = 0.05, 0.25


def separate(
    found: Resolved,
    prepared: Prepared,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    search: Search,
    positions: ArrayLike | None = None,
    *,
    spacing_deg: float = 1.0,
    move: bool = True,
) -> tuple[Resolved, NDArray[np.float64]]:
    """Put the larger of two crystals first.

    Parameters
    ----------
    found, prepared, grid, models, positions, spacing_deg, move
        Of and as in :func:`napari_orient.diffraction.matching.resolve.resolve`.
    search
        Finds candidates of prepared patterns at positions.

    Returns
    -------
    found
        With a new first solution, and its partners, where that is another one.
    share
        (n,) of the first solution in the pattern, 0.5 to 1; 1 where no second crystal is found.
    """
    best, where = found.best, None if positions is None else np.asarray(positions, np.float64)
    first, number = best.quaternions[:, 0], best.phase_id[:, 0]
    share = np.ones(len(number))
    seen = explained(prepared.images, grid, models, first, number, where)
    rows = np.flatnonzero((seen.observed < _EXPLAINED) & (seen.spots >= _FEWEST))
    if not len(rows):
        return found, share
    some, at = _some(prepared, rows), None if where is None else where[rows]
    left = without_spots(some, grid, models, first[rows], number[rows], at)
    more, ready = search(left, at), found.patterns.some(rows)
    new = climb(
        ready, grid, models, more.quaternions, more.phase_id, spacing_deg=spacing_deg, move=move
    )
    every = distinct(joined(best, rows, new), models, spacing_deg)
    leader = np.zeros(len(share), np.intp)
    leader[rows], share[rows] = _larger(ready, grid, models, _first(every, rows))
    there = np.arange(len(share))
    q, number = every.quaternions[there, leader], every.phase_id[there, leader]
    rows = np.flatnonzero((q != first).any(axis=-1) & (number >= 0))
    if len(rows):  # what may the new one be taken for?
        other = resolve(
            _some(prepared, rows), grid, models, q[rows, None], number[rows, None],
            None if where is None else where[rows], spacing_deg=spacing_deg, move=move,
        )  # fmt: skip
        leader[rows] = every.score.shape[1]
        every = joined(every, rows, other.best)
        write(found.beam, rows, other.beam, slice(None))
        write(found.crystal, rows, other.crystal, slice(None))
    return found._replace(best=distinct(every, models, spacing_deg, leader)), share


def _some(prepared: Prepared, rows: NDArray[np.intp]) -> Prepared:
    return Prepared(prepared.images[rows], prepared.levels[rows])


def _first(found: Refined, rows: NDArray[np.intp]) -> Refined:
    """The candidates of some patterns that are paired."""
    own = rows, slice(_MOST)
    return Refined(found.quaternions[own], found.score[own], found.phase_id[own])


def _larger(
    ready: Filtered, grid: PolarGrid, models: tuple[SpotModel, ...], found: Refined
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Column (n,) of the larger crystal of the best pair, 0 if there is none, and its share."""
    n, k = found.score.shape
    leader, share, most = np.zeros(n, np.intp), np.ones(n), np.zeros(n)
    one, two = np.triu_indices(k, 1)
    for index, model in enumerate(models):
        own = (found.phase_id == index) & (found.score > 0)
        rows = np.flatnonzero(own.sum(axis=1) > 1)
        q = np.where(own[rows, :, None], found.quaternions[rows], 1.0)
        alike = likeness(ready.some(rows), grid, model, q)[:, one, two]
        s = np.where(own[rows], found.score[rows].astype(np.float64), 0)
        a, b, square = s[:, one], s[:, two], np.maximum(1 - alike**2, 1e-6)
        first, second = (a - alike * b) / square, (b - alike * a) / square
        gain = first * a + second * b - found.score[rows, :1].astype(np.float64) ** 2
        gain[(alike >= _ALIKE) | (np.minimum(first, second) <= 0) | (np.minimum(a, b) <= 0)] = 0
        best = gain.argmax(axis=1)
        there = np.arange(len(rows))
        rest = 1 - found.score[rows, 0].astype(np.float64) ** 2
        enough = gain[there, best] > np.maximum(_GAIN, _OF_REST * rest)
        enough &= gain[there, best] > most[rows]  # than that of a pair of another phase
        rows, there, best = rows[enough], there[enough], best[enough]
        most[rows] = gain[there, best]
        pair = np.stack([one[best], two[best]], axis=-1)
        parts = np.stack([first[there, best], second[there, best]], axis=-1)
        both = np.take_along_axis(found.quaternions[rows], pair[..., None], 1)
        counts = amplitudes(ready.some(rows), grid, model, both, parts)
        larger = counts.argmax(axis=1)
        leader[rows] = pair[np.arange(len(rows)), larger]
        share[rows] = counts.max(axis=1) / np.maximum(counts.sum(axis=1), 1e-12)
    return leader, share
