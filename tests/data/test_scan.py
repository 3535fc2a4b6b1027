"""Is a scan what it says: shape, calibration with sources, pieces, summary?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_orient.data.scan import Calibration, Quantity, Scan, electron_wavelength


@pytest.fixture
def scan() -> Scan:
    data = np.arange(3 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 4, 5, 6)
    return Scan(data, name="ramp", notes=("a remark",))


@pytest.mark.parametrize(
    ("voltage", "angstrom"), [(300, 0.019687), (200, 0.025079), (80, 0.041757)]
)
def test_wavelengths_are_the_tabulated_ones(voltage: float, angstrom: float) -> None:
    assert electron_wavelength(voltage) == pytest.approx(angstrom, abs=1e-6)


def test_unknown_calibration_is_none_but_the_centre_is_the_middle(scan: Scan) -> None:
    assert scan.calibration.pixel_size is None
    assert scan.calibration.step is None
    assert scan.calibration.centre is not None
    assert scan.calibration.centre.pair == (2.5, 3.0)
    assert scan.calibration.centre.source == "default"


def test_patterns_and_pieces(scan: Scan) -> None:
    assert np.array_equal(scan.pattern(2, 1), scan.data[2, 1])
    assert np.array_equal(scan.read(slice(0, 2), 3), scan.data[0:2, 3])
    with pytest.raises(IndexError, match="outside"):
        scan.pattern(3, 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((3, 4, 5)), "four axes"),
        (np.zeros((3, 0, 5, 5)), "no pixels"),
        (np.zeros((3, 3, 5, 5), dtype=complex), "real numbers"),
    ],
)
def test_impossible_data_are_refused(data: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Scan(data)


def test_summary_is_json_and_replaced_keeps_the_rest(scan: Scan) -> None:
    size = Quantity(value=0.01, unit="1/angstrom", source="typed")
    changed = scan.replaced(calibration=scan.calibration.set(pixel_size=size))
    facts = json.loads(json.dumps(changed.summary()))
    assert facts["kind"] == "scan"
    assert facts["shape"] == [3, 4, 5, 6]
    assert facts["calibration"]["pixel_size"]["source"] == "typed"
    assert facts["calibration"]["voltage"] is None
    assert facts["notes"] == ["a remark"]
    assert changed.name == "ramp"
    assert scan.calibration.pixel_size is None


def test_calibration_survives_json() -> None:
    calibration = Calibration().set(
        step=Quantity(value=(1.5, 2.5), unit="nm", source="file"),
        rotation=Quantity(value=-12.5, unit="deg", source="measured", note="by eye"),
    )
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


def test_angles_of_the_beam_may_be_zero_but_not_below() -> None:
    still = Calibration(precession=Quantity(value=0.0, unit="deg"))
    assert still.precession is not None
    assert still.convergence is None
    for name in ("precession", "convergence"):
        with pytest.raises(ValueError, match="at least 0"):
            Calibration().set(**{name: Quantity(value=-0.1)})
