"""What did the file mean by its axes? The choice is the user's: two lists in the Load dock.

Beside them, a button opens the check of the axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QWidget

from napari_orient.crystal.colors import ColourScheme, colour_image
from napari_orient.data.maps import from_vendor, to_vendor, turn_crystal_axes
from napari_orient.data.vendors.open import FRAMES
from napari_orient.data.vendors.reframe import frame_name, has_hexagonal, in_frame, turn_grid
from napari_orient.jobs import Job, Progress
from napari_orient.plugin.layers import KEY, kind_of, map_grid
from napari_orient.plugin.load.frame_check import FrameCheckDialog, measured_of
from napari_orient.plugin.load.frame_words import AS_IT_IS, CRYSTAL, WHO, frame_words
from napari_orient.plugin.maps.layers import map_layers, property_data, scheme_of
from napari_orient.plugin.sessions import Dock

if TYPE_CHECKING:
    from napari_orient.analysis.turns import Turn
    from napari_orient.data.maps import CrystalAxes, OrientationMap
    from napari_orient.session import Session

Pictures = dict[ColourScheme, Any]


class FrameForm(QWidget):
    """The vendor's axes of the active map; emits ``chosen(frame, crystal axes, Turn)``."""

    chosen = Signal(str, str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._map: OrientationMap | None = None
        self._dialog: FrameCheckDialog | None = None
        self.frame = _list(
            {name: frame_words(name) for name in FRAMES},
            "Where the Euler angles' axes point on the map. A wrong choice mirrors or turns the "
            "crystals against the map; traces of twins or slip planes show it. IPF-Z looks the "
            "same with all of these, IPF-X and IPF-Y do not.",
        )
        self.crystal = _list(
            CRYSTAL,
            "The crystal's x axis for hexagonal and trigonal lattices: a wrong choice turns it by "
            "30° about c",
        )
        for row in range(self.frame.count()):
            who = WHO.get(self.frame.itemData(row), "no vendor's default; some exports")
            self.frame.setItemData(row, who, Qt.ItemDataRole.ToolTipRole)
        self._crystal_label = QLabel("Crystal")
        self.check = QPushButton("Check the axes …")
        self.check.setToolTip(
            "Rank all axes by the twins of this map, or by another open map; nothing is changed "
            "until you choose a row"
        )
        self.check.clicked.connect(self._on_check)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        for row, (label, field) in enumerate(
            ((QLabel("Euler axes"), self.frame), (self._crystal_label, self.crystal))
        ):
            label.setBuddy(field)
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
            field.activated.connect(self._on_activated)
        grid.addWidget(self.check, 2, 0, 1, 2)

    def show_map(self, orientations: OrientationMap) -> None:
        """Show the axes of a map."""
        if orientations is not self._map:
            self._close_dialog()  # it speaks of another map
        self._map = orientations
        with QSignalBlocker(self.frame), QSignalBlocker(self.crystal):
            # -1, nothing chosen, where the map has a frame of its own
            self.frame.setCurrentIndex(self.frame.findData(frame_name(orientations)))
            self.crystal.setCurrentIndex(self.crystal.findData(orientations.crystal_axes))
        for widget in (self._crystal_label, self.crystal):
            widget.setVisible(has_hexagonal(orientations))

    def hideEvent(self, event: Any) -> None:
        """Close the check when another thing than a map is active: Qt calls."""
        super().hideEvent(event)
        if not event.spontaneous():
            self._close_dialog()

    def _on_check(self) -> None:
        if self._dialog is not None:
            self._dialog.raise_()
            return
        dock = self.parentWidget()
        while not isinstance(dock, Dock):
            dock = dock.parentWidget()
        self._dialog = FrameCheckDialog(dock.viewer, self._map, self)
        self._dialog.chosen.connect(self.chosen)
        self._dialog.finished.connect(self._on_closed)
        self._dialog.show()

    def _on_closed(self, _: int) -> None:
        self._dialog = None

    def _close_dialog(self) -> None:
        if self._dialog is not None:
            self._dialog.reject()

    def _on_activated(self, _: int) -> None:
        if self.frame.currentIndex() >= 0:
            self.chosen.emit(self.frame.currentData(), self.crystal.currentData(), AS_IT_IS)


def _list(words: dict[str, str], tooltip: str) -> QComboBox:
    made = QComboBox()
    made.setToolTip(tooltip)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(16)
    for name, text in words.items():
        made.addItem(text, name)
    return made


def reframed(
    orientations: OrientationMap,
    frame: str,
    crystal_axes: CrystalAxes,
    schemes: set[ColourScheme],
    turn: Turn = AS_IT_IS,
) -> Job[tuple[OrientationMap, Pictures]]:
    """Turn a map into other axes and its grid, and paint its pictures for ``schemes``."""
    yield Progress(0, 0, "Turning the orientations")
    measured = measured_of(orientations, frame, crystal_axes, turn)
    changed = in_frame(orientations, frame, crystal_axes, measured)
    if turn != AS_IT_IS:
        changed = turn_grid(changed, **turn._asdict(), words=turn.words)
    pictures = {}
    for scheme in sorted(schemes, key=str):
        yield Progress(0, 0, f"Colouring {scheme.name}")
        pictures[scheme] = colour_image(changed, turned_scheme(scheme, orientations, changed))
    return changed, pictures


def turned_scheme(scheme: ColourScheme, old: OrientationMap, new: OrientationMap) -> ColourScheme:
    """Return the scheme whose reference orientation is turned as the map was."""
    if scheme.reference is None:
        return scheme
    turned = from_vendor(to_vendor(scheme.reference, old.frame), new.frame)
    if new.crystal_axes != old.crystal_axes:
        most = np.bincount(old.phase_id[old.indexed]).argmax()  # the reference is one of its points
        turned = turn_crystal_axes(
            turned, np.asarray(most), old.phases, to="a*" if new.crystal_axes == "a" else "a"
        )
    return scheme.model_copy(update={"reference": tuple(float(c) for c in np.ravel(turned))})


def directions_shown(viewer: Any, orientations: OrientationMap) -> set[ColourScheme]:
    """Return the colour schemes in which layers show a map."""
    return {scheme_of(layer) for layer in map_layers(viewer, orientations)}


def replace_map(
    viewer: Any, session: Session, old: OrientationMap, new: OrientationMap, pictures: Pictures
) -> None:
    """Let ``new`` take the place of ``old`` in its layers and in the session."""
    for layer in viewer.layers:
        if layer.metadata.get("map") is not old:
            continue
        layer.metadata["map"] = new
        if kind_of(layer) == "property":
            layer.data = property_data(new, layer.metadata[KEY]["config"]["property"])
        if new.step != old.step:  # rows and columns were exchanged
            layer.scale = map_grid(new)["scale"]
        if kind_of(layer) == "ipf":
            scheme = scheme_of(layer)
            note = layer.metadata[KEY]
            config = turned_scheme(scheme, old, new).model_dump(mode="json")
            layer.metadata[KEY] = {**note, "config": config}
            # switched to a scheme that was not foreseen while the job ran
            layer.data = (
                pictures[scheme]
                if scheme in pictures
                else colour_image(new, turned_scheme(scheme, old, new))
            )
    session.orientation_map = new
