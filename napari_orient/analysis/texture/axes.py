"""Which directions of the sample do texture figures refer to? Axes of the map, or RD, TD and ND."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Vector = tuple[float, float, float]
_NAMED: dict[str, Vector] = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True)
class SampleAxes:
    """Rolling, transverse and normal direction of the sample, by axes of the map.

    The map frame: x right, y down, z into the page. The transverse direction is ND x RD.

    Parameters
    ----------
    rd, nd
        "X", "-X", "Y" ... or three components in the map frame; perpendicular to each other.
    names
        What figures call them: ("X", "Y", "Z") or ("RD", "TD", "ND"), for instance.

    Raises
    ------
    ValueError
        If an axis is not known, or they are not perpendicular.
    """

    rd: str | Vector = "X"
    nd: str | Vector = "Z"
    names: tuple[str, str, str] = ("X", "Y", "Z")

    def __post_init__(self) -> None:
        rd, nd = axis_vector(self.rd), axis_vector(self.nd)
        if abs(rd @ nd) > 1e-6:
            raise ValueError(f"RD {self.rd} and ND {self.nd} are not perpendicular")

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 3): rows are RD, TD and ND in the map frame; takes map components to theirs."""
        rd, nd = axis_vector(self.rd), axis_vector(self.nd)
        return np.stack([rd, np.cross(nd, rd), nd])

    @property
    def quaternion(self) -> NDArray[np.float64]:
        """(4,): components in the map frame -> components along RD, TD and ND."""
        from napari_orient.crystal.rotations import from_matrix

        return from_matrix(self.matrix)

    def vector(self, name: str) -> NDArray[np.float64]:
        """Return the unit vector (3,), map frame, of "RD", "TD", "ND", a name, or "X", "-Y" ..."""
        for known in (("RD", "TD", "ND"), self.names):
            if name in known:
                return np.asarray(self.matrix[known.index(name)])
        return axis_vector(name)

    def diads(self) -> NDArray[np.float64]:
        """(4, 4) quaternions of orthotropic symmetry: identity, half turns about the axes."""
        identity = np.eye(1, 4)
        return np.concatenate([identity, np.insert(self.matrix, 0, 0.0, axis=1)])

    @property
    def plain(self) -> bool:
        """Whether they are the axes of the map itself."""
        return bool(np.allclose(self.matrix, np.eye(3)))


def axis_vector(axis: str | Vector) -> NDArray[np.float64]:
    """Return the unit vector (3,), map frame, of "X", "-X" ... or of three components.

    Raises
    ------
    ValueError
        For another name, or no direction.
    """
    if isinstance(axis, str):
        sign, name = (-1.0, axis[1:]) if axis[:1] in "-−" and axis else (1.0, axis)
        if name.upper() not in _NAMED:
            raise ValueError(f"sample direction {axis!r}: use X, Y, Z, -X, ... or three numbers")
        return sign * np.array(_NAMED[name.upper()])
    vector = np.asarray(axis, np.float64)
    length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
    if not np.isfinite(length) or length == 0:
        raise ValueError(f"sample direction {axis!r}: three numbers, not all zero, are needed")
    return vector / length
