"""How are the patterns turned against the scan? From known orientations, or deflections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Calibration, Quantity
    from napari_orient.jobs import Job


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
    yield from ()
    raise NotImplementedError


def fit_rotation_com(com_y: ArrayLike, com_x: ArrayLike) -> Rotation:
    """Find rotation and flip from the centre-of-mass field of a scan.

    The field is a gradient of the sample's potential: in the right frame it has no curl. Its sign
    is not known, so that +180 degrees stays open.

    Parameters
    ----------
    com_y, com_x
        (y, x): centre of mass of each pattern along ky and kx, in px; the signals "com_y" and
        "com_x" of a virtual detector.

    Raises
    ------
    ValueError
        If the shapes differ, the scan is smaller than 3 x 3, or the field is constant.

    Notes
    -----
    Savitzky et al., Microsc. Microanal. 27 (2021) 712 (py4DSTEM); there by trial of all angles,
    here the minimum in closed form.
    """
    raise NotImplementedError
