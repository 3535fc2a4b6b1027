"""By how many pixels must one map be shifted to lie on another? Found from their boundaries.

Where neighbours differ does not depend on the axes that the angles refer to, nor on crystal axes:
so the shift is found before the frame is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.analysis.boundaries import neighbour_angles, sides

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.turns import Turn
    from napari_orient.data.maps import OrientationMap

_CLEAR = 15.0  # degrees: boundaries above count alike
_OVERLAP = 0.2  # of the smaller of two maps' indexed points: less is no comparison


class Boundaries(NamedTuple):
    """An image of boundaries (y, x), 0 to 1, and where it is known."""

    image: NDArray[np.float64]
    known: NDArray[np.bool_]


def boundary_image(orientations: OrientationMap) -> Boundaries:
    """Draw how far each point differs from its neighbours, of four the farthest; 15 degrees is 1.

    Neighbours of different phases differ by 1; points that are not indexed are not known.
    """
    image = np.zeros(orientations.shape)
    for axis in (0, 1):
        angles = np.nan_to_num(neighbour_angles(orientations, axis), posinf=_CLEAR)
        for side in sides(axis):
            np.maximum(image[side], np.minimum(angles / _CLEAR, 1.0), out=image[side])
    return Boundaries(image, orientations.indexed)


def overlap(
    shape: tuple[int, ...], other: tuple[int, ...], shift: tuple[int, int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the parts of two grids that meet when the first is shifted by (dy, dx) on the second.

    They are empty where nothing meets.
    """
    mine, theirs = [], []
    for size, wide, by in zip(shape[:2], other[:2], shift, strict=True):
        start, stop = max(by, 0), max(min(size + by, wide), max(by, 0))
        mine.append(slice(start - by, stop - by))
        theirs.append(slice(start, stop))
    return tuple(mine), tuple(theirs)


def best_shifts(
    turn: Turn, mine: Boundaries, theirs: Boundaries, reach: int, count: int = 3
) -> list[tuple[int, int]]:
    """Return the shifts (dy, dx) at which a turned map's boundaries meet those of another best.

    Parameters
    ----------
    turn
        What is done to the first map.
    mine, theirs
        Boundaries of the two.
    reach
        Largest shift in pixels, beyond what sizes that differ need.
    count
        How many to return, the best first; fewer where fewer have a fifth of the points in common.
    """
    first = Boundaries(turn.apply(mine.image), turn.apply(mine.known))
    match = _correlate(first, theirs)
    high, wide = first.image.shape
    # the correlation's index 0 is the shift -(size - 1)
    allowed = np.zeros(match.shape, bool)
    ranges = []
    for size, other in zip((high, wide), theirs.image.shape, strict=True):
        low, top = min(0, other - size) - reach, max(0, other - size) + reach
        ranges.append(slice(max(low + size - 1, 0), max(top + size, 0)))
    allowed[tuple(ranges)] = True
    match = np.where(allowed & np.isfinite(match), match, -np.inf)
    places = np.argsort(-match, axis=None)[:count]
    rows, columns = np.unravel_index(places, match.shape)
    return [
        (int(y) - high + 1, int(x) - wide + 1)
        for y, x in zip(rows, columns, strict=True)
        if np.isfinite(match[y, x])
    ]


def _correlate(mine: Boundaries, theirs: Boundaries) -> NDArray[np.float64]:
    """Correlation coefficient at all shifts of what both know; NaN where that is too little.

    Padfield, IEEE Trans. Image Process. 21 (2012) 2706: means and variances over the overlap of two
    masks are correlations as well, and are had from Fourier transforms.
    """
    from scipy.signal import fftconvolve

    def with_mine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(fftconvolve(b, a[::-1, ::-1], mode="full"))

    m, t = mine.known.astype(float), theirs.known.astype(float)
    a, b = mine.image * m, theirs.image * t
    n = np.rint(with_mine(m, t))
    least = max(_OVERLAP * min(m.sum(), t.sum()), 2.0)
    enough = n >= least
    n = np.where(enough, n, 1.0)
    sum_a, sum_b = with_mine(a, t), with_mine(m, b)
    both = with_mine(a, b) - sum_a * sum_b / n
    spread = (with_mine(a**2, t) - sum_a**2 / n) * (with_mine(m, b**2) - sum_b**2 / n)
    flat = spread < 1e-9
    return np.where(
        enough, np.where(flat, 0.0, both / np.sqrt(np.where(flat, 1.0, spread))), np.nan
    )
