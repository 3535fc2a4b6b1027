"""Rotations: agreement with orix, symmetry on the crystal side, finite gradients."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from orix.crystal_map import Phase
from orix.quaternion import Orientation, Rotation, symmetry

from napari_orient.crystal import quaternions
from napari_orient.crystal import rotations as r

ORDERS = {
    "-1": 1, "2/m": 2, "mmm": 4, "-3": 3, "-3m": 6, "4/m": 4, "4/mmm": 8, "6/m": 6, "6/mmm": 12,
    "m-3": 12, "m-3m": 24,
}  # fmt: skip
PAIRS = [(g, g) for g in ORDERS] + [("m-3m", "6/mmm"), ("-3m", "2/m"), ("mmm", "4/m")]


def point_group(name):
    return Phase(point_group=name).point_group


def awkward(name="m-3m"):
    """Identity, half turns, the operators, gimbal lock, and the borders of the zone of a group."""
    axes = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -1, 0), (1, 1, 1), (-1, 2, 3)]
    turns = [r.from_axis_angle(np.array(axes, float), float(t)) for t in (180, 90, 60, 120, 1e-6)]
    operators = r.laue_operators(name)
    axis, angle = r.to_axis_angle(operators)
    borders = r.from_axis_angle(axis, angle / 2)  # halfway to an equivalent of the identity
    corners = r.multiply(borders[:, None], borders[None]).reshape(-1, 4)
    euler = [
        (20, 0, 30),
        (20, 180, 30),
        (0, 180, 0),
        (350, 1e-7, 20),
        (1, 180 - 1e-7, 2),
        (0, 0, 0),
    ]
    locked = r.from_euler(np.array(euler, float))
    return np.concatenate([np.eye(4), -np.eye(4), *turns, operators, borders, corners, locked])


def all_kinds(name, seed=0):
    return np.concatenate([awkward(name), r.random_orientations(300, seed)])


def smallest_angle(a, b, group_a, group_b, beam=False):
    """By orix's operators and matrices, all products, in radians: nothing of ours."""
    sa, sb = (point_group(g).laue.proper_subgroup for g in (group_a, group_b))
    beams = [(1, 0, 0, 0), (0, 0, 0, 1)] if beam else [(1, 0, 0, 0)]
    best = np.full(len(a), np.inf)
    for lab in beams:
        between = (Rotation(a) * Rotation(lab) * ~Rotation(b)).to_matrix()
        for x in Rotation(sa.data).to_matrix():
            for y in Rotation(sb.data).to_matrix():
                m = x @ between @ y.T
                skew = m - m.transpose(0, 2, 1)
                sine = np.linalg.norm(skew[:, [0, 0, 1], [1, 2, 2]], axis=1) / 2
                cosine = (np.trace(m, axis1=1, axis2=2) - 1) / 2
                best = np.minimum(best, np.arctan2(sine, cosine))
    return best


def same_crystal(a, b, name):
    """Largest angle (degrees) between a and the nearest equivalent of b, by orix's operators."""
    return np.degrees(smallest_angle(a, b, name, name)).max()


# ---- ways to write a rotation


def test_products_agree_with_orix():
    a, b = r.random_orientations(500, 0), r.random_orientations(500, 1)
    vectors = np.random.default_rng(2).normal(size=(500, 3))
    np.testing.assert_allclose(r.multiply(a, b), (Rotation(a) * Rotation(b)).data, atol=1e-14)
    np.testing.assert_allclose(r.conjugate(a), (~Rotation(a)).data, atol=1e-15)
    np.testing.assert_allclose(r.to_matrix(a), Rotation(a).to_matrix(), atol=1e-14)
    matrices = Rotation(a).to_matrix()
    np.testing.assert_allclose(
        r.rotate(a, vectors), (matrices @ vectors[..., None])[..., 0], atol=1e-14
    )


def test_euler_angles_agree_with_orix():
    q = r.random_orientations(5000, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Rotation(q).to_euler(degrees=True)
    difference = (r.to_euler(q) - theirs + 180) % 360 - 180
    assert np.abs(difference).max() < 1e-6
    angles = np.random.default_rng(1).uniform(-400, 400, (5000, 3))
    expected = Rotation.from_euler(angles, degrees=True).data
    np.testing.assert_allclose(r.from_euler(angles), expected, atol=1e-13)


def test_euler_angles_at_gimbal_lock():
    angles = np.array([(77, 0, 11), (0, 0, 0), (30, 180, 50), (30, 180, 0), (359, 180, 1)], float)
    q = Rotation.from_euler(angles, degrees=True).data
    back = r.to_euler(q)
    # orix 0.15 returns (330, 180, 0) for (30, 180, 0): compare by what the angles mean
    assert np.abs(Rotation.from_euler(back, degrees=True).to_matrix() - r.to_matrix(q)).max() < 1e-9
    expected = np.array([(88, 0, 0), (0, 0, 0), (340, 180, 0), (30, 180, 0), (358, 180, 0)])
    np.testing.assert_allclose(back, expected, atol=1e-6)


def test_every_way_goes_round():
    q = r.normalise(np.concatenate([all_kinds("m-3m"), all_kinds("6/mmm", 1)]))
    turned = r.to_euler(q)
    assert (turned >= 0).all()
    assert (turned < 360).all()
    assert (turned[:, 1] <= 180).all()
    for again in (
        r.from_euler(turned),
        r.from_matrix(r.to_matrix(q)),
        r.from_axis_angle(*r.to_axis_angle(q)),
        r.from_6d(r.to_6d(q)),
    ):
        assert np.abs(r.to_matrix(again) - r.to_matrix(q)).max() < 1e-8


def test_axis_and_angle_agree_with_orix():
    q = r.random_orientations(2000, 0)
    axis, angle = r.to_axis_angle(-q)
    np.testing.assert_allclose(np.radians(angle), Rotation(q).angle, atol=1e-9)
    np.testing.assert_allclose(axis, Rotation(q).axis.data, atol=1e-9)
    expected = Rotation.from_axes_angles(axis, np.radians(angle)).data
    np.testing.assert_allclose(r.from_axis_angle(3 * axis, angle), expected, atol=1e-12)
    axis, angle = r.to_axis_angle(np.array([1.0, 0, 0, 0]))
    assert angle == 0
    assert axis.tolist() == [0, 0, 1]


def test_matrices_agree_with_orix():
    q = r.random_orientations(2000, 0)
    m = Rotation(q).to_matrix()
    np.testing.assert_allclose(r.from_matrix(m), q, atol=1e-14)
    # orix sets squares of components below 1e-9 / 4 to zero
    plain = (np.abs(q) > 2e-5).all(axis=1)
    assert plain.mean() > 0.99
    assert np.abs(r.from_matrix(m) - Rotation.from_matrix(m).data)[plain].max() < 1e-9
    small = r.normalise(np.array([(1, 1e-6, 0, 2e-5), (1e-6, 1, 1e-7, 0), (3e-7, 0, 1e-9, 1.0)]))
    np.testing.assert_allclose(r.from_matrix(r.to_matrix(small)), small, atol=1e-15)


def test_six_numbers_need_not_be_orthonormal():
    q = r.random_orientations(100, 0)
    m = r.to_matrix(q)
    x, y = 3 * m[..., 0], m[..., 1] + 0.7 * m[..., 0]
    np.testing.assert_allclose(r.from_6d(np.concatenate([x, y], -1)), q, atol=1e-12)
    odd = np.array(
        [(0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (1, 0, 0, 0, 0, 0), (1, 1, 0, 2, 2, 0.0)]
    )
    np.testing.assert_allclose(np.linalg.det(r.to_matrix(r.from_6d(odd))), 1, atol=1e-12)


def test_tiny_and_zero_quaternions():
    tiny = r.normalise(np.array([(3e-200, 0, 4e-200, 0), (0, 0, 0, 0)]))
    np.testing.assert_allclose(tiny[0], (0.6, 0, 0.8, 0))
    assert np.isnan(tiny[1]).all()


# ---- symmetry


@pytest.mark.parametrize("name", ORDERS)
def test_operators_are_those_of_orix(name):
    ours, theirs = r.laue_operators(name), point_group(name).laue.proper_subgroup.data
    assert len(ours) == len(theirs) == ORDERS[name]
    assert (np.abs(ours @ theirs.T) > 1 - 1e-12).sum(axis=1).tolist() == [1] * len(ours)
    assert ours[0].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-15)
    assert r.LAUE_GROUPS == tuple(ORDERS)


def test_point_groups_have_the_operators_of_their_laue_class():
    for group, laue in {
        "432": "m-3m",
        "23": "m-3",
        "3": "-3",
        "mm2": "mmm",
        "-6m2": "6/mmm",
    }.items():
        np.testing.assert_array_equal(r.laue_operators(group), r.laue_operators(laue))
    np.testing.assert_array_equal(r.laue_operators(symmetry.Td), r.laue_operators("m-3m"))
    # settings keep their axes, though the Laue class has one name
    assert np.abs(r.laue_operators("121")[1]).tolist() == [0, 0, 1, 0]
    assert np.abs(r.laue_operators("2/m")[1]).tolist() == [0, 0, 0, 1]
    a = r.from_axis_angle(np.array([1.0, 0, 0]), 180.0)
    assert r.misorientation_angle(a, np.array([1.0, 0, 0, 0]), "321") < 1e-12
    assert r.misorientation_angle(a, np.array([1.0, 0, 0, 0]), "312") == pytest.approx(60)


def test_unknown_groups_are_named():
    with pytest.raises(ValueError, match="'bla' is not known"):
        r.laue_operators("bla")
    with pytest.raises(ValueError, match="no point group"):
        r.misorientation(np.eye(4), np.eye(4), None)
    with pytest.raises(ValueError, match="not those of its name"):
        r.misorientation(np.eye(4), np.eye(4), symmetry.D3y.laue)
    with pytest.raises(ValueError, match="read-only"):
        r.laue_operators("m-3m")[0] = 0


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_misorientation_agrees_with_orix(first, second):
    a, b = all_kinds(first, 1), all_kinds(second, 2)
    a = np.concatenate([a, a[: len(b)]])[: len(b)]
    b = b[: len(a)]
    angle = r.misorientation(a, b, first, second).angle
    np.testing.assert_allclose(angle, r.misorientation_angle(a, b, first, second), rtol=1e-12)
    assert np.abs(np.radians(angle) - smallest_angle(a, b, first, second)).max() < 1e-6
    if first == second:
        theirs = Orientation(a, symmetry=point_group(first)).angle_with(
            Orientation(b, symmetry=point_group(first))
        )
        # its arccos loses half of the digits near zero: radians
        assert np.abs(np.radians(angle) - theirs).max() < 1e-6
        beam = r.misorientation_angle(a, b, first, modulo_beam=True)
        assert np.abs(np.radians(beam) - smallest_angle(a, b, first, first, True)).max() < 1e-6


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("exchange", [True, False])
def test_axis_and_angle_are_one_of_the_equivalents(first, second, exchange):
    a, b = r.random_orientations(60, 1), r.random_orientations(60, 2)
    a[:20] = r.multiply(r.multiply(r.laue_operators(first)[-1:], b[:20]), awkward(first)[14:34])
    angle, axis = r.misorientation(a, b, first, second, exchange=exchange)
    np.testing.assert_allclose(np.linalg.norm(axis, axis=1), 1, atol=1e-12)
    sa, sb = r.laue_operators(first), r.laue_operators(second)
    between = r.multiply(a, r.conjugate(b))[:, None, None]
    all_of_them = r.multiply(r.multiply(sa[:, None], between), r.conjugate(sb)).reshape(60, -1, 4)
    given = r.from_axis_angle(axis, angle)[:, None]
    dots = np.abs((given * all_of_them).sum(-1)).max(1)
    if exchange and first == second:
        swapped = np.abs((r.conjugate(given) * all_of_them).sum(-1)).max(1)
        dots = np.maximum(dots, swapped)
    np.testing.assert_allclose(dots, 1, atol=1e-12)


@pytest.mark.parametrize("name", ["mmm", "4/mmm", "6/mmm", "m-3m"])
def test_axes_lie_in_the_standard_triangle(name):
    a, b = r.random_orientations(500, 1), r.random_orientations(500, 2)
    axis = r.misorientation(a, b, name).axis
    normals = point_group(name).fundamental_sector.unit.data.reshape(-1, 3)
    assert (axis @ normals.T > -1e-9).all()
    operators = r.laue_operators(name)[np.random.default_rng(0).integers(0, ORDERS[name], 500)]
    np.testing.assert_allclose(
        r.misorientation(b, -r.multiply(operators, a), name).axis, axis, atol=1e-9
    )


def test_known_twins():
    identity = np.array([1.0, 0, 0, 0])
    sigma3 = r.from_axis_angle(np.array([1.0, 1, -1]), 60.0)
    angle, axis = r.misorientation(sigma3, identity, "m-3m")
    assert angle == pytest.approx(60, abs=1e-12)
    np.testing.assert_allclose(axis, np.full(3, 3**-0.5), atol=1e-12)
    c_over_a = 1.6236  # magnesium: {10-12} twins, 86.3 degrees about <11-20>
    twin = r.from_axis_angle(np.array([1.0, 0, 0]), 2 * np.degrees(np.arctan(c_over_a / 3**0.5)))
    angle, axis = r.misorientation(twin, identity, "6/mmm")
    assert angle == pytest.approx(86.3, abs=0.1)
    assert abs(axis[2]) < 1e-12


@pytest.mark.parametrize("name", [g for g in ORDERS if g != "-1"])
def test_symmetry_acts_on_the_crystal_side(name):
    q = r.random_orientations(50, 0)
    group = point_group(name)
    for s in group.proper_subgroup.data[1:]:
        crystal, lab = r.multiply(s, q), r.multiply(q, s)
        assert r.misorientation_angle(crystal, q, name).max() < 1e-6
        assert same_crystal(crystal, q, name) < 1e-5
        # the wrong side: another crystal, and so it is for orix
        assert r.misorientation_angle(lab, q, name).max() > 10
        wrong = Orientation(lab, symmetry=group).angle_with(Orientation(q, symmetry=group))
        assert np.degrees(wrong.max()) > 10
        zone = r.reduce_to_fundamental_zone
        np.testing.assert_allclose(zone(crystal, name), zone(q, name), atol=1e-12)
        assert np.abs(zone(lab, name) - zone(q, name)).max() > 0.1


def test_small_angles_keep_their_digits():
    q = r.random_orientations(200, 0)
    for degrees in (1e-3, 1e-7, 1e-11):
        little = r.from_axis_angle(np.array([1.0, 2, -2]), degrees)
        angle = r.misorientation_angle(r.multiply(q, little), -q, "m-3m")
        np.testing.assert_allclose(angle, degrees, atol=1e-13)


@pytest.mark.parametrize("name", ORDERS)
def test_fundamental_zone_agrees_with_orix(name):
    q = r.normalise(all_kinds(name))
    reduced = r.reduce_to_fundamental_zone(q, name)
    group = point_group(name)
    theirs = Orientation(q, symmetry=group).reduce().data
    assert np.abs(r.to_axis_angle(reduced)[1] - r.to_axis_angle(theirs)[1]).max() < 1e-6
    assert np.abs(reduced[:, 0] - np.abs(theirs[:, 0])).max() < 1e-9
    assert np.radians(same_crystal(reduced, q, name)) < 1e-6
    assert (reduced[:, 0] >= -1e-10).all()


@pytest.mark.parametrize("name", ORDERS)
def test_one_representative_for_all_equivalents(name):
    q = r.normalise(all_kinds(name))
    reduced = r.reduce_to_fundamental_zone(q, name)
    np.testing.assert_allclose(r.reduce_to_fundamental_zone(reduced, name), reduced, atol=1e-9)
    for s in r.laue_operators(name):
        for sign in (1, -1):
            again = r.reduce_to_fundamental_zone(sign * r.multiply(s, q), name)
            np.testing.assert_allclose(again, reduced, atol=1e-9)


@pytest.mark.parametrize("name", ORDERS)
def test_the_nearest_equivalent_is_one_and_at_the_smallest_angle(name):
    q, target = r.random_orientations(200, 5), r.random_orientations(200, 6)
    near = r.nearest_equivalent(q, target, name)
    assert same_crystal(near, q, name) < 1e-9
    apart = r.to_axis_angle(r.multiply(near, r.conjugate(target)))[1]
    np.testing.assert_allclose(apart, r.misorientation_angle(q, target, name), atol=1e-9)


def test_mackenzie():
    """Mackenzie, Biometrika 45 (1958) 229: random cubic pairs."""
    n = 100_000
    angle = r.misorientation_angle(r.random_orientations(n, 1), r.random_orientations(n, 2), "m-3m")
    assert angle.mean() == pytest.approx(40.736, abs=0.15)  # 4 standard errors
    largest = 2 * np.degrees(np.arccos((2 + 2**0.5) / 4))
    assert largest == pytest.approx(62.80, abs=0.005)
    assert largest - 0.5 < angle.max() <= largest + 1e-9
    edges = np.arange(5.0, 46, 5)  # up to 45 degrees no two equivalents meet
    t = np.radians(edges)
    expected = n * np.diff(24 / np.pi * (t - np.sin(t)))
    found = np.histogram(angle, edges)[0]
    assert ((found - expected) ** 2 / expected).sum() < 26  # chi-square, 8 bins: 0.1 %


def test_random_orientations_are_uniform():
    q = r.random_orientations(100_000, 3)
    np.testing.assert_array_equal(q[:10], r.random_orientations(100_000, 3)[:10])
    np.testing.assert_allclose(q.T @ q / len(q), np.eye(4) / 4, atol=0.005)
    angle = np.radians(r.to_axis_angle(q)[1])
    for t in (0.5, 1.5, 2.5):
        assert np.mean(angle < t) == pytest.approx((t - np.sin(t)) / np.pi, abs=0.008)


# ---- the beam


def test_beam_operator_acts_on_the_lab_side():
    q = r.random_orientations(300, 0)
    turned = r.multiply(q, r.beam_operator())
    zone = np.array([0.0, 0, 1])
    np.testing.assert_allclose(r.rotate(turned, zone), r.rotate(q, zone), atol=1e-12)
    assert r.misorientation_angle(turned, q, "-3m", modulo_beam=True).max() < 1e-6
    assert r.misorientation_angle(turned, q, "-3m").max() > 60
    wrong = r.multiply(r.beam_operator(), q)
    assert r.misorientation_angle(wrong, q, "-3m", modulo_beam=True).max() > 60


def test_tilt_and_in_plane_apart():
    q = r.random_orientations(200, 0)
    about_x = r.from_axis_angle(np.array([np.cos(1), np.sin(1), 0]), 2.0)
    about_z = r.from_axis_angle(np.array([0, 0, 1.0]), -3.0)
    whole = r.to_axis_angle(r.multiply(about_x, about_z))[1]
    off = r.multiply(r.multiply(r.laue_operators("m-3m")[7], q), r.multiply(about_x, about_z))
    for other, beam in ((off, False), (off, True), (r.multiply(off, r.beam_operator()), True)):
        tilt, in_plane = r.tilt_and_in_plane(other, q, "m-3m", modulo_beam=beam)
        # near a zone axis of even order, symmetry and beam operator together can be nearer still
        usual = np.abs(r.misorientation_angle(other, q, "m-3m", modulo_beam=beam) - whole) < 1e-9
        assert usual.mean() > (0.9 if beam else 0.999)
        np.testing.assert_allclose(tilt[usual], 2, atol=1e-9)
        np.testing.assert_allclose(in_plane[usual], 3, atol=1e-9)
    turned = r.multiply(r.multiply(q, about_z), r.beam_operator())
    tilt, in_plane = r.tilt_and_in_plane(turned, q, "-1")
    np.testing.assert_allclose(tilt, 0, atol=1e-9)
    np.testing.assert_allclose(in_plane, 177, atol=1e-9)


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("beam", [False, True])
def test_parts_make_the_whole(name, beam):
    a, b = r.random_orientations(500, 1), r.random_orientations(500, 2)
    tilt, in_plane = (np.radians(x) for x in r.tilt_and_in_plane(a, b, name, modulo_beam=beam))
    angle = np.radians(r.misorientation_angle(a, b, name, modulo_beam=beam))
    np.testing.assert_allclose(
        np.cos(tilt / 2) * np.cos(in_plane / 2), np.cos(angle / 2), atol=1e-12
    )
    if name == "-1":  # the tilt is the angle between the zone axes
        zones = r.rotate(a, np.array([0.0, 0, 1])), r.rotate(b, np.array([0.0, 0, 1]))
        np.testing.assert_allclose(np.cos(tilt), (zones[0] * zones[1]).sum(-1), atol=1e-12)


# ---- means


@pytest.mark.parametrize("name", ORDERS)
def test_mean_of_equal_orientations(name):
    rng = np.random.default_rng(0)
    for q in all_kinds(name)[::23]:
        operators = r.laue_operators(name)[rng.integers(0, ORDERS[name], 40)]
        mixed = r.multiply(operators, q) * rng.choice([-1, 1], (40, 1))
        mean = r.mean_orientation(mixed, name)
        np.testing.assert_allclose(mean, r.reduce_to_fundamental_zone(q, name), atol=1e-8)
        assert r.misorientation_angle(mean, q, name) < 1e-6


def scattered(name, n=60, degrees=4.0, seed=0):
    rng = np.random.default_rng(seed)
    q = r.random_orientations(1, seed)
    noise = r.from_axis_angle(rng.normal(size=(n, 3)), rng.normal(size=n) * degrees)
    near = r.multiply(noise, q)
    return near, r.multiply(r.laue_operators(name)[rng.integers(0, ORDERS[name], n)], near)


@pytest.mark.parametrize("name", ORDERS)
def test_mean_agrees_with_orix_on_one_branch(name):
    near, mixed = scattered(name)
    expected = Rotation(near).mean().data
    assert r.misorientation_angle(r.mean_orientation(mixed, name), expected, name) < 1e-6
    weights = np.arange(60) % 3
    repeated = Rotation(np.repeat(near, weights, axis=0)).mean().data
    mean = r.mean_orientation(mixed, name, weights.astype(float))
    assert r.misorientation_angle(mean, repeated, name) < 1e-6


def test_an_odd_first_member_does_not_lead_the_mean_astray():
    _, mixed = scattered("m-3m", 59)
    odd = r.multiply(mixed[:1], r.from_axis_angle(np.array([1.0, 2, 3]), 45.0))
    mean = r.mean_orientation(np.concatenate([odd, mixed]), "m-3m")
    assert r.misorientation_angle(mean, r.mean_orientation(mixed, "m-3m"), "m-3m") < 1.5


def test_means_of_many_grains_at_once():
    parts = [scattered("6/mmm", n, seed=n)[1] for n in (1, 2, 30, 100)]
    labels = np.repeat([0, 1, 3, 4], [len(p) for p in parts])
    q = np.concatenate([*parts, r.random_orientations(9, 0), np.full((2, 4), np.nan)])
    labels = np.concatenate([labels, np.full(9, -1), [0, 3]])
    shuffle = np.random.default_rng(0).permutation(len(q))
    means = r.mean_orientation(q[shuffle], "6/mmm", labels=labels[shuffle])
    assert means.shape == (5, 4)
    assert np.isnan(means[2]).all()
    for label, part in zip([0, 1, 3, 4], parts, strict=True):
        alone = r.mean_orientation(part, "6/mmm")
        assert r.misorientation_angle(means[label], alone, "6/mmm") < 1e-6


def test_means_of_nothing():
    assert np.isnan(r.mean_orientation(np.full((3, 4), np.nan), "mmm")).all()
    assert np.isnan(r.mean_orientation(np.zeros((0, 4)), "mmm")).all()
    assert r.mean_orientation(np.zeros((0, 4)), "mmm", labels=np.zeros(0, int)).shape == (0, 4)
    assert r.mean_orientation(np.eye(4), "mmm", labels=np.full(4, -1)).shape == (0, 4)
    with pytest.raises(ValueError, match="negative"):
        r.mean_orientation(np.eye(4), "mmm", np.array([1.0, -1, 1, 1]))


# ---- gradients


FUNCTIONS = {
    "misorientation": lambda q: r.misorientation_angle(q, torch.eye(4).double()[0], "m-3m"),
    "axis": lambda q: r.misorientation(q, torch.eye(4).double()[0], "6/mmm").axis,
    "beam": lambda q: r.misorientation_angle(q, q.flip(0), "-3m", modulo_beam=True),
    "tilt": lambda q: sum(r.tilt_and_in_plane(q, q.flip(0), "m-3m")),
    "euler": r.to_euler,
    "matrix": lambda q: r.from_matrix(r.to_matrix(q)),
    "axis-angle": lambda q: r.from_axis_angle(*r.to_axis_angle(q)),
    "6d": lambda q: r.from_6d(r.to_6d(q)),
    "zone": lambda q: r.reduce_to_fundamental_zone(q, "m-3m"),
    "mean": lambda q: r.mean_orientation(q, "m-3m"),
    "normalise": r.normalise,
    "product": lambda q: r.multiply(q, r.conjugate(q)),
}


@pytest.mark.parametrize("what", FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_are_finite_everywhere(what, dtype):
    q = torch.tensor(all_kinds("m-3m"), dtype=torch.float64).to(dtype).requires_grad_()
    value = FUNCTIONS[what](q.double() if what in ("misorientation", "axis") else q)
    value.sum().backward()
    assert value.isfinite().all()
    assert q.grad is not None
    assert q.grad.isfinite().all()


@pytest.mark.parametrize("what", FUNCTIONS)
def test_gradients_are_right(what):
    q = torch.tensor(scattered("m-3m", 6)[1], dtype=torch.float64).requires_grad_()
    normal = FUNCTIONS["normalise"]
    assert torch.autograd.gradcheck(lambda x: FUNCTIONS[what](normal(x)), (q,), atol=1e-5)


def test_conversions_to_quaternions_have_finite_gradients():
    euler = torch.zeros(4, 3, dtype=torch.float64)
    euler[1:, 1] = torch.tensor([180.0, 90.0, 1e-9])
    odd = torch.tensor([[0.0] * 6, [1.0, 0, 0, 1, 0, 0], [1.0, 2, 3, 2, 4, 6]], dtype=torch.float64)
    for function, values in ((r.from_euler, euler), (r.from_6d, odd)):
        x = values.clone().requires_grad_()
        function(x).sum().backward()
        assert x.grad.isfinite().all()


def test_an_angle_can_be_descended():
    target = torch.tensor(r.random_orientations(20, 1))
    x = torch.tensor(r.to_6d(r.random_orientations(20, 2))).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.03)
    for _ in range(200):
        optimizer.zero_grad()
        angle = r.misorientation_angle(r.from_6d(x), target, "m-3m")
        angle.square().mean().backward()
        optimizer.step()
    assert angle.max() < 0.5


# ---- arrays and tensors


def test_what_comes_in_comes_out():
    q = r.random_orientations(7, 0)
    single = r.misorientation_angle(q[0].astype(np.float32), q[1].astype(np.float32), "m-3m")
    assert isinstance(single, np.ndarray)
    assert single.dtype == np.float32
    assert single.shape == ()
    assert r.multiply(q.tolist(), q.tolist()).dtype == np.float64
    assert r.to_euler(np.array([1, 0, 0, 0])).tolist() == [0, 0, 0]
    q.flags.writeable = False
    assert r.to_euler(q[::-1, ...]).shape == (7, 3)
    tensor = torch.tensor(q, dtype=torch.float32)
    for result in (
        r.to_matrix(tensor), *r.misorientation(tensor, q, "mmm"),
        *r.tilt_and_in_plane(q, tensor, "mmm"), r.mean_orientation(tensor, "mmm"),
    ):  # fmt: skip
        assert isinstance(result, torch.Tensor)


@pytest.mark.parametrize("name", ["m-3m", "6/mmm"])
def test_single_precision(name):
    a, b = r.random_orientations(3000, 1), r.random_orientations(3000, 2)
    a[:1000] = r.multiply(b[:1000], r.from_axis_angle(np.array([1.0, 1, 0]), 0.01))
    short = r.misorientation_angle(a.astype(np.float32), b.astype(np.float32), name)
    assert np.abs(short - r.misorientation_angle(a, b, name)).max() < 1e-4


def test_points_that_are_not_indexed_stay_so():
    a = r.random_orientations(4, 0)
    a[1] = np.nan
    angle, axis = r.misorientation(a, r.random_orientations(4, 1), "m-3m")
    assert np.isnan(angle).tolist() == [False, True, False, False]
    assert np.isnan(axis).all(axis=1).tolist() == [False, True, False, False]
    assert np.isnan(r.reduce_to_fundamental_zone(a, "m-3m")).any(axis=1).sum() == 1
    assert np.isnan(r.to_euler(a)).any(axis=1).sum() == 1
    assert np.isnan(np.array(r.tilt_and_in_plane(a, a, "m-3m"))[:, 1]).all()


@pytest.mark.parametrize("block", [1, 7, 30, 1000])
def test_blocks_make_no_difference(block, monkeypatch):
    a, b = r.random_orientations(12, 1).reshape(4, 1, 3, 4), r.random_orientations(15, 2)
    b = b.reshape(5, 3, 4)
    whole = r.misorientation(a, b, "m-3m")
    monkeypatch.setattr(quaternions, "_BLOCK", block)
    parts = r.misorientation(a, b, "m-3m")
    assert whole.angle.shape == (4, 5, 3)
    assert whole.axis.shape == (4, 5, 3, 3)
    np.testing.assert_allclose(parts.angle, whole.angle, atol=1e-12)
    np.testing.assert_allclose(parts.axis, whole.axis, atol=1e-9)
    np.testing.assert_allclose(
        whole.angle[2, 3, 1], r.misorientation_angle(a[2, 0, 1], b[3, 1], "m-3m"), atol=1e-12
    )
    assert r.misorientation_angle(np.zeros((0, 4)), np.zeros((0, 4)), "mmm").shape == (0,)
