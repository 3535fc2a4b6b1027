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
from napari_orient.data.vendors.tables import FRAMES, Table
from napari_orient.data.vendors.text_rows import FILLED, OFF, as_table, percent
from napari_orient.data.vendors.text_table import (
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

    from orix.crystal_map import Phase

_LOOK = 65536  # bytes that are looked at to say whose file it is


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
            fits = grid.off <= OFF and grid.filled >= FILLED
            (height, width), (dy, dx) = grid.shape, grid.step
            step = f"{dx:.4g}" if np.isclose(dx, dy, rtol=1e-3) else f"{dy:.4g} x {dx:.4g}"
            parts.append(
                f"{height} x {width} points, step {step} {choice.unit}, "
                f"{percent(grid.filled)} of the grid filled"
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
    if grid.off > OFF:
        return "x and y lie on no grid: choose other columns"
    return "most of this grid has no row: is the file cut short, or are x and y other columns?"


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
    return as_table(read, chosen)


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
