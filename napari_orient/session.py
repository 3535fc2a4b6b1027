"""What is on the desk? The one object that the docks of a viewer share; it knows no Qt."""

from __future__ import annotations

from typing import Any, ClassVar

from psygnal import EventedModel
from pydantic import Field, InstanceOf

from napari_orient.data.maps import OrientationMap
from napari_orient.data.scan import Scan
from napari_orient.diffraction.overlay import Overlay
from napari_orient.diffraction.virtual import VirtualDetector


class Session(EventedModel):
    """The state shared by the docks of one viewer.

    Each field has an event of its name: ``session.events.scan.connect(callback)`` calls
    ``callback(new_value)``. Values are replaced, never changed in place, so that each change is
    seen by everyone: ``session.detectors = (*session.detectors, new)``.
    """

    scan: Scan | None = Field(None, description="the scan that detectors and cursor refer to")
    orientation_map: InstanceOf[OrientationMap] | None = Field(None, description="map last chosen")
    detectors: tuple[VirtualDetector, ...] = Field((), description="virtual detectors")
    active_detector: int = Field(0, description="index of the detector that keys and drags move")
    model: str | None = Field(None, description="folder of the trained model that predicts")
    cursor: tuple[int, int] | None = Field(None, description="scan position (y, x) under the mouse")
    shown: tuple[int, int] | None = Field(
        None, description="scan position (y, x) whose pattern is shown; set it to show another"
    )
    region: Any = Field(None, description="mask (y, x) of the drawn scan region, or None")
    overlays: dict[str, InstanceOf[Overlay]] = Field(
        {}, description="drawn on the pattern, by the name of who draws: see :meth:`draw`"
    )
    ruler: tuple[tuple[float, float], ...] = Field(
        (), description="points (ky, kx) in px that the user has set on the pattern"
    )

    # objects are compared by identity: comparing the pixels of two scans would take minutes
    __eq_operators__: ClassVar[dict[str, Any]] = {
        "scan": lambda a, b: a is b,
        "orientation_map": lambda a, b: a is b,
        "region": lambda a, b: a is b,
        "overlays": lambda a, b: a is b,
    }

    model_config: ClassVar[Any] = {"arbitrary_types_allowed": True, "validate_assignment": True}

    def draw(self, name: str, overlay: Overlay | None) -> None:
        """Draw an overlay on the pattern, in place of that of the same name; None takes it off."""
        others = {key: value for key, value in self.overlays.items() if key != name}
        if overlay is not None:
            self.overlays = {**others, name: overlay}
        elif name in self.overlays:
            self.overlays = others

    def replace_detector(self, index: int, detector: VirtualDetector) -> None:
        """Replace one detector; the others stay."""
        detectors = list(self.detectors)
        detectors[index] = detector
        self.detectors = tuple(detectors)
