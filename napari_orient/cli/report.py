"""How does a verb answer? Progress on standard error, facts (words or JSON) on standard output."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from napari_orient.jobs import Event, Every, Partial, Progress, TimeLeft

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    #: Adds a verb: its name, what it does with its options (-> exit code), its help
    AddVerb = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]

STOPPED = 130


class Reporter:
    """Writes a job's progress to standard error and remembers its last partial result."""

    def __init__(self) -> None:
        self.partial: Partial | None = None
        self._show = Every(seconds=0.5, first=0.2)
        self._time_left = TimeLeft()

    def __call__(self, event: Event) -> None:
        """Take one event of a job."""
        if isinstance(event, Partial):
            self.partial = event
            return
        seconds = self._time_left.seconds(event)
        if self._show.due():
            self._write(event, seconds)

    def _write(self, progress: Progress, seconds: float | None) -> None:
        share = f"{100 * progress.fraction:3.0f} %  " if progress.fraction is not None else ""
        left = f"  {seconds:.0f} s left" if seconds is not None else ""
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{share}{progress.text}{left}", end=end, file=sys.stderr, flush=True)


def answer(facts: dict[str, Any], as_json: bool) -> None:
    """Print the facts that a verb found: one JSON object, or a line each."""
    if as_json:
        print(json.dumps(facts, allow_nan=False))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {_in_words(value)}")


def _in_words(value: Any) -> str:
    if isinstance(value, dict) and "source" in value and "value" in value:
        unit = f" {value['unit']}" if value.get("unit") else ""
        return f"{_in_words(value['value'])}{unit} ({value['source']})"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return _separator(value).join(map(_in_words, value)) if value else "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "not known" if value is None else str(value)


def _separator(values: Sequence[Any]) -> str:
    """Return " x " for shapes and steps; lists of other things are not multiplied."""
    if any(isinstance(value, dict) for value in values):
        return "; "
    numbers = all(type(value) in (int, float) for value in values)
    sizes = all(type(value) is int for value in values) or len(values) == 2
    return " x " if numbers and sizes else ", "
