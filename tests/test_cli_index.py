"""Indexing on the command line: options become settings, files, and what a stop leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numbered_scans import ReadingMatcher, numbered_scan

from napari_orient.cli import main
from napari_orient.data.maps import load_map
from napari_orient.data.vendors.open import open_map
from napari_orient.files import UnreadableFile


@pytest.fixture
def scan_file(tmp_path):
    np.save(tmp_path / "scan.npy", numbered_scan().data)
    return tmp_path / "scan.npy"


@pytest.fixture
def asked(monkeypatch):
    """Settings that reach the matcher, which is one that only reads numbers."""
    seen = []

    def build(calibration, pattern_shape, config, *, sample=None):
        seen.append(config)
        return ReadingMatcher(asked=config, config=config)
        yield

    monkeypatch.setattr("napari_orient.diffraction.matching.index.build_matcher", build)
    return seen


def answer(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_and_the_map(scan_file, tmp_path, capsys, asked):
    code, out, _ = answer(
        capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2", "--voltage", 200,
        "--pixel-size", 0.01, "--spacing", 2, "--out", tmp_path / "map.h5", "--json",
    )  # fmt: skip
    facts = json.loads(out)
    assert code == 0
    assert (facts["n"], facts["indexed"], facts["shape"]) == (63, 62, [7, 9])
    assert facts["phases"] == {"Ni": 61, "LiNiO2": 1}
    assert facts["patterns_per_second"] == pytest.approx(63 / facts["seconds"], rel=0.3)
    assert (facts["exploratory"], facts["finished"]) == ("only an example", True)
    config = asked[0]
    assert (config.phases, config.voltage_kv, config.pixel_size, config.spacing_deg) == (
        ("Ni", "LiNiO2"), 200, 0.01, 2)  # fmt: skip
    found = load_map(tmp_path / "map.h5")
    np.testing.assert_array_equal(found.properties["Q"].ravel(), np.arange(1, 64))
    assert found.candidates.count == 5
    assert found.provenance["config"]["voltage_kv"] == 200


@pytest.mark.parametrize("suffix", ["ang", "ctf"])
def test_formats_of_others(scan_file, tmp_path, capsys, asked, suffix):
    path = tmp_path / f"map.{suffix}"
    code, *_ = answer(capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2",
                      "--out", path)  # fmt: skip
    assert code == 0
    found = open_map(path)
    assert found.shape == (7, 9)
    assert found.indexed.sum() == 62
    if suffix == "ang":  # ASTAR's columns
        assert found.properties["R"][3, 3] == pytest.approx(4)
        assert found.properties["Q"][3, 3] == 31


def test_options_go_before_the_file_of_settings(scan_file, tmp_path, capsys, asked):
    (tmp_path / "c.yaml").write_text("phases: [Ni, LiNiO2]\nspacing_deg: 3\nthickness_nm: 55\n")
    code, *_ = answer(capsys, "index", scan_file, "--config", tmp_path / "c.yaml", "--spacing",
                      "0.5", "--out", tmp_path / "map.h5")  # fmt: skip
    assert code == 0
    assert (asked[0].phases, asked[0].spacing_deg, asked[0].thickness_nm) == (
        ("Ni", "LiNiO2"), 0.5, 55)  # fmt: skip


def test_a_region(scan_file, tmp_path, capsys, asked):
    code, out, _ = answer(capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2",
                          "--region", "2:4,3:8", "--out", tmp_path / "m.h5", "--json")  # fmt: skip
    assert (code, json.loads(out)["n"]) == (0, 10)
    assert np.argwhere(load_map(tmp_path / "m.h5").done).tolist() == [
        [y, x] for y in (2, 3) for x in range(3, 8)
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "a.tif"), "Let the name end in .h5, .hdf5, .ang, .ctf"),
        (("--out", "nowhere/a.h5"), "folder that does not exist"),
        (("--out", "a.h5", "--spacing", "0.01"), "index: spacing_deg: "),
        (("--out", "a.h5", "--region", "90:95,0:4"), "the region is empty"),
    ],
)
def test_errors_are_one_line(scan_file, tmp_path, capsys, asked, arguments, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = answer(capsys, "index", scan_file, "--phase", "Ni", *arguments, "--json")
    assert (code, out) == (1, "")
    assert words in err.splitlines()[-1]
    assert not list(tmp_path.glob("*.h5"))


def test_an_odd_region_is_wrong_usage(scan_file, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["index", str(scan_file), "--phase", "Ni", "--out", "a.h5", "--region", "5,3:9"])
    assert stop.value.code == 2
    assert "write rows and columns as in 0:20,10:30" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    "kind", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_stop_keeps_what_is_finished(scan_file, tmp_path, kind):
    out_file = tmp_path / "map.h5"
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from numbered_scans import ReadingMatcher
import napari_orient.diffraction.matching.index as index
from napari_orient.cli import main
class Slow(ReadingMatcher):
    def match(self, patterns, positions=None):
        found = super().match(patterns, positions)
        print("running", len(self.seen), file=sys.stderr, flush=True)
        time.sleep(0.1)
        return found
def build(calibration, shape, config, *, sample=None):
    return Slow(asked=config, config=config)
    yield
index.build_matcher, index._BATCH = build, 2
sys.exit(main(["index", {str(scan_file)!r}, "--phase", "Ni", "--phase", "LiNiO2",
               "--out", {str(out_file)!r}]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while "running 20" not in process.stderr.readline():
        assert process.poll() is None
    os.kill(process.pid, kind)
    process.communicate(timeout=30)
    assert process.returncode == 130
    found = load_map(out_file)
    done = int(found.done.sum())
    assert 10 <= done <= 20  # all but the last 0.3 seconds
    np.testing.assert_array_equal(found.properties["Q"][found.done], np.arange(1, done + 1))
    assert load_map(tmp_path / "map.h5.part.h5").done.sum() == done  # for --resume


@pytest.mark.parametrize("name", ["blockfile/test1.blo", "merlin/002_4x2_6bit_roi128.mib"])
def test_real_files_without_calibration(shared_data, tmp_path, capsys, name):
    out = tmp_path / "map.h5"
    asked = ("index", shared_data / name, "--phase", "Ni", "--spacing", 5, "--out", out, "--json")
    code, _, err = answer(capsys, *asked, "--voltage", 200)
    assert code == 1
    assert "pixel size is unknown. Find it in Calibrate, or give it" in err
    assert not out.exists()
    code, said, _ = answer(capsys, *asked, "--voltage", 200, "--pixel-size", 0.02)
    facts = json.loads(said)
    assert code == 0
    assert facts["exploratory"].startswith("the pixel size, 0.02 1/angstrom, is typed; the beam")
    assert load_map(out).done.all()
    assert load_map(out).provenance["exploratory"] == facts["exploratory"]


def test_what_is_finished_is_kept_when_a_later_read_fails(
    scan_file, tmp_path, capsys, asked, monkeypatch
):
    from napari_orient.diffraction.matching import index
    from napari_orient.jobs import Every

    def failing(scan, wanted, *_):
        for batch in whole(scan, wanted, 100, 8):
            if batch.positions[0, 0] > 4:
                raise RuntimeError("the disk is gone")
            yield batch

    whole = index.batches
    monkeypatch.setattr(index, "batches", failing)
    monkeypatch.setattr(Every, "due", lambda self: True)
    code, out, err = answer(capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2",
                            "--out", tmp_path / "m.h5", "--json")  # fmt: skip
    assert (code, out) == (1, "")
    assert "the disk is gone" in err.splitlines()[-1]
    assert "that were finished are kept" in err
    kept = load_map(tmp_path / "m.h5")
    assert 8 <= kept.done.sum() < 63


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        UnreadableFile("m.ang", "cannot be written (No space left on device)", "Make room there."),
    ],
)
def test_a_map_that_cannot_be_written_is_kept_elsewhere(
    scan_file, tmp_path, capsys, asked, monkeypatch, error
):
    from napari_orient.data.export import write

    def full(found, path, *_, **__):
        if path.parent == tmp_path:
            raise error
        return (yield from right(found, path, *_, **__))

    right = write.export_map
    monkeypatch.setattr(write, "export_map", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spare"))
    (tmp_path / "spare").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    code, _, err = answer(capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2",
                          "--out", tmp_path / "m.ang")  # fmt: skip
    assert code == 1
    (spare,) = (tmp_path / "spare").rglob("m.h5")
    said = f"m.ang cannot be written (no space is left on the disk). The map is kept in {spare}."
    assert err.splitlines()[-1].endswith(said)
    assert load_map(spare).indexed.sum() == 62


def test_why_a_file_cannot_be_written_is_said_once():
    from napari_orient.cli.unfinished import why

    error = UnreadableFile("m.h5", "cannot be written (Permission denied)", "!")
    error.__cause__ = PermissionError(13, "Permission denied")
    assert why(error) == "Permission denied"
    assert why(UnreadableFile("m.ctf", "holds no such phase", "!")) == "holds no such phase"


def test_a_folder_is_no_map(scan_file, tmp_path, capsys, asked):
    (tmp_path / "m.h5").mkdir()
    code, _, err = answer(capsys, "index", scan_file, "--phase", "Ni", "--out", tmp_path / "m.h5")
    assert code == 1
    assert "is a folder" in err
    assert not asked  # said before the work


SLOW = """
import sys, time
sys.path.insert(0, {here!r})
from numbered_scans import ReadingMatcher
import napari_orient.cli.unfinished as unfinished
import napari_orient.diffraction.matching.index as index
from napari_orient.cli import main
class Slow(ReadingMatcher):
    def match(self, patterns, positions=None):
        found = super().match(patterns, positions)
        time.sleep({seconds})
        return found
def build(calibration, shape, config, *, sample=None):
    return Slow(asked=config, config=config)
    yield
index.build_matcher, index._BATCH, index._SHOWN = build, 2, 0.05
unfinished.INTERVAL = 0.1
sys.exit(main(["index", {scan!r}, "--phase", "Ni", "--phase", "LiNiO2", "--out", {out!r},
               *sys.argv[1:]]))
"""


@pytest.fixture
def killed(scan_file, tmp_path):
    """The map that there is not, and what a run leaves that is killed in the middle."""
    out, part = tmp_path / "map.h5", tmp_path / "map.h5.part.h5"
    here = str(Path(__file__).parent)
    code = SLOW.format(here=here, scan=str(scan_file), out=str(out), seconds=0.1)
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (part.exists() and load_map(part).done.sum() > 8):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=30)
    assert not out.exists()
    return out, part


def test_a_killed_run_is_gone_on_with(killed, scan_file, tmp_path, capsys, asked, monkeypatch):
    out, part = killed
    before = load_map(part)
    done = int(before.done.sum())
    assert 8 < done < 63
    arguments = ("index", scan_file, "--phase", "Ni", "--phase", "LiNiO2", "--json")
    for changes, words in (
        (("--spacing", "2"), "made otherwise (spacing_deg)"),
        (("--region", "5:7,0:9"), "made otherwise (region)"),
    ):
        code, _, err = answer(capsys, *arguments, "--out", out, "--resume", *changes)
        assert code == 1
        assert words in err.splitlines()[-1]
        assert load_map(part).done.sum() == done
    read = []
    match = ReadingMatcher.match
    monkeypatch.setattr(
        ReadingMatcher, "match", lambda m, p, at=None: read.append(len(p)) or match(m, p, at)
    )
    code, said, err = answer(capsys, *arguments, "--out", out, "--resume")
    assert (code, sum(read)) == (0, 63 - done)  # nothing is matched twice
    assert f"{done} positions are finished" in err
    facts = json.loads(said)
    assert (facts["n"], facts["indexed"], facts["finished"]) == (63, 62, True)
    assert facts["seconds"] > before.provenance["seconds"]
    assert not part.exists()
    assert answer(capsys, *arguments, "--out", tmp_path / "whole.h5")[0] == 0
    found, whole = load_map(out), load_map(tmp_path / "whole.h5")
    for name in ("quaternions", "phase_id", "done"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    for name, array in whole.properties.items():
        np.testing.assert_array_equal(found.properties[name], array)
    for one, other in zip(found.candidates.arrays, whole.candidates.arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {**found.provenance, "seconds": 0} == {**whole.provenance, "seconds": 0}


def test_without_resume_a_run_begins_anew_and_says_so(scan_file, tmp_path, capsys, asked):
    out, part = tmp_path / "m.h5", tmp_path / "m.h5.part.h5"
    part.write_bytes(b"is not looked at")
    code, said, err = answer(capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2",
                             "--out", out, "--json")  # fmt: skip
    assert (code, json.loads(said)["n"]) == (0, 63)
    assert "is kept as" in err
    assert "and give --resume" in err
    assert list(tmp_path.glob("*.part*")) == []


def test_who_forgets_to_resume_and_stops_loses_nothing(
    scan_file, tmp_path, capsys, asked, monkeypatch
):
    from napari_orient.diffraction.matching import index

    monkeypatch.setattr(index, "_BATCH", 2)
    monkeypatch.setattr(index, "_SHOWN", 0.0)
    arguments = ("index", scan_file, "--phase", "Ni", "--phase", "LiNiO2", "--out",
                 tmp_path / "m.h5")  # fmt: skip
    part, old = tmp_path / "m.h5.part.h5", tmp_path / "m.h5.part-old.h5"
    right = index.build_matcher
    for last in (51, 11):  # the second run is stopped soon

        def build(calibration, pattern_shape, config, *, sample=None, last=last):
            return ReadingMatcher(asked=config, config=config, fail_at=last)
            yield

        monkeypatch.setattr(index, "build_matcher", build)
        code, _, err = answer(capsys, *arguments)
        assert code == 130
    assert f"kept as {old}" in err
    assert load_map(part).done.sum() < 11
    done = int(load_map(old).done.sum())
    assert 40 < done < 51
    old.replace(part)  # as it was told to
    monkeypatch.setattr(index, "build_matcher", right)
    code, _, err = answer(capsys, *arguments, "--resume")
    assert code == 0
    assert f"{done} positions are finished" in err
    assert list(tmp_path.glob("*.part*")) == []


def test_a_damaged_rest_is_said(scan_file, tmp_path, capsys, asked):
    part = tmp_path / "m.h5.part.h5"
    part.write_bytes(b"no map")
    code, _, err = answer(capsys, "index", scan_file, "--phase", "Ni", "--out", tmp_path / "m.h5",
                          "--resume")  # fmt: skip
    assert code == 1
    assert err.splitlines()[-1].endswith(
        "Leave out --resume: the scan is then read from its start."
    )
    part.unlink()
    code, _, err = answer(capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2",
                          "--out", tmp_path / "m.h5", "--resume")  # fmt: skip
    assert code == 0
    assert "is read from its start" in err


def test_a_rest_that_cannot_be_written_does_not_end_the_run(
    scan_file, tmp_path, capsys, asked, monkeypatch
):
    from napari_orient.cli import unfinished
    from napari_orient.jobs import Every

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unfinished, "replace_atomically", full)
    monkeypatch.setattr(Every, "due", lambda self: True)
    code, _, err = answer(capsys, "index", scan_file, "--phase", "Ni", "--phase", "LiNiO2",
                          "--out", tmp_path / "m.h5")  # fmt: skip
    assert code == 0
    assert err.count("(no space is left on the disk): the run goes on") == 1
