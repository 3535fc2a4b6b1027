"""Symmetrised harmonics against angles, quadrature, characters and finite differences."""

from __future__ import annotations

from math import factorial, pi, sqrt

import numpy as np
import pytest
import torch
from scipy.linalg import null_space
from scipy.optimize import minimize
from scipy.special import gegenbauer, lpmv

from napari_orient.crystal import polynomials
from napari_orient.crystal.harmonics import (
    count_invariants,
    default_harmonics,
    harmonics,
    invariant_basis,
)
from napari_orient.crystal.hyperspherical import coefficients, indices, moments, monomials
from napari_orient.crystal.rotations import (
    LAUE_GROUPS,
    beam_operator,
    conjugate,
    from_axis_angle,
    laue_operators,
    misorientation_angle,
    multiply,
    normalise,
    random_orientations,
)

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def by_angles(n, omega, theta, phi):
    """Eqs. 12-14 with the three corrections that make them orthonormal."""
    found = []
    for ell, m, kind in indices(n):
        norm = (2 * ell + 1) * factorial(ell - m) / factorial(ell + m)
        norm *= (n + 1) * factorial(n - ell) / factorial(n + ell + 1) / (1 if m else 2)
        y = (-1) ** m * 2.0**ell * factorial(ell) / pi * sqrt(norm) * np.sin(omega / 2) ** ell
        y = y * gegenbauer(n - ell, ell + 1)(np.cos(omega / 2)) * lpmv(m, ell, np.cos(theta))
        found.append(y * (np.cos(m * phi) if kind == "c" else np.sin(m * phi)))
    return np.stack(found, -1)


def quaternions(omega, theta, phi):
    """Eq. 10."""
    s = np.sin(omega / 2)
    axis = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)
    return np.stack([np.cos(omega / 2), *(s * a for a in axis)], -1)


def angles(q):
    omega = 2 * np.arctan2(np.linalg.norm(q[..., 1:], axis=-1), q[..., 0])
    theta = np.arctan2(np.hypot(q[..., 1], q[..., 2]), q[..., 3])
    return omega, theta, np.arctan2(q[..., 2], q[..., 1])


def raw(n, q):
    return np.prod(q[:, None] ** monomials(n), -1) @ coefficients(n).T


def quadrature(n):
    """Quaternions and weights that integrate products of two harmonics of degree n exactly."""
    k = np.arange(1, n + 2) * pi / (n + 2)  # Chebyshev's second kind: 2 n + 1 and more
    x, w = np.polynomial.legendre.leggauss(n + 1)
    phi = np.arange(2 * n + 2) * pi / (n + 1)
    omega, cosine, phi = (a.ravel() for a in np.meshgrid(2 * k, x, phi, indexing="ij"))
    weight = np.einsum("i,j,k->ijk", pi / (n + 2) * np.sin(k) ** 2, w, np.full(2 * n + 2, 1.0))
    return quaternions(omega, np.arccos(cosine), phi), weight.ravel() * pi / (n + 1)


@pytest.mark.parametrize("n", [0, 2, 5, 8, 16, 20])
def test_the_polynomials_are_the_harmonics_of_the_angles(n):
    rng = np.random.default_rng(n)
    a = rng.uniform(0, 2 * pi, 40), rng.uniform(0, pi, 40), rng.uniform(0, 2 * pi, 40)
    np.testing.assert_allclose(raw(n, quaternions(*a)), by_angles(n, *a), atol=1e-12)


@pytest.mark.parametrize("n", [2, 6, 8, 12])
def test_the_harmonics_are_orthonormal_on_the_sphere(n):
    c, e = coefficients(n), monomials(n)
    np.testing.assert_allclose(c @ moments(e[:, None] + e) @ c.T, np.eye(len(c)), atol=1e-12)


def test_harmonics_of_different_degrees_are_orthogonal():
    integrals = moments(monomials(8)[:, None] + monomials(4))
    assert abs(coefficients(8) @ integrals @ coefficients(4).T).max() < 1e-13


def test_moments_are_integrals_over_the_sphere_of_unit_quaternions():
    q, weight = quadrature(4)
    exponents = np.concatenate([monomials(8), monomials(4), monomials(0)])
    by_sum = weight @ np.prod(q[:, None] ** exponents, -1)
    np.testing.assert_allclose(moments(exponents), by_sum, atol=1e-13)
    assert moments([0, 0, 0, 0]) == pytest.approx(2 * pi**2)


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_the_number_of_functions_is_that_of_the_characters(group):
    counts = [len(invariant_basis(group, n)) for n in range(2, 17, 2)]
    assert counts == [count_invariants(group, n) for n in range(2, 17, 2)]


def test_the_first_cubic_functions_are_nine_of_degree_eight():
    assert [count_invariants("m-3m", n) for n in range(0, 17, 2)] == [1, 0, 0, 0, 9, 0, 13, 0, 17]
    # of m-3 there are seven more, of degree 6: x y z in crystal axes
    assert [count_invariants("m-3", n) for n in range(0, 13, 2)] == [1, 0, 0, 7, 9, 0, 26]


@pytest.mark.parametrize("group", LAUE_GROUPS)
@pytest.mark.parametrize("n", [None, 16])
def test_values_do_not_see_symmetry_or_the_sign_of_the_quaternion(group, n):
    h = default_harmonics(group) if n is None else harmonics(group, (n,))
    q = random_orientations(20, seed=1)
    every = h(multiply(laue_operators(group)[:, None], q))
    np.testing.assert_allclose(every, np.broadcast_to(h(q), every.shape), atol=1e-10)
    np.testing.assert_allclose(h(-q), h(q), atol=1e-13)


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_symmetrised_functions_are_orthonormal_and_in_echelon_form(group):
    h = default_harmonics(group)
    (p,) = h.polynomials
    assert p.exponents.shape == (p.coefficients.shape[1], 4)
    gram = p.coefficients @ moments(p.exponents[:, None] + p.exponents) @ p.coefficients.T
    np.testing.assert_allclose(gram, np.eye(h.count), atol=1e-12)
    basis = invariant_basis(group, p.degree)
    first = (basis != 0).argmax(1)
    assert (np.diff(first) > 0).all()
    assert (basis[np.arange(len(basis)), first] > 1e-2).all()


@pytest.mark.parametrize("group", ["m-3m", "-3m"])
def test_the_space_is_that_of_the_paper_seen_from_the_other_side(group):
    """Eq. 18: what each operator on the right leaves alone, from angles and by quadrature."""
    n = 8
    q, weight = quadrature(n)
    z = by_angles(n, *angles(q))
    conditions = [
        (weight * by_angles(n, *angles(multiply(q, s))).T) @ z - np.eye(z.shape[1])
        for s in laue_operators(group)[1:]
    ]
    found = null_space(np.concatenate(conditions), rcond=1e-9)
    flip = np.array([(-1) ** i.ell for i in indices(n)])  # Z(conjugate of q)
    np.testing.assert_allclose(raw(n, conjugate(q)), raw(n, q) * flip, atol=1e-12)
    basis = invariant_basis(group, n)
    theirs = found @ found.T
    np.testing.assert_allclose(basis.T @ basis, flip[:, None] * theirs * flip, atol=1e-11)
    assert abs(basis.T @ basis - theirs).max() > 0.1  # the side matters


def test_cubic_values_are_the_fourth_powers_of_the_lab_seen_along_the_cube_axes():
    """The first one is the cubic harmonic of degree 4 of both sides: sum of R_ij^4."""
    from napari_orient.crystal.rotations import to_matrix

    q = random_orientations(200, seed=2)
    power = (to_matrix(q) ** 4).sum((1, 2))
    first = default_harmonics("m-3m")(q)[:, 0]
    line = np.polyfit(power, first, 1)
    np.testing.assert_allclose(np.polyval(line, power), first, atol=1e-12)
    assert line[0] > 0


def far_minima(h, starts):
    """Where the distance to the identity has minima: its value over the mean, and the angle."""
    z0 = h(IDENTITY)

    def distance(x):
        q = x / np.linalg.norm(x)
        d = h(q) - z0
        g = h.pull_back(q, 2 * d)
        return d @ d / (2 * z0 @ z0), (g - (g @ q) * q) / np.linalg.norm(x) / (2 * z0 @ z0)

    for start in starts:
        for _ in range(3):  # a line search may give up once
            found = minimize(distance, start, jac=True, options={"gtol": 1e-9})
            start = found.x / np.linalg.norm(found.x)
        yield found.fun, float(misorientation_angle(start, IDENTITY, h.group))


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_the_default_set_knows_every_orientation(group):
    """One orientation is enough: lab rotations are orthogonal among the values."""
    h = default_harmonics(group)
    a, b, turn = random_orientations(3, seed=4)
    before, after = h(a) - h(b), h(multiply(a, turn)) - h(multiply(b, turn))
    assert np.linalg.norm(before) == pytest.approx(np.linalg.norm(after), rel=1e-12)
    minima = np.array(list(far_minima(h, random_orientations(15, seed=5))))
    same = minima[:, 0] < 1e-9
    assert same.any()
    assert (minima[same, 1] < 1e-3).all()
    assert (minima[~same, 0] > 0.5).all()  # nothing nearly as good elsewhere


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_the_default_set_tells_a_group_from_all_others(group):
    h = default_harmonics(group)
    q = random_orientations(1, seed=6)[0]
    for other in LAUE_GROUPS:
        turned = multiply(laue_operators(other), q)
        gap = np.linalg.norm(h(turned) - h(q), axis=1) / np.linalg.norm(h(q))
        angle = misorientation_angle(turned, q, group)
        assert (gap[angle > 1e-6] > 0.5).all()
        assert (gap[angle <= 1e-6] < 1e-10).all()


def test_a_set_that_is_too_small_is_noticed():
    """The functions of m-3m do not know m-3: the tests above can fail."""
    h = harmonics("m-3m", (8,))
    quarter = from_axis_angle(np.array([0.0, 0.0, 1.0]), 90.0)
    assert np.linalg.norm(h(quarter) - h(IDENTITY)) < 1e-12
    assert misorientation_angle(quarter, IDENTITY, "m-3") == pytest.approx(90)


@pytest.mark.parametrize("group", ["m-3m", "6/m", "-1"])
def test_gradients_are_those_of_finite_differences(group):
    h = default_harmonics(group)
    special = [IDENTITY, beam_operator(), from_axis_angle(np.array([0.0, 0.0, 1.0]), 30.0)]
    q = torch.tensor(np.concatenate([special, random_orientations(3, seed=7)]), requires_grad=True)
    assert torch.autograd.gradcheck(h, (q,), eps=1e-6, atol=1e-6, rtol=1e-6)
    weights = torch.linspace(-1, 1, 6 * h.count, dtype=torch.float64).reshape(6, -1)
    (gradient,) = torch.autograd.grad((h(q) * weights).sum(), q)
    assert gradient.isfinite().all()
    torch.testing.assert_close(h.pull_back(q.detach(), weights), gradient)
    # homogeneous of degree n: q . gradient = n f
    both = (q * gradient).sum(-1), h.degrees[0] * (h(q) * weights).sum(-1)
    torch.testing.assert_close(*both)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("group", ["m-3m", "-3", "6/mmm"])
def test_the_kernel_and_plain_torch_agree(group, dtype):
    (p,) = default_harmonics(group).polynomials
    q = torch.from_numpy(random_orientations(1000, seed=8)).to(dtype)
    weights = torch.linspace(-1, 1, 1000 * len(p.coefficients), dtype=dtype).reshape(1000, -1)
    size = 400 * torch.finfo(dtype).eps
    torch.testing.assert_close(p.values(q), polynomials.values(p, q), atol=size, rtol=size)
    both = p.pull_back(q, weights), polynomials.pull_back(p, q, weights)
    torch.testing.assert_close(*both, atol=100 * size, rtol=100 * size)


def test_single_precision_is_near_double_precision():
    for group, allowed in (("m-3m", 2e-6), ("-3m", 1e-6), ("6/mmm", 1e-5)):
        h, q = default_harmonics(group), random_orientations(500, seed=9)
        short = h(q.astype(np.float32))
        assert short.dtype == np.float32
        assert abs(short - h(q)).max() < allowed


def test_shapes_kinds_and_several_degrees():
    h = harmonics("m-3", [8, 6])
    assert h.degrees == (8,) * 9 + (6,) * 7
    assert h.count == 16
    assert h is harmonics("m-3", (8, 6))
    q = random_orientations(24, seed=10).reshape(2, 3, 4, 4)
    values = h(q)
    assert values.shape == (2, 3, 4, 16)
    np.testing.assert_allclose(values[..., 9:], harmonics("m-3", (6,))(q), atol=1e-14)
    assert h(q[0, 0, 0]).shape == (16,)
    assert h(q[:0]).shape == (0, 3, 4, 16)
    turned = torch.from_numpy(q).transpose(0, 2)  # not contiguous
    torch.testing.assert_close(h(turned), torch.from_numpy(values).transpose(0, 2))
    assert h.pull_back(q, values).shape == q.shape


def test_what_is_not_indexed_stays_so():
    q = random_orientations(100, seed=11)
    q[7] = np.nan
    values = default_harmonics("m-3m")(q)
    assert np.isnan(values).all(1).nonzero()[0].tolist() == [7]


def test_a_free_field_is_normalised_by_the_caller():
    h = default_harmonics("-3m")
    x = torch.tensor([[0.5, 0.1, -0.2, 0.9]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(h(normalise(x)).sum(), x)
    x = x.detach()
    assert float((gradient * x).sum()) == pytest.approx(0, abs=1e-13)
    assert float(gradient.norm()) > 1e-2


@pytest.mark.parametrize("degrees", [(), (7,), (0,), (8, 8), (-2,), (6,)])
def test_degrees_that_cannot_be_are_refused(degrees):
    with pytest.raises(ValueError, match="degree"):
        harmonics("m-3m", degrees)
