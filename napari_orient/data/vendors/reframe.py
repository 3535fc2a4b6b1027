"""What is a map if its file meant other axes? Read anew in another frame, or on a turned grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.candidates import Candidates
from napari_orient.data.maps import (
    IDENTITY,
    from_vendor,
    is_hexagonal,
    to_vendor,
    turn_crystal_axes,
)
from napari_orient.data.vendors.tables import CRYSTAL_AXES, FRAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

    def turn(old: NDArray[Any], phase_id: NDArray[Any]) -> NDArray[np.float64]:
        turned = from_vendor(to_vendor(old, orientations.frame), quaternion)
        if crystal_axes == orientations.crystal_axes:
            return turned
        to = "a*" if crystal_axes == "a" else "a"
        return turn_crystal_axes(turned, phase_id, orientations.phases, to=to)

    turned = turn(orientations.quaternions, orientations.phase_id)
    turned[~orientations.indexed] = IDENTITY
    found = orientations.candidates
    if found is not None:
        found = Candidates(turn(found.quaternions, found.phase_id), found.score, found.phase_id)
    words += f"; crystal {axis_words}" if has_hexagonal(orientations) else ""
    remarks = _remarks(orientations.frame_note)
    return replace(
        orientations,
        quaternions=turned,
        frame=quaternion,
        crystal_axes=crystal_axes,
        candidates=found,
        frame_note=f"{words}. Chosen by the user{f'; {measured}' if measured else ''}.{remarks}",
    )


def turn_grid(
    orientations: OrientationMap, *, transpose: bool, up_down: bool, left_right: bool, words: str
) -> OrientationMap:
    """Return a map whose points are moved to other places; no orientation is turned.

    For files that were written flipped or with rows and columns exchanged. What the quaternions
    are components of, the axes of the map, is then taken for those of the new grid, which is what
    a comparison with a reference measures.

    Parameters
    ----------
    orientations
        (y, x), or (z, y, x), whose sections are all turned; it is not changed.
    transpose, up_down, left_right
        Rows and columns are exchanged first, then rows and columns reversed.
    words
        What is done, for the note: "flipped left to right".

    Returns
    -------
    orientation_map
        On the same origin, with the numbers of y and x exchanged where the axes are.
    """
    row = len(orientations.shape) - 2  # the axis y
    reversed_axes = tuple(row + i for i, flip in enumerate((up_down, left_right)) if flip)

    def moved(array: NDArray[Any]) -> NDArray[Any]:
        exchanged = np.swapaxes(array, row, row + 1) if transpose else array
        return np.ascontiguousarray(np.flip(exchanged, reversed_axes))

    def exchanged(numbers: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*numbers[:row], numbers[row + 1], numbers[row]) if transpose else numbers

    return replace(
        orientations,
        quaternions=moved(orientations.quaternions),
        phase_id=moved(orientations.phase_id),
        properties={name: moved(values) for name, values in orientations.properties.items()},
        done=moved(orientations.done),
        candidates=orientations.candidates and orientations.candidates.moved(moved),
        step=exchanged(orientations.step),
        origin=exchanged(orientations.origin),
        periodic=exchanged(orientations.periodic),
        frame_note=f"{orientations.frame_note} The grid of the file is {words}.",
    )


def _remarks(note: str) -> str:
    """Return what stays true in any axes: all after the axes and what speaks for them."""
    remarks = note.split(". ")[2:]
    return f" {'. '.join(remarks)}" if remarks else ""
