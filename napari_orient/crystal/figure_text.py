"""How wide are words in a figure? Measured with the font that draws them, in millimetres."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MM = 25.4  # in an inch
POINT = MM / 72
LINE = 1.25  # height of a line, in letter sizes


def line_height(font_size: float) -> float:
    """Return the height of a line in mm, for a size of letters in points."""
    return LINE * font_size * POINT * 1.05


def text_width(words: str, font_size: float) -> float:
    """Return the width of one line of words in mm; ``$...$`` is a formula."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(size=font_size)
    is_formula = words.startswith("$") and words.endswith("$")
    # the class measures at 72 dots per inch: its numbers are points
    return float(TextToPath().get_text_width_height_descent(words, font, is_formula)[0] * POINT)


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


def overlined(indices: str) -> str:
    """Write [10-10] as crystallographers do: a bar above instead of a minus sign."""
    if not indices.startswith(("[", "(", "<", "{")):
        return indices
    return "$" + re.sub(r"-(\d)", r"\\overline{\1}", indices) + "$"
