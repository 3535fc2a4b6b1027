"""What does an .inp file of ours say? Its bricks, grains, orientations and equations, read anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_orient.jobs import Progress
from napari_orient.reconstruction.decks.volume import Found

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_orient.jobs import Job

Equation = tuple[tuple[int, int, float], ...]


@dataclass
class Deck:
    """The blocks of a file, by their names.

    Attributes
    ----------
    nodes
        (n, 4): number, x, y, z.
    elements
        (m, 9): number, eight nodes.
    element_sets, node_sets
        Name -> numbers.
    orientations
        Name -> (2, 3), the vectors a and b.
    sections
        Element set -> name of its orientation.
    equations
        Terms (node, freedom, factor) of each.
    """

    nodes: NDArray[np.float64]
    elements: NDArray[np.int64]
    element_sets: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    node_sets: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    orientations: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)


def read_inp(path: Path) -> Deck:
    """Read the blocks of an .inp file that :class:`Deck` names; others are left out."""
    deck = Deck(np.empty((0, 4)), np.empty((0, 9), np.int64))
    for keyword, options, rows in _blocks(path):
        if keyword == "NODE":
            deck.nodes = _table(rows).reshape(-1, 4)
        elif keyword == "ELEMENT" and options.get("TYPE") == "C3D8":
            deck.elements = _table(rows).reshape(-1, 9).astype(np.int64)
        elif keyword == "ELSET":
            deck.element_sets[options["ELSET"]] = _table(rows).astype(np.int64)
        elif keyword == "NSET":
            deck.node_sets[options["NSET"]] = _table(rows).astype(np.int64)
        elif keyword == "ORIENTATION":
            deck.orientations[options["NAME"]] = _table(rows).reshape(2, 3)
        elif keyword == "SOLID SECTION":
            deck.sections[options["ELSET"]] = options["ORIENTATION"]
        elif keyword == "EQUATION":
            terms = _table(rows[1:]).reshape(-1, 3)
            deck.equations.append(tuple((int(n), int(d), float(f)) for n, d, f in terms))
    return deck


def _blocks(path: Path) -> list[tuple[str, dict[str, str], list[str]]]:
    """Keyword, options and data lines of each block."""
    found: list[tuple[str, dict[str, str], list[str]]] = []
    with path.open(encoding="ascii") as file:
        for line in file:
            if line.startswith("**"):
                continue
            if line.startswith("*"):
                keyword, *options = (part.strip() for part in line[1:].split(","))
                pairs = (option.partition("=")[::2] for option in options)
                found.append((keyword, dict(pairs), []))
            else:
                found[-1][2].append(line.strip().rstrip(","))
    return found


def _table(rows: list[str]) -> NDArray[np.float64]:
    return np.array(",".join(row for row in rows if row).split(","), np.float64)


def read_abaqus(path: Path, cells: tuple[int, ...], length: float) -> Job[Found]:
    """Read a deck.

    Parameters
    ----------
    path
        The file.
    cells
        Voxels along x, y, z.
    length
        Unit of length of the file, in metres.

    Raises
    ------
    ValueError
        If elements are no bricks of one size, or an element has no grain or several.
    """
    yield Progress(4, 5, "Reading it back")
    deck = read_inp(path)
    place = np.zeros((int(deck.nodes[:, 0].max()) + 1, 3))
    place[deck.nodes[:, 0].astype(np.int64)] = deck.nodes[:, 1:]
    corners = place[deck.elements[:, 1:]]
    edges = corners[:, 6] - corners[:, 0]
    edge = edges.mean(0)
    along = np.stack([corners[:, 1], corners[:, 3], corners[:, 4]], 1) - corners[:, :1]
    if not np.allclose(along, np.diag(edge), atol=1e-6 * edge.min()):
        raise ValueError("elements are no bricks along x, y, z")
    voxel = np.rint(corners.mean(1) / edge - 0.5).astype(np.int64)
    ids = np.full(cells[::-1], -1, np.int64)
    owner = np.full(int(deck.elements[:, 0].max()) + 1, -1)
    matrices = []
    for index, (name, members) in enumerate(deck.element_sets.items()):
        if (owner[members] >= 0).any():
            raise ValueError(f"elements of {name} belong to another grain, too")
        owner[members] = index
        a, b = deck.orientations[deck.sections[name]]
        matrices.append(_axes(a, b))
    ids[tuple(voxel[:, ::-1].T)] = owner[deck.elements[:, 0]]
    if (ids < 0).any():
        raise ValueError(f"{int((ids < 0).sum())} voxels have no element or no grain")
    spacing = tuple((edge * length).tolist())
    return Found(ids, spacing, np.array(matrices), "napari-orient")


def _axes(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Abaqus' local axes as rows: 1 along a, 3 along a x b, 2 along 3 x 1."""
    first = a / np.linalg.norm(a)
    third = np.cross(a, b)
    third /= np.linalg.norm(third)
    return np.stack([first, np.cross(third, first), third])
