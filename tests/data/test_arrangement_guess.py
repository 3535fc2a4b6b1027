"""Is the arrangement of a recording found from its frames, and said how likely?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_orient.data.arrangement import Arrangement
from napari_orient.data.arrangement_guess import Look, factor_pairs, guess_arrangement, look
from napari_orient.jobs import run


def grains(rows: int, columns: int, seed: int) -> np.ndarray:
    """Mean patterns (y, x, 8, 8) of a few grains."""
    random = np.random.default_rng(seed)
    points = random.random((12, 2)) * (rows, columns)
    pixels = np.indices((rows, columns)).reshape(2, -1).T
    grain = np.square(pixels[:, None] - points).sum(axis=2).argmin(axis=1)
    levels = np.kron(random.integers(4, 60, (12, 4, 4)), np.ones((2, 2)))
    return levels[grain].reshape(rows, columns, 8, 8)


def recorded(made: Arrangement, seed: int) -> np.ndarray:
    """Frames as a recorder writes them; dark before the scan and during the flyback."""
    random = np.random.default_rng(seed)
    margin = 4
    scan = grains(made.rows, made.columns + 2 * margin, seed)
    frames = np.full((made.stop + made.flyback, 8, 8), 0.1)
    for line in range(made.lines):
        columns = np.arange(made.length)
        if made.is_backwards(line):
            columns = made.length - 1 - columns + made.hysteresis
        first = made.start + line * made.period
        frames[first : first + made.length] = scan[line, columns + margin]
    return random.poisson(frames).astype(np.uint8)


CASES = [
    Arrangement(rows=28, columns=22, start=s, flyback=f, snake=snake, hysteresis=h)
    for s, f, snake, h in itertools.product((0, 9), (0, 3), ("none", "second"), (0, 2))
    if snake != "none" or not h
]


@pytest.mark.parametrize("made", CASES, ids=str)
def test_the_likeliest_arrangement_is_the_right_one(made: Arrangement) -> None:
    guesses = guess_arrangement(run(look(recorded(made, 3))))
    assert guesses[0].arrangement == made
    assert guesses[0].confidence > 0.5
    assert guesses[0].confidence >= guesses[1].confidence
    assert all(guess.reasons for guess in guesses)
    assert all(guess.arrangement.problem(made.stop + made.flyback) is None for guess in guesses)


@pytest.mark.parametrize("lost", [5, 14])
def test_a_snake_that_begins_within_a_line(lost: int) -> None:
    """Without a lead only the mirrors of the lines tell where the first whole one starts."""
    frames = recorded(Arrangement(rows=28, columns=22, snake="second"), 3)[lost:]
    wanted = Arrangement(rows=27, columns=22, start=22 - lost, snake="second")
    assert guess_arrangement(run(look(frames)))[0].arrangement == wanted


def test_headers_say_where_the_scan_lies() -> None:
    made = Arrangement(rows=28, columns=22, start=40)
    frames = np.concatenate([recorded(made, 5), recorded(made, 6)[:50]])
    best = guess_arrangement(run(look(frames)), span=(40, 28 * 22))[0]
    assert best.arrangement == made
    assert any("headers" in reason for reason in best.reasons)


@pytest.mark.parametrize("frames", [1, 2, 13, 36, 600])
def test_frames_without_likeness_are_only_counted(frames: int) -> None:
    noise = np.random.default_rng(0).poisson(20, (frames, 8, 8)).astype(np.uint8)
    guesses = guess_arrangement(run(look(noise)))
    assert guesses
    assert guesses[0].confidence < 0.35
    assert all(guess.arrangement.problem(frames) is None for guess in guesses)
    dark = guess_arrangement(Look(np.zeros(frames, np.float32), np.zeros((frames, 16), np.float32)))
    assert dark[0].arrangement.rows * dark[0].arrangement.columns == frames


def test_pairs_of_factors() -> None:
    assert factor_pairs(12) == [(3, 4), (4, 3), (2, 6), (6, 2), (1, 12), (12, 1)]
    assert factor_pairs(16)[0] == (4, 4)
