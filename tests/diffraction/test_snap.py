"""The ruler finds the spot that is meant."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.diffraction.camera.snap import nearest_spot


def picture(*places, radius=4.0, counts=40.0, background=2.0, seed=0, shape=(96, 96)):
    """Disks with soft edges on a background, Poisson noise."""
    ky, kx = np.ogrid[: shape[0], : shape[1]]
    image = np.full(shape, background)
    for y, x in places:
        image += counts * np.clip(radius + 0.5 - np.hypot(ky - y, kx - x), 0, 1)
    return np.random.default_rng(seed).poisson(image)


@pytest.mark.parametrize("radius", [1.0, 2.5, 4.0, 7.0])
def test_centre_of_a_noisy_disk(radius):
    away = []
    for seed in range(20):
        place = np.random.default_rng(seed).uniform(30, 60, 2)
        found = nearest_spot(
            picture(place, radius=radius, seed=seed), place + np.array([3.0, -2.0])
        )
        away.append(np.hypot(*(found - place)))
    assert np.mean(away) < 0.15
    assert np.max(away) < 0.4


def test_nearest_of_two_and_not_the_brightest():
    image = picture((40, 40), counts=40) + picture((40, 52), counts=100, seed=1)
    assert nearest_spot(image, (41, 42)) == pytest.approx((40, 40), abs=0.5)
    assert nearest_spot(image, (41, 50)) == pytest.approx((40, 52), abs=0.5)


def test_nothing_but_noise_is_no_spot():
    found = [nearest_spot(picture(seed=seed), (48, 48)) for seed in range(30)]
    assert found.count(None) >= 28
    assert nearest_spot(np.zeros((50, 50)), (20, 20)) is None
    assert nearest_spot(np.full((50, 50), np.nan), (20, 20)) is None


def test_slope_of_the_direct_beam_is_no_spot():
    ky, kx = np.ogrid[:96, :96]
    slope = 1000 / (1 + ((ky - 10) ** 2 + (kx - 10) ** 2) / 50)
    assert nearest_spot(slope, (48, 48)) is None


def test_at_the_edge_and_outside():
    image = picture((3, 92), counts=100)
    assert nearest_spot(image, (2, 93)) == pytest.approx((3, 92), abs=0.7)
    assert nearest_spot(image, (-40, 300)) is None
