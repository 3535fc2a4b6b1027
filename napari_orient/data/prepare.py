"""How is a scan made ready? Cropped, binned, repaired: lazily, or as a working copy on disk."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.overview import mean_pattern, navigator, quick_navigator
from napari_orient.data.pages import release
from napari_orient.data.save import default_chunks, filters, save_scan
from napari_orient.data.views import Binned, Cropped, Repaired, Shifted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
    from napari_orient.jobs import Job

EVERYTHING = slice(None)


def crop(
    scan: Scan,
    y: slice = EVERYTHING,
    x: slice = EVERYTHING,
    ky: slice = EVERYTHING,
    kx: slice = EVERYTHING,
) -> Scan:
    """Return a box of a scan, lazily; the beam centre moves with the corner of the pattern.

    Raises
    ------
    ValueError
        If a slice is empty or has a step.
    """
    spans = [s.indices(n) for s, n in zip((y, x, ky, kx), scan.shape, strict=True)]
    if any(step != 1 or stop <= start for start, stop, step in spans):
        raise ValueError("a crop takes slices without a step that hold at least one pixel")
    if all(stop - start == n for (start, stop, _), n in zip(spans, scan.shape, strict=True)):
        return scan
    corner = (spans[0][0], spans[1][0], spans[2][0], spans[3][0])
    sizes = [stop - start for start, stop, _ in spans]
    if isinstance(scan.data, np.ndarray) or hasattr(scan.data, "dask"):
        data: Any = scan.data[tuple(slice(start, stop) for start, stop, _ in spans)]
    else:
        data = Cropped(scan.data, corner, (sizes[0], sizes[1], sizes[2], sizes[3]))
    history = (*scan.history, "cropped " + " x ".join(f"{a}:{b}" for a, b, _ in spans))
    return scan.replaced(
        data,
        calibration=_cropped_calibration(scan.calibration, corner, (sizes[0], sizes[1])),
        history=history,
        origin=(scan.origin[0] + corner[0], scan.origin[1] + corner[1]),
    )


def _cropped_calibration(
    calibration: Calibration, corner: tuple[int, int, int, int], size: tuple[int, int]
) -> Calibration:
    """Count the centre from the new corner; with a descan it is that in the middle of the crop."""
    centre, descan = calibration.centre, calibration.descan
    if centre is None:
        return calibration
    ky, kx = centre.pair
    if descan is not None:
        y, x = corner[0] + (size[0] - 1) / 2, corner[1] + (size[1] - 1) / 2
        ky, kx = (float(c) for c in calibration.centre_at(y, x))
        descan = descan.moved(y, x)
        origin = (y - corner[0], x - corner[1])
        descan = descan.model_copy(update={"origin": origin})
    moved = centre.model_copy(update={"value": (ky - corner[2], kx - corner[3])})
    return calibration.set(centre=moved, descan=descan)


def bin_scan(scan: Scan, factor: int) -> Scan:
    """Return the scan with patterns binned ``factor`` x ``factor``, lazily: exact sums of counts.

    With pixel centres at integers a coordinate c becomes (c + 0.5) / factor - 0.5, and the pixel
    size grows by ``factor``. An incomplete border of the pattern is dropped.

    Raises
    ------
    ValueError
        If the factor is below 1 or larger than the pattern.
    """
    if factor == 1:
        return scan
    data = Binned(scan.data, factor)
    words = f"binned {factor} x {factor}"
    calibration = binned_calibration(scan.calibration, factor)
    return scan.replaced(data, calibration=calibration, history=(*scan.history, words))


def binned_calibration(calibration: Calibration, factor: float) -> Calibration:
    """Return the calibration of patterns with ``factor`` x ``factor`` pixels in one.

    A factor below 1 (1/2) undoes a binning. Angles, lengths and the ellipse's ratio stay.
    """
    changes: dict[str, Quantity | Descan | None] = {}
    if calibration.centre is not None:
        ky, kx = ((c + 0.5) / factor - 0.5 for c in calibration.centre.pair)
        changes["centre"] = calibration.centre.model_copy(update={"value": (ky, kx)})
    if calibration.descan is not None:
        changes["descan"] = calibration.descan.scaled(1 / factor)
    size = calibration.pixel_size
    if size is not None:
        value = size.value
        larger = tuple(v * factor for v in value) if isinstance(value, tuple) else value * factor
        changes["pixel_size"] = size.model_copy(update={"value": larger})
    return calibration.set(**changes)


def align_patterns(scan: Scan, descan: Descan | None = None) -> Scan:
    """Return the scan with each pattern moved so that the beam stays on the centre, lazily.

    Patterns move by whole pixels, so that counts stay as they are; up to half a pixel of descan is
    left. What comes in from outside the detector is 0.

    Parameters
    ----------
    scan
        With a centre.
    descan
        The drift; None takes that of the scan's calibration.

    Raises
    ------
    ValueError
        If the descan is unknown.
    """
    descan = descan or scan.calibration.descan
    if descan is None:
        raise ValueError("the descan is unknown: track the beam centre first")
    y, x = np.mgrid[: scan.shape[0], : scan.shape[1]]
    shifts = np.rint(np.stack(descan.drift(y, x), axis=-1)).astype(np.int64)
    if not shifts.any():
        return scan.replaced(calibration=scan.calibration.set(descan=None))
    most = int(np.abs(shifts).max())
    history = (*scan.history, f"descan taken out by whole pixels, up to {most} px")
    calibration = scan.calibration.set(descan=None)
    return scan.replaced(Shifted(scan.data, shifts), calibration=calibration, history=history)


def binned_copy(scan: Scan, factor: int, path: str | Path) -> Job[Scan]:
    """Write a binned working copy (.h5, .hspy or .zspy) and open it; a job, see :func:`save_scan`.

    Streams in blocks of 48 MB, or of whole chunks: below 500 MB of memory whatever the size.

    Raises
    ------
    UnreadableFile
        If it cannot be written, or the source cannot be read on.
    """
    from napari_orient.data.formats import open_scan

    small = bin_scan(scan, factor)
    written = yield from save_scan(small, path)
    copy = open_scan(written)
    return copy.replaced(
        calibration=small.calibration, name=scan.name, phase=scan.phase, history=small.history
    )


@dataclass(frozen=True)
class BinnedCost:
    """What a binned working copy costs and gains."""

    factor: int
    shape: tuple[int, int, int, int]
    bytes_on_disk: int
    seconds: float
    drag_now: float
    drag_after: float

    @property
    def speedup(self) -> float:
        """How many times faster a detector of the same angle is summed afterwards."""
        return self.drag_now / max(self.drag_after, 1e-9)

    def __str__(self) -> str:
        def size(number: float) -> str:
            return f"{number / 1e9:.3g} GB" if number > 1e9 else f"{number / 1e6:.3g} MB"

        def span(seconds: float) -> str:
            return f"{seconds / 60:.1f} min" if seconds > 90 else f"{seconds:.2g} s"

        hint = (
            " (no gain while the system holds the file in its cache)" if self.speedup < 1.2 else ""
        )
        return (
            f"A copy binned {self.factor} x {self.factor} ({self.shape[2]} x {self.shape[3]} px) "
            f"takes about {size(self.bytes_on_disk)} on disk and {span(self.seconds)} to write; "
            f"summing a small detector from disk then takes about {span(self.drag_after)} "
            f"instead of {span(self.drag_now)}{hint}."
        )


def binned_cost(scan: Scan, factor: int, radius: int = 5) -> BinnedCost:
    """Estimate what a binned copy costs and gains, from a timed read of a few patterns (< 1 s).

    Parameters
    ----------
    scan
        The scan.
    factor
        Binning of the patterns.
    radius
        Of the detector, in pixels of ``scan``, whose pass over the whole scan is compared.

    Notes
    -----
    The size comes from packing a sample, so it is right for patterns like those in the middle
    rows. All times assume what the sample met: a cold drive or a network may be slower.
    """
    import h5py

    small = bin_scan(scan, factor)
    sample = _sample_block(scan)
    cold = _sample_block(scan, part=0.25)  # not the one read below, which is then in the cache
    now = _timed_box(scan.data, scan.pattern_shape, radius, cold)
    start = time.perf_counter()
    block = small.read(*sample)
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        wanted = default_chunks(small.shape, small.dtype)
        chunks = tuple(min(c, n) for c, n in zip(wanted, block.shape, strict=True))
        packed = file.create_dataset("data", data=block, chunks=chunks, **filters("gzip"))
        seconds = time.perf_counter() - start
        stored = packed.id.get_storage_size()
    with h5py.File(memory, "r") as file:
        after = _timed_box(file["data"], small.pattern_shape, radius / factor)
    release(scan.data)
    times = scan.shape[0] * scan.shape[1] / (block.shape[0] * block.shape[1])
    return BinnedCost(
        factor, small.shape, int(stored * times), seconds * times, now * times, after * times
    )


def _sample_block(
    scan: Scan, max_bytes: int = 24_000_000, part: float = 0.5
) -> tuple[slice, slice]:
    """Some neighbouring positions at a part of the scan's height and width, on chunk borders."""
    height, width = scan.scan_shape
    unit = scan.chunks[:2] if scan.chunks else (1, 1)
    number = max(1, int(max_bytes // max(1, scan.nbytes // (height * width))))
    columns = min(width, max(unit[1], int(number**0.5) // unit[1] * unit[1]))
    rows = min(height, max(unit[0], number // columns // unit[0] * unit[0]))
    y, x = int(height * part) // unit[0] * unit[0], int(width * part) // unit[1] * unit[1]
    y, x = min(y, height - rows), min(x, width - columns)
    return slice(y, y + rows), slice(x, x + columns)


def _timed_box(
    data: Any,
    pattern_shape: tuple[int, int],
    radius: float,
    where: tuple[slice, slice] = (EVERYTHING, EVERYTHING),
) -> float:
    """Seconds to read and sum a box of ``radius`` beside the middle of the patterns."""
    box = []
    for size in pattern_shape:
        first = min(size - 1, int(size * 0.6))
        box.append(slice(first, min(size, first + max(1, round(2 * radius + 1)))))
    start = time.perf_counter()
    piece = data[(*where, *box)]
    np.asarray(piece.compute() if hasattr(piece, "compute") else piece).sum()
    return time.perf_counter() - start


def log_scaled(patterns: NDArray[Any]) -> NDArray[np.float32]:
    """Patterns as a network takes them: logarithm, then linearly to [0, 1], each for itself.

    log(1 + I - minimum of the pattern); a uniform pattern becomes 0. NaN and infinite pixels count
    as the minimum.

    Parameters
    ----------
    patterns
        Shape (..., ky, kx).
    """
    values = np.asarray(patterns, dtype=np.float32)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, np.nan)
        low = np.nan_to_num(np.fmin.reduce(values, axis=(-2, -1), keepdims=True))
        values = np.where(np.isnan(values), low, values)
    values = np.log1p(values - values.min(axis=(-2, -1), keepdims=True))
    top = values.max(axis=(-2, -1), keepdims=True)
    scaled: NDArray[np.float32] = np.divide(values, top, out=np.zeros_like(values), where=top > 0)
    return scaled


def hot_pixels(scan: Scan, threshold: float = 10.0, patterns: int = 48) -> NDArray[np.bool_]:
    """Mask (ky, kx) of pixels that shine, alone, in nearly every pattern; NaN pixels count too.

    A pixel is hot if its low quartile over a sample of patterns spread over the scan exceeds the
    median of its 5 x 5 neighbourhood by ``threshold`` times the noise there, and is more than
    twice the third brightest of its 3 x 3 neighbourhood: a beam is wider than two pixels.

    Parameters
    ----------
    scan
        The scan.
    threshold
        In standard deviations of the noise, estimated from the pattern itself.
    patterns
        How many patterns are looked at.
    """
    from scipy.ndimage import median_filter, rank_filter

    low = _low_quartile(scan, patterns)
    missing = ~np.isfinite(low)
    filled = np.where(missing, 0.0, low)
    around = median_filter(filled, size=5, mode="nearest")
    excess = filled - around
    spread = 1.4826 * float(np.median(np.abs(excess - np.median(excess))))
    noise = np.maximum(spread, np.sqrt(np.maximum(around, 1.0) / 4))
    third = rank_filter(filled, -3, size=3, mode="constant")
    hot = (excess > threshold * noise) & (filled > 2 * np.maximum(third, 0))
    return np.asarray(hot | missing, dtype=np.bool_)


def _low_quartile(scan: Scan, patterns: int) -> NDArray[np.float64]:
    """Lower quartile over patterns spread over the scan; NaN where a pixel is NaN in any."""
    height, width = scan.scan_shape
    number = min(patterns, height * width)
    flat = np.linspace(0, height * width - 1, number).astype(int)
    stack = np.stack([scan.pattern(int(i) // width, int(i) % width) for i in flat])
    release(scan.data)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.quantile(stack.astype(np.float64), 0.25, axis=0, method="lower"))


def without_hot_pixels(scan: Scan, mask: NDArray[np.bool_]) -> Scan:
    """Return the scan with the marked pixels replaced by the median of their neighbours, lazily.

    Raises
    ------
    ValueError
        If the mask has not the shape of a pattern.
    """
    data = Repaired(scan.data, np.asarray(mask, dtype=np.bool_))
    words = f"{int(np.count_nonzero(mask))} hot pixels replaced"
    return scan.replaced(data, history=(*scan.history, words))


__all__ = [
    "BinnedCost",
    "align_patterns",
    "bin_scan",
    "binned_calibration",
    "binned_copy",
    "binned_cost",
    "crop",
    "hot_pixels",
    "log_scaled",
    "mean_pattern",
    "navigator",
    "quick_navigator",
    "without_hot_pixels",
]
