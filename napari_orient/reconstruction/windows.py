"""Which neighbours do descriptors look at? The lags of a square window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Lags = Literal["half", "full"]


def window_lags(window: int, lags: Lags = "half") -> NDArray[np.int64]:
    """Lags (n, 2), (rows, columns), of a window without the centre.

    Parameters
    ----------
    window
        Width in points, odd.
    lags
        "half": one of each lag and its opposite, those further down, or to the right in the same
        row. 144 for 17. "full": all, 288.

    Raises
    ------
    ValueError
        If the window is even, or has no neighbours.
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"a window is an odd number of points wide, 3 or more, not {window}")
    far = window // 2
    place = np.arange(-far, far + 1)
    every = np.stack(np.meshgrid(place, place, indexing="ij"), axis=-1).reshape(-1, 2)
    ahead = (every[:, 0] > 0) | ((every[:, 0] == 0) & (every[:, 1] > 0))
    if lags == "half":
        return np.asarray(every[ahead], np.int64)
    return np.asarray(every[(every != 0).any(axis=1)], np.int64)
