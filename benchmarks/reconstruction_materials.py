"""Materials to reconstruct: files, and polycrystals that are made here.

inclusions, needles: particles of one orientation in another (Fig. 16 of the publication).
fine, fibre: grains of any orientation, and long ones with <001> along x. LiNiO2: trigonal grains.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from reconstruction import opened
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from napari_orient.analysis.texture.components import ideal_orientations, known_components
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.quaternions import random_orientations
from napari_orient.crystal.rotations import multiply
from napari_orient.data.maps import OrientationMap
from napari_orient.samples import polycrystal_map

if TYPE_CHECKING:
    from numpy.typing import NDArray


def material_map(name: str, crop: list[int] | None = None, fill: int = 0) -> OrientationMap:
    """Return one that is made here, or open a file; filled, and of its points the middle ones."""
    made = {
        "inclusions": lambda: particles((1, 1)),
        "needles": lambda: particles((1, 5)),
        "fine": lambda: polycrystal_map((128, 128), 600, seed=1),
        "fibre": lambda: fibre_map((128, 128), (8.0, 20.0)),
        "LiNiO2": lambda: polycrystal_map((128, 128), 350, "LiNiO2", seed=0, unit="nm"),
    }
    one = made[name]() if name in made else opened(name)
    if fill:
        one = filled(one, fill)
    if not crop:
        return one
    cut = tuple(slice((n - c) // 2, (n - c) // 2 + c) for n, c in zip(one.shape, crop, strict=True))
    return replace(
        one, quaternions=one.quaternions[cut], phase_id=one.phase_id[cut], done=one.done[cut],
        properties={}, candidates=None,
    )  # fmt: skip


def filled(one: OrientationMap, steps: int) -> OrientationMap:
    """Points that are not indexed take the nearest that is, so many steps away at most.

    Those of doubt lie along grain boundaries: left out, the differences across boundaries at short
    lags are left out with them, and the statistics are those of no material.
    """
    far, place = distance_transform_edt(~one.indexed, return_indices=True)
    place = tuple(place)
    near = far <= steps
    return replace(
        one, quaternions=np.where(near[..., None], one.quaternions[place], one.quaternions),
        phase_id=np.where(near, one.phase_id[place], -1), done=one.done | near,
        properties={}, candidates=None,
    )  # fmt: skip


def particles(extent: tuple[int, int], side: int = 128, share: float = 0.3) -> OrientationMap:
    """Ellipses of one orientation in another, (rows, columns) as ``extent``: Fig. 16."""
    drawn, far = np.random.default_rng(0), 4.0 / np.sqrt(extent[0] * extent[1])
    inside = np.zeros((side, side), bool)
    place = np.arange(side)
    while inside.mean() < share:
        middle = drawn.random(2) * side
        y, x = ((place - m + side / 2) % side - side / 2 for m in middle)
        inside |= (y[:, None] / extent[0]) ** 2 + (x / extent[1]) ** 2 < far**2
    q = random_orientations(2, 3)
    return OrientationMap(
        q[inside.astype(int)], {0: get_phase("Ni")}, unit="um", source="particles",
        periodic=(True, True),
    )  # fmt: skip


def fibre_map(shape: tuple[int, int], grain: tuple[float, float]) -> OrientationMap:
    """Grains of (rows, columns) points, with <001> along x up to 10 degrees."""
    drawn = np.random.default_rng(2)
    count = round(np.prod(shape) / np.prod(grain))
    box = np.array(shape) / grain
    tree = cKDTree(drawn.random((count, 2)) * box, boxsize=box)
    points = (np.indices(shape).reshape(2, -1).T + 0.5) / grain
    q = multiply(tilts(count, 10.0, drawn), turns_about_x(drawn.random(count) * 360))
    return OrientationMap(
        q[tree.query(points)[1].reshape(shape)], {0: get_phase("Ni")}, unit="um", source="fibre",
        periodic=(True, True),
    )  # fmt: skip


def tilts(count: int, spread: float, drawn: np.random.Generator) -> NDArray[np.float64]:
    """Rotations (count, 4) about random axes, by angles of this standard deviation (degrees)."""
    axes = drawn.normal(size=(count, 3))
    half = np.radians(drawn.normal(0, spread, count)) / 2
    axes *= (np.sin(half) / np.linalg.norm(axes, axis=1))[:, None]
    return np.concatenate([np.cos(half)[:, None], axes], axis=1)


def turns_about_x(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    half = np.radians(degrees) / 2
    return np.stack([np.cos(half), np.sin(half), 0 * half, 0 * half], axis=1)


def rolled_sections(side: int, grain: tuple[float, float, float]) -> list[OrientationMap]:
    """Sections across z, y and x of one sample with grains of (z, y, x) points, rolling texture.

    RD is x, TD y, ND z. Copper, S and Brass, each point of the texture spread by 8 degrees; a fifth
    of the grains is random. The three sections are those of three places of a larger sample.
    """
    drawn, phase = np.random.default_rng(5), get_phase("Al")
    names = ("Copper", "S", "Brass")
    ideal = np.concatenate(
        [ideal_orientations(c, phase) for c in known_components(phase, "fcc") if c.name in names]
    )
    box = np.full(3, 1.2 * side) / grain
    count = round(box.prod())
    q = multiply(tilts(count, 8.0, drawn), ideal[drawn.integers(len(ideal), size=count)])
    random = drawn.random(count) < 0.2
    q[random] = random_orientations(int(random.sum()), 7)
    tree = cKDTree(drawn.random((count, 3)) * box)
    place = np.arange(side) + 0.5
    sections = []
    for axis in range(3):
        grid = np.stack(np.meshgrid(place, place, indexing="ij"), -1)
        points = np.insert(grid.reshape(-1, 2), axis, 0.6 * side, axis=1) / grain
        grain_of = tree.query(points)[1].reshape(side, side)
        sections.append(OrientationMap(q[grain_of], {0: phase}, unit="um", source=f"{'zyx'[axis]}"))
    return sections
