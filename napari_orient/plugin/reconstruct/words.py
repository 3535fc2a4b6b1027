"""How is an outlook read? Facts in a line, and what makes a result doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.plugin.reconstruct.outlook import Outlook

TERMS = {
    "Give sections across the other axes": "Take three sections",
    "say what to assume: equiaxed, fibre x or fibre y": (
        "choose what to assume beside Elongated, under Expert settings"
    ),
}
"""Words of the engine -> those of the window."""


def in_window(text: str) -> str:
    """Return a sentence of the engine with the names that controls have."""
    for theirs, ours in TERMS.items():
        text = text.replace(theirs, ours)
    return text


def length_words(size: Sequence[int], step: float, unit: str) -> str:
    """Return the edges of a field as "64 × 64 × 64 µm"."""
    edges = " × ".join(f"{n * step:.4g}" for n in size)
    return f"{edges} {unit.replace('um', 'µm')}"


def duration(seconds: float) -> str:
    """Return "about 2 min" for a number of seconds."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def whole(number: float) -> str:
    """Return a count with two digits that count: 1 234 567 as "1 200 000"."""
    if number < 100:
        return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
    digits = len(str(int(number)))
    return f"{round(number, 2 - digits):,.0f}".replace(",", "\u202f")


def facts(outlook: Outlook, *, grains: bool = False) -> str:
    """Return grains, memory and time of a run as rich text, "" where nothing is known.

    ``grains``: of the field, grains are made in the end.
    """
    known = outlook.known
    if known is None:
        return ""
    unit = known.unit.replace("um", "µm")
    said = [
        f"<b>Reference</b>: {known.grains} grains, {known.diameter:.1f} points "
        f"({known.diameter * known.step:.3g} {unit}) wide"
    ]
    if outlook.seconds:
        finest = outlook.grids[-1].shape
        points = 1.0
        for n in finest:
            points *= n
        said.append(
            f"<b>Field</b>: {outlook.across:.1f} grains across, about {whole(outlook.inside)} in "
            f"it, of {whole(points / max(outlook.inside, 1e-9))} points each"
        )
        said.append(
            f"<b>Memory</b>: about {outlook.needed_mb / 1000:.1f} GB of "
            f"{outlook.free_mb / 1000:.1f} GB"
        )
        grids = ", ".join("×".join(map(str, g.shape)) for g in outlook.grids)
        said.append(
            f"<b>Time</b>: {duration(outlook.total_seconds)} at most"
            f"{', before grains are made of it' if grains else ''}; grids {grids}, "
            f"an evaluation on the last {_short(outlook.seconds[-1])}"
        )
    return "<br>".join(said)


def _short(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)
