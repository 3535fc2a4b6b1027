"""Which models are there, and what is one in words? No Qt: it is read in a thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_orient.crystal.phases import resource
from napari_orient.files import UnreadableFile
from napari_orient.jobs import Job, Progress
from napari_orient.learning.folder import CARD, CONFIG, WEIGHTS, load_model
from napari_orient.learning.networks.registry import NETWORKS
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from napari_orient.data.scan import Scan
    from napari_orient.learning.folder import Model

PICKLES = ("*.pt", "*.pth", "*.pkl", "*.ckpt")
NOT_VALIDATED = "Not validated on experimental patterns."
NO_CARD = "This folder has no card.md: nothing is known of the data and the scores of this model."
LEARNED_FROM = {True: "simulated patterns", False: "patterns of a scan with labels"}
_TERMS = {
    "type it beside Voltage, under Phases, microscope": "type it beside Voltage, under Model",
    "type it in 1/Å beside Pixel, under Phases, microscope": (
        "type it in 1/Å beside Pixel, under Model"
    ),
}


def shipped() -> list[Path]:
    """Return the folders of the models that come with the program."""
    return sorted(path.parent for path in resource("models").glob(f"*/{WEIGHTS}"))


def read(folder: str | Path) -> Job[Model]:
    """Read a model.

    Raises
    ------
    ValueError
        If it is no model, in words that name the folder and the cure.
    """
    folder = Path(folder)
    yield Progress(0, 0, f"reading {folder.name}")
    try:
        _refuse_pickles(folder)
        return load_model(folder)
    except UnreadableFile as error:
        raise ValueError(str(error)) from error
    except (OSError, KeyError) as error:  # a folder made by hand
        raise ValueError(
            f"{folder} is no model that can be read ({error}). Choose the folder of a training."
        ) from error


def _refuse_pickles(folder: Path) -> None:
    """Refuse a folder that holds only what may run a program when it is read."""
    if not folder.is_dir() or (folder / WEIGHTS).is_file():
        return
    for kind in PICKLES:
        for path in sorted(folder.glob(kind)):
            raise UnreadableFile(
                path,
                "may hold a pickle, which can run any program when it is read",
                f"A model is a folder with {WEIGHTS} and {CONFIG}: train it here, or convert the "
                "weights to safetensors where they come from.",
            )


def facts(model: Model) -> str:
    """Return what a model is, in lines."""
    config, seen = model.config, model.config.input
    count = sum(p.numel() for p in model.network.parameters())
    known = NETWORKS.get(config.network.name)
    sees = f"{seen.size}\u00a0×\u00a0{seen.size} pixels"
    if seen.pixel_size:
        sees += f" to {seen.size * seen.pixel_size / 2:.2g}\u00a01/Å"
    voltage = model.facts.get("voltage_kv")
    learned = f"Learned from {LEARNED_FROM[config.simulation is not None]}"
    learned += f", {voltage:g} kV." if voltage else "."
    if config.simulation is not None:
        learned += f" <b>{NOT_VALIDATED}</b>"
    network = known.label if known else config.network.name
    return "<br>".join(
        (
            f"<b>{model.phase.name}</b> · {network}, {count / 1e6:.1f} million parameters, {sees}",
            learned,
            scores(model),
        )
    )


def scores(model: Model) -> str:
    """Return the scores of the test patterns, else of the validation, in a line."""
    for part in ("test", "validation"):
        found = model.scores.get(part)
        if found and "median_deg" in found:
            return (
                f"{part.capitalize()}: median error {found['median_deg']:.1f}°, "
                f"{100 * found['within_5deg']:.0f} % within 5°; modulo half a turn about the beam "
                f"{found['median_deg_modulo_beam']:.1f}°, "
                f"{100 * found['within_5deg_modulo_beam']:.0f} %."
            )
    return "Its scores are not known."


def card(model: Model) -> str:
    """Return the text of a model's card, Markdown."""
    path = (model.folder or Path()) / CARD
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return NO_CARD


def other_phase(model: Model | None, scan: Scan | None) -> str:
    """Return a warning where the scan names another phase than the model knows, else ""."""
    if model is None or scan is None or not scan.phase:
        return ""
    knows = model.phase.name
    if scan.phase.strip().lower() == knows.lower():
        return ""
    return (
        f"The scan names its phase {scan.phase}, and {model.name} knows {knows} alone: it finds "
        f"orientations of {knows} everywhere. Choose a model for {scan.phase}, or correct the "
        "phase of the scan in Load."
    )


def predict_terms(text: object) -> str:
    """Return a message of the library as this dock says it."""
    said = in_terms(text)
    for theirs, ours in _TERMS.items():
        said = said.replace(theirs, ours)
    return said[:1].upper() + said[1:]
