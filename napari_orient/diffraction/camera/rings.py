"""Where are the diffraction rings of a phase, and what is the mean over rings of a pattern?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.diffraction.camera.pattern_fit import Camera

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.simulate import Reflections


@dataclass(frozen=True)
class Ring:
    """A powder ring: radius ``g`` in 1/angstrom, spacing ``d`` in angstrom.

    ``hkl`` is one of its ``multiplicity`` reflections; ``others`` names further families that fall
    together with it. ``intensity`` is kinematical (sum of |F|^2 over the reflections, divided by g
    for the length of the ring), relative to the strongest ring.
    """

    g: float
    d: float
    hkl: tuple[int, int, int]
    multiplicity: int
    intensity: float
    others: tuple[tuple[int, int, int], ...] = ()


def expected_rings(phase: Phase, g_max: float = 1.5, *, merge: float = 0.004) -> list[Ring]:
    """List the powder rings of a phase from the inside out.

    Parameters
    ----------
    phase
        With atoms.
    g_max
        Largest radius, 1/angstrom.
    merge
        Rings closer than this share of their radius count as one, at their weighted mean.

    Raises
    ------
    ValueError
        If the phase has no atoms or no reflection within ``g_max``.
    """
    from napari_orient.diffraction.simulate import reflections

    source = reflections(phase, g_max)
    length = np.linalg.norm(source.g, axis=1)
    order = np.argsort(length, kind="stable")
    groups: list[list[int]] = []
    for index in order.tolist():
        if groups and length[index] - length[groups[-1][0]] <= merge * length[index]:
            groups[-1].append(index)
        else:
            groups.append([index])
    turns = _operators(phase)
    found = [_ring(source, np.array(group), turns) for group in groups]
    strongest = max(ring.intensity for ring in found)
    return [replace(ring, intensity=ring.intensity / strongest) for ring in found]


def _operators(phase: Phase) -> NDArray[np.float64]:
    """Matrices (k, 3, 3) that turn a reflection into its equivalents, up to Friedel's sign."""
    from napari_orient.crystal.quaternions import to_matrix
    from napari_orient.crystal.rotations import laue_operators

    matrices: NDArray[np.float64] = to_matrix(laue_operators(phase.point_group))
    return matrices


def _ring(source: Reflections, members: NDArray[np.int64], turns: NDArray[np.float64]) -> Ring:
    """Make one ring of reflections that fall together, named after the strongest family."""
    length = np.linalg.norm(source.g[members], axis=1)
    strength = source.intensity[members]
    g = float(np.average(length, weights=strength))
    families: list[tuple[float, tuple[int, int, int]]] = []
    left = members
    while len(left):
        images = turns @ source.g[left[0]]
        away = np.abs(np.concatenate([images, -images])[:, None] - source.g[left]).max(axis=-1)
        family = away.min(axis=0) < 1e-6
        names = [(h, k, m) for h, k, m in source.hkl[left[family]].tolist()]
        families.append((float(source.intensity[left[family]].sum()), max(names, key=tidiness)))
        left = left[~family]
    named = [hkl for _, hkl in sorted(families, reverse=True)]
    return Ring(g, 1 / g, named[0], len(members), float(strength.sum()) / g, tuple(named[1:]))


def tidiness(hkl: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Order in which indices are written: few minus signs, then large ones first."""
    return sum(i >= 0 for i in hkl), hkl[0], hkl[1], hkl[2]


def radial_profile(
    pattern: NDArray[Any], calibration: Calibration
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean counts over rings, (radius in px, mean), in steps of a pixel; ellipse undone.

    The radius is the geometric mean radius of the calibration: radius x pixel size = g. NaN pixels
    do not count; a radius without pixels is NaN.

    Raises
    ------
    ValueError
        If the centre is unknown.
    """
    image = np.asarray(pattern, dtype=np.float64)
    radius = radii_of(image.shape, Camera.of(calibration))
    mean = ring_means(image, radius)
    return np.arange(len(mean), dtype=np.float64), mean


def radii_of(shape: tuple[int, ...], camera: Camera) -> NDArray[np.float64]:
    """Radius (ky, kx) of each pixel in round pixels."""
    points = np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1).astype(np.float64)
    away = camera.vectors(points)
    radius: NDArray[np.float64] = np.hypot(away[..., 0], away[..., 1])
    return radius


def ring_means(
    image: NDArray[np.float64], radius: NDArray[np.float64], step: float = 1.0
) -> NDArray[np.float64]:
    """Mean over rings of width ``step``, the first about 0; NaN where there are no pixels."""
    seen = np.isfinite(image)
    ring = np.rint(radius[seen] / step).astype(np.int64)
    number = np.bincount(ring)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.bincount(ring, image[seen]) / number
    return mean
