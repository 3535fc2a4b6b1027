"""How much of the material has one of the well-known orientations of textures?

A component is an ideal orientation, {plane} parallel to the sheet and <direction> along the rolling
direction, or a fibre, a plane's normal or a direction along an axis of the sample. Its fraction is
the weight of the orientations within a tolerance, of 15 degrees by default: no distribution is
smoothed for it. Components can overlap, and then a point counts in each of them.

Sheet has orthotropic symmetry, so that {123}<634> stands for four orientations (two or one for
components of higher symmetry): by default all of these variants count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_orient.analysis.texture.axes import SampleAxes
from napari_orient.analysis.texture.orientations import usable
from napari_orient.crystal.miller import crystal_vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

Structure = Literal["fcc", "bcc", "hcp"]
TOLERANCE = 15.0
_RANDOM = 50_000  # orientations that the share in a random texture is counted from


@dataclass(frozen=True)
class Component:
    """An ideal orientation or a fibre.

    Parameters
    ----------
    name
        "Goss", "gamma fibre" ...
    plane
        Of an orientation: indices of the plane parallel to the sheet, "(011)", normal along ND. Of
        a fibre: indices of the plane, or of the direction, "[110]", along ``axis``.
    direction
        Of an orientation: indices of the direction along RD, "[100]"; empty for a fibre.
    axis
        Of a fibre: "RD", "TD", "ND" or an axis of the map.
    """

    name: str
    plane: str
    direction: str = ""
    axis: str = "ND"

    @property
    def is_fibre(self) -> bool:
        """Whether one axis alone is given."""
        return not self.direction

    @property
    def words(self) -> str:
        """What it is, with the brackets of equivalents: {011}<100>, or <110> ∥ RD."""
        plane = self.plane.translate(str.maketrans("()[]", "{}<>"))
        if self.is_fibre:
            return f"{plane} ∥ {self.axis}"
        return plane + self.direction.translate(str.maketrans("[]", "<>"))

    def matrix(self, phase: Phase) -> NDArray[np.float64]:
        """(3, 3) of an ideal orientation: components along RD, TD, ND -> crystal axes.

        Raises
        ------
        ValueError
            If the direction does not lie in the plane.
        """
        normal, along = (crystal_vector(phase, i) for i in (self.plane, self.direction))
        if abs(normal @ along) > 1e-6:
            raise ValueError(f"{self.direction} does not lie in {self.plane}")
        return np.stack([along, np.cross(normal, along), normal], axis=1)


_FCC = (
    Component("Cube", "(001)", "[100]"),
    Component("Goss", "(011)", "[100]"),
    Component("Brass", "(011)", "[2-11]"),
    Component("Copper", "(112)", "[11-1]"),
    Component("S", "(123)", "[63-4]"),
)
_BCC = (
    Component("Rotated cube", "(001)", "[110]"),
    Component("Goss", "(011)", "[100]"),
    Component("Alpha fibre", "[110]", axis="RD"),
    Component("Gamma fibre", "(111)", axis="ND"),
)
_HCP = (
    Component("Basal", "(0001)", axis="ND"),
    Component("Transverse", "(0001)", axis="TD"),
    Component("c along RD", "(0001)", axis="RD"),
    Component("Prismatic", "(10-10)", axis="RD"),
)
_SETS: dict[Structure, tuple[Component, ...]] = {"fcc": _FCC, "bcc": _BCC, "hcp": _HCP}


def structure_of(phase: Phase) -> Structure | None:
    """Return whose components a phase has; None where the file does not tell, or has none.

    Cubic phases are told apart by the space groups of metals, Fm-3m and Im-3m; many files have no
    space group, or a wrong one.
    """
    from napari_orient.data.maps import is_hexagonal

    laue = phase.point_group.laue.name if phase.point_group is not None else ""
    if laue in ("6/mmm", "6/m", "-3m", "-3") and is_hexagonal(phase):
        return "hcp"
    metals: dict[Any, Structure] = {225: "fcc", 229: "bcc"}
    return metals.get(getattr(phase.space_group, "number", None))


def known_components(phase: Phase, structure: Structure | None = None) -> tuple[Component, ...]:
    """Return the named components of a phase.

    Parameters
    ----------
    phase
        Its space group says whether it is fcc or bcc.
    structure
        Where the phase does not tell, or to overrule it. Cubic phases that do not tell get those of
        both; other crystals than cubic and hexagonal ones have none.
    """
    structure = structure or structure_of(phase)
    if structure is not None:
        return _SETS[structure]
    cubic = phase.point_group is not None and phase.point_group.laue.name in ("m-3m", "m-3")
    return tuple(dict.fromkeys((*_FCC, *_BCC))) if cubic else ()


class Share(NamedTuple):
    """The share of a component.

    Attributes
    ----------
    component
        Which.
    fraction
        Of the weight within the tolerance, 0 to 1.
    random
        The same for a random texture.
    variants
        How many orientations stand for it, by symmetry of the sample; 1 for a fibre.
    """

    component: Component
    fraction: float
    random: float
    variants: int


def component_shares(
    quaternions: ArrayLike,
    phase: Phase,
    components: Sequence[Component] | None = None,
    *,
    weights: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
    axes: SampleAxes | None = None,
    variants: bool = True,
) -> tuple[Share, ...]:
    """Measure the shares of components, of those known for the phase if none are given.

    Parameters
    ----------
    quaternions, weights
        (..., 4) and (...), as for the ODF.
    phase
        With point group and lattice.
    components
        Which.
    tolerance
        Degrees from the ideal orientation or the fibre.
    axes
        RD, TD and ND; by default x, y and z of the map.
    variants
        Count the variants by half turns about RD, TD and ND as well.

    Raises
    ------
    ValueError
        If there are no orientations, for indices that are none of the crystal, or a tolerance that
        is not above 0 and up to 60 degrees.
    """
    if not 0 < tolerance <= 60:
        raise ValueError(f"tolerance {tolerance:g}: more than 0, up to 60 degrees")
    q, w = usable(quaternions, weights)
    axes = axes or SampleAxes()
    random = _random()
    shares = []
    for component in known_components(phase) if components is None else components:
        ideals = ideal_orientations(component, phase, axes, variants)
        inside, by_chance = (
            _distance(some, component, phase, axes, ideals) <= tolerance for some in (q, random)
        )
        fraction = float(w[inside].sum() / w.sum())
        shares.append(Share(component, fraction, float(by_chance.mean()), max(1, len(ideals))))
    return tuple(shares)


@cache
def _random() -> Any:
    from napari_orient.crystal.quaternions import random_orientations

    return random_orientations(_RANDOM, 0)


def ideal_orientations(
    component: Component, phase: Phase, axes: SampleAxes | None = None, variants: bool = True
) -> NDArray[np.float64]:
    """Return the distinct orientations (n, 4) in the map frame that a component stands for.

    None, (0, 4), for a fibre.
    """
    from napari_orient.crystal.rotations import from_matrix, misorientation_angle, multiply

    if component.is_fibre:
        return np.empty((0, 4))
    axes = axes or SampleAxes()
    ideal = from_matrix(component.matrix(phase) @ axes.matrix)
    copies = multiply(ideal, axes.diads() if variants else np.eye(1, 4))
    kept: list[NDArray[np.float64]] = []
    for one in copies:
        known = np.array(kept).reshape(-1, 4)
        if not (misorientation_angle(known, one[None], phase.point_group) < 0.01).any():
            kept.append(one)
    return np.array(kept)


def _distance(
    q: NDArray[np.float64],
    component: Component,
    phase: Phase,
    axes: SampleAxes,
    ideals: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Degrees (n,) from a component."""
    from napari_orient.crystal.rotations import (
        laue_operators,
        misorientation_angle,
        rotate,
        to_matrix,
    )

    if len(ideals):
        angles = [misorientation_angle(q, ideal[None], phase.point_group) for ideal in ideals]
        return np.asarray(np.min(angles, axis=0))
    there = to_matrix(laue_operators(phase.point_group)) @ crystal_vector(phase, component.plane)
    along = rotate(q, axes.vector(component.axis))  # the axis of the sample in the crystal
    nearest = np.abs(along @ there.T).max(axis=1)
    return np.asarray(np.degrees(np.arccos(np.minimum(nearest, 1.0))))
