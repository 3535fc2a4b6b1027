"""Reconstructions of materials that are not one phase, or not alike everywhere.

    python benchmarks/reconstruction_kinds.py graded MAP [--step S] [--bands N] [--figures FOLDER]
    python benchmarks/reconstruction_kinds.py phases [MAP] [--figures FOLDER]

``graded``: the map in bands of rows, reconstructed with targets of each band, and with those of the
whole map: grain size and texture by height. ``phases``: two phases beside each other; without a MAP
a duplex of nickel and titanium grains.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from reconstruction import opened, picture, watch

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.crystal.harmonics import harmonics
from napari_orient.crystal.phases import get_phase
from napari_orient.jobs import run
from napari_orient.reconstruction.config import ReconstructConfig
from napari_orient.reconstruction.reconstruct import reconstruct
from napari_orient.reconstruction.reference import prepare
from napari_orient.samples import polycrystal_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap


def diameters(one: OrientationMap) -> NDArray[np.float64]:
    """Diameter of the grain of each point, in the map's unit; NaN outside grains."""
    grains = run(find_grains(one, GrainConfig(smallest=3, edge_grains=True)))
    return np.array([np.nan, *grains.table["diameter"]])[grains.labels]


def texture(one: OrientationMap, rows: slice) -> NDArray[np.float64]:
    """Means of the harmonics of the phase to n = 12 in some rows."""
    group = one.phases[0].point_group
    q = torch.as_tensor(one.quaternions[rows][one.indexed[rows]])
    return np.asarray(harmonics(group, (8, 12))(q).mean(0))


def by_height(one: OrientationMap, bands: int) -> tuple[list[float], list[NDArray[np.float64]]]:
    edges = [round(n * len(one.quaternions) / bands) for n in range(bands + 1)]
    rows = [slice(a, b) for a, b in itertools.pairwise(edges)]
    own = diameters(one)
    return [float(np.nanmean(own[r])) for r in rows], [texture(one, r) for r in rows]


def graded(options: argparse.Namespace) -> None:
    reference = opened(options.reference)
    whole = run(prepare(reference, options.step, bands=options.bands)).orientations
    sizes, means = by_height(whole, options.bands)
    shown = {"reference": whole}
    print("| | area-weighted diameter, from the top | texture apart from the reference's | s |")
    print("|---|---|---|---|")
    strength = np.linalg.norm([m - np.mean(means, axis=0) for m in means], axis=1)
    print(f"| reference | {words(sizes)} | (from its mean) {words(strength)} | |")
    for name, bands in (("graded", options.bands), ("the same everywhere", 1)):
        start = time.perf_counter()
        config = ReconstructConfig(
            size=(options.size, options.size), step=options.step, window=options.window,
            bands=bands, evaluations=options.evaluations, consolidate=True, seed=options.seed,
        )  # fmt: skip
        field = shown[name] = run(reconstruct(reference, config), watch)
        own, found = by_height(field, options.bands)
        apart = [np.linalg.norm(a - b) for a, b in zip(found, means, strict=True)]
        took = time.perf_counter() - start
        print(f"\r| {name} | {words(own)} | {words(apart)} | {took:.0f} |")
    save(list(shown.values()), options, "graded.png")


def words(numbers: Any) -> str:
    return ", ".join(f"{n:.3g}" for n in numbers)


def duplex(seed: int = 0) -> OrientationMap:
    """A third of the grains titanium, in a matrix of nickel."""
    made = polycrystal_map((160, 160), 700, "Ni", seed=seed)
    labels = run(find_grains(made, GrainConfig(smallest=1, edge_grains=True))).labels
    second = np.random.default_rng(seed).random(labels.max() + 1) < 1 / 3
    return replace(
        made, phases={0: get_phase("Ni"), 1: get_phase("Ti")},
        phase_id=second[labels].astype(np.int32), source="duplex of nickel and titanium",
    )  # fmt: skip


def contacts(one: OrientationMap) -> float:
    """Share of neighbours of two phases."""
    number = one.phase_id
    both = [(number[1:] >= 0) & (number[:-1] >= 0), (number[:, 1:] >= 0) & (number[:, :-1] >= 0)]
    unlike = (number[1:] != number[:-1])[both[0]].sum()
    unlike += (number[:, 1:] != number[:, :-1])[both[1]].sum()
    return float(unlike / (both[0].sum() + both[1].sum()))


def phases(options: argparse.Namespace) -> None:
    reference = opened(options.reference) if options.reference else duplex()
    whole = run(prepare(reference, options.step, every_phase=True)).orientations
    shown = {"reference": whole}
    for name, consolidate in (("continuous", False), ("grains", True)):
        config = ReconstructConfig(
            size=(options.size, options.size), step=options.step, window=options.window,
            phases="all", evaluations=options.evaluations, consolidate=consolidate,
            seed=options.seed,
        )  # fmt: skip
        shown[name] = run(reconstruct(reference, config), watch)
    print("\r| | share of each phase | neighbours of two phases | diameters of each phase | loss |")
    print("|---|---|---|---|---|")
    for name, one in shown.items():
        own, number = diameters(one), one.phase_id
        share = [float((number[one.indexed] == n).mean()) for n in one.phases]
        size = [float(np.nanmean(own[number == n])) for n in one.phases]
        loss = one.provenance.get("paper_loss")
        print(
            f"| {name} | {words(share)} | {contacts(one):.3f} | {words(size)} | "
            f"{'' if loss is None else f'{loss:.1e}'} |"
        )
    save(list(shown.values()), options, "phases.png")


def save(maps: list[OrientationMap], options: argparse.Namespace, name: str) -> None:
    if options.figures:
        folder = Path(options.figures)
        folder.mkdir(exist_ok=True, parents=True)
        picture(maps, folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(required=True)
    for name, work in (("graded", graded), ("phases", phases)):
        sub = kinds.add_parser(name)
        sub.set_defaults(run=work)
        sub.add_argument("reference", nargs=None if name == "graded" else "?")
        sub.add_argument("--size", type=int, default=128)
        sub.add_argument("--step", type=float)
        sub.add_argument("--window", type=int, default=13)
        sub.add_argument("--bands", type=int, default=4)
        sub.add_argument("--evaluations", type=int, default=150)
        sub.add_argument("--seed", type=int, default=0)
        sub.add_argument("--figures")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
