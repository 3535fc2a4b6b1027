"""How wide are words in a figure? Measured with the font that draws them, in millimetres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MM = 25.4  # in an inch
POINT = MM / 72
LINE = 1.25  # height of a line, in letter sizes


def line_height(font_size: float) -> float:
    """Return the height of a line in mm, for a size of letters in points."""
    return LINE * font_size * POINT * 1.05


def text_width(words: str, font_size: float) -> float:
    """Return the width of one line of words in mm."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(size=font_size)
    # the class measures at 72 dots per inch: its numbers are points
    width, _, _ = TextToPath().get_text_width_height_descent(words, font, False)
    return float(width) * POINT


def wrapped(sentences: Iterable[str], width: float, font_size: float) -> tuple[str, ...]:
    """Break sentences into lines of at most ``width`` mm; each sentence begins a line."""
    lines: list[str] = []
    for sentence in sentences:
        line = ""
        for word in sentence.split():
            longer = f"{line} {word}".strip()
            if line and text_width(longer, font_size) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return tuple(lines)


def without_minus(indices: str) -> tuple[str, tuple[int, ...]]:
    """Return [10-10] as the letters [1010] and the places of those that get a bar above."""
    if not indices.startswith(("[", "(", "<", "{")):
        return indices, ()
    letters, barred = "", []
    for before, letter in zip(" " + indices, indices, strict=False):
        if letter != "-":
            barred += [len(letters)] if before == "-" else []
            letters += letter
    return letters, tuple(barred)


def write_indices(axes: Any, left: float, middle: float, indices: str, font_size: float) -> None:
    """Write indices as crystallographers do, bars instead of minus signs; axes are in mm.

    Letters and bars are plain ones, so that every program draws a .svg alike; ``middle`` is the
    height of the letters' middle.
    """
    letters, barred = without_minus(indices)
    size = font_size * POINT
    base = middle + 0.36 * size  # capitals and digits are 0.73 of the size high
    axes.text(left, base, letters, fontsize=font_size, ha="left", va="baseline")
    for place in barred:
        start, end = (left + text_width(letters[: place + more], font_size) for more in (0, 1))
        x = (start + 0.08 * size, end - 0.04 * size)
        axes.plot(x, (base - 0.86 * size,) * 2, color="black", linewidth=0.07 * font_size)
