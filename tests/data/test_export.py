"""Exports: the columns of real files come out again, every axis both ways, nothing lost unsaid."""

from __future__ import annotations

import re
import warnings

import numpy as np
import orix.io
import pytest
from orix.quaternion import Rotation

from napari_orient.crystal.phases import get_phase
from napari_orient.data.export import text as export_text
from napari_orient.data.export import write as export
from napari_orient.data.export.check import turns
from napari_orient.data.export.write import FORMATS, SUFFIXES, export_map, what_is_lost
from napari_orient.data.maps import OrientationMap, load_map, save_map
from napari_orient.data.vendors.open import open_map
from napari_orient.data.vendors.tables import FRAMES
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

TEXT = ("ang", "astar", "ctf")
NAMED = {"ang": "out.ang", "astar": "out.ang", "ctf": "out.ctf", "orix": "out.h5", "h5": "out.h5"}


def quaternions(shape, seed=0):
    q = np.random.default_rng(seed).normal(size=(*shape, 4))
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def two_phases(shape=(5, 7), **fields):
    """LiNiO2 (trigonal) and nickel, a tenth not indexed, numbers that do not start at 1."""
    phase_id = np.where(np.arange(np.prod(shape)).reshape(shape) % 3 == 0, 7, 4)
    phase_id.ravel()[::10] = -1
    made = {"step": (0.4, 0.25), "unit": "um", "origin": (2.0, 1.0), **fields}
    phases = {4: get_phase("LiNiO2"), 7: get_phase("Ni")}
    return OrientationMap(quaternions(shape), phases, phase_id, **made)


def load_with_orix(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return orix.io.load(str(path))


# --- real files, in their own columns ------------------------------------------------------------


def test_acom_comes_out_in_its_own_columns(shared_data, tmp_path):
    source = shared_data / "astar_acom" / "ACOM.ang"
    report = run(export_map(open_map(source), tmp_path / "ACOM.ang", "astar"))
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "ACOM.ang"), np.loadtxt(source))
    lines = [p.read_bytes().split(b"\r\n") for p in (tmp_path / "ACOM.ang", source)]
    assert lines[0][0] == lines[1][0] == b"# File created from ACOM RES results"
    rows = [[line for line in one if line[:1] == b" "] for one in lines]
    assert rows[0] == rows[1]  # to the last blank
    assert report.largest < 1e-6
    assert report.checked_by == ("napari-orient", "orix")


@pytest.mark.parametrize(
    ("name", "format_", "columns"),
    [("mg_twins/twins.ctf", "ctf", 11), ("ti64/Ti64-200x200.ang", "ang", 8)],
)
def test_vendor_files_come_out_in_their_own_columns(shared_data, tmp_path, name, format_, columns):
    source, made = shared_data / name, tmp_path / NAMED[format_]
    run(export_map(open_map(source), made, format_, frame="vendor"))
    skip = 16 if format_ == "ctf" else 0
    theirs = np.loadtxt(source, skiprows=skip - 1 if skip else 0, encoding="latin-1")
    ours = np.loadtxt(made, skiprows=skip - 1 if skip else 0)[:, :columns]
    angles = (5, 6, 7) if format_ == "ctf" else (0, 1, 2)
    rest = [c for c in range(columns) if c not in angles]
    there = (theirs[:, 0] > 0) if format_ == "ctf" else np.ones(len(theirs), bool)
    np.testing.assert_allclose(ours[:, rest], theirs[:, rest], atol=5e-5)  # they add up steps
    np.testing.assert_allclose(ours[there][:, angles], theirs[there][:, angles], atol=1.1e-5)


# --- both ways -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(("frame", "crystal_axes"), [
    ("map", "default"), ("map", "a*"), ("vendor", "default"), *((f, "a*") for f in FRAMES),
    ((0.1, 0.7, -0.3, 0.2), "a"),
])  # fmt: skip
def test_every_axis_both_ways(tmp_path, format_, frame, crystal_axes):
    made = two_phases(frame=FRAMES["y up"][0], crystal_axes="a*")
    path = tmp_path / NAMED[format_]
    turned = frame not in ("map", "as is") or crystal_axes == "a*"
    if format_ == "h5" and turned:
        with pytest.raises(ValueError, match="always in the map frame"):
            run(export_map(made, path, format_, frame=frame, crystal_axes=crystal_axes))
        return
    report = run(export_map(made, path, format_, frame=frame, crystal_axes=crystal_axes))
    again = open_map(path)
    limit = 0.09 if format_ == "astar" else 0.001
    assert report.largest <= limit
    assert turns(again.quaternions, made.quaternions)[made.indexed].max() <= limit
    assert [p.name for p in again.phases.values()] == ["LiNiO2", "Ni"]
    if format_ in TEXT:
        np.testing.assert_array_equal(again.phase_id, np.select(
            [made.phase_id == 4, made.phase_id == 7], [1, 2], -1))  # fmt: skip
        assert any("4 as 1, 7 as 2" in note for note in report.notes)
        assert "As its writer says" in again.frame_note
        assert again.crystal_axes == (
            "a*" if "a*" in (crystal_axes, frame == "vendor" and "a*") else "a"
        )
    else:
        np.testing.assert_array_equal(again.phase_id, made.phase_id)
    scale = 1000 if format_ == "astar" else 1
    assert again.step == pytest.approx((0.4 * scale, 0.25 * scale))
    assert again.origin == pytest.approx((2.0 * scale, 1.0 * scale))


def test_angles_in_the_file_by_hand(tmp_path):
    """Matrices: y and z reversed is half a turn about x; a* lies 30 degrees before a about c."""
    made = two_phases((3, 4))
    run(export_map(made, tmp_path / "o.ctf", "ctf", frame="y up", crystal_axes="a*"))
    table = np.loadtxt(tmp_path / "o.ctf", skiprows=16)
    for row, q in zip(table, made.quaternions.reshape(-1, 4), strict=True):
        if row[0] == 0:
            continue
        ours = Rotation(q).to_matrix()[0]
        theirs = Rotation.from_euler(row[5:8], degrees=True).to_matrix()[0]
        cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) if row[0] == 1 else np.eye(3)
        np.testing.assert_allclose(turn @ theirs @ np.diag([1, -1, -1]), ours, atol=1e-5)


@pytest.mark.parametrize("format_", TEXT)
def test_orix_reads_the_same(tmp_path, format_):
    made = two_phases()
    path = tmp_path / NAMED[format_]
    report = run(export_map(made, path, format_))
    theirs = load_with_orix(path)
    assert "orix" in report.checked_by
    turned = turns(theirs._rotations.data.reshape(5, 7, 4), made.quaternions)
    assert turned[made.indexed].max() < (0.09 if format_ == "astar" else 0.001)
    groups = {theirs.phases[n].point_group.laue.name for n in (1, 2)} if format_ != "astar" else 0
    assert format_ == "astar" or groups == {"-3m", "m-3m"}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("tilt", [0.0, 180.0, 90.0])
def test_flat_angles(tmp_path, format_, tilt):
    euler = np.stack(
        np.broadcast_arrays(np.linspace(0, 359, 12), tilt, np.linspace(300, 10, 12)), axis=-1
    ).reshape(3, 4, 3)
    # orix gives another orientation at Phi = 180 from angles to quaternions and back: by hand
    half = np.radians(euler) / 2
    plus, minus = (half[..., 0] + half[..., 2]), (half[..., 0] - half[..., 2])
    cos, sin = np.cos(half[..., 1]), np.sin(half[..., 1])
    q = np.stack([cos * np.cos(plus), -sin * np.cos(minus), -sin * np.sin(minus),
                  -cos * np.sin(plus)], axis=-1)  # fmt: skip
    made = OrientationMap(q, {0: get_phase("Ti")})
    report = run(export_map(made, tmp_path / NAMED[format_], format_))
    assert report.largest < (0.09 if format_ == "astar" else 0.001)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1), (2, 2)])
def test_rows_columns_and_single_points(tmp_path, format_, shape):
    made = OrientationMap(quaternions(shape), {1: get_phase("Ni")}, step=(2.5, 2.5), unit="nm")
    if (format_, shape) == ("orix", (1, 1)):
        with pytest.raises(ValueError, match="single point"):
            run(export_map(made, tmp_path / "out.h5", "orix"))
        return
    run(export_map(made, tmp_path / NAMED[format_], format_))
    assert open_map(tmp_path / NAMED[format_]).shape == shape


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_indexed(tmp_path, format_):
    made = OrientationMap(quaternions((3, 3)), {1: get_phase("Ni")}, np.full((3, 3), -1))
    report = run(export_map(made, tmp_path / NAMED[format_], format_))
    assert (report.indexed, open_map(tmp_path / NAMED[format_]).indexed.any()) == (0, False)


# --- properties and what is lost -----------------------------------------------------------------


def test_properties_go_where_there_is_room_and_the_report_says_so(tmp_path):
    shape = (5, 7)
    r = np.linspace(0, 60, 35).reshape(shape)
    r[0, 1] = -1
    made = two_phases(shape, properties={
        "Q": np.linspace(0, 0.9, 35).reshape(shape), "R": r, "NCC": np.ones(shape)})  # fmt: skip
    run(export_map(made, tmp_path / "a.ang", "astar"))
    again = open_map(tmp_path / "a.ang")
    np.testing.assert_allclose(again.properties["Q"], made.properties["Q"], atol=6e-4)
    np.testing.assert_allclose(again.properties["R"], np.where(r < 0, -1, r), atol=0.051)
    report = run(export_map(made, tmp_path / "t.ang", "ang"))
    again = open_map(tmp_path / "t.ang")
    ci = again.properties["CI"]
    assert (ci[~made.indexed] == -1).all()
    assert ci[0, 1] == 0  # indexed, though its reliability is undefined
    sure = made.indexed & (r >= 0)
    np.testing.assert_allclose(ci[sure], r[sure] / 100, atol=6e-4)
    rows = np.loadtxt(tmp_path / "t.ang", comments="#")
    lost = ~made.indexed.ravel()
    # EDAX's signs of a point without an answer: 4 pi, phase 0
    np.testing.assert_allclose(rows[lost, :3], 4 * np.pi, atol=1e-5)
    assert (rows[:, 7] == 0).tolist() == lost.tolist()
    assert "R is written as a fraction in the column CI" in report.notes
    assert "Q is written in the column IQ" in report.notes
    assert "no column for NCC" in report.lost
    assert report.summary()["lost"] == list(report.lost)
    assert what_is_lost(made, "ang") == (list(report.notes), list(report.lost))


def test_what_has_no_room_is_said(tmp_path):
    done = np.ones((5, 7), bool)
    done[4] = False
    made = two_phases(done=done, periodic=(True, True), frame=FRAMES["y up"][0])
    for format_ in (*TEXT, "orix"):
        said = " | ".join(run(export_map(made, tmp_path / NAMED[format_], format_)).lost)
        assert "7 points that are not done" in said
        assert "periodic" in said
        assert "axes of the original file were" in said
    run(export_map(made, tmp_path / "all.h5", "h5"))
    again = load_map(tmp_path / "all.h5")
    assert (again.done == done).all()
    assert again.periodic == (True, True)


def test_numbers_that_are_none_are_counted(tmp_path):
    bc = np.full((5, 7), 100.0)
    bc[2, :3] = np.nan
    report = run(export_map(two_phases(properties={"BC": bc}), tmp_path / "o.ctf", "ctf"))
    assert "BC: 0 at 3 points without a number" in report.notes


def test_a_volume_gives_one_section(tmp_path):
    flat = two_phases()
    pile = OrientationMap(
        np.stack([quaternions((5, 7), 3), flat.quaternions]), flat.phases,
        np.stack([flat.phase_id, flat.phase_id]), step=(0.5, 0.4, 0.25),
    )  # fmt: skip
    with pytest.raises(ValueError, match="one section: choose one from 0 to 1, or h5"):
        run(export_map(pile, tmp_path / "o.ang", "ang"))
    report = run(export_map(pile, tmp_path / "o.ang", "ang", section=1))
    assert "only section 1 of 2, at z = 0.5 um" in report.lost[0]
    again = open_map(tmp_path / "o.ang")
    assert turns(again.quaternions, flat.quaternions)[flat.indexed].max() < 0.001
    run(export_map(pile, tmp_path / "o.h5", "h5"))
    assert load_map(tmp_path / "o.h5").shape == (2, 5, 7)


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_", "settings", "words"),
    [
        ("damask", {}, "for maps there are ang, astar, ctf, orix, h5"),
        ("xyz", {}, "no export format is called 'xyz'"),
        ("ang", {"frame": "upside down"}, "choose one of"),
        ("ang", {"frame": (0, 0, 0, 0)}, "quaternion of four numbers"),
        ("ang", {"crystal_axes": "b"}, "choose one of"),
        ("h5", {"frame": "y up"}, "always in the map frame"),
        ("orix", {"mtex": True}, "an MTEX script goes with ang, astar, ctf"),
        ("ang", {"section": 2}, "a map has no sections"),
    ],
)
def test_wrong_choices(tmp_path, format_, settings, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        run(export_map(two_phases(), tmp_path / NAMED.get(format_, "o.x"), format_, **settings))
    assert not list(tmp_path.iterdir())


def test_wrong_places(tmp_path):
    made = two_phases()
    with pytest.raises(UnreadableFile, match=r"Let the name end in \.ang"):
        run(export_map(made, tmp_path / "o.txt", "ang"))
    with pytest.raises(UnreadableFile, match="folder that does not exist"):
        run(export_map(made, tmp_path / "gone" / "o.ang", "ang"))
    run(save_map(made, tmp_path / "own.h5"))
    opened = load_map(tmp_path / "own.h5")
    opened.source = str(tmp_path / "own.h5")
    with pytest.raises(UnreadableFile, match="is the file that the map came from"):
        run(export_map(opened, tmp_path / "own.h5", "orix"))
    with pytest.raises(UnreadableFile, match="is there already"):
        run(export_map(made, tmp_path / "own.h5", "h5", overwrite=False))
    assert SUFFIXES.keys() == FORMATS.keys()


def test_a_wrong_file_is_not_left_behind(tmp_path, monkeypatch):
    """One angle in the file is changed on its way: the export says how many points differ."""
    right = export_text._WRITERS["ctf"]

    def wrong(rows):
        header, table, row, newline = right(rows)
        table[1, 6] += 1
        table[8, 5] += 2
        return header, table, row, newline

    monkeypatch.setitem(export_text._WRITERS, "ctf", wrong)
    (tmp_path / "o.ctf").write_text("before")
    with pytest.raises(UnreadableFile, match="read back, it has 2 points turned by up to"):
        run(export_map(two_phases(), tmp_path / "o.ctf", "ctf"))
    assert [p.name for p in tmp_path.iterdir()] == ["o.ctf"]
    assert (tmp_path / "o.ctf").read_text() == "before"


def test_a_stopped_export_leaves_nothing(tmp_path):
    job = export_map(two_phases(), tmp_path / "o.ang", "ang")
    next(job)
    job.close()
    assert not list(tmp_path.iterdir())
    assert export.FORMATS["ang"] == "EDAX TSL .ang"


# --- MTEX ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", TEXT)
def test_mtex_script(tmp_path, format_):
    path = tmp_path / f"run 3.{NAMED[format_][-3:]}"
    report = run(
        export_map(two_phases(), path, format_, frame="y up", crystal_axes="a*", mtex=True)
    )
    assert report.script.endswith("run_3_mtex.m")
    script = (tmp_path / "run_3_mtex.m").read_text()
    assert "UNTESTED" in script
    assert "crystalSymmetry('-3m', [2.878 2.878 14.19], [90 90 120]*degree, 'X||a*'" in script
    assert "crystalSymmetry('m-3m', [3.5238 3.5238 3.5238], [90 90 90]*degree, 'X||a'" in script
    assert "rotation(quaternion(0, 1, 0, 0)), 'keepXY')" in script
    assert "'run 3." in script
    assert ("'degree'" in script) == (format_ == "ctf")
    skip = int(re.search(r"'header', (\d+)", script)[1])
    first = path.read_text().splitlines()[skip]
    columns = re.search(r"'ColumnNames', \{(.*)\}", script)[1].split(", ")
    assert len(first.split()) == len(columns)
    assert not first.startswith(("#", "Phase"))
    run(export_map(two_phases(), path, format_, mtex=True))
    assert "nothing is turned" in (tmp_path / "run_3_mtex.m").read_text()
