"""Is what was written the map? Read back, by this program and by orix, and compared point by point.

A difference is told with the number of points that differ; the file is then not left behind.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from napari_orient.data.export.rows import TextFormat, turned_from
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_orient.data.export.rows import Rows
    from napari_orient.data.maps import OrientationMap

SMALL = 0.01  # degrees: what an export may turn a point by, unless the format has fewer digits


def text_tolerance(format_: TextFormat) -> float:
    """Largest turn, in degrees, that the digits of three Euler angles cause: their sum."""
    half = 0.5 * 10.0**-format_.angle_decimals
    each = half if format_.degrees else float(np.degrees(half))
    return max(SMALL, 3 * each)


def turns(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle in degrees between unit quaternions (..., 4), without symmetry."""
    # the chord, since the arc cosine of a number near 1 has half the digits
    chord = np.minimum(
        np.linalg.norm(first - second, axis=-1), np.linalg.norm(first + second, axis=-1)
    )
    return np.asarray(np.degrees(4 * np.arcsin(np.minimum(1.0, chord / 2))))


def compare(
    path: Path,
    expected: OrientationMap,
    found: OrientationMap,
    limit: float,
    decimals: dict[str, int],
) -> float:
    """Compare a map with what was read back; return the largest turn in degrees.

    Parameters
    ----------
    path
        The file that is being written, for the message.
    expected, found
        The map, and the one that was read.
    limit
        Largest turn that is allowed, in degrees.
    decimals
        Digits after the point of the properties that were rounded.

    Raises
    ------
    UnreadableFile
        Naming what differs, and at how many points.
    """
    if found.shape != expected.shape:
        _differ(path, f"has {found.shape} points instead of {expected.shape}")
    for name in ("step", "origin"):
        wanted, got = getattr(expected, name), getattr(found, name)
        if not np.allclose(got, wanted, rtol=1e-5, atol=1e-5 * min(expected.step)):
            # a single row or column has no second line to measure its step by
            if name != "step" or min(expected.shape) > 1:
                _differ(path, f"has the {name} {got} instead of {wanted} {expected.unit}")
    _compare_phases(path, expected, found)
    phase = int(
        np.sum(
            np.where(expected.indexed, expected.phase_id, -1)
            != np.where(found.indexed, found.phase_id, -1)
        )
    )
    if phase:
        _differ(path, f"has another phase at {phase} points")
    turned = turns(expected.quaternions, found.quaternions)[expected.indexed]
    bad = int(np.sum(turned > limit))
    if bad:
        _differ(path, f"has {bad} points turned by up to {turned.max():.3g} degrees")
    for name, values in expected.properties.items():
        _compare_property(path, name, values, found, decimals)
    return float(turned.max(initial=0.0))


def _compare_phases(path: Path, expected: OrientationMap, found: OrientationMap) -> None:
    for number, phase in expected.phases.items():
        other = found.phases.get(number)
        if other is None:
            if (expected.phase_id == number).any():
                _differ(path, f"lacks the phase {phase.name!r}")
            continue
        cells = [p.structure.lattice.abcABG() for p in (phase, other)]
        groups = [p.point_group.laue.name if p.point_group else None for p in (phase, other)]
        if groups[0] != groups[1] or not np.allclose(cells[0], cells[1], rtol=0, atol=6e-4):
            _differ(path, f"describes the phase {phase.name!r} otherwise")


def _compare_property(
    path: Path,
    name: str,
    values: NDArray[np.float64],
    found: OrientationMap,
    decimals: dict[str, int],
) -> None:
    other = found.properties.get(name)
    if other is None:
        _differ(path, f"lacks the property {name}")
    allowed = 0.51 * 10.0 ** -decimals[name] if name in decimals else 0.0
    allowed *= 100 if name == "R" else 1  # a fraction in the file
    same = np.isclose(other, values, rtol=1e-9, atol=allowed, equal_nan=True)
    if not same.all():
        _differ(path, f"has another {name} at {int((~same).sum())} points")


def compare_with_orix(
    path: Path, written: Path, rows: Rows, limit: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read a text file with orix, too: who checked it, and a remark where orix cannot read it.

    Raises
    ------
    UnreadableFile
        If orix reads another map.
    """
    import orix.io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = orix.io.load(str(written))
    except Exception as error:  # orix does not read all that is valid: said, not fatal
        said = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        return (), (f"orix cannot read this file ({said})",)
    m = rows.expected
    if read._rotations.size != rows.phase.size:
        return (), ("orix reads another number of points from this file",)
    there = rows.phase > 0
    theirs = np.asarray(read._rotations.data, np.float64).reshape(*m.shape, 4)
    turned = turns(turned_from(theirs, m, rows.axes), m.quaternions).ravel()[there]
    bad = int(np.sum(turned > limit))
    if bad:
        _differ(path, f"is read by orix with {bad} points turned by up to {turned.max():.3g} deg")
    indexed = np.asarray(read._phase_id).ravel() > (0 if there.any() and not there.all() else -1)
    if rows.format.name != "astar" and (indexed != there).any():
        _differ(path, f"is read by orix with {int((indexed != there).sum())} other indexed points")
    return ("orix",), ()


def _differ(path: Path, problem: str) -> NoReturn:
    raise UnreadableFile(
        path, f"was not written: read back, it {problem}",
        "Export to HDF5 (h5), which holds everything, and report this.",
    )  # fmt: skip
