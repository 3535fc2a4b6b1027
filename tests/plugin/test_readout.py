"""What the readout says on elliptic patterns."""

from __future__ import annotations

import math

import pytest

from napari_orient.data.reciprocal import to_pattern
from napari_orient.data.scan import Calibration, Quantity
from napari_orient.plugin.pattern import readout

KNOWN = Calibration(
    centre=Quantity(value=(60.0, 64.0), unit="px"),
    pixel_size=Quantity(value=0.02, unit="1/angstrom"),
    ellipse=Quantity(value=(1.05, 30.0), unit="ratio, deg"),
    voltage=Quantity(value=200.0, unit="kV"),
)


@pytest.mark.parametrize("turn", [0.0, 30.0, 75.0, 120.0])
def test_a_ring_has_one_radius_all_around(turn: float) -> None:
    t = math.radians(turn)
    ky, kx = (float(k) for k in to_pattern(KNOWN, 0.5 * math.sin(t), 0.5 * math.cos(t)))
    assert readout.place(KNOWN, (ky, kx), "1/Å").endswith("|k| 0.500 Å⁻¹")
    assert readout.place(KNOWN, (ky, kx), "1/nm").endswith("|k| 5.00 nm⁻¹")
    assert readout.place(KNOWN, (ky, kx), "d (Å)") == "d = 2.000 Å"
    assert readout.place(KNOWN, (ky, kx), "mrad").endswith("|θ| 12.54 mrad")


def test_pixels_stay_pixels() -> None:
    assert readout.place(KNOWN, (70.0, 64.0), "px") == "ky 10.0  kx 0.0  |k| 10.0 px"
