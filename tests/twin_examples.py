"""Do twin boundaries run along the trace of their plane? A measure of a map's frame, for tests."""

from __future__ import annotations

import numpy as np
from orix.quaternion import Rotation
from scipy.spatial import cKDTree

from napari_orient.data.maps import conjugate, multiply

K1_MG = [(1, 0, 2), (-1, 0, 2), (0, 1, 2), (0, -1, 2), (1, -1, 2), (-1, 1, 2)]
K1_NI = [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1)]


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
        between = multiply(qb, conjugate(qa))
        cosine = np.max([np.abs(multiply(s, between)[:, 0]) for s in group.data], axis=0)
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
    """Share of straight pieces of twin boundary within 10 degrees of their plane's trace."""
    hits = []
    for i, near in enumerate(cKDTree(places).query_ball_point(places, 4.0)):
        near = [j for j in near if abs(normals[i] @ normals[j]) > np.cos(np.radians(10))]
        along = normals[i, [0, 1]] * (1, -1)  # (y, x) of the trace n x z
        if len(near) < 7 or np.linalg.norm(along) < 0.5:
            continue
        _, sizes, axes = np.linalg.svd(places[near] - places[near].mean(axis=0))
        if sizes[1] < 0.35 * sizes[0]:
            cosine = abs(axes[0] @ along) / np.linalg.norm(along)
            hits.append(cosine > np.cos(np.radians(10)))
    assert len(hits) > 200
    return float(np.mean(hits))
