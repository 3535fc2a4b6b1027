"""Do files dropped on a real window open, and do bad ones leave it in peace, with a clear word?"""

from __future__ import annotations

import os
import shutil

import h5py
import numpy as np
import pytest

from napari_orient.files import UnreadableFile
from napari_orient.plugin import readers
from napari_orient.plugin.layers import KEY, kind_of
from napari_orient.plugin.sessions import get_session

pytestmark = pytest.mark.gui

REAL = {
    "blockfile/test1.blo": ("navigator", (3, 2)),
    "merlin/001_4x2_6bit.mib": ("navigator", (2, 4)),
    "merlin/002_4x2_6bit_roi128.mib": ("navigator", (2, 4)),
    "mg_twins/twins.ctf": ("ipf", (137, 167, 4)),
    "ti64/Ti64-200x200.ang": ("ipf", (200, 200, 4)),
    "astar_acom/ACOM.ang": ("ipf", (15, 15, 4)),
}


@pytest.fixture
def several(tmp_path):
    """An HDF5 file with two scans in it."""
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        file["first/data"] = np.ones((3, 4, 16, 16), np.uint8)
        file.create_dataset("second/data", data=np.ones((5, 6, 16, 16), np.uint16), chunks=True)
    return path


@pytest.fixture
def frames(tmp_path):
    """A stack of 12 patterns that does not say how they are arranged."""
    path = tmp_path / "stack.h5"
    with h5py.File(path, "w") as file:
        file["frames"] = np.arange(12, dtype=np.uint16)[:, None, None] + np.zeros((12, 32, 32))
    return path


# --- sniffing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_ours(shared_data, name):
    assert readers.get_reader(str(shared_data / name)) is readers.read
    assert readers.get_reader([str(shared_data / name)]) is readers.read


def test_what_is_not_ours_is_left_to_others(tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5")
    np.save(tmp_path / "image.npy", np.zeros((4, 5)))
    (tmp_path / "settings.xml").write_text("<a/>")
    with h5py.File(tmp_path / "image.h5", "w") as file:
        file["image"] = np.zeros((9, 9))
    (tmp_path / "a.tif").write_bytes(b"")
    for path in (*tmp_path.iterdir(), tmp_path, tmp_path / "nothing.h5", tmp_path / "a\0b.h5"):
        assert readers.get_reader(str(path)) is None
    assert readers.get_reader([]) is None


def test_a_damaged_file_of_our_own_suffix_is_claimed(tmp_path):
    (tmp_path / "empty.blo").write_bytes(b"")
    assert readers.get_reader(tmp_path / "empty.blo") is readers.read
    assert readers.get_reader(tmp_path / "vanished.ang") is readers.read


def test_without_a_window_errors_are_raised(tmp_path):
    (tmp_path / "empty.blo").write_bytes(b"")
    with pytest.raises(UnreadableFile, match=r"empty\.blo is empty"):
        readers.read(tmp_path / "empty.blo")


def test_without_a_window_an_ambiguous_file_names_its_datasets(several):
    with pytest.raises(UnreadableFile, match=r"two\.h5::.*first/data"):
        readers.read(several)


# --- dropping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_dropped_on_the_window(viewer, drop, idle, shared_data, name):
    kind, shape = REAL[name]
    drop(shared_data / name)
    idle()
    (layer,) = viewer.layers
    assert kind_of(layer) == kind
    assert layer.data.shape == shape
    assert layer.metadata[KEY]["source"].startswith(str(shared_data / name))
    assert viewer.canvas.overlays.scale_bar.visible
    session = get_session(viewer)
    if kind == "navigator":
        assert layer.metadata["scan"] is session.scan
        whole = session.scan.read().sum(axis=(2, 3), dtype=np.float64)
        np.testing.assert_allclose(layer.data, whole, rtol=1e-6)
    else:
        assert layer.metadata["map"] is session.orientation_map
        assert layer.rgb


def test_several_files_dropped_at_once(viewer, drop, idle, shared_data):
    drop(shared_data / "blockfile/test1.blo", shared_data / "astar_acom/ACOM.ang")
    idle()
    assert [kind_of(layer) for layer in viewer.layers] == ["navigator", "ipf"]
    assert [layer.visible for layer in viewer.layers] == [False, True]  # on different grids


def test_scale_and_units_come_from_the_file(viewer, drop, idle, scan_file):
    drop(scan_file)
    idle()
    (layer,) = viewer.layers
    assert tuple(layer.scale) == (2.0, 2.0)
    assert [str(unit) for unit in layer.units] == ["nanometer", "nanometer"]


def test_the_next_step_is_told(viewer, drop, notes, scan_file):
    drop(scan_file)
    assert any("Pattern" in said and "Plugins" in said for said in notes)


def test_napari_asks_whose_reader_takes_h5_and_ours_does(viewer, drop, idle, qtbot, scan_file):
    from napari._qt.dialogs.qt_reader_dialog import QtReaderDialog
    from napari.settings import get_settings

    get_settings().plugins.extension2reader = {}

    def choose(dialog):
        next(b for b in dialog.reader_btn_group.buttons() if b.text() == "Orient").setChecked(True)
        dialog.accept()

    assert answer(qtbot, QtReaderDialog, choose) == []
    drop(scan_file)
    idle()
    assert viewer.layers[0].data.shape == (6, 8)


# --- questions -----------------------------------------------------------------------------------


def answer(qtbot, kind, act):
    """Have ``act(dialog)`` done as soon as a dialog of this kind is open."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    seen = []

    def look():
        dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, kind)]
        dialogs = [w for w in dialogs if w.isVisible()]
        if dialogs:
            seen.append(dialogs[0])
            act(dialogs[0])
        else:
            QTimer.singleShot(20, look)

    QTimer.singleShot(20, look)
    return seen


def test_the_picker_lists_the_datasets_of_a_file(viewer, drop, idle, qtbot, several):
    from napari_orient.plugin.questions import DatasetPicker

    rows = []

    def choose_second(dialog):
        table = dialog.table
        for row in range(table.rowCount()):
            rows.append([table.item(row, column).text() for column in range(5)])
        table.selectRow(next(i for i, row in enumerate(rows) if "second" in row[0]))
        dialog.accept()

    answer(qtbot, DatasetPicker, choose_second)
    drop(several)
    idle()
    assert {row[1] for row in rows} == {"3 × 4 × 16 × 16", "5 × 6 × 16 × 16"}
    assert {row[2] for row in rows} == {"uint8", "uint16"}
    assert viewer.layers[0].data.shape == (5, 6)


def test_a_cancelled_picker_opens_nothing(viewer, drop, qtbot, several, notes):
    from napari_orient.plugin.questions import DatasetPicker

    seen = answer(qtbot, DatasetPicker, lambda dialog: dialog.reject())
    drop(several)
    assert seen
    assert len(viewer.layers) == 0
    assert notes == []


def test_the_arrangement_of_a_stack_is_asked_for(viewer, drop, idle, qtbot, frames):
    from napari_orient.plugin.load.arrange import ArrangeDialog

    def choose(dialog):
        dialog.form.rows.setValue(4)
        dialog.form.columns.setValue(3)
        dialog.accept()

    answer(qtbot, ArrangeDialog, choose)
    drop(frames)
    idle()
    assert viewer.layers[0].data.shape == (4, 3)
    assert "arranged as 4 x 3 from frame 0" in viewer.layers[0].metadata["scan"].history


# --- bad files -----------------------------------------------------------------------------------


def truncated(folder):
    path = folder / "short.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.ones((4, 4, 64, 64), np.uint16)
    os.truncate(path, path.stat().st_size // 2)
    return path


def truncated_npy(folder):
    path = folder / "short.npy"
    np.save(path, np.ones((4, 4, 64, 64), np.uint16))
    os.truncate(path, path.stat().st_size // 2)
    return path


def text_named_h5(folder):
    path = folder / "text.h5"
    path.write_text("a text")
    return path


def no_scan_in_h5(folder):
    path = folder / "image.h5"
    with h5py.File(path, "w") as file:
        file["image"] = np.zeros((90, 90))
    return path


def wrong_shape(folder):
    path = folder / "line.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros((4, 4, 64, 0), np.uint8)
    return path


def complex_numbers(folder):
    path = folder / "complex.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros((4, 4, 32, 32), np.complex64)
    return path


def empty(folder):
    path = folder / "empty.blo"
    path.write_bytes(b"")
    return path


def noise(folder):
    path = folder / "noise.blo"
    path.write_bytes(bytes(range(256)) * 40)
    return path


def words_named_ang(folder):
    path = folder / "words.ang"
    path.write_text("# HEADER\nnot numbers at all\n" * 9)
    return path


def half_a_ctf(folder):
    path = folder / "half.ctf"
    path.write_text("Channel Text File\nPrj\tx\nXCells\t40\nYCells\t40\n")
    return path


BAD = (
    truncated, truncated_npy, text_named_h5, no_scan_in_h5, wrong_shape, complex_numbers, empty,
    noise, words_named_ang, half_a_ctf,
)  # fmt: skip


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_bad_file_gets_a_clear_word_and_nothing_is_lost(
    viewer, idle, notes, scan_file, tmp_path, make
):
    viewer.open(scan_file, plugin="napari-orient")
    kept = list(viewer.layers)
    notes.clear()
    path = make(tmp_path)
    viewer.open(path, plugin="napari-orient")
    idle()
    assert list(viewer.layers) == kept
    (said,) = notes
    assert path.name in said
    assert said.rstrip().endswith(".")  # a cure, as a sentence
    assert len(said) - len(str(tmp_path)) < 300
    assert "Traceback" not in said


def test_a_bad_file_dropped(viewer, drop, notes, tmp_path):
    path = text_named_h5(tmp_path)
    drop(path)
    assert [path.name in said for said in notes] == [True]
    assert len(viewer.layers) == 0


def test_a_cut_blockfile_says_so(viewer, drop, idle, notes, shared_data, tmp_path):
    path = tmp_path / "cut.blo"
    shutil.copyfile(shared_data / "blockfile/test1.blo", path)
    os.truncate(path, 60_000)
    drop(path)
    idle()
    text = " ".join(notes)
    if viewer.layers:  # opened as far as it goes: then it must say so
        text += " ".join(viewer.layers[0].metadata["scan"].notes)
    assert "cut.blo" in text or "truncated" in text


def test_nan_are_survived_and_told(viewer, drop, idle, tmp_path):
    data = np.random.default_rng(0).random((4, 5, 16, 16)).astype(np.float32)
    data[1, 2, 3] = np.nan
    data[3, 4] = np.nan
    path = tmp_path / "nan.h5"
    with h5py.File(path, "w") as file:
        file["data"] = data
    drop(path)
    idle()
    (layer,) = viewer.layers
    assert np.isfinite(layer.contrast_limits).all()
    assert any("NaN" in note for note in layer.metadata["scan"].notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(viewer, drop, notes, scan_file):
    scan_file.chmod(0)
    drop(scan_file)
    assert any("may not be read" in said for said in notes)


def test_no_permission_as_root(viewer, notes, scan_file, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    viewer.open(scan_file, plugin="napari-orient")
    assert any("may not be read" in said and scan_file.name in said for said in notes)


def test_a_file_that_disappears_after_the_opening(viewer, idle, notes, scan_file, open_dock):
    viewer.open(scan_file, plugin="napari-orient")
    idle()
    scan_file.unlink()
    notes.clear()
    open_dock("Load").open.open_path(str(scan_file))
    assert any(scan_file.name in said and "does not exist" in said for said in notes)
    assert len(viewer.layers) == 1


def test_a_file_that_disappears_between_sniffing_and_reading(viewer, notes, tmp_path):
    path = tmp_path / "gone.blo"
    path.write_bytes(b"x")
    reader = readers.get_reader(path)
    path.unlink()
    assert reader(path) == readers.NO_LAYER
    assert any("gone.blo does not exist" in said for said in notes)


def test_what_a_library_raises_names_the_file(viewer, notes, scan_file, monkeypatch):
    def broken(*_, **__):
        raise KeyError("axis-7")

    monkeypatch.setattr("napari_orient.data.formats.open_scan", broken)
    viewer.open(scan_file, plugin="napari-orient")
    assert any(scan_file.name in said and "axis-7" in said for said in notes)
