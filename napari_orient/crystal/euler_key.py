"""Which colour do Euler angles give? Red phi1, green Phi, blue phi2, each over its own range.

Among equivalent orientations the one with the smallest Phi is taken, and of several the one whose
phi2 is in its first period: equivalent orientations have one colour. The colours jump where phi1
passes 360 degrees, where phi2 passes its period, and near Phi = 0, where phi1 and phi2 mean the
same rotation: neighbours of nearly the same orientation can look quite different. Such pictures
are for comparison with older ones; to judge an orientation take an inverse pole figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

EULER_NOTE = "these colours jump: one orientation\nand its neighbour may look different"
_ROWS = 2**14  # orientations worked on at once
_SAME = 1e-9
_FLAT = 1e-6  # Phi, in radians, below which only phi1 + phi2 is defined
# the largest Phi, in degrees, by the number of directions that are equivalent to e3
_TILTS = {1: 180.0, 2: 90.0, 6: float(np.degrees(np.arccos(np.sqrt(1 / 3))))}


def euler_ranges(point_group: Any) -> tuple[float, float, float]:
    """Return the upper ends, in degrees, of phi1, Phi and phi2 among the chosen equivalents.

    Phi reaches 54.7 degrees in cubic crystals (no direction is farther from all cube axes), 90
    where a diad turns e3 over, 180 elsewhere; phi2 the angle between equal azimuths about e3.
    """
    axes, operators = _equivalents(point_group)
    return 360.0, _TILTS[len(axes)], 360.0 * len(axes) / len(operators)


def _equivalents(point_group: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (k, 3) equivalent to e3; matrices (n, 3, 3), of which the k-th takes it to e3."""
    from napari_orient.crystal.rotations import laue_operators, to_matrix

    operators = to_matrix(laue_operators(point_group))
    _, first = np.unique(np.round(operators[:, 2], 6), axis=0, return_index=True)
    first = np.sort(first)
    rest = np.setdiff1d(np.arange(len(operators)), first)
    return operators[first, 2], operators[np.concatenate([first, rest])]


def reduced_euler(quaternions: ArrayLike, point_group: Any) -> NDArray[np.float64]:
    """Return Bunge angles (..., 3) in degrees of the equivalent that these colours show.

    Parameters
    ----------
    quaternions
        (..., 4) unit quaternions, scalar first, ``lab2crystal``.
    point_group
        Name or orix Symmetry.
    """
    from orix.quaternion import Quaternion

    q = np.asarray(quaternions, np.float64)
    flat = q.reshape(-1, 4)
    axes, operators = _equivalents(point_group)
    angles = np.empty((len(flat), 3))
    for i in range(0, len(flat), _ROWS):
        matrices = Quaternion(flat[i : i + _ROWS]).to_matrix()
        angles[i : i + _ROWS] = _reduce(matrices, axes, operators)
    return angles.reshape(*q.shape[:-1], 3)


def _reduce(
    g: NDArray[np.float64], axes: NDArray[np.float64], operators: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Angles of passive matrices (n, 3, 3) (Bunge 1982, eq. 2.50)."""
    period = 2 * np.pi * len(axes) / len(operators)
    images = np.einsum("ka,nab->nkb", axes, g)  # in the map frame
    first = np.mod(np.arctan2(images[..., 0], -images[..., 1]) + _SAME, 2 * np.pi) - _SAME
    # the steepest; of equally steep ones that of the smallest phi1
    rank = np.where(images[..., 2] >= images[..., 2].max(axis=1, keepdims=True) - _SAME, first, 9)
    chosen = rank.argmin(axis=1)
    row = np.arange(len(g))
    up, turned = images[row, chosen], np.einsum("nab,nbc->nac", operators[chosen], g)
    tilt = np.arctan2(np.hypot(up[:, 0], up[:, 1]), up[:, 2])
    level = np.minimum(tilt, np.pi - tilt) < _FLAT
    third = np.arctan2(turned[:, 0, 2], turned[:, 1, 2])
    both = np.arctan2(turned[:, 0, 1], turned[:, 0, 0])  # phi1 + phi2, or phi1 - phi2
    first = np.where(level, _modulo(both, period), np.maximum(first[row, chosen], 0))
    third = np.where(level, 0.0, _modulo(third, period))
    return np.asarray(np.degrees(np.stack([first, tilt, third], axis=-1)))


def _modulo(angle: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Modulo where rounding does not send zero to the far end."""
    return np.maximum(np.mod(angle + _SAME, period) - _SAME, 0)


def euler_colors(quaternions: ArrayLike, point_group: Any) -> NDArray[np.float64]:
    """RGB (..., 3), 0 to 1, of orientations (..., 4)."""
    return np.asarray(reduced_euler(quaternions, point_group) / euler_ranges(point_group))
