"""How does a page with densities look? In millimetres, with one colour bar and notes below."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from napari_orient.crystal.figure_text import (
    MM,
    line_height,
    text_width,
    without_minus,
    wrapped,
    write_indices,
)
from napari_orient.data.images import cannot_write
from napari_orient.files import replace_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

LETTERS, SMALL = 9.0, 7.5  # points
MARGIN, BAR_ROOM = 3.0, 20.0  # mm
SUFFIXES = (".png", ".svg", ".pdf", ".csv")
_BAR, _TICK = 3.5, 1.0  # mm
_FULL = 0.94  # of the width between the margins that a line of a note fills
_LINE = {"colors": "black", "linewidths": 0.35, "alpha": 0.55}


class Sheet(Protocol):
    """A figure that can also be written as numbers."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What it shows, in which frame and unit."""

    def draw(self) -> Figure:
        """Return it for print."""

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return its numbers, columns of one length."""


class Scale(NamedTuple):
    """Colours of densities: from zero to ``most``, in mrd.

    Attributes
    ----------
    most
        Value of the last colour.
    colours
        Name of a colour map of matplotlib.
    """

    most: float
    colours: str

    @property
    def levels(self) -> NDArray[np.float64]:
        """Round values between, where contour lines run."""
        from matplotlib.ticker import MaxNLocator

        ticks = np.asarray(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(0, self.most))
        return ticks[(ticks > 0) & (ticks < self.most * 0.999)]

    def image(self, values: NDArray[np.float64], inside: NDArray[np.float64]) -> Any:
        """(rows, columns, 4) RGBA of values (rows, columns), transparent where not inside."""
        from matplotlib import colormaps

        rgba = np.asarray(colormaps[self.colours](np.clip(values / self.most, 0, 1)))
        rgba[..., 3] = inside
        return rgba


def scale_for(densities: Sequence[NDArray[np.float64]], most: float | None, colours: str) -> Scale:
    """Return the common scale of several densities; ``most`` overrules their maximum."""
    highest = max(float(np.nanmax(one)) for one in densities) if most is None else float(most)
    if not (np.isfinite(highest) and highest > 0):
        raise ValueError(f"largest density {highest:g}: a number above zero is needed")
    return Scale(highest, colours)


def new_page(width: float, height: float) -> tuple[Figure, Any]:
    """Return a figure and axes over all of it, in mm from the upper left corner."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / MM, height / MM), dpi=150, facecolor="white")
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure, axes


def note_lines(notes: Sequence[str], width: float) -> tuple[str, ...]:
    """Break notes into lines that a page has room for; letters on a screen are a little wider."""
    return wrapped(notes, _FULL * (width - 2 * MARGIN), SMALL)


def notes_height(notes: Sequence[str], width: float) -> float:
    """Return the mm that notes need."""
    return len(note_lines(notes, width)) * line_height(SMALL) + MARGIN


def write_notes(axes: Any, notes: Sequence[str], top: float, width: float) -> None:
    """Write notes, each on lines of its own, from ``top`` down."""
    for number, line in enumerate(note_lines(notes, width)):
        y = top + number * line_height(SMALL)
        axes.text(MARGIN, y, line, fontsize=SMALL, va="top", ha="left")


def words_width(words: str, size: float) -> float:
    """Return the mm of words; minus signs of indices are bars, and take no room."""
    return text_width(without_minus(words)[0], size)


def write_centred(axes: Any, middle: float, y: float, words: str, size: float = LETTERS) -> None:
    """Write words, indices with bars, centred at (middle, y)."""
    write_indices(axes, middle - words_width(words, size) / 2, y, words, size)


def paint(
    axes: Any,
    scale: Scale,
    values: NDArray[np.float64],
    inside: NDArray[np.float64],
    box: tuple[float, float, float, float],
) -> list[Any]:
    """Paint values (rows, columns), 0 to 1 inside, into (left, top, width, height) of a page.

    Returns
    -------
    contours
        The lines at the levels of the scale, and the dashed one at 1 mrd, to be clipped.
    """
    left, top, width, height = box
    axes.imshow(
        scale.image(values, inside), aspect="auto", interpolation="antialiased",
        extent=(left, left + width, top + height, top),
    )  # fmt: skip
    rows, columns = values.shape
    x = left + (np.arange(columns) + 0.5) * width / columns
    y = top + (np.arange(rows) + 0.5) * height / rows
    shown = np.where(inside > 0, values, np.nan)
    low, high = np.nanmin(shown), np.nanmax(shown)
    lines = []
    for levels, style in ((scale.levels, "solid"), (np.ones(1), "dashed")):
        kept = [v for v in levels if low < v < high and (v == 1) == (style == "dashed")]
        if kept:
            lines.append(axes.contour(x, y, shown, levels=kept, linestyles=style, **_LINE))
    return lines


def draw_bar(axes: Any, scale: Scale, left: float, top: float, height: float) -> None:
    """Draw the colour bar upright, its lines where the contours are; values in mrd."""
    from matplotlib import colormaps

    ramp = np.asarray(colormaps[scale.colours](np.linspace(1, 0, 256)))[:, None]
    extent = (left, left + _BAR, top + height, top)
    axes.imshow(ramp, aspect="auto", extent=extent, interpolation="bilinear")
    axes.plot(
        [left, left + _BAR, left + _BAR, left, left], [top, top, *(top + height,) * 2, top],
        color="black", linewidth=0.5,
    )  # fmt: skip
    near = 0.09 * scale.most  # a level so near to the end is not written over it
    levels = [0.0, *(v for v in scale.levels if v < scale.most - near), scale.most]
    for value in levels:
        y = top + height * (1 - value / scale.most)
        start = left + _BAR if value in (0.0, scale.most) else left
        axes.plot([start, left + _BAR + _TICK], [y, y], color="black", linewidth=0.5)
        axes.text(
            left + _BAR + 1.6 * _TICK, y, f"{value:.3g}", fontsize=SMALL, ha="left", va="center"
        )
    axes.text(left, top - 1.5, "mrd", fontsize=SMALL, ha="left", va="bottom")


def save_sheet(sheet: Sheet, path: str | Path, *, dpi: int = 300) -> None:
    """Write a sheet as .png, .svg or .pdf, or its numbers as .csv; all or nothing.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    ValueError
        For another ending of its name.
    """
    from matplotlib import rc_context

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path.name}: figures are saved as {', '.join(SUFFIXES)}")
    try:
        with replace_atomically(path) as temporary:
            if suffix == ".csv":
                _write_columns(sheet, temporary)
                return
            # letters stay letters, so that an editor can change them
            with rc_context({"svg.fonttype": "none"}):
                sheet.draw().savefig(temporary, dpi=dpi, format=suffix[1:])
    except OSError as error:
        raise cannot_write(path, error) from error


def _write_columns(sheet: Sheet, path: Path) -> None:
    columns = sheet.columns()
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("# " + " ".join(sheet.notes) + "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([f"{value:.6g}" for value in row])
