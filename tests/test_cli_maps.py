"""Maps on the command line: exports, and text files whose columns are named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from orix.quaternion import Rotation

from napari_orient.cli import main
from napari_orient.crystal.phases import get_phase
from napari_orient.data.maps import OrientationMap, save_map
from napari_orient.data.vendors.open import open_map
from napari_orient.jobs import run


@pytest.fixture
def map_file(tmp_path):
    angles = np.random.default_rng(1).uniform((0, 0, 0), (360, 180, 360), (4, 5, 3))
    made = OrientationMap(
        Rotation.from_euler(angles, degrees=True).data, {1: get_phase("LiNiO2")},
        properties={"NCC": np.ones((4, 5))}, step=(2.0, 2.0), unit="nm",
    )  # fmt: skip
    return run(save_map(made, tmp_path / "map.h5"))


def answer(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("format_", "name"),
    [("ang", "o.ang"), ("astar", "o.ang"), ("ctf", "o.ctf"), ("orix", "o.h5"), ("h5", "p.h5")],
)
def test_export(map_file, tmp_path, capsys, format_, name):
    code, out, _ = answer(
        capsys, "export", map_file, tmp_path / name, "--format", format_, "--json"
    )
    facts = json.loads(out)
    assert code == 0
    assert (facts["kind"], facts["format"], facts["points"], facts["indexed"]) == (
        "export", format_, 20, 20)  # fmt: skip
    assert facts["largest"] <= facts["limit"]
    assert facts["axes"].startswith("Euler axes are the map's: x right, y down, z into the page")
    assert open_map(tmp_path / name).shape == (4, 5)
    if format_ in ("ang", "astar", "ctf"):
        assert "no column for NCC" in facts["lost"]


def test_export_in_vendor_axes_with_a_script(map_file, tmp_path, capsys):
    code, out, _ = answer(
        capsys, "export", map_file, tmp_path / "o.ctf", "--format", "ctf", "--frame", "y up",
        "--crystal-axes", "a*", "--mtex", "--json",
    )  # fmt: skip
    assert code == 0
    assert "y up" in json.loads(out)["axes"]
    assert (tmp_path / "o_mtex.m").read_text().startswith("% Loads o.ctf into MTEX")
    assert open_map(tmp_path / "o.ctf").crystal_axes == "a*"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("o.vti", "--format", "vti"), "this is a map: reconstruct one, or export the map as ang"),
        (("o.txt", "--format", "ang"), "Let the name end in .ang"),
        (("o.ang", "--format", "ang", "--frame", "odd"), "choose one of ['map', 'vendor'"),
        (("o.h5", "--format", "h5", "--mtex"), "an MTEX script goes with"),
    ],
)
def test_errors_are_one_line(map_file, tmp_path, capsys, arguments, words):
    out_file, *rest = arguments
    code, out, err = answer(capsys, "export", map_file, tmp_path / out_file, *rest, "--json")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert words in err
    assert not (tmp_path / out_file).exists()


def test_text_files_need_their_phases(tmp_path, capsys):
    rows = [f"{x},{y},{10 * x},20,30,{1 + x}" for y in range(3) for x in range(2)]
    path = tmp_path / "map.csv"
    path.write_text("\n".join(["x (nm),y (nm),phi1 (deg),Phi,phi2,phase", *rows]))
    code, _, err = answer(capsys, "info", path, "--json")
    assert code == 1
    assert "does not say which crystal is phase 1, 2" in err
    assert "--phase Ni" in err
    code, out, _ = answer(capsys, "info", path, "--phase", "Ni", "--phase", "2=LiNiO2", "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["shape"], facts["step"], facts["unit"]) == ([3, 2], [1.0, 1.0], "nm")
    assert [p["laue_group"] for p in facts["phases"]] == ["m-3m", "-3m"]
    code, out, _ = answer(
        capsys, "info", path, "--columns", "x,y,phi1,Phi,phi2,", "--unit", "um", "--phase", "Ti",
        "--read-frame", "y up", "--read-crystal-axes", "a*", "--json",
    )  # fmt: skip
    facts = json.loads(out)
    assert (facts["unit"], facts["crystal_axes"], facts["frame"]) == ("um", "a*", [0, 1, 0, 0])
    out_file = tmp_path / "o.ang"
    code, *_ = answer(
        capsys, "export", path, out_file, "--format", "ang", "--phase", "Ni", "--phase", "LiNiO2"
    )
    assert code == 0
    assert open_map(out_file).euler_degrees()[0, 1, 0] == pytest.approx(10, abs=1e-3)


def test_options_that_would_do_nothing_are_refused(map_file, tmp_path, capsys):
    code, _, err = answer(capsys, "info", map_file, "--phase", "Ni", "--json")
    assert (code, "--phase is for text files" in err) == (1, True)
    np.save(tmp_path / "scan.npy", np.zeros((2, 3, 8, 8), np.uint8))
    code, _, err = answer(capsys, "info", tmp_path / "scan.npy", "--check-frame", "--json")
    assert (code, "--check-frame is for maps" in err) == (1, True)
    (tmp_path / "map.csv").write_text("x,y,phi1,Phi,phi2\n0,0,1,2,3\n1,0,1,2,3\n")
    (tmp_path / "c.yaml").write_text("columns: [x, y, phi1, Phi, phi2]\n")
    code, _, err = answer(
        capsys, "info", tmp_path / "map.csv", "--columns", tmp_path / "c.yaml", "--phase", "Ni"
    )
    assert (code, "c.yaml: change them there" in err) == (1, True)


def test_the_ranking_of_frames_is_a_line_each(capsys, shared_data):
    path = shared_data / "mg_twins" / "twins.ctf"
    code, out, _ = answer(capsys, "info", path, "--check-frame")
    lines = out.splitlines()
    assert code == 0
    assert lines[-5].split() == (
        "83 % (64 to 93) y up, crystal a*; x left, y down, crystal a* <- read so now".split()
    )
    assert lines[-1].split()[:2] == ["too", "few"]
    assert "ranking" not in out
