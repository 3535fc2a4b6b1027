"""Which centre, pixel size and ellipse do the rings of a known phase give?

From the start of :mod:`~napari_orient.diffraction.camera.ring_search` the pattern is unwrapped in
sectors.
In each, the displacements of all rings are fitted together, by the model profile and its derivative
over a smooth background; then all these points are fitted at once. Unwrapping with the better
camera is repeated until nothing moves, so that neither the window nor the slope of the background
biases the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.diffraction.camera.pattern_fit import (
    FITTED,
    Camera,
    NoRingsFound,
    PatternFit,
    as_fit,
    fit_camera,
)
from napari_orient.diffraction.camera.ring_search import CURE, search
from napari_orient.diffraction.camera.rings import Ring, expected_rings
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.jobs import Job

_G_MAX = 2.0  # 1/angstrom; rings further out are too weak
_WEAK = 0.02  # of the strongest ring: left out of the model
_SECTORS = 72
_STEP = 0.5  # px along the radius


def fit_rings(
    pattern: NDArray[Any],
    phase: Phase | Sequence[Ring],
    start: Calibration,
    *,
    fit: Collection[str] = FITTED,
) -> Job[PatternFit]:
    """Fit centre, pixel size and ellipse to the rings of a known phase; a job.

    Parameters
    ----------
    pattern
        (ky, kx) counts, best a sum of many patterns; NaN pixels are ignored.
    phase
        The phase, or its rings.
    start
        First guess: the centre within about 5 px (or none), pixel size within 10 % (or None: the
        ratios of the radii decide).
    fit
        What to fit of "centre", "pixel_size", "ellipse"; the rest stays as in ``start``.

    Raises
    ------
    NoRingsFound
        If the pattern has no rings, or none that fit the phase.
    """
    image = np.asarray(pattern, dtype=np.float64)
    rings = phase if not hasattr(phase, "structure") else expected_rings(phase, _G_MAX)
    strongest = max(ring.intensity for ring in rings)
    rings = [ring for ring in rings if ring.intensity > _WEAK * strongest]
    yield Progress(0, 8, "searching for rings")
    camera = search(image, rings, start, fit)
    for turn, rough in enumerate((2.5, 1.5, 1.0, 1.0, 1.0, 1.0)):
        yield Progress(turn + 1, 8, "fitting rings")
        found = _sector_points(image, rings, camera, rough)
        before = camera
        camera, residuals, errors = fit_camera(
            found.points, found.g, camera, fit, found.sigma, scatter=2 * found.scatter
        )
        if rough == 1.0 and _moved(before, camera, float(found.g.max())) < 2e-3:
            break
    _judge(found, residuals)
    rms = float(np.sqrt(np.mean(residuals[found.good(residuals)] ** 2)))
    names = [(float(ring.g), "".join(map(str, ring.hkl))) for ring in found.rings]
    note = f"from {len(names)} rings, {len(residuals)} points, rms {rms:.2g} px"
    return as_fit(camera, errors, fit, start, note=note, rms=rms, rings=names, points=found.points)


def _moved(before: Camera, after: Camera, g: float) -> float:
    """Largest move in px of a ring ``g`` between two cameras."""
    angles = np.linspace(0, 2 * math.pi, 16)
    circle = np.stack([np.sin(angles), np.cos(angles)], axis=-1) * g
    moves = before.pixels(circle / before.size) - after.pixels(circle / after.size)
    return float(np.abs(moves).max())


@dataclass(frozen=True)
class _Points:
    """Points on rings: (n, 2) pixels, |g|, relative uncertainty, sector.

    ``rings`` are those that have points, ``expected`` all that should be seen.
    """

    points: NDArray[np.float64]
    g: NDArray[np.float64]
    sigma: NDArray[np.float64]
    sector: NDArray[np.int64]
    sectors: int
    rings: list[Ring]
    expected: list[Ring]
    width: float
    scatter: float

    def good(self, residuals: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Points that are no outliers."""
        spread = 1.4826 * float(np.median(np.abs(residuals)))
        return np.asarray(np.abs(residuals) <= 4 * max(spread, 1e-6))


def _sector_points(
    image: NDArray[np.float64], rings: Sequence[Ring], camera: Camera, rough: float
) -> _Points:
    """Find where the rings really are in each sector; ``rough`` widens the profile at first."""
    from scipy.ndimage import gaussian_filter1d

    own = _visible(image.shape, rings, camera)
    at = np.array([ring.g for ring in own]) / camera.size
    radii = np.arange(max(2.0, 0.72 * at[0]), 1.12 * at[-1], _STEP)
    values, seen = _unwrap(image, camera, radii)
    mean = _mean_profile(values, seen)
    used = np.isfinite(mean)
    radii, mean, values, seen = radii[used], mean[used], values[:, used], seen[:, used]
    width = _ring_width(radii, mean, at)
    if rough > 1:
        blur = width * math.sqrt(rough**2 - 1) / _STEP
        values = gaussian_filter1d(values, blur, axis=1, mode="nearest")
        width *= rough
    merged = _merge(own, at, width)
    at = np.array([ring.g for ring in merged]) / camera.size
    shift, sigma, whole = _displacements(radii, values, seen, mean, at, width)
    good = np.isfinite(shift) & (sigma < width) & (np.abs(shift) < 1.6 * width)
    if good.sum() < 30:
        raise NoRingsFound(f"no rings found: too few of them stand out of the background. {CURE}")
    sector, ring = np.nonzero(good)
    angle = (sector + 0.5) * 2 * math.pi / _SECTORS
    length = at[ring] + shift[good]
    points = camera.pixels(np.stack([np.sin(angle), np.cos(angle)], axis=-1) * length[:, None])
    error = np.maximum(sigma[good], 0.03)
    typical = float(np.median(error))
    sectors = int((seen.mean(axis=1) > 0.3).sum())
    there = [r for r, share in zip(merged, whole.mean(axis=0), strict=True) if share > 0.25]
    return _Points(
        points=points,
        g=at[ring] * camera.size,
        sigma=error / typical,
        sector=sector,
        sectors=sectors,
        rings=[merged[i] for i in np.unique(ring)],
        expected=there,
        width=width,
        scatter=max(typical, 0.02),
    )


def _visible(shape: tuple[int, ...], rings: Sequence[Ring], camera: Camera) -> list[Ring]:
    """Rings of which a good part lies on the detector, at most a dozen."""
    edge = min(max(camera.ky, shape[0] - 1 - camera.ky), max(camera.kx, shape[1] - 1 - camera.kx))
    own = [ring for ring in rings if ring.g / camera.size < 1.02 * edge]
    if len(own) < 2:
        raise NoRingsFound(f"fewer than two rings of the phase lie on the detector. {CURE}")
    return own[:14]


def _unwrap(
    image: NDArray[np.float64], camera: Camera, radii: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (sector, radius), and the share of each that is seen (NaN and outside are not)."""
    from scipy.ndimage import map_coordinates

    fine = max(4, math.ceil(2 * math.pi * radii[-1] / _SECTORS))
    angles = (np.arange(_SECTORS * fine) + 0.5) * 2 * math.pi / (_SECTORS * fine)
    circle = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    points = camera.pixels(circle[:, None] * radii[None, :, None])
    where = np.moveaxis(points, -1, 0)
    finite = np.isfinite(image)
    filled = np.where(finite, image, 0.0)
    total = map_coordinates(filled, where, order=1, mode="constant", prefilter=False)
    part = map_coordinates(finite * 1.0, where, order=1, mode="constant", prefilter=False)
    total, part = (a.reshape(_SECTORS, fine, -1).mean(axis=1) for a in (total, part))
    return total / np.maximum(part, 1e-9), np.where(part > 0.3, part, 0.0)


def _mean_profile(values: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    number = seen.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = (values * seen).sum(axis=0) / number
    return np.where(number > 4, mean, np.nan)


def _model(
    radii: NDArray[np.float64], at: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Columns of the model: rings (r, n), their derivatives, and a smooth background."""
    x = (radii[:, None] - at) / width
    ring = np.exp(-0.5 * x**2)
    t = np.log(radii / radii[0]) / math.log(radii[-1] / radii[0]) * 2 - 1
    background = np.polynomial.legendre.legvander(t, 4)
    return ring, x / width * ring, background


def _ring_width(
    radii: NDArray[np.float64], mean: NDArray[np.float64], at: NDArray[np.float64]
) -> float:
    """Sigma of the rings in px with which the mean profile is described best."""
    weight = 1 / np.sqrt(np.maximum(mean, 1e-3 * mean.max() + 1e-12))
    misfits = []
    widths = np.geomspace(0.8, 6.0, 14)
    for width in widths:
        ring, slope, background = _model(radii, at, width)
        terms = np.hstack([ring, slope, background]) * weight[:, None]
        found, *_ = np.linalg.lstsq(terms, mean * weight, rcond=1e-10)
        misfits.append(float(np.sum((terms @ found - mean * weight) ** 2)))
    return float(widths[int(np.argmin(misfits))])


def _merge(rings: Sequence[Ring], at: NDArray[np.float64], width: float) -> list[Ring]:
    """Join rings that cannot be told apart at this width, at the mean of their radii."""
    groups: list[list[Ring]] = []
    for ring, radius in zip(rings, at, strict=True):
        if groups and radius - groups[-1][-1].g * radius / ring.g < 1.5 * width:
            groups[-1].append(ring)
        else:
            groups.append([ring])
    return [_joined(group) for group in groups]


def _joined(group: list[Ring]) -> Ring:
    strongest = max(group, key=lambda ring: ring.intensity)
    total = sum(ring.intensity for ring in group)
    g = sum(ring.g * ring.intensity for ring in group) / total
    return replace(strongest, g=g, d=1 / g, intensity=total)


def _displacements(
    radii: NDArray[np.float64],
    values: NDArray[np.float64],
    seen: NDArray[np.float64],
    mean: NDArray[np.float64],
    at: NDArray[np.float64],
    width: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Displacement (sector, ring) in px, NaN where there is none, its error, and what is whole.

    A ring is whole in a sector where nothing of its profile is masked or outside.
    """
    ring, slope, background = _model(radii, at, width)
    terms = np.hstack([ring, slope, background])
    n = len(at)
    weights = seen / np.maximum(mean, 1e-3 * mean.max() + 1e-12)
    normal = np.einsum("sr,ri,rj->sij", weights, terms, terms, optimize=True)
    normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(terms.shape[1])
    right = np.einsum("sr,ri,sr->si", weights, terms, values, optimize=True)
    covariance = np.linalg.inv(normal)
    found = np.einsum("sij,sj->si", covariance, right)
    rest = weights * (values - found @ terms.T) ** 2
    spread = np.median(rest.sum(axis=1) / np.maximum((seen > 0).sum(axis=1) - terms.shape[1], 1))
    variance = np.einsum("sii->si", covariance) * max(float(spread), 1e-30)
    height, moved = found[:, :n], found[:, n : 2 * n]
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = moved / height
        sigma = np.sqrt(variance[:, n : 2 * n] + shift**2 * variance[:, :n]) / height
    whole = np.einsum("sr,rn->sn", (seen > 0) * 1.0, ring) / ring.sum(axis=0) > 0.9
    strong = (height > 3 * np.sqrt(variance[:, :n])) & whole
    return np.where(strong, shift, np.nan), np.where(strong, sigma, np.inf), whole


def _judge(found: _Points, residuals: NDArray[np.float64]) -> None:
    """Refuse points that are no rings: on one side only, scattered, or of another phase."""
    good = found.good(residuals)
    around = len(np.unique(found.sector[good]))
    number = {ring.g: int((good & np.isclose(found.g, ring.g)).sum()) for ring in found.expected}
    if around < max(12, 0.3 * found.sectors) or sum(n >= 8 for n in number.values()) < 2:
        raise NoRingsFound(f"no rings found: what fits is not spread around the beam. {CURE}")
    spread = 1.4826 * float(np.median(np.abs(residuals)))
    if spread > 0.6 * found.width + 0.3:
        raise NoRingsFound(f"no rings found: points scatter by {spread:.1f} px. {CURE}")
    total = sum(ring.intensity for ring in found.expected)
    share = sum(r.intensity for r in found.expected if number[r.g] > 0.25 * found.sectors) / total
    away = [residuals[good & np.isclose(found.g, g)].mean() for g, n in number.items() if n >= 8]
    if share < 0.65 or np.sqrt(np.mean(np.square(away))) > 0.3 * found.width:
        raise NoRingsFound(
            f"no rings of this phase found: {100 * share:.0f} % of its rings (by intensity) are "
            f"where they should be. {CURE}"
        )
