"""Pixels to 1/angstrom and back, the sense of ellipse, rotation and flip, camera length."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.data.prepare import align_patterns, bin_scan, crop
from napari_orient.data.reciprocal import (
    camera_length,
    pattern_to_scan,
    pixel_size_of,
    scan_to_pattern,
    to_pattern,
    to_reciprocal,
)
from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
from napari_orient.data.views import Shifted
from napari_orient.jobs import run

KNOWN = Calibration(
    centre=Quantity(value=(10.0, 20.0), unit="px"),
    pixel_size=Quantity(value=(0.02, 0.03), unit="1/angstrom"),
)
DRIFT = Descan(ky=(0.5, -0.25), kx=(0.1, 1.0), origin=(3.0, 4.0), rms=0.2, source="measured")


def test_without_ellipse_it_is_distance_times_pixel_size() -> None:
    gy, gx = to_reciprocal(KNOWN, [10, 15], [20, 18])
    np.testing.assert_allclose(gy, [0, 0.1])
    np.testing.assert_allclose(gx, [0, -0.06])


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, -45.0])
def test_a_ring_is_longest_along_the_angle(angle: float) -> None:
    """Half axes g sqrt(ratio) and g / sqrt(ratio), the long one from kx towards ky."""
    size = Quantity(value=0.01, unit="1/angstrom")
    ellipse = Quantity(value=(1.21, angle))
    known = KNOWN.set(ellipse=ellipse, pixel_size=size)
    turn = np.radians(np.arange(360))
    ky, kx = to_pattern(known, 0.5 * np.sin(turn), 0.5 * np.cos(turn))
    radius = np.hypot(ky - 10, kx - 20)
    assert radius.max() == pytest.approx(50 * 1.1)
    assert radius.min() == pytest.approx(50 / 1.1)
    longest = np.degrees(np.arctan2(ky - 10, kx - 20)[radius.argmax()])
    assert (longest - angle + 90) % 180 - 90 == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.hypot(*to_reciprocal(known, ky, kx)), 0.5)


def test_there_and_back_with_everything() -> None:
    known = KNOWN.set(ellipse=Quantity(value=(1.04, 33.0)), descan=DRIFT)
    rng = np.random.default_rng(0)
    gy, gx = rng.normal(size=(2, 50))
    at = (rng.uniform(0, 9, 50), rng.uniform(0, 9, 50))
    back = to_reciprocal(known, *to_pattern(known, gy, gx, at=at), at=at)
    np.testing.assert_allclose(back, (gy, gx), atol=1e-12)
    ky, kx = to_pattern(known, 0.0, 0.0, at=(4.0, 6.0))
    assert (ky, kx) == pytest.approx((10 + 0.5 - 0.5, 20 + 0.1 + 2.0))


def test_what_is_unknown_is_said() -> None:
    with pytest.raises(ValueError, match="pixel size is unknown"):
        to_reciprocal(KNOWN.set(pixel_size=None), 0, 0)
    with pytest.raises(ValueError, match="centre is unknown"):
        to_pattern(KNOWN.set(centre=None), 0, 0)


def test_sense_of_rotation_and_flip() -> None:
    """Rotation: from the scan's x to the pattern's kx, x towards y. Flip: kx is reversed first."""
    turned = KNOWN.set(rotation=Quantity(value=90.0))
    y, x = pattern_to_scan(turned, 0.0, 1.0)  # along kx
    assert (y, x) == pytest.approx((1.0, 0.0))  # lies along the scan's y
    y, x = pattern_to_scan(turned, 1.0, 0.0)  # along ky, 90 degrees on
    assert (y, x) == pytest.approx((0.0, -1.0))
    mirrored = turned.set(flip=Quantity(value=1.0))
    assert pattern_to_scan(mirrored, 0.0, 1.0) == pytest.approx((-1.0, 0.0))
    assert pattern_to_scan(mirrored, 1.0, 0.0) == pytest.approx((0.0, -1.0))
    odd = turned.set(rotation=Quantity(value=23.0), flip=Quantity(value=1.0))
    there = pattern_to_scan(odd, 0.3, -0.7)
    assert scan_to_pattern(odd, *there) == pytest.approx((0.3, -0.7))


def test_camera_length_is_that_of_similar_triangles() -> None:
    """At 200 kV (0.025079 angstrom) 1/angstrom is 25.079 mrad: 100 px of 14 um at 55.8 mm."""
    length = camera_length(0.01, 200.0, 14.0)
    assert length == pytest.approx(100 * 0.014 / 0.025079, rel=1e-4)
    assert pixel_size_of(length, 200.0, 14.0) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="positive"):
        camera_length(0.0, 200.0, 14.0)


def test_second_order_drift_moves_its_origin() -> None:
    drift = Descan(ky=(0.5, -0.2, 0.01, 0.02, 0.03), kx=(0.0, 1.0, 0.0, 0.0, -0.01), origin=(3, 4))
    y, x = np.mgrid[:9, :8]
    moved = drift.moved(5.0, 1.5)
    for a, b, start in zip(
        drift.drift(y, x), moved.drift(y, x), drift.drift(5.0, 1.5), strict=True
    ):
        np.testing.assert_allclose(a - start, b, atol=1e-12)
    # so a crop keeps the beam where it is
    scan = Scan(np.zeros((9, 8, 4, 4), np.uint8), KNOWN.set(descan=drift))
    part = crop(scan, slice(2, 7), slice(3, 8))
    expected = scan.calibration.centre_at(y[2:7, 3:8], x[2:7, 3:8])
    found = part.calibration.centre_at(y[:5, :5], x[:5, :5])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bad_ellipse_and_drift_are_refused() -> None:
    for value in (0.98, (0.9, 10.0)):
        with pytest.raises(ValueError, match="ratio of at least 1"):
            KNOWN.set(ellipse=Quantity(value=value))
    with pytest.raises(ValueError, match="2 terms"):
        Descan(ky=(1.0,), kx=(1.0, 2.0))


def drifting() -> Scan:
    """One bright pixel a pattern, on the drifting centre (which is whole pixels here)."""
    drift = Descan(ky=(1.0, 0.0), kx=(0.0, -1.0), origin=(3.0, 4.0))
    known = KNOWN.set(descan=drift, step=Quantity(value=(5.0, 5.0), unit="nm"))
    y, x = np.mgrid[:7, :9]
    ky, kx = (np.rint(c).astype(int) for c in known.centre_at(y, x))
    data = np.zeros((7, 9, 24, 36), np.uint8)
    data[y, x, ky, kx] = 100
    data[y, x, ky + 2, kx + 5] = 7
    return Scan(data, known)


def test_cropping_and_binning_keep_the_beam_where_it_is() -> None:
    scan = drifting()
    part = crop(scan, slice(2, 6), slice(1, 5), slice(4, 20), slice(8, 34))
    for y, x in ((0, 0), (3, 3), (1, 2)):
        ky, kx = part.calibration.centre_at(y, x)
        assert np.unravel_index(part.pattern(y, x).argmax(), part.pattern_shape) == (ky, kx)
    # the centre is the one in the middle of the crop, where the drift is none
    assert part.calibration.centre_at(1.5, 1.5) == pytest.approx(part.calibration.centre.pair)
    small = bin_scan(part, 2)
    before, after = part.calibration.centre_at(3, 0), small.calibration.centre_at(3, 0)
    assert after == pytest.approx([(c + 0.5) / 2 - 0.5 for c in before])
    assert small.calibration.descan.ky == (0.5, 0.0)
    assert small.calibration.pixel_size.pair == (0.04, 0.06)
    g = to_reciprocal(part.calibration, 3.0, 7.0, at=(3, 0))
    again = to_reciprocal(small.calibration, 3.5 / 2 - 0.5, 7.5 / 2 - 0.5, at=(3, 0))
    assert again == pytest.approx(g)


def test_aligned_patterns_have_one_centre() -> None:
    scan = drifting()
    aligned = align_patterns(scan)
    assert aligned.calibration.descan is None
    assert "descan taken out" in aligned.history[-1]
    assert aligned.dtype == scan.dtype
    block = aligned.read()
    assert (block[:, :, 10, 20] == 100).all()
    assert (block[:, :, 12, 25] == 7).all()
    for where in (np.s_[3, 5], np.s_[::2, 1::3, 8:30:3, 20::5], np.s_[2:3, :, 12, 25], np.s_[0]):
        np.testing.assert_array_equal(aligned.data[where], block[where])


def test_pixels_from_outside_are_empty() -> None:
    drift = Descan(ky=(0.0, 30.0), kx=(-50.0, 0.0), origin=(0.0, 0.0))
    scan = Scan(np.ones((2, 2, 24, 36), np.float32), KNOWN)
    block = align_patterns(scan, drift).read()
    assert block[0, 0].all()
    assert not block[0, 1].any()
    assert not block[1, 0].any()
    with pytest.raises(ValueError, match="track the beam"):
        align_patterns(scan)


def test_virtual_images_of_aligned_patterns(tmp_path) -> None:
    """From memory and from a chunked file, the streamed sum is that of the aligned block."""
    import h5py

    from napari_orient.diffraction.detectors import bright_field
    from napari_orient.diffraction.virtual import virtual_image

    scan = drifting()
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        node = file.create_dataset("data", data=scan.data, chunks=(2, 4, 8, 16))
        for source in (scan.data, node):
            aligned = align_patterns(scan.replaced(source))
            image = run(virtual_image(aligned, bright_field(aligned.calibration, 1.0)))
            np.testing.assert_array_equal(image, np.full((7, 9), 100.0))


@pytest.mark.parametrize("suffix", [".h5", ".zspy", ".hspy"])
def test_ellipse_and_descan_are_saved_with_a_scan(tmp_path, suffix: str) -> None:
    from napari_orient.data.formats import open_scan
    from napari_orient.data.save import save_scan

    known = KNOWN.set(
        ellipse=Quantity(value=(1.03, -20.0), source="measured", note="from rings"), descan=DRIFT
    )
    scan = Scan(np.zeros((3, 4, 16, 16), np.uint8), known)
    again = open_scan(run(save_scan(scan, tmp_path / f"scan{suffix}")))
    assert again.calibration == scan.calibration
    assert again.summary()["calibration"]["descan"]["kx"] == [0.1, 1.0]
    again.close()


@pytest.mark.parametrize("smooth", [True, False])
def test_moved_patterns_are_read_in_any_slices(smooth):
    rng = np.random.default_rng(3)
    data = rng.integers(1, 200, (6, 9, 11, 12), dtype=np.uint8)
    if smooth:  # runs of one shift, of several lengths
        shifts = np.stack(np.indices((6, 9)), axis=-1) // [2, 3] - [4, 1]
    else:
        shifts = rng.integers(-13, 14, (6, 9, 2))
    expected = np.zeros_like(data)
    for y, x, ky, kx in np.ndindex(data.shape):
        at = (ky + shifts[y, x, 0], kx + shifts[y, x, 1])
        if 0 <= at[0] < 11 and 0 <= at[1] < 12:
            expected[y, x, ky, kx] = data[y, x, at[0], at[1]]
    moved = Shifted(data, shifts)
    for where in (np.s_[:], np.s_[1::2, ::3, 2:9:2, 1::4], np.s_[3, 4], np.s_[2:2], np.s_[..., 7]):
        np.testing.assert_array_equal(moved[where], expected[where])
