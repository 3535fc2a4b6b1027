"""Which orientations does a scan show? The verb index."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient.cli.opening import add_scan_options, open_scan
from napari_orient.cli.report import STOPPED, Reporter, answer
from napari_orient.cli.unfinished import Keeper, add_resume_option, begun, why
from napari_orient.files import UnreadableFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.cli.report import AddVerb
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.jobs import Job

_FEW = 0.1  # of the positions: with less, the settings are more likely wrong than the sample empty
_FORMATS = {".h5": "h5", ".hdf5": "h5", ".ang": "astar", ".ctf": "ctf"}


def add_verbs(verb: AddVerb) -> None:
    """Add the verb index."""
    index = verb("index", _index, "Find the orientations of a scan by template matching")
    index.add_argument("file", help="a scan; file.h5::/dataset names a dataset")
    index.add_argument(
        "--out", required=True, metavar="MAP",
        help="the new map: .h5 (everything), .ang (as ASTAR's) or .ctf; is replaced",
    )  # fmt: skip
    index.add_argument(
        "--phase", action="append", metavar="NAME_OR_CIF",
        help="a crystal of the scan: a name, or a .cif file; once for each",
    )  # fmt: skip
    index.add_argument("--voltage", type=float, metavar="KV", help="acceleration voltage")
    index.add_argument(
        "--pixel-size", type=float, metavar="INV_ANGSTROM", help="of the patterns, 1/angstrom"
    )
    index.add_argument("--spacing", type=float, metavar="DEG", help="of the library; default 1")
    index.add_argument(
        "--config", metavar="YAML", help="all settings of matching; options go before it"
    )
    index.add_argument(
        "--region", type=region_text, metavar="Y0:Y1,X0:X1",
        help="rows and columns that are indexed, the last ones not included, as in 0:20,10:30",
    )  # fmt: skip
    add_resume_option(index)
    add_scan_options(index)


def region_text(text: str) -> tuple[slice, slice]:
    """Read rows and columns, as in 0:20,10:30."""
    try:
        rows, columns = (slice(*map(int, part.split(":"))) for part in text.split(","))
    except (TypeError, ValueError):
        rows = columns = slice(None)
    ends = (rows.start, rows.stop, columns.start, columns.stop)
    if None in ends or (rows.step, columns.step) != (None, None):
        said = f"{text!r} is no region: write rows and columns as in 0:20,10:30"
        raise argparse.ArgumentTypeError(said)
    return rows, columns


def _index(options: argparse.Namespace) -> int:
    from napari_orient.diffraction.matching.index import index_scan

    out = Path(options.out)
    check_out(out)  # before the work, not after it
    config = _config(options)
    scan = open_scan(options)
    region, start = region_mask(scan, options.region), begun(out, options.resume)
    found, code = kept(index_scan(scan, config, region=region, start=start), scan, out)
    answer({**facts_of(found), "out": str(out), "finished": code == 0}, options.json)
    return code


def kept(job: Job[OrientationMap], scan: Scan, out: Path) -> tuple[OrientationMap, int]:
    """Run a job that fills a map, and save what is finished whatever happens.

    What is not finished lies beside the map, too, for ``--resume``; also when the run is killed.

    Returns
    -------
    tuple
        The map, and the exit code. An error is raised again once the map is saved.
    """
    from napari_orient.jobs import run

    report, code = Keeper(out), 0
    try:
        found = run(job, report)
    except BaseException as error:
        if report.partial is None:  # nothing is finished
            raise
        report.write()
        found, code = report.partial.value, STOPPED
        if not isinstance(error, KeyboardInterrupt):
            save(found, out)
            done = (
                int(found.done.sum()) if found.done is not None else found.quaternions[..., 0].size
            )
            print(f"{out}: {done} points that were finished are kept", file=sys.stderr)
            raise
    finally:
        scan.close()
    save(found, out)
    if code == 0:
        report.remove()
    _say_few(found)
    return found, code


def _say_few(found: OrientationMap) -> None:
    """Say that (nearly) nothing was recognised: the map looks as if it were empty."""
    count, indexed = int(found.done.sum()), int(found.indexed.sum())
    if indexed < _FEW * count:
        print(
            f"only {indexed} of {count} positions are indexed: check phase, pixel size and "
            "voltage, and whether the patterns are empty",
            file=sys.stderr,
        )


def check_out(path: Path) -> None:
    """Refuse a path that no map can be written to."""
    if path.suffix.lower() not in _FORMATS:
        raise UnreadableFile(
            path, "is not named as a map", f"Let the name end in {', '.join(_FORMATS)}."
        )
    if not path.parent.is_dir():
        raise UnreadableFile(path, "lies in a folder that does not exist", "Make the folder first.")
    if path.is_dir():
        raise UnreadableFile(path, "is a folder", "Give the map another name.")
    if not os.access(path.parent, os.W_OK):
        raise UnreadableFile(path, "lies in a folder that cannot be written to", "Take another.")


def _config(options: argparse.Namespace) -> IndexConfig:
    """Settings of the YAML file, with those of the options."""
    from napari_orient.diffraction.matching.config import IndexConfig

    config = IndexConfig.from_yaml(options.config) if options.config else IndexConfig()
    given = {
        "phases": options.phase, "voltage_kv": options.voltage, "pixel_size": options.pixel_size,
        "spacing_deg": options.spacing,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    return IndexConfig.checked({**config.model_dump(), **changes}, where="index")


def region_mask(scan: Scan, region: tuple[slice, slice] | None) -> NDArray[np.bool_] | None:
    """Return the positions (y, x) of a region; None of none."""
    import numpy as np

    if region is None:
        return None
    mask = np.zeros(scan.scan_shape, np.bool_)
    mask[region] = True
    return mask


def save(found: OrientationMap, path: Path) -> None:
    """Write a map; where that fails (a full disk) it is written to the temporary folder instead."""
    from napari_orient.data.export.write import export_map
    from napari_orient.jobs import run

    try:
        run(export_map(found, path, _FORMATS[path.suffix.lower()], overwrite=True), Reporter())
    except (OSError, UnreadableFile) as error:
        spare = Path(tempfile.mkdtemp(prefix="napari-orient-")) / f"{path.stem}.h5"
        run(export_map(found, spare, "h5", overwrite=True), Reporter())
        cure = f"The map is kept in {spare}."
        raise UnreadableFile(path, f"cannot be written ({why(error)})", cure) from error


def facts_of(found: OrientationMap) -> dict[str, Any]:
    """What was found, and how fast."""
    said = found.provenance
    seconds = said["seconds"]
    points = {phase["name"]: phase["points"] for phase in found.summary()["phases"]}
    return {
        "kind": "map",
        "shape": list(found.shape),
        "n": said["patterns"],
        "indexed": int(found.indexed.sum()),
        "phases": points,
        "seconds": seconds,
        "patterns_per_second": round(said["patterns"] / seconds, 1) if seconds else None,
        "exploratory": said["exploratory"],
        "remarks": said["remarks"],
    }
