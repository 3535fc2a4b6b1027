"""Which colour does the TSL key give to a crystal direction? The key most maps are shown with.

The TSL colour key of the eleven Laue groups, as orix and MTEX define it (Nolze & Hielscher,
J. Appl. Cryst. 49 (2016) 1786, section 2.4): a crystal direction is moved into the fundamental
sector by symmetry; the azimuth about the sector's barycentre gives the hue (red, green and blue at
the three corners), the distance to it the lightness (white in the middle, pure on the rim). Where a
wall of the sector is no mirror plane the key jumps: equivalent directions on it may differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_AZIMUTHS = 1000  # nodes of the azimuth table, as in MTEX
_ON_WALL = 1e-7  # a direction this near to a wall of the sector (sine of the angle) is inside
JUMP_NOTE = "this key jumps: equivalent directions\non its rim may differ in colour"


@dataclass(frozen=True, eq=False)
class ColorKey:
    """The TSL colour key of one Laue group, ready to be evaluated.

    Attributes
    ----------
    name
        The Laue group: "m-3m".
    operations
        Its (n, 3, 3) matrices.
    normals
        (m, 3) inward normals of the fundamental sector's walls, crystal axes e1 || a, e3 || c*.
    vertices
        (k, 3) corners of the sector.
    axes
        (3, 3): barycentre, and the directions of azimuth 0 and 90 degrees about it.
    hues
        (1000,) hue, 0 to 1, at evenly spaced azimuths: unequal corners are given equal thirds.
    turn
        (3, 3) matrix from crystal axes to those of the group's standard setting, in which all of
        the above is given: not the identity for "121", "211" and "312" alone.
    """

    name: str
    operations: NDArray[np.float64]
    normals: NDArray[np.float64]
    vertices: NDArray[np.float64]
    axes: NDArray[np.float64]
    hues: NDArray[np.float64]
    turn: NDArray[np.float64]

    def colors(self, directions: ArrayLike, *, reduce: bool = True) -> NDArray[np.float64]:
        """RGB, 0 to 1, of crystal directions (..., 3) given in crystal Cartesian axes.

        ``reduce=False`` leaves out the move into the sector: for directions that are in it, given
        in the axes of the standard setting.
        """
        vectors = np.asarray(directions, np.float64)
        operations = self.operations @ self.turn if reduce else np.eye(3)[None]
        flat = np.ascontiguousarray(vectors.reshape(-1, 3))
        colors = _kernel()(flat, operations, self.normals, self.axes, self.hues)
        return np.asarray(colors).reshape(vectors.shape)

    def contains(
        self, directions: NDArray[np.float64], tolerance: float = _ON_WALL
    ) -> NDArray[np.bool_]:
        """Say which unit vectors (..., 3), in the standard setting, lie in the sector."""
        return np.asarray(np.all(directions @ self.normals.T >= -tolerance, axis=-1))


def color_key(point_group: Any) -> ColorKey:
    """Return the colour key of a point group: its name or an ``orix`` Symmetry.

    Raises
    ------
    ValueError
        For a name orix does not know, or no point group at all.
    """
    if isinstance(point_group, str):
        from orix.crystal_map import Phase

        point_group = Phase(point_group=point_group).point_group
    if point_group is None:
        raise ValueError("the phase has no point group: give it one, colours follow from it")
    key = _color_key(point_group.laue.name)
    turn = _turn(point_group.laue)
    return key if turn is None else replace(key, turn=turn)


def _turn(laue: Any) -> NDArray[np.float64] | None:
    """Matrix to the standard setting, or None: orix names a Laue group without its alignment.

    Standard are the diad of 2/m along e3 and the diads of -3m along e1.
    """
    diads = laue.axis.data[np.isclose(np.abs(laue.angle), np.pi) & (laue.improper == 0)]
    if laue.name == "2/m" and abs(diads[0, 2]) < 0.5:
        # a mirror image: the sector x, y, z of the standard setting stays in the upper half
        return np.eye(3)[[0, 2, 1]] if abs(diads[0, 1]) > 0.5 else np.eye(3)[[1, 2, 0]]
    if laue.name == "-3m" and not np.isclose(np.abs(diads[:, 0]), 1, atol=1e-6).any():
        half, root = 0.5, np.sqrt(0.75)
        return np.array([[root, half, 0.0], [-half, root, 0.0], [0.0, 0.0, 1.0]])
    return None


@cache
def _color_key(name: str) -> ColorKey:
    from orix.crystal_map import Phase
    from orix.quaternion import Rotation

    laue = Phase(point_group=name).point_group
    operations = Rotation(laue.data).to_matrix()
    operations[laue.improper.astype(bool)] *= -1
    sector = laue.fundamental_sector
    normals = np.ascontiguousarray(sector.unit.data.reshape(-1, 3))
    vertices = sector.vertices.data.reshape(-1, 3)
    center = sector.center.unit.data.reshape(3)
    start = np.array([0.0, 0.0, 1.0]) if len(vertices) else np.array([1.0, 0.0, 0.0])
    start = start - (start @ center) * center
    start /= np.linalg.norm(start)
    axes = np.stack([center, start, np.cross(center, start)])
    hues = _hues(normals, vertices, axes)
    return ColorKey(name, operations, normals, vertices, axes, hues, np.eye(3))


def _hues(
    normals: NDArray[np.float64], vertices: NDArray[np.float64], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Table from azimuth to hue: it advances with the distance to the rim, corner to corner."""
    center, start, side = axes
    azimuth = np.linspace(0, 2 * np.pi, _AZIMUTHS)[:-1]
    outward = np.cos(azimuth)[:, None] * start + np.sin(azimuth)[:, None] * side
    reach = np.arctan2((normals @ center)[:, None], -normals @ outward.T).min(axis=0)
    if len(vertices) == 3:
        corners = np.mod(np.arctan2(vertices @ side, vertices @ start), 2 * np.pi)
        cuts = np.round(_AZIMUTHS * np.sort(corners) / (2 * np.pi)).astype(int)
        cuts = cuts[cuts >= 10][:2]  # the corner at azimuth 0 begins the first third
        for part in np.split(np.arange(len(reach)), cuts):
            reach[part] /= reach[part].sum()
    return np.asarray(np.concatenate([[0.0], np.cumsum(reach)]) / reach.sum())


@cache
def _kernel() -> Any:
    import numba

    return numba.njit(cache=True, nogil=True)(_color_directions)


def _color_directions(
    directions: NDArray[np.float64],
    operations: NDArray[np.float64],
    normals: NDArray[np.float64],
    axes: NDArray[np.float64],
    hues: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Colour each direction; one compiled loop, since 48 operations on a map are much memory."""
    colors = np.empty(directions.shape)
    center, start, side = axes[0], axes[1], axes[2]
    for i in range(len(directions)):
        x, y, z = directions[i]
        norm = np.sqrt(x * x + y * y + z * z)
        if not norm > 0:
            colors[i] = np.nan
            continue
        x, y, z = x / norm, y / norm, z / norm
        best, vx, vy, vz = -np.inf, x, y, z
        for k in range(len(operations)):
            s = operations[k]
            a = s[0, 0] * x + s[0, 1] * y + s[0, 2] * z
            b = s[1, 0] * x + s[1, 1] * y + s[1, 2] * z
            c = s[2, 0] * x + s[2, 1] * y + s[2, 2] * z
            depth = np.inf
            for n in normals:
                depth = min(depth, n[0] * a + n[1] * b + n[2] * c)
            # several equivalents can lie on the rim: a fixed rule picks one, whatever came in
            rank = min(depth, -1e-7) * 1e6 + 0.61 * a + 0.53 * b + 0.59 * c
            if rank > best + 1e-9:
                best, vx, vy, vz = rank, a, b, c
        u = start[0] * vx + start[1] * vy + start[2] * vz
        w = side[0] * vx + side[1] * vy + side[2] * vz
        along = center[0] * vx + center[1] * vy + center[2] * vz
        off = np.sqrt(u * u + w * w)
        white = 1.0
        if off > 1e-12:
            angle = np.arctan2(off, along)
            for n in normals:
                rise = n[0] * center[0] + n[1] * center[1] + n[2] * center[2]
                slope = 0.0
                for j in range(3):
                    slope += n[j] * (start[j] * u + side[j] * w) / off
                white = min(white, 1 - angle / np.arctan2(rise, -slope))
        white = max(white, 0.0)
        place = np.arctan2(w, u) / (2 * np.pi) % 1.0 * (len(hues) - 1)
        low = min(int(place), len(hues) - 2)
        hue = 6 * (hues[low] + (place - low) * (hues[low + 1] - hues[low]))
        red = min(max(abs(hue - 3) - 1, 0.0), 1.0)
        green = min(max(2 - abs(hue - 2), 0.0), 1.0)
        blue = min(max(2 - abs(hue - 4), 0.0), 1.0)
        colors[i, 0] = white + (1 - white) * red
        colors[i, 1] = white + (1 - white) * green
        colors[i, 2] = white + (1 - white) * blue
    return colors


@cache
def _is_continuous(name: str) -> bool:
    key = _color_key(name)
    for normal in key.normals:
        first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
        first /= np.linalg.norm(first)
        angle = np.linspace(0, 2 * np.pi, 721)[:, None]
        ring = np.cos(angle) * first + np.sin(angle) * np.cross(normal, first)
        rim = ring[key.contains(ring)]
        colors = key.colors(rim, reduce=False)
        for operation in key.operations:
            twin = rim @ operation.T
            inside = key.contains(twin)
            jump = np.abs(key.colors(twin[inside], reduce=False) - colors[inside])
            if jump.size and jump.max() > 0.05:
                return False
    return True


def key_is_continuous(point_group: Any) -> bool:
    """Say whether equivalent directions always share a colour: no jump on the sector's rim.

    True for mmm, 4/mmm, 6/mmm and m-3m, where each wall of the sector is a mirror plane.
    """
    return _is_continuous(color_key(point_group).name)
