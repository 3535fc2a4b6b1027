"""What is open, what is known about it, and how is it prepared? The Load dock.

It opens files and samples, shows the facts and the calibration of the active scan or map, and
crops, bins, repairs and saves it. A prepared scan takes the place of the one before; Undo brings
that back.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.history import (
    get_open_history,
    get_save_history,
    update_open_history,
    update_save_history,
)
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_orient.data.scan import Quantity, Scan
from napari_orient.files import UnreadableFile, check_file
from napari_orient.plugin.binning import BinPanel
from napari_orient.plugin.calibration_form import CalibrationForm
from napari_orient.plugin.facts import as_table, map_facts, scan_facts
from napari_orient.plugin.frame_form import (
    FrameForm,
    directions_shown,
    reframed,
    replace_map,
)
from napari_orient.plugin.layers import kind_of
from napari_orient.plugin.prepare_panel import (
    CropPanel,
    button,
    find_and_replace_hot_pixels,
)
from napari_orient.plugin.questions import times
from napari_orient.plugin.readers import in_short
from napari_orient.plugin.scan_layers import EARLIER, bring_forward, replace_scan, undo_last
from napari_orient.plugin.sessions import Dock, follow
from napari_orient.plugin.view import scrolling
from napari_orient.plugin.worker import JobBar

PLUGIN = "napari-orient"
SAMPLES = (
    ("scan-small", "LiNiO₂ scan, simulated, small (67 MB)"),
    ("scan-large", "LiNiO₂ scan, simulated, large (655 MB)"),
    ("polycrystal", "Polycrystal map, simulated"),
    ("ebsd", "Duplex steel, real EBSD map (downloaded)"),
)
NOTHING_OPEN = (
    "Nothing is open. Drop a file on the window, press <b>Open file …</b>, or try one of the "
    "<b>Samples</b>."
)


class LoadDock(Dock):
    """The Load dock of one viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._build()
        layers = self.viewer.layers
        for emitter in (layers.events.inserted, layers.events.removed, layers.events.reordered):
            follow(self, emitter, self._on_layers)
        follow(self, layers.selection.events.active, self._on_layers)
        follow(self, self.session.events.scan, self._on_session)
        follow(self, self.session.events.orientation_map, self._on_session)
        self.refresh()

    # --- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.list = QListWidget()
        self.list.setToolTip("Scans and maps in this window; a click makes one the active one")
        self.list.setMaximumHeight(84)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.itemClicked.connect(self._on_chosen)
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.frame = FrameForm()
        self.frame.chosen.connect(self._reframe)
        self._build_tabs()
        self.undo = button(
            "Undo", "Bring back the scan before the last crop, binning or repair", self._undo
        )
        self.save = button("Save as …", "Save the active scan or map", self._save)
        self.bar = JobBar()
        self.bar.running.connect(self._on_running)
        bottom = QHBoxLayout()
        bottom.addWidget(self.undo)
        bottom.addWidget(self.save)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.addLayout(self._build_open())
        for widget in (self.list, self.facts, self.frame, self.tabs):
            layout.addWidget(widget)
        layout.addLayout(bottom)
        layout.addWidget(self.bar)
        layout.addStretch(1)
        self._scroll = scrolling(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._scroll)

    def _build_open(self) -> QHBoxLayout:
        self.open_file = button("Open file …", "Open scans or maps", self._open_file)
        self.open_folder = button(
            "Open folder …", "Open a scan that is a folder (.zspy)", self._open_folder
        )
        self.samples = QPushButton("Samples")
        self.samples.setToolTip("Simulated scans and maps to try things with")
        menu = QMenu(self.samples)
        for key, words in SAMPLES:
            menu.addAction(words).triggered.connect(partial(self._open_sample, key))
        self.samples.setMenu(menu)
        row = QHBoxLayout()
        for widget in (self.open_file, self.open_folder, self.samples):
            row.addWidget(widget)
        return row

    def _build_tabs(self) -> None:
        self.calibration = CalibrationForm()
        self.calibration.typed.connect(self._on_typed)
        self.crop = CropPanel(self.viewer)
        self.crop.asked.connect(self._crop)
        self.bin = BinPanel()
        self.bin.asked.connect(self._bin)
        repair = QWidget()
        layout = QVBoxLayout(repair)
        said = QLabel(
            "Pixels of the camera that are always far brighter than their neighbours are replaced "
            "by the median around them, when patterns are read."
        )
        said.setWordWrap(True)
        layout.addWidget(said)
        self.repair = button("Remove hot pixels", "Find and replace hot pixels", self._repair)
        layout.addWidget(self.repair)
        layout.addStretch(1)
        self.tabs = QTabWidget()
        for widget, name in (
            (self.calibration, "Calibration"), (self.crop, "Crop"),
            (self.bin, "Bin"), (repair, "Hot pixels"),
        ):  # fmt: skip
            self.tabs.addTab(widget, name)

    # --- showing ---------------------------------------------------------------------------------

    def _on_layers(self, event: Any = None) -> None:
        self.refresh()

    def _on_session(self, value: Any = None) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Show what is open and the facts of the active one."""
        self._fill_list()
        layer = self._active_layer()
        scan, orientations = self._carried(layer)
        self.tabs.setVisible(scan is not None)
        self.frame.setVisible(scan is None and orientations is not None)
        self.save.setVisible(layer is not None)
        self.undo.setVisible(scan is not None)
        self.list.setVisible(layer is not None)
        self.crop.show_scan(scan)
        self.bin.show_scan(scan)
        if scan is not None:
            self.facts.setText(as_table(scan_facts(scan)))
            self.facts.setToolTip(scan.source)
            self.calibration.show_calibration(scan.calibration)
            self.undo.setEnabled(bool(layer.metadata.get(EARLIER)) and not self.bar.is_running)
        elif orientations is not None:
            self.facts.setText(as_table(map_facts(orientations)))
            self.frame.show_map(orientations)
            self.facts.setToolTip(orientations.source)
        else:
            self.facts.setText(NOTHING_OPEN)
            self.facts.setToolTip("")
        self._fit_width()

    def showEvent(self, event: Any) -> None:
        """Take the width that the window's fonts need."""
        super().showEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        """Never be so narrow that something is cut off: a scroll area would allow it."""
        inner = self._scroll.widget()
        inner.layout().activate()
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        margins = inner.layout().contentsMargins()
        tabs = self.tabs.minimumSizeHint().width() + margins.left() + margins.right()
        # the tabs count while they are hidden too: the first scan must not push the canvas
        needed = max(inner.minimumSizeHint().width(), tabs) + bar
        self.setMinimumWidth(max(self.minimumWidth(), needed))

    def _fill_list(self) -> None:
        active = self._active_layer()
        self.list.clear()
        for layer in reversed(self.viewer.layers):
            scan, orientations = self._carried(layer)
            if kind_of(layer) not in ("navigator", "ipf"):
                continue
            shape = scan.shape if scan is not None else orientations.shape
            kind = "scan" if scan is not None else "map"
            item = QListWidgetItem(f"{layer.name}   {kind}, {times(shape)}")
            item.setData(Qt.ItemDataRole.UserRole, layer.name)
            item.setToolTip(item.text())
            self.list.addItem(item)
            if layer is active:
                self.list.setCurrentItem(item)

    @staticmethod
    def _carried(layer: Any) -> tuple[Any, Any]:
        """Return the (scan, map) of a layer."""
        if layer is None:
            return None, None
        return layer.metadata.get("scan"), layer.metadata.get("map")

    def _active_layer(self) -> Any:
        """Return the active layer if it is a scan's or a map's, else one of the session's."""
        ours = [x for x in self.viewer.layers if kind_of(x) in ("navigator", "ipf")]
        active = self.viewer.layers.selection.active
        if any(layer is active for layer in ours):
            return active
        wanted = (self.session.scan, self.session.orientation_map)
        for thing in wanted:
            for layer in ours:
                if thing is not None and any(x is thing for x in self._carried(layer)):
                    return layer
        return ours[-1] if ours else None

    def _on_chosen(self, item: QListWidgetItem) -> None:
        name = item.data(Qt.ItemDataRole.UserRole)
        if name in self.viewer.layers:
            layer = self.viewer.layers[name]
            self.viewer.layers.selection.active = layer
            bring_forward(self.viewer, layer)

    def _on_running(self, running: bool) -> None:
        for widget in (
            self.crop, self.bin, self.repair, self.frame, self.undo, self.save
        ):  # fmt: skip
            widget.setEnabled(not running)
        if not running:
            self.refresh()

    # --- opening ---------------------------------------------------------------------------------

    def _open_file(self) -> None:
        from napari_orient.data.formats import SUFFIXES
        from napari_orient.data.vendors import SUFFIXES as MAPS

        ours = " ".join(f"*{suffix}" for suffix in dict.fromkeys((*SUFFIXES, *MAPS)))
        paths, _ = QFileDialog.getOpenFileNames(
            self, "Open scans or maps", get_open_history()[0],
            f"Scans and maps ({ours});;All files (*)",
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
        self.viewer.open(path, plugin=PLUGIN)

    def _open_sample(self, key: str, *_: Any) -> None:
        self.viewer.open_sample(PLUGIN, key)

    # --- preparing -------------------------------------------------------------------------------

    def _scan(self) -> Scan:
        scan: Scan = self._active_layer().metadata["scan"]
        return scan

    def _on_typed(self, name: str, quantity: Quantity | None) -> None:
        scan = self._scan()
        changed = scan.replaced(calibration=scan.calibration.set(**{name: quantity}))
        replace_scan(self.viewer, self.session, scan, changed, undo=False)

    def _replace(self, old: Scan, new: Scan) -> None:
        replace_scan(self.viewer, self.session, old, new)
        show_info(f"{new.name}: {new.history[-1]}")

    def _crop(self, rows: slice, columns: slice) -> None:
        from napari_orient.data.prepare import crop

        scan = self._scan()
        self.crop.forget_drawing()
        self._replace(scan, crop(scan, rows, columns))

    def _bin(self, factor: int, to_disk: bool) -> None:
        from napari_orient.data.prepare import bin_scan, binned_copy

        scan = self._scan()
        if not to_disk:
            self._replace(scan, bin_scan(scan, factor))
            return
        stem = Path(scan.source.partition("::")[0]).stem or scan.name
        path = self._ask_where(f"{stem}-binned-{factor}x{factor}.h5", "HDF5 (*.h5)")
        if path:
            self.bar.run(
                binned_copy(scan, factor, path),
                text=f"Binning into {Path(path).name}",
                on_result=partial(self._replace, scan),
            )

    def _repair(self) -> None:
        scan = self._scan()

        def show(repaired: Scan | None) -> None:
            if repaired is None:
                show_info("No hot pixels were found; nothing was changed.")
            else:
                self._replace(scan, repaired)

        self.bar.run(
            find_and_replace_hot_pixels(scan), text="Looking for hot pixels", on_result=show
        )

    def _undo(self) -> None:
        if undo_last(self.viewer, self.session):
            self.refresh()

    def _reframe(self, frame: str, crystal_axes: Any) -> None:
        _, orientations = self._carried(self._active_layer())

        def show(answer: Any) -> None:
            changed, pictures = answer
            replace_map(self.viewer, self.session, orientations, changed, pictures)

        shown = directions_shown(self.viewer, orientations)
        self.bar.run(
            reframed(orientations, frame, crystal_axes, shown),
            text="Reading the map in other axes",
            on_result=show,
        )

    # --- saving ----------------------------------------------------------------------------------

    def _ask_where(self, name: str, kinds: str) -> str:
        folder = get_save_history()[0]
        path, _ = QFileDialog.getSaveFileName(self, "Save as", str(Path(folder) / name), kinds)
        if path:
            update_save_history(path)
        return path

    def _save(self) -> None:
        scan, orientations = self._carried(self._active_layer())
        if scan is None:
            path = self._ask_where(f"{Path(orientations.source).stem or 'map'}.h5", "HDF5 (*.h5)")
        else:
            stem = Path(scan.source.partition("::")[0]).stem or scan.name
            kinds = "HDF5, ours (*.h5);;HyperSpy zarr (*.zspy);;HyperSpy HDF5 (*.hspy)"
            path = self._ask_where(f"{stem}.h5", kinds)
        if path:
            self.save_to(path)

    def save_to(self, path: str) -> None:
        """Save the active scan or map under ``path``, as a job."""
        from napari_orient.data.hdf5 import save_scan
        from napari_orient.data.maps import save_map

        scan, orientations = self._carried(self._active_layer())
        self.bar.run(
            save_map(orientations, path) if scan is None else save_scan(scan, path),
            text=f"Saving {Path(path).name}",
            on_result=lambda saved: show_info(f"Saved {Path(saved).name}"),
        )
