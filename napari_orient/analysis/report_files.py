"""How is a report written? A folder of figures, each with its numbers as .csv."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_orient.analysis.texture.components import TOLERANCE, component_shares
from napari_orient.analysis.texture.poles import default_poles, default_sections
from napari_orient.data.images import cannot_write
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_orient.analysis.distributions import Distribution
    from napari_orient.analysis.report import Findings
    from napari_orient.analysis.texture.page import Sheet
    from napari_orient.jobs import Job

FORMATS = ("png", "svg", "pdf")


class Report(NamedTuple):
    """What was written.

    Attributes
    ----------
    files
        In the order in which they are read.
    notes
        What has no figure and why, in sentences.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]


class _Page(NamedTuple):
    """A figure, or several of one table of numbers.

    ``write`` takes the path without ending and returns the files.
    """

    name: str
    words: str
    write: Callable[[Path], list[Path]]


def check_report_folder(folder: str | Path) -> None:
    """Raise UnreadableFile unless :func:`write_report` can write there: before the work."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UnreadableFile(folder, "is a file", "Name a folder for the figures.")
    if not folder.parent.is_dir():
        raise UnreadableFile(
            folder, "lies in a folder that does not exist", "Make that folder first."
        )


def write_report(
    findings: Findings, folder: str | Path, *, ending: str = "png", about: str = ""
) -> Job[Report]:
    """Write figures of all phases that have grains, and their numbers as .csv.

    Parameters
    ----------
    findings
        Of a map or a volume, which has no directions of traces.
    folder
        Is made where it is missing; files of these names in it are replaced.
    ending
        "png", "svg" or "pdf".
    about
        Where the numbers are from, for the tables.

    Yields
    ------
    Progress
        In figures.

    Raises
    ------
    UnreadableFile
        If a file cannot be written.
    ValueError
        For another ending.
    """
    if ending not in FORMATS:
        raise ValueError(f"figures as {ending!r}: {', '.join(FORMATS)} are possible")
    check_report_folder(folder)
    folder, notes = Path(folder), list(findings.notes)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    pages = list(_pages(findings, f".{ending}", about, notes))
    files: list[Path] = []
    for number, page in enumerate(pages):
        yield Progress(number, len(pages), f"Drawing {page.words}")
        files += page.write(folder / page.name)
    return Report(tuple(files), tuple(notes))


# --- what there is -------------------------------------------------------------------------------


def _pages(findings: Findings, ending: str, about: str, notes: list[str]) -> Iterator[_Page]:
    if not findings.odfs:
        notes.append("There are no grains: nothing is drawn.")
        return
    several = len(findings.odfs) > 1
    for number in findings.odfs:
        prefix = f"{_plain(findings.name(number))}_" if several else ""
        for page in _of_phase(findings, number, ending, about, notes):
            yield page._replace(name=prefix + page.name)
    yield from _of_map(findings, ending, about, notes)


def _plain(name: str) -> str:
    """Return a name that all file systems take."""
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "phase"


def _of_phase(
    findings: Findings, number: int, ending: str, about: str, notes: list[str]
) -> Iterator[_Page]:
    from napari_orient.analysis.distributions import property_distribution, size_distribution

    grains, name = findings.grains, findings.name(number)
    if (grains.counted & (grains.table["phase"] == number)).any():
        page = partial(_both_weights, ending=ending, about=about)
        yield page("grain_size", "grain sizes", size_distribution(grains, phase=number))
        shapes = property_distribution(grains, "aspect_ratio", phase=number)
        yield page("aspect_ratio", "aspect ratios", shapes)
    else:
        notes.append(
            f"No grain of {name} is whole: no sizes and shapes are drawn. Count the grains at the "
            "edge, or take a larger field, or one section of a thin volume."
        )
    if number in findings.misorientations:
        found = findings.misorientations[number]
        yield _distribution("misorientation", "misorientations", found, ending, about)
    else:
        notes.append(f"No two grains of {name} touch: no misorientations are drawn.")
    yield from _texture(findings, number, ending, about, notes)


def _texture(
    findings: Findings, number: int, ending: str, about: str, notes: list[str]
) -> Iterator[_Page]:
    from napari_orient.analysis.texture.figures import InversePoleFigures, PoleFigures
    from napari_orient.analysis.texture.section_figures import OdfSections

    odf, phase = findings.odfs[number], findings.phase(number)
    figures: tuple[tuple[str, str, Any], ...] = (
        ("pole_figures", "pole figures", PoleFigures(odf, default_poles(phase))),
        ("inverse_pole_figures", "inverse pole figures", InversePoleFigures(odf)),
        ("odf_sections", "ODF sections", OdfSections(odf, default_sections(phase))),
    )
    for name, words, sheet in figures:
        yield _Page(name, words, partial(_write_sheet, sheet, ending))
    table = _components(findings, number)
    if len(table) > 1:
        yield _Page("components", "components", partial(_write_components, table, about))
    else:
        notes.append(f"No named components are known for {findings.name(number)}.")


def _of_map(findings: Findings, ending: str, about: str, notes: list[str]) -> Iterator[_Page]:
    from napari_orient.analysis.distributions import (
        class_distribution,
        phase_fractions,
        trace_distribution,
    )

    grains = findings.grains
    classes = class_distribution(findings.boundaries)
    said = (
        f"{classes.caption} Boundaries inside of grains count, those of points of no grain do not."
    )
    classes = replace(classes, caption=said)
    if classes.facts["n"]:
        yield _distribution("boundary_classes", "boundary classes", classes, ending, about)
    if grains.dimensions != 2:
        notes.append("A volume has no directions of traces: take one section.")
    else:
        traces = trace_distribution(grains)
        if traces.facts["n"]:
            yield _distribution("trace_directions", "trace directions", traces, ending, about)
        else:
            notes.append("No boundary is long enough to have a direction.")
    if len(findings.odfs) > 1:
        yield _distribution("phases", "phases", phase_fractions(grains), ending, about)


# --- writing -------------------------------------------------------------------------------------


def _distribution(name: str, words: str, found: Distribution, ending: str, about: str) -> _Page:
    return _Page(name, words, partial(_write_distribution, found, {"": False}, ending, about))


def _both_weights(name: str, words: str, found: Distribution, ending: str, about: str) -> _Page:
    """By the number of grains, and by their area or volume."""
    size = next(c for c in found.columns if c in ("area share", "volume share")).split()[0]
    weights = {"_by_number": False, f"_by_{size}": True}
    return _Page(name, words, partial(_write_distribution, found, weights, ending, about))


def _write_distribution(
    found: Distribution, weights: dict[str, bool], ending: str, about: str, path: Path
) -> list[Path]:
    from napari_orient.analysis.grain_plots import draw, save_figure, save_numbers

    files = []
    for suffix, weighted in weights.items():
        files.append(path.with_name(f"{path.name}{suffix}{ending}"))
        save_figure(draw(found, weighted=weighted), files[-1])
    files.append(path.with_name(f"{path.name}.csv"))
    save_numbers(found, files[-1], about)
    return files


def _write_sheet(sheet: Sheet, ending: str, path: Path) -> list[Path]:
    from napari_orient.analysis.texture.page import save_sheet

    files = [path.with_name(path.name + suffix) for suffix in (ending, ".csv")]
    for file in files:
        save_sheet(sheet, file)
    return files


def _components(findings: Findings, number: int) -> list[list[Any]]:
    """Return the rows of a table, heads first."""
    from napari_orient.analysis.texture.orientations import one_phase

    q, phase = one_phase(findings.grains.trusted, number)
    rows: list[list[Any]] = [["component", "orientation", "share", "random share", "ratio"]]
    for component, share, random, _ in component_shares(q, phase):
        ratio = f"{share / random:.6g}" if random else ""
        rows.append([component.name, component.words, f"{share:.6g}", f"{random:.6g}", ratio])
    return rows


def _write_components(table: list[list[Any]], about: str, path: Path) -> list[Path]:
    path = path.with_name(f"{path.name}.csv")
    said = (
        f"Shares of the points within {TOLERANCE:g} deg of an ideal orientation or one of its "
        "variants by half turns about RD, TD and ND, or of a fibre; RD is x of the map, ND is z. "
        "Shares overlap."
    )
    try:
        with (
            replace_atomically(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            file.writelines(f"# {line}\n" for line in (about, said) if line)
            csv.writer(file, lineterminator="\n").writerows(table)
    except OSError as error:
        raise cannot_write(path, error) from error
    return [path]
