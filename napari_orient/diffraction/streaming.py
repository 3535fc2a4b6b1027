"""What does a detector see in a scan of any size? One pass that fills its image in as it goes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.pages import ask_for, expect_gaps, release
from napari_orient.diffraction.detectors import Signal, VirtualDetector, beam_centre
from napari_orient.diffraction.reading import (
    MAPPED_BYTES,
    Read,
    bounding_box,
    leaves_gaps,
    plan_reads,
    read_bytes,
    reading_unit,
)
from napari_orient.jobs import Every, Job, Partial, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_orient.data.scan import Scan


def needs_moments(signal: Signal) -> bool:
    """Return True if the sum of the counts alone does not tell the signal."""
    return signal not in ("sum", "mean")


def evaluate(
    signal: Signal,
    moments: NDArray[Any],
    valid: NDArray[np.int64] | int,
    centre: tuple[float, float],
) -> NDArray[np.float32]:
    """Turn moments (counts, counts ky, counts kx, counts^2; ...) of ``valid`` pixels into a signal.

    Where no pixel is valid although the detector has some, the signal is NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # no counts; infinities
        value = _signal(signal, moments, np.maximum(valid, 1), centre)
        if isinstance(valid, np.ndarray):
            value = np.where(valid == 0, np.nan, value)
        return value.astype(np.float32)


def _signal(
    signal: Signal, moments: NDArray[Any], pixels: Any, centre: tuple[float, float]
) -> NDArray[np.float64]:
    total: NDArray[np.float64] = moments[0].astype(np.float64)
    if signal == "sum":
        return total
    if signal == "mean":
        return np.asarray(total / pixels)
    if signal == "std":
        variance = moments[3] / pixels - (total / pixels) ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0)))
    dky = np.where(total == 0, 0, moments[1] / total - centre[0])
    dkx = np.where(total == 0, 0, moments[2] / total - centre[1])
    if signal == "com_magnitude":
        return np.asarray(np.hypot(dky, dkx))
    if signal == "com_direction":
        return np.asarray(np.degrees(np.arctan2(dky, dkx)))
    return dky if signal == "com_y" else dkx


class _Pass:
    """The state of one pass: accumulators, what is done, and a coarse preview of the rest."""

    def __init__(self, scan: Scan, detector: VirtualDetector) -> None:
        from napari_orient.diffraction import kernels

        self.kernels = kernels
        self.scan = scan
        self.signal = detector.signal
        self.centre = beam_centre(scan.calibration)
        self.mask = detector.mask(scan.pattern_shape)
        self.pixels = int(self.mask.sum())
        self.direct = kernels.plain(scan.data) if kernels.is_plain(scan.data) else None
        dtype = kernels.plain_dtype(scan.dtype)
        self.floating = dtype.kind == "f"  # then pixels may be NaN, and have to be counted
        self.full = self.floating or needs_moments(detector.signal)
        count = kernels.N_MOMENTS if self.full else 1
        self.moments = np.zeros((count, *scan.scan_shape), kernels.sum_dtype(dtype))
        self.valid = np.zeros(scan.scan_shape, np.int64)
        self.done = np.zeros(scan.scan_shape, np.bool_)
        self.preview = np.full(scan.scan_shape, np.nan, np.float32)
        self.painted = False  # an empty image is no news
        self.mapped = 0
        self.gaps = self.pixels > 0 and leaves_gaps(scan, bounding_box(self.mask)[0])
        self.known_runs: dict[tuple[int, int], NDArray[np.int64]] = {}

    def plan(self) -> list[Read]:
        return plan_reads(self.scan, *bounding_box(self.mask), read_bytes(self.scan))

    def preview_step(self) -> int:
        """Step of the coarse preview: about a thousand positions, where single ones are cheap."""
        cy, cx = reading_unit(self.scan, 1)[:2]
        ny, nx = self.scan.scan_shape
        cheap = cy * cx <= 4 and not hasattr(self.scan.data, "dask")
        return math.isqrt(ny * nx // 1000) if cheap else 0

    def _runs(self, ky: slice, kx: slice) -> NDArray[np.int64]:
        """Mask pixels within (ky, kx) as (ky, kx start, kx stop), relative to that corner."""
        key = (ky.start, ky.stop)  # kx is the same in all reads of a pass
        if key not in self.known_runs:
            self.known_runs[key] = self._find_runs(ky, kx)
        return self.known_runs[key]

    def _find_runs(self, ky: slice, kx: slice) -> NDArray[np.int64]:
        inside = np.pad(self.mask[ky, kx].astype(np.int8), ((0, 0), (1, 1)))
        edges = np.diff(inside, axis=1)
        rows, starts = np.nonzero(edges == 1)
        _, stops = np.nonzero(edges == -1)
        return np.stack([rows, starts, stops], axis=1).astype(np.int64)

    def _sum(
        self, rows: range, columns: range, ky: slice, kx: slice
    ) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
        """Moments and valid pixels at some scan positions, in some pattern box."""
        if self.gaps:
            ask_for(self.scan.data, rows, columns, ky)
        if self.direct is not None:
            runs = self._runs(ky, kx) + np.array([ky.start, kx.start, kx.start])
            result = self.kernels.sum_runs(self.direct, runs, (0, 0), rows, columns, self.full)
            self._count_pages(rows, columns)
            return result
        where = (
            slice(rows.start, rows.stop, rows.step),
            slice(columns.start, columns.stop, columns.step),
        )
        block = self.kernels.plain(self.scan.read(*where, ky, kx))
        self._count_pages(rows, columns)
        corner = (ky.start, kx.start)
        y, x = range(block.shape[0]), range(block.shape[1])
        return self.kernels.sum_runs(block, self._runs(ky, kx), corner, y, x, self.full)

    def _count_pages(self, rows: range, columns: range) -> None:
        """Let go of a memory map's pages before they count as much memory of this process."""
        pattern = self.scan.nbytes // (self.scan.shape[0] * self.scan.shape[1])
        self.mapped += len(rows) * len(columns) * pattern
        if self.mapped > MAPPED_BYTES:
            self.release()

    def release(self) -> None:
        self.mapped = 0
        release(self.scan.data)

    def sample(self, step: int) -> Iterator[None]:
        """Fill the preview with every ``step``-th position, painted as blocks, in small steps."""
        ny, nx = self.scan.scan_shape
        box = bounding_box(self.mask)
        columns = range(0, nx, step)
        for y in range(0, ny, step):
            moments, valid = self._sum(range(y, min(y + step, ny), step), columns, *box)
            values = self._evaluate(moments, valid)
            row = np.repeat(values[0], step)[:nx]
            self.preview[y : y + step] = row
            yield

    def add(self, read: Read) -> None:
        """Take one piece of the scan into the sums."""
        where = (read.y, read.x)
        rows, columns = (range(s.start, s.stop) for s in where)
        moments, valid = self._sum(rows, columns, read.ky, read.kx)
        self.moments[:, read.y, read.x] += moments
        if valid is not None:
            self.valid[where] += valid
        if read.last:
            self.done[where] = True
            self.painted = True

    def _evaluate(
        self, moments: NDArray[Any], valid: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        counted = valid if self.floating and valid is not None else self.pixels
        return evaluate(self.signal, moments, counted, self.centre)

    def image(self) -> NDArray[np.float32]:
        """Final values where done, the preview (or NaN) elsewhere; a new array."""
        return np.where(self.done, self._evaluate(self.moments, self.valid), self.preview)


def virtual_image(
    scan: Scan, detector: VirtualDetector, *, first: float = 0.05, every: float = 0.3
) -> Job[NDArray[np.float32]]:
    """Compute the virtual image of ``detector`` in one pass over a scan of any size.

    Only the bounding box of the detector is read, along chunk borders, in pieces so small that
    closing the job takes effect within milliseconds. Where single positions are cheap to read a
    coarse preview of every n-th one comes first.

    Parameters
    ----------
    first, every
        Seconds until the first partial image, and between later ones.

    Yields
    ------
    Progress, Partial
        ``Partial("image", value, done)``: final values where ``done``, elsewhere the preview or
        NaN.

    Returns
    -------
    ndarray of float32, (y, x)
        Counts or pixels, as :class:`VirtualDetector` defines its signals. Zero if the detector
        lies outside the pattern; NaN where all its pixels are NaN.

    Raises
    ------
    OSError
        If the file behind the scan disappeared or is damaged.
    """
    show, tick = Every(every, first), Every(0.04, 0.0)
    work = _Pass(scan, detector)
    text = f"{detector.name}: reading {scan.name}"
    if not work.pixels:
        return np.zeros(scan.scan_shape, np.float32)
    reads = work.plan()
    expect_gaps(scan.data, work.gaps)
    try:
        step = work.preview_step()
        if step > 1 and len(reads) > 4:
            for _ in work.sample(step):
                if tick.due():
                    yield Progress(0, len(reads), text)
                if show.due():
                    yield Partial("image", work.image(), work.done.copy())
            yield Partial("image", work.image(), work.done.copy())
        for number, read in enumerate(reads, 1):
            work.add(read)
            if tick.due():
                yield Progress(number, len(reads), text)
            if work.painted and show.due():
                yield Partial("image", work.image(), work.done.copy())
    finally:
        work.release()
        expect_gaps(scan.data, False)
    return work.image()
