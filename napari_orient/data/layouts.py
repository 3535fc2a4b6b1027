"""What does a known HDF5 layout say about a scan? Its calibration, with the source "file"."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_orient.data.scan import Calibration, Quantity
from napari_orient.data.units import (
    from_axes,
    inverse_angstroms,
    kilovolts,
    known,
    nanometres,
    stated,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import h5py

LAYOUT = "napari-orient scan"
VERSION = 1
Facts = tuple[Calibration, tuple[str, ...], dict[str, Any]]


def calibration_of(file: h5py.File, node: h5py.Dataset | None) -> Facts:
    """Return the calibration, remarks, and other facts (name, phase, history) for a dataset."""
    if node is None:
        return Calibration(), (), {}
    group = node.parent
    if group.attrs.get("format") == LAYOUT:
        return _own(group.attrs)
    if "axis-0" in group or "axis-3" in group:
        return hyperspy_facts(group, _hspy_attributes)
    if "dim1" in group:
        return _emd(file, group, node)
    calibration, notes = _py4dstem(file, Calibration())
    return calibration, notes, {}


def own_attributes(scan: Any) -> dict[str, str]:
    """Attributes that describe a scan in our layout."""
    facts = {
        "format": LAYOUT,
        "name": scan.name,
        "source": scan.source,
        "history": json.dumps(list(scan.history)),
        "origin": json.dumps(list(scan.origin)),
        "calibration": scan.calibration.model_dump_json(),
    }
    return facts | ({"phase": scan.phase} if scan.phase else {})


def _own(attributes: Mapping[str, Any]) -> Facts:
    notes: tuple[str, ...] = ()
    if str(attributes.get("version", VERSION)) != str(VERSION):
        notes = ("written by a newer version: some facts may be missed",)
    try:
        calibration = Calibration.model_validate_json(str(attributes.get("calibration", "{}")))
    except ValidationError:
        calibration = Calibration()
        notes += ("the calibration in the file is not understood",)
    facts: dict[str, Any] = {k: str(attributes[k]) for k in ("name", "phase") if k in attributes}
    with contextlib.suppress(ValueError, TypeError):
        facts["history"] = tuple(json.loads(str(attributes.get("history", "[]"))))
    with contextlib.suppress(ValueError, TypeError):
        y, x = json.loads(str(attributes.get("origin", "[0, 0]")))
        facts["origin"] = (int(y), int(x))
    return calibration, notes, facts


def _hspy_attributes(group: Any) -> dict[str, Any]:
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in group.attrs.items()}


def hyperspy_facts(group: Any, attributes: Any) -> Facts:
    """Return the facts in an experiment group of HyperSpy's layout (HDF5 or zarr).

    ``attributes(group)`` gives the attributes of a group as a dict.
    """
    axes = [attributes(group[f"axis-{i}"]) for i in range(4) if f"axis-{i}" in group]
    tem_path = "metadata/Acquisition_instrument/TEM"
    tem = attributes(group[tem_path]) if tem_path in group else {}
    ours = attributes(group["metadata/napari_orient"]) if "metadata/napari_orient" in group else {}
    if ours.get("format") == LAYOUT:
        return _own(ours)
    facts: dict[str, Any] = {}
    if "metadata/General" in group:
        title = str(attributes(group["metadata/General"]).get("title", ""))
        facts = {"name": title} if title and title != "__unnamed__" else {}
    if len(axes) != 4:
        return Calibration(), (), facts
    calibration, notes = from_axes(
        axes,
        voltage=kilovolts(tem.get("beam_energy")),
        camera_length=known(tem.get("camera_length")),
    )
    return calibration, notes, facts


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _emd(file: h5py.File, group: h5py.Group, node: h5py.Dataset) -> Facts:
    """Read EMD's dim vectors (0.x counts from dim1, 1.0 from dim0), then py4DSTEM's words."""
    first = 0 if "dim0" in group else 1
    order = [f"dim{i}" for i in range(first, first + node.ndim)]
    axes = []
    for name, size in zip(order, node.shape, strict=True):
        values: Any = group[name][:2] if name in group and group[name].ndim == 1 else []
        attrs = group[name].attrs if name in group else {}
        number = len(values) > 1 and values.dtype.kind in "fiu"
        axes.append(
            {
                "scale": float(values[1] - values[0]) if number else 1.0,
                "offset": float(values[0]) if number else 0.0,
                "units": _text(attrs.get("units", "")),
                "size": size,
            }
        )
    if is_turned(node):
        axes = axes[::-1]
    microscope = file["microscope"].attrs if "microscope" in file else {}
    voltage = microscope.get("voltage", microscope.get("accelerating_voltage"))
    if len(axes) != 4:
        return Calibration(), (), {}
    calibration, notes = from_axes(axes, voltage=kilovolts(voltage))
    calibration, more = _py4dstem(file, calibration)
    return calibration, notes + more, {}


def is_turned(node: h5py.Dataset) -> bool:
    """Whether a dataset follows the older EMD rule: its axes are stored last to first.

    The same rule as rosettasciio's: an EMD group, axes counted from dim1, not a "datacube" and not
    py4DSTEM's.
    """
    parent = node.parent
    return (
        bool(parent.attrs.get("emd_group_type", False))
        and node.name.rsplit("/", 1)[-1] == "data"
        and "dim1" in parent
        and "dim0" not in parent
        and "4DSTEM_experiment" not in node.file
    )


def _py4dstem(file: h5py.File, calibration: Calibration) -> tuple[Calibration, tuple[str, ...]]:
    """Add what py4DSTEM's calibration group says; its pixel sizes win over the dim vectors."""
    words = _calibration_words(file)
    if not words:
        return calibration, ()
    units = {
        "R": words.get("R_pixel_units", words.get("R_units", "")),
        "Q": words.get("Q_pixel_units", words.get("Q_units", "")),
    }
    found: dict[str, Quantity | None] = {}
    voltage = kilovolts(words.get("accelerating_voltage", words.get("beam_energy")))
    if voltage:
        found["voltage"] = stated(voltage, "kV")
    for letter, name, factor, unit in (
        ("R", "step", nanometres(units["R"]), "nm"),
        ("Q", "pixel_size", inverse_angstroms(units["Q"], voltage), "1/angstrom"),
    ):
        size = known(words.get(f"{letter}_pixel_size", words.get(f"{letter}_pix_size")))
        if size and factor:
            found[name] = stated(size * factor, unit, "py4DSTEM")
    centre = tuple(known(words.get(k)) for k in ("qx0_mean", "qy0_mean"))
    if centre[0] and centre[1]:
        found["centre"] = stated((centre[0], centre[1]), "px", "py4DSTEM")
    notes: tuple[str, ...] = ()
    turn = words.get("QR_rotation_degrees", words.get("QR_rotation"))
    if turn not in (None, "None", 0, 0.0):
        notes = (
            f"py4DSTEM states a pattern-to-scan rotation ({turn}, flip {words.get('QR_flip')}); "
            "its sign convention differs, so it was not taken over: measure it",
        )
    return calibration.set(**found), notes


def _calibration_words(file: h5py.File) -> dict[str, Any]:
    """Values of the group "calibration" of a py4DSTEM file, wherever its version puts it."""
    places = ["4DSTEM_experiment/metadata/calibration", "calibration"]
    for root in file:
        places += [f"{root}/metadatabundle/calibration", f"{root}/calibration"]
    for place in places:
        group = file.get(place)
        if group is not None and hasattr(group, "items"):
            words = dict(group.attrs)
            for key, value in group.items():
                if getattr(value, "shape", None) == ():
                    words[key] = value[()]
            return {k: _text(v) if isinstance(v, bytes) else v for k, v in words.items()}
    return {}
