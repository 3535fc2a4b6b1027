"""What is left of a map when its run is killed? A file beside it, from which the next one goes on.

It is written every few seconds while a map is made, whole or not at all, and removed when the map
is finished: ``map.h5.part.h5`` beside ``map.h5``. A run that does not go on from such a file
renames it first: who has forgotten ``--resume`` loses nothing.
"""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING

from napari_orient.cli.report import Reporter
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Event, Every, Partial

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from napari_orient.data.maps import OrientationMap

INTERVAL = 20.0  # seconds between two files: what a run loses at most when it is killed
_COST = 20  # times as long as it takes to write a large map: 5 % of the run, then


def add_resume_option(sub: argparse.ArgumentParser) -> None:
    """Add what :func:`begun` reads."""
    sub.add_argument(
        "--resume", action="store_true",
        help="go on with what a run that was stopped or killed has left beside MAP",
    )  # fmt: skip


def part_of(out: Path) -> Path:
    """Return where the unfinished map lies."""
    return out.with_name(f"{out.name}.part.h5")


def old_of(out: Path) -> Path:
    """Return where the unfinished map of the run before lies, if it was not gone on with."""
    return out.with_name(f"{out.name}.part-old.h5")


def begun(out: Path, resume: bool) -> OrientationMap | None:
    """Return the unfinished map to go on with, or None; says what there is.

    One that is not to be gone on with is renamed, and kept until the map is finished.

    Raises
    ------
    UnreadableFile
        If it is damaged.
    """
    from napari_orient.data.maps import load_map

    part = part_of(out)
    if not part.exists():
        if resume:
            _say(f"{part} is not there: the scan is read from its start")
        return None
    if not resume:
        part.replace(old_of(out))
        _say(
            f"the scan is read from its start; what an earlier run has left is kept as "
            f"{old_of(out)} until the map is finished. To go on with that: stop, rename it to "
            f"{part.name}, and give --resume"
        )
        return None
    try:
        found = load_map(part)
    except UnreadableFile as error:
        cure = "Leave out --resume: the scan is then read from its start."
        raise UnreadableFile(part, error.problem, cure) from error
    _say(f"going on with {part}: {int(found.done.sum())} positions are finished")
    return found


class Keeper(Reporter):
    """Writes the unfinished map every few seconds, too."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        self.part, self._old = part_of(out), old_of(out)
        self._due = Every(INTERVAL)
        self._failed = False

    def __call__(self, event: Event) -> None:
        """Take one event of a job."""
        super().__call__(event)
        if isinstance(event, Partial) and self._due.due():
            before = time.perf_counter()
            self.write()
            self._due = Every(max(INTERVAL, _COST * (time.perf_counter() - before)))

    def write(self) -> None:
        """Write what there is; a full disk is said once and does not end the run."""
        import h5py

        from napari_orient.data.maps import fill_group

        if self.partial is None:
            return
        made = io.BytesIO()  # HDF5 ends the process where a disk is full
        with h5py.File(made, "w") as file:
            fill_group(file, self.partial.value)
        try:
            with replace_atomically(self.part) as temporary:
                temporary.write_bytes(made.getbuffer())
        except OSError as error:
            if not self._failed:
                _say(f"{self.part} cannot be written ({why(error)}): the run goes on")
            self._failed = True

    def remove(self) -> None:
        """Remove the unfinished maps: the whole one is there."""
        for path in (self.part, self._old):
            path.unlink(missing_ok=True)


def why(error: Exception) -> str:
    """Return why a file cannot be written, in one line: HDF5 says much more than that."""
    if "No space left" in str(error):
        return "no space is left on the disk"
    if isinstance(error, UnreadableFile):  # its problem says again that a file cannot be written
        return why(error.__cause__) if isinstance(error.__cause__, OSError) else error.problem
    return str(getattr(error, "strerror", None) or error)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
