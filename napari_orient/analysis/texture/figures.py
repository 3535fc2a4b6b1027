"""How are textures printed? As pole figures and inverse pole figures, in one colour scale.

A pole figure shows the half sphere towards the viewer of the map (minus z, since z points into the
page), x to the right and y down as on the map: a normal tilted towards the right edge of the map,
out of the page, is in the right half. The axis out of the page is in the centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_orient.analysis.texture.captions import (
    COLOURS,
    about,
    map_frame,
    page_frame,
    write_extremes,
)
from napari_orient.analysis.texture.page import (
    BAR_ROOM,
    MARGIN,
    SMALL,
    draw_bar,
    new_page,
    notes_height,
    paint,
    scale_for,
    words_width,
    write_centred,
    write_notes,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.analysis.texture.poles import SphereDensity

Projection = Literal["equal area", "stereographic"]
_FINE = 360  # pixels across a pole figure
_WIDEST = 46.0  # mm of one pole figure
_WORDS = 11.0  # mm for the corners' words beside a sector
_TITLE, _FOOT, _GAP = 7.0, 9.0, 8.5  # mm above, below and between


@dataclass(frozen=True, eq=False)
class PoleFigures:
    """Pole figures in a row, with one colour scale.

    Parameters
    ----------
    odf
        With a phase, for the indices.
    poles
        "{111}", "{10-10}", "<110>" ...
    of
        What the orientations are: "points" or "grains".
    projection
        "equal area" (Lambert, for densities) or "stereographic".
    most
        mrd of the last colour; their own maximum if not given.
    colours
        A colour map of matplotlib.
    width
        mm of the page.
    """

    odf: Odf
    poles: tuple[str, ...]
    of: str = "points"
    projection: Projection = "equal area"
    most: float | None = None
    colours: str = COLOURS
    width: float = 170.0

    def __post_init__(self) -> None:
        if not self.poles:
            raise ValueError("a pole figure needs at least one plane or direction")

    @cached_property
    def densities(self) -> tuple[SphereDensity, ...]:
        """The pole figures themselves."""
        return tuple(self.odf.pole_figure(pole) for pole in self.poles)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is shown, in which frame and unit."""
        return (
            f"Pole figures of {about(self.odf, self.of)}",
            f"{self.projection.capitalize()} projection of the half sphere towards the viewer, "
            f"opposite directions taken together; {page_frame(self.odf.axes)}",
        )

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Tilt from the viewer, azimuth from x towards y (degrees), and mrd of each pole."""
        grids = [one.hemisphere(2.5) for one in self.densities]
        tilt, azimuth = np.meshgrid(grids[0].tilt, grids[0].azimuth[:-1], indexing="ij")
        values = {
            f"{pole} (mrd)": grid.mrd[:, :-1].ravel()
            for pole, grid in zip(self.poles, grids, strict=True)
        }
        named = {"tilt from the viewer (deg)": tilt, "azimuth from x towards y (deg)": azimuth}
        return {name: a.ravel() for name, a in named.items()} | values

    def draw(self) -> Figure:
        """Return the figure, for print."""
        directions, inside = _disk(self.projection)
        values = [one.at(directions) for one in self.densities]
        shown = [np.where(inside >= 0.5, one, np.nan) for one in values]
        scale = scale_for(shown, self.most, self.colours)
        cell, rows = self._layout()
        high = _TITLE + cell + _FOOT
        figure, axes = new_page(
            self.width, MARGIN + rows * high + notes_height(self.notes, self.width) + 2
        )
        each = self._each()
        for number, (pole, value) in enumerate(zip(self.poles, values, strict=True)):
            left = MARGIN + number % each * (cell + _GAP) + _GAP / 2
            top = MARGIN + number // each * high + _TITLE
            lines = paint(axes, scale, value, inside, (left, top, cell, cell))
            self._rim(axes, left, top, cell, lines)
            write_centred(axes, left + cell / 2, top - 5, pole)
            write_extremes(axes, shown[number], left + cell / 2, top + cell + 6.2)
        bar = MARGIN + min(each, len(self.poles)) * (cell + _GAP) + _GAP / 2 + 2
        draw_bar(axes, scale, bar, MARGIN + _TITLE + 2, cell - 4)
        write_notes(axes, self.notes, MARGIN + rows * high + 2, self.width)
        return figure

    def _each(self) -> int:
        return min(3, len(self.poles))

    def _layout(self) -> tuple[float, int]:
        each = self._each()
        room = self.width - 2 * MARGIN - BAR_ROOM
        return min(_WIDEST, room / each - _GAP), -(-len(self.poles) // each)

    def _rim(self, axes: Any, left: float, top: float, cell: float, lines: list[Any]) -> None:
        """Draw the rim, and the names of the axes of the sample that lie in the map."""
        from matplotlib.patches import Circle

        middle, radius = (left + cell / 2, top + cell / 2), cell / 2
        rim = Circle(middle, radius, fill=False, edgecolor="black", linewidth=0.8)
        axes.add_patch(rim)
        for one in lines:
            one.set_clip_path(rim)
        for name, axis in zip(self.odf.axes.names, self.odf.axes.matrix, strict=True):
            both = tuple(zip(middle, axis[:2], strict=True))
            if abs(axis[2]) > 0.5:
                axes.plot(*middle, "+", color="black", markersize=4, markeredgewidth=0.6)
                continue
            for start, end in ((1.0, 1.04), (-1.0, -1.04)):
                across, down = ([m + radius * e * v for e in (start, end)] for m, v in both)
                axes.plot(across, down, color="black", linewidth=0.8)
            away = radius + 1.8 + np.hypot(0.9 * axis[1], axis[0] * words_width(name, SMALL) / 2)
            place = [m + away * v for m, v in both]
            axes.text(*place, name, fontsize=SMALL, ha="center", va="center")


def _disk(projection: Projection) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (n, n, 3) in the map frame of the pixels of a disk, and how far each is inside."""
    if projection not in ("equal area", "stereographic"):
        raise ValueError(f"projection {projection!r}: equal area or stereographic is possible")
    along = (np.arange(_FINE) + 0.5) * 2 / _FINE - 1
    x, y = np.meshgrid(along, along)  # rows go down, as y does
    radius = np.hypot(x, y)
    inside = np.clip(0.5 + (1 - radius) * _FINE / 2, 0, 1)
    if projection == "equal area":
        tilt = 2 * np.arcsin(np.minimum(radius / np.sqrt(2), 1))
    else:
        tilt = 2 * np.arctan(radius)
    wide = np.sin(tilt) / np.maximum(radius, 1e-12)
    return np.stack([x * wide, y * wide, -np.cos(tilt)], axis=-1), inside


@dataclass(frozen=True, eq=False)
class InversePoleFigures:
    """Inverse pole figures in the standard sector, with one colour scale.

    Parameters
    ----------
    odf, of, most, colours, width
        As for pole figures.
    directions
        Of the sample: by default its three axes, by their names.
    """

    odf: Odf
    directions: tuple[str, ...] = ()
    of: str = "points"
    most: float | None = None
    colours: str = COLOURS
    width: float = 170.0

    @cached_property
    def densities(self) -> tuple[SphereDensity, ...]:
        """The inverse pole figures themselves."""
        names = self.directions or self.odf.axes.names
        return tuple(self.odf.inverse_pole_figure(name) for name in names)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is shown, in which frame and unit."""
        return (
            f"Inverse pole figures of {about(self.odf, self.of)}",
            "Density of crystal directions along the axes of the sample, stereographic projection, "
            f"opposite directions taken together; on the map {map_frame(self.odf.axes)}.",
        )

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Polar angle and azimuth in crystal axes (degrees), and mrd of each direction."""
        from napari_orient.crystal.tsl_key import color_key

        key = color_key(self.odf.group)
        polar, turn = np.meshgrid(np.arange(0, 180.1, 2.5), np.arange(0, 360, 2.5), indexing="ij")
        tilt, azimuth = np.radians(polar), np.radians(turn)
        x, y = np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth)
        vectors = np.stack([x, y, np.cos(tilt)], axis=-1)
        inside = key.contains(vectors @ key.turn.T)
        named = {"angle from e3 (deg)": polar, "azimuth from e1 (deg)": turn}
        return {name: a[inside] for name, a in named.items()} | {
            f"{one.name} (mrd)": one.at(vectors[inside]) for one in self.densities
        }

    def draw(self) -> Figure:
        """Return the figure, for print."""
        from napari_orient.crystal.colors import ColourScheme
        from napari_orient.crystal.direction_legend import direction_legend

        legend = direction_legend(self.odf.group, ColourScheme(), 512)
        inside = legend.image[..., 3] / 255.0
        rows, columns = inside.shape
        directions = legend.direction_at(*np.mgrid[:rows, :columns])
        values = [one.at(directions) for one in self.densities]
        shown = [np.where(inside >= 0.5, one, np.nan) for one in values]
        scale = scale_for(shown, self.most, self.colours)
        cell = (self.width - 2 * MARGIN - BAR_ROOM) / max(3, len(values))
        beside = any(label.side in ("left", "right") for label in legend.labels)
        size = (cell - (2 if beside else 1) * _WORDS) / max(columns, rows)  # mm of a pixel
        wide, high = columns * size, rows * size
        page = MARGIN + 2 * _TITLE + high + _FOOT + 5
        figure, axes = new_page(self.width, page + notes_height(self.notes, self.width))
        for number, (one, value) in enumerate(zip(self.densities, values, strict=True)):
            left, top = MARGIN + number * cell + (cell - wide) / 2, MARGIN + 2 * _TITLE
            paint(axes, scale, value, inside, (left, top, wide, high))
            _outline(axes, inside, (left, top, size))
            _corner_words(axes, legend.labels, (left, top, size))
            write_centred(axes, left + wide / 2, MARGIN + 5, f"∥ {one.name}")
            write_extremes(axes, shown[number], left + wide / 2, top + high + 8)
        bar = MARGIN + len(values) * cell + 2
        draw_bar(axes, scale, bar, MARGIN + 2 * _TITLE, max(25.0, high))
        write_notes(axes, self.notes, page, self.width)
        return figure


def _outline(axes: Any, inside: NDArray[np.float64], place: tuple[float, float, float]) -> None:
    left, top, size = place
    framed = np.pad(inside, 1)
    rows, columns = framed.shape
    x, y = left + (np.arange(columns) - 0.5) * size, top + (np.arange(rows) - 0.5) * size
    axes.contour(x, y, framed, levels=[0.5], colors="black", linewidths=0.8)


def _corner_words(axes: Any, labels: Any, place: tuple[float, float, float]) -> None:
    left, top, size = place
    for label in labels:
        x, y = left + (label.column + 0.5) * size, top + (label.row + 0.5) * size
        aside = 1.0 + words_width(label.text, SMALL) / 2
        shift = {"left": (-aside, 0), "right": (aside, 0), "above": (0, -2.8), "below": (0, 2.8)}
        across, down = shift[label.side]
        write_centred(axes, x + across, y + down, label.text, SMALL)
