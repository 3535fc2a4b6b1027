"""Where are the grain boundaries of a map, and how far is each point from the nearest?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


def neighbour_angles(
    orientations: OrientationMap, axis: int, *, across: bool = False, modulo_beam: bool = False
) -> NDArray[np.float64]:
    """Measure the misorientation between neighbours along an axis.

    Parameters
    ----------
    orientations
        (y, x) or (z, y, x).
    axis
        Of the grid.
    across
        Of the last points and the first ones instead: neighbours across a periodic border.
    modulo_beam
        Half a turn about the beam is none.

    Returns
    -------
    angles
        Degrees, over symmetry; along ``axis`` one shorter than the map, or of length one. Infinite
        between different phases, NaN beside points that are not indexed.
    """
    from napari_orient.crystal.rotations import misorientation_angle

    a, b = sides(axis, across=across)
    q, indexed = orientations.quaternions, orientations.indexed
    first, second = orientations.phase_id[a], orientations.phase_id[b]
    known = indexed[a] & indexed[b]
    angles = np.where(known, np.inf, np.nan)
    for number, phase in orientations.phases.items():
        same = known & (first == number) & (second == number)
        if same.any():
            angles[same] = misorientation_angle(
                q[a][same], q[b][same], phase.point_group, modulo_beam=modulo_beam
            )
    return angles


def sides(axis: int, *, across: bool = False) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Index of all points but the last along an axis, and of all but the first: neighbours.

    ``across``: of the last and of the first, neighbours across a periodic border.
    """
    before = (slice(None),) * axis
    if across:
        return (*before, slice(-1, None)), (*before, slice(None, 1))
    return (*before, slice(None, -1)), (*before, slice(1, None))


def boundary_distance(
    orientations: OrientationMap, threshold: float = 5.0
) -> Job[NDArray[np.float64]]:
    """Measure how far each point is from the nearest grain boundary.

    A boundary is the middle between two neighbours of different phases, or of one phase and a
    misorientation above ``threshold`` (degrees), so that points beside one are at 0.5. What is not
    indexed makes none.

    Yields
    ------
    Progress
        In axes.

    Returns
    -------
    distance
        (y, x) in pixels (of the smallest step, where the steps differ); NaN where not indexed, and
        everywhere in a map without boundaries.
    """
    from scipy.ndimage import distance_transform_edt

    shape, step = orientations.shape, np.array(orientations.step)
    away = np.ones([2 * n - 1 for n in shape], bool)  # points at even places, between them odd ones
    for axis in range(len(shape)):
        yield Progress(axis, len(shape), "Finding the grain boundaries")
        between = [slice(None, None, 2)] * len(shape)
        between[axis] = slice(1, None, 2)
        away[tuple(between)] = ~(neighbour_angles(orientations, axis) > threshold)
    if away.all():
        return np.full(shape, np.nan)
    distance = distance_transform_edt(away, sampling=step / step.min() / 2)
    points = distance[(slice(None, None, 2),) * len(shape)]
    return np.asarray(np.where(orientations.indexed, points, np.nan))
