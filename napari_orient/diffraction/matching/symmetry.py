"""Does a crystal have the symmetry that its phase claims? Matching relies on it.

orix knows one setting of each Laue class: the diad of "2/m" is along c (e3), those of "-3m" are
along a. A .cif file with unique axis b (nearly every monoclinic one), or of P-31m, gets operators
that its structure has not: too few orientations would be searched, the wrong ones, and errors
would be reduced by rotations that are none of the crystal's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from napari_orient.crystal.rotations import laue_operators, to_matrix

if TYPE_CHECKING:
    from orix.crystal_map import Phase

    from napari_orient.diffraction.simulate import Reflections

_NEAR = 0.01  # of the shortest vector: a reflection that a rotation takes to another
_ALIKE = 0.02  # share of sum |F|^2: rounded coordinates in files cost less


def check_symmetry(phase: Phase, source: Reflections) -> None:
    """Refuse a phase whose reflections its own symmetry operators do not map onto each other.

    Parameters
    ----------
    phase
        With a point group, as in :func:`napari_orient.crystal.rotations.laue_operators`.
    source
        Its reflections.

    Raises
    ------
    ValueError
        In words that name the phase, the group and what may be done.
    """
    tree, total = cKDTree(source.g), source.intensity.sum()
    reach = _NEAR * np.linalg.norm(source.g, axis=1).min()
    for operator in to_matrix(laue_operators(phase.point_group)):
        distance, partner = tree.query(source.g @ operator.T, distance_upper_bound=reach)
        found = np.isfinite(distance)  # weak ones may be missing among the reflections
        image = np.zeros(len(source))
        image[found] = source.intensity[partner[found]]
        if np.abs(image - source.intensity).sum() > _ALIKE * total:
            raise ValueError(
                f"{phase.name} does not have the symmetry {phase.point_group.name} with the axes "
                "that are used here (the diad of 2/m along c, those of -3m along a): export it "
                "again in a setting that has, a monoclinic crystal with unique axis c"
            )
