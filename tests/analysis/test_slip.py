"""Slip systems and Schmid factors against what is known of single crystals."""

from __future__ import annotations

import numpy as np
import pytest
from diffpy.structure import Lattice, Structure
from orix.crystal_map import Phase
from twin_maps import made_map

from napari_orient.analysis.slip import (
    load_direction,
    schmid_factor,
    schmid_map,
    slip_families,
    slip_family,
)
from napari_orient.crystal.miller import direction_of, normal_of, parse_indices
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import from_matrix, multiply, random_orientations

NI, FE, MG, LNO = (get_phase(name) for name in ("Ni", "Fe", "Mg", "LiNiO2"))


def along(vector, axis=0):
    """An orientation whose ``vector`` (crystal axes) is along x of the map (or another axis)."""
    first = np.asarray(vector, float) / np.linalg.norm(vector)
    spare = np.eye(3)[np.abs(first).argmin()]
    second = np.cross(spare, first)
    second /= np.linalg.norm(second)
    columns = np.roll(np.stack([first, second, np.cross(first, second)]), axis, axis=0)
    return from_matrix(columns.T)


@pytest.mark.parametrize(
    ("phase", "counts"),
    [
        (NI, {"fcc octahedral": 12, "bcc {110}": 12, "bcc {112}": 12}),
        (MG, {"basal <a>": 3, "prismatic <a>": 3, "pyramidal <a>": 6,
              "pyramidal I <c+a>": 12, "pyramidal II <c+a>": 6}),
    ],
)  # fmt: skip
def test_families_have_the_known_number_of_systems(phase, counts):
    families = slip_families(phase)
    assert {name: len(family) for name, family in families.items()} == counts
    for family in families.values():
        dots = np.sum(family.normals * family.directions, axis=1)
        np.testing.assert_allclose(dots, 0, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(family.directions, axis=1), 1)


def test_what_comes_first_follows_the_lattice():
    assert next(iter(slip_families(FE))).startswith("bcc")
    assert next(iter(slip_families(NI))).startswith("fcc")
    assert slip_families(LNO) == {}
    assert {"fcc twin": 12, "bcc twin": 12}.items() <= {
        name: len(family) for name, family in slip_families(NI, twins=True).items()
    }.items()
    assert len(slip_families(MG, twins=True)["twin {10-12}"]) == 6


@pytest.mark.parametrize(
    ("load", "factor"),
    [
        ([0, 0, 1], 1 / np.sqrt(6)),  # 0.408
        ([1, 1, 1], 2 / 3 / np.sqrt(6)),  # 0.272
        ([0, 1, 1], 1 / np.sqrt(6)),
        # [123]: (-1 1 1)[1 0 1]: (4 / sqrt 42) (4 / sqrt 28) = 0.467
        ([1, 2, 3], 16 / np.sqrt(42 * 28)),
    ],
)
def test_fcc_crystals(load, factor):
    family = slip_family("{111}<1-10>", NI)
    for axis, name in enumerate("xyz"):
        found, system = schmid_factor(along(load, axis), family, name)
        assert found == pytest.approx(factor, abs=1e-12)
    if load == [1, 2, 3]:
        assert family.systems[system] in ("(-1 1 1)[1 0 1]", "(1 -1 -1)[1 0 1]",
                                          "(-1 1 1)[-1 0 -1]", "(1 -1 -1)[-1 0 -1]")  # fmt: skip


def test_bcc_is_fcc_with_plane_and_direction_exchanged():
    q = random_orientations(200, 4)
    fcc, _ = schmid_factor(q, slip_family("{111}<1-10>", FE), "y")
    bcc, _ = schmid_factor(q, slip_family("{110}<1-11>", FE), "y")
    np.testing.assert_allclose(fcc, bcc, atol=1e-12)
    assert 0.27 < fcc.min() < fcc.max() <= 0.5


def test_basal_slip_of_a_hexagonal_crystal():
    basal = slip_family("(0001)[11-20]", MG)
    a = direction_of(parse_indices("[11-20]", "direction", MG), MG)
    for degrees in (0, 20, 45, 90):
        t = np.radians(degrees)
        pull = np.cos(t) * np.array([0, 0, 1.0]) + np.sin(t) * a
        found, _ = schmid_factor(along(pull), basal, "x")
        assert found == pytest.approx(np.sin(2 * t) / 2, abs=1e-12)
    prismatic = slip_family("{10-10}<11-20>", MG)
    assert schmid_factor(along([0, 0, 1.0]), prismatic)[0] == pytest.approx(0, abs=1e-12)


def test_c_plus_a_depends_on_the_ratio_of_the_axes():
    # pull along c: cos phi cos lambda of (11-22)[11-23] = sin 2 t / 2, tan t = c / a
    lattice = MG.structure.lattice
    ratio = lattice.c / lattice.a
    found, _ = schmid_factor(along([0, 0, 1.0]), slip_family("{11-22}<11-23>", MG))
    assert found == pytest.approx(ratio / (1 + ratio**2), abs=1e-9)


def test_equivalent_orientations_have_one_factor():
    from napari_orient.crystal.rotations import laue_operators

    q = random_orientations(30, 8)
    for phase in (NI, MG):
        family = next(iter(slip_families(phase).values()))
        first, _ = schmid_factor(q, family, [1, 2, -1])
        for s in laue_operators(phase.point_group):
            again, _ = schmid_factor(multiply(s, q), family, [1, 2, -1])
            np.testing.assert_allclose(again, first, atol=1e-12)


def test_twins_have_a_sense():
    twin = slip_families(MG, twins=True)["twin {10-12}"]
    c_axis = along([0, 0, 1.0])
    pull, push = (schmid_factor(c_axis, twin, compression=c)[0] for c in (False, True))
    assert pull == pytest.approx(0.499, abs=2e-3)  # c/a below sqrt 3: a pull along c twins
    assert push == 0
    fcc = slip_families(NI, twins=True)["fcc twin"]
    pull, push = (schmid_factor(along([0, 0, 1.0]), fcc, compression=c)[0] for c in (False, True))
    assert pull == pytest.approx(np.sqrt(2) / 6, abs=1e-9)
    assert push == pytest.approx(np.sqrt(2) / 3, abs=1e-9)


@pytest.mark.parametrize("ratio", [1.587, 1.624, 1.856])
def test_the_shear_of_a_tension_twin_makes_the_twin(ratio):
    """Of the {10-12} twin s = |c²/a² - 3| a / (sqrt(3) c), in the sense of the table.

    Sheared so, every second lattice plane is that of the twin. Titanium, magnesium and zinc.
    """
    cell = Structure(lattice=Lattice(1, 1, ratio, 90, 90, 120))
    phase = Phase("metal", space_group=194, structure=cell)
    twin = slip_families(phase, twins=True)["twin {10-12}"]
    n, b = twin.normals[0], twin.directions[0]
    shear = np.eye(3) + abs(ratio**2 - 3) / np.sqrt(3) / ratio * np.outer(b, n)
    mirror = 2 * np.outer(n, n) - np.eye(3)
    base = phase.structure.lattice.base
    indices = 2 * base @ shear.T @ np.linalg.inv(base @ mirror.T)
    np.testing.assert_allclose(indices, np.rint(indices), atol=1e-9)


def test_a_lattice_without_the_symmetry_is_refused():
    cell = Structure(lattice=Lattice(4, 5, 6, 90, 100, 90))  # unique axis b, the group's is c
    with pytest.raises(ValueError, match="does not have the symmetry 2/m"):
        slip_family("(100)[010]", Phase("M", point_group="2/m", structure=cell))
    cell = Structure(lattice=Lattice(4, 5, 6, 90, 90, 100))
    assert len(slip_family("(100)[001]", Phase("M", point_group="2/m", structure=cell))) == 1


def test_four_indices():
    assert parse_indices("[11-20]", "direction", MG) == (1, 1, 0)
    assert parse_indices("[10-10]", "direction", MG) == (2, 1, 0)
    assert parse_indices("(10-12)", "plane", MG) == (1, 0, 2)
    assert parse_indices("<1 1 -2 3>", "direction", MG) == (1, 1, 1)
    assert parse_indices("1 0 -1 12", "plane", MG) == (1, 0, 12)
    # in the basal plane a direction is at right angles to the plane of the same four indices
    for text in ("11-20", "10-10", "21-30"):
        d = direction_of(parse_indices(text, "direction", MG), MG)
        n = normal_of(parse_indices(text, "plane", MG), MG)
        np.testing.assert_allclose(d, n, atol=1e-9)
    tilt = normal_of(parse_indices("(10-12)", "plane", MG), MG) @ [0, 0, 1]
    lattice = MG.structure.lattice
    expected = np.degrees(np.arctan(lattice.c / (lattice.a * np.sqrt(3))))
    assert np.degrees(np.arccos(tilt)) == pytest.approx(expected, abs=1e-9)  # 43.15


def test_systems_are_named_with_four_indices_on_hexagonal_axes():
    assert slip_family("(0001)[11-20]", MG).systems[0] == "(0 0 0 1)[1 1 -2 0]"
    assert slip_family("(10-12)[-1011]", MG, twinning=True).systems[0] == "(1 0 -1 2)[-1 0 1 1]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(111)[110]", "does not lie in the plane"),
        ("{111}<111>", "no such direction lies"),
        ("(10-12)[11-20]", "four indices are for hexagonal axes"),
        ("111", "a plane and a direction"),
        ("(11)[110]", "three or four"),
        ("(1x1)[110]", "three or four"),
        ("(000)[110]", "all indices are zero"),
    ],
)
def test_what_is_no_slip_system(text, words):
    with pytest.raises(ValueError, match=words):
        slip_family(text, NI)


def test_four_indices_must_add_up():
    with pytest.raises(ValueError, match="add up to zero"):
        slip_family("(10-22)[11-20]", MG)


@pytest.mark.parametrize("load", ["w", "1 2", (0, 0, 0), "a b c", (1, 2, 3, 4)])
def test_what_is_no_direction(load):
    with pytest.raises(ValueError, match="is no direction"):
        load_direction(load)


def test_a_direction_may_be_written():
    np.testing.assert_allclose(load_direction(" Y "), [0, 1, 0])
    np.testing.assert_allclose(load_direction("0, 3, 4"), [0, 0.6, 0.8])


def test_maps_leave_out_what_has_no_factor():
    q = random_orientations(12, 5).reshape(3, 4, 4)
    q[1, 1] = np.nan
    made = made_map("Ni", q)
    made.phase_id[0, 0] = -1
    family = slip_family("{111}<1-10>", NI)
    factor, system = schmid_map(made, {0: family}, "y")
    assert np.isnan(factor[0, 0])
    assert np.isnan(factor[1, 1])
    assert system[0, 0] == system[1, 1] == -1
    alone, which = schmid_factor(q[2, 3], family, "y")
    assert factor[2, 3] == alone
    assert system[2, 3] == which
    assert np.isnan(schmid_map(made, {}, "y")[0]).all()
