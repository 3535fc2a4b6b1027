"""What does a check of the axes say? Its ranking as rows of words; no Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.analysis.turns import TURNS, Turn, possible_turns
from napari_orient.data.vendors.tables import FRAMES

if TYPE_CHECKING:
    from napari_orient.analysis.frames import FrameCheck, Ranked
    from napari_orient.analysis.reference import Match
    from napari_orient.data.maps import OrientationMap

WHO = {
    "as is": "napari-orient, orix",
    "y up": "Oxford, EDAX 4",
    "x down, y right": "EDAX 1",
    "x up, y left": "EDAX 2",
    "x left, y down": "EDAX 3",
}
AS_IT_IS = TURNS[0]
CRYSTAL = {"a": "x ∥ a (EDAX, orix)", "a*": "x ∥ a* (Oxford, Bruker)"}
ABOUT = (
    "A coherent twin boundary follows a known lattice plane. Read with the right axes, boundaries "
    "run along the trace of this plane; with wrong ones they run anywhere, and by chance 11 % of "
    "them lie within 10°. Half a turn about the beam changes no trace: such axes are in one group "
    "here, and only a reference map can tell them apart."
)
TWIN_HEADERS = ("Euler axes", "Crystal", "Within 10°", "95 % interval", "Shared K1", "Length")
TWIN_TIPS = (
    "Where the axes of the file's Euler angles point on the map; who uses them",
    "The crystal's x axis on hexagonal and trigonal lattices",
    "Part of the length of straight twin boundaries that runs within 10° of the trace of K1",
    "What the part may be, as each boundary is one observation",
    "Pairs of neighbouring points with the twin's misorientation that share the plane K1",
    "Length of all straight twin boundaries, in pixels, and their number",
)
REFERENCE_HEADERS = ("Euler axes", "Crystal", "Median", "Below 5°", "Shift y, x", "Grid")
REFERENCE_TIPS = (
    *TWIN_TIPS[:2],
    "Median misorientation where the two maps meet",
    "Part of the points that differ by less than 5°",
    "Pixels by which the map is shifted on the reference, once its grid is turned",
    "What must be done to the grid of this map to lay it on the reference",
)


class Row(NamedTuple):
    """A convention as it is shown.

    Attributes
    ----------
    frame, crystal_axes
        What it is.
    cells
        Words, one for each header.
    group
        Rows of one number cannot be told apart.
    current
        Whether the map is read so now.
    measured
        What the map's note says if it is chosen.
    obstacle
        Why it cannot be chosen, or "".
    turn
        What is done to the map's grid if it is chosen.
    """

    frame: str
    crystal_axes: str
    cells: tuple[str, ...]
    group: int
    current: bool
    measured: str
    obstacle: str
    turn: Turn = AS_IT_IS


def frame_words(name: str) -> str:
    """Return "x right, y up" for the name of a frame."""
    if name not in FRAMES:
        return "the map's own"
    return FRAMES[name][1].partition(": ")[2].partition(", z")[0]


def shape_words(shape: tuple[int, ...], scan: tuple[int, ...]) -> str:
    """Say how a map of ``shape`` can lie on the open scan, "" where it simply does."""
    here, there = shape[-2:], scan[:2]
    if here == there:
        return ""
    sizes = f"{here[0]} × {here[1]} points, the open scan {there[0]} × {there[1]}"
    turns = possible_turns(here, there)
    if not turns:
        return f"The map has {sizes}: no flip or turn lays it on that scan."
    words = "; ".join(turn.words for turn in turns)
    return f"The map has {sizes}. It can lie on that scan: {words}."


def turn_words(turn: Turn) -> str:
    """Say what happens to the grid when a row is chosen, "" where nothing does."""
    if turn == AS_IT_IS:
        return ""
    return (
        f"Its points are moved, too: the grid of the file will be {turn.words}. To take that back, "
        "open the file again."
    )


def twin_rows(check: FrameCheck, orientations: OrientationMap) -> list[Row]:
    """Return the ranking by twins."""
    now = _now(orientations)
    rows = []
    for group, entry in enumerate(check.ranking):
        said = _twin_numbers(entry, check.pairs)
        for frame, axes in entry.conventions:
            obstacle = "" if frame in FRAMES else "These axes have no name."
            cells = (*_convention(frame, axes), *said)
            measured = "" if np.isnan(entry.share) else measured_words(entry)
            rows.append(Row(frame, axes, cells, group, (frame, axes) == now, measured, obstacle))
    return rows


def measured_words(entry: Ranked) -> str:
    """Return what speaks for the conventions of a group."""
    return f"twin traces within 10°: {100 * entry.share:.0f} % of {entry.length:.0f} px"


def _twin_numbers(entry: Ranked, pairs: int) -> tuple[str, ...]:
    known = not np.isnan(entry.share)
    return (
        f"{100 * entry.share:.0f} %" if known else "too few",
        f"{100 * entry.low:.0f} – {100 * entry.high:.0f} %" if known else "",
        f"{entry.pairs} of {pairs}",
        f"{entry.length:.0f} px in {entry.boundaries} boundaries",
    )


def reference_rows(
    matches: tuple[Match, ...], orientations: OrientationMap, name: str
) -> list[Row]:
    """Return the ranking by a reference map called ``name``."""
    now = _now(orientations)
    rows = []
    for number, match in enumerate(matches):
        obstacle = "" if match.frame in FRAMES else "These axes have no name."
        cells = (
            *_convention(match.frame, match.crystal_axes),
            f"{match.median:.2f}°",
            f"{100 * match.below_5:.0f} %",
            f"{match.shift[0]}, {match.shift[1]}",
            match.turn.words,
        )
        current = match.turn == AS_IT_IS and (match.frame, match.crystal_axes) == now
        measured = f"median misorientation to {name}: {match.median:.2f}°"
        group = 0 if match.tied else number + 1
        rows.append(
            Row(
                match.frame, match.crystal_axes, cells, group, current, measured, obstacle,
                match.turn,
            )
        )  # fmt: skip
    return rows


def _convention(frame: str, crystal_axes: str) -> tuple[str, str]:
    who = f" ({WHO[frame]})" if frame in WHO else ""
    return frame_words(frame) + who, CRYSTAL[crystal_axes].partition(" (")[0]


def _now(orientations: OrientationMap) -> tuple[str, str]:
    from napari_orient.data.vendors.reframe import frame_name

    return frame_name(orientations) or "own", orientations.crystal_axes
