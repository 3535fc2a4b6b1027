"""What stands in the table of a verdict? Words for readers, numbers for programs."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_orient.reconstruction.representative.rows import Row
    from napari_orient.reconstruction.representative.verdict import Verdict

HEADS = ("property", "reference", "result", "difference (95 %)", "p, corrected", "verdict")
GREEN, RED, AMBER = "#2b8a3e", "#c92a2a", "#e67700"


def answer_word(verdict: Verdict) -> tuple[str, str]:
    """Return the verdict in a word, and its colour."""
    if verdict.representative is None:
        return "Too little to tell", AMBER
    return ("Representative", GREEN) if verdict.representative else ("Not representative", RED)


def cells(row: Row) -> list[str]:
    """Return a row of the table as a reader wants it."""
    unit = f" {row.unit}" if row.unit not in ("", "°") else row.unit
    values = ["" if v is None else f"{v:.3g}{unit}" for v in (row.reference, row.result)]
    change = ""
    if row.difference is not None:
        change = f"{_signed(row.difference)}{unit}"
        if row.interval is not None:
            low, high = row.interval
            change += f" ({_signed(low)} to {_signed(high)})"
    elif row.apart is not None:
        change = f"{row.apart:.2g}{unit} apart"
    p = "" if row.p_corrected is None else _chance(row.p_corrected)
    return [row.name, *values, change, p, row.verdict]


def _signed(value: float) -> str:
    return f"{value:+.2g}".replace("-", "\u2212")


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def facts_of(verdict: Verdict) -> list[str]:
    """Say how it was done, in sentences."""
    grains = verdict.config.grains
    return [
        f"Reference: {verdict.sources[0]}. Result: {verdict.sources[1]}.",
        f"Grains: {grains.threshold:g}° and {grains.smallest} points or more. Patches of about "
        f"ten neighbouring grains are dealt out {verdict.config.draws} times; p is the share of "
        "deals that are as far apart, corrected for all tests together (Holm). A row differs "
        "where it is below 5 %.",
        *verdict.notes,
        "That two fields cannot be told apart does not say that they are equal: look at the "
        "intervals.",
    ]


def rest_of(verdict: Verdict) -> str:
    """The headline without its first words, which are printed larger."""
    line = verdict.headline.removeprefix(answer_word(verdict)[0]).lstrip(" :.")
    return line[:1].upper() + line[1:]


def write_csv(verdict: Verdict, path: Path) -> None:
    """Write all rows with their numbers."""
    names = (
        "row", "measure", "unit", "reference", "result", "difference", "low_95", "high_95",
        "distance", "distance_measure", "p", "p_corrected", "differs", "verdict",
    )  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in (verdict.headline, *facts_of(verdict)))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in verdict.rows:
            low, high = row.interval or (None, None)
            numbers = [row.reference, row.result, row.difference, low, high, row.apart]
            known = ["" if v is None else f"{v:.6g}" for v in numbers]
            chances = ["" if v is None else f"{v:.6g}" for v in (row.p, row.p_corrected)]
            differs = "" if row.differs is None else int(row.differs)
            writer.writerow(
                [row.name, row.measure, row.unit, *known, row.distance, *chances, differs,
                 row.verdict]
            )  # fmt: skip
