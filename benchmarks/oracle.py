"""What do the patterns permit? Decisions by the generator's own noise-free patterns.

Each noisy pattern is compared with those of the truth, of the crystal turned by half a turn about
the zone axis nearby, of its pseudo-symmetric partners, all with and without half a turn about the
beam, and of all other grains.
A mixed pattern is compared with those of single crystals, as a matcher would.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, normalize

from napari_orient.crystal.phases import get_phase
from napari_orient.crystal.rotations import (
    beam_operator,
    from_axis_angle,
    misorientation_angle,
    multiply,
)
from napari_orient.diffraction.grains import sow_grains
from napari_orient.diffraction.matching.pseudo import pseudo_operators
from napari_orient.diffraction.matching.refine import spot_model
from napari_orient.diffraction.matching.resolve import partners as zone_partners
from napari_orient.diffraction.microscope import Microscope, scan_calibration
from napari_orient.diffraction.simulate import reflections

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from orix.crystal_map import Phase

    from napari_orient.data.scan import Scan
    from napari_orient.diffraction.polycrystal import PolycrystalConfig

BINNING = 2  # a disk is several pixels wide: nothing is lost
DOUBLE = 10.0  # log-likelihood
SEARCH, TRIALS = (1.5, 0.7, 0.3), 20  # degrees about a random axis
NEAR_BEAM = 0.16  # 1/angstrom: the direct beam's disk, which the correlation leaves out


def partners(
    phase: Phase, quaternions: NDArray[np.float64], config: PolycrystalConfig
) -> NDArray[np.float64]:
    """Orientations (m, n, 4) with nearly the same patterns as those given (n, 4), these first."""
    identity = np.array([1.0, 0.0, 0.0, 0.0])
    model = spot_model(
        phase, reflections(phase, config.max_g), voltage_kv=config.voltage_kv,
        thickness_nm=config.thickness_nm, precession_deg=config.precession_deg,
    )  # fmt: skip
    zone = zone_partners(model, quaternions, config.max_g)[0][:, 1]
    zone = np.where(np.isnan(zone), quaternions, zone)  # none nearby
    turned = [multiply(operator, quaternions) for operator in pseudo_operators(phase).operators]
    return np.stack(
        [
            multiply(crystal, lab)
            for crystal in (quaternions, zone, *turned)
            for lab in (identity, beam_operator())
        ]
    )


def binned(images: torch.Tensor, config: PolycrystalConfig) -> torch.Tensor:
    """Sums of pixels (n, pixels) of (n, ky, kx), of a camera that saturates."""
    if config.dtype != "float32":
        images = images.clamp(max=float(np.iinfo(config.dtype).max))
    return avg_pool2d(images[:, None], BINNING).flatten(1) * BINNING**2


def coarse(config: PolycrystalConfig) -> PolycrystalConfig:
    """A camera with a quarter of the pixels, each twice as wide."""
    changes = {
        "pattern_shape": tuple(n // 2 for n in config.pattern_shape),
        "pixel_size": 2 * config.pixel_size,
        "blur_px": config.blur_px / 2,
        "dtype": "float32",
    }
    return config.model_copy(update=changes)


def beside_beam(config: PolycrystalConfig) -> torch.Tensor:
    """Binned pixels (pixels,) outside the direct beam."""
    ky, kx = ((np.arange(n // BINNING) + 0.5) * BINNING - 0.5 - n / 2 for n in config.pattern_shape)
    far = config.pixel_size * np.hypot(ky[:, None], kx) > NEAR_BEAM
    return torch.tensor(far).flatten()


def divergence(truth: torch.Tensor, other: torch.Tensor) -> NDArray[np.float64]:
    """Mean log-likelihood (n,) that the true expected counts gain over others (Kullback-Leibler).

    The gain of one pattern scatters by the root of twice that: at 10, 1 % are decided wrongly.
    """
    return (truth * (truth / other).log() - truth + other).sum(-1).numpy()


class Oracle:
    """Knows the grains of a config and their patterns."""

    def __init__(self, config: PolycrystalConfig) -> None:
        (phase,) = (get_phase(name) for name in config.phases)
        self.phase, self.config, self.grains = phase, config, sow_grains(config, [phase])
        self.source = reflections(phase, config.max_g, debye_waller=config.debye_waller)
        self.answers = self.settled(partners(phase, self.grains.quaternions, config))
        self.templates = torch.stack([self.expected(q, config) for q in self.answers])
        glow = config.model_copy(update={"spot_share": 0.0})
        self.glow = self.expected(self.grains.quaternions[:1], glow)[0]
        self.seen = beside_beam(config)
        self.random = torch.Generator().manual_seed(0)

    def expected(self, quaternions: NDArray[np.float64], config: PolycrystalConfig) -> torch.Tensor:
        """Noise-free counts (n, pixels) of grains in these orientations, binned."""
        grains = replace(self.grains, quaternions=quaternions)
        microscope = Microscope(config, scan_calibration(config), [self.source], grains, "cpu")
        parts = np.array_split(np.arange(len(quaternions)), -(-len(quaternions) // 64))
        return torch.cat(
            [
                binned(microscope.expected(0, part[:, None], np.ones((len(part), 1))), config)
                for part in parts
            ]
        )

    def settled(self, answers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Partners (m, n, 4) turned a little, to where their patterns are most like the truth's.

        A matcher refines them as well; exactly at the operator a partner is often 1 to 3 degrees
        off its best. A random search on coarse patterns, the same for all grains.
        """
        config = coarse(self.config)
        seen, random = beside_beam(config), np.random.default_rng(0)
        truth = self.expected(answers[0], config)[:, seen]
        best = answers.copy()
        for partner in best[1:]:
            least = divergence(truth, self.expected(partner, config)[:, seen])
            for width in np.repeat(SEARCH, TRIALS):
                turn = from_axis_angle(random.normal(size=(len(partner), 3)), width)
                trial = multiply(partner, turn)
                gain = divergence(truth, self.expected(trial, config)[:, seen])
                better = gain < least
                partner[better], least[better] = trial[better], gain[better]
        return best

    def contrast(self, counts: torch.Tensor) -> torch.Tensor:
        """What the correlation compares: square roots, without background and beam, of length 1."""
        roots = counts.clamp(min=0).sqrt() - self.glow.sqrt()
        return normalize(roots[..., self.seen], dim=-1)

    def has_double(self) -> NDArray[np.bool_]:
        """(n,) grains with a partner elsewhere that a pattern hardly tells from the truth."""
        truth, group = self.templates[0], self.phase.point_group
        double = np.zeros(len(truth), bool)
        for answer, other in zip(self.answers[1:], self.templates[1:], strict=True):
            away = misorientation_angle(answer, self.grains.quaternions, group)
            gain = divergence(truth[:, self.seen], other[:, self.seen])
            double |= (gain < DOUBLE) & (away > 5)
        return double

    def decide(self, scan: Scan, grain: NDArray[np.int32]) -> dict[str, NDArray[np.float64]]:
        """Best answers (y, x, 4) of both scores."""
        logarithms, totals = self.templates.log(), self.templates.sum(-1)
        contrasts = self.contrast(self.templates)
        found: dict[str, list[NDArray[np.float64]]] = {"likelihood": [], "correlation": []}
        for y in range(len(grain)):
            counts = binned(torch.tensor(scan.read(y).astype(np.float32)), self.config)
            own = torch.tensor(grain[y], dtype=torch.int64)
            flat = self.contrast(counts)
            found["likelihood"].append(self.best(counts, logarithms, totals, own, 0.1))
            found["correlation"].append(self.best(flat, contrasts, 0 * totals, own, 1e-5))
        return {name: np.stack(rows) for name, rows in found.items()}

    def best(
        self,
        patterns: torch.Tensor,
        templates: torch.Tensor,
        offset: torch.Tensor,
        own: torch.Tensor,
        scale: float,
    ) -> NDArray[np.float64]:
        """Answers (x, 4) of the largest template . pattern - offset.

        Of the own grain all partners (m, n, pixels) compete, of the others the orientation alone.
        """
        near = torch.einsum("xp,mxp->xm", patterns, templates[:, own]) - offset[:, own].T
        far = patterns @ templates[0].T - offset[0]
        far[torch.arange(len(own)), own] = -torch.inf  # once is enough
        scores = torch.cat([near, far], dim=1)
        # doubles have one pattern: let chance decide, not the order or a rounding error
        scores += scale * torch.randn(scores.shape, generator=self.random)
        winner = scores.argmax(1).numpy()
        m, own_ = len(templates), own.numpy()
        partner = np.minimum(winner, m - 1)
        return np.where(
            (winner < m)[:, None],
            self.answers[partner, own_],
            self.answers[0, np.maximum(winner - m, 0)],
        )
