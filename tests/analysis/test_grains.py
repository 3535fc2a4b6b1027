"""Grains against partitions that are known, in 2D and 3D, periodic and not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_orient.analysis.grains.config import GrainConfig
from napari_orient.analysis.grains.contacts import contact_extents
from napari_orient.analysis.grains.find import find_grains
from napari_orient.analysis.grains.pixel_maps import (
    grain_reference_deviation,
    kernel_average_misorientation,
)
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    beam_operator,
    from_axis_angle,
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
)
from napari_orient.data.maps import OrientationMap
from napari_orient.data.vendors.open import open_map
from napari_orient.jobs import run
from napari_orient.samples import polycrystal_map

NI, MG = get_phase("Ni"), get_phase("Mg")
ALL = GrainConfig(smallest=1, edge_grains=True)


def found(orientations, config=ALL, **changes):
    return run(find_grains(orientations, config.model_copy(update=changes)))


def mixed(orientations, seed=1):
    """The same crystals, each point by one of its symmetrical equivalents."""
    group = orientations.phases[0].point_group
    operators = laue_operators(group)
    chosen = np.random.default_rng(seed).integers(len(operators), size=orientations.shape)
    return replace(orientations, quaternions=multiply(operators[chosen], orientations.quaternions))


def same_partition(a, b):
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def parts_of(grain, periodic):
    """Connected parts of equal numbers by flooding, one point at a time."""
    label = np.zeros(grain.shape, int)
    count = 0
    for start in np.ndindex(grain.shape):
        if label[start]:
            continue
        count += 1
        label[start] = count
        todo = [start]
        while todo:
            here = todo.pop()
            for axis in range(grain.ndim):
                for step in (-1, 1):
                    near = list(here)
                    near[axis] += step
                    if periodic:
                        near[axis] %= grain.shape[axis]
                    elif not 0 <= near[axis] < grain.shape[axis]:
                        continue
                    near = tuple(near)
                    if not label[near] and grain[near] == grain[here]:
                        label[near] = count
                        todo.append(near)
    return label


@pytest.mark.parametrize("phase", ["Ni", "Mg"])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(48, 61), (17, 20, 23)])
def test_a_voronoi_polycrystal_is_parted_exactly(shape, periodic, phase):
    made = polycrystal_map(shape, 40, phase, seed=3, periodic=periodic)
    grains = found(mixed(made))
    assert same_partition(grains.labels, parts_of(made.properties["grain"], periodic))
    truth = made.quaternions.reshape(-1, 4)[
        np.unique(grains.labels, return_index=True)[1]
    ]  # of the first point of each
    off = misorientation_angle(grains.means, truth, made.phases[0].point_group)
    assert off.max() < 1e-6
    assert np.nanmax(grain_reference_deviation(grains)) < 1e-5
    assert grains.table["size"].sum() == np.prod(shape)
    assert grains.table["edge"].any() != periodic


def test_a_grain_across_the_border_has_its_own_place_and_size():
    """The centroid follows when everything is moved round the box."""
    made = polycrystal_map((40, 50), 12, seed=5, periodic=True, step=0.5)
    grains = found(made)
    moved = replace(made, quaternions=np.roll(made.quaternions, (13, 29), axis=(0, 1)))
    other = found(moved)
    box = np.array([20.0, 25.0])
    for i in range(len(grains)):
        y, x = np.argwhere(grains.labels == i + 1)[0]
        j = other.labels[(y + 13) % 40, (x + 29) % 50] - 1
        before = np.array([grains.table["y"][i], grains.table["x"][i]])
        expected = (before + np.array([6.5, 14.5])) % box
        there = np.array([other.table["y"][j], other.table["x"][j]])
        apart = np.abs(there - expected)
        assert np.minimum(apart, box - apart).max() < 1e-9
        for name in ("size", "aspect_ratio", "perimeter", "neighbours", "diameter"):
            assert np.isclose(grains.table[name][i], other.table[name][j]), name


@pytest.mark.parametrize("shape", [(40, 50), (14, 16, 18)])
@pytest.mark.parametrize("repeats", [(True, True, True), (False, True, True)])
def test_a_periodic_map_may_begin_anywhere(shape, repeats):
    """Rolled along the axes on which it is periodic, all that is measured stays."""
    axes = tuple(range(len(shape)))
    periodic, turn = repeats[: len(shape)], np.where(repeats, (5, 13, 7), 0)[: len(shape)]
    step = (1.0, 2.0, 1.5)[: len(shape)]
    made = replace(polycrystal_map(shape, 15, seed=2, periodic=True), periodic=periodic, step=step)
    q = np.roll(made.quaternions, turn, axes)
    first, second = found(made), found(replace(made, quaternions=q, properties={}))
    ids = second.labels.ravel()[np.unique(np.roll(first.labels, turn, axes), return_index=True)[1]]
    for name in first.table.keys() - {"id", "phi1", "Phi", "phi2"}:
        one, other = first.table[name], second.table[name][ids - 1]
        if name in made.axes:
            axis = made.axes.index(name)
            one = one + turn[axis] * step[axis]
            if periodic[axis]:
                box = shape[axis] * step[axis]
                other = one + (other - one + box / 2) % box - box / 2
        np.testing.assert_allclose(other, one, atol=1e-6, err_msg=name)


def test_a_layer_round_the_whole_box_has_no_centre_along_it():
    grain = np.zeros((12, 10), int)
    grain[3:6] = 1
    q = random_orientations(2, 0)
    made = OrientationMap(q[grain], {0: NI}, periodic=(True, True))
    grains = found(made)
    assert len(grains) == 2
    assert np.isnan(grains.table["x"]).all()
    assert "reach round" in " ".join(grains.notes)


def ellipses(shape, axes, turn, step):
    """One ellipse (ellipsoid) in a box of another orientation."""
    points = (np.indices(shape).reshape(len(shape), -1).T + 0.5) * step
    centre = np.array(shape) * step / 2 + 0.123
    inside = (((points - centre) @ turn.T / axes) ** 2).sum(1) < 1
    return inside.reshape(shape).astype(int)


@pytest.mark.parametrize("angle", [0.0, 25.0, 90.0, 140.0])
def test_an_ellipse_has_its_size_ratio_and_axis(angle):
    step = np.array([0.5, 0.5])
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[s, c], [c, -s]])  # rows: the long axis (y, x), then the short one
    grain = ellipses((160, 160), np.array([30.0, 12.0]), turn, step)
    made = OrientationMap(random_orientations(2, 0)[grain], {0: NI}, step=tuple(step))
    grains = found(made, smallest=10)
    i = grains.labels[80, 80] - 1
    assert grains.table["area"][i] == pytest.approx(np.pi * 30 * 12, rel=0.01)
    assert grains.table["diameter"][i] == pytest.approx(2 * np.sqrt(360), rel=0.01)
    assert grains.table["aspect_ratio"][i] == pytest.approx(2.5, rel=0.01)
    off = (grains.table["axis"][i] - angle + 90) % 180 - 90
    assert abs(off) < 0.5
    around = np.pi * (3 * 42 - np.sqrt((3 * 30 + 12) * (30 + 3 * 12)))  # Ramanujan
    assert grains.table["perimeter"][i] == pytest.approx(around, rel=0.04)


def test_an_ellipsoid_has_its_size_and_ratio():
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    step = np.array([0.5, 0.4, 0.4])
    axes = np.array([16.0, 9.0, 8.0])
    grain = ellipses((72, 90, 90), axes, turn, step)
    made = OrientationMap(random_orientations(2, 0)[grain], {0: NI}, step=tuple(step))
    grains = found(made, smallest=10)
    i = grains.labels[36, 45, 45] - 1
    volume = 4 / 3 * np.pi * axes.prod()
    assert grains.table["volume"][i] == pytest.approx(volume, rel=0.01)
    assert grains.table["diameter"][i] == pytest.approx(2 * np.cbrt(axes.prod()), rel=0.01)
    assert grains.table["aspect_ratio"][i] == pytest.approx(2.0, rel=0.01)
    axis = np.array([grains.table[f"axis_{n}"][i] for n in "zyx"])
    assert abs(axis @ turn[0]) > 0.999
    p = 1.6075  # Thomsen's approximation is good to 1 %
    a, b, c = axes**p
    surface = 4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / p)
    assert grains.table["surface"][i] == pytest.approx(surface, rel=0.02)


def test_boundaries_of_a_voronoi_map_are_as_long_as_the_cells():
    """The length of a Poisson-Voronoi mosaic is 2 sqrt(density) per area."""
    made = polycrystal_map((512, 512), 300, seed=2, periodic=True)
    grains = found(made)
    length = grains.contacts.extent.sum() / 512**2
    assert length == pytest.approx(2 * np.sqrt(300 / 512**2), rel=0.02)
    assert grains.table["perimeter"].sum() == pytest.approx(2 * grains.contacts.extent.sum())
    assert grains.table["neighbours"].mean() == pytest.approx(6, abs=0.1)  # Euler


def test_spread_and_local_misorientation_of_a_bent_crystal():
    """A crystal that turns by 0.2 degrees a column: KAM counts along x, and not along y."""
    q = from_axis_angle(np.array([0.0, 0, 1]), 0.2 * np.arange(21.0))
    made = OrientationMap(np.broadcast_to(q, (10, 21, 4)), {0: NI})
    grains = found(made)
    assert len(grains) == 1
    assert grains.table["gos"][0] == pytest.approx(
        0.2 * np.abs(np.arange(21) - 10).mean(), rel=1e-6
    )
    assert grain_reference_deviation(grains)[3, 0] == pytest.approx(2.0, rel=1e-6)
    kam = run(kernel_average_misorientation(made))
    assert kam[4, 10] == pytest.approx(0.1)
    assert kam[0, 0] == pytest.approx(0.1)
    second = run(kernel_average_misorientation(made, order=2))
    assert second[5, 10] == pytest.approx((2 * 0.2 + 2 * 0.4 + 4 * 0.2) / 12)
    with pytest.raises(ValueError, match="1 or more"):
        run(kernel_average_misorientation(made, order=0))


def test_the_threshold_is_what_parts():
    q = from_axis_angle(np.array([0.0, 0, 1]), np.where(np.arange(20) < 8, 0.0, 6.0))
    made = OrientationMap(np.broadcast_to(q, (6, 20, 4)), {0: NI})
    assert len(found(made, threshold=5.0)) == 2
    assert len(found(made, threshold=7.0)) == 1


def test_half_turns_about_the_beam_split_nothing_when_asked():
    made = polycrystal_map((40, 40), 8, "LiNiO2", seed=1)
    turned = np.random.default_rng(0).random(made.shape) < 0.3
    flipped = replace(
        made,
        quaternions=np.where(
            turned[..., None], multiply(made.quaternions, beam_operator()), made.quaternions
        ),
    )
    assert len(found(flipped)) > 100
    grains = found(flipped, modulo_beam=True)
    assert same_partition(grains.labels, parts_of(made.properties["grain"], False))
    first = np.unique(grains.labels, return_index=True)[1]
    truth = made.quaternions.reshape(-1, 4)[first]
    off = misorientation_angle(grains.means, truth, made.phases[0].point_group)
    assert off.max() < 1e-6  # the side of most points
    assert grains.table["gos"].max() < 1e-5


def block_map(phase, inner, **fields):
    """A crystal with another one inside."""
    grain = np.zeros((20, 20), int)
    grain[8:12, 5:15] = 1
    base = random_orientations(1, 4)[0]
    q = np.array([base, multiply(inner, base)])
    return OrientationMap(q[grain], {0: phase}, **fields), grain


@pytest.mark.parametrize(
    ("phase", "axis", "angle", "law", "other"),
    [
        (NI, (1.0, 1, 1), 60.0, "sigma 3", "sigma 9"),
        (NI, (1.0, 1, 1), 60.0, "60 [111]", "60 [110]"),
        (MG, (1.0, 0, 0), 86.3, "{10-12}", "{10-11}"),
        (MG, (1.0, 0, 0), 86.3, "86.3 [2-1-10]", "64 [2-1-10]"),
    ],
)
def test_twins_are_merged_by_their_law_alone(phase, axis, angle, law, other):
    made, _ = block_map(phase, from_axis_angle(np.array(axis), angle))
    assert len(found(made)) == 2
    assert len(found(made, merge_twins=(other,))) == 2
    grains = found(made, merge_twins=(law,))
    assert len(grains) == 1
    assert grains.table["parts"][0] == 2
    off = misorientation_angle(grains.means[0], made.quaternions[0, 0], phase.point_group)
    assert off < 1e-6  # of the larger one
    assert np.isnan(grain_reference_deviation(grains)[10, 10])


def test_twins_are_merged_whichever_way_their_patterns_were_read():
    twin = from_axis_angle(np.array([1.0, 0, 0]), 86.3)
    made, grain = block_map(MG, twin)
    turned = multiply(made.quaternions, beam_operator())
    read = replace(made, quaternions=np.where(grain[..., None] == 1, turned, made.quaternions))
    assert len(found(read, merge_twins=("{10-12}",))) == 2
    assert len(found(read, merge_twins=("{10-12}",), modulo_beam=True)) == 1


def test_a_law_that_no_phase_has_is_refused():
    made, _ = block_map(MG, from_axis_angle(np.array([1.0, 0, 0]), 50.0))
    with pytest.raises(ValueError, match="sigma 3"):
        found(made, merge_twins=("sigma 3",))


def test_small_grains_are_left_out_or_merged():
    made, grain = block_map(NI, from_axis_angle(np.array([1.0, 0, 0]), 30.0))
    left = found(made, smallest=50)
    assert len(left) == 1
    assert (left.labels[grain == 1] == 0).all()
    merged = found(made, smallest=50, small="merge")
    assert (merged.labels == 1).all()
    off = misorientation_angle(merged.means[0], made.quaternions[0, 0], NI.point_group)
    assert off < 1e-6
    assert merged.table["gos"][0] < 1e-6
    assert merged.table["parts"][0] == 1


def test_noise_is_merged_round_by_round():
    """Every point its own grain but for one block: all of it joins."""
    made = polycrystal_map((30, 30), 900, seed=0)
    q = made.quaternions.copy()
    q[5:15, 5:15] = q[5, 5]
    grains = found(replace(made, quaternions=q), smallest=40, small="merge")
    assert grains.labels.min() == 1
    assert grains.table["size"].min() >= 40


def test_gaps_stay_out_or_are_filled():
    made, _ = block_map(NI, from_axis_angle(np.array([1.0, 0, 0]), 30.0))
    phase_id = made.phase_id.copy()
    phase_id[:, 9] = -1
    gap = replace(made, phase_id=phase_id)
    apart = found(gap)
    assert (apart.labels[:, 9] == 0).all()
    assert len(apart) == 4
    assert "5.0 % of the points are not indexed" in " ".join(apart.notes)
    filled = found(gap, fill=2)
    assert filled.labels.min() == 1
    assert filled.table["size"].sum() == 400


def test_a_periodic_gap_is_filled_across_the_border():
    made = polycrystal_map((20, 20), 4, seed=1, periodic=True)
    phase_id = made.phase_id.copy()
    phase_id[0] = -1
    grains = found(replace(made, phase_id=phase_id), fill=1)
    below = grains.labels[1] == grains.labels[0]
    above = grains.labels[-1] == grains.labels[0]
    assert (below | above).all()


def test_a_limit_takes_points_out():
    made, grain = block_map(NI, from_axis_angle(np.array([1.0, 0, 0]), 30.0))
    made.properties["CI"] = np.where(grain == 1, 0.05, 0.9)
    assert len(found(made, least={"CI": 0.1})) == 1
    with pytest.raises(ValueError, match="no property 'Q'"):
        found(made, least={"Q": 1.0})


def test_edge_grains_do_not_count_unless_asked():
    made, _ = block_map(NI, from_axis_angle(np.array([1.0, 0, 0]), 30.0))
    grains = found(made, edge_grains=False)
    assert grains.counted.tolist() == [False, True]
    facts = grains.summary()
    assert facts["n_grains"] == 2
    assert facts["n_counted"] == 1
    assert facts["mean_diameter"] == pytest.approx(2 * np.sqrt(40 / np.pi))
    assert "left out" in " ".join(facts["notes"])


def test_grains_at_a_margin_that_is_not_indexed_are_cut_by_it():
    made = polycrystal_map((60, 60), 60, seed=2)
    phase_id = made.phase_id.copy()
    phase_id[:8] = phase_id[:, -8:] = -1
    phase_id[30, ::2] = -1  # not indexed here and there: no margin
    grains = found(replace(made, phase_id=phase_id), edge_grains=False)
    touching = set(grains.labels[8]) | set(grains.labels[:, 51]) | set(grains.labels[-1])
    touching |= set(grains.labels[:, 0])
    flagged = set(np.flatnonzero(grains.table["edge"]) + 1)
    assert touching - {0} <= flagged
    assert flagged < set(range(1, len(grains) + 1))
    inner = set(np.unique(grains.labels[12:48, 3:45])) - touching - {0}
    assert inner
    assert not inner & flagged


def test_two_phases_of_different_symmetry():
    made = polycrystal_map((30, 30), 6, "Ni", seed=4)
    phase_id = np.zeros((30, 30), int)
    phase_id[:, 15:] = 1
    both = OrientationMap(made.quaternions, {0: NI, 1: MG}, phase_id)
    grains = found(both)
    for i in range(len(grains)):
        assert len(np.unique(phase_id[grains.labels == i + 1])) == 1
    assert grains.summary()["phases"] == pytest.approx({NI.name: 0.5, MG.name: 0.5})
    a, b = grains.table["phase"][grains.contacts.pairs - 1].T
    assert np.isnan(grains.contacts.angle[a != b]).all()
    assert np.isfinite(grains.contacts.angle[a == b]).all()


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (1, 12, 12)])
@pytest.mark.parametrize("periodic", [False, True])
def test_thin_maps(shape, periodic):
    q = np.broadcast_to(random_orientations(1, 0)[0], (*shape, 4)).copy()
    step = (1.0,) * len(shape)
    made = OrientationMap(q, {0: NI}, step=step, periodic=(periodic,) * len(shape))
    grains = found(made)
    assert len(grains) == 1
    assert grains.table["size"][0] == np.prod(shape)
    assert np.isfinite(run(kernel_average_misorientation(made))).any() == (np.prod(shape) > 1)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(
    ("shape", "step", "length"),
    [((1, 40), (3.0, 0.5), 3.0), ((40, 1), (0.5, 3.0), 3.0), ((1, 1, 40), (2.0, 3.0, 0.5), 6.0)],
)
def test_boundaries_of_a_single_row_cross_it(shape, step, length, periodic):
    turn = from_axis_angle(np.array([0.0, 0, 1]), np.where(np.arange(40) < 10, 0.0, 20.0))
    made = OrientationMap(
        turn.reshape(*shape, 4), {0: NI}, step=step, periodic=(periodic,) * len(shape)
    )
    grains = found(made)
    name = "perimeter" if len(shape) == 2 else "surface"
    assert grains.table[name] == pytest.approx(length * (1 + periodic))


def test_one_section_of_a_volume_has_the_boundaries_of_its_map():
    flat = polycrystal_map((40, 50), 12, seed=5)
    thin = replace(
        flat, quaternions=flat.quaternions[None], phase_id=None, done=None, properties={},
        step=(3.0, 1.0, 1.0), origin=(), periodic=(),
    )  # fmt: skip
    lengths, areas = found(flat).contacts.extent, found(thin).contacts.extent
    np.testing.assert_allclose(areas, 3 * lengths)


def test_pairs_of_many_grains_are_not_mixed_up():
    """Each point its own grain: codes of pairs are far above 32 bits."""
    labels = np.arange(1, 300 * 300 + 1, dtype=np.int32).reshape(300, 300)
    pairs, _ = contact_extents(labels, (1.0, 1.0), (False, False))
    sideways = np.stack([labels[:, :-1], labels[:, 1:]], axis=-1).reshape(-1, 2)
    downwards = np.stack([labels[:-1], labels[1:]], axis=-1).reshape(-1, 2)
    expected = np.concatenate([sideways, downwards])
    assert np.array_equal(pairs, expected[np.lexsort(expected.T[::-1])])


def test_a_lattice_without_the_symmetry_is_told():
    """A monoclinic crystal with unique axis b: the diad of orix's 2/m is along c."""
    from diffpy.structure import Lattice, Structure
    from orix.crystal_map import Phase

    q = random_orientations(1, 0)[0]
    for angles, strange in (((90, 100, 90), True), ((90, 90, 100), False)):
        cell = Structure(lattice=Lattice(4, 5, 6, *angles))
        phase = Phase("M", point_group="2/m", structure=cell)
        made = OrientationMap(np.broadcast_to(q, (5, 5, 4)), {0: phase})
        said = " ".join(found(made).notes)
        assert ("does not have the symmetry 2/m" in said) == strange


def test_nothing_indexed_and_nan():
    made = polycrystal_map((10, 10), 3)
    empty = found(replace(made, phase_id=np.full((10, 10), -1)))
    assert len(empty) == 0
    assert empty.summary()["mean_diameter"] is None
    assert "nothing is indexed" in empty.notes[0]
    broken = made.quaternions.copy()
    broken[2, 2] = np.nan
    grains = found(replace(made, quaternions=broken))
    assert grains.labels[2, 2] == 0
    assert np.isfinite(grains.means).all()
    assert "No grains of 1000 points" in found(made, smallest=1000).notes[0]


def test_a_phase_without_symmetry_is_refused_in_words():
    from orix.crystal_map import Phase

    made = OrientationMap(random_orientations(4, 0).reshape(2, 2, 4), {0: Phase("X")})
    with pytest.raises(ValueError, match="no point group"):
        found(made)


# 5 degrees, 5 points: counts and diameters (px) of a flood fill by another program; CI > 0.05 for
# nickel and CI > 0.1 for IN100
REAL = [
    ("ni_edax/EdaxAngOnly.h5", None, {"CI": 0.05}, 302, 17.95),
    ("in100/in100_slices_1_2.h5ebsd", 0, {"CI": 0.1}, 222, 17.25),
    ("in100/in100_slices_1_2.h5ebsd", 1, {"CI": 0.1}, 229, 17.20),
    ("copper/copperSquare.crc", None, {}, 750, 25.66),
    ("ti64/Ti64-200x200.ang", None, {}, 355, 16.95),
    ("mg_twins/twins.ctf", None, {}, 83, 32.33),
]


@pytest.mark.parametrize(("file", "index", "least", "count", "diameter"), REAL)
def test_real_maps_have_the_grains_of_a_flood_fill(
    shared_data, file, index, least, count, diameter
):
    from napari_orient.data.sections import section_of

    opened = section_of(open_map(shared_data / file), index or 0)
    grains = found(opened, smallest=5, least=least)
    facts = grains.summary()
    assert facts["n_grains"] == count
    weighted = facts["area_weighted_diameter"] / np.sqrt(np.prod(opened.step))
    assert weighted == pytest.approx(diameter, abs=0.01)
