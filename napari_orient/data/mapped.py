"""Where do the pixels of a vendor's file lie? Memory maps for formats that are plain on disk.

rosettasciio parses the headers; what is built here is a strided memory map of the same pixels
instead of a graph of tasks: a slice costs microseconds, and nothing is read before it is needed.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.hdf5 import LEAST_FRAME, ScanShape, square
from napari_orient.data.scan import Calibration, Scan
from napari_orient.data.units import from_axes, kilovolts, known, stated
from napari_orient.data.views import Stacked
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

_MERLIN_LOOK = 4096  # frames whose time stamps are looked at
_TVIPS_LEAD = 2000  # frames recorded before the scan, at most
_BLO_MARK = 0x55AA  # before every pattern
COPY_AGAIN = "Copy it again from the microscope computer."
ALL: ScanShape = (1, -1)  # a scan shape: all whole frames that are there, in one row


def build(
    path: Path, data: Any, calibration: Calibration, notes: tuple[str, ...] = (), **more: Any
) -> Scan:
    """Return the scan of a file."""
    return Scan(data, calibration, name=path.stem, source=path, notes=notes, **more)


def fold(path: Path, frames: Any, scan_shape: ScanShape | None, first: int = 0) -> Any:
    """Give a stack (frames, ky, kx) the scan's shape (y, x, ky, kx); a view of a memory map."""
    if scan_shape == ALL and len(frames):
        return frames[None]
    y, x = square(path, len(frames) - first, scan_shape)
    return frames[first : first + y * x].reshape(y, x, *frames.shape[1:])


def guessed(shape: tuple[int, ...], scan_shape: ScanShape | None) -> tuple[str, ...]:
    """Remark that the scan's shape was guessed, where it was."""
    return () if scan_shape else (f"scan shape {shape[0]} x {shape[1]} guessed: a square",)


def open_blo(path: Path, scan_shape: ScanShape | None) -> Scan:
    """NanoMEGAS blockfile: patterns of uint8, each behind a mark and a number of 6 bytes."""
    from rsciio.blockfile._api import get_header_dtype_list

    header = np.fromfile(path, dtype=np.dtype(get_header_dtype_list("<")), count=1)
    if len(header) == 0 or bytes(header["ID"][0])[:6] != b"IMGBLO":
        raise UnreadableFile(path, "is not a blockfile, whatever its name says", "Rename it.")
    head = {name: header[name][0] for name in header.dtype.names}
    y, x, side = int(head["NY"]), int(head["NX"]), int(head["DP_SZ"])
    offset, frame = int(head["Data_offset_2"]), 6 + side * side
    there = max(0, (path.stat().st_size - offset) // frame)
    if 0 in (y, x, side):
        raise UnreadableFile(path, "has no patterns", "The acquisition was not finished.")
    if there == 0 or (there < y * x and scan_shape is None):
        rows = f" Or give the scan shape ({there // x}, {x}) to open the complete rows."
        problem = f"is truncated: {there} of {y * x} patterns are there"
        raise UnreadableFile(path, problem, COPY_AGAIN + (rows if there >= x else ""))
    record = np.dtype([("mark", "<u2"), ("number", "<u4"), ("data", np.uint8, (side, side))])
    mapped = np.memmap(path, record, "r", offset, (there,))
    if any(mapped["mark"][i] != _BLO_MARK for i in (0, there // 2, there - 1)):
        problem = "has no patterns where its header says, or they are shifted"
        raise UnreadableFile(path, problem, COPY_AGAIN)
    calibration, notes = _blo_calibration(head)
    return build(path, fold(path, mapped["data"], scan_shape or (y, x)), calibration, notes)


def _blo_calibration(head: dict[str, Any]) -> tuple[Calibration, tuple[str, ...]]:
    """Take nm and kV from the header; cm on the screen at a nominal length are a remark only."""
    from napari_orient.data.scan import electron_wavelength

    volts, millimetres = known(head["Beam_energy"]), known(head["Camera_length"] / 10)
    axes = [{"scale": head[name], "units": "nm"} for name in ("SY", "SX")] + [{}, {}]
    calibration, _ = from_axes(
        axes, voltage=volts / 1e3 if volts else None, camera_length=millimetres
    )
    notes: tuple[str, ...] = ()
    per_cm = known(head["SDP"] / 100)
    if per_cm:
        note = f"the file gives {1 / per_cm:.4g} cm per pattern pixel on the screen"
        if volts and millimetres:
            size = 10 / per_cm / millimetres / electron_wavelength(volts / 1e3)
            note += (
                f"; with its nominal camera length of {millimetres:g} mm that would be "
                f"{size:.4g} 1/angstrom, not trusted: calibrate on a known ring"
            )
        notes = (note,)
    if head["Scan_rotation"]:
        notes += (f"the scan was rotated by {head['Scan_rotation'] / 100:g} degrees",)
    return calibration, notes


def open_mib(path: Path, scan_shape: ScanShape | None) -> Scan:
    """Merlin: frames behind text headers; the scan's shape from the .hdr or the time stamps."""
    from rsciio.quantumdetector import load_mib_data
    from rsciio.quantumdetector._api import MIBProperties, parse_hdr_file

    facts = MIBProperties()
    try:
        facts.parse_file(str(path))
    except Exception as error:
        raise UnreadableFile(path, "does not start with a Merlin header", "Rename it.") from error
    if facts.head_size is None or facts.dtype is None:
        cure = "Save it as processed (not raw) frames."
        raise UnreadableFile(path, "has a Merlin header of an unknown kind", cure)
    frames, heads = load_mib_data(str(path), lazy=True, mib_prop=facts, return_headers=True)
    frames = frames[..., ::-1, :]  # as rosettasciio does: Merlin counts rows from the bottom
    beside = path.with_suffix(".hdr")
    try:
        says = parse_hdr_file(beside) if beside.exists() else {}
    except (ValueError, UnicodeDecodeError) as error:
        cure = "Copy it again, or move it away: the scan opens without it."
        raise UnreadableFile(beside, "is not the header file of a Merlin scan", cure) from error
    promised = int(says.get("Frames in Acquisition (Number)", 0))
    if scan_shape is None and promised > len(frames):
        raise UnreadableFile(
            path,
            f"is truncated: {len(frames)} of the {promised} frames its .hdr promises are there",
            f"{COPY_AGAIN} Or give a scan shape of at most {len(frames)} positions.",
        )
    frame = math.prod(frames.shape[1:]) * frames.dtype.itemsize
    left = path.stat().st_size - len(frames) * (int(facts.head_size) + frame)
    if left and scan_shape is None:
        problem = f"is truncated, or no Merlin scan: {len(frames)} whole frames and {left} bytes"
        partly = f" Or give a scan shape of at most {len(frames)} positions." * bool(len(frames))
        raise UnreadableFile(path, problem, COPY_AGAIN + partly)
    line = int(says.get("Frames per Trigger (Number)", 1))
    if line < 2:
        line = _frames_per_line(heads[:_MERLIN_LOOK])
    own = (len(frames) // line, line) if line > 1 and len(frames) % line == 0 else None
    data = fold(path, frames, scan_shape or own)
    notes = guessed(data.shape, scan_shape or own)
    if own and not scan_shape and int(says.get("Frames per Trigger (Number)", 1)) < 2:
        notes = (f"{line} positions a row, from the pauses in the time stamps",)
    if not says:
        notes += (f"{beside.name} is missing",)
    return build(path, data, Calibration(), notes)


def _frames_per_line(heads: Any) -> int:
    """Frames between two regular pauses (the beam's way back) in the time stamps, or 0.

    The pause may be 1 part in 5000 of the frame time: it is judged by the scatter of the others.
    """
    from rsciio.quantumdetector import parse_timestamps

    stamps = [str(text).rstrip("Z") for text in parse_timestamps(heads, max_index=len(heads))]
    waits = np.diff(np.array(stamps, dtype="datetime64[ns]")).astype(float)
    if len(waits) < 2:
        return 0
    excess = waits - np.median(waits)
    pauses = np.flatnonzero(excess > excess.max() / 2) + 1
    scatter = np.delete(excess, pauses - 1)
    if len(scatter) == 0 or excess.max() <= 10 * np.median(np.abs(scatter)):
        return 0
    line = int(pauses[0])
    regular = np.arange(line, len(heads), line)
    return line if np.array_equal(pauses, regular) else 0


def open_tvips(path: Path, scan_shape: ScanShape | None) -> Scan:
    """TVIPS: frames in one or several files; the scan's shape from the frames' own headers."""
    head, parts, notes = _tvips_parts(path, cut=scan_shape == ALL)
    number = sum(map(len, parts))
    first, shape = 0, (1, number) if scan_shape == ALL else scan_shape
    if scan_shape is None:
        first, total = _tvips_span(parts)
        side = math.isqrt(total)
        first, shape = (first, (side, side)) if side * side == total > 1 else (0, None)
    shape = square(path, number - first, shape)
    stacks = [p["data"] for p in parts]
    data = fold(path, stacks[0], shape, first) if len(parts) == 1 else Stacked(stacks, shape, first)
    voltage = kilovolts(head["ht"])
    found = {"voltage": stated(voltage, "kV")} if voltage else {}
    if scan_shape is None:
        notes += (f"scan of {shape[0]} x {shape[1]} from frame {first} on, guessed",)
    if len(parts) > 1:
        notes += (f"{len(parts)} files",)
    return build(path, data, Calibration().set(**found), notes)


def tvips_span(path: Path) -> tuple[int, int]:
    """Return the first frame and the number of frames that the recorder marks as the scan's.

    (0, 0) where it marks none.
    """
    return _tvips_span(_tvips_parts(path, cut=True)[1])


def _tvips_parts(path: Path, cut: bool) -> tuple[Any, list[Any], tuple[str, ...]]:
    """Return the header, the frames with their headers, part by part, and remarks."""
    from rsciio.tvips import _api as tvips

    if not re.fullmatch(r".+_000", path.stem):
        cure = "Open the first part, whose name ends in _000.tvips; keep the parts together."
        raise UnreadableFile(path, "is not the first part of a TVIPS recording", cure)
    header = np.fromfile(path, dtype=tvips.TVIPS_RECORDER_GENERAL_HEADER, count=1)
    bits = header["bitsperpixel"][0] if len(header) else 0
    if bits not in (8, 16) or header["version"][0] not in (1, 2) or not header["dimx"][0]:
        raise UnreadableFile(path, "has no TVIPS header", "Rename it, or copy it again.")
    head = header[0]
    known_bytes = np.dtype(tvips.TVIPS_RECORDER_FRAME_HEADER).itemsize
    before = 12 if head["version"] == 1 else int(head["frameheaderbytes"])
    fields: list[Any] = list(tvips.TVIPS_RECORDER_FRAME_HEADER) if before >= known_bytes else []
    rest = before - (known_bytes if fields else 0)
    fields += [("rest", np.uint8, (rest,))] if rest > 0 else []
    pixel = np.dtype(f"<u{int(bits) // 8}")
    record = np.dtype([*fields, ("data", pixel, (int(head["dimy"]), int(head["dimx"])))])
    paths = _tvips_paths(path)
    offsets = [int(head["size"])] + [0] * (len(paths) - 1)
    parts = [
        _tvips_part(file, record, offset, cut and file == paths[-1])
        for file, offset in zip(paths, offsets, strict=True)
    ]
    left = max(0, paths[-1].stat().st_size - offsets[-1]) % record.itemsize
    notes = (f"{paths[-1].name} is truncated: its last {left} bytes are no whole frame",)
    return head, parts, notes if left else ()


def _tvips_paths(path: Path) -> list[Path]:
    """Find the parts of a recording by their numbers; none may be missing between two others."""
    numbered = re.compile(rf"{re.escape(path.stem[:-3])}(\d{{3}}){re.escape(path.suffix)}")
    found = (numbered.fullmatch(file.name) for file in path.parent.iterdir())
    numbers = sorted(int(match[1]) for match in found if match)
    paths = [path.with_name(f"{path.stem[:-3]}{n:03d}{path.suffix}") for n in numbers]
    missing = set(range(numbers[-1])) - set(numbers) if numbers else set()
    if missing:
        lost = path.with_name(f"{path.stem[:-3]}{min(missing):03d}{path.suffix}").name
        problem = f"is in parts up to {paths[-1].name}, and {lost} is missing"
        raise UnreadableFile(path, problem, f"Copy {lost} into the same folder.")
    return paths or [path]


def _tvips_part(path: Path, record: np.dtype[Any], offset: int, cut: bool = False) -> Any:
    """Map the frames of one part; ``cut`` leaves out an incomplete one at the end."""
    frames, left = divmod(max(0, path.stat().st_size - offset), record.itemsize)
    if frames < 1 or (left and not cut):
        problem = f"is truncated: {frames} whole frames and {left} bytes"
        whole = " Or give the arrangement of the whole frames." * (frames > 0)
        raise UnreadableFile(path, problem, COPY_AGAIN + whole)
    return np.memmap(path, record, "r", offset, (frames,))


def _tvips_span(parts: list[Any]) -> tuple[int, int]:
    """First frame and number of those that the recorder's position index marks without gaps.

    The index counts 1, 2, ... from the scan's first frame to its last. Looks at few frames: each
    look is a seek, and there may be 100 000 frames.
    """
    if "rotidx" not in (parts[0].dtype.names or ()):
        return 0, 0
    ends = np.cumsum([len(part) for part in parts])

    def index(frame: int) -> int:
        part = int(np.searchsorted(ends, frame, side="right"))
        return int(parts[part]["rotidx"][frame - int(ends[part])])  # counted from the part's end

    number = int(ends[-1])
    first = next((k for k in range(min(number, _TVIPS_LEAD)) if index(k) == 1), None)
    if first is None:
        return 0, 0
    last, beyond = first, number  # halve between a frame inside the scan and one after it
    while beyond - last > 1:
        middle = (last + beyond) // 2
        last, beyond = (middle, beyond) if index(middle) == middle - first + 1 else (last, middle)
    return first, last - first + 1


def open_mrc(path: Path, scan_shape: ScanShape | None) -> Scan:
    """MRC: frames of one type behind the header; Direct Electron's text file gives the scan."""
    from rsciio.mrc import file_reader

    if path.stat().st_size < 1024:
        raise UnreadableFile(path, "is too short for an MRC header", COPY_AGAIN)
    read = file_reader(str(path), lazy=True, navigation_shape=None)[0]
    head = read["original_metadata"]["std_header"]
    sizes = tuple(int(np.ravel(head[n])[0]) for n in ("NZ", "NY", "NX"))
    offset, dtype = 1024 + int(np.ravel(head["NEXT"])[0]), read["data"].dtype
    needed = offset + int(np.prod(sizes)) * dtype.itemsize
    if path.stat().st_size < needed:
        problem = f"is truncated: {path.stat().st_size} of {needed} bytes are there"
        raise UnreadableFile(path, problem, COPY_AGAIN)
    axes = read["axes"]
    if len(read["data"].shape) == 4 and scan_shape is None:  # its frames may be in any order
        calibration, notes = from_axes(axes)
        return build(path, read["data"], calibration, notes)
    frames = np.memmap(path, dtype, "r", offset, sizes)
    data = fold(path, frames, scan_shape)
    return build(path, data, Calibration(), guessed(data.shape, scan_shape))


def open_npy(path: Path, scan_shape: ScanShape | None) -> Scan:
    """Numpy array, mapped; a structured or object array is refused."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "mmap length" not in str(error):
            raise
        raise UnreadableFile(path, "is truncated", "Copy it again from its source.") from error
    if array.dtype.kind not in "uifb" or 0 in array.shape:
        problem = f"holds no patterns: shape {array.shape}, {array.dtype}"
        raise UnreadableFile(path, problem, "A scan is a 4D array of real numbers.")
    if array.ndim == 3 and min(array.shape[1:]) >= LEAST_FRAME:
        data = fold(path, array, scan_shape)
        return build(path, data, Calibration(), guessed(data.shape, scan_shape))
    if array.ndim != 4:
        raise UnreadableFile(
            path,
            f"has an array of shape {array.shape}, a scan has four axes (y, x, ky, kx)",
            "Save the scan as a 4D array, or a stack with the scan shape given.",
        )
    if scan_shape not in (None, ALL) and array.shape[:2] != tuple(scan_shape):
        raise UnreadableFile(
            path, f"has a scan of {array.shape[:2]}, not {scan_shape}", "Leave the shape out."
        )
    return build(path, array, Calibration())


def open_empad(path: Path, scan_shape: ScanShape | None) -> Scan:
    """EMPAD: an .xml that names a raw file of float32 frames of 130 rows, 128 of them pixels."""
    from rsciio.empad import file_reader
    from rsciio.empad._api import _parse_xml

    _, info = _parse_xml(str(path))
    raw = path.with_name(info["raw_filename"])
    if not raw.exists():
        raise UnreadableFile(path, f"names {raw.name}, which is missing", "Copy both files.")
    height, width = info["height"], info["width"]
    record = np.dtype(("<f4", (info["raw_height"], width)))
    frames = raw.stat().st_size // record.itemsize
    promised = info.get("series_count") or info["scan_y"] * info["scan_x"]
    if frames < promised and scan_shape is None:
        problem = f"is truncated: {frames} of {promised} frames are in {raw.name}"
        raise UnreadableFile(path, problem, COPY_AGAIN)
    mapped = np.memmap(raw, "<f4", "r", 0, (frames, info["raw_height"], width))[:, :height]
    axes = file_reader(str(path), lazy=True)[0]["axes"] if frames >= promised else []
    own = None if "series_count" in info else (info["scan_y"], info["scan_x"])
    data = fold(path, mapped, scan_shape or own)
    calibration, notes = from_axes(axes) if len(axes) == 4 else (Calibration(), ())
    return build(path, data, calibration, notes + (guessed(data.shape, scan_shape or own)))
