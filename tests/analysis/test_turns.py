"""Eight turns of a grid."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.analysis.turns import TURNS, possible_turns

ARRAY = np.arange(12).reshape(3, 4)


def test_their_words_are_what_they_do():
    done = {turn.words: turn.apply(ARRAY) for turn in TURNS}
    assert len(done) == len({a.tobytes() for a in done.values()}) == 8
    np.testing.assert_array_equal(done["as it is"], ARRAY)
    np.testing.assert_array_equal(done["flipped top to bottom"], np.flipud(ARRAY))
    np.testing.assert_array_equal(done["flipped left to right"], np.fliplr(ARRAY))
    np.testing.assert_array_equal(done["turned by 180°"], np.rot90(ARRAY, 2))
    np.testing.assert_array_equal(done["turned by 90° clockwise"], np.rot90(ARRAY, -1))
    np.testing.assert_array_equal(done["turned by 90° anticlockwise"], np.rot90(ARRAY))
    np.testing.assert_array_equal(done["rows and columns exchanged"], ARRAY.T)
    np.testing.assert_array_equal(
        done["rows and columns exchanged, turned by 180°"], np.rot90(ARRAY.T, 2)
    )


def test_components_travel_along():
    field = np.arange(48).reshape(3, 4, 4)
    for turn in TURNS:
        assert turn.apply(field).shape == (*turn.apply(ARRAY).shape, 4)
        assert turn.shape(field.shape) == turn.apply(ARRAY).shape


@pytest.mark.parametrize(
    ("shape", "other", "number", "transposed"),
    [((3, 4), (3, 4), 4, {False}), ((3, 4), (4, 3), 4, {True}), ((5, 5), (5, 5), 8, {False, True}),
     ((3, 4), (3, 5), 0, set()), ((3, 4, 9, 9), (4, 3, 7, 7), 4, {True})],
)  # fmt: skip
def test_which_are_possible(shape, other, number, transposed):
    turns = possible_turns(shape, other)
    assert len(turns) == number
    assert {turn.transpose for turn in turns} == transposed
