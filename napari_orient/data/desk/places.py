"""Where is a file that something refers to? By its path, by its place beside, and unchanged?"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

PIECE = 65_536  # bytes that are looked at, at the start, in the middle and at the end


def address_of(path: str | Path, beside: str | Path) -> dict[str, Any]:
    """Describe where a file is, as seen from ``beside`` too, and how to recognise it.

    Returns
    -------
    dict
        "absolute", "relative" (to the folder of ``beside``; None on another drive), "size" in
        bytes, "modified" (seconds since 1970), "print" (of three pieces of the file).

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    path = Path(path).absolute()
    try:
        relative = Path(os.path.relpath(path, Path(beside).absolute().parent)).as_posix()
    except ValueError:
        relative = None
    size, modified, mark = _look(path)
    return {
        "absolute": str(path),
        "relative": relative,
        "size": size,
        "modified": modified,
        "print": mark,
    }


def _look(path: Path) -> tuple[int, float, str]:
    """Size, time of change and fingerprint; of a folder (.zspy), those of its table of contents."""
    if path.is_dir():
        inside = next((p for p in (path / ".zmetadata", path / ".zgroup") if p.exists()), None)
        return (0, path.stat().st_mtime, "") if inside is None else _look(inside)
    facts = path.stat()
    mark = hashlib.sha256()
    with path.open("rb") as file:
        for start in (0, facts.st_size // 2, max(0, facts.st_size - PIECE)):
            file.seek(start)
            mark.update(file.read(PIECE))
    return facts.st_size, facts.st_mtime, mark.hexdigest()[:24]


def find(address: dict[str, Any], beside: str | Path, moved: dict[str, str]) -> Path | None:
    """Return where the file of an address is now, or None.

    The place that the user named comes first, then that beside (a folder copied as a whole), then
    the old one, then those that follow from where the user found the others.

    Parameters
    ----------
    address
        From :func:`address_of`.
    beside
        The file that refers.
    moved
        Old absolute path -> new place, as far as the user has told.
    """
    old = address["absolute"]
    if old in moved:
        return Path(moved[old]) if Path(moved[old]).exists() else None
    places = [Path(old)]
    if address["relative"] is not None:
        places.insert(0, Path(beside).absolute().parent / address["relative"])
    places += [Path(new).parent / Path(old).name for new in moved.values()]
    there = [Path(os.path.normpath(place)) for place in places if place.exists()]
    same = [place for place in there if not has_changed(address, place)]
    return next(iter(same or there), None)


def has_changed(address: dict[str, Any], path: Path) -> bool:
    """Say whether a file is another than when its address was taken; a copy is not."""
    try:
        size, modified, mark = _look(path)
    except OSError:
        return True
    if size != address["size"]:
        return True
    return bool(modified != address["modified"] and mark != address["print"])
