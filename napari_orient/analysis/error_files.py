"""How do the errors of a map leave the program, and how does a mask of points come in?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.result_paths import check_result_path, is_table
from napari_orient.data.images import cannot_write
from napari_orient.data.maps import save_map
from napari_orient.files import UnreadableFile, check_file, replace_atomically
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.errors import Comparison
    from napari_orient.jobs import Job

_ROWS = 2**14
_IMAGES = (".tif", ".tiff", ".png")


def write_errors(comparison: Comparison, path: str | Path) -> Job[Path]:
    """Write the errors of each point, as a table (.csv) or as a map (.h5).

    The table has a row for each point that can be compared: its place in pixels, and the errors.
    The map is the other one of the comparison, with the errors among its properties.

    Yields
    ------
    Progress
        In points.

    Raises
    ------
    UnreadableFile
        If the name ends in neither, or the file cannot be written.
    """
    check_result_path(path)
    if not is_table(path):
        properties = {**comparison.other.properties, **comparison.fields()}
        return (yield from save_map(replace(comparison.other, properties=properties), path))
    try:
        yield from _write_table(comparison, Path(path))
    except OSError as error:
        raise cannot_write(path, error) from error
    return Path(path)


def _write_table(comparison: Comparison, path: Path) -> Job[None]:
    index, fields = np.nonzero(comparison.valid), comparison.fields()
    columns = [*index, *(values[index] for values in fields.values())]
    names = [*comparison.other.axes, *(name.replace(" ", "_") for name in fields)]
    formats = ["%d"] * len(index) + ["%.9g"] * len(fields)
    with (
        replace_atomically(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.write(",".join(names) + "\n")
        for start in range(0, len(index[0]), _ROWS):
            yield Progress(start, len(index[0]), "Writing")
            rows = np.stack([column[start : start + _ROWS] for column in columns], axis=1)
            np.savetxt(file, rows, formats, delimiter=",")


def read_mask(path: str | Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Read which points (y, x) count: those that are not zero in an array or a picture.

    Parameters
    ----------
    path
        A .npy, .tif or .png file.
    shape
        Of the map.

    Raises
    ------
    UnreadableFile
        If it cannot be read, or has another shape.
    """
    path = check_file(path)
    if path.suffix.lower() not in (".npy", *_IMAGES):
        raise UnreadableFile(path, "is no mask", "Give a .npy, .tif or .png file.")
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            from skimage.io import imread

            values = imread(path)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            raise ValueError("it holds no plain numbers")
    except (ValueError, OSError, SyntaxError) as error:  # of damaged pictures, too
        raise UnreadableFile(
            path, f"cannot be read as a mask ({error})", "Save the mask again."
        ) from error
    if values.shape != shape:
        raise UnreadableFile(
            path, f"has the shape {values.shape}, and the map has {shape}",
            "Save a mask with one value for each point of the map.",
        )  # fmt: skip
    return np.asarray(np.nan_to_num(values) != 0)
