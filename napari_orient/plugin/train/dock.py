"""Which network reads the orientations of such patterns? The Train dock: settings, data, the run.

Nothing is learned here: the dock shows what the training yields, and what it would learn from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QCheckBox, QTabWidget, QVBoxLayout

from napari_orient.config import ConfigError
from napari_orient.learning.config import TrainConfig
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.sessions import Dock, follow
from napari_orient.plugin.settings_files import SettingsFiles
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.train.curves import CurvesView
from napari_orient.plugin.train.form import TrainForm
from napari_orient.plugin.train.lines import page
from napari_orient.plugin.train.map_preview import MapPreview
from napari_orient.plugin.train.run_panel import RunPanel
from napari_orient.plugin.view import scrolling

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.plugin.train.places import Place


FREE = (
    "learning_rate", "schedule", "epochs", "validate_every", "target_r2", "patience",
    "time_limit_s", "precision", "device",
)  # fmt: skip
"""Settings that may change when a training is resumed."""


class TrainDock(Dock):
    """The Train dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._shown: tuple[Scan | None, OrientationMap | None] = (None, None)  # of the run
        self._build()
        self._connect()
        self._on_scan()
        self.panel.propose()

    # --- building the dock ----------------------------------------------------------------------

    def _build(self) -> None:
        self.form = TrainForm(self.viewer, self.session, self)
        self.told = Said("#e0a030")
        self.curves, self.preview = CurvesView(), MapPreview()
        self.look = QCheckBox("Map of the scan after each better validation")
        self.look.setToolTip(
            "Predict at most 48 x 48 positions of the open scan with the model that is kept; this "
            "takes some of the training's time"
        )
        self.look.setChecked(True)
        self.panel = RunPanel()
        self.bar = self.panel.bar
        self.files = SettingsFiles(TrainConfig, "train", self._current)
        recipe = self.form.recipe.page.layout()
        recipe.insertWidget(recipe.count() - 1, self.files)
        self.progress_page = page(self.curves, self.look, self.preview)
        self.tabs = QTabWidget()
        for one, name in (
            (self.form.network.page, "Network"),
            (self.form.data_page, "Data"),
            (self.form.recipe.page, "Recipe"),
            (self.progress_page, "Progress"),
        ):
            self.tabs.addTab(scrolling(one), name)
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        foot.setSpacing(4)
        for widget in (self.told, self.panel):
            foot.addWidget(widget)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 4, 0, 0)
        outer.addWidget(self.tabs, 1)
        outer.addLayout(foot)
        self.setMinimumHeight(340)
        self.curves.wait_for_first()

    def _connect(self) -> None:
        events = self.session.events
        follow(self, events.scan, self._on_scan)
        follow(self, events.shown, self._on_shown)
        follow(self, self.viewer.layers.events.inserted, self._on_inserted)
        self.form.changed.connect(self._on_form)
        self.files.loaded.connect(self._on_loaded)
        self.files.refused.connect(self.told.setText)
        self.tabs.currentChanged.connect(self._attend)
        self.panel.asked.connect(self._on_asked)
        self.panel.found.connect(self._on_found)
        self.panel.stepped.connect(self.curves.add_loss)
        self.panel.validated.connect(self._on_validated)
        self.panel.finished.connect(lambda _: self._on_form())
        self.panel.chosen.connect(self._on_chosen)

    def sizeHint(self) -> QSize:
        """Return the room that is wanted beside other docks: Qt calls."""
        return QSize(360, 720)

    # --- following ------------------------------------------------------------------------------

    def attend(self, on: bool) -> None:
        """Draw what is learned from, or wait until the dock is in front again."""
        self._attend()

    def _attend(self, *_: Any) -> None:
        seen = self.tabs.currentWidget().widget() is self.form.data_page
        self.form.set_active(self.in_front and seen)

    def _on_scan(self, *_: Any) -> None:
        self.form.follow_scan()
        self.form.labels.suggest(self.session.orientation_map)

    def _on_inserted(self, *_: Any) -> None:
        self.form.labels.suggest(self.session.orientation_map)

    def _on_shown(self, *_: Any) -> None:
        if self.in_front:
            self.form.look()

    def _on_form(self) -> None:
        """Say what is missing before a training."""
        self._attend()
        said = self.form.refusal()
        self.told.setText("" if self.bar.is_running else in_terms(said))
        simulated = self.form.is_simulated
        phase = self.form.simulation if simulated else self.form.labels
        name = phase.phase.value() if simulated else phase.phase.currentText()  # type: ignore[union-attr]
        self.panel.suggest(
            name.rpartition("/")[2].removesuffix(".cif"), self.form.network.name.value()
        )

    # --- the run --------------------------------------------------------------------------------

    def _on_asked(self, resume: bool) -> None:
        config = self._resumable() if resume else self._config()
        if config is None:
            return
        scan, labels = self.form.scan, self.form.labels.map
        self._shown = (scan, labels if _fit(scan, labels) else None)
        data = (None, None) if self.form.is_simulated else (scan, labels)
        if not self.panel.run(config, *data, resume=resume):
            return
        self.told.clear()
        if not resume:
            self.curves.wait_for_first()
        self.preview.clear()
        self.tabs.setCurrentIndex(self.tabs.count() - 1)

    def _config(self) -> TrainConfig | None:
        """What the controls say, or None; the dock then says why."""
        if said := self.form.refusal():
            self.panel.refuse(said)
            return None
        return self.form.config

    def _resumable(self) -> TrainConfig | None:
        """The settings of the folder's training, and of the form what may be another now."""
        place, config = self.panel.look(), self._config()
        if config is None or place.config is None:
            return config
        before, now = place.config.scan, config.scan
        if (before is None) != (now is None):
            kind = "simulated patterns" if before is None else "a scan with labels"
            self.panel.refuse(f"{place.path} is a training of {kind}: choose it under Data.")
            return None
        if before is not None and now is not None:
            for name in ("scan", "labels"):
                if getattr(before, name) != getattr(now, name):
                    self.panel.refuse(
                        f"{place.path} has learned the {name} {getattr(before, name)}, and "
                        f"{getattr(now, name)} is chosen: open and choose the former."
                    )
                    return None
        if place.history and (said := _ended(config, place.history[-1])):
            self.panel.refuse(said)
            return None
        return place.config.model_copy(update={name: getattr(config, name) for name in FREE})

    def _on_validated(self, history: list[dict[str, Any]]) -> None:
        self.curves.show_history(history)
        losses = [record["validation_loss"] for record in history]
        scan, labels = self._shown
        if self.look.isChecked() and scan is not None and losses[-1] == min(losses):
            self.preview.show_model(self.panel.folder, scan, labels, history[-1]["round"])

    def _on_found(self, place: Place) -> None:
        """Show the settings and the curves of a training that can be gone on with."""
        missing = self.form.set_config(place.config) if place.config is not None else ""
        self.curves.wait_for_first()
        self.curves.show_history(place.history)
        self.preview.clear()
        self.tabs.setCurrentIndex(self.tabs.count() - 1)
        if missing:
            self.told.setText(in_terms(missing))

    def _on_chosen(self, folder: str) -> None:
        """Let the Predict dock take the model."""
        self.session.model = folder

    # --- files of settings ----------------------------------------------------------------------

    def _current(self) -> TrainConfig | None:
        try:
            return self.form.config
        except ConfigError as error:
            self.told.setText(str(error))
            return None

    def _on_loaded(self, config: TrainConfig) -> None:
        if missing := self.form.set_config(config):
            self.told.setText(in_terms(missing))


def _ended(config: TrainConfig, last: dict[str, Any]) -> str:
    """Return which rule would end a training at once that is to be resumed."""
    if last["round"] >= config.epochs:
        return f"The training has had {last['round']} rounds: type more under Recipe to go on."
    if config.time_limit_s is not None and last["seconds"] >= config.time_limit_s:
        minutes = last["seconds"] / 60
        return (
            f"The training has had {minutes:.1f} min: type a longer time limit under Recipe, which "
            "counts from its start, or none."
        )
    target = config.target_r2 if config.network.head == "euler" else None
    if target is not None and last["r2"] > target:
        return f"R² is above {target:g}: type a higher one under Recipe to go on, or none."
    return ""


def _fit(scan: Scan | None, labels: OrientationMap | None) -> bool:
    return scan is not None and labels is not None and labels.shape == scan.scan_shape
