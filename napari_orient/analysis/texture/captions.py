"""What is said beside a texture figure? Of what it is, in which frame, its extremes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.texture.page import SMALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.texture.axes import SampleAxes
    from napari_orient.analysis.texture.odf import Odf

COLOURS = "YlGnBu"


def about(odf: Odf, of: str) -> str:
    """Say what an ODF is made of: phase, number of points or grains, halfwidth, symmetry."""
    name = odf.phase.name if odf.phase is not None and odf.phase.name else str(odf.group)
    of = of.removesuffix("s") if odf.count == 1 else of
    words = f"{name}, {odf.count} {of}, halfwidth {odf.halfwidth:g}°"
    if odf.sample_symmetry != "none":
        words += f", {odf.sample_symmetry} symmetry about {', '.join(odf.axes.names)}"
    return f"{words}; multiples of a random distribution (mrd), dashed line: 1 mrd" + (
        f"; {odf.note}." if odf.note else "."
    )


def page_frame(axes: SampleAxes) -> str:
    """Say how the axes of the sample lie in a pole figure."""
    if axes.plain and axes.names == ("X", "Y", "Z"):
        return "x to the right and y down, as on the map."
    named = ", ".join(
        f"{name} along {_components(vector)}"
        for name, vector in zip(axes.names, axes.matrix, strict=True)
    )
    return f"x to the right and y down, as on the map; {named} of the map."


def _components(vector: NDArray[np.float64]) -> str:
    for sign, name in ((1, ""), (-1, "−")):
        for number, axis in enumerate("xyz"):
            if np.isclose(sign * vector[number], 1):
                return name + axis
    return "(" + ", ".join(f"{v:.3g}" for v in vector) + ")"


def write_extremes(axes: Any, values: NDArray[np.float64], middle: float, y: float) -> None:
    """Write the largest and the smallest density below a figure, centred at (middle, y)."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    words = f"max {high:.3g}, min {max(low, 0):.2f}"  # below zero by rounding only
    axes.text(middle, y, words, fontsize=SMALL, ha="center", va="center")


def map_frame(axes: SampleAxes) -> str:
    """Say how the axes of the sample lie on the map."""
    pairs = zip(axes.names, axes.matrix, strict=True)
    places = {"x": "right", "y": "down", "z": "into the page"}
    places |= {"−x": "left", "−y": "up", "−z": "out of the page"}
    words = ((name, _components(vector)) for name, vector in pairs)
    return ", ".join(f"{name} is {places.get(there, there)}" for name, there in words)
