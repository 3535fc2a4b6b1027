"""The Calibrate dock, driven by clicks and keys on simulated scans with a wrong calibration."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from calibrate_examples import (  # noqa: E402
    CENTRE,
    RATIO,
    SIZE,
    click,
    gold,
    turned_silicon,
)
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402

from napari_orient.crystal.phases import get_phase  # noqa: E402
from napari_orient.data.scan import Calibration, Quantity  # noqa: E402
from napari_orient.data.sidecar import load_calibration, sidecar_of  # noqa: E402
from napari_orient.plugin.calibrate import overlay as calibrate_overlay  # noqa: E402
from napari_orient.plugin.calibrate import sidecar as calibrate_sidecar  # noqa: E402
from napari_orient.plugin.calibrate.phase import NO_PHASE, facts  # noqa: E402
from napari_orient.plugin.scan_layers import describe_scan_layer  # noqa: E402


def type_into(box, text: str) -> None:
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


@pytest.fixture(autouse=True)
def _nothing_used_yet():
    calibrate_sidecar._recent.clear()


def take_mean(dock, qtbot, idle) -> None:
    dock.source.setCurrentText("Mean of the region")
    qtbot.waitUntil(lambda: dock.bench.at is None)
    idle()


def test_rings_give_the_camera_that_is_applied_and_undone(opened, qtbot, idle):
    dock = opened(gold())
    before = dock.session.scan.calibration
    take_mean(dock, qtbot, idle)
    dock.tabs.setCurrentWidget(dock.rings)
    dock.rings.phases.pick("Au")
    assert dock.rings.phases.facts.text() == "Fm-3m · a 4.078 Å"
    click(dock.rings.fit_rings)
    qtbot.waitUntil(lambda: "Residual" in dock.rings.said.text(), timeout=20_000)
    assert dock.session.scan.calibration == before  # nothing yet
    assert "Pixel: 0.017325 1/Å → 0.016" in dock.changes.text()
    click(dock.apply)
    found = dock.session.scan.calibration
    assert found.pixel_size.number == pytest.approx(SIZE, rel=0.003)
    assert found.centre.pair == pytest.approx(CENTRE, abs=0.1)
    assert found.ellipse.pair[0] == pytest.approx(RATIO, abs=0.003)
    assert found.ellipse.source == "measured"
    assert not dock.apply.isEnabled()
    click(dock.undo)
    assert dock.session.scan.calibration == before


def test_without_a_phase_it_says_what_to_do(opened, qtbot):
    dock = opened(gold())
    dock.tabs.setCurrentWidget(dock.rings)
    click(dock.rings.fit_rings)
    assert dock.rings.said.text() == NO_PHASE
    assert not dock.session.overlays
    qtbot.waitUntil(lambda: NO_PHASE in dock.told.text())


def test_what_is_missing_for_spots_and_fits_is_said(opened):
    dock = opened(gold(pixel_size=None))
    dock.tabs.setCurrentWidget(dock.rings)
    dock.rings.phases.pick("Au")
    click(dock.rings.fit_spots)
    assert "first guess of the pixel size" in dock.rings.said.text()
    for box in dock.rings.free.values():
        box.setChecked(False)
    click(dock.rings.fit_rings)
    assert "Tick what is to be fitted" in dock.rings.said.text()
    dock.tabs.setCurrentWidget(dock.rotation)
    click(dock.rotation.from_map)
    assert "same positions as the scan" in dock.rotation.said.text()


def test_the_overlay_moves_with_the_numbers(opened, qtbot):
    dock = opened(gold())
    dock.tabs.setCurrentWidget(dock.rings)
    dock.rings.phases.pick("Au")
    qtbot.waitUntil(lambda: bool(dock.session.overlays))
    first = dock.session.overlays["calibrate"].curves[0]
    radius = np.ptp(first[:, 0]) / 2
    assert radius == pytest.approx(math.sqrt(3) / 4.0782 / (1.05 * SIZE), rel=1e-3)
    type_into(dock.form.size, f"{2.1 * SIZE:.6f}")
    qtbot.waitUntil(lambda: dock.session.overlays["calibrate"].curves[0] is not first)
    assert np.ptp(dock.session.overlays["calibrate"].curves[0][:, 0]) / 2 == pytest.approx(
        radius / 2, rel=1e-3
    )
    old = dock.session.overlays["calibrate"]
    dock.form.ky.setFocus()
    QTest.keyClick(dock.form.ky, Qt.Key.Key_Up)  # 0.1 px
    qtbot.waitUntil(lambda: dock.session.overlays["calibrate"] is not old)
    moved = dock.session.overlays["calibrate"].curves[0] - old.curves[0]
    np.testing.assert_allclose(moved, np.broadcast_to([0.1, 0.0], moved.shape), atol=1e-9)
    click(dock.discard)
    assert dock.bench.draft == dock.session.scan.calibration
    assert dock.form.size.value() == pytest.approx(1.05 * SIZE, abs=1e-6)


def test_the_beam_is_found_and_taken_from_the_ruler(opened):
    dock = opened(gold())
    click(dock.centre.find)
    assert dock.bench.draft.centre.pair == pytest.approx(CENTRE, abs=0.15)
    assert dock.bench.draft.centre.source == "measured"
    click(dock.centre.spots)
    assert "Two points are needed" in dock.centre.said.text()
    dock.session.ruler = ((50.0, 60.0), (70.0, 61.0))
    click(dock.centre.spots)
    assert dock.bench.draft.centre.pair == (60.0, 60.5)


def test_the_beam_is_tracked_and_the_patterns_aligned(opened, qtbot, idle, viewer):
    scan = gold(drift=0.5)
    dock = opened(scan)
    dock.centre.stride.setCurrentText("1 in 1")
    click(dock.centre.track)
    qtbot.waitUntil(lambda: dock.centre.tracked is not None, timeout=20_000)
    idle()
    drift = dock.bench.draft.descan
    assert (drift.kx[1], drift.kx[0]) == pytest.approx((0.5, 0.0), abs=0.01)
    assert "Drift up to 2.7" in dock.centre.said.text()
    click(dock.centre.show_drift)
    layer = viewer.layers["Beam drift kx, px"]
    assert float(layer.data[:, -1].mean() - layer.data[:, 0].mean()) == pytest.approx(5.5, abs=0.1)
    click(dock.centre.align)
    idle()
    assert dock.session.scan.history[-1].startswith("descan taken out")
    assert dock.session.scan.calibration.descan is None
    click(dock.undo)
    idle()
    assert dock.session.scan.data is scan.data


def test_tracking_can_be_cancelled(opened, idle):
    dock = opened(gold(drift=0.5))
    before = dock.bench.draft
    click(dock.centre.track)
    dock.bar.cancel()
    idle()
    assert (dock.centre.tracked, dock.bench.draft) == (None, before)


def test_camera_length_and_pixel_size(opened):
    dock = opened(gold())
    dock.tabs.setCurrentWidget(dock.rings)
    from napari_orient.plugin.calibrate.rings import CameraLength

    form = dock.rings.findChild(CameraLength)
    type_into(form.pixel, "55")
    click(form.to_length)
    length = dock.bench.draft.camera_length.number
    # 55 um / (0.025079 A x 0.017325 1/A)
    assert length == pytest.approx(0.055 / (0.0250793 * 1.05 * SIZE), rel=1e-4)
    type_into(form.length, f"{2 * length:.1f}")
    click(form.to_size)
    assert dock.bench.draft.pixel_size.number == pytest.approx(1.05 * SIZE / 2, rel=1e-3)


def test_saved_beside_the_scan_and_offered_to_it(opened, tmp_path, qtbot, idle, viewer):
    scan = gold().replaced(source=tmp_path / "morning.h5")
    dock = opened(scan)
    assert not dock.offer.isVisible()
    type_into(dock.form.size, f"{SIZE:.6f}")
    dock.tabs.setCurrentWidget(dock.sidecar)
    click(dock.sidecar.save)
    assert "Apply or discard" in dock.sidecar.said.text()
    click(dock.apply)
    dock.sidecar.save_to(str(sidecar_of(scan.source)))
    path = tmp_path / "morning.calibration.yaml"
    assert load_calibration(path).calibration.pixel_size.number == pytest.approx(SIZE)
    # the next scan of the day: not silently, but by one click from the list
    data, settings, _ = describe_scan_layer(gold().replaced(source=tmp_path / "noon.h5"))
    viewer.add_image(data, **settings)
    idle()
    assert dock.session.scan.calibration.pixel_size.number == pytest.approx(1.05 * SIZE)
    assert not dock.offer.isVisible()
    item = dock.sidecar.recent.item(0)
    assert item.text() == "morning"
    dock.sidecar.recent.itemActivated.emit(item)
    taken = dock.session.scan.calibration.pixel_size
    assert taken.number == pytest.approx(SIZE)
    assert "from morning.calibration.yaml" in taken.note
    # another day: the scan is opened again
    calibrate_sidecar._recent.clear()
    data, settings, _ = describe_scan_layer(gold().replaced(source=tmp_path / "morning.h5"))
    viewer.add_image(data, **settings)
    idle()
    assert "lies beside this scan" in dock.offer.said.text()
    click(dock.offer.use)
    assert dock.session.scan.calibration.pixel_size.number == pytest.approx(SIZE)
    assert not dock.offer.isVisible()
    click(dock.undo)
    assert dock.session.scan.calibration.pixel_size.number == pytest.approx(1.05 * SIZE)


def test_a_damaged_sidecar_is_said(opened, tmp_path, notes):
    bad = Path(tmp_path / "bad.calibration.yaml")
    bad.write_text("half: [")
    dock = opened(gold())
    dock.sidecar.take(str(bad))
    assert "is no YAML text" in dock.sidecar.said.text()
    assert dock.session.scan.calibration.pixel_size.source == "file"


def test_axes_show_rotation_and_flip():
    known = Calibration(centre=Quantity(value=(50.0, 50.0)))

    def tips(**changes):
        curves = calibrate_overlay.scan_axes(known.set(**changes), (100, 100)).curves
        return [tuple(np.round(curve[1] - curve[0])) for curve in curves]

    assert tips() == [(0, 30), (30, 0)]
    # kx lies 90 degrees from the scan's x towards y: the scan's x points along -ky
    assert tips(rotation=Quantity(value=90.0)) == [(-30, 0), (0, 30)]
    assert tips(flip=Quantity(value=1.0)) == [(0, -30), (30, 0)]


def test_rotation_from_a_map_and_spots_that_fit(opened, qtbot):
    scan, orientations = turned_silicon()
    dock = opened(scan)
    dock.session.orientation_map = orientations
    dock.tabs.setCurrentWidget(dock.rotation)
    assert dock.shown.currentText() == "Scan axes"
    click(dock.rotation.from_map)
    qtbot.waitUntil(lambda: dock.rotation.found is not None, timeout=20_000)
    assert dock.bench.draft.rotation.number == pytest.approx(90, abs=0.3)
    assert not dock.bench.draft.flip.number
    assert "mirrored: score" in dock.rotation.said.text()
    dock.shown.setCurrentText("Spots of the map")
    qtbot.waitUntil(
        lambda: bool(dock.session.overlays) and len(dock.session.overlays["calibrate"].spots) > 0
    )
    pattern = dock.bench.pattern
    places = np.rint(dock.session.overlays["calibrate"].spots[:6]).astype(int)
    assert np.median(pattern[tuple(places.T)]) > 4 * np.median(pattern)
    click(dock.rotation.turn)
    assert dock.bench.draft.rotation.number == pytest.approx(-90, abs=0.3)


def test_facts_of_a_phase():
    assert facts(get_phase("LiNiO2")) == "R-3m · a 2.878, c 14.19 Å · γ 120°"


def test_it_fits_a_narrow_dock(opened):
    dock = opened(gold())
    for index in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(index)
        assert dock.minimumSizeHint().width() <= 300
        scroll = dock.layout().itemAt(0).widget()
        assert scroll.widget().minimumSizeHint().width() <= 300
