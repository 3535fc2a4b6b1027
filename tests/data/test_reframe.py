"""A map in another frame is the map that opening the file in that frame gives."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.data.reframe import frame_name, has_hexagonal, in_frame
from napari_orient.data.vendors import FRAMES, open_map


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
