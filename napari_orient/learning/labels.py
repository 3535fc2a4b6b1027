"""Which patterns of a scan have a label that can be trusted, and what is it?

A map of the same grid gives the labels: the orientations of one of its phases, where Q and R reach
the wanted values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.analysis.scores import (
    Q_NAMES,
    R_NAMES,
    low_is_good,
    passes,
    quality_names,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan

ASTAR_Q = 20.0  # of "STEM diffraction pattern analysis with deep learning", for ASTAR's own Q and R
ASTAR_R = 15.0
_STEP = 0.01  # share by which steps may differ
_NM = {"um": 1000.0, "nm": 1.0}


class Filtered(NamedTuple):
    """What filters leave of a map.

    Attributes
    ----------
    kept
        (y, x) bool.
    removed
        Reason, as in "Q below 20" -> number of points it took away; in this order, each of those
        that were left (a point that fails Q and R counts for Q).
    """

    kept: NDArray[np.bool_]
    removed: dict[str, int]

    @property
    def fraction(self) -> float:
        """Share of all points that is left, 0 to 1."""
        return float(self.kept.mean())

    def __str__(self) -> str:
        parts = [f"{count} {reason}" for reason, count in self.removed.items() if count]
        return f"{int(self.kept.sum())} of {self.kept.size} patterns" + (
            f" (left out: {', '.join(parts)})" if parts else ""
        )


@dataclass(frozen=True, eq=False)
class Labelled:
    """Patterns of a scan with an orientation each.

    Attributes
    ----------
    scan, map
        Of one grid (y, x).
    phase
        Number, in the map, of the phase that is learned.
    filtered
        Which points are taken, and why others are not.
    notes
        What speaks against trusting the labels, in sentences.
    """

    scan: Scan
    map: OrientationMap
    phase: int
    filtered: Filtered
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.kept.sum())

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(y, x) bool."""
        return self.filtered.kept

    @property
    def fraction(self) -> float:
        """Share of the scan's patterns that is taken, 0 to 1."""
        return self.filtered.fraction

    @property
    def of_phase(self) -> NDArray[np.bool_]:
        """(y, x) bool: the phase is there, whatever Q and R."""
        return np.asarray(self.map.indexed & (self.map.phase_id == self.phase))

    @property
    def rows(self) -> NDArray[np.int64]:
        """Places (n,) of the patterns in the scan, counted along its rows."""
        return np.flatnonzero(self.kept)

    @property
    def positions(self) -> NDArray[np.int64]:
        """Scan positions (n, 2), (y, x), in the order of ``rows``."""
        return np.argwhere(self.kept)

    @property
    def quaternions(self) -> NDArray[np.float64]:
        """Orientations (n, 4), lab2crystal, in the order of ``rows``."""
        return self.map.quaternions[self.kept]

    @property
    def group(self) -> Any:
        """Point group of the phase."""
        return self.map.phases[self.phase].point_group


def label_patterns(
    scan: Scan, map: OrientationMap, phase: str = "", *, min_q: float = 0.0, min_r: float = 0.0
) -> Labelled:
    """Take the labels of a scan's patterns from a map.

    Parameters
    ----------
    scan, map
        Of one grid; the map in the frame of the scan.
    phase
        Its name in the map; empty takes the only one that occurs.
    min_q, min_r
        Least Q and R, see :func:`filter_labels`.

    Raises
    ------
    ValueError
        If the sizes differ, the phase is not in the map or has no symmetry, the map lacks what is
        filtered by, or no pattern is left.
    """
    check_grid(scan, map)
    number = find_phase(map, phase)
    filtered = filter_labels(map, number, min_q=min_q, min_r=min_r)
    if not filtered.kept.any():
        reasons = [f"{count} {reason}" for reason, count in filtered.removed.items() if count]
        raise ValueError(
            f"No pattern is left of {filtered.kept.size}: {', '.join(reasons)}. Lower the least "
            "values, or take another map or phase."
        )
    return Labelled(scan, map, number, filtered, tuple(_doubts(scan, map)))


def check_grid(scan: Scan, map: OrientationMap) -> None:
    """Raise ValueError, with both sizes and the cure, unless map and scan have one grid."""
    points, places = (" x ".join(str(n) for n in one) for one in (map.shape, scan.scan_shape))
    if len(map.shape) != 2:
        raise ValueError(f"A volume ({points}) cannot label a scan: take the section it was.")
    if map.shape != scan.scan_shape:
        raise ValueError(
            f"The map has {points} points, the scan {places} positions: labels must be of this "
            "very scan. Choose the map that belongs to it, or crop and bin both alike."
        )


def find_phase(map: OrientationMap, name: str = "") -> int:
    """Return the number of a phase that occurs in a map.

    Parameters
    ----------
    map
        With at least one indexed point.
    name
        As in the map; case, spaces and signs do not matter where that is clear. Empty takes the
        only one that occurs.

    Raises
    ------
    ValueError
        If it is not there, is not the only one of that name, or has no symmetry.
    """
    found = np.unique(map.phase_id[map.indexed]).tolist()
    if not found:
        raise ValueError("The map has no indexed point: there are no labels in it.")
    there = ", ".join(_name(map, number) for number in found)
    same = [n for n in found if not name or _name(map, n) == name]
    same = same or [n for n in found if _plain(_name(map, n)) == _plain(name)]
    if not same:
        raise ValueError(f"The map has no phase {name!r}, but {there}: choose one of these.")
    if len(same) > 1:
        raise ValueError(f"The map has several phases, {there}: say by name which is learned.")
    if map.phases[same[0]].point_group is None:
        raise ValueError(
            f"The phase {_name(map, same[0])} has no symmetry (point group), and what counts as "
            "one orientation follows from it: give it one when the map is opened."
        )
    return int(same[0])


def _name(map: OrientationMap, number: int) -> str:
    return map.phases[number].name or f"phase {number}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def filter_labels(
    map: OrientationMap, phase: int, *, min_q: float = 0.0, min_r: float = 0.0
) -> Filtered:
    """Say which points of a map can be learned from; fast enough for a slider.

    Parameters
    ----------
    map
        With the properties Q and R (or what another vendor has for them, see
        :func:`napari_orient.analysis.scores.quality_mask`), where they are filtered by.
    phase
        Its number in the map.
    min_q, min_r
        Least values that pass, in the property's own unit; 0 lets all pass. Of a MAD, ``min_r`` is
        the largest. Undefined values pass no filter.

    Returns
    -------
    Filtered
        Also where nothing is left.

    Raises
    ------
    ValueError
        If the map lacks the property.
    """
    steps = {
        "not computed": map.done,
        "not indexed": map.phase_id >= 0,
        "of another phase": map.phase_id == phase,
        "without a valid orientation": np.isfinite(map.quaternions).all(axis=-1),
    }
    names = quality_names(map)
    for limit, name, known in zip((min_q, min_r), names, (Q_NAMES, R_NAMES), strict=True):
        if not limit:
            continue
        if name is None:
            raise ValueError(
                f"The map has no {known[0]} (nor {', '.join(known[1:])}) to filter by: set the "
                f"least {known[0]} to 0, or take a map that has it."
            )
        side = "above" if low_is_good(name) else "below"
        steps[f"with {name} {side} {limit:g}"] = passes(map, name, limit)
    kept = np.ones(map.shape, bool)
    removed = {}
    for reason, passed in steps.items():
        removed[reason] = int((kept & ~passed).sum())
        kept &= passed
    return Filtered(kept, removed)


def _doubts(scan: Scan, map: OrientationMap) -> list[str]:
    """Sentences on what map and scan say against their being trusted together."""
    notes = []
    if map.provenance.get("exploratory"):
        notes.append(f"The labels are exploratory: {map.provenance['exploratory']}")
    step = scan.calibration.step
    ours = np.array(map.step) * _NM[map.unit]
    if step is not None and not np.allclose(ours, step.pair, rtol=_STEP):
        said = (" x ".join(f"{s:.4g}" for s in pair) for pair in (ours, step.pair))
        notes.append(
            "The steps differ: {} nm in the map, {} nm in the scan. Are they of one place?".format(
                *said
            )
        )
    return notes
