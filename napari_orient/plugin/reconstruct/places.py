"""Where does a run keep its state? A folder for each, in the user's data folder, until it ends.

It holds the references as maps, the settings, and the state that the engine writes: it can be gone
on with after anything, also without the files that the maps came from.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QStandardPaths

from napari_orient.data.maps import load_map, save_map
from napari_orient.files import UnreadableFile
from napari_orient.plugin.paths import file_name
from napari_orient.reconstruction.config import ReconstructConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

STATE, SETTINGS, RESULT = "state.h5", "reconstruct.yaml", "result.h5"
REFERENCE = "reference-{}.h5"
MOST = 12  # runs that are listed


def runs_folder() -> Path:
    """Return the folder of unfinished runs; ``NAPARI_ORIENT_DATA`` names another one."""
    data = os.environ.get("NAPARI_ORIENT_DATA")
    if not data:
        kind = QStandardPaths.StandardLocation.GenericDataLocation
        data = str(Path(QStandardPaths.writableLocation(kind)) / "napari-orient")
    return Path(data) / "reconstructions"


@dataclass(frozen=True)
class Place:
    """The folder of a run."""

    folder: Path

    @property
    def name(self) -> str:
        """What the result is called."""
        return self.folder.name.partition(" @ ")[0]

    @property
    def state(self) -> Path:
        """The file that the engine keeps its state in."""
        return self.folder / STATE

    @property
    def result(self) -> Path:
        """The file of a run that has come to its end."""
        return self.folder / RESULT

    def begin(self, references: Sequence[OrientationMap], config: ReconstructConfig) -> Job[None]:
        """Write the references and the settings.

        Raises
        ------
        UnreadableFile
            If it cannot be written, with the cure.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            config.to_yaml(self.folder / SETTINGS)
        except OSError as error:
            raise UnreadableFile(
                self.folder, f"cannot be written ({error.strerror or error})",
                "Make room there, or name another folder in NAPARI_ORIENT_DATA.",
            ) from error  # fmt: skip
        for number, one in enumerate(references):
            yield from save_map(one, self.folder / REFERENCE.format(number))

    def config(self) -> ReconstructConfig:
        """Read the settings.

        Raises
        ------
        ConfigError
            If they are damaged.
        """
        return ReconstructConfig.from_yaml(self.folder / SETTINGS)

    def references(self) -> list[OrientationMap]:
        """Read the references.

        Raises
        ------
        UnreadableFile
            If they are damaged, or not there.
        """
        names = [self.folder / REFERENCE.format(n) for n in range(3)]
        return [load_map(path) for n, path in enumerate(names) if not n or path.exists()]

    def words(self) -> str:
        """Say what it is and how old, for a list."""
        try:
            when = time.strftime("%d %b %H:%M", time.localtime(self.state.stat().st_mtime))
        except OSError:
            when = "?"
        return f"{self.name}, {when}"

    def remove(self) -> None:
        """Delete the folder, and nothing but what a run writes."""
        names = [self.state, self.result, self.folder / SETTINGS]
        names += [self.folder / REFERENCE.format(n) for n in range(3)]
        with contextlib.suppress(OSError):
            for path in names:
                path.unlink(missing_ok=True)
            self.folder.rmdir()


def new_place(name: str) -> Place:
    """Return a place for a new run; its folder is not made yet."""
    stem = f"{file_name(name)} @ {time.strftime('%Y-%m-%d %H.%M.%S')}"
    folder, number = runs_folder() / stem, 1
    while folder.exists():
        number += 1
        folder = runs_folder() / f"{stem}-{number}"
    return Place(folder)


def unfinished() -> list[Place]:
    """Return the runs that can be gone on with, the newest first."""
    try:
        found = [Place(path.parent) for path in runs_folder().glob(f"*/{STATE}")]
        found.sort(key=lambda place: place.state.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return found[:MOST]
