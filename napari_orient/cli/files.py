"""What is in a file, and how is a map or a volume written for other programs? Info and export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient.cli.opening import (
    add_map_options,
    add_scan_options,
    is_text,
    open_map,
    open_scan,
)
from napari_orient.cli.report import Reporter, answer

if TYPE_CHECKING:
    import argparse

    from napari_orient.cli.report import AddVerb
    from napari_orient.data.maps import OrientationMap


def add_verbs(verb: AddVerb) -> None:
    """Add the verbs info and export."""
    info = verb("info", _info, "Say what a file is: shape, calibration, phases")
    info.add_argument(
        "file", help="a scan, a map, or the folder of a model; file.h5::/dataset names a dataset"
    )
    info.add_argument(
        "--check-frame", action="store_true", help="rank the axes of a map by its twins"
    )
    add_scan_options(info)
    add_map_options(info)

    text = "Write a map for other programs, or a volume for a solver; it is read back first"
    export = verb("export", _export, text)
    export.add_argument("file", help="a map or a volume; file.h5::/group names one of several")
    export.add_argument(
        "out", help="the new file: .ang, .ctf, .h5, .dream3d, .inp or .vti; a folder for damask"
    )
    export.add_argument(
        "--format", required=True,
        help="of maps: ang (EDAX), astar, ctf, orix (HDF5) or h5 (ours); "
        "of volumes: damask, dream3d, abaqus, vti",
    )  # fmt: skip
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
    _add_deck_options(export)
    add_map_options(export)


def _add_deck_options(export: argparse.ArgumentParser) -> None:
    decks = export.add_argument_group("volumes for solvers (damask, dream3d, abaqus)")
    decks.add_argument(
        "--per", choices=("grain", "voxel"), help="what has one orientation; default: grain"
    )
    decks.add_argument(
        "--units", choices=("mm", "m", "um"),
        help="of Abaqus: mm, N, MPa (default); m, N, Pa; um, uN, MPa",
    )  # fmt: skip
    decks.add_argument(
        "--lattice", choices=("cF", "cI", "hP", "tI"),
        help="DAMASK's lattice, where the file names no space group",
    )  # fmt: skip
    decks.add_argument(
        "--metal", metavar="SYMBOL", help="DAMASK: whose constants to take; default: by the name"
    )
    decks.add_argument(
        "--geometry-only", action="store_true", help="DAMASK: write geom.vti, no materials"
    )


def _info(options: argparse.Namespace) -> int:
    from napari_orient.data.vendors.open import sniff_map

    if Path(options.file).is_dir() and (Path(options.file) / "model.safetensors").is_file():
        facts = _model_facts(options.file)
    elif sniff_map(options.file) or is_text(options.file):
        opened = open_map(options)
        facts = opened.summary()
        if options.check_frame:
            facts["frame_check"] = _frame_check(opened)
    else:
        if options.check_frame:
            raise ValueError(f"--check-frame is for maps, and {options.file} is a scan")
        scan = open_scan(options)
        facts = scan.summary()
        scan.close()
    check = facts.get("frame_check", {}) if not options.json else {}
    ranking = check.pop("ranking", ())
    answer(facts, options.json)
    for entry in ranking:
        print(_ranked_in_words(entry))
    return 0


def _model_facts(folder: str) -> dict[str, Any]:
    from napari_orient.learning.folder import load_model

    model = load_model(folder)
    seen = model.config.input
    return {
        "kind": "model",
        "network": model.config.network.name,
        "head": model.config.network.head,
        "phase": model.phase.name,
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "input": {"size": seen.size, "pixel_size": seen.pixel_size},
        "learned_from": model.facts,
        "scores": model.scores,
    }


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


def _export(options: argparse.Namespace) -> int:
    from napari_orient.data.export.write import check_format, export_map
    from napari_orient.jobs import run
    from napari_orient.reconstruction.decks.write import DECKS

    if options.format in DECKS:
        return _export_deck(options)
    for option in ("per", "units", "lattice", "metal", "geometry_only"):
        if getattr(options, option):
            words = ", ".join(DECKS)
            raise ValueError(f"--{option.replace('_', '-')} is for volumes ({words})")
    check_format(options.format, mtex=options.mtex)  # before the work, not after it
    opened = open_map(options)
    job = export_map(
        opened, options.out, options.format, frame=options.frame, section=options.section,
        crystal_axes=options.crystal_axes, mtex=options.mtex,
    )  # fmt: skip
    report = run(job, Reporter())
    answer(report.summary(), options.json)
    return 0


def _export_deck(options: argparse.Namespace) -> int:
    from napari_orient.jobs import run
    from napari_orient.reconstruction.decks.write import export_deck

    if options.mtex or options.section is not None:
        raise ValueError("decks are of whole volumes: leave out --section and --mtex")
    if options.frame != "map" or options.crystal_axes != "default":
        raise ValueError("decks are in the frame of the map: leave out --frame and --crystal-axes")
    job = export_deck(
        open_map(options), options.out, options.format, per=options.per,
        units=options.units or "mm", lattice=options.lattice, metal=options.metal,
        geometry_only=options.geometry_only,
    )  # fmt: skip
    answer(run(job, Reporter()).summary(), options.json)
    return 0
