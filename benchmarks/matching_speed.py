"""How fast is template matching, and how good? Ours beside pyxem, on one core, in one run.

    python benchmarks/matching_speed.py [--pyxem PYTHON] [-n PATTERNS] [--spacing DEG]

PYTHON is the interpreter of an environment with pyxem (0.21 needs one of its own); without it only
ours is measured. Simulated patterns of LiNiO2 (128 x 128, 300 kV, 0.6 degrees of precession, noise)
of random orientations go to both; each process is bound to one and the same core, and the seconds
are those of the processor, so that a busy machine does not decide. Ours is measured as a user runs
it: background, search, refinement and verdict included; "search only" leaves out the last two.
pyxem gets our prepared patterns (its own preparation would count against it).

Angles are errors after symmetry; "modulo" does not tell a crystal from the one turned by 180
degrees about the beam. On a -3m crystal pyxem returns mirrored matches as the crystal turned by 60
degrees about c: "repaired" takes, for each pattern, whichever of the two is nearer to the truth.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
if os.environ.get("OMP_NUM_THREADS") != "1":  # read when libraries are loaded; children inherit it
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import torch

from napari_orient.crystal.phases import fractional_coordinates, get_phase
from napari_orient.crystal.rotations import (
    from_euler,
    misorientation_angle,
    multiply,
    random_orientations,
    to_euler,
)
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.library import search_dtype
from napari_orient.diffraction.matching.matcher import build_matcher
from napari_orient.diffraction.matching.polar import prepare, unroll
from napari_orient.diffraction.matching.search import search
from napari_orient.diffraction.simulate import pattern_images, reflections, spots
from napari_orient.jobs import run

PHASE, PIXEL, VOLTAGE, PRECESSION = "LiNiO2", 0.02, 300.0, 0.6
BATCH = 64


def patterns_of(quaternions: np.ndarray) -> np.ndarray:
    found = spots(
        reflections(get_phase(PHASE), 1.85), quaternions, VOLTAGE, thickness_nm=15.0,
        precession_deg=PRECESSION, max_excitation=0.012,
    )  # fmt: skip
    return pattern_images(
        found, (128, 128), PIXEL, radius=1.6e-3 / 0.0197, spot_counts=12000, direct_counts=20000,
        background_counts=5000, power=0.5, noise_seed=1, dtype=np.uint8,
    )  # fmt: skip


def calibration() -> Calibration:
    def known(value: Any, unit: str) -> Quantity:
        return Quantity(value=value, unit=unit, source="simulated")

    return Calibration(
        pixel_size=known((PIXEL, PIXEL), "1/angstrom"), centre=known((64.0, 64.0), "px"),
        voltage=known(VOLTAGE, "kV"), rotation=known(0.0, "deg"), flip=known(0.0, ""),
    )  # fmt: skip


def ours(patterns: np.ndarray, spacing: float) -> tuple[Any, list[tuple[str, float, Any]]]:
    config = IndexConfig(
        phases=(PHASE,), spacing_deg=spacing, precession_deg=PRECESSION, convergence_mrad=1.6,
        thickness_nm=15.0, device="cpu",
    )  # fmt: skip
    start = time.process_time()
    matcher = run(build_matcher(calibration(), (128, 128), config))
    print(
        f"our library: {time.process_time() - start:.1f} s, {len(matcher.libraries[0])} simulated"
    )
    batches = [patterns[i : i + BATCH] for i in range(0, len(patterns), BATCH)]

    def search_only(batch: np.ndarray) -> np.ndarray:
        values = unroll(prepare(batch, matcher.grid), matcher.grid)
        return search(values, matcher.libraries, config.candidates, spacing_deg=spacing).quaternions

    found = []
    for name, method in (
        ("ours", lambda batch: matcher.match(batch).quaternions),
        ("ours, search only", search_only),
    ):
        method(batches[0])  # compiled once
        start = time.process_time()
        best = np.concatenate([method(batch)[:, 0] for batch in batches])
        found.append((name, len(patterns) / (time.process_time() - start), best))
    return matcher, found


def task(folder: Path, patterns: np.ndarray, matcher: Any, spacing: float) -> None:
    phase, grid = get_phase(PHASE), matcher.grid
    prepared = prepare(patterns, grid).images
    np.save(folder / "patterns.npy", np.maximum(prepared, 0))
    angles = np.asarray(to_euler(matcher.libraries[0].quaternions))
    angles[:, 0] = 0  # pyxem puts its in-plane angle there
    np.save(folder / "directions.npy", from_euler(angles))
    atoms = [
        {"element": atom.element, "xyz": [float(x) for x in xyz]}
        for atom, xyz in zip(phase.structure, fractional_coordinates(phase), strict=True)
    ]
    told = {
        "phase": PHASE, "space_group": phase.space_group.number, "atoms": atoms,
        "lattice": [float(x) for x in phase.structure.lattice.abcABG()], "pixel_size": PIXEL,
        "voltage_kv": VOLTAGE, "precession_deg": PRECESSION, "spacing_deg": spacing,
        "min_g": float(grid.g[0]), "max_g": float(min(grid.g[-1], 1.26)), "rings": 60,
    }  # fmt: skip
    (folder / "task.json").write_text(json.dumps(told))


def row(name: str, templates: int, rate: float, best: np.ndarray, truth: np.ndarray) -> str:
    group = get_phase(PHASE).point_group
    cells = [name, f"{templates}", f"{rate:.1f}"]
    for modulo in (False, True):
        error = misorientation_angle(best, truth, group, modulo_beam=modulo)
        cells += [f"{100 * (error < 5).mean():.1f}", f"{np.median(error):.2f}"]
    return "| " + " | ".join(cells) + " |"


def repaired(best: np.ndarray, truth: np.ndarray) -> np.ndarray:
    group = get_phase(PHASE).point_group
    twin = multiply(np.array([np.cos(np.pi / 6), 0, 0, np.sin(np.pi / 6)]), best)
    both = [misorientation_angle(q, truth, group, modulo_beam=True) for q in (best, twin)]
    return np.where((both[1] < both[0])[:, None], twin, best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pyxem", help="python of an environment with pyxem")
    parser.add_argument("-n", type=int, default=256, help="patterns, a multiple of 8")
    parser.add_argument("--spacing", type=float, default=1.0, help="degrees")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    truth = random_orientations(arguments.n, 1)
    patterns = patterns_of(truth)
    matcher, found = ours(patterns, arguments.spacing)
    library = matcher.libraries[0]
    print(
        f"search in {search_dtype(torch.device('cpu'))}, library {library.nbytes / 2**20:.0f} MB, "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB\n"
    )
    print("| | templates | patterns/s | < 5 deg, % | median | modulo: < 5 deg, % | median |")
    print("|---|---|---|---|---|---|---|")
    for name, rate, best in found:
        print(row(name, 2 * len(library), rate, best, truth), flush=True)
    if not arguments.pyxem:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task(folder, patterns, matcher, arguments.spacing)
        script = Path(__file__).parent / "peers" / "pyxem_matching.py"
        done = subprocess.run(
            [arguments.pyxem, "-W", "ignore", str(script), name], capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"pyxem failed:\n{done.stderr[-2000:]}")
        told = json.loads((folder / "result.json").read_text())
        for which, words in (("own", "its own directions"), ("same", "our directions")):
            one, best = told["libraries"][which], np.load(folder / f"found_{which}.npy")
            rate = one["patterns_per_second"]
            print(row(f"pyxem, {words}", 2 * one["templates"], rate, best, truth))
            print(row("  repaired", 2 * one["templates"], rate, repaired(best, truth), truth))
            print(f"  ratio {found[0][1] / rate:.1f}, search only {found[1][1] / rate:.1f}")
        print(f"pyxem: peak {told['peak_mb']:.0f} MB")


if __name__ == "__main__":
    main()
