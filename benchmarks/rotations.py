"""How fast are misorientations, zones and means? Ours beside orix, on the same orientations.

    python benchmarks/rotations.py [--pairs N] [--quick]

Medians on at most two cores, the methods taking turns. The differences are in degrees. orix knows
two ways to an angle: ``angle_with`` (dot products with all equivalents) and the difference of two
orientations, which is moved into the zone of misorientations and has an axis too.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

import numpy as np
import torch
from orix.crystal_map import Phase
from orix.quaternion import Orientation, Rotation

from napari_orient.crystal import rotations as r

OUTER = """
import resource, sys
import numpy as np
from napari_orient.crystal import rotations as r
n = int(sys.argv[1])
a, b = r.random_orientations(n, 1)[:, None], r.random_orientations(n, 2)[None]
r.misorientation_angle(a[:2], b, "m-3m")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
angle = r.misorientation_angle(a, b, "m-3m")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) / 1024, angle.nbytes / 2**20)
"""


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def compare(
    what: str, ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int, gap: Any = None
) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    ours()  # operators and threads are made once
    for _ in range(repeats):
        for took, method in zip(times, (ours, theirs), strict=True):
            took.append(seconds(method)[0])
    a, b = (statistics.median(took) for took in times)
    worst = float(np.nanmax(gap(ours(), theirs()))) if gap else float("nan")
    print(f"| {what} | {1e3 * a:.1f} | {1e3 * b:.1f} | {b / a:.1f} | {worst:.1e} |", flush=True)


def pairs(n: int, repeats: int) -> None:
    a, b = r.random_orientations(n, 1), r.random_orientations(n, 2)
    print(f"\n### {n} pairs, {torch.get_num_threads()} threads\n")
    print("| | ours ms | orix ms | ratio | largest difference, degrees |\n|---|---|---|---|---|")
    for name in ("m-3m", "6/mmm", "-3m"):
        group = Phase(point_group=name).point_group
        x, y = Orientation(a, symmetry=group), Orientation(b, symmetry=group)
        compare(
            f"angle, {name}, orix angle_with",
            lambda name=name: r.misorientation_angle(a, b, name),
            lambda x=x, y=y: np.degrees(x.angle_with(y)),
            repeats,
            lambda p, q: np.abs(p - q),
        )
        if name == "m-3m":
            compare(
                f"angle and axis, {name}, orix difference",
                lambda name=name: r.misorientation(a, b, name),
                lambda x=x, y=y: np.degrees((x - y).angle),
                1,
                lambda p, q: np.abs(p.angle - q),
            )
        compare(
            f"fundamental zone, {name}",
            lambda name=name: r.reduce_to_fundamental_zone(a, name),
            lambda x=x: x.reduce().data,
            max(1, repeats // 3),
            lambda p, q: np.abs(r.to_axis_angle(p)[1] - r.to_axis_angle(q)[1]),
        )
    rotation = Rotation(a)
    compare("to Euler angles", lambda: r.to_euler(a), lambda: rotation.to_euler(), repeats)
    angles = np.radians(r.to_euler(a))
    degrees = np.degrees(angles)
    compare(
        "from Euler angles",
        lambda: r.from_euler(degrees),
        lambda: Rotation.from_euler(angles),
        repeats,
    )


def alone(n: int, repeats: int) -> None:
    a, b = r.random_orientations(n, 1), r.random_orientations(n, 2)
    print("\n### Ours alone\n\n| | ms |\n|---|---|")
    labels = np.arange(n) // 100
    noise = r.from_axis_angle(np.random.default_rng(0).normal(size=(n, 3)), 2.0)
    grains = r.multiply(noise, a[labels])
    x = torch.tensor(a, requires_grad=True)
    methods: dict[str, Callable[[], Any]] = {
        "angle, modulo the beam operator": lambda: r.misorientation_angle(
            a, b, "m-3m", modulo_beam=True
        ),
        "angle, float32": lambda: r.misorientation_angle(short[0], short[1], "m-3m"),
        "angle and its gradient": lambda: (
            r.misorientation_angle(x, torch.tensor(b), "m-3m").sum().backward()
        ),
        "tilt and in-plane": lambda: r.tilt_and_in_plane(a, b, "m-3m"),
        "means of grains of 100": lambda: r.mean_orientation(grains, "m-3m", labels=labels),
    }
    short = a.astype(np.float32), b.astype(np.float32)
    for what, method in methods.items():
        method()
        took = statistics.median(seconds(method)[0] for _ in range(repeats))
        print(f"| {what}, {n} cubic | {1e3 * took:.1f} |", flush=True)


def memory(n: int) -> None:
    command = [sys.executable, "-c", OUTER, str(n)]
    took, done = seconds(
        lambda: subprocess.run(command, check=True, capture_output=True, text=True)
    )
    grown, result = map(float, done.stdout.split())
    print(
        f"\n{n} x {n} cubic pairs: {took:.1f} s with start-up, memory grows by {grown:.0f} MiB, ",
        end="",
    )
    print(
        f"of which the result is {result:.0f} MiB (all dot products at once: {24 * result:.0f} MiB)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    options = parser.parse_args()
    n, repeats = (options.pairs // 10, 3) if options.quick else (options.pairs, 7)
    warnings.simplefilter("ignore")  # orix divides by zero at gimbal lock
    pairs(n, repeats)
    alone(n, repeats)
    memory(1000 if options.quick else 4000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak of this process, orix included: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
