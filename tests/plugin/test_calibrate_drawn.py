"""What the Calibrate dock draws on the pattern, and fits that are asked for by clicks."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from calibrate_examples import click, gold, turned_silicon  # noqa: E402, turned_silicon
from camera_examples import Truth, zone_pattern  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QDockWidget, QFileDialog, QPushButton  # noqa: E402

from napari_orient.crystal.phases import resource  # noqa: E402
from napari_orient.data.scan import Calibration, Quantity, Scan  # noqa: E402
from napari_orient.diffraction.overlay import Overlay  # noqa: E402
from napari_orient.jobs import Progress  # noqa: E402
from napari_orient.plugin.calibrate.dock import differences  # noqa: E402
from napari_orient.plugin.pattern.view import PatternView  # noqa: E402
from napari_orient.plugin.scan_layers import describe_scan_layer  # noqa: E402

LEFT = Qt.MouseButton.LeftButton


def go_to(dock, panel) -> None:
    """Click on the tab of a panel."""
    bar = dock.tabs.tabBar()
    QTest.mouseClick(bar, LEFT, pos=bar.tabRect(dock.tabs.indexOf(panel)).center())
    assert dock.tabs.currentWidget() is panel


def choose(box, text: str) -> None:
    """Choose an entry of a list by keys, as a user does."""
    box.setFocus()
    QTest.keyClicks(box, text)
    assert box.currentText() == text


def test_each_tab_draws_what_it_is_about(opened, idle):
    dock = opened(gold().replaced(phase="Au"))
    idle()
    assert (dock.shown.currentText(), dock.session.overlays.get("calibrate")) == ("Nothing", None)
    for panel, drawn in (
        (dock.rings, "Rings"), (dock.rotation, "Scan axes"), (dock.sidecar, "Scan axes"),
        (dock.centre, "Nothing"),
    ):  # fmt: skip
        go_to(dock, panel)
        assert dock.shown.currentText() == drawn


def test_what_the_user_draws_stays(opened):
    dock = opened(gold().replaced(phase="Au"))
    choose(dock.shown, "Scan axes")
    for panel in (dock.rings, dock.rotation, dock.centre):
        go_to(dock, panel)
        assert dock.shown.currentText() == "Scan axes"


def test_a_closed_dock_takes_its_drawing_away(opened, viewer, qtbot):
    dock = opened(gold().replaced(phase="Au"))
    session = dock.session
    go_to(dock, dock.rings)
    qtbot.waitUntil(lambda: bool(session.overlays))
    viewer.window.remove_dock_widget(dock)
    del dock
    qtbot.waitUntil(lambda: not session.overlays)


def test_a_faint_ring_is_painted_faintly(qtbot):
    view = PatternView()
    qtbot.addWidget(view)
    view.resize(300, 300)
    view.setPattern(np.zeros((100, 100)))
    line = np.array([[50.0, 10.0], [50.0, 90.0]])
    none = (np.zeros((0, 2)), np.zeros(0), ())

    def green(opacity: float) -> int:
        view.setOverlays([Overlay((line,), *none, opacities=(opacity,))])
        image = view.viewport().grab().toImage()
        x = image.width() // 3
        return max(image.pixelColor(x, y).green() for y in range(image.height()))

    view.show()
    qtbot.waitExposed(view)
    assert 20 < green(0.3) < 0.5 * green(1.0)


def test_spots_of_one_crystal_give_the_camera(opened, qtbot):
    truth = Truth((66.4, 62.1), 0.0165, 1.02, 20.0)
    pattern = zone_pattern(
        "Si", truth, np.random.default_rng(2), np.array([0.9239, 0.0, 0.0, 0.3827]), (128, 128)
    )  # along 001, turned by 45 degrees
    known = Calibration(
        pixel_size=Quantity(value=truth.size * 1.04, unit="1/angstrom", source="file"),
        voltage=Quantity(value=200.0, unit="kV", source="file"),
    )
    dock = opened(Scan(np.broadcast_to(pattern, (2, 3, *pattern.shape)).copy(), known))
    go_to(dock, dock.rings)
    choose(dock.rings.phases.box, "Si")
    click(dock.rings.fit_spots)
    qtbot.waitUntil(lambda: "Residual" in dock.rings.said.text(), timeout=20_000)
    assert dock.bench.draft.pixel_size.number == pytest.approx(truth.size, rel=0.005)
    assert dock.bench.draft.centre.pair == pytest.approx(truth.centre, abs=0.3)


def test_spots_of_many_grains_all_over_the_scan(opened, qtbot):
    scan, _ = turned_silicon()
    known = scan.calibration.set(pixel_size=Quantity(value=0.009 * 1.04))
    dock = opened(scan.replaced(calibration=known))
    go_to(dock, dock.rings)
    choose(dock.rings.phases.box, "Si")
    click(dock.rings.fit_scan)
    qtbot.waitUntil(lambda: "Residual" in dock.rings.said.text(), timeout=20_000)
    assert dock.bench.draft.pixel_size.number == pytest.approx(0.009, rel=0.005)
    assert dock.bench.draft.centre.pair == pytest.approx((128, 128), abs=0.3)


def test_centre_of_mass_gives_the_rotation(opened, qtbot):
    """The beam is deflected along the slope of a hill; the camera is turned by 30 degrees."""
    y, x = np.mgrid[:16, :16] - 7.5
    hill = np.exp(-(y**2 + x**2) / 30)
    slope = np.stack([-y * hill, -x * hill])  # along the scan's y and x
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    ky, kx = np.mgrid[:48, :48]
    data = np.empty((16, 16, 48, 48), np.float32)
    for place in np.ndindex(16, 16):
        dy, dx = 2 * slope[(slice(None), *place)]
        at_ky, at_kx = 24 + c * dy - s * dx, 24 + s * dy + c * dx
        data[place] = 1000 * np.exp(-((ky - at_ky) ** 2 + (kx - at_kx) ** 2) / 8)
    dock = opened(Scan(data, Calibration(), name="hill"))
    go_to(dock, dock.rotation)
    click(dock.rotation.from_mass)
    qtbot.waitUntil(lambda: dock.rotation.found is not None, timeout=20_000)
    turned = dock.bench.draft.rotation.number
    assert abs((turned - 30 + 90) % 180 - 90) < 0.5  # 180 degrees stay open
    assert "cannot be told apart" in dock.rotation.said.text()


def test_a_cif_is_opened_and_one_that_is_none_told(opened, monkeypatch, tmp_path, notes):
    dock = opened(gold())
    go_to(dock, dock.rings)
    answers = [str(resource("LiNiO2.cif")), str(tmp_path / "bad.cif")]
    (tmp_path / "bad.cif").write_text("dear diary")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (answers.pop(0), ""))
    click(dock.rings.phases.cif)
    assert "R-3m · a 2.878" in dock.rings.phases.facts.text()
    assert len(dock.rings.rings()) > 20
    click(dock.rings.phases.cif)
    assert any("bad.cif" in note for note in notes)
    assert "R-3m" in dock.rings.phases.facts.text()  # the one before stays


def test_what_was_found_in_one_scan_is_not_said_of_the_next(opened, viewer, qtbot, idle):
    dock = opened(gold(drift=0.5))
    click(dock.centre.track)
    qtbot.waitUntil(lambda: dock.centre.show_drift.isEnabled(), timeout=20_000)
    idle()
    data, settings, _ = describe_scan_layer(gold())  # of the same shape
    viewer.add_image(data, **settings)
    idle()
    assert not dock.centre.show_drift.isEnabled()
    assert dock.centre.said.text() == ""


def test_the_centre_of_mass_is_not_tracked_as_something_else(opened):
    dock = opened(gold())
    choose(dock.centre.method, "centre of mass")
    click(dock.centre.track)
    assert not dock.bar.is_running
    assert "choose its disk or symmetry" in dock.centre.said.text()


def test_a_calibration_names_the_file_that_it_was_measured_on(opened, tmp_path):
    scan = gold().replaced(source=f"{tmp_path}/morning.h5::/scan/data")
    dock = opened(scan)
    path = str(tmp_path / "morning.calibration.yaml")
    dock.sidecar.save_to(path)
    dock.sidecar.take(path)
    assert dock.sidecar.said.text().endswith("measured on morning.h5")


def test_what_cannot_be_fitted_is_said_where_it_was_asked(opened, qtbot, idle, notes):
    dock = opened(Scan(np.random.default_rng(0).poisson(3.0, (2, 3, 64, 64)), gold().calibration))
    before = dock.bench.draft
    go_to(dock, dock.rings)
    choose(dock.rings.phases.box, "Au")
    click(dock.rings.fit_rings)
    qtbot.waitUntil(lambda: bool(dock.rings.said.text()), timeout=20_000)
    idle()
    assert "check phase and first guess" in dock.rings.said.text()
    assert notes[-1] == dock.rings.said.text()  # words, not the name of an error
    assert dock.bench.draft == before


def test_tracking_is_cancelled_by_a_click(opened, qtbot, idle, monkeypatch):
    from napari_orient.diffraction.camera import descan

    def endless(*_, **__):
        while True:
            yield Progress(1, 100, "endless")
            time.sleep(0.005)

    monkeypatch.setattr(descan, "track_centre", endless)
    dock = opened(gold())
    before = dock.bench.draft
    click(dock.centre.track)
    (cancel,) = (b for b in dock.bar.findChildren(QPushButton) if b.text() == "Cancel")
    qtbot.waitUntil(cancel.isVisible)
    click(cancel)
    idle()
    assert not dock.bar.isVisible()
    assert dock.bench.draft == before
    click(dock.centre.track)  # and the dock goes while it works
    qtbot.waitUntil(cancel.isVisible)
    dock.viewer.window.remove_dock_widget(dock)
    idle()


def test_changes_are_told_so_that_they_differ():
    old = Calibration(pixel_size=Quantity(value=0.02, unit="1/angstrom", source="file"))
    new = old.set(
        pixel_size=Quantity(value=0.021, unit="1/angstrom", source="measured"),
        flip=Quantity(value=0.0, source="measured"),
        rotation=Quantity(value=90.03, unit="deg", source="measured"),
    )
    assert differences(old, new) == [
        "Pixel: 0.02 1/Å → 0.021 1/Å", "Rotation: 0° → 90.03°", "Mirrored: no, now measured",
    ]  # fmt: skip
    assert differences(new, new) == []


def test_ruler_and_calibration_fit_a_small_window(opened, open_dock, viewer, qtbot):
    window = viewer.window._qt_window
    pattern = open_dock("Pattern")
    opened(gold())
    docks = [w for w in window.findChildren(QDockWidget) if "napari-orient" in w.windowTitle()]
    window.resizeDocks(docks, [320] * len(docks), Qt.Orientation.Horizontal)
    click(pattern.ruler.button)
    qtbot.wait(200)
    assert window.minimumSizeHint().height() <= 900
    assert window.height() <= 900
