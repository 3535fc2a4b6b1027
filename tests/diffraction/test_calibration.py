"""Centre, pixel size, ellipse, rotation: recovered from simulated rings and spots with noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from camera_examples import (
    Truth,
    background,
    grain_pattern,
    guess,
    lengths,
    place,
    random_truth,
    ring_pattern,
    stamp,
    zone_pattern,
)

from napari_orient.crystal.phases import get_phase
from napari_orient.data.reciprocal import scan_to_pattern, to_pattern, to_reciprocal
from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
from napari_orient.diffraction.camera.pattern_fit import (
    FITTED,
    Camera,
    NoRingsFound,
    PatternFit,
    as_fit,
    fit_camera,
)
from napari_orient.diffraction.camera.ring_fit import fit_rings
from napari_orient.diffraction.camera.rings import expected_rings, radial_profile
from napari_orient.diffraction.camera.rotation import fit_rotation_com, fit_rotation_known
from napari_orient.diffraction.camera.spot_fit import fit_spots
from napari_orient.diffraction.camera.spots import find_spots, scan_spots
from napari_orient.diffraction.simulate import reflections, spots
from napari_orient.jobs import Progress, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (256, 256)


def check(fit: PatternFit, truth: Truth) -> None:
    """Centre 0.1 px, size 0.3 %, ellipticity 0.3 % (as a vector: ratio and angle together)."""
    ky, kx = fit.centre.pair
    assert math.hypot(ky - truth.centre[0], kx - truth.centre[1]) < 0.1
    assert fit.pixel_size.number == pytest.approx(truth.size, rel=0.003)
    ratio, angle = fit.ellipse.value
    bend = math.log(ratio) * np.exp(2j * math.radians(angle))
    assert abs(bend - math.log(truth.ratio) * np.exp(2j * math.radians(truth.angle))) < 0.003
    assert {fit.centre.source, fit.pixel_size.source, fit.ellipse.source} == {"measured"}


def axis_angle(axis: tuple[float, float, float], degrees: float) -> NDArray[np.float64]:
    n = np.array(axis) / np.linalg.norm(axis)
    half = math.radians(degrees) / 2
    return np.array([math.cos(half), *(math.sin(half) * n)])


def times(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    w, v = a[0], a[1:]
    return np.array([w * b[0] - v @ b[1:], *(w * b[1:] + b[0] * v + np.cross(v, b[1:]))])


ZONES = {
    "001": axis_angle((1, 0, 0), 0),
    "011": axis_angle((1, 0, 0), -45),
    "111": axis_angle((-1, 1, 0), 54.7356),
}


def near_zone(zone: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """A zone axis along the beam, about a degree beside it, turned in the plane at random."""
    tilt = axis_angle((rng.normal(), rng.normal(), 0), rng.normal())
    return times(times(ZONES[zone], tilt), axis_angle((0, 0, 1), rng.uniform(0, 360)))


def rings_case(phase: str, kind: str, seed: int) -> tuple[PatternFit, Truth]:
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, SHAPE)
    draw = ring_pattern if kind == "smooth" else grain_pattern
    pattern = draw(phase, truth, rng, SHAPE)
    return run(fit_rings(pattern, get_phase(phase), guess(truth, rng, SHAPE))), truth


@pytest.mark.parametrize(("phase", "kind"), [("Au", "smooth"), ("Al", "grains")])
def test_rings_give_the_camera(phase: str, kind: str) -> None:
    fit, truth = rings_case(phase, kind, 1)
    check(fit, truth)
    assert fit.rms < 0.5
    assert "rings" in fit.pixel_size.note
    assert fit.names[:2] == ("111", "200")
    # the points are on the true rings, for the overlay
    g = np.hypot(*(np.linalg.inv(jacobian(truth)) @ (fit.points - truth.centre).T))
    nearest = np.abs(g[:, None] - fit.radii).min(axis=1)
    assert np.median(nearest) < 0.5 * truth.size


def jacobian(truth: Truth) -> NDArray[np.float64]:
    """Pixels (ky, kx) by 1/angstrom (y, x)."""
    unit = place(truth, np.array([0.0, 1.0]), np.array([1.0, 0.0])) - truth.centre
    return unit.T


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["smooth", "grains"])
@pytest.mark.parametrize("phase", ["Au", "Al"])
@pytest.mark.parametrize("seed", range(20))
def test_rings_give_the_camera_in_many_cases(phase: str, kind: str, seed: int) -> None:
    check(*rings_case(phase, kind, 100 + seed))


def test_rings_without_a_first_guess_of_the_size() -> None:
    rng = np.random.default_rng(5)
    truth = random_truth(rng, SHAPE)
    start = Calibration(voltage=Quantity(value=200.0, unit="kV"))
    fit = run(fit_rings(ring_pattern("Au", truth, rng, SHAPE), get_phase("Au"), start))
    check(fit, truth)


def test_rings_behind_a_beam_stop_with_dead_pixels() -> None:
    rng = np.random.default_rng(6)
    truth = random_truth(rng, SHAPE)
    pattern = ring_pattern("Au", truth, rng, SHAPE)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    beam = np.hypot(y - truth.centre[0], x - truth.centre[1]) < 15
    pattern[beam | ((abs(x - truth.centre[1]) < 6) & (y < truth.centre[0]))] = 0.5
    pattern[100:110] = np.nan
    start = guess(truth, rng, SHAPE)
    check(run(fit_rings(pattern, get_phase("Au"), start)), truth)


def test_what_is_not_fitted_stays() -> None:
    rng = np.random.default_rng(7)
    truth = random_truth(rng, SHAPE)._replace(ratio=1.0)
    pattern = ring_pattern("Au", truth, rng, SHAPE)
    start = guess(truth, rng, SHAPE).set(centre=Quantity(value=truth.centre, source="typed"))
    events = []
    fit = run(fit_rings(pattern, get_phase("Au"), start, fit=["pixel_size"]), events.append)
    assert any(isinstance(event, Progress) for event in events)
    assert fit.centre == start.centre
    assert fit.ellipse is None
    assert set(fit.errors) == {"pixel_size"}
    assert fit.pixel_size.number == pytest.approx(truth.size, rel=0.003)
    assert fit.apply(start).pixel_size == fit.pixel_size


def no_rings(kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    truth = Truth((130.0, 126.0), 0.0085, 1.0, 0.0)
    if kind == "noise":
        return rng.poisson(20.0, SHAPE).astype(float)
    if kind == "halo":
        return rng.poisson(background(lengths(truth, SHAPE), 200.0, 1e4)).astype(float)
    return zone_pattern("Si", truth, rng, near_zone("001", rng), SHAPE)


@pytest.mark.parametrize("kind", ["noise", "halo", "spots"])
def test_patterns_without_rings_are_refused(kind: str) -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        start = guess(Truth((130.0, 126.0), 0.0085, 1.0, 0.0), rng, SHAPE)
        with pytest.raises(NoRingsFound, match="no rings"):
            run(fit_rings(no_rings(kind, rng), get_phase("Au"), start))


@pytest.mark.parametrize("wrong", ["Fe", "LiNiO2", "Si"])
def test_rings_of_another_phase_are_refused(wrong: str) -> None:
    rng = np.random.default_rng(1)
    truth = random_truth(rng, SHAPE)
    pattern = ring_pattern("Au", truth, rng, SHAPE)
    with pytest.raises(NoRingsFound, match="no rings"):
        run(fit_rings(pattern, get_phase(wrong), guess(truth, rng, SHAPE)))


def spots_case(phase: str, zone: str, seed: int) -> tuple[PatternFit, Truth]:
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, SHAPE)
    if zone == "many":
        several = [zone_pattern(phase, truth, rng, rng.normal(size=4), SHAPE) for _ in range(30)]
        pattern = np.max(several, axis=0)
    else:
        pattern = zone_pattern(phase, truth, rng, near_zone(zone, rng), SHAPE)
    return run(fit_spots(pattern, get_phase(phase), guess(truth, rng, SHAPE))), truth


@pytest.mark.parametrize(
    ("phase", "zone"), [("Si", "011"), ("Si", "111"), ("LiNiO2", "001"), ("LiNiO2", "many")]
)
def test_spots_give_the_camera(phase: str, zone: str) -> None:
    fit, truth = spots_case(phase, zone, 3)
    check(fit, truth)
    assert "spots" in fit.centre.note


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "zone"),
    [("Si", "001"), ("Si", "011"), ("Si", "111"), ("Si", "many"), ("LiNiO2", "many")],
)
@pytest.mark.parametrize("seed", range(20))
def test_spots_give_the_camera_in_many_cases(phase: str, zone: str, seed: int) -> None:
    check(*spots_case(phase, zone, 200 + seed))


def test_positions_alone_are_enough() -> None:
    rng = np.random.default_rng(8)
    truth = random_truth(rng, SHAPE)
    pattern = zone_pattern("Si", truth, rng, near_zone("011", rng), SHAPE)
    positions = find_spots(pattern).positions
    start = guess(truth, rng, SHAPE)
    check(run(fit_spots(None, get_phase("Si"), start, positions=positions)), truth)
    with pytest.raises(NoRingsFound, match="6 are needed"):
        run(fit_spots(None, get_phase("Si"), start, positions=positions[:5]))
    with pytest.raises(ValueError, match="first guess of the pixel size"):
        run(fit_spots(pattern, get_phase("Si"), start.set(pixel_size=None)))


def test_spots_of_many_patterns_of_a_scan() -> None:
    """Sixteen patterns with a drifting beam, LiNiO2 in any orientation: no single one would do."""
    rng = np.random.default_rng(10)
    truth = random_truth(rng, SHAPE)
    data = np.zeros((2, 8, *SHAPE), np.uint16)
    drift = Descan(ky=(1.0, 0.5), kx=(0.0, -0.7), origin=(0.5, 3.5))
    for y, x in np.ndindex(2, 8):
        ky, kx = (float(d) for d in drift.drift(y, x))
        here = truth._replace(centre=(truth.centre[0] + ky, truth.centre[1] + kx))
        data[y, x] = zone_pattern("LiNiO2", here, rng, rng.normal(size=4), SHAPE)
    start = guess(truth, rng, SHAPE).set(descan=drift)
    positions = run(scan_spots(Scan(data, start), patterns=16, most=20))
    assert len(positions) > 80
    check(run(fit_spots(None, get_phase("LiNiO2"), start, positions=positions)), truth)


def test_one_row_of_spots_shows_no_ellipse() -> None:
    row = np.stack([np.full(9, 128.0), 128 + 25.0 * np.arange(-4, 5)], axis=1)
    start = guess(Truth((128, 128), 0.0085, 1, 0), np.random.default_rng(0), SHAPE)
    with pytest.raises(NoRingsFound, match="one line"):
        run(fit_spots(None, get_phase("Si"), start, positions=row))


def test_spots_are_found_to_a_tenth_of_a_pixel() -> None:
    rng = np.random.default_rng(9)
    at = np.array([[40.3, 60.7], [90.0, 100.5], [200.25, 30.1], [128.4, 129.6]])
    image = stamp(SHAPE, at, np.array([80.0, 200.0, 120.0, 4000.0]), 3.0)
    slope = np.linspace(5, 60, SHAPE[1])
    found = find_spots(rng.poisson(image + slope).astype(float))
    assert len(found.positions) == 4
    assert (np.diff(found.intensities) <= 0).all()
    np.testing.assert_allclose(found.positions, at[[3, 1, 2, 0]], atol=0.15)
    assert len(find_spots(rng.poisson(20.0, SHAPE)).positions) < 3


def test_rings_of_aluminium() -> None:
    """fcc: 111, 200, 220, 311; multiplicities of the textbook; 511 and 333 together."""
    rings = expected_rings(get_phase("Al"), 1.0)
    assert [ring.hkl for ring in rings[:4]] == [(1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, 1)]
    assert [ring.multiplicity for ring in rings[:4]] == [8, 6, 12, 24]
    assert rings[0].d == pytest.approx(4.0495 / math.sqrt(3))
    assert max(ring.intensity for ring in rings) == 1.0
    both = [ring for ring in expected_rings(get_phase("Al"), 1.4) if ring.others]
    assert [(ring.hkl, ring.others) for ring in both] == [((5, 1, 1), ((3, 3, 3),))]
    assert both[0].multiplicity == 32


def test_radial_profile_of_an_elliptic_ring_is_sharp() -> None:
    truth = Truth((100.0, 120.0), 0.01, 1.05, 25.0)
    g = lengths(truth, (220, 240))
    image = np.exp(-0.5 * ((g - 0.6) / 0.008) ** 2)
    known = Calibration(
        centre=Quantity(value=truth.centre),
        pixel_size=Quantity(value=0.01),
        ellipse=Quantity(value=(1.05, 25.0)),
    )
    radius, mean = radial_profile(image, known)
    assert radius[np.nanargmax(mean)] == 60
    assert np.nanmax(mean) > 0.93
    assert np.nanmax(radial_profile(image, known.set(ellipse=None))[1]) < 0.75


def turned_patterns(
    truth: Truth, rotation: float, flip: bool, quaternions: NDArray[np.float64], seed: int
) -> list[NDArray[np.float64]]:
    """Patterns whose kx (reversed, if flipped) lies at ``rotation`` from the scan's x to y."""
    rng = np.random.default_rng(seed)
    drawn = spots(
        reflections(get_phase("Si"), 1.4),
        quaternions,
        200.0,
        thickness_nm=15.0,
        max_excitation=0.03,
    )
    t = math.radians(rotation)
    found = []
    for i in range(len(quaternions)):
        xy, intensity, _ = drawn.pattern(i)
        x, y = xy.T.astype(float)
        gx, gy = x * math.cos(t) + y * math.sin(t), -x * math.sin(t) + y * math.cos(t)
        points = place(truth, -gx if flip else gx, gy)
        image = stamp(SHAPE, points, 400 * intensity.astype(float) ** 0.4, 0.02 / truth.size)
        found.append(
            rng.poisson(image + background(lengths(truth, SHAPE), 20.0, 3000.0)).astype(float)
        )
    return found


def rotation_case(seed: int, patterns: int = 3) -> None:
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, SHAPE)
    rotation, flip = rng.uniform(-180, 180), bool(rng.random() < 0.5)
    q = rng.normal(size=(patterns, 4))
    known = Calibration(
        centre=Quantity(value=truth.centre),
        pixel_size=Quantity(value=truth.size * 1.002),
        ellipse=Quantity(value=(truth.ratio, truth.angle)),
        voltage=Quantity(value=200.0),
    )
    images = turned_patterns(truth, rotation, flip, q, seed)
    found = run(fit_rotation_known(images, q, get_phase("Si"), known))
    assert bool(found.flip.number) == flip
    assert (found.rotation.number - rotation + 180) % 360 - 180 == pytest.approx(0, abs=0.2)
    assert found.score > found.flipped_score + 0.2
    assert found.apply(known).rotation.source == "measured"


def test_rotation_and_flip_from_known_orientations() -> None:
    rotation_case(1)  # one of them mirrored
    rotation_case(2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_rotation_in_many_cases(seed: int) -> None:
    rotation_case(300 + seed)


def test_rotation_needs_spots() -> None:
    known = guess(Truth((128, 128), 0.0085, 1, 0), np.random.default_rng(0), SHAPE)
    with pytest.raises(ValueError, match="no pattern has spots"):
        run(fit_rotation_known([np.full((64, 64), 3.0)], [1, 0, 0, 0], get_phase("Si"), known))
    with pytest.raises(ValueError, match="1 patterns and 2"):
        run(fit_rotation_known([np.ones((64, 64))], np.eye(4)[:2], get_phase("Si"), known))


@pytest.mark.parametrize("flip", [False, True])
def test_rotation_from_the_centre_of_mass(flip: bool) -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(2)
    potential = gaussian_filter(rng.normal(size=(60, 70)), 2.5)
    field = np.gradient(potential)
    truth = Calibration(rotation=Quantity(value=37.0), flip=Quantity(value=float(flip)))
    com_y, com_x = scan_to_pattern(truth, *field)
    noise = 0.1 * field[0].std()
    com_y, com_x = (c + noise * rng.normal(size=c.shape) for c in (com_y, com_x))
    found = fit_rotation_com(com_y, com_x)
    assert bool(found.flip.number) == flip
    assert found.rotation.number == pytest.approx(37.0, abs=0.5)
    assert found.opposite_score is None
    assert "180°" in found.note
    with pytest.raises(ValueError, match="does not change"):
        fit_rotation_com(np.ones((5, 5)), np.ones((5, 5)))


def test_steps_that_differ_turn_the_centre_of_mass() -> None:
    y, x = np.mgrid[:60, :140] * [[[2.5]], [[1.0]]]
    waves = [(0.11, 0.05, 1.0), (-0.06, 0.13, 0.7), (0.02, -0.09, 1.5)]
    slope = [sum(h * k[i] * np.cos(k[0] * y + k[1] * x) for *k, h in waves) for i in (0, 1)]
    truth = Calibration(rotation=Quantity(value=37.0))
    field = scan_to_pattern(truth, *slope)
    found = fit_rotation_com(*field, step=(5.0, 2.0))
    assert found.rotation.number == pytest.approx(37.0, abs=0.1)
    assert abs(fit_rotation_com(*field).rotation.number - 37.0) > 3
    assert found.score > fit_rotation_com(*field).score


UNEVEN = Calibration(
    centre=Quantity(value=(60.0, 70.0)),
    pixel_size=Quantity(value=(0.010, 0.013)),
    ellipse=Quantity(value=(1.04, 25.0)),
)


def rings_of_points(known: Calibration) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels (n, 2) on four rings, and |g| (n,) of each."""
    g = np.repeat([0.2, 0.3, 0.4, 0.5], 40)
    angle = np.tile(np.linspace(0, 2 * np.pi, 40, endpoint=False), 4)
    return np.stack(to_pattern(known, g * np.sin(angle), g * np.cos(angle)), axis=-1), g


def test_pixels_that_are_not_square() -> None:
    """The fit's camera means what the rest of the program makes of its numbers."""
    points, g = rings_of_points(UNEVEN)
    camera = Camera.of(UNEVEN)
    expected = np.stack(to_reciprocal(UNEVEN, *points.T), axis=-1)
    np.testing.assert_allclose(camera.vectors(points) * camera.size, expected, atol=1e-12)
    np.testing.assert_allclose(camera.pixels(camera.vectors(points)), points)
    start = Camera.of(UNEVEN.set(ellipse=None, centre=Quantity(value=(61.0, 68.0))))
    fitted, _, errors = fit_camera(points, g, start)
    fit = as_fit(fitted, errors, FITTED, UNEVEN, note="", rms=0.0, rings=[], points=points)
    assert fit.pixel_size.pair == pytest.approx(UNEVEN.pixel_size.pair)
    assert fit.ellipse.pair == pytest.approx(UNEVEN.ellipse.pair)
    assert fit.centre.pair == pytest.approx(UNEVEN.centre.pair)


def test_errors_are_those_of_many_fits() -> None:
    points, g = rings_of_points(UNEVEN)
    rng, fits = np.random.default_rng(4), []
    for _ in range(60):
        noisy = points + rng.normal(0, 0.4, points.shape)
        camera, _, errors = fit_camera(noisy, g, Camera.of(UNEVEN), scatter=2.0)
        more = {"note": "", "rms": 0.0, "rings": [], "points": noisy}
        fits.append(as_fit(camera, errors, FITTED, UNEVEN, **more))
    found = {
        "centre": [fit.centre.pair[0] for fit in fits],
        "pixel_size": [np.log(fit.pixel_size.pair[0]) for fit in fits],
        "ellipse": [fit.ellipse.pair[0] for fit in fits],
        "angle": [fit.ellipse.pair[1] for fit in fits],
    }
    for name, values in found.items():
        said = np.median([fit.errors[name] for fit in fits])
        assert 0.7 < said / np.std(values) < 1.4, name
