"""What do grains and texture of a map come to, in a few numbers? What a report is made of.

Distributions and textures are of one phase each. Textures are of points, so that grains count by
their size; boundaries are those between neighbouring points of grains, also inside of a grain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.boundary_classes import (
    FIRST_LAW,
    HIGH_ANGLE,
    LOW_ANGLE,
    PHASE_BOUNDARY,
    usual_laws,
)
from napari_orient.analysis.boundary_map import boundary_map
from napari_orient.analysis.distributions import misorientation_distribution
from napari_orient.analysis.texture.kernel import Kernel
from napari_orient.analysis.texture.odf import compute_odf
from napari_orient.analysis.texture.orientations import one_phase
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from orix.crystal_map import Phase

    from napari_orient.analysis.boundary_map import BoundaryMap
    from napari_orient.analysis.distributions import Distribution
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.jobs import Job


@dataclass(frozen=True, eq=False)
class Findings:
    """What grains and texture of a map come to.

    Attributes
    ----------
    grains
        The grains, of their map without the points that do not count.
    halfwidth
        Of the textures, in degrees.
    odfs
        Number of a phase that has grains -> its texture; most points first.
    misorientations
        Number of the phase -> misorientations across its boundaries.
    boundaries
        Kinds of the boundaries between and inside of grains.
    notes
        What was left out, in sentences.
    """

    grains: Grains
    halfwidth: float
    odfs: dict[int, Odf]
    misorientations: dict[int, Distribution]
    boundaries: BoundaryMap
    notes: tuple[str, ...] = ()

    def name(self, number: int) -> str:
        """Return the name of a phase."""
        return self.phase(number).name or f"phase {number}"

    def phase(self, number: int) -> Phase:
        """Return a phase."""
        return self.grains.orientations.phases[number]

    def summary(self) -> dict[str, Any]:
        """Return the facts as plain JSON types; those of one phase are of the largest.

        Shares of boundaries are of their length (area); "other high-angle" are those of no law.
        """
        indices = {self.name(n): odf.texture_index for n, odf in self.odfs.items()}
        main = next(iter(self.misorientations.values()), None)
        facts = main.facts if main is not None else {}
        return {
            "texture_index": next(iter(indices.values()), None),
            "texture_indices": indices,
            "halfwidth_deg": self.halfwidth,
            "mean_misorientation_deg": _number(facts.get("mean, correlated")),
            "mean_misorientation_random_deg": _number(facts.get("mean, random")),
            "boundary_shares": self._shares(),
        }

    def _shares(self) -> dict[str, float]:
        extents = self.boundaries.extents()
        words = {LOW_ANGLE: "low-angle", HIGH_ANGLE: "other high-angle"}
        words[PHASE_BOUNDARY] = self.boundaries.names[PHASE_BOUNDARY]
        words |= dict(enumerate(self.boundaries.names[FIRST_LAW:], FIRST_LAW))
        total = float(extents.sum()) or 1.0
        return {name: float(extents[n]) / total for n, name in words.items()}


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def examine(grains: Grains, halfwidth: float = 10.0) -> Job[Findings]:
    """Measure texture and boundaries of a map whose grains are known.

    Parameters
    ----------
    grains
        Of a map or a volume, perhaps none.
    halfwidth
        Of the kernel that smooths textures, in degrees.

    Yields
    ------
    Progress
        In points.

    Raises
    ------
    ValueError
        If the halfwidth is not possible.
    """
    Kernel(halfwidth)  # refuses what is not possible, also where there is no texture
    trusted = grains.trusted
    numbers, notes = _phases(grains)
    odfs, apart = {}, {}
    for number in numbers:
        q, phase = one_phase(trusted, number)
        odfs[number] = yield from compute_odf(q, phase, halfwidth=halfwidth)
        yield Progress(0, 0, "Measuring misorientations")
        found = misorientation_distribution(grains, number)
        if found.facts["n"]:
            apart[number] = found
    laws = {n: usual_laws(trusted.phases[n]) for n in numbers}
    # groups that are too small for a grain are noise, whose boundaries would be most of all
    inside = replace(trusted, phase_id=np.where(grains.labels > 0, trusted.phase_id, -1))
    boundaries = yield from boundary_map(inside, laws, modulo_beam=grains.config.modulo_beam)
    return Findings(grains, halfwidth, odfs, apart, boundaries, notes)


def _phases(grains: Grains) -> tuple[list[int], tuple[str, ...]]:
    """Return the phases that have grains, most points first, and what is said of the others."""
    trusted, none = grains.trusted, np.zeros(0)
    points = np.bincount(grains.table["phase"], grains.table["size"]) if len(grains) else none
    numbers = [int(n) for n in np.argsort(points, kind="stable")[::-1] if points[n]]
    present = np.unique(trusted.phase_id[trusted.indexed]).tolist()
    missing = [trusted.phases[n].name or f"phase {n}" for n in present if n not in numbers]
    return numbers, tuple(
        f"{name} has points but no grain: no texture, no boundaries of its own." for name in missing
    )
