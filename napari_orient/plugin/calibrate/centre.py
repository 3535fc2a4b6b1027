"""Where is the direct beam, and does it drift over the scan? Found, taken from spots, tracked."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_orient.data.scan import Quantity
from napari_orient.plugin.calibrate.bench import Bench
from napari_orient.plugin.calibrate.fields import typed, words
from napari_orient.plugin.layers import record, scan_grid, show_image
from napari_orient.plugin.load.prepare_panel import button

METHODS = {
    "automatic": "auto",
    "disk of the beam": "disk",
    "symmetry (no beam seen)": "friedel",
    "centre of mass": "mass",
}
TRACKED = {"1 in 1": 1, "1 in 4": 2, "1 in 16": 4, "1 in 64": 8}
NO_MASS = (
    "The centre of mass follows the spots as much as the beam: to track the beam, choose its disk "
    "or symmetry."
)


class CentrePanel(QWidget):
    """Finds and tracks the direct beam."""

    def __init__(self, bench: Bench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.tracked: Any = None
        self.method = QComboBox()
        self.method.addItems(list(METHODS))
        self.method.setToolTip(
            "How the beam is found. Symmetry compares the pattern with itself turned by 180°, and "
            "needs no visible beam"
        )
        self.find = button("Find", "Find the beam in the pattern", self._find)
        self.spots = button(
            "From two opposite spots",
            "The middle of the two points that the ruler has set on the pattern",
            self._from_spots,
        )
        self.stride = QComboBox()
        self.stride.addItems(list(TRACKED))
        self.stride.setCurrentIndex(1)
        self.stride.setToolTip("How many of the patterns are looked at")
        self.order = QComboBox()
        self.order.addItems(["plane", "curved"])
        self.order.setToolTip("Surface through the tracked centres: a plane, or of second order")
        self.track = button(
            "Track over the scan", "Find the beam in many patterns and fit its drift", self._track
        )
        self.show_drift = button(
            "Show drift", "Add two layers: the drift of the beam along ky and kx, in px", self._show
        )
        self.align = button(
            "Align patterns",
            "Move each pattern by whole pixels so that the beam stays in its place; Undo brings "
            "the scan back",
            self._align,
        )
        self.said = words()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 4, 2, 2)
        for row in (
            (self.method, self.find), (self.spots,), (self.stride, self.order), (self.track,),
            (self.show_drift, self.align),
        ):  # fmt: skip
            line = QHBoxLayout()
            for widget in row:
                line.addWidget(widget, int(isinstance(widget, QComboBox)))
            layout.addLayout(line)
        layout.addWidget(self.said)
        layout.addStretch(1)
        for box in (self.method, self.stride, self.order):
            box.setMinimumContentsLength(5)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        bench.dataChanged.connect(self._forget)
        bench.draftChanged.connect(self._enable)
        self._enable()

    def _forget(self) -> None:
        """Other patterns: what was found in the old ones does not hold for them."""
        self.tracked = None
        self.said.clear()
        self._enable()

    def _enable(self) -> None:
        self.show_drift.setEnabled(self.tracked is not None)
        self.align.setEnabled(self.bench.draft.descan is not None)

    def _find(self) -> None:
        from napari_orient.diffraction.camera.centre import find_centre

        try:
            found = find_centre(
                self.bench.needed_pattern(), method=METHODS[self.method.currentText()]
            )
        except ValueError as error:
            self._refuse(error)
            return
        note = f"found in one pattern by {found.method}; ± {found.sigma:.2g} px"
        value = Quantity(value=(found.ky, found.kx), unit="px", source="measured", note=note)
        self.bench.change(centre=self.bench.mid_scan(value))
        self.said.setText(
            f"Beam at ky {found.ky:.2f}, kx {found.kx:.2f} ± {found.sigma:.2g} px ({found.method})"
        )

    def _from_spots(self) -> None:
        points = self.bench.session.ruler
        if len(points) != 2:
            self._refuse(
                ValueError(
                    "Two points are needed: switch on the ruler of the Pattern dock (R) and press "
                    "on two spots that lie opposite each other."
                )
            )
            return
        value = tuple(float(c) for c in np.mean(points, axis=0))
        centre = typed(value, "px", "middle of two opposite spots")  # type: ignore[arg-type]
        self.bench.change(centre=self.bench.mid_scan(centre))
        self.said.setText(f"Beam at ky {value[0]:.2f}, kx {value[1]:.2f}: between the two spots")

    def _refuse(self, error: Exception) -> None:
        self.said.setText(str(error))
        show_error(str(error))

    # --- descan ------------------------------------------------------------------------------

    def _track(self) -> None:
        from napari_orient.diffraction.camera.descan import track_centre

        scan = self.bench.scan
        if scan is None:
            return
        chosen = METHODS[self.method.currentText()]
        if chosen == "mass":
            self.said.setText(NO_MASS)
            return
        self.bench.run(
            track_centre(
                scan,
                method="friedel" if chosen == "friedel" else "disk",
                stride=TRACKED[self.stride.currentText()],
                order=2 if self.order.currentIndex() else 1,
            ),
            text="Tracking the beam",
            on_result=self._on_tracked,
            said=self.said,
        )

    def _on_tracked(self, tracked: Any) -> None:
        self.tracked = tracked
        self.bench.set_draft(tracked.apply(self.bench.draft))
        y, x = np.indices(tracked.used.shape)
        ky, kx = tracked.descan.drift(y, x)
        self.said.setText(
            f"Drift up to {np.hypot(ky, kx).max():.2f} px; the patterns scatter about the "
            f"{'plane' if len(tracked.descan.ky) == 2 else 'surface'} by "
            f"{tracked.descan.rms:.2f} px (rms). {int(tracked.used.sum())} patterns used"
        )
        self._enable()

    def _show(self) -> None:
        scan, tracked = self.bench.scan, self.tracked
        if scan is None or tracked is None:
            return
        y, x = np.indices(tracked.used.shape)
        for axis, (name, fitted) in enumerate(
            zip(("ky", "kx"), tracked.descan.drift(y, x), strict=True)
        ):
            seen = tracked.centres[..., axis] - tracked.centre.pair[axis]
            # between tracked positions the fit is all that is known
            image = np.where(np.isfinite(seen), seen, fitted)
            show_image(
                self.bench.viewer, f"Beam drift {name}, px", image,
                metadata=record("drift", source=scan.source), colormap="turbo", **scan_grid(scan),
            )  # fmt: skip

    def _align(self) -> None:
        from napari_orient.data.prepare import align_patterns

        scan = self.bench.scan
        if scan is None:
            return
        try:
            aligned = align_patterns(scan.replaced(calibration=self.bench.draft))
        except ValueError as error:
            self._refuse(error)
            return
        self.bench.replace(aligned)
        moved = aligned.history[-1] if aligned.data is not scan.data else "no drift of a pixel"
        self.said.setText(f"Aligned: {moved}. Undo brings the scan back.")
