"""How does a field look while it is made? One layer, coloured in a thread, recoloured in place.

The layer is that of any map or volume: docks find the map in it, which holds what there is so far.
Pictures that come while one is being made, or waits to be shown, are dropped but for the newest.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_orient.crystal.colors import ColourScheme, colour_image
from napari_orient.data.maps import OrientationMap
from napari_orient.plugin.layers import KEY
from napari_orient.plugin.live import Live
from napari_orient.plugin.maps.layers import scheme_of, show_scheme
from napari_orient.plugin.reconstruct.sight import Sight, seen
from napari_orient.plugin.scan_layers import describe_map_layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_orient.plugin.reconstruct.pulse import Pulse

ANGLES = (0.0, -25.0, 35.0)  # of the camera, for a first look at a volume from a corner


@dataclass(frozen=True, eq=False)
class Frame:
    """What is to be painted.

    Attributes
    ----------
    map
        Whose layer it is.
    make
        Returns quaternions (..., 4) and phases (...) or None, on this or a coarser grid. Called in
        the thread. None takes those that the map has.
    keeps
        Whether the map takes these orientations, too: what has passed is only looked at.
    scheme
        Colours.
    switches
        Whether the layer gets these colours with the picture.
    sight
        What is seen of a block; other points are transparent.
    """

    map: OrientationMap
    make: Callable[[], tuple[Any, Any]] | None = None
    keeps: bool = True
    scheme: ColourScheme = field(default_factory=ColourScheme)
    switches: bool = False
    sight: Sight = field(default_factory=Sight)


@dataclass(frozen=True, eq=False)
class Painted:
    """A picture (..., 4) RGBA, and what it is of, on the grid of the map."""

    image: NDArray[np.uint8]
    quaternions: Any = None
    phase_id: Any = None


def paint(frame: Frame) -> Painted:
    """Colour a field on its own grid, and give each point its share of the map's."""
    shown = frame.map
    if frame.make is None:
        return Painted(_cleared(colour_image(shown, frame.scheme), shown, frame.sight))
    q, phases = frame.make()
    shape = q.shape[:-1]
    some = OrientationMap(q, shown.phases, phases, step=shown.step, unit=shown.unit)
    image = _cleared(colour_image(some, frame.scheme), some, frame.sight)
    factors = [n // m for n, m in zip(shown.shape, shape, strict=True)]
    if frame.keeps:
        return Painted(
            repeated(image, factors), repeated(some.quaternions, factors),
            repeated(some.phase_id, factors),
        )  # fmt: skip
    return Painted(repeated(image, factors))


def _cleared(image: NDArray[np.uint8], field: OrientationMap, sight: Sight) -> NDArray[np.uint8]:
    """Make what is not to be seen of a block transparent."""
    if image.ndim == 4 and sight:
        image[~seen(sight, field)] = 0
    return image


def repeated(array: NDArray[Any], factors: list[int]) -> NDArray[Any]:
    """Return an array whose elements stand for so many points along the first axes."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            array = np.repeat(array, factor, axis=axis)
    return array


class GrowingField(QObject):
    """The layer of a field that a run is making.

    Parameters
    ----------
    viewer
        Where it is shown.
    owner
        The dock.
    pulse
        When pictures are shown.

    Attributes
    ----------
    made, dropped
        Pictures that were shown, and those that newer ones overtook.

    Notes
    -----
    Emits ``appeared()`` when the layer is made.
    """

    appeared = Signal()

    def __init__(self, viewer: Any, owner: QWidget, pulse: Pulse) -> None:
        super().__init__(owner)
        self._viewer, self._pulse = viewer, pulse
        self.map: OrientationMap | None = None
        self._layer: weakref.ref[Layer] | None = None
        self._name = ""
        self._scheme = ColourScheme()
        self._sight = self._shown = Sight()
        self.made = self.dropped = 0
        self._next: Frame | None = None
        self._last: Frame | None = None  # that was asked for: it may be wanted in other colours
        self._wanted: ColourScheme | None = None
        self._busy = False
        self._painted: tuple[Frame, Painted] | None = None  # waits for the next beat
        pulse.beat.connect(self._on_beat)
        self._live = Live(paint, owner, name="orient-growing-field")
        self._live.answered.connect(self._on_painted)
        self._live.failed.connect(self._on_failed)

    @property
    def layer(self) -> Layer | None:
        """The layer, while it is in the window."""
        layer = self._layer() if self._layer is not None else None
        return layer if layer is not None and layer in self._viewer.layers else None

    @property
    def is_idle(self) -> bool:
        """True if nothing waits to be shown."""
        return not self._busy and self._next is None and self._painted is None

    @property
    def scheme(self) -> ColourScheme:
        """The colours in which the field is shown."""
        layer = self.layer
        return self._scheme if layer is None else scheme_of(layer)

    @property
    def sight(self) -> Sight:
        """What is to be seen of a block."""
        return self._sight

    # --- the run ----------------------------------------------------------------------------------

    def begin(self, blank: OrientationMap, name: str, scheme: ColourScheme) -> None:
        """Show another field; that before stays as it is."""
        self._forget()
        self.map, self._layer, self._name, self._scheme = blank, None, name, scheme
        self._last = self._wanted = None
        self._sight = self._shown = Sight()
        self.made = self.dropped = 0

    def show(self, make: Callable[[], tuple[Any, Any]]) -> None:
        """Show the field as it is now, see :class:`Frame`."""
        self._put(make, keeps=True)

    def look_back(self, make: Callable[[], tuple[Any, Any]]) -> None:
        """Show how it was; the map stays what it is."""
        self._put(make, keeps=False)

    def look_at_result(self) -> None:
        """Show the map itself again."""
        self._put(None, keeps=False)

    def set_direction(self, direction: Any) -> None:
        """Colour what is shown by another sample direction."""
        wanted = (self._wanted or self.scheme).model_copy(update={"direction": direction})
        self._wanted = self._scheme = wanted
        if self._last is not None:
            self._next = self._last
            self._painted = None
            self._ask()

    def set_sight(self, sight: Sight) -> None:
        """Show only a part of a block from now on."""
        self._sight = sight
        if self._last is not None:
            self._next = self._last
            self._painted = None
            self._ask()

    def finish(self, result: OrientationMap) -> None:
        """Let the result take the place of what grew, in all of its layers."""
        grown, self.map = self.map, result
        self._forget()
        for layer in self._viewer.layers:
            if grown is not None and layer.metadata.get("map") is grown:
                note = {**layer.metadata[KEY], "provenance": result.provenance}
                layer.metadata = {**layer.metadata, "map": result, KEY: note}
        self._put(None, keeps=False)

    def drop(self) -> None:
        """Take the field out of the window."""
        self._forget()
        for layer in list(self._viewer.layers):
            if self.map is not None and layer.metadata.get("map") is self.map:
                self._viewer.layers.remove(layer)
        self.map = None

    # --- pictures ---------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._live.forget()
        self._next, self._painted, self._busy = None, None, False

    def _put(self, make: Any, *, keeps: bool) -> None:
        if self.map is None:
            return
        if self._next is not None:
            self.dropped += 1
        self._next = self._last = Frame(self.map, make, keeps)
        self._ask()

    def _ask(self) -> None:
        """Have the newest picture painted, when the one before is."""
        if self._next is None or self._busy or self._painted is not None:
            return
        switches = self._wanted is not None
        frame = replace(
            self._next, scheme=self._wanted or self.scheme, switches=switches, sight=self._sight
        )
        self._next, self._busy = None, True
        self._live.request(frame)

    def _on_failed(self, frame: Frame, error: Exception) -> None:
        self._busy = False
        show_error(f"No picture of the field: {error}")
        self._ask()

    def _on_painted(self, frame: Frame, painted: Painted) -> None:
        self._busy = False
        self._painted = (frame, painted)
        # the user waits for it; so for the first one
        new = frame.switches or frame.sight != self._shown
        if new or not frame.keeps or self._layer is None:
            self._pulse.hurry()
        else:
            self._pulse.request()

    def _on_beat(self) -> None:
        if self._painted is None:
            return
        (frame, painted), self._painted = self._painted, None
        if painted.quaternions is not None:
            frame.map.quaternions = painted.quaternions
            frame.map.phase_id = painted.phase_id
        self._draw(frame, painted.image)
        self._shown = frame.sight
        self.made += 1
        self._ask()

    def _draw(self, frame: Frame, image: NDArray[np.uint8]) -> None:
        layer = self.layer
        if layer is None:
            if self._layer is None or frame.make is None:
                self._add(frame, image)  # deleted meanwhile: a result is not lost
        elif frame.switches:
            show_scheme(self._viewer, frame.map, frame.scheme, image)
        elif scheme_of(layer) == frame.scheme:
            layer.data = image
        elif self._next is None:  # the user chose other colours while it was painted
            self._next = self._last
        if frame.scheme == self._wanted:
            self._wanted = None

    def _add(self, frame: Frame, image: NDArray[np.uint8]) -> None:
        _, settings, _ = describe_map_layer(_point(frame.map), self._name, frame.scheme)
        settings["metadata"]["map"] = frame.map
        settings["metadata"][KEY]["provenance"] = frame.map.provenance
        first = image.ndim == 4 and self._viewer.dims.ndisplay == 2
        if image.ndim == 4:  # the faces of an opaque block
            settings |= {"rendering": "translucent", "interpolation3d": "nearest"}
        if first:  # before the layer: in 2D it would get a slider, and a picture, in vain
            self._viewer.dims.ndisplay = 3
        layer = self._viewer.add_image(image, **settings)
        self._layer = weakref.ref(layer)
        if first:
            self._viewer.reset_view(layers=[layer])
            self._viewer.scene.camera.angles = ANGLES
            self._viewer.scene.camera.zoom *= 0.6  # the corners, too
        self.appeared.emit()


def _point(orientations: OrientationMap) -> OrientationMap:
    """Return one point of a map: what a layer is called and stands does not hang on its colours."""
    part = (slice(0, 1),) * len(orientations.shape)
    return replace(
        orientations, quaternions=orientations.quaternions[part], done=orientations.done[part],
        phase_id=orientations.phase_id[part], properties={}, candidates=None,
    )  # fmt: skip
