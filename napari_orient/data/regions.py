"""How does a part of the scan diffract? The mean or the maximum of its patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_orient.data.blocks import blocks
from napari_orient.data.pages import release
from napari_orient.jobs import Every, Job, Partial, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan

Statistic = Literal["mean", "max"]
_READ_BYTES = 8_000_000  # a few milliseconds a block, so that a cancel is obeyed at once


def region_pattern(
    scan: Scan, region: NDArray[np.bool_] | None = None, statistic: Statistic = "mean"
) -> Job[NDArray[np.float64]]:
    """Combine the patterns of a region of the scan into one.

    Parameters
    ----------
    scan
        The scan; it is read block by block, only where the region is.
    region
        Mask (y, x) of scan positions; None takes all of them.
    statistic
        "mean", or "max" which shows every reflection that is excited anywhere.

    Yields
    ------
    Progress, Partial
        ``Partial("pattern", value)``: the statistic of the positions read so far.

    Returns
    -------
    ndarray of float64, (ky, kx)
        NaN pixels of single patterns are left out; NaN where no pattern has a value.

    Raises
    ------
    ValueError
        If the mask does not fit the scan, or is empty.
    OSError
        If the file behind the scan disappeared or is damaged.
    """
    mask = np.ones(scan.scan_shape, np.bool_) if region is None else np.asarray(region, np.bool_)
    if mask.shape != scan.scan_shape:
        raise ValueError(f"the region has shape {mask.shape}, the scan {scan.scan_shape}")
    if not mask.any():
        raise ValueError("the region holds no scan position")
    state = _Statistic(scan, statistic)
    show, tick = Every(0.3, 0.1), Every(0.05, 0.0)
    pieces = [where for where in blocks(scan, _READ_BYTES) if mask[where].any()]
    text = f"{statistic} of {int(mask.sum())} patterns"
    try:
        for number, where in enumerate(pieces, 1):
            state.add(*_patterns(scan, where, mask))
            if tick.due():
                yield Progress(number, len(pieces), text)
            if show.due():
                yield Partial("pattern", state.value())
    finally:
        release(scan.data)
    return state.value()


def _patterns(
    scan: Scan, where: tuple[slice, slice], mask: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read the part of a block that the mask touches: (y, x, ky, kx) and its mask (y, x)."""
    rows = np.flatnonzero(mask[where].any(axis=1))
    columns = np.flatnonzero(mask[where].any(axis=0))
    y = slice(where[0].start + int(rows[0]), where[0].start + int(rows[-1]) + 1)
    x = slice(where[1].start + int(columns[0]), where[1].start + int(columns[-1]) + 1)
    return scan.read(y, x), mask[y, x]


class _Statistic:
    """Mean or maximum of the patterns so far."""

    def __init__(self, scan: Scan, statistic: Statistic) -> None:
        self.statistic = statistic
        self.total = np.zeros(scan.pattern_shape)
        self.number: NDArray[np.int64] | int = 0
        self.largest = np.full(scan.pattern_shape, np.nan)

    def add(self, block: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        for row, inside in zip(block, mask, strict=True):
            patterns = row if inside.all() else row[inside]
            if not len(patterns):
                continue
            if self.statistic == "max":
                self.largest = np.fmax(self.largest, np.fmax.reduce(patterns, axis=0))
            elif patterns.dtype.kind == "f":
                valid = np.isfinite(patterns)
                self.total += np.where(valid, patterns, 0).sum(axis=0, dtype=np.float64)
                self.number = self.number + valid.sum(axis=0)
            else:
                self.total += patterns.sum(axis=0, dtype=np.int64)
                self.number = self.number + len(patterns)

    def value(self) -> NDArray[np.float64]:
        if self.statistic == "max":
            return self.largest.copy()
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: NDArray[np.float64] = self.total / self.number
        return mean
