"""Is the pattern that of another crystal? Do observed spots lie where the solution predicts them?

The best of a million orientations resembles any pattern of spots: a score alone does not tell a
foreign crystal. Positions do, for thickness and dynamical scattering change how strong a spot is,
and not where it lies. Two shares of strength are asked for: how much of what is observed lies where
a spot is predicted, and how much of what is predicted is observed. A right solution has both near
1. In a mixture of grains others add spots, but hide none, so that the second share stays. Another
crystal has neither, but where its lattice, seen from there, is the same within the tolerance.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from napari_orient.diffraction.simulate import excite, lab_to_crystal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.diffraction.matching.polar import PolarGrid
    from napari_orient.diffraction.matching.refine import SpotModel

_SIGMAS = 5.0  # of the background's noise: weaker maxima are no spots
_TOLERANCE = 0.3  # radii of a disk: calibration, refinement and noise may be wrong by so much
_LEAST_TOLERANCE = 1.0  # px: maxima of small spots are not found more finely
_CUT = 0.5  # radii of a disk: maxima nearer to an edge may be those of spots that are cut
_FEWEST = 3  # spots: three angles can be chosen so that nearly any two fit
_LEAST_SHARE = 0.5  # one of three equal grains explains a third and shows all: sqrt(1/3) = 0.58

_Beam = tuple[float, float, float, float, float]
# g, relative, beam, power
_Model = tuple["NDArray[np.float64]", "NDArray[np.float64]", _Beam, float]
# (ky, kx) px -> (y, x); 1/angstrom: pixel, smallest and largest g, radius of a disk, tolerance
_View = tuple["NDArray[np.float64]", float, float, float, float, float]


class Explained(NamedTuple):
    """How well the spots of patterns and those of solutions are the same.

    Attributes
    ----------
    observed
        (n,) share of the strength of observed spots that lies where spots are predicted, 0 to 1.
    predicted
        (n,) share of the strength of predicted spots that lies where spots are observed, 0 to 1.
    spots
        (n,) number of observed spots.
    """

    observed: NDArray[np.float64]
    predicted: NDArray[np.float64]
    spots: NDArray[np.int64]

    @property
    def share(self) -> NDArray[np.float64]:
        """Geometric mean (n,) of the two shares."""
        share: NDArray[np.float64] = np.sqrt(self.observed * self.predicted)
        return share

    @property
    def foreign(self) -> NDArray[np.bool_]:
        """Whether patterns (n,) are those of something else.

        What is observed must be explained, or most of what is explained in a mixture be observed:
        of a weak pattern the faint spots are below the noise. Where less than three spots stand
        out of it, that is not known: False.
        """
        unlike: NDArray[np.bool_] = np.maximum(self.observed, self.share) < _LEAST_SHARE
        return unlike & (self.spots >= _FEWEST)


def explained(
    images: NDArray[np.float32],
    grid: PolarGrid,
    models: tuple[SpotModel, ...],
    quaternions: ArrayLike,
    phase_id: ArrayLike,
    positions: ArrayLike | None = None,
) -> Explained:
    """Compare the places of observed spots with those of predicted ones.

    Parameters
    ----------
    images
        Prepared patterns (n, ky, kx) of :func:`napari_orient.diffraction.matching.polar.prepare`.
    grid
        The grid they were prepared with.
    models
        One for each phase.
    quaternions, phase_id
        Solutions (n, 4), lab2crystal in the frame of the scan, and their phases (n,); negative:
        none, which explains nothing.
    positions
        (n, 2) scan positions (y, x) in steps, for the descan; None takes the centre.

    Notes
    -----
    Observed are the maxima over a disk above five sigmas of the noise of the background, their
    strength is the height in the prepared pattern. Predicted are all reflections that are excited
    at all; their strength is the intensity to the power of the grid.

    On simulated patterns of 1e5 electrons (128 x 128 px, disks of 4 px) all right solutions of
    LiNiO2 and Au stay, also of Bloch waves at 20 to 150 nm, and 94 to 100 % of those of strongly
    mixed patterns. Of Si on them 5 to 7 % are taken for a right solution, of Ti 25 to 28 %, of
    made-up crystals of low symmetry 0 to 23 %. Au and NiO have nearly the positions of LiNiO2:
    60 to 90 % are; there only Q and a phase list that has both can help.
    """
    number = np.asarray(phase_id)
    nowhere = np.array([1.0, 0.0, 0.0, 0.0])
    chosen = np.where((number >= 0)[:, None], np.asarray(quaternions, np.float64), nowhere)
    matrices, n = lab_to_crystal(chosen), len(images)
    to_scan = np.linalg.inv(grid.frame)
    pixel = math.sqrt(abs(float(np.linalg.det(to_scan))))
    near = pixel * max(_TOLERANCE * grid.radius, _LEAST_TOLERANCE)
    limits = (float(grid.g[0]), float(grid.g[-1]))
    view = (to_scan, pixel, *limits, pixel * grid.radius, near)
    centres = grid.centres(n, positions)
    # total and common strength of observed, and of predicted spots
    strength, spots = np.zeros((n, 4)), np.zeros(n, np.int64)
    for index, one in enumerate(models):
        model = (one.g, one.relative, one.beam, grid.power)
        rows = np.flatnonzero(number == index)
        _explain(images, rows, centres, matrices, model, view, strength, spots)
    shares = [
        np.divide(common, total, out=np.zeros(n), where=total > 0)
        for total, common in (strength[:, :2].T, strength[:, 2:].T)
    ]
    return Explained(shares[0], shares[1], spots)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _explain(
    images: NDArray[np.float32],
    rows: NDArray[np.intp],
    centres: NDArray[np.float64],
    matrices: NDArray[np.float64],
    model: _Model,
    view: _View,
    strength: NDArray[np.float64],
    spots: NDArray[np.int64],
) -> None:
    """Fill the four sums (n, 4) and the number of observed spots (n,) of some patterns."""
    g, relative, beam, power = model
    radius, near = view[4:]
    size = len(g)
    xy, intensity = np.empty((size, 2), np.float32), np.empty(size, np.float32)
    reflection, starts = np.empty(size, np.int32), np.zeros(2, np.int64)
    shape = images.shape[1:]
    seen, height = np.empty((shape[0] * shape[1], 2), np.float32), np.empty(shape[0] * shape[1])
    to_pattern = np.linalg.inv(view[0])
    for i in rows:
        excite(matrices[i : i + 1], g, relative, beam, starts, xy, intensity, reflection)
        n, m = starts[1], _observed(images[i], centres[i], view, seen, height)
        spots[i] = m
        for j in range(m):
            strength[i, 0] += height[j]
            if _any_near(seen[j], xy[:n], near):
                strength[i, 1] += height[j]
        for j in range(n):
            x, y = np.float64(xy[j, 0]), np.float64(xy[j, 1])
            r = to_pattern[0, 0] * y + to_pattern[0, 1] * x + centres[i, 0]
            c = to_pattern[1, 0] * y + to_pattern[1, 1] * x + centres[i, 1]
            if not _whole(r, c, x, y, shape, view) or _hidden(j, xy[:n], intensity, radius):
                continue
            weight = intensity[j] ** power
            strength[i, 2] += weight
            if _any_near(xy[j], seen[:m], near):
                strength[i, 3] += weight


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _observed(
    image: NDArray[np.float32],
    centre: NDArray[np.float64],
    view: _View,
    seen: NDArray[np.float32],
    height: NDArray[np.float64],
) -> int:
    """Write places (x, y), 1/angstrom, and heights of spots; return their number."""
    to_scan, radius = view[0], view[4] / view[1]
    rows, columns = image.shape
    below, squares = 0, 0.0
    for r in range(rows):
        for c in range(columns):
            if image[r, c] < 0:  # spots are above the background: there is noise alone
                below += 1
                squares += image[r, c] ** 2
    least = _SIGMAS * math.sqrt(squares / max(below, 1))
    n = 0
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            if image[r, c] <= least or not _highest(image, r, c, radius):
                continue
            v = r + _vertex(image[r - 1, c], image[r, c], image[r + 1, c])
            u = c + _vertex(image[r, c - 1], image[r, c], image[r, c + 1])
            y = to_scan[0, 0] * (v - centre[0]) + to_scan[0, 1] * (u - centre[1])
            x = to_scan[1, 0] * (v - centre[0]) + to_scan[1, 1] * (u - centre[1])
            if _whole(v, u, x, y, image.shape, view):
                seen[n, 0], seen[n, 1], height[n] = x, y, image[r, c]
                n += 1
    return n


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _highest(image: NDArray[np.float32], r: int, c: int, radius: float) -> bool:
    """Whether no pixel within a radius is higher; of equal ones the first counts."""
    value, reach = image[r, c], int(radius)
    for y in range(max(r - reach, 0), min(r + reach + 1, image.shape[0])):
        for x in range(max(c - reach, 0), min(c + reach + 1, image.shape[1])):
            if (y - r) ** 2 + (x - c) ** 2 > radius * radius:
                continue
            earlier = y < r or (y == r and x < c)
            if image[y, x] > value or (earlier and image[y, x] == value):
                return False
    return True


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _vertex(before: float, middle: float, after: float) -> float:
    """Where the parabola through three values, none above the middle one, is highest."""
    bend = before + after - 2 * middle
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _whole(r: float, c: float, x: float, y: float, shape: tuple[int, int], view: _View) -> bool:
    """Whether a spot is far enough from all edges for its maximum to be where it is."""
    _to_scan, pixel, low, high, radius, _near = view
    edge = _CUT * radius
    g, distance = math.sqrt(x * x + y * y), edge / pixel
    on_rings = low + edge <= g <= high - edge
    return (
        on_rings and distance <= r <= shape[0] - 1 - distance
        and distance <= c <= shape[1] - 1 - distance
    )  # fmt: skip


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _any_near(place: NDArray[np.float32], places: NDArray[np.float32], near: float) -> bool:
    for j in range(len(places)):
        if (places[j, 0] - place[0]) ** 2 + (places[j, 1] - place[1]) ** 2 < near * near:
            return True
    return False


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hidden(j: int, xy: NDArray[np.float32], intensity: NDArray[np.float32], radius: float) -> bool:
    """Whether a stronger spot is so close that this one makes no maximum of its own."""
    for k in range(len(xy)):
        if intensity[k] > intensity[j]:
            if (xy[k, 0] - xy[j, 0]) ** 2 + (xy[k, 1] - xy[j, 1]) ** 2 < radius * radius:
                return True
    return False
