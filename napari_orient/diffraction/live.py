"""What does a detector see while it is dragged? Answers from a working copy in memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.pages import release
from napari_orient.diffraction.detectors import Signal, VirtualDetector, beam_centre
from napari_orient.diffraction.reading import MAPPED_BYTES, plan_reads, read_bytes
from napari_orient.diffraction.streaming import evaluate, needs_moments, virtual_image
from napari_orient.jobs import Every, Job, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan

DEFAULT_BUDGET = 1_000_000_000  # bytes of a working copy


class CopyNotReady(Exception):
    """The working copy does not exist yet: run :meth:`VirtualImager.prepare` first."""


class ScanTooLarge(ValueError):
    """The working copy would not fit the memory budget."""


def warm_up(dtype: Any = np.uint8, signals: tuple[Signal, ...] = ("sum",)) -> None:
    """Compile, or load from disk, the loops for patterns of ``dtype``: 1-3 s the first time."""
    from napari_orient.diffraction import kernels

    kernels.warm_up(np.dtype(dtype), moments=any(needs_moments(name) for name in signals))


@dataclass
class _Last:
    """The last answer for one detector: its mask and its exact sums."""

    mask: NDArray[np.bool_]
    moments: NDArray[Any]
    full: bool


class VirtualImager:
    """The live engine: virtual images of one scan, fast enough to drag detectors.

    It works on a detector-major copy of the scan in memory, made once by the job of
    :meth:`prepare`. Until then, and for scans beyond the budget, :meth:`job` reads from the scan.
    Safe to use from several threads.

    Parameters
    ----------
    scan
        The scan; it is not changed.
    budget
        Most bytes that the copy may take.
    """

    def __init__(self, scan: Scan, budget: int = DEFAULT_BUDGET) -> None:
        self.scan = scan
        self.budget = budget
        self._copy: NDArray[Any] | None = None
        self._has_nan = False
        self._last: OrderedDict[str, _Last] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def copy_bytes(self) -> int:
        """Size of the working copy, in bytes."""
        from napari_orient.diffraction.kernels import plain_dtype

        return math.prod(self.scan.shape) * plain_dtype(self.scan.dtype).itemsize

    @property
    def affordable(self) -> bool:
        """True if the working copy fits the budget."""
        return self.copy_bytes <= self.budget

    @property
    def ready(self) -> bool:
        """True if the working copy exists, so that :meth:`image` answers at once."""
        return self._copy is not None

    def explain(self) -> str:
        """Say in one sentence how images are made now, and why."""
        size = f"{self.copy_bytes / 1e9:.2g} GB"
        if self.ready:
            return f"Live: a working copy of {size} is in memory."
        if self.affordable:
            return f"Reading from the scan until the working copy of {size} is prepared."
        return (
            f"Reading from the scan: a working copy would take {size}, more than the budget of "
            f"{self.budget / 1e9:.2g} GB. Bin or crop the scan, or raise the budget."
        )

    def prepare(self) -> Job[None]:
        """Make the working copy, in small steps; closing the job drops what was made.

        Raises
        ------
        ScanTooLarge
            If the copy does not fit the budget.
        """
        from napari_orient.diffraction import kernels

        if not self.affordable:
            raise ScanTooLarge(self.explain())
        ny, nx, nky, nkx = self.scan.shape
        dtype = kernels.plain_dtype(self.scan.dtype)
        copy = np.empty((nky * nkx, ny * nx), dtype)
        reads = plan_reads(self.scan, slice(0, nky), slice(0, nkx), read_bytes(self.scan))
        has_nan, tick, mapped = False, Every(0.04, 0.0), 0
        kernels.warm_up(dtype)
        for number, read in enumerate(reads, 1):
            block = kernels.plain(self.scan.read(read.y, read.x, read.ky, read.kx))
            has_nan = has_nan or (dtype.kind == "f" and bool(np.isnan(block).any()))
            corner = (read.y.start, read.x.start, read.ky.start, read.kx.start)
            kernels.transpose(block, copy, corner, nx, nkx)
            mapped += block.nbytes
            if mapped > MAPPED_BYTES:
                mapped = 0
                release(self.scan.data)
            if tick.due():
                yield Progress(number, len(reads), f"preparing {self.scan.name} for live detectors")
        release(self.scan.data)
        with self._lock:
            self._copy, self._has_nan = copy, has_nan
            self._last.clear()

    def release(self) -> None:
        """Drop the working copy."""
        with self._lock:
            self._copy = None
            self._last.clear()

    def image(self, detector: VirtualDetector) -> NDArray[np.float32]:
        """Return the virtual image (y, x) of ``detector``, from the working copy.

        The sums of counts are exact whatever the number of moves before. Signals and special
        cases are those of :func:`virtual_image`.

        Raises
        ------
        CopyNotReady
            If :meth:`prepare` has not finished.
        """
        mask = detector.mask(self.scan.pattern_shape).ravel()
        full = needs_moments(detector.signal)
        with self._lock:
            if self._copy is None:
                raise CopyNotReady(self.explain())
            moments = self._moments(self._copy, detector.name, mask, full)
            valid = self._valid(self._copy, mask)
            image = evaluate(detector.signal, moments, valid, beam_centre(self.scan.calibration))
        return image.reshape(self.scan.scan_shape)

    def job(self, detector: VirtualDetector, *, first: float = 0.05) -> Job[NDArray[np.float32]]:
        """Return a job for the image: instant if ready, else :func:`virtual_image`."""
        if self.ready:
            return self.image(detector)
        return (yield from virtual_image(self.scan, detector, first=first))

    def _valid(self, copy: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.int64] | int:
        from napari_orient.diffraction import kernels

        pixels = int(mask.sum())
        return kernels.count_planes(copy, _planes(mask)) if self._has_nan and pixels else pixels

    def _moments(
        self, copy: NDArray[Any], name: str, mask: NDArray[np.bool_], full: bool
    ) -> NDArray[Any]:
        """Sums over the mask: those of the last mask plus what changed, where that is less work."""
        from napari_orient.diffraction import kernels

        last = self._last.pop(name, None)
        if last is not None and last.full >= full and copy.dtype.kind != "f":
            added, removed = mask & ~last.mask, last.mask & ~mask
            if added.sum() + removed.sum() < mask.sum():
                self._add(copy, last, added, 1)
                self._add(copy, last, removed, -1)
                self._keep(name, _Last(mask, last.moments, last.full))
                return last.moments
        shape = (kernels.N_MOMENTS if full else 1, copy.shape[1])
        fresh = _Last(mask, np.zeros(shape, kernels.sum_dtype(copy.dtype)), full)
        self._add(copy, fresh, mask, 1)
        self._keep(name, fresh)
        return fresh.moments

    def _add(self, copy: NDArray[Any], to: _Last, mask: NDArray[np.bool_], sign: int) -> None:
        from napari_orient.diffraction import kernels

        planes = _planes(mask)
        if not planes.size:
            return
        if to.full:
            kernels.add_moments(copy, planes, self.scan.shape[3], sign, to.moments)
        else:
            kernels.add_planes(copy, planes, sign, to.moments[0])

    def _keep(self, name: str, last: _Last) -> None:
        self._last[name] = last
        while len(self._last) > 16:  # detectors come and go; each keeps a few images
            self._last.popitem(last=False)


def _planes(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(mask).astype(np.int64)
