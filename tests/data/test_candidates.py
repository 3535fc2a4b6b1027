"""The candidates of a map: kept by our file, turned with the map, and told where they are lost."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import orix.io
import pytest

from napari_orient.analysis.turns import TURNS
from napari_orient.crystal.phases import get_phase
from napari_orient.data.candidates import Candidates
from napari_orient.data.desk.parts import size_of
from napari_orient.data.export.write import export_map
from napari_orient.data.maps import OrientationMap, load_map, save_map
from napari_orient.data.sections import section_of
from napari_orient.data.vendors.reframe import in_frame, turn_grid
from napari_orient.jobs import run

SETTINGS = {"task": "index", "config": {"spacing_deg": 1.0, "phases": ["LiNiO2", "Ni"]}}


def indexed_map(shape=(3, 4), k=2):
    """Best candidate = the map; two phases, one point with fewer candidates than k."""
    random = np.random.default_rng(4)
    q = random.normal(size=(*shape, k, 4))
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    phase_id = random.integers(0, 2, (*shape, k))
    score = np.sort(random.random((*shape, k)))[..., ::-1].copy()
    phase_id[(0,) * len(shape) + (k - 1,)] = -1
    score[(0,) * len(shape) + (k - 1,)] = -np.inf
    return OrientationMap(
        q[..., 0, :], {0: get_phase("LiNiO2"), 1: get_phase("Ni")}, phase_id[..., 0],
        step=(2.0,) * len(shape), unit="nm", provenance=SETTINGS,
        candidates=Candidates(q, score, phase_id),
    )  # fmt: skip


def assert_same(one, other):
    for a, b in zip(one.arrays, other.arrays, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_our_file_keeps_them_and_orix_still_reads_it(tmp_path):
    made = indexed_map()
    path = run(save_map(made, tmp_path / "map.h5"))
    again = load_map(path)
    assert_same(again.candidates, made.candidates)
    assert again.candidates.quaternions.dtype == np.float32
    assert again.provenance == SETTINGS == again.summary()["provenance"]
    assert orix.io.load(path).shape == (3, 4)


def test_files_without_them_are_still_read(tmp_path):
    path = run(save_map(indexed_map(), tmp_path / "map.h5"))
    with h5py.File(path, "a") as file:  # as an older version left it
        del file["candidates"], file.attrs["provenance"]
        assert file.attrs["format_version"] == 1  # nor does an older version mind the new group
    again = load_map(path)
    assert again.candidates is None
    assert again.provenance == {}


def test_wrong_shapes_are_refused():
    found = indexed_map().candidates
    with pytest.raises(ValueError, match="do not belong together"):
        Candidates(found.quaternions, found.score[:2], found.phase_id)
    with pytest.raises(ValueError, match="do not belong together"):  # k alone is no map
        Candidates(found.quaternions[0, 0], found.score[0, 0], found.phase_id[0, 0])
    q = found.quaternions[:2, :, 0]
    with pytest.raises(ValueError, match=r"candidates: shape \(2, 4\) expected"):
        OrientationMap(q, {0: get_phase("Ni")}, candidates=found)


def test_empty_ones_say_that_nothing_was_found():
    none = Candidates.empty((2, 3), 4)
    assert (none.shape, none.count) == ((2, 3), 4)
    assert (none.phase_id == -1).all()
    assert np.isneginf(none.score).all()
    np.testing.assert_allclose(np.linalg.norm(none.quaternions, axis=-1), 1)


@pytest.mark.parametrize("turn", TURNS)
def test_they_move_with_the_grid(turn):
    moved = turn_grid(indexed_map(), **turn._asdict(), words=turn.words)
    np.testing.assert_allclose(moved.candidates.quaternions[:, :, 0], moved.quaternions, atol=1e-7)
    np.testing.assert_array_equal(moved.candidates.phase_id[:, :, 0], moved.phase_id)


@pytest.mark.parametrize("axes", ["a", "a*"])
def test_they_are_read_in_the_same_frame_as_the_map(axes):
    made = indexed_map()
    changed = in_frame(made, "y up", axes)
    first = changed.candidates.quaternions[:, :, 0]
    cosine = np.abs(np.sum(first * changed.quaternions, axis=-1))
    np.testing.assert_allclose(cosine, 1, atol=1e-6)
    assert np.abs(first - made.candidates.quaternions[:, :, 0]).max() > 0.1
    back = in_frame(changed, "as is", "a").candidates.quaternions
    cosine = np.abs(np.sum(back * made.candidates.quaternions, axis=-1))
    np.testing.assert_allclose(cosine, 1, atol=1e-6)


def test_a_section_takes_its_own():
    volume = indexed_map((2, 3, 4))
    assert_same(section_of(volume, 1).candidates, volume.candidates.moved(lambda a: a[1]))


def test_they_count_in_the_size():
    made = indexed_map()
    more = size_of(made) - size_of(replace(made, candidates=None))
    assert more == 3 * 4 * 2 * (4 * 4 + 4 + 4)


@pytest.mark.parametrize(
    ("format_", "name"), [("ang", "a.ang"), ("ctf", "a.ctf"), ("orix", "a.h5")]
)
def test_other_formats_say_that_they_lose_them(tmp_path, format_, name):
    report = run(export_map(indexed_map(), tmp_path / name, format_))
    assert "the 2 candidates of each point" in report.lost
    assert "the settings with which it was computed" in report.lost
