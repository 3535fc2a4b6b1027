"""How good are a network's answers? Angles to the truth, and the paper's scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.rotations import laue_operators, misorientation_angle
from napari_orient.learning.heads import euler_ranges, reduced_euler

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.learning.heads import Prediction

WITHIN_DEG = 5.0


@dataclass(frozen=True)
class Accuracy:
    """Scores of the most probable answers over n patterns; angles in degrees.

    Attributes
    ----------
    n
        Patterns.
    median_deg, within_5deg
        Misorientation, and the share of patterns below 5 degrees.
    median_deg_modulo_beam, within_5deg_modulo_beam
        The same where half a turn about the beam is no error.
    any_within_5deg
        Share of patterns with one good answer at least.
    r2, mse, mae
        Of the three Bunge angles in the ranges of the Laue class, pooled with one mean (Appendix B
        of "STEM diffraction pattern analysis with deep learning").
    """

    n: int
    median_deg: float
    within_5deg: float
    median_deg_modulo_beam: float
    within_5deg_modulo_beam: float
    any_within_5deg: float
    r2: float
    mse: float
    mae: float

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers by name."""
        return asdict(self)


def accuracy(truth: NDArray[np.float64], found: Prediction, phase: Phase) -> Accuracy:
    """Compare answers with the truth (n, 4).

    Raises
    ------
    ValueError
        If there is no pattern.
    """
    if not len(truth):
        raise ValueError("no pattern to score")
    group, first = phase.point_group, found.quaternions[:, 0]
    strict = misorientation_angle(first, truth, group)
    beam = misorientation_angle(first, truth, group, modulo_beam=True)
    every = [
        misorientation_angle(found.quaternions[:, k], truth, group)
        for k in range(found.quaternions.shape[1])
    ]
    operators, ranges = laue_operators(group), euler_ranges(phase)
    angles = reduced_euler(truth, operators, ranges)
    # angles that were said stand as they are: brought into the ranges, -1 degree would become 359
    said = reduced_euler(first, operators, ranges) if found.angles is None else found.angles
    error = angles - said
    spread = float(((angles - angles.mean()) ** 2).sum())
    squares = float((error**2).sum())
    return Accuracy(
        len(truth),
        float(np.median(strict)),
        float((strict < WITHIN_DEG).mean()),
        float(np.median(beam)),
        float((beam < WITHIN_DEG).mean()),
        float((np.min(every, axis=0) < WITHIN_DEG).mean()),
        1 - squares / spread if spread > 0 else float("nan"),
        squares / error.size,
        float(np.abs(error).mean()),
    )
