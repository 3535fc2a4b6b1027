"""How far are two textures apart? By their ODFs, and by their pole figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_orient.analysis.texture.odf import Odf


class PoleDifference(NamedTuple):
    """How far two pole figures are apart.

    Attributes
    ----------
    mean
        Mean over the sphere of the absolute difference, in mrd: their mean is 1.
    rp
        Mean of the absolute difference over the first, in percent, where the first is above 1 mrd
        (the RP error of texture analysis).
    """

    mean: float
    rp: float


def odf_distance(a: Odf, b: Odf) -> tuple[float, float]:
    """Return the L2 distance of two distributions, and it over the root of their texture indices.

    sqrt of the mean of (f_a - f_b)^2 over all rotations; relative to (TI_a TI_b)^(1/4), which is
    the scale of f itself: 0 for equal ones, sqrt(2) for equally sharp ones that do not overlap.

    Raises
    ------
    ValueError
        If crystal symmetry or halfwidth differ: the distance would be theirs.
    """
    check_alike(a, b)
    square = sum(
        np.sum(np.abs(x - y) ** 2) for x, y in zip(a.coefficients, b.coefficients, strict=True)
    )
    distance = float(np.sqrt(square))
    return distance, distance / float((a.texture_index * b.texture_index) ** 0.25)


def check_alike(a: Odf, b: Odf) -> None:
    """Raise ValueError where two distributions cannot be compared."""
    from napari_orient.crystal.rotations import laue_operators

    first, second = laue_operators(a.group), laue_operators(b.group)
    same = len(first) == len(second) and (np.abs(first @ second.T).max(axis=1) > 1 - 1e-6).all()
    if not same:
        raise ValueError("the two textures belong to crystals of different symmetry")
    if a.halfwidth != b.halfwidth:
        said = f"{a.halfwidth:g} and {b.halfwidth:g} degrees"
        raise ValueError(f"the two textures are smoothed by different halfwidths, {said}")


def pole_figure_difference(
    a: Odf, b: Odf, poles: Sequence[str | ArrayLike]
) -> dict[str, PoleDifference]:
    """Compare pole figures of two distributions, by indices or vectors of the poles.

    Raises
    ------
    ValueError
        As in :func:`odf_distance`.
    """
    check_alike(a, b)
    directions = _even_directions()
    found = {}
    for pole in poles:
        first, second = (odf.pole_figure(pole) for odf in (a, b))
        x, y = first.at(directions), second.at(directions)
        high = x > 1
        rp = 100 * float(np.mean(np.abs(x - y)[high] / x[high])) if high.any() else 0.0
        found[first.name] = PoleDifference(float(np.mean(np.abs(x - y))), rp)
    return found


def _even_directions(n: int = 10_000) -> NDArray[np.float64]:
    """Unit vectors (n, 3) spread evenly over half a sphere, along a spiral."""
    height = (np.arange(n) + 0.5) / n
    turn = np.arange(n) * np.pi * (3 - np.sqrt(5))
    wide = np.sqrt(1 - height**2)
    return np.stack([wide * np.cos(turn), wide * np.sin(turn), height], axis=1)
