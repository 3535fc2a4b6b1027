"""What numbers are in a text file, and what may its columns mean? Found out, not asked.

Delimiter (tab, semicolon, comma, blanks), decimal comma, comments and the line of names are seen
from the rows themselves. Names like "Euler1 (deg)" or "qw" say what a column means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.data.vendors.tables import fail, measure_step

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = (".csv", ".txt", ".tsv", ".dat")
_COMMENTS = ("#", "%", "//", "!")
_DELIMITERS: tuple[str | None, ...] = ("\t", ";", ",", None)  # None: blanks
_NAMES = {
    "x": "x", "xpos": "x", "xposition": "x", "y": "y", "ypos": "y", "yposition": "y",
    "phi1": "phi1", "euler1": "phi1", "e1": "phi1", "φ1": "phi1", "eulerphi1": "phi1",
    "phi": "Phi", "euler2": "Phi", "e2": "Phi", "φ": "Phi", "eulerphi": "Phi",
    "phi2": "phi2", "euler3": "phi2", "e3": "phi2", "φ2": "phi2", "eulerphi2": "phi2",
    "q0": "q0", "qw": "q0", "qx": "q1", "qy": "q2", "qz": "q3", "q1": "q1", "q2": "q2", "q3": "q3",
    "phase": "phase", "phaseid": "phase", "phaseindex": "phase", "phasenumber": "phase",
}  # fmt: skip
EULER = ("phi1", "Phi", "phi2")
QUATERNION = ("q0", "q1", "q2", "q3")
ROLES = ("x", "y", *EULER, *QUATERNION, "phase")


@dataclass(frozen=True, eq=False)
class TextTable:
    """The numbers of a text file.

    Attributes
    ----------
    names
        One a column; "column 3" where the file has none.
    values
        (rows, columns) float64; NaN where a field is empty.
    lines
        (rows,) the line of each row in the file, from 1.
    """

    path: Path
    names: tuple[str, ...]
    values: NDArray[np.float64]
    lines: NDArray[np.int64]


class Grid(NamedTuple):
    """The grid on which positions lie: shape, step (dy, dx), and the share of it that is filled."""

    shape: tuple[int, int]
    step: tuple[float, float]
    filled: float
    off: float
    """Largest distance of a point from its place on the grid, in steps."""


def read_text_table(path: Path, most: int | None = None) -> TextTable:
    """Read the table of a text file.

    Parameters
    ----------
    path
        The file.
    most
        Read only about so many bytes: for a look.

    Raises
    ------
    UnreadableFile
        If it is no text, has no table, or a row of it is damaged; the line is named.
    """
    if path.suffix.lower() == ".npy":
        return _read_field(path)
    with open(path, "rb") as file:
        data = file.read() if most is None else file.read(most)
    if b"\x00" in data[:4096]:
        fail(path, "is not a text file, whatever its name says", "Rename it, or export it again.")
    try:
        text = data.decode("utf-8-sig", errors="strict" if most is None else "ignore")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = text.splitlines()
    if most is not None and len(data) == most:
        lines = lines[:-1]  # cut somewhere
    start, delimiter, comma = _find_table(path, lines)
    width = len(_split(lines[start], delimiter))
    there = [
        number for number in range(start, len(lines))
        if lines[number].strip() and not lines[number].lstrip().startswith(_COMMENTS)
    ]  # fmt: skip
    values = _parse(path, lines, there, delimiter, comma, width)
    names = _find_names(lines[:start], delimiter, width)
    return TextTable(path, names, values, np.asarray(there) + 1)


def is_field(path: Path) -> bool:
    """Say whether an .npy file is a field (y, x, 4) of unit quaternions."""
    if path.suffix.lower() != ".npy":
        return False
    try:
        field = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # damaged, or an archive: no field in any case
        return False
    if field.ndim != 3 or field.shape[-1] != 4 or field.dtype.kind != "f" or not field.size:
        return False
    length = np.linalg.norm(np.asarray(field[:64, :64], np.float64), axis=-1)
    return bool(np.abs(length - 1).max() < 0.02)


def _read_field(path: Path) -> TextTable:
    """Take a field (y, x, 4) of quaternions, scalar first, as a table with positions 0, 1, 2 ..."""
    field = np.load(path, allow_pickle=False).astype(np.float64)
    rows, columns = np.indices(field.shape[:2]).reshape(2, -1)
    values = np.column_stack([columns, rows, field.reshape(-1, 4)])
    return TextTable(path, ("x", "y", *QUATERNION), values, np.arange(len(values)) + 1)


def _split(line: str, delimiter: str | None) -> list[str]:
    parts = [part.strip().strip("\"'") for part in line.strip("\r\n ").split(delimiter)]
    return parts[:-1] if len(parts) > 1 and delimiter and not parts[-1] else parts


def _number(text: str, comma: bool) -> float:
    if not text:
        return float("nan")
    return float(text.replace(",", ".") if comma else text)


def _row(line: str, delimiter: str | None, comma: bool) -> list[float] | None:
    """Numbers of a line, or None if one of its fields is a word or it is empty."""
    parts = _split(line, delimiter)
    try:
        numbers = [_number(part, comma) for part in parts]
    except ValueError:
        return None
    return numbers if any(parts) else None


def _find_table(path: Path, lines: list[str]) -> tuple[int, str | None, bool]:
    """First row, delimiter and decimal comma: what makes the widest table at the file's middle."""
    rows = [n for n, line in enumerate(lines) if line.strip()]
    rows = [n for n in rows if not lines[n].lstrip().startswith(_COMMENTS)]
    if not rows:
        fail(path, "holds no table of numbers", "Export it again, with a row for each point.")
    sample = [lines[n] for n in rows[len(rows) // 2 :][:20]]
    best: tuple[int, str | None, bool] = (0, None, False)
    for delimiter in _DELIMITERS:
        for comma in (False, True) if delimiter != "," else (False,):
            read = [_row(line, delimiter, comma) for line in sample]
            widths = [len(one) for one in read if one is not None]
            # most rows, since the message about a damaged one names its line
            if widths and 2 * len(widths) >= len(sample):
                width = max(set(widths), key=widths.count)
                if width > max(best[0], 1):
                    best = (width, delimiter, comma)
    width, delimiter, comma = best
    if not width:
        fail(
            path, "holds no table of numbers", "Export it with a row of numbers for each point, "
            "and phases as numbers, not as names.",
        )  # fmt: skip
    for n in rows:
        read_row = _row(lines[n], delimiter, comma)
        if read_row is not None and len(read_row) == width:
            return n, delimiter, comma
    fail(path, "holds no table of numbers", "Export it again, with a row for each point.")


def _parse(
    path: Path, lines: list[str], there: list[int], delimiter: str | None, comma: bool, width: int
) -> NDArray[np.float64]:
    if not comma:
        try:
            found = np.loadtxt([lines[n] for n in there], delimiter=delimiter, comments=None,
                               ndmin=2)  # fmt: skip
            if found.shape[1] == width:
                return np.asarray(found, np.float64)
        except ValueError:  # an empty field, or a damaged row: found below
            pass
    values = np.empty((len(there), width))
    for row, n in enumerate(there):
        numbers = _row(lines[n], delimiter, comma)
        if numbers is None:
            fail(
                path, f"has a word in line {n + 1} ({lines[n].strip()[:40]!r}) where numbers are "
                "expected", "Correct the line, or export the file again with numbers only.",
            )  # fmt: skip
        if len(numbers) != width:
            fail(
                path, f"has {len(numbers)} columns in line {n + 1} where {width} are expected",
                "Copy or export it again: it is cut short or was edited.",
            )  # fmt: skip
        values[row] = numbers
    return values


def _find_names(before: list[str], delimiter: str | None, width: int) -> tuple[str, ...]:
    """Names of the columns: the last line above the table with as many words."""
    for line in reversed(before):
        text = line.strip("\r\n ").lstrip("#%!/ \t")
        for how in dict.fromkeys((delimiter, ",", "\t", ";", None)):
            words = _split(text, how)
            if how and text.endswith(how) and len(words) == width - 1:
                words.append("")  # the last column has no name
            if len(words) == width and not any(_is_number(word) for word in words):
                return _distinct(words)
    return tuple(f"column {n + 1}" for n in range(width))


def _distinct(words: list[str]) -> tuple[str, ...]:
    """Names that are told apart; an empty one is counted."""
    made: list[str] = []
    for n, word in enumerate(words, start=1):
        name = word or f"column {n}"
        made.append(name if name not in made else f"{name} ({n})")
    return tuple(made)


def _is_number(word: str) -> bool:
    try:
        float(word.replace(",", "."))
    except ValueError:
        return False
    return True


def roles_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Guess what columns mean from their names; a column without a role is a property.

    Four columns q1 to q4 are a quaternion counted from 1, the scalar first.
    """
    plain = [re.sub(r"[\s_.\-]", "", re.sub(r"[\[({].*", "", name)).lower() for name in names]
    from_one = {"q1", "q2", "q3", "q4"} <= set(plain) and "q0" not in plain
    made: list[str] = []
    for name, word in zip(names, plain, strict=True):
        if from_one and re.fullmatch("q[1-4]", word):
            role = f"q{int(word[1]) - 1}"
        else:
            role = _NAMES.get(word, "")
        if role and role not in made:
            made.append(role)
        else:
            made.append("" if name.startswith("column ") else name)
    return tuple(made)


def unit_of(names: tuple[str, ...], roles: tuple[str, ...]) -> str:
    """Return "nm" if the name of the column x says so, else "um"."""
    said = names[roles.index("x")].lower() if "x" in roles else ""
    return "nm" if re.search(r"\bnm\b|_nm", said) else "um"


def angle_unit_of(table: TextTable, roles: tuple[str, ...]) -> str:
    """Return "radians" if no angle exceeds two turns of them and no name says degrees."""
    there = [roles.index(role) for role in EULER if role in roles]
    said = " ".join(table.names[n].lower() for n in there)
    if re.search(r"deg|°", said):
        return "degrees"
    if re.search(r"\brad|_rad", said):
        return "radians"
    angles = np.abs(table.values[:, there])
    largest = float(np.nanmax(angles, initial=0.0)) if angles.size else 0.0
    return "radians" if 0 < largest < 4 * np.pi + 0.01 else "degrees"


def measure_grid(x: NDArray[Any], y: NDArray[Any]) -> Grid:
    """Return the grid on which finite positions (n,) lie, in any order of rows."""
    dx, dy = measure_step(x), measure_step(y)
    dy, dx = dy or dx or 1.0, dx or dy or 1.0
    places = [(v - v.min()) / d for v, d in ((y, dy), (x, dx))]
    height, width = (round(float(p.max())) + 1 for p in places)
    off = max(float(np.abs(p - np.rint(p)).max()) for p in places)
    cells = np.rint(places[0]).astype(np.int64) * width + np.rint(places[1]).astype(np.int64)
    return Grid((height, width), (dy, dx), len(np.unique(cells)) / (height * width), off)
