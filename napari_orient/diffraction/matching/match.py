"""What does matching find for a pattern? Orientation, phase, how sure, and the alternatives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

BEAM, CRYSTAL = 1, 2  # bits of Match.ambiguous


@dataclass(frozen=True, eq=False)
class Match:
    """Solutions of n patterns, k candidates each, the best first.

    Of two crystals that share a pattern the larger one is the best, whatever its score.

    Attributes
    ----------
    quaternions
        (n, k, 4) float64, scalar first, lab2crystal in the frame of the scan.
    score
        (n, k) normalised correlation, -1 to 1; -inf where there are fewer candidates.
    phase_id
        (n, k) int32, index into the phases of the config; -1 where there are fewer candidates.
    q
        (n,) 100 x the normalised correlation of the best.
    r
        (n,) 100 (1 - Q2 / Q1), Q2 of the best candidate farther off than ``apart_deg`` after
        symmetry, or of another phase.
    beam_margin
        (n,) percent of Q1 by which the same crystal turned by 180 degrees about the beam is worse.
    crystal_margin
        (n,) the same for the best of the crystal's pseudo-symmetries; 100 where it has none.
    ambiguous
        (n,) uint8, bits :data:`BEAM` and :data:`CRYSTAL`: the margin is within the noise.
    share
        (n,) percent of the crystal's part in the pattern, 50 to 100: lower where a second crystal
        of the same phase was found in it.
    indexed
        (n,) bool: False for vacuum, amorphous and foreign material.
    extra
        Further properties of the map (n,), by name; all matches of a matcher have the same.
    """

    quaternions: NDArray[np.float64]
    score: NDArray[np.float32]
    phase_id: NDArray[np.int32]
    q: NDArray[np.float32]
    r: NDArray[np.float32]
    beam_margin: NDArray[np.float32]
    crystal_margin: NDArray[np.float32]
    ambiguous: NDArray[np.uint8]
    share: NDArray[np.float32]
    indexed: NDArray[np.bool_]
    extra: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
