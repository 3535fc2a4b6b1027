"""What is of one material is told to be; what is not, is told apart, and by what."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import numpy as np
import pytest

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.crystal.harmonics import default_harmonics
from napari_orient.crystal.rotations import (
    from_axis_angle,
    from_matrix,
    multiply,
    random_orientations,
    to_matrix,
)
from napari_orient.data.maps import OrientationMap
from napari_orient.data.sections import section_of
from napari_orient.files import UnreadableFile
from napari_orient.jobs import run
from napari_orient.reconstruction.reference import close_gaps
from napari_orient.reconstruction.representative.bodies import find_bodies
from napari_orient.reconstruction.representative.config import RepresentConfig
from napari_orient.reconstruction.representative.curve_rows import relative_error
from napari_orient.reconstruction.representative.curves import (
    choose_lags,
    half_length,
    mean_curve,
    measure_curves,
    patch_residuals,
    window_map,
)
from napari_orient.reconstruction.representative.figures import full_window
from napari_orient.reconstruction.representative.page import write_page
from napari_orient.reconstruction.representative.planes import equal_planes
from napari_orient.reconstruction.representative.resampling import (
    drawn_again,
    texture_indices,
    weighted_mean,
)
from napari_orient.reconstruction.representative.rows import ALIKE
from napari_orient.reconstruction.representative.sides import find_sides
from napari_orient.reconstruction.representative.verdict import represent
from napari_orient.samples import polycrystal_map

QUICK = RepresentConfig(draws=199, window=9)


def material(seed, grains=260, size=110):
    return polycrystal_map((size, size), grains, seed=seed)


def around(base, spread, count, seed):
    drawn = np.random.default_rng(seed)
    turns = from_axis_angle(drawn.normal(size=(count, 3)), drawn.normal(0, spread, count))
    return multiply(turns, base)


def turned(field, quaternions):
    return replace(field, quaternions=quaternions[field.properties["grain"]])


def differing(verdict):
    return {row.name for row in verdict.rows if row.differs}


@pytest.fixture(scope="module")
def alike():
    """A map, and a volume of the same material."""
    thick = polycrystal_map((30, 100, 100), round(30 * 100 * 100 / 500), seed=3)
    volume = polycrystal_map((48, 48, 48), round(48**3 / 500), seed=4, periodic=True)
    return section_of(thick, 15), volume


@pytest.fixture(scope="module")
def verdict(alike):
    return run(represent(*alike, QUICK))


# --- the verdict ---------------------------------------------------------------------------------


def test_a_volume_of_the_same_material_is_representative(verdict):
    assert verdict.representative is True
    assert verdict.headline.startswith("Representative: no test tells")
    tested = [row for row in verdict.rows if row.p is not None]
    assert [row.name for row in tested] == [
        "grain size", "grain size by area", "aspect ratio", "elongation",
        "boundary misorientation", "texture", "two-point correlation", "variogram",
    ]  # fmt: skip
    assert all(row.verdict == ALIKE for row in tested)
    assert all(row.p <= row.p_corrected <= 1 for row in tested)
    sizes = tested[0]
    assert sizes.unit == "µm"
    assert sizes.interval[0] < sizes.difference < sizes.interval[1]
    assert any("5 across z, 5 across y, 5 across x" in note for note in verdict.notes)


def test_larger_grains_are_not():
    found = run(represent(material(0), material(1, grains=166), QUICK))  # by 25 %
    assert {"grain size", "grain size by area", "variogram"} <= differing(found)
    assert "texture" not in differing(found)
    assert found.headline.startswith("Not representative: grains ")
    row = found.rows[0]
    assert row.verdict.endswith("% larger")
    assert 0.12 < row.difference / row.reference < 0.4
    assert row.interval[0] > 0


def test_another_texture_and_a_mirrored_frame_are_not():
    base, mirror = random_orientations(1, 8)[0], np.diag([-1.0, 1, 1])
    flipped = from_matrix(mirror @ to_matrix(base) @ mirror)
    first = turned(material(0), around(base, 12.0, 260, 0))
    for other, spread in ((flipped, 12.0), (base, 40.0)):
        found = run(represent(first, turned(material(1), around(other, spread, 260, 1)), QUICK))
        assert "texture" in differing(found)
        assert "grain size" not in differing(found)
    same = run(represent(first, turned(material(1), around(base, 12.0, 260, 1)), QUICK))
    assert same.representative


def test_orientations_that_are_dealt_out_again_are_not():
    """A neighbour of most grains is 25 degrees away: a shuffle loses it, with the same texture."""
    made = material(2)
    grain, middles = made.properties["grain"], np.zeros((260, 2))
    for axis, place in enumerate(np.indices(grain.shape)):
        count = np.maximum(np.bincount(grain.ravel(), minlength=260), 1)
        middles[:, axis] = np.bincount(grain.ravel(), place.ravel(), 260) / count
    q, free = random_orientations(260, 1), set(range(260))
    turn = from_axis_angle(np.array([[1.0, 1, 1]]), np.array([25.0]))[0]
    while len(free) > 1:
        one = free.pop()
        near = min(free, key=lambda other: np.sum((middles[other] - middles[one]) ** 2))
        free.remove(near)
        q[near] = multiply(turn, q[one])
    shuffled = turned(made, np.random.default_rng(0).permutation(q))
    found = run(represent(turned(made, q), shuffled, QUICK))
    assert "boundary misorientation" in differing(found)
    assert not {"texture", "grain size", "aspect ratio"} & differing(found)


def test_three_references_are_compared_with_their_own_sections(alike):
    reference, volume = alike
    config = QUICK.model_copy(update={"sections": 2})
    found = run(represent([reference] * 3, volume, config))
    assert [one.name for one in found.comparisons] == ["across z", "across y", "across x"]
    assert {p.axis for p in found.comparisons[1].result.planes} == {1}
    assert found.rows[0].name == "grain size, across z"
    assert sum(row.p is not None for row in found.rows) == 24
    with pytest.raises(ValueError, match="three maps"):
        run(represent([reference] * 2, volume, QUICK))


def test_too_little_is_said_and_is_no_verdict():
    small = polycrystal_map((40, 40), 12, seed=1)
    found = run(represent(small, polycrystal_map((40, 40), 12, seed=2), QUICK))
    assert found.representative is None
    assert found.headline.startswith("Too little to tell")
    assert "too few whole grains" in found.rows[0].verdict
    assert any("too few" in note for note in found.notes)
    with pytest.raises(ValueError, match="no two grains"):
        run(represent(polycrystal_map((20, 20), 1), small, QUICK))
    with pytest.raises(ValueError, match="crystal"):
        run(represent(small, polycrystal_map((40, 40), 12, phase="Mg"), QUICK))


def test_steps_and_units_do_not_matter():
    coarse = material(1)
    fine = OrientationMap(
        coarse.quaternions.repeat(2, 0).repeat(2, 1), coarse.phases, step=(500.0, 500.0), unit="nm"
    )
    found = run(represent(material(0), fine, QUICK))
    wanted = run(represent(material(0), coarse, QUICK))
    for one, other in zip(found.rows, wanted.rows, strict=True):
        assert one.result == (other.result and pytest.approx(other.result, rel=1e-6))
        assert one.p == other.p
    assert any("what most of each is" in note for note in found.notes)


# --- views ---------------------------------------------------------------------------------------


def test_sections_are_a_grain_apart_and_views_alike(alike):
    reference, volume = alike
    views = run(equal_planes([reference], volume, GrainConfig()))
    assert {p.map.shape for p in (*views.reference, *views.result)} == {(48, 48)}
    assert len(views.reference) == 4
    for axis in range(3):
        at = sorted(p.at for p in views.result if p.axis == axis)
        assert len(at) == int(48 // views.diameter)
        assert min(np.diff(at)) >= views.diameter - 1  # points are whole
    one = next(p for p in views.result if p.axis == 1)
    assert np.array_equal(one.map.quaternions, volume.quaternions[:, int(one.at)])
    assert not any(one.map.periodic)


def test_sections_of_one_grain_are_in_one_patch(alike):
    reference, volume = alike
    views = run(equal_planes([reference], volume, GrainConfig()))
    _, side, _ = run(find_sides(views, GrainConfig(smallest=1)))
    bodies = run(find_bodies(volume, GrainConfig()))
    patch_of, start = {}, 0
    for plane, grains in zip(side.planes, side.grains, strict=True):
        own = np.take(bodies.labels, int(plane.at), plane.axis)
        for n in range(len(grains)):
            patch = side.sample.block_of_all[start + n]
            assert patch_of.setdefault(int(own[grains.labels == n + 1][0]), patch) == patch
        start += len(grains)
    assert start > 1.5 * len(patch_of) > 3 * len(set(patch_of.values()))
    made = len(np.unique(volume.properties["grain"]))
    assert bodies.labels.max() == pytest.approx(made, abs=8)  # corners of some are apart


# --- numbers -------------------------------------------------------------------------------------


def test_curves_are_the_means_over_known_pairs():
    made = polycrystal_map((14, 12), 9, seed=5)
    made.phase_id[3:9, 2:8] = -1
    closed, _ = close_gaps(made)
    assert 0 < (closed.phase_id < 0).sum() < 36
    views = run(equal_planes([made], made, GrainConfig(smallest=1)))
    side, _, phase = run(find_sides(views, GrainConfig(smallest=1)))
    lags = choose_lags(5, 4.0, (14, 12))
    harmonics = default_harmonics(phase.point_group)
    curves = run(measure_curves(side, lags, views.side, harmonics))
    z = np.asarray(harmonics(closed.quaternions))
    known = closed.phase_id >= 0

    def pairs(down, right):
        for y, x in np.argwhere(known):
            v, u = y + down, x + right
            if 0 <= v < 14 and 0 <= u < 12 and known[v, u]:
                yield z[y, x], z[v, u]

    found = window_map(curves)
    for n in (0, 3, 7, 11):
        wanted = np.mean([np.abs(a - b) / 2 for a, b in pairs(*lags.window[n])], axis=0)
        assert found[n] == pytest.approx(wanted, rel=1e-5)
    products = [a @ b for lag in lags.rays[:, 2] for a, b in pairs(*lag)]
    assert mean_curve(curves.two_point, curves.count)[2] == pytest.approx(np.mean(products))
    assert curves.count[:, 0, 0].sum() == known.sum()
    assert mean_curve(curves.variogram, curves.count)[0] == 0


def test_residuals_hold_the_difference_of_the_ratios():
    drawn = np.random.default_rng(1)
    counts = drawn.integers(1, 9, (7, 2, 3)), drawn.integers(1, 30, (4, 2, 3))
    sums = tuple(n * drawn.random(n.shape) for n in counts)
    first, second = patch_residuals(sums, counts)
    ratios = [s.sum(axis=0) / n.sum(axis=0) for s, n in zip(sums, counts, strict=True)]
    apart = first.mean(axis=0) - second.mean(axis=0)
    assert apart == pytest.approx((ratios[0] - ratios[1]).ravel())


def test_half_lengths_and_error_maps():
    distances = np.linspace(0, 10, 101)
    curve = np.exp(-distances)
    assert half_length(distances, curve) == pytest.approx(np.log(2), abs=0.01)
    assert half_length(distances, np.stack([curve, 1 - curve])).shape == (2,)
    assert np.isnan(half_length(distances, np.ones(101)))
    lags = choose_lags(5, 5.0, (30, 30)).window
    shown = full_window(lags, np.hypot(*lags.T))
    assert shown[0, 0] == shown[4, 4] == pytest.approx(np.hypot(2, 2))
    assert shown[2, 0] == shown[2, 4] == 2
    errors = relative_error(np.array([1.0, 2, 0]), np.array([1.1, 2, 0]))
    assert errors == pytest.approx([0.1, 0, 0])


def test_texture_index_does_not_grow_with_fewer_grains():
    from napari_orient.analysis.validation.permutation import kernel_matrix

    few = [random_orientations(60, seed) for seed in range(12)]
    every = []
    for q in few:
        kernel, times = kernel_matrix(q, "m-3m", 10.0), np.ones((1, 60))
        every.append(texture_indices(kernel, np.ones(60), np.arange(60), times)[0])
    assert np.mean(every) == pytest.approx(1.0, abs=0.05)
    assert kernel.mean() > 1.2  # what it is without the correction


def test_draws_are_of_whole_patches():
    times = drawn_again(np.array([4, 4, 9, 9, 9]), 50, 0)
    assert (times[:, 0] == times[:, 1]).all()
    assert (times[:, 0] + times[:, 2] == 2).all()
    values = weighted_mean(np.array([1.0, 3.0]), np.array([1.0, 3.0]), np.array([[1.0, 1], [2, 0]]))
    assert values == pytest.approx(np.array([2.5, 1.0]))


# --- the page ------------------------------------------------------------------------------------


def test_page_is_whole_and_says_what_was_found(verdict, tmp_path):
    page = tmp_path / "page.html"
    written = run(write_page(verdict, page))
    assert [path.name for path in written] == ["page.html", "page.pdf", "page.csv"]
    text = page.read_text(encoding="utf-8")
    assert "Representative." in text
    assert text.index("Representative.") < text.index("<table>")
    assert text.count("data:image/png;base64,") == 8
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    lines = (tmp_path / "page.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [row["row"] for row in rows] == [row.name for row in verdict.rows]
    assert float(rows[0]["result"]) == pytest.approx(verdict.rows[0].result, rel=1e-5)
    assert float(rows[0]["high_95"]) == pytest.approx(verdict.rows[0].interval[1], rel=1e-5)
    assert rows[0]["differs"] == "0"
    assert rows[-1]["differs"] == ""
    assert len(list(tmp_path.iterdir())) == 3


def test_a_page_that_cannot_be_written_leaves_the_old_one(verdict, tmp_path, monkeypatch):
    from napari_orient.reconstruction.representative import page

    old = tmp_path / "page.csv"
    old.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page, "write_csv", full)
    with pytest.raises(UnreadableFile, match="No space left"):
        run(write_page(verdict, old))
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]
    with pytest.raises(UnreadableFile, match="html"):
        run(write_page(verdict, tmp_path / "page.txt"))
