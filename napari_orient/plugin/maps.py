"""How are the crystals oriented? The dock of an orientation map: IPF colours, key, properties."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QShortcut,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_orient.crystal.colors import ipf_image
from napari_orient.plugin import map_layers, map_readout
from napari_orient.plugin.legend import PhaseKey
from napari_orient.plugin.live import Live
from napari_orient.plugin.sessions import Dock, follow
from napari_orient.plugin.view import scrolling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Layer

    from napari_orient.data.maps import OrientationMap

EMPTY = "Open an orientation map: drop a file on the window, or File > Open Sample > Orient."
DIRECTIONS = {
    "X": "x, to the right of the map",
    "Y": "y, down the map",
    "Z": "z, into the page",
}
AT_ONCE = 100_000  # points that are coloured within 30 ms; more are coloured in a thread
WIDE = 420  # points; a wider dock has keys and controls side by side
COLUMNS = 3  # of the property list
HINT = "Move the mouse over the map: the orientation at that point stands here."


class MapDock(Dock):
    """The Orientation map dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._map: OrientationMap | None = None
        self._direction = "Z"
        self._updating = False
        self._watched: weakref.WeakSet[Layer] = weakref.WeakSet()
        self.keys: list[PhaseKey] = []
        self.checks: dict[str, QCheckBox] = {}
        self._live = Live(_picture, self, name="orient-ipf")
        self._live.answered.connect(self._show_direction)
        self._live.failed.connect(lambda _, error: show_error(f"No IPF colours: {error}"))
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
        self.opacity.setToolTip("Opacity of the IPF picture, to see what lies under it")
        self.percent = QLabel()
        self.percent.setMinimumWidth(self.fontMetrics().horizontalAdvance("100 %") + 6)
        self._key_grid, self._check_grid = QGridLayout(), QGridLayout()
        self.content = QWidget()
        inside = QVBoxLayout(self.content)
        inside.setContentsMargins(6, 4, 6, 4)
        inside.setSpacing(6)
        inside.addWidget(self.picker)
        inside.addLayout(self._direction_row())
        inside.addWidget(self.caption)
        inside.addLayout(self._body())
        inside.addWidget(self.frame_note)
        inside.addStretch(1)
        self._scroll = scrolling(self.content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.empty)
        layout.addWidget(self._scroll, 1)
        self.setMinimumWidth(230)

    def _body(self) -> QBoxLayout:
        """Keys and controls: one above the other, or side by side where the dock is wide."""
        keys, side = QVBoxLayout(), QVBoxLayout()
        keys.addLayout(self._key_grid)
        keys.addStretch(1)
        side.addWidget(self.here)
        side.addLayout(_row(QLabel("Opacity"), self.opacity, self.percent))
        side.addWidget(QLabel("Show as layers:"))
        side.addLayout(self._check_grid)
        side.addWidget(self.facts)
        side.addStretch(1)
        self._sides = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._sides.addLayout(keys, 1)
        self._sides.addLayout(side, 1)
        return self._sides

    def resizeEvent(self, event: Any) -> None:
        """Use the width: Qt calls."""
        super().resizeEvent(event)
        wide = self.width() > WIDE
        self._sides.setDirection(
            QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom
        )
        self._place_keys()

    def sizeHint(self) -> QSize:
        """Preferred size: Qt asks."""
        return QSize(320, 560)

    def _direction_row(self) -> QHBoxLayout:
        row = _row(QLabel("IPF"))
        self.buttons: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        for name, where in DIRECTIONS.items():
            button = QPushButton(name)
            button.setCheckable(True)
            button.setToolTip(f"Colour = crystal direction along {where} (key {name})")
            button.clicked.connect(partial(self.set_direction, name))
            self._group.addButton(button)
            self.buttons[name] = button
            row.addWidget(button, 1)
            shortcut = QShortcut(QKeySequence(name), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self.set_direction, name))
        return row

    def _connect(self) -> None:
        follow(self, self.session.events.orientation_map, self._on_map)
        layers = self.viewer.layers.events
        for emitter in (layers.inserted, layers.removed):
            follow(self, emitter, self._on_layers)
        follow(self, self.viewer.cursor.events.position, self._on_cursor)
        self.picker.activated.connect(self._on_picked)
        self.opacity.valueChanged.connect(self._on_slider)

    # --- the map ----------------------------------------------------------------------------

    def _on_map(self, orientations: OrientationMap | None) -> None:
        self._live.forget()
        self._map = orientations
        self.empty.setVisible(orientations is None)
        self._scroll.setVisible(orientations is not None)
        self._show_keys()
        self._show_checks()
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
                self._direction = map_layers.direction_of(layer)
                self.opacity.setValue(round(100 * layer.opacity))
            self.opacity.setEnabled(layer is not None)
            self.percent.setText(f"{self.opacity.value()} %")
            self.buttons[self._direction].setChecked(True)
            self.caption.setText(
                f"<b>IPF-{self._direction}</b>: crystal direction along "
                f"{DIRECTIONS[self._direction]}"
                + ("" if layer is not None else "<br>(its layer is deleted; X, Y, Z bring it back)")
            )
            for name, check in self.checks.items():
                shown = map_layers.property_layer(self.viewer, orientations, name)
                check.setChecked(shown is not None and shown.visible)

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

    def set_direction(self, direction: str, *_: Any) -> None:
        """Colour the map by the crystal direction along X, Y or Z of the map."""
        if self._map is None:
            return
        self.buttons[direction].setChecked(True)
        if self._layer() is not None and self._map.phase_id.size > AT_ONCE:
            self._live.request((self._map, direction))
        else:
            self._live.forget()
            self._show_direction((self._map, direction), None)

    def _show_direction(self, request: tuple[OrientationMap, str], image: Any) -> None:
        orientations, direction = request
        if orientations is not self._map:
            return
        map_layers.show_direction(self.viewer, orientations, direction, image)
        self._direction = direction
        self.refresh()
        self._on_cursor()

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

    def _show_keys(self) -> None:
        """Draw the key of each phase that occurs."""
        _clear(self._key_grid)
        self.keys = []
        if self._map is None:
            return
        present = set(self._map.phase_id[self._map.indexed].tolist())
        self.keys = [PhaseKey(p) for n, p in self._map.phases.items() if n in present]
        self._place_keys()

    def _place_keys(self) -> None:
        """Put the keys in a column beside the controls, or two and two above them."""
        across = 1 if len(self.keys) < 2 or self.width() > WIDE else 2
        for number, key in enumerate(self.keys):
            self._key_grid.addWidget(key, number // across, number % across)

    # --- properties -------------------------------------------------------------------------

    def _show_checks(self) -> None:
        _clear(self._check_grid)
        self.checks = {}
        names = map_layers.property_names(self._map) if self._map is not None else []
        for number, name in enumerate(names):
            check = QCheckBox(name)
            check.setToolTip(f"Show {name} as a layer of its own")
            check.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            check.toggled.connect(partial(self._on_checked, name))
            self._check_grid.addWidget(check, number // COLUMNS, number % COLUMNS)
            self.checks[name] = check

    def _on_checked(self, name: str, on: bool) -> None:
        if self._updating or self._map is None:
            return
        if on:
            map_layers.show_property(self.viewer, self._map, name)
        elif (layer := map_layers.property_layer(self.viewer, self._map, name)) is not None:
            layer.visible = False
        self.refresh()

    # --- the mouse --------------------------------------------------------------------------

    def _on_cursor(self, event: Any = None) -> None:
        """Tell what is under the mouse, and mark its direction in the key of its phase."""
        if self._map is None or not self.isVisible():
            return
        place = map_readout.locate(self.viewer)
        if place is None or place.orientations is not self._map:
            for key in self.keys:
                key.set_orientation(None, self._direction)
            return
        self.here.setText("\n".join(map_readout.facts_at(place)))
        phase = None
        if self._map.indexed[place.index]:
            phase = self._map.phases[int(self._map.phase_id[place.index])]
        quaternion = self._map.quaternions[place.index]
        for key in self.keys:
            key.set_orientation(quaternion if key.phase is phase else None, self._direction)


def _picture(request: tuple[OrientationMap, str]) -> Any:
    return ipf_image(*request)


def words_for_map(facts: dict[str, Any]) -> str:
    """Return the facts of a map in a few lines."""
    shape = " × ".join(str(n) for n in facts["shape"])
    unit = map_readout.UNITS.get(facts["unit"], facts["unit"])
    steps = [f"{s:.4g}" for s in facts["step"]]
    step = steps[0] if len(set(steps)) == 1 else " × ".join(steps)
    axes = ", ".join(facts["axes"])
    lines = [
        f"{shape} points ({axes}), step {step} {unit}",
        f"{100 * facts['indexed_fraction']:.1f} % indexed",
    ]
    total = max(1, sum(phase["points"] for phase in facts["phases"]))
    if len(facts["phases"]) > 1:
        lines += [
            f"{phase['name'] or 'phase'}: {100 * phase['points'] / total:.1f} %"
            for phase in facts["phases"]
        ]
    return "\n".join(lines)


def _text(words: str = "") -> QLabel:
    label = QLabel(words)
    label.setWordWrap(True)
    return label


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row


def _clear(grid: QGridLayout) -> None:
    while (item := grid.takeAt(0)) is not None:
        if item.widget() is not None:
            item.widget().hide()
            item.widget().deleteLater()
