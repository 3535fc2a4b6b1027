"""Of what kind is a boundary: low-angle, high-angle, coincidence site lattice, twin?

A law is one rotation between two crystals. A boundary belongs to it where its full misorientation,
axis and angle, is near one of its equivalents: with the symmetry of both crystals and in either
sense, since a boundary has no direction.

The coincidence site lattices of cubic crystals: Grimmer, Bollmann and Warrington, Acta Cryst. A30
(1974) 197; how near is near: 15 degrees / sqrt(sigma), Brandon, Acta Metall. 14 (1966)
1479.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.analysis.twins import TwinLaw

BRANDON = 15.0  # degrees, of sigma 1
TOLERANCE = 5.0  # degrees, of laws other than coincidence site lattices
LOW, HIGH = 2.0, 15.0  # degrees from which on a boundary is one, and a high-angle one
NONE, LOW_ANGLE, HIGH_ANGLE, PHASE_BOUNDARY, FIRST_LAW = range(5)
_WORDS = 'try "sigma 3", "{10-12}" or "86.3 [11-20]"'

# The rotation of each lattice as a quaternion of whole numbers, whose norm is sigma * 1, 2 or 4.
_LATTICES = {
    "3": (3, 1, 1, 1), "5": (3, 1, 0, 0), "7": (5, 1, 1, 1), "9": (4, 1, 1, 0), "11": (3, 1, 1, 0),
    "13a": (5, 1, 0, 0), "13b": (7, 1, 1, 1), "15": (5, 2, 1, 0), "17a": (4, 1, 0, 0),
    "17b": (5, 2, 2, 1), "19a": (6, 1, 1, 0), "19b": (4, 1, 1, 1), "21a": (9, 1, 1, 1),
    "21b": (6, 2, 1, 1), "23": (9, 3, 1, 1), "25a": (7, 1, 0, 0), "25b": (9, 3, 3, 1),
    "27a": (5, 1, 1, 0), "27b": (7, 2, 1, 0), "29a": (5, 2, 0, 0), "29b": (7, 2, 2, 1),
}  # fmt: skip
CSL: tuple[str, ...] = tuple(_LATTICES)
"""Coincidence site lattices that :func:`csl` knows."""


@dataclass(frozen=True)
class Law:
    """A misorientation that a boundary may have.

    Attributes
    ----------
    name
        As it is written: "sigma 3", "{10-12}", "86.3 [11-20]".
    turn
        The rotation, a unit quaternion in crystal axes, one of its equivalents.
    tolerance
        Degrees by which a boundary may deviate from it.
    """

    name: str
    turn: tuple[float, float, float, float]
    tolerance: float

    def angle(self, phase: Phase) -> float:
        """Smallest angle of its equivalents in degrees: sigma 3 60, Mg {10-12} 86.3."""
        from napari_orient.crystal.rotations import misorientation_angle

        identity = np.array([1.0, 0, 0, 0])
        return float(misorientation_angle(np.array(self.turn), identity, phase.point_group))


def _law(name: str, turn: Any, tolerance: float) -> Law:
    w, x, y, z = (np.asarray(turn, np.float64) / np.linalg.norm(turn)).tolist()
    return Law(name, (w, x, y, z), tolerance)


# --- laws ----------------------------------------------------------------------------------------


def csl(sigma: str | int, phase: Phase) -> Law:
    """Return a coincidence site lattice of a cubic crystal, with Brandon's tolerance.

    Parameters
    ----------
    sigma
        One of :data:`CSL`: 3, 5, "13a" ...
    phase
        The crystal.

    Raises
    ------
    ValueError
        If the crystal is not cubic, or the lattice is not in the table.
    """
    found = str(sigma).strip().lower()
    group = "none" if phase.point_group is None else phase.point_group.laue.name
    if group not in ("m-3", "m-3m"):
        raise ValueError(
            f"sigma {found} is a lattice of cubic crystals; {phase.name or 'the phase'} has the "
            f"Laue group {group}"
        )
    if found not in _LATTICES:
        raise ValueError(f"sigma {found} is not in the table: {', '.join(CSL)}")
    number = int(found.rstrip("ab"))
    return _law(f"sigma {found}", _LATTICES[found], BRANDON / np.sqrt(number))


def twin(law: TwinLaw, phase: Phase) -> Law:
    """Return the misorientation of a twin: half a turn about the normal of K1."""
    name = "sigma 3" if "sigma 3" in law.name else law.name
    tolerance = BRANDON / np.sqrt(3) if name == "sigma 3" else TOLERANCE
    return _law(name, (0.0, *law.normals(phase)[0]), tolerance)


def usual_laws(phase: Phase) -> tuple[Law, ...]:
    """Return what is usually looked for: sigma 3, 5, 9 of cubic crystals, the twins of others."""
    from napari_orient.analysis.twins import laws_for

    if phase.point_group is None:
        return ()
    if phase.point_group.laue.name in ("m-3", "m-3m"):
        return tuple(csl(sigma, phase) for sigma in (3, 5, 9))
    return tuple(twin(law, phase) for law in laws_for(phase))


def parse_law(text: str, phase: Phase) -> Law:
    """Read a law: a coincidence site lattice, a twin plane, or an angle and an axis.

    Parameters
    ----------
    text
        "sigma 3" (Brandon's tolerance); "{10-12}", the K1 plane of a twin, or the name of a law of
        :func:`~napari_orient.analysis.twins.laws_for`; "86.3 [11-20]", degrees and lattice
        direction, of three or four indices. "within 3" behind it sets the tolerance in degrees.
    phase
        Its lattice gives plane and direction a place.

    Raises
    ------
    ValueError
        If the text is none of these, or does not fit the crystal.
    """
    from napari_orient.analysis.twins import laws_for

    if phase.point_group is None:
        raise ValueError(f"{phase.name or 'the phase'} has no point group: no law can be applied")
    body, _, tail = re.sub(r"±|\+/?-", "within", text).partition("within")
    law = _known(body.strip(), phase, {law.name: law for law in laws_for(phase)})
    if not tail.strip():
        return law
    return replace(law, tolerance=_number(tail, 0.1, 20.0, "a tolerance", text))


def _known(text: str, phase: Phase, twins: dict[str, TwinLaw]) -> Law:
    from napari_orient.analysis.twins import TwinLaw
    from napari_orient.crystal.miller import direction_of, parse_indices

    lattice = re.fullmatch(r"(?:sigma|csl|s|σ)\s*=?\s*(\d+[ab]?)", text.lower())
    if lattice:
        return csl(lattice.group(1), phase)
    if text in twins:
        return twin(twins[text], phase)
    turn = re.fullmatch(r"([\d.]+)\s*(?:°|deg|degrees)?\s*([\[<].*[\]>])", text)
    if turn:
        angle = _number(turn.group(1), 0.1, 180.0, "an angle", text)
        axis = direction_of(parse_indices(turn.group(2), "direction", phase), phase)
        half = np.radians(angle) / 2
        name = f"{angle:g} {turn.group(2)}"
        return _law(name, (np.cos(half), *(np.sin(half) * axis)), TOLERANCE)
    if re.fullmatch(r"[({].*[)}]", text):
        return twin(TwinLaw(parse_indices(text, "plane", phase), text), phase)
    raise ValueError(f"{text!r} is no law of a boundary; {_WORDS}")


def _number(text: str, least: float, most: float, what: str, where: str) -> float:
    try:
        value = float(text.strip(" °"))
    except ValueError:
        raise ValueError(f"{text.strip()!r} in {where!r} is no number; {_WORDS}") from None
    if not least <= value <= most:
        raise ValueError(
            f"{what} of {value:g} degrees in {where!r}: {least:g} to {most:g} expected"
        )
    return value


# --- pairs of crystals ---------------------------------------------------------------------------


def deviation(
    q_a: NDArray[np.float64], q_b: NDArray[np.float64], law: Law, phase: Phase
) -> NDArray[np.float64]:
    """Measure how far misorientations are from a law.

    Parameters
    ----------
    q_a, q_b
        (..., 4) orientations of the two crystals; shapes broadcast.
    law
        The law.
    phase
        Of both crystals.

    Returns
    -------
    deviation
        (...) degrees (to 1e-5), the smallest over the symmetry of both and either sense; NaN where
        an orientation is.
    """
    from napari_orient.crystal.nearest import nearest_operators

    shape = np.broadcast_shapes(q_a.shape, q_b.shape)
    a, b = (
        np.ascontiguousarray(np.broadcast_to(q, shape), np.float64).reshape(-1, 4)
        for q in (q_a, q_b)
    )
    variants = equivalents(law, phase)
    inverse = np.ascontiguousarray(variants * [1.0, -1.0, -1.0, -1.0])
    cosine, _ = nearest_operators(a, b, inverse)
    return np.asarray(np.degrees(2 * np.arccos(np.minimum(cosine, 1.0))).reshape(shape[:-1]))


def is_law(
    q_a: NDArray[np.float64], q_b: NDArray[np.float64], law: Law, phase: Phase
) -> NDArray[np.bool_]:
    """Say which pairs (...) of crystals (..., 4) deviate no more from a law than it tolerates."""
    return np.asarray(deviation(q_a, q_b, law, phase) <= law.tolerance)


def equivalents(law: Law, phase: Phase) -> NDArray[np.float64]:
    """Return all rotations (n, 4) that a law means, each once: sigma 3 has 96."""
    from napari_orient.crystal.rotations import laue_operators

    return _equivalents(law.turn, laue_operators(phase.point_group).tobytes())


@cache
def _equivalents(turn: tuple[float, ...], group: bytes) -> NDArray[np.float64]:
    from napari_orient.crystal.rotations import conjugate, multiply

    operators, one = np.frombuffer(group).reshape(-1, 4), np.array(turn)
    both = np.stack([one, conjugate(one)])
    all_of_them = multiply(multiply(operators[:, None, None], both[:, None]), operators)
    q = all_of_them.reshape(-1, 4)
    # of q and -q the one whose first component that is not zero is positive
    lead = np.take_along_axis(q, (np.abs(q) > 1e-9).argmax(axis=1)[:, None], axis=1)
    q = q * np.sign(lead)
    _, first = np.unique(q.round(7) + 0.0, axis=0, return_index=True)
    return np.asarray(q[np.sort(first)])


def class_names(laws: Sequence[Law], low: float = LOW, high: float = HIGH) -> tuple[str, ...]:
    """Return the name of each class that :func:`classify` and the maps of boundaries give."""
    return (
        "none",
        f"low-angle, {low:g}–{high:g}°",
        f"high-angle, > {high:g}°",
        "between phases",
        *(law.name for law in laws),
    )


def classify(
    q_a: NDArray[np.float64],
    q_b: NDArray[np.float64],
    laws: Sequence[Law],
    phase: Phase,
    *,
    low: float = LOW,
    high: float = HIGH,
) -> NDArray[np.uint8]:
    """Say of what kind the boundaries between crystals of one phase are.

    Parameters
    ----------
    q_a, q_b
        (n, 4) orientations of the two crystals.
    laws
        Those looked for. Of several that fit, the one whose tolerance is used up least.
    phase
        Of all crystals.
    low, high
        Degrees from which on there is a boundary, and from which on it is a high-angle one.

    Returns
    -------
    classes
        (n,) places in :func:`class_names`: 0 below ``low`` and where an orientation is NaN, 1
        low-angle, 2 other high-angle boundaries, 4 + i law i.
    """
    from napari_orient.crystal.rotations import misorientation_angle

    angles = misorientation_angle(q_a, q_b, phase.point_group)
    classes = np.select([angles > high, angles > low], [HIGH_ANGLE, LOW_ANGLE], NONE)
    classes = classes.astype(np.uint8)
    least = np.ones(len(angles))  # of the tolerance
    for number, law in enumerate(laws, FIRST_LAW):
        # as near as the whole misorientations are, so near are the smallest angles
        near = np.flatnonzero((np.abs(angles - law.angle(phase)) <= law.tolerance) & (angles > low))
        used = deviation(q_a[near], q_b[near], law, phase) / law.tolerance
        better = used <= least[near]
        classes[near[better]], least[near[better]] = number, used[better]
    return classes
