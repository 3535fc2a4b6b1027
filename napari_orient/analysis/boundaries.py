"""Where are the grain boundaries of a map, and how far is each point from the nearest?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job


def boundaries(orientations: OrientationMap, axis: int, threshold: float) -> NDArray[np.bool_]:
    """Say where neighbours along an axis lie in different grains, or in different phases.

    Parameters
    ----------
    orientations
        (y, x) or (z, y, x).
    axis
        Of the grid.
    threshold
        Misorientation in degrees, over symmetry, above which two neighbours are of two grains.

    Returns
    -------
    boundary
        bool, one shorter than the map along ``axis``. Beside points that are not indexed nothing
        is known: False.
    """
    from napari_orient.crystal.rotations import misorientation_angle

    before = (slice(None),) * axis
    a, b = (*before, slice(None, -1)), (*before, slice(1, None))
    first, second = orientations.phase_id[a], orientations.phase_id[b]
    q = orientations.quaternions
    boundary = first != second
    for number, phase in orientations.phases.items():
        same = (first == number) & (second == number)
        if same.any():
            angles = misorientation_angle(q[a][same], q[b][same], phase.point_group)
            boundary[same] = angles > threshold
    return np.asarray(boundary & orientations.indexed[a] & orientations.indexed[b])


def boundary_distance(
    orientations: OrientationMap, threshold: float = 5.0
) -> Job[NDArray[np.float64]]:
    """Measure how far each point is from the nearest grain boundary.

    A boundary is the middle between two neighbours, so that points beside one are at 0.5.

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
        away[tuple(between)] = ~boundaries(orientations, axis, threshold)
    if away.all():
        return np.full(shape, np.nan)
    distance = distance_transform_edt(away, sampling=step / step.min() / 2)
    points = distance[(slice(None, None, 2),) * len(shape)]
    return np.asarray(np.where(orientations.indexed, points, np.nan))
