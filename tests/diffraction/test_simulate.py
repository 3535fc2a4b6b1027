"""Spots against diffsims and geometry, images against counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import poisson

from napari_orient.crystal.phases import get_phase
from napari_orient.diffraction.simulate import pattern_images, reflections, spots

if TYPE_CHECKING:
    from numpy.typing import NDArray


def random_quaternions(n: int, seed: int = 0) -> NDArray[np.float64]:
    q = np.random.default_rng(seed).normal(size=(n, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def test_scattering_factors_at_zero_are_textbook() -> None:
    """F(g -> 0) is the sum of f(0); Doyle and Turner give Si 5.83, Ni 6.57, O 1.98 angstrom."""
    from diffpy.structure import Atom, Lattice, Structure
    from orix.crystal_map import Phase

    for element, f0 in (("Si", 5.83), ("Ni", 6.57), ("Al", 5.89), ("Au", 10.57)):
        huge = Structure([Atom(element, (0, 0, 0))], Lattice(200, 200, 200, 90, 90, 90))
        found = reflections(Phase(element, 1, structure=huge), 0.006)
        assert np.sqrt(found.intensity).max() == pytest.approx(f0, rel=0.01)


def test_reflections_are_complete_and_friedel_pairs() -> None:
    found = reflections(get_phase("LiNiO2"), 1.5)
    listed = {tuple(hkl) for hkl in found.hkl.tolist()}
    assert (-2, 4, 0) in listed  # beyond the highest (h00): 1.39 1/angstrom
    assert all(tuple(-hkl) in listed for hkl in found.hkl)
    # rhombohedral centring, obverse
    assert not (found.hkl @ [-1, 1, 1] % 3).any()
    lengths = np.linalg.norm(found.g, axis=1)
    assert lengths.max() <= 1.5
    assert lengths.min() == pytest.approx(3 / 14.19)
    # every allowed lattice point of the sphere is there: 4/3 pi r^3 V / 3
    volume = get_phase("LiNiO2").structure.lattice.volume
    assert len(found) == pytest.approx(4 / 3 * np.pi * 1.5**3 * volume / 3, rel=0.06)


def test_debye_waller_damps_high_angles() -> None:
    phase = get_phase("Cu")
    cold, warm = reflections(phase, 1.5), reflections(phase, 1.5, debye_waller={"Cu": 0.55})
    g = np.linalg.norm(cold.g, axis=1)
    np.testing.assert_allclose(warm.intensity / cold.intensity, np.exp(-0.5 * 0.55 * g**2))


@pytest.mark.parametrize("name", ["LiNiO2", "GaAs", "Ti", "Fe"])
@pytest.mark.parametrize("voltage", [80.0, 300.0])
def test_positions_and_intensities_agree_with_diffsims(name: str, voltage: float) -> None:
    """At 80 kV the Ewald sphere is curved enough that a wrong sign takes other reflections."""
    from diffsims.generators.simulation_generator import SimulationGenerator
    from orix.quaternion import Rotation

    phase, quaternions = get_phase(name), random_quaternions(12, seed=len(name))
    known = reflections(phase, 1.5)
    # diffsims is asked for more: on oblique cells it misses reflections near the limit
    theirs = SimulationGenerator(voltage).calculate_diffraction2d(
        phase,
        rotation=Rotation(quaternions),
        reciprocal_radius=2.2,
        max_excitation_error=0.02,
        shape_factor_width=1 / 150,
        with_direct_beam=False,
    )
    ours = spots(known, quaternions, voltage, thickness_nm=15, min_intensity=0.0)
    number = 0
    for i, vectors in enumerate(theirs.coordinates):
        near = np.linalg.norm(vectors.data, axis=1) <= 1.5
        strong = near & (vectors.intensity > 1e-6 * known.intensity.max())
        xy, intensity, _hkl = ours.pattern(i)
        mine = intensity > 1e-6
        assert strong.sum() == mine.sum()
        distance, index = cKDTree(xy[mine]).query(vectors.data[strong, :2])
        assert distance.max() < 1e-6
        assert len(set(index)) == len(index)
        expected = vectors.intensity[strong] / known.intensity.max()
        np.testing.assert_allclose(intensity[mine][index], expected, rtol=1e-4, atol=1e-8)
        number += len(index)
    assert number > 30


def test_identity_paints_a_right_and_b_star_down() -> None:
    """Hexagonal cell, e1 || a: 2a* - b* points right along a, b* = (0, 2 / (a sqrt 3)) down."""
    known = reflections(get_phase("LiNiO2"), 1.5)
    found = spots(known, [1, 0, 0, 0], max_excitation=0.03, min_intensity=0)
    xy, _intensity, hkl = found.pattern(0)
    places = {tuple(h): p for h, p in zip(hkl.tolist(), xy, strict=True)}
    np.testing.assert_allclose(places[2, -1, 0], [2 / 2.878, 0], atol=1e-6)
    np.testing.assert_allclose(places[0, 3, 0], [0, 3 * 2 / (2.878 * np.sqrt(3))], atol=1e-6)


def test_sphere_curves_towards_plus_z_as_in_diffsims() -> None:
    """A reflection is excited where z = g^2 / 2R > 0; its Friedel partner then is not."""
    known = reflections(get_phase("Au"), 1.3)
    g = 4 / 4.0782
    radius = 1 / 0.0196875
    # lab2crystal is the passive rotation: lab vector = inverse * crystal vector. For a rotation by
    # t about y its inverse takes e1 to (cos t, 0, sin t): z > 0 for t > 0
    t = np.arcsin(g / (2 * radius))
    found = spots(known, [np.cos(t / 2), 0, np.sin(t / 2), 0], 300.0, thickness_nm=50)
    _xy, intensity, hkl = found.pattern(0)
    strength = {tuple(h): float(v) for h, v in zip(hkl.tolist(), intensity, strict=True)}
    full = known.intensity[(known.hkl == (4, 0, 0)).all(axis=1)][0] / known.intensity.max()
    assert strength[4, 0, 0] == pytest.approx(full, rel=1e-4)
    assert strength.get((-4, 0, 0), 0.0) < 0.01 * full


def test_precession_is_the_mean_over_the_revolution() -> None:
    from orix.quaternion import Rotation

    known, q = reflections(get_phase("LiNiO2"), 1.5), random_quaternions(4)
    tilt, sigma, radius = np.radians(0.6), np.pi * 200, 1 / 0.01968749
    found = spots(known, q, thickness_nm=20, precession_deg=0.6, min_intensity=1e-5)
    angles = np.linspace(0, 2 * np.pi, 20001)[:-1]
    for i in range(4):
        own = found.reflection[found.starts[i] : found.starts[i + 1]]
        x, y, z = (known.g[own] @ Rotation(q[i]).to_matrix()[0]).T
        s = radius - np.sqrt(radius**2 - x**2 - y**2) - z
        swing = np.hypot(x, y)[:, None] * tilt * np.cos(angles)
        mean = (1 / (1 + (sigma * (s[:, None] + swing)) ** 2)).mean(axis=1)
        expected = mean * known.intensity[own] / known.intensity.max()
        np.testing.assert_allclose(found.pattern(i)[1], expected, rtol=1e-3)
    assert len(found.xy) > 40


def test_more_precession_more_spots() -> None:
    known, q = reflections(get_phase("LiNiO2"), 1.5), random_quaternions(50)
    counts = [
        len(spots(known, q, precession_deg=angle, max_excitation=0.004).xy) for angle in (0, 0.6, 1)
    ]
    assert counts[0] < counts[1] < counts[2]


def test_spots_are_the_same_alone_or_in_a_batch() -> None:
    known, q = reflections(get_phase("Si"), 1.5), random_quaternions(5)
    together = spots(known, q)
    for i in range(5):
        for a, b in zip(together.pattern(i), spots(known, q[i]).pattern(0), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(spots(known, -2 * q).hkl, together.hkl)
    np.testing.assert_allclose(spots(known, -2 * q).xy, together.xy, atol=1e-7)


@pytest.mark.parametrize("quaternions", [[1, 0, 0], [0, 0, 0, 0], [np.nan, 0, 0, 1]])
def test_bad_quaternions(quaternions: list[float]) -> None:
    with pytest.raises(ValueError, match="quaternions"):
        spots(reflections(get_phase("Si"), 1.0), quaternions)


def test_bad_numbers_are_refused() -> None:
    known = reflections(get_phase("Si"), 1.0)
    with pytest.raises(ValueError, match="positive"):
        spots(known, [1, 0, 0, 0], voltage_kv=0)
    with pytest.raises(ValueError, match="positive"):
        pattern_images(spots(known, [1, 0, 0, 0]), pixel_size=0)
    with pytest.raises(ValueError, match="no reflection"):
        reflections(get_phase("Si"), 0.1)


def test_forbidden_reflections_alone_are_none() -> None:
    """(100) of Si, at 0.18 1/angstrom, has nothing but rounding; (111), at 0.32, is the first."""
    with pytest.raises(ValueError, match="no reflection"):
        reflections(get_phase("Si"), 0.25)
    first = reflections(get_phase("Si"), 0.32)
    assert {tuple(np.abs(hkl)) for hkl in first.hkl} == {(1, 1, 1)}
    assert len(first) == 8


@pytest.mark.parametrize("profile", ["disk", "gaussian"])
def test_drawn_spots_lie_where_the_convention_says(profile: str) -> None:
    known = reflections(get_phase("GaAs"), 1.0)
    found = spots(known, random_quaternions(6), thickness_nm=5, min_intensity=1e-3)
    for i in range(6):
        xy, intensity, _ = found.pattern(i)
        strongest = int(intensity.argmax())
        image = pattern_images(
            found, (128, 140), 0.0171, radius=0.03, profile=profile, spot_counts=1000
        )[i]
        column, row = 70 + xy[strongest, 0] / 0.0171, 64 + xy[strongest, 1] / 0.0171
        ky, kx = np.indices(image.shape)
        near = np.hypot(ky - row, kx - column) < 8
        assert image[near].sum() == pytest.approx(1000 * intensity[strongest], rel=0.02)
        assert (image * ky)[near].sum() / image[near].sum() == pytest.approx(row, abs=0.05)
        assert (image * kx)[near].sum() / image[near].sum() == pytest.approx(column, abs=0.05)


def test_counts_add_up() -> None:
    found = spots(reflections(get_phase("Al"), 0.8), [1, 0, 0, 0])
    sums = [
        pattern_images(found, **{name: 500.0, "spot_counts": 0.0} | extra).sum()
        for name, extra in (
            ("direct_counts", {}),
            ("background_counts", {}),
            ("spot_counts", {"spot_counts": 500.0}),
        )
    ]
    np.testing.assert_allclose(sums[:2], 500, rtol=1e-5)
    assert sums[2] == pytest.approx(500 * found.intensity.sum(), rel=1e-4)


@pytest.mark.parametrize("mean", [0.05, 0.7, 5.0, 40.0, 90.0])
def test_noise_is_poisson(mean: float) -> None:
    found = spots(reflections(get_phase("Al"), 0.8), np.tile([1.0, 0, 0, 0], (20, 1)))
    flat = pattern_images(
        found, (64, 64), spot_counts=0, background_counts=mean * 64 * 64, background_width=1e6,
        noise_seed=3,
    )  # fmt: skip
    assert flat.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / flat.size))
    assert flat.var() == pytest.approx(mean, rel=0.04)
    numbers = np.arange(int(mean + 6 * np.sqrt(mean)) + 2)
    share = np.bincount(flat.astype(int).ravel(), minlength=len(numbers))[: len(numbers)]
    assert np.abs(share / flat.size - poisson.pmf(numbers, mean)).max() < 0.006
    # neighbours in the pattern and from pattern to pattern are independent
    deviation = flat - flat.mean()
    for other in (np.roll(deviation, 1, 0), np.roll(deviation, 1, 1), np.roll(deviation, 1, 2)):
        assert abs((deviation * other).mean()) < 0.02 * mean


def test_noise_depends_on_seed_and_number_alone() -> None:
    found = spots(reflections(get_phase("Al"), 0.8), random_quaternions(6))
    look = {"background_counts": 2000.0, "spot_counts": 500.0, "dtype": np.uint8}
    whole = pattern_images(found, noise_seed=1, **look)
    again = pattern_images(found, noise_seed=1, **look)
    other = pattern_images(found, noise_seed=2, **look)
    np.testing.assert_array_equal(whole, again)
    assert (whole != other).mean() > 0.05
    last = spots(reflections(get_phase("Al"), 0.8), random_quaternions(6)[4:])
    np.testing.assert_array_equal(pattern_images(last, noise_seed=1, first=4, **look), whole[4:])


def test_integer_cameras_saturate() -> None:
    found = spots(reflections(get_phase("Al"), 0.8), [1, 0, 0, 0])
    image = pattern_images(found, direct_counts=1e6, dtype=np.uint8, noise_seed=0)[0]
    assert image[64, 64] == 255
