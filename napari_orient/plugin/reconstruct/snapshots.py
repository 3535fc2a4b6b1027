"""How did the field come about? Its states on the way, packed, and never more than fit."""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.reconstruction.reconstruct import Trace

MOST, ROOM = 60, 200_000_000  # snapshots, and bytes of all
_FULL = 32767


class Snapshot(NamedTuple):
    """A field at a time, packed.

    Attributes
    ----------
    trace
        Of the loss then, None where there was none.
    shape
        Of the field (..., 4).
    packed
        Its int16 components, compressed.
    phases
        Numbers of the phases, uint8, compressed; empty where there is but one.
    """

    trace: Trace | None
    shape: tuple[int, ...]
    packed: bytes
    phases: bytes = b""

    def quaternions(self) -> NDArray[np.float32]:
        """Unit quaternions (..., 4), right to 2e-5."""
        numbers = np.frombuffer(zlib.decompress(self.packed), np.int16).reshape(self.shape)
        q = numbers.astype(np.float32)
        return np.asarray(q / np.linalg.norm(q, axis=-1, keepdims=True), np.float32)

    def phase_id(self) -> NDArray[np.int32] | None:
        """Numbers of the phases (...), None where there is but one."""
        if not self.phases:
            return None
        numbers = np.frombuffer(zlib.decompress(self.phases), np.uint8)
        return numbers.reshape(self.shape[:-1]).astype(np.int32)

    def field(self) -> tuple[NDArray[np.float32], NDArray[np.int32] | None]:
        """Quaternions and phases."""
        return self.quaternions(), self.phase_id()


def packed(
    quaternions: NDArray[np.floating], trace: Trace | None = None, phases: Any = None
) -> Snapshot:
    """Pack a field of unit quaternions (..., 4), and the numbers of its phases (...)."""
    numbers = np.rint(np.asarray(quaternions) * _FULL).astype(np.int16)
    known = (
        b"" if phases is None else zlib.compress(np.asarray(phases).astype(np.uint8).tobytes(), 1)
    )
    return Snapshot(trace, numbers.shape, zlib.compress(numbers.tobytes(), 1), known)


class Snapshots:
    """States of a run in their order; a thread adds while another one looks.

    When there are too many, or they need too much room, every second one is dropped, and from then
    on only every second one is taken: they lie evenly over the run, the first of each grid among
    them.
    """

    def __init__(self, most: int = MOST, room: int = ROOM) -> None:
        self._most, self._room = most, room
        self._lock = threading.Lock()
        self._kept: list[Snapshot] = []
        self._every = 1
        self._count = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, number: int) -> Snapshot:
        return self._kept[number]

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        with self._lock:
            return sum(len(one.packed) for one in self._kept)

    def take(self, made: Snapshot) -> None:
        """Keep a field, or pass over it where there are many."""
        new_grid = not self._kept or self._kept[-1].shape != made.shape
        self._count += 1
        if not new_grid and self._count % self._every:
            return
        with self._lock:
            self._kept.append(made)
            while self._is_full():
                self._kept = _thinned(self._kept)
                self._every *= 2

    def _is_full(self) -> bool:
        used = sum(len(one.packed) for one in self._kept)
        return len(self._kept) > 2 and (len(self._kept) > self._most or used > self._room)


def _thinned(kept: list[Snapshot]) -> list[Snapshot]:
    """Drop every second one, but no first of a grid where that is enough, and not the last."""
    last = len(kept) - 1
    some = [
        one
        for n, one in enumerate(kept)
        if not n % 2 or n == last or one.shape != kept[n - 1].shape
    ]
    return some if len(some) < len(kept) else [*kept[:-1:2], kept[-1]]
