"""How does a network learn? One loop, from the first batch to a model folder.

A round goes once through the training patterns. Every few rounds the model is validated, the best
one is kept in the folder, and a checkpoint is written, from which a training that was stopped or
killed goes on as if it had not been.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_orient.files import UnreadableFile, replace_atomically
from napari_orient.jobs import Every, Partial, Progress
from napari_orient.learning.batches import Simulated
from napari_orient.learning.card import write_card
from napari_orient.learning.evaluate import Accuracy, accuracy
from napari_orient.learning.folder import Model, load_model, read_tensors, save_model
from napari_orient.learning.heads import Head
from napari_orient.learning.networks.registry import build_network, variant
from napari_orient.learning.precision import (
    autocast,
    no_denormals,
    pick_device,
    pick_precision,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from orix.crystal_map import Phase
    from torch import Tensor, nn

    from napari_orient.jobs import Job
    from napari_orient.learning.batches import Patterns
    from napari_orient.learning.config import TrainConfig

CHECKPOINT = "checkpoint.safetensors"
_LONGEST_STEP = 5.0  # of the gradient's norm; not for the paper's recipe
_WARM = 200  # steps in which the rate rises (cosine)
_TOLD = 1.0  # seconds between two values of the loss


@dataclass
class State:
    """Where a training is.

    Attributes
    ----------
    round, step
        That are finished.
    seconds
        Spent so far, those before a restart included.
    best
        Lowest loss of a validation.
    stale
        Validations since then.
    history
        One record for each validation: round, step, seconds, rate of learning, losses, scores.
    """

    round: int = 0
    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    stale: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def train(
    config: TrainConfig,
    folder: str | Path,
    *,
    patterns: Patterns | None = None,
    resume: bool = False,
    stop: threading.Event | None = None,
) -> Job[Model]:
    """Train a network.

    Parameters
    ----------
    config
        Network, data and recipe.
    folder
        Of the model; is made where it is missing.
    patterns
        To learn from; None takes those of the config.
    resume
        Go on from the folder's checkpoint. Without it a folder that holds a model is refused.
    stop
        When it is set, the training validates, keeps the best model and ends.

    Yields
    ------
    Progress
        In steps.
    Partial
        "history", the records of all validations (see :class:`State`), after each; between them,
        each second, "loss": how many rounds are done, as a float, and the mean since the last one.

    Returns
    -------
    Model
        The best one, as it lies in the folder.

    Raises
    ------
    ValueError
        If the folder holds another training, or the patterns do not suffice.
    UnreadableFile
        If the checkpoint is damaged, or the folder cannot be written to.
    """
    folder = Path(folder)
    device = pick_device(config.device)
    config = settled(config)
    if not resume and (folder / CHECKPOINT).exists():
        raise ValueError(f"{folder} holds a training: resume it, or take another folder")
    torch.manual_seed(config.seed)
    if patterns is None:
        patterns = yield from _patterns_of(config, device)
    head = Head(config.network, patterns.phase, config.modulo)
    network = build_network(config.network.name, config.network, head.outputs, config.input.size)
    if config.start is not None and not (resume and (folder / CHECKPOINT).exists()):
        _start_from(config.start, network, patterns.phase)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate or 1e-3)
    state = State()
    if resume and (folder / CHECKPOINT).exists():
        state = _resumed(folder / CHECKPOINT, config, network, optimiser)
    folder.mkdir(parents=True, exist_ok=True)
    loop = _Loop(config, folder, patterns, head, network, optimiser, state, device)
    yield Progress(int(loop.share * loop.total), loop.total, "validation patterns")
    loop.prepare()
    while not loop.finished() and not (stop is not None and stop.is_set()):
        yield from loop.round(stop)
        if state.round % config.validate_every == 0 or loop.finished() or loop.stopped:
            yield Progress(int(loop.share * loop.total), loop.total, "validating")
            loop.validate()
            yield Partial("history", [dict(record) for record in state.history])
    if not state.history:
        loop.validate()
    yield Progress(loop.total, loop.total, "testing")
    return loop.tested()


def settled(config: TrainConfig) -> TrainConfig:
    """Fill in what suits the network: batch, rate of learning and schedule.

    Raises
    ------
    ValueError
        If the network is unknown.
    """
    suits = variant(config.network.name)
    hypotheses = config.network.hypotheses or suits.hypotheses
    update = {
        "network": config.network.model_copy(update={"hypotheses": hypotheses}),
        "batch": config.batch or suits.batch,
        "learning_rate": config.learning_rate or suits.learning_rate,
        "schedule": config.schedule or suits.schedule,
    }
    return config.model_copy(update=update)


def _start_from(folder: str, network: nn.Module, phase: Phase) -> None:
    """Take over the weights of another model."""
    before = load_model(folder)
    if before.phase.name != phase.name:
        raise ValueError(f"{folder} has learned {before.phase.name}, and not {phase.name}")
    try:
        network.load_state_dict(before.network.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"{folder} is another network, which cannot be started from: "
            f"{before.config.network.name}, head {before.config.network.head}, "
            f"{before.config.input.size} pixels"
        ) from error


def _patterns_of(config: TrainConfig, device: str) -> Job[Patterns]:
    if config.simulation is not None:
        return Simulated(config, device)
    from napari_orient.learning.from_scan import labelled_patterns

    return (yield from labelled_patterns(config))


class _Loop:
    """The training itself."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        patterns: Patterns,
        head: Head,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        state: State,
        device: str,
    ) -> None:
        self.config, self.folder, self.patterns, self.head = config, folder, patterns, head
        self.network, self.optimiser, self.state, self.device = network, optimiser, state, device
        self.precision = pick_precision(config.precision, device)
        self.batch = config.batch or 64
        self.total = config.epochs * patterns.steps(self.batch)
        self.mark = time.perf_counter()
        self.stopped = False
        self.losses: list[float] = []
        self.show, self.said = Every(0.3), (state.step, time.perf_counter())
        self.tell, self.told = Every(_TOLD), 0

    def prepare(self) -> None:
        """Make the patterns of the validation."""
        self.images, self.truth = self.patterns.held_out("validation")
        if not len(self.images):
            raise ValueError("no pattern is left for the validation")

    @property
    def share(self) -> float:
        """Of the training that is done, by steps or by time."""
        share, limit = self.state.step / self.total, self.config.time_limit_s
        return min(1.0, share if limit is None else max(share, self.state.seconds / limit))

    def finished(self) -> bool:
        """Whether a rule of the config ends it."""
        config, state = self.config, self.state
        done = state.round >= config.epochs or self.share >= 1
        tired = config.patience is not None and state.stale >= config.patience
        last = state.history[-1]["r2"] if state.history else -math.inf
        target = config.target_r2 if config.network.head == "euler" else None
        return done or tired or (target is not None and last > target)

    def rate(self) -> float:
        """Rate of learning of the next step (Eq. 1 of the paper, by rounds or by steps)."""
        first, state = self.config.learning_rate or 1e-3, self.state
        if self.config.schedule == "epoch":
            return float(first * 0.995 ** ((state.round + 1) / 500))
        if self.config.schedule == "step":
            return float(first * 0.995 ** ((state.step + 1) / 500))
        if self.config.schedule == "cosine":
            warm = min(1.0, (state.step + 1) / _WARM)
            return float(first * warm * (0.5 + 0.5 * math.cos(math.pi * self.share)) + 1e-7)
        return first

    def round(self, stop: threading.Event | None) -> Iterator[Progress | Partial]:
        """Learn from all training patterns once."""
        self.network.train()
        self.mark = time.perf_counter()
        for images, quaternions in self.patterns.round(self.state.round, self.batch):
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate()
            loss = self.step(images.to(self.device), quaternions.to(self.device))
            self.losses.append(loss)
            self.state.step += 1
            self._count()
            if not math.isfinite(loss):
                raise ValueError(
                    f"the loss is no number after {self.state.step} steps: take a lower rate of "
                    "learning, or look for patterns that are damaged"
                )
            self.stopped = stop is not None and stop.is_set()
            if self.stopped or self.share >= 1:
                break
            if self.show.due():  # of all rounds: one may be shorter than a tick
                now = (self.state.step, time.perf_counter())
                speed = self.batch * (now[0] - self.said[0]) / (now[1] - self.said[1])
                self.said = now
                yield Progress(int(self.share * self.total), self.total, self._said(loss, speed))
                self.mark = time.perf_counter()  # a pause is not counted
            if self.tell.due():
                yield self._loss()
                self.mark = time.perf_counter()
        self.state.round += 1

    def _loss(self) -> Partial:
        """Return the mean of the losses that were not told yet, and where the training is."""
        done = self.state.step / self.patterns.steps(self.batch)
        recent, self.told = self.losses[self.told :], len(self.losses)
        return Partial("loss", (done, float(np.mean(recent))))

    def _count(self) -> None:
        """Add the seconds since the mark."""
        now = time.perf_counter()
        self.state.seconds += now - self.mark
        self.mark = now

    def _said(self, loss: float, speed: float) -> str:
        number = f"round {self.state.round + 1} of {self.config.epochs}"
        return f"{number}: loss {loss:.4g}, {speed:.0f} patterns/s"

    def step(self, images: Tensor, quaternions: Tensor) -> float:
        """One step down the gradient; return the loss."""
        with no_denormals():
            return self._step(images, quaternions)

    def _step(self, images: Tensor, quaternions: Tensor) -> float:
        seen = images[:, None].contiguous(memory_format=torch.channels_last)
        with autocast(self.device, self.precision):
            raw = self.network(seen)
        loss = self.head.loss(raw, quaternions)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.network.head != "euler":
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST_STEP)
        self.optimiser.step()
        return float(loss.detach())

    def validate(self) -> None:
        """Score, keep the model if it is the best so far, and write the checkpoint."""
        self.mark = time.perf_counter()
        loss, scores = self._scored(self.images, self.truth)
        state = self.state
        self._count()
        state.history.append(
            {
                "round": state.round, "step": state.step, "seconds": round(state.seconds, 1),
                "learning_rate": self.rate(), "validation_loss": loss,
                "train_loss": float(np.mean(self.losses)) if self.losses else math.nan,
                **scores.as_dict(),
            }
        )  # fmt: skip
        self.losses, self.told = [], 0
        state.stale += 1
        if loss < state.best or not (self.folder / "model.safetensors").exists():
            state.best, state.stale = loss, 0
            self._save({"validation": scores.as_dict()})
        with _writing(self.folder):
            _write_checkpoint(
                self.folder / CHECKPOINT, self.config, self.network, self.optimiser, state
            )

    def tested(self) -> Model:
        """Score the best model on the test patterns, and return it."""
        best = load_model(self.folder, self.device)
        self.network.load_state_dict(best.network.state_dict())
        images, truth = self.patterns.held_out("test")
        scores = dict(best.scores)
        if len(images):
            scores["test"] = self._scored(images, truth)[1].as_dict()
        self._save(scores)
        return load_model(self.folder, self.device)

    def _scored(self, images: np.ndarray, truth: np.ndarray) -> tuple[float, Accuracy]:
        model = self._model({})
        self.network.eval()
        with no_denormals(), torch.inference_mode(), autocast(self.device, self.precision):
            losses = [
                float(
                    self.head.loss(
                        self.network(torch.from_numpy(images[i : i + 64]).to(self.device)[:, None]),
                        torch.from_numpy(truth[i : i + 64]).to(self.device),
                    )
                )
                for i in range(0, len(images), 64)
            ]
        return float(np.mean(losses)), accuracy(truth, model.predict(images), self.patterns.phase)

    def _model(self, scores: dict[str, Any]) -> Model:
        return Model(
            self.network, self.head, self.config, self.patterns.phase, scores,
            self.patterns.facts, self.folder,
        )  # fmt: skip

    def _save(self, scores: dict[str, Any]) -> None:
        model = self._model(scores)
        card = write_card(model, self.patterns.about, self.state.history)
        with _writing(self.folder):
            save_model(model, self.folder, card)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say what a full disk means; safetensors has an error of its own for it."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError) as error:
        why = getattr(error, "strerror", None) or error
        cure = "Make room on the disk and resume: what the last validation wrote is kept."
        raise UnreadableFile(folder, f"cannot be written ({why})", cure) from error


def _write_checkpoint(
    path: Path,
    config: TrainConfig,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: State,
) -> None:
    """Write all that goes on from here, in one step."""
    from safetensors.torch import save_file

    tensors = {f"network.{n}": _plain(v) for n, v in network.state_dict().items()}
    for number, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"adam.{number}.{name}"] = _plain(torch.as_tensor(value))
    facts = {"state": json.dumps(state.__dict__), "config": config.model_dump_json()}
    with replace_atomically(path) as temporary:
        save_file(tensors, temporary, metadata=facts)


def _resumed(
    path: Path, config: TrainConfig, network: nn.Module, optimiser: torch.optim.Optimizer
) -> State:
    """Read a checkpoint into network and optimiser."""
    cure = "Remove it to train from the start; the model beside it stays until then."
    try:
        tensors, facts = read_tensors(path)
    except UnreadableFile as error:
        raise UnreadableFile(path, error.problem, cure) from error
    try:
        before, values = json.loads(facts["config"]), json.loads(facts["state"])
        same = ("network", "input", "scan", "simulation", "batch", "seed", "modulo")
        now = config.model_dump(mode="json")
        changed = [name for name in same if before[name] != now[name]]
        if changed:
            raise ValueError(
                f"{path.parent} was trained with other settings ({', '.join(changed)}): take the "
                "same, or another folder"
            )
        network.load_state_dict(
            {n.removeprefix("network."): v for n, v in tensors.items() if n.startswith("network.")}
        )
        packed = optimiser.state_dict()
        packed["state"] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, number, key = name.split(".")
                packed["state"].setdefault(int(number), {})[key] = value
        optimiser.load_state_dict(packed)
        return State(**values)
    except (KeyError, RuntimeError, TypeError, json.JSONDecodeError) as error:
        raise UnreadableFile(path, f"is no checkpoint of this training ({error})", cure) from error


def _plain(value: Tensor) -> Tensor:
    """A copy as files hold it: on the CPU, in the order of its axes."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
