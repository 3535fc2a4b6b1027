"""Curves of errors against what is counted by hand, and Mackenzie's distribution."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.analysis.curves import binned, cumulative, histogram, random_errors


def test_histogram_counts_from_zero():
    errors = np.array([[0.1, 0.4, np.nan], [0.6, 2.4, 0.5]])
    found = histogram(errors, 0.5)
    np.testing.assert_allclose(found.edges, [0, 0.5, 1.0, 1.5, 2.0, 2.5])
    assert found.counts.tolist() == [2, 2, 0, 0, 1]


@pytest.mark.parametrize(("largest", "width"), [(62.8, 2), (1.0, 0.05), (180, 5), (3e-7, 1e-8)])
def test_widths_are_round_numbers(largest, width):
    found = histogram(np.array([0.0, largest]))
    assert np.diff(found.edges) == pytest.approx(width)
    assert 20 <= len(found.counts) <= 50
    assert found.counts.sum() == 2


def test_no_errors_and_none_to_show():
    assert histogram(np.zeros(3)).counts.tolist() == [3]
    assert histogram(np.array([np.nan])).counts.tolist() == [0]
    assert len(cumulative(np.array([np.nan])).values) == 0
    assert len(binned(np.array([np.nan]), np.array([1.0])).n) == 0


def test_cumulative_ends_at_all():
    found = cumulative(np.array([3.0, 1.0, np.nan, 2.0, 10.0]))
    assert found.values.tolist() == [1, 2, 3, 10]
    assert found.share.tolist() == [0.25, 0.5, 0.75, 1]
    many = np.random.default_rng(0).random(100_000)
    few = cumulative(many, 500)
    assert len(few.values) == 500
    assert few.share[-1] == 1
    np.testing.assert_allclose(few.share, [(many <= v).mean() for v in few.values])


def test_bins_of_equal_numbers_and_their_quartiles():
    rng = np.random.default_rng(1)
    q, errors = rng.uniform(0, 100, 1000), rng.exponential(3, 1000)
    errors[:10] = np.nan
    found = binned(np.append(errors, 5.0), np.append(q, np.nan), 9)
    assert found.n.sum() == 990
    assert abs(found.n - 110).max() <= 1
    for i in range(9):
        last = q <= found.edges[i + 1] if i == 8 else q < found.edges[i + 1]
        inside = (q >= found.edges[i]) & last & np.isfinite(errors)
        assert inside.sum() == found.n[i]
        quartiles = np.percentile(errors[inside], (25, 50, 75))
        np.testing.assert_allclose((found.lower[i], found.median[i], found.upper[i]), quartiles)
        assert found.at[i] == np.median(q[inside])


def test_equal_values_stay_together():
    distance = np.array([0.5] * 6 + [1.5] * 3 + [2.5])
    found = binned(np.arange(10.0), distance, 5)
    assert found.n.sum() == 10
    assert found.at[0] == 0.5
    assert found.n[0] == 6
    assert found.median[0] == 2.5
    assert (found.n.tolist(), found.edges.tolist()) == ([6, 3, 1], [0.5, 1.5, 2.5, 2.5])
    same = binned(np.arange(4.0), np.ones(4))
    assert (same.n.tolist(), same.median.tolist(), same.at.tolist()) == ([4], [1.5], [1.0])
    with pytest.raises(ValueError, match="shapes differ"):
        binned(np.ones(3), np.ones(4))


@pytest.mark.parametrize("rare", [-1.0, 3.0])
def test_a_rare_value_is_not_lost_in_the_one_that_dominates(rare):
    """As R = 100 of nearly all points, or a boundary distance of 0.5 of nearly all."""
    against = np.ones(200)
    against[50:53] = rare
    errors = np.where(against == 1, 2.0, 60.0)
    found = binned(errors, against)
    first = rare < 1
    assert found.at.tolist() == ([rare, 1.0] if first else [1.0, rare])
    assert found.n.tolist() == ([3, 197] if first else [197, 3])
    assert found.median.tolist() == found.upper.tolist() == ([60, 2] if first else [2, 60])


def test_guesses_in_cubic_crystals_follow_mackenzie():
    """Mackenzie 1958: mean 40.736 degrees, largest 62.8, 45 degrees the most frequent."""
    angles = random_errors("m-3m")
    assert angles.mean() == pytest.approx(40.736, abs=0.2)  # 4 standard errors of 50 000
    assert 62 < angles.max() <= 62.8 + 1e-3
    counts, edges = np.histogram(angles, bins=np.arange(0, 64, 3))
    assert 42 <= edges[counts.argmax()] <= 45
    halved = random_errors("m-3m", modulo_beam=True)
    assert halved.mean() < angles.mean() - 5
