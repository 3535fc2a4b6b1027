"""How are the crystals oriented? The dock of an orientation map: IPF colours, key, properties."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_orient.crystal.colors import (
    ColourScheme,
    Resolved,
    colour_image,
    resolve,
)
from napari_orient.plugin.live import Live
from napari_orient.plugin.maps import layers as map_layers
from napari_orient.plugin.maps import readout as map_readout
from napari_orient.plugin.maps.colour_form import ColourForm, words_for_scheme
from napari_orient.plugin.maps.keys import MapKeys
from napari_orient.plugin.maps.property_checks import PropertyChecks
from napari_orient.plugin.maps.words import words_for_map, words_for_range
from napari_orient.plugin.sessions import Dock, follow
from napari_orient.plugin.view import scrolling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Layer

    from napari_orient.data.maps import OrientationMap

EMPTY = "Open an orientation map: drop a file on the window, or File > Open Sample > Orient."
AT_ONCE = 100_000  # points that are coloured within 30 ms; more are coloured in a thread
WIDE = 420  # points; a wider dock has keys and controls side by side
HINT = "Move the mouse over the map: the orientation at that point stands here."


class MapDock(Dock):
    """The Orientation map dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._map: OrientationMap | None = None
        self._scheme = ColourScheme()
        self._warning = ""
        self._drawn: Any = None  # the map and the scheme whose keys stand here
        self._updating = False
        self._watched: weakref.WeakSet[Layer] = weakref.WeakSet()
        self._live = Live(_picture, self, name="orient-colours")
        self._live.answered.connect(self._show)
        self._live.failed.connect(lambda _, error: show_error(f"No colours: {error}"))
        self._build()
        self._connect()
        self._on_map(self.session.orientation_map)

    # --- building ---------------------------------------------------------------------------

    def _build(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.empty = _text(EMPTY)
        self.empty.setMargin(6)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picker = QComboBox()
        self.picker.setToolTip("Which of the open maps this dock shows")
        self.picker.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.picker.setMinimumContentsLength(12)
        self.caption = _text()
        self.caption.setObjectName("caption")
        self.facts, self.frame_note, self.here = _text(), _text(), _text(HINT)
        self.frame_note.setToolTip("What was assumed about the axes of the file")
        self.here.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.here.setMinimumHeight(5 * self.fontMetrics().lineSpacing())
        self.here.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip("Opacity of the coloured map, to see what lies under it")
        self.percent = QLabel()
        self.percent.setMinimumWidth(self.fontMetrics().horizontalAdvance("100 %") + 6)
        self.colours, self.map_keys = ColourForm(), MapKeys()
        self.properties = PropertyChecks(self.viewer)
        self.buttons = self.colours.buttons
        self.content = QWidget()
        inside = QVBoxLayout(self.content)
        inside.setContentsMargins(6, 4, 6, 4)
        inside.setSpacing(6)
        inside.addWidget(self.picker)
        inside.addWidget(self.colours)
        inside.addWidget(self.caption)
        inside.addLayout(self._body())
        inside.addWidget(self.frame_note)
        inside.addStretch(1)
        self._scroll = scrolling(self.content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.empty)
        layout.addWidget(self._scroll, 1)
        least = self.colours.minimumSizeHint().width() + 2 * 6  # the form and its margins
        self.setMinimumWidth(least + self._scroll.verticalScrollBar().sizeHint().width())

    def _body(self) -> QBoxLayout:
        """Keys and controls: one above the other, or side by side where the dock is wide."""
        keys, side = QVBoxLayout(), QVBoxLayout()
        keys.addWidget(self.map_keys)
        keys.addStretch(1)
        side.addWidget(self.here)
        side.addLayout(_row(QLabel("Opacity"), self.opacity, self.percent))
        side.addWidget(QLabel("Show as layers:"))
        side.addWidget(self.properties)
        side.addWidget(self.facts)
        side.addStretch(1)
        self._sides = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._sides.addLayout(keys, 1)
        self._sides.addLayout(side, 1)
        return self._sides

    def resizeEvent(self, event: Any) -> None:
        """Use the width: Qt calls."""
        super().resizeEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        """Put keys and controls side by side, or below each other where they would be cut off.

        The dock does not scroll sideways.
        """
        across, down = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        room = self.width() - self._scroll.verticalScrollBar().sizeHint().width()
        ways = [(across, True)] if self.width() > WIDE else []
        for direction, in_column in (*ways, (down, False), (down, True)):
            self._sides.setDirection(direction)
            self.map_keys.place(in_column)
            if self.content.minimumSizeHint().width() <= room:
                break

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(320, 560)

    def _connect(self) -> None:
        follow(self, self.session.events.orientation_map, self._on_map)
        layers = self.viewer.layers.events
        for emitter in (layers.inserted, layers.removed):
            follow(self, emitter, self._on_layers)
        follow(self, self.viewer.cursor.events.position, self._on_cursor)
        self.colours.add_shortcuts(self)
        self.colours.changed.connect(self.set_scheme)
        self.colours.picking.connect(self._on_picking)
        self.properties.changed.connect(self.refresh)
        self.map_keys.key_wanted.connect(self.colours.set_key)
        self.picker.activated.connect(self._on_picked)
        self.opacity.valueChanged.connect(self._on_slider)

    @property
    def checks(self) -> dict[str, Any]:
        """The check boxes of the properties, by name."""
        return self.properties.checks

    # --- the map ----------------------------------------------------------------------------

    def _on_map(self, orientations: OrientationMap | None) -> None:
        self._live.forget()
        self._map = orientations
        self.empty.setVisible(orientations is None)
        self._scroll.setVisible(orientations is not None)
        self._drawn = None
        self.properties.show_map(orientations)
        if orientations is not None:
            facts = orientations.summary()
            self.facts.setText(words_for_map(facts))
            self.frame_note.setText(facts["frame_note"])
        self.here.setText(HINT)
        self.refresh()

    def _on_layers(self, event: Any) -> None:
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Show the state of the layers: which maps are open, direction, opacity, properties."""
        self._list_maps()
        orientations = self._map
        if orientations is None:
            return
        for kind in ("ipf", "property"):
            for layer in map_layers.map_layers(self.viewer, orientations, kind):
                self._watch(layer)
        with self._quietly():
            layer = self._layer()
            if layer is not None:
                self._scheme = map_layers.scheme_of(layer)
                self.opacity.setValue(round(100 * layer.opacity))
            self.opacity.setEnabled(layer is not None)
            self.percent.setText(f"{self.opacity.value()} %")
            self.colours.show_scheme(self._scheme, map_layers.numbers_of(orientations))
            gone = "" if layer is not None else "<br>(its layer is deleted; X, Y, Z bring it back)"
            self._draw_keys()
            self.caption.setText(words_for_scheme(self._scheme) + self._warning + gone)
            self.properties.refresh()

    def _watch(self, layer: Layer) -> None:
        if layer in self._watched:
            return
        self._watched.add(layer)
        for emitter in (layer.events.name, layer.events.opacity, layer.events.visible):
            follow(self, emitter, self.refresh)

    def _layer(self) -> Layer | None:
        layers = map_layers.map_layers(self.viewer, self._map) if self._map is not None else []
        return layers[0] if layers else None

    def _list_maps(self) -> None:
        self._maps = map_layers.open_maps(self.viewer)
        if self._map is not None and not any(m is self._map for m in self._maps):
            self._maps.append(self._map)
        with QSignalBlocker(self.picker):
            self.picker.clear()
            for number, orientations in enumerate(self._maps):
                self.picker.addItem(map_layers.name_of(self.viewer, orientations))
                if orientations is self._map:
                    self.picker.setCurrentIndex(number)

    def _on_picked(self, number: int) -> None:
        self.session.orientation_map = self._maps[number]

    # --- colours ----------------------------------------------------------------------------

    def set_direction(self, direction: Any, *_: Any) -> None:
        """Colour the map by the crystal direction along X, Y or Z of the map, or three numbers."""
        self.set_scheme(ColourScheme(**{**self._scheme.model_dump(), "direction": direction}))

    def set_scheme(self, scheme: ColourScheme) -> None:
        """Colour the map; a large one in a thread."""
        if self._map is None:
            return
        self._scheme = scheme  # what comes next changes this one, though it is not yet shown
        self.colours.show_scheme(scheme, map_layers.numbers_of(self._map))
        request = (self._map, scheme)
        if self._layer() is not None and self._map.phase_id.size > AT_ONCE:
            self._live.request(request)
        else:
            self._live.forget()
            self._show(request, _picture(request))

    def _show(self, request: tuple[OrientationMap, ColourScheme], answer: Any) -> None:
        orientations, scheme = request
        if orientations is not self._map:
            return
        resolved, image = answer
        self._scheme = scheme
        self._draw_keys(resolved)
        map_layers.show_scheme(self.viewer, orientations, scheme, image)
        self.refresh()
        self._on_cursor()

    def _draw_keys(self, resolved: Resolved | None = None) -> None:
        """Draw the keys where the map or its colours are others than before."""
        shown = self._map, self._scheme
        if self._map is None or (self._drawn is not None and _same(shown, self._drawn)):
            return
        self._drawn = shown
        resolved = resolve(self._map, self._scheme) if resolved is None else resolved
        self._warning = words_for_range(self._map, self._scheme, resolved)
        self.map_keys.show_keys(self._map, self._scheme, resolved)
        self._fit_width()

    def _on_slider(self, percent: int) -> None:
        layer = self._layer()
        if layer is not None and not self._updating:
            layer.opacity = percent / 100
        self.percent.setText(f"{percent} %")

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Set controls without acting on them."""
        before, self._updating = self._updating, True
        try:
            yield
        finally:
            self._updating = before

    # --- the mouse --------------------------------------------------------------------------

    def _on_cursor(self, event: Any = None) -> None:
        """Tell what is under the mouse, and mark its direction in the key of its phase."""
        if self._map is None or not self.in_front:
            return
        place = map_readout.locate(self.viewer)
        if place is None or place.orientations is not self._map:
            self.map_keys.mark(None)
            return
        self.here.setText("\n".join(map_readout.facts_at(place)))
        self.map_keys.mark(place.index)

    def _on_picking(self, on: bool) -> None:
        """Let the next click on the map choose the reference orientation."""
        callbacks = self.viewer.mouse_drag_callbacks
        if on:
            callbacks.append(self._on_click)
            self.here.setText("Click a point of the map: the deviation will count from there.")
        elif self._on_click in callbacks:
            callbacks.remove(self._on_click)

    def _on_click(self, viewer: Any, event: Any) -> None:
        place = map_readout.locate(self.viewer)
        if place is None or place.orientations is not self._map:
            return
        if self._map.indexed[place.index]:
            self.colours.pick.setChecked(False)
            self.colours.set_reference(self._map.quaternions[place.index])
        else:
            self.here.setText("This point is not indexed: click another one.")

    def attend(self, on: bool) -> None:
        """Give up a choice that waits for a click, where it is no longer seen."""
        if not on:
            self.colours.pick.setChecked(False)


def _same(first: Any, second: Any) -> bool:
    return first[0] is second[0] and first[1] == second[1]


def _picture(request: tuple[OrientationMap, ColourScheme]) -> tuple[Resolved, Any]:
    orientations, scheme = request
    resolved = resolve(orientations, scheme)
    return resolved, colour_image(orientations, scheme, resolved)


def _text(words: str = "") -> QLabel:
    label = QLabel(words)
    label.setWordWrap(True)
    return label


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
