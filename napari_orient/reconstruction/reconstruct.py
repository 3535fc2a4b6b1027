"""From a map to a field with its statistics: 2D or 3D, from coarse to fine, any Laue group."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import Every, Partial, Progress
from napari_orient.reconstruction.checkpoint import State, load_state, save_state
from napari_orient.reconstruction.config import ReconstructConfig, Weights
from napari_orient.reconstruction.consolidate import consolidate
from napari_orient.reconstruction.functions import channels_of, phases_of, quaternions_of
from napari_orient.reconstruction.grids import Grid, random_field, refined
from napari_orient.reconstruction.material import Material, measure
from napari_orient.reconstruction.memory import check_memory, peak_mb
from napari_orient.reconstruction.merging import section_diameter
from napari_orient.reconstruction.minimise import minimise
from napari_orient.reconstruction.objective import Objective
from napari_orient.reconstruction.windows import window_lags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.estimates import Target
    from napari_orient.reconstruction.minimise import Step

_SHOW = 0.5  # seconds between two partial fields
_KEEP = 20.0  # seconds between two checkpoints
_FIELD = 0.6  # share of a time limit after which grains are made
_LOOK_BACK = 20  # steps over which a plateau is judged


@dataclass
class Controls:
    """What may be changed while a reconstruction runs; it looks before each step.

    Attributes
    ----------
    stop
        End now, and return the field as it is.
    skip
        Leave this grid for the next finer one.
    weights
        Others than the config's.
    waited
        Seconds for which the run was held, which no limit counts.
    """

    stop: bool = False
    skip: bool = False
    weights: Weights | None = None
    waited: float = 0.0


@dataclass(frozen=True)
class Trace:
    """A point of the loss curve: ``Partial("loss")`` carries one."""

    grid: int
    spacing: int
    evaluations: int
    seconds: float
    loss: float
    paper_loss: float
    parts: dict[str, float] = field(default_factory=dict)


class Seed(NamedTuple):
    """A field of an ensemble that is done: ``Partial("seed")`` carries one."""

    seed: int
    paper_loss: float
    quaternions: NDArray[np.float64]


def reconstruct(
    reference: OrientationMap | Sequence[OrientationMap] | Material,
    config: ReconstructConfig | None = None,
    *,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    controls: Controls | None = None,
) -> Job[OrientationMap]:
    """Reconstruct a field of orientations with the statistics of a map.

    Parameters
    ----------
    reference
        A map (y, x), or what was measured in one; for a volume also three maps, sections across
        z, y and x in the frame of the sample (:mod:`.sections`). One map stands for all three:
        grains are then taken to be the same from all sides (equiaxed).
    config
        Size, window, weights, optimiser ...
    checkpoint
        A file that keeps the state every 20 seconds, and where the job is closed or fails.
    resume
        Go on from that file.
    controls
        To stop or change it on the way.

    Yields
    ------
    Progress
        In evaluations.
    Partial
        "field": quaternions (..., 4) of the grid so far, a copy; before it, where there are more
        than one, "phases" (...); so it is with "seed": a :class:`Seed` that is done, or stopped.
        "loss": a :class:`Trace`.
        "note": a sentence, when the state could not be kept.

    Returns
    -------
    field
        A periodic map or volume; its provenance has the loss, its parts and what it took.

    Raises
    ------
    ValueError
        If reference and config do not go together: too small, nothing indexed, no grains.
    MemoryError
        If it needs more than is free, before anything is done.
    FloatingPointError
        If the loss is not finite any more; the checkpoint has the last good state.
    """
    config, controls = config or ReconstructConfig(), controls or Controls()
    run = _Run(config, controls, Path(checkpoint) if checkpoint else None)
    yield from run.prepare(reference)
    if resume:
        run.resume()
    try:
        while not run.over:
            yield from run.one_field()
    finally:
        run.keep()
    field = run.result()
    if config.consolidate:
        field = yield from run.consolidated(field)
    return field


def grains_of(
    reference: OrientationMap | Sequence[OrientationMap] | Material,
    field: OrientationMap,
    config: ReconstructConfig,
    *,
    controls: Controls | None = None,
) -> Job[OrientationMap]:
    """Make grains of a field that was reconstructed before, as ``consolidate`` does at the end.

    Parameters
    ----------
    reference, config
        From which, and by which, it was reconstructed.

    Raises
    ------
    ValueError
        If the field is of another size.
    """
    if field.shape != tuple(config.size):
        raise ValueError(f"The field has {field.shape} points, and the settings {config.size}.")
    run = _Run(config, controls or Controls(), None)
    yield from run.prepare(reference)
    return (yield from run.consolidated(field))


@dataclass(eq=False)
class _Run:
    """A reconstruction that is going on."""

    config: ReconstructConfig
    controls: Controls
    path: Path | None
    notes: list[str] = field(default_factory=list)
    over: bool = False  # stopped, out of time, or done

    def prepare(self, given: OrientationMap | Sequence[OrientationMap] | Material) -> Job[None]:
        """Measure the references, and start from noise."""
        self.started = self._clock()
        if isinstance(given, Material):
            self.material = given
            _check(given, self.config)
        else:
            self.material = yield from measure(given, self.config)
        self.grids = self.material.grids
        self.notes += self.material.notes
        self.lags = window_lags(self.config.window, self.config.lags)
        self.device = torch.device(self.config.device)
        self.threads = self.config.threads or torch.get_num_threads()
        functions = max(m.shape[-1] for m in self.material.means)
        check_memory(self.config, functions, self.threads)
        self.digest = _digest(self.material, self.config)
        self.weights = self.config.weights
        self.state = self._from_noise(self.config.seed)

    def _from_noise(self, seed: int) -> State:
        started = random_field(self.grids[0].shape, seed, len(self.material.phases))
        config = self.config.model_copy(update={"weights": self.weights})
        return State(config.model_dump(mode="json"), self.digest, seed, 0, started)

    def resume(self) -> None:
        """Go on from the file.

        Raises
        ------
        ValueError
            If it is of other settings or another map.
        """
        if self.path is None:
            raise ValueError("resume: name the file to go on from")
        found = load_state(self.path)
        if found.reference != self.digest:
            raise ValueError(
                f"{self.path} is of another map or other settings: start anew, or give those "
                "that it was begun with."
            )
        if not found.facts.get("seeds"):  # the best one was stopped on the way: it goes on now
            found.best, found.facts = None, {}
        self.state = found
        self.weights = Weights.model_validate(found.config["weights"])  # as they were changed

    def one_field(self) -> Job[None]:
        """Reconstruct one field, from its grid on to the finest."""
        while True:
            yield from self._on_grid(self.grids[self.state.grid])
            if self.over or self.state.grid == len(self.grids) - 1:
                break
            self.state.grid, self.state.memory = self.state.grid + 1, {}
            self.state.quaternions = self._on(self.grids[self.state.grid])
        self._compare_with_best()
        made = self._on(self.grids[-1])
        if made.shape[-1] > 4:
            yield Partial("phases", phases_of(made))
        yield Partial("seed", Seed(self.state.seed, self.last.paper_loss, quaternions_of(made)))
        best, seed = (self.state.best, self.state.facts), self.state.seed + 1
        self.over |= seed >= self.config.seed + self.config.seeds
        if not self.over:
            self.state = self._from_noise(seed)
            self.state.best, self.state.facts = best

    def _on(self, grid: Grid) -> torch.Tensor:
        """Return the field so far on a finer grid."""
        field = self.state.quaternions
        while field.shape[:-1] != grid.shape:
            field = refined(field, self.state.seed, open_rows=self.material.bands > 1)
        return field

    def _compare_with_best(self) -> None:
        """Keep the field if it is the best one so far; a stopped one counts if it is the only."""
        state, last = self.state, self.last
        done = state.grid == len(self.grids) - 1
        before = [row for row in state.facts.get("seeds", []) if row[0] != state.seed]
        tried = before + [[state.seed, last.paper_loss]] * done
        if state.best is None or (done and last.paper_loss < state.best[0]):
            field = self._on(self.grids[-1]).cpu().numpy()
            state.best = (float(last.paper_loss), state.seed, field)
            state.facts = {
                "loss": last.loss, "parts": last.parts,
                "weights": self.weights.model_dump(mode="json"),
                "evaluations": state.evaluations[-1] if done else 0,
                "seconds": state.seconds[-1] if done else 0.0,
                "history": [list(row) for row in state.history],
            }  # fmt: skip
        state.facts["seeds"] = tried

    def _on_grid(self, grid: Grid) -> Job[None]:
        """Minimise on one grid until it is done, on a plateau, or stopped."""
        state, config = self.state, self.config
        objective = self.objective(state.grid)
        show, keep = Every(_SHOW, first=0.0), Every(_KEEP, first=2.0)
        while len(state.evaluations) <= state.grid:
            state.evaluations.append(0)
            state.seconds.append(0.0)
        before, spent = state.evaluations[state.grid], state.seconds[state.grid]
        if before >= config.evaluations:  # it was done before the run was interrupted
            self._look(objective, grid)
            return
        start, counted = self._clock(), before
        losses = [row[3] for row in state.history if row[0] == state.grid]  # before it was resumed
        if self.weights != config.weights:  # some may be of other weights
            losses.clear()
        steps = minimise(objective, state.quaternions.to(self.device), config.method, state.memory)
        try:
            while (step := next(steps, None)) is not None:
                if not np.isfinite(step.value.loss):
                    state.memory = {}  # of the optimiser: it has no numbers any more
                    raise FloatingPointError(
                        "The loss is no number any more: the run diverged. The last good state is "
                        "kept; start anew with L-BFGS, or smaller weights."
                    )
                self._note(step, grid, counted, spent + self._clock() - start)
                losses.append(step.value.loss)
                if show.due():
                    yield self._progress(grid)
                    yield Partial("loss", self.last)
                    yield from _shown(step.point)
                if keep.due() and (said := self.keep()):
                    yield Partial("note", said)
                if self._ends(losses):
                    break
                if self.controls.weights is not None:
                    self.weights, self.controls.weights = self.controls.weights, None
                    objective.weights = self.weights
                    state.config["weights"] = self.weights.model_dump(mode="json")
                    losses.clear()
                    steps.close()  # what it knows is of another loss
                    counted, state.memory = state.evaluations[state.grid], {}
                    here = state.quaternions.to(self.device)
                    steps = minimise(objective, here, config.method, state.memory)
        finally:
            steps.close()
        if state.evaluations[state.grid] == before:  # no step goes down from here
            self._look(objective, grid)
        yield self._progress(grid)
        yield Partial("loss", self.last)
        yield from _shown(state.quaternions)

    def _look(self, objective: Objective, grid: Grid) -> None:
        """Evaluate the field as it is."""
        n, value = self.state.grid, objective(self.state.quaternions.to(self.device))
        self.last = Trace(
            n, grid.spacing, self.state.evaluations[n], self.state.seconds[n],
            value.loss, value.paper_loss, value.parts,
        )  # fmt: skip

    def _note(self, step: Step, grid: Grid, before: int, seconds: float) -> None:
        """Remember where the run is."""
        state = self.state
        state.quaternions = step.point.detach().cpu().clone()
        state.evaluations[state.grid] = before + step.evaluations
        state.seconds[state.grid] = seconds
        self.last = Trace(
            state.grid, grid.spacing, before + step.evaluations, seconds,
            step.value.loss, step.value.paper_loss, dict(step.value.parts),
        )  # fmt: skip
        row = (state.grid, self.last.evaluations, seconds, self.last.loss, self.last.paper_loss)
        state.history.append(row)

    def _ends(self, losses: list[float]) -> bool:
        """Say whether this grid is done."""
        config, controls = self.config, self.controls
        if controls.stop or self._late(_FIELD if config.consolidate else 1.0):
            self.over = True
            return True
        if controls.skip:
            controls.skip = False
            return True
        if self.last.evaluations >= config.evaluations or losses[-1] <= config.tolerance:
            return True
        if len(losses) <= _LOOK_BACK:
            return False
        earlier = losses[-1 - _LOOK_BACK]
        return earlier - losses[-1] < config.plateau * earlier

    def _late(self, share: float = 1.0) -> bool:
        """Say whether so much of the time is over."""
        limit = self.config.time_limit
        return limit is not None and self._clock() - self.started > share * limit

    def _clock(self) -> float:
        """Seconds in which the run was not held."""
        return time.perf_counter() - self.controls.waited

    def _progress(self, grid: Grid) -> Progress:
        config, last = self.config, self.last
        grids = len(self.grids)
        fields = self.state.seed - config.seed
        share = (self.state.grid + min(1.0, last.evaluations / config.evaluations)) / grids
        words = " x ".join(map(str, grid.shape))
        seed = f"field {fields + 1} of {config.seeds}, " if config.seeds > 1 else ""
        return Progress(
            round(1000 * (fields + share)), 1000 * config.seeds,
            f"{seed}{words}: loss {last.loss:.2e}, evaluation {last.evaluations}",
        )  # fmt: skip

    def objective(self, number: int) -> Objective:
        """Return the loss of a stage."""
        material = self.material
        return Objective(
            *material.functions(number),
            [[_moved(t, self.device) for t in axis] for axis in material.targets[number]],
            material.means[number].to(self.device), self.lags, self.config.window,
            self.weights, self.threads, fast=self.config.precision == "auto",
        )  # fmt: skip

    def keep(self) -> str:
        """Write the checkpoint; return what is to be said, once, where it could not be written."""
        if self.path is None or not self.state.evaluations:
            return ""
        try:
            save_state(self.state, self.path)
        except OSError as error:
            said = f"The state could not be kept in {self.path} ({error.strerror or error})."
            if said not in self.notes:
                self.notes.append(said)
                return said
        return ""

    def result(self) -> OrientationMap:
        """Return the best field as a periodic map or volume."""
        state, material = self.state, self.material
        if state.best is None:
            self._compare_with_best()
        assert state.best is not None
        loss, seed, numbers = state.best
        channels = torch.as_tensor(numbers)
        axes = len(self.config.size)
        facts: dict[str, Any] = {
            "task": "reconstruct",
            "config": self.config.model_dump(mode="json"),
            "reference": material.source,
            "paper_loss": loss,
            "seed": seed,
            **state.facts,
            "total_seconds": self._clock() - self.started,
            "peak_mb": peak_mb(),
            "notes": self.notes,
        }
        return OrientationMap(
            quaternions_of(channels), dict(enumerate(material.phases)), phases_of(channels),
            step=(material.step,) * axes, unit=material.unit,
            source=f"reconstructed from {material.source}, seed {seed}",
            periodic=(material.bands == 1, *(True,) * (axes - 1)), provenance=facts,
        )  # fmt: skip

    def consolidated(self, field: OrientationMap) -> Job[OrientationMap]:
        """Make grains of the field; what that does to it stands in the provenance."""
        objective = self.objective(len(self.grids) - 1)
        material = self.material
        diameter = material.diameter if material.bands == 1 else material.diameters
        # a run that was stopped is not to go on turning grains
        turned = None if self.controls.stop or self._late() else objective
        axes = material.known_axes if len(field.shape) == 3 else (0,)
        made = yield from consolidate(
            field, diameter, turned, material.boundaries, material.sizes, axes=axes,
            stop=lambda: self.controls.stop or self._late(),
        )  # fmt: skip
        facts = {
            "diameter_wanted": material.diameter,
            "grains": made.provenance["consolidated"]["grains"],
        }
        for name, one in (("before", field), ("after", made)):
            yield Progress(0, 0, f"Measuring the field {name}")
            value = objective(channels_of(one).to(self.device, torch.float32))
            facts[name] = {
                "loss": value.loss, "paper_loss": value.paper_loss, "parts": value.parts
            }  # fmt: skip
        facts["after"]["section_diameter"] = section_diameter(made.properties["grain"], axes)
        return replace(made, provenance={**field.provenance, "consolidated": facts})


def _shown(channels: torch.Tensor) -> Iterator[Partial]:
    """Copies for those who watch."""
    if channels.shape[-1] > 4:
        yield Partial("phases", phases_of(channels))
    yield Partial("field", quaternions_of(channels))


def _check(material: Material, config: ReconstructConfig) -> None:
    """Raise ValueError where a field by this config cannot be of a material as it was measured."""
    finest = material.grids[-1]
    first = material.targets[-1][0][0]
    pairs = len(window_lags(config.window, config.lags))
    if material.bands != config.bands:
        raise ValueError(
            f"The material was measured in {material.bands} bands, not {config.bands}: take these, "
            "or measure it again."
        )
    if finest.shape != config.size or first.two_point.shape[-1] != config.window:
        words = " x ".join(map(str, finest.shape))
        raise ValueError(
            f"The material was measured for a field of {words} points and a window of "
            f"{first.two_point.shape[-1]}: take these, or measure it again."
        )
    if first.three_point.shape[-1] != pairs:
        raise ValueError(
            f"The material was measured with other lags than {config.lags}: take those, or measure "
            "it again."
        )


def _moved(target: Target, device: torch.device) -> Target:
    parts = {name: t.to(device, torch.float32) for name, t in vars(target).items()}
    return type(target)(**parts)


def _digest(material: Material, config: ReconstructConfig) -> str:
    """Name of what is reconstructed, from what: a state is never taken up with another."""
    free = {"time_limit", "evaluations", "tolerance", "threads", "device", "plateau", "seeds"}
    free |= {"consolidate", "precision"}
    text = material.digest() + config.model_dump_json(exclude=free)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
