"""How do virtual images follow their detectors? One layer each, computed off the window.

A scan whose working copy fits in memory answers at once; from others the images fill in as the
file is read. Either way a newer request takes the place of an older one.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari.utils.notifications import show_error
from numpy.typing import NDArray
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_orient.data.scan import Scan
from napari_orient.diffraction.virtual import (
    DEFAULT_BUDGET,
    VirtualDetector,
    VirtualImager,
    compose_rgb,
)
from napari_orient.jobs import Every, Job, Partial
from napari_orient.plugin.garbage import at_end
from napari_orient.plugin.layers import KEY, kind_of, record, scan_grid, show_image
from napari_orient.plugin.live import Live, Wish, newest
from napari_orient.plugin.pattern.view import qcolour
from napari_orient.plugin.scan_layers import limits
from napari_orient.plugin.sessions import follow
from napari_orient.plugin.worker import JobBar
from napari_orient.session import Session

RGB_NAME = "RGB of the detectors"
DIRECTION = (-180.0, 180.0)
TICK = "tick"
Image = NDArray[np.float32]


class LiveImages(QWidget):
    """Keeps the image layers of a session's detectors up to date; shows its progress.

    An invisible part of a dock: its two job bars are placed by the dock.
    """

    explained = Signal(str)
    """How images are made now, in a sentence."""
    completed = Signal(bool)
    """False while an image is a preview, or when its pass was cancelled."""
    updated = Signal(str)
    """The name of a detector whose layer has new data."""

    def __init__(self, viewer: Any, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()
        self.viewer = viewer
        self.session = session
        self._imagers: list[VirtualImager] = []  # none or one
        at_end(self, _release, self._imagers)
        self.prepare_bar = JobBar(parent)
        self.pass_bar = JobBar(parent)
        self.budget = DEFAULT_BUDGET
        self.images: dict[str, Image] = {}
        self._asked: dict[str, VirtualDetector] = {}
        self._dirty: dict[str, VirtualDetector] = {}
        self._automatic: weakref.WeakKeyDictionary[Any, tuple[float, float]] = (
            weakref.WeakKeyDictionary()
        )
        self._untidy: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(250)
        self._rest.timeout.connect(self._on_rest)
        self._with_rgb = False
        self._wish = Wish()
        self._live = Live(_answer, self, name="orient-images")
        self._live.answered.connect(self._on_answered)
        self._live.failed.connect(self._on_failed)
        self._composer = Live(_compose, self, name="orient-rgb")
        self._composer.answered.connect(self._on_composed)
        self._composer.failed.connect(self._on_failed)
        follow(self, session.events.scan, self._on_scan)
        follow(self, session.events.detectors, self._on_detectors)
        follow(self, viewer.layers.events.inserted, self._on_inserted)

    @property
    def imager(self) -> VirtualImager | None:
        """The engine of the session's scan."""
        return self._imagers[0] if self._imagers else None

    def start(self) -> None:
        """Begin with the session's scan, once the dock is built."""
        self._on_scan(self.session.scan)

    # --- scan and detectors -----------------------------------------------------------------

    def _on_scan(self, scan: Scan | None) -> None:
        if scan is not None and self.imager is not None and scan.data is self.imager.scan.data:
            self.imager.scan = scan  # a new calibration: the working copy stays good
            self._ask_all_again()
            return
        self._live.forget()
        self._composer.forget()
        self.prepare_bar.cancel()
        self._stop_pass()
        _release(self._imagers)
        self.images.clear()
        if scan is None:
            self._asked.clear()
            self._dirty.clear()
            self.explained.emit("")
            return
        self._imagers.append(VirtualImager(scan, self.budget))
        self._ask_all_again()
        self._prepare()

    def set_budget(self, budget: int) -> None:
        """Allow a working copy of so many bytes, and make it if it fits now."""
        self.budget = budget
        if self.imager is not None and budget != self.imager.budget:
            self.imager.budget = budget
            if not self.imager.ready and not self.prepare_bar.is_running:
                self._prepare()

    def _prepare(self) -> None:
        imager = self.imager
        if imager is None or not imager.affordable:
            self._explain()
            return
        self.prepare_bar.run(
            imager.prepare(),
            text=f"Working copy for live detectors ({imager.copy_bytes / 1e9:.2g} GB)",
            on_end=self._explain,
        )
        self._explain()

    def _explain(self) -> None:
        self.explained.emit(self.imager.explain() if self.imager is not None else "")

    def _ask_all_again(self) -> None:
        self._asked.clear()
        self._dirty.clear()
        self._on_detectors(self.session.detectors)

    def _on_detectors(self, detectors: tuple[VirtualDetector, ...]) -> None:
        names = {detector.name for detector in detectors}
        for name in [n for n in self._asked if n not in names]:
            self._drop(name)
        changed = [d for d in detectors if not _same_image(d, self._asked.get(d.name))]
        for detector in changed:
            self._asked[detector.name] = self._dirty[detector.name] = detector
        if changed:
            self._ask()
        elif self._with_rgb:
            self.compose()

    def _drop(self, name: str) -> None:
        """Forget a detector that is gone, and its layer."""
        for store in (self._asked, self._dirty, self.images):
            store.pop(name, None)
        layer = self.layer_of(name)
        if layer is not None:
            self.viewer.layers.remove(layer)

    def rename(self, old: str, new: str) -> None:
        """Let a detector's layer, image and open request go on under a new name."""
        for store in (self._asked, self._dirty, self.images):
            if old in store:
                value = store.pop(old)
                if isinstance(value, VirtualDetector):
                    value = value.model_copy(update={"name": new})
                store[new] = value
        layer = self.layer_of(old)
        if layer is not None:
            layer.metadata[KEY] = {**layer.metadata[KEY], "made_as": new}
            layer.name = new if layer.name == old else layer.name

    def _on_inserted(self, event: Any) -> None:
        """Let a duplicate of a live layer be an ordinary picture, which nobody changes."""
        layer = event.value
        if kind_of(layer) != "virtual":
            return
        note = layer.metadata[KEY]
        first = self.layer_of(note.get("made_as"))
        if first is not None and first is not layer:
            layer.metadata = {**layer.metadata, KEY: {**note, "made_as": None}}

    def layer_of(self, name: str) -> Any:
        """Return the image layer of a detector, or None."""
        for layer in self.viewer.layers:
            if kind_of(layer) == "virtual" and layer.metadata[KEY].get("made_as") == name:
                return layer
        return None

    def bring_up(self, name: str) -> None:
        """Move a detector's image above those of the others, which would hide what it does."""
        layers, layer = self.viewer.layers, self.layer_of(name)
        above = [i for i, other in enumerate(layers) if kind_of(other) == "virtual"]
        if layer is not None and layers[above[-1]] is not layer:
            layers.move(layers.index(layer), above[-1] + 1)

    # --- asking and answering ---------------------------------------------------------------

    def _ask(self) -> None:
        imager, detectors = self.imager, tuple(self._dirty.values())
        if imager is None or not detectors:
            return
        if imager.ready:
            self._stop_pass()
            self._live.request((imager, detectors))
            return
        self._wish.put((imager, detectors))
        self.completed.emit(False)
        if not self.pass_bar.is_running:
            self._start_pass()

    def _stop_pass(self) -> None:
        # a wish of its own: the pass that is ending must not take the next one
        self._wish = Wish()
        self.pass_bar.cancel()

    def _start_pass(self) -> None:
        self.pass_bar.run(
            _quietly(newest(self._wish, _passes)),
            text="Virtual images",
            on_partial=self._on_partial,
            on_end=self._on_pass_ended,
        )

    def pass_again(self) -> None:
        """Make all images in full precision, after a pass was cancelled."""
        if self.imager is not None:
            self._ask_all_again()

    def _on_pass_ended(self) -> None:
        if self._wish.waits:  # it came while the pass was ending
            self._start_pass()
            return
        self.completed.emit(not self._dirty)

    def _on_partial(self, event: Partial) -> None:
        if event.name == TICK:
            return
        (imager, _), (detector, image, final) = event.value
        if imager is self.imager:
            self._show(detector, image, final)

    def _on_answered(self, request: Any, answer: list[tuple[VirtualDetector, Image]]) -> None:
        if request[0] is not self.imager:
            return
        for detector, image in answer:
            self._show(detector, image, True)
        self.completed.emit(not self._dirty)

    def _on_failed(self, request: Any, error: Exception) -> None:
        show_error(f"virtual image: {error}")

    # --- layers -----------------------------------------------------------------------------

    def _show(self, detector: VirtualDetector, image: Image, final: bool) -> None:
        """Put an image into its layer, unless the detector is gone."""
        name, scan = detector.name, self.session.scan
        if scan is None or name not in self._asked or image.shape != scan.scan_shape:
            return
        if final and self._dirty.get(name) is detector:
            del self._dirty[name]
        self.images[name] = image
        layer = self.layer_of(name)
        if layer is not None and layer.data.shape == image.shape:
            self._update(layer, detector, image)
        else:
            self._create(detector, image, scan)
        self.updated.emit(name)
        if self._with_rgb:
            self.compose()

    def _create(self, detector: VirtualDetector, image: Image, scan: Scan) -> None:
        """Make the layer of a detector, or give it the grid of a scan that was cropped."""
        direction, before = _is_direction(detector), self.layer_of(detector.name)
        automatic = before is None or self._is_automatic(before)
        layer = show_image(
            self.viewer,
            detector.name,
            image.copy(),
            metadata=record("virtual", config=detector, source=scan.source),
            contrast_limits=DIRECTION if direction else limits(image),
            colormap="hsv" if direction else "gray",
            **scan_grid(scan),
        )
        if before is None:
            self._automatic[layer] = tuple(layer.contrast_limits)
        else:
            self._set_contrast(layer, image, direction, automatic)
        self._region_on_top()

    def _update(self, layer: Any, detector: VirtualDetector, image: Image) -> None:
        """Write new data into a layer, without what napari does for data of a new shape.

        ``layer.data = image`` takes three times as long: it asks all layers for their extent and
        draws the thumbnail, which here waits until the detector rests.
        """
        direction, automatic = _is_direction(detector), self._is_automatic(layer)
        np.copyto(layer.data, image)
        # a new note: a duplicate of the layer shares the old one
        now = {"config": detector.model_dump(mode="json"), "source": self.session.scan.source}
        layer.metadata[KEY] = {**layer.metadata[KEY], **now}
        self._set_contrast(layer, image, direction, automatic)
        layer.refresh(extent=False, thumbnail=False, highlight=False)
        layer.events.data(value=layer.data)
        self._untidy[layer] = True
        self._rest.start()

    def _set_contrast(self, layer: Any, image: Image, direction: bool, automatic: bool) -> None:
        if not automatic:
            return
        wanted = DIRECTION if direction else limits(image)
        if direction != (layer.colormap.name == "hsv"):
            layer.colormap = "hsv" if direction else "gray"
        now = tuple(layer.contrast_limits)
        # small changes are noise: following them would flicker, and cost milliseconds
        if not _are_near(now, wanted):
            layer.contrast_limits_range = wanted
            layer.contrast_limits = wanted
            self._automatic[layer] = tuple(layer.contrast_limits)

    def _on_rest(self) -> None:
        """Draw the thumbnails of the layers that changed."""
        for layer in list(self._untidy):
            if layer in self.viewer.layers:
                layer.refresh(extent=False, thumbnail=True, highlight=False)
        self._untidy.clear()

    def _region_on_top(self) -> None:
        """Keep the outline of the drawn region visible above new images."""
        layers = self.viewer.layers
        for layer in [x for x in layers if kind_of(x) == "region"]:
            layers.move(layers.index(layer), len(layers))

    def _is_automatic(self, layer: Any) -> bool:
        """Say whether the contrast is still ours: what the user has set stays."""
        now, ours = tuple(layer.contrast_limits), self._automatic.get(layer)
        if ours is not None:
            return ours == now
        # made by a dock that was closed since
        return now == DIRECTION or _are_near(now, limits(layer.data))

    def set_rgb(self, on: bool) -> None:
        """Show, or remove, the layer with all images in their detectors' colours."""
        self._with_rgb = on
        if on:
            self.compose()
            return
        self._composer.forget()
        for layer in [x for x in self.viewer.layers if kind_of(x) == "virtual-rgb"]:
            self.viewer.layers.remove(layer)

    def compose(self) -> None:
        """Compose the RGB layer again, with the contrast of the single layers."""
        parts = [
            d for d in self.session.detectors if d.name in self.images and not _is_direction(d)
        ]
        if not parts:
            return
        layers = [self.layer_of(d.name) for d in parts]
        contrast = [None if x is None else tuple(x.contrast_limits) for x in layers]
        images = [self.images[d.name] for d in parts]
        # Qt knows all names of colours that a detector may have
        colours = [qcolour(d.colour).getRgbF()[:3] for d in parts]
        self._composer.request((tuple(parts), images, colours, contrast))

    def _on_composed(self, request: Any, rgb: NDArray[np.uint8]) -> None:
        scan = self.session.scan
        if scan is None or not self._with_rgb or rgb.shape[:2] != scan.scan_shape:
            return
        config = {"detectors": [d.model_dump(mode="json") for d in request[0]]}
        note = record("virtual-rgb", config=config, source=scan.source)
        count = len(self.viewer.layers)
        show_image(self.viewer, RGB_NAME, rgb, metadata=note, rgb=True, **scan_grid(scan))
        if len(self.viewer.layers) > count:
            self._region_on_top()


def _release(imagers: list[VirtualImager]) -> None:
    """Free the working copies at once: a stray reference must not keep a gigabyte."""
    for imager in imagers:
        imager.release()
    imagers.clear()


def _are_near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Say whether two pairs of contrast limits look the same."""
    difference = max(abs(a - b) for a, b in zip(one, other, strict=True))
    return difference <= 0.03 * (one[1] - one[0])


def _is_direction(detector: VirtualDetector) -> bool:
    return detector.signal == "com_direction"


def _same_image(one: VirtualDetector, other: VirtualDetector | None) -> bool:
    return other is not None and (one.shapes, one.signal) == (other.shapes, other.signal)


def _answer(request: tuple[VirtualImager, tuple[VirtualDetector, ...]]) -> Any:
    imager, detectors = request
    return [(detector, imager.image(detector)) for detector in detectors]


def _compose(request: tuple[Any, list[Image], list[Any], list[Any]]) -> NDArray[np.uint8]:
    return compose_rgb(*request[1:])


def _quietly(job: Job[Any]) -> Job[Any]:
    """Report progress at most four times a second: each report draws the whole window.

    The events between become ticks, so that a cancel is obeyed as soon as before.
    """
    show = Every(0.25)
    try:
        while True:
            event = next(job)
            yield event if isinstance(event, Partial) or show.due() else Partial(TICK, None)
    except StopIteration as end:
        return end.value
    finally:
        job.close()


def _passes(request: tuple[VirtualImager, tuple[VirtualDetector, ...]]) -> Job[None]:
    """Make the images of several detectors in turn: (detector, image, whether final)."""
    imager, detectors = request
    for detector in detectors:
        job = imager.job(detector, first=0.02)
        try:
            while True:
                event = next(job)
                if isinstance(event, Partial):
                    event = Partial(event.name, (detector, event.value, False), event.done)
                yield event
        except StopIteration as end:
            yield Partial("image", (detector, end.value, True))
        finally:
            job.close()
