"""How does a scan or a map live in the layer list? As one layer that carries it and shows it.

A scan is shown by its *navigator*: a cheap picture at once, the exact one when it has been summed
in the background. A prepared scan (cropped, binned, repaired) takes the place of the one before in
the same layer, which remembers the earlier ones for Undo.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils import cancelable_progress
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QCoreApplication

from napari_orient.jobs import Partial
from napari_orient.plugin.layers import KEY, kind_of, map_grid, record, scan_grid
from napari_orient.plugin.worker import JobWorker, start_job

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_orient.crystal.colors import ColourScheme
    from napari_orient.data.maps import OrientationMap
    from napari_orient.data.scan import Scan
    from napari_orient.jobs import Job
    from napari_orient.session import Session

EARLIER = "earlier_scans"
LINES = ("grain boundaries", "chosen grains", "boundary classes")  # seen over other pictures
QUICK = 0.4  # s for a first look at a scan
_workers: weakref.WeakKeyDictionary[Layer, JobWorker] = weakref.WeakKeyDictionary()


def describe_scan_layer(scan: Scan, image: Any = None) -> tuple[Any, dict[str, Any], str]:
    """Return the layer data tuple of a scan's navigator.

    Without an ``image`` (y, x) a cheap one is made here, which reads the scan for up to 0.4 s: in a
    window, call this in a job.
    """
    from napari_orient.data.prepare import quick_navigator

    if image is None:
        image = quick_navigator(scan, seconds=QUICK)
    settings = {
        "name": scan.name,
        "metadata": {"scan": scan, **record("navigator", source=scan.source)},
        "contrast_limits": limits(image),
        "colormap": "gray",
        **scan_grid(scan),
    }
    return image, settings, "image"


def describe_map_layer(
    orientations: OrientationMap, name: str, scheme: ColourScheme | None = None
) -> tuple[Any, dict[str, Any], str]:
    """Return the layer data tuple of a map's picture; IPF-Z in the TSL key without a scheme."""
    from napari_orient.crystal.colors import ColourScheme, colour_image

    scheme = ColourScheme() if scheme is None else scheme
    note = record("ipf", config=scheme, source=orientations.source)
    shown = note[KEY]["made_as"] = f"{name} {scheme.name}"
    settings = {
        "name": shown,
        "metadata": {"map": orientations, **note},
        "rgb": True,
        **map_grid(orientations),
    }
    return colour_image(orientations, scheme), settings, "image"


def limits(image: Any) -> tuple[float, float]:
    """Return contrast limits that a few hot or dead positions do not spoil."""
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (0.2, 99.8)))
    return (low, high) if high > low else (low, low + max(abs(low) * 1e-6, 1e-6))


def welcome(viewer: Any, layer: Layer) -> None:
    """Complete a layer of ours that has just been inserted, and tell the next step once."""
    kind = kind_of(layer)
    if kind not in ("navigator", "ipf") or QCoreApplication.instance() is None:
        return
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.canvas.overlays.scale_bar.position = "bottom_left"  # notifications are on the right
    if layer.visible:
        bring_forward(viewer, layer)
    if kind == "navigator":
        complete_navigator(viewer, layer)
    if len(viewer.layers) > 1 and viewer.layers.extent.units is None:
        _tell_missing_step(viewer)
    _tell_next_step(viewer, kind)


def bring_forward(viewer: Any, layer: Layer) -> None:
    """Fit the view to a layer; hide those of ours that lie on another grid than this one."""
    layer.visible = True
    for other in viewer.layers:
        if (
            other is not layer
            and kind_of(other) not in (None, "region", "compare region", "compared point")
            and not _same_place(layer, other)
        ):
            other.visible = False
    fit_view(viewer, layer)


def fit_view(viewer: Any, layer: Layer) -> None:
    """Fit the view to a layer, or to all where another one has more dimensions.

    napari cannot fit a view of a volume to a flat layer.
    """
    viewer.reset_view(layers=[layer] if layer.ndim == viewer.dims.ndim else None)


def _same_place(layer: Layer, other: Layer) -> bool:
    """Say whether two layers lie on one another.

    Lines between points are on a grid of half the step: they end a quarter of a step further in.
    """
    places = [_place(one) for one in (layer, other)]
    near = 0.0
    if kind_of(other) in LINES:
        near = 0.6 * float(np.ptp(places[1], axis=0).max()) / max(other.data.shape[-2:])
    return bool(np.allclose(*places, rtol=1e-3, atol=near + 1e-8))


def _place(layer: Layer) -> Any:
    """Return the extent of a layer in nm (or pixels), corner and corner."""
    unit = {"micrometer": 1e3, "um": 1e3}.get(str(layer.units[-1]), 1.0)
    return layer.extent.world[:, -2:] * unit


def _tell_next_step(viewer: Any, kind: str) -> None:
    """Name the docks to open, for the first scan and the first map of a window."""
    same = [layer for layer in viewer.layers if kind_of(layer) == kind]
    if len(same) > 1:
        return
    docks = set(viewer.window.dock_widgets) if hasattr(viewer, "window") else set()
    wanted = ("Pattern", "Virtual detectors") if kind == "navigator" else ("Orientation map",)
    missing = [name for name in wanted if not any(d.startswith(name) for d in docks)]
    if missing:
        show_info("Next: " + " and ".join(f"Plugins > Orient > {name}" for name in missing))


def _tell_missing_step(viewer: Any) -> None:
    """Say why the scale bar has lost its unit: napari cannot mix pixels with nm, and says so."""
    names = [
        layer.name
        for layer in viewer.layers
        if kind_of(layer) in ("navigator", "ipf") and str(layer.units[-1]) == "pixel"
    ]
    if names:
        show_warning(
            f"{', '.join(names)}: no step is known, so the scale bar of this window has no unit. "
            "Type the scan step under Load > Calibration."
        )


def complete_navigator(viewer: Any, layer: Layer) -> JobWorker:
    """Sum all patterns in the background and stream the exact navigator into ``layer``.

    An empty layer gets a cheap picture first. Progress and cancel are in napari's activity dock. A
    contrast that the user changed is kept.
    """
    scan: Scan = layer.metadata["scan"]
    stop_navigator(layer)
    viewer_ref, layer_ref = weakref.ref(getattr(viewer, "__wrapped__", viewer)), weakref.ref(layer)
    bar: list[Any] = []  # made with the first event: a small scan is done before
    asked: list[bool] = []
    over: list[bool] = []
    quick = np.array(layer.data)

    def target() -> Layer | None:
        viewer, layer = viewer_ref(), layer_ref()
        if viewer is None or layer is None or layer not in viewer.layers:
            return None
        now = layer.metadata.get("scan")  # another object once a calibration was typed
        return layer if now is not None and now.data is scan.data else None

    def yielded(event: Any) -> None:
        nonlocal quick
        layer = target()
        if layer is None or (bar and bar[0].is_canceled):
            worker.quit()
        elif isinstance(event, Partial):
            if event.name == "quick":
                quick = event.value
            show_navigator(layer, merged(event.value, event.done, quick))
        elif event.step < event.total and not asked:
            asked.append(True)  # napari handles events, these too, while it makes a bar
            text = f"{scan.name}: summing all patterns"
            bar.append(cancelable_progress(total=event.total, desc=text, disable=False))
            if over:  # the end came meanwhile
                bar[0].close()
        elif bar and not over:
            bar[0].update(event.step - bar[0].n)

    def returned(image: Any) -> None:
        layer = target()
        if layer is not None:
            show_navigator(layer, image)
            layer.metadata[KEY]["config"] = {"complete": True}

    def finished() -> None:
        over.append(True)
        if bar:
            bar[0].close()

    job = _navigator(scan, quickly=not quick.any())
    worker = start_job(job, yielded=yielded, returned=returned, finished=finished)
    _workers[layer] = worker
    return worker


def _navigator(scan: Scan, quickly: bool) -> Job[Any]:
    """Make the exact navigator; where wanted, a cheap picture of all of the scan before."""
    from napari_orient.data.prepare import navigator, quick_navigator

    if quickly:
        image = quick_navigator(scan, seconds=QUICK)
        yield Partial("quick", image, np.zeros(image.shape, dtype=bool))
    return (yield from navigator(scan))


def merged(image: Any, done: Any, quick: Any) -> Any:
    """Return the exact picture where it is done, the quick one elsewhere, in the same units."""
    whole, sampled = float(image[done].sum()), float(quick[done].sum())
    factor = whole / sampled if sampled > 0 and whole > 0 else 1.0
    return np.where(done, image, quick * factor).astype(image.dtype)


def stop_navigator(layer: Layer) -> None:
    """Stop the background sum of a layer, if one runs."""
    worker = _workers.pop(layer, None)
    if worker is not None:
        worker.quit()


def show_navigator(layer: Layer, image: Any) -> None:
    """Put a new picture into ``layer``; follow its contrast unless the user has changed it."""
    untouched = tuple(layer.contrast_limits) == limits(np.asarray(layer.data))
    layer.data = image
    if untouched:
        layer.reset_contrast_limits_range()
        layer.contrast_limits = limits(image)


def replace_scan(viewer: Any, session: Session, old: Scan, new: Scan, *, undo: bool = True) -> None:
    """Let ``new`` take the place of ``old`` in its layers and in the session.

    Parameters
    ----------
    viewer, session
        The window and its session.
    old, new
        The scans. Layers of ours on the old scan's grid follow a changed step.
    undo
        Remember ``old`` for :func:`undo_last` (not for a mere calibration).
    """
    same_data = new.data is old.data
    if session.scan is not old and not any(x.metadata.get("scan") is old for x in viewer.layers):
        # closed, or calibrated anew, while `new` was made: it shall not be lost
        data, settings, _ = describe_scan_layer(new, np.zeros(new.scan_shape, np.float32))
        viewer.add_image(data, **settings)
        return
    before, after = scan_grid(old), scan_grid(new)
    for layer in list(viewer.layers):
        on_grid = _is_on_grid(layer, old)
        shows = layer.metadata.get("scan") is old
        if kind_of(layer) == "region" and on_grid:
            _shift_shapes(layer, np.subtract(new.origin, old.origin))
        if before != after and (shows or on_grid) and _has_grid(layer, before):
            moved = np.subtract(after["translate"], before["translate"])
            layer.scale, layer.units = after["scale"], after["units"]
            layer.translate = layer.translate[-2:] + moved  # the user may have moved it, too
        if not shows:
            continue
        earlier = layer.metadata.get(EARLIER, ())
        layer.metadata[EARLIER] = (*earlier, old) if undo else earlier
        layer.metadata["scan"] = new
        if kind_of(layer) == "navigator" and layer.data.shape != new.scan_shape:
            stop_navigator(layer)
            layer.data = np.zeros(new.scan_shape, np.float32)
            layer.reset_contrast_limits_range()
            layer.contrast_limits = limits(layer.data)
    if session.scan is old:
        session.scan = new
    if not same_data:
        shown = [x for x in viewer.layers if x.metadata.get("scan") is new]
        for layer in shown:
            if kind_of(layer) == "navigator":
                complete_navigator(viewer, layer)
        if shown:
            fit_view(viewer, shown[0])
        else:
            viewer.reset_view()


def undo_last(viewer: Any, session: Session) -> bool:
    """Bring back the scan before the last preparation; False if there is none."""
    now = session.scan
    layer = next((x for x in viewer.layers if x.metadata.get("scan") is now), None)
    if now is None or layer is None or not layer.metadata.get(EARLIER):
        return False
    *rest, before = layer.metadata[EARLIER]
    for other in viewer.layers:
        if other.metadata.get("scan") is now:
            other.metadata[EARLIER] = tuple(rest)
    replace_scan(viewer, session, now, before, undo=False)
    return True


def _shift_shapes(layer: Layer, corner: Any) -> None:
    """Count the corners of drawn shapes from another position; they stay where they are drawn."""
    if np.any(corner):
        layer.data = [np.asarray(shape) - corner for shape in layer.data]


def _is_on_grid(layer: Layer, scan: Scan) -> bool:
    """Say whether a layer belongs to this scan's positions: an image of it, or its region."""
    if kind_of(layer) in ("region", "crop"):  # drawn shapes
        return bool(layer.metadata[KEY]["source"] == scan.source)
    if kind_of(layer) in (None, "ipf", "property"):
        return False
    return tuple(layer.data.shape[:2]) == scan.scan_shape


def _has_grid(layer: Layer, grid: dict[str, Any]) -> bool:
    """Say whether a layer still has this scale: one that the user has changed is left alone."""
    names = {"nm": "nanometer", "um": "micrometer"}  # napari writes units out
    units = [str(unit) for unit in layer.units][:2]
    wanted = [names.get(unit, unit) for unit in grid["units"]]
    return bool(np.allclose(layer.scale[:2], grid["scale"])) and units == wanted
