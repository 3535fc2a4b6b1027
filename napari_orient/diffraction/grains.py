"""Which grains does a simulated polycrystal have, and where? Voronoi cells with soft boundaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.crystal.miller import direction_of, parse_indices
from napari_orient.data.maps import OrientationMap

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.diffraction.polycrystal import PolycrystalConfig

VACUUM, AMORPHOUS = -1, -2  # in Grains.phase
_CONTRIBUTORS = 3  # grains that may share a pattern


@dataclass(frozen=True, eq=False)
class Grains:
    """Seeds of a polycrystal.

    ``points`` (n, 2) in pixels (y, x), pixel centres at halves; ``quaternions`` (n, 4),
    lab2crystal; ``phase`` (n,) index into the config's phases, or :data:`VACUUM`,
    :data:`AMORPHOUS`; ``axis`` (n,) index into its ``near_axes``, -1 for random orientations;
    ``thickness`` (n,) in nm.
    """

    points: NDArray[np.float64]
    quaternions: NDArray[np.float64]
    phase: NDArray[np.int32]
    axis: NDArray[np.int32]
    thickness: NDArray[np.float64]


def zone_axis(phase: Phase, indices: str) -> NDArray[np.float64]:
    """Unit vector (3,) in crystal axes of a direction, "[110]", or "[10-10]" on hexagonal axes.

    Raises
    ------
    ValueError
        If they are no indices of this crystal.
    """
    return direction_of(parse_indices(indices, "direction", phase), phase)


def orientations_near(
    axis: NDArray[np.float64], within_deg: float, n: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Quaternions (n, 4), lab2crystal, with a crystal direction within some degrees of the beam.

    Parameters
    ----------
    axis
        Unit vector in crystal axes, brought near the lab's z: uniform on the cap of the sphere,
        and uniform in the angle about the beam.
    within_deg
        Half opening of the cap, degrees.
    """
    from napari_orient.crystal.rotations import from_matrix

    height = 1 - random.random(n) * (1 - np.cos(np.radians(within_deg)))
    aside = _across(np.broadcast_to(axis, (n, 3)), random)
    z = height[:, None] * axis + np.sqrt(1 - height**2)[:, None] * aside
    x = _across(z, random)
    return np.asarray(from_matrix(np.stack([x, np.cross(z, x), z], axis=-1)))


def _across(vectors: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Random unit vectors (n, 3) perpendicular to unit vectors."""
    free = random.normal(size=vectors.shape)
    free -= (free * vectors).sum(1, keepdims=True) * vectors
    return np.asarray(free / np.linalg.norm(free, axis=1, keepdims=True))


def sow_grains(config: PolycrystalConfig, phases: list[Phase]) -> Grains:
    """Draw the grains of a config: places, phases, orientations, thicknesses.

    Raises
    ------
    ValueError
        If a zone axis is none of the phase.
    """
    random = np.random.default_rng(config.seed)
    n = config.grains
    points = random.random((n, 2)) * config.shape
    shares = np.array(config.phase_shares or [1.0] * len(phases))
    phase = _shared(n, shares / shares.sum(), random)
    kind = _shared(n, np.array([config.vacuum_share, config.amorphous_share]), random)
    phase = np.where(kind < 0, phase, np.where(kind == 0, VACUUM, AMORPHOUS)).astype(np.int32)
    count = max(1, len(config.near_axes))
    axis = _shared(n, np.full(count, config.near_share / count), random)
    quaternions = random.normal(size=(n, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    for number, crystal in enumerate(phases):
        for i, name in enumerate(config.near_axes):
            own = (phase == number) & (axis == i)
            direction = zone_axis(crystal, name)
            quaternions[own] = orientations_near(direction, config.near_deg, own.sum(), random)
    spread = np.clip(random.normal(1, config.thickness_spread, n), 0.2, None)
    return Grains(points, quaternions, phase, axis, config.thickness_nm * spread)


def _shared(n: int, shares: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int32]:
    """Deal ``n`` grains out by shares, exactly but for rounding; -1 for those that are left."""
    borders = np.rint(np.cumsum(shares) * n).astype(int)
    return random.permutation(
        np.where(np.arange(n) < borders[-1], np.searchsorted(borders, np.arange(n), "right"), -1)
    ).astype(np.int32)


def grain_weights(
    points: NDArray[np.float64], shape: tuple[int, int], width: float
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Which grains does each pattern hold, and how much of each?

    Parameters
    ----------
    points
        (n, 2) seeds of Voronoi cells (y, x) in pixels, pixel centres at halves.
    shape
        (y, x) pixels.
    width
        Of the boundaries, in pixels: a plane inclined in the foil, in projection. Shares change
        from one grain to the other linearly over it.

    Returns
    -------
    grain, weight
        (y, x, k), k up to 3, the nearest seed first (where three meet, not always the one with
        the largest share); shares add up to 1.
    """
    from scipy.spatial import cKDTree

    k = min(_CONTRIBUTORS, len(points))
    pixels = np.indices(shape).reshape(2, -1).T + 0.5
    found = cKDTree(points).query(pixels, k=[*range(1, k + 1)])
    distance, grain = (a.reshape(*shape, k) for a in found)
    apart = points[grain][..., :, None, :] - points[grain][..., None, :, :]
    gap = np.linalg.norm(apart, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # of a grain with itself
        # how far inside its own side of the plane between two seeds
        inside = (distance[..., None, :] ** 2 - distance[..., :, None] ** 2) / (2 * gap)
        ramp = np.clip(0.5 + inside / max(width, 1e-9), 0, 1)
    ramp[..., np.arange(k), np.arange(k)] = 1
    weight = ramp.prod(axis=-1)
    return grain.astype(np.int32), weight / weight.sum(axis=-1, keepdims=True)


def exact_map(
    config: PolycrystalConfig,
    phases: list[Phase],
    grains: Grains,
    grain: NDArray[np.int32],
    weight: NDArray[np.float64],
) -> OrientationMap:
    """Return the truth: at each pixel the grain with the largest share."""
    order = np.argsort(-weight, axis=-1, kind="stable")
    sorted_grain = np.take_along_axis(grain, order, axis=-1)
    sorted_weight = np.take_along_axis(weight, order, axis=-1)
    first = sorted_grain[..., 0]
    second = np.full(config.shape, -1, np.int32)
    if grain.shape[-1] > 1:
        second = np.where(sorted_weight[..., 1] > 0, sorted_grain[..., 1], -1)
    crystal = grains.phase[first] >= 0
    return OrientationMap(
        np.where(crystal[..., None], grains.quaternions[first], (1.0, 0.0, 0.0, 0.0)),
        dict(enumerate(phases)),
        np.where(crystal, grains.phase[first], -1),
        properties={
            "grain": first,
            "mixed": sorted_weight[..., 0].astype(np.float32),
            "neighbour": second,
            "axis": grains.axis[first],
        },
        step=(config.step_nm, config.step_nm),
        unit="nm",
        source=f"simulated: exact orientations of {config.grains} grains, seed {config.seed}",
    )
