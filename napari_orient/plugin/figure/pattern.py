"""How is a diffraction pattern printed? As it is shown, with its detectors and a scale bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import ensure_colormap

from napari_orient.crystal.figure import Mark, Picture
from napari_orient.data.images import Shown
from napari_orient.diffraction.detectors import Annulus, Disk, Shape, VirtualDetector
from napari_orient.plugin.figure.words import detector_words
from napari_orient.plugin.pattern.image import Scaling, to_bytes
from napari_orient.plugin.pattern.view import qcolour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration


def pattern_figure(
    pattern: NDArray[Any],
    calibration: Calibration | None = None,
    detectors: Sequence[VirtualDetector] = (),
    *,
    scaling: Scaling = "log",
    percentiles: tuple[float, float] = (0.0, 99.9),
    colours: str = "inferno",
    title: str = "",
    caption: str = "",
) -> Picture:
    """Return a pattern (ky, kx) as a picture; its scale bar is in 1/angstrom where it can be.

    Parameters
    ----------
    pattern
        Counts.
    calibration
        Its pixel size makes the scale bar.
    detectors
        Drawn as outlines in their colours, and told below.
    scaling, percentiles, colours
        How counts become colours, as in the Pattern dock.
    title, caption
        Written above, and first below.
    """
    table = np.asarray(ensure_colormap(colours).map(np.linspace(0, 1, 256, dtype=np.float32)))
    image = np.rint(255 * table[to_bytes(pattern, scaling, percentiles)]).astype(np.uint8)
    size = calibration.pixel_size if calibration is not None else None
    notes = [caption] if caption else []
    notes.append(f"Intensity: {scaling}, ky down, kx right.")
    notes += [f"{detector.name}: {detector_words(detector)}." for detector in detectors]
    marks = [
        Mark(points, qcolour(detector.colour).getRgbF()[:3])
        for detector in detectors
        for shape in detector.shapes
        for points in outlines(shape)
    ]
    step, unit = (size.pair, "1/Å") if size is not None else ((1.0, 1.0), "px")
    return Picture(image, step, unit, title, tuple(notes), marks=tuple(marks))


def outlines(shape: Shape) -> list[NDArray[np.float64]]:
    """Return the closed lines (n, 2) of a shape, in pixels (ky, kx)."""
    middle = np.asarray(shape.centre, float)
    angle = np.linspace(0, 2 * np.pi, 181)[:-1]
    circle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    if isinstance(shape, Disk):
        return [middle + shape.radius * circle]
    if isinstance(shape, Annulus):
        return [middle + radius * circle for radius in (shape.inner, shape.outer) if radius > 0]
    height, width = shape.size
    corners = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) / 2
    return [middle + corners * (height, width)]


def picture_of_pattern(viewer: Any, session: Any, title: str = "") -> Picture:
    """Return what the Pattern dock shows.

    Raises
    ------
    ValueError
        In words for the user, if the dock is closed or empty.
    """
    dock = _dock(viewer, session)
    return pattern_figure(
        np.array(dock.view.pattern()),
        session.scan.calibration,
        session.detectors,
        scaling=dock.scaling.currentText(),
        percentiles=(dock.low.value(), dock.high.value()),
        colours=dock.colours.currentText(),
        title=title,
        caption=f"{session.scan.name}: {_place(dock)}.",
    )


def shown_pattern(viewer: Any, session: Any) -> Shown:
    """Return the counts that the Pattern dock shows, and what is known of them.

    Raises
    ------
    ValueError
        As :func:`picture_of_pattern`.
    """
    dock = _dock(viewer, session)
    calibration = session.scan.calibration
    facts = {
        "kind": "pattern", "source": session.scan.source, "place": _place(dock),
        "calibration": calibration.model_dump(mode="json"),
        "detectors": [detector.model_dump(mode="json") for detector in session.detectors],
    }  # fmt: skip
    size = calibration.pixel_size
    step, unit = (size.pair, "1/angstrom") if size is not None else (None, "px")
    return Shown("pattern", np.array(dock.view.pattern()), step, unit, facts)


def _dock(viewer: Any, session: Any) -> Any:
    docks = viewer.window.dock_widgets
    dock = next((d for name, d in docks.items() if name.startswith("Pattern (")), None)
    if dock is None or session.scan is None or dock.view.pattern() is None:
        raise ValueError("The Pattern dock shows no pattern: open it, and point at the scan.")
    return dock


def _place(dock: Any) -> str:
    """Say where on the scan the pattern is from, in the dock's own words."""
    said = getattr(dock.view, "_caption", "") or dock.source.currentText()
    return " ".join(str(said).split())
