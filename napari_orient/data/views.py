"""How is a scan cropped, binned, repaired without reading it? By views that read what is asked.

Array-like classes with ``shape``, ``dtype``, ``chunks`` and slicing with integers and slices.
"""

from __future__ import annotations

import bisect
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.pages import release

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Span = tuple[int, int, int]  # first, number, step
_MOST_BYTES = 160_000_000


class LazyView:
    """Base: turns any slicing with integers and slices into :meth:`read_box` of four spans."""

    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None = None
    parts: tuple[Any, ...] = ()

    @property
    def ndim(self) -> int:
        """Number of axes, 4."""
        return 4

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, where: Any) -> NDArray[Any]:
        keys = list(where) if isinstance(where, tuple) else [where]
        if Ellipsis in keys:
            dots = keys.index(Ellipsis)
            keys[dots : dots + 1] = [slice(None)] * (4 - len(keys) + 1)
        keys += [slice(None)] * (4 - len(keys))
        if len(keys) > 4:
            raise IndexError("a scan has four axes")
        spans = [_span(key, n) for key, n in zip(keys, self.shape, strict=True)]
        block = self.read_box(*spans)
        drop = tuple(0 if isinstance(k, (int, np.integer)) else slice(None) for k in keys)
        return block[drop]

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read the box of four (first, number, step) spans as a 4D array."""
        raise NotImplementedError


def _span(key: Any, size: int) -> Span:
    if isinstance(key, (int, np.integer)):
        first = int(key) + (size if key < 0 else 0)
        if not 0 <= first < size:
            raise IndexError(f"index {key} lies outside an axis of {size}")
        return first, 1, 1
    if not isinstance(key, slice):
        raise IndexError("a lazy scan is sliced with integers and slices only")
    start, stop, step = key.indices(size)
    if step < 1:
        raise IndexError("a lazy scan is not sliced backwards")
    return start, max(0, math.ceil((stop - start) / step)), step


def slice_of(span: Span, shift: int = 0) -> slice:
    """Return a span as a slice, moved by ``shift``."""
    first, number, step = span
    first += shift
    return slice(first, first + (number - 1) * step + 1 if number else first, step)


def fetch(data: Any, *where: slice) -> NDArray[Any]:
    """Read ``data[where]`` of any array-like into memory."""
    piece = data[where]
    return np.asarray(piece.compute() if hasattr(piece, "compute") else piece)


class Cropped(LazyView):
    """A box of another array; ``corner`` is its first (y, x, ky, kx)."""

    def __init__(
        self, data: Any, corner: tuple[int, int, int, int], shape: tuple[int, int, int, int]
    ) -> None:
        self.corner, self.shape, self.dtype = corner, shape, np.dtype(data.dtype)
        self.parts = (data,)
        self._data = data

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read from the array behind, shifted by the corner."""
        spans = (y, x, ky, kx)
        return fetch(self._data, *(slice_of(s, c) for s, c in zip(spans, self.corner, strict=True)))


class Transposed(LazyView):
    """Another array with its axes in reverse order (the EMD convention)."""

    def __init__(self, data: Any) -> None:
        self.shape = tuple(int(n) for n in data.shape[::-1])  # type: ignore[assignment]
        self.dtype = np.dtype(data.dtype)
        self.chunks = tuple(data.chunks[::-1]) if getattr(data, "chunks", None) else None
        self._data = data

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read with reversed spans and turn the result."""
        return fetch(self._data, *(slice_of(s) for s in (kx, ky, x, y))).T


class Stacked(LazyView):
    """A 4D scan made of one or several stacks (frames, ky, kx), filled row by row.

    Parameters
    ----------
    stacks
        Array-likes of shape (frames, ky, kx), in the order of acquisition.
    scan_shape
        (y, x) of the scan.
    first
        Frames to skip at the start.
    """

    def __init__(self, stacks: Sequence[Any], scan_shape: tuple[int, int], first: int = 0) -> None:
        ends = np.cumsum([len(stack) for stack in stacks]).tolist()
        if first + scan_shape[0] * scan_shape[1] > ends[-1]:
            raise ValueError(f"{ends[-1]} frames do not fill a scan of {scan_shape}")
        self.shape = (*scan_shape, int(stacks[0].shape[1]), int(stacks[0].shape[2]))
        self.dtype = np.dtype(stacks[0].dtype)
        chunks = getattr(stacks[0], "chunks", None)
        if chunks:
            self.chunks = (1, min(int(chunks[0]), scan_shape[1]), *(int(c) for c in chunks[1:]))
        self.parts = tuple(stacks)
        self._ends = ends
        self._first = first

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read row by row, each row from the stacks that hold it."""
        out = np.empty((y[1], x[1], ky[1], kx[1]), dtype=self.dtype)
        for i in range(y[1]):
            row = self._first + (y[0] + i * y[2]) * self.shape[1]
            self._fill(out[i], (row + x[0], x[1], x[2]), slice_of(ky), slice_of(kx))
        return out

    def _fill(self, out: NDArray[Any], frames: Span, ky: slice, kx: slice) -> None:
        first, number, step = frames
        done = 0
        while done < number:
            frame = first + done * step
            index = bisect.bisect_right(self._ends, frame)
            end = self._ends[index]
            local = frame - (end - len(self.parts[index]))
            here = min(number - done, math.ceil((end - frame) / step))
            piece = slice_of((local, here, step))
            out[done : done + here] = self.parts[index][piece, ky, kx]
            done += here


class Binned(LazyView):
    """Patterns binned ``factor`` x ``factor``: sums of counts, in a type that holds them."""

    def __init__(self, data: Any, factor: int) -> None:
        y, x, ky, kx = (int(n) for n in data.shape)
        if factor < 1 or factor > min(ky, kx):
            raise ValueError(f"cannot bin patterns of {ky} x {kx} px by {factor}")
        self.shape = (y, x, ky // factor, kx // factor)
        self.dtype = sum_type(np.dtype(data.dtype), factor * factor)
        self.factor = factor
        chunks = getattr(data, "chunks", None)
        if chunks and not isinstance(chunks[0], tuple):
            inner = (max(1, c // factor) for c in chunks[2:])
            self.chunks = (*chunks[:2], *inner)
        self.parts = (data,)
        self._data = data

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read the pixels under the box and sum them; a few rows at once, to hold little."""
        f = self.factor
        inner = [slice(s[0] * f, (s[0] + max(0, s[1] - 1) * s[2] + 1) * f) for s in (ky, kx)]
        out = np.empty((y[1], x[1], ky[1], kx[1]), dtype=self.dtype)
        one_row = x[1] * math.prod(s.stop - s.start for s in inner) * self._data.dtype.itemsize
        for i, number in self._row_groups(y, one_row):
            rows = (y[0] + i * y[2], number, y[2])
            fine = fetch(self._data, slice_of(rows), slice_of(x), *inner)
            out[i : i + number] = bin_patterns(fine, f, self.dtype)[..., :: ky[2], :: kx[2]]
            release(self._data)
        return out

    def _row_groups(self, y: Span, one_row: int) -> Iterator[tuple[int, int]]:
        """Rows to read together: those of one chunk, which is unpacked as a whole for any of them.

        Yields the first (counted in the box) and their number.
        """
        height = self.chunks[0] if self.chunks else 1
        height = height if height * one_row <= _MOST_BYTES else 1
        i = 0
        while i < y[1]:
            row = y[0] + i * y[2]
            end = (row // height + 1) * height
            number = min(y[1] - i, math.ceil((end - row) / y[2]))
            yield i, number
            i += number


def sum_type(dtype: np.dtype[Any], pixels: int) -> np.dtype[Any]:
    """Smallest type that holds the sum of ``pixels`` values exactly (floats stay floats)."""
    if dtype.kind == "f":
        return np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)
    if dtype.kind == "b":
        return np.dtype(np.uint16 if pixels < 65536 else np.uint32)
    largest = int(np.iinfo(dtype).max) * pixels
    sizes = (2, 4, 8)
    kinds = [np.dtype(f"{dtype.kind}{size}") for size in sizes]
    return next((k for k in kinds if largest <= int(np.iinfo(k).max)), kinds[-1])


def bin_patterns(patterns: NDArray[Any], factor: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Sum ``factor`` x ``factor`` pixels of patterns (..., ky, kx); an odd border is dropped."""
    ky, kx = (n // factor * factor for n in patterns.shape[-2:])
    inner = patterns[..., :ky, :kx]
    # adding strided slices is several times faster than numpy's sum over a small axis
    rows = inner[..., 0::factor, :].astype(dtype)
    for i in range(1, factor):
        rows += inner[..., i::factor, :]
    out = rows[..., 0::factor].copy()
    for i in range(1, factor):
        out += rows[..., i::factor]
    return out


class Shifted(LazyView):
    """Patterns moved by whole pixels, each by its own; what comes from outside the pattern is 0.

    Parameters
    ----------
    data
        The array (y, x, ky, kx) behind.
    shifts
        (y, x, 2): pixel (ky, kx) of the result is pixel (ky, kx) + shift of ``data``.
    """

    def __init__(self, data: Any, shifts: NDArray[np.int64]) -> None:
        self.shape = tuple(int(n) for n in data.shape)  # type: ignore[assignment]
        if shifts.shape != (*self.shape[:2], 2):
            raise ValueError(f"shifts of shape {shifts.shape} for a scan of {self.shape[:2]}")
        self.dtype = np.dtype(data.dtype)
        chunks = getattr(data, "chunks", None)
        self.chunks = chunks if chunks and not isinstance(chunks[0], tuple) else None
        self.parts = (data,)
        self._data = data
        self.shifts = shifts

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read what all positions need together, and cut each position's box out of it."""
        out = np.zeros((y[1], x[1], ky[1], kx[1]), dtype=self.dtype)
        shifts = self.shifts[slice_of(y), slice_of(x)]
        if not out.size:
            return out
        box = [
            _reach(span, shifts[..., axis], self.shape[2 + axis])
            for axis, span in enumerate((ky, kx))
        ]
        block = fetch(self._data, slice_of(y), slice_of(x), *box)
        for row, columns in _alike(shifts):
            pairs = [
                _overlap(span, int(shifts[row, columns.start, axis]), box[axis])
                for axis, span in enumerate((ky, kx))
            ]
            inside = block[row, columns, pairs[0][1], pairs[1][1]]
            out[row, columns, pairs[0][0], pairs[1][0]] = inside
        return out


def _alike(shifts: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Runs of one shift in the rows of (y, x, 2): a smooth drift has few of them."""
    for i, row in enumerate(shifts):
        changes = np.flatnonzero((row[1:] != row[:-1]).any(axis=1)) + 1
        for start, stop in pairwise([0, *changes.tolist(), len(row)]):
            yield i, slice(start, stop)


def _reach(span: Span, shifts: NDArray[np.int64], size: int) -> slice:
    """Pixels of the source that a span needs under any of the shifts."""
    first = span[0] + int(shifts.min())
    last = span[0] + (span[1] - 1) * span[2] + int(shifts.max())
    return slice(min(max(first, 0), size), min(max(last + 1, 0), size))


def _overlap(span: Span, shift: int, box: slice) -> tuple[slice, slice]:
    """(slice of the result, slice of the box) of the pixels that a shifted span has in a box."""
    start, number, step = span[0] + shift, span[1], span[2]
    low = max(0, math.ceil((box.start - start) / step))
    high = min(number, math.ceil((box.stop - start) / step))
    if high <= low:
        return slice(0, 0), slice(0, 0)
    begin = start + low * step - box.start
    return slice(low, high), slice(begin, begin + (high - low - 1) * step + 1, step)


class Repaired(LazyView):
    """Patterns whose marked pixels are replaced by the median of their unmarked neighbours."""

    def __init__(self, data: Any, mask: NDArray[np.bool_]) -> None:
        if mask.shape != tuple(data.shape[2:]):
            raise ValueError(f"mask of shape {mask.shape} for patterns of {tuple(data.shape[2:])}")
        self.shape = tuple(int(n) for n in data.shape)  # type: ignore[assignment]
        self.dtype = np.dtype(data.dtype)
        chunks = getattr(data, "chunks", None)
        self.chunks = chunks if chunks and not isinstance(chunks[0], tuple) else None
        self.parts = (data,)
        self._data = data
        self.sources = {(int(i), int(j)): _neighbours(mask, i, j) for i, j in np.argwhere(mask)}

    def read_box(self, y: Span, x: Span, ky: Span, kx: Span) -> NDArray[Any]:
        """Read a slightly larger box, replace, and cut it to size."""
        margin = 2
        low = [max(0, s[0] - margin) for s in (ky, kx)]
        last = [s[0] + max(0, s[1] - 1) * s[2] for s in (ky, kx)]
        high = [min(n, e + margin + 1) for n, e in zip(self.shape[2:], last, strict=True)]
        box = (slice(low[0], high[0]), slice(low[1], high[1]))
        block = np.array(fetch(self._data, slice_of(y), slice_of(x), *box))
        for (i, j), (rows, columns) in self.sources.items():
            if ky[0] <= i <= last[0] and kx[0] <= j <= last[1]:
                values = block[:, :, rows - low[0], columns - low[1]]
                with np.errstate(invalid="ignore"):
                    block[:, :, i - low[0], j - low[1]] = np.median(values, axis=-1)
        return block[:, :, slice_of(ky, -low[0]), slice_of(kx, -low[1])]


def _neighbours(mask: NDArray[np.bool_], i: int, j: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns of unmarked pixels within 1, else 2, of (i, j); itself if none is left."""
    for reach in (1, 2):
        rows = slice(max(0, i - reach), i + reach + 1)
        columns = slice(max(0, j - reach), j + reach + 1)
        good = np.argwhere(~mask[rows, columns])
        if len(good):
            return good[:, 0] + rows.start, good[:, 1] + columns.start
    return np.array([i]), np.array([j])
