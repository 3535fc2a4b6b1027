"""Orientation maps: conventions, readout, the file and orix's view of it."""

from __future__ import annotations

import json
import sys
import time

import h5py
import numpy as np
import orix.io
import pytest
from diffpy.structure import Atom, Lattice, Structure
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from napari_orient.data.maps import (
    OrientationMap,
    from_vendor,
    load_map,
    save_map,
    to_vendor,
)
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

CUBIC = Phase(
    "Ni", point_group="m-3m", structure=Structure(lattice=Lattice(3.5, 3.5, 3.5, 90, 90, 90))
)
HEXAGONAL = Phase(
    "Mg",
    space_group=194,
    structure=Structure(
        lattice=Lattice(3.21, 3.21, 5.21, 90, 90, 120), atoms=[Atom("Mg", (1 / 3, 2 / 3, 0.25))]
    ),
)


def random_quaternions(*shape: int) -> np.ndarray:
    q = np.random.default_rng(3).normal(size=(*shape, 4))
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def one_point(euler: tuple[float, float, float], phase: Phase = CUBIC) -> OrientationMap:
    q = Rotation.from_euler(euler, degrees=True).data.reshape(1, 1, 4)
    return OrientationMap(q, {1: phase})


def full_map() -> OrientationMap:
    rng = np.random.default_rng(0)
    phase_id = rng.integers(1, 3, (5, 7))
    phase_id[0, :2] = -1
    done = np.ones((5, 7), bool)
    done[4, 6] = False
    return OrientationMap(
        random_quaternions(5, 7),
        {1: CUBIC, 2: HEXAGONAL},
        phase_id,
        {"R": rng.random((5, 7)), "a/b": rng.integers(0, 9, (5, 7)).astype(np.uint8)},
        step=(0.25, 0.5),
        unit="nm",
        frame=(0.0, 1.0, 0.0, 0.0),
        frame_note="y up",
        crystal_axes="a*",
        done=done,
        source="somewhere",
        origin=(1.0, 2.0),
        periodic=(True, False),
    )


@pytest.mark.parametrize("angles", [(30, 180, 0), (30, 0, 0), (350, 180, 0), (10, 90, 350)])
def test_euler_angles_name_the_same_orientation_where_they_are_not_unique(angles):
    made = one_point(angles, CUBIC)
    for found in (made.euler_degrees()[0, 0], made.describe(0, 0)["euler"]):
        np.testing.assert_allclose(
            Rotation.from_euler(found, degrees=True).to_matrix(),
            Rotation.from_euler(angles, degrees=True).to_matrix(),
            atol=1e-9,
        )


def test_euler_angles_round_trip():
    angles = np.random.default_rng(1).uniform([0, 1, 0], [360, 179, 360], (4, 6, 3))
    q = Rotation.from_euler(angles, degrees=True).data
    made = OrientationMap(q, {0: CUBIC})
    np.testing.assert_allclose(made.euler_degrees(), angles, atol=1e-6)
    for y, x in np.ndindex(4, 6):
        np.testing.assert_allclose(made.describe(y, x)["euler"], angles[y, x], atol=1e-5)


def test_vendor_frame_round_trip():
    q, frame = random_quaternions(3, 4), random_quaternions(1)[0]
    np.testing.assert_allclose(to_vendor(from_vendor(q, frame), frame), q, atol=1e-12)
    # v_map = frame * v_vendor, and crystal components do not depend on the frame
    vendor = np.array([0.3, -0.5, 0.8])
    in_map = Rotation(frame).to_matrix()[0] @ vendor
    crystal = Rotation(q[0, 0]).to_matrix()[0] @ vendor
    turned = Rotation(from_vendor(q[0, 0], frame)).to_matrix()[0] @ in_map
    np.testing.assert_allclose(turned, crystal, atol=1e-12)


@pytest.mark.parametrize(
    ("euler", "phase", "text"),
    [
        ((0, 0, 0), CUBIC, "(001)[100]"),
        ((90, 0, 0), CUBIC, "(001)[0 -1 0]"),  # Bunge is passive: g[:, 0] = (cos, -sin, 0) of phi1
        ((0, 90, 0), CUBIC, "(010)[100]"),  # g[:, 2] = (0, sin, cos) of Phi
        ((0, 45, 0), CUBIC, "(011)[100]"),
        ((90, 35.264, 45), CUBIC, "(112)[-1 -1 1]"),
        ((0, 0, 0), HEXAGONAL, "(0001)[2 -1 -1 0]"),  # e1 || a
        ((0, 90, 0), HEXAGONAL, "(0 1 -1 0)[2 -1 -1 0]"),  # e2 || b*
        ((30, 0, 0), HEXAGONAL, "(0001)[1 -1 0 0]"),  # x is at -30 degrees from a
    ],
)
def test_names_of_orientations(euler, phase, text):
    facts = one_point(euler, phase).describe(0, 0)
    assert facts["orientation"] == text
    assert max(facts["off"]) < 0.01


def test_plane_and_direction_are_near_the_axes():
    made = OrientationMap(random_quaternions(20, 20), {0: CUBIC})
    off = np.array([made.describe(y, x)["off"] for y, x in np.ndindex(20, 20)])
    assert np.median(off[:, 0]) < 4
    assert np.median(off[:, 1]) < 8


def test_readout_is_fast_and_complete():
    made = full_map()
    y, x = np.argwhere(made.indexed)[-1]
    made.describe(y, x)
    start = time.perf_counter()
    for _ in range(100):
        made.describe(y, x)
    assert (time.perf_counter() - start) / 100 < 1e-3
    assert made.describe(0, 0)["phase"] == "not indexed"
    assert made.describe(4, 6)["phase"] == "not done yet"
    assert set(made.describe(y, x)["properties"]) == {"R", "a/b"}
    with pytest.raises(IndexError, match="outside"):
        made.describe(5, 0)
    with pytest.raises(IndexError):
        made.describe(-1, 0)


def test_summary_is_json():
    facts = json.loads(json.dumps(full_map().summary()))
    assert facts["kind"] == "map"
    assert facts["shape"] == [5, 7]
    assert facts["step"] == [0.25, 0.5]
    assert facts["phases"][0]["point_group"] == "m-3m"
    assert facts["phases"][1]["lattice"] == [3.21, 3.21, 5.21, 90, 90, 120]
    assert facts["indexed_fraction"] == pytest.approx(32 / 35)


def test_file_round_trip(tmp_path):
    path, made = tmp_path / "map.h5", full_map()
    run(save_map(made, path))
    again = load_map(path)
    for name in ("quaternions", "phase_id", "done"):
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    assert list(again.properties) == list(made.properties)
    for name, array in made.properties.items():
        np.testing.assert_array_equal(again.properties[name], array)
        assert again.properties[name].dtype == array.dtype
    for name in (
        "step",
        "unit",
        "frame",
        "frame_note",
        "crystal_axes",
        "source",
        "origin",
        "periodic",
    ):
        assert getattr(again, name) == getattr(made, name)
    assert again.summary() == made.summary()
    for number, phase in made.phases.items():
        other = again.phases[number]
        assert other.color == phase.color
        np.testing.assert_allclose(other.structure.lattice.base, phase.structure.lattice.base)
        np.testing.assert_allclose(other.structure.xyz, phase.structure.xyz, atol=1e-12)
        assert list(other.structure.element) == list(phase.structure.element)
    assert list(tmp_path.iterdir()) == [path]


def test_orix_reads_the_file(tmp_path):
    path, made = tmp_path / "map.h5", full_map()
    made.properties["R"][0, 0] = 0.5
    del made.properties["a/b"]
    run(save_map(made, path))
    theirs = orix.io.load(path)
    assert theirs.shape == made.shape
    assert theirs.scan_unit == "nm"
    flat = made.indexed.ravel()
    np.testing.assert_array_equal(theirs.phase_id, np.where(flat, made.phase_id.ravel(), -1))
    cosine = np.abs(np.sum(theirs.rotations.data * made.quaternions.reshape(-1, 4), axis=1))
    np.testing.assert_allclose(cosine, 1, atol=1e-12)
    np.testing.assert_array_equal(theirs.prop["R"], made.properties["R"].ravel())
    again = OrientationMap.from_orix(theirs)
    assert again.shape == made.shape
    assert again.step == pytest.approx(made.step)
    assert again.origin == pytest.approx(made.origin)
    assert again.phases[2].name == "Mg"


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (2, 3), (1, 1)])
def test_orix_round_trip_of_small_maps(shape):
    made = OrientationMap(random_quaternions(*shape), {1: CUBIC}, step=(2, 2))
    again = OrientationMap.from_orix(made.to_orix())
    assert again.shape == shape
    np.testing.assert_allclose(again.quaternions, made.quaternions)


def test_points_left_out_of_orix_maps_are_not_done():
    crystal_map = full_map().to_orix()
    part = crystal_map[crystal_map.x > 2.4]
    again = OrientationMap.from_orix(part)
    assert again.shape == (5, 7)
    assert not again.done[:, 0].any()
    assert again.done[:, 1:].all()


def test_volumes_share_the_layout(tmp_path):
    path = tmp_path / "volume.h5"
    made = OrientationMap(
        random_quaternions(2, 3, 4), {1: CUBIC}, step=(1, 1, 1), periodic=(True,) * 3
    )
    run(save_map(made, path))
    again = load_map(path)
    assert again.summary()["kind"] == "volume"
    assert again.axes == ("z", "y", "x")
    assert again.describe(1, 2, 3)["phase"] == "Ni"
    np.testing.assert_array_equal(again.quaternions, made.quaternions)


def test_failed_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "map.h5"
    run(save_map(full_map(), path))
    before = path.read_bytes()
    monkeypatch.setattr("napari_orient.data.maps.fill_group", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(save_map(full_map(), path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_bad_files(tmp_path):
    path = tmp_path / "map.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(UnreadableFile, match="no map of napari-orient"):
        load_map(path)
    run(save_map(full_map(), path))
    with h5py.File(path, "a") as file:
        del file["phase_id"]
    with pytest.raises(UnreadableFile, match="damaged"):
        load_map(path)
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 99
    with pytest.raises(UnreadableFile, match="newer"):
        load_map(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(UnreadableFile, match=r"map\.h5"):
        load_map(path)


def test_wrong_arrays_are_refused():
    q = random_quaternions(2, 3)
    with pytest.raises(ValueError, match="phase_id"):
        OrientationMap(q, {1: CUBIC}, np.zeros((3, 2), int))
    with pytest.raises(ValueError, match="no phase is given"):
        OrientationMap(q, {1: CUBIC}, np.full((2, 3), 7))
    with pytest.raises(ValueError, match="step"):
        OrientationMap(q, {1: CUBIC}, step=(0, 1))
    with pytest.raises(ValueError, match="at least one"):
        OrientationMap(np.zeros((0, 3, 4)), {})
    with pytest.raises(ValueError, match="expected"):
        OrientationMap(np.zeros((3, 4)), {})


def test_phases_have_different_colours():
    """Vendors name no colours, and orix then draws all phases in one."""
    assert CUBIC.color == HEXAGONAL.color
    phases = {1: CUBIC, 2: HEXAGONAL, 5: CUBIC}
    made = OrientationMap(random_quaternions(2, 2), phases, np.array([[1, 2], [5, -1]]))
    colours = [phase.color for phase in made.phases.values()]
    assert len(set(colours)) == 3
    assert colours[0] == CUBIC.color == HEXAGONAL.color  # those given are not changed
    assert [phase.name for phase in made.phases.values()] == ["Ni", "Mg", "Ni"]
    assert made.phases[1] is CUBIC


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path):
    import resource

    path = tmp_path / "map.h5"
    path.write_bytes(b"old")
    made = OrientationMap(
        np.tile([1.0, 0, 0, 0], (40, 40, 1)), {0: Phase("Ni", point_group="m-3m")}
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(UnreadableFile, match=r"cannot be written .* make room there"):
            run(save_map(made, path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
