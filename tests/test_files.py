"""Files are checked before reading and replaced whole."""

from __future__ import annotations

import os
import stat

import h5py
import pytest

from napari_orient.files import UnreadableFile, check_file, open_h5, replace_atomically


def test_missing_empty_and_forbidden_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(UnreadableFile, match=r"gone\.blo does not exist\. Check"):
        check_file(tmp_path / "gone.blo")
    empty = tmp_path / "empty.blo"
    empty.touch()
    with pytest.raises(UnreadableFile, match=r"empty\.blo is empty \(0 bytes\)"):
        check_file(empty)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(UnreadableFile, match="may not be read by you"):
        check_file(empty)


def test_text_named_h5_and_truncated_h5(tmp_path):
    text = tmp_path / "text.h5"
    text.write_text("hello")
    with pytest.raises(UnreadableFile, match=r"text\.h5 is not an HDF5 file"):
        open_h5(text)
    with h5py.File(tmp_path / "cut.h5", "w") as file:
        file["data"] = list(range(10000))
    whole = (tmp_path / "cut.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match=r"cut\.h5 is truncated"):
        open_h5(tmp_path / "cut.h5")


def test_replace_is_all_or_nothing(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def write_half():
        with replace_atomically(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert path.read_text() == "old"
    with replace_atomically(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
