"""How do counts become grey values? Scaling and contrast of one pattern; no Qt."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Scaling = Literal["linear", "sqrt", "log"]
LEVELS = 1 << 14
LOG_SPAN = 1000.0  # the log scale shows about three decades


def to_bytes(
    pattern: NDArray[Any], scaling: Scaling = "log", percentiles: tuple[float, float] = (0, 100)
) -> NDArray[np.uint8]:
    """Turn a pattern into grey values 0 to 255; NaN is black.

    The percentile limits are mapped to 0 and 1, then v is shown as v, sqrt(v) or
    log(1 + 1000 v) / log(1001).
    """
    values = np.asarray(pattern, dtype=np.float32)
    low, high = _limits(values, percentiles)
    ramp = np.linspace(0, 1, LEVELS)
    if scaling == "sqrt":
        ramp = np.sqrt(ramp)
    elif scaling == "log":
        ramp = np.log1p(LOG_SPAN * ramp) / math.log1p(LOG_SPAN)
    table = np.round(255 * ramp).astype(np.uint8)
    levels = (values - low) * np.float32((LEVELS - 1) / (high - low))
    np.clip(levels, 0, LEVELS - 1, out=levels)
    np.nan_to_num(levels, copy=False, nan=0)
    return table[levels.astype(np.uint16)]


def _limits(values: NDArray[np.float32], percentiles: tuple[float, float]) -> tuple[float, float]:
    """Return the values at two percentiles, the second one always the larger."""
    every = max(1, math.isqrt(values.size // 400_000 + 1))
    some = values[::every, ::every].ravel()
    if not np.isfinite(some).all():
        some = some[np.isfinite(some)]
    if some.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(some, percentiles))
    if high <= low:  # few bright pixels on an empty background: the percentile lies in the dark
        high = float(some.max())
    return low, high if high > low else low + 1.0


def nice_length(longest: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above ``longest``."""
    power = 10.0 ** math.floor(math.log10(longest))
    return next(f * power for f in (5, 2, 1) if f * power <= longest * (1 + 1e-9))
