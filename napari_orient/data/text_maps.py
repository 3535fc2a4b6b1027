"""How is a map read from any text file with columns? By the names of its columns, or by a choice.

A .csv says neither which crystals it holds nor whose axes its angles refer to: what is not known
is asked (:class:`UnknownColumns`), and the answer is a :class:`ColumnChoice`, which a session or a
command line can keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from napari_orient.config import Config
from napari_orient.data.indices import euler_of
from napari_orient.data.tables import FRAMES, Table, fail, make_phase
from napari_orient.data.text_table import (
    EULER,
    QUATERNION,
    ROLES,
    SUFFIXES,
    TextTable,
    angle_unit_of,
    is_field,
    measure_grid,
    read_text_table,
    roles_of,
    unit_of,
)
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

_LOOK = 65536  # bytes that are looked at to say whose file it is
_LENGTH = 0.02  # how far the length of a quaternion may be from 1
_OFF = 0.25  # steps from its place on the grid: more is another grid
_FILLED = 0.5  # a grid that is emptier comes from wrong columns, not from missing rows


class TextPhase(Config):
    """What a phase number of a text file means."""

    number: int = Field(1, description="The number in the phase column")
    name: str = Field(description="Name of the crystal")
    point_group: str | None = Field(None, description="Point group, as in m-3m")
    space_group: int | None = Field(None, ge=1, le=230, description="Number of the space group")
    lattice: tuple[float, float, float, float, float, float] = Field(
        description="a, b, c in angstrom, alpha, beta, gamma in degrees"
    )


class ColumnChoice(Config):
    """What the columns of a text file mean, and what the file does not say."""

    columns: tuple[str, ...] = Field(
        description="For each column x, y, phi1, Phi, phi2, q0 ... q3 or phase, empty to leave it "
        "out, anything else to keep it as a property of that name"
    )
    angle_unit: Literal["degrees", "radians"] = Field("degrees", description="Of Euler angles")
    unit: Literal["um", "nm"] = Field("um", description="Of x and y")
    phases: tuple[TextPhase, ...] = Field((), description="What the phase numbers mean")
    not_indexed: tuple[int, ...] = Field(
        (-1, 0), description="Phase numbers of points without an answer"
    )
    frame: str = Field("as is", description="Where the Euler axes point on the map")
    crystal_axes: Literal["a", "a*"] = Field("a", description="Crystal x axis, hexagonal lattices")
    quaternions: Literal["lab2crystal", "crystal2lab"] = Field(
        "lab2crystal", description="What a quaternion turns: orix's sense, or its conjugate"
    )


class UnknownColumns(UnreadableFile):
    """A text file that leaves something open: ask, and open it again with the answer.

    Attributes
    ----------
    table
        All rows, for a preview; its ``names`` are the header.
    guess
        What the names and the numbers say.
    """

    def __init__(self, path: Path, table: TextTable, guess: ColumnChoice, missing: str) -> None:
        super().__init__(
            path, f"does not say {missing}", "Open it through the Load dock and choose the "
            "columns there, or name them: --columns x,y,phi1,Phi,phi2,phase --phase Ni.",
        )  # fmt: skip
        self.table = table
        self.guess = guess


def text_phase(number: int, phase: Phase) -> TextPhase:
    """Return what is kept of an orix phase under a number of the file."""
    space = phase.space_group.number if phase.space_group is not None else None
    a, b, c, alpha, beta, gamma = (float(v) for v in phase.structure.lattice.abcABG())
    group = phase.point_group.name if phase.point_group is not None else None
    return TextPhase(
        number=number, name=phase.name, point_group=group, space_group=space,
        lattice=(a, b, c, alpha, beta, gamma),
    )  # fmt: skip


def sniff_text(path: Path) -> bool:
    """Say whether a text file names positions and orientations in a header; may raise.

    An .npy file with a field (y, x, 4) of unit quaternions counts as such a table.
    """
    if is_field(path):
        return True
    if path.suffix.lower() not in SUFFIXES:
        return False
    roles = set(roles_of(read_text_table(path, _LOOK).names))
    return {"x", "y"} <= roles and (set(EULER) <= roles or set(QUATERNION) <= roles)


def guess_columns(table: TextTable) -> ColumnChoice:
    """Guess what the columns mean; the phases stay open."""
    roles = roles_of(table.names)
    not_indexed = not_indexed_numbers(table, roles)
    return ColumnChoice.checked(
        {"columns": roles, "angle_unit": angle_unit_of(table, roles),
         "unit": unit_of(table.names, roles), "not_indexed": not_indexed},
    )  # fmt: skip


def not_indexed_numbers(table: TextTable, columns: tuple[str, ...]) -> tuple[int, ...]:
    """Guess which phase numbers mean no answer.

    0 does not if no number is above it, as in EDAX's files of a single phase.
    """
    if "phase" in columns:
        largest = np.nanmax(table.values[:, columns.index("phase")], initial=-1.0)
        if largest == 0:
            return (-1,)
    return (-1, 0)


def phase_numbers(table: TextTable, choice: ColumnChoice) -> list[int]:
    """Return the numbers in the phase column that mean a phase; [1] without such a column."""
    if "phase" not in choice.columns:
        return [1]
    column = table.values[:, choice.columns.index("phase")]
    found = {int(n) for n in np.unique(np.rint(column[np.isfinite(column)]))}
    return sorted(found - set(choice.not_indexed))


def what_is_missing(table: TextTable, choice: ColumnChoice) -> str:
    """Say what must still be chosen, as "which column is y"; "" if nothing."""
    have = choice.columns
    doubled = sorted({role for role in have if role in ROLES and have.count(role) > 1})
    if doubled:
        return f"which of two columns is {doubled[0]}"
    if not (set(EULER) <= set(have) or set(QUATERNION) <= set(have)):
        some = EULER if set(EULER) & set(have) else QUATERNION
        lacking = [role for role in some if role not in have]
        if len(lacking) == len(some):
            return "which columns are the orientations (phi1, Phi, phi2 or q0 to q3)"
        return f"which column is {lacking[0]}"
    for role in ("x", "y"):
        if role not in have:
            return f"which column is {role}"
    known = {phase.number for phase in choice.phases}
    unknown = [str(n) for n in phase_numbers(table, choice) if n not in known]
    if unknown:
        return f"which crystal is phase {', '.join(unknown)}"
    return "" if choice.phases else "which crystals it holds"


def describe_choice(table: TextTable, choice: ColumnChoice) -> tuple[str, bool]:
    """Say what a choice makes of a file, and whether it can be opened so.

    Returns
    -------
    words, complete
        "201 x 189 points, step 0.25 um, 100 % of the grid filled. Phi1 0 to 359.9 degrees", or
        what is still open.
    """
    parts, fits, grid = [], True, None
    have = choice.columns
    if "x" in have and "y" in have:
        x, y = (table.values[:, have.index(name)] for name in ("x", "y"))
        there = np.isfinite(x) & np.isfinite(y)
        if there.any():
            grid = measure_grid(x[there], y[there])
            fits = grid.off <= _OFF and grid.filled >= _FILLED
            (height, width), (dy, dx) = grid.shape, grid.step
            step = f"{dx:.4g}" if np.isclose(dx, dy, rtol=1e-3) else f"{dy:.4g} x {dx:.4g}"
            parts.append(
                f"{height} x {width} points, step {step} {choice.unit}, "
                f"{_percent(grid.filled)} of the grid filled"
            )
    for name in EULER:
        if name in have:
            values = table.values[:, have.index(name)]
            if np.isfinite(values).any():
                digits = 1 if choice.angle_unit == "degrees" else 3
                low, high = (f"{one(values):.{digits}f}" for one in (np.nanmin, np.nanmax))
                parts.append(f"{name} {low} to {high} {choice.angle_unit}")
    if not fits:
        parts.append(_no_grid(grid))
    missing = what_is_missing(table, choice)
    if missing:
        parts.append(f"still open: {missing}")
    return "; ".join(parts), fits and not missing


def _no_grid(grid: Any) -> str:
    """Say why places are no grid: off it, or on one that is nearly empty."""
    if grid.off > _OFF:
        return "x and y lie on no grid: choose other columns"
    return "most of this grid has no row: is the file cut short, or are x and y other columns?"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == 1 or share < 0.995 else f"{100 * share:.2f} %"


def read_text_map(path: Path, choice: ColumnChoice | None) -> Table:
    """Read a text file as a table of points, nothing turned yet.

    Raises
    ------
    UnknownColumns
        If names and choice leave something open.
    UnreadableFile
        Naming the file, the line, the problem and the cure.
    ValueError
        If the choice has another number of columns than the file.
    """
    read = read_text_table(path)
    guess = guess_columns(read)
    chosen = guess if choice is None else choice
    width = read.values.shape[1]
    if len(chosen.columns) != width:
        raise ValueError(f"{path} has {width} columns, but {len(chosen.columns)} were named")
    if chosen.frame not in FRAMES:
        raise ValueError(f"frame {chosen.frame!r}: choose one of {list(FRAMES)}")
    if missing := what_is_missing(read, chosen):
        raise UnknownColumns(path, read, guess if choice is None else choice, missing)
    return _as_table(read, chosen)


def _as_table(read: TextTable, choice: ColumnChoice) -> Table:
    named = {name: read.values[:, n] for n, name in enumerate(choice.columns) if name}
    columns = {n: v for n, v in named.items() if n not in (*EULER, *QUATERNION)}
    rows = len(read.values)
    if "phase" not in columns:
        columns["phase"] = np.full(rows, float(choice.phases[0].number))
    _check_finite(read, columns, "phase", np.ones(rows, bool))
    indexed = ~np.isin(np.rint(columns["phase"]), choice.not_indexed)
    remarks = []
    if "CI" in columns and (columns["CI"] == -1).any():
        indexed &= columns["CI"] != -1
        remarks.append("points with CI = -1 are not indexed, as EDAX writes it")
    blank = indexed & _without_orientation(named)
    if blank.any():
        indexed = indexed & ~blank
        remarks.append(f"{blank.sum()} rows without any angle are not indexed")
    remarks.append(f"Columns: {', '.join(name or '(left out)' for name in choice.columns)}")
    if set(EULER) <= set(named):
        columns |= _angles(read, named, indexed, choice)
        remarks.append(f"angles in {choice.angle_unit}")
    else:
        made, empty = _from_quaternions(read, named, indexed, choice)
        columns |= made
        indexed = indexed & ~empty
        remarks.append(f"quaternions {choice.quaternions}")
        if empty.any():
            remarks.append(f"{empty.sum()} points with the quaternion 0 are not indexed")
    phases = {
        p.number: make_phase(read.path, p.name, p.lattice, p.point_group, p.space_group)
        for p in choice.phases
    }
    table = Table(read.path, columns, phases, unit=choice.unit, indexed=indexed)
    table.frame, table.crystal_axes = choice.frame, choice.crystal_axes
    usual = (choice.frame, choice.crystal_axes) == ("as is", "a")
    table.verified = "Assumed" if usual else "Chosen with the columns"
    _fill_gaps(read, table, remarks)
    said = "; ".join(remarks)
    table.remark = said[:1].upper() + said[1:]
    return table


def _without_orientation(named: dict[str, Any]) -> NDArray[np.bool_]:
    """Rows (n,) whose angles, or whose quaternion, are all missing: many programs write NaN so."""
    roles = EULER if set(EULER) <= set(named) else QUATERNION
    return np.asarray(np.all([~np.isfinite(named[role]) for role in roles], axis=0))


def _check_finite(
    read: TextTable, columns: dict[str, Any], name: str, there: NDArray[np.bool_]
) -> None:
    """Refuse a column with gaps where it is needed; the first line is named."""
    bad = there & ~np.isfinite(columns[name])
    if bad.any():
        fail(
            read.path, f"has no number for {name} in line {read.lines[np.argmax(bad)]} "
            f"({bad.sum()} such rows)", "Export it again, or mark these points as not indexed.",
        )  # fmt: skip


def _angles(
    read: TextTable, named: dict[str, Any], indexed: NDArray[np.bool_], choice: ColumnChoice
) -> dict[str, NDArray[np.float64]]:
    made = {}
    for name in EULER:
        _check_finite(read, named, name, indexed)
        values = np.where(indexed, named[name], 0.0)
        made[name] = np.radians(values) if choice.angle_unit == "degrees" else values
    if max(float(np.abs(v).max()) for v in made.values()) > 4.1 * np.pi:
        fail(
            read.path, f"has Euler angles beyond two turns, if they are {choice.angle_unit}",
            "Choose degrees for the angles." if choice.angle_unit == "radians" else
            "Choose other columns for the angles.",
        )  # fmt: skip
    return made


def _from_quaternions(
    read: TextTable, named: dict[str, Any], indexed: NDArray[np.bool_], choice: ColumnChoice
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """Euler angles in radians, and which points have the quaternion 0."""
    from orix.quaternion import Quaternion

    for name in QUATERNION:
        _check_finite(read, named, name, indexed)
    values = np.nan_to_num(np.stack([named[name] for name in QUATERNION], axis=-1))
    length = np.linalg.norm(values, axis=-1)
    empty = indexed & (length == 0)
    bad = indexed & ~empty & (np.abs(length - 1) > _LENGTH)
    if bad.any():
        first = int(np.argmax(bad))
        fail(
            read.path, f"has quaternions that are not of length 1 ({bad.sum()} rows; line "
            f"{read.lines[first]} has length {length[first]:.3g})",
            "Choose other columns for q0 to q3.",
        )  # fmt: skip
    values[empty | ~indexed] = (1.0, 0.0, 0.0, 0.0)
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    if choice.quaternions == "crystal2lab":
        values[:, 1:] *= -1
    angles = np.radians(euler_of(Quaternion(values).to_matrix()))
    return {name: angles[:, n] for n, name in enumerate(EULER)}, empty


def _fill_gaps(read: TextTable, table: Table, remarks: list[str]) -> None:
    """Take grid points without a row as not indexed: many programs write indexed points only."""
    for name in ("x", "y"):
        _check_finite(read, table.columns, name, np.ones(len(read.values), bool))
    x, y = table.columns["x"], table.columns["y"]
    grid = measure_grid(x, y)
    if grid.off > _OFF or grid.filled < _FILLED:
        height, width = grid.shape
        place = f"{height} x {width} grid of step ({grid.step[0]:g}, {grid.step[1]:g})"
        if grid.off > _OFF:
            fail(
                read.path, f"has {len(x)} points on no {place}",
                "Choose other columns for x and y, or export it on a square grid.",
            )  # fmt: skip
        fail(
            read.path, f"fills {_percent(grid.filled)} of its {place}",
            "Copy it again if it was cut short, or choose other columns for x and y.",
        )  # fmt: skip
    table.shape, table.step = grid.shape, grid.step
    full = np.ones(grid.shape, bool)
    rows = np.rint((y - y.min()) / grid.step[0]).astype(np.int64)
    places = np.rint((x - x.min()) / grid.step[1]).astype(np.int64)
    full[rows, places] = False
    gaps = np.argwhere(full)
    if not len(gaps):
        return
    remarks.append(f"{len(gaps)} grid points without a row are not indexed")
    more = {"y": gaps[:, 0] * grid.step[0] + y.min(), "x": gaps[:, 1] * grid.step[1] + x.min()}
    more["phase"] = np.full(len(gaps), -1.0)
    zero = np.zeros(len(gaps))
    more |= dict.fromkeys(EULER, zero)
    table.columns = {  # nothing was measured there
        name: np.concatenate([values, more.get(name, zero + np.nan)])
        for name, values in table.columns.items()
    }
    table.indexed = np.concatenate([table.indexed, zero > 0])


__all__ = [
    "ROLES",
    "SUFFIXES",
    "ColumnChoice",
    "TextPhase",
    "TextTable",
    "UnknownColumns",
    "angle_unit_of",
    "describe_choice",
    "guess_columns",
    "is_field",
    "measure_grid",
    "not_indexed_numbers",
    "text_phase",
    "phase_numbers",
    "read_text_map",
    "read_text_table",
    "sniff_text",
    "what_is_missing",
]
