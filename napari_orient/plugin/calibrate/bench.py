"""What do the panels of the Calibrate dock share? A scan, a pattern of it, and a draft.

Panels change the draft; it becomes the scan's calibration when the user applies it, and Undo brings
back the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
from napari_orient.plugin.scan_layers import replace_scan
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.worker import JobBar, refusable
from napari_orient.session import Session

if TYPE_CHECKING:
    from napari_orient.jobs import Job

NO_SCAN = "Open a scan first."
NO_PATTERN = "The pattern is still being read; wait, or take one position."


class Bench(QObject):
    """The scan, the pattern that is looked at, and the calibration as it would be."""

    scanChanged = Signal()
    dataChanged = Signal()
    """Other patterns, not just another calibration: what was said of the old ones is void."""
    patternChanged = Signal()
    draftChanged = Signal()

    def __init__(self, viewer: Any, session: Session, bar: JobBar, parent: QWidget) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = session
        self.bar = bar
        self.scan: Scan | None = None
        self.pattern: Any = None
        self.at: tuple[int, int] | None = None
        """Scan position of the pattern; None for a mean or a maximum."""
        self.draft = Calibration()

    @property
    def is_changed(self) -> bool:
        """True if the draft differs from the scan's calibration."""
        return self.scan is not None and self.draft != self.scan.calibration

    def set_scan(self, scan: Scan | None) -> None:
        """Work on another scan, or on the same one with a new calibration."""
        same = scan is not None and self.scan is not None and scan.data is self.scan.data
        self.scan = scan
        self.draft = scan.calibration if scan is not None else Calibration()
        if not same:
            self.bar.cancel()
            self.pattern, self.at = None, None
            self.dataChanged.emit()
        self.scanChanged.emit()
        self.draftChanged.emit()

    def set_pattern(self, pattern: Any, at: tuple[int, int] | None) -> None:
        """Look at another pattern (ky, kx)."""
        self.pattern, self.at = pattern, at
        self.patternChanged.emit()

    def set_draft(self, draft: Calibration) -> None:
        """Take another calibration as the draft."""
        if draft != self.draft:
            self.draft = draft
            self.draftChanged.emit()

    def change(self, **quantities: Quantity | Descan | None) -> None:
        """Change values of the draft."""
        self.set_draft(self.draft.set(**quantities))

    def apply(self) -> None:
        """Make the draft the scan's calibration; Undo brings back the one before."""
        if self.is_changed:
            self.replace(self.scan.replaced(calibration=self.draft))  # type: ignore[union-attr]

    def replace(self, scan: Scan) -> None:
        """Let a scan take the place of this one, in a way that can be undone."""
        replace_scan(self.viewer, self.session, self.scan, scan)  # type: ignore[arg-type]

    def discard(self) -> None:
        """Return to the scan's calibration."""
        if self.scan is not None:
            self.set_draft(self.scan.calibration)

    # --- slow work ----------------------------------------------------------------------------

    def run(self, job: Job[Any], *, text: str, on_result: Callable[[Any], None], said: Any) -> None:
        """Run a job; what it refuses, a ValueError in words for the user, is told in ``said``."""

        def answered(answer: tuple[Any, str]) -> None:
            result, refusal = answer
            if refusal:
                refusal = in_terms(refusal)
                said.setText(refusal)
                show_error(refusal)
            else:
                on_result(result)

        said.clear()
        self.bar.run(refusable(job), text=text, on_result=answered)

    # --- the pattern's own centre ------------------------------------------------------------

    def here(self) -> Calibration:
        """Return the draft as it holds for the pattern: its centre with the descan there."""
        if self.at is None or self.draft.descan is None or self.draft.centre is None:
            return self.draft
        ky, kx = (float(c) for c in self.draft.centre_at(*self.at))
        moved = self.draft.centre.model_copy(update={"value": (ky, kx)})
        return self.draft.set(centre=moved, descan=None)

    def mid_scan(self, centre: Quantity) -> Quantity:
        """Return a centre that was found in the pattern as it would be without descan."""
        if self.at is None or self.draft.descan is None:
            return centre
        away = [float(d) for d in self.draft.descan.drift(*self.at)]
        value = tuple(c - d for c, d in zip(centre.pair, away, strict=True))
        return centre.model_copy(update={"value": value})

    def needed_pattern(self) -> Any:
        """Return the pattern.

        Raises
        ------
        ValueError
            If there is none yet, in words for the user.
        """
        if self.scan is None:
            raise ValueError(NO_SCAN)
        if self.pattern is None or not np.isfinite(self.pattern).any():
            raise ValueError(NO_PATTERN)
        return self.pattern
