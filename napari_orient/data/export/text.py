"""How are .ang files, of EDAX's and of ASTAR's kind, and .ctf files written? Row by row, as jobs.

The layouts are those of the vendors' own files, so that other programs take them; one line of the
header says whose axes the Euler angles refer to.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient import __version__
from napari_orient.data.export.rows import Rows, position_decimals
from napari_orient.data.vendors.tables import LAUE
from napari_orient.jobs import Every, Job, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

_BLOCK = 20_000  # rows between two signs of life
# EDAX's numbers for the Laue groups, by the proper point group; "20" has its two-fold axis along b
_EDAX = {
    "-1": "1", "2/m": "20", "mmm": "22", "4/m": "4", "4/mmm": "42", "-3": "3", "-3m": "32",
    "6/m": "6", "6/mmm": "62", "m-3": "23", "m-3m": "43",
}  # fmt: skip
_NOT_INDEXED = 4 * np.pi  # EDAX's Euler angles of a point without an answer


def laue_name(phase: Phase) -> str:
    """Return the Laue group of a phase, by its name in :data:`LAUE`."""
    name = str(phase.point_group.laue.name)
    return name if name in LAUE else {"m3": "m-3", "m3m": "m-3m"}.get(name, name)


def plain_name(phase: Phase, number: int) -> str:
    """Return a phase's name in letters that every program reads."""
    text = unicodedata.normalize("NFKD", str(phase.name or "")).encode("ascii", "ignore").decode()
    return " ".join(text.replace("#", " ").split()) or f"phase {number}"


def write_text(rows: Rows, path: Path) -> Job[None]:
    """Write the rows of a map in their format.

    Yields
    ------
    Progress
        Rows written.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    header, table, formats, newline = _WRITERS[rows.format.name](rows)
    show = Every(0.3)
    line = formats + newline
    with open(path, "w", encoding="ascii", errors="replace", newline="") as file:
        file.write(newline.join(header) + newline)
        for start in range(0, len(table), _BLOCK):
            block = table[start : start + _BLOCK].tolist()
            file.writelines(line % tuple(row) for row in block)
            if show.due():
                yield Progress(start, len(table), "Writing")


def _ang(rows: Rows) -> tuple[list[str], NDArray[Any], str, str]:
    """Header, table, format of a row and end of line of EDAX's .ang."""
    m = rows.expected
    header = [
        "# TEM_PIXperUM          1.000000", "# x-star                0.000000",
        "# y-star                0.000000", "# z-star                0.000000",
        "# WorkingDistance       0.000000", "#",
    ]  # fmt: skip
    for number, phase in enumerate(rows.phases, start=1):
        cell = phase.structure.lattice.abcABG()
        header += [
            f"# Phase {number}", f"# MaterialName  \t{plain_name(phase, number)}",
            "# Formula  \t", "# Info",
            f"# Symmetry              {_EDAX[laue_name(phase)]}",
            "# LatticeConstants      " + " ".join(f"{v:.5f}" for v in cell),
            "# NumberFamilies        0", "# Categories 0 0 0 0 0", "#",
        ]  # fmt: skip
    height, width = m.shape
    header += [
        "# GRID: SqrGrid", f"# XSTEP: {m.step[1]:.9g}", f"# YSTEP: {m.step[0]:.9g}",
        f"# NCOLS_ODD: {width}", f"# NCOLS_EVEN: {width}", f"# NROWS: {height}", "#",
        f"# OPERATOR:  \tnapari-orient {__version__}", "#", "# SAMPLEID:  \t", "#", "# SCANID:  \t",
        "#", f"# {rows.axes.line}", f"# {rows.axes.words}", "#",
    ]  # fmt: skip
    angles = np.where(rows.phase[:, None] > 0, rows.angles, _NOT_INDEXED)
    measured = [rows.columns[name] for name in ("IQ", "CI", "SEM", "fit")]
    table = np.column_stack([angles, rows.x, rows.y, *measured[:2], rows.phase, *measured[2:]])
    place, d = position_decimals(rows, 5), rows.decimals
    row = (
        f"%9.5f %9.5f %9.5f %12.{place}f %12.{place}f %6.{d['IQ']}f %6.{d['CI']}f %2d "
        f"%6.{d['SEM']}f %7.{d['fit']}f"
    )
    return header, table, row, "\n"


def _astar(rows: Rows) -> tuple[list[str], NDArray[Any], str, str]:
    """Header, table, format of a row and end of line of ASTAR's .ang (ACOM).

    Other programs count lines and ``#`` here: the fifth line is the first phase of a single one.
    """
    header = ["# File created from ACOM RES results", f"# {rows.axes.line}"]
    header += [f"# {rows.axes.words}", "#     "]
    for number, phase in enumerate(rows.phases, start=1):
        if len(rows.phases) > 1:
            header += [f"# Phase {number}"]
        a, b, c, *angles = phase.structure.lattice.abcABG()
        header += [
            f"# MaterialName      {plain_name(phase, number)}", "# Formula           ",
            f"# Symmetry          {_EDAX[laue_name(phase)]}",
            "# LatticeConstants  " + "  ".join(f"{v:.3f}" for v in (a, b, c, *angles)),
            "# NumberFamilies    0",
        ]  # fmt: skip
    header += ["#", "# GRID: SqrGrid#"]
    ones = np.ones(len(rows.phase))  # the ninth column of ASTAR's own files, whatever it means
    table = np.column_stack(
        [rows.angles, rows.x, rows.y, rows.columns["Q"], rows.columns["R"], rows.phase, ones]
    )
    place, d = position_decimals(rows, 3), rows.decimals
    row = f"%8.3f %8.3f %8.3f %9.{place}f %9.{place}f %6.{d['Q']}f %6.{d['R']}f %2d %7d"
    return header, table, row, "\r\n"


def _ctf(rows: Rows) -> tuple[list[str], NDArray[Any], str, str]:
    """Header, table, format of a row and end of line of Oxford's .ctf."""
    m = rows.expected
    height, width = m.shape
    header = [
        "Channel Text File", "Prj\t", f"Author\t{rows.axes.line} ({rows.axes.words})",
        "JobMode\tGrid", f"XCells\t{width}", f"YCells\t{height}", f"XStep\t{m.step[1]:.9g}",
        f"YStep\t{m.step[0]:.9g}", "AcqE1\t0", "AcqE2\t0", "AcqE3\t0",
        "Euler angles refer to Sample Coordinate system (CS0)!\tMag\t0\tCoverage\t100\tDevice\t0"
        "\tKV\t0\tTiltAngle\t0\tTiltAxis\t0",
        f"Phases\t{len(rows.phases)}",
    ]  # fmt: skip
    for number, phase in enumerate(rows.phases, start=1):
        cell = [f"{v:.5f}" for v in phase.structure.lattice.abcABG()]
        space = phase.space_group.number if phase.space_group is not None else 0
        laue = LAUE.index(laue_name(phase)) + 1
        name = plain_name(phase, number)
        header.append(f"{';'.join(cell[:3])}\t{';'.join(cell[3:])}\t{name}\t{laue}\t{space}")
    header.append("Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS")
    c, d = rows.columns, rows.decimals
    table = np.column_stack(
        [rows.phase, rows.x, rows.y, c["bands"], c["error"], rows.angles, c["MAD"], c["BC"],
         c["BS"]]
    )  # fmt: skip
    place = position_decimals(rows, 4)
    row = "\t".join(
        ["%d", f"%.{place}f", f"%.{place}f", f"%.{d['bands']}f", f"%.{d['error']}f", "%.4f", "%.4f",
         "%.4f", f"%.{d['MAD']}f", f"%.{d['BC']}f", f"%.{d['BS']}f"]
    )  # fmt: skip
    return header, table, row, "\r\n"


_WRITERS = {"ang": _ang, "astar": _astar, "ctf": _ctf}


def header_of(rows: Rows) -> list[str]:
    """Return the lines before the first row."""
    return _WRITERS[rows.format.name](rows)[0]
