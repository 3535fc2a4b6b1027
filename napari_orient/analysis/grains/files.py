"""How do grains leave the program? As a table, and as a map that knows the grain of each point."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.grains.pixel_maps import (
    grain_reference_deviation,
    kernel_average_misorientation,
)
from napari_orient.analysis.result_paths import check_result_path, is_table
from napari_orient.data.images import cannot_write
from napari_orient.data.maps import save_map
from napari_orient.files import replace_atomically
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.jobs import Job


def write_grains(grains: Grains, path: str | Path) -> Job[Path]:
    """Write grains as a table (.csv, a row for each) or as a map (.h5).

    The map is the one they were found in, with the properties "grain" (0 = none), "GROD" and "KAM".

    Yields
    ------
    Progress
        In steps.

    Raises
    ------
    UnreadableFile
        If the name ends in neither, or the file cannot be written.
    """
    check_result_path(path)
    if is_table(path):
        return write_table(grains, path)
    yield Progress(0, 3, "Measuring points")
    made: dict[str, NDArray[Any]] = {"grain": grains.labels}
    made["GROD"] = grain_reference_deviation(grains).astype(np.float32)
    kam = yield from kernel_average_misorientation(
        grains.trusted,
        largest=grains.config.threshold,
        modulo_beam=grains.config.modulo_beam,
    )
    made["KAM"] = kam.astype(np.float32)
    settings = {**grains.orientations.provenance, "grains": grains.config.model_dump(mode="json")}
    properties = {**grains.orientations.properties, **made}
    return (
        yield from save_map(
            replace(grains.orientations, properties=properties, provenance=settings), path
        )
    )


def write_table(grains: Grains, path: str | Path) -> Path:
    """Write the table of grains: units in the names of columns, and whether each one counts.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    units = grains.units()
    names = {"phase": [grains.orientations.phases[n].name for n in grains.table["phase"]]}
    columns = {**grains.table, **names, "counted": grains.counted}
    heads = [f"{name} ({units[name]})" if name in units else name for name in columns]
    try:
        with (
            replace_atomically(path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(heads)
            writer.writerows(
                [_plain(value) for value in row] for row in zip(*columns.values(), strict=True)
            )
    except OSError as error:
        raise cannot_write(path, error) from error
    return Path(path)


def _plain(value: Any) -> Any:
    """Return a number as it is read again: bools as 0 and 1, others with nine digits."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    return f"{value:.9g}" if isinstance(value, float | np.floating) else value
