"""A map laid on a reference: flip, shift and frame of made and of real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from orix.crystal_map import Phase
from twin_maps import grains, made_map

from napari_orient.analysis.reference import compare_frames, verdict
from napari_orient.analysis.shifts import best_shifts, boundary_image, overlap
from napari_orient.analysis.turns import TURNS
from napari_orient.crystal.rotations import multiply
from napari_orient.data.maps import OrientationMap, to_vendor, turn_crystal_axes
from napari_orient.data.sections import section_of
from napari_orient.data.vendors.open import open_map
from napari_orient.data.vendors.tables import FRAMES
from napari_orient.jobs import run


def reference(name="Mg"):
    label, orientations = grains()
    return made_map(name, orientations[label])


def disturbed(made, turn, frame, axes, cut=(slice(None), slice(None)), seed=0):
    """The map as another program would write it: turned, cut, in other axes, noisy, with holes."""
    rng = np.random.default_rng(seed)
    q = to_vendor(turn.apply(made.quaternions)[cut], FRAMES[frame][0])
    if axes == "a*":
        q = turn_crystal_axes(q, np.zeros(q.shape[:2]), made.phases, to="a*")
    q = q + rng.normal(0, 0.01, q.shape)
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    phase_id = np.where(rng.random(q.shape[:2]) < 0.15, -1, 0)
    return OrientationMap(q, made.phases, phase_id)


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.words)
def test_turn_shift_and_frame_are_recovered(turn):
    made = reference()
    frame, axes = list(FRAMES)[TURNS.index(turn)], "a*" if turn.up_down else "a"
    other = disturbed(made, turn, frame, axes, (slice(5, None), slice(3, None)))
    matches = run(compare_frames(other, made))
    best, second = matches[:2]
    assert (best.frame, best.crystal_axes) == (frame, axes)
    back = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(best.turn.apply(turn.apply(back)), back)
    # 5 rows and 3 columns of the turned grid are missing; where they are after turning back
    rows, columns = (3, 5) if turn.transpose else (5, 3)
    up, left = (turn.left_right, turn.up_down) if turn.transpose else turn[1:]
    assert best.shift == (0 if up else rows, 0 if left else columns)
    assert 0.5 < best.median < 3
    assert best.low <= best.median <= best.high
    assert best.below_5 > 0.95
    assert best.tied
    assert not second.tied
    assert second.median > 15


def test_small_shifts_only_where_asked():
    made = reference("Ni")
    other = disturbed(made, TURNS[0], "as is", "a", (slice(9, None), slice(None)))
    other = replace(
        made, quaternions=np.pad(other.quaternions, ((0, 9), (0, 0), (0, 0)), "edge"),
        phase_id=np.pad(other.phase_id, ((0, 9), (0, 0)), constant_values=-1),
    )  # fmt: skip
    assert run(compare_frames(other, made, max_shift=10))[0].shift == (9, 0)
    near = run(compare_frames(other, made, max_shift=3))[0]
    assert max(map(abs, near.shift)) <= 3
    assert near.below_5 < 0.8


def test_what_looks_alike_is_tied():
    """With c along the beam a hexagonal crystal looks the same after half a turn.

    So it does after a quarter and the 30 degrees between a and a*.
    """
    label, _ = grains()
    angles = np.random.default_rng(1).uniform(0, np.pi / 6, 25)
    about_c = np.stack([np.cos(angles), 0 * angles, 0 * angles, np.sin(angles)], axis=1)
    made = made_map("Mg", about_c[label])
    matches = run(compare_frames(disturbed(made, TURNS[0], "as is", "a"), made))
    tied = {(m.frame, m.crystal_axes) for m in matches if m.tied and m.turn == TURNS[0]}
    assert tied == {
        ("as is", "a"), ("x left, y up", "a"), ("x up, y right", "a*"), ("x down, y left", "a*")
    }  # fmt: skip


def test_magnesium_against_itself_turned(shared_data):
    made = open_map(shared_data / "mg_twins" / "twins.ctf")
    turn = TURNS[5]
    q = to_vendor(turn.apply(made.quaternions)[8:, :-5], FRAMES["x up, y right"][0])
    other = OrientationMap(
        q, made.phases, turn.apply(made.phase_id)[8:, :-5].copy(), step=made.step
    )
    best = run(compare_frames(other, made))[0]
    assert (best.frame, best.crystal_axes) == ("x up, y right", "a")
    assert best.turn.words == "turned by 90° anticlockwise"
    assert best.shift == (5, 8)
    assert best.median < 1e-4


def test_the_shuffled_slice_is_the_first_of_the_volume(shared_data):
    volume = open_map(shared_data / "in100" / "in100_slices_1_2.h5ebsd")
    first = section_of(volume, 0)
    assert section_of(first, 5) is first
    text = open_map(shared_data / "in100" / "in100_slice1_shuffled.ang", frame="y up")
    best, second = run(compare_frames(text, first))[:2]
    assert (best.frame, best.turn, best.shift) == ("x down, y right", TURNS[0], (0, 0))
    assert best.median < 0.01
    assert second.median > 30
    assert verdict((best, second)) == "The first convention fits: median 0.0°, 100 % below 5°."
    assert verdict((second,)).startswith("No convention brings the two maps together")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": (2.0, 2.0)}, "steps differ"),
        ({"phase_id": np.full((50, 60), -1)}, "enough indexed points"),
        ({"phases": {0: made_map("Ni", np.ones((1, 1, 4)) / 2).phases[0]}}, "no crystal in common"),
    ],
)
def test_what_cannot_be_compared(change, words):
    with pytest.raises(ValueError, match=words):
        run(compare_frames(replace(reference(), **change), reference()))


def test_a_volume_cannot_be_compared():
    made = reference()
    volume = OrientationMap(made.quaternions[None], made.phases, step=(1, 1, 1))
    with pytest.raises(ValueError, match="section"):
        run(compare_frames(volume, made))


def test_nm_and_um_are_the_same_step():
    made = reference("Ni")
    assert run(compare_frames(replace(made, step=(1000, 1000), unit="nm"), made))[0].median < 1e-4


def test_the_sense_of_the_crystal_axes_matters_where_six_turns_are_three():
    made = reference("LiNiO2")
    other = disturbed(made, TURNS[0], "as is", "a*")
    best, second = run(compare_frames(other, made))[:2]
    assert (best.frame, best.crystal_axes) == ("as is", "a*")
    assert best.median < 3
    assert second.median > 15


def test_steps_that_differ_are_exchanged_with_the_axes():
    made = replace(reference("Ni"), step=(1.0, 2.0))
    turned = replace(disturbed(made, TURNS[4], "as is", "a"), step=(2.0, 1.0))
    matches = run(compare_frames(turned, made))
    assert matches[0].turn == TURNS[4]
    assert all(match.turn.transpose for match in matches)


# --- shifts --------------------------------------------------------------------------------------


def test_boundaries_do_not_depend_on_the_frame():
    made = reference()
    image, known = boundary_image(made)
    assert known.all()
    assert set(np.unique(image).round(6)) >= {0.0, 1.0}
    other, _ = boundary_image(
        replace(made, quaternions=to_vendor(made.quaternions, FRAMES["x up, y right"][0]))
    )
    np.testing.assert_allclose(other, image, atol=1e-9)


def test_overlap():
    a, b = np.arange(12).reshape(3, 4), np.arange(20).reshape(4, 5)
    mine, theirs = overlap(a.shape, b.shape, (1, -2))
    np.testing.assert_array_equal(a[mine], a[:, 2:])
    np.testing.assert_array_equal(b[theirs], b[1:4, :2])
    mine, theirs = overlap(a.shape, b.shape, (9, 0))
    assert a[mine].size == b[theirs].size == 0
    mine, theirs = overlap(a.shape, b.shape, (-9, -9))
    assert a[mine].size == b[theirs].size == 0


def test_a_part_finds_its_place():
    whole = boundary_image(reference())
    part = type(whole)(whole.image[20:45, 30:55], whole.known[20:45, 30:55])
    assert best_shifts(TURNS[0], part, whole, reach=0)[0] == (20, 30)
    assert best_shifts(TURNS[0], whole, part, reach=0)[0] == (-20, -30)


def test_a_setting_of_a_group_is_kept():
    """Half a turn about b is a symmetry of 121, which the Laue group's name, 2/m, does not say."""
    label, orientations = grains()
    about_b = np.where((label % 3 > 0)[..., None], (0, 0, 1.0, 0), (1.0, 0, 0, 0))
    made = OrientationMap(orientations[label], {0: Phase(point_group="121")})
    turned = replace(made, quaternions=multiply(about_b, made.quaternions))
    best = run(compare_frames(turned, made, max_shift=0))[0]
    assert (best.frame, best.turn, best.shift) == ("as is", TURNS[0], (0, 0))
    assert best.median < 1e-9
