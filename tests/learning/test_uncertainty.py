"""What a network says of its own error, beside the error it makes."""

import numpy as np
import pytest

from napari_orient.learning.uncertainty import rank_correlation, reliability


def test_an_honest_network_lies_on_the_diagonal():
    random = np.random.default_rng(0)
    spread = random.uniform(0.5, 10, 50_000)
    error = random.gamma(3, spread / 3)  # the density of the mixture's angles, of this mean
    table = reliability(spread, error, 8)
    assert len(table.n) == 8
    assert table.n.sum() == 50_000
    assert np.ptp(table.n) <= 1
    np.testing.assert_allclose(table.mean, table.stated, rtol=0.05)
    assert table.gap < 0.1
    assert (table.lower < table.median).all()
    assert (table.median < table.upper).all()


def test_one_that_flatters_itself_lies_above():
    spread = np.linspace(1, 5, 1000).reshape(20, 50)
    table = reliability(spread, 3 * spread, 4)
    np.testing.assert_allclose(table.mean, 3 * table.stated)
    np.testing.assert_allclose(table.gap, 2 * spread.mean())


def test_bins_hold_their_own_points():
    spread = np.array([1.0, 1.0, 2.0, 2.0, np.nan, 3.0])
    error = np.array([0.0, 2.0, 4.0, 6.0, 9.0, np.nan])
    table = reliability(spread, error, 2)
    assert table.stated.tolist() == [1, 2]
    assert table.mean.tolist() == [1, 5]
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
