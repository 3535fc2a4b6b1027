"""What is drawn over a pattern? Rings and spots of a phase, in pattern pixels; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Overlay:
    """Lines, circles and texts over a pattern; every place is (ky, kx) in pixels.

    Attributes
    ----------
    curves
        Polylines (n, 2), rings for example.
    spots
        (m, 2) centres of circles.
    sizes
        (m,) radii in pixels.
    labels
        Text, ky, kx; where they collide, the first is drawn. ``-1`` in a text is drawn as 1 with a
        bar over it.
    colour
        As Qt reads it.
    """

    curves: tuple[NDArray[np.float64], ...]
    spots: NDArray[np.float64]
    sizes: NDArray[np.float64]
    labels: tuple[tuple[str, float, float], ...]
    colour: str = "#40e0ff"
