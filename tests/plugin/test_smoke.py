"""The whole window once, on whichever Qt binding QT_API names: every dock, a scan, a map."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytestmark = pytest.mark.gui
DOCKS = ("Load", "Pattern", "Virtual detectors", "Orientation map", "Reconstruct")


def test_binding_is_the_one_that_was_asked_for(qapp):
    import qtpy

    asked = os.environ.get("QT_API", "pyqt5").lower()
    assert qtpy.API_NAME.lower() == asked


def verdict():
    """A page with a row and a picture."""
    from napari_orient.plugin.reconstruct.judging import Judged, Line
    from napari_orient.reconstruction.representative.figures import Drawn

    line = Line(("grain size", "2 µm", "3 µm", "+1 µm", "0.01", "larger"), "mean", True)
    drawn = Drawn("Sections", "of both", (np.full((90, 300, 4), 200, np.uint8),))
    return Judged(False, "Not representative", "larger", (line,), ("so",), (drawn,), {})


def test_every_dock_opens_and_follows_a_scan_and_a_map(make_napari_viewer_proxy, qtbot, tmp_path):
    from napari_orient.diffraction.detectors import Disk, VirtualDetector
    from napari_orient.plugin.layers import kind_of
    from napari_orient.plugin.sessions import get_session

    viewer = make_napari_viewer_proxy(show=True)
    docks = [viewer.window.add_plugin_dock_widget("napari-orient", name)[1] for name in DOCKS]
    assert all(dock is not None for dock in docks)

    data = np.random.default_rng(3).integers(0, 99, (8, 9, 32, 32), dtype=np.uint8)
    np.save(tmp_path / "scan.npy", data)
    viewer.open(tmp_path / "scan.npy", plugin="napari-orient")
    session = get_session(viewer)
    assert session.scan.shape == data.shape
    session.detectors = (VirtualDetector(name="d", shapes=(Disk(centre=(16, 16), radius=3),)),)
    session.cursor = (4, 4)

    def image_is_right():
        layers = [layer for layer in viewer.layers if kind_of(layer) == "virtual"]
        assert len(layers) == 1
        mask = session.detectors[0].mask((32, 32))
        np.testing.assert_allclose(layers[0].data, data[:, :, mask].sum(-1, dtype=float))

    qtbot.waitUntil(image_is_right, timeout=20_000)

    viewer.open_sample("napari-orient", "polycrystal")
    qtbot.waitUntil(lambda: session.orientation_map is not None, timeout=20_000)
    assert any(kind_of(layer) == "ipf" for layer in viewer.layers)
    reconstruct = docks[-1]
    reconstruct.judge.page.show_verdict(verdict(), "map")
    qtbot.waitUntil(lambda: reconstruct.outlook is not None, timeout=60_000)
    assert reconstruct.reference.map is session.orientation_map
    for tab in range(3):  # each is drawn once
        reconstruct.tabs.setCurrentIndex(tab)
        qtbot.wait(50)
    assert reconstruct.judge.page.figures[0].isVisible()
    picture = viewer.screenshot(canvas_only=False, flash=False)
    assert picture[..., :3].std() > 10  # something is drawn
