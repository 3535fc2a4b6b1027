"""How are the grains distributed? Sizes, shapes, misorientations and directions, to be printed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_orient.jobs import Progress
from napari_orient.plugin.grains.choice import choice_box, fill
from napari_orient.plugin.grains.drawing import FigurePanel, Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_orient.analysis.distributions import Distribution
    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.jobs import Job

SIZE, LOG, MISORIENTATION = "Grain size", "Grain size, logarithmic", "Boundary misorientation"
TRACES, PHASES = "Trace directions", "Phases"
COLUMNS = {
    "Aspect ratio": "aspect_ratio",
    "Neighbours": "neighbours",
    "Orientation spread (GOS)": "gos",
}
WEIGHTED = (SIZE, LOG, *COLUMNS)  # by number, or by area or volume
BY_NUMBER = "by number"
TALLEST = 0.85  # of the width
NO_GRAINS = "Find grains first."
NONE_COUNTS = (
    "no grain counts: the edge of the map cuts all of them. Tick Count grains at the edge under "
    "Settings, or take a larger map."
)
NO_BOUNDARIES = "there are no boundaries between grains."
ALL = "all phases"


@dataclass(frozen=True, eq=False)
class PlotDrawing:
    """A distribution as a figure."""

    distribution: Distribution
    weighted: bool
    about: str

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.about} {self.distribution.measure}"

    def draw(self, style: Style) -> Figure:
        """Return it for the screen."""
        from napari_orient.analysis.grain_plots import draw

        size = (style.width / style.dpi, min(style.height, TALLEST * style.width) / style.dpi)
        figure = draw(self.distribution, weighted=self.weighted, size=size)
        figure.set(facecolor="white", dpi=style.dpi)
        figure.patch.set_alpha(1)
        return figure

    def save(self, path: str) -> None:
        """Write it as .png, .svg, .pdf or .csv."""
        from napari_orient.analysis.grain_plots import draw, save_figure, save_numbers

        if path.lower().endswith(".csv"):
            save_numbers(self.distribution, path, self.about)
        else:
            save_figure(draw(self.distribution, weighted=self.weighted), path)


class PlotPanel(QWidget):
    """One of the distributions of the grains."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grains: Grains | None = None
        self._about = ""
        self.box = choice_box("What is drawn")
        self.weight = choice_box("How grains count: each one once, or by its area (volume)")
        self.phase = choice_box("Grains of which crystal are drawn")
        self.figure = FigurePanel("orient-grain-plot")
        top = QHBoxLayout()
        for widget, stretch in ((self.box, 2), (self.weight, 1), (self.phase, 1)):
            top.addWidget(widget, stretch)
        top.addWidget(self.figure.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(top)
        layout.addWidget(self.figure, 1)
        for box in (self.box, self.weight, self.phase):
            box.activated.connect(self._ask)
        self.show_grains(None, "")

    def show_grains(self, grains: Grains | None, about: str) -> None:
        """Draw these grains; ``about`` is the name of their map."""
        self._grains, self._about = grains, about
        flat = grains is None or grains.dimensions == 2
        kinds = [SIZE, LOG, *COLUMNS, MISORIENTATION]
        numbers = np.unique(grains.table["phase"]) if grains is not None and len(grains) else []
        phases = {} if grains is None else grains.orientations.phases
        fill(self.box, kinds + [TRACES] * flat + [PHASES] * (len(phases) > 1))
        fill(self.weight, [BY_NUMBER, "by area" if flat else "by volume"])
        fill(self.phase, [ALL, *(phases[int(n)].name or f"phase {n}" for n in numbers)])
        self._numbers = [None, *(int(n) for n in numbers)]
        self._ask()

    def set_active(self, on: bool) -> None:
        """Draw, or wait until the dock is in front again."""
        self.figure.set_active(on)

    def _ask(self, *_: Any) -> None:
        kind = self.box.currentText()
        self.weight.setVisible(kind in WEIGHTED)
        self.phase.setVisible(len(self._numbers) > 2 and kind not in (TRACES, PHASES))
        if self._grains is None:
            self.figure.request(None, NO_GRAINS)
            return
        number = self._numbers[max(0, self.phase.currentIndex())]
        weighted = self.weight.currentText() != BY_NUMBER and kind in WEIGHTED
        self.figure.request(partial(_make, self._grains, kind, number, weighted, self._about))


def _make(
    grains: Grains, kind: str, phase: int | None, weighted: bool, about: str
) -> Job[PlotDrawing]:
    yield Progress(0, 0, "Counting")
    found = _distribution(grains, kind, phase)
    if found.facts.get("n") == 0:
        raise ValueError(NONE_COUNTS if kind in WEIGHTED else NO_BOUNDARIES)
    return PlotDrawing(found, weighted, about)


def _distribution(grains: Grains, kind: str, phase: int | None) -> Distribution:
    from napari_orient.analysis import distributions as d

    if not len(grains):
        raise ValueError("no grains were found: there is nothing to draw.")
    if kind in COLUMNS:
        return d.property_distribution(grains, COLUMNS[kind], phase=phase)
    if kind == MISORIENTATION:
        return d.misorientation_distribution(grains, phase)
    if kind == TRACES:
        return d.trace_distribution(grains)
    if kind == PHASES:
        return d.phase_fractions(grains)
    return d.size_distribution(grains, bins="log" if kind == LOG else "linear", phase=phase)
