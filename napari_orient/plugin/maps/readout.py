"""Which crystal is under the mouse? One line for napari's status bar, several for the dock.

napari computes the status of the selected layer in a thread and sets ``viewer.status`` when it is
done. We listen to that event, after napari's own listeners, and answer with a line of our own where
the mouse is over a map. Nothing is replaced in napari, and a status that another tool sets stays.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_orient.diffraction.matching.match import BEAM, CRYSTAL
from napari_orient.plugin.layers import index_at, kind_of

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.data.maps import OrientationMap

INDEXED = {"Q", "R", "ambiguous", "share", "beam margin", "crystal margin"}  # by Index
UNITS = {"um": "µm", "px": "px", "nm": "nm"}


@dataclass(frozen=True)
class Place:
    """A point of a map: the layer that shows the map, and the point's index (y, x)."""

    layer: Layer
    orientations: OrientationMap
    index: tuple[int, ...]


def install(viewer: Any) -> None:
    """Let the status bar of ``viewer`` tell the orientation under the mouse; call it once."""
    viewer.events.status.connect(_Teller(viewer), position="last")


def locate(viewer: Any) -> Place | None:
    """Return the point of the topmost visible map under the mouse, or None.

    The selected layer counts first, whatever lies on top of it.
    """
    active = viewer.layers.selection.active
    layers = [active] if active is not None else []
    for layer in (*layers, *reversed(viewer.layers)):
        orientations = layer.metadata.get("map")
        if orientations is None or not layer.visible or layer.opacity == 0:
            continue
        index = index_at(viewer, layer, viewer.cursor.position)[-len(orientations.shape) :]
        if all(0 <= i < n for i, n in zip(index, orientations.shape, strict=True)):
            return Place(layer, orientations, index)
    return None


def position_words(place: Place) -> str:
    """Return "x 1.50 µm, y 3.00 µm (col 5, row 10)"."""
    m = place.orientations
    unit = UNITS.get(m.unit, m.unit)
    names = {"x": "col", "y": "row", "z": "slice"}
    at = [
        (a, f"{i * s:.{_decimals(s)}f}", i)
        for a, i, s in zip(m.axes, place.index, m.step, strict=True)
    ][::-1]
    lengths = ", ".join(f"{axis} {length} {unit}" for axis, length, _ in at)
    return f"{lengths} ({', '.join(f'{names[axis]} {i}' for axis, _, i in at)})"


def _decimals(step: float) -> int:
    """Decimals with which neighbouring points differ by about ten units in the last place."""
    return max(0, 1 - math.floor(math.log10(step)))


def facts_at(place: Place) -> list[str]:
    """Return what is known about a point, part by part: place, phase, angles, indices, numbers."""
    facts = place.orientations.describe(*place.index)
    said = [position_words(place), facts["phase"]]
    if "euler" in facts:
        first, tilt, second = facts["euler"]
        said.append(f"φ1 Φ φ2 {first:.1f}° {tilt:.1f}° {second:.1f}°")
        off = facts["off"]
        said.append(f"{facts['orientation']} ({off[0]:.0f}°, {off[1]:.0f}° off)")
    numbers = number_words(facts["properties"])
    if numbers:
        said.append("  ".join(numbers))
    return said


def number_words(properties: dict[str, Any]) -> list[str]:
    """Return the numbers of a point in words; of those of Index what matters most comes first."""
    if not set(properties) >= INDEXED:
        return [f"{name} {_short(value)}" for name, value in properties.items()]
    known = {n: v for n, v in properties.items() if v == v}  # NaN: it was not looked for
    said = [f"{name} {known[name]:.1f}" for name in ("Q", "R") if name in known]
    which = int(known["ambiguous"])
    unsure = [word for bit, word in ((BEAM, "beam"), (CRYSTAL, "crystal")) if which & bit]
    said += [f"ambiguous: {', '.join(unsure)}"] if unsure else []
    if known["share"] < 100:  # else no second crystal was found
        said.append(f"share {known['share']:.0f}")
    margins = {word: known.get(f"{word} margin", 100) for word in ("beam", "crystal")}
    told = [f"{word} {value:.1f}" for word, value in margins.items() if -1e3 < value < 100]
    said += [f"margin {', '.join(told)}"] if told else []  # 100: there is no rival
    return said + [f"{n} {_short(v)}" for n, v in known.items() if n not in INDEXED]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _value_of(layer: Layer | None, status: Any) -> str:
    """Return name and value of a selected layer that is not a map's: napari found it out."""
    if layer is None or not isinstance(status, dict) or kind_of(layer) in ("ipf", "property"):
        return ""
    value = str(status.get("value", ""))
    return f"{layer.name}: {value}" if value else ""


class _Teller:
    """Answers each status of napari's with ours, where the mouse is over a map."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._told = ""

    def __call__(self, event: Any) -> None:
        viewer, status = self._viewer(), event.value
        if viewer is None or status == self._told or not _is_naparis(status, viewer):
            return
        place = locate(viewer)
        if place is None:
            return
        said = [*facts_at(place), _value_of(viewer.layers.selection.active, status)]
        # napari's label is a little too narrow for what is not ASCII: blanks are cut off instead
        self._told = "  ·  ".join(part for part in said if part) + 6 * "\u2003"
        viewer.status = self._told


def _is_naparis(status: Any, viewer: Any) -> bool:
    """Say whether a status tells a position: words of other tools are left alone."""
    if isinstance(status, dict):
        return True
    text = str(status)
    nothing_selected = text == "Ready" and bool(viewer.mouse_over_canvas)
    return nothing_selected or text.startswith("[") or " » " in text
