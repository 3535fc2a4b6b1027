"""Which operator of the crystal brings two orientations nearest to each other? Compiled."""

from __future__ import annotations

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
        aw, ax, ay, az = a[i, 0], a[i, 1], a[i, 2], a[i, 3]
        bw, bx, by, bz = b[i, 0], -b[i, 1], -b[i, 2], -b[i, 3]
        w = aw * bw - ax * bx - ay * by - az * bz
        x = aw * bx + ax * bw + ay * bz - az * by
        y = aw * by - ax * bz + ay * bw + az * bx
        z = aw * bz + ax * by - ay * bx + az * bw
        best, which = -abs(w) - 1, 0  # below all, of one type with them
        for k in range(len(operators)):
            scalar = abs(
                operators[k, 0] * w
                - operators[k, 1] * x
                - operators[k, 2] * y
                - operators[k, 3] * z
            )
            if scalar > best:
                best, which = scalar, k
        cosine[i], index[i] = best, which
    return cosine, index
