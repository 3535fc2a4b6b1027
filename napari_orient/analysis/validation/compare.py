"""Is one material like another, as far as their grains say? Distances, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.common_phases import common_phases
from napari_orient.analysis.grains.grains import Grains
from napari_orient.analysis.texture.distances import odf_distance, pole_figure_difference
from napari_orient.analysis.texture.odf import compute_odf
from napari_orient.analysis.texture.poles import default_poles
from napari_orient.analysis.validation.permutation import (
    DRAWS,
    histograms,
    holm,
    interval,
    least_chance,
    shuffles,
    tensors,
    textures,
    wasserstein,
)
from napari_orient.analysis.validation.samples import BIN, Sample, draw_sample, least_extent
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.jobs import Job

LEVEL = 0.05
FEWEST = 10  # grains of each, below which nothing can be told


@dataclass(frozen=True)
class Row:
    """One property of two materials.

    Attributes
    ----------
    name
        "grain size", "aspect ratio" ...
    measure
        What the numbers are, in words with their unit.
    reference, other
        Of each material; None where there is no such number.
    ratio
        95 % interval of other over reference, where grains are drawn again; None without one.
    distance
        Between the two, in words with its unit.
    apart
        The distance.
    p
        Chance of a distance so large between two samples of one material; None where the row only
        tells, and is not tested.
    p_corrected
        The same for all rows together (Holm).
    """

    name: str
    measure: str
    reference: float | None
    other: float | None
    ratio: tuple[float, float] | None
    distance: str
    apart: float
    p: float | None = None
    p_corrected: float | None = None

    @property
    def differs(self) -> bool | None:
        """Whether the two are different beyond chance (5 %, all rows together); None: no test."""
        return None if self.p_corrected is None else self.p_corrected < LEVEL


@dataclass(frozen=True)
class Validation:
    """How far two materials are apart.

    Attributes
    ----------
    rows
        One for each property.
    grains
        How many grains of each count.
    notes
        What was taken for granted, in sentences.
    """

    rows: tuple[Row, ...]
    grains: tuple[int, int]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Say in a sentence what follows."""
        apart = [row.name for row in self.rows if row.differs]
        n = f"{self.grains[0]} and {self.grains[1]} grains"
        if not apart:
            return f"The two cannot be told apart by these tests ({n}, 95 %)."
        return f"The two differ in {', '.join(apart)} ({n}, 95 %)."

    def summary(self) -> dict[str, Any]:
        """Return all as plain JSON types."""
        rows = [{**vars(row), "differs": row.differs} for row in self.rows]
        return {
            "kind": "validation", "verdict": self.verdict, "grains": list(self.grains),
            "rows": rows, "notes": list(self.notes),
        }  # fmt: skip


def compare_materials(
    reference: Grains | Sequence[Grains],
    other: Grains | Sequence[Grains],
    *,
    poles: Sequence[str] | None = None,
    halfwidth: float = 10.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> Job[Validation]:
    """Compare the grains of two materials: sizes, shapes, boundaries and texture.

    The fields of view should be equal (:func:`~.views.equal_views`), for grains that edges cut are
    left out. Several maps of one material are pooled; not sections of one volume, which cut the
    same grains more than once: chance then looks like a difference. For these there is
    :func:`napari_orient.reconstruction.representative.verdict.represent`.

    Parameters
    ----------
    reference, other
        Grains of maps, or of volumes, all in one unit; the phase that most of the reference is of
        is compared.
    poles
        Crystal planes whose pole figures are compared; those of the smallest indices by default.
    halfwidth
        Of the ODFs, in degrees.
    draws
        How often grains are shuffled or drawn again.

    Yields
    ------
    Progress
        In rows.

    Returns
    -------
    validation
        Rows of a test: grain size, aspect ratio, elongation, boundary misorientation, texture.
        Rows that only tell: ODF distance, texture index, pole figures.

    Raises
    ------
    ValueError
        If one is of maps and the other of volumes, units or crystals differ, or there are too few
        grains.
    """
    fields = [[one] if isinstance(one, Grains) else list(one) for one in (reference, other)]
    numbers, notes = _check(fields)
    phase = fields[0][0].orientations.phases[numbers[0][0]]
    least = least_extent([*fields[0], *fields[1]])
    a, b = (draw_sample(f, n, least) for f, n in zip(fields, numbers, strict=True))
    for name, sample in (("reference", a), ("other", b)):
        if len(sample.diameter) < FEWEST:
            raise ValueError(
                f"Of the {name} {len(sample.diameter)} whole grains count: fewer than {FEWEST} say "
                "nothing of a material. Take a larger field, or count the grains at the edge."
            )
    yield Progress(0, 4, "Comparing sizes and shapes")
    rows = _shape_rows(a, b, fields[0][0], draws, seed)
    yield Progress(1, 4, "Comparing boundaries")
    dealt = shuffles(a.block_of_all, b.block_of_all, draws, seed)
    rows.append(_boundary_row(a, b, dealt))
    yield Progress(2, 4, "Comparing textures")
    odfs = []
    for sample in (a, b):
        job = compute_odf(sample.means, phase, weights=sample.weights, halfwidth=halfwidth)
        odfs.append((yield from job))
    rows += _texture_rows(a, b, odfs[0], odfs[1], phase, poles, dealt)
    corrected = holm([row.p for row in rows])
    tests = sum(p is not None for p in corrected)
    if tests * least_chance(a.block, b.block) >= LEVEL:
        notes.append(
            "The grains lie in too few patches for any difference to be told from chance: "
            "take larger fields."
        )
    done = tuple(
        Row(**{**vars(row), "p_corrected": p}) for row, p in zip(rows, corrected, strict=True)
    )
    return Validation(done, (len(a.diameter), len(b.diameter)), tuple(notes))


def _check(fields: list[list[Grains]]) -> tuple[list[list[int]], list[str]]:
    """Return the number of the phase in each field, and what is to be said."""
    every = [*fields[0], *fields[1]]
    if not fields[0] or not fields[1]:
        raise ValueError("Nothing to compare: give grains of both materials.")
    if len({one.dimensions for one in every}) > 1:
        raise ValueError(
            "Grains of a section and of a volume cannot be compared: a section cuts most of them "
            "beside their middle. Take sections of the volume."
        )
    if len({one.orientations.unit for one in every}) > 1:
        raise ValueError("The units differ: bring both to one unit (equal_views does).")
    first = fields[0][0]
    if not len(first):
        raise ValueError("The reference has no grains.")
    points = np.bincount(first.table["phase"], first.table["size"])
    lead, notes = int(points.argmax()), []
    numbers: list[list[int]] = []
    for side in fields:
        numbers.append([])
        for one in side:
            found = common_phases(first.orientations, one.orientations)
            if lead not in found.numbers:
                name = first.orientations.phases[lead].name
                raise ValueError(f"The other material has no crystal like {name}.")
            numbers[-1].append(found.numbers[lead])
            notes += [note for note in found.notes if note not in notes]
    steps = {tuple(np.round(one.orientations.step, 9)) for one in every}
    if len(steps) > 1:
        notes.append("The steps differ: the smallest grain is that of the coarser grid.")
    return numbers, notes


def _shape_rows(a: Sample, b: Sample, grains: Grains, draws: int, seed: int) -> list[Row]:
    unit = grains.units()["diameter"]
    what = "circle of a section" if a.axes == 2 else "sphere"
    rows = []
    dealt = shuffles(a.block, b.block, draws, seed)
    for name, measure, x, y, distance in (
        ("grain size", f"mean diameter of the {what}, {unit}", a.diameter, b.diameter,
         f"Wasserstein distance, {unit}"),
        ("aspect ratio", "mean", a.aspect_ratio, b.aspect_ratio, "Wasserstein distance"),
    ):  # fmt: skip
        apart, p = wasserstein(x, y, dealt)
        ratio = interval(x, y, a.block, b.block, draws=draws, seed=seed)
        rows.append(Row(name, measure, float(x.mean()), float(y.mean()), ratio, distance, apart, p))
    apart, p = tensors(a.elongation, b.elongation, dealt)
    ours, theirs = (float(np.linalg.norm(s.elongation.mean(axis=0))) for s in (a, b))
    rows.append(
        Row("elongation", "common direction of long axes, 0 = none", ours, theirs, None,
            "distance of the mean tensors", apart, p)
    )  # fmt: skip
    return rows


def _boundary_row(a: Sample, b: Sample, dealt: NDArray[np.bool_]) -> Row:
    apart, p = histograms(a.boundaries, b.boundaries, dealt, BIN)
    angles = BIN * (np.arange(a.boundaries.shape[1]) + 0.5)
    means = []
    for one in (a, b):
        total = one.boundaries.sum(axis=0)
        means.append(float(np.average(angles, weights=total)) if total.any() else None)
    return Row(
        "boundary misorientation", "mean over the boundary, °", means[0], means[1], None,
        "Wasserstein distance, °", apart, p,
    )  # fmt: skip


def _texture_rows(
    a: Sample,
    b: Sample,
    odf_a: Odf,
    odf_b: Odf,
    phase: Any,
    poles: Sequence[str] | None,
    dealt: NDArray[np.bool_],
) -> list[Row]:
    p = textures(
        (a.means, a.weights), (b.means, b.weights), dealt, phase.point_group, odf_a.halfwidth
    )
    distance, relative = odf_distance(odf_a, odf_b)
    said = f"halfwidth {odf_a.halfwidth:g}°"
    indices = (odf_a.texture_index, odf_b.texture_index)
    rows = [
        Row("texture", f"texture index, {said}", *indices, None,
            "L2 distance of the ODFs, mrd", distance, p),
        Row("ODF", "", None, None, None, "L2 distance over the root of the texture indices",
            relative),
    ]  # fmt: skip
    chosen = poles if poles is not None else default_poles(phase)
    for name, difference in pole_figure_difference(odf_a, odf_b, chosen).items():
        rows.append(
            Row(f"pole figure {name}", "", None, None, None, "mean difference, mrd",
                difference.mean)
        )  # fmt: skip
    return rows
