"""Which centre, pixel size and ellipse bring points of known |g| to their places?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration, Quantity


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
