"""Made maps with twins whose boundaries run along the trace of their plane, for tests."""

from __future__ import annotations

import numpy as np

from napari_orient.analysis.twins import laws_for
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    from_axis_angle,
    from_matrix,
    multiply,
    random_orientations,
)
from napari_orient.data.maps import OrientationMap


def _parent(normal, degrees):
    """Orientation (4,) that stands ``normal`` (crystal) upright on a line (degrees from x to y)."""
    angle = np.radians(degrees)
    line, up = np.array([np.cos(angle), np.sin(angle), 0.0]), np.array([0.0, 0.0, 1.0])
    lab = np.stack([line, up, np.cross(line, up)], axis=1)  # columns; the last is the normal
    spare = np.eye(3)[np.abs(normal).argmin()]
    first = np.cross(normal, spare)
    first /= np.linalg.norm(first)
    crystal = np.stack([first, np.cross(normal, first), normal], axis=1)
    return from_matrix(crystal @ lab.T)


def bicrystal(name, degrees, shape=(60, 70)):
    """Parent and twin (y, x, 4) that meet on a line through the middle, degrees from x to y."""
    phase = get_phase(name)
    normal = laws_for(phase)[0].normals(phase)[0]
    parent = _parent(normal, degrees)
    twin = multiply(from_axis_angle(normal, 180.0), parent)
    y, x = np.indices(shape) - (np.array(shape)[:, None, None] - 1) / 2
    angle = np.radians(degrees)
    side = y * np.cos(angle) - x * np.sin(angle) > 0.01
    return np.where(side[..., None], twin, parent)


def made_map(name, quaternions, **fields):
    """A map of one phase."""
    return OrientationMap(quaternions, {0: get_phase(name)}, **fields)


def many_twins(name, seed=0, tiles=3, shape=(40, 40)):
    """A map of bicrystals in all directions, each tile with its own (tiles^2 of them)."""
    degrees = np.random.default_rng(seed).permutation(np.linspace(5, 170, tiles**2))
    rows = [
        np.concatenate([bicrystal(name, d, shape) for d in row], axis=1)
        for row in degrees.reshape(tiles, tiles)
    ]
    return made_map(name, np.concatenate(rows))


def grains(seed=0, shape=(50, 60), n=25):
    """Label (y, x) of random grains and an orientation (n, 4) of each."""
    rng = np.random.default_rng(seed)
    seeds = rng.random((n, 2)) * shape
    points = np.indices(shape).reshape(2, -1).T
    label = ((points[:, None] - seeds) ** 2).sum(axis=2).argmin(axis=1).reshape(shape)
    return label, random_orientations(n, seed)
