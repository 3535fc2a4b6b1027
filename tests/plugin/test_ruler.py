"""The ruler and the overlay on a pattern, driven by the mouse and keys."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from qtpy.QtCore import QPoint, QRectF, Qt  # noqa: E402
from qtpy.QtGui import QGuiApplication, QImage, QPainter, QTransform  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402

from napari_orient.crystal.phases import get_phase  # noqa: E402
from napari_orient.data.maps import OrientationMap  # noqa: E402
from napari_orient.data.scan import Calibration, Descan, Quantity, Scan  # noqa: E402
from napari_orient.diffraction.camera.measure import lengths  # noqa: E402
from napari_orient.diffraction.detectors import Disk, VirtualDetector  # noqa: E402
from napari_orient.diffraction.overlay import Overlay  # noqa: E402
from napari_orient.plugin.pattern import ruler_rows  # noqa: E402
from napari_orient.plugin.pattern.overlay import index_parts, paint_overlay  # noqa: E402
from napari_orient.plugin.pattern.phase_choice import PhaseChoice  # noqa: E402
from napari_orient.plugin.pattern.ruler import RulerTool  # noqa: E402
from napari_orient.plugin.pattern.view import PatternView  # noqa: E402
from napari_orient.plugin.scan_layers import describe_scan_layer  # noqa: E402
from napari_orient.plugin.sessions import get_session  # noqa: E402

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
ALT = Qt.KeyboardModifier.AltModifier
# nickel seen along [001], 100 px an angstrom^-1: (200) right of the beam, (020) below it
A = 3.5238
FIRST, SECOND = (60.0, 70.0 + 200 / A), (60.0 + 200 / A, 70.0)


def nickel(**changes):
    """Patterns of two spots, (200) and (020), and the beam."""
    ky, kx = np.ogrid[:140, :140]
    pattern = np.full((140, 140), 3.0)
    for y, x in ((60.0, 70.0), FIRST, SECOND):
        pattern += 200 * np.clip(3.5 - np.hypot(ky - y, kx - x), 0, 1)
    values = {
        "pixel_size": Quantity(value=0.01, unit="1/angstrom"),
        "centre": Quantity(value=(60.0, 70.0), unit="px"),
        "voltage": Quantity(value=200.0, unit="kV"),
    }
    data = np.broadcast_to(pattern.astype(np.uint16), (3, 4, 140, 140)).copy()
    return Scan(data, Calibration(**{**values, **changes}), name="nickel", phase="Ni")


def press(view, start, end=None, modifier=NONE):
    """Press at (ky, kx), drag and release with real mouse events."""
    port, begin = view.viewport(), view.position(*start)
    finish = view.position(*(end or start))
    QTest.mousePress(port, LEFT, modifier, begin)
    for step in (0.5, 1.0):
        move(port, begin + (finish - begin) * step, modifier)
    QTest.mouseRelease(port, LEFT, modifier, finish)


def move(port, position, modifier):
    """Move the mouse with a key held, which QTest cannot."""
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    where, there = QPointF(position), QPointF(port.mapToGlobal(position))
    event = QMouseEvent(
        QEvent.Type.MouseMove, where, there, Qt.MouseButton.NoButton, LEFT, modifier
    )
    QApplication.sendEvent(port, event)


@pytest.fixture
def view(qtbot):
    view = PatternView()
    qtbot.addWidget(view)
    view.resize(450, 450)
    view.setPattern(nickel().data[0, 0])
    view.setDetectors((VirtualDetector(name="a", shapes=(Disk(centre=(30, 30), radius=10),)),))
    view.show()
    qtbot.waitExposed(view)
    return view


@pytest.fixture
def tool(view):
    tool = RulerTool(view)
    tool.switchWanted.connect(tool.setOn)
    tool.setValue((), (60.0, 70.0))
    return tool


# --- the tool on a view ------------------------------------------------------------------------


def test_points_snap_to_spots_and_the_third_press_starts_anew(view, tool):
    tool.setOn(True)
    press(view, (FIRST[0] + 4, FIRST[1] - 3))
    assert tool.points() == (pytest.approx(FIRST, abs=0.1),)
    press(view, (SECOND[0] - 25, SECOND[1]), (SECOND[0] - 3, SECOND[1] + 4))  # dragged there
    assert tool.points() == (pytest.approx(FIRST, abs=0.1), pytest.approx(SECOND, abs=0.1))
    press(view, (100, 110))
    assert len(tool.points()) == 1
    assert tool.points()[0] == pytest.approx((100, 110), abs=0.3)  # no spot there


def test_alt_sets_freely_and_a_point_can_be_dragged(view, tool):
    tool.setOn(True)
    free = (FIRST[0] + 4, FIRST[1] - 3)
    press(view, free, modifier=ALT)
    assert tool.points()[0] == pytest.approx(free, abs=0.3)
    press(view, free, SECOND)
    assert tool.points() == (pytest.approx(SECOND, abs=0.1),)


def test_off_the_mouse_and_keys_belong_to_the_detectors(view, tool):
    removed = []
    view.removeWanted.connect(removed.append)
    press(view, (30, 30), (50, 40))
    assert view.detectors()[0].shapes[0].centre == pytest.approx((50, 40), abs=0.3)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert removed == [0]
    tool.setOn(True)
    before = view.detectors()
    press(view, (50, 40), (20, 20), modifier=ALT)
    QTest.mouseDClick(view.viewport(), LEFT, NONE, view.position(100, 20))
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert view.detectors() == before
    assert removed == [0]
    assert tool.points() == ()  # Delete cleared


def test_keys_switch_and_clear(view, tool):
    QTest.keyClick(view, Qt.Key.Key_R)
    assert tool.on
    press(view, FIRST)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert (tool.points(), tool.on) == ((), True)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not tool.on
    QTest.keyClick(view, Qt.Key.Key_R)
    QTest.keyClick(view, Qt.Key.Key_R)
    assert not tool.on


def test_space_still_pans_while_the_ruler_is_on(view, tool):
    tool.setOn(True)
    view.scale(2, 2)
    before = view.position(60, 70)
    QTest.keyPress(view, Qt.Key.Key_Space)
    QTest.mousePress(view.viewport(), LEFT, NONE, QPoint(200, 200))
    move(view.viewport(), QPoint(230, 210), NONE)
    QTest.mouseRelease(view.viewport(), LEFT, NONE, QPoint(230, 210))
    QTest.keyRelease(view, Qt.Key.Key_Space)
    assert view.position(60, 70) - before == QPoint(30, 10)
    assert tool.points() == ()


# --- what it says ------------------------------------------------------------------------------


def test_rows_of_two_spots_of_nickel():
    found = lengths((FIRST, SECOND), nickel().calibration)
    rows = ruler_rows.measured_rows(found)
    assert rows[0] == ("1", "56.8", f"{A / 2:.3f}", "0.5676", "14.23", "0.0")
    assert rows[1][-1] == "90.0"
    assert ruler_rows.angle_words(found) == "Angle 1–2: 90.00°"
    vectors = tuple(one.vector for one in found[:2])
    pair = ruler_rows.candidate_rows(ruler_rows.Question("Ni", vectors, 0.03, 2.0))
    assert pair == [("020", "002", "+0.0", "+0.0", "90.0", "+0.0", "[100]")]
    single = ruler_rows.candidate_rows(ruler_rows.Question("Ni", vectors[:1], 0.03, 2.0))
    assert single[0][:4] == ("200", f"{A / 2:.3f}", "+0.0", "6")
    assert len(single) == 1


def test_what_cannot_be_answered_is_said():
    def ask(vector, phase="Ni"):
        return ruler_rows.candidate_rows(ruler_rows.Question(phase, (vector,), 0.03, 2.0))

    with pytest.raises(ValueError, match="drag it to a spot"):
        ask((0.0, 0.0))
    with pytest.raises(ValueError, match="beyond 4"):
        ask((5.0, 0.0))
    with pytest.raises(ValueError, match="no phase is called"):
        ask((0.5, 0.0), "unobtainium")


def test_phases_of_scan_maps_and_catalogue(qtbot):
    picker = PhaseChoice()
    qtbot.addWidget(picker)
    gold = get_phase("Au")
    gold.name = "Foil"
    orientations = OrientationMap(np.tile([1.0, 0, 0, 0], (2, 2, 1)), {0: gold})
    picker.setPhases("nio", [orientations])
    assert [picker.itemText(i) for i in range(3)] == ["NiO", "Foil", "LiNiO2"]
    assert picker.value() == "NiO"
    picker.setCurrentIndex(1)
    picker.activated.emit(1)
    picker.setPhases("Ni", [orientations])
    assert picker.value() is gold  # the user's choice stays
    picker.setPhases("Ni", [])
    assert picker.value() == "Ni"


# --- the overlay -------------------------------------------------------------------------------


def test_indices_are_split_for_their_bars():
    assert index_parts("1-10") == [("1", False), ("1", True), ("0", False)]
    assert [part for part in index_parts("1 -1 12") if part[0] != " "] == [
        ("1", False), ("1", True), ("12", False),
    ]  # fmt: skip
    assert index_parts("[01-1]")[-2:] == [("1", True), ("]", False)]
    assert index_parts("LiNiO2") == [("LiNiO2", False)]


def paint(overlay, zoom=4.0, taken=()):
    image = QImage(400, 400, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    written = paint_overlay(
        painter, overlay, QTransform().scale(zoom, zoom), QRectF(0, 0, 400, 400), list(taken)
    )
    painter.end()
    return image, written


def test_labels_that_collide_are_dropped(qapp):
    labels = (("200", 50.0, 50.0), ("020", 51.0, 50.5), ("002", 80.0, 20.0), ("111", 50.0, 200.0))
    overlay = Overlay((), np.zeros((0, 2)), np.zeros(0), labels)
    assert paint(overlay)[1] == ["200", "002"]
    assert paint(overlay, taken=[QRectF(0, 250, 200, 150)])[1] == ["200"]


def test_circles_and_curves_are_where_they_should_be(qapp):
    curve = np.array([[20.0, 10.0], [20.0, 90.0]])
    overlay = Overlay((curve,), np.array([[60.0, 50.0]]), np.array([5.0]), (), "#ff0000")
    image, _ = paint(overlay)
    assert image.pixelColor(200, 80).red() > 150
    assert image.pixelColor(220, 240).red() > 100  # right end of the circle
    assert image.pixelColor(200, 240).red() == 0


def test_a_moving_overlay_is_drawn_in_less_than_50_ms(view):
    turn = np.linspace(0, 2 * math.pi, 181)
    times = []
    for step in range(10):
        curves = tuple(
            60 + r * (1 + step / 50) * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
            for r in np.linspace(10, 60, 20)
        )
        labels = tuple((f"{i // 10}{i % 10}-1", 60.0, 60 + 0.5 * i) for i in range(100))
        overlay = Overlay(curves, 70 * np.random.default_rng(0).random((100, 2)), np.full(100, 2.0),
                          labels)  # fmt: skip
        view.setOverlays([overlay])
        start = time.perf_counter()
        view.grab()
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.1  # 50 ms on a quiet machine


# --- the dock in a window ----------------------------------------------------------------------


@pytest.fixture
def dock(viewer, open_dock):
    return open_dock("Pattern")


def show(viewer, scan):
    data, settings, _ = describe_scan_layer(scan)
    return viewer.add_image(data, **settings)


def cells(table, row):
    return [table.item(row, c).text() for c in range(table.columnCount())]


def test_ruler_in_the_dock(viewer, dock, qtbot, idle):
    show(viewer, nickel())
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    panel, session = dock.ruler.panel, get_session(viewer)
    assert not dock.ruler.frame.isVisible()
    dock.view.setFocus()
    QTest.keyClick(dock.view, Qt.Key.Key_R)
    assert dock.ruler.frame.isVisible()
    assert panel.phases.currentText() == "Ni"
    qtbot.wait(50)  # the view has its new size
    press(dock.view, (FIRST[0] + 2, FIRST[1] - 2))
    qtbot.waitUntil(lambda: panel.candidates.rowCount() == 1, timeout=20_000)
    assert cells(panel.candidates, 0)[0] == "200"
    press(dock.view, SECOND)
    qtbot.waitUntil(lambda: panel.candidates.columnCount() == 7, timeout=20_000)
    assert cells(panel.candidates, 0)[-1] == "[100]"
    assert len(session.ruler) == 2
    panel.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert "d Å\tg Å⁻¹" in copied
    assert "Angle 1–2: 90.0" in copied
    assert "\t[100]" in copied
    panel.phases.setCurrentText("Cu")
    panel.tolerance.setValue(0.5)
    qtbot.waitUntil(lambda: "No reflection" in panel.note.text())
    session.ruler = ()
    assert panel.measured.rowCount() == 0
    idle()


def test_without_a_pixel_size_the_cure_is_said(viewer, dock, qtbot, idle):
    show(viewer, nickel(pixel_size=None))
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    get_session(viewer).ruler = (FIRST,)  # a desk restored: the ruler comes with it
    assert dock.ruler.button.isChecked()
    assert "Load > Calibration" in dock.ruler.panel.note.text()
    assert cells(dock.ruler.panel.measured, 0)[1:3] == ["56.8", "–"]
    assert not dock.ruler.panel.candidates.isVisible()
    idle()


def test_beam_follows_the_descan(viewer, dock, qtbot, idle):
    show(viewer, nickel(descan=Descan(ky=(2.0, 0.0), kx=(0.0, 0.0))))
    session = get_session(viewer)
    session.cursor = (0, 0)
    qtbot.waitUntil(lambda: dock._shown == (0, 0))
    session.ruler = (FIRST,)
    assert cells(dock.ruler.panel.measured, 0)[1] == "56.8"
    session.cursor = (2, 0)
    qtbot.waitUntil(lambda: dock._shown == (2, 0))
    assert dock.view._centre == (64, 70)
    assert cells(dock.ruler.panel.measured, 0)[1] == f"{math.hypot(4, 200 / A):.1f}"
    idle()


def test_overlay_of_the_session_is_drawn(viewer, dock, qtbot, idle):
    show(viewer, nickel())
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    overlay = Overlay((), np.array([FIRST]), np.array([5.0]), (("200", *FIRST),), "#00ff00")
    get_session(viewer).draw("test", overlay)
    edge = dock.view.position(FIRST[0], FIRST[1] + 5)
    qtbot.wait(20)
    ring = dock.view.grab(dock.view.rect()).toImage()
    near = [ring.pixelColor(edge + QPoint(dx, 0)) for dx in (-1, 0, 1)]
    assert max(c.green() - max(c.red(), c.blue()) for c in near) > 80
    get_session(viewer).draw("test", None)
    assert not dock.view._overlays
    idle()


def test_dock_fits_into_300_px(qtbot):
    from napari.components import ViewerModel

    from napari_orient.plugin.pattern.dock import PatternDock

    dock = PatternDock(ViewerModel())
    qtbot.addWidget(dock)
    dock.resize(300, 800)
    dock.show()
    dock.session.scan = nickel()
    dock.session.ruler = (FIRST, SECOND)
    qtbot.waitUntil(lambda: dock.ruler.panel.candidates.columnCount() == 7, timeout=20_000)
    qtbot.wait(50)
    assert dock.width() == 300
    assert dock.minimumSizeHint().width() <= 300
    for widget in (dock.draw, dock.ruler.button, dock.high, dock.ruler.panel.copy):
        assert widget.mapTo(dock, QPoint(widget.width(), 0)).x() <= 300
    assert dock.ruler.frame.verticalScrollBar().maximum() == 0  # all of it is seen


def test_points_go_with_patterns_of_another_size(viewer, dock, qtbot, idle, scan):
    layer = show(viewer, nickel())
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    session = get_session(viewer)
    session.ruler = (FIRST,)
    show(viewer, scan)
    assert session.ruler == ()
    viewer.layers.clear()
    assert not dock.ruler.button.isEnabled()
    assert layer is not None
    idle()
