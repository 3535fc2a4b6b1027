"""How many symmetrised harmonics are there, how exact and how fast are they?

    python benchmarks/harmonics.py [--voxels N] [--starts N] [--quick]

Counts of functions for each degree and Laue group beside those of the characters, errors, the
default sets with what else comes near to an orientation in them, the nine cubic functions as sums
of Z^8_lm, and the seconds of values and gradients on one core.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import argparse
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize

from napari_orient.crystal import polynomials
from napari_orient.crystal.harmonics import (
    Harmonics,
    count_invariants,
    default_harmonics,
    harmonics,
    invariant_basis,
)
from napari_orient.crystal.hyperspherical import coefficients, indices, moments, monomials
from napari_orient.crystal.rotations import (
    LAUE_GROUPS,
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMORY = """
import sys, torch
from pathlib import Path
from napari_orient.crystal.harmonics import default_harmonics
from napari_orient.crystal.rotations import random_orientations
def now(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith(name)) / 1024
h, n = default_harmonics(sys.argv[1]), int(sys.argv[2])
q = torch.from_numpy(random_orientations(n, 1)).float().requires_grad_()
weights = torch.ones(n, h.count)
h(q[:64]).sum().backward()
q.grad = None
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = now("VmRSS")
h(q).backward(weights)
print(now("VmHWM") - before)
"""


def counts(degrees: list[int]) -> None:
    print("\n### Functions of each degree: found / by characters (Molien)\n")
    print(
        "| |" + "".join(f" n = {n} |" for n in degrees) + "\n" + "|---" * (len(degrees) + 1) + "|"
    )
    for group in LAUE_GROUPS:
        both = [(len(invariant_basis(group, n)), count_invariants(group, n)) for n in degrees]
        print(f"| {group} |" + "".join(f" {a} / {b} |" for a, b in both), flush=True)


def errors(degrees: list[int]) -> None:
    print("\n### Largest errors over all groups\n")
    print("| n | orthonormality: raw | symmetrised | f(s q) - f(q) | f(-q) - f(q) | float32 |")
    print("|---|---|---|---|---|---|")
    q = random_orientations(200, seed=1)
    for n in degrees:
        raw, e = coefficients(n), monomials(n)
        integrals = moments(e[:, None] + e)
        rows = [orthonormality(raw, integrals)]
        sets = [harmonics(g, (n,)) for g in LAUE_GROUPS if count_invariants(g, n)]
        rows.append(max(orthonormality(h.polynomials[0].coefficients, integrals) for h in sets))
        rows.append(max(invariance(h, q) for h in sets))
        rows.append(max(abs(h(-q) - h(q)).max() for h in sets))
        rows.append(max(abs(h(q.astype(np.float32)) - h(q)).max() for h in sets))
        print(f"| {n} |" + "".join(f" {one:.1e} |" for one in rows), flush=True)


def orthonormality(rows: Any, integrals: Any) -> float:
    return float(abs(rows @ integrals @ rows.T - np.eye(len(rows))).max())


def invariance(h: Harmonics, q: Any) -> float:
    return max(float(abs(h(multiply(s, q)) - h(q)).max()) for s in laue_operators(h.group))


def defaults(starts: int) -> None:
    print(f"\n### Default sets; minima of |Z(q) - Z(q0)|^2 from {starts} random orientations\n")
    print(
        "Distances are over that of unrelated orientations. Others are minima or saddle points "
        "that are no equivalent of q0.\n"
    )
    print("| | n | K | end at q0, % | farthest of these, deg | the nearest others (at degrees) |")
    print("|---|---|---|---|---|---|")
    for group in LAUE_GROUPS:
        h = default_harmonics(group)
        found = np.array(list(minima(h, random_orientations(starts, seed=2))))
        same = found[:, 0] < 1e-9
        others = sorted({(round(d, 2), round(a)) for d, a in found[~same].tolist()})[:3]
        words = ", ".join(f"{d} ({a})" for d, a in others) or "none"
        n = ", ".join(map(str, sorted(set(h.degrees))))
        share, far = 100 * same.mean(), found[same, 1].max()
        print(f"| {group} | {n} | {h.count} | {share:.0f} | {far:.0e} | {words} |", flush=True)


def minima(h: Harmonics, starts: Any) -> Iterator[tuple[float, float]]:
    one = np.array([1.0, 0, 0, 0])  # enough: the distance depends on the misorientation alone
    z0 = h(one)

    def distance(x: Any) -> tuple[float, Any]:
        q = x / np.linalg.norm(x)
        d = h(q) - z0
        g = h.pull_back(q, 2 * d)
        return d @ d / (2 * z0 @ z0), (g - (g @ q) * q) / np.linalg.norm(x) / (2 * z0 @ z0)

    for start in starts:
        for _ in range(3):  # a line search may give up once
            found = minimize(distance, start, jac=True, options={"gtol": 1e-9})
            start = found.x / np.linalg.norm(found.x)
        yield float(found.fun), float(misorientation_angle(start, one, h.group))


def cubic() -> None:
    print("\n### The nine cubic functions of n = 8, in Z^8_lm (c: cosine, s: sine)\n")
    for number, row in enumerate(invariant_basis("m-3m", 8), start=1):
        terms = [
            f"{value:+.5f} Z{i.ell}{i.m}{i.kind}"
            for i, value in zip(indices(8), row, strict=True)
            if value
        ]
        print(f"{number}. {' '.join(terms)}")


def speed(voxels: int) -> None:
    print(f"\n### Milliseconds at {voxels} quaternions, one core\n")
    print("| | n | K | | values | gradient | plain torch: values | gradient | memory, MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    q64 = torch.from_numpy(random_orientations(voxels, seed=3))
    for group in ("m-3m", "-3m", "m-3", "4/m", "6/mmm", "6/m"):
        for dtype in (torch.float32, torch.float64):
            h, q = default_harmonics(group), q64.to(dtype)
            (p,) = h.polynomials
            weights = torch.ones(voxels, h.count, dtype=dtype)
            took = [
                median(lambda p=p, q=q: p.values(q), 7),
                median(lambda p=p, q=q, w=weights: p.pull_back(q, w), 7),
                median(lambda p=p, q=q: polynomials.values(p, q), 1),
                median(lambda p=p, q=q, w=weights: polynomials.pull_back(p, q, w), 1),
            ]
            grown = f"{memory(group, voxels):.0f}" if dtype == torch.float32 else ""
            name = str(dtype).removeprefix("torch.")
            row = "".join(f" {1e3 * t:.0f} |" for t in took)
            print(f"| {group} | {h.degrees[0]} | {h.count} | {name} |{row} {grown} |", flush=True)


def median(work: Callable[[], Any], repeats: int) -> float:
    work()
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def memory(group: str, voxels: int) -> float:
    command = [sys.executable, "-c", MEMORY, group, str(voxels)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxels", type=int, default=64**3)
    parser.add_argument("--starts", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="smaller tables")
    options = parser.parse_args()
    torch.set_num_threads(1)
    degrees = list(range(2, 13 if options.quick else 21, 2))
    counts(degrees)
    errors(degrees[:-2])
    defaults(50 if options.quick else options.starts)
    cubic()
    speed(options.voxels // 8 if options.quick else options.voxels)


if __name__ == "__main__":
    main()
