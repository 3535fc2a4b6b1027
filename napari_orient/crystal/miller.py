"""Which way does a plane or a direction of a crystal point? From Miller indices to unit vectors.

Crystal axes: e1 || a, e3 || c*.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.maps import is_hexagonal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

Indices = tuple[int, int, int]
_WHOLE = 0.05  # by which turned axes may miss whole indices: files round


def parse_indices(text: str, kind: str, phase: Phase) -> Indices:
    """Read Miller or Miller-Bravais indices; the brackets may be there.

    Parameters
    ----------
    text
        "111", "1-10", "{10-12}", "[1 -1 0]"; blanks or commas part indices of two digits.
    kind
        "plane" or "direction": four indices mean different things.
    phase
        Four indices need hexagonal axes.

    Returns
    -------
    indices
        Three: (h, k, l) of a plane, [u, v, w] of a direction.

    Raises
    ------
    ValueError
        If they cannot be read, are all zero, or are four that do not fit the crystal.
    """
    inner = re.sub(r"[−–]", "-", text.strip().strip("[](){}<>⟨⟩")).strip()
    pieces = re.split(r"[\s,]+", inner) if re.search(r"\d[\s,]+[-\d]", inner) else None
    found = pieces or re.findall(r"-?\s*\d", inner)
    if (pieces is None and re.sub(r"-?\s*\d", "", inner).strip()) or len(found) not in (3, 4):
        raise ValueError(f"{text!r}: three or four whole indices expected, such as 111 or 10-12")
    try:
        numbers = [int(one.replace(" ", "")) for one in found]
    except ValueError:
        raise ValueError(f"{text!r}: whole indices expected, such as 111 or 10-12") from None
    if not any(numbers):
        raise ValueError(f"{text!r}: all indices are zero")
    if len(numbers) == 4:
        numbers = _three(numbers, text, kind, phase)
    return numbers[0], numbers[1], numbers[2]


def _three(numbers: list[int], text: str, kind: str, phase: Phase) -> list[int]:
    """Return (h, k, l) for (h, k, i, l), or [u, v, w] for [U, V, T, W]."""
    if not is_hexagonal(phase):
        raise ValueError(
            f"{text!r}: four indices are for hexagonal axes, which {phase.name or 'the phase'} "
            "does not have"
        )
    h, k, i, last = numbers
    if h + k + i:
        raise ValueError(f"{text!r}: the first three of four indices must add up to zero")
    if kind == "plane":
        return [h, k, last]
    three = np.array([h - i, k - i, last])  # U a1 + V a2 + T a3, with a3 = -(a1 + a2)
    return list(map(int, three // np.gcd.reduce(three)))


def normal_of(plane: ArrayLike, phase: Phase) -> NDArray[np.float64]:
    """Unit normals (..., 3) in crystal axes of planes (..., 3) of Miller indices."""
    normal = np.asarray(plane) @ np.linalg.inv(phase.structure.lattice.base).T
    return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True))


def direction_of(direction: ArrayLike, phase: Phase) -> NDArray[np.float64]:
    """Unit vectors (..., 3) in crystal axes of lattice directions (..., 3) [u, v, w]."""
    vector = np.asarray(direction) @ phase.structure.lattice.base
    return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True))


def crystal_vector(phase: Phase, indices: str) -> NDArray[np.float64]:
    """Return the unit vector (3,), crystal axes, of a plane's normal or of a direction.

    Parameters
    ----------
    phase
        Its lattice is used.
    indices
        "(111)", "{111}" or "111" is a plane, "[110]" or "<110>" a direction; otherwise as in
        :func:`parse_indices`.

    Raises
    ------
    ValueError
        If they are no indices of this crystal.
    """
    if indices.strip().startswith(("[", "<", "⟨")):
        return direction_of(parse_indices(indices, "direction", phase), phase)
    return normal_of(parse_indices(indices, "plane", phase), phase)


def check_lattice(phase: Phase) -> None:
    """Refuse a lattice that the rotations of its own point group do not take to itself.

    That of a monoclinic crystal with unique axis b, for instance: the diad of "2/m" is along e3.

    Raises
    ------
    ValueError
        In words that name the phase and the group.
    """
    from napari_orient.crystal.rotations import laue_operators, to_matrix

    base = phase.structure.lattice.base
    turned = base @ to_matrix(laue_operators(phase.point_group)).mT @ np.linalg.inv(base)
    if np.abs(turned - np.rint(turned)).max() > _WHOLE:
        raise ValueError(
            f"The lattice of {phase.name or 'the phase'} does not have the symmetry "
            f"{phase.point_group.name} with the axes that are used here (the diad of 2/m along c, "
            "those of -3m along a)."
        )
