"""Which orientations make a texture figure, and of what kind is it? Worked out in a thread."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.analysis.texture.axes import SampleAxes
from napari_orient.plugin.grains.drawing import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.analysis.grains.grains import Grains
    from napari_orient.analysis.texture.components import Share
    from napari_orient.analysis.texture.odf import Odf
    from napari_orient.data.maps import OrientationMap
    from napari_orient.jobs import Job

POLES, INVERSE, SECTIONS = "Pole figures", "Inverse pole figures", "ODF sections"
FRAMES = {
    "X, Y, Z": SampleAxes(),
    "RD ∥ X, ND ∥ Z": SampleAxes("X", "Z", ("RD", "TD", "ND")),
    "RD ∥ Y, ND ∥ Z": SampleAxes("Y", "Z", ("RD", "TD", "ND")),
    "RD ∥ X, ND ∥ Y": SampleAxes("X", "Y", ("RD", "TD", "ND")),
}
SCALE = 3.4  # px for each mm of the page: its letters are legible then
PAGE = (124.0, 190.0)  # mm, narrowest and widest


@dataclass(frozen=True)
class Sample:
    """Which orientations a texture is of, and how they are smoothed.

    Attributes
    ----------
    orientations
        The map.
    grains
        Not None: each of its grains counts once.
    phase
        Number.
    least
        Property -> least value of points that count.
    halfwidth
        Degrees.
    orthotropic
        Average over half turns about the axes of the sample.
    frame
        One of :data:`FRAMES`.
    """

    orientations: OrientationMap
    grains: Grains | None
    phase: int
    least: tuple[tuple[str, float], ...]
    halfwidth: float
    orthotropic: bool
    frame: str

    @property
    def axes(self) -> SampleAxes:
        """Those of the sample."""
        return FRAMES[self.frame]

    @property
    def of(self) -> str:
        """What the orientations are, in a word."""
        return "points" if self.grains is None else "grains"

    @property
    def crystal(self) -> Phase:
        """The crystal."""
        return self.orientations.phases[self.phase]

    def quaternions(self) -> NDArray[np.float64]:
        """(n, 4) orientations."""
        from napari_orient.analysis.grains.config import GrainConfig
        from napari_orient.analysis.grains.find import trusted_points
        from napari_orient.analysis.texture.orientations import one_phase

        if self.grains is not None:
            return self.grains.means[self.grains.table["phase"] == self.phase]
        trusted = trusted_points(self.orientations, GrainConfig(least=dict(self.least)))
        return one_phase(trusted, self.phase)[0]


@dataclass(eq=False)
class OdfMaker:
    """Makes orientation distributions; the last one is kept, for other figures of it."""

    _known: tuple[Sample, Odf] | None = field(default=None, repr=False)

    def odf(self, sample: Sample) -> Job[Odf]:
        """Return the distribution of a sample."""
        from napari_orient.analysis.texture.odf import compute_odf

        if self._known is not None and self._known[0] == sample:
            return self._known[1]
        if sample.crystal.point_group is None:
            raise ValueError(f"{sample.crystal.name or 'the phase'} has no point group")
        symmetry: Any = "orthotropic" if sample.orthotropic else "none"
        odf = yield from compute_odf(
            sample.quaternions(), sample.crystal, halfwidth=sample.halfwidth,
            sample_symmetry=symmetry, axes=sample.axes,
        )  # fmt: skip
        self._known = (sample, odf)
        return odf


@dataclass(frozen=True, eq=False)
class SheetDrawing:
    """A page with densities."""

    sheet: Any
    odf: Odf
    name: str

    def draw(self, style: Style) -> Figure:
        """Return it for the screen, all of it seen."""
        ratio = style.dpi / 96
        width = float(np.clip(style.width / ratio / SCALE, *PAGE))
        figure = dataclasses.replace(self.sheet, width=width).draw()
        across, down = figure.get_size_inches()
        figure.set_dpi(min(style.width / across, style.height / down))
        return figure

    def save(self, path: str) -> None:
        """Write it as .png, .svg, .pdf or .csv."""
        from napari_orient.analysis.texture.page import save_sheet

        save_sheet(self.sheet, path)


def make_sheet(
    maker: OdfMaker, sample: Sample, kind: str, what: tuple[Any, ...], about: str
) -> Job[SheetDrawing]:
    """Work out a figure.

    ``what`` are poles, directions of the sample, or angles of sections.
    """
    from napari_orient.analysis.texture.figures import InversePoleFigures, PoleFigures
    from napari_orient.analysis.texture.section_figures import OdfSections

    odf = yield from maker.odf(sample)
    kinds: dict[str, Any] = {POLES: PoleFigures, INVERSE: InversePoleFigures, SECTIONS: OdfSections}
    sheet = kinds[kind](odf, what, of=sample.of)
    return SheetDrawing(sheet, odf, f"{about} {kind}")


def shares_of(request: tuple[Sample, float]) -> tuple[Share, ...]:
    """Return the shares of the named components."""
    from napari_orient.analysis.texture.components import component_shares

    sample, tolerance = request
    return component_shares(
        sample.quaternions(), sample.crystal, tolerance=tolerance, axes=sample.axes
    )
