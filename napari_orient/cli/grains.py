"""Which grains does a map or a volume hold? The verb grains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_orient.cli.opening import add_map_options, open_map
from napari_orient.cli.report import Reporter, answer

if TYPE_CHECKING:
    import argparse

    from napari_orient.analysis.grains.config import GrainConfig
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.cli.report import AddVerb
    from napari_orient.data.maps import OrientationMap


def add_verbs(verb: AddVerb) -> None:
    """Add the verb grains."""
    sub = verb("grains", _grains, "Part a map or volume into grains, and measure them")
    sub.add_argument("file", metavar="MAP_OR_VOLUME", help="file.h5::/group names one of several")
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    sub.add_argument(
        "--threshold", type=float, metavar="DEG",
        help="misorientation of neighbours that parts grains; default: 5",
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
        "--modulo-beam", action="store_true", help="half turns about the beam part no grains"
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
    sub.add_argument("--out", metavar="FILE", help="table of grains (.csv), or a map (.h5)")
    add_map_options(sub)


def _grains(options: argparse.Namespace) -> int:
    from napari_orient.analysis.grains.files import check_grains_path, write_grains
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.analysis.validation.views import equal_views
    from napari_orient.data.sections import section_of
    from napari_orient.jobs import run

    if options.out:
        check_grains_path(options.out)
    config = _config(options)
    opened = open_map(options)
    if options.section is not None:
        opened = section_of(opened, options.section)
    said: tuple[str, ...] = ()
    if options.reference:
        believed, opened, said = equal_views(_reference(options), opened)
    grains = run(find_grains(opened, config), Reporter())
    facts: dict[str, Any] = {"file": options.file, **grains.summary()}
    facts["settings"] = config.model_dump(mode="json")
    if options.reference:
        facts["validation"] = _validated(believed, grains, said)
    if options.out:
        facts["out"] = str(run(write_grains(grains, options.out), Reporter()))
    answer(facts, options.json)
    return 0


def _reference(options: argparse.Namespace) -> OrientationMap:
    """Open the map that is believed; of a volume the same section."""
    import argparse

    from napari_orient.data.sections import section_of

    opened = open_map(argparse.Namespace(**{**vars(options), "file": options.reference}))
    return opened if options.section is None else section_of(opened, options.section)


def _validated(believed: OrientationMap, grains: Grains, said: tuple[str, ...]) -> dict[str, Any]:
    """Compare with the grains of the reference, found alike."""
    from napari_orient.analysis.grains.find import find_grains
    from napari_orient.analysis.validation.compare import compare
    from napari_orient.jobs import run

    reference = run(find_grains(believed, grains.config), Reporter())
    found = run(compare(reference, grains), Reporter()).summary()
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
