"""What is to be seen of a block? All of it, a cut, a plane, where grains meet, some of the grains.

What is hidden is transparent in the picture of the layer: napari's clipping planes leave holes in
coloured volumes, and take three times as long to draw. The map is never touched.
"""

from __future__ import annotations

import math
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QWidget,
)

from napari_orient.plugin.calibrate.fields import number
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.layers import record
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.reconstruct.boundary_surface import boundary_surface
from napari_orient.plugin.reconstruct.sight import AXES, Like, Sight, first_seen

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.plugin.reconstruct.growing import GrowingField

WHOLE, CUT, PLANE, FACES = "whole block", "cut block", "plane", "grain boundaries"
TIPS = {
    WHOLE: "All of its faces",
    CUT: "What lies before the cut, as you look, is taken away",
    PLANE: "One plane of points",
    FACES: "Where grains meet, smoothed, behind the cut: for a result with grains",
}
KIND = "boundary surface"
STEPS = 200  # of the slider
SETTLED = 60  # ms
NONE = "any"
GREY = "#c8c8c8"


class LookPanel(QWidget):
    """Chooses what is seen of the block that a run makes, or has made."""

    def __init__(self, viewer: Any, growing: GrowingField, owner: QWidget) -> None:
        super().__init__()
        self._viewer, self._growing = viewer, growing
        self._result: OrientationMap | None = None
        self._like: tuple[tuple[float, ...], int] | None = None
        self._surface: weakref.ref[Any] | None = None
        self._side = 1
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED)
        self._timer.timeout.connect(self._apply)
        self._live = Live(boundary_surface, owner, name="orient-boundary-surface")
        self._live.answered.connect(self._on_surface)
        self._live.failed.connect(lambda _, error: show_error(f"No boundaries: {error}"))
        self._build()
        growing.appeared.connect(self._apply)
        at_end(owner, self._pick_no_more())
        self.everything()
        self.hide()

    # --- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.what = QComboBox()
        for n, name in enumerate((WHOLE, CUT, PLANE, FACES)):
            self.what.addItem(name[:1].upper() + name[1:], name)
            self.what.setItemData(n, TIPS[name], Qt.ItemDataRole.ToolTipRole)
        self.what.setToolTip("What is seen of the block")
        self.what.activated.connect(lambda *_: self._on_changed())
        self.all = button("Everything", "Show the whole block again", self.everything)
        self.axes: dict[str, QPushButton] = {}
        group, across = QButtonGroup(self), QHBoxLayout()
        for name in "XYZ":
            one = self.axes[name] = QPushButton(name)
            one.setCheckable(True)
            one.setFixedWidth(30)
            one.setToolTip(f"Cut across {name.lower()} of the sample")
            one.clicked.connect(lambda *_: self._on_changed())
            group.addButton(one)
            across.addWidget(one)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setToolTip("Where the block is cut")
        self.slider.valueChanged.connect(lambda *_: self._on_changed())
        across.addWidget(self.slider, 1)
        self.where = QLabel()
        across.addWidget(self.where)
        self.smallest = number("Grains smaller than this are not seen", 0, 1e6, 2, 1)
        self.largest = number("Grains larger than this are not seen; 0: no limit", 0, 1e6, 2, 1)
        self.largest.setSpecialValueText(NONE)
        self.within = number("Largest misorientation to the chosen grain", 0.5, 180, 1, 5)
        self.within.setValue(15)
        self.within.setSuffix("°")
        for box in (self.smallest, self.largest, self.within):
            box.valueChanged.connect(lambda *_: self._timer.start())
        self.choose = QPushButton("Choose a grain")
        self.choose.setCheckable(True)
        self.choose.setToolTip("Click one in the block: only what is turned like it is seen")
        self.choose.clicked.connect(self._on_choose)
        self._lay_out(across)

    def _lay_out(self, across: QHBoxLayout) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        sizes, alike = QHBoxLayout(), QHBoxLayout()
        sizes.addWidget(self.smallest, 1)
        sizes.addWidget(QLabel("to"))
        sizes.addWidget(self.largest, 1)
        alike.addWidget(self.choose, 1)
        alike.addWidget(QLabel("within"))
        alike.addWidget(self.within)
        grid.addWidget(QLabel("Look at"), 0, 0)
        grid.addWidget(self.what, 0, 1)
        grid.addWidget(self.all, 0, 2)
        for row, (title, line) in enumerate(
            (("Cut", across), ("Grains", sizes), ("Like", alike)), 1
        ):
            grid.addWidget(QLabel(title), row, 0)
            grid.addLayout(line, row, 1, 1, 2)
        grid.setColumnStretch(1, 1)

    # --- what there is ----------------------------------------------------------------------------

    def show_run(self, shape: tuple[int, ...] | None, unit: str = "") -> None:
        """Look at another field; only blocks have something to choose."""
        self._drop_surface()
        self._reset()
        self.setVisible(shape is not None and len(shape) == 3)
        for box in (self.smallest, self.largest):
            box.setSuffix(f" {unit.replace('um', 'µm')}" if unit else "")

    def show_result(self, result: OrientationMap | None) -> None:
        """Take up a result: its grains can be chosen."""
        self._drop_surface()
        self._result = result
        grains = result is not None and "grain" in result.properties
        for box in (self.smallest, self.largest):
            box.setEnabled(grains)
        model = self.what.model()
        model.item(self.what.findData(FACES)).setEnabled(grains)
        if self.what.currentData() == FACES:
            self.everything()
        self._apply()  # another field may have taken the place of that before

    @property
    def sight(self) -> Sight:
        """What the controls say."""
        cut = (self._axis, self.slider.value() / STEPS, self._side)
        like = None
        if self._like is not None:
            like = Like(*self._like, within=self.within.value())
        return Sight(
            cut if self.what.currentData() == CUT else None, self.smallest.value(),
            self.largest.value() or math.inf, like,
        )  # fmt: skip

    @property
    def _axis(self) -> int:
        return next(AXES.index(n.lower()) for n, one in self.axes.items() if one.isChecked())

    # --- choosing ---------------------------------------------------------------------------------

    def _reset(self) -> None:
        """Set all controls back, without saying so."""
        self._timer.stop()
        self._live.forget()
        self._like = None
        controls = (self.what, self.slider, self.smallest, self.largest)
        blocked = [QSignalBlocker(one) for one in controls]
        self.what.setCurrentIndex(0)
        self.slider.setValue(STEPS // 2)
        self.smallest.setValue(0)
        self.largest.setValue(0)
        self.axes["Z"].setChecked(True)
        del blocked
        self.choose.setChecked(False)
        self._on_choose(False)
        self._show_controls()

    def everything(self) -> None:
        """Show the whole block."""
        self._reset()
        self._apply()

    def _on_changed(self) -> None:
        self._show_controls()
        self._timer.start()

    def _show_controls(self) -> None:
        cuts = self.what.currentData() != WHOLE
        for one in (*self.axes.values(), self.slider, self.where):
            one.setEnabled(cuts)
        self.within.setEnabled(self._like is not None)
        layer, words = self._growing.layer, ""
        if cuts and layer is not None:
            at = self._index(layer) * float(layer.scale[self._axis])
            unit = str(layer.units[self._axis]).replace("micrometer", "µm")
            unit = unit.replace("nanometer", "nm").replace("pixel", "points")
            words = f"{at:.4g} {unit}"
        self.where.setText(words)

    def _index(self, layer: Any) -> int:
        """Return the point along the axis at which the slider stands."""
        return round(self.slider.value() / STEPS * (layer.data.shape[self._axis] - 1))

    def _look(self) -> int:
        """Return on which side of a cut the block is seen: on that away from the viewer."""
        away = self._viewer.scene.camera.view_direction
        return 1 if away[self._axis] >= 0 else -1

    def _apply(self) -> None:
        """Show what the controls say."""
        layer, what = self._growing.layer, self.what.currentData()
        self._side = self._look()
        if self._growing.map is not None and self.sight != self._growing.sight:
            self._growing.set_sight(self.sight)
        if layer is None or layer.data.ndim != 4:
            return
        if what == PLANE:
            place = [(n - 1) / 2 for n in layer.data.shape[:3]]
            place[self._axis] = self._index(layer)
            layer.plane.thickness = 1
            layer.plane.normal = tuple(float(n == self._axis) for n in range(3))
            layer.plane.position = tuple(place)
        depiction = "plane" if what == PLANE else "volume"
        if layer.depiction != depiction:
            layer.depiction = depiction
        self._apply_faces(layer, what == FACES)

    # --- boundaries -------------------------------------------------------------------------------

    @property
    def surface(self) -> Any:
        """The layer of the boundaries, while it is in the window."""
        layer = self._surface() if self._surface is not None else None
        return layer if layer is not None and layer in self._viewer.layers else None

    def _apply_faces(self, layer: Any, on: bool) -> None:
        surface = self.surface
        if not on:
            if surface is not None and surface.visible:
                surface.visible = False
                layer.visible = True
            return
        if surface is None:
            if self._result is not None and self._live.is_idle:
                self._live.request(self._result.properties["grain"])
            return
        self._clip(surface)
        if not surface.visible:
            surface.visible = True
        if layer.visible:
            layer.visible = False

    def _on_surface(self, asked: Any, found: Any) -> None:
        layer, result = self._growing.layer, self._result
        if layer is None or result is None or self.what.currentData() != FACES:
            return
        surface = self._viewer.add_surface(
            tuple(found),
            name=f"{layer.name.rpartition(' ')[0]} {FACES}", colormap=["#000000", GREY],
            contrast_limits=(0, 1), shading="none", scale=layer.scale, units=layer.units,
            translate=layer.translate, metadata=record(KIND, source=result.source),
        )  # fmt: skip
        self._surface = weakref.ref(surface)
        self._viewer.layers.selection.active = layer
        self._apply_faces(layer, True)

    def _clip(self, surface: Any) -> None:
        """Take away what lies before the cut; of meshes it leaves no holes."""
        layer = self._growing.layer
        place = [0.0] * 3
        place[self._axis] = float(self._index(layer))
        normal = tuple(float(self._side * (n == self._axis)) for n in range(3))
        plane = {"position": tuple(place), "normal": normal, "enabled": True}
        surface.experimental_clipping_planes = [plane]

    def _drop_surface(self) -> None:
        surface, self._surface = self.surface, None
        if surface is not None:
            shown = surface.visible
            self._viewer.layers.remove(surface)
            if shown and (layer := self._growing.layer) is not None:
                layer.visible = True

    # --- a grain in the block ---------------------------------------------------------------------

    def _on_choose(self, on: bool) -> None:
        calls = self._viewer.mouse_drag_callbacks
        if self._picker in calls:
            calls.remove(self._picker)
        if on:
            calls.append(self._picker)
        self.choose.setText("Click it in the block …" if on else "Choose a grain")

    def _pick_no_more(self) -> Any:
        """Make what is called by the mouse, and what ends that with the dock."""
        me, calls = weakref.ref(self), self._viewer.mouse_drag_callbacks

        def picker(viewer: Any, event: Any) -> Any:
            yield
            if event.type == "mouse_move":  # a turn of the block
                return
            panel = me()
            if panel is not None:
                panel.pick(event)

        def end() -> None:
            if picker in calls:
                calls.remove(picker)

        self._picker = picker
        return partial(end)

    def pick(self, event: Any) -> None:
        """Take the grain under the mouse as the one with which others are compared."""
        layer, shown = self._growing.layer, self._growing.map
        if layer is None or shown is None or layer.data.ndim != 4:
            return
        at = first_seen(layer, event)
        if at is None:
            return
        q = tuple(float(c) for c in shown.quaternions[at])
        self._like = (q, int(shown.phase_id[at]))
        self.choose.setChecked(False)
        self._on_choose(False)
        self._on_changed()
