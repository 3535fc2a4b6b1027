"""Which property of each point is looked at? KAM, GROD, Schmid factors, and boundary classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.files import UnreadableFile
from napari_orient.plugin.calibrate.fields import number, words
from napari_orient.plugin.grains import pixel_maps
from napari_orient.plugin.grains.class_key import ClassKey
from napari_orient.plugin.grains.drawing import KINDS
from napari_orient.plugin.grains.layers import bring_out
from napari_orient.plugin.grains.picture_layers import (
    class_colours,
    classes_layer,
    show_classes,
    show_picture,
)
from napari_orient.plugin.grains.plot_panel import PlotDrawing
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.maps.layers import name_of, open_maps
from napari_orient.plugin.paths import ask_where, file_name
from napari_orient.plugin.worker import JobBar, refusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job
    from napari_orient.plugin.grains.pixel_maps import Classes, Picture

KAM, GROD, SCHMID, BOUNDARIES = "KAM", "GROD", "Schmid factor", "Boundary classes"
TIPS = {
    KAM: "Kernel average misorientation: mean angle of each point to its neighbours",
    GROD: "Grain reference orientation deviation: angle of each point to the mean of its grain",
    SCHMID: "How well the best slip system is turned to the load, 0 to 0.5",
    BOUNDARIES: "Boundaries by low and high angle, coincidence site lattice, and twin",
}
OTHER = "other"
NEEDS_GRAINS = "Find grains first: the deviation is from the mean of each grain."


class MapPanel(QWidget):
    """Maps with a number at each point; ``shown(layer)`` tells that there is a picture."""

    shown = Signal(object)

    def __init__(self, viewer: Any, config: Callable[[], GrainConfig | None]) -> None:
        super().__init__()
        self.viewer = viewer
        self._config = config
        self._map: OrientationMap | None = None
        self._grains: Grains | None = None
        self.found: Classes | None = None
        self.box = QComboBox()
        self.box.addItems([KAM, GROD, SCHMID, BOUNDARIES])
        self.show_button = button("Show", "Work it out and show it as a layer", self.show_map)
        self.save_button = button(
            "Save …", "Save the shares as a figure (PNG, SVG, PDF) or as numbers (CSV)", self.ask
        )
        self.bar, self.said = JobBar(), words()
        self.key = ClassKey()
        self.pages = QStackedWidget()
        for page in (self._kam_page(), QWidget(), self._schmid_page(), self._class_page()):
            self.pages.addWidget(page)
        self.about = words()
        self._arrange()
        self.box.currentIndexChanged.connect(self._on_box)
        self.key.changed.connect(self._recolour)
        self.ground.toggled.connect(self._recolour)
        self.bar.running.connect(lambda _: self._offer())
        self._on_box()

    # --- building ----------------------------------------------------------------------------

    def _arrange(self) -> None:
        top = QHBoxLayout()
        top.addWidget(QLabel("Map"))
        top.addWidget(self.box, 1)
        top.addWidget(self.show_button)
        top.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(top)
        for widget in (self.about, self.pages, self.bar, self.said, self.key):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _kam_page(self) -> QWidget:
        self.order = QSpinBox()
        self.order.setRange(1, 5)
        self.order.setKeyboardTracking(False)
        self.order.setToolTip("Neighbours up to so many steps away: 1 are the next ones")
        page = QWidget()
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Order"))
        row.addWidget(self.order)
        row.addStretch(1)
        return page

    def _schmid_page(self) -> QWidget:
        self.systems: dict[int, QComboBox] = {}
        self.load = QComboBox()
        self.load.addItems(["X", "Y", "Z", OTHER])
        self.load.setToolTip("Direction of the pull: X to the right, Y down, Z into the map")
        self.vector = QLineEdit("1 1 0")
        self.vector.setToolTip("Three numbers: x to the right, y down, z into the map")
        self.vector.hide()
        self.load.currentTextChanged.connect(lambda text: self.vector.setVisible(text == OTHER))
        page = QWidget()
        self._schmid = QGridLayout(page)
        self._schmid.setContentsMargins(0, 0, 0, 0)
        self._schmid.addWidget(QLabel("Load"), 0, 0)
        row = QHBoxLayout()
        row.addWidget(self.load)
        row.addWidget(self.vector, 1)
        row.addStretch(1)
        self._schmid.addLayout(row, 0, 1)
        self._schmid.setColumnStretch(1, 1)
        self._schmid.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._rows: list[QWidget] = []
        return page

    def _class_page(self) -> QWidget:
        self.laws = QLineEdit()
        self.laws.setToolTip(
            "What is told apart beside low and high angles, separated by semicolons: "
            "sigma 3; {10-12}; 60 [111] within 5"
        )
        self.low = number("Smaller angles are no boundary", 0.1, 60, 1, 0.5)
        self.high = number("Above: high-angle boundaries", 0.1, 90, 1, 1)
        for box, value in ((self.low, 2.0), (self.high, 15.0)):
            box.setSuffix("°")
            box.setValue(value)
        self.inner = QCheckBox("Between grains alone")
        self.inner.setToolTip("Without boundaries inside of grains, such as low-angle ones")
        self.ground = QCheckBox("On white")
        self.ground.setToolTip("Cover what lies below, as in print")
        self.ground.setChecked(True)
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(3)
        for text, widget, row, column, span in (
            ("Classes", self.laws, 0, 0, 3), ("From", self.low, 1, 0, 1),
            ("High from", self.high, 1, 2, 1),
        ):  # fmt: skip
            label = QLabel(text)
            label.setToolTip(widget.toolTip())
            grid.addWidget(label, row, column)
            grid.addWidget(widget, row, column + 1, 1, span)
        grid.addWidget(self.inner, 2, 0, 1, 2)
        grid.addWidget(self.ground, 2, 2, 1, 2)
        grid.setAlignment(Qt.AlignmentFlag.AlignTop)
        return page

    # --- what it is of -----------------------------------------------------------------------

    def set_map(self, orientations: OrientationMap | None) -> None:
        """Offer what the crystals of a map have."""
        if orientations is self._map and orientations is not None:
            return
        self._map, self._grains, self.found = orientations, None, None
        self.said.clear()
        self.key.show_boundaries(None)
        self._offer_systems()
        self.laws.setText("; ".join(_usual_laws(orientations)))
        self.ground.setChecked(orientations is None or len(orientations.shape) == 2)
        self._offer()

    def set_grains(self, grains: Grains | None) -> None:
        """Let maps refer to these grains."""
        self._grains = grains
        self._offer()

    def _offer_systems(self) -> None:
        from napari_orient.analysis.slip import slip_families

        for widget in self._rows:
            self._schmid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._rows, self.systems = [], {}
        for number_, phase in self._map.phases.items() if self._map is not None else ():
            box = QComboBox()
            box.setEditable(True)
            for name, family in slip_families(phase).items():
                box.addItem(family.name)
                box.setItemData(box.count() - 1, name, Qt.ItemDataRole.ToolTipRole)
            box.setToolTip("Slip system: {plane}<direction>; choose one or type another")
            label = QLabel(f"Slip, {phase.name}" if len(self._map.phases) > 1 else "Slip")
            row = self._schmid.rowCount()
            self._schmid.addWidget(label, row, 0)
            self._schmid.addWidget(box, row, 1)
            self._rows += [label, box]
            self.systems[number_] = box

    def _on_box(self, *_: Any) -> None:
        kind = self.box.currentText()
        self.box.setToolTip(TIPS[kind])
        self.pages.setCurrentIndex(self.box.currentIndex())
        for place in range(self.pages.count()):  # a page takes the room of its own controls alone
            page = self.pages.widget(place)
            hidden = page is not self.pages.currentWidget()
            policy = page.sizePolicy()
            policy.setVerticalPolicy(policy.Policy.Ignored if hidden else policy.Policy.Maximum)
            page.setSizePolicy(policy)
        self.pages.adjustSize()
        self.said.clear()
        self.key.setVisible(kind == BOUNDARIES)
        self.save_button.setVisible(kind == BOUNDARIES)
        self._offer()

    def _offer(self) -> None:
        kind = self.box.currentText()
        missing = kind == GROD and self._grains is None
        self.about.setText(NEEDS_GRAINS if missing else f"{TIPS[kind]}.")
        self.inner.setEnabled(self._grains is not None)
        if self._grains is None:
            self.inner.setChecked(False)
        ready = self._map is not None and not missing and not self.bar.is_running
        self.show_button.setEnabled(ready)
        self.save_button.setEnabled(self.found is not None)

    # --- pictures ----------------------------------------------------------------------------

    def show_map(self) -> None:
        """Work out what is chosen, and show it."""
        job = self._job()
        if job is not None:
            done = self._show_classes if self.box.currentText() == BOUNDARIES else self._show
            self.bar.run(refusable(job), text=self.box.currentText(), on_result=done)

    def _job(self) -> Job[Any] | None:
        config, kind = self._config(), self.box.currentText()
        if self._map is None or config is None:
            return None
        source = pixel_maps.Source(self._map, config, self._grains)
        if kind == KAM:
            return pixel_maps.kam(source, self.order.value())
        if kind == GROD:
            return pixel_maps.grod(self._grains) if self._grains is not None else None
        if kind == SCHMID:
            chosen = {n: box.currentText() for n, box in self.systems.items()}
            load = self.load.currentText()
            return pixel_maps.schmid(source, chosen, self.vector.text() if load == OTHER else load)
        laws = tuple(law.strip() for law in self.laws.text().split(";") if law.strip())
        limits = (self.low.value(), self.high.value())
        return pixel_maps.classes(source, laws, limits, between=self.inner.isChecked())

    def _show(self, answer: tuple[Picture | None, str]) -> None:
        picture, refusal = answer
        if picture is None:
            self.said.setText(refusal)
        elif self._is_open(picture.orientations):
            self.said.setText(picture.words)
            self._come_forward(show_picture(self.viewer, picture), picture.orientations)

    def _show_classes(self, answer: tuple[Classes | None, str]) -> None:
        found, refusal = answer
        if found is None:
            self.said.setText(refusal)
        elif found.orientations is self._map and self._is_open(found.orientations):
            self.found = found
            self.save_button.setEnabled(True)
            points = "that are in grains" if found.of_grains else "that are indexed"
            self.said.setText(f"Share of the boundary, along the sides of the points {points}:")
            self.key.show_boundaries(found.boundaries)
            ground = self.ground.isChecked()
            layer = show_classes(self.viewer, found, self.key.seen, ground=ground)
            self._come_forward(layer, found.orientations)

    def ask(self) -> None:
        """Ask where, and save the shares of the boundary classes."""
        if self.found is not None:
            name = file_name(f"{name_of(self.viewer, self.found.orientations)} boundaries")
            if path := ask_where(self, f"{name}.png", KINDS, "Save the shares"):
                self.save(path)

    def save(self, path: str) -> None:
        """Write the shares of the boundary classes."""
        from napari_orient.analysis.distributions import class_distribution

        if self.found is None:
            return
        name = name_of(self.viewer, self.found.orientations)
        drawing = PlotDrawing(class_distribution(self.found.boundaries), False, name)
        try:
            drawing.save(path)
        except (UnreadableFile, ValueError) as error:
            show_error(str(error))

    def _is_open(self, orientations: OrientationMap) -> bool:
        return any(orientations is one for one in open_maps(self.viewer))

    def _come_forward(self, layer: Any, orientations: OrientationMap) -> None:
        """Show a picture alone, above all others."""
        bare = layer is classes_layer(self.viewer, orientations) and not self.ground.isChecked()
        bring_out(self.viewer, layer, orientations if bare else None)
        layers = self.viewer.layers
        layers.move(layers.index(layer), len(layers))
        layers.selection.active = layer
        self.shown.emit(layer)

    def _recolour(self, *_: Any) -> None:
        layer = classes_layer(self.viewer, self._map)
        if layer is not None and self.found is not None:
            count = len(self.found.boundaries.names)
            ground = self.ground.isChecked()
            layer.colormap = class_colours(count, self.key.seen, ground=ground)
            if layer.visible:
                bring_out(self.viewer, layer, None if ground else self._map)


def _usual_laws(orientations: OrientationMap | None) -> list[str]:
    from napari_orient.analysis.boundary_classes import usual_laws

    found: dict[str, None] = {}
    for phase in orientations.phases.values() if orientations is not None else ():
        found.update(dict.fromkeys(law.name for law in usual_laws(phase)))
    return list(found)
