"""How does a vendor's table of points become a map? Each axis turned to ours, and said so in words.

A vendor's Euler angles refer to axes that the file does not name: every format has a default, which
the user may replace. What was assumed is in the map's ``frame_note``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from napari_orient.data.maps import (
    IDENTITY,
    CrystalAxes,
    OrientationMap,
    from_vendor,
    is_hexagonal,
    turn_crystal_axes,
)
from napari_orient.data.vendors.hexgrid import HEX_NOTE, resample_hexagonal
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

FrameName = Literal[
    "default", "as is", "y up", "x down, y right", "x up, y left", "x left, y down",
    "x left, y up", "x down, y left", "x up, y right",
]  # fmt: skip

_HALF = float(np.sqrt(0.5))
FRAMES: dict[str, tuple[tuple[float, float, float, float], str]] = {
    "as is": (IDENTITY, "Euler axes are the map's: x right, y down, z into the page"),
    "y up": ((0.0, 1.0, 0.0, 0.0), "Euler axes: x right, y up, z out of the page"),
    "x down, y right": (
        (0.0, _HALF, _HALF, 0.0), "Euler axes: x down, y right, z out of the page"
    ),
    "x up, y left": ((0.0, _HALF, -_HALF, 0.0), "Euler axes: x up, y left, z out of the page"),
    "x left, y down": ((0.0, 0.0, 1.0, 0.0), "Euler axes: x left, y down, z out of the page"),
    "x left, y up": ((0.0, 0.0, 0.0, 1.0), "Euler axes: x left, y up, z into the page"),
    "x down, y left": ((_HALF, 0.0, 0.0, _HALF), "Euler axes: x down, y left, z into the page"),
    "x up, y right": ((_HALF, 0.0, 0.0, -_HALF), "Euler axes: x up, y right, z into the page"),
}  # fmt: skip
"""Conventions to choose from: quaternion from the Euler axes to the map's, and its description.

These are all eight: x and y along an axis of the map each, z by the right hand.
"""

CRYSTAL_AXES: dict[str, str] = {
    "a": "x || a on hexagonal lattices, as EDAX and orix have it",
    "a*": "x || a* on hexagonal lattices, as Oxford has it",
}

LAUE = ("-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m")
NOT_TRUSTED = "column 9"  # of ASTAR: its meaning differs between versions
_MISSING_SHARE = 0.01
# Length of sigma-3 twins within 10 degrees of their trace: 100 % and 88 % in two EDAX nickel maps,
# 0 % and 16 % with the Euler axes as they are, 0 % with any other choice but the opposite of this
# one: a trace cannot tell half a turn about the beam.
EDAX_NOTE = (
    "EDAX's convention, measured on twin traces in nickel, which leave half a turn about the beam "
    "open; not verified for this file"
)


@dataclass
class Table:
    """A vendor's file as read: a row per point, angles in radians, nothing turned yet."""

    path: Path
    columns: dict[str, NDArray[Any]]
    phases: dict[int, Phase]
    step: tuple[float, float] | None = None  # (dy, dx) of the header
    shape: tuple[int, int] | None = None
    unit: str = "um"
    frame: str = "as is"
    crystal_axes: CrystalAxes = "a"
    verified: str = "Not verified"
    indexed: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    remark: str = ""  # a sentence for the note, whatever the user chose


def fail(path: Path, problem: str, cure: str) -> NoReturn:
    """Raise UnreadableFile, where an expression is needed that never returns."""
    raise UnreadableFile(path, problem, cure)


def check_choices(frame: str | Sequence[float], crystal_axes: str) -> None:
    """Raise ValueError unless :func:`assemble` knows what is meant, before a file is read."""
    if crystal_axes not in ("default", *CRYSTAL_AXES):
        raise ValueError(f"crystal axes {crystal_axes!r}: choose one of {list(CRYSTAL_AXES)}")
    if isinstance(frame, str):
        if frame not in ("default", *FRAMES):
            raise ValueError(f"frame {frame!r}: choose one of {list(FRAMES)}")
    elif np.shape(frame) != (4,) or not 0 < np.linalg.norm(frame) < np.inf:
        raise ValueError(f"frame {frame!r}: a quaternion of four numbers, or one of {list(FRAMES)}")


def _choose_frame(
    table: Table, frame: str | Sequence[float], crystal_axes: str
) -> tuple[tuple[float, float, float, float], CrystalAxes, str]:
    """Quaternion, crystal axes and note: the format's own unless the user said otherwise."""
    axes: CrystalAxes = table.crystal_axes
    if crystal_axes != "default":
        axes = "a*" if crystal_axes == "a*" else "a"
    if isinstance(frame, str):
        quaternion, words = FRAMES[table.frame if frame == "default" else frame]
    else:
        a, b, c, d = np.asarray(frame, np.float64) / np.linalg.norm(frame)
        quaternion, words = (float(a), float(b), float(c), float(d)), "Euler axes: turned as given"
    hexagonal = any(is_hexagonal(phase) for phase in table.phases.values())
    words += f"; crystal {CRYSTAL_AXES[axes]}" if hexagonal else ""
    chosen = frame != "default" or crystal_axes != "default"
    words += f". {'Chosen by the user' if chosen else table.verified}."
    return quaternion, axes, words + (f" {table.remark}." if table.remark else "")


def assemble(table: Table, frame: str | Sequence[float], crystal_axes: str) -> OrientationMap:
    """Put the points on their grid and turn their axes to ours.

    Parameters
    ----------
    table
        What was read; rows in any order, up to 1 % of them missing.
    frame, crystal_axes
        As for :func:`napari_orient.data.vendors.open.open_map`.

    Raises
    ------
    UnreadableFile
        If points lack positions or angles, lie on no grid, or have an unknown phase.
    """
    from orix.quaternion import Rotation

    quaternion, axes, note = _choose_frame(table, frame, crystal_axes)
    columns, phase_id = table.columns, _phase_numbers(table)
    angles = np.stack([columns[name] for name in ("phi1", "Phi", "phi2")], axis=-1)
    _check_angles(table.path, angles[phase_id >= 0])
    angles[phase_id < 0] = 0.0
    orientations = from_vendor(np.asarray(Rotation.from_euler(angles).data), quaternion)
    if axes == "a*":
        orientations = turn_crystal_axes(orientations, phase_id, table.phases, to="a")
    orientations[phase_id < 0] = IDENTITY
    place, shape, step, origin = _place_points(table)

    def fill(values: NDArray[Any], empty: Any) -> NDArray[Any]:
        full = np.full((shape[0] * shape[1], *values.shape[1:]), empty, values.dtype)
        full[place] = values
        return full.reshape(*shape, *values.shape[1:])

    skip = {"phi1", "Phi", "phi2", "x", "y", "phase", NOT_TRUSTED}
    return OrientationMap(
        quaternions=fill(orientations, IDENTITY),
        phases=table.phases,
        phase_id=fill(phase_id, -1),
        properties={n: fill(v, _empty(n)) for n, v in columns.items() if n not in skip},
        step=step,
        unit=table.unit,
        frame=quaternion,
        frame_note=note,
        crystal_axes=axes,
        done=fill(np.ones(len(phase_id), bool), False),
        source=str(table.path),
        origin=origin,
    )


def _empty(name: str) -> float:
    return -1.0 if name in ("R", "CI") else 0.0  # what the vendors write for "no answer"


def _phase_numbers(table: Table) -> NDArray[np.int32]:
    """Phase of each row, -1 where not indexed; a single phase may be written as 0 or 1."""
    column = table.columns["phase"]
    if not np.all(np.isfinite(column)):
        fail(table.path, "has phase numbers that are no numbers", "Export it again.")
    numbers: NDArray[np.int32] = np.rint(column).astype(np.int32)
    if len(table.phases) == 1 and table.path.suffix.lower() == ".ang":
        numbers[(numbers == 0) | (numbers == 1)] = min(table.phases)
    numbers[~table.indexed | (numbers <= 0) & ~np.isin(numbers, list(table.phases))] = -1
    unknown = set(np.unique(numbers).tolist()) - {-1, *table.phases}
    if unknown:
        fail(
            table.path,
            f"uses phase {sorted(unknown)}, which its header does not describe",
            "Export it again with all phases.",
        )
    return numbers


def _check_angles(path: Path, angles: NDArray[np.float64]) -> None:
    bad = int(np.sum(~np.isfinite(angles).all(axis=-1)))
    if bad:
        fail(
            path, f"has {bad} indexed points without Euler angles (NaN)",
            "Export it again, or mark these points as not indexed.",
        )  # fmt: skip
    if angles.size and np.abs(angles).max() > 4.1 * np.pi:
        fail(
            path, "has Euler angles beyond two turns", "Export it with angles in radians for .ang, "
            "degrees for .ctf.",
        )  # fmt: skip


def _place_points(
    table: Table,
) -> tuple[NDArray[np.int64], tuple[int, int], tuple[float, float], tuple[float, float]]:
    """Where each row belongs (flat index), shape, step, origin; the order of rows is free."""
    x, y = table.columns["x"], table.columns["y"]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        fail(table.path, "has points without a position (NaN)", "Export it again.")
    dx, dy = measure_step(x), measure_step(y)
    dy, dx = table.step or (dy or dx or 1.0, dx or dy or 1.0)
    origin = (float(y.min()), float(x.min()))
    rows, columns = (y - origin[0]) / dy, (x - origin[1]) / dx
    off = max(np.abs(rows - np.rint(rows)).max(), np.abs(columns - np.rint(columns)).max())
    shape = table.shape or (round(float(rows.max())) + 1, round(float(columns.max())) + 1)
    size = shape[0] * shape[1]
    if (
        off > 0.25
        or round(float(rows.max())) >= shape[0]
        or round(float(columns.max())) >= shape[1]
    ):
        fail(
            table.path, f"has points that lie on no {shape[0]} x {shape[1]} grid of its step "
            f"({dy:g}, {dx:g})", "Export it on a square grid.",
        )  # fmt: skip
    place = np.rint(rows).astype(np.int64) * shape[1] + np.rint(columns).astype(np.int64)
    if len(np.unique(place)) < len(place):
        fail(table.path, "has two rows for one point", "Export one map per file.")
    if size - len(place) > max(1.0, _MISSING_SHARE * size):
        fail(table.path, f"is cut short: {len(place)} of {size} points", "Copy or export it again.")
    return place, shape, (dy, dx), origin


def measure_step(values: NDArray[np.float64]) -> float:
    """Distance of grid lines: the mean, since few digits spoil single gaps, unless lines lack."""
    lines = np.unique(values.round(6))
    if len(lines) < 2:
        return 0.0
    gaps = np.diff(lines)
    typical = float(np.median(gaps))
    return float(gaps.mean()) if gaps.max() < 1.5 * typical else typical


def to_square(table: Table) -> Table:
    """Resample a table on a hexagonal grid to a square one, and say so."""
    if not table.step:
        fail(table.path, "gives no step of its hexagonal grid", "Export it again.")
    if not all(np.isfinite(table.columns[name]).all() for name in ("x", "y")):
        fail(table.path, "has points without a position (NaN)", "Export it again.")
    place, x, y, pitch = resample_hexagonal(table.columns, table.step[1])
    columns = {name: values[place] for name, values in table.columns.items()} | {"x": x, "y": y}
    return replace(
        table, columns=columns, indexed=table.indexed[place], step=(pitch, pitch), shape=None,
        remark=HEX_NOTE,
    )  # fmt: skip


def make_phase(
    path: Path, name: str, lattice: Sequence[float], group: str | None, space_group: int | None
) -> Phase:
    """Build a phase from a header; a symmetry unknown to orix is the file's error."""
    from diffpy.structure import Lattice, Structure
    from orix.crystal_map import Phase

    try:
        if len(lattice) != 6 or not np.isfinite(lattice).all() or min(lattice) <= 0:
            raise ValueError(f"lattice {list(lattice)}")
        structure = Structure(title=name, lattice=Lattice(*lattice))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # orix may prefer the space group's own point group
            return Phase(
                name=name,
                space_group=space_group,
                point_group=None if space_group else group,
                structure=structure,
            )
    except Exception as error:
        fail(path, f"describes the phase {name!r} wrongly ({error})", "Export it again.")


def in_frame(
    opened: OrientationMap,
    path: Path,
    verified: str,
    frame: str | Sequence[float],
    crystal_axes: str,
) -> OrientationMap:
    """Turn a map that a library has read from its vendor's axes to ours."""
    table = Table(path, {}, opened.phases, verified=verified)
    opened.frame, opened.crystal_axes, opened.frame_note = _choose_frame(table, frame, crystal_axes)
    opened.quaternions = from_vendor(opened.quaternions, opened.frame)
    if opened.crystal_axes == "a*":
        opened.quaternions = turn_crystal_axes(
            opened.quaternions, opened.phase_id, opened.phases, to="a"
        )
    return opened
