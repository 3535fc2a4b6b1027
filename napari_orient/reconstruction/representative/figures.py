"""What does a reader look at? Reference beside result, in one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.reconstruction.representative.distributions import (
    misorientations,
    size_distributions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.reconstruction.representative.curve_rows import CurvePair, ErrorMaps
    from napari_orient.reconstruction.representative.planes import Plane
    from napari_orient.reconstruction.representative.verdict import Comparison

NAMES = ("reference", "result")
BLUE, RED = "#1c6fb7", "#d9480f"
_STYLE: dict[Any, Any] = {
    "font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42,
}  # fmt: skip
_WIDE = 180.0  # mm
_SHOWN = 3  # sections of each
_GAP, _TITLE = 3.0, 7.5  # mm between sections, and above them
_INCH = 25.4
_DPI = 200
_SIZE = (3.5, 3.3)  # inches, three in a row


class Shown(NamedTuple):
    """A figure, what it is, and what has to be said of it."""

    title: str
    words: str
    figures: tuple[Figure, ...]


class Drawn(NamedTuple):
    """The same, as pictures (rows, columns, 4) uint8."""

    title: str
    words: str
    pictures: tuple[NDArray[np.uint8], ...]


def figures_of(one: Comparison) -> Iterator[Shown]:
    """Draw what a comparison is judged by."""
    unit = one.reference.planes[0].map.unit.replace("um", "µm")
    yield Shown(
        "Sections",
        "Colours: crystal direction along z, into the page (inverse pole figure). All in one "
        "scale.",
        (sections_figure(one),),
    )
    yield from _grain_figures(one, unit)
    yield _texture_figures(one)
    yield Shown(
        "Correlations",
        "Bands: 95 % of each curve, where patches of grains are drawn again. Two-point correlation "
        "of the harmonics, their products summed; variogram of order 1, half the mean of absolute "
        "differences, summed.",
        (curves_figure(one.curves, unit, _diameter(one)),),
    )
    middle, low, high = (100 * v for v in one.errors.chance)
    yield Shown(
        "Variograms over the window",
        f"Three of {one.errors.reference.shape[1]} harmonics. Of all lags and harmonics "
        f"{100 * one.errors.share:.3g} % are within {100 * one.errors.within:g} % (white "
        f"line: the limit); of equal materials of this size it is {middle:.0f} % ({low:.0f} to "
        f"{high:.0f} %): this share is no verdict.",
        (error_figure(one.errors, one.reference.planes[0].map.step[0], unit),),
    )


def _diameter(one: Comparison) -> float:
    sizes = one.reference.sample.diameter
    return float(sizes.mean()) if len(sizes) else np.nan


def drawn_of(shown: Shown) -> Drawn:
    """Draw the figures of a part, once for all formats."""
    return Drawn(shown.title, shown.words, tuple(_picture(figure) for figure in shown.figures))


def _picture(figure: Any) -> NDArray[np.uint8]:
    """(rows, columns, 4) of a figure on white, fine enough for print."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(_DPI)
    figure.patch.set(facecolor="white", alpha=1.0)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


# --- sections ------------------------------------------------------------------------------------


def sections_figure(one: Comparison) -> Figure:
    """Draw sections of both, with one key and one scale bar.

    Those of the reference above those of the result, or beside where there is one of each.
    """
    from napari_orient.analysis.texture.page import new_page
    from napari_orient.crystal.figure_keys import FINE, Key, draw_key, key_size
    from napari_orient.crystal.legends import ipf_legend

    sides = [chosen(one.reference.planes), chosen(one.result.planes)]
    key = Key(ipf_legend(one.phase.point_group, FINE), f"{one.phase.name}, ∥ z")
    wide, tall = key_size(key, 8)
    beside = max(map(len, sides)) == 1
    columns = 2 if beside else _SHOWN
    rows, columns_of_map = sides[0][0].map.shape
    each = (_WIDE - wide - 6 - _GAP * columns) / columns
    each = min(each, 75.0 * columns_of_map / rows)
    high = each * rows / columns_of_map
    page_high = (1 if beside else 2) * (high + _TITLE) + 4
    figure, page = new_page(_WIDE, max(page_high, _TITLE + tall + 2))
    furthest = 0.0
    for number, (name, planes) in enumerate(zip(NAMES, sides, strict=True)):
        left, top = 1.0, number * (high + _TITLE)
        if beside:
            left, top = 1 + number * (each + _GAP), 0.0
        page.text(left, top + _TITLE / 2, name.capitalize(), fontsize=10, weight="bold",
                  va="center")  # fmt: skip
        for plane in planes:
            _paint(page, plane.map, (left, top + _TITLE, each, high))
            right = (left + each, top + _TITLE - 1)
            page.text(*right, _where(plane), fontsize=7, ha="right", va="bottom")
            left += each + _GAP
        furthest = max(furthest, left)
    _scale_bar(page, sides[0][0].map, (1, _TITLE, each, high))
    left, down = min(_WIDE - wide - 2, furthest + 2), figure.get_size_inches()[1] * _INCH
    place = (left / _WIDE, 1 - (_TITLE + tall) / down, wide / _WIDE, tall / down)
    axes: Any = figure.add_axes(place)
    axes.set_axis_off()
    draw_key(axes, key, 8)
    return figure


def chosen(planes: Sequence[Plane]) -> list[Plane]:
    """Views to show: one from the middle of each axis, or some of those that there are."""
    axes = sorted({p.axis for p in planes})
    if len(axes) > 1:
        of_axes = [[p for p in planes if p.axis == axis] for axis in axes]
        return [own[len(own) // 2] for own in of_axes]
    places = np.unique(np.linspace(0, len(planes) - 1, _SHOWN).round().astype(int))
    return [planes[n] for n in places]


def _where(plane: Plane) -> str:
    if plane.bodies is None:
        return ""
    right, down = (("x", "y"), ("x", "z"), ("y", "z"))[plane.axis]
    return f"across {plane.across}: {right} right, {down} down"


def _paint(page: Any, one: OrientationMap, box: tuple[float, float, float, float]) -> None:
    from napari_orient.crystal.colors import ipf_image

    left, top, wide, high = box
    image = ipf_image(one, "Z").astype(float) / 255
    alpha = image[..., 3:]
    ground = 0.85  # grey where nothing is indexed
    page.imshow(
        image[..., :3] * alpha + ground * (1 - alpha), interpolation="nearest", aspect="auto",
        extent=(left, left + wide, top + high, top),
    )  # fmt: skip
    page.plot(
        [left, left + wide, left + wide, left, left], [top, top, *(top + high,) * 2, top],
        color="black", linewidth=0.5,
    )  # fmt: skip


def _scale_bar(page: Any, one: OrientationMap, box: tuple[float, float, float, float]) -> None:
    from matplotlib.patches import Rectangle

    from napari_orient.crystal.figure import Picture, bar_length

    left, top, wide, high = box
    length, words = bar_length(
        Picture(np.zeros((*one.shape, 4), np.uint8), (one.step[0], one.step[1]), one.unit)
    )
    bar = length / (one.shape[1] * one.step[1]) * wide
    across = max(bar, 1.6 * len(words)) + 2
    x, y = left + 1, top + high - 1
    page.add_patch(Rectangle((x, y - 5.4), across, 5.4, facecolor="black", alpha=0.65, zorder=3))
    start = x + (across - bar) / 2
    page.add_patch(Rectangle((start, y - 1.4), bar, 0.7, facecolor="white", zorder=4))
    page.text(x + across / 2, y - 1.8, words, fontsize=7.5, color="white", ha="center",
              va="bottom", zorder=4)  # fmt: skip


# --- grains and texture --------------------------------------------------------------------------


def _grain_figures(one: Comparison, unit: str) -> Iterator[Shown]:
    from napari_orient.analysis.grain_plots import draw

    drawn = []
    sizes = size_distributions(one.reference.sample, one.result.sample, unit)
    if sizes is not None:
        drawn += [
            draw(*sizes, names=NAMES, weighted=w, caption=False, size=_SIZE) for w in (False, True)
        ]
    apart = [misorientations(side) for side in (one.reference, one.result)]
    if apart[0] is not None and apart[1] is not None:
        drawn.append(draw(apart[0], apart[1], names=NAMES, caption=False, size=_SIZE))
    if drawn:
        yield Shown(
            "Grains and boundaries",
            "Sizes are of sections of grains that lie whole in a view: by number, and by area. "
            "Misorientations between neighbouring points of two grains, beside those of any two "
            "points of the same views, and of crystals at random (Mackenzie for cubic ones).",
            tuple(drawn),
        )


def _texture_figures(one: Comparison) -> Shown:
    from napari_orient.analysis.texture.figures import PoleFigures
    from napari_orient.analysis.texture.poles import default_poles

    sheets = [PoleFigures(odf, default_poles(one.phase), of="grains") for odf in one.odfs]
    directions = _half_sphere()
    most = max(float(d.at(directions).max()) for sheet in sheets for d in sheet.densities)
    figures = []
    for name, sheet in zip(NAMES, sheets, strict=True):
        figure = PoleFigures(sheet.odf, sheet.poles, of="grains", most=most).draw()
        page = figure.axes[0]
        page.text(1, 32, name.capitalize(), fontsize=9, weight="bold", rotation=90, va="center")
        figures.append(figure)
    return Shown("Pole figures", "Both in one colour scale.", tuple(figures))


def _half_sphere(n: int = 4000) -> NDArray[np.float64]:
    height = (np.arange(n) + 0.5) / n
    turn = np.arange(n) * np.pi * (3 - np.sqrt(5))
    wide = np.sqrt(1 - height**2)
    return np.stack([wide * np.cos(turn), wide * np.sin(turn), -height], axis=1)


# --- correlations --------------------------------------------------------------------------------


def curves_figure(pairs: Sequence[CurvePair], unit: str, diameter: float) -> Figure:
    """Draw the curves of both sides with their bands, side by side."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDE / _INCH, 68 / _INCH), layout="constrained")
        for n, pair in enumerate(pairs):
            axes: Any = figure.add_subplot(1, len(pairs), n + 1)
            for name, colour, values, band in zip(
                NAMES, (BLUE, RED), pair.values, pair.bands, strict=True
            ):
                axes.fill_between(pair.distances, *band, color=colour, alpha=0.2, linewidth=0)
                axes.plot(pair.distances, values, color=colour, linewidth=1.2, label=name)
            axes.set_xlim(0, pair.distances[-1])
            if np.isfinite(diameter) and diameter < pair.distances[-1]:
                axes.axvline(diameter, color="0.6", linewidth=0.7, linestyle=":")
                axes.annotate(
                    "mean grain diameter", (diameter, 0.5), (2, 0), rotation=90, fontsize=6.5,
                    xycoords=("data", "axes fraction"), textcoords="offset points", color="0.4",
                    va="center",
                )  # fmt: skip
            axes.set_xlabel(f"Distance of two points ({unit})")
            axes.set_ylabel(pair.name.capitalize())
            axes.legend(frameon=False)
    return figure


def error_figure(maps: ErrorMaps, step: float, unit: str) -> Figure:
    """Draw variograms of three harmonics over the window, of both sides, and the relative error."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    count = maps.reference.shape[1]
    modes = np.unique([0, count // 2, count - 1])
    far = (int(np.abs(maps.lags).max()) + 0.5) * step
    box = (-far, far, far, -far)
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDE / _INCH, 150 / _INCH), layout="constrained")
        grid: Any = figure.subplots(3, len(modes), squeeze=False, sharex=True, sharey=True)
        for column, mode in enumerate(modes):
            both = [full_window(maps.lags, m[:, mode]) for m in (maps.reference, maps.result)]
            top = float(np.nanmax(both))
            for row, image in enumerate(both):
                shown = grid[row, column].imshow(
                    image, extent=box, vmin=0, vmax=top, cmap="viridis"
                )
            figure.colorbar(shown, ax=list(grid[:2, column]), shrink=0.6, pad=0.02)
            error = 100 * full_window(maps.lags, maps.error[:, mode])
            axes, limit = grid[2, column], 100 * maps.within
            shown = axes.imshow(error, extent=box, vmin=0, vmax=3 * limit, cmap="magma")
            figure.colorbar(shown, ax=axes, extend="max", pad=0.02)
            axes.contour(
                np.nan_to_num(error), levels=[limit], colors="white", linewidths=0.7, extent=box,
                origin="upper",
            )  # fmt: skip
            grid[0, column].set_title(f"harmonic {mode + 1}", fontsize=8)
            grid[2, column].set_xlabel(f"lag along columns ({unit})")
        for row, words in enumerate(("Reference", "Result", "Relative error (%)")):
            grid[row, 0].set_ylabel(f"{words}\nlag along rows ({unit})")
    return figure


def full_window(lags: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (n,) of half a window on all of it: a lag and its opposite are alike."""
    far = int(np.abs(lags).max())
    made = np.zeros((2 * far + 1, 2 * far + 1))
    made[lags[:, 0] + far, lags[:, 1] + far] = values
    made[far - lags[:, 0], far - lags[:, 1]] = values
    made[far, far] = np.nan
    return made
