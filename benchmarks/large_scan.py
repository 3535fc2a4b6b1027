"""Does a scan of 21 GB stay usable in a real window, as .tvips and as .hspy?

    python benchmarks/large_scan.py [--side 200] [--pixels 512]     (xvfb-run without a display)

Two sparse files of 200 x 200 patterns, 512 x 512 px uint16, are made in a temporary folder (the
.tvips with all its frame headers, the .hspy with its chunks not allocated), opened in a window with
its docks, and a detector is dragged. Each file has a process of its own; the memory is its growth
over the window with empty docks, anonymous pages and pages mapped from the file apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import h5py
import numpy as np


def write_small(path: Path, pixels: int, writer) -> None:
    """Write a 2 x 2 scan with the vendor-format writer of rosettasciio."""
    axes = [
        {
            "name": n,
            "size": s,
            "scale": c,
            "offset": 0.0,
            "units": u,
            "navigate": v,
            "index_in_array": i,
        }
        for i, (n, s, c, u, v) in enumerate(
            [
                ("y", 2, 5.0, "nm", True),
                ("x", 2, 5.0, "nm", True),
                ("ky", pixels, 1.0, "1/nm", False),
                ("kx", pixels, 1.0, "1/nm", False),
            ]
        )
    ]
    signal = {
        "data": np.zeros((2, 2, pixels, pixels), np.uint16),
        "axes": axes,
        "metadata": {"General": {"title": "large"}, "Signal": {"signal_type": ""}},
        "original_metadata": {},
        "attributes": {"_lazy": False},
        "package": "hyperspy",
        "package_version": "2.0",
        "package_info": {"package": "hyperspy", "package_version": "2.0"},
        "learning_results": {},
        "models": {},
        "tmp_parameters": {},
    }
    writer(str(path), signal)


def write_tvips(path: Path, side: int, pixels: int) -> None:
    """Grow a small recording to side x side frames: headers written, images left sparse."""
    from rsciio.tvips import file_writer
    from rsciio.tvips._api import TVIPS_RECORDER_FRAME_HEADER, TVIPS_RECORDER_GENERAL_HEADER

    write_small(path, pixels, lambda name, signal: file_writer(name, signal, mode=2))
    head = np.dtype(TVIPS_RECORDER_GENERAL_HEADER).itemsize
    record = np.dtype([*TVIPS_RECORDER_FRAME_HEADER, ("data", "<u2", (pixels, pixels))])
    count = side * side
    with path.open("r+b") as file:
        file.truncate(head + count * record.itemsize)
    frames = np.memmap(path, record, "r+", offset=head, shape=(count,))
    frames["mode"] = 2
    frames["rotidx"] = np.arange(1, count + 1)
    frames.flush()


def write_hspy(path: Path, side: int, pixels: int) -> None:
    """Put a chunked dataset without allocated chunks in the place of a small one."""
    from rsciio.hspy import file_writer

    write_small(path, pixels, file_writer)
    with h5py.File(path, "r+") as file:
        group = next(iter(file["Experiments"].values()))
        del group["data"]
        shape, chunks = (side, side, pixels, pixels), (8, 8, 32, 32)
        data = group.create_dataset("data", shape, np.uint16, chunks=chunks, compression="gzip")
        data[0, 0] = np.arange(pixels, dtype=np.uint16)
        for axis in range(2):
            group[f"axis-{axis}"].attrs["size"] = side


class Memory(threading.Thread):
    """Samples the memory of this process every 20 ms; remembers the peaks, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = {"RssAnon": 0.0, "RssFile": 0.0}
        self.base = self.now()

    @staticmethod
    def now() -> dict[str, float]:
        """Return anonymous and file-mapped memory, in MB."""
        lines = Path("/proc/self/status").read_text().splitlines()
        words = [line.split() for line in lines]
        return {w[0][:-1]: int(w[1]) / 1000 for w in words if w[0] in ("RssAnon:", "RssFile:")}

    def run(self) -> None:
        """Sample for ever."""
        while True:
            for name, value in self.now().items():
                self.peak[name] = max(self.peak[name], value - self.base[name])
            time.sleep(0.02)


def measure(path: Path) -> dict[str, object]:
    """Open the file in a window with docks, wait, drag; return what was found."""
    import napari
    from drag import Bench, Heartbeat, process, rest

    from napari_orient.diffraction.detectors import Disk
    from napari_orient.plugin.layers import kind_of
    from napari_orient.plugin.sessions import get_session

    bench = Bench.__new__(Bench)
    bench.viewer = viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 900)
    bench.session = get_session(viewer)
    docks = [
        viewer.window.add_plugin_dock_widget("napari-orient", name, tabify=False)[1]
        for name in ("Virtual detectors", "Pattern")
    ]
    bench.detectors, bench.pattern = docks
    bench.heart = Heartbeat(viewer.window._qt_window)
    rest(2.0)
    memory = Memory()
    memory.start()

    start = time.perf_counter()
    viewer.open(path, plugin="napari-orient")
    opened = time.perf_counter() - start

    def navigator():
        return next((x for x in viewer.layers if kind_of(x) == "navigator"), None)

    process(lambda: navigator() is not None and np.isfinite(navigator().data).any())
    shown = time.perf_counter() - start
    bench.heart.reset()
    rest(5.0)  # the exact navigator runs in the background
    background = bench.heart.report()["blocked_ms"]
    half = bench.session.scan.pattern_shape[0] / 2
    found = bench.passes(Disk(centre=(half, half), radius=20))
    sweep = bench.sweep()
    answer = {
        "opened_s": opened,
        "navigator_s": shown,
        "blocked_by_navigator_ms": background,
        "first_partial_ms": found["first_partial_ms"],
        "whole_image_ms": found["whole_ms"],
        "drag_images_per_s": sweep["per_second"],
        "blocked_in_drag_ms": max(found["blocked_ms"], sweep["blocked_ms"]),
        "peak_anonymous_mb": memory.peak["RssAnon"],
        "peak_mapped_mb": memory.peak["RssFile"],
        "said": bench.detectors.advice.text.text(),
    }
    bench.close()
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=200)
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print("ANSWER", json.dumps(measure(options.measure)))
        return 0
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, write in {"large_000.tvips": write_tvips, "large.hspy": write_hspy}.items():
            path = Path(folder) / name
            write(path, options.side, options.pixels)
            command = [sys.executable, __file__, "--measure", str(path)]
            done = subprocess.run(command, capture_output=True, text=True)
            lines = [x for x in done.stdout.splitlines() if x.startswith("ANSWER ")]
            if not lines:
                sys.exit(f"{name}: {done.stderr}")
            results[name] = json.loads(lines[0][7:])
            path.unlink()
    print(f"| |{'|'.join(results)}|\n|---|{'---|' * len(results)}")
    for key in next(iter(results.values())):
        cells = [v[key] if isinstance(v[key], str) else f"{v[key]:.4g}" for v in results.values()]
        print(f"| {key} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
