"""How is an ODF printed? As sections at constant phi2, or phi1, in Bunge's angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.texture.captions import COLOURS, about, map_frame
from napari_orient.analysis.texture.page import (
    BAR_ROOM,
    LETTERS,
    MARGIN,
    SMALL,
    draw_bar,
    new_page,
    notes_height,
    paint,
    scale_for,
    write_notes,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_orient.analysis.texture.odf import Odf


@dataclass(frozen=True, eq=False)
class OdfSections:
    """Sections of an ODF at constant phi2 (or phi1), with one colour scale.

    Parameters
    ----------
    odf, of, most, colours, width
        As for pole figures.
    at
        Degrees.
    axis
        "phi2" or "phi1".
    """

    odf: Odf
    at: tuple[float, ...] = (0.0, 45.0, 65.0)
    axis: str = "phi2"
    of: str = "points"
    most: float | None = None
    colours: str = COLOURS
    width: float = 170.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is shown, in which frame and unit."""
        return (
            f"ODF of {about(self.odf, self.of)}",
            f"Texture index {self.odf.texture_index:.3g}; Bunge's Euler angles from the axes of "
            f"the sample, on the map {map_frame(self.odf.axes)}.",
        )

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Bunge's angles (degrees) and mrd."""
        found = self.odf.sections(self.axis, self.at, 5.0)
        at, tilt, across = np.meshgrid(found.at, found.tilt, found.across, indexing="ij")
        first, second = (at, across) if self.axis == "phi1" else (across, at)
        named = {"phi1 (deg)": first, "Phi (deg)": tilt, "phi2 (deg)": second, "mrd": found.mrd}
        return {name: a.ravel() for name, a in named.items()}

    def draw(self) -> Figure:
        """Return the figure, for print."""
        found = self.odf.sections(self.axis, self.at, 1.0)
        scale = scale_for([found.mrd], self.most, self.colours)
        across, tilt = float(found.across[-1]), float(found.tilt[-1])
        each = 1 if across > 180 else min(3, len(self.at))
        room = (self.width - 2 * MARGIN - BAR_ROOM) / each
        degree = min((room - 14) / across, 60 / tilt)  # mm
        wide, high = across * degree, tilt * degree
        rows = -(-len(self.at) // each)
        page = MARGIN + rows * (high + 17) + 2
        figure, axes = new_page(self.width, page + notes_height(self.notes, self.width))
        names = ("φ1", "φ2") if self.axis == "phi2" else ("φ2", "φ1")
        for number, value in enumerate(found.at):
            left = MARGIN + number % each * room + 12
            top = MARGIN + number // each * (high + 17) + 6
            mrd = found.mrd[number]
            paint(axes, scale, mrd, np.ones(mrd.shape), (left, top, wide, high))
            _angle_axes(axes, (left, top, degree), (across, tilt), names[0])
            words = f"{names[1]} = {value:g}°"
            axes.text(left, top - 1.5, words, fontsize=LETTERS, ha="left", va="bottom")
        draw_bar(axes, scale, MARGIN + each * room + 2, MARGIN + 6, max(25.0, high))
        write_notes(axes, self.notes, page, self.width)
        return figure


def _angle_axes(
    axes: Any, place: tuple[float, float, float], ends: tuple[float, float], name: str
) -> None:
    """Frame a section: ticks every 5 degrees where there is room, numbers every 30."""
    left, top, degree = place
    right, bottom = left + ends[0] * degree, top + ends[1] * degree
    line = {"color": "black", "linewidth": 0.6}
    axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], **line)
    small = 5 if 5 * degree > 1.5 else 10
    for value in np.arange(0, ends[0] + 0.1, small):
        x, long = left + value * degree, 1.4 if value % 30 == 0 else 0.7
        axes.plot([x, x], [bottom, bottom + long], **line)
        if value % 30 == 0:
            axes.text(x, bottom + 1.8, f"{value:g}", fontsize=SMALL, ha="center", va="top")
    for value in np.arange(0, ends[1] + 0.1, small):
        y, long = top + value * degree, 1.4 if value % 30 == 0 else 0.7
        axes.plot([left - long, left], [y, y], **line)
        if value % 30 == 0:
            axes.text(left - 1.8, y, f"{value:g}", fontsize=SMALL, ha="right", va="center")
    axes.text((left + right) / 2, bottom + 5, f"{name} (°)", fontsize=SMALL, ha="center", va="top")
    axes.text(
        left - 8, (top + bottom) / 2, "Φ (°)", fontsize=SMALL, ha="center", va="center", rotation=90
    )
