"""Indexing a scan: every position gets its own answer, partial maps are honest, regions, stops."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from numbered_scans import CONFIG, ReadingMatcher, numbered_scan, quaternion_of

from napari_orient.data.formats import open_scan
from napari_orient.data.hdf5 import save_scan
from napari_orient.data.maps import load_map, save_map
from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.index import adapted, batches, index_scan, sample_patterns
from napari_orient.diffraction.matching.matcher import build_matcher
from napari_orient.jobs import Partial, Progress, run


def check(made, scan, where=None):
    number = scan.data[:, :, 0, 0].astype(int) if where is None else where
    indexed = (number != 5) & (number > 0)
    np.testing.assert_array_equal(made.done, number > 0)
    np.testing.assert_array_equal(made.indexed, indexed)
    np.testing.assert_allclose(made.quaternions[indexed], quaternion_of(number[indexed]))
    np.testing.assert_array_equal(made.quaternions[~indexed], [[1, 0, 0, 0]] * (~indexed).sum())
    np.testing.assert_array_equal(made.phase_id[indexed], number[indexed] == 7)
    np.testing.assert_array_equal(made.properties["Q"][number > 0], number[number > 0])


def test_each_position_has_its_own_answer():
    scan = numbered_scan()
    made = run(index_scan(scan, CONFIG, matcher=ReadingMatcher()))
    check(made, scan)
    assert (made.step, made.unit) == ((2.0, 3.0), "nm")
    assert list(made.properties) == [
        "Q",
        "R",
        "beam margin",
        "crystal margin",
        "share",
        "ambiguous",
    ]
    assert made.properties["ambiguous"].dtype == np.uint8
    number = scan.data[:, :, 0, 0].astype(int)
    np.testing.assert_allclose(
        made.candidates.quaternions[:, :, 2], quaternion_of(number + 200), atol=1e-6
    )
    np.testing.assert_allclose(made.candidates.score[3, 4], [0.9, 0.7, 0.5], atol=1e-6)
    assert [made.phases[i].name for i in (0, 1)] == ["Ni", "LiNiO2"]


@pytest.mark.parametrize("chunks", [(1, 1, 16, 12), (3, 4, 4, 12), (7, 9, 5, 6), (2, 2, 16, 12)])
def test_files_of_any_chunks_give_the_same(tmp_path, chunks):
    scan = numbered_scan()
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("data", data=scan.data, chunks=chunks, compression="gzip")
    opened = open_scan(tmp_path / "scan.h5")
    made = run(index_scan(opened, CONFIG, matcher=ReadingMatcher()))
    opened.close()
    check(made, scan)


def test_memory_maps_are_read_whole(tmp_path):
    scan = numbered_scan()
    np.save(tmp_path / "scan.npy", scan.data)
    made = run(index_scan(open_scan(tmp_path / "scan.npy"), CONFIG, matcher=ReadingMatcher()))
    check(made, scan)


def test_a_region_alone_is_matched():
    scan, matcher = numbered_scan(), ReadingMatcher()
    region = np.zeros((7, 9), bool)
    region[1:3, 2:7] = region[5, 8] = True
    made = run(index_scan(scan, CONFIG, region=region, matcher=matcher))
    check(made, scan, np.where(region, scan.data[:, :, 0, 0], 0).astype(int))
    assert sorted(matcher.seen) == [tuple(p) for p in np.argwhere(region).tolist()]
    assert (made.candidates.phase_id[~region] == -1).all()
    assert made.provenance["region"] == region.sum()


@pytest.mark.parametrize(
    ("region", "words"),
    [(np.zeros((7, 9), bool), "the region is empty"), (np.ones((9, 7), bool), "is not on a scan")],
)
def test_regions_that_make_no_sense_are_refused(region, words):
    with pytest.raises(ValueError, match=words):
        run(index_scan(numbered_scan(), CONFIG, region=region, matcher=ReadingMatcher()))


def test_a_matcher_of_other_settings_or_shape_is_refused():
    other = CONFIG.model_copy(update={"spacing_deg": 3.0})
    with pytest.raises(ValueError, match="built with other settings"):
        run(index_scan(numbered_scan(), other, matcher=ReadingMatcher()))
    with pytest.raises(ValueError, match=r"patterns of \(16, 12\) px, and the scan has \(8, 8\)"):
        run(index_scan(numbered_scan(pattern=(8, 8)), CONFIG, matcher=ReadingMatcher()))


def test_settings_that_need_no_other_library_take_over_the_matcher():
    camera = Calibration(
        pixel_size=Quantity(value=0.04, unit="1/angstrom", source="measured"),
        centre=Quantity(value=(24.0, 24.0), unit="px", source="measured"),
        voltage=Quantity(value=200.0, unit="kV", source="file"),
    )
    asked = IndexConfig(phases=("Au",), spacing_deg=5.0, min_q=50, threads=1)
    matcher = run(build_matcher(camera, (48, 48), asked))
    late = {"refine": False, "candidates": 2, "min_q": None, "apart_deg": 3.0, "memory_mb": 200}
    other = asked.model_copy(update={**late, "threads": None})
    made, anew = adapted(matcher, other), run(build_matcher(camera, (48, 48), other))
    assert (made.libraries, made.models, made.grid) == (
        matcher.libraries, matcher.models, matcher.grid,
    )  # fmt: skip
    assert (made.asked, made.config, made.remarks) == (other, anew.config, anew.remarks)
    for name in set(IndexConfig.model_fields) - {*late, "threads"}:
        value = {"phases": ("Ni",), "device": "cuda"}.get(name, 0.6)
        assert adapted(matcher, asked.model_copy(update={name: value})) is None, name


def test_partial_maps_are_copies_and_say_what_is_done(monkeypatch):
    monkeypatch.setattr("napari_orient.diffraction.matching.index._BATCH", 5)
    monkeypatch.setattr("napari_orient.jobs.Every.due", lambda self: True)
    scan, events = numbered_scan(), []
    made = run(index_scan(scan, CONFIG, matcher=ReadingMatcher()), events.append)
    partials = [e for e in events if isinstance(e, Partial)]
    counts = [int(p.done.sum()) for p in partials]
    assert counts == sorted(counts)
    assert counts[:13] == [*range(5, 61, 5), 63]
    number = scan.data[:, :, 0, 0].astype(int)
    for partial in partials:  # all are looked at after the end: none was written to later
        assert partial.name == "map"
        check(partial.value, scan, np.where(partial.done, number, 0))
    assert not np.shares_memory(partials[-1].value.quaternions, made.quaternions)
    words = [e.text for e in events if isinstance(e, Progress)]
    assert any(text.startswith("indexing numbered: ") and "patterns/s" in text for text in words)
    assert [e.total for e in events if isinstance(e, Progress)][-1] == 63


def test_a_stop_keeps_what_the_last_partial_holds(monkeypatch):
    monkeypatch.setattr("napari_orient.diffraction.matching.index._BATCH", 8)
    monkeypatch.setattr("napari_orient.jobs.Every.due", lambda self: True)
    scan, events = numbered_scan(), []
    with pytest.raises(KeyboardInterrupt):
        run(index_scan(scan, CONFIG, matcher=ReadingMatcher(fail_at=30)), events.append)
    last = [e for e in events if isinstance(e, Partial)][-1]
    check(last.value, scan, np.where(scan.data[:, :, 0, 0] <= 24, scan.data[:, :, 0, 0], 0))


def test_the_map_says_how_it_was_made(tmp_path):
    scan = numbered_scan(source="patterns.blo", origin=(10, 20))
    made = run(index_scan(scan, CONFIG, matcher=ReadingMatcher()))
    again = load_map(run(save_map(made, tmp_path / "map.h5")))
    said = again.provenance
    assert said["config"]["phases"] == ["Ni", "LiNiO2"]
    assert (said["task"], said["scan"]["source"]) == ("index", "patterns.blo")
    assert (said["exploratory"], said["remarks"]) == ("only an example", ["said"])
    assert said["patterns"] == 63
    assert again.origin == (20.0, 60.0)
    assert "rotation of the patterns is not measured" in again.frame_note
    assert again.source == "indexed: patterns.blo"


def test_memory_bounds_what_is_read():
    scan = numbered_scan(pattern=(600, 500))
    wanted = np.ones((7, 9), bool)
    sizes = [len(b.patterns) for b in batches(scan, wanted, 100)]
    assert sum(sizes) == 63
    assert max(sizes) == 8 <= 0.1 * 100e6 / (4 * 600 * 500)
    assert max(len(b.patterns) for b in batches(scan, wanted, 10_000)) > 30


def test_samples_have_their_beam_on_the_centre():
    data = np.zeros((6, 8, 16, 16), np.uint8)
    for y, x in np.ndindex(6, 8):
        data[y, x, 8 + (y - 3), 8 - (x - 4)] = 9
    drift = Descan(ky=(1.0, 0.0), kx=(0.0, -1.0), origin=(3, 4))
    middle = Quantity(value=(8.0, 8.0), unit="px", source="measured")
    found = sample_patterns(Scan(data, Calibration(centre=middle, descan=drift)), 20)
    assert len(found) == 20
    assert (found[:, 8, 8] == 9).all()


def test_positions_reach_the_matcher_as_scan_positions(tmp_path):
    scan, matcher = numbered_scan(), ReadingMatcher()
    path = run(save_scan(scan, tmp_path / "scan.h5"))
    opened = open_scan(path)
    run(index_scan(opened, CONFIG, matcher=matcher))
    opened.close()
    assert sorted(matcher.seen) == list(np.ndindex(7, 9))


def test_samples_of_a_file_in_chunks_read_few_of_them(tmp_path):
    scan = numbered_scan()
    path = run(save_scan(scan, tmp_path / "scan.h5"))
    opened = open_scan(path)
    reads = []

    class Counted:
        chunks, shape, dtype = (4, 5, *scan.pattern_shape), scan.shape, scan.dtype

        def __getitem__(self, where):
            reads.append(where)
            return opened.data[where]

    found = sample_patterns(Scan(Counted(), scan.calibration), 12)
    assert 1 < len(reads) <= 3  # of 63
    assert 4 * (len(reads) - 1) < len(found) <= 12
    numbers = {int(pattern.flat[0]) for pattern in found}
    assert numbers <= set(scan.data[:, :, 0, 0].astype(int).flat)
    assert len(numbers) > 3
    opened.close()
