"""Which grains touch? The misorientations of boundaries, as targets for the grains of a field.

Correlations of harmonics of low degree do not see the sharp peaks of twins. So, where whole grains
are turned, boundaries are compared themselves: the distribution, over their length, of the angle
from each of a few centres (no misorientation, and the peaks of the reference, twins mostly) is to
be that of the reference. The distance of two distributions of one number is Wasserstein's, which
sorting gives at once (Bonneel et al., J. Math. Imaging Vis. 51 (2015) 22: sliced).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_orient.analysis.grains.grains import Grains

LEVELS = np.linspace(0.005, 0.995, 100)  # at which quantiles are kept
_NEAR = 5.0  # degrees: a peak
_APART = 20.0  # degrees between two peaks
_LEAST = 0.08  # share of the boundaries in a peak
_MOST = 3  # peaks
_TRIED = 400  # boundaries, as middles of peaks


@dataclass(frozen=True, eq=False)
class Boundaries:
    """Misorientations of the boundaries between grains of one phase.

    Attributes
    ----------
    group
        Its point group.
    centres
        (C, 4) misorientations g_a g_b^-1 from which angles are counted, the first of them none.
    quantiles
        (C, 100) angles in radians from each centre, at :data:`LEVELS` of the length.
    """

    group: str
    centres: NDArray[np.float64]
    quantiles: NDArray[np.float64]

    @cached_property
    def equivalents(self) -> tuple[Tensor, ...]:
        """(m, 4) float32 of each centre: all that are the same boundary."""
        return tuple(
            torch.as_tensor(_equivalents(c, self.group), dtype=torch.float32) for c in self.centres
        )

    def distance(self, a: Tensor, b: Tensor, extent: Tensor) -> Tensor:
        """Squared Wasserstein distance in radians^2, the mean over the centres.

        Parameters
        ----------
        a, b
            (n, 4) orientations of the grains on both sides of each boundary.
        extent
            (n,) lengths or areas.
        """
        total = a.new_zeros(())
        share = extent / extent.sum()
        between = _times_inverse(_unit(a), _unit(b))
        for equal, wanted in zip(self.equivalents, self.quantiles, strict=True):
            angle = _angle(between, equal.to(a))
            order = torch.argsort(angle.detach())
            level = torch.cumsum(share[order], 0) - share[order] / 2
            to = np.interp(level.cpu().numpy(), LEVELS, wanted)
            apart = angle[order] - torch.as_tensor(to, dtype=a.dtype, device=a.device)
            total = total + (share[order] * apart**2).sum()
        return total / len(self.centres)


def measure_boundaries(
    grains: Grains, phase: int = 0, centres: NDArray[np.float64] | None = None
) -> Boundaries | None:
    """Measure those between the grains of a phase; None if there are none.

    Parameters
    ----------
    centres
        As of another material; otherwise none, and the peaks that hold 8 % or more.
    """
    pairs, extent = grains.contacts.pairs, grains.contacts.extent
    own = (grains.table["phase"][pairs - 1] == phase).all(axis=1)
    group = grains.orientations.phases[phase].point_group
    if not own.any():
        return None
    a, b = (torch.as_tensor(grains.means[pairs[own, side] - 1]) for side in (0, 1))
    between, share = _times_inverse(a, b), extent[own] / extent[own].sum()
    if centres is None:
        centres = np.concatenate([[(1.0, 0.0, 0.0, 0.0)], _peaks(between, share, group)])
    quantiles = []
    for centre in centres:
        angle = _angle(between, torch.as_tensor(_equivalents(centre, group))).numpy()
        order = np.argsort(angle)
        level = np.cumsum(share[order]) - share[order] / 2
        quantiles.append(np.interp(LEVELS, level, angle[order]))
    return Boundaries(group.name, centres, np.array(quantiles))


def _peaks(between: Tensor, share: NDArray[np.float64], group: Any) -> NDArray[np.float64]:
    """Misorientations (k, 4) around which many boundaries are."""
    order = np.argsort(share)[::-1][:_TRIED]
    near = np.stack(
        [
            _angle(between, torch.as_tensor(_equivalents(between[n].numpy(), group))).numpy()
            for n in order
        ]
    )
    held = (near < np.radians(_NEAR)) @ share
    found: list[int] = []
    for n in np.argsort(held)[::-1]:
        apart = all(near[n, order[m]] > np.radians(_APART) for m in found)
        if held[n] >= _LEAST and apart and len(found) < _MOST:
            found.append(int(n))
    return np.asarray(between.numpy()[order[found]].reshape(-1, 4))


def _equivalents(centre: NDArray[np.float64], group: Any) -> NDArray[np.float64]:
    """All s c t and s c^-1 t (m, 4) with operators s and t, each once (q and -q are one)."""
    from napari_orient.crystal.rotations import conjugate, laue_operators, multiply

    operators = laue_operators(group)
    both = np.stack([centre, conjugate(centre)])
    every = multiply(multiply(operators[:, None, None], both[:, None]), operators).reshape(-1, 4)
    code = every.round(6) + 0.0
    first = np.take_along_axis(code, (code != 0).argmax(1)[:, None], 1)
    unique = np.unique(code * np.sign(first) + 0.0, axis=0, return_index=True)[1]
    return np.asarray(every[unique])


def _unit(q: Tensor) -> Tensor:
    return torch.nn.functional.normalize(q, dim=-1)


def _times_inverse(a: Tensor, b: Tensor) -> Tensor:
    """Return a b^-1 of unit quaternions."""
    w, x, y, z = b.unbind(-1)
    rows = torch.stack(
        [
            torch.stack([w, x, y, z], -1),
            torch.stack([-x, w, -z, y], -1),
            torch.stack([-y, z, w, -x], -1),
            torch.stack([-z, -y, x, w], -1),
        ],
        -2,
    )
    made: Tensor = (rows @ a[..., None])[..., 0]
    return made


def _angle(between: Tensor, equivalents: Tensor) -> Tensor:
    """Angle (n,) in radians to the nearest of the equivalents."""
    cosine = (between @ equivalents.T).abs().amax(-1)
    # no slope of the arc cosine is infinite: angles below 0.1 degrees are as good as none
    return 2 * torch.arccos(cosine.clamp(max=1 - 4e-7))
