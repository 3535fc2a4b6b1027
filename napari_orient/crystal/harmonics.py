"""Smooth functions of an orientation that do not see the symmetry of the crystal.

Symmetrised hyperspherical harmonics: f(s q) = f(q) for every operator s of a Laue group, and
f(-q) = f(q). They are the combinations of the Z^n_lm of one even n
(:mod:`napari_orient.crystal.hyperspherical`) that averaging over the group leaves as they are,
orthonormal as those are. Nothing is tabulated.

Side
    Our quaternions are lab2crystal, so the symmetry acts on the left. In the paper (Eqs. 17 and 18,
    by Mason) it acts on the right, f(q s) = f(q): the same space, of the conjugate quaternion.

Basis
    Inside one n it is a choice, and whatever takes absolute values of single functions, such as the
    variogram of first order, depends on it. Ours is the echelon form, of which there is only one:
    with the Z^n_lm in the order l, m, cosine before sine, the first function has the earliest
    Z^n_lm that any can have, with a positive coefficient; each further one begins later, and all
    are orthogonal.

Uniqueness
    A rotation of the lab mixes the functions of one n by an orthogonal matrix. The distance of two
    orientations, |Z(p) - Z(q)|, is therefore a function of p q^-1 alone, and a set identifies all
    orientations as soon as it identifies one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_orient.crystal.hyperspherical import coefficients, monomials
from napari_orient.crystal.polynomials import Polynomials
from napari_orient.crystal.quaternions import (
    Array,
    as_pair,
    as_tensor,
    like_input,
    multiply,
    random_orientations,
)
from napari_orient.crystal.rotations import laue_operators

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ZERO = 1e-6  # up to n = 20 what is zero is below 1e-13, and what is not above 4e-3


@dataclass(frozen=True, eq=False)
class Harmonics:
    """A set of K symmetrised harmonics, as functions of quaternions.

    Attributes
    ----------
    group
        The Laue group, by name.
    degrees
        The degree n of each of the K functions.
    polynomials
        One entry for each n, with ``coefficients`` (K_n, M) and ``exponents`` (M, 4).
    """

    group: str
    degrees: tuple[int, ...]
    polynomials: tuple[Polynomials, ...]

    @property
    def count(self) -> int:
        """Number K of functions."""
        return len(self.degrees)

    def __call__(self, q: Array) -> Array:
        """Values (..., K) at unit quaternions (..., 4), lab2crystal.

        Torch tensors on any device, or numpy arrays, give back their like; float32 stays float32.
        The gradient is that of the polynomials with respect to the four numbers as they are:
        normalise before, with autograd, where they are free. NaN gives NaN.
        """
        x = as_tensor(q)
        rows = x.reshape(-1, 4)
        each = [p.values(rows) for p in self.polynomials]
        both = each[0] if len(each) == 1 else torch.cat(each, 1)
        return like_input(both.reshape(*x.shape[:-1], self.count), q)

    def pull_back(self, q: Array, weights: Array) -> Array:
        """Gradients (..., 4) of the sum of ``weights`` (..., K) times the values at q (..., 4)."""
        x, w = as_pair(q, weights)
        rows, columns = x.reshape(-1, 4), w.reshape(-1, self.count)
        total, start = torch.zeros_like(rows), 0
        for p in self.polynomials:
            stop = start + len(p.coefficients)
            total += p.pull_back(rows, columns[:, start:stop])
            start = stop
        return like_input(total.reshape(x.shape), q, weights)


def harmonics(group: str, degrees: Sequence[int] = (8,)) -> Harmonics:
    """Return all symmetrised harmonics of the given degrees.

    Parameters
    ----------
    group
        Point group as in :func:`napari_orient.crystal.rotations.laue_operators`.
    degrees
        Even numbers n, each once; the functions come in this order.

    Raises
    ------
    ValueError
        For a group that is not known, and for an n that is odd, below 2 (a constant tells nothing),
        repeated, or has no function of this group.
    """
    return _harmonics(group, tuple(degrees))


@cache
def _harmonics(group: str, degrees: tuple[int, ...]) -> Harmonics:
    if not degrees or len(set(degrees)) < len(degrees) or min(degrees) < 2:
        raise ValueError(f"degrees of harmonics are 2 or more and given once each, not {degrees}")
    every = []
    for n in degrees:
        rows = invariant_basis(group, n)
        if not len(rows):
            raise ValueError(f"{group} has no harmonic of degree {n}; see count_invariants")
        products = rows @ coefficients(n)
        products.flags.writeable = False  # the cache hands out this very set
        every.append(Polynomials(n, products))
    each = [p.degree for p in every for _ in p.coefficients]
    return Harmonics(group, tuple(each), tuple(every))


def default_harmonics(group: str) -> Harmonics:
    """Return the set of lowest degree that tells all orientations of a Laue group apart.

    n is twice the order of the highest rotation axis: 2 for -1, 4 for 2/m and mmm, 6 for -3, -3m
    and m-3, 8 for 4/m, 4/mmm and m-3m (nine functions, as in the paper), 12 for 6/m and 6/mmm.
    """
    smallest = 2 * np.arccos(np.abs(laue_operators(group)[1:, 0]).max(initial=-1.0))
    return harmonics(group, (2 * round(2 * math.pi / smallest),))


def count_invariants(group: str, n: int) -> int:
    """Count the independent harmonics of degree n by characters (Molien), without making any.

    (n + 1) times the mean over the operators, rotations by w, of sin((n + 1) w/2) / sin(w/2).
    """
    half = np.arccos(np.clip(laue_operators(group)[:, 0], -1, 1))
    sine = np.sin(half)
    turned = np.abs(sine) > 1e-9
    character = np.where(turned, np.sin((n + 1) * half) / np.where(turned, sine, 1), n + 1)
    return round((n + 1) * float(character.mean()))


@cache
def invariant_basis(group: str, n: int) -> NDArray[np.float64]:
    """Coefficients (K, (n + 1)^2) in Z^n_lm of the symmetrised harmonics of one even n; read-only.

    Columns as :func:`napari_orient.crystal.hyperspherical.indices`; rows are orthonormal. This is
    Eq. 18, for the left side.

    Raises
    ------
    ValueError
        For an odd or negative n, or a group that is not known.
    """
    if n % 2:
        raise ValueError(f"harmonics of odd degree tell q from -q: n is even, not {n}")
    basis = _echelon(_average(group, n))
    basis.flags.writeable = False
    return basis


def _average(group: str, n: int) -> NDArray[np.float64]:
    """Orthogonal projector: the matrix P of mean_s Z(s q) = P Z(q), found from random q."""
    q = random_orientations(2 * (n + 1) ** 2 + 8, seed=n)
    operators = laue_operators(group)
    averages = sum(_raw(n, multiply(s, q)) for s in operators) / len(operators)
    found, *_ = np.linalg.lstsq(_raw(n, q), averages, rcond=None)
    projector = (found + found.T) / 2
    square = projector @ projector  # one step that takes eigenvalues to 0 and 1
    return np.asarray(3 * square - 2 * square @ projector)


def _raw(n: int, q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Z^n_lm (N, (n + 1)^2) at q (N, 4)."""
    powers = q[..., None] ** np.arange(n + 1)
    products = np.ones((len(q), 1))
    for i, exponents in enumerate(monomials(n).T):
        products = products * powers[:, i, exponents]
    return np.asarray(products @ coefficients(n).T)


def _echelon(projector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal rows (rank, n) of the space of a projector, in echelon form."""
    rest = projector.copy()
    rows: list[NDArray[np.float64]] = []
    for i in range(len(rest)):
        # what is left of the projector has the i-th unit vector's image as its row i
        if rest[i, i] > _ZERO:
            row = rest[i] / math.sqrt(rest[i, i])
            rows.append(row)
            rest = rest - np.outer(row, row)
    basis = np.array(rows).reshape(len(rows), len(projector))
    basis[np.abs(basis) < 1e-11] = 0
    return basis
