"""Can a scan be made again from its file? Its crops, bins and repairs as steps, and their proof.

A scan that was prepared in the window is stored nowhere: it is a file and what was done since. The
words of :attr:`Scan.history` say the latter exactly for crops and bins; which pixels were repaired,
and how patterns were moved, stands in the views. Nothing is taken on trust: a scan counts as made
again when the file, opened and prepared once more, gives the same shape, type and, of a few, the
same patterns.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.arrangement import Arrangement, arrangement_in
from napari_orient.data.views import Binned, Cropped, Repaired, Shifted
from napari_orient.files import UnreadableFile, split_inside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_orient.data.scan import Scan

Step = dict[str, Any]
_CROP = re.compile(r"cropped (\d+):(\d+) x (\d+):(\d+) x (\d+):(\d+) x (\d+):(\d+)")
_BIN = re.compile(r"binned (\d+) x \1")
_REPAIR = re.compile(r"(\d+) hot pixels replaced")
_SHIFT = re.compile(r"descan taken out by whole pixels, up to (\d+) px")
_VIEWS = Binned | Cropped | Repaired | Shifted


class CannotReplay(Exception):
    """A scan that cannot be made again from a file; the message says why, as a clause."""


def steps_of(scan: Scan, known: Sequence[str] = ()) -> list[Step]:
    """Return what was done to a scan since its file was opened.

    Parameters
    ----------
    scan
        The scan as it is now.
    known
        The history that the file itself tells: it is not done again.

    Raises
    ------
    CannotReplay
        If the history goes on from another one, or has words that are not understood.
    """
    if tuple(scan.history[: len(known)]) != tuple(known):
        raise CannotReplay("its file tells another history")
    views = _views(scan.data)
    repairs = [view for view in views if isinstance(view, Repaired)]
    shifts = [view for view in views if isinstance(view, Shifted)]
    steps: list[Step] = []
    for words in scan.history[len(known) :]:
        numbers = [int(n) for n in re.findall(r"\d+", words)]
        if _CROP.fullmatch(words):
            steps.append({"do": "crop", "box": [numbers[i : i + 2] for i in range(0, 8, 2)]})
        elif _BIN.fullmatch(words):
            steps.append({"do": "bin", "factor": numbers[0]})
        elif _REPAIR.fullmatch(words) and repairs and len(repairs[0].sources) == numbers[0]:
            steps.append({"do": "repair", "pixels": [list(at) for at in repairs.pop(0).sources]})
        elif _SHIFT.fullmatch(words) and shifts:
            steps.append({"do": "shift", "shifts": shifts.pop(0).shifts.tolist()})
        else:
            raise CannotReplay(f"'{words}' cannot be done again from its words")
    return steps


def _views(data: Any) -> list[Any]:
    """Return the chain of views over a file's array, the first that was made first."""
    found = []
    while isinstance(data, _VIEWS):
        found.append(data)
        data = data.parts[0]
    return found[::-1]


def replay(scan: Scan, steps: Sequence[Step]) -> Scan:
    """Do the steps of :func:`steps_of` to a scan, lazily.

    Raises
    ------
    ValueError
        If a step does not fit the scan (the file has changed), or is not known.
    """
    from napari_orient.data.prepare import bin_scan, crop, without_hot_pixels

    for step in steps:
        if step["do"] == "crop":
            if any(stop > n for (_, stop), n in zip(step["box"], scan.shape, strict=True)):
                raise ValueError(f"a crop does not fit the scan of {scan.shape}")
            y, x, ky, kx = (slice(*span) for span in step["box"])
            scan = crop(scan, y, x, ky, kx)
        elif step["do"] == "bin":
            scan = bin_scan(scan, step["factor"])
        elif step["do"] == "repair":
            mask = np.zeros(scan.pattern_shape, np.bool_)
            if (np.asarray(step["pixels"]) >= mask.shape).any():
                raise ValueError(f"hot pixels lie outside the patterns of {mask.shape}")
            mask[tuple(np.transpose(step["pixels"]))] = True
            scan = without_hot_pixels(scan, mask)
        elif step["do"] == "shift":
            shifted = Shifted(scan.data, np.asarray(step["shifts"], np.int64))
            scan = scan.replaced(shifted, history=(*scan.history, "patterns moved"))
        else:
            raise ValueError(f"the step {step['do']!r} is not known: update napari-orient")
    return scan


def recipe(scan: Scan) -> tuple[Path, dict[str, Any]]:
    """Return the file of a scan, and how to open it there and prepare it as it is now.

    The file is opened anew and the result compared with the scan, so that what is returned works.

    Raises
    ------
    CannotReplay
        If there is no such file, or what comes out is not the same.
    """
    path, inside = split_inside(scan.source)
    if not scan.source or not path.exists():
        raise CannotReplay("it is in no file" if not scan.source else f"{path.name} is gone")
    found = next((a for words in scan.history if (a := arrangement_in(words))), None)
    arrangement = found.model_dump(mode="json") if found else None
    reasons = []
    for shape in (None, _innermost(scan.data)):
        how: dict[str, Any] = {"dataset": inside, "scan_shape": None if found else shape}
        how["arrangement"] = arrangement
        try:
            again, how["steps"] = _again(path, how, scan)
        except (CannotReplay, UnreadableFile, ValueError, IndexError) as error:
            reasons.append(str(error))
            continue
        try:
            if _same(again, scan):
                return path, how
        finally:
            again.close()
        reasons.append("its file gives other patterns")
    raise CannotReplay(reasons[0])


def _again(path: Path, how: dict[str, Any], scan: Scan) -> tuple[Scan, list[Step]]:
    opened = _open(path, how)
    try:
        steps = steps_of(scan, opened.history)
        return replay(opened, steps), steps
    except BaseException:
        opened.close()
        raise


def _open(path: Path, how: dict[str, Any]) -> Scan:
    from napari_orient.data.formats import open_scan

    shape, kept = how["scan_shape"], how.get("arrangement")
    return open_scan(
        path,
        dataset=how["dataset"],
        scan_shape=tuple(shape) if shape else None,
        arrangement=Arrangement.checked(kept, where=str(path)) if kept else None,
    )


def open_again(path: Path, how: dict[str, Any]) -> Scan:
    """Open a scan by the recipe that :func:`recipe` gave; ``path`` may be its new place.

    Raises
    ------
    UnreadableFile
        If the file cannot be opened, or no longer fits the recipe.
    """
    scan = _open(path, how)
    try:
        return replay(scan, how["steps"])
    except (ValueError, IndexError, KeyError) as error:
        scan.close()
        problem = f"is not the scan of the session any more ({error})"
        raise UnreadableFile(path, problem, "Point to the file that it was saved with.") from error


def _innermost(data: Any) -> tuple[int, int]:
    while isinstance(data, _VIEWS):
        data = data.parts[0]
    return int(data.shape[0]), int(data.shape[1])


def _same(one: Scan, other: Scan) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    height, width = one.scan_shape
    places = ((0, 0), (height // 2, width // 2), (height - 1, width // 3), (height - 1, width - 1))
    floats = one.dtype.kind == "f"
    return all(
        np.array_equal(one.pattern(y, x), other.pattern(y, x), equal_nan=floats) for y, x in places
    )
