"""Which way does a plane or a direction of a crystal point? From Miller indices to unit vectors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.data.maps import is_hexagonal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase


def is_direction(indices: str) -> bool:
    """Say whether indices are those of a direction, "[110]" or "<110>", not of a plane."""
    return indices.strip().startswith(("[", "<"))


def crystal_vector(phase: Phase, indices: str) -> NDArray[np.float64]:
    """Return the unit vector (3,), crystal axes, of a plane's normal or of a direction.

    Parameters
    ----------
    phase
        Its lattice is used.
    indices
        "(111)", "{111}" or "111" is a plane, "[110]" or "<110>" a direction; four indices on
        hexagonal axes, "(10-10)"; indices of two digits with spaces, "(1 0 -1 10)".

    Raises
    ------
    ValueError
        If they are no indices of this crystal.
    """
    if phase.structure is None or phase.structure.lattice is None:
        raise ValueError(f"{phase.name} has no lattice: indices need one")
    numbers = index_numbers(indices)
    four = len(numbers) == 4
    if four and not is_hexagonal(phase):
        raise ValueError(f"{indices}: {phase.name} has no hexagonal axes, three indices are needed")
    if four and numbers[0] + numbers[1] + numbers[2]:
        raise ValueError(f"{indices}: the first three of four indices add up to zero")
    base, last = phase.structure.lattice.base, numbers[-1]  # rows a, b, c
    first, second = numbers[:2]
    if is_direction(indices):
        if four:  # [UVTW] has the components U - T, V - T, W
            first, second = 2 * first + second, first + 2 * second
        vector = np.array([first, second, last]) @ base
    else:
        vector = np.linalg.inv(base) @ np.array([first, second, last])
    return np.asarray(vector / np.linalg.norm(vector))


def index_numbers(indices: str) -> tuple[int, ...]:
    """Return the numbers of "(10-10)", "1 0 -1 10" and the like.

    Raises
    ------
    ValueError
        If there are not three or four whole numbers, not all of them zero.
    """
    inside = indices.strip().strip("()[]{}<>")
    apart = re.split(r"[\s,]+", inside.strip())
    found = apart if len(apart) > 1 else re.findall(r"-?\d", inside)
    whole = all(re.fullmatch(r"-?\d+", one) for one in found)
    if not whole or (len(apart) == 1 and "".join(found) != inside) or len(found) not in (3, 4):
        raise ValueError(f"{indices!r}: three or four whole numbers are needed, as in (111)")
    numbers = tuple(int(one) for one in found)
    if not any(numbers):
        raise ValueError(f"{indices!r}: not all indices can be zero")
    return numbers
