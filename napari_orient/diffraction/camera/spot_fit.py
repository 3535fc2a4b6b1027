"""Which centre, pixel size and ellipse do the spots of a known phase give?

Spots that form one net are named as a zone of the crystal
(:mod:`~napari_orient.diffraction.camera.zone_fit`). Otherwise, as with many grains, each spot must
lie on one of the rings of the phase. The centre is where the midpoints of Friedel
pairs meet. Pixel size and ellipse are tried on a grid: the likelihood of the spots' radii under the
rings, each ring weighted by its distance to the next, so that a region where rings are dense, and
any radius is near one, says nothing. The best few are fitted, and the likeliest fit is taken.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.scan import Quantity
from napari_orient.diffraction.camera.centre import find_centre
from napari_orient.diffraction.camera.pattern_fit import (
    FITTED,
    Camera,
    NoRingsFound,
    PatternFit,
    as_fit,
    fit_camera,
)
from napari_orient.diffraction.camera.rings import Ring, expected_rings, tidiness
from napari_orient.diffraction.camera.spots import find_spots
from napari_orient.diffraction.camera.zone_fit import differ, find_net, fit_zone, name_zone
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.jobs import Job

_CURE = "Take a pattern with more spots, or check phase and first guess."
_STRAY = 0.1  # share of spots that belong to nothing
_TRIED = 24  # fits from the best places of the grid; fewer where many spots leave less doubt


def fit_spots(
    pattern: NDArray[Any] | None,
    phase: Phase | Sequence[Ring],
    start: Calibration,
    *,
    positions: ArrayLike | None = None,
    fit: Collection[str] = FITTED,
) -> Job[PatternFit]:
    """Fit centre, pixel size and ellipse to the spots of a known phase; a job.

    Parameters
    ----------
    pattern
        (ky, kx) counts: one crystal, or the mean or maximum of many; None if ``positions`` are
        given.
    phase
        The phase, or its rings.
    start
        First guess: the centre within about 6 px, pixel size within 10 %.
    positions
        (n, 2) spots (ky, kx) in px, instead of those that
        :func:`napari_orient.diffraction.camera.spots.find_spots` finds.
    fit
        What to fit of "centre", "pixel_size", "ellipse".

    Raises
    ------
    NoRingsFound
        If the spots do not fit the phase, or are too few (below 6).
    ValueError
        If neither pattern nor positions are given, or the start has no pixel size.
    """
    if start.pixel_size is None:
        raise ValueError("a first guess of the pixel size is needed to name spots")
    yield Progress(0, 3, "finding spots")
    spots, camera = _first(pattern, positions, start, fit)
    rings = phase if not hasattr(phase, "structure") else _rings_of(phase, spots, camera)
    yield Progress(1, 3, "naming spots")
    away = np.hypot(*camera.vectors(spots).T)
    spots = spots[away > 0.6 * rings[0].g / camera.size]  # not the beam
    if len(spots) < 6:
        raise NoRingsFound(f"only {len(spots)} spots found, 6 are needed. {_CURE}")
    if "ellipse" in fit:
        _check_spread(spots, camera)
    named = None if not hasattr(phase, "structure") else _as_zone(spots, phase, camera, start, fit)
    if named is not None:
        return named
    tried = _candidates(spots, rings, camera, fit)
    yield Progress(2, 3, "fitting spots")
    results = [_refine(spots, rings, first, camera, fit) for first in tried]
    best, score, errors, own, residuals = max(results, key=lambda result: result[1])
    rivals = [result[1] for result in results if differ(result[0], best)]
    _judge(own, residuals, rings, best)
    used = sorted(set(own[own >= 0].tolist()))
    names = [(rings[i].g, "".join(map(str, rings[i].hkl))) for i in used]
    rms = float(np.sqrt(np.mean(residuals**2)))
    note = f"from {len(residuals)} spots on {len(used)} rings, rms {rms:.2g} px"
    if score - max(rivals, default=-np.inf) < 3:
        note += "; other reflections fit nearly as well"
    return as_fit(best, errors, fit, start, note=note, rms=rms, rings=names, points=spots[own >= 0])


def _check_spread(spots: NDArray[np.float64], camera: Camera) -> None:
    """Refuse one row of spots: it has one direction only, and no ellipse."""
    away = camera.vectors(spots)
    low, high = np.linalg.eigvalsh(away.T @ away)
    if low < 0.08 * high:
        raise NoRingsFound(
            "the spots lie nearly on one line and do not show the ellipse. Fit centre and pixel "
            "size alone, or take another pattern."
        )


def _as_zone(
    spots: NDArray[np.float64],
    phase: Phase,
    camera: Camera,
    start: Calibration,
    fit: Collection[str],
) -> PatternFit | None:
    """Fit of spots that form the net of one zone; None if they do not."""
    round_first = replace(camera, e1=0.0, e2=0.0)
    net = find_net(round_first.vectors(spots))
    zone = None if net is None else name_zone(net, phase, camera)
    if net is None or zone is None:
        return None
    points = spots[net.on]
    best, away, errors = fit_zone(points, zone, camera, fit)
    good = away <= 4 * max(float(np.median(away)), 0.05)
    rms = float(np.sqrt(np.mean(away[good] ** 2) / 2))
    if rms > 1.0 or good.sum() < 6:
        return None
    lengths = np.hypot(*zone.vectors.T).round(5).tolist()
    rings: dict[float, tuple[int, int, int]] = {}
    for g, (h, k, m) in sorted(zip(lengths, zone.hkl.tolist(), strict=True)):
        rings[g] = max(rings.get(g, (h, k, m)), (h, k, m), key=tidiness)
    axis = zone_of(zone.hkl)
    note = f"from {len(points)} spots of zone [{' '.join(map(str, axis))}], rms {rms:.2g} px"
    if zone.lead < 2:
        note += "; another zone fits nearly as well"
    return as_fit(
        best,
        errors,
        fit,
        start,
        note=note,
        rms=rms,
        rings=[(g, "".join(map(str, hkl))) for g, hkl in rings.items()],
        points=points,
    )


def zone_of(hkl: NDArray[np.int64]) -> tuple[int, ...]:
    """Return the direction [uvw] that reflections (n, 3) of one zone share."""
    axes = np.cross(hkl[0], hkl)
    axis = axes[np.abs(axes).sum(axis=1).argmax()]
    axis = axis // max(1, int(np.gcd.reduce(axis)))
    return tuple((axis if tuple(axis) > (0, 0, 0) else -axis).tolist())


def _first(
    pattern: NDArray[Any] | None,
    positions: ArrayLike | None,
    start: Calibration,
    fit: Collection[str],
) -> tuple[NDArray[np.float64], Camera]:
    """Spots, and the first guess with the centre of Friedel symmetry."""
    if positions is not None:
        spots = np.asarray(positions, dtype=np.float64).reshape(-1, 2)
    elif pattern is not None:
        spots = find_spots(pattern).positions
    else:
        raise ValueError("a pattern or the positions of spots are needed")
    if start.centre is None or (pattern is not None and "centre" in fit):
        if pattern is None:
            raise ValueError("a first guess of the centre is needed with positions alone")
        found = find_centre(pattern)
        start = start.set(centre=Quantity(value=(found.ky, found.kx), unit="px"))
    camera = Camera.of(start)
    if "centre" in fit:
        ky, kx = friedel_centre(spots, (camera.ky, camera.kx), 3.0 if pattern is not None else 8.0)
        camera = replace(camera, ky=ky, kx=kx)
    return spots, camera


def friedel_centre(
    spots: NDArray[np.float64], near: tuple[float, float], reach: float, tolerance: float = 1.0
) -> tuple[float, float]:
    """Point within ``reach`` px of ``near`` at which most midpoints of two spots meet.

    Returns ``near`` itself where fewer than three pairs meet.
    """
    i, j = np.triu_indices(len(spots), 1)
    middle = (spots[i] + spots[j]) / 2
    middle = middle[np.hypot(*(middle - near).T) <= reach]
    if len(middle) < 3:
        return near
    some = middle[:: max(1, len(middle) // 1000)]
    square = ((some[:, None] - some) ** 2).sum(axis=-1)
    score = np.exp(-square / (2 * tolerance**2)).sum(axis=1)
    best = some[int(score.argmax())]
    for _ in range(5):
        weight = np.exp(-((middle - best) ** 2).sum(axis=1) / (2 * tolerance**2))
        best = (weight[:, None] * middle).sum(axis=0) / weight.sum()
    if score.max() < 3:
        return near
    return float(best[0]), float(best[1])


def _rings_of(phase: Phase, spots: NDArray[np.float64], camera: Camera) -> list[Ring]:
    """Rings of the phase as far out as the outermost spot, forbidden and faint ones left out."""
    outermost = float(np.hypot(*camera.vectors(spots).T).max()) if len(spots) else 1.0
    rings = expected_rings(phase, min(3.0, 1.15 * outermost * camera.size))
    return [ring for ring in rings if ring.intensity > 1e-3]


def _log_likelihood(
    g: NDArray[np.float64], rings: Sequence[Ring], tolerance: float
) -> NDArray[np.float64]:
    """Log likelihood (...) of lengths g (..., n): rings of relative width, some strays."""
    radii = np.array([ring.g for ring in rings])
    edges = np.concatenate([[radii[0] * 0.8], (radii[1:] + radii[:-1]) / 2, [radii[-1] * 1.1]])
    weight = np.diff(edges)
    x = np.log(g)
    grid = np.arange(math.log(radii[0]) - 1.0, math.log(radii[-1]) + 0.5, tolerance / 4)
    density = np.zeros(len(grid))
    for radius, share in zip(radii, weight, strict=True):
        z = (grid - math.log(radius)) / tolerance
        density += share / (tolerance * radius * math.sqrt(2 * math.pi)) * np.exp(-0.5 * z * z)
    spread = np.interp(x, grid, density, left=0.0, right=0.0)
    total: NDArray[np.float64] = np.log(_STRAY + (1 - _STRAY) * spread).sum(axis=-1)
    return total


def _prior(camera: Camera, first: Camera) -> float:
    """Log of how likely a camera is before the pattern is seen: near the first guess and round."""
    size = math.log(camera.size / first.size) / 0.06
    bend = math.hypot(camera.e1 - first.e1, camera.e2 - first.e2) / 0.015
    return -0.5 * (size * size + bend * bend)


def _candidates(
    spots: NDArray[np.float64], rings: Sequence[Ring], first: Camera, fit: Collection[str]
) -> list[Camera]:
    """Return the best sizes and ellipses of a grid, each better than its neighbours."""
    sizes = np.exp(np.arange(-0.125, 0.126, 0.004)) if "pixel_size" in fit else np.ones(1)
    bends = [(0.0, 0.0)]
    for half, number in ((0.008, 6), (0.016, 12), (0.024, 18)) if "ellipse" in fit else ():
        angles = np.arange(number) * 2 * math.pi / number
        bends += [(half * math.cos(a), half * math.sin(a)) for a in angles]
    found: list[tuple[float, Camera]] = []
    for e1, e2 in bends:
        bent = replace(first, e1=first.e1 + e1, e2=first.e2 + e2)
        away = np.maximum(np.hypot(*bent.vectors(spots).T), 1e-6)
        scores = _log_likelihood(away * (sizes * first.size)[:, None], rings, 0.006)
        for index in np.argsort(-scores)[:6]:
            camera = replace(bent, size=first.size * float(sizes[index]))
            found.append((float(scores[index]) + _prior(camera, first), camera))
    found.sort(key=lambda item: -item[0])
    number = _TRIED if len(spots) < 60 else _TRIED // 6
    return [camera for _, camera in found[:number]]


Result = tuple[Camera, float, "NDArray[np.float64]", "NDArray[np.int64]", "NDArray[np.float64]"]


def _refine(
    spots: NDArray[np.float64],
    rings: Sequence[Ring],
    camera: Camera,
    first: Camera,
    fit: Collection[str],
) -> Result:
    """Fit with ever smaller tolerance; (camera, score, errors, ring of each spot, residuals)."""
    radii = np.array([ring.g for ring in rings])
    errors, residuals = np.zeros(5), np.full(1, np.inf)
    own = np.full(len(spots), -1)
    for tolerance in (0.02, 0.012, 0.008, 0.005, 0.005):
        g = np.hypot(*camera.vectors(spots).T) * camera.size
        nearest = np.searchsorted((radii[1:] + radii[:-1]) / 2, g)
        away = np.abs(np.log(g / radii[nearest]))
        near = away < np.maximum(tolerance, 0.6 * camera.size / g)
        own = np.where(near, nearest, -1)
        if near.sum() < 6:
            return camera, -np.inf, errors, own, residuals
        camera, residuals, errors = fit_camera(
            spots[near], radii[nearest[near]], camera, fit, scatter=0.3
        )
    g = np.hypot(*camera.vectors(spots).T) * camera.size
    score = float(_log_likelihood(g, rings, 0.0025)) + _prior(camera, first)
    return camera, score, errors, own, residuals


def _judge(
    own: NDArray[np.int64], residuals: NDArray[np.float64], rings: Sequence[Ring], camera: Camera
) -> None:
    """Refuse a fit that leaves most spots out, or that random radii would satisfy as well."""
    share = float((own >= 0).mean())
    fitting = int((own >= 0).sum())
    if fitting < 6:
        raise NoRingsFound(
            f"only {fitting} of {len(own)} spots fit this phase, 6 are needed. {_CURE}"
        )
    if share < 0.5:
        raise NoRingsFound(f"only {100 * share:.0f} % of the spots fit this phase. {_CURE}")
    radii = np.array([rings[i].g for i in own[own >= 0]]) / camera.size
    every = np.array([ring.g for ring in rings]) / camera.size
    gap = np.diff(every)[np.clip(np.searchsorted(every, radii), 0, len(every) - 2)]
    if np.median(np.abs(residuals)) > 0.15 * np.median(gap) + 0.02:
        raise NoRingsFound(f"the spots fit this phase no better than chance. {_CURE}")
