"""Which boundaries are twins, and do they run along the trace of their plane?

A twin of the first kind is its parent turned by 180 degrees about the normal of K1, the plane that
both share (Christian and Mahajan, Prog. Mater. Sci. 39 (1995) 1, section 2.1). So the lattice and
the indices of K1 give the misorientation, and a coherent boundary runs along K1: on the map, along
the line in which K1 cuts the surface, its trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.jobs import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

SHARED = 5.0  # degrees within which both crystals must have K1 in one plane
_SMALLEST = 10  # pieces of a boundary: the steps of shorter ones turn them by more than 7 degrees
_STRAIGHT = 0.35  # widest to longest; more is a corner, or two boundaries
_STEEP = 0.5  # sine of the angle between K1 and the surface; a flatter plane has no sure trace
_CHUNK = 2**17
_LOWEST_CI = 0.1  # EDAX: below, an answer is a guess


@dataclass(frozen=True)
class TwinLaw:
    """A twin by its K1 plane.

    Attributes
    ----------
    plane
        Miller indices h, k, l of K1; the other planes of the form follow from the symmetry.
    name
        As it is written, "{10-12}".
    tolerance
        Degrees by which the misorientation may differ from the law's.
    """

    plane: tuple[int, int, int]
    name: str
    tolerance: float = 4.0

    def normals(self, phase: Phase) -> NDArray[np.float64]:
        """Unit normals (n, 3) of the planes of the form, in crystal axes, one of each pair."""
        from napari_orient.crystal.rotations import laue_operators, to_matrix

        reciprocal = np.linalg.inv(phase.structure.lattice.base).T  # rows a*, b*, c*
        normal = np.array(self.plane) @ reciprocal
        all_of_them = to_matrix(laue_operators(phase.point_group)) @ (
            normal / np.linalg.norm(normal)
        )
        kept: list[NDArray[np.float64]] = []
        for one in all_of_them:
            if not kept or np.abs(np.array(kept) @ one).max() < 1 - 1e-6:
                kept.append(one)
        return np.array(kept)

    def angle(self, phase: Phase) -> float:
        """Misorientation of the twin in degrees: Mg {10-12} 86.3, fcc {111} 60."""
        from napari_orient.crystal.rotations import from_axis_angle, misorientation_angle

        turn = from_axis_angle(self.normals(phase)[0], 180.0)
        return float(misorientation_angle(turn, np.array([1.0, 0, 0, 0]), phase.point_group))


HEXAGONAL = (
    TwinLaw((1, 0, 2), "{10-12}"), TwinLaw((1, 0, 1), "{10-11}"),
    TwinLaw((1, 1, 2), "{11-22}"), TwinLaw((1, 1, 1), "{11-21}"),
)  # fmt: skip
CUBIC = (TwinLaw((1, 1, 1), "{111}, sigma 3"),)
TRIGONAL = (TwinLaw((0, 1, 8), "{01-18}"), TwinLaw((0, 1, 2), "{01-12}"))
TETRAGONAL = (TwinLaw((1, 0, 1), "{101}"),)


def laws_for(phase: Phase) -> tuple[TwinLaw, ...]:
    """Return the twins that a crystal of this kind forms, the most usual first; perhaps none.

    Hexagonal metals (c/a 1.5 to 2) twin on {10-12} first, fcc metals on {111}. Body-centred ones
    are left out: three of their {112} planes fit any sigma-3 boundary, which says nothing.
    """
    if phase.point_group is None:
        return ()
    lattice, group = phase.structure.lattice, phase.point_group.laue.name
    if group == "6/mmm":
        return HEXAGONAL if 1.5 < lattice.c / lattice.a < 2.0 else ()
    if group == "m-3m":
        return () if phase.space_group is not None and phase.space_group.number == 229 else CUBIC
    return {"-3m": TRIGONAL, "4/mmm": TETRAGONAL}.get(group, ())


class TwinPairs(NamedTuple):
    """Neighbouring points of a section that are twins.

    Attributes
    ----------
    total
        How many have the misorientation.
    places
        (n, 2) of those that share K1: the middle between the two points, (y, x) in pixels.
    normals
        (n, 3) normals of the shared plane in the map frame.
    """

    total: int
    places: NDArray[np.float64]
    normals: NDArray[np.float64]


class Boundaries(NamedTuple):
    """Straight twin boundaries.

    Attributes
    ----------
    lines
        (n, 2) unit vectors (y, x) along the boundary.
    normals
        (n, 3) mean normal of its K1 in the map frame.
    lengths
        (n,) in pixels.
    """

    lines: NDArray[np.float64]
    normals: NDArray[np.float64]
    lengths: NDArray[np.float64]


def find_twins(orientations: OrientationMap, laws: dict[int, TwinLaw]) -> Job[list[TwinPairs]]:
    """Find the neighbours that are twins, in each section of a map or a volume.

    Points that are not indexed, or of EDAX's confidence 0.1 and below, take no part.

    Parameters
    ----------
    orientations
        (y, x) or (z, y, x).
    laws
        Number of a phase -> its twin law.

    Yields
    ------
    Progress
        In pairs of neighbours.

    Returns
    -------
    pairs
        One for each section and law.
    """
    found = []
    tasks = [(n, law, i) for n, law in laws.items() for i in range(_count(orientations))]
    for step, (number, law, section) in enumerate(tasks):
        quaternions, there = _trusted(orientations, number, section)
        pairs = _neighbours(there)
        phase, parts = orientations.phases[number], []
        for start in range(0, max(len(pairs), 1), _CHUNK):
            done = step + start / max(len(pairs), 1)
            yield Progress(round(100 * done), 100 * len(tasks), f"{phase.name} {law.name}")
            parts.append(_twins_among(quaternions, pairs[start : start + _CHUNK], phase, law))
        totals, pairs_found, normals = zip(*parts, strict=True)
        places = np.stack(np.divmod(np.concatenate(pairs_found), there.shape[1]), axis=-1)
        found.append(TwinPairs(sum(totals), places.mean(axis=1), np.concatenate(normals)))
    return found


def _count(orientations: OrientationMap) -> int:
    return orientations.shape[0] if len(orientations.shape) == 3 else 1


def _trusted(
    orientations: OrientationMap, number: int, section: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Quaternions (y * x, 4) of a section, and where (y, x) they are to be believed."""
    there = orientations.indexed & (orientations.phase_id == number)
    if "CI" in orientations.properties:
        there &= orientations.properties["CI"] > _LOWEST_CI
    *_, high, wide = orientations.shape
    quaternions = orientations.quaternions.reshape(-1, high * wide, 4)
    return quaternions[section], there.reshape(-1, high, wide)[section]


def _neighbours(there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Flat indices (n, 2) of neighbours in a row or a column, both of them there."""
    index = np.arange(there.size).reshape(there.shape)
    pairs = [
        np.stack([index[a][there[a] & there[b]], index[b][there[a] & there[b]]], axis=-1)
        for a, b in (
            (np.s_[:, :-1], np.s_[:, 1:]),
            (np.s_[:-1, :], np.s_[1:, :]),
        )
    ]
    return np.concatenate(pairs)


def _twins_among(
    quaternions: NDArray[np.float64], pairs: NDArray[np.int64], phase: Phase, law: TwinLaw
) -> tuple[int, NDArray[np.int64], NDArray[np.float64]]:
    """How many pairs are twins; those that share K1, and its normal in the map frame."""
    from napari_orient.crystal.rotations import misorientation_angle, to_matrix

    first, second = quaternions[pairs[:, 0]], quaternions[pairs[:, 1]]
    angles = misorientation_angle(first, second, phase.point_group)
    twins = np.abs(angles - law.angle(phase)) < law.tolerance
    normals = law.normals(phase)
    seen, other = (normals @ to_matrix(q[twins]) for q in (first, second))  # crystal to map
    fits = np.abs(seen @ other.transpose(0, 2, 1)).max(axis=2)
    shared = fits.max(axis=1) > np.cos(np.radians(SHARED))
    plane = fits[shared].argmax(axis=1)
    return int(twins.sum()), pairs[twins][shared], seen[shared][np.arange(len(plane)), plane]


def straight_boundaries(pairs: TwinPairs, step: tuple[float, ...] = (1.0, 1.0)) -> Boundaries:
    """Lay one line through every straight connected boundary of 10 or more pairs.

    A boundary is judged as a whole, since over a few pixels its steps alone turn it by 7 degrees in
    the median.

    Parameters
    ----------
    pairs
        Twins of one section.
    step
        (..., dy, dx): directions are those on the specimen, also where the two steps differ.
    """
    group = _connect(pairs)
    keep = np.bincount(group)[group] >= _SMALLEST
    members, label = np.unique(group[keep], return_inverse=True)
    n, normals = len(members), pairs.normals[keep]
    points = pairs.places[keep] * (np.array(step[-2:]) / min(step[-2:]))
    size = np.bincount(label, minlength=n)
    points = points - (_sum(points, label, n) / size[:, None])[label]
    spread, axes = np.linalg.eigh(_sum(points[:, :, None] * points[:, None, :], label, n))
    _, directions = np.linalg.eigh(_sum(normals[:, :, None] * normals[:, None, :], label, n))
    line, normal = axes[:, :, -1], directions[:, :, -1]
    along = np.sum(points * line[label], axis=1)
    longest = np.full((2, n), -np.inf)
    np.maximum.at(longest[0], label, along)
    np.maximum.at(longest[1], label, -along)
    good = spread[:, 0] <= _STRAIGHT**2 * spread[:, 1]
    good &= np.linalg.norm(normal[:, :2], axis=1) >= _STEEP
    return Boundaries(line[good], normal[good], longest.sum(axis=0)[good])


def _connect(pairs: TwinPairs) -> NDArray[np.int64]:
    """Label (n,) of the boundary of each pair: touching, with one plane."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    n = len(pairs.places)
    if not n:
        return np.zeros(0, np.int64)
    near = cKDTree(pairs.places).query_pairs(1.5, output_type="ndarray")
    cosine = np.abs(np.sum(pairs.normals[near[:, 0]] * pairs.normals[near[:, 1]], axis=1))
    near = near[cosine > np.cos(np.radians(10))]
    links = coo_matrix((np.ones(len(near), bool), near.T), (n, n))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _sum(values: NDArray[np.float64], label: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Sum (n, ...) of values (m, ...) by label."""
    sums = np.zeros((n, *values.shape[1:]))
    np.add.at(sums, label, values)
    return sums


def deviations(boundaries: Boundaries, turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles (n,) in degrees between boundaries and the traces of their planes.

    Parameters
    ----------
    boundaries
        The lines and the normals of K1.
    turn
        (3, 3): components in the frame of the normals -> in that of the lines (x right, y down).
    """
    x, y, _ = (boundaries.normals @ turn.T).T
    trace = np.stack([-x, y], axis=1)  # (y, x) of n cross z
    cosine = np.abs(np.sum(boundaries.lines * trace, axis=1)) / np.linalg.norm(trace, axis=1)
    return np.asarray(np.degrees(np.arccos(np.minimum(cosine, 1.0))))
