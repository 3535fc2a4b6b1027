"""What does the demo do by itself? It predicts its scan, then shows how wrong each position is.

It presses the buttons of the docks, as a user would, and waits in between: a step is a generator
that yields what it waits for. In a living window a timer looks whether that has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_orient.plugin.compare.fields import error_layer
from napari_orient.plugin.index.run_panel import REGION
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.predict.models import shipped
from napari_orient.plugin.sessions import PLUGIN

Steps = Iterator[Callable[[], bool]]

MOST = 80  # rows and columns: of a larger scan the middle is predicted, in half a minute at most
LOOKS = 200  # ms between two looks whether a step is done
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


def _say_no_more(viewer: Any, layer: Any) -> None:
    """Take the words about the errors away with their layer."""

    def look(event: Any = None) -> None:
        gone = layer not in viewer.layers or not layer.visible
        if gone and viewer.canvas.overlays.text.text == ERRORS:
            say(viewer, "")

    layer.events.visible.connect(look)
    viewer.layers.events.removed.connect(look)


class Guide(QTimer):
    """Goes through steps in a living window; ends with the dock that it belongs to."""

    def __init__(self, viewer: Any, dock: Any) -> None:
        super().__init__(dock)
        self._steps = _both(viewer, dock)
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


def _both(viewer: Any, dock: Any) -> Steps:
    yield from predicting(viewer, dock)
    yield from comparing(viewer, dock)
