"""How is a scan saved? Streamed, chunked, compressed; all or nothing.

Our HDF5 layout: group ``scan`` with the dataset ``data`` (y, x, ky, kx) and the attributes
``format``, ``version``, ``name``, ``source``, ``phase``, ``history`` and ``calibration`` (JSON:
every value with its unit and provenance). HyperSpy's layouts (.hspy, .zspy) carry the same
attributes under ``metadata/napari_orient`` and plain axes for everybody else.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.data.blocks import blocks
from napari_orient.data.layouts import VERSION, own_attributes
from napari_orient.data.pages import release
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Every, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Job

Chunks = tuple[int, int, int, int]
SAVE_SUFFIXES = (".h5", ".hdf5", ".hspy", ".zspy")
BLOCK_BYTES = 48_000_000


def default_chunks(shape: tuple[int, ...], dtype: Any) -> Chunks:
    """Chunks with which both a detector drag and a single pattern read little.

    A detector reads, of every chunk column, the whole scan x (chunk of the pattern): 16 to 32 px.
    A pattern reads (chunk of the scan) x the whole pattern: at most about 20 MB, 50 ms to unpack.
    """
    frame = shape[2] * shape[3] * np.dtype(dtype).itemsize
    side = 2 ** int(math.log2(max(1.0, math.sqrt(20e6 / frame))))
    side = min(32, max(8, side))
    inner = 16 if max(shape[2:]) <= 128 else 32
    y, x, ky, kx = (min(c, n) for c, n in zip((side, side, inner, inner), shape, strict=True))
    return y, x, ky, kx


def save_scan(
    scan: Scan,
    path: str | Path,
    *,
    chunks: Chunks | None = None,
    compression: str | None = "gzip",
) -> Job[Path]:
    """Save a scan with its calibration; a job that yields progress and returns the path.

    Never more than a few blocks of 48 MB are in memory. A scan that already exists under ``path``
    is replaced in one step at the end; a cancelled or failed job leaves it as it was.

    Parameters
    ----------
    scan
        Any scan, also a cropped or binned view.
    path
        ``.h5`` or ``.hdf5`` (our layout), ``.hspy`` or ``.zspy`` (HyperSpy's).
    chunks
        Chunk shape; by default that of :func:`default_chunks`.
    compression
        "gzip" (level 1 with byte shuffle: as fast to read as lzf, and smaller), "lzf" or None.
        A .zspy is compressed with zstd unless this is None.

    Raises
    ------
    UnreadableFile
        If the suffix is not one of these, the file is the one being read, or writing fails.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SAVE_SUFFIXES:
        raise UnreadableFile(
            path, f"cannot be written: {suffix or 'no suffix'}", "Use .h5, .hspy or .zspy."
        )
    if scan.source and path.exists() and _same_file(path, scan.source):
        raise UnreadableFile(path, "is the file being read", "Choose another name.")
    chunks = chunks or default_chunks(scan.shape, scan.dtype)
    try:
        if suffix == ".zspy":
            yield from _save_zspy(scan, path, chunks, compression)
        else:
            yield from _save_hdf5(scan, path, chunks, compression)
    except OSError as error:
        cure = "Check free space, permission and that the drive is connected."
        raise UnreadableFile(path, f"cannot be written ({error})", cure) from error
    return path


def _same_file(path: Path, source: str) -> bool:
    origin = Path(source.split("::")[0])
    return origin.exists() and origin.samefile(path)


def write_patterns(scan: Scan, target: Any, chunks: Chunks) -> Generator[Progress, None, None]:
    """Copy a scan block by block into an array on disk of its shape and ``chunks``.

    Raises
    ------
    UnreadableFile
        If the scan cannot be read on.
    """
    show = Every(0.2, first=0.0)
    todo = blocks(scan, BLOCK_BYTES, align=chunks[:2])
    for number, where in enumerate(todo):
        if show.due():
            yield Progress(number, len(todo), f"saving row {where[0].start} of {scan.shape[0]}")
        try:
            block = scan.read(*where)
        except OSError as error:
            cure = "Check that the drive is connected; what was read so far is discarded."
            raise UnreadableFile(scan.source, f"cannot be read on ({error})", cure) from error
        target[where] = np.ascontiguousarray(block, dtype=target.dtype)
        release(scan.data)
    yield Progress(len(todo), len(todo), "saved")


def native_type(scan: Scan) -> np.dtype[Any]:
    """Return the type that counts are stored in: native byte order, bits as bytes."""
    dtype = scan.dtype.newbyteorder("=")
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype


def filters(compression: str | None) -> dict[str, Any]:
    """Options of h5py for a compression: fast to read first, small second."""
    if compression is None:
        return {}
    level = {"compression_opts": 1} if compression == "gzip" else {}
    return {"compression": compression, "shuffle": True, **level}


def _save_hdf5(
    scan: Scan, path: Path, chunks: Chunks, compression: str | None
) -> Generator[Progress, None, None]:
    import h5py

    with replace_atomically(path) as temporary:
        if path.suffix.lower() == ".hspy":
            from rsciio.hspy import file_writer

            temporary.unlink()  # the writer must not find an empty file
            title = _title(scan)
            file_writer(str(temporary), _signal(scan), write_dataset=False, show_progressbar=False)
            place = f"Experiments/{title}"
        else:
            place = "scan"
        with h5py.File(temporary, "a" if place != "scan" else "w") as file:
            group = file.require_group(place)
            if place == "scan":
                group.attrs["version"] = VERSION
                group.attrs.update(own_attributes(scan))
            target = group.create_dataset(
                "data", scan.shape, native_type(scan), chunks=chunks, **filters(compression)
            )
            yield from write_patterns(scan, target, chunks)


def _save_zspy(
    scan: Scan, path: Path, chunks: Chunks, compression: str | None
) -> Generator[Progress, None, None]:
    import numcodecs  # type: ignore[import-untyped]
    import zarr
    from rsciio.zspy import file_writer

    folder = Path(tempfile.mkdtemp(prefix=f".{path.stem}-", suffix=".zspy", dir=path.parent))
    try:
        store = zarr.DirectoryStore(str(folder), dimension_separator="/")
        file_writer(
            store,
            _signal(scan),
            write_dataset=False,
            show_progressbar=False,
            consolidate=False,
        )
        codec = numcodecs.Blosc("zstd", 1, numcodecs.Blosc.SHUFFLE) if compression else None
        group = zarr.open_group(store, mode="a")[f"Experiments/{_title(scan)}"]
        target = group.create_dataset(
            "data", shape=scan.shape, dtype=native_type(scan), chunks=chunks, compressor=codec
        )
        yield from write_patterns(scan, target, chunks)
        zarr.consolidate_metadata(store)
        folder.chmod(0o777 & ~_umask())
        _replace_folder(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    import os

    umask = os.umask(0)
    os.umask(umask)
    return umask


def _replace_folder(folder: Path, path: Path) -> None:
    """Put ``folder`` in the place of ``path``; a folder cannot be replaced in one step."""
    old = None
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.stem}-old-", dir=path.parent))
        path.rename(old / path.name)
    try:
        folder.rename(path)
    except OSError:
        if old is not None:
            (old / path.name).rename(path)
        raise
    finally:
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def _title(scan: Scan) -> str:
    return scan.name.replace("/", "-") or "__unnamed__"


def _signal(scan: Scan) -> dict[str, Any]:
    """Describe the scan to rosettasciio's writers, without its data."""
    known = scan.calibration
    tem: dict[str, Any] = {}
    if known.voltage:
        tem["beam_energy"] = known.voltage.number
    if known.camera_length:
        tem["camera_length"] = known.camera_length.number
    metadata = {
        "General": {"title": _title(scan)},
        "Signal": {"signal_type": "electron_diffraction"},
        "napari_orient": {"version": VERSION, **own_attributes(scan)},
    }
    if tem:
        metadata["Acquisition_instrument"] = {"TEM": tem}
    return {
        "data": np.empty((0,), dtype=native_type(scan)),
        "axes": [_axis(scan, i) for i in range(4)],
        "metadata": metadata,
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "tmp_parameters": {},
        "package_info": {"package": "napari-orient", "package_version": str(VERSION)},
        "learning_results": {},
        "models": {},
    }


def _axis(scan: Scan, index: int) -> dict[str, Any]:
    known = scan.calibration
    quantity = known.step if index < 2 else known.pixel_size
    scale = quantity.pair[index % 2] if quantity else 1.0
    offset = 0.0
    if index >= 2 and quantity and known.centre:
        offset = -known.centre.pair[index - 2] * scale
    unit = ("nm" if index < 2 else "1/Å") if quantity else "px"
    return {
        "_type": "UniformDataAxis",
        "name": ("y", "x", "ky", "kx")[index],
        "units": unit,
        "navigate": index < 2,
        "is_binned": False,
        "size": scan.shape[index],
        "scale": scale,
        "offset": offset,
        "index_in_array": index,
    }
