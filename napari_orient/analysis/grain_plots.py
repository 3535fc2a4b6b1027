"""How does a distribution look in print? Figures of what :mod:`.distributions` counts, and files.

A figure has its axes with units, how many were counted, and below it how: what a reader needs.
"""

from __future__ import annotations

import csv
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.distributions import check_comparable
from napari_orient.crystal.figure_text import MM, text_width
from napari_orient.data.images import cannot_write
from napari_orient.files import replace_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_orient.analysis.distributions import Distribution

INK = "black"
GREY = "#868e96"
COLOURS = (
    "#1c6fb7",
    "#d9480f",
    "#2b8a3e",
    "#9c36b5",
)  # also told apart in grey
_LEGEND = 8  # points
_LEFT = 0.8  # inches that ticks and labels take
SIZE = (4.8, 3.6)  # inches: one column of a journal takes 3.3 to 3.5 after 70 %
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",  # letters stay letters, so that an editor can change them
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(
    *distributions: Distribution,
    names: Sequence[str] = (),
    weighted: bool = False,
    caption: bool = True,
    size: tuple[float, float] = SIZE,
    ink: str = INK,
) -> Figure:
    """Draw a distribution, or several of one measure over each other.

    Parameters
    ----------
    *distributions
        Of one kind and measure; directions, phases and classes too.
    names
        Of each, for the legend; needed where there are several.
    weighted
        Sizes and shapes of the grains by their area or volume instead of their number.
    caption
        Print below the figure how it was counted.
    size
        Width and height in inches.
    ink
        Colour of axes and letters; the ground is transparent.

    Raises
    ------
    ValueError
        If they measure different things, as sections and volumes, or have no names.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not distributions:
        raise ValueError("nothing to draw")
    check_comparable(*distributions)
    if len(distributions) > 1 and len(names) != len(distributions):
        raise ValueError("several distributions in one figure need a name each")
    with rc_context({**_STYLE, "text.color": ink, "axes.labelcolor": ink, "axes.edgecolor": ink,
                     "xtick.color": ink, "ytick.color": ink}):  # fmt: skip
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        kind = distributions[0].kind
        polar = {"projection": "polar"} if kind == "traces" else {}
        axes: Any = figure.add_subplot(**polar)
        axes.patch.set_alpha(0)
        painter = _PAINTERS.get(kind, _grains)
        painter(axes, list(distributions), list(names), weighted, ink)
        if caption:
            _write_caption(figure, distributions, names, size)
        _legend(axes, kind, size[0])
    return figure


def _legend(axes: Any, kind: str, width: float) -> None:
    handles, words = axes.get_legend_handles_labels()
    if not handles:
        return
    # beside the curves, which may be anywhere
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}
    place["ncols"] = _columns(words, width)
    if kind == "traces":
        place = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0)}
    axes.legend(fontsize=_LEGEND, frameon=False, borderaxespad=0.2, columnspacing=1.5, **place)


def _columns(words: Sequence[str], width: float) -> int:
    """Return in how many columns the words of a legend fit above axes, in inches."""
    # with their sign; on a screen letters are up to 5 % wider
    inches = [1.05 * text_width(one, _LEGEND) / MM + 0.5 for one in words]
    most = 3 if len(words) == 3 else min(2, len(words))
    for columns in range(most, 1, -1):
        parts = np.array_split(inches, columns)  # as matplotlib deals them out
        if sum(float(part.max()) for part in parts) < width - _LEFT:
            return columns
    return 1


def _write_caption(
    figure: Any,
    distributions: Sequence[Distribution],
    names: Sequence[str],
    size: tuple[float, float],
) -> None:
    several = len(distributions) > 1
    lines = []
    for place, one in enumerate(distributions):
        text = f"{names[place]}: {one.caption}" if several else one.caption
        lines += textwrap.wrap(text, int(size[0] * 19))
    figure.supxlabel("\n".join(lines), fontsize=6.5, x=0.02, ha="left")


def _n(one: Distribution) -> str:
    return f"n = {one.facts.get('n', 0):,.0f}".replace(",", "\u202f")


def _label(name: str, unit: str) -> str:
    if name.startswith("gos "):
        name = f"orientation spread (GOS) {name.removeprefix('gos ')}"
    name = name[:1].upper() + name[1:]
    return f"{name} ({unit})" if unit else name


# --- painters ------------------------------------------------------------------------------------


def _grains(
    axes: Any, several: list[Distribution], names: list[str], weighted: bool, ink: str
) -> None:
    first = several[0]
    column = next(c for c in first.columns if c in ("area share", "volume share"))
    column = column if weighted else "number share"
    for place, one in enumerate(several):
        edges, share = one.columns["edges"], 100 * one.columns[column]
        name = f"{names[place]}, {_n(one)}" if names else _n(one)
        colour = COLOURS[place % len(COLOURS)]
        axes.stairs(
            share,
            edges,
            fill=len(several) == 1,
            color=colour,
            alpha=0.75,
            label=name,
            linewidth=1.4,
        )
        if one.kind == "size" and not weighted:
            _lognormal(axes, one, GREY if len(several) == 1 else colour)
        _mark_mean(axes, one, weighted, colour if len(several) > 1 else ink)
    if first.log:
        _logarithmic(axes)
    else:
        low = min(one.columns["edges"][0] for one in several)
        high = max(one.columns["edges"][-1] for one in several)
        # sizes from zero, so that the smallest grain that is counted is seen
        axes.set_xlim(0 if first.kind == "size" else low, high)
    axes.set_ylim(0)
    axes.set_xlabel(_label(first.measure, first.unit))
    what = column.removesuffix(" share")
    axes.set_ylabel("Grains (% of number)" if not weighted else f"Grains (% of {what})")


def _logarithmic(axes: Any) -> None:
    """Numbers as they are: powers of ten say little where an axis spans one or two of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _mark_mean(axes: Any, one: Distribution, weighted: bool, colour: str) -> None:
    found = [f for f in one.facts if f.endswith("-weighted mean")] if weighted else ["mean"]
    value = one.facts[found[0]] if found else np.nan
    if np.isfinite(value):
        unit = f" {one.unit}" if one.unit not in ("", "°") else one.unit
        label = f"{found[0]} {value:.3g}{unit}"
        axes.axvline(value, color=colour, linestyle="--", linewidth=1, label=label)


def _lognormal(axes: Any, one: Distribution, colour: str) -> None:
    """Draw the lognormal distribution, as shares of the same bins so that the heights agree."""
    mu, sigma = one.facts["lognormal mu"], one.facts["lognormal sigma"]
    if not sigma > 0:
        return
    edges = one.columns["edges"]
    x = np.geomspace(max(edges[0], edges[-1] / 1e3), edges[-1], 400)
    width = (
        np.log(edges[1] / edges[0]) * x if one.log else np.full(len(x), float(edges[1] - edges[0]))
    )
    density = np.exp(-((np.log(x) - mu) ** 2) / (2 * sigma**2)) / (x * sigma * np.sqrt(2 * np.pi))
    label = f"lognormal, σ = {sigma:.2f}"
    axes.plot(x, 100 * density * width, color=colour, linewidth=1.2, label=label)


def _misorientation(
    axes: Any, several: list[Distribution], names: list[str], weighted: bool, ink: str
) -> None:
    for place, one in enumerate(several):
        edges = one.columns["edges"]
        width, middles = np.diff(edges), (edges[1:] + edges[:-1]) / 2
        prefix = f"{names[place]}: " if names else ""
        colour = COLOURS[place % len(COLOURS)]
        axes.stairs(
            one.columns["correlated"] / width, edges, fill=len(several) == 1, color=colour,
            alpha=0.75, label=f"{prefix}neighbours, {_n(one)}", linewidth=1.4,
        )  # fmt: skip
        # dark with a light middle: seen on the bars, and beside them
        alone = len(several) == 1
        axes.plot(middles, one.columns["uncorrelated"] / width, "o", markersize=3,
                  color=ink if alone else colour, markerfacecolor="white" if alone else "none",
                  markeredgewidth=0.8, label=f"{prefix}any two points")  # fmt: skip
    one = several[0]
    edges = one.columns["edges"]
    axes.plot((edges[1:] + edges[:-1]) / 2, one.columns["random"] / np.diff(edges), "-",
              color=ink, linewidth=1.2, label="random")  # fmt: skip
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(0)
    axes.set_xlabel("Misorientation angle (°)")
    axes.set_ylabel("Density (1/°)")


def _bars(
    axes: Any, several: list[Distribution], names: list[str], weighted: bool, ink: str
) -> None:
    """Draw shares of things with names: classes of boundaries, phases."""
    words = [str(w) for w in next(iter(several[0].columns.values()))]
    if any([str(w) for w in next(iter(d.columns.values()))] != words for d in several):
        raise ValueError(f"{several[0].measure}: the same names are needed to compare")
    height = 0.8 / len(several)
    for place, one in enumerate(several):
        share = 100 * np.asarray(one.columns["share"], np.float64)
        at = np.arange(len(words)) + (place - (len(several) - 1) / 2) * height
        name = names[place] if names else None
        axes.barh(at, share, height, color=COLOURS[place % len(COLOURS)], alpha=0.8, label=name)
        for y, value in zip(at, share, strict=True):
            axes.annotate(f"{value:.1f}", (value, y), (3, 0), textcoords="offset points",
                          va="center", fontsize=8)  # fmt: skip
    axes.set_yticks(np.arange(len(words)), words)
    axes.invert_yaxis()
    largest = max(float(np.max(one.columns["share"], initial=0.01)) for one in several)
    axes.set_xlim(0, 112 * largest)
    count = "" if names else f", {_n(several[0])}"
    axes.set_xlabel(f"{_label(several[0].measure, '%')}{count}")


def _rose(
    axes: Any, several: list[Distribution], names: list[str], weighted: bool, ink: str
) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.ticker import MaxNLocator

    axes.set_theta_direction(-1)  # y points down
    axes.set_axisbelow(True)
    axes.grid(linewidth=0.5)
    for place, one in enumerate(several):
        angle = np.radians(one.columns["angle"])
        both = np.concatenate([angle, angle + np.pi])  # a line has no sense
        density = np.tile(one.columns["share"] * len(angle), 2)  # in multiples of an even share
        colour = COLOURS[place % len(COLOURS)]
        name = f"{names[place]}, {_n(one)}" if names else _n(one)
        if len(several) == 1:
            axes.bar(both, density, width=np.pi / len(angle), color=colour, alpha=0.75,
                     edgecolor="white", linewidth=0.5, label=name)  # fmt: skip
        else:
            axes.plot([*both, both[0]], [*density, density[0]], color=colour, label=name)
    round_about = np.linspace(0, 2 * np.pi, 181)
    axes.plot(round_about, np.ones(181), color=ink, linewidth=0.8, linestyle="--", label="even")
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    first = several[0].columns  # numbers where the fewest bars are in their way
    axes.set_rlabel_position(float(first["angle"][np.argmin(first["share"])]))
    axes.tick_params(labelsize=8)
    ground = "white" if np.mean(to_rgb(ink)) < 0.5 else "black"
    for number in axes.get_yticklabels():
        number.set_bbox({"boxstyle": "round,pad=0.1", "color": ground, "alpha": 0.75})
    axes.set_thetagrids(range(0, 360, 45), ["0° (x)", "45°", "90° (y)", "135°", "180°", "", "", ""])


_PAINTERS: dict[str, Callable[[Any, list[Distribution], list[str], bool, str], None]] = {
    "size": _grains,
    "property": _grains,
    "misorientation": _misorientation,
    "classes": _bars,
    "phases": _bars,
    "traces": _rose,
}


# --- files ---------------------------------------------------------------------------------------


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as .png, .svg or .pdf, on white; all or nothing.

    Raises
    ------
    ValueError
        If the name ends in something else.
    UnreadableFile
        If the file cannot be written.
    """
    from matplotlib import rc_context

    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{path.name}: a figure is written as .png, .svg or .pdf")
    try:
        with replace_atomically(path) as temporary, rc_context(_STYLE):
            figure.savefig(temporary, dpi=300, format=ending[1:], facecolor="white")
    except OSError as error:
        raise cannot_write(path, error) from error


def save_numbers(distribution: Distribution, path: str | Path, about: str = "") -> None:
    """Write the columns as .csv, with what they mean in lines that begin with #.

    Parameters
    ----------
    distribution
        What to write.
    path
        The file.
    about
        Where the numbers are from: the map.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    path = Path(path)
    try:
        with (
            replace_atomically(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            unit = f" ({distribution.unit})" if distribution.unit else ""
            head = [f"{distribution.measure}{unit}", about, distribution.caption]
            head += [f"{name}: {value:.6g}" for name, value in distribution.facts.items()]
            # not as cells: a quote before the # would hide the comment from programs that read it
            file.writelines(f"# {line}\n" for line in head if line)
            _write_columns(writer, distribution.columns)
    except OSError as error:
        raise cannot_write(path, error) from error


def _write_columns(writer: Any, columns: dict[str, NDArray[Any]]) -> None:
    """Write columns; one that is shorter than the others ends in empty cells."""
    writer.writerow(columns)
    lists = [column.tolist() for column in columns.values()]
    for row in range(max(map(len, lists), default=0)):
        writer.writerow([one[row] if row < len(one) else "" for one in lists])
