"""Which part of a detector is under the mouse, and what does dragging it do? Grips and drags.

Pure geometry in pattern pixels (ky, kx); no Qt. A :class:`Grip` names a part of one shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from napari_orient.diffraction.detectors import Annulus, Disk, Rectangle, Shape, VirtualDetector

Part = Literal["inside", "radius", "inner", "outer", "corner"]
Point = tuple[float, float]
SMALLEST = 0.5  # px: a disk of this radius still sees the pixel under its centre


@dataclass(frozen=True)
class Grip:
    """A part of the shape number ``shape``; ``sign`` tells a rectangle's sides (ky, kx)."""

    shape: int
    part: Part
    sign: tuple[int, int] = (0, 0)


def handles(shape: Shape) -> list[tuple[Point, Grip]]:
    """Return where the handles of a shape sit (ky, kx), with grips of shape number 0."""
    ky, kx = shape.centre
    if isinstance(shape, Disk):
        return [((ky, kx + shape.radius), Grip(0, "radius"))]
    if isinstance(shape, Annulus):
        inner, outer = Grip(0, "inner"), Grip(0, "outer")
        return [((ky, kx + shape.inner), inner), ((ky, kx + shape.outer), outer)]
    height, width = shape.size
    corners = [(sy, sx) for sy in (-1, 1) for sx in (-1, 1)]
    return [
        ((ky + sy * height / 2, kx + sx * width / 2), Grip(0, "corner", (sy, sx)))
        for sy, sx in corners
    ]


def _part(shape: Shape, at: Point, reach: float) -> Grip | None:
    """Return the grip of one shape at a point; ``reach`` is how far from an edge still counts."""
    dy, dx = at[0] - shape.centre[0], at[1] - shape.centre[1]
    distance = math.hypot(dy, dx)
    # the middle third always moves, so that a disk of few screen pixels can be moved at all
    if isinstance(shape, Disk) and distance < 0.33 * shape.radius:
        return Grip(0, "inside")
    for place, grip in handles(shape):
        if math.dist(place, at) <= reach:
            return grip
    if isinstance(shape, Disk):
        edge = min(reach, 0.67 * shape.radius)
        if abs(distance - shape.radius) <= edge or shape.radius < distance <= shape.radius + reach:
            return Grip(0, "radius")
        return Grip(0, "inside") if distance < shape.radius else None
    if isinstance(shape, Annulus):
        edge = min(reach, 0.33 * (shape.outer - shape.inner))
        if -edge <= distance - shape.outer <= reach:
            return Grip(0, "outer")
        if -min(reach, shape.inner) <= distance - shape.inner <= edge:
            return Grip(0, "inner")
        return Grip(0, "inside") if shape.inner < distance < shape.outer else None
    return _part_of_rectangle(shape, dy, dx, reach)


def _part_of_rectangle(shape: Rectangle, dy: float, dx: float, reach: float) -> Grip | None:
    half_y, half_x = shape.size[0] / 2, shape.size[1] / 2
    if abs(dy) > half_y + reach or abs(dx) > half_x + reach:
        return None
    near_y = abs(dy) >= half_y - min(reach, 0.5 * half_y)
    near_x = abs(dx) >= half_x - min(reach, 0.5 * half_x)
    if not (near_y or near_x):
        return Grip(0, "inside")
    sign = (int(math.copysign(near_y, dy)), int(math.copysign(near_x, dx)))
    return Grip(0, "corner", sign)


def find(detector: VirtualDetector, at: Point, reach: float) -> Grip | None:
    """Return the grip of ``detector`` at a point, the last drawn shape first, or None."""
    for number in reversed(range(len(detector.shapes))):
        grip = _part(detector.shapes[number], at, reach)
        if grip is not None:
            return Grip(number, grip.part, grip.sign)
    return None


def find_any(
    detectors: Sequence[VirtualDetector], active: int, at: Point, reach: float
) -> tuple[int, Grip] | None:
    """Return (detector, grip) at a point: the active detector first, then its neighbours."""
    order = [active, *(i for i in reversed(range(len(detectors))) if i != active)]
    for index in order:
        if 0 <= index < len(detectors):
            grip = find(detectors[index], at, reach)
            if grip is not None:
                return index, grip
    return None


def drag(
    detector: VirtualDetector, grip: Grip, start: Point, now: Point, *, all_shapes: bool = False
) -> VirtualDetector:
    """Return ``detector``, as it was at ``start``, with its grip dragged to ``now``."""
    dy, dx = now[0] - start[0], now[1] - start[1]
    if grip.part == "inside" and all_shapes:
        return detector.moved(dy, dx)
    shape = detector.shapes[grip.shape]
    if grip.part == "inside":
        changed: Shape = shape.moved(dy, dx)
    elif isinstance(shape, Rectangle):
        changed = _stretched(shape, grip.sign, dy, dx)
    else:
        # relative to the grip, so that nothing jumps when the edge is grabbed a little off
        grown = math.dist(now, shape.centre) - math.dist(start, shape.centre)
        changed = _grown(shape, grip.part, grown)
    shapes = list(detector.shapes)
    shapes[grip.shape] = changed
    return detector.with_shapes(*shapes)


def _grown(shape: Disk | Annulus, part: Part, by: float) -> Disk | Annulus:
    if isinstance(shape, Disk):
        return shape.resized(max(SMALLEST, shape.radius + by))
    if part == "inner":
        return shape.resized(inner=min(shape.inner + by, shape.outer - SMALLEST))
    return shape.resized(outer=max(shape.outer + by, shape.inner + SMALLEST))


def _stretched(shape: Rectangle, sign: tuple[int, int], dy: float, dx: float) -> Rectangle:
    """Move the sides that ``sign`` names; the opposite ones stay where they are."""
    height = max(1.0, shape.size[0] + sign[0] * dy)
    width = max(1.0, shape.size[1] + sign[1] * dx)
    ky = shape.centre[0] + sign[0] * (height - shape.size[0]) / 2
    kx = shape.centre[1] + sign[1] * (width - shape.size[1]) / 2
    return Rectangle(centre=(ky, kx), size=(height, width))


def grow(detector: VirtualDetector, step: float) -> VirtualDetector:
    """Return ``detector`` larger by ``step`` pixels: radii, an annulus' outer one, half sides."""
    shapes: list[Shape] = []
    for shape in detector.shapes:
        if isinstance(shape, Rectangle):
            height, width = shape.size
            size = (max(1.0, height + 2 * step), max(1.0, width + 2 * step))
            shapes.append(shape.resized(size))
        else:
            shapes.append(_grown(shape, "outer", step))
    return detector.with_shapes(*shapes)


def reach_of(shape: Shape) -> float:
    """Return the size (radius, outer radius, half of the larger side) of a shape, in pixels."""
    if isinstance(shape, Disk):
        return shape.radius
    return shape.outer if isinstance(shape, Annulus) else max(shape.size) / 2
