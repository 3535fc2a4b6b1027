"""A map is a section of a sample: where do its axes point there?

The sample frame is that of the volume: z, y and x are its axes, in the order of its grid. A section
says along which of them its own x (to the right) and y (down) run: ("x", "y") is one across z, seen
as a map; ("x", "z") one across y. With it, orientations are turned into the sample's frame and the
grid laid as the slices of the volume lie: (y, x) across z, (z, x) across y, (z, y) across x.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap

_AXES = "xyz"


def axis_vector(name: str) -> NDArray[np.float64]:
    """Unit vector (x, y, z) of "x", "-y" ...

    Raises
    ------
    ValueError
        For another name.
    """
    letter = name.strip().lower().removeprefix("-")
    if len(letter) != 1 or letter not in _AXES:
        raise ValueError(f"{name!r} is no axis of the sample: x, y, z or -x, -y, -z")
    vector = np.zeros(3)
    vector[_AXES.index(letter)] = -1.0 if name.strip().startswith("-") else 1.0
    return vector


def in_sample(
    section: OrientationMap, right: str = "x", down: str = "y"
) -> tuple[OrientationMap, int]:
    """Turn a map into the frame of the sample.

    Parameters
    ----------
    section
        (y, x).
    right, down
        The sample's axes along the map's x and y: "x", "-z" ...

    Returns
    -------
    map, axis
        The map with orientations in the sample's frame, laid as slices are; and the axis across
        which it is (0: z, 1: y, 2: x).

    Raises
    ------
    ValueError
        If the two are one axis, or the map is a volume.
    """
    from napari_orient.crystal.rotations import conjugate, from_matrix, multiply

    if len(section.shape) != 2:
        raise ValueError("a section is a map (y, x), not a volume")
    x, y = axis_vector(right), axis_vector(down)
    if abs(x @ y) > 0:
        raise ValueError(f"{right} and {down} are one axis: a map has two")
    # columns: the map's axes in the sample; it takes components in the map to those in the sample
    turn = from_matrix(np.stack([x, y, np.cross(x, y)], axis=-1))
    made = replace(section, quaternions=multiply(section.quaternions, conjugate(turn)))
    across = 2 - int(np.abs(np.cross(x, y)).argmax())
    rows = np.abs(y).argmax()  # slices have the later one of x, y, z along their rows
    if rows < np.abs(x).argmax():
        made, x, y = _transposed(made), y, x
    return _flipped(made, up_down=y.sum() < 0, left_right=x.sum() < 0), across


def sections_of(
    maps: Sequence[OrientationMap], axes: int, assume: str = ""
) -> list[tuple[OrientationMap, tuple[int, ...]]]:
    """Say across which axes of a field each map is a section.

    Parameters
    ----------
    maps
        One, or three of a volume: across z, y and x.
    axes
        1 for a map, 3 for a volume.
    assume
        "fibre x": a volume is alike all around the map's x. Seen along y it looks as along z, and
        how it looks along x is not known. "fibre y" likewise.

    Raises
    ------
    ValueError
        For another number of maps.
    """
    if len(maps) not in (1, axes):
        raise ValueError("Give one map, or for a volume three of them: sections across z, y and x.")
    if len(maps) > 1:
        return [(one, (axis,)) for axis, one in enumerate(maps)]
    if axes == 1 or not assume.startswith("fibre"):
        return [(maps[0], tuple(range(axes)))]
    right, down = ("x", "z") if assume == "fibre x" else ("z", "y")
    turned, across = in_sample(maps[0], right, down)
    return [(maps[0], (0,)), (turned, (across,))]


def _transposed(one: OrientationMap) -> OrientationMap:
    return replace(
        one, quaternions=one.quaternions.swapaxes(0, 1), phase_id=one.phase_id.T, done=one.done.T,
        properties={n: a.T for n, a in one.properties.items()}, step=one.step[::-1],
        origin=one.origin[::-1], periodic=one.periodic[::-1], candidates=None,
    )  # fmt: skip


def _flipped(one: OrientationMap, *, up_down: bool, left_right: bool) -> OrientationMap:
    cut = (slice(None, None, -1 if up_down else 1), slice(None, None, -1 if left_right else 1))
    return replace(
        one, quaternions=one.quaternions[cut], phase_id=one.phase_id[cut], done=one.done[cut],
        properties={n: a[cut] for n, a in one.properties.items()}, candidates=None,
    )  # fmt: skip
