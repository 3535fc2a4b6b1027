"""In which pieces is a scan read? Small ones along chunk borders, a pattern box at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.pages import mapping_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan

_READ_BYTES = 2_000_000  # one read stays well below 50 ms, so that a cancel is obeyed at once
_DASK_BYTES = 32_000_000  # of many small blocks: dask spends long on each request
_PAGE = 4096  # bytes that a disk hands over at least
MAPPED_BYTES = 256_000_000  # pages of a memory map that are held at a time


@dataclass(frozen=True)
class Read:
    """One piece of a scan; ``last`` if it completes its scan positions."""

    y: slice
    x: slice
    ky: slice
    kx: slice
    last: bool


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the smallest (ky, kx) slices that hold the mask, which must not be empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def reading_unit(scan: Scan, max_bytes: int) -> tuple[int, int, int, int]:
    """Return the unit in which reading is not wasteful: a chunk, or a single position."""
    chunks = scan.chunks or (1, 1, 1, 1)
    if hasattr(scan.data, "dask"):  # its blocks are views until computed: finer is allowed
        y, x, ky, kx = chunks
        position = scan.nbytes // math.prod(scan.scan_shape)
        x = max(1, min(x, max_bytes // position))
        chunks = (max(1, min(y, max_bytes // (position * x))), x, ky, kx)
    cy, cx, cky, ckx = (min(c, n) for c, n in zip(chunks, scan.shape, strict=True))
    return cy, cx, cky, ckx


def plan_reads(scan: Scan, ky: slice, kx: slice, max_bytes: int) -> list[Read]:
    """Cut the scan into reads of the pattern box, along chunk borders, of about ``max_bytes``."""
    ny, nx, nky, nkx = scan.shape
    cy, cx, cky, ckx = reading_unit(scan, max_bytes)

    def touched(start: int, stop: int, chunk: int, n: int) -> int:
        return min(math.ceil(stop / chunk) * chunk, n) - start // chunk * chunk

    row_bytes = touched(kx.start, kx.stop, ckx, nkx) * scan.dtype.itemsize
    position = touched(ky.start, ky.stop, cky, nky) * row_bytes
    if scan.chunks is None and not scan.in_memory:  # whole pages are read, whatever the box needs
        lines = ky.stop - ky.start
        position = max(position, min(lines * nkx * scan.dtype.itemsize, lines * _PAGE) + _PAGE)
    width = min(nx, max(1, max_bytes // (position * cy * cx)) * cx)
    height = min(ny, max(1, max_bytes // (position * cy * width)) * cy) if width == nx else cy
    slab = max(1, max_bytes // (row_bytes * height * width * cky)) * cky
    borders = sorted({ky.start, *range(ky.start // slab * slab + slab, ky.stop, slab), ky.stop})
    return [
        Read(
            slice(y, min(y + height, ny)),
            slice(x, min(x + width, nx)),
            slice(first, stop),
            kx,
            last=stop == ky.stop,
        )
        for y in range(0, ny, height)
        for x in range(0, nx, width)
        for first, stop in pairwise(borders)
    ]


def read_bytes(scan: Scan) -> int:
    """Return how many bytes of the scan one read should take."""
    blocks = getattr(scan.data, "npartitions", None)  # dask looks at all of them at each request
    if blocks is None:
        return _READ_BYTES
    return min(_DASK_BYTES, max(4 * _READ_BYTES, 20_000 * int(blocks)))


def leaves_gaps(scan: Scan, ky: slice) -> bool:
    """Return True if a pass over pattern rows ``ky`` should skip most of a memory map's pages."""
    if mapping_of(scan.data) is None:
        return False
    pattern = scan.nbytes // math.prod(scan.scan_shape)
    needed = (ky.stop - ky.start) * pattern // scan.shape[2] + _PAGE
    return pattern >= 16 * _PAGE and 2 * needed < pattern
