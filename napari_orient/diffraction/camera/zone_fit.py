"""Which zone of a crystal is this net of spots, and what camera brings it to its true shape?

Radii alone name the spots of one zone badly where a cell is large: some ring is always near. Here
the spots are first described by two basis vectors; two reflections of the phase for these give,
exactly, a pixel size and an ellipse. Of all such pairs the one is taken that needs the least
correction of the first guess, predicts no strong spots that are not there, and leaves none over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.diffraction.camera.pattern_fit import Camera, robust_errors
from napari_orient.diffraction.simulate import reflections

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.diffraction.simulate import Reflections

_KEPT = 80  # pairs whose spots are compared
_SIZE, _BEND = 0.06, 0.012  # expected error of the first guess: ln size, half ln ratio


@dataclass(frozen=True)
class Net:
    """Spots as n a + m b: ``basis`` (2, 2) in round pixels, ``indices`` (k, 2), ``on`` (spots,)."""

    basis: NDArray[np.float64]
    indices: NDArray[np.int64]
    on: NDArray[np.bool_]


@dataclass(frozen=True)
class Zone:
    """A named net: hkl (k, 3), vectors (k, 2) in 1/angstrom in the zone's own axes, the camera.

    ``lead`` is how much likelier (ln) it is than the next zone with another camera.
    """

    net: Net
    hkl: NDArray[np.int64]
    vectors: NDArray[np.float64]
    camera: Camera
    lead: float


def find_net(vectors: NDArray[np.float64], least: float = 0.55) -> Net | None:
    """Describe spots (n, 2), measured from the beam, by a net; None if fewer than ``least`` fit.

    Some spots are of higher Laue zones, and lie beside it. A mere row of spots is no net.
    """
    lengths = np.hypot(*vectors.T)
    short = vectors[np.argsort(lengths)[:10]]
    best: tuple[int, float, Net] | None = None
    for i in range(len(short)):
        for j in range(i + 1, len(short)):
            area = abs(float(np.linalg.det(short[[i, j]])))
            if area < 0.4 * np.hypot(*short[i]) * np.hypot(*short[j]):
                continue
            net = _grown(vectors, lengths, short[[i, j]])
            rank = (int(net.on.sum()), area)
            if best is None or rank > best[:2]:
                best = (*rank, net)
    if best is None or best[0] < max(6, least * len(vectors)):
        return None
    on = vectors[best[2].on]
    low, high = np.linalg.eigvalsh(on.T @ on)
    return best[2] if low > 0.08 * high else None


def _grown(
    vectors: NDArray[np.float64], lengths: NDArray[np.float64], basis: NDArray[np.float64]
) -> Net:
    """Index spots from the inside out, with a basis that gets better on the way."""
    on = np.zeros(len(vectors), np.bool_)
    indices = np.zeros(vectors.shape, np.int64)
    step = float(np.hypot(*basis.T).max())
    tolerance = min(0.15 * float(np.hypot(*basis.T).min()), 2.5)
    for reach in (2.2, 3.5, 6.0, 99.0, 99.0):
        ratio = vectors @ np.linalg.inv(basis)
        indices = np.rint(ratio).astype(np.int64)
        away = np.hypot(*(vectors - indices @ basis).T)
        on = (away < tolerance) & (lengths < reach * step) & indices.any(axis=1)
        if on.sum() < 3 or np.linalg.matrix_rank(indices[on]) < 2:
            break
        basis, *_ = np.linalg.lstsq(indices[on].astype(np.float64), vectors[on], rcond=None)
    return Net(basis, indices[on], on)


def name_zone(net: Net, phase: Phase, first: Camera) -> Zone | None:
    """Find the zone of a net in vectors of ``first`` without its ellipse; None if there is none."""
    longest = float(np.hypot(*(net.indices @ net.basis).T).max())
    source = reflections(phase, 1.2 * longest * first.size, min_intensity=1e-4)
    pairs = _pairs(net, source, first)
    if not len(pairs):
        return None
    cameras, prior = _cameras(net, source, pairs, first)
    order = np.argsort(-prior)[:_KEPT]
    scores = [prior[i] + _presence(net, source, pairs[i]) for i in order]
    ranked = sorted(zip(scores, order, strict=True), key=lambda item: -item[0])
    score, best = ranked[0]
    camera = cameras[best]
    others = [s for s, i in ranked if differ(cameras[i], camera)]
    hkl = net.indices @ source.hkl[pairs[best]].astype(np.int64)
    flat = net.indices @ _flat(source.g[pairs[best]], bool(np.linalg.det(net.basis) > 0))
    return Zone(net, hkl, flat, camera, float(score - max(others, default=-np.inf)))


def differ(one: Camera, other: Camera) -> bool:
    """Return True if two cameras are apart by more than their errors: 0.4 % or 0.6 % of ellipse."""
    bend = math.hypot(one.e1 - other.e1, one.e2 - other.e2)
    return abs(math.log(one.size / other.size)) > 0.004 or bend > 0.003


def _pairs(net: Net, source: Reflections, first: Camera) -> NDArray[np.int64]:
    """Pairs (n, 2) of reflections with about the lengths and the angle of the basis."""
    a, b = net.basis * first.size
    length = np.linalg.norm(source.g, axis=1)
    ones, twos = (np.flatnonzero(np.abs(np.log(length / np.hypot(*v))) < 0.17) for v in (a, b))
    upper = [tuple(h) > (0, 0, 0) for h in source.hkl[ones].tolist()]  # -h, -k are the same
    ones = ones[np.array(upper, np.bool_)] if len(ones) else ones
    cosine = source.g[ones] @ source.g[twos].T / np.outer(length[ones], length[twos])
    wanted = float(a @ b / np.hypot(*a) / np.hypot(*b))
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    i, j = np.nonzero(np.abs(angle - math.degrees(math.acos(wanted))) < 5.0)
    return np.stack([ones[i], twos[j]], axis=-1)


def _cameras(
    net: Net, source: Reflections, pairs: NDArray[np.int64], first: Camera
) -> tuple[list[Camera], NDArray[np.float64]]:
    """Camera of each pair, from the metric that gives its lengths and angle; and ln likelihood."""
    g1, g2 = source.g[pairs[:, 0]], source.g[pairs[:, 1]]
    gram = np.stack([(g1 * g1).sum(1), (g1 * g2).sum(1), (g2 * g2).sum(1)], axis=-1)
    (ay, ax), (by, bx) = net.basis
    terms = np.array(
        [
            [ay * ay, 2 * ay * ax, ax * ax],
            [ay * by, ay * bx + ax * by, ax * bx],
            [by * by, 2 * by * bx, bx * bx],
        ]
    )
    m11, m12, m22 = np.linalg.solve(terms, gram.T)
    metric = np.stack([np.stack([m11, m12], -1), np.stack([m12, m22], -1)], -2)
    values, axes = np.linalg.eigh(metric)
    values = np.maximum(values, 1e-12)
    size = np.sqrt(np.sqrt(values.prod(axis=1)))
    log = np.einsum("nij,nj,nkj->nik", axes, np.log(values / size[:, None] ** 2), axes)
    e1, e2 = log[:, 0, 0] / 2, -log[:, 0, 1] / 2
    bend = np.hypot(e1 - first.e1, e2 - first.e2) / _BEND
    prior = -0.5 * ((np.log(size / first.size) / _SIZE) ** 2 + bend**2)
    cameras = [
        replace(first, size=float(s), e1=float(p), e2=float(q))
        for s, p, q in zip(size, e1, e2, strict=True)
    ]
    return cameras, prior


def _presence(net: Net, source: Reflections, pair: NDArray[np.int64]) -> float:
    """Ln likelihood of what is there and what is not, among the inner half of the spots.

    Strong reflections and zones of low indices are likelier: their patterns are looked for.
    """
    g1, g2 = source.g[pair]
    normal = np.cross(g1, g2)
    normal /= np.linalg.norm(normal)
    plane = np.flatnonzero(np.abs(source.g @ normal) < 1e-6)
    coefficients, *_ = np.linalg.lstsq(np.stack([g1, g2], axis=1), source.g[plane].T, rcond=None)
    seen = {(n, m) for n, m in net.indices.tolist()}
    lengths = np.linalg.norm(net.indices @ np.stack([g1, g2]), axis=1)
    reach = float(np.median(lengths)) * 1.001
    inner = np.linalg.norm(source.g[plane], axis=1) <= reach
    expected = {}
    for (n, m), strength in zip(coefficients.T[inner], source.intensity[plane[inner]], strict=True):
        expected[(round(2520 * n), round(2520 * m))] = float(strength)
    nodes = {(2520 * n, 2520 * m) for n, m in seen}
    common = [expected[k] for k in expected if k in nodes]
    typical = float(np.median(common)) if common else 1.0
    missing = sum(min(1.0, s / typical) for k, s in expected.items() if k not in nodes)
    near = {
        (2520 * n, 2520 * m)
        for (n, m), g in zip(net.indices.tolist(), lengths, strict=True)
        if g <= reach
    }
    top = float(source.intensity.max())
    strength = [math.log(max(expected.get(k, 0.0) / top, 1e-3)) for k in near]
    h, k = source.hkl[pair].astype(np.int64)
    zone = np.cross(h, k)
    order = float(np.linalg.norm(zone / max(1, int(np.gcd.reduce(zone)))))
    return float(np.mean(strength) if strength else 0.0) - math.log(order) - 2.0 * missing


def _flat(g: NDArray[np.float64], positive: bool) -> NDArray[np.float64]:
    """Two vectors (2, 3) in axes of their plane, (2, 2), of the wanted handedness."""
    first = g[0] / np.linalg.norm(g[0])
    along = float(g[1] @ first)
    across = float(np.linalg.norm(g[1] - along * first))
    sign = 1.0 if positive else -1.0
    return np.array([[float(np.linalg.norm(g[0])), 0.0], [along, sign * across]])


def fit_zone(
    points: NDArray[np.float64], zone: Zone, start: Camera, fit: Collection[str]
) -> tuple[Camera, NDArray[np.float64], NDArray[np.float64]]:
    """Fit the camera and the turn in the plane to the points (k, 2) of a zone.

    Returns
    -------
    The camera, distances (k,) in px, standard errors as in
    :func:`napari_orient.diffraction.camera.pattern_fit.fit_camera`.
    """
    from scipy.optimize import least_squares

    names = ("centre", "centre", "pixel_size", "ellipse", "ellipse", "")
    free = np.array([name in fit or not name for name in names])
    guess = replace(zone.camera, ky=start.ky, kx=start.kx)
    seen = guess.vectors(points)
    turn = _turn_of(zone.vectors, seen)
    first = np.array([start.ky, start.kx, math.log(start.size), start.e1, start.e2, turn])
    begin = np.array([guess.ky, guess.kx, math.log(guess.size), guess.e1, guess.e2, turn])

    def camera(values: NDArray[np.float64]) -> tuple[Camera, float]:
        every = first.copy()
        every[free] = values
        ky, kx, size, e1, e2, angle = every.tolist()
        return Camera(ky, kx, math.exp(size), e1, e2, start.aspect), angle

    def misfit(values: NDArray[np.float64]) -> NDArray[np.float64]:
        now, angle = camera(values)
        c, s = math.cos(angle), math.sin(angle)
        turned = zone.vectors @ np.array([[c, s], [-s, c]])
        away: NDArray[np.float64] = now.pixels(turned / now.size) - points
        return away.ravel()

    scale = np.array([1.0, 1.0, 0.01, 0.01, 0.01, 0.01])[free]
    found = least_squares(misfit, begin[free], x_scale=scale, loss="soft_l1", f_scale=0.3)
    errors = np.zeros(6)
    errors[free] = robust_errors(found, 2 * len(points))
    away = np.hypot(*misfit(found.x).reshape(-1, 2).T)
    return camera(found.x)[0], away, errors[:5]


def _turn_of(vectors: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    """Angle by which vectors @ [[c, s], [-s, c]] come nearest to what is seen."""
    cosine = float((vectors * seen).sum())
    sine = float((vectors[:, 0] * seen[:, 1] - vectors[:, 1] * seen[:, 0]).sum())
    return math.atan2(sine, cosine)
