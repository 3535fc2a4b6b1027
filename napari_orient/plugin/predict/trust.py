"""Does the network know where it is wrong? Stated against real errors: no Qt, in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.errors import compare_maps
from napari_orient.jobs import run
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
    spread = np.asarray(properties["spread"], np.float64)
    tables = {
        name: reliability(spread, errors)
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
    stated, made = (float(np.average(v, weights=table.n)) for v in (table.stated, table.mean))
    turned = " modulo half a turn about the beam, as it was taught" if beam else ""
    return (
        f"By its own account off by {stated:.1f}° on average, in fact by {made:.1f}°{turned} "
        f"({table.n.sum()} points)."
    )


def _refined(predicted: OrientationMap) -> str:
    answer = predicted.provenance.get("config", {}).get("answer")
    if answer not in ("refine", "choose"):
        return ""
    how = "refined" if answer == "refine" else "chosen by the pattern"
    return f" The spread is that of the network's first answer, the map's was {how}."


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
    axes.set_xlabel("Off by, as the network says (°)", fontsize=9, color=ink)
    axes.set_ylabel("Off by, in fact (°)", fontsize=9, color=ink)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def _curves(axes: Any, tables: dict[str, Reliability], ink: str) -> None:
    largest = max((float(t.stated.max(initial=0.0)) for t in tables.values()), default=0.0)
    line = np.linspace(0, largest, 100)  # bent by the scale
    axes.plot(line, line, "--", color=ink, alpha=0.5, linewidth=1, label="honest")
    for name, label in (("strict", "strict"), ("modulo", "modulo beam")):
        table, colour = tables[name], COLOURS[name]
        if not len(table.n):
            continue
        axes.plot(
            table.stated, table.mean, "o-", color=colour, markersize=3, linewidth=1.6,
            label=f"{label}, mean",
        )  # fmt: skip
        axes.plot(
            table.stated, table.median, ":", color=colour, linewidth=1.4, label=f"{label}, median"
        )
    axes.set_yscale("symlog", linthresh=1.0)  # half a turn lies beside tenths of a degree
    axes.set_xlim(0, max(1.05 * largest, 1.0))
    ticks = [0, 0.5, 1, 2, 5, 10, 20, 50, 100, 180]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    highest = max((float(t.mean.max(initial=1.0)) for t in tables.values()), default=1.0)
    axes.set_ylim(0, 1.3 * max(highest, largest, 1.0))
    axes.legend(
        fontsize=7, frameon=False, labelcolor=ink, ncols=3, loc="lower right",
        bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, handlelength=1.5, columnspacing=1.0,
    )  # fmt: skip
