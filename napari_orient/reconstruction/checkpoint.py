"""A reconstruction on disk: where it is, so that it goes on from there after anything."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_orient.files import UnreadableFile, open_h5, replace_atomically

if TYPE_CHECKING:
    from pathlib import Path

FORMAT, VERSION = "napari-orient reconstruction", 1


@dataclass(eq=False)
class State:
    """Where a reconstruction is.

    Attributes
    ----------
    config
        Settings as plain JSON types.
    reference
        What it is reconstructed from: a digest of the map.
    seed
        Of this field.
    grid
        Number of the grid that is worked on, from 0.
    quaternions
        (..., 4) on that grid.
    memory
        Of the optimiser: tensors, lists of them, and numbers.
    evaluations
        On each grid so far.
    seconds
        On each grid so far.
    history
        Rows (grid, evaluations, seconds, loss, paper loss).
    best
        (loss, seed, channels) of the best field that is finished, in an ensemble.
    facts
        About the best one, and the losses of all, as plain JSON types.
    """

    config: dict[str, Any]
    reference: str
    seed: int
    grid: int
    quaternions: Tensor
    memory: dict[str, Any] = field(default_factory=dict)
    evaluations: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    history: list[tuple[float, ...]] = field(default_factory=list)
    best: tuple[float, int, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def save_state(state: State, path: str | Path) -> None:
    """Write it; the file is whole, or the one before.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import h5py

    made = io.BytesIO()  # HDF5 that meets a full disk ends the process
    with h5py.File(made, "w") as file:
        file.attrs.update({"format": FORMAT, "version": VERSION})
        numbers: dict[str, Any] = {}
        tensors = {"field": state.quaternions}
        for name, value in state.memory.items():
            if isinstance(value, Tensor):
                tensors[f"memory/{name}"] = value
            elif isinstance(value, list) and value and isinstance(value[0], Tensor):
                tensors |= {f"memory/{name}/{n:03d}": one for n, one in enumerate(value)}
            else:
                numbers[name] = _plain(value)
        for name, tensor in tensors.items():
            file[name] = tensor.detach().cpu().numpy()
        if state.best is not None:
            file["best"] = state.best[2]
        file["history"] = np.array(state.history, np.float64).reshape(-1, 5)
        rest = {
            "config": state.config, "reference": state.reference, "seed": state.seed,
            "grid": state.grid, "evaluations": state.evaluations, "seconds": state.seconds,
            "memory": numbers, "best": None if state.best is None else state.best[:2],
            "facts": state.facts,
        }  # fmt: skip
        file.attrs["state"] = json.dumps(rest)
    with replace_atomically(path) as temporary:
        temporary.write_bytes(made.getvalue())


def _plain(value: Any) -> Any:
    """Numbers, None, and lists of numbers or None, as JSON has them."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, int | bool) else float(value)


def load_state(path: str | Path) -> State:
    """Read what :func:`save_state` wrote.

    Raises
    ------
    UnreadableFile
        If it is none, or damaged.
    """
    with open_h5(path) as file:
        if file.attrs.get("format") != FORMAT:
            raise UnreadableFile(
                path, "is no reconstruction that was interrupted", "Choose another file."
            )
        if file.attrs.get("version") != VERSION:
            raise UnreadableFile(path, "is of another version", "Start the reconstruction anew.")
        try:
            rest = json.loads(file.attrs["state"])
            memory = dict(rest["memory"])
            for name, item in file.get("memory", {}).items():
                if hasattr(item, "shape"):
                    memory[name] = torch.as_tensor(item[()])
                else:
                    memory[name] = [torch.as_tensor(item[n][()]) for n in sorted(item)]
            best = rest["best"]
            return State(
                rest["config"], rest["reference"], rest["seed"], rest["grid"],
                torch.as_tensor(file["field"][()]), memory, rest["evaluations"], rest["seconds"],
                [tuple(row) for row in file["history"][()].tolist()],
                None if best is None else (best[0], best[1], file["best"][()]), rest["facts"],
            )  # fmt: skip
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise UnreadableFile(
                path, f"is damaged ({error})", "Start the reconstruction anew."
            ) from error
