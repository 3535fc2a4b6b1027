"""How sure a network is, beside how often it is right."""

import numpy as np
import pytest

from napari_orient.learning.uncertainty import rank_correlation, reliability


def test_an_honest_network_lies_on_the_diagonal():
    random = np.random.default_rng(0)
    sure = random.uniform(0, 1, 50_000)
    error = np.where(random.uniform(size=50_000) < sure, 1.0, 40.0)
    table = reliability(sure, error, 8)
    assert len(table.n) == 8
    assert table.n.sum() == 50_000
    assert np.ptp(table.n) <= 1
    np.testing.assert_allclose(table.right, table.stated, atol=0.02)
    assert table.gap < 0.01


def test_one_that_flatters_itself_lies_below():
    sure = np.linspace(0.5, 1, 1000).reshape(20, 50)
    table = reliability(sure, np.where(np.arange(1000).reshape(20, 50) % 2, 4.9, 5.1))
    np.testing.assert_allclose(table.right, 0.5, atol=0.02)
    np.testing.assert_allclose(table.gap, 0.25, atol=0.02)


def test_bins_hold_their_own_points():
    sure = np.array([0.1, 0.1, 0.2, 0.2, np.nan, 0.3])
    error = np.array([0.0, 12.0, 4.0, 3.0, 9.0, np.nan])
    table = reliability(sure, error, 2)
    np.testing.assert_allclose(table.stated, [0.1, 0.2])
    assert table.right.tolist() == [0.5, 1]
    assert table.n.tolist() == [2, 2]
    assert np.isnan(reliability(np.full(3, np.nan), np.ones(3)).gap)
    with pytest.raises(ValueError, match="shapes differ"):
        reliability(np.ones(3), np.ones(4))


def test_ranks_tell_whether_a_number_finds_errors():
    error = np.array([[0.1, 5.0], [2.0, np.nan]])
    assert rank_correlation(error**2, error) == pytest.approx(1)
    assert rank_correlation(-np.log(error), error) == pytest.approx(-1)
    assert np.isnan(rank_correlation(np.ones((2, 2)), error))
    assert np.isnan(rank_correlation(error[:1, :1], error[:1, :1]))
