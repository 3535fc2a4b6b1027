"""Does the window stay free while a volume grows in it?

    python benchmarks/reconstruction_window.py       (under xvfb-run where there is no display)

A reconstruction of 64 x 64 x 64 points runs in the Reconstruct dock of a real window, in a process
of its own. Measured are: the share of the time in which the window's loop stood still for more than
20 ms (asked: 10 % at most), the longest of these gaps and what the window did in them, pictures
shown and dropped, the time of a frame while the block is turned, during the run and after it
(asked: at least 0.75 times as fast), and memory over 1000 updates of the layer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter

import numpy as np

TICK, GAP, LONG = 0.004, 0.020, 0.050  # s
DRAWS = ("paintGL", "paintEvent", "on_draw", "_draw_scene", "swap_buffers", "screenshot")


class Heartbeat:
    """Gaps of the GUI thread, and where it was in them: a second thread looks."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.main = threading.get_ident()
        self.gaps: list[tuple[float, float, str]] = []  # when, how long, what
        self.seen: list[tuple[str, ...]] = []
        self.last = self.begun = time.perf_counter()
        self.over = False
        self.timer = QTimer()
        self.timer.setInterval(round(1000 * TICK))
        self.timer.timeout.connect(self.tick)
        self.timer.start()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def reset(self) -> None:
        """Forget what was measured."""
        self.gaps.clear()
        self.seen.clear()
        self.last = self.begun = time.perf_counter()

    def tick(self) -> None:
        """Note the gap since the last tick."""
        now = time.perf_counter()
        if now - self.last > GAP:
            self.gaps.append((self.last - self.begun, now - self.last, self.what()))
        self.seen.clear()
        self.last = now

    def look(self) -> None:
        """Note, while a gap goes on, what the GUI thread calls."""
        while not self.over:
            time.sleep(TICK)
            if time.perf_counter() - self.last > GAP and len(self.seen) < 500:
                frame = sys._current_frames().get(self.main)
                names = []
                while frame is not None:
                    code = frame.f_code
                    file = code.co_filename.rpartition("/")[2].removesuffix(".py")
                    names.append(f"{file}.{code.co_name}")
                    frame = frame.f_back
                self.seen.append(tuple(names))

    def what(self) -> str:
        """Return what was seen most often in this gap: drawing, or the innermost call of ours."""
        found = Counter(_kind(names) for names in self.seen)
        return found.most_common(1)[0][0] if found else "drawing by Qt, or another process"

    def stop(self) -> None:
        """End."""
        self.over = True
        self.timer.stop()
        self.thread.join()

    def report(self) -> dict[str, object]:
        """Return shares of the time since the last reset, and the longest gaps."""
        wall = time.perf_counter() - self.begun
        other = [gap for gap in self.gaps if not gap[2].startswith("drawing")]
        return {
            "seconds": wall,
            "share_of_gaps": sum(gap[1] for gap in self.gaps) / wall,
            "gaps": len(self.gaps),
            "longest_ms": 1e3 * max((gap[1] for gap in self.gaps), default=0.0),
            "longest_not_drawing_ms": 1e3 * max((gap[1] for gap in other), default=0.0),
            "not_drawing_above_50_ms": sum(gap[1] > LONG for gap in other),
            "longest": [
                f"{1e3 * long:.0f} ms at {at:.1f} s: {what}"
                for at, long, what in sorted(self.gaps, key=lambda gap: -gap[1])[:8]
            ],
        }


def _kind(names: tuple[str, ...]) -> str:
    if any(name.endswith(draw) for name in names for draw in DRAWS):
        return "drawing (" + names[0] + ")"
    if names[0] == "qt_main_window.event":
        return "drawing and layout by Qt"
    inner = [name for name in names if not name.startswith(("reconstruction_window", "threading"))]
    return " < ".join(inner[:6]) if inner else "drawing by Qt, or another process"


def process(until, limit: float = 120.0) -> bool:
    """Let the window work until something is true."""
    from qtpy.QtCore import QEventLoop
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + limit
    while time.perf_counter() < end:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        if until():
            return True
    return False


def rest(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.perf_counter() + seconds
    process(lambda: time.perf_counter() > end, seconds + 60)


def turning(viewer, seconds: float) -> list[float]:
    """Turn the block, a degree a frame; return the times of the frames."""
    drawn: list[float] = []
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    canvas.events.draw.connect(lambda _: drawn.append(time.perf_counter()), position="last")
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        a, b, c = viewer.scene.camera.angles
        count, start = len(drawn), time.perf_counter()
        viewer.scene.camera.angles = (a, b, c + 1)
        process(lambda count=count: len(drawn) > count, 10)
        times.append(time.perf_counter() - start)
    return times[1:]


def begin(viewer, side: int, grains: int):
    """Open the dock on a simulated map, and set up a run that does not end by itself."""
    from napari_orient.plugin.scan_layers import describe_map_layer
    from napari_orient.reconstruction.config import ReconstructConfig
    from napari_orient.samples import polycrystal_map

    reference = polycrystal_map((240, 240), grains, "Ni", seed=3, step=0.5, unit="um")
    data, settings, _ = describe_map_layer(reference, "nickel")
    settings["metadata"]["map"] = reference
    viewer.add_image(data, **settings)
    dock = viewer.window.add_plugin_dock_widget("napari-orient", "Reconstruct")[1]
    config = ReconstructConfig(size=(side,) * 3, window=9, evaluations=100_000, plateau=0)
    dock.form.set_config(config)
    dock.form.changed.emit()
    rest(1.0)
    process(lambda: dock.outlook is not None and dock._live.is_idle)
    return dock


def updates(layer, count: int) -> dict[str, float]:
    """Give the layer other data many times; return memory after a tenth of them, and after all."""
    import psutil

    random = np.random.default_rng(0)
    images = [random.integers(0, 255, layer.data.shape, np.uint8) for _ in range(4)]
    for image in images:
        image[..., 3] = 255
    me, early = psutil.Process(), 0.0
    start = time.perf_counter()
    for number in range(count):
        layer.data = images[number % 4]
        rest(0.001)
        if number == count // 10:
            early = me.memory_info().rss / 1e6
    late = me.memory_info().rss / 1e6
    return {
        "updates": count, "early_mb": early, "late_mb": late, "grown_mb": late - early,
        "ms_each": 1e3 * (time.perf_counter() - start) / count,
    }  # fmt: skip


def measure(side: int, seconds: float, count: int) -> dict[str, object]:
    """Run it all."""
    import napari
    import psutil
    from napari.settings import get_settings

    get_settings().application.ipy_interactive = False
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 900)
    dock = begin(viewer, side, 700)
    heart = Heartbeat()
    found: dict[str, object] = {
        "side": side, "cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0],
    }  # fmt: skip
    dock.panel.start_button.click()
    process(lambda: dock.growing.made > 1)
    found["start"] = heart.report()
    heart.reset()
    made, dropped, psi = dock.growing.made, dock.growing.dropped, psutil.cpu_percent(None)
    rest(seconds)
    found["run"] = heart.report()
    found["machine_percent"] = psutil.cpu_percent(None) or psi
    found["load"] = os.getloadavg()[0]
    found["evaluations"] = dock.curve.course.last.evaluations
    found["shown_per_s"] = (dock.growing.made - made) / seconds
    found["dropped_per_s"] = (dock.growing.dropped - dropped) / seconds
    during = turning(viewer, 8.0)
    dock.bar._pause.click()
    rest(4.0)
    idle = turning(viewer, 8.0)
    found["turning_ms"] = 1e3 * float(np.median(during))
    found["turning_idle_ms"] = 1e3 * float(np.median(idle))
    found["turning_ratio"] = found["turning_idle_ms"] / found["turning_ms"]
    found["memory"] = updates(dock.growing.layer, count)
    dock.bar.cancel()
    process(lambda: not dock.bar.is_running)
    heart.stop()
    viewer.close()
    return found


def show(found: dict[str, object]) -> None:
    """Print a table."""
    print(f"{found['side']}^3 on {found['cores']} core(s), load {found['load']:.1f}")
    for name in ("start", "run"):
        one = found[name]
        print(
            f"{name}: {one['seconds']:.0f} s, gaps > 20 ms {100 * one['share_of_gaps']:.1f} % "
            f"({one['gaps']}), longest {one['longest_ms']:.0f} ms, not drawing "
            f"{one['longest_not_drawing_ms']:.0f} ms ({one['not_drawing_above_50_ms']} above 50 ms)"
        )
        for line in one["longest"]:
            print(f"    {line}")
    print(f"evaluations on the grid: {found['evaluations']}")
    print(f"pictures shown {found['shown_per_s']:.2f} /s, dropped {found['dropped_per_s']:.2f} /s")
    print(
        f"a frame while turning: {found['turning_ms']:.0f} ms in the run, "
        f"{found['turning_idle_ms']:.0f} ms idle: {found['turning_ratio']:.2f} times as fast"
    )
    one = found["memory"]
    print(
        f"{one['updates']} updates: {one['early_mb']:.0f} MB after a tenth, "
        f"{one['late_mb']:.0f} MB in the end; {one['ms_each']:.0f} ms each"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_ORIENT_DATA"] = folder
        found = measure(args.side, args.seconds, args.updates)
    print(json.dumps(found)) if args.json else show(found)


if __name__ == "__main__":
    main()
