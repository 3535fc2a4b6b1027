"""How is a scan predicted from the window? As it is indexed; and then compared with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal

from napari_orient.jobs import Every
from napari_orient.plugin.index.growing import GrowingMap
from napari_orient.plugin.index.run_panel import SHOWN, RunPanel
from napari_orient.plugin.layers import KEY, scan_grid
from napari_orient.plugin.load.prepare_panel import button
from napari_orient.plugin.predict.look import predict
from napari_orient.plugin.scan_layers import describe_map_layer
from napari_orient.plugin.worker import refusable, words_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.plugin.predict.look import Prepared
    from napari_orient.session import Session


class PredictedMap(GrowingMap):
    """The layer of a map that a network is filling; it is called after the model."""

    def _add(self) -> None:
        made = self.map.provenance
        name = f"{self._scan.name}, {made['model']['name']}"
        if made.get("exploratory"):
            name += ", exploratory"
        data, settings, _ = describe_map_layer(self.map, name)
        settings["metadata"][KEY]["provenance"] = made
        self.layer = self._viewer.add_image(data, **{**settings, **scan_grid(self._scan)})


class PredictPanel(RunPanel):
    """Where to predict, and the run; emits ``compareAsked()`` when the user wants to judge it."""

    compareAsked = Signal()
    predicted = Signal()

    def __init__(self, viewer: Any, session: Session) -> None:
        super().__init__(viewer, session)
        self.where.setToolTip("Which positions of the scan are predicted")
        self.start_button.setText("Predict")
        self.start_button.setToolTip(
            "Let the network find the orientation at each position (Ctrl+Shift+Return)"
        )
        # Index has Ctrl+Return, and both docks may be open
        self.start_button.setShortcut("Ctrl+Shift+Return")

    def _arrange(self) -> None:
        super()._arrange()
        self.compare = button(
            "Compare with labels",
            "Open Compare on this map and on a map of the same scan that is believed",
            self.compareAsked.emit,
        )
        self.compare.setEnabled(False)
        last = self.layout().itemAt(self.layout().count() - 1).layout()
        last.insertWidget(1, self.compare)

    def mask(self, scan: Scan) -> NDArray[np.bool_] | None:
        """Return the positions to predict, None for all.

        Raises
        ------
        ValueError
            If a region is wanted and there is none for this scan, in words for the user.
        """
        try:
            return super().mask(scan)
        except ValueError as error:
            raise ValueError(str(error).replace("or index the", "or predict the")) from error

    def estimate(self, scan: Scan | None, prepared: Prepared | None) -> None:
        """Say what a run costs."""
        if scan is None or prepared is None:
            self._expect("")
            return
        try:
            region = self.mask(scan)
        except ValueError as error:
            self._expect(str(error))
            return
        count = scan.scan_shape[0] * scan.scan_shape[1] if region is None else int(region.sum())
        seconds = words_for(count / prepared.rate).replace(" left", "")
        self._expect(f"{prepared.rate:.0f} patterns/s here: {count} positions take {seconds}.")

    def run_with(self, scan: Scan, prepared: Prepared) -> None:
        """Predict; the map grows in a new layer."""
        self.said.clear()
        try:
            region = self.mask(scan)
        except ValueError as error:
            self._refuse(str(error))
            return
        growing = self._growing = PredictedMap(self.viewer, scan)
        show = Every(SHOWN, 0.0)
        self.bar.run(
            refusable(predict(scan, prepared, region)),
            on_partial=lambda partial: self._on_partial(growing, show, partial),
            on_result=lambda answer: self._on_result(growing, *answer),
            on_end=lambda: self._on_end(growing),
        )

    def _finish(self, growing: GrowingMap, result: OrientationMap) -> None:
        super()._finish(growing, result)
        self.predicted.emit()

    def _on_running(self, running: bool) -> None:
        super()._on_running(running)
        self.compare.setVisible(not running)
