"""How does a text file of ours say what its Euler angles refer to? One line of its header.

``napari-orient: Euler axes [y up]; crystal x || a*``, with a name of :data:`FRAMES` or the four
numbers of a quaternion. Other programs skip the line; :mod:`ang_ctf` reads it, so that a map of
ours opens again as it was, without a question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.vendors.reframe import frame_name
from napari_orient.data.vendors.tables import CRYSTAL_AXES, FRAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.maps import CrystalAxes, OrientationMap

OWN_HEADER = "napari-orient"  # in a text header: written by us, in the map frame if no line follows
_LINE = re.compile(OWN_HEADER + r":? Euler axes \[([^\]]+)\]; crystal x \|\| (a\*|a)(?![*\w])")
Quaternion = tuple[float, float, float, float]


@dataclass(frozen=True)
class FileAxes:
    """The axes that a file's Euler angles refer to.

    Attributes
    ----------
    frame
        Unit quaternion from the file's Euler axes to the map frame.
    name
        Its name in :data:`FRAMES`, or "" if it has none.
    crystal_axes
        The crystal x axis on hexagonal lattices.
    """

    frame: Quaternion
    name: str
    crystal_axes: CrystalAxes

    @property
    def words(self) -> str:
        """What is said to the user: "Euler axes: x right, y up, z out of the page; ..."."""
        turned = "Euler axes: turned from the map's by " + _numbers(self.frame)
        said = FRAMES[self.name][1] if self.name else turned
        return f"{said}; crystal {CRYSTAL_AXES[self.crystal_axes]}"

    @property
    def line(self) -> str:
        """The line of the header."""
        name = self.name or _numbers(self.frame)
        return f"{OWN_HEADER}: Euler axes [{name}]; crystal x || {self.crystal_axes}"


def choose_axes(
    orientations: OrientationMap, frame: str | Sequence[float], crystal_axes: str
) -> FileAxes:
    """Return the axes in which a map is to be written.

    Parameters
    ----------
    orientations
        The map.
    frame
        "map": x right, y down, z into the page. "vendor": as in the file that the map came from.
        Or a name of :data:`FRAMES`, or a unit quaternion from the file's Euler axes to the map's.
    crystal_axes
        "a" or "a*"; "default": the vendor's for "vendor", else "a".

    Raises
    ------
    ValueError
        For an unknown choice.
    """
    if crystal_axes not in ("default", *CRYSTAL_AXES):
        raise ValueError(f"crystal axes {crystal_axes!r}: choose one of {list(CRYSTAL_AXES)}")
    quaternion: Quaternion
    name = "as is" if isinstance(frame, str) and frame == "map" else frame
    own: CrystalAxes = "a"
    if isinstance(name, str) and name == "vendor":
        quaternion, own = orientations.frame, orientations.crystal_axes
        name = frame_name(orientations) or ""
    elif isinstance(name, str):
        if name not in FRAMES:
            raise ValueError(f"frame {frame!r}: choose one of {['map', 'vendor', *FRAMES]}")
        quaternion = FRAMES[name][0]
    else:
        if np.shape(name) != (4,) or not 0 < np.linalg.norm(name) < np.inf:
            raise ValueError(f"frame {frame!r}: a quaternion of four numbers expected")
        a, b, c, d = (float(v) for v in np.asarray(name, float) / np.linalg.norm(name))
        quaternion, name = (a, b, c, d), ""
    chosen = own if crystal_axes == "default" else crystal_axes
    return FileAxes(quaternion, name, "a*" if chosen == "a*" else "a")


def read_axes(text: str) -> FileAxes | None:
    """Find the axes in a header of ours; None if it is not ours, the map frame if no line says so.

    A line that cannot be understood counts as not there: the file is somebody else's.
    """
    if OWN_HEADER not in text:
        return None
    found = _LINE.search(text)
    if not found:
        return FileAxes(FRAMES["as is"][0], "as is", "a")
    crystal_axes: CrystalAxes = "a*" if found[2] == "a*" else "a"
    if found[1] in FRAMES:
        return FileAxes(FRAMES[found[1]][0], found[1], crystal_axes)
    try:
        a, b, c, d = (float(number) for number in found[1].split())
    except ValueError:
        return None
    return FileAxes((a, b, c, d), "", crystal_axes)


def _numbers(quaternion: Quaternion) -> str:
    return " ".join(f"{value:.9f}" for value in quaternion)
