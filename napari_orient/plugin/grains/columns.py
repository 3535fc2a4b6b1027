"""What was measured of each grain, in the words of the table: heads, units, tooltips, digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains

CYCLIC = {"phi1": 360.0, "axis": 180.0}
"""Columns that begin anew after so many degrees; phi2's period is the crystal's."""
IDS = ("id", "phase", "edge", "parts")  # numbers that are no measure


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    name
        In ``Grains.table``.
    head
        Over the column, without the unit.
    tip
        What it means, in a sentence.
    digits
        Behind the point; None for whole numbers and names, 3 for as many as are needed.
    """

    name: str
    head: str
    tip: str
    digits: int | None = None


COLUMNS = {
    column.name: column
    for column in (
        Column("id", "Id", "Number of the grain, as on the map"),
        Column("phase", "Phase", "Crystal of the grain"),
        Column("size", "Points", "Points of the map in the grain"),
        Column("diameter", "Diameter", "Of the circle of equal area (sphere of equal volume)", 3),
        Column("area", "Area", "Points times the area of each", 3),
        Column("volume", "Volume", "Points times the volume of each", 3),
        Column("aspect_ratio", "Aspect", "Longest over shortest axis of the fitted ellipse", 2),
        Column("axis", "Axis", "Direction of the longest axis, from x (right) towards y (down)", 1),
        Column("gos", "GOS", "Grain orientation spread: mean angle to the mean orientation", 2),
        Column("neighbours", "Neigh.", "Grains that share a boundary with it"),
        Column("perimeter", "Perimeter", "Length of its boundary, without the edge of the map", 2),
        Column("surface", "Surface", "Area of its boundary, without the edge of the volume", 2),
        Column("phi1", "φ1", "Bunge's first Euler angle of the mean orientation", 1),
        Column("Phi", "Φ", "Bunge's second Euler angle of the mean orientation", 1),
        Column("phi2", "φ2", "Bunge's third Euler angle of the mean orientation", 1),
        Column("x", "x", "Centroid, to the right", 2),
        Column("y", "y", "Centroid, downwards", 2),
        Column("z", "z", "Centroid, into the material", 2),
        Column("axis_x", "Axis x", "x of the unit vector along the longest axis", 2),
        Column("axis_y", "Axis y", "y of the unit vector along the longest axis", 2),
        Column("axis_z", "Axis z", "z of the unit vector along the longest axis", 2),
        Column("parts", "Parts", "How many twins and parents were merged into it"),
        Column("edge", "Edge", "Cut by the edge of what was measured"),
    )
}


def columns_of(grains: Grains) -> list[Column]:
    """Return the columns of these grains in the order of the table."""
    plain = len(np.unique(grains.table["phase"])) < 2
    there = [
        column
        for name, column in COLUMNS.items()
        if name in grains.table and not (name == "phase" and plain)
    ]
    new = [Column(name, name, name, 3) for name in grains.table if name not in COLUMNS]
    return there + new


def measures_of(grains: Grains) -> list[Column]:
    """Return the columns that a map can be coloured by."""
    return [column for column in columns_of(grains) if column.name not in IDS]


def head_of(grains: Grains, column: Column) -> str:
    """Return "Diameter (µm)"."""
    unit = grains.units().get(column.name, "")
    return f"{column.head} ({unit})" if unit else column.head


def digits_of(grains: Grains, column: Column) -> int:
    """Return the digits behind the point that a column needs: large numbers need fewer."""
    values = np.abs(np.asarray(grains.table[column.name], np.float64))
    values = values[np.isfinite(values)]
    if column.digits is None or column.digits < 3 or not values.size:
        return column.digits or 0
    whole = np.floor(np.log10(max(float(np.median(values)), 1e-6)))
    return int(np.clip(2 - whole, 0, 6))


def texts_of(grains: Grains, column: Column, rows: NDArray[Any], digits: int) -> list[str]:
    """Return what the table shows of a column, for these places (n,) in ``Grains.table``."""
    values = np.asarray(grains.table[column.name])[rows]
    if column.name == "phase":
        phases = grains.orientations.phases
        return [phases[int(n)].name or f"phase {n}" for n in values]
    if column.name == "edge":
        return ["edge" if cut else "" for cut in values]
    if column.digits is None:
        return [str(int(value)) for value in values]
    return ["–" if not np.isfinite(value) else f"{value:.{digits}f}" for value in values]
