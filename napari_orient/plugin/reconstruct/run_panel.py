"""How is a reconstruction started, watched and ended? Its state on disk, its layer, its end."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import Progress
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.questions import consent
from napari_orient.plugin.reconstruct.bar import RunBar
from napari_orient.plugin.reconstruct.engine import (
    Order,
    can_spawn,
    making_grains,
    new_reins,
    reconstructing,
    taken,
)
from napari_orient.plugin.reconstruct.growing import GrowingField
from napari_orient.plugin.reconstruct.outlook import Outlook, look_at, outlook
from napari_orient.plugin.reconstruct.places import STATE, Place, new_place, runs_folder, unfinished
from napari_orient.plugin.reconstruct.pulse import Pulse
from napari_orient.plugin.reconstruct.words import in_window
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.worker import refusable

if TYPE_CHECKING:
    from napari_orient.crystal.colors import ColourScheme
    from napari_orient.jobs import Job, Partial
    from napari_orient.plugin.reconstruct.curves import LossCurve
    from napari_orient.reconstruction.config import ReconstructConfig

ASIDE = True  # in a process of its own, where one can be started
LONG = 60.0  # s after which it is asked before a run is thrown away


class Opened(NamedTuple):
    """A run that was interrupted, read from its folder."""

    place: Place
    config: ReconstructConfig
    references: tuple[OrientationMap, ...]
    outlook: Outlook


class RunPanel(QWidget):
    """Starts, watches and ends runs.

    Emits ``asked()`` when the user presses Start, ``opened(Opened)`` before a run goes on that was
    interrupted, ``began(Order)``, ``grew(make)`` with what returns the field as it is now, and
    ``finished(OrientationMap or None)``.
    """

    asked = Signal()
    opened = Signal(object)
    began = Signal(object)
    grew = Signal(object)
    finished = Signal(object)

    def __init__(self, viewer: Any, curve: LossCurve, owner: QWidget) -> None:
        super().__init__(owner)
        self.pulse = Pulse(owner)
        self.growing = GrowingField(viewer, owner, self.pulse)
        self.curve = curve
        self.order: Order | None = None  # of the run that goes on, or of the last one
        self.result: OrientationMap | None = None
        self.name = ""
        self._outlook = Outlook()
        self._begun = self._waited = 0.0
        self._held_since: float | None = None
        self._discards = self._failed = self._takes = False
        self.said, self.done = Said("#e06c5c"), Said()
        self.bar = RunBar()
        self.bar.seconds_left = self._seconds_left
        self.start_button = button(
            "Start", "Reconstruct a field with these settings (Ctrl+Return)", self.asked.emit
        )
        self.resume_button = QPushButton("Resume …")
        self.resume_button.setToolTip("Go on with a run that was interrupted")
        self.resume_button.clicked.connect(lambda *_: self._on_resume())
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button, 1)
        buttons.addWidget(self.resume_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.said, self.done, self.bar):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        self.bar.running.connect(self._on_running)
        self.bar.failed.connect(self._on_failed)
        self.bar.kept.connect(self._on_keep)
        self.bar.discarded.connect(self._on_discard)
        self.bar.held.connect(self._on_held)
        self.bar.progressed.connect(self.pulse.request)
        for shown in (self.bar, self.curve):
            self.pulse.beat.connect(shown.refresh)

    @property
    def folder(self) -> str:
        """Where the state of the run that goes on is kept; "" if none does."""
        order = self.order
        keeps = order is not None and self.bar.is_running and not self._takes
        return str(order.place.folder) if keeps and order is not None else ""

    # --- starting ---------------------------------------------------------------------------------

    def start(self, ready: Outlook, config: ReconstructConfig, name: str, colours: Any) -> None:
        """Reconstruct from the references of an outlook; ``name`` is theirs."""
        order = Order(ready.references, config, new_place(name), aside=ASIDE and can_spawn())
        self._run(order, ready, f"{name} reconstructed", colours)

    def _run(self, order: Order, ready: Outlook, name: str, colours: ColourScheme) -> None:
        self.order, self._outlook, self.result, self.name = order, ready, None, name
        self._begun, self._discards, self._failed = time.perf_counter(), False, False
        self._waited, self._held_since = 0.0, None
        self.said.clear()
        self.done.clear()
        self.growing.begin(_blank(ready, order.config), name, colours)
        self.curve.begin(order.config.seed)
        self.bar.run(
            refusable(reconstructing(order)),
            on_partial=partial(self._on_partial, order),
            on_result=lambda answer: self._on_result(order, *answer),
            on_end=lambda: self._on_end(order),
        )
        self.began.emit(order)

    def _seconds_left(self) -> float | None:
        course = self.curve.course
        if self._takes or self.bar.keeps or course.last is None or not course.pace:
            return None
        last = course.last
        left = self._outlook.left(len(course.fields) - 1, last.grid, last.evaluations, course.pace)
        limit = self._outlook.time_limit
        if limit is not None:
            spent = time.perf_counter() - self._begun - self._waited
            left = min(left, max(0.0, limit - spent))
        return left

    # --- another seed -----------------------------------------------------------------------------

    def take(self, number: int) -> None:
        """Make the field of another seed the result, with grains if the settings ask for them."""
        before, result = self.order, self.result
        if before is None or result is None or self.bar.is_running:
            return
        field = taken(before, number, result)
        if not before.config.consolidate:
            self._on_taken(field)
            return
        # snapshots and seeds are those of the run
        place = new_place(self.name)
        order = self.order = replace(before, place=place, resume=False, reins=new_reins())
        self._begun, self._discards, self._failed = time.perf_counter(), False, False
        self._waited, self._held_since = 0.0, None
        self.said.clear()
        self._takes = True
        self.bar.run(
            refusable(making_grains(order, field)), text="Making grains",
            on_result=lambda answer: self._on_taken(*answer), on_end=self._on_took,
        )  # fmt: skip

    def _on_taken(self, result: OrientationMap | None, refusal: str = "") -> None:
        if result is None:
            self.refuse(refusal)
            return
        before = self.growing.layer
        seed = result.provenance["seed"]
        self.result = result
        self.growing.begin(result, f"{self.name} seed {seed}", self.growing.scheme)
        self.growing.look_at_result()
        if before is not None:  # the other result stays, unseen
            before.visible = False
        self.done.setText(f"<b>Seed {seed} is the result</b><br>{in_words(result)}")
        self.finished.emit(result)

    def _on_took(self) -> None:
        self._takes = False

    # --- going on with one that was interrupted ---------------------------------------------------

    def _on_resume(self) -> None:
        """Offer the runs of the user's folder, and any other."""
        menu = QMenu(self)
        for place in unfinished():
            menu.addAction(place.words(), partial(self.resume, place))
        menu.addSeparator()
        menu.addAction("Another one …", self._ask_state)
        menu.aboutToHide.connect(menu.deleteLater)
        self.menu = menu
        menu.popup(self.resume_button.mapToGlobal(self.resume_button.rect().topLeft()))

    def _ask_state(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Go on with a reconstruction", str(runs_folder()), f"State ({STATE})"
        )
        if path:
            from pathlib import Path

            self.resume(Place(Path(path).parent))

    def resume(self, place: Place) -> None:
        """Read a run, and go on with it."""
        self.said.clear()
        self.done.clear()
        self.bar.run(
            refusable(_opening(place)), text=f"Opening {place.name}",
            on_result=lambda answer: self._on_opened(*answer),
        )  # fmt: skip

    def _on_opened(self, found: Opened | None, refusal: str) -> None:
        from napari_orient.crystal.colors import ColourScheme

        if found is None:
            self.refuse(refusal)
            return
        self.opened.emit(found)
        aside = ASIDE and can_spawn()
        order = Order(found.references, found.config, found.place, resume=True, aside=aside)
        name = f"{found.place.name} reconstructed"
        self._run(order, found.outlook, name, ColourScheme())

    # --- the run ----------------------------------------------------------------------------------

    def _on_partial(self, order: Order, event: Partial) -> None:
        if order is not self.order or self._discards:
            return
        if event.name == "loss":
            self.curve.add(event.value)
            self.pulse.request()
        elif event.name == "field":
            self.growing.show(event.value.field)
            self.grew.emit(event.value.field)
        elif event.name == "seed":
            order.done.append(event.value)
        elif event.name == "note":
            self.said.setText(f"{in_terms(event.value)} The run goes on.")

    def _on_keep(self) -> None:
        if self.order is not None:
            self.order.reins.keep.set()

    def _on_held(self, on: bool) -> None:
        """Let the run wait where it is computed; it would go on until its pipe is full."""
        now = time.perf_counter()
        if self._held_since is not None:
            self._waited += now - self._held_since
        self._held_since = now if on else None
        if self.order is not None:
            (self.order.reins.hold.set if on else self.order.reins.hold.clear)()

    def _on_discard(self) -> None:
        long = time.perf_counter() - self._begun > LONG
        if long and not consent("Discard", "Throw away this run, and what was kept of it?"):
            return
        self._discards = True
        self.bar.cancel()

    def _on_result(self, order: Order, result: OrientationMap | None, refusal: str) -> None:
        if result is None:
            self.growing.drop()
            if not order.resume:  # what was kept is of use with other settings
                order.place.remove()
            self.refuse(refusal)
            return
        self.result = result
        self.growing.finish(result)
        order.place.remove()
        self.done.setText(in_words(result, stopped=order.reins.keep.is_set()))
        if order.reins.keep.is_set():
            show_info("Stopped: the field as it was is the result.")

    def _on_end(self, order: Order) -> None:
        """Clear up after a run that did not reach its end."""
        if self.result is None and self._discards:
            self.growing.drop()
            order.place.remove()
            self.done.setText("Discarded: nothing is kept.")
        elif not order.place.state.exists():  # it failed before there was anything to keep
            order.place.remove()
        self.curve.refresh()
        self.finished.emit(self.result)

    def _on_failed(self, error: Exception) -> None:
        """Say what went wrong; what was kept on disk can be gone on with."""
        self._failed = True
        text = f"The run ended early: {in_terms(error)}"
        if self._takes:
            text = f"No grains were made: {in_terms(error)}"
        elif self.order is not None and self.order.place.state.exists():
            text += " Resume … goes on from its last state."
        self.said.setText(text)

    def refuse(self, text: str) -> None:
        """Say why nothing is reconstructed."""
        text = in_terms(in_window(text))
        self.said.setText(text)
        show_error(text)

    def _on_running(self, running: bool) -> None:
        for widget in (self.start_button, self.resume_button):
            widget.setVisible(not running)


def _opening(place: Place) -> Job[Opened]:
    """Read a run from its folder."""
    yield Progress(0, 0, "Reading the reference")
    config, references = place.config(), tuple(place.references())
    yield Progress(0, 0, "Measuring the grains of the reference")
    ready = outlook(look_at(references, config), config)
    return Opened(place, config, references, ready)


def _blank(ready: Outlook, config: ReconstructConfig) -> OrientationMap:
    """Return the map that a run fills: no orientation is known yet."""
    known = ready.known
    assert known is not None
    axes = len(config.size)
    q = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), (*config.size, 4))
    source = ready.references[0].source if ready.references else ""
    return OrientationMap(
        q, dict(enumerate(known.phases)), step=(known.step,) * axes, unit=known.unit,
        source=f"being reconstructed from {source or 'a map'}", periodic=(True,) * axes,
    )  # fmt: skip


def in_words(result: OrientationMap, *, stopped: bool = False) -> str:
    """Return what came of a run as rich text."""
    facts = result.provenance
    said = [
        f"<b>{'Stopped' if stopped else 'Finished'}</b>: loss {facts['loss']:.2e}, "
        f"{facts['total_seconds']:.0f} s"
    ]
    if (made := facts.get("consolidated")) is not None:
        sizes = ""
        if "after" in made and made.get("diameter_wanted"):
            sizes = (
                f", on sections {made['after']['section_diameter']:.1f} points wide (reference "
                f"{made['diameter_wanted']:.1f}); loss {made['after']['loss']:.2e}"
            )
        said.append(f"{made['grains']} grains of one orientation{sizes}")
    said += facts.get("notes", [])
    return "<br>".join(said)
