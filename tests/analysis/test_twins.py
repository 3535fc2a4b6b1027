"""Twin laws from the lattice, and boundaries against the traces of their planes."""

from __future__ import annotations

import numpy as np
import pytest
from diffpy.structure import Lattice, Structure
from orix.crystal_map import Phase
from twin_maps import bicrystal, made_map

from napari_orient.analysis.twins import (
    TwinPairs,
    deviations,
    find_twins,
    laws_for,
    straight_boundaries,
)
from napari_orient.crystal.phases import get_phase
from napari_orient.jobs import run


def phase_of(group, a, c, gamma, space_group=None):
    structure = Structure(lattice=Lattice(a, a, c, 90, 90, gamma))
    return Phase("x", space_group=space_group, point_group=group, structure=structure)


@pytest.mark.parametrize(
    ("phase", "plane", "angle", "planes"),
    [
        # published values for the lattices: Christian and Mahajan (1995), table 2 and elsewhere
        (get_phase("Mg"), "{10-12}", 86.3, 6),
        (get_phase("Mg"), "{10-11}", 56.2, 6),
        (get_phase("Ti"), "{10-12}", 85.0, 6),
        (get_phase("Ti"), "{11-21}", 35.0, 6),
        (get_phase("Ti"), "{11-22}", 64.4, 6),
        (get_phase("Ni"), "{111}, sigma 3", 60.0, 4),
        (phase_of("-3m", 4.99, 17.06, 120), "{01-18}", 78.1, 3),  # calcite, e
    ],
)
def test_a_law_follows_from_the_lattice(phase, plane, angle, planes):
    (law,) = (law for law in laws_for(phase) if law.name == plane)
    assert law.angle(phase) == pytest.approx(angle, abs=0.2)
    normals = law.normals(phase)
    assert normals.shape == (planes, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)


def test_no_law_where_none_is_known():
    assert laws_for(get_phase("Fe")) == ()  # body-centred
    assert laws_for(phase_of("6/mmm", 2.46, 6.7, 120)) == ()  # graphite is no hcp metal
    assert laws_for(phase_of("mmm", 3, 4, 90)) == ()


@pytest.mark.parametrize("name", ["Mg", "Ni"])
@pytest.mark.parametrize("degrees", [0, 25, 90, 140])
def test_a_coherent_boundary_runs_along_its_trace(name, degrees):
    made = made_map(name, bicrystal(name, degrees))
    (pairs,) = run(find_twins(made, {0: laws_for(made.phases[0])[0]}))
    assert len(pairs.places) == pairs.total > 50
    lines = straight_boundaries(pairs, made.step)
    assert len(lines.lengths) == 1
    y, x = lines.lines[0]
    run_of_it = np.degrees(np.arctan2(y, x)) % 180
    assert abs((run_of_it - degrees + 90) % 180 - 90) < 1.5
    assert deviations(lines, np.eye(3))[0] < 1.5
    assert deviations(lines, np.diag([-1.0, -1, 1]))[0] < 1.5  # half a turn about the beam
    if degrees in (25, 140):
        expected = abs((2 * degrees + 90) % 180 - 90)
        assert deviations(lines, np.diag([1.0, -1, -1]))[0] == pytest.approx(expected, abs=1.5)


def test_steps_that_differ_count_in_the_direction():
    places = np.stack([np.arange(20.0), np.arange(20.0)], axis=1)
    pairs = TwinPairs(20, places, np.tile([1.0, 0.0, 0.0], (20, 1)))
    lines = straight_boundaries(pairs, (2.0, 1.0))
    assert np.degrees(np.arctan2(*np.abs(lines.lines[0]))) == pytest.approx(63.43, abs=0.01)
    assert lines.lengths[0] == pytest.approx(19 * np.sqrt(5))


def test_what_is_no_boundary_is_left_out():
    normal = np.tile([1.0, 0.0, 0.0], (20, 1))
    line = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
    assert len(straight_boundaries(TwinPairs(20, line, normal)).lengths) == 1
    flat = np.tile([0.2, 0.0, np.sqrt(0.96)], (20, 1))  # a plane nearly parallel to the surface
    assert not len(straight_boundaries(TwinPairs(20, line, flat)).lengths)
    assert not len(straight_boundaries(TwinPairs(9, line[:9], normal[:9])).lengths)
    corner = np.concatenate([line, line[:, ::-1]])
    both = np.concatenate([normal, normal])
    assert not len(straight_boundaries(TwinPairs(40, corner, both)).lengths)
    none = TwinPairs(0, np.zeros((0, 2)), np.zeros((0, 3)))
    assert not len(straight_boundaries(none).lengths)


def test_guesses_take_no_part():
    made = made_map("Ni", bicrystal("Ni", 25))
    made.properties["CI"] = np.full(made.shape, 0.05)
    (pairs,) = run(find_twins(made, {0: laws_for(made.phases[0])[0]}))
    assert pairs.total == 0
