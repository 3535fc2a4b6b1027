"""What is on the canvas, as a picture to be printed? Composed from the layers' data.

All visible layers are sampled, nearest neighbour, on the grid of the one with the finest step:
where layers share a grid, each pixel of the picture is one pixel of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Points, Shapes
from numpy.typing import NDArray

from napari_orient.crystal.figure import Mark, Picture
from napari_orient.plugin.figure.words import bars_of, keys_of, words_of

MOST_PIXELS = 60_000_000
UNITS = {"nanometer": "nm", "micrometer": "um", "nm": "nm", "um": "um"}


@dataclass(frozen=True)
class Grid:
    """Pixels of the picture: centre of the first and steps (y, x), in the world's unit."""

    first: tuple[float, float]
    step: tuple[float, float]
    shape: tuple[int, int]
    unit: str


def picture_of_view(
    viewer: Any, *, only_seen: bool = False, title: str = ""
) -> tuple[Picture, list[Any]]:
    """Compose the visible layers of a flat view; return it and the layers that are seen in it.

    Parameters
    ----------
    viewer
        The napari viewer; it must show two dimensions.
    only_seen
        Cut to what the canvas shows at its zoom; else all of the layers.
    title
        Written above.

    Raises
    ------
    ValueError
        In words for the user: nothing visible, three dimensions, or too many pixels.
    """
    if viewer.dims.ndisplay != 2:
        raise ValueError("The view is three-dimensional: switch to 2D, or take a screenshot.")
    layers = [x for x in viewer.layers if x.visible and isinstance(x, Image | Labels)]
    if not layers:
        raise ValueError("No picture is visible: switch on a layer's eye.")
    grid = _grid(viewer, layers, only_seen)
    sampled = [(layer, sample(viewer, layer, grid)) for layer in layers]
    shown = [layer for layer, _ in _contributing(sampled)]
    marks: list[Mark] = []
    for layer in viewer.layers:
        if layer.visible and isinstance(layer, Points | Shapes):
            marks += _marks(viewer, layer, grid)
    picture = Picture(
        compose(sampled), grid.step, grid.unit, title, words_of(shown), keys_of(shown),
        bars_of(shown), tuple(marks),
    )  # fmt: skip
    return picture, shown


# --- geometry ------------------------------------------------------------------------------------


def to_data(viewer: Any, layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A (2, 2), b (2,): world (y, x) -> the layer's index (row, column) = A w + b."""
    world = np.array(viewer.dims.point, float)
    unit = np.ones(len(world))
    units = viewer.layers.extent.units
    if units and len(units) == len(world):  # as in layers.index_at: one unit for all layers
        own = (*units[: len(units) - len(layer.units)], *layer.units)[-len(world) :]
        unit = np.array([float((1 * w).to(o).magnitude) for w, o in zip(units, own, strict=True)])

    def index(y: float, x: float) -> NDArray[np.float64]:
        place = world.copy()
        place[-2:] = y, x
        return np.asarray(layer.world_to_data(place * unit), float)[-2:]

    zero = index(0, 0)
    return np.stack([index(1, 0) - zero, index(0, 1) - zero], axis=1), zero


def _shape(layer: Any) -> tuple[int, int]:
    rows, columns = (
        layer.data.shape[:-1][-2:] if getattr(layer, "rgb", False) else layer.data.shape[-2:]
    )
    return int(rows), int(columns)


def _grid(viewer: Any, layers: list[Any], only_seen: bool) -> Grid:
    corners, steps = [], []
    for layer in layers:
        turn, shift = to_data(viewer, layer)
        back, (rows, columns) = np.linalg.inv(turn), _shape(layer)
        rim = [(-0.5, -0.5), (-0.5, columns - 0.5), (rows - 0.5, -0.5), (rows - 0.5, columns - 0.5)]
        corners += [back @ (np.array(corner) - shift) for corner in rim]
        steps.append(np.linalg.norm(back, axis=1))
    finest = int(np.argmin([np.prod(step) for step in steps]))
    step = steps[finest]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    if only_seen:
        low, high = _seen(viewer, low, high)
    turn, shift = to_data(viewer, layers[finest])
    anchor = np.linalg.inv(turn) @ -shift  # the centre of the finest layer's first pixel
    first = anchor + np.ceil((low - anchor) / step - 1e-6 + 0.0) * step
    shape = np.maximum(1, np.rint((high - first) / step + 0.5 - 1e-6).astype(int))
    if shape.prod() > MOST_PIXELS:
        raise ValueError(
            f"The picture would have {shape[0]} × {shape[1]} pixels, for the layers differ much in "
            "step or place: hide some of them."
        )
    units = viewer.layers.extent.units
    unit = UNITS.get(str(units[-1]), "px") if units else "px"
    (y, x), (dy, dx), (rows, columns) = first.tolist(), step.tolist(), shape.tolist()
    return Grid((y, x), (dy, dx), (rows, columns), unit)


def _seen(viewer: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Cut a box to what the canvas shows."""
    camera = viewer.scene.camera
    half = np.asarray(viewer.canvas.size, float) / camera.zoom / 2
    centre = np.asarray(camera.center, float)[-2:]
    cut = np.maximum(low, centre - half), np.minimum(high, centre + half)
    if (cut[0] >= cut[1]).any():
        raise ValueError("No visible layer lies inside the canvas: press Home, or take all.")
    return cut


# --- colours -------------------------------------------------------------------------------------


def sample(viewer: Any, layer: Any, grid: Grid) -> NDArray[np.float32]:
    """Return a layer's colours (rows, columns, 4), 0 to 1, on the grid; alpha 0 outside."""
    turn, shift = to_data(viewer, layer)
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]]
    y = grid.first[0] + rows * grid.step[0]
    x = grid.first[1] + columns * grid.step[1]
    place = [np.rint(turn[i, 0] * y + turn[i, 1] * x + shift[i] - 1e-9).astype(int) for i in (0, 1)]
    height, width = _shape(layer)
    inside = (place[0] >= 0) & (place[0] < height) & (place[1] >= 0) & (place[1] < width)
    out = np.zeros((*grid.shape, 4), np.float32)
    out[inside] = colours_of(viewer, layer)[place[0][inside], place[1][inside]]
    return out


def colours_of(viewer: Any, layer: Any) -> NDArray[np.float32]:
    """Return a layer's own pixels (rows, columns, 4), 0 to 1, opacity included."""
    data = _flat(viewer, layer)
    if isinstance(layer, Labels):
        rgba = np.asarray(layer.colormap.map(data), np.float32)
    elif layer.rgb:
        rgba = data.astype(np.float32) / (255 if data.dtype == np.uint8 else 1)
        if rgba.shape[-1] == 3:
            rgba = np.concatenate([rgba, np.ones_like(rgba[..., :1])], axis=-1)
    else:
        low, high = layer.contrast_limits
        part = np.clip((data.astype(np.float32) - low) / max(high - low, 1e-30), 0, 1)
        known = np.isfinite(part)
        mapped = layer.colormap.map(np.where(known, part, 0).ravel() ** layer.gamma)
        rgba = np.asarray(mapped, np.float32).reshape(*data.shape, 4)
        rgba[~known] = 0
    rgba[..., 3] *= layer.opacity
    return rgba


def _flat(viewer: Any, layer: Any) -> NDArray[Any]:
    """Return the slice of a layer's data that is shown."""
    flat = 3 if getattr(layer, "rgb", False) else 2
    data = layer.data
    more = data.ndim - flat
    if more:
        index = np.rint(layer.world_to_data(np.array(viewer.dims.point, float))).astype(int)
        where = tuple(np.clip(index[:more], 0, np.array(data.shape[:more]) - 1))
        data = data[where]
    return np.asarray(data)


def compose(sampled: list[tuple[Any, NDArray[np.float32]]]) -> NDArray[np.uint8]:
    """Lay layers over one another as napari does; (rows, columns, 4) uint8."""
    below = np.zeros_like(sampled[0][1])
    for layer, above in sampled:
        alpha = above[..., 3:]
        how = str(layer.blending)
        if how == "additive":
            colour = np.minimum(1, below[..., :3] * (below[..., 3:] > 0) + above[..., :3] * alpha)
            below = np.concatenate([colour, np.maximum(below[..., 3:], alpha > 0)], axis=-1)
        elif how == "minimum":
            there = alpha > 0
            colour = np.where(there, np.minimum(below[..., :3], above[..., :3]), below[..., :3])
            colour = np.where(below[..., 3:] > 0, colour, above[..., :3])
            below = np.concatenate([colour, np.maximum(below[..., 3:], alpha)], axis=-1)
        else:
            below = _over(
                below, above, np.ones_like(alpha) * (alpha > 0) if how == "opaque" else alpha
            )
    return np.rint(255 * np.clip(below, 0, 1)).astype(np.uint8)


def _over(below: Any, above: Any, alpha: Any) -> NDArray[np.float32]:
    """Porter and Duff's "over" for colours that are not multiplied by their alpha."""
    behind = below[..., 3:] * (1 - alpha)
    total = alpha + behind
    mixed = above[..., :3] * alpha + below[..., :3] * behind
    colour = np.divide(mixed, total, out=np.zeros_like(mixed), where=total > 0)
    return np.concatenate([colour, total], axis=-1).astype(np.float32)


def _contributing(sampled: list[Any]) -> list[Any]:
    """Return the layers of which something is seen through those above, bottom first."""
    through = np.ones(sampled[0][1].shape[:2], np.float32)
    seen = []
    for layer, rgba in reversed(sampled):
        if float((through * rgba[..., 3]).max(initial=0)) > 0.02:
            seen.append((layer, rgba))
        if str(layer.blending) not in ("additive", "minimum", "multiplicative"):
            through = through * (1 - rgba[..., 3])
    return seen[::-1]


# --- lines ---------------------------------------------------------------------------------------


def _marks(viewer: Any, layer: Any, grid: Grid) -> list[Mark]:
    """Return outlines of a layer of shapes or points, in the picture's pixels."""
    turn, shift = to_data(viewer, layer)
    back = np.linalg.inv(turn)

    def placed(points: Any) -> NDArray[np.float64]:
        world = (np.asarray(points, float)[:, -2:] - shift) @ back.T
        return np.asarray((world - grid.first) / grid.step)

    circle = np.linspace(0, 2 * np.pi, 73)[:-1]
    ring = np.stack([np.sin(circle), np.cos(circle)], axis=1)
    if isinstance(layer, Points):
        sizes = np.broadcast_to(layer.size, len(layer.data))
        return [
            Mark(placed(point[-2:] + ring * size / 2), tuple(edge), 0.3, True, tuple(face))
            for point, size, edge, face, shown in zip(
                layer.data, sizes, layer.border_color, layer.face_color, layer.shown, strict=True
            )
            if shown
        ]
    marks = []
    for points, kind, colour in zip(layer.data, layer.shape_type, layer.edge_color, strict=True):
        corners = np.asarray(points, float)[:, -2:]
        if kind == "ellipse":
            middle, across, down = (
                corners.mean(axis=0),
                corners[1] - corners[0],
                corners[3] - corners[0],
            )
            corners = middle + ring[:, :1] * down / 2 + ring[:, 1:] * across / 2
        closed = kind not in ("line", "path")
        marks.append(Mark(placed(corners), tuple(colour), 0.8, closed))
    return marks
