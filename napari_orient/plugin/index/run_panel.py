"""How is a scan indexed from the window? Whole or in part, watched, paused, kept or thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_orient.jobs import Every, Partial
from napari_orient.plugin.index.growing import GrowingMap
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.load.export import show_export
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.pattern.region import ScanRegion
from napari_orient.plugin.sessions import follow
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.worker import JobBar, refusable, words_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.diffraction.matching.config import IndexConfig
    from napari_orient.plugin.index.look import Prepared
    from napari_orient.session import Session

SHOWN = 1.0  # s between two pictures of a run: drawing one may take a tenth of that
WHOLE, REGION = "the whole scan", "the drawn region"
NO_REGION = "Draw a region on the scan first, or index the whole scan."
OTHER_SCAN = "The region was drawn on a scan of another shape: draw it again."
FEW = 0.1  # of the positions: with less, the settings are more likely wrong than the sample empty


class RunPanel(QWidget):
    """Where to index, and the run; emits ``asked()`` when the user wants one."""

    asked = Signal()
    whereChanged = Signal()

    def __init__(self, viewer: Any, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = session
        self.result: OrientationMap | None = None
        self._growing: GrowingMap | None = None
        self._latest: OrientationMap | None = None  # of the run, also where it is not yet shown
        self.region = ScanRegion(viewer, session, self)
        self.where = QComboBox()
        self.where.addItems([WHOLE, REGION])
        self.where.setToolTip("Which positions of the scan are indexed")
        self.where.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.draw = button(
            "Draw region", "Draw a rectangle (or, with the layer's tools, any shape) on the scan",
            self._on_draw,
        )  # fmt: skip
        self.before, self.said = Said(), Said("#e06c5c")
        self.bar = JobBar(can_pause=True, can_keep=True)
        self.start_button = button(
            "Index", "Find phase and orientation at each position (Ctrl+Return)", self.asked.emit
        )
        self.start_button.setShortcut("Ctrl+Return")
        self.save = button(
            "Save map …", "Write the finished map to a file: .h5 (everything), .ang, .ctf ...",
            self._on_save,
        )  # fmt: skip
        self._arrange()
        self.bar.running.connect(self._on_running)
        self.bar.failed.connect(self._on_failed)
        self.where.currentIndexChanged.connect(lambda _: self.whereChanged.emit())
        follow(self, session.events.region, self._on_region)
        self.region.begun.connect(lambda: self.where.setCurrentText(REGION))
        self.region.ended.connect(lambda: self.where.setCurrentText(WHOLE))
        # a part was wanted: without one nothing is indexed, until it is drawn again
        self.region.missed.connect(lambda: self.where.setCurrentText(REGION))
        self._on_running(False)

    def _arrange(self) -> None:
        places, buttons = QHBoxLayout(), QHBoxLayout()
        places.addWidget(self.where, 1)
        places.addWidget(self.draw)
        buttons.addWidget(self.start_button, 1)
        buttons.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(places)
        for widget in (self.before, self.said, self.bar):
            layout.addWidget(widget)
        layout.addLayout(buttons)

    # --- where ----------------------------------------------------------------------------------

    def mask(self, scan: Scan) -> NDArray[np.bool_] | None:
        """Return the positions to index, None for all.

        Raises
        ------
        ValueError
            If a region is wanted and there is none for this scan, in words for the user.
        """
        if self.where.currentText() == WHOLE:
            return None
        region = self.session.region
        if region is None:
            raise ValueError(NO_REGION)
        if region.shape != scan.scan_shape:
            raise ValueError(OTHER_SCAN)
        return region

    def _on_draw(self) -> None:
        self.region.draw()

    def _on_region(self, region: Any) -> None:
        self.whereChanged.emit()

    @property
    def fraction_done(self) -> float:
        """Share of the positions that the picture of a running job shows."""
        growing = self._growing
        return 0.0 if growing is None or growing.map is None else float(growing.map.done.mean())

    def can_start(self, possible: bool) -> None:
        """Let a run be started, or not; one that goes on can be stopped, a map saved, all the same.

        The scan may be closed while it is indexed: the run has it still.
        """
        for widget in (self.start_button, self.where, self.draw):
            widget.setEnabled(possible)

    # --- before the run -------------------------------------------------------------------------

    def estimate(self, scan: Scan | None, prepared: Prepared | None) -> None:
        """Say what a run costs."""
        if scan is None or prepared is None:
            self._expect("")
            return
        try:
            region = self.mask(scan)
        except ValueError as error:
            self._expect(str(error))
            return
        count = scan.scan_shape[0] * scan.scan_shape[1] if region is None else int(region.sum())
        seconds = words_for(count / prepared.rate).replace(" left", "")
        self._expect(
            f"{prepared.size}. {prepared.rate:.0f} patterns/s here: "
            f"{count} positions take {seconds}."
        )

    def _expect(self, text: str) -> None:
        self.before.setText(text)
        self.before.setVisible(bool(text) and not self.bar.is_running)

    # --- the run --------------------------------------------------------------------------------

    def run(self, scan: Scan, config: IndexConfig, prepared: Prepared | None) -> None:
        """Index; the map grows in a new layer."""
        from napari_orient.diffraction.matching.index import index_scan

        self.said.clear()
        try:
            region = self.mask(scan)
        except ValueError as error:
            self._refuse(str(error))
            return
        matcher = None if prepared is None else prepared.matcher
        growing = self._growing = GrowingMap(self.viewer, scan)
        show = Every(SHOWN, 0.0)
        job = index_scan(scan, config, region=region, matcher=matcher)
        self.bar.run(
            refusable(job),
            on_partial=lambda partial: self._on_partial(growing, show, partial),
            on_result=lambda answer: self._on_result(growing, *answer),
            on_end=lambda: self._on_end(growing),
        )

    def _on_partial(self, growing: GrowingMap, show: Every, partial: Partial) -> None:
        if partial.name == "map":
            self._latest = partial.value
            if show.due():
                growing.show(partial.value)

    def _on_result(self, growing: GrowingMap, result: Any, refusal: str) -> None:
        if refusal:
            self._refuse(refusal)
            return
        self._growing = None
        self._finish(growing, result)
        self._say_few(result)

    def _on_end(self, growing: GrowingMap) -> None:
        """Keep or drop what a run that did not reach its end has found."""
        latest, self._latest = self._latest, None
        if self._growing is not growing:
            return
        self._growing = None
        if not self.bar.keeps:
            growing.drop()
        elif latest is not None:
            self._finish(growing, latest)
            show_info("Stopped: the positions that were done are kept as a map.")

    def _on_failed(self, error: Exception) -> None:
        """Say what went wrong; what was found until then is no less right."""
        self.said.setText(f"The run ended early: {in_terms(error)}")
        self.bar.keeps = True

    def _refuse(self, text: str) -> None:
        text = in_terms(text)
        self.said.setText(text)
        show_error(text)

    def _finish(self, growing: GrowingMap, result: OrientationMap) -> None:
        growing.finish(result)
        self.result = growing.map
        self.session.orientation_map = growing.map
        self.save.setEnabled(True)

    def _say_few(self, result: OrientationMap) -> None:
        """Say that (nearly) nothing was recognised: such a map is transparent, as if none came."""
        count, found = int(result.done.sum()), int((result.indexed & result.done).sum())
        if found < FEW * count:
            self.said.setText(
                f"Only {found} of {count} positions are indexed, the others are transparent on the "
                "map. Are phases, pixel size and voltage right? Do the spots meet the reflections?"
            )

    def _on_running(self, running: bool) -> None:
        for widget in (self.start_button, self.save, self.where, self.draw):
            widget.setVisible(not running)
        self.before.setVisible(not running and bool(self.before.text()))  # the bar knows better
        self.save.setEnabled(self.result is not None)

    def _on_save(self) -> None:
        if self.result is not None:
            show_export(self.result)
