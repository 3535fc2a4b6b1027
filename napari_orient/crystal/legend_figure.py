"""How does a colour key look in a figure? With its words, on a transparent ground."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.crystal.legends import Label, Legend

_ALIGN = {  # side -> horizontal and vertical alignment, and the way there in text units
    "left": ("right", "center", -0.3, 0.0),
    "right": ("left", "center", 0.3, 0.0),
    "above": ("center", "bottom", 0.0, -0.3),
    "below": ("center", "top", 0.0, 0.3),
}


def legend_figure(
    legend: Legend, title: str = "", text_color: str = "black", notes: tuple[str, ...] = ()
) -> NDArray[np.uint8]:
    """Draw a legend with its labels, and below it the words that a reader must know.

    Parameters
    ----------
    legend
        As :func:`napari_orient.crystal.legends.colour_legend` makes it.
    title
        Drawn above: name the phase and the scheme, as in "Ni, IPF-Z".
    text_color
        A matplotlib colour that stands out from the ground.
    notes
        More lines below the legend's own note.

    Returns
    -------
    rgba
        (rows, columns, 4) uint8 on a transparent ground.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = legend.image.shape[:2]
    note = "\n".join(line for line in (legend.note, *notes) if line)
    points = max(8.0, max(rows, columns) / 18)
    unit = points * 100 / 72  # a line of text in pixels at 100 dots per inch
    left, above = 4.2 * unit, unit * (3.2 if title else 1.8)
    below = unit * (1.8 + 1.1 * len(note.splitlines()))
    width, height = max(columns + 2 * left, 17 * unit), rows + above + below
    left = (width - columns) / 2
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas: Any = FigureCanvasAgg(figure)  # its methods carry no types
    figure.patch.set_alpha(0)
    axes = figure.add_axes((left / width, below / height, columns / width, rows / height))
    axes.set_axis_off()
    axes.imshow(legend.image, interpolation="nearest")
    for label in legend.labels:
        _write(axes, label, points, unit, text_color)
    figure.text(0.5, 0.99, title, fontsize=points, color=text_color, ha="center", va="top")
    figure.text(0.5, 0.01, note, fontsize=0.75 * points, color=text_color, ha="center")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def _write(axes: Any, label: Label, points: float, unit: float, color: str) -> None:
    across, up, x, y = _ALIGN[label.side]
    at = (label.column + x * unit, label.row + y * unit)
    axes.text(*at, _overline(label.text), fontsize=points, color=color, ha=across, va=up)


def _overline(indices: str) -> str:
    """Crystallographer's notation for matplotlib: a bar above instead of a minus sign."""
    if not indices.startswith("["):
        return indices
    return "$" + re.sub(r"-(\d)", r"\\overline{\1}", indices) + "$"
