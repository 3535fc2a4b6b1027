"""How is a scan read in pieces that fit in memory? Block by block, along chunk borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.pages import release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan

Block = tuple[slice, slice]
_MOST_BYTES = 160_000_000


def blocks(scan: Scan, max_bytes: int = 32_000_000, align: tuple[int, int] = (1, 1)) -> list[Block]:
    """Split the scan's positions into (rows, columns) blocks of at most ``max_bytes``.

    Block borders lie on chunk borders of the source and on multiples of ``align``; one unit of both
    is the least there is, also where it is larger than ``max_bytes``, up to 160 MB: half a chunk
    costs as much time as a whole one. Beyond that only ``align`` counts.
    """
    height, width = scan.scan_shape
    frame = max(1, scan.nbytes // (height * width))
    chunk = scan.chunks[:2] if scan.chunks else (1, 1)
    unit = [min(max(c, a), n) for c, a, n in zip(chunk, align, scan.scan_shape, strict=True)]
    if unit[0] * unit[1] * frame > max(
        max_bytes, _MOST_BYTES
    ):  # too large together: respect the target's
        unit = [min(a, n) for a, n in zip(align, scan.scan_shape, strict=True)]
    budget = max(1, max_bytes // frame)
    columns = max(unit[1], min(width, budget // unit[0] // unit[1] * unit[1]))
    rows = max(unit[0], budget // columns // unit[0] * unit[0])
    return [
        (slice(y, min(y + rows, height)), slice(x, min(x + columns, width)))
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]


def walk(
    scan: Scan, max_bytes: int = 32_000_000, align: tuple[int, int] = (1, 1)
) -> Iterator[tuple[Block, NDArray[Any]]]:
    """Read the scan block by block; pages of a memory map are given back after each."""
    for where in blocks(scan, max_bytes, align):
        yield where, scan.read(*where)
        release(scan.data)


def sums(block: NDArray[Any]) -> NDArray[np.float64]:
    """Sum over the last two axes, counting NaN as nothing."""
    kind = block.dtype.kind
    if kind == "f":
        wide = block.sum(axis=(-2, -1), dtype=np.float64)
        if not np.isfinite(wide).all():
            finite = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
            wide = finite.sum(axis=(-2, -1), dtype=np.float64)
        return np.asarray(wide)
    exact = np.int64 if kind == "i" else np.uint64
    total: NDArray[np.float64] = block.sum(axis=(-2, -1), dtype=exact).astype(np.float64)
    return total
