"""Which beam directions must be simulated to know a crystal from every side? As few as possible.

A template at a beam direction n serves all patterns that the beam makes along n, turned by any
angle in the plane. Two facts spare most of the sphere:

* Crystal symmetry: directions that a proper rotation of the Laue class relates look alike.
* Friedel's law: g and -g have the same kinematical intensity. The crystal turned by 180 degrees
  about the lab's y has the beam along -n, and its reflections -g lie where the first crystal's g
  lie, y reversed, at the same z: equally far from the Ewald sphere. So the pattern at -n is the
  mirror image of that at n, and :func:`behind` gives its orientation.

Together these are the whole Laue class: only one of its fundamental sectors is simulated, and each
template is used twice. This holds for all eleven classes, with mirror planes or without. (To take
the mirror image for the template's own orientation, phi2 reversed, needs a mirror plane in the
right place: for -3m with a || e1 it gives the crystal turned by 60 degrees about c.)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.rotations import laue_operators, multiply, rotate

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVERING = 0.71  # no direction is farther from the grid, in spacings (0.5 sqrt(2) on a square grid)
_MIDDLE = np.array([0.42, 0.23, 0.88])  # on no symmetry element, inside orix's sector of m-3m


def beam_directions(group: Any, spacing_deg: float) -> NDArray[np.float64]:
    """Return directions (n, 3) in crystal axes that cover one sector of the Laue class.

    Parameters
    ----------
    group
        Point group as in :func:`napari_orient.crystal.rotations.laue_operators`.
    spacing_deg
        Between neighbours; about one direction for each square of this side.

    Returns
    -------
    numpy.ndarray
        Unit vectors. Every direction, or its opposite, is within :data:`COVERING` spacings of one
        of them after a proper rotation of the class. Those just outside the sector are kept: they
        cover its border.

    Raises
    ------
    ValueError
        If the spacing is not positive, or the group is unknown.
    """
    if not spacing_deg > 0:
        raise ValueError(f"the spacing must be positive, not {spacing_deg} degrees")
    spacing = math.radians(spacing_deg)
    grid = _rings(spacing)
    walls = _walls(group)
    outside = -(grid @ walls.T).min(axis=1, initial=1.0)
    return np.ascontiguousarray(grid[outside <= math.sin(min(COVERING * spacing, math.pi / 2))])


def _rings(spacing: float) -> NDArray[np.float64]:
    """Directions over the whole sphere, on circles of latitude, every other one staggered."""
    rows = max(1, math.ceil(math.pi / spacing))
    found = []
    for row in range(rows + 1):
        polar = math.pi * row / rows
        count = max(1, math.ceil(2 * math.pi * math.sin(polar) / spacing))
        azimuth = 2 * math.pi * (np.arange(count) + 0.5 * (row % 2)) / count
        z = np.full(count, math.cos(polar))
        found.append(np.column_stack([*(math.sin(polar) * _circle(azimuth)), z]))
    return np.concatenate(found)


def _circle(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cos(angle), np.sin(angle)])


def _walls(group: Any) -> NDArray[np.float64]:
    """Inward normals (m, 3) of a fundamental sector: what is nearest to a point, not its images."""
    images = rotate(laue_operators(group), _MIDDLE)
    normals = _MIDDLE - np.concatenate([images[1:], -images])
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def orientations_along(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return orientations (n, 4) whose beam, the lab's z, is along ``directions`` (n, 3).

    Of all in-plane angles, the shortest way from z: (1 + z.n, z x n), normalised.
    """
    x, y, z = np.asarray(directions, np.float64).T
    q = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    q[z < -1 + 1e-12] = [0.0, 1.0, 0.0, 0.0]
    return np.asarray(q / np.linalg.norm(q, axis=1, keepdims=True))


def turned(quaternions: NDArray[np.float64], radians: Any) -> NDArray[np.float64]:
    """Turn crystals (n, 4) in the plane: their patterns turn by ``radians`` (n,), x towards y.

    A lab vector v becomes R v, so lab2crystal M becomes M R^-1.
    """
    half = np.asarray(radians, np.float64) / 2
    zero = np.zeros_like(half)
    back = np.stack([np.cos(half), zero, zero, -np.sin(half)], axis=-1)
    return np.asarray(multiply(np.asarray(quaternions, np.float64), back))


def behind(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the orientations (n, 4) whose patterns are mirrored, y reversed; see the module."""
    return np.asarray(multiply(np.asarray(quaternions, np.float64), np.array([0.0, 0.0, 1.0, 0.0])))
