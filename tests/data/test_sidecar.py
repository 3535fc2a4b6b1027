"""Calibration files: written, read by people and by us, taken over by the next scan, refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_orient.data.scan import Calibration, Descan, Quantity, Scan
from napari_orient.data.sidecar import (
    apply_calibration,
    load_calibration,
    save_calibration,
    sidecar_of,
)
from napari_orient.files import UnreadableFile

MEASURED = Calibration(
    step=Quantity(value=(5.0, 5.0), unit="nm", source="file"),
    centre=Quantity(value=(31.25, 33.5), unit="px", source="measured", note="from 5 rings"),
    pixel_size=Quantity(value=0.021, unit="1/angstrom", source="measured"),
    ellipse=Quantity(value=(1.02, 41.0), unit="ratio, deg", source="measured"),
    descan=Descan(ky=(0.01, 0.0), kx=(0.0, 0.02), origin=(2.0, 2.5), source="measured"),
    precession=Quantity(value=0.0, unit="deg", source="typed"),
    convergence=Quantity(value=1.6, unit="mrad", source="typed"),
    rotation=Quantity(value=-13.5, unit="deg", source="measured", note="from 9 patterns"),
)


def scan(shape: tuple[int, int, int, int] = (5, 6, 64, 64), **known: Quantity) -> Scan:
    return Scan(np.zeros(shape, np.uint8), Calibration(**known), name="today", source="/a/today.h5")


def test_beside_the_scan() -> None:
    assert sidecar_of("/data/day 1/scan.h5") == Path("/data/day 1/scan.calibration.yaml")
    assert sidecar_of("/data/scan.h5::/entry/data").name == "scan.calibration.yaml"


def test_two_scans_with_dots_in_their_names_do_not_share_a_file() -> None:
    assert sidecar_of("/data/scan.0001.mib") != sidecar_of("/data/scan.0002.mib")


def test_written_and_read(tmp_path: Path) -> None:
    path = save_calibration(MEASURED, tmp_path / "today.calibration.yaml", scan=scan())
    loaded = load_calibration(path)
    assert loaded.calibration == MEASURED
    assert (loaded.pattern_shape, loaded.scan_shape) == ((64, 64), (5, 6))
    assert loaded.scan == "/a/today.h5"
    assert len(loaded.date) > 10
    text = path.read_text(encoding="utf-8")
    assert "unit: 1/angstrom" in text
    assert "from 5 rings" in text
    assert "camera_length" not in text  # unknown
    assert not list(tmp_path.glob(".*"))


def test_the_next_scan_takes_over_with_a_note(tmp_path: Path) -> None:
    loaded = load_calibration(save_calibration(MEASURED, tmp_path / "a.yaml", scan=scan()))
    step = Quantity(value=(3.0, 3.0), unit="nm", source="file")
    after = apply_calibration(scan((9, 9, 64, 64), step=step), loaded).calibration
    assert after.step == step
    assert after.descan is None
    assert after.centre.value == MEASURED.centre.value
    assert after.centre.source == "measured"
    assert after.centre.note.startswith("from 5 rings; from a.yaml of 20")
    assert after.rotation.number == -13.5
    assert (after.precession.number, after.convergence.number) == (0.0, 1.6)
    # nothing was measured of the flip: what the scan knows stays
    flip = Quantity(value=1.0, source="typed")
    assert apply_calibration(scan(flip=flip), loaded).calibration.flip == flip
    only = apply_calibration(scan(), loaded, ["ellipse", "descan"]).calibration
    assert only.pixel_size is None
    assert only.descan.kx == (0.0, 0.02)
    with pytest.raises(ValueError, match="track the beam on this scan"):
        apply_calibration(scan((9, 9, 64, 64)), loaded, ["descan"])
    with pytest.raises(ValueError, match="has no colour"):
        apply_calibration(scan(), loaded, ["colour"])


def test_binned_patterns_re_reference(tmp_path: Path) -> None:
    loaded = load_calibration(save_calibration(MEASURED, tmp_path / "a.yaml", scan=scan()))
    half = apply_calibration(scan((5, 6, 32, 32)), loaded, ["centre", "pixel_size", "descan"])
    known = half.calibration
    assert known.centre.pair == (31.75 / 2 - 0.5, 34.0 / 2 - 0.5)
    assert known.pixel_size.number == pytest.approx(0.042)
    assert known.descan.ky == (0.005, 0.0)
    assert "from 64 x 64 to 32 x 32 px as binned" in known.centre.note
    double = apply_calibration(scan((5, 6, 128, 128)), loaded).calibration
    assert double.pixel_size.number == pytest.approx(0.0105)
    assert double.centre.pair == pytest.approx((31.75 * 2 - 0.5, 34.0 * 2 - 0.5))
    for shape in ((5, 6, 50, 50), (5, 6, 32, 64)):
        with pytest.raises(ValueError, match="64 x 64 px, these have"):
            apply_calibration(scan(shape), loaded)


BAD = {
    "empty": "",
    "truncated": "format: napari-orient calibration\ncalibration:\n  centre: {value: [31.2",
    "another tool's": "accelerating_voltage: 200\npixel_size: 0.02\n",
    "a list": "- 1\n- 2\n",
    "negative": "format: napari-orient calibration\ncalibration:\n  pixel_size: {value: -0.1}\n",
    "words": "format: napari-orient calibration\ncalibration:\n  centre: {value: middle}\n",
    "infinite": "format: napari-orient calibration\ncalibration:\n  step: {value: .inf}\n",
    "no values": "format: napari-orient calibration\n",
    "code": "!!python/object/apply:os.getcwd []\n",
    "another format": "format: other\ncalibration: {centre: {value: [1.0, 2.0]}}\n",
    "unknown": "format: napari-orient calibration\ncalibration: {astigmatism: {value: 1}}\n",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_files_are_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.calibration.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFile) as said:
        load_calibration(path)
    assert said.value.cure.endswith(".")


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = save_calibration(MEASURED, tmp_path / "a.yaml")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("version: 1", "version: 2"), encoding="utf-8")
    with pytest.raises(UnreadableFile, match="newer napari-orient") as said:
        load_calibration(path)
    assert "Update" in said.value.cure


def test_missing_binary_and_unwritable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not exist"):
        load_calibration(tmp_path / "none.yaml")
    (tmp_path / "x.yaml").write_bytes(bytes(range(128, 256)))
    with pytest.raises(UnreadableFile, match="no YAML"):
        load_calibration(tmp_path / "x.yaml")
    with pytest.raises(UnreadableFile, match="cannot be written"):
        save_calibration(MEASURED, tmp_path / "no folder" / "x.yaml")


@pytest.mark.parametrize(
    ("name", "unit"), [("pixel_size", "1/nm"), ("voltage", "V"), ("convergence", "rad")]
)
def test_another_unit_is_refused_not_misread(tmp_path: Path, name: str, unit: str) -> None:
    known = Quantity(value=200.0, unit=unit, source="typed")
    path = save_calibration(Calibration().set(**{name: known}), tmp_path / "x")
    with pytest.raises(UnreadableFile, match=rf"{name} in {unit}, not in "):
        load_calibration(path)
