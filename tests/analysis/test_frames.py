"""The frame that twins tell: made maps in every convention, maps that say nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from twin_maps import bicrystal, grains, made_map, many_twins

from napari_orient.analysis.frames import CHANCE, OWN, check_frame, share_of
from napari_orient.analysis.twins import HEXAGONAL
from napari_orient.data.maps import from_vendor, to_vendor, turn_crystal_axes
from napari_orient.data.vendors.reframe import in_frame
from napari_orient.data.vendors.tables import FRAMES
from napari_orient.jobs import Progress, run

HALF_TURNS = {
    "as is": "x left, y up", "y up": "x left, y down", "x down, y right": "x up, y left",
    "x down, y left": "x up, y right",
}  # fmt: skip
PARTNER = HALF_TURNS | {b: a for a, b in HALF_TURNS.items()}


def written_in(made, frame, axes):
    """The map as a file says it whose axes are ``frame``, read as it stands."""
    q = to_vendor(made.quaternions, FRAMES[frame][0])
    if axes == "a*":
        q = turn_crystal_axes(q, made.phase_id, made.phases, to="a*")
    return replace(made, quaternions=q)


@pytest.mark.parametrize("frame", list(FRAMES))
@pytest.mark.parametrize("axes", ["a", "a*"])
def test_every_convention_is_found_in_magnesium(frame, axes):
    check = run(check_frame(written_in(many_twins("Mg"), frame, axes)))
    best, *others = check.ranking
    assert set(best.conventions) == {(frame, axes), (PARTNER[frame], axes)}
    assert best.share == 1
    assert best.is_current == ((frame, axes) in [("as is", "a"), ("x left, y up", "a")])
    assert check.decided
    assert "chance gives 11 %" in check.verdict
    assert all(other.share < 0.5 for other in others if not np.isnan(other.share))
    tried = [convention for entry in check.ranking for convention in entry.conventions]
    assert len(tried) == len(set(tried)) == 16


def test_what_is_listed_together_is_half_a_turn_apart():
    check = run(check_frame(many_twins("Ni")))
    assert len(check.ranking) == 4
    for entry in check.ranking:
        one, other = (name for name, _ in entry.conventions)
        assert PARTNER[one] == other
    assert check.find("as is", "a") is check.ranking[0]
    assert check.find("as is", "a*") is None  # no choice on a cubic lattice


def test_nothing_depends_on_the_frame_the_map_is_in():
    made = many_twins("Mg")
    first, second = (run(check_frame(m)) for m in (made, in_frame(made, "x up, y right", "a*")))
    # `made` is in the frame "as is"; `second` was told that the file means other axes
    assert second.pairs == first.pairs
    for entry in first.ranking:
        again = second.find(*entry.conventions[0])
        assert set(again.conventions) == set(entry.conventions)
        np.testing.assert_allclose(again.share, entry.share)
    assert second.find("x up, y right", "a*").is_current
    assert not second.find("as is", "a").is_current


# a turn about the beam and a flip do not commute: the second tells the order of the two
@pytest.mark.parametrize("meant", ["as is", "y up"])
def test_a_frame_without_a_name_is_ranked_too(meant):
    made = written_in(many_twins("Ni"), meant, "a")
    turn = (np.cos(np.radians(10)), 0.0, 0.0, np.sin(np.radians(10)))  # 20 degrees about the beam
    vendor = from_vendor(made.quaternions, turn)
    check = run(check_frame(replace(made, quaternions=vendor, frame=turn)))
    own = check.find(OWN, "a")
    assert own.is_current
    assert own.share < 0.5
    assert check.find(meant, "a").share == 1


def test_what_explains_more_twins_goes_before_what_explains_few_better():
    right = many_twins("Mg", tiles=4)
    few = written_in(many_twins("Mg", seed=1, tiles=4), "as is", "a*").quaternions[:80]
    quarter = (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5))
    off = from_vendor(right.quaternions[:40], quarter)  # their boundaries run across the trace
    quaternions = np.concatenate([off, right.quaternions[40:], few])
    check = run(check_frame(made_map("Mg", quaternions)))
    best, rival = check.find("as is", "a"), check.find("as is", "a*")
    assert best.share < 0.8 < rival.share
    assert rival.pairs < 0.6 * best.pairs
    assert check.ranking[0] is best


def test_the_law_may_be_chosen():
    check = run(check_frame(many_twins("Mg"), {0: HEXAGONAL[1]}))
    assert check.twins == "Mg {10-11} (56.2°)"
    assert check.pairs < 100  # chance, where tiles meet
    assert not check.decided
    with pytest.raises(KeyError):
        run(check_frame(many_twins("Mg"), {7: HEXAGONAL[0]}))


def test_too_few_twins_say_nothing():
    check = run(check_frame(made_map("Ni", bicrystal("Ni", 25))))  # one boundary, 70 px
    assert not check.decided
    assert "Not enough twins" in check.verdict
    assert "Nothing can be said" in check.verdict
    (entry,) = check.ranking
    assert np.isnan(entry.share)
    assert len(entry.conventions) == 8


def test_no_law_no_answer():
    check = run(check_frame(made_map("Fe", bicrystal("Ni", 25))))
    assert check.ranking == ()
    assert not check.decided
    assert "No twin law is known" in check.verdict


def test_boundaries_in_any_direction_are_not_ranked():
    """Twins whose boundaries do not follow K1: the best of the noise is not called a fit."""
    made = many_twins("Ni")
    rng, tiles = np.random.default_rng(3), []
    for tile in range(9):
        y, x = 40 * (tile // 3), 40 * (tile % 3)
        part = made.quaternions[y : y + 40, x : x + 40]
        angle = np.radians(rng.uniform(0, 180)) / 2
        tiles.append(from_vendor(part, (np.cos(angle), 0, 0, np.sin(angle))))
    rows = [np.concatenate(tiles[i : i + 3], axis=1) for i in (0, 3, 6)]
    check = run(check_frame(made_map("Ni", np.concatenate(rows))))
    assert not check.decided
    assert check.verdict.startswith("No convention fits")


def test_two_that_fit_alike_are_not_decided():
    """Half of the map as one convention has it, half as another: each is better than chance."""
    made = many_twins("Ni", tiles=6).quaternions
    turned = from_vendor(made[:120], (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)))
    check = run(check_frame(made_map("Ni", np.concatenate([turned, made[120:]]))))
    rival = check.ranking[1]
    assert rival.low > CHANCE
    assert not check.decided
    assert check.verdict.startswith("The best two cannot be told apart")


def test_noise_holes_and_volumes():
    made = many_twins("Mg")
    rng = np.random.default_rng(0)
    noisy = made.quaternions + rng.normal(0, 0.003, made.quaternions.shape)
    noisy /= np.linalg.norm(noisy, axis=-1, keepdims=True)
    phase_id = np.where(rng.random(made.shape) < 0.02, -1, 0)
    one = replace(made, quaternions=noisy, phase_id=phase_id)
    check = run(check_frame(one))
    assert check.decided
    assert check.ranking[0].is_current
    both = replace(
        one, quaternions=np.stack([noisy] * 2), phase_id=np.stack([phase_id] * 2),
        done=np.ones((2, *made.shape)), step=(1, 1, 1), origin=(), periodic=(),
    )  # fmt: skip
    volume = run(check_frame(both))
    assert volume.pairs == 2 * check.pairs
    assert volume.ranking[0].length == pytest.approx(2 * check.ranking[0].length)


def test_interval_of_a_share():
    hits = np.repeat([True, False], (8, 2))
    share, low, high = share_of(hits, np.ones(10))
    # Wilson's interval of 8 in 10, Brown, Cai and DasGupta, Stat. Sci. 16 (2001) 101
    assert (share, low, high) == pytest.approx((0.8, 0.4902, 0.9433), abs=2e-4)
    none = share_of(np.zeros(20, bool), np.full(20, 3.0))
    assert none[:2] == (0, 0)
    assert none[2] == pytest.approx(0.161, abs=1e-3)
    one_long = share_of(hits, np.array([91.0] + [1.0] * 9))
    assert one_long[2] - one_long[1] > 0.5  # hardly more than one trial


def test_it_reports_and_stops():
    job = check_frame(many_twins("Mg"))
    events = [next(job) for _ in range(2)]
    assert all(isinstance(event, Progress) for event in events)
    assert "{10-12}" in events[0].text
    job.close()
    assert pytest.approx(1 / 9) == CHANCE


def test_a_map_of_grains_has_no_twins():
    label, orientations = grains()
    check = run(check_frame(made_map("Ni", orientations[label])))
    assert not check.decided
