"""Is a result representative? Judged beside the window, in a process of its own, page and all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari_orient.data.images import cannot_write
from napari_orient.data.maps import load_map, save_map
from napari_orient.files import replace_atomically
from napari_orient.jobs import Every, Progress, in_process
from napari_orient.plugin.reconstruct.engine import NICE
from napari_orient.plugin.reconstruct.places import REFERENCE, RESULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.representative.figures import Drawn
    from napari_orient.reconstruction.representative.verdict import Verdict

PAGE = "page.html"


class Line(NamedTuple):
    """A row of the table, in words.

    Attributes
    ----------
    cells
        Property, reference, result, difference with its interval, p, verdict.
    measure
        What the numbers are.
    differs
        Whether the result does; None where nothing was tested.
    """

    cells: tuple[str, ...]
    measure: str
    differs: bool | None


@dataclass(frozen=True, eq=False)
class Judged:
    """A verdict as it is shown and saved: it needs the maps no more.

    Attributes
    ----------
    representative
        Whether no row tells the two apart; None where there is too little to tell it.
    word, rest
        The verdict in a word, and what follows it.
    lines
        The table.
    facts
        How it was done, in sentences.
    figures
        Reference beside result.
    files
        The page by the suffix of its file: .html, .pdf, .csv.
    """

    representative: bool | None
    word: str
    rest: str
    lines: tuple[Line, ...]
    facts: tuple[str, ...]
    figures: tuple[Drawn, ...]
    files: dict[str, bytes]


def judging(
    references: Sequence[OrientationMap], result: OrientationMap, *, aside: bool = True
) -> Job[Judged]:
    """Judge a result.

    Parameters
    ----------
    references
        What it was made from: one map, or three sections in the frame of the sample.
    result
        A map or a volume.
    aside
        Whether in a process of its own.

    Raises
    ------
    ValueError
        If there is nothing to compare, in words.
    JobFailed
        With the words of whatever else went wrong.
    """
    with tempfile.TemporaryDirectory(prefix="napari-orient-") as folder:
        yield Progress(0, 0, "Keeping the maps")
        for number, one in enumerate(references):
            yield from save_map(one, Path(folder) / REFERENCE.format(number))
        yield from save_map(result, Path(folder) / RESULT)
        yield Progress(0, 0, "Starting")
        job = in_process(judge_in, folder, aside) if aside else judge_in(folder, aside)
        found = yield from _seldom(job)
        if isinstance(found, str):
            raise ValueError(found)
        return found


def _seldom(job: Job[Judged | str]) -> Job[Judged | str]:
    """Pass on some events: each section has as many as a map, and takes milliseconds."""
    due = Every(0.2, first=0.0)
    try:
        while True:
            event = next(job)
            if due.due():
                yield event
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        job.close()


def judge_in(folder: str, aside: bool) -> Job[Judged | str]:
    """Judge what lies in a folder; return why it cannot be, where it cannot."""
    from napari_orient.reconstruction.representative.page import draw_page, write_page
    from napari_orient.reconstruction.representative.verdict import represent

    if aside:
        with contextlib.suppress(OSError, AttributeError):
            os.nice(NICE)
    inside = Path(folder)
    references = [load_map(path) for path in sorted(inside.glob(REFERENCE.format("*")))]
    try:
        verdict = yield from represent(references, load_map(inside / RESULT))
    except ValueError as error:  # its words alone can travel
        words = str(error)
        return words[:1].upper() + words[1:]
    drawn = yield from draw_page(verdict)
    paths = yield from write_page(verdict, inside / PAGE, drawn)
    return _judged(verdict, drawn, {path.suffix: path.read_bytes() for path in paths})


def _judged(
    verdict: Verdict, drawn: list[tuple[str, list[Drawn]]], files: dict[str, bytes]
) -> Judged:
    from napari_orient.reconstruction.representative.table import (
        answer_word,
        cells,
        facts_of,
        rest_of,
    )

    lines = tuple(Line(tuple(cells(row)), row.measure, row.differs) for row in verdict.rows)
    figures = tuple(
        one._replace(title=f"{one.title}, {name}") if name else one
        for name, several in drawn
        for one in several
    )
    return Judged(
        verdict.representative, answer_word(verdict)[0], rest_of(verdict), lines,
        tuple(facts_of(verdict)), figures, files,
    )  # fmt: skip


def save_page(judged: Judged, path: Path) -> tuple[Path, ...]:
    """Write the page: .html with .pdf and .csv beside it, the others alone.

    Raises
    ------
    UnreadableFile
        If a file cannot be written. Files appear whole, or not at all.
    """
    suffix = path.suffix.lower()
    wanted = (suffix,) if suffix in (".pdf", ".csv") else tuple(judged.files)
    if suffix not in judged.files:
        path = path.with_name(f"{path.name}.html")
    made = tuple(path.with_suffix(ending) for ending in wanted)
    for place, ending in zip(made, wanted, strict=True):
        try:
            with replace_atomically(place) as temporary:
                temporary.write_bytes(judged.files[ending])
        except OSError as error:
            raise cannot_write(place, error) from error
    return made
