"""How is one orientation smeared out? By the kernel of de la Vallée Poussin, of a stated halfwidth.

K(ω) = C cos(ω/2)^(2k) depends on the angle ω of a misorientation alone; its mean over all rotations
is 1 (Schaeben, phys. stat. sol. (b) 200 (1997) 367). The halfwidth is the angle at half its height,
as in MTEX.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, lgamma, log, radians
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NARROWEST, WIDEST = 3.0, 60.0  # degrees: narrower ones need more terms than a computer likes
LARGEST_DEGREE = 72
NEGLIGIBLE, _TOLD = 1e-5, 1e-4


@dataclass(frozen=True)
class Kernel:
    """The kernel of one halfwidth.

    Parameters
    ----------
    halfwidth
        Degrees, 3 to 60.

    Raises
    ------
    ValueError
        For another halfwidth.
    """

    halfwidth: float = 10.0

    def __post_init__(self) -> None:
        if not NARROWEST <= self.halfwidth <= WIDEST:
            said = f"from {NARROWEST:g} to {WIDEST:g} degrees are possible"
            raise ValueError(f"halfwidth {self.halfwidth:g}: {said}")

    @property
    def power(self) -> float:
        """The k of cos(ω/2)^(2k): half the height at the halfwidth."""
        return log(0.5) / (2 * log(cos(radians(self.halfwidth) / 2)))

    @property
    def height(self) -> float:
        """K(0), in multiples of a random distribution."""
        k = self.power
        return float((k + 1) * np.exp(2 * k * log(2) + 2 * lgamma(k + 1) - lgamma(2 * k + 1)))

    def __call__(self, degrees: ArrayLike) -> NDArray[np.float64]:
        """Return K (...) at angles (...) in degrees, 0 to 180."""
        half = np.radians(np.asarray(degrees, np.float64)) / 2
        return np.asarray(self.height * np.cos(half) ** (2 * self.power))

    def coefficients(self, degree: int) -> NDArray[np.float64]:
        """Return a_0 ... a_degree of K(ω) = Σ (2l + 1) a_l sin((2l + 1) ω/2) / sin(ω/2).

        The integrals of cos(t)^(2k) cos(2lt) over a quarter turn (Gradshteyn and Ryzhik, 3.631.9)
        give a_l = a_(l-1) (k - l + 1) / (k + l + 1).
        """
        order = np.arange(1, degree + 1)
        ratios = (self.power - order + 1) / (self.power + order + 1)
        return np.concatenate([[1.0], np.cumprod(ratios)])

    @property
    def degree(self) -> int:
        """The band L: terms above it are negligible, unless it is the largest possible."""
        small = np.flatnonzero(np.abs(self.coefficients(LARGEST_DEGREE)) < NEGLIGIBLE)
        return int(small[0]) if len(small) else LARGEST_DEGREE

    @property
    def note(self) -> str:
        """What a reader has to know of the band, or nothing."""
        last = abs(float(self.coefficients(self.degree)[-1]))
        if last < _TOLD:
            return ""
        return (
            f"the series is cut at degree {self.degree}, where its terms are still "
            f"{100 * last:.1g} % of the first: densities ripple about as much"
        )
