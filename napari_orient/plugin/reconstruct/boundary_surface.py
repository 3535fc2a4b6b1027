"""Where do grains meet? The faces between points of unlike grains, as a mesh, a little smoothed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INWARDS, OUTWARDS = 0.5, -0.53  # Taubin's two steps: stairs go, volumes stay
ROUNDS = 20
CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))  # of a face, around it
TRIANGLES = ((0, 1, 2), (0, 2, 3))
LIGHT = (0.72, 0.58, 0.38)  # whence it comes, (z, y, x)
DARK = 0.3  # where the light grazes


class Surface(NamedTuple):
    """A mesh.

    Attributes
    ----------
    vertices
        (n, 3) in points of the block, whose first one has its centre at 0.
    faces
        (m, 3) triangles.
    shade
        (n,) brightness, on both sides: programs that draw leave the back of a face dark.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    shade: NDArray[np.float32]


def boundary_surface(labels: NDArray[np.integer], rounds: int = ROUNDS) -> Surface:
    """Return the faces between grains; not those at the border of the block.

    Parameters
    ----------
    labels
        (z, y, x) numbers of grains.
    rounds
        Of smoothing, by Taubin, ICCV (1995) 852: stairs of one point become slopes. Corners on
        the border of the block stay in it.
    """
    sizes = np.array(labels.shape) + 1
    quads = _quads(labels)
    used = np.zeros(sizes.prod(), bool)
    used[quads] = True
    quads = (np.cumsum(used) - 1)[quads]
    corners = np.stack(np.unravel_index(np.flatnonzero(used), tuple(sizes)), axis=-1)
    free = (corners > 0) & (corners < sizes - 1)
    vertices = _smoothed(corners - 0.5, quads, free, rounds)
    faces = np.concatenate([quads[:, triangle] for triangle in TRIANGLES])
    return Surface(vertices.astype(np.float32), faces, _shade(vertices, quads))


def _quads(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Numbers (n, 4) of the corners of all faces between points that are unlike.

    They go around the way from the lower number to the higher one.
    """
    sizes = np.array(labels.shape) + 1
    strides = np.array([sizes[1] * sizes[2], sizes[2], 1])
    found = []
    for axis in range(3):
        step = np.diff(labels, axis=axis)
        at = np.argwhere(step != 0)
        up = step[tuple(at.T)] > 0
        at[:, axis] += 1
        first, second = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
        around = np.array([a * first + b * second for a, b in CORNERS])
        quads = (at @ strides)[:, None] + around
        found.append(np.where(up[:, None], quads, quads[:, ::-1]))
    return np.concatenate(found)


def _smoothed(
    points: NDArray[np.float64],
    quads: NDArray[np.int64],
    free: NDArray[np.bool_],
    rounds: int,
) -> NDArray[np.float64]:
    """Draw each corner to the mean of those beside it, and back, as far as it is free."""
    from scipy.sparse import csr_matrix

    here = quads[:, (0, 1, 2, 3, 1, 2, 3, 0)].ravel()
    there = quads[:, (1, 2, 3, 0, 0, 1, 2, 3)].ravel()
    count = len(points)
    beside = csr_matrix((np.ones(len(here)), (here, there)), shape=(count, count))
    number = np.maximum(np.asarray(beside.sum(axis=1)), 1)
    for _ in range(rounds):
        for share in (INWARDS, OUTWARDS):
            points = points + share * free * (beside @ points / number - points)
    return points


def _shade(points: NDArray[np.float64], quads: NDArray[np.int64]) -> NDArray[np.float32]:
    a, b, c, d = (points[quads[:, n]] for n in range(4))
    across = np.cross(c - a, d - b)
    flat = quads.T.ravel()
    sums = [np.bincount(flat, np.tile(column, 4), len(points)) for column in across.T]
    normals = np.stack(sums, axis=-1)
    length = np.maximum(np.linalg.norm(normals, axis=-1), 1e-9)
    light = np.array(LIGHT) / np.linalg.norm(LIGHT)
    return (DARK + (1 - DARK) * np.abs(normals @ light) / length).astype(np.float32)
