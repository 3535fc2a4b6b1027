"""Could a field be of the material of a map? The verb represent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_orient.cli.opening import add_map_options, is_text, open_map
from napari_orient.cli.report import Reporter, answer

if TYPE_CHECKING:
    import argparse

    from napari_orient.cli.report import AddVerb
    from napari_orient.data.maps import OrientationMap
    from napari_orient.reconstruction.representative.config import RepresentConfig


def add_verbs(verb: AddVerb) -> None:
    """Add the verb represent."""
    text = "Say whether a field, 2D or 3D, could be of the material of a map"
    sub = verb("represent", _represent, text)
    sub.add_argument("reference", metavar="REFERENCE", help="a map; file.h5::/group names one")
    sub.add_argument("result", metavar="RESULT", help="a map or a volume")
    sub.add_argument(
        "--out", metavar="PAGE", help="page.html, with .pdf and .csv beside; or one of these alone"
    )
    sub.add_argument("--config", metavar="YAML", help="settings; options win over it")
    sub.add_argument(
        "--section", action="append", metavar="MAP=RIGHT,DOWN", default=[],
        help="for volumes: further references, sections of the sample with its axes along their x "
        "and y, as in side.ang=x,z; REFERENCE itself is =x,y",
    )  # fmt: skip
    sub.add_argument(
        "--threshold", type=float, metavar="DEG",
        help="misorientation of neighbours that parts grains; default: 5",
    )  # fmt: skip
    sub.add_argument("--smallest", type=int, metavar="POINTS", help="smallest grain; default: 10")
    sub.add_argument(
        "--merge-small", action="store_true", help="smaller ones join a neighbour; default: none"
    )
    sub.add_argument(
        "--halfwidth", type=float, metavar="DEG",
        help="of the kernel that smooths textures; default: 10",
    )  # fmt: skip
    sub.add_argument(
        "--window", type=int, metavar="POINTS", help="of the error maps, odd; default: 17"
    )
    sub.add_argument("--draws", type=int, metavar="N", help="of patches of grains; default: 999")
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    add_map_options(sub)


def _represent(options: argparse.Namespace) -> int:
    from napari_orient.jobs import run
    from napari_orient.reconstruction.representative.page import check_page_path, write_page
    from napari_orient.reconstruction.representative.verdict import represent

    if options.out:
        check_page_path(options.out)
    config = _config(options)
    job = represent(_references(options), _opened(options, options.result), config)
    verdict = run(job, Reporter())
    facts = verdict.summary()
    facts |= {"reference": options.reference, "result": options.result}
    if options.out:
        paths = run(write_page(verdict, options.out), Reporter())
        facts["out"] = [str(path) for path in paths]
    answer(facts if options.json else _in_words(facts), options.json)
    return 0


def _in_words(facts: dict[str, Any]) -> dict[str, Any]:
    """A line for each row, instead of all of its numbers."""
    said = {name: facts[name] for name in ("verdict", "grains")}
    said |= {row["name"]: row["verdict"] for row in facts["rows"]}
    return said | {name: facts[name] for name in ("notes", "out") if name in facts}


def _opened(options: argparse.Namespace, file: str) -> OrientationMap:
    """Open a file; what is said of the columns of text files is for those alone."""
    import argparse

    if not is_text(file) and any(is_text(one) for one in (options.reference, options.result)):
        given = {**vars(options), **dict.fromkeys(("columns", "phase", "angle_unit", "unit"))}
        return open_map(argparse.Namespace(**given), file)
    return open_map(options, file)


def _references(options: argparse.Namespace) -> list[OrientationMap]:
    """Open the reference, and the sections across the other axes."""
    from napari_orient.reconstruction.sections import in_sample

    first = _opened(options, options.reference)
    if not options.section:
        return [first]
    by_axis = {0: first}
    for text in options.section:
        name, _, axes = text.rpartition("=")
        right, _, down = axes.partition(",")
        if not name or not down:
            raise ValueError(f"--section {text!r}: write it as MAP=RIGHT,DOWN, as in side.ang=x,z")
        turned, axis = in_sample(_opened(options, name), right, down)
        if axis in by_axis:
            raise ValueError(f"two sections are across {'zyx'[axis]}: give one for each axis")
        by_axis[axis] = turned
    if len(by_axis) < 3:
        missing = " and ".join("zyx"[axis] for axis in range(3) if axis not in by_axis)
        raise ValueError(f"no section across {missing}: give one for each axis, or one map alone")
    return [by_axis[axis] for axis in range(3)]


def _config(options: argparse.Namespace) -> RepresentConfig:
    """Settings of the file, and of the options over them."""
    from napari_orient.reconstruction.representative.config import RepresentConfig

    base = RepresentConfig.from_yaml(options.config) if options.config else RepresentConfig()
    values = base.model_dump()
    for name in ("halfwidth", "window", "draws"):
        if getattr(options, name) is not None:
            values[name] = getattr(options, name)
    for name in ("threshold", "smallest"):
        if getattr(options, name) is not None:
            values["grains"][name] = getattr(options, name)
    if options.merge_small:
        values["grains"]["small"] = "merge"
    return RepresentConfig.checked(values, "the options")
