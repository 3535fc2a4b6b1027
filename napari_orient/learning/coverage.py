"""How much of all orientations do the labels show a network? (Fig. 7 of the first paper.)

The orientations of a crystal are cut into cells of one volume: by the crystal direction along the
beam, and by the angle in the plane. What is in a cell without a label has never been learned; how
far a test label is from the nearest learned one says how far a network has to reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.rotations import (
    beam_operator,
    conjugate,
    from_axis_angle,
    laue_operators,
    multiply,
    reduce_to_fundamental_zone,
    rotate,
    to_axis_angle,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_GOLDEN = (1 + math.sqrt(5)) / 2
_GENERIC = np.array([0.6142, 0.1671, 0.7713])  # no symmetric direction: picks one of equivalents
_CHUNK = 2**18  # points looked up at once


@dataclass(frozen=True, eq=False)
class Coverage:
    """Labels in cells of the orientations of a crystal.

    Attributes
    ----------
    directions
        (m, 3) unit vectors in crystal axes along the beam (z), one of each set of equivalents; for
        an IPF-z plot.
    angles
        (k,) degrees, middles of the bins of the angle in the plane.
    counts
        (m, k) labels in each cell.
    cell_deg
        Width of a cell.
    group
        Point group.
    """

    directions: NDArray[np.float64]
    angles: NDArray[np.float64]
    counts: NDArray[np.int64]
    cell_deg: float
    group: Any

    @property
    def labels(self) -> int:
        """Number of labels."""
        return int(self.counts.sum())

    @property
    def share(self) -> float:
        """Share of the cells that hold a label, 0 to 1."""
        return float((self.counts > 0).mean())

    @property
    def expected_share(self) -> float:
        """Share that as many labels would fill, were they spread at random."""
        return float(1 - math.exp(-self.labels / self.counts.size))

    @property
    def direction_counts(self) -> NDArray[np.int64]:
        """Labels (m,) of each direction, whatever the angle in the plane."""
        return np.asarray(self.counts.sum(axis=1))

    def holds(self, quaternions: ArrayLike) -> NDArray[np.bool_]:
        """Say which orientations (n, 4) lie in a cell that has a label."""
        direction, angle = _cells(quaternions, self.directions, len(self.angles), self.group)
        return np.asarray(self.counts[direction, angle] > 0)


def label_coverage(quaternions: ArrayLike, group: Any, cell_deg: float = 10.0) -> Coverage:
    """Count labels in cells of one volume that fill all orientations of a crystal.

    Parameters
    ----------
    quaternions
        (n, 4) lab2crystal.
    group
        Point group, as in :func:`napari_orient.crystal.rotations.laue_operators`.
    cell_deg
        Width of a cell in degrees.

    Raises
    ------
    ValueError
        If cells are not between 1 and 60 degrees wide, or there is no point group.
    """
    if not 1 <= cell_deg <= 60:
        raise ValueError(f"cells are 1 to 60 degrees wide, not {cell_deg:g}")
    directions = _directions(group, math.radians(cell_deg))
    bins = round(360 / cell_deg)
    counts = np.zeros((len(directions), bins), np.int64)
    np.add.at(counts, _cells(quaternions, directions, bins, group), 1)
    return Coverage(directions, (np.arange(bins) + 0.5) * 360 / bins, counts, cell_deg, group)


def _directions(group: Any, width: float) -> NDArray[np.float64]:
    """Evenly spread unit vectors (m, 3), those nearer to a fixed one than their equivalents."""
    n = math.ceil(4 * math.pi / width**2)
    z = 1 - (2 * np.arange(n) + 1) / n
    turn = 2 * math.pi * np.arange(n) / _GOLDEN
    across = np.sqrt(1 - z * z)
    points = np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)
    nearness = np.stack([rotate(s, points) @ _GENERIC for s in laue_operators(group)])
    return np.ascontiguousarray(points[nearness.argmax(axis=0) == 0])


def _cells(
    quaternions: ArrayLike, directions: NDArray[np.float64], bins: int, group: Any
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the direction and of the angle (n,) of each orientation.

    Each is turned by the symmetry that brings its direction along the beam nearest to one of those
    given; its angle in the plane is counted from an orientation that has just this direction.
    """
    from scipy.spatial import cKDTree

    q = np.asarray(quaternions, np.float64).reshape(-1, 4)
    operators = laue_operators(group)
    images = np.concatenate([rotate(s, directions) for s in operators])
    along = rotate(q, np.array([0.0, 0.0, 1.0]))
    operator, direction = np.divmod(cKDTree(images).query(along)[1], len(directions))
    turned = multiply(conjugate(operators[operator]), q)
    difference = multiply(conjugate(_upright(directions)[direction]), turned)
    angle = np.degrees(2 * np.arctan2(difference[:, 3], difference[:, 0])) % 360
    return direction, np.minimum((angle * bins / 360).astype(np.int64), bins - 1)


def _upright(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orientations (m, 4) with these crystal directions along the beam, by the shortest way."""
    axes = np.cross([0.0, 0.0, 1.0], directions)
    angles = np.degrees(np.arctan2(np.linalg.norm(axes, axis=1), directions[:, 2]))
    axes = np.where((angles > 0)[:, None], axes, [1.0, 0.0, 0.0])
    return np.asarray(from_axis_angle(axes, angles))


def nearest_label(
    test: ArrayLike, train: ArrayLike, group: Any, *, modulo_beam: bool = False
) -> NDArray[np.float64]:
    """Degrees (m,) from each test orientation (m, 4) to the nearest training one (n, 4).

    Parameters
    ----------
    test, train
        lab2crystal.
    group
        Point group.
    modulo_beam
        Do not tell a crystal from the one turned by 180 degrees about the beam.

    Raises
    ------
    ValueError
        If there is no training orientation.
    """
    from scipy.spatial import cKDTree

    known = np.asarray(train, np.float64).reshape(-1, 4)
    asked = np.asarray(test, np.float64).reshape(-1, 4)
    if not len(known):
        raise ValueError("There is no training label to be near to.")
    if modulo_beam:
        known = np.concatenate([known, multiply(known, beam_operator())])
    tree = cKDTree(np.concatenate([known, -known]))  # q and -q are one rotation
    operators = laue_operators(group)
    nearest = np.empty(len(asked))
    step = max(1, _CHUNK // len(operators))
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        equivalents = multiply(operators[:, None], part[None])
        nearest[start : start + step] = tree.query(equivalents)[0].min(axis=0)
    return np.asarray(np.degrees(4 * np.arcsin(np.clip(nearest / 2, 0, 1))))  # from the chord


def zone_points(quaternions: ArrayLike, group: Any) -> NDArray[np.float64]:
    """Points (n, 3) of orientations in the fundamental zone: axis times angle in degrees."""
    q = np.asarray(quaternions, np.float64).reshape(-1, 4)
    axis, angle = to_axis_angle(reduce_to_fundamental_zone(q, group))
    return np.asarray(axis * np.asarray(angle)[:, None])
