"""What do the grains say in one paragraph? Number, mean diameters, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_orient.analysis.grains.grains import Grains


def statistics(grains: Grains) -> str:
    """Return the number of grains and their mean diameters, and below it what was left out."""
    return "\n".join([numbers(grains), *grains.notes])


def numbers(grains: Grains) -> str:
    """Return "302 grains, 229 counted. Mean diameter 8.1 µm; weighted by area 18.4 µm."."""
    facts, unit = grains.summary(), grains.units()["diameter"]
    count, counted = facts["n_grains"], facts["n_counted"]
    said = f"{_grouped(count)} {'grain' if count == 1 else 'grains'}"
    if counted < count:
        said += f", {_grouped(counted)} counted"
    mean = facts["mean_diameter"]
    if mean is None:
        return f"{said}."
    weighted = facts[f"{grains.size_column}_weighted_diameter"]
    return (
        f"{said}. Mean diameter {length(mean, unit)}; weighted by {grains.size_column} "
        f"{length(weighted, unit)}."
    )


def length(value: float, unit: str) -> str:
    """Return a length with three digits."""
    return f"{value:#.3g}".rstrip(".") + f" {unit}"


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")
