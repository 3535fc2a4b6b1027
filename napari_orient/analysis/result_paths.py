"""Where may a result be written that is a table or a map? Asked before the work, not after it."""

from __future__ import annotations

from pathlib import Path

from napari_orient.files import UnreadableFile

TABLES, MAPS = (".csv",), (".h5", ".hdf5")


def is_table(path: str | Path) -> bool:
    """Say whether a name is that of a table."""
    return Path(path).suffix.lower() in TABLES


def check_result_path(path: str | Path) -> None:
    """Raise UnreadableFile unless a table (.csv) or a map (.h5) can be written there."""
    path = Path(path)
    if path.suffix.lower() not in TABLES + MAPS:
        raise UnreadableFile(
            path, "is named neither as a table nor as a map", "Let the name end in .csv or .h5."
        )
    if not path.parent.is_dir():
        raise UnreadableFile(path, "lies in a folder that does not exist", "Make the folder first.")
