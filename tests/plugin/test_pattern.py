from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from qtpy.QtCore import QPoint, Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402

from napari_orient.data.scan import Scan  # noqa: E402
from napari_orient.diffraction.detectors import Annulus, Disk, VirtualDetector  # noqa: E402
from napari_orient.plugin.pattern import readout  # noqa: E402
from napari_orient.plugin.pattern.image import nice_length, to_bytes  # noqa: E402
from napari_orient.plugin.pattern.view import PatternView  # noqa: E402
from napari_orient.plugin.scan_layers import describe_scan_layer  # noqa: E402
from napari_orient.plugin.sessions import get_session  # noqa: E402

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


def show(viewer, scan):
    data, settings, _ = describe_scan_layer(scan)
    return viewer.add_image(data, **settings)


def drag(view, start, end, steps=4, modifier=NONE):
    """Drag with real mouse events, from and to pattern positions (ky, kx)."""
    port, begin, finish = view.viewport(), view.position(*start), view.position(*end)
    QTest.mousePress(port, LEFT, modifier, begin)
    for step in range(1, steps + 1):
        QTest.mouseMove(port, begin + (finish - begin) * step / steps)
    QTest.mouseRelease(port, LEFT, modifier, finish)


# --- the view alone ----------------------------------------------------------------------------


@pytest.fixture
def view(qtbot):
    view = PatternView()
    qtbot.addWidget(view)
    view.resize(400, 400)
    view.setPattern(np.zeros((100, 100)))
    view.setDetectors((VirtualDetector(name="a", shapes=(Disk(centre=(40, 50), radius=10),)),))
    view.show()
    qtbot.waitExposed(view)
    return view


def test_pixels_are_square_and_positions_exact(view):
    transform = view.viewportTransform()
    assert transform.m11() == transform.m22()
    for place in ((0, 0), (99, 99), (12, 80)):
        assert np.allclose(view.at(view.position(*place)), place, atol=0.5 / transform.m11())


def test_mouse_moves_and_resizes(view):
    changes = []
    view.detectorChanged.connect(lambda index, detector: changes.append(detector))
    drag(view, (40, 50), (60, 30))
    assert len(changes) >= 2
    assert np.allclose(view.detectors()[0].shapes[0].centre, (60, 30), atol=0.3)
    drag(view, (60, 40), (60, 45))
    assert view.detectors()[0].shapes[0].radius == pytest.approx(15, abs=0.5)
    assert np.allclose(view.detectors()[0].shapes[0].centre, (60, 30), atol=0.3)


def test_annulus_has_two_edges(view):
    ring = VirtualDetector(name="r", shapes=(Annulus(centre=(50, 50), inner=15, outer=30),))
    view.setDetectors((ring,))
    drag(view, (35, 50), (30, 50))
    drag(view, (50, 80), (50, 90))
    shape = view.detectors()[0].shapes[0]
    assert (shape.inner, shape.outer) == (pytest.approx(20, abs=0.5), pytest.approx(40, abs=0.5))


def test_keys(view):
    removed, undone = [], []
    view.removeWanted.connect(removed.append)
    view.undoWanted.connect(undone.append)
    for key, modifier in (
        (Qt.Key.Key_Down, NONE),
        (Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier),
        (Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier),
        (Qt.Key.Key_Plus, NONE),
    ):
        QTest.keyClick(view, key, modifier)
    shape = view.detectors()[0].shapes[0]
    assert shape.centre == pytest.approx((40.9, 60))
    assert shape.radius == 11
    QTest.keyClick(view, Qt.Key.Key_Delete)
    QTest.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (removed, undone) == ([0], [False])


def test_double_click_and_menu_add_a_disk(view, qtbot):
    with qtbot.waitSignal(view.diskWanted) as asked:
        QTest.mouseDClick(view.viewport(), LEFT, NONE, view.position(80, 20))
    assert np.allclose(asked.args[:2], (80, 20), atol=0.3)
    menu = view.menu(view.position(40, 50))
    assert all(action.isEnabled() for action in menu.actions())
    with qtbot.waitSignal(view.removeWanted):
        menu.actions()[2].trigger()
    menu.deleteLater()


def test_wheel_zooms_around_the_mouse_and_f_fits(view, qtbot):
    from qtpy.QtCore import QPointF
    from qtpy.QtGui import QWheelEvent

    where = QPoint(300, 100)
    before, zoom = view.at(where), view.transform().m11()
    QTest.mouseMove(view.viewport(), where)
    event = QWheelEvent(
        QPointF(where), QPointF(view.viewport().mapToGlobal(where)), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, NONE, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    view.wheelEvent(event)
    assert view.transform().m11() == pytest.approx(1.2 * zoom)
    assert np.allclose(view.at(where), before, atol=1.0)
    QTest.keyClick(view, Qt.Key.Key_F)
    assert view.transform().m11() == pytest.approx(zoom)


def test_drawing_takes_less_than_10_ms(view):
    import time

    pattern = np.random.default_rng(0).poisson(3, (512, 512)).astype(np.uint16)
    view.setPattern(pattern)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        view.setPattern(pattern)
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.03  # 10 ms on a quiet machine


def test_grey_values():
    pattern = np.array([[0.0, 1.0], [10.0, np.nan]])
    assert to_bytes(pattern, "linear").tolist() == [[0, 25], [255, 0]]
    assert to_bytes(pattern, "sqrt").tolist() == [[0, 81], [255, 0]]
    assert 160 < to_bytes(pattern, "log")[0, 1] < 180
    assert to_bytes(np.zeros((3, 3)), "log").max() == 0
    sparse = np.zeros((50, 50))
    sparse[3, 4] = 7
    assert to_bytes(sparse, "linear", (0, 99))[3, 4] == 255
    assert [nice_length(v) for v in (0.7, 2.0, 49, 100)] == [0.5, 2, 20, 100]


def test_readout_units(scan):
    calibration = scan.calibration
    at = (16.0, 22.0)  # 10 px right of the beam, 0.05 1/angstrom a pixel
    assert readout.place(calibration, at, "1/Å") == "ky 0.000  kx 0.500  |k| 0.500 Å⁻¹"
    assert readout.place(calibration, at, "1/nm").endswith("|k| 5.00 nm⁻¹")
    assert readout.place(calibration, at, "d (Å)") == "d = 2.000 Å"
    # 200 kV: 0.02508 angstrom, so 0.5 1/angstrom are 12.54 mrad
    assert readout.place(calibration, at, "mrad").endswith("|θ| 12.54 mrad")
    unknown = calibration.set(pixel_size=None, voltage=None)
    assert "not calibrated" in readout.place(unknown, at, "mrad")
    assert readout.bar_unit(unknown, "1/Å") == (1.0, "px")
    assert readout.bar_unit(calibration, "1/nm") == (0.5, "nm⁻¹")


# --- the dock in a window ----------------------------------------------------------------------


@pytest.fixture
def dock(viewer, open_dock):
    return open_dock("Pattern")


def test_empty_dock_says_what_to_do(dock):
    assert "Open a scan" in dock.view._message
    assert not dock.source.isEnabled()


def test_pattern_follows_the_cursor_and_can_be_pinned(viewer, dock, scan, qtbot):
    show(viewer, scan)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    session = get_session(viewer)
    session.cursor = (2, 5)
    qtbot.waitUntil(lambda: np.array_equal(dock.view.pattern(), scan.data[2, 5]))
    assert "y 2, x 5  =  4, 10 nm" in dock.view._caption
    dock.follows.setChecked(False)
    session.cursor = (0, 0)
    qtbot.wait(100)
    np.testing.assert_array_equal(dock.view.pattern(), scan.data[2, 5])
    dock._on_canvas_clicked()
    qtbot.waitUntil(lambda: np.array_equal(dock.view.pattern(), scan.data[0, 0]))


def test_readout_of_the_pixel_under_the_mouse(viewer, dock, scan, qtbot):
    show(viewer, scan)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    get_session(viewer).cursor = (2, 5)
    qtbot.waitUntil(lambda: dock._shown == (2, 5))
    qtbot.wait(50)
    QTest.mouseMove(dock.view.viewport(), dock.view.position(6, 19))
    qtbot.waitUntil(lambda: "ky 6, kx 19" in dock.place.text())
    assert f": {scan.data[2, 5, 6, 19]}" in dock.place.text()
    assert "Å⁻¹" in dock.place.text()
    dock.unit.setCurrentText("mrad")
    dock._on_hovered((6.0, 19.0))
    assert "mrad" in dock.place.text()


def test_uncalibrated_units_are_greyed_out(viewer, dock, scan, qtbot):
    show(viewer, Scan(scan.data))
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    model = dock.unit.model()
    assert [model.item(row).isEnabled() for row in range(5)] == [True, False, False, False, False]
    assert dock.unit.currentText() == "px"


@pytest.mark.parametrize("statistic", ["Mean", "Maximum"])
def test_region_of_the_scan(viewer, dock, scan, qtbot, idle, statistic):
    show(viewer, scan)
    dock.draw_region()
    layer = viewer.layers["Scan region"]
    assert layer.mode == "add_rectangle"
    layer.add_rectangles(np.array([[0.6, 1.6], [3.4, 4.4]]))  # rows 1 to 3, columns 2 to 4
    session = get_session(viewer)
    qtbot.waitUntil(lambda: session.region is not None)
    expected = np.zeros(scan.scan_shape, bool)
    expected[1:4, 2:5] = True
    np.testing.assert_array_equal(session.region, expected)
    assert dock.source.currentText() == "Mean of the region"
    dock.source.setCurrentText(f"{statistic} of the region")
    reduce = np.mean if statistic == "Mean" else np.max
    wanted = reduce(scan.data[1:4, 2:5], axis=(0, 1))
    qtbot.waitUntil(
        lambda: dock.view.pattern() is not None and np.allclose(dock.view.pattern(), wanted)
    )
    layer.name = "renamed"
    viewer.layers.remove(layer)
    assert session.region is None
    assert dock.source.currentText() == "At the cursor"
    idle()


def test_a_region_beside_the_scan_is_refused(viewer, dock, scan, qtbot, idle, notes):
    """Without a region the mean is that of the whole scan: nobody asked for it."""
    show(viewer, scan)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    session = get_session(viewer)
    notes.clear()
    dock.draw_region()
    layer = viewer.layers["Scan region"]
    layer._is_creating = True  # the mouse is held
    layer.add_rectangles(np.array([[-9.0, -9.0], [-4.0, -3.0]]))
    qtbot.wait(300)
    assert layer.nshapes == 1  # it may yet be drawn into the scan
    assert not notes
    layer._is_creating = False
    qtbot.waitUntil(lambda: layer.nshapes == 0)
    assert "No position of the scan lies in the drawn region" in notes[-1]
    assert session.region is None
    layer.add_rectangles(np.array([[0.6, 1.6], [3.4, 4.4]]))
    qtbot.waitUntil(lambda: session.region is not None)
    assert dock.source.currentText() == "Mean of the region"
    layer.data = [np.asarray(layer.data[0]) + 40]  # dragged away
    qtbot.waitUntil(lambda: layer.nshapes == 0)
    assert session.region is None
    assert dock.source.currentText() == "At the cursor"
    assert len(notes) == 2
    idle()


def test_detectors_are_the_sessions(viewer, dock, scan, qtbot):
    show(viewer, scan)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    qtbot.wait(50)
    session = get_session(viewer)
    QTest.mouseDClick(dock.view.viewport(), LEFT, NONE, dock.view.position(6, 19))
    assert len(session.detectors) == 1
    drag(dock.view, session.detectors[0].shapes[0].centre, (20, 10))
    assert np.allclose(session.detectors[0].shapes[0].centre, (20, 10), atol=0.3)
    QTest.keyClick(dock.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.allclose(session.detectors[0].shapes[0].centre, (6, 19), atol=0.3)
    QTest.keyClick(dock.view, Qt.Key.Key_Delete)
    assert session.detectors == ()


def test_scan_replaced_and_removed(viewer, dock, scan, qtbot):
    layer = show(viewer, scan)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    other = Scan(np.full((3, 4, 10, 12), 7, np.uint8), name="other")
    get_session(viewer).cursor = (5, 7)
    second = show(viewer, other)
    qtbot.waitUntil(lambda: dock.view.pattern().shape == (10, 12))
    viewer.layers.remove(second)
    qtbot.waitUntil(lambda: dock.view.pattern().shape == (32, 24))
    viewer.layers.remove(layer)
    assert dock.view.pattern() is None
    assert "Open a scan" in dock.view._message


class Broken:
    """A file that disappeared."""

    shape, dtype = (4, 4, 8, 8), np.dtype(np.uint8)

    def __init__(self):
        self.works = True

    def __getitem__(self, where):
        if not self.works:
            raise OSError("the file is gone")
        return np.zeros(self.shape, self.dtype)[where]


def test_a_file_that_disappears_is_said_once(viewer, dock, qtbot, notes, idle):
    data = Broken()
    scan = Scan(data, name="stick", source="/media/stick/scan.h5")
    show(viewer, scan)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    idle()
    data.works = False
    session = get_session(viewer)
    for x in range(4):
        session.cursor = (1, x)
        qtbot.wait(30)
    qtbot.waitUntil(lambda: dock.view.pattern() is None)
    said = [note for note in notes if "scan.h5" in note]
    assert len(said) == 1
    assert "open the file again" in said[0]
    data.works = True
    session.cursor = (2, 2)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)


def test_closing_the_dock_leaves_nothing(viewer, open_dock, scan, qtbot):
    threads = {t for t in threading.enumerate() if t.name.startswith("orient-")}
    dock = open_dock("Pattern")
    show(viewer, scan)
    qtbot.waitUntil(lambda: dock.view.pattern() is not None)
    clicks = len(viewer.mouse_drag_callbacks)
    viewer.window.remove_dock_widget(dock)
    with qtbot.waitSignal(dock.destroyed):
        dock.deleteLater()
    qtbot.waitUntil(
        lambda: {t for t in threading.enumerate() if t.name.startswith("orient-")} == threads
    )
    session = get_session(viewer)
    session.cursor = (1, 1)
    session.detectors = (VirtualDetector(name="x", shapes=(Disk(centre=(1, 1), radius=1),)),)
    assert len(viewer.mouse_drag_callbacks) == clicks - 1
