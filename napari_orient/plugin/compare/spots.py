"""Where should the spots be? Those of both maps drawn on the pattern that is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_orient.data.scan import Quantity
from napari_orient.diffraction.overlay import Overlay, spot_overlay
from napari_orient.plugin.live import Live
from napari_orient.plugin.terms import in_terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_orient.data.scan import Calibration, Scan
    from napari_orient.plugin.compare.point import Crystal
    from napari_orient.session import Session

NAMES = {name: f"compare: {name}" for name in ("reference", "other", "candidate")}
FAINTEST = 1e-4  # of the strongest reflection: with more left out, seen reflections have no circle
THICKNESS = 20.0  # nm, where no map says what it was indexed with
TYPED = {  # setting of Index -> field and unit of the calibration
    "voltage_kv": ("voltage", "kV"),
    "pixel_size": ("pixel_size", "1/angstrom"),
    "precession_deg": ("precession", "deg"),
}
RADII = {"reference": 0.05, "other": 0.065, "candidate": 0.08}  # 1/angstrom: all are seen


@dataclass(frozen=True, eq=False)
class _Wish:
    """The pattern, and the crystals whose spots are to be drawn on it, by name."""

    scan: Scan
    at: tuple[int, int]
    crystals: dict[str, Crystal]


class SpotDrawer(QObject):
    """Draws the spots of crystals in the session's overlays; simulated in a thread."""

    refused = Signal(str)
    """Why there are no spots, in words; "" when there are."""

    def __init__(self, session: Session, owner: QWidget) -> None:
        super().__init__(owner)
        self.session = session
        self._live = Live(_overlays, owner, name="orient-compare-spots")
        self._live.answered.connect(self._show)
        self._live.failed.connect(self._on_failed)

    def draw(self, scan: Scan, at: tuple[int, int], crystals: dict[str, Crystal]) -> None:
        """Draw these crystals for the pattern at a scan position (y, x), in place of others."""
        self._live.request(_Wish(scan, at, crystals))

    def clear(self) -> None:
        """Take all spots of this dock off the pattern."""
        self._live.forget()
        take_off(self.session)

    def _show(self, wish: _Wish, overlays: dict[str, Overlay]) -> None:
        if wish.scan is not self.session.scan:
            return
        for name, key in NAMES.items():
            self.session.draw(key, overlays.get(name))
        self.refused.emit("")

    def _on_failed(self, wish: _Wish, error: Exception) -> None:
        take_off(self.session)
        self.refused.emit(f"No spots: {in_terms(error)}")


def take_off(session: Session) -> None:
    """Take the spots of this dock off the pattern."""
    for name in NAMES.values():
        session.draw(name, None)


def _overlays(wish: _Wish) -> dict[str, Overlay]:
    """Simulate the spots of each crystal, in the camera and the beam of the scan.

    It is one foil: a map that does not say its thickness (labels, the truth of a simulation) takes
    that of the other one, so that circles differ by the orientations alone.
    """
    common: dict[str, float] = {}
    for crystal in wish.crystals.values():
        common = {**crystal.settings, **common}
    return {
        name: _overlay(wish, name, crystal, {**common, **crystal.settings})
        for name, crystal in wish.crystals.items()
    }


def _overlay(wish: _Wish, name: str, crystal: Crystal, settings: Mapping[str, float]) -> Overlay:
    calibration = _completed(wish.scan.calibration, settings)
    angle = calibration.precession
    return spot_overlay(
        crystal.phase,
        crystal.quaternion,
        calibration,
        at=wish.at,
        shape=wish.scan.pattern_shape,
        thickness_nm=settings.get("thickness_nm", THICKNESS),
        precession_deg=angle.number if angle is not None else 0.0,
        min_intensity=FAINTEST,
        radius=RADII[name],
        labels=name == "reference",
        colour=crystal.colour,
    )


def _completed(known: Calibration, settings: Mapping[str, float]) -> Calibration:
    """Return a calibration with what it lacks and was typed when the map was indexed."""
    lacking = {
        field: Quantity(value=settings[name], unit=unit, source="typed")
        for name, (field, unit) in TYPED.items()
        if name in settings and getattr(known, field) is None
    }
    return known.set(**lacking) if lacking else known
