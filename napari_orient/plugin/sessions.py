"""Which session belongs to which viewer, what does the viewer tell it, and how do docks listen?

A dock is a :class:`Dock`: it finds its viewer's session, connects with :func:`follow`, and ends
when napari closes it.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QDockWidget, QWidget

from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.layers import index_at, kind_of
from napari_orient.plugin.maps import readout as map_readout
from napari_orient.plugin.scan_layers import bring_forward, welcome
from napari_orient.plugin.view import fit_all, shows_all
from napari_orient.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer

    from napari_orient.data.scan import Scan

PLUGIN = " (napari-orient)"  # napari adds it to the names of our docks
SETTLED = 100  # ms after which a window has laid out a new dock
_sessions: dict[int, Session] = {}


class Dock(QWidget):
    """A dock of one viewer: it knows the viewer and its session, and ends when it is closed.

    napari takes a closed dock out of its window and forgets it, but Python or Qt may keep it: it
    would go on computing, and hold its scan. Closing it here deletes it.

    Attributes
    ----------
    in_front
        True while the dock is seen. Behind another tab it is not, though Qt calls it visible: it is
        moved off the screen. Only then should it follow the mouse and draw on the pattern.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        # the viewer itself: napari's proxy of it makes a new proxy of a layer at each look
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.session = get_session(self.viewer)
        self.in_front = False
        if shows_all(self.viewer):  # who has zoomed in keeps the view
            QTimer.singleShot(SETTLED, self._fit)

    def _fit(self) -> None:
        """Show the whole picture again: this dock took its room from the canvas."""
        fit_all(self.viewer)

    def event(self, event: QEvent) -> bool:
        """Listen to the frame that the dock gets; end when taken out of the window: Qt calls."""
        if event.type() == QEvent.Type.ParentChange:
            frame = self.parent()
            if isinstance(frame, QDockWidget):
                frame.visibilityChanged.connect(self._on_seen)
                frame.setWindowTitle(_on_tab(frame.windowTitle()))
            elif frame is None:
                self._on_seen(False)
                QTimer.singleShot(0, self._end)
        return super().event(event)

    def _on_seen(self, seen: bool) -> None:
        if seen != self.in_front:
            self.in_front = seen
            self.attend(seen)

    def attend(self, on: bool) -> None:
        """Begin, or end, what only a dock that is seen should do."""

    def _end(self) -> None:
        if self.parent() is None:  # not docked again meanwhile
            self.deleteLater()


def _on_tab(title: str) -> str:
    """Return what a tab is to say; napari itself goes by the name that the frame was given.

    Qt takes a single & for the mark of a key.
    """
    return title.removesuffix(PLUGIN).replace("&&", "&").replace("&", "&&")


def follow(owner: QWidget, emitter: Any, callback: Callable[..., Any], **how: Any) -> None:
    """Connect an event of the session or of napari to a method, until ``owner`` is destroyed.

    ``how`` is passed on to the emitter: ``position="last"`` for napari's.
    A dock that was closed may live on in Python without its Qt half; it must not be called.
    """
    emitter.connect(callback, **how)
    at_end(owner, _unfollow, emitter, weakref.WeakMethod(callback))


def follow_clicks(owner: QWidget, viewer: Any, callback: Callable[[], Any]) -> None:
    """Call a method at each left click on the canvas, until ``owner`` is destroyed."""
    method = weakref.WeakMethod(callback)

    def clicked(viewer: Any, event: Any) -> None:
        called = method()
        if called is not None and event.button == 1:
            called()

    callbacks = viewer.mouse_drag_callbacks
    callbacks.append(clicked)
    at_end(owner, lambda: clicked in callbacks and callbacks.remove(clicked))


def _unfollow(emitter: Any, method: weakref.WeakMethod[Any]) -> None:
    callback = method()
    if callback is None:
        return
    try:
        emitter.disconnect(callback)
    except (ValueError, KeyError):  # the viewer went first and took its connections along
        return


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
                self._show_scan(viewer)
        if self.session.orientation_map is not None:
            if not any(m.get("map") is self.session.orientation_map for m in left):
                self.session.orientation_map = next((m["map"] for m in left if m.get("map")), None)

    def _show_scan(self, viewer: Any) -> None:
        """Show the scan that took the place of a deleted one: it may lie on another grid."""
        for layer in viewer.layers:
            if kind_of(layer) == "navigator" and scan_of(layer) is self.session.scan:
                bring_forward(viewer, layer)

    def _on_mouse_move(self, viewer: Any, event: Any) -> None:
        """Translate the mouse position into a scan position."""
        scan = self.session.scan
        if scan is None or len(event.position) < 2:
            return
        layer = next((x for x in viewer.layers if scan_of(x) is scan), None)
        if layer is None:
            return
        y, x = index_at(viewer, layer, event.position)[-2:]
        if 0 <= y < scan.shape[0] and 0 <= x < scan.shape[1]:
            self.session.cursor = (y, x)
