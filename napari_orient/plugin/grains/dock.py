"""What does a map, or a volume, say about the material? The Grains & texture dock.

Grains are found once, in a job. What follows the controls (colours, outlines, maps, plots, texture)
is worked out in threads, the newest wish first, so that nothing waits for anything else.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error as notify
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QHBoxLayout,
    QShortcut,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.config import ConfigError
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.compare.pickers import MapPicker
from napari_orient.plugin.grains.colour_panel import ColourPanel
from napari_orient.plugin.grains.colours import NONE
from napari_orient.plugin.grains.compare_panel import ComparePanel
from napari_orient.plugin.grains.form import GrainForm
from napari_orient.plugin.grains.found import Found, Look, colours, find
from napari_orient.plugin.grains.layers import (
    CHOSEN,
    CLASSES,
    GRAINS,
    LINES,
    bring_out,
    grains_layer,
    layer_beside,
    mark_of,
    recolour,
    remove_orphans,
    show_grains,
    show_lines,
    show_mark,
)
from napari_orient.plugin.grains.map_panel import MapPanel
from napari_orient.plugin.grains.picking import DRAWN, follow_still_clicks, grain_at, show_grain
from napari_orient.plugin.grains.plot_panel import PlotPanel
from napari_orient.plugin.grains.table_panel import TablePanel
from napari_orient.plugin.grains.texture_panel import TexturePanel
from napari_orient.plugin.grains.words import statistics
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import name_of, open_maps
from napari_orient.plugin.paths import ask_where, file_name
from napari_orient.plugin.sessions import Dock, follow
from napari_orient.plugin.settings_files import SettingsFiles
from napari_orient.plugin.view import fill_scrolling
from napari_orient.plugin.worker import JobBar, refusable

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.analysis.grains.grains import Grains

EMPTY = "Open a map or a volume with File > Open, or index a scan; then choose it above."
PRESS = "Press Find grains, or look at the texture of all points."
LEAST, WIDTH, PAGE = 480, 460, 420  # px: least height, width, and height of a page
KINDS = "Table (*.csv);;Map with grains, KAM and GROD (*.h5)"


class GrainsDock(Dock):
    """The Grains & texture dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.found: Found | None = None
        self._kept: list[Found] = []  # of all maps that are open
        self._shown: tuple[weakref.ref[Layer], Found, str] | None = None
        self._refusal = ""  # why the last run found nothing
        self._ids: list[int] = []  # of the grains that are chosen
        self._colours = Live(colours, self, name="orient-grain-colours")
        self._colours.answered.connect(self._show_colours)
        self._colours.failed.connect(lambda _, error: notify(f"No colours: {error}"))
        self._marks = Live(mark_of, self, name="orient-grain-marks")
        self._marks.answered.connect(self._show_mark)
        self._marks.failed.connect(lambda _, error: notify(f"No outline: {error}"))
        self._build()
        self._connect()
        self._choose_first()
        self._on_map()

    @property
    def grains(self) -> Grains | None:
        """The grains of the chosen map, or None."""
        return self.found.grains if self.found is not None else None

    # --- building ----------------------------------------------------------------------------

    def _build(self) -> None:
        self.picker = MapPicker(self.viewer, "The map, or the volume, that is looked at")
        self.find_button = button(
            "Find grains", "Find the grains of the map, and measure them (Ctrl+Return)", self.find
        )
        # of this dock alone: Index has the same keys
        shortcut = QShortcut(QKeySequence("Ctrl+Return"), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.find_button.click)
        self.fold = QToolButton()
        self.fold.setText("Settings")
        self.fold.setCheckable(True)
        self.fold.setAutoRaise(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.setToolTip("What counts as a grain")
        self.form = GrainForm()
        self.files = SettingsFiles(GrainConfig, "grains", self._config)
        self.bar, self.said = JobBar(), words()
        self.save_bar = JobBar()
        self.statistics = words()
        self.colour, self.table = ColourPanel(), TablePanel()
        self.maps = MapPanel(self.viewer, self._config)
        self.plots, self.texture = PlotPanel(), TexturePanel()
        self.compare = ComparePanel(self.viewer, self._config)
        self.none = words(PRESS)
        self.tabs = QTabWidget()
        pages = (
            ("Grains", self._grains_page()), ("Maps", self.maps), ("Plots", self.plots),
            ("Texture", self.texture), ("Compare", self.compare),
        )  # fmt: skip
        for name, page in pages:
            self.tabs.addTab(page, name)
        self.tabs.setMinimumHeight(PAGE)
        self._arrange()

    def _grains_page(self) -> QWidget:
        page, self._below = QWidget(), QWidget()
        inside = QVBoxLayout(self._below)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(4)
        for widget in (self.statistics, self.colour):
            inside.addWidget(widget)
        inside.addWidget(self.table, 1)
        inside.addWidget(self.save_bar)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.none)
        layout.addWidget(self._below, 1)
        layout.addStretch(0)
        return page

    def _arrange(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.picker, 1)
        top.addWidget(self.find_button)
        self.settings = QWidget()
        folded = QVBoxLayout(self.settings)
        folded.setContentsMargins(0, 0, 0, 0)
        folded.setSpacing(4)
        folded.addWidget(self.form)
        folded.addWidget(self.files)
        inside = QVBoxLayout()
        inside.addLayout(top)
        for widget in (self.fold, self.settings, self.bar, self.said):
            inside.addWidget(widget)
        inside.addWidget(self.tabs, 1)
        self._scroll = fill_scrolling(self, inside, 4)
        self.setMinimumSize(WIDTH, LEAST)

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(WIDTH, 820)

    def _connect(self) -> None:
        self.picker.changed.connect(self._on_map)
        self.fold.toggled.connect(self._on_fold)
        self.files.loaded.connect(self.form.set_config)
        self.form.changed.connect(self._on_form)
        self.bar.running.connect(self._say)
        self.colour.changed.connect(self.look)
        self.colour.lines.connect(self._on_lines)
        self.table.filtered.connect(self.look)
        self.table.chosen.connect(self._on_rows)
        self.table.save_asked.connect(self.ask_save)
        self.tabs.tabBarClicked.connect(lambda _: self._scroll.ensureWidgetVisible(self.tabs, 0, 0))
        self.maps.shown.connect(self._on_picture)
        follow_still_clicks(self, self.viewer, self._on_clicked)
        follow(self, self.viewer.layers.events.inserted, self._on_inserted)
        follow(self, self.viewer.layers.events.removed, self._on_removed)
        self._on_fold(False)
        self.fold.setChecked(True)

    def _on_fold(self, on: bool) -> None:
        self.settings.setVisible(on)
        self.fold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)

    # --- the map -----------------------------------------------------------------------------

    def _choose_first(self) -> None:
        """Choose the map of the session, or the only one."""
        maps = self.picker.maps
        if self.picker.chosen is None and maps:
            current = self.session.orientation_map
            known = any(one is current for one in maps)
            if known or len(maps) == 1:
                self.picker.choose(current if known else maps[0])

    def _on_inserted(self, event: Any) -> None:
        if "map" in event.value.metadata:
            self._choose_first()

    def _on_removed(self, event: Any) -> None:
        """Forget the grains of maps that were closed, and the lines of grains that were deleted."""
        maps = open_maps(self.viewer)
        self._kept = [f for f in self._kept if any(f.grains.orientations is m for m in maps)]
        if kind_of(event.value) == GRAINS:  # not while napari removes layers one after the other
            QTimer.singleShot(0, partial(_tidy, weakref.ref(self.viewer)))
        if self.found is not None and not any(self.found is kept for kept in self._kept):
            self._show(None)

    def _on_map(self) -> None:
        """Show what is known of the chosen map."""
        chosen = self.picker.chosen
        self._refusal = ""
        self.form.set_map(chosen)
        self.maps.set_map(chosen)
        self.compare.set_map(chosen)
        self.texture.set_least(self.form.limits.values)
        self.texture.set_map(chosen)
        self._show(next((f for f in self._kept if f.grains.orientations is chosen), None))

    def _say(self, *_: Any) -> None:
        """Say what is missing, or that the settings are no longer those of the grains."""
        chosen, grains = self.picker.chosen, self.grains
        self.find_button.setEnabled(chosen is not None and not self.bar.is_running)
        self.tabs.setEnabled(chosen is not None)
        said = self._refusal
        if chosen is None:
            said = EMPTY
        elif said:
            pass
        elif grains is not None and self._config(quiet=True) != grains.config:
            said = "The settings have changed: press Find grains."
        self.said.setText(said)
        self.said.setVisible(bool(said))

    # --- grains ------------------------------------------------------------------------------

    def _config(self, *, quiet: bool = False) -> GrainConfig | None:
        try:
            return self.form.config
        except ConfigError as error:
            if not quiet:
                notify(str(error))
            return None

    def _on_form(self) -> None:
        self._refusal = ""
        self.texture.set_least(self.form.limits.values)
        self._say()

    def find(self) -> None:
        """Find the grains of the chosen map."""
        chosen, config = self.picker.chosen, self._config()
        if chosen is None or config is None:
            return
        self._refusal = ""
        job = refusable(find(chosen, config))
        self.bar.run(job, text="Finding grains", on_result=self._on_found)

    def _on_found(self, answer: tuple[Found | None, str]) -> None:
        found, refusal = answer
        if found is None:
            self._refusal = refusal
            self._say()
            return
        orientations = found.grains.orientations
        if not any(orientations is one for one in open_maps(self.viewer)):  # closed meanwhile
            return
        self._kept = [f for f in self._kept if f.grains.orientations is not orientations]
        self._kept.append(found)
        if self.picker.chosen is orientations:
            self.fold.setChecked(not len(found.grains))
            self.tabs.setCurrentIndex(0)
            self._show(found)

    def _show(self, found: Found | None) -> None:
        """Show these grains in all pages."""
        self.found, self._ids = found, []
        grains = self.grains
        self._colours.forget()
        self._marks.forget()
        self._below.setVisible(grains is not None)
        self.none.setVisible(grains is None)
        self.maps.set_grains(grains)
        self.compare.set_grains(grains)
        about = name_of(self.viewer, grains.orientations) if grains is not None else ""
        self.plots.show_grains(grains, about)
        self.texture.set_grains(grains)
        if grains is not None:
            self.statistics.setText(statistics(grains))
            self.colour.show_grains(grains)
        self.table.show_grains(grains)  # and with it the layer
        self._mark()
        self._say()

    def look(self) -> None:
        """Show the grains in the chosen colours."""
        if self.found is not None and len(self.table.kept) == len(self.found.grains):
            colour = self.colour
            self._colours.request(Look(self.found, colour.choice, colour.limits, self.table.kept))

    def _show_colours(self, look: Look, made: Any) -> None:
        if look.found is not self.found:
            return
        grains = look.found.grains
        layer = grains_layer(self.viewer, grains.orientations)
        shown, key = self._shown, look.choice.key
        if layer is None or shown is None or shown[0]() is not layer or shown[1] is not look.found:
            layer = show_grains(self.viewer, grains, made, look.words)
            show_lines(self.viewer, layer, look.found.lines)
            bar = self.viewer.canvas.overlays.scale_bar
            bar.visible, bar.position = True, "bottom_left"
        else:
            recolour(layer, made, look.words)
            if shown[2] == key:  # not others in front, while limits and filters are moved
                return
        self._shown = (weakref.ref(layer), look.found, key)
        bring_out(self.viewer, layer, grains.orientations if key == NONE else None)
        self._on_lines(self.colour.boundaries.isChecked())
        if (outline := layer_beside(self.viewer, layer, CHOSEN)) is not None:
            outline.visible = True

    def _on_lines(self, on: bool) -> None:
        lines = layer_beside(self.viewer, self.layer, LINES)
        if lines is not None:
            lines.visible = on
        elif on:
            self._shown = None
            self.look()

    def _on_picture(self, layer: Any) -> None:
        """Keep the lines, and the outline, above a picture that has just come.

        They would hide boundaries that are coloured by their class.
        """
        seen = {LINES: self.colour.boundaries.isChecked(), CHOSEN: True}
        for kind in (LINES, CHOSEN):
            above = layer_beside(self.viewer, self.layer, kind)
            if above is not None:
                above.visible = kind_of(layer) != CLASSES and seen[kind]
                layers = self.viewer.layers
                layers.move(layers.index(above), len(layers))

    # --- which grain -------------------------------------------------------------------------

    @property
    def layer(self) -> Layer | None:
        """The layer that shows the grains of the chosen map, or None."""
        return grains_layer(self.viewer, self.picker.chosen) if self.grains is not None else None

    def _on_rows(self, ids: list[int]) -> None:
        """Outline the grains whose rows are selected, and go to the last that was clicked."""
        before, self._ids = self._ids, list(ids)
        self._mark()
        if self.layer is None:
            self.look()
        new = [i for i in ids if i not in before] or ids
        layer, grains = self.layer, self.grains
        if layer is not None and grains is not None and new:
            show_grain(self.viewer, layer, grains, new[-1])

    def _on_clicked(self, event: Any) -> None:
        """Select the row of the grain that was clicked; with Ctrl or Shift, one more."""
        layer, active = self.layer, self.viewer.layers.selection.active
        if layer is None or not self.in_front:
            return
        if active is not None and str(active.mode) not in DRAWN:
            return  # the user draws
        number = grain_at(self.viewer, layer, event)
        if number is None:
            return
        if {"Control", "Shift"} & {str(getattr(m, "name", m)) for m in event.modifiers}:
            ids = [i for i in self._ids if i != number]
            ids += [number] if number and number not in self._ids else []
        else:
            ids = [number] if number else []
        self.choose(ids)

    def choose(self, ids: list[int]) -> None:
        """Outline these grains and select their rows."""
        self._ids = list(ids)
        self.table.select(ids)
        if ids:
            self.tabs.setCurrentIndex(0)
        self._mark()

    def _mark(self) -> None:
        if self.grains is not None:
            self._marks.request((self.grains, tuple(self._ids)))

    def _show_mark(self, request: Any, mask: Any) -> None:
        if request[0] is self.grains and (layer := self.layer) is not None:
            show_mark(self.viewer, layer, mask)

    # --- out ---------------------------------------------------------------------------------

    def ask_save(self) -> None:
        """Ask where, and write the grains."""
        if self.grains is None:
            return
        name = file_name(f"{name_of(self.viewer, self.grains.orientations)} grains")
        if path := ask_where(self, f"{name}.csv", KINDS, "Save the grains"):
            self.save(path)

    def save(self, path: str) -> None:
        """Write the grains as a table (.csv) or as a map (.h5)."""
        from napari_orient.analysis.grains.files import write_grains

        if self.grains is not None:
            self.save_bar.run(write_grains(self.grains, path), text="Saving")

    def attend(self, on: bool) -> None:
        """Draw, or leave the machine to the docks in front."""
        self.plots.set_active(on)
        self.texture.set_active(on)


def _tidy(reference: weakref.ref[Any]) -> None:
    if (viewer := reference()) is not None:
        remove_orphans(viewer)
