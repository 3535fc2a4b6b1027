"""What is in a scan, at a glance? Navigator images and mean patterns, quick or complete."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_orient.data.blocks import blocks, sums, walk
from napari_orient.data.pages import release
from napari_orient.jobs import Every, Partial, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Job

Region = NDArray[np.bool_] | tuple[slice, slice] | None
BLOCK_BYTES = 32_000_000
_ROWS = 16  # pattern rows that a quick look samples: the cost is in the pages touched


def quick_navigator(scan: Scan, seconds: float = 1.0) -> NDArray[np.float32]:
    """Image (y, x) of how much each pattern scatters, within about ``seconds`` whatever the size.

    Samples the pattern (some rows; of chunked data the chunks in its middle) at scan positions on
    a grid that is refined until it is complete or the time is over; positions between are filled
    from the nearest coarser one. Arbitrary units: for looking, not for measuring.

    Raises
    ------
    OSError
        If the file behind the scan disappeared.
    """
    image = np.full(scan.scan_shape, np.nan, dtype=np.float32)
    start = time.perf_counter()
    tile, box = _sampling(scan)
    for filled in _refine(scan, image, tile, box):
        elapsed = time.perf_counter() - start
        if elapsed > seconds and (filled or elapsed > 1.6 * seconds):
            break
    empty = np.isnan(image)  # only where even the coarsest grid took too long
    image[empty] = image[~empty].mean() if not empty.all() else 0.0
    return image


def _sampling(scan: Scan) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """Choose the scan positions read together and the pattern pixels read of each."""
    ky, kx = scan.pattern_shape
    chunks = scan.chunks
    if chunks is None or hasattr(scan.data, "dask"):
        return (1, 1), (slice(None, None, max(1, ky // _ROWS)), slice(None))
    middle = [n // 2 // c * c for n, c in zip((ky, kx), chunks[2:], strict=True)]
    box = [slice(m, m + c) for m, c in zip(middle, chunks[2:], strict=True)]
    return (min(chunks[0], scan.shape[0]), min(chunks[1], scan.shape[1])), (box[0], box[1])


def _refine(
    scan: Scan, image: NDArray[np.float32], tile: tuple[int, int], box: tuple[slice, slice]
) -> Iterator[bool]:
    """Fill ``image`` from coarse to fine; yield after each read whether all of it has a value."""
    grid = [math.ceil(n / t) for n, t in zip(scan.scan_shape, tile, strict=True)]
    stride = 2 ** max(0, math.ceil(math.log2(max(grid) / 8)))
    first = stride
    while stride >= 1:
        for gy in range(0, grid[0], stride):
            old_row = stride < first and gy % (2 * stride) == 0
            step, start = (2 * stride, stride) if old_row else (stride, 0)
            if tile == (1, 1):
                if start < grid[1]:
                    _fill_row(scan, image, gy, slice(start, None, step), stride, box)
                yield stride < first
            else:
                for gx in range(start, grid[1], step):
                    _fill_tile(scan, image, (gy, gx), stride, tile, box)
                    yield stride < first
        stride //= 2


def _fill_row(
    scan: Scan,
    image: NDArray[np.float32],
    y: int,
    columns: slice,
    stride: int,
    box: tuple[slice, slice],
) -> None:
    values = sums(scan.read(slice(y, y + 1), columns, *box))[0]
    release(scan.data)
    height, width = image.shape
    for x, value in zip(range(columns.start, width, columns.step), values, strict=True):
        image[y : min(y + stride, height), x : min(x + stride, width)] = value


def _fill_tile(
    scan: Scan,
    image: NDArray[np.float32],
    place: tuple[int, int],
    stride: int,
    tile: tuple[int, int],
    box: tuple[slice, slice],
) -> None:
    y, x = place[0] * tile[0], place[1] * tile[1]
    values = sums(scan.read(slice(y, y + tile[0]), slice(x, x + tile[1]), *box))
    image[y : y + stride * tile[0], x : x + stride * tile[1]] = values.mean()
    image[y : y + tile[0], x : x + tile[1]] = values


def navigator(scan: Scan) -> Job[NDArray[np.float32]]:
    """Sum of every whole pattern, an image (y, x); a job that shows the image as it fills.

    Yields ``Partial("navigator", image, done)``: copies, three a second. NaN count as nothing.
    Memory stays at a few blocks of 32 MB.

    Raises
    ------
    OSError
        If the file behind the scan disappeared.
    """
    image = np.zeros(scan.scan_shape, dtype=np.float32)
    done = np.zeros(scan.scan_shape, dtype=np.bool_)
    total = len(blocks(scan, BLOCK_BYTES))
    show = Every(0.3, first=0.1)
    for number, (where, block) in enumerate(walk(scan, BLOCK_BYTES), start=1):
        image[where] = sums(block)
        done[where] = True
        if show.due():
            yield Progress(number, total, f"row {where[0].stop} of {image.shape[0]}")
            yield Partial("navigator", image.copy(), done.copy())
    yield Progress(total, total, "navigator complete")
    return image


def mean_pattern(
    scan: Scan, region: Region = None, reduce: Literal["mean", "max"] = "mean"
) -> Job[NDArray[np.float64]]:
    """Mean or maximum pattern (ky, kx) of a region of the scan; a job that shows it as it grows.

    Parameters
    ----------
    scan
        The scan.
    region
        Mask (y, x), or (slice, slice), or None for the whole scan.
    reduce
        "mean" or "max"; NaN are left out, a pixel that has nothing else is NaN.

    Raises
    ------
    ValueError
        If the region is empty or its mask has another shape.
    """
    mask = _as_mask(scan, region)
    part, corner = _enclosing(scan, mask)
    combine: Callable[..., Any] = np.fmax if reduce == "max" else np.add
    start = np.nan if reduce == "max" else 0.0
    total = np.full(scan.pattern_shape, start)
    counts = np.zeros(scan.pattern_shape)
    todo = blocks(part, BLOCK_BYTES)
    show = Every(0.3, first=0.1)
    for number, (where, block) in enumerate(walk(part, BLOCK_BYTES), start=1):
        (top, bottom), (left, right) = ((w.start, w.stop) for w in where)
        inside = mask[corner[0] + top : corner[0] + bottom, corner[1] + left : corner[1] + right]
        chosen = block if inside.all() else block[inside]
        axes = (0, 1) if chosen.ndim == 4 else (0,)
        if chosen.size:
            value, number_there = _reduced(chosen, axes, reduce)
            total = combine(total, value)
            counts += number_there
        if show.due() and counts.any():
            yield Progress(number, len(todo), f"{reduce} pattern")
            yield Partial("pattern", _finished(total, counts, reduce))
    return _finished(total, counts, reduce)


def _as_mask(scan: Scan, region: Region) -> NDArray[np.bool_]:
    mask = np.zeros(scan.scan_shape, dtype=np.bool_)
    if region is None:
        mask[:] = True
    elif isinstance(region, tuple):
        mask[region] = True
    else:
        mask = np.asarray(region, dtype=np.bool_)
    if mask.shape != scan.scan_shape or not mask.any():
        raise ValueError(f"a region is a mask of {scan.scan_shape} with something in it")
    return mask


def _enclosing(scan: Scan, mask: NDArray[np.bool_]) -> tuple[Scan, tuple[int, int]]:
    """Crop the scan to the rows and columns that the mask touches."""
    from napari_orient.data.prepare import crop

    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(mask.any(axis=axis))
        spans.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return crop(scan, y=spans[0], x=spans[1]), (spans[0].start, spans[1].start)


def _reduced(
    block: NDArray[Any], axes: tuple[int, ...], reduce: str
) -> tuple[NDArray[np.float64], Any]:
    if reduce == "max":
        return np.fmax.reduce(block, axis=axes).astype(np.float64), 1
    if block.dtype.kind == "f":
        good = ~np.isnan(block)
        return np.where(good, block, 0).sum(axis=axes, dtype=np.float64), good.sum(axis=axes)
    exact = np.int64 if block.dtype.kind == "i" else np.uint64
    number = math.prod(block.shape[a] for a in axes)
    return block.sum(axis=axes, dtype=exact).astype(np.float64), number


def _finished(
    total: NDArray[np.float64], counts: NDArray[np.float64], reduce: str
) -> NDArray[np.float64]:
    if reduce == "max":
        return total.copy()
    return np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)
