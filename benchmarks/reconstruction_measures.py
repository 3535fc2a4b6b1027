"""How far is a reconstruction from its reference, by what the loss sees and by what it does not?"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from reconstruction import statistics
from skimage.measure import label

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.analysis.texture.distances import odf_distance, pole_figure_difference
from napari_orient.analysis.texture.odf import compute_odf
from napari_orient.crystal.harmonics import default_harmonics
from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import run
from napari_orient.reconstruction.config import ReconstructConfig, Weights
from napari_orient.reconstruction.objective import Objective
from napari_orient.reconstruction.windows import window_lags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.reconstruction.material import Material

NAMES = ("two-point", "three-point", "variation", "texture")
EQUAL = Weights(two_point=1.0, three_point=1.0, variation=1.0, texture=1.0)


def objective_of(material: Material, config: ReconstructConfig, weights: Weights) -> Objective:
    """Return the loss of the finest grid."""
    return Objective(
        *material.functions(len(material.grids) - 1), material.targets[-1], material.means[-1],
        window_lags(config.window, config.lags), config.window, weights,
        config.threads or torch.get_num_threads(),
    )  # fmt: skip


def errors(
    material: Material, config: ReconstructConfig, field: OrientationMap | torch.Tensor
) -> dict[str, float]:
    """R.m.s. of D - D_ref over that of D_ref, in percent, whatever was minimised."""
    if isinstance(field, OrientationMap):
        field = torch.as_tensor(field.quaternions, dtype=torch.float32)
    parts = objective_of(material, config, EQUAL)(field).parts
    target = material.targets[-1][0][0]
    sizes = (target.two_point, target.three_point, target.variation, material.means[-1])
    return {
        name: 100 * (parts[name] / float((size**2).mean())) ** 0.5
        for name, size in zip(NAMES, sizes, strict=True)
    }


def scatter(material: Material, part: Material) -> dict[str, float]:
    """The same of what was measured in a part of the map: how far the material itself varies."""
    (whole, own), found = (m.targets[-1][0][0] for m in (material, part)), {}
    for name in NAMES[:3]:
        a, b = (getattr(one, name.replace("-", "_")) for one in (own, whole))
        found[name] = 100 * float(((a - b) ** 2).mean() / (b**2).mean()) ** 0.5
    a, b = part.means[-1], material.means[-1]
    return {**found, NAMES[3]: 100 * float(((a - b) ** 2).mean() / (b**2).mean()) ** 0.5}


def odf_of(one: OrientationMap) -> Odf:
    return run(compute_odf(one.quaternions[one.indexed], one.phases[0], halfwidth=10.0))


def seen(one: OrientationMap, reference: dict[str, Any]) -> dict[str, Any]:
    """What the loss does not see: the table's columns."""
    own = statistics(one)
    apart = np.cumsum(own["misorientation"]) - np.cumsum(reference["misorientation"])
    return {
        "grains": own["grains"], "diameter": own["area-weighted diameter"],
        "KS": float(np.abs(apart).max()), "index": own["texture index"],
        "in grains": 100 * float((own["found"].labels > 0).mean()),
    }  # fmt: skip


def correlation_rings(one: OrientationMap, edges: Sequence[int]) -> list[float]:
    """R.m.s. two-point autocorrelation of the harmonics, by rings of lags, in percent of lag zero.

    Rings are square, from edge to edge; the last number is of all of them. Open borders for all,
    so that reference and result are measured alike.
    """
    functions = default_harmonics(one.phases[0].point_group)
    mask = torch.as_tensor(one.indexed)
    z = functions(torch.as_tensor(one.quaternions)).movedim(-1, 0)
    z = torch.where(mask, z - z[:, mask].mean(1)[:, None, None], 0.0)
    rows, columns = one.shape
    size = (2 * rows, 2 * columns)
    power = (torch.fft.rfft2(z, size).abs() ** 2).sum(0)
    count = torch.fft.irfft2(torch.fft.rfft2(mask.double(), size).abs() ** 2, size)
    found = (torch.fft.irfft2(power, size) / count.round().clamp(min=1)).numpy()
    found = 100 * found / found[0, 0]
    down = np.minimum(np.arange(2 * rows), 2 * rows - np.arange(2 * rows))
    right = np.minimum(np.arange(2 * columns), 2 * columns - np.arange(2 * columns))
    far = np.maximum(down[:, None], right)
    rings = [*pairwise(edges), (edges[0], edges[-1])]
    return [float(np.sqrt((found[(far > a) & (far <= b)] ** 2).mean())) for a, b in rings]


def shuffled(one: OrientationMap, draws: int) -> list[OrientationMap]:
    """The same grains, their orientations given to others: no clusters but by chance."""
    grains = run(find_grains(one, GrainConfig(smallest=1, edge_grains=True)))
    drawn, known_points = np.random.default_rng(0), np.where(grains.labels > 0, 0, -1)
    orders = [drawn.permutation(len(grains)) for _ in range(draws)]
    return [
        replace(one, quaternions=grains.means[order][grains.labels - 1], phase_id=known_points)
        for order in orders
    ]


def intercepts(one: OrientationMap) -> tuple[float, float]:
    """Mean lengths of lines in grains along x and along y of a map, in points."""
    labels = run(find_grains(one, GrainConfig(smallest=3, small="merge", edge_grains=True))).labels
    found = []
    for axis in (1, 0):
        a, b = (np.delete(labels, n, axis) for n in (0, -1))
        both = (a > 0) & (b > 0)
        found.append(both.sum() / max(1, ((a != b) & both).sum()))
    return found[0], found[1]


def table(*columns: str) -> None:
    print("\n| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")


def tell_errors(
    material: Material, config: ReconstructConfig, named: Mapping[str, OrientationMap]
) -> None:
    table("error, % of the r.m.s. target", *NAMES)
    for name, one in named.items():
        if name != "reference":
            found = errors(material, config, one).values()
            print(f"| {name} | " + " | ".join(f"{v:.2f}" for v in found) + " |")


def pieces(volume: OrientationMap, axis: int) -> float:
    """Pieces of a grain on a section across an axis, on average: 1 where grains are compact."""
    labels = np.moveaxis(volume.properties["grain"], axis, 0)[::6]
    found = [(label(cut, connectivity=1).max(), len(np.unique(cut))) for cut in labels]
    return float(np.divide(*np.sum(found, axis=0)))


def tell_shapes(named: Mapping[str, OrientationMap]) -> None:
    """How round are grains (4 pi area / perimeter^2: a disk has 1), how long lines through them?"""
    table("shapes", "roundness", "roundness by area", "line along x, points", "along y")
    for name, one in named.items():
        grains = run(find_grains(one, GrainConfig(smallest=10)))
        kept = grains.counted & (grains.table["perimeter"] > 0)
        area, edge = (grains.table[c][kept] for c in ("area", "perimeter"))
        both = (float("nan"),) * 2
        if kept.any():
            own = 4 * np.pi * area / edge**2
            both = float(own.mean()), float(np.average(own, weights=area))
        print(f"| {name} | " + " | ".join(f"{v:.2f}" for v in (*both, *intercepts(one))) + " |")


def tell_textures(odfs: Mapping[str, Odf], poles: tuple[str, ...]) -> None:
    base = odfs["reference"]
    table(
        "texture", "index", "ODF distance", *(f"{p}: largest mrd" for p in poles),
        *(f"{p}: mean difference, mrd" for p in poles),
    )  # fmt: skip
    plain = tuple(part * (degree == 0) for degree, part in enumerate(base.coefficients))
    for name, odf in {**odfs, "no texture": replace(base, coefficients=plain)}.items():
        most = [f"{odf.pole_figure(p).hemisphere(2.5).mrd.max():.2f}" for p in poles]
        apart = [f"{d.mean:.3f}" for d in pole_figure_difference(base, odf, poles).values()]
        distance = f"{odf_distance(base, odf)[1]:.3f}"
        print(
            f"| {name} | {odf.texture_index:.3f} | " + " | ".join((distance, *most, *apart)) + " |"
        )


def tell_clusters(named: Mapping[str, OrientationMap], window: int) -> None:
    """Two-point correlations beyond the window, beside those of the same grains shuffled.

    From half the window's width, the longest lag in it, to twice that ... to half of the field.
    """
    edges, most = [window // 2], min(min(one.shape) for one in named.values()) // 2
    while edges[-1] < most:
        edges.append(min(2 * edges[-1], most))
    rings = (f"{a} to {b}" for a, b in pairwise(edges))
    table("autocorrelation, % of lag 0", *rings, "all", "all, grains shuffled")
    for name, one in named.items():
        shown = " | ".join(f"{v:.2f}" for v in correlation_rings(one, edges))
        chance = [correlation_rings(mixed, edges)[-1] for mixed in shuffled(one, 10)]
        print(f"| {name} | {shown} | {np.mean(chance):.2f} ± {np.std(chance):.2f} |")
