"""How are figures, their data and pictures written from the window? As jobs, told in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_orient.crystal.figure import Picture, Print, file_name, save_figure
from napari_orient.data.images import Shown, save_shown, write_tiff
from napari_orient.data.maps import save_map
from napari_orient.jobs import Job, Progress
from napari_orient.plugin.layers import KEY, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTS = ("virtual", "navigator")
UNITS = {"nanometer": "nm", "micrometer": "um"}


def shown_by(layer: Any) -> Shown:
    """Return what a layer shows, copied: it may change while it is written."""
    flat = slice(-3, -1) if getattr(layer, "rgb", False) else slice(-2, None)
    unit = UNITS.get(str(layer.units[-1]), "px")
    step = tuple(float(s) for s in layer.scale[-2:]) if unit != "px" else None
    facts = {**layer.metadata.get(KEY, {}), "shape": list(layer.data.shape[flat])}
    if isinstance(layer, Image) and not layer.rgb:
        facts |= {"contrast_limits": list(layer.contrast_limits), "colormap": layer.colormap.name}
    return Shown(layer.name, np.array(layer.data), step, unit, facts)


def pictures_of_counts(viewer: Any) -> list[Any]:
    """Return the visible layers that a float TIFF is for: virtual images and navigators."""
    return [layer for layer in viewer.layers if layer.visible and kind_of(layer) in COUNTS]


def save_tiffs(shown: Sequence[Shown], folder: str | Path, before: str = "") -> Job[list[Path]]:
    """Write pictures as float32 TIFF, named as their layers; a job.

    Raises
    ------
    UnreadableFile
        If one cannot be written; those before it stay.
    """
    paths = []
    for number, (one, name) in enumerate(zip(shown, tiff_names(shown, before), strict=True)):
        yield Progress(number, len(shown), one.name)
        paths.append(write_tiff(Path(folder) / name, one.array, one.step, one.unit))
    return paths


def tiff_names(shown: Sequence[Shown], before: str = "") -> list[str]:
    """Return a file's name for each picture; equal names are numbered."""
    names: list[str] = []
    for one in shown:
        stem = f"{before}{file_name(one.name)}"
        known = [name for name in names if name.startswith(f"{stem}.") or f"{stem}_" in name]
        names.append(f"{stem}_{len(known) + 1}.tif" if f"{stem}.tif" in names else f"{stem}.tif")
    return names


def save_with_data(
    picture: Picture, how: Print, path: str | Path, layers: Sequence[Any], shown: Sequence[Shown]
) -> Job[list[Path]]:
    """Write a figure, and beside it what it shows; a job.

    ``fig_data.h5`` has the printed pixels and the arrays of all layers, ``fig_NAME.tif`` each
    picture of counts, ``fig_NAME.h5`` each map, orientations and all, as our own file.

    Parameters
    ----------
    picture, how, path
        As for :func:`napari_orient.crystal.figure.save_figure`.
    layers
        The layers seen; their maps are written.
    shown
        What they show, copied in the window's thread; empty to write the figure alone.

    Raises
    ------
    UnreadableFile
        If a file cannot be written.
    """
    path = Path(path)
    paths = [(yield from save_figure(picture, path, how))]
    if not shown:
        return paths
    step = None if picture.unit == "px" else picture.step
    printed = Shown("printed", picture.image, step, picture.unit)
    facts = {"title": picture.title, "notes": list(picture.notes)}
    yield Progress(0, 0, "writing the data")
    paths.append(save_shown([printed, *shown], path.with_name(f"{path.stem}_data.h5"), facts))
    counts = [one for one in shown if one.facts.get("kind") in COUNTS]
    paths += yield from save_tiffs(counts, path.parent, f"{path.stem}_")
    maps = {id(m): (layer, m) for layer in layers if (m := layer.metadata.get("map")) is not None}
    for layer, orientations in maps.values():
        target = path.with_name(f"{path.stem}_{file_name(layer.name)}.h5")
        paths.append((yield from save_map(orientations, target)))
    return paths
