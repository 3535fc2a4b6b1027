"""Which grains does a map or a volume hold? The verb grains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_orient.cli.opening import add_map_options, open_map
from napari_orient.cli.report import Reporter, answer

if TYPE_CHECKING:
    import argparse

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.analysis.report import Findings
    from napari_orient.cli.report import AddVerb
    from napari_orient.data.maps import OrientationMap


def add_verbs(verb: AddVerb) -> None:
    """Add the verb grains."""
    sub = verb("grains", _grains, "Find the grains of a map or a volume, and measure them")
    sub.add_argument("file", metavar="MAP_OR_VOLUME", help="file.h5::/group names one of several")
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    sub.add_argument(
        "--threshold", type=float, metavar="DEG",
        help="misorientation of neighbours above which they are of two grains; default: 5",
    )  # fmt: skip
    sub.add_argument("--smallest", type=int, metavar="POINTS", help="smallest grain; default: 10")
    sub.add_argument(
        "--merge-small", action="store_true", help="smaller ones join a neighbour; default: none"
    )
    sub.add_argument(
        "--fill", type=int, metavar="STEPS", help="give points without a grain to one so far away"
    )
    sub.add_argument(
        "--merge-twins", action="append", metavar="LAW",
        help="twins are one grain with their parent: 'sigma 3', '{10-12}', '86.3 [11-20]'; "
        "may be repeated",
    )  # fmt: skip
    sub.add_argument(
        "--modulo-beam", action="store_true", help="half turns about the beam do not split grains"
    )
    sub.add_argument(
        "--least", action="append", metavar="NAME=VALUE",
        help="points with less of a property do not count, as in CI=0.1; may be repeated",
    )  # fmt: skip
    sub.add_argument(
        "--edge-grains", action="store_true", help="statistics count grains cut by the edge, too"
    )
    sub.add_argument("--section", type=int, metavar="N", help="only this section of a volume")
    sub.add_argument("--config", metavar="YAML", help="settings; options win over it")
    sub.add_argument(
        "--reference", metavar="FILE",
        help="say how far the grains are from those of this map, over equal fields of view",
    )  # fmt: skip
    sub.add_argument(
        "--halfwidth", type=float, default=10.0, metavar="DEG",
        help="of the kernel that smooths textures; default: 10",
    )  # fmt: skip
    sub.add_argument("--out", metavar="FILE", help="table of grains (.csv), or a map (.h5)")
    sub.add_argument(
        "--figures", metavar="FOLDER",
        help="write figures of sizes, shapes, boundaries and texture, and their numbers as .csv",
    )  # fmt: skip
    sub.add_argument(
        "--figure-format", choices=("png", "svg", "pdf"), default="png", help="default: png"
    )
    add_map_options(sub)


def _grains(options: argparse.Namespace) -> int:
    from napari_orient.analysis.grains.files import write_grains
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.analysis.report import examine
    from napari_orient.analysis.validation.views import equal_views
    from napari_orient.jobs import run

    _check(options)
    config = _config(options)
    opened, believed = _open(options)
    said: tuple[str, ...] = ()
    if believed is not None:
        believed, opened, said = equal_views(believed, opened)
    grains = run(find_grains(opened, config), Reporter())
    facts: dict[str, Any] = {"file": options.file, **grains.summary()}
    findings = run(examine(grains, options.halfwidth), Reporter())
    facts |= findings.summary()
    facts["settings"] = config.model_dump(mode="json")
    if believed is not None:
        facts["validation"] = _validated(believed, grains, said, options.halfwidth)
    if options.out:
        facts["out"] = str(run(write_grains(grains, options.out), Reporter()))
    if options.figures:
        _draw(findings, options, facts)
    answer(facts, options.json)
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse files that cannot be written, and a halfwidth that is not possible: at once."""
    from napari_orient.analysis.report_files import check_report_folder
    from napari_orient.analysis.result_paths import check_result_path
    from napari_orient.analysis.texture.kernel import Kernel

    if options.out:
        check_result_path(options.out)
    if options.figures:
        check_report_folder(options.figures)
    Kernel(options.halfwidth)


def _draw(findings: Findings, options: argparse.Namespace, facts: dict[str, Any]) -> None:
    """Write the figures, and say which and what has none."""
    from napari_orient import __version__
    from napari_orient.analysis.report_files import write_report
    from napari_orient.jobs import run

    about = f"napari-orient {__version__}: {options.file}"
    job = write_report(findings, options.figures, ending=options.figure_format, about=about)
    report = run(job, Reporter())
    facts["figures"] = [str(path) for path in report.files]
    facts["notes"] = [*facts["notes"], *report.notes]


def _open(options: argparse.Namespace) -> tuple[OrientationMap, OrientationMap | None]:
    """Open the map and, where one is named, that which is believed; of a volume the section."""
    import argparse

    from napari_orient.data.sections import section_of

    files = [options.file, options.reference] if options.reference else [options.file]
    opened = [open_map(argparse.Namespace(**{**vars(options), "file": file})) for file in files]
    if options.section is not None:
        if all(len(one.shape) == 2 for one in opened):
            raise ValueError("a map has no sections: leave out --section")
        opened = [section_of(one, options.section) for one in opened]
    return opened[0], opened[1] if options.reference else None


def _validated(
    believed: OrientationMap, grains: Grains, said: tuple[str, ...], halfwidth: float
) -> dict[str, Any]:
    """Compare with the grains of the reference, found alike."""
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.analysis.validation.compare import compare_materials
    from napari_orient.jobs import run

    reference = run(find_grains(believed, grains.config), Reporter())
    found = run(compare_materials(reference, grains, halfwidth=halfwidth), Reporter()).summary()
    return {**found, "notes": [*said, *found["notes"]]}


def _config(options: argparse.Namespace) -> GrainConfig:
    """Settings of the file, and of the options over them."""
    from napari_orient.analysis.grains.config import GrainConfig

    base = GrainConfig.from_yaml(options.config) if options.config else GrainConfig()
    given = {
        "threshold": options.threshold,
        "smallest": options.smallest,
        "small": "merge" if options.merge_small else None,
        "fill": options.fill,
        "merge_twins": options.merge_twins,
        "modulo_beam": options.modulo_beam or None,
        "edge_grains": options.edge_grains or None,
        "least": dict(map(_limit, options.least)) if options.least else None,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    return GrainConfig.checked({**base.model_dump(), **changed}, "the options")


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--least {text!r}: write it as NAME=VALUE, as in CI=0.1") from None
