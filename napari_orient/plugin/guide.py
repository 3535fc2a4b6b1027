"""What does the demo do by itself? It predicts its scan, shows its errors, and makes a volume.

It presses the buttons of the docks, as a user would, and waits in between: a step is a generator
that yields what it waits for. In a living window a timer looks whether that has come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer

from napari_orient.plugin.compare.fields import error_layer
from napari_orient.plugin.index.run_panel import REGION
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.maps.layers import open_maps
from napari_orient.plugin.predict.models import shipped
from napari_orient.plugin.sessions import PLUGIN
from napari_orient.reconstruction.config import ReconstructConfig

Steps = Iterator[Callable[[], bool]]

MOST = 80  # rows and columns: of a larger scan the middle is predicted, in half a minute at most
LOOKS = 200  # ms between two looks whether a step is done
LINGER = 8.0  # s for which the errors are seen
VOLUME = ReconstructConfig(
    size=(24, 24, 24), window=9, evaluations=40, consolidate=True, time_limit=40.0, threads=1
)
"""Forty seconds at most, and a core is left to the window; a grain is to be some points wide."""
WIDE = 8.0  # points of a grain
NO_MODEL = (
    "No trained model comes with this copy of the program:\n"
    "the demo predicts nothing. Choose the folder of a model in\n"
    "the Predict dock, or train one in the Train dock."
)
NO_FIT = "The demo predicts nothing: the Predict dock says why."
PREPARES = "A trained network is about to read this scan ..."
PREDICTS = "The network {} reads {}.\nEach answer is checked against its pattern. Colours: IPF-Z"
STOPPED = "Stopped. Predict, in its dock, starts anew."
COMPARES = "The map is compared with the exact orientations ..."
ERRORS = (
    "Error of the network's map at each position:\n"
    "blue, none; yellow, 10° or more; black, no answer.\n"
    "Its numbers are in the Compare dock."
)

PLANS = (
    "A volume is about to grow whose sections look like the exact map\n"
    "(the predicted part has too few grains) ..."
)
GROWS = (
    "From noise a volume grows, {} points, whose sections have the\nstatistics of the exact map. "
    "Turn it with the mouse. Colours: IPF-Z"
)
GRAINS = "Done: {} grains. Now it is judged by its sections ..."
JUDGED = (
    "{}, as far as so few grains tell.\nThe page in the Reconstruct dock compares it row by row."
)
MADE = "Done. The Reconstruct dock replays how it came about."


def say(viewer: Any, text: str) -> None:
    """Write words on the canvas; "" takes them away."""
    words = viewer.canvas.overlays.text
    words.text = text
    words.position = "top_left"
    words.font_size = 9
    words.box = True
    words.visible = bool(text)


def predicting(viewer: Any, dock: Any) -> Steps:
    """Predict the scan of the Predict dock with the model that comes with the program.

    Of a scan with more than :data:`MOST` rows or columns the middle is predicted.
    """
    dock.parent().raise_()
    if not shipped():
        say(viewer, NO_MODEL)
        return
    say(viewer, PREPARES)
    yield lambda: dock.prepared is not None or bool(dock.told.text())
    if dock.prepared is None:
        say(viewer, NO_FIT)
        return
    for layer in viewer.layers:  # the exact map would shine through the one that grows
        if kind_of(layer) == "ipf":
            layer.visible = False
    closer = max(1.0, 0.9 * max(dock.session.scan.scan_shape) / MOST)
    part = _start(dock)
    say(viewer, PREDICTS.format(dock.prepared.predictor.model.name, part))
    yield lambda: dock.panel.fraction_done > 0 or not dock.bar.is_running
    # now: the view was fitted to the whole of the new layer
    viewer.scene.camera.zoom *= closer
    yield lambda: not dock.bar.is_running
    say(viewer, "" if dock.panel.result is not None else STOPPED)


def _start(dock: Any) -> str:
    """Press Predict; return for what, in words."""
    where, session = dock.panel.where, dock.session
    shape = session.scan.scan_shape
    if max(shape) <= MOST:
        dock.start_button.click()
        return "this scan"
    before = where.currentText(), session.region
    session.region = middle(shape)
    where.setCurrentText(REGION)
    dock.start_button.click()
    where.setCurrentText(before[0])
    session.region = before[1]
    return "the middle of this scan"


def middle(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which positions (y, x) of a scan lie in its middle, MOST x MOST of them."""
    mask = np.zeros(shape, np.bool_)
    y, x = (slice(max(0, n - MOST) // 2, max(0, n - MOST) // 2 + MOST) for n in shape)
    mask[y, x] = True
    return mask


def comparing(viewer: Any, dock: Any) -> Steps:
    """Compare the predicted map with the exact one, and show the error of each position."""
    if dock.panel.result is None:
        return
    say(viewer, COMPARES)
    dock.panel.compare.click()
    _, compare = viewer.window.add_plugin_dock_widget(PLUGIN.strip(" ()"), "Compare")
    yield lambda: not compare.bar.is_running
    if compare.comparison is None:
        say(viewer, compare.said.text())
        return
    yield lambda: compare.seen is not None
    say(viewer, ERRORS)
    _say_no_more(viewer, error_layer(viewer))


def reconstructing(viewer: Any) -> Steps:
    """Make a small volume from the map with most points, in the Reconstruct dock, and judge it."""
    maps = [m for m in open_maps(viewer) if len(m.shape) == 2]
    if not maps:
        return
    frame, dock = viewer.window.add_plugin_dock_widget(
        PLUGIN.strip(" ()"), "Reconstruct", tabify=True
    )
    frame.raise_()
    main = viewer.window._qt_window
    main.resizeDocks([frame], [main.height()], Qt.Orientation.Vertical)  # as much as there is
    dock.reference.picker.choose(max(maps, key=lambda m: int(m.indexed.sum())))
    yield lambda: dock.outlook is not None
    known = dock.outlook.known
    if known is not None:
        step = known.step * max(1, round(known.diameter / WIDE))
        dock.form.set_config(VOLUME.model_copy(update={"step": step}))
        yield lambda: dock.outlook is not None
    if not dock.panel.start_button.isEnabled():  # the dock says why
        return
    say(viewer, PLANS)
    for layer in viewer.layers:  # in 3D they would stand in the volume
        layer.visible = False
    dock.panel.start_button.click()
    yield lambda: dock.growing.made > 0 or not dock.bar.is_running
    say(viewer, GROWS.format(" × ".join(map(str, VOLUME.size))))
    yield lambda: not dock.bar.is_running and dock.growing.is_idle
    result = dock.panel.result
    if result is None:
        say(viewer, dock.panel.said.text())
        return
    if dock.judge.bar.is_running:
        made = result.provenance.get("consolidated") or {}
        say(viewer, GRAINS.format(made.get("grains", "no")))
        yield lambda: not dock.judge.bar.is_running
    judged = dock.judge.page.judged
    say(viewer, JUDGED.format(judged.word) if judged is not None else MADE)


def _say_no_more(viewer: Any, layer: Any) -> None:
    """Take the words about the errors away with their layer."""

    def look(event: Any = None) -> None:
        gone = layer not in viewer.layers or not layer.visible
        if gone and viewer.canvas.overlays.text.text == ERRORS:
            say(viewer, "")

    layer.events.visible.connect(look)
    viewer.layers.events.removed.connect(look)


class Guide(QTimer):
    """Goes through all steps in a living window; ends with the dock that it belongs to."""

    def __init__(self, viewer: Any, dock: Any) -> None:
        super().__init__(dock)
        self._steps = _all(viewer, dock)
        self._awaited: Callable[[], bool] = lambda: True
        self.setInterval(LOOKS)
        self.timeout.connect(self._look)
        self.start()

    def _look(self) -> None:
        try:
            if self._awaited():
                self._awaited = next(self._steps)
        except (StopIteration, RuntimeError):  # at the end; or a dock was closed: Qt's half is gone
            self.stop()


def _all(viewer: Any, dock: Any) -> Steps:
    yield from predicting(viewer, dock)
    yield from comparing(viewer, dock)
    if dock.panel.result is not None:
        end = time.monotonic() + LINGER
        yield lambda: time.monotonic() > end
        yield from reconstructing(viewer)
