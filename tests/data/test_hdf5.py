"""Are scans found in HDF5 files of all kinds, and do saved ones come back unchanged?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from napari_orient.data.formats import open_scan, sniff_scan
from napari_orient.data.hdf5 import (
    AmbiguousFile,
    candidates,
    default_chunks,
    open_dataset,
    save_scan,
)
from napari_orient.data.scan import Calibration, Quantity, Scan
from napari_orient.files import UnreadableFile
from napari_orient.jobs import Progress, run

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (5, 7, 24, 20)


@pytest.fixture
def scan() -> Scan:
    data = np.random.default_rng(0).poisson(3.0, SHAPE).astype(np.uint16)
    calibration = Calibration().set(
        step=Quantity(value=(2.0, 2.5), unit="nm", source="file"),
        pixel_size=Quantity(value=0.0123456789, unit="1/angstrom", source="measured", note="ring"),
        centre=Quantity(value=(11.25, 9.5), unit="px", source="typed"),
        voltage=Quantity(value=300.0, unit="kV", source="simulated"),
        rotation=Quantity(value=-31.5, unit="deg", source="measured"),
    )
    return Scan(
        data, calibration, name="a/b sample", phase="LiNiO2", history=("simulated",), origin=(3, 7)
    )


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".hspy", ".zspy"])
def test_saved_scan_comes_back_identical(tmp_path: Path, scan: Scan, suffix: str) -> None:
    path = tmp_path / f"saved{suffix}"
    events: list[Any] = []
    assert run(save_scan(scan, path, chunks=(2, 3, 8, 8)), events.append) == path
    assert isinstance(events[-1], Progress)
    assert events[-1].fraction == 1
    assert sniff_scan(path)
    back = open_scan(path)
    assert np.array_equal(back.read(slice(None)), scan.data)
    assert back.dtype == scan.dtype
    assert back.calibration == scan.calibration
    assert (back.name, back.phase, back.history) == (scan.name, "LiNiO2", ("simulated",))
    assert back.origin == (3, 7)
    assert back.chunks == (2, 3, 8, 8)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing temporary is left
    back.close()


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_others_understand_what_is_saved(tmp_path: Path, scan: Scan, suffix: str) -> None:
    import importlib

    path = tmp_path / f"saved{suffix}"
    run(save_scan(scan, path))
    read = importlib.import_module(f"rsciio.{suffix[1:]}").file_reader(str(path))[0]
    assert np.array_equal(read["data"], scan.data)
    assert [a["scale"] for a in read["axes"]] == pytest.approx(
        [2.0, 2.5, 0.0123456789, 0.0123456789]
    )
    assert [a["navigate"] for a in read["axes"]] == [True, True, False, False]
    assert read["axes"][2]["offset"] == pytest.approx(-11.25 * 0.0123456789)
    assert read["metadata"]["Acquisition_instrument"]["TEM"]["beam_energy"] == 300


def test_big_endian_and_strided_data_are_saved_as_they_read(tmp_path: Path, scan: Scan) -> None:
    odd = scan.replaced(scan.data.astype(">u2")[:, :, ::-1])
    run(save_scan(odd, tmp_path / "odd.h5"))
    back = open_scan(tmp_path / "odd.h5")
    assert back.dtype == np.dtype("<u2")
    assert np.array_equal(back.read(slice(None)), scan.data[:, :, ::-1])
    back.close()


@pytest.mark.parametrize("suffix", [".h5", ".zspy", ".hspy"])
def test_cancelled_save_leaves_the_old_file(tmp_path: Path, scan: Scan, suffix: str) -> None:
    path = tmp_path / f"kept{suffix}"
    run(save_scan(scan, path))
    other = scan.replaced(scan.data + np.uint16(1))
    job = save_scan(other, path)
    next(job)
    job.close()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    back = open_scan(path)
    assert np.array_equal(back.read(slice(None)), scan.data)
    back.close()
    run(save_scan(other, path))
    back = open_scan(path)
    assert np.array_equal(back.read(slice(None)), other.data)
    back.close()


def test_save_refuses_its_own_source_unknown_suffix_and_lost_data(
    tmp_path: Path, scan: Scan
) -> None:
    path = tmp_path / "own.h5"
    run(save_scan(scan, path))
    opened = open_scan(path)
    with pytest.raises(UnreadableFile, match="is the file being read"):
        run(save_scan(opened, path))
    opened.close()
    with pytest.raises(UnreadableFile, match=r"Use \.h5, \.hspy or \.zspy"):
        run(save_scan(scan, tmp_path / "a.tif"))

    class Lost:
        shape, dtype = SHAPE, np.dtype(np.uint8)

        def __getitem__(self, where: Any) -> Any:
            raise OSError("drive is gone")

    with pytest.raises(UnreadableFile, match="drive is gone"):
        run(save_scan(Scan(Lost(), source="z.mib"), tmp_path / "lost.h5"))
    assert not (tmp_path / "lost.h5").exists()


def test_default_chunks_balance_detector_and_pattern() -> None:
    assert default_chunks((200, 200, 128, 128), np.uint8) == (32, 32, 16, 16)
    assert default_chunks((200, 200, 512, 512), np.uint16) == (8, 8, 32, 32)
    assert default_chunks((3, 2, 144, 10), np.uint8) == (3, 2, 32, 10)


# ---- candidates ---------------------------------------------------------------------------------


def test_candidates_and_their_facts(tmp_path: Path) -> None:
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        data = np.zeros((4, 5, 32, 32), np.uint16)
        file.create_dataset("run/scan", data=data, chunks=(2, 5, 8, 8), compression="gzip")
        file["run/stack"] = np.zeros((20, 32, 32), np.float32)
        file["colours"] = np.zeros((4, 5, 6, 3), np.uint8)
        file["euler"] = np.zeros((1, 60, 60, 3), np.float32)
        file["image"] = np.zeros((64, 64))
        file["rgb"] = np.zeros((64, 64, 3), np.uint8)
        file["names"] = np.array([[[[b"x"] * 9] * 9] * 2] * 2)
        file["empty"] = np.zeros((0, 5, 32, 32))
        file["soft"] = h5py.SoftLink("/run/scan")
        file["broken"] = h5py.SoftLink("/nowhere")
        file["outside"] = h5py.ExternalLink("missing.h5", "/x")
        file["run/circle"] = file["run"]
    found = candidates(path)
    assert [c.path for c in found] == ["/run/scan", "/run/stack"]
    first = found[0]
    assert first.shape == (4, 5, 32, 32)
    assert first.chunks == (2, 5, 8, 8)
    assert first.compression == "gzip"
    assert first.nbytes == 4 * 5 * 32 * 32 * 2
    assert "4 x 5 x 32 x 32 uint16" in str(first)
    assert found[1].is_stack
    assert sniff_scan(path)
    scan = open_dataset(path)  # one 4D dataset wins over stacks
    assert scan.shape == (4, 5, 32, 32)
    scan.close()


def test_stack_needs_a_scan_shape(tmp_path: Path) -> None:
    path = tmp_path / "stack.nxs"
    frames = np.random.default_rng(0).integers(0, 9, (12, 32, 20), dtype=np.uint8)
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = frames
    assert not sniff_scan(path)
    with pytest.raises(UnreadableFile, match=r"12 frames.*Give the scan shape"):
        open_scan(path)
    scan = open_scan(path, scan_shape=(3, 4))
    assert np.array_equal(scan.read(slice(None)), frames.reshape(3, 4, 32, 20))
    scan.close()
    with pytest.raises(UnreadableFile, match="needs 20"):
        open_scan(path, scan_shape=(4, 5))


def test_dectris_master_file_and_its_data_files(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 9, (16, 32, 32), dtype=np.uint32)
    master = tmp_path / "s_master.h5"
    with h5py.File(master, "w") as file:
        group = file.create_group("entry/data")
        for i, part in enumerate((frames[:9], frames[9:]), start=1):
            name = f"s_data_{i:06d}.h5"
            with h5py.File(tmp_path / name, "w") as data:
                data["entry/data/data"] = part
            group[f"data_{i:06d}"] = h5py.ExternalLink(name, "entry/data/data")
    assert sniff_scan(master)
    scan = open_scan(master)
    assert scan.shape == (4, 4, 32, 32)
    assert np.array_equal(scan.read(slice(None)), frames.reshape(4, 4, 32, 32))
    assert np.array_equal(
        scan.read(2, slice(0, 4, 2), 3), frames.reshape(4, 4, 32, 32)[2, 0:4:2, 3]
    )
    scan.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"image": np.zeros((9, 9))}, "holds no 4D dataset"),
        ({"text": np.bytes_("hello")}, "holds no 4D dataset"),
    ],
)
def test_hdf5_without_a_scan(tmp_path: Path, content: dict[str, Any], words: str) -> None:
    path = tmp_path / "none.h5"
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            file[key] = value
    assert not sniff_scan(path)
    with pytest.raises(UnreadableFile, match=words):
        open_scan(path)
    with pytest.raises(UnreadableFile, match="has no dataset /x"):
        open_scan(path, dataset="/x")
    key = next(iter(content))
    with pytest.raises(UnreadableFile, match="no scan in"):
        open_scan(f"{path}::/{key}")


def test_text_and_truncated_files(tmp_path: Path, scan: Scan) -> None:
    text = tmp_path / "text.h5"
    text.write_text("x y z\n" * 1000)
    assert not sniff_scan(text)
    with pytest.raises(UnreadableFile, match=r"text\.h5 is not an HDF5 file"):
        open_scan(text)
    whole = tmp_path / "whole.h5"
    run(save_scan(scan, whole))
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole.read_bytes()[:-3000])
    with pytest.raises(UnreadableFile, match=r"cut\.h5 is truncated"):
        open_scan(cut)


# ---- py4DSTEM -----------------------------------------------------------------------------------


def py4dstem_1(path: Path, data: np.ndarray, units: tuple[str, str] = ("A", "A^-1")) -> None:
    """The tree of EMD 1.0 as py4DSTEM 0.14 writes it."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"emd_group_type": "file", "version_major": 1, "version_minor": 0})
        root = file.create_group("datacube_root")
        root.attrs.update({"emd_group_type": "root", "python_class": "Root"})
        cube = root.create_group("datacube")
        cube.attrs.update({"emd_group_type": "array", "python_class": "DataCube"})
        cube["data"] = data
        names = ("Rx", "Ry", "Qx", "Qy")
        sizes = (5.0, 5.0, 0.02, 0.02)
        for i, (name, size) in enumerate(zip(names, sizes, strict=True)):
            cube[f"dim{i}"] = np.array([0, size])
            cube[f"dim{i}"].attrs.update({"name": name, "units": units[i // 2]})
        words = root.create_group("metadatabundle/calibration")
        words["R_pixel_size"], words["Q_pixel_size"] = 50.0, 0.02
        words["R_pixel_units"], words["Q_pixel_units"] = units
        words["QR_rotation_degrees"], words["QR_flip"] = 12.0, False


@pytest.mark.parametrize("name", ["cube.h5", "cube.emd"])
def test_py4dstem_emd_1(tmp_path: Path, name: str) -> None:
    data = np.random.default_rng(0).integers(0, 9, (3, 4, 16, 16), dtype=np.uint16)
    path = tmp_path / name
    py4dstem_1(path, data)
    scan = open_scan(path)
    assert np.array_equal(scan.read(slice(None)), data)
    known = scan.calibration
    assert known.step is not None
    assert known.step.number == pytest.approx(5.0)
    assert (known.step.unit, known.step.source) == ("nm", "file")
    assert known.pixel_size is not None
    assert known.pixel_size.number == pytest.approx(0.02)
    assert known.rotation.source == "default"
    assert any("rotation (12.0" in note for note in scan.notes)
    scan.close()


def test_py4dstem_pixels_are_not_a_calibration(tmp_path: Path) -> None:
    py4dstem_1(tmp_path / "px.h5", np.zeros((2, 2, 16, 16), np.uint8), ("pixels", "pixels"))
    scan = open_scan(tmp_path / "px.h5")
    assert scan.calibration.step is None
    assert scan.calibration.pixel_size is None
    scan.close()


def test_py4dstem_0(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 9, (3, 4, 16, 18), dtype=np.uint16)
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        top = file.create_group("4DSTEM_experiment")
        top.attrs.update({"emd_group_type": 2, "version_major": 0, "version_minor": 11})
        cube = top.create_group("data/datacubes/datacube_0")
        cube.attrs["emd_group_type"] = 1
        cube["data"] = data
        for i in range(1, 5):
            cube[f"dim{i}"] = np.arange(data.shape[i - 1])
            cube[f"dim{i}"].attrs.update({"name": f"d{i}", "units": "[pix]"})
        words = top.create_group("metadata/calibration")
        words.attrs.update({"R_pixel_size": 2.0, "R_pixel_units": "nm", "Q_pixel_size": 0.1})
        words.attrs.update({"Q_pixel_units": "nm^-1", "accelerating_voltage": 300_000.0})
    scan = open_scan(path)
    assert np.array_equal(scan.read(slice(None)), data)
    assert scan.calibration.step is not None
    assert scan.calibration.step.number == pytest.approx(2)
    assert scan.calibration.pixel_size is not None
    assert scan.calibration.pixel_size.number == pytest.approx(0.01)
    assert scan.calibration.voltage is not None
    assert scan.calibration.voltage.number == 300
    scan.close()


def test_virtual_images_beside_the_cube_do_not_confuse(tmp_path: Path) -> None:
    path = tmp_path / "cube.h5"
    py4dstem_1(path, np.zeros((3, 4, 16, 16), np.uint16))
    with h5py.File(path, "a") as file:
        file["datacube_root/virtual/data"] = np.zeros((30, 40))
    assert [c.path for c in candidates(path)] == ["/datacube_root/datacube/data"]
    with h5py.File(path, "a") as file:
        file["datacube_root/second/data"] = np.zeros((3, 4, 16, 16), np.uint16)
    with pytest.raises(AmbiguousFile):
        open_scan(path)


# ---- what HDF5 would silently read as zero ------------------------------------------------------


def test_data_files_that_are_missing_are_said(tmp_path: Path) -> None:
    counts = np.ones((4, 4, 16, 16), np.uint8)
    for name in ("a.h5", "b.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["d"] = counts[:2]
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(counts.shape, "u1")
        layout[:2] = h5py.VirtualSource("a.h5", "d", (2, 4, 16, 16))
        layout[2:] = h5py.VirtualSource("b.h5", "d", (2, 4, 16, 16))
        file.create_virtual_dataset("d", layout)
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["x"] = h5py.ExternalLink("a.h5", "/d")
    assert open_dataset(tmp_path / "virtual.h5").notes == ()
    assert open_dataset(tmp_path / "linked.h5", "/x").shape == (2, 4, 16, 16)
    (tmp_path / "a.h5").unlink()
    assert "1 of 2 data files are missing (a.h5)" in open_dataset(tmp_path / "virtual.h5").notes[0]
    with pytest.raises(UnreadableFile, match=r"refers to a\.h5::/d, which is missing"):
        open_dataset(tmp_path / "linked.h5", "/x")
    (tmp_path / "b.h5").unlink()
    with pytest.raises(UnreadableFile, match=r"missing: a\.h5, b\.h5"):
        open_dataset(tmp_path / "virtual.h5")


def test_a_dectris_series_never_closes_its_gaps(tmp_path: Path) -> None:
    master = tmp_path / "s_master.h5"
    for i in range(1, 5):
        with h5py.File(tmp_path / f"s_data_{i:06d}.h5", "w") as file:
            file["entry/data/data"] = np.full((4, 16, 16), i, np.uint16)
    with h5py.File(master, "w") as file:
        group = file.create_group("entry/data")
        for i in range(1, 5):
            group[f"data_{i:06d}"] = h5py.ExternalLink(f"s_data_{i:06d}.h5", "/entry/data/data")
    assert open_dataset(master).shape == (4, 4, 16, 16)
    (tmp_path / "s_data_000004.h5").unlink()  # a master may promise more than was recorded
    scan = open_dataset(master, scan_shape=(3, 4))
    assert any("missing at the end: s_data_000004.h5" in note for note in scan.notes)
    scan.close()
    (tmp_path / "s_data_000001.h5").unlink()  # but no frame may move to another position
    with pytest.raises(UnreadableFile, match=r"refers to s_data_000001\.h5, which is missing"):
        open_dataset(master, scan_shape=(2, 4))


def test_chunks_that_were_never_written_are_said(tmp_path: Path) -> None:
    path = tmp_path / "part.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("d", (4, 4, 16, 16), "u1", chunks=(1, 4, 16, 16))
        data[0] = 1
        file.create_dataset("e", (4, 4, 16, 16), "u1")
    assert "1 of 4 chunks were written" in open_dataset(path, "d").notes[0]
    assert "nothing was written" in open_dataset(path, "e").notes[0]


def test_a_filter_that_is_not_installed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "packed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=np.zeros((2, 2, 16, 16)), compression="gzip")
    content = path.read_bytes()
    at = content.index(b"deflate")
    path.write_bytes(content[: at - 8] + (32_700).to_bytes(2, "little") + content[at - 6 :])
    with pytest.raises(UnreadableFile, match=r"not installed.*pip install hdf5plugin"):
        open_dataset(path)


def test_strange_attributes_cost_the_calibration_not_the_scan(tmp_path: Path, scan: Scan) -> None:
    path = tmp_path / "odd.h5"
    run(save_scan(scan, path))
    with h5py.File(path, "a") as file:
        file["scan"].attrs["version"] = "seven"
        file["scan"].attrs["history"] = "3"
        file["scan"].attrs["calibration"] = '{"step": {"value": NaN, "unit": "nm"}}'
    opened = open_dataset(path)
    assert opened.calibration.step is None
    assert any("calibration in the file is not understood" in note for note in opened.notes)
