"""A run beside the window: in a process of its own, so that nothing is waited for.

All that it needs lies in its folder, and its result, too. What comes through the pipe is small:
numbers, and fields that are packed already.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_orient.data.maps import OrientationMap, load_map, save_map
from napari_orient.diffraction.matching.settings import available_cores
from napari_orient.jobs import JobFailed, Partial, Progress, in_process
from napari_orient.plugin.reconstruct.places import Place
from napari_orient.plugin.reconstruct.snapshots import Snapshot, Snapshots, packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.config import ReconstructConfig, Weights

NICE = 10  # by which a run stands back behind the window


class Reins(NamedTuple):
    """Events by which a run is held from outside: come to an end and keep, wait."""

    keep: Any
    hold: Any


class Done(NamedTuple):
    """The field of a seed, before grains are made of it."""

    seed: int
    paper_loss: float
    field: Snapshot


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be run.

    Attributes
    ----------
    references
        One map, or three sections in the frame of the sample; none where it goes on.
    config
        Settings.
    place
        Where its state is kept.
    resume
        Whether it goes on from the state that lies there.
    aside
        Whether it runs in a process of its own.
    reins
        To stop it.
    snapshots, done
        Filled on the way: how the fields were, and what became of each seed.
    """

    references: Sequence[OrientationMap]
    config: ReconstructConfig
    place: Place
    resume: bool = False
    aside: bool = True
    reins: Reins = field(default_factory=lambda: new_reins())
    snapshots: Snapshots = field(default_factory=Snapshots)
    done: list[Done] = field(default_factory=list)


def new_reins() -> Reins:
    """Return reins for a process, which serve a thread as well."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    return Reins(context.Event(), context.Event())


def can_spawn() -> bool:
    """Say whether a process can be started: not from a script that would begin anew in it.

    A new process runs the main script once more, but for what stands under
    ``if __name__ == "__main__"``; without that line it would open a second window.
    """
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if getattr(main, "__spec__", None) is not None or path is None:
        return True
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return re.search(r"^if\s+__name__\s*==", text, re.MULTILINE) is not None


def reconstructing(order: Order) -> Job[OrientationMap]:
    """Reconstruct: "field" partials hold a :class:`Snapshot`, those of a "seed" a :class:`Done`.

    Raises
    ------
    ValueError
        If reference and settings do not go together.
    JobFailed
        With the words of whatever else went wrong.
    """
    if not order.resume:
        yield Progress(0, 0, "Keeping the reference")
        yield from order.place.begin(order.references, order.config)
    yield Progress(0, 0, "Starting")
    asked = (str(order.place.folder), order.resume, order.reins, order.aside)
    job = in_process(reconstruct_in, *asked) if order.aside else reconstruct_in(*asked)
    refused, words = yield from _watched(job, order.snapshots)
    if refused:
        raise ValueError(words)
    if words:
        raise JobFailed(words)
    return load_map(order.place.result)


def taken(order: Order, number: int, result: OrientationMap) -> OrientationMap:
    """Return the field of a seed that is done, without grains; ``result`` is that of the run."""
    done = order.done[number]
    q, phases = done.field.field()
    kept = {
        name: value
        for name, value in result.provenance.items()
        if name not in ("consolidated", "history", "weights")
    }
    facts: dict[str, Any] = {**kept, "seed": done.seed, "paper_loss": done.paper_loss}
    if (trace := done.field.trace) is not None:
        facts |= {
            "loss": trace.loss, "parts": dict(trace.parts), "seconds": trace.seconds,
            "evaluations": trace.evaluations,
        }  # fmt: skip
    source = re.sub(r", seed \d+$", f", seed {done.seed}", result.source)
    return OrientationMap(
        q, result.phases, phases, step=result.step, unit=result.unit, source=source,
        periodic=result.periodic, provenance=facts,
    )  # fmt: skip


def making_grains(order: Order, field: OrientationMap) -> Job[OrientationMap]:
    """Make grains of a field that is done, in a place that is left empty.

    Raises
    ------
    ValueError
        If reference and field do not go together.
    JobFailed
        With the words of whatever else went wrong.
    """
    place = order.place
    try:
        yield Progress(0, 0, "Keeping the field")
        yield from place.begin(order.references, order.config)
        yield from save_map(field, place.result)
        asked = (str(place.folder), order.reins, order.aside)
        job = in_process(grains_in, *asked) if order.aside else grains_in(*asked)
        refused, words = yield from job
        if refused:
            raise ValueError(words)
        if words:
            raise JobFailed(words)
        return load_map(place.result)
    finally:
        place.remove()


def _watched(job: Job[tuple[bool, str]], snapshots: Snapshots) -> Job[tuple[bool, str]]:
    """Keep the fields as they come by."""
    try:
        while True:
            event = next(job)
            if isinstance(event, Partial) and event.name == "field":
                snapshots.take(event.value)
            yield event
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        job.close()


def reconstruct_in(folder: str, resume: bool, reins: Reins, aside: bool) -> Job[tuple[bool, str]]:
    """Run what lies in a folder; return whether it was refused, and what went wrong, or ""."""
    place = Place(Path(folder))
    return (yield from _kept(_run(place, resume, reins), place, aside))


def grains_in(folder: str, reins: Reins, aside: bool) -> Job[tuple[bool, str]]:
    """Make grains of the field that lies in a folder; return as :func:`reconstruct_in` does."""
    place = Place(Path(folder))
    return (yield from _kept(_grains(place, reins), place, aside))


def _kept(job: Job[OrientationMap], place: Place, aside: bool) -> Job[tuple[bool, str]]:
    """Drive a job and keep its result; return whether it was refused, and what went wrong."""
    try:
        if aside:
            _stand_back()
        result = yield from job
        yield from save_map(result, place.result)
    except ValueError as error:
        words = str(error)
        return True, words[:1].upper() + words[1:]
    except Exception as error:  # its words alone can travel
        return False, str(error) or type(error).__name__
    return False, ""


def _stand_back() -> None:
    """Let the window come first.

    Slices are dealt out to threads; torch's own, within the small work of each, wait for each other
    as soon as another program needs a core (measured: three times as long beside a busy window).
    """
    import torch

    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICE)
    torch.set_num_threads(1)


def _settings(place: Place) -> ReconstructConfig:
    """Return the settings of a run; where they leave the threads open, the window has a core."""
    config = place.config()
    return config.model_copy(update={"threads": config.threads or max(1, available_cores() - 1)})


def _grains(place: Place, reins: Reins) -> Job[OrientationMap]:
    from napari_orient.reconstruction.reconstruct import grains_of

    controls: Any = _Controls(reins)
    field = load_map(place.result)
    job = grains_of(place.references(), field, _settings(place), controls=controls)
    return (yield from _held(job, controls))


def _run(place: Place, resume: bool, reins: Reins) -> Job[OrientationMap]:
    from napari_orient.reconstruction.reconstruct import reconstruct

    controls: Any = _Controls(reins)
    job = reconstruct(
        place.references(), _settings(place), checkpoint=place.state, resume=resume,
        controls=controls,
    )  # fmt: skip
    return (yield from _packed(_held(job, controls)))


def _held(job: Job[OrientationMap], controls: _Controls) -> Job[OrientationMap]:
    """Let a job wait as long as it is told to; that time is not counted."""
    try:
        while True:
            held = time.perf_counter()
            while controls.waits:
                time.sleep(0.05)
                yield Progress(0, 0)  # so that a run that is held can be closed
                now = time.perf_counter()
                controls.waited += now - held
                held = now
            yield next(job)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        job.close()


def _packed(job: Job[OrientationMap]) -> Job[OrientationMap]:
    """Pack the fields that a job yields, with what is known of their loss."""
    trace: Any = None
    phases: Any = None
    try:
        while True:
            event = next(job)
            if isinstance(event, Partial) and event.name == "phases":
                phases = event.value
                continue
            if isinstance(event, Partial) and event.name == "loss":
                trace = event.value
            elif isinstance(event, Partial) and event.name == "field":
                event = replace(event, value=packed(event.value, trace, phases))
            elif isinstance(event, Partial) and event.name == "seed":
                done = event.value
                field = packed(done.quaternions, trace, phases)
                event = replace(event, value=Done(done.seed, done.paper_loss, field))
            yield event
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        job.close()


class _Controls:
    """The engine's controls, looked up in the reins before each step."""

    def __init__(self, reins: Reins) -> None:
        self._reins = reins
        self.skip = False
        self.weights: Weights | None = None
        self.waited = 0.0

    @property
    def stop(self) -> bool:
        """Whether to end now, and keep the field as it is."""
        return bool(self._reins.keep.is_set())

    @property
    def waits(self) -> bool:
        """Whether to wait."""
        return bool(self._reins.hold.is_set()) and not self.stop
