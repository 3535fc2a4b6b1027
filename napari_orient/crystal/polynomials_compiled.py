"""The kernel of :mod:`napari_orient.crystal.polynomials`: 64 quaternions at a time, in the cache.

Every monomial is one product of two that are there already, and the gradient goes the same way
back. Loops run over the quaternions of a block: the compiler makes vector instructions of these.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_WIDTH = 64
_fast = {"contract"}  # multiply and add in one; all else of floating-point arithmetic stays


@numba.njit(cache=True, nogil=True, fastmath=_fast)  # type: ignore[untyped-decorator]
def evaluate(q: Any, steps: Any, first: Any, which: Any, factors: Any, out: Any) -> None:
    """Write the values of all polynomials (N, K) at q (N, 4) to ``out``."""
    rows = np.zeros((4 + len(steps), _WIDTH), q.dtype)
    total = np.empty(_WIDTH, q.dtype)
    for start in range(0, len(q), _WIDTH):
        n = min(_WIDTH, len(q) - start)
        _products(q, start, n, steps, rows)
        for k in range(len(first) - 1):
            total[:] = 0
            for t in range(first[k], first[k + 1]):
                _add_scaled(total, factors[t], rows[which[t]])
            for j in range(n):
                out[start + j, k] = total[j]


@numba.njit(cache=True, nogil=True, fastmath=_fast)  # type: ignore[untyped-decorator]
def gradient(
    q: Any, weights: Any, steps: Any, first: Any, which: Any, factors: Any, out: Any
) -> None:
    """Write the gradients (N, 4) of the sums of ``weights`` (N, K) * values to ``out``."""
    rows = np.zeros((4 + len(steps), _WIDTH), q.dtype)
    back = np.empty_like(rows)
    weight = np.zeros(_WIDTH, q.dtype)
    for start in range(0, len(q), _WIDTH):
        n = min(_WIDTH, len(q) - start)
        _products(q, start, n, steps, rows)
        back[:] = 0
        for k in range(len(first) - 1):
            for j in range(n):
                weight[j] = weights[start + j, k]
            for t in range(first[k], first[k + 1]):
                _add_scaled(back[which[t]], factors[t], weight)
        for i in range(len(steps) - 1, -1, -1):
            a, b = steps[i, 0], steps[i, 1]
            _add_product(back[a], back[4 + i], rows[b])
            _add_product(back[b], back[4 + i], rows[a])
        for i in range(4):
            for j in range(n):
                out[start + j, i] = back[i, j]


# functions of their own: within the loops above the compiler makes no vector instructions of them


@numba.njit(cache=True, nogil=True, fastmath=_fast)  # type: ignore[untyped-decorator]
def _add_scaled(row: Any, factor: Any, one: Any) -> None:
    for j in range(_WIDTH):
        row[j] += factor * one[j]


@numba.njit(cache=True, nogil=True, fastmath=_fast)  # type: ignore[untyped-decorator]
def _add_product(row: Any, one: Any, other: Any) -> None:
    for j in range(_WIDTH):
        row[j] += one[j] * other[j]


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _products(q: Any, start: int, n: int, steps: Any, rows: Any) -> None:
    """Components of n quaternions, then all products."""
    for i in range(4):
        for j in range(n):
            rows[i, j] = q[start + j, i]
    for i in range(len(steps)):
        a, b, row = rows[steps[i, 0]], rows[steps[i, 1]], rows[4 + i]
        for j in range(_WIDTH):
            row[j] = a[j] * b[j]
