"""How are sizes and boundaries distributed over all views of a side? Views taken together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.distributions import (
    CIRCLE,
    Distribution,
    misorientation_distribution,
)

if TYPE_CHECKING:
    from napari_orient.analysis.validation.samples import Sample
    from napari_orient.reconstruction.representative.sides import Side

_BINS = 24


def size_distributions(a: Sample, b: Sample, unit: str) -> tuple[Distribution, Distribution] | None:
    """Sizes of the whole grains of both sides in the same bins; None where one has none."""
    if not len(a.diameter) or not len(b.diameter):
        return None
    top = float(np.percentile(np.concatenate([a.diameter, b.diameter]), 99.5)) * 1.15
    edges = np.linspace(0, top, _BINS + 1)
    return _sizes(a, edges, unit), _sizes(b, edges, unit)


def _sizes(sample: Sample, edges: np.ndarray, unit: str) -> Distribution:
    diameter = sample.diameter
    area = diameter**2
    number = np.histogram(diameter, edges)[0]
    logarithm = np.log(diameter)
    facts = {
        "n": float(len(diameter)), "mean": float(diameter.mean()),
        "median": float(np.median(diameter)),
        "area-weighted mean": float(np.average(diameter, weights=area)),
        "lognormal mu": float(logarithm.mean()), "lognormal sigma": float(logarithm.std()),
    }  # fmt: skip
    columns = {
        "edges": edges,
        "number": number,
        "number share": number / len(diameter),
        "area share": np.histogram(diameter, edges, weights=area)[0] / area.sum(),
    }
    return Distribution("size", CIRCLE, unit, columns, facts)


def misorientations(side: Side) -> Distribution | None:
    """Misorientations across the boundaries of all views; None where there are none."""
    found = []
    for grains, number in zip(side.grains, side.numbers, strict=True):
        if number in grains.orientations.phases and len(grains):
            one = misorientation_distribution(grains, number)
            if one.facts["n"]:
                found.append(one)
    if not found:
        return None
    weights = np.array([one.facts["length"] for one in found])
    columns = dict(found[0].columns)
    for name in ("correlated", "uncorrelated"):
        columns[name] = np.average([one.columns[name] for one in found], axis=0, weights=weights)
    facts = {
        "n": float(sum(one.facts["n"] for one in found)),
        "mean, random": found[0].facts["mean, random"],
    }
    return Distribution("misorientation", found[0].measure, "°", columns, facts)
