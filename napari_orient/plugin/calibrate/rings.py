"""Which camera do rings or spots of a known phase give? Fitted, with errors, before and after."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_orient.data.scan import Quantity
from napari_orient.plugin.calibrate.bench import NO_SCAN, Bench
from napari_orient.plugin.calibrate.fields import number, typed, words
from napari_orient.plugin.calibrate.phase import PhaseRow
from napari_orient.plugin.calibrate.profile import ProfileView
from napari_orient.plugin.live import Live
from napari_orient.plugin.load.prepare_panel import button

if TYPE_CHECKING:
    from orix.crystal_map import Phase

    from napari_orient.diffraction.camera.pattern_fit import PatternFit
    from napari_orient.jobs import Job

FREE = {"centre": "centre", "pixel_size": "pixel", "ellipse": "ellipse"}


class RingsPanel(QWidget):
    """Phase, radial profile, fits, and the camera length."""

    def __init__(self, bench: Bench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self._rings: tuple[Any, tuple[Any, ...]] = (None, ())
        self._live = Live(_profile, self, name="orient-profile")
        self._live.answered.connect(self._on_profile)
        self._live.failed.connect(self._on_no_profile)
        self.phases = PhaseRow()
        self.reach = number("Rings are drawn up to this g, 1/Å", 0.2, 4, 2, 0.1)
        self.reach.setValue(1.5)
        self.profile = ProfileView()
        self.free = {name: QCheckBox(text) for name, text in FREE.items()}
        for name, box in self.free.items():
            box.setChecked(True)
            box.setToolTip(f"Fit the {FREE[name]}; otherwise it stays as it is")
        self.fit_rings = button(
            "Fit rings", "Fit to powder rings; best in the mean of many patterns", self._fit_rings
        )
        self.fit_spots = button(
            "Fit spots", "Fit to the spots of one crystal, or of many", self._fit_spots
        )
        self.fit_scan = button(
            "… of the scan",
            "Fit to the spots of 60 patterns all over the scan: the best where grains are many",
            self._fit_scan,
        )
        self.said = words()
        self._arrange()
        self.phases.changed.connect(self._show)
        self.reach.valueChanged.connect(self._show)
        for signal in (bench.draftChanged, bench.patternChanged):
            signal.connect(self._show)
        bench.dataChanged.connect(self.said.clear)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 4, 2, 2)
        layout.addWidget(self.phases)
        reach = QHBoxLayout()
        reach.addWidget(QLabel("Rings up to g, 1/Å"))
        reach.addWidget(self.reach, 1)
        layout.addLayout(reach)
        layout.addWidget(self.profile)
        free, fits = QHBoxLayout(), QHBoxLayout()
        for box in self.free.values():
            free.addWidget(box)
        free.addStretch(1)
        for widget in (self.fit_rings, self.fit_spots, self.fit_scan):
            fits.addWidget(widget)
        layout.addLayout(free)
        layout.addLayout(fits)
        layout.addWidget(self.said)
        layout.addWidget(CameraLength(self.bench))
        layout.addStretch(1)

    def rings(self) -> tuple[Any, ...]:
        """Return the rings of the phase.

        Raises
        ------
        ValueError
            If no phase is chosen, or it has no atoms.
        """
        from napari_orient.diffraction.camera.rings import expected_rings

        phase = self.phases.phase()
        key = (id(phase), self.reach.value())
        if self._rings[0] != key:
            self._rings = (key, tuple(expected_rings(phase, self.reach.value())))
        return self._rings[1]

    def _show(self, *_: Any) -> None:
        if self.bench.pattern is None:
            self._live.forget()
            self.profile.show_profile(None, 0.0, ())
        else:
            self._live.request((self.bench.pattern, self.bench.here()))

    def _on_profile(self, request: Any, profile: Any) -> None:
        from napari_orient.plugin.calibrate.fields import mean_size

        try:
            rings = self.rings()
        except ValueError:
            rings = ()
        self.profile.show_profile(profile, mean_size(request[1]), rings)

    def _on_no_profile(self, request: Any, error: Exception) -> None:
        self.profile.show_profile(None, 0.0, ())

    # --- fits --------------------------------------------------------------------------------

    def _fit_rings(self) -> None:
        from napari_orient.diffraction.camera.ring_fit import fit_rings

        self._fit(partial(self._here, fit_rings), "Fitting rings")

    def _fit_spots(self) -> None:
        from napari_orient.diffraction.camera.spot_fit import fit_spots

        if self._has_size():
            self._fit(partial(self._here, fit_spots), "Fitting spots")

    def _here(self, fit: Any, phase: Phase, names: list[str]) -> Job[PatternFit]:
        """Fit to the pattern in use."""
        return fit(self.bench.needed_pattern(), phase, self.bench.here(), fit=names)

    def _fit_scan(self) -> None:
        if self._has_size():
            self._fit(self._all_over, "Fitting spots of the scan", whole=True)

    def _all_over(self, phase: Phase, names: list[str]) -> Job[PatternFit]:
        """Fit to patterns all over the scan."""
        from napari_orient.diffraction.camera.from_scan import fit_scan_spots

        if self.bench.scan is None:
            raise ValueError(NO_SCAN)
        scan = self.bench.scan.replaced(calibration=self.bench.draft)
        return fit_scan_spots(scan, phase, fit=names)

    def _has_size(self) -> bool:
        known = self.bench.draft.pixel_size is not None
        if not known:
            self.said.setText(
                "A first guess of the pixel size is needed to name spots: type it above, or use "
                "the camera length below."
            )
        return known

    def _fit(self, fit: Any, text: str, *, whole: bool = False) -> None:
        """Run the job that ``fit`` makes; what it finds is told of the place, or the whole scan."""
        names = [name for name, box in self.free.items() if box.isChecked()]
        try:
            if not names:
                raise ValueError("Tick what is to be fitted: centre, pixel size, ellipse.")
            job = fit(self.phases.phase(), names)
        except ValueError as error:
            self.said.setText(str(error))
            return
        found = partial(self._on_fit, whole=whole)
        self.bench.run(job, text=text, on_result=found, said=self.said)

    def _on_fit(self, fit: Any, *, whole: bool) -> None:
        draft = self.bench.draft
        found = fit.apply(draft)
        if fit.centre.source == "measured" and "centre" in fit.errors:
            # of the scan, the drift is taken out already
            found = found.set(centre=fit.centre if whole else self.bench.mid_scan(fit.centre))
        else:
            found = found.set(centre=draft.centre)
        self.bench.set_draft(found)
        self.said.setText(in_words(fit))


class CameraLength(QWidget):
    """Camera length and reciprocal pixel size, one from the other."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.pixel = number("Pixel of the detector before binning, µm", 0.1, 500, 2, 1)
        self.pixel.setValue(55.0)
        self.binning = number("How many pixels of the detector are one of the pattern", 1, 64, 0, 1)
        self.length = number("Camera length, mm", 0, 1e5, 1, 10)
        self.length.setSpecialValueText("not known")
        self.length.setSuffix(" mm")
        self.pixel.setSuffix(" µm")
        self.to_length = button(
            "Camera length from pixel size",
            "Camera length that belongs to the pixel size above",
            self._to_length,
        )
        self.to_size = button(
            "Pixel size from camera length",
            "Pixel size that belongs to this camera length",
            self._to_size,
        )
        self.said = words()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 6, 0, 0)
        grid.setHorizontalSpacing(4)
        for row, (text, first, second) in enumerate(
            (("Detector", self.pixel, self.binning), ("Camera", self.length, None))
        ):
            grid.addWidget(QLabel(text), row, 0)
            grid.addWidget(first, row, 1)
            if second is not None:
                grid.addWidget(second, row, 2)
        self.binning.setPrefix("binned ")
        grid.addWidget(self.to_length, 2, 0, 1, 3)
        grid.addWidget(self.to_size, 3, 0, 1, 3)
        grid.addWidget(self.said, 4, 0, 1, 3)
        bench.scanChanged.connect(self._fill)
        bench.dataChanged.connect(self.said.clear)
        self._fill()

    def _fill(self) -> None:
        known = self.bench.draft.camera_length
        self.length.setValue(known.number if known else 0.0)

    def _numbers(self) -> tuple[float, float]:
        voltage = self.bench.draft.voltage
        if voltage is None:
            raise ValueError("The voltage is unknown: type it under Load > Calibration.")
        return voltage.number, self.pixel.value() * self.binning.value()

    def _to_length(self) -> None:
        from napari_orient.data.reciprocal import camera_length
        from napari_orient.plugin.calibrate.fields import mean_size

        try:
            if self.bench.draft.pixel_size is None:
                raise ValueError("The pixel size is unknown: fit rings, or type it above.")
            length = camera_length(mean_size(self.bench.draft), *self._numbers())
        except ValueError as error:
            self.said.setText(str(error))
            return
        note = f"from the pixel size; detector pixel {self._numbers()[1]:g} µm"
        self.length.setValue(length)
        source = self.bench.draft.pixel_size.source
        self.bench.change(camera_length=Quantity(value=length, unit="mm", source=source, note=note))
        self.said.setText(f"{length:.1f} mm for pixels of {self._numbers()[1]:g} µm")

    def _to_size(self) -> None:
        from napari_orient.data.reciprocal import pixel_size_of

        length = self.length.value()
        try:
            if length <= 0:
                raise ValueError("Type the camera length first.")
            size = pixel_size_of(length, *self._numbers())
        except ValueError as error:
            self.said.setText(str(error))
            return
        note = f"of a camera length of {length:g} mm; detector pixel {self._numbers()[1]:g} µm"
        self.bench.change(
            camera_length=typed(length, "mm"), pixel_size=typed(size, "1/angstrom", note)
        )
        self.said.setText(f"{size:.6g} 1/Å a pixel")


def in_words(fit: Any) -> str:
    """Return the result of a fit with its standard errors."""
    errors, lines = fit.errors, []
    if "centre" in errors:
        ky, kx = fit.centre.pair
        lines.append(f"Beam ky {ky:.2f}, kx {kx:.2f} ± {errors['centre']:.2g} px")
    if "pixel_size" in errors:
        size, error = fit.pixel_size.number, 100 * errors["pixel_size"]
        lines.append(f"Pixel {size:.6g} 1/Å ± {error:.2g} %")
    if "ellipse" in errors and fit.ellipse is not None:
        ratio, angle = fit.ellipse.pair
        lines.append(
            f"Ellipse {ratio:.4f} ± {errors['ellipse']:.2g} at {angle:.1f}° ± {errors['angle']:.2g}"
        )
    found = ", ".join(fit.names[:8]) + (" …" if len(fit.names) > 8 else "")
    lines.append(f"Residual {fit.rms:.2g} px, {len(fit.points)} points; found {found}")
    return "\n".join(lines)


def _profile(request: Any) -> Any:
    from napari_orient.diffraction.camera.rings import radial_profile

    return radial_profile(*request)[1]
