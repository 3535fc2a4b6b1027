"""What a search works with: typed before known before measured, doubts said, nonsense refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_orient.data.scan import Calibration, Quantity, electron_wavelength
from napari_orient.diffraction.matching.config import IndexConfig
from napari_orient.diffraction.matching.settings import (
    check_reflections,
    detector_reach,
    measure_disk,
    settle,
)
from napari_orient.diffraction.simulate import Spots, pattern_images

SHAPE = (64, 64)


def known(value, unit="", source="measured"):
    return Quantity(value=value, unit=unit, source=source)


def calibration(**changes):
    made = {
        "pixel_size": known((0.04, 0.04), "1/angstrom"), "centre": known((31.5, 31.5), "px"),
        "voltage": known(300.0, "kV"), "precession": known(0.6, "deg"),
        "convergence": known(1.6, "mrad"),
    }  # fmt: skip
    return Calibration(**{**made, **changes})


def test_what_the_scan_knows_is_used():
    found = settle(calibration(), SHAPE, IndexConfig())
    config, wavelength = found.config, electron_wavelength(300)
    assert (config.voltage_kv, config.precession_deg) == (300, 0.6)
    assert config.pixel_size == pytest.approx(0.04)
    assert config.convergence_mrad == pytest.approx(1.6)
    assert found.radius == pytest.approx(1.6e-3 / wavelength)
    assert config.min_g > 2 * found.radius  # disk and integration hide the lengths below
    assert config.max_g == pytest.approx(32 * 0.04 * np.sqrt(2), rel=1e-3)  # the corners
    wide = settle(calibration(), (256, 64), IndexConfig(pixel_size=0.04, max_g=None))
    assert wide.config.max_g == 2.0
    assert (found.exploratory, found.remarks) == ("", ())


def test_what_is_typed_goes_first_and_a_typed_pixel_size_is_doubtful():
    asked = IndexConfig(
        voltage_kv=200, pixel_size=0.05, precession_deg=1, convergence_mrad=3, min_g=0.4, max_g=0.9,
        threads=3,
    )  # fmt: skip
    found = settle(calibration(), SHAPE, asked)
    assert found.config == asked.model_copy(
        update={"convergence_mrad": found.config.convergence_mrad}
    )
    assert found.config.convergence_mrad == pytest.approx(3)
    assert found.calibration.pixel_size.pair == (0.05, 0.05)
    assert found.calibration.voltage.number == 200
    assert "0.05 1/angstrom, is typed, the calibration says 0.04" in found.exploratory
    same = settle(calibration(), SHAPE, IndexConfig(pixel_size=0.04))
    assert same.exploratory == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pixel_size": known((0.04, 0.04), "1/angstrom", "default")}, "0.04 1/angstrom, is only"),
        ({"voltage": known(200.0, "kV", "default")}, "200 kV, is only assumed"),
        ({"centre": known((31.5, 31.5), "px", "default")}, "in the middle of the patterns"),
    ],
)
def test_assumed_numbers_make_it_exploratory(changes, words):
    assert words in settle(calibration(**changes), SHAPE, IndexConfig()).exploratory


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pixel_size": None}, "not calibrated: its pixel size is unknown. Find it in Calibrate"),
        ({"voltage": None}, "voltage is unknown: give it in kV"),
        ({"centre": None}, "find its centre in Calibrate"),
        ({"centre": known((80.0, 31.5), "px")}, r"at \(80.0, 31.5\) px, is outside the patterns"),
        ({"pixel_size": known((0.002, 0.002))}, "nothing is left between the direct beam"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_cure(changes, words):
    with pytest.raises(ValueError, match=words):
        settle(calibration(**changes), SHAPE, IndexConfig())


def test_uncalibrated_but_typed_is_exploratory():
    bare = Calibration(centre=known((32.0, 32.0), "px", "default"))
    found = settle(bare, SHAPE, IndexConfig(voltage_kv=300, pixel_size=0.04))
    assert "pixel size, 0.04 1/angstrom, is typed" in found.exploratory
    assert "middle of the patterns" in found.exploratory
    assert any("precession unknown" in remark for remark in found.remarks)
    assert any("spots of one pixel" in remark for remark in found.remarks)


def test_the_reach_follows_centre_pixels_and_ellipse():
    made = calibration(
        pixel_size=known((0.04, 0.02)), centre=known((20.0, 40.0)),
        ellipse=known((1.21, 90.0)),  # long along ky
    )  # fmt: skip
    reach = detector_reach(made, SHAPE)  # from +x (kx) towards +y (ky)
    right, down, left, up = reach[::180]
    assert right == pytest.approx(23.5 * 0.02 * 1.1)
    assert left == pytest.approx(40.5 * 0.02 * 1.1)
    assert down == pytest.approx(43.5 * 0.04 / 1.1)
    assert up == pytest.approx(20.5 * 0.04 / 1.1)


def beam_only(radius_px, dtype=np.uint16):
    none = np.zeros(0, np.float32)
    spots = Spots(np.zeros(9, np.int64), none.reshape(0, 2), none, none.astype(np.int32),
                  np.zeros((1, 3), np.int32))  # fmt: skip
    return pattern_images(
        spots, SHAPE, 0.04, centre=(31.5, 31.5), radius=radius_px * 0.04, direct_counts=20000,
        background_counts=2000.0, noise_seed=1, dtype=dtype,
    )  # fmt: skip


@pytest.mark.parametrize("radius", [2.0, 3.3, 5.0])
@pytest.mark.parametrize(("dtype", "error"), [(np.uint16, 0.35), (np.uint8, 0.55)])
def test_disks_are_measured_in_the_direct_beam(radius, dtype, error):
    """A saturated beam (8 bits) looks wider by the soft edge of its disk, half a pixel."""
    made = calibration(convergence=None)
    patterns = beam_only(radius, dtype)
    assert measure_disk(patterns, made) == pytest.approx(radius, abs=error)
    found = settle(made, SHAPE, IndexConfig(), patterns)
    assert found.radius == pytest.approx(radius * 0.04, abs=error * 0.04)
    assert "as the direct beam has" in found.remarks[0]


def test_a_beam_that_is_no_disk_is_not_measured():
    made = calibration(convergence=None)
    flat = np.random.default_rng(0).poisson(20, (8, *SHAPE))
    wide = beam_only(14.0)
    for patterns in (flat, wide):
        assert measure_disk(patterns, made) is None
        found = settle(made, SHAPE, IndexConfig(), patterns)
        assert "could not be measured" in found.remarks[0]
        assert found.radius == pytest.approx(0.04)


def test_phases_out_of_reach_are_refused_with_numbers():
    from napari_orient.crystal.phases import get_phase
    from napari_orient.diffraction.simulate import Reflections, reflections

    found = settle(calibration(), SHAPE, IndexConfig(min_g=1.2))
    with pytest.raises(ValueError, match=r"Au cannot.*up to 0.8.*hidden by the direct beam"):
        check_reflections("Au", reflections(get_phase("Au"), 0.9), found)
    with pytest.raises(ValueError, match=r"end at 1.81 1/angstrom \(d = 0.552"):
        check_reflections("Au", Reflections(*(np.zeros((0, 3)),) * 2, np.zeros(0)), found)
    check_reflections("Au", reflections(get_phase("Au"), 1.3), found)
