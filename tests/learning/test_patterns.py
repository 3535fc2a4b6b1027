"""Patterns of any detector come to the geometry and the counts of drawn ones; bad ones to 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_orient.data.scan import Calibration, Descan, Quantity
from napari_orient.diffraction.excitation import SpotBatch
from napari_orient.diffraction.patterns import detector_matrix, draw_patterns
from napari_orient.learning.config import InputConfig
from napari_orient.learning.patterns import (
    input_geometry,
    network_images,
    resample,
    scale_images,
    seen_share,
)

RANDOM = np.random.default_rng(5)
PIXEL = 0.02  # of the network, 1/angstrom
NETWORK = InputConfig(size=128, pixel_size=PIXEL)
SPOTS = np.array([(0.31, -0.22), (-0.4, 0.17), (0.02, 0.51), (-0.13, -0.44), (0.45, 0.38)])
COUNTS = np.array([900.0, 500.0, 700.0, 300.0, 800.0])


def calibrated(pixel: float, shape: tuple[int, int], **known: Any) -> Calibration:
    centre = Quantity(value=(shape[0] / 2 - 0.8, shape[1] / 2 + 0.35))
    return Calibration(pixel_size=Quantity(value=pixel), centre=centre).set(**known)


def draw(
    shape: tuple[int, int], matrix: np.ndarray, centre: np.ndarray, sigma: float
) -> np.ndarray:
    """Gaussian spots, one pattern for each row of ``centre`` (n, 2)."""
    n, m = len(centre), len(SPOTS)
    own = torch.arange(n).repeat_interleave(m)
    batch = SpotBatch(own, torch.tensor(SPOTS).repeat(n, 1), torch.tensor(COUNTS).repeat(n), own, n)
    drawn = draw_patterns(
        batch, shape, torch.tensor(matrix), torch.tensor(centre), radius=sigma, profile="gaussian"
    )
    return drawn.numpy()


def drawn_directly(sigma: float) -> np.ndarray:
    return draw((128, 128), np.eye(2) / PIXEL, np.array([[63.5, 63.5]]), sigma)[0]


def on_detector(known: Calibration, shape: tuple[int, int], centres: np.ndarray) -> np.ndarray:
    """Spots 1.5 network pixels wide."""
    matrix = detector_matrix(known)
    return draw(shape, matrix, centres, 1.5 * PIXEL * np.sqrt(abs(np.linalg.det(matrix))))


def measured(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (m, 2) and counts (m,) of the spots within 7 px of where they belong."""
    y, x = np.indices(image.shape)
    places, counts = [], []
    for column, row in SPOTS / PIXEL + 63.5:
        part = np.where(np.hypot(y - row, x - column) < 7, image, 0)
        counts.append(part.sum())
        places.append((np.array([(part * y).sum(), (part * x).sum()])) / counts[-1])
    return np.array(places), np.array(counts)


DETECTORS = {
    "the same": (PIXEL, (128, 128), {}),
    "turned": (PIXEL, (128, 128), {"rotation": 33.0}),
    "mirrored, finer": (0.01, (256, 256), {"rotation": -71.0, "flip": 1.0}),
    "elliptic": (0.014, (190, 200), {"ellipse": (1.06, 25.0), "rotation": 12.0}),
    "four times as fine": (0.005, (512, 512), {"rotation": 100.0}),
    "coarser": (0.034, (80, 80), {"rotation": 5.0}),
    "oblong pixels": ((0.012, 0.016), (220, 180), {"rotation": 15.0}),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_spots_come_where_they_are_drawn(name: str) -> None:
    pixel, shape, words = DETECTORS[name]
    known = calibrated(pixel, shape, **{key: Quantity(value=v) for key, v in words.items()})
    assert known.centre is not None
    pattern = on_detector(known, shape, np.array([known.centre.pair]))
    places, counts = measured(resample(pattern, NETWORK, known)[0])
    expected = SPOTS[:, ::-1] / PIXEL + 63.5
    np.testing.assert_allclose(places, expected, atol=0.02)
    np.testing.assert_allclose(counts, COUNTS, rtol=0.02)


def test_images_are_those_of_drawn_spots() -> None:
    shape = (256, 256)
    known = calibrated(0.01, shape, rotation=Quantity(value=33.0))
    assert known.centre is not None
    pattern = on_detector(known, shape, np.array([known.centre.pair]))
    found = resample(pattern, NETWORK, known)[0]
    # the pixels of both grids blur by 1 / 12 of their square
    wider = np.sqrt(1.5**2 + (1 + 0.25) / 12)
    expected = drawn_directly(wider)
    assert np.abs(found - expected).max() < 0.02 * expected.max()
    levels = network_images(pattern, NETWORK, known)[0]
    expected = scale_images(torch.tensor(expected)[None])[0].numpy()
    assert np.abs(levels - expected).max() < 0.05


def test_a_drifting_beam_stands_still() -> None:
    shape = (160, 150)
    drift = Descan(ky=(0.31, -0.13), kx=(0.07, 0.42), origin=(10.0, 12.0))
    known = calibrated(0.015, shape, rotation=Quantity(value=-20.0), descan=drift)
    positions = RANDOM.integers(0, 25, (40, 2))
    centres = np.stack(known.centre_at(*positions.T), axis=1)
    assert np.ptp(centres, axis=0).min() > 6
    pattern = on_detector(known, shape, centres)
    for image in resample(pattern, NETWORK, known, positions):
        places, counts = measured(image)
        np.testing.assert_allclose(places, SPOTS[:, ::-1] / PIXEL + 63.5, atol=0.1)
        np.testing.assert_allclose(counts, COUNTS, rtol=0.03)


def test_no_detector_pixel_is_lost_on_the_way() -> None:
    """A single bright pixel keeps its counts, wherever it is: nothing falls between samples."""
    known = calibrated(0.006, (96, 96), rotation=Quantity(value=27.0))
    patterns = np.zeros((9, 96, 96), np.uint16)
    patterns[range(9), RANDOM.integers(20, 76, 9), RANDOM.integers(20, 76, 9)] = 60_000
    totals = resample(patterns, NETWORK, known).sum((1, 2))
    np.testing.assert_allclose(totals, 60_000, rtol=1e-3)


def test_the_whole_pattern_is_averaged() -> None:
    patterns = RANDOM.integers(0, 200, (3, 64, 96), dtype=np.uint8)
    found = resample(patterns, InputConfig(size=32))
    np.testing.assert_allclose(found, patterns.reshape(3, 32, 2, 32, 3).mean((2, 4)), rtol=1e-5)
    np.testing.assert_array_equal(
        resample(patterns[:, :, :64], InputConfig(size=64)), patterns[:, :, :64]
    )


def test_the_whole_pattern_is_interpolated() -> None:
    ramp = np.broadcast_to(np.arange(20.0), (1, 20, 20))
    found = resample(ramp, InputConfig(size=40))[0]
    expected = (np.arange(40) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(found[20, 1:-1], expected[1:-1], atol=1e-4)


def test_levels_are_the_logarithm_from_0_to_1() -> None:
    patterns = RANDOM.poisson(40.0, (4, 16, 16))
    levels = np.log1p(patterns)
    low, high = levels.min((1, 2), keepdims=True), levels.max((1, 2), keepdims=True)
    images = network_images(patterns, InputConfig(size=16))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, (levels - low) / (high - low), atol=1e-6)
    counts = torch.tensor(patterns, dtype=torch.float32)
    before = counts.clone()
    torch.testing.assert_close(scale_images(counts), torch.tensor(images))
    assert (counts == before).all()  # nothing is changed in place


@pytest.mark.parametrize("input", [InputConfig(size=32), NETWORK], ids=["whole", "geometry"])
@pytest.mark.parametrize("value", [0, 7, np.nan, -3, np.inf])
def test_constant_patterns_become_zero(input: InputConfig, value: float) -> None:
    patterns = np.full((2, 40, 40), value, np.float32)
    images = network_images(patterns, input, calibrated(PIXEL, (40, 40)))
    assert images.shape == (2, input.size, input.size)
    assert (images == 0).all()
    assert (scale_images(torch.tensor(patterns)) == 0).all()


def test_bad_pixels_count_nothing() -> None:
    good = RANDOM.poisson(40.0, (1, 32, 32)).astype(np.float32)
    good[0, 3:7, 5] = 0
    bad = good.copy()
    bad[0, 3:7, 5] = (np.nan, np.inf, -np.inf, -12)
    input = InputConfig(size=16)
    np.testing.assert_array_equal(network_images(bad, input), network_images(good, input))
    torch.testing.assert_close(scale_images(torch.tensor(bad)), scale_images(torch.tensor(good)))


def test_what_is_seen_of_the_network_grid() -> None:
    shape = (60, 60)
    geometry = input_geometry(shape, NETWORK, calibrated(PIXEL, shape))
    seen = seen_share(geometry)
    assert seen.sum() == pytest.approx(3600, rel=1e-4)
    assert seen[64, 64] == 1
    assert seen[5, 5] == 0
    np.testing.assert_allclose(seen_share(input_geometry((31, 47), InputConfig(size=16))), 1)


def test_no_patterns_are_no_images() -> None:
    assert network_images(np.empty((0, 20, 20)), InputConfig(size=16)).shape == (0, 16, 16)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"calibration": None}, "calibrate the pixel size and the centre"),
        ({"calibration": Calibration(centre=Quantity(value=(5.0, 5.0)))}, "calibrate the pixel"),
        ({"patterns": np.zeros((20, 20))}, "not an array of"),
        ({"positions": np.zeros((3, 2))}, "2 scan positions"),
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any], words: str) -> None:
    drift = Descan(ky=(0.1, 0.0), kx=(0.0, 0.1))
    known = calibrated(PIXEL, (20, 20), descan=drift)
    asked = {"patterns": np.zeros((2, 20, 20)), "input": NETWORK, "calibration": known, **wrong}
    with pytest.raises(ValueError, match=words):
        network_images(**asked)
