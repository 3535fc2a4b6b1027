"""Which axes, flips and shifts bring a map onto a reference of the same place?

All that is possible is tried: eight turns of the grid, shifts by whole pixels, eight frames and,
on hexagonal lattices, two crystal axes. Shifts are found first, from the boundaries: those do not
depend on the frame. Nothing is applied here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.analysis.frames import OWN
from napari_orient.analysis.shifts import best_shifts, boundary_image, overlap
from napari_orient.analysis.turns import TURNS, Turn
from napari_orient.data.maps import from_vendor, to_vendor, turn_crystal_axes
from napari_orient.data.vendors.reframe import frame_name, has_hexagonal
from napari_orient.data.vendors.tables import FRAMES
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_orient.data.maps import CrystalAxes, OrientationMap
    from napari_orient.jobs import Job

_SAMPLE = 400  # points on which a candidate is tried
_FINAL = 10_000  # points on which the best are measured
_KEPT = 20  # candidates that are measured
_FEWEST = 50  # points that must meet
_UM = {"um": 1.0, "nm": 1e-3}
MATCH = 5.0  # degrees
NOISE = 0.05  # degrees: medians nearer than this are not told apart


class _Reading(NamedTuple):
    """A map's quaternions (y * x, 4) in the vendor's axes, and what these are taken for."""

    frame: str
    crystal_axes: CrystalAxes
    quaternions: NDArray[np.float64]
    to_map: tuple[float, float, float, float]


class _Place(NamedTuple):
    turn: Turn
    shift: tuple[int, int]


@dataclass(frozen=True)
class Match:
    """One way to read a map, measured against a reference.

    Attributes
    ----------
    frame, crystal_axes
        As in ``open_map``; ``frame`` is "own" where the map's has no name.
    turn
        What is done to the map's grid.
    shift
        (dy, dx) in pixels: point (y, x) of the turned map lies on (y + dy, x + dx) of the
        reference.
    median
        Misorientation in degrees, over symmetry.
    low, high
        95 % interval of the median.
    below_5
        Share of points below 5 degrees.
    points
        On how many points of the overlap it was measured.
    tied
        Whether it cannot be told from the best.
    """

    frame: str
    crystal_axes: CrystalAxes
    turn: Turn
    shift: tuple[int, int]
    median: float
    low: float
    high: float
    below_5: float
    points: int
    tied: bool = False


def compare_frames(
    orientations: OrientationMap, reference: OrientationMap, max_shift: int | None = None
) -> Job[tuple[Match, ...]]:
    """Rank frames, crystal axes, flips and shifts of a map by its distance from a reference.

    Parameters
    ----------
    orientations
        (y, x), in any frame.
    reference
        (y, x), of the same place, with the same step and believed to be right.
    max_shift
        Largest shift of the grid in pixels; a fifth of the longer side by default.

    Yields
    ------
    Progress
        In candidates.

    Returns
    -------
    matches
        The best, each at its best shift, the smallest median first.

    Raises
    ------
    ValueError
        If one is a volume, the steps differ, the crystals have nothing in common, or no shift
        lets enough indexed points meet.
    """
    _check(orientations, reference)
    turns = _turns_of(orientations, reference)
    reach = max(reference.shape) // 5 if max_shift is None else max_shift
    pair = _Pair(orientations, reference)
    yield Progress(0, 0, "Drawing the boundaries")
    mine = boundary_image(orientations)
    yield Progress(0, 0, "Drawing the boundaries")
    theirs = boundary_image(reference)
    places = [_Place(turn, (0, 0)) for turn in turns]
    for i, turn in enumerate(turns):
        yield Progress(i, len(turns), "Looking for the shift")
        places += [_Place(turn, s) for s in best_shifts(turn, mine, theirs, reach)]
    places = [place for place in dict.fromkeys(places) if len(pair.meet(place)[0]) >= _FEWEST]
    if not places:
        raise ValueError(
            "At no shift do enough indexed points of the two maps meet. Choose a map of the same "
            "place and crystal, or allow a larger shift."
        )
    return (yield from _rank(pair, places, list(_readings(orientations))))


def _rank(pair: _Pair, places: list[_Place], readings: list[_Reading]) -> Job[tuple[Match, ...]]:
    """Try all on a sample of points, measure the best on more."""
    tried: list[tuple[float, _Place, int]] = []
    for step, place in enumerate(places):
        yield Progress(step, len(places), place.turn.words)
        medians = np.median(pair.angles(place, readings, _SAMPLE), axis=1)
        tried += [(float(median), place, number) for number, median in enumerate(medians)]
    best: dict[tuple[Turn, int], Match] = {}
    for step, (_, place, number) in enumerate(sorted(tried)[:_KEPT]):
        yield Progress(step, _KEPT, "Measuring the best")
        match, key = _measure(pair, place, readings[number]), (place.turn, number)
        if key not in best or match.median < best[key].median:
            best[key] = match
    return _mark_ties(sorted(best.values(), key=lambda match: match.median))


def verdict(matches: tuple[Match, ...]) -> str:
    """Say what follows from a comparison, in a sentence."""
    best = matches[0]
    measured = f"median {best.median:.1f}°, {100 * best.below_5:.0f} % below 5°"
    if best.below_5 < 0.5:
        return f"No convention brings the two maps together (at best {measured})."
    ties = sum(match.tied for match in matches)
    if ties > 1:
        return f"The first {ties} fit alike: {measured}."
    return f"The first convention fits: {measured}."


def _check(orientations: OrientationMap, reference: OrientationMap) -> None:
    if len(orientations.shape) != 2 or len(reference.shape) != 2:
        raise ValueError("A volume cannot be compared: take one section of it, a map (y, x).")
    mine, theirs = _groups(orientations), _groups(reference)
    if not set(mine.values()) & set(theirs.values()):
        raise ValueError(
            f"The two maps have no crystal in common: {sorted(set(mine.values()))} and "
            f"{sorted(set(theirs.values()))}."
        )


def _groups(orientations: OrientationMap) -> dict[int, str]:
    """Return the rotations of the Laue group of each phase that has one, by name.

    This name tells the settings of a group apart (121 and 112), which that of the Laue group does
    not.
    """
    return {
        number: phase.point_group.laue.proper_subgroup.name
        for number, phase in orientations.phases.items()
        if phase.point_group is not None
    }


def _turns_of(orientations: OrientationMap, reference: OrientationMap) -> list[Turn]:
    """Return the turns that leave the map's steps those of the reference."""
    mine = np.array(orientations.step) * _UM[orientations.unit]
    theirs = np.array(reference.step) * _UM[reference.unit]
    turns = [
        turn for turn in TURNS
        if np.allclose(mine[::-1] if turn.transpose else mine, theirs, rtol=0.01)
    ]  # fmt: skip
    if not turns:
        raise ValueError(
            f"The steps differ: {tuple(mine)} and {tuple(theirs)} um. Only maps of the same step "
            "can be compared: bin or resample one of them first."
        )
    return turns


def _readings(orientations: OrientationMap) -> Iterator[_Reading]:
    """Yield the map in all conventions."""
    frames = {name: quaternion for name, (quaternion, _) in FRAMES.items()}
    frames.setdefault(frame_name(orientations) or OWN, orientations.frame)
    phases, numbers = orientations.phases, orientations.phase_id
    vendor = to_vendor(orientations.quaternions, orientations.frame)
    both: tuple[CrystalAxes, ...] = ("a", "a*")
    for axes in both if has_hexagonal(orientations) else (orientations.crystal_axes,):
        turned = vendor
        if axes != orientations.crystal_axes:
            turned = turn_crystal_axes(vendor, numbers, phases, to="a*" if axes == "a" else "a")
        for name, quaternion in frames.items():
            yield _Reading(name, axes, turned.reshape(-1, 4), quaternion)


class _Pair:
    """Two maps, and what is known of them at each point."""

    def __init__(self, orientations: OrientationMap, reference: OrientationMap) -> None:
        self.shape = reference.shape
        self.reference = reference.quaternions.reshape(-1, 4)
        mine, theirs = _groups(orientations), _groups(reference)
        self.groups = sorted(set(mine.values()) & set(theirs.values()))
        self.mine = self._kinds(orientations, mine)
        self.theirs = self._kinds(reference, theirs)
        self.index = np.arange(self.mine.size).reshape(self.mine.shape)

    def _kinds(self, one: OrientationMap, groups: dict[int, str]) -> NDArray[np.int64]:
        """Number (y, x) of the group, -1 where there is no common one."""
        kinds = np.full(one.shape, -1)
        for number, group in groups.items():
            if group in self.groups:
                kinds[one.indexed & (one.phase_id == number)] = self.groups.index(group)
        return kinds

    def meet(self, place: _Place, most: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return flat indices of points that meet, with one crystal; at most ``most``."""
        kinds, index = place.turn.apply(self.mine), place.turn.apply(self.index)
        here, there = overlap(kinds.shape, self.shape, place.shift)
        same = (kinds[here] == self.theirs[there]) & (kinds[here] >= 0)
        rows, columns = np.nonzero(same)
        every = max(1, -(-len(rows) // most)) if most else 1
        rows, columns = rows[::every], columns[::every]
        first = index[here][rows, columns]
        second = (rows + there[0].start) * self.shape[1] + columns + there[1].start
        return first, second

    def angles(self, place: _Place, readings: Sequence[_Reading], most: int) -> NDArray[np.float64]:
        """Misorientation (readings, n) in degrees at points that meet, all over the overlap."""
        from napari_orient.crystal.rotations import misorientation_angle

        mine, theirs = self.meet(place, most)
        turned = np.stack([from_vendor(r.quaternions[mine], r.to_map) for r in readings])
        kinds, angles = self.theirs.ravel()[theirs], np.zeros(turned.shape[:2])
        for number, group in enumerate(self.groups):
            one = kinds == number
            angles[:, one] = misorientation_angle(
                turned[:, one], self.reference[theirs[one]][None], group
            )
        return angles


def _measure(pair: _Pair, place: _Place, reading: _Reading) -> Match:
    """Measure a candidate; the interval of a median is that of the ranks n/2 +- 0.98 sqrt(n)."""
    angles = np.sort(pair.angles(place, [reading], _FINAL)[0])
    n = len(angles)
    ranks = np.clip(np.round(n / 2 + np.array([-0.98, 0.98]) * np.sqrt(n)), 0, n - 1).astype(int)
    low, high = angles[ranks].tolist()
    return Match(
        reading.frame, reading.crystal_axes, place.turn, place.shift,
        float(np.median(angles)), low, high, float(np.mean(angles < MATCH)), n,
    )  # fmt: skip


def _mark_ties(best: list[Match]) -> tuple[Match, ...]:
    return tuple(replace(m, tied=m.low <= best[0].high + NOISE) for m in best)
