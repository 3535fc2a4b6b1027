"""In which directions do the grain boundaries of a map run?

The boundary between two grains is a staircase of pixel edges, which knows 0 and 90 degrees alone.
Its direction at a place is that of the longest axis of the midpoints of the edges around, in a
window as wide as the boundary stays straight there. A line of the direction t has |cos t| / dx +
|sin t| / dy edges per length: each edge stands for the inverse of that, so that no direction counts
twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.analysis.boundary_map import neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap

RADII = (3.0, 4.5, 7.0, 10.0, 15.0)  # of the windows, in points
STRAIGHT = (
    0.36  # points by which the midpoints of a straight line deviate at most, root mean square
)
_FEWEST = 5  # midpoints that have a direction
_LONG = 2.0  # times as long as it is wide must a piece be that has one
_BLOCK = 2**14


class Traces(NamedTuple):
    """Pieces of grain boundaries.

    Attributes
    ----------
    angle
        (n,) degrees from x (right) towards y (down), 0 to 180; NaN where a boundary is too short
        or too curved to have one.
    length
        (n,) of the boundary that each stands for, in the map's unit.
    places
        (n, 2) their middles (y, x), in points.
    pairs
        (n, 2) the two grains, the smaller one first.
    """

    angle: NDArray[np.float64]
    length: NDArray[np.float64]
    places: NDArray[np.float64]
    pairs: NDArray[np.int64]


def boundary_traces(orientations: OrientationMap, labels: NDArray[np.integer]) -> Traces:
    """Measure the direction of the grain boundaries, piece by piece.

    Parameters
    ----------
    orientations
        (y, x): its steps, and whether it is periodic.
    labels
        (y, x) grain at each point, 0 = none, which has no boundary.

    Raises
    ------
    ValueError
        For a volume.
    """
    if len(orientations.shape) != 2:
        raise ValueError("traces are lines on a section: take one section of the volume")
    places, pairs = _midpoints(orientations, labels)
    step = np.array(orientations.step)
    angle = _directions(places, pairs, orientations) if len(places) else np.zeros(0)
    t = np.radians(angle)
    density = np.abs(np.cos(t)) / step[1] + np.abs(np.sin(t)) / step[0]
    # where no direction is known, the mean over all of them
    blind = 2 / np.pi * (1 / step[0] + 1 / step[1])
    return Traces(angle, 1 / np.where(np.isfinite(density), density, blind), places, pairs)


def _midpoints(
    orientations: OrientationMap, labels: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Middles (n, 2) of the edges between two grains, in points, and the two grains."""
    places, pairs = [], []
    flat = labels.ravel()
    for axis in (0, 1):
        one, other = neighbours(orientations, axis, labels)
        middle = np.stack(np.divmod(one, labels.shape[1]), axis=1) + 0.5 * np.eye(2)[axis]
        places.append(middle)
        pairs.append(np.sort(np.stack([flat[one], flat[other]], axis=1), axis=1))
    return np.concatenate(places), np.concatenate(pairs).astype(np.int64)


def _directions(
    places: NDArray[np.float64], pairs: NDArray[np.int64], orientations: OrientationMap
) -> NDArray[np.float64]:
    """Degrees (n,) of the widest window that is straight, NaN where none is long enough."""
    from scipy.spatial import cKDTree

    # a third coordinate parts the boundaries of different pairs of grains
    _, boundary = np.unique(pairs, axis=0, return_inverse=True)
    apart = boundary.reshape(-1, 1) * (2 * RADII[-1] + 1)
    wrap = np.where(orientations.periodic, orientations.shape, 0.0)
    points = np.concatenate([places, apart], axis=1)
    if wrap.any():
        points[:, :2] %= np.where(wrap, wrap, np.inf)
    tree = cKDTree(points, boxsize=[*wrap, 0.0] if wrap.any() else None)
    step = np.array(orientations.step)
    angle = np.full(len(places), np.nan)
    for start in range(0, len(places), _BLOCK):
        some = points[start : start + _BLOCK]
        found = tree.query_ball_point(some, RADII[-1])
        count = np.fromiter(map(len, found), np.int64, len(found))
        centre = np.repeat(np.arange(len(some)), count)
        apart = points[np.concatenate(found)][:, :2] - some[centre, :2]
        apart -= wrap * np.rint(apart / np.where(wrap, wrap, 1.0))
        angle[start : start + _BLOCK] = _widest_straight(apart, centre, len(some), step)
    return angle


def _widest_straight(
    apart: NDArray[np.float64], centre: NDArray[np.int64], n: int, step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Degrees (n,) of the midpoints (m, 2) around each centre, by its widest straight window."""
    angle, on = np.full(n, np.nan), np.ones(n, bool)
    distance = np.hypot(*apart.T)
    for radius in RADII:
        inside = distance <= radius + 1e-9
        direction, long, wide, count = _moments(apart[inside], centre[inside], n, step)
        good = on & (count >= _FEWEST) & (long >= _LONG * wide)
        straight = good & (wide <= STRAIGHT)
        # of curved boundaries the narrowest window, which follows the curve
        accept = straight | (good & np.isnan(angle))
        angle[accept] = direction[accept]
        on &= straight | (count < _FEWEST)
    return angle


def _moments(
    apart: NDArray[np.float64], centre: NDArray[np.int64], n: int, step: NDArray[np.float64]
) -> tuple[NDArray[Any], ...]:
    """Direction (degrees), spread along and across (points), and number of midpoints, each (n,)."""
    count = np.bincount(centre, minlength=n)
    y, x = ((a - (np.bincount(centre, a, n) / np.maximum(count, 1))[centre]) for a in apart.T)
    yy, xx, xy = (np.bincount(centre, p, n) / np.maximum(count, 1) for p in (y * y, x * x, x * y))
    half, root = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    turn = np.arctan2(2 * xy, xx - yy) / 2  # in points; then on the specimen
    direction = np.degrees(np.arctan2(np.sin(turn) * step[0], np.cos(turn) * step[1])) % 180
    long, wide = np.sqrt(half + root), np.sqrt(np.maximum(half - root, 0.0))
    return direction, long, wide, count


def rose(traces: Traces, width: float = 10.0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Count lengths by direction.

    Parameters
    ----------
    traces
        Of a map.
    width
        Degrees of a bin; 180 degrees are a whole number of them.

    Returns
    -------
    middles, shares
        (n,) middles of the bins in degrees, 0 first: a bin is around 0 and 180. Shares of the
        length that has a direction; all 0 without any.

    Raises
    ------
    ValueError
        If 180 degrees are no whole number of bins.
    """
    bins = round(180 / width)
    if not np.isclose(bins * width, 180) or bins < 2:
        raise ValueError(f"180 degrees are no whole number of bins of {width:g} degrees")
    known = np.isfinite(traces.angle)
    place = np.floor(traces.angle[known] / width + 0.5).astype(int) % bins
    total = np.bincount(place, traces.length[known], minlength=bins)
    return width * np.arange(bins), total / (total.sum() or 1.0)
