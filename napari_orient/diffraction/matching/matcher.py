"""What does it take to index the patterns of a scan? Libraries built once, then any number of them.

A pattern goes through four steps: it is prepared, searched for in the libraries of all phases,
refined below their spacing, and judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.diffraction.matching.match import Match
    from napari_orient.jobs import Job


@dataclass(frozen=True, eq=False)
class Matcher:
    """Finds orientations; from :func:`build_matcher`.

    Attributes
    ----------
    asked, config
        The settings as they were given, and with all that they left open filled in.
    calibration
        Of the patterns, with the voltage and the pixel size of the settings.
    pattern_shape
        (ky, kx).
    phases
        Of the libraries, in the order of the settings.
    exploratory
        Why the calibration is not to be trusted; "" if it is.
    remarks
        What was measured or assumed, in words.
    """

    asked: IndexConfig
    config: IndexConfig
    calibration: Calibration
    pattern_shape: tuple[int, int]
    phases: tuple[Phase, ...]
    exploratory: str
    remarks: tuple[str, ...]

    def match(self, patterns: NDArray[Any], positions: ArrayLike | None = None) -> Match:
        """Find orientations of patterns (n, ky, kx) at scan positions (n, 2), (y, x) in steps.

        Without positions the beam is taken to be on the calibration's centre.
        """
        raise NotImplementedError


def build_matcher(
    calibration: Calibration,
    pattern_shape: tuple[int, int],
    config: IndexConfig,
    *,
    sample: NDArray[Any] | None = None,
) -> Job[Matcher]:
    """Simulate the libraries of all phases."""
    raise NotImplementedError
