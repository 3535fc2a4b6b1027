"""How are the patterns turned against the scan? From known orientations, or deflections."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.data.reciprocal import to_reciprocal
from napari_orient.data.scan import Quantity
from napari_orient.diffraction.camera.spots import find_spots
from napari_orient.diffraction.simulate import reflections, spots
from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.jobs import Job

_ANGLES = 720  # half degrees of the search
_RING = 0.02  # 1/angstrom: radii that are compared


@dataclass(frozen=True)
class Rotation:
    """Pattern-to-scan rotation and flip, as the fields of a calibration mean them.

    Attributes
    ----------
    rotation, flip
        Measured quantities.
    error
        Standard error of the rotation, degrees.
    score
        How well it fits, 0 to 1.
    flipped_score
        The best score with the other flip: the flip is as sure as the two differ.
    opposite_score
        The score 180 degrees on; None where the method cannot tell the two apart.
    note
        What stays open, in words.
    """

    rotation: Quantity
    flip: Quantity
    error: float
    score: float
    flipped_score: float
    opposite_score: float | None
    note: str = ""

    def apply(self, calibration: Calibration) -> Calibration:
        """Return the calibration with this rotation and flip."""
        return calibration.set(rotation=self.rotation, flip=self.flip)


def fit_rotation_known(
    patterns: Sequence[NDArray[Any]],
    orientations: ArrayLike,
    phase: Phase,
    start: Calibration,
    *,
    thickness_nm: float = 20.0,
    precession_deg: float = 0.0,
) -> Job[Rotation]:
    """Find rotation and flip from patterns of crystals whose orientation is known; a job.

    Parameters
    ----------
    patterns
        (n, ky, kx) counts.
    orientations
        (n, 4) quaternions, lab2crystal in the scan's frame: of a reference map in its map frame.
    phase
        Of the crystals.
    start
        With centre, pixel size and voltage (300 kV if unknown).
    thickness_nm, precession_deg
        Of the simulated spots.

    Raises
    ------
    ValueError
        If centre or pixel size are unknown, or no pattern has spots.
    """
    pairs = []
    quaternions = np.atleast_2d(np.asarray(orientations, np.float64))
    if len(quaternions) != len(patterns):
        raise ValueError(f"{len(patterns)} patterns and {len(quaternions)} orientations")
    voltage = start.voltage.number if start.voltage else 300.0
    for number, pattern in enumerate(patterns):
        yield Progress(number, len(patterns) + 1, "finding spots")
        seen = _seen(pattern, start)
        if len(seen.xy) >= 3:
            pairs.append((seen, quaternions[number]))
    if not pairs:
        raise ValueError("no pattern has spots: choose patterns of tilted-in crystals, or sum some")
    reach = max(float(np.hypot(*seen.xy.T).max()) for seen, _ in pairs)
    source = reflections(phase, 1.05 * reach)
    drawn = spots(
        source,
        np.array([q for _, q in pairs]),
        voltage,
        thickness_nm=thickness_nm,
        precession_deg=precession_deg,
        max_excitation=0.03,
    )
    expected = []
    for index in range(len(pairs)):
        xy, intensity, _ = drawn.pattern(index)
        expected.append(_Points(xy.astype(np.float64), np.sqrt(intensity.astype(np.float64))))
    yield Progress(len(patterns), len(patterns) + 1, "turning")
    return _compare([seen for seen, _ in pairs], expected)


class _Points(NamedTuple):
    """Vectors (n, 2), (x, y) in 1/angstrom, and weights (n,)."""

    xy: NDArray[np.float64]
    weight: NDArray[np.float64]

    def flipped(self) -> _Points:
        return _Points(self.xy * [-1, 1], self.weight)


def _seen(pattern: NDArray[Any], start: Calibration) -> _Points:
    """Spots of a pattern on its own axes, without the beam."""
    found = find_spots(pattern)
    gy, gx = to_reciprocal(start, found.positions[:, 0], found.positions[:, 1])
    away = np.hypot(gy, gx) > 0.08
    return _Points(
        np.stack([gx, gy], axis=-1)[away], np.sqrt(np.maximum(found.intensities[away], 0))
    )


def _compare(seen: list[_Points], expected: list[_Points]) -> Rotation:
    """Turn the seen spots onto the expected ones, flipped and not."""
    found = []
    for flip in (False, True):
        now = [points.flipped() for points in seen] if flip else seen
        scores = _scores(now, expected)
        best = int(scores.argmax())
        angle, error = _refined(now, expected, best * 360 / _ANGLES)
        opposite = (best + _ANGLES // 2 + np.arange(-6, 7)) % _ANGLES
        found.append((float(scores[best]), angle, error, flip, float(scores[opposite].max())))
    found.sort(reverse=True)
    score, angle, error, flip, opposite_score = found[0]
    note = f"from the spots of {len(seen)} patterns of known orientation, ± {error:.2g}°"
    doubt = []
    if found[1][0] > 0.9 * score:
        doubt.append(f"mirrored or not is in doubt ({found[1][0]:.2f} against {score:.2f})")
    if opposite_score > 0.95 * score:
        doubt.append(f"180° on fits nearly as well ({opposite_score:.2f} against {score:.2f})")
    turned, mirrored = _measured(angle, flip, note)
    return Rotation(turned, mirrored, error, score, found[1][0], opposite_score, "; ".join(doubt))


def _polar(points: _Points, rings: int) -> NDArray[np.complex128]:
    """Fourier transform along the angle of the spots drawn on (ring, angle), ring by ring."""
    from scipy.ndimage import gaussian_filter

    image = np.zeros((rings, _ANGLES))
    radius = np.hypot(*points.xy.T)
    angle = np.degrees(np.arctan2(points.xy[:, 1], points.xy[:, 0])) % 360
    ring = np.minimum((radius / _RING).astype(int), rings - 1)
    np.add.at(image, (ring, np.rint(angle * _ANGLES / 360).astype(int) % _ANGLES), points.weight)
    image = gaussian_filter(image, (0.7, 3.0), mode=("nearest", "wrap"))
    return np.asarray(np.fft.rfft(image, axis=1))


def _scores(seen: list[_Points], expected: list[_Points]) -> NDArray[np.float64]:
    """Correlation, 0 to 1, of all patterns for each turn of the seen spots by half a degree."""
    most = max(
        float(np.hypot(*points.xy.T).max()) for points in (*seen, *expected) if len(points.xy)
    )
    rings = int(most / _RING) + 2
    total = np.zeros(_ANGLES)
    for one, other in zip(seen, expected, strict=True):
        a, b = _polar(one, rings), _polar(other, rings)
        norms = math.sqrt(_power(a) * _power(b))
        if norms > 0:
            total += np.fft.irfft((b * a.conj()).sum(axis=0), _ANGLES) / norms
    return total / len(seen)


def _power(transform: NDArray[np.complex128]) -> float:
    """Sum of squares of the image behind a transform of real rows (Parseval)."""
    square = np.abs(transform) ** 2
    return float(2 * square.sum() - square[:, 0].sum() - square[:, -1].sum()) / _ANGLES


def _refined(seen: list[_Points], expected: list[_Points], angle: float) -> tuple[float, float]:
    """Least-squares angle of spots paired within tolerance, and its standard error, in degrees."""
    from scipy.spatial import cKDTree

    turn, error = math.radians(angle), math.radians(0.5)
    for tolerance in (0.04, 0.03, 0.02, 0.02):
        c, s = math.cos(turn), math.sin(turn)
        sine, cosine, rest, count = 0.0, 0.0, 0.0, 0
        for one, other in zip(seen, expected, strict=True):
            if not len(other.xy):
                continue
            turned = one.xy @ np.array([[c, s], [-s, c]])
            away, index = cKDTree(other.xy).query(turned)
            near = away < tolerance
            a, b = turned[near], other.xy[index[near]]
            sine += float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())
            cosine += float((a * b).sum())
            rest += float((away[near] ** 2).sum())
            count += int(near.sum())
        if count < 2 or cosine <= 0:
            break
        turn += math.atan2(sine, cosine)
        error = math.sqrt(rest / max(1, 2 * count - 1) / cosine)
    degrees = math.degrees(turn)
    return (degrees + 180) % 360 - 180, math.degrees(error)


def fit_rotation_com(
    com_y: ArrayLike, com_x: ArrayLike, step: tuple[float, float] = (1.0, 1.0)
) -> Rotation:
    """Find rotation and flip from the centre-of-mass field of a scan.

    The field is a gradient of the sample's potential: in the right frame it has no curl. Its sign
    is not known, so that +180 degrees stays open.

    Parameters
    ----------
    com_y, com_x
        (y, x): centre of mass of each pattern along ky and kx, in px; the signals "com_y" and
        "com_x" of a virtual detector.
    step
        (dy, dx) of the scan, in any unit: only their ratio matters.

    Raises
    ------
    ValueError
        If the shapes differ, the scan is smaller than 3 x 3, or the field is constant.

    Notes
    -----
    Savitzky et al., Microsc. Microanal. 27 (2021) 712 (py4DSTEM); there by trial of all angles,
    here the minimum in closed form.
    """
    y, x = np.asarray(com_y, np.float64), np.asarray(com_x, np.float64)
    if y.shape != x.shape or y.ndim != 2 or min(y.shape) < 3:
        raise ValueError(f"two images of at least 3 x 3 are needed, not {y.shape} and {x.shape}")
    found = []
    for flip in (False, True):
        curl, divergence = _derivatives(y, -x if flip else x, step)
        good = np.isfinite(curl) & np.isfinite(divergence)
        if good.sum() < 4:
            raise ValueError("the centre of mass is unknown nearly everywhere")
        curl, divergence = curl[good], divergence[good]
        cross = float(curl @ divergence)
        moments = np.array([[curl @ curl, cross], [cross, divergence @ divergence]])
        values, vectors = np.linalg.eigh(moments)
        if values[1] <= 1e-12 * max(1.0, float((y[np.isfinite(y)] ** 2).sum())):
            raise ValueError("the centre of mass does not change: there is nothing to turn")
        # turned by t the field has the curl cos(t) curl + sin(t) divergence
        angle = math.degrees(math.atan2(vectors[1, 0], vectors[0, 0]))
        score = 1 - float(max(values[0], 0) / values[1])
        noise = math.sqrt(max(values[0], 1e-30) / values[1] / good.sum())
        found.append((score, (angle + 90) % 180 - 90, math.degrees(noise), flip))
    found.sort(reverse=True)
    score, angle, error, flip = found[0]
    note = "least curl of the centre of mass; + 180° fits as well"
    if found[1][0] > 0.9 * score:
        note += "; mirrored or not is in doubt"
    turned, mirrored = _measured(angle, flip, note)
    return Rotation(turned, mirrored, error, score, found[1][0], None, note)


def _measured(angle: float, flip: bool, note: str) -> tuple[Quantity, Quantity]:
    return (
        Quantity(value=angle, unit="deg", source="measured", note=note),
        Quantity(value=float(flip), source="measured", note=note),
    )


def _derivatives(
    y: NDArray[np.float64], x: NDArray[np.float64], step: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Curl and divergence of a field on the scan, without its edge and its mean.

    Both are per ``step[1]``.
    """
    y, x = y - np.nanmean(y), x - np.nanmean(x)
    dyy, dyx = np.gradient(y, step[0] / step[1], 1.0)
    dxy, dxx = np.gradient(x, step[0] / step[1], 1.0)
    curl, divergence = np.asarray(dyx - dxy), np.asarray(dyy + dxx)
    return curl[1:-1, 1:-1].ravel(), divergence[1:-1, 1:-1].ravel()
