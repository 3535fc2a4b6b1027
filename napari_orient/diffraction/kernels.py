"""How are the pixels of many patterns added up as fast as the memory allows? Compiled loops.

Two layouts: *pattern-major* ``(y, x, ky, kx)``, as files are, and *detector-major*
``(ky * kx, y * x)``, one scan image per pattern pixel, where a virtual detector reads whole images.

The loops release the interpreter lock and share the work through ordinary threads: numba's own
threading layer may not be entered by two threads at once everywhere, and a window has several.
NaN is no count: it is left out.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Moments of a detector's pixels, in this order: counts, counts * ky, counts * kx, counts^2
N_MOMENTS = 4
_BLOCK = 8192  # scan positions at a time: their accumulators stay in the cache
_SUPPORTED = frozenset("u1 u2 u4 u8 i1 i2 i4 i8 f4 f8".split())


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return ``array`` contiguous, aligned, in native byte order, of a compiled type.

    It is not copied when it is so already; a memory map becomes a plain array over the same pages.
    """
    array = np.asarray(array)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    dtype = array.dtype.newbyteorder("=")
    if kind not in _SUPPORTED:  # float16, long double
        dtype = np.dtype(np.float32 if kind == "f2" else np.float64)
    return np.require(array, dtype=dtype, requirements=["C", "A"])


def is_plain(array: Any) -> bool:
    """Return True if :func:`plain` needs no copy."""
    if not isinstance(array, np.ndarray):
        return False
    supported = f"{array.dtype.kind}{array.dtype.itemsize}" in _SUPPORTED | {"b1"}
    flags = array.flags
    return bool(supported and array.dtype.isnative and flags.c_contiguous and flags.aligned)


def plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the number type that :func:`plain` gives for ``dtype``."""
    return plain(np.empty(0, dtype)).dtype


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the accumulator's type: int64, exact, for counts; float64 for anything else."""
    return np.dtype(np.float64 if dtype.kind == "f" else np.int64)


@functools.cache
def _threads() -> tuple[int, ThreadPoolExecutor]:
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, Windows
        cores = os.cpu_count() or 1
    count = min(cores, 8)
    return count, ThreadPoolExecutor(count, thread_name_prefix="virtual-detector")


def _share(work: Callable[[int, int], None], total: int, least: int) -> None:
    """Call ``work(start, stop)`` on shares of ``range(total)``, one of them in this thread."""
    count, pool = _threads()
    count = max(1, min(count, total // least))
    edges = [total * n // count for n in range(count + 1)]
    others = [pool.submit(work, edges[n], edges[n + 1]) for n in range(1, count)]
    try:
        work(edges[0], edges[1])
    finally:
        for other in others:
            other.result()


# --------------------------------------------------------------------------- detector-major


def _add_planes(data, planes, sign, flush, local, out, start, stop):  # type: ignore[no-untyped-def]
    """out[p] += sign * sum of data[planes, p]; ``local`` holds ``flush`` planes at most."""
    for first in range(start, stop, local.shape[0]):
        n = min(local.shape[0], stop - first)
        for group in range(0, planes.shape[0], flush):
            local[:n] = 0
            for j in range(group, min(group + flush, planes.shape[0])):
                plane = data[planes[j], first : first + n]
                for p in range(n):
                    value = plane[p]
                    if value == value:
                        local[p] += value
            for p in range(n):
                out[first + p] += sign * local[p]


def _add_moments(data, planes, width, sign, local, out, start, stop):  # type: ignore[no-untyped-def]
    """Like :func:`_add_planes` for the four moments; ``planes`` are sorted, ``width`` is n(kx)."""
    for first in range(start, stop, local.shape[1]):
        n = min(local.shape[1], stop - first)
        j = 0
        while j < planes.shape[0]:  # one pattern row at a time: ky is common, kx stays small
            ky = planes[j] // width
            kx0 = planes[j] % width
            local[:, :n] = 0
            while j < planes.shape[0] and planes[j] // width == ky:
                dkx = local.dtype.type(planes[j] % width - kx0)
                plane = data[planes[j], first : first + n]
                for p in range(n):
                    value = plane[p]
                    if value == value:
                        count = local.dtype.type(value)
                        local[0, p] += count
                        local[1, p] += dkx * count
                        local[2, p] += count * count
                j += 1
            for p in range(n):
                total = out.dtype.type(local[0, p])
                out[0, first + p] += sign * total
                out[1, first + p] += sign * ky * total
                out[2, first + p] += sign * (local[1, p] + kx0 * total)
                out[3, first + p] += sign * local[2, p]


def _count_planes(data, planes, out, start, stop):  # type: ignore[no-untyped-def]
    """out[p] += how many of data[planes, p] are numbers."""
    for j in range(planes.shape[0]):
        plane = data[planes[j]]
        for p in range(start, stop):
            if plane[p] == plane[p]:
                out[p] += 1


def _transpose(block, data, tile, ky0, kx0, nkx, width, position, start, stop):  # type: ignore[no-untyped-def]
    """Write pixels start:stop of a block (positions, pixels) into the detector-major ``data``.

    Through a small ``tile``, since patterns lie a power of two apart and evict each other's lines.
    """
    size = tile.shape[1]
    for p in range(0, block.shape[0], size):
        n = min(size, block.shape[0] - p)
        for k in range(start, stop, tile.shape[0]):
            m = min(tile.shape[0], stop - k)
            for i in range(n):
                for j in range(m):
                    tile[j, i] = block[p + i, k + j]
            for j in range(m):
                plane = (ky0 + (k + j) // nkx) * width + kx0 + (k + j) % nkx
                data[plane, position + p : position + p + n] = tile[j, :n]


# --------------------------------------------------------------------------- pattern-major


def _sum_runs(data, runs, y0, y1, dy, x0, x1, dx, out):  # type: ignore[no-untyped-def]
    """out[0] = sums over the runs (ky, kx start, kx stop), for y0:y1:dy and x0:x1:dx."""
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            pattern = data[y0 + i * dy, x0 + j * dx]
            total = out.dtype.type(0)
            for r in range(runs.shape[0]):
                row = pattern[runs[r, 0], runs[r, 1] : runs[r, 2]]
                for k in range(row.shape[0]):
                    if row[k] == row[k]:
                        total += row[k]
            out[0, i, j] += total


def _moments_of_runs(  # type: ignore[no-untyped-def]
    data, runs, ky0, kx0, y0, y1, dy, x0, x1, dx, out, valid
):
    """Like :func:`_sum_runs` for the four moments and the number of pixels that are numbers.

    (ky0, kx0) is the pattern position of ``data[..., 0, 0]``.
    """
    kind = out.dtype.type
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            pattern = data[y0 + i * dy, x0 + j * dx]
            for r in range(runs.shape[0]):
                row = pattern[runs[r, 0], runs[r, 1] : runs[r, 2]]
                total = kind(0)
                lever = kind(0)
                squares = kind(0)
                for k in range(row.shape[0]):
                    if row[k] == row[k]:
                        count = kind(row[k])
                        total += count
                        lever += kind(k) * count
                        squares += count * count
                        valid[i, j] += 1
                out[0, i, j] += total
                out[1, i, j] += kind(runs[r, 0] + ky0) * total
                out[2, i, j] += lever + kind(runs[r, 1] + kx0) * total
                out[3, i, j] += squares


# --------------------------------------------------------------------------- compiled


@functools.cache
def _compiled(function: Callable[..., None], dtype: np.dtype[Any]) -> Callable[..., None]:
    """Compile ``function`` for one number type, or load it from numba's cache on disk."""
    import numba
    from numba import types

    number = numba.from_dtype(dtype)
    total = numba.from_dtype(sum_dtype(dtype))
    index = types.Array(types.int64, 1, "C", readonly=True)
    runs = types.Array(types.int64, 2, "C", readonly=True)
    major = types.Array(number, 2, "C", readonly=True)
    block = types.Array(number, 4, "C", readonly=True)
    n = types.int64
    local = numba.from_dtype(_local_sum(dtype)[0])
    moment = numba.from_dtype(_local_moment(dtype))
    signature = {
        _add_planes: (major, index, n, n, local[::1], total[::1], n, n),
        _add_moments: (major, index, n, n, moment[:, ::1], total[:, ::1], n, n),
        _count_planes: (major, index, types.int64[::1], n, n),
        _transpose: (major, number[:, ::1], number[:, ::1], *(n,) * 7),
        _sum_runs: (block, runs, *(n,) * 6, total[:, :, ::1]),
        _moments_of_runs: (block, runs, *(n,) * 8, total[:, :, ::1], types.int64[:, ::1]),
    }[function]
    compiled: Callable[..., None] = numba.njit([types.void(*signature)], nogil=True, cache=True)(
        function
    )
    return compiled


def _local_sum(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """Return the narrowest exact accumulator for planes of ``dtype``, and how many it can hold."""
    narrow = {"u1": (np.uint16, 257), "u2": (np.uint32, 65537), "i2": (np.int32, 32768)}
    fallback = (sum_dtype(dtype).type, 1 << 40)
    kind, flush = narrow.get(f"{dtype.kind}{dtype.itemsize}", fallback)
    return np.dtype(kind), flush


def _local_moment(dtype: np.dtype[Any]) -> np.dtype[Any]:
    # one row of bytes: 255^2 * n(kx), and 255 * n(kx)^2 / 2 (so up to 4000 columns), fit 32 bits
    return np.dtype(np.int32) if dtype == np.uint8 else sum_dtype(dtype)


def add_planes(data: NDArray[Any], planes: NDArray[np.int64], sign: int, out: NDArray[Any]) -> None:
    """Add (``sign`` 1) or subtract (-1) the sum of ``data[planes]`` to ``out``, (y * x).

    Parameters
    ----------
    data
        Detector-major counts (ky * kx, y * x).
    out
        Accumulator of :func:`sum_dtype`.
    """
    kernel = _compiled(_add_planes, data.dtype)
    dtype, flush = _local_sum(data.dtype)

    def work(start: int, stop: int) -> None:
        kernel(data, planes, sign, flush, np.empty(_BLOCK, dtype), out, start, stop)

    _share(work, data.shape[1], _BLOCK)


def add_moments(
    data: NDArray[Any], planes: NDArray[np.int64], width: int, sign: int, out: NDArray[Any]
) -> None:
    """Like :func:`add_planes` for the four moments, ``out`` (4, y * x); ``width`` is n(kx)."""
    kernel = _compiled(_add_moments, data.dtype)
    dtype = _local_moment(data.dtype)

    def work(start: int, stop: int) -> None:
        local = np.empty((3, _BLOCK // 2), dtype)
        kernel(data, planes, width, sign, local, out, start, stop)

    _share(work, data.shape[1], _BLOCK // 2)


def count_planes(data: NDArray[Any], planes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of ``data[planes]`` are numbers (not NaN), (y * x)."""
    kernel = _compiled(_count_planes, data.dtype)
    out = np.zeros(data.shape[1], np.int64)
    _share(lambda start, stop: kernel(data, planes, out, start, stop), data.shape[1], _BLOCK)
    return out


def transpose(
    block: NDArray[Any], data: NDArray[Any], corner: tuple[int, int, int, int], nx: int, width: int
) -> None:
    """Write ``block`` (y, x, ky, kx), which begins at ``corner``, into detector-major ``data``."""
    kernel = _compiled(_transpose, data.dtype)
    y0, x0, ky0, kx0 = corner
    ny, mx, nky, nkx = block.shape
    rows = block.reshape(ny, mx, nky * nkx)
    if mx == nx:  # whole rows of the scan follow each other
        rows = rows.reshape(1, ny * mx, nky * nkx)

    def work(start: int, stop: int) -> None:
        tile = np.empty((64, 256), data.dtype)
        for y, row in enumerate(rows):
            kernel(row, data, tile, ky0, kx0, nkx, width, (y0 + y) * nx + x0, start, stop)

    _share(work, nky * nkx, 64)


def sum_runs(
    data: NDArray[Any],
    runs: NDArray[np.int64],
    corner: tuple[int, int],
    rows: range,
    columns: range,
    moments: bool,
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Add up pattern pixels of pattern-major data at the scan positions ``rows`` x ``columns``.

    Parameters
    ----------
    data
        Counts (y, x, ky, kx), as :func:`plain` gives them; whole scans and memory maps too.
    runs
        Pixels as (ky, kx start, kx stop) in ``data``'s own indices, one row each.
    corner
        Pattern position (ky, kx) of ``data[..., 0, 0]``.
    moments
        All four moments instead of the sum alone.

    Returns
    -------
    out, valid
        (1 or 4, y, x) of :func:`sum_dtype`; number of pixels that are not NaN, or None.
    """
    shape = (len(rows), len(columns))
    out = np.zeros((N_MOMENTS if moments else 1, *shape), sum_dtype(data.dtype))
    valid = np.zeros(shape, np.int64) if moments else None
    kernel = _compiled(_moments_of_runs if moments else _sum_runs, data.dtype)
    span = (columns.start, columns.stop, columns.step)

    def work(start: int, stop: int) -> None:
        piece = np.zeros((len(out), stop - start, shape[1]), out.dtype)
        where = (rows[start], rows[stop - 1] + 1, rows.step, *span)
        if valid is None:
            kernel(data, runs, *where, piece)
        else:
            kernel(data, runs, *corner, *where, piece, valid[start:stop])
        out[:, start:stop] = piece

    if min(shape) > 0:
        pixels = shape[1] * int((runs[:, 2] - runs[:, 1]).sum())
        _share(work, shape[0], max(1, 200_000 // max(1, pixels)))  # threads cost 0.1 ms
    return out, valid


def warm_up(dtype: np.dtype[Any], moments: bool = False) -> None:
    """Compile, or load from disk, what a scan of ``dtype`` needs, so that no drag waits for it."""
    dtype = plain_dtype(dtype)
    functions = [_transpose, _add_planes, _sum_runs]
    for function in [*functions, _add_moments, _moments_of_runs] if moments else functions:
        _compiled(function, dtype)
    if dtype.kind == "f":
        _compiled(_count_planes, dtype)
        _compiled(_moments_of_runs, dtype)
