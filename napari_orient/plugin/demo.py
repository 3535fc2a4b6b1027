"""What does a newcomer see first? The simulated LiNiO2 scan with its docks, live or as pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt

from napari_orient.crystal.figure import Print, save_figure
from napari_orient.diffraction.detectors import Annulus, Disk, VirtualDetector
from napari_orient.jobs import Event, run
from napari_orient.plugin.calibrate.dock import CalibrateDock
from napari_orient.plugin.calibrate.overlay import NOTHING, SPOTS
from napari_orient.plugin.figure.view import picture_of_view
from napari_orient.plugin.guide import Guide, Steps, comparing, predicting, reconstructing
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.predict.dock import PredictDock
from napari_orient.plugin.scan_layers import describe_map_layer, describe_scan_layer
from napari_orient.plugin.sessions import get_session
from napari_orient.plugin.worker import JobBar
from napari_orient.samples import known_reflection, sped_scan

PLUGIN = "napari-orient"
DOCKS = ("Pattern", "Virtual detectors", "Orientation map", "Load", "Calibrate", "Predict", "Desk")
SIZE = (1500, 950)


def run_demo(
    *,
    quick: bool = False,
    screenshots: str | Path | None = None,
    watch: Callable[[Event], None] | None = None,
) -> int:
    """Open the demo window and return the exit code when it is closed.

    By itself it predicts the scan with the model that comes with the program, shows the error of
    each position, and reconstructs a small volume from the exact map.

    Parameters
    ----------
    quick
        Take the small scan (64 x 64 positions) instead of the large one (200 x 200).
    screenshots
        Folder for pictures; with it, the window closes by itself.
    watch
        Sees the progress of the simulation, the first time that it is made.
    """
    import napari

    scan, orientations = run(sped_scan("small" if quick else "large"), watch)
    viewer = napari.Viewer(title="napari-orient demo", show=True)
    docks = furnish(viewer, scan, orientations)
    if screenshots is None:
        settle(viewer)
        close_notifications()  # they stand where the docks are now; the terminal has them too
        Guide(viewer, docks["Predict"].findChild(PredictDock))
        napari.run()
        return 0
    folder = Path(screenshots)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tour(viewer, docks, folder)
    finally:
        viewer.close()
    return 0


def furnish(viewer: Any, scan: Any, orientations: Any) -> dict[str, Any]:
    """Show the scan, its map as an overlay, a dark-field detector on a reflection, and the docks.

    Returns the dock widgets by their names.
    """
    viewer.window.resize(*SIZE)
    data, settings, _ = describe_scan_layer(scan)
    viewer.add_image(data, visible=False, **settings)  # the virtual images take its place
    session = get_session(viewer)
    spot = known_reflection(orientations)
    here = np.argwhere(orientations.properties["grain"] == spot.grain)
    y, x = here[len(here) // 2]
    session.cursor = (int(y), int(x))
    ring = Annulus(centre=scan.calibration.centre.pair, inner=20, outer=40)
    disk = Disk(centre=(spot.ky, spot.kx), radius=4)
    session.detectors = (
        VirtualDetector(name="Annular dark field", shapes=(ring,), colour="deepskyblue"),
        VirtualDetector(name="Dark field", shapes=(disk,), colour="gold"),
    )
    session.active_detector = 1
    docks = dress(viewer)
    settle(viewer, until=lambda: has_images(viewer))
    data, settings, _ = describe_map_layer(orientations, "LiNiO2, exact")
    viewer.add_image(data, opacity=0.5, **settings)
    # the pattern gets the room that the tabs below do not need
    pair = [docks["Pattern"], docks["Virtual detectors"]]
    viewer.window._qt_window.resizeDocks(pair, [500, 360], Qt.Orientation.Vertical)
    docks["Virtual detectors"].raise_()  # Qt puts the last of the tabs in front when it shows them
    viewer.reset_view()
    return docks


def dress(viewer: Any) -> dict[str, Any]:
    """Open all docks: the pattern above, the others as tabs below it."""
    docks = {}
    for name in DOCKS:
        tabify = name not in ("Pattern", "Virtual detectors")
        docks[name], _ = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=tabify)
    docks["Virtual detectors"].raise_()
    return docks


def settle(
    viewer: Any,
    seconds: float = 1.0,
    until: Callable[[], bool] | None = None,
    most: float = 60,
) -> None:
    """Let the window work for a while, or until something is true (for ``most`` seconds)."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + (most if until else seconds)
    while time.monotonic() < end:
        QApplication.processEvents()
        if until is not None and until():
            break
        time.sleep(0.01)
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.01)


def close_notifications() -> None:
    """Take napari's own notices (an ageing Qt, say) off the picture."""
    from qtpy.QtWidgets import QApplication

    for widget in QApplication.allWidgets():
        if type(widget).__name__ == "NapariQtNotification":
            widget.close()


def has_images(viewer: Any) -> bool:
    """Say whether every detector has its finished image."""
    images = [x for x in viewer.layers if kind_of(x) == "virtual"]
    detectors = get_session(viewer).detectors
    return len(images) >= len(detectors) and all(np.isfinite(x.data).all() for x in images)


def tour(viewer: Any, docks: dict[str, Any], folder: Path) -> list[Path]:
    """Go through the window as a user would and save a picture of each step."""
    pictures = []

    def picture(name: str, dock: str | None = None) -> None:
        if dock is not None:
            docks[dock].raise_()
        settle(viewer)
        path = folder / f"{name}.png"
        viewer.screenshot(str(path), canvas_only=False, flash=False)
        pictures.append(path)

    def layer(kind: str) -> Any:
        return next(x for x in reversed(viewer.layers) if kind_of(x) == kind)

    bars = docks["Virtual detectors"].findChildren(JobBar)
    settle(viewer, until=lambda: not any(bar.is_running for bar in bars))  # the working copy
    close_notifications()
    viewer.layers.selection.active = layer("ipf")
    picture("overview", "Virtual detectors")
    layer("ipf").visible = False
    picture("dark_field", "Virtual detectors")
    layer("ipf").visible = True
    layer("ipf").opacity = 1.0
    picture("orientation_map", "Orientation map")
    viewer.layers.selection.active = layer("navigator")
    picture("load", "Load")
    calibrate = docks["Calibrate"].findChild(CalibrateDock)
    calibrate.shown.setCurrentText(SPOTS)
    picture("calibrate", "Calibrate")
    calibrate.shown.setCurrentText(NOTHING)
    printed, _ = picture_of_view(viewer)
    pictures.append(run(save_figure(printed, folder / "figure.png", Print(dpi=300))))
    predict = docks["Predict"].findChild(PredictDock)
    go_through(viewer, predicting(viewer, predict))
    picture("predict", "Predict")
    if predict.panel.result is not None:
        go_through(viewer, comparing(viewer, predict))
        picture("error")
    go_through(viewer, reconstructing(viewer))
    picture("volume")
    return pictures


def go_through(viewer: Any, steps: Steps) -> None:
    """Go through steps of the demo, while the window works; each may take ten minutes."""
    for awaited in steps:
        settle(viewer, until=awaited, most=600)
