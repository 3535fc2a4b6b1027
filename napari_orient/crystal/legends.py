"""What do the colours of a map mean? Each key as a picture, exact to the pixel, without text.

A legend says where its words belong and where an orientation lies in it. Words are drawn by who
shows it: the window, or :mod:`napari_orient.crystal.legend_figure`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.colors import ColourScheme, brightness
from napari_orient.crystal.deviation_key import deviation_colors, deviation_vectors
from napari_orient.crystal.direction_legend import (
    DirectionLegend,
    Label,
    Legend,
    Place,
    as_bytes,
    direction_legend,
)
from napari_orient.crystal.euler_key import EULER_NOTE, euler_ranges, reduced_euler

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BrightnessLegend", "DeviationLegend", "DirectionLegend", "EulerLegend", "Label", "Legend",
    "Place", "brightness_legend", "colour_legend", "ipf_legend",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class DeviationLegend(Legend):
    """A disk: turns about axes in the map plane; a bar: turns about z. Both end at the range."""

    center: Place = (0.0, 0.0)
    radius: float = 1.0
    bar: tuple[int, int] = (0, 0)
    range_deg: float = 5.0
    reference: Any = None
    point_group: Any = None

    def vectors_at(self, row: ArrayLike, column: ArrayLike) -> NDArray[np.float64]:
        """Return the rotation vector (..., 3), degrees in the map frame, shown at a pixel."""
        step = self.range_deg / self.radius
        x = (np.asarray(column, np.float64) - self.center[1]) * step
        y = (np.asarray(row, np.float64) - self.center[0]) * step
        in_bar = np.asarray(column) >= self.bar[0]
        parts = (np.where(in_bar, 0, x), np.where(in_bar, 0, y), np.where(in_bar, -y, 0))
        return np.stack(parts, axis=-1)

    def locate(self, quaternion: ArrayLike) -> list[Place]:
        """Return its place in the disk and in the bar; none beyond the range."""
        if self.reference is None:
            return []
        x, y, z = deviation_vectors(quaternion, self.reference, self.point_group)
        if np.linalg.norm((x, y, z)) > self.range_deg:
            return []
        row, column = self.center
        step = self.radius / self.range_deg
        middle = (self.bar[0] + self.bar[1] - 1) / 2
        return [(row + y * step, column + x * step), (row - z * step, middle)]


@dataclass(frozen=True, eq=False)
class EulerLegend(Legend):
    """Three bars; the colour of an orientation is the sum of theirs."""

    rows: tuple[float, ...] = ()
    ranges: tuple[float, ...] = ()
    point_group: Any = None

    def angle_at(self, column: ArrayLike, bar: int) -> NDArray[np.float64]:
        """Return the angle in degrees at a column of one of the bars."""
        last = self.image.shape[1] - 1
        return np.asarray(np.asarray(column, np.float64) / last * self.ranges[bar])

    def locate(self, quaternion: ArrayLike) -> list[Place]:
        """Return the places of phi1, Phi and phi2."""
        angles = reduced_euler(quaternion, self.point_group)
        last = self.image.shape[1] - 1
        return [
            (row, float(angle / most * last))
            for row, angle, most in zip(self.rows, angles, self.ranges, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class BrightnessLegend(Legend):
    """A bar from black to white: what a property's value does to the colours of the other key."""

    limits: tuple[float, float] = (0.0, 1.0)

    def value_at(self, column: ArrayLike) -> NDArray[np.float64]:
        """Return the property's value at a column."""
        part = np.asarray(column, np.float64) / (self.image.shape[1] - 1)
        return np.asarray(self.limits[0] + part * (self.limits[1] - self.limits[0]))

    def place_of(self, value: float) -> list[Place]:
        """Return where a value is shown; none for NaN."""
        if not np.isfinite(value):
            return []
        rows, columns = self.image.shape[:2]
        return [((rows - 1) / 2, float(brightness(value, self.limits)) * (columns - 1))]


def colour_legend(
    point_group: Any, scheme: ColourScheme, size: int = 256, reference: Any = None
) -> Legend:
    """Draw the key of a scheme for one point group, ``size`` pixels on its longer side.

    ``reference``, a unit quaternion (4,), lets the narrow key's legend locate orientations. The
    brightness by a property has a legend of its own, :func:`brightness_legend`.

    Raises
    ------
    ValueError
        If there is no point group.
    """
    if scheme.key == "euler":
        return _euler_legend(point_group, size)
    if scheme.key == "narrow":
        return _deviation_legend(point_group, scheme, size, reference)
    return direction_legend(point_group, scheme, size)


def ipf_legend(point_group: Any, size: int = 256) -> DirectionLegend:
    """Draw the TSL key of a point group, ``size`` pixels on its longer side."""
    return direction_legend(point_group, ColourScheme(), size)


def brightness_legend(name: str, limits: tuple[float, float], size: int = 256) -> BrightnessLegend:
    """Draw the bar of a property that scales the brightness, ``size`` pixels long."""
    height = max(3, size // 12)
    image = np.full((height, size, 4), 255, np.uint8)
    values = np.linspace(*limits, size)
    image[..., :3] = np.rint(255 * brightness(values, limits)).astype(np.uint8)[:, None]
    labels = (
        Label(f"{limits[0]:.3g}", height - 1, 0, "below"),
        Label(name, height - 1, (size - 1) / 2, "below"),
        Label(f"{limits[1]:.3g}", height - 1, size - 1, "below"),
    )
    note = f"brightness: {name}, black where it is undefined"
    return BrightnessLegend(image, labels, note, limits)


def _deviation_legend(
    point_group: Any, scheme: ColourScheme, size: int, reference: Any
) -> DeviationLegend:
    side = max(15, round(0.76 * size))
    center, radius = ((side - 1) / 2, (side - 1) / 2), (side - 1) / 2 - 1
    bar = (size - max(4, size // 10), size)
    most = scheme.range_deg
    text = f"{most:.3g}°"
    labels = (
        Label("x", center[0], side - 1, "right"),
        Label("y", side - 1, center[1], "below"),
        Label("+" + text, 0, (bar[0] + bar[1]) / 2, "above"),
        Label("z", center[0], size - 1, "right"),
        Label("−" + text, side - 1, (bar[0] + bar[1]) / 2, "below"),
    )
    whose = "the mean orientation" if scheme.reference is None else "the reference"
    note = (
        f"disk: turned about axes x, y of the map,\nits rim {text}; bar: about z, into the page;\n"
        f"grey: {whose}; black: beyond {text}"
    )
    image = np.zeros((side, size, 4))
    legend = DeviationLegend(
        image.astype(np.uint8), labels, note, center, radius, bar, most, reference, point_group
    )
    rows, columns = np.mgrid[:side, :size]
    vectors = legend.vectors_at(rows, columns)
    long = np.linalg.norm(vectors, axis=-1)
    # the soft rim's outer half has the colours of the very rim
    image[..., :3] = deviation_colors(
        vectors * np.minimum(1, most / np.maximum(long, 1e-9))[..., None], most
    )
    image[..., 3] = np.clip(0.5 + (1 - long / most) * radius, 0, 1)
    image[:, side : bar[0], 3] = 0
    return replace(legend, image=as_bytes(image))


def _euler_legend(point_group: Any, size: int) -> EulerLegend:
    height, gap = max(3, size // 12), max(8, size // 7)
    ranges = euler_ranges(point_group)
    image = np.zeros((3 * height + 2 * gap, size, 4))
    labels, rows = [], []
    for number, (name, most) in enumerate(zip(("φ1", "Φ", "φ2"), ranges, strict=True)):
        top = number * (height + gap)
        image[top : top + height, :, number] = np.linspace(0, 1, size)
        image[top : top + height, :, 3] = 1
        rows.append(top + (height - 1) / 2)
        foot = top + height - 1
        labels += [
            Label("0°", foot, 0, "below"),
            Label(name, foot, (size - 1) / 2, "below"),
            Label(f"{most:.3g}°", foot, size - 1, "below"),
        ]
    legend = EulerLegend(
        image.astype(np.uint8), tuple(labels), EULER_NOTE, tuple(rows), ranges, point_group
    )
    return replace(legend, image=as_bytes(image))
