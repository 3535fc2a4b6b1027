"""Vendor maps: real files, their conventions measured on twins, and files that are broken."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np
import orix.io
import pytest
from diffpy.structure import Lattice, Structure
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from napari_orient.analysis.frames import check_frame
from napari_orient.data.maps import OrientationMap, save_map
from napari_orient.data.vendors.open import FRAMES, open_map, sniff_map
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "twins.ctf": ("mg_twins", (137, 167), 0.3, "um", "Magnesium", "6/mmm", 22833 / 22879),
    "Ti64-200x200.ang": ("ti64", (200, 200), 0.4999, "um", "Titanium", "622", 1.0),
    "ACOM.ang": ("astar_acom", (15, 15), 2.0, "nm", "Phase 22474944", "432", 1.0),
    "in100_slice1_shuffled.ang": ("in100", (201, 189), 0.25, "um", "Nickel", "432", 31063 / 37989),
}

ANG = """# TEM_PIXperUM 1.0
# Phase 1
# MaterialName  Nickel
# Symmetry 43
# LatticeConstants 3.52 3.52 3.52 90 90 90
# GRID: {grid}
# XSTEP: 0.5
# YSTEP: 0.5
# NCOLS_ODD: 3
# NROWS: 2
#
{rows}
"""
ANG_ROWS = [
    f"{0.1 * i + 0.2:.5f} 0.50000 1.00000 {0.5 * x:.5f} {0.5 * y:.5f} 100.0 {ci:.3f} 0"
    for i, (y, x, ci) in enumerate(
        [(0, 0, 0.9), (0, 1, 0.8), (0, 2, -1), (1, 0, 0.7), (1, 1, 0.6), (1, 2, 0.5)]
    )
]
CTF = """Channel Text File
Prj\tx
Author\t{author}
JobMode\tGrid
XCells\t2
YCells\t2
XStep\t0,5
YStep\t0,5
Euler angles refer to Sample Coordinate system (CS0)!
Phases\t1
5.0;5.0;13.0\t90;90;120\tCalcite\t7\t167
Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS
1\t0,0\t0,0\t8\t0\t10,0\t20,0\t30,0\t0,5\t100\t200
1\t0,5\t0,0\t8\t0\t40,0\t50,0\t60,0\t0,5\t100\t200
0\t0,0\t0,5\t0\t3\t0,0\t0,0\t0,0\t0,0\t50\t90
1\t0,5\t0,5\t8\t0\t70,0\t80,0\t15,0\t0,5\t100\t200
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="latin-1", newline="\n")
    return path


def write_ang(folder: Path, rows: list[str] = ANG_ROWS, grid: str = "SqrGrid") -> Path:
    return write(folder / "map.ang", ANG.format(rows="\n".join(rows), grid=grid))


# --- real files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_facts_of_real_files(shared_data, name):
    folder, shape, step, unit, phase, group, indexed = FILES[name]
    path = shared_data / folder / name
    assert sniff_map(path)
    made = open_map(path)
    assert made.shape == shape
    assert made.step == pytest.approx((step, step))
    assert made.unit == unit
    assert list(made.phases) == [1]
    assert made.phases[1].name == phase
    assert made.phases[1].point_group.name == group
    assert made.indexed.mean() == pytest.approx(indexed, abs=1e-9)
    assert "erified" in made.frame_note
    np.testing.assert_allclose(np.linalg.norm(made.quaternions, axis=-1), 1)


@pytest.mark.parametrize("name", ["twins.ctf", "Ti64-200x200.ang", "ACOM.ang"])
def test_vendor_angles_are_those_of_orix(shared_data, name):
    path = shared_data / FILES[name][0] / name
    made = open_map(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # orix does not know TSL files with 8 columns
        theirs = orix.io.load(path)
    ours = Rotation.from_euler(np.nan_to_num(made.euler_degrees("vendor")), degrees=True).data
    cosine = np.abs(np.sum(ours.reshape(-1, 4) * theirs.rotations.data, axis=1))
    np.testing.assert_allclose(cosine[made.indexed.ravel()], 1, atol=1e-9)


def test_astar_reliability_is_a_percentage(shared_data):
    made = open_map(shared_data / "astar_acom" / "ACOM.ang")
    raw = np.loadtxt(shared_data / "astar_acom" / "ACOM.ang")
    assert set(made.properties) == {"Q", "R"}  # the ninth column is left out
    undefined = raw[:, 6] == -1
    assert undefined.any()
    assert np.all(made.properties["R"].ravel()[undefined] == -1)
    np.testing.assert_allclose(made.properties["R"].ravel()[~undefined], 100 * raw[~undefined, 6])
    np.testing.assert_array_equal(made.properties["Q"].ravel(), raw[:, 5])


def test_rows_may_be_shuffled(shared_data):
    made = open_map(shared_data / "in100" / "in100_slice1_shuffled.ang")
    raw = np.loadtxt(shared_data / "in100" / "in100_slice1_shuffled.ang")
    rng = np.random.default_rng(0)
    for row in raw[rng.choice(len(raw), 200)]:
        y, x = round(row[4] / 0.25), round(row[3] / 0.25)
        assert made.properties["IQ"][y, x] == row[5]
        assert made.indexed[y, x] == (row[6] != -1)


# --- conventions, measured on twins --------------------------------------------------------------


def test_ctf_default_fits_the_twins_of_magnesium(shared_data):
    check = run(check_frame(open_map(shared_data / "mg_twins" / "twins.ctf")))
    assert check.pairs > 1800
    default = check.find("y up", "a*")
    assert default is check.ranking[0]
    assert default.is_current
    assert default.pairs > 1700  # x || a*
    assert default.share > 0.8
    assert check.find("y up", "a").pairs < 0.06 * check.pairs
    assert check.find("as is", "a*").share < 0.03
    # half a turn about the beam cannot be told apart
    assert check.find("x left, y down", "a*") is default


def test_edax_default_fits_the_twins_of_nickel(shared_data):
    check = run(check_frame(open_map(shared_data / "in100" / "in100_slice1_shuffled.ang")))
    default = check.ranking[0]
    assert default.is_current
    assert default.pairs / check.pairs > 0.85
    assert default.share > 0.95
    for frame in ("as is", "y up"):
        assert check.find(frame, "a").share < 0.03


# --- made files: conventions ---------------------------------------------------------------------


def test_named_frames_are_what_their_names_say():
    words = {"right": (1, 0, 0), "left": (-1, 0, 0), "down": (0, 1, 0), "up": (0, -1, 0)}
    for quaternion, text in FRAMES.values():
        matrix = Rotation(quaternion).to_matrix()[0]
        parts = text.split(": ", 1)[-1] if ": x" in text else text
        x, y, z = (part.split()[1] for part in parts.split(", "))
        np.testing.assert_allclose(matrix[:, 0], words[x], atol=1e-12)
        np.testing.assert_allclose(matrix[:, 1], words[y], atol=1e-12)
        np.testing.assert_allclose(matrix[2, 2], {"into": 1, "out": -1}[z], atol=1e-12)


def test_edax_file(tmp_path):
    made = open_map(write_ang(tmp_path))
    assert made.shape == (2, 3)
    assert made.phase_id.tolist() == [[1, 1, -1], [1, 1, 1]]  # CI = -1 is not indexed
    assert made.quaternions[0, 2].tolist() == [1, 0, 0, 0]
    expected = np.degrees([0.3, 0.5, 1.0])
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 1], expected, atol=1e-6)
    as_is = open_map(tmp_path / "map.ang", frame="as is")
    np.testing.assert_allclose(as_is.euler_degrees()[0, 1], expected, atol=1e-6)
    assert "hosen by the user" in as_is.frame_note


def test_rows_in_any_order_and_one_missing(tmp_path):
    expected = open_map(write_ang(tmp_path))
    shuffled = [ANG_ROWS[i] for i in (4, 0, 5, 3, 1)]
    made = open_map(write_ang(tmp_path, shuffled))
    assert made.shape == (2, 3)
    assert made.done.tolist() == [[True, True, False], [True, True, True]]
    np.testing.assert_array_equal(made.quaternions, expected.quaternions)
    np.testing.assert_array_equal(made.phase_id, expected.phase_id)


def test_positions_with_few_digits(tmp_path):
    rows = [
        f"1.0 0.5 1.0 {0.00192 * x:.4f} {0.00192 * y:.4f} 20.0 0.3 1 1"
        for y in range(3)
        for x in range(200)
    ]
    text = ANG.format(grid="SqrGrid", rows="\n".join(rows)).split("\n", 1)[1]
    header = "\n".join(
        line for line in text.split("\n") if "STEP" not in line and "NCOLS" not in line
    )
    header = header.replace("# NROWS: 2\n", "")
    made = open_map(write(tmp_path / "map.ang", "# File created from ACOM RES results\n" + header))
    assert made.shape == (3, 200)
    assert made.step[1] == pytest.approx(0.00192, rel=1e-3)
    assert (made.unit, made.properties["R"][0, 0]) == ("nm", pytest.approx(30.0))


def test_oxford_file(tmp_path):
    made = open_map(write(tmp_path / "map.ctf", CTF.format(author="")))
    assert made.step == (0.5, 0.5)  # decimal commas
    assert made.phase_id.tolist() == [[1, 1], [-1, 1]]
    assert made.phases[1].point_group.name == "-3m"
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 1], (40, 50, 60), atol=1e-6)
    assert made.crystal_axes == "a*"
    # by hand: map z is the vendor's -z; crystal a* is the vendor's x, 30 degrees ahead of a
    vendor = Rotation.from_euler((40, 50, 60), degrees=True).to_matrix()[0]
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    expected = turn @ vendor @ np.diag([1, -1, -1])
    ours = Rotation(made.quaternions[0, 1]).to_matrix()[0]
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    base = made.phases[1].structure.lattice.base  # rows a, b, c in crystal axes
    a_star = np.linalg.inv(base)[:, 0]
    np.testing.assert_allclose(turn @ (1, 0, 0), a_star / np.linalg.norm(a_star), atol=1e-12)


def test_own_text_files_are_in_the_map_frame(tmp_path):
    made = open_map(write(tmp_path / "map.ctf", CTF.format(author="napari-orient")))
    assert made.crystal_axes == "a"
    np.testing.assert_allclose(made.euler_degrees()[0, 1], (40, 50, 60), atol=1e-6)


def test_choices_are_checked(tmp_path):
    path = write_ang(tmp_path)
    with pytest.raises(ValueError, match="choose one of"):
        open_map(path, frame="upside down")
    with pytest.raises(ValueError, match="choose one of"):
        open_map(path, crystal_axes="b")
    for frame in ((0, 0, 0, 0), (np.nan, 0, 0, 1), (1, 0, 0)):
        with pytest.raises(ValueError, match="quaternion of four numbers"):
            open_map(path, frame=frame)
    given = open_map(path, frame=(0.0, 2.0, 0.0, 0.0))
    np.testing.assert_allclose(given.quaternions, open_map(path, frame="y up").quaternions)


def test_hdf5_of_both_kinds(tmp_path):
    q = Rotation.from_euler(np.full((3, 4, 3), (10, 20, 30)), degrees=True).data
    phase = Phase(
        "Ti", point_group="6/mmm", structure=Structure(lattice=Lattice(3, 3, 5, 90, 90, 120))
    )
    made = OrientationMap(q, {0: phase}, step=(2, 3), unit="nm", frame_note="mine")
    run(save_map(made, tmp_path / "ours.h5"))
    orix.io.save(tmp_path / "theirs.h5", made.to_orix())
    for name, note in (("ours.h5", "mine"), ("theirs.h5", "Assumed")):
        assert sniff_map(tmp_path / name)
        again = open_map(tmp_path / name)
        assert note in again.frame_note
        assert again.step == pytest.approx((2, 3))
        np.testing.assert_allclose(again.euler_degrees(), made.euler_degrees(), atol=1e-6)
    turned = open_map(tmp_path / "theirs.h5", frame="y up", crystal_axes="a*")
    np.testing.assert_allclose(turned.euler_degrees("vendor"), made.euler_degrees(), atol=1e-6)


# --- bad files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no points"),
        (ANG_ROWS[:3], "cut short: 3 of 6"),
        ([*ANG_ROWS[:5], "0.1 0.2"], "damaged row 6 of 6"),
        ([*ANG_ROWS[:5], "0.1 0.2 x 1.0 0.5 1 0.5 0"], "damaged row 6"),
        ([r.rsplit(" ", 2)[0] for r in ANG_ROWS], "6 columns"),
        ([r.replace("0.50000 1.00000", "nan nan", 1) for r in ANG_ROWS], "NaN"),
        ([*ANG_ROWS[:5], ANG_ROWS[0]], "two rows for one point"),
        ([r[:-1] + "7" for r in ANG_ROWS], "phase"),
        ([r.replace("1.00000", "90.0000", 1) for r in ANG_ROWS], "radians"),
        ([r.replace(" 0.50000 100", " 0.30000 100") for r in ANG_ROWS], "no 2 x 3 grid"),
    ],
)
def test_broken_ang(tmp_path, rows, words):
    with pytest.raises(UnreadableFile, match=words) as caught:
        open_map(write_ang(tmp_path, rows))
    assert "map.ang" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.ang", b"", "empty"),
        ("a.ang", b"dear diary\n1 2 3\n", "no .ang header"),
        ("a.ang", b"\x00\x01\x02" * 100, "not a text file"),
        ("a.ctf", b"dear diary", "no .ctf header"),
        ("a.ctf", b"Channel Text File\nPhases\t1\n", "cut short"),
        ("a.ctf", CTF.replace("167\n", "999\n").encode(), "wrongly"),
        ("a.ctf", CTF.replace("XCells\t2", "XCells\t0").encode(), "grid"),
        ("a.ctf", CTF[:-60].encode(), "damaged row"),
        ("a.ctf", CTF.replace("YStep\t0,5", "YStep\tnan").encode(), "gives a grid"),
        ("a.ctf", CTF.replace("5.0;5.0", "nan;5.0").encode(), "wrongly"),
        ("a.ctf", CTF.replace("5.0;5.0", "0.0;5.0").encode(), "wrongly"),
        ("a.h5", b"dear diary", "not an HDF5 file"),
        ("a.png", b"dear diary", "no orientation map"),
    ],
)
def test_broken_files(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert sniff_map(path) == (path.suffix in (".ang", ".ctf"))
    with pytest.raises(UnreadableFile, match=words) as caught:
        open_map(path)
    assert name in str(caught.value)


def test_hexagonal_grid_becomes_square(tmp_path):
    rows = [
        f"0.3 0.5 1.0 {0.5 * x + 0.25 * (y % 2):.5f} {0.433013 * y:.5f} {10 * y + x} 0.5 1 0.5 0.4"
        for y in range(3)
        for x in range(4 - y % 2)
    ]
    text = ANG.format(grid="HexGrid", rows="\n".join(rows)).replace("NROWS: 2", "NROWS: 3")
    text = text.replace("YSTEP: 0.500000", "YSTEP: 0.433013")
    made = open_map(write(tmp_path / "map.ang", text))
    assert made.step == pytest.approx((0.433013, 0.433013), rel=1e-5)
    assert made.properties["IQ"].tolist() == [[0, 1, 2, 3], [10, 10, 11, 12], [20, 21, 22, 23]]
    assert "hexagonal grid was resampled" in made.frame_note


def test_missing_and_foreign_files(tmp_path):
    import h5py

    assert not sniff_map(tmp_path / "none.ang")
    assert not sniff_map(tmp_path)
    with pytest.raises(UnreadableFile, match="does not exist"):
        open_map(tmp_path / "none.ang")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = np.zeros((2, 2))
    assert not sniff_map(tmp_path / "scan.h5")
    with pytest.raises(UnreadableFile, match="holds no orientation map"):
        open_map(tmp_path / "scan.h5")


def test_folders_pipes_and_two_colons(tmp_path):
    folder = tmp_path / "run::3.ang"
    folder.mkdir()
    with pytest.raises(UnreadableFile, match="no orientation map"):
        open_map(folder)
    path = write_ang(folder)
    assert sniff_map(path)
    assert open_map(path).shape == (2, 3)
    os.mkfifo(tmp_path / "pipe.ang")
    assert not sniff_map(tmp_path / "pipe.ang")
    with pytest.raises(UnreadableFile, match="pipe"):
        open_map(tmp_path / "pipe.ang")


def test_a_table_too_large_for_the_memory_is_a_bad_file(tmp_path):
    import h5py

    with h5py.File(tmp_path / "promises.h5", "w") as file:
        data = file.create_group("Scan 1/EBSD/Data")
        file.create_group("Scan 1/EBSD/Header")
        for name in ("Phi1", "Phi", "Phi2"):
            data.create_dataset(name, (10**12,), "f4", chunks=(1000,))
    with pytest.raises(UnreadableFile, match=r"promises\.h5 holds a damaged map"):
        open_map(tmp_path / "promises.h5")
