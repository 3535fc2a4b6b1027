"""How often is template matching right? A simulated polycrystal, indexed as a user would.

    python benchmarks/matching_accuracy.py benchmarks/matching_linio2.yaml [--quick] [--spacing DEG]
        [--model FOLDER] [--only matching|model|oracle]

Simulates the scan of the file, indexes it with the library's defaults, and prints shares of pixels
within 5 degrees of the truth, strict and modulo half a turn about the beam. All pixels count; one
that is not indexed is wrong. The truth of a mixed pixel is the grain with the largest share.

Intervals hold 95 % of 2000 bootstrap samples over *grains*: pixels of one grain have one
orientation and stand or fall together, so that intervals over pixels would be far too narrow.

The *oracle* rows say what the patterns permit: decisions by the generator's own noise-free patterns
of the truth, of its partners under all ambiguity operators, and of all other grains. The
*likelihood* (Poisson) decides best of all; the *correlation* is an ideal matcher's: square roots of
counts, without background and direct beam.

With ``--model`` a trained network reads the same scan: its most probable *answer*, and of its
probable answers, moved to the best orientations nearby, the one that fits the pattern best
(*refined*).

A grain *with a double* has a partner more than 5 degrees away, settled where it fits best, that
even the likelihood confuses with it in a percent of the patterns or more. LiNiO2 near <10-10> is
such a case, whatever the dose: the reflections of the zone are those of the crystal turned by 60
degrees about c, and other layers are out of reach.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if hasattr(os, "sched_setaffinity"):  # one core, whatever the libraries would like
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])

import numpy as np
import torch
from oracle import Oracle

from napari_orient.crystal.rotations import (
    beam_operator,
    misorientation_angle,
    multiply,
    tilt_and_in_plane,
)
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.index import index_scan
from napari_orient.diffraction.matching.pseudo import pseudo_operators
from napari_orient.diffraction.polycrystal import PolycrystalConfig, simulate_scan
from napari_orient.jobs import Progress, run
from napari_orient.learning.folder import load_model
from napari_orient.learning.predict import PredictConfig, predict_scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Event

WITHIN = 5.0  # degrees
SAMPLES = 2000  # of the bootstrap

Masks = dict[str, "NDArray[np.bool_]"]


@dataclass(frozen=True, eq=False)
class Errors:
    """Of each pixel (y, x), in degrees; infinite where it is not indexed."""

    strict: NDArray[np.float64]
    modulo_beam: NDArray[np.float64]
    tilt: NDArray[np.float64]
    in_plane: NDArray[np.float64]


def errors_of(
    answer: NDArray[np.float64], indexed: NDArray[np.bool_], truth: OrientationMap
) -> Errors:
    group = truth.phases[0].point_group
    strict, beam = (
        misorientation_angle(answer, truth.quaternions, group, modulo_beam=modulo)
        for modulo in (False, True)
    )
    parts = tilt_and_in_plane(answer, truth.quaternions, group)
    return Errors(
        *(np.where(indexed, e, np.inf) for e in (strict, beam, parts.tilt, parts.in_plane))
    )


def simulated(config: PolycrystalConfig, folder: str) -> tuple[Scan, OrientationMap]:
    start = time.perf_counter()
    scan, truth = run(simulate_scan(config, Path(folder) / "scan.npy"), watched())
    rate = np.prod(config.shape) / (time.perf_counter() - start)
    grains = len(np.unique(truth.properties["grain"]))
    mixed = (truth.properties["mixed"] < 1).mean()
    print(
        f"{scan.name}: {scan.shape}, {grains} grains, {100 * mixed:.0f} % of the pixels mixed, "
        f"{config.dose:.3g} electrons a pattern; simulated at {rate:.0f} patterns/s\n"
    )
    return scan, truth


def watched() -> Callable[[Event], None]:
    """Progress on stderr, every 10 seconds."""
    last = [time.perf_counter()]

    def watch(event: Event) -> None:
        if isinstance(event, Progress) and time.perf_counter() - last[0] > 10:
            last[0] = time.perf_counter()
            print(f"{event.step}/{event.total} {event.text}", file=sys.stderr, flush=True)

    return watch


def pixel_masks(truth: OrientationMap, config: PolycrystalConfig) -> Masks:
    axis, mixed = truth.properties["axis"], truth.properties["mixed"] < 1
    masks = {"all": np.ones(truth.shape, bool), "near a zone axis": axis >= 0}
    masks |= {f"near {name}": axis == i for i, name in enumerate(config.near_axes)}
    return masks | {"random": axis < 0, "interior": ~mixed, "mixed": mixed}


def interval(right: NDArray[np.bool_], grain: NDArray[np.int32]) -> tuple[float, float]:
    """95 % interval of the share of right pixels, bootstrapped over grains."""
    numbers, own = np.unique(grain, return_inverse=True)
    hits, sizes = np.bincount(own, right), np.bincount(own)
    draws = np.random.default_rng(0).multinomial(
        len(numbers), np.full(len(numbers), 1 / len(numbers)), SAMPLES
    )
    low, high = np.percentile((draws @ hits) / (draws @ sizes), (2.5, 97.5))
    return float(low), float(high)


def share(error: NDArray[np.float64], grain: NDArray[np.int32]) -> str:
    right = error < WITHIN
    low, high = interval(right, grain)
    return f"{100 * right.mean():.1f} ({100 * low:.1f}-{100 * high:.1f})"


def print_table(errors: Errors, masks: Masks, truth: OrientationMap, title: str) -> None:
    grain = truth.properties["grain"]
    print(f"\n### {title}\n")
    print(
        "| pixels | n | grains | within 5 deg, % | modulo beam, % | median, deg | modulo beam "
        "| tilt | in-plane |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name, mask in masks.items():
        if not mask.any():
            continue
        medians = " | ".join(
            f"{np.median(e[mask]):.2f}"
            for e in (errors.strict, errors.modulo_beam, errors.tilt, errors.in_plane)
        )
        print(
            f"| {name} | {mask.sum()} | {len(np.unique(grain[mask]))} "
            f"| {share(errors.strict[mask], grain[mask])} "
            f"| {share(errors.modulo_beam[mask], grain[mask])} | {medians} |"
        )


def print_causes(
    answer: NDArray[np.float64],
    indexed: NDArray[np.bool_],
    errors: Errors,
    truth: OrientationMap,
    orientations: NDArray[np.float64],
) -> None:
    """Which operator relates answer and truth where the answer is wrong? The first that fits."""
    left = errors.strict >= WITHIN
    q, t = answer[left], truth.quaternions[left]
    neighbour = truth.properties["neighbour"][left]
    group, beam = truth.phases[0].point_group, beam_operator()
    causes = {"not indexed": ~indexed[left]}

    def near(other: NDArray[np.float64], modulo: bool = False) -> NDArray[np.bool_]:
        return misorientation_angle(q, other, group, modulo_beam=modulo) < WITHIN

    causes["half a turn about the beam"] = near(multiply(t, beam))
    for name, turned in (("", t), (" and half a turn about the beam", multiply(t, beam))):
        operators = pseudo_operators(truth.phases[0]).operators
        causes[f"crystal pseudo-symmetry{name}"] = np.any(
            [near(multiply(s, turned)) for s in operators] or [np.zeros(len(q), bool)], axis=0
        )
    there = neighbour >= 0
    for name, modulo in (("the neighbour in a mixed pattern", False), ("... turned", True)):
        causes[name] = there & near(orientations[neighbour], modulo)
    causes["5 to 10 degrees off"] = errors.modulo_beam[left] < 10
    causes["something else"] = np.ones(len(q), bool)
    print("\n| wrong because of | % of all pixels | of these mixed, % |\n|---|---|---|")
    open_ = np.ones(len(q), bool)
    for name, found in causes.items():
        here = found & open_
        open_ &= ~found
        mixed = 100 * there[here].mean() if here.any() else 0.0
        print(f"| {name} | {100 * here.sum() / left.size:.2f} | {mixed:.0f} |")


def print_flags(found: OrientationMap, errors: Errors) -> None:
    """Does the map itself say where it may be wrong?"""
    flagged, wrong = found.properties["ambiguous"] > 0, errors.strict >= WITHIN
    told = 100 * (flagged & wrong).sum() / max(1, wrong.sum())
    left = 100 * (~wrong)[~flagged].mean() if (~flagged).any() else np.nan
    print(
        f"\n{100 * flagged.mean():.1f} % of the pixels are flagged as ambiguous, {told:.1f} % of "
        f"the wrong ones; without a flag {left:.1f} % are within {WITHIN:g} degrees, strict"
    )


def indexed_map(scan: Scan, config: PolycrystalConfig, spacing: float) -> OrientationMap:
    settings = IndexConfig(phases=config.phases, spacing_deg=spacing)
    start = time.perf_counter()
    found = run(index_scan(scan, settings), watched())
    seconds = time.perf_counter() - start
    rate = found.indexed.size / seconds
    print(
        f"indexed at {spacing:g} degrees spacing in {seconds:.0f} s with the libraries built: "
        f"{rate:.0f} patterns/s on one core, {1e3 / rate:.2f} ms a pattern; "
        f"{100 * found.indexed.mean():.1f} % indexed"
    )
    return found


def print_model(folder: Path, scan: Scan, truth: OrientationMap, masks: Masks) -> None:
    """The answers of a network."""
    model = load_model(folder)
    for answer, title in (("network", "answer"), ("refine", "refined")):
        start = time.perf_counter()
        found = run(predict_scan(scan, model, PredictConfig(answer=answer)), watched())
        rate = found.indexed.size / (time.perf_counter() - start)
        errors = errors_of(found.quaternions, found.indexed, truth)
        print_table(errors, masks, truth, f"Network {model.name}, {title}")
        print(
            f"\n{rate:.0f} patterns/s on one core; {100 * found.indexed.mean():.1f} % indexed; a "
            f"spread of {np.median(found.properties['spread']):.1f} degrees is claimed (median)"
        )


def quick(config: PolycrystalConfig) -> PolycrystalConfig:
    """A quarter of the scan and of the grains."""
    shape = (config.shape[0] // 2, config.shape[1] // 2)
    return config.model_copy(update={"shape": shape, "grains": max(1, config.grains // 4)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--spacing", type=float, default=1.0, help="degrees")
    parser.add_argument("--quick", action="store_true", help="a quarter of the scan")
    parser.add_argument("--model", type=Path, help="folder of a trained network")
    parser.add_argument("--only", choices=("matching", "model", "oracle"), help="one of the parts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = PolycrystalConfig.from_yaml(options.config)
    config = quick(config) if options.quick else config
    with tempfile.TemporaryDirectory() as folder:
        scan, truth = simulated(config, folder)
        masks = pixel_masks(truth, config)
        oracle = Oracle(config)
        double = oracle.has_double()[truth.properties["grain"]]
        masks |= {"with a double": double, "without a double": ~double}
        if options.model and options.only in (None, "model"):
            print_model(options.model, scan, truth, masks)
        if options.only in (None, "matching"):
            found = indexed_map(scan, config, options.spacing)
            errors = errors_of(found.quaternions, found.indexed, truth)
            print_table(errors, masks, truth, "Template matching")
            orientations = oracle.grains.quaternions
            print_causes(found.quaternions, found.indexed, errors, truth, orientations)
            print_flags(found, errors)
        decide = options.only in (None, "oracle")
        decided = oracle.decide(scan, truth.properties["grain"]) if decide else {}
        for name, answer in decided.items():
            errors = errors_of(answer, np.ones(truth.shape, bool), truth)
            print_table(errors, masks, truth, f"Oracle, {name}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this process: {peak:.0f} MiB (mapped pages of the scan included)")


if __name__ == "__main__":
    main()
