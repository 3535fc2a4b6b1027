"""The command line by its contract: JSON alone on stdout, exit codes, stop keeps what is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import tifffile

from napari_orient.cli import main
from napari_orient.cli.report import answer as print_answer


@pytest.fixture
def scan_file(tmp_path):
    data = np.random.default_rng(1).integers(0, 200, (5, 6, 12, 16), dtype=np.uint8)
    np.save(tmp_path / "scan.npy", data)
    return tmp_path / "scan.npy", data


def answer(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_info_of_a_scan_is_one_json_object(scan_file, capsys):
    path, data = scan_file
    code, out, _ = answer(capsys, "info", path, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["kind"] == "scan"
    assert facts["shape"] == list(data.shape)
    assert facts["dtype"] == "uint8"
    assert facts["calibration"]["centre"] == {
        "value": [6.0, 8.0],
        "unit": "px",
        "source": "default",
        "note": "middle of the pattern",
    }
    assert facts["calibration"]["step"] is None


def test_info_in_words_says_what_is_not_known(scan_file, capsys):
    code, out, _ = answer(capsys, "info", scan_file[0])
    assert code == 0
    assert "5 x 6 x 12 x 16" in out
    assert "voltage not known" in out


@pytest.mark.parametrize(
    ("name", "shape", "group", "step", "unit"),
    [
        ("mg_twins/twins.ctf", [137, 167], "6/mmm", 0.3, "um"),
        ("ti64/Ti64-200x200.ang", [200, 200], "6/mmm", 0.5, "um"),
        ("astar_acom/ACOM.ang", [15, 15], "m-3m", 2.0, "nm"),
    ],
)
def test_info_of_real_maps(shared_data, capsys, name, shape, group, step, unit):
    code, out, _ = answer(capsys, "info", shared_data / name, "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["kind"], facts["shape"], facts["unit"]) == ("map", shape, unit)
    assert facts["step"] == pytest.approx([step, step], rel=1e-3)
    assert facts["phases"][0]["laue_group"] == group


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("blockfile/test1.blo", [3, 2, 144, 144]),
        ("merlin/001_4x2_6bit.mib", [2, 4, 256, 256]),
        ("merlin/002_4x2_6bit_roi128.mib", [2, 4, 128, 256]),
    ],
)
def test_info_of_real_scans(shared_data, capsys, name, shape):
    code, out, _ = answer(capsys, "info", shared_data / name, "--json")
    assert code == 0
    assert json.loads(out)["shape"] == shape


def test_virtual_disk_and_annulus_are_float32_sums(scan_file, tmp_path, capsys):
    path, data = scan_file
    ky, kx = np.mgrid[:12, :16]
    squared = (ky - 5) ** 2 + (kx - 7) ** 2
    for option, mask in [
        (("--disk", 5, 7, 3), squared <= 9),
        (("--annulus", 5, 7, 2, 4), (squared >= 4) & (squared <= 16)),
    ]:
        out_file = tmp_path / "image.tif"
        code, out, _ = answer(capsys, "virtual", path, *option, "--out", out_file, "--json")
        image = tifffile.imread(out_file)
        assert code == 0
        assert json.loads(out)["positions"] == 30
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, data[:, :, mask].sum(-1, dtype=np.float64))


def test_errors_are_one_line_naming_the_file(tmp_path, capsys):
    text = tmp_path / "notes.h5"
    text.write_text("hello")
    for arguments in (["info", text], ["info", tmp_path / "gone.blo", "--json"]):
        code, out, err = answer(capsys, *arguments)
        assert code == 1
        assert out == ""
        assert err.count("\n") == 1
        assert str(arguments[1].name) in err


def test_what_cannot_be_written_or_measured_is_refused_before_the_work(scan_file, tmp_path, capsys):
    path = scan_file[0]
    for detector, out_file, words in (
        (("4", "4", "3"), tmp_path / "nowhere" / "a.tif", "folder that does not exist"),
        (("4", "4", "3"), tmp_path / "a.xyz", "end in .tif"),
        (("400", "400", "3"), tmp_path / "a.tif", "covers no pixel of the 12 x 16 patterns"),
    ):
        code, out, err = answer(capsys, "virtual", path, "--disk", *detector, "--out", out_file)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert words in err
        assert not out_file.exists()


def test_lists_of_words_are_not_multiplied(capsys):
    facts = {"notes": ["one", "two"], "shape": [3, 2], "step": [0.5, 0.5], "flags": [True, False]}
    print_answer(facts, as_json=False)
    assert capsys.readouterr().out.split("\n")[:4] == [
        "notes  one, two", "shape  3 x 2", "step   0.5 x 0.5", "flags  True, False"
    ]  # fmt: skip


def test_dataset_in_hdf5_is_named_with_two_colons(tmp_path, capsys):
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a/data"] = np.zeros((2, 3, 9, 8), np.uint8)
        file["b/data"] = np.ones((3, 2, 8, 8), np.uint16)
    code, _, err = answer(capsys, "info", tmp_path / "two.h5")
    assert code == 1
    assert "a/data" in err
    assert "b/data" in err
    code, out, _ = answer(capsys, "info", f"{tmp_path / 'two.h5'}::/b/data", "--json")
    assert code == 0
    assert json.loads(out)["shape"] == [3, 2, 8, 8]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interrupt_keeps_the_rows_that_are_finished(tmp_path):
    """Ctrl-C in the middle of a long pass: exit code 130, and an honest partial image."""
    path, out_file = tmp_path / "slow.npy", tmp_path / "image.tif"
    code = f"""
import sys, time, numpy as np
import napari_orient.diffraction.virtual as virtual
from napari_orient.cli import main
from napari_orient.jobs import Partial, Progress
np.save({str(path)!r}, np.ones((4, 4, 8, 8), np.uint8))
def slow(scan, detector, **_):
    image = np.full((4, 4), np.nan, np.float32)
    image[0] = 49
    yield Partial("image", image.copy(), image == image)
    while True:
        yield Progress(1, 4)
        print("running", file=sys.stderr, flush=True)
        time.sleep(0.05)
virtual.virtual_image = slow
sys.exit(main(["virtual", {str(path)!r}, "--disk", "4", "4", "9", "--out", {str(out_file)!r}]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while "running" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    image = tifffile.imread(out_file)
    assert (image[0] == 49).all()
    assert np.isnan(image[1:]).all()


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        (("--disk", "4", "4", "-3"), "--disk: radius: "),
        (("--annulus", "4", "4", "5", "2"), "the inner radius 5.0 exceeds the outer one 2.0"),
    ],
)
def test_an_impossible_detector_is_one_line_in_words(scan_file, tmp_path, capsys, detector, words):
    code, out, err = answer(
        capsys, "virtual", scan_file[0], *detector, "--out", tmp_path / "a.tif", "--json"
    )
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert words in err
    assert "pydantic" not in err


def test_a_scan_shape_that_is_none_is_wrong_usage(scan_file, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["info", str(scan_file[0]), "--scan-shape", "6"])
    assert stop.value.code == 2
    assert "write rows x columns as in 200x300" in capsys.readouterr().err
