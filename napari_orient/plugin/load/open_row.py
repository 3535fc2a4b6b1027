"""From where does a file come? Buttons of the Load dock: a file, a folder, a sample."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Layer
from napari.utils.history import get_open_history, update_open_history
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from napari_orient.data.vendors.open import TEXT_SUFFIXES
from napari_orient.files import UnreadableFile, check_file
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.readers import in_short, read

PLUGIN = "napari-orient"
SAMPLES = (
    ("scan-small", "LiNiO₂ scan, simulated, small (67 MB)"),
    ("scan-large", "LiNiO₂ scan, simulated, large (655 MB)"),
    ("polycrystal", "Polycrystal map, simulated"),
    ("ebsd", "Duplex steel, real EBSD map (downloaded)"),
)


class OpenRow(QWidget):
    """Opens scans and maps in a viewer; dialogs start where the last file lay."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.file = button("Open file …", "Open scans or maps", self._open_file)
        self.folder = button(
            "Open folder …", "Open a scan that is a folder (.zspy)", self._open_folder
        )
        self.samples = QPushButton("Samples")
        self.samples.setToolTip("Simulated scans and maps to try things with")
        menu = QMenu(self.samples)
        for key, words in SAMPLES:
            menu.addAction(words).triggered.connect(partial(self._open_sample, key))
        self.samples.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.file, self.folder, self.samples):
            row.addWidget(widget)

    def _open_file(self) -> None:
        from napari_orient.data.formats import SUFFIXES
        from napari_orient.data.vendors.open import SUFFIXES as MAPS

        ours = " ".join(f"*{suffix}" for suffix in dict.fromkeys((*SUFFIXES, *MAPS)))
        text = " ".join(f"*{suffix}" for suffix in TEXT_SUFFIXES)
        paths, _ = QFileDialog.getOpenFileNames(
            self, "Open scans or maps", get_open_history()[0],
            f"Scans and maps ({ours} {text});;Maps as text ({text});;All files (*)",
        )  # fmt: skip
        for path in paths:
            self.open_path(path)

    def _open_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(
            self, "Open a scan that is a folder", get_open_history()[0]
        )
        if path:
            self.open_path(path)

    def open_path(self, path: str) -> None:
        """Open a file or a folder with this plugin; remember where it lay."""
        try:
            check_file(path)  # napari's own words for a missing file name no cure
        except UnreadableFile as error:
            show_error(in_short(error))
            return
        update_open_history(path)
        if Path(path).suffix.lower() in TEXT_SUFFIXES:
            # not by the manifest: napari would ask at everybody's .csv whose it is
            for data in read(path):
                if data[0] is not None:
                    self._viewer.add_layer(Layer.create(*data))
            return
        self._viewer.open(path, plugin=PLUGIN)

    def _open_sample(self, key: str, *_: Any) -> None:
        self._viewer.open_sample(PLUGIN, key)
