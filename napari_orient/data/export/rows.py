"""How does a map become rows of a text file? Angles in the file's axes, columns it has room for.

A text format has room for some properties only, and under its own names. What goes where, what is
rounded, and what has no room is said in words: nothing is lost without a word.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.indices import euler_of
from napari_orient.data.maps import (
    IDENTITY,
    OrientationMap,
    from_vendor,
    is_hexagonal,
    to_vendor,
    turn_crystal_axes,
)
from napari_orient.data.vendors.tables import LAUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.vendors.axes_line import FileAxes

ROUNDED = 1e-3  # a measured column keeps this share of its largest value


@dataclass(frozen=True)
class Column:
    """A measured column of a text format.

    Attributes
    ----------
    name
        What our reader calls it.
    sources
        Properties that may stand in it, the first one that the map has; a factor beside each.
    empty
        What is written where the map has nothing, and where a point is not indexed.
    decimals
        The fewest that are written.
    """

    name: str
    sources: tuple[tuple[str, float], ...]
    empty: float = 0.0
    blank: float = 0.0
    decimals: int = 0


@dataclass(frozen=True)
class TextFormat:
    """What a text format of maps can hold."""

    name: str
    unit: str
    columns: tuple[Column, ...]
    angle_decimals: int
    degrees: bool


# R is a percentage inside, a fraction in ASTAR's files and in the place of EDAX's CI.
ANG = TextFormat(
    "ang", "um",
    (
        Column("IQ", (("IQ", 1), ("BC", 1), ("Q", 1)), decimals=1),
        Column("CI", (("CI", 1), ("R", 0.01)), blank=-1.0, decimals=3),
        Column("SEM", (("SEM", 1),)),
        Column("fit", (("fit", 1), ("MAD", 1)), blank=180.0, decimals=3),
    ),
    angle_decimals=5, degrees=False,
)  # fmt: skip
ASTAR = TextFormat(
    "astar", "nm",
    (
        Column("Q", (("Q", 1), ("IQ", 1), ("BC", 1)), decimals=1),
        Column("R", (("R", 0.01), ("CI", 1)), empty=-1.0, blank=-1.0, decimals=3),
    ),
    angle_decimals=3, degrees=False,
)  # fmt: skip
CTF = TextFormat(
    "ctf", "um",
    (
        Column("bands", (("bands", 1),)),
        Column("error", (("error", 1),), blank=3.0),  # 3: no solution
        Column("MAD", (("MAD", 1), ("fit", 1)), decimals=4),
        Column("BC", (("BC", 1), ("IQ", 1), ("Q", 1))),
        Column("BS", (("BS", 1),)),
    ),
    angle_decimals=4, degrees=True,
)  # fmt: skip
TEXT_FORMATS = {one.name: one for one in (ANG, ASTAR, CTF)}
_SCALE = {("nm", "um"): 1e-3, ("um", "nm"): 1e3}


@dataclass
class Rows:
    """A map as the rows of a text file, in the order of reading; n points.

    Attributes
    ----------
    angles
        (n, 3) Euler angles in the file's axes, in the file's unit of angle.
    phase
        (n,) 1, 2 ... in the order of ``phases``; 0 = not indexed.
    expected
        What must be read back: the map with the properties under the names of the file.
    decimals
        Column -> digits after the point.
    notes, lost
        What was written under another name or rounded; what has no room.
    """

    format: TextFormat
    axes: FileAxes
    angles: NDArray[np.float64]
    phase: NDArray[np.int64]
    phases: list[Phase]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]
    decimals: dict[str, int]
    expected: OrientationMap
    notes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def lay_out(
    orientations: OrientationMap, format_: TextFormat, axes: FileAxes, *, angles: bool = True
) -> Rows:
    """Lay out a map (y, x) as rows; without ``angles``, only to see what fits.

    Raises
    ------
    ValueError
        If a phase has no point group, which a text format must name.
    """
    m = orientations
    for phase in m.phases.values():
        if phase.point_group is None:
            raise ValueError(f"phase {phase.name!r} has no point group: give it one first")
    scale = _SCALE.get((m.unit, format_.unit), 1.0)
    numbers = list(m.phases)
    phase = np.zeros(m.shape, np.int64)
    for place, number in enumerate(numbers, start=1):
        phase[m.indexed & (m.phase_id == number)] = place
    rows_, columns_ = np.indices(m.shape)
    step = (m.step[0] * scale, m.step[1] * scale)
    origin = (m.origin[0] * scale, m.origin[1] * scale)
    euler = angles_in(m, axes, degrees=format_.degrees) if angles else np.empty((0, 3))
    rows = Rows(
        format_, axes, euler.reshape(-1, 3), phase.ravel(),
        list(m.phases.values()), (columns_ * step[1] + origin[1]).ravel(),
        (rows_ * step[0] + origin[0]).ravel(), {}, {}, m,
    )  # fmt: skip
    _fill_columns(rows, m)
    if numbers != list(range(1, len(numbers) + 1)):
        pairs = ", ".join(f"{old} as {new}" for new, old in enumerate(numbers, start=1))
        rows.notes.append(f"Phases are numbered from 1: {pairs}")
    if axes.crystal_axes == "a*" and any(map(is_hexagonal, rows.phases)):
        rows.notes.append(
            "Crystal x || a*: programs that take x || a (orix, EDAX) turn it by 30° about c"
        )
    _say_what_is_lost(rows, m)
    rows.expected = replace(
        m, phase_id=np.where(phase > 0, phase, -1), step=step, origin=origin, unit=format_.unit,
        phases=dict(enumerate(rows.phases, start=1)), done=np.ones(m.shape, bool),
        quaternions=np.where(m.indexed[..., None], m.quaternions, IDENTITY),
        properties={n: v.reshape(m.shape) for n, v in rows.columns.items()},
        candidates=None, provenance={},
    )  # fmt: skip
    if "R" in rows.columns:  # a percentage again when it is read
        fraction = rows.expected.properties["R"]
        rows.expected.properties["R"] = np.where(fraction < 0, -1.0, 100 * fraction)
    return rows


def angles_in(
    orientations: OrientationMap, axes: FileAxes, *, degrees: bool
) -> NDArray[np.float64]:
    """Bunge Euler angles (..., 3) in the axes of a file; 0 where not indexed."""
    from orix.quaternion import Quaternion

    turned = turned_to(orientations, axes)
    angles = euler_of(Quaternion(turned).to_matrix())
    angles = np.where(orientations.indexed[..., None], angles, 0.0)
    return angles if degrees else np.radians(angles)


def turned_to(orientations: OrientationMap, axes: FileAxes) -> NDArray[np.float64]:
    """Quaternions (..., 4) from the file's sample axes to its crystal axes."""
    turned = to_vendor(orientations.quaternions, axes.frame)
    if axes.crystal_axes == "a*":
        turned = turn_crystal_axes(turned, orientations.phase_id, orientations.phases, to="a*")
    return turned


def turned_from(
    quaternions: NDArray[np.float64], orientations: OrientationMap, axes: FileAxes
) -> NDArray[np.float64]:
    """Undo :func:`turned_to`."""
    turned = quaternions
    if axes.crystal_axes == "a*":
        turned = turn_crystal_axes(turned, orientations.phase_id, orientations.phases, to="a")
    return from_vendor(turned, axes.frame)


def _fill_columns(rows: Rows, m: OrientationMap) -> None:
    indexed = m.indexed.ravel()
    for column in rows.format.columns:
        there = [pair for pair in column.sources if pair[0] in m.properties]
        if not there:
            values = np.where(indexed, column.empty, column.blank)
            rows.notes.append(f"{column.name}: not in the map, {column.empty:g} is written")
            source = ""
        else:
            source, factor = there[0]
            values = np.asarray(m.properties[source], np.float64).ravel()
            values = _cleaned(rows, column, source, values, factor)
            if column.name == "CI":  # EDAX's sign of a point that is not indexed, and of no other
                wrong = indexed & (values == -1)
                values = np.where(indexed, np.where(wrong, 0.0, values), -1.0)
                if wrong.any():
                    rows.notes.append(f"CI: 0 at {wrong.sum()} indexed points that had -1")
        decimals = _decimals(values, column.decimals)
        rounded = np.round(values, decimals)
        if np.abs(rounded - values).max() > 1e-9 * max(1.0, np.abs(values).max()):
            rows.notes.append(f"{column.name}: rounded to {10.0**-decimals:g}")
        rows.columns[column.name], rows.decimals[column.name] = values, decimals


def _cleaned(
    rows: Rows, column: Column, source: str, values: NDArray[np.float64], factor: float
) -> NDArray[np.float64]:
    """Scale a property to its column; -1 of R stays -1, what is no number becomes empty."""
    undefined = (values < 0) & (source == "R")
    values = np.where(undefined, -1.0, values * factor)
    bad = ~np.isfinite(values)
    if bad.any():
        rows.notes.append(f"{column.name}: {column.empty:g} at {bad.sum()} points without a number")
    if source != column.name:
        share = " as a fraction" if factor != 1 else ""
        rows.notes.append(f"{source} is written{share} in the column {column.name}")
    return np.where(bad, column.empty, values)


def _decimals(values: NDArray[np.float64], fewest: int) -> int:
    limit = ROUNDED * np.abs(values).max()
    for decimals in range(fewest, 6):
        if np.abs(np.round(values, decimals) - values).max() <= limit:
            return decimals
    return 6


def position_decimals(rows: Rows, fewest: int) -> int:
    """Digits after the point with which the positions stay on their grid."""
    step = min(rows.expected.step)
    for decimals in range(fewest, 9):
        off = max(np.abs(np.round(v, decimals) - v).max() for v in (rows.x, rows.y))
        if off < 1e-4 * step:
            return decimals
    return 9


def _say_what_is_lost(rows: Rows, m: OrientationMap) -> None:
    used = {s for c in rows.format.columns for s, _ in _first(c.sources, m.properties)}
    left = [name for name in m.properties if name not in used]
    if left:
        rows.lost.append(f"no column for {', '.join(left)}")
    if not m.done.all():
        rows.lost.append(f"{(~m.done).sum()} points that are not done are written as not indexed")
    if any(m.periodic):
        rows.lost.append("that opposite edges match (periodic)")
    groups = {p.point_group.name for p in rows.phases} - set(LAUE)
    if groups:
        rows.lost.append(f"the point group {', '.join(sorted(groups))}: its Laue group is kept")
    if rows.axes.frame != tuple(m.frame):
        rows.lost.append("what the axes of the original file were")
    if any(len(phase.structure) for phase in rows.phases):
        rows.lost.append("the atoms of the phases")
    rows.lost += without_a_place(m)


def without_a_place(m: OrientationMap) -> list[str]:
    """Say what of a map only our own file keeps."""
    lost = []
    if m.candidates is not None:
        lost.append(f"the {m.candidates.count} candidates of each point")
    if m.provenance:
        lost.append("the settings with which it was computed")
    return lost


def _first(
    sources: Sequence[tuple[str, float]], properties: dict[str, Any]
) -> list[tuple[str, float]]:
    return [pair for pair in sources if pair[0] in properties][:1]
