"""How is a picture printed? With key, scale bar and notes, at the width of a journal's column.

The picture is drawn from its data: one pixel of the data covers a whole number of pixels of the
figure, nothing is interpolated. In .svg and .pdf all words, keys' labels and marks are vectors.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from napari_orient.config import Config
from napari_orient.crystal.figure_keys import draw_bar, draw_key, key_size
from napari_orient.crystal.figure_text import LINE, MM, line_height, wrapped
from napari_orient.data.images import cannot_write
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.crystal.figure_keys import ColourBar, Key
    from napari_orient.jobs import Job

SUFFIXES = (".png", ".svg", ".pdf")
MARGIN = 1.0  # mm
GAP = 2.0  # mm between the parts
BAR_WIDTH = 34.0  # mm of a colour bar
MOST_HEIGHT = 230.0  # mm, a printed page


class Print(Config):
    """How a figure is printed."""

    width: float = Field(85.0, ge=30, le=400, description="width of the figure, in mm")
    dpi: int = Field(600, ge=72, le=1200, description="pixels per inch (of .png)")
    font_size: float = Field(7.0, ge=4, le=20, description="size of the letters, in points")
    scale_bar: bool = Field(True, description="draw a scale bar into the picture")
    keys: bool = Field(True, description="draw the colour keys and colour bars")
    notes: bool = Field(True, description="write below what the picture shows, and its frame")
    ground: Literal["white", "black"] = Field("white", description="behind transparent pixels")


@dataclass(frozen=True, eq=False)
class Mark:
    """A line in the picture: ``points`` (n, 2) are (row, column) in its pixels."""

    points: NDArray[np.float64]
    colour: Any = "yellow"
    width: float = 0.8
    closed: bool = True
    fill: Any = None


@dataclass(frozen=True, eq=False)
class Picture:
    """What is printed.

    Attributes
    ----------
    image
        (rows, columns, 4) uint8 RGBA, one pixel of the data each.
    step
        (dy, dx), the distance of pixel centres in ``unit``.
    unit
        "nm", "um", "1/Å" or another; "px" where no step is known.
    title
        Written above.
    notes
        Sentences written below: what is shown, in which frame.
    keys, bars, marks
        Colour keys, colour bars and lines.
    """

    image: NDArray[np.uint8]
    step: tuple[float, float] = (1.0, 1.0)
    unit: str = "px"
    title: str = ""
    notes: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    bars: tuple[ColourBar, ...] = ()
    marks: tuple[Mark, ...] = field(default=())


@dataclass(frozen=True)
class _Layout:
    """Places in mm from the top left corner: (left, top, width, height)."""

    size: tuple[float, float]
    image: tuple[float, float, float, float]
    notes: tuple[str, ...]
    notes_at: tuple[float, float]
    bars: tuple[tuple[float, float], ...]
    keys: tuple[tuple[float, float], ...]


def draw(picture: Picture, how: Print | None = None) -> Any:
    """Return a matplotlib ``Figure`` of a picture; no window, no global state.

    Raises
    ------
    ValueError
        If the picture has no pixels.
    """
    from matplotlib.figure import Figure

    if 0 in picture.image.shape:
        raise ValueError("there is nothing to print: the picture has no pixels")
    how = how or Print()
    layout = _arrange(picture, how)
    width, height = layout.size
    figure = Figure(figsize=(width / MM, height / MM), dpi=how.dpi, facecolor="white")
    axes = _axes(figure, layout, layout.image)
    rows, columns = picture.image.shape[:2]
    axes.imshow(_on_ground(picture.image, how.ground), interpolation="nearest", aspect="auto")
    _draw_marks(axes, picture.marks)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    if how.scale_bar:
        _draw_scale_bar(axes, picture, layout.image[2], how.font_size)
    if picture.title:
        _write(figure, layout, (layout.image[0], MARGIN), picture.title, how.font_size + 1)
    _write(figure, layout, layout.notes_at, "\n".join(layout.notes), how.font_size)
    for bar, (left, top) in zip(picture.bars, layout.bars, strict=False):
        draw_bar(_axes(figure, layout, (left, top, BAR_WIDTH, 2.5)), bar, how.font_size)
    for key, (left, top) in zip(picture.keys, layout.keys, strict=False):
        across, down = key_size(key, how.font_size)
        draw_key(_axes(figure, layout, (left, top, across, down)), key, how.font_size)
    return figure


def _arrange(picture: Picture, how: Print) -> _Layout:
    """Give all parts their places: title, picture, below it bars and notes, keys on the right."""
    line = line_height(how.font_size)
    top = MARGIN + (1.4 * line if picture.title else 0)
    image = _image_box(picture, how, top)
    below = image[1] + image[3] + GAP
    inner = how.width - 2 * MARGIN
    sizes = [key_size(key, how.font_size) for key in picture.keys] if how.keys else []
    needed = sum(w + GAP for w, _ in sizes)
    beside = bool(sizes) and inner - needed > 0.4 * inner
    # words begin below the picture's left edge, which may lie further in than the margin
    text_width = inner - (image[0] - MARGIN) - (needed if beside else 0.0)
    bars, down = [], below
    for number, _ in enumerate(picture.bars if how.keys else ()):
        across = max(1, int((text_width + GAP) // (BAR_WIDTH + 4 * GAP)))
        left = image[0] + 2 + (number % across) * (BAR_WIDTH + 4 * GAP)
        top = below + (number // across) * (2.5 + 1.6 * line + GAP)
        down = top + 2.5 + 1.6 * line + GAP
        bars.append((left, top))
    # on a screen, letters sit on whole pixels and are up to 5 % wider
    room = 0.94 * text_width
    notes = wrapped(picture.notes, room, how.font_size) if how.notes else ()
    notes_at = (image[0], down)
    down += len(notes) * line + (GAP if notes else 0)
    keys, end = _place_keys(sizes, how.width, below if beside else down, beside)
    end = max(down, end)
    return _Layout((how.width, end), image, notes, notes_at, tuple(bars), tuple(keys))


def _place_keys(
    sizes: list[tuple[float, float]], width: float, top: float, to_right: bool
) -> tuple[list[tuple[float, float]], float]:
    """Fill rows with keys from the left, or up to the right margin; return places and the end."""
    places: list[tuple[float, float]] = []
    row: list[tuple[float, float]] = []
    for size in [*sizes, None]:
        full = sum(w + GAP for w, _ in row) + (size[0] if size else 0) > width - 2 * MARGIN
        if row and (size is None or full):
            spare = width - 2 * MARGIN - sum(w for w, _ in row) - GAP * (len(row) - 1)
            left = MARGIN + (max(0.0, spare) if to_right else 0.0)
            for w, _ in row:
                places.append((left, top))
                left += w + GAP
            top += max(h for _, h in row) + GAP
            row = []
        if size is not None:
            row.append(size)
    return places, top


def _image_box(picture: Picture, how: Print, top: float) -> tuple[float, float, float, float]:
    """Make the picture as wide as a whole number of figure pixels per data pixel allows."""
    rows, columns = picture.image.shape[:2]
    dy, dx = picture.step
    tall = rows * dy / (columns * dx)
    width = min(how.width - 2 * MARGIN, 0.75 * MOST_HEIGHT / tall)
    pixel = MM / how.dpi  # of the figure, in mm
    times = math.floor(width / pixel / columns)
    if times >= 1:
        width = times * columns * pixel
    left = round((how.width - width) / 2 / pixel) * pixel
    top = round(top / pixel) * pixel
    return left, top, width, width * tall


def _on_ground(image: NDArray[np.uint8], ground: str) -> NDArray[np.uint8]:
    alpha = image[..., 3:].astype(np.float32) / 255
    behind = 255.0 if ground == "white" else 0.0
    return np.rint(image[..., :3] * alpha + behind * (1 - alpha)).astype(np.uint8)


def _axes(figure: Any, layout: _Layout, box: tuple[float, float, float, float]) -> Any:
    (width, height), (left, top, across, down) = layout.size, box
    place = (left / width, 1 - (top + down) / height, across / width, down / height)
    axes = figure.add_axes(place)
    axes.set_axis_off()
    return axes


def _write(
    figure: Any, layout: _Layout, at: tuple[float, float], words: str, font_size: float
) -> None:
    width, height = layout.size
    figure.text(
        at[0] / width, 1 - at[1] / height, words,
        fontsize=font_size, color="black", ha="left", va="top", linespacing=LINE,
    )  # fmt: skip


def _draw_marks(axes: Any, marks: tuple[Mark, ...]) -> None:
    from matplotlib.patches import Polygon

    for mark in marks:
        corners = np.asarray(mark.points, np.float64)[:, ::-1]
        fill = "none" if mark.fill is None else mark.fill
        axes.add_patch(
            Polygon(
                corners, closed=mark.closed, edgecolor=mark.colour, facecolor=fill,
                linewidth=mark.width, fill=mark.fill is not None,
            )
        )  # fmt: skip


def bar_length(picture: Picture) -> tuple[float, str]:
    """Return the length of the scale bar in the picture's unit, and its words."""
    longest = 0.3 * picture.image.shape[1] * picture.step[1]
    power = 10.0 ** math.floor(math.log10(longest))
    length = next(f * power for f in (5, 2, 1) if f * power <= longest * (1 + 1e-9))
    shown, unit = length, {"um": "µm", "1/Å": "Å⁻¹", "1/nm": "nm⁻¹"}.get(picture.unit, picture.unit)
    if picture.unit == "nm" and length >= 1000:
        shown, unit = length / 1000, "µm"
    elif picture.unit == "um" and length < 1:
        shown, unit = length * 1000, "nm"
    elif picture.unit == "um" and length >= 1000:
        shown, unit = length / 1000, "mm"
    return length, f"{shown:.4g} {unit}"


def _draw_scale_bar(axes: Any, picture: Picture, width: float, font_size: float) -> None:
    """Draw a white bar on a dark box into the lower left corner; ``width`` of the picture in mm."""
    from matplotlib.patches import Rectangle

    length, words = bar_length(picture)
    rows, columns = picture.image.shape[:2]
    across = columns / width  # data pixels in 1 mm
    down = across * picture.step[1] / picture.step[0]
    line = line_height(font_size)
    bar = length / picture.step[1]
    text = 0.6 * font_size * 25.4 / 72 * len(words) * across
    box = max(bar, text) + 2 * across
    left, bottom = -0.5 + across, rows - 0.5 - down
    high = (line + 2.2) * down
    axes.add_patch(
        Rectangle((left, bottom - high), box, high, facecolor="black", alpha=0.6, linewidth=0)
    )
    middle = left + box / 2
    axes.add_patch(
        Rectangle(
            (middle - bar / 2, bottom - 1.5 * down), bar, 0.7 * down,
            facecolor="white", linewidth=0, gid="scale-bar", antialiased=False,
        )
    )  # fmt: skip
    axes.text(
        middle, bottom - 1.8 * down, words, fontsize=font_size, color="white",
        ha="center", va="bottom",
    )  # fmt: skip


def save_figure(picture: Picture, path: str | Path, how: Print | None = None) -> Job[Path]:
    """Write a figure as .png, .svg or .pdf; a job, and all or nothing.

    Raises
    ------
    UnreadableFile
        If the suffix is another one, or the file cannot be written.
    """
    from matplotlib import rc_context

    path, how = Path(path), how or Print()
    if path.suffix.lower() not in SUFFIXES:
        problem = f"is not named as a figure ({path.suffix or 'no suffix'})"
        raise UnreadableFile(path, problem, f"Let the name end in {', '.join(SUFFIXES)}.")
    yield Progress(0, 0, "drawing the figure")
    figure = draw(picture, how)
    yield Progress(0, 0, f"writing {path.name}")
    try:
        with replace_atomically(path) as temporary:
            # letters stay letters, so that an editor can change them
            with rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
                figure.savefig(temporary, dpi=how.dpi, format=path.suffix.lower()[1:])
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def preview(picture: Picture, how: Print | None = None, pixels: int = 600) -> NDArray[np.uint8]:
    """Return the figure as (rows, columns, 4) uint8, about ``pixels`` wide, for the screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    how = how or Print()
    figure = draw(picture, how)
    figure.set_dpi(pixels / how.width * MM)
    canvas: Any = FigureCanvasAgg(figure)  # its methods carry no types
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def file_name(words: str) -> str:
    """Return words as a part of a file's name: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^\w.-]+", "_", words).strip("_.") or "figure"
