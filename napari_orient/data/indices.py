"""How is an orientation told in numbers? As Bunge angles, or as (hkl)[uvw] of low indices."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase


def euler_of(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bunge angles (..., 3), in degrees, of passive matrices (..., 3, 3) (Bunge 1982, eq. 2.50).

    At Phi = 0 and 180, where only the sum or the difference of the others is defined, phi2 is 0.
    orix 0.15 is not called, because there it gives -phi1 at Phi = 180, another orientation.
    """
    g = matrices
    tilt = np.arctan2(np.hypot(g[..., 2, 0], g[..., 2, 1]), g[..., 2, 2])
    flat = np.minimum(tilt, np.pi - tilt) < 1e-6
    first = np.where(
        flat, np.arctan2(g[..., 0, 1], g[..., 0, 0]), np.arctan2(g[..., 2, 0], -g[..., 2, 1])
    )
    third = np.where(flat, 0.0, np.arctan2(g[..., 0, 2], g[..., 1, 2]))
    angles = np.degrees(np.stack([first, tilt, third], axis=-1)) % 360
    return np.asarray(np.round(angles, 9) % 360)  # -1e-15 is 0, not 360


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


def name_direction(phase: Phase, vector: NDArray[np.float64], four: bool) -> tuple[str, float]:
    """[uvw] of low indices nearest to a unit vector (3,) in crystal axes, and degrees between."""
    cell = tuple(round(float(v), 6) for v in phase.structure.lattice.abcABG())
    _, _, directions, vectors = _candidates(cell)
    fit = vectors @ vector
    best = int(np.argmax(fit.round(9)))
    off = float(np.degrees(np.arccos(np.clip(fit[best], -1, 1))))
    return _write(directions[best], "[]", four, True), off


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
