"""Distances to grain boundaries that are known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from error_examples import active, map_of, quaternions
from orix.crystal_map import Phase

from napari_orient.analysis.boundaries import boundary_distance, neighbour_angles
from napari_orient.analysis.errors import compare_maps
from napari_orient.analysis.shifts import boundary_image
from napari_orient.crystal.phases import get_phase
from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import run


def turned(degrees, **fields):
    """A map (y, x) of crystals turned about the beam by so many degrees."""
    degrees = np.array(degrees, float)
    g = np.array([active((0, 0, 1), a) for a in degrees.ravel()])
    return map_of(g.reshape(*degrees.shape, 3, 3), "4/m", **fields)


def test_distance_from_a_straight_boundary():
    """Two grains that meet between columns 2 and 3; a quarter turn is no boundary in 4/m."""
    made = turned(np.tile([0, 90, 2, 10, 11, 101], (4, 1)))
    distance = run(boundary_distance(made))
    np.testing.assert_array_equal(distance, np.tile([2.5, 1.5, 0.5, 0.5, 1.5, 2.5], (4, 1)))
    np.testing.assert_allclose(neighbour_angles(made, 1)[0], [0, 2, 8, 1, 0], atol=1e-9)
    np.testing.assert_allclose(neighbour_angles(made, 0), 0, atol=1e-9)
    np.testing.assert_array_equal(
        run(boundary_distance(made, 1.5))[0], [1.5, 0.5, 0.5, 0.5, 1.5, 2.5]
    )
    assert np.isnan(run(boundary_distance(made, 9.0))).all()


def test_distance_from_a_single_point_is_the_nearest_edge():
    made = np.zeros((5, 5))
    made[2, 2] = 20
    distance = run(boundary_distance(turned(made)))
    assert distance[2, 2] == distance[2, 1] == distance[3, 2] == 0.5
    assert distance[2, 4] == 1.5
    assert distance[1, 1] == pytest.approx(np.hypot(1, 0.5))
    assert distance[0, 0] == pytest.approx(np.hypot(2, 1.5))


def test_steps_that_differ():
    made = np.zeros((4, 3))
    made[2:] = 30
    distance = run(boundary_distance(turned(made, step=(0.6, 0.2))))
    np.testing.assert_allclose(distance[:, 0], [4.5, 1.5, 1.5, 4.5])  # pixels of 0.2


def test_what_is_not_indexed_is_no_boundary_and_another_phase_is_one():
    q = np.tile((1.0, 0, 0, 0), (1, 7, 1))
    q[0, 1:3] = quaternions(active((0, 0, 1), 40.0))
    phases = {0: get_phase("Ni"), 1: get_phase("NiO")}
    made = OrientationMap(q, phases, np.array([[0, -1, 0, 0, 0, 0, 1]]))
    np.testing.assert_allclose(
        neighbour_angles(made, 1)[0], [np.nan, np.nan, 40, 0, 0, np.inf], atol=1e-9
    )
    distance = run(boundary_distance(made))[0]
    np.testing.assert_array_equal(distance, [2.5, np.nan, 0.5, 0.5, 1.5, 0.5, 0.5])


def test_what_is_not_done_yet_is_no_boundary():
    done = np.array([[True, True, True, True, False]])
    made = turned([[0, 0, 30, 30, 70]], done=done)
    np.testing.assert_allclose(neighbour_angles(made, 1)[0], [0, 30, 0, np.nan], atol=1e-9)
    np.testing.assert_array_equal(run(boundary_distance(made))[0], [1.5, 0.5, 0.5, 1.5, np.nan])


def test_volumes():
    made = np.zeros((3, 4, 5))
    made[2] = 30
    distance = run(boundary_distance(turned(made, step=(1, 1, 1))))
    np.testing.assert_array_equal(distance[:, 1, 1], [1.5, 0.5, 0.5])


def test_it_is_the_reference_whose_boundaries_count():
    first, second = turned([[0, 0, 30, 30]]), turned([[0, 30, 30, 30]])
    np.testing.assert_array_equal(
        run(compare_maps(first, second)).boundary_distance[0], [1.5, 0.5, 0.5, 1.5]
    )


def test_the_setting_of_the_point_group_counts():
    """Half a turn about b is a symmetry of 121, and of 112 it is none."""
    q = np.array([[(1.0, 0, 0, 0), (0, 0, 1.0, 0)]])
    for name, angle in (("121", 0), ("112", 180)):
        made = OrientationMap(q, {0: Phase(point_group=name)})
        np.testing.assert_allclose(neighbour_angles(made, 1), angle, atol=1e-9)
        assert boundary_image(made).image.max() == min(angle, 1)
