"""Which errors can be shown? Their names, units and definitions, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.plugin.layers import KEY, map_grid, record
from napari_orient.plugin.maps.layers import name_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_orient.analysis.errors import Comparison

KIND = "error"
_ANGLES = ("φ1", "Φ", "φ2")
_RAW = "as stored: no symmetry, no period of 360 degrees"
_NEAREST = "of that symmetrical equivalent of the map's orientation nearest to the reference"


@dataclass(frozen=True)
class ErrorField:
    """One error of each point.

    Attributes
    ----------
    name
        As the list has it.
    source
        Name of the array of a :class:`Comparison`, and the component of it.
    unit
        Written beside numbers.
    definition
        One sentence.
    highest
        Upper limit of the colours at first.
    """

    name: str
    source: str
    definition: str
    unit: str = "°"
    highest: float = 10.0
    component: int | None = None

    def values(self, comparison: Comparison) -> NDArray[np.float64]:
        """Return the errors (y, x); NaN where the points cannot be compared."""
        if self.source == "phase_differs":
            known = comparison.valid | comparison.phase_differs
            return np.where(known, comparison.phase_differs.astype(np.float64), np.nan)
        found: NDArray[np.float64] = getattr(comparison, self.source)
        return found if self.component is None else found[..., self.component]

    def at(self, comparison: Comparison, index: tuple[int, ...]) -> float:
        """Return the error of one point."""
        if self.source == "phase_differs":
            return float(comparison.phase_differs[index])
        last = () if self.component is None else (self.component,)
        return float(getattr(comparison, self.source)[(*index, *last)])


FIELDS = {
    field.name: field
    for field in (
        ErrorField("Misorientation", "angle", "smallest rotation over the symmetry of the crystal"),
        ErrorField(
            "Misorientation modulo beam",
            "angle_modulo_beam",
            "the same, where a crystal and the one turned by 180 degrees about the beam are one",
        ),
        ErrorField("Tilt", "tilt", "angle between the two zone axes along the beam"),
        ErrorField(
            "In plane",
            "in_plane",
            "rotation about the beam that remains, not modulo the beam",
        ),
        *(
            ErrorField(f"|Δ{angle}| {kind}", f"euler_{kind}", said, "°", highest, number)
            for kind, said, highest in (("raw", _RAW, 180.0), ("nearest", _NEAREST, 10.0))
            for number, angle in enumerate(_ANGLES)
        ),
        ErrorField(
            "Normalised MAE",
            "mae",
            "mean over the three raw Euler errors, each divided by the range of its angle",
            "",
            0.5,
        ),
        ErrorField(
            "Phases differ", "phase_differs", "1 where the maps have different crystals", "", 1.0
        ),
    )
}


def picture(
    comparison: Comparison, field: ErrorField, mask: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Return what the layer shows (y, x): NaN, which is transparent, where masked or unknown."""
    values = field.values(comparison)
    shown = values if mask is None else np.where(mask, values, np.nan)
    return shown.astype(np.float32)


def error_layer(viewer: Any) -> Layer | None:
    """Return the layer that shows an error, or None."""
    for layer in reversed(viewer.layers):
        if layer.metadata.get(KEY, {}).get("kind") == KIND:
            return layer
    return None


def show_error(
    viewer: Any, comparison: Comparison, field: ErrorField, image: NDArray[np.float32], chosen: Any
) -> Layer:
    """Show an error as the layer of this dock, which says what it is; the user may rename it.

    ``chosen`` are the words for the points that were left out.
    """
    names = [name_of(viewer, one) for one in (comparison.reference, comparison.other)]
    config = {
        "field": field.name, "unit": field.unit or "1", "definition": field.definition,
        "reference": names[0], "map": names[1], "left out": chosen,
        "reference_source": comparison.reference.source, "notes": list(comparison.notes),
    }  # fmt: skip
    note = record(KIND, config=config, source=comparison.other.source)
    unit = f" ({field.unit})" if field.unit else ""
    note[KEY]["named"] = name = f"{field.name}{unit}: {names[1]} against {names[0]}"
    layer = error_layer(viewer)
    if layer is not None and layer.metadata["map"] is not comparison.other:
        viewer.layers.remove(layer)  # it lies on another grid, maybe
        layer = None
    if layer is None:
        return _add_layer(viewer, name, comparison, field, image, note)
    before = layer.metadata[KEY]
    layer.metadata[KEY] = note[KEY]
    if layer.name == before["named"] != name:  # not a name that the user has given
        layer.name = name
    # in place: a new array would make napari measure all layers anew, at each step of a slider
    layer.data[...] = image
    layer.refresh(extent=False, highlight=False)
    if before["config"]["field"] != field.name:
        layer.contrast_limits_range = _range(field)
        layer.contrast_limits = (0.0, field.highest)
    return layer


def _add_layer(
    viewer: Any,
    name: str,
    comparison: Comparison,
    field: ErrorField,
    image: NDArray[np.float32],
    note: dict[str, Any],
) -> Layer:
    layer = viewer.add_image(
        image.copy(),
        name=name,
        metadata={"map": comparison.other, **note},
        colormap="plasma",  # no error is blue: unlike black, which is a point left out
        contrast_limits=(0.0, field.highest),
        interpolation2d="nearest",
        **map_grid(comparison.other),
    )
    layer.contrast_limits_range = _range(field)
    layer.contrast_limits = (0.0, field.highest)
    layer.colorbar.visible = True
    return layer


def _range(field: ErrorField) -> tuple[float, float]:
    """Return how far the limits of the colours can be moved: raw angles differ by up to 360."""
    return 0.0, 360.0 if field.unit else 1.0
