"""Which axes did the vendor mean? Twin boundaries answer, without any other map.

A coherent twin boundary runs along the trace of its plane K1. Read with wrong axes, the crystals
are turned or mirrored against the map and the boundaries run anywhere. Wrong crystal axes (x || a
for a*) do not even let two twins share K1. Conventions that give every boundary the same deviation
are listed together: traces cannot tell half a turn about the beam. Nothing is applied here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.analysis.twins import (
    Boundaries,
    TwinPairs,
    deviations,
    find_twins,
    laws_for,
    straight_boundaries,
)
from napari_orient.data.vendors.reframe import frame_name, has_hexagonal, in_frame
from napari_orient.data.vendors.tables import FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_orient.analysis.twins import TwinLaw
    from napari_orient.data.maps import CrystalAxes, OrientationMap
    from napari_orient.jobs import Job

Quaternion = tuple[float, float, float, float]
NEAR = 10.0  # degrees from the trace
CHANCE = 2 * NEAR / 180  # the share of lines in any direction that lie so near
LEAST_LENGTH = 100.0  # pixels of straight boundary below which nothing is said
LEAST_NUMBER = 5  # boundaries, likewise
OWN = "own"  # name of a map's frame that has none in FRAMES


class Convention(NamedTuple):
    """What a file's angles may refer to: a name of ``FRAMES`` (or "own"), and the crystal's x."""

    frame: str
    crystal_axes: CrystalAxes


@dataclass(frozen=True)
class Ranked:
    """Conventions that no trace can tell apart, and how well they fit.

    Attributes
    ----------
    conventions
        One or more.
    pairs
        Pairs of neighbours with the twin's misorientation that share K1.
    boundaries
        Straight boundaries of ten or more pairs.
    length
        Their length in pixels.
    share
        Part of the length within 10 degrees of the trace; NaN where too little of it was found.
    low, high
        95 % interval of the share.
    is_current
        Whether the map's own convention is among them.
    """

    conventions: tuple[Convention, ...]
    pairs: int
    boundaries: int
    length: float
    share: float
    low: float
    high: float
    is_current: bool


@dataclass(frozen=True)
class FrameCheck:
    """Conventions ranked by the twins of a map.

    Attributes
    ----------
    twins
        What was looked for, in words.
    pairs
        Pairs of neighbours with the twin's misorientation.
    ranking
        The best first.
    decided
        Whether the first fits, and better than the second beyond their intervals.
    verdict
        What can be said, in a sentence.
    chance
        The share of a boundary in any direction.
    """

    twins: str
    pairs: int
    ranking: tuple[Ranked, ...]
    decided: bool
    verdict: str
    chance: float = CHANCE

    def find(self, frame: str, crystal_axes: str) -> Ranked | None:
        """Return the entry of a convention, or None if it was not tried."""
        for entry in self.ranking:
            if (frame, crystal_axes) in entry.conventions:
                return entry
        return None


def check_frame(
    orientations: OrientationMap, laws: dict[int, TwinLaw] | None = None
) -> Job[FrameCheck]:
    """Rank all frames, and crystal axes where they matter, by the traces of twin boundaries.

    Parameters
    ----------
    orientations
        (y, x) or (z, y, x), in any frame.
    laws
        Number of a phase -> its twin law; by default the first of
        :func:`napari_orient.analysis.twins.laws_for` for each phase.

    Yields
    ------
    Progress
        In pairs of neighbouring points.

    Returns
    -------
    check
        Empty of entries where no phase has a twin law.

    Raises
    ------
    KeyError
        If ``laws`` names a phase that the map has not.
    """
    if laws is None:
        laws = {
            n: known[0] for n, phase in orientations.phases.items() if (known := laws_for(phase))
        }
    frames = {name: quaternion for name, (quaternion, _) in FRAMES.items()}
    current = Convention(frame_name(orientations) or OWN, orientations.crystal_axes)
    frames.setdefault(current.frame, orientations.frame)
    entries: list[Ranked] = []
    pairs = 0
    for axes in _axes_to_try(orientations) if laws else ():
        turned = orientations
        if axes != orientations.crystal_axes:
            turned = in_frame(orientations, "as is", axes)
        found = yield from find_twins(turned, laws)
        pairs = max(pairs, sum(each.total for each in found))
        entries += _rank_frames(found, turned, frames, current)
    entries.sort(key=lambda e: (-_explained(e), -e.pairs))
    words = ", ".join(
        f"{orientations.phases[n].name} {law.name} ({law.angle(orientations.phases[n]):.1f}°)"
        for n, law in laws.items()
    )
    decided, verdict = _judge(entries, words, pairs)
    return FrameCheck(words, pairs, tuple(entries), decided, verdict)


def _axes_to_try(orientations: OrientationMap) -> tuple[CrystalAxes, ...]:
    return ("a", "a*") if has_hexagonal(orientations) else (orientations.crystal_axes,)


def _rank_frames(
    found: list[TwinPairs],
    read: OrientationMap,
    frames: dict[str, Quaternion],
    current: Convention,
) -> list[Ranked]:
    """Measure ``frames`` with the crystal axes of ``read``, the map in which twins were found.

    Which points are twins, and which boundaries are straight, does not depend on the frame.
    """
    from napari_orient.crystal.rotations import conjugate, multiply, to_matrix

    axes = read.crystal_axes
    lines = _join(straight_boundaries(each, read.step) for each in found)
    pairs = sum(len(each.places) for each in found)
    enough = bool(lines.lengths.sum() >= LEAST_LENGTH and len(lines.lengths) >= LEAST_NUMBER)
    back = conjugate(np.array(read.frame))
    groups: list[tuple[list[Convention], NDArray[np.float64]]] = []
    for name, quaternion in frames.items():
        off = deviations(lines, to_matrix(multiply(np.array(quaternion), back)))
        for names, other in groups:
            if not enough or np.allclose(off, other, atol=1e-3):
                names.append(Convention(name, axes))
                break
        else:
            groups.append(([Convention(name, axes)], off))
    return [
        _entry(tuple(names), off, lines.lengths, pairs, enough, current) for names, off in groups
    ]


def _entry(
    conventions: tuple[Convention, ...],
    off: NDArray[np.float64],
    lengths: NDArray[np.float64],
    pairs: int,
    enough: bool,
    current: Convention,
) -> Ranked:
    share, low, high = share_of(off < NEAR, lengths) if enough else (np.nan, 0.0, 1.0)
    return Ranked(
        conventions, pairs, len(lengths), float(lengths.sum()), share, low, high,
        current in conventions,
    )  # fmt: skip


def _join(parts: Iterable[Boundaries]) -> Boundaries:
    return Boundaries(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def share_of(hits: NDArray[np.bool_], weights: NDArray[np.float64]) -> tuple[float, float, float]:
    """Weighted share of hits, and its 95 % interval.

    Wilson's interval (J. Am. Stat. Assoc. 22 (1927) 209), which is honest at 0 and 100 % too, for
    as many independent trials as the weights amount to: (sum w)^2 / sum w^2 (Kish, Survey Sampling,
    1965, section 11.7). A boundary, not a pixel, is a trial.
    """
    share = float(np.average(hits, weights=weights))
    n = weights.sum() ** 2 / (weights**2).sum()
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return share, float(max(middle - half, 0.0)), float(min(middle + half, 1.0))


def _explained(entry: Ranked) -> float:
    """Pairs that share K1, times the part of their boundaries that runs along it."""
    return -1.0 if np.isnan(entry.share) else entry.pairs * entry.share


def _judge(entries: list[Ranked], words: str, pairs: int) -> tuple[bool, str]:
    """Say honestly what follows from a ranking."""
    if not words:
        return False, "No twin law is known for these phases: traces say nothing about the axes."
    best = entries[0]
    if np.isnan(best.share):
        longest = max(entry.length for entry in entries)
        return False, (
            f"Not enough twins: {pairs} pairs, {longest:.0f} px of straight boundaries where "
            f"{LEAST_LENGTH:.0f} are needed. Nothing can be said."
        )
    measured = f"{100 * best.share:.0f} % of {best.length:.0f} px within {NEAR:.0f}° of the trace"
    if best.low <= CHANCE:
        return False, f"No convention fits: at best {measured}, where chance gives 11 %."
    rival = next((e for e in entries[1:] if not np.isnan(e.share)), None)
    if rival is not None and rival.pairs * rival.high >= best.pairs * best.low:
        return False, f"The best two cannot be told apart for sure: {measured}."
    return True, f"The first group fits: {measured}; chance gives 11 %."
