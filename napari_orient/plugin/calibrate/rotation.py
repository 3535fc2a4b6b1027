"""How are the patterns turned against the scan? From a map, or from the centre of mass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_orient.data.scan import Quantity
from napari_orient.plugin.calibrate.bench import NO_SCAN, Bench
from napari_orient.plugin.calibrate.fields import words
from napari_orient.plugin.load.prepare_panel import button

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Calibration, Scan
    from napari_orient.jobs import Job

SAMPLE = 16  # patterns that are compared with the map
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
            rotation_from_map(scan, orientations, self.bench.draft),
            text="Comparing patterns with the map",
            on_result=self._on_found,
            said=self.said,
        )

    def _from_mass(self) -> None:
        if self.bench.scan is None:
            self.said.setText(NO_SCAN)
            return
        self.bench.run(
            rotation_from_mass(self.bench.scan, self.bench.draft),
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


def rotation_from_map(scan: Scan, orientations: OrientationMap, draft: Calibration) -> Job[Any]:
    """Compare patterns at positions of the map's most frequent phase with its orientations."""
    from napari_orient.data.prepare import align_patterns
    from napari_orient.diffraction.camera.rotation import fit_rotation_known

    known = scan.replaced(calibration=draft)
    if draft.descan is not None:
        known = align_patterns(known)
    numbers = orientations.phase_id[orientations.done & (orientations.phase_id >= 0)]
    if not numbers.size:
        raise ValueError("the map has no indexed position")
    number = int(np.bincount(numbers).argmax())
    places = np.argwhere(orientations.done & (orientations.phase_id == number))
    chosen = np.random.default_rng(0).permutation(len(places))[:SAMPLE]
    patterns, turns = [], []
    for y, x in places[chosen].tolist():
        patterns.append(known.pattern(y, x))
        turns.append(orientations.quaternions[y, x])
    phase = orientations.phases[number]
    return (yield from fit_rotation_known(patterns, np.array(turns), phase, draft))


def rotation_from_mass(scan: Scan, draft: Calibration) -> Job[Any]:
    """Take the centre of mass of all patterns, without the descan, and turn it free of curl."""
    from napari_orient.diffraction.camera.rotation import fit_rotation_com
    from napari_orient.diffraction.detectors import Disk, VirtualDetector
    from napari_orient.diffraction.streaming import virtual_image

    ky, kx = scan.pattern_shape
    everything = Disk(centre=(ky / 2, kx / 2), radius=float(np.hypot(ky, kx)))
    images = []
    for signal in ("com_y", "com_x"):
        detector = VirtualDetector(name="Centre of mass", shapes=(everything,), signal=signal)
        images.append((yield from virtual_image(scan, detector)))
    if draft.descan is not None:
        drift = draft.descan.drift(*np.indices(scan.scan_shape))
        images = [image - d for image, d in zip(images, drift, strict=True)]
    step = draft.step.pair if draft.step else (1.0, 1.0)
    return fit_rotation_com(*images, step=step)
