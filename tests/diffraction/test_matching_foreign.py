"""Patterns of another crystal are told by the places of their spots."""

import numpy as np
import pytest
from diffraction.matching_examples import PIXEL, RADIUS, calibration, draw, quantity

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import random_orientations
from napari_orient.data.scan import Descan
from napari_orient.diffraction.matching.foreign import Explained, explained
from napari_orient.diffraction.matching.library import build_library
from napari_orient.diffraction.matching.polar import polar_grid, prepare, unroll
from napari_orient.diffraction.matching.refine import refine, spot_model
from napari_orient.diffraction.matching.search import search
from napari_orient.diffraction.simulate import reflections, spots
from napari_orient.jobs import run

OPTICS = {"thickness_nm": 30.0, "precession_deg": 0.6}
POWER = 0.4
N = 24


def grid_of(known):
    return polar_grid(known, (128, 128), radius=RADIUS, min_g=0.14, max_g=1.2, power=POWER)


def model_of(name):
    phase = get_phase(name)
    source = reflections(phase, 1.5)
    model = spot_model(phase, source, voltage_kv=200.0, **OPTICS)
    return phase, source, model


def patterns(source, quaternions, known, at=None, spot=2e4, seed=1):
    drawn = spots(source, quaternions, 200.0, **OPTICS)
    options = {"background_counts": 5000.0, "power": 0.5, "spot_counts": spot, "noise_seed": seed}
    return draw(drawn, known, at=at, **options)


@pytest.fixture(scope="module")
def nickelate():
    return model_of("LiNiO2")


def test_right_solutions_explain_their_patterns_whatever_the_axes(nickelate):
    """A rotated, mirrored scan with an ellipse and a drifting beam; wrong sides explain nothing."""
    _phase, source, model = nickelate
    known = calibration(
        rotation=quantity(31.0, "deg"),
        flip=quantity(1.0),
        ellipse=quantity((1.05, 20.0)),
        descan=Descan(ky=(0.1, -0.3), kx=(0.2, 0.15), origin=(0.0, 0.0), source="simulated"),
    )
    grid, q, at = grid_of(known), random_orientations(N, seed=3), (11.0, 17.0)
    images = prepare(patterns(source, q, known, at=at), grid, np.tile(at, (N, 1))).images
    where, zero = np.tile(at, (N, 1)), np.zeros(N, int)
    found = explained(images, grid, (model,), q, zero, where)
    assert (found.spots >= 3).all()
    assert not found.foreign.any()
    assert np.median(found.observed) > 0.97
    assert np.median(found.predicted) > 0.85
    without_descan = explained(images, grid, (model,), q, zero)
    assert without_descan.foreign.mean() > 0.9
    conjugate = explained(images, grid, (model,), q * [1, -1, -1, -1], zero, where)
    assert conjugate.foreign.mean() > 0.9


def test_shares_of_hand_made_spots_are_exact(nickelate):
    """Every other predicted spot is there with a height of 2, and three of 1 where none is."""
    _phase, source, model = nickelate
    grid, q = grid_of(calibration()), random_orientations(1, seed=5)
    xy, intensity, _hkl = spots(source, q, 200.0, **OPTICS).pattern(0)
    edge = grid.radius / 2
    pixels = xy[:, ::-1] / PIXEL + 64
    g = np.hypot(*xy.T) / PIXEL
    whole = (g > grid.g[0] / PIXEL + edge) & (g < grid.g[-1] / PIXEL - edge)
    whole &= ((pixels > edge) & (pixels < 127 - edge)).all(axis=1)
    shown = np.flatnonzero(whole)[::2]
    ky, kx = np.indices((128, 128))
    image = np.full((128, 128), -1e-3, np.float32)  # the noise of the background
    taken = list(np.rint(pixels).astype(int))
    added = []
    for r, c in np.random.default_rng(0).integers(30, 98, (1000, 2)):
        distance = np.hypot(*(np.array(taken) - [r, c]).T).min()
        if distance > 9 and np.hypot(r - 64, c - 64) > 20 and len(added) < 3:
            added.append((r, c))
            taken.append(np.array([r, c]))
    assert len(added) == 3
    for (r, c), height in [(taken[i], 2.0) for i in shown] + [(p, 1.0) for p in added]:
        np.maximum(image, height * np.exp(-((ky - r) ** 2 + (kx - c) ** 2) / 4), out=image,
                   where=(ky - r) ** 2 + (kx - c) ** 2 < 9)  # fmt: skip
    found = explained(image[None], grid, (model,), q, np.zeros(1, int))
    m = len(shown)
    assert found.spots[0] == m + 3
    assert found.observed[0] == pytest.approx(2 * m / (2 * m + 3), rel=1e-6)
    strength = intensity.astype(float) ** POWER
    assert found.predicted[0] == pytest.approx(strength[shown].sum() / strength[whole].sum())
    assert found.share[0] == pytest.approx(np.sqrt(found.observed[0] * found.predicted[0]))


def test_nothing_is_not_foreign(nickelate):
    grid = grid_of(calibration())
    images = np.zeros((2, 128, 128), np.float32)
    found = explained(images, grid, (nickelate[2],), [[1, 0, 0, 0], [np.nan] * 4], [0, -1])
    assert (found.spots == 0).all()
    assert (found.share == 0).all()
    assert not found.foreign.any()


def test_two_spots_are_too_few_to_say():
    observed, predicted = np.array([0.1, 0.1, 0.9, 0.4]), np.array([0.2, 0.2, 0.1, 0.9])
    found = Explained(observed, predicted, np.array([2, 3, 9, 9]))
    assert found.foreign.tolist() == [False, True, False, False]


def test_another_crystal_is_told_and_mixtures_stay(nickelate):
    """The best orientations of LiNiO2 for patterns of itself, of halves of two, and of Si."""
    phase, source, model = nickelate
    known = calibration()
    grid = grid_of(known)
    library = run(build_library(phase, grid, voltage_kv=200.0, spacing_deg=2.5, **OPTICS))

    def told(images):
        prepared = prepare(images, grid)
        found = search(unroll(prepared, grid), [library], 3, spacing_deg=2.5)
        best = refine(
            prepared, grid, (model,), found.quaternions, found.phase_id, spacing_deg=2.5,
            thorough=True,
        )  # fmt: skip
        first = best.score.argmax(axis=1)
        rows = np.arange(len(images))
        return explained(
            prepared.images, grid, (model,), best.quaternions[rows, first],
            best.phase_id[rows, first],
        ).foreign  # fmt: skip

    own = patterns(source, random_orientations(2 * N, seed=8), known)
    assert told(own).mean() < 0.03
    assert told((own[:N] + own[N:]) / 2).mean() < 0.2
    silicon = patterns(reflections(get_phase("Si"), 1.5), random_orientations(2 * N, seed=9), known)
    assert told(silicon).mean() > 0.85
