"""Which grain is meant by a click, and where is a grain? From canvas to number, and back."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.layers import index_at
from napari_orient.plugin.view import shows_all

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.layers import Layer
    from qtpy.QtWidgets import QWidget

    from napari_orient.analysis.grains.grains import Grains

STILL = 4.0  # px that the mouse may move between press and release of a click
DRAWN = ("pan_zoom", "select")  # modes in which a click does nothing else


def follow_still_clicks(owner: QWidget, viewer: Any, callback: Callable[[Any], Any]) -> None:
    """Call a method with the event of each left click that is no drag, until ``owner`` ends."""
    method = weakref.WeakMethod(callback)

    def clicked(viewer: Any, event: Any) -> Generator[None, None, None]:
        if event.button != 1:
            return
        start = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            yield
        called = method()
        if called is not None and np.abs(np.asarray(event.pos) - start).max() <= STILL:
            called(event)

    callbacks = viewer.mouse_drag_callbacks
    callbacks.append(clicked)
    at_end(owner, lambda: clicked in callbacks and callbacks.remove(clicked))


def grain_at(viewer: Any, layer: Layer, event: Any) -> int | None:
    """Return the grain under a click, 0 where there is none, None outside of the map.

    In a view of a volume it is the first grain along the line of sight.
    """
    if viewer.dims.ndisplay == 3:
        if not layer.visible:
            return None
        found = layer.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        return int(found) if found is not None else None
    index = index_at(viewer, layer, event.position)[-layer.data.ndim :]
    if not all(0 <= i < n for i, n in zip(index, layer.data.shape, strict=True)):
        return None
    return int(layer.data[index])


def show_grain(viewer: Any, layer: Layer, grains: Grains, number: int) -> None:
    """Go to the section of a grain; bring it to the middle where the view is zoomed in."""
    index = middle_of(grains, number)
    above = len(index) - 2
    if viewer.dims.ndisplay == 2:
        viewer.dims.set_point(range(above), layer.data_to_world(index)[:above])
    if shows_all(viewer):
        return
    centre = np.array(viewer.scene.camera.center, float)
    shown = 2 if viewer.dims.ndisplay == 2 else len(index)
    centre[-shown:] = layer.data_to_world(index)[-shown:]
    viewer.scene.camera.center = tuple(centre)


def middle_of(grains: Grains, number: int) -> tuple[int, ...]:
    """Return a point of the grain near its centroid: that itself may lie in a neighbour."""
    points = np.argwhere(grains.labels == number)
    axes, row = grains.orientations.axes, number - 1
    centre = np.array([grains.table[axis][row] for axis in axes]) - grains.orientations.origin
    centre = np.where(np.isfinite(centre), centre / grains.orientations.step, points.mean(axis=0))
    nearest = points[((points - centre) ** 2).sum(axis=1).argmin()]
    return tuple(int(i) for i in nearest)
