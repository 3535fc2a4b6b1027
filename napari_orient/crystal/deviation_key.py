"""How far, and about which axis, has a crystal turned? Colours of small rotations.

The deviation of an orientation from a reference is the smallest rotation, over the proper point
group, that turns the reference crystal into this one; as a rotation vector (axis times angle,
right-handed) in the *map* frame: x right, y down, z into the page. Its colour:

* the reference itself is grey;
* the part in the map plane gives the hue by its direction (towards x red, then through yellow
  towards y, cyan opposite to x) and the saturation by its length, full at the end of the range;
* the part along z gives the grey that is mixed in: lighter for a turn about z, into the page
  (clockwise as seen), darker for one against it;
* beyond the range all is black.

The map is continuous and one-to-one inside the range. Misorientation vectors with colours of this
kind are recommended for grains with small gradients by Thomsen, Schmidt, Bewick, Larsen & Goulden,
J. Appl. Cryst. 50 (2017) 1164; the ball of colours here is our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.continuous_key import hue_colors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIDDLE, SPAN = 0.6, 0.4  # grey of the reference; how much lighter or darker a turn about z is
BEYOND = (0.0, 0.0, 0.0)
_ROWS = 2**14  # orientations worked on at once


def deviation_vectors(
    quaternions: ArrayLike, reference: ArrayLike, point_group: Any
) -> NDArray[np.float64]:
    """Return the rotation vectors from a reference to orientations.

    Parameters
    ----------
    quaternions
        (..., 4) unit quaternions, ``lab2crystal``, in the map frame.
    reference
        (4,) unit quaternion of the same kind.
    point_group
        Name or orix Symmetry: its proper Laue rotations say which orientations are equivalent.

    Returns
    -------
    vectors
        (..., 3) axis times angle in degrees, in the map frame, of the active rotation that turns
        the reference crystal into this one.
    """
    from orix.quaternion import Quaternion

    from napari_orient.crystal.rotations import laue_operators

    q = np.asarray(quaternions, np.float64)
    flat = q.reshape(-1, 4)
    twins = (Quaternion(laue_operators(point_group)) * Quaternion(np.asarray(reference))).data
    vectors = np.empty((len(flat), 3))
    for i in range(0, len(flat), _ROWS):
        some = flat[i : i + _ROWS]
        near = twins[np.abs(some @ twins.T).argmax(axis=1)]
        # q = r R^-1: the crystal's axes are those of the reference after R
        turn = (Quaternion(some).conj * Quaternion(near)).data
        turn = np.where(turn[:, :1] < 0, -turn, turn)
        sine = np.linalg.norm(turn[:, 1:], axis=1, keepdims=True)
        angle = 2 * np.arctan2(sine, turn[:, :1])
        vectors[i : i + _ROWS] = np.degrees(angle) * turn[:, 1:] / np.maximum(sine, 1e-300)
    return vectors.reshape(*q.shape[:-1], 3)


def deviation_colors(vectors: ArrayLike, range_deg: float) -> NDArray[np.float64]:
    """RGB (..., 3), 0 to 1, of rotation vectors (..., 3) in degrees; black beyond the range."""
    v = np.asarray(vectors, np.float64) / range_deg
    across = np.hypot(v[..., 0], v[..., 1])[..., None]
    grey = MIDDLE + SPAN * v[..., 2:]
    hue = hue_colors(np.arctan2(v[..., 1], v[..., 0]) / (2 * np.pi))
    inside = np.linalg.norm(v, axis=-1, keepdims=True) <= 1 + 1e-9
    return np.asarray(np.where(inside, np.clip((1 - across) * grey + across * hue, 0, 1), BEYOND))
