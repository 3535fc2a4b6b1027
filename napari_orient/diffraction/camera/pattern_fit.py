"""Which centre, pixel size and ellipse bring points of known |g| to their places?

The unknowns are those of :class:`Camera`. Its ellipse is kept as the two components of a traceless
symmetric matrix, which are smooth where the pattern is round and the angle means nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.scan import Quantity

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration

FITTED = ("centre", "pixel_size", "ellipse")


class NoRingsFound(ValueError):
    """A pattern in which nothing fits the rings (or spots) of the phase; says what to do."""


@dataclass(frozen=True)
class PatternFit:
    """What rings or spots say about the camera.

    Attributes
    ----------
    centre, pixel_size, ellipse
        Measured quantities with notes in words; those that were not fitted are as given (the
        ellipse may be None).
    errors
        Standard errors: "centre" in px, "pixel_size" and "ellipse" (of the ratio) relative, "angle"
        of the long axis in degrees; only of what was fitted.
    rms
        Residual of the points from their rings, in px.
    radii
        (n,) mean radii of the rings found, 1/angstrom.
    names
        hkl of these rings, "111".
    points
        (m, 2) points (ky, kx) in px that were fitted, for an overlay.
    """

    centre: Quantity
    pixel_size: Quantity
    ellipse: Quantity | None
    errors: dict[str, float]
    rms: float
    radii: NDArray[np.float64]
    names: tuple[str, ...]
    points: NDArray[np.float64]

    def apply(self, calibration: Calibration) -> Calibration:
        """Return the calibration with these values."""
        return calibration.set(centre=self.centre, pixel_size=self.pixel_size, ellipse=self.ellipse)


@dataclass(frozen=True)
class Camera:
    """From pixels to 1/angstrom, in numbers.

    ``size`` is the geometric mean of the pixel sizes (ky, kx), ``aspect`` the root of their ratio,
    ``e1`` and ``e2`` are half the logarithm of the ellipse's ratio times cosine and sine of twice
    its angle.
    """

    ky: float
    kx: float
    size: float = 1.0
    e1: float = 0.0
    e2: float = 0.0
    aspect: float = 1.0

    @classmethod
    def of(cls, known: Calibration) -> Camera:
        """Take over what a calibration knows; without pixel size lengths are in pixels."""
        if known.centre is None:
            raise ValueError("not calibrated: the beam centre is unknown")
        py, px = known.pixel_size.pair if known.pixel_size else (1.0, 1.0)
        ratio, angle = known.ellipse.pair if known.ellipse else (1.0, 0.0)
        half, twice = 0.5 * math.log(ratio), 2 * math.radians(angle)
        e1, e2 = half * math.cos(twice), half * math.sin(twice)
        return cls(*known.centre.pair, math.sqrt(py * px), e1, e2, math.sqrt(py / px))

    @property
    def ratio(self) -> float:
        """Long over short axis of the patterns."""
        return math.exp(2 * math.hypot(self.e1, self.e2))

    @property
    def angle(self) -> float:
        """Direction of the long axis, degrees from kx towards ky, -90 to 90."""
        return math.degrees(math.atan2(self.e2, self.e1)) / 2

    def _stretch(self, sign: float) -> NDArray[np.float64]:
        half = math.hypot(self.e1, self.e2)
        slope = sign * math.sinh(half) / half if half > 0 else sign
        pull = np.array([[-self.e1, self.e2], [self.e2, self.e1]])
        matrix: NDArray[np.float64] = math.cosh(half) * np.eye(2) + slope * pull
        return matrix

    def vectors(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vectors (..., 2) of points (ky, kx) from the centre, in round pixels: g / size."""
        offset = (points - np.array([self.ky, self.kx])) * np.array([self.aspect, 1 / self.aspect])
        turned: NDArray[np.float64] = offset @ self._stretch(-1.0)
        return turned

    def pixels(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (ky, kx) of vectors in round pixels: the inverse of :meth:`vectors`."""
        offset = vectors @ self._stretch(1.0) * np.array([1 / self.aspect, self.aspect])
        points: NDArray[np.float64] = offset + np.array([self.ky, self.kx])
        return points


def fit_camera(
    points: NDArray[np.float64],
    g: NDArray[np.float64],
    start: Camera,
    fit: Collection[str] = FITTED,
    sigma: NDArray[np.float64] | float = 1.0,
    scatter: float = 1.0,
) -> tuple[Camera, NDArray[np.float64], NDArray[np.float64]]:
    """Fit the camera so that points lie on their rings; outliers count little.

    Parameters
    ----------
    points
        (n, 2) pixels (ky, kx).
    g
        (n,) length of their reciprocal vectors, 1/angstrom.
    start
        First guess.
    fit
        Of "centre", "pixel_size", "ellipse".
    sigma
        Relative uncertainty of each point.
    scatter
        Distance in px (of a point with sigma 1) beyond which a point counts less.

    Returns
    -------
    The camera, residuals (n,) in px, and the standard errors of (ky, kx, ln size, e1, e2), zero for
    what was not fitted.
    """
    from scipy.optimize import least_squares

    names = ("centre", "centre", "pixel_size", "ellipse", "ellipse")
    free = np.array([name in fit for name in names])
    first = np.array([start.ky, start.kx, math.log(start.size), start.e1, start.e2])

    def camera(values: NDArray[np.float64]) -> Camera:
        every = first.copy()
        every[free] = values
        return Camera(every[0], every[1], math.exp(every[2]), every[3], every[4], start.aspect)

    def misfit(values: NDArray[np.float64]) -> NDArray[np.float64]:
        now = camera(values)
        away: NDArray[np.float64] = np.hypot(*now.vectors(points).T) - g / now.size
        return away

    scale = np.array([1.0, 1.0, 0.01, 0.01, 0.01])[free]
    found = least_squares(
        lambda v: misfit(v) / sigma, first[free], x_scale=scale, loss="soft_l1", f_scale=scatter
    )
    errors = np.zeros(5)
    errors[free] = robust_errors(found, len(points))
    return camera(found.x), misfit(found.x), errors


def robust_errors(found: object, points: int) -> NDArray[np.float64]:
    """Return standard errors from the (robustly weighted) Jacobian and the residuals' scatter."""
    jacobian: NDArray[np.float64] = found.jac  # type: ignore[attr-defined]
    residuals: NDArray[np.float64] = found.fun  # type: ignore[attr-defined]
    spread = 1.4826 * float(np.median(np.abs(residuals)))
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    more = points / max(1, points - jacobian.shape[1])
    errors: NDArray[np.float64] = np.sqrt(np.diag(covariance) * more) * spread
    return errors


def as_fit(
    camera: Camera,
    errors: NDArray[np.float64],
    fit: Collection[str],
    start: Calibration,
    *,
    note: str,
    rms: float,
    rings: list[tuple[float, str]],
    points: NDArray[np.float64],
) -> PatternFit:
    """Word a fitted camera as measured quantities; what was not fitted stays as in ``start``."""
    centre, size, ellipse = start.centre, start.pixel_size, start.ellipse
    said = {
        "centre": float(np.hypot(errors[0], errors[1])) / math.sqrt(2),
        "pixel_size": float(errors[2]),
        "ellipse": 2 * float(np.hypot(errors[3], errors[4])) / math.sqrt(2),
    }
    said = {name: error for name, error in said.items() if name in fit}

    def measured(value: float | tuple[float, float], unit: str, error: str) -> Quantity:
        return Quantity(value=value, unit=unit, source="measured", note=f"{note}; {error}")

    if "centre" in fit or centre is None:
        error = f"± {said.get('centre', 0):.2g} px"
        centre = measured((camera.ky, camera.kx), "px", error)
    if "pixel_size" in fit or size is None:
        value = (camera.size * camera.aspect, camera.size / camera.aspect)
        size = measured(value, "1/angstrom", f"± {100 * said.get('pixel_size', 0):.2g} %")
    if "ellipse" in fit:
        excess = max(camera.ratio - 1, 1e-9)
        said["angle"] = min(90.0, math.degrees(said["ellipse"] / excess / 2))
        error = f"ratio ± {100 * said['ellipse']:.2g} %, angle ± {said['angle']:.2g}°"
        ellipse = measured((camera.ratio, camera.angle), "ratio, deg", error)
    radii = np.array([g for g, _ in rings])
    names = tuple(name for _, name in rings)
    return PatternFit(centre, size, ellipse, said, rms, radii, names, points)
