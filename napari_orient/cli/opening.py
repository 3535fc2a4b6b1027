"""How do the options of a verb open a scan or a map?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.data.vendors.text_maps import ColumnChoice


def add_scan_options(sub: argparse.ArgumentParser) -> None:
    """Add what :func:`open_scan` reads."""
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


def add_map_options(sub: argparse.ArgumentParser) -> None:
    """Add what :func:`open_map` reads."""
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


def _shape(text: str) -> tuple[int, int]:
    try:
        rows, columns = text.lower().split("x")
        return int(rows), int(columns)
    except ValueError:
        said = f"{text!r} is no shape: write rows x columns as in 200x300"
        raise argparse.ArgumentTypeError(said) from None


def open_scan(options: argparse.Namespace) -> Scan:
    """Open a scan; a file that only counts its frames is arranged as the options say."""
    from napari_orient.data import formats
    from napari_orient.data.arrangement import Arrangement

    asked = {n: getattr(options, n) for n in ("start", "flyback", "snake", "hysteresis", "fast")}
    given = {name: value for name, value in asked.items() if value is not None}
    if not given:
        return formats.open_scan(
            options.file, dataset=options.dataset, scan_shape=options.scan_shape
        )
    if options.scan_shape is None:
        raise ValueError(f"--{next(iter(given))} needs --scan-shape: rows x columns of the scan")
    rows, columns = options.scan_shape
    made = Arrangement.checked({"rows": rows, "columns": columns, **given}, where="arrangement")
    return formats.open_scan(options.file, dataset=options.dataset, arrangement=made)


def is_text(file: str) -> bool:
    """Say whether a file is a table whose columns and phases may be named."""
    from napari_orient.data.vendors.open import TEXT_SUFFIXES, sniff_map

    suffix = Path(file).suffix.lower()
    return suffix in TEXT_SUFFIXES or (suffix == ".npy" and sniff_map(file))


def open_map(options: argparse.Namespace, file: str | None = None) -> OrientationMap:
    """Open a map, ``options.file`` or another; what a text file leaves open is in the options."""
    from napari_orient.data.vendors import open as vendors

    frame, crystal_axes = options.read_frame, options.read_crystal_axes
    file = file or options.file
    text = is_text(file)
    given = [n for n in ("columns", "phase", "angle_unit", "unit") if getattr(options, n)]
    if given and not text:
        option = given[0].replace("_", "-")
        raise ValueError(f"--{option} is for text files, and {file} says it itself")
    columns = _columns(options, file) if text else None
    return vendors.open_map(file, frame, crystal_axes, columns=columns)


def _columns(options: argparse.Namespace, file: str) -> ColumnChoice | None:
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
    table = read_text_table(check_file(file))
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
