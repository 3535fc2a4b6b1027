"""How do the rows of a text file become points of a grid? Checked line by line, gaps filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.indices import euler_of
from napari_orient.data.vendors.tables import Table, fail, make_phase
from napari_orient.data.vendors.text_table import EULER, QUATERNION, TextTable, measure_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.vendors.text_maps import ColumnChoice

LENGTH = 0.02  # how far the length of a quaternion may be from 1
OFF = 0.25  # steps from its place on the grid: more is another grid
FILLED = 0.5  # a grid that is emptier comes from wrong columns, not from missing rows


def percent(share: float) -> str:
    """Write a share in percent; 100 % is all of them."""
    return f"{100 * share:.0f} %" if share == 1 or share < 0.995 else f"{100 * share:.2f} %"


def as_table(read: TextTable, choice: ColumnChoice) -> Table:
    """Return the rows as points, angles in radians; nothing is turned yet.

    Raises
    ------
    UnreadableFile
        Naming the line: where a number lacks, angles or quaternions cannot be such, or the places
        lie on no grid.
    """
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
    bad = indexed & ~empty & (np.abs(length - 1) > LENGTH)
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
    if grid.off > OFF or grid.filled < FILLED:
        height, width = grid.shape
        place = f"{height} x {width} grid of step ({grid.step[0]:g}, {grid.step[1]:g})"
        if grid.off > OFF:
            fail(
                read.path, f"has {len(x)} points on no {place}",
                "Choose other columns for x and y, or export it on a square grid.",
            )  # fmt: skip
        fail(
            read.path, f"fills {percent(grid.filled)} of its {place}",
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
