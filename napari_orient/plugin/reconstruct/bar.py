"""How is a run watched and stopped? Time left by what its grids cost; wait, keep or discard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_orient.plugin.worker import JobBar

if TYPE_CHECKING:
    from napari_orient.jobs import Job, Progress
    from napari_orient.plugin.worker import JobWorker


class RunBar(JobBar):
    """Progress of a run, shown by :meth:`refresh`.

    Emits ``progressed()`` when there is something to show, and ``held(bool)``, ``kept()`` and
    ``discarded()`` as the user presses.

    Attributes
    ----------
    seconds_left
        Returns an estimate, or None.
    """

    progressed = Signal()
    held = Signal(bool)
    kept = Signal()
    discarded = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, can_pause=True, can_keep=True)
        self.seconds_left: Callable[[], float | None] = lambda: None
        self._held = False
        self._new: tuple[Progress, str, float | None] | None = None
        self._keep.setToolTip("Stop after this step; the field as it is becomes the result")
        self._pause.setToolTip(
            "Hold the run after this step, and give the machine back; nothing is lost"
        )
        self._cancel.setText("Discard")
        self._cancel.setToolTip("Stop, and throw away the field and what was kept of it on disk")
        self._cancel.clicked.disconnect()
        self._cancel.clicked.connect(lambda *_: self.discarded.emit())

    def run(self, job: Job[Any], **how: Any) -> JobWorker:
        """Start a job, see :meth:`JobBar.run`."""
        self._held, self._new = False, None
        worker = super().run(job, **how)
        # a bar that does not know how far it is moves, and with it Qt draws all of the window
        self._bar.setRange(0, 1000)
        self._bar.setValue(0)
        return worker

    @property
    def is_paused(self) -> bool:
        """True while the run is held, or is to be after its step."""
        return self._held and self.is_running

    def _on_keep(self) -> None:
        """Let the run come to its end by itself, instead of closing it."""
        if self._fate.worker is None:
            return
        if self._held:
            self._on_pause()
        self.keeps = True
        self.kept.emit()
        self._label.setText("Stopping after this step …")

    def _on_pause(self) -> None:
        """Ask the run itself to wait: it is computed elsewhere, and does not wait for who looks."""
        if self._fate.worker is None:
            return
        self._held = not self._held
        self._pause.setText("Resume" if self._held else "Pause")
        self._label.setText("Paused: Resume goes on" if self._held else "Going on …")
        self.held.emit(self._held)

    def _show_progress(self, progress: Progress, text: str, seconds: float | None) -> None:
        known = self.seconds_left()
        self._new = (progress, text, seconds if known is None else known)
        self.progressed.emit()

    def refresh(self) -> None:
        """Show the newest progress; while the run is held, the words say so."""
        new, self._new = self._new, None
        if new is None or self._held:
            return
        progress, text, seconds = new
        if self.keeps:
            text, seconds = "Stopping", None
        super()._show_progress(progress, text, seconds)
