"""Is everything seen? A dock takes its room from the canvas, and may be longer than the window."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget


def shows_all(viewer: Any) -> bool:
    """Say whether all visible layers lie inside the canvas, as after a reset of the view."""
    layers = _fitted(viewer)
    if not layers:
        return False
    # napari 0.9: camera and extents are in the unit that all layers share
    corners = viewer.layers.get_extent(layers).world[:, -2:]
    camera, size = viewer.scene.camera, np.asarray(viewer.canvas.size, float)
    place = (corners - np.asarray(camera.center)[-2:]) * camera.zoom + size / 2
    return bool(np.all(place >= 0) and np.all(place <= size))


def fit_all(viewer: Any) -> None:
    """Fit the view to all visible layers."""
    layers = _fitted(viewer)
    if layers:
        viewer.reset_view(layers=layers)


def _fitted(viewer: Any) -> list[Any]:
    """Return the visible layers; none where their extents cannot be compared."""
    layers = [layer for layer in viewer.layers if layer.visible]
    flat = viewer.dims.ndisplay == 2 and all(layer.ndim == viewer.dims.ndim for layer in layers)
    return layers if flat else []


def scrolling(content: QWidget) -> QScrollArea:
    """Return ``content`` in a frame that scrolls up and down, never sideways."""
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QScrollArea.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(content)
    return scroll


def fill_scrolling(dock: QWidget, inside: QVBoxLayout, spacing: int) -> QScrollArea:
    """Fill a dock with rows in a frame that scrolls; room that none of them takes stays below."""
    inside.setContentsMargins(6, 4, 6, 4)
    inside.setSpacing(spacing)
    inside.addStretch(0)
    inner = QWidget()
    inner.setLayout(inside)
    scroll = scrolling(inner)
    layout = QVBoxLayout(dock)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(scroll)
    return scroll
