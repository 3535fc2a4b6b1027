"""How are the misorientation angles of crystals without any relation distributed?

Of crystals that are turned at random, for all Laue groups; for cubic ones this is Mackenzie's
distribution (Biometrika 45 (1958) 229). In Rodrigues' space the smallest rotations fill a
polyhedron: an operator of the angle h about the axis u leaves those of tan(w/2) |a . u| <=
tan(h/4), w the angle and a the axis (Morawiec, Orientations and Rotations, 2004). So
each axis has a largest angle W(a), and the density is

    p(w) = N (1 - cos w) / 180 degrees * (share of the axes with W(a) >= w),

N the number of proper rotations of the Laue group; its integral is the mean over the axes of
N (v - sin v) / pi with v = min(w, W(a)), which needs no derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_AXES = 2_000_000
_STEP = 0.01  # degrees of the table


@dataclass(frozen=True, eq=False)
class RandomMisorientation:
    """Distribution of the misorientation angle of random crystals of one Laue group.

    Attributes
    ----------
    largest
        Degrees; no misorientation is larger. Cubic (m-3m) 62.80, hexagonal (6/mmm) 93.84.
    mean
        Degrees.
    angles, shares, below
        (n,) the table: degrees, the share of the axes that reach so far, and the probability of a
        smaller angle.
    order
        Number of proper rotations of the group.
    """

    largest: float
    mean: float
    angles: NDArray[np.float64]
    shares: NDArray[np.float64]
    below: NDArray[np.float64]
    order: int

    def density(self, degrees: ArrayLike) -> NDArray[np.float64]:
        """Probability per degree (...) at angles (...) in degrees; zero outside of 0 to 180."""
        w = np.asarray(degrees, np.float64)
        share = np.interp(w, self.angles, self.shares, left=0.0, right=0.0)
        return self.order * (1 - np.cos(np.radians(w))) / 180 * share

    def cumulative(self, degrees: ArrayLike) -> NDArray[np.float64]:
        """Probability (...) of a smaller angle than these (...), in degrees."""
        return np.interp(np.asarray(degrees, np.float64), self.angles, self.below)

    def probabilities(self, edges: ArrayLike) -> NDArray[np.float64]:
        """Probability (n,) of each bin of edges (n + 1,) in degrees."""
        return np.asarray(np.diff(self.cumulative(edges)))


def random_misorientation(group: Any) -> RandomMisorientation:
    """Return how the misorientation angles of random crystals of a point group are distributed.

    Parameters
    ----------
    group
        Point group, as :func:`napari_orient.crystal.rotations.laue_operators` takes it. What
        counts is its Laue class, in any setting.

    Raises
    ------
    ValueError
        If the group is not known.
    """
    from napari_orient.crystal.rotations import laue_operators

    return _distribution(laue_operators(group).tobytes())


@cache
def _distribution(data: bytes) -> RandomMisorientation:
    operators = np.frombuffer(data).reshape(-1, 4)
    axes = _axes(_fold(operators))
    reach = _largest_angles(operators, axes)
    largest = float(np.degrees(_corner(operators, axes[reach.argmax()])))
    reach.sort()
    angles = np.radians(np.arange(0, 180 + _STEP / 2, _STEP))
    passed = np.searchsorted(reach, angles - 1e-12)
    shares = 1 - passed / len(reach)
    ends = np.concatenate([[0.0], np.cumsum(_volume(reach))]) / len(reach)
    below = len(operators) * (ends[passed] + shares * _volume(angles))
    below /= below[-1]  # the quadrature's error, 1e-6 or less
    width = np.degrees(angles[1])
    mean = 180 - float(np.sum((below[1:] + below[:-1]) / 2) * width)
    return RandomMisorientation(largest, mean, np.degrees(angles), shares, below, len(operators))


def _volume(w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of all rotations with a smaller angle than w (radians)."""
    return (w - np.sin(w)) / np.pi


def _fold(operators: NDArray[np.float64]) -> int:
    """Order of the symmetry axis along e3: the axes repeat themselves so often about it."""
    return int(np.sum(np.abs(operators[:, 1:3]).max(axis=1) < 1e-9))


def _axes(fold: int) -> NDArray[np.float64]:
    """Axes (n, 3) of equal areas in one repeat of the upper hemisphere; -a does what a does.

    On a spiral of the golden angle: rows would share the edges of the zone.
    """
    n = np.arange(_AXES)
    z, phi = (n + 0.5) / _AXES, 2 * np.pi / fold * ((n * (np.sqrt(5) - 1) / 2) % 1)
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=-1)


def _largest_angles(
    operators: NDArray[np.float64], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Angle (n,) in radians at which each axis (n, 3) leaves the zone of smallest angles."""
    inverse = np.zeros(len(axes))  # of tan(W / 2)
    for w, *vector in operators:
        sine = float(np.linalg.norm(vector))
        if sine > 1e-9:
            limit = np.tan(np.arctan2(sine, abs(w)) / 2)
            np.maximum(inverse, np.abs(axes @ (np.array(vector) / sine)) / limit, out=inverse)
    return np.asarray(2 * np.arctan2(1.0, inverse))


def _corner(operators: NDArray[np.float64], axis: NDArray[np.float64]) -> float:
    """Largest angle (radians) of the zone: the axes stop short of its corner."""
    around = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    size = 0.01
    while size > 1e-8:
        tried = axis + size * around
        tried /= np.linalg.norm(tried, axis=1, keepdims=True)
        reach = _largest_angles(operators, tried)
        axis, size = tried[reach.argmax()], size * 0.8
    return float(reach.max())
