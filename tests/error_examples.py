"""Errors of maps recomputed by brute force with matrices, beside none of our rotations."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from diffpy.structure import Lattice, Structure
from orix.crystal_map import Phase

from napari_orient.data.maps import OrientationMap

CELLS = {
    "-1": (3, 4, 5, 80, 95, 105), "2/m": (3, 4, 5, 90, 90, 100), "mmm": (3, 4, 5, 90, 90, 90),
    "-3": (3, 3, 5, 90, 90, 120), "-3m": (3, 3, 5, 90, 90, 120), "4/m": (3, 3, 5, 90, 90, 90),
    "4/mmm": (3, 3, 5, 90, 90, 90), "6/m": (3, 3, 5, 90, 90, 120), "6/mmm": (3, 3, 5, 90, 90, 120),
    "m-3": (3, 3, 3, 90, 90, 90), "m-3m": (3, 3, 3, 90, 90, 90),
}  # fmt: skip
_X, _Z, _111 = (1, 0, 0), (0, 0, 1), (1, 1, 1)
_GENERATORS = {
    "-1": [], "2/m": [(_Z, 180)], "mmm": [(_Z, 180), (_X, 180)], "-3": [(_Z, 120)],
    "-3m": [(_Z, 120), (_X, 180)], "4/m": [(_Z, 90)], "4/mmm": [(_Z, 90), (_X, 180)],
    "6/m": [(_Z, 60)], "6/mmm": [(_Z, 60), (_X, 180)], "m-3": [(_Z, 180), (_111, 120)],
    "m-3m": [(_Z, 90), (_111, 120)],
}  # fmt: skip
ORDERS = dict(zip(CELLS, (1, 2, 4, 3, 6, 4, 8, 6, 12, 12, 24), strict=True))
BEAM = np.diag([-1.0, -1.0, 1.0])


def active(axis, degrees):
    """Matrix (3, 3) that turns vectors about an axis (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


@cache
def operators(group):
    """All rotations (n, 3, 3) of a Laue class: what its generators make."""
    found = [np.eye(3), *(active(*one) for one in _GENERATORS[group])]
    while True:
        new = [
            c for a, b in product(found, found)
            if not any(np.allclose(c := a @ b, d) for d in found)
        ]  # fmt: skip
        if not new:
            return np.array(found)
        found.append(new[0])


def phase(group, name="stuff"):
    return Phase(name, point_group=group, structure=Structure(lattice=Lattice(*CELLS[group])))


def matrices(q):
    """Passive matrices (..., 3, 3), lab to crystal components, of quaternions (..., 4)."""
    w, v = q[..., :1, None], q[..., 1:]
    x, y, z = np.moveaxis(v, -1, 0)
    o = np.zeros_like(x)
    k = np.stack([o, -z, y, z, o, -x, -y, x, o], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + 2 * w * k + 2 * k @ k


def quaternions(g):
    """Quaternions (..., 4) of matrices, by way of the eigenvector (slow, and not ours)."""
    out = np.empty((*g.shape[:-2], 4))
    for index in np.ndindex(g.shape[:-2]):
        m = g[index]
        k = np.array([
            [m.trace(), m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [0, m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [0, 0, m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [0, 0, 0, m[2, 2] - m[0, 0] - m[1, 1]],
        ])  # fmt: skip
        out[index] = np.linalg.eigh(k + np.triu(k, 1).T)[1][:, -1]
    return out


def random_matrices(rng, *shape):
    q = rng.normal(size=(*shape, 4))
    return matrices(q / np.linalg.norm(q, axis=-1, keepdims=True))


def small_turns(rng, degrees, *shape):
    """Rotations (..., 3, 3) about random axes by about so many degrees."""
    axes, angles = rng.normal(size=(*shape, 3)), rng.normal(0, degrees, shape)
    made = [active(axes[i], angles[i]) for i in np.ndindex(shape)]
    return np.array(made).reshape(*shape, 3, 3)


def angle_of(r):
    """Rotation angle in degrees; exact at small and at large angles."""
    sine = np.linalg.norm(r - np.eye(3), axis=(-2, -1)) / np.sqrt(8)
    cosine = np.sqrt(np.maximum(1 + np.trace(r, axis1=-2, axis2=-1), 0)) / 2
    return 2 * np.degrees(np.arctan2(sine, cosine))


def euler(g):
    """Bunge angles (..., 3) in degrees of passive matrices, all in [0, 360)."""
    first = np.arctan2(g[..., 2, 0], -g[..., 2, 1])
    tilt = np.arctan2(np.hypot(g[..., 2, 0], g[..., 2, 1]), g[..., 2, 2])
    third = np.arctan2(g[..., 0, 2], g[..., 1, 2])
    return np.degrees(np.stack([first, tilt, third], axis=-1)) % 360


def nearest_difference(a, b):
    """Differences of two triples whose sum is the smallest, over periods and (+180, -, +180)."""
    turned = (b[0] + 180, -b[1], b[2] + 180)
    tried = [np.abs([(x - y + 180) % 360 - 180 for x, y in zip(a, c, strict=True)])
             for c in (b, turned)]  # fmt: skip
    return min(tried, key=np.sum)


def brute_force(reference, other, group):
    """Errors of matrices (n, 3, 3) by trying all, as a dictionary of arrays."""
    symmetry, rows = operators(group), []
    for g, h in zip(reference, other, strict=True):
        lab = np.array([g.T @ s @ h for s in symmetry])
        angles = angle_of(lab)
        nearest = np.flatnonzero(angles < angles.min() + 1e-9)
        tilts = np.degrees(np.arctan2(np.hypot(lab[:, 0, 2], lab[:, 1, 2]), lab[:, 2, 2]))
        best = min(nearest, key=lambda i: tilts[i])
        r = lab[best]
        twist = np.degrees(np.abs(np.arctan2(r[1, 0] - r[0, 1], r[0, 0] + r[1, 1])))
        beam = min(angles.min(), angle_of(lab @ BEAM).min())
        rows.append((angles.min(), beam, tilts[best], twist,
                     *nearest_difference(euler(g), euler(symmetry[best] @ h))))  # fmt: skip
    names = ("angle", "angle_modulo_beam", "tilt", "in_plane")
    found = dict(zip(names, np.array(rows).T, strict=False))
    return {**found, "euler_nearest": np.array(rows)[:, 4:],
            "euler_raw": np.abs(euler(reference) - euler(other))}  # fmt: skip


def map_of(g, group, **fields):
    """A map of matrices (y, x, 3, 3)."""
    return OrientationMap(quaternions(g), {0: phase(group)}, **fields)
