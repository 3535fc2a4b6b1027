"""Which colour stands for an orientation? That of the TSL key, whose legend is drawn here too.

The TSL colour key of the eleven Laue groups, as orix and MTEX define it (Nolze & Hielscher,
J. Appl. Cryst. 49 (2016) 1786, section 2.4): a crystal direction is moved into the fundamental
sector by symmetry; the azimuth about the sector's barycentre gives the hue (red, green and blue at
the three corners), the distance to it the lightness (white in the middle, pure on the rim).

Symmetry acts on the crystal side: ``s * q`` has the colour of ``q`` for each symmetry operation s.
Sample directions are components in the map frame: x right, y down, z into the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_orient.data.maps import OrientationMap

SAMPLE_DIRECTIONS = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}
_AZIMUTHS = 1000  # nodes of the azimuth table, as in MTEX
_ON_WALL = 1e-7  # a direction this near to a wall of the sector (sine of the angle) is inside
JUMP_NOTE = "this key jumps: equivalent directions\non its rim may differ in colour"


def sample_direction(direction: str | Sequence[float]) -> NDArray[np.float64]:
    """Return the unit vector, in the map frame, of "X", "Y", "Z" or of three components.

    Raises
    ------
    ValueError
        For another name, a zero vector or a vector without three finite components.
    """
    if isinstance(direction, str):
        if direction.upper() not in SAMPLE_DIRECTIONS:
            raise ValueError(f"sample direction {direction!r}: use X, Y, Z or three numbers")
        direction = SAMPLE_DIRECTIONS[direction.upper()]
    vector = np.asarray(direction, np.float64)
    length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
    if not np.isfinite(length) or length == 0:
        raise ValueError(f"sample direction {direction!r}: three numbers, not all zero, are needed")
    return vector / length


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
    """

    name: str
    operations: NDArray[np.float64]
    normals: NDArray[np.float64]
    vertices: NDArray[np.float64]
    axes: NDArray[np.float64]
    hues: NDArray[np.float64]

    def colors(self, directions: ArrayLike, *, reduce: bool = True) -> NDArray[np.float64]:
        """RGB, 0 to 1, of crystal directions (..., 3) given in crystal Cartesian axes.

        ``reduce=False`` leaves out the move into the sector: for directions that are in it.
        """
        vectors = np.asarray(directions, np.float64)
        operations = self.operations if reduce else np.eye(3)[None]
        flat = np.ascontiguousarray(vectors.reshape(-1, 3))
        colors = _kernel()(flat, operations, self.normals, self.axes, self.hues)
        return np.asarray(colors).reshape(vectors.shape)

    def contains(
        self, directions: NDArray[np.float64], tolerance: float = _ON_WALL
    ) -> NDArray[np.bool_]:
        """Say which directions (..., 3), unit vectors, lie in the fundamental sector."""
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
    return _color_key(point_group.laue.name)


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
    return ColorKey(name, operations, normals, vertices, axes, _hues(normals, vertices, axes))


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


def ipf_colors(
    quaternions: ArrayLike, point_group: Any, direction: str | Sequence[float] = "Z"
) -> NDArray[np.float64]:
    """Colour orientations by the crystal direction that lies along a sample direction.

    Parameters
    ----------
    quaternions
        (..., 4) unit quaternions, scalar first, orix's ``lab2crystal``, in the map frame.
    point_group
        Name or orix Symmetry; its Laue group chooses the key.
    direction
        "X", "Y", "Z" of the map frame, or three components in it.

    Returns
    -------
    rgb
        (..., 3), 0 to 1; NaN where the quaternion is NaN.
    """
    q = np.asarray(quaternions, np.float64)
    return color_key(point_group).colors(_rotate(q, sample_direction(direction)))


def _rotate(q: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate one vector by unit quaternions (..., 4), as ``orix.quaternion.Rotation`` does."""
    axis = q[..., 1:]
    turned = np.cross(axis, vector)
    return np.asarray(vector + 2 * (q[..., :1] * turned + np.cross(axis, turned)))


def ipf_image(
    orientation_map: OrientationMap, direction: str | Sequence[float] = "Z"
) -> NDArray[np.uint8]:
    """Return the IPF picture of a map: (..., 4) RGBA; points that are not indexed are transparent.

    Each phase has the key of its own Laue group; points of a phase without point group are grey.
    """
    image = np.zeros((*orientation_map.shape, 4), np.uint8)
    for number, phase in orientation_map.phases.items():
        there = orientation_map.indexed & (orientation_map.phase_id == number)
        if not there.any():
            continue
        rgb: Any = 0.5
        if phase.point_group is not None:
            rgb = ipf_colors(orientation_map.quaternions[there], phase.point_group, direction)
        image[there, :3] = np.rint(255 * np.asarray(rgb)).astype(np.uint8)
        image[there, 3] = 255
    return image


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


@dataclass(frozen=True, eq=False)
class Legend:
    """The colour key as a picture, without text, and where its labels belong.

    Attributes
    ----------
    image
        (rows, columns, 4) uint8 RGBA, transparent outside the sector; crystal x right, y up.
    labels
        (text, row, column) of each corner, in pixels (a pixel's centre is an integer).
    laue
        The Laue group.
    continuous
        False where the key jumps (see :func:`key_is_continuous`): say so beside it.
    """

    image: NDArray[np.uint8]
    labels: tuple[tuple[str, float, float], ...]
    laue: str
    continuous: bool
    origin: tuple[float, float]
    scale: float

    def direction_at(self, row: ArrayLike, column: ArrayLike) -> NDArray[np.float64]:
        """Return the crystal direction (..., 3), a unit vector, shown at a pixel."""
        x = self.origin[0] + np.asarray(column, np.float64) / self.scale
        y = self.origin[1] - np.asarray(row, np.float64) / self.scale
        square = x * x + y * y
        return np.stack([2 * x, 2 * y, 1 - square], axis=-1) / (1 + square)[..., None]

    def pixel_of(self, direction: ArrayLike) -> tuple[float, float]:
        """Return (row, column) where a crystal direction (3,) or its equivalent is shown."""
        key = _color_key(self.laue)
        vector = np.asarray(direction, np.float64)
        equivalents = key.operations @ (vector / np.linalg.norm(vector))
        depth = np.min(equivalents @ key.normals.T, axis=1)
        # the same rule as in the colours picks one of several on the rim
        rank = np.minimum(depth, -1e-7) * 1e6 + equivalents @ (0.61, 0.53, 0.59)
        x, y = _project(equivalents[np.argmax(rank)])
        return float((self.origin[1] - y) * self.scale), float((x - self.origin[0]) * self.scale)


def direction_along(quaternion: ArrayLike, direction: str | Sequence[float]) -> NDArray[np.float64]:
    """Return the crystal direction (3,), in crystal axes, along a sample direction at one point."""
    return _rotate(np.asarray(quaternion, np.float64), sample_direction(direction))


def _project(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stereographic projection (..., 2) of unit vectors of the upper half sphere."""
    return np.asarray(directions[..., :2] / (1 + directions[..., 2:]))


def ipf_legend(point_group: Any, size: int = 256) -> Legend:
    """Draw the colour key of a point group, ``size`` pixels on its longer side."""
    key = color_key(point_group)
    rim = _outline(key)
    low, high = rim.min(axis=0), rim.max(axis=0)
    scale = (size - 3) / float((high - low).max())
    columns, rows = np.ceil((high - low) * scale).astype(int) + 3
    origin = (float(low[0] - 1 / scale), float(high[1] + 1 / scale))
    labels = tuple(
        (text, float((origin[1] - y) * scale), float((x - origin[0]) * scale))
        for text, (x, y) in ((t, _project(v)) for t, v in _labels(key))
    )
    legend = Legend(np.zeros((0, 0, 4), np.uint8), labels, key.name, True, origin, scale)
    directions = legend.direction_at(*np.mgrid[:rows, :columns])
    depth = np.min(directions @ key.normals.T, axis=-1)
    pixel = (1 + directions[..., 2]) / scale  # its angle in radians: softens the rim
    image = np.empty((rows, columns, 4))
    image[..., :3] = key.colors(directions, reduce=False)
    image[..., 3] = np.clip(0.5 + depth / pixel, 0, 1)
    return Legend(
        np.rint(255 * image).astype(np.uint8),
        labels,
        key.name,
        key_is_continuous(point_group),
        origin,
        scale,
    )


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


def _labels(key: ColorKey) -> list[tuple[str, NDArray[np.float64]]]:
    """Corners of the sector with their direction indices (four for hexagonal axes)."""
    if len(key.vertices) < 3:  # no lattice direction is fixed by symmetry but along the axes
        named = {"x": [1, 0, 0], "-x": [-1, 0, 0], "y": [0, 1, 0], "-y": [0, -1, 0], "z": [0, 0, 1]}
        axes = [(name, np.array(v, np.float64)) for name, v in named.items()]
        return [(name, vector) for name, vector in axes if key.contains(vector)]
    return [(_indices(v, key.name[:2] in ("-3", "6/")), v) for v in key.vertices]


def _indices(vector: NDArray[np.float64], four: bool) -> str:
    if four:  # U V T are the projections on three axes 120 degrees apart
        half = np.sqrt(0.75)
        vector = np.array([[1, 0, 0], [-0.5, half, 0], [-0.5, -half, 0], [0, 0, 1]]) @ vector
    sizes = np.abs(vector)
    smallest = sizes[sizes > 1e-6].min()
    return "[" + "".join(str(round(v / smallest)) for v in vector) + "]"


def ipf_legend_figure(
    point_group: Any, size: int = 256, title: str = "", text_color: str = "black"
) -> NDArray[np.uint8]:
    """Draw the colour key with labels and, where the key jumps, the words that say so.

    Parameters
    ----------
    point_group
        Name or orix Symmetry.
    size
        Longer side of the key itself in pixels; margins for text are added.
    title
        Drawn above: name the phase and the sample direction, as in "Ni, IPF-Z".
    text_color
        A matplotlib colour that stands out from the window's background.

    Returns
    -------
    rgba
        (rows, columns, 4) uint8 on a transparent ground.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    legend = ipf_legend(point_group, size)
    rows, columns = legend.image.shape[:2]
    note = "" if legend.continuous else JUMP_NOTE
    points = max(8.0, size / 18)
    unit = points * 100 / 72  # a line of text in pixels at 100 dots per inch
    left, above = 3.6 * unit, unit * (3.2 if title else 1.8)
    below = unit * (1.8 + 2.2 * bool(note))
    width, height = max(columns + 2 * left, 13 * unit), rows + above + below
    left = (width - columns) / 2
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas: Any = FigureCanvasAgg(figure)  # its methods carry no types
    figure.patch.set_alpha(0)
    axes = figure.add_axes((left / width, below / height, columns / width, rows / height))
    axes.set_axis_off()
    axes.imshow(legend.image, interpolation="nearest")
    for text, row, column in legend.labels:
        across, down = column / columns - 0.5, row / rows - 0.5  # text goes outward from the middle
        aside = abs(across) > 2 * abs(down) + 0.1
        axes.text(
            column + aside * np.sign(across) * 0.3 * unit,
            row + (0.0 if aside else (0.3 if down >= -0.1 else -0.3)) * unit,
            _overline(text),
            fontsize=points,
            color=text_color,
            ha=("left" if across > 0 else "right") if aside else "center",
            va="center" if aside else ("top" if down >= -0.1 else "bottom"),
        )
    figure.text(0.5, 0.99, title, fontsize=points, color=text_color, ha="center", va="top")
    figure.text(0.5, 0.01, note, fontsize=0.75 * points, color=text_color, ha="center")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def _overline(indices: str) -> str:
    """Crystallographer's notation for matplotlib: a bar above instead of a minus sign."""
    import re

    if not indices.startswith("["):
        return indices
    return "$" + re.sub(r"-(\d)", r"\\overline{\1}", indices) + "$"
