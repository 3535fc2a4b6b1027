"""What is said beside a map: its facts, and where its colours show too little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_orient.crystal.colors import ColourScheme, Resolved, fraction_in_range
from napari_orient.plugin.maps.readout import UNITS

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

FEW, NONE = 0.1, 0.001  # parts of a map that call for words: beside its mean, beside a point of it


def words_for_range(orientations: OrientationMap, scheme: ColourScheme, resolved: Resolved) -> str:
    """Return a warning where narrow colours leave nearly all of the map black."""
    if scheme.key != "narrow":
        return ""
    fraction = fraction_in_range(orientations, scheme, resolved)
    if fraction > (FEW if scheme.reference is None else NONE):
        return ""
    return (
        f"<br>Only {100 * fraction:.2g} % of the points are within {scheme.range_deg:.3g}°: "
        "pick a point of the grain in question, or widen the range."
    )


def words_for_map(facts: dict[str, Any]) -> str:
    """Return the facts of a map in a few lines."""
    shape = " × ".join(str(n) for n in facts["shape"])
    unit = UNITS.get(facts["unit"], facts["unit"])
    steps = [f"{s:.4g}" for s in facts["step"]]
    step = steps[0] if len(set(steps)) == 1 else " × ".join(steps)
    axes = ", ".join(facts["axes"])
    lines = [
        f"{shape} points ({axes}), step {step} {unit}",
        f"{100 * facts['indexed_fraction']:.1f} % indexed",
    ]
    total = max(1, sum(phase["points"] for phase in facts["phases"]))
    if len(facts["phases"]) > 1:
        lines += [
            f"{phase['name'] or 'phase'}: {100 * phase['points'] / total:.1f} %"
            for phase in facts["phases"]
        ]
    return "\n".join(lines)
