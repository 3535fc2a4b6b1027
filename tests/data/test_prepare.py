"""Do preparations keep counts, positions and calibration right, and memory small?"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from napari_orient.data.blocks import blocks
from napari_orient.data.formats import open_scan
from napari_orient.data.hdf5 import save_scan
from napari_orient.data.prepare import (
    bin_scan,
    binned_copy,
    binned_cost,
    crop,
    hot_pixels,
    log_scaled,
    mean_pattern,
    navigator,
    quick_navigator,
    without_hot_pixels,
)
from napari_orient.data.regions import region_pattern
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.data.views import Cropped
from napari_orient.jobs import Partial, Progress, run

if TYPE_CHECKING:
    from pathlib import Path


def spot(shape: tuple[int, int], centre: tuple[float, float], width: float = 3.0) -> np.ndarray:
    ky, kx = np.indices(shape)
    return np.exp(-((ky - centre[0]) ** 2 + (kx - centre[1]) ** 2) / (2 * width**2))


def centroid(pattern: np.ndarray) -> tuple[float, float]:
    ky, kx = np.indices(pattern.shape)
    total = pattern.sum()
    return float((ky * pattern).sum() / total), float((kx * pattern).sum() / total)


@pytest.fixture
def scan() -> Scan:
    """A centred beam and grains that differ in brightness."""
    rng = np.random.default_rng(0)
    bright = np.kron(rng.uniform(20, 200, (3, 4)), np.ones((4, 4)))
    pattern = spot((48, 40), (21.3, 17.8))
    data = rng.poisson(bright[:, :, None, None] * pattern + 0.2).astype(np.uint16)
    calibration = Calibration().set(
        step=Quantity(value=5.0, unit="nm", source="file"),
        pixel_size=Quantity(value=0.02, unit="1/angstrom", source="file"),
        centre=Quantity(value=(21.3, 17.8), unit="px", source="measured"),
    )
    return Scan(data, calibration, name="grains")


def as_hdf5(scan: Scan, path: Path, chunks: tuple[int, int, int, int]) -> Scan:
    run(save_scan(scan, path, chunks=chunks))
    return open_scan(path)


# ---- crop and bin -------------------------------------------------------------------------------


def test_crop_moves_the_centre_and_is_lazy(scan: Scan, tmp_path: Path) -> None:
    where = {"y": slice(2, 9), "x": slice(1, None), "ky": slice(5, 40), "kx": slice(3, 33)}
    part = crop(scan, **where)
    assert np.shares_memory(part.data, scan.data)
    assert np.array_equal(part.data, scan.data[2:9, 1:, 5:40, 3:33])
    assert part.calibration.centre is not None
    assert part.calibration.centre.pair == pytest.approx((16.3, 14.8))
    assert part.calibration.centre.source == "measured"
    assert part.calibration.pixel_size == scan.calibration.pixel_size
    assert "cropped" in part.history[-1]
    filed = crop(as_hdf5(scan, tmp_path / "a.h5", (4, 4, 16, 16)), **where)
    assert isinstance(filed.data, Cropped)
    assert np.array_equal(filed.read(slice(None)), part.data)
    assert np.array_equal(
        filed.read(3, slice(0, 9, 2), 4, slice(2, 5)), part.data[3, 0:9:2, 4, 2:5]
    )
    assert np.array_equal(filed.pattern(6, 14), part.data[6, 14])
    filed.close()
    with pytest.raises(ValueError, match="at least one pixel"):
        crop(scan, y=slice(5, 5))
    with pytest.raises(ValueError, match="without a step"):
        crop(scan, kx=slice(0, 10, 2))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_binning_sums_counts_and_moves_the_spot_with_the_centre(scan: Scan, factor: int) -> None:
    small = bin_scan(scan, factor)
    ky, kx = 48 // factor, 40 // factor
    f = factor
    reference = scan.data[..., : ky * f, : kx * f].reshape(12, 16, ky, f, kx, f).sum(axis=(3, 5))
    assert small.shape == (12, 16, ky, kx)
    assert np.array_equal(small.read(slice(None)), reference)
    box = (slice(2, 9, 3), 4, slice(1, 9, 2), slice(3, 7))
    assert np.array_equal(small.read(*box), reference[box])
    known = small.calibration
    assert known.pixel_size is not None
    assert known.pixel_size.number == pytest.approx(0.02 * factor)
    assert known.centre is not None
    assert known.centre.pair == pytest.approx(((21.3 + 0.5) / f - 0.5, (17.8 + 0.5) / f - 0.5))
    noiseless = Scan(spot((48, 40), (21.3, 17.8))[None, None], scan.calibration)
    found = centroid(bin_scan(noiseless, factor).pattern(0, 0))
    assert found == pytest.approx(known.centre.pair, abs=0.02)
    assert known.step == scan.calibration.step


def test_binned_counts_never_overflow() -> None:
    full = Scan(np.full((1, 1, 64, 64), 255, np.uint8))
    assert bin_scan(full, 4).pattern(0, 0).max() == 255 * 16
    assert bin_scan(full, 32).pattern(0, 0).max() == 255 * 1024
    assert bin_scan(full, 4).dtype == np.uint16
    assert bin_scan(full.replaced(np.full((1, 1, 8, 8), 65535, np.uint16)), 4).dtype == np.uint32
    assert bin_scan(full.replaced(np.ones((1, 1, 8, 8), np.float32)), 4).dtype == np.float32
    with pytest.raises(ValueError, match="cannot bin"):
        bin_scan(full, 65)
    assert bin_scan(full, 1) is full


def test_views_on_views(scan: Scan) -> None:
    both = bin_scan(crop(bin_scan(scan, 2), ky=slice(2, 22), kx=slice(0, 20)), 2)
    inner = scan.data.reshape(12, 16, 24, 2, 20, 2).sum(axis=(3, 5))[:, :, 2:22]
    assert np.array_equal(
        both.read(slice(None)), inner.reshape(12, 16, 10, 2, 10, 2).sum(axis=(3, 5))
    )
    assert len(both.history) == 3


@pytest.mark.parametrize("suffix", [".h5", ".zspy"])
def test_binned_copy_is_the_binned_scan(scan: Scan, tmp_path: Path, suffix: str) -> None:
    events: list[Any] = []
    copy = run(binned_copy(scan, 4, tmp_path / f"copy{suffix}"), events.append)
    assert any(isinstance(e, Progress) for e in events)
    small = bin_scan(scan, 4)
    assert np.array_equal(copy.read(slice(None)), small.read(slice(None)))
    assert copy.calibration == small.calibration
    assert copy.history == ("binned 4 x 4",)
    assert open_scan(tmp_path / f"copy{suffix}").calibration == small.calibration
    copy.close()


def test_binned_cost_is_near_the_truth(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = rng.poisson(spot((64, 64), (32, 32), 6)[None, None] * 30 + 0.3, (40, 40, 64, 64))
    np.save(tmp_path / "a.npy", data.astype(np.uint16))
    scan = open_scan(tmp_path / "a.npy")
    cost = binned_cost(scan, 4)
    run(binned_copy(scan, 4, tmp_path / "b.h5")).close()
    assert cost.bytes_on_disk == pytest.approx((tmp_path / "b.h5").stat().st_size, rel=0.35)
    assert 0 < cost.seconds < 10
    assert cost.speedup > 0
    assert "binned 4 x 4 (16 x 16 px)" in str(cost)


# ---- pixels -------------------------------------------------------------------------------------


def test_log_scaling_fills_zero_to_one() -> None:
    patterns = np.random.default_rng(0).poisson(5, (3, 16, 16)).astype(float)
    patterns[1, 2, 3] = np.nan
    patterns[2] = 7
    scaled = log_scaled(patterns)
    assert scaled.dtype == np.float32
    assert np.isfinite(scaled).all()
    assert scaled.min() == 0
    assert scaled[:2].max(axis=(1, 2)) == pytest.approx([1, 1])
    assert scaled[2].max() == 0
    low, high = patterns[0].min(), patterns[0].max()
    expected = np.log1p(patterns[0] - low) / np.log1p(high - low)
    assert scaled[0] == pytest.approx(expected, abs=1e-6)


def test_hot_pixels_are_found_and_replaced(scan: Scan, tmp_path: Path) -> None:
    data = scan.data.astype(np.float32)
    for ky, kx in ((5, 7), (40, 3), (0, 0), (30, 30), (30, 31)):
        data[:, :, ky, kx] = 900
    data[:, :, 12, 12] = np.nan
    mask = hot_pixels(scan.replaced(data))
    found = {(int(i), int(j)) for i, j in np.argwhere(mask)}
    assert found == {(5, 7), (40, 3), (0, 0), (30, 30), (30, 31), (12, 12)}
    assert not hot_pixels(scan).any()  # the beam itself is not hot
    fixed = without_hot_pixels(scan.replaced(data), mask)
    whole = fixed.read(slice(None))
    assert np.isfinite(whole).all()
    assert whole[:, :, mask].max() < 60
    assert np.array_equal(whole[:, :, ~mask], data[:, :, ~mask])
    around = np.delete(data[2, 3, 4:7, 6:9].ravel(), 4)
    assert whole[2, 3, 5, 7] == np.median(around)
    assert np.array_equal(fixed.read(2, slice(0, 5, 2), slice(3, 14), 7), whole[2, 0:5:2, 3:14, 7])
    assert np.array_equal(fixed.pattern(1, 1), whole[1, 1])


# ---- overviews ----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [None, (4, 4, 16, 16), (1, 1, 48, 40)])
def test_navigators_show_the_grains(
    scan: Scan, tmp_path: Path, chunks: tuple[int, int, int, int] | None
) -> None:
    source = as_hdf5(scan, tmp_path / "a.h5", chunks) if chunks else scan
    full = scan.data.sum(axis=(2, 3))
    quick = quick_navigator(source)
    assert quick.shape == (12, 16)
    assert np.corrcoef(quick.ravel(), full.ravel())[0, 1] > 0.97
    partials: list[Partial] = []
    image = run(navigator(source), lambda e: partials.append(e) if isinstance(e, Partial) else None)
    assert image.dtype == np.float32
    assert np.array_equal(image, full)
    source.close()


def test_navigator_fills_in_and_shows_copies(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_orient.data import overview

    monkeypatch.setattr(overview, "BLOCK_BYTES", 16 * 48 * 40 * 2)
    monkeypatch.setattr(
        overview, "Every", lambda *_, **__: type("Now", (), {"due": lambda s: True})()
    )
    partials = [e for e in navigator(scan) if isinstance(e, Partial)]
    assert [int(p.done.sum()) for p in partials] == [16 * (i + 1) for i in range(12)]
    assert partials[0].value[1:].sum() == 0  # later steps did not write into it
    assert not np.shares_memory(partials[0].value, partials[1].value)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_mean_pattern_of_a_region(scan: Scan, kind: str) -> None:
    region = np.zeros((12, 16), dtype=bool)
    region[2:5, 3:9] = True
    region[7, 14] = True
    chosen = scan.data[region]
    expected = chosen.mean(axis=0) if kind == "mean" else chosen.max(axis=0)
    assert run(mean_pattern(scan, region, kind)) == pytest.approx(expected)
    whole = getattr(scan.data[1:4, :5], kind)(axis=(0, 1))
    assert run(mean_pattern(scan, (slice(1, 4), slice(0, 5)), kind)) == pytest.approx(whole)
    with pytest.raises(ValueError, match="something in it"):
        run(mean_pattern(scan, np.zeros((12, 16), dtype=bool)))


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_nan_breaks_nothing(scan: Scan, kind: str) -> None:
    data = scan.data.astype(np.float32)
    data[3, 4] = np.nan
    data[5, 6, 7, 8] = np.nan
    data[:, :, 9, 9] = np.nan
    damaged = scan.replaced(data)
    image = run(navigator(damaged))
    assert np.isfinite(image).all()
    assert image[3, 4] == 0
    assert np.isfinite(quick_navigator(damaged)).all()
    pattern = run(mean_pattern(damaged, None, kind))
    assert np.isnan(pattern[9, 9])
    assert np.count_nonzero(np.isnan(pattern)) == 1
    good = np.delete(data.reshape(-1, 48, 40), 3 * 16 + 4, axis=0)
    expected = getattr(good, kind)(axis=0)
    assert pattern[0, 0] == pytest.approx(expected[0, 0])


def test_blocks_follow_chunks_and_stay_small(scan: Scan, tmp_path: Path) -> None:
    filed = as_hdf5(scan, tmp_path / "a.h5", (5, 4, 48, 40))
    frame = 48 * 40 * 2
    parts = blocks(filed, max_bytes=frame * 5 * 9)
    assert {(y.start, y.stop) for y, _ in parts} == {(0, 5), (5, 10), (10, 12)}
    assert {(x.start, x.stop) for _, x in parts} == {(0, 8), (8, 16)}
    tiny = blocks(scan, max_bytes=frame * 3)
    assert all((y.stop - y.start) * (x.stop - x.start) <= 3 for y, x in tiny)
    assert sum((y.stop - y.start) * (x.stop - x.start) for y, x in tiny) == 12 * 16
    whole = blocks(filed, max_bytes=frame * 3)  # never a part of a chunk, which costs as much
    assert {(y.stop - y.start, x.stop - x.start) for y, x in whole} == {(5, 4), (2, 4)}
    filed.close()


def test_chunks_are_unpacked_once(scan: Scan, tmp_path: Path) -> None:
    filed = as_hdf5(scan, tmp_path / "a.h5", (5, 4, 48, 40))
    reads: list[tuple[slice, ...]] = []

    class Watched:
        shape, dtype, chunks = filed.data.shape, filed.data.dtype, filed.data.chunks

        def __getitem__(self, where: tuple[slice, ...]) -> np.ndarray:
            reads.append(where)
            return filed.data[where]

    watched = filed.replaced(Watched())
    for job in (navigator(watched), mean_pattern(watched), region_pattern(watched)):
        reads.clear()
        run(job)
        rows = sorted((w[0].start, w[0].stop) for w in reads)
        assert set(rows) <= {(0, 5), (5, 10), (10, 12), (0, 10), (0, 12)}
    reads.clear()
    small = bin_scan(watched, 4)
    assert np.array_equal(small.read(slice(1, 12, 2)), bin_scan(scan, 4).read(slice(1, 12, 2)))
    assert [(w[0].start, w[0].stop) for w in reads] == [(1, 4), (5, 10), (11, 12)]
    filed.close()


# ---- size ---------------------------------------------------------------------------------------

MEASURE = """
import resource, sys, time
from napari_orient.data.formats import open_scan
from napari_orient.data.prepare import (
    binned_copy, binned_cost, hot_pixels, mean_pattern, navigator, quick_navigator)
from napari_orient.jobs import run
import numpy, h5py, scipy.ndimage, zarr
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
base, start = peak(), time.perf_counter()
scan = open_scan(sys.argv[1])
opened = time.perf_counter() - start
start = time.perf_counter()
assert quick_navigator(scan).shape == scan.scan_shape
quick = time.perf_counter() - start
cost = binned_cost(scan, 4)
hot_pixels(scan)
end = time.perf_counter() + float(sys.argv[2])
for job in (navigator(scan), mean_pattern(scan), binned_copy(scan, 4, sys.argv[3])):
    for event in job:
        if time.perf_counter() > end:
            break
    job.close()
    end = time.perf_counter() + float(sys.argv[2])
print(opened, quick, peak() - base, cost.seconds)
"""


def measure(path: Path, seconds: float) -> tuple[float, float, float]:
    """Seconds to open and for the quick navigator, MB above the baseline; in a fresh process."""
    out = path.with_name("copy.h5")
    command = [sys.executable, "-c", MEASURE, str(path), str(seconds), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    opened, quick, memory, _ = (float(word) for word in done.stdout.split())
    return opened, quick, memory


def sparse_npy(path: Path, shape: tuple[int, ...]) -> Path:
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=shape)
    return path


def sparse_hdf5(path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> Path:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", shape, np.uint16, chunks=chunks, compression="gzip")
        data[: chunks[0], : 2 * chunks[1]] = 7
    return path


@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_memory_stays_small(tmp_path: Path, kind: str) -> None:
    shape = (64, 64, 256, 256)  # 0.5 GB
    if kind == "npy":
        path = sparse_npy(tmp_path / "a.npy", shape)
    else:
        path = sparse_hdf5(tmp_path / "a.h5", shape, (1, 1, 256, 256))
    opened, quick, memory = measure(path, 60)
    assert opened < 1.0
    assert quick < 2.0
    assert memory < 300


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npy", "h5", "h5 one pattern a chunk"])
def test_fifty_gigabytes(tmp_path: Path, kind: str) -> None:
    shape = (310, 310, 512, 512)  # 50 GB
    if kind == "npy":
        path = sparse_npy(tmp_path / "a.npy", shape)
    else:
        chunks = (1, 1, 512, 512) if "one" in kind else (8, 8, 32, 32)
        path = sparse_hdf5(tmp_path / "a.h5", shape, chunks)
    opened, quick, memory = measure(path, 20)
    assert opened < 2.0
    assert quick < 2.0
    assert memory < 1000


def test_quick_navigator_gives_up_in_time() -> None:
    class Slow:
        shape, dtype = (400, 400, 8, 8), np.dtype(np.uint8)

        def __getitem__(self, where: Any) -> Any:
            time.sleep(0.01)
            return np.ones(self.shape, np.uint8)[where]

    start = time.perf_counter()
    image = quick_navigator(Scan(Slow()), seconds=0.3)
    assert time.perf_counter() - start < 0.8
    assert (image == image[0, 0]).all()
    assert image[0, 0] > 0
