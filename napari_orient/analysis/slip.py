"""On which slip system does a crystal slip, and how well is it turned for that?

Schmid's law: a pull along l puts the share (l . n)(l . b) of its stress on the plane with the
normal n, in the direction b (Schmid and Boas, Kristallplastizität, 1935). The largest
of a family, 0 to 0.5, is the crystal's Schmid factor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.crystal.miller import (
    check_lattice,
    direction_of,
    normal_of,
    parse_indices,
)
from napari_orient.data.maps import is_hexagonal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.maps import OrientationMap

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
_CHUNK = 2**17

FCC = {"octahedral": "{111}<1-10>"}
BCC = {"{110}": "{110}<1-11>", "{112}": "{112}<11-1>"}
HCP = {
    "basal <a>": "{0001}<11-20>",
    "prismatic <a>": "{10-10}<11-20>",
    "pyramidal <a>": "{10-11}<11-20>",
    "pyramidal I <c+a>": "{10-11}<11-23>",
    "pyramidal II <c+a>": "{11-22}<11-23>",
}
# Plane and direction of the shear, in its sense: Christian and Mahajan, Prog. Mater. Sci. 39 (1995)
# 1.
FCC_TWIN = {"twin": "(111)[11-2]"}
BCC_TWIN = {"twin": "(112)[-1-11]"}
HCP_TWIN = {"twin {10-12}": "(10-12)[-1011]", "twin {11-22}": "(11-22)[11-2-3]"}
HCP_TWIN_LONG = HCP_TWIN | {"twin {10-12}": "(10-12)[10-1-1]"}  # c/a above sqrt 3: Zn, Cd


@dataclass(frozen=True, eq=False)
class SlipFamily:
    """Slip systems that the symmetry of a crystal makes equal.

    Attributes
    ----------
    name
        As it is written: "{111}<1-10>".
    normals, directions
        (n, 3) unit vectors in crystal axes, at right angles to each other.
    systems
        Each one's name, "(1 1 1)[1 -1 0]"; four indices on hexagonal axes.
    twinning
        The shear has a sense: only a pull that drives it forward counts.
    """

    name: str
    normals: NDArray[np.float64]
    directions: NDArray[np.float64]
    systems: tuple[str, ...]
    twinning: bool = False

    def __len__(self) -> int:
        return len(self.systems)


# --- families ------------------------------------------------------------------------------------


def slip_family(text: str, phase: Phase, *, twinning: bool = False) -> SlipFamily:
    """Return all systems that the symmetry makes of one.

    Parameters
    ----------
    text
        "(111)[1-10]": this direction must lie in this plane. "{111}<1-10>": any direction of the
        form that does. Four indices on hexagonal axes.
    phase
        Its lattice and symmetry.
    twinning
        The shear has a sense, from the direction's sign.

    Raises
    ------
    ValueError
        If the indices cannot be read, no such direction lies in the plane, or the lattice does not
        have the symmetry.
    """
    match = re.fullmatch(r"\s*([({].*?[)}])\s*([\[<⟨].*?[\]>⟩])\s*", text)
    if not match:
        raise ValueError(f"{text!r}: a plane and a direction expected, such as (111)[1-10]")
    if phase.point_group is None:
        raise ValueError(f"{phase.name or 'the phase'} has no point group: no family follows")
    check_lattice(phase)
    plane = parse_indices(match[1], "plane", phase)
    shear = parse_indices(match[2], "direction", phase)
    if match[2][0] == "[":
        shears = np.array([shear])
    else:
        shears, _ = _equal(np.array([shear]), np.array([[0, 0, 0]]), phase)
    inside = shears[shears @ np.array(plane) == 0]
    if not len(inside):
        which = "the direction does not lie" if match[2][0] == "[" else "no such direction lies"
        raise ValueError(f"{text!r}: {which} in the plane (hu + kv + lw is not zero)")
    shears, planes = _equal(inside, np.tile(plane, (len(inside), 1)), phase)
    kept = _once(planes, shears, polar=twinning)
    planes, shears = planes[kept], shears[kept]
    normals, directions = normal_of(planes, phase), direction_of(shears, phase)
    names = zip(_written(planes, "plane", phase), _written(shears, "direction", phase), strict=True)
    systems = tuple(f"({plane})[{shear}]" for plane, shear in names)
    return SlipFamily(text.strip(), normals, directions, systems, twinning)


def _written(indices: NDArray[np.int64], kind: str, phase: Phase) -> list[str]:
    """Return indices (n, 3) as they are written, four of them on hexagonal axes."""
    if is_hexagonal(phase):
        u, v, w = indices.T
        if kind == "direction":  # [u, v, w] -> [U, V, T, W]
            u, v, w = 2 * u - v, 2 * v - u, 3 * w
        indices = np.stack([u, v, -(u + v), w], axis=1)
        indices //= np.gcd.reduce(indices, axis=1, keepdims=True)
    return [" ".join(map(str, one)) for one in indices.tolist()]


def _equal(
    shears: NDArray[np.int64], planes: NDArray[np.int64], phase: Phase
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Turn pairs (n, 3) of direction and plane by all operators, as indices."""
    from napari_orient.crystal.rotations import laue_operators, to_matrix

    base = phase.structure.lattice.base
    turns = to_matrix(laue_operators(phase.point_group))
    # rows: [u, v, w] @ base is cartesian; (h, k, l) @ (base^-1)^T too
    u = shears @ base @ turns.transpose(0, 2, 1) @ np.linalg.inv(base)
    h = planes @ np.linalg.inv(base).T @ turns.transpose(0, 2, 1) @ base.T
    return (np.rint(u).astype(int).reshape(-1, 3), np.rint(h).astype(int).reshape(-1, 3))


def _once(planes: NDArray[np.int64], shears: NDArray[np.int64], *, polar: bool) -> list[int]:
    """Places of pairs that differ; (n, b) is (-n, -b), and without a sense also (n, -b)."""
    seen: set[tuple[int, ...]] = set()
    kept = []
    for place, (plane, shear) in enumerate(zip(planes.tolist(), shears.tolist(), strict=True)):
        signs = ((1, 1), (-1, -1)) if polar else ((1, 1), (-1, -1), (1, -1), (-1, 1))
        if (*plane, *shear) not in seen:
            kept.append(place)
        for s, t in signs:
            seen.add((*(s * i for i in plane), *(t * i for i in shear)))
    return kept


def slip_families(phase: Phase, *, twins: bool = False) -> dict[str, SlipFamily]:
    """Return the families that crystals of this kind slip on, the most usual first; perhaps none.

    Cubic crystals have those of fcc and of bcc metals, with those of bcc first in the space group
    229; hexagonal ones (6/mmm) those of hcp metals.

    Parameters
    ----------
    phase
        The crystal.
    twins
        With the systems that it twins on.
    """
    if phase.point_group is None:
        return {}
    slips: dict[str, str] = {}
    shears: dict[str, str] = {}
    if phase.point_group.laue.name == "m-3m":
        kinds = [("fcc", FCC, FCC_TWIN), ("bcc", BCC, BCC_TWIN)]
        bcc = phase.space_group is not None and phase.space_group.number == 229
        for kind, slip, shear in kinds[::-1] if bcc else kinds:
            slips |= {f"{kind} {name}": text for name, text in slip.items()}
            shears |= {f"{kind} {name}": text for name, text in shear.items()}
    elif phase.point_group.laue.name == "6/mmm":
        lattice = phase.structure.lattice
        slips, shears = HCP, HCP_TWIN if lattice.c < np.sqrt(3) * lattice.a else HCP_TWIN_LONG
    made = {name: slip_family(text, phase) for name, text in slips.items()}
    if twins:
        made |= {n: slip_family(text, phase, twinning=True) for n, text in shears.items()}
    return made


# --- Schmid factors ------------------------------------------------------------------------------


def load_direction(load: str | ArrayLike) -> NDArray[np.float64]:
    """Return the unit vector (3,) of a load: "x" (right), "y" (down), "z", or three numbers.

    Raises
    ------
    ValueError
        If it is none of these, or has no length.
    """
    named: Any = AXES.get(load.strip().lower(), load) if isinstance(load, str) else load
    try:
        vector = np.asarray(named.replace(",", " ").split() if isinstance(named, str) else named)
        vector = vector.astype(np.float64)
    except ValueError:
        vector = np.zeros(0)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(f"{load!r} is no direction: x, y, z or three numbers expected")
    return vector / np.linalg.norm(vector)


def schmid_factor(
    quaternions: NDArray[np.float64],
    family: SlipFamily,
    load: str | ArrayLike = "x",
    *,
    compression: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the Schmid factor of crystals, and the system that has it.

    Parameters
    ----------
    quaternions
        (..., 4) orientations.
    family
        Of slip systems.
    load
        Direction of the uniaxial stress in the map frame, as in :func:`load_direction`.
    compression
        A push instead of a pull; only twinning knows the difference.

    Returns
    -------
    factor
        (...) the largest of |cos phi cos lambda| of the family, 0 to 0.5; of twins that of the
        forward sense, zero where all would be driven back. NaN where the orientation is.
    system
        (...) its place in the family; -1 where NaN.
    """
    from napari_orient.crystal.rotations import rotate

    vector, sign = load_direction(load), -1 if compression else 1
    flat = np.asarray(quaternions, np.float64).reshape(-1, 4)
    factor, system = np.full(len(flat), np.nan), np.full(len(flat), -1, np.int32)
    for start in range(0, len(flat), _CHUNK):
        some = slice(start, start + _CHUNK)
        pull = rotate(flat[some], vector)
        stress = (pull @ family.normals.T) * (pull @ family.directions.T)
        stress = np.maximum(sign * stress, 0.0) if family.twinning else np.abs(stress)
        largest = stress.max(axis=1)
        factor[some] = largest
        # of systems that are equally loaded the first, whatever the rounding
        first = (stress >= largest[:, None] - 1e-9).argmax(axis=1)
        system[some] = np.where(np.isfinite(largest), first, -1)
    shape = quaternions.shape[:-1]
    return factor.reshape(shape), system.reshape(shape)


def schmid_map(
    orientations: OrientationMap,
    families: Mapping[int, SlipFamily],
    load: str | ArrayLike = "x",
    *,
    compression: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the Schmid factor (y, x) at each point of a map, and the system that has it.

    Parameters
    ----------
    orientations
        (y, x) or (z, y, x).
    families
        Number of a phase -> its family. Points of other phases, and those that are not indexed,
        are NaN, their system -1.
    load, compression
        As in :func:`schmid_factor`.
    """
    factor = np.full(orientations.shape, np.nan)
    system = np.full(orientations.shape, -1, np.int32)
    for number, family in families.items():
        here = orientations.indexed & (orientations.phase_id == number)
        factor[here], system[here] = schmid_factor(
            orientations.quaternions[here], family, load, compression=compression
        )
    return factor, system
