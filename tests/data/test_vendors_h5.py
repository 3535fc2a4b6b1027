"""Maps in vendors' HDF5 files: real ones, and written ones where none is at hand."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest

from napari_orient.analysis.frames import check_frame
from napari_orient.data.vendors.hexgrid import resample_hexagonal
from napari_orient.data.vendors.open import open_map, sniff_map
from napari_orient.data.vendors.vendors_h5 import find_maps
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

EULER = np.radians((40.0, 50.0, 60.0))


def put(group, **values):
    for name, value in values.items():
        name = name.replace("_", " ")
        group[name] = np.array([value.encode()]) if isinstance(value, str) else np.atleast_1d(value)


def write_edax(path, scans=("Scan_1",), shape=(3, 4), setting=2, grid="SqrGrid", phases=1):
    high, wide = shape
    y, x = np.indices(shape).reshape(2, -1) * 0.5
    if grid == "HexGrid":
        y = y * np.sqrt(0.75)
        x = x + np.where(np.indices(shape)[0].ravel() % 2, 0.25, 0.0)
    n = high * wide
    with h5py.File(path, "w") as file:
        file["Manufacturer"] = np.array([b"EDAX"])
        for name in scans:
            data = file.create_group(f"{name}/EBSD/Data")
            data["Phi1"], data["Phi"], data["Phi2"] = (np.full(n, v, np.float32) for v in EULER)
            data["X Position"], data["Y Position"] = x.astype("f4"), y.astype("f4")
            data["CI"] = np.where(np.arange(n) == 1, -1, 0.5).astype("f4")
            data["IQ"] = np.arange(n, dtype="f4")
            data["Valid"] = (np.arange(n) == 2).astype("i1")
            data["Phase"] = (np.arange(n) % 2 + 1 if phases > 1 else np.zeros(n)).astype("i1")
            data["Pattern"] = np.zeros((n, 4, 4), np.uint8)
            header = file.create_group(f"{name}/EBSD/Header")
            put(header, nRows=high, nColumns=wide, Step_X=0.5, Step_Y=y[wide] if high > 1 else 0.5)
            put(header, Grid_Type=grid)
            if setting:
                header["Coordinate System/ID"] = np.array([setting])
            for number in range(1, phases + 1):
                phase = header.create_group(f"Phase/{number}")
                put(phase, MaterialName=f"Stuff {number}", Symmetry=43 if number == 1 else 62)
                for key, value in zip("a b c alpha beta gamma".split(), (3, 3, 5), strict=False):
                    phase[f"Lattice Constant {key}"] = np.array([3.0 if number == 1 else value])
                angles = (90, 90, 90 if number == 1 else 120)
                for key, value in zip(("alpha", "beta", "gamma"), angles, strict=True):
                    phase[f"Lattice Constant {key}"] = np.array([float(value)])
    return path


# --- EDAX ----------------------------------------------------------------------------------------


def test_nickel(shared_data):
    path = shared_data / "ni_edax" / "EdaxAngOnly.h5"
    assert sniff_map(path)
    made = open_map(path)
    facts = made.summary()
    assert facts["shape"] == [151, 186]
    assert (facts["step"], facts["unit"]) == ([1.5, 1.5], "um")
    (phase,) = facts["phases"]
    assert (phase["name"], phase["laue_group"], phase["points"]) == ("Nickel", "m-3m", 28086)
    assert phase["lattice"] == [3.56, 3.56, 3.56, 90, 90, 90]
    strips = ["PRIAS Bottom Strip", "PRIAS Center Square", "PRIAS Top Strip"]
    assert facts["properties"] == ["CI", "IQ", *strips, "SEM", "fit"]
    assert facts["indexed_fraction"] == 1.0
    assert made.properties["CI"][0, :2] == pytest.approx((0.333, 0.619))
    expected = np.degrees((4.0124, 0.94030994, 5.56448))
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 0], expected, atol=1e-3)


def test_the_setting_in_the_file_fits_the_twins_of_nickel(shared_data):
    path = shared_data / "ni_edax" / "EdaxAngOnly.h5"  # setting 2
    made = open_map(path)
    assert made.frame_note.startswith("Euler axes: x up, y left")
    check = run(check_frame(made))
    default = check.ranking[0]
    assert default.is_current
    assert check.pairs > 2000
    assert default.pairs / check.pairs > 0.9
    assert default.share > 0.85
    for frame, most in (("x left, y down", 0.01), ("y up", 0.01), ("as is", 0.2)):
        assert check.find(frame, "a").share < most


@pytest.mark.parametrize(
    ("setting", "words"),
    [(1, "x down, y right"), (2, "x up, y left"), (3, "x left, y down"), (4, "x right, y up"),
     (0, "x down, y right")],
)  # fmt: skip
def test_settings(tmp_path, setting, words):
    made = open_map(write_edax(tmp_path / "map.h5", setting=setting))
    assert made.frame_note.startswith(f"Euler axes: {words}, z out of the page")
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 0], np.degrees(EULER), atol=1e-4)


def test_what_is_not_indexed(tmp_path):
    made = open_map(write_edax(tmp_path / "map.h5", phases=2))
    assert made.phase_id.tolist() == [[1, -1, -1, 2], [1, 2, 1, 2], [1, 2, 1, 2]]
    assert made.quaternions[0, 1].tolist() == [1, 0, 0, 0]
    assert [p.point_group.laue.name for p in made.phases.values()] == ["m-3m", "6/mmm"]
    assert sorted(made.properties) == ["CI", "IQ"]


def test_points_without_a_position(tmp_path):
    path = write_edax(tmp_path / "map.h5")
    with h5py.File(path, "r+") as file:
        data = file["Scan_1/EBSD/Data"]
        data["X Position"][2] = data["Y Position"][2] = -1111111.0
    made = open_map(path)
    assert made.shape == (3, 4)
    assert made.phase_id[0].tolist() == [1, -1, -1, 1]


def test_several_maps_in_a_file(tmp_path):
    path = write_edax(tmp_path / "map.h5", scans=("Area 1/Scan_1", "Area 1/Scan_2"))
    first = open_map(path)
    assert "The first of 2 maps" in first.frame_note
    assert "map.h5::/Area 1/Scan_2" in first.frame_note
    named = f"{path}::/Area 1/Scan_2"
    assert sniff_map(named)
    assert "of 2 maps" not in open_map(named).frame_note
    assert not sniff_map(f"{path}::/Area 1/Scan_2/EBSD/Data/Pattern")  # a scan, perhaps
    with pytest.raises(UnreadableFile, match=r"Scan_7; it has /Area 1/Scan_1"):
        open_map(f"{path}::/Scan_7")


def test_a_file_of_many_groups_is_sniffed_quickly(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        for number in range(2000):
            file.create_group(f"frame {number}/a")
    looked = []
    with h5py.File(path, "r") as file:
        real = h5py.Group.__getitem__
        h5py.Group.__getitem__ = lambda self, name: looked.append(name) or real(self, name)
        try:
            assert find_maps(file) == {}
        finally:
            h5py.Group.__getitem__ = real
    assert len(looked) < 1000


def test_hexagonal_grid(tmp_path):
    made = open_map(write_edax(tmp_path / "map.h5", shape=(9, 12), grid="HexGrid"))
    pitch = 0.5 * np.sqrt(0.75)
    assert made.step == pytest.approx((pitch, pitch))
    assert made.shape == (9, 14)  # 5.75 um wide
    assert made.done.all()
    taken = made.properties["IQ"]
    assert set(taken.ravel()) == set(range(108))  # each measured point is there
    assert taken[0].tolist() == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11]
    assert "resampled" in made.frame_note
    assert "resampled" in open_map(tmp_path / "map.h5", frame="as is").frame_note


def test_hexagonal_points_in_any_order():
    rng = np.random.default_rng(1)
    rows, places = np.indices((20, 30)).reshape(2, -1)
    x, y = (places + 0.5 * (rows % 2)) * 2.0, rows * 2.0 * np.sqrt(0.75)
    order = rng.permutation(600)
    nearest, grid_x, grid_y, pitch = resample_hexagonal({"x": x[order], "y": y[order]}, 2.0)
    assert pitch == pytest.approx(np.sqrt(3))
    np.testing.assert_allclose(y[order][nearest], grid_y, atol=1e-9)  # never from another row
    assert np.abs(x[order][nearest] - grid_x).max() <= 1.0 + 1e-9  # half a step
    assert len(set(nearest.tolist())) == 600


# --- sections ------------------------------------------------------------------------------------


def test_sections_of_a_superalloy(shared_data):
    made = open_map(shared_data / "in100" / "in100_slices_1_2.h5ebsd")
    facts = made.summary()
    assert (facts["kind"], facts["shape"]) == ("volume", [2, 201, 189])
    assert (facts["step"], facts["unit"]) == ([0.25, 0.25, 0.25], "um")
    (phase,) = facts["phases"]
    assert (phase["name"], phase["laue_group"]) == ("Nickel", "m-3m")
    assert facts["properties"] == ["CI", "IQ", "SEM", "fit"]
    assert [int(np.sum(s)) for s in ~made.indexed] == [6926, 7043]  # the border
    assert not made.indexed[:, 0].any()
    assert facts["indexed_fraction"] == pytest.approx(0.8161, abs=1e-4)
    assert "High To Low) is not applied" in facts["frame_note"]
    text = open_map(shared_data / "in100" / "in100_slice1_shuffled.ang")
    same = np.abs(np.sum(made.quaternions[0] * text.quaternions, axis=-1))[text.done]
    assert same.min() > 1 - 1e-9
    np.testing.assert_array_equal(made.phase_id[0][text.done], text.phase_id[text.done])


def write_sections(path, shapes=((3, 4), (5, 4)), numbers=(9, 10), gap=2.0):
    with h5py.File(path, "w") as file:
        put(file, Index=np.array(numbers), Manufacturer="HKL", Z_Resolution=gap)
        file["Stacking Order"] = np.array([0], np.uint32)
        file["Stacking Order"].attrs["Name"] = np.bytes_(b"Low To High")
        for number, (high, wide) in zip(numbers, shapes, strict=True):
            n = high * wide
            data, header = (file.create_group(f"{number}/{name}") for name in ("Data", "Header"))
            y, x = np.indices((high, wide)).reshape(2, -1)
            put(data, X=x * 1.0, Y=y * 1.0, Phase=np.arange(n) % 2, BC=np.full(n, number))
            put(data, Euler1=np.full(n, 40.0), Euler2=np.full(n, 50.0), Euler3=np.full(n, 60.0))
            put(header, XCells=wide, YCells=high, XStep=1.0, YStep=1.0)
            phase = header.create_group("Phases/1")
            put(phase, LatticeConstants=np.array([3.0, 3, 3, 90, 90, 90]), PhaseName="Al")
            put(phase, LaueGroup=11, SpaceGroup=225)
    return path


def test_sections_of_oxford_and_of_different_size(tmp_path):
    made = open_map(write_sections(tmp_path / "v.h5ebsd"))
    assert made.shape == (2, 5, 4)
    assert made.step == (2, 1, 1)
    assert made.done[0].all(axis=1).tolist() == [False, True, True, True, False]
    assert made.done[1].all()
    assert set(made.properties["BC"][0][made.done[0]]) == {9}  # 9 before 10
    assert made.phase_id[0, 1].tolist() == [-1, 1, -1, 1]
    np.testing.assert_allclose(made.euler_degrees("vendor")[1, 0, 1], (40, 50, 60), atol=1e-6)


def test_one_section_is_a_map(tmp_path):
    made = open_map(write_sections(tmp_path / "v.h5ebsd", ((3, 4),), (1,)))
    assert made.shape == (3, 4)


# --- Oxford, Bruker, EMsoft ----------------------------------------------------------------------


def write_oina(path, shape=(2, 3)):
    high, wide = shape
    n = high * wide
    with h5py.File(path, "w") as file:
        put(file, Manufacturer="Oxford Instruments", Format_Version="5.0", Index="1")
        data, header = (file.create_group(f"1/EBSD/{name}") for name in ("Data", "Header"))
        y, x = np.indices(shape).reshape(2, -1) * 0.3
        put(data, X=x.astype("f4"), Y=y.astype("f4"), Band_Contrast=np.arange(n, dtype="u1"))
        data["Euler"] = np.tile(EULER, (n, 1)).astype("f4")
        data["Phase"] = np.array([1, 2, 0, 1, 2, 2], np.uint8)[:n]
        put(data, Mean_Angular_Deviation=np.full(n, np.radians(0.7), "f4"))
        data["Processed Patterns"] = np.zeros((n, 4, 4), np.uint8)
        put(header, X_Cells=wide, Y_Cells=high, X_Step=0.3, Y_Step=0.3)
        header["Specimen Orientation Euler"] = np.radians([[0.0, 90.0, 0.0]])
        cells = {1: ((2.87,) * 3, 90, 11, 229, "Iron"), 2: ((3, 3, 5), 120, 9, 194, "Titanium")}
        for number, (lengths, gamma, laue, space, name) in cells.items():
            phase = header.create_group(f"Phases/{number}")
            phase["Lattice Dimensions"] = np.array([lengths], "f4")
            phase["Lattice Angles"] = np.radians([[90, 90, gamma]]).astype("f4")
            put(phase, Laue_Group=laue, Space_Group=space, Phase_Name=name)
    return path


def test_oina(tmp_path):
    made = open_map(write_oina(tmp_path / "map.h5oina"))
    assert made.shape == (2, 3)
    assert made.step == pytest.approx((0.3, 0.3))
    assert made.phase_id.tolist() == [[1, 2, -1], [1, 2, 2]]
    facts = made.summary()["phases"]
    assert [p["laue_group"] for p in facts] == ["m-3m", "6/mmm"]
    assert facts[1]["lattice"] == [3, 3, 5, 90, 90, 120]
    assert sorted(made.properties) == ["BC", "MAD"]
    np.testing.assert_allclose(made.properties["MAD"], 0.7, atol=1e-6)
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 1], (40, 50, 60), atol=1e-4)
    assert (made.frame, made.crystal_axes) == ((0, 1, 0, 0), "a*")
    assert "(0, 90, 0) degrees is not applied" in made.frame_note


def write_bruker(path, identity=5):
    """A region of 2 x 3 points in the middle of a scan, rows in the order of measurement."""
    rows, places = np.array([7, 7, 7, 6, 6, 6]), np.array([2, 3, 4, 4, 3, 2])
    with h5py.File(path, "w") as file:
        put(file, Manufacturer="Bruker Nano", Version="Esprit 2.X")
        data, header = (file.create_group(f"Scan 0/EBSD/{name}") for name in ("Data", "Header"))
        put(data, phi1=np.full(6, 40.0), PHI=np.full(6, 50.0), phi2=np.full(6, 60.0))
        put(data, Phase=np.array([1, 1, 0, 1, 1, 1]), MAD=np.arange(6.0))
        put(header, NROWS=20, NCOLS=30, XSTEP=1.5, YSTEP=1.5, Grid_Type="isometric")
        header["Coordinate Systems/ID"] = np.array([identity])
        phase = header.create_group("Phases/1")
        put(phase, LatticeConstants=np.array([3.5, 3.5, 3.5, 90, 90, 90]), Name="Ni", IT=225)
        put(file.create_group("Scan 0/SEM"), IY=rows, IX=places)
    return path


def test_bruker(tmp_path):
    made = open_map(write_bruker(tmp_path / "map.h5"))
    assert made.shape == (2, 3)
    assert made.step == (1.5, 1.5)
    assert made.properties["MAD"].tolist() == [[5, 4, 3], [0, 1, 2]]
    assert made.phase_id.tolist() == [[1, 1, 1], [1, 1, -1]]
    assert made.phases[1].point_group.laue.name == "m-3m"
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 0], (40, 50, 60), atol=1e-6)
    assert made.frame_note.startswith("Euler axes: x left, y down")
    other = open_map(write_bruker(tmp_path / "other.h5", identity=1))
    assert other.frame_note.startswith("Euler axes are the map's")


def write_emsoft(path, refined=False):
    n, shape = 6, (2, 3)
    with h5py.File(path, "w") as file:
        put(file, Manufacturer="EMEBSDDictionaryIndexing.f90")
        put(file.create_group("NMLparameters/EBSDIndexingNameListType"), nnk=2)
        data, header = (file.create_group(f"Scan 1/EBSD/{name}") for name in ("Data", "Header"))
        y, x = np.indices(shape).reshape(2, -1) * 1.5
        put(data, X_Position=x, Y_Position=y, Phase=np.zeros(n, np.uint8), CI=np.arange(6.0))
        data["FZcnt"] = np.array([3])
        data["DictionaryEulerAngles"] = np.array([(0, 10, 20), (40, 50, 60), (70, 80, 90.0)])
        data["TopMatchIndices"] = np.array([(2, 1), (3, 1), (2, 3), (2, 1), (2, 1), (1, 2)])
        data["TopDotProductList"] = np.linspace(1, 0.5, 12).reshape(6, 2)
        if refined:
            data["RefinedEulerAngles"] = np.tile(EULER + 0.01, (n, 1))
        put(header, nRows=2, nColumns=3, Step_X=1.5, Step_Y=1.5)
        phase = header.create_group("Phase/1")
        put(phase, MaterialName="ni/ni.xtal", Point_Group="Cubic (Oh) [m-3m]")
        cell = {"a": 3, "b": 3, "c": 3, "alpha": 90, "beta": 90, "gamma": 90}
        for name, value in cell.items():
            phase[f"Lattice Constant {name}"] = np.array([float(value)])
    return path


def test_emsoft(tmp_path):
    made = open_map(write_emsoft(tmp_path / "map.h5"))
    assert made.shape == (2, 3)
    assert made.step == (1.5, 1.5)
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 0], (40, 50, 60), atol=1e-6)
    np.testing.assert_allclose(made.euler_degrees("vendor")[0, 1], (70, 80, 90), atol=1e-6)
    assert made.properties["TopDotProductList"][0, 0] == 1
    (phase,) = made.summary()["phases"]
    assert (phase["laue_group"], phase["points"]) == ("m-3m", 6)
    assert "not refined" in made.frame_note
    refined = open_map(write_emsoft(tmp_path / "refined.h5", refined=True))
    expected = np.degrees(EULER + 0.01)
    np.testing.assert_allclose(refined.euler_degrees("vendor")[1, 2], expected, atol=1e-6)


# --- bad files -----------------------------------------------------------------------------------

WRITERS = {
    "edax.h5": write_edax, "oxford.h5oina": write_oina, "bruker.h5": write_bruker,
    "emsoft.h5": write_emsoft, "sections.h5ebsd": write_sections,
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_a_wrong_choice_is_not_called_a_damaged_file(tmp_path, name):
    path = WRITERS[name](tmp_path / name)
    with pytest.raises(ValueError, match="choose one of"):
        open_map(path, frame="upside down")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("part", ["Header", "Phase", "X", "phi"])
def test_something_lacks(tmp_path, name, part):
    """Whatever lacks, the message names the file; what is not needed may lack."""
    path = WRITERS[name](tmp_path / name)
    gone = []
    with h5py.File(path, "r+") as file:
        file.visit(lambda n: gone.append(n) if n.rsplit("/", 1)[-1].startswith(part) else None)
        for one in gone:
            if one in file:
                del file[one]
    needed = part != "phi" or name == "bruker.h5"
    if needed:
        with pytest.raises(UnreadableFile, match=re.escape(name)):
            open_map(path)
    else:
        assert open_map(path).indexed.any()


@pytest.mark.parametrize("name", WRITERS)
def test_a_truncated_file(tmp_path, name):
    path = WRITERS[name](tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableFile, match=r"truncated|cannot be opened") as caught:
        open_map(path)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["a.h5ebsd", "a.h5oina", "a.oh5"])
def test_text_with_such_a_name(tmp_path, name):
    (tmp_path / name).write_text("dear diary")
    assert sniff_map(tmp_path / name)
    with pytest.raises(UnreadableFile, match="not an HDF5 file"):
        open_map(tmp_path / name)


def test_wrong_contents(tmp_path):
    path = write_edax(tmp_path / "map.h5")
    with h5py.File(path, "r+") as file:
        file["Scan_1/EBSD/Header/nRows"][...] = 0
    with pytest.raises(UnreadableFile, match="grid of size"):
        open_map(path)
    path = write_edax(tmp_path / "nan.h5")
    with h5py.File(path, "r+") as file:
        file["Scan_1/EBSD/Data/Phi"][5] = np.nan
    with pytest.raises(UnreadableFile, match="NaN"):
        open_map(path)
    path = write_edax(tmp_path / "more.h5", phases=2)
    with h5py.File(path, "r+") as file:
        file["Scan_1/EBSD/Data/Phase"][5] = 7
    with pytest.raises(UnreadableFile, match="phase"):
        open_map(path)
    path = write_sections(tmp_path / "gap.h5ebsd", gap=0.0)
    with pytest.raises(UnreadableFile, match="no distance"):
        open_map(path)
