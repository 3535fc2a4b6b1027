"""How are the sizes, shapes and boundaries of grains distributed? In numbers, with what they mean.

Sizes and shapes are of the grains that count (``Grains.counted``: not those that the edge of the
map cuts). Boundaries are all those between two grains, for their length inside of the map is
whole even where the grains are not. Each result says so in its caption.

A section through grains shows smaller circles than the grains are spheres (Saltykov, Stereology,
1967): sizes in maps and in volumes have different names, and are never compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.analysis.boundary_map import BoundaryMap
    from napari_orient.analysis.grains.grains import Grains

CIRCLE = "equivalent circle diameter of a section"
SPHERE = "equivalent sphere diameter"
PAIRS = 100_000  # of points drawn for misorientations without a relation
_SEED = 20  # the same map gives the same numbers


@dataclass(frozen=True, eq=False)
class Distribution:
    """A distribution in numbers: what a plot, a file and the window show alike.

    Attributes
    ----------
    kind
        What it is: "size", "property", "misorientation", "classes", "phases" or "traces".
    measure
        What was measured, in words; only equal measures can be compared.
    unit
        Of what was measured: "µm", "°" or "".
    columns
        Name -> (n,) numbers or words. ``edges`` of bins are one more than the rest.
    facts
        Name -> number: "n", "mean", "median" ...
    caption
        How it was counted, in sentences.
    log
        The bins are even on a logarithmic axis.
    """

    kind: str
    measure: str
    unit: str
    columns: dict[str, NDArray[Any]]
    facts: dict[str, float] = field(default_factory=dict)
    caption: str = ""
    log: bool = False


def check_comparable(first: Distribution, *others: Distribution) -> None:
    """Refuse to lay distributions of different things over each other.

    Raises
    ------
    ValueError
        If they measure different things, as diameters of a section and of a volume, or in
        different units.
    """
    for other in others:
        if (first.kind, first.measure) != (other.kind, other.measure):
            reason = ""
            if {first.measure, other.measure} == {CIRCLE, SPHERE}:
                reason = ": a section cuts most grains beside their middle; compare sections"
            raise ValueError(f"“{first.measure}” and “{other.measure}” cannot be compared{reason}")
        if first.unit != other.unit:
            raise ValueError(f"{first.measure}: in {first.unit} and in {other.unit}; use one unit")


# --- grains --------------------------------------------------------------------------------------


def size_distribution(
    grains: Grains,
    *,
    bins: Literal["linear", "log"] | ArrayLike = "linear",
    phase: int | None = None,
) -> Distribution:
    """Count grains by their equivalent diameter.

    Parameters
    ----------
    grains
        Of a map or a volume.
    bins
        "linear", "log", or edges (n + 1,) in the unit of the map, so that several maps have the
        same.
    phase
        Number of the phase whose grains are counted; all of them if not given.

    Returns
    -------
    distribution
        Columns "edges", "number" (grains in each bin), "number share", "area share" or "volume
        share"; facts n, mean, median, "area-weighted mean" (or volume), standard deviation, and mu
        and sigma of the lognormal distribution with the highest likelihood (of the logarithm of the
        diameter in the unit).
    """
    keep, whose = _those(grains, phase)
    diameter = np.asarray(grains.table["diameter"], np.float64)[keep]
    size = np.asarray(grains.table[grains.size_column], np.float64)[keep]
    edges, log = _edges(diameter, bins)
    weight = f"{grains.size_column}-weighted mean"
    facts = {"n": float(len(diameter)), **_moments(diameter)}
    facts[weight] = float(np.average(diameter, weights=size)) if len(size) else np.nan
    facts |= {"lognormal mu": np.nan, "lognormal sigma": np.nan}
    if len(diameter) > 1:
        logarithm = np.log(diameter)
        facts |= {
            "lognormal mu": float(logarithm.mean()),
            "lognormal sigma": float(logarithm.std()),
        }
    columns = {
        "edges": edges,
        "number": _count(diameter, edges),
        "number share": _share(diameter, edges),
        f"{grains.size_column} share": _share(diameter, edges, size),
    }
    measure = CIRCLE if grains.dimensions == 2 else SPHERE
    return Distribution(
        "size", measure, _unit(grains), columns, facts, f"{_caption(grains, keep)}{whose}", log
    )


def property_distribution(
    grains: Grains,
    column: str = "aspect_ratio",
    *,
    bins: Literal["linear", "log"] | ArrayLike = "linear",
    phase: int | None = None,
) -> Distribution:
    """Count grains by a column of their table: "aspect_ratio", "gos", "neighbours" ...

    Returns
    -------
    distribution
        Columns "edges", "number", "number share", "area share" or "volume share"; facts n, mean,
        median, standard deviation and "area-weighted mean" (or volume).

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if column not in grains.table:
        raise ValueError(f"grains have no {column!r}; they have {', '.join(grains.table)}")
    keep, whose = _those(grains, phase)
    values = np.asarray(grains.table[column], np.float64)
    keep = keep & np.isfinite(values)
    values, size = values[keep], np.asarray(grains.table[grains.size_column], np.float64)[keep]
    edges, log = _edges(values, bins)
    columns = {
        "edges": edges,
        "number": _count(values, edges),
        "number share": _share(values, edges),
        f"{grains.size_column} share": _share(values, edges, size),
    }
    words = column.replace("_", " ")
    what = "section" if grains.dimensions == 2 else "volume"
    facts = {"n": float(len(values)), **_moments(values)}
    weight = f"{grains.size_column}-weighted mean"
    facts[weight] = float(np.average(values, weights=size)) if len(size) else np.nan
    return Distribution(
        "property", f"{words} in a {what}", grains.units().get(column, ""), columns, facts,
        f"{_caption(grains, keep)}{whose}", log,
    )  # fmt: skip


def _those(grains: Grains, phase: int | None) -> tuple[NDArray[np.bool_], str]:
    """Return which grains count, and the phase in words."""
    if phase is None:
        return grains.counted, ""
    if phase not in grains.orientations.phases:
        raise ValueError(f"there is no phase {phase} in the map")
    name = grains.orientations.phases[phase].name or f"phase {phase}"
    return grains.counted & (grains.table["phase"] == phase), f" Phase: {name}."


def _unit(grains: Grains) -> str:
    return grains.orientations.unit.replace("um", "µm")


def _caption(grains: Grains, keep: NDArray[np.bool_]) -> str:
    config = grains.config
    edge = int(np.sum(grains.table["edge"] & ~grains.counted))
    words = f"{int(keep.sum())} of {len(grains)} grains"
    if edge:
        words += f"; {edge} that touch the edge of the {_field(grains)} are not counted"
    words += f". Grains: {config.threshold:g}° and {config.smallest} points or more"
    if config.merge_twins:
        words += f", twins ({', '.join(config.merge_twins)}) merged"
    return words + "."


def _field(grains: Grains) -> str:
    return "map" if grains.dimensions == 2 else "volume"


def _moments(values: NDArray[np.float64]) -> dict[str, float]:
    if not len(values):
        return dict.fromkeys(("mean", "median", "standard deviation"), np.nan)
    return {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "standard deviation": float(values.std(ddof=1)) if len(values) > 1 else np.nan,
    }


def _edges(values: NDArray[np.float64], bins: Any) -> tuple[NDArray[np.float64], bool]:
    """Edges of bins, and whether they are even on a logarithmic axis."""
    if not isinstance(bins, str):
        edges = np.asarray(bins, np.float64)
        if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
            raise ValueError("edges of bins: two or more rising numbers expected")
        ratio = edges[1:] / edges[:-1] if edges[0] > 0 else np.zeros(1)
        return edges, len(edges) > 2 and bool(np.allclose(ratio, ratio[0]))
    if bins not in ("linear", "log"):
        raise ValueError(f"bins: linear, log or edges expected, not {bins!r}")
    if not len(values):
        return np.array([0.0, 1.0]), False
    low, high = float(values.min()), float(values.max())
    if bins == "log" and low > 0:
        count = int(np.clip(np.ceil(2 * len(values) ** (1 / 3)), 5, 40))  # Rice's rule
        return np.geomspace(low * (1 - 1e-9), max(high, low * 1.01) * (1 + 1e-9), count + 1), True
    width = _width(values) or 0.1 * abs(high) or 1.0
    start = np.floor(low / width) * width
    number = max(1, int(np.floor((high - start) / width + 1e-9)) + 1)
    return start + width * np.arange(number + 1), False


def _width(values: NDArray[np.float64]) -> float:
    """Width of bins: Freedman and Diaconis, Z. Wahrscheinlichkeitstheorie 57 (1981) 453; 5 to 60.

    By the quartiles, since a few large grains would make the bins of all others wide.
    """
    spread = float(values.max() - values.min())
    if not spread:
        return 0.0
    quartiles = float(np.subtract(*np.percentile(values, [75, 25])))
    width = 2 * quartiles / len(values) ** (1 / 3)
    return _nice(float(np.clip(width, spread / 60, spread / 5)))


def _nice(width: float) -> float:
    """Round a width to 1, 2, 2.5 or 5 times a power of ten, as an axis has it."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(
        power * min((1.0, 2.0, 2.5, 5.0, 10.0), key=lambda n: abs(np.log(width / power / n)))
    )


def _count(values: NDArray[Any], edges: NDArray[Any], weights: Any = None) -> NDArray[Any]:
    return np.asarray(np.histogram(values, edges, weights=weights)[0])


def _share(values: NDArray[Any], edges: NDArray[Any], weights: Any = None) -> NDArray[np.float64]:
    """Return shares of all values; what lies outside of the edges is missing in the sum."""
    total = float(np.sum(weights)) if weights is not None else float(len(values))
    return np.asarray(_count(values, edges, weights) / (total or 1.0))


def phase_fractions(grains: Grains) -> Distribution:
    """Return the share of each phase among the points that are indexed, and among those in grains.

    By Delesse's principle a share of area on a section is one of volume.

    Returns
    -------
    distribution
        Columns "phase" (names), "share", "share in grains".
    """
    orientations = grains.trusted
    names, counts, inside = [], [], []
    for number, phase in orientations.phases.items():
        here = orientations.indexed & (orientations.phase_id == number)
        names.append(phase.name or f"phase {number}")
        counts.append(int(here.sum()))
        inside.append(int((here & (grains.labels > 0)).sum()))
    columns: dict[str, NDArray[Any]] = {
        "phase": np.array(names, dtype=object),
        "share": np.array(counts) / max(sum(counts), 1),
        "share in grains": np.array(inside) / max(sum(inside), 1),
    }
    points = int(np.prod(orientations.shape))
    caption = (
        f"Shares of the {sum(counts)} indexed points of {points} "
        f"({100 * sum(counts) / points:.1f} %), grains at the edge with them."
    )
    return Distribution(
        "phases", "volume fraction", "", columns, {"n": float(sum(counts))}, caption
    )


# --- boundaries ----------------------------------------------------------------------------------


def misorientation_distribution(
    grains: Grains, phase: int | None = None, *, width: float = 2.0
) -> Distribution:
    """Count the boundary by its misorientation, beside what no relation would give.

    Parameters
    ----------
    grains
        Of a map or a volume.
    phase
        Boundaries between grains of this phase; that of most points if not given.
    width
        Degrees of a bin.

    Returns
    -------
    distribution
        Columns "edges" (degrees), "correlated" (share of the boundary length, or area, between
        neighbouring points of two grains), "uncorrelated" (pairs of points from anywhere, of two
        grains) and "random" (of the Laue group, without texture). Facts n (boundary pieces),
        "length" or "area", mean of each.

    Raises
    ------
    ValueError
        If there is no such phase.
    """
    from napari_orient.analysis.mackenzie import random_misorientation

    phases = grains.orientations.phases
    number = _most_points(grains) if phase is None else phase
    if number is None or number not in phases:
        raise ValueError(f"there is no phase {number} in the map")
    random = random_misorientation(phases[number].point_group)
    edges = width * np.arange(int(np.ceil(random.largest / width - 1e-6)) + 1)
    angles, extents = _across(grains, number)
    apart = _anywhere(grains, number)
    columns: dict[str, NDArray[Any]] = {
        "edges": edges,
        "correlated": _share(angles, edges, extents),
        "uncorrelated": _share(apart, edges),
        "random": random.probabilities(edges),
    }
    what = "length" if grains.dimensions == 2 else "area"
    facts = {
        "n": float(len(angles)),
        what: float(extents.sum()),
        "mean, correlated": float(np.average(angles, weights=extents)) if len(angles) else np.nan,
        "mean, uncorrelated": float(apart.mean()) if len(apart) else np.nan,
        "mean, random": random.mean,
    }
    caption = (
        f"{phases[number].name or f'phase {number}'}. Correlated: neighbouring points of two "
        f"grains, weighted by boundary {what}, all boundaries inside of the {_field(grains)} "
        f"({len(angles)} pieces), also of grains at its edge. Uncorrelated: {len(apart)} pairs of "
        f"points of two grains, drawn from anywhere. Random: no texture, {_laue(phases[number])}. "
        f"{_told(grains)}"
    )
    return Distribution("misorientation", "misorientation angle", "°", columns, facts, caption)


def _most_points(grains: Grains) -> int | None:
    phases = grains.orientations.phases
    counts = {n: int(np.sum(grains.trusted.phase_id[grains.labels > 0] == n)) for n in phases}
    return max(counts, key=lambda n: counts[n], default=None)


def _told(grains: Grains) -> str:
    """What the config leaves out of boundaries, in sentences."""
    config = grains.config
    words = f"Grains: {config.threshold:g}° and {config.smallest} points or more."
    if config.merge_twins:
        words += (
            f" Without boundaries of the twins that were merged, {', '.join(config.merge_twins)}."
        )
    if config.modulo_beam:
        words += " Half turns about the beam are not told apart, which random crystals here are."
    return words


def _laue(phase: Any) -> str:
    name = phase.point_group.laue.name
    return f"{name} (Mackenzie)" if name == "m-3m" else f"Laue group {name}"


def _across(grains: Grains, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Misorientations (n,) of neighbouring points of two grains, and the extent of each face."""
    from napari_orient.analysis.boundary_map import point_faces

    orientations = grains.trusted
    q, phase_id = orientations.quaternions.reshape(-1, 4), orientations.phase_id.ravel()
    angles, extents = [np.zeros(0)], [np.zeros(0)]
    for _, face, one, other in point_faces(orientations, grains.labels):
        same = (phase_id[one] == number) & (phase_id[other] == number)
        angles.append(_angles(grains, q[one[same]], q[other[same]], number))
        extents.append(np.full(int(same.sum()), face))
    return np.concatenate(angles), np.concatenate(extents)


def _anywhere(grains: Grains, number: int) -> NDArray[np.float64]:
    """Misorientations (n,) of points drawn at random, of two grains."""
    orientations = grains.trusted
    there = (grains.labels > 0) & orientations.indexed & (orientations.phase_id == number)
    there &= np.isfinite(orientations.quaternions).all(axis=-1)
    places, labels = np.flatnonzero(there), grains.labels.ravel()
    if not len(places):
        return np.zeros(0)
    one, other = np.random.default_rng(_SEED).choice(places, (2, PAIRS))
    apart = labels[one] != labels[other]
    q = orientations.quaternions.reshape(-1, 4)
    return _angles(grains, q[one[apart]], q[other[apart]], number)


def _angles(
    grains: Grains, a: NDArray[np.float64], b: NDArray[np.float64], number: int
) -> NDArray[np.float64]:
    from napari_orient.crystal.rotations import misorientation_angle

    group = grains.orientations.phases[number].point_group
    return np.asarray(misorientation_angle(a, b, group, modulo_beam=grains.config.modulo_beam))


def class_distribution(boundaries: BoundaryMap) -> Distribution:
    """Return the length (area in a volume) of the boundaries of each class.

    Returns
    -------
    distribution
        Columns "class" (names), "length" or "area" (in the map's unit), "share".
    """
    listed = boundaries.listed()
    extents = boundaries.extents()[list(listed)]
    what = "length" if len(boundaries.between) == 2 else "area"
    columns: dict[str, NDArray[Any]] = {
        "class": np.array(list(listed.values()), dtype=object),
        f"{what} ({boundaries.extent_unit})": extents,
        "share": extents / (extents.sum() or 1.0),
    }
    caption = (
        f"Shares of the boundary {what}, counted along the faces of the points; none with points "
        "that are not indexed. Laws by the full misorientation, axis and angle."
    )
    facts = {"n": float(sum(np.count_nonzero(c) for c in boundaries.between)), what: extents.sum()}
    measure = f"share of the boundary {what}"
    return Distribution("classes", measure, "", columns, facts, caption)


def trace_distribution(grains: Grains, *, width: float = 10.0) -> Distribution:
    """Return the directions in which the grain boundaries of a map run.

    Returns
    -------
    distribution
        Columns "angle" (middles of the bins in degrees, from x towards y, down), "share" (of the
        length). Facts n (pieces), length.

    Raises
    ------
    ValueError
        For a volume.
    """
    from napari_orient.analysis.traces import boundary_traces, rose

    traces = boundary_traces(grains.trusted, grains.labels)
    middles, shares = rose(traces, width)
    known = np.isfinite(traces.angle)
    length = float(traces.length.sum())
    missing = 1 - float(traces.length[known].sum()) / (length or 1.0)
    caption = (
        "Directions of the traces of grain boundaries, weighted by length; 0° is to the right (x), "
        f"90° down (y). All boundaries inside of the map; {100 * missing:.1f} % of the length is "
        "too short or too curved to have a direction. Drawn in multiples of an even share."
    )
    facts = {"n": float(known.sum()), "length": length}
    columns: dict[str, NDArray[Any]] = {"angle": middles, "share": shares}
    return Distribution("traces", "trace direction", "°", columns, facts, caption)
