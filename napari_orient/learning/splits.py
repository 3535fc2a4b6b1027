"""Which patterns are learned, which choose when to stop, which judge? A split of the labelled ones.

Neighbours in a grain are nearly one pattern. A random split (the paper's) puts neighbours of each
test pixel into training, and tells how well patterns are remembered; whole grains tell how well
orientations that were never seen are found. Spatial blocks lie between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_orient.analysis.scores import SPLIT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_orient.learning.labels import Labelled

Kind = Literal["grains", "blocks", "random"]
Shares = tuple[float, float, float]

LEFT_OUT = -1
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))  # a wall 1 px thick is no wall
_SMALLEST = 10  # points: what is smaller belongs to the grain around it
_BLOCKS = 150  # so many blocks, about
_LEAST_BLOCK = 6  # px, of a block's side
_ROUNDS = 12  # in which blocks are shared out again, to make up for the margins
_OFF = 0.02  # shares that are off by more are remarked on


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled patterns in three parts.

    Attributes
    ----------
    part
        (y, x) int8: 0 training, 1 validation, 2 test, -1 left out.
    kind
        "grains", "blocks" or "random".
    groups
        Whole grains, or blocks, in each part; None for a random split.
    notes
        What is not as it was asked for, in sentences.
    """

    part: NDArray[np.int8]
    kind: Kind
    groups: tuple[int, int, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> tuple[int, int, int]:
        """Patterns in each part."""
        a, b, c = (int((self.part == number).sum()) for number in range(3))
        return a, b, c

    @property
    def shares(self) -> Shares:
        """Of the patterns that are not left out."""
        a, b, c = (n / max(1, sum(self.counts)) for n in self.counts)
        return a, b, c

    def mask(self, part: str) -> NDArray[np.bool_]:
        """(y, x) bool of "train", "validation" or "test"."""
        return np.asarray(self.part == SPLIT[part])

    def __str__(self) -> str:
        groups = self.groups or (None,) * 3
        parts = [
            f"{count} for {name} ({share:.0%}" + (f", {n} {self.kind})" if self.groups else ")")
            for name, count, share, n in zip(
                ("training", "validation", "test"), self.counts, self.shares, groups, strict=True
            )
        ]
        return f"Patterns: {', '.join(parts)}."


def split_labels(
    labels: Labelled, kind: Kind = "grains", shares: Shares = (0.6, 0.2, 0.2), seed: int = 0
) -> Split:
    """Split labelled patterns; grains are those of the whole phase, whatever Q and R.

    Parameters
    ----------
    labels, kind, shares, seed
        See :func:`split`.
    """
    return split(
        labels.kept, kind, shares, seed,
        quaternions=labels.map.quaternions, group=labels.group, known=labels.of_phase,
    )  # fmt: skip


def split(
    kept: NDArray[np.bool_],
    kind: Kind = "random",
    shares: Shares = (0.6, 0.2, 0.2),
    seed: int = 0,
    *,
    quaternions: ArrayLike | None = None,
    group: Any = None,
    known: NDArray[np.bool_] | None = None,
    threshold: float = 5.0,
    block: int | None = None,
    margin: int = 2,
) -> Split:
    """Share labelled patterns out to training, validation and test.

    Parameters
    ----------
    kept
        (y, x) bool: what is shared out.
    kind
        "random", pattern by pattern; "blocks", square blocks of the scan; "grains", whole grains.
    shares
        Of training, validation and test, 1 together.
    seed
        The same seed gives the same split.
    quaternions, group, known
        For grains: orientations (y, x, 4), the point group of the phase, and (y, x) bool where
        they mean something (also beside ``kept``: a grain that a filter cuts remains one).
    threshold
        Degrees between neighbours of two grains.
    block
        Side of a block in pixels; None takes about 150 blocks.
    margin
        For blocks: patterns so near (in pixels) to one of another part are left out.

    Raises
    ------
    ValueError
        If nothing is kept, or there are fewer patterns, blocks or grains than parts.
    """
    if not kept.any():
        raise ValueError("There is no labelled pattern to split.")
    random = np.random.default_rng(seed)
    if kind == "random":
        part = np.full(kept.shape, LEFT_OUT, np.int8)
        part[kept] = _shuffled(int(kept.sum()), shares, random)
        return _checked(Split(part, kind), shares)
    if kind == "blocks":
        return _checked(_split_blocks(kept, shares, seed, block, margin), shares)
    if quaternions is None or group is None:
        raise ValueError("whole grains: orientations and the point group are needed")
    q = np.asarray(quaternions, np.float64)
    grains = label_grains(q, kept if known is None else known | kept, group, threshold)
    sizes = np.bincount(grains[kept])
    of_grain = _share_out(sizes, shares, random, "grains")
    part = np.where(kept, of_grain[grains], LEFT_OUT).astype(np.int8)
    return _checked(Split(part, kind, _groups(of_grain, sizes)), shares)


def _groups(of_group: NDArray[np.int8], sizes: NDArray[np.int64]) -> tuple[int, int, int]:
    a, b, c = np.bincount(of_group[sizes > 0], minlength=3).tolist()
    return a, b, c


def _checked(split: Split, shares: Shares) -> Split:
    """Add a note where shares are not as asked for."""
    off = np.abs(np.subtract(split.shares, shares)).max()
    if off <= _OFF:
        return split
    asked = ", ".join(f"{share:.0%}" for share in shares)
    note = f"{split} Asked for were {asked}: the {split.kind} are too large or too few for that."
    return Split(split.part, split.kind, split.groups, (note,))


def _shuffled(n: int, shares: Shares, random: np.random.Generator) -> NDArray[np.int8]:
    """Part (n,) of each of n patterns, in random order, as near to the shares as can be."""
    borders = np.rint(np.cumsum(shares) * n).astype(np.int64)
    borders[-1] = n
    counts = np.diff(borders, prepend=0)
    if (counts[np.array(shares) > 0] == 0).any():
        raise ValueError(f"{n} patterns are too few to be split.")
    return np.asarray(random.permutation(np.repeat(np.arange(3, dtype=np.int8), counts)))


def _share_out(
    sizes: NDArray[np.int64], shares: Shares, random: np.random.Generator, what: str
) -> NDArray[np.int8]:
    """Part (n,) of each of n groups of so many patterns.

    From the largest to the smallest: by lot among the parts it fits into, weighed by the room they
    have left, so that no part gets the large ones alone; the last ones fill the gaps.
    """
    wanted = np.array(shares, np.float64)
    if (sizes > 0).sum() < (wanted > 0).sum():
        raise ValueError(
            f"The labelled patterns are in {int((sizes > 0).sum())} {what} only, too few to be "
            "split: choose another kind of split, or a larger map."
        )
    room = wanted * sizes.sum()
    part = np.zeros(len(sizes), np.int8)
    lots = random.random(len(sizes))
    order = np.argsort(-sizes, kind="stable")
    for one in order[sizes[order] > 0]:
        fits = np.where(room >= sizes[one], room, 0.0)
        chosen = int(np.searchsorted(np.cumsum(fits) / fits.sum(), lots[one], side="right")) if (
            fits.any()
        ) else int(room.argmax())  # fmt: skip
        part[one] = min(chosen, 2)
        room[part[one]] -= sizes[one]
    _fill_empty(part, sizes, wanted)
    return part


def _fill_empty(
    part: NDArray[np.int8], sizes: NDArray[np.int64], wanted: NDArray[np.float64]
) -> None:
    """Give a part that got no group one of about its size, from a part that has several."""
    for number in np.flatnonzero(wanted > 0):
        groups = _groups(part, sizes)
        if groups[number] == 0:
            held = np.array(groups)
            spare = np.flatnonzero((sizes > 0) & (held[part] > 1))
            off: NDArray[np.float64] = np.abs(sizes[spare] - wanted[number] * sizes.sum())
            part[spare[off.argmin()]] = number


# --- blocks --------------------------------------------------------------------------------------


def _split_blocks(
    kept: NDArray[np.bool_], shares: Shares, seed: int, side: int | None, margin: int
) -> Split:
    """Share blocks out; margins cost small parts more, and that is made up for."""
    if side is None:
        side = max(_LEAST_BLOCK, 4 * margin, round(float(np.sqrt(kept.size / _BLOCKS))))
    rows, columns = (np.arange(n) // side for n in kept.shape)
    block = rows[:, None] * (columns[-1] + 1) + columns
    sizes = np.bincount(block[kept], minlength=int(block.max()) + 1)
    wanted, best, least = np.array(shares), None, np.inf
    for _ in range(_ROUNDS):
        asked: Shares = tuple((wanted / wanted.sum()).tolist())
        of_block = _share_out(sizes, asked, np.random.default_rng(seed), "blocks")
        part = np.where(kept, _without_margins(of_block[block], margin), LEFT_OUT).astype(np.int8)
        made = Split(part, "blocks", _groups(of_block, sizes))
        found = np.array(made.shares)
        off = float(np.abs(found - shares).max())
        if off < least:
            best, least = made, off
        # half of the way: a whole block may go to and fro
        wanted = wanted * np.sqrt(np.array(shares) / np.maximum(found, 1e-3))
    assert best is not None
    return best


def _without_margins(part: NDArray[np.int8], margin: int) -> NDArray[np.int8]:
    """Leave out what is within ``margin`` pixels of another part."""
    from scipy.ndimage import maximum_filter, minimum_filter

    width = 2 * margin + 1
    same = maximum_filter(part, width) == minimum_filter(part, width)
    return np.where(same, part, LEFT_OUT).astype(np.int8)


# --- grains --------------------------------------------------------------------------------------


def label_grains(
    quaternions: NDArray[np.float64], known: NDArray[np.bool_], group: Any, threshold: float = 5.0
) -> NDArray[np.int64]:
    """Number the connected grains (y, x) of a map; 0 is also given where nothing is known.

    For a split, which must not tear anything asunder: neighbours up to two pixels apart join, and
    crystals turned by 180 degrees about the beam, which labels confuse, are one. What is smaller
    than 10 points is counted to the grain it has most neighbours in.

    Parameters
    ----------
    quaternions
        (y, x, 4).
    known
        (y, x) bool, where they mean something.
    group
        Point group of the phase.
    threshold
        Degrees between neighbours of two grains.
    """
    from napari_orient.crystal.rotations import misorientation_angle

    place, flat = np.arange(known.size).reshape(known.shape), quaternions.reshape(-1, 4)
    sides = [_beside(known.shape, dy, dx) for dy, dx in _NEIGHBOURS]
    pairs = np.concatenate(
        [np.stack([place[a], place[b]]).reshape(2, -1) for a, b in sides], axis=1
    )
    pairs = pairs[:, known.ravel()[pairs].all(axis=0)]
    # most neighbours are alike without any symmetry, and it takes long to try it
    alike = np.abs((flat[pairs[0]] * flat[pairs[1]]).sum(-1)) >= np.cos(np.radians(threshold / 2))
    apart = pairs[:, ~alike]
    grain = _components(pairs[:, alike], known.size)
    apart = apart[:, grain[apart[0]] != grain[apart[1]]]
    angle = misorientation_angle(flat[apart[0]], flat[apart[1]], group, modulo_beam=True)
    joined = np.concatenate([pairs[:, alike], apart[:, angle <= threshold]], axis=1)
    return _without_islands(_components(joined, known.size).reshape(known.shape), known)


def _beside(
    shape: tuple[int, ...], dy: int, dx: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Index of all points that have a neighbour (dy, dx) away, and of these neighbours."""
    height, width = shape
    left, right = max(0, -dx), width - max(0, dx)
    return (
        (slice(0, height - dy), slice(left, right)),
        (slice(dy, height), slice(left + dx, right + dx)),
    )


def _components(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Number (n,) of the connected component of each of n points."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _without_islands(grain: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Join what is smaller than a grain with the neighbour it has most sides in common with."""
    n = int(grain.max()) + 1
    sizes = np.bincount(grain[known], minlength=n)
    sides = []
    for dy, dx in _NEIGHBOURS[:2]:
        a, b = _beside(grain.shape, dy, dx)
        both = known[a] & known[b] & (grain[a] != grain[b])
        one, other = grain[a][both], grain[b][both]
        sides += [np.stack([one, other]), np.stack([other, one])]
    pairs = np.concatenate(sides, axis=1)
    pairs = pairs[:, sizes[pairs[0]] < _SMALLEST]
    both, count = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((sizes[both[1]], count, both[0]))  # the longest border, the largest grain
    last = np.flatnonzero(np.diff(both[0][order], append=n))
    joined = _components(both[:, order[last]], n)[grain]
    numbers = np.unique(joined[known])
    return np.where(known, np.searchsorted(numbers, joined), 0)
