"""Which pattern pixels does a virtual detector see? Shapes, masks, and unions of shapes.

Coordinates are pattern pixels ``(ky, kx)``, origin top-left, ky down, pixel centres at integers. A
pixel belongs to a shape or not (no partial pixels); a shape may lie partly or wholly outside the
pattern, where it sees nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_orient.config import Config

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.data.scan import Calibration

Pair = tuple[float, float]
Signal = Literal["sum", "mean", "std", "com_y", "com_x", "com_magnitude", "com_direction"]
Colour = str | tuple[float, float, float]


def _squared_distance(pattern_shape: tuple[int, int], centre: Pair) -> NDArray[np.float64]:
    """Squared distance (ky, kx) of the pixel centres from ``centre``, in pixels squared."""
    ky = np.arange(pattern_shape[0], dtype=np.float64) - centre[0]
    kx = np.arange(pattern_shape[1], dtype=np.float64) - centre[1]
    squared: NDArray[np.float64] = ky[:, None] ** 2 + kx**2
    return squared


class _Shape(Config):
    """What all shapes share: a centre that moves."""

    centre: Pair = Field(description="centre (ky, kx), in pixels")

    def moved(self, dky: float, dkx: float) -> Self:
        """Return the shape shifted by (dky, dkx) pixels."""
        ky, kx = self.centre
        return self.model_copy(update={"centre": (float(ky + dky), float(kx + dkx))})

    def moved_to(self, ky: float, kx: float) -> Self:
        """Return the shape with its centre at (ky, kx)."""
        return self.model_copy(update={"centre": (float(ky), float(kx))})


class Disk(_Shape):
    """A disk: pixels with (ky - cy)^2 + (kx - cx)^2 <= radius^2."""

    kind: Literal["disk"] = "disk"
    radius: float = Field(ge=0, description="radius, in pixels")

    def mask(self, pattern_shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels (ky, kx) inside the disk, its edge included."""
        inside: NDArray[np.bool_] = _squared_distance(pattern_shape, self.centre) <= self.radius**2
        return inside

    def resized(self, radius: float) -> Disk:
        """Return the disk with another radius, in pixels (negative counts as 0)."""
        return Disk(centre=self.centre, radius=max(0.0, radius))

    def scaled(self, factor: float) -> Disk:
        """Return the disk with its radius multiplied by ``factor``."""
        return self.resized(self.radius * factor)


class Annulus(_Shape):
    """A ring: pixels with inner^2 <= (ky - cy)^2 + (kx - cx)^2 <= outer^2."""

    kind: Literal["annulus"] = "annulus"
    inner: float = Field(ge=0, description="inner radius, in pixels")
    outer: float = Field(ge=0, description="outer radius, in pixels")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.inner > self.outer:
            raise ValueError(f"the inner radius {self.inner} exceeds the outer one {self.outer}")
        return self

    def mask(self, pattern_shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels (ky, kx) inside the ring, both edges included."""
        squared = _squared_distance(pattern_shape, self.centre)
        inside: NDArray[np.bool_] = (squared >= self.inner**2) & (squared <= self.outer**2)
        return inside

    def resized(self, inner: float | None = None, outer: float | None = None) -> Annulus:
        """Return the ring with other radii, in pixels; the one that is dragged pushes the other."""
        new_inner = max(0.0, self.inner if inner is None else inner)
        new_outer = max(0.0, self.outer if outer is None else outer)
        if outer is None:
            new_outer = max(new_inner, new_outer)
        new_inner = min(new_inner, new_outer)
        return Annulus(centre=self.centre, inner=new_inner, outer=new_outer)

    def scaled(self, factor: float) -> Annulus:
        """Return the ring with both radii multiplied by ``factor``."""
        return self.resized(self.inner * factor, self.outer * factor)


class Rectangle(_Shape):
    """A rectangle: -height/2 <= ky - cy < height/2, likewise in kx.

    Half open, so that a rectangle of whole size sees ``height * width`` pixels wherever it lies.
    """

    kind: Literal["rectangle"] = "rectangle"
    size: Pair = Field(description="(height, width), in pixels")

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        if min(self.size) < 0:
            raise ValueError(f"a rectangle cannot have the size {self.size}")
        return self

    def mask(self, pattern_shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels (ky, kx) inside the rectangle."""
        ky = np.arange(pattern_shape[0]) - self.centre[0]
        kx = np.arange(pattern_shape[1]) - self.centre[1]
        height, width = self.size
        rows = (ky >= -height / 2) & (ky < height / 2)
        columns = (kx >= -width / 2) & (kx < width / 2)
        inside: NDArray[np.bool_] = rows[:, None] & columns
        return inside

    def resized(self, size: Pair) -> Rectangle:
        """Return the rectangle with another (height, width), in pixels."""
        return Rectangle(centre=self.centre, size=(max(0.0, size[0]), max(0.0, size[1])))

    def scaled(self, factor: float) -> Rectangle:
        """Return the rectangle with both sides multiplied by ``factor``."""
        return self.resized((self.size[0] * factor, self.size[1] * factor))


Shape = Annotated[Disk | Annulus | Rectangle, Field(discriminator="kind")]


class VirtualDetector(Config):
    """The union of some shapes (an overlap counts once) and what is made of its pixels.

    Signals, per scan position: ``sum`` and ``mean`` of the counts; ``std``, their standard
    deviation over the detector's pixels (population form, sqrt(<I^2> - <I>^2)); ``com_y`` and
    ``com_x``, the centre of mass of the counts relative to the calibrated beam centre, in pixels of
    the pattern and along the pattern's axes; ``com_magnitude``, its length; ``com_direction``, its
    angle from +kx towards +ky, in degrees, -180 to 180. Where there are no counts they are 0.
    """

    name: str = "Detector"
    shapes: tuple[Shape, ...] = ()
    signal: Signal = "sum"
    colour: Colour | None = Field(None, description="colour name or RGB, 0 to 1, for composites")

    def mask(self, pattern_shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels (ky, kx) inside at least one of the shapes."""
        inside = np.zeros(pattern_shape, dtype=np.bool_)
        for shape in self.shapes:
            inside |= shape.mask(pattern_shape)
        return inside

    def moved(self, dky: float, dkx: float) -> VirtualDetector:
        """Return the detector with all shapes shifted by (dky, dkx) pixels."""
        return self.with_shapes(*(shape.moved(dky, dkx) for shape in self.shapes))

    def scaled(self, factor: float) -> VirtualDetector:
        """Return the detector with each shape scaled about its own centre."""
        return self.with_shapes(*(shape.scaled(factor) for shape in self.shapes))

    def with_shapes(self, *shapes: Shape) -> VirtualDetector:
        """Return the detector with other shapes."""
        return self.model_copy(update={"shapes": shapes})


def beam_centre(calibration: Calibration) -> Pair:
    """Direct beam (ky, kx), in pixels.

    Raises
    ------
    ValueError
        If the calibration does not know it (a :class:`Scan` always has one).
    """
    if calibration.centre is None:
        raise ValueError("the calibration has no beam centre")
    return calibration.centre.pair


def bright_field(calibration: Calibration, radius: float) -> VirtualDetector:
    """Return a disk of ``radius`` pixels on the direct beam."""
    disk = Disk(centre=beam_centre(calibration), radius=radius)
    return VirtualDetector(name="Bright field", shapes=(disk,))


def dark_field(calibration: Calibration, inner: float, outer: float) -> VirtualDetector:
    """Return a ring around the direct beam, radii in pixels (annular dark field)."""
    ring = Annulus(centre=beam_centre(calibration), inner=inner, outer=outer)
    return VirtualDetector(name="Dark field", shapes=(ring,))
