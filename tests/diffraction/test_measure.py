"""The ruler's numbers, with an ellipse and a drifting beam."""

from __future__ import annotations

import math

import pytest

from napari_orient.data.reciprocal import to_pattern
from napari_orient.data.scan import Calibration, Descan, Quantity
from napari_orient.diffraction.camera.measure import beam, lengths


def calibrated(**more):
    values = {
        "pixel_size": Quantity(value=0.02, unit="1/angstrom"),
        "centre": Quantity(value=(60.0, 70.0), unit="px"),
        "voltage": Quantity(value=200.0, unit="kV"),
    }
    return Calibration(**{**values, **more})


def test_one_spot():
    (one,) = lengths([(60.0, 95.0)], calibrated())
    assert (one.pixels, one.azimuth) == (25, 0)
    assert (one.g, one.d) == (pytest.approx(0.5), pytest.approx(2.0))
    # 200 kV: 0.025079 angstrom
    assert one.mrad == pytest.approx(12.54, abs=0.005)
    assert lengths([(85.0, 70.0)], calibrated())[0].azimuth == pytest.approx(90)  # down


def test_ellipse_and_descan_are_undone():
    calibration = calibrated(
        ellipse=Quantity(value=(1.15, 25.0)), pixel_size=Quantity(value=(0.02, 0.022)),
        descan=Descan(ky=(0.1, 0.02), kx=(-0.03, 0.2)),
    )  # fmt: skip
    at = (30, 12)
    wanted = [(0.4, 0.3), (-0.3, 0.4)]  # (gy, gx): |g| = 0.5 each, at right angles
    points = [tuple(map(float, to_pattern(calibration, *g, at=at))) for g in wanted]
    one, two, between = lengths(points, calibration, at=at)
    assert one.g == pytest.approx(0.5)
    assert two.d == pytest.approx(2.0)
    assert (two.azimuth - one.azimuth) % 360 == pytest.approx(270)
    assert between.g == pytest.approx(0.5 * math.sqrt(2))
    assert between.vector == pytest.approx((-0.7, 0.1))


def test_without_a_pixel_size_only_pixels():
    one, two, between = lengths([(60.0, 80.0), (70.0, 70.0)], calibrated(pixel_size=None))
    assert (one.pixels, two.azimuth) == (10, 90)
    assert (one.d, two.mrad, between.g) == (None, None, None)
    assert lengths([(60.0, 80.0)], calibrated(voltage=None))[0].mrad is None
    with pytest.raises(ValueError, match="centre"):
        beam(calibrated(centre=None))


def test_a_point_on_the_beam_has_no_spacing():
    (one,) = lengths([(60.0, 70.0)], calibrated())
    assert one.d == math.inf
