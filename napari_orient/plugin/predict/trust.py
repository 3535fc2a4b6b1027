"""Does the network know where it is wrong? Stated against real errors: no Qt, in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.errors import compare_maps
from napari_orient.jobs import run
from napari_orient.learning.evaluate import WITHIN_DEG
from napari_orient.learning.uncertainty import Reliability, rank_correlation, reliability

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

COLOURS = {"strict": "#4dabf7", "modulo": "#ff922b"}  # as in Compare
# properties of a predicted map that may tell where it is wrong -> name, sign of a good one
TELLS = {"spread": ("spread", 1), "probability": ("probability", -1), "Q": ("Q", -1)}
LEAST = 0.2  # a weaker rank correlation tells nothing that is worth a word


@dataclass(frozen=True, eq=False)
class Wish:
    """Two maps, and how the plot is to be drawn."""

    reference: OrientationMap
    predicted: OrientationMap
    style: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Trust:
    """What was found: tables strict and modulo the beam, in words, and drawn."""

    strict: Reliability
    modulo: Reliability
    words: str
    picture: Any


def trust(wish: Wish) -> Trust:
    """Compare what a network says of its errors with the errors that it makes.

    Raises
    ------
    ValueError
        If the maps do not belong together, in words for the user.
    """
    comparison = run(compare_maps(wish.reference, wish.predicted))
    properties = wish.predicted.properties
    sure = np.asarray(properties["probability"], np.float64) / 100
    if not np.isfinite(np.asarray(properties.get("spread", np.nan), np.float64)).any():
        sure = np.full(sure.shape, np.nan)  # one answer, and no odds
    tables = {
        name: reliability(sure, errors)
        for name, errors in (
            ("strict", comparison.angle), ("modulo", comparison.angle_modulo_beam)
        )
    }  # fmt: skip
    beam = "beam" in wish.predicted.provenance.get("model", {}).get("modulo", ())
    errors = comparison.angle_modulo_beam if beam else comparison.angle
    words = _sentence(tables["modulo" if beam else "strict"], beam)
    words += _refined(wish.predicted)
    words += _best(properties, errors)
    return Trust(tables["strict"], tables["modulo"], words, _rendered(tables, **wish.style))


def _sentence(table: Reliability, beam: bool) -> str:
    if not len(table.n):
        return "This network does not say how sure it is, or no point can be compared."
    stated, right = (100 * np.average(v, weights=table.n) for v in (table.stated, table.right))
    turned = " modulo half a turn about the beam, as it was taught" if beam else ""
    return (
        f"By its own account right in {stated:.0f} % of {table.n.sum()} points, in fact in "
        f"{right:.0f} % (within {WITHIN_DEG:g}°{turned}); {100 * table.gap:.0f} % apart, bin by "
        "bin."
    )


def _refined(predicted: OrientationMap) -> str:
    answer = predicted.provenance.get("config", {}).get("answer")
    if answer != "refine":
        return ""
    return " The probability is that of the network's first answer, the map's was refined."


def _best(properties: dict[str, Any], errors: Any) -> str:
    """Say which number finds the errors of this map best."""
    found = {
        words: sign * rank_correlation(np.asarray(properties[name], np.float64), errors)
        for name, (words, sign) in TELLS.items()
        if name in properties
    }
    known = {name: value for name, value in found.items() if np.isfinite(value)}
    if not known:
        return ""
    order = sorted(known, key=lambda name: -known[name])
    listed = ", ".join(f"{name} {known[name]:.2f}".replace("-", "−") for name in order)
    if known[order[0]] < LEAST:
        return f" No number of this map tells where it is wrong (rank correlation: {listed})."
    return f" Best sign of errors: {order[0]} (rank correlation: {listed})."


def _rendered(
    tables: dict[str, Reliability], *, ink: str, width: float, height: float, dpi: float
) -> Any:
    """Draw the tables as (rows, columns, 4) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
    points = dpi / 72
    figure.subplots_adjust(
        left=40 * points / width, right=1 - 10 * points / width,
        bottom=34 * points / height, top=1 - 28 * points / height,
    )  # fmt: skip
    figure.patch.set_alpha(0)
    axes: Any = figure.add_subplot()
    axes.patch.set_alpha(0)
    _curves(axes, tables, ink)
    axes.tick_params(colors=ink, labelsize=8)
    for name, spine in axes.spines.items():
        spine.set_color(ink)
        spine.set_visible(name in ("left", "bottom"))
    axes.set_xlabel("Sure, as the network says (%)", fontsize=9, color=ink)
    axes.set_ylabel(f"Within {WITHIN_DEG:g}°, in fact (%)", fontsize=9, color=ink)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def _curves(axes: Any, tables: dict[str, Reliability], ink: str) -> None:
    axes.plot([0, 100], [0, 100], "--", color=ink, alpha=0.5, linewidth=1, label="honest")
    for name, label in (("strict", "strict"), ("modulo", "modulo beam")):
        table = tables[name]
        if len(table.n):
            axes.plot(
                100 * table.stated, 100 * table.right, "o-", color=COLOURS[name], markersize=4,
                linewidth=1.6, label=label,
            )  # fmt: skip
    axes.set_xlim(0, 101)
    axes.set_ylim(0, 101)
    axes.legend(
        fontsize=7, frameon=False, labelcolor=ink, ncols=3, loc="lower right",
        bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, handlelength=1.5, columnspacing=1.0,
    )  # fmt: skip
