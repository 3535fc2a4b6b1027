"""The beam's centre in one pattern, and over a scan: sub-pixel, whatever is in its way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from camera_examples import (
    Truth,
    background,
    grain_pattern,
    lengths,
    place,
    random_truth,
    ring_pattern,
    stamp,
    zone_pattern,
)

from napari_orient.crystal.phases import get_phase
from napari_orient.data.scan import Calibration, Scan
from napari_orient.diffraction.camera.centre import find_centre
from napari_orient.diffraction.camera.descan import fit_drift, track_centre
from napari_orient.diffraction.camera.ruler import (
    angle_between,
    hkl_candidates,
    plane_angle_candidates,
    zone_axis,
)
from napari_orient.diffraction.simulate import reflections, spots
from napari_orient.jobs import Partial, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (256, 256)
IDENTITY = np.array([1.0, 0.01, 0.005, 0.2])


def off(pattern: NDArray[np.float64], truth: Truth, method: str = "auto") -> float:
    found = find_centre(pattern, method=method)
    return math.hypot(found.ky - truth.centre[0], found.kx - truth.centre[1])


def stopped(pattern: NDArray[np.float64], truth: Truth) -> NDArray[np.float64]:
    """Cover the beam with a stop on a bar, a little beside it."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    stop = np.hypot(y - truth.centre[0] - 1, x - truth.centre[1] + 2) < 14
    bar = (abs(x - truth.centre[1]) < 6) & (y < truth.centre[0])
    return np.where(stop | bar, 0.0, pattern)


@pytest.mark.parametrize("seed", [0, 1])
def test_centre_of_rings_spots_and_stopped_beams(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    rings, grains = ring_pattern("Au", truth, rng), grain_pattern("Al", truth, rng)
    zone = zone_pattern("Si", truth, rng, IDENTITY)
    for pattern in (rings, grains, zone):
        assert off(pattern, truth) < 0.05
        assert off(pattern, truth, "friedel") < 0.1
        assert off(pattern, truth, "disk") < 0.05
    for pattern in (rings, zone):
        assert find_centre(stopped(pattern, truth)).method == "friedel"
        assert off(stopped(pattern, truth), truth) < 0.1


def test_spots_brighter_than_the_beam_on_a_slope() -> None:
    rng = np.random.default_rng(3)
    truth = random_truth(rng)
    drawn = spots(reflections(get_phase("Si"), 1.5), IDENTITY, 200.0, thickness_nm=10.0)
    points = place(truth, drawn.xy[:, 0].astype(float), drawn.xy[:, 1].astype(float))
    bright = 3000 * (drawn.intensity / drawn.intensity.max()).astype(float) ** 0.4
    image = stamp(SHAPE, points, bright, 0.02 / truth.size)
    image += background(lengths(truth, SHAPE), 20.0, 700.0) + np.linspace(0, 50, SHAPE[1])
    assert off(rng.poisson(image).astype(float), truth) < 0.1


def test_saturated_and_small_beams_and_centre_of_mass() -> None:
    rng = np.random.default_rng(4)
    truth = Truth((70.3, 60.8), 0.02, 1.0, 0.0)
    disk = stamp((128, 128), np.array([truth.centre]), np.array([900.0]), 6.0)
    counts = rng.poisson(disk + 3.0)
    assert off(np.minimum(counts, 255).astype(np.uint8), truth) < 0.05
    assert off(counts, truth, "mass") < 0.05
    point = stamp((128, 128), np.array([truth.centre]), np.array([900.0]), 1.5)
    assert off(rng.poisson(point + 3.0), truth) < 0.2
    masked = counts.astype(float)
    masked[10:20, :] = np.nan
    assert off(masked, truth) < 0.05


def test_neither_structure_in_the_disk_nor_its_halo_pull() -> None:
    middle = np.array([40.3, 37.6])
    image = stamp((80, 80), middle[None], np.array([100.0]), 8.0)
    away = np.hypot(*(np.indices(image.shape) - middle[:, None, None]))
    right = np.indices(image.shape)[1] > middle[1]
    image[right & (away < 6.5)] *= 1.5  # a Kikuchi band through the disk
    image[right & (away > 9) & (away < 12)] += 15.0
    found = find_centre(image, method="disk")
    assert math.hypot(found.ky - middle[0], found.kx - middle[1]) < 0.25


def test_the_error_is_of_the_right_size() -> None:
    """Over many faint patterns, the scatter of the centre agrees with its standard error."""
    rng = np.random.default_rng(5)
    disk = stamp((64, 64), np.array([[31.4, 33.1]]), np.array([4.0]), 4.0) + 0.3
    found = [find_centre(rng.poisson(disk), method="disk") for _ in range(60)]
    scatter = np.std([c.ky for c in found])
    assert 0.4 < np.median([c.sigma for c in found]) / scatter < 2.5


def test_nothing_to_find_is_said() -> None:
    for pattern in (np.zeros((32, 32)), np.full((32, 32), np.nan)):
        with pytest.raises(ValueError, match="uniform"):
            find_centre(pattern)
    with pytest.raises(ValueError, match="8 x 8"):
        find_centre(np.ones(9))


SLOPES = (0.05, -0.04, 0.02, 0.06)  # ky by y, ky by x, kx by y, kx by x


def drifting_scan(shape: tuple[int, int] = (24, 30), n: int = 64, dose: float = 40.0) -> Scan:
    """A disk that drifts, with a brighter spot in every second grain, and blank positions."""
    rng = np.random.default_rng(6)
    data = np.zeros((*shape, n, n), np.uint16)
    middle = [(s - 1) / 2 for s in shape]
    for y, x in np.ndindex(shape):
        v, u = y - middle[0], x - middle[1]
        at = np.array([31.3 + SLOPES[0] * v + SLOPES[1] * u, 33.6 + SLOPES[2] * v + SLOPES[3] * u])
        spot = at + (np.array([17.0, 9.0]) if (y // 8 + x // 8) % 2 else -12.0)
        image = stamp((n, n), np.stack([at, spot]), np.array([dose, 2 * dose]), 3.5)
        data[y, x] = rng.poisson(image + 0.02 * dose)
    data[5, 7:9] = 0
    return Scan(data, Calibration())


@pytest.mark.parametrize("stride", [1, 3])
def test_descan_is_tracked(stride: int) -> None:
    events = []
    tracked = run(track_centre(drifting_scan(), stride=stride), events.append)
    assert tracked.centre.pair == pytest.approx((31.3, 33.6), abs=0.05)
    assert (*tracked.descan.ky, *tracked.descan.kx) == pytest.approx(SLOPES, abs=0.004)
    assert tracked.descan.rms < 0.2
    assert tracked.centres.shape == (24, 30, 2)
    grid = np.zeros((24, 30), np.bool_)
    grid[::stride, ::stride] = True
    assert not np.isfinite(tracked.centres[~grid]).any()
    assert not tracked.used[5, 7:9].any()
    assert tracked.used.sum() > 0.97 * grid.sum()
    known = tracked.apply(Calibration())
    ky, kx = known.centre_at(0, 29)
    assert (float(ky), float(kx)) == pytest.approx(
        (31.3 - 0.05 * 11.5 - 0.04 * 14.5, 33.6 - 0.02 * 11.5 + 0.06 * 14.5), abs=0.1
    )


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", "f2", "?"])
def test_descan_in_the_types_of_detectors(dtype: str) -> None:
    scan = drifting_scan((8, 9))
    counts = scan.data if dtype != "?" else (scan.data > 30).astype(np.uint8)
    expected = run(track_centre(scan.replaced(counts)))
    tracked = run(track_centre(scan.replaced(counts.astype(dtype))))
    np.testing.assert_allclose(tracked.centres, expected.centres, atol=1e-6)


def test_descan_of_a_hidden_beam_and_from_a_file(tmp_path) -> None:
    import h5py

    scan = drifting_scan((12, 12))
    y, x = np.mgrid[:64, :64]
    away = np.hypot(y - 31.3, x - 33.6)
    ring = np.exp(-0.5 * ((away - 20) / 1.5) ** 2) * 30
    hidden = np.broadcast_to(ring + 1, (12, 12, 64, 64)) * (away > 8)
    tracked = run(track_centre(Scan(hidden.astype(np.uint8)), method="friedel", stride=3))
    assert tracked.centre.pair == pytest.approx((31.3, 33.6), abs=0.1)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        node = file.create_dataset("data", data=scan.data, chunks=(4, 8, 16, 16))
        events = []
        found = run(track_centre(Scan(node)), events.append)
    again = run(track_centre(scan))
    np.testing.assert_allclose(found.centres, again.centres, atol=0.02)
    assert all(event.name == "centres" for event in events if isinstance(event, Partial))


def test_outliers_are_left_out_and_curvature_is_fitted() -> None:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:20, :20] - 9.5
    centres = np.stack([10 + 0.1 * y + 0.01 * y * x, 12 - 0.2 * x + 0.005 * x * x], axis=-1)
    centres += 0.02 * rng.normal(size=centres.shape)
    centres[rng.random((20, 20)) < 0.2] += 7.0
    found = fit_drift(centres, order=2)
    assert found.descan.ky == pytest.approx((0.1, 0, 0, 0.01, 0), abs=0.001)
    assert found.descan.kx == pytest.approx((0, -0.2, 0, 0, 0.005), abs=0.001)
    assert found.descan.rms == pytest.approx(0.02, rel=0.15)
    with pytest.raises(ValueError, match="in 1 patterns only"):
        fit_drift(np.where(np.arange(400).reshape(20, 20, 1) == 3, 5.0, np.nan).repeat(2, axis=2))


def test_an_empty_scan_cannot_be_tracked() -> None:
    with pytest.raises(ValueError, match="0 patterns only"):
        run(track_centre(Scan(np.zeros((4, 4, 16, 16), np.uint8))))


def test_ruler() -> None:
    silicon = get_phase("Si")
    assert angle_between((0, 2), (3, 3)) == pytest.approx(45)
    assert angle_between((1, 0), (-2, 0)) == pytest.approx(180)
    best = hkl_candidates(silicon, 1.93)
    assert best[0].hkl == (2, 2, 0)
    assert best[0].error == pytest.approx(1.93 / (5.431 / math.sqrt(8)) - 1)
    assert best[0].multiplicity == 12
    assert {c.hkl for c in hkl_candidates(silicon, 3.0, 0.05)} == {(1, 1, 1)}
    assert zone_axis((1, 1, 0), (1, -1, 0)) == (0, 0, -1)
    g = 1 / 5.431
    pairs = plane_angle_candidates(
        silicon, (0.0, g * 3**0.5), (g * 3**0.5 * math.sin(1.2310), g * 3**0.5 / 3)
    )
    assert sorted(map(abs, pairs[0].zone)) == [0, 1, 1]
    assert pairs[0].angle == pytest.approx(70.529, abs=0.01)
    assert pairs[0].error < 0.05
    assert not plane_angle_candidates(silicon, (0.0, 0.05), (0.05, 0.0))
    for bad in (lambda: angle_between((0, 0), (1, 0)), lambda: hkl_candidates(silicon, 0.0)):
        with pytest.raises(ValueError, match=r"length|positive"):
            bad()
