"""Which settings train best? All combinations of a grid, one training each, and a table.

A YAML file names what is common, and the values that are tried:

    base: {network: {name: cnn, head: euler}, scan: {scan: scan.h5, labels: map.h5}}
    grid:
      batch: [32, 64, 128]
      network.kernel_size: [3, 5]
      schedule: [constant, step]

Each combination has a folder of its own. A study that was stopped goes on where it was: what is
finished is not trained again.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from napari_orient.config import Config, ConfigError
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Event, Partial, Progress
from napari_orient.learning.config import TrainConfig
from napari_orient.learning.study_plot import plot_study
from napari_orient.learning.train import CHECKPOINT, train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_orient.jobs import Job

TABLE, RESULT = "table.csv", "result.json"
_SCORES = ("r2", "mse", "mae", "median_deg", "within_5deg", "median_deg_modulo_beam")


class StudyConfig(Config):
    """A grid of settings."""

    base: dict[str, Any] = Field(description="settings of all trainings")
    grid: dict[str, list[Any]] = Field(
        min_length=1, description="values to try, by the name of the setting, as network.head"
    )


def combinations(study: StudyConfig) -> Iterator[tuple[dict[str, Any], TrainConfig]]:
    """Yield the values, and the settings they make, of each training.

    Raises
    ------
    ConfigError
        If a name or a value does not fit; the message names it.
    """
    names = list(study.grid)
    for name, values in study.grid.items():
        if not values:
            raise ConfigError(f"study: grid.{name} has no values")
    for chosen_values in itertools.product(*study.grid.values()):
        settings: dict[str, Any] = json.loads(json.dumps(study.base))
        for name, value in zip(names, chosen_values, strict=True):
            *path, last = name.split(".")
            place = settings
            for part in path:
                place = place.setdefault(part, {})
                if not isinstance(place, dict):
                    raise ConfigError(f"study: {name} is no setting")
            place[last] = value
        chosen = dict(zip(names, chosen_values, strict=True))
        yield chosen, TrainConfig.checked(settings, where=f"study, {_words(chosen)}")


def run_study(study: StudyConfig, folder: str | Path) -> Job[list[dict[str, Any]]]:
    """Train all combinations, one after the other.

    Parameters
    ----------
    study
        Base and grid.
    folder
        Gets a folder for each training, ``table.csv``, and its plot as ``plot.png`` and
        ``plot.svg``.

    Yields
    ------
    Progress
        In trainings, with the words of the one that runs.
    Partial
        "table", the records so far, after each training.

    Returns
    -------
    list of dict
        A record for each training: its values, rounds, minutes, and the scores of validation and
        test, or "error" with the reason where one failed.
    """
    folder = Path(folder)
    every = list(combinations(study))  # all are checked before the first is trained
    table: list[dict[str, Any]] = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, (values, config) in enumerate(every):
        place = folder / _words(values).replace(" ", "_").replace("/", "-")
        before = f"training {number + 1} of {len(every)} ({_words(values)})"
        yield Progress(number, len(every), before)
        record = _finished(place)
        if record is None:
            record = yield from _trained(values, config, place, number, len(every), before)
        table.append(record)
        _write_table(folder / TABLE, table)
        plot_study(study, table, folder)
        yield Partial("table", [dict(row) for row in table])
    return table


def _trained(
    values: dict[str, Any], config: TrainConfig, place: Path, number: int, total: int, before: str
) -> Job[dict[str, Any]]:
    """Run one training and return its record; one that fails does not end the study."""
    record: dict[str, Any] = dict(values)
    history: list[dict[str, Any]] = []
    try:
        job = train(config, place, resume=(place / CHECKPOINT).exists())
        model = yield from _told(job, history, number, total, before)
    except (ValueError, RuntimeError, UnreadableFile) as error:
        return {**record, "error": " ".join(str(error).split())}
    last = history[-1] if history else {}
    record |= {"rounds": last.get("round"), "minutes": round(last.get("seconds", 0.0) / 60, 2)}
    for part, scores in model.scores.items():
        record |= {f"{part} {name}": round(scores[name], 5) for name in _SCORES}
    with replace_atomically(place / RESULT) as path:
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return record


def _told(
    job: Job[Any], history: list[dict[str, Any]], number: int, total: int, before: str
) -> Job[Any]:
    """Pass a training's events on as those of the study."""
    try:
        while True:
            event: Event = next(job)
            if isinstance(event, Partial):
                if event.name == "history":
                    history[:] = event.value
            elif event.fraction is not None:
                done = int(1000 * (number + event.fraction))
                yield Progress(done, 1000 * total, f"{before}: {event.text}")
    except StopIteration as stop:
        return stop.value
    finally:
        job.close()


def _finished(place: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((place / RESULT).read_text(encoding="utf-8"))
        return record
    except (OSError, json.JSONDecodeError):
        return None


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.split('.')[-1]} {value}" for name, value in values.items())


def _write_table(path: Path, table: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in table for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    with replace_atomically(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
