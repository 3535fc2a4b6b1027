"""How does a colour key stand in a printed figure? Its picture with words as vectors around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.figure_text import line_height, text_width, without_minus, write_indices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.crystal.legends import Label, Legend

Box = tuple[float, float, float, float]
LONG = (17.0, 20.0, 24.0, 28.0, 32.0, 38.0)  # mm, the longer side: the first with room for words
AWAY = 0.7  # mm between a key's picture and its words
FINE = 512  # pixels of a key's longer side: fine enough for 600 dpi


@dataclass(frozen=True, eq=False)
class Key:
    """A colour key and the words above it: phase and scheme."""

    legend: Legend
    title: str = ""


@dataclass(frozen=True, eq=False)
class ColourBar:
    """The colours (n, 4), 0 to 1, of values between two limits, and what they are."""

    colours: NDArray[np.float64]
    limits: tuple[float, float]
    label: str = ""


def _scale(legend: Legend, font_size: float) -> float:
    """Return the size of a key's pixel in mm: as small as its words allow without overlap."""
    most = float(max(legend.image.shape[:2]))
    for long in LONG:
        boxes = [_box(label, long / most, font_size) for label in legend.labels]
        if not _overlap(legend, boxes, long / most):
            return long / most
    return LONG[-1] / most


def _overlap(legend: Legend, boxes: list[Box], size: float) -> bool:
    """Say whether words lie over one another, or over the coloured part of the key."""
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        for a0, b0, a1, b1 in boxes[:number]:
            if x0 < a1 and a0 < x1 and y0 < b1 and b0 < y1:
                return True
        spare = 0.15 * (y1 - y0)  # lines are higher than letters
        columns = slice(max(0, round(x0 / size)), max(0, round(x1 / size)))
        rows = slice(max(0, round((y0 + spare) / size)), max(0, round((y1 - spare) / size)))
        if (legend.image[rows, columns, 3] > 128).any():
            return True
    return False


def _reach(key: Key, font_size: float) -> Box:
    """Millimetres (left, top, right, bottom) that the words need around the picture."""
    rows, columns = key.legend.image.shape[:2]
    size = _scale(key.legend, font_size)
    line = line_height(font_size)
    low = [0.0, 0.0]
    high = [columns * size, rows * size]
    for label in key.legend.labels:
        x0, y0, x1, y1 = _box(label, size, font_size)
        low = [min(low[0], x0), min(low[1], y0)]
        high = [max(high[0], x1), max(high[1], y1)]
    title = text_width(key.title, font_size) if key.title else 0.0
    spare = max(0.0, title - (high[0] - low[0])) / 2
    above = 1.2 * line if key.title else 0.0
    return (
        spare - low[0],
        above - low[1],
        high[0] - columns * size + spare,
        high[1] - rows * size,
    )


def _box(label: Label, size: float, font_size: float) -> Box:
    """Return (x0, y0, x1, y1) of a label's words in mm, from the picture's upper left corner."""
    width, line = text_width(without_minus(label.text)[0], font_size), line_height(font_size)
    x, y = (label.column + 0.5) * size, (label.row + 0.5) * size
    if label.side in ("left", "right"):
        x0 = x - AWAY - width if label.side == "left" else x + AWAY
        return x0, y - line / 2, x0 + width, y + line / 2
    y0 = y - AWAY - line if label.side == "above" else y + AWAY
    return x - width / 2, y0, x + width / 2, y0 + line


def key_size(key: Key, font_size: float) -> tuple[float, float]:
    """Return the width and height in mm of a key with its words."""
    rows, columns = key.legend.image.shape[:2]
    size = _scale(key.legend, font_size)
    left, top, right, bottom = _reach(key, font_size)
    return left + columns * size + right, top + rows * size + bottom


def draw_key(axes: Any, key: Key, font_size: float) -> None:
    """Draw a key into axes of its own, of :func:`key_size`."""
    rows, columns = key.legend.image.shape[:2]
    size = _scale(key.legend, font_size)
    left, top, _, _ = _reach(key, font_size)
    width, height = key_size(key, font_size)
    axes.imshow(
        key.legend.image, interpolation="antialiased", aspect="auto",
        extent=(left, left + columns * size, top + rows * size, top),
    )  # fmt: skip
    for label in key.legend.labels:
        x0, y0, _, y1 = _box(label, size, font_size)
        write_indices(axes, left + x0, top + (y0 + y1) / 2, label.text, font_size)
    axes.set(xlim=(0, width), ylim=(height, 0))  # in mm
    if key.title:
        axes.text(width / 2, 0, key.title, fontsize=font_size, ha="center", va="top")


def draw_bar(axes: Any, bar: ColourBar, font_size: float) -> None:
    """Draw a colour bar with its limits and its name below it."""
    axes.imshow(np.asarray(bar.colours)[None], aspect="auto", extent=(0, 1, 0, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    line = {"fontsize": font_size, "va": "top", "transform": axes.transAxes}
    for place, value, side in zip((0.0, 1.0), bar.limits, ("left", "right"), strict=True):
        axes.text(place, -0.15, f"{value:.3g}", ha=side, **line)
    axes.text(0.5, -0.15, bar.label, ha="center", **line)
