"""The descriptors of a material: measured in maps, kept in files, mixed and interpolated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_orient.analysis.common_phases import common_phases
from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import Progress
from napari_orient.reconstruction.boundaries import Boundaries, measure_boundaries
from napari_orient.reconstruction.estimates import Target
from napari_orient.reconstruction.functions import FieldFunctions, field_functions
from napari_orient.reconstruction.grids import Grid, choose_degrees, plan_grids
from napari_orient.reconstruction.merging import size_quantiles
from napari_orient.reconstruction.reference import prepare, scale_targets
from napari_orient.reconstruction.sections import sections_of
from napari_orient.reconstruction.windows import window_lags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.config import ReconstructConfig
    from napari_orient.reconstruction.reference import Reference

_FINEST = 16  # degree of harmonics of which the means are kept
_FUNCTIONS = 100  # of them, about
_ELONGATED = 1.3  # mean aspect ratio, from which one map is not enough
_FAR_TEXTURES = 0.5  # L2 distance over the root of the texture indices, that is warned of


@dataclass(frozen=True, eq=False)
class Material:
    """What a field of a material is to have, at each stage of a reconstruction.

    Attributes
    ----------
    phases
        Its crystals.
    step, unit
        Size of a point.
    diameter
        Area-weighted mean diameter of grains on sections, in points.
    diameters
        The same for each band of rows; one, where it is alike everywhere.
    grids
        The stages.
    texture_degrees
        Of each phase: harmonics of which only the means count.
    targets
        For each stage, each axis of slices (one for a map) or each band, each scale; nothing for
        an axis across which nothing is known.
    means
        For each stage (bands, K), of its fields and then of those of ``texture_degrees``.
    sizes
        (100,) diameters of grains on sections, in points, at even levels of their number.
    boundaries
        Misorientations of the boundaries within each phase; None where it has none.
    source, notes
        Where it was measured, and what was taken for granted.
    """

    phases: tuple[Phase, ...]
    step: float
    unit: str
    diameter: float
    diameters: tuple[float, ...]
    grids: tuple[Grid, ...]
    texture_degrees: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[tuple[Target, ...], ...], ...]
    means: tuple[Tensor, ...]
    sizes: NDArray[np.float64]
    boundaries: tuple[Boundaries | None, ...]
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def bands(self) -> int:
        """How many bands of rows differ; 1 is alike everywhere."""
        return len(self.diameters)

    @property
    def known_axes(self) -> tuple[int, ...]:
        """Axes across which sections are known."""
        return tuple(n for n, one in enumerate(self.targets[-1]) if one)

    def functions(self, stage: int) -> tuple[FieldFunctions, FieldFunctions | None]:
        """Fields of a stage, and functions of which only the means count."""
        texture = field_functions(self.phases, self.texture_degrees, indicators=False)
        fields = field_functions(self.phases, self.grids[stage].degrees)
        return fields, texture if any(self.texture_degrees) else None

    def digest(self) -> str:
        """Name of these descriptors, so that a state is never taken up with others."""
        parts = (self.grids, self.step, self.texture_degrees, self.bands)
        made = hashlib.sha256(repr(parts).encode())
        for stage in self.targets:
            for target in (t for axis in stage for t in axis):
                made.update(target.variation.numpy().astype("<f4").tobytes())
                made.update(target.two_point[:, 0].numpy().astype("<f4").tobytes())
                made.update(target.three_point[:, 0].numpy().astype("<f4").tobytes())
        for means in self.means:
            made.update(means.numpy().astype("<f4").tobytes())
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
    sections = sections_of(maps, axes, config.assume)
    found: list[Reference] = []
    for one, _ in sections:
        found.append(
            (
                yield from prepare(
                    one, config.step, every_phase=config.phases == "all", bands=config.bands
                )
            )
        )
    first = found[0]
    if axes == 3 and len(maps) == 1 and not config.assume:
        check_equiaxed(first)
    phases = first.phases
    notes = [note for r in found for note in r.notes]
    for other in found[1:]:
        numbers = common_phases(first.orientations, other.orientations).numbers
        if len(other.phases) != len(phases) or numbers != {n: n for n in range(len(phases))}:
            names = ", ".join(p.name for p in other.phases)
            raise ValueError(f"The sections are not of the same crystals: {names}")
    diameter = float(np.mean([r.diameter for r in found]))
    degrees = tuple(config.degrees or choose_degrees(p.point_group) for p in phases)
    if like is not None:
        grids, texture = list(like.grids), like.texture_degrees
    else:
        grids, said = plan_grids(config, diameter, degrees)
        notes += said
        texture = tuple(
            _texture_degrees(p.point_group, own, config.texture_degrees)
            for p, own in zip(phases, degrees, strict=True)
        )
    if len(maps) > 1:
        notes += yield from _texture_doubts(found)
    made = Material(
        phases, first.orientations.step[0], first.orientations.unit, diameter,
        tuple(np.mean([r.diameters for r in found], axis=0).tolist()), tuple(grids), texture,
        (), (), np.mean([size_quantiles(r.grains.labels) for r in found], axis=0),
        _boundaries(found, like),
        ", ".join(r.orientations.source or "a map" for r in found), tuple(notes),
    )  # fmt: skip
    targets, means = [], []
    for stage, grid in enumerate(grids):
        yield Progress(stage, len(grids), "Measuring the reference")
        fields, texture_of = made.functions(stage)
        functions = [fields] if texture_of is None else [fields, texture_of]
        if made.bands > 1:
            own = {n: _targets(first, grid, config, fields, n) for n in range(made.bands)}
        else:
            each = [_targets(r, grid, config, fields, 0) for r in found]
            own = {
                axis: one
                for one, (_, across) in zip(each, sections, strict=True)
                for axis in across
            }
        targets.append(tuple(own.get(n, ()) for n in range(max(axes, made.bands))))
        textures = [
            torch.stack([r.means(*functions, band=band) for band in range(made.bands)])
            for r in found
        ]
        means.append(torch.stack(textures).mean(0).float())
    return replace(made, targets=tuple(targets), means=tuple(means))


def check_equiaxed(reference: Reference) -> None:
    """Check that one map may stand for all sections of a volume.

    Raises
    ------
    ValueError
        If its grains are elongated along one direction.
    """
    ratio, angle = reference.elongation
    if ratio > _ELONGATED:
        raise ValueError(
            f"The grains of the map are elongated ({ratio:.1f} : 1, {angle:.0f} degrees from x "
            "towards y), so that other sections look different. Give sections across the other "
            "axes, or say what to assume: equiaxed, fibre x or fibre y."
        )


def _boundaries(found: list[Reference], like: Material | None) -> tuple[Boundaries | None, ...]:
    """Misorientations within each phase, the mean of all sections."""
    made = []
    for phase in range(len(found[0].phases)):
        other = like.boundaries[phase] if like is not None else None
        centres = None if other is None else other.centres
        own: list[Boundaries] = []
        for one in found:
            measured = measure_boundaries(one.grains, phase, centres)
            if measured is not None:
                own.append(measured)
                centres = measured.centres
        mean = np.mean([b.quantiles for b in own], axis=0) if own else None
        made.append(None if mean is None else replace(own[0], quantiles=mean))
    return tuple(made)


def _targets(
    reference: Reference, grid: Grid, config: ReconstructConfig, fields: FieldFunctions, band: int
) -> tuple[Target, ...]:
    piece = reference.piece(fields, band)
    lags = window_lags(config.window, config.lags)
    found = scale_targets(piece, grid.spacing, grid.scales, config.window, lags)
    return tuple(Target(**{n: t.float() for n, t in vars(one).items()}) for one in found)


def _texture_degrees(group: Any, own: tuple[int, ...], given: tuple[int, ...]) -> tuple[int, ...]:
    """Degrees of which only the means count, if not given: all others to n = 16.

    Of cubic crystals these are 12 and 16, of which 12 alone is taken: with 8 it tells textures well
    enough, and 16 costs most of the time. Of crystals with few operators it is as many degrees as
    have 100 functions.
    """
    from napari_orient.crystal.harmonics import count_invariants

    if given:
        return tuple(n for n in given if n not in own)
    free = [n for n in range(2, _FINEST + 1, 2) if n not in own and count_invariants(group, n)]
    if max(own) >= 8 and min(own) == 8:
        return tuple(free[:1])
    many = np.cumsum([count_invariants(group, n) for n in free])
    return tuple(free[: max(1, int((many <= _FUNCTIONS).sum()))])


def _texture_doubts(found: list[Reference]) -> Job[list[str]]:
    """Say it where sections of one sample have not one texture: axes may be wrong."""
    from napari_orient.analysis.texture.distances import odf_distance
    from napari_orient.analysis.texture.odf import compute_odf

    odfs = []
    for one in found:  # by the first phase: wrong axes show in any
        q = one.orientations.quaternions[one.orientations.phase_id == 0]
        odfs.append((yield from compute_odf(q, one.phases[0], halfwidth=15.0)))
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
    alike = ("grids", "texture_degrees", "bands", "step", "unit")
    differently = "The materials were measured differently: measure one like the other."
    shapes = [m.targets[-1][0][0].three_point.shape for m in (first, second)]
    groups = [[p.point_group.name for p in m.phases] for m in (first, second)]
    if groups[0] != groups[1]:
        raise ValueError("The materials have not the same crystals: they cannot be mixed.")
    if shapes[0] != shapes[1] or any(
        getattr(first, name) != getattr(second, name) for name in alike
    ):
        raise ValueError(differently)

    def mixed(a: Any, b: Any) -> Any:
        if isinstance(a, Tensor):
            return torch.lerp(a, b, share)
        if a is None or b is None:
            return None
        if isinstance(a, Boundaries):
            if a.centres.shape != b.centres.shape or not np.allclose(a.centres, b.centres):
                raise ValueError(differently)  # angles from other misorientations
            return replace(a, quantiles=(1 - share) * a.quantiles + share * b.quantiles)
        if isinstance(a, Target):
            return Target(**{n: mixed(t, getattr(b, n)) for n, t in vars(a).items()})
        if isinstance(a, float):
            return (1 - share) * a + share * b
        return tuple(mixed(x, y) for x, y in zip(a, b, strict=True))

    return replace(
        first,
        targets=mixed(first.targets, second.targets),
        means=mixed(first.means, second.means),
        sizes=(1 - share) * first.sizes + share * second.sizes,
        boundaries=mixed(first.boundaries, second.boundaries),
        diameter=mixed(first.diameter, second.diameter),
        diameters=mixed(first.diameters, second.diameters),
        source=f"{1 - share:.2g} of {first.source} and {share:.2g} of {second.source}",
    )


def combined(across_z: Material, across_y: Material, across_x: Material) -> Material:
    """Take the sections across each axis of a volume from materials of their own.

    Raises
    ------
    ValueError
        If they are not measured alike, or not for a volume.
    """
    materials = (across_z, across_y, across_x)
    first = interpolate(interpolate(across_z, across_y, 0.5), across_x, 1 / 3)
    if any(len(m.targets[0]) != 3 for m in materials):
        raise ValueError("The materials were measured for maps: a volume has sections of its own.")
    targets = tuple(
        tuple(m.targets[stage][axis] for axis, m in enumerate(materials))
        for stage in range(len(first.grids))
    )
    return replace(
        first, targets=targets, source=", ".join(m.source for m in materials) + " (across z, y, x)"
    )
