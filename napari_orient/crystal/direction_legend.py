"""How is the key of crystal directions drawn? As the sector of the inverse pole figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_orient.crystal.colors import (
    JUMP_NOTE,
    ColourScheme,
    color_key,
    direction_along,
    direction_key,
    key_is_continuous,
)
from napari_orient.crystal.continuous_key import ContinuousKey

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.crystal.tsl_key import ColorKey

Side = Literal["left", "right", "above", "below"]
Place = tuple[float, float]


class Label(NamedTuple):
    """Words at a pixel (row, column), and on which side of it they are written."""

    text: str
    row: float
    column: float
    side: Side


@dataclass(frozen=True, eq=False)
class Legend:
    """A colour key as a picture.

    Attributes
    ----------
    image
        (rows, columns, 4) uint8 RGBA, transparent outside the key.
    labels
        Its words, in pixels (a pixel's centre is an integer).
    note
        What a reader has to know, or nothing.
    """

    image: NDArray[np.uint8]
    labels: tuple[Label, ...]
    note: str = ""

    def locate(self, quaternion: ArrayLike) -> list[Place]:
        """Return where (row, column) an orientation (4,) is shown; none where it is not."""
        return []


@dataclass(frozen=True, eq=False)
class DirectionLegend(Legend):
    """The sector of an inverse pole figure, stereographic; crystal x right, y up.

    Attributes
    ----------
    sector
        The key whose fundamental sector is drawn.
    direction
        The sample direction whose crystal direction is marked.
    """

    sector: ColorKey = field(default=None)  # type: ignore[assignment]
    origin: Place = (0.0, 0.0)
    scale: float = 1.0
    direction: Any = "Z"

    @property
    def laue(self) -> str:
        """The Laue group."""
        return self.sector.name

    @property
    def continuous(self) -> bool:
        """False where the key jumps (see ``key_is_continuous``)."""
        return self.note != JUMP_NOTE

    def direction_at(self, row: ArrayLike, column: ArrayLike) -> NDArray[np.float64]:
        """Return the crystal direction (..., 3), a unit vector, shown at a pixel."""
        return _unproject(self.origin, self.scale, row, column) @ self.sector.turn

    def pixel_of(self, direction: ArrayLike) -> Place:
        """Return (row, column) where a crystal direction (3,) or its equivalent is shown."""
        key = self.sector
        vector = key.turn @ np.asarray(direction, np.float64)
        equivalents = key.operations @ (vector / np.linalg.norm(vector))
        depth = np.min(equivalents @ key.normals.T, axis=1)
        # the same rule as in the colours picks one of several on the rim
        rank = np.minimum(depth, -1e-7) * 1e6 + equivalents @ (0.61, 0.53, 0.59)
        x, y = _project(equivalents[np.argmax(rank)])
        return float((self.origin[1] - y) * self.scale), float((x - self.origin[0]) * self.scale)

    def locate(self, quaternion: ArrayLike) -> list[Place]:
        """Return where the crystal direction along the sample direction is shown."""
        return [self.pixel_of(direction_along(quaternion, self.direction))]


def direction_legend(point_group: Any, scheme: ColourScheme, size: int) -> DirectionLegend:
    """Draw the sector of a point group, ``size`` pixels on its longer side."""
    sector, key = color_key(point_group), direction_key(point_group, scheme)
    rim = _outline(sector)
    low, high = rim.min(axis=0), rim.max(axis=0)
    scale = (size - 3) / float((high - low).max())
    columns, rows = np.ceil((high - low) * scale).astype(int) + 3
    origin = (float(low[0] - 1 / scale), float(high[1] + 1 / scale))
    labels = tuple(
        _outward(text, (origin[1] - y) * scale, (x - origin[0]) * scale, rows, columns)
        for text, (x, y) in ((t, _project(v)) for t, v in _corners(sector))
    )
    directions = _unproject(origin, scale, *np.mgrid[:rows, :columns])
    depth = np.min(directions @ sector.normals.T, axis=-1)
    pixel = (1 + directions[..., 2]) / scale  # its angle in radians: softens the rim
    image = np.empty((rows, columns, 4))
    image[..., :3] = key.colors(directions, reduce=False)
    image[..., 3] = np.clip(0.5 + depth / pixel, 0, 1)
    if isinstance(key, ContinuousKey):
        note = key.note
    else:
        note = "" if key_is_continuous(point_group) else JUMP_NOTE
    return DirectionLegend(as_bytes(image), labels, note, sector, origin, scale, scheme.direction)


def _outward(text: str, row: float, column: float, rows: int, columns: int) -> Label:
    """Place a corner's words on the side away from the middle of the key."""
    across, down = column / columns - 0.5, row / rows - 0.5
    if abs(across) > 2 * abs(down) + 0.1:
        return Label(text, float(row), float(column), "right" if across > 0 else "left")
    return Label(text, float(row), float(column), "below" if down >= -0.1 else "above")


def _project(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stereographic projection (..., 2) of unit vectors of the upper half sphere."""
    return np.asarray(directions[..., :2] / (1 + directions[..., 2:]))


def _unproject(
    origin: Place, scale: float, row: ArrayLike, column: ArrayLike
) -> NDArray[np.float64]:
    """Unit vectors (..., 3), in the key's standard setting, at pixels."""
    x = origin[0] + np.asarray(column, np.float64) / scale
    y = origin[1] - np.asarray(row, np.float64) / scale
    square = x * x + y * y
    return np.stack([2 * x, 2 * y, 1 - square], axis=-1) / (1 + square)[..., None]


def _outline(key: ColorKey) -> NDArray[np.float64]:
    """Projected points (n, 2) on the rim of the sector."""
    points = [key.vertices]
    angle = np.linspace(0, 2 * np.pi, 1441)[:, None]
    for normal in key.normals:
        first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
        first /= np.linalg.norm(first)
        ring = np.cos(angle) * first + np.sin(angle) * np.cross(normal, first)
        points.append(ring[key.contains(ring)])
    return _project(np.concatenate(points))


def _corners(key: ColorKey) -> list[tuple[str, NDArray[np.float64]]]:
    """Corners of the sector with their direction indices (four for hexagonal axes)."""
    if len(key.vertices) < 3:  # no lattice direction is fixed by symmetry but along the axes
        named = {"x": [1, 0, 0], "-x": [-1, 0, 0], "y": [0, 1, 0], "-y": [0, -1, 0],
                 "z": [0, 0, 1], "-z": [0, 0, -1]}  # fmt: skip
        axes = [(name, key.turn @ np.array(v, np.float64)) for name, v in named.items()]
        return [(n, v) for n, v in axes if key.contains(v) and v[2] > -0.5]
    four = key.name[:2] in ("-3", "6/")
    return [(_indices(v @ key.turn, four), v) for v in key.vertices]


def _indices(vector: NDArray[np.float64], four: bool) -> str:
    if four:  # U V T are the projections on three axes 120 degrees apart
        half = np.sqrt(0.75)
        vector = np.array([[1, 0, 0], [-0.5, half, 0], [-0.5, -half, 0], [0, 0, 1]]) @ vector
    sizes = np.abs(vector)
    smallest = sizes[sizes > 1e-6].min()
    return "[" + "".join(str(round(v / smallest)) for v in vector) + "]"


def as_bytes(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a picture with values of 0 to 1 as bytes."""
    return np.asarray(np.rint(255 * image), np.uint8)
