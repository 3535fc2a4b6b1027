"""Which field has the statistics of a map? The verb reconstruct."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient.cli.opening import add_map_options, open_map
from napari_orient.cli.report import STOPPED, Reporter, answer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from napari_orient.cli.report import AddVerb
    from napari_orient.data.maps import OrientationMap
    from napari_orient.reconstruction.config import ReconstructConfig
    from napari_orient.reconstruction.reconstruct import Controls

_FACTS = (
    "loss", "paper_loss", "parts", "evaluations", "seconds", "total_seconds", "peak_mb", "seed",
    "notes",
)  # fmt: skip


def add_verbs(verb: AddVerb) -> None:
    """Add the verb reconstruct."""
    sub = verb("reconstruct", _reconstruct, "Make a field, 2D or 3D, with the statistics of a map")
    sub.add_argument("file", metavar="MAP", help="the reference; file.h5::/group names one")
    sub.add_argument(
        "--size", type=int, nargs="+", metavar="N",
        help="points of the field: Y X, or Z Y X for a volume",
    )  # fmt: skip
    sub.add_argument("--out", required=True, metavar="FIELD.h5", help="the new map or volume")
    sub.add_argument("--config", metavar="YAML", help="settings; options win over it")
    sub.add_argument("--seed", type=int, metavar="N", help="of the random field at the start")
    sub.add_argument("--seeds", type=int, metavar="N", help="fields that are tried; the best stays")
    sub.add_argument("--step", type=float, metavar="LENGTH", help="size of a point, in map units")
    sub.add_argument("--time-limit", type=float, metavar="S", help="seconds for all, at most")
    sub.add_argument("--evaluations", type=int, metavar="N", help="of the loss, for each grid")
    sub.add_argument("--method", help="L-BFGS, L-BFGS-B, TNC, Adam, SGD or BB")
    sub.add_argument(
        "--phases", choices=("main", "all"), help="the most frequent one, or all beside each other"
    )
    sub.add_argument(
        "--assume", choices=("equiaxed", "fibre x", "fibre y"),
        help="for a volume from one map of elongated grains: how it looks from the other sides",
    )  # fmt: skip
    sub.add_argument(
        "--bands", type=int, metavar="N",
        help="of rows with statistics of their own, for maps that change from top to bottom",
    )  # fmt: skip
    sub.add_argument(
        "--consolidate", action="store_true", help="make grains of one orientation in the end"
    )
    sub.add_argument(
        "--section", action="append", metavar="MAP=RIGHT,DOWN", default=[],
        help="for volumes: further sections of the sample, with its axes along their x and y, as "
        "in side.ang=x,z; MAP itself is =x,y",
    )  # fmt: skip
    sub.add_argument(
        "--resume", action="store_true", help="go on from FIELD.part.h5 of a run that was ended"
    )
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    add_map_options(sub)


def _reconstruct(options: argparse.Namespace) -> int:
    from napari_orient.data.maps import save_map
    from napari_orient.files import UnreadableFile
    from napari_orient.jobs import run
    from napari_orient.reconstruction.reconstruct import Controls, reconstruct

    config, out = _config(options), Path(options.out)
    if out.suffix.lower() not in (".h5", ".hdf5"):
        raise UnreadableFile(out, "is no name for a map", "Let the name end in .h5.")
    if not out.parent.is_dir():
        raise UnreadableFile(out, "lies in a folder that does not exist", "Make the folder first.")
    kept = out.with_suffix(".part.h5")
    controls = Controls()
    job = reconstruct(
        _references(options), config, checkpoint=kept, resume=options.resume, controls=controls
    )
    with _stoppable(controls):
        field = run(job, Reporter())
        stopped = controls.stop
    run(save_map(field, out), Reporter())
    kept.unlink(missing_ok=True)
    made = field.provenance
    facts: dict[str, Any] = {"kind": "reconstruction", "file": options.file, "out": str(out)}
    facts |= {"shape": list(field.shape), "step": list(field.step), "unit": field.unit}
    facts |= {name: made[name] for name in _FACTS}
    if "consolidated" in made:
        facts["consolidated"] = made["consolidated"]
    facts["stopped"] = stopped
    answer(facts, options.json)
    return STOPPED if stopped else 0


@contextmanager
def _stoppable(controls: Controls) -> Iterator[None]:
    """Let Ctrl-C end the run after this step, with what it has; asked twice, at once."""
    names = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.getsignal(name) for name in names]

    def stop(*_: Any) -> None:
        controls.stop = True
        for name in names:
            signal.signal(name, signal.default_int_handler)

    for name in names:
        signal.signal(name, stop)
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


def _references(options: argparse.Namespace) -> list[OrientationMap]:
    """Open the map, and the sections across the other axes."""
    import argparse

    from napari_orient.reconstruction.sections import in_sample

    first = open_map(options)
    if not options.section:
        return [first]
    by_axis = {0: first}
    for text in options.section:
        name, _, axes = text.rpartition("=")
        right, _, down = axes.partition(",")
        if not name or not down:
            raise ValueError(f"--section {text!r}: write it as MAP=RIGHT,DOWN, as in side.ang=x,z")
        opened = open_map(argparse.Namespace(**{**vars(options), "file": name}))
        turned, axis = in_sample(opened, right, down)
        if axis in by_axis:
            raise ValueError(f"two sections are across {'zyx'[axis]}: give one for each axis")
        by_axis[axis] = turned
    if len(by_axis) < 3:
        missing = " and ".join("zyx"[axis] for axis in range(3) if axis not in by_axis)
        raise ValueError(f"no section across {missing}: give one for each axis, or one map alone")
    return [by_axis[axis] for axis in range(3)]


def _config(options: argparse.Namespace) -> ReconstructConfig:
    """Settings of the file, and of the options over them."""
    from napari_orient.reconstruction.config import ReconstructConfig

    base = ReconstructConfig.from_yaml(options.config) if options.config else ReconstructConfig()
    names = (
        "size", "seed", "seeds", "step", "time_limit", "evaluations", "method", "phases", "bands",
        "assume",
    )  # fmt: skip
    given = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    if options.consolidate:
        given["consolidate"] = True
    return ReconstructConfig.checked({**base.model_dump(), **given}, "the options")
