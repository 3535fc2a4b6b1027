"""What are the hyperspherical harmonics, as polynomials of a quaternion?

Z^n_lm of unit quaternions (scalar first) in the real convention of Mason and Schuh (Acta Mater. 56
(2008) 6141), as in Eqs. 10-16 of the paper on reconstruction, with degree n >= l >= m >= 0, a
cosine type and, for m > 0, a sine type: (n + 1)^2 functions of one n. Each is a homogeneous
polynomial of degree n in the four components,

    N C(q0, r) S(q1, q2, q3),   r^2 = q1^2 + q2^2 + q3^2,

with C the Gegenbauer polynomial of Eq. 15 made homogeneous and S a solid harmonic of degree l: no
angles, hence no place where a value or a gradient is undefined. Both factors are sums with
coefficients in closed form, without cancellation.

The normalisation is that of the area of the sphere of unit quaternions, 2 pi^2: the integral of
Z Z' is 1 for a function with itself and 0 for two different ones, Z^0_00 = 1 / (pi sqrt 2). Eq. 14
needs three corrections for that: the sine to the power l, (n + 1) where (n + 1)! is printed, and a
factor of 1 / sqrt 2 for m = 0. The signs (-1)^m of Eqs. 14 and 16 cancel.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Index(NamedTuple):
    """Which of the functions of one n: l (``ell``), ``m``, and "c" or "s", cosine or sine."""

    ell: int
    m: int
    kind: str


@cache
def indices(n: int) -> tuple[Index, ...]:
    """All (n + 1)^2 functions of one n, in order: l, then m, then cosine before sine."""
    pairs = [(ell, m) for ell in range(n + 1) for m in range(ell + 1)]
    return tuple(Index(ell, m, kind) for ell, m in pairs for kind in "cs" if m or kind == "c")


@cache
def monomials(degree: int) -> NDArray[np.int64]:
    """Exponents (M, 4) of all monomials of one degree in four variables; read-only."""
    every = range(degree + 1)
    rows = [
        (a, b, c, degree - a - b - c)
        for a in every
        for b in every[: degree - a + 1]
        for c in every[: degree - a - b + 1]
    ]
    return _frozen(np.array(rows, np.int64))


@cache
def coefficients(n: int) -> NDArray[np.float64]:
    """Coefficients of Z^n_lm: rows as :func:`indices`, columns as :func:`monomials`; read-only.

    Raises
    ------
    ValueError
        For a negative n.
    """
    if n < 0:
        raise ValueError(f"the degree of a harmonic is 0 or more, not {n}")
    exponents = monomials(n)
    column = np.zeros((n + 1,) * 3, np.int64)
    column[exponents[:, 0], exponents[:, 3], exponents[:, 2]] = np.arange(len(exponents))
    rows = np.zeros((len(indices(n)), len(exponents)))
    for row, index in zip(rows, indices(n), strict=True):
        for (a, d), plane in _terms(n, *index).items():
            row[column[a, d, : len(plane)]] += plane
    return _frozen(rows)


def _terms(n: int, ell: int, m: int, kind: str) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Return for the powers of q0 and q3 the polynomial of q1 and q2: a row, by powers of q2."""
    found: dict[tuple[int, int], NDArray[np.float64]] = {}
    outer, inner = _gegenbauer(n - ell, 2 * ell + 2), _gegenbauer(ell - m, 2 * m + 1)
    for i, factor in enumerate(outer * _norm(n, ell, m)):
        # r^2i = (q3^2 + s^2)^i, with s^2 = q1^2 + q2^2
        for u, more in enumerate(np.convolve(inner, _binomials(i))):
            found[n - ell - 2 * i, ell - m + 2 * (i - u)] = factor * more * _plane(m, u, kind)
    return found


def _gegenbauer(k: int, twice: int) -> NDArray[np.float64]:
    """Coefficients of C_k, its order ``twice`` / 2, by powers of sin^2: x^(k - 2j) (1 - x^2)^j."""
    values = [float(math.comb(k + twice - 1, k))]
    for j in range(k // 2):
        ratio = -(k - 2 * j) * (k - 2 * j - 1) / (2 * (j + 1) * (twice + 1 + 2 * j))
        values.append(values[-1] * ratio)
    return np.array(values)


def _binomials(i: int) -> NDArray[np.float64]:
    return np.array([math.comb(i, t) for t in range(i + 1)], float)


@cache
def _plane(m: int, u: int, kind: str) -> NDArray[np.float64]:
    """(q1^2 + q2^2)^u times the real or imaginary part of (q1 + i q2)^m, by powers of q2."""
    ring = np.zeros(2 * u + 1)
    ring[::2] = _binomials(u)
    part = _binomials(m) * np.array([1, 0, -1, 0])[(np.arange(m + 1) - (kind == "s")) % 4]
    return np.convolve(ring, part)


def _norm(n: int, ell: int, m: int) -> float:
    """Constant of Eq. 14 times (2m - 1)!!, which takes P_l^m to a Gegenbauer polynomial."""
    f = math.factorial
    square = Fraction(
        4**ell * f(ell) ** 2 * (2 * ell + 1) * f(ell - m) * (n + 1) * f(n - ell),
        f(ell + m) * f(n + ell + 1),
    )
    odd = math.prod(range(1, 2 * m, 2))
    return math.sqrt(square * odd**2 / (1 if m else 2)) / math.pi


def moments(exponents: Any) -> NDArray[np.float64]:
    """Integrals (...) of the monomials (..., 4) over the unit quaternions, whose area is 2 pi^2.

    2 G((a + 1) / 2) G((b + 1) / 2) ... / G((a + b + c + d + 4) / 2), zero if any of them is odd
    (Folland, Am. Math. Mon. 108 (2001) 446).
    """
    e = np.asarray(exponents)
    gamma = np.array([math.gamma((k + 1) / 2) for k in range(int(e.max(initial=0)) + 1)])
    whole = np.array([math.gamma(k / 2 + 2) for k in range(int(e.sum(-1).max(initial=0)) + 1)])
    return np.where((e % 2).any(-1), 0.0, 2 * gamma[e].prod(-1) / whole[e.sum(-1)])


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False  # the cache hands out this very array
    return array
