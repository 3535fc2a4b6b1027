"""Which file is a scan, and how is it opened? One table of formats, one function for all."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_orient.data.arrangement import Arrangement, arrange, frames_of, rearranged
from napari_orient.data.hdf5 import (
    LEAST_PATTERN,
    AmbiguousFile,
    Candidate,
    ScanShape,
    has_scan,
    open_dataset,
)
from napari_orient.data.layouts import hyperspy_facts
from napari_orient.data.mapped import ALL, tvips_span
from napari_orient.data.pages import release
from napari_orient.data.remarks import remarks
from napari_orient.data.scan import Scan
from napari_orient.data.units import from_axes, kilovolts, known
from napari_orient.data.views import Stacked
from napari_orient.files import UnreadableFile, check_file, split_inside

Tested = Literal["real file", "written file", "untested"]


@dataclass(frozen=True)
class Format:
    """A scan format: suffix, name, and how far its reading was tested."""

    suffix: str
    name: str
    tested: Tested
    access: str = "memory map"


FORMATS = (
    Format(".blo", "NanoMEGAS blockfile", "real file"),
    Format(".mib", "Quantum Detectors Merlin", "real file"),
    Format(".tvips", "TVIPS recording (one or several files)", "written file"),
    Format(".app5", "NanoMEGAS Topspin", "written file", "one memory map a frame"),
    Format(".hspy", "HyperSpy HDF5", "written file", "HDF5"),
    Format(".zspy", "HyperSpy zarr", "written file", "zarr"),
    Format(".h5", "HDF5: our own layout, py4DSTEM, any 4D dataset", "written file", "HDF5"),
    Format(".hdf5", "HDF5, as .h5", "written file", "HDF5"),
    Format(".nxs", "NeXus, as any HDF5", "written file", "HDF5"),
    Format(".h5", "Dectris master file (Arina) and its data files", "written file", "HDF5"),
    Format(".emd", "EMD: NCEM, py4DSTEM", "written file", "HDF5"),
    Format(".emd", "EMD: Velox", "untested", "rosettasciio"),
    Format(".dm3", "Gatan DigitalMicrograph 3", "untested", "rosettasciio"),
    Format(".dm4", "Gatan DigitalMicrograph 4", "untested", "rosettasciio"),
    Format(".mrc", "MRC stack, Direct Electron", "written file"),
    Format(".xml", "EMPAD (.xml beside .raw)", "written file"),
    Format(".npy", "numpy array", "written file"),
)
SUFFIXES = tuple(dict.fromkeys(f.suffix for f in FORMATS))
_HDF5 = (".h5", ".hdf5", ".nxs", ".hspy")
_MAPPED = (".blo", ".mib", ".tvips", ".mrc", ".npy", ".xml")


def sniff_scan(path: str | Path) -> bool:
    """Return True if ``path`` looks like a scan; fast, and never raises.

    By suffix for formats that hold scans, by content for those that hold anything (HDF5, .npy,
    .xml). A file that only looks like one is then reported by :func:`open_scan`.
    """
    try:
        file, dataset = split_inside(path)
        suffix = file.suffix.lower()
        if suffix not in SUFFIXES or not _is_there(file):
            return False
        if suffix in (".h5", ".hdf5", ".nxs"):
            return dataset is not None or has_scan(file)
        if suffix == ".npy":
            return _npy_is_scan(file)
        if suffix == ".xml":
            with file.open("rb") as opened:
                return b"raw_file" in opened.read(20_000)
        return True
    except Exception:  # sniffing: whatever is wrong with the file, it is not ours
        return False


def _is_there(path: Path) -> bool:
    return path.is_file() or (path.suffix.lower() == ".zspy" and path.is_dir())


def _npy_is_scan(path: Path) -> bool:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, _, dtype = read(file)
    return len(shape) == 4 and min(shape[2:]) >= LEAST_PATTERN and dtype.kind in "uifb"


def open_scan(
    path: str | Path,
    *,
    dataset: str | None = None,
    scan_shape: ScanShape | None = None,
    arrangement: Arrangement | None = None,
) -> Scan:
    """Open a scan of any known format, without reading it.

    Parameters
    ----------
    path
        The file; ``file.h5::/path/to/dataset`` names one dataset of an HDF5 file.
    dataset
        The same, as an argument.
    scan_shape
        (rows, columns) for a stack of frames whose file does not say it, or to open the complete
        part of a truncated file.
    arrangement
        The same and more: start frame, flyback, snake, hysteresis. A file that states a scan is
        taken as a stack of its frames, row by row.

    Returns
    -------
    The scan, calibrated as far as the file states; ``notes`` holds what was guessed, not
    understood or found damaged.

    Raises
    ------
    AmbiguousFile
        If an HDF5 file has several candidates; they are in its ``candidates``.
    UnreadableFile
        If it cannot be opened, whatever the reason, or has too few frames.
    ValueError
        If both a scan shape and an arrangement are given.
    """
    if arrangement is not None:
        if scan_shape is not None:
            raise ValueError("give the scan shape or the arrangement, which has rows and columns")
        return _open_arranged(path, dataset, arrangement)
    return _open(path, dataset, scan_shape)


def open_stack(path: str | Path, *, dataset: str | None = None) -> Scan:
    """Open all frames of a file as a scan of one row, (1, frames, ky, kx); arguments as above.

    Frames that a recording has before and after the scan are there, too; an incomplete one at the
    end is left out.

    Raises
    ------
    AmbiguousFile, UnreadableFile
        As :func:`open_scan`.
    """
    mapped = split_inside(path)[0].suffix.lower() in _MAPPED
    # of a scan that is Stacked from frames all come back, whatever its shape
    for shape in (ALL,) if mapped else (ALL, (1, 1), None):
        try:
            scan = _open(path, dataset, shape)
            break
        except AmbiguousFile:
            raise
        except UnreadableFile:
            if mapped or shape is None:
                raise
    frames = frames_of(scan.data)
    return scan.replaced(arrange(frames, Arrangement(columns=len(frames))))


def header_span(path: str | Path) -> tuple[int, int]:
    """Return first frame and number of frames that a file's headers mark as the scan's, or (0, 0).

    Raises
    ------
    UnreadableFile
        If the headers cannot be read.
    """
    file, _ = split_inside(path)
    return tvips_span(file) if file.suffix.lower() == ".tvips" else (0, 0)


def _open_arranged(path: str | Path, dataset: str | None, arrangement: Arrangement) -> Scan:
    stack = open_stack(path, dataset=dataset)
    problem = arrangement.problem(stack.shape[1])
    if problem:
        stack.close()
        raise UnreadableFile(
            split_inside(path)[0], f"cannot be arranged: {problem}", "Give fewer rows or columns."
        )
    return rearranged(stack, arrangement, stack)


def _open(path: str | Path, dataset: str | None, scan_shape: ScanShape | None) -> Scan:
    file, inner = split_inside(path)
    check_file(file)
    notes: list[str] = []
    try:
        with remarks(notes):
            scan = _opener(file)(file, dataset or inner, scan_shape)
            notes += _damage(scan)
            release(scan.data)
    except UnreadableFile:
        raise
    except Exception as error:
        if isinstance(error, (ImportError, AttributeError)) and "rsciio" in str(error):
            raise _foreign_release(file, error) from error
        if isinstance(error, ImportError):
            problem = f"needs a package that is missing ({error})"
            raise UnreadableFile(file, problem, "Install it and try again.") from error
        words = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        raise UnreadableFile(
            file,
            f"cannot be read as {_name(file)} ({type(error).__name__}: {words})",
            "Copy it again from its source; check that its suffix says what it is.",
        ) from error
    scan.notes = (*scan.notes, *dict.fromkeys(notes))
    return scan


def _foreign_release(file: Path, error: Exception) -> UnreadableFile:
    """Where pixels are mapped directly, names inside rosettasciio are used: they may change."""
    from importlib.metadata import version

    problem = f"cannot be read with rosettasciio {version('rosettasciio')} ({error})"
    return UnreadableFile(file, problem, 'Install "rosettasciio==0.15.*", which is known to work.')


def _name(path: Path) -> str:
    return next((f.name for f in FORMATS if f.suffix == path.suffix.lower()), "a scan")


def _damage(scan: Scan) -> list[str]:
    """Read three patterns: the last one fails where a file is cut; NaN are reported."""
    height, width = scan.scan_shape
    missing = 0
    try:
        for y, x in ((0, 0), (height // 2, width // 2), (height - 1, width - 1)):
            pattern = scan.pattern(y, x)
            if pattern.dtype.kind == "f":
                missing = max(missing, int(np.count_nonzero(~np.isfinite(pattern))))
    except Exception:
        scan.close()
        raise
    if not missing:
        return []
    return [f"patterns contain NaN or infinite values (up to {missing} pixels in those looked at)"]


Opener = Callable[[Path, str | None, ScanShape | None], Scan]


def _opener(path: Path) -> Opener:
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".zspy":
        raise UnreadableFile(path, "is a folder, not a scan", "Choose a file in it.")
    if suffix in _MAPPED:
        name = "empad" if suffix == ".xml" else suffix[1:]
        module = importlib.import_module("napari_orient.data.mapped")
        function = getattr(module, f"open_{name}")

        def open_mapped(file: Path, dataset: str | None, shape: ScanShape | None) -> Scan:
            if dataset:
                problem = f"holds one scan and no dataset {dataset}"
                raise UnreadableFile(file, problem, "Leave the name of the dataset out.")
            scan: Scan = function(file, shape)
            return scan

        return open_mapped
    if suffix in _HDF5:
        return open_dataset
    special = {".emd": _open_emd, ".zspy": _open_zspy, ".app5": _open_app5}
    if suffix in special:
        return special[suffix]
    if suffix in (".dm3", ".dm4"):
        return _open_digital_micrograph
    known_ones = ", ".join(SUFFIXES)
    raise UnreadableFile(
        path, f"is not of a known scan format ({suffix or 'no suffix'})", f"Known: {known_ones}."
    )


def _open_emd(path: Path, dataset: str | None, scan_shape: ScanShape | None) -> Scan:
    from rsciio.emd._api import is_EMD_Velox

    with contextlib.suppress(Exception):  # not HDF5, not Velox: the next reader says what is wrong
        if is_EMD_Velox(str(path)):
            return _open_rosettasciio(path, "emd", scan_shape, dataset)
    return open_dataset(path, dataset, scan_shape)


def _open_digital_micrograph(path: Path, dataset: str | None, scan_shape: ScanShape | None) -> Scan:
    return _open_rosettasciio(path, "digitalmicrograph", scan_shape, dataset)


def _open_rosettasciio(
    path: Path, plugin: str, scan_shape: ScanShape | None, dataset: str | None = None
) -> Scan:
    """Open with rosettasciio alone: the data stay a graph of tasks (dask)."""
    from napari_orient.data.hdf5 import square

    reader = importlib.import_module(f"rsciio.{plugin}").file_reader
    signals = [s for s in reader(str(path), lazy=True) if np.ndim(s["data"]) in (3, 4)]
    signals.sort(key=lambda s: -np.ndim(s["data"]))
    signals = [s for s in signals if np.ndim(s["data"]) == np.ndim(signals[0]["data"])]
    if not signals:
        cure = "Images and spectra are opened by other readers."
        raise UnreadableFile(path, "holds no scan and no stack of patterns", cure)
    if dataset is None and len(signals) > 1:
        raise AmbiguousFile(path, [_as_candidate(str(i), s) for i, s in enumerate(signals)])
    if dataset and not (dataset.strip("/").isdigit() and int(dataset.strip("/")) < len(signals)):
        raise UnreadableFile(path, f"has no dataset {dataset}", "Name one by its number, from 0.")
    signal = signals[int(dataset.strip("/")) if dataset else 0]
    data, axes = _arranged(signal)
    tem = _mapped_metadata(signal)
    if data.ndim == 3:
        if scan_shape == ALL:
            return Scan(data[None], name=path.stem, source=path)
        shape = square(path, len(data), scan_shape)
        data = data[: shape[0] * shape[1]].reshape(*shape, *data.shape[1:])
        return Scan(data, name=path.stem, source=path)
    calibration, notes = from_axes(
        axes,
        voltage=kilovolts(tem.get("beam_energy")),
        camera_length=known(tem.get("camera_length")),
    )
    return Scan(data, calibration, name=path.stem, source=path, notes=notes)


def _as_candidate(name: str, signal: dict[str, Any]) -> Candidate:
    data = signal["data"]
    return Candidate(name, tuple(data.shape), str(data.dtype), None, int(data.nbytes))


def _arranged(signal: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """Put the scan's axes first where the reader says which they are."""
    data, axes = signal["data"], signal["axes"]
    flags = [bool(axis.get("navigate")) for axis in axes]
    if data.ndim == 4 and sum(flags) == 2:
        order = sorted(range(4), key=lambda i: not flags[i])
        return data.transpose(order), [axes[i] for i in order]
    return data, axes


def _mapped_metadata(signal: dict[str, Any]) -> dict[str, Any]:
    """Values such as TEM.beam_energy: stated, or taken from the vendor's tags by the mapping."""
    instrument = signal["metadata"].get("Acquisition_instrument", {})
    found = dict(instrument.get("TEM", {}))
    for path, (target, convert) in signal.get("mapping", {}).items():
        value: Any = signal["original_metadata"]
        for key in path.split("."):
            value = value.get(key) if hasattr(value, "get") else None
        if value is not None and ".TEM." in target:
            with contextlib.suppress(Exception):  # a vendor's odd tag must not stop the opening
                found.setdefault(target.rsplit(".", 1)[-1], convert(value) if convert else value)
    return found


def _open_zspy(path: Path, dataset: str | None, scan_shape: ScanShape | None) -> Scan:
    """Open HyperSpy's zarr layout; slicing goes to the zarr array itself."""
    import zarr

    from napari_orient.data.hdf5 import square

    root = zarr.open_group(str(path), mode="r")
    if "Experiments" not in root:
        raise UnreadableFile(path, "is not a .zspy folder", "Choose the folder it was saved as.")
    groups = {f"/Experiments/{name}/data": group for name, group in root["Experiments"].groups()}
    groups = {k: g for k, g in groups.items() if "data" in g and g["data"].ndim in (3, 4)}
    if dataset is None and len(groups) > 1:
        raise AmbiguousFile(path, [_zarr_candidate(k, g["data"]) for k, g in groups.items()])
    name = f"/{dataset.strip('/')}" if dataset else next(iter(groups), "")
    if name not in groups:
        raise UnreadableFile(path, f"holds no scan {dataset or ''}".rstrip(), "Choose another.")
    data = groups[name]["data"]
    calibration, notes, facts = hyperspy_facts(groups[name], lambda group: dict(group.attrs))
    if data.ndim == 3:
        data = Stacked([data], square(path, len(data), scan_shape))
    facts = {"name": path.stem, **facts}
    return Scan(data, calibration, source=f"{path}::{name}", notes=notes, **facts)


def _zarr_candidate(name: str, data: Any) -> Candidate:
    return Candidate(name, data.shape, str(data.dtype), data.chunks, int(data.nbytes))


def _open_app5(path: Path, dataset: str | None, scan_shape: ScanShape | None) -> Scan:
    """Topspin: every frame is an HDF5 dataset of its own; each is mapped where it lies."""
    import h5py
    from rsciio.topspin._api import _get_4D_axes

    from napari_orient.files import open_h5

    with open_h5(path) as file:
        found = [g for g in _groups(file) if "0" in g and "Data" in g["0"]]
        if dataset:
            found = [g for g in found if g.name.strip("/") == dataset.strip("/")]
        if not found:
            raise UnreadableFile(path, "holds no SPED scan", "Export the scan from Topspin again.")
        if len(found) > 1:
            raise AmbiguousFile(path, [_app5_candidate(g) for g in found])
        group, name = found[0], found[0].name
        axes = _get_4D_axes(group)
        first = group["0/Data"]
        if first.chunks is not None or not isinstance(first, h5py.Dataset):
            raise UnreadableFile(path, "has compressed frames", "Export it as .blo or .hspy.")
        offsets = [group[f"{i}/Data"].id.get_offset() for i in range(len(group))]
        pixel, frame = first.dtype, first.shape
    whole = np.memmap(path, np.uint8, "r")
    size = int(np.prod(frame)) * pixel.itemsize
    frames = [whole[o : o + size].view(pixel).reshape(1, *frame) for o in offsets]
    own = (int(axes[0]["size"]), int(axes[1]["size"]))
    data = Stacked(frames, scan_shape or own)
    calibration, notes = from_axes(axes)
    return Scan(data, calibration, name=path.stem, source=f"{path}::{name}", notes=notes)


def _groups(file: Any) -> list[Any]:
    """Groups at the first two levels whose names look like Topspin's identifiers."""

    def ours(parent: Any) -> list[Any]:
        keys = [k for k in parent if [len(p) for p in k.split("-")] == [8, 4, 4, 4, 12]]
        return [parent[k] for k in keys if hasattr(parent[k], "keys")]

    top = ours(file)
    return top + [inner for group in top for inner in ours(group)]


def _app5_candidate(group: Any) -> Candidate:
    data = group["0/Data"]
    shape = (len(group), *data.shape)
    return Candidate(group.name, shape, str(data.dtype), None, len(group) * data.nbytes)
