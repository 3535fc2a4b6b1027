"""Which patterns are learned with which labels? A scan, a map on its grid, and a split of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QSignalBlocker, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from napari_orient.analysis.scores import quality_names
from napari_orient.learning.config import ScanDataConfig
from napari_orient.learning.labels import (
    ASTAR_Q,
    ASTAR_R,
    check_grid,
    filter_labels,
    find_phase,
)
from napari_orient.plugin.compare.pickers import MapPicker
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import name_of
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.train.label_cover import Answer, Question, answer
from napari_orient.plugin.train.lines import WIDEST, Lines, page
from napari_orient.plugin.train.picture import Picture
from napari_orient.plugin.train.quality_row import QualityRow
from napari_orient.plugin.train.rows import ChoiceRow
from napari_orient.plugin.train.scan_picker import ScanPicker

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.session import Session

SPLITS = {
    "grains": "whole grains",
    "blocks": "spatial blocks",
    "random": "at random, as in the paper",
}
LEAKS = (
    "At random, neighbours of test patterns are learned: the scores say how well patterns are "
    "remembered, not how well new orientations are found."
)
NO_SCAN = "Open a scan first: drop a file on the window, or File > Open Sample > Orient."
NO_MAP = "Choose the map that labels the scan: of Index, or of a file."
SETTLED = 200  # ms without a change, after which the split is made


class ScanForm(QObject):
    """The page of a scan with labels; emits ``changed()``."""

    changed = Signal()

    def __init__(self, viewer: Any, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.scans = ScanPicker(viewer, session)
        self.maps = MapPicker(viewer, "The map whose orientations are learned, on the scan's grid")
        self.phase = QComboBox()
        self.phase.setToolTip("The phase of the map that is learned")
        self.q, self.r = QualityRow("Q"), QualityRow("R")
        self.astar = button(
            f"ASTAR's limits: Q {ASTAR_Q:g}, R {ASTAR_R:g}",
            "Those of the paper, for ASTAR's own Q and R; those of Index are other numbers",
            self._on_astar,
        )
        self.kept, self.refused = Said(), Said("#e0a030")
        self.split = ChoiceRow(ScanDataConfig, "split", SPLITS)
        self.leaks, self.parts, self.covered = Said("#e0a030"), Said(), Said()
        self.picture = Picture(150)
        self.shares: tuple[float, float, float] = (0.6, 0.2, 0.2)
        self.seed = 0
        self.answer: Answer | None = None
        self._live = Live(answer, parent, name="orient-train-labels")
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(SETTLED)
        self._active = False
        self._arrange()
        self._connect()
        self._offer()

    def _arrange(self) -> None:
        top = QWidget()
        grid = QGridLayout(top)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        self._phase_label = QLabel("Phase")
        for place, (title, widget) in enumerate(
            (
                (QLabel("Scan"), self.scans),
                (QLabel("Labels"), self.maps),
                (self._phase_label, self.phase),
            )
        ):
            title.setMinimumWidth(top.fontMetrics().horizontalAdvance(WIDEST))
            title.setToolTip(widget.toolTip())
            title.setBuddy(widget)
            grid.addWidget(title, place, 0)
            grid.addWidget(widget, place, 1)
        grid.setColumnStretch(1, 1)
        self.page = page(
            top, self.refused, self.q, self.r, self.astar, self.kept,
            Lines(("Split", self.split)), self.leaks, self.parts, self.picture, self.covered,
        )  # fmt: skip

    def _connect(self) -> None:
        self.scans.changed.connect(self._on_data)
        self.maps.changed.connect(self._on_data)
        self.phase.activated.connect(self._on_limits)
        for row in (self.q, self.r, self.split):
            row.changed.connect(self._on_limits)
        self._wait.timeout.connect(self._ask)
        self.picture.resized.connect(self._wait.start)
        self._live.answered.connect(self._on_answer)
        self._live.failed.connect(self._on_failed)

    # --- what is chosen -------------------------------------------------------------------------

    @property
    def scan(self) -> Scan | None:
        """The scan that is chosen."""
        return self.scans.chosen

    @property
    def map(self) -> OrientationMap | None:
        """The map that is chosen."""
        return self.maps.chosen

    @property
    def values(self) -> dict[str, Any]:
        """What the page says, as a configuration takes it."""
        scan, labels = self.scan, self.map
        return {
            "scan": "" if scan is None else scan.source or scan.name,
            "labels": "" if labels is None else labels.source or name_of(self.viewer, labels),
            "phase": self.phase.currentText(),
            "min_q": self.q.value(),
            "min_r": self.r.value(),
            "split": self.split.value(),
            "shares": self.shares,
        }

    def set_config(self, config: ScanDataConfig) -> str:
        """Show a configuration; return what has to be opened for it, in words."""
        missing = []
        scan = next((s for s in self.scans.scans() if config.scan in (s.source, s.name)), None)
        if scan is not None:
            self.scans.choose(scan)
        else:
            missing.append(f"the scan {config.scan}")
        names = {id(m): (m.source, name_of(self.viewer, m)) for m in self.maps.maps}
        labels = next((m for m in self.maps.maps if config.labels in names[id(m)]), None)
        if labels is not None:
            self.maps.choose(labels)
        else:
            missing.append(f"the map {config.labels}")
        with QSignalBlocker(self.phase):
            self.phase.setCurrentText(config.phase)
        self.q.set_value(config.min_q)
        self.r.set_value(config.min_r)
        self.split.set_value(config.split)
        self.shares = config.shares
        self._on_limits()
        return f"Open {' and '.join(missing)}, and choose it under Data." if missing else ""

    def suggest(self, last: OrientationMap | None) -> None:
        """Take a map on the scan's grid, ``last`` before others, as long as none is chosen."""
        if self.map is not None or self.scan is None:
            return
        shape = self.scan.scan_shape
        fitting = [m for m in self.maps.maps if m.shape == shape]
        if fitting:
            self.maps.choose(next((m for m in fitting if m is last), fitting[0]))

    def refusal(self) -> str:
        """Return why nothing can be learned; "" if it can."""
        if self.scan is None:
            return NO_SCAN
        if self.map is None:
            return NO_MAP
        return self.refused.text()

    # --- following ------------------------------------------------------------------------------

    def set_active(self, on: bool) -> None:
        """Split the labels and draw them, or wait until somebody looks."""
        self._active = on
        if on:
            self._wait.start()

    def _on_data(self) -> None:
        self._offer()
        self._on_limits()

    def _offer(self) -> None:
        """List the phases of the map, and take the range of its Q and R."""
        labels = self.map
        before = self.phase.currentText()
        numbers = [] if labels is None else np.unique(labels.phase_id[labels.indexed]).tolist()
        names = [labels.phases[n].name or f"phase {n}" for n in numbers] if labels else []
        with QSignalBlocker(self.phase):
            self.phase.clear()
            self.phase.addItems(names)
            self.phase.setCurrentIndex(max(0, self.phase.findText(before)))
        for widget in (self.phase, self._phase_label):
            widget.setVisible(len(names) > 1)
        quality = (None, None) if labels is None else quality_names(labels)
        for row, name in zip((self.q, self.r), quality, strict=True):
            row.offer(labels, name)
        self.astar.setVisible(labels is not None and _is_astar(labels))
        self._on_limits(quietly=True)

    def _on_astar(self) -> None:
        self.q.set_value(ASTAR_Q)
        self.r.set_value(ASTAR_R)
        self._on_limits()

    def _on_limits(self, *_: Any, quietly: bool = False) -> None:
        """Count what the limits leave, at each step of a slider."""
        self.answer = None
        self._live.forget()
        self.leaks.setText(LEAKS if self.split.value() == "random" else "")
        self.refused.clear()
        self.kept.clear()
        try:
            self._count()
        except ValueError as error:
            self._refuse(error)
        if self.map is None or self.scan is None:
            self._clear()
        elif self._active:
            self._wait.start()
        if not quietly:
            self.changed.emit()

    def _count(self) -> None:
        if self.scan is None or self.map is None:
            self.refused.setText(NO_SCAN if self.scan is None else NO_MAP)
            return
        check_grid(self.scan, self.map)
        number = find_phase(self.map, self.phase.currentText())
        left = filter_labels(self.map, number, min_q=self.q.value(), min_r=self.r.value())
        self.kept.setText(f"<b>{100 * left.fraction:.0f} %</b> kept: {left}")
        if not left.kept.any():
            raise ValueError("No pattern is left: lower the limits, or take another map or phase.")

    def _ask(self) -> None:
        if self.scan is None or self.map is None or self.refused.text() or not self._active:
            return
        config = ScanDataConfig.checked(self.values, "settings")
        self._live.request(Question(self.scan, self.map, config, self.seed, self.picture.room))

    def _on_answer(self, asked: Question, found: Answer) -> None:
        if asked.scan is not self.scan or asked.map is not self.map:
            return
        self.answer = found
        self.parts.setText(found.split)
        self.covered.setText(found.coverage)
        self.picture.show_rgba(found.picture)

    def _on_failed(self, asked: Question, error: Exception) -> None:
        self._refuse(error)

    def _refuse(self, error: Any) -> None:
        self.refused.setText(in_terms(error))
        self._clear()

    def _clear(self) -> None:
        self.parts.clear()
        self.covered.clear()
        self.picture.clear()


def _is_astar(labels: OrientationMap) -> bool:
    """Say whether Q and R are ASTAR's own, by the file they come from."""
    own = labels.source.lower().endswith(".ang") and not labels.provenance.get("config")
    return own and {"Q", "R"} <= set(labels.properties)
