"""Does every frame land where it belongs, for all ways to record a scan, without a copy?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import dask.array as da
import h5py
import numpy as np
import pytest
from stacks import write_mrc, write_tvips

from napari_orient.config import ConfigError
from napari_orient.data.arrangement import (
    Arranged,
    Arrangement,
    Frames,
    arrange,
    arrangement_in,
    frames_of,
    rearranged,
)
from napari_orient.data.formats import open_scan, open_stack
from napari_orient.data.pages import mapping_of
from napari_orient.data.scan import Quantity, Scan
from napari_orient.data.views import Stacked
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

LINES, LENGTH = 4, 5
KY, KX = 8, 6


def position_of(frame: int, a: Arrangement) -> tuple[int, int] | None:
    """Where a frame was recorded, written out as a loop over the recording; None for no place."""
    now = a.start
    for line in range(a.lines):
        backwards = a.snake != "none" and (line % 2 == 1) == (a.snake == "second")
        for k in range(a.length):
            place = a.length - 1 - k + a.hysteresis if backwards else k
            if now == frame:
                if not 0 <= place < a.length:
                    return None
                return (line, place) if a.fast == "x" else (place, line)
            now += 1
        now += a.flyback
    return None


def stack_of(frames: int) -> np.ndarray:
    """Frames that carry their number."""
    numbers = np.arange(frames, dtype=np.uint16)[:, None, None]
    return numbers * 10 + np.arange(KY * KX, dtype=np.uint16).reshape(KY, KX) % 7


ALL = [
    Arrangement(
        rows=LINES if fast == "x" else LENGTH,
        columns=LENGTH if fast == "x" else LINES,
        start=start,
        flyback=flyback,
        snake=snake,
        hysteresis=hysteresis,
        fast=fast,
    )
    for start, flyback, snake, hysteresis, fast in itertools.product(
        (0, 3), (0, 2), ("none", "second", "first"), (0, 1, -2), ("x", "y")
    )
    if snake != "none" or not hysteresis
]


@pytest.mark.parametrize("made", ALL, ids=str)
@pytest.mark.parametrize("kind", ["memory", "several", "lazy"])
def test_every_frame_lands_where_it_belongs(made: Arrangement, kind: str) -> None:
    stack = stack_of(made.stop)  # the flyback after the last line is missing
    sources: dict[str, Any] = {
        "memory": stack,
        "several": Frames([stack[:7], stack[7:8], stack[8:]]),
        "lazy": da.from_array(stack, chunks=(3, KY, KX)),
    }
    data = arrange(sources[kind], made)
    assert tuple(data.shape) == (*made.shape, KY, KX)
    whole = np.asarray(data[:])
    seen = 0
    for frame in range(len(stack)):
        place = position_of(frame, made)
        if place is None:
            continue
        y, x = place[0] - made.origin[0], place[1] - made.origin[1]
        if 0 <= y < made.shape[0] and 0 <= x < made.shape[1]:
            assert np.array_equal(whole[y, x], stack[frame])
            seen += 1
    assert seen == made.shape[0] * made.shape[1]
    assert np.array_equal(made.frames() * 10, whole[:, :, 0, 0])
    some = (slice(1, None, 2), slice(0, 3, 2), slice(2, 7, 3), 4)
    assert np.array_equal(np.asarray(data[some]), whole[some])


def test_the_sign_of_hysteresis_is_that_of_rosettasciio(tmp_path: Path) -> None:
    from rsciio.tvips import file_reader

    data = np.random.default_rng(0).integers(0, 60_000, (4, 6, 16, 16), dtype=np.uint16)
    path = tmp_path / "w_000.tvips"
    write_tvips(path, data)
    theirs = file_reader(
        str(path), scan_shape=(4, 6), winding_scan_axis="x", hysteresis=2, lazy=False
    )[0]["data"]
    made = Arrangement(rows=4, columns=6, snake="first", hysteresis=2)
    ours = open_scan(path, arrangement=made)
    assert np.array_equal(ours.read(slice(None)), theirs[:, 2:])  # theirs wraps round
    assert ours.origin == (0, 2)


def test_plain_lines_of_a_memory_map_stay_one(tmp_path: Path) -> None:
    path = tmp_path / "stack.npy"
    np.save(path, np.kron(stack_of(33), np.ones((2, 3), np.uint16)))
    whole = open_scan(path, arrangement=Arrangement(rows=4, columns=5, start=2))
    assert mapping_of(whole.data) is not None
    assert whole.data.flags.c_contiguous  # as fast as a file of that shape
    gaps = open_scan(path, arrangement=Arrangement(rows=4, columns=5, start=2, flyback=3))
    assert mapping_of(gaps.data) is not None
    assert gaps.pattern(1, 0)[0, 0] == (2 + 8) * 10
    snake = open_scan(path, arrangement=Arrangement(rows=4, columns=5, snake="second"))
    assert isinstance(snake.data, Arranged)
    assert any("0 frames before the scan and 13 after it" in note for note in snake.notes)


def test_what_cannot_be_is_refused_in_words() -> None:
    made = Arrangement(rows=4, columns=5, start=2, flyback=1)
    assert made.stop == 2 + 4 * 6 - 1
    assert made.problem(25) is None
    assert made.problem(24) == (
        "4 x 5 = 20 frames from frame 2 on, with 1 of flyback after each line need 25 frames, "
        "there are 24"
    )
    with pytest.raises(ValueError, match="need 25 frames, there are 24"):
        arrange(stack_of(24), made)
    with pytest.raises(ConfigError, match="only a snake has them"):
        Arrangement.checked({"rows": 4, "columns": 5, "hysteresis": 1})
    with pytest.raises(ConfigError, match="leaves nothing of 5 positions"):
        Arrangement.checked({"rows": 4, "columns": 5, "snake": True, "hysteresis": -5})
    with pytest.raises(ConfigError, match="greater than or equal to 1"):
        Arrangement.checked({"rows": 0})


@pytest.mark.parametrize("made", ALL, ids=str)
def test_words_say_it_all(made: Arrangement) -> None:
    assert arrangement_in(str(made)) == made
    assert arrangement_in("binned 2 x 2") is None


# ---- scans arranged anew ------------------------------------------------------------------------


def test_frames_come_back_in_their_order() -> None:
    stack = stack_of(30)
    first = Arrangement(rows=4, columns=5, start=3, snake="second")
    assert frames_of(stack) is stack
    assert frames_of(arrange(stack, first)) is stack  # also those that were left out
    assert frames_of(Stacked([stack], (4, 5), 3)) is stack
    several = frames_of(Stacked([stack[:9], stack[9:]], (4, 5), 3))
    assert np.array_equal(several[2:25:4, :, :], stack[2:25:4])
    grid = stack.reshape(5, 6, KY, KX)
    assert np.shares_memory(frames_of(grid), stack)
    assert np.array_equal(frames_of(grid), stack)
    cut = grid[:, 1:5]
    rows = frames_of(cut)
    assert np.array_equal(rows[1:20:3, 2:4, :], cut.reshape(20, KY, KX)[1:20:3, 2:4])


def test_a_scan_is_arranged_anew() -> None:
    stack = stack_of(30)
    step = Quantity(value=3.0, unit="nm", source="typed")
    scan = Scan(stack.reshape(5, 6, KY, KX), name="grid")
    scan = scan.replaced(calibration=scan.calibration.set(step=step), history=("made up",))
    made = Arrangement(rows=4, columns=7, start=1, snake="second", hysteresis=1)
    again = rearranged(scan, made)
    assert again.shape == (4, 6, KY, KX)
    assert again.calibration == scan.calibration
    assert again.history == ("made up", str(made))
    assert again.origin == (0, 1)
    assert any("1 columns that only every second" in note for note in again.notes)
    back = rearranged(again, Arrangement(rows=5, columns=6))
    assert np.array_equal(back.read(slice(None)), scan.data)
    assert back.history == ("made up", "arranged as 5 x 6 from frame 0")


# ---- files --------------------------------------------------------------------------------------


def test_every_kind_of_stack(tmp_path: Path, shared_data: Path) -> None:
    stack = np.kron(stack_of(30), np.ones((2, 3), np.uint16))
    np.save(tmp_path / "a.npy", stack)
    np.save(tmp_path / "four.npy", stack.reshape(5, 6, 16, 18))
    write_mrc(tmp_path / "a.mrc", stack)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("stack", data=stack, chunks=(4, 16, 18))
    with h5py.File(tmp_path / "four.h5", "w") as file:
        file["scan"] = stack.reshape(5, 6, 16, 18)
    made = Arrangement(rows=4, columns=6, start=2, flyback=1, snake="second", hysteresis=-1)
    wanted = stack[made.frames()]
    for path in sorted(tmp_path.iterdir()):
        assert open_stack(path).shape == (1, 30, 16, 18)
        scan = open_scan(path, arrangement=made)
        assert np.array_equal(scan.read(slice(None)), wanted)
        assert scan.history == (str(made),)
        with pytest.raises(UnreadableFile, match=r"a\.|four\..*need 35 frames, there are 30"):
            open_scan(path, arrangement=Arrangement(rows=5, columns=7))
        with pytest.raises(ValueError, match="or the arrangement"):
            open_scan(path, scan_shape=(5, 6), arrangement=made)
        scan.close()
    real = {"blockfile/test1.blo": 6, "merlin/001_4x2_6bit.mib": 8}
    for name, frames in real.items():
        stacked = open_stack(shared_data / name)
        assert stacked.shape[:2] == (1, frames)
        turned = open_scan(
            shared_data / name, arrangement=Arrangement(rows=2, columns=3, snake="first")
        )
        assert np.array_equal(turned.pattern(0, 0), stacked.pattern(0, 2))
        assert np.array_equal(turned.pattern(1, 2), stacked.pattern(0, 5))


def test_truncated_parts_of_a_recording(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 60_000, (3, 4, 16, 16), dtype=np.uint16)
    path = tmp_path / "w_000.tvips"
    write_tvips(path, data, max_file_size=4400)
    parts = sorted(tmp_path.glob("*.tvips"))
    assert len(parts) == 2
    frames = data.reshape(12, 16, 16)
    made = Arrangement(rows=2, columns=4, start=1, flyback=1, snake="second")
    scan = open_scan(path, arrangement=made)
    assert np.array_equal(scan.read(slice(None)), frames[made.frames()])
    parts[1].write_bytes(parts[1].read_bytes()[:-100])
    with pytest.raises(UnreadableFile, match=r"w_001\.tvips is truncated.*whole frames"):
        open_scan(path)
    scan = open_scan(path, arrangement=made)
    assert np.array_equal(scan.read(slice(None)), frames[made.frames()])
    assert any("w_001.tvips is truncated" in note for note in scan.notes)
    with pytest.raises(UnreadableFile, match="need 12 frames, there are 11"):
        open_scan(path, arrangement=Arrangement(rows=3, columns=4))
    parts[0].write_bytes(parts[0].read_bytes()[:-100])  # a gap in the middle shifts all the rest
    with pytest.raises(UnreadableFile, match=r"w_000\.tvips is truncated"):
        open_scan(path, arrangement=made)


def test_a_part_of_a_recording_is_missing(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 60_000, (3, 4, 16, 16), dtype=np.uint16)
    path = tmp_path / "w_000.tvips"
    write_tvips(path, data, max_file_size=2900)
    (tmp_path / "w_001.tvips").unlink()
    with pytest.raises(UnreadableFile, match=r"w_001\.tvips is missing\. Copy w_001\.tvips"):
        open_scan(path, scan_shape=(2, 2))
    path.write_text("a text, whatever its name says")
    with pytest.raises(UnreadableFile, match="has no TVIPS header"):
        open_stack(path)


def test_a_recording_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "w_000.tvips"
    write_tvips(path, np.ones((1, 2, 16, 16), np.uint16))
    path.write_bytes(path.read_bytes()[:256])
    for made in (None, Arrangement()):
        with pytest.raises(UnreadableFile, match="truncated: 0 whole frames"):
            open_scan(path, arrangement=made)
    np.save(tmp_path / "none.npy", np.zeros((0, 16, 16), np.uint8))
    with pytest.raises(UnreadableFile, match="holds no patterns"):
        open_stack(tmp_path / "none.npy")
