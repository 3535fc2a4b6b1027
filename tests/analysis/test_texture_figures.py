"""Figures of textures: do they show things where they are, and do the numbers agree?"""

from __future__ import annotations

import csv

import numpy as np
import pytest
from laue_crystals import CRYSTALS, write_crystal

from napari_orient.analysis.texture.axes import SampleAxes
from napari_orient.analysis.texture.components import Component, ideal_orientations
from napari_orient.analysis.texture.figures import InversePoleFigures, PoleFigures
from napari_orient.analysis.texture.kernel import Kernel
from napari_orient.analysis.texture.odf import compute_odf
from napari_orient.analysis.texture.orientations import one_phase
from napari_orient.analysis.texture.page import save_sheet
from napari_orient.analysis.texture.poles import default_poles, default_sections
from napari_orient.analysis.texture.section_figures import OdfSections
from napari_orient.crystal.miller import crystal_vector
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    from_euler,
    from_matrix,
    laue_operators,
    random_orientations,
    to_matrix,
)
from napari_orient.data.vendors.open import open_map
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

NI, TI, LNO = get_phase("Ni"), get_phase("Ti"), get_phase("LiNiO2")


def odf_of(q, phase, **choices):
    return run(compute_odf(np.reshape(q, (-1, 4)), phase, **choices))


def with_c_along(direction):
    """An orientation whose c axis points in a direction of the map."""
    z = np.array(direction, float) / np.linalg.norm(direction)
    x = np.cross(z, (0.3, -0.5, 0.7))
    x /= np.linalg.norm(x)
    return from_matrix(np.stack([x, np.cross(z, x), z]))


def darkest(figure, number=0):
    """Where (x right, y down, -1 to 1) the painted image ``number`` is darkest."""
    image = figure.axes[0].images[number].get_array()
    dark = np.where(image[..., 3] > 0.99, -image[..., :3].sum(axis=-1), -9)
    row, column = np.unravel_index(dark.argmax(), dark.shape)
    rows, columns = dark.shape
    return (2 * column + 1) / columns - 1, (2 * row + 1) / rows - 1


@pytest.mark.parametrize(
    ("direction", "place"),
    [
        ((1, 0, -2), (0.325, 0)),  # towards the right edge of the map, out of the page: right
        ((0, 1, -2), (0, 0.325)),  # towards the lower edge, out of the page: below
        ((-1, 0, 2), (0.325, 0)),  # the opposite direction is the same axis
        ((1, 0, 2), (-0.325, 0)),  # into the page: its opposite comes out, towards the left
        ((0, 0, 1), (0, 0)),
    ],
)
def test_pole_figures_are_seen_as_the_map(direction, place):
    odf = odf_of(with_c_along(direction), TI, halfwidth=6)
    figure = PoleFigures(odf, ("{0001}",)).draw()
    np.testing.assert_allclose(darkest(figure), place, atol=0.02)


def test_both_projections_keep_their_promise():
    odf = odf_of(with_c_along((1, 0, -1)), TI, halfwidth=6)
    equal_area = PoleFigures(odf, ("{0001}",)).draw()
    np.testing.assert_allclose(darkest(equal_area)[0], np.sqrt(2) * np.sin(np.pi / 8), atol=0.02)
    stereographic = PoleFigures(odf, ("{0001}",), projection="stereographic").draw()
    np.testing.assert_allclose(darkest(stereographic)[0], np.tan(np.pi / 8), atol=0.02)
    with pytest.raises(ValueError, match="equal area or stereographic"):
        PoleFigures(odf, ("{0001}",), projection="flat").draw()


def test_names_of_the_sample_stand_at_their_axes():
    axes = SampleAxes(rd="Y", nd="-Z", names=("RD", "TD", "ND"))
    figure = PoleFigures(odf_of(random_orientations(9, 0), NI, axes=axes), ("{111}",)).draw()
    places = {t.get_text(): t.get_position() for t in figure.axes[0].texts}
    image = figure.axes[0].images[0].get_extent()
    assert places["TD"][0] > image[1]  # ND x RD = (-z) x y = x, to the right
    assert places["RD"][1] > max(image[2:])  # down
    assert "ND" not in places  # in the centre, a cross


def test_inverse_pole_figure_shows_the_direction_in_the_sector():
    odf = odf_of(with_c_along((0, 0, 1)), TI, halfwidth=6)
    sheet = InversePoleFigures(odf)
    x, y = darkest(sheet.draw(), 2)  # Z: the corner [0001], lower left
    assert x < -0.95
    assert y > 0.95
    numbers = sheet.columns()
    best = int(np.argmax(numbers["Z (mrd)"]))
    assert numbers["angle from e3 (deg)"][best] == 0
    words = [t.get_text() for t in sheet.draw().axes[0].texts]
    assert words.count("[0001]") == 3


def test_rolling_components_are_where_textbooks_draw_them():
    axes = SampleAxes(rd="Y", nd="-Z")
    rolled = [Component("B", "(011)", "[2-11]"), Component("C", "(112)", "[11-1]"),
              Component("S", "(123)", "[63-4]")]  # fmt: skip
    q = np.concatenate([ideal_orientations(c, NI, axes) for c in rolled])
    odf = odf_of(q, NI, axes=axes, sample_symmetry="orthotropic", halfwidth=8)
    numbers = OdfSections(odf, at=(0, 45, 65)).columns()
    known = {0: (35, 45), 45: (90, 35), 65: (60, 35)}
    for phi2, (phi1, tilt) in known.items():
        here = numbers["phi2 (deg)"] == phi2
        peak = numbers["mrd"][here].max()
        at = here & (numbers["phi1 (deg)"] == phi1) & (numbers["Phi (deg)"] == tilt)
        assert numbers["mrd"][at] > 0.9 * peak


def test_scale_is_common_and_can_be_given():
    odf = odf_of(from_euler(np.array([10.0, 30, 50])), NI)
    words = [t.get_text() for t in PoleFigures(odf, ("{100}", "{111}")).draw().axes[0].texts]
    assert sum(w.startswith("max ") for w in words) == 2
    given = PoleFigures(odf, ("{100}", "{111}"), most=50).draw()
    assert "50" in [t.get_text() for t in given.axes[0].texts]
    with pytest.raises(ValueError, match="above zero"):
        PoleFigures(odf, ("{100}",), most=0).draw()
    with pytest.raises(ValueError, match="at least one"):
        PoleFigures(odf, ())


def of_random(crystal):
    return odf_of(random_orientations(50, 0), crystal)


SHEETS = {
    "poles": lambda: PoleFigures(
        of_random(NI), ("{001}", "{110}", "{111}", "{1 0 -12}"), of="grains"
    ),
    "inverse": lambda: InversePoleFigures(of_random(LNO)),
    "lowest": lambda: InversePoleFigures(of_random("-1"), ("Z", "X")),
    "sections": lambda: OdfSections(of_random("2/m"), at=(0, 60)),
    "phi1": lambda: OdfSections(of_random(NI), at=(0, 30), axis="phi1"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_sheets_are_saved_as_pictures_and_numbers(tmp_path, name):
    sheet = SHEETS[name]()
    for suffix in (".png", ".svg", ".pdf", ".csv"):
        save_sheet(sheet, tmp_path / f"{name}{suffix}", dpi=40)
    text = (tmp_path / f"{name}.svg").read_text()
    assert "halfwidth" in text  # letters stay letters
    lines = (tmp_path / f"{name}.csv").read_text().splitlines()
    assert lines[0].startswith("# ")
    for said in ("halfwidth", "mrd", "right", "50 "):
        assert said in lines[0]
    table = list(csv.reader(lines[1:]))
    columns = sheet.columns()
    assert table[0] == list(columns)
    np.testing.assert_allclose(
        np.array(table[1:], float).T, list(columns.values()), rtol=1e-5, atol=1e-9
    )
    assert len(list(tmp_path.iterdir())) == 4


def test_numbers_of_a_pole_figure_are_the_density():
    odf = odf_of(random_orientations(30, 1), NI)
    numbers = PoleFigures(odf, ("{111}",)).columns()
    row = 1234
    tilt, turn = (np.radians(column[row]) for column in list(numbers.values())[:2])
    there = (np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), -np.cos(tilt))
    expected = odf.pole_figure((1, 1, 1)).at(there)
    assert numbers["{111} (mrd)"][row] == pytest.approx(expected, rel=1e-6)


def test_what_cannot_be_saved_is_said(tmp_path):
    sheet = OdfSections(odf_of(random_orientations(5, 0), NI), at=(0,))
    with pytest.raises(ValueError, match=r"saved as \.png"):
        save_sheet(sheet, tmp_path / "odf.jpg")
    with pytest.raises(UnreadableFile, match="Make the folder first"):
        save_sheet(sheet, tmp_path / "nowhere" / "odf.png")
    assert not list(tmp_path.iterdir())


def test_textures_of_real_maps(shared_data):
    """Titanium's c axes gather near the normal of the map, as dense as the kernels at them."""
    titanium = open_map(shared_data / "ti64" / "Ti64-200x200.ang")
    main = max(titanium.phases, key=lambda n: int((titanium.phase_id == n).sum()))
    q, phase = one_phase(titanium, main)
    odf = odf_of(q, phase)
    grid = odf.pole_figure("{0001}").hemisphere(5.0)
    angles = np.radians(grid.tilt[::3]), np.radians(grid.azimuth[::6])
    tilt, turn = np.meshgrid(*angles, indexing="ij")
    there = np.stack(
        [np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), -np.cos(tilt)], axis=-1
    )
    # the kernel of one pole, (1 + k) ((1 + cos) / 2)^k, for c and -c; each counts half
    k, cosine = Kernel(10).power, there.reshape(-1, 3) @ to_matrix(q)[:, 2].T
    near = [(((1 + sign * cosine) / 2) ** k).mean(axis=1) for sign in (1, -1)]
    expected = ((1 + k) / 2 * (near[0] + near[1])).reshape(tilt.shape)
    np.testing.assert_allclose(grid.mrd[::3, ::6], expected, atol=1e-3 * expected.max())
    assert grid.tilt[np.unravel_index(grid.mrd.argmax(), grid.mrd.shape)[0]] < 15
    # the texture index is the mean of the squared density over all rotations
    density = odf.density(random_orientations(200_000, 5))
    assert density.mean() == pytest.approx(1, rel=0.02)
    assert np.mean(density**2) == pytest.approx(odf.texture_index, rel=0.03)


@pytest.mark.parametrize("width", [124.0, 170.0])
def test_notes_stay_away_from_the_edge_of_the_page(width):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    odf = odf_of(random_orientations(9, 0), LNO, axes=SampleAxes("Y", "Z", ("RD", "TD", "ND")))
    for sheet in (PoleFigures(odf, ("{0001}",), width=width), OdfSections(odf, width=width)):
        figure = sheet.draw()
        FigureCanvasAgg(figure).draw()
        millimetre = figure.bbox.width / width
        words = " ".join(sheet.notes).split()
        lines = [t for t in figure.axes[0].texts if t.get_text().split()[0] in words]
        assert sum(len(line.get_text().split()) for line in lines) >= len(words)
        right = max(line.get_window_extent().x1 for line in lines)
        assert right <= (width - 3.0) * millimetre


@pytest.mark.parametrize("laue", CRYSTALS)
def test_poles_that_are_usually_shown_are_different_planes(laue, tmp_path):
    phase = get_phase(str(write_crystal(laue, tmp_path)))
    poles = default_poles(phase)
    turns = to_matrix(laue_operators(phase.point_group))
    normals = [turns @ crystal_vector(phase, pole) for pole in poles]
    for n, one in enumerate(normals):
        for other in normals[n + 1 :]:
            assert np.abs(one @ other[0]).max() < np.cos(np.radians(5))
    assert 0 in default_sections(phase)
