"""How does DAMASK 3 take a volume? As geom.vti, material.yaml and load.yaml in one folder.

Formats: the documentation and example files of DAMASK 3.1 (F. Roters et al., Comput. Mater. Sci.
158 (2019) 420). Lengths are in metres, stresses in Pa, materials count from 0.

Orientations. DAMASK's quaternions are passive with P = -1 (Rowenhorst et al., Modelling Simul.
Mater. Sci. Eng. 23 (2015) 083501), the conjugates of ``lab2crystal`` as orix stores it; the
matrices, which take components in the frame of the volume to the crystal's, are the same. Crystal
axes: x || a, z || c. The ``damask`` package writes and reads the files where it is installed.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_orient.jobs import Progress
from napari_orient.reconstruction.decks.image_data import read_image_data, write_image_data
from napari_orient.reconstruction.decks.metals import lattice_of, metal_of
from napari_orient.reconstruction.decks.volume import CRYSTAL, FRAME, Found

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.decks.metals import Metal
    from napari_orient.reconstruction.decks.volume import DeckVolume

GEOMETRY, MATERIAL, LOAD = "geom.vti", "material.yaml", "load.yaml"
_HOMOGENIZATION = {"SX": {"N_constituents": 1, "mechanical": {"type": "pass"}}}
_OFFICIAL = 20_000  # materials up to which the package's slow YAML is used
_LOAD = """\
# Uniaxial tension along x to 1 % at 1e-3 /s; no stress across. x stands for a free component.
# DAMASK_grid --geom geom.vti --material material.yaml --load load.yaml
solver:
  mechanical: spectral_basic

loadstep:
  - boundary_conditions:
      mechanical:
        dot_F: [[1.0e-3, 0, 0],
                [0, x, 0],
                [0, 0, x]]
        P: [[x, x, x],
            [x, 0, x],
            [x, x, 0]]
    discretization:
      t: 10
      N: 40
    f_out: 4
"""


class Plan(NamedTuple):
    """What the deck says about the phase: its entry in material.yaml, and notes for the user."""

    phase: dict[str, Any]
    notes: tuple[str, ...]


def plan(volume: DeckVolume, lattice: str | None = None, metal: str | None = None) -> Plan:
    """Return the entry of the phase, by its lattice and by constants from the literature.

    Raises
    ------
    ValueError
        If DAMASK has no lattice for the crystal, or ``metal`` is not known or has another one.
    """
    chosen = lattice_of(volume.phase, lattice)
    constants = metal_of(volume.phase, chosen, metal)
    entry: dict[str, Any] = {"lattice": chosen}
    if chosen in ("hP", "tI"):
        cell = volume.phase.structure.lattice
        entry["c/a"] = round(float(cell.c / cell.a), 6)
    elastic, plastic, notes = _constants(constants, volume.name, chosen)
    entry["mechanical"] = {"output": ["F", "P", "F_e", "F_p", "L_p", "O"], "elastic": elastic}
    if plastic is not None:
        entry["mechanical"]["plastic"] = plastic
    if not all(volume.periodic):
        notes += (
            "opposite faces do not match, and the grid solver repeats the volume: grains meet "
            "abruptly across its faces",
        )
    return Plan(entry, notes)


def _constants(metal: Metal | None, name: str, lattice: str) -> tuple[Any, Any, tuple[str, ...]]:
    """Elastic and plastic entry, and what is missing."""
    if metal is None:
        names = "C_11, C_12, C_44"
        names += {"hP": ", C_13, C_33", "tI": ", C_13, C_33, C_66"}.get(lattice, "")
        said = f"the elastic constants of {name} are not known here: DAMASK will not run before "
        return {"type": "Hooke"}, None, (f"{said}{names} stand in {MATERIAL} (in Pa)",)
    if metal.plastic is None:
        said = (
            f"no plastic constants of {metal.name} are cited here: {name} is elastic in this deck"
        )
        return metal.elastic, None, (said,)
    return metal.elastic, metal.plastic, (f"constants of {metal.name}: sources in {MATERIAL}",)


def comments(volume: DeckVolume) -> tuple[str, ...]:
    """Lines that state frame and units in every file."""
    if volume.per == "grain":
        said = "Materials are grains, in the order of their numbers; orientations are their means."
    else:
        said = "Materials are voxels, x fastest."
    return (
        f"napari-orient: {volume.cells[0]} x {volume.cells[1]} x {volume.cells[2]} voxels of "
        f"{volume.phase.name}. {said}",
        f"{FRAME} Lengths in metres.",
        f"{CRYSTAL} Orientations: passive, from the axes of the volume to those of the crystal.",
    )


def damask_quaternions(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conjugates (..., 4) with scalar part >= 0: DAMASK's numbers for ``lab2crystal``, or back."""
    turned = np.asarray(quaternions, np.float64) * (1, -1, -1, -1)
    return np.where(turned[..., :1] < 0, -turned, turned) + 0.0  # + 0: no -0


def write_damask(
    volume: DeckVolume, folder: Path, entry: Plan | None, *, official: bool = True
) -> Job[tuple[str, ...]]:
    """Write the deck into a folder; without ``entry`` the geometry alone.

    Returns
    -------
    files
        Their names.
    """
    package = damask_package() if official else None
    yield Progress(0, 3, "Writing the geometry")
    _write_geometry(volume, folder / GEOMETRY, package)
    if entry is None:
        return (GEOMETRY,)
    yield Progress(1, 3, "Writing materials")
    _write_material(volume, folder / MATERIAL, entry, package)
    (folder / LOAD).write_text(_LOAD, encoding="ascii", newline="\n")
    return (GEOMETRY, MATERIAL, LOAD)


def damask_package() -> Any:
    """Return DAMASK's Python package, or None where it is not installed."""
    try:
        import damask
    except ImportError:
        return None
    logging.getLogger("damask").setLevel(logging.WARNING)  # its checks log an empty line each
    return damask


def _write_geometry(volume: DeckVolume, path: Path, package: Any) -> None:
    if package is None:
        write_image_data(path, {"material": volume.ids}, volume.spacing, comments(volume))
        return
    size = np.multiply(volume.cells, volume.spacing)
    grid = package.GeomGrid(volume.ids.transpose(2, 1, 0), size, comments=comments(volume))
    grid.save(path)


def _write_material(volume: DeckVolume, path: Path, entry: Plan, package: Any) -> None:
    """Write material.yaml: what is said in comments first, then homogenization, phase, material."""
    import yaml

    quaternions = damask_quaternions(volume.quaternions).tolist()
    head: dict[str, Any] = {"homogenization": _HOMOGENIZATION, "phase": {volume.name: entry.phase}}
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("".join(f"# {line}\n" for line in (*comments(volume), *entry.notes)))
        if package is not None and len(quaternions) <= _OFFICIAL:
            materials = [_material(volume.name, q) for q in quaternions]
            package.ConfigMaterial({**head, "material": materials}).save(file)
            return
        yaml.safe_dump(head, file, sort_keys=False, default_flow_style=None, width=256)
        file.write("material:\n")
        start = f"- homogenization: SX\n  constituents:\n  - phase: {volume.name}\n    v: 1.0\n"
        file.writelines(f"{start}    O: {q}\n" for q in quaternions)


def _material(phase: str, quaternion: list[float]) -> dict[str, Any]:
    constituent = {"phase": phase, "v": 1.0, "O": quaternion}
    return {"homogenization": "SX", "constituents": [constituent]}


def read_damask(folder: Path) -> Job[Found]:
    """Read a deck, by the ``damask`` package where it is installed.

    Matrices are None where only the geometry is there.
    """
    package = damask_package()
    yield Progress(2, 3, "Reading it back")
    if package is None:
        image = read_image_data(folder / GEOMETRY)
        ids, spacing = image.arrays["material"], image.spacing
    else:
        grid = package.GeomGrid.load(folder / GEOMETRY)
        ids, spacing = grid.material.transpose(2, 1, 0), tuple(grid.size / grid.cells)
    if not (folder / MATERIAL).exists():
        return Found(ids, spacing, None, _reader(package))
    return Found(ids, spacing, *_read_material(folder / MATERIAL, package))


def _read_material(path: Path, package: Any) -> tuple[NDArray[np.float64], str]:
    text = path.read_text(encoding="utf-8")
    if package is None or text.count("homogenization: SX") > _OFFICIAL:
        q = _plain_orientations(text)
        from napari_orient.crystal.rotations import to_matrix

        return np.asarray(to_matrix(damask_quaternions(q))), _reader(None)
    config = package.ConfigMaterial.load(path)
    if not (config.is_complete and config.is_valid):
        raise ValueError(f"{MATERIAL} is not complete or not valid, says the damask package")
    q = np.array([entry["constituents"][0]["O"] for entry in config["material"]], np.float64)
    return np.asarray(package.Rotation.from_quaternion(q).as_matrix()), _reader(package)


def _plain_orientations(text: str) -> NDArray[np.float64]:
    """Quaternions (n, 4) of a file of ours, line by line: YAML takes 10 kB for each material."""
    import yaml

    head, _, body = text.partition("\nmaterial:\n")
    phases = yaml.safe_load(head)["phase"]
    found = re.findall(r"phase: (\w+)\s+v: 1\.0\s+O: \[([^\]]*)\]", body)
    if len(found) != body.count("homogenization: SX") or {name for name, _ in found} - set(phases):
        raise ValueError(f"{MATERIAL} has materials without a phase or an orientation")
    return np.array([row.split(",") for _, row in found], np.float64)


def _reader(package: Any) -> str:
    return "napari-orient" if package is None else f"damask {package.version}"
