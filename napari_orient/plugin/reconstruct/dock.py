"""Which map, or volume, has the statistics of this map? The Reconstruct dock.

Nothing is computed here: a thread foretells what a run will be, a job makes the field, and another
thread colours what comes of it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QShortcut,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_orient.config import ConfigError
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.index.rows import Said
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.export import show_export
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import map_layers, name_of, open_maps, scheme_of
from napari_orient.plugin.reconstruct.closing import CloseGuard
from napari_orient.plugin.reconstruct.curves import LossCurve
from napari_orient.plugin.reconstruct.form import ReconstructForm
from napari_orient.plugin.reconstruct.look_panel import LookPanel
from napari_orient.plugin.reconstruct.outlook import Forecaster, Outlook
from napari_orient.plugin.reconstruct.pole_view import PoleView
from napari_orient.plugin.reconstruct.reference_form import ReferenceForm
from napari_orient.plugin.reconstruct.representative_panel import TITLE, RepresentativePanel
from napari_orient.plugin.reconstruct.run_panel import RunPanel
from napari_orient.plugin.reconstruct.seeds import SeedList
from napari_orient.plugin.reconstruct.timeline import Timeline
from napari_orient.plugin.reconstruct.words import facts
from napari_orient.plugin.sessions import PLUGIN, Dock, follow
from napari_orient.plugin.terms import in_terms
from napari_orient.plugin.train.lines import page
from napari_orient.plugin.view import scrolling

if TYPE_CHECKING:
    from napari_orient.crystal.colors import ColourScheme
    from napari_orient.data.maps import OrientationMap
    from napari_orient.plugin.reconstruct.deck_dialog import DeckDialog
    from napari_orient.plugin.reconstruct.engine import Order
    from napari_orient.plugin.reconstruct.run_panel import Opened
    from napari_orient.reconstruction.config import ReconstructConfig

SETTLED = 300  # ms after the last change, when it is foretold what a run will be
GRAINS = "Grains & texture"
MEASURING = "Measuring the grains of the reference …"
AMBER = "#e0a030"


class ReconstructDock(Dock):
    """The Reconstruct dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.outlook: Outlook | None = None
        self.deck: DeckDialog | None = None
        self._config: ReconstructConfig | None = None  # that the outlook is of
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED)
        self._timer.timeout.connect(self._foretell)
        self._live = Live(Forecaster(), self, name="orient-reconstruction-outlook")
        self._live.answered.connect(self._on_outlook)
        self._live.failed.connect(self._on_no_outlook)
        self._build()
        self._connect()
        self.reference.choose_first(self.session.orientation_map)
        self._on_changed()
        self._on_result(None)

    # --- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.reference, self.form = ReferenceForm(self.viewer), ReconstructForm()
        self.facts, self.warned = words(), Said(AMBER)
        self.facts.setTextFormat(Qt.TextFormat.RichText)
        self.curve, self.timeline, self.seeds = LossCurve(), Timeline(), SeedList()
        self.panel = RunPanel(self.viewer, self.curve, self)
        self.bar, self.growing = self.panel.bar, self.panel.growing
        self.look = LookPanel(self.viewer, self.growing, self)
        self.poles = PoleView(self, self.panel.pulse)
        self.panel.grew.connect(self.poles.look)
        self.guard = CloseGuard(self.viewer.window._qt_window, self, lambda: self.panel.folder)
        self.set_up = page(self.reference, self.form)
        self.progress = page(
            self._directions(),
            self.look,
            self.curve,
            self.poles,
            self.timeline,
            self.seeds,
            self.panel.done,
            self._results(),
        )
        self.tabs = QTabWidget()
        for one, name in (
            (self.set_up, "Set up"), (self.progress, "Progress and result"),
            (page(self.judge.page), TITLE),
        ):  # fmt: skip
            self.tabs.addTab(scrolling(one), name)
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        for widget in (self.facts, self.warned, self.panel):
            foot.addWidget(widget)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 4, 0, 0)
        outer.addWidget(self.tabs, 1)
        outer.addLayout(foot)
        self.setMinimumSize(360, 360)

    def _directions(self) -> QWidget:
        """Build the sample directions of the colours: they can be changed at any time."""
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("IPF colours along"))
        self._group = QButtonGroup(self)
        self.directions: dict[str, QPushButton] = {}
        for name in "XYZ":
            one = self.directions[name] = QPushButton(name)
            one.setCheckable(True)
            one.setToolTip(
                f"Colour by the crystal direction along {name} of the sample, also during a run"
            )
            one.clicked.connect(partial(self._on_direction, name))
            self._group.addButton(one)
            row.addWidget(one, 1)
        self.directions["Z"].setChecked(True)
        return made

    def _results(self) -> QWidget:
        self.deck_button = button(
            "Export deck …", "Write the volume for DAMASK, DREAM.3D, Abaqus or ParaView",
            self._on_deck,
        )  # fmt: skip
        self.grains_button = button(
            GRAINS.replace("&", "&&"), "Look at the grains of the result in their own dock",
            self._on_grains,
        )  # fmt: skip
        self.save_button = button(
            "Save map …", "Write the result to a file: .h5 (everything), .ang, .ctf ...",
            self._on_save,
        )  # fmt: skip
        self.judge = RepresentativePanel()
        self.representative_button = self.judge.button
        made = QWidget()
        row = QVBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        first = QHBoxLayout()
        for one in (self.grains_button, self.deck_button, self.save_button):
            first.addWidget(one, 1)
        row.addLayout(first)
        row.addWidget(self.judge)
        return made

    def _connect(self) -> None:
        for part in (self.reference, self.form):
            part.changed.connect(self._on_changed)
        self.form.files.refused.connect(self.panel.said.setText)
        self.panel.asked.connect(self._on_asked)
        self.panel.opened.connect(self._on_opened)
        self.panel.began.connect(self._on_began)
        self.panel.finished.connect(self._on_result)
        self.tabs.currentChanged.connect(self._show_outlook)
        self.bar.running.connect(self._show_outlook)
        self.timeline.moved.connect(self._on_moved)
        self.seeds.chosen.connect(self._on_seed)
        self.judge.shown.connect(lambda: self.tabs.setCurrentIndex(2))
        self.seeds.taken.connect(self.panel.take)
        shortcut = QShortcut(QKeySequence("Ctrl+Return"), self)  # of this dock: Index has it, too
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.panel.start_button.click)
        follow(self, self.viewer.layers.events.inserted, self._on_inserted)
        follow(self, self.viewer.layers.events.removed, self._on_removed)

    def sizeHint(self) -> QSize:
        """Return the room that is wanted beside other docks: Qt calls."""
        return QSize(420, 780)

    # --- before the run ---------------------------------------------------------------------------

    def _on_inserted(self, event: Any) -> None:
        if "map" in event.value.metadata and not self.bar.is_running:
            self.reference.choose_first(self.session.orientation_map)

    def _on_removed(self, event: Any) -> None:
        """Offer nothing of a result that was closed."""
        result = self.panel.result
        if result is not None and not any(result is one for one in open_maps(self.viewer)):
            self.panel.result = None
            self._on_result(None)

    def _on_changed(self) -> None:
        """Foretell what a run will be, when the user has done typing."""
        self.reference.set_solid(self.form.size.dimensions == 3)
        chosen = self.reference.map
        flat = chosen is not None and len(chosen.shape) == 2
        step, unit = (min(chosen.step), chosen.unit) if flat and chosen else (None, "")
        self.form.size.show_map(step, unit)
        self.outlook = None
        self._offer()
        self._timer.start()

    def _foretell(self) -> None:
        self._live.forget()
        try:
            wanted, config = self.reference.wanted(), self.form.config
        except (ValueError, ConfigError) as error:
            self._on_outlook(None, Outlook(refusal=str(error)))
            return
        self._config = config
        self.facts.setText(MEASURING)
        self._live.request((wanted, config))

    def _on_outlook(self, asked: Any, found: Outlook) -> None:
        self.outlook = found
        config = self._config
        self.facts.setText(facts(found, grains=config is not None and config.consolidate))
        said = (found.refusal,) if found.refusal else found.warnings
        self.warned.setText(in_terms("<br>".join(f"• {one}" for one in said)))
        self._offer()

    def _show_outlook(self, *_: Any) -> None:
        """Show what a run will be where one is set up; else it is in the way."""
        on = self.tabs.currentIndex() == 0 and not self.bar.is_running
        for label in (self.facts, self.warned):
            label.setVisible(on and bool(label.text()))

    def _on_no_outlook(self, asked: Any, error: Exception) -> None:
        self._on_outlook(asked, Outlook(refusal=f"{type(error).__name__}: {error}"))

    def _offer(self) -> None:
        found = self.outlook
        ready = found is not None and not found.refusal and bool(found.references)
        self.panel.start_button.setEnabled(ready)
        self._show_outlook()

    # --- the run ----------------------------------------------------------------------------------

    def _on_asked(self) -> None:
        chosen, found, config = self.reference.map, self.outlook, self._config
        if chosen is None or found is None or config is None:
            return
        name = name_of(self.viewer, chosen)
        self.panel.start(found, config, name, self._colours(chosen))

    def _colours(self, chosen: OrientationMap) -> ColourScheme:
        """Return the colours of the reference, as far as they mean the same of another map."""
        from napari_orient.crystal.colors import ColourScheme

        for layer in map_layers(self.viewer, chosen):
            before = scheme_of(layer)
            return ColourScheme(key=before.key, direction=before.direction)
        return ColourScheme()

    def _on_opened(self, found: Opened) -> None:
        self.form.set_config(found.config)

    def _on_began(self, order: Order) -> None:
        self.timeline.show_run(None)
        self.judge.begin(order)
        self._on_result(None)
        known = self.growing.map
        self.look.show_run(order.config.size, known.unit if known is not None else "")
        if known is not None:
            self.poles.begin(order.references, known.phases)
        self.tabs.setCurrentIndex(1)
        direction = self.growing.scheme.direction
        if direction in self.directions:
            self.directions[str(direction)].setChecked(True)

    def _on_direction(self, name: str, *_: Any) -> None:
        self.growing.set_direction(name)

    # --- afterwards -------------------------------------------------------------------------------

    def _on_result(self, result: OrientationMap | None) -> None:
        there = result is not None
        if there:
            self.session.orientation_map = result
        order = self.panel.order
        known = order if there and order is not None else None
        self.timeline.show_run(known.snapshots if known is not None else None)
        seed = result.provenance.get("seed") if result is not None else None
        self.seeds.show_fields(known.done if known is not None else [], seed)
        for one in (self.grains_button, self.save_button):
            one.setEnabled(there)
        solid = result is not None and len(result.shape) == 3
        self.deck_button.setEnabled(solid)
        self.look.show_result(result)
        if result is not None:
            self.poles.finish(result)
        self.judge.show_result(known, result, self.panel.name)

    def _on_moved(self, number: int) -> None:
        order = self.panel.order
        if number < 0 or order is None:
            self._look_at_result()
            return
        self.seeds.forget()
        self.growing.look_back(order.snapshots[number].field)
        self.poles.look_at_once(order.snapshots[number].field)

    def _on_seed(self, number: int) -> None:
        """Look at the field of a seed; at the result again, where it is let go."""
        order = self.panel.order
        if order is None or number < 0:
            self._look_at_result()
            return
        self.timeline.end()
        self.growing.look_back(order.done[number].field.field)
        self.poles.look_at_once(order.done[number].field.field)

    def _look_at_result(self) -> None:
        self.growing.look_at_result()
        if self.panel.result is not None:
            self.poles.finish(self.panel.result)

    def _on_deck(self) -> None:
        from napari_orient.plugin.reconstruct.deck_dialog import DeckDialog

        if self.panel.result is not None:
            self.deck = DeckDialog(self.panel.result, self.panel.name, self)
            self.deck.finished.connect(self.deck.deleteLater)
            self.deck.open()

    def _on_grains(self) -> None:
        """Open the dock of grains on the result."""
        if self.panel.result is not None:
            dock = self.viewer.window.add_plugin_dock_widget(PLUGIN.strip(" ()"), GRAINS)[1]
            dock.picker.choose(self.panel.result)

    def _on_save(self) -> None:
        if self.panel.result is not None:
            show_export(self.panel.result)
