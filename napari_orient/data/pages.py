"""How does a memory-mapped file leave room for others? Its pages are asked for and given back."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mapping_of(data: Any) -> mmap.mmap | None:
    """Return the read-only or shared memory map behind an array or a view of it, or None."""
    if not isinstance(data, np.memmap) or data.mode not in ("r", "r+"):
        return None  # in mode "c" the pages hold private changes
    base: Any = data
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base if hasattr(mmap, "MADV_DONTNEED") else None


def release(data: Any) -> None:
    """Tell the system that the pages of memory-mapped arrays are not needed for now.

    They stay in the file cache; only this process's memory shrinks. Without it a pass over a large
    file makes the process look as large as the file. ``data.parts``, where there are any, are
    released one by one.
    """
    for part in getattr(data, "parts", ()):
        release(part)
    mapping = mapping_of(data)
    if mapping is not None:
        mapping.madvise(mmap.MADV_DONTNEED)


def expect_gaps(data: Any, gaps: bool) -> None:
    """Tell the system whether a memory map will be read with gaps, or on and on.

    With gaps it must not read ahead: a small detector would make it read the whole file.
    """
    mapping = mapping_of(data)
    if mapping is not None:
        mapping.madvise(mmap.MADV_RANDOM if gaps else mmap.MADV_NORMAL)


def ask_for(data: NDArray[Any], rows: range, columns: range, ky: slice) -> None:
    """Have the system read pattern rows ``ky`` of some positions all at once, not page by page."""
    mapping = mapping_of(data)
    if mapping is None:
        return
    start: int = np.frombuffer(mapping, np.uint8).ctypes.data
    sy, sx, line, _ = data.strides
    first = data.ctypes.data - start + ky.start * line
    for y in rows:
        for x in columns:
            position = first + y * sy + x * sx
            inside = position % mmap.PAGESIZE
            length = inside + (ky.stop - ky.start) * line
            mapping.madvise(mmap.MADV_WILLNEED, position - inside, length)
