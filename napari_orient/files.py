"""How are files touched safely? Checked before reading, replaced whole when written."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h5py


class UnreadableFile(Exception):
    """A file that cannot be used: its message names the file, the problem and the cure.

    Parameters
    ----------
    path
        The file.
    problem
        What is wrong, as a clause: "is empty (0 bytes)".
    cure
        What the user can do, as a sentence: "Copy it again from the microscope computer."
    """

    def __init__(self, path: str | Path, problem: str, cure: str) -> None:
        super().__init__(f"{path} {problem}. {cure}")
        self.path = Path(path)
        self.problem = problem
        self.cure = cure


def check_file(path: str | Path) -> Path:
    """Return ``path`` if it is a readable, non-empty file (or a readable folder).

    Raises
    ------
    UnreadableFile
        If it does not exist, may not be read, or has no content.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise UnreadableFile(
            path, "does not exist", "Check the name, and that the drive is still connected."
        ) from None
    except OSError as error:
        raise UnreadableFile(
            path, f"cannot be reached ({error.strerror})", "Check that the drive is connected."
        ) from error
    if not os.access(path, os.R_OK):
        raise UnreadableFile(
            path, "may not be read by you", "Ask its owner for read permission, or copy it."
        )
    if not (path.is_file() or path.is_dir()):  # opening a pipe would wait for ever
        raise UnreadableFile(path, "is a pipe or a device, not a file", "Choose a file.")
    if path.is_file() and size == 0:
        raise UnreadableFile(
            path, "is empty (0 bytes)", "Copy it again: the transfer did not finish."
        )
    return path


def split_inside(path: str | Path) -> tuple[Path, str | None]:
    """Split ``file.h5::/inside`` into the file and the name inside, None where not named.

    A folder or a file may have ``::`` in its own name: what exists decides.
    """
    text = str(path)
    name = text.rpartition("::")[0]
    if not name or Path(text).exists():
        return Path(path), None
    while not Path(name).exists() and "::" in name:
        name = name.rpartition("::")[0]
    if not Path(name).exists():
        name = text.partition("::")[0]
    return Path(name), text[len(name) + 2 :]


def open_h5(path: str | Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises
    ------
    UnreadableFile
        If it is not HDF5 (a text file named .h5), truncated, or cannot be read.
    """
    import h5py

    path = check_file(path)
    if not h5py.is_hdf5(path):
        raise UnreadableFile(
            path, "is not an HDF5 file, whatever its name says", "Rename it, or export it again."
        )
    try:
        return h5py.File(path, "r")
    except OSError as error:
        problem = "is truncated" if "truncated" in str(error) else f"cannot be opened ({error})"
        raise UnreadableFile(
            path, problem, "Copy it again; if another program writes it, close it there first."
        ) from error


@contextmanager
def replace_atomically(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it replaces ``path`` in one step.

    On an error the temporary file is removed and ``path`` is left as it was.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        # mkstemp makes it private, and so do some writers; the user's own rule applies
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
