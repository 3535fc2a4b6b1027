"""Where is the map most wrong? Places to look at, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 500  # places that anybody will look at


class Place(NamedTuple):
    """A point of the map that stands for something wrong.

    Attributes
    ----------
    index
        (y, x) or (z, y, x).
    points
        Of the connected area, or 1.
    error
        The largest of the area.
    """

    index: tuple[int, ...]
    points: int
    error: float


def worst_points(errors: NDArray[np.floating], most: int = MOST) -> list[Place]:
    """Return the points of the largest errors (y, x), NaN left out."""
    flat = np.nan_to_num(errors.ravel(), nan=-np.inf)
    known = int(np.isfinite(flat).sum())
    count = min(most, known)
    if not count:
        return []
    found = np.argpartition(-flat, count - 1)[:count]
    found = found[np.lexsort((found, -flat[found]))]
    indices = np.stack(np.unravel_index(found, errors.shape), axis=1)
    return [
        Place(tuple(index), 1, float(flat[place]))
        for index, place in zip(indices.tolist(), found, strict=True)
    ]


def worst_areas(errors: NDArray[np.floating], threshold: float, most: int = MOST) -> list[Place]:
    """Return connected areas whose errors are above a threshold, the largest first.

    Each is told by its most inner point, so that the place lies in the area whatever its shape.
    """
    from scipy.ndimage import distance_transform_edt, find_objects, label

    wrong = np.nan_to_num(np.asarray(errors), nan=-np.inf) > threshold
    areas, count = label(wrong, structure=np.ones((3,) * errors.ndim))
    if not count:
        return []
    sizes = np.bincount(areas.ravel())[1:]
    inner = distance_transform_edt(np.pad(wrong, 1))[(slice(1, -1),) * errors.ndim]
    boxes = find_objects(areas)
    places = []
    for number in np.argsort(-sizes, kind="stable")[:most].tolist():
        box = boxes[number]
        here = areas[box] == number + 1
        deepest = np.unravel_index(np.where(here, inner[box], -1).argmax(), here.shape)
        index = tuple(int(d) + part.start for d, part in zip(deepest, box, strict=True))
        places.append(Place(index, int(sizes[number]), float(errors[box][here].max())))
    return places
