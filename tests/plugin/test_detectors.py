from __future__ import annotations

import threading
import time

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402

from napari_orient.data.scan import Scan  # noqa: E402
from napari_orient.diffraction.detectors import Annulus, Disk, VirtualDetector  # noqa: E402
from napari_orient.plugin.detectors.live_images import RGB_NAME  # noqa: E402
from napari_orient.plugin.layers import KEY, kind_of  # noqa: E402
from napari_orient.plugin.scan_layers import describe_scan_layer, replace_scan  # noqa: E402
from napari_orient.plugin.sessions import get_session  # noqa: E402

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
SPOT = VirtualDetector(name="spot", shapes=(Disk(centre=(6, 19), radius=2),), colour="#ffd60a")


def show(viewer, scan):
    data, settings, _ = describe_scan_layer(scan)
    return viewer.add_image(data, **settings)


def summed(scan, detector):
    """What numpy says: the sum of the counts under the detector."""
    ky, kx = np.indices(scan.pattern_shape)
    inside = np.zeros(scan.pattern_shape, bool)
    for shape in detector.shapes:
        r2 = (ky - shape.centre[0]) ** 2 + (kx - shape.centre[1]) ** 2
        if isinstance(shape, Annulus):
            inside |= (r2 >= shape.inner**2) & (r2 <= shape.outer**2)
        else:
            inside |= r2 <= shape.radius**2
    return np.asarray(scan.data)[..., inside].sum(axis=-1, dtype=np.float64)


@pytest.fixture
def session(viewer):
    return get_session(viewer)


@pytest.fixture
def dock(viewer, open_dock, scan, qtbot):
    show(viewer, scan)
    dock = open_dock("Virtual detectors")
    qtbot.waitUntil(lambda: dock.images.imager.ready, timeout=20_000)
    return dock


@pytest.fixture
def shows(viewer, session, qtbot):
    """Wait until the layer of a detector holds exactly what numpy says."""

    def wait(name, scan):
        def right():
            detector = next((d for d in session.detectors if d.name == name), None)
            layer = next(
                (x for x in viewer.layers if x.metadata.get(KEY, {}).get("made_as") == name), None
            )
            return (
                detector is not None
                and layer is not None
                and np.array_equal(layer.data, summed(scan, detector))
            )

        qtbot.waitUntil(right, timeout=10_000)

    return wait


def test_empty_dock_says_what_to_do(open_dock):
    dock = open_dock("Virtual detectors")
    assert "Open a scan" in dock.hint.text()
    assert not dock.add_buttons["Disk"].isEnabled()


def test_buttons_add_detectors_with_ordinary_layers(viewer, dock, scan, session, shows):
    assert "Live" in dock.state.text()
    for kind in ("Bright field", "Dark field", "Disk"):
        QTest.mouseClick(dock.add_buttons[kind], LEFT)
        shows(session.detectors[-1].name, scan)
    QTest.mouseClick(dock.add_buttons["Rectangle"], LEFT)
    QTest.mouseClick(dock.add_buttons["Disk"], LEFT)
    names = [d.name for d in session.detectors]
    assert names == ["Bright field", "Dark field", "Disk", "Rectangle", "Disk 2"]
    assert len({d.colour for d in session.detectors}) == 5
    layer = viewer.layers["Bright field"]
    assert tuple(layer.scale) == (2.0, 2.0)
    assert [str(u) for u in layer.units] == ["nanometer", "nanometer"]
    assert kind_of(layer) == "virtual"
    assert layer.metadata[KEY]["config"]["shapes"][0]["kind"] == "disk"
    assert viewer.canvas.overlays.scale_bar.visible
    assert dock.table.rowCount() == 5


def test_the_image_of_the_chosen_detector_lies_above_the_others(viewer, dock, scan, shows):
    for kind in ("Bright field", "Disk"):
        QTest.mouseClick(dock.add_buttons[kind], LEFT)
        shows(kind, scan)
    plain = viewer.add_image(np.zeros((2, 2)), name="plain")
    assert [x.name for x in viewer.layers][1:] == ["Bright field", "Disk", "plain"]
    place = dock.table.visualItemRect(dock.table.item(0, 0)).center()
    QTest.mouseClick(dock.table.viewport(), LEFT, NONE, place)
    assert [x.name for x in viewer.layers][1:] == ["Disk", "Bright field", "plain"]
    assert plain.visible


def test_drag_in_the_pattern_changes_the_layer_to_what_numpy_says(
    viewer, open_dock, dock, scan, session, shows, qtbot
):
    pattern = open_dock("Pattern")
    session.detectors = (SPOT,)
    shows("spot", scan)
    qtbot.waitUntil(lambda: pattern.view.pattern() is not None)
    qtbot.wait(100)
    view = pattern.view
    before = viewer.layers["spot"].data.copy()
    begin, end = view.position(6, 19), view.position(15, 12)
    QTest.mousePress(view.viewport(), LEFT, NONE, begin)
    for step in range(1, 6):
        QTest.mouseMove(view.viewport(), begin + (end - begin) * step / 5)
        qtbot.wait(10)
    QTest.mouseRelease(view.viewport(), LEFT, NONE, end)
    shape = session.detectors[0].shapes[0]
    assert np.allclose(shape.centre, (15, 12), atol=0.3)
    shows("spot", scan)
    assert not np.array_equal(viewer.layers["spot"].data, before)
    assert viewer.layers["spot"].metadata[KEY]["config"]["shapes"][0]["centre"] == list(
        shape.centre
    )
    # its edge resizes
    edge = view.position(shape.centre[0] + shape.radius, shape.centre[1])
    QTest.mousePress(view.viewport(), LEFT, NONE, edge)
    out = view.position(shape.centre[0] + 6, shape.centre[1])
    QTest.mouseMove(view.viewport(), (edge + out) / 2)
    QTest.mouseMove(view.viewport(), out)
    QTest.mouseRelease(view.viewport(), LEFT, NONE, out)
    assert session.detectors[0].shapes[0].radius == pytest.approx(6, abs=0.3)
    shows("spot", scan)
    # arrow keys move by one pixel, and both docks agree
    centre = session.detectors[0].shapes[0].centre
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert session.detectors[0].shapes[0].centre == pytest.approx((centre[0], centre[1] - 1))
    assert dock.form.boxes[1].value() == pytest.approx(centre[1] - 1, abs=0.01)
    shows("spot", scan)


def test_numbers_and_signals(viewer, dock, scan, session, shows, qtbot):
    session.detectors = (SPOT,)
    shows("spot", scan)
    assert "0.350" in dock.form._beside[1].text()  # 7 px right of the beam, 0.05 1/angstrom each
    dock.form.boxes[2].setValue(3.0)
    assert session.detectors[0].shapes[0].radius == 3
    shows("spot", scan)
    data = scan.data.astype(float)
    mask = session.detectors[0].mask(scan.pattern_shape)
    dock.signal.setCurrentText("Standard deviation")
    wanted = data[..., mask].std(axis=-1)
    qtbot.waitUntil(lambda: np.allclose(viewer.layers["spot"].data, wanted, atol=1e-3))
    ky, kx = np.indices(scan.pattern_shape)
    total = data[..., mask].sum(-1)
    dy = (data * ky)[..., mask].sum(-1) / total - 16
    dx = (data * kx)[..., mask].sum(-1) / total - 12
    dock.signal.setCurrentText("Centre of mass: shift")
    qtbot.waitUntil(lambda: np.allclose(viewer.layers["spot"].data, np.hypot(dy, dx), atol=1e-3))
    dock.signal.setCurrentText("Centre of mass: direction")
    angle = np.degrees(np.arctan2(dy, dx))
    qtbot.waitUntil(lambda: np.allclose(viewer.layers["spot"].data, angle, atol=1e-2))
    layer = viewer.layers["spot"]
    qtbot.waitUntil(lambda: layer.colormap.name == "hsv")
    assert tuple(layer.contrast_limits) == (-180, 180)
    dock.signal.setCurrentText("Sum of counts")
    shows("spot", scan)
    assert layer.colormap.name == "gray"


def test_several_disks_count_an_overlap_once(dock, scan, session, shows):
    session.detectors = (SPOT,)
    QTest.mouseClick(dock.more, LEFT)
    assert len(session.detectors[0].shapes) == 2
    assert dock.part.currentIndex() == 1
    dock.form.boxes[1].setValue(20.0)
    dock.form.boxes[0].setValue(6.0)
    assert session.detectors[0].shapes[1].centre == (6, 20)
    shows("spot", scan)


def test_rgb_composite_is_the_sum_of_the_colours(viewer, dock, scan, session, shows, qtbot):
    beam = VirtualDetector(name="beam", shapes=(Disk(centre=(16, 12), radius=3),), colour="#0000ff")
    red = SPOT.model_copy(update={"colour": "red"})
    session.detectors = (red, beam)
    shows("spot", scan)
    shows("beam", scan)
    dock.rgb.setChecked(True)
    qtbot.waitUntil(lambda: RGB_NAME in viewer.layers)
    for layer, limits in (("spot", (0, 1500)), ("beam", (1000, 3000))):
        viewer.layers[layer].contrast_limits_range = limits
        viewer.layers[layer].contrast_limits = limits
    dock.images.compose()

    def channel(name, low, high):
        return np.round(255 * np.clip((viewer.layers[name].data - low) / (high - low), 0, 1))

    def right():
        rgb = viewer.layers[RGB_NAME].data.astype(float)
        return (
            np.abs(rgb[..., 0] - channel("spot", 0, 1500)).max() <= 1
            and np.abs(rgb[..., 2] - channel("beam", 1000, 3000)).max() <= 1
            and rgb[..., 1].max() == 0
        )

    qtbot.waitUntil(right)
    session.replace_detector(0, red.moved(9, -7))
    shows("spot", scan)
    qtbot.waitUntil(right)
    dock.rgb.setChecked(False)
    assert RGB_NAME not in viewer.layers


def test_contrast_is_automatic_until_the_user_sets_it(viewer, dock, scan, session, shows):
    session.detectors = (SPOT,)
    shows("spot", scan)
    layer = viewer.layers["spot"]
    first = tuple(layer.contrast_limits)
    session.replace_detector(0, SPOT.moved(10, -7))
    shows("spot", scan)
    assert tuple(layer.contrast_limits) != first
    layer.contrast_limits = (100, 700)
    session.replace_detector(0, SPOT)
    shows("spot", scan)
    assert tuple(layer.contrast_limits) == (100, 700)


def test_layer_renamed_deleted_hidden(viewer, dock, scan, session, shows):
    session.detectors = (SPOT,)
    shows("spot", scan)
    viewer.layers["spot"].name = "my reflection"
    session.replace_detector(0, SPOT.moved(1, 0))
    shows("spot", scan)
    assert "spot" not in viewer.layers
    viewer.layers["my reflection"].visible = False
    assert dock.table.item(0, 0).checkState() == Qt.CheckState.Unchecked
    dock.table.item(0, 0).setCheckState(Qt.CheckState.Checked)
    assert viewer.layers["my reflection"].visible
    viewer.layers.remove("my reflection")
    session.replace_detector(0, SPOT.moved(2, 0))
    shows("spot", scan)
    dock.table.item(0, 0).setText("twin")
    assert session.detectors[0].name == "twin"
    shows("twin", scan)
    assert len([x for x in viewer.layers if kind_of(x) == "virtual"]) == 1
    QTest.mouseClick(dock.remove, LEFT)
    assert session.detectors == ()
    assert not [x for x in viewer.layers if kind_of(x) == "virtual"]


def test_a_duplicated_layer_keeps_its_picture(viewer, dock, scan, session, shows):
    from napari.layers._layer_actions import _duplicate_layer

    session.detectors = (SPOT,)
    shows("spot", scan)
    viewer.layers.selection = {viewer.layers["spot"]}
    _duplicate_layer(viewer.layers)
    kept = viewer.layers["spot copy"]
    before = kept.data.copy()
    session.replace_detector(0, SPOT.moved(3, -2))
    shows("spot", scan)
    np.testing.assert_array_equal(kept.data, before)
    assert kept.metadata[KEY]["config"]["shapes"][0]["centre"] == [6, 19]
    QTest.mouseClick(dock.remove, LEFT)
    assert [x.name for x in viewer.layers if kind_of(x) == "virtual"] == ["spot copy"]


def test_undo(dock, session):
    session.detectors = (SPOT,)
    dock.history.mark()
    session.replace_detector(0, SPOT.moved(1, 1))
    assert dock.history.undo()
    assert session.detectors == (SPOT,)
    assert dock.history.redo()
    assert session.detectors == (SPOT.moved(1, 1),)
    assert dock.history.undo()
    assert dock.history.undo()
    assert session.detectors == ()
    assert not dock.history.undo()


def test_scan_replaced_by_another_shape(viewer, dock, scan, session, shows):
    session.detectors = (SPOT,)
    shows("spot", scan)
    other = Scan(np.random.default_rng(0).integers(0, 9, (5, 4, 20, 30)).astype(np.uint8))
    second = show(viewer, other)
    shows("spot", other)
    viewer.layers.remove(second)
    shows("spot", scan)


def test_binned_scan_keeps_detectors_at_their_angles(viewer, dock, scan, session, shows):
    from napari_orient.data.prepare import bin_scan

    session.detectors = (SPOT,)
    shows("spot", scan)
    small = bin_scan(scan, 2)
    replace_scan(viewer, session, scan, small)
    shape = session.detectors[0].shapes[0]
    assert (shape.centre, shape.radius) == ((2.75, 9.25), 1.0)
    replace_scan(viewer, session, small, scan)
    assert session.detectors == (SPOT,)


def test_a_cropped_scan_keeps_its_layers_and_their_colours(viewer, dock, scan, session, shows):
    from napari_orient.data.prepare import crop

    session.detectors = (SPOT,)
    shows("spot", scan)
    layer = viewer.layers["spot"]
    layer.colormap = "viridis"
    small = crop(scan, slice(2, 5), slice(3, 8))
    for now, (y, x) in ((small, (4.0, 6.0)), (scan, (0.0, 0.0))):
        replace_scan(viewer, session, session.scan, now)
        shows("spot", now)
        assert viewer.layers["spot"] is layer
        assert layer.colormap.name == "viridis"
        assert layer.data.shape == now.scan_shape
        assert tuple(layer.translate) == (y, x)


# --- scans that do not fit ---------------------------------------------------------------------


class Slow:
    """A file on a slow disk that reads whole patterns, 40 MB/s."""

    def __init__(self, data):
        self.data = data
        self.shape, self.dtype, self.chunks = data.shape, data.dtype, (1, *data.shape[1:])

    def __getitem__(self, where):
        piece = self.data[where]
        patterns = piece.nbytes if piece.ndim < 3 else piece.shape[0] * piece.shape[1] * 4096
        time.sleep(patterns / 40e6)
        return piece


@pytest.fixture
def slow_dock(viewer, open_dock, monkeypatch):
    monkeypatch.setattr("napari_orient.plugin.detectors.live_images.DEFAULT_BUDGET", 0)
    data = np.random.default_rng(5).integers(0, 50, (100, 50, 64, 64), dtype=np.uint8)
    scan = Scan(Slow(data), name="slow")
    show(viewer, scan)
    dock = open_dock("Virtual detectors")
    assert "Bin or crop" in dock.state.text()
    return dock, scan, Scan(data)


def test_pass_fills_the_image_in_and_gives_way(viewer, slow_dock, session, shows, qtbot):
    dock, _, truth = slow_dock
    seen = []
    disk = VirtualDetector(name="d", shapes=(Disk(centre=(8, 8), radius=2),))
    dock.images.updated.connect(
        lambda name: seen.append(int(np.isfinite(viewer.layers["d"].data).sum()))
    )
    session.detectors = (disk,)
    qtbot.waitUntil(lambda: len(seen) >= 1, timeout=10_000)
    assert dock.images.pass_bar.isVisible()
    assert seen[0] < 5000  # not yet complete
    session.replace_detector(0, disk.moved(3, 0))
    shows("d", truth)
    assert session.detectors[0].shapes[0].centre == (11, 8)
    qtbot.waitUntil(lambda: not dock.images.pass_bar.is_running)
    assert not dock.full.isVisible()


def test_cancel_keeps_what_is_there_and_full_precision_completes(
    viewer, slow_dock, session, shows, qtbot
):
    dock, _, truth = slow_dock
    session.detectors = (VirtualDetector(name="d", shapes=(Disk(centre=(8, 8), radius=2),)),)
    qtbot.waitUntil(lambda: "d" in viewer.layers, timeout=10_000)
    QTest.mouseClick(dock.images.pass_bar._cancel, LEFT)
    qtbot.waitUntil(lambda: not dock.images.pass_bar.is_running, timeout=10_000)
    assert np.isnan(viewer.layers["d"].data).any()
    assert dock.full.isVisible()
    QTest.mouseClick(dock.full, LEFT)
    shows("d", truth)


def test_large_scan_says_what_a_binned_copy_costs_and_makes_it(
    viewer, slow_dock, session, shows, qtbot, tmp_path, idle
):
    dock, _, truth = slow_dock
    session.detectors = (VirtualDetector(name="d", shapes=(Disk(centre=(7.5, 7.5), radius=4),)),)
    shows("d", truth)
    assert dock.advice.isVisible()
    qtbot.waitUntil(lambda: "binned 2 × 2" in dock.advice.text.text(), timeout=20_000)
    dock.advice.write(tmp_path / "binned.h5")
    qtbot.waitUntil(lambda: session.scan.pattern_shape == (32, 32), timeout=20_000)
    small = truth.data.reshape(100, 50, 32, 2, 32, 2).sum(axis=(3, 5))
    shows("d", Scan(small))
    assert session.detectors[0].shapes[0].radius == 2
    idle()
    session.scan.close()


def test_failure_is_shown_and_the_dock_lives_on(viewer, slow_dock, session, qtbot, notes, idle):
    dock, scan, truth = slow_dock
    idle()
    good = scan.data.data
    scan.data.data = None  # the file disappears
    disk = VirtualDetector(name="d", shapes=(Disk(centre=(8, 8), radius=2),))
    with qtbot.capture_exceptions():
        session.detectors = (disk,)
        qtbot.waitUntil(lambda: not dock.images.pass_bar.is_running, timeout=10_000)
    assert notes
    scan.data.data = good
    session.detectors = (disk.moved(1, 0),)
    qtbot.waitUntil(
        lambda: (
            "d" in viewer.layers
            and np.array_equal(viewer.layers["d"].data, summed(truth, disk.moved(1, 0)))
        ),
        timeout=10_000,
    )


def test_closing_leaves_nothing(viewer, open_dock, scan, session, qtbot, idle):
    def ours():
        return {t for t in threading.enumerate() if t.name.startswith("orient-")}

    before = ours()
    show(viewer, scan)
    dock = open_dock("Virtual detectors")
    session.detectors = (SPOT,)
    qtbot.waitUntil(lambda: "spot" in viewer.layers, timeout=10_000)
    idle()
    viewer.window.remove_dock_widget(dock)
    with qtbot.waitSignal(dock.destroyed):
        dock.deleteLater()
    qtbot.waitUntil(lambda: ours() == before)
    session.detectors = (SPOT.moved(1, 1),)  # nobody is called any more
    viewer.layers["spot"].visible = False
    viewer.layers.clear()
    assert session.scan is None
