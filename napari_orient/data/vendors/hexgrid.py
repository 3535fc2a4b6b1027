"""How does a hexagonal grid become a square one? By the nearest point, row by row.

The square grid has the distance of the hexagonal rows as its step in both directions, 0.866 of
the distance of points along a row. Its rows are the measured rows, so that the nearest point is
always in the same row, at most half a step away, and every measured point is taken at least once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEX_NOTE = "The hexagonal grid was resampled to square pixels by the nearest point"
_REACH = 0.6  # of the step along a row: half a step, and what rounded positions add
_ROW = float(np.sqrt(0.75))  # distance of rows in steps along a row


def resample_hexagonal(
    columns: dict[str, NDArray[Any]], step: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float]:
    """Find the measured point that is nearest to each point of a square grid.

    Parameters
    ----------
    columns
        "x" and "y" (n,) of the measured points, in any order, in any unit.
    step
        Distance of points along a row, in that unit.

    Returns
    -------
    nearest
        (m,) index of the measured point; grid points without one in reach are left out.
    x, y
        (m,) positions on the square grid.
    pitch
        Step of the square grid.
    """
    from scipy.spatial import cKDTree

    x, y = columns["x"], columns["y"]
    pitch = step * _ROW
    wide = int((np.ptp(x)) / pitch + 1e-3) + 1
    high = round(float(np.ptp(y)) / pitch) + 1
    rows, places = np.indices((high, wide)).reshape(2, -1)
    grid_x, grid_y = x.min() + places * pitch, y.min() + rows * pitch
    away, nearest = cKDTree(np.column_stack([x, y])).query(
        np.column_stack([grid_x, grid_y]), distance_upper_bound=_REACH * step
    )
    near = np.isfinite(away)
    return np.asarray(nearest[near], np.int64), grid_x[near], grid_y[near], pitch
