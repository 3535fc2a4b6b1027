"""What is known of a field of orientations? Correlations of its harmonics, in plain torch.

Fields are (..., harmonics, rows, columns). Lags are of rows and columns, r = (down, right). The
equations are those of "Reconstruction of orientation fields with symmetrized hyperspherical
harmonics": two-point correlations (Eq. 19), variograms (Eqs. 20 and 21, in :mod:`.variogram`),
mean variation (Eq. 22).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


@cache
def field_pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of fields, each once: S of (b, a) at r is that of (a, b) at -r."""
    first, second = np.triu_indices(count)
    return first.astype(np.int64), second.astype(np.int64)


Rows = tuple[int, int]  # from, to: of the points x that are counted


def band_rows(rows: int, part: tuple[int, int] | None, up: int, down: int) -> Rows | None:
    """Rows of band n of so many, ``part``, of which all neighbours are in the field.

    Parameters
    ----------
    up, down
        How far neighbours are.

    Raises
    ------
    ValueError
        If there are none.
    """
    if part is None:
        return None
    n, bands = part
    top, bottom = round(n * rows / bands), round((n + 1) * rows / bands)
    top, bottom = max(top, up), min(bottom, rows - down)
    if bottom <= top:
        raise ValueError(
            f"A band of {rows // bands} rows is too narrow for a window of {2 * down + 1}: take "
            "fewer bands, a smaller window, or a larger field."
        )
    return top, bottom


def two_point(fields: Tensor, window: int, base: Rows | None = None) -> Tensor:
    """Auto- and cross-correlations S_ab(r) = mean over x of z_a(x) z_b(x + r) of periodic fields.

    Parameters
    ----------
    fields
        (slices, harmonics, rows, columns).
    window
        Odd: lags up to half of it along both axes.
    base
        Only x in these rows, half a window or more from the borders above and below.

    Returns
    -------
    correlations
        (slices, pairs, window, window), the pairs of :func:`field_pairs`, r = 0 in the middle.
    """
    if base is not None:
        far = window // 2
        fields = fields[..., base[0] - far : base[1] + far, :]
    *_, rows, columns = fields.shape
    first, second = field_pairs(fields.shape[-3])
    spectrum = counted = torch.fft.rfft2(fields)
    share = 1.0
    if base is not None:
        inside = torch.zeros_like(fields)
        inside[..., far : rows - far, :] = 1.0
        counted, share = torch.fft.rfft2(fields * inside), (rows - 2 * far) / rows
    product = counted[:, first].conj() * spectrum[:, second]
    # only the window of the inverse transform, as two small products
    down, right = _waves(window, rows, columns, fields)
    found: Tensor = (down @ product @ right).real
    return found / (share * (rows * columns) ** 2)


def _waves(window: int, rows: int, columns: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices (window, rows) and (half columns, window) of the inverse transform at the lags."""
    kind = torch.complex64 if like.dtype == torch.float32 else torch.complex128
    lags = np.arange(window) - window // 2
    down = np.exp(2j * np.pi * np.outer(lags, np.arange(rows)) / rows)
    half = np.arange(columns // 2 + 1)
    twice = np.where((half == 0) | (2 * half == columns), 1.0, 2.0)
    right = twice[:, None] * np.exp(2j * np.pi * np.outer(half, lags) / columns)
    made = [torch.as_tensor(m, dtype=kind, device=like.device) for m in (down, right)]
    return made[0], made[1]


def mean_variation(fields: Tensor, base: Rows | None = None) -> Tensor:
    """Mean of |grad z| (slices, harmonics) of periodic fields, by forward differences per step."""
    down = fields.roll(-1, -2) - fields
    right = fields.roll(-1, -1) - fields
    square = down**2 + right**2
    if base is not None:
        square = square[..., base[0] : base[1], :]
    # the root has no slope at zero: flat regions are not to be pushed
    flat = square == 0
    size = torch.where(flat, torch.zeros_like(square), torch.where(flat, 1.0, square).sqrt())
    return size.mean((-2, -1))


def variogram(fields: Tensor, lags: NDArray[np.int64], order: float = 1.0) -> Tensor:
    """gamma(r) = 1/2N sum |z(x) - z(x + r)|^order (Eq. 20) of periodic fields (..., n)."""
    found = [
        (fields.roll((-int(d), -int(r)), (-2, -1)) - fields).abs().pow(order).mean((-2, -1)) / 2
        for d, r in lags
    ]
    return torch.stack(found, dim=-1)


def pooled(fields: Tensor) -> Tensor:
    """Means of 2 x 2 points; the last row or column of an odd number is left out."""
    return torch.nn.functional.avg_pool2d(fields, 2)
