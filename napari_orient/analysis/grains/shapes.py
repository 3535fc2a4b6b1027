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
    count, axes = int(labels.max(initial=0)), labels.ndim
    there = labels > 0
    grain = labels[there]
    size = np.maximum(np.bincount(grain, minlength=count + 1), 1)
    endless = np.zeros(count + 1, bool)
    shift = piece = None
    if any(periodic):
        pieces, shift, endless = unwrapped(labels, periodic)
        piece = pieces[there]
    places = []
    for axis, index in enumerate(np.nonzero(there)):
        x = index.astype(np.float64)
        if shift is not None:
            x += labels.shape[axis] * shift[piece, axis]
        places.append(x * step[axis])
    mean = np.stack([np.bincount(grain, x, count + 1) / size for x in places], axis=-1)
    moments = np.empty((count + 1, axes, axes))
    apart = [x - mean[grain, axis] for axis, x in enumerate(places)]
    for i in range(axes):
        for j in range(i + 1):
            moments[:, i, j] = np.bincount(grain, apart[i] * apart[j], count + 1) / size
            moments[:, j, i] = moments[:, i, j]
        moments[:, i, i] += step[i] ** 2 / 12
    values, vectors = np.linalg.eigh(moments[1:])
    box = np.array(labels.shape) * step
    centroid = np.where(periodic, (mean[1:] + box / 1e12) % box - box / 1e12, mean[1:])
    centroid[endless[1:]] = np.where(periodic, np.nan, centroid[endless[1:]])
    ratio = np.sqrt(values[:, -1] / values[:, 0]) if axes else np.ones(count)
    return Shapes(centroid, ratio, _forward(vectors[..., -1]), endless[1:])


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
