"""What is open, what is known about it, and how is it prepared? The Load dock.

It opens files and samples, shows the facts and the calibration of the active scan or map, and
crops, bins, repairs and saves it. A prepared scan takes the place of the one before; Undo brings
that back.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from napari_orient.data.scan import Quantity, Scan
from napari_orient.plugin.load.arrange import ArrangePanel
from napari_orient.plugin.load.binning import BinPanel
from napari_orient.plugin.load.calibration_form import CalibrationForm
from napari_orient.plugin.load.export import show_export
from napari_orient.plugin.load.facts import as_table, map_facts, scan_facts
from napari_orient.plugin.load.frame_form import (
    FrameForm,
    directions_shown,
    reframed,
    replace_map,
)
from napari_orient.plugin.load.open_list import OpenList, active_layer, carried
from napari_orient.plugin.load.open_row import OpenRow
from napari_orient.plugin.load.prepare_panel import (
    CropPanel,
    button,
    find_and_replace_hot_pixels,
)
from napari_orient.plugin.paths import ask_where, file_name, stem_of
from napari_orient.plugin.scan_layers import EARLIER, replace_scan, undo_last
from napari_orient.plugin.sessions import Dock, follow
from napari_orient.plugin.view import scrolling
from napari_orient.plugin.worker import JobBar

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
        self.open = OpenRow(self.viewer)
        self.list = OpenList(self.viewer)
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.frame = FrameForm()
        self.frame.chosen.connect(self._reframe)
        self._build_tabs()
        self.undo = button("Undo", "Bring back the scan before the last change", self._undo)
        self.save = button("Save as …", "Save the active scan or map", self._save)
        self.export = button(
            "Export map …", "Write the map for EDAX, Oxford, ASTAR, MTEX or orix", self._export
        )
        self.bar = JobBar()
        self.bar.running.connect(self._on_running)
        bottom = QHBoxLayout()
        for widget in (self.undo, self.save, self.export):
            bottom.addWidget(widget)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        for widget in (self.open, self.list, self.facts, self.frame, self.tabs):
            layout.addWidget(widget)
        layout.addLayout(bottom)
        layout.addWidget(self.bar)
        layout.addStretch(1)
        self._scroll = scrolling(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._scroll)
        self.setMinimumHeight(300)  # else the pattern above would leave a slit

    def _build_tabs(self) -> None:
        self.calibration = CalibrationForm()
        self.calibration.typed.connect(self._on_typed)
        self.crop = CropPanel(self.viewer)
        self.crop.asked.connect(self._crop)
        self.bin = BinPanel()
        self.bin.asked.connect(self._bin)
        self.arrange = ArrangePanel()
        self.arrange.asked.connect(self._replace)
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
            (self.bin, "Bin"), (repair, "Hot pixels"), (self.arrange, "Arrange"),
        ):  # fmt: skip
            self.tabs.addTab(widget, name)

    # --- showing ---------------------------------------------------------------------------------

    def _on_layers(self, event: Any = None) -> None:
        self.refresh()

    def _on_session(self, value: Any = None) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Show what is open and the facts of the active one."""
        layer = self._active_layer()
        self.list.fill(layer)
        scan, orientations = carried(layer)
        self.tabs.setVisible(scan is not None)
        self.frame.setVisible(scan is None and orientations is not None)
        self.save.setVisible(layer is not None)
        self.export.setVisible(scan is None and orientations is not None)
        self.undo.setVisible(scan is not None)
        self.list.setVisible(layer is not None)
        self.crop.show_scan(scan)
        self.bin.show_scan(scan)
        self.arrange.show_scan(scan)
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

    def _active_layer(self) -> Any:
        return active_layer(self.viewer, self.session)

    def _on_running(self, running: bool) -> None:
        for widget in (
            self.crop, self.bin, self.repair, self.arrange, self.frame, self.undo, self.save,
            self.export,
        ):  # fmt: skip
            widget.setEnabled(not running)
        if not running:
            self.refresh()

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
        path = ask_where(self, f"{stem_of(scan)}-binned-{factor}x{factor}.h5", "HDF5 (*.h5)")
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

    def _reframe(self, frame: str, crystal_axes: Any, turn: Any) -> None:
        _, orientations = carried(self._active_layer())

        def show(answer: Any) -> None:
            changed, pictures = answer
            replace_map(self.viewer, self.session, orientations, changed, pictures)

        shown = directions_shown(self.viewer, orientations)
        self.bar.run(
            reframed(orientations, frame, crystal_axes, shown, turn),
            text="Reading the map in other axes",
            on_result=show,
        )

    # --- saving ----------------------------------------------------------------------------------

    def _save(self) -> None:
        scan, orientations = carried(self._active_layer())
        if scan is None:
            stem = Path(orientations.source.partition("::")[0]).stem or "map"
            path = ask_where(self, f"{file_name(stem)}.h5", "HDF5 (*.h5)")
        else:
            kinds = "HDF5, ours (*.h5);;HyperSpy zarr (*.zspy);;HyperSpy HDF5 (*.hspy)"
            path = ask_where(self, f"{stem_of(scan)}.h5", kinds)
        if path:
            self.save_to(path)

    def _export(self) -> None:
        _, orientations = carried(self._active_layer())
        if orientations is not None:
            show_export(orientations)

    def save_to(self, path: str) -> None:
        """Save the active scan or map under ``path``, as a job."""
        from napari_orient.data.hdf5 import save_scan
        from napari_orient.data.maps import save_map

        scan, orientations = carried(self._active_layer())
        self.bar.run(
            save_map(orientations, path) if scan is None else save_scan(scan, path),
            text=f"Saving {Path(path).name}",
            on_result=lambda saved: show_info(f"Saved {Path(saved).name}"),
        )
