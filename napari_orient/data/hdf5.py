"""Which scans are in an HDF5 file, and how is one opened? Listed, or named, never guessed.

Knows its own layout, HyperSpy's (.hspy), the EMD ones (NCEM; py4DSTEM 0.x and 1.0), Dectris master
files, and takes any other 4D dataset, or a stack of frames with the scan's shape, as it is.

Our layout is described in :mod:`napari_orient.data.save`.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient.data.layouts import calibration_of, is_turned
from napari_orient.data.save import default_chunks, save_scan
from napari_orient.data.scan import Scan
from napari_orient.data.views import Stacked, Transposed
from napari_orient.files import UnreadableFile, open_h5

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h5py

ScanShape = tuple[int, int]
SERIES = "/entry/data/*"  # a stack that a Dectris master file spreads over several datasets
LEAST_PATTERN = 8  # px; smaller "patterns" are colours, Euler angles, quaternions
LEAST_FRAME = 16  # px; a stack of smaller images is no scan
_MOST_NODES = 20_000
_MOST_CHUNKS = 100_000


@dataclass(frozen=True)
class Candidate:
    """A dataset that could be a scan: where it is, and facts to choose by."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...] | None
    nbytes: int
    compression: str | None = None
    note: str = ""

    @property
    def is_stack(self) -> bool:
        """True if the frames are in one row, so that the scan's shape must be given."""
        return len(self.shape) == 3

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        note = f", {self.note}" if self.note else ""
        return f"{self.path}: {shape} {self.dtype}, {self.nbytes / 1e6:.4g} MB{note}"


class AmbiguousFile(UnreadableFile):
    """A file with several datasets that could be the scan; ``candidates`` lists them."""

    def __init__(self, path: str | Path, found: list[Candidate]) -> None:
        names = ", ".join(f"{path}::{c.path}" for c in found[:6])
        super().__init__(
            path, f"holds {len(found)} datasets that could be the scan", f"Name one: {names}."
        )
        self.candidates = found


def candidates(path: str | Path) -> list[Candidate]:
    """List the datasets of an HDF5 file that could be a scan, four-dimensional ones first.

    Broken, circular and remote links are passed over.

    Raises
    ------
    UnreadableFile
        If the file is not HDF5, is truncated or cannot be read.
    """
    with open_h5(path) as file:
        found = [c for node in _walk(file) if (c := _candidate(node)) is not None]
        found += _series(file)
    if any(c.path == SERIES for c in found):  # its parts alone are of no use
        found = [c for c in found if not c.path.startswith("/entry/data/data_")]
    return sorted(found, key=lambda c: (c.is_stack, -c.nbytes))


def has_scan(path: str | Path, seconds: float = 0.5) -> bool:
    """Return True if an HDF5 file has a numeric 4D dataset; gives up quietly and in time."""
    import h5py

    end = time.perf_counter() + seconds
    try:
        with h5py.File(path, "r") as file:
            for node in _walk(file):
                found = _candidate(node)
                if found is not None and not found.is_stack:
                    return True
                if time.perf_counter() > end:
                    return False
            return bool(_series(file))
    except Exception:  # sniffing: whatever is wrong with the file, it is not ours
        return False


def _walk(root: h5py.Group) -> Iterator[h5py.Dataset]:
    """Yield every dataset once, following only links that stay whole and inside the file."""
    import h5py

    waiting, seen = [root], {_address(root)}
    while waiting and len(seen) < _MOST_NODES:
        group = waiting.pop(0)
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                continue  # soft links lead to nodes seen anyway, external ones out of the file
            try:
                node = group[key]
            except (KeyError, OSError, RuntimeError, ValueError):
                continue
            if (address := _address(node)) in seen:
                continue
            seen.add(address)
            if isinstance(node, h5py.Group):
                waiting.append(node)
            elif isinstance(node, h5py.Dataset):
                yield node


def _address(node: Any) -> Any:
    import h5py

    return h5py.h5o.get_info(node.id).addr


def _candidate(node: h5py.Dataset) -> Candidate | None:
    shape = node.shape
    if shape is None or len(shape) not in (3, 4) or 0 in shape or node.dtype.kind not in "uif":
        return None
    least = LEAST_PATTERN if len(shape) == 4 else LEAST_FRAME
    ends = (shape[:2] if len(shape) == 4 else shape[-2:]) if is_turned(node) else shape[-2:]
    if min(ends) < least or (len(shape) == 3 and shape[0] < 4):
        return None
    return _describe(node, "stack of frames: give the scan's shape" if len(shape) == 3 else "")


def _describe(node: h5py.Dataset, note: str) -> Candidate:
    shape = tuple(int(n) for n in (node.shape[::-1] if is_turned(node) else node.shape))
    nbytes = math.prod(shape) * node.dtype.itemsize
    chunks = node.chunks[::-1] if node.chunks and is_turned(node) else node.chunks
    return Candidate(node.name, shape, str(node.dtype), chunks, nbytes, _filter(node), note)


def _filter(node: h5py.Dataset) -> str | None:
    if node.compression:
        return str(node.compression)
    plist = node.id.get_create_plist()
    names = [plist.get_filter(i)[3].decode(errors="replace") for i in range(plist.get_nfilters())]
    return ", ".join(n for n in names if n) or None


def check_filters(path: Path, node: h5py.Dataset) -> None:
    """Raise UnreadableFile if the chunks of a dataset are packed in a way that is not installed."""
    import h5py

    plist = node.id.get_create_plist()
    for i in range(plist.get_nfilters()):
        number, _, _, name = plist.get_filter(i)
        if not h5py.h5z.filter_avail(number):
            said = name.decode(errors="replace") or f"number {number}"
            problem = f"is packed with a filter that is not installed ({said})"
            raise UnreadableFile(path, problem, "Run: pip install hdf5plugin, then open it again.")


def unwritten(path: Path, node: h5py.Dataset) -> tuple[str, ...]:
    """Remark on a part of a dataset that HDF5 would silently read as zero.

    Raises
    ------
    UnreadableFile
        If all the files that a virtual dataset refers to are missing.
    """
    if node.is_virtual:
        names = {source.file_name for source in node.virtual_sources()} - {"."}
        names = {name for name in names if "%" not in name}  # numbered without an end
        lost = sorted(n for n in names if not ((path.parent / n).exists() or Path(n).exists()))
        if lost and len(lost) == len(names):
            problem = f"refers to data files that are missing: {', '.join(lost[:3])}"
            raise UnreadableFile(path, problem, "Copy them into its folder, under their names.")
        some = f"{len(lost)} of {len(names)} data files are missing ({lost[0]})" if lost else ""
        return (f"{some}: what was in them reads as zero",) if lost else ()
    if node.chunks is None:
        empty = node.external is None and node.id.get_storage_size() == 0
        return ("nothing was written into it: every pattern reads as zero",) if empty else ()
    total: int = math.prod(-(-n // c) for n, c in zip(node.shape, node.chunks, strict=True))
    if total > _MOST_CHUNKS:  # counting would take long
        return ()
    there = int(node.id.get_num_chunks())
    said = f"{there} of {total} chunks were written: the rest reads as zero"
    return (said,) if there < total else ()


def _series(file: h5py.File) -> list[Candidate]:
    """Describe the stack that a Dectris master file spreads over linked datasets, if it is one."""
    parts = _parts(file)
    if len(parts) < 2 and not (parts and "entry/data/data_000001" in file):
        return []
    frames = sum(len(p) for p in parts)
    shape = (frames, *parts[0].shape[1:])
    nbytes = math.prod(shape) * parts[0].dtype.itemsize
    note = f"series of {len(parts)} datasets"
    kind = str(parts[0].dtype)
    chunks, packed = parts[0].chunks, _filter(parts[0])
    return [Candidate(SERIES, shape, kind, chunks, nbytes, packed, note)]


def _parts(file: h5py.File) -> list[h5py.Dataset]:
    """Return the stacks of a Dectris master file, up to the first that is missing."""
    return [part for part in _linked(file).values() if part is not None]


def _linked(file: h5py.File) -> dict[str, h5py.Dataset | None]:
    """Return the data files' stacks by their names, None for those that are not there.

    Masters often promise more files than were recorded, so that a missing end is normal.

    Raises
    ------
    UnreadableFile
        If one is missing between others: later frames would move to other scan positions.
    """
    import h5py

    group = file.get("entry/data")
    found: dict[str, h5py.Dataset | None] = {}
    for key in sorted(group) if isinstance(group, h5py.Group) else []:
        if key.startswith("data_"):
            link, node = group.get(key, getlink=True), None
            with contextlib.suppress(KeyError, OSError):  # the data file may not have been copied
                node = group[key]
            if node is None or (isinstance(node, h5py.Dataset) and node.ndim == 3):
                found[str(getattr(link, "filename", key))] = node
    there = [node is not None for node in found.values()]
    if there != sorted(there, reverse=True):
        lost = next(name for name, node in found.items() if node is None)
        cure = "Copy all data files into its folder, under their names."
        raise UnreadableFile(file.filename, f"refers to {lost}, which is missing", cure)
    return found


def open_dataset(
    path: str | Path, dataset: str | None = None, scan_shape: ScanShape | None = None
) -> Scan:
    """Open a dataset of an HDF5 file as a scan; the scan keeps the file open.

    Parameters
    ----------
    path
        The file.
    dataset
        Path inside the file; may be left out when there is one 4D dataset, or one stack.
    scan_shape
        (y, x) of a stack of frames, or to reshape a 4D dataset with as many positions.

    Raises
    ------
    AmbiguousFile
        If several datasets could be the scan and none was named.
    UnreadableFile
        If there is none, it has the wrong shape, or the file cannot be read.
    """
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401  registers the filters of Dectris and blosc files
    path = Path(path)
    dataset = dataset or _only(path)
    file = open_h5(path)
    try:
        return _scan(file, path, dataset, scan_shape)
    except BaseException:
        file.close()
        raise


def _only(path: Path) -> str:
    found = candidates(path)
    four = [c for c in found if not c.is_stack]
    if len(four or found) > 1:
        raise AmbiguousFile(path, four or found)
    if not found:
        raise UnreadableFile(
            path,
            "holds no 4D dataset (y, x, ky, kx) and no stack of patterns",
            "If it is an orientation map, open it as a map.",
        )
    return (four or found)[0].path


def _scan(file: h5py.File, path: Path, dataset: str, scan_shape: ScanShape | None) -> Scan:
    import h5py

    if dataset == SERIES:
        stacks: list[Any] = _parts(file)
        check_filters(path, stacks[0])
        calibration, notes, facts = calibration_of(file, None)
        lost = [name for name, part in _linked(file).items() if part is None]
        notes += (f"data files are missing at the end: {', '.join(lost[:3])}",) * bool(lost)
        data: Any = Stacked(stacks, square(path, sum(map(len, stacks)), scan_shape))
    else:
        node = _follow(file, path, dataset)
        if not isinstance(node, h5py.Dataset):
            raise UnreadableFile(
                path, f"has no dataset {dataset}", "Choose one of those that are listed."
            )
        if node.ndim not in (3, 4) or node.dtype.kind not in "uifb" or 0 in node.shape:
            raise UnreadableFile(
                path,
                f"has no scan in {dataset}: shape {node.shape}, {node.dtype}",
                "A scan is a numeric 4D dataset (y, x, ky, kx).",
            )
        check_filters(path, node)
        calibration, notes, facts = calibration_of(file, node)
        notes += unwritten(path, node)
        data = _shaped(path, Transposed(node) if is_turned(node) else node, scan_shape)
    if isinstance(data, Stacked) and scan_shape is None:
        notes += (f"scan shape {data.shape[0]} x {data.shape[1]} guessed: a square",)
    return Scan(
        data,
        calibration,
        name=facts.get("name") or path.stem,
        source=f"{path}::{dataset}",
        phase=facts.get("phase"),
        history=facts.get("history", ()),
        origin=facts.get("origin", (0, 0)),
        notes=notes,
        owner=file,
    )


def _follow(file: h5py.File, path: Path, dataset: str) -> Any:
    import h5py

    try:
        return file[dataset]
    except (KeyError, RuntimeError, OSError, ValueError):
        link = None
        with contextlib.suppress(KeyError, RuntimeError, ValueError):
            link = file.get(dataset, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            problem = f"refers to {link.filename}::{link.path}, which is missing"
            cure = "Copy that file into its folder, under its name."
            raise UnreadableFile(path, problem, cure) from None
        return None


def _shaped(path: Path, data: Any, scan_shape: ScanShape | None) -> Any:
    if len(data.shape) == 3:
        if isinstance(data, Transposed):
            raise UnreadableFile(path, "holds a stack in EMD order", "Export it as a 4D dataset.")
        return Stacked([data], square(path, len(data), scan_shape))
    if scan_shape is not None and tuple(data.shape[:2]) != tuple(scan_shape):
        raise UnreadableFile(
            path,
            f"has a scan of {tuple(data.shape[:2])}, not {tuple(scan_shape)}",
            "Leave the scan shape out.",
        )
    return data


class UnknownScanShape(UnreadableFile):
    """A stack of frames whose file does not say how many rows and columns the scan has.

    Parameters
    ----------
    path
        The file.
    frames
        How many frames there are, kept as :attr:`frames`.
    """

    def __init__(self, path: str | Path, frames: int) -> None:
        super().__init__(
            path,
            f"has {frames} frames in one row and does not say the scan's shape",
            "Give the scan shape (rows, columns).",
        )
        self.frames = frames


def square(path: str | Path, frames: int, scan_shape: ScanShape | None) -> ScanShape:
    """Return the scan's shape of a stack: the one given, else the square if there is one.

    Raises
    ------
    UnreadableFile
        If there are no frames, the given shape needs more than there are, or none is given and
        the number of frames is not a square.
    """
    if frames == 0:
        raise UnreadableFile(
            path,
            "is truncated: not one whole pattern is there",
            "Copy it again from the microscope computer.",
        )
    if scan_shape is not None:
        y, x = (int(n) for n in scan_shape)
        if y < 1 or x < 1 or y * x > frames:
            raise UnreadableFile(
                path,
                f"has {frames} frames, a scan of {y} x {x} needs {y * x}",
                "Give a scan shape with rows x columns = frames.",
            )
        return y, x
    side = math.isqrt(frames)
    if side * side != frames or frames < 4:
        raise UnknownScanShape(path, frames)
    return side, side


__all__ = [
    "AmbiguousFile",
    "Candidate",
    "UnknownScanShape",
    "candidates",
    "default_chunks",
    "has_scan",
    "open_dataset",
    "save_scan",
    "square",
]
