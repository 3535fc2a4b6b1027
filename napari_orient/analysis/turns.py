"""In which of eight ways can one grid lie on another? The flips and transposes of an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Turn(NamedTuple):
    """One of the eight: rows and columns exchanged first, then reversed along each axis."""

    transpose: bool
    up_down: bool
    left_right: bool

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a view of (y, x, ...) turned so."""
        turned = np.swapaxes(array, 0, 1) if self.transpose else array
        return turned[:: -1 if self.up_down else 1, :: -1 if self.left_right else 1]

    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the (y, x) that an array of ``shape`` then has."""
        return (shape[1], shape[0]) if self.transpose else (shape[0], shape[1])

    @property
    def words(self) -> str:
        """What is done to the array, as a microscopist says it."""
        return _WORDS[self]


_WORDS = {
    Turn(False, False, False): "as it is",
    Turn(False, True, False): "flipped top to bottom",
    Turn(False, False, True): "flipped left to right",
    Turn(False, True, True): "turned by 180°",
    Turn(True, False, False): "rows and columns exchanged",
    Turn(True, False, True): "turned by 90° clockwise",
    Turn(True, True, False): "turned by 90° anticlockwise",
    Turn(True, True, True): "rows and columns exchanged, turned by 180°",
}
TURNS: tuple[Turn, ...] = tuple(_WORDS)
"""All eight, the unchanged one first."""


def possible_turns(shape: tuple[int, ...], other: tuple[int, ...]) -> tuple[Turn, ...]:
    """Return the turns that make an array of ``shape`` (y, x) as high and wide as ``other``.

    Four where the two differ in height and width, eight for squares, none where no turn does: then
    one of the two was cropped, binned, or is of another specimen.
    """
    wanted = (other[0], other[1])
    return tuple(turn for turn in TURNS if turn.shape(shape) == wanted)
