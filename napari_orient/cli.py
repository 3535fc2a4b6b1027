"""How is napari-orient used without a window? One verb a task, one JSON object with --json.

Standard output carries the answer alone; progress and errors go to standard error. Exit codes:
0 = done, 1 = a clear error in one line, 2 = wrong usage, 130 = stopped by the user, with what was
finished kept. Nothing heavy is imported before a verb needs it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient import __version__
from napari_orient.config import ConfigError
from napari_orient.files import UnreadableFile
from napari_orient.jobs import Event, Every, JobFailed, Partial, Progress, TimeLeft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.data.vendors.text_maps import ColumnChoice

STOPPED = 130


class Reporter:
    """Writes a job's progress to standard error and remembers its last partial result."""

    def __init__(self) -> None:
        self.partial: Partial | None = None
        self._show = Every(seconds=0.5, first=0.2)
        self._time_left = TimeLeft()

    def __call__(self, event: Event) -> None:
        """Take one event of a job."""
        if isinstance(event, Partial):
            self.partial = event
            return
        seconds = self._time_left.seconds(event)
        if self._show.due():
            self._write(event, seconds)

    def _write(self, progress: Progress, seconds: float | None) -> None:
        share = f"{100 * progress.fraction:3.0f} %  " if progress.fraction is not None else ""
        left = f"  {seconds:.0f} s left" if seconds is not None else ""
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{share}{progress.text}{left}", end=end, file=sys.stderr, flush=True)


def _answer(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, allow_nan=False))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {_in_words(value)}")


def _in_words(value: Any) -> str:
    if isinstance(value, dict) and "source" in value and "value" in value:
        unit = f" {value['unit']}" if value.get("unit") else ""
        return f"{_in_words(value['value'])}{unit} ({value['source']})"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return _separator(value).join(map(_in_words, value)) if value else "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "not known" if value is None else str(value)


def _separator(values: Sequence[Any]) -> str:
    """Return " x " for shapes and steps; lists of other things are not multiplied."""
    if any(isinstance(value, dict) for value in values):
        return "; "
    numbers = all(type(value) in (int, float) for value in values)
    sizes = all(type(value) is int for value in values) or len(values) == 2
    return " x " if numbers and sizes else ", "


def _info(options: argparse.Namespace) -> int:
    from napari_orient.data.vendors.open import sniff_map

    if sniff_map(options.file) or _is_text(options.file):
        opened = _open_map(options)
        facts = opened.summary()
        if options.check_frame:
            facts["frame_check"] = _frame_check(opened)
    else:
        if options.check_frame:
            raise ValueError(f"--check-frame is for maps, and {options.file} is a scan")
        scan = _open_scan(options)
        facts = scan.summary()
        scan.close()
    check = facts.get("frame_check", {}) if not options.json else {}
    ranking = check.pop("ranking", ())
    _answer(facts, options.json)
    for entry in ranking:
        print(_ranked_in_words(entry))
    return 0


def _ranked_in_words(entry: dict[str, Any]) -> str:
    """Return a line of the ranking: the share, its interval, and the axes that it speaks for."""
    numbers = "too few"
    if entry["share"] is not None:
        share, low, high = (round(100 * entry[name]) for name in ("share", "low", "high"))
        numbers = f"{share} % ({low} to {high})"
    axes = "; ".join(f"{frame}, crystal {crystal}" for frame, crystal in entry["conventions"])
    return f"  {numbers:<18}{axes}{'  <- read so now' if entry['current'] else ''}"


def _frame_check(orientations: OrientationMap) -> dict[str, Any]:
    """Rank the frames that a map's Euler angles may refer to by its twins."""
    from napari_orient.analysis.frames import check_frame
    from napari_orient.jobs import run

    check = run(check_frame(orientations), Reporter())
    ranking = [
        {
            "conventions": [list(convention) for convention in entry.conventions],
            "pairs": entry.pairs,
            "length_px": round(entry.length, 1),
            "share": None if entry.share != entry.share else round(entry.share, 4),
            "low": round(entry.low, 4),
            "high": round(entry.high, 4),
            "current": entry.is_current,
        }
        for entry in check.ranking
    ]
    said = {name: getattr(check, name) for name in ("twins", "pairs", "decided", "verdict")}
    return {**said, "chance": check.chance, "ranking": ranking}


def _open_scan(options: argparse.Namespace) -> Scan:
    """Open a scan; a file that only counts its frames is arranged as the options say."""
    from napari_orient.data.arrangement import Arrangement
    from napari_orient.data.formats import open_scan

    asked = {n: getattr(options, n) for n in ("start", "flyback", "snake", "hysteresis", "fast")}
    given = {name: value for name, value in asked.items() if value is not None}
    if not given:
        return open_scan(options.file, dataset=options.dataset, scan_shape=options.scan_shape)
    if options.scan_shape is None:
        raise ValueError(f"--{next(iter(given))} needs --scan-shape: rows x columns of the scan")
    rows, columns = options.scan_shape
    made = Arrangement.checked({"rows": rows, "columns": columns, **given}, where="arrangement")
    return open_scan(options.file, dataset=options.dataset, arrangement=made)


def _is_text(file: str) -> bool:
    """Say whether a file is a table whose columns and phases may be named."""
    from napari_orient.data.vendors.open import TEXT_SUFFIXES, sniff_map

    suffix = Path(file).suffix.lower()
    return suffix in TEXT_SUFFIXES or (suffix == ".npy" and sniff_map(file))


def _open_map(options: argparse.Namespace) -> OrientationMap:
    """Open a map; what a text file leaves open stands in the options."""
    from napari_orient.data.vendors.open import open_map

    frame, crystal_axes = options.read_frame, options.read_crystal_axes
    text = _is_text(options.file)
    given = [n for n in ("columns", "phase", "angle_unit", "unit") if getattr(options, n)]
    if given and not text:
        option = given[0].replace("_", "-")
        raise ValueError(f"--{option} is for text files, and {options.file} says it itself")
    columns = _columns(options) if text else None
    return open_map(options.file, frame, crystal_axes, columns=columns)


def _columns(options: argparse.Namespace) -> ColumnChoice | None:
    """What the columns of a text file mean: a YAML file, or the guess with the options' changes."""
    from napari_orient.crystal.phases import get_phase
    from napari_orient.data.vendors.text_maps import (
        ColumnChoice,
        guess_columns,
        not_indexed_numbers,
        read_text_table,
        text_phase,
    )
    from napari_orient.files import check_file

    if str(options.columns or "").endswith((".yaml", ".yml")):
        if options.phase or options.angle_unit or options.unit:
            raise ValueError(f"phases and units stand in {options.columns}: change them there")
        return ColumnChoice.from_yaml(options.columns)
    table = read_text_table(check_file(options.file))
    changes: dict[str, Any] = {}
    if options.columns:
        columns = tuple(name.strip() for name in options.columns.split(","))
        changes = {"columns": columns}
        if len(columns) == table.values.shape[1]:
            changes["not_indexed"] = not_indexed_numbers(table, columns)
    if options.angle_unit:
        changes["angle_unit"] = options.angle_unit
    if options.unit:
        changes["unit"] = options.unit
    phases = []
    for place, text in enumerate(options.phase or (), start=1):
        number, name = text.split("=", 1) if "=" in text else (place, text)
        phases.append(text_phase(int(number), get_phase(name)).model_dump())
    guess = guess_columns(table).model_dump()
    return ColumnChoice.checked({**guess, **changes, "phases": phases}, where="--columns")


def _export(options: argparse.Namespace) -> int:
    from napari_orient.data.export.write import check_format, export_map
    from napari_orient.jobs import run

    check_format(options.format, mtex=options.mtex)  # before the work, not after it
    opened = _open_map(options)
    job = export_map(
        opened, options.out, options.format, frame=options.frame, section=options.section,
        crystal_axes=options.crystal_axes, mtex=options.mtex,
    )  # fmt: skip
    report = run(job, Reporter())
    _answer(report.summary(), options.json)
    return 0


def _virtual(options: argparse.Namespace) -> int:
    from napari_orient.data.images import write_tiff
    from napari_orient.diffraction.virtual import Annulus, Disk, VirtualDetector, virtual_image
    from napari_orient.jobs import run

    if options.disk is not None:
        ky, kx, radius = options.disk
        values = {"centre": (ky, kx), "radius": radius}
        shape: Disk | Annulus = Disk.checked(values, where="--disk")
    else:
        ky, kx, inner, outer = options.annulus
        values = {"centre": (ky, kx), "inner": inner, "outer": outer}
        shape = Annulus.checked(values, where="--annulus")
    _check_out(Path(options.out))  # before the work, not after it
    scan = _open_scan(options)
    if not shape.mask(scan.pattern_shape).any():
        height, width = scan.pattern_shape
        raise ValueError(
            f"the detector covers no pixel of the {height} x {width} patterns. Give its centre "
            "and radii in pixels (ky kx)."
        )
    detector = VirtualDetector(name="virtual", shapes=(shape,))
    report, code = Reporter(), 0
    try:
        image = run(virtual_image(scan, detector), report)
    except KeyboardInterrupt:
        if report.partial is None:
            return STOPPED
        # a partial image also holds a preview; only what is done is kept
        image = report.partial.value
        image[~report.partial.done] = float("nan")
        code = STOPPED
    step = scan.calibration.step
    write_tiff(options.out, image, None if step is None else step.pair)
    positions = int((image == image).sum())  # NaN marks positions that were not reached
    facts = {"out": str(options.out), "shape": list(image.shape), "positions": positions}
    _answer({"kind": "virtual image", **facts, "finished": code == 0}, options.json)
    return code


def _check_out(path: Path) -> None:
    """Refuse a path that nothing can be written to, or that would hide a TIFF."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise UnreadableFile(path, "is not named as a TIFF", "Let the name end in .tif.")
    if not path.parent.is_dir():
        raise UnreadableFile(path, "lies in a folder that does not exist", "Make the folder first.")


def _demo(options: argparse.Namespace) -> int:
    from napari_orient.plugin.demo import run_demo

    return run_demo(quick=options.quick, screenshots=options.screenshots, watch=Reporter())


def _shape(text: str) -> tuple[int, int]:
    try:
        rows, columns = text.lower().split("x")
        return int(rows), int(columns)
    except ValueError:
        said = f"{text!r} is no shape: write rows x columns as in 200x300"
        raise argparse.ArgumentTypeError(said) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="napari-orient", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    def scan_options(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        sub.add_argument("--dataset", help="path of the dataset inside an HDF5 file")
        sub.add_argument(
            "--scan-shape", type=_shape, metavar="ROWSxCOLUMNS", help="for files that only count"
        )
        frames = sub.add_argument_group("frames of files that only count them (with --scan-shape)")
        frames.add_argument("--start", type=int, metavar="N", help="first frame of the scan")
        frames.add_argument("--flyback", type=int, metavar="N", help="frames lost after each line")
        frames.add_argument(
            "--snake", choices=("second", "first"), help="which lines run backwards first"
        )
        frames.add_argument(
            "--hysteresis", type=int, metavar="N",
            help="positions by which lines that run backwards are moved towards higher x",
        )  # fmt: skip
        frames.add_argument("--fast", choices=("x", "y"), help="the axis along which lines run")

    def map_options(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--read-frame", default="default", metavar="NAME",
            help="where the file's Euler axes point, as in 'y up'; default: the vendor's",
        )  # fmt: skip
        sub.add_argument("--read-crystal-axes", default="default", metavar="AXES", help="a or a*")
        text = sub.add_argument_group("maps that are text files (.csv, .txt, .tsv, .dat)")
        text.add_argument(
            "--columns", metavar="NAMES",
            help="what the columns are, as in x,y,phi1,Phi,phi2,phase,IQ; or q0 to q3; an empty "
            "name leaves one out; or a .yaml file",
        )  # fmt: skip
        text.add_argument(
            "--phase", action="append", metavar="[N=]NAME",
            help="crystal of phase N: a name, or a .cif file; once for each phase",
        )  # fmt: skip
        text.add_argument("--angle-unit", choices=("degrees", "radians"))
        text.add_argument("--unit", choices=("um", "nm"), help="of x and y")

    info = verb("info", _info, "Say what a file is: shape, calibration, phases")
    info.add_argument("file", help="a scan or a map; file.h5::/dataset names a dataset")
    info.add_argument(
        "--check-frame", action="store_true", help="rank the axes of a map by its twins"
    )
    scan_options(info)
    map_options(info)

    export = verb("export", _export, "Write a map for other programs; it is read back first")
    export.add_argument("file", help="a map; file.h5::/group names one of several")
    export.add_argument("out", help="the new file: .ang, .ctf or .h5")
    export.add_argument(
        "--format", required=True, help="ang (EDAX), astar, ctf, orix (HDF5) or h5 (ours)"
    )
    export.add_argument(
        "--frame", default="map", metavar="NAME",
        help="axes of its Euler angles: map (x right, y down, z into the page), vendor (as in the "
        "file that was read), or a name as in 'y up'; default: map",
    )  # fmt: skip
    export.add_argument(
        "--crystal-axes", default="default", metavar="AXES",
        help="crystal x axis on hexagonal lattices: a or a*; default: a, or the vendor's",
    )  # fmt: skip
    export.add_argument("--section", type=int, help="which section of a volume, from 0")
    export.add_argument("--mtex", action="store_true", help="write a script for MTEX beside it")
    export.add_argument("--json", action="store_true", help="print one JSON object")
    map_options(export)

    virtual = verb("virtual", _virtual, "Make a virtual image of a scan")
    virtual.add_argument("file", help="a scan; file.h5::/dataset names a dataset")
    which = virtual.add_mutually_exclusive_group(required=True)
    which.add_argument("--disk", nargs=3, type=float, metavar=("KY", "KX", "R"), help="pixels")
    which.add_argument("--annulus", nargs=4, type=float, metavar=("KY", "KX", "R0", "R1"))
    virtual.add_argument("--out", required=True, metavar="IMAGE.tif", help="float32 TIFF")
    scan_options(virtual)

    demo = verb("demo", _demo, "Open the window with a simulated LiNiO2 scan and its map")
    demo.add_argument("--quick", action="store_true", help="a smaller scan, made in seconds")
    demo.add_argument("--screenshots", metavar="DIR", help="save screenshots there and close")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    options = _parser().parse_args(arguments)
    # a stop by the batch system ends like Ctrl-C: what is finished is kept
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except (
        UnreadableFile,
        ConfigError,
        JobFailed,
        OSError,
        ValueError,
        ImportError,
        MemoryError,
    ) as error:
        print(f"napari-orient: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, previous)


if __name__ == "__main__":
    sys.exit(main())
