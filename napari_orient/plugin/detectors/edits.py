"""What can be done with a session's detectors? New ones, removed, binned along with a scan, undone.

A drag makes hundreds of changes; changes that follow each other at once count as one to undo.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from qtpy.QtWidgets import QWidget

from napari_orient.data.scan import Scan
from napari_orient.diffraction.detectors import (
    Disk,
    Rectangle,
    VirtualDetector,
    beam_centre,
    bright_field,
    dark_field,
)
from napari_orient.plugin.sessions import follow
from napari_orient.session import Session

Detectors = tuple[VirtualDetector, ...]
PAUSE = 0.6  # s without a change that end one undo step
DEPTH = 100

PALETTE = ("#ff4d4d", "#45e06a", "#4d9dff", "#ffd60a", "#ff6bd6", "#2fe0e0", "#ff9f40", "#ffffff")


def default_radius(scan: Scan) -> float:
    """Radius of a new disk, in pixels: a spot's size in most scans, 1/28 of the pattern."""
    return max(1.0, round(min(scan.pattern_shape) / 28))


def make(scan: Scan, kind: str) -> VirtualDetector:
    """Return a new detector: "Bright field", "Dark field", "Disk" or "Rectangle"."""
    radius = default_radius(scan)
    smallest = min(scan.pattern_shape)
    if kind == "Bright field":
        return bright_field(scan.calibration, radius)
    if kind == "Dark field":
        return dark_field(scan.calibration, 2 * radius, round(0.45 * smallest))
    ky, kx = beam_centre(scan.calibration)
    if kind == "Rectangle":
        shape = Rectangle(centre=(ky, kx + smallest / 4), size=(2 * radius, 4 * radius))
        return VirtualDetector(name=kind, shapes=(shape,))
    return VirtualDetector(name=kind, shapes=(disk_at(scan, (ky, kx + smallest / 4)),))


def disk_at(scan: Scan, at: tuple[float, float]) -> Disk:
    """Return a disk of the default size at (ky, kx)."""
    return Disk(centre=(round(at[0], 1), round(at[1], 1)), radius=default_radius(scan))


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """Return ``wanted``, numbered if there is one already."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted} {number}"
    return name


def free_colour(taken: Sequence[object]) -> str:
    """Return the first colour of the palette that no detector has."""
    return next((c for c in PALETTE if c not in taken), PALETTE[len(taken) % len(PALETTE)])


def add(session: Session, detector: VirtualDetector) -> None:
    """Add a detector under a name and a colour of its own, and make it the active one."""
    others = session.detectors
    name = free_name(detector.name, [d.name for d in others])
    colour = detector.colour or free_colour([d.colour for d in others])
    added = detector.model_copy(update={"name": name, "colour": colour})
    session.detectors = (*others, added)
    session.active_detector = len(others)


def add_disk(session: Session, at: tuple[float, float], to_active: bool) -> None:
    """Add a disk at (ky, kx) as a detector, or as one more shape of the active detector."""
    if session.scan is None:
        return
    disk = disk_at(session.scan, at)
    if to_active and 0 <= session.active_detector < len(session.detectors):
        active = session.detectors[session.active_detector]
        same = [s.radius for s in active.shapes if isinstance(s, Disk)]
        disk = disk.resized(same[-1]) if same else disk
        changed = active.with_shapes(*active.shapes, disk)
        session.replace_detector(session.active_detector, changed)
    else:
        add(session, VirtualDetector(name="Disk", shapes=(disk,)))


def remove(session: Session, index: int) -> None:
    """Remove a detector."""
    detectors = list(session.detectors)
    if not 0 <= index < len(detectors):
        return
    del detectors[index]
    # first the index: a list shorter than the index would be seen by the docks in between
    session.active_detector = max(0, min(session.active_detector, len(detectors) - 1))
    session.detectors = tuple(detectors)


def after_binning(
    detectors: tuple[VirtualDetector, ...], old: Scan, new: Scan
) -> tuple[VirtualDetector, ...] | None:
    """Return the detectors at the same angles after the patterns were binned, or binning undone.

    None if ``new`` is not ``old`` with its patterns binned by a whole factor.
    """
    longer, shorter = sorted((old, new), key=lambda scan: scan.pattern_shape[0], reverse=True)
    factor = longer.pattern_shape[0] // shorter.pattern_shape[0]
    fits = tuple(n // factor for n in longer.pattern_shape) == shorter.pattern_shape
    related = shorter.history[: len(longer.history)] == longer.history and shorter.history[-1:] == (
        f"binned {factor} x {factor}",
    )
    if factor < 2 or not fits or not related or old.scan_shape != new.scan_shape:
        return None
    scale = 1 / factor if new is shorter else float(factor)
    moved = []
    for detector in detectors:
        shapes = [
            # pixel centres are at integers, so the scaling is about (-0.5, -0.5)
            shape.scaled(scale).moved_to(*((c + 0.5) * scale - 0.5 for c in shape.centre))
            for shape in detector.shapes
        ]
        moved.append(detector.with_shapes(*shapes))
    return tuple(moved)


class DetectorHistory(QWidget):
    """Undo and redo of the detectors of a session, as long as its parent dock lives."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()
        self._session = session
        self._now: Detectors = session.detectors
        self._before: list[Detectors] = []
        self._after: list[Detectors] = []
        self._last_change = -math.inf
        self._restoring = False
        follow(self, session.events.detectors, self._on_detectors)

    def _on_detectors(self, detectors: Detectors) -> None:
        moment = time.monotonic()
        grown = len(detectors) != len(self._now)
        if not self._restoring and (grown or moment - self._last_change > PAUSE):
            self._before = [*self._before, self._now][-DEPTH:]
            self._after = []
        if not self._restoring:
            self._last_change = -math.inf if grown else moment
        self._now = detectors

    def mark(self) -> None:
        """Let the next change be a step of its own, however soon it comes."""
        self._last_change = -math.inf

    def undo(self) -> bool:
        """Go one step back; False if there is none."""
        return self._go(self._before, self._after)

    def redo(self) -> bool:
        """Take the last undo back; False if there is none."""
        return self._go(self._after, self._before)

    def _go(self, source: list[Detectors], target: list[Detectors]) -> bool:
        if not source:
            return False
        target.append(self._now)
        self._restoring = True
        try:
            self._session.detectors = source.pop()
        finally:
            self._restoring = False
        self._last_change = -math.inf
        return True
