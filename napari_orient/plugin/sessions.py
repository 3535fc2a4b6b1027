"""Which session belongs to which viewer, and what does the viewer tell it?"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.plugin import map_readout
from napari_orient.plugin.scan_layers import welcome
from napari_orient.session import Session

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.data.scan import Scan

_sessions: dict[int, Session] = {}


def get_session(viewer: Any) -> Session:
    """Return the session of ``viewer``, made at the first call.

    napari hands each widget a proxy of its own, so the real viewer behind it is the key.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    key = id(viewer)
    if key not in _sessions:
        _sessions[key] = session = Session()
        weakref.finalize(viewer, _sessions.pop, key, None)
        _Link(viewer, session)
    return _sessions[key]


def scan_of(layer: Layer | None) -> Scan | None:
    """Return the scan that a layer shows, or None."""
    return layer.metadata.get("scan") if layer is not None else None


class _Link:
    """Carries the viewer's events (layers, active layer, mouse) to its session.

    The viewer's events keep it alive; it holds the viewer weakly.
    """

    def __init__(self, viewer: Any, session: Session) -> None:
        self.viewer = weakref.ref(viewer)
        self.session = session
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_active)
        viewer.mouse_move_callbacks.append(self._on_mouse_move)
        map_readout.install(viewer)
        for layer in viewer.layers:
            self._adopt(layer)

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)
        if (viewer := self.viewer()) is not None:
            welcome(viewer, event.value)

    def _on_active(self, event: Any) -> None:
        if event.value is not None:
            self._adopt(event.value)

    def _adopt(self, layer: Layer) -> None:
        """Make the scan or map of ``layer`` the session's; docks follow its events."""
        if (scan := scan_of(layer)) is not None:
            self.session.scan = scan
        if (orientations := layer.metadata.get("map")) is not None:
            self.session.orientation_map = orientations

    def _on_removed(self, event: Any) -> None:
        """Forget a scan or a map when its last layer goes."""
        viewer = self.viewer()
        if viewer is None:
            return
        left = [layer.metadata for layer in viewer.layers]
        if self.session.scan is not None:
            if not any(m.get("scan") is self.session.scan for m in left):
                self.session.scan = next((m["scan"] for m in left if m.get("scan")), None)
        if self.session.orientation_map is not None:
            if not any(m.get("map") is self.session.orientation_map for m in left):
                self.session.orientation_map = next((m["map"] for m in left if m.get("map")), None)

    def _on_mouse_move(self, viewer: Any, event: Any) -> None:
        """Translate the mouse position into a scan position."""
        scan = self.session.scan
        if scan is None or len(event.position) < 2:
            return
        layer = next((x for x in viewer.layers if scan_of(x) is scan), None)
        if layer is None:
            return
        y, x = (int(i) for i in np.round(layer.world_to_data(event.position))[-2:])
        inside = 0 <= y < scan.shape[0] and 0 <= x < scan.shape[1]
        if inside:
            self.session.cursor = (y, x)
