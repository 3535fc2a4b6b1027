"""Which solutions are believed."""

import numpy as np
import pytest

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import multiply, random_orientations
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.diffraction.matching.judge import lowest_q, match_patterns
from napari_orient.diffraction.matching.library import build_library
from napari_orient.diffraction.matching.match import BEAM, CRYSTAL
from napari_orient.diffraction.matching.polar import polar_grid, prepare, unroll
from napari_orient.diffraction.matching.refine import spot_model
from napari_orient.diffraction.matching.search import search
from napari_orient.diffraction.simulate import Spots, pattern_images, reflections, spots
from napari_orient.jobs import run

SHAPE, PIXEL, RADIUS, POWER = (96, 96), 0.026, 0.06, 0.4
LEVELLING = 0.5  # as the patterns are drawn
OPTICS = {"thickness_nm": 20.0, "precession_deg": 0.6}
N = 16


def quantity(value, unit):
    return Quantity(value=value, unit=unit, source="simulated")


@pytest.fixture(scope="module")
def world():
    """Grid, library, reflections and spot model of LiNiO2."""
    calibration = Calibration(
        pixel_size=quantity((PIXEL, PIXEL), "1/angstrom"),
        centre=quantity((48.0, 48.0), "px"),
        voltage=quantity(300.0, "kV"),
    )
    grid = polar_grid(calibration, SHAPE, radius=RADIUS, min_g=0.12, max_g=1.2, power=POWER)
    phase = get_phase("LiNiO2")
    library = run(build_library(phase, grid, voltage_kv=300.0, spacing_deg=2.0, **OPTICS))
    source = reflections(phase, 1.5)
    model = spot_model(phase, source, voltage_kv=300.0, levelling=LEVELLING, **OPTICS)
    return grid, library, source, model


def matched(world, images, **options):
    grid, library, _source, model = world
    prepared = prepare(images, grid)
    found = search(unroll(prepared, grid), [library], 5, spacing_deg=2.0)
    return match_patterns(
        prepared, grid, (model,), found.quaternions, found.phase_id, spacing_deg=2.0, **options
    )


def drawn(found, dose=1.0, spot=1e4, **options):
    return pattern_images(
        found, SHAPE, PIXEL, radius=RADIUS, spot_counts=spot * dose, direct_counts=5e4 * dose,
        background_counts=2e4 * dose, power=0.5, noise_seed=1, **options,
    )  # fmt: skip


def nothing(hkl):
    empty = np.zeros(0, np.float32)
    return Spots(
        np.zeros(N + 1, np.int64), np.zeros((0, 2), np.float32), empty, empty.astype(np.int32), hkl
    )


@pytest.mark.parametrize("dose", [0.02, 1.0, 20.0])
def test_vacuum_is_not_indexed_at_any_dose(world, dose):
    found = matched(world, drawn(nothing(world[2].hkl), dose))
    assert not found.indexed.any()


def test_amorphous_material_is_not_indexed(world):
    y, x = np.indices(SHAPE) - 48.0
    g = np.hypot(y, x) * PIXEL
    rings = 40 * np.exp(-(((g - 0.4) / 0.06) ** 2) / 2) + 20 * np.exp(
        -(((g - 0.75) / 0.1) ** 2) / 2
    )
    noise = np.random.default_rng(0)
    images = drawn(nothing(world[2].hkl)) + noise.poisson(rings, (N, *SHAPE))
    assert not matched(world, images).indexed.any()


def test_crystals_are_indexed_down_to_a_fiftieth_of_the_dose(world):
    source = spots(world[2], random_orientations(N, seed=4), 300.0, **OPTICS)
    q = []
    for dose in (1.0, 0.02):
        found = matched(world, drawn(source, dose))
        assert found.indexed.all()
        assert (found.q > lowest_q(world[0])).all()
        assert ((found.r >= 0) & (found.r <= 100)).all()
        q.append(np.median(found.q))
    assert q[0] > q[1] + 10


def test_least_q_that_is_given_decides(world):
    images = drawn(spots(world[2], random_orientations(N, seed=4), 300.0, **OPTICS))
    assert not matched(world, images, min_q=99.9).indexed.any()
    assert matched(world, drawn(nothing(world[2].hkl)), min_q=0.0).indexed.all()


def test_what_cannot_be_told_apart_is_flagged(world):
    """Near [0001] only the zero layer is seen: it stays the same turned by 60 degrees about c."""
    rng = np.random.default_rng(0)
    tilt, turn = np.radians(rng.uniform(0.6, 1.4, N)) / 2, rng.uniform(0, np.pi, N)
    zero = np.zeros(N)
    spin = np.stack([np.cos(turn), zero, zero, np.sin(turn)], axis=1)
    lean = np.stack([np.cos(tilt), np.sin(tilt), zero, zero], axis=1)
    near = multiply(multiply(spin, lean), spin[::-1])
    found = matched(world, drawn(spots(world[2], near, 300.0, **OPTICS)))
    assert found.indexed.all()
    assert ((found.ambiguous & CRYSTAL) > 0).mean() > 0.9
    assert ((found.ambiguous & BEAM) > 0).mean() > 0.9  # the same turn, 180 = 3 x 60 degrees
    assert np.median(found.crystal_margin) < 0.5
    clear = matched(world, drawn(spots(world[2], random_orientations(N, seed=9), 300.0, **OPTICS)))
    assert (clear.ambiguous == 0).mean() > 0.6
    assert np.median(clear.crystal_margin) > 2
