"""The crystals of the catalogue against textbook facts."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_orient.crystal.phases import PHASES, fractional_coordinates, get_phase, resource
from napari_orient.diffraction.simulate import reflections
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = {
    "Li": 6.94, "O": 15.999, "Mg": 24.305, "Al": 26.982, "Si": 28.085, "Ti": 47.867, "Fe": 55.845,
    "Ni": 58.693, "Cu": 63.546, "Ga": 69.723, "As": 74.922, "Au": 196.967,
}  # fmt: skip
# atoms in the cell, density in g/cm3 (CRC Handbook; LiNiO2 and NiO: X-ray densities)
FACTS = {
    "LiNiO2": (12, 4.78),
    "Al": (4, 2.70),
    "Ni": (4, 8.90),
    "NiO": (8, 6.81),
    "Cu": (4, 8.96),
    "Fe": (2, 7.87),
    "Ti": (2, 4.506),
    "Mg": (2, 1.74),
    "Au": (4, 19.3),
    "Si": (8, 2.3296),
    "GaAs": (8, 5.3176),
}


def shortest_bond(name: str, first: str, second: str) -> float:
    phase = get_phase(name)
    xyz, base = fractional_coordinates(phase), phase.structure.lattice.base
    elements = np.array([atom.element for atom in phase.structure])
    cells = np.array(list(product((-1, 0, 1), repeat=3)))
    ends = (xyz[elements == second][:, None] + cells).reshape(-1, 3)
    lengths = np.linalg.norm((ends - xyz[elements == first][0]) @ base, axis=1)
    return float(lengths[lengths > 1e-6].min())


def strength(name: str, hkl: tuple[int, int, int]) -> float:
    found = reflections(get_phase(name), 1.5)
    here = (found.hkl == hkl).all(axis=1)
    return float(found.intensity[here][0] / found.intensity.max()) if here.any() else 0.0


def test_every_phase_has_a_fact_sheet() -> None:
    assert set(PHASES) == set(FACTS)


@pytest.mark.parametrize("name", PHASES)
def test_whole_cell_and_density(name: str) -> None:
    phase = get_phase(name)
    atoms, density = FACTS[name]
    assert len(phase.structure) == atoms
    grams = sum(WEIGHTS[atom.element] for atom in phase.structure) * 1.66053907
    assert grams / phase.structure.lattice.volume == pytest.approx(density, rel=0.02)


@pytest.mark.parametrize("name", PHASES)
def test_axes_are_a_and_c_star(name: str) -> None:
    lattice = get_phase(name).structure.lattice
    a, b, c = lattice.base
    np.testing.assert_allclose(a, [lattice.a, 0, 0], atol=1e-9)
    c_star = np.cross(a, b)
    np.testing.assert_allclose(c_star / np.linalg.norm(c_star), [0, 0, 1], atol=1e-12)
    assert np.dot(c, c_star) > 0


def test_bond_lengths() -> None:
    assert shortest_bond("LiNiO2", "Ni", "O") == pytest.approx(1.97, abs=0.005)
    assert shortest_bond("LiNiO2", "Li", "O") == pytest.approx(2.11, abs=0.005)
    assert shortest_bond("Cu", "Cu", "Cu") == pytest.approx(2.556, abs=0.002)
    assert shortest_bond("Fe", "Fe", "Fe") == pytest.approx(2.482, abs=0.002)
    assert shortest_bond("Si", "Si", "Si") == pytest.approx(2.352, abs=0.002)
    assert shortest_bond("GaAs", "Ga", "As") == pytest.approx(2.448, abs=0.002)
    assert shortest_bond("NiO", "Ni", "O") == pytest.approx(2.089, abs=0.002)
    assert shortest_bond("Mg", "Mg", "Mg") == pytest.approx(3.197, abs=0.005)
    assert shortest_bond("Ti", "Ti", "Ti") == pytest.approx(2.896, abs=0.005)


@pytest.mark.parametrize(
    ("name", "forbidden", "allowed"),
    [
        ("LiNiO2", [(1, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)], [(0, 0, 3), (1, 0, 1), (1, 0, 4)]),
        ("Al", [(1, 0, 0), (1, 1, 0), (2, 1, 1)], [(1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, 1)]),
        ("NiO", [(1, 0, 0), (1, 1, 0)], [(1, 1, 1), (2, 0, 0)]),
        ("Fe", [(1, 0, 0), (1, 1, 1)], [(1, 1, 0), (2, 0, 0), (2, 1, 1)]),
        ("Si", [(1, 0, 0), (2, 0, 0), (2, 2, 2)], [(1, 1, 1), (2, 2, 0), (3, 1, 1), (4, 0, 0)]),
        ("GaAs", [(1, 0, 0), (1, 1, 0)], [(1, 1, 1), (2, 2, 0), (2, 0, 0)]),
        ("Ti", [(0, 0, 1), (1, 1, 1), (0, 0, 3)], [(1, 0, 0), (0, 0, 2), (1, 0, 1), (1, 1, 0)]),
    ],
)
def test_extinctions(
    name: str, forbidden: list[tuple[int, int, int]], allowed: list[tuple[int, int, int]]
) -> None:
    assert [strength(name, hkl) for hkl in forbidden] == [0.0] * len(forbidden)
    assert min(strength(name, hkl) for hkl in allowed) > 1e-4


def test_relative_strengths() -> None:
    # the ordered rock salt: (111) is the weak difference, (200) the sum of Ni and O
    assert strength("NiO", (1, 1, 1)) < 0.5 * strength("NiO", (2, 0, 0))
    # zincblende (200) is the tiny difference of Ga and As, absent in diamond
    assert 0 < strength("GaAs", (2, 0, 0)) < 0.02 * strength("GaAs", (2, 2, 0))
    # |F|^2 of hcp: (002) 4 f^2, (100) f^2
    assert 2 < strength("Mg", (0, 0, 2)) / strength("Mg", (1, 0, 0)) < 4


def test_names_are_forgiving_and_unknown_ones_listed() -> None:
    assert get_phase("linio2").name == "LiNiO2"
    with pytest.raises(ValueError, match=r"'unobtainium'.*LiNiO2.*GaAs.*\.cif"):
        get_phase("unobtainium")


def test_cif_equals_catalogue() -> None:
    read, known = get_phase(resource("LiNiO2.cif")), get_phase("LiNiO2")
    assert read.space_group.number == known.space_group.number == 166
    assert read.point_group.name == "-3m"
    np.testing.assert_allclose(read.structure.lattice.base, known.structure.lattice.base)
    np.testing.assert_allclose(fractional_coordinates(read), fractional_coordinates(known))
    np.testing.assert_allclose(reflections(read).intensity, reflections(known).intensity, rtol=1e-9)


CIF = """data_x
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha {angle}
_cell_angle_beta {angle}
_cell_angle_gamma {angle}
_symmetry_space_group_name_H-M '{group}'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{atom} 0 0 0
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("this is no crystal", "not a valid CIF|no atom"),
        ("data_empty\n_cell_length_a 3\n", "not a valid CIF|no atom"),
        (CIF.format(a=4, angle=90, group="F m -3 m", atom="Xx1 Xx"), "'Xx'"),
        (CIF.format(a=4, angle=80, group="R -3 m", atom="Bi1 Bi"), "rhombohedral"),
        ("", "is empty"),
    ],
)
def test_bad_cif(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=said) as caught:
        get_phase(path)
    assert "bad.cif" in str(caught.value)


def test_missing_cif(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not exist"):
        get_phase(tmp_path / "gone.cif")


def test_minimal_cif(tmp_path: Path) -> None:
    path = tmp_path / "Pd.cif"
    path.write_text(CIF.format(a=3.89, angle=90, group="F m -3 m", atom="Pd1 Pd0+"))
    phase = get_phase(str(path))
    assert (phase.name, phase.space_group.number, len(phase.structure)) == ("Pd", 225, 4)
    assert {atom.element for atom in phase.structure} == {"Pd"}
