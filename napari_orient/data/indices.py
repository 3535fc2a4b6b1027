"""Which low-index plane and direction name an orientation, as (hkl)[uvw]?

For a readout under the mouse: one point at a time, in well under a millisecond.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase


def matrix_of(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix from map frame to crystal axes; plain floats are faster than orix for one point."""
    a, b, c, d = q.tolist()
    return np.array(
        [
            [1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)],
        ]
    )


def euler_of(g: NDArray[np.float64]) -> tuple[float, float, float]:
    """Bunge angles in degrees of a passive matrix (Bunge 1982, eq. 2.50)."""
    tilt = np.arccos(np.clip(g[2, 2], -1, 1))
    if tilt < 1e-6 or np.pi - tilt < 1e-6:  # only a sum or a difference of the angles is defined
        angles = (np.arctan2(g[0, 1], g[0, 0]), tilt, 0.0)
    else:
        angles = (np.arctan2(g[2, 0], -g[2, 1]), tilt, np.arctan2(g[0, 2], g[1, 2]))
    first, second, third = (round(float(np.degrees(angle)) % 360, 6) % 360 for angle in angles)
    return first, second, third


@cache
def _indices(limit: int) -> NDArray[np.int64]:
    """All coprime triples up to ``limit``, simple ones first."""
    span = np.arange(-limit, limit + 1)
    triples = np.stack(np.meshgrid(span, span, span, indexing="ij"), axis=-1).reshape(-1, 3)
    triples = triples[np.gcd.reduce(triples, axis=1) == 1]
    return np.asarray(triples[np.argsort(np.abs(triples).sum(axis=1), kind="stable")])


@cache
def _candidates(cell: tuple[float, ...]) -> tuple[NDArray[Any], ...]:
    """Planes (n, 3) with unit normals, directions (m, 3) with unit vectors, in crystal axes."""
    from diffpy.structure import Lattice, Structure
    from orix.crystal_map import Phase

    base = Phase(structure=Structure(lattice=Lattice(*cell))).structure.lattice.base  # rows a, b, c
    planes, directions = _indices(4), _indices(5)  # small numbers, a few degrees off
    normals = planes @ np.linalg.inv(base).T
    vectors = directions @ base
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return planes, normals, directions, vectors


def name_orientation(
    phase: Phase, matrix: NDArray[np.float64], four: bool
) -> tuple[str, tuple[float, float]]:
    """(hkl)[uvw] and the degrees by which they miss z and x of the map."""
    lattice = phase.structure.lattice
    cell = tuple(round(float(v), 6) for v in lattice.abcABG())
    planes, normals, directions, vectors = _candidates(cell)
    fit = normals @ matrix[:, 2]
    best = int(np.argmax(fit.round(9)))
    in_plane = np.flatnonzero(directions @ planes[best] == 0)
    along = vectors[in_plane] @ matrix[:, 0]
    second = int(np.argmax(along.round(9)))
    text = _write(planes[best], "()", four, False)
    text += _write(directions[in_plane[second]], "[]", four, True)
    off = np.degrees(np.arccos(np.clip((fit[best], along[second]), -1, 1))).round(2)
    return text, (float(off[0]), float(off[1]))


def _write(indices: NDArray[np.int64], brackets: str, four: bool, direction: bool) -> str:
    u, v, w = (int(i) for i in indices)
    numbers = (u, v, w)
    if four and direction:  # U = (2u - v)/3 ..., brought to whole numbers
        numbers = (2 * u - v, 2 * v - u, -(u + v), 3 * w)  # type: ignore[assignment]
        common = int(np.gcd.reduce(numbers))
        numbers = tuple(n // common for n in numbers)  # type: ignore[assignment]
    elif four:
        numbers = (u, v, -(u + v), w)  # type: ignore[assignment]
    gap = " " if min(numbers) < 0 or max(numbers) > 9 else ""  # (-1 1 0) cannot be misread
    return brackets[0] + gap.join(str(n) for n in numbers) + brackets[1]
