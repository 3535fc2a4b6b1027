"""How dense are the poles of a crystal in the directions of the sample, or the other way round?

Densities are integrals of the orientation distribution along fibres, as harmonic sums (Bunge,
Texture Analysis in Materials Science, 1982, section 4.3), in multiples of a random distribution.
Diffraction does not tell a direction from the opposite one: terms of odd degree are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.analysis.texture.wigner import evaluate_on_sphere, on_sphere, sphere_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase


class Hemisphere(NamedTuple):
    """A density on a regular grid over the half sphere towards the viewer of the map.

    Attributes
    ----------
    tilt
        (n,) degrees from the viewer's direction, minus z of the map: 0 to 90.
    azimuth
        (m,) degrees from x (right) towards y (down): 0 to 360.
    mrd
        (n, m) multiples of a random distribution.
    """

    tilt: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    mrd: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SphereDensity:
    """A density of directions without sign, as a sum of harmonics.

    Attributes
    ----------
    name
        Of what: "{111}", or the sample direction "X".
    vector
        (3,) that direction, in crystal axes (pole figure) or the map frame (inverse pole figure).
    coefficients
        Of degrees 0, 1, 2 ...: (2l + 1,) each.
    """

    name: str
    vector: NDArray[np.float64]
    coefficients: tuple[NDArray[np.complex128], ...]

    @cached_property
    def _series(self) -> NDArray[np.complex128]:
        return sphere_series(self.coefficients)

    def at(self, directions: ArrayLike) -> NDArray[np.float64]:
        """Return the density (...) in mrd in directions (..., 3), of any length.

        A pole figure takes directions in the map frame, an inverse one those in crystal axes.
        """
        vectors = np.asarray(directions, np.float64)
        flat = vectors.reshape(-1, 3)
        return evaluate_on_sphere(self._series, flat).reshape(vectors.shape[:-1])

    def hemisphere(self, step: float = 5.0) -> Hemisphere:
        """Return a pole figure on a grid of about ``step`` degrees."""
        tilt = np.linspace(0, 90, max(2, round(90 / step) + 1))
        azimuth = np.linspace(0, 360, max(4, round(360 / step) + 1))
        polar, turn = np.meshgrid(np.radians(tilt), np.radians(azimuth), indexing="ij")
        x, y = np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn)
        return Hemisphere(tilt, azimuth, self.at(np.stack([x, y, -np.cos(polar)], axis=-1)))


def pole_density(
    coefficients: Sequence[NDArray[np.complex128]], name: str, normal: NDArray[np.float64]
) -> SphereDensity:
    """Return the pole figure of crystal directions equivalent to a unit vector (3,)."""
    found = []
    for degree, part in enumerate(coefficients):
        there = on_sphere(normal[None], degree)[0]
        found.append(np.sqrt(2 * degree + 1) * (degree % 2 == 0) * (there.conj() @ part))
    return SphereDensity(name, normal, tuple(found))


def inverse_pole_density(
    coefficients: Sequence[NDArray[np.complex128]], name: str, direction: NDArray[np.float64]
) -> SphereDensity:
    """Return the density of crystal directions along a sample direction, a unit vector (3,)."""
    found = []
    for degree, part in enumerate(coefficients):
        there = on_sphere(direction[None], degree)[0]
        found.append(np.sqrt(2 * degree + 1) * (degree % 2 == 0) * (part @ there).conj())
    return SphereDensity(name, direction, tuple(found))


def default_poles(phase: Phase) -> tuple[str, ...]:
    """Return the crystal planes whose pole figures are usually shown."""
    from napari_orient.data.maps import is_hexagonal

    group = phase.point_group.laue.name
    if group in ("m-3m", "m-3"):
        return ("{001}", "{011}", "{111}")
    if is_hexagonal(phase):
        # of trigonal crystals one that is not alike after 60 degrees about c
        return ("{0001}", "{10-10}" if group[0] == "6" else "{10-12}", "{11-20}")
    return ("{001}", "{100}", "{110}" if group[0] == "4" else "{010}")


def default_sections(phase: Phase) -> tuple[float, ...]:
    """Return the angles phi2, in degrees, of the ODF sections that are usually shown."""
    from napari_orient.data.maps import is_hexagonal

    return (0.0, 30.0) if is_hexagonal(phase) else (0.0, 45.0, 65.0)
