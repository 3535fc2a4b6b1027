"""Solver decks: what a program reads from them is the volume, in the same frame."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_orient.cli import main
from napari_orient.crystal.rotations import conjugate, from_matrix, rotate, to_matrix
from napari_orient.data.maps import OrientationMap, save_map
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run
from napari_orient.reconstruction.decks import write
from napari_orient.reconstruction.decks.abaqus import pairs
from napari_orient.reconstruction.decks.abaqus_read import read_inp
from napari_orient.reconstruction.decks.damask import damask_quaternions, plan, write_damask
from napari_orient.reconstruction.decks.image_data import read_image_data, write_image_data
from napari_orient.reconstruction.decks.metals import lattice_of, load_metals, metal_of
from napari_orient.reconstruction.decks.volume import deck_volume
from napari_orient.reconstruction.decks.write import export_deck
from napari_orient.samples import polycrystal_map


@pytest.fixture(scope="module")
def volume():
    """8 x 9 x 10 voxels of magnesium, with grains across the borders; ids 3, 6, 9 ..."""
    made = polycrystal_map((8, 9, 10), 12, phase="Mg", periodic=True, step=0.5)
    made.properties["grain"] = 3 * made.properties["grain"] + 3
    made.step = (0.25, 0.5, 1.0)
    return made


def rows_of(volume):
    """Grain number -> crystal axes (rows) in the frame of the map, by orix."""
    from orix.quaternion import Rotation

    labels, first = np.unique(volume.properties["grain"], return_index=True)
    q = volume.quaternions.reshape(-1, 4)[first]
    # the lab components of a crystal axis: the inverse of lab2crystal acts on it
    axes = [(~Rotation(q) * vector).data for vector in _unit_vectors()]
    return dict(zip(labels.tolist(), np.stack(axes, axis=1), strict=True))


def _unit_vectors():
    from orix.vector import Vector3d

    return Vector3d.xvector(), Vector3d.yvector(), Vector3d.zvector()


def damask_matrix(q):
    """Matrix of a DAMASK quaternion: Rowenhorst et al. (2015), eq. A.17 with P = -1."""
    w, x, y, z = q
    p = -1
    bar = w * w - x * x - y * y - z * z
    return np.array([
        [bar + 2 * x * x, 2 * (x * y - p * w * z), 2 * (x * z + p * w * y)],
        [2 * (x * y + p * w * z), bar + 2 * y * y, 2 * (y * z - p * w * x)],
        [2 * (x * z - p * w * y), 2 * (y * z + p * w * x), bar + 2 * z * z],
    ])  # fmt: skip


def test_damask_deck_is_the_volume(volume, tmp_path):
    import yaml

    report = run(export_deck(volume, tmp_path / "deck", "damask"))
    image = read_image_data(tmp_path / "deck" / "geom.vti")
    config = yaml.safe_load((tmp_path / "deck" / "material.yaml").read_text())
    axes = list(rows_of(volume).items())
    assert image.cells == (10, 9, 8)
    assert np.allclose(image.spacing, (1e-6, 0.5e-6, 0.25e-6), rtol=1e-12)
    material = image.arrays["material"]
    labels = volume.properties["grain"]
    assert (material.min(), material.max()) == (0, len(axes) - 1)
    assert (np.array([number for number, _ in axes])[material] == labels).all()
    for (_, wanted), entry in zip(axes, config["material"], strict=True):
        (constituent,) = entry["constituents"]
        assert np.allclose(damask_matrix(constituent["O"]), wanted, atol=1e-6)
        assert (entry["homogenization"], constituent["phase"], constituent["v"]) == ("SX", "Mg", 1)
    phase = config["phase"]["Mg"]
    assert (phase["lattice"], phase["c/a"]) == ("hP", pytest.approx(5.2108 / 3.2094))
    assert len(phase["mechanical"]["plastic"]["h_sl-sl"]) == 69
    assert report.summary()["largest"] <= 1e-6
    assert report.grains == len(axes)


def test_damask_euler_angles_are_conjugates():
    from orix.quaternion import Rotation

    q = Rotation.from_euler([30, 40, 50], degrees=True).data[0]
    bunge = to_matrix(q)  # Bunge (1982): g[2] = (sin phi1 sin Phi, -cos phi1 sin Phi, cos Phi)
    assert np.allclose(bunge[2], (0.3213938, -0.5566704, 0.7660444), atol=1e-7)
    assert np.allclose(damask_matrix(damask_quaternions(q)), bunge, atol=1e-12)
    assert not np.allclose(damask_matrix(q), bunge, atol=0.1)
    assert np.allclose(damask_quaternions(damask_quaternions(q)), q)
    assert np.allclose(damask_quaternions(q), conjugate(q))


def test_dream3d_deck_is_the_volume(volume, tmp_path):
    import h5py
    from orix.quaternion import Rotation

    run(export_deck(volume, tmp_path / "a.dream3d", "dream3d"))
    with h5py.File(tmp_path / "a.dream3d") as file:
        assert file.attrs["FileVersion"] == b"8.0"
        image = file["DataStructure/DataContainer"]
        assert image.attrs["_DIMENSIONS"].tolist() == [10, 9, 8]
        assert image.attrs["_SPACING"].tolist() == [1.0, 0.5, 0.25]
        assert image.attrs["Cell Data ID"] == image["CellData"].attrs["ObjectId"]
        numbers, kinds = [], []
        file["DataStructure"].visititems(lambda _, o: numbers.append(o.attrs["ObjectId"][0]))
        file["DataStructure"].visititems(lambda _, o: kinds.append(o.attrs["ObjectType"]))
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
        assert file["DataStructure"].attrs["NextObjectId"] == len(numbers) + 1
        assert b"DataArray<float32>" in kinds
        ids = image["CellData/FeatureIds"][..., 0]
        own = image["CellFeatureData/GrainNumbers"][:, 0]
        assert (own[ids] == volume.properties["grain"]).all()
        assert image["CellEnsembleData/CrystalStructures"][:, 0].tolist() == [999, 0]
        euler = image["CellData/EulerAngles"][()].astype(float)
    read = Rotation.from_euler(euler.reshape(-1, 3)).to_matrix()  # Bunge, radians, lab2crystal
    wanted = Rotation(volume.quaternions.reshape(-1, 4)).to_matrix()
    assert np.abs(read - wanted).max() < 1e-6
    assert "a.dream3d:/DataStructure/DataContainer" in (tmp_path / "a.xdmf").read_text()


@pytest.mark.parametrize(("units", "length"), [("mm", 1e-3), ("m", 1.0), ("um", 1e-6)])
def test_abaqus_deck_is_the_volume(volume, tmp_path, units, length):
    report = run(export_deck(volume, tmp_path / "a.inp", "abaqus", units=units))
    deck = read_inp(tmp_path / "a.inp")
    labels = volume.properties["grain"]
    axes = rows_of(volume)
    place = deck.nodes[:, 1:][deck.elements[:, 1:] - 1]
    edges = np.stack([place[:, 1], place[:, 3], place[:, 4]], 1) - place[:, :1]
    assert np.allclose(np.linalg.det(edges), 0.125e-18 / length**3, rtol=1e-6)  # none inside out
    centre = place.mean(1) * length / (1e-6, 0.5e-6, 0.25e-6)
    x, y, z = (centre - 0.5).round().astype(int).T
    at = dict(zip(deck.elements[:, 0].tolist(), labels[z, y, x].tolist(), strict=True))
    assert sum(map(len, (deck.element_sets[f"GRAIN_{n}"] for n in axes))) == labels.size
    for number, wanted in axes.items():
        members = deck.element_sets[f"GRAIN_{number}"].tolist()
        assert {at[m] for m in members} == {number}
        a, b = deck.orientations[deck.sections[f"GRAIN_{number}"]]
        assert np.allclose((a, b), wanted[:2], atol=1e-6)
    assert report.unit.startswith(units)


def test_abaqus_faces_follow_each_other(volume, tmp_path):
    run(export_deck(volume, tmp_path / "a.inp", "abaqus"))
    deck = read_inp(tmp_path / "a.inp")
    place = {int(n): p for n, *p in deck.nodes}
    size = np.array([10, 4.5, 2.0]) * 1e-3
    reference = {int(deck.node_sets[f"REF_{a}"][0]): i for i, a in enumerate("XYZ")}
    # a uniform deformation meets each equation, and no node that depends is used by another
    gradient = np.random.default_rng(0).normal(size=(3, 3))
    move = {n: gradient @ np.array(p) for n, p in place.items()}
    move |= {n: gradient[:, i] * size[i] for n, i in reference.items()}
    dependent = {(e[0][0], e[0][1]) for e in deck.equations}
    assert len(dependent) == len(deck.equations) == 3 * (11 * 10 * 9 - 10 * 9 * 8)
    for equation in deck.equations:
        assert abs(sum(f * move[n][d - 1] for n, d, f in equation)) < 1e-12
        assert not dependent & {(n, d) for n, d, _ in equation[1:]}
    far, image, along = pairs(deck_volume(volume))
    assert len(far) == len(set(far.tolist()))
    assert not set(far.tolist()) & set(image.tolist())
    assert along.any(1).all()


def test_vti_holds_the_fields(volume, tmp_path):
    from napari_orient.crystal.colors import ipf_image

    run(export_deck(volume, tmp_path / "a.vti", "vti"))
    image = read_image_data(tmp_path / "a.vti")
    assert np.array_equal(image.arrays["quaternion"], volume.quaternions)
    assert np.array_equal(image.arrays["grain"], volume.properties["grain"])
    assert np.array_equal(image.arrays["ipf_y"], ipf_image(volume, "Y")[..., :3])
    assert image.spacing == (1.0, 0.5, 0.25)
    assert "Lengths in um" in image.comments[0]


@pytest.mark.parametrize("phase", ["Mg", "LiNiO2"])
def test_plates_keep_their_angle(phase, tmp_path):
    """Plates across a tilted direction, c along it, a in a known direction: the same in all."""
    from napari_orient.crystal.phases import get_phase

    normal = np.array([1.0, 2.0, 2.0]) / 3
    a = np.array([2.0, 1.0, -2.0]) / 3
    matrix = np.stack([a, np.cross(normal, a), normal])  # rows: e1 || a, e2, e3 || c
    z, y, x = np.indices((8, 8, 8))
    plate = ((np.stack([x, y, z], -1) @ normal) // 2 % 2).astype(np.int32)
    tilted = np.stack([matrix, matrix @ [[0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    volume = OrientationMap(
        from_matrix(tilted)[plate], {0: get_phase(phase)}, step=(1, 1, 1),
        properties={"grain": plate + 1},
    )  # fmt: skip
    run(export_deck(volume, tmp_path / "a.inp", "abaqus"))
    a_vector, b_vector = read_inp(tmp_path / "a.inp").orientations["ORI_1"]
    assert np.allclose(np.cross(a_vector, b_vector), normal, atol=1e-6)
    assert np.allclose(a_vector, a, atol=1e-6)
    run(export_deck(volume, tmp_path / "a.dream3d", "dream3d"))
    import h5py

    with h5py.File(tmp_path / "a.dream3d") as file:
        phi1, tilt, _ = file["DataStructure/DataContainer/CellFeatureData/EulerAngles"][1]
    c_axis = (np.sin(phi1) * np.sin(tilt), -np.cos(phi1) * np.sin(tilt), np.cos(tilt))
    assert np.allclose(c_axis, normal, atol=1e-6)
    if phase == "Mg":
        import yaml

        run(export_deck(volume, tmp_path / "d", "damask"))
        config = yaml.safe_load((tmp_path / "d" / "material.yaml").read_text())
        found = damask_matrix(config["material"][0]["constituents"][0]["O"])
        assert np.allclose(found, matrix, atol=1e-6)  # c along the normal, and a not a*


def test_each_voxel_its_own(volume, tmp_path):
    import yaml

    report = run(export_deck(volume, tmp_path / "d", "damask", per="voxel"))
    image = read_image_data(tmp_path / "d" / "geom.vti")
    assert np.array_equal(image.arrays["material"].ravel(), np.arange(720))
    config = yaml.safe_load((tmp_path / "d" / "material.yaml").read_text())
    last = config["material"][-1]["constituents"][0]["O"]
    wanted = to_matrix(volume.quaternions[-1, -1, -1])
    assert np.allclose(damask_matrix(last), wanted, atol=1e-12)
    assert (report.per, report.grains) == ("voxel", 720)


def test_uneven_grains_have_their_mean(volume, tmp_path):
    from napari_orient.crystal.rotations import from_axis_angle, multiply

    turned = volume.quaternions.copy()
    turn = from_axis_angle(np.array([0.0, 0, 1]), 2.0)
    half = np.indices(volume.shape).sum(0) % 2 == 1
    turned[half] = multiply(turn, turned[half])
    uneven = broken(volume, quaternions=turned)
    report = run(export_deck(uneven, tmp_path / "a.dream3d", "dream3d"))
    assert 0.9 < report.spread_deg < 1.6  # means lie between the two, by how many there are
    assert "orientations within grains" in report.notes[-1]


def test_trigonal_crystals_have_no_damask_lattice(tmp_path):
    trigonal = polycrystal_map((4, 4, 4), 3, phase="LiNiO2", periodic=True)
    with pytest.raises(ValueError, match=r"which is trigonal.*--geometry-only"):
        run(export_deck(trigonal, tmp_path / "d", "damask"))
    assert not (tmp_path / "d").exists()
    report = run(export_deck(trigonal, tmp_path / "d", "damask", geometry_only=True))
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["geom.vti"]
    assert "orientations are not in it" in report.notes[0]


def test_constants_belong_to_the_lattice():
    from orix.crystal_map import Phase

    from napari_orient.crystal.phases import get_phase

    metals = {name: metal for name, (metal, _) in load_metals().items()}
    assert {"Al", "Cu", "Ni", "Fe", "Mg", "Ti"} <= set(metals)
    for metal in metals.values():
        c = metal.elastic
        assert c["references"]
        assert c["C_11"] > abs(c["C_12"])  # Born: a crystal that is stable
        assert c["C_44"] > 0
        if metal.lattice == "hP":
            assert c["C_33"] * (c["C_11"] + c["C_12"]) > 2 * c["C_13"] ** 2
        else:
            assert c["C_11"] + 2 * c["C_12"] > 0
    for name in ("Al", "Fe", "Ti"):
        lattice = lattice_of(get_phase(name))
        assert metal_of(get_phase(name), lattice) == metals[name]
    nameless = Phase("Nickel superalloy", point_group="m-3m")
    with pytest.raises(ValueError, match=r"no space group.*--lattice cF or cI"):
        lattice_of(nameless)
    assert lattice_of(nameless, "cF") == "cF"
    with pytest.raises(ValueError, match=r"not one of .* for a cubic crystal"):
        lattice_of(nameless, "hP")
    with pytest.raises(ValueError, match="for cI, not for cF"):
        metal_of(nameless, "cF", "Fe")
    assert metal_of(nameless, "cF") is None


def test_unknown_constants_are_said(tmp_path):
    oxide = polycrystal_map((4, 4, 4), 3, phase="NiO")
    entry = plan(deck_volume(oxide))
    assert entry.phase == {
        "lattice": "cF",
        "mechanical": {
            "output": ["F", "P", "F_e", "F_p", "L_p", "O"],
            "elastic": {"type": "Hooke"},
        },
    }
    assert "the elastic constants of NiO are not known here" in entry.notes[0]
    assert "opposite faces do not match" in entry.notes[1]


def broken(volume, **changes):
    fields = {"properties": volume.properties, "step": volume.step, **changes}
    q = fields.pop("quaternions", volume.quaternions)
    return OrientationMap(q, fields.pop("phases", volume.phases), **fields)


def test_volumes_that_are_no_decks(volume):
    from napari_orient.crystal.phases import get_phase

    flat = polycrystal_map((8, 8), 4)
    q = volume.quaternions.copy()
    q[0, 0, :2] = np.nan
    done = np.ones(volume.shape, bool)
    done[2, 3, 4:7] = False
    phases = {0: get_phase("Mg"), 1: get_phase("Ni")}
    number = (np.arange(720).reshape(volume.shape) % 2).astype(np.int32)
    zero = np.where(volume.properties["grain"] < 12, 0, volume.properties["grain"])
    cases = [
        (flat, "this is a map: reconstruct one"),
        (broken(volume, properties={}), "has no grains .* --consolidate"),
        (broken(volume, quaternions=q), "orientations of 2 voxels are no rotations"),
        (broken(volume, quaternions=2 * volume.quaternions), "720 voxels are no rotations"),
        (broken(volume, done=done), "3 of 720 voxels are not indexed"),
        (broken(volume, phases=phases, phase_id=number), "one phase, and this volume has Mg, Ni"),
        (broken(volume, properties={"grain": zero}), "belong to no grain"),
        (broken(volume, properties={"grain": zero + 0.5}), "no numbers of grains"),
    ]
    for bad, words in cases:
        with pytest.raises(ValueError, match=words):
            deck_volume(bad)
    assert len(deck_volume(polycrystal_map((4, 4, 4), 3)).grains) == 3  # a grain may have number 0


def test_nothing_is_left_when_it_reads_otherwise(volume, tmp_path, monkeypatch):
    right = write.write_dream3d

    def other(deck, folder, name):
        ids = deck.ids.copy()
        ids[0, 0, 0] = (ids[0, 0, 0] + 1) % 3
        from dataclasses import replace

        return right(replace(deck, ids=ids), folder, name)

    monkeypatch.setattr(write, "write_dream3d", other)
    with pytest.raises(UnreadableFile, match="another grain at 1 of 720 voxels"):
        run(export_deck(volume, tmp_path / "a.dream3d", "dream3d"))
    assert list(tmp_path.iterdir()) == []

    def full(*_):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(write, "write_abaqus", full)
    (tmp_path / "a.inp").write_text("what was there")
    with pytest.raises(UnreadableFile, match=r"No space left on device.*make room"):
        run(export_deck(volume, tmp_path / "a.inp", "abaqus"))
    assert [p.read_text() for p in tmp_path.iterdir()] == ["what was there"]


@pytest.mark.parametrize("compress", [True, False])
def test_image_data_round_trip(tmp_path, compress):
    random = np.random.default_rng(1)
    arrays = {
        "a": random.integers(-9, 9, (17, 25, 31)).astype(np.int64),  # more than one block
        "b": random.normal(size=(17, 25, 31, 3)),
        "c": random.integers(0, 255, (17, 25, 31)).astype(np.uint8),
    }
    path = tmp_path / "a.vti"
    write_image_data(path, arrays, (1e-9, 2e-9, 3e-9), ("one", "two & <three>"), compress=compress)
    read = read_image_data(path)
    assert read.spacing == (1e-9, 2e-9, 3e-9)
    assert read.comments == ("one", "two & <three>")
    for name, array in arrays.items():
        assert read.arrays[name].dtype == array.dtype
        assert np.array_equal(read.arrays[name], array)
    path.write_text(path.read_text()[:900])
    with pytest.raises(UnreadableFile, match="no VTK ImageData"):
        read_image_data(path)


def test_export_of_a_volume_on_the_command_line(volume, tmp_path, capsys):
    run(save_map(volume, tmp_path / "v.h5"))
    for format_, name in (
        ("damask", "deck"), ("dream3d", "v.dream3d"), ("abaqus", "v.inp"), ("vti", "v.vti"),
    ):  # fmt: skip
        out = tmp_path / name
        assert (
            main(["export", str(tmp_path / "v.h5"), str(out), "--format", format_, "--json"]) == 0
        )
        facts = json.loads(capsys.readouterr().out)
        assert (facts["kind"], facts["format"], facts["grains"]) == ("export", format_, 12)
        assert facts["largest"] <= facts["limit"] == 1e-6
        assert "y along its rows (down)" in facts["frame"]
    assert sorted(p.name for p in (tmp_path / "deck").iterdir()) == [
        "geom.vti", "load.yaml", "material.yaml",
    ]  # fmt: skip
    for arguments, words in (
        (("v.inp", "--format", "abaqus", "--per", "voxel"), "one section for each grain"),
        (("v.txt", "--format", "abaqus"), "Let the name end in .inp"),
        (("v.inp", "--format", "damask"), "is a file, and DAMASK's deck is a folder"),
        (("d", "--format", "damask", "--metal", "Xx"), "no constants are known of 'Xx'"),
        (("d", "--format", "damask", "--section", "1"), "decks are of whole volumes"),
        (("v.ang", "--format", "ang", "--per", "voxel", "--section", "1"), "--per is for volumes"),
    ):
        out, *rest = arguments
        assert main(["export", str(tmp_path / "v.h5"), str(tmp_path / out), *rest]) == 1
        assert words in capsys.readouterr().err


def test_the_damask_package_reads_the_same(volume, tmp_path):
    damask = pytest.importorskip("damask")
    decks = {}
    for official in (True, False):
        folder = tmp_path / str(official)
        folder.mkdir()
        deck = deck_volume(volume)
        run(write_damask(deck, folder, plan(deck), official=official))
        grid = damask.GeomGrid.load(folder / "geom.vti")
        config = damask.ConfigMaterial.load(folder / "material.yaml")
        assert config.is_complete
        assert config.is_valid
        assert np.array_equal(grid.material, deck.ids.transpose(2, 1, 0))
        assert np.allclose(grid.size, (10e-6, 4.5e-6, 2e-6))
        q = np.array([m["constituents"][0]["O"] for m in config["material"]])
        assert np.abs(damask.Rotation(q).as_matrix() - deck.matrices).max() < 1e-6
        crystal = damask.Orientation(rotation=q, lattice="hP", a=3.2094, c=5.2108)
        for indices, own in (([0, 0, 1], [0, 0, 1.0]), ([1, 0, 0], [1.0, 0, 0])):
            # where c = [001] and a = [100] point in the volume, says the package
            shown = crystal.to_frame(uvw=indices)
            wanted = rotate(conjugate(deck.quaternions), np.array(own))
            assert np.abs(shown - wanted).max() < 1e-6
        decks[official] = (grid, config, damask.LoadcaseGrid.load(folder / "load.yaml"))
    assert decks[True] == decks[False]
    assert decks[True][0].comments == decks[False][0].comments


def test_the_damask_package_reads_dream3d(volume, tmp_path):
    damask = pytest.importorskip("damask")
    path = tmp_path / "a.dream3d"
    report = run(export_deck(volume, path, "dream3d"))
    assert report.checked_by.startswith("damask")
    for ids, rows in ((None, None), ("FeatureIds", "CellFeatureData")):
        grid = damask.GeomGrid.load_DREAM3D(path, feature_IDs=ids)
        config = damask.ConfigMaterial.load_DREAM3D(path, grain_data=rows)
        q = np.array([m["constituents"][0]["O"] for m in config["material"]])
        found = damask.Rotation(q[grid.material.transpose(2, 1, 0)]).as_matrix()
        assert np.abs(found - to_matrix(volume.quaternions)).max() < 1e-6
        assert set(config["phase"]) - {"Unknown Phase Type"} == {"Mg"}


def test_meshio_reads_the_same(volume, tmp_path):
    meshio = pytest.importorskip("meshio")
    run(export_deck(volume, tmp_path / "a.inp", "abaqus"))
    mesh = meshio.read(tmp_path / "a.inp")
    (block,) = mesh.cells
    centre = mesh.points[block.data].mean(1) / (1e-3, 0.5e-3, 0.25e-3)
    x, y, z = (centre - 0.5).round().astype(int).T
    for name, (members,) in mesh.cell_sets.items():
        if name.startswith("GRAIN_"):
            labels = volume.properties["grain"][z, y, x][members]
            assert set(labels.tolist()) == {int(name[6:])}
