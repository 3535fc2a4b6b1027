"""Directions of boundaries: straight ones of known direction, and grains without any preference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from twin_maps import made_map

from napari_orient.analysis.traces import boundary_traces, rose


def blank(shape, **fields):
    quaternions = np.zeros((*shape, 4))
    quaternions[..., 0] = 1
    return made_map("Ni", quaternions, **fields)


def halves(degrees, shape=(110, 120), step=(1.0, 1.0)):
    y, x = np.indices(shape) - (np.array(shape)[:, None, None] - 1) / 2
    t = np.radians(degrees)
    return 1 + (y * step[0] * np.cos(t) - x * step[1] * np.sin(t) > 0.01).astype(np.int32)


def off(angle, degrees):
    return np.abs((angle - degrees + 90) % 180 - 90)


def voronoi(n, size, seed):
    seeds = np.random.default_rng(seed).random((n, 2)) * size
    points = np.indices((size, size)).reshape(2, -1).T
    return 1 + cKDTree(seeds, boxsize=size).query(points)[1].reshape(size, size).astype(np.int32)


@pytest.mark.parametrize("degrees", [0, 7, 20, 33, 45, 60, 90, 100, 135, 151, 176])
def test_a_straight_boundary_has_its_direction(degrees):
    labels = halves(degrees)
    found = boundary_traces(blank(labels.shape), labels)
    assert np.isfinite(found.angle).all()
    wrong = off(found.angle, degrees)
    assert np.sqrt(np.average(wrong**2, weights=found.length)) < 1.5
    # not the staircase's length, which is up to 1.41 times as long
    y, x = (
        1 / max(abs(f), 1e-9) for f in (np.sin(np.radians(degrees)), np.cos(np.radians(degrees)))
    )
    assert found.length.sum() == pytest.approx(min(110 * y, 120 * x), rel=0.03)


@pytest.mark.parametrize("degrees", [30, 75, 120])
def test_steps_that_differ_count_in_direction_and_length(degrees):
    step = (1.0, 2.0)
    labels = halves(degrees, step=step)
    found = boundary_traces(blank(labels.shape, step=step), labels)
    assert np.average(off(found.angle, degrees), weights=found.length) < 2.5
    t = np.radians(degrees)
    expected = min(110 / abs(np.sin(t)), 240 / abs(np.cos(t)))
    assert found.length.sum() == pytest.approx(expected, rel=0.03)


def test_grains_without_preference_are_flat():
    total, length = 0, 0
    for seed in range(4):
        labels = voronoi(400, 360, seed)
        found = boundary_traces(blank(labels.shape, periodic=(True, True)), labels)
        middles, shares = rose(found, 15.0)
        total, length = total + shares / 4, length + found.length.sum() / 4
    # mean length of the edges of Voronoi cells: 2 sqrt(density) per area (Meijering 1953)
    assert length == pytest.approx(2 * np.sqrt(400) * 360, rel=0.02)
    assert total.sum() == pytest.approx(1)
    even = total * len(middles)
    assert np.abs(even - 1).max() < 0.2  # 4800 edges, 400 in a bin
    steep = np.isin(middles, [0, 45, 90, 135])
    assert even[steep].mean() == pytest.approx(1, abs=0.08)


def test_stretched_grains_are_seen():
    labels = np.repeat(voronoi(150, 120, 1), 3, axis=1)  # three times as wide as high
    middles, shares = rose(boundary_traces(blank(labels.shape), labels), 15.0)
    assert shares[np.isin(middles, [0, 15, 165])].sum() > 0.55


def test_what_has_no_direction():
    one = blank((20, 20))
    none = boundary_traces(one, np.ones((20, 20), np.int32))
    assert none.angle.shape == (0,)
    assert rose(none)[1].sum() == 0
    dots = np.ones((20, 20), np.int32)
    dots[5, 5] = 2
    found = boundary_traces(one, dots)
    assert np.isnan(found.angle).all()
    assert found.length.sum() == pytest.approx(np.pi, rel=1e-6)
    with pytest.raises(ValueError, match="one section of the volume"):
        boundary_traces(blank((3, 4, 5), step=(1, 1, 1)), np.ones((3, 4, 5), np.int32))
    with pytest.raises(ValueError, match="no whole number of bins"):
        rose(none, 50)


def test_points_without_a_grain_make_no_trace():
    labels = halves(20)
    labels[labels == 2] = 0
    assert not len(boundary_traces(blank(labels.shape), labels).angle)


def test_a_boundary_goes_on_across_a_periodic_border():
    labels = np.ones((30, 40), np.int32)
    labels[10:20] = 2  # two lines along x, which the border does not end
    found = boundary_traces(blank(labels.shape, periodic=(True, True)), labels)
    assert found.length.sum() == pytest.approx(80)
    np.testing.assert_allclose(off(found.angle, 0), 0, atol=1e-9)
