"""The inner loops of the three-point variogram, compiled. See :mod:`.variogram`."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def fill_differences(padded: Any, lags: Any, far: int, top: int, out: Any) -> None:
    """Write |z(x + r) - z(x)| of some rows.

    Parameters
    ----------
    padded
        (rows + 2 far, columns + 2 far) field with its neighbours across the borders.
    lags
        (n, 2), none longer than ``far`` along an axis.
    top
        The first row.
    out
        (n, rows of the block, columns).
    """
    rows, columns = out.shape[1], out.shape[2]
    for n in range(len(lags)):
        down, right = lags[n, 0], lags[n, 1]
        for y in range(rows):
            here = padded[top + y + far, far : far + columns]
            there = padded[top + y + far + down, far + right : far + right + columns]
            line = out[n, y]
            for x in range(columns):
                line[x] = abs(there[x] - here[x])


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def add_gradient(padded: Any, lags: Any, far: int, top: int, weights: Any, gradient: Any) -> None:
    """Add the gradient of sum(weights * differences) to that of the padded field.

    ``weights`` is shaped as ``out`` of :func:`fill_differences`; ``gradient`` as ``padded``.
    """
    rows, columns = weights.shape[1], weights.shape[2]
    own = np.empty(columns, weights.dtype)
    for y in range(rows):
        here = padded[top + y + far, far : far + columns]
        own[:] = 0
        for n in range(len(lags)):
            down, right = lags[n, 0], lags[n, 1]
            there = padded[top + y + far + down, far + right : far + right + columns]
            other = gradient[top + y + far + down, far + right : far + right + columns]
            line = weights[n, y]
            for x in range(columns):
                apart = there[x] - here[x]
                push = line[x] if apart > 0 else (-line[x] if apart < 0 else line[x] * 0)
                other[x] += push
                own[x] -= push
        target = gradient[top + y + far, far : far + columns]
        for x in range(columns):
            target[x] += own[x]
