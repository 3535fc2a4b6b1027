"""Reconstructions against their reference: speed, accuracy, volumes.

    python benchmarks/reconstruction.py speed
    python benchmarks/reconstruction.py map REFERENCE [--size Y X] [--seeds N] [--figures FOLDER]
    python benchmarks/reconstruction.py volume REFERENCE [--size Z Y X] [--step S] [--figures ...]

The studies of the publication are in ``reconstruction_studies.py``.

REFERENCE is a map that the program opens, or a .npy file (y, x, 4) of quaternions of a cubic
crystal. Speed is that of one core.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if "speed" in sys.argv:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"

import numpy as np
import torch

from napari_orient.analysis.distributions import misorientation_distribution
from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.analysis.texture.odf import compute_odf
from napari_orient.analysis.validation.compare import compare_materials
from napari_orient.crystal.harmonics import default_harmonics
from napari_orient.crystal.phases import get_phase
from napari_orient.data.maps import OrientationMap
from napari_orient.data.sections import section_of
from napari_orient.jobs import Partial, run
from napari_orient.reconstruction.config import ReconstructConfig
from napari_orient.reconstruction.descriptors import variogram
from napari_orient.reconstruction.grids import random_field
from napari_orient.reconstruction.reconstruct import Controls, _Run, reconstruct
from napari_orient.reconstruction.reference import prepare
from napari_orient.reconstruction.windows import window_lags
from napari_orient.samples import polycrystal_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_orient.jobs import Event


def opened(path: str) -> OrientationMap:
    if path.endswith(".npy"):
        q = np.load(path, allow_pickle=False)
        side = round((q.size // 4) ** 0.5)
        return OrientationMap(
            q.reshape(side, side, 4), {0: get_phase("Ni")}, source=Path(path).stem
        )
    from napari_orient.data.vendors.open import open_map

    found = open_map(path)
    if "CI" in found.properties:
        found = replace(found, phase_id=np.where(found.properties["CI"] > 0.1, found.phase_id, -1))
    return section_of(found, 0)


def watch(event: Event) -> None:
    if isinstance(event, Partial) and event.name == "loss":
        t = event.value
        print(f"\r{t.grid} {t.evaluations:5d} {t.loss:.2e}", end="", file=sys.stderr)


# --- speed -----------------------------------------------------------------------------------


def best(function: Callable[[], Any], repeats: int = 5) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def speed(_: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    made = torch.rand(144, 2048)
    pull, out = torch.rand(144, 144), torch.empty(144, 2048)
    gemm = 2 * 144 * 144 * 2048 / best(lambda: torch.mm(pull, made, out=out), 50) / 1e9
    print(f"float32 products of this core: {gemm:.0f} GFLOP/s\n")
    print("| field | points | s, auto | s, float32 | share of the products' rate | peak MB |")
    print("|---|---|---|---|---|---|")
    reference = polycrystal_map((128, 128), 700, seed=0)
    for size in ((64, 64), (128, 128), (256, 256), (32, 32, 32), (48, 48, 48), (64, 64, 64)):
        seconds = []
        for precision in ("auto", "float32"):
            config = ReconstructConfig(size=size, levels=1, scales=1, precision=precision)
            job = _Run(config, Controls(), None)
            run(job.prepare(reference))
            objective, field = job.objective(0), random_field(size, 0)
            seconds.append(best(lambda o=objective, f=field: o(f), 3 if len(size) == 2 else 1))
        flops = 4 * np.prod(size) * 144**2 * 9 * (1 if len(size) == 2 else 3)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        words = " x ".join(map(str, size))
        print(
            f"| {words} | {np.prod(size)} | {seconds[0]:.3f} | {seconds[1]:.3f} | "
            f"{flops / seconds[1] / 1e9 / gemm:.2f} | {peak:.0f} |",
            flush=True,
        )


# --- accuracy --------------------------------------------------------------------------------


def known(reference: OrientationMap, step: float | None) -> OrientationMap:
    return run(prepare(reference, step)).orientations


def statistics(one: OrientationMap) -> dict[str, Any]:
    grains = run(find_grains(one, GrainConfig(smallest=3, edge_grains=True)))
    facts = {n: np.nan if v is None else v for n, v in grains.summary().items()}
    odf = run(compute_odf(one.quaternions[one.indexed], one.phases[0]))
    spread = misorientation_distribution(grains).columns["correlated"] if len(grains) else np.nan
    return {
        "grains": len(grains), "mean diameter": facts["mean_diameter"],
        "area-weighted diameter": facts["area_weighted_diameter"],
        "aspect ratio": facts["mean_aspect_ratio"], "GOS": facts["mean_gos_deg"],
        "texture index": odf.texture_index, "misorientation": spread, "found": grains,
    }  # fmt: skip


def compare_statistics(reference: OrientationMap, others: dict[str, OrientationMap]) -> None:
    base = statistics(reference)
    shown = [n for n in base if n not in ("misorientation", "found")]
    print("| | " + " | ".join(shown) + " | KS of misorientations | verdict |")
    print("|---" * (len(shown) + 3) + "|")
    for name, one in {"reference": reference, **others}.items():
        own = statistics(one)
        apart = np.abs(np.cumsum(base["misorientation"]) - np.cumsum(own["misorientation"])).max()
        numbers = " | ".join(f"{own[n]:.4g}" for n in shown)
        try:
            verdict = run(compare_materials(base["found"], own["found"], draws=199)).verdict
        except ValueError as error:
            verdict = str(error)
        print(f"| {name} | {numbers} | {apart:.3f} | {verdict if name != 'reference' else ''} |")


def overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Points that have one a shift further, and those."""
    ahead, behind = max(0, shift), max(0, -shift)
    return slice(behind, size - ahead), slice(ahead, size - behind)


def variograms(
    reference: OrientationMap, field: OrientationMap, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """First-order variograms (Eq. 20) of both, (harmonics, lags); of n = 8 for cubic crystals."""
    functions = default_harmonics(field.phases[0].point_group)
    lags = window_lags(window)
    q = torch.as_tensor(reference.quaternions)
    mask = torch.as_tensor(reference.indexed)
    z = functions(q).movedim(-1, 0)
    wanted = []
    for r in lags.tolist():
        a, b = zip(*(overlap(d, n) for d, n in zip(r, reference.shape, strict=True)), strict=True)
        there = mask[a] & mask[b]
        wanted.append((z[(..., *a)] - z[(..., *b)]).abs()[:, there].mean(1) / 2)
    own = variogram(functions(torch.as_tensor(field.quaternions)).movedim(-1, 0), lags)
    return torch.stack(wanted, -1).numpy(), own.numpy()


def variogram_errors(reference: OrientationMap, field: OrientationMap, window: int) -> None:
    """Relative errors of first-order variograms, as Fig. 12 has them."""
    target, own = variograms(reference, field, window)
    error = np.abs(own - target) / target
    print(
        f"variogram: {100 * np.mean(error < 0.05):.1f} % of lags and harmonics within 5 %, "
        f"largest {100 * error.max():.1f} %, median {100 * np.median(error):.2f} %"
    )


def picture(maps: list[OrientationMap], path: Path) -> None:
    from skimage.io import imsave

    from napari_orient.crystal.colors import ColourScheme, colour_image

    images = [np.asarray(colour_image(one, ColourScheme()))[..., :3] for one in maps]
    images = [i if i.dtype == np.uint8 else (255 * i).astype(np.uint8) for i in images]
    high = max(i.shape[0] for i in images)
    padded = [
        np.pad(i, ((0, high - i.shape[0]), (0, 4), (0, 0)), constant_values=255) for i in images
    ]
    imsave(path, np.kron(np.concatenate(padded, 1), np.ones((4, 4, 1), np.uint8)))


def make_map(options: argparse.Namespace) -> None:
    reference = opened(options.reference)
    config = ReconstructConfig(
        size=tuple(options.size or (128, 128)), step=options.step, seeds=options.seeds,
        evaluations=options.evaluations,
    )  # fmt: skip
    start = time.perf_counter()
    field = run(reconstruct(reference, config), watch)
    raw = time.perf_counter() - start
    job = _Run(config, Controls(), None)
    run(job.prepare(reference))
    grains = run(job.consolidated(field))
    facts, done = field.provenance, grains.provenance["consolidated"]
    print(f"\n{raw:.0f} s for {config.seeds} seeds, {facts['evaluations']} evaluations each, "
          f"peak {facts['peak_mb']:.0f} MB")  # fmt: skip
    print(f"paper's loss {facts['paper_loss']:.2e}; grains: {done['after']['paper_loss']:.2e}")
    print("parts:", {k: f"{v:.1e}" for k, v in facts["parts"].items()})
    whole = known(reference, config.step)
    variogram_errors(whole, field, config.window)
    compare_statistics(whole, {"continuous field": field, "grains": grains})
    if options.figures:
        folder = Path(options.figures)
        folder.mkdir(exist_ok=True, parents=True)
        picture([whole, field, grains], folder / "map.png")


def make_volume(options: argparse.Namespace) -> None:
    reference = opened(options.reference)
    config = ReconstructConfig(
        size=tuple(options.size or (64, 64, 64)), step=options.step,
        evaluations=options.evaluations, consolidate=True,
    )  # fmt: skip
    start = time.perf_counter()
    field = run(reconstruct(reference, config), watch)
    facts = field.provenance
    print(f"\n{time.perf_counter() - start:.0f} s in all, loss {facts['loss']:.2e}, "
          f"peak {facts['peak_mb']:.0f} MB")  # fmt: skip
    judge_volume(known(reference, config.step), field, options.figures)


def judge_volume(whole: OrientationMap, field: OrientationMap, figures: str | None) -> None:
    middles = {
        f"across {'zyx'[a]}": section_of(field, n // 2, a) for a, n in enumerate(field.shape)
    }
    compare_statistics(whole, middles)
    if figures:
        folder = Path(figures)
        folder.mkdir(exist_ok=True, parents=True)
        picture([whole, *middles.values()], folder / "volume.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(required=True)
    kinds.add_parser("speed").set_defaults(run=speed)
    for name, work in (("map", make_map), ("volume", make_volume)):
        sub = kinds.add_parser(name)
        sub.set_defaults(run=work)
        sub.add_argument("reference")
        sub.add_argument("--size", type=int, nargs="+")
        sub.add_argument("--step", type=float)
        sub.add_argument("--seeds", type=int, default=1)
        sub.add_argument("--evaluations", type=int, default=500)
        sub.add_argument("--figures")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
