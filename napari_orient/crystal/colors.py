"""Which colour stands for an orientation? A scheme says it, and a map becomes a picture.

Four keys: the TSL key and the continuous key of inverse pole figures, small deviations from a
reference orientation, and Euler angles; a property of the map may scale their brightness.

Symmetry acts on the crystal side: ``s * q`` has the colour of ``q`` for each symmetry operation s.
Sample directions are components in the map frame: x right, y down, z into the page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from napari_orient.config import Config
from napari_orient.crystal.continuous_key import ContinuousKey, continuous_key
from napari_orient.crystal.tsl_key import JUMP_NOTE, ColorKey, color_key, key_is_continuous

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_orient.data.maps import OrientationMap

    Direction = str | Sequence[float]

__all__ = [
    "BLACK_BELOW", "JUMP_NOTE", "SAMPLE_DIRECTIONS", "ColorKey", "ColourScheme", "Resolved",
    "brightness", "color_key", "colour_image", "continuous_key", "direction_along",
    "fraction_in_range", "ipf_colors", "ipf_image", "key_is_continuous", "orientation_colours",
    "resolve", "sample_direction",
]  # fmt: skip

SAMPLE_DIRECTIONS = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}
BLACK_BELOW, FULL_ABOVE = 1, 99  # percentiles of a property between which brightness grows
UNDEFINED = ("CI", "R")  # properties whose values below zero mean "undefined"
_SAMPLE = 20_000  # points that a mean orientation is taken from


def sample_direction(direction: Direction) -> NDArray[np.float64]:
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


class ColourScheme(Config):
    """What the colours of a map mean; the same words in a session, a form and a file."""

    key: Literal["tsl", "continuous", "narrow", "euler"] = Field(
        "tsl",
        description="tsl or continuous: inverse pole figure; narrow: deviation from a reference "
        "orientation; euler: Euler angles",
    )
    direction: Literal["X", "Y", "Z"] | tuple[float, float, float] = Field(
        "Z", description="sample direction of an inverse pole figure: X, Y, Z or [x, y, z]"
    )
    weight: str | None = Field(
        None, description="name of the map's property that scales the brightness, such as Q or BC"
    )
    range_deg: float = Field(
        5.0, gt=0, le=180, description="deviation in degrees at which narrow colours end in black"
    )
    reference: tuple[float, float, float, float] | None = Field(
        None,
        description="unit quaternion that narrow colours deviate from; without one, the mean "
        "orientation of each phase",
    )

    @field_validator("direction")
    @classmethod
    def _some_direction(cls, value: Any) -> Any:
        sample_direction(value)
        if not isinstance(value, str) and all(abs(c) < 1e6 and c == int(c) for c in value):
            shared = math.gcd(*(int(c) for c in value))  # 7 7 0 is called 1 1 0
            return tuple(c / shared for c in value)
        return value

    @field_validator("reference")
    @classmethod
    def _unit(cls, value: Any) -> Any:
        if value is not None:
            length = float(np.linalg.norm(value))
            if not np.isfinite(length) or length == 0:
                raise ValueError("four numbers, not all zero, are needed")
        return value

    @property
    def name(self) -> str:
        """What is written beside the map: "IPF-Z", "IPF-[1 1 0]", "Deviation", "Euler"; "× Q"."""
        if self.key in ("tsl", "continuous"):
            shown = "IPF-" + (
                self.direction
                if isinstance(self.direction, str)
                else "[" + " ".join(f"{c:.4g}" for c in self.direction) + "]"
            )
        else:
            shown = {"narrow": "Deviation", "euler": "Euler"}[self.key]
        return f"{shown} × {self.weight}" if self.weight else shown


class Resolved(NamedTuple):
    """What a scheme takes from the map it colours.

    Attributes
    ----------
    references
        Phase number -> unit quaternion (4,) that narrow colours deviate from.
    limits
        Values of the weighing property that are black and full, or None.
    """

    references: dict[int, Any]
    limits: tuple[float, float] | None


def resolve(orientation_map: OrientationMap, scheme: ColourScheme) -> Resolved:
    """Find the reference orientations and the limits of brightness of a map.

    Raises
    ------
    ValueError
        If the map has no such property, or it is no number.
    """
    references: dict[int, Any] = {}
    if scheme.key == "narrow":
        for number, phase in orientation_map.phases.items():
            there = orientation_map.indexed & (orientation_map.phase_id == number)
            if phase.point_group is not None and there.any():
                references[number] = _reference(orientation_map.quaternions[there], phase, scheme)
    limits = None
    if scheme.weight is not None:
        values = _weights(orientation_map, scheme.weight)
        good = values[np.isfinite(values)]
        if not good.size:
            good = np.zeros(1)
        low, high = (float(v) for v in np.percentile(good, (BLACK_BELOW, FULL_ABOVE)))
        limits = (low, high) if high > low else (low - max(abs(low), 1.0), low)
    return Resolved(references, limits)


def _reference(quaternions: NDArray[np.float64], phase: Any, scheme: ColourScheme) -> Any:
    """The given reference, or the mean of at most so many evenly spaced points."""
    if scheme.reference is not None:
        given = np.asarray(scheme.reference, np.float64)
        return given / np.linalg.norm(given)
    from napari_orient.crystal.rotations import mean_orientation

    return mean_orientation(quaternions[:: -(-len(quaternions) // _SAMPLE)], phase.point_group)


def fraction_in_range(
    orientation_map: OrientationMap, scheme: ColourScheme, resolved: Resolved
) -> float:
    """Return the part of the indexed points that narrow colours do not leave black.

    Of a large map every n-th point is looked at.
    """
    from napari_orient.crystal.deviation_key import deviation_vectors

    inside = points = 0
    for number, reference in resolved.references.items():
        there = orientation_map.indexed & (orientation_map.phase_id == number)
        quaternions = orientation_map.quaternions[there]
        some = quaternions[:: -(-len(quaternions) // _SAMPLE)]
        group = orientation_map.phases[number].point_group
        angles = np.linalg.norm(deviation_vectors(some, reference, group), axis=1)
        inside += int((angles <= scheme.range_deg).sum())
        points += len(some)
    return inside / max(points, 1)


def _weights(orientation_map: OrientationMap, name: str) -> NDArray[np.float64]:
    """Values (y, x) of a property; NaN where undefined or not indexed."""
    values = orientation_map.properties.get(name)
    if values is None:
        known = ", ".join(orientation_map.properties) or "none"
        raise ValueError(f"the map has no property {name!r} for its brightness; it has: {known}")
    if not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"the property {name!r} is no number: it cannot scale brightness")
    floats = values.astype(np.float64)
    good = orientation_map.indexed & np.isfinite(floats)
    if name.upper() in UNDEFINED:
        good &= floats >= 0
    return np.asarray(np.where(good, floats, np.nan))


def brightness(values: ArrayLike, limits: tuple[float, float]) -> NDArray[np.float64]:
    """Return 0, black, at and below the lower limit and for NaN; 1 at and above the upper one."""
    low, high = limits
    scaled = (np.asarray(values, np.float64) - low) / (high - low)
    return np.nan_to_num(np.clip(scaled, 0, 1), nan=0.0)


def colour_image(
    orientation_map: OrientationMap,
    scheme: ColourScheme | None = None,
    resolved: Resolved | None = None,
) -> NDArray[np.uint8]:
    """Return the picture of a map: (..., 4) RGBA; points that are not indexed are transparent.

    Each phase has the key of its own Laue group; points of a phase without point group are grey.

    Parameters
    ----------
    orientation_map
        The map.
    scheme
        What the colours mean; the TSL key along Z if not given.
    resolved
        What :func:`resolve` found, where it is known already.

    Raises
    ------
    ValueError
        If the map lacks the property that scales the brightness.
    """
    scheme = ColourScheme() if scheme is None else scheme
    resolved = resolve(orientation_map, scheme) if resolved is None else resolved
    image = np.zeros((*orientation_map.shape, 4), np.uint8)
    light: Any = np.float64(1.0)
    if scheme.weight is not None and resolved.limits is not None:
        light = brightness(_weights(orientation_map, scheme.weight), resolved.limits)[..., None]
    for number, phase in orientation_map.phases.items():
        there = orientation_map.indexed & (orientation_map.phase_id == number)
        if not there.any():
            continue
        rgb: Any = np.full(3, 0.5)
        if phase.point_group is not None:
            quaternions = orientation_map.quaternions[there]
            reference = resolved.references.get(number)
            rgb = orientation_colours(quaternions, phase.point_group, scheme, reference)
        shade = light[there] if light.ndim else light
        shown = 255 * rgb * shade
        known = np.isfinite(shown).all(axis=-1, keepdims=True)  # not so of a NaN quaternion
        image[there, :3] = np.rint(np.where(known, shown, 0)).astype(np.uint8)
        image[there, 3] = np.where(known[..., 0], 255, 0)
    return image


def orientation_colours(
    quaternions: ArrayLike, point_group: Any, scheme: ColourScheme, reference: Any = None
) -> NDArray[np.float64]:
    """RGB (..., 3), 0 to 1, of orientations (..., 4) at full brightness.

    ``reference``: unit quaternion (4,), needed by the narrow key alone.
    """
    if scheme.key == "euler":
        from napari_orient.crystal.euler_key import euler_colors

        return euler_colors(quaternions, point_group)
    if scheme.key == "narrow":
        from napari_orient.crystal.deviation_key import deviation_colors, deviation_vectors

        vectors = deviation_vectors(quaternions, reference, point_group)
        return deviation_colors(vectors, scheme.range_deg)
    key = direction_key(point_group, scheme)
    return key.colors(_rotate(quaternions, sample_direction(scheme.direction)))


def direction_key(point_group: Any, scheme: ColourScheme) -> ColorKey | ContinuousKey:
    """Return the key of a scheme that colours crystal directions."""
    return continuous_key(point_group) if scheme.key == "continuous" else color_key(point_group)


def ipf_colors(
    quaternions: ArrayLike, point_group: Any, direction: Direction = "Z"
) -> NDArray[np.float64]:
    """Colour orientations by the crystal direction along a sample direction, in the TSL key.

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
    return color_key(point_group).colors(_rotate(quaternions, sample_direction(direction)))


def ipf_image(orientation_map: OrientationMap, direction: Direction = "Z") -> NDArray[np.uint8]:
    """Return the picture of a map in the TSL key: :func:`colour_image` for one direction."""
    return colour_image(orientation_map, ColourScheme(direction=_as_field(direction)))


def _as_field(direction: Direction) -> Any:
    return direction.upper() if isinstance(direction, str) else tuple(direction)


def direction_along(quaternion: ArrayLike, direction: Direction) -> NDArray[np.float64]:
    """Return the crystal direction (3,), in crystal axes, along a sample direction at one point."""
    return _rotate(quaternion, sample_direction(direction))


def _rotate(quaternions: ArrayLike, vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate one vector by unit quaternions (..., 4), as ``orix.quaternion.Rotation`` does."""
    q = np.asarray(quaternions, np.float64)
    axis = q[..., 1:]
    turned = np.cross(axis, vector)
    return np.asarray(vector + 2 * (q[..., :1] * turned + np.cross(axis, turned)))
