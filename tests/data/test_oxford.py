"""Channel 5 projects: a real one, and written ones for what it does not show."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_orient.analysis.frames import check_frame
from napari_orient.data.vendors.open import open_map, sniff_map
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

CPR = """[General]
Version=5.0
Description={description}

[Job]
GridDistX=0,5
GridDistY=0,5
xCells=3
yCells=2

[AcquisitionSurface]
Euler1=0
Euler2={tilt}
Euler3=0

[Fields]
Count=5
Field1=6
Field2=3
Field3=4
Field4=5
Field5=10

[Phases]
Count=2

[Phase1]
StructureName=Calcite, low
a=4.99
b=4.99
c=17.06
alpha=90
beta=90
gamma=120
LaueGroup=7
SpaceGroup=167

[Phase2]
StructureName=Iron
a=2.87
b=2.87
c=2.87
alpha=90
beta=90
gamma=90
LaueGroup=11
SpaceGroup=0
"""
ROW = [("phase", "u1"), ("MAD", "<f4"), ("e1", "<f4"), ("e2", "<f4"), ("e3", "<f4"), ("b", "u1")]


def write(folder, text=None, points=6, suffixes=(".crc", ".cpr")):
    rows = np.zeros(6, ROW)
    rows["phase"] = (1, 1, 2, 2, 0, 1)
    rows["MAD"] = np.arange(6) / 10
    rows["e1"], rows["e2"], rows["e3"] = np.radians((40, 50, 60))
    rows["b"] = (5, 6, 7, 8, 0, 9)
    (folder / f"map{suffixes[0]}").write_bytes(rows[:points].tobytes())
    text = CPR if text is None else text
    (folder / f"map{suffixes[1]}").write_text(
        text.replace("{description}", "").replace("{tilt}", "0"), encoding="latin-1"
    )
    return folder / f"map{suffixes[0]}"


def test_copper(shared_data):
    by_points = open_map(shared_data / "copper" / "copperSquare.crc")
    by_project = open_map(shared_data / "copper" / "copperSquare.cpr")
    np.testing.assert_array_equal(by_points.quaternions, by_project.quaternions)
    facts = by_points.summary()
    assert facts["shape"] == [296, 293]
    assert (facts["step"], facts["unit"]) == ([2, 2], "um")
    (phase,) = facts["phases"]
    assert (phase["name"], phase["laue_group"], phase["space_group"]) == ("Copper", "m-3m", 214)
    assert phase["lattice"] == [3.61, 3.61, 3.61, 90, 90, 90]
    assert phase["points"] == 86680  # of 86728: the "Coverage=99.94" of its header
    assert facts["indexed_fraction"] == pytest.approx(0.9994, abs=1e-4)
    assert facts["properties"] == ["BC", "BS", "MAD", "bands", "error", "reliability"]
    assert by_points.properties["MAD"].mean() == pytest.approx(1.0767, abs=1e-4)
    assert by_points.properties["bands"].max() == 6
    assert "y up" in facts["frame_note"]
    assert "exported from MTEX" in facts["frame_note"]


def test_copper_was_turned_by_its_export(shared_data):
    """Its sigma-3 traces fit EDAX's axes, not Oxford's: why the note says "not verified"."""
    check = run(check_frame(open_map(shared_data / "copper" / "copperSquare.crc")))
    assert check.pairs > 12000
    edax = check.find("x down, y right", "a*")
    assert edax is check.ranking[0]
    assert edax.pairs / check.pairs > 0.94
    assert edax.share > 0.65
    default = check.find("y up", "a*")
    assert default.is_current
    assert default.share < 0.02


@pytest.mark.parametrize("suffixes", [(".crc", ".cpr"), (".CRC", ".CPR")])
def test_a_project_of_two_phases(tmp_path, suffixes):
    made = open_map(write(tmp_path, suffixes=suffixes))
    assert made.shape == (2, 3)
    assert made.step == (0.5, 0.5)  # decimal commas
    assert made.phase_id.tolist() == [[1, 1, 2], [2, -1, 1]]
    assert [p.point_group.laue.name for p in made.phases.values()] == ["-3m", "m-3m"]
    assert made.phases[1].name == "Calcite, low"
    assert made.crystal_axes == "a*"
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 2], (40, 50, 60), atol=1e-4)
    np.testing.assert_allclose(made.properties["MAD"][1], (0.3, 0.4, 0.5), atol=1e-6)
    assert made.properties["bands"][1].tolist() == [8, 0, 9]


def test_same_as_the_text_format(tmp_path):
    lines = [
        "Channel Text File", "XCells\t1", "YCells\t1", "XStep\t1", "YStep\t1", "Phases\t1",
        "4.99;4.99;17.06\t90;90;120\tCalcite\t7\t167",
        "Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS",
        "1\t0\t0\t8\t0\t40\t50\t60\t0.5\t1\t2",
    ]  # fmt: skip
    (tmp_path / "map.ctf").write_text("\n".join(lines))
    text, made = open_map(tmp_path / "map.ctf"), open_map(write(tmp_path))
    assert (made.frame, made.crystal_axes) == (text.frame, text.crystal_axes)
    np.testing.assert_allclose(made.quaternions[0, 1], text.quaternions[0, 0], atol=1e-7)


def test_what_is_not_applied_is_said(tmp_path):
    path = write(tmp_path, CPR.replace("{tilt}", "90"))
    assert (
        "specimen's own orientation (0, 90, 0) degrees is not applied" in open_map(path).frame_note
    )
    chosen = open_map(path, frame="as is")
    assert "Chosen by the user" in chosen.frame_note


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dear diary", "no Channel 5 project"),
        (CPR.replace("[Fields]", "[Felder]"), r"no \[Fields\]"),
        (CPR.replace("xCells=3", "xCells=three"), "no number"),
        (CPR.replace("xCells=3", "xCells=4"), "promises 8 points"),
        (CPR.replace("xCells=3", ""), "no map"),
        (CPR.replace("0,5", "0"), "step"),
        (CPR.replace("Field2=3", "Field2=10"), "Euler angles"),
        (CPR.replace("Count=2", "Count=3"), r"\[Phase3\]"),
        (CPR.replace("SpaceGroup=167", "SpaceGroup=999"), "wrongly"),
        (CPR.replace("LaueGroup=11", "LaueGroup=0"), "no symmetry"),
        (CPR.replace("Count=2", "Count=1"), "phase"),
    ],
)
def test_broken_projects(tmp_path, text, words):
    path = write(tmp_path, text)
    assert sniff_map(path)
    with pytest.raises(UnreadableFile, match=words) as caught:
        open_map(path)
    assert "map.c" in str(caught.value)


def test_broken_points(tmp_path):
    with pytest.raises(UnreadableFile, match=r"map\.crc.* promises 6 points"):
        open_map(write(tmp_path, points=5))
    (tmp_path / "map.crc").write_bytes(b"")
    with pytest.raises(UnreadableFile, match=r"map\.crc is empty"):
        open_map(tmp_path / "map.cpr")


@pytest.mark.parametrize("missing", [".crc", ".cpr"])
def test_one_file_alone(tmp_path, missing):
    path = write(tmp_path)
    shutil.move(path.with_suffix(missing), tmp_path / "elsewhere")
    there = path.with_suffix(".cpr" if missing == ".crc" else ".crc")
    with pytest.raises(UnreadableFile, match=f"map{missing} beside it"):
        open_map(there)
