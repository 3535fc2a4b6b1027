"""Which points of a block are seen? Those behind a cut, in grains of some size, or turned alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.rotations import misorientation_angle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap

AXES = "zyx"


@dataclass(frozen=True)
class Like:
    """An orientation with which others are compared.

    Attributes
    ----------
    quaternion
        (4,) of the chosen point.
    phase
        Its phase.
    within
        Degrees.
    """

    quaternion: tuple[float, ...]
    phase: int
    within: float


@dataclass(frozen=True)
class Sight:
    """What is shown of a block.

    Attributes
    ----------
    cut
        (axis, share, side): of the points along an axis (0 is z), those from that share of the
        edge on are seen where side is 1, those up to it where it is -1. None shows all.
    smallest, largest
        Diameter of the spheres as large as the grains that are seen.
    like
        Only what is turned like this is seen.
    """

    cut: tuple[int, float, int] | None = None
    smallest: float = 0.0
    largest: float = math.inf
    like: Like | None = None

    @property
    def by_size(self) -> bool:
        """Whether grains are chosen by their size."""
        return self.smallest > 0 or self.largest < math.inf

    def __bool__(self) -> bool:
        return self.cut is not None or self.by_size or self.like is not None


def seen(sight: Sight, field: OrientationMap) -> NDArray[np.bool_]:
    """Return the points (z, y, x) of a block that are seen; sizes need its property "grain"."""
    mask = np.ones(field.shape, bool)
    if sight.cut is not None:
        mask &= _behind(field.shape, *sight.cut)
    labels = field.properties.get("grain")
    if sight.by_size and labels is not None:
        sizes = diameters(labels, field.step)[labels]
        mask &= (sizes >= sight.smallest) & (sizes <= sight.largest)
    if sight.like is not None:
        mask &= _alike(sight.like, field)
    return mask


def _behind(shape: tuple[int, ...], axis: int, share: float, side: int) -> NDArray[np.bool_]:
    length = shape[axis]
    first = int(np.clip(round(share * length), 0, length))
    along = np.arange(length) >= first if side > 0 else np.arange(length) < max(1, first)
    if not along.any():
        along[-1] = True
    return along.reshape([-1 if n == axis else 1 for n in range(len(shape))])


def _alike(like: Like, field: OrientationMap) -> NDArray[np.bool_]:
    group = field.phases[like.phase].point_group
    angle = misorientation_angle(field.quaternions, np.array(like.quaternion), group)
    return np.asarray((angle <= like.within) & (field.phase_id == like.phase))


def diameters(labels: NDArray[np.integer], step: tuple[float, ...]) -> NDArray[np.float64]:
    """Return, by their numbers, diameters of spheres as large as grains, in units of the step."""
    volumes = np.bincount(labels.ravel()) * math.prod(step)
    return np.asarray(np.cbrt(6 * volumes / math.pi), np.float64)


def first_seen(layer: Any, event: Any) -> tuple[int, int, int] | None:
    """Return the point of a block that lies under the mouse, in what is shown of it, or None."""
    ends = layer.get_ray_intersections(
        event.position, event.view_direction, list(event.dims_displayed), world=True
    )
    if ends[0] is None or ends[1] is None:
        return None
    start, end = (np.asarray(one, float) for one in ends)
    shape = layer.data.shape[:3]
    if layer.depiction == "plane":
        points = _crossing(start, end, layer.plane)
    else:
        points = start + np.linspace(0, 1, 4 * max(shape))[:, None] * (end - start)
    at = np.clip(np.rint(points), 0, np.array(shape) - 1).astype(int)
    there = np.flatnonzero(layer.data[(*at.T, 3)])
    if not len(there):
        return None
    z, y, x = (int(n) for n in at[there[0]])
    return z, y, x


def _crossing(start: NDArray[Any], end: NDArray[Any], plane: Any) -> NDArray[Any]:
    """Return where a ray meets a plane (1, 3), or nothing."""
    normal, away = np.array(plane.normal), end - start
    slope = normal @ away
    share = normal @ (np.array(plane.position) - start) / slope if slope else -1.0
    return (start + share * away)[None] if 0 <= share <= 1 else np.empty((0, 3))
