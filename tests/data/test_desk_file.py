"""A desk comes back as it was; what cannot come back is named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from map_examples import small_map as small_map

from napari_orient.data.desk import file as desk_file
from napari_orient.data.desk import parts as desk_parts
from napari_orient.data.desk.file import open_desk, save_desk
from napari_orient.data.hdf5 import save_scan
from napari_orient.data.prepare import bin_scan, crop, without_hot_pixels
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """A scan in a file, 6 x 8 positions, 16 x 12 px."""
    from napari_orient.data.formats import open_scan

    data = np.random.default_rng(1).integers(0, 90, (6, 8, 16, 12)).astype(np.uint16)
    known = Calibration(step=Quantity(value=(2.0, 3.0), unit="nm", source="typed"))
    (tmp_path / "data").mkdir()
    return open_scan(run(save_scan(Scan(data, known, name="one"), tmp_path / "data" / "one.h5")))


def back(path: Path, **moved: Any) -> desk_file.Desk:
    return run(open_desk(path, **moved))


def test_any_configuration_and_the_same_object_twice(scan: Scan, tmp_path: Path) -> None:
    config = {
        "scheme": {"name": "tsl", "direction": (1, 0.5, None), "range": [0.1, 2]},
        3: "number", "$odd": True, "image": np.float32(2.5), "nan": float("nan"),
    }  # fmt: skip
    array = np.arange(200, dtype=np.uint8).reshape(10, 20)
    words = np.array([["a", "b"]])
    state = {"a": scan, "b": [scan, array], "config": config, "words": words, "again": array}
    saved = run(save_desk(state, tmp_path / "x.orient"))
    desk = back(saved.path)
    assert desk.notes == []
    assert saved.notes == ()
    assert desk.state["a"] is desk.state["b"][0]
    assert np.array_equal(desk.state["again"], array)
    assert desk.state["again"].dtype == np.uint8
    assert repr(desk.state["config"]) == repr({**config, "image": 2.5})
    assert desk.state["words"].tolist() == words.tolist()


def test_prepared_scan_is_referred_to_and_made_again(scan: Scan, tmp_path: Path) -> None:
    mask = np.zeros((16, 12), bool)
    mask[[3, 8], [4, 5]] = True
    now = crop(bin_scan(without_hot_pixels(scan, mask), 2), slice(1, 5), slice(2, 7), slice(0, 7))
    typed = now.calibration.set(voltage=Quantity(value=200.0, unit="kV", source="typed"))
    now = now.replaced(calibration=typed, name="renamed")
    saved = run(save_desk({"scan": now}, tmp_path / "x.orient"))
    assert saved.notes == ()
    assert saved.nbytes < 40_000
    found = back(saved.path).state["scan"]
    assert np.array_equal(found.read(), now.read())
    assert found.calibration == now.calibration
    assert (found.name, found.history, found.origin) == ("renamed", now.history, (1, 2))


def test_arranged_frames_are_arranged_again(tmp_path: Path) -> None:
    from napari_orient.data.arrangement import Arrangement
    from napari_orient.data.formats import open_scan

    frames = np.random.default_rng(2).integers(0, 99, (40, 16, 16)).astype(np.uint8)
    np.save(tmp_path / "stack.npy", frames)
    how = Arrangement(rows=4, columns=8, start=3, flyback=1, snake="second")
    scan = bin_scan(open_scan(tmp_path / "stack.npy", arrangement=how), 2)
    saved = run(save_desk({"scan": scan}, tmp_path / "x.orient"))
    assert saved.notes == ()
    assert np.array_equal(back(saved.path).state["scan"].read(), scan.read())
    typed = open_scan(tmp_path / "stack.npy", scan_shape=(5, 8))
    saved = run(save_desk({"scan": typed}, tmp_path / "x.orient"))
    assert saved.notes == ()
    assert back(saved.path).state["scan"].scan_shape == (5, 8)


def test_descan_is_taken_out_again(scan: Scan, tmp_path: Path) -> None:
    from napari_orient.data.prepare import align_patterns
    from napari_orient.data.scan import Descan

    now = align_patterns(scan, Descan(ky=(0.5, 0.2), kx=(0.1, -0.4)))
    saved = run(save_desk({"scan": now}, tmp_path / "x.orient"))
    assert saved.notes == ()
    assert np.array_equal(back(saved.path).state["scan"].read(), now.read())


def test_scan_without_a_file_or_with_unknown_steps_is_embedded(scan: Scan, tmp_path: Path) -> None:
    memory = Scan(scan.read(), scan.calibration, name="in memory")
    odd = scan.replaced(history=(*scan.history, "polished"), name="odd")
    changed = scan.replaced(scan.read() + 1, name="changed")
    saved = run(save_desk({"all": [memory, odd, changed]}, tmp_path / "x.orient"))
    assert [note.split(" is in ")[0] for note in saved.notes] == ["in memory", "odd", "changed"]
    desk = back(saved.path)
    for found, meant in zip(desk.state["all"], (memory, odd, changed), strict=True):
        assert np.array_equal(found.read(), meant.read())
        assert found.calibration == meant.calibration
    # saved again into the same file, from which the scans are being read
    again = run(save_desk(desk.state, saved.path))
    assert np.array_equal(back(again.path).state["all"][2].read(), changed.read())


def test_embedded_when_asked(scan: Scan, tmp_path: Path) -> None:
    saved = run(save_desk({"scan": scan}, tmp_path / "x.orient", embed=True))
    Path(scan.source.split("::")[0]).unlink()
    assert np.array_equal(back(saved.path).state["scan"].read(), scan.read())


def test_folder_moved_as_a_whole(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "data" / "desks").mkdir()
    saved = run(save_desk({"scan": scan}, tmp_path / "data" / "desks" / "x.orient"))
    values = scan.read()
    scan.close()
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    desk = back(tmp_path / "elsewhere" / "desks" / saved.path.name)
    assert desk.notes == []
    assert np.array_equal(desk.state["scan"].read(), values)


def test_a_copied_folder_refers_to_its_own_files(scan: Scan, tmp_path: Path) -> None:
    saved = run(save_desk({"scan": scan}, tmp_path / "data" / "x.orient"))
    shutil.copytree(tmp_path / "data", tmp_path / "copy", copy_function=shutil.copyfile)
    desk = back(tmp_path / "copy" / saved.path.name)
    assert Path(desk.state["scan"].source.split("::")[0]).parent == tmp_path / "copy"
    assert desk.notes == []  # copied later, but the same


def test_missing_and_changed_files_are_named(scan: Scan, tmp_path: Path) -> None:
    array = np.ones(3)
    saved = run(save_desk({"scan": scan, "rest": array}, tmp_path / "x.orient"))
    old = Path(scan.source.split("::")[0])
    new = tmp_path / "new.h5"
    values = scan.read()
    scan.close()
    old.rename(new)
    desk = back(saved.path)
    assert desk.state["scan"] is None
    assert desk.state["rest"].tolist() == [1, 1, 1]
    assert desk.missing == [str(old)] == desk_file.missing_files(saved.path)
    desk = back(saved.path, moved={str(old): str(new)})
    assert desk.notes == []
    assert np.array_equal(desk.state["scan"].read(), values)
    desk.state["scan"].close()
    with h5py.File(new, "a") as file:
        file.attrs["more"] = np.arange(5000)
    assert "has changed" in back(saved.path, moved={str(old): str(new)}).notes[0]
    new.write_text("no scan")
    desk = back(saved.path, moved={str(old): str(new)})
    assert desk.state["scan"] is None
    assert "is not an HDF5 file" in desk.notes[-1]


def test_maps_small_ones_inside_large_ones_by_reference(
    small_map: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_orient.data.maps import save_map
    from napari_orient.data.vendors.open import open_map

    path = run(save_map(small_map, tmp_path / "map.h5"))
    orientations = replace(open_map(path), source=str(path))
    saved = run(save_desk({"map": orientations}, tmp_path / "x.orient"))
    found = back(saved.path).state["map"]
    assert np.array_equal(found.quaternions, orientations.quaternions)
    assert found.frame_note == orientations.frame_note
    monkeypatch.setattr(desk_parts, "SMALL_MAP", 0)
    large = run(save_desk({"map": orientations}, tmp_path / "y.orient"))
    assert large.notes == ()
    assert large.nbytes < saved.nbytes
    again = back(large.path).state["map"]
    assert np.array_equal(again.quaternions, orientations.quaternions)
    assert list(again.properties) == list(orientations.properties)


@pytest.mark.parametrize("what", ["frame", "quaternions", "properties", "phases", "done"])
def test_a_large_map_that_was_changed_is_embedded(
    what: str, small_map: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A choice of axes opens again from the file; what no file tells goes in."""
    from napari_orient.crystal.phases import get_phase
    from napari_orient.data.maps import save_orix
    from napari_orient.data.vendors.open import open_map

    monkeypatch.setattr(desk_parts, "SMALL_MAP", 0)
    save_orix(small_map, tmp_path / "map.h5")
    made = open_map(tmp_path / "map.h5", "y up")
    made.frame_note = "Chosen because of the twins."
    if what == "quaternions":
        made.quaternions[1, 1] = (0, 0, 0, 1)
    elif what == "properties":
        made.properties["CI"] = made.properties["CI"] + 1
    elif what == "phases":
        made.phases[0] = get_phase("Cu")
    elif what == "done":
        made.done[2] = False
    saved = run(save_desk({"map": made}, tmp_path / "x.orient"))
    embedded = any("so it is in the session" in note for note in saved.notes)
    assert embedded == (what != "frame")
    found = back(saved.path).state["map"]
    assert np.allclose(found.quaternions, made.quaternions, atol=1e-9)
    assert np.array_equal(found.properties["CI"], made.properties["CI"], equal_nan=True)
    assert found.phases[0].name == made.phases[0].name
    assert np.array_equal(found.done, made.done)
    assert (found.frame, found.frame_note) == (made.frame, made.frame_note)


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "other", "newer", "torn", "folder"])
def test_bad_files_say_what_helps(kind: str, tmp_path: Path) -> None:
    path = run(save_desk({"a": np.random.default_rng(0).random(9000)}, tmp_path / "x.orient")).path
    said = {
        "empty": "is empty", "text": "is no session", "cut": "is truncated",
        "other": "is no session", "newer": "newer napari-orient .* pip install",
        "torn": "is a damaged session", "folder": "is no session",
    }  # fmt: skip
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("dear diary")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    else:
        with h5py.File(path, "a") as file:
            if kind == "torn":
                del file["arrays/0"]
            file.attrs["version" if kind == "newer" else "more"] = 2
            if kind == "other":
                file.attrs["format"] = "something else"
    with pytest.raises(UnreadableFile, match=said[kind]) as caught:
        back(path)
    assert str(path) in str(caught.value)
    assert caught.value.cure.endswith(".")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"folder that does not exist. Make"):
        run(save_desk({}, tmp_path / "none" / "x.orient"))
    (tmp_path / "x.orient").mkdir()
    with pytest.raises(UnreadableFile, match="cannot be written"):
        run(save_desk({}, tmp_path / "x.orient"))
    assert list(tmp_path.iterdir()) == [tmp_path / "x.orient"]


def test_a_cancelled_save_leaves_the_old_session(scan: Scan, tmp_path: Path) -> None:
    path = run(save_desk({"n": 1}, tmp_path / "x.orient")).path
    job = save_desk({"n": 2, "scan": scan}, path, embed=True)
    next(job)
    next(job)
    job.close()
    assert back(path).state == {"n": 1}
    assert not list(tmp_path.glob(".x*"))
