"""Random misorientations: published facts of the distributions, and drawn pairs of crystals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from napari_orient.analysis.mackenzie import random_misorientation
from napari_orient.crystal.rotations import (
    LAUE_GROUPS,
    misorientation_angle,
    random_orientations,
)

# Largest angles: Morawiec, Orientations and Rotations (2004); of cyclic groups there is
# none below half a turn.
LARGEST = {
    "-1": 180, "2/m": 180, "-3": 180, "4/m": 180, "6/m": 180, "mmm": 120, "-3m": 104.478,
    "4/mmm": 98.421, "6/mmm": 93.841, "m-3": 90, "m-3m": 62.799,
}  # fmt: skip


def pairs(group, n=100_000):
    return misorientation_angle(random_orientations(n, 11), random_orientations(n, 12), group)


def p_value(angles, random, edges):
    counts, _ = np.histogram(angles, edges)
    expected = random.probabilities(edges) * len(angles)
    keep = expected > 10
    expected = np.append(expected[keep], len(angles) - expected[keep].sum())
    counts = np.append(counts[keep], len(angles) - counts[keep].sum())
    return chisquare(counts, expected * counts.sum() / expected.sum()).pvalue


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_each_laue_group(group):
    random = random_misorientation(group)
    w = np.arange(0, 180, 0.01) + 0.005
    assert np.sum(random.density(w)) * 0.01 == pytest.approx(1, abs=3e-5)
    assert np.sum(w * random.density(w)) * 0.01 == pytest.approx(random.mean, abs=5e-3)
    assert random.largest == pytest.approx(LARGEST[group], abs=2e-3)
    assert random.cumulative(random.largest + 0.02) == pytest.approx(1, abs=1e-6)
    assert random.density(random.largest + 0.1) == 0
    # below the half of the smallest rotation of the group nothing is cut away
    small = np.array([1.0, 10.0, 29.0])
    free = random.order * (1 - np.cos(np.radians(small))) / 180
    np.testing.assert_allclose(random.density(small), free, rtol=1e-12)
    # an independent draw: the mean has its standard error
    angles = pairs(group, 20_000)
    error = angles.std() / np.sqrt(len(angles))
    assert abs(angles.mean() - random.mean) < 4 * error


def test_facts_of_cubic_crystals():
    cubic = random_misorientation("m-3m")
    assert cubic.mean == pytest.approx(40.736, abs=2e-3)  # Mackenzie (1958): 40.74
    w = np.arange(0, 63, 0.01)
    assert w[cubic.density(w).argmax()] == pytest.approx(45, abs=0.02)
    # his first part, up to 45 degrees: (2 / 15) (1 - cos w) per degree
    low = np.arange(1, 45.0)
    np.testing.assert_allclose(cubic.density(low), 2 / 15 * (1 - np.cos(np.radians(low))))
    # share of boundaries below 15 degrees: 24 (w - sin w) / pi
    w = np.radians(15)
    assert cubic.cumulative(15) == pytest.approx(24 * (w - np.sin(w)) / np.pi, rel=1e-5)
    # his second part, from 45 to 60 degrees
    w = np.radians(np.arange(46, 60.0))
    second = 3 * (np.sqrt(2) - 1) * np.sin(w) - 2 * (1 - np.cos(w))
    np.testing.assert_allclose(cubic.density(np.degrees(w)), 2 / 15 * second, rtol=2e-4)


def test_the_setting_does_not_matter():
    assert random_misorientation("432").mean == random_misorientation("m-3m").mean
    assert random_misorientation("121").mean == pytest.approx(
        random_misorientation("2/m").mean, abs=1e-3
    )
    with pytest.raises(ValueError, match="not known"):
        random_misorientation("cubic")


@pytest.mark.parametrize("group", ["m-3m", "6/mmm", "-3m"])
def test_drawn_pairs_pass_chi_square(group):
    random = random_misorientation(group)
    edges = np.arange(0, np.ceil(random.largest) + 1)
    angles = pairs(group)
    assert p_value(angles, random, edges) > 0.01
    for wrong in {"m-3m", "6/mmm", "-3m"} - {group}:
        assert p_value(angles, random_misorientation(wrong), edges) < 1e-6
    # one percent too wide is seen as well
    assert p_value(angles * 1.01, random, edges) < 0.01
