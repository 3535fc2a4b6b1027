"""Which colour does the continuous key give? One that is the same for all equivalent directions.

The quotient of the sphere by a Laue group decides what a key can do (Nolze & Hielscher, J. Appl.
Cryst. 49 (2016) 1786, discuss it as the topology of the sector; the names are Conway's orbifolds):

* mmm, 4/mmm, 6/mmm, m-3m (*pqr) are triangles between mirrors: the TSL key is continuous already
  and this key is the same.
* 2/m, 4/m, 6/m (n*), -3m (2*3) and m-3 (3*2) are disks with one axis inside that lies on no
  mirror: the principal axis, a diad, [111]. Polar coordinates about *that axis* are continuous
  where those about the barycentre jump: the azimuth over the angle between two equal ones gives
  the hue, the part of the way to the nearest mirror the lightness, as in the TSL key. No two
  orbits share a colour.
* -1 and -3 (x and 3x) are projective planes. No continuous map of a projective plane into the
  three dimensions of colour is one-to-one, so some pairs of directions must share a colour. Here
  (a cross-cap) these are the directions perpendicular to the principal axis, mirrored at e1, and
  no others: white along e3, pure hues at 45 degrees, shades from black to grey on the equator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.tsl_key import ColorKey, color_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Fold = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_ROWS = 2**14  # directions coloured at once: what they need stays in the cache
_NODES = 1001  # of a table of hues
_SHADE = 0.55  # grey of the lightest equator direction in -1 and -3
SHARED_NOTE = "perpendicular to e3 two directions share\na shade: this group allows no better key"
_FOLD_ORDER = {"2/m": 2, "4/m": 4, "6/m": 6, "-1": 1, "-3": 3}


@dataclass(frozen=True, eq=False)
class ContinuousKey:
    """The continuous colour key of one Laue group.

    Attributes
    ----------
    sector
        The TSL key of the group: its sector is the one that is drawn.
    note
        What a reader of the legend has to know, or nothing.
    """

    sector: ColorKey
    note: str = ""

    def colors(self, directions: ArrayLike, *, reduce: bool = True) -> NDArray[np.float64]:
        """RGB, 0 to 1, of crystal directions (..., 3) given in crystal Cartesian axes.

        ``reduce=False``: the directions are given in the standard setting. NaN for a zero vector.
        """
        vectors = np.asarray(directions, np.float64)
        flat = vectors.reshape(-1, 3)
        colors = np.empty(flat.shape)
        with np.errstate(invalid="ignore"):
            for i in range(0, len(flat), _ROWS):
                some = flat[i : i + _ROWS]
                some = some @ self.sector.turn.T if reduce else some
                some = some / np.linalg.norm(some, axis=1, keepdims=True)
                colors[i : i + _ROWS] = _paint(self.sector, some)
        return colors.reshape(vectors.shape)


def continuous_key(point_group: Any) -> ContinuousKey:
    """Return the continuous key of a point group: its name or an ``orix`` Symmetry.

    Raises
    ------
    ValueError
        For a name orix does not know, or no point group at all.
    """
    sector = color_key(point_group)
    return ContinuousKey(sector, SHARED_NOTE if sector.name in ("-1", "-3") else "")


def _paint(sector: ColorKey, v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours of unit vectors (n, 3) in the standard setting."""
    if sector.name in _TRIANGLES:
        return sector.colors(_TRIANGLES[sector.name](v), reduce=False)
    if sector.name == "-3m":
        return _about_diad(v)
    if sector.name == "m-3":
        return _about_triad(v)
    turn = _FOLD_ORDER[sector.name] * np.arctan2(v[:, 1], v[:, 0]) / (2 * np.pi)
    tilt = np.arctan2(np.hypot(v[:, 0], v[:, 1]), np.abs(v[:, 2])) / (np.pi / 2)
    if sector.name in ("-1", "-3"):
        # the antipode of a direction below the equator: half a turn further about e3
        turn = turn + np.where(v[:, 2] < 0, 0.5, 0.0)
        return _cross_cap(turn, tilt)
    return _blend(turn, tilt)


def hue_colors(hue: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pure colours (..., 3) of hues in turns: 0 red, 1/3 green, 2/3 blue, 1 red again."""
    place = 6 * np.mod(hue, 1.0)
    red = np.clip(np.abs(place - 3) - 1, 0, 1)
    green = np.clip(2 - np.abs(place - 2), 0, 1)
    blue = np.clip(2 - np.abs(place - 4), 0, 1)
    return np.stack([red, green, blue], axis=-1)


def _blend(hue: NDArray[np.float64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    """White where ``part`` is 0, the pure hue where it is 1."""
    part = np.clip(part, 0, 1)[..., None]
    return 1 - part + part * hue_colors(hue)


def _cross_cap(turn: NDArray[np.float64], tilt: NDArray[np.float64]) -> NDArray[np.float64]:
    """From white over the pure hue, half way, to a shade that is the same for hue and -hue."""
    shade = _SHADE * 0.5 * (1 + np.cos(4 * np.pi * turn))[:, None]
    pure = hue_colors(turn)
    down = np.clip(2 * tilt - 1, 0, 1)[:, None]
    return np.where(down > 0, (1 - down) * pure + down * shade, _blend(turn, 2 * tilt))


def _about_diad(v: NDArray[np.float64]) -> NDArray[np.float64]:
    """-3m: the diad e1 is white, e3 red; the mirrors beside the diad bear the pure hues."""
    v = np.where(v[:, 2:] < 0, -v, v)
    third = 2 * np.pi / 3
    azimuth = np.arctan2(v[:, 1], v[:, 0])
    azimuth = azimuth - third * np.round(azimuth / third)
    # of three diads +-120 degrees apart (with the antipodes: 60) the one nearest in azimuth
    back = np.abs(azimuth) > np.pi / 6
    azimuth = np.where(back, np.sign(azimuth) * np.pi / 3 - azimuth, azimuth)
    across = np.hypot(v[:, 0], v[:, 1])
    x, y, z = across * np.cos(azimuth), across * np.sin(azimuth), v[:, 2]
    about = np.arctan2(z, y)  # 0 to pi in the sector; both ends are the same
    table = np.linspace(0, np.pi, _NODES)
    # the mirror at azimuth +-30 degrees, on the side to which the ray goes
    reach = _reach(0.5, np.sqrt(0.75) * np.abs(np.cos(table)))
    here = _reach(0.5, np.sqrt(0.75) * np.abs(y) / np.maximum(np.hypot(y, z), 1e-300))
    hue = np.interp(about, table, _advance(reach)) + 0.5
    return _blend(hue, np.arctan2(np.hypot(y, z), x) / here)


def _about_triad(v: NDArray[np.float64]) -> NDArray[np.float64]:
    """m-3: [111] is white, [001] red; the mirrors, the faces of the octant, bear the pure hues."""
    v = np.abs(v)
    x, y, z = v.T
    along = (x + y + z) / np.sqrt(3)
    u, w = (2 * z - x - y) / np.sqrt(6), (x - y) / np.sqrt(2)
    third = 2 * np.pi / 3
    about = np.mod(np.arctan2(w, u), third)  # 0 towards [001]
    table = np.linspace(0, third, _NODES)
    rise = 1 / np.sqrt(3)
    slope = np.sqrt(2 / 3)
    reach = _reach(rise, slope * np.cos(table - third / 2))
    here = _reach(rise, slope * np.cos(about - third / 2))
    hue = np.interp(about, table, _advance(reach))
    return _blend(hue, np.arctan2(np.hypot(u, w), along) / here)


def _reach(rise: Any, slope: Any) -> Any:
    """Angle to a wall: ``rise`` the centre's height over it, ``slope`` the ray's descent to it."""
    return np.arctan2(rise, slope)


def _advance(reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hue from 0 to 1 over a table: it advances with the distance to the rim, as in TSL keys."""
    steps = np.concatenate([[0.0], np.cumsum((reach[1:] + reach[:-1]) / 2)])
    return np.asarray(steps / steps[-1])


def _fold_orthorhombic(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(v)


def _fold_tetragonal(v: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = np.abs(v).T
    return np.stack([np.maximum(x, y), np.minimum(x, y), z], axis=-1)


def _fold_hexagonal(v: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = np.abs(v).T
    over = np.maximum(0.5 * np.sqrt(3) * y - 0.5 * x, 0.0)  # beyond the mirror at 30 degrees
    return np.stack([x + over, np.abs(y - np.sqrt(3) * over), z], axis=-1)


def _fold_cubic(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sort(np.abs(v), axis=-1)[:, [1, 0, 2]]


_TRIANGLES: dict[str, Fold] = {
    "mmm": _fold_orthorhombic,
    "4/mmm": _fold_tetragonal,
    "6/mmm": _fold_hexagonal,
    "m-3m": _fold_cubic,
}
