"""How does the direct beam drift over a scan? Tracked pattern by pattern, fitted by a surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
    from napari_orient.jobs import Job


@dataclass(frozen=True)
class Tracked:
    """The beam centres of a scan and the surface through them.

    Attributes
    ----------
    centres
        (y, x, 2): (ky, kx) in px at each position, NaN where it was not looked for or not found.
    used
        (y, x): True where the fit believes the centre; outliers are False.
    centre
        Centre in the middle of the scan, "measured".
    descan
        The drift about it, with its residual ``rms``.
    """

    centres: NDArray[np.float64]
    used: NDArray[np.bool_]
    centre: Quantity
    descan: Descan

    def apply(self, calibration: Calibration) -> Calibration:
        """Return the calibration with this centre and descan."""
        return calibration.set(centre=self.centre, descan=self.descan)


def track_centre(
    scan: Scan,
    *,
    method: Literal["disk", "friedel"] = "disk",
    stride: int = 1,
    order: Literal[1, 2] = 1,
) -> Job[Tracked]:
    """Track the direct beam over the scan and fit its drift; a job.

    Parameters
    ----------
    scan
        Read block by block, in any layout.
    method
        As in :func:`find_centre`; "friedel" is for a blocked beam, and slow.
    stride
        Look at every ``stride``-th row and column.
    order
        Of the fitted surface: 1 a plane, 2 with curvature.

    Yields
    ------
    Progress, Partial
        ``Partial("centres", centres, done)``, as in :class:`Tracked`.

    Raises
    ------
    ValueError
        If fewer centres are found than the surface needs.
    """
    yield from ()
    raise NotImplementedError
