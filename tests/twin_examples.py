"""Do twin boundaries run along the trace of their plane? A measure of a map's frame, for tests."""

from __future__ import annotations

import numpy as np
from orix.quaternion import Rotation
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

K1_MG = [(1, 0, 2), (-1, 0, 2), (0, 1, 2), (0, -1, 2), (1, -1, 2), (-1, 1, 2)]
K1_NI = [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1)]
_NEAR = np.cos(np.radians(10))


def find_twins(made, group, angle: float, tolerance: float, planes):
    """Neighbours with a twin's misorientation.

    Returns how many there are, how many share one of the ``planes`` within 5 degrees, the places
    of these on the map and their planes' normals in the map frame.
    """
    reciprocal = np.linalg.inv(made.phases[1].structure.lattice.base).T
    normals = np.array(planes) @ reciprocal
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    total, places, shared = 0, [], []
    trusted = made.indexed & (made.properties.get("CI", np.ones(made.shape)) > 0.1)
    for dy, dx in ((0, 1), (1, 0)):
        a = (slice(0, made.shape[0] - dy), slice(0, made.shape[1] - dx))
        b = (slice(dy, None), slice(dx, None))
        both = trusted[a] & trusted[b]
        qa, qb = made.quaternions[a][both], made.quaternions[b][both]
        between = Rotation(qb) * ~Rotation(qa)
        cosine = np.max([np.abs((s * between).data[:, 0]) for s in group], axis=0)
        twin = np.abs(np.degrees(2 * np.arccos(np.minimum(cosine, 1))) - angle) < tolerance
        na = np.einsum("pji,kj->pki", Rotation(qa[twin]).to_matrix(), normals)
        nb = np.einsum("pji,kj->pki", Rotation(qb[twin]).to_matrix(), normals)
        fit = np.abs(np.einsum("pki,pli->pkl", na, nb)).max(axis=2)
        good = np.degrees(np.arccos(np.minimum(fit.max(axis=1), 1))) < 5
        total += len(good)
        place = np.argwhere(both)[twin] + (dy / 2, dx / 2)
        places.append(place[good])
        shared.append(na[np.arange(len(fit)), fit.argmax(axis=1)][good])
    return total, sum(map(len, places)), np.concatenate(places), np.concatenate(shared)


def share_of_traces(places, normals) -> float:
    """Share of the length of twin boundaries that runs within 10 degrees of the plane's trace.

    A line is laid through every connected, straight boundary of 10 or more pieces as a whole: over
    a few pixels the steps of the boundary alone turn it by 7 degrees in the median.
    """
    pairs = cKDTree(places).query_pairs(1.5, output_type="ndarray")
    same = np.abs(np.sum(normals[pairs[:, 0]] * normals[pairs[:, 1]], axis=1)) > _NEAR
    links = coo_matrix((np.ones(same.sum()), pairs[same].T), (len(places), len(places)))
    number, label = connected_components(links, directed=False)
    lengths, fits = [], []
    for piece in (label == i for i in range(number)):
        if piece.sum() < 10:
            continue
        points = places[piece] - places[piece].mean(axis=0)
        _, sizes, axes = np.linalg.svd(points, full_matrices=False)
        _, mean = np.linalg.eigh(normals[piece].T @ normals[piece])
        along = mean[:2, -1] * (1, -1)  # (y, x) of the trace n x z
        if sizes[1] > 0.35 * sizes[0] or np.linalg.norm(along) < 0.5:
            continue  # not straight, or the plane lies too flat
        lengths.append(np.ptp(points @ axes[0]))
        fits.append(abs(axes[0] @ along) / np.linalg.norm(along) > _NEAR)
    assert sum(lengths) > 100
    return float(np.average(fits, weights=lengths))
