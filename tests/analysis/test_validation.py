"""Two materials that are one are told to be; those that are not, are told apart, and by what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.find import find_grains
from napari_orient.analysis.validation import permutation
from napari_orient.analysis.validation.compare import compare_materials
from napari_orient.analysis.validation.permutation import (
    histograms,
    holm,
    kernel_matrix,
    least_chance,
    shuffles,
    tensors,
    wasserstein,
)
from napari_orient.analysis.validation.views import equal_views
from napari_orient.crystal.rotations import (
    from_axis_angle,
    from_matrix,
    misorientation_angle,
    multiply,
    random_orientations,
    to_matrix,
)
from napari_orient.data.sections import section_of
from napari_orient.jobs import run
from napari_orient.samples import polycrystal_map


def grains_of(orientations, **settings):
    return run(find_grains(orientations, GrainConfig(**settings)))


def material(seed, grains=300, turn=None, stretch=1.0):
    """A map of a material: perhaps textured, perhaps with grains longer along y."""
    made = polycrystal_map((round(140 * stretch), 140), grains, seed=seed)
    if turn is not None:
        made = replace(made, quaternions=turn[made.properties["grain"]])
    return replace(made, step=(1 / stretch, 1.0))


def rows_of(found):
    return {row.name: row for row in found.rows}


def around(quaternion, spread, n, seed):
    random = np.random.default_rng(seed)
    turns = from_axis_angle(random.normal(size=(n, 3)), random.normal(0, spread, n))
    return multiply(turns, quaternion)


def test_one_material_is_not_told_apart():
    found = [run(compare_materials(grains_of(material(i)), grains_of(material(i + 50)), draws=199))
             for i in range(8)]  # fmt: skip
    assert sum(any(row.differs for row in one.rows) for one in found) <= 1
    assert "cannot be told apart" in found[0].verdict
    tested = [row for row in found[0].rows if row.p is not None]
    assert {row.name for row in tested} == {
        "grain size", "aspect ratio", "elongation", "boundary misorientation", "texture"
    }  # fmt: skip
    assert all(row.p <= row.p_corrected <= 1 for row in tested)


def test_larger_grains_are():
    found = run(
        compare_materials(grains_of(material(0)), grains_of(material(1, grains=192)), draws=199)
    )
    row = rows_of(found)["grain size"]
    assert row.differs
    assert row.ratio[0] < 1.25 < row.ratio[1]
    assert row.apart == pytest.approx(row.other - row.reference, rel=0.1)
    assert not rows_of(found)["texture"].differs
    assert "grain size" in found.verdict


def test_another_texture_is():
    sharp = around(random_orientations(1, 3)[0], 12.0, 300, 0)
    found = run(
        compare_materials(grains_of(material(0)), grains_of(material(1, turn=sharp)), draws=199)
    )
    rows = rows_of(found)
    assert rows["texture"].differs
    assert not rows["grain size"].differs
    assert rows["texture"].other > 3 * rows["texture"].reference
    assert rows["pole figure {001}"].apart > 0.3
    same = run(compare_materials(grains_of(material(0)), grains_of(material(0)), draws=199))
    assert rows_of(same)["ODF"].apart == 0
    assert rows_of(same)["grain size"].apart == 0


def test_a_mirrored_frame_is():
    """A sharp texture and its mirror image, as a wrong sense of an axis makes it."""
    base = random_orientations(1, 8)[0]
    mirror = np.diag([-1.0, 1, 1])
    # a cubic crystal mirrored by the specimen's x is one again, mirrored by its own
    flipped = from_matrix(mirror @ to_matrix(base) @ mirror)
    first, second = (around(q, 8.0, 300, n) for n, q in enumerate((base, flipped)))
    maps = [material(n, turn=turn) for n, turn in enumerate((first, second))]
    found = run(compare_materials(*(grains_of(m, threshold=1.0) for m in maps), draws=199))
    assert rows_of(found)["texture"].differs
    assert not rows_of(found)["grain size"].differs


def test_elongated_grains_are():
    found = run(
        compare_materials(grains_of(material(0)), grains_of(material(1, stretch=1.6)), draws=199)
    )
    rows = rows_of(found)
    assert rows["elongation"].differs


def test_orientations_that_are_dealt_out_again_are():
    """Grains in pairs that differ by 10 degrees have boundaries that a shuffle loses."""
    made = polycrystal_map((140, 140), 300, seed=2)
    grain = made.properties["grain"]
    base = random_orientations(1, 3)[0]
    places = np.array([np.argwhere(grain == g).mean(0) for g in range(300)])
    bent = from_axis_angle(np.array([1.0, 0.3, 0.2]), places[:, 0] * 0.6)
    turns = multiply(around(np.array([1.0, 0, 0, 0]), 6.0, 300, 0), multiply(bent, base))
    shuffled = np.random.default_rng(0).permutation(turns)
    first, second = (
        grains_of(replace(made, quaternions=q[grain]), threshold=2.0) for q in (turns, shuffled)
    )
    rows = rows_of(run(compare_materials(first, second, draws=199)))
    assert rows["boundary misorientation"].differs
    assert not rows["texture"].differs


def test_several_sections_are_pooled_and_volumes_refused():
    volume = polycrystal_map((60, 60, 60), 250, seed=1, periodic=True)
    sections = [grains_of(section_of(volume, 20 * i, axis)) for i in range(3) for axis in range(3)]
    whole = grains_of(volume)
    found = run(compare_materials(sections[:4], sections[4:], draws=99))
    assert found.grains[0] == sum(int(s.counted.sum()) for s in sections[:4])
    assert not rows_of(found)["grain size"].differs
    with pytest.raises(ValueError, match="Take sections of the volume"):
        run(compare_materials(sections[0], whole))
    with pytest.raises(ValueError, match="whole grains"):
        run(compare_materials(grains_of(polycrystal_map((20, 20), 5)), sections[0]))


def test_views_become_equal():
    a = polycrystal_map((100, 80), 60, step=0.5)
    b = polycrystal_map((60, 90), 60, seed=1, step=1.0, periodic=True)
    first, second, notes = equal_views(a, b)
    assert first.shape == (100, 80)
    assert second.shape == (50, 40)
    assert not any(second.periodic)
    assert np.array_equal(second.quaternions, b.quaternions[5:55, 25:65])
    assert second.origin == (5.0, 25.0)
    assert len(notes) == 1  # what was cropped is no longer periodic
    nanometres = replace(b, step=(1000.0, 1000.0), unit="nm")
    assert equal_views(a, nanometres)[1].step == (1.0, 1.0)
    same, also, said = equal_views(b, b)
    assert same.periodic == also.periodic == (True, True)
    assert not said
    with pytest.raises(ValueError, match="take sections"):
        equal_views(a, polycrystal_map((9, 9, 9), 5))


def test_distances_and_corrections():
    a, b = np.array([0.0, 1, 3]), np.array([5.0, 6, 8])
    first = shuffles(np.arange(3), np.arange(3), 500, 0)
    apart, p = wasserstein(a, b, first)
    assert apart == pytest.approx(5.0)
    assert p == pytest.approx(2 / 20, abs=0.05)  # of 20 ways to deal, two are as far apart
    assert first[0].tolist() == [True] * 3 + [False] * 3
    assert (first.sum(axis=1) == 3).all()
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06])
    blocks = shuffles(np.array([0, 0, 1]), np.array([0, 1, 1]), 50, 0)
    assert (blocks[:, 0] == blocks[:, 1]).all()
    assert (blocks[:, 4] == blocks[:, 5]).all()


def test_many_grains_are_shuffled_some_at_a_time(monkeypatch):
    random = np.random.default_rng(3)
    a, b = random.random(40), random.random(25) + 0.1
    first = shuffles(np.arange(40), np.arange(25), 99, 0)

    def all_of_them():
        line, other = a[:, None, None] * np.eye(2), b[:, None, None] * np.eye(2)
        rows = (np.eye(30)[(20 * one).astype(int)] for one in (a, b))
        found = wasserstein(a, b, first), tensors(line, other, first), histograms(*rows, first, 2)
        return np.array(found)

    whole = all_of_them()
    monkeypatch.setattr(permutation, "_CELLS", 200)
    assert all_of_them() == pytest.approx(whole)
    assert whole[0][0] == pytest.approx(stats.wasserstein_distance(a, b))


def test_too_few_grains_to_tell_anything_are_said():
    assert least_chance(np.arange(2), np.arange(2)) == pytest.approx(2 / 6)
    assert least_chance(np.array([0, 0, 1]), np.arange(3)) == pytest.approx(1 / 10)
    few = [grains_of(polycrystal_map((40, 40), 12, seed=i, periodic=True)) for i in range(2)]
    assert "too few patches" in " ".join(run(compare_materials(*few, draws=99)).notes)
    many = [grains_of(material(i)) for i in range(2)]
    assert not run(compare_materials(*many, draws=199)).notes


def test_the_kernel_knows_the_symmetry():
    from napari_orient.analysis.texture.kernel import Kernel
    from napari_orient.crystal.rotations import laue_operators

    q = random_orientations(6, 0)
    made = kernel_matrix(q, "m-3m", 10.0)
    moved = kernel_matrix(multiply(laue_operators("m-3m")[7], q), "m-3m", 10.0)
    assert np.allclose(made, moved)
    assert made[0, 0] == pytest.approx(Kernel(10.0).height / 24, rel=1e-3)
    near = misorientation_angle(q[0], q[1], "m-3m")
    assert made[0, 1] >= Kernel(10.0)(near) / 24 * (1 - 1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Pairs of one material: the ratio of mean diameters is one, and 95 % should hold it."""
    from napari_orient.analysis.validation.permutation import interval
    from napari_orient.analysis.validation.samples import draw_sample

    samples = [draw_sample([grains_of(material(i))], [0], 0.0) for i in range(40)]
    held = 0
    for a, b in zip(samples[:20] + samples[::2], samples[20:] + samples[1::2], strict=True):
        low, high = interval(a.diameter, b.diameter, a.block, b.block, draws=199)
        held += low <= 1 <= high
    assert held >= 36
