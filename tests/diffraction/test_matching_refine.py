"""Orientations between those of the library, exact where the patterns are."""

import math

import numpy as np
import pytest

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    beam_operator,
    misorientation_angle,
    multiply,
    random_orientations,
    tilt_and_in_plane,
)
from napari_orient.data.reciprocal import scan_to_pattern, to_pattern
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction.matching.polar import polar_grid, prepare
from napari_orient.diffraction.matching.refine import climb, filtered, refine, spot_model
from napari_orient.diffraction.matching.resolve import apart, partners, resolve
from napari_orient.diffraction.simulate import reflections, spots

SHAPE, RADIUS, POWER = (128, 128), 0.06, 0.4
LEVELLING = 1.0  # as the patterns are drawn
OPTICS = {"thickness_nm": 12.0, "precession_deg": 0.6}


def quantity(value, unit):
    return Quantity(value=value, unit=unit, source="simulated")


def calibrated(**changes):
    known = {
        "pixel_size": quantity((0.02, 0.02), "1/angstrom"),
        "centre": quantity((64.0, 64.0), "px"),
        "voltage": quantity(300.0, "kV"),
        "rotation": quantity(0.0, "deg"),
        "flip": quantity(0.0, ""),
    }
    return Calibration(**(known | changes))


def laid(calibration):
    return polar_grid(calibration, SHAPE, radius=RADIUS, min_g=0.12, max_g=1.2, power=POWER)


def modelled(name):
    phase = get_phase(name)
    source = reflections(phase, 1.5)
    return phase, source, spot_model(phase, source, voltage_kv=300.0, levelling=LEVELLING, **OPTICS)


def painted(source, quaternions, calibration, counts=1e5):
    """Disks of their own making, through the calibration of the scan."""
    drawn = spots(source, quaternions, 300.0, **OPTICS)
    row, column = np.indices(SHAPE)
    images = np.zeros((len(quaternions), *SHAPE))
    for image, index in zip(images, range(len(quaternions)), strict=True):
        xy, intensity, _hkl = drawn.pattern(index)
        places = to_pattern(calibration, *scan_to_pattern(calibration, xy[:, 1], xy[:, 0]))
        for r, c, value in zip(*places, intensity, strict=True):
            image += counts * value * np.clip(3.5 - np.hypot(row - r, column - c), 0, 1)
    return images


def nearby(quaternions, degrees, seed=0):
    """Turned about each axis of the lab by up to so many degrees."""
    half = np.radians(np.random.default_rng(seed).uniform(-1, 1, (len(quaternions), 3))) / 2
    half *= degrees
    return multiply(
        quaternions, np.concatenate([np.sqrt(1 - (half**2).sum(1, keepdims=True)), half], 1)
    )


CAMERAS = [
    {},
    {"rotation": quantity(37.0, "deg")},
    {"flip": quantity(1.0, ""), "rotation": quantity(-120.0, "deg")},
    {"ellipse": quantity((1.06, 30.0), "")},
    {"centre": quantity((60.3, 66.8), "px")},
]


@pytest.mark.parametrize("changes", CAMERAS)
def test_refinement_finds_the_orientation_with_any_camera(changes):
    calibration, true = calibrated(**changes), random_orientations(12, seed=3)
    _phase, source, model = modelled("LiNiO2")
    grid = laid(calibration)
    prepared = prepare(painted(source, true, calibration), grid)
    start = nearby(true, 0.5)
    found = refine(prepared, grid, (model,), start[:, None], np.zeros((12, 1)), thorough=True)
    tilt, in_plane = tilt_and_in_plane(found.quaternions[:, 0], true, "-3m")
    before, _ = tilt_and_in_plane(start, true, "-3m")
    assert np.median(before) > 0.3
    assert np.median(tilt) < 0.15
    assert np.median(in_plane) < 0.06
    assert (found.score > 0.6).all()
    assert (found.score <= 1.01).all()


def test_a_coarse_library_is_enough():
    calibration, true = calibrated(), random_orientations(12, seed=5)
    _phase, source, model = modelled("Au")
    grid = laid(calibration)
    prepared = prepare(painted(source, true, calibration), grid)
    found = refine(
        prepared, grid, (model,), nearby(true, 2.0)[:, None], np.zeros((12, 1)),
        spacing_deg=4.0, thorough=True,
    )  # fmt: skip
    error = misorientation_angle(found.quaternions[:, 0], true, "m-3m")
    assert np.mean(error < 1) > 0.6


def test_missing_and_unexplained_spots_cost():
    """Half of the spots taken away, or as many put where none belong: both lower the score."""
    calibration, true = calibrated(), random_orientations(8, seed=2)
    _phase, source, model = modelled("LiNiO2")
    grid = laid(calibration)
    image = painted(source, true, calibration)
    half, more = image.copy(), image + np.rot90(image, 1, axes=(1, 2))
    half[:, :, :64] = 0
    number = np.zeros((8, 1))
    scores = []
    for one in (image, half, more):
        ready = filtered(prepare(one, grid), grid)
        scores.append(climb(ready, grid, (model,), true[:, None], number, move=False))
    whole, missing, unexplained = (one.score[:, 0] for one in scores)
    for worse in (missing, unexplained):
        assert (worse < 0.97 * whole).all()
        assert np.median(worse / whole) < 0.85


def test_no_candidate_and_no_pattern_give_no_score():
    calibration = calibrated()
    _phase, _source, model = modelled("Au")
    grid = laid(calibration)
    start = np.full((2, 1, 4), np.nan)
    start[1] = [1, 0, 0, 0]
    nothing = prepare(np.zeros((2, *SHAPE)), grid)
    assert not nothing.images.any()
    found = refine(nothing, grid, (model,), start, np.array([[-1], [0]]))
    assert (found.score == -np.inf).all()


def test_half_turn_about_the_zone_axis_is_a_partner():
    """Tilted by 2 degrees from [0001] of LiNiO2: the turn about c, not about the beam, fits."""
    _phase, _source, model = modelled("LiNiO2")
    angle = math.radians(1.0)
    tilted = np.array([[math.cos(angle), math.sin(angle), 0, 0]])
    beam, crystal = partners(model, tilted, 1.2)
    np.testing.assert_allclose(beam[0, 0], multiply(tilted, beam_operator())[0])
    about_c = multiply(np.array([0.0, 0, 0, 1]), tilted)
    np.testing.assert_allclose(np.abs((beam[0, 1] * about_c).sum()), 1, atol=1e-12)
    assert crystal.shape == (1, 4, 4)
    # 2 degrees of tilt, there and back: the two partners are 4 degrees apart
    assert apart(beam[:, 0], beam[:, 1], model.group)[0] == pytest.approx(4, abs=1e-6)


def test_a_partner_that_is_better_wins():
    """Given the half turn alone, the orientation is found all the same."""
    calibration, true = calibrated(), random_orientations(16, seed=11)
    _phase, source, model = modelled("LiNiO2")
    grid = laid(calibration)
    prepared = prepare(painted(source, true, calibration), grid)
    wrong = multiply(nearby(true, 0.4), beam_operator())
    found = resolve(prepared, grid, (model,), wrong[:, None], np.zeros((16, 1), np.int32))
    error = misorientation_angle(found.best.quaternions[:, 0], true, "-3m")
    assert np.mean(error < 1) >= 0.8
    score = np.where(np.isfinite(found.best.score), found.best.score, -1)
    assert (np.diff(score, axis=1) <= 0).all()
