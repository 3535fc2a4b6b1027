"""Descriptors of maps with holes and edges: sums over what is known, over their number.

A map is not periodic, and some of its points are not indexed. Each statistic is estimated from
those points and neighbours that are known, so that it is that of the material: without a bias by
the borders. Several pieces (maps, sublattices) add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_orient.reconstruction.descriptors import field_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Piece:
    """Fields of a map: (K, rows, columns) float64, known (rows, columns) bool.

    Where ``counted`` (rows, columns) is given, only points in it are looked at, with neighbours
    all around.
    """

    fields: Tensor
    known: Tensor
    periodic: bool = False
    counted: Tensor | None = None

    @property
    def base(self) -> Tensor:
        """Points that are known, and counted."""
        return self.known if self.counted is None else self.known & self.counted


@dataclass(frozen=True, eq=False)
class Target:
    """The descriptors that slices along one axis are to have, at one scale.

    Attributes
    ----------
    two_point
        (pairs, window, window).
    three_point
        (K, n, n).
    variation
        (K,).
    """

    two_point: Tensor
    three_point: Tensor
    variation: Tensor


def estimate(pieces: Sequence[Piece], window: int, lags: NDArray[np.int64]) -> Target:
    """Estimate the descriptors of a material from pieces of maps.

    Raises
    ------
    ValueError
        If no piece is large enough for the window.
    """
    found = Target(
        _ratio([_two_point(piece, window) for piece in pieces]),
        _ratio([_three_point(piece, lags) for piece in pieces]) / 2,
        _ratio([_variation(piece) for piece in pieces]),
    )
    if not all(torch.isfinite(part).all() for part in vars(found).values()):
        shape = " x ".join(map(str, pieces[0].known.shape))
        raise ValueError(
            f"The reference ({shape} points, {int(pieces[0].known.sum())} of them indexed) is too "
            f"small for a window of {window} points: take a smaller window or a larger map."
        )
    return found


def _ratio(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Sum of sums over the sum of counts."""
    total = torch.stack([value for value, _ in parts]).sum(0)
    count = torch.stack([count for _, count in parts]).sum(0)
    return total / count


def _beside(array: Tensor, down: int, right: int, periodic: bool) -> Tensor:
    """X + r (..., rows, columns) of an array; zero beyond edges that do not meet."""
    if periodic:
        return array.roll((-down, -right), (-2, -1))
    rows, columns = array.shape[-2:]
    made = torch.zeros_like(array)
    if abs(down) >= rows or abs(right) >= columns:
        return made
    to = (slice(max(0, -down), rows - max(0, down)), slice(max(0, -right), columns - max(0, right)))
    of = (slice(max(0, down), rows + min(0, down)), slice(max(0, right), columns + min(0, right)))
    made[(..., *to)] = array[(..., *of)]
    return made


def _two_point(piece: Piece, window: int) -> tuple[Tensor, Tensor]:
    """Sums (pairs, window, window) of z_a(x) z_b(x + r) and their numbers, by padded transforms."""
    rows, columns = piece.known.shape
    far = window // 2
    size = (rows, columns) if piece.periodic else (rows + far, columns + far)
    known, base = (mask.to(piece.fields.dtype) for mask in (piece.known, piece.base))
    first, second = field_pairs(len(piece.fields))
    of, beside = (torch.fft.rfft2(piece.fields * mask, s=size) for mask in (base, known))
    sums = torch.fft.irfft2(of[first].conj() * beside[second], s=size)
    masks = torch.fft.rfft2(base, s=size).conj() * torch.fft.rfft2(known, s=size)
    counts = torch.fft.irfft2(masks, s=size).round()
    place = np.arange(-far, far + 1)
    down, right = np.ix_(place % size[0], place % size[1])
    return sums[:, down, right], counts[down, right].expand(len(first), -1, -1)


def _three_point(piece: Piece, lags: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    known = piece.known
    both = torch.stack(
        [_beside(known, d, r, piece.periodic) & piece.base for d, r in lags.tolist()]
    ).flatten(1)
    weights = both.to(torch.float32)
    counts = (weights @ weights.T).double()  # whole numbers: exact below 2^24
    sums = []
    for field in piece.fields:
        beside = [_beside(field, d, r, piece.periodic) for d, r in lags.tolist()]
        apart = (torch.stack(beside) - field).abs().flatten(1) * both
        sums.append(apart @ apart.T)
    return torch.stack(sums), counts.expand(len(sums), -1, -1)


def _variation(piece: Piece) -> tuple[Tensor, Tensor]:
    known = piece.known
    steps = [
        (_beside(piece.fields, d, r, piece.periodic) - piece.fields) ** 2
        for d, r in ((1, 0), (0, 1))
    ]
    there = piece.base & _beside(known, 1, 0, piece.periodic) & _beside(known, 0, 1, piece.periodic)
    size = (steps[0] + steps[1]).sqrt() * there
    return size.sum((-2, -1)), there.sum().to(size.dtype).expand(len(piece.fields))


def sublattices(piece: Piece, spacing: int) -> list[Piece]:
    """Every ``spacing``-th point, from all starts: what a coarser grid sees of a material."""
    if spacing == 1:
        return [piece]
    whole = all(n % spacing == 0 for n in piece.known.shape)
    return [
        Piece(
            piece.fields[:, y::spacing, x::spacing],
            piece.known[y::spacing, x::spacing],
            piece.periodic and whole,
            None if piece.counted is None else piece.counted[y::spacing, x::spacing],
        )
        for y in range(spacing)
        for x in range(spacing)
    ]


def pooled_pieces(piece: Piece) -> list[Piece]:
    """Means of 2 x 2 points, from all four starts; known where all four points are."""
    if min(piece.known.shape) < 2:
        return []
    starts = [(0, 0), (0, 1), (1, 0), (1, 1)]
    return [_pooled(piece, down, right) for down, right in starts]


def _pooled(piece: Piece, down: int, right: int) -> Piece:
    fields, known, counted = piece.fields, piece.known, piece.counted
    if counted is None:
        counted = torch.ones_like(known)
    even = all(n % 2 == 0 for n in known.shape)
    if piece.periodic and even:
        fields, known, counted = (
            a.roll((-down, -right), (-2, -1)) for a in (fields, known, counted)
        )
    else:
        rows, columns = (
            n - (n - start) % 2 for n, start in zip(known.shape, (down, right), strict=True)
        )
        cut = (..., slice(down, rows), slice(right, columns))
        fields, known, counted = fields[cut], known[cut], counted[cut]
    masks = torch.stack([known, counted]).double()
    share = torch.nn.functional.avg_pool2d(masks, 2)
    mean = torch.nn.functional.avg_pool2d(fields, 2)
    in_band = None if piece.counted is None else share[1] >= 0.5
    return Piece(mean, share[0] == 1, piece.periodic and even, in_band)
