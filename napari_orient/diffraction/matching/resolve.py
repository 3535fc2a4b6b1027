"""What else might a pattern be? The best orientation is compared with what it is taken for.

A pattern hardly tells a crystal from one that is turned by 180 degrees about the beam, or, near a
zone axis, about that axis; nor from one turned by a pseudo-symmetry. A search finds one of them, by
chance. All are refined here: only then their scores can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.crystal.rotations import beam_operator, multiply
from napari_orient.diffraction.matching.refine import (
    Filtered,
    Refined,
    SpotModel,
    climb,
    filtered,
)
from napari_orient.diffraction.simulate import lab_to_crystal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.diffraction.matching.polar import PolarGrid, Prepared

_ROUNDS = 3  # partners of a new winner are tried as often
_CHANCE = 0.95  # of the best score: what is above may win after a thorough search
_MOST = 3  # of each pattern are searched around thoroughly
_BRIGHT = 0.6  # of the largest length: farther out spots are weak, and tell a zone no better
_SAME = 0.75  # spacings: solutions closer than this are one


class Resolved(NamedTuple):
    """Distinct solutions, the best first, and what the best is easily taken for.

    Attributes
    ----------
    best
        The solutions of each pattern.
    beam, crystal
        (n, b, 4) and (n, c, 4) refined partners of the best one, their phase its own: turned by 180
        degrees about the beam, and under the pseudo-symmetries of the crystal. Those that are the
        same crystal after all, within the precision, have phase -1.
    patterns
        As they were compared.
    """

    best: Refined
    beam: Refined
    crystal: Refined
    patterns: Filtered


def partners(
    model: SpotModel, quaternions: ArrayLike, max_g: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """List what an orientation is easily taken for.

    Parameters
    ----------
    model
        Of the phase.
    quaternions
        (..., 4)
    max_g
        Largest length on the detector, 1/angstrom.

    Returns
    -------
    beam, crystal
        (..., 2, 4): turned by 180 degrees about the beam, and about the zone axis nearby if little
        but its zero layer is seen (NaN where there is none); (..., p, 4): under the
        pseudo-symmetries of the crystal.
    """
    q = np.asarray(quaternions, np.float64)
    about_beam = multiply(q, beam_operator())
    axis = _zone_axis(model, q.reshape(-1, 4), max_g).reshape(*q.shape[:-1], 3)
    half_turn = np.concatenate([np.zeros((*axis.shape[:-1], 1)), axis], axis=-1)
    about_zone = np.where((axis == 0).all(-1)[..., None], np.nan, multiply(half_turn, q))
    turned = multiply(model.pseudo, q[..., None, :])
    return np.stack([about_beam, about_zone], axis=-2), turned


def _zone_axis(
    model: SpotModel, quaternions: NDArray[np.float64], max_g: float
) -> NDArray[np.float64]:
    """The nearest zone axis (n, 3) of which only the zero layer is in reach; 0 if there is none.

    A layer at height h meets the sphere within ``max_g`` if h < g^2 / 2R + g sin(tilt).
    """
    beam = lab_to_crystal(quaternions)[:, :, 2]
    cosine = np.abs(beam @ model.axes.T)
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    max_g = _BRIGHT * max_g  # precession tilts the beam as well
    reach = max_g**2 / (2 * model.beam[0]) + max_g * (sine + model.beam[2])
    alone = np.where(reach < model.layers, cosine, 0)
    best = alone.argmax(axis=1)
    return np.where(alone.max(axis=1)[:, None] > 0, model.axes[best], 0.0)


def resolve(
    prepared: Prepared,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    quaternions: ArrayLike,
    phase_id: ArrayLike,
    positions: ArrayLike | None = None,
    *,
    spacing_deg: float = 1.0,
    move: bool = True,
) -> Resolved:
    """Refine candidates and all that the best of them is easily taken for.

    A winner is only compared with what was refined as well: where one of its partners beats it, the
    partners of that one are tried in turn.

    Parameters
    ----------
    prepared, grid, models, quaternions, phase_id, positions, spacing_deg
        As in :func:`napari_orient.diffraction.matching.refine.refine`.
    move
        False: candidates and partners are scored where they are.
    """
    n, most = len(prepared.images), max(len(model.pseudo) for model in models)
    beam, crystal = _nothing(n, 2), _nothing(n, most)
    same, ready = _SAME * spacing_deg, filtered(prepared, grid, positions)

    def climbed(
        some: Filtered,
        starts: NDArray[np.float64],
        phases: NDArray[np.int32],
        top: NDArray[Any] | None,
    ) -> Refined:
        found = climb(some, grid, models, starts, phases, spacing_deg=spacing_deg, move=move)
        best = found.score.max(axis=1) if top is None else top
        return _polished(some, grid, models, found, best, spacing_deg) if move else found

    def partners_of(rows: NDArray[np.intp], found: Refined, column: NDArray[np.intp]) -> Refined:
        """Refine the partners of one candidate of each row, and remember them."""
        start, number = found.quaternions[rows, column], found.phase_id[rows, column]
        top = found.score[rows, column]
        more, phases = _all_partners(models, start, number, most, float(grid.g[-1]))
        new = _without_same(climbed(ready.some(rows), more, phases, top), start, models, same)
        write(beam, rows, new, slice(0, 2))
        write(crystal, rows, new, slice(2, None))
        return new

    found = climbed(ready, np.asarray(quaternions), np.asarray(phase_id), None)
    rows = np.arange(n)
    for _ in range(_ROUNDS):
        leader = found.score[rows].argmax(axis=1)
        top = found.score[rows, leader]
        new = partners_of(rows, found, leader)
        found = joined(found, rows, new)
        rows = rows[new.score.max(axis=1) > top]
        if not len(rows):
            break
    return Resolved(distinct(found, models, spacing_deg), beam, crystal, ready)


def _polished(
    ready: Filtered,
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    found: Refined,
    top: NDArray[np.float32],
    spacing_deg: float,
) -> Refined:
    """Search around those thoroughly that may still win."""
    chance = found.score > _CHANCE * top[:, None]
    chance &= (
        found.score
        >= -np.partition(-found.score, min(_MOST, found.score.shape[1]) - 1)[
            :, [min(_MOST, found.score.shape[1]) - 1]
        ]
    )
    phases = np.where(chance, found.phase_id, -1)
    new = climb(
        ready, grid, models, found.quaternions, phases, spacing_deg=spacing_deg, thorough=True
    )
    better = new.score > found.score
    return Refined(
        np.where(better[..., None], new.quaternions, found.quaternions),
        np.where(better, new.score, found.score),
        found.phase_id,
    )


def _nothing(n: int, k: int) -> Refined:
    return Refined(
        np.full((n, k, 4), np.nan),
        np.full((n, k), -np.inf, np.float32),
        np.full((n, k), -1, np.int32),
    )


def _all_partners(
    models: tuple[SpotModel, ...],
    quaternions: NDArray[np.float64],
    phase_id: NDArray[np.int32],
    most: int,
    max_g: float,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Partners (n, 2 + most, 4) of orientations (n, 4) and their phases (n, 2 + most)."""
    found = _nothing(len(quaternions), 2 + most)
    for index, model in enumerate(models):
        own = np.flatnonzero(phase_id == index)
        beam, crystal = partners(model, quaternions[own], max_g)
        found.quaternions[own, :2] = beam
        found.quaternions[own, 2 : 2 + len(model.pseudo)] = crystal
        found.phase_id[own, : 2 + len(model.pseudo)] = index
    found.phase_id[np.isnan(found.quaternions[..., 0])] = -1
    return found.quaternions, found.phase_id


def apart(
    a: NDArray[np.float64], b: NDArray[np.float64], group: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Angles (...) in degrees between orientations of one phase (..., 4)."""
    turned = multiply(group.reshape(-1, *[1] * (a.ndim - 1), 4), a)
    cosine = np.abs((turned * b).sum(axis=-1))
    angle: NDArray[np.float64] = np.degrees(2 * np.arccos(np.minimum(cosine.max(axis=0), 1)))
    return angle


def _without_same(
    new: Refined, start: NDArray[np.float64], models: tuple[SpotModel, ...], same_deg: float
) -> Refined:
    """Strike out partners that came back to the orientation they are partners of."""
    score, phase_id = new.score.copy(), new.phase_id.copy()
    for index, model in enumerate(models):
        row, column = np.nonzero(phase_id == index)
        same = apart(new.quaternions[row, column], start[row], model.group) < same_deg
        score[row[same], column[same]] = -np.inf
        phase_id[row[same], column[same]] = -1
    return Refined(new.quaternions, score, phase_id)


def joined(found: Refined, rows: NDArray[np.intp], new: Refined) -> Refined:
    """Put candidates of some patterns, ``rows``, beside those of all."""
    wide = _nothing(len(found.score), new.score.shape[1])
    write(wide, rows, new, slice(None))
    return Refined(
        np.concatenate([found.quaternions, wide.quaternions], axis=1),
        np.concatenate([found.score, wide.score], axis=1),
        np.concatenate([found.phase_id, wide.phase_id], axis=1),
    )


def write(into: Refined, rows: NDArray[np.intp], new: Refined, columns: slice) -> None:
    """Replace the candidates of some patterns by some of others."""
    into.quaternions[rows] = new.quaternions[:, columns]
    into.score[rows] = new.score[:, columns]
    into.phase_id[rows] = new.phase_id[:, columns]


def distinct(
    found: Refined,
    models: tuple[SpotModel, ...],
    spacing_deg: float,
    leader: NDArray[np.intp] | None = None,
) -> Refined:
    """Sort by score, columns ``leader`` (n,) before all; strike out what is the same as another."""
    same_deg = _SAME * spacing_deg
    rank = found.score.copy()
    if leader is not None:
        rank[np.arange(len(rank)), leader] = np.inf
    found, rank = _sorted(found, rank)
    for j in range(1, rank.shape[1]):
        for index, model in enumerate(models):
            phase = found.phase_id
            row, i = np.nonzero((phase[:, :j] == index) & (phase[:, j, None] == index))
            q = found.quaternions
            row = row[apart(q[row, i], q[row, j], model.group) < same_deg]
            found.score[row, j], found.phase_id[row, j], rank[row, j] = -np.inf, -1, -np.inf
    return _sorted(found, rank)[0]


def _sorted(found: Refined, rank: NDArray[np.float32]) -> tuple[Refined, NDArray[np.float32]]:
    """Candidates and their ranks, the highest first; copies."""
    order = np.argsort(-rank, axis=1, kind="stable")
    in_order = Refined(
        np.take_along_axis(found.quaternions, order[..., None], 1),
        np.take_along_axis(found.score, order, 1),
        np.take_along_axis(found.phase_id, order, 1),
    )
    return in_order, np.take_along_axis(rank, order, 1)
