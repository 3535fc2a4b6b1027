"""Where is a grain, and what ellipse is it like? Sums over points, also across periodic borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_orient.analysis.grains.parts import unwrapped

if TYPE_CHECKING:
    from numpy.typing import NDArray


_MARGIN = 5  # points: what is not indexed along an edge, and as wide, is a margin of the map


class Shapes(NamedTuple):
    """Of n grains.

    Attributes
    ----------
    centroid
        (n, axes) in the order of the grid, (y, x) or (z, y, x), in steps times ``step``; inside
        the box where the grid is periodic, NaN for endless grains along these axes.
    aspect_ratio
        (n,) longest over shortest axis of the ellipse or ellipsoid of equal second moments.
    longest
        (n, axes) unit vector along the longest axis; its first component that is not zero, from
        the last axis (x) on, is positive.
    endless
        (n,) bool: reaches round the whole periodic box.
    """

    centroid: NDArray[np.float64]
    aspect_ratio: NDArray[np.float64]
    longest: NDArray[np.float64]
    endless: NDArray[np.bool_]


def measure_shapes(
    labels: NDArray[np.int32], step: tuple[float, ...], periodic: tuple[bool, ...]
) -> Shapes:
    """Measure centroids and second moments of grains 1 to n.

    A point counts as the whole rectangle of its step, so that a grain of one point has the aspect
    ratio of the step, and a rectangle of any size its own.
    """
    grain = labels[labels > 0]
    places, endless = _places(labels, step, periodic)
    mean, moments = _mean_and_moments(grain, places, int(labels.max(initial=0)) + 1)
    moments += np.diag(np.square(step)) / 12  # of one point
    mean, moments, endless = mean[1:], moments[1:], endless[1:]
    values, vectors = np.linalg.eigh(moments)
    box = np.array(labels.shape) * step
    # a centroid at 0 that rounding put below it stays there
    centroid = np.where(periodic, (mean + box / 1e12) % box - box / 1e12, mean)
    centroid[endless] = np.where(periodic, np.nan, centroid[endless])
    ratio = np.sqrt(values[:, -1] / values[:, 0])
    return Shapes(centroid, ratio, _forward(vectors[..., -1]), endless)


def _places(
    labels: NDArray[np.int32], step: tuple[float, ...], periodic: tuple[bool, ...]
) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_]]:
    """Coordinates (m,) along each axis of the points of grains, in one piece; who is endless."""
    there = labels > 0
    places = [index.astype(np.float64) for index in np.nonzero(there)]
    endless = np.zeros(int(labels.max(initial=0)) + 1, bool)
    if any(periodic):
        pieces, shift, endless = unwrapped(labels, periodic)
        for axis, n in enumerate(labels.shape):
            places[axis] += n * shift[pieces[there], axis]
    return [x * length for x, length in zip(places, step, strict=True)], endless


def _mean_and_moments(
    grain: NDArray[np.int32], places: list[NDArray[np.float64]], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (count, axes) and central second moments (count, axes, axes) of points by grain."""
    size = np.maximum(np.bincount(grain, minlength=count), 1)
    mean = np.stack([np.bincount(grain, x, count) / size for x in places], axis=-1)
    apart = [x - mean[grain, axis] for axis, x in enumerate(places)]
    moments = np.empty((count, len(places), len(places)))
    for i, x in enumerate(apart):
        for j, y in enumerate(apart[: i + 1]):
            moments[:, i, j] = moments[:, j, i] = np.bincount(grain, x * y, count) / size
    return mean, moments


def _forward(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of both senses (n, axes) the one with the last component that is not zero positive."""
    backwards = vectors[:, ::-1]
    place = (np.abs(backwards) > 1e-9).argmax(axis=1)
    sign = np.sign(np.take_along_axis(backwards, place[:, None], axis=1))
    return np.asarray(vectors * np.where(sign == 0, 1, sign))


def edge_grains(
    labels: NDArray[np.int32], indexed: NDArray[np.bool_], periodic: tuple[bool, ...]
) -> NDArray[np.bool_]:
    """Say which of the grains 1 to n (n,) are cut by the edge of what was measured.

    They touch an edge of the grid across which it does not repeat, or a broad margin along it that
    is not indexed. Boundaries that are not indexed are no margin: a margin is at least 5 points
    wide.
    """
    from scipy.ndimage import binary_dilation, binary_propagation, maximum_filter, minimum_filter

    count = int(labels.max(initial=0))
    rim = np.zeros(labels.shape, bool)
    for axis, wraps in enumerate(periodic):
        if not wraps and labels.shape[axis] > 1:
            before = (slice(None),) * axis
            rim[(*before, slice(None, 1))] = rim[(*before, slice(-1, None))] = True
    empty = ~indexed & (labels == 0)
    if empty.any():
        wide = [min(_MARGIN, n) for n in labels.shape]
        room = [(0, 0) if wraps else (w, w) for w, wraps in zip(wide, periodic, strict=True)]
        padded = np.pad(empty, room, constant_values=True)
        # an opening, by filters that work axis by axis
        broad = maximum_filter(minimum_filter(padded, wide), wide, origin=_even(wide))
        broad = broad[tuple(slice(a, n + a) for (a, _), n in zip(room, labels.shape, strict=True))]
        margin = binary_propagation(broad & rim, mask=broad)
        rim |= binary_dilation(margin) if margin.any() else False
    touching = np.zeros(count + 1, bool)
    touching[labels[rim]] = True
    return touching[1:]


def _even(wide: list[int]) -> list[int]:
    """Origins that make a filter of even width undo one of the same width before it."""
    return [-1 if w % 2 == 0 else 0 for w in wide]
