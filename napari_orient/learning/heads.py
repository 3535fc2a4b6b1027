"""What does a network say, and how wrong is it? Euler angles, one rotation, or several with odds.

euler
    The three Bunge angles of the representative in the asymmetric ranges of the Laue class, each
    divided by its range; Huber's loss, as in "STEM diffraction pattern analysis with deep
    learning", section 2.2. Angles jump: where an orientation sits on the border of the ranges,
    neighbours have far targets.
rotation
    Six numbers, made a matrix by Gram and Schmidt (Zhou et al., CVPR 2019): no jumps. The loss is
    the chord of the smallest misorientation over the symmetry.
mixture
    h rotations with probabilities p and sharpness k. The loss is the negative logarithm of

        sum_h p_h k_h^3 exp(-k_h d_h) / 8 pi,

    a density over rotations at the chord d from each: a pattern that two orientations explain may
    be answered with both, and k says how far off an answer is, 3 / k radians on average. Rotations
    that say the same are read as one answer: their probabilities add up.

Matrices take lab axes to crystal axes: symmetry stands on their left, half a turn about the beam on
their right.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_orient.crystal.rotations import (
    beam_operator,
    from_euler,
    from_matrix,
    laue_operators,
    multiply,
    to_euler,
    to_matrix,
)
from napari_orient.learning.networks.registry import variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.learning.config import Ambiguity, NetworkConfig

_TINY = 1e-6  # of the square of a chord: its root has a slope everywhere
_SHARPEST = math.log(400.0)  # k: 0.4 degrees
_SAME = math.cos(math.radians(8) / 2)  # rotations nearer than 8 degrees say the same
_ANSWERS = 8  # of a mixture are read at most,
_REST = 1e-3  # until no more than this probability is left
_EVERYBODY = 0.02  # of the mean chord of all rotations of a mixture: none is left behind


class Prediction(NamedTuple):
    """What a network says of n patterns, h answers each, the most probable first.

    Attributes
    ----------
    quaternions
        (n, h, 4) float64, lab2crystal in the frame of the scan. Where a network has fewer answers
        the first one is repeated.
    probability
        (n, h); 0 where an answer is repeated.
    spread_deg
        (n, h) how far off the answer is on average by its own account; NaN where it has none.
    angles
        (n, 3) Bunge angles in degrees as they were said, also outside the ranges; None where no
        angles are said.
    """

    quaternions: NDArray[np.float64]
    probability: NDArray[np.float64]
    spread_deg: NDArray[np.float64]
    angles: NDArray[np.float64] | None = None


def joined(parts: Sequence[Prediction]) -> Prediction:
    """Put predictions of one head one after the other."""
    quaternions, odds, spread = (np.concatenate([p[i] for p in parts]) for i in range(3))
    angles = [p.angles for p in parts if p.angles is not None]
    return Prediction(quaternions, odds, spread, np.concatenate(angles) if angles else None)


class Head:
    """Numbers of a network to orientations and back; from a network's settings and a phase."""

    def __init__(
        self, config: NetworkConfig, phase: Phase, modulo: Sequence[Ambiguity] = ()
    ) -> None:
        self.kind, self.clamp = config.head, config.clamp
        self.hypotheses = config.hypotheses or variant(config.name).hypotheses
        group = laue_operators(phase.point_group)
        self.ranges = euler_ranges(phase)
        crystal = group
        if "crystal" in modulo:
            from napari_orient.diffraction.matching.pseudo import pseudo_operators

            pseudo = pseudo_operators(phase).operators
            crystal = np.concatenate([group, *(multiply(group, p) for p in pseudo)])
        lab = [np.array([1.0, 0.0, 0.0, 0.0])]
        if "beam" in modulo:
            lab.append(beam_operator())
        self.group = group
        self._turns = np.stack(lab)
        self._crystal = torch.from_numpy(to_matrix(crystal)).float()
        self._lab = torch.from_numpy(to_matrix(np.stack(lab))).float()

    @property
    def outputs(self) -> int:
        """Numbers a network has to give."""
        return {"euler": 3, "rotation": 6, "mixture": 8 * self.hypotheses}[self.kind]

    def loss(self, raw: Tensor, quaternions: Tensor) -> Tensor:
        """Loss of raw outputs (n, outputs) for orientations (n, 4); a number, float32."""
        raw = raw.float()
        if self.kind == "euler":
            return functional.huber_loss(self._angles(raw), self.targets(quaternions))
        if self.kind == "rotation":
            return self._chords(_matrices(raw)[:, None], quaternions).mean()
        rotations, log_p, log_k = self._mixture(raw)
        chord = self._chords(rotations, quaternions)
        log_density = log_p + 3 * log_k - log_k.exp() * chord - math.log(8 * math.pi)
        return -log_density.logsumexp(1).mean() + _EVERYBODY * chord.mean()

    def targets(self, quaternions: Tensor) -> Tensor:
        """Normalised Euler angles (n, 3) of orientations (n, 4)."""
        angles = reduced_euler(quaternions.double().cpu().numpy(), self.group, self.ranges)
        return torch.from_numpy(angles / self.ranges).to(quaternions.device, torch.float32)

    @torch.no_grad()
    def predict(self, raw: Tensor) -> Prediction:
        """Read raw outputs (n, outputs)."""
        raw = raw.float().cpu()
        n = len(raw)
        sure, unknown = np.ones((n, 1)), np.full((n, 1), np.nan)
        if self.kind == "euler":
            angles = self._angles(raw).double().numpy() * self.ranges
            return Prediction(from_euler(angles)[:, None], sure, unknown, angles)
        if self.kind == "rotation":
            return Prediction(from_matrix(_matrices(raw).double().numpy())[:, None], sure, unknown)
        rotations, log_p, log_k = self._mixture(raw)
        said = from_matrix(rotations.double().numpy())
        found = self._distinct(said, log_p.exp(), torch.rad2deg(3 * torch.exp(-log_k)))
        return Prediction(*(values.double().numpy() for values in found))

    def _distinct(
        self, said: NDArray[np.float64], odds: Tensor, spread: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Put rotations (n, h, 4) together that say the same; the most probable answer first.

        Half a turn about the beam makes no other answer where it is to be learned as none. An
        answer is the mean of its rotations, weighted by probability over squared spread.
        """
        n, h = odds.shape
        every = multiply(multiply(self.group[:, None], said[:, :, None, None]), self._turns)
        same = torch.from_numpy(every).flatten(2, 3)  # (n, h, s, 4)
        left, row, answers = odds.clone(), torch.arange(n), []
        most = min(h, _ANSWERS)
        for _ in range(most):
            centre = same[row, left.argmax(1), 0]  # no operator comes first
            along = (same * centre[:, None, None]).sum(-1)
            best = along.abs().argmax(-1, keepdim=True)
            cosine = along.gather(2, best)
            near = (cosine.abs()[..., 0] > _SAME) & (left > 0)
            turned = same.gather(2, best[..., None].expand(n, h, 1, 4))[:, :, 0] * cosine.sign()
            share = left * near
            weight = (share / spread.square())[..., None]
            total = share.sum(1)
            away = (share * spread).sum(1) / total
            answers.append(
                (torch.nn.functional.normalize((weight * turned).sum(1), dim=-1), total, away)
            )
            left = torch.where(near, 0.0, left)
            if not len(left) or float(left.sum(1).max()) < _REST:
                break
        answers += [(answers[0][0], torch.zeros(n), answers[0][2])] * (most - len(answers))
        q, p, away = (torch.stack(values, 1) for values in zip(*answers, strict=True))
        order = p.argsort(dim=1, descending=True, stable=True)
        order = torch.where(p.gather(1, order) > 0, order, order[:, :1])
        found = (p > 0).sum(1, keepdim=True)
        p = torch.where(torch.arange(p.shape[1]) < found, p.gather(1, order), 0.0)
        return q.gather(1, order[..., None].expand(-1, -1, 4)), p, away.gather(1, order)

    def _angles(self, raw: Tensor) -> Tensor:
        return raw.clamp(0, 1) if self.clamp else raw

    def _mixture(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Matrices (n, h, 3, 3), logarithms of p (n, h) and of k (n, h)."""
        parts = raw.reshape(len(raw), self.hypotheses, 8)
        log_k = _SHARPEST * torch.sigmoid(parts[..., 7])
        return _matrices(parts[..., :6]), functional.log_softmax(parts[..., 6], dim=1), log_k

    def _chords(self, rotations: Tensor, quaternions: Tensor) -> Tensor:
        """Smallest chords (n, h), 2 sin(angle / 2), between (n, h, 3, 3) and (n, 4)."""
        device = rotations.device
        truth = to_matrix(quaternions.float())
        same = self._crystal.to(device)[None, :, None] @ truth[:, None, None]
        same = (same @ self._lab.to(device)).flatten(1, 2)  # (n, s, 3, 3)
        trace = rotations.flatten(2) @ same.flatten(2).transpose(1, 2)  # (n, h, s)
        return (3 - trace.amax(-1)).clamp(min=0).add(_TINY).sqrt()


def _matrices(six: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of six numbers (..., 6): two columns, made orthonormal."""
    first = functional.normalize(six[..., :3], dim=-1, eps=1e-6)
    second = six[..., 3:] - (first * six[..., 3:]).sum(-1, keepdim=True) * first
    second = functional.normalize(second, dim=-1, eps=1e-6)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def euler_ranges(phase: Phase) -> NDArray[np.float64]:
    """Ranges (3,) in degrees that hold a representative of each orientation.

    phi1 to 360; Phi to 90 where a two-fold axis stands across the main axis c, else 180; phi2 to
    360 over the order of c.
    """
    matrices = to_matrix(laue_operators(phase.point_group))
    upright = matrices[:, 2, 2]
    along = int((upright > 1 - 1e-6).sum())
    return np.array([360.0, 90.0 if (upright < -1 + 1e-6).any() else 180.0, 360.0 / along])


def reduced_euler(
    quaternions: NDArray[np.float64], group: NDArray[np.float64], ranges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bunge angles (n, 3) in degrees of the representatives within the ranges.

    Of several (cubic) the one with the smallest phi2 after the smallest Phi: not the same for
    neighbours at a border, which no choice avoids.
    """
    every = multiply(group[:, None], np.asarray(quaternions, np.float64)[None])
    angles = to_euler(every)  # (s, n, 3)
    outside = (angles > ranges + 1e-6).any(axis=-1)
    rank = angles[..., 1] + 1e-3 * angles[..., 2] + 1e6 * outside
    best = rank.argmin(axis=0)
    found: NDArray[np.float64] = np.take_along_axis(angles, best[None, :, None], 0)[0]
    return found
