"""What do the two maps say about one point? Orientations, errors, and the alternatives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.crystal.rotations import (
    beam_operator,
    misorientation,
    misorientation_angle,
    multiply,
    nearest_equivalent,
)
from napari_orient.data.indices import name_direction
from napari_orient.data.maps import is_hexagonal
from napari_orient.plugin.compare.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.analysis.errors import Comparison
    from napari_orient.data.maps import OrientationMap

Index = tuple[int, ...]
COLOURS = {"reference": "#40e0ff", "other": "#ffa94d", "candidate": "#8ce99a"}
SETTINGS = ("thickness_nm", "precession_deg", "voltage_kv", "pixel_size")  # that move spots
RELATED = 1.0  # degrees within which a candidate is taken for the reference, or its half turn


@dataclass(frozen=True, eq=False)
class Crystal:
    """A crystal to be drawn: its name, the colour of its spots, phase and orientation (4,).

    ``settings`` are those its map was indexed with, by :func:`settings_of`.
    """

    name: str
    colour: str
    phase: Phase
    quaternion: NDArray[np.float64]
    settings: Mapping[str, float] = field(default_factory=dict)


class Alternative(NamedTuple):
    """A candidate of one point.

    Attributes
    ----------
    rank
        1 is the best.
    score
        As the search gave it.
    angle, angle_modulo_beam
        Degrees to the reference; NaN where that is another crystal, or not indexed.
    relation
        How it is related to the reference, in words; "" if in no special way.
    crystal
        To be drawn.
    """

    rank: int
    score: float
    angle: float
    angle_modulo_beam: float
    relation: str
    crystal: Crystal


def crystal_at(
    orientations: OrientationMap, index: Index, name: str, colour: str
) -> Crystal | None:
    """Return the crystal that a map has at a point, or None where it is not indexed."""
    if not orientations.indexed[index]:
        return None
    phase = orientations.phases[int(orientations.phase_id[index])]
    settings = settings_of(orientations)
    return Crystal(name, colour, phase, orientations.quaternions[index], settings)


def settings_of(orientations: OrientationMap) -> dict[str, float]:
    """Return the settings of :data:`SETTINGS` that a map was indexed with; {} if it does not say.

    Maps of other programs may have anything in their place.
    """
    said = orientations.provenance.get("config")
    if not isinstance(said, dict):
        return {}
    found = {name: said.get(name) for name in SETTINGS}
    return {name: float(v) for name, v in found.items() if isinstance(v, (int, float)) and v >= 0}


def crystals_at(comparison: Comparison, index: Index) -> dict[str, Crystal]:
    """Return what the two maps have at a point, by "reference" and "other"."""
    found = {
        "reference": crystal_at(comparison.reference, index, "reference", COLOURS["reference"]),
        "other": crystal_at(comparison.other, index, "map", COLOURS["other"]),
    }
    return {name: crystal for name, crystal in found.items() if crystal is not None}


def side_by_side(comparison: Comparison, index: Index) -> tuple[list[Crystal], str]:
    """Return the crystals of a point to be drawn, and the rotation between them in words.

    The second is shown as that equivalent which is nearest to the first: equal crystals then look
    equal.
    """
    found = crystals_at(comparison, index)
    if len(found) < 2 or not comparison.valid[index]:
        return list(found.values()), ""
    first, second = found["reference"], found["other"]
    return [first, alike(second, first)], rotation_words(first, second)


def alike(crystal: Crystal, reference: Crystal) -> Crystal:
    """Return a crystal as that equivalent which is nearest to the reference."""
    group = reference.phase.point_group
    nearest = nearest_equivalent(crystal.quaternion, reference.quaternion, group)
    return replace(crystal, quaternion=nearest)


def rotation_words(first: Crystal, second: Crystal) -> str:
    """Return the smallest rotation between two crystals as "12.3° about [0 0 1]"."""
    phase = first.phase
    found = misorientation(first.quaternion, second.quaternion, phase.point_group)
    angle = float(found.angle)
    if angle < 0.01:
        return f"{angle:.2f}°"
    axis, off = name_direction(phase, np.asarray(found.axis), four=is_hexagonal(phase))
    return f"{angle:.2f}° about {axis}" + (f" ({off:.0f}° off)" if off >= 1 else "")


def alternatives(comparison: Comparison, index: Index) -> list[Alternative]:
    """Return the candidates of the compared map at a point, the best first; none if it has none."""
    candidates = comparison.other.candidates
    if candidates is None:
        return []
    reference = crystals_at(comparison, index).get("reference")
    same, settings = _same_crystals(comparison), settings_of(comparison.other)
    found = []
    for rank in range(candidates.count):
        number = int(candidates.phase_id[(*index, rank)])
        if number < 0:
            continue
        quaternion = np.asarray(candidates.quaternions[(*index, rank)], np.float64)
        phase = comparison.other.phases[number]
        name = f"candidate {rank + 1}"
        crystal = Crystal(name, COLOURS["candidate"], phase, quaternion, settings)
        angles, words = (np.nan, np.nan), "another crystal"
        if reference is None:
            words = ""
        elif same.get(number) == int(comparison.reference.phase_id[index]):
            angles, words = _relation(reference, crystal)
        score = float(candidates.score[(*index, rank)])
        found.append(Alternative(rank + 1, score, *angles, words, crystal))
    return found


def _same_crystals(comparison: Comparison) -> dict[int, int]:
    """Return number in the other map -> number in the reference, of phases that are one crystal."""
    from napari_orient.analysis.common_phases import common_phases

    pairs = common_phases(comparison.reference, comparison.other).numbers
    return {theirs: mine for mine, theirs in pairs.items()}


def _relation(reference: Crystal, crystal: Crystal) -> tuple[tuple[float, float], str]:
    """Return the angles to the reference, strict and modulo the beam, and what they mean."""
    group = reference.phase.point_group
    q, truth = crystal.quaternion, reference.quaternion
    strict = float(misorientation_angle(truth, q, group))
    turned = float(misorientation_angle(truth, multiply(q, beam_operator()), group))
    words = ""
    if strict < RELATED:
        words = "the reference"
    elif turned < RELATED:
        words = "half a turn about the beam"
    return (strict, min(strict, turned)), words


def table_at(comparison: Comparison, index: Index, names: tuple[str, str]) -> str:
    """Return what both maps say about a point as a table in Qt's rich text."""
    rows = [["", *names]]
    facts = [m.describe(*index) for m in (comparison.reference, comparison.other)]
    rows.append(["phase", *(f["phase"] for f in facts)])
    rows.append(["φ1 Φ φ2", *(_euler(f) for f in facts)])
    rows.append(["(hkl)[uvw]", *(str(f.get("orientation", "–")) for f in facts)])
    for name in dict.fromkeys((*facts[0]["properties"], *facts[1]["properties"])):
        rows.append([name, *(_number(f["properties"].get(name)) for f in facts)])
    return _html(rows, (COLOURS["reference"], COLOURS["other"]))


def errors_at(comparison: Comparison, index: Index) -> str:
    """Return all errors of a point in a few lines."""
    if comparison.phase_differs[index]:
        return "The maps have different crystals here."
    if not comparison.valid[index]:
        return "Not comparable: at least one map is not indexed here."

    def number(name: str) -> float:
        return FIELDS[name].at(comparison, index)

    distance = comparison.boundary_distance[index]
    away = f"{distance:.1f} px" if np.isfinite(distance) else "no boundary"
    angles = [["", "φ1", "Φ", "φ2"]]
    for kind in ("raw", "nearest"):
        errors = getattr(comparison, f"euler_{kind}")[index]
        angles.append([f"error, {kind}", *(f"{error:.2f}°" for error in errors)])
    return (
        f"Misorientation <b>{number('Misorientation'):.2f}°</b>, modulo beam "
        f"<b>{number('Misorientation modulo beam'):.2f}°</b>; tilt {number('Tilt'):.2f}°, "
        f"in plane {number('In plane'):.2f}°<br>"
        f"normalised MAE {number('Normalised MAE'):.4f}; grain boundary: {away}"
        f"{_html(angles, ())}"
    )


def short_errors(comparison: Comparison, index: Index) -> str:
    """Return the errors of a point for the status bar."""
    if not comparison.valid[index]:
        return "phases differ" if comparison.phase_differs[index] else "not comparable"
    return (
        f"Δ {comparison.angle[index]:.2f}° (modulo beam {comparison.angle_modulo_beam[index]:.2f}°)"
    )


def _euler(facts: dict[str, object]) -> str:
    angles = facts.get("euler")
    if not isinstance(angles, tuple):
        return "–"
    return "  ".join(f"{angle:.1f}°" for angle in angles)


def _number(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _html(rows: list[list[str]], colours: tuple[str, ...]) -> str:
    """Return a table; columns after the first have these colours in their heads."""
    shades = (*("", *colours), *("" for _ in rows[0]))
    heads = [
        f'<b style="color:{shade}">{escape(cell)}</b>' if shade else escape(cell)
        for cell, shade in zip(rows[0], shades, strict=False)
    ]
    lines = [heads, *([escape(cell) for cell in row] for row in rows[1:])]
    cells = ("".join(f'<td style="padding-right:10px">{cell}</td>' for cell in x) for x in lines)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in cells)}</table>"
