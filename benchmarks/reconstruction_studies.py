"""The studies of the reconstruction paper, and what it left open, each one command.

    python benchmarks/reconstruction_studies.py descriptors REFERENCE     Figs. 6, 7 and 8
    python benchmarks/reconstruction_studies.py pole-figures REFERENCE    Figs. 11 and 12
    python benchmarks/reconstruction_studies.py clustering REFERENCE      beyond the window
    python benchmarks/reconstruction_studies.py optimisers REFERENCE      Fig. 18
    python benchmarks/reconstruction_studies.py seeds REFERENCE           Fig. 19
    python benchmarks/reconstruction_studies.py mix FIRST SECOND          Figs. 16 and 17
    python benchmarks/reconstruction_studies.py rolled                    three different sections
    python benchmarks/reconstruction_studies.py trigonal [TI64]           other crystals

REFERENCE, FIRST and SECOND are maps that the program opens, .npy files as in ``reconstruction.py``,
or made here: inclusions, needles, fine, fibre, LiNiO2; --crop Y X takes its middle, --fill STEPS
closes its gaps. Further options: --size, --step, --window, --levels, --scales, --evaluations,
--two-point WEIGHT, --texture-degrees N ..., --count, --figures FOLDER.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import reconstruction_figures as figures
from reconstruction import (
    compare_statistics,
    known,
    statistics,
    variogram_errors,
    variograms,
    watch,
)
from reconstruction_materials import material_map, rolled_sections
from reconstruction_measures import (
    NAMES,
    errors,
    intercepts,
    objective_of,
    odf_of,
    pieces,
    scatter,
    seen,
    table,
    tell_clusters,
    tell_errors,
    tell_shapes,
    tell_textures,
)

from napari_orient.analysis.texture.poles import default_poles
from napari_orient.data.maps import OrientationMap, save_map
from napari_orient.data.sections import section_of
from napari_orient.jobs import run
from napari_orient.reconstruction.config import ReconstructConfig, Weights
from napari_orient.reconstruction.grids import random_field
from napari_orient.reconstruction.material import Material, interpolate, measure
from napari_orient.reconstruction.reconstruct import Controls, _Run, reconstruct
from napari_orient.reconstruction.windows import window_lags

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTIONS = ("window", "levels", "scales", "texture_degrees")

# --- reconstructions -------------------------------------------------------------------------


def config_of(options: argparse.Namespace, **settings: Any) -> ReconstructConfig:
    given = {"evaluations": options.evaluations, "size": options.size, "step": options.step}
    given |= {name: getattr(options, name) for name in OPTIONS}
    if options.two_point is not None:
        given["weights"] = Weights(two_point=options.two_point)
    given = {name: value for name, value in given.items() if value is not None}
    return ReconstructConfig(**{**settings, **given})


def made(material: Material, config: ReconstructConfig) -> OrientationMap:
    start = time.perf_counter()
    field = run(reconstruct(material, config), watch)
    print(f"\r{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return field


def grains_of(
    field: OrientationMap, material: Material, config: ReconstructConfig
) -> OrientationMap:
    """Make grains of a field as ``consolidate=True`` does."""
    job = _Run(config, Controls(), None)
    run(job.prepare(material))
    return run(job.consolidated(field))


def paper_weights(material: Material, two: float, three: float, variation: float) -> Weights:
    """Weights of ours with which the loss is the paper's: (w D - w D_ref)^2 over all numbers."""
    target = material.targets[-1][0][0]
    sizes = (target.two_point.numel(), target.three_point.numel(), target.variation.numel())
    own = [n * w**2 / sum(sizes) for n, w in zip(sizes, (two, three, variation), strict=True)]
    return Weights(two_point=own[0], three_point=own[1], variation=own[2], texture=0.0)


def scaled(weights: Weights, material: Material, config: ReconstructConfig) -> Weights:
    """Weights of the same ratios by which noise has a loss of 1: first steps are then alike."""
    noise = random_field(config.size, config.seed)
    loss = objective_of(material, config, weights)(noise).loss
    return Weights(**{name: w / loss for name, w in weights.model_dump().items()})


def descriptors(options: argparse.Namespace) -> None:
    """One descriptor alone, two in all ratios, and the mean variation: Figs. 6, 7, 8."""
    reference = material_map(options.reference, options.crop, options.fill)
    config = config_of(options, size=(64, 64), levels=1, scales=1, plateau=0.0, evaluations=200)
    material = run(measure(reference, config))
    whole = known(reference, config.step)
    base = statistics(whole)
    none = dict.fromkeys(("two_point", "three_point", "variation", "texture"), 0.0)
    only = {f"only {n}": Weights(**{**none, n.replace("-", "_"): 1.0}) for n in NAMES[:3]}
    # a trace of variation: the engine wants one descriptor of neighbours
    only["only texture"] = Weights(**{**none, "texture": 1.0, "variation": 1e-9})
    ratios = {f"3pt / 2pt = 1e{n}": paper_weights(material, 1, 10.0**n, 0) for n in range(-2, 3)}
    smooth = {f"variation 1e{n}": paper_weights(material, 1, 10, 10.0**n) for n in range(4)}
    cross = {f"ours, 2pt {w:g}": Weights(two_point=w) for w in (0.01, 0.1, 1, 10, 100)}
    studies = {
        "fig6_descriptors": {**only, "all (default)": config.weights},
        "fig7_ratio": ratios,
        "fig8_variation": smooth,
        "two_point_weight": cross,
    }
    noise = errors(material, config, random_field(config.size, 0))
    print(f"error of noise, %: {', '.join(f'{n} {v:.0f}' for n, v in noise.items())}")
    table("minimised", *(f"{n}, %" for n in NAMES), *seen(whole, base))
    print(
        "| reference | | | | | " + " | ".join(f"{v:.3g}" for v in seen(whole, base).values()), "|"
    )
    part = material_map(options.reference, list(config.size), options.fill)
    varies = scatter(material, run(measure(part, config, like=material))).values()
    numbers = [*varies, *seen(part, base).values()]
    print("| a crop of it | " + " | ".join(f"{v:.3g}" for v in numbers) + " |")
    for name, weights in studies.items():
        maps = {"reference": part}
        for words, given in weights.items():
            own = scaled(given, material, config)
            field = made(material, config.model_copy(update={"weights": own}))
            numbers = [*errors(material, config, field).values(), *seen(field, base).values()]
            print(f"| {words} | " + " | ".join(f"{v:.3g}" for v in numbers) + " |", flush=True)
            maps[words] = field
        figures.save(figures.draw_maps(maps, columns=7), options.figures, name)


def pole_figures(options: argparse.Namespace) -> None:
    """Reference and result beside each other: maps, pole figures, variograms (Figs. 11, 12)."""
    reference = material_map(options.reference, options.crop, options.fill)
    config = config_of(options, size=(128, 128), evaluations=500)
    side_by_side(reference, config, options.figures)


def side_by_side(
    reference: OrientationMap,
    config: ReconstructConfig,
    folder: str | None,
    poles: tuple[str, ...] = (),
) -> None:
    """Reconstruct, and compare by all that a table or a figure can show."""
    material = run(measure(reference, config))
    field = made(material, config)
    grains = grains_of(field, material, config)
    whole = known(reference, config.step)
    named = {"reference": whole, "field": field, "grains": grains}
    facts = field.provenance
    stages = ", ".join(f"{g.spacing} ({g.scales} scales)" for g in material.grids)
    print(
        f"grids of every so many points: {stages}; {facts['total_seconds']:.0f} s; {facts['notes']}"
    )
    tell_errors(material, config, named)
    for name in ("field", "grains"):
        print(f"{name}, ", end="")
        variogram_errors(whole, named[name], config.window)
    print()
    compare_statistics(whole, {"field": field, "grains": grains})
    tell_shapes(named)
    poles = poles or default_poles(whole.phases[0])
    odfs = {name: odf_of(one) for name, one in named.items()}
    tell_textures(odfs, poles)
    tell_clusters(named, config.window)
    keep(folder, named)
    target, own = variograms(whole, field, config.window)
    lags = window_lags(config.window)
    figures.save(figures.draw_maps(named), folder, "maps")
    figures.save(figures.draw_pole_figures(odfs, poles), folder, "pole_figures")
    figures.save(figures.draw_variograms(target, own, lags, config.window), folder, "variograms")
    history = np.array(facts["history"])
    curve = {"all grids": (np.arange(len(history)) + 1, history[:, 4])}
    figures.save(figures.draw_curves({"iterations": curve}), folder, "loss")


def keep(folder: str | None, named: Mapping[str, OrientationMap]) -> None:
    """Write the fields themselves beside their figures."""
    for name, one in named.items() if folder else ():
        path = Path(folder) / f"{name}.h5"
        path.parent.mkdir(exist_ok=True, parents=True)
        run(save_map(one, path))


def clustering(options: argparse.Namespace) -> None:
    """One grid and one scale, against the default: what lies beyond the window?"""
    reference = material_map(options.reference, options.crop, options.fill)
    config = config_of(options, size=(128, 128), evaluations=500)
    maps = {"reference": known(reference, config.step)}
    for name, extra in (("one grid", {"levels": 1, "scales": 1}), ("default", {})):
        own = config.model_copy(update=extra)
        material = run(measure(reference, own))
        field = made(material, own)
        maps |= {name: field, f"{name}, grains": grains_of(field, material, own)}
    tell_clusters(maps, config.window)
    compare_statistics(maps.pop("reference"), maps)
    figures.save(figures.draw_maps(maps), options.figures, "clustering")


def optimisers(options: argparse.Namespace) -> None:
    """Losses against iterations and seconds: Fig. 18."""
    count, marks = options.count or 1000, (10, 30, 100, 300, 1000)
    config = config_of(
        options, size=(64, 64), levels=1, scales=1, plateau=0.0, evaluations=round(1.3 * count)
    )
    material = run(measure(material_map(options.reference, options.crop, options.fill), config))
    made(material, config.model_copy(update={"evaluations": 1}))  # compiled before it is timed
    steps, seconds = {}, {}
    table("optimiser", *(f"{n} iterations" for n in marks), "after 60 s", "lowest", "s / iteration")
    for method in ("L-BFGS", "L-BFGS-B", "TNC", "Adam", "SGD"):
        limit = 60.0 if method == "TNC" else None
        own = config.model_copy(update={"method": method, "time_limit": limit})
        history = np.array(made(material, own).provenance["history"])[:count]
        lowest = np.minimum.accumulate(history[:, 4])
        at = [f"{lowest[n - 1]:.1e}" if n <= len(lowest) else "" for n in marks]
        late = lowest[history[:, 2] <= 60.0][-1]
        each = history[-1, 2] / len(history)
        print(f"| {method} | {' | '.join(at)} | {late:.1e} | {lowest[-1]:.1e} | {each:.3f} |")
        steps[method] = (np.arange(len(history)) + 1, history[:, 4])
        seconds[method] = (history[:, 2], history[:, 4])
    drawn = figures.draw_curves({"iterations": steps, "seconds": seconds}, log_x=True)
    figures.save(drawn, options.figures, "fig18_optimisers")


def seeds(options: argparse.Namespace) -> None:
    """Losses from several random fields: Fig. 19."""
    config = config_of(options, size=(64, 64), levels=1, scales=1, plateau=0.0, evaluations=500)
    material = run(measure(material_map(options.reference, options.crop, options.fill), config))
    base = statistics(
        known(material_map(options.reference, options.crop, options.fill), config.step)
    )
    curves = {}
    table("seed", "paper's loss", "at 100", "KS", "diameter")
    for seed in range(options.count or 10):
        field = made(material, config.model_copy(update={"seed": seed}))
        history = np.array(field.provenance["history"])[:, 4]
        own = seen(field, base)
        row = (f"{history[-1]:.2e}", f"{history[99]:.2e}", f"{own['KS']:.3f}")
        print(f"| {seed} | {' | '.join(row)} | {own['diameter']:.2f} |", flush=True)
        curves[str(seed)] = (np.arange(len(history)) + 1, history)
    last = np.array([y[-1] for _, y in curves.values()])
    print(f"\nlargest / lowest {last.max() / last.min():.2f}")
    drawn = figures.draw_curves({"iterations": curves}, log_x=True, mean=True)
    figures.save(drawn, options.figures, "fig19_seeds")


def mix(options: argparse.Namespace) -> None:
    """Five steps between two materials: Figs. 16 and 17."""
    config = config_of(options, size=(96, 96), evaluations=200)
    both = [
        material_map(name, options.crop, options.fill)
        for name in (options.reference, options.second)
    ]
    first = run(measure(both[0], config))
    second = run(measure(both[1], config, like=first))
    ends = [known(one, config.step) for one in both]
    lags = window_lags(config.window)
    shown = [first_points(one, min(config.size)) for one in ends]  # at one scale
    maps, below = {"first": shown[0]}, [None]
    table("share of the second", "paper's loss", "diameter", "texture index", "x / y", "GOS")
    for share in (None, 0.0, 0.25, 0.5, 0.75, 1.0, None):
        if share is None:
            field, loss = ends[0] if len(maps) == 1 else ends[1], "map"
        else:
            material = interpolate(first, second, share)
            field = made(material, config)
            loss = f"{field.provenance['paper_loss']:.2e}"
            semi = material.targets[-1][0][0].three_point.diagonal(dim1=-2, dim2=-1).sum(0)
            below.append(figures.window_image(semi.numpy(), lags, config.window))
            maps[f"{share:g}"] = field
        own = statistics(field)
        across, along = intercepts(field)
        numbers = (own["area-weighted diameter"], own["texture index"], across / along, own["GOS"])
        words = " | ".join(f"{v:.2f}" for v in numbers)
        print(f"| {'' if share is None else share} | {loss} | {words} |", flush=True)
    drawn = figures.draw_mix({**maps, "second": shown[1]}, [*below, None])
    figures.save(drawn, options.figures, "fig17_mix")


# --- volumes and other crystals --------------------------------------------------------------


def rolled(options: argparse.Namespace) -> None:
    """A volume from three different sections."""
    sections = rolled_sections(192, (4.5, 9.0, 18.0))
    config = config_of(options, size=(48, 48, 48), window=11, evaluations=60)
    start = time.perf_counter()
    material = run(measure(sections, config))
    field = made(material, config)
    grains = grains_of(field, material, config)
    count, torn = len(np.unique(grains.properties["grain"])), [pieces(grains, a) for a in range(3)]
    print(f"{time.perf_counter() - start:.0f} s, {count} grains, in pieces on cuts across z, y, "
          f"x: {', '.join(f'{n:.1f}' for n in torn)}; {field.provenance['notes']}")  # fmt: skip
    names = ("across z (ND)", "across y (TD)", "across x (RD)")
    named = {"reference": sections, "field": field, "grains": grains}
    table("face", "of", "length along columns", "along rows", "columns / rows", "KS", "index")
    for axis, name in enumerate(names):
        base = statistics(sections[axis])
        for whose, one in named.items():
            cuts = sections[axis : axis + 1] if whose == "reference" else slices(one, axis)
            across, along = np.mean([intercepts(c) for c in cuts], axis=0)
            spread = np.mean([seen(c, base)["KS"] for c in cuts])
            index = odf_of(one if whose != "reference" else sections[axis]).texture_index
            print(f"| {name} | {whose} | {across:.2f} | {along:.2f} | {across / along:.2f} | "
                  f"{spread:.3f} | {index:.2f} |")  # fmt: skip
    faces = {
        whose: {n: cut if whose == "reference" else slices(one, a)[0]
                for a, (n, cut) in enumerate(zip(names, sections, strict=True))}
        for whose, one in named.items()
    }  # fmt: skip
    faces["reference"] = {n: first_points(c, 48) for n, c in faces["reference"].items()}
    figures.save(figures.draw_faces(faces), options.figures, "faces")
    odfs = {"reference": odf_of(joined(sections)), "field": odf_of(field), "grains": odf_of(grains)}
    tell_textures(odfs, default_poles(sections[0].phases[0]))
    figures.save(
        figures.draw_pole_figures(odfs, default_poles(sections[0].phases[0])),
        options.figures, "pole_figures",
    )  # fmt: skip
    keep(options.figures, {"field": field, "grains": grains})


def slices(volume: OrientationMap, axis: int) -> list[OrientationMap]:
    """Return sections a quarter of the volume apart."""
    n = volume.shape[axis]
    return [section_of(volume, at, axis) for at in range(0, n, n // 4)]


def first_points(one: OrientationMap, side: int) -> OrientationMap:
    cut = (slice(side), slice(side))
    return replace(one, quaternions=one.quaternions[cut], phase_id=one.phase_id[cut],
                   done=one.done[cut], properties={})  # fmt: skip


def joined(maps: list[OrientationMap]) -> OrientationMap:
    q = np.concatenate([one.quaternions for one in maps])
    return OrientationMap(q, maps[0].phases)


def trigonal(options: argparse.Namespace) -> None:
    """Nickel oxide of lithium (-3m), and Ti64 (6/mmm) where its map is given."""
    poles = ("{0001}", "{10-10}", "{11-20}", "{10-12}")
    config = config_of(options, size=(128, 128), evaluations=500)
    for name in ("LiNiO2", options.reference):
        if name:
            print(f"\n### {name}\n")
            folder = options.figures and str(Path(options.figures) / Path(name).stem)
            side_by_side(material_map(name), config, folder, poles)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(required=True)
    studies = (
        descriptors, pole_figures, clustering, optimisers, seeds, mix, rolled, trigonal,
    )  # fmt: skip
    for work in studies:
        sub = kinds.add_parser(work.__name__.replace("_", "-"), help=work.__doc__)
        sub.set_defaults(run=work)
        if work is not rolled:
            sub.add_argument("reference", nargs="?" if work is trigonal else None)
        if work is mix:
            sub.add_argument("second")
        sub.add_argument("--size", type=int, nargs="+")
        sub.add_argument("--crop", type=int, nargs=2)
        sub.add_argument("--fill", type=int, default=0, help="gaps of the map, by so many steps")
        sub.add_argument("--step", type=float)
        for name in OPTIONS[:3]:
            sub.add_argument(f"--{name}", type=int)
        sub.add_argument("--texture-degrees", type=int, nargs="+")
        sub.add_argument("--evaluations", type=int)
        sub.add_argument("--count", type=int, help="of seeds, or iterations")
        sub.add_argument("--two-point", type=float, help="weight of the two-point correlations")
        sub.add_argument("--figures")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
