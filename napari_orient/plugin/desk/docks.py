"""Which docks are open, where do they stand, and how are their controls set?"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from qtpy.QtCore import QByteArray
from qtpy.QtWidgets import QCheckBox, QComboBox

PLUGIN = "napari-orient"
OWN = "Desk"  # the dock that may be running the restoration
KEPT = {
    "Pattern": ("source", "follows", "scaling", "colours", "low", "high", "unit"),
    "Virtual detectors": ("budget", "rgb"),
}
"""Dock -> its controls whose setting is part of the desk."""


def keep_docks(viewer: Any) -> dict[str, Any]:
    """Return open docks, their arrangement (as Qt keeps it) and settings, as a tree."""
    docks = dict(viewer.window.dock_widgets)
    settings = {}
    for full_name, dock in docks.items():
        name, plugin = _split(full_name)
        if plugin == PLUGIN and name in KEPT:
            controls = {c: getattr(dock, c, None) for c in KEPT[name]}
            settings[name] = {c: _value(w) for c, w in controls.items() if w is not None}
    main = viewer.window._qt_window  # napari has no public name for the window of Qt
    arrangement = np.frombuffer(bytes(main.saveState()), np.uint8)
    return {
        "docks": [list(_split(name)) for name in docks if _split(name)[1]],
        "arrangement": arrangement,
        "settings": settings,
        "size": (main.width(), main.height()),
    }


def _split(full_name: str) -> tuple[str, str]:
    """Return (name, plugin) of napari's "name (plugin)"; no plugin for napari's own docks."""
    found = re.fullmatch(r"(.+) \((.+)\)", full_name)
    return (found[1], found[2]) if found else (full_name, "")


def _value(widget: Any) -> Any:
    if isinstance(widget, QComboBox):
        return widget.currentText()
    return widget.isChecked() if isinstance(widget, QCheckBox) else widget.value()


def _set(widget: Any, value: Any) -> None:
    if isinstance(widget, QComboBox):
        widget.setCurrentText(str(value))
    elif isinstance(widget, QCheckBox):
        widget.setChecked(bool(value))
    else:
        widget.setValue(value)
        widget.editingFinished.emit()


def open_docks(viewer: Any, kept: dict[str, Any]) -> list[str]:
    """Open the docks of a desk and close others of ours; return what cannot be opened."""
    wanted = [tuple(dock) for dock in kept["docks"]]
    for full_name, dock in dict(viewer.window.dock_widgets).items():
        name, plugin = _split(full_name)
        if plugin == PLUGIN and name != OWN and (name, plugin) not in wanted:
            viewer.window.remove_dock_widget(dock)
    notes = []
    for name, plugin in wanted:
        try:
            viewer.window.add_plugin_dock_widget(plugin, name)
        except Exception as error:  # another plugin: whatever it raises, the desk goes on
            notes.append(f"the dock {name} of {plugin} cannot be opened ({error})")
    return notes


def arrange_docks(viewer: Any, kept: dict[str, Any]) -> None:
    """Put window and docks where they were; another release of Qt may not understand it."""
    main = viewer.window._qt_window
    if not (main.isMaximized() or main.isFullScreen()):
        main.resize(*(int(n) for n in kept["size"]))
    main.restoreState(QByteArray(np.asarray(kept["arrangement"], np.uint8).tobytes()))


def set_controls(viewer: Any, kept: dict[str, Any]) -> None:
    """Set the controls of the docks as they were; a control that is gone is passed over."""
    docks = {_split(name): dock for name, dock in viewer.window.dock_widgets.items()}
    for name, controls in kept["settings"].items():
        dock = docks.get((name, PLUGIN))
        for control, value in controls.items():
            if dock is not None and getattr(dock, control, None) is not None:
                _set(getattr(dock, control), value)
