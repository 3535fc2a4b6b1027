"""Spots and rings lie where the simulation paints them and the calibration says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_orient.crystal.phases import get_phase
from napari_orient.data.reciprocal import scan_to_pattern, to_reciprocal
from napari_orient.data.scan import Calibration, Descan, Quantity
from napari_orient.diffraction.camera.rings import Ring, expected_rings
from napari_orient.diffraction.overlay import indices, ring_overlay, spot_overlay
from napari_orient.diffraction.simulate import pattern_images, reflections, spots

QUATERNION = np.array([0.83, 0.31, -0.22, 0.41]) / np.linalg.norm([0.83, 0.31, -0.22, 0.41])
RING = Ring(g=0.5, d=2.0, hkl=(1, 0, 4), multiplicity=6, intensity=1.0)


def calibrated(pixel=(0.02, 0.02), centre=(63.3, 65.8), **more):
    values = {
        "pixel_size": Quantity(value=pixel, unit="1/angstrom"),
        "centre": Quantity(value=centre, unit="px"),
        "voltage": Quantity(value=200.0, unit="kV"),
    }
    return Calibration(**values, **more)


@pytest.fixture(scope="module")
def source():
    return reflections(get_phase("LiNiO2"), 1.2)


def test_spots_lie_where_the_simulation_paints_them(source):
    beam = {"thickness_nm": 5.0, "precession_deg": 2.0}
    drawn = spots(source, QUATERNION, 200.0, min_intensity=1e-3, **beam)
    overlay = spot_overlay(source, QUATERNION, calibrated(), shape=(128, 128), **beam)
    compared = 0
    # each spot painted alone, gaussian: its centre of mass is its place
    for number in range(len(drawn.xy)):
        one = type(drawn)(
            np.array([0, 1]), drawn.xy[number : number + 1], drawn.intensity[number : number + 1],
            drawn.reflection[number : number + 1], drawn.hkl,
        )  # fmt: skip
        image = pattern_images(one, pixel_size=0.02, centre=(63.3, 65.8), profile="gaussian",
                               radius=0.04, dtype=np.float64)[0]  # fmt: skip
        painted = ndimage.center_of_mass(image)
        if min(painted) < 10 or max(painted) > 118:
            continue
        assert np.linalg.norm(overlay.spots - painted, axis=1).min() < 0.01
        compared += 1
    assert compared > 5


def test_rotation_flip_and_descan_move_the_spots(source):
    turned = calibrated(
        rotation=Quantity(value=30.0), flip=Quantity(value=1.0),
        descan=Descan(ky=(0.1, 0.0), kx=(0.0, -0.2)),
    )  # fmt: skip
    plain = spot_overlay(source, QUATERNION, calibrated())
    moved = spot_overlay(source, QUATERNION, turned, at=(10, 20))
    g = scan_to_pattern(turned, *to_reciprocal(calibrated(), *plain.spots.T))
    expected = np.stack(g, axis=-1) / 0.02 + (64.3, 61.8)
    np.testing.assert_allclose(moved.spots, expected, atol=1e-6)
    assert moved.labels[0][0] == plain.labels[0][0]


def test_strongest_spots_come_first_and_largest(source):
    overlay = spot_overlay(source, QUATERNION, calibrated(), radius=0.06)
    assert overlay.sizes[0] == pytest.approx(3.0)
    assert (np.diff(overlay.sizes) <= 0).all()
    assert len(overlay.labels) == len(overlay.spots)
    assert overlay.labels[0][1:] == pytest.approx(overlay.spots[0])


def test_rings_are_ellipses_of_the_calibration():
    calibration = calibrated(ellipse=Quantity(value=(1.1, 30.0)), pixel=(0.02, 0.025))
    curve = ring_overlay([RING], calibration).curves[0]
    g = np.hypot(*to_reciprocal(calibration, *curve.T))
    np.testing.assert_allclose(g, 0.5, atol=1e-9)
    round_one = ring_overlay([RING], calibrated(ellipse=Quantity(value=(1.21, 0.0)))).curves[0]
    height, width = np.ptp(round_one, axis=0)
    assert width / height == pytest.approx(1.21, abs=1e-3)
    assert (width / 2) == pytest.approx(25 * 1.1, abs=1e-2)


def test_rings_outside_are_left_out_and_labels_stay_inside():
    far = Ring(g=3.0, d=1 / 3, hkl=(1, 1, 0), multiplicity=6, intensity=0.5)
    large = Ring(g=1.3, d=1 / 1.3, hkl=(0, 0, 12), multiplicity=2, intensity=0.4)
    overlay = ring_overlay([RING, large, far], calibrated(centre=(60, 20)), shape=(128, 128))
    assert [text for text, _, _ in overlay.labels] == ["104", "0 0 12"]
    assert all(0 <= y < 128 and 0 <= x < 128 for _, y, x in overlay.labels)


def test_weak_rings_are_faint_and_the_weakest_left_out():
    def ring(g, intensity):
        return Ring(g=g, d=1 / g, hkl=(1, 1, 0), multiplicity=6, intensity=intensity)

    rings = [ring(0.3, 0.5), ring(0.4, 0.02), ring(0.5, 0.004), ring(3.0, 1.0)]
    overlay = ring_overlay(rings, calibrated(), shape=(128, 128))
    # the strongest lies outside: what is in view counts, and 0.4 % of 50 % does not
    assert [round(np.ptp(curve[:, 0]) / 2 * 0.02, 3) for curve in overlay.curves] == [0.3, 0.4]
    assert overlay.opacities == pytest.approx((1.0, 1.4 * 0.2))
    assert ring_overlay(rings, calibrated()).opacities[0] == pytest.approx(1.4 * 0.5**0.5)
    assert len(expected_rings(get_phase("LiNiO2"), 1.5)) > 40  # as many as would hide a pattern


def test_what_is_unknown_is_said(source):
    with pytest.raises(ValueError, match="pixel size"):
        ring_overlay([RING], calibrated().set(pixel_size=None))
    with pytest.raises(ValueError, match="voltage"):
        spot_overlay(source, QUATERNION, calibrated().set(voltage=None))


def test_indices_as_text():
    assert indices((1, -1, 0)) == "1-10"
    assert indices((1, -1, 12)) == "1 -1 12"
