"""How are the crystals oriented? Pole figures, their inverse, the ODF, and named components."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_orient.analysis.texture.kernel import NARROWEST, WIDEST
from napari_orient.analysis.texture.poles import default_poles, default_sections
from napari_orient.plugin.calibrate.fields import number, words
from napari_orient.plugin.grains.choice import choice_box, fill
from napari_orient.plugin.grains.components import ComponentTable
from napari_orient.plugin.grains.drawing import FigurePanel
from napari_orient.plugin.grains.texture_drawings import (
    FRAMES,
    INVERSE,
    POLES,
    SECTIONS,
    OdfMaker,
    Sample,
    make_sheet,
)

if TYPE_CHECKING:
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.data.maps import OrientationMap

COMPONENTS = "Components"
POINTS, GRAINS = "each point", "each grain once"
NOTHING = "Nothing is indexed: there is no texture."


class TexturePanel(QWidget):
    """Texture of one crystal of a map, in figures and shares."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._map: OrientationMap | None = None
        self._grains: Grains | None = None
        self._least: tuple[tuple[str, float], ...] = ()
        self._numbers: list[int] = []
        self._maker = OdfMaker()
        self.box = choice_box("What is drawn", [POLES, INVERSE, SECTIONS, COMPONENTS], letters=6)
        self.phase = choice_box("Crystal whose texture is shown", letters=6)
        self.weight = choice_box(
            "What counts: each point, so that grains count by their size, or each grain once",
            [POINTS],
            letters=6,
        )
        self.frame = choice_box(
            "Directions of the sample that the figure names; Y points down on the map, Z into it",
            list(FRAMES),
            letters=6,
        )
        self.halfwidth = number(
            "Width of the kernel that smooths each orientation", NARROWEST, WIDEST, 1, 1
        )
        self.halfwidth.setSuffix("°")
        self.halfwidth.setValue(10)
        self.tolerance = number("Largest angle from the ideal orientation", 1, 60, 1, 1)
        self.tolerance.setSuffix("°")
        self.tolerance.setValue(15)
        self.indices, self.angles = QLineEdit(), QLineEdit()
        self.indices.setToolTip("Planes {111} or directions <110>, four indices on hexagonal axes")
        self.angles.setToolTip("Sections at these angles φ2, in degrees")
        self.directions = QLineEdit("X Y Z")
        self.directions.setToolTip("Directions of the sample: X (right), Y (down), -Z, RD ...")
        self.orthotropic = QCheckBox("Orthotropic")
        self.orthotropic.setToolTip("Average over half turns about the three axes, as for sheet")
        self.figure, self.table = FigurePanel("orient-texture"), ComponentTable()
        self.about = words()
        self.stack = QStackedWidget()
        for page in (self.figure, self.table):
            self.stack.addWidget(page)
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        top, grid = QHBoxLayout(), QGridLayout()
        top.addWidget(self.box, 2)
        top.addWidget(self.phase, 1)
        top.addWidget(self.figure.save_button)
        self._labels = {}
        cells = (
            ("Poles", self.indices, 0, 0, 3), ("Along", self.directions, 0, 0, 3),
            ("φ2", self.angles, 0, 0, 3), ("Within", self.tolerance, 1, 0, 1),
            ("Halfwidth", self.halfwidth, 1, 0, 1), ("Weight", self.weight, 1, 2, 1),
            ("Axes", self.frame, 2, 0, 1),
        )  # fmt: skip
        for text, widget, row, column, span in cells:
            label = QLabel(text)
            label.setBuddy(widget)
            label.setToolTip(widget.toolTip())
            self._labels[widget] = label
            grid.addWidget(label, row, column)
            grid.addWidget(widget, row, column + 1, 1, span)
        grid.addWidget(self.orthotropic, 2, 2, 1, 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        grid.setVerticalSpacing(3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(grid)
        layout.addWidget(self.about)
        layout.addWidget(self.stack, 1)

    def _connect(self) -> None:
        for box in (self.box, self.weight, self.frame):
            box.activated.connect(self.ask)
        self.phase.activated.connect(self._on_phase)
        for spin in (self.halfwidth, self.tolerance):
            spin.valueChanged.connect(self.ask)
        for line in (self.indices, self.directions, self.angles):
            line.editingFinished.connect(self.ask)
        self.frame.activated.connect(self._on_frame)
        self.orthotropic.toggled.connect(self.ask)
        self.figure.drawn.connect(self._on_drawn)
        self._show_controls()

    # --- what it is of -----------------------------------------------------------------------

    def set_map(self, orientations: OrientationMap | None) -> None:
        """Look at the points of a map."""
        if orientations is self._map and orientations is not None:
            return
        self._map, self._grains, self._maker = orientations, None, OdfMaker()
        self._numbers = []
        if orientations is not None:
            found, count = np.unique(
                orientations.phase_id[orientations.indexed], return_counts=True
            )
            self._numbers = [int(n) for n in found[np.argsort(-count)]]
        phases = orientations.phases if orientations is not None else {}
        fill(self.phase, [phases[n].name or f"phase {n}" for n in self._numbers])
        self.phase.setCurrentIndex(0)
        fill(self.weight, [POINTS])
        self._on_phase()

    def set_grains(self, grains: Grains | None) -> None:
        """Let grains count, once they are known."""
        before = self._grains
        self._grains = grains
        fill(self.weight, [POINTS, GRAINS] if grains is not None and len(grains) else [POINTS])
        if before is not grains and before is not None:
            self.ask()

    def set_least(self, least: dict[str, float]) -> None:
        """Leave out points with less of these properties."""
        found = tuple(sorted(least.items()))
        if found != self._least:
            self._least = found
            self.ask()

    def set_active(self, on: bool) -> None:
        """Draw, or wait until the dock is in front again."""
        self.figure.set_active(on)

    def _on_phase(self, *_: Any) -> None:
        if self._map is not None and self._numbers:
            phase = self._map.phases[self._numbers[max(0, self.phase.currentIndex())]]
            if phase.point_group is not None:
                self.indices.setText(" ".join(default_poles(phase)))
                self.angles.setText(" ".join(f"{angle:g}" for angle in default_sections(phase)))
        self.ask()

    def _on_frame(self, *_: Any) -> None:
        self.directions.setText(" ".join(FRAMES[self.frame.currentText()].names))
        self.ask()

    # --- what is shown -----------------------------------------------------------------------

    def _show_controls(self) -> None:
        kind = self.box.currentText()
        only = {
            self.indices: kind == POLES, self.directions: kind == INVERSE,
            self.angles: kind == SECTIONS, self.tolerance: kind == COMPONENTS,
            self.halfwidth: kind != COMPONENTS,
        }  # fmt: skip
        for widget, seen in only.items():
            widget.setVisible(seen)
            self._labels[widget].setVisible(seen)
        self.orthotropic.setVisible(kind != COMPONENTS)
        self.phase.setVisible(len(self._numbers) > 1)
        self.figure.save_button.setVisible(kind != COMPONENTS)
        self.stack.setCurrentWidget(self.table if kind == COMPONENTS else self.figure)

    @property
    def sample(self) -> Sample | None:
        """What the controls say, None where nothing is indexed."""
        if self._map is None or not self._numbers:
            return None
        once = self.weight.currentText() == GRAINS
        return Sample(
            self._map, self._grains if once else None,
            self._numbers[max(0, self.phase.currentIndex())], self._least,
            self.halfwidth.value(), self.orthotropic.isChecked(), self.frame.currentText(),
        )  # fmt: skip

    def ask(self, *_: Any) -> None:
        """Draw what the controls say."""
        self._show_controls()
        self.about.hide()
        sample, kind = self.sample, self.box.currentText()
        if sample is None:
            self.figure.request(None, NOTHING if self._map is not None else "")
            self.table.show_sample(None, 0.0)
        elif kind == COMPONENTS:
            self.table.show_sample(sample, self.tolerance.value())
        else:
            try:
                what = self._what(kind)
            except ValueError as error:
                self.figure.request(None, str(error))
                return
            name = sample.crystal.name or "texture"
            self.figure.request(partial(make_sheet, self._maker, sample, kind, what, name))

    def _what(self, kind: str) -> tuple[Any, ...]:
        """Return poles, directions or angles, as they were typed."""
        if kind == POLES:
            return split_indices(self.indices.text())
        if kind == INVERSE:
            return tuple(re.findall(r"[^\s,;]+", self.directions.text()))
        typed = re.findall(r"[^\s,;°]+", self.angles.text())
        try:
            angles = tuple(float(one) for one in typed)
        except ValueError:
            raise ValueError(f"φ2: numbers are needed, not {self.angles.text()!r}") from None
        if not angles:
            raise ValueError("φ2: one angle at least is needed")
        return angles

    def _on_drawn(self, drawing: Any) -> None:
        odf = drawing.odf
        of = "grains" if self.weight.currentText() == GRAINS else "points"
        self.about.setText(
            f"Texture index {odf.texture_index:.2f} (1: random), {odf.count} {of}"
            + "".join(f", {name} ≥ {least:g}" for name, least in self._least)
            + "."
        )
        self.about.show()


def split_indices(text: str) -> tuple[str, ...]:
    """Return the indices in a text: "{111} <110>", "111 200" or "(1 0 -1 10), (0001)"."""
    found = re.findall(r"[({\[<][^)}\]>]*[)}\]>]|[-\d]+", text)
    if not found:
        raise ValueError("Poles: one plane or direction at least is needed, such as {111}")
    return tuple(one if one[0] in "({[<" else f"{{{one}}}" for one in found)
