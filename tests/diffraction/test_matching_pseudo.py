"""Which rotations a crystal almost has."""

import numpy as np
import pytest
from diffpy.structure import Atom, Lattice, Structure
from orix.crystal_map import Phase

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import laue_operators, multiply, to_matrix
from napari_orient.diffraction.matching.pseudo import pseudo_operators


def tetragonal(ratio):
    """An ordered alloy of two atoms, c/a = ``ratio``."""
    atoms = [Atom("Ti", (0, 0, 0)), Atom("Al", (0.5, 0.5, 0.5))]
    lattice = Lattice(4, 4, 4 * ratio, 90, 90, 90)
    return Phase("TiAl", point_group="4/mmm", structure=Structure(atoms, lattice))


def test_linio2_has_those_of_rock_salt_and_the_turn_about_c():
    """The Laue class has 6 rotations, rock salt 24: three more cosets; and 60 degrees about c."""
    operators, strength = pseudo_operators(get_phase("LiNiO2"))
    assert len(operators) == 4
    assert (np.diff(strength) <= 1e-9).all()
    np.testing.assert_allclose(strength[:3], 0.64, atol=0.02)
    # the cube's axis along c: (111) of rock salt; with the operators of -3m all 24 rotations
    c = np.array([0, 0, 1])
    for operator in to_matrix(operators[:3]):
        assert abs(c @ operator @ c) == pytest.approx(1 / 3, abs=0.01)
    sixty = multiply(laue_operators("-3m"), operators[3])
    assert np.abs(sixty @ [np.cos(np.pi / 6), 0, 0, np.sin(np.pi / 6)]).max() > 1 - 1e-6


@pytest.mark.parametrize("name", ["Au", "Si", "Fe", "NiO", "GaAs", "Ti", "Mg"])
def test_most_crystals_have_none(name):
    operators, strength = pseudo_operators(get_phase(name))
    assert operators.shape == (0, 4)
    assert strength.shape == (0,)


@pytest.mark.parametrize(("ratio", "least"), [(1.0, 0.999), (1.02, 0.85)])
def test_tetragonal_crystal_is_nearly_cubic(ratio, least):
    """Two cosets: c along a, and c along b."""
    operators, strength = pseudo_operators(tetragonal(ratio))
    assert len(operators) == 2
    assert (strength > least).all()
    axes = np.abs(to_matrix(operators)[:, 2])  # the axis that takes the place of c
    assert sorted(axes.argmax(axis=1)) == [0, 1]
    np.testing.assert_allclose(axes.max(axis=1), 1, atol=1e-3)


def test_long_tetragonal_cell_has_none():
    assert len(pseudo_operators(tetragonal(1.2)).operators) == 0
