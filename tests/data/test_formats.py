"""Does every format open with the right pixels and calibration, and every bad file with words?"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from rsciio.tvips import _api as tvips
from stacks import axis, signal, write_mrc, write_tvips

from napari_orient.data.formats import (
    FORMATS,
    SUFFIXES,
    open_scan,
    sniff_scan,
)
from napari_orient.data.hdf5 import AmbiguousFile
from napari_orient.data.mapped import _frames_per_line
from napari_orient.data.remarks import remarks
from napari_orient.data.scan import Calibration, Quantity, Scan, electron_wavelength
from napari_orient.data.units import from_axes, inverse_angstroms, kilovolts, nanometres
from napari_orient.files import UnreadableFile, split_inside

SHAPE = (3, 4, 16, 16)


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, SHAPE, dtype=np.uint8)


CALIBRATED = [
    axis(0, 3, 0.002, "µm"),
    axis(1, 4, 0.002, "µm"),
    axis(2, 16, 0.25, "nm^-1", -2.0),
    axis(3, 16, 0.25, "nm^-1", -1.75),
]


def assert_calibrated(scan: Scan) -> None:
    known = scan.calibration
    assert known.step is not None
    assert known.step.pair == pytest.approx((2.0, 2.0))
    assert (known.step.unit, known.step.source) == ("nm", "file")
    assert known.pixel_size is not None
    assert known.pixel_size.pair == pytest.approx((0.025, 0.025))
    assert (known.pixel_size.unit, known.pixel_size.source) == ("1/angstrom", "file")
    assert known.centre is not None
    assert known.centre.pair == pytest.approx((8.0, 7.0))
    assert known.centre.source == "file"


# ---- real files ---------------------------------------------------------------------------------


def test_real_blockfile(shared_data: Path) -> None:
    from rsciio.blockfile import file_reader

    path = shared_data / "blockfile" / "test1.blo"
    scan = open_scan(path)
    assert scan.shape == (3, 2, 144, 144)
    assert isinstance(scan.data, np.memmap)
    assert np.array_equal(scan.data, file_reader(str(path))[0]["data"])
    known = scan.calibration
    assert known.step is not None
    assert known.step.number == pytest.approx(12.8)
    assert known.voltage is not None
    assert known.voltage.number == 200
    assert known.camera_length is not None
    assert known.camera_length.number == 200
    assert known.pixel_size is None  # centimetres on a screen are no reciprocal length
    assert any("0.01606 cm" in note and "0.03202" in note for note in scan.notes)


@pytest.mark.parametrize(("name", "rows"), [("001_4x2_6bit", 256), ("002_4x2_6bit_roi128", 128)])
def test_real_merlin(shared_data: Path, name: str, rows: int) -> None:
    from rsciio.quantumdetector import file_reader

    path = shared_data / "merlin" / f"{name}.mib"
    scan = open_scan(path)
    assert scan.shape == (2, 4, rows, 256)
    assert isinstance(scan.data, np.memmap)
    assert np.array_equal(scan.data, file_reader(str(path))[0]["data"])
    assert scan.calibration.step is None
    assert open_scan(path, scan_shape=(4, 2)).shape == (4, 2, rows, 256)


def test_truncated_real_files(shared_data: Path, tmp_path: Path) -> None:
    blo = tmp_path / "cut.blo"
    blo.write_bytes((shared_data / "blockfile" / "test1.blo").read_bytes()[:100_000])
    with pytest.raises(UnreadableFile, match=r"cut.blo is truncated: 4 of 6 patterns.*\(2, 2\)"):
        open_scan(blo)
    assert open_scan(blo, scan_shape=(2, 2)).shape == (2, 2, 144, 144)
    mib = tmp_path / "cut.mib"
    source = shared_data / "merlin" / "001_4x2_6bit.mib"
    mib.write_bytes(source.read_bytes()[:400_000])
    shutil.copy(source.with_suffix(".hdr"), mib.with_suffix(".hdr"))
    with pytest.raises(UnreadableFile, match="6 of the 8 frames"):
        open_scan(mib)
    assert open_scan(mib, scan_shape=(1, 4)).shape == (1, 4, 256, 256)


def test_merlin_without_its_header_file(shared_data: Path, tmp_path: Path) -> None:
    mib = tmp_path / "alone.mib"
    shutil.copyfile(shared_data / "merlin" / "001_4x2_6bit.mib", mib)
    scan = open_scan(mib)
    assert scan.shape == (2, 4, 256, 256)  # from the time stamps
    assert any("alone.hdr is missing" in note for note in scan.notes)


def test_merlin_rows_are_found_from_regular_pauses_only() -> None:
    def heads(waits: list[int]) -> list[bytes]:
        times = np.datetime64("2021-05-07T16:51:10", "ns") + np.cumsum([0, *waits])
        return [f"MQ1,{t}Z,100ns,6,".encode() for t in times]

    row = [1000, 1001, 999, 1000]
    assert _frames_per_line(heads([*row, 1300, *row, 1290, *row])) == 5
    assert _frames_per_line(heads([*row, 1300, 1000, 1310, *row])) == 0  # not regular
    assert _frames_per_line(heads([1000, 1004, 996, 1010, 990, 1003, 1000])) == 0  # only scatter
    assert _frames_per_line(heads([])) == 0


def test_real_maps_are_not_scans(shared_data: Path) -> None:
    for path in ("ni_edax/EdaxAngOnly.h5", "ti64/Ti64-200x200.ang", "astar_acom/ACOM.ang"):
        assert not sniff_scan(shared_data / path)
        with pytest.raises(UnreadableFile):
            open_scan(shared_data / path)
    assert not sniff_scan(shared_data / "reference_field" / "cubic_128x128_quaternions.npy")


# ---- files written for the purpose --------------------------------------------------------------


def test_written_blockfile(tmp_path: Path, counts: np.ndarray) -> None:
    from rsciio.blockfile import file_writer

    axes = [
        axis(0, 3, 5.0, "nm"),
        axis(1, 4, 5.0, "nm"),
        axis(2, 16, 0.1, "cm"),
        axis(3, 16, 0.1, "cm"),
    ]
    path = tmp_path / "w.blo"
    file_writer(str(path), signal(counts, axes), show_progressbar=False)
    scan = open_scan(path)
    assert np.array_equal(scan.data, counts)
    assert scan.calibration.voltage is None  # zero in a header means not set
    assert scan.calibration.step is not None
    assert scan.calibration.step.number == 5.0


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_hyperspy_formats(tmp_path: Path, counts: np.ndarray, suffix: str) -> None:
    import importlib

    path = tmp_path / f"w{suffix}"
    tem = {"beam_energy": 300.0, "camera_length": 120.0}
    write = importlib.import_module(f"rsciio.{suffix[1:]}").file_writer
    # the nested store that the writer makes of a name is deprecated in zarr 2.18
    target = zarr.DirectoryStore(path, dimension_separator="/") if suffix == ".zspy" else str(path)
    write(target, signal(counts, CALIBRATED, tem), show_progressbar=False)
    assert sniff_scan(path)
    scan = open_scan(path)
    assert np.array_equal(scan.read(slice(None)), counts)
    assert type(scan.data).__module__.split(".")[0] in ("h5py", "zarr")  # not a graph of tasks
    assert_calibrated(scan)
    assert scan.calibration.voltage is not None
    assert scan.calibration.voltage.number == 300
    assert scan.calibration.camera_length is not None
    assert scan.calibration.camera_length.number == 120
    assert scan.name == "sample"
    scan.close()


def test_tvips_in_one_file(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 60_000, (4, 4, 16, 16), dtype=np.uint16)
    path = tmp_path / "w_000.tvips"
    write_tvips(path, data)
    scan = open_scan(path)
    assert isinstance(scan.data, np.memmap)
    assert np.array_equal(scan.data, data)
    assert scan.calibration.voltage is not None
    assert scan.calibration.voltage.number == 200
    assert scan.calibration.pixel_size is None
    assert np.array_equal(open_scan(path, scan_shape=(2, 8)).data, data.reshape(2, 8, 16, 16))


def test_tvips_in_several_files(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 60_000, (3, 4, 16, 16), dtype=np.uint16)
    path = tmp_path / "w_000.tvips"
    write_tvips(path, data, max_file_size=2900)
    parts = sorted(p.name for p in tmp_path.glob("*.tvips"))
    assert len(parts) > 2
    with pytest.raises(UnreadableFile, match=r"12 frames.*Give the scan shape"):
        open_scan(path)
    scan = open_scan(path, scan_shape=(3, 4))
    assert np.array_equal(scan.read(slice(None)), data)
    assert np.array_equal(scan.read(1, slice(0, 4, 3), slice(2, 9), 5), data[1, 0:4:3, 2:9, 5])
    with pytest.raises(UnreadableFile, match="first part"):
        open_scan(tmp_path / parts[1])
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(UnreadableFile, match="truncated"):
        open_scan(path, scan_shape=(3, 4))


def test_tvips_scan_is_found_between_other_frames(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 60_000, (1, 30, 16, 16), dtype=np.uint16)
    path = tmp_path / "w_000.tvips"
    write_tvips(path, data)
    head = np.dtype(tvips.TVIPS_RECORDER_GENERAL_HEADER).itemsize
    record = np.dtype([*tvips.TVIPS_RECORDER_FRAME_HEADER, ("data", "<u2", (16, 16))])
    frames = np.memmap(path, record, "r+", head, (30,))
    frames["rotidx"] = [0, 0, *range(1, 26), 25, 25, 0]
    frames.flush()
    scan = open_scan(path)
    assert scan.shape == (5, 5, 16, 16)
    assert np.array_equal(scan.data, data[0, 2:27].reshape(scan.shape))
    frames["rotidx"] = 0
    frames.flush()
    with pytest.raises(UnreadableFile, match="30 frames"):
        open_scan(path)


def test_mrc(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 60_000, (3, 4, 16, 18), dtype=np.uint16)
    path = tmp_path / "w.mrc"
    write_mrc(path, data.reshape(12, 16, 18))
    with pytest.raises(UnreadableFile, match="12 frames"):
        open_scan(path)
    scan = open_scan(path, scan_shape=(3, 4))
    assert isinstance(scan.data, np.memmap)
    assert np.array_equal(scan.data, data)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableFile, match="truncated"):
        open_scan(path, scan_shape=(3, 4))


def test_empad(tmp_path: Path) -> None:
    data = np.random.default_rng(1).random((2, 3, 130, 128), dtype=np.float32)
    data.tofile(tmp_path / "scan_x3_y2.raw")
    xml = tmp_path / "w.xml"
    xml.write_text(
        '<?xml version="1.0"?><root><raw_file filename="scan_x3_y2.raw"/><pix_x>3</pix_x>'
        "<pix_y>2</pix_y><iom_measurements><calibrated_pixelsize>25000000</calibrated_pixelsize>"
        "<get_full_scan_field_of_view>[6e-9, 9e-9]</get_full_scan_field_of_view>"
        "</iom_measurements></root>"
    )
    assert sniff_scan(xml)
    scan = open_scan(xml)
    assert isinstance(scan.data, np.memmap)
    assert np.array_equal(scan.data, data[:, :, :128])
    assert scan.calibration.centre is not None
    assert scan.calibration.centre.pair == (64, 64)
    (tmp_path / "scan_x3_y2.raw").unlink()
    with pytest.raises(UnreadableFile, match="missing"):
        open_scan(xml)
    other = tmp_path / "other.xml"
    other.write_text("<recipe/>")
    assert not sniff_scan(other)


def test_emd_of_ncem_is_stored_last_axis_first(tmp_path: Path, counts: np.ndarray) -> None:
    from rsciio.emd import file_reader, file_writer

    path = tmp_path / "w.emd"
    axes = [
        axis(0, 3, 2, "nm"),
        axis(1, 4, 2, "nm"),
        axis(2, 16, 0.1, "1/nm"),
        axis(3, 16, 0.1, "1/nm"),
    ]
    file_writer(str(path), signal(counts, axes))
    with h5py.File(path) as file:
        assert file["signals/sample/data"].shape == counts.shape[::-1]
    scan = open_scan(path)
    assert np.array_equal(scan.read(slice(None)), counts)
    assert np.array_equal(scan.read(2, slice(1, 3), slice(3, 9), 4), counts[2, 1:3, 3:9, 4])
    assert np.array_equal(file_reader(str(path))[0]["data"], counts)
    assert scan.calibration.step is not None
    assert scan.calibration.step.number == pytest.approx(2)
    assert scan.calibration.pixel_size is not None
    assert scan.calibration.pixel_size.number == pytest.approx(0.01)
    scan.close()


def test_app5_frames_are_mapped_where_they_lie(tmp_path: Path, counts: np.ndarray) -> None:
    path = tmp_path / "w.app5"
    length = "<Axis><Offset>{o}</Offset><Scale>{s}</Scale><Unit><A/><Name>mrad</Name></Unit></Axis>"
    axes = length.format(o=-8, s=1) + length.format(o=-8, s=1)
    with h5py.File(path, "w") as file:
        group = file.create_group("18d9446f-22bf-4fb1-8d13-338174e75d20")
        for i, frame in enumerate(counts.reshape(-1, 16, 16)):
            place = f"<X>{(i % 4) * 3e-9}</X><Y>{(i // 4) * 3e-9}</Y>"
            xml = f"<M><Axes>{axes}</Axes><S><P><I/><Q>{place}</Q></P></S></M>"
            one = group.create_group(str(i))
            one["Data"] = frame
            one["Metadata"] = np.bytes_(xml)
        file["Metadata"] = np.bytes_("<M/>")
    scan = open_scan(path)
    assert scan.shape == SHAPE
    assert np.array_equal(scan.read(slice(None)), counts)
    assert scan.calibration.step is not None
    assert scan.calibration.step.number == pytest.approx(3)
    assert scan.calibration.pixel_size is None  # angles need the voltage, which is not in here


def test_numpy_arrays(tmp_path: Path, counts: np.ndarray) -> None:
    path = tmp_path / "w.npy"
    np.save(path, counts)
    assert sniff_scan(path)
    scan = open_scan(path)
    assert isinstance(scan.data, np.memmap)
    assert np.array_equal(scan.data, counts)
    assert not scan.in_memory
    stack = tmp_path / "stack.npy"
    np.save(stack, counts.reshape(12, 16, 16)[:9])
    scan = open_scan(stack)
    assert scan.shape == (3, 3, 16, 16)
    assert any("guessed" in note for note in scan.notes)
    flat = tmp_path / "flat.npy"
    np.save(flat, counts[0, 0])
    assert not sniff_scan(flat)
    with pytest.raises(UnreadableFile, match=r"shape \(16, 16\)"):
        open_scan(flat)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableFile, match=r"w\.npy is truncated"):
        open_scan(path)
    unsafe = tmp_path / "unsafe.npy"
    np.save(unsafe, np.array([[[[{}]]]], dtype=object))
    assert not sniff_scan(unsafe)
    with pytest.raises(UnreadableFile):
        open_scan(unsafe)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"", b"this is only some text, whatever the suffix", b"\0" * 5000]
)
def test_wrong_content_of_every_format_names_file_and_cure(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"bad_000{suffix}"
    path.write_bytes(content)
    assert sniff_scan(path) in (True, False)
    with pytest.raises(UnreadableFile) as caught:
        open_scan(path)
    said = str(caught.value)
    assert str(path) in said
    assert said.endswith(".")
    assert "\n" not in said
    assert caught.value.cure


def test_missing_folder_and_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not exist"):
        open_scan(tmp_path / "none.blo")
    with pytest.raises(UnreadableFile, match="is a folder"):
        open_scan(tmp_path)
    other = tmp_path / "a.docx"
    other.write_text("x")
    with pytest.raises(UnreadableFile, match=r"\.docx.*Known: \.blo"):
        open_scan(other)
    assert not sniff_scan(other)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.npy"
    np.save(path, np.zeros((2, 2, 8, 8)))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UnreadableFile, match="may not be read by you"):
        open_scan(path)


def test_nan_is_reported(tmp_path: Path) -> None:
    data = np.ones((2, 2, 16, 16), dtype=np.float32)
    data[1, 1, 3, :2] = np.nan
    np.save(tmp_path / "nan.npy", data)
    assert any(
        "NaN" in note and "2 pixels" in note for note in open_scan(tmp_path / "nan.npy").notes
    )


def test_deleted_file_keeps_working_and_lost_drive_is_an_oserror(
    tmp_path: Path, counts: np.ndarray
) -> None:
    path = tmp_path / "w.npy"
    np.save(path, counts)
    scan = open_scan(path)
    path.unlink()
    assert np.array_equal(scan.pattern(2, 3), counts[2, 3])

    class Lost:
        shape, dtype = SHAPE, np.dtype(np.uint8)

        def __getitem__(self, where: Any) -> Any:
            raise OSError("network drive is gone")

    with pytest.raises(OSError, match="drive is gone"):
        Scan(Lost()).pattern(0, 0)


def test_ambiguous_file_lists_candidates(tmp_path: Path, counts: np.ndarray) -> None:
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        file["a/one"] = counts
        file["b/two"] = counts[:2]
    with pytest.raises(AmbiguousFile, match=r"two\.h5::/a/one") as caught:
        open_scan(path)
    assert [c.path for c in caught.value.candidates] == ["/a/one", "/b/two"]
    scan = open_scan(f"{path}::/b/two")
    assert scan.shape == (2, 4, 16, 16)
    assert scan.source == f"{path}::/b/two"
    scan.close()


# ---- small parts --------------------------------------------------------------------------------


def test_names_with_a_dataset() -> None:
    assert split_inside("x.h5::/a/b") == (Path("x.h5"), "/a/b")
    assert split_inside("x.h5") == (Path("x.h5"), None)


def test_units() -> None:
    assert nanometres("µm") == 1e3
    assert nanometres("Å") == pytest.approx(0.1)
    assert nanometres(b"A") == pytest.approx(0.1)
    assert nanometres("px") is None
    assert [inverse_angstroms(u) for u in ("1/nm", "nm^-1", "$nm^{-1}$", "nm⁻¹")] == [0.1] * 4
    assert [inverse_angstroms(u) for u in ("A^-1", "1/Å", "Å^-1")] == pytest.approx([1.0] * 3)
    assert inverse_angstroms("mrad") is None
    assert inverse_angstroms("mrad", 300) == pytest.approx(1e-3 / electron_wavelength(300))
    assert [inverse_angstroms(u) for u in ("nm", "cm", "px", "", None)] == [None] * 5
    assert (kilovolts(200_000), kilovolts(300), kilovolts(0)) == (200, 300, None)


def test_uncalibrated_and_odd_axes_stay_unknown() -> None:
    calibration, notes = from_axes([axis(0, 3), axis(1, 3), axis(2, 3), axis(3, 3)])
    assert calibration.step is None
    assert calibration.pixel_size is None
    assert notes == ()
    odd = [axis(0, 3), axis(1, 3), axis(2, 3, 0.5, "cm"), axis(3, 3, 0.5, "cm")]
    calibration, notes = from_axes(odd)
    assert calibration.pixel_size is None
    assert "0.5 cm" in notes[0]


def test_table_of_formats_is_honest() -> None:
    assert set(SUFFIXES) >= {".blo", ".tvips", ".mib", ".app5", ".hspy", ".zspy", ".emd", ".dm4"}
    assert {f.suffix for f in FORMATS if f.tested == "real file"} == {".blo", ".mib"}
    assert {f.suffix for f in FORMATS if f.tested == "untested"} == {".dm3", ".dm4", ".emd"}


# ---- files made to break it ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".blo", ".h5", ".npy", ".mib"])
def test_a_pipe_is_refused_and_never_opened(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"pipe{suffix}"
    os.mkfifo(path)  # opening it would wait for a writer, for ever
    assert not sniff_scan(path)
    with pytest.raises(UnreadableFile, match="pipe or a device"):
        open_scan(path)


def test_two_colons_in_names_of_folders_and_files(tmp_path: Path) -> None:
    folder = tmp_path / "run::3"
    folder.mkdir()
    path = folder / "a::b.h5"
    with h5py.File(path, "w") as file:
        file["one"] = file["two"] = np.zeros(SHAPE, np.uint8)
    assert split_inside(path) == (path, None)
    assert split_inside(f"{path}::/two") == (path, "/two")
    assert open_scan(f"{path}::/two").shape == SHAPE
    assert split_inside("gone.h5::/x") == (Path("gone.h5"), "/x")


def test_a_dataset_in_a_file_that_has_none(shared_data: Path) -> None:
    with pytest.raises(UnreadableFile, match="holds one scan and no dataset /x"):
        open_scan(f"{shared_data / 'blockfile' / 'test1.blo'}::/x")


def test_blockfile_whose_header_points_elsewhere(shared_data: Path, tmp_path: Path) -> None:
    from rsciio.blockfile._api import get_header_dtype_list

    whole = (shared_data / "blockfile" / "test1.blo").read_bytes()
    layout = np.dtype(get_header_dtype_list("<"))
    path = tmp_path / "bad.blo"
    cases = [
        ({"Data_offset_2": 0}, "no patterns where its header says"),
        ({"Data_offset_2": 2**32 - 1}, "0 of 6 patterns are there"),
        ({"NX": 60_000, "NY": 60_000}, "6 of 3600000000"),
    ]
    for values, words in cases:
        head = np.frombuffer(whole, layout, 1).copy()
        for name, value in values.items():
            head[name] = value
        path.write_bytes(head.tobytes() + whole[layout.itemsize :])
        with pytest.raises(UnreadableFile, match=words) as caught:
            open_scan(path)
        assert "(0, " not in str(caught.value)  # no advice that cannot be followed
    path.write_bytes(whole[:-1])
    with pytest.raises(UnreadableFile, match=r"5 of 6.*\(2, 2\)"):
        open_scan(path)


def test_merlin_with_half_a_frame_or_a_strange_header_file(
    shared_data: Path, tmp_path: Path
) -> None:
    whole = (shared_data / "merlin" / "001_4x2_6bit.mib").read_bytes()
    path = tmp_path / "cut.mib"
    path.write_bytes(whole[:-1])
    with pytest.raises(UnreadableFile, match="truncated, or no Merlin scan: 7 whole frames"):
        open_scan(path)
    path.write_bytes(whole[:384])
    with pytest.raises(UnreadableFile, match="truncated"):
        open_scan(path)
    path.write_bytes(whole)
    path.with_suffix(".hdr").write_text("dear diary\nno tabs here")
    with pytest.raises(UnreadableFile, match=r"cut\.hdr is not the header file"):
        open_scan(path)


def test_a_rosettasciio_that_changed_its_insides_is_named(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rsciio.blockfile import _api

    monkeypatch.delattr(_api, "get_header_dtype_list")
    with pytest.raises(UnreadableFile, match=r"cannot be read with rosettasciio .*Install") as said:
        open_scan(shared_data / "blockfile" / "test1.blo")
    assert "Copy it again" not in str(said.value)


def test_remarks_of_threads_stay_apart() -> None:
    before = (logging.getLogger("rsciio").handlers, warnings.showwarning)
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    notes: dict[str, list[str]] = {"first": [], "second": []}

    def first() -> None:
        with remarks(notes["first"]):
            first_in.set()
            second_in.wait(5)
            warnings.warn("from the first", UserWarning, stacklevel=1)
        first_out.set()

    def second() -> None:
        first_in.wait(5)
        with remarks(notes["second"]):
            second_in.set()
            first_out.wait(5)
            logging.getLogger("rsciio").warning("from the second")

    threads = [threading.Thread(target=t) for t in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes == {"first": ["from the first"], "second": ["from the second"]}
    assert (logging.getLogger("rsciio").handlers, warnings.showwarning) == before


def test_calibration_takes_no_nonsense() -> None:
    for name, value in [("step", 0.0), ("pixel_size", -1.0), ("voltage", (1.0, -1.0))]:
        with pytest.raises(ValueError, match="positive"):
            Calibration().set(**{name: Quantity(value=value)})
    with pytest.raises(ValueError, match="finite"):
        Quantity(value=float("nan"))
