"""How is the best small rotation of a crystal found? The compiled search of the refinement."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from napari_orient.diffraction.matching.kernel import fit_amplitude, nearby, score_of, scratch_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.diffraction.matching.kernel import Model, Pattern, Scratch, View

_SHRINK = 0.4  # of the step, where no neighbour is better


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _climb(
    pattern: Pattern,
    brightest: float,
    start: NDArray[np.float64],
    model: Model,
    view: View,
    scratch: Scratch,
    steps: tuple[float, float, float],
    around: int,
    best: NDArray[np.float64],
) -> float:
    """Find the best small rotation ``best`` (3,); return its score, not yet divided by |P|.

    First all tilts up to ``around`` steps away. Then, along one axis after the other, both
    neighbours are looked at; a better one is taken, else the vertex of the parabola through the
    three, if it is better. Where no neighbour was better on any axis the step shrinks.
    """
    step, last, farthest = steps
    near = nearby(start, model, 2 * farthest, scratch)
    a = fit_amplitude(pattern, brightest, start, near, model, view, scratch)
    trial = np.zeros(3)
    best[:] = 0
    top = -math.inf
    for i in range(-around, around + 1):
        for j in range(-around, around + 1):
            trial[0], trial[1] = i * step, j * step
            value = score_of(pattern, a, start, trial, near, model, view, scratch)
            if value > top:
                best[:] = trial
                top = value
    trial[:] = best
    side = np.empty(2)
    while step >= last:
        moved = False
        for axis in range(3):
            for j in range(2):
                trial[axis] = best[axis] + (2 * j - 1) * step
                side[j] = score_of(pattern, a, start, trial, near, model, view, scratch)
                if abs(trial[axis]) > farthest:
                    side[j] = -math.inf
            if max(side[0], side[1]) > top:
                better = 1 if side[1] > side[0] else 0
                best[axis] += (2 * better - 1) * step
                top = side[better]
                moved = True
            else:
                bend = side[0] + side[1] - 2 * top
                shift = (side[0] - side[1]) / (2 * bend) if -math.inf < bend < 0 else 0.0
                trial[axis] = best[axis] + step * shift
                value = score_of(pattern, a, start, trial, near, model, view, scratch)
                if value > top:
                    best[axis], top = trial[axis], value
            trial[axis] = best[axis]
        if not moved:
            step *= _SHRINK
    return float(top)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def climb_all(
    images: NDArray[np.float32],
    norms: NDArray[np.float64],
    centres: NDArray[np.float64],
    background: NDArray[np.float64],
    brightest: NDArray[np.float64],
    matrices: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    model: Model,
    view: View,
    steps: tuple[float, float, float],
    around: int,
    angles: NDArray[np.float64],
    score: NDArray[np.float32],
) -> None:
    """Fill ``angles`` (n, k, 3) and ``score`` (n, k) where candidates are wanted."""
    scratch = scratch_for(len(model[0]))
    for i in range(len(images)):
        for k in range(wanted.shape[1]):
            if wanted[i, k] and norms[i] > 0:
                top = _climb(
                    (images[i], centres[i], background[i]), brightest[i], matrices[i, k],
                    model, view, scratch, steps, around, angles[i, k],
                )  # fmt: skip
                score[i, k] = top / norms[i]
