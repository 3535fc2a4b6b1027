"""Where in a map are the boundaries of each kind, and how much is there of each?

A boundary is the face between two neighbouring points: a piece of a line in a map, of an area in a
volume. Its length is counted along the grid, so that shares are right and oblique boundaries as a
whole are too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.boundary_classes import (
    FIRST_LAW,
    HIGH,
    HIGH_ANGLE,
    LOW,
    NONE,
    PHASE_BOUNDARY,
    class_names,
    classify,
)
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.analysis.boundary_classes import Law
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

_CHUNK = 2**18


@dataclass(frozen=True, eq=False)
class BoundaryMap:
    """Kinds of the boundaries of a map (y, x) or a volume (z, y, x).

    Attributes
    ----------
    names
        Of the classes, by their number; 0 is "none".
    between
        For each axis an array of the map's shape, uint8: the class of the boundary between a point
        and the next one along the axis. That of the last points is with the first ones where the
        map is periodic, else 0.
    step
        (dy, dx) or (dz, dy, dx), in ``unit``.
    unit
        "um" or "nm".
    """

    names: tuple[str, ...]
    between: tuple[NDArray[np.uint8], ...]
    step: tuple[float, ...]
    unit: str

    def doubled(self) -> NDArray[np.uint8]:
        """Draw the boundaries between the points: labels (2 y - 1, 2 x - 1), 0 where is none.

        Points are at even places, so that ``scale = step / 2`` lays the lines on the map. Where
        lines meet, the highest class is drawn. The border of a periodic map is left out.
        """
        shape = self.between[0].shape
        drawn = np.zeros([2 * n - 1 for n in shape], np.uint8)
        for axis, classes in enumerate(self.between):
            inner = [slice(None)] * len(shape)
            inner[axis] = slice(None, -1)
            places = [slice(None, None, 2)] * len(shape)
            places[axis] = slice(1, None, 2)
            drawn[tuple(places)] = classes[tuple(inner)]
        for axis in range(len(shape)):  # fill the crossings, so that the lines are whole
            _close_gaps(drawn, axis)
        return drawn

    def listed(self) -> dict[int, str]:
        """Number -> name of the classes that are told: most maps have one phase, and no such."""
        shown = {n: name for n, name in enumerate(self.names) if n != NONE}
        if len(self.names) > FIRST_LAW:  # those of a law have a share of their own
            shown[HIGH_ANGLE] = f"other {shown[HIGH_ANGLE]}"
        if not any((classes == PHASE_BOUNDARY).any() for classes in self.between):
            del shown[PHASE_BOUNDARY]
        return shown

    @property
    def extent_unit(self) -> str:
        """Of lengths, "µm", or of areas in a volume, "µm²"."""
        return self.unit.replace("um", "µm") + ("" if len(self.between) == 2 else "²")

    def extents(self) -> NDArray[np.float64]:
        """Length (area in a volume) of each class (k,), in ``unit`` or its square; 0 of "none"."""
        total = np.zeros(len(self.names))
        for axis, classes in enumerate(self.between):
            face = np.prod(np.delete(np.array(self.step), axis))
            total += face * np.bincount(classes.ravel(), minlength=len(self.names))
        total[NONE] = 0.0
        return total

    def shares(self) -> dict[str, float]:
        """Class -> its share of all boundary length (area in a volume); all 0 without any."""
        extents = self.extents()
        whole = extents.sum() or 1.0
        return {n: float(e / whole) for n, e in zip(self.names[1:], extents[1:], strict=True)}


def _close_gaps(drawn: NDArray[np.uint8], axis: int) -> None:
    """Fill the crossings, odd along this axis and another, with the highest of their neighbours."""
    places: tuple[NDArray[np.int64], ...] = np.ix_(*map(np.arange, drawn.shape))
    odd = [place % 2 for place in places]
    crossing = (np.sum(np.broadcast_arrays(*odd), axis=0) > 1) & (odd[axis] == 1)
    for shift in (-1, 1):
        moved = np.roll(drawn, shift, axis)
        np.maximum(drawn, moved, out=drawn, where=crossing)


def boundary_map(
    orientations: OrientationMap,
    laws: Mapping[int, Sequence[Law]],
    *,
    low: float = LOW,
    high: float = HIGH,
    labels: NDArray[np.integer] | None = None,
    modulo_beam: bool = False,
) -> Job[BoundaryMap]:
    """Sort the boundaries of a map.

    Parameters
    ----------
    orientations
        (y, x) or (z, y, x). There is no boundary with points that are not indexed; those across
        the border of a periodic map count.
    laws
        Number of a phase -> the laws looked for in it.
    low, high
        Degrees, as in :func:`~napari_orient.analysis.boundary_classes.classify`.
    labels
        Grain at each point, 0 = none: boundaries are then those between two grains alone.
    modulo_beam
        Crystals that are turned by 180 degrees about the beam are the same.

    Yields
    ------
    Progress
        In pairs of points.

    Raises
    ------
    ValueError
        If a law is for a phase that is not in the map.
    """
    strange = sorted(set(laws) - set(orientations.phases))
    if strange:
        raise ValueError(f"laws for phase {strange[0]}, which is not in the map")
    names, first = _all_names(orientations, laws, low, high)
    phase_id, q = orientations.phase_id.ravel(), orientations.quaternions.reshape(-1, 4)
    between = []
    axes = len(orientations.shape)
    for axis in range(axes):
        one, other = neighbours(orientations, axis, labels)
        classes = np.zeros(len(phase_id), np.uint8)
        classes[one] = np.where(phase_id[one] != phase_id[other], PHASE_BOUNDARY, NONE)
        for number, phase in orientations.phases.items():
            same = (phase_id[one] == number) & (phase_id[other] == number)
            a, b, sought = one[same], other[same], laws.get(number, ())
            for i in range(0, len(a), _CHUNK):
                done = axis + i / len(a)
                yield Progress(round(100 * done), 100 * axes, "Sorting the boundaries")
                some = a[i : i + _CHUNK]
                found = _classes(
                    q[some], q[b[i : i + _CHUNK]], sought, phase, low, high, modulo_beam
                )
                found[found >= FIRST_LAW] += first[number] - FIRST_LAW
                classes[some] = found
        between.append(classes.reshape(orientations.shape))
    return BoundaryMap(names, tuple(between), tuple(orientations.step), orientations.unit)


def _all_names(
    orientations: OrientationMap, laws: Mapping[int, Sequence[Law]], low: float, high: float
) -> tuple[tuple[str, ...], dict[int, int]]:
    """Names of the classes of all phases, and the number of the first law of each phase."""
    several = sum(bool(sought) for sought in laws.values()) > 1
    names, first = list(class_names((), low, high)), {}
    for number, phase in orientations.phases.items():
        first[number] = len(names)
        prefix = f"{phase.name or f'phase {number}'}: " if several else ""
        names += [prefix + law.name for law in laws.get(number, ())]
    return tuple(names), first


def _classes(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    laws: Sequence[Law],
    phase: Phase,
    low: float,
    high: float,
    modulo_beam: bool,
) -> NDArray[np.uint8]:
    found = classify(a, b, laws, phase, low=low, high=high)
    if modulo_beam:
        from napari_orient.crystal.rotations import beam_operator, multiply

        turned = classify(multiply(a, beam_operator()), b, laws, phase, low=low, high=high)
        # none before low-angle before a law before any other high-angle boundary
        rank = np.full(FIRST_LAW + len(laws), 2)
        rank[: FIRST_LAW - 1] = 0, 1, 3
        found = np.where(rank[turned] < rank[found], turned, found)
    return found


def neighbours(
    orientations: OrientationMap, axis: int, labels: NDArray[np.integer] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return flat indices (n,) of points and of the next ones along an axis, both indexed.

    Parameters
    ----------
    orientations
        The map; a periodic one has neighbours across its border, once.
    axis
        Of the grid.
    labels
        Grain at each point, 0 = none: the pairs are then those of two grains.
    """
    shape = orientations.shape
    index = np.arange(int(np.prod(shape))).reshape(shape)
    there = orientations.indexed & np.isfinite(orientations.quaternions).all(axis=-1)
    if labels is not None:
        there &= labels > 0
    valid = there & np.roll(there, -1, axis)
    if labels is not None:
        valid &= labels != np.roll(labels, -1, axis)
    if not orientations.periodic[axis]:
        last = [slice(None)] * len(shape)
        last[axis] = slice(-1, None)
        valid[tuple(last)] = False
    return index[valid], np.roll(index, -1, axis)[valid]


def point_faces(
    orientations: OrientationMap, labels: NDArray[np.integer]
) -> Iterator[tuple[int, float, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield axis, extent of one face, and both points of the faces between grains, by axis."""
    for axis in range(len(orientations.shape)):
        face = float(np.prod(np.delete(np.array(orientations.step), axis)))
        yield axis, face, *neighbours(orientations, axis, labels)
