from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from laue_crystals import CRYSTALS, write_crystal
from scipy.spatial import cKDTree

from napari_orient.crystal.phases import PHASES, get_phase
from napari_orient.crystal.rotations import laue_operators, to_matrix
from napari_orient.diffraction.matching.symmetry import check_symmetry
from napari_orient.diffraction.simulate import reflections

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("laue", CRYSTALS)
def test_made_up_crystals_have_the_symmetry_of_their_class_and_no_more(
    laue: str, tmp_path: Path
) -> None:
    """All rotations of the cubic and the hexagonal lattice are tried on |F|^2."""
    phase = get_phase(write_crystal(laue, tmp_path))
    assert phase.point_group.laue.name == laue
    known = reflections(phase, 1.0, min_intensity=0)
    tree, total = cKDTree(known.g), known.intensity.sum()
    own = to_matrix(laue_operators(laue))
    for matrix in to_matrix(np.concatenate([laue_operators("m-3m"), laue_operators("6/mmm")])):
        distance, partner = tree.query(known.g @ matrix.T)
        change = np.abs(known.intensity[partner] - known.intensity).sum() / total
        if np.abs(own - matrix).max(axis=(1, 2)).min() < 1e-6:
            assert distance.max() < 1e-6
            assert change < 1e-6
        else:
            assert distance.max() > 1e-2 or change > 0.2
    check_symmetry(phase, known)


@pytest.mark.parametrize("name", PHASES)
def test_phases_of_the_catalogue_pass(name: str) -> None:
    phase = get_phase(name)
    check_symmetry(phase, reflections(phase, 1.2))


@pytest.mark.parametrize(
    "crystal",
    [("P 1 2/m 1", 5.2, 5.9, 6.7, 90, 104, 90), ("P -3 1 m", 5.3, 5.3, 6.9, 90, 90, 120)],
)
def test_settings_that_orix_has_not_are_refused(
    crystal: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CRYSTALS, "other", crystal)
    phase = get_phase(write_crystal("other", tmp_path))
    with pytest.raises(ValueError, match="other does not have the symmetry"):
        check_symmetry(phase, reflections(phase, 1.0))


@pytest.mark.parametrize(("broken", "refused"), [(0.005, False), (0.04, True)])
def test_how_much_of_a_symmetry_may_be_missing(broken: float, refused: bool) -> None:
    phase = get_phase("Ti")
    source = reflections(phase, 1.2)
    first = np.argmax(source.intensity)
    changed = source.intensity.copy()
    changed[first] += broken * changed.sum()  # one of a form: its images stay
    other = type(source)(source.hkl, source.g, changed)
    if refused:
        with pytest.raises(ValueError, match="does not have the symmetry"):
            check_symmetry(phase, other)
    else:
        check_symmetry(phase, other)


@pytest.mark.parametrize(("strain", "refused"), [(0.002, False), (0.1, True)])
def test_how_far_a_lattice_may_be_off(strain: float, refused: bool) -> None:
    phase = get_phase("Ti")
    source = reflections(phase, 1.2)
    stretched = source.g * np.array([1 + strain, 1, 1])
    other = type(source)(source.hkl, stretched, source.intensity)
    if refused:
        with pytest.raises(ValueError, match="does not have the symmetry"):
            check_symmetry(phase, other)
    else:
        check_symmetry(phase, other)
