"""How often is the verdict right? Voronoi materials, equal and different, maps and volumes.

    python benchmarks/representative.py [--draws N] [--only maps|volumes] [--cases same larger ...]

Pairs of one material should be accepted in 95 % of the draws or more; a material with grains 25 %
larger, orientations that are dealt out again among the grains, a mirrored frame, or another texture
should be rejected. The reference is always a map: one section of a polycrystal of its own.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from napari_orient.crystal.rotations import (
    from_axis_angle,
    from_matrix,
    multiply,
    random_orientations,
    to_matrix,
)
from napari_orient.data.sections import section_of
from napari_orient.jobs import run
from napari_orient.reconstruction.representative.config import RepresentConfig
from napari_orient.reconstruction.representative.verdict import represent
from napari_orient.samples import polycrystal_map

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

DIAMETER = 10.0  # voxels, of a sphere of the mean volume; a section shows about 0.77 of it
MAP, VOLUME = (200, 200), (64, 64, 64)
CASES = ("same", "textured", "colonies", "larger", "shuffled", "mirrored", "texture")
ACCEPTED = ("same", "textured", "colonies")


def voronoi(shape: tuple[int, ...], seed: int, diameter: float = DIAMETER) -> OrientationMap:
    """A periodic polycrystal; where a map is wanted, a thick one of which it is a section."""
    thick = shape if len(shape) == 3 else (int(4 * diameter), *shape)
    grains = round(np.prod(thick) / (np.pi / 6 * diameter**3))
    return polycrystal_map(thick, grains, seed=seed, periodic=len(shape) == 3)


def turned(field: OrientationMap, quaternions: np.ndarray) -> OrientationMap:
    """The same grains with other orientations (grains, 4)."""
    return replace(field, quaternions=quaternions[field.properties["grain"]])


def around(base: np.ndarray, spread: float, count: int, seed: int) -> np.ndarray:
    """Orientations (count, 4) spread about one, by so many degrees."""
    drawn = np.random.default_rng(seed)
    turns = from_axis_angle(drawn.normal(size=(count, 3)), drawn.normal(0, spread, count))
    return multiply(turns, base)


def colonies(field: OrientationMap, seed: int) -> np.ndarray:
    """Orientations: about three neighbours each are alike, so boundaries are not random."""
    grain = field.properties["grain"].ravel()
    count = int(grain.max()) + 1
    size = np.maximum(np.bincount(grain, minlength=count), 1)
    places = np.indices(field.shape).reshape(len(field.shape), -1)
    middles = np.stack([np.bincount(grain, x, count) / size for x in places], axis=-1)
    drawn = np.random.default_rng(seed)
    seeds = drawn.random((count // 3, len(field.shape))) * field.shape
    colony = cKDTree(seeds).query(middles)[1]
    return around(random_orientations(len(seeds), seed)[colony], 15.0, count, seed + 1)


def pair(case: str, seed: int, shape: tuple[int, ...]) -> tuple[OrientationMap, OrientationMap]:
    """A reference, and a result of the same or of another material."""
    larger = 1.25 if case == "larger" else 1.0
    fields = [voronoi(MAP, seed), voronoi(shape, seed + 1000, DIAMETER * larger)]
    base = random_orientations(1, 8)[0]
    mirror = np.diag([-1.0, 1, 1])
    flipped = from_matrix(mirror @ to_matrix(base) @ mirror)
    made = []
    for n, field in enumerate(fields):
        count = int(field.properties["grain"].max()) + 1
        if case in ("colonies", "shuffled"):
            q = colonies(field, seed + n)
            if case == "shuffled" and n:
                q = np.random.default_rng(seed).permutation(q)
            field = turned(field, q)
        elif case in ("textured", "mirrored"):
            about = flipped if case == "mirrored" and n else base
            field = turned(field, around(about, 12.0, count, seed + n))
        elif case == "texture" and n:
            field = turned(field, around(base, 25.0, count, seed))
        made.append(field)
    return tuple(
        section_of(f, f.shape[0] // 2) if len(wanted) == 2 else f
        for f, wanted in zip(made, (MAP, shape), strict=True)
    )


def measure(case: str, shape: tuple[int, ...], draws: int) -> None:
    kind = "map" if len(shape) == 2 else "volume"
    accepted, seconds, why, grains = 0, 0.0, [], []
    for seed in range(draws):
        reference, result = pair(case, seed, shape)
        start = time.perf_counter()
        config = RepresentConfig(draws=299, seed=seed)
        verdict = run(represent(reference, result, config))
        seconds += time.perf_counter() - start
        accepted += verdict.representative is True
        why += [row.name for row in verdict.rows if row.differs]
        grains.append(verdict.grains)
        for row in verdict.rows:
            if row.p is not None:
                _CHANCES.setdefault((kind, case, row.name), []).append(row.p)
    reasons = ", ".join(f"{name} {why.count(name)}" for name in sorted(set(why))) or "none"
    wanted = ">= 95 %" if case in ACCEPTED else "0 %"
    mean = np.mean(grains, axis=0)
    print(
        f"| {kind} | {case} | {draws} | {mean[0]:.0f} and {mean[1]:.0f} | "
        f"{100 * accepted / draws:.0f} % | {wanted} | {reasons} | {seconds / draws:.1f} |",
        flush=True,
    )


_CHANCES: dict[tuple[str, str, str], list[float]] = {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40, help="of equal maps; half of volumes")
    parser.add_argument("--only", choices=("maps", "volumes"))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    options = parser.parse_args()
    print(
        "| result | case | draws | sections of grains | accepted | wanted | rows that differ | s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for shape in (MAP, VOLUME):
        if options.only and options.only != ("maps" if len(shape) == 2 else "volumes"):
            continue
        for case in options.cases:
            count = options.draws // (1 if len(shape) == 2 else 2)
            measure(case, shape, count if case in ACCEPTED else max(1, count // 4))
    print("\nShare of draws with p < 5 % in a single row, before the correction:\n")
    for (kind, case, name), found in _CHANCES.items():
        if case in ACCEPTED:
            print(f"- {kind}, {case}, {name}: {100 * np.mean(np.array(found) < 0.05):.0f} %")


if __name__ == "__main__":
    main()
