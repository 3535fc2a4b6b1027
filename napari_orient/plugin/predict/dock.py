"""Which orientations does a network see? The Predict dock: a model, a look, the run.

A model is read when it is chosen, and brought together with the scan: what does not fit is said
then, not after a run. The pattern under the cursor shows what the network makes of it.
"""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_orient.config import ConfigError
from napari_orient.data.maps import OrientationMap
from napari_orient.data.scan import Scan
from napari_orient.learning.folder import Model
from napari_orient.learning.predict import PredictConfig
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.predict.form import PredictForm
from napari_orient.plugin.predict.look import Prepared, prepare
from napari_orient.plugin.predict.models import other_phase, predict_terms, read, shipped
from napari_orient.plugin.predict.picker import ModelPicker
from napari_orient.plugin.predict.preview import Preview
from napari_orient.plugin.predict.run_panel import PredictPanel
from napari_orient.plugin.predict.trust_panel import SURE, TrustPanel
from napari_orient.plugin.sessions import PLUGIN, Dock, follow, follow_clicks
from napari_orient.plugin.settings_files import SettingsFiles
from napari_orient.plugin.view import scrolling
from napari_orient.plugin.worker import JobBar, refusable

NO_SCAN = "Open a scan first: drop a file on the window, or File > Open Sample > Orient."
NO_LABELS = (
    "No map of this scan is open that could be believed: open the labels, or index the scan. Which "
    "one is meant is chosen under Certainty."
)
SETTLED = 500  # ms without a change, after which model and scan are brought together


class PredictDock(Dock):
    """The Predict dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._scan: Scan | None = None
        self._model: Model | None = None
        self._telling = False  # is it this dock that sets the model of the session?
        self._prepared: Prepared | None = None
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(SETTLED)
        self._wait.timeout.connect(self._prepare)
        self._build()
        self._connect()
        self._on_scan(self.session.scan)
        self._on_session_model(self.session.model)
        self._on_map(self.session.orientation_map)

    # --- building the dock ----------------------------------------------------------------------

    def _build(self) -> None:
        self.told, self.doubts, self.fit = Said("#e06c5c"), Said("#e0a030"), Said("#69b578")
        self.picker, self.form = ModelPicker(), PredictForm()
        self.files = SettingsFiles(PredictConfig, "predict", lambda: self.config)
        self.building = JobBar()
        self.preview = Preview(self.session)
        self.trust = TrustPanel(self.viewer)
        self.panel = PredictPanel(self.viewer, self.session)
        self.bar, self.start_button = self.panel.bar, self.panel.start_button
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(6)
        for widget in (self.picker, self.fit, self.form, self.files):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.tabs, self._page = QTabWidget(), scrolling(page)
        self.tabs.addTab(self._page, "Model")
        for content, name in ((self.preview, "Pattern"), (self.trust, "Certainty")):
            self.tabs.addTab(scrolling(content), name)
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        foot.setSpacing(4)
        for widget in (
            self.preview.summary, self.told, self.doubts, self.building, self.panel
        ):  # fmt: skip
            foot.addWidget(widget)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 4, 0, 0)
        outer.addWidget(self.tabs, 1)
        outer.addLayout(foot)
        self.setMinimumHeight(340)

    def _connect(self) -> None:
        events = self.session.events
        follow(self, events.scan, self._on_scan)
        follow(self, events.model, self._on_session_model)
        follow(self, events.shown, self._on_shown)
        follow(self, events.orientation_map, self._on_map)
        follow(self, self.viewer.layers.events.removed, self._on_removed)
        follow_clicks(self, self.viewer, self._on_canvas_clicked)
        self.picker.chosen.connect(self.open_model)
        self.form.changed.connect(self._on_form)
        self.form.more.toggled.connect(self._on_more)
        self.files.loaded.connect(self.form.set_config)
        self.files.refused.connect(self.told.setText)
        self.tabs.currentChanged.connect(self._on_tab)
        self.building.failed.connect(self._on_no_fit)
        self.panel.asked.connect(self._on_asked)
        self.panel.whereChanged.connect(self._estimate)
        self.panel.predicted.connect(self._on_predicted)
        self.panel.compareAsked.connect(self.compare)
        self.trust.labels.changed.connect(self.panel.said.clear)

    def sizeHint(self) -> QSize:
        """Return the room that is wanted beside other docks: Qt calls."""
        return QSize(340, 680)

    # --- the session ----------------------------------------------------------------------------

    def _on_scan(self, scan: Scan | None) -> None:
        self._scan = scan
        self.panel.said.clear()
        self.form.show_camera(scan.calibration if scan is not None else None)
        self.preview.look_at(scan, self.session.shown)
        self._on_form()

    def _on_session_model(self, folder: str | None) -> None:
        if folder is not None and not self._telling:
            self.open_model(folder)

    def _on_shown(self, position: tuple[int, int] | None) -> None:
        if self.in_front:
            self.preview.look_at(self._scan, position)

    def _on_canvas_clicked(self) -> None:
        """Look at the pattern of a click, which a Pattern dock, if there is one, then shows."""
        if self.in_front and self.session.cursor is not None:
            self.session.shown = self.session.cursor

    def attend(self, on: bool) -> None:
        """Read what is shown, or leave the pattern to the docks in front."""
        self.preview.set_active(on)
        self.trust.set_active(on)
        if on:
            self.preview.look_at(self._scan, self.session.shown)
            self._on_form()
            self._begin()
        else:
            self._wait.stop()

    def _on_more(self, on: bool) -> None:
        """Bring into view what was unfolded, once it has its place."""
        if on:
            QTimer.singleShot(0, self._scroll_down)

    def _scroll_down(self) -> None:
        self._page.ensureWidgetVisible(self.form.rows["threads"])

    def _on_tab(self, index: int) -> None:
        """Sum the answer up where its own page is not seen."""
        self.preview.sum_up(self.tabs.widget(index).widget() is not self.preview)

    # --- the model ------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Take a model that comes with the program, where none is chosen yet."""
        if self._model is None and not self.building.is_running and (there := shipped()):
            self.open_model(str(there[0]))

    def open_model(self, folder: str) -> None:
        """Read a model from its folder; one that cannot be read is said, and the old one stays."""
        self._wait.stop()
        self.building.run(
            refusable(read(folder)),
            text="Model",
            on_result=lambda answer: self._on_model(folder, *answer),
        )

    def _on_model(self, folder: str, model: Model | None, refusal: str) -> None:
        if model is None:
            show_error(refusal)
            self.told.setText(refusal)
            return
        self._model = model
        self.picker.choose(folder)
        self.picker.show_model(model)
        self._telling = True
        self.session.model = folder
        self._telling = False
        self._prepared = None
        self._on_form()

    # --- the model and the scan -----------------------------------------------------------------

    @property
    def config(self) -> PredictConfig | None:
        """The settings, or None where they cannot be; the dock then says why."""
        try:
            return self.form.config
        except ConfigError as error:
            self.told.setText(predict_terms(error))
            return None

    def _on_form(self) -> None:
        self.panel.said.clear()  # it was about other settings
        self.told.setText(NO_SCAN if self._scan is None else "")
        self.doubts.setText(other_phase(self._model, self._scan))
        config = self.config
        if self._model is None or self._scan is None or config is None:
            self._set_prepared(None)
            return
        if self._serves(config):
            self._set_prepared(self._prepared)
            return
        self._set_prepared(None)
        if self.in_front:
            self._wait.start()

    @property
    def prepared(self) -> Prepared | None:
        """Model and scan brought together; None as long as they are not, or cannot be."""
        return self._prepared

    def _serves(self, config: PredictConfig) -> bool:
        made = self._prepared
        return made is not None and made.serves(self._scan, self._model, config)

    def _prepare(self) -> None:
        config = self.config
        if self._scan is None or self._model is None or config is None or self._serves(config):
            return
        at = self.preview.at or (0, 0)
        asked = (self._scan, self._model, config)
        self.building.run(
            refusable(prepare(self._scan, at, self._model, config)),
            text="Model and scan",
            on_result=lambda answer: self._on_fit(asked, *answer),
        )

    def _on_fit(self, asked: tuple[Any, ...], prepared: Prepared | None, refusal: str) -> None:
        scan, model, config = asked
        if scan is not self._scan or model is not self._model or config != self.config:
            return
        if prepared is None:
            self._on_no_fit(refusal)
            return
        self._set_prepared(prepared)

    def _on_no_fit(self, why: Any) -> None:
        self._set_prepared(None)
        self.told.setText(predict_terms(why))

    def _set_prepared(self, prepared: Prepared | None) -> None:
        self._prepared = prepared
        predictor = prepared.predictor if prepared is not None else None
        self.fit.setText("")
        if predictor is not None:
            remarks = "; ".join(predict_terms(one) for one in predictor.remarks)
            self.fit.setText(f"Fits {self._scan.name}." + (f" {remarks}." if remarks else ""))
            if predictor.exploratory:
                doubt = f"<b>Exploratory</b>: {predict_terms(predictor.exploratory)}"
                before = other_phase(self._model, self._scan)
                self.doubts.setText("<br>".join(part for part in (before, doubt) if part))
        self.panel.can_start(prepared is not None)
        self.preview.set_prepared(prepared)
        self._estimate()

    def _estimate(self) -> None:
        self.panel.estimate(self._scan, self._prepared)

    # --- the run, and what becomes of it --------------------------------------------------------

    def _on_asked(self) -> None:
        if self._scan is not None and self._prepared is not None:
            self.panel.run_with(self._scan, self._prepared)

    def _on_map(self, chosen: OrientationMap | None) -> None:
        """Judge a predicted map that was read from a file; not one that still grows."""
        if chosen is not None and SURE in chosen.properties and not self.bar.is_running:
            self._judge(chosen)

    def _on_predicted(self) -> None:
        self._judge(self.panel.result)

    def _judge(self, predicted: OrientationMap | None) -> None:
        self.trust.set_predicted(predicted)
        self.panel.compare.setEnabled(predicted is not None)

    def _on_removed(self, event: Any) -> None:
        """Judge no map whose last layer was deleted; it can still be saved."""
        shown = self.trust.predicted
        if shown is not None and not any(
            layer.metadata.get("map") is shown for layer in self.viewer.layers
        ):
            self._judge(None)

    def compare(self) -> None:
        """Open the Compare dock on the labels and the map."""
        labels, predicted = self.trust.labels.chosen, self.trust.predicted
        if labels is None or predicted is None or labels is predicted:
            self.panel.said.setText(NO_LABELS)
            return
        plugin = PLUGIN.strip(" ()")
        frame, dock = self.viewer.window.add_plugin_dock_widget(plugin, "Compare", tabify=True)
        frame.raise_()
        dock.reference.choose(labels)
        dock.other.choose(predicted)
        dock.compare()
