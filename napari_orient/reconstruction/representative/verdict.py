"""Could the result be of the material of the reference? Rows, corrected together, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.texture.odf import compute_odf
from napari_orient.analysis.validation.compare import FEWEST, LEVEL
from napari_orient.analysis.validation.permutation import holm, least_chance
from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import Progress
from napari_orient.reconstruction.representative.config import RepresentConfig
from napari_orient.reconstruction.representative.curve_rows import curve_rows
from napari_orient.reconstruction.representative.curves import choose_lags, measure_curves
from napari_orient.reconstruction.representative.planes import equal_planes
from napari_orient.reconstruction.representative.rows import (
    Row,
    boundary_row,
    percent,
    shape_rows,
    texture_rows,
)
from napari_orient.reconstruction.representative.sides import find_sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orix.crystal_map import Phase

    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.representative.curve_rows import CurvePair, ErrorMaps
    from napari_orient.reconstruction.representative.sides import Side


@dataclass(frozen=True, eq=False)
class Comparison:
    """One reference against the sections that should look like it.

    Attributes
    ----------
    name
        "" or, where each axis has a reference of its own, "across z" ...
    reference, result
        Views, grains and patches of each.
    phase
        Whose grains are compared.
    odfs
        Textures of both, of grains by their area.
    rows
        What was compared.
    curves, errors
        What is drawn.
    notes
        What was done, in sentences.
    """

    name: str
    reference: Side
    result: Side
    phase: Phase
    odfs: tuple[Odf, Odf]
    rows: tuple[Row, ...]
    curves: tuple[CurvePair, ...]
    errors: ErrorMaps
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a result represents the material of a reference.

    Attributes
    ----------
    comparisons
        One; one for each axis where three references were given.
    config
        How they were made.
    sources
        Where reference and result are from.
    notes
        What was taken for granted, in sentences.
    """

    comparisons: tuple[Comparison, ...]
    config: RepresentConfig
    sources: tuple[str, str]
    notes: tuple[str, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, corrected together."""
        return tuple(row for one in self.comparisons for row in one.rows)

    @property
    def grains(self) -> tuple[int, int]:
        """How many sections of grains count, of reference and result."""
        counts = [
            [len(side.sample.diameter) for side in (one.reference, one.result)]
            for one in self.comparisons
        ]
        return sum(c[0] for c in counts), sum(c[1] for c in counts)

    @property
    def representative(self) -> bool | None:
        """Whether no row tells the two apart; None where there is too little to tell it."""
        if any(row.differs for row in self.rows):
            return False
        return None if self._too_little() else True

    def _too_little(self) -> bool:
        return any(
            min(len(side.sample.diameter) for side in (one.reference, one.result)) < FEWEST
            or _tests(self.rows) * _least(one, self.config.draws) >= LEVEL
            for one in self.comparisons
        )

    @property
    def headline(self) -> str:
        """Say in a sentence what follows."""
        tests = _tests(self.rows)
        basis = f"{self.grains[0]} and {self.grains[1]} sections of grains, {tests} tests, 95 %"
        if self.representative is None:
            return f"Too little to tell: take larger fields ({basis})."
        if self.representative:
            known = self._known()
            return f"Representative: no test tells the result from the reference ({basis}).{known}"
        found = "; ".join(self._said(row) for row in self.rows if row.differs)
        return f"Not representative: {found} ({basis})."

    def _said(self, row: Row) -> str:
        """What differs; across which axis, where there are several."""
        several = len(self.comparisons) > 1
        return f"{row.words} ({row.name.rpartition(', ')[2]})" if several else row.words

    def _known(self) -> str:
        """What could still differ: the interval of the grain size."""
        row = next((r for r in self.rows if r.name.startswith("grain size") and r.interval), None)
        if row is None or row.interval is None or not row.reference:
            return ""
        low, high = (percent(row.reference, row.reference + v) for v in row.interval)
        words = f"{low:+.0f} to {high:+.0f} %".replace("-", "\u2212")
        return f" What could still differ: mean grain size, by {words} (95 %)."

    def summary(self) -> dict[str, Any]:
        """Return all as plain JSON types."""
        rows = [
            {**vars(row), "difference": row.difference, "differs": row.differs,
             "verdict": row.verdict}
            for row in self.rows
        ]  # fmt: skip
        for row in rows:
            del row["words"]
            row["interval"] = list(row["interval"]) if row["interval"] else None
            if row["apart"] is not None and not np.isfinite(row["apart"]):
                row["apart"] = None
        return {
            "kind": "representative", "representative": self.representative,
            "verdict": self.headline, "reference": self.sources[0], "result": self.sources[1],
            "grains": list(self.grains), "rows": rows,
            "variogram_within": [one.errors.share for one in self.comparisons],
            "variogram_within_by_chance": [one.errors.chance[0] for one in self.comparisons],
            "settings": self.config.model_dump(mode="json"), "notes": list(self.notes),
        }  # fmt: skip


def _tests(rows: Sequence[Row]) -> int:
    return sum(row.p is not None for row in rows)


def _least(one: Comparison, draws: int) -> float:
    """Smallest p value that these patches, and so many draws, can give."""
    blocks = [side.sample.block for side in (one.reference, one.result)]
    patches = least_chance(blocks[0], blocks[1]) if min(map(len, blocks)) else 1.0
    return max(patches, 1 / (draws + 1))


def represent(
    reference: OrientationMap | Sequence[OrientationMap],
    result: OrientationMap,
    config: RepresentConfig | None = None,
) -> Job[Verdict]:
    """Say whether a result could be of the material of a reference.

    Both are measured by the same ruler: a volume is looked at by sections at least a grain diameter
    apart, all views are of one size and step, and grains are found alike. Chance is judged by
    dealing out patches of some neighbouring grains; a grain that several sections of a volume cut
    is in one patch.

    Parameters
    ----------
    reference
        A map, or a volume. For a volume as the result, three maps are sections across z, y and x in
        the frame of the sample, and each is compared with sections across its axis. For a map as
        the result, several are of one material.
    result
        A map or a volume.
    config
        Grains, window, draws.

    Yields
    ------
    Progress
        Of each step.

    Raises
    ------
    ValueError
        If there is nothing to compare: no common crystal, nothing indexed, no grains.
    """
    config = config or RepresentConfig()
    maps = [reference] if isinstance(reference, OrientationMap) else list(reference)
    if not maps:
        raise ValueError("Nothing to compare with: give a reference.")
    axes = _axes(maps, result)
    found = []
    for axis in axes:
        own = maps if axis is None or len(axes) == 1 else [maps[axis]]
        name = f"across {'zyx'[axis]}" if axis is not None and len(axes) > 1 else ""
        found.append((yield from _compared(name, own, result, config, axis)))
    corrected = iter(holm([row.p for one in found for row in one.rows]))
    done = tuple(
        replace(one, rows=tuple(replace(row, p_corrected=next(corrected)) for row in one.rows))
        for one in found
    )
    sources = (", ".join(m.source or "a map" for m in maps), result.source or "a field")
    notes = list(dict.fromkeys(note for one in done for note in one.notes))
    made = Verdict(done, config, sources, tuple(notes))
    if any(_tests(made.rows) * _least(one, config.draws) >= LEVEL for one in done):
        notes.append(
            "Patches of grains are too few, or dealt out too seldom, for any difference to be told "
            "from chance: take larger fields, or more draws."
        )
    return replace(made, notes=tuple(notes))


def _axes(maps: Sequence[OrientationMap], result: OrientationMap) -> list[int | None]:
    """Axes whose sections are compared, each with its own reference; None: all with all."""
    flat = [len(m.shape) == 2 for m in maps]
    if len(result.shape) == 2:
        return [0]
    if len(maps) == 3 and all(flat):
        return [0, 1, 2]
    if len(maps) > 1:
        raise ValueError(
            "Give one reference for a volume, or three maps: sections across z, y and x."
        )
    return [None]


def _compared(
    name: str,
    maps: Sequence[OrientationMap],
    result: OrientationMap,
    config: RepresentConfig,
    axis: int | None,
) -> Job[Comparison]:
    from napari_orient.crystal.harmonics import default_harmonics

    views = yield from equal_planes(maps, result, config.grains, config.sections, axis)
    first, second, phase = yield from find_sides(views, config.grains)
    plane = views.reference[0].map
    step, unit = plane.step[0], plane.unit.replace("um", "µm")
    lags = choose_lags(config.window, config.reach * views.diameter, plane.shape)  # type: ignore[arg-type]
    group = phase.point_group
    harmonics = default_harmonics(group)
    curves = []
    for side in (first, second):
        curves.append((yield from measure_curves(side, lags, views.side, harmonics)))
    yield Progress(0, 0, "Comparing the curves")
    of_curves, pairs, errors = curve_rows(curves[0], curves[1], lags, step, unit, config)
    odfs = []
    for side in (first, second):
        job = compute_odf(
            side.sample.means, phase, weights=side.sample.weights, halfwidth=config.halfwidth
        )
        odfs.append((yield from job))
    yield Progress(0, 0, "Comparing grains and texture")
    a, b = first.sample, second.sample
    both = (odfs[0], odfs[1])
    rows = [
        *shape_rows(a, b, unit, config), boundary_row(a, b, config),
        *texture_rows(a, b, both, config), *of_curves,
    ]  # fmt: skip
    if name:
        rows = [replace(row, name=f"{row.name}, {name}") for row in rows]
    notes = [*views.notes]
    return Comparison(name, first, second, phase, both, tuple(rows), pairs, errors, tuple(notes))
