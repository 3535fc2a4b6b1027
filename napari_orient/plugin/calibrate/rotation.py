"""How are the patterns turned against the scan? From a map, or from the centre of mass."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_orient.data.scan import Quantity
from napari_orient.diffraction.camera.from_scan import (
    SAMPLE,
    rotation_from_map,
    rotation_from_mass,
)
from napari_orient.plugin.calibrate.bench import NO_SCAN, Bench
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.load.prepare_panel import button

NO_MAP = (
    "A map on the same positions as the scan is needed: open a reference map, or index the scan, "
    "and choose it in the layer list."
)
ARROWS = "The arrows on the pattern show where the scan's x and y point; the form above turns them."


class RotationPanel(QWidget):
    """Finds rotation and flip, and lists what else would fit."""

    def __init__(self, bench: Bench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.found: Any = None
        self.from_map = button(
            "From the orientation map",
            f"Compare the spots of {SAMPLE} patterns with those that the map expects",
            self._from_map,
        )
        self.from_mass = button(
            "From the centre of mass",
            "The deflection of the beam has no curl in the right axes; leaves 180° open",
            self._from_mass,
        )
        self.mirror = button("Other flip", "Take the other flip instead", self._mirror)
        self.turn = button("+ 180°", "Turn by half a turn", self._turn)
        self.said = words(ARROWS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 4, 2, 2)
        for widget in (self.from_map, self.from_mass, self.said, self.mirror, self.turn):
            layout.addWidget(widget)
        layout.addStretch(1)
        bench.dataChanged.connect(self._forget)

    def _forget(self) -> None:
        self.found = None
        self.said.setText(ARROWS)

    def _from_map(self) -> None:
        scan, orientations = self.bench.scan, self.bench.session.orientation_map
        if scan is None or orientations is None or orientations.shape != scan.scan_shape:
            self.said.setText(NO_SCAN if scan is None else NO_MAP)
            return
        if self.bench.draft.pixel_size is None:
            self.said.setText("The pixel size is unknown: fit rings or spots first.")
            return
        self.bench.run(
            rotation_from_map(scan.replaced(calibration=self.bench.draft), orientations),
            text="Comparing patterns with the map",
            on_result=self._on_found,
            said=self.said,
        )

    def _from_mass(self) -> None:
        if self.bench.scan is None:
            self.said.setText(NO_SCAN)
            return
        self.bench.run(
            rotation_from_mass(self.bench.scan.replaced(calibration=self.bench.draft)),
            text="Centre of mass",
            on_result=self._on_found,
            said=self.said,
        )

    def _on_found(self, found: Any) -> None:
        self.found = found
        self.bench.set_draft(found.apply(self.bench.draft))
        self.said.setText(in_words(found))

    def _mirror(self) -> None:
        draft = self.bench.draft
        note = "the other flip was taken by hand"
        flip = Quantity(value=1.0 - float(bool(draft.flip.number)), source="typed", note=note)
        self.bench.change(flip=flip)

    def _turn(self) -> None:
        old = self.bench.draft.rotation
        value = (old.number + 360) % 360 - 180
        note = f"{old.note}; turned by 180° by hand" if old.note else "turned by 180° by hand"
        self.bench.change(rotation=old.model_copy(update={"value": value, "note": note}))


def in_words(found: Any) -> str:
    """Return a rotation with its alternatives and their scores."""
    flipped = bool(found.flip.number)
    names = ("as the scan", "mirrored")
    lines = [
        f"{found.rotation.number:.2f}° ± {found.error:.2g}, {names[flipped]}: "
        f"score {found.score:.3f}",
        f"{names[not flipped]}: score {found.flipped_score:.3f}",
    ]
    if found.opposite_score is None:
        lines.append("turned by 180°: cannot be told apart")
    else:
        lines.append(f"turned by 180°: score {found.opposite_score:.3f}")
    return "\n".join([*lines, found.note] if found.note else lines)
