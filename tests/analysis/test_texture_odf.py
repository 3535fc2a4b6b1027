"""Textures whose answer is known: single orientations, fibres, random and mixed ones."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.analysis.texture import wigner
from napari_orient.analysis.texture.axes import SampleAxes
from napari_orient.analysis.texture.distances import odf_distance, pole_figure_difference
from napari_orient.analysis.texture.kernel import Kernel
from napari_orient.analysis.texture.odf import compute_odf, euler_box
from napari_orient.analysis.texture.orientations import one_phase, usable
from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    conjugate,
    from_axis_angle,
    from_euler,
    from_matrix,
    laue_operators,
    misorientation_angle,
    multiply,
    random_orientations,
    rotate,
    to_matrix,
)
from napari_orient.data.maps import OrientationMap
from napari_orient.jobs import run

GROUPS = ("m-3m", "6/mmm", "-3m", "-1")
GENERIC = from_euler(np.array([35.0, 48.0, 17.0]))


def odf_of(q, group="m-3m", **choices):
    return run(compute_odf(q, group, **choices))


def angle(a, b):
    """Degrees (...) of the rotation between two orientations, without symmetry."""
    return np.degrees(2 * np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0, 1)))


def direct(at, q, weights, group, halfwidth):
    """The definition of the ODF, summed as it is written."""
    operators = laue_operators(group)
    copies = multiply(operators[:, None], q[None])  # (s, n, 4)
    between = angle(at[:, None, None], copies[None])
    values = Kernel(halfwidth)(between)
    return np.einsum("isn,n->i", values, weights) / (weights.sum() * len(operators))


def test_kernel_has_its_halfwidth_and_mean_one():
    kernel = Kernel(10)
    assert kernel(10) == pytest.approx(kernel.height / 2, rel=1e-9)
    omega = np.linspace(0, 180, 200_001)
    haar = (1 - np.cos(np.radians(omega))) / 180  # of the angle of a random rotation
    assert np.trapezoid(kernel(omega) * haar, omega) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("halfwidth", [5.0, 10.0, 31.3])
def test_kernel_is_the_sum_of_its_terms(halfwidth):
    kernel = Kernel(halfwidth)
    omega = np.linspace(0.01, 180, 500)
    half, order = np.radians(omega)[:, None] / 2, np.arange(kernel.degree + 1)
    terms = (2 * order + 1) * np.sin((2 * order + 1) * half) / np.sin(half)
    series = terms @ kernel.coefficients(kernel.degree)
    np.testing.assert_allclose(series, kernel(omega), atol=1e-3 * kernel.height)
    assert kernel.note == ""


def test_narrow_kernels_say_that_the_series_is_cut():
    assert "cut at degree 72" in Kernel(3.5).note
    assert Kernel(4).note == ""
    with pytest.raises(ValueError, match="3 to 60 degrees"):
        Kernel(1)


@pytest.mark.parametrize("degree", [1, 6, 33])
def test_harmonics_represent_the_product_of_rotations(degree):
    p, q = random_orientations(5, 0), random_orientations(5, 1)
    product = wigner.harmonics(p, degree) @ wigner.harmonics(q, degree)
    np.testing.assert_allclose(wigner.harmonics(multiply(p, q), degree), product, atol=1e-10)


def test_traces_of_harmonics_are_known_functions_of_the_angle():
    q = random_orientations(9, 3)
    half = np.arccos(np.abs(q[:, 0]))
    for degree in (1, 4):
        expected = np.sin((2 * degree + 1) * half) / np.sin(half)
        found = np.trace(wigner.harmonics(q, degree), axis1=1, axis2=2)
        np.testing.assert_allclose(found, expected, atol=1e-10)
    middle = wigner.harmonics(q, 1)[:, 1, 1]  # the cosine between the two z axes
    np.testing.assert_allclose(middle, to_matrix(q)[:, 2, 2], atol=1e-12)


def test_fast_sums_are_the_direct_ones():
    q = np.concatenate([random_orientations(40, 5), np.eye(4)])  # with Phi = 0 and 180
    w = np.random.default_rng(0).random(len(q))
    fast = wigner.moments(wigner.fourier_sums(q, w, 33))
    for degree in (0, 1, 2, 17, 33):
        slow = np.einsum("i,imn->mn", w, wigner.harmonics(q, degree).conj())
        np.testing.assert_allclose(fast[degree], slow, atol=1e-6)


@pytest.mark.parametrize("group", GROUPS)
def test_density_is_the_direct_sum_of_kernels(group):
    q = random_orientations(30, 1)
    w = np.random.default_rng(2).random(30)
    odf = odf_of(q, group, weights=w, halfwidth=12)
    at = np.concatenate([q[:10], random_orientations(300, 3)])
    expected = direct(at, q, w, group, 12)
    np.testing.assert_allclose(odf.density(at), expected, atol=1e-3 * expected.max())
    np.testing.assert_allclose(odf.density(q[:10]), expected[:10], rtol=1e-3)
    turned = multiply(laue_operators(group)[-1], at)
    np.testing.assert_allclose(odf.density(turned), expected, atol=1e-3 * expected.max())


@pytest.mark.parametrize("group", GROUPS)
def test_texture_index_of_one_orientation(group):
    odf = odf_of(GENERIC[None], group, halfwidth=10)
    kernel = Kernel(10)
    k = kernel.power
    # the square of the kernel is the kernel of twice the power, but for its factor
    doubled = Kernel(float(2 * np.degrees(np.arccos(0.5 ** (1 / (4 * k))))))
    assert doubled.power == pytest.approx(2 * k)
    expected = kernel.height**2 / doubled.height / len(laue_operators(group))
    assert odf.texture_index == pytest.approx(expected, rel=0.005)
    single = kernel.height / len(laue_operators(group))
    assert odf.density(GENERIC) == pytest.approx(single, rel=0.005)


@pytest.mark.parametrize(
    ("group", "pole", "copies"),
    [("m-3m", (1, 1, 1), 8), ("m-3m", (1, 0, 0), 6), ("6/mmm", (0, 0, 1), 2), ("-1", (1, 2, 3), 1)],
)
def test_texture_index_and_poles_of_a_fibre(group, pole, copies):
    """A crystal direction along z of the map, all turns about it: (1 + k)^2 / (1 + 2k) / copies."""
    pole = np.array(pole) / np.linalg.norm(pole)
    across = np.cross(pole, (0.3, 0.5, -0.8))
    across /= np.linalg.norm(across)
    crystal = from_matrix(np.stack([across, np.cross(pole, across), pole], axis=1))
    turns = from_axis_angle(np.array([0.0, 0.0, 1.0]), np.arange(0, 360, 2.0))
    odf = odf_of(multiply(crystal, turns), group)
    k = Kernel(10).power
    assert odf.texture_index == pytest.approx((1 + k) ** 2 / (1 + 2 * k) / copies, rel=0.02)
    tilt = np.radians(np.arange(0, 90, 3.0))
    ring = np.stack([np.sin(tilt) * 0.6, np.sin(tilt) * 0.8, np.cos(tilt)], axis=1)
    smeared = (1 + k) * (((1 + np.cos(tilt)) / 2) ** k + ((1 - np.cos(tilt)) / 2) ** k) / 2
    # a pole of so many copies: one at the centre, the others on cones
    all_poles = np.unique((to_matrix(laue_operators(group)) @ pole).round(9), axis=0)
    assert len(all_poles) == copies
    alone = (np.abs(all_poles @ pole) > 0.999).sum()
    near = tilt < np.radians(20)
    expected = smeared * (alone if alone == 2 else 1) / copies
    found = odf.pole_figure(pole).at(ring)
    np.testing.assert_allclose(found[near], expected[near], atol=0.02 * expected.max())
    inverse = odf.inverse_pole_figure("Z").at(pole)
    assert inverse == pytest.approx(expected[0], rel=0.02)


def test_random_orientations_make_no_texture():
    odf = odf_of(random_orientations(100_000, 0))
    noise = Kernel(10).height ** 2 / Kernel(7.07).height / 24 / 100_000  # TI - 1 of so many
    assert odf.texture_index == pytest.approx(1 + noise, abs=0.3 * noise)
    pole = odf.pole_figure((1, 1, 1)).hemisphere()
    assert abs(pole.mrd - 1).max() < 0.06
    assert np.mean(odf.density(random_orientations(20_000, 9))) == pytest.approx(1, abs=0.01)


def test_mixture_of_random_and_component():
    q = np.concatenate([random_orientations(80_000, 4), np.tile(GENERIC, (20_000, 1))])
    odf, single = odf_of(q), odf_of(GENERIC[None])
    # f = 0.8 + 0.2 f1: TI = 0.64 + 0.32 + 0.04 TI1
    assert odf.texture_index == pytest.approx(0.96 + 0.04 * single.texture_index, rel=0.02)
    expected = 0.8 + 0.2 * single.density(GENERIC)
    assert odf.density(GENERIC) == pytest.approx(expected, rel=0.02)


def test_weights_are_repetitions():
    q = random_orientations(5, 1)
    once = odf_of(q, weights=[1, 2, 0, 3, 1])
    again = odf_of(np.repeat(q, [1, 2, 0, 3, 1], axis=0))
    assert odf_distance(once, again)[0] < 1e-6 * once.texture_index
    assert (once.count, again.count) == (4, 7)


@pytest.mark.parametrize("group", GROUPS)
def test_pole_figure_of_a_crystal_has_its_poles_where_they_are(group):
    odf = odf_of(GENERIC[None], group, halfwidth=8)
    normal = np.array([1.0, 1.0, 2.0]) / np.sqrt(6)
    equivalents = to_matrix(laue_operators(group)) @ normal
    poles = equivalents @ to_matrix(GENERIC)  # crystal to map
    found = odf.pole_figure(normal)
    values = found.at(poles)
    k = Kernel(8).power
    assert np.allclose(values, values[0], rtol=1e-5)
    assert values[0] >= (1 + k) / 2 / len(np.unique(poles.round(9), axis=0)) * 0.995
    np.testing.assert_allclose(found.at(-poles), values, rtol=1e-6)
    grid = found.hemisphere(2.0)
    assert grid.mrd.max() <= values[0] * 1.01  # neighbours overlap a little
    best = np.unravel_index(grid.mrd.argmax(), grid.mrd.shape)
    tilt, turn = np.radians(grid.tilt[best[0]]), np.radians(grid.azimuth[best[1]])
    there = (np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), -np.cos(tilt))
    assert np.abs(poles @ there).max() > np.cos(np.radians(2))
    weights = np.sin(np.radians(grid.tilt))[:, None] * np.ones(len(grid.azimuth) - 1)
    weights[-1] /= 2
    assert np.average(grid.mrd[:, :-1], weights=weights) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("group", GROUPS)
def test_inverse_pole_figure_of_a_crystal(group):
    odf = odf_of(GENERIC[None], group, halfwidth=8)
    along = np.array([3.0, 1.0, 2.0]) / np.sqrt(14)  # far from its equivalents
    direction = rotate(conjugate(GENERIC), along)
    found = odf.inverse_pole_figure(direction)
    everywhere = found.at(np.random.default_rng(0).normal(size=(4000, 3)))
    assert found.at(along) >= 0.999 * everywhere.max()
    equivalents = to_matrix(laue_operators(group)) @ along
    np.testing.assert_allclose(found.at(equivalents), found.at(along), rtol=1e-6)
    # the same density, asked for the other way round
    np.testing.assert_allclose(found.at(along), odf.pole_figure(along).at(direction), rtol=1e-9)


def test_sections_are_the_density_at_bunges_angles():
    q = random_orientations(20, 7)
    for group in ("m-3m", "-3m"):
        odf = odf_of(q, group, halfwidth=15)
        for axis in ("phi1", "phi2"):
            found = odf.sections(axis, at=(0, 20, 45), step=15)
            angles = np.empty((*found.mrd.shape, 3))
            angles[..., 1] = found.tilt[:, None]
            angles[..., 0 if axis == "phi1" else 2] = found.at[:, None, None]
            angles[..., 2 if axis == "phi1" else 0] = found.across
            expected = odf.density(from_euler(angles))
            np.testing.assert_allclose(found.mrd, expected, atol=1e-6 * expected.max())


def test_sections_reach_every_orientation():
    for group in GROUPS:
        first, tilt, second = euler_box(group)
        size = first / 360 * tilt / 180 * second / 360
        assert size >= 1 / len(laue_operators(group)) - 1e-9
    assert euler_box("m-3m", "orthotropic") == (90, 90, 90)
    assert euler_box("6/mmm") == (360, 90, 60)


def test_orthotropic_symmetry_is_about_the_axes_of_the_sheet():
    axes = SampleAxes(rd=(0.6, 0.8, 0.0), nd="Z")
    odf = odf_of(GENERIC[None], sample_symmetry="orthotropic", axes=axes)
    turned = multiply(GENERIC, axes.diads())
    np.testing.assert_allclose(odf.density(turned), odf.density(GENERIC), rtol=1e-6)
    assert len(np.unique(misorientation_angle(turned, GENERIC, "m-3m").round(3))) > 1
    # in the axes of the sheet, phi1 and -phi1 + 180 are the same
    sections = odf.sections(at=(17,), step=5)
    assert sections.across[-1] == 90
    in_sheet = multiply(GENERIC, conjugate(axes.quaternion))
    angles = np.array([[sections.across[i], sections.tilt[j], 17] for i, j in ((3, 4), (10, 2))])
    both = odf.density(multiply(from_euler(angles), axes.quaternion))
    np.testing.assert_allclose(sections.mrd[0, (4, 2), (3, 10)], both, atol=1e-6)
    np.testing.assert_allclose(
        odf_of(in_sheet[None], sample_symmetry="orthotropic").texture_index, odf.texture_index
    )


def test_distances():
    a = odf_of(GENERIC[None])
    b = odf_of(from_euler(np.array([[5.0, 20, 60]])))
    assert odf_distance(a, a) == (0.0, 0.0)
    # far apart and equally sharp
    assert odf_distance(a, b)[1] == pytest.approx(np.sqrt(2), rel=0.02)
    mixed = odf_of(np.stack([GENERIC, from_euler(np.array([5.0, 20, 60]))]))
    assert odf_distance(a, mixed)[0] == pytest.approx(odf_distance(a, b)[0] / 2, rel=1e-6)
    same = pole_figure_difference(a, a, [(1, 0, 0)])
    assert next(iter(same.values())) == (0, 0)
    alone = (
        odf_of(q[None], "-1", halfwidth=5) for q in (GENERIC, from_euler(np.array([5.0, 20, 60])))
    )
    (apart,) = pole_figure_difference(*alone, [(0, 0, 1)]).values()
    assert apart.mean == pytest.approx(2, rel=0.05)  # no overlap: both densities have mean one
    assert apart.rp == pytest.approx(100, rel=0.05)
    with pytest.raises(ValueError, match="different symmetry"):
        odf_distance(a, odf_of(GENERIC[None], "6/mmm"))
    with pytest.raises(ValueError, match="different halfwidths, 10 and 12"):
        odf_distance(a, odf_of(GENERIC[None], halfwidth=12))


def test_orix_counts_the_same_pole_figure():
    """Its plain counts: it smooths in steps of azimuth, which are short near the centre."""
    from orix.measure import pole_density_function
    from orix.vector import Vector3d

    vectors = np.random.default_rng(3).normal(0, 15, (200_000, 3))
    turned = from_axis_angle(vectors, np.linalg.norm(vectors, axis=1))
    q = multiply(GENERIC, turned)
    normal = np.array([0.36, 0.48, 0.8])
    equivalents = to_matrix(laue_operators("mmm")) @ normal
    poles = np.einsum("sc,ncm->snm", equivalents, to_matrix(q)).reshape(-1, 3)
    both = Vector3d(np.concatenate([poles, -poles]))
    theirs, edges = pole_density_function(both, resolution=5, sigma=0.01)
    x, y = ((a[:-1, :-1] + a[1:, 1:]) / 2 for a in edges)  # stereographic
    at = np.stack([2 * x, 2 * y, 1 - x**2 - y**2], axis=-1)
    ours = odf_of(q, "mmm", halfwidth=5).pole_figure(normal).at(at)
    assert ours.max() > 3
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    assert np.abs(ours - theirs).mean() < 0.06  # mrd, noise of counting included


def test_bad_input_is_said():
    with pytest.raises(ValueError, match="no orientations"):
        odf_of(np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match="no orientations"):
        odf_of(np.zeros((0, 4)))
    with pytest.raises(ValueError, match="weights of all orientations are zero"):
        odf_of(GENERIC[None], weights=[0.0])
    with pytest.raises(ValueError, match="not negative"):
        odf_of(GENERIC[None], weights=[-1.0])
    with pytest.raises(ValueError, match="no point group"):
        odf_of(GENERIC[None], None)
    with pytest.raises(ValueError, match="indices need a phase"):
        odf_of(GENERIC[None]).pole_figure("{111}")
    with pytest.raises(ValueError, match="not perpendicular"):
        SampleAxes(rd="X", nd=(1, 0, 1))
    with pytest.raises(ValueError, match="phi1 or phi2"):
        odf_of(GENERIC[None]).sections("Phi")
    for wrong in (400.0, -5.0, np.nan):
        with pytest.raises(ValueError, match=f"phi2 = {wrong:g}: 0 to 360 degrees"):
            odf_of(GENERIC[None]).sections(at=(0, wrong))


def test_nan_and_scale_do_not_matter():
    q = random_orientations(4, 0)
    broken = np.concatenate([3 * q, np.full((2, 4), np.nan), np.zeros((1, 4))])
    assert odf_distance(odf_of(q), odf_of(broken))[0] < 1e-6
    assert usable(broken, None)[1].shape == (4,)


def test_one_phase_of_a_map():
    q = random_orientations(6, 0).reshape(2, 3, 4)
    phases = {1: get_phase("Ni"), 4: get_phase("Ti")}
    phase_id = np.array([[1, 1, 4], [-1, 4, 4]])
    both = OrientationMap(q, phases, phase_id)
    with pytest.raises(ValueError, match=r"several phases, choose one: 1 Ni, 4 Ti"):
        one_phase(both)
    found, phase = one_phase(both, 4)
    assert len(found) == 3
    assert phase.name == "Ti"
    with pytest.raises(ValueError, match="nothing is indexed"):
        one_phase(OrientationMap(q, phases, np.full((2, 3), -1)))
