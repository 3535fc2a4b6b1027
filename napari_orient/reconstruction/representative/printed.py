"""How is a verdict printed? Verdict, table and sections on the first page, then the figures."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from napari_orient.reconstruction.representative.table import (
    HEADS,
    RED,
    answer_word,
    cells,
    facts_of,
    rest_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_orient.reconstruction.representative.figures import Drawn
    from napari_orient.reconstruction.representative.verdict import Verdict

_A4 = (8.27, 11.69)  # inches
_LEFT, _ACROSS, _TOP = 0.06, 0.88, 0.965  # of a page


def write_pdf(verdict: Verdict, drawn: list[tuple[str, list[Drawn]]], path: Path) -> None:
    """Write verdict and figures (name of the comparison, its figures) as pages of A4."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import PdfPages

    with rc_context({"pdf.fonttype": 42}), PdfPages(path) as pages:
        pages.savefig(first_page(verdict, drawn))
        for page in further_pages(drawn):
            pages.savefig(page)


def first_page(verdict: Verdict, drawn: list[tuple[str, list[Drawn]]]) -> Any:
    """Verdict, table and sections on one page."""
    from matplotlib.figure import Figure

    page = Figure(figsize=_A4, facecolor="white")
    word, colour = answer_word(verdict)
    page.text(_LEFT, 0.965, "Is it representative?", fontsize=11, va="top", color="0.3")
    page.text(_LEFT, 0.945, word, fontsize=20, weight="bold", va="top", color=colour)
    lines = textwrap.wrap(rest_of(verdict), 104)
    page.text(_LEFT, 0.91, "\n".join(lines), fontsize=9.5, va="top", linespacing=1.4)
    top = 0.885 - 0.0165 * len(lines)
    bottom = _draw_table(page, verdict, top)
    if len(drawn) == 1:
        image = drawn[0][1][0].pictures[0]
        wide = 0.88
        high = wide * _A4[0] / _A4[1] * image.shape[0] / image.shape[1]
        high = min(high, bottom - 0.14)
        if high > 0.1:
            axes: Any = page.add_axes((_LEFT, bottom - high - 0.01, wide, high))
            axes.imshow(image, interpolation="antialiased")
            axes.set_axis_off()
            bottom -= high + 0.02
    facts = [line for fact in facts_of(verdict) for line in textwrap.wrap(fact, 150)]
    page.text(_LEFT, bottom - 0.01, "\n".join(facts), fontsize=6.5, va="top", color="0.3")
    return page


def _draw_table(page: Any, verdict: Verdict, top: float) -> float:
    """Draw the rows from ``top`` down, in shares of the page; return where they end."""
    places = (0.06, 0.23, 0.31, 0.39, 0.585, 0.665)
    widths = (28, 14, 14, 36, 12, 41)
    for x, head in zip(places, HEADS, strict=True):
        page.text(x, top, head.replace(", ", ",\n") if "," in head else head, fontsize=6.8,
                  weight="bold", va="bottom")  # fmt: skip
    y = top - 0.004
    for row in verdict.rows:
        wrapped = [
            textwrap.wrap(cell, width) or [""]
            for cell, width in zip(cells(row), widths, strict=True)
        ]
        colour = RED if row.differs else "0.45" if row.differs is None else "black"
        page.add_artist(_line(y))
        for x, lines in zip(places, wrapped, strict=True):
            strong = "bold" if row.differs and x == places[-1] else "normal"
            page.text(x, y - 0.003, "\n".join(lines), fontsize=7, va="top", color=colour,
                      weight=strong)  # fmt: skip
        about = textwrap.wrap(row.measure, 38)
        under = y - 0.003 - 0.0115 * len(wrapped[0])
        page.text(places[0], under, "\n".join(about), fontsize=5.5, va="top", color="0.45")
        under -= 0.0085 * len(about)
        y = min(under, y - 0.003 - 0.0115 * max(map(len, wrapped))) - 0.003
    page.add_artist(_line(y))
    return y - 0.005


def _line(y: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([0.06, 0.94], [y, y], color="0.8", linewidth=0.6)


def further_pages(drawn: list[tuple[str, list[Drawn]]]) -> Iterator[Any]:
    """Lay figures on pages, as many as fit on each, with their titles and words."""
    from matplotlib.figure import Figure

    page, top = Figure(figsize=_A4, facecolor="white"), _TOP
    for name, several in drawn:
        for shown in several:
            if shown.title == "Sections" and not name:
                continue  # on the first page
            words = textwrap.wrap(shown.words, 120)
            rows = _in_rows(list(shown.pictures))
            above = 0.025 + 0.014 * len(words)
            needed = above + sum(high + 0.01 for _, high, _ in rows)
            if top - needed < 0.03 and top < _TOP:
                yield page
                page, top = Figure(figsize=_A4, facecolor="white"), _TOP
            title = f"{shown.title}, {name}" if name else shown.title
            page.text(_LEFT, top, title, fontsize=12, weight="bold", va="top")
            page.text(_LEFT, top - 0.022, "\n".join(words), fontsize=8, va="top", color="0.3")
            _lay(page, rows, top - above)
            top -= needed + 0.02
    yield page


def _in_rows(images: list[Any]) -> list[tuple[list[Any], float, float]]:
    """Rows of images with the height and width of each image in them, in shares of a page."""
    small = len(images) > 1 and images[0].shape[1] < 1.6 * images[0].shape[0]
    count = 3 if small and len(images) == 3 else 2 if small else 1
    each = (_ACROSS - 0.01 * (count - 1)) / count
    rows = []
    for start in range(0, len(images), count):
        row = images[start : start + count]
        high = max(image.shape[0] / image.shape[1] for image in row)
        rows.append((row, each * _A4[0] / _A4[1] * high, each))
    return rows


def _lay(page: Any, rows: list[tuple[list[Any], float, float]], top: float) -> None:
    for row, high, each in rows:
        for n, image in enumerate(row):
            axes = page.add_axes((_LEFT + n * (each + 0.01), top - high, each, high))
            axes.imshow(image, interpolation="antialiased")
            axes.set_axis_off()
        top -= high + 0.01
