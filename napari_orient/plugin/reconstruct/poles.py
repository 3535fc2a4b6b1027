"""Where do the crystals of a field point? One pole figure, quickly, from some of its points.

For a look on the way: densities are counted and smoothed, as wide as :data:`WIDTH`. The pole
figures of the Grains & texture dock are harmonic sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.crystal.quaternions import conjugate, rotate
from napari_orient.crystal.rotations import laue_operators

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

MOST = 5000  # points that are counted
SIDE = 120  # bins across the figure
WIDTH = 7.0  # degrees of a Gaussian
MARGIN = 1.25  # of the radius: poles behind the rim count, too


def family(phase: Phase) -> NDArray[np.float64]:
    """Return the directions (n, 3), both ways, alike to the normal of {001}, or {0001}.

    That is the crystal's third axis in all groups.
    """
    around = laue_operators(phase.point_group)
    found = _along(around, np.array([[0.0, 0.0, 1.0]]))[:, 0]
    both = np.concatenate([found, -found])
    return np.unique(np.round(both, 6), axis=0)


def _along(quaternions: NDArray[np.floating], crystal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions (n, m, 3) in the map of crystal directions (m, 3), by lab2crystal (n, 4)."""
    q = conjugate(np.asarray(quaternions, np.float64))
    return np.asarray(rotate(q[:, None], crystal[None]))


def some_of(count: int, most: int = MOST) -> NDArray[np.int64]:
    """Numbers of some of so many points, spread over all; always the same."""
    if count <= most:
        return np.arange(count)
    return np.random.default_rng(0).choice(count, most, replace=False)


def pole_figure(
    quaternions: NDArray[np.floating], directions: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the density of poles, in multiples of a random one; NaN beyond the rim.

    Parameters
    ----------
    quaternions
        (n, 4), lab2crystal; :data:`MOST` of them count.
    directions
        (m, 3) of the crystal, both ways.

    Returns
    -------
    density
        (SIDE, SIDE): equal area, seen from the viewer (minus z of the map), x right and y down.
    """
    from scipy.ndimage import gaussian_filter

    q = np.asarray(quaternions).reshape(-1, 4)
    poles = _along(q[some_of(len(q))], directions).reshape(-1, 3)
    x, y, up = poles[:, 0], poles[:, 1], -poles[:, 2]
    radius = np.sqrt(np.maximum(1 - up, 0))  # 1 at the rim
    flat = np.maximum(np.hypot(x, y), 1e-12)
    edges = np.linspace(-MARGIN, MARGIN, round(SIDE * MARGIN) // 2 * 2 + 1)
    count = np.histogram2d(y / flat * radius, x / flat * radius, (edges, edges))[0]
    cell = edges[1] - edges[0]
    # in the middle, a radian is half the root of two
    smooth = gaussian_filter(count, np.radians(WIDTH) / np.sqrt(2) / cell, mode="constant")
    mrd = smooth / (max(1, len(poles)) / 2 * cell**2 / np.pi)
    middle = (edges[1:] + edges[:-1]) / 2
    inside = np.hypot(middle[:, None], middle[None]) <= 1
    cut = np.flatnonzero(np.abs(middle) <= 1 + cell / 2)
    shown = np.where(inside, mrd, np.nan)[cut[0] : cut[-1] + 1, cut[0] : cut[-1] + 1]
    return np.asarray(shown, np.float32)
