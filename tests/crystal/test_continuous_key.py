"""Continuous keys: equal for equivalent directions, without jumps, one-to-one where possible."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.crystal.continuous_key import SHARED_NOTE, continuous_key
from napari_orient.crystal.rotations import LAUE_GROUPS
from napari_orient.crystal.tsl_key import color_key, key_is_continuous

SETTINGS = (*LAUE_GROUPS, "121", "211", "312")
PLANES = ("-1", "-3")  # projective planes: no key of these is one-to-one


def operations(name):
    """Matrices (n, 3, 3) of the Laue group, from orix, not from our keys."""
    from orix.crystal_map import Phase
    from orix.quaternion import Rotation

    laue = Phase(point_group=name).point_group.laue
    matrices = Rotation(laue.data).to_matrix()
    matrices[laue.improper.astype(bool)] *= -1
    return matrices


def sphere(n):
    """Evenly spread unit vectors (n, 3): a Fibonacci lattice."""
    i = np.arange(n) + 0.5
    z, azimuth = 1 - 2 * i / n, np.pi * (1 + np.sqrt(5)) * i
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(azimuth), r * np.sin(azimuth), z], axis=-1)


def great_circles():
    """Axes (n, 2, 3) of circles: coordinate planes, mirrors 30 degrees apart, others."""
    rng = np.random.default_rng(0)
    circles = [np.linalg.qr(rng.normal(size=(3, 2)))[0].T for _ in range(10)]
    z = np.array([0.0, 0.0, 1.0])
    circles += [np.array([[np.cos(a), np.sin(a), 0], z]) for a in np.radians(np.arange(0, 180, 15))]
    circles.append(np.eye(3)[:2])
    circles.append(np.array([[1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2))
    return np.array(circles)


@pytest.mark.parametrize("name", SETTINGS)
def test_equivalent_directions_have_equal_colours(name):
    on_circles = np.concatenate([_circle(c, 73) for c in great_circles()])
    v = np.concatenate([sphere(1000), on_circles, np.ones((1, 3)) / np.sqrt(3)])
    key = continuous_key(name)
    colours = key.colors(v)
    for operation in operations(name):
        np.testing.assert_allclose(key.colors(v @ operation.T), colours, rtol=0, atol=1e-9)


def _circle(axes, n):
    angle = np.linspace(0, 2 * np.pi, n)[:, None]
    return np.cos(angle) * axes[0] + np.sin(angle) * axes[1]


@pytest.mark.parametrize("name", SETTINGS)
def test_colours_never_jump(name):
    """Ten times finer steps along great circles make about ten times smaller steps of colour."""
    key, steps = continuous_key(name), []
    for n in (1500, 15000):
        circles = (key.colors(_circle(c, n)) for c in great_circles())
        steps.append(max(np.abs(np.diff(c, axis=0)).max() for c in circles))
    assert steps[0] < 0.05
    assert steps[1] < 0.2 * steps[0]


def _orbits(name, n=900):
    """Directions, one of each orbit, their angles after symmetry, and their distances in RGB."""
    key = continuous_key(name)
    v = sphere(n * len(operations(name)))
    v = v[key.sector.contains(v @ key.sector.turn.T)]
    near = np.max([v @ (v @ s.T).T for s in operations(name)], axis=0)
    angle = np.degrees(np.arccos(np.clip(near, -1, 1)))
    colours = key.colors(v)
    return v, angle, np.linalg.norm(colours[:, None] - colours[None], axis=-1)


@pytest.mark.parametrize("name", [n for n in LAUE_GROUPS if n not in PLANES])
def test_directions_that_differ_have_colours_that_differ(name):
    """Of orbits 10 degrees apart no two are nearer than this in RGB (0 to 1 each)."""
    _, angle, distance = _orbits(name)
    assert distance[angle > 10].min() > 0.09  # 0.10 in 2/m, 0.24 in m-3m


@pytest.mark.parametrize("name", PLANES)
def test_only_the_equator_shares_colours(name):
    """A projective plane has no place in three dimensions: here its double line is the equator."""
    v, angle, distance = _orbits(name)
    above = v[:, 2] > np.sin(np.radians(15))
    apart = angle[above][:, above] > 20
    assert distance[above][:, above][apart].min() > 0.1
    a, n = 0.2, {"-1": 1, "-3": 3}[name]
    pair = [(np.cos(t / n), np.sin(t / n), 0.0) for t in (a, -a)]
    colours = continuous_key(name).colors(pair)
    np.testing.assert_allclose(*colours, atol=1e-12)
    assert continuous_key(name).note == SHARED_NOTE


@pytest.mark.parametrize("name", LAUE_GROUPS)
def test_where_the_tsl_key_is_continuous_it_is_this_one(name):
    v = np.random.default_rng(1).normal(size=(500, 3))
    gap = np.abs(continuous_key(name).colors(v) - color_key(name).colors(v)).max()
    assert (gap < 1e-5) == key_is_continuous(name)


def test_known_colours():
    trigonal, cubic = continuous_key("-3m"), continuous_key("m-3")
    np.testing.assert_allclose(trigonal.colors((1, 0, 0)), (1, 1, 1), atol=1e-12)  # the diad
    np.testing.assert_allclose(trigonal.colors((0, 0, 1)), (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(cubic.colors((1, 1, 1)), (1, 1, 1), atol=1e-12)
    np.testing.assert_allclose(cubic.colors((0, 1, 0)), (1, 0, 0), atol=1e-12)
    # the positive and the negative rhombohedron, which Laue group -3m tells apart
    one, other = trigonal.colors([(np.sqrt(0.75), 0.5, 1), (np.sqrt(0.75), -0.5, 1)])
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(continuous_key("6/m").colors((0, 0, -2)), (1, 1, 1), atol=1e-12)
    assert np.isnan(trigonal.colors((0, 0, 0))).all()
