"""A map in another frame is the map that opening the file in that frame gives."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.analysis.turns import TURNS
from napari_orient.data.vendors.open import FRAMES, open_map
from napari_orient.data.vendors.reframe import frame_name, has_hexagonal, in_frame, turn_grid


@pytest.mark.parametrize("frame", list(FRAMES))
@pytest.mark.parametrize("axes", ["a", "a*"])
def test_it_is_the_same_as_opening_the_file_so(shared_data, frame, axes):
    path = shared_data / "mg_twins" / "twins.ctf"
    opened = open_map(path)
    assert (frame_name(opened), opened.crystal_axes, has_hexagonal(opened)) == ("y up", "a*", True)
    changed, wanted = in_frame(opened, frame, axes), open_map(path, frame, axes)
    assert frame_name(changed) == frame
    assert changed.frame_note == wanted.frame_note
    assert changed.crystal_axes == wanted.crystal_axes == axes
    overlap = np.abs(np.sum(changed.quaternions * wanted.quaternions, axis=-1))
    np.testing.assert_allclose(overlap, 1, atol=1e-12)
    assert np.shares_memory(changed.phase_id, opened.phase_id)


def test_what_was_measured_is_said(shared_data):
    opened = open_map(shared_data / "mg_twins" / "twins.ctf")
    changed = in_frame(opened, "y up", "a*", "twin traces within 10°: 83 % of 630 px")
    assert changed.frame_note.endswith(
        "Chosen by the user; twin traces within 10°: 83 % of 630 px."
    )
    np.testing.assert_allclose(changed.quaternions, opened.quaternions, atol=1e-12)


def test_remarks_stay_in_other_axes(shared_data):
    path = shared_data / "in100" / "in100_slices_1_2.h5ebsd"
    changed, wanted = in_frame(open_map(path), "y up", "a"), open_map(path, "y up")
    assert "Sections 1 to 2" in changed.frame_note
    assert changed.frame_note == wanted.frame_note
    assert in_frame(changed, "as is", "a").frame_note == open_map(path, "as is").frame_note


@pytest.mark.parametrize("turn", TURNS)
def test_all_of_a_map_moves_with_its_grid(shared_data, turn):
    from dataclasses import replace

    opened = open_map(shared_data / "mg_twins" / "twins.ctf")
    opened = replace(opened, step=(0.3, 0.4), origin=(5.0, 7.0), periodic=(True, False))
    opened.done[:2] = False
    moved = turn_grid(opened, **turn._asdict(), words=turn.words)
    assert moved.shape == turn.shape(opened.shape)
    for name in ("quaternions", "phase_id", "done"):
        np.testing.assert_array_equal(getattr(moved, name), turn.apply(getattr(opened, name)))
    for name, values in opened.properties.items():
        np.testing.assert_array_equal(moved.properties[name], turn.apply(values))
    order = slice(None, None, -1 if turn.transpose else 1)
    for name in ("step", "origin", "periodic"):
        assert getattr(moved, name) == getattr(opened, name)[order]
    assert moved.frame_note.endswith(f"for this file. The grid of the file is {turn.words}.")
    assert turn.words in in_frame(moved, "as is", "a").frame_note
    assert any(
        np.array_equal(back.apply(moved.phase_id), opened.phase_id)
        and np.array_equal(
            turn_grid(moved, **back._asdict(), words="").quaternions, opened.quaternions
        )
        for back in TURNS
    )


def test_the_sections_of_a_volume_move_alike(shared_data):
    volume = open_map(shared_data / "in100" / "in100_slices_1_2.h5ebsd")
    clockwise = next(turn for turn in TURNS if turn.words == "turned by 90° clockwise")
    moved = turn_grid(volume, **clockwise._asdict(), words=clockwise.words)
    assert moved.shape == (2, 189, 201)
    for number in range(2):
        np.testing.assert_array_equal(
            moved.properties["IQ"][number], np.rot90(volume.properties["IQ"][number], -1)
        )
    assert moved.step == volume.step
