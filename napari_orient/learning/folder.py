"""What is a trained model on disk? A folder: weights, settings, and a card that says what it is.

``model.safetensors`` holds the weights and the phase, ``config.yaml`` the settings it was trained
with, ``card.md`` data, split, scores and licence. Nothing in it is code: no pickle is ever read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient import __version__
from napari_orient.data.maps import phase_from_json, phase_to_json
from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.learning.config import TrainConfig
from napari_orient.learning.heads import Head, Prediction, joined
from napari_orient.learning.networks.prediction import for_prediction
from napari_orient.learning.networks.registry import build_network, variant
from napari_orient.learning.precision import autocast, no_denormals, pick_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase
    from torch import Tensor, nn

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.yaml", "card.md"
_KIND = "napari-orient model"
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")


@dataclass(frozen=True, eq=False)
class Model:
    """A network that reads orientations from patterns; from :func:`load_model` or a training.

    Attributes
    ----------
    network, head
        Images (n, 1, size, size) to numbers, and numbers to orientations.
    config
        It was trained with.
    phase
        That it knows.
    scores
        Of validation and test, as plain numbers.
    facts
        Of the patterns it learned from, where known: "voltage_kv", and "pixel_size" of what it
        sees, in 1/angstrom.
    folder
        Where it lies, or None.
    """

    network: nn.Module
    head: Head
    config: TrainConfig
    phase: Phase
    scores: dict[str, Any]
    facts: dict[str, Any]
    folder: Path | None = None

    @cached_property
    def _fast(self) -> nn.Module:
        """The network as it predicts; it follows no further training."""
        device = next(self.network.parameters()).device.type
        precision = pick_precision(self.config.precision, device)
        return for_prediction(self.network, bfloat16=precision == "bfloat16")

    @property
    def name(self) -> str:
        """Of its folder, else of its network."""
        return self.folder.name if self.folder else self.config.network.name

    def about(self) -> dict[str, Any]:
        """What a map has to say of the model that made it, as plain JSON types."""
        return {
            "name": self.name,
            "folder": str(self.folder or ""),
            "network": self.config.network.name,
            "phase": self.phase.name,
            "modulo": list(self.config.modulo),
            "facts": self.facts,
            "simulated": self.config.simulation is not None,
        }

    def predict(self, images: NDArray[np.float32]) -> Prediction:
        """Read patterns (n, size, size) in [0, 1], of ``patterns.network_images``."""
        size = self.config.input.size
        if images.ndim != 3 or images.shape[1:] != (size, size):
            raise ValueError(f"the model sees {size} x {size} pixels, not {images.shape[1:]}")
        if not len(images):
            none = np.zeros((0, 1))
            return Prediction(np.zeros((0, 1, 4)), none, none)
        device = next(self.network.parameters()).device
        precision = pick_precision(self.config.precision, device.type)
        parts, at_once = [], variant(self.config.network.name).at_once
        with no_denormals(), torch.inference_mode(), autocast(device.type, precision):
            for first in range(0, len(images), at_once):
                batch = torch.from_numpy(images[first : first + at_once]).to(device)
                seen = batch[:, None].contiguous(memory_format=torch.channels_last)
                parts.append(self.head.predict(self._fast(seen)))
        return joined(parts)


def save_model(model: Model, folder: str | Path, card: str, *, half: bool = False) -> None:
    """Write a model folder; what is there is replaced, file by file, in one step each.

    Parameters
    ----------
    model
        To be written.
    folder
        Is made where it is missing.
    card
        Text of ``card.md``.
    half
        Weights are kept as float16.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: _kept(value, half) for name, value in model.network.state_dict().items()}
    facts = {
        "kind": _KIND, "version": __version__, "phase": phase_to_json(model.phase),
        "scores": json.dumps(model.scores), "facts": json.dumps(model.facts),
    }  # fmt: skip
    with replace_atomically(folder / CONFIG) as path:
        model.config.to_yaml(path)
    with replace_atomically(folder / CARD) as path:
        path.write_text(card, encoding="utf-8")
    with replace_atomically(folder / WEIGHTS) as path:
        save_file(tensors, path, metadata=facts)


def load_model(folder: str | Path, device: str = "cpu") -> Model:
    """Read a model folder.

    Raises
    ------
    UnreadableFile
        If it is no model folder, a file is missing or damaged, or it is a pickle.
    """
    folder = Path(folder)
    if folder.suffix.lower() in _PICKLES:
        raise UnreadableFile(
            folder,
            "may hold a pickle, which can run any program when it is read",
            f"A model is a folder with {WEIGHTS} and {CONFIG}: train it here, or convert the "
            "weights to safetensors where they come from.",
        )
    if folder.name == WEIGHTS:
        folder = folder.parent
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise UnreadableFile(
                folder, f"is no model: {name} is missing", "Choose the folder of a training."
            )
    tensors, facts = read_tensors(folder / WEIGHTS)
    if facts.get("kind") != _KIND:
        raise UnreadableFile(
            folder / WEIGHTS, "holds weights of another program", "Choose the folder of a training."
        )
    config = TrainConfig.from_yaml(folder / CONFIG)
    phase = phase_from_json(facts["phase"])
    head = Head(config.network, phase, config.modulo)
    network = build_network(
        config.network.name, config.network, head.outputs, config.input.size, imagenet=False
    )
    try:
        network.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        raise UnreadableFile(
            folder / WEIGHTS,
            f"does not fit the network in {CONFIG} ({str(error).splitlines()[-1].strip()})",
            "Copy the whole folder again.",
        ) from error
    network.to(device).eval()
    scores, known = json.loads(facts["scores"]), json.loads(facts["facts"])
    return Model(network, head, config, phase, scores, known, folder)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and facts of a .safetensors file.

    Raises
    ------
    UnreadableFile
        If it is damaged or another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise UnreadableFile(
            path, f"is no readable safetensors file ({error})", "Copy it again."
        ) from error


def _kept(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if half and value.is_floating_point() else value.clone()
