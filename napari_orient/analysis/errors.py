"""By how much do two maps of one grid differ, point by point?

The *reference* is what is believed; the *other* map is judged. Misorientation is the smallest angle
over the rotations of the Laue class, strict and modulo half a turn about the beam. The errors of
the three Bunge angles are those of "STEM diffraction pattern analysis with deep learning": raw,
that is plain differences (359 and 1 degree differ by 358, and symmetry is not known), and beside it
over the symmetrically nearest representative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_orient.analysis.boundaries import boundary_distance
from napari_orient.analysis.common_phases import common_phases
from napari_orient.data.maps import IDENTITY
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

EULER_NAMES = ("phi1", "Phi", "phi2")
EULER_RANGES = (360.0, 180.0, 360.0)  # degrees that phi1, Phi and phi2 span
_CHUNK = 2**17
_STEP = 0.01  # share by which steps may differ
_NM = {"um": 1000.0, "nm": 1.0}

Axes = Literal["map", "vendor"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Errors of one map against a reference, on their common grid (y, x) or (z, y, x).

    Attributes
    ----------
    reference, other
        The two maps.
    valid
        (y, x) bool: both are indexed, with one crystal. Errors are NaN elsewhere.
    phase_differs
        (y, x) bool: both are indexed, with different crystals.
    angle
        (y, x) smallest misorientation, in degrees.
    angle_modulo_beam
        (y, x) the same, where a crystal and the one turned by 180 degrees about the beam are one.
    tilt
        (y, x) degrees between the two zone axes along the beam.
    in_plane
        (y, x) degrees of rotation about the beam that remain: of ``angle``, not modulo the beam.
    euler
        (y, x, 3) phi1, Phi, phi2 of the reference, in degrees: [0, 360), [0, 180], [0, 360).
    euler_raw
        (y, x, 3) absolute difference of each Bunge angle, in degrees: no symmetry, no period.
    euler_nearest
        (y, x, 3) the same for that symmetrical equivalent of the other map which is nearest to the
        reference (the one of ``angle``); angles are compared modulo 360 degrees, and
        (phi1 + 180, -Phi, phi2 + 180), the same rotation, is taken where the sum is smaller.
    mae
        (y, x) 0 to 1, mean over the three angles of ``euler_raw`` over the angle's range (360, 180
        and 360 degrees). For the map of Fig. 10 of the paper, which does not define it.
    boundary_distance
        (y, x) pixels to the nearest grain boundary of the reference; NaN where it has none.
    notes
        What was taken for granted, in sentences.
    """

    reference: OrientationMap
    other: OrientationMap
    valid: NDArray[np.bool_]
    phase_differs: NDArray[np.bool_]
    angle: NDArray[np.float64]
    angle_modulo_beam: NDArray[np.float64]
    tilt: NDArray[np.float64]
    in_plane: NDArray[np.float64]
    euler: NDArray[np.float64]
    euler_raw: NDArray[np.float64]
    euler_nearest: NDArray[np.float64]
    mae: NDArray[np.float64]
    boundary_distance: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(y, x) or (z, y, x)."""
        return self.valid.shape

    def fields(self) -> dict[str, NDArray[np.float64]]:
        """Name -> (y, x) of all errors; degrees, but for "MAE" (0 to 1) and "boundary distance"."""
        made = {
            "misorientation": self.angle,
            "misorientation modulo beam": self.angle_modulo_beam,
            "tilt": self.tilt,
            "in-plane": self.in_plane,
        }
        for words, errors in (("error", self.euler_raw), ("error nearest", self.euler_nearest)):
            made |= {f"{name} {words}": errors[..., i] for i, name in enumerate(EULER_NAMES)}
        return {**made, "MAE": self.mae, "boundary distance": self.boundary_distance}


class _Errors(NamedTuple):
    """Of n points: angles (n,) in degrees, and the nearest equivalents (n, 4) of the other map."""

    angle: NDArray[np.float64]
    angle_modulo_beam: NDArray[np.float64]
    tilt: NDArray[np.float64]
    in_plane: NDArray[np.float64]
    nearest: NDArray[np.float64]


def compare_maps(
    reference: OrientationMap, other: OrientationMap, *, axes: Axes = "map", threshold: float = 5.0
) -> Job[Comparison]:
    """Compare a map with a reference on the same grid, point by point.

    Parameters
    ----------
    reference, other
        Both (y, x) or both (z, y, x), of one step, with at least one crystal in common.
    axes
        Axes of the Euler angles: those of the "map", or those of the "vendor", as his file has
        them. Misorientations do not depend on it.
    threshold
        Degrees between neighbours of the reference that make a grain boundary.

    Yields
    ------
    Progress
        In points.

    Returns
    -------
    comparison
        Also where no point can be compared: then ``valid`` is False everywhere.

    Raises
    ------
    ValueError
        If sizes, steps, crystals or (with ``axes="vendor"``) the vendors' axes differ.
    """
    check_grids(reference, other)
    if axes == "vendor":
        _check_axes(reference, other)
    numbers, notes = common_phases(reference, other)
    both = reference.indexed & other.indexed
    valid = np.zeros_like(both)
    for mine, theirs in numbers.items():
        valid |= both & (reference.phase_id == mine) & (other.phase_id == theirs)
    distance = yield from boundary_distance(reference, threshold)
    found = yield from _errors(reference, other, valid)
    yield Progress(0, 0, "Comparing Euler angles")
    euler = reference.euler_degrees(axes)
    raw = np.where(valid[..., None], np.abs(other.euler_degrees(axes) - euler), np.nan)
    nearest = replace(other, quaternions=found.nearest).euler_degrees(axes)
    return Comparison(
        reference, other, valid, both & ~valid, *found[:4], euler, raw,
        np.where(valid[..., None], _euler_difference(euler, nearest), np.nan),
        (raw / EULER_RANGES).mean(axis=-1), distance, (*notes, *_doubts(reference, other)),
    )  # fmt: skip


def _doubts(reference: OrientationMap, other: OrientationMap) -> Iterator[str]:
    """Yield what the maps themselves say against trusting them."""
    for name, one in (("reference", reference), ("other map", other)):
        if one.provenance.get("exploratory"):
            yield f"The {name} is exploratory: {one.provenance['exploratory']}"


def check_grids(reference: OrientationMap, other: OrientationMap) -> None:
    """Raise ValueError, with both and the cure, unless two maps have one size and step."""
    sizes = [" x ".join(map(str, one.shape)) for one in (reference, other)]
    if reference.shape != other.shape:
        raise ValueError(
            f"The sizes differ: {' and '.join(sizes)} points. Only maps of one grid can be "
            "compared: crop or bin one of them, or take a section of a volume."
        )
    mine, theirs = (np.array(one.step) * _NM[one.unit] for one in (reference, other))
    if not np.allclose(mine, theirs, rtol=_STEP):
        steps = [
            " x ".join(f"{s:.4g}" for s in one.step) + f" {one.unit}" for one in (reference, other)
        ]
        raise ValueError(
            f"The steps differ: {' and '.join(steps)}. Only maps of one grid can be compared: "
            "correct the step, or bin or resample one of them."
        )


def _check_axes(reference: OrientationMap, other: OrientationMap) -> None:
    same = abs(np.dot(reference.frame, other.frame)) > 1 - 1e-9
    if not same or reference.crystal_axes != other.crystal_axes:
        raise ValueError(
            "The vendors' Euler angles refer to different axes, so that their differences mean "
            f"nothing ({reference.frame_note} {other.frame_note}). Compare those in the map's axes."
        )


def _errors(
    reference: OrientationMap, other: OrientationMap, valid: NDArray[np.bool_]
) -> Job[_Errors]:
    """Errors on the whole grid; NaN, and for quaternions the identity, where not valid."""
    from napari_orient.crystal.rotations import (
        misorientation_angle,
        nearest_equivalent,
        tilt_and_in_plane,
    )

    angle, beam, tilt, in_plane = (np.full(valid.shape, np.nan) for _ in range(4))
    nearest = np.broadcast_to(IDENTITY, other.quaternions.shape).copy()
    done, total = 0, int(valid.sum())
    for group, index in _pieces(reference, valid):
        yield Progress(done, total, "Comparing orientations")
        a, b = other.quaternions[index], reference.quaternions[index]
        angle[index] = misorientation_angle(a, b, group)
        beam[index] = misorientation_angle(a, b, group, modulo_beam=True)
        tilt[index], in_plane[index] = tilt_and_in_plane(a, b, group)
        nearest[index] = nearest_equivalent(a, b, group)
        done += len(a)
    return _Errors(angle, beam, tilt, in_plane, nearest)


def _pieces(
    reference: OrientationMap, valid: NDArray[np.bool_]
) -> Iterator[tuple[Any, tuple[NDArray[np.int64], ...]]]:
    """Yield point group and indices of some of the valid points of a phase."""
    for number, phase in reference.phases.items():
        index = np.nonzero(valid & (reference.phase_id == number))
        for start in range(0, len(index[0]), _CHUNK):
            yield phase.point_group, tuple(i[start : start + _CHUNK] for i in index)


def _euler_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest differences (..., 3) in degrees of the angles of two rotations; see Comparison."""
    plain = np.abs(a - b)
    plain = np.minimum(plain, 360 - plain)
    mirrored = 180 - plain  # b as (phi1 + 180, -Phi, phi2 + 180)
    mirrored[..., 1] = a[..., 1] + b[..., 1]
    mirrored[..., 1] = np.minimum(mirrored[..., 1], 360 - mirrored[..., 1])
    nearer = mirrored.sum(axis=-1) < plain.sum(axis=-1)
    return np.asarray(np.where(nearer[..., None], mirrored, plain))
