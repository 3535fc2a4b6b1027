"""What are the orientations if the file meant other axes? A map read anew in another frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.hexgrid import HEX_NOTE
from napari_orient.data.maps import (
    IDENTITY,
    from_vendor,
    is_hexagonal,
    to_vendor,
    turn_crystal_axes,
)
from napari_orient.data.tables import CRYSTAL_AXES, FRAMES

if TYPE_CHECKING:
    from napari_orient.data.maps import CrystalAxes, OrientationMap


def frame_name(orientations: OrientationMap) -> str | None:
    """Return the name in :data:`FRAMES` of a map's frame, or None if it has none."""
    for name, (quaternion, _) in FRAMES.items():
        if abs(float(np.dot(quaternion, orientations.frame))) > 1 - 1e-6:  # q and -q are the same
            return name
    return None


def has_hexagonal(orientations: OrientationMap) -> bool:
    """Say whether the choice of the crystal x axis matters for a map."""
    return any(is_hexagonal(phase) for phase in orientations.phases.values())


def in_frame(
    orientations: OrientationMap, frame: str, crystal_axes: CrystalAxes, measured: str = ""
) -> OrientationMap:
    """Return a map as it is if the file's Euler angles refer to these axes.

    Parameters
    ----------
    orientations
        The map, in the frame that was assumed when it was opened; it is not changed.
    frame
        A name of :data:`FRAMES`.
    crystal_axes
        What the file's crystal x axis is on hexagonal lattices, a key of :data:`CRYSTAL_AXES`.
    measured
        What speaks for this choice, for the note: "twin traces within 10°: 83 % of 630 px".

    Returns
    -------
    orientation_map
        The same as opening the file with ``open_map(path, frame, crystal_axes)``.

    Raises
    ------
    KeyError
        For an unknown ``frame`` or ``crystal_axes``.
    """
    (quaternion, words), axis_words = FRAMES[frame], CRYSTAL_AXES[crystal_axes]
    turned = from_vendor(to_vendor(orientations.quaternions, orientations.frame), quaternion)
    if crystal_axes != orientations.crystal_axes:
        numbers, phases = orientations.phase_id, orientations.phases
        turned = turn_crystal_axes(turned, numbers, phases, to="a*" if crystal_axes == "a" else "a")
    turned[~orientations.indexed] = IDENTITY
    words += f"; crystal {axis_words}" if has_hexagonal(orientations) else ""
    remark = f" {HEX_NOTE}." if HEX_NOTE in orientations.frame_note else ""  # stays true
    return replace(
        orientations,
        quaternions=turned,
        frame=quaternion,
        crystal_axes=crystal_axes,
        frame_note=f"{words}. Chosen by the user{f'; {measured}' if measured else ''}.{remark}",
    )
