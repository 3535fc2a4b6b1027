"""How does the verdict become a page? The words first, then figures; in HTML, PDF and CSV."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

from napari_orient.data.images import cannot_write
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Progress
from napari_orient.reconstruction.representative.figures import drawn_of, figures_of
from napari_orient.reconstruction.representative.printed import write_pdf
from napari_orient.reconstruction.representative.table import (
    HEADS,
    answer_word,
    cells,
    facts_of,
    rest_of,
    write_csv,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.representative.figures import Drawn
    from napari_orient.reconstruction.representative.verdict import Verdict

SUFFIXES = (".html", ".pdf", ".csv")
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Is it representative?</title><style>
body {font: 15px/1.45 system-ui, sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em;
  color: #212529}
h1 {font-size: 1.5em; margin-bottom: .2em} h2 {font-size: 1.15em; margin: 1.8em 0 .3em}
.verdict {border-left: 8px solid; padding: .7em 1em; font-size: 1.1em; background: #f8f9fa}
table {border-collapse: collapse; margin: 1em 0; font-size: .93em; width: 100%}
th, td {text-align: left; padding: .3em .6em; border-bottom: 1px solid #dee2e6;
  vertical-align: top}
th {border-bottom: 2px solid #495057} td.number {white-space: nowrap}
.differs td:last-child {color: #c92a2a; font-weight: 600} .told td {color: #495057}
figure {margin: 0 0 1em} img {max-width: 100%; height: auto} .side img {max-width: 49%}
.small, figcaption {color: #495057; font-size: .88em}
</style></head><body>
"""


def check_page_path(path: str | Path) -> None:
    """Raise UnreadableFile unless :func:`write_page` can write there: before the work."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UnreadableFile(
            path, "is no name for a page", "Let the name end in .html, .pdf or .csv."
        )
    if not path.parent.is_dir():
        raise UnreadableFile(path, "lies in a folder that does not exist", "Make the folder first.")


def draw_page(verdict: Verdict) -> Job[list[tuple[str, list[Drawn]]]]:
    """Draw the figures of each comparison, with its name.

    Yields
    ------
    Progress
        In figures.
    """
    drawn: list[tuple[str, list[Drawn]]] = []
    for one in verdict.comparisons:
        drawn.append((one.name, []))
        for shown in figures_of(one):
            yield Progress(len(drawn[-1][1]), 5, f"Drawing {shown.title.lower()}")
            drawn[-1][1].append(drawn_of(shown))
    return drawn


def write_page(
    verdict: Verdict, path: str | Path, drawn: list[tuple[str, list[Drawn]]] | None = None
) -> Job[tuple[Path, ...]]:
    """Write a verdict as one page that needs no other file.

    Parameters
    ----------
    verdict
        What was found.
    path
        page.html is written with page.pdf and page.csv beside it; .pdf and .csv alone.
    drawn
        Its figures; None draws them.

    Yields
    ------
    Progress
        In figures.

    Returns
    -------
    paths
        What was written. Files appear whole, or not at all.

    Raises
    ------
    UnreadableFile
        If a file cannot be written.
    """
    check_page_path(path)
    path = Path(path)
    suffix = path.suffix.lower()
    wanted = SUFFIXES if suffix == ".html" else (suffix,)
    if drawn is None:
        drawn = [] if wanted == (".csv",) else (yield from draw_page(verdict))
    made = []
    for ending in wanted:
        yield Progress(0, 0, f"Writing {ending}")
        place = path if ending == suffix else path.with_suffix(ending)
        try:
            with replace_atomically(place) as temporary:
                if ending == ".html":
                    temporary.write_text(_html(verdict, drawn), encoding="utf-8")
                elif ending == ".pdf":
                    write_pdf(verdict, drawn, temporary)
                else:
                    write_csv(verdict, temporary)
        except OSError as error:
            raise cannot_write(place, error) from error
        made.append(place)
    return tuple(made)


# --- HTML ----------------------------------------------------------------------------------------


def _html(verdict: Verdict, drawn: list[tuple[str, list[Drawn]]]) -> str:
    from napari_orient import __version__

    word, colour = answer_word(verdict)
    parts = [
        _HEAD, "<h1>Is it representative?</h1>\n",
        f'<div class="verdict" style="border-color:{colour}"><b style="color:{colour}">{word}.'
        f"</b> {html.escape(rest_of(verdict))}</div>\n",
        _table(verdict),
    ]  # fmt: skip
    for name, several in drawn:
        for shown in several:
            title = f"{shown.title}, {name}" if name else shown.title
            parts.append(f"<h2>{html.escape(title)}</h2>\n")
            kind = ' class="side"' if len(shown.pictures) > 1 else ""
            images = "".join(f'<img alt="{html.escape(title)}" src="{_inline(f)}">'
                             for f in shown.pictures)  # fmt: skip
            parts.append(
                f"<figure{kind}>{images}<figcaption>{html.escape(shown.words)}</figcaption>"
                "</figure>\n"
            )
    parts.append("<h2>How it was done</h2>\n")
    parts += [f'<p class="small">{html.escape(fact)}</p>\n' for fact in facts_of(verdict)]
    parts.append(f'<p class="small">napari-orient {__version__}</p>\n</body></html>\n')
    return "".join(parts)


def _table(verdict: Verdict) -> str:
    heads = "".join(f"<th>{html.escape(head)}</th>" for head in HEADS)
    lines = [f"<table><tr>{heads}</tr>\n"]
    for row in verdict.rows:
        kind = "differs" if row.differs else "told" if row.differs is None else "alike"
        first, *numbers, last = (html.escape(cell) for cell in cells(row))
        about = f'<br><span class="small">{html.escape(row.measure)}</span>'
        inner = "".join(f'<td class="number">{cell}</td>' for cell in numbers)
        lines.append(f'<tr class="{kind}"><td>{first}{about}</td>{inner}<td>{last}</td></tr>\n')
    return "".join([*lines, "</table>\n"])


def _inline(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    made = io.BytesIO()
    Image.fromarray(picture[..., :3]).save(made, format="png")
    return "data:image/png;base64," + base64.b64encode(made.getvalue()).decode("ascii")
