"""Which operator of the crystal brings two orientations nearest to each other? Compiled.

For numbers on the processor, ten times as fast as torch, which writes down all products, and calm
where other programs use the cores too.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def nearest_operators(a: Any, b: Any, operators: Any) -> Any:
    """For each pair, the operator s of which s a b^-1 has the smallest angle.

    Parameters
    ----------
    a, b
        (n, 4) unit quaternions.
    operators
        (m, 4).

    Returns
    -------
    cosine, index
        (n,) of half the smallest angle, and which operator; of equals the first.
    """
    n = len(a)
    cosine, index = np.empty(n, a.dtype), np.empty(n, np.int64)
    for i in range(n):
        w, x, y, z = _between(a[i], b[i])
        cosine[i], index[i] = _best(w, x, y, z, operators)
    return cosine, index


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def smallest_angles(a: Any, b: Any, operators: Any, modulo_beam: bool) -> Any:
    """Smallest angle (n,) in degrees of s a b^-1, over the operators s (m, 4).

    ``modulo_beam``: or of s a t b^-1, with t half a turn about the lab's z. By atan2, which keeps
    all digits of small angles.
    """
    n = len(a)
    angles = np.empty(n, a.dtype)
    turned = np.empty(4, a.dtype)
    for i in range(n):
        w, x, y, z = _between(a[i], b[i])
        cosine, k = _best(w, x, y, z, operators)
        if modulo_beam:
            turned[0], turned[1], turned[2], turned[3] = -a[i, 3], a[i, 2], -a[i, 1], a[i, 0]
            w_t, x_t, y_t, z_t = _between(turned, b[i])
            cosine_t, k_t = _best(w_t, x_t, y_t, z_t, operators)
            if cosine_t > cosine:
                w, x, y, z, k, cosine = w_t, x_t, y_t, z_t, k_t, cosine_t
        s = operators[k]
        x_s = s[0] * x + s[1] * w + s[2] * z - s[3] * y
        y_s = s[0] * y - s[1] * z + s[2] * w + s[3] * x
        z_s = s[0] * z + s[1] * y - s[2] * x + s[3] * w
        sine = math.sqrt(x_s * x_s + y_s * y_s + z_s * z_s)
        angles[i] = math.degrees(2 * math.atan2(sine, cosine))
    return angles


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _between(a: Any, b: Any) -> Any:
    """Components of a b^-1."""
    return (
        a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3],
        -a[0] * b[1] + a[1] * b[0] - a[2] * b[3] + a[3] * b[2],
        -a[0] * b[2] + a[1] * b[3] + a[2] * b[0] - a[3] * b[1],
        -a[0] * b[3] - a[1] * b[2] + a[2] * b[1] + a[3] * b[0],
    )


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _best(w: Any, x: Any, y: Any, z: Any, operators: Any) -> Any:
    """Largest scalar part of s (w, x, y, z), and whose it is; -1 where nothing is a number."""
    best, which = abs(w) - abs(w) - 1, 0
    for k in range(len(operators)):
        s = operators[k]
        scalar = abs(s[0] * w - s[1] * x - s[2] * y - s[3] * z)
        if scalar > best:
            best, which = scalar, k
    return best, which
