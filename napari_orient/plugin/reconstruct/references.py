"""What is reconstructed from? A map, a part of one, or three sections of a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap

AXES = (("x", "y"), ("x", "z"), ("y", "z"))
"""Sample axes to the right and down on sections across z, y and x."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """What the user has chosen.

    Attributes
    ----------
    maps
        One, or three sections.
    mask
        Points (y, x) of the first that count; None takes all.
    axes
        For three sections: the sample's axes to the right and down on each.
    """

    maps: tuple[OrientationMap, ...]
    mask: NDArray[np.bool_] | None = None
    axes: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal choices of the same maps."""
        mask = None if self.mask is None else hash(self.mask.tobytes())
        return (tuple(map(id, self.maps)), mask, self.axes)

    def made(self) -> tuple[OrientationMap, ...]:
        """Return the references as the engine takes them.

        Raises
        ------
        ValueError
            If the three are not across three axes, or one is a volume.
        """
        first, *others = self.maps
        if len(first.shape) == 2 and self.mask is not None:
            first = cut_out(first, self.mask)
        if not self.axes:
            return (first,)
        return _in_sample((first, *others), self.axes)


def _in_sample(
    maps: tuple[OrientationMap, ...], axes: tuple[tuple[str, str], ...]
) -> tuple[OrientationMap, ...]:
    from napari_orient.reconstruction.sections import in_sample

    by_axis: dict[int, OrientationMap] = {}
    for one, (right, down) in zip(maps, axes, strict=True):
        turned, axis = in_sample(one, right, down)
        if axis in by_axis:
            raise ValueError(
                f"Two sections are across {'zyx'[axis]}: choose the axes to the right and down so "
                "that each is across another one."
            )
        by_axis[axis] = turned
    return tuple(by_axis[axis] for axis in range(3))


def cut_out(orientations: OrientationMap, mask: NDArray[np.bool_]) -> OrientationMap:
    """Return the part of a map (y, x) about the points of a mask; others are not indexed."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    m = orientations
    origin = tuple(o + p.start * s for o, p, s in zip(m.origin, part, m.step, strict=True))
    whole = tuple(p.stop - p.start == n for p, n in zip(part, m.shape, strict=True))
    known = np.where(mask, m.phase_id, -1)[part]
    return replace(
        m, quaternions=m.quaternions[part], phase_id=known, done=m.done[part],
        properties={name: array[part] for name, array in m.properties.items()},
        origin=origin, candidates=None,
        periodic=tuple(p and w for p, w in zip(m.periodic, whole, strict=True)),
    )  # fmt: skip
