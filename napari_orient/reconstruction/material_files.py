"""Descriptors of a material in a file: measured once, used again."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import torch

from napari_orient.data.maps import phase_from_json, phase_to_json
from napari_orient.files import UnreadableFile, open_h5, replace_atomically
from napari_orient.reconstruction.boundaries import Boundaries
from napari_orient.reconstruction.estimates import Target
from napari_orient.reconstruction.grids import Grid
from napari_orient.reconstruction.material import Material

if TYPE_CHECKING:
    from pathlib import Path

    from orix.crystal_map import Phase

FORMAT, VERSION = "napari-orient material", 2


def save_material(material: Material, path: str | Path) -> None:
    """Write descriptors to HDF5; the file is whole, or not there.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import h5py

    facts = {
        "step": material.step, "unit": material.unit, "diameter": material.diameter,
        "grids": [list(g) for g in material.grids], "source": material.source,
        "texture_degrees": list(material.texture_degrees), "notes": list(material.notes),
        "diameters": list(material.diameters),
        "phases": [phase_to_json(phase) for phase in material.phases],
    }  # fmt: skip
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file.attrs.update({"format": FORMAT, "version": VERSION})
        file.attrs["facts"] = json.dumps(facts)
        file["sizes"] = material.sizes
        for phase, one in enumerate(material.boundaries):
            if one is not None:
                file[f"boundaries/{phase}/centres"] = one.centres
                file[f"boundaries/{phase}/quantiles"] = one.quantiles
        for stage, (axes, means) in enumerate(zip(material.targets, material.means, strict=True)):
            file[f"{stage}/means"] = means.numpy()
            for axis, scales in enumerate(axes):
                file.create_group(f"{stage}/{axis}")
                for scale, target in enumerate(scales):
                    for name, tensor in vars(target).items():
                        file[f"{stage}/{axis}/{scale}/{name}"] = tensor.numpy()
    with replace_atomically(path) as temporary:
        temporary.write_bytes(made.getvalue())


def load_material(path: str | Path) -> Material:
    """Read what :func:`save_material` wrote.

    Raises
    ------
    UnreadableFile
        If it is none, or damaged.
    """
    with open_h5(path) as file:
        if file.attrs.get("format") != FORMAT:
            raise UnreadableFile(path, "holds no descriptors of a material", "Measure a map first.")
        if file.attrs.get("version") != VERSION:
            raise UnreadableFile(path, "is of another version", "Measure the map again.")
        try:
            facts = json.loads(file.attrs["facts"])
            grids = tuple(
                Grid(g[0], tuple(g[1]), g[2], tuple(map(tuple, g[3]))) for g in facts["grids"]
            )
            phases = tuple(map(phase_from_json, facts["phases"]))
            targets, means = [], []
            for stage in range(len(grids)):
                group = file[str(stage)]
                means.append(torch.as_tensor(group["means"][()]))
                axes = sorted((name for name in group if name != "means"), key=int)
                targets.append(tuple(_read_axis(group[axis]) for axis in axes))
            return Material(
                phases, facts["step"], facts["unit"],
                facts["diameter"], tuple(facts["diameters"]), grids,
                tuple(map(tuple, facts["texture_degrees"])), tuple(targets), tuple(means),
                file["sizes"][()], _read_boundaries(file, phases), facts["source"],
                tuple(facts["notes"]),
            )  # fmt: skip
        except (KeyError, ValueError, TypeError, IndexError, OSError) as error:
            raise UnreadableFile(path, f"is damaged ({error})", "Measure the map again.") from error


def _read_boundaries(file: Any, phases: tuple[Phase, ...]) -> tuple[Boundaries | None, ...]:
    made: list[Boundaries | None] = []
    for n, phase in enumerate(phases):
        group = file.get(f"boundaries/{n}")
        arrays = None if group is None else (group["centres"][()], group["quantiles"][()])
        made.append(None if arrays is None else Boundaries(phase.point_group.name, *arrays))
    return tuple(made)


def _read_axis(group: Any) -> tuple[Target, ...]:
    return tuple(
        Target(**{name: torch.as_tensor(item[()]) for name, item in group[scale].items()})
        for scale in sorted(group, key=int)
    )
