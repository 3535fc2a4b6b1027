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

from napari_orient.data.maps import load_map, save_map
from napari_orient.jobs import JobFailed, Partial, Progress, in_process
from napari_orient.plugin.reconstruct.places import Place
from napari_orient.plugin.reconstruct.snapshots import Snapshot, Snapshots, packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_orient.data.maps import OrientationMap
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
    if aside:
        with contextlib.suppress(OSError, AttributeError):
            os.nice(NICE)
    place = Place(Path(folder))
    try:
        result = yield from _run(place, resume, reins)
        yield from save_map(result, place.result)
    except ValueError as error:
        words = str(error)
        return True, words[:1].upper() + words[1:]
    except Exception as error:  # its words alone can travel
        return False, str(error) or type(error).__name__
    return False, ""


def _run(place: Place, resume: bool, reins: Reins) -> Job[OrientationMap]:
    from napari_orient.reconstruction.reconstruct import reconstruct

    controls: Any = _Controls(reins)
    job = reconstruct(
        place.references(), place.config(), checkpoint=place.state, resume=resume,
        controls=controls,
    )  # fmt: skip
    trace: Any = None
    phases: Any = None
    try:
        while True:
            while reins.hold.is_set() and not reins.keep.is_set():
                time.sleep(0.05)
                yield Progress(0, 0)  # so that a run that is held can be closed
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

    @property
    def stop(self) -> bool:
        """Whether to end now, and keep the field as it is."""
        return bool(self._reins.keep.is_set())
