"""How does Abaqus take a volume? As an .inp file: one C3D8 brick for each voxel, one part for all.

Each grain has an element set, an *ORIENTATION and a section. Its vectors a and b are the crystal
axes e1 and e2 in the axes of the volume: Abaqus' local 1 is along a, 2 in the plane of a and b.
Where opposite faces of the volume match, each node of a far face follows its image on the near one:
u(node) - u(image) = sum of the displacements of the reference nodes REF_X, REF_Y, REF_Z of those
axes along which it is far, u(REF_X) = (F - 1) L_x. So no node depends on one that depends itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

import numpy as np

from napari_orient.jobs import Progress
from napari_orient.reconstruction.decks.metals import metal_of
from napari_orient.reconstruction.decks.volume import CRYSTAL, FRAME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_orient.jobs import Job
    from napari_orient.reconstruction.decks.volume import DeckVolume


class Units(NamedTuple):
    """A consistent system: its name, its length in metres, its stress in Pa."""

    words: str
    length: float
    stress: float


UNITS = {
    "mm": Units("mm, N, MPa, s", 1e-3, 1e6),
    "m": Units("m, N, Pa, s", 1.0, 1.0),
    "um": Units("um, uN, MPa, s", 1e-6, 1e6),
}
_STRAIN = 0.01
_CORNERS = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))


def abaqus_notes(volume: DeckVolume) -> tuple[str, ...]:
    """What the deck leaves to its user."""
    metal = metal_of(volume.phase, None)
    notes = ["the material is elastic alone: put your *USER MATERIAL or plasticity in its place"]
    if metal is None:
        notes[0] = f"*MATERIAL {volume.name} is empty: no constants of it are known here"
    if not all(volume.periodic):
        notes.append("opposite faces do not match: no *EQUATION, the faces across x are pulled")
    return tuple(notes)


def write_abaqus(
    volume: DeckVolume, folder: Path, name: str, units: str = "mm"
) -> Job[tuple[str, ...]]:
    """Write ``name`` into a folder; return its name.

    Raises
    ------
    ValueError
        If the units are not in :data:`UNITS`, or materials are voxels.
    """
    if units not in UNITS:
        raise ValueError(f"units {units!r} are not known: choose one of {', '.join(UNITS)}")
    if volume.per != "grain":
        raise ValueError("an Abaqus deck has one section for each grain: export it per grain")
    with (folder / name).open("w", encoding="ascii", newline="\n") as file:
        _head(file, volume, UNITS[units])
        yield Progress(0, 5, "Writing nodes")
        _nodes(file, volume, UNITS[units])
        yield Progress(1, 5, "Writing elements")
        _elements(file, volume)
        yield Progress(2, 5, "Writing grains")
        _grains(file, volume)
        yield Progress(3, 5, "Writing boundary conditions")
        if all(volume.periodic):
            _equations(file, volume)
        _material(file, volume, UNITS[units])
        _step(file, volume, UNITS[units])
    return (name,)


def _head(file: TextIO, volume: DeckVolume, units: Units) -> None:
    x, y, z = volume.cells
    lines = (
        f"napari-orient: {x} x {y} x {z} voxels of {volume.phase.name}, "
        f"{len(volume.grains)} grains", FRAME, f"{CRYSTAL} Units: {units.words}.",
        "*ORIENTATION: a and b are the crystal axes e1 and e2 in the axes of the volume.",
        "GRAIN_n has the number n of the volume's property grain.",
    )  # fmt: skip
    words = "".join(f"** {line.encode('ascii', 'replace').decode()}\n" for line in lines)
    file.write(f"*HEADING\nnapari-orient, units {units.words}\n{words}")


def _node(volume: DeckVolume, x: NDArray[np.int64], y: NDArray[np.int64], z: NDArray[np.int64]) -> (
    NDArray[np.int64]
):  # fmt: skip
    """Number of a node, from 1, x fastest."""
    nx, ny, _ = volume.cells
    return np.asarray(1 + x + (nx + 1) * (y + (ny + 1) * z))


def _lattice(shape: Sequence[int]) -> tuple[NDArray[np.int64], ...]:
    """Places x, y, z of all points of a grid with (nx, ny, nz) points, x fastest."""
    z, y, x = np.indices(tuple(shape)[::-1]).reshape(3, -1)
    return x, y, z


def _edges(volume: DeckVolume, units: Units) -> NDArray[np.float64]:
    return np.array(volume.spacing) / units.length


def _nodes(file: TextIO, volume: DeckVolume, units: Units) -> None:
    """Corners of all voxels, and the reference nodes after them, in one block; then the sets."""
    places = _lattice([n + 1 for n in volume.cells])
    numbers, edges = _node(volume, *places), _edges(volume, units)
    rows = np.column_stack([numbers, np.stack(places, 1) * edges])
    file.write("*NODE, NSET=ALL_NODES\n")
    np.savetxt(file, rows, "%d, %.10g, %.10g, %.10g")
    if all(volume.periodic):
        far = 1.1 * np.array(volume.cells) * edges  # outside, where they can be seen
        outside = np.column_stack([len(rows) + np.arange(1, 4), np.diag(far)])
        np.savetxt(file, outside, "%d, %.10g, %.10g, %.10g")
    for axis, letter in enumerate("XYZ"):
        if all(volume.periodic):
            _list(file, f"*NSET, NSET=REF_{letter}", np.array([len(rows) + 1 + axis]))
        for side, at in (("NEAR", 0), ("FAR", volume.cells[axis])):
            _list(file, f"*NSET, NSET={letter}_{side}", numbers[places[axis] == at])
    _list(file, "*NSET, NSET=CORNER", np.array([1]))


def _list(file: TextIO, keyword: str, numbers: NDArray[np.int64]) -> None:
    """Write a set, 16 numbers a line as Abaqus allows."""
    file.write(f"{keyword}\n")
    words = numbers.astype(str)
    for i in range(0, len(words), 16):
        file.write(", ".join(words[i : i + 16]) + "\n")


def _elements(file: TextIO, volume: DeckVolume) -> None:
    x, y, z = _lattice(volume.cells)
    corners = [_node(volume, x + i, y + j, z + k) for i, j, k in _CORNERS]
    file.write("*ELEMENT, TYPE=C3D8, ELSET=ALL_ELEMENTS\n")
    rows = np.column_stack([np.arange(1, len(x) + 1), *corners])
    np.savetxt(file, rows, "%d", delimiter=", ")


def _grains(file: TextIO, volume: DeckVolume) -> None:
    order = np.argsort(volume.ids, axis=None, kind="stable")
    bounds = np.searchsorted(volume.ids.ravel()[order], np.arange(len(volume.grains) + 1))
    for index, (number, matrix) in enumerate(zip(volume.grains, volume.matrices, strict=True)):
        _list(file, f"*ELSET, ELSET=GRAIN_{number}", order[bounds[index] : bounds[index + 1]] + 1)
        axes = ", ".join(f"{v:.12f}" for v in matrix[:2].ravel())
        file.write(f"*ORIENTATION, NAME=ORI_{number}, SYSTEM=RECTANGULAR\n{axes}\n")
        file.write(
            f"*SOLID SECTION, ELSET=GRAIN_{number}, ORIENTATION=ORI_{number}, "
            f"MATERIAL={volume.name}\n,\n"
        )


def pairs(volume: DeckVolume) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Far nodes (m,), their images (m,), and along which of x, y, z each is far (m, 3)."""
    cells = np.array(volume.cells)
    places = np.stack(_lattice([n + 1 for n in volume.cells]), axis=1)
    far = places == cells
    places, far = places[far.any(1)], far[far.any(1)]
    return _node(volume, *places.T), _node(volume, *np.where(far, 0, places).T), far


def _equations(file: TextIO, volume: DeckVolume) -> None:
    first = int(np.prod(np.array(volume.cells) + 1)) + 1
    for node, image, far in zip(*pairs(volume), strict=True):
        references = [first + int(axis) for axis in np.flatnonzero(far)]
        for freedom in (1, 2, 3):
            terms = [(node, 1), (image, -1), *((r, -1) for r in references)]
            words = [f"{n}, {freedom}, {factor}." for n, factor in terms]
            file.write(f"*EQUATION\n{len(terms)}\n" + ", ".join(words[:4]) + "\n")
            if words[4:]:
                file.write(", ".join(words[4:]) + "\n")


def _material(file: TextIO, volume: DeckVolume, units: Units) -> None:
    """Elastic constants in the crystal's axes, where they are known (Abaqus' order of the 21)."""
    metal = metal_of(volume.phase, None)
    file.write(f"*MATERIAL, NAME={volume.name}\n** PLACEHOLDER: put your own model here\n")
    if metal is None:
        file.write("** no constants of this crystal are known here\n")
        return
    c = {n: float(v) / units.stress for n, v in metal.elastic.items() if n.startswith("C_")}
    c11, c12, c44 = c["C_11"], c["C_12"], c["C_44"]
    c13, c33 = c.get("C_13", c12), c.get("C_33", c11)
    c66 = (c11 - c12) / 2 if metal.lattice == "hP" else c44
    for source in metal.elastic["references"]:
        file.write(f"** {source}\n")
    # D1111, D1122, D2222, D1133, D2233, D3333, D1212, D1313, then D2323
    rows = ((c11, c12, c11, c13, c13, c33, c66, c44), (c44,))
    text = "\n".join(", ".join(f"{v:.9g}" for v in row) for row in rows)
    file.write(f"*ELASTIC, TYPE=ORTHOTROPIC\n{text}\n")


def _step(file: TextIO, volume: DeckVolume, units: Units) -> None:
    """Tension along x to 1 %, no mean stress across; rotations of the whole are held."""
    pull = _STRAIN * volume.cells[0] * _edges(volume, units)[0]
    file.write("** tension along x to 1 %, free across\n*STEP, NLGEOM=YES, INC=1000\n")
    file.write("*STATIC\n0.05, 1., 1e-6, 0.1\n*BOUNDARY\n")
    if all(volume.periodic):
        file.write(f"CORNER, 1, 3\nREF_X, 1, 1, {pull:.9g}\nREF_X, 2, 3\nREF_Y, 3, 3\n")
    else:
        above = _node(volume, *(np.array([v]) for v in (0, 0, volume.cells[2])))[0]
        file.write(f"X_NEAR, 1, 1\nX_FAR, 1, 1, {pull:.9g}\nCORNER, 2, 3\n{above}, 2, 2\n")
    file.write("*OUTPUT, FIELD, FREQUENCY=5\n*ELEMENT OUTPUT\nS, LE\n*NODE OUTPUT\nU\n*END STEP\n")
