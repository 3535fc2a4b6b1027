"""What is compared: grains as draws from a material, each with its size, shape and boundaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains

BIN = 1.0  # degrees
_TOGETHER = 5  # grains of a block, about


class Sample(NamedTuple):
    """Grains of one phase, of one or several fields of view.

    Attributes
    ----------
    diameter, aspect_ratio
        (n,) of the grains that count.
    elongation
        (n, axes, axes) tensor of each of them: ln(aspect ratio) (a a^T - 1 / axes), a along the
        longest axis; its mean says how grains are elongated, and where to.
    means, weights
        (m, 4) mean orientations and (m,) sizes of all grains, those at the edge with them: texture
        is of the material, whatever cuts its grains.
    boundaries
        (m, bins) length of boundary by misorientation, in bins of 1 degree, dealt out to grains.
    block, block_of_all
        (n,) and (m,) number of the patch of some neighbours that a grain belongs to. Neighbours
        are alike, by the boundary that they share: so patches are what chance deals out.
    """

    diameter: NDArray[np.float64]
    aspect_ratio: NDArray[np.float64]
    elongation: NDArray[np.float64]
    means: NDArray[np.float64]
    weights: NDArray[np.float64]
    boundaries: NDArray[np.float64]
    block: NDArray[np.int64]
    block_of_all: NDArray[np.int64]

    @property
    def axes(self) -> int:
        """2 for maps, 3 for volumes."""
        return int(self.elongation.shape[1])


def draw_sample(fields: Sequence[Grains], phase: Sequence[int], least: float) -> Sample:
    """Collect the grains of some fields of view.

    Parameters
    ----------
    fields
        Grains of one or several maps (or volumes) of one unit.
    phase
        Number of the phase in each.
    least
        Smallest area (volume) that counts, in unit^2 (unit^3): for all fields alike.
    """
    parts = [_of(grains, n, least) for grains, n in zip(fields, phase, strict=True)]
    behind = 0
    for n, part in enumerate(parts):  # blocks of one field are none of another
        numbers = {name: getattr(part, name) + behind for name in ("block", "block_of_all")}
        parts[n] = part._replace(**numbers)
        behind = int(parts[n].block_of_all.max(initial=behind)) + 1
    return Sample(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _of(grains: Grains, phase: int, least: float) -> Sample:
    table = grains.table
    own = (table["phase"] == phase) & (table[grains.size_column] >= least)
    counted = own & grains.counted
    block = _blocks(grains, own)
    return Sample(
        table["diameter"][counted],
        table["aspect_ratio"][counted],
        _elongation(grains, counted),
        grains.means[own],
        np.asarray(table[grains.size_column][own], np.float64),
        _boundaries(grains)[own],
        block[counted],
        block[own],
    )


def _blocks(grains: Grains, own: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the square (cubic) patches of the field in which the centres of grains lie."""
    size = grains.table[grains.size_column]
    if not own.any():
        return np.zeros(len(own), np.int64)
    side = (_TOGETHER * float(size[own].mean())) ** (1 / grains.dimensions)
    axes = grains.orientations.axes
    place = np.stack([np.nan_to_num(grains.table[name]) for name in axes], axis=-1)
    tile = np.floor((place - place.min(axis=0)) / side).astype(np.int64)
    return np.asarray(np.unique(tile, axis=0, return_inverse=True)[1].reshape(-1), np.int64)


def _elongation(grains: Grains, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    table, axes = grains.table, grains.dimensions
    if axes == 2:
        angle = np.radians(table["axis"][counted])
        longest = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    else:
        longest = np.stack([table[f"axis_{name}"][counted] for name in "zyx"], axis=-1)
    tensor = longest[:, :, None] * longest[:, None] - np.eye(axes) / axes
    return np.asarray(np.log(table["aspect_ratio"][counted])[:, None, None] * tensor)


def _boundaries(grains: Grains) -> NDArray[np.float64]:
    """Boundary length (n, bins) by misorientation, each boundary at the first of its two grains.

    At both, it would count as two draws, and chance would look like a difference.
    """
    contacts, count = grains.contacts, round(180 / BIN)
    known = np.isfinite(contacts.angle)
    place = np.minimum((contacts.angle[known] / BIN).astype(int), count - 1)
    row = contacts.pairs[known, 0].astype(np.int64) - 1
    total = np.bincount(row * count + place, contacts.extent[known], len(grains) * count)
    return np.asarray(total.reshape(len(grains), count), np.float64)


def least_extent(fields: Sequence[Any]) -> float:
    """Return the smallest area (volume) that all of some fields can see as a grain."""
    return max(
        (float(g.config.smallest * np.prod(g.orientations.step)) for g in fields), default=0.0
    )
