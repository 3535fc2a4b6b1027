"""How does a picture leave the program? As a float32 TIFF, or with the data behind a figure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.files import UnreadableFile, replace_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Shown:
    """An array that a figure shows: its name, and facts about it in JSON types.

    ``step`` is (dy, dx) in ``unit``, or None where it is not known.
    """

    name: str
    array: NDArray[Any]
    step: tuple[float, float] | None = None
    unit: str = "px"
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_tiff(
    path: str | Path, image: ArrayLike, step: tuple[float, float] | None = None, unit: str = "nm"
) -> Path:
    """Write one picture as a float32 TIFF that ImageJ and napari read; NaN stays NaN.

    Parameters
    ----------
    path
        Where; an existing file is replaced in one step.
    image
        Shape (y, x).
    step
        (dy, dx), the distance of pixel centres in ``unit``; None where it is not known.
    unit
        "nm" or "um".

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    import tifffile

    path = Path(path)
    scale: dict[str, Any] = {}
    if step is not None:
        # ImageJ shows "um" as it shows its own "micron"
        scale = {
            "resolution": (1 / step[1], 1 / step[0]),
            "metadata": {"unit": "micron" if unit == "um" else unit, "axes": "YX"},
        }
    try:
        with replace_atomically(path) as temporary:
            tifffile.imwrite(temporary, np.asarray(image, np.float32), imagej=True, **scale)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def save_shown(shown: Sequence[Shown], path: str | Path, facts: Mapping[str, Any]) -> Path:
    """Write the arrays behind a figure as HDF5: one dataset each, its facts as attributes.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    import h5py

    path = Path(path)
    try:
        with replace_atomically(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs.update({"format": "napari-orient figure data", "version": 1, **facts})
            for number, one in enumerate(shown):
                data = file.create_dataset(str(number), data=one.array, compression="gzip")
                data.attrs.update({"name": one.name, "unit": one.unit})
                data.attrs["facts"] = json.dumps(dict(one.facts), default=str)
                if one.step is not None:
                    data.attrs["step"] = one.step
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def cannot_write(path: str | Path, error: OSError) -> UnreadableFile:
    """Return what went wrong with a file to be written, in words with a cure."""
    path = Path(path)
    if not path.parent.is_dir():
        return UnreadableFile(
            path, "lies in a folder that does not exist", "Make the folder first."
        )
    problem = f"cannot be written ({error.strerror or error})"
    cure = "Choose another folder, or make room there; a program that has it open must close it."
    return UnreadableFile(path, problem, cure)
