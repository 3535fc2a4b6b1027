"""Which crystal lies how at each point of the scan? The Index dock: settings, a look, the run.

Every change of a setting redraws the spots on the pattern at once; the library that belongs to the
settings is built behind it, and the pattern under the cursor is then matched anew.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QTabWidget, QVBoxLayout

from napari_orient.config import ConfigError
from napari_orient.data.scan import Scan
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.plugin.index.form import IndexForm
from napari_orient.plugin.index.look import Prepared, prepare
from napari_orient.plugin.index.preview import Preview
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.index.run_panel import RunPanel
from napari_orient.plugin.maps.layers import open_maps
from napari_orient.plugin.sessions import Dock, follow, follow_clicks
from napari_orient.plugin.settings_files import SettingsFiles
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.view import scrolling
from napari_orient.plugin.worker import JobBar, refusable

NO_SCAN = "Open a scan first: drop a file on the window, or File > Open Sample > Orient."
SETTLED = 500  # ms without a change, after which a library is built


class IndexDock(Dock):
    """The Index dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._scan: Scan | None = None
        self._prepared: Prepared | None = None
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(SETTLED)
        self._wait.timeout.connect(self._build_matcher)
        self._build()
        self._connect()
        self._on_scan(self.session.scan)

    # --- building the dock ----------------------------------------------------------------------

    def _build(self) -> None:
        self.told, self.exploratory = Said("#e06c5c"), Said("#e0a030")
        self.form = IndexForm(self)
        self.building = JobBar()
        self.preview = Preview(self.session)
        self.panel = RunPanel(self.viewer, self.session)
        self.bar, self.start_button = self.panel.bar, self.panel.start_button
        self.files = SettingsFiles(IndexConfig, "index", lambda: self.config)
        self._arrange()

    def _arrange(self) -> None:
        self.form.library_page.layout().addWidget(self.files)
        self.tabs = QTabWidget()
        for page, name in (
            (self.form.camera_page, "Phases, microscope"),
            (self.form.library_page, "Library"),
            (self.preview, "Pattern"),
        ):
            self.tabs.addTab(scrolling(page), name)
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        foot.setSpacing(4)
        for widget in (
            self.preview.summary,
            self.told,
            self.exploratory,
            self.building,
            self.panel,
        ):
            foot.addWidget(widget)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 4, 0, 0)
        outer.addWidget(self.tabs, 1)
        outer.addLayout(foot)
        self.setMinimumHeight(340)

    def _connect(self) -> None:
        events = self.session.events
        follow(self, events.scan, self._on_scan)
        follow(self, events.shown, self._on_shown)
        follow(self, self.viewer.layers.events.inserted, self._on_layers)
        follow(self, self.viewer.layers.events.removed, self._on_layers)
        follow_clicks(self, self.viewer, self._on_canvas_clicked)
        self.form.changed.connect(self._on_form)
        self.form.changed.connect(self.panel.said.clear)  # it was about other settings
        self.files.loaded.connect(self.form.set_config)
        self.files.refused.connect(self.told.setText)
        self.tabs.currentChanged.connect(self._on_tab)
        self.building.failed.connect(self._on_no_matcher)
        self.panel.asked.connect(self._on_asked)
        self.panel.whereChanged.connect(self._estimate)

    def sizeHint(self) -> QSize:
        """Return the room that is wanted beside other docks: Qt calls."""
        return QSize(340, 680)

    # --- the session ----------------------------------------------------------------------------

    def _on_scan(self, scan: Scan | None) -> None:
        before, self._scan = self._scan, scan
        if before is not None and scan is not before:
            self._forget_typed(before, scan)
        self.panel.said.clear()
        self.tabs.setEnabled(scan is not None)
        self.panel.can_start(scan is not None)
        self.told.setText(NO_SCAN if scan is None else "")
        self._show_camera()
        if before is None or scan is None or scan.phase != before.phase:
            self._on_layers()
        self.preview.look_at(scan, self.session.shown)
        self._on_form()

    def _forget_typed(self, before: Scan, scan: Scan | None) -> None:
        """Forget the microscope that was typed for another scan; a part of it has the same one."""
        same = scan is not None and scan.source == before.source and scan.name == before.name
        if not same:
            self.form.forget_camera()
        elif scan is not None and scan.pattern_shape != before.pattern_shape:  # binned
            self.form.forget_camera(["pixel_size"])

    def _on_layers(self, event: Any = None) -> None:
        phase = self._scan.phase if self._scan is not None else None
        self.form.phases.offer(phase, open_maps(self.viewer))

    def _on_shown(self, position: tuple[int, int] | None) -> None:
        if self.in_front:
            self.preview.look_at(self._scan, position)

    def _on_canvas_clicked(self) -> None:
        """Look at the pattern of a click, which a Pattern dock, if there is one, then shows."""
        if self.in_front and self.session.cursor is not None:
            self.session.shown = self.session.cursor

    def attend(self, on: bool) -> None:
        """Match what is shown, or leave the pattern to the docks in front."""
        self.preview.set_active(on)
        if on:
            self.preview.look_at(self._scan, self.session.shown)
            self._on_form()
        else:
            self._wait.stop()

    def _on_tab(self, index: int) -> None:
        """Sum the match up where its own page is not seen."""
        self.preview.sum_up(self.tabs.widget(index).widget() is not self.preview)

    # --- settings and their matcher -------------------------------------------------------------

    @property
    def config(self) -> IndexConfig | None:
        """The settings, or None where they cannot be; the dock then says why."""
        try:
            return self.form.config
        except ConfigError as error:
            self.told.setText(in_terms(error))
            return None

    def _show_camera(self) -> None:
        self.form.show_camera(self._scan.calibration if self._scan is not None else None)

    def _on_form(self) -> None:
        if self._scan is None:
            self._set_matcher(None)
            return
        self.told.clear()
        config = self.config
        self.preview.set_config(config)
        if config is None or not config.phases:
            self.building.cancel()
            self._set_matcher(None)
        elif (fitting := self._fitting(config)) is None:
            self.panel.estimate(None, None)
            if self.in_front:
                self._wait.start()
        elif fitting is not self._prepared:
            self._on_built(config, fitting, "")
        else:
            self._estimate()

    def _fitting(self, config: IndexConfig) -> Prepared | None:
        """Return the matcher for these settings, if its library serves them."""
        made = self._prepared
        return made.adapted(self._scan, config) if made and self._scan else None

    def _build_matcher(self) -> None:
        config = self.config
        if self._scan is None or config is None or not config.phases:
            return
        if self._fitting(config) is not None:
            self.building.cancel()
            return
        at = self.preview.at or (0, 0)
        self.building.run(
            refusable(prepare(self._scan, at, config)),
            text="Building the library",
            on_result=lambda answer: self._on_built(config, *answer),
        )

    def _on_built(self, config: IndexConfig, prepared: Prepared | None, refusal: str) -> None:
        if config != self.config:
            return
        if prepared is None:
            self._on_no_matcher(refusal)
            return
        self._show_camera()
        self.form.show_used(prepared.matcher.config)
        self._set_matcher(prepared)

    def _on_no_matcher(self, why: Any) -> None:
        self._set_matcher(None)
        self.told.setText(in_terms(why))

    def _set_matcher(self, prepared: Prepared | None) -> None:
        self._prepared = prepared
        said = in_terms(prepared.matcher.exploratory) if prepared is not None else ""
        self.exploratory.setText(f"<b>Exploratory</b>: {said}" if said else "")
        self.preview.set_prepared(prepared)
        self._estimate()

    def _estimate(self) -> None:
        self.panel.estimate(self._scan, self._prepared)

    # --- the run --------------------------------------------------------------------------------

    def _on_asked(self) -> None:
        config = self.config
        if self._scan is None or config is None:
            return
        if not config.phases:
            self.told.setText("Choose the phase first: which crystals may be in this scan?")
            return
        self.told.clear()  # a refusal is said by the run
        self.panel.run(self._scan, config, self._fitting(config))
