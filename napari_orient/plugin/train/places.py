"""What lies in a folder that is to hold a model? Nothing, a training to go on with, or others."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_orient.config import ConfigError
from napari_orient.learning.config import TrainConfig

CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "model.safetensors"


@dataclass(frozen=True)
class Place:
    """A folder.

    Attributes
    ----------
    path
        Of it.
    kind
        "free", it is empty or can be made; "training", one can go on; "model", a finished one;
        "damaged", a training that cannot be read; "taken", anything else lies there.
    said
        What there is, in words.
    config, history
        Of the training.
    """

    path: Path
    kind: Literal["free", "training", "model", "damaged", "taken"]
    said: str = ""
    config: TrainConfig | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


def place_of(path: str | Path) -> Place:
    """Look into a folder."""
    path = Path(path).expanduser()
    try:
        if (path / CHECKPOINT).exists():
            return _training(path)
        if (path / WEIGHTS).exists():
            said = f"{path} holds a finished model: take another folder to train a new one."
            return Place(path, "model", said)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            said = f"{path} holds other files: take an empty folder, or a new one."
            return Place(path, "taken", said)
    except OSError as error:
        said = f"{path} cannot be read ({error.strerror or error}): take another folder."
        return Place(path, "taken", said)
    return Place(path, "free")


def _training(path: Path) -> Place:
    from safetensors import SafetensorError, safe_open

    file = path / CHECKPOINT
    try:
        with safe_open(file, framework="np") as opened:
            facts = dict(opened.metadata() or {})
        state = json.loads(facts["state"])
        config = TrainConfig.checked(json.loads(facts["config"]), where=str(file))
        history = list(state["history"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ConfigError) as error:
        said = (
            f"{file} is damaged and cannot be gone on with ({error}). The model beside it can "
            "still predict; take another folder to train."
        )
        return Place(path, "damaged", said)
    said = (
        f"This folder holds a training of {config.network.name}: {state['round']} of "
        f"{config.epochs} rounds, {state['seconds'] / 60:.1f} min. <b>Resume</b> goes on with it; "
        "rounds, time limit and patience may be changed."
    )
    return Place(path, "training", said, config, history)


def free_folder(parent: str | Path, name: str) -> Path:
    """Return a folder that does not exist yet: "name", "name-2" and so on."""
    path, number = Path(parent) / name, 1
    while path.exists():
        number += 1
        path = Path(parent) / f"{name}-{number}"
    return path
