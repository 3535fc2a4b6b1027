"""How are the settings of a dock kept? Two buttons: from a YAML file, and to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.history import get_open_history, get_save_history, update_save_history
from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from napari_orient.config import Config, ConfigError
from napari_orient.plugin.load.prepare_panel import button

if TYPE_CHECKING:
    from collections.abc import Callable


class SettingsFiles(QWidget):
    """Loads and saves a configuration; emits ``loaded(Config)`` and ``refused(str)``.

    Parameters
    ----------
    kind
        Class of the configuration.
    verb
        Of the command line: the file is proposed to be called after it.
    current
        Returns the settings of the dock, or None where they cannot be; the dock then says why.
    """

    loaded = Signal(object)
    refused = Signal(str)

    def __init__(self, kind: type[Config], verb: str, current: Callable[[], Config | None]) -> None:
        super().__init__()
        self._kind, self._verb, self._current = kind, verb, current
        self.load = button("Load settings …", "Take the settings from a YAML file", self._on_load)
        self.store = button(
            "Save settings …",
            "Write the settings to a YAML file, for later or for the command line: napari-orient "
            f"{verb}",
            self._on_store,
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.load, self.store):
            row.addWidget(widget)

    def _on_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Settings", get_open_history()[0], "Settings (*.yaml *.yml)"
        )
        if path:
            self.load_from(path)

    def load_from(self, path: str) -> None:
        """Take the settings from a YAML file; one that does not fit is said."""
        try:
            config = self._kind.from_yaml(path)
        except ConfigError as error:
            show_error(str(error))
            self.refused.emit(str(error))
            return
        self.loaded.emit(config)

    def _on_store(self) -> None:
        proposed = f"{get_save_history()[0]}/{self._verb}.yaml"
        path, _ = QFileDialog.getSaveFileName(self, "Settings", proposed, "Settings (*.yaml)")
        if path:
            update_save_history(path)
            self.store_to(path)

    def store_to(self, path: str) -> None:
        """Write the settings to a YAML file."""
        config = self._current()
        if config is None:
            return
        try:
            config.to_yaml(path)
        except OSError as error:
            show_error(f"{path} cannot be written ({error.strerror or error})")
