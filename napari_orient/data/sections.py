"""A plane of a volume is a map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap


def section_of(volume: OrientationMap, index: int, axis: int = 0) -> OrientationMap:
    """Return a section of a volume, or a map as it is.

    Parameters
    ----------
    volume
        (z, y, x).
    index
        Which one along the axis, from 0.
    axis
        0: (y, x) at one z. 1: (z, x) at one y, with z running down. 2: (z, y) at one x.
        Orientations stay in the frame of the volume.

    Raises
    ------
    ValueError
        If there is no such section.
    """
    if len(volume.shape) == 2:
        return volume
    if not 0 <= index < volume.shape[axis]:
        raise ValueError(
            f"the volume has no section {index} along {volume.axes[axis]}: choose one from 0 to "
            f"{volume.shape[axis] - 1}"
        )

    def cut(array: Any) -> Any:
        return np.take(array, index, axis)

    def rest(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return values[:axis] + values[axis + 1 :]

    return replace(
        volume,
        quaternions=cut(volume.quaternions),
        phase_id=cut(volume.phase_id),
        properties={name: cut(values) for name, values in volume.properties.items()},
        done=cut(volume.done),
        step=rest(volume.step),
        origin=rest(volume.origin),
        periodic=rest(volume.periodic),
        candidates=volume.candidates and volume.candidates.moved(cut),
    )
