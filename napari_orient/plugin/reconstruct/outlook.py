"""What will a reconstruction be, and cost? Said before it begins, without the window."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.jobs import run
from napari_orient.plugin.reconstruct.words import in_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.maps import OrientationMap
    from napari_orient.plugin.reconstruct.references import Wanted
    from napari_orient.reconstruction.config import ReconstructConfig
    from napari_orient.reconstruction.reference import Reference

FEW_GRAINS, FEW_POINTS = 500, 8.0
VORONOI = 0.6858  # mean area of a section through cells of unit mean volume (Poisson-Voronoi)
_OVERHEAD = 0.05  # s of an evaluation of the smallest field
_SHARE = 0.6  # of the time that the products alone would take: they are done by halves
_PER_POINT = 18_000  # further operations for each point and function


@dataclass(frozen=True)
class Known:
    """What the references are, at the step of the new field.

    Attributes
    ----------
    shape
        Points of the (first) reference.
    phases
        Its crystals.
    step, unit
        Of a point.
    diameter
        Area-weighted mean diameter of its grains, in points.
    grains
        Their number, in all references.
    area
        Mean area of a grain, in points.
    notes
        What was done to it, in sentences.
    elongated
        Why it cannot stand for all sections of a volume, or "".
    """

    shape: tuple[int, ...]
    phases: tuple[Any, ...]
    step: float
    unit: str
    diameter: float
    grains: int
    area: float
    notes: tuple[str, ...] = ()
    elongated: str = ""


@dataclass(frozen=True)
class Outlook:
    """What a run will be.

    Attributes
    ----------
    known
        Of the references; None where they cannot serve.
    refusal
        Why it cannot be done, in words with the cure, or "".
    grids
        Its stages.
    across, inside
        Grains across the field, along its shortest side, and in it.
    needed_mb, free_mb
        Memory.
    seconds
        Of one evaluation in each stage, about.
    evaluations
        At most, in each stage.
    fields
        How many random starts are tried.
    warnings
        What makes a result doubtful, in sentences.
    references
        What it is made from, as the engine takes it.
    """

    known: Known | None = None
    refusal: str = ""
    grids: tuple[Any, ...] = ()
    across: float = 0.0
    inside: float = 0.0
    needed_mb: float = 0.0
    free_mb: float = 0.0
    seconds: tuple[float, ...] = ()
    evaluations: int = 0
    fields: int = 1
    time_limit: float | None = None
    warnings: tuple[str, ...] = ()
    references: tuple[OrientationMap, ...] = ()

    @property
    def total_seconds(self) -> float:
        """Time of the run, at most, about."""
        total = self.fields * self.evaluations * sum(self.seconds)
        return total if self.time_limit is None else min(total, self.time_limit)

    def left(self, seed: int, stage: int, done: int, each: float) -> float:
        """Seconds that are left at most, where an evaluation takes ``each`` seconds at a stage."""
        if stage >= len(self.seconds):
            return 0.0
        scale = each / max(self.seconds[stage], 1e-9)
        per_field = self.evaluations * sum(self.seconds)
        later = self.evaluations * sum(self.seconds[stage + 1 :])
        here = max(0, self.evaluations - done) * self.seconds[stage]
        return scale * (here + later + max(0, self.fields - 1 - seed) * per_field)


class Forecaster:
    """Makes outlooks in a thread; the references are measured once as long as they stay."""

    def __init__(self) -> None:
        self._made: tuple[Wanted, tuple[OrientationMap, ...]] | None = None
        self._seen: tuple[Any, Known] | None = None

    def __call__(self, asked: tuple[Wanted, ReconstructConfig]) -> Outlook:
        """Return the outlook for references and settings."""
        wanted, config = asked
        try:
            references = self._references(wanted)
            made = outlook(self._known(references, config), config)
        except ValueError as error:
            words = str(error)
            return Outlook(refusal=words[:1].upper() + words[1:])
        return replace(made, references=references)

    def _references(self, wanted: Wanted) -> tuple[OrientationMap, ...]:
        # the maps are kept, too: an id is of nothing else as long as they live
        if self._made is None or self._made[0].key != wanted.key:
            self._made = None
            self._made = (wanted, wanted.made())
        return self._made[1]

    def _known(self, references: tuple[OrientationMap, ...], config: ReconstructConfig) -> Known:
        asked = (references, config.step, config.phases, config.bands)
        if self._seen is None or self._seen[0][0] is not references or self._seen[0] != asked:
            self._seen = None
            self._seen = (asked, look_at(references, config))
        return self._seen[1]


def look_at(references: Sequence[OrientationMap], config: ReconstructConfig) -> Known:
    """Find the grains of the references at the step of the new field.

    Raises
    ------
    ValueError
        If one cannot serve: nothing indexed, no grains, a volume.
    """
    from napari_orient.reconstruction.reference import prepare

    shapes, count, points, diameters, notes = [], 0, 0, [], []
    ready, elongated = None, ""
    for one in references:
        found = run(
            prepare(one, config.step, every_phase=config.phases == "all", bands=config.bands)
        )
        count += len(found.grains)
        points += int((found.grains.labels > 0).sum())
        diameters.append(found.diameter)
        shapes.append(found.orientations.shape)
        notes += [note for note in found.notes if note not in notes]
        ready = ready or found.orientations
        if len(references) == 1:
            elongated = _elongated(found)
    assert ready is not None
    return Known(
        min(shapes, key=min), tuple(ready.phases.values()), ready.step[0], ready.unit,
        float(np.mean(diameters)), count, points / max(count, 1), tuple(notes), elongated,
    )  # fmt: skip


def _elongated(reference: Reference) -> str:
    """Say why one map cannot stand for all sections of a volume, or ""."""
    from napari_orient.reconstruction.material import check_equiaxed

    try:
        check_equiaxed(reference)
    except ValueError as error:
        return in_window(str(error))
    return ""


def outlook(known: Known, config: ReconstructConfig) -> Outlook:
    """Return what a run with these settings will be, from what is known of the references."""
    import psutil
    import torch

    from napari_orient.reconstruction.grids import choose_degrees, plan_grids
    from napari_orient.reconstruction.memory import needed_mb

    if len(config.size) == 3 and known.elongated and not config.assume:
        return Outlook(known, known.elongated)
    degrees = tuple(config.degrees or choose_degrees(p.point_group) for p in known.phases)
    try:
        grids, notes = plan_grids(config, known.diameter, degrees)
    except ValueError as error:
        return Outlook(known, str(error))
    if said := _too_small(known, config, grids):
        return Outlook(known, said, tuple(grids))
    functions = [_count(known.phases, grid.degrees) for grid in grids]
    threads = config.threads or torch.get_num_threads()
    needed = needed_mb(config, max(functions), threads)
    free = (psutil.virtual_memory().available + psutil.Process().memory_info().rss) / 1e6
    refusal = ""
    if needed > free:
        refusal = (
            f"It needs about {needed / 1000:.1f} GB of memory, and {free / 1000:.1f} GB are free: "
            "take a smaller field or window, or close other programs."
        )
    inside = float(np.prod(config.size)) / _grain_points(known, len(config.size))
    return Outlook(
        known, refusal, tuple(grids), min(config.size) / known.diameter, inside, needed, free,
        tuple(_seconds(config, g, n) for g, n in zip(grids, functions, strict=True)),
        config.evaluations, config.seeds, config.time_limit,
        (*_warnings(known, inside), *notes, *known.notes),
    )  # fmt: skip


def _grain_points(known: Known, dimensions: int) -> float:
    """Mean points of a grain in the field, taken to be equiaxed.

    Of cells of mean volume V, sections have the mean area 0.6858 V^(2/3): Poisson-Voronoi cells,
    Meijering, Philips Res. Rep. 8 (1953) 270.
    """
    return known.area if dimensions == 2 else (known.area / VORONOI) ** 1.5


def _too_small(known: Known, config: ReconstructConfig, grids: Sequence[Any]) -> str:
    """Say why the map does not hold the widest window, or ""."""
    far = config.window // 2
    for grid in grids:
        rows, columns = (-(-n // grid.spacing) for n in known.shape)
        for scale in range(grid.scales):
            if rows // 2**scale > far and columns // 2**scale >= config.window:
                continue
            words = " × ".join(map(str, known.shape))
            wide = config.window * grid.spacing * 2**scale
            return (
                f"The map, {words} points, is too small for a window of {wide} points "
                f"({config.window} on each {grid.spacing * 2**scale}th): take a larger map or "
                "region, a smaller window, or fewer scales and levels under Expert settings."
            )
    return ""


def _warnings(known: Known, inside: float) -> list[str]:
    said = []
    if known.grains < FEW_GRAINS:
        said.append(
            f"The reference has {known.grains} grains: with fewer than {FEW_GRAINS} its statistics "
            "are uncertain. Take a larger map."
        )
    if known.diameter < FEW_POINTS:
        said.append(
            f"A grain is {known.diameter:.1f} points wide: below {FEW_POINTS:.0f} its shape is "
            "lost. Take smaller points."
        )
    if inside < 20:
        said.append(f"The field holds about {max(1, round(inside))} grains: take a larger one.")
    return said


def _count(phases: Sequence[Any], degrees: Sequence[Sequence[int]]) -> int:
    from napari_orient.crystal.harmonics import count_invariants

    return sum(
        count_invariants(phase.point_group, n)
        for phase, own in zip(phases, degrees, strict=True)
        for n in own
    )


def _seconds(config: ReconstructConfig, grid: Any, functions: int) -> float:
    """Time of an evaluation, about: products of lag differences, and what is done for each point.

    A wider window on 2 x 2 averaged fields costs a quarter.
    """
    lags = (config.window**2 - 1) // (2 if config.lags == "half" else 1)
    axes = 1 if len(grid.shape) == 2 else 3
    points = axes * math.prod(grid.shape) * functions
    scales = sum(0.25**n for n in range(grid.scales))
    work = points * scales * (4 * lags**2 * _SHARE + _PER_POINT)
    return _OVERHEAD + work / speed(config.threads)


@lru_cache
def speed(threads: int = 0) -> float:
    """Measured operations a second of float32 products of matrices like those of a run."""
    import torch

    a = torch.randn(144, 8192)
    best = math.inf
    for _ in range(4):
        start = time.perf_counter()
        _ = a @ a.T
        best = min(best, time.perf_counter() - start)
    share = min(1.0, threads / torch.get_num_threads()) if threads else 1.0
    return float(share * 2 * 144 * 144 * 8192 / best)
