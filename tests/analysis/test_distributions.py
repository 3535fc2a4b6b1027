"""Distributions of made grains against what was made, and their figures and files."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_orient.analysis.boundary_classes import usual_laws
from napari_orient.analysis.boundary_map import boundary_map
from napari_orient.analysis.distributions import (
    CIRCLE,
    SPHERE,
    check_comparable,
    class_distribution,
    misorientation_distribution,
    phase_fractions,
    property_distribution,
    size_distribution,
    trace_distribution,
)
from napari_orient.analysis.grain_plots import draw, save_figure, save_numbers
from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import from_axis_angle, multiply, random_orientations
from napari_orient.data.maps import OrientationMap
from napari_orient.data.vendors.open import open_map
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run

NI, MG = get_phase("Ni"), get_phase("Mg")


def polycrystal(n=150, size=120, seed=0, dimensions=2, phases=None, periodic=True):
    """Voronoi grains of random orientations; every second one is of the second phase."""
    shape = (size,) * dimensions
    seeds = np.random.default_rng(seed).random((n, dimensions)) * size
    points = np.indices(shape).reshape(dimensions, -1).T
    label = cKDTree(seeds, boxsize=size if periodic else None).query(points)[1].reshape(shape)
    phases = phases or {0: NI}
    return OrientationMap(
        random_orientations(n, seed)[label], phases, np.array(list(phases))[label % len(phases)],
        step=(0.5,) * dimensions, periodic=(periodic,) * dimensions,
    )  # fmt: skip


def grains_of(orientations, **config):
    return run(find_grains(orientations, GrainConfig(**{"smallest": 1, **config})))


@pytest.fixture(scope="module")
def flat():
    return grains_of(polycrystal())


@pytest.fixture(scope="module")
def solid():
    return grains_of(polycrystal(60, 24, dimensions=3))


def test_sizes_of_a_map(flat):
    found = size_distribution(flat)
    diameter = np.sqrt(4 / np.pi * flat.table["size"] * 0.25)
    assert (found.measure, found.unit) == (CIRCLE, "µm")
    assert found.facts["n"] == len(flat) == found.columns["number"].sum()
    assert found.facts["mean"] == pytest.approx(diameter.mean())
    assert found.facts["median"] == pytest.approx(np.median(diameter))
    weighted = np.average(diameter, weights=flat.table["size"])
    assert found.facts["area-weighted mean"] == pytest.approx(weighted)
    assert found.facts["lognormal mu"] == pytest.approx(np.log(diameter).mean())
    assert found.columns["number share"].sum() == pytest.approx(1)
    assert found.columns["area share"].sum() == pytest.approx(1)
    edges = found.columns["edges"]
    assert edges[0] <= diameter.min() < diameter.max() < edges[-1] + 1e-9
    first = diameter < edges[3]
    assert found.columns["area share"][:3].sum() == pytest.approx(
        flat.table["size"][first].sum() / flat.table["size"].sum()
    )


def test_sections_and_volumes_are_never_mixed(flat, solid):
    section, volume = size_distribution(flat), size_distribution(solid)
    assert volume.measure == SPHERE
    assert "volume share" in volume.columns
    diameter = np.cbrt(6 / np.pi * solid.table["size"] * 0.125)
    assert volume.facts["mean"] == pytest.approx(diameter.mean())
    with pytest.raises(ValueError, match="compare sections"):
        draw(section, volume, names=("map", "volume"))
    with pytest.raises(ValueError, match="cannot be compared"):
        check_comparable(property_distribution(flat), property_distribution(solid))
    with pytest.raises(ValueError, match="use one unit"):
        check_comparable(section, replace(section, unit="nm"))
    check_comparable(section, section)


def test_bins(flat):
    log = size_distribution(flat, bins="log")
    assert log.log
    ratio = log.columns["edges"][1:] / log.columns["edges"][:-1]
    np.testing.assert_allclose(ratio, ratio[0])
    assert log.columns["number"].sum() == len(flat)
    mine = size_distribution(flat, bins=[0, 5, 6])
    np.testing.assert_array_equal(mine.columns["edges"], [0, 5, 6])
    inside = np.mean(flat.table["diameter"] <= 6)
    assert mine.columns["number share"].sum() == pytest.approx(inside)
    for wrong in ([1, 1], [3], "square"):
        with pytest.raises(ValueError, match="expected"):
            size_distribution(flat, bins=wrong)


def test_only_what_counts_counts():
    open_edges = grains_of(polycrystal(periodic=False))
    found = size_distribution(open_edges)
    assert found.facts["n"] == open_edges.counted.sum() < len(open_edges)
    cut = len(open_edges) - int(open_edges.counted.sum())
    assert f"{cut} that touch the edge of the map are not counted" in found.caption
    assert property_distribution(open_edges, "gos").facts["n"] == found.facts["n"]
    every = grains_of(polycrystal(periodic=False), edge_grains=True)
    assert size_distribution(every).facts["n"] == len(every)
    assert "not counted" not in size_distribution(every).caption


def test_properties(flat):
    ratio = property_distribution(flat)
    assert ratio.facts["mean"] == pytest.approx(flat.table["aspect_ratio"].mean())
    assert property_distribution(flat, "gos").unit == "°"
    with pytest.raises(ValueError, match="grains have no 'colour'"):
        property_distribution(flat, "colour")


def test_random_grains_have_random_misorientations(flat):
    found = misorientation_distribution(flat)
    for name in ("correlated", "uncorrelated", "random"):
        assert found.columns[name].sum() == pytest.approx(1, abs=1e-6)
        assert found.facts[f"mean, {name}"] == pytest.approx(40.7, abs=1.5)
    coarse = [found.columns[n].reshape(-1, 8).sum(axis=1) for n in ("uncorrelated", "random")]
    np.testing.assert_allclose(*coarse, atol=0.03)
    assert "Mackenzie" in found.caption
    assert found.facts["length"] == pytest.approx(0.5 * found.facts["n"])


def test_misorientations_are_weighted_by_length():
    q = np.tile(random_orientations(1, 1)[0], (10, 20, 1))
    turned = multiply(from_axis_angle(np.array([1.0, 1, 1]), 60.0), q)
    q[4:] = turned[4:]  # 20 pieces of 3, and at 30 degrees 10 pieces of 1
    q[:, 15:] = multiply(from_axis_angle(np.array([1.0, 0, 0]), 30.0), q[:, 15:])
    grains = grains_of(OrientationMap(q, {0: NI}, step=(1.0, 3.0)))
    found = misorientation_distribution(grains)
    edges, share = found.columns["edges"], found.columns["correlated"]
    assert found.facts["n"] == 30
    assert found.facts["length"] == 70
    at_30 = np.isin(edges[:-1], [28, 30])
    assert share[at_30].sum() == pytest.approx(10 / 70, abs=0.01)


def test_neighbours_of_a_twinned_metal_are_no_random_pairs(shared_data):
    grains = run(find_grains(open_map(shared_data / "ni_edax/EdaxAngOnly.h5"), GrainConfig()))
    found = misorientation_distribution(grains)
    top = found.columns["edges"][:-1] >= 58
    assert found.columns["correlated"][top].sum() > 0.4
    assert found.columns["random"][top].sum() < 0.05
    assert found.columns["uncorrelated"][top].sum() < 0.08


def test_two_phases_of_different_symmetry():
    grains = grains_of(polycrystal(phases={0: NI, 3: MG}))
    found = phase_fractions(grains)
    shares = dict(zip(found.columns["phase"], found.columns["share"], strict=True))
    assert shares["Ni"] == pytest.approx(np.mean(grains.orientations.phase_id == 0))
    assert sum(shares.values()) == pytest.approx(1)
    largest = {0: 62.8, 3: 93.84}
    for number, angle in largest.items():
        one = misorientation_distribution(grains, number)
        assert one.columns["edges"][-1] == pytest.approx(angle, abs=2)
        assert one.columns["correlated"].sum() == pytest.approx(1)
        of_one = size_distribution(grains, phase=number)
        assert of_one.facts["n"] == np.sum(grains.table["phase"] == number)
        assert grains.orientations.phases[number].name in of_one.caption
    with pytest.raises(ValueError, match="no phase 9"):
        misorientation_distribution(grains, 9)
    with pytest.raises(ValueError, match="no phase 9"):
        size_distribution(grains, phase=9)


def every_distribution(grains):
    phases = grains.orientations.phases
    laws = {n: usual_laws(p) for n, p in phases.items()}
    made = [
        size_distribution(grains),
        size_distribution(grains, bins="log"),
        property_distribution(grains),
        misorientation_distribution(grains),
        phase_fractions(grains),
        class_distribution(run(boundary_map(grains.orientations, laws))),
    ]
    return [*made, trace_distribution(grains)] if grains.dimensions == 2 else made


def draw_all(made):
    for one in made:
        figure = draw(one)
        figure.draw_without_rendering()  # a figure that cannot be drawn fails here
        assert figure.axes[0].get_xlabel() or one.kind == "traces"


@pytest.mark.parametrize("case", ["one grain", "nothing indexed", "a row", "NaN", "none counts"])
def test_bad_input_gives_numbers_or_words(case):
    orientations = polycrystal(20, 30, periodic=case != "none counts")
    q, phase_id = orientations.quaternions, orientations.phase_id
    if case == "one grain":
        q[:] = q[0, 0]
    elif case == "nothing indexed":
        phase_id[:] = -1
    elif case == "NaN":
        q[:, :15] = np.nan
    elif case == "a row":
        orientations = replace(
            orientations, quaternions=q[:1], phase_id=phase_id[:1], done=orientations.done[:1]
        )
    smallest = 100 if case == "none counts" else 1
    made = every_distribution(grains_of(orientations, smallest=smallest))
    draw_all(made)
    if case in ("one grain", "nothing indexed"):
        assert made[3].facts["n"] == 0
        assert made[3].columns["correlated"].sum() == 0
        assert made[-1].columns["share"].sum() == 0
    if case == "nothing indexed":
        assert made[0].facts["n"] == 0
        assert np.isnan(made[0].facts["mean"])


def test_figures(flat, solid):
    draw_all(every_distribution(flat))
    draw_all(every_distribution(solid))
    draw(size_distribution(solid), weighted=True).draw_without_rendering()
    two = [property_distribution(g) for g in (flat, grains_of(polycrystal(seed=3)))]
    figure = draw(*two, names=("first", "second"))
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert any(word.startswith("first, n = ") for word in words)
    for maker in (misorientation_distribution, trace_distribution, phase_fractions):
        draw(maker(flat), maker(flat), names=("a", "b")).draw_without_rendering()
    with pytest.raises(ValueError, match="need a name each"):
        draw(*two)
    with pytest.raises(ValueError, match="nothing to draw"):
        draw()


def test_a_figure_says_what_it_shows(flat):
    figure = draw(size_distribution(flat))
    (axes,) = figure.axes
    assert axes.get_xlabel() == "Equivalent circle diameter of a section (µm)"
    assert axes.get_ylabel() == "Grains (% of number)"
    assert f"{len(flat)} of {len(flat)} grains" in figure.get_supxlabel().replace("\n", " ")
    assert draw(size_distribution(flat), caption=False).get_supxlabel() == ""


def test_files(flat, tmp_path):
    found = size_distribution(flat)
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        save_figure(draw(found), tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    assert "circle diameter" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"\.png, \.svg or \.pdf"):
        save_figure(draw(found), tmp_path / "a.bmp")
    with pytest.raises(UnreadableFile):
        save_figure(draw(found), tmp_path / "missing" / "a.png")
    with pytest.raises(UnreadableFile):
        save_numbers(found, tmp_path / "missing" / "a.csv")
    assert {p.name for p in tmp_path.iterdir()} == {"a.png", "a.svg", "a.pdf"}


def test_numbers_of_a_file(flat, tmp_path):
    found = size_distribution(flat)
    save_numbers(found, tmp_path / "a.csv", "from here")
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if not row[0].startswith("#")]
    assert rows[0] == list(found.columns)
    columns = list(zip(*rows[1:], strict=True))
    np.testing.assert_array_equal([float(v) for v in columns[0]], found.columns["edges"])
    assert columns[1][-1] == ""  # one edge more than bins
    np.testing.assert_array_equal(
        [float(v) for v in columns[2][:-1]], found.columns["number share"]
    )
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert "# from here" in text
    assert f"# n: {len(flat)}" in text


@pytest.mark.parametrize("width", [3.0, 4.6, 7.0])
def test_a_legend_is_not_cut_off_and_all_lines_are_seen_on_a_dark_ground(flat, width):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_hex

    for made in (misorientation_distribution(flat), size_distribution(flat)):
        figure = draw(made, size=(width, 3.6), ink="#f0f1f2")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        box = figure.axes[0].get_legend().get_window_extent()
        assert box.x1 <= figure.bbox.x1
        assert "#000000" not in {to_hex(line.get_color()) for line in figure.axes[0].lines}
