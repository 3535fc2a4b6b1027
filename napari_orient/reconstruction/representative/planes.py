"""Where do two fields look alike at? On sections, at one step, in views of one size.

A volume is looked at by sections across z, y and x that are a grain diameter or more apart. What an
edge cuts depends on the size of a view, so all views of both fields are of one size: the one that
leaves most grains whole in the field that has fewer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.analysis.grains.find import find_grains, trusted_points
from napari_orient.data.sections import section_of
from napari_orient.reconstruction.reference import close_gaps
from napari_orient.reconstruction.regrid import regridded
from napari_orient.reconstruction.representative.bodies import Bodies, find_bodies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

_TOGETHER = 10  # grains of a patch, about: those at its rim are like others beyond
_NM = {"um": 1000.0, "nm": 1.0}
_FEWEST = 4.0  # grain diameters across a view, where the fields are large enough


@dataclass(frozen=True, eq=False)
class Plane:
    """A map, or a section of a volume.

    Attributes
    ----------
    map
        (rows, columns), not periodic: its edges cut grains.
    number
        Of the map, or of the volume: places in different ones are in different patches.
    axis
        Across which it is cut: 0 to 2; 0 of a map.
    at
        Place along that axis, in the unit.
    corner
        Row and column of its first point.
    bodies
        The grains of its volume; None of a map.
    """

    map: OrientationMap
    number: int
    axis: int = 0
    at: float = 0.0
    corner: tuple[int, int] = (0, 0)
    bodies: Bodies | None = None

    @property
    def across(self) -> str:
        """Name of the axis."""
        return "zyx"[self.axis]

    def cells(self, points: NDArray[np.float64], side: float) -> NDArray[np.int64]:
        """Patch (n, 4) of points (n, 2), rows and columns: the field, and a cell along z, y, x.

        A grain that several sections of a volume cut is in one patch, so that it counts as one.
        """
        step = self.map.step[0]
        flat = (np.asarray(points, np.float64) + self.corner + 0.5) * step
        place = np.insert(flat, self.axis, self.at, axis=1)
        if self.bodies is not None:
            place = self.bodies.places(place)
        cell = np.floor(place / (side * step)).astype(np.int64)
        return np.concatenate([np.full((len(cell), 1), self.number), cell], axis=1)


class Views(NamedTuple):
    """What both sides are looked at by.

    Attributes
    ----------
    reference, result
        Planes of one size and step.
    diameter
        Area-weighted mean diameter of the grains of the reference, in points.
    side
        Of patches, in points.
    notes
        What was done, in sentences.
    """

    reference: tuple[Plane, ...]
    result: tuple[Plane, ...]
    diameter: float
    side: float
    notes: tuple[str, ...]


def equal_planes(
    reference: Sequence[OrientationMap],
    result: OrientationMap,
    config: GrainConfig,
    most: int = 12,
    axis: int | None = None,
) -> Job[Views]:
    """Cut two fields into sections and views of one size, at the coarser of their steps.

    Parameters
    ----------
    reference
        Maps, or volumes.
    result
        A map or a volume.
    config
        What counts as a grain.
    most
        Sections along each axis.
    axis
        Across which the result is cut; all three if not given.

    Yields
    ------
    Progress
        While grains are found.

    Raises
    ------
    ValueError
        If nothing is indexed, or there are no two grains.
    """
    notes: list[str] = []
    maps = []
    for one in reference:
        ready = _ready(one, config, reference[0].unit)
        if len(one.shape) == 2:  # as a reconstruction measures them
            ready, closed = close_gaps(ready)
            notes += [note for note in closed if note not in notes]
        maps.append(ready)
    maps.append(_ready(result, _known_limits(config, result), reference[0].unit))
    step = max(max(one.step) for one in maps)
    flat = axis if axis is not None or len(result.shape) == 3 else 0
    diameter = yield from _diameter(maps[0], config, step)
    sides: list[list[Plane]] = []
    for number, one in enumerate(maps):
        planes: list[Plane] = []
        bodies = (yield from find_bodies(one, config)) if len(one.shape) == 3 else None
        for plane in _sections(one, number, diameter * step, most, flat):
            made, said = yield from regridded(plane.map, step)
            made = replace(made, periodic=(False, False))
            planes.append(replace(plane, map=made, bodies=bodies))
            notes += [note for note in said if note not in notes]
        if len(one.shape) == 3:
            notes.append(_counted(planes, "reference" if number < len(reference) else "result"))
        sides.append(planes)
    first, second = [p for side in sides[:-1] for p in side], sides[-1]
    size = _view_size(first, second, diameter)
    views = [tuple(v for p in planes for v in _tiles(p, size)) for planes in (first, second)]
    notes.append(_said(views, size, step, maps[0].unit))
    area = np.pi / 4 * diameter**2 / 1.5  # the mean is smaller than the area-weighted mean
    return Views(views[0], views[1], diameter, float(np.sqrt(_TOGETHER * area)), tuple(notes))


def _known_limits(config: GrainConfig, result: OrientationMap) -> GrainConfig:
    """Limits of properties that a result has: what was made has no confidence index."""
    least = {name: value for name, value in config.least.items() if name in result.properties}
    return config.model_copy(update={"least": least})


def _ready(one: OrientationMap, config: GrainConfig, unit: str) -> OrientationMap:
    """Leave out points that do not count, and bring the map to the unit of the reference."""
    made = trusted_points(one, config)
    factor = _NM[one.unit] / _NM[unit]
    step = tuple(factor * s for s in one.step)
    origin = (0.0,) * len(one.shape)
    return replace(made, unit=unit, step=step, origin=origin, properties={}, candidates=None)


def _diameter(first: OrientationMap, config: GrainConfig, step: float) -> Job[float]:
    """Area-weighted mean diameter in points of a step, on a map or the middle of a volume."""
    middle = section_of(first, first.shape[0] // 2)
    made, _ = yield from regridded(replace(middle, periodic=(False, False)), step)
    settings = config.model_copy(update={"edge_grains": True, "least": {}})
    grains = yield from find_grains(made, settings)
    found = grains.summary()["area_weighted_diameter"]
    if found is None or len(grains) < 2:
        raise ValueError(
            "The reference has no two grains: there is nothing to compare. Take a larger map, or "
            "smaller grains (threshold, smallest)."
        )
    return float(found) / made.step[0]


def _sections(
    one: OrientationMap, number: int, apart: float, most: int, axis: int | None
) -> list[Plane]:
    """Sections of a volume, at least so far apart (in the unit) along each axis; a map as it is."""
    if len(one.shape) == 2:
        return [Plane(one, number, axis or 0)]
    planes = []
    for across in range(3) if axis is None else [axis]:
        points = one.shape[across]
        count = int(np.clip(points * one.step[across] // apart, 1, most))
        for n in range(count):
            at = int((n + 0.5) * points / count)
            place = (at + 0.5) * one.step[across]
            planes.append(Plane(section_of(one, at, across), number, across, place))
    return planes


def _view_size(first: Sequence[Plane], second: Sequence[Plane], diameter: float) -> tuple[int, int]:
    """Rows and columns of views that make the difference of both means surest.

    The number of whole grains of a view goes with (rows - d) (columns - d); the variance of the
    difference with the sum of the inverse numbers of both sides.
    """
    shapes = [[p.map.shape for p in planes] for planes in (first, second)]
    tried = [
        sorted({n // k for side in shapes for shape in side for n in [shape[axis]]
                for k in range(1, 9) if n // k >= min(n, _FEWEST * diameter)})
        for axis in range(2)
    ]  # fmt: skip
    best, chosen = np.inf, (1, 1)
    for size in product(*tried):
        whole = np.prod([max(n - diameter, 0.5) for n in size])
        count = [sum((s[0] // size[0]) * (s[1] // size[1]) for s in side) for side in shapes]
        if min(count):
            spread = float(sum(1 / (n * whole) for n in count))
            if spread < best * (1 - 1e-9):
                best, chosen = spread, (size[0], size[1])
    if not np.isfinite(best):
        least = [min(s[axis] for side in shapes for s in side) for axis in range(2)]
        return least[0], least[1]
    return chosen


def _tiles(plane: Plane, size: tuple[int, int]) -> list[Plane]:
    """Cut a plane into views of a size, about its middle."""
    rows, columns = plane.map.shape
    made = []
    starts = [
        (n - n // s * s) // 2 + s * np.arange(n // s)
        for n, s in zip((rows, columns), size, strict=True)
    ]
    for top, left in product(*starts):
        cut = (slice(top, top + size[0]), slice(left, left + size[1]))
        m = plane.map
        view = replace(
            m, quaternions=m.quaternions[cut], phase_id=m.phase_id[cut], done=m.done[cut],
            origin=(0.0, 0.0),
        )  # fmt: skip
        made.append(replace(plane, map=view, corner=(int(top), int(left))))
    return made


def _counted(planes: list[Plane], name: str) -> str:
    counts = {axis: sum(p.across == axis for p in planes) for axis in "zyx"}
    words = ", ".join(f"{n} across {axis}" for axis, n in counts.items() if n)
    return f"The {name} is looked at by sections, at least a grain diameter apart: {words}."


def _said(views: Sequence[Sequence[Plane]], size: tuple[int, int], step: float, unit: str) -> str:
    words = " x ".join(f"{n * step:.4g}" for n in size)
    unit = unit.replace("um", "µm")
    return (
        f"Equal views of {words} {unit} (rows x columns): {len(views[0])} of the reference, "
        f"{len(views[1])} of the result; grains that their edges cut are in no size or shape."
    )
