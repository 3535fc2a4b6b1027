"""What does a solver need of a volume? A material at each voxel, and an orientation of each.

Frame. x right, y down, z into the page, right-handed, as in the map; nothing is flipped or turned.
Programs that draw y upwards show the volume upside down: it is the same volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.maps import OrientationMap

Per = Literal["grain", "voxel"]
METRES = {"um": 1e-6, "nm": 1e-9}
FRAME = (
    "Axes: x along the columns of the map (right), y along its rows (down), z into the page; "
    "right-handed, nothing flipped. The corner of the first voxel is the origin."
)
CRYSTAL = "Crystal axes: e1 || a, e3 || c* (on hexagonal lattices x || a, not a*)."
_NO_NAMES = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "x"}
_ONE_GRAIN = 1e-3  # degrees within which voxels have one orientation


@dataclass(frozen=True, eq=False)
class DeckVolume:
    """A volume of one phase, as solvers take it.

    Attributes
    ----------
    ids
        (z, y, x) int32: the material of each voxel, 0 to n - 1.
    quaternions
        (n, 4) of each material, ``lab2crystal`` (Bunge, passive), scalar first, in the map frame.
    grains
        (n,) the number of each material in the volume's property "grain"; of voxels, 0 to n - 1.
    phase
        The crystal.
    step
        (dz, dy, dx) in metres.
    periodic
        Do opposite faces match, along z, y, x?
    per
        What a material is: a "grain", or a "voxel".
    spread
        Largest turn, in degrees, of a voxel from the orientation of its material.
    """

    ids: NDArray[np.int32]
    quaternions: NDArray[np.float64]
    grains: NDArray[np.int64]
    phase: Phase
    step: tuple[float, ...]
    periodic: tuple[bool, ...]
    per: Per
    spread: float

    @property
    def matrices(self) -> NDArray[np.float64]:
        """(n, 3, 3): map to crystal components; the rows are the crystal axes in the map frame."""
        from napari_orient.crystal.rotations import to_matrix

        return np.asarray(to_matrix(self.quaternions))

    @property
    def cells(self) -> tuple[int, ...]:
        """Voxels along x, y, z: the order of the solvers."""
        return self.ids.shape[::-1]

    @property
    def spacing(self) -> tuple[float, ...]:
        """Edges of a voxel along x, y, z, in metres."""
        return self.step[::-1]

    @property
    def name(self) -> str:
        """The phase's name as a plain word, that no program takes for a number or for yes or no."""
        kept = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.phase.name or "")
        kept = kept.strip("_")
        plain = kept[:1].isalpha() and kept.lower() not in _NO_NAMES
        return kept if plain else f"phase_{kept}".strip("_")


class Found(NamedTuple):
    """What was read from a deck: to be compared with the volume.

    Attributes
    ----------
    ids
        (z, y, x): the material of each voxel, from 0.
    spacing
        Edges of a voxel along x, y, z, in metres.
    matrices
        (n, 3, 3) of the materials; None where the file has none.
    reader
        Who read it.
    """

    ids: NDArray[np.integer]
    spacing: tuple[float, ...]
    matrices: NDArray[np.float64] | None
    reader: str


def deck_volume(volume: OrientationMap, per: Per = "grain") -> DeckVolume:
    """Return what solvers take of a volume.

    Parameters
    ----------
    volume
        (z, y, x), of one phase, all of it indexed; with the property "grain" for ``per`` "grain".
    per
        One material, and one orientation, for each grain or for each voxel.

    Raises
    ------
    ValueError
        If it is a map, has several phases, voxels that are not indexed or no numbers, or no grains.
    """
    phase = _checked(volume)
    count = int(np.prod(volume.shape))
    step = tuple(s * METRES[volume.unit] for s in volume.step)
    q = volume.quaternions.reshape(-1, 4)
    if per == "voxel":
        ids = np.arange(count, dtype=np.int32).reshape(volume.shape)
        means, grains, spread = q, np.arange(count), 0.0
    elif per == "grain":
        grains, ids = _grains(volume)
        means, spread = _means(q, ids.ravel(), len(grains), phase)
        if 0 in grains and spread > _ONE_GRAIN:
            _refuse_zero(q, ids, grains, means, phase)
    else:
        raise ValueError(f"a material is of each 'grain' or 'voxel', not of each {per!r}")
    return DeckVolume(ids, means, grains, phase, step, volume.periodic, per, spread)


def check_volume(volume: OrientationMap) -> None:
    """Raise ValueError unless this is a volume whose quaternions are rotations.

    Voxels that are not indexed are not looked at.
    """
    if len(volume.shape) != 3:
        raise ValueError(
            "solver decks are made of volumes (z, y, x), and this is a map: reconstruct one, or "
            "export the map as ang, astar, ctf, orix or h5"
        )
    if volume.unit not in METRES:
        raise ValueError(f"steps in {list(METRES)} expected, not in {volume.unit!r}")
    q = volume.quaternions[volume.indexed]
    length = np.linalg.norm(q, axis=-1)
    wrong = int((~(np.abs(length - 1) < 1e-6)).sum())
    if wrong:
        raise ValueError(f"the orientations of {wrong} voxels are no rotations (NaN, or not unit)")


def _checked(volume: OrientationMap) -> Phase:
    check_volume(volume)
    missing = int((~volume.indexed).sum())
    if missing:
        raise ValueError(
            f"{missing} of {volume.indexed.size} voxels are not indexed, and a solver needs a "
            "crystal at each: fill the gaps first (napari-orient grains --fill)"
        )
    numbers = np.unique(volume.phase_id).tolist()
    if len(numbers) > 1:
        names = ", ".join(volume.phases[n].name or f"phase {n}" for n in numbers)
        raise ValueError(f"a deck holds one phase, and this volume has {names}")
    return volume.phases[numbers[0]]


def _grains(volume: OrientationMap) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the numbers of the grains, and their place in this list at each voxel."""
    if "grain" not in volume.properties:
        raise ValueError(
            'the volume has no grains (no property "grain"): reconstruct it with --consolidate, '
            "or export it per voxel (--per voxel)"
        )
    labels = volume.properties["grain"]
    if not np.isfinite(labels).all() or (labels != np.rint(labels)).any() or labels.min() < 0:
        raise ValueError('the property "grain" has values that are no numbers of grains')
    grains, ids = np.unique(labels.astype(np.int64), return_inverse=True)
    return grains, ids.reshape(volume.shape).astype(np.int32)


def _means(
    q: NDArray[np.float64], ids: NDArray[np.int32], count: int, phase: Phase
) -> tuple[NDArray[np.float64], float]:
    """Mean orientation (n, 4) of each material and the largest turn from it; one stays as it is."""
    from napari_orient.crystal.rotations import mean_orientation

    first = q[np.unique(ids, return_index=True)[1]]
    even = np.abs((q * first[ids]).sum(-1)) > np.cos(np.radians(_ONE_GRAIN / 2))
    if even.all():
        return first, _spread(q, first[ids], None)
    if phase.point_group is None:
        raise ValueError(
            f"phase {phase.name!r} has no point group, from which the mean of a grain follows: "
            "choose its crystal when you open the volume, or export it per voxel"
        )
    labels = ids.astype(np.int64)
    means = np.asarray(mean_orientation(q, phase.point_group, labels=labels))
    return means, _spread(q, means[ids], phase)


def _spread(q: NDArray[np.float64], other: NDArray[np.float64], phase: Phase | None) -> float:
    if phase is None:
        return 0.0
    from napari_orient.crystal.rotations import misorientation_angle

    return float(np.max(misorientation_angle(q, other, phase.point_group)))


def _refuse_zero(
    q: NDArray[np.float64],
    ids: NDArray[np.int32],
    grains: NDArray[np.int64],
    means: NDArray[np.float64],
    phase: Phase,
) -> None:
    """Number 0 is a grain if it is one crystal; else it stands for voxels without a grain."""
    there = ids.ravel() == int(np.flatnonzero(grains == 0)[0])
    mean = np.broadcast_to(means[ids.ravel()[there]], (int(there.sum()), 4))
    turn = _spread(q[there], mean, phase)
    if turn > 5:
        raise ValueError(
            f"{int(there.sum())} voxels belong to no grain (number 0, turned by up to {turn:.0f} "
            "degrees): let each join a grain, or export it per voxel"
        )
