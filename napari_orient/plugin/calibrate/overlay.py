"""What does the Calibrate dock draw on the pattern? Rings, expected spots, and the scan's axes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.reciprocal import scan_to_pattern
from napari_orient.diffraction.overlay import Overlay, ring_overlay, spot_overlay

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Calibration

RINGS, SPOTS, AXES, NOTHING = "Rings", "Spots of the map", "Scan axes", "Nothing"
CHOICES = (RINGS, SPOTS, AXES, NOTHING)


def rings(found: Any, here: Calibration, shape: tuple[int, int]) -> Overlay:
    """Draw rings with the calibration of the pattern that is shown."""
    return ring_overlay(found, here, shape=shape)


def expected_spots(
    orientations: OrientationMap | None,
    at: tuple[int, int] | None,
    scan_shape: tuple[int, int],
    here: Calibration,
    shape: tuple[int, int],
) -> Overlay:
    """Draw the spots that a map expects at a position of the scan.

    Raises
    ------
    ValueError
        If there is no map on this grid, or no orientation at the position, in words.
    """
    if orientations is None or orientations.shape != scan_shape:
        raise ValueError("Spots need an orientation map on the same positions as the scan.")
    if at is None:
        raise ValueError("Spots need the pattern of one position: choose 'At a click on the scan'.")
    number = int(orientations.phase_id[at])
    if number < 0 or not orientations.done[at]:
        raise ValueError("The map has no orientation at this position: click on another one.")
    return spot_overlay(
        orientations.phases[number], orientations.quaternions[at], here, shape=shape
    )


def scan_axes(here: Calibration, shape: tuple[int, int], other: Overlay | None = None) -> Overlay:
    """Draw the scan's x and y as arrows from the beam, over another overlay if there is one."""
    start = np.array(here.centre.pair if here.centre else (shape[0] / 2, shape[1] / 2))
    length = 0.3 * min(shape)
    curves, labels = [], []
    for text, (y, x) in (("scan x", (0.0, 1.0)), ("scan y", (1.0, 0.0))):
        along = np.array([float(c) for c in scan_to_pattern(here, y, x)])
        across = np.array([-along[1], along[0]])
        tip = start + length * along
        barbs = [tip - 0.12 * length * (along + s * 0.5 * across) for s in (1, -1)]
        curves.append(np.array([start, tip, barbs[0], tip, barbs[1]]))
        labels.append((text, float(tip[0]), float(tip[1])))
    if other is None:
        return Overlay(tuple(curves), np.zeros((0, 2)), np.zeros(0), tuple(labels))
    return replace(
        other, curves=(*curves, *other.curves), labels=(*labels, *other.labels), opacities=()
    )
