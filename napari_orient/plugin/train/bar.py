"""How is a long training watched and stopped? Time left from all of it; an end that validates."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_orient.plugin.worker import JobBar

if TYPE_CHECKING:
    from napari_orient.jobs import Progress


class TrainBar(JobBar):
    """Progress of a training; "Stop and keep" lets it validate and come to its end."""

    kept = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, can_pause=True, can_keep=True)
        self._keep.setToolTip("Stop after a last validation; the best model is the result")
        self._cancel.setToolTip(
            "Stop at once; what the last validation wrote stays in the folder, and can be resumed"
        )
        self._since: tuple[float, float] | None = None
        self._latest = 1.0

    def _on_keep(self) -> None:
        worker = self._fate.worker
        if worker is None:
            return
        self.keeps = True
        self.kept.emit()
        self._label.setText("Stopping: a last validation …")
        if worker.is_paused:
            self._on_pause()

    def _on_pause(self) -> None:
        self._since = None
        super()._on_pause()

    def _show_progress(self, progress: Progress, text: str, seconds: float | None) -> None:
        """Estimate from all of the training: hours do not show in the pace of ten seconds."""
        share, now = progress.fraction, time.perf_counter()
        if share is not None:
            if self._since is None or share < self._latest:  # another work, another pace
                self._since = (now, share)
            self._latest = share
            began, before = self._since
            if now - began > 2 and share > before + 1e-4:
                seconds = (now - began) * (1 - share) / (share - before)
        super()._show_progress(progress, text, seconds)
