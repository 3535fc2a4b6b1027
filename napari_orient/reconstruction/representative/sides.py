"""What is known of a side? Its grains on all views, and the patches that chance deals out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.analysis.common_phases import common_phases
from napari_orient.analysis.grains.find import find_grains
from napari_orient.analysis.validation.samples import draw_sample, least_extent
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.analysis.validation.samples import Sample
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job
    from napari_orient.reconstruction.representative.planes import Plane, Views


@dataclass(frozen=True, eq=False)
class Side:
    """The reference, or the result.

    Attributes
    ----------
    planes
        Its views.
    grains
        Of each view.
    numbers
        Of the phase in each view.
    sample
        All grains of the phase. Its blocks are patches of the specimen: of a map as of a volume,
        where several sections cut one grain.
    """

    planes: tuple[Plane, ...]
    grains: tuple[Grains, ...]
    numbers: tuple[int, ...]
    sample: Sample


def find_sides(views: Views, config: GrainConfig) -> Job[tuple[Side, Side, Phase]]:
    """Find the grains of both sides, alike; the phase is that of most of the reference.

    Raises
    ------
    ValueError
        If the result has no crystal like that of the reference.
    """
    settings = config.model_copy(update={"least": {}})  # points were left out before
    every = (*views.reference, *views.result)
    found: list[Grains] = []
    for number, plane in enumerate(every):
        yield Progress(number, len(every), "Finding grains on the sections")
        found.append((yield from find_grains(plane.map, settings)))
    lead, phase = _lead(views.reference)
    first = next(p.map for p in views.reference if lead in p.map.phase_id)
    count = len(views.reference)
    numbers = [
        number for side in (views.reference, views.result) for number in _numbers(first, side, lead)
    ]
    least = least_extent(found)
    sides = []
    for cut in (slice(None, count), slice(count, None)):
        parts = (every[cut], tuple(found[cut]), tuple(numbers[cut]))
        sample = draw_sample(parts[1], parts[2], least)
        sides.append(Side(*parts, _in_patches(sample, *parts, least, views.side)))
    if not len(sides[1].sample.means):
        raise ValueError(f"The result has no grain of {phase.name or 'the phase'}.")
    return sides[0], sides[1], phase


def _lead(planes: Sequence[Plane]) -> tuple[int, Phase]:
    """Return the phase that most of the reference is of, as its first map numbers it."""
    ids = np.concatenate([p.map.phase_id[p.map.indexed] for p in planes])
    if not len(ids):
        raise ValueError("Nothing of the reference is indexed.")
    number = int(np.bincount(ids).argmax())
    return number, next(p.map.phases[number] for p in planes if number in p.map.phases)


def _numbers(first: OrientationMap, planes: Sequence[Plane], lead: int) -> tuple[int, ...]:
    """Number of the phase on each view; one that nothing has where the phase is not there.

    Raises
    ------
    ValueError
        If it is on no view.
    """
    found: list[int] = []
    reason: ValueError | None = None
    for plane in planes:
        nothing = max(plane.map.phases) + 1
        try:
            found.append(common_phases(first, plane.map).numbers.get(lead, nothing))
        except ValueError as error:  # nothing is indexed here, or other phases alone
            found.append(nothing)
            reason = error
    if reason is not None and all(
        n > max(p.map.phases) for n, p in zip(found, planes, strict=True)
    ):
        raise reason
    return tuple(found)


def _in_patches(
    sample: Sample,
    planes: Sequence[Plane],
    grains: Sequence[Grains],
    numbers: Sequence[int],
    least: float,
    side: float,
) -> Sample:
    """Give each grain the patch of the specimen in which the middle of its section lies."""
    cells, counted = [], []
    for plane, one, number in zip(planes, grains, numbers, strict=True):
        own = (one.table["phase"] == number) & (one.table[one.size_column] >= least)
        cells.append(plane.cells(grain_points(one)[own], side))
        counted.append(one.counted[own])
    block = numbered(np.concatenate(cells))
    return sample._replace(block=block[np.concatenate(counted)], block_of_all=block)


def grain_points(grains: Grains) -> NDArray[np.float64]:
    """Row and column (n, 2) of a point of each grain, of all of its points near to their middle."""
    label = grains.labels.ravel()
    inside = np.flatnonzero(label)
    rows, columns = np.divmod(inside, grains.labels.shape[1])
    middle = np.stack([grains.table[name] for name in "yx"], axis=-1) / grains.trusted.step
    apart = np.square(np.stack([rows, columns], axis=-1) - middle[label[inside] - 1]).sum(axis=1)
    order = np.lexsort((apart, label[inside]))
    first = np.unique(label[inside][order], return_index=True)[1]
    return np.stack([rows, columns], axis=-1)[order][first].astype(np.float64)


def numbered(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number (n,) the different rows of cells (n, 4)."""
    found = np.unique(cells, axis=0, return_inverse=True)[1]
    return np.asarray(found.reshape(-1), np.int64)
