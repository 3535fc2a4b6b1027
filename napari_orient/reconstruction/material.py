"""The descriptors of a material: measured in maps, kept in files, mixed and interpolated."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_orient.analysis.common_phases import common_phases
from napari_orient.data.maps import OrientationMap, phase_from_json, phase_to_json
from napari_orient.files import UnreadableFile, open_h5, replace_atomically
from napari_orient.jobs import Progress
from napari_orient.reconstruction.estimates import Target
from napari_orient.reconstruction.grids import Grid, choose_degrees, plan_grids
from napari_orient.reconstruction.reference import prepare, scale_targets
from napari_orient.reconstruction.windows import window_lags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orix.crystal_map import Phase

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.config import ReconstructConfig
    from napari_orient.reconstruction.reference import Reference

FORMAT, VERSION = "napari-orient material", 1
_FAR_TEXTURES = 0.5  # L2 distance over the root of the texture indices, that is warned of


@dataclass(frozen=True, eq=False)
class Material:
    """What a field of a material is to have, at each stage of a reconstruction.

    Attributes
    ----------
    phase
        Its crystal.
    step, unit
        Size of a point.
    diameter
        Area-weighted mean diameter of grains on sections, in points.
    grids
        The stages.
    texture_degrees
        Harmonics of which only the means count.
    targets
        For each stage, each axis of slices (one for a map), each scale.
    means
        For each stage, of its harmonics and then of those of ``texture_degrees``.
    source, notes
        Where it was measured, and what was taken for granted.
    """

    phase: Phase
    step: float
    unit: str
    diameter: float
    grids: tuple[Grid, ...]
    texture_degrees: tuple[int, ...]
    targets: tuple[tuple[tuple[Target, ...], ...], ...]
    means: tuple[Tensor, ...]
    source: str = ""
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """Name of these descriptors, so that a state is never taken up with others."""
        made = hashlib.sha256(repr((self.grids, self.step, self.texture_degrees)).encode())
        for stage in self.targets:
            for target in (t for axis in stage for t in axis):
                made.update(target.variation.numpy().astype("<f4").tobytes())
                made.update(target.three_point[:, 0].numpy().astype("<f4").tobytes())
        return made.hexdigest()[:16]


def measure(
    reference: OrientationMap | Sequence[OrientationMap],
    config: ReconstructConfig,
    *,
    like: Material | None = None,
) -> Job[Material]:
    """Measure the descriptors that a reconstruction by this config needs.

    Parameters
    ----------
    reference
        A map, or for a volume three: sections across z, y and x of the sample, in this order and in
        its frame (:func:`napari_orient.reconstruction.sections.in_sample`).
    config
        Size, window, degrees, scales ...
    like
        A material with which it is to be mixed: takes its stages.

    Raises
    ------
    ValueError
        If they do not go together: too small, nothing indexed, no grains, not one crystal.
    """
    maps = [reference] if isinstance(reference, OrientationMap) else list(reference)
    axes = 1 if len(config.size) == 2 else 3
    if len(maps) not in (1, axes):
        raise ValueError("Give one map, or for a volume three of them: sections across z, y and x.")
    found: list[Reference] = []
    for one in maps:
        found.append((yield from prepare(one, config.step)))
    first = found[0]
    group = first.phase.point_group
    notes = [note for r in found for note in r.notes]
    for other in found[1:]:
        if not common_phases(first.orientations, other.orientations).numbers:
            raise ValueError("The sections are not of one crystal: " + other.phase.name)
    diameter = float(np.mean([r.diameter for r in found]))
    degrees = config.degrees or choose_degrees(group)
    if like is not None:
        grids, texture = list(like.grids), like.texture_degrees
    else:
        grids, said = plan_grids(config, diameter, degrees)
        notes += said
        texture = _texture_degrees(group, degrees, config.texture_degrees)
    if len(found) > 1:
        notes += yield from _texture_doubts(found)
    targets, means = [], []
    for n, grid in enumerate(grids):
        yield Progress(n, len(grids), "Measuring the reference")
        own = [_of(r, grid, config) for r in found]
        targets.append(tuple(own[axis % len(own)] for axis in range(axes)))
        means.append(_means(found, group, grid, texture))
    return Material(
        first.phase, first.orientations.step[0], first.orientations.unit, diameter, tuple(grids),
        texture, tuple(targets), tuple(means),
        ", ".join(r.orientations.source or "a map" for r in found), tuple(notes),
    )  # fmt: skip


def _of(reference: Reference, grid: Grid, config: ReconstructConfig) -> tuple[Target, ...]:
    from napari_orient.crystal.harmonics import harmonics

    piece = reference.piece(harmonics(reference.phase.point_group, grid.degrees))
    lags = window_lags(config.window, config.lags)
    found = scale_targets(piece, grid.spacing, grid.scales, config.window, lags)
    return tuple(Target(**{n: t.float() for n, t in vars(one).items()}) for one in found)


def _means(found: list[Reference], group: Any, grid: Grid, texture: tuple[int, ...]) -> Tensor:
    from napari_orient.crystal.harmonics import harmonics

    functions = [harmonics(group, grid.degrees)]
    if texture:
        functions.append(harmonics(group, texture))
    return torch.stack([r.means(*functions) for r in found]).mean(0).float()


def _texture_degrees(group: Any, own: tuple[int, ...], given: tuple[int, ...]) -> tuple[int, ...]:
    """Degrees of which only the means count: the next one that has any, if not given."""
    from napari_orient.crystal.harmonics import count_invariants

    if given:
        return tuple(n for n in given if n not in own)
    n = max(own) + 2
    while not count_invariants(group, n):
        n += 2
    return (n,)


def _texture_doubts(found: list[Reference]) -> Job[list[str]]:
    """Say it where sections of one sample have not one texture: axes may be wrong."""
    from napari_orient.analysis.texture.distances import odf_distance
    from napari_orient.analysis.texture.odf import compute_odf

    odfs = []
    for one in found:
        q = one.orientations.quaternions[one.orientations.indexed]
        odfs.append((yield from compute_odf(q, one.phase, halfwidth=15.0)))
    apart = max(odf_distance(odfs[0], other)[1] for other in odfs[1:])
    if apart < _FAR_TEXTURES:
        return []
    return [
        f"The textures of the sections differ ({apart:.2f} of their strength): check that the axes "
        "of each in the sample are right."
    ]


def interpolate(first: Material, second: Material, share: float) -> Material:
    """Mix the descriptors of two materials (Appendix B of the reconstruction paper).

    Parameters
    ----------
    share
        Of the second: 0 is the first, 1 the second.

    Raises
    ------
    ValueError
        If they are not measured alike (``measure(..., like=first)``).
    """
    if first.grids != second.grids or first.texture_degrees != second.texture_degrees:
        raise ValueError("The materials were measured differently: measure one like the other.")

    def mixed(a: Any, b: Any) -> Any:
        if isinstance(a, Tensor):
            return torch.lerp(a, b, share)
        if isinstance(a, Target):
            return Target(**{n: mixed(t, getattr(b, n)) for n, t in vars(a).items()})
        return tuple(mixed(x, y) for x, y in zip(a, b, strict=True))

    return replace(
        first,
        targets=mixed(first.targets, second.targets),
        means=mixed(first.means, second.means),
        diameter=(1 - share) * first.diameter + share * second.diameter,
        source=f"{1 - share:.2g} of {first.source} and {share:.2g} of {second.source}",
    )


def save_material(material: Material, path: str | Path) -> None:
    """Write descriptors to HDF5; the file is whole, or not there.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import h5py

    facts = {
        "step": material.step, "unit": material.unit, "diameter": material.diameter,
        "grids": [list(g) for g in material.grids], "source": material.source,
        "texture_degrees": list(material.texture_degrees), "notes": list(material.notes),
    }  # fmt: skip
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file.attrs.update({"format": FORMAT, "version": VERSION})
        file.attrs["facts"], file.attrs["phase"] = json.dumps(facts), phase_to_json(material.phase)
        for stage, (axes, means) in enumerate(zip(material.targets, material.means, strict=True)):
            file[f"{stage}/means"] = means.numpy()
            for axis, scales in enumerate(axes):
                for scale, target in enumerate(scales):
                    for name, tensor in vars(target).items():
                        file[f"{stage}/{axis}/{scale}/{name}"] = tensor.numpy()
    with replace_atomically(path) as temporary:
        temporary.write_bytes(made.getvalue())


def load_material(path: str | Path) -> Material:
    """Read what :func:`save_material` wrote.

    Raises
    ------
    UnreadableFile
        If it is none, or damaged.
    """
    with open_h5(path) as file:
        if file.attrs.get("format") != FORMAT:
            raise UnreadableFile(path, "holds no descriptors of a material", "Measure a map first.")
        try:
            facts = json.loads(file.attrs["facts"])
            grids = tuple(Grid(g[0], tuple(g[1]), g[2], tuple(g[3])) for g in facts["grids"])
            targets, means = [], []
            for stage in range(len(grids)):
                group = file[str(stage)]
                means.append(torch.as_tensor(group["means"][()]))
                axes = sorted(name for name in group if name != "means")
                targets.append(tuple(_read_axis(group[axis]) for axis in axes))
            return Material(
                phase_from_json(file.attrs["phase"]), facts["step"], facts["unit"],
                facts["diameter"], grids, tuple(facts["texture_degrees"]), tuple(targets),
                tuple(means), facts["source"], tuple(facts["notes"]),
            )  # fmt: skip
        except (KeyError, ValueError, TypeError, IndexError, OSError) as error:
            raise UnreadableFile(path, f"is damaged ({error})", "Measure the map again.") from error


def _read_axis(group: Any) -> tuple[Target, ...]:
    return tuple(
        Target(**{name: torch.as_tensor(item[()]) for name, item in group[scale].items()})
        for scale in sorted(group, key=int)
    )
