"""What lies on the desk, and how is it laid out again? Layers, the session, the view, the docks."""

from __future__ import annotations

import weakref
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_error, show_info, show_warning
from pydantic import ConfigDict, TypeAdapter
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_orient.data.desk.file import Desk, missing_files, open_desk
from napari_orient.data.scan import Scan
from napari_orient.files import UnreadableFile
from napari_orient.plugin.desk.docks import arrange_docks, keep_docks, open_docks, set_controls
from napari_orient.plugin.desk.layers import keep_layer, make_layer
from napari_orient.plugin.desk.questions import ask_for_files
from napari_orient.plugin.layers import KEY, kind_of
from napari_orient.plugin.questions import consent
from napari_orient.plugin.scan_layers import complete_navigator
from napari_orient.plugin.sessions import SETTLED, get_session
from napari_orient.plugin.view import fit_all, shows_all
from napari_orient.plugin.worker import Stopped, wait_for

BAR = ("visible", "position", "colored", "color", "ticks", "font_size", "box", "length", "opacity")
SHARED = ("scan", "orientation_map")  # set first: what else is in a session refers to them
DRAWN = ("overlays",)  # the docks draw them again


_places: dict[int, tuple[Path, str]] = {}  # of a viewer: where its session was saved, and when


def remembered(viewer: Any) -> tuple[Path | None, str]:
    """Return where the session of a window was saved last, or opened from, and when."""
    return _places.get(id(viewer), (None, ""))


def remember(viewer: Any, path: Path, when: str = "") -> None:
    """Note where the session of a window is; ``when`` is now unless it is given."""
    if id(viewer) not in _places:
        weakref.finalize(viewer, _places.pop, id(viewer), None)
    _places[id(viewer)] = (path, when or datetime.now().strftime("%H:%M"))


# --- keeping -------------------------------------------------------------------------------------


def keep_desk(viewer: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the state of a window as a tree, and what of it is left out, in words."""
    session = get_session(viewer)
    layers, left_out, kept_layers = [], [], []
    for layer in viewer.layers:
        kept, why = keep_layer(layer)
        if kept is None:
            left_out.append(why)
        else:
            layers.append(kept)
            kept_layers.append(layer)
    active = viewer.layers.selection.active
    state = {
        "layers": layers,
        "active": kept_layers.index(active) if active in kept_layers else None,
        "session": {n: getattr(session, n) for n in type(session).model_fields if n not in DRAWN},
        "sources": [scan.source for scan in scans_of(viewer)],
        "scans": scans_of(viewer),
        "view": _keep_view(viewer),
        "docks": keep_docks(viewer),
    }
    return state, left_out


def scans_of(viewer: Any) -> list[Scan]:
    """Return the scans of a window, each once."""
    scans = [layer.metadata.get("scan") for layer in viewer.layers]
    found = [get_session(viewer).scan, *scans]
    return list({id(scan): scan for scan in found if scan is not None}.values())


def _keep_view(viewer: Any) -> dict[str, Any]:
    camera, dims = viewer.scene.camera, viewer.dims
    bar = viewer.canvas.overlays.scale_bar
    return {
        "centre": tuple(camera.center), "zoom": float(camera.zoom), "angles": tuple(camera.angles),
        "perspective": float(camera.perspective), "ndisplay": dims.ndisplay,
        "order": tuple(dims.order), "point": tuple(dims.point),
        "scale_bar": {name: getattr(bar, name) for name in BAR if hasattr(bar, name)},
        "axes": bool(viewer.canvas.overlays.axes.visible), "canvas": tuple(viewer.canvas.size),
        "grid": bool(viewer.canvas.grid.enabled), "theme": viewer.theme,
        "whole": shows_all(viewer),
    }  # fmt: skip


# --- laying out again ----------------------------------------------------------------------------


def clear_desk(viewer: Any) -> None:
    """Take all layers away and forget what the docks share."""
    session = get_session(viewer)
    viewer.layers.clear()
    for name, field in type(session).model_fields.items():
        setattr(session, name, field.get_default(call_default_factory=True))


def lay_out(viewer: Any, desk: Desk) -> list[str]:
    """Lay a desk out in a window, in the place of what is there; return remarks."""
    state, session = desk.state, get_session(viewer)
    clear_desk(viewer)
    # docks first: one that is opened beside layers would fit the view anew
    notes = open_docks(viewer, state["docks"])
    arrange_docks(viewer, state["docks"])
    pairs = zip(state["sources"], state["scans"], strict=True)
    sources = {old: scan.source for old, scan in pairs if scan is not None}
    layers = []
    for kept in state["layers"]:
        layer, metadata = make_layer(kept, sources)
        viewer.add_layer(layer)
        layer.metadata = metadata
        layers.append(layer)
    notes += _fill_session(session, state["session"])
    set_controls(viewer, state["docks"])
    _go_on(viewer, layers)
    _set_view(viewer, state["view"])
    if state["active"] is not None:
        viewer.layers.selection.active = layers[state["active"]]
    QTimer.singleShot(3 * SETTLED, partial(_fit_again, viewer, state["view"]))
    return notes


def _fill_session(session: Any, kept: dict[str, Any]) -> list[str]:
    notes, fields = [], type(session).model_fields
    lax = ConfigDict(arbitrary_types_allowed=True)
    for name in (*SHARED, *(n for n in kept if n not in SHARED)):
        if name not in fields or name in DRAWN or kept.get(name) is None:
            continue
        try:  # models were kept as dicts
            value = TypeAdapter(fields[name].annotation, config=lax).validate_python(kept[name])
            setattr(session, name, value)
        except (ValueError, TypeError) as error:
            notes.append(f"{name} of the session is not understood ({error})")
    return notes


def _go_on(viewer: Any, layers: list[Any]) -> None:
    """Sum the scans on whose exact navigator was not finished."""
    for layer in layers:
        done = (layer.metadata.get(KEY, {}).get("config") or {}).get("complete")
        if kind_of(layer) == "navigator" and not done:
            complete_navigator(viewer, layer)


def _set_view(viewer: Any, view: dict[str, Any]) -> None:
    viewer.theme = view["theme"] if view["theme"] in _themes() else viewer.theme
    viewer.canvas.grid.enabled = view["grid"]
    bar = viewer.canvas.overlays.scale_bar
    for name, value in view["scale_bar"].items():
        setattr(bar, name, value)
    viewer.canvas.overlays.axes.visible = view["axes"]
    viewer.dims.ndisplay = view["ndisplay"]
    if len(view["order"]) == viewer.dims.ndim:  # a layer may be missing
        viewer.dims.order = view["order"]
        viewer.dims.point = view["point"]
    _set_camera(viewer, view)


def _themes() -> list[str]:
    from napari.utils.theme import available_themes

    return list(available_themes())


def _set_camera(viewer: Any, view: dict[str, Any]) -> None:
    camera = viewer.scene.camera
    camera.perspective, camera.angles = view["perspective"], view["angles"]
    camera.center, camera.zoom = view["centre"], view["zoom"]


def _fit_again(viewer: Any, view: dict[str, Any]) -> None:
    """Set the camera once the docks have their places; another canvas shows the whole again."""
    if view["whole"] and not np.allclose(viewer.canvas.size, view["canvas"], atol=2):
        fit_all(viewer)
    else:
        _set_camera(viewer, view)


def open_session(viewer: Any, path: str | Path) -> bool:
    """Open a session in a window: ask for missing files and before the desk is replaced.

    What goes wrong is told in the window. Returns whether the desk was laid out.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    path = Path(path)
    try:
        lost = missing_files(path)
        moved = ask_for_files(path, lost) if lost else {}
        if moved is None or not _may_replace(viewer, path):
            return False
        desk = wait_for(open_desk(path, moved), f"Opening {path.name}")
    except UnreadableFile as error:
        show_error(f"{error.path.name} {error.problem}. {error.cure}")
        return False
    except Stopped:
        return False
    when = desk.saved.replace("T", " ")[:16]
    remember(viewer, path, when)
    notes = [*desk.notes, *lay_out(viewer, desk)]
    notes += [f"{Path(name).name} is missing: what shows it is a picture" for name in desk.missing]
    if notes:
        show_warning(f"{path.name}: " + "; ".join(notes))
    else:
        show_info(f"{path.name}: the desk of {when}")
    return True


def _may_replace(viewer: Any, path: Path) -> bool:
    count = len(viewer.layers)
    if not count:
        return True
    what = f"the {count} layers" if count > 1 else "the layer"
    text = f"{path.name} takes the place of {what} of this window. Go on?"
    return consent("Open session", text)


def read_session(path: Any) -> list[Any]:
    """Open a session that is dropped on the window or named on the command line; napari calls.

    Raises
    ------
    UnreadableFile
        Without a window.
    """
    from napari import current_viewer

    path = path if isinstance(path, str | Path) else path[0]
    viewer = current_viewer() if QApplication.instance() is not None else None
    if viewer is None:
        problem = "is a session, which needs a window"
        raise UnreadableFile(path, problem, f"Run: napari {Path(path).name}")
    # napari is in the middle of opening files: the desk is laid out when it has finished
    QTimer.singleShot(0, partial(open_session, viewer, path))
    return [(None,)]


def get_session_reader(path: Any) -> Any:
    """Return :func:`read_session` for one file ``name.orient``, else None; napari calls."""
    name = path if isinstance(path, str | Path) else (path[0] if len(path) == 1 else "")
    return read_session if str(name).lower().endswith(".orient") else None
