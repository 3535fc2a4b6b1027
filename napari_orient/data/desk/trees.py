"""How is a state of many things written as JSON? Arrays, scans and maps in it become numbers.

A *tree* is made of dicts, lists, tuples, text, numbers, None, and things that JSON does not know:
numpy arrays and objects that are kept elsewhere. Those are replaced by ``{"$array": 3}`` and the
like, so that one object that stands in two places comes back as one object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np


class Packer:
    """Turns trees into JSON types, and gathers what JSON does not know.

    Parameters
    ----------
    kinds
        Name -> class of the objects that are kept elsewhere: ``{"scan": Scan}``.

    Attributes
    ----------
    objects
        Name -> the objects met, in the order of their numbers; "array" for arrays.
    odd
        Where something stood that cannot be kept, in words; None stands in its place.
    """

    def __init__(self, kinds: Mapping[str, type]) -> None:
        self._kinds = dict(kinds)
        self.objects: dict[str, list[Any]] = {name: [] for name in (*kinds, "array")}
        self.odd: list[str] = []

    def pack(self, value: Any, where: str = "") -> Any:
        """Return ``value`` in JSON types."""
        for name, kind in self._kinds.items():
            if isinstance(value, kind):
                return {f"${name}": self._number(name, value)}
        if isinstance(value, Enum):
            return self.pack(value.value, where)
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return self.pack(value.item(), where)
        if isinstance(value, np.ndarray):
            return self._pack_array(value, where)
        if isinstance(value, Mapping):
            return self._pack_mapping(value, where)
        if isinstance(value, list | tuple):
            items = [self.pack(item, f"{where}[{i}]") for i, item in enumerate(value)]
            return items if isinstance(value, list) else {"$tuple": items}
        if isinstance(value, Path):
            return str(value)
        if hasattr(value, "model_dump"):
            return self.pack(value.model_dump(mode="json"), where)
        self.odd.append(f"{where} ({type(value).__name__})")
        return None

    def _number(self, name: str, value: Any) -> int:
        known = self.objects[name]
        for number, other in enumerate(known):
            if other is value:
                return number
        known.append(value)
        return len(known) - 1

    def _pack_array(self, value: np.ndarray[Any, Any], where: str) -> Any:
        if value.dtype.kind in "biufc":
            return {"$array": self._number("array", value)}
        return {"$words": [self.pack(v, where) for v in value.ravel()], "shape": list(value.shape)}

    def _pack_mapping(self, value: Mapping[Any, Any], where: str) -> Any:
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: self.pack(item, f"{where}.{key}") for key, item in value.items()}
        pairs = [[self.pack(k, where), self.pack(v, f"{where}.{k}")] for k, v in value.items()]
        return {"$pairs": pairs}


def unpack(value: Any, fetch: Callable[[str, int], Any]) -> Any:
    """Return the tree that :meth:`Packer.pack` made ``value`` from.

    Parameters
    ----------
    value
        JSON types.
    fetch
        ``fetch(name, number)`` returns an array or another object that is kept elsewhere.
    """
    if isinstance(value, list):
        return [unpack(item, fetch) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tuple" in value:
        return tuple(unpack(item, fetch) for item in value["$tuple"])
    if "$pairs" in value:
        return {unpack(key, fetch): unpack(item, fetch) for key, item in value["$pairs"]}
    if "$words" in value:
        items = [unpack(item, fetch) for item in value["$words"]]
        words = np.array(items, str if all(isinstance(i, str) for i in items) else object)
        return words.reshape(value["shape"])
    if len(value) == 1 and (name := next(iter(value))).startswith("$"):
        return fetch(name[1:], int(value[name]))
    return {key: unpack(item, fetch) for key, item in value.items()}
