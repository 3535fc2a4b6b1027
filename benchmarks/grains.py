"""How long do grains take, and how does that grow? Volumes segmented and measured, on two cores.

    python benchmarks/grains.py [--largest N]

Periodic Voronoi polycrystals of nickel, about 3000 voxels a grain, each voxel turned by about half
a degree at random; with a reader's clock and that of the processor.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from typing import TYPE_CHECKING

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

import numpy as np

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.crystal.rotations import normalise
from napari_orient.jobs import run
from napari_orient.samples import polycrystal_map

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

VOXELS = 3000  # of a grain


def volume(n: int) -> OrientationMap:
    made = polycrystal_map((n, n, n), max(8, n**3 // VOXELS), seed=n, periodic=True)
    noise = np.random.default_rng(0).normal(scale=0.0025, size=made.quaternions.shape)
    made.quaternions = normalise(made.quaternions + noise)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=128)
    largest = parser.parse_args().largest
    run(find_grains(volume(8)))  # compile
    print("| voxels | grains made | found | s | processor s | µs a voxel |")
    print("|---|---|---|---|---|---|")
    for n in (32, 48, 64, 96, 128, 192, 256):
        if n > largest:
            break
        made = volume(n)
        start, busy = time.perf_counter(), time.process_time()
        grains = run(find_grains(made, GrainConfig()))
        wall, busy = time.perf_counter() - start, time.process_time() - busy
        count = len(np.unique(made.properties["grain"]))
        print(
            f"| {n}^3 | {count} | {len(grains)} | {wall:.2f} | {busy:.2f} "
            f"| {1e6 * busy / n**3:.2f} |",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nPeak memory {peak:.0f} MB.")


if __name__ == "__main__":
    main()
