"""Which rotations does a crystal almost have? They are what a pattern is wrongly taken for.

A rotation of the crystal that is no symmetry, yet takes most of the strong reciprocal lattice onto
itself, gives nearly the same spots: a tetragonal cell with c close to a turned by 90 degrees about
a, or LiNiO2, whose rhombohedral cell is close to that of rock salt. Such rotations are found, with
how much of the pattern they keep, from the reflections of the phase; nothing is tabled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from napari_orient.crystal.rotations import (
    conjugate,
    from_matrix,
    laue_operators,
    multiply,
    to_matrix,
)
from napari_orient.diffraction.simulate import reflections

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

_POWER = 0.4  # on |F|^2: a pattern is compared after levelling
_BLUR = 0.02  # 1/angstrom: sigma of the place of a spot
_STRETCH = 0.04  # lengths that differ by less are taken for each other
_SKEW = math.radians(3)  # and angles
_SAME = math.radians(4)  # rotations closer than this are one
_STRONG = 0.5  # a rotation that keeps so much is taken for the crystal's own
_WEAK = 0.2  # enough if the rotation takes the axes of the cell to axes of the cell
_WHOLE = 0.02  # indices that differ by less from whole numbers are
_NEIGHBOURS = 6


class PseudoSymmetry(NamedTuple):
    """Rotations of the crystal, the strongest first.

    Attributes
    ----------
    operators
        (m, 4) quaternions, ``multiply(operator, q)`` is what q may be taken for; one of each coset
        of the Laue class.
    strength
        (m,) share of the levelled intensity that falls on itself, 0 to 1.
    """

    operators: NDArray[np.float64]
    strength: NDArray[np.float64]


def pseudo_operators(phase: Phase, max_g: float = 1.25) -> PseudoSymmetry:
    """Find the pseudo-symmetries of a phase.

    Parameters
    ----------
    phase
        With atoms and point group.
    max_g
        Reflections up to this length are compared, 1/angstrom.

    Returns
    -------
    PseudoSymmetry
        Rotations outside the Laue class that keep at least half of the pattern, and those that keep
        a fifth and take the cell to itself (its centring or its atoms lack them: 60 degrees about c
        in -3m, 90 degrees about a in m-3). Empty for most crystals.

    Raises
    ------
    ValueError
        If the phase has no atoms or no point group.

    Notes
    -----
    Strength of a rotation R: sum_ij w_i w_j exp(-|R g_i - g_j|^2 / 4 sigma^2) / sum_i w_i^2 with
    w = |F|^0.8, the correlation of two sets of blurred spots. Candidates take a pair of short,
    strong reflections to any pair of nearly the same lengths and angle. On a mirrored or twinned
    lattice (Sigma 3 in cubic crystals) about 0.3 remains: such rotations are confused near one zone
    axis only, and are no pseudo-symmetry.
    """
    group = laue_operators(phase.point_group)
    source = reflections(phase, max_g)
    g, weight = source.g, (source.intensity / source.intensity.max()) ** _POWER
    base = phase.structure.lattice.base
    found, strength = [], []
    for operator in _outside(_candidates(g, weight), group):
        matrix = _settle(g, weight, to_matrix(operator))
        kept = _strength(g, weight, matrix)
        if kept >= (_WEAK if _keeps_cell(matrix, base) else _STRONG):
            found.append(from_matrix(matrix))
            strength.append(kept)
    order = np.argsort(-np.array(strength), kind="stable")
    operators = np.array(found).reshape(-1, 4)[order]
    return PseudoSymmetry(operators, np.array(strength)[order])


def _candidates(g: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quaternions (n, 4) that take one pair of reflections to another that looks like it."""
    length = np.linalg.norm(g, axis=1)
    unit = g / length[:, None]
    best = np.argsort(-weight / length, kind="stable")
    found = []
    for a in best[:6]:
        for b in best[:30]:
            cosine = float(unit[a] @ unit[b])
            if abs(cosine) > 0.9:
                continue
            first = np.flatnonzero(np.abs(length / length[a] - 1) < _STRETCH)
            second = np.flatnonzero(np.abs(length / length[b] - 1) < _STRETCH)
            angle = np.arccos(np.clip(unit[first] @ unit[second].T, -1, 1))
            i, j = np.nonzero(np.abs(angle - math.acos(cosine)) < _SKEW)
            frames = _frame(unit[first[i]], unit[second[j]])
            found.append(from_matrix(frames @ _frame(unit[a], unit[b]).T))
    return np.concatenate(found) if found else np.zeros((0, 4))


def _frame(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal columns (..., 3, 3): between a and b, across, and along a x b."""
    middle = a + b
    middle = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
    normal = np.cross(a, b)
    normal = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.stack([middle, np.cross(normal, middle), normal], axis=-1)


def _outside(candidates: NDArray[np.float64], group: NDArray[np.float64]) -> NDArray[np.float64]:
    """One of each coset s p, without that of the group itself."""
    same = math.cos(_SAME / 2)
    kept = []
    while len(candidates):
        inside = np.abs(multiply(group[:, None], candidates)[..., 0]).max(axis=0) > same
        candidates = candidates[~inside]
        if len(candidates):
            first = candidates[0]
            kept.append(first)
            back = multiply(conjugate(first), multiply(group[:, None], candidates))
            candidates = candidates[np.abs(back[..., 0]).max(axis=0) <= same]
    return np.array(kept).reshape(-1, 4)


def _overlaps(
    g: NDArray[np.float64], weight: NDArray[np.float64], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Neighbours (n, k) of each turned reflection and what they share with it."""
    tree, turned = cKDTree(g), g @ matrix.T
    distance, near = tree.query(turned, k=min(_NEIGHBOURS, len(g)))
    shared = weight[:, None] * weight[near] * np.exp(-((distance / _BLUR) ** 2) / 4)
    return near, shared


def _strength(
    g: NDArray[np.float64], weight: NDArray[np.float64], matrix: NDArray[np.float64]
) -> float:
    return float(_overlaps(g, weight, matrix)[1].sum() / _overlaps(g, weight, np.eye(3))[1].sum())


def _settle(
    g: NDArray[np.float64], weight: NDArray[np.float64], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn to where the reflections meet best: least squares over those that overlap, thrice."""
    for _ in range(3):
        near, shared = _overlaps(g, weight, matrix)
        u, _sizes, v = np.linalg.svd(np.einsum("nk,nki,nj->ij", shared, g[near], g))
        matrix = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    return matrix


def _keeps_cell(matrix: NDArray[np.float64], base: NDArray[np.float64]) -> bool:
    """Whether the rotation takes the axes a, b, c, rows of ``base``, to lattice vectors."""
    indices = base @ matrix.T @ np.linalg.inv(base)
    return bool(np.abs(indices - np.round(indices)).max() < _WHOLE)
