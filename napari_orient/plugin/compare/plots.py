"""How are the errors distributed, and on what do they depend? Curves, drawn and in numbers."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.curves import binned, cumulative, histogram, random_errors
from napari_orient.analysis.scores import defined
from napari_orient.data.images import cannot_write
from napari_orient.files import replace_atomically
from napari_orient.plugin.compare.fields import FIELDS, ErrorField
from napari_orient.plugin.compare.mask_panel import SIDES
from napari_orient.plugin.compare.selection import Side, qualities

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_orient.analysis.errors import Comparison

HISTOGRAM, CUMULATIVE, DISTANCE = "Histogram", "Cumulative curve", "distance to the boundary (px)"
STRICT, BEAM = FIELDS["Misorientation"], FIELDS["Misorientation modulo beam"]
COLOURS = ("#4dabf7", "#ff922b")  # strict, modulo the beam
LEAST, BINS = 1.0, 20  # degrees that a histogram reaches at least, and its bins then
MARKS = (2.0, 5.0)  # degrees that the table counts below


@dataclass(frozen=True)
class Plot:
    """What is drawn: one of the two distributions, or the error against a property of a map."""

    name: str
    side: Side | None = None

    @property
    def words(self) -> str:
        """As the list has it."""
        if self.name in (HISTOGRAM, CUMULATIVE):
            return self.name
        where = f" ({SIDES[self.side]})" if self.side is not None else ""
        return f"Error against {self.name}{where}"

    def against(self, comparison: Comparison) -> NDArray[np.float64]:
        """Return that on which the errors may depend (y, x); NaN where it has no meaning."""
        if self.side is None:
            return comparison.boundary_distance
        orientations = getattr(comparison, self.side)
        values = np.asarray(orientations.properties[self.name], np.float64)
        return np.where(defined(orientations, self.name), values, np.nan)


def plots_of(comparison: Comparison) -> list[Plot]:
    """Return what can be drawn of two maps."""
    return [
        Plot(HISTOGRAM),
        Plot(CUMULATIVE),
        Plot(DISTANCE),
        *(Plot(name, side) for side in SIDES for name in qualities(getattr(comparison, side))),
    ]


@dataclass(frozen=True, eq=False)
class Curves:
    """A plot in numbers.

    Attributes
    ----------
    plot, field
        What it shows.
    columns
        Name -> (n,) numbers; not all of one length.
    """

    plot: Plot
    field: ErrorField
    columns: dict[str, NDArray[Any]]


def curves_of(
    comparison: Comparison, mask: NDArray[np.bool_], plot: Plot, field: ErrorField
) -> Curves:
    """Return a plot over the points (y, x) of a mask in numbers."""
    keep = mask & comparison.valid
    if plot.name == CUMULATIVE:
        columns = _cumulative(comparison, keep)
    elif plot.name == HISTOGRAM:
        columns = _histogram(field.values(comparison), keep, LEAST if field.unit else LEAST / 360)
    else:
        found = binned(field.values(comparison)[keep], plot.against(comparison)[keep])
        columns = {
            name: getattr(found, name) for name in ("at", "median", "lower", "upper", "n", "edges")
        }
    return Curves(plot, field, columns)


def _histogram(
    errors: NDArray[np.float64], keep: NDArray[np.bool_], least: float
) -> dict[str, NDArray[Any]]:
    """Count errors, at least from zero to ``least``: smaller ones are rounding errors."""
    largest = float(np.max(errors, initial=0.0, where=np.isfinite(errors)))
    everything = histogram(errors, least / BINS if largest < least else None)
    width = float(everything.edges[1] - everything.edges[0])
    count = max(len(everything.counts), round(least / width))
    counts = {"all": everything.counts, "kept": histogram(errors[keep], width).counts}
    return {
        "edges": width * np.arange(count + 1),
        **{name: np.pad(found, (0, count - len(found))) for name, found in counts.items()},
    }


def _cumulative(comparison: Comparison, keep: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for name, field in (("strict", STRICT), ("modulo beam", BEAM)):
        errors = field.values(comparison)
        for which, found in (
            ("kept", cumulative(errors[keep])), ("all", cumulative(errors))
        ):  # fmt: skip
            columns[f"{name}, {which}: error"] = found.values
            columns[f"{name}, {which}: share"] = found.share
    phases = np.unique(comparison.reference.phase_id[comparison.valid])
    if len(phases) == 1:  # guessing has one curve for each symmetry
        group = comparison.reference.phases[int(phases[0])].point_group
        columns["guessing: error"], columns["guessing: share"] = _guessing(group)
    return columns


@cache
def _guessing(group: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = cumulative(random_errors(group, n=20_000), most=200)
    return found.values, found.share


def draw(curves: Curves, *, ink: str, width: float, height: float, dpi: float) -> Figure:
    """Return curves as a figure of a size in px; its ground is transparent."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
    # margins by hand: to have them found takes longer than all the drawing
    points = dpi / 72
    figure.subplots_adjust(
        left=48 * points / width,
        right=1 - 10 * points / width,
        bottom=34 * points / height,
        top=1 - 6 * points / height,
    )
    figure.patch.set_alpha(0)
    axes: Any = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.tick_params(colors=ink, labelsize=8)
    for name, spine in axes.spines.items():
        spine.set_color(ink)
        spine.set_visible(name in ("left", "bottom"))
    unit = f" ({curves.field.unit})" if curves.field.unit else ""
    error = f"{curves.field.name}{unit}"
    if curves.plot.name == CUMULATIVE:
        _draw_cumulative(axes, curves.columns, ink)
    elif curves.plot.name == HISTOGRAM:
        _draw_histogram(axes, curves.columns, error)
    else:
        _draw_binned(axes, curves.columns, error, curves.plot.words.removeprefix("Error against "))
    axes.xaxis.label.set_color(ink)
    axes.yaxis.label.set_color(ink)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False, labelcolor=ink)
    return figure


def _draw_cumulative(axes: Any, columns: dict[str, NDArray[Any]], ink: str) -> None:
    for degrees in MARKS:
        axes.axvline(degrees, color=ink, alpha=0.3, linewidth=0.8)
    for (name, colour), (which, style) in (
        (one, other)
        for one in zip(("strict", "modulo beam"), COLOURS, strict=True)
        for other in (("all", ":"), ("kept", "-"))
    ):
        x, y = (columns[f"{name}, {which}: {part}"] for part in ("error", "share"))
        # from the first error on: below it the share is zero
        x, y = np.concatenate([x[:1], x]), np.concatenate([np.zeros(min(1, len(y))), 100 * y])
        axes.plot(x, y, style, color=colour, label=f"{name}, {which}", linewidth=1.6)
    if "guessing: error" in columns:
        x, y = columns["guessing: error"], 100 * columns["guessing: share"]
        axes.plot(x, y, "--", color=ink, alpha=0.5, linewidth=1, label="guessing")
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_xlim(0, 180)
    ticks = [0, 0.5, 1, 2, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 101)
    axes.set_xlabel("Misorientation (°)", fontsize=9)
    axes.set_ylabel("Points with less (%)", fontsize=9)


def _draw_histogram(axes: Any, columns: dict[str, NDArray[Any]], error: str) -> None:
    edges = columns["edges"]
    axes.stairs(columns["all"], edges, fill=True, color="#868e96", alpha=0.45, label="all")
    axes.stairs(columns["kept"], edges, fill=True, color=COLOURS[0], alpha=0.8, label="kept")
    axes.set_yscale("symlog", linthresh=10)  # a few gross errors must be seen beside many small
    axes.set_ylim(0)
    powers = 10 ** np.arange(1, int(np.log10(max(columns["all"].max(), 10))) + 1)
    axes.set_yticks([0, *powers], ["0", *(f"{n:,}".replace(",", "\u202f") for n in powers)])
    axes.minorticks_off()
    axes.set_xlim(0, edges[-1])
    axes.set_xlabel(error, fontsize=9)
    axes.set_ylabel("Points", fontsize=9)


def _draw_binned(axes: Any, columns: dict[str, NDArray[Any]], error: str, against: str) -> None:
    x = columns["at"]
    axes.fill_between(
        x, columns["lower"], columns["upper"], color=COLOURS[0], alpha=0.3, label="quartiles"
    )
    axes.plot(x, columns["median"], "o-", color=COLOURS[0], markersize=3, label="median")
    axes.set_ylim(0)
    axes.set_xlabel(against, fontsize=9)
    axes.set_ylabel(error, fontsize=9)


def rendered(curves: Curves, *, ink: str, width: float, height: float, dpi: float) -> Any:
    """Return the figure as (rows, columns, 4) uint8, for the screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(draw(curves, ink=ink, width=width, height=height, dpi=dpi))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def save_plot(curves: Curves, path: str | Path, about: str) -> None:
    """Write a plot as .png, .svg or .pdf, or its numbers as .csv; all or nothing.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    from matplotlib import rc_context

    path = Path(path)
    try:
        with replace_atomically(path) as temporary:
            if path.suffix.lower() == ".csv":
                _write_columns(curves, temporary, about)
                return
            figure = draw(curves, ink="black", width=480, height=320, dpi=100)
            figure.patch.set_alpha(1)
            # letters stay letters, so that an editor can change them
            with rc_context({"svg.fonttype": "none"}):
                figure.savefig(temporary, dpi=300, format=path.suffix.lower()[1:])
    except OSError as error:
        raise cannot_write(path, error) from error


def _write_columns(curves: Curves, path: Path, about: str) -> None:
    length = max((len(column) for column in curves.columns.values()), default=0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f"# {curves.plot.words}, {curves.field.name}: {about}"])
        writer.writerow(curves.columns)
        for row in range(length):
            writer.writerow(
                [repr(c[row].item()) if row < len(c) else "" for c in curves.columns.values()]
            )
