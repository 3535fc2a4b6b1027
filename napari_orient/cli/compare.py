"""How far apart are two maps? The verb compare."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from napari_orient.cli.opening import add_map_options, is_text, open_map
from napari_orient.cli.report import Reporter, answer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.analysis.errors import Comparison
    from napari_orient.cli.report import AddVerb
    from napari_orient.data.maps import OrientationMap

_TEXT = ("columns", "phase", "angle_unit", "unit")


def add_verbs(verb: AddVerb) -> None:
    """Add the verb compare."""
    sub = verb("compare", _compare, "Say by how much a map differs from a reference of one grid")
    sub.add_argument("reference", metavar="MAP_A", help="the map that is believed")
    sub.add_argument("other", metavar="MAP_B", help="the map that is judged")
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    sub.add_argument(
        "--axes", choices=("map", "vendor"), default="map",
        help="of the Euler angles: the map's (x right, y down, z into the page), or the vendor's, "
        "as in the files; default: map",
    )  # fmt: skip
    sub.add_argument("--out", metavar="FILE", help="errors of each point, as .csv or .h5 (a map)")
    which = sub.add_argument_group("points that count; each option narrows them")
    which.add_argument("--min-q", type=float, metavar="Q", help="least Q (IQ, BC)")
    which.add_argument("--min-r", type=float, metavar="R", help="least R (CI, DP; largest MAD)")
    which.add_argument(
        "--quality-of", choices=("a", "b"), help="whose Q and R; default: A's if it has them"
    )
    which.add_argument("--mask", metavar="FILE", help="not zero in a .npy, .tif or .png file")
    which.add_argument(
        "--split", choices=("train", "validation", "test"),
        help='by the property "split" of either map',
    )  # fmt: skip
    add_map_options(sub)


def _compare(options: argparse.Namespace) -> int:
    from napari_orient.analysis.error_files import write_errors
    from napari_orient.analysis.errors import compare_maps
    from napari_orient.analysis.result_paths import check_result_path
    from napari_orient.analysis.scores import score
    from napari_orient.jobs import run

    if options.out:
        check_result_path(options.out)
    reference, other = (_open(options, file) for file in (options.reference, options.other))
    comparison = run(compare_maps(reference, other, axes=options.axes), Reporter())
    mask, said = _mask(options, comparison)
    scores = score(comparison, mask).summary()
    notes = [*comparison.notes, *said, *filter(None, [scores.pop("note")])]
    facts: dict[str, Any] = {"kind": "comparison", "reference": options.reference}
    facts |= {"other": options.other, "axes": options.axes, **scores, "notes": notes}
    if options.out:
        facts["out"] = str(run(write_errors(comparison, options.out), Reporter()))
    answer(facts, options.json)
    return 0


def _open(options: argparse.Namespace, file: str) -> OrientationMap:
    """Open one of the two; what is said of text files is not said of the other."""
    given = vars(options)
    if not is_text(file) and any(map(is_text, (options.reference, options.other))):
        given = {**given, **dict.fromkeys(_TEXT)}
    return open_map(argparse.Namespace(**given), file)


def _mask(
    options: argparse.Namespace, comparison: Comparison
) -> tuple[NDArray[np.bool_] | None, list[str]]:
    """Points that all options let pass, and whose Q and R were taken."""
    from napari_orient.analysis.error_files import read_mask
    from napari_orient.analysis.scores import quality_mask, quality_names, split_mask

    both = {"a": comparison.reference, "b": comparison.other}
    masks, said = [], []
    if options.min_q is not None or options.min_r is not None:
        whose = options.quality_of or _with_quality(options, both)
        masks.append(quality_mask(both[whose], options.min_q, options.min_r))
        names = zip(quality_names(both[whose]), (options.min_q, options.min_r), strict=True)
        used = " and ".join(name for name, limit in names if name and limit is not None)
        said.append(f"Filtered by {used} of map {whose.upper()}.")
    if options.mask:
        masks.append(read_mask(options.mask, comparison.shape))
    if options.split:
        whose = next((w for w, one in both.items() if "split" in one.properties), "b")
        masks.append(split_mask(both[whose], options.split))
    if not masks:
        return None, said
    mask = masks[0]
    for one in masks[1:]:
        mask = mask & one
    return mask, said


def _with_quality(options: argparse.Namespace, both: dict[str, OrientationMap]) -> str:
    """Return the first map that has what the thresholds are for."""
    from napari_orient.analysis.scores import quality_names

    needed = (options.min_q is not None, options.min_r is not None)
    for whose, one in both.items():
        names = quality_names(one)
        if all(name for name, need in zip(names, needed, strict=True) if need):
            return whose
    return "a"
