"""How is a network trained, and what does it see in a scan? The verbs train and predict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_orient.cli.index import check_out, facts_of, kept, region_mask, region_text
from napari_orient.cli.opening import add_scan_options, open_scan
from napari_orient.cli.report import STOPPED, Reporter, answer
from napari_orient.cli.unfinished import add_resume_option, begun

if TYPE_CHECKING:
    import argparse

    from napari_orient.cli.report import AddVerb
    from napari_orient.jobs import Event


def add_verbs(verb: AddVerb) -> None:
    """Add the verbs train and predict."""
    train = verb("train", _train, "Train a network that reads orientations from patterns")
    train.add_argument("config", help="YAML file: network, data and recipe")
    train.add_argument(
        "--out", required=True, metavar="MODEL_DIR", help="folder of the model; is made"
    )
    train.add_argument(
        "--resume", action="store_true", help="go on with the training that lies in the folder"
    )
    train.add_argument("--time-limit", type=float, metavar="S", help="stop after so many seconds")
    train.add_argument("--json", action="store_true", help="print one JSON object")

    study = verb("study", _study, "Train all combinations of a grid of settings; a table")
    study.add_argument("config", help="YAML file with base and grid")
    study.add_argument(
        "--out", required=True, metavar="FOLDER", help="of trainings, table and plot"
    )
    study.add_argument("--json", action="store_true", help="print one JSON object")

    predict = verb("predict", _predict, "Find the orientations of a scan with a trained network")
    predict.add_argument("file", help="a scan; file.h5::/dataset names a dataset")
    predict.add_argument("--model", required=True, metavar="MODEL_DIR", help="folder of the model")
    predict.add_argument(
        "--out", required=True, metavar="MAP",
        help="the new map: .h5 (everything), .ang (as ASTAR's) or .ctf; is replaced",
    )  # fmt: skip
    predict.add_argument("--voltage", type=float, metavar="KV", help="acceleration voltage")
    predict.add_argument(
        "--pixel-size", type=float, metavar="INV_ANGSTROM", help="of the patterns, 1/angstrom"
    )
    predict.add_argument(
        "--answer", choices=("refine", "network"),
        help="refine (default): the best of the network's probable answers, moved to the best "
        "orientation nearby; network: its most probable answer as it is",
    )  # fmt: skip
    predict.add_argument(
        "--region", type=region_text, metavar="Y0:Y1,X0:X1",
        help="rows and columns, the last ones not included, as in 0:20,10:30",
    )  # fmt: skip
    predict.add_argument(
        "--config", metavar="YAML", help="all settings of the prediction; options go before it"
    )
    add_resume_option(predict)
    add_scan_options(predict)


class _Watch(Reporter):
    """Also writes a line for each validation."""

    def __call__(self, event: Event) -> None:
        from napari_orient.jobs import Partial

        if isinstance(event, Partial) and event.name != "history":
            return
        super().__call__(event)
        if isinstance(event, Partial):
            last = event.value[-1]
            print(
                f"round {last['round']}: loss {last['validation_loss']:.4g}, "
                f"R2 {last['r2']:.3f}, median {last['median_deg']:.2f} degrees "
                f"(modulo half a turn about the beam {last['median_deg_modulo_beam']:.2f}), "
                f"{100 * last['within_5deg_modulo_beam']:.0f} % of these within 5",
                file=sys.stderr,
            )


def _train(options: argparse.Namespace) -> int:
    from napari_orient.jobs import run
    from napari_orient.learning.config import TrainConfig
    from napari_orient.learning.folder import load_model
    from napari_orient.learning.train import train

    config = TrainConfig.from_yaml(options.config)
    if options.time_limit is not None:
        limit = {"time_limit_s": options.time_limit}
        config = TrainConfig.checked({**config.model_dump(), **limit}, where="--time-limit")
    watch, code = _Watch(), 0
    try:
        model = run(train(config, options.out, resume=options.resume), watch)
    except KeyboardInterrupt:
        if watch.partial is None:  # nothing is finished
            raise
        model, code = load_model(options.out), STOPPED
    history = watch.partial.value if watch.partial is not None else []
    last = history[-1] if history else {}
    facts: dict[str, Any] = {
        "kind": "model",
        "network": model.config.network.name,
        "phase": model.phase.name,
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "rounds": last.get("round"),
        "steps": last.get("step"),
        "seconds": last.get("seconds"),
        "scores": model.scores,
        "out": str(Path(options.out)),
        "finished": code == 0,
    }
    answer(facts, options.json)
    return code


def _study(options: argparse.Namespace) -> int:
    from napari_orient.jobs import run
    from napari_orient.learning.study import TABLE, StudyConfig, run_study
    from napari_orient.learning.study_plot import PLOTS

    watch, code = Reporter(), 0
    try:
        table = run(run_study(StudyConfig.from_yaml(options.config), options.out), watch)
    except KeyboardInterrupt:
        table, code = watch.partial.value if watch.partial is not None else [], STOPPED
    out = Path(options.out)
    facts = {"kind": "study", "table": table, "out": str(out / TABLE), "finished": code == 0}
    plot = out / PLOTS[0]
    answer({**facts, "plot": str(plot) if plot.exists() else None}, options.json)
    return code


def _predict(options: argparse.Namespace) -> int:
    from napari_orient.learning.folder import load_model
    from napari_orient.learning.predict import PredictConfig, predict_scan

    out = Path(options.out)
    check_out(out)  # before the work, not after it
    given = {
        "voltage_kv": options.voltage, "pixel_size": options.pixel_size, "answer": options.answer,
    }  # fmt: skip
    asked = {name: value for name, value in given.items() if value is not None}
    config = PredictConfig.from_yaml(options.config) if options.config else PredictConfig()
    config = PredictConfig.checked({**config.model_dump(), **asked}, where="predict")
    model = load_model(options.model)
    scan = open_scan(options)
    region, start = region_mask(scan, options.region), begun(out, options.resume)
    found, code = kept(predict_scan(scan, model, config, region=region, start=start), scan, out)
    facts = {**facts_of(found), "model": model.name, "out": str(out), "finished": code == 0}
    answer(facts, options.json)
    return code
