"""How is each grain oriented, and how much does it spread?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap


def mean_orientations(
    orientations: OrientationMap,
    labels: NDArray[np.int32],
    phase_of: NDArray[np.int32],
    *,
    modulo_beam: bool = False,
) -> NDArray[np.float64]:
    """Mean orientation (n, 4) of grains 1 to n, in the fundamental zone.

    Parameters
    ----------
    labels
        The grain of each point that counts; 0 = none.
    phase_of
        (n,) number of the phase of each grain.
    modulo_beam
        Points that differ by half a turn about the beam are brought together; the mean is on the
        side of most of them.
    """
    from napari_orient.crystal.rotations import beam_operator, mean_orientation, multiply

    count = len(phase_of)
    means = np.full((count, 4), np.nan)
    for number, phase in orientations.phases.items():
        own = np.flatnonzero(phase_of == number)
        if not len(own):
            continue
        there = (labels > 0) & (np.append(-1, phase_of)[labels] == number)
        grain = np.searchsorted(own, labels[there] - 1)
        q = orientations.quaternions[there]
        if modulo_beam:
            q, turned = _on_one_side(q, grain, phase.point_group)
        found = mean_orientation(q, phase.point_group, labels=grain)
        if modulo_beam:
            most = np.bincount(grain, turned) > np.bincount(grain) / 2
            found = np.where(most[:, None], multiply(found, beam_operator()), found)
        means[own] = found
    return means


def _on_one_side(
    q: NDArray[np.float64], grain: NDArray[np.int64], group: object
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Turn points by 180 degrees about the beam where that brings them next to their grain's first.

    Returns them, and which were turned.
    """
    from napari_orient.crystal.rotations import beam_operator, misorientation_angle, multiply

    first = np.unique(grain, return_index=True)[1]
    lead = q[first][grain]
    flipped = multiply(q, beam_operator())
    turned = misorientation_angle(flipped, lead, group) < misorientation_angle(q, lead, group)
    return np.where(turned[:, None], flipped, q), turned


def angles_to_means(
    orientations: OrientationMap,
    labels: NDArray[np.int32],
    means: NDArray[np.float64],
    phase_of: NDArray[np.int32],
    *,
    modulo_beam: bool = False,
) -> NDArray[np.float64]:
    """Angle of each point to the mean of its grain, in degrees.

    The grain reference orientation deviation (GROD). NaN where there is no grain, and at points of
    another phase than their grain's.
    """
    from napari_orient.crystal.rotations import misorientation_angle

    angles = np.full(labels.shape, np.nan)
    for number, phase in orientations.phases.items():
        there = orientations.indexed & (orientations.phase_id == number)
        there &= np.append(-1, phase_of)[labels] == number
        if there.any():
            angles[there] = misorientation_angle(
                orientations.quaternions[there],
                means[labels[there] - 1],
                phase.point_group,
                modulo_beam=modulo_beam,
            )
    return angles
