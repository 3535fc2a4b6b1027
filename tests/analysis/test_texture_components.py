"""Named components: where they are, and how much of a texture they are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.analysis.texture.axes import SampleAxes
from napari_orient.analysis.texture.components import (
    Component,
    component_shares,
    ideal_orientations,
    known_components,
)
from napari_orient.crystal.miller import crystal_vector, parse_indices
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    from_axis_angle,
    from_euler,
    misorientation_angle,
    multiply,
    random_orientations,
    to_euler,
    to_matrix,
)

NI, FE, TI = get_phase("Ni"), get_phase("Fe"), get_phase("Ti")
# Bunge angles of the fcc components in sheets, as textbooks list them
LISTED = {
    "Cube": (0, 0, 0),
    "Goss": (0, 45, 0),
    "Brass": (35.26, 45, 0),
    "Copper": (90, 35.26, 45),
    "S": (58.98, 36.70, 63.43),
}


def by_name(phase):
    return {one.name: one for one in known_components(phase)}


@pytest.mark.parametrize("name", LISTED)
def test_fcc_components_have_their_listed_angles(name):
    ideals = ideal_orientations(by_name(NI)[name], NI)
    listed = from_euler(np.array(LISTED[name], float))
    assert misorientation_angle(ideals, listed[None], "m-3m").min() < 0.05


def test_variants_are_counted_once():
    counts = {n: len(ideal_orientations(c, NI)) for n, c in by_name(NI).items()}
    assert counts == {"Cube": 1, "Goss": 1, "Brass": 2, "Copper": 2, "S": 4}


def test_plane_is_along_nd_and_direction_along_rd():
    axes = SampleAxes(rd="Y", nd="-Z")
    matrix = to_matrix(ideal_orientations(by_name(NI)["S"], NI, axes, variants=False)[0])
    np.testing.assert_allclose(matrix @ (0, 0, -1), np.array([1, 2, 3]) / np.sqrt(14), atol=1e-9)
    np.testing.assert_allclose(matrix @ (0, 1, 0), np.array([6, 3, -4]) / np.sqrt(61), atol=1e-9)


def test_shares_of_a_made_texture():
    rng = np.random.default_rng(0)
    parts = []
    for name, count in (("Cube", 300), ("Brass", 500), ("Copper", 200)):
        ideals = ideal_orientations(by_name(NI)[name], NI)
        near = from_axis_angle(rng.normal(size=(count, 3)), rng.uniform(0, 14.9, count))
        parts.append(multiply(near, ideals[rng.integers(len(ideals), size=count)]))
    q = np.concatenate(parts)
    shares = {s.component.name: s for s in component_shares(q, NI)}
    # Brass and S overlap at 15 degrees, the others do not
    assert shares["Cube"].fraction == pytest.approx(0.3)
    assert shares["Brass"].fraction == pytest.approx(0.5, abs=0.02)
    assert shares["Goss"].fraction < 0.1
    weights = np.repeat([1.0, 0.0, 1.0], (300, 500, 200))
    again = {s.component.name: s for s in component_shares(q, NI, weights=weights)}
    assert again["Cube"].fraction == pytest.approx(0.6)


def test_share_in_a_random_texture_is_the_volume_of_the_ball():
    half = np.radians(10)
    ball = (half - np.sin(half)) / np.pi  # of all rotations, by angle up to 10 degrees
    shares = component_shares(random_orientations(200_000, 1), NI, tolerance=10)
    for share in shares:
        assert share.fraction == pytest.approx(24 * share.variants * ball, rel=0.06)
        assert share.random == pytest.approx(24 * share.variants * ball, rel=0.12)


def test_fibres():
    cap = 1 - np.cos(np.radians(15))
    copies = {"Alpha fibre": 6, "Gamma fibre": 4}
    for share in component_shares(random_orientations(100_000, 1), FE):
        if share.component.name in copies:
            assert share.fraction == pytest.approx(copies[share.component.name] * cap, rel=0.03)
    basal = from_euler(np.array([[10.0, 5, 20], [50, 14, 3], [80, 16, 0], [80, 170, 0]]))
    shares = {s.component.name: s.fraction for s in component_shares(basal, TI)}
    assert shares["Basal"] == 0.75
    assert shares["Transverse"] == 0
    tilted = SampleAxes(rd="Y", nd="X")
    lying = from_euler(np.array([[90.0, 90, 0]]))  # c along x of the map
    np.testing.assert_allclose(np.abs(to_matrix(lying)[0, 2]), (1, 0, 0), atol=1e-9)
    assert component_shares(lying, TI, axes=tilted)[0].fraction == 1


def test_components_follow_the_structure():
    from orix.crystal_map import Phase

    assert "Copper" in by_name(NI)
    assert set(by_name(FE)) == {"Rotated cube", "Goss", "Alpha fibre", "Gamma fibre"}
    assert set(by_name(TI)) == {"Basal", "Transverse", "c along RD", "Prismatic"}
    unknown = Phase(point_group="m-3m")
    assert {"Cube", "Gamma fibre"} <= set(by_name(unknown))
    assert known_components(Phase(point_group="mmm")) == ()
    assert by_name(FE)["Alpha fibre"].words == "<110> ∥ RD"
    assert by_name(NI)["S"].words == "{123}<63-4>"


def test_own_components():
    mine = Component("mine", "(1 1 0)", "[0 0 1]")
    ideal = ideal_orientations(mine, NI, variants=False)[0]
    assert misorientation_angle(ideal, from_euler(np.array([90.0, 90, 45])), "m-3m") < 0.1
    assert np.isfinite(to_euler(ideal)).all()
    with pytest.raises(ValueError, match="does not lie in"):
        component_shares(ideal, NI, [Component("wrong", "(110)", "[110]")])
    with pytest.raises(ValueError, match="no orientations"):
        component_shares(np.full((2, 4), np.nan), NI)
    with pytest.raises(ValueError, match="tolerance"):
        component_shares(ideal, NI, tolerance=0)


def test_miller_indices():
    assert parse_indices("{1 0 -1 10}", "plane", TI) == (1, 0, 10)
    assert parse_indices("(10-10)", "plane", TI) == (1, 0, 0)
    for wrong in ("(11)", "(1x1)", "(000)", "", "(1.5 0 0)"):
        with pytest.raises(ValueError, match="indices"):
            parse_indices(wrong, "plane", NI)
    with pytest.raises(ValueError, match="add up to zero"):
        crystal_vector(TI, "(1010)")
    with pytest.raises(ValueError, match="four indices are for hexagonal axes"):
        crystal_vector(NI, "(10-10)")
    # e1 || a1, e2 || a2 x c: a1 + a2 is at 60 degrees, [10-10] = 2 a1 + a2 at 30
    ratio = TI.structure.lattice.c / TI.structure.lattice.a
    for indices, vector in (
        ("[10-10]", (np.sqrt(0.75), 0.5, 0)), ("[210]", (np.sqrt(0.75), 0.5, 0)),
        ("[11-20]", (0.5, np.sqrt(0.75), 0)), ("[0001]", (0, 0, 1)),
        ("[11-23]", (0.5, np.sqrt(0.75), ratio) / np.sqrt(1 + ratio**2)),
    ):  # fmt: skip
        np.testing.assert_allclose(crystal_vector(TI, indices), vector, atol=1e-9)
    # the normal of a plane is perpendicular to the directions in it
    normal = crystal_vector(TI, "(10-12)")
    for lying in ("[-1011]", "[11-20]", "[1-210]"):
        flat = abs(normal @ crystal_vector(TI, lying)) < 1e-9
        assert flat == (lying != "[11-20]")
