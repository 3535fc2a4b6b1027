"""Two fields of view are compared over one size: what an edge cuts depends on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_orient.data.maps import OrientationMap

_NM = {"um": 1000.0, "nm": 1.0}


def equal_views(
    reference: OrientationMap, other: OrientationMap
) -> tuple[OrientationMap, OrientationMap, tuple[str, ...]]:
    """Crop two maps (or two volumes) to the same size in the specimen, about their middles.

    The unit becomes that of the reference. A field that repeats loses its periodicity where the
    other one has edges: both then lose the grains that are cut.

    Returns
    -------
    reference, other, notes
        What was cropped, in sentences.

    Raises
    ------
    ValueError
        If one is a map and the other a volume.
    """
    if len(reference.shape) != len(other.shape):
        raise ValueError(
            "A map and a volume cannot be compared directly: take sections of the volume."
        )
    other = _in_unit(other, reference.unit)
    notes: list[str] = []
    unit = reference.unit.replace("um", "µm")
    both = [reference, other]
    size = [np.array(one.shape) * one.step for one in both]
    common = np.minimum(*size)
    for n, name in enumerate(("reference", "other map")):
        count = np.maximum(1, np.rint(common / both[n].step).astype(int))
        if (count < both[n].shape).any():
            both[n] = _middle(both[n], np.minimum(count, both[n].shape))
            words = " x ".join(f"{s:.4g}" for s in common)
            notes.append(f"The {name} is cropped to {words} {unit}, as the other is.")
    if both[0].periodic != both[1].periodic:
        never = (False,) * len(both[0].shape)
        both = [replace(one, periodic=never) for one in both]
        notes.append("Periodic borders count as edges, as those of the other do.")
    return both[0], both[1], tuple(notes)


def _in_unit(one: OrientationMap, unit: str) -> OrientationMap:
    if one.unit == unit:
        return one
    factor = _NM[one.unit] / _NM[unit]
    step, origin = (tuple(factor * v for v in values) for values in (one.step, one.origin))
    return replace(one, unit=unit, step=step, origin=origin)


def _middle(one: OrientationMap, count: Any) -> OrientationMap:
    """Cut so many points out of the middle."""
    start = (np.array(one.shape) - count) // 2
    cut = tuple(slice(a, a + n) for a, n in zip(start, count, strict=True))
    whole = count == one.shape
    return replace(
        one,
        quaternions=one.quaternions[cut],
        phase_id=one.phase_id[cut],
        done=one.done[cut],
        properties={name: values[cut] for name, values in one.properties.items()},
        candidates=None,
        origin=tuple(np.array(one.origin) + start * one.step),
        periodic=tuple(bool(p and w) for p, w in zip(one.periodic, whole, strict=True)),
    )
