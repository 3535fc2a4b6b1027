"""How long does a virtual detector take? Ours beside plain numpy and pyxem, on the same data.

    python benchmarks/virtual_detectors.py [--pyxem-python PATH] [--quick]

Medians on at most two cores, the methods taking turns, data warm (in memory, or in the system's
file cache).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

from napari_orient.data.scan import Scan
from napari_orient.diffraction.virtual import (
    Annulus,
    Disk,
    VirtualDetector,
    VirtualImager,
    virtual_image,
    warm_up,
)
from napari_orient.jobs import Partial, run

DISK = VirtualDetector(name="disk r=5", shapes=(Disk(centre=(64, 64), radius=5),))
RING = VirtualDetector(name="annulus 20-40", shapes=(Annulus(centre=(64, 64), inner=20, outer=40),))
LARGE = (200, 200, 512, 512)

PYXEM = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, hyperspy.api as hs
from pyxem.signals import Diffraction2D, LazyDiffraction2D
import dask.array as da
data = np.load(sys.argv[1], mmap_mode="r")
n = int(sys.argv[2])
signals = {"eager": Diffraction2D(np.array(data)),
           "lazy": LazyDiffraction2D(da.from_array(data, chunks=(32, 32, 128, 128)))}
rois = {"disk r=5": (5.5, 0), "annulus 20-40": (40.5, 20)}
answer = {}
for kind, signal in signals.items():
    for name, (outer, inner) in rois.items():
        times = []
        for k in range(n + 1):
            roi = hs.roi.CircleROI(64 + k % 3, 64, outer, inner)
            start = time.perf_counter()
            image = signal.get_integrated_intensity(roi)
            if kind == "lazy":
                image.compute(show_progressbar=False)
            times.append(time.perf_counter() - start)
        answer[f"{name} pyxem {kind}"] = 1e3 * sorted(times[1:])[n // 2]
print(json.dumps(answer))
"""


def row(what: str, *values: Any) -> None:
    cells = (f"{value:.1f}" if isinstance(value, float) else str(value) for value in values)
    print(f"| {what} | " + " | ".join(cells) + " |", flush=True)


def header(title: str, *columns: str) -> None:
    print(f"\n### {title}\n\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")


def milliseconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - start)


def taking_turns(methods: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, list[float]]:
    """Time each method once a round, so that a busy moment of the machine hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(rounds + 1):
        for name, method in methods.items():
            took = milliseconds(lambda method=method, number=number: method(number))
            if number:  # the first round warms up
                times[name].append(took)
    return times


def make_scan(folder: Path) -> Path:
    """Write 200 x 200 x 128 x 128 uint8 patterns: a bright beam, 40 spots, Poisson noise."""
    path = folder / "scan.npy"
    rng = np.random.default_rng(0)
    ky, kx = np.mgrid[:128, :128] - 64.0
    pool = []
    for _ in range(200):
        mean = 0.3 + 200 * np.exp(-(ky**2 + kx**2) / 18)
        for y, x in rng.uniform(-55, 55, (40, 2)):
            mean += rng.exponential(15) * np.exp(-((ky - y) ** 2 + (kx - x) ** 2) / 8)
        pool.append(np.minimum(rng.poisson(mean), 255).astype(np.uint8))
    data = np.lib.format.open_memmap(path, "w+", np.uint8, (200, 200, 128, 128))
    for y in range(200):
        data[y] = np.stack([pool[k] for k in rng.integers(0, 200, 200)])
    data.flush()
    return path


def bench_drag(path: Path, rounds: int, pyxem: dict[str, float]) -> None:
    data = np.load(path)
    scan = Scan(data)
    imager = VirtualImager(scan)
    cold = milliseconds(lambda: warm_up("u1", ("sum", "com_x")))
    prepared = milliseconds(lambda: run(imager.prepare()))
    flat = data.reshape(40_000, 128, 128)
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.integers(-2, 3, (1000, 2)), axis=0)
    drag = np.abs((walk + 15) % 60 - 30) - 15  # turns round 15 px from the beam
    jumps = rng.integers(-30, 31, (1000, 2))

    def numpy_box(detector: VirtualDetector, number: int) -> Any:
        mask = detector.moved(*drag[number]).mask((128, 128))
        (rows,), (columns,) = mask.any(1).nonzero(), mask.any(0).nonzero()
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return np.einsum("pij,ij->p", flat[:, *box], mask[box].astype(np.uint32))

    def numpy_mask(detector: VirtualDetector, number: int) -> Any:
        return flat[:, detector.moved(*drag[number]).mask((128, 128))].sum(axis=1, dtype=np.uint32)

    header("Drag step, 200x200x128x128 uint8, in memory", "median ms", "95 % ms", "worst ms")
    for detector in (DISK, RING):
        com = detector.model_copy(update={"signal": "com_magnitude", "name": "com"})
        std = detector.model_copy(update={"signal": "std", "name": "std"})
        size = rounds if detector is DISK else max(3, rounds // 6)
        ours: dict[str, Callable[[int], Any]] = {
            "sum, 1-3 px moves": lambda n, d=detector: imager.image(d.moved(*drag[n])),
            "sum, jumps": lambda n, d=detector: imager.image(
                d.moved(*jumps[n]).model_copy(update={"name": f"{n}"})
            ),
            "centre of mass, 1-3 px moves": lambda n, d=com: imager.image(d.moved(*drag[n])),
            "centre of mass, jumps": lambda n, d=com: imager.image(
                d.moved(*jumps[n]).model_copy(update={"name": f"com{n}"})
            ),
            "standard deviation, 1-3 px moves": lambda n, d=std: imager.image(d.moved(*drag[n])),
        }
        from_scan: dict[str, Callable[[int], Any]] = {
            "sum, no working copy (in memory)": lambda n, d=detector: run(
                virtual_image(scan, d.moved(*drag[n]))
            )
        }
        plain: dict[str, Callable[[int], Any]] = {
            "numpy, einsum over the bounding box": lambda n, d=detector: numpy_box(d, n),
            "numpy, data[..., mask].sum": lambda n, d=detector: numpy_mask(d, n),
        }
        times = taking_turns(ours, rounds) | taking_turns({**from_scan, **plain}, min(size, 7))
        for name, took in times.items():
            who = name if name.startswith("numpy") else f"**{name}**"
            worst = sorted(took)[-1 - len(took) // 20]
            row(f"{detector.name}: {who}", statistics.median(took), worst, max(took))
        for kind in ("eager", "lazy"):
            if (key := f"{detector.name} pyxem {kind}") in pyxem:
                row(f"{detector.name}: pyxem 0.21 {kind}", pyxem[key], "", "")
    row("once: compile, or load from numba's cache", cold, "", "")
    row("once: working copy (655 MB)", prepared, "", "")


def watch(scan: Scan, detector: VirtualDetector) -> tuple[float, float, float, float, int]:
    """First partial, total, longest wait between two events (ms); share drawn at first, count."""
    start = last = time.perf_counter()
    first, gap, share, count = float("nan"), 0.0, float("nan"), 0
    job = virtual_image(scan, detector)
    for event in job:
        now = time.perf_counter()
        gap, last = max(gap, now - last), now
        if isinstance(event, Partial):
            count += 1
            if count == 1:
                first, share = now - start, float(np.isfinite(event.value).mean())
    now = time.perf_counter()
    gap = max(gap, now - last)
    return 1e3 * first, 1e3 * (now - start), 1e3 * gap, 100 * share, count


COLUMNS = ("first partial ms", "painted then %", "partials", "longest step ms", "total ms")


def watched_row(what: str, scan: Scan, detector: VirtualDetector, repeats: int) -> None:
    results = [watch(scan, detector) for _ in range(repeats)]
    first, total, gap, share, _ = (
        statistics.median(column) for column in zip(*results, strict=True)
    )
    shown = "(done before)" if first != first else first
    row(f"{what}, {detector.name}", shown, share, results[-1][4], gap, total)


def bench_files(path: Path, quick: bool) -> None:
    import h5py

    header("One pass from a file, 200x200x128x128 uint8", *COLUMNS)
    data = np.load(path, mmap_mode="r")
    warm_up("u1")
    for detector in (DISK, RING):
        watched_row("memory map (.npy)", Scan(data), detector, 3)
    for chunks in ((32, 32, 32, 32), (1, 1, 128, 128)):
        for compression in (None,) if quick else (None, "gzip"):
            name = path.with_name("scan.h5")
            with h5py.File(name, "w") as file:
                options = {"compression_opts": 1} if compression == "gzip" else {}
                stored = file.create_dataset(
                    "scan", data.shape, "u1", chunks=chunks, compression=compression, **options
                )
                for y in range(0, 200, 32):
                    stored[y : y + 32] = data[y : y + 32]
            with h5py.File(name) as file:
                scan = Scan(file["scan"])
                what = f"HDF5 {chunks}{', gzip 1' if compression else ''}"
                for detector in (DISK, RING):
                    watched_row(what, scan, detector, 3)
                imager = VirtualImager(scan)
                took = milliseconds(lambda imager=imager: run(imager.prepare()))
                row(f"{what}, working copy", "", "", "", "", took)
            name.unlink()


def memory_mb(key: str) -> float:
    """A line of /proc/self/status, or the peak as the system reports it, in MB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(key))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def bench_large(path: Path) -> None:
    """In a process of its own, for the peak of the memory."""
    scan = Scan(np.memmap(path, np.uint16, "r", shape=LARGE))
    warm_up("u2")
    run(virtual_image(Scan(np.zeros((9, 9, 16, 16), np.uint16)), DISK))
    before = memory_mb("VmRSS")
    for detector in (DISK, RING):
        watched_row("raw memory map", scan, detector.moved(192, 192), 1)
    imager = VirtualImager(scan)
    row("peak memory above the start, MB", "", "", "", "", memory_mb("VmHWM") - before)
    print(f"\n{imager.explain()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pyxem-python", help="a Python with pyxem and zarr < 3")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, no compression")
    parser.add_argument("--only", choices=["drag", "files", "large"], help="one table")
    parser.add_argument("--large-file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.large_file:
        bench_large(options.large_file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = make_scan(Path(folder))
        if options.only in (None, "drag"):
            pyxem = {}
            if options.pyxem_python:
                command = [options.pyxem_python, "-c", PYXEM, str(path), "5"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"pyxem did not run:\n{done.stderr}", file=sys.stderr)
                else:
                    pyxem = json.loads(done.stdout.splitlines()[-1])
            bench_drag(path, 20 if options.quick else 60, pyxem)
        if options.only in (None, "files"):
            bench_files(path, options.quick)
        if options.only in (None, "large"):
            header("One pass, 200x200x512x512 uint16 (21 GB, sparse file)", *COLUMNS)
            large = Path(folder) / "large.raw"
            with large.open("wb") as file:
                file.truncate(int(np.prod(LARGE)) * 2)
            subprocess.run([sys.executable, __file__, "--large-file", str(large)], check=True)


if __name__ == "__main__":
    main()
