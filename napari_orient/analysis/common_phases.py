"""Which phases of two maps are the same crystal, whatever their numbers and names?

Symmetry and lattice decide; names only choose among several that fit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from orix.crystal_map import Phase

    from napari_orient.data.maps import OrientationMap

_LENGTHS = 0.02  # share by which a, b and c may differ: tables and temperatures do, by less
_ANGLES = 1.0  # degrees


class CommonPhases(NamedTuple):
    """Phases of two maps that are one crystal.

    Attributes
    ----------
    numbers
        Number in the first map -> number in the second.
    notes
        A sentence for each pair whose names or lattices are not the same, and for each phase that
        only one of the maps has.
    """

    numbers: dict[int, int]
    notes: tuple[str, ...]


def common_phases(first: OrientationMap, second: OrientationMap) -> CommonPhases:
    """Pair the phases that occur in two maps.

    Raises
    ------
    ValueError
        If no crystal is common, or a phase has no point group.
    """
    mine, theirs = _occurring(first), _occurring(second)
    free, numbers, notes = dict(theirs), {}, []
    fitting = [
        (_distance(one, other), number, partner)
        for number, one in mine.items()
        for partner, other in theirs.items()
        if _same_lattice(one, other) and _same_symmetry(one, other)
    ]
    for _, number, partner in sorted(fitting):
        if number not in numbers and partner in free:
            numbers[number] = partner
            notes += _remark(mine[number], free.pop(partner))
    if not numbers:
        raise ValueError(_nothing_common(mine, theirs))
    for which, alone in (("first", mine.keys() - numbers.keys()), ("second", free.keys())):
        phases = mine if which == "first" else theirs
        notes += [f"Only the {which} map has {_words(phases[n])}." for n in sorted(alone)]
    return CommonPhases(numbers, tuple(notes))


def _occurring(orientations: OrientationMap) -> dict[int, Phase]:
    found = np.unique(orientations.phase_id[orientations.indexed]).tolist()
    if not found:
        source = orientations.source or "A map"
        raise ValueError(f"{source} has no indexed point: there is nothing to compare.")
    phases = {number: orientations.phases[number] for number in found}
    for phase in phases.values():
        if phase.point_group is None:
            raise ValueError(
                f"The phase {phase.name!r} has no point group, from which its symmetry follows: "
                "give it one when the map is opened."
            )
    return phases


def _same_symmetry(one: Phase, other: Phase) -> bool:
    from napari_orient.crystal.rotations import laue_operators

    mine, theirs = laue_operators(one.point_group), laue_operators(other.point_group)
    if len(mine) != len(theirs):
        return False
    return bool((np.abs(mine @ theirs.T).max(axis=1) > 1 - 1e-9).all())


def _same_lattice(one: Phase, other: Phase) -> bool:
    mine, theirs = (np.array(p.structure.lattice.abcABG()) for p in (one, other))
    lengths = np.allclose(mine[:3], theirs[:3], rtol=_LENGTHS, atol=0)
    return bool(lengths and np.allclose(mine[3:], theirs[3:], rtol=0, atol=_ANGLES))


def _distance(one: Phase, other: Phase) -> tuple[bool, float]:
    """Rank of a pair that fits: the same name first, then the nearest lattice."""
    mine, theirs = (np.array(p.structure.lattice.abcABG()[:3]) for p in (one, other))
    return _plain(one.name) != _plain(other.name), float(np.abs(mine / theirs - 1).max())


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _remark(one: Phase, other: Phase) -> list[str]:
    if one.name == other.name and np.allclose(
        one.structure.lattice.abcABG(), other.structure.lattice.abcABG(), rtol=1e-3
    ):
        return []
    return [f"Taken for one crystal: {_words(one)}, and {_words(other)}."]


def _words(phase: Phase) -> str:
    """Name, Laue group and lattice, as in "LiNiO2 (-3m; 2.878, 2.878, 14.19, 90, 90, 120)"."""
    lattice = ", ".join(f"{value:.4g}" for value in phase.structure.lattice.abcABG())
    return f"{phase.name or 'a phase without name'} ({phase.point_group.laue.name}; {lattice})"


def _nothing_common(mine: dict[int, Phase], theirs: dict[int, Phase]) -> str:
    """Say what the phases are, and whether symmetry or lattice differs."""
    first = ", ".join(map(_words, mine.values()))
    second = ", ".join(map(_words, theirs.values()))
    alike = [(a, b) for a in mine.values() for b in theirs.values() if _same_lattice(a, b)]
    what = "Their symmetry differs" if alike else "Their lattices differ"
    if not alike and not any(_same_symmetry(a, b) for a in mine.values() for b in theirs.values()):
        what = "Their symmetry and lattices differ"
    return (
        f"The two maps have no crystal in common: {first}, and {second}. {what}. Choose maps of "
        "one crystal, or correct the space group or lattice of one of them when it is opened."
    )
